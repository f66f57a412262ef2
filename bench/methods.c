// SPDX-License-Identifier: GPL-2.0
/*
 * Ways to supervise n services, each of which gives a sign of life once a period. A
 * service is a process, but where the name says otherwise.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "bench.h"

#define UNIT	"/run/systemd/system/bench@.service"

static unsigned long long period = 100 * MSEC;

static unsigned long long timeout(void)
{
	return 3 * period;
}

/* What the services tell their supervisor: that they are there, and who they are. */
static int ready[2];

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

static void fork_services(void (*service)(int i), int n)
{
	pid_t pid;
	int i;

	if (pipe(ready))
		err(1, "pipe");
	for (i = 0; i < n; i++) {
		pid = fork();
		if (pid < 0)
			err(1, "cannot fork (give the VM more memory: VM_MEM=)");
		if (!pid) {
			service(i);
			_exit(1);
		}
	}
}

static void rest(void)
{
	say_up();
	for (;;)
		pause();
}

/* Floors */

static void sleep_only(int i)
{
	tell_ready(i);
	for (;;)
		sleep_ns(period);
}

static void run_asleep(int n)
{
	int i;

	fork_services(sleep_only, n);
	for (i = 0; i < n; i++)
		await_ready();
	rest();
}

/* One process that has all services, and looks at all pages twice a period. */
static void look_at_pages(int n, bool watched)
{
	static struct sef_page *pages[MAX_N];
	static __u32 last[MAX_N];
	int i, fd, sup = open_sef(0);
	__u64 id;

	for (i = 0; i < n; i++) {
		fd = open_sef(0);
		id = register_service(fd, -1);
		if (watched)
			watch(sup, id, period, timeout(), MSEC);
		pages[i] = map_page(fd);
	}
	say_up();
	for (;;) {
		sleep_ns(period / 2);
		for (i = 0; i < n; i++)
			last[i] = sef_page_pong(pages[i], last[i]);
	}
}

static void run_looks(int n)
{
	look_at_pages(n, false);
}

static void run_stores(int n)
{
	look_at_pages(n, true);
}

/* It sleeps until its eventfd tells of a ping. */
static void answer_calls(int i)
{
	int efd = eventfd(0, EFD_CLOEXEC), fd = open_sef(0);
	eventfd_t pings;

	(void)i;
	tell_ready(register_service(fd, efd));
	while (!eventfd_read(efd, &pings))
		pong(fd);
}

static void run_calls(int n)
{
	int i, sup = open_sef(0);

	fork_services(answer_calls, n);
	for (i = 0; i < n; i++)
		watch(sup, await_ready(), period, timeout(), 0);
	rest();
}

/* It pongs unasked, so that no ping is ever due. */
static void beat_sef(int i)
{
	int fd = open_sef(0);

	(void)i;
	tell_ready(register_service(fd, -1));
	for (;;) {
		pong(fd);
		sleep_ns(period);
	}
}

static void run_heartbeats(int n)
{
	int i, sup = open_sef(0);

	fork_services(beat_sef, n);
	for (i = 0; i < n; i++)
		watch(sup, await_ready(), 2 * period, period, 0);
	rest();
}

static int pair[2];

