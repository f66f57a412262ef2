// SPDX-License-Identifier: GPL-2.0
/*
 * How late is the SIGKILL on an overloaded machine?
 *
 * A service that never answers is killed TIMEOUT + KILL after its ping: by sef,
 * with the supervisor stopped, and in turn by an ordinary supervisor in user space
 * with a timerfd. Both moments are the kernel's own, on one clock: the tracepoints
 * sef_ping and signal_generate, with the trace clock mono.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "trial.h"

#define TRACING		"/sys/kernel/tracing/"
#define KILLS		500
#define TRIES		(3 * KILLS)
#define TIMEOUT		(150 * MSEC)
#define KILL		(100 * MSEC)
#define GIVE_UP_MS	30000

struct lateness {
	const char *who;
	__s64 ns[KILLS];
	int n;
};

/* What the trace tells of one kill; 0 for never. */
struct trace {
	__s64 ping, verdict, step, kill, stop;
	int kills;
};

static int told[2];	/* a pipe: a victim's id, a supervisor's deadline */

static void tell(__s64 value)
{
	if (write(told[1], &value, sizeof(value)) != sizeof(value))
		err(1, "cannot write to a pipe");
}

static __s64 hear(void)
{
	__s64 value;

	if (read(told[0], &value, sizeof(value)) != sizeof(value))
		err(1, "cannot read from a pipe");
	return value;
}

static void trace_begin(void)
{
	write_to(TRACING "trace_clock", "mono");
	write_to(TRACING "events/signal/signal_generate/filter",
		 "sig == 9 || sig == 19");
	write_to(TRACING "events/signal/signal_generate/enable", "1");
	write_to(TRACING "events/sef/sef_ping/enable", "1");
	write_to(TRACING "events/sef/sef_verdict/enable", "1");
	write_to(TRACING "events/sef/sef_step/enable", "1");
}

/* "... 12.345678: EVENT: FIELDS": the fields and the time, or NULL. */
static const char *trace_event(const char *line, const char *event, __s64 *ns)
{
	const char *at = strstr(line, event), *number;
	long long s, us;

	if (!at || at - line < 3 || at[-1] != ' ' || at[-2] != ':')
		return NULL;
	for (number = at - 2; number > line && number[-1] != ' '; number--)
		;
	if (sscanf(number, "%lld.%lld:", &s, &us) != 2)
		return NULL;
	*ns = s * SEC + us * 1000;
	return at;
}

static void trace_signal(struct trace *trace, const char *line, pid_t victim,
			 pid_t supervisor)
{
	const char *fields, *to;
	__s64 ns;
	pid_t pid;

	fields = trace_event(line, "signal_generate:", &ns);
	to = fields ? strstr(fields, " pid=") : NULL;
	if (!to)
		return;
	pid = atoi(to + strlen(" pid="));
	if (strstr(fields, "sig=9 ") && pid == victim) {
		trace->kill = ns;
		trace->kills++;
	} else if (strstr(fields, "sig=19 ") && pid == supervisor) {
		trace->stop = ns;
	}
}

static void trace_line(struct trace *trace, const char *line)
{
	const char *fields;
	__s64 ns;

	if (trace_event(line, "sef_ping:", &ns) && !trace->ping)
		trace->ping = ns;
	if (trace_event(line, "sef_step:", &ns))
		trace->step = ns;
	fields = trace_event(line, "sef_verdict:", &ns);
	if (fields && strstr(fields, " state=unresponsive"))
		trace->verdict = ns;
}

static struct trace trace_read(pid_t victim, pid_t supervisor)
{
	struct trace trace = { 0 };
	char line[512];
	FILE *f = fopen(TRACING "trace", "re");

	if (!f)
		err(1, "cannot read " TRACING "trace");
	while (fgets(line, sizeof(line), f)) {
		trace_line(&trace, line);
		trace_signal(&trace, line, victim, supervisor);
	}
	fclose(f);
	if (trace.kills != 1)
		errx(1, "the trace has %d SIGKILLs of the service, not one",
		     trace.kills);
	return trace;
}

static void await_kill(pid_t victim)
{
	struct pollfd pollfd = { .events = POLLIN };
	int status;

	pollfd.fd = syscall(SYS_pidfd_open, victim, 0);
	if (pollfd.fd < 0)
		err(1, "cannot make a pidfd");
	if (poll(&pollfd, 1, GIVE_UP_MS) != 1)
		errx(1, "the service was not killed in %d s", GIVE_UP_MS / 1000);
	close(pollfd.fd);
	if (waitpid(victim, &status, 0) != victim || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL)
		errx(1, "the service did not die of SIGKILL");
}

static void deaf_service(void)
{
	struct sef_register_args reg = { .name = "deaf", .eventfd = -1 };
	int sef = open_sef();

	if (ioctl(sef, SEF_IOC_REGISTER, &reg))
		err(1, "cannot register");
	tell(reg.id);
	for (;;)
		pause();
}

static void stopped_supervisor(int sef, __u64 id)
{
	struct sef_watch_args watch = {
		.id = id,
		.period_ns = SEC,
		.timeout_ns = TIMEOUT,
		.kill_ns = KILL,
		.excuse = SEF_EXCUSE_DEFAULT,
	};

	if (ioctl(sef, SEF_IOC_WATCH, &watch))
		err(1, "cannot watch the service");
	raise(SIGSTOP);
	_exit(1);	/* nobody lets it go on */
}

/*
 * False if the stop came after the verdict: then the supervisor had waited for a
 * CPU all the time, and the try proves less than it should.
 */
