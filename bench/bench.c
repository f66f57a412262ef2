// SPDX-License-Identifier: GPL-2.0
/*
 * What liveness costs, beside the floors and beside supervision in user space. Run
 * by bench/run in a VM whose clock counts instructions: a nanosecond is one.
 * Documentation/performance.md has the method.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/sef.h>

#define MSEC		1000000ULL
#define SEC		(1000 * MSEC)
#define HOUR		(3600 * SEC)
#define PERIOD		(100 * MSEC)
#define TIMEOUT		(300 * MSEC)
#define REPEATS		9
#define CALLS		20000
#define MAX_N		10000
#define WINDOW		(2 * SEC)	/* in which stolen time is counted */

static double getppid_cost;

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median of @results, beside the floor, for eyes and for programs. */
static void report(const char *name, int n, double *results)
{
	double median;

	qsort(results, REPEATS, sizeof(results[0]), by_value);
	median = results[REPEATS / 2];
	if (!getppid_cost)
		getppid_cost = median;
	printf("%-44s %6d %10.1f %8.2f   %.1f..%.1f\n", name, n, median,
	       median / getppid_cost, results[0], results[REPEATS - 1]);
	printf("json {\"name\":\"%s\",\"n\":%d,\"insn\":%.1f,\"ratio\":%.3f,\"spread\":[%.1f,%.1f]}\n",
	       name, n, median, median / getppid_cost, results[0],
	       results[REPEATS - 1]);
	fflush(stdout);
}

/* Calls */

static struct {
	int service, supervisor, eventfd, pair[2];
	struct sef_page *page;
	__u32 last;
} with;

static int open_sef(void)
{
	int fd = open("/dev/sef", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		err(1, "cannot open /dev/sef");
	return fd;
}

static __u64 new_service(int fd, int eventfd)
{
	struct sef_register_args args = { .eventfd = eventfd, .name = "bench" };

	if (ioctl(fd, SEF_IOC_REGISTER, &args))
		err(1, "cannot register");
	return args.id;
}

static void watch(int fd, __u64 id, __u64 period, __u64 timeout, __u64 slack)
{
	struct sef_watch_args args = {
		.id = id, .period_ns = period, .timeout_ns = timeout,
		.slack_ns = slack,
	};

	if (ioctl(fd, SEF_IOC_WATCH, &args))
		err(1, "cannot watch");
}

static struct sef_page *map_page(int fd)
{
	void *page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		err(1, "cannot map the page");
	return page;
}

static void do_getppid(void)
{
	syscall(SYS_getppid);
}

static void do_nothing(void)
{
	ioctl(with.service, _IO(SEF_IOC_MAGIC, 0xff));
}

static void do_pong(void)
{
	struct sef_pong_args args = { .seq = 0 };

	ioctl(with.service, SEF_IOC_PONG, &args);
}

static void do_look(void)
{
	with.last = sef_page_pong(with.page, with.last);
}

static void do_store(void)
{
	sef_page_pong(with.page, with.last - 1);
}

static void do_eventfd(void)
{
	eventfd_write(with.eventfd, 1);
}

static void do_datagram(void)
{
	char c = 0;

	if (write(with.pair[0], &c, 1) != 1 || read(with.pair[1], &c, 1) != 1)
		err(1, "datagram");
}

static const struct {
	const char *name;
	void (*call)(void);
	bool watched;
} calls[] = {
	{ "getppid", do_getppid },
	{ "ioctl that does nothing (ENOTTY)", do_nothing },
	{ "eventfd write", do_eventfd },
	{ "datagram sent and received", do_datagram },
	{ "sef: page, no ping since", do_look },
	{ "sef: page, pong by store", do_store },
	{ "sef: PONG, not watched", do_pong },
	{ "sef: PONG, nobody to wake", do_pong, true },
};

static void bench_calls(void)
{
	double results[REPEATS];
	unsigned long long begin;
	unsigned int i, r, k;
	__u64 id;

	with.service = open_sef();
	with.supervisor = open_sef();
	id = new_service(with.service, -1);
	with.page = map_page(with.service);
	with.eventfd = eventfd(0, EFD_CLOEXEC);
	if (with.eventfd < 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, with.pair))
		err(1, "cannot make descriptors");
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].watched)
			watch(with.supervisor, id, HOUR, HOUR, 0);
		for (r = 0; r < REPEATS; r++) {
			begin = now();
			for (k = 0; k < CALLS; k++)
				calls[i].call();
			results[r] = (now() - begin) / (double)CALLS;
		}
		report(calls[i].name, 1, results);
	}
	close(with.service);
	close(with.supervisor);
	munmap(with.page, sysconf(_SC_PAGESIZE));
}

