// SPDX-License-Identifier: GPL-2.0
/* Pongs by store: the page that a service shares with the kernel. */
#include <sys/wait.h>

#include "servant.h"

#define ROUNDS		50

FIXTURE(page)
{
	struct service s;
	struct sef_page *page;
	int sup;
	long size;
};

static struct sef_page *map(int fd, int prot, int flags, long size, off_t from)
{
	void *at = mmap(NULL, size, prot, flags, fd, from);

	return at == MAP_FAILED ? NULL : at;
}

FIXTURE_SETUP(page)
{
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
	self->size = sysconf(_SC_PAGESIZE);
	self->page = map(self->s.fd, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->size, 0);
	ASSERT_NE(NULL, self->page);
}

FIXTURE_TEARDOWN(page)
{
	EXPECT_EQ(0, close(self->sup));
	if (self->page)
		EXPECT_EQ(0, munmap(self->page, self->size));
	close_service(_metadata, &self->s);
}

/* What the kernel knows; to ask is to make it look. */
static __u64 answered(struct __test_metadata *_metadata,
		      FIXTURE_DATA(page) *self)
{
	struct sef_status_args st;

	get_status(_metadata, self->sup, self->s.id, &st);
	return st.pong_seq;
}

TEST_F(page, empty_at_first) {
	const char *bytes = (const char *)self->page;
	long i;

	for (i = 0; i < self->size; i++)
		ASSERT_EQ(0, bytes[i]);
	EXPECT_EQ(0, answered(_metadata, self));
}

TEST_F(page, ping_and_pong) {
	struct sef_event ev;
	__u32 last = 0;
	int i;

	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, HOUR, 0));
	for (i = 0; i < ROUNDS; i++) {
		while (self->page->ping_seq == last)
			sched_yield();
		last = sef_page_pong(self->page, last);
		EXPECT_EQ(last, self->page->pong_seq);
		EXPECT_LE(last, answered(_metadata, self));
		/* it was looking, and is not woken */
		EXPECT_FALSE(readable(self->s.efd));
		EXPECT_FALSE(readable(self->s.fd));
	}
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	EXPECT_EQ(1, ev.changes);
}

/* The kernel finds the pong by itself, at the latest at the deadline. */
TEST_F(page, found_in_time) {
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, 5 * SHORT, 0));
	EXPECT_EQ(1, self->page->ping_seq);
	EXPECT_EQ(1, sef_page_pong(self->page, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(1, ev.seq);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(0, st.misses | st.excused);
	EXPECT_EQ(0, st.rtt_ns);
}

/* What was stored before counts, whoever looks next, and for what. */
TEST_F(page, stored_before_a_change) {
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 1));
	until(_metadata, self->sup, self->s.id, SEF_STATE_LATE, &ev);
	sef_page_pong(self->page, 0);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(0, st.misses);
}

TEST_F(page, stored_before_a_watch) {
	int other = new_file(_metadata);
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(1, sef_page_pong(self->page, 0));
	ASSERT_EQ(0, watch(other, self->s.id, HOUR, HOUR, 0));
	until(_metadata, other, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(1, self->page->ping_seq);
	EXPECT_EQ(0, close(other));
}

/* The grace keeps the first ping from being missed, however slow the test is. */
TEST_F(page, stored_before_an_extension) {
	struct sef_watch_args args;
	struct sef_status_args st;
	__u64 granted;

	fill_watch(&args, self->s.id, 20 * SHORT, 20 * SHORT, 0);
	args.grace_ns = HOUR;
	args.extend_ns = HOUR;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	sef_page_pong(self->page, 0);
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(HOUR, granted);
	let_deadlines_pass(_metadata, 80);
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_ALIVE, st.state);
	EXPECT_EQ(0, st.misses | st.excused);
	EXPECT_LT(st.pong_seq, st.ping_seq);
}

/* Told of by the page at once, by the eventfd and poll when it is half too late. */
TEST_F(page, lazily_woken) {
	struct sef_request req;
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(1, self->page->ping_seq);
	EXPECT_FALSE(readable(self->s.efd));
	EXPECT_FALSE(readable(self->s.fd));
	EXPECT_EQ(-1, read(self->s.fd, &req, sizeof(req)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, unwatch(self->sup, self->s.id));

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, 10 * SHORT, 0));
	EXPECT_EQ(2, self->page->ping_seq);
	wait_readable(_metadata, self->s.efd);
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
	EXPECT_TRUE(readable(self->s.fd));
	ASSERT_EQ(sizeof(req), read(self->s.fd, &req, sizeof(req)));
	EXPECT_EQ(2, req.seq);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
}

