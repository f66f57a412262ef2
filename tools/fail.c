// SPDX-License-Identifier: GPL-2.0
/* What goes wrong: one line, which says what to do, and an exit status. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sefctl.h"

const struct command *command;
void (*before_fail)(void);

/* What to do about an error of /dev/sef, where that does not depend on the call. */
static const char *remedy(int err)
{
	switch (err) {
	case EACCES:
		return "be root, or of the group that /dev/sef belongs to";
	case EPERM:
		return "be root, or the user whom the service belongs to";
	case ENOSPC:
		return "raise max_services, max_watches or max_pings in /sys/module/sef/parameters";
	case ENOTTY:
		return "sef.ko is older than this sefctl: load the one that came with it";
	}
	return NULL;
}

/* Ends the program, so that nobody has to end @args. */
static noreturn void vfail(const char *format, va_list args, int err, const char *advice)
{
	bool verdict = command && command->verdict;
	FILE *out = verdict ? stdout : stderr;
	char *text;

	if (before_fail)
		before_fail();
	fflush(stdout);
	if (verdict)
		fprintf(out, "%s: ", command->verdict);
	else
		fprintf(out, "sefctl%s%s: ", command ? " " : "", command ? command->name : "");
	if (vasprintf(&text, format, args) >= 0)
		print_safely(out, text, "");
	if (err)
		fprintf(out, ": %s", strerror(err));
	if (advice)
		fprintf(out, " (%s)", advice);
	fputc('\n', out);
	exit(command ? command->failure : EXIT_FAILURE);
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfail(format, args, 0, NULL);
}

void fail_errno(const char *format, ...)
{
	int err = errno;
	va_list args;

	va_start(args, format);
	vfail(format, args, err, NULL);
}

void fail_sef(const char *format, ...)
{
	int err = errno;
	va_list args;

	va_start(args, format);
	vfail(format, args, err, remedy(err));
}

void flush_or_fail(void)
{
	if (fflush(stdout) || ferror(stdout))
		fail_errno("cannot write to standard output");
}
