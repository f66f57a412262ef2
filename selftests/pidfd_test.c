// SPDX-License-Identifier: GPL-2.0
/* Services named by their process: a pidfd, and the pid that goes with it. */
#include <limits.h>
#include <sys/epoll.h>

#include "servant.h"

#define NOBODY		65534

FIXTURE(pidfd)
{
	struct servant s;
	int pidfd;
	int sup;
};

static int new_pidfd(struct __test_metadata *_metadata, pid_t pid)
{
	int pidfd = pidfd_open(pid, 0);

	ASSERT_LE(0, pidfd);
	return pidfd;
}

FIXTURE_SETUP(pidfd)
{
	new_servant(_metadata, &self->s, serve);
	self->pidfd = new_pidfd(_metadata, self->s.pid);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(pidfd)
{
	EXPECT_EQ(0, close(self->sup));
	EXPECT_EQ(0, close(self->pidfd));
	if (self->s.pid)
		end_servant(_metadata, &self->s);
}

/*
 * The service of the process above @id, watched: its id is in *@found. On an
 * error the argument is as it was, or the errno is -1.
 */
static int watch_pidfd(int fd, int pidfd, pid_t pid, __u64 id, __u64 *found)
{
	struct sef_watch_args args, was;
	int err;

	fill_watch(&args, id, HOUR, HOUR, 0);
	args.flags = SEF_WATCH_PIDFD;
	args.pidfd = pidfd;
	args.pid = pid;
	was = args;
	err = call(fd, SEF_IOC_WATCH, &args);
	if (!err)
		was.id = args.id;
	*found = args.id;
	return memcmp(&was, &args, sizeof(args)) ? -1 : err;
}

static void expect_refused(struct __test_metadata *_metadata, int err,
			   FIXTURE_DATA(pidfd) *self, int pidfd, pid_t pid)
{
	__u64 found;

	EXPECT_EQ(err, watch_pidfd(self->sup, pidfd, pid, 0, &found))
		TH_LOG("pidfd %d pid %d", pidfd, pid);
	EXPECT_EQ(EBADFD, unwatch(self->sup, 1));	/* no role taken */
}

static __s64 new_id(struct __test_metadata *_metadata, struct servant *s,
		    __u32 flags)
{
	__s64 id = ask(_metadata, s, DO_REGISTER, flags);

	ASSERT_LT(0, id);
	return id;
}

TEST_F(pidfd, names_a_service) {
	__u64 found, id = new_id(_metadata, &self->s, 0);
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, watch_pidfd(self->sup, self->pidfd, self->s.pid, 0, &found));
	EXPECT_EQ(id, found);
	get_status(_metadata, self->sup, id, &st);
	EXPECT_EQ(SEF_STATE_WAITING, st.state);
	EXPECT_EQ(0, st.watch_flags);
	EXPECT_EQ(1, st.watches);
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(id, ev.id);

	/* and the same watch again, to change it: by either name */
	ASSERT_EQ(0, watch_pidfd(self->sup, self->pidfd, self->s.pid, 0, &found));
	ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 5));
	get_status(_metadata, self->sup, id, &st);
	EXPECT_EQ(5, st.tolerate);
	ASSERT_EQ(0, watch_pidfd(self->sup, self->pidfd, self->s.pid, 0, &found));
	get_status(_metadata, self->sup, id, &st);
	EXPECT_EQ(0, st.tolerate);
	EXPECT_EQ(1, st.watches);
}

TEST_F(pidfd, of_oneself) {
	int pidfd = new_pidfd(_metadata, getpid());
	struct service s;
	__u64 found;

	EXPECT_EQ(ESRCH, watch_pidfd(self->sup, pidfd, getpid(), 0, &found));
	new_service(_metadata, &s);
	EXPECT_EQ(0, watch_pidfd(self->sup, pidfd, getpid(), 0, &found));
	EXPECT_EQ(s.id, found);
	close_service(_metadata, &s);
	EXPECT_EQ(0, close(pidfd));
}

