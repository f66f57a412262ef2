/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of /dev/sef share. A helper asserts all it does, so a test
 * names only what it is about. Outputs are poisoned before every call.
 *
 * Times: a service that is to miss a deadline gets SHORT ones, a service that is
 * to meet them gets an HOUR, and waiting ends after PATIENCE. So a slow machine
 * makes a test slower, never wrong.
 */
#ifndef SEF_TEST_H
#define SEF_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/sef.h>

#include "kselftest_harness.h"

#define MSEC		1000000ULL
#define SHORT		(20 * MSEC)
#define HOUR		(3600000 * MSEC)
#define PATIENCE	10000		/* ms */

#define POISON		0xa5
#define POISON64	0xa5a5a5a5a5a5a5a5ULL

#define PASSED(state)	(1U << SEF_STATE_##state)

struct service {
	int fd;
	int efd;
	__u64 id;
};

/* 0, or the errno. */
static inline int call(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? errno : -ret;
}

static inline __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MSEC + ts.tv_nsec;
}

static inline bool readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && pfd.revents == POLLIN;
}

static inline void wait_readable(struct __test_metadata *_metadata, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	ASSERT_EQ(1, poll(&pfd, 1, PATIENCE));
	ASSERT_EQ(POLLIN, pfd.revents);
}

static inline int new_file(struct __test_metadata *_metadata)
{
	int fd = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	ASSERT_LE(0, fd) {
		TH_LOG("/dev/sef: %s: load sef.ko and be root",
		       strerror(errno));
	}
	return fd;
}

static inline int new_eventfd(struct __test_metadata *_metadata)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	ASSERT_LE(0, efd);
	return efd;
}

/* What follows the name's NUL is to be ignored, so it is poison too. */
static inline void fill_register(struct sef_register_args *args,
				 const char *name, int efd)
{
	memset(args, POISON, sizeof(*args));
	args->flags = 0;
	args->reply = SEF_REPLY_PONG;
	args->eventfd = efd;
	args->pidfd = 0;
	args->pid = 0;
	args->__reserved = 0;
	memcpy(args->name, name, strlen(name) + 1);
}

static inline int pidfd_open(pid_t pid, unsigned int flags)
{
	return syscall(SYS_pidfd_open, pid, flags);
}

/* To answer for another process. */
static inline void fill_proxy(struct sef_register_args *args, const char *name,
			      int efd, int pidfd, pid_t pid)
{
	fill_register(args, name, efd);
	args->flags = SEF_REGISTER_PIDFD;
	args->pidfd = pidfd;
	args->pid = pid;
}

static inline __u64 register_with(struct __test_metadata *_metadata, int fd,
				  const char *name, int efd, __u32 flags)
{
	struct sef_register_args args, was;

	fill_register(&args, name, efd);
	args.flags = flags;
	was = args;
	ASSERT_EQ(0, call(fd, SEF_IOC_REGISTER, &args));
	ASSERT_NE(POISON64, args.id);
	ASSERT_NE(0, args.id);
	was.id = args.id;
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
	return args.id;
}

static inline __u64 register_as(struct __test_metadata *_metadata, int fd,
				const char *name, int efd)
{
	return register_with(_metadata, fd, name, efd, 0);
}

static inline void new_service(struct __test_metadata *_metadata,
			       struct service *s)
{
	s->fd = new_file(_metadata);
	s->efd = new_eventfd(_metadata);
	s->id = register_as(_metadata, s->fd, "selftest", s->efd);
}

static inline void close_service(struct __test_metadata *_metadata,
				 struct service *s)
{
	EXPECT_EQ(0, close(s->fd));
	EXPECT_EQ(0, close(s->efd));
}

static inline int pong(int fd, __u64 seq)
{
	struct sef_pong_args args = { .seq = seq };

	return call(fd, SEF_IOC_PONG, &args);
}

static inline int set_reply(int fd, __u32 reply)
{
	struct sef_set_reply_args args = { .reply = reply };

	return call(fd, SEF_IOC_SET_REPLY, &args);
}

/* 0 and what was granted, or the errno and the argument as it was. */
static inline int extend(int fd, __u64 ns, __u64 *granted)
{
	struct sef_extend_args args = { .extend_ns = ns };
	int err = call(fd, SEF_IOC_EXTEND, &args);

	*granted = args.extend_ns;
	return err && args.extend_ns != ns ? -1 : err;
}

/*
 * Settings without grace, excuses or steps. The cookie is known from the id, so
 * that every event can be checked.
 */
static inline void fill_watch(struct sef_watch_args *args, __u64 id,
			      __u64 period, __u64 timeout, __u32 tolerate)
{
	*args = (struct sef_watch_args) {
		.id = id,
		.cookie = ~id,
		.period_ns = period,
		.timeout_ns = timeout,
		.tolerate = tolerate,
	};
}

