// SPDX-License-Identifier: GPL-2.0
/* Looking at services: what is told, and to whom. */
#include <sched.h>
#include <sys/types.h>

#include "sef_test.h"

#define NOBODY		65534
#define SOMEBODY	54321

FIXTURE(status)
{
	struct service s;
	int sup;
};

FIXTURE_SETUP(status)
{
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(status)
{
	EXPECT_EQ(0, close(self->sup));
	close_service(_metadata, &self->s);
}

TEST_F(status, unwatched) {
	char name[SEF_NAME_SIZE] = "selftest";
	__u64 before = now_ns();
	struct sef_status_args st;

	close_service(_metadata, &self->s);
	new_service(_metadata, &self->s);
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_UNWATCHED, st.state);
	EXPECT_EQ(getpid(), st.pid);
	EXPECT_EQ(getuid(), st.uid);
	EXPECT_EQ(SEF_REPLY_PONG, st.reply);
	EXPECT_EQ(0, st.wait_status);
	EXPECT_EQ(0, st.ping_seq);
	EXPECT_EQ(0, st.pong_seq);
	EXPECT_LT(0, st.age_ns);
	EXPECT_GE(now_ns() - before, st.age_ns);
	EXPECT_EQ(st.age_ns, st.silent_ns);
	EXPECT_EQ(0, st.rtt_ns);
	EXPECT_EQ(0, st.watches);
	EXPECT_EQ(0, st.misses);
	EXPECT_EQ(SEF_WHY_UNKNOWN, st.why);
	EXPECT_EQ(0, st.excused);
	EXPECT_EQ(0, st.credit_ns);
	EXPECT_EQ(0, st.cookie);
	EXPECT_EQ(0, st.period_ns);
	EXPECT_EQ(0, st.timeout_ns);
	EXPECT_EQ(0, st.grace_ns);
	EXPECT_EQ(0, st.extend_ns);
	EXPECT_EQ(0, st.kill_ns);
	EXPECT_EQ(0, st.last_ns);
	EXPECT_EQ(0, st.tolerate);
	EXPECT_EQ(0, st.watch_flags);
	EXPECT_EQ(0, st.excuse);
	EXPECT_EQ(0, st.signal);
	EXPECT_EQ(0, st.last);
	EXPECT_EQ(0, st.service_flags);
	EXPECT_EQ(0, st.missed | st.verdicts | st.steps | st.denied);
	EXPECT_EQ(0, memcmp(name, st.name, sizeof(name)));
}

/* The settings are this file's, the count of watches is everybody's. */
TEST_F(status, watched) {
	int other = new_file(_metadata);
	struct sef_status_args st;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR + 5, HOUR + 7, 9));
	ASSERT_EQ(0, watch(other, self->s.id, HOUR + 1, HOUR + 2, 3));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_WAITING, st.state);
	EXPECT_EQ(2, st.watches);
	EXPECT_EQ(9, st.tolerate);
	EXPECT_EQ(~self->s.id, st.cookie);
	EXPECT_EQ(HOUR + 5, st.period_ns);
	EXPECT_EQ(HOUR + 7, st.timeout_ns);
	EXPECT_EQ(0, close(other));

	/* the service's own file watches nothing */
	get_status(_metadata, self->s.fd, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_UNWATCHED, st.state);
	EXPECT_EQ(1, st.watches);
	EXPECT_EQ(0, st.period_ns);
}

static void get_worst(struct __test_metadata *_metadata, int fd, __u64 id,
		      struct sef_status_args *st)
{
	ASSERT_EQ(0, try_status(fd, id, SEF_STATUS_WORST, st));
	EXPECT_EQ(id, st->id);
	EXPECT_EQ(SEF_STATUS_WORST, st->flags);
}

