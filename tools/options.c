// SPDX-License-Identifier: GPL-2.0
/* Options, and the words that stand for times, signals and causes. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "sefctl.h"

/* Above the given parser: getopt says what is wrong in one line, argp adds none. */
static error_t parse_root(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->err_stream = NULL;
	state->child_inputs[0] = state->input;
	return 0;
}

int parse_options(const struct argp *argp, int argc, char **argv, unsigned int flags, void *input)
{
	const struct argp_child child[] = { { .argp = argp }, { 0 } };
	const struct argp root = {
		.parser = parse_root,
		.children = child,
	};
	int next = argc;

	if (argp_parse(&root, argc, argv, flags, &next, input))
		exit(command ? command->failure : EXIT_FAILURE);
	if (next < argc && !argp->args_doc)
		fail("'%s' is one argument too many: see --help", argv[next]);
	return next;
}

static const struct {
	const char *name;
	double ns;
} units[] = {
	{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "sec", 1e9 },
	{ "m", 60e9 }, { "min", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 },
};

/* One number and its unit; < 0 for neither. */
static double parse_part(const char **from)
{
	size_t len = strspn(*from, "0123456789."), i;
	double n;
	char *end;

	/* Neither "inf", nor hexadecimal, nor with an exponent. */
	n = strtod(*from, &end);
	if (!len || end != *from + len)
		return -1;
	len = strcspn(end, "0123456789.");
	*from = end + len;
	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (strlen(units[i].name) == len && !strncmp(end, units[i].name, len))
			return n * units[i].ns;
	return len ? -1 : n * NS_PER_SEC;
}

uint64_t parse_duration(const char *what, const char *arg)
{
	const char *from = arg;
	double sum = 0, part;

	do {
		part = parse_part(&from);
		sum += part;
	} while (part >= 0 && *from);
	if (part < 0 || !(sum < 1e18))
		fail("%s: '%s' is no length of time such as 100ms, 2s or 1min30s", what, arg);
	return llround(sum);
}

uint64_t parse_time(const char *what, const char *arg)
{
	uint64_t ns = parse_duration(what, arg);

	if (ns < SEF_TIME_MIN_NS || ns > SEF_TIME_MAX_NS)
		fail("%s: '%s' is not between 1ms and 1d", what, arg);
	return ns;
}

uint64_t parse_time_or_none(const char *what, const char *arg)
{
	return strcmp(arg, "none") ? parse_time(what, arg) : 0;
}

uint64_t parse_number(const char *what, const char *arg, uint64_t max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(arg, &end, 10);
	if (end == arg || *end || !strchr("0123456789", *arg) || errno || n > max)
		fail("%s: '%s' is no number from 0 to %llu", what, arg, (unsigned long long)max);
	return n;
}

int parse_signal(const char *what, const char *arg)
{
	const char *name = strncmp(arg, "SIG", 3) ? arg : arg + 3;
	const char *abbrev;
	int sig;

	if (!strcmp(arg, "none"))
		return 0;
	if (strchr("0123456789", *arg) && *arg)
		return parse_number(what, arg, SIGRTMAX);
	for (sig = 1; sig < SIGRTMIN; sig++) {
		abbrev = sigabbrev_np(sig);
		if (abbrev && !strcmp(abbrev, name))
			return sig;
	}
	fail("%s: no signal is named '%s': such as ABRT, TERM or 15", what, arg);
}

enum {
	KEY_TOLERATE = 0x100, KEY_GRACE, KEY_SLACK, KEY_EXTEND, KEY_SIGNAL, KEY_KILL,
	KEY_PANIC, KEY_RESTART, KEY_STRICT, KEY_EXCUSE,
};

