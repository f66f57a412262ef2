// SPDX-License-Identifier: GPL-2.0
/*
 * A thread registered for itself: only its own calls count, and its end is the
 * end of the service. Kernels before 6.9 tell nobody of that end: there it is found
 * when a watch next has something to do, so the periods here are short.
 */
#include "servant.h"

/* A thread of the test's own process, in step with the test by two semaphores. */
struct worker {
	pthread_t thread;
	pthread_barrier_t step;
	int fd;
	int efd;
	pid_t tid;
	__s64 (*todo)(struct worker *w);	/* NULL: end */
	__s64 done;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	w->tid = gettid();
	while (true) {
		pthread_barrier_wait(&w->step);
		if (!w->todo)
			return NULL;
		w->done = w->todo(w);
		pthread_barrier_wait(&w->step);
	}
}

static void new_worker(struct __test_metadata *_metadata, struct worker *w)
{
	ASSERT_EQ(0, pthread_barrier_init(&w->step, NULL, 2));
	w->fd = new_file(_metadata);
	w->efd = new_eventfd(_metadata);
	ASSERT_EQ(0, pthread_create(&w->thread, NULL, work, w));
}

static __s64 let(struct worker *w, __s64 (*todo)(struct worker *w))
{
	w->todo = todo;
	pthread_barrier_wait(&w->step);
	pthread_barrier_wait(&w->step);
	return w->done;
}

static void end_worker(struct __test_metadata *_metadata, struct worker *w)
{
	w->todo = NULL;
	pthread_barrier_wait(&w->step);
	ASSERT_EQ(0, pthread_join(w->thread, NULL));
	EXPECT_EQ(0, pthread_barrier_destroy(&w->step));
}

static __s64 do_register(struct worker *w)
{
	struct sef_register_args args;
	int err;

	fill_register(&args, "thread", w->efd);
	args.flags = SEF_REGISTER_THREAD;
	err = call(w->fd, SEF_IOC_REGISTER, &args);
	return err ? -err : (__s64)args.id;
}

static __s64 do_pong(struct worker *w)
{
	return pong(w->fd, 0);
}

static __s64 do_read(struct worker *w)
{
	struct sef_request req;

	return read(w->fd, &req, sizeof(req)) < 0 ? errno : 0;
}

static __s64 do_extend(struct worker *w)
{
	__u64 granted;

	return extend(w->fd, HOUR, &granted);
}

static __s64 do_set_null(struct worker *w)
{
	return set_reply(w->fd, SEF_REPLY_NULL);
}

static __s64 (*const service_calls[])(struct worker *w) = {
	do_read, do_pong, do_extend, do_set_null,
};

FIXTURE(thread)
{
	struct worker w;
	__u64 id;
	int sup;
};

FIXTURE_SETUP(thread)
{
	__s64 id;

	new_worker(_metadata, &self->w);
	id = let(&self->w, do_register);
	ASSERT_LT(0, id);
	self->id = id;
	self->sup = new_file(_metadata);
}

/* The worker has been ended by the test, or ends with the process. */
FIXTURE_TEARDOWN(thread)
{
	EXPECT_EQ(0, close(self->sup));
	EXPECT_EQ(0, close(self->w.efd));
	close(self->w.fd);
}

TEST_F(thread, is_told) {
	struct sef_status_args st;
	struct sef_event ev;
	struct service s;

	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, HOUR, 0));
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(SEF_REGISTER_THREAD, st.service_flags);
	EXPECT_EQ(self->w.tid, st.pid);
	EXPECT_NE(getpid(), st.pid);
	EXPECT_EQ(0, let(&self->w, do_pong));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(self->w.tid, ev.pid);

	new_service(_metadata, &s);
	get_status(_metadata, self->sup, s.id, &st);
	EXPECT_EQ(0, st.service_flags);
	EXPECT_EQ(getpid(), st.pid);
	close_service(_metadata, &s);
}

