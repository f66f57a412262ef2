// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a service, and what is not its end: close, exit, kill, stop, fork,
 * dup, exec, threads; whoever its parent is. The service is a process of its
 * own, which does what it is ordered over a socket and answers each order.
 */
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sef_test.h"

enum order {
	DO_PONG,		/* arg: seq */
	DO_CLOSE,
	DO_DUP,
	DO_FORK,		/* a child that holds the files until we end */
	DO_EXEC,		/* arg: does the service's file survive? */
	DO_EXEC_IN_THREAD,
	DO_LEAVE_TO_THREAD,	/* the leader ends, a thread goes on */
	DO_EXIT,		/* arg: exit code; no answer */
	DO_EXIT_THREAD,		/* the last thread ends alone; no answer */
};

struct servant {
	pid_t pid;
	__u64 id;
};

/* In the servant. Its socket and file are numbers so that they survive exec. */
static int sock, file;

static void answer(int err)
{
	if (write(sock, &err, sizeof(err)) != sizeof(err))
		_exit(99);
}

static void hold_until_hangup(void)
{
	struct pollfd pfd = { .fd = sock };

	poll(&pfd, 1, -1);
	_exit(0);
}

static void *exec_self(void *keep_file)
{
	char sock_arg[16], file_arg[16];

	snprintf(sock_arg, sizeof(sock_arg), "%d", sock);
	snprintf(file_arg, sizeof(file_arg), "%d", file);
	fcntl(sock, F_SETFD, 0);
	fcntl(file, F_SETFD, keep_file ? 0 : FD_CLOEXEC);
	execl("/proc/self/exe", "life_test", "--serve", sock_arg, file_arg, NULL);
	answer(errno);
	return NULL;
}

static void serve(void);

static void *serve_without_leader(void *unused)
{
	answer(!wait_task_state(getpid(), getpid(), 'Z'));
	serve();
	return NULL;
}

static void obey(enum order order, long arg)
{
	pthread_t thread;
	pid_t pid;

	switch (order) {
	case DO_PONG:
		return answer(pong(file, arg));
	case DO_CLOSE:
		return answer(close(file));
	case DO_DUP:
		return answer(file - dup2(file, file + 100) + 100);
	case DO_FORK:
		pid = fork();
		if (!pid)
			hold_until_hangup();
		return answer(pid < 0);
	case DO_EXEC:
		exec_self((void *)arg);
		return;
	case DO_EXEC_IN_THREAD:
		if (pthread_create(&thread, NULL, exec_self, (void *)1L))
			_exit(99);
		pause();
		return;
	case DO_LEAVE_TO_THREAD:
		if (pthread_create(&thread, NULL, serve_without_leader, NULL))
			_exit(99);
		syscall(SYS_exit, 3);
		return;
	case DO_EXIT:
		_exit(arg);
	case DO_EXIT_THREAD:
		syscall(SYS_exit, arg);
	}
}

static void serve(void)
{
	long order[2];

	while (read(sock, order, sizeof(order)) == sizeof(order))
		obey(order[0], order[1]);
	_exit(0);
}

FIXTURE(life)
{
	struct servant s;
	int sock;
	int sup;
	int pidfd;
	pid_t child;		/* the service, or its parent */
	__s32 wait_status;	/* as the verdict has it, or -1 */
};

/* Whose child the service is. */
FIXTURE_VARIANT(life)
{
	bool of_another;
	bool reaped_by_kernel;
};

FIXTURE_VARIANT_ADD(life, own_child) {
	.of_another = false,
};

FIXTURE_VARIANT_ADD(life, child_of_another) {
	.of_another = true,
};

FIXTURE_VARIANT_ADD(life, child_that_is_ignored) {
	.of_another = true,
	.reaped_by_kernel = true,
};

static void be_servant(struct __test_metadata *_metadata)
{
	struct servant s = { .pid = getpid() };

	file = new_file(_metadata);
	s.id = register_as(_metadata, file, "servant", -1);
	if (write(sock, &s, sizeof(s)) != sizeof(s))
		_exit(99);
	serve();
}

