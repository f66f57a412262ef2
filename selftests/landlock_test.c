// SPDX-License-Identifier: GPL-2.0
/*
 * A security module that forbids signals: a supervisor in a Landlock domain that
 * may signal nobody outside of it. For such a one, whoever it is, no service exists
 * but those inside.
 */
#include <sys/syscall.h>

#include "servant.h"

/* The system's headers may be older than the kernel. */
#define LANDLOCK_VERSION	(1U << 0)
#define SCOPE_SIGNAL		(1ULL << 1)
#define SCOPE_ABI		6

struct ruleset {
	__u64 fs;
	__u64 net;
	__u64 scoped;
};

FIXTURE(landlock)
{
	struct servant boss;	/* the supervisor */
	struct servant s;
	__u64 id;		/* of s, which is not in the domain */
};

enum {
	DO_RESTRICT = DO_MORE,	/* from now on it is in a domain */
	DO_CHILD,		/* a service in the domain: its id */
	DO_KILL,		/* arg: pid; signal 0 */
	DO_WATCH,		/* arg: id; a ladder with SIGKILL */
	DO_WATCH_PID,		/* arg: pid */
	DO_STATUS,		/* arg: id */
	DO_NEXT,		/* arg: id; the id after it that it sees, or 0 */
	DO_STATE,		/* arg: id */
	DO_PING,		/* arg: id */
	DO_NEWCOMERS,
	DO_NEWS,		/* the first newcomer, or 0 */
};

static int restrict_self(void)
{
	struct ruleset rules = { .scoped = SCOPE_SIGNAL };
	int err, fd = syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

	if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return errno;
	err = syscall(SYS_landlock_restrict_self, fd, 0) ? errno : 0;
	close(fd);
	return err;
}

/* Ends with its parent. */
static __s64 new_child(void)
{
	__s64 id = -EIO;
	int fds[2];

	if (pipe(fds))
		return -errno;
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		servant_file = -1;
		id = servant_register(0);
		if (write(fds[1], &id, sizeof(id)) == sizeof(id))
			pause();
		_exit(1);
	}
	close(fds[1]);
	if (read(fds[0], &id, sizeof(id)) != sizeof(id))
		id = -EIO;
	close(fds[0]);
	return id;
}

static int watch_id(__u64 id)
{
	struct sef_watch_args args;

	fill_watch(&args, id, HOUR, 10 * SHORT, 0);
	args.kill_ns = SHORT;
	return set_watch(servant_file, &args);
}

static int watch_pid(pid_t pid)
{
	struct sef_watch_args args;
	int err;

	fill_watch(&args, 0, HOUR, HOUR, 0);
	args.flags = SEF_WATCH_PIDFD;
	args.pid = pid;
	args.pidfd = pidfd_open(pid, 0);
	if (args.pidfd < 0)
		return errno;
	err = call(servant_file, SEF_IOC_WATCH, &args);
	close(args.pidfd);
	return err;
}

/* Of whom it is told first, from when it is told of anybody. */
static __u64 news(void)
{
	struct pollfd file = { .fd = servant_file, .events = POLLIN };
	struct sef_event ev;

	poll(&file, 1, PATIENCE);
	return read(servant_file, &ev, sizeof(ev)) == sizeof(ev) ? ev.id : 0;
}

static __s64 obey(int order, __s64 arg)
{
	struct sef_ping_args ping = { .id = arg };
	struct sef_status_args st;

	switch (order) {
	case DO_RESTRICT:
		return restrict_self();
	case DO_CHILD:
		return new_child();
	case DO_KILL:
		return kill(arg, 0) ? errno : 0;
	case DO_WATCH:
		return watch_id(arg);
	case DO_WATCH_PID:
		return watch_pid(arg);
	case DO_STATUS:
		return try_status(servant_file, arg, 0, &st);
	case DO_NEXT:
		return try_status(servant_file, arg, SEF_STATUS_NEXT, &st) ? 0 :
									     st.id;
	case DO_STATE:
		return try_status(servant_file, arg, 0, &st) ? -1 : (int)st.state;
	case DO_PING:
		return call(servant_file, SEF_IOC_PING, &ping);
	case DO_NEWCOMERS:
		return newcomers(servant_file, 1);
	case DO_NEWS:
		return news();
	}
	return serve(order, arg);
}

