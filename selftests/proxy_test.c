// SPDX-License-Identifier: GPL-2.0
/* A service that another process answers for: its proxy. */
#include "servant.h"

#define NOBODY		65534
#define THREAD_PIDFD	O_EXCL		/* from Linux 6.9 on */

enum {
	DO_PROXY = DO_MORE,	/* arg: the pid; as DO_REGISTER */
	DO_HOLD_FILE,		/* a child that has the file until killed; its pid */
};

FIXTURE(proxy)
{
	struct servant s;	/* the service */
	int pidfd;
	int fd;			/* the proxy's, which is the test itself */
	int efd;
	int sup;
};

FIXTURE_SETUP(proxy)
{
	new_servant(_metadata, &self->s, serve);
	self->pidfd = pidfd_open(self->s.pid, 0);
	ASSERT_LE(0, self->pidfd);
	self->fd = new_file(_metadata);
	self->efd = new_eventfd(_metadata);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(proxy)
{
	EXPECT_EQ(0, close(self->sup));
	EXPECT_EQ(0, close(self->efd));
	if (self->fd >= 0)
		EXPECT_EQ(0, close(self->fd));
	EXPECT_EQ(0, close(self->pidfd));
	if (self->s.pid)
		end_servant(_metadata, &self->s);
}

/* 0, or the errno, and then the argument is as it was; else -1. */
static int try_proxy(int fd, int efd, int pidfd, pid_t pid, __u64 *id)
{
	struct sef_register_args args, was;
	int err;

	fill_proxy(&args, "proxied", efd, pidfd, pid);
	was = args;
	err = call(fd, SEF_IOC_REGISTER, &args);
	*id = args.id;
	was.id = err ? was.id : args.id;
	return memcmp(&was, &args, sizeof(args)) ? -1 : err;
}

static __u64 new_proxied(struct __test_metadata *_metadata,
			 FIXTURE_DATA(proxy) *self)
{
	__u64 id;

	ASSERT_EQ(0, try_proxy(self->fd, self->efd, self->pidfd, self->s.pid, &id));
	ASSERT_NE(0, id);
	return id;
}

TEST_F(proxy, answers) {
	__u64 id = new_proxied(_metadata, self), seq, granted;
	struct sef_request req = {};
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 0));
	get_status(_metadata, self->sup, id, &st);
	EXPECT_EQ(SEF_STATE_WAITING, st.state);
	EXPECT_EQ(self->s.pid, st.pid);
	EXPECT_EQ(SEF_REGISTER_PIDFD, st.service_flags);
	EXPECT_STREQ("proxied", st.name);
	EXPECT_EQ(1, get_pings(_metadata, self->efd));

	EXPECT_EQ(0, pong(self->fd, st.ping_seq));
	until(_metadata, self->sup, id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(self->s.pid, ev.pid);

	/* and by read(), with all else that a service may do */
	seq = ping(_metadata, self->sup, id);
	wait_readable(_metadata, self->fd);
	ASSERT_EQ(sizeof(req), read(self->fd, &req, sizeof(req)));
	EXPECT_EQ(seq, req.seq);
	EXPECT_EQ(0, extend(self->fd, HOUR, &granted));
	EXPECT_EQ(0, set_reply(self->fd, SEF_REPLY_NULL));
	EXPECT_EQ(0, set_reply(self->fd, SEF_REPLY_PONG));
	EXPECT_EQ(0, pong(self->fd, 0));
	until(_metadata, self->sup, id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
}

TEST_F(proxy, by_store) {
	__u64 id = new_proxied(_metadata, self);
	struct sef_page *page;
	struct sef_event ev;

	page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
		    MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 0));
	EXPECT_NE(0, sef_page_pong(page, 0));
	EXPECT_EQ(SEF_STATE_ALIVE, state_of(_metadata, self->sup, id));
	until(_metadata, self->sup, id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, munmap(page, sysconf(_SC_PAGESIZE)));
}

/* The process itself is not asked, nor is a child of the proxy. */
TEST_F(proxy, nobody_else_answers) {
	__u64 granted, id = new_proxied(_metadata, self);
	struct sef_request req;
	pid_t pid;

	ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 0));
	pid = fork();
	if (!pid) {
		EXPECT_EQ(EPERM, pong(self->fd, 0));
		EXPECT_EQ(EPERM, extend(self->fd, HOUR, &granted));
		EXPECT_EQ(EPERM, set_reply(self->fd, SEF_REPLY_NULL));
		EXPECT_EQ(-1, read(self->fd, &req, sizeof(req)));
		EXPECT_EQ(EPERM, errno);
		_exit(_metadata->exit_code);
	}
	join_child(_metadata, pid);
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->sup, id));
}

