// SPDX-License-Identifier: LGPL-2.1-or-later
/* poll: a service with a poll loop of its own. Ends with SIGTERM. */
#include <err.h>
#include <inttypes.h>
#include <poll.h>
#include <sef.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

int main(void)
{
	struct sef_service *service = sef_service_open("poll", SEF_REPLY_PONG, 0);
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	sigset_t end;

	if (!service)
		err(1, "cannot register with /dev/sef");
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	fds[0].fd = sef_service_fd(service);
	fds[1].fd = signalfd(-1, &end, SFD_CLOEXEC);
	if (fds[1].fd < 0)
		err(1, "cannot make a signalfd");
	printf("service %" PRIu64 ", pid %d\n", sef_service_id(service), getpid());
	fflush(stdout);

	while (!fds[1].revents) {
		if (poll(fds, 2, -1) < 0)
			err(1, "cannot poll");
		if (fds[0].revents && sef_service_answer(service))
			err(1, "cannot answer a ping");
	}
	sef_service_close(service);
	return 0;
}
