// SPDX-License-Identifier: GPL-2.0
/*
 * Being told of every service that registers and that one may see. The kernel
 * tells a moment later, and whoever asked last first: once the observer knows, who
 * asked as the first, all do.
 */
#include <sched.h>

#include "servant.h"

#define NOBODY		65534
#define PARAMETERS	"/sys/module/sef/parameters/"

FIXTURE(newcomers)
{
	int observer;
	int sup;
	char *hole;	/* memory that is not there; a page before it is */
	long page_size;
};

FIXTURE_SETUP(newcomers)
{
	self->observer = new_file(_metadata);
	ASSERT_EQ(0, newcomers(self->observer, 1));
	self->sup = new_file(_metadata);
	ASSERT_EQ(0, newcomers(self->sup, 1));
	self->page_size = sysconf(_SC_PAGESIZE);
	self->hole = mmap(NULL, 2 * self->page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->hole != MAP_FAILED);
	self->hole += self->page_size;
	ASSERT_EQ(0, munmap(self->hole, self->page_size));
}

FIXTURE_TEARDOWN(newcomers)
{
	EXPECT_EQ(0, munmap(self->hole - self->page_size, self->page_size));
	EXPECT_EQ(0, close(self->sup));
	EXPECT_EQ(0, close(self->observer));
}

/* Wait until all are told of @changes more services. */
static void all_told(struct __test_metadata *_metadata,
		     FIXTURE_DATA(newcomers) *self, __u32 changes)
{
	struct sef_event ev;

	while (changes) {
		wait_readable(_metadata, self->observer);
		ASSERT_EQ(sizeof(ev), read(self->observer, &ev, sizeof(ev)));
		ASSERT_LE(ev.changes, changes);
		changes -= ev.changes;
	}
}

TEST_F(newcomers, one) {
	__u64 before = now_ns();
	struct sef_status_args st;
	struct sef_event ev;
	struct service s;

	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(-1, read(self->sup, &ev, sizeof(ev)));
	EXPECT_EQ(EAGAIN, errno);
	new_service(_metadata, &s);
	all_told(_metadata, self, 1);
	EXPECT_TRUE(readable(self->sup));
	memset(&ev, POISON, sizeof(ev));
	ASSERT_EQ(sizeof(ev), read(self->sup, &ev, sizeof(ev)));
	EXPECT_EQ(s.id, ev.id);
	EXPECT_GE(now_ns() - before, ev.age_ns);
	EXPECT_EQ(SEF_EVENT_NEWCOMER, ev.flags);
	EXPECT_EQ(1, ev.changes);
	EXPECT_EQ(0, ev.cookie | ev.seq | ev.asked_seq | ev.silent_ns | ev.rtt_ns);
	EXPECT_EQ(0, ev.state | ev.passed | ev.misses | ev.why);
	EXPECT_EQ(0, ev.pid | ev.wait_status);
	EXPECT_FALSE(readable(self->sup));

	ASSERT_EQ(0, try_status(self->sup, ev.id - 1, SEF_STATUS_NEXT, &st));
	EXPECT_EQ(s.id, st.id);

	/* what else becomes of it is no news of this kind */
	EXPECT_EQ(0, pong(s.fd, 0));
	close_service(_metadata, &s);
	new_service(_metadata, &s);
	all_told(_metadata, self, 1);
	expect_newcomers(_metadata, self->sup, s.id, 1);
	EXPECT_FALSE(readable(self->sup));
	close_service(_metadata, &s);
}

TEST_F(newcomers, many_in_one_record) {
	struct service s[20];
	int i, again;

	for (again = 0; again < 2; again++) {
		for (i = 0; i < 20; i++)
			new_service(_metadata, &s[i]);
		all_told(_metadata, self, 20);
		close_service(_metadata, &s[0]);
		expect_newcomers(_metadata, self->sup, s[0].id, 20);
		EXPECT_FALSE(readable(self->sup));
		for (i = 1; i < 20; i++)
			close_service(_metadata, &s[i]);
	}
}

TEST_F(newcomers, threads_and_children) {
	int fd = new_file(_metadata);
	struct servant child;
	__u64 id[2];

	id[0] = register_with(_metadata, fd, "t", -1, SEF_REGISTER_THREAD);
	id[1] = new_serving(_metadata, &child, serve, 0);
	EXPECT_LT(id[0], id[1]);
	all_told(_metadata, self, 2);
	expect_newcomers(_metadata, self->sup, id[0], 2);
	end_servant(_metadata, &child);
	EXPECT_EQ(0, close(fd));
}

