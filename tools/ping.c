// SPDX-License-Identifier: GPL-2.0
/* sefctl ping: what ping(8) is for a host. */
#include <stdlib.h>

#include "ask.h"

static struct {
	uint64_t count;		/* 0: until it is told to end */
	uint64_t interval_ns;
	uint64_t timeout_ns;
	bool verbose;
} opt = { .interval_ns = NS_PER_SEC, .timeout_ns = NS_PER_SEC };

static struct {
	uint64_t sent, pongs, missed;
	uint64_t min_ns, max_ns, sum_ns;
	bool ended;
} sum = { .min_ns = UINT64_MAX };

static const struct argp_option options[] = {
	{ "count", 'c', "N", 0, "end after N pings", 0 },
	{ "interval", 'i', "TIME", 0, "from ping to ping (1s)", 0 },
	{ "timeout", 'W', "TIME", 0, "a ping not answered for TIME is missed (1s)", 0 },
	{ "verbose", 'v', NULL, 0, "of a miss tell all that the kernel saw", 0 },
	{ NULL, 0, NULL, 0, "Exit status:", 1 },
	{ "0", 0, NULL, OPTION_DOC, "it answered", 1 },
	{ "1", 0, NULL, OPTION_DOC, "it did not, or has ended", 1 },
	{ "2", 0, NULL, OPTION_DOC, "anything else went wrong", 1 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'c':
		opt.count = parse_number("--count", arg, UINT32_MAX);
		if (!opt.count)
			fail("--count: at least one ping");
		break;
	case 'i':
		opt.interval_ns = parse_time("--interval", arg);
		break;
	case 'W':
		opt.timeout_ns = parse_time("--timeout", arg);
		break;
	case 'v':
		opt.verbose = true;
		break;
	case ARGP_KEY_NO_ARGS:
		fail("say which service: sefctl ping NAME|PID|id:ID");
	case ARGP_KEY_ARG:
		if (state->arg_num)
			fail("'%s' is one service too many: ping asks one", arg);
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
	.doc = "Ask a service whether it is alive, and tell how long it takes to answer.",
};

static void take_pong(const struct sef_event *event)
{
	uint64_t rtt = event->rtt_ns;
	char time[DURATION_SIZE];

	sum.pongs++;
	sum.sum_ns += rtt;
	sum.min_ns = rtt < sum.min_ns ? rtt : sum.min_ns;
	sum.max_ns = rtt > sum.max_ns ? rtt : sum.max_ns;
	printf("pong seq=%llu time=%s%s\n", (unsigned long long)event->asked_seq,
	       duration(time, rtt), rtt > opt.timeout_ns ? " late" : "");
}

static void take_miss(int fd, const struct sef_event *event, uint64_t seq)
{
	char time[DURATION_SIZE], shown[CAUSE_SIZE];
	struct sef_why_args why;

	sum.missed++;
	printf("missed seq=%llu: no pong in %s: %s\n", (unsigned long long)seq,
	       duration(time, opt.timeout_ns), cause(shown, event));
	if (opt.verbose && !sef_get_why(fd, event->id, &why))
		print_evidence(&why);
}

static void take_end(const struct sef_event *event)
{
	char end[ENDING_SIZE];

	sum.ended = true;
	if (event->state == SEF_STATE_DEAD)
		printf("dead: %s\n", ending(end, event->wait_status));
	else
		printf("gone: it closed its file\n");
}

/*
 * Waits for what comes of the ping @seq, and then until @until. False when there is no
 * use in further pings. A late pong comes while nothing is asked.
 */
static bool await(int fd, uint64_t seq, uint64_t until)
{
	enum answer answer = ANSWER_NONE;
	struct sef_event event;
	enum woken woken;

	for (;;) {
		woken = wait_for(fd, answer == ANSWER_NONE ? UINT64_MAX : until);
		if (woken != WOKEN_BY_EVENT)
			return woken == WOKEN_BY_TIME;
		if (sef_read_events(fd, &event, 1) < 0)
			fail_sef("cannot read events");
		switch (ask_answer(&event, seq)) {
		case ANSWER_PONG:
			take_pong(&event);
			answer = ANSWER_PONG;
			break;
		case ANSWER_MISSED:
			take_miss(fd, &event, seq);
			answer = ANSWER_MISSED;
			break;
		case ANSWER_ENDED:
			take_end(&event);
			return false;
		case ANSWER_NONE:
			break;
		}
		flush_or_fail();
		if (sum.sent == opt.count && answer != ANSWER_NONE)
			return false;
	}
}

static void print_summary(const char *shown)
{
	char min[DURATION_SIZE], mean[DURATION_SIZE], max[DURATION_SIZE];

	printf("--- %s ---\n", shown);
	printf("%llu %s sent, %llu answered, %llu missed\n", (unsigned long long)sum.sent,
	       sum.sent == 1 ? "ping" : "pings", (unsigned long long)sum.pongs,
	       (unsigned long long)sum.missed);
	if (sum.pongs)
		printf("round trip min/mean/max %s/%s/%s\n", duration(min, sum.min_ns),
		       duration(mean, sum.sum_ns / sum.pongs), duration(max, sum.max_ns));
}

int ping_main(int argc, char **argv)
{
	struct sef_status_args status;
	char *name, shown[SHOWN_SIZE];
	uint64_t next;
	int fd;

	parse_options(&argp, argc, argv, 0, &name);
	fd = open_sef(0);
	find_service(fd, name, &status);
	escape(shown, status.name);
	catch_signals();
	if (!ask_begin(fd, &status, opt.timeout_ns, 0))
		fail("'%s' has just ended", shown);
	printf("ping %s (id:%llu, pid %d)\n", shown, (unsigned long long)status.id, status.pid);
	flush_or_fail();
	next = now_ns();
	do {
		next += opt.interval_ns;
		sum.sent++;
	} while (await(fd, ask(fd, &status), next));
	print_summary(shown);
	return sum.pongs && !sum.ended ? 0 : 1;
}