static bool kill_by_sef(struct lateness *late, struct lateness *verdicts,
			__s64 *credit_ns)
{
	struct sef_status_args status = { 0 };
	struct trace trace;
	pid_t victim, supervisor;
	int sef = open_sef();

	victim = new_child();
	if (!victim)
		deaf_service();
	status.id = hear();
	write_to(TRACING "trace", "");
	supervisor = new_child();
	if (!supervisor)
		stopped_supervisor(sef, status.id);
	await_kill(victim);
	trace = trace_read(victim, supervisor);
	kill_and_reap(supervisor);

	if (!trace.ping || !trace.verdict || !trace.step)
		errx(1, "the trace lacks the ping, the verdict or the step");
	/* The file is the supervisor's and ours: it still has the watch. */
	if (ioctl(sef, SEF_IOC_STATUS, &status))
		err(1, "cannot get the status of the service");
	close(sef);
	if (!trace.stop || trace.stop > trace.verdict)
		return false;
	*credit_ns += status.credit_ns;
	verdicts->ns[verdicts->n++] = trace.verdict - (trace.ping + TIMEOUT);
	late->ns[late->n++] = trace.kill - (trace.ping + TIMEOUT + KILL);
	return true;
}

static void timer_at(int timer, __s64 ns)
{
	struct itimerspec at = {
		.it_value = { .tv_sec = ns / SEC, .tv_nsec = ns % SEC },
	};

	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL))
		err(1, "cannot set a timer");
}

static void epoll_on(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		err(1, "cannot epoll");
}

/* The same policy with the usual means. It waits for a pong that never comes. */
static void user_supervisor(int pings, int pongs, pid_t victim)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	int epoll = epoll_create1(0), i;
	struct epoll_event event;
	__s64 deadline;
	__u64 fired;

	epoll_on(epoll, timer);
	epoll_on(epoll, pongs);
	deadline = now_ns() + TIMEOUT;
	eventfd_write(pings, 1);
	for (i = 0; i < 2; i++) {
		timer_at(timer, deadline);
		if (epoll_wait(epoll, &event, 1, -1) != 1 ||
		    event.data.fd != timer ||
		    read(timer, &fired, sizeof(fired)) != sizeof(fired))
			errx(1, "the supervisor woke for something else");
		if (i == 0)
			deadline += KILL;
	}
	kill(victim, SIGKILL);
	tell(deadline);
	_exit(0);
}

static void kill_by_user(struct lateness *late)
{
	int pings = eventfd(0, EFD_CLOEXEC), pongs = eventfd(0, EFD_CLOEXEC);
	struct trace trace;
	pid_t victim, supervisor;

	victim = new_child();
	if (!victim)
		for (;;)
			pause();
	write_to(TRACING "trace", "");
	supervisor = new_child();
	if (!supervisor)
		user_supervisor(pings, pongs, victim);
	await_kill(victim);
	trace = trace_read(victim, supervisor);
	late->ns[late->n++] = trace.kill - hear();
	waitpid(supervisor, NULL, 0);
	close(pings);
	close(pongs);
}

static int compare(const void *a, const void *b)
{
	__s64 x = *(const __s64 *)a, y = *(const __s64 *)b;

	return (x > y) - (x < y);
}

/* The nearest rank, of sorted values. */
static double percentile_ms(const struct lateness *late, int percent)
{
	return late->ns[(late->n * percent + 99) / 100 - 1] / 1e6;
}

static void report(struct lateness *late)
{
	qsort(late->ns, late->n, sizeof(late->ns[0]), compare);
	printf("%-24s %8d %10.3f %10.3f %10.3f\n", late->who, late->n,
	       percentile_ms(late, 50), percentile_ms(late, 99),
	       percentile_ms(late, 100));
}

static void report_json(const struct lateness *late)
{
	printf("json {\"lateness\":\"%s\",\"kills\":%d,\"p50_ms\":%.3f,"
	       "\"p99_ms\":%.3f,\"max_ms\":%.3f}\n", late->who, late->n,
	       percentile_ms(late, 50), percentile_ms(late, 99),
	       percentile_ms(late, 100));
}

int main(void)
{
	struct lateness sef = { .who = "sef, supervisor stopped" };
	struct lateness verdicts = { .who = "  its verdict alone" };
	struct lateness user = { .who = "user-space supervisor" };
	__s64 credit_ns = 0;
	int tries = 0;

	if (pipe2(told, O_CLOEXEC))
		err(1, "cannot make a pipe");
	trace_begin();
	start_hogs();
	printf("SIGKILL lateness: %d kills each, under %d busy loops on %ld CPUs\n",
	       KILLS, nr_hogs, sysconf(_SC_NPROCESSORS_ONLN));
	while (sef.n < KILLS) {
		if (++tries > TRIES)
			errx(1, "the supervisor was hardly ever stopped in time");
		if (!kill_by_sef(&sef, &verdicts, &credit_ns))
			continue;
		kill_by_user(&user);
		if (sef.n % 100 == 0)
			printf("  %d kills each\n", sef.n);
		fflush(stdout);
	}
	stop_hogs();

	printf("%-24s %8s %10s %10s %10s\n", "", "kills", "p50 ms",
	       "p99 ms", "max ms");
	report(&sef);
	report(&verdicts);
	report(&user);
	printf("%d more not counted: the supervisor was stopped too late\n",
	       tries - sef.n);
	printf("of sef's lateness %.3f ms are credit for stalls of the machine\n",
	       credit_ns / 1e6);
	report_json(&sef);
	report_json(&user);
	printf("SIGKILL lateness p99: %.3f ms (user-space supervisor: %.3f ms)\n",
	       percentile_ms(&sef, 99), percentile_ms(&user, 99));
	return 0;
}