/* Who waits in poll() on the file itself is woken as lazily. */
TEST_F(page, hung) {
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, SHORT, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_TRUE(readable(self->s.efd));
	EXPECT_TRUE(readable(self->s.fd));
	sef_page_pong(self->page, 0);
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_FALSE(readable(self->s.fd));
}

/* A strict watch wakes at once, and takes no store; another one does. */
TEST_F(page, strict) {
	int other = new_file(_metadata);
	struct sef_watch_args args;
	struct sef_status_args st;

	fill_watch(&args, self->s.id, HOUR, HOUR, 0);
	args.flags = SEF_WATCH_STRICT;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
	ASSERT_EQ(0, watch(other, self->s.id, HOUR, HOUR, 0));
	EXPECT_FALSE(readable(self->s.efd));

	EXPECT_EQ(2, sef_page_pong(self->page, 0));
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->sup, self->s.id));
	get_status(_metadata, other, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_ALIVE, st.state);
	EXPECT_TRUE(readable(self->s.fd));
	EXPECT_EQ(0, pong(self->s.fd, 2));
	EXPECT_EQ(SEF_STATE_ALIVE, state_of(_metadata, self->sup, self->s.id));
	EXPECT_EQ(0, close(other));
}

/* Somebody waits for the answer: it is asked for at once. */
TEST_F(page, asked) {
	struct sef_event ev;
	__u64 seq;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(1, sef_page_pong(self->page, 0));
	seq = ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(2, seq);
	EXPECT_TRUE(readable(self->s.efd));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(0, pong(self->s.fd, seq));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(seq, ev.asked_seq);
}

TEST_F(page, null_reply) {
	struct sef_event ev;

	ASSERT_EQ(0, set_reply(self->s.fd, SEF_REPLY_NULL));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 0));
	sef_page_pong(self->page, 0);
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(SEF_WHY_NULL_REPLY, ev.why);
	EXPECT_EQ(0, answered(_metadata, self));
}

/* Whatever is written there is a pong or nothing. */
TEST_F(page, hostile_stores) {
	static const __u32 bad[] = {
		0, 3, 4, 1000, 0x7fffffff, 0x80000000, 0x80000001, ~0U,
	};
	unsigned int i;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	ping(_metadata, self->sup, self->s.id);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		self->page->pong_seq = bad[i];
		EXPECT_EQ(0, answered(_metadata, self))
			TH_LOG("%u", bad[i]);
	}
	self->page->pong_seq = 1;
	EXPECT_EQ(1, answered(_metadata, self));
	self->page->pong_seq = 0;
	EXPECT_EQ(1, answered(_metadata, self));
	/* also where the kernel writes */
	memset(self->page, POISON, self->size);
	EXPECT_EQ(1, answered(_metadata, self));
	EXPECT_EQ(3, ping(_metadata, self->sup, self->s.id));
	EXPECT_EQ(3, self->page->ping_seq);
	self->page->pong_seq = 3;
	EXPECT_EQ(3, answered(_metadata, self));
}