/* Another thread is not the service, the process's first one included. */
TEST_F(thread, only_its_own_calls) {
	struct worker other, borrowed;
	struct sef_status_args st;
	unsigned int i;

	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, HOUR, 0));
	new_worker(_metadata, &other);
	borrowed = (struct worker) { .fd = self->w.fd };
	EXPECT_EQ(0, close(other.fd));
	other.fd = self->w.fd;
	for (i = 0; i < ARRAY_SIZE(service_calls); i++) {
		EXPECT_EQ(EPERM, service_calls[i](&borrowed));
		EXPECT_EQ(EPERM, let(&other, service_calls[i]));
	}
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(SEF_STATE_WAITING, st.state);
	EXPECT_EQ(SEF_REPLY_PONG, st.reply);
	EXPECT_EQ(st.age_ns, st.silent_ns);
	EXPECT_TRUE(readable(self->w.fd));
	for (i = 0; i < ARRAY_SIZE(service_calls); i++)
		EXPECT_EQ(0, let(&self->w, service_calls[i]));
	end_worker(_metadata, &other);
	EXPECT_EQ(0, close(other.efd));
}

TEST_F(thread, the_first_thread) {
	int fd = new_file(_metadata);
	__u64 id = register_with(_metadata, fd, "first", -1, SEF_REGISTER_THREAD);
	struct sef_status_args st;
	unsigned int i;
	pid_t pid;

	EXPECT_EQ(0, close(self->w.fd));
	self->w.fd = fd;
	for (i = 0; i < ARRAY_SIZE(service_calls); i++)
		EXPECT_EQ(EPERM, let(&self->w, service_calls[i]));
	get_status(_metadata, fd, id, &st);
	EXPECT_EQ(getpid(), st.pid);
	EXPECT_EQ(SEF_REGISTER_THREAD, st.service_flags);
	EXPECT_EQ(0, pong(fd, 0));

	pid = fork();
	if (!pid) {
		EXPECT_EQ(EPERM, pong(fd, 0));
		_exit(0);
	}
	join_child(_metadata, pid);
}

/* Each for itself, and beside them the process. */
TEST_F(thread, several) {
	struct sef_event ev;
	struct worker other;
	struct service s;
	__s64 id;
	int sup = new_file(_metadata);

	new_worker(_metadata, &other);
	id = let(&other, do_register);
	ASSERT_LT(0, id);
	new_service(_metadata, &s);
	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, HOUR, 0));
	ASSERT_EQ(0, watch(sup, id, HOUR, HOUR, 0));
	EXPECT_EQ(1, get_pings(_metadata, other.efd));
	EXPECT_EQ(0, let(&other, do_pong));
	until(_metadata, sup, id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, pong(s.fd, 0));
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->sup, self->id));
	EXPECT_EQ(0, let(&self->w, do_pong));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	end_worker(_metadata, &other);
	EXPECT_EQ(0, close(sup));
	EXPECT_EQ(0, close(other.fd));
	EXPECT_EQ(0, close(other.efd));
	close_service(_metadata, &s);
}

/* The thread ends, its process does not. */
TEST_F(thread, ends) {
	int other = new_file(_metadata);
	struct sef_status_args st;
	struct sef_event ev;
	struct service s;
	__u64 granted;

	new_service(_metadata, &s);
	ASSERT_EQ(0, watch(other, s.id, HOUR, HOUR, 0));
	ASSERT_EQ(0, watch(self->sup, self->id, SHORT, HOUR, 0));
	end_worker(_metadata, &self->w);
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_DEAD, ev.state);
	EXPECT_EQ(PASSED(DEAD), ev.passed);
	EXPECT_EQ(1, ev.changes);
	EXPECT_EQ(self->w.tid, ev.pid);
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(SEF_STATE_DEAD, st.state);
	EXPECT_EQ(self->w.tid, st.pid);

	EXPECT_EQ(ESRCH, ping_error(self->sup, self->id));
	EXPECT_EQ(ESRCH, watch(self->sup, self->id, HOUR, HOUR, 0));
	EXPECT_EQ(EPERM, pong(self->w.fd, 0));
	EXPECT_EQ(EPERM, extend(self->w.fd, HOUR, &granted));
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->sup));

	/* of the process, nothing is said */
	EXPECT_EQ(0, pong(s.fd, 0));
	until(_metadata, other, s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	EXPECT_EQ(0, close(other));
	close_service(_metadata, &s);
}

