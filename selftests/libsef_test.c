// SPDX-License-Identifier: GPL-2.0
/* libsef: its calls, by the header that others have. */
#define _GNU_SOURCE
#include <sched.h>
#include <sef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "sef_test.h"

#define THREADS		4
#define ROUNDS		50
#define MANY		40	/* more descriptors than sef_receive() has at hand */
#define USER		54321

/* -1 and that errno, whatever errno was before. */
#define EXPECT_ERROR(err, call)			\
	do {					\
		errno = 0;			\
		EXPECT_EQ(-1, call);		\
		EXPECT_EQ(err, errno);		\
	} while (0)

#define EXPECT_NULL_ERROR(err, call)		\
	do {					\
		errno = 0;			\
		EXPECT_EQ(NULL, call);		\
		EXPECT_EQ(err, errno);		\
	} while (0)

static struct sef_service *open_service(struct __test_metadata *_metadata,
					const char *name, __u32 flags)
{
	struct sef_service *service = sef_service_open(name, SEF_REPLY_PONG, flags);

	ASSERT_NE(NULL, service) {
		TH_LOG("sef_service_open: %s", strerror(errno));
	}
	return service;
}

static int open_supervisor(struct __test_metadata *_metadata)
{
	int sup = sef_supervisor_open(O_NONBLOCK);

	ASSERT_LE(0, sup) {
		TH_LOG("/dev/sef: %s: load sef.ko and be root", strerror(errno));
	}
	return sup;
}

/* Only a ping that is asked for comes, or the first; no deadline is met. */
static void watch_quietly(struct __test_metadata *_metadata, int sup, __u64 id,
			  __u32 flags)
{
	struct sef_watch_args args;

	sef_watch_init(&args, HOUR, HOUR);
	args.id = id;
	args.cookie = ~id;
	args.flags = flags;
	ASSERT_EQ(0, sef_watch(sup, &args));
}

FIXTURE(libsef)
{
	struct sef_service *service;
	__u64 id;
	int sup;
};

FIXTURE_SETUP(libsef)
{
	self->sup = open_supervisor(_metadata);
	self->service = open_service(_metadata, "libsef_test", 0);
	self->id = sef_service_id(self->service);
	ASSERT_NE(0, self->id);
}

FIXTURE_TEARDOWN(libsef)
{
	sef_service_close(self->service);
	EXPECT_EQ(0, close(self->sup));
}

TEST_F(libsef, service_open) {
	struct sef_status_args st;
	int fd = sef_service_fd(self->service);

	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_STREQ("libsef_test", st.name);
	EXPECT_EQ(getpid(), st.pid);
	EXPECT_EQ(SEF_REPLY_PONG, st.reply);
	EXPECT_EQ(0, st.service_flags);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_NONBLOCK, fcntl(fd, F_GETFL) & O_NONBLOCK);
}

TEST_F(libsef, service_open_args) {
	char name[SEF_NAME_SIZE + 1] = "0123456789abcdef0123456789abcde";
	struct sef_status_args st;
	struct sef_service *other;

	other = sef_service_open(name, SEF_REPLY_NULL, SEF_REGISTER_THREAD);
	ASSERT_NE(NULL, other);
	get_status(_metadata, self->sup, sef_service_id(other), &st);
	EXPECT_STREQ(name, st.name);
	EXPECT_EQ(SEF_REPLY_NULL, st.reply);
	EXPECT_EQ(SEF_REGISTER_THREAD, st.service_flags);
	sef_service_close(other);

	strcat(name, "f");
	EXPECT_NULL_ERROR(EINVAL, sef_service_open(name, SEF_REPLY_PONG, 0));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open("", SEF_REPLY_PONG, 0));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open(NULL, SEF_REPLY_PONG, 0));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open("x", SEF_REPLY_NULL + 1, 0));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open("x", SEF_REPLY_PONG, SEF_REGISTER_THREAD << 1));
}

TEST_F(libsef, close) {
	struct sef_event ev;

	watch_quietly(_metadata, self->sup, self->id, 0);
	errno = E2BIG;
	sef_service_close(self->service);
	sef_service_close(NULL);
	EXPECT_EQ(E2BIG, errno);
	self->service = NULL;
	until(_metadata, self->sup, self->id, SEF_STATE_GONE, &ev);
}

TEST_F(libsef, answer) {
	struct sef_event ev;
	uint64_t seq = 0;

	EXPECT_EQ(0, sef_service_answer(self->service));
	watch_quietly(_metadata, self->sup, self->id, SEF_WATCH_STRICT);
	ASSERT_EQ(0, sef_ping(self->sup, self->id, &seq));
	EXPECT_TRUE(readable(sef_service_fd(self->service)));
	EXPECT_EQ(0, sef_service_answer(self->service));
	EXPECT_FALSE(readable(sef_service_fd(self->service)));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(seq, ev.asked_seq);
	EXPECT_EQ(0, sef_service_answer(self->service));
}