/* A service and period: all that it takes from a process with nothing to do */

static volatile unsigned long *spins;	/* shared with the spinner */
static double spins_a_ns;

static pid_t start_spinner(void)
{
	struct sched_param param = { 0 };
	pid_t pid;

	spins = mmap(NULL, sizeof(*spins), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (spins == MAP_FAILED)
		err(1, "mmap");
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sched_setscheduler(0, SCHED_IDLE, &param))
		err(1, "SCHED_IDLE");
	for (;;)
		(*spins)++;
}

static void sleep_ns(unsigned long long ns)
{
	struct timespec ts = { .tv_sec = ns / SEC, .tv_nsec = ns % SEC };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static double spin_rate(void)
{
	unsigned long long begin = now();
	unsigned long was = *spins;

	sleep_ns(WINDOW);
	return (*spins - was) / (double)(now() - begin);
}

static void measure_stolen(const char *name, int n)
{
	double results[REPEATS];
	int r;

	sleep_ns(SEC);
	for (r = 0; r < REPEATS; r++)
		results[r] = (1 - spin_rate() / spins_a_ns) * PERIOD / n;
	report(name, n, results);
}

static pid_t start(void (*run)(int n), int n)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run(n);
	errx(1, "came back");
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* One process that has all services, and looks at all pages twice a period. */
static void run_stores(int n)
{
	static struct sef_page *pages[MAX_N];
	static __u32 last[MAX_N];
	int i, fd, sup = open_sef();

	for (i = 0; i < n; i++) {
		fd = open_sef();
		watch(sup, new_service(fd, -1), PERIOD, TIMEOUT, MSEC);
		pages[i] = map_page(fd);
	}
	for (;;) {
		sleep_ns(PERIOD / 2);
		for (i = 0; i < n; i++)
			last[i] = sef_page_pong(pages[i], last[i]);
	}
}

static int ready[2];	/* a pipe: each service, once it is up */

static void tell_ready(__u64 id)
{
	if (write(ready[1], &id, sizeof(id)) != sizeof(id))
		err(1, "pipe");
}

static __u64 await_ready(void)
{
	__u64 id;

	if (read(ready[0], &id, sizeof(id)) != sizeof(id))
		err(1, "pipe");
	return id;
}

static void answer_calls(void)
{
	struct sef_pong_args args = { .seq = 0 };
	int efd = eventfd(0, EFD_CLOEXEC), fd = open_sef();
	eventfd_t pings;

	tell_ready(new_service(fd, efd));
	while (!eventfd_read(efd, &pings))
		ioctl(fd, SEF_IOC_PONG, &args);
}

/* A process for each service, which sleeps until its eventfd tells of a ping. */
static void run_calls(int n)
{
	int i, sup = open_sef();

	for (i = 0; i < n; i++)
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			answer_calls();
			_exit(1);
		}
	for (i = 0; i < n; i++)
		watch(sup, await_ready(), PERIOD, TIMEOUT, 0);
	for (;;)
		pause();
}