/* By id: whatever comes of it, the argument is as it was. */
static inline int set_watch(int fd, const struct sef_watch_args *args)
{
	struct sef_watch_args copy = *args;
	int err = call(fd, SEF_IOC_WATCH, &copy);

	return memcmp(args, &copy, sizeof(copy)) ? -1 : err;
}

static inline int watch(int fd, __u64 id, __u64 period, __u64 timeout,
			__u32 tolerate)
{
	struct sef_watch_args args;

	fill_watch(&args, id, period, timeout, tolerate);
	return set_watch(fd, &args);
}

static inline int newcomers(int fd, __u32 on)
{
	struct sef_newcomers_args args = { .on = on };

	return call(fd, SEF_IOC_NEWCOMERS, &args);
}

static inline int unwatch(int fd, __u64 id)
{
	struct sef_unwatch_args args = { .id = id };

	return call(fd, SEF_IOC_UNWATCH, &args);
}

static inline int ping_error(int fd, __u64 id)
{
	struct sef_ping_args args = { .id = id, .seq = POISON64 };
	int err = call(fd, SEF_IOC_PING, &args);

	return args.id == id && args.seq == POISON64 ? err : -1;
}

static inline __u64 ping(struct __test_metadata *_metadata, int fd, __u64 id)
{
	struct sef_ping_args args = { .id = id, .seq = POISON64 };

	ASSERT_EQ(0, call(fd, SEF_IOC_PING, &args));
	ASSERT_EQ(id, args.id);
	ASSERT_NE(0, args.seq);
	ASSERT_NE(POISON64, args.seq);
	return args.seq;
}

static inline int try_status(int fd, __u64 id, __u32 flags,
			     struct sef_status_args *st)
{
	memset(st, POISON, sizeof(*st));
	st->id = id;
	st->flags = flags;
	return call(fd, SEF_IOC_STATUS, st);
}

static inline int status_error(int fd, __u64 id, __u32 flags)
{
	struct sef_status_args st, was;
	int err;

	memset(&was, POISON, sizeof(was));
	was.id = id;
	was.flags = flags;
	err = try_status(fd, id, flags, &st);
	return memcmp(&was, &st, sizeof(st)) ? -1 : err;
}

static inline void get_status(struct __test_metadata *_metadata, int fd,
			      __u64 id, struct sef_status_args *st)
{
	ASSERT_EQ(0, try_status(fd, id, 0, st));
	ASSERT_EQ(id, st->id);
	ASSERT_EQ(0, st->flags);
}

static inline __u32 state_of(struct __test_metadata *_metadata, int fd,
			     __u64 id)
{
	struct sef_status_args st;

	get_status(_metadata, fd, id, &st);
	return st.state;
}

/* What holds of every event of a watch. */
static inline void check_event(struct __test_metadata *_metadata,
			       const struct sef_event *ev)
{
	EXPECT_NE(0, ev->id);
	EXPECT_NE(POISON64, ev->id);
	EXPECT_GT(HOUR, ev->age_ns);
	EXPECT_GT(HOUR, ev->silent_ns);
	EXPECT_EQ(0, ev->flags & ~(SEF_EVENT_PONG | SEF_EVENT_SIGNAL |
				   SEF_EVENT_KILL | SEF_EVENT_DENIED));
	EXPECT_LE(SEF_STATE_WAITING, ev->state);
	EXPECT_GE(SEF_STATE_GONE, ev->state);
	EXPECT_EQ(0, ev->passed & ~(PASSED(WAITING) | PASSED(ALIVE) |
				    PASSED(LATE) | PASSED(UNRESPONSIVE) |
				    PASSED(DEAD) | PASSED(GONE)));
	EXPECT_LE(1, ev->changes);
	EXPECT_LE(0, ev->pid);
	if (!(ev->flags & SEF_EVENT_PONG)) {
		EXPECT_EQ(0, ev->asked_seq);
		EXPECT_EQ(0, ev->rtt_ns);
	}
	if (ev->state != SEF_STATE_DEAD)
		EXPECT_EQ(0, ev->wait_status);
	EXPECT_GE(SEF_WHY_EXITING, ev->why);
	EXPECT_LE(0, ev->tid);
	EXPECT_LE(-1, ev->syscall);
	if (ev->why == SEF_WHY_UNKNOWN) {
		EXPECT_EQ(0, ev->tid);
		EXPECT_EQ(-1, ev->syscall);
	}
	if (ev->state == SEF_STATE_WAITING || ev->state == SEF_STATE_ALIVE)
		EXPECT_EQ(0, ev->misses);
	if (!(ev->passed & (PASSED(LATE) | PASSED(UNRESPONSIVE))) &&
	    ev->state == SEF_STATE_ALIVE)
		EXPECT_EQ(SEF_WHY_UNKNOWN, ev->why);
}