/* A refused registration is none. */
TEST_F(newcomers, refused) {
	struct sef_register_args args;
	int fd = new_file(_metadata);
	struct service s;

	fill_register(&args, "", -1);
	EXPECT_EQ(EINVAL, call(fd, SEF_IOC_REGISTER, &args));
	fill_register(&args, "supervisor", -1);
	EXPECT_EQ(EBUSY, call(self->sup, SEF_IOC_REGISTER, &args));
	new_service(_metadata, &s);
	all_told(_metadata, self, 1);
	expect_newcomers(_metadata, self->sup, s.id, 1);
	close_service(_metadata, &s);
	EXPECT_EQ(0, close(fd));
}

TEST_F(newcomers, from_now_on) {
	int other = new_file(_metadata);
	struct service s[2];

	new_service(_metadata, &s[0]);
	ASSERT_EQ(0, newcomers(other, 1));
	EXPECT_FALSE(readable(other));
	new_service(_metadata, &s[1]);
	all_told(_metadata, self, 2);
	expect_newcomers(_metadata, other, s[1].id, 1);
	expect_newcomers(_metadata, self->sup, s[0].id, 2);
	EXPECT_EQ(0, close(other));
	close_service(_metadata, &s[0]);
	close_service(_metadata, &s[1]);
}

TEST_F(newcomers, on_and_off) {
	struct service s[4];
	struct sef_event ev;
	int i;

	/* what was not read yet is not wanted any more either */
	new_service(_metadata, &s[0]);
	all_told(_metadata, self, 1);
	ASSERT_EQ(0, newcomers(self->sup, 0));
	EXPECT_FALSE(readable(self->sup));
	new_service(_metadata, &s[1]);
	all_told(_metadata, self, 1);
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(-1, read(self->sup, &ev, sizeof(ev)));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, newcomers(self->sup, 0));

	ASSERT_EQ(0, newcomers(self->sup, 1));
	EXPECT_FALSE(readable(self->sup));
	new_service(_metadata, &s[2]);
	/* twice on is once on */
	ASSERT_EQ(0, newcomers(self->sup, 1));
	new_service(_metadata, &s[3]);
	all_told(_metadata, self, 2);
	expect_newcomers(_metadata, self->sup, s[2].id, 2);
	for (i = 0; i < 4; i++)
		close_service(_metadata, &s[i]);
}

TEST_F(newcomers, bad_arguments) {
	static const __u32 bad[] = { 2, 3, 0x80000000, ~0U };
	struct sef_newcomers_args args = { .on = 0, .flags = 1 };
	struct service s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(EINVAL, newcomers(self->sup, bad[i]));
	EXPECT_EQ(EINVAL, call(self->sup, SEF_IOC_NEWCOMERS, &args));
	new_service(_metadata, &s);
	EXPECT_EQ(EBADFD, newcomers(s.fd, 1));
	expect_newcomers(_metadata, self->sup, s.id, 1);
	close_service(_metadata, &s);
}

/* One supervisor does both, by turns: neither hides the other. */
TEST_F(newcomers, beside_watches) {
	struct sef_event ev[3];
	struct service s[3];
	int i;

	new_service(_metadata, &s[0]);
	expect_newcomers(_metadata, self->sup, s[0].id, 1);
	ASSERT_EQ(0, watch(self->sup, s[0].id, HOUR, HOUR, 0));
	new_service(_metadata, &s[1]);
	all_told(_metadata, self, 2);
	EXPECT_EQ(0, pong(s[0].fd, 0));
	memset(ev, POISON, sizeof(ev));
	ASSERT_EQ(2 * sizeof(ev[0]), read(self->sup, ev, sizeof(ev)));
	check_event(_metadata, &ev[0]);
	EXPECT_EQ(s[0].id, ev[0].id);
	EXPECT_EQ(SEF_STATE_ALIVE, ev[0].state);
	EXPECT_EQ(s[1].id, ev[1].id);
	EXPECT_EQ(SEF_EVENT_NEWCOMER, ev[1].flags);
	EXPECT_EQ(POISON64, ev[2].id);

	/* one record a read, and always more of both */
	for (i = 0; i < 6; i++) {
		ping(_metadata, self->sup, s[0].id);
		EXPECT_EQ(0, pong(s[0].fd, 0));
		new_service(_metadata, &s[2]);
		all_told(_metadata, self, 1);
		ASSERT_EQ(sizeof(ev[0]), read(self->sup, ev, sizeof(ev[0])));
		EXPECT_EQ(i % 2 ? SEF_EVENT_NEWCOMER : SEF_EVENT_PONG, ev[0].flags);
		close_service(_metadata, &s[2]);
	}
	EXPECT_TRUE(readable(self->sup));
	ASSERT_EQ(sizeof(ev[0]), read(self->sup, ev, sizeof(ev)));
	EXPECT_EQ(s[0].id, ev[0].id);

	/* off, the watches stay */
	ASSERT_EQ(0, newcomers(self->sup, 0));
	ping(_metadata, self->sup, s[0].id);
	EXPECT_EQ(0, pong(s[0].fd, 0));
	get_event(_metadata, self->sup, &ev[0]);
	EXPECT_EQ(SEF_EVENT_PONG, ev[0].flags);
	close_service(_metadata, &s[0]);
	close_service(_metadata, &s[1]);
}

