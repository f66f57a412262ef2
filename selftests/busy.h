/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPUs that are kept busy at a real-time priority, so that nothing of a lower one
 * runs there. That takes the kernel's own limit to it away for a while.
 */
#ifndef BUSY_H
#define BUSY_H

#include <dirent.h>
#include <sched.h>
#include <sys/prctl.h>

#include "sef_test.h"

#define RT_RUNTIME	"/proc/sys/kernel/sched_rt_runtime_us"
#define MAX_BUSY	64
#define BUSY_PRIORITY	1

struct busy {
	char rt_runtime[24];	/* as it was, "" before start_busy() */
	pid_t hogs[MAX_BUSY];
	int n;
	int *running;		/* hogs that are; shared with them */
	bool lifted;		/* the timers' threads are */
};

static inline void set_rt_runtime(struct __test_metadata *_metadata,
				  const char *text)
{
	int fd = open(RT_RUNTIME, O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(strlen(text), write(fd, text, strlen(text)));
	EXPECT_EQ(0, close(fd));
}

static inline bool pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(pid, sizeof(set), &set);
}

/* The CPUs one may use, @max at most; how many. */
static inline int get_cpus(int *cpus, int max)
{
	cpu_set_t set;
	int cpu, n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (cpu = 0; cpu < CPU_SETSIZE && n < max; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	return n;
}

static inline bool set_fifo_of(pid_t pid, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	return !sched_setscheduler(pid, priority ? SCHED_FIFO : SCHED_OTHER, &param);
}

static inline bool set_fifo(int priority)
{
	return set_fifo_of(0, priority);
}

/*
 * With PREEMPT_RT the kernel's timers and what an interrupt leaves to be done are
 * threads of priority 1, and it is the administrator's to say what comes before them.
 */
static inline void set_timers(struct __test_metadata *_metadata, int priority)
{
	char path[300], comm[32];
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	int fd, len;

	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		len = read(fd, comm, sizeof(comm) - 1);
		close(fd);
		if (len <= 0)
			continue;
		comm[len] = '\0';
		if (!strncmp(comm, "ktimers/", 8) || !strncmp(comm, "irq_work/", 9))
			EXPECT_TRUE(set_fifo_of(atoi(entry->d_name), priority));
	}
	closedir(dir);
}

/* Ends with the test, and in any case: nobody else may be able to end it. */
static inline void be_hog(int cpu, int *running)
{
	__u64 end = now_ns() + 2 * PATIENCE * MSEC;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!pin(0, cpu) || !set_fifo(BUSY_PRIORITY))
		_exit(1);
	__atomic_fetch_add(running, 1, __ATOMIC_RELAXED);
	while (now_ns() < end)
		;
	_exit(2);
}

/* Returns when all of them run. */
static inline void start_busy(struct __test_metadata *_metadata, struct busy *b,
			      const int *cpus, int n)
{
	int i, looks = PATIENCE, fd = open(RT_RUNTIME, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, b->rt_runtime, sizeof(b->rt_runtime) - 1));
	EXPECT_EQ(0, close(fd));
	if (!access("/sys/kernel/realtime", F_OK)) {
		b->lifted = true;
		set_timers(_metadata, BUSY_PRIORITY + 2);
	}
	set_rt_runtime(_metadata, "-1");
	b->running = mmap(NULL, sizeof(*b->running), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(b->running != MAP_FAILED);
	for (i = 0; i < n; i++) {
		b->hogs[i] = fork();
		ASSERT_LE(0, b->hogs[i]);
		if (!b->hogs[i])
			be_hog(cpus[i], b->running);
		b->n++;
	}
	while (__atomic_load_n(b->running, __ATOMIC_RELAXED) < n && looks--)
		poll(NULL, 0, 1);
	ASSERT_LE(0, looks);
}

/* May be called again, and where nothing was started. */
static inline void end_busy(struct __test_metadata *_metadata, struct busy *b)
{
	int status;

	for (; b->n; b->n--) {
		EXPECT_EQ(0, kill(b->hogs[b->n - 1], SIGKILL));
		EXPECT_EQ(b->hogs[b->n - 1],
			  waitpid(b->hogs[b->n - 1], &status, 0));
		EXPECT_EQ(SIGKILL, status);
	}
	if (b->lifted)
		set_timers(_metadata, 1);
	b->lifted = false;
	if (b->rt_runtime[0])
		set_rt_runtime(_metadata, b->rt_runtime);
	b->rt_runtime[0] = '\0';
}

#endif /* BUSY_H */
