// SPDX-License-Identifier: GPL-2.0
/* --probe=, and what a server answers to a GET. The input: an argument, and an answer. */
#include <unistd.h>

#include "parsers.h"

/* Of the probe's process. */
#define _exit(status)	longjmp(given_up, (status) + 1)
#include "../../tools/probe.c"
#undef _exit

void say(const struct run *run, const char *format, ...)
{
	(void)run;
	(void)format;
}

void manager_tell(const char *message)
{
	(void)message;
}

void command_alive(struct run *run)
{
	(void)run;
}

uint64_t now_ns(void)
{
	return 0;
}

static void parse(struct probe *probe, const char *arg)
{
	if (setjmp(given_up))
		return;
	probe_parse(probe, arg);
	if (probe->kind == PROBE_TCP || probe->kind == PROBE_HTTP)
		HOLDS(*probe->host && *probe->port);
	if (probe->kind == PROBE_HTTP)
		HOLDS(*probe->path == '/');
}

static void answer(const uint8_t *bytes, size_t len)
{
	/* What it has given_up of is put together too. */
	static char host[] = "::1", port[] = "80";
	const struct run run = {
		.probe = { .kind = PROBE_HTTP, .host = host, .port = port, .path = "/" },
	};
	int ends[2];

	HOLDS(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	HOLDS(send(ends[1], bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
	shutdown(ends[1], SHUT_WR);
	if (!setjmp(given_up))
		get(&run, ends[0]);
	close(ends[0]);
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct probe probe = { 0 };
	char *arg = next_string(&bytes, &len);

	parse(&probe, arg);
	free(probe.host);
	free(probe.port);
	free(arg);
	answer(bytes, len);
	return 0;
}
