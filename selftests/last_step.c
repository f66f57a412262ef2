// SPDX-License-Identifier: GPL-2.0
/*
 * usage: last_step panic|restart
 * A service that never answers, and its own supervisor: the machine panics or
 * restarts. No other test can follow: see vm/last.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sef.h>

#define MSEC	1000000ULL

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	struct sef_register_args service = {
		.eventfd = -1,
		.name = "last_step",
	};
	struct sef_watch_args watch = {
		.period_ns = 20 * MSEC,
		/* Time for a console that a thread writes: see vm/last. */
		.timeout_ns = 1000 * MSEC,
		.last_ns = 20 * MSEC,
	};
	const char *begun = "sef: a service hangs from now on\n";
	int kmsg, svc = open("/dev/sef", O_RDWR | O_CLOEXEC);
	int sup = open("/dev/sef", O_RDWR | O_CLOEXEC);

	if (argc == 2 && !strcmp(argv[1], "panic")) {
		watch.last = SEF_LAST_PANIC;
	} else if (argc == 2 && !strcmp(argv[1], "restart")) {
		watch.last = SEF_LAST_RESTART;
	} else {
		fprintf(stderr, "usage: %s panic|restart\n", argv[0]);
		return 2;
	}
	if (svc < 0 || sup < 0)
		return fail("/dev/sef");
	if (ioctl(svc, SEF_IOC_REGISTER, &service))
		return fail("SEF_IOC_REGISTER");
	watch.id = service.id;
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (write(kmsg, begun, strlen(begun)) < 0)
		return fail("/dev/kmsg");
	if (ioctl(sup, SEF_IOC_WATCH, &watch))
		return fail("SEF_IOC_WATCH");
	sleep(10);
	fprintf(stderr, "the machine goes on\n");
	return 1;
}
