// SPDX-License-Identifier: GPL-2.0
/*
 * sefctl metrics: services for Prometheus. What is printed is valid in both formats
 * there are, OpenMetrics 1.0 and Prometheus text 0.0.4. They name the family of a
 * counter differently; so the counters that are in no histogram have no type.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "view.h"

static const char *output;

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "replace FILE, all at once, and print nothing", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)state;
	if (key != 'o')
		return ARGP_ERR_UNKNOWN;
	output = arg;
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Print what is known of services as OpenMetrics, which Prometheus reads.",
};

static double seconds(uint64_t ns)
{
	return ns / 1e9;
}

static double watches(const struct view *view)
{
	return view->status.watches;
}

static double misses(const struct view *view)
{
	return view->status.misses;
}

static double excused(const struct view *view)
{
	return view->status.excused;
}

static double age(const struct view *view)
{
	return seconds(view->status.age_ns);
}

static double silent(const struct view *view)
{
	return seconds(view->status.silent_ns);
}

static double period(const struct view *view)
{
	return view->status.period_ns ? seconds(view->status.period_ns) : NAN;
}

static double timeout(const struct view *view)
{
	return view->status.timeout_ns ? seconds(view->status.timeout_ns) : NAN;
}

static double headroom(const struct view *view)
{
	uint64_t ns = view->latency.headroom_ns;

	return ns == UINT64_MAX ? NAN : seconds(ns);
}

static double pings(const struct view *view)
{
	return view->status.ping_seq;
}

static double missed(const struct view *view)
{
	return view->status.missed;
}

static double verdicts(const struct view *view)
{
	return view->status.verdicts;
}

static double steps(const struct view *view)
{
	return view->status.steps;
}

static double denied(const struct view *view)
{
	return view->status.denied;
}

static const struct {
	const char *name, *type, *help;
	double (*value)(const struct view *view);	/* NAN: there is none */
} numbers[] = {
	{ "sef_service_watches", "gauge", "Watches that the service has.", watches },
	{ "sef_service_misses", "gauge", "Pings missed in a row.", misses },
	{ "sef_service_excused_misses", "gauge",
	  "Pings missed since the last pong that were excused.", excused },
	{ "sef_service_age_seconds", "gauge", "Time since it registered.", age },
	{ "sef_service_silent_seconds", "gauge",
	  "Time since its last pong, or since it registered.", silent },
	{ "sef_service_period_seconds", "gauge",
	  "Silence after which it is pinged; if it is watched.", period },
	{ "sef_service_timeout_seconds", "gauge",
	  "Time it has for a pong; if it is watched.", timeout },
	{ "sef_service_headroom_seconds", "gauge",
	  "Least time left at a pong before its deadline; 0 if one was missed.", headroom },
	{ "sef_service_pings_total", NULL, "Pings sent.", pings },
	{ "sef_service_missed_total", NULL, "Pings missed and not excused, by all watches.",
	  missed },
	{ "sef_service_verdicts_total", NULL, "How often a watch found it unresponsive.",
	  verdicts },
	{ "sef_service_escalation_signals_total", NULL,
	  "Signals that watches sent it, SIGKILL included.", steps },
	{ "sef_service_escalation_denied_total", NULL,
	  "Signals that were due and that a watch might not send it.", denied },
};

static void print_family(const char *name, const char *type, const char *help)
{
	printf("# HELP %s %s\n", name, help);
	if (type)
		printf("# TYPE %s %s\n", name, type);
}

/* Which service a sample is of; @more are labels too, or "". */
static void print_labels(const struct view *view, const char *more)
{
	const char *c;
	size_t size;
	char *name;
	FILE *out = open_memstream(&name, &size);

	if (!out)
		fail_errno("cannot print the metrics");
	print_safely(out, view->status.name, "\\");
	fclose(out);
	printf("{service=\"");
	for (c = name; *c; c++)
		printf("%s%c", strchr("\\\"", *c) ? "\\" : "", *c);
	printf("\",id=\"%llu\"%s}", (unsigned long long)view->status.id, more);
	free(name);
}

static void print_numbers(const struct view *views, size_t n)
{
	double value;
	size_t f, i;

	for (f = 0; f < ARRAY_SIZE(numbers); f++) {
		print_family(numbers[f].name, numbers[f].type, numbers[f].help);
		for (i = 0; i < n; i++) {
			value = numbers[f].value(&views[i]);
			if (isnan(value))
				continue;
			printf("%s", numbers[f].name);
			print_labels(&views[i], "");
			printf(" %.15g\n", value);
		}
	}
}

