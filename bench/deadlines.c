// SPDX-License-Identifier: GPL-2.0
/*
 * From a deadline to the supervisor's return from epoll_wait(); and how long many
 * deadlines at one instant keep a CPU from everybody else.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench.h"

#define TRACING		"/sys/kernel/tracing/"
#define TIMEOUT		(400 * MSEC)
#define TRACED		(380 * MSEC)	/* the looks before the deadline are over */
#define SAMPLES		15
#define HOGS		4

static __u64 *silent;	/* the id of a service that sleeps; shared with its process */
static int sup;		/* sef's or a timerfd */
static int epoll;

/*
 * The kernel's own deadline: what the timer with this function was set to last. In user
 * space it is known only within the length of a system call. Others have such timers too.
 */
static unsigned long long traced_deadline(const char *function,
					  unsigned long long earliest,
					  unsigned long long latest)
{
	unsigned long long at, deadline = 0;
	FILE *f = fopen(TRACING "trace", "re");
	const char *field;
	char line[512];

	if (!f)
		err(1, "cannot read " TRACING "trace");
	while (fgets(line, sizeof(line), f)) {
		field = strstr(line, function) ? strstr(line, "softexpires=") : NULL;
		at = field ? strtoull(field + strlen("softexpires="), NULL, 10) : 0;
		if (at >= earliest && at <= latest)
			deadline = at;
	}
	fclose(f);
	if (!deadline)
		errx(1, "the trace has no deadline from %llu to %llu", earliest, latest);
	return deadline;
}

static void be_silent(int n)
{
	(void)n;
	*silent = register_service(open_sef(0), -1);
	say_up();
	while (true)
		pause();
}

static void arm_sef(void)
{
	/* It gave no sign of life yet: so it is pinged at once. */
	watch(sup, *silent, HOUR, TIMEOUT, 0);
}

static void disarm_sef(void)
{
	struct sef_unwatch_args args = { 0 };
	struct sef_event event;

	if (read(sup, &event, sizeof(event)) != sizeof(event) ||
	    event.state != SEF_STATE_UNRESPONSIVE)
		errx(1, "no verdict");
	args.id = event.id;
	if (ioctl(sup, SEF_IOC_UNWATCH, &args))
		err(1, "cannot unwatch");
}

static void arm_timerfd(void)
{
	struct itimerspec after = { .it_value = { .tv_nsec = TIMEOUT } };

	if (timerfd_settime(sup, 0, &after, NULL))
		err(1, "cannot set a timer");
}

static void disarm_timerfd(void)
{
	__u64 fired;

	if (read(sup, &fired, sizeof(fired)) != sizeof(fired))
		err(1, "no timer");
}

static void open_sup(void)
{
	sup = open_sef(0);
}

static void open_timerfd(void)
{
	sup = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static const struct kind {
	const char *name;
	void (*open)(void);
	void (*arm)(void);		/* a deadline TIMEOUT from now */
	void (*disarm)(void);
	const char *function;		/* of the kernel's timer */
} kinds[] = {
	{ "timerfd", open_timerfd, arm_timerfd, disarm_timerfd,
	  "function=timerfd_tmrproc" },
	{ "sef", open_sup, arm_sef, disarm_sef, "function=sef_queue_expire" },
};

/* The tracepoint is off again before the deadline: it is no part of what is measured. */
static unsigned long long arm(const struct kind *kind)
{
	unsigned long long earliest, latest;

	write_to(TRACING "trace", "");
	write_to(TRACING "events/timer/hrtimer_start/enable", "1");
	earliest = now_ns() + TIMEOUT;
	kind->arm();
	latest = now_ns() + TIMEOUT;
	sleep_ns(TRACED);
	write_to(TRACING "events/timer/hrtimer_start/enable", "0");
	return traced_deadline(kind->function, earliest, latest);
}

static void measure(const struct kind *kind, const char *how)
{
	struct epoll_event event = { .events = EPOLLIN };
	unsigned long long deadline;
	double results[SAMPLES];
	char name[80];
	int i;

	kind->open();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (sup < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, sup, &event))
		err(1, "epoll");
	for (i = 0; i < SAMPLES; i++) {
		deadline = arm(kind);
		if (epoll_wait(epoll, &event, 1, -1) != 1)
			err(1, "epoll_wait");
		results[i] = now_ns() - deadline;
		kind->disarm();
	}
	close(epoll);
	close(sup);
	snprintf(name, sizeof(name), "%s, %s", kind->name, how);
	report("deadline", name, 1, "insn", results, SAMPLES);
}

static void measure_kinds(const char *how)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		measure(&kinds[i], how);
}

/* For a supervisor that has it, the kernel takes the stack of who is silent, too. */
static void set_sys_admin(bool on)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		err(1, "capget");
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	data[0].effective |= (unsigned int)on << CAP_SYS_ADMIN;
	if (syscall(SYS_capset, &header, data))
		err(1, "capset");
}

void bench_deadlines(void)
{
	pid_t hogs[HOGS], service;
	int i;

	silent = mmap(NULL, sizeof(*silent), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (silent == MAP_FAILED)
		err(1, "mmap");
	service = start(be_silent, 0);
	measure_kinds("idle machine");
	set_sys_admin(false);
	measure(&kinds[1], "idle machine, no CAP_SYS_ADMIN");
	set_sys_admin(true);
	start_hogs(HOGS, hogs);
	measure_kinds("four busy loops");
	set_policy(SCHED_FIFO);
	measure_kinds("four busy loops, supervisor SCHED_FIFO");
	set_policy(SCHED_OTHER);
	for (i = 0; i < HOGS; i++)
		end(hogs[i]);
	end(service);
}

/* All at once */

static unsigned long long longest_gap(unsigned long long ns)
{
	unsigned long long begin = now_ns(), was = begin, is, longest = 0;

	do {
		is = now_ns();
		if (is - was > longest)
			longest = is - was;
		was = is;
	} while (is - begin < ns);
	return longest;
}

static void let_all_miss(int n, const char *name)
{
	static __u64 ids[MAX_N];
	double results[REPEATS];
	unsigned long long due;
	int i, r;

	for (i = 0; i < n; i++) {
		ids[i] = register_service(open_sef(0), -1);
		watch(sup, ids[i], HOUR, HOUR, 0);
	}
	for (r = 0; r < REPEATS; r++) {
		due = now_ns() + SEC;
		for (i = 0; i < n; i++)
			watch(sup, ids[i], HOUR - r - 1, due - now_ns(), 0);
		sleep_ns(due - 20 * MSEC - now_ns());
		results[r] = longest_gap(200 * MSEC);
		for (i = 0; i < n; i++) {
			struct sef_ping_args args = { .id = ids[i] };

			/* so that one is outstanding the next time */
			watch(sup, ids[i], HOUR, HOUR, 0);
			if (ioctl(sup, SEF_IOC_PING, &args))
				err(1, "cannot ping");
		}
	}
	report("at once", name, n, "insn", results, REPEATS);
}

void bench_at_once(void)
{
	double results[REPEATS];
	int r;

	for (r = 0; r < REPEATS; r++)
		results[r] = longest_gap(200 * MSEC);
	report("at once", "no deadline: the tick alone", 0, "insn", results, REPEATS);
	sup = open_sef(0);
	let_all_miss(MAX_N, "sef: deadlines at one instant");
}
