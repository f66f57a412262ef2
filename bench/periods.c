// SPDX-License-Identifier: GPL-2.0
/*
 * A service and period, all of it: in instructions, which are those that a process
 * with nothing to do does not get; and in interrupts.
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define WINDOWS	5
#define RESTLESS	120	/* windows at most until the machine is at rest */

static volatile unsigned long *spins;	/* shared with the spinner */
static double spins_a_ns;

/* Each turn is long: see run_hog(). */
static void run_spinner(int n)
{
	(void)n;
	set_policy(SCHED_IDLE);
	say_up();
	for (;;) {
		__asm__ volatile(".rept 256; nop; .endr");
		(*spins)++;
	}
}

static double spin_rate(unsigned long long window)
{
	unsigned long long begin = now_ns();
	unsigned long was = *spins;

	sleep_ns(window);
	return (*spins - was) / (double)(now_ns() - begin);
}

/* The rate of an idle machine: when a few windows in a row agree, boot is over. */
static double rest_rate(void)
{
	double rate = spin_rate(SEC), least = rate, most = rate;
	int i, agreed = 1;

	for (i = 0; i < RESTLESS && agreed < WINDOWS; i++) {
		rate = spin_rate(SEC);
		least = rate < least ? rate : least;
		most = rate > most ? rate : most;
		agreed++;
		if (most - least > most * 1e-5) {
			least = rate;
			most = rate;
			agreed = 1;
		}
	}
	if (agreed < WINDOWS)
		errx(1, "the machine does not come to rest in %d s", RESTLESS);
	return (least + most) / 2;
}

static void measure_stolen(const struct method *method, int n)
{
	unsigned long long period = method_period(method, n);
	/* whole ones, and a few thousand signs of life */
	unsigned long long window = period * (n < 1000 ? 10 : n < 10000 ? 3 : 1);
	double results[WINDOWS], rate;
	pid_t pid;
	int r;

	progress("a service and period: %s, N = %d", method->name, n);
	pid = method_start(method, n);
	sleep_ns(SEC / 2 + period);
	for (r = 0; r < WINDOWS; r++) {
		rate = spin_rate(window) / spins_a_ns;
		if (rate < 0.03)
			errx(1, "%s: %d do not fit into one CPU", method->name, n);
		results[r] = (1 - rate) * period / n;
	}
	report("period", method->name, n, "insn", results, WINDOWS);
	method_end(method, pid);
	sleep_ns(SEC);
}

void bench_periods(void)
{
	static const int ns[] = { 10, 100, 1000, 10000 };
	unsigned int m, k;
	pid_t spinner;

	spins = mmap(NULL, sizeof(*spins), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (spins == MAP_FAILED)
		err(1, "mmap");
	spinner = start(run_spinner, 0);
	spins_a_ns = rest_rate();
	for (m = 0; m < nr_methods; m++) {
		if (!method_works(&methods[m]))
			continue;
		for (k = 0; k < ARRAY_SIZE(ns); k++)
			if (ns[k] <= methods[m].max_n)
				measure_stolen(&methods[m], ns[k]);
	}
	end(spinner);
}

/* Interrupts: what a count of instructions understates. */

#define MAX_CPUS	8
#define FEW		100	/* services */
#define PERIODS		20

enum event {
	TIMER_INTERRUPTS,
	TIMERS_SET,
	CPU_INTERRUPTS,
	SWITCHES,
	NR_EVENTS,
};

static const char *const event_names[] = {
	[TIMER_INTERRUPTS]	= "timer interrupts",
	[TIMERS_SET]		= "timers programmed",
	[CPU_INTERRUPTS]	= "interrupts to another CPU",
	[SWITCHES]		= "context switches",
};

static int timers_set[MAX_CPUS];
static int nr_cpus;

/* "LOC:  1  2  Local timer interrupts": the sum */
static double line_sum(const char *line)
{
	double sum = 0;
	char *end;

	for (line = strchr(line, ':') + 1; ; line = end) {
		sum += strtoul(line, &end, 10);
		if (end == line)
			return sum;
	}
}

static void read_lines(const char *path, double *events)
{
	FILE *f = fopen(path, "re");
	char line[512], name[16];

	if (!f)
		err(1, "cannot read %s", path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%15s", name) != 1)
			continue;
		if (!strcmp(name, "LOC:"))
			events[TIMER_INTERRUPTS] += line_sum(line);
		else if (!strcmp(name, "RES:") || !strcmp(name, "CAL:"))
			events[CPU_INTERRUPTS] += line_sum(line);
		else if (!strcmp(name, "ctxt"))
			events[SWITCHES] += strtod(line + strlen("ctxt"), NULL);
	}
	fclose(f);
}

static void count_timers_set(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr),
	};
	FILE *f = fopen("/sys/kernel/tracing/events/timer/hrtimer_start/id", "re");
	unsigned long long id;
	int cpu;

	if (!f || fscanf(f, "%llu", &id) != 1)
		err(1, "no tracepoint timer:hrtimer_start");
	fclose(f);
	attr.config = id;
	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		timers_set[cpu] = syscall(SYS_perf_event_open, &attr, -1, cpu, -1,
					  PERF_FLAG_FD_CLOEXEC);
		if (timers_set[cpu] < 0)
			err(1, "cannot count a tracepoint");
	}
}

static void read_events(double *events)
{
	__u64 count;
	int cpu;

	memset(events, 0, NR_EVENTS * sizeof(events[0]));
	read_lines("/proc/interrupts", events);
	read_lines("/proc/stat", events);
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		if (read(timers_set[cpu], &count, sizeof(count)) != sizeof(count))
			err(1, "cannot read a counter");
		events[TIMERS_SET] += count;
	}
}

static double idle[NR_EVENTS];	/* a second, with no services */

static void measure_events(const char *name, int n, unsigned long long period)
{
	double results[NR_EVENTS][REPEATS], before[NR_EVENTS], after[NR_EVENTS], s;
	unsigned long long begin;
	char full[96];
	int r, e;

	for (r = 0; r < REPEATS; r++) {
		begin = now_ns();
		read_events(before);
		sleep_ns(PERIODS * period);
		read_events(after);
		s = (now_ns() - begin) / 1e9;
		for (e = 0; e < NR_EVENTS; e++)
			results[e][r] = n ? (after[e] - before[e] - idle[e] * s) /
				(n * s * SEC / period) :
				(after[e] - before[e]) / s;
	}
	for (e = 0; e < NR_EVENTS; e++) {
		snprintf(full, sizeof(full), "%s: %s", name, event_names[e]);
		report("events", full, n, "times", results[e], REPEATS);
		if (!n)
			idle[e] = results[e][REPEATS / 2];
	}
}

void bench_interrupts(void)
{
	unsigned int m;
	pid_t pid;

	count_timers_set();
	sleep_ns(SEC);
	measure_events("idle machine, a second", 0, 100 * MSEC);
	for (m = 0; m < nr_methods; m++) {
		if (!method_works(&methods[m]))
			continue;
		progress("interrupts: %s", methods[m].name);
		pid = method_start(&methods[m], FEW);
		sleep_ns(2 * SEC);
		measure_events(methods[m].name, FEW, method_period(&methods[m], FEW));
		method_end(&methods[m], pid);
		sleep_ns(SEC);
	}
}