TEST_F(libsef, request_and_pong) {
	struct sef_request request;
	struct sef_status_args st;
	uint64_t seq;

	memset(&request, POISON, sizeof(request));
	EXPECT_EQ(0, sef_service_request(self->service, &request));
	EXPECT_EQ(POISON64, request.seq);
	watch_quietly(_metadata, self->sup, self->id, 0);
	ASSERT_EQ(0, sef_ping(self->sup, self->id, NULL));
	ASSERT_EQ(0, sef_ping(self->sup, self->id, &seq));
	ASSERT_EQ(1, sef_service_request(self->service, &request));
	EXPECT_EQ(SEF_REQUEST_PING, request.type);
	EXPECT_EQ(seq, request.seq);
	EXPECT_GE(HOUR, request.left_ns);
	EXPECT_LT(HOUR / 2, request.left_ns);

	EXPECT_ERROR(EINVAL, sef_service_pong(self->service, seq + 1));
	EXPECT_EQ(0, sef_service_pong(self->service, seq));
	EXPECT_ERROR(ESTALE, sef_service_pong(self->service, seq));
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(seq, st.pong_seq);
}

TEST_F(libsef, alive) {
	struct sef_status_args st;

	EXPECT_EQ(0, sef_service_alive(self->service));
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_LT(st.silent_ns, st.age_ns);
}

TEST_F(libsef, extend) {
	struct sef_watch_args args;
	uint64_t granted = POISON64;

	EXPECT_ERROR(EINVAL, sef_service_extend(self->service, 0, &granted));
	EXPECT_ERROR(EINVAL, sef_service_extend(self->service, SEF_TIME_MIN_NS - 1, &granted));
	EXPECT_ERROR(EINVAL, sef_service_extend(self->service, SEF_TIME_MAX_NS + 1, &granted));
	EXPECT_EQ(POISON64, granted);
	EXPECT_EQ(0, sef_service_extend(self->service, HOUR, &granted));
	EXPECT_EQ(HOUR, granted);
	sef_watch_init(&args, HOUR, HOUR);
	args.id = self->id;
	args.extend_ns = HOUR / 2;
	ASSERT_EQ(0, sef_watch(self->sup, &args));
	EXPECT_EQ(0, sef_service_extend(self->service, HOUR, NULL));
	EXPECT_EQ(0, sef_service_extend(self->service, HOUR, &granted));
	EXPECT_GE(HOUR / 2, granted);
	EXPECT_LT(HOUR / 4, granted);
}

TEST_F(libsef, set_reply) {
	struct sef_status_args st;

	EXPECT_ERROR(EINVAL, sef_service_set_reply(self->service, SEF_REPLY_NULL + 1));
	EXPECT_EQ(0, sef_service_set_reply(self->service, SEF_REPLY_NULL));
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(SEF_REPLY_NULL, st.reply);
	EXPECT_EQ(0, sef_service_set_reply(self->service, SEF_REPLY_PONG));
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(SEF_REPLY_PONG, st.reply);
}

static void *map_in_thread(void *service)
{
	return sef_service_page(service);
}

TEST_F(libsef, page) {
	void *pages[THREADS] = {};
	pthread_t threads[THREADS];
	struct sef_page *page;
	struct sef_event ev;
	uint64_t seq;
	int i;

	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, map_in_thread, self->service));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], &pages[i]));
	page = sef_service_page(self->service);
	ASSERT_NE(NULL, page);
	for (i = 0; i < THREADS; i++)
		EXPECT_EQ(page, pages[i]);

	watch_quietly(_metadata, self->sup, self->id, 0);
	ASSERT_EQ(0, sef_ping(self->sup, self->id, &seq));
	EXPECT_EQ((__u32)seq, sef_page_pong(page, 0));
	/* to ask for another is to make the kernel look */
	ASSERT_EQ(0, sef_ping(self->sup, self->id, NULL));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(seq, ev.asked_seq);
}

TEST_F(libsef, child) {
	struct sef_request request;
	pid_t pid;

	ASSERT_NE(NULL, sef_service_page(self->service));
	watch_quietly(_metadata, self->sup, self->id, 0);
	ASSERT_EQ(0, sef_ping(self->sup, self->id, NULL));
	pid = fork();
	if (!pid) {
		EXPECT_ERROR(EPERM, sef_service_answer(self->service));
		EXPECT_ERROR(EPERM, sef_service_alive(self->service));
		EXPECT_ERROR(EPERM, sef_service_pong(self->service, 1));
		EXPECT_ERROR(EPERM, sef_service_request(self->service, &request));
		EXPECT_ERROR(EPERM, sef_service_extend(self->service, HOUR, NULL));
		EXPECT_ERROR(EPERM, sef_service_set_reply(self->service, SEF_REPLY_NULL));
		EXPECT_NULL_ERROR(EPERM, sef_service_page(self->service));
		sef_service_close(self->service);
		_exit(_metadata->exit_code);
	}
	join_child(_metadata, pid);
	/* what the child closed was its own */
	EXPECT_EQ(0, sef_service_answer(self->service));
}

static void *answer_in_thread(void *service)
{
	errno = 0;
	return (void *)(long)(sef_service_alive(service) ? errno : 0);
}

TEST_F(libsef, thread_service) {
	struct sef_service *mine = open_service(_metadata, "thread", SEF_REGISTER_THREAD);
	pthread_t thread;
	void *err = NULL;

	ASSERT_EQ(0, pthread_create(&thread, NULL, answer_in_thread, mine));
	ASSERT_EQ(0, pthread_join(thread, &err));
	EXPECT_EQ(EPERM, (long)err);
	EXPECT_EQ(0, sef_service_alive(mine));
	sef_service_close(mine);
}

struct crowd {
	struct sef_service *service;
	bool end;
};