FIXTURE_SETUP(landlock)
{
	int abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);

	if (abi < 0)
		SKIP(return, "no Landlock: %s", strerror(errno));
	if (abi < SCOPE_ABI)
		SKIP(return, "Landlock's version %d knows no signals", abi);
	self->id = new_serving(_metadata, &self->s, serve, 0);
	new_servant(_metadata, &self->boss, obey);
	ASSERT_EQ(0, ask(_metadata, &self->boss, DO_OPEN, 0));
}

FIXTURE_TEARDOWN(landlock)
{
	end_servant(_metadata, &self->boss);
	end_servant(_metadata, &self->s);
}

static void restrict_boss(struct __test_metadata *_metadata,
			  FIXTURE_DATA(landlock) *self)
{
	ASSERT_EQ(0, ask(_metadata, &self->boss, DO_KILL, self->s.pid));
	ASSERT_EQ(0, ask(_metadata, &self->boss, DO_RESTRICT, 0));
	ASSERT_EQ(EPERM, ask(_metadata, &self->boss, DO_KILL, self->s.pid));
}

TEST_F(landlock, status) {
	struct servant *boss = &self->boss;
	__s64 inside;

	EXPECT_EQ(self->id, ask(_metadata, boss, DO_NEXT, self->id - 1));
	EXPECT_EQ(0, ask(_metadata, boss, DO_STATUS, self->id));
	restrict_boss(_metadata, self);
	EXPECT_EQ(0, ask(_metadata, boss, DO_NEXT, self->id - 1));
	EXPECT_EQ(ESRCH, ask(_metadata, boss, DO_STATUS, self->id));

	inside = ask(_metadata, boss, DO_CHILD, 0);
	ASSERT_LT(self->id, inside);
	EXPECT_EQ(0, ask(_metadata, boss, DO_STATUS, inside));
	EXPECT_EQ(inside, ask(_metadata, boss, DO_NEXT, self->id - 1));
}

TEST_F(landlock, watch) {
	struct servant *boss = &self->boss;
	__s64 inside;

	restrict_boss(_metadata, self);
	EXPECT_EQ(ESRCH, ask(_metadata, boss, DO_WATCH, self->id));
	EXPECT_EQ(ESRCH, ask(_metadata, boss, DO_WATCH_PID, self->s.pid));
	EXPECT_EQ(SEF_STATE_UNWATCHED,
		  state_of(_metadata, new_file(_metadata), self->id));

	inside = ask(_metadata, boss, DO_CHILD, 0);
	ASSERT_LT(self->id, inside);
	EXPECT_EQ(0, ask(_metadata, boss, DO_WATCH, inside));
}

/* A watch that was there before goes on as it is, steps included. */
TEST_F(landlock, watched_before) {
	struct servant *boss = &self->boss;
	siginfo_t info;

	ASSERT_EQ(0, ask(_metadata, boss, DO_WATCH, self->id));
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	restrict_boss(_metadata, self);
	EXPECT_EQ(EPERM, ask(_metadata, boss, DO_WATCH, self->id));
	EXPECT_EQ(SEF_STATE_ALIVE, ask(_metadata, boss, DO_STATE, self->id));
	EXPECT_EQ(0, ask(_metadata, boss, DO_PING, self->id));
	ASSERT_EQ(0, waitid(P_PID, self->s.pid, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(CLD_KILLED, info.si_code);
	EXPECT_EQ(SIGKILL, info.si_status);
	while (ask(_metadata, boss, DO_STATE, self->id) != SEF_STATE_DEAD)
		;
}

TEST_F(landlock, newcomers) {
	struct servant *boss = &self->boss, other;
	__s64 inside;

	restrict_boss(_metadata, self);
	ASSERT_EQ(0, ask(_metadata, boss, DO_NEWCOMERS, 0));
	new_serving(_metadata, &other, serve, 0);
	inside = ask(_metadata, boss, DO_CHILD, 0);
	ASSERT_LT(self->id, inside);
	EXPECT_EQ(inside, ask(_metadata, boss, DO_NEWS, 0));
	end_servant(_metadata, &other);
}

TEST_HARNESS_MAIN
