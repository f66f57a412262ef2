// SPDX-License-Identifier: LGPL-2.1-or-later
/* libevent: a service in a libevent loop. Ends with SIGTERM. */
#include <err.h>
#include <event2/event.h>
#include <inttypes.h>
#include <sef.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void on_ping(evutil_socket_t fd, short what, void *service)
{
	(void)fd;
	(void)what;
	if (sef_service_answer(service))
		err(1, "cannot answer a ping");
}

static void on_end(evutil_socket_t sig, short what, void *base)
{
	(void)sig;
	(void)what;
	event_base_loopbreak(base);
}

int main(void)
{
	struct sef_service *service = sef_service_open("libevent", SEF_REPLY_PONG, 0);
	struct event_base *base = event_base_new();
	struct event *ping, *end;

	if (!service)
		err(1, "cannot register with /dev/sef");
	if (!base)
		errx(1, "cannot make an event base");
	ping = event_new(base, sef_service_fd(service), EV_READ | EV_PERSIST,
			 on_ping, service);
	end = evsignal_new(base, SIGTERM, on_end, base);
	if (!ping || !end || event_add(ping, NULL) || event_add(end, NULL))
		errx(1, "cannot add the events");
	printf("service %" PRIu64 ", pid %d\n", sef_service_id(service), getpid());
	fflush(stdout);

	if (event_base_dispatch(base) < 0)
		errx(1, "the event loop failed");
	event_free(ping);
	event_free(end);
	event_base_free(base);
	sef_service_close(service);
	return 0;
}
