// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * startup: a service as one writes it on MINIX 3: sef_startup(), then sef_receive()
 * for every message. It answers a ping only when its work has got on since. Ends
 * with SIGTERM.
 */
#include <err.h>
#include <inttypes.h>
#include <sef.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct sef_request waiting;	/* the ping to answer; seq 0: none */

static int answer_after_work(const struct sef_request *request)
{
	waiting = *request;
	return 0;
}

static void work(int timer)
{
	uint64_t turns;

	if (read(timer, &turns, sizeof(turns)) != sizeof(turns))
		err(1, "cannot read the timer");
	if (waiting.seq && sef_cb_ping_reply_pong(&waiting))
		err(1, "cannot answer a ping");
	waiting.seq = 0;
}

int main(void)
{
	struct itimerspec every = { { 0, 10000000 }, { 0, 10000000 } };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	sigset_t end;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	fds[0].fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	fds[1].fd = signalfd(-1, &end, SFD_CLOEXEC);
	if (fds[0].fd < 0 || fds[1].fd < 0 || timerfd_settime(fds[0].fd, 0, &every, NULL))
		err(1, "cannot make a timer and a signalfd");

	sef_setcb_ping_reply(answer_after_work);
	if (sef_startup())
		err(1, "cannot register with /dev/sef");
	printf("service %" PRIu64 ", pid %d\n", sef_service_id(sef_self()), getpid());
	fflush(stdout);

	while (!fds[1].revents) {
		if (sef_receive(fds, 2, -1) < 0)
			err(1, "cannot receive");
		if (fds[0].revents)
			work(fds[0].fd);
	}
	return 0;
}
