// SPDX-License-Identifier: GPL-2.0
/*
 * Registers a service and watches it, prints its id on a line, and stays until its
 * standard input ends. For the tests that are scripts.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sef.h>

int main(void)
{
	struct sef_register_args args = {
		.eventfd = -1,
		.name = "hold_service",
	};
	struct sef_watch_args watch = {
		.period_ns = SEF_TIME_MAX_NS,
		.timeout_ns = SEF_TIME_MAX_NS,
	};
	int fd = open("/dev/sef", O_RDWR | O_CLOEXEC);
	int sup = open("/dev/sef", O_RDWR | O_CLOEXEC);
	char c;

	if (fd < 0 || sup < 0) {
		perror("/dev/sef");
		return 1;
	}
	if (ioctl(fd, SEF_IOC_REGISTER, &args)) {
		perror("SEF_IOC_REGISTER");
		return 1;
	}
	watch.id = args.id;
	if (ioctl(sup, SEF_IOC_WATCH, &watch)) {
		perror("SEF_IOC_WATCH");
		return 1;
	}
	printf("%llu\n", (unsigned long long)args.id);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
