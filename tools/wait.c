// SPDX-License-Identifier: GPL-2.0
/* Waiting for events, until a time, or until somebody wants us to end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

#include "sefctl.h"

static int signals = -1;

void catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		fail_errno("cannot wait for signals");
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

enum woken wait_for(int fd, uint64_t until_ns)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};
	uint64_t now = now_ns(), left = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = {
		.tv_sec = left / NS_PER_SEC,
		.tv_nsec = left % NS_PER_SEC,
	};
	int n;

	do {
		n = ppoll(fds, 2, until_ns == UINT64_MAX ? NULL : &timeout, NULL);
	} while (n < 0 && errno == EINTR);	/* a SIGCONT after a SIGSTOP */
	if (n < 0)
		fail_errno("cannot wait");
	if (fds[0].revents)
		return WOKEN_BY_SIGNAL;
	return fds[1].revents ? WOKEN_BY_EVENT : WOKEN_BY_TIME;
}
