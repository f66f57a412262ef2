// SPDX-License-Identifier: GPL-2.0
/*
 * corosync's libsam: the process forks; the parent supervises the child over a pipe,
 * and ends with it.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <corosync/sam.h>

#include "bench.h"

/* What comes back is the child. */
void libsam_begin(void)
{
	if (sam_initialize(3600 * 1000, SAM_RECOVERY_POLICY_QUIT) != CS_OK ||
	    sam_register(NULL) != CS_OK || sam_start() != CS_OK)
		errx(1, "libsam does not start");
}

void libsam_beat(void)
{
	if (sam_hc_send() != CS_OK)
		errx(1, "sam_hc_send");
}

/* The supervisor does nothing meanwhile, and the pipe fills. */
void libsam_hold(void)
{
	kill(getppid(), SIGSTOP);
	sleep_ns(MSEC);
}

void libsam_drain(void)
{
	kill(getppid(), SIGCONT);
	sleep_ns(20 * MSEC);
	libsam_hold();
}
