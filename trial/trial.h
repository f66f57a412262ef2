/* SPDX-License-Identifier: GPL-2.0 */
/* What both programs of the trial share. */
#ifndef _TRIAL_H
#define _TRIAL_H

#include <err.h>
#include <fcntl.h>
#include <linux/sef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MSEC		1000000LL
#define SEC		1000000000LL
#define HOGS_PER_CPU	4
#define HOGS_MAX	1024

static pid_t hogs[HOGS_MAX];
static int nr_hogs;

static inline __s64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

/* A child that does not outlive us. */
static inline pid_t new_child(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "cannot fork (give the VM more memory: VM_MEM=2048)");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static inline int open_sef(void)
{
	int sef = open("/dev/sef", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (sef < 0)
		err(1, "cannot open /dev/sef (is the module loaded? root may open it)");
	return sef;
}

static inline void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) == pid)
		;
}

/*
 * Ordinary busy loops. Each turn is long because an emulator that counts
 * instructions does so once a jump: short turns are a tenth as fast.
 */
static inline void start_hogs(void)
{
	int n = HOGS_PER_CPU * sysconf(_SC_NPROCESSORS_ONLN);

	for (nr_hogs = 0; nr_hogs < n && nr_hogs < HOGS_MAX; nr_hogs++) {
		hogs[nr_hogs] = new_child();
		if (!hogs[nr_hogs])
			for (;;)
				__asm__ volatile(".rept 256; nop; .endr");
	}
}

static inline void stop_hogs(void)
{
	while (nr_hogs)
		kill_and_reap(hogs[--nr_hogs]);
}

static inline void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "cannot write '%s' to %s", text, path);
	close(fd);
}

#endif /* _TRIAL_H */
