// SPDX-License-Identifier: GPL-2.0
/*
 * From a ping to its pong and back, between two processes on one CPU, each asleep
 * while the other runs.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define TRIPS	200

static struct {
	int ask[2], answer[2];	/* where one reads, where the other writes */
	int service, supervisor;
	__u64 id;
	bool epoll;
} with;

static int new_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		err(1, "epoll");
	return epoll;
}

/* Sleep until @fd is readable, where its owner has an event loop. */
static void wait_for(int epoll)
{
	struct epoll_event event;

	if (with.epoll && epoll_wait(epoll, &event, 1, -1) != 1)
		err(1, "epoll_wait");
}

static void move(int from, int to, int epoll)
{
	__u64 value;

	wait_for(epoll);
	if (read(from, &value, sizeof(value)) != sizeof(value) ||
	    write(to, &value, sizeof(value)) != sizeof(value))
		err(1, "cannot answer");
}

static void answer_plain(int n)
{
	int epoll = new_epoll(with.ask[0]);

	(void)n;
	say_up();
	for (;;)
		move(with.ask[0], with.answer[1], epoll);
}

static void ask_plain(int epoll)
{
	__u64 value = 1;

	if (write(with.ask[1], &value, sizeof(value)) != sizeof(value))
		err(1, "cannot ask");
	wait_for(epoll);
	if (read(with.answer[0], &value, sizeof(value)) != sizeof(value))
		err(1, "no answer");
}

static int make_eventfds(void)
{
	with.ask[0] = eventfd(0, EFD_CLOEXEC);
	with.ask[1] = with.ask[0];
	with.answer[0] = eventfd(0, EFD_CLOEXEC);
	with.answer[1] = with.answer[0];
	return with.answer[0];
}

static int make_datagrams(void)
{
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, with.ask) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, with.answer))
		err(1, "socketpair");
	return with.answer[0];
}

static int told[2];

static void answer_sef(int n)
{
	int efd = eventfd(0, EFD_CLOEXEC), epoll = new_epoll(efd);
	eventfd_t pings;
	__u64 id;

	(void)n;
	with.service = open_sef(0);
	id = register_service(with.service, efd);
	if (write(told[1], &id, sizeof(id)) != sizeof(id))
		err(1, "pipe");
	say_up();
	for (;;) {
		wait_for(epoll);
		eventfd_read(efd, &pings);
		pong(with.service);
	}
}

static int make_sef(void)
{
	if (pipe(told))
		err(1, "pipe");
	with.supervisor = open_sef(0);
	return with.supervisor;
}

static void ask_sef(int epoll)
{
	struct sef_ping_args args = { .id = with.id };
	struct sef_event event;

	if (!with.id) {
		if (read(told[0], &with.id, sizeof(with.id)) != sizeof(with.id))
			err(1, "pipe");
		args.id = with.id;
		watch(with.supervisor, with.id, HOUR, HOUR, 0);
	}
	if (ioctl(with.supervisor, SEF_IOC_PING, &args))
		err(1, "cannot ping");
	do {
		wait_for(epoll);
		if (read(with.supervisor, &event, sizeof(event)) != sizeof(event))
			err(1, "no event");
	} while (event.asked_seq != args.seq);
}

static const struct trip {
	const char *name;
	int (*make)(void);	/* and what the asking side waits for */
	void (*answer)(int n);
	void (*ask)(int epoll);
	bool epoll;
} trips[] = {
	{ "eventfd pair", make_eventfds, answer_plain, ask_plain },
	{ "eventfd pair, both in epoll", make_eventfds, answer_plain, ask_plain, true },
	{ "datagram pairs", make_datagrams, answer_plain, ask_plain },
	{ "sef: PING, eventfd, PONG, event", make_sef, answer_sef, ask_sef },
	{ "sef: PING, eventfd, PONG, event, both in epoll", make_sef, answer_sef,
	  ask_sef, true },
};

static int by_value(const void *a, const void *b)
{
	unsigned long long x = *(const unsigned long long *)a;
	unsigned long long y = *(const unsigned long long *)b;

	return (x > y) - (x < y);
}

/* The median of a few hundred. */
static double p50(void (*ask)(int epoll), int epoll)
{
	unsigned long long took[TRIPS], begin;
	int i;

	for (i = 0; i < TRIPS; i++) {
		begin = now_ns();
		ask(epoll);
		took[i] = now_ns() - begin;
	}
	qsort(took, TRIPS, sizeof(took[0]), by_value);
	return took[TRIPS / 2];
}

void bench_trips(void)
{
	double results[REPEATS];
	unsigned int i, r;
	int epoll;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(trips); i++) {
		memset(&with, 0, sizeof(with));
		with.epoll = trips[i].epoll;
		epoll = new_epoll(trips[i].make());
		pid = start(trips[i].answer, 0);
		p50(trips[i].ask, epoll);
		for (r = 0; r < REPEATS; r++)
			results[r] = p50(trips[i].ask, epoll);
		report("round trip", trips[i].name, 1, "insn", results, REPEATS);
		end(pid);
	}
}
