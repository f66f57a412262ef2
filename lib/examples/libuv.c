// SPDX-License-Identifier: LGPL-2.1-or-later
/* libuv: a service in a libuv loop. Ends with SIGTERM. */
#include <err.h>
#include <inttypes.h>
#include <sef.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

static void check(int ret, const char *what)
{
	if (ret)
		errx(1, "cannot %s: %s", what, uv_strerror(ret));
}

static void on_ping(uv_poll_t *ping, int status, int events)
{
	(void)events;
	check(status, "poll");
	if (sef_service_answer(ping->data))
		err(1, "cannot answer a ping");
}

static void on_end(uv_signal_t *end, int signum)
{
	(void)signum;
	uv_stop(end->loop);
}

int main(void)
{
	struct sef_service *service = sef_service_open("libuv", SEF_REPLY_PONG, 0);
	uv_loop_t *loop = uv_default_loop();
	uv_poll_t ping = { .data = service };
	uv_signal_t end;

	if (!service)
		err(1, "cannot register with /dev/sef");
	check(uv_poll_init(loop, &ping, sef_service_fd(service)), "poll the service");
	check(uv_poll_start(&ping, UV_READABLE, on_ping), "poll the service");
	check(uv_signal_init(loop, &end), "wait for SIGTERM");
	check(uv_signal_start(&end, on_end, SIGTERM), "wait for SIGTERM");
	printf("service %" PRIu64 ", pid %d\n", sef_service_id(service), getpid());
	fflush(stdout);

	uv_run(loop, UV_RUN_DEFAULT);
	uv_poll_stop(&ping);
	sef_service_close(service);
	return 0;
}