/* Whoever is woken answers; all may be at the same ping. */
static void *answer_all(void *arg)
{
	struct crowd *crowd = arg;
	struct pollfd pfd = { .fd = sef_service_fd(crowd->service), .events = POLLIN };

	while (!__atomic_load_n(&crowd->end, __ATOMIC_RELAXED)) {
		poll(&pfd, 1, 10);
		errno = 0;
		if (sef_service_answer(crowd->service))
			return (void *)(long)(errno ?: -1);
	}
	return NULL;
}

TEST_F(libsef, many_threads) {
	struct crowd crowd = { .service = self->service };
	pthread_t threads[THREADS];
	struct sef_event ev;
	void *err = NULL;
	uint64_t seq;
	int i;

	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, answer_all, &crowd));
	watch_quietly(_metadata, self->sup, self->id, SEF_WATCH_STRICT);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, sef_ping(self->sup, self->id, &seq));
		do
			until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
		while (ev.asked_seq != seq);
	}
	__atomic_store_n(&crowd.end, true, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &err));
		EXPECT_EQ(NULL, err);
	}
}

TEST_F(libsef, supervisor_open) {
	int fd = sef_supervisor_open(0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, fcntl(fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(O_NONBLOCK, fcntl(self->sup, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, close(fd));
	EXPECT_ERROR(EINVAL, sef_supervisor_open(O_APPEND));
}

TEST_F(libsef, watch_init) {
	struct sef_watch_args args, want = {
		.period_ns = 1,
		.timeout_ns = 2,
		.tolerate = 1,
		.excuse = SEF_EXCUSE_DEFAULT,
	};

	memset(&args, POISON, sizeof(args));
	sef_watch_init(&args, 1, 2);
	EXPECT_EQ(0, memcmp(&want, &args, sizeof(args)));
}

TEST_F(libsef, watch_by_id) {
	struct sef_watch_args args;

	sef_watch_init(&args, HOUR, HOUR);
	args.id = self->id + 1000000;
	EXPECT_ERROR(ESRCH, sef_watch(self->sup, &args));
	EXPECT_ERROR(EBADFD, sef_unwatch(self->sup, self->id));
	args.id = self->id;
	args.period_ns = 0;
	EXPECT_ERROR(EINVAL, sef_watch(self->sup, &args));
	args.period_ns = HOUR;
	EXPECT_EQ(0, sef_watch(self->sup, &args));
	EXPECT_NE(SEF_STATE_UNWATCHED, state_of(_metadata, self->sup, self->id));
	EXPECT_EQ(0, sef_unwatch(self->sup, self->id));
	EXPECT_ERROR(ENOENT, sef_unwatch(self->sup, self->id));
	EXPECT_ERROR(ENOENT, sef_ping(self->sup, self->id, NULL));
	EXPECT_ERROR(EBADF, sef_watch(-1, &args));
}

/* A process that registered; end_process() ends it. */
static pid_t new_process(struct __test_metadata *_metadata, const char *name, int *orders,
			 uint64_t *id)
{
	int to[2], from[2];
	struct sef_service *service;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe2(to, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(from, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		service = sef_service_open(name, SEF_REPLY_PONG, 0);
		*id = service ? sef_service_id(service) : 0;
		if (write(from[1], id, sizeof(*id)) != sizeof(*id))
			_exit(1);
		_exit(read(to[0], &c, 1) != 1);
	}
	EXPECT_EQ(0, close(to[0]));
	EXPECT_EQ(0, close(from[1]));
	wait_readable(_metadata, from[0]);
	ASSERT_EQ(sizeof(*id), read(from[0], id, sizeof(*id)));
	ASSERT_NE(0, *id);
	EXPECT_EQ(0, close(from[0]));
	*orders = to[1];
	return pid;
}

static void end_process(struct __test_metadata *_metadata, pid_t pid, int orders)
{
	ASSERT_EQ(1, write(orders, "", 1));
	EXPECT_EQ(0, close(orders));
	join_child(_metadata, pid);
}

TEST_F(libsef, service_open_pidfd) {
	struct sef_service *proxied;
	struct sef_status_args st;
	struct sef_event ev;
	int orders, pidfd;
	uint64_t id;
	pid_t pid = new_process(_metadata, "child", &orders, &id);

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, pidfd);
	EXPECT_NULL_ERROR(EBADF, sef_service_open_pidfd("x", SEF_REPLY_PONG, 0, -1, pid));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open_pidfd("x", SEF_REPLY_PONG, 0, orders, pid));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open_pidfd("x", SEF_REPLY_PONG, 0, pidfd, getpid()));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open_pidfd("x", SEF_REPLY_PONG, 0, pidfd, 0));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open_pidfd("x", SEF_REPLY_PONG, 1, pidfd, pid));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open_pidfd("x", SEF_REPLY_NULL + 1, 0, pidfd, pid));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open_pidfd("", SEF_REPLY_PONG, 0, pidfd, pid));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open_pidfd(NULL, SEF_REPLY_PONG, 0, pidfd, pid));

	proxied = sef_service_open_pidfd("proxied", SEF_REPLY_PONG, 0, pidfd, pid);
	ASSERT_NE(NULL, proxied);
	EXPECT_EQ(0, close(pidfd));
	get_status(_metadata, self->sup, sef_service_id(proxied), &st);
	EXPECT_STREQ("proxied", st.name);
	EXPECT_EQ(pid, st.pid);
	EXPECT_EQ(SEF_REGISTER_PIDFD, st.service_flags);
	watch_quietly(_metadata, self->sup, st.id, 0);
	wait_readable(_metadata, sef_service_fd(proxied));
	EXPECT_EQ(0, sef_service_answer(proxied));
	until(_metadata, self->sup, st.id, SEF_STATE_ALIVE, &ev);

	end_process(_metadata, pid, orders);
	until(_metadata, self->sup, st.id, SEF_STATE_DEAD, &ev);
	EXPECT_ERROR(ESRCH, sef_service_alive(proxied));
	sef_service_close(proxied);
}