/* A record that cannot be written is kept, beside what came since. */
TEST_F(newcomers, bad_buffers) {
	struct sef_event ev, *last = (void *)(self->hole - sizeof(ev));
	struct service s[3];

	new_service(_metadata, &s[0]);
	all_told(_metadata, self, 1);
	EXPECT_EQ(-1, read(self->sup, &ev, sizeof(ev) - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->sup, (void *)-4096L, sizeof(ev)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(self->sup, self->hole - sizeof(ev) / 2, sizeof(ev)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(readable(self->sup));
	new_service(_metadata, &s[1]);
	all_told(_metadata, self, 1);
	expect_newcomers(_metadata, self->sup, s[0].id, 2);

	/* as the second of two records */
	ASSERT_EQ(0, watch(self->sup, s[0].id, HOUR, HOUR, 0));
	EXPECT_EQ(0, pong(s[0].fd, 0));
	new_service(_metadata, &s[2]);
	all_told(_metadata, self, 1);
	EXPECT_EQ(sizeof(ev), read(self->sup, last, 2 * sizeof(ev)));
	check_event(_metadata, last);
	EXPECT_EQ(s[0].id, last->id);
	expect_newcomers(_metadata, self->sup, s[2].id, 1);
	close_service(_metadata, &s[0]);
	close_service(_metadata, &s[1]);
	close_service(_metadata, &s[2]);
}

static void *register_one(void *arg)
{
	struct sef_register_args args;
	struct service *s = arg;

	wait_task_state(getpid(), getpid(), 'S');
	fill_register(&args, "late", -1);
	if (!call(s->fd, SEF_IOC_REGISTER, &args))
		s->id = args.id;
	return NULL;
}

TEST_F(newcomers, wakes_a_reader) {
	struct service s = { .fd = new_file(_metadata) };
	struct sef_event ev;
	pthread_t thread;

	ASSERT_EQ(0, fcntl(self->sup, F_SETFL, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, register_one, &s));
	memset(&ev, POISON, sizeof(ev));
	ASSERT_EQ(sizeof(ev), read(self->sup, &ev, sizeof(ev)));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(s.id, ev.id);
	EXPECT_EQ(SEF_EVENT_NEWCOMER, ev.flags);
	EXPECT_EQ(0, close(s.fd));
}

enum {
	DO_ASK = DO_MORE,	/* for newcomers, on a new file; its errno */
	DO_TELL,		/* how many came: changes, 0 for none */
	DO_TELL_FIRST,		/* the id that was with the last DO_TELL */
};

static __s64 obey(int order, __s64 arg)
{
	static int fd = -1;
	static __u64 first;
	struct sef_event ev;

	switch (order) {
	case DO_ASK:
		if (fd < 0)
			fd = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		return fd < 0 || !arg ? errno : newcomers(fd, 1);
	case DO_TELL:
		if (read(fd, &ev, sizeof(ev)) != sizeof(ev))
			return errno == EAGAIN ? 0 : -errno;
		first = ev.id;
		return ev.flags == SEF_EVENT_NEWCOMER ? ev.changes : -1;
	case DO_TELL_FIRST:
		return first;
	}
	return serve(order, arg);
}

/* Whom the asker may signal, whoever reads. */
TEST_F(newcomers, other_users) {
	struct servant nobody, other;
	struct service s;
	__s64 id;

	new_servant(_metadata, &nobody, obey);
	new_servant(_metadata, &other, obey);
	EXPECT_EQ(0, ask(_metadata, &nobody, DO_OPEN, 0));
	ask(_metadata, &nobody, DO_ASK, 0);		/* opens, as root */
	EXPECT_EQ(0, ask(_metadata, &nobody, DO_SETUID, NOBODY));
	EXPECT_EQ(0, ask(_metadata, &nobody, DO_ASK, 1));
	EXPECT_EQ(0, ask(_metadata, &other, DO_OPEN, 0));
	EXPECT_EQ(0, ask(_metadata, &other, DO_SETUID, NOBODY - 1));

	new_service(_metadata, &s);
	ASSERT_LT(0, ask(_metadata, &other, DO_REGISTER, 0));
	all_told(_metadata, self, 2);
	EXPECT_EQ(0, ask(_metadata, &nobody, DO_TELL, 0));
	id = ask(_metadata, &nobody, DO_REGISTER, 0);
	ASSERT_LT(0, id);
	all_told(_metadata, self, 1);
	EXPECT_EQ(1, ask(_metadata, &nobody, DO_TELL, 0));
	EXPECT_EQ(id, ask(_metadata, &nobody, DO_TELL_FIRST, 0));
	expect_newcomers(_metadata, self->sup, s.id, 3);
	close_service(_metadata, &s);
	end_servant(_metadata, &nobody);
	end_servant(_metadata, &other);
}

/* What is outside has no number inside; what is inside has one outside. */
TEST_F(newcomers, inside_a_pid_namespace) {
	struct servant inside;
	struct service s;
	__s64 id;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	new_servant(_metadata, &inside, obey);
	EXPECT_EQ(0, ask(_metadata, &inside, DO_ASK, 1));
	new_service(_metadata, &s);
	all_told(_metadata, self, 1);
	EXPECT_EQ(0, ask(_metadata, &inside, DO_TELL, 0));
	id = ask(_metadata, &inside, DO_REGISTER, 0);
	ASSERT_LT(0, id);
	all_told(_metadata, self, 1);
	EXPECT_EQ(1, ask(_metadata, &inside, DO_TELL, 0));
	EXPECT_EQ(id, ask(_metadata, &inside, DO_TELL_FIRST, 0));
	expect_newcomers(_metadata, self->sup, s.id, 2);
	close_service(_metadata, &s);
	end_servant(_metadata, &inside);
}

/* It counts as a watch, once, and until it is off. */
TEST_F(newcomers, limit) {
	char was[24] = {};
	int i, fd[3];
	int limit = open(PARAMETERS "max_watches", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, limit);
	ASSERT_LT(0, read(limit, was, sizeof(was) - 1));
	/* the observer, self->sup, and one more */
	ASSERT_EQ(1, pwrite(limit, "3", 1, 0));
	for (i = 0; i < 3; i++)
		fd[i] = new_file(_metadata);
	EXPECT_EQ(0, newcomers(fd[0], 1));
	EXPECT_EQ(0, newcomers(fd[0], 1));
	EXPECT_EQ(ENOSPC, newcomers(fd[1], 1));
	EXPECT_EQ(EBADFD, unwatch(fd[1], 1));
	EXPECT_EQ(0, newcomers(fd[0], 0));
	EXPECT_EQ(0, newcomers(fd[0], 0));
	EXPECT_EQ(0, newcomers(fd[1], 1));
	EXPECT_EQ(ENOSPC, newcomers(fd[2], 1));
	EXPECT_EQ(0, close(fd[1]));
	EXPECT_EQ(0, newcomers(fd[2], 1));
	ASSERT_EQ(strlen(was), pwrite(limit, was, strlen(was), 0));
	EXPECT_EQ(0, close(limit));
	EXPECT_EQ(0, close(fd[0]));
	EXPECT_EQ(0, close(fd[2]));
}

/* An asker that is gone is told nothing. */
TEST_F(newcomers, closed) {
	int i, fd[50];
	struct service s;

	for (i = 0; i < 50; i++) {
		fd[i] = new_file(_metadata);
		ASSERT_EQ(0, newcomers(fd[i], 1));
	}
	for (i = 0; i < 50; i += 2)
		EXPECT_EQ(0, close(fd[i]));
	new_service(_metadata, &s);
	all_told(_metadata, self, 1);
	for (i = 1; i < 50; i += 2) {
		expect_newcomers(_metadata, fd[i], s.id, 1);
		EXPECT_EQ(0, close(fd[i]));
	}
	close_service(_metadata, &s);
}

TEST_HARNESS_MAIN