TEST_F(page, bad_mappings) {
	static const struct {
		int prot, flags, pages, from, err;
	} bad[] = {
		{ PROT_READ | PROT_WRITE, MAP_PRIVATE, 1, 0, EINVAL },
		{ PROT_READ, MAP_PRIVATE, 1, 0, EINVAL },
		{ PROT_READ | PROT_WRITE, MAP_SHARED, 2, 0, EINVAL },
		{ PROT_READ | PROT_WRITE, MAP_SHARED, 1, 1, EINVAL },
		{ PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, 1, 0, EPERM },
	};
	int fd = open("/dev/sef", O_RDONLY | O_CLOEXEC);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		errno = 0;
		EXPECT_EQ(NULL, map(self->s.fd, bad[i].prot, bad[i].flags,
				    bad[i].pages * self->size,
				    bad[i].from * self->size));
		EXPECT_EQ(bad[i].err, errno)
			TH_LOG("%u", i);
	}
	EXPECT_EQ(NULL, map(self->sup, PROT_READ, MAP_SHARED, self->size, 0));
	EXPECT_EQ(EBADFD, errno);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(NULL, map(self->sup, PROT_READ, MAP_SHARED, self->size, 0));
	EXPECT_EQ(EBADFD, errno);

	ASSERT_LE(0, fd);
	ASSERT_LT(0, register_with(_metadata, fd, "ro", -1, 0));
	EXPECT_EQ(NULL, map(fd, PROT_READ, MAP_SHARED, self->size, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(NULL, map(fd, PROT_READ | PROT_WRITE, MAP_SHARED, self->size,
			    0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, close(fd));

	EXPECT_EQ(-1, mprotect(self->page, self->size, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, madvise(self->page, self->size, MADV_DOFORK));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, madvise(self->page, self->size, MADV_DODUMP));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->page, self->size, 2 * self->size,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
}

struct ponger {
	struct sef_page *page;
	bool hold, held;
};

/* Answers as sef_page_pong() does; when it is held, between its load and its store. */
static void *pong_slowly(void *arg)
{
	struct ponger *p = arg;
	__u32 seq = __atomic_load_n(&p->page->ping_seq, __ATOMIC_ACQUIRE);

	__atomic_store_n(&p->held, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&p->hold, __ATOMIC_ACQUIRE))
		sched_yield();
	__atomic_store_n(&p->page->pong_seq, seq, __ATOMIC_RELEASE);
	return NULL;
}

/* One thread's late store undoes another's; whoever comes round next mends it. */
TEST_F(page, several_threads) {
	struct ponger p = { .page = self->page, .hold = true };
	pthread_t thread;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, pong_slowly, &p));
	while (!__atomic_load_n(&p.held, __ATOMIC_ACQUIRE))
		sched_yield();
	ASSERT_EQ(0, unwatch(self->sup, self->s.id));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(2, sef_page_pong(self->page, self->page->pong_seq));
	__atomic_store_n(&p.hold, false, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, answered(_metadata, self));
	EXPECT_EQ(2, sef_page_pong(self->page, self->page->pong_seq));
	EXPECT_EQ(2, answered(_metadata, self));
}

/* A child has neither the mapping nor the right to make one. */
TEST_F(page, not_inherited) {
	int status;
	pid_t pid = fork();

	if (!pid) {
		unsigned char vec;
		int err = 0;

		if (!mincore(self->page, self->size, &vec) || errno != ENOMEM)
			err |= 1;
		if (map(self->s.fd, PROT_READ | PROT_WRITE, MAP_SHARED,
			self->size, 0) || errno != EPERM)
			err |= 2;
		_exit(err);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, answered(_metadata, self));
}

/* Several mappings are one page. Without any, pings wake at once again. */
TEST_F(page, unmapped) {
	struct sef_page *second = map(self->s.fd, PROT_READ | PROT_WRITE,
				      MAP_SHARED, self->size, 0);

	ASSERT_NE(NULL, second);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(1, second->ping_seq);
	EXPECT_EQ(1, self->page->ping_seq);
	EXPECT_EQ(0, munmap(self->page, self->size));
	EXPECT_EQ(1, sef_page_pong(second, 0));
	EXPECT_EQ(1, answered(_metadata, self));
	second = mremap(second, self->size, self->size,
			MREMAP_MAYMOVE | MREMAP_FIXED, self->page);
	ASSERT_EQ(self->page, second);
	EXPECT_EQ(0, unwatch(self->sup, self->s.id));
	let_deadlines_pass(_metadata, 1);
	ASSERT_EQ(0, watch(self->sup, self->s.id, SEF_TIME_MIN_NS, HOUR, 0));
	EXPECT_FALSE(readable(self->s.efd));

	EXPECT_EQ(0, munmap(self->page, self->size));
	self->page = NULL;
	EXPECT_EQ(0, unwatch(self->sup, self->s.id));
	ASSERT_EQ(0, watch(self->sup, self->s.id, SEF_TIME_MIN_NS, HOUR, 0));
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
}

/* It keeps the file: what is mapped is not gone. */
TEST_F(page, outlives_the_descriptor) {
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(self->s.fd));
	EXPECT_EQ(1, sef_page_pong(self->page, 0));
	EXPECT_EQ(1, answered(_metadata, self));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, munmap(self->page, self->size));
	self->page = NULL;
	until(_metadata, self->sup, self->s.id, SEF_STATE_GONE, &ev);
	self->s.fd = new_file(_metadata);
}

TEST_HARNESS_MAIN