TEST_F(libsef, watch_by_pidfd) {
	struct sef_watch_args args, was;
	int orders, pidfd;
	uint64_t id;
	pid_t pid = new_process(_metadata, "child", &orders, &id);

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, pidfd);
	sef_watch_init(&args, HOUR, HOUR);
	was = args;
	EXPECT_ERROR(EBADF, sef_watch_pidfd(self->sup, -1, &args));
	EXPECT_ERROR(EINVAL, sef_watch_pidfd(self->sup, self->sup, &args));
	EXPECT_ERROR(EINVAL, sef_watch_pidfd(self->sup, orders, &args));
	args.period_ns = 0;
	EXPECT_ERROR(EINVAL, sef_watch_pidfd(self->sup, pidfd, &args));
	args.period_ns = HOUR;
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
	EXPECT_EQ(0, sef_watch_pidfd(self->sup, pidfd, &args));
	was.id = id;
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
	EXPECT_NE(SEF_STATE_UNWATCHED, state_of(_metadata, self->sup, id));
	/* ready to be changed by id; and there is no other of that process */
	EXPECT_EQ(0, sef_watch(self->sup, &args));
	EXPECT_ERROR(ESRCH, sef_watch_pidfd(self->sup, pidfd, &args));

	end_process(_metadata, pid, orders);
	EXPECT_ERROR(ESRCH, sef_watch_pidfd(self->sup, pidfd, &was));
	EXPECT_EQ(0, close(pidfd));
}

TEST_F(libsef, watch_by_name) {
	struct sef_watch_args args, was;
	struct sef_status_args st = { .id = 0 };
	struct sef_event ev;
	int orders[2];
	uint64_t id[2];
	pid_t pid[2];

	sef_watch_init(&args, HOUR, HOUR);
	was = args;
	EXPECT_ERROR(ESRCH, sef_watch_name(self->sup, "twin", &args));
	EXPECT_ERROR(ESRCH, sef_watch_name(self->sup, "", &args));
	EXPECT_EQ(0, sef_find_status(self->sup, "twin", &st));

	pid[0] = new_process(_metadata, "twin", &orders[0], &id[0]);
	pid[1] = new_process(_metadata, "twin", &orders[1], &id[1]);
	EXPECT_ERROR(ENOTUNIQ, sef_watch_name(self->sup, "twin", &args));
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
	st.id = 0;
	EXPECT_EQ(1, sef_find_status(self->sup, "twin", &st));
	EXPECT_EQ(id[0], st.id);
	EXPECT_EQ(1, sef_find_status(self->sup, "twin", &st));
	EXPECT_EQ(id[1], st.id);
	EXPECT_EQ(0, sef_find_status(self->sup, "twin", &st));

	/* a dead one that is still watched, hence seen, has the name no more */
	watch_quietly(_metadata, self->sup, id[0], 0);
	end_process(_metadata, pid[0], orders[0]);
	until(_metadata, self->sup, id[0], SEF_STATE_DEAD, &ev);
	EXPECT_EQ(0, sef_watch_name(self->sup, "twin", &args));
	was.id = id[1];
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
	EXPECT_NE(SEF_STATE_UNWATCHED, state_of(_metadata, self->sup, id[1]));
	end_process(_metadata, pid[1], orders[1]);
}

TEST_F(libsef, statuses) {
	struct sef_service *other = open_service(_metadata, "other", 0);
	struct sef_status_args st, was;
	int mine = 0, others = 0, looker = open_supervisor(_metadata);

	memset(&st, POISON, sizeof(st));
	EXPECT_EQ(0, sef_get_status(self->sup, self->id, &st));
	EXPECT_EQ(self->id, st.id);
	EXPECT_STREQ("libsef_test", st.name);
	was = st;
	EXPECT_ERROR(ESRCH, sef_get_status(self->sup, self->id + 1000000, &st));
	EXPECT_EQ(0, memcmp(&was, &st, sizeof(st)));
	EXPECT_ERROR(EBADF, sef_get_status(-1, self->id, &st));

	st.id = 0;
	while (sef_next_status(self->sup, &st) > 0) {
		mine += st.id == self->id;
		others += st.id == sef_service_id(other);
	}
	EXPECT_EQ(1, mine);
	EXPECT_EQ(1, others);
	/* What another supervisor thinks. */
	watch_quietly(_metadata, self->sup, self->id, 0);
	memset(&st, 0, sizeof(st));
	st.id = self->id - 1;
	ASSERT_EQ(1, sef_next_status(looker, &st));
	EXPECT_EQ(SEF_STATE_UNWATCHED, st.state);
	memset(&st, 0, sizeof(st));
	st.id = self->id - 1;
	st.flags = SEF_STATUS_WORST;
	ASSERT_EQ(1, sef_next_status(looker, &st));
	EXPECT_EQ(SEF_STATE_WAITING, st.state);
	EXPECT_EQ(self->id, st.id);
	EXPECT_EQ(0, close(looker));
	EXPECT_ERROR(EBADF, sef_next_status(-1, &st));
	EXPECT_ERROR(EBADF, sef_find_status(-1, "other", &st));
	sef_service_close(other);
}

