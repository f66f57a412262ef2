// SPDX-License-Identifier: GPL-2.0
/* sefctl status: services, and what the supervisors there are think of them. */
#include <stdlib.h>

#include "view.h"

static bool json;

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print JSON: one array", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	(void)state;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	json = true;
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[NAME|PID|id:ID ...]",
	.doc = "Tell what is known of services: of all; or of some, of one in detail.",
};

static void print_array(const struct view *views, size_t n)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_object_array_add(array, json_view(&views[i]));
	print_json(array);
}

static void print_table(const struct view *views, size_t n)
{
	struct table table;
	size_t i;
	char *line;

	make_table(&table, views, n);
	for (i = 0; i <= n; i++) {
		line = table_line(&table, i);
		puts(line);
		free(line);
	}
	free_table(&table);
}

static void print_state(const struct sef_status_args *st)
{
	char end[ENDING_SIZE];

	printf("  state       %s", sef_state_name(st->state));
	if (st->state == SEF_STATE_DEAD)
		printf(", %s", ending(end, st->wait_status));
	if (st->misses || st->excused)
		printf(", %s; missed %u in a row, %u more excused", sef_why_name(st->why),
		       st->misses, st->excused);
	putchar('\n');
}

/* "label value" of each time that is not 0. */
static void print_time(const char *label, uint64_t ns)
{
	char shown[DURATION_SIZE];

	if (ns)
		printf("  %-11s %s\n", label, duration(shown, ns));
}

static void print_steps(const struct sef_status_args *st)
{
	char sig[SIGNAL_SIZE], time[DURATION_SIZE];

	if (st->signal)
		printf("  signal      %s when unresponsive\n", signal_name(sig, st->signal));
	if (st->kill_ns)
		printf("  SIGKILL     %s after the deadline\n", duration(time, st->kill_ns));
	if (st->last)
		printf("  last step   %s, %s after %s\n",
		       st->last == SEF_LAST_PANIC ? "the machine panics" : "the machine restarts",
		       duration(time, st->last_ns), st->kill_ns ? "that" : "the deadline");
}

static void print_watch(const struct sef_status_args *st)
{
	printf("  watches     %u%s\n", st->watches,
	       st->watches > 1 ? ", of which what follows is the worst" : "");
	if (!st->period_ns)
		return;
	print_time("period", st->period_ns);
	print_time("timeout", st->timeout_ns);
	printf("  tolerates   %u misses in a row\n", st->tolerate);
	printf("  excuses     ");
	print_excuses(stdout, st->excuse);
	putchar('\n');
	if (st->watch_flags & SEF_WATCH_STRICT)
		printf("  strict      yes\n");
	print_time("slack", st->slack_ns);
	print_time("grace", st->grace_ns);
	print_time("extends", st->extend_ns);
	print_time("given back", st->credit_ns);
	print_steps(st);
}

/* Over all watches that there ever were. */
static void print_counts(const struct sef_status_args *st)
{
	if (st->missed)
		printf("  missed      %u since it registered; unresponsive %u times\n",
		       st->missed, st->verdicts);
	if (st->steps || st->denied)
		printf("  signals     %u sent, %u denied\n", st->steps, st->denied);
}

static void print_latency(const struct view *view)
{
	const struct sef_latency_args *l = &view->latency;
	char t[5][DURATION_SIZE];

	if (l->count) {
		printf("  round trip  last %s, p50 %s, p99 %s, mean %s, worst %s",
		       duration(t[0], view->status.rtt_ns), duration(t[1], percentile(l, 50)),
		       duration(t[2], percentile(l, 99)), duration(t[3], l->sum_ns / l->count),
		       duration(t[4], l->max_ns));
		printf("; %llu pongs in %s\n", (unsigned long long)l->count,
		       duration(t[0], l->since_ns));
	}
	if (!l->headroom_ns)
		printf("  headroom    none: a deadline was missed\n");
	else if (l->headroom_ns != UINT64_MAX)
		printf("  headroom    %s at the least\n", duration(t[0], l->headroom_ns));
}

static void print_one(const struct view *view)
{
	const struct sef_status_args *st = &view->status;
	char name[SHOWN_SIZE], time[DURATION_SIZE];

	printf("%s (id:%llu)\n", escape(name, st->name), (unsigned long long)st->id);
	printf("  %-11s %d\n", st->service_flags & SEF_REGISTER_THREAD ? "thread" : "pid", st->pid);
	if (st->service_flags & SEF_REGISTER_PIDFD)
		printf("  proxy       another process answers for it\n");
	printf("  uid         %u\n", st->uid);
	printf("  registered  %s ago\n", duration(time, st->age_ns));
	print_state(st);
	if (st->silent_ns < st->age_ns)
		printf("  last pong   %s ago\n", duration(time, st->silent_ns));
	printf("  pings       %llu sent, answered up to %llu\n", (unsigned long long)st->ping_seq,
	       (unsigned long long)st->pong_seq);
	if (st->reply != SEF_REPLY_PONG)
		printf("  reply       %s: its pongs do not count\n", sef_reply_name(st->reply));
	print_latency(view);
	print_watch(st);
	print_counts(st);
}

/* All that the arguments name, in their order; without any all there are. */
static size_t find_all(int fd, int argc, char **argv, struct sef_status_args **all)
{
	struct sef_status_args *found;
	size_t n = 0, more;

	if (!argc)
		return all_services(fd, all);
	for (*all = NULL; argc; argc--, argv++) {
		more = find_services(fd, *argv, &found);
		*all = reallocarray(*all, n + more, sizeof(*found));
		if (!*all)
			fail_errno("cannot list the services");
		while (more)
			(*all)[n++] = found[--more];
		free(found);
	}
	return n;
}

int status_main(int argc, char **argv)
{
	int first = parse_options(&argp, argc, argv, 0, NULL), fd = open_sef(0);
	struct sef_status_args *services;
	struct view *views;
	size_t n;

	n = find_all(fd, argc - first, argv + first, &services);
	n = get_views(fd, services, n, &views);
	if (json)
		print_array(views, n);
	else if (n == 1 && first < argc)
		print_one(&views[0]);
	else
		print_table(views, n);
	free(views);
	return 0;
}
