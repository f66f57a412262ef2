// SPDX-License-Identifier: GPL-2.0
/*
 * What one sign of life costs: the service's own part, with nobody waiting for it; and
 * all of it, with a reader that it wakes.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "bench.h"

#define CALLS	4000
#define BATCH	200		/* what fits into any queue */
#define BEATS	500

static struct {
	int service, supervisor, eventfd, pair[2], notify;
	__u64 id;
	struct sef_page *page;
	__u32 last;
} with;

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
	pong(with.service);
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
	if (write(with.pair[0], "", 1) != 1)
		err(1, "datagram");
}

static void do_notify(void)
{
	if (sd_notify(0, "WATCHDOG=1") <= 0)
		errx(1, "sd_notify");
}

static void make_sef(void)
{
	with.service = open_sef(0);
	with.supervisor = open_sef(0);
	with.id = register_service(with.service, -1);
}

static void make_page(void)
{
	with.page = map_page(with.service);
}

static void make_watch(void)
{
	watch(with.supervisor, with.id, HOUR, HOUR, 0);
}

static void make_eventfd(void)
{
	with.eventfd = eventfd(0, EFD_CLOEXEC);
	if (with.eventfd < 0)
		err(1, "eventfd");
}

static void make_pair(void)
{
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, with.pair))
		err(1, "socketpair");
}

/* A socket as that of systemd, with nothing behind it but us. */
static void make_notify(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *name = "@sef-bench";

	with.notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (with.notify < 0)
		err(1, "socket");
	memcpy(addr.sun_path + 1, name + 1, strlen(name) - 1);
	if (bind(with.notify, (void *)&addr,
		 offsetof(struct sockaddr_un, sun_path) + strlen(name)))
		err(1, "bind");
	setenv("NOTIFY_SOCKET", name, 1);
}

static void drain(int socket)
{
	char buf[64];

	while (recv(socket, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void drain_pair(void)
{
	drain(with.pair[1]);
}

static void drain_notify(void)
{
	drain(with.notify);
}

static void make_libsam(void)
{
	libsam_begin();
	libsam_hold();
}

struct call {
	const char *name;
	void (*call)(void);
	void (*make)(void);	/* before the first */
	void (*drain)(void);	/* what BATCH calls have queued; not counted */
};

static void measure(const struct call *call)
{
	unsigned long long begin, sum;
	double results[REPEATS];
	int r, i, k;

	if (call->make)
		call->make();
	for (r = 0; r < REPEATS; r++) {
		sum = 0;
		for (i = 0; i < CALLS / BATCH; i++) {
			begin = now_ns();
			for (k = 0; k < BATCH; k++)
				call->call();
			sum += now_ns() - begin;
			if (call->drain)
				call->drain();
		}
		results[r] = sum / (double)CALLS;
	}
	report("call", call->name, 1, "insn", results, REPEATS);
}

/* First of all: the floor of everything counted in instructions. */
void bench_getppid(void)
{
	static const struct call call = { "getppid", do_getppid };

	measure(&call);
}

static const struct call calls[] = {
	{ "ioctl that does nothing (ENOTTY)", do_nothing, make_sef },
	{ "eventfd: write", do_eventfd, make_eventfd },
	{ "datagram: write", do_datagram, make_pair, drain_pair },
	{ "sef: look at the page, no ping since", do_look, make_page },
	{ "sef: pong by store", do_store },
	{ "sef: PONG, not watched", do_pong },
	{ "sef: PONG, watched", do_pong, make_watch },
	{ "libsystemd: sd_notify(WATCHDOG=1)", do_notify, make_notify, drain_notify },
	/* The last: from here on we are a child of our own. */
	{ "libsam: sam_hc_send()", libsam_beat, make_libsam, libsam_drain },
};

void bench_calls(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		measure(&calls[i]);
	kill(getppid(), SIGCONT);
}

/* Heartbeats, each of which wakes its reader */

static void read_eventfd(int n)
{
	eventfd_t value;

	(void)n;
	say_up();
	while (!eventfd_read(with.eventfd, &value))
		;
}

static void read_socket(int fd)
{
	char buf[64];

	say_up();
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
}

static void read_pair(int n)
{
	(void)n;
	read_socket(with.pair[1]);
}

static void read_notify(int n)
{
	(void)n;
	read_socket(with.notify);
}

static void make_watched(void)
{
	make_sef();
	make_watch();
}

static const struct heartbeat {
	const char *name;
	void (*make)(void);
	void (*beat)(void);
	void (*read)(int n);	/* whom it wakes, or NULL */
} heartbeats[] = {
	{ "sef: PONG, watched (wakes nobody)", make_watched, do_pong },
	{ "eventfd, reader woken", make_eventfd, do_eventfd, read_eventfd },
	{ "datagram, reader woken", make_pair, do_datagram, read_pair },
	{ "libsystemd: sd_notify(WATCHDOG=1), bare reader woken", make_notify,
	  do_notify, read_notify },
	{ "libsam: sam_hc_send(), its supervisor woken", libsam_begin, libsam_beat },
};

/*
 * Whoever beats has the policy SCHED_IDLE: so the reader runs at once, and is asleep
 * again at the next beat.
 */
void bench_heartbeats(void)
{
	double results[REPEATS];
	unsigned long long begin;
	unsigned int i, r, k;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(heartbeats); i++) {
		const struct heartbeat *h = &heartbeats[i];

		h->make();
		pid = h->read ? start(h->read, 0) : 0;
		sleep_ns(MSEC);	/* until it waits */
		set_policy(SCHED_IDLE);
		for (r = 0; r < REPEATS; r++) {
			begin = now_ns();
			for (k = 0; k < BEATS; k++)
				h->beat();
			results[r] = (now_ns() - begin) / (double)BEATS;
		}
		set_policy(SCHED_OTHER);
		report("heartbeat", h->name, 1, "insn", results, REPEATS);
		if (pid)
			end(pid);
	}
}