static void be_parent(struct __test_metadata *_metadata, bool reaped_by_kernel)
{
	pid_t pid;

	if (reaped_by_kernel)
		signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (!pid)
		be_servant(_metadata);
	hold_until_hangup();
}

FIXTURE_SETUP(life)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	self->child = fork();
	ASSERT_LE(0, self->child);
	if (!self->child) {
		close(pair[0]);
		sock = pair[1];
		if (variant->of_another)
			be_parent(_metadata, variant->reaped_by_kernel);
		be_servant(_metadata);
	}
	close(pair[1]);
	self->sock = pair[0];
	ASSERT_EQ(sizeof(self->s), read(self->sock, &self->s, sizeof(self->s)));
	self->pidfd = pidfd_open(self->s.pid, 0);
	ASSERT_LE(0, self->pidfd);
	self->wait_status = -1;
	self->sup = new_file(_metadata);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
}

static int send_signal(FIXTURE_DATA(life) *self, int sig)
{
	return syscall(SYS_pidfd_send_signal, self->pidfd, sig, NULL, 0);
}

static void wait_end(struct __test_metadata *_metadata,
		     FIXTURE_DATA(life) *self)
{
	struct pollfd pfd = { .fd = self->pidfd, .events = POLLIN };

	ASSERT_EQ(1, poll(&pfd, 1, PATIENCE));
}

/* For a service of our own, the verdict is held against what wait(2) says. */
FIXTURE_TEARDOWN(life)
{
	struct sef_status_args st;
	int status = -1;

	EXPECT_EQ(0, close(self->sock));
	send_signal(self, SIGKILL);
	EXPECT_EQ(self->child, waitpid(self->child, &status, 0));
	if (!variant->of_another && self->wait_status != -1) {
		EXPECT_EQ(status, self->wait_status);
		if (!try_status(self->sup, self->s.id, 0, &st))
			EXPECT_EQ(self->s.pid, st.pid);	/* who it was */
	}
	EXPECT_EQ(0, close(self->pidfd));
	EXPECT_EQ(0, close(self->sup));
}

static void send_order(struct __test_metadata *_metadata,
		       FIXTURE_DATA(life) *self, enum order order, long arg)
{
	long msg[2] = { order, arg };

	ASSERT_EQ(sizeof(msg), write(self->sock, msg, sizeof(msg)));
}

static int get_answer(struct __test_metadata *_metadata,
		      FIXTURE_DATA(life) *self)
{
	int err = -1;

	wait_readable(_metadata, self->sock);
	ASSERT_EQ(sizeof(err), read(self->sock, &err, sizeof(err)));
	return err;
}

static int ask(struct __test_metadata *_metadata, FIXTURE_DATA(life) *self,
	       enum order order, long arg)
{
	send_order(_metadata, self, order, arg);
	return get_answer(_metadata, self);
}

static void expect_alive(struct __test_metadata *_metadata,
			 FIXTURE_DATA(life) *self)
{
	struct sef_event ev;

	ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, ask(_metadata, self, DO_PONG, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	EXPECT_EQ(self->s.pid, ev.pid);
}

#define ANY_STATUS	-1	/* the teardown checks it */

/* The one verdict that comes, and the last. */
static void expect_end(struct __test_metadata *_metadata,
		       FIXTURE_DATA(life) *self, __u32 state, int wait_status)
{
	struct sef_status_args st;
	struct sef_event ev;

	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(self->s.id, ev.id);
	EXPECT_EQ(state, ev.state);
	EXPECT_EQ(1U << state, ev.passed);
	if (wait_status != ANY_STATUS)
		EXPECT_EQ(wait_status, ev.wait_status);
	if (state == SEF_STATE_DEAD)
		self->wait_status = ev.wait_status;
	EXPECT_EQ(1, ev.changes);
	EXPECT_EQ(self->s.pid, ev.pid);

	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(state, st.state);
	EXPECT_EQ(ev.wait_status, st.wait_status);
	EXPECT_STREQ("servant", st.name);
	EXPECT_EQ(ESRCH, ping_error(self->sup, self->s.id));
	EXPECT_EQ(state == SEF_STATE_DEAD ? ESRCH : 0,
		  watch(self->sup, self->s.id, SHORT, SHORT, 0));
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->sup));
}