TEST_F(proxy, is_watched_by_its_process) {
	__u64 id = new_proxied(_metadata, self);
	struct sef_watch_args args;

	fill_watch(&args, 0, HOUR, HOUR, 0);
	args.flags = SEF_WATCH_PIDFD;
	args.pidfd = self->pidfd;
	args.pid = self->s.pid;
	ASSERT_EQ(0, call(self->sup, SEF_IOC_WATCH, &args));
	EXPECT_EQ(id, args.id);

	/* the proxy has no service of its own */
	args.id = 0;
	args.pidfd = pidfd_open(getpid(), 0);
	ASSERT_LE(0, args.pidfd);
	args.pid = getpid();
	EXPECT_EQ(ESRCH, call(self->sup, SEF_IOC_WATCH, &args));
	EXPECT_EQ(0, close(args.pidfd));
}

/* Two may answer for one process, and it for itself. */
TEST_F(proxy, beside_its_own) {
	__s64 own = ask(_metadata, &self->s, DO_REGISTER, 0);
	__u64 id = new_proxied(_metadata, self);
	struct sef_status_args st;

	ASSERT_LT(0, own);
	EXPECT_NE(own, id);
	get_status(_metadata, self->sup, own, &st);
	EXPECT_EQ(0, st.service_flags);
	EXPECT_EQ(self->s.pid, st.pid);
}

TEST_F(proxy, of_oneself_is_none) {
	int pidfd = pidfd_open(getpid(), 0);
	struct sef_status_args st;
	__u64 id;

	ASSERT_LE(0, pidfd);
	ASSERT_EQ(0, try_proxy(self->fd, -1, pidfd, getpid(), &id));
	get_status(_metadata, self->sup, id, &st);
	EXPECT_EQ(0, st.service_flags);
	EXPECT_EQ(0, pong(self->fd, 0));
	EXPECT_EQ(0, close(pidfd));
}

TEST_F(proxy, wrong_arguments) {
	int own = pidfd_open(getpid(), 0), closed = dup(self->pidfd);
	struct sef_register_args args;
	pid_t pid = self->s.pid;
	__u64 id;

	ASSERT_LE(0, own);
	ASSERT_EQ(0, close(closed));
	EXPECT_EQ(EBADF, try_proxy(self->fd, -1, closed, pid, &id));
	EXPECT_EQ(EBADF, try_proxy(self->fd, -1, -1, pid, &id));
	EXPECT_EQ(EBADF, try_proxy(self->fd, closed, self->pidfd, pid, &id));
	EXPECT_EQ(EINVAL, try_proxy(self->fd, self->fd, self->pidfd, pid, &id));
	EXPECT_EQ(EINVAL, try_proxy(self->fd, -1, self->pidfd, getpid(), &id));
	EXPECT_EQ(EINVAL, try_proxy(self->fd, -1, own, pid, &id));
	EXPECT_EQ(EINVAL, try_proxy(self->fd, -1, self->efd, pid, &id));
	EXPECT_EQ(ESRCH, try_proxy(self->fd, -1, self->pidfd, 0, &id));
	EXPECT_EQ(ESRCH, try_proxy(self->fd, -1, self->pidfd, -1, &id));

	fill_proxy(&args, "proxied", -1, self->pidfd, pid);
	args.flags |= SEF_REGISTER_THREAD;
	EXPECT_EQ(EINVAL, call(self->fd, SEF_IOC_REGISTER, &args));
	fill_proxy(&args, "proxied", -1, self->pidfd, 0);
	args.flags = 0;
	EXPECT_EQ(EINVAL, call(self->fd, SEF_IOC_REGISTER, &args));
	fill_proxy(&args, "proxied", -1, 0, pid);
	args.flags = SEF_REGISTER_THREAD;
	EXPECT_EQ(EINVAL, call(self->fd, SEF_IOC_REGISTER, &args));
	EXPECT_EQ(POISON64, args.id);

	/* none of them took a role, or left anything */
	EXPECT_EQ(EBADFD, pong(self->fd, 0));
	EXPECT_EQ(ESRCH, status_error(self->sup, 0, SEF_STATUS_NEXT));
	EXPECT_EQ(0, close(own));
}