TEST_F(libsef, events) {
	struct sef_service *other = open_service(_metadata, "other", 0);
	struct sef_event ev[3];

	EXPECT_ERROR(EBADFD, sef_read_events(self->sup, ev, 3));
	ASSERT_EQ(0, sef_service_alive(self->service));
	ASSERT_EQ(0, sef_service_alive(other));
	watch_quietly(_metadata, self->sup, self->id, 0);
	watch_quietly(_metadata, self->sup, sef_service_id(other), 0);
	memset(ev, POISON, sizeof(ev));
	EXPECT_EQ(2, sef_read_events(self->sup, ev, 3));
	EXPECT_EQ(self->id, ev[0].id);
	EXPECT_EQ(sef_service_id(other), ev[1].id);
	EXPECT_EQ(SEF_STATE_ALIVE, ev[0].state);
	EXPECT_EQ(SEF_STATE_ALIVE, ev[1].state);
	EXPECT_EQ(POISON64, ev[2].id);
	EXPECT_EQ(0, sef_read_events(self->sup, ev, 3));
	EXPECT_ERROR(EINVAL, sef_read_events(self->sup, ev, 0));
	EXPECT_ERROR(EBADF, sef_read_events(-1, ev, 3));
	sef_service_close(other);
}

TEST_F(libsef, newcomers) {
	struct sef_service *other;

	EXPECT_ERROR(EINVAL, sef_newcomers(self->sup, 2));
	ASSERT_EQ(0, sef_newcomers(self->sup, 1));
	other = open_service(_metadata, "other", 0);
	expect_newcomers(_metadata, self->sup, sef_service_id(other), 1);
	sef_service_close(other);
	ASSERT_EQ(0, sef_newcomers(self->sup, 0));
	other = open_service(_metadata, "other", 0);
	EXPECT_FALSE(readable(self->sup));
	sef_service_close(other);
}

TEST_F(libsef, why) {
	struct sef_watch_args args;
	struct sef_why_args why, was;
	struct sef_event ev;

	memset(&why, POISON, sizeof(why));
	was = why;
	EXPECT_ERROR(EBADFD, sef_get_why(self->sup, self->id, &why));
	watch_quietly(_metadata, self->sup, self->id, 0);
	EXPECT_ERROR(ENODATA, sef_get_why(self->sup, self->id, &why));
	EXPECT_ERROR(ENOENT, sef_get_why(self->sup, self->id + 1, &why));
	EXPECT_EQ(0, memcmp(&was, &why, sizeof(why)));

	ASSERT_EQ(0, sef_service_set_reply(self->service, SEF_REPLY_NULL));
	fill_watch(&args, self->id, SHORT, SHORT, 0);
	ASSERT_EQ(0, sef_watch(self->sup, &args));
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(0, sef_get_why(self->sup, self->id, &why));
	EXPECT_EQ(self->id, why.id);
	EXPECT_EQ(SEF_WHY_NULL_REPLY, why.why);
}

TEST_F(libsef, latency) {
	struct sef_latency_args latency, was;

	memset(&latency, POISON, sizeof(latency));
	was = latency;
	EXPECT_ERROR(EINVAL, sef_get_latency(self->sup, self->id, 2, &latency));
	EXPECT_ERROR(ESRCH, sef_get_latency(self->sup, self->id + 1000000, 0, &latency));
	EXPECT_EQ(0, memcmp(&was, &latency, sizeof(latency)));
	watch_quietly(_metadata, self->sup, self->id, 0);
	ASSERT_EQ(0, sef_ping(self->sup, self->id, NULL));
	ASSERT_EQ(0, sef_service_answer(self->service));
	EXPECT_EQ(0, sef_get_latency(self->sup, self->id, SEF_LATENCY_RESET, &latency));
	EXPECT_EQ(self->id, latency.id);
	EXPECT_EQ(1, latency.count);
	EXPECT_EQ(0, sef_get_latency(self->sup, self->id, 0, &latency));
	EXPECT_EQ(0, latency.count);
}

TEST(names)
{
	static const char *const states[] = {
		"unwatched", "waiting", "alive", "late", "unresponsive", "dead", "gone",
	};
	static const char *const causes[] = {
		"unknown", "null reply policy", "stopped", "traced", "frozen", "starved",
		"machine stalled", "spinning in user mode", "spinning in the kernel",
		"blocked", "asleep", "exiting",
	};
	__u32 i;

	for (i = 0; i <= SEF_STATE_GONE; i++)
		EXPECT_STREQ(states[i], sef_state_name(i));
	EXPECT_STREQ("unknown", sef_state_name(SEF_STATE_GONE + 1));
	EXPECT_STREQ("unknown", sef_state_name(~0U));
	for (i = 0; i <= SEF_WHY_EXITING; i++)
		EXPECT_STREQ(causes[i], sef_why_name(i));
	EXPECT_STREQ("unknown", sef_why_name(SEF_WHY_EXITING + 1));
	EXPECT_STREQ("unknown", sef_why_name(~0U));
	EXPECT_STREQ("pong", sef_reply_name(SEF_REPLY_PONG));
	EXPECT_STREQ("null", sef_reply_name(SEF_REPLY_NULL));
	EXPECT_STREQ("unknown", sef_reply_name(SEF_REPLY_NULL + 1));
}

/*
 * Without sef.ko. Each variant is a /dev of the test's own.
 */
FIXTURE(unsupervised)
{
	int log;	/* what the library says is read from there */
	int said;	/* and written here, in place of stderr */
};

