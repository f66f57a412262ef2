// SPDX-License-Identifier: GPL-2.0
/*
 * Finding a service by what people call it, among those that there are. The input: that,
 * and the services: an id, a pid and a state in a byte each, and a name.
 */
#include "parsers.h"

#include "../../tools/device.c"

static const uint8_t *rest;
static size_t rest_len;

int sef_supervisor_open(int flags)
{
	return flags;
}

int sef_watch(int fd, struct sef_watch_args *watch)
{
	(void)fd;
	(void)watch;
	return 0;
}

int sef_next_status(int fd, struct sef_status_args *status)
{
	char *name;

	(void)fd;
	if (rest_len < 3)
		return 0;
	status->id = rest[0];
	status->pid = rest[1];
	status->state = rest[2];
	rest += 3;
	rest_len -= 3;
	name = next_string(&rest, &rest_len);
	snprintf(status->name, sizeof(status->name), "%s", name);
	free(name);
	return 1;
}

static void look(const char *arg)
{
	struct sef_status_args status, *found;
	size_t n;

	if (setjmp(given_up))
		return;
	n = find_services(0, arg, &found);
	free(found);
	HOLDS(n);
	find_service(0, arg, &status);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *arg = next_string(&bytes, &len);

	rest = bytes;
	rest_len = len;
	look(arg);
	free(arg);
	return 0;
}