static void *hold_thread(void *tid)
{
	__atomic_store_n((pid_t *)tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (;;)
		pause();
	return NULL;
}

/* A thread is registered by itself only. */
TEST_F(proxy, of_a_thread) {
	pthread_t thread;
	pid_t tid = 0;
	int pidfd;
	__u64 id;

	ASSERT_EQ(0, pthread_create(&thread, NULL, hold_thread, &tid));
	while (!__atomic_load_n(&tid, __ATOMIC_ACQUIRE))
		sched_yield();
	pidfd = pidfd_open(tid, THREAD_PIDFD);
	if (pidfd < 0)
		SKIP(return, "no pidfds of threads");
	EXPECT_EQ(ESRCH, try_proxy(self->fd, -1, pidfd, tid, &id));
	EXPECT_EQ(0, close(pidfd));
}

TEST_F(proxy, takes_the_right_to_signal) {
	pid_t pid = fork();
	__u64 id;

	if (!pid) {
		ASSERT_EQ(0, setresgid(NOBODY, NOBODY, NOBODY));
		ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
		EXPECT_EQ(EPERM, try_proxy(self->fd, self->efd, self->pidfd,
					   self->s.pid, &id));
		EXPECT_EQ(EBADFD, pong(self->fd, 0));
		_exit(_metadata->exit_code);
	}
	join_child(_metadata, pid);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, NOBODY));
	pid = fork();
	if (!pid) {
		ASSERT_EQ(0, setresgid(NOBODY, NOBODY, NOBODY));
		ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
		EXPECT_EQ(0, try_proxy(self->fd, self->efd, self->pidfd,
				       self->s.pid, &id));
		EXPECT_EQ(0, pong(self->fd, 0));
		_exit(_metadata->exit_code);
	}
	join_child(_metadata, pid);
}

TEST_F(proxy, of_one_that_has_ended) {
	pid_t pid = self->s.pid;
	int status;
	__u64 id;

	send_order(_metadata, &self->s, DO_EXIT, 3);
	ASSERT_TRUE(wait_task_state(pid, pid, 'Z'));
	EXPECT_EQ(ESRCH, try_proxy(self->fd, -1, self->pidfd, pid, &id));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(ESRCH, try_proxy(self->fd, -1, self->pidfd, pid, &id));
	EXPECT_EQ(EBADFD, pong(self->fd, 0));
	self->s.pid = 0;
	EXPECT_EQ(0, close(self->s.sock));
}

TEST_F(proxy, its_process_ends) {
	__u64 granted, id = new_proxied(_metadata, self);
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };
	struct sef_request req;
	struct sef_event ev;
	int status;

	ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 0));
	send_order(_metadata, &self->s, DO_EXIT, 3);
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(3 << 8, ev.wait_status);
	/* what does not live can't be said to */
	EXPECT_EQ(ESRCH, pong(self->fd, 0));
	EXPECT_EQ(SEF_STATE_DEAD, state_of(_metadata, self->sup, id));
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(ESRCH, extend(self->fd, HOUR, &granted));
	/* though a ping was not answered */
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLHUP, pfd.revents);
	EXPECT_EQ(-1, read(self->fd, &req, sizeof(req)));
	EXPECT_EQ(ESRCH, errno);
	ASSERT_EQ(self->s.pid, waitpid(self->s.pid, &status, 0));
	self->s.pid = 0;
	EXPECT_EQ(0, close(self->s.sock));
}

static void *read_request(void *fd)
{
	struct sef_request req;

	fcntl(*(int *)fd, F_SETFL, 0);
	return (void *)(read(*(int *)fd, &req, sizeof(req)) < 0 ? (long)errno : 0L);
}

/* Also to a proxy that waits to be asked. */
TEST_F(proxy, its_process_ends_meanwhile) {
	pthread_t thread;
	void *err = NULL;

	new_proxied(_metadata, self);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_request, &self->fd));
	send_order(_metadata, &self->s, DO_EXIT, 3);
	ASSERT_EQ(0, pthread_join(thread, &err));
	EXPECT_EQ(ESRCH, (long)err);
}

TEST_F(proxy, lets_go) {
	__u64 id = new_proxied(_metadata, self);
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 0));
	ASSERT_EQ(0, close(self->fd));
	self->fd = -1;
	until(_metadata, self->sup, id, SEF_STATE_GONE, &ev);
	EXPECT_TRUE(lives(&self->s));
}