FIXTURE_VARIANT(unsupervised)
{
	mode_t node;	/* 0: there is none */
	int major;
	int minor;
	int err;	/* that opening it gives */
};

FIXTURE_VARIANT_ADD(unsupervised, no_file) { .err = ENOENT };

/* 120: for experiments, no driver has it */
FIXTURE_VARIANT_ADD(unsupervised, no_driver) {
	.node = S_IFCHR | 0600, .major = 120, .err = ENXIO,
};

/* a misc device that no driver has had for decades */
FIXTURE_VARIANT_ADD(unsupervised, no_misc) {
	.node = S_IFCHR | 0600, .major = 10, .minor = 3, .err = ENODEV,
};

FIXTURE_SETUP(unsupervised)
{
	int ends[2];

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("none", "/dev", "tmpfs", 0, NULL));
	if (variant->node)
		ASSERT_EQ(0, mknod("/dev/sef", variant->node,
				   makedev(variant->major, variant->minor)));
	EXPECT_ERROR(variant->err, open("/dev/sef", O_RDWR | O_CLOEXEC));
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	self->log = ends[0];
	self->said = ends[1];
}

FIXTURE_TEARDOWN(unsupervised)
{
	EXPECT_EQ(0, close(self->log));
	EXPECT_EQ(0, close(self->said));
}

/* Open a service while what it says to stderr goes to the test. */
static struct sef_service *open_overheard(struct __test_metadata *_metadata, int said)
{
	struct sef_service *service;
	int old = dup(STDERR_FILENO);

	ASSERT_LE(0, old);
	ASSERT_EQ(STDERR_FILENO, dup2(said, STDERR_FILENO));
	service = sef_service_open("nobody", SEF_REPLY_PONG, 0);
	ASSERT_EQ(STDERR_FILENO, dup2(old, STDERR_FILENO));
	EXPECT_EQ(0, close(old));
	ASSERT_NE(NULL, service);
	return service;
}

static void expect_line(struct __test_metadata *_metadata, int log, int err)
{
	char line[512] = "";
	ssize_t n = read(log, line, sizeof(line) - 1);

	ASSERT_LT(0, n);
	EXPECT_EQ(line + n - 1, strchr(line, '\n'));
	EXPECT_NE(NULL, strstr(line, "/dev/sef: "));
	EXPECT_NE(NULL, strstr(line, strerror(err)));
	EXPECT_NE(NULL, strstr(line, "unsupervised"));
}

TEST_F(unsupervised, goes_on) {
	struct sef_service *service = open_overheard(_metadata, self->said);
	struct sef_request request;
	uint64_t granted = 0;
	struct sef_page *page;

	expect_line(_metadata, self->log, variant->err);
	EXPECT_EQ(0, sef_service_id(service));
	EXPECT_FALSE(readable(sef_service_fd(service)));
	EXPECT_EQ(FD_CLOEXEC, fcntl(sef_service_fd(service), F_GETFD));
	EXPECT_EQ(0, sef_service_answer(service));
	EXPECT_EQ(0, sef_service_alive(service));
	EXPECT_EQ(0, sef_service_pong(service, 1));
	EXPECT_EQ(0, sef_service_request(service, &request));
	EXPECT_EQ(0, sef_service_extend(service, HOUR, &granted));
	EXPECT_EQ(HOUR, granted);
	EXPECT_EQ(0, sef_service_set_reply(service, SEF_REPLY_NULL));
	page = sef_service_page(service);
	ASSERT_NE(NULL, page);
	EXPECT_EQ(page, sef_service_page(service));
	EXPECT_EQ(0, sef_page_pong(page, 0));
	EXPECT_FALSE(readable(sef_service_fd(service)));

	/* what is wrong with sef.ko is wrong without */
	EXPECT_ERROR(EINVAL, sef_service_extend(service, 0, NULL));
	EXPECT_ERROR(EINVAL, sef_service_set_reply(service, SEF_REPLY_NULL + 1));
	EXPECT_NULL_ERROR(EINVAL, sef_service_open("", SEF_REPLY_PONG, 0));
	sef_service_close(service);

	/* and it is said once */
	sef_service_close(open_overheard(_metadata, self->said));
	EXPECT_FALSE(readable(self->log));
	EXPECT_ERROR(variant->err, sef_supervisor_open(0));
}

TEST_F(unsupervised, silenced) {
	sef_set_log(NULL);
	sef_service_close(open_overheard(_metadata, self->said));
	EXPECT_FALSE(readable(self->log));
}

static char logged[512];
static int times_logged;

static void log_here(const char *line)
{
	times_logged++;
	snprintf(logged, sizeof(logged), "%s", line);
}

TEST_F(unsupervised, to_a_function) {
	sef_set_log(log_here);
	sef_service_close(open_overheard(_metadata, self->said));
	sef_service_close(open_overheard(_metadata, self->said));
	EXPECT_FALSE(readable(self->log));
	EXPECT_EQ(1, times_logged);
	EXPECT_NE(NULL, strstr(logged, strerror(variant->err)));
	EXPECT_EQ(NULL, strchr(logged, '\n'));
}

TEST_F(unsupervised, startup) {
	struct pollfd pfd = { .fd = self->said, .events = POLLOUT };

	sef_set_log(NULL);
	EXPECT_EQ(0, sef_startup());
	EXPECT_EQ(0, sef_service_id(sef_self()));
	EXPECT_ERROR(EBUSY, sef_startup());
	EXPECT_EQ(0, sef_receive(NULL, 0, 1));
	EXPECT_EQ(1, sef_receive(&pfd, 1, -1));
	EXPECT_EQ(POLLOUT, pfd.revents);
}