static inline void get_event(struct __test_metadata *_metadata, int fd,
			     struct sef_event *ev)
{
	wait_readable(_metadata, fd);
	memset(ev, POISON, sizeof(*ev));
	ASSERT_EQ(sizeof(*ev), read(fd, ev, sizeof(*ev)));
	check_event(_metadata, ev);
}

/*
 * Read the events of the one watch of @fd until @state; @ev tells what all of
 * them amount to, as if they had been one.
 */
static inline void until(struct __test_metadata *_metadata, int fd, __u64 id,
			 __u32 state, struct sef_event *ev)
{
	__u32 changes = 0, passed = 0, flags = 0;

	do {
		get_event(_metadata, fd, ev);
		ASSERT_EQ(id, ev->id);
		ASSERT_EQ(~id, ev->cookie);
		changes += ev->changes;
		passed |= ev->passed;
		flags |= ev->flags;
	} while (ev->state != state);
	ev->changes = changes;
	ev->passed = passed;
	ev->flags = flags;
}

/* An event that is no watch's, of @changes services from @id on. */
static inline void expect_newcomers(struct __test_metadata *_metadata, int fd,
				    __u64 id, __u32 changes)
{
	struct sef_event ev, want = {
		.id = id,
		.flags = SEF_EVENT_NEWCOMER,
		.changes = changes,
		.syscall = -1,
	};

	wait_readable(_metadata, fd);
	memset(&ev, POISON, sizeof(ev));
	ASSERT_EQ(sizeof(ev), read(fd, &ev, sizeof(ev)));
	EXPECT_EQ(id, ev.id);
	EXPECT_EQ(changes, ev.changes);
	EXPECT_GT(HOUR, ev.age_ns);
	want.age_ns = ev.age_ns;
	EXPECT_EQ(0, memcmp(&want, &ev, sizeof(ev)));
}

/* How many pings the eventfd has counted, 1 at least. */
static inline __u64 get_pings(struct __test_metadata *_metadata, int efd)
{
	__u64 pings = 0;

	wait_readable(_metadata, efd);
	ASSERT_EQ(sizeof(pings), read(efd, &pings, sizeof(pings)));
	return pings;
}

/* The end of a child that does its part of a test and exits with 0. */
static inline void join_child(struct __test_metadata *_metadata, pid_t pid)
{
	int status = -1;

	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* The state letter of a task in /proc, '?' for none. */
static inline char task_state(pid_t pid, pid_t tid)
{
	char path[64], buf[512] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return '?';
	if (read(fd, buf, sizeof(buf) - 1) < 0)
		buf[0] = '\0';
	close(fd);
	end = strrchr(buf, ')');
	return end && end[1] ? end[2] : '?';
}

/* Wait for @state, a millisecond between two looks. */
static inline bool wait_task_state(pid_t pid, pid_t tid, char state)
{
	int looks = PATIENCE;

	while (task_state(pid, tid) != state && looks--)
		poll(NULL, 0, 1);
	return looks >= 0;
}

/*
 * Time passes, as the kernel counts it: a service of its own misses @misses
 * deadlines of a SHORT timeout. What was to happen within that many, happened.
 */
static inline void let_deadlines_pass(struct __test_metadata *_metadata,
				      __u32 misses)
{
	struct sef_event ev;
	struct service s;
	int sup = new_file(_metadata);

	new_service(_metadata, &s);
	ASSERT_EQ(0, watch(sup, s.id, SHORT, SHORT, misses - 1));
	until(_metadata, sup, s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(0, close(sup));
	close_service(_metadata, &s);
}

/* The limits that the module has. */
#define PARAMETERS	"/sys/module/sef/parameters/"

static inline void set_parameter(struct __test_metadata *_metadata,
				 const char *path, unsigned long limit)
{
	char buf[24];
	int fd = open(path, O_WRONLY);

	ASSERT_LE(0, fd)
		TH_LOG("%s: %s", path, strerror(errno));
	snprintf(buf, sizeof(buf), "%lu", limit);
	ASSERT_EQ(strlen(buf), write(fd, buf, strlen(buf)));
	EXPECT_EQ(0, close(fd));
}

static inline unsigned long get_parameter(struct __test_metadata *_metadata,
					  const char *path)
{
	char buf[24] = "";
	int fd = open(path, O_RDONLY);

	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, buf, sizeof(buf) - 1));
	EXPECT_EQ(0, close(fd));
	return strtoul(buf, NULL, 10);
}

#endif /* SEF_TEST_H */