/* Its file is closed: whoever does not watch it knows nothing of it. */
static void expect_unregistered(struct __test_metadata *_metadata,
				FIXTURE_DATA(life) *self)
{
	int other = new_file(_metadata);
	struct sef_status_args st;

	EXPECT_EQ(ESRCH, status_error(other, self->s.id, 0));
	EXPECT_EQ(ESRCH, watch(other, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(other));
	ASSERT_EQ(0, try_status(self->sup, self->s.id - 1, SEF_STATUS_NEXT, &st));
	EXPECT_EQ(self->s.id, st.id);

	EXPECT_EQ(0, unwatch(self->sup, self->s.id));
	EXPECT_EQ(ENOENT, unwatch(self->sup, self->s.id));
	EXPECT_EQ(ESRCH, status_error(self->sup, self->s.id, 0));
	EXPECT_EQ(ESRCH, watch(self->sup, self->s.id, HOUR, HOUR, 0));
}

TEST_F(life, closed) {
	expect_alive(_metadata, self);
	EXPECT_EQ(0, ask(_metadata, self, DO_CLOSE, 0));
	expect_end(_metadata, self, SEF_STATE_GONE, 0);
	/* its end, later, is no news */
	send_order(_metadata, self, DO_EXIT, 1);
	wait_end(_metadata, self);
	let_deadlines_pass(_metadata, 2);
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(SEF_STATE_GONE, state_of(_metadata, self->sup, self->s.id));
	expect_unregistered(_metadata, self);
}

TEST_F(life, exited) {
	expect_alive(_metadata, self);
	send_order(_metadata, self, DO_EXIT, 7);
	expect_end(_metadata, self, SEF_STATE_DEAD, 7 << 8);
	expect_unregistered(_metadata, self);
}

/* While a ping is outstanding, and never called gone on its way. */
TEST_F(life, killed) {
	EXPECT_EQ(0, send_signal(self, SIGKILL));
	expect_end(_metadata, self, SEF_STATE_DEAD, SIGKILL);
	expect_unregistered(_metadata, self);
}

TEST_F(life, killed_while_stopped) {
	EXPECT_EQ(0, send_signal(self, SIGSTOP));
	EXPECT_EQ(0, send_signal(self, SIGKILL));
	expect_end(_metadata, self, SEF_STATE_DEAD, SIGKILL);
}

TEST_F(life, stopped_and_continued) {
	struct sef_event ev;

	expect_alive(_metadata, self);
	EXPECT_EQ(0, send_signal(self, SIGSTOP));
	ASSERT_TRUE(wait_task_state(self->s.pid, self->s.pid, 'T'));
	send_order(_metadata, self, DO_PONG, 0);
	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, SHORT, 1));
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(PASSED(LATE) | PASSED(UNRESPONSIVE), ev.passed);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 1));
	EXPECT_EQ(0, send_signal(self, SIGCONT));
	EXPECT_EQ(0, get_answer(_metadata, self));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, ev.misses);
}

/* A child has the file too, which ends nothing and keeps nothing alive. */
TEST_F(life, file_held_by_a_child) {
	int other = new_file(_metadata);
	struct sef_status_args st;

	EXPECT_EQ(0, ask(_metadata, self, DO_FORK, 0));
	expect_alive(_metadata, self);
	EXPECT_EQ(0, ask(_metadata, self, DO_CLOSE, 0));
	EXPECT_FALSE(readable(self->sup));
	send_order(_metadata, self, DO_EXIT, 9);
	expect_end(_metadata, self, SEF_STATE_DEAD, 9 << 8);

	/* dead and not closed: a zombie can be seen by who may signal it */
	if (!variant->reaped_by_kernel) {
		get_status(_metadata, other, self->s.id, &st);
		EXPECT_EQ(SEF_STATE_DEAD, st.state);
		EXPECT_EQ(9 << 8, st.wait_status);
	}
	EXPECT_EQ(0, close(other));
}