/* Of any file's: it has the highest state, then the shortest timeout. */
TEST_F(status, worst_watch) {
	int patient = new_file(_metadata), strict = new_file(_metadata);
	int looker = new_file(_metadata);
	struct sef_watch_args args;
	struct sef_status_args st;
	struct sef_event ev;

	get_worst(_metadata, looker, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_UNWATCHED, st.state);
	EXPECT_EQ(0, st.timeout_ns);

	/* both wait: the shorter timeout tells, whoever is asked */
	ASSERT_EQ(0, watch(patient, self->s.id, HOUR + 1, HOUR + 2, 3));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR + 5, HOUR, 9));
	get_worst(_metadata, looker, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_WAITING, st.state);
	EXPECT_EQ(HOUR + 5, st.period_ns);
	EXPECT_EQ(HOUR, st.timeout_ns);
	EXPECT_EQ(9, st.tolerate);
	EXPECT_EQ(0, st.cookie);
	get_worst(_metadata, patient, self->s.id, &st);
	EXPECT_EQ(HOUR, st.timeout_ns);
	EXPECT_EQ(0, st.cookie);
	get_worst(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(~self->s.id, st.cookie);
	get_status(_metadata, patient, self->s.id, &st);
	EXPECT_EQ(HOUR + 2, st.timeout_ns);

	/* a higher state tells, however long its timeout */
	fill_watch(&args, self->s.id, HOUR, HOUR + 9, 0);
	args.flags = SEF_WATCH_STRICT;
	ASSERT_EQ(0, set_watch(strict, &args));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	get_worst(_metadata, looker, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_ALIVE, st.state);
	EXPECT_EQ(HOUR, st.timeout_ns);
	args.timeout_ns = SHORT;
	ASSERT_EQ(0, set_watch(strict, &args));
	until(_metadata, strict, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	args.timeout_ns = HOUR + 9;
	ASSERT_EQ(0, set_watch(strict, &args));
	get_worst(_metadata, looker, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_UNRESPONSIVE, st.state);
	EXPECT_EQ(HOUR + 9, st.timeout_ns);
	EXPECT_EQ(SEF_WATCH_STRICT, st.watch_flags);
	EXPECT_EQ(ev.why, st.why);
	EXPECT_LE(1, st.misses);
	EXPECT_EQ(3, st.watches);

	/* it ends with its file; and with the other way to name a service */
	EXPECT_EQ(0, close(strict));
	ASSERT_EQ(0, try_status(looker, self->s.id - 1,
				SEF_STATUS_NEXT | SEF_STATUS_WORST, &st));
	EXPECT_EQ(self->s.id, st.id);
	EXPECT_EQ(SEF_STATUS_NEXT | SEF_STATUS_WORST, st.flags);
	EXPECT_EQ(SEF_STATE_ALIVE, st.state);
	EXPECT_EQ(HOUR, st.timeout_ns);
	EXPECT_EQ(0, close(patient));
	EXPECT_EQ(0, close(looker));
}

TEST_F(status, no_such_service) {
	EXPECT_EQ(ESRCH, status_error(self->sup, 0, SEF_STATUS_WORST));
	EXPECT_EQ(ESRCH, status_error(self->sup, 0, 0));
	EXPECT_EQ(ESRCH, status_error(self->sup, self->s.id + 1, 0));
	EXPECT_EQ(ESRCH, status_error(self->sup, ~0ULL, 0));
	EXPECT_EQ(ESRCH, status_error(self->sup, ~0ULL, SEF_STATUS_NEXT));
	EXPECT_EQ(ESRCH, status_error(self->sup, ~0ULL - 1, SEF_STATUS_NEXT));
	EXPECT_EQ(ESRCH, watch(self->sup, 0, HOUR, HOUR, 0));
	EXPECT_EQ(ESRCH, watch(self->sup, self->s.id + 1, HOUR, HOUR, 0));
}

TEST_F(status, walking) {
	struct sef_status_args st = { .id = 0 };
	struct service s[20];
	__u64 last = 0;
	int i, seen = 0;

	for (i = 0; i < 20; i++)
		new_service(_metadata, &s[i]);
	EXPECT_EQ(0, close(s[7].fd));	/* what is closed is not walked over */
	s[7].fd = dup(self->sup);

	while (!try_status(self->sup, last, SEF_STATUS_NEXT, &st)) {
		ASSERT_LT(last, st.id);
		EXPECT_EQ(SEF_STATUS_NEXT, st.flags);
		EXPECT_NE(s[7].id, st.id);
		last = st.id;
		for (i = 0; i < 20; i++)
			seen += st.id == s[i].id;
	}
	EXPECT_EQ(19, seen);
	EXPECT_EQ(s[19].id, last);

	ASSERT_EQ(0, try_status(self->sup, s[6].id, SEF_STATUS_NEXT, &st));
	EXPECT_EQ(s[8].id, st.id);
	for (i = 0; i < 20; i++)
		close_service(_metadata, &s[i]);
}

static void become(struct __test_metadata *_metadata, uid_t uid)
{
	ASSERT_EQ(0, setresgid(uid, uid, uid));
	ASSERT_EQ(0, setresuid(uid, uid, uid));
}

/* One sees what one may signal. */
TEST_F(status, other_users) {
	int fd = new_file(_metadata), own = new_file(_metadata);
	struct sef_status_args st;
	pid_t pid = fork();
	__u64 id;

	if (!pid) {
		become(_metadata, NOBODY);
		EXPECT_EQ(ESRCH, status_error(fd, self->s.id, 0));
		EXPECT_EQ(ESRCH, status_error(fd, 0, SEF_STATUS_NEXT));
		EXPECT_EQ(ESRCH, watch(fd, self->s.id, HOUR, HOUR, 0));
		EXPECT_EQ(EBADFD, unwatch(fd, self->s.id));

		id = register_as(_metadata, own, "nobody's", -1);
		ASSERT_EQ(0, try_status(fd, 0, SEF_STATUS_NEXT, &st));
		EXPECT_EQ(id, st.id);
		EXPECT_EQ(getpid(), st.pid);
		EXPECT_EQ(0, st.uid);	/* of who opened the file */
		EXPECT_EQ(ESRCH, status_error(fd, id, SEF_STATUS_NEXT));
		EXPECT_EQ(0, watch(fd, id, HOUR, HOUR, 0));
		_exit(0);
	}
	join_child(_metadata, pid);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(own));
}

