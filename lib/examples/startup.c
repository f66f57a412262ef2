// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * startup: a service as one writes it on MINIX 3: sef_startup(), then sef_receive()
 * for every message. It says it is alive only if its work got on. Ends with
 * SIGTERM.
 */
#include <err.h>
#include <inttypes.h>
#include <sef.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static uint64_t done, told;	/* turns of work: all, and at the last ping */

static int answer_if_work_got_on(const struct sef_request *request)
{
	if (done == told)
		return sef_cb_ping_reply_null(request);
	told = done;
	return sef_cb_ping_reply_pong(request);
}

static void work(int timer)
{
	uint64_t turns;

	if (read(timer, &turns, sizeof(turns)) != sizeof(turns))
		err(1, "cannot read the timer");
	done += turns;
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

	sef_setcb_ping_reply(answer_if_work_got_on);
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
