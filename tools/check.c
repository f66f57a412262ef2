// SPDX-License-Identifier: GPL-2.0
/*
 * sefctl check: one line and an exit status, as Nagios wants them; Kubernetes, Consul
 * and Pacemaker are content with the exit status.
 */
#include "ask.h"

enum verdict { OK, WARNING, CRITICAL, UNKNOWN };

static const char *const verdicts[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

static struct {
	uint64_t timeout_ns;
	uint64_t warning_ns;	/* UINT64_MAX: none */
	bool no_ping;
} opt = { .timeout_ns = NS_PER_SEC, .warning_ns = UINT64_MAX };

static const struct argp_option options[] = {
	{ "timeout", 't', "TIME", 0, "critical without an answer in TIME (1s)", 0 },
	{ "warning", 'w', "TIME", 0, "warn of an answer that took longer", 0 },
	{ "no-ping", 'n', NULL, 0, "do not ask: tell what those think who watch it", 0 },
	{ NULL, 0, NULL, 0, "Exit status:", 1 },
	{ "0", 0, NULL, OPTION_DOC, "OK", 1 },
	{ "1", 0, NULL, OPTION_DOC, "WARNING", 1 },
	{ "2", 0, NULL, OPTION_DOC, "CRITICAL", 1 },
	{ "3", 0, NULL, OPTION_DOC, "UNKNOWN", 1 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 't':
		opt.timeout_ns = parse_time("--timeout", arg);
		break;
	case 'w':
		opt.warning_ns = parse_time("--warning", arg);
		break;
	case 'n':
		opt.no_ping = true;
		break;
	case ARGP_KEY_NO_ARGS:
		fail("say which service: sefctl check NAME|PID|id:ID");
	case ARGP_KEY_ARG:
		if (state->arg_num)
			fail("'%s' is one service too many: check judges one", arg);
		*(char **)state->input = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME|PID|id:ID",
	.doc = "Ask a service whether it is alive, and judge it in one line.",
};

/* "OK: mail": what follows is the caller's. Nagios takes a "|" for what follows it. */
static enum verdict say(enum verdict verdict, const char *name)
{
	printf("%s: ", verdicts[verdict]);
	print_safely(stdout, name, " \\|");
	return verdict;
}

static enum verdict say_ended(const struct sef_status_args *status, int wait_status)
{
	char end[ENDING_SIZE];

	if (status->state == SEF_STATE_GONE) {
		say(CRITICAL, status->name);
		puts(" is gone");
	} else {
		say(CRITICAL, status->name);
		printf(" is dead: %s\n", ending(end, wait_status));
	}
	return CRITICAL;
}

static enum verdict say_none(const char *name)
{
	say(CRITICAL, name);
	puts(" is no service that you may see (one that ends unwatched is forgotten)");
	return CRITICAL;
}

static enum verdict say_pong(const struct sef_status_args *status, uint64_t rtt_ns)
{
	enum verdict verdict = rtt_ns > opt.warning_ns ? WARNING : OK;
	char time[DURATION_SIZE];

	say(verdict, status->name);
	printf(" answered in %s | rtt=%.9fs;", duration(time, rtt_ns), rtt_ns / 1e9);
	if (opt.warning_ns != UINT64_MAX)
		printf("%.9g", opt.warning_ns / 1e9);
	printf(";%.9g;0\n", opt.timeout_ns / 1e9);
	return verdict;
}

static enum verdict say_missed(const struct sef_status_args *status, const struct sef_event *event)
{
	char time[DURATION_SIZE], shown[CAUSE_SIZE];
	enum verdict verdict;

	/* A miss that is nobody's fault is not counted. */
	verdict = say(event->misses ? CRITICAL : WARNING, status->name);
	printf(" did not answer in %s: %s\n", duration(time, opt.timeout_ns),
	       cause(shown, event));
	return verdict;
}

static enum verdict check_by_ping(int fd, struct sef_status_args *status)
{
	enum answer answer = ANSWER_NONE;
	struct sef_event event;
	uint64_t seq;

	if (!ask_begin(fd, status, opt.timeout_ns, SEF_EXCUSE_DEFAULT))
		return say_none(status->name);
	seq = ask(fd, status);
	while (answer == ANSWER_NONE) {
		if (sef_read_events(fd, &event, 1) < 0)
			fail_sef("cannot read events");
		answer = ask_answer(&event, seq);
	}
	if (answer == ANSWER_PONG)
		return say_pong(status, event.rtt_ns);
	if (answer == ANSWER_MISSED)
		return say_missed(status, &event);
	status->state = event.state;
	return say_ended(status, event.wait_status);
}

static enum verdict check_by_status(const struct sef_status_args *status)
{
	static const enum verdict of_state[] = {
		[SEF_STATE_UNWATCHED] = UNKNOWN,
		[SEF_STATE_WAITING] = WARNING,
		[SEF_STATE_ALIVE] = OK,
		[SEF_STATE_LATE] = WARNING,
		[SEF_STATE_UNRESPONSIVE] = CRITICAL,
	};
	char time[DURATION_SIZE];
	enum verdict verdict = UNKNOWN;

	if (status->state < ARRAY_SIZE(of_state))
		verdict = of_state[status->state];
	say(verdict, status->name);
	if (status->state == SEF_STATE_UNWATCHED)
		printf(" is watched by nobody: leave out --no-ping\n");
	else
		printf(" is %s, silent for %s%s%s\n", sef_state_name(status->state),
		       duration(time, status->silent_ns),
		       status->misses || status->excused ? ": " : "",
		       status->misses || status->excused ? sef_why_name(status->why) : "");
	return verdict;
}

int check_main(int argc, char **argv)
{
	struct sef_status_args status;
	char *name;
	int fd;

	parse_options(&argp, argc, argv, 0, &name);
	fd = open_sef(0);
	if (!look_for_service(fd, name, &status))
		return say_none(name);
	if (status.state == SEF_STATE_DEAD)
		return say_ended(&status, status.wait_status);
	return opt.no_ping ? check_by_status(&status) : check_by_ping(fd, &status);
}