static void beat(int sock, int i)
{
	tell_ready(i);
	for (;;) {
		sleep_ns(PERIOD);
		if (write(sock, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

/* The least that a supervisor in user space does: take heartbeats, keep deadlines. */
static void run_user_space(int n)
{
	static unsigned long long deadline[MAX_N];
	struct itimerspec tick = {
		.it_interval = { .tv_nsec = PERIOD },
		.it_value = { .tv_nsec = PERIOD },
	};
	struct pollfd fds[2];
	int i, missed = 0, pair[2], size = 4 << 20;
	__u64 ticks;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		err(1, "socketpair");
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	for (i = 0; i < n; i++)
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			beat(pair[0], i);
		}
	for (i = 0; i < n; i++)
		await_ready();
	fds[0] = (struct pollfd) { .fd = pair[1], .events = POLLIN };
	fds[1] = (struct pollfd) {
		.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK),
		.events = POLLIN,
	};
	timerfd_settime(fds[1].fd, 0, &tick, NULL);
	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents && read(pair[1], &i, sizeof(i)) == sizeof(i))
			deadline[i] = now() + TIMEOUT;
		if (!fds[1].revents ||
		    read(fds[1].fd, &ticks, sizeof(ticks)) != sizeof(ticks))
			continue;
		for (i = 0; i < n; i++)
			missed += deadline[i] < now();
	}
}

static const struct {
	const char *name;
	void (*run)(int n);
} periods[] = {
	{ "a service and period: sef, by store", run_stores },
	{ "a service and period: sef, eventfd and PONG", run_calls },
	{ "a service and period: user space, datagrams", run_user_space },
};

static void bench_periods(void)
{
	static const int ns[] = { 10, 100, 1000, 10000 };
	unsigned int p, k;
	pid_t pid, spinner = start_spinner();

	spin_rate();
	spins_a_ns = spin_rate();
	for (p = 0; p < sizeof(periods) / sizeof(periods[0]); p++)
		for (k = 0; k < sizeof(ns) / sizeof(ns[0]); k++) {
			/* 100 processes after another: 10,000 take too long */
			if (periods[p].run != run_stores && ns[k] > 1000)
				continue;
			if (pipe2(ready, O_CLOEXEC))
				err(1, "pipe");
			pid = start(periods[p].run, ns[k]);
			measure_stolen(periods[p].name, ns[k]);
			end(pid);
			close(ready[0]);
			close(ready[1]);
			sleep_ns(SEC);
		}
	end(spinner);
}

/* All at once, and how long nobody else has the CPU */

static unsigned long long longest_gap(unsigned long long ns)
{
	unsigned long long begin = now(), was = begin, is, longest = 0;

	do {
		is = now();
		if (is - was > longest)
			longest = is - was;
		was = is;
	} while (is - begin < ns);
	return longest;
}

static void bench_at_once(int n)
{
	static __u64 ids[MAX_N];
	double results[REPEATS];
	unsigned long long due;
	int i, r, fd, sup = open_sef();

	for (i = 0; i < n; i++) {
		fd = open_sef();
		ids[i] = new_service(fd, -1);
		watch(sup, ids[i], HOUR, HOUR, 0);
	}
	for (r = 0; r < REPEATS; r++) {
		due = now() + SEC;
		for (i = 0; i < n; i++)
			watch(sup, ids[i], HOUR - r - 1, due - now(), 0);
		results[r] = longest_gap(2 * SEC);
		for (i = 0; i < n; i++) {
			struct sef_ping_args args = { .id = ids[i] };

			/* so that one is outstanding the next time */
			watch(sup, ids[i], HOUR, HOUR, 0);
			if (ioctl(sup, SEF_IOC_PING, &args))
				err(1, "cannot ping");
		}
	}
	report("deadlines at one instant: longest interrupt", n, results);
}

int main(void)
{
	struct rlimit files = { 30000, 30000 };

	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "cannot have 30000 descriptors");
	sleep_ns(3 * SEC);	/* for the boot to be over */
	printf("%-44s %6s %10s %8s   %s\n", "", "n", "insn", "/getppid",
	       "spread");
	bench_calls();
	bench_periods();
	bench_at_once(MAX_N);
	return 0;
}