static void beat_datagram(int i)
{
	tell_ready(i);
	for (;;) {
		sleep_ns(period);
		if (write(pair[0], &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

/* The least that a supervisor in user space does: take heartbeats, keep deadlines. */
static void run_user_space(int n)
{
	static unsigned long long deadline[MAX_N];
	struct itimerspec tick = {
		.it_interval = { .tv_sec = period / SEC, .tv_nsec = period % SEC },
		.it_value = { .tv_sec = period / SEC, .tv_nsec = period % SEC },
	};
	struct pollfd fds[2];
	volatile int missed = 0;	/* nobody asks, but it is to be counted */
	int i, size = 4 << 20;
	__u64 ticks;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		err(1, "socketpair");
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	fork_services(beat_datagram, n);
	for (i = 0; i < n; i++)
		await_ready();
	say_up();
	fds[0] = (struct pollfd) { .fd = pair[1], .events = POLLIN };
	fds[1] = (struct pollfd) {
		.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK),
		.events = POLLIN,
	};
	timerfd_settime(fds[1].fd, 0, &tick, NULL);
	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents && read(pair[1], &i, sizeof(i)) == sizeof(i))
			deadline[i] = now_ns() + timeout();
		if (!fds[1].revents ||
		    read(fds[1].fd, &ticks, sizeof(ticks)) != sizeof(ticks))
			continue;
		for (i = 0; i < n; i++)
			missed += deadline[i] < now_ns();
	}
}

/* What comes back from libsam_begin() is one more process. */
static void beat_libsam(int i)
{
	libsam_begin();
	tell_ready(i);
	for (;;) {
		sleep_ns(period);
		libsam_beat();
	}
}

static void run_libsam(int n)
{
	int i;

	fork_services(beat_libsam, n);
	for (i = 0; i < n; i++)
		await_ready();
	rest();
}

/* systemd: where it is PID 1, each service is a unit of its own. */

/* bash's braces name many units at once. */
static void systemctl(const char *what)
{
	char command[64];
	pid_t pid = fork();
	int status;

	if (!pid) {
		snprintf(command, sizeof(command), "systemctl %s", what);
		execl("/bin/bash", "bash", "-c", command, NULL);
		err(1, "cannot run bash");
	}
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "'systemctl %s' fails", what);
}

static void run_systemd(int n)
{
	FILE *f = fopen(UNIT, "we");
	char start_all[40];

	if (!f)
		err(1, "cannot write " UNIT);
	fprintf(f, "[Service]\nType=notify\nWatchdogSec=%llums\n"
		"ExecStart=/sef/bench/bench systemd-service\n", timeout() / MSEC);
	fclose(f);
	systemctl("daemon-reload");
	snprintf(start_all, sizeof(start_all), "start bench@{1..%d}", n);
	systemctl(start_all);
	rest();
}

static void stop_systemd(void)
{
	systemctl("stop 'bench@*'");
}

void systemd_service(void)
{
	if (sd_notify(0, "READY=1") <= 0)
		errx(1, "this is not run by systemd");
	for (;;) {
		sd_notify(0, "WATCHDOG=1");
		sleep_ns(period);
	}
}

const struct method methods[] = {
	{ "looks", run_looks, .max_n = 10000, .dense_n = 10000 },
	{ "sef, by store", run_stores, .max_n = 10000, .dense_n = 10000 },
	{ "asleep", run_asleep, .max_n = 10000, .dense_n = 1000 },
	{ "sef, eventfd and PONG", run_calls, .max_n = 10000, .dense_n = 1000 },
	{ "sef, heartbeat by PONG", run_heartbeats, .max_n = 10000, .dense_n = 1000 },
	{ "user space, datagrams", run_user_space, .max_n = 10000, .dense_n = 1000 },
	{ "libsam", run_libsam, .max_n = 1000, .dense_n = 1000 },
	{ "systemd", run_systemd, stop_systemd, .max_n = 1000, .dense_n = 100 },
};

const unsigned int nr_methods = ARRAY_SIZE(methods);

unsigned long long method_period(const struct method *method, int n)
{
	return (n > method->dense_n ? 1000 : 100) * MSEC;
}

bool method_works(const struct method *method)
{
	if (method->run == run_systemd && access("/run/systemd/system", F_OK)) {
		progress("PID 1 is not systemd: that is left out");
		return false;
	}
	return true;
}

pid_t method_start(const struct method *method, int n)
{
	period = method_period(method, n);
	return start(method->run, n);
}

void method_end(const struct method *method, pid_t pid)
{
	if (method->stop)
		method->stop();
	end(pid);
}
