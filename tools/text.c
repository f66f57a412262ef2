// SPDX-License-Identifier: GPL-2.0
/* What people read: names that nobody here has chosen, times, ends. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <wchar.h>

#include "sefctl.h"

/*
 * How many bytes at @from are a character that takes a column of its own: neither a
 * control character, nor one that turns the direction of the text or has no width.
 */
static size_t printable(const char *from, size_t len, int *width)
{
	mbstate_t state = { 0 };
	wchar_t wc;
	size_t n = mbrtowc(&wc, from, len, &state);

	if (!n || n > len)	/* the end, or (size_t)-1 and -2: no character */
		return 0;
	*width = wcwidth(wc);
	return *width > 0 ? n : 0;
}

void print_safely(FILE *out, const char *text, const char *also)
{
	int width;
	size_t n;

	while (*text) {
		n = strchr(also, *text) ? 0 : printable(text, strlen(text), &width);
		if (n)
			fwrite(text, 1, n, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*text);
		text += n ?: 1;
	}
}

const char *escape(char shown[SHOWN_SIZE], const char *name)
{
	FILE *out = fmemopen(shown, SHOWN_SIZE, "w");

	if (!out)
		fail_errno("no memory");
	/* fmemopen() ends only what is written. */
	*shown = '\0';
	print_safely(out, name, " \\");
	fclose(out);
	return shown;
}

/* One character's bytes, and in *width its columns. */
static size_t step(const char *shown, int *width)
{
	size_t n = printable(shown, strlen(shown), width);

	if (n)
		return n;
	*width = 1;
	return 1;
}

int columns(const char *shown)
{
	int width, sum = 0;

	while (*shown) {
		shown += step(shown, &width);
		sum += width;
	}
	return sum;
}

void clip(char *shown, int width)
{
	size_t n;
	int w;

	while (*shown) {
		n = step(shown, &w);
		width -= w;
		if (width < 0)
			*shown = '\0';
		else
			shown += n;
	}
}

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "d", 86400 * NS_PER_SEC }, { "h", 3600 * NS_PER_SEC }, { "min", 60 * NS_PER_SEC },
	{ "s", NS_PER_SEC }, { "ms", NS_PER_MS }, { "us", 1000 },
};

/* "1min30s": a unit, and the next smaller one if there is something left. */
static void print_two_units(char *to, uint64_t ns, size_t unit)
{
	uint64_t rest = ns % units[unit].ns / units[unit + 1].ns;
	int n = sprintf(to, "%u%s", (unsigned int)(ns / units[unit].ns), units[unit].name);

	if (rest)
		sprintf(to + n, "%u%s", (unsigned int)rest, units[unit + 1].name);
}

/* "1.13ms", "45.2us", "999ms": what comes after three digits is cut off. */
static void print_three_digits(char *to, uint64_t ns, size_t unit)
{
	unsigned int thousandths = ns / (units[unit].ns / 1000);
	unsigned int whole = thousandths / 1000, rest = thousandths % 1000;
	int n;

	sprintf(to, "%u.%03u", whole, rest);
	to[whole >= 100 ? 3 : 4] = '\0';
	n = strlen(to);
	while (whole < 100 && to[n - 1] == '0')
		n--;
	if (to[n - 1] == '.')
		n--;
	sprintf(to + n, "%s", units[unit].name);
}

const char *duration(char shown[DURATION_SIZE], uint64_t ns)
{
	size_t unit = 0;

	while (unit < ARRAY_SIZE(units) && ns < units[unit].ns)
		unit++;
	if (!ns)
		sprintf(shown, "0s");
	else if (unit == ARRAY_SIZE(units))
		sprintf(shown, "%uns", (unsigned int)ns);
	else if (units[unit].ns > NS_PER_SEC)
		print_two_units(shown, ns, unit);
	else
		print_three_digits(shown, ns, unit);
	return shown;
}

const char *signal_name(char shown[SIGNAL_SIZE], int sig)
{
	const char *abbrev = sigabbrev_np(sig);

	if (abbrev)
		snprintf(shown, SIGNAL_SIZE, "SIG%s", abbrev);
	else
		snprintf(shown, SIGNAL_SIZE, "signal %d", sig);
	return shown;
}

const char *ending(char shown[ENDING_SIZE], int status)
{
	char sig[SIGNAL_SIZE];

	if (WIFSIGNALED(status))
		snprintf(shown, ENDING_SIZE, "killed by %s%s", signal_name(sig, WTERMSIG(status)),
			 WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(shown, ENDING_SIZE, "exited with status %d", WEXITSTATUS(status));
	return shown;
}
