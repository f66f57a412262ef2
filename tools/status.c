// SPDX-License-Identifier: GPL-2.0
/* sefctl status: a table of services. */
#include <stdlib.h>

#include "sefctl.h"

static const struct argp argp = {
	.doc = "A table of the services that you may see.",
};

int status_main(int argc, char **argv)
{
	struct sef_status_args *found;
	char shown[SHOWN_SIZE], silent[DURATION_SIZE];
	size_t i, n;
	int fd;

	parse_options(&argp, argc, argv, 0, NULL);
	fd = open_sef(0);
	n = all_services(fd, &found);
	printf("%-6s %-7s %-20s %-12s %s\n", "ID", "PID", "NAME", "STATE", "LAST PONG");
	for (i = 0; i < n; i++)
		printf("%-6llu %-7d %-20s %-12s %s\n", (unsigned long long)found[i].id,
		       found[i].pid, escape(shown, found[i].name),
		       sef_state_name(found[i].state), duration(silent, found[i].silent_ns));
	free(found);
	return 0;
}