TEST_F(pidfd, wrong_pid) {
	int own = new_pidfd(_metadata, getpid());
	struct service s;

	new_id(_metadata, &self->s, 0);
	new_service(_metadata, &s);
	expect_refused(_metadata, EINVAL, self, self->pidfd, getpid());
	expect_refused(_metadata, EINVAL, self, own, self->s.pid);
	expect_refused(_metadata, EINVAL, self, self->pidfd, 1);
	expect_refused(_metadata, ESRCH, self, self->pidfd, 0);
	expect_refused(_metadata, ESRCH, self, self->pidfd, -1);
	expect_refused(_metadata, ESRCH, self, self->pidfd, -self->s.pid);
	expect_refused(_metadata, ESRCH, self, self->pidfd, INT_MAX);
	expect_refused(_metadata, ESRCH, self, self->pidfd, INT_MIN);
	close_service(_metadata, &s);
	EXPECT_EQ(0, close(own));
}

/* Some of them are polled as a pidfd is. */
TEST_F(pidfd, not_a_pidfd) {
	int i, ends[2], others[8];

	new_id(_metadata, &self->s, 0);
	ASSERT_EQ(0, pipe(ends));
	others[0] = ends[0];
	others[1] = ends[1];
	others[2] = new_eventfd(_metadata);
	others[3] = epoll_create1(EPOLL_CLOEXEC);
	others[4] = open("/dev/null", O_RDWR | O_CLOEXEC);
	others[5] = dup(self->s.sock);
	others[6] = dup(self->sup);
	others[7] = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < 8; i++) {
		ASSERT_LE(0, others[i]);
		expect_refused(_metadata, EINVAL, self, others[i], self->s.pid);
		EXPECT_EQ(0, close(others[i]));
	}
	expect_refused(_metadata, EINVAL, self, self->sup, self->s.pid);
}

/* An epoll that has the pidfd in it is none. */
TEST_F(pidfd, epoll_of_a_pidfd) {
	struct epoll_event add = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	new_id(_metadata, &self->s, 0);
	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->pidfd, &add));
	expect_refused(_metadata, EINVAL, self, ep, self->s.pid);
	EXPECT_EQ(0, close(ep));
}

TEST_F(pidfd, not_open) {
	int closed = dup2(self->pidfd, 500);

	new_id(_metadata, &self->s, 0);
	EXPECT_EQ(0, close(closed));
	expect_refused(_metadata, EBADF, self, closed, self->s.pid);
	expect_refused(_metadata, EBADF, self, 100000, self->s.pid);
	expect_refused(_metadata, EBADF, self, -1, self->s.pid);
	expect_refused(_metadata, EBADF, self, INT_MAX, self->s.pid);
	expect_refused(_metadata, EBADF, self, INT_MIN, self->s.pid);
}

/* Without the flag the id is what counts, and the rest is to be 0. */
TEST_F(pidfd, without_the_flag) {
	struct sef_watch_args args;

	fill_watch(&args, new_id(_metadata, &self->s, 0), HOUR, HOUR, 0);
	args.pidfd = self->pidfd;
	EXPECT_EQ(EINVAL, set_watch(self->sup, &args));
	args.pidfd = 0;
	args.pid = self->s.pid;
	EXPECT_EQ(EINVAL, set_watch(self->sup, &args));
	args.pid = 0;
	EXPECT_EQ(0, set_watch(self->sup, &args));
}

enum {
	DO_FORGET = DO_MORE,	/* the file, which stays open */
};

static __s64 obey(int order, __s64 arg)
{
	if (order == DO_FORGET) {
		servant_file = -1;
		return 0;
	}
	return serve(order, arg);
}

/* By id, upwards: of processes and of their threads, not what is closed. */
TEST_F(pidfd, several_services) {
	static const __u32 flags[4] = { 0, SEF_REGISTER_THREAD, 0, 0 };
	__u64 id[4], found, last = 0;
	struct servant s;
	int i, pidfd;

	new_servant(_metadata, &s, obey);
	pidfd = new_pidfd(_metadata, s.pid);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, ask(_metadata, &s, DO_FORGET, 0));
		id[i] = new_id(_metadata, &s, flags[i]);
		new_id(_metadata, &self->s, 0);		/* not among them */
		EXPECT_EQ(0, ask(_metadata, &self->s, DO_CLOSE, 0));
	}
	new_id(_metadata, &self->s, 0);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, watch_pidfd(self->sup, pidfd, s.pid, last, &found));
		EXPECT_EQ(id[i], found);
		last = found;
	}
	EXPECT_EQ(ESRCH, watch_pidfd(self->sup, pidfd, s.pid, last, &found));
	EXPECT_EQ(ESRCH, watch_pidfd(self->sup, pidfd, s.pid, ~0ULL, &found));
	EXPECT_EQ(0, watch_pidfd(self->sup, pidfd, s.pid, id[1], &found));
	EXPECT_EQ(id[2], found);

	/* the last is closed: it is still watched, and not found any more */
	EXPECT_EQ(0, ask(_metadata, &s, DO_CLOSE, 0));
	EXPECT_EQ(SEF_STATE_GONE, state_of(_metadata, self->sup, id[3]));
	EXPECT_EQ(ESRCH, watch_pidfd(self->sup, pidfd, s.pid, id[2], &found));
	EXPECT_EQ(0, close(pidfd));
	end_servant(_metadata, &s);
}