TEST_F(life, duplicated_file) {
	EXPECT_EQ(0, ask(_metadata, self, DO_DUP, 0));
	EXPECT_EQ(0, ask(_metadata, self, DO_CLOSE, 0));
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(EBADF, ask(_metadata, self, DO_PONG, 0));
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->sup, self->s.id));
	send_order(_metadata, self, DO_EXIT, 0);
	expect_end(_metadata, self, SEF_STATE_DEAD, 0);
}

TEST_F(life, exec_keeps_it) {
	EXPECT_EQ(0, ask(_metadata, self, DO_EXEC, 1));
	expect_alive(_metadata, self);
	send_order(_metadata, self, DO_EXIT, 2);
	expect_end(_metadata, self, SEF_STATE_DEAD, 2 << 8);
}

TEST_F(life, exec_closes_it) {
	EXPECT_EQ(0, ask(_metadata, self, DO_EXEC, 0));
	expect_end(_metadata, self, SEF_STATE_GONE, 0);
}

TEST_F(life, exec_in_a_thread) {
	EXPECT_EQ(0, ask(_metadata, self, DO_EXEC_IN_THREAD, 0));
	expect_alive(_metadata, self);
	EXPECT_EQ(0, send_signal(self, SIGKILL));
	expect_end(_metadata, self, SEF_STATE_DEAD, SIGKILL);
}

/* The leader is a zombie, its process is not dead. */
TEST_F(life, leader_ends_first) {
	EXPECT_EQ(0, ask(_metadata, self, DO_LEAVE_TO_THREAD, 0));
	expect_alive(_metadata, self);
	send_order(_metadata, self, DO_EXIT, 5);
	expect_end(_metadata, self, SEF_STATE_DEAD, 5 << 8);
}

/* A tracer is told of the leader's end at once, which is still not death. */
TEST_F(life, traced_leader_ends_first) {
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->s.pid, NULL, NULL));
	EXPECT_EQ(0, ask(_metadata, self, DO_LEAVE_TO_THREAD, 0));
	expect_alive(_metadata, self);
	send_order(_metadata, self, DO_EXIT, 5);
	expect_end(_metadata, self, SEF_STATE_DEAD, 5 << 8);
}

/* Threads that all ended one by one: whose is the status, kernels differ in. */
TEST_F(life, last_thread_ends_alone) {
	EXPECT_EQ(0, ask(_metadata, self, DO_LEAVE_TO_THREAD, 0));
	expect_alive(_metadata, self);
	send_order(_metadata, self, DO_EXIT_THREAD, 6);
	expect_end(_metadata, self, SEF_STATE_DEAD, ANY_STATUS);
}

TEST_F(life, leader_ends_first_then_killed) {
	EXPECT_EQ(0, ask(_metadata, self, DO_LEAVE_TO_THREAD, 0));
	EXPECT_EQ(0, send_signal(self, SIGKILL));
	expect_end(_metadata, self, SEF_STATE_DEAD, SIGKILL);
}

TEST_F(life, unwatched_death) {
	EXPECT_EQ(0, unwatch(self->sup, self->s.id));
	EXPECT_EQ(0, send_signal(self, SIGKILL));
	wait_end(_metadata, self);
	EXPECT_EQ(ESRCH, status_error(self->sup, self->s.id, 0));
	EXPECT_EQ(ESRCH, watch(self->sup, self->s.id, HOUR, HOUR, 0));
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--serve")) {
		sock = atoi(argv[2]);
		file = atoi(argv[3]);
		answer(0);
		serve();
	}
	return test_harness_run(argc, argv);
}