/* Any other error is one. */
TEST(not_permitted)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
			_exit(100);
		EXPECT_NULL_ERROR(EACCES, sef_service_open("x", SEF_REPLY_PONG, 0));
		EXPECT_ERROR(EACCES, sef_startup());
		EXPECT_ERROR(EACCES, sef_supervisor_open(0));
		_exit(_metadata->exit_code);
	}
	join_child(_metadata, pid);
}

/*
 * By the names of MINIX. The supervisor's file is what the service waits for.
 */
FIXTURE(startup)
{
	struct pollfd pfd;
};

FIXTURE_SETUP(startup)
{
	self->pfd.fd = open_supervisor(_metadata);
	self->pfd.events = POLLIN;
}

FIXTURE_TEARDOWN(startup)
{
	EXPECT_EQ(0, close(self->pfd.fd));
}

static __u64 start(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, sef_startup());
	ASSERT_NE(NULL, sef_self());
	ASSERT_NE(0, sef_service_id(sef_self()));
	return sef_service_id(sef_self());
}

/* A ping that is asked for, and what comes of it before something is readable. */
static void expect_answer(struct __test_metadata *_metadata, struct pollfd *pfd, __u64 id)
{
	struct sef_event ev;
	uint64_t seq;

	ASSERT_EQ(0, sef_ping(pfd->fd, id, &seq));
	do {
		pfd->revents = 0;
		ASSERT_EQ(1, sef_receive(pfd, 1, PATIENCE));
		ASSERT_EQ(POLLIN, pfd->revents);
		ASSERT_EQ(1, sef_read_events(pfd->fd, &ev, 1));
		ASSERT_EQ(SEF_STATE_ALIVE, ev.state);
	} while (!(ev.flags & SEF_EVENT_PONG));
	EXPECT_EQ(seq, ev.asked_seq);
}

TEST_F(startup, default_pongs) {
	struct sef_status_args st;
	__u64 id = start(_metadata);

	get_status(_metadata, self->pfd.fd, id, &st);
	EXPECT_STREQ(program_invocation_short_name, st.name);
	EXPECT_EQ(SEF_REPLY_PONG, st.reply);
	watch_quietly(_metadata, self->pfd.fd, id, SEF_WATCH_STRICT);
	expect_answer(_metadata, &self->pfd, id);
	expect_answer(_metadata, &self->pfd, id);
}

TEST_F(startup, before) {
	struct sef_request request = { .seq = 1 };

	EXPECT_EQ(NULL, sef_self());
	EXPECT_ERROR(EBADFD, sef_receive(NULL, 0, 0));
	EXPECT_ERROR(EBADFD, sef_cb_ping_reply_pong(&request));
	EXPECT_EQ(0, sef_cb_ping_reply_null(&request));
	EXPECT_ERROR(EINVAL, sef_setcb_ping_reply(NULL));
	EXPECT_ERROR(EINVAL, sef_setname(NULL));
	EXPECT_ERROR(EINVAL, sef_setname(""));
	EXPECT_ERROR(EINVAL, sef_setname("0123456789abcdef0123456789abcdef"));
	start(_metadata);
	EXPECT_ERROR(EBUSY, sef_startup());
	EXPECT_ERROR(EBUSY, sef_setcb_ping_reply(sef_cb_ping_reply_null));
	EXPECT_ERROR(EBUSY, sef_setname("late"));
}

TEST_F(startup, named) {
	struct sef_status_args st;
	__u64 id;

	ASSERT_EQ(0, sef_setname("0123456789abcdef0123456789abcde"));
	id = start(_metadata);
	get_status(_metadata, self->pfd.fd, id, &st);
	EXPECT_STREQ("0123456789abcdef0123456789abcde", st.name);
}

TEST_F(startup, null) {
	struct sef_watch_args args;
	struct sef_event ev = { .why = SEF_WHY_UNKNOWN };
	__u64 id;

	ASSERT_EQ(0, sef_setcb_ping_reply(SEF_CB_PING_REPLY_NULL));
	id = start(_metadata);
	fill_watch(&args, id, SHORT, SHORT, 0);
	ASSERT_EQ(0, sef_watch(self->pfd.fd, &args));
	do {
		ASSERT_EQ(1, sef_receive(&self->pfd, 1, PATIENCE));
		ASSERT_EQ(1, sef_read_events(self->pfd.fd, &ev, 1));
	} while (ev.state != SEF_STATE_UNRESPONSIVE);
	EXPECT_EQ(SEF_WHY_NULL_REPLY, ev.why);
}

static struct sef_request last_request;
static int called, refuse, fail_with;

static int custom(const struct sef_request *request)
{
	last_request = *request;
	called++;
	if (fail_with) {
		errno = fail_with;
		return -1;
	}
	return refuse ? 0 : sef_cb_ping_reply_pong(request);
}

