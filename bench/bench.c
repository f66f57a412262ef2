// SPDX-License-Identifier: GPL-2.0
/*
 * What liveness costs, beside the floors and beside the peers. Run by bench/run in a
 * VM whose clock counts instructions: a nanosecond is one. Each part runs in a
 * process of its own, which has nothing left of the others; and so does what it
 * measures. Figures go to stdout, as lines of JSON.
 * Documentation/performance.md has the method.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

void sleep_ns(unsigned long long ns)
{
	struct timespec ts = { .tv_sec = ns / SEC, .tv_nsec = ns % SEC };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "cannot write '%s' to %s", text, path);
	close(fd);
}

void progress(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stdout, format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The first figure of each unit is what the others are beside: its floor. */
static struct {
	const char *unit;
	int digits;
	bool has_floor;
	double floor;
} units[] = {
	{ "insn", 1, true },	/* getppid */
	{ "bytes", 0, true },	/* an open file */
	{ "times", 3, false },
};

/* A line for the median of @results, and how far they are apart. */
void report(const char *subject, const char *name, int n, const char *unit,
	    double *results, int count)
{
	double median;
	unsigned int u = 0;
	int digits;

	qsort(results, count, sizeof(results[0]), by_value);
	median = results[count / 2];
	while (strcmp(units[u].unit, unit))
		u++;
	digits = units[u].digits;
	printf("{\"subject\":\"%s\",\"name\":\"%s\",\"n\":%d,\"%s\":%.*f,", subject,
	       name, n, unit, digits, median);
	if (units[u].has_floor) {
		if (!units[u].floor)
			units[u].floor = median;
		printf("\"ratio\":%.3f,", median / units[u].floor);
	}
	printf("\"spread\":[%.*f,%.*f]}\n", digits, results[0], digits,
	       results[count - 1]);
	fflush(stdout);
}

/* /dev/sef */

int open_sef(int flags)
{
	int fd = open("/dev/sef", O_RDWR | O_CLOEXEC | flags);

	if (fd < 0)
		err(1, "cannot open /dev/sef");
	return fd;
}

__u64 register_service(int fd, int eventfd)
{
	struct sef_register_args args = { .eventfd = eventfd, .name = "bench" };

	if (ioctl(fd, SEF_IOC_REGISTER, &args))
		err(1, "cannot register");
	return args.id;
}

void watch(int fd, __u64 id, __u64 period, __u64 timeout, __u64 slack)
{
	struct sef_watch_args args = {
		.id = id, .period_ns = period, .timeout_ns = timeout,
		.slack_ns = slack,
	};

	if (ioctl(fd, SEF_IOC_WATCH, &args))
		err(1, "cannot watch");
}

struct sef_page *map_page(int fd)
{
	void *page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		err(1, "cannot map the page");
	return page;
}

void pong(int fd)
{
	struct sef_pong_args args = { .seq = 0 };

	ioctl(fd, SEF_IOC_PONG, &args);
}

/* Processes */

static int up[2] = { -1, -1 };

/* Run @run(@n) in a process, the first of a group, and wait until it says "up". */
pid_t start(void (*run)(int n), int n)
{
	pid_t pid;
	char c;

	if (pipe2(up, O_CLOEXEC))
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		setpgid(0, 0);
		close(up[0]);
		run(n);
		errx(1, "came back");
	}
	close(up[1]);
	if (read(up[0], &c, 1) != 1)
		errx(1, "a process ended before it was up");
	close(up[0]);
	return pid;
}

void say_up(void)
{
	if (write(up[1], "", 1) != 1)
		err(1, "cannot say that it is up");
	close(up[1]);
}

/* End it, and all that it has forked: their parent is we then. */
void end(pid_t pid)
{
	kill(-pid, SIGKILL);
	while (waitpid(-pid, NULL, 0) > 0)
		;
}

void set_policy(int policy)
{
	struct sched_param param = { .sched_priority = policy == SCHED_FIFO };

	if (sched_setscheduler(0, policy, &param))
		err(1, "cannot set the scheduling policy");
}

/* Each turn is long: an emulator that counts instructions does so at each jump. */
static void run_hog(int n)
{
	(void)n;
	say_up();
	for (;;)
		__asm__ volatile(".rept 256; nop; .endr");
}

void start_hogs(int n, pid_t *hogs)
{
	while (n--)
		hogs[n] = start(run_hog, 0);
}

static const struct part {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "calls", bench_calls },
	{ "heartbeats", bench_heartbeats },
	{ "trips", bench_trips },
	{ "deadlines", bench_deadlines },
	{ "at-once", bench_at_once },
	{ "memory", bench_memory },
	{ "periods", bench_periods },
	{ "interrupts", bench_interrupts },
};

static bool run_part(const char *name)
{
	unsigned long long begin = now_ns();
	unsigned int i = 0;
	int status;
	pid_t pid;

	while (i < ARRAY_SIZE(parts) && strcmp(parts[i].name, name))
		i++;
	if (i == ARRAY_SIZE(parts))
		errx(2, "no part is named %s", name);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);	/* see end() */
		parts[i].run();
		exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status) {
		warnx("%s: not all of it ran", name);
		return false;
	}
	progress("%s: done in %.0f s of the VM's time", name,
		 (now_ns() - begin) / 1e9);
	return true;
}

int main(int argc, char **argv)
{
	struct rlimit files = { 60000, 60000 };
	int i, failed = 0;

	if (argc < 2)
		errx(2, "usage: bench PART ...");
	if (!strcmp(argv[1], "systemd-service"))
		systemd_service();
	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "cannot have 60000 descriptors");
	write_to("/proc/sys/net/unix/max_dgram_qlen", "1000");
	sleep_ns(3 * SEC);	/* for the boot to be over */
	bench_getppid();
	for (i = 1; i < argc; i++)
		failed += !run_part(argv[i]);
	return failed != 0;
}