/* Its end is found by whoever watches it later, too. */
TEST_F(thread, ended_before_it_was_watched) {
	struct sef_event ev;

	end_worker(_metadata, &self->w);
	ASSERT_EQ(0, watch(self->sup, self->id, SHORT, HOUR, 0));
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(PASSED(DEAD), ev.passed);
}

/* Any thread of the process may close the file. */
TEST_F(thread, closed_by_another) {
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->id, SHORT, HOUR, 0));
	EXPECT_EQ(0, close(self->w.fd));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_GONE, ev.state);
	end_worker(_metadata, &self->w);
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->sup));
}

/* Below, the service is a thread of another process. */
enum {
	DO_SPAWN = DO_MORE,	/* a thread registers itself; its id */
	DO_LEAVE,		/* the first thread ends, another obeys */
	DO_EXEC,		/* the first thread */
	DO_EXEC_IN_THREAD,	/* a new one, which registers before: its id */
};

static __s64 obey(int order, __s64 arg);

static void *obey_without_leader(void *unused)
{
	answer(!wait_task_state(getpid(), getpid(), 'Z'));
	obey_all(obey);
	return NULL;
}

static void *register_and_wait(void *id)
{
	__s64 *out = id;

	__atomic_store_n(out, servant_register(SEF_REGISTER_THREAD),
			 __ATOMIC_RELEASE);
	while (true)
		pause();
	return NULL;
}

static void exec_self(void)
{
	char sock[16], file[16];

	snprintf(sock, sizeof(sock), "%d", servant_sock);
	snprintf(file, sizeof(file), "%d", servant_file);
	fcntl(servant_sock, F_SETFD, 0);
	fcntl(servant_file, F_SETFD, 0);
	execl("/proc/self/exe", "thread_test", "--serve", sock, file, NULL);
	_exit(99);
}

static void *register_and_exec(void *unused)
{
	answer(servant_register(SEF_REGISTER_THREAD));
	exec_self();
	return NULL;
}

static __s64 obey(int order, __s64 arg)
{
	pthread_t thread;
	__s64 id = 0;

	switch (order) {
	case DO_SPAWN:
		if (pthread_create(&thread, NULL, register_and_wait, &id))
			return -EAGAIN;
		while (!__atomic_load_n(&id, __ATOMIC_ACQUIRE))
			sched_yield();
		return id;
	case DO_LEAVE:
		if (pthread_create(&thread, NULL, obey_without_leader, NULL))
			return -EAGAIN;
		syscall(SYS_exit, 3);
		break;
	case DO_EXEC:
		exec_self();
		break;
	case DO_EXEC_IN_THREAD:
		if (pthread_create(&thread, NULL, register_and_exec, NULL))
			return -EAGAIN;
		while (true)
			pause();
	}
	return serve(order, arg);
}

FIXTURE(process)
{
	struct servant s;
	int sup;
	int other;
};

FIXTURE_SETUP(process)
{
	new_servant(_metadata, &self->s, obey);
	self->sup = new_file(_metadata);
	self->other = new_file(_metadata);
}

FIXTURE_TEARDOWN(process)
{
	EXPECT_EQ(0, close(self->sup));
	EXPECT_EQ(0, close(self->other));
	end_servant(_metadata, &self->s);
}

