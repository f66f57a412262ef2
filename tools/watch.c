// SPDX-License-Identifier: GPL-2.0
/* sefctl watch: verdicts, and what the kernel did about them, as they fall. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"

/* A watch's cookie is its address. */
struct watched {
	uint64_t id;
	char name[SEF_NAME_SIZE];
};

static struct {
	struct sef_watch_args watch;
	bool all, json, verbose;
} opt;

static size_t nr_watched;

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0, "all services that you may see, and those that come", 0 },
	{ "json", 'j', NULL, 0, "print JSON: an object a line", 0 },
	{ "verbose", 'v', NULL, 0, "of a miss tell all that the kernel saw", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &opt.watch;
		break;
	case 'a':
		opt.all = true;
		break;
	case 'j':
		opt.json = true;
		break;
	case 'v':
		opt.verbose = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_child children[] = {
	{ &watch_argp, 0, "How to watch:", 1 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.args_doc = "[NAME|PID|id:ID ...]",
	.doc = "Print a line for each verdict on services, and for each step taken.",
};

/* When it was, by the clock on the wall. */
static void print_time(uint64_t age_ns)
{
	struct timespec now;
	char text[32];
	time_t then;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = now.tv_sec * NS_PER_SEC + now.tv_nsec - age_ns;
	then = ns / NS_PER_SEC;
	strftime(text, sizeof(text), "%F %T", localtime(&then));
	printf("%s.%03u ", text, (unsigned int)(ns % NS_PER_SEC / NS_PER_MS));
}

static struct json_object *json_time(uint64_t age_ns)
{
	char text[32], point[48];
	struct timespec now;
	time_t then;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = now.tv_sec * NS_PER_SEC + now.tv_nsec - age_ns;
	then = ns / NS_PER_SEC;
	strftime(text, sizeof(text), "%FT%T", gmtime(&then));
	snprintf(point, sizeof(point), "%s.%06uZ", text, (unsigned int)(ns % NS_PER_SEC / 1000));
	return json_object_new_string(point);
}

static const struct {
	uint32_t flag;
	const char *name, *text;
} flags[] = {
	{ SEF_EVENT_PONG, "pong", NULL },
	{ SEF_EVENT_SIGNAL, "signal", "the signal was sent" },
	{ SEF_EVENT_KILL, "kill", "SIGKILL was sent" },
	{ SEF_EVENT_DENIED, "denied", "a step was denied: it has other credentials now" },
	{ SEF_EVENT_NEWCOMER, "newcomer", NULL },
};

#define EVENT(kind, field) { #field, offsetof(struct sef_event, field), kind }

static const struct json_field event_fields[] = {
	EVENT(JSON_U64, id),
	EVENT(JSON_S32, pid),
	EVENT(JSON_STATE, state),
	EVENT(JSON_WHY, why),
	EVENT(JSON_U64, silent_ns),
	EVENT(JSON_U32, misses),
	EVENT(JSON_U32, changes),
	EVENT(JSON_U64, seq),
	EVENT(JSON_S32, wait_status),
	EVENT(JSON_S32, tid),
	EVENT(JSON_S32, syscall),
	{ 0 }
};

static void print_event_json(const struct sef_event *event, const char *name,
			     const struct sef_why_args *why)
{
	struct json_object *object = json_object_new_object();
	struct json_object *passed = json_object_new_array();
	struct json_object *set = json_object_new_array();
	uint32_t i;

	json_object_object_add(object, "time", json_time(event->age_ns));
	json_object_object_add(object, "name", json_name(name));
	json_add_fields(object, event_fields, event);
	for (i = 0; i < 32; i++)
		if (event->passed & (1U << i))
			json_object_array_add(passed, json_object_new_string(sef_state_name(i)));
	json_object_object_add(object, "passed", passed);
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (event->flags & flags[i].flag)
			json_object_array_add(set, json_object_new_string(flags[i].name));
	json_object_object_add(object, "flags", set);
	if (why)
		json_object_object_add(object, "evidence", json_evidence(why));
	print_json(object);
}

/* "web (id:3, pid 160): unresponsive, silent for 2.1s, missed 2: stopped". */
static void print_event(const struct sef_event *event, const char *name,
			const struct sef_why_args *why)
{
	uint32_t before = event->passed & ~(1U << event->state) & ~(1U << SEF_STATE_WAITING);
	char shown[SHOWN_SIZE], time[DURATION_SIZE], text[CAUSE_SIZE];
	const char *separator = "; meanwhile ";
	uint32_t i;

	print_time(event->age_ns);
	printf("%s (id:%llu, pid %d): %s", escape(shown, name), (unsigned long long)event->id,
	       event->pid, sef_state_name(event->state));
	if (event->state == SEF_STATE_DEAD)
		printf(", %s", ending(text, event->wait_status));
	printf(", silent for %s", duration(time, event->silent_ns));
	if (event->misses)
		printf(", missed %u", event->misses);
	if (event->why)
		printf(": %s", cause(text, event));
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (event->flags & flags[i].flag && flags[i].text)
			printf("; %s", flags[i].text);
	for (i = 0; i < 32; i++) {
		if (before & (1U << i)) {
			printf("%s%s", separator, sef_state_name(i));
			separator = ", ";
		}
	}
	putchar('\n');
	if (why)
		print_evidence(why);
	flush_or_fail();
}

static void print_newcomer(const struct sef_status_args *status)
{
	struct sef_event event = {
		.id = status->id,
		.pid = status->pid,
		.age_ns = status->age_ns,
		.silent_ns = status->silent_ns,
		.flags = SEF_EVENT_NEWCOMER,
		.state = status->state,
		.syscall = -1,
		.changes = 1,
	};
	char shown[SHOWN_SIZE];

	if (opt.json) {
		print_event_json(&event, status->name, NULL);
		return;
	}
	print_time(status->age_ns);
	printf("%s (id:%llu, pid %d): registered\n", escape(shown, status->name),
	       (unsigned long long)status->id, status->pid);
	flush_or_fail();
}

static void begin_watch(int fd, const struct sef_status_args *status)
{
	struct sef_watch_args watch = opt.watch;
	struct watched *watched = calloc(1, sizeof(*watched));
	char shown[SHOWN_SIZE];

	if (!watched)
		fail_errno("cannot watch one more service");
	watched->id = status->id;
	memcpy(watched->name, status->name, sizeof(watched->name));
	watch.cookie = (uintptr_t)watched;
	if (watch_service(fd, &watch, status))
		nr_watched++;
	else if (opt.all)
		free(watched);
	else
		fail("'%s' has just ended", escape(shown, status->name));
}

static void end_watch(int fd, struct watched *watched)
{
	sef_unwatch(fd, watched->id);
	free(watched);
	nr_watched--;
}

/* By this file, whose settings it then has; a period is never 0. */
static bool is_watched(const struct sef_status_args *status)
{
	return status->period_ns;
}

/* All that this file does not watch yet, from @id on. */
static void watch_all(int fd, uint64_t id, bool newcomers)
{
	struct sef_status_args status = { .id = id - 1 };
	int more;

	while ((more = sef_next_status(fd, &status)) > 0) {
		if (is_watched(&status))
			continue;
		if (newcomers)
			print_newcomer(&status);
		begin_watch(fd, &status);
	}
	if (more < 0)
		fail_sef("cannot list the services");
}

static void take_event(int fd, const struct sef_event *event)
{
	struct watched *watched = (struct watched *)(uintptr_t)event->cookie;
	const struct sef_why_args *evidence = NULL;
	struct sef_why_args why;

	if (event->flags & SEF_EVENT_NEWCOMER) {
		watch_all(fd, event->id, true);
		return;
	}
	if (opt.verbose && event->why && !sef_get_why(fd, event->id, &why))
		evidence = &why;
	if (opt.json)
		print_event_json(event, watched->name, evidence);
	else
		print_event(event, watched->name, evidence);
	if (event->state == SEF_STATE_DEAD || event->state == SEF_STATE_GONE)
		end_watch(fd, watched);
}

/* Each service once, however it is named. */
static void watch_named(int fd, int argc, char **argv)
{
	struct sef_status_args status;

	for (; argc; argc--, argv++) {
		find_service(fd, *argv, &status);
		if (sef_get_status(fd, status.id, &status))
			fail_sef("cannot watch '%s'", *argv);
		if (!is_watched(&status))
			begin_watch(fd, &status);
	}
}

int watch_main(int argc, char **argv)
{
	struct sef_event events[64];
	int first, fd, i, n;

	sef_watch_init(&opt.watch, NS_PER_SEC, NS_PER_SEC);
	first = parse_options(&argp, argc, argv, 0, NULL);
	if (opt.all ? first < argc : first == argc)
		fail("say which services: either --all, or NAME|PID|id:ID ...");
	fd = open_sef(O_NONBLOCK);
	catch_signals();
	if (opt.all) {
		if (sef_newcomers(fd, 1))
			fail_sef("cannot be told of newcomers");
		watch_all(fd, 1, false);
	}
	watch_named(fd, argc - first, argv + first);
	while ((opt.all || nr_watched) && wait_for(fd, UINT64_MAX) == WOKEN_BY_EVENT) {
		n = sef_read_events(fd, events, ARRAY_SIZE(events));
		if (n < 0)
			fail_sef("cannot read events");
		for (i = 0; i < n; i++)
			take_event(fd, &events[i]);
	}
	return 0;
}
