// SPDX-License-Identifier: GPL-2.0
/* hello_supervisor NAME|ID: each verdict on a service, until it is dead or gone. */
#include <err.h>
#include <fcntl.h>
#include <linux/sef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const states[] = {
	"unwatched", "waiting", "alive", "late", "unresponsive", "dead", "gone",
};

/* Services are found by walking their ids. Names need not be unique. */
static __u64 find_service(int sef, const char *name)
{
	struct sef_status_args service = { .flags = SEF_STATUS_NEXT };
	char *end;
	__u64 id = strtoull(name, &end, 10);

	if (end != name && !*end)
		return id;
	while (!ioctl(sef, SEF_IOC_STATUS, &service))
		if (!strcmp(service.name, name))
			return service.id;
	err(1, "cannot find a service '%s' that you may signal", name);
}

int main(int argc, char **argv)
{
	struct sef_watch_args watch = {
		.period_ns = 1000000000,	/* ping after 1 s of silence */
		.timeout_ns = 1000000000,	/* a pong within 1 s, or it is a miss */
		.tolerate = 1,			/* one miss: late; two: unresponsive */
	};
	struct sef_event event;
	int sef;

	if (argc != 2)
		errx(1, "usage: hello_supervisor NAME|ID");
	sef = open("/dev/sef", O_RDWR | O_CLOEXEC);
	if (sef < 0)
		err(1, "cannot open /dev/sef (is the module loaded? root may open it)");
	watch.id = find_service(sef, argv[1]);
	if (ioctl(sef, SEF_IOC_WATCH, &watch))
		err(1, "cannot watch service %s", argv[1]);

	do {
		if (read(sef, &event, sizeof(event)) != sizeof(event))
			err(1, "cannot read an event");
		printf("%s: silent for %.1f s, misses %u\n", states[event.state],
		       event.silent_ns / 1e9, event.misses);
		fflush(stdout);
	} while (event.state != SEF_STATE_DEAD && event.state != SEF_STATE_GONE);
	if (event.state == SEF_STATE_DEAD)
		printf("its wait status: %d\n", event.wait_status);
	return 0;
}
