// SPDX-License-Identifier: GPL-2.0
/* hello_service: the smallest service: a pong for every ping. */
#include <err.h>
#include <fcntl.h>
#include <linux/sef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	struct sef_register_args reg = { .name = "hello" };
	struct sef_pong_args alive = { .seq = 0 };	/* 0: alive now */
	eventfd_t pings;
	int sef;

	sef = open("/dev/sef", O_RDWR | O_CLOEXEC);
	if (sef < 0)
		err(1, "cannot open /dev/sef (is the module loaded? root may open it)");
	reg.eventfd = eventfd(0, EFD_CLOEXEC);
	if (reg.eventfd < 0 || ioctl(sef, SEF_IOC_REGISTER, &reg))
		err(1, "cannot register");
	printf("service %llu, pid %d\n", (unsigned long long)reg.id, getpid());
	fflush(stdout);

	while (!eventfd_read(reg.eventfd, &pings))
		if (ioctl(sef, SEF_IOC_PONG, &alive))
			err(1, "cannot pong");
	err(1, "cannot read the eventfd");
}