/* Why, and what is done about it: the process's, not the proxy's. */
TEST_F(proxy, falls_silent) {
	__u64 id = new_proxied(_metadata, self);
	struct sef_watch_args args;
	struct sef_event ev;
	int status;

	fill_watch(&args, id, HOUR, SHORT, 0);
	args.kill_ns = SHORT;
	ASSERT_EQ(0, kill(self->s.pid, SIGSTOP));
	ASSERT_TRUE(wait_task_state(self->s.pid, self->s.pid, 'T'));
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until(_metadata, self->sup, id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(SEF_WHY_STOPPED, ev.why);
	EXPECT_EQ(self->s.pid, ev.tid);
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SIGKILL, ev.wait_status);
	ASSERT_EQ(self->s.pid, waitpid(self->s.pid, &status, 0));
	self->s.pid = 0;
	EXPECT_EQ(0, close(self->s.sock));
}

static __s64 hold_file(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, 0);
		close(servant_sock);
		for (;;)
			pause();
	}
	return pid < 0 ? -errno : pid;
}

static __s64 proxy(int order, __s64 arg)
{
	int pidfd, err;
	__u64 id;

	if (order == DO_HOLD_FILE)
		return hold_file();
	if (order != DO_PROXY)
		return serve(order, arg);
	err = servant_open();
	pidfd = pidfd_open(arg, 0);
	if (err || pidfd < 0)
		return -EIO;
	err = try_proxy(servant_file, -1, pidfd, arg, &id);
	close(pidfd);
	return err ? -err : (__s64)id;
}

/* Who watches it learns that it is silent; for others it is no service now. */
static void expect_orphan(struct __test_metadata *_metadata,
			  FIXTURE_DATA(proxy) *self, __u64 id)
{
	int other = new_file(_metadata), status, looks = PATIENCE;
	struct sef_event ev;

	/* closed by whoever had the file last */
	while (status_error(other, id, 0) != ESRCH && looks--)
		poll(NULL, 0, 1);
	until(_metadata, self->sup, id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(0, ev.passed & PASSED(GONE));
	EXPECT_EQ(ESRCH, watch(other, id, HOUR, HOUR, 0));
	EXPECT_EQ(ESRCH, status_error(other, id, 0));
	EXPECT_EQ(0, close(other));

	EXPECT_TRUE(lives(&self->s));
	send_order(_metadata, &self->s, DO_EXIT, 4);
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(4 << 8, ev.wait_status);
	ASSERT_EQ(self->s.pid, waitpid(self->s.pid, &status, 0));
	self->s.pid = 0;
	EXPECT_EQ(0, close(self->s.sock));
}

TEST_F(proxy, dies) {
	struct servant p;
	struct sef_event ev;
	__s64 id;

	new_servant(_metadata, &p, proxy);
	id = ask(_metadata, &p, DO_PROXY, self->s.pid);
	ASSERT_LT(0, id);
	ASSERT_EQ(0, watch(self->sup, id, SHORT, SHORT, 1));
	EXPECT_EQ(0, ask(_metadata, &p, DO_PONG, 0));
	until(_metadata, self->sup, id, SEF_STATE_ALIVE, &ev);
	end_servant(_metadata, &p);
	expect_orphan(_metadata, self, id);
}

/* The same where its file outlives it, and nobody knows the number any more. */
TEST_F(proxy, dies_and_leaves_its_file) {
	struct servant p;
	__s64 id, child;

	new_servant(_metadata, &p, proxy);
	id = ask(_metadata, &p, DO_PROXY, self->s.pid);
	ASSERT_LT(0, id);
	child = ask(_metadata, &p, DO_HOLD_FILE, 0);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, watch(self->sup, id, SHORT, SHORT, 1));
	end_servant(_metadata, &p);
	EXPECT_EQ(0, kill(child, SIGKILL));
	expect_orphan(_metadata, self, id);
}

/* Whoever ends while it is registered is dead in the end, or was never a service. */
TEST_F(proxy, races_with_the_end) {
	unsigned int i, registered = 0;
	struct sef_event ev;
	int fd, pidfd, err, status;
	pid_t pid;
	__u64 id;

	for (i = 0; i < 100; i++) {
		fd = new_file(_metadata);
		pid = fork();
		if (!pid)
			_exit(i & 127);
		pidfd = pidfd_open(pid, 0);
		ASSERT_LE(0, pidfd);
		if (i % 3)
			sched_yield();
		err = try_proxy(fd, -1, pidfd, pid, &id);
		if (err) {
			EXPECT_EQ(ESRCH, err);
		} else {
			registered++;
			ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 0));
			until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
			EXPECT_EQ((int)(i & 127) << 8, ev.wait_status);
			EXPECT_EQ(0, unwatch(self->sup, id));
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, close(pidfd));
		EXPECT_EQ(0, close(fd));
	}
	TH_LOG("%u of %u were registered", registered, i);
}

TEST_HARNESS_MAIN