TEST_F(pidfd, no_service) {
	int fd = new_file(_metadata);
	__u64 found;

	expect_refused(_metadata, ESRCH, self, self->pidfd, self->s.pid);
	new_id(_metadata, &self->s, 0);
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_CLOSE, 0));
	expect_refused(_metadata, ESRCH, self, self->pidfd, self->s.pid);
	new_id(_metadata, &self->s, 0);
	EXPECT_EQ(0, watch_pidfd(fd, self->pidfd, self->s.pid, 0, &found));
	EXPECT_EQ(0, close(fd));
}

/* Ended, its file with it; then waited for, its number with it. */
TEST_F(pidfd, dead_process) {
	struct pollfd pfd = { .fd = self->pidfd, .events = POLLIN };
	pid_t pid = self->s.pid;

	new_id(_metadata, &self->s, 0);
	send_order(_metadata, &self->s, DO_EXIT, 0);
	ASSERT_EQ(1, poll(&pfd, 1, PATIENCE));
	expect_refused(_metadata, ESRCH, self, self->pidfd, pid);
	end_servant(_metadata, &self->s);
	self->s.pid = 0;
	expect_refused(_metadata, ESRCH, self, self->pidfd, pid);
}

/* Dead, and its file held by another: it is found, and the verdict is there. */
TEST_F(pidfd, zombie) {
	struct sef_event ev;
	int release[2];
	__u64 found;
	pid_t pid;
	int pidfd;

	ASSERT_EQ(0, pipe(release));
	pid = fork();
	if (!pid) {
		int fd = new_file(_metadata);
		char c;

		register_as(_metadata, fd, "zombie", -1);
		if (!fork()) {
			close(release[1]);
			_exit(read(release[0], &c, 1));
		}
		_exit(7);
	}
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, close(release[0]));
	pidfd = new_pidfd(_metadata, pid);
	ASSERT_TRUE(wait_task_state(pid, pid, 'Z'));
	ASSERT_EQ(0, watch_pidfd(self->sup, pidfd, pid, 0, &found));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(found, ev.id);
	EXPECT_EQ(SEF_STATE_DEAD, ev.state);
	EXPECT_EQ(7 << 8, ev.wait_status);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(0, close(release[1]));
	EXPECT_EQ(0, close(pidfd));
}

/* A thread's own pidfd, where there is such a thing, is not its process's. */
TEST_F(pidfd, of_a_thread) {
	int pidfd = pidfd_open(self->s.pid, O_EXCL);
	__u64 found, id = new_id(_metadata, &self->s, 0);

	if (pidfd < 0)
		SKIP(return, "this kernel has no pidfds of threads");
	/* of the first thread, whose number is the process's */
	EXPECT_EQ(0, watch_pidfd(self->sup, pidfd, self->s.pid, 0, &found));
	EXPECT_EQ(id, found);
	EXPECT_EQ(0, close(pidfd));
}

TEST_F(pidfd, one_may_not_signal) {
	__u64 found;
	pid_t pid;

	new_id(_metadata, &self->s, 0);
	pid = fork();
	if (!pid) {
		ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
		expect_refused(_metadata, ESRCH, self, self->pidfd, self->s.pid);
		_exit(0);
	}
	join_child(_metadata, pid);
	EXPECT_EQ(0, watch_pidfd(self->sup, self->pidfd, self->s.pid, 0, &found));
}

TEST_HARNESS_MAIN