/*
 * Permission is asked for where a watch begins, as with any file; and where it
 * is changed, for it is then in the name of who changes it.
 */
TEST_F(status, inherited_watch) {
	struct sef_status_args st;
	struct sef_event ev;
	pid_t pid;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	pid = fork();
	if (!pid) {
		become(_metadata, NOBODY);
		get_status(_metadata, self->sup, self->s.id, &st);
		EXPECT_EQ(SEF_STATE_ALIVE, st.state);
		get_event(_metadata, self->sup, &ev);
		EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
		EXPECT_EQ(getppid(), ev.pid);
		EXPECT_EQ(EPERM, watch(self->sup, self->s.id, HOUR, HOUR, 5));
		get_status(_metadata, self->sup, self->s.id, &st);
		EXPECT_EQ(0, st.tolerate);
		ping(_metadata, self->sup, self->s.id);
		EXPECT_EQ(0, unwatch(self->sup, self->s.id));
		EXPECT_EQ(ESRCH, status_error(self->sup, self->s.id, 0));
		EXPECT_EQ(ESRCH, watch(self->sup, self->s.id, HOUR, HOUR, 0));
		_exit(0);
	}
	join_child(_metadata, pid);
	EXPECT_EQ(SEF_STATE_UNWATCHED, state_of(_metadata, self->sup, self->s.id));
}

/* From inside a pid namespace: what is outside has no number there. */
TEST_F(status, inside_a_pid_namespace) {
	int fd = new_file(_metadata), own = new_file(_metadata);
	struct sef_status_args st;
	struct sef_event ev;
	int ids[2];
	__u64 id = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(ids));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = fork();
	if (!pid) {
		EXPECT_EQ(ESRCH, status_error(fd, self->s.id, 0));
		EXPECT_EQ(ESRCH, status_error(fd, 0, SEF_STATUS_NEXT));
		EXPECT_EQ(ESRCH, watch(fd, self->s.id, HOUR, HOUR, 0));
		get_status(_metadata, self->sup, self->s.id, &st);
		EXPECT_EQ(0, st.pid);
		get_event(_metadata, self->sup, &ev);
		EXPECT_EQ(0, ev.pid);

		id = register_as(_metadata, own, "inside", -1);
		get_status(_metadata, fd, id, &st);
		EXPECT_EQ(1, st.pid);
		EXPECT_EQ(sizeof(id), write(ids[1], &id, sizeof(id)));
		pause();
	}
	ASSERT_EQ(sizeof(id), read(ids[0], &id, sizeof(id)));
	get_status(_metadata, fd, id, &st);
	EXPECT_EQ(pid, st.pid);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(own));
}

TEST_F(status, inside_a_user_namespace) {
	struct sef_status_args st;
	pid_t pid = fork();

	if (!pid) {
		ASSERT_EQ(0, unshare(CLONE_NEWUSER));
		get_status(_metadata, self->sup, self->s.id, &st);
		EXPECT_EQ(getuid(), st.uid);	/* nobody maps: the overflow uid */
		EXPECT_NE(0, st.uid);
		_exit(0);
	}
	join_child(_metadata, pid);
}

/* The uid told is the opener's, not that of who called, nor the process's. */
TEST_F(status, uid_of_the_opener) {
	struct sef_status_args st;
	int fd;

	ASSERT_EQ(0, setresuid(SOMEBODY, -1, 0));
	fd = new_file(_metadata);
	ASSERT_EQ(0, setresuid(0, -1, 0));
	get_status(_metadata, self->sup, register_as(_metadata, fd, "s", -1), &st);
	EXPECT_EQ(SOMEBODY, st.uid);
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