static const struct argp_option watch_options[] = {
	{ "period", 'p', "TIME", 0, "ping a service that is silent for TIME (1s)", 0 },
	{ "timeout", 't', "TIME", 0, "a ping not answered for TIME is missed (1s)", 0 },
	{ "tolerate", KEY_TOLERATE, "N", 0, "so many misses in a row are only late (1)", 0 },
	{ "grace", KEY_GRACE, "TIME", 0, "no deadline before the first pong, for TIME", 0 },
	{ "slack", KEY_SLACK, "TIME", 0, "pings may be sent so much later, together", 0 },
	{ "extend", KEY_EXTEND, "TIME", 0, "the service may ask for TIME more", 0 },
	{ "strict", KEY_STRICT, NULL, 0, "only a pong that names the ping counts", 0 },
	{ "excuse", KEY_EXCUSE, "CAUSE,...", 0,
	  "no misses: stopped, traced, frozen, starved, stalled, all, none, default", 0 },
	{ "signal", KEY_SIGNAL, "SIGNAL", 0, "send it at the verdict unresponsive", 0 },
	{ "kill", KEY_KILL, "TIME", 0, "send SIGKILL so long after the deadline, or none", 0 },
	{ "panic", KEY_PANIC, "TIME", 0, "then the machine panics, so long after that", 0 },
	{ "restart-machine", KEY_RESTART, "TIME", 0, "then it restarts, so long after that", 0 },
	{ 0 }
};

static const struct {
	const char *name;
	uint32_t mask;
} excuses[] = {
	{ "stopped", SEF_EXCUSE(SEF_WHY_STOPPED) },
	{ "traced", SEF_EXCUSE(SEF_WHY_TRACED) },
	{ "frozen", SEF_EXCUSE(SEF_WHY_FROZEN) },
	{ "starved", SEF_EXCUSE(SEF_WHY_STARVED) },
	{ "stalled", SEF_EXCUSE(SEF_WHY_STALLED) },
	{ "all", SEF_EXCUSE_ALL },
	{ "default", SEF_EXCUSE_DEFAULT },
	{ "none", 0 },
};

static uint32_t parse_excuse(const char *arg)
{
	uint32_t mask = 0;
	size_t len, i;

	for (;; arg++) {
		len = strcspn(arg, ",");
		for (i = 0; i < ARRAY_SIZE(excuses); i++)
			if (strlen(excuses[i].name) == len && !strncmp(arg, excuses[i].name, len))
				break;
		if (i == ARRAY_SIZE(excuses))
			fail("--excuse: '%s' is no cause that can be excused: see --help", arg);
		mask |= excuses[i].mask;
		arg += len;
		if (!*arg)
			return mask;
	}
}

void print_excuses(FILE *out, uint32_t mask)
{
	const char *comma = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(excuses); i++) {
		/* The first five are one cause each. */
		if (i < 5 ? !(mask & excuses[i].mask) : mask || excuses[i].mask)
			continue;
		fprintf(out, "%s%s", comma, excuses[i].name);
		comma = ",";
	}
}

static void set_last(struct sef_watch_args *watch, enum sef_last last, const char *what,
		     const char *arg)
{
	if (watch->last && watch->last != last)
		fail("--panic and --restart-machine are two ends of one machine: choose one");
	watch->last = last;
	watch->last_ns = parse_time(what, arg);
}

static error_t parse_watch(int key, char *arg, struct argp_state *state)
{
	struct sef_watch_args *watch = state->input;

	switch (key) {
	case 'p':
		watch->period_ns = parse_time("--period", arg);
		break;
	case 't':
		watch->timeout_ns = parse_time("--timeout", arg);
		break;
	case KEY_TOLERATE:
		watch->tolerate = parse_number("--tolerate", arg, UINT32_MAX);
		break;
	case KEY_GRACE:
		watch->grace_ns = parse_time_or_none("--grace", arg);
		break;
	case KEY_SLACK:
		watch->slack_ns = parse_time("--slack", arg);
		break;
	case KEY_EXTEND:
		watch->extend_ns = parse_time_or_none("--extend", arg);
		break;
	case KEY_STRICT:
		watch->flags |= SEF_WATCH_STRICT;
		break;
	case KEY_EXCUSE:
		watch->excuse = parse_excuse(arg);
		break;
	case KEY_SIGNAL:
		watch->signal = parse_signal("--signal", arg);
		break;
	case KEY_KILL:
		watch->kill_ns = parse_time_or_none("--kill", arg);
		break;
	case KEY_PANIC:
		set_last(watch, SEF_LAST_PANIC, "--panic", arg);
		break;
	case KEY_RESTART:
		set_last(watch, SEF_LAST_RESTART, "--restart-machine", arg);
		break;
	case ARGP_KEY_SUCCESS:
		if (watch->slack_ns > watch->period_ns)
			fail("--slack: it may not exceed the period");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp watch_argp = { .options = watch_options, .parser = parse_watch };
