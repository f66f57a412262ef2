// SPDX-License-Identifier: LGPL-2.1-or-later
/* watch NAME: each verdict on a service, and why, until it is dead or gone. */
#include <err.h>
#include <sef.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct sef_watch_args watch;
	struct sef_event event;
	int sef;

	if (argc != 2)
		errx(1, "usage: watch NAME");
	sef = sef_supervisor_open(0);
	if (sef < 0)
		err(1, "cannot open /dev/sef (is the module loaded? root may open it)");
	/* Pinged after 1 s of silence, it has 1 s to answer. */
	sef_watch_init(&watch, 1000000000, 1000000000);
	if (sef_watch_name(sef, argv[1], &watch))
		err(1, "cannot watch the service '%s'", argv[1]);

	do {
		if (sef_read_events(sef, &event, 1) != 1)
			err(1, "cannot read an event");
		printf("%s: silent for %.1f s, misses %u", sef_state_name(event.state),
		       event.silent_ns / 1e9, event.misses);
		if (event.why)
			printf(", %s", sef_why_name(event.why));
		putchar('\n');
		fflush(stdout);
	} while (event.state != SEF_STATE_DEAD && event.state != SEF_STATE_GONE);
	return 0;
}
