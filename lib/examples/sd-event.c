// SPDX-License-Identifier: LGPL-2.1-or-later
/* sd-event: a service in the event loop of systemd. Ends with SIGTERM. */
#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <sef.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

static int on_ping(sd_event_source *source, int fd, uint32_t revents, void *service)
{
	(void)source;
	(void)fd;
	(void)revents;
	return sef_service_answer(service) ? -errno : 0;
}

static void check(int ret, const char *what)
{
	if (ret < 0)
		error(1, -ret, "cannot %s", what);
}

int main(void)
{
	struct sef_service *service = sef_service_open("sd-event", SEF_REPLY_PONG, 0);
	sd_event_source *ping;
	sd_event *loop;
	sigset_t end;

	if (!service)
		error(1, errno, "cannot register with /dev/sef");
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	check(sd_event_new(&loop), "make an event loop");
	/* Without a handler SIGTERM ends the loop. */
	check(sd_event_add_signal(loop, NULL, SIGTERM, NULL, NULL), "wait for SIGTERM");
	check(sd_event_add_io(loop, &ping, sef_service_fd(service), EPOLLIN, on_ping, service),
	      "add the service");
	/* A ping that cannot be answered ends it too. */
	check(sd_event_source_set_exit_on_failure(ping, 1), "add the service");
	printf("service %" PRIu64 ", pid %d\n", sef_service_id(service), getpid());
	fflush(stdout);

	check(sd_event_loop(loop), "go on");
	sd_event_source_unref(ping);
	sd_event_unref(loop);
	sef_service_close(service);
	return 0;
}
