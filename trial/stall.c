// SPDX-License-Identifier: GPL-2.0
/*
 * stall TID MS...: on the host, hold a thread for each of these times in turn, a
 * second apart. Of QEMU's threads one runs a virtual CPU: an overloaded host does to
 * it what this does.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void hold(pid_t tid, unsigned int ms)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0)) {
		if (errno == ESRCH)	/* the VM has seen enough, and ended */
			exit(0);
		err(1, "cannot hold QEMU's thread (as root, or with kernel.yama.ptrace_scope=0?)");
	}
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) ||
	    waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
		err(1, "cannot stop thread %d", tid);
	usleep(ms * 1000);
	if (ptrace(PTRACE_DETACH, tid, 0, 0))
		err(1, "cannot let go of thread %d", tid);
}

int main(int argc, char **argv)
{
	int i;

	if (argc < 3)
		errx(1, "usage: stall TID MS...");
	for (i = 2; i < argc; i++) {
		hold(atoi(argv[1]), atoi(argv[i]));
		sleep(1);
	}
	return 0;
}