TEST_F(process, leader_ends_first) {
	__s64 id = ask(_metadata, &self->s, DO_REGISTER, SEF_REGISTER_THREAD);
	struct sef_event ev;
	__s64 all;

	ASSERT_LT(0, id);
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	ASSERT_EQ(0, watch(self->sup, id, SHORT, HOUR, 0));
	until(_metadata, self->sup, id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_LEAVE, 0));
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(self->s.pid, ev.pid);
	EXPECT_EQ(3 << 8, ev.wait_status);

	/* the process goes on without it */
	all = ask(_metadata, &self->s, DO_REGISTER, 0);
	ASSERT_LT(0, all);
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	ASSERT_EQ(0, watch(self->other, all, HOUR, HOUR, 0));
	until(_metadata, self->other, all, SEF_STATE_ALIVE, &ev);
	send_order(_metadata, &self->s, DO_EXIT, 4);
	until(_metadata, self->other, all, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(4 << 8, ev.wait_status);
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->sup));
}

/* All threads of a process that ends. */
static void expect_both_dead(struct __test_metadata *_metadata,
			     FIXTURE_DATA(process) *self, __s64 leader,
			     __s64 thread, int wait_status)
{
	struct sef_event ev;

	until(_metadata, self->sup, leader, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(PASSED(DEAD), ev.passed);
	EXPECT_EQ(wait_status, ev.wait_status);
	until(_metadata, self->other, thread, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(PASSED(DEAD), ev.passed);
}

static void watch_both(struct __test_metadata *_metadata,
		       FIXTURE_DATA(process) *self, __s64 *leader, __s64 *thread)
{
	*leader = ask(_metadata, &self->s, DO_REGISTER, SEF_REGISTER_THREAD);
	*thread = ask(_metadata, &self->s, DO_SPAWN, 0);
	ASSERT_LT(0, *leader);
	ASSERT_LT(0, *thread);
	ASSERT_EQ(0, watch(self->sup, *leader, HOUR, HOUR, 0));
	ASSERT_EQ(0, watch(self->other, *thread, SHORT, HOUR, 0));
}

TEST_F(process, exits) {
	__s64 leader, thread;

	watch_both(_metadata, self, &leader, &thread);
	send_order(_metadata, &self->s, DO_EXIT, 5);
	expect_both_dead(_metadata, self, leader, thread, 5 << 8);
}

TEST_F(process, is_killed) {
	__s64 leader, thread;

	watch_both(_metadata, self, &leader, &thread);
	EXPECT_EQ(0, kill(self->s.pid, SIGKILL));
	expect_both_dead(_metadata, self, leader, thread, SIGKILL);
}

TEST_F(process, execs) {
	__s64 id = ask(_metadata, &self->s, DO_REGISTER, SEF_REGISTER_THREAD);
	struct sef_event ev;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, watch(self->sup, id, SHORT, HOUR, 0));
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_EXEC, 0));
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	send_order(_metadata, &self->s, DO_EXIT, 6);
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(6 << 8, ev.wait_status);
}

/* Who executes a program becomes the first thread, and the old one's number. */
TEST_F(process, execs_in_the_thread) {
	__s64 all = ask(_metadata, &self->s, DO_REGISTER, 0);
	__s64 id = ask(_metadata, &self->s, DO_EXEC_IN_THREAD, 0);
	struct sef_event ev;

	ASSERT_LT(0, all);
	ASSERT_LT(0, id);
	EXPECT_EQ(0, get_answer(_metadata, &self->s));
	ASSERT_EQ(0, watch(self->sup, id, SHORT, HOUR, 0));
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(EPERM, ask(_metadata, &self->s, DO_PONG, 0));
	EXPECT_EQ(ESRCH, status_error(self->other, all, 0));	/* close-on-exec */
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--serve")) {
		servant_sock = atoi(argv[2]);
		servant_file = atoi(argv[3]);
		answer(0);
		obey_all(obey);
	}
	return test_harness_run(argc, argv);
}