TEST_F(startup, custom) {
	struct sef_status_args st;
	uint64_t seq;
	__u64 id;

	ASSERT_EQ(0, sef_setcb_ping_reply(SEF_CB_PING_REPLY_NULL));
	ASSERT_EQ(0, sef_setcb_ping_reply(custom));
	id = start(_metadata);
	get_status(_metadata, self->pfd.fd, id, &st);
	EXPECT_EQ(SEF_REPLY_PONG, st.reply);
	watch_quietly(_metadata, self->pfd.fd, id, SEF_WATCH_STRICT);
	expect_answer(_metadata, &self->pfd, id);
	get_status(_metadata, self->pfd.fd, id, &st);
	EXPECT_LE(1, called);
	EXPECT_EQ(SEF_REQUEST_PING, last_request.type);
	EXPECT_EQ(st.pong_seq, last_request.seq);
	EXPECT_LT(0, last_request.left_ns);

	/* one refused is one not answered; it may be answered later, and once more */
	refuse = 1;
	called = 0;
	ASSERT_EQ(0, sef_ping(self->pfd.fd, id, &seq));
	EXPECT_EQ(0, sef_receive(NULL, 0, 0));
	EXPECT_EQ(1, called);
	EXPECT_EQ(seq, last_request.seq);
	get_status(_metadata, self->pfd.fd, id, &st);
	EXPECT_GT(seq, st.pong_seq);
	EXPECT_EQ(0, sef_receive(NULL, 0, 0));
	EXPECT_EQ(1, called);
	EXPECT_EQ(0, sef_cb_ping_reply_pong(&last_request));
	EXPECT_EQ(0, sef_cb_ping_reply_pong(&last_request));
	get_status(_metadata, self->pfd.fd, id, &st);
	EXPECT_EQ(seq, st.pong_seq);

	/* what the callback says is told */
	fail_with = EDOM;
	ASSERT_EQ(0, sef_ping(self->pfd.fd, id, NULL));
	EXPECT_ERROR(EDOM, sef_receive(NULL, 0, PATIENCE));
}

/* Pings do not put off the end of the wait. */
TEST_F(startup, timeout) {
	struct sef_watch_args args;
	__u64 before, id = start(_metadata);
	struct sef_status_args st;

	fill_watch(&args, id, SEF_TIME_MIN_NS, HOUR, 0);
	ASSERT_EQ(0, sef_watch(self->pfd.fd, &args));
	do {
		before = now_ns();
		ASSERT_EQ(0, sef_receive(NULL, 0, 50));
		EXPECT_LE(50 * MSEC, now_ns() - before);
		get_status(_metadata, self->pfd.fd, id, &st);
	} while (st.pong_seq < ROUNDS);
	EXPECT_EQ(0, sef_receive(NULL, 0, 0));
}

TEST_F(startup, many_descriptors) {
	struct pollfd pfds[MANY];
	__u64 id = start(_metadata);
	struct sef_event ev;
	int i, ends[2];

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	for (i = 0; i < MANY; i++)
		pfds[i] = (struct pollfd) { .fd = ends[0], .events = POLLIN, .revents = -1 };
	pfds[1].fd = -1;
	pfds[MANY - 1].fd = self->pfd.fd;
	watch_quietly(_metadata, self->pfd.fd, id, 0);
	ASSERT_EQ(1, sef_receive(pfds, MANY, PATIENCE));
	for (i = 0; i < MANY - 1; i++)
		EXPECT_EQ(0, pfds[i].revents);
	EXPECT_EQ(POLLIN, pfds[MANY - 1].revents);
	until(_metadata, self->pfd.fd, id, SEF_STATE_ALIVE, &ev);

	/* one's own are told with a ping that waits too */
	ASSERT_EQ(1, write(ends[1], "", 1));
	ASSERT_EQ(0, sef_ping(self->pfd.fd, id, NULL));
	pfds[MANY - 1].fd = -1;
	EXPECT_EQ(MANY - 2, sef_receive(pfds, MANY, PATIENCE));
	EXPECT_EQ(POLLIN, pfds[0].revents);
	EXPECT_EQ(0, pfds[1].revents);
	EXPECT_EQ(POLLIN, pfds[MANY - 2].revents);
	until(_metadata, self->pfd.fd, id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(0, close(ends[0]));
	EXPECT_EQ(0, close(ends[1]));
}

static void interrupt(int sig)
{
	(void)sig;
}

TEST_F(startup, interrupted) {
	struct itimerspec soon = { .it_value.tv_nsec = SHORT, .it_interval.tv_nsec = SHORT };
	struct sigaction action = { .sa_handler = interrupt, .sa_flags = SA_RESTART };
	timer_t timer;

	start(_metadata);
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, timer_create(CLOCK_MONOTONIC, NULL, &timer));
	ASSERT_EQ(0, timer_settime(timer, 0, &soon, NULL));
	EXPECT_ERROR(EINTR, sef_receive(NULL, 0, PATIENCE));
	EXPECT_EQ(0, timer_delete(timer));
}

TEST_F(startup, child) {
	__u64 id = start(_metadata), own;
	pid_t pid;

	watch_quietly(_metadata, self->pfd.fd, id, 0);
	ASSERT_EQ(0, sef_ping(self->pfd.fd, id, NULL));
	pid = fork();
	if (!pid) {
		EXPECT_ERROR(EPERM, sef_receive(NULL, 0, PATIENCE));
		EXPECT_EQ(0, sef_setname("child"));
		EXPECT_EQ(0, sef_startup());
		own = sef_service_id(sef_self());
		EXPECT_LT(id, own);
		EXPECT_EQ(0, sef_receive(NULL, 0, 0));
		EXPECT_ERROR(EBUSY, sef_startup());
		_exit(_metadata->exit_code);
	}
	join_child(_metadata, pid);
	EXPECT_EQ(id, sef_service_id(sef_self()));
	expect_answer(_metadata, &self->pfd, id);
}

TEST_HARNESS_MAIN