static void print_info(const struct view *views, size_t n)
{
	const struct sef_status_args *st;
	char more[80];

	print_family("sef_service_info", "gauge", "Always 1; the labels tell.");
	for (; n; n--, views++) {
		st = &views->status;
		snprintf(more, sizeof(more), ",pid=\"%d\",uid=\"%u\",reply=\"%s\"", st->pid,
			 st->uid, sef_reply_name(st->reply));
		printf("sef_service_info");
		print_labels(views, more);
		printf(" 1\n");
	}
}

static void print_states(const struct view *views, size_t n)
{
	uint32_t state;
	char more[40];

	print_family("sef_service_state", "gauge", "1 for the state it is in, 0 for the others.");
	for (; n; n--, views++) {
		for (state = SEF_STATE_UNWATCHED; state <= SEF_STATE_GONE; state++) {
			snprintf(more, sizeof(more), ",state=\"%s\"", sef_state_name(state));
			printf("sef_service_state");
			print_labels(views, more);
			printf(" %d\n", views->status.state == state);
		}
	}
}

static void print_causes(const struct view *views, size_t n)
{
	char more[40];

	print_family("sef_service_why", "gauge",
		     "1 for the cause of the last ping missed since the last pong, if one was.");
	for (; n; n--, views++) {
		if (!views->status.misses && !views->status.excused)
			continue;
		snprintf(more, sizeof(more), ",why=\"%s\"", sef_why_name(views->status.why));
		printf("sef_service_why");
		print_labels(views, more);
		printf(" 1\n");
	}
}

/* The count is that of the buckets, of which one may be full. */
static void print_histogram(const struct view *view)
{
	const struct sef_latency_args *latency = &view->latency;
	uint64_t sum = 0;
	char more[40];
	int i;

	for (i = 0; i < SEF_LATENCY_BUCKETS; i++) {
		sum += latency->buckets[i];
		if (i < SEF_LATENCY_BUCKETS - 1)
			snprintf(more, sizeof(more), ",le=\"%.15g\"",
				 seconds(SEF_LATENCY_UNIT_NS << i));
		else
			snprintf(more, sizeof(more), ",le=\"+Inf\"");
		printf("sef_service_round_trip_seconds_bucket");
		print_labels(view, more);
		printf(" %llu\n", (unsigned long long)sum);
	}
	printf("sef_service_round_trip_seconds_sum");
	print_labels(view, "");
	printf(" %.15g\nsef_service_round_trip_seconds_count", seconds(latency->sum_ns));
	print_labels(view, "");
	printf(" %llu\n", (unsigned long long)sum);
}

static void print_metrics(const struct view *views, size_t n)
{
	size_t i;

	print_family("sef_services", "gauge", "Services there are.");
	printf("sef_services %zu\n", n);
	print_info(views, n);
	print_states(views, n);
	print_causes(views, n);
	print_numbers(views, n);
	print_family("sef_service_round_trip_seconds", "histogram", "From ping to pong.");
	for (i = 0; i < n; i++)
		print_histogram(&views[i]);
	printf("# EOF\n");
}

/*
 * Standard output becomes a new file beside FILE, whose name the collector does not
 * take for one of its own. Its name.
 */
static char *open_output(void)
{
	mode_t mask = umask(0);
	char *name;
	int fd;

	umask(mask);
	if (asprintf(&name, "%s.XXXXXX", output) < 0)
		fail_errno("cannot write %s", output);
	fd = mkstemp(name);
	if (fd < 0)
		fail_errno("cannot write %s", name);
	if (fchmod(fd, 0666 & ~mask) || dup2(fd, STDOUT_FILENO) < 0) {
		unlink(name);
		fail_errno("cannot write %s", name);
	}
	close(fd);
	return name;
}

static void close_output(char *name)
{
	int err;

	if (!fflush(stdout) && !ferror(stdout) && !rename(name, output)) {
		free(name);
		return;
	}
	err = errno;
	unlink(name);
	errno = err;
	fail_errno("cannot write %s", output);
}

int metrics_main(int argc, char **argv)
{
	struct sef_status_args *services;
	struct view *views;
	char *name = NULL;
	size_t n;
	int fd;

	/* A label is to be the same, whoever's locale it is. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "C");
	parse_options(&argp, argc, argv, 0, NULL);
	fd = open_sef(0);
	n = all_services(fd, &services);
	n = get_views(fd, services, n, &views);
	if (output)
		name = open_output();
	print_metrics(views, n);
	if (name)
		close_output(name);
	free(views);
	return 0;
}
