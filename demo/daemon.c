// SPDX-License-Identifier: GPL-2.0
/*
 * An ordinary daemon: an epoll loop with work of its own (a timer, here), which
 * is also a service of sef: one more descriptor in the loop, one call to answer.
 *
 * Two ways to misbehave, for the demo:
 *   --null			register with the null reply policy
 *   --hang-after S --hang-for S
 *				after S seconds the work takes S seconds, once
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/sef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define WORK_NS 100000000L	/* the work comes up this often */

static const char *name;
static double hang_after, hang_for;	/* seconds; hang_for 0: never */

static int open_service(__u32 reply, int eventfd)
{
	struct sef_register_args reg = { .reply = reply, .eventfd = eventfd };
	int sef;

	sef = open("/dev/sef", O_RDWR | O_CLOEXEC);
	if (sef < 0)
		err(1, "%s: cannot open /dev/sef (is the module loaded? root may open it)",
		    name);
	snprintf(reg.name, sizeof(reg.name), "%s", name);
	if (ioctl(sef, SEF_IOC_REGISTER, &reg))
		err(1, "%s: cannot register", name);
	return sef;
}

static void answer(int sef, int eventfd)
{
	struct sef_pong_args alive = { .seq = 0 };
	eventfd_t pings;

	if (eventfd_read(eventfd, &pings))
		err(1, "%s: cannot read the eventfd", name);
	if (ioctl(sef, SEF_IOC_PONG, &alive))
		err(1, "%s: cannot pong", name);
}

static void work(int timer)
{
	struct timespec rest = {
		.tv_sec = hang_for,
		.tv_nsec = (hang_for - (time_t)hang_for) * 1e9,
	};
	static __u64 turns;
	__u64 n;

	if (read(timer, &n, sizeof(n)) < 0)
		err(1, "%s: cannot read the timer", name);
	turns += n;
	if (!hang_for || turns * WORK_NS < hang_after * 1e9)
		return;
	printf("%s: I hang: for %g s I do not come back to my loop\n", name,
	       hang_for);
	while (nanosleep(&rest, &rest))
		;
	hang_for = 0;
}

static int start_work(void)
{
	struct itimerspec every = {
		.it_interval.tv_nsec = WORK_NS,
		.it_value.tv_nsec = WORK_NS,
	};
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (timer < 0 || timerfd_settime(timer, 0, &every, NULL))
		err(1, "%s: cannot start the timer", name);
	return timer;
}

static void loop_add(int loop, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event))
		err(1, "%s: cannot add to the epoll loop", name);
}

static double parse_seconds(const char *arg)
{
	char *end;
	double s = strtod(arg, &end);

	if (end == arg || *end || !(s > 0 && s < 3600))
		errx(1, "'%s' is no number of seconds between 0 and 3600", arg);
	return s;
}

static __u32 parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "null", no_argument, NULL, 'n' },
		{ "hang-after", required_argument, NULL, 'a' },
		{ "hang-for", required_argument, NULL, 'f' },
		{ 0 }
	};
	__u32 reply = SEF_REPLY_PONG;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			reply = SEF_REPLY_NULL;
			break;
		case 'a':
			hang_after = parse_seconds(optarg);
			break;
		case 'f':
			hang_for = parse_seconds(optarg);
			break;
		default:
			exit(1);
		}
	}
	if (optind != argc - 1 || !hang_after != !hang_for)
		errx(1, "usage: daemon NAME [--null] [--hang-after S --hang-for S]");
	name = argv[optind];
	if (!*name || strlen(name) >= SEF_NAME_SIZE)
		errx(1, "a service's name has 1 to %d bytes", SEF_NAME_SIZE - 1);
	return reply;
}

int main(int argc, char **argv)
{
	__u32 reply = parse(argc, argv);
	struct epoll_event event;
	int loop, timer, pings, sef, n;

	setlinebuf(stdout);
	loop = epoll_create1(EPOLL_CLOEXEC);
	pings = eventfd(0, EFD_CLOEXEC);
	if (loop < 0 || pings < 0)
		err(1, "%s: cannot make an epoll loop and an eventfd", name);
	timer = start_work();
	sef = open_service(reply, pings);
	loop_add(loop, timer);
	loop_add(loop, pings);
	printf("%s: I am up and registered, pid %d\n", name, getpid());

	for (;;) {
		n = epoll_wait(loop, &event, 1, -1);
		if (n < 0 && errno != EINTR)	/* that is: stopped, and continued */
			err(1, "%s: cannot wait in the epoll loop", name);
		else if (n > 0 && event.data.fd == pings)
			answer(sef, pings);
		else if (n > 0)
			work(timer);
	}
}
