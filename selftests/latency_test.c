// SPDX-License-Identifier: GPL-2.0
/* SEF_IOC_LATENCY: how long a service takes to answer, and what that left. */
#include "servant.h"

#define USER		54321
#define OTHER_USER	54322

FIXTURE(latency)
{
	struct service s;
	int sup;
};

FIXTURE_SETUP(latency)
{
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(latency)
{
	EXPECT_EQ(0, close(self->sup));
	close_service(_metadata, &self->s);
}

static void fill_latency(struct sef_latency_args *args, __u64 id, __u32 flags)
{
	memset(args, POISON, sizeof(*args));
	args->id = id;
	args->flags = flags;
	args->__reserved = 0;
}

/* The errno; a call that fails leaves its argument as it was. */
static int latency_error(int fd, __u64 id, __u32 flags, __u32 reserved)
{
	struct sef_latency_args args, was;
	int err;

	fill_latency(&args, id, flags);
	args.__reserved = reserved;
	was = args;
	err = call(fd, SEF_IOC_LATENCY, &args);
	return memcmp(&was, &args, sizeof(args)) ? -1 : err;
}

/* What holds of all that is told. */
static void get_latency(struct __test_metadata *_metadata, int fd, __u64 id,
			__u32 flags, struct sef_latency_args *args)
{
	unsigned int i, lowest = SEF_LATENCY_BUCKETS, highest = 0;
	__u64 sum = 0;

	fill_latency(args, id, flags);
	ASSERT_EQ(0, call(fd, SEF_IOC_LATENCY, args));
	EXPECT_EQ(id, args->id);
	EXPECT_EQ(flags, args->flags);
	EXPECT_EQ(0, args->__reserved);
	EXPECT_GT(HOUR, args->since_ns);
	for (i = 0; i < SEF_LATENCY_BUCKETS; i++) {
		sum += args->buckets[i];
		if (!args->buckets[i])
			continue;
		highest = i;
		if (lowest == SEF_LATENCY_BUCKETS)
			lowest = i;
	}
	EXPECT_EQ(args->count, sum);
	if (!args->count) {
		EXPECT_EQ(0, args->sum_ns | args->min_ns | args->max_ns);
		return;
	}
	EXPECT_LE(args->min_ns * args->count, args->sum_ns);
	EXPECT_GE(args->max_ns * args->count, args->sum_ns);
	/* the shortest and the longest are where the histogram has its ends */
	EXPECT_GT(SEF_LATENCY_UNIT_NS << lowest, args->min_ns);
	EXPECT_GT(SEF_LATENCY_UNIT_NS << highest, args->max_ns);
	if (lowest)
		EXPECT_LE(SEF_LATENCY_UNIT_NS << (lowest - 1), args->min_ns);
	if (highest)
		EXPECT_LE(SEF_LATENCY_UNIT_NS << (highest - 1), args->max_ns);
}

TEST_F(latency, nothing_at_first) {
	struct sef_latency_args args;
	__u64 before;

	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(0, args.count);
	EXPECT_EQ(~0ULL, args.headroom_ns);
	before = args.since_ns;
	/* a pong that nobody asked for answers nothing */
	EXPECT_EQ(0, pong(self->s.fd, 0));
	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(0, args.count);
	EXPECT_EQ(~0ULL, args.headroom_ns);
	EXPECT_LT(before, args.since_ns);
}

TEST_F(latency, counts) {
	const int quick = 20;
	struct sef_latency_args args, was;
	__u64 begin, end, headroom;
	int i;

	begin = now_ns();
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	for (i = 0; i < quick; i++) {
		ping(_metadata, self->sup, self->s.id);
		EXPECT_EQ(0, pong(self->s.fd, 0));
	}
	end = now_ns();
	get_latency(_metadata, self->sup, self->s.id, 0, &was);
	EXPECT_EQ(quick, was.count);
	EXPECT_LT(0, was.min_ns);
	EXPECT_GE(end - begin, was.sum_ns);
	EXPECT_GT(HOUR, was.headroom_ns);
	EXPECT_LE(HOUR - (end - begin), was.headroom_ns);

	/* one slow answer is the longest, and leaves the least */
	begin = now_ns();
	ping(_metadata, self->sup, self->s.id);
	let_deadlines_pass(_metadata, 3);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	end = now_ns();
	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(quick + 1, args.count);
	EXPECT_LE(3 * SHORT, args.max_ns);
	EXPECT_GE(end - begin, args.max_ns);
	EXPECT_EQ(was.min_ns, args.min_ns);
	EXPECT_EQ(was.sum_ns + args.max_ns, args.sum_ns);
	headroom = HOUR - args.max_ns;
	EXPECT_GE(was.headroom_ns, args.headroom_ns);
	EXPECT_GE(headroom, args.headroom_ns);
	EXPECT_LE(headroom - (end - begin), args.headroom_ns);
}

/* Several pings without an answer are one wait, from the first of them. */
TEST_F(latency, from_the_first_ping) {
	struct sef_latency_args args;
	__u64 first;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, pong(self->s.fd, 0));
	first = ping(_metadata, self->sup, self->s.id);
	let_deadlines_pass(_metadata, 2);
	ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, first));
	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(2, args.count);
	EXPECT_LE(2 * SHORT, args.max_ns);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(3, args.count);
}

TEST_F(latency, no_headroom_after_a_miss) {
	struct sef_latency_args args;
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(0, args.count);
	EXPECT_EQ(0, args.headroom_ns);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(1, args.count);
	EXPECT_LE(SHORT, args.max_ns);
	EXPECT_EQ(0, args.headroom_ns);
}

TEST_F(latency, reset) {
	struct sef_latency_args args, again;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, pong(self->s.fd, 0));
	let_deadlines_pass(_metadata, 1);
	get_latency(_metadata, self->sup, self->s.id, SEF_LATENCY_RESET, &args);
	EXPECT_EQ(1, args.count);
	get_latency(_metadata, self->sup, self->s.id, 0, &again);
	EXPECT_EQ(0, again.count);
	EXPECT_EQ(~0ULL, again.headroom_ns);
	EXPECT_LT(SHORT, args.since_ns);

	ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(1, args.count);
	EXPECT_GT(HOUR, args.headroom_ns);
}

/* A pong by store: when it was is not known. */
TEST_F(latency, stores_do_not_count) {
	struct sef_latency_args args;
	struct sef_status_args st;
	struct sef_page *page = mmap(NULL, sysconf(_SC_PAGESIZE),
				     PROT_READ | PROT_WRITE, MAP_SHARED,
				     self->s.fd, 0);

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(1, sef_page_pong(page, 0));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(1, st.pong_seq);
	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(0, args.count);
	EXPECT_EQ(~0ULL, args.headroom_ns);
	EXPECT_EQ(0, munmap(page, sysconf(_SC_PAGESIZE)));
}

TEST_F(latency, bad_arguments) {
	long size = sysconf(_SC_PAGESIZE);
	struct sef_latency_args args;
	unsigned int bit;
	void *page;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, pong(self->s.fd, 0));
	for (bit = 0; bit < 32; bit++) {
		EXPECT_EQ(EINVAL, latency_error(self->sup, self->s.id, 0,
						1U << bit));
		if (1U << bit != SEF_LATENCY_RESET)
			EXPECT_EQ(EINVAL, latency_error(self->sup, self->s.id,
							1U << bit, 0));
	}
	EXPECT_EQ(ESRCH, latency_error(self->sup, self->s.id + 1000, 0, 0));
	EXPECT_EQ(ESRCH, latency_error(self->sup, 0, SEF_LATENCY_RESET, 0));

	/* what can't be told is not begun anew */
	page = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	fill_latency(page, self->s.id, SEF_LATENCY_RESET);
	ASSERT_EQ(0, mprotect(page, size, PROT_READ));
	EXPECT_EQ(EFAULT, call(self->sup, SEF_IOC_LATENCY, page));
	EXPECT_EQ(0, munmap(page, size));
	get_latency(_metadata, self->sup, self->s.id, 0, &args);
	EXPECT_EQ(1, args.count);
}

/* A file of any role, or none. */
TEST_F(latency, takes_no_role) {
	int fd = new_file(_metadata);
	struct sef_latency_args args;

	get_latency(_metadata, fd, self->s.id, 0, &args);
	EXPECT_EQ(EBADFD, unwatch(fd, self->s.id));
	get_latency(_metadata, self->s.fd, self->s.id, SEF_LATENCY_RESET, &args);
	EXPECT_EQ(0, close(fd));
}

enum {
	DO_LATENCY = DO_MORE,	/* its errno; arg: the id */
	DO_RESET,
	DO_WATCH_IT,
};

static __s64 obey(int order, __s64 arg)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	switch (order) {
	case DO_LATENCY:
	case DO_RESET: {
		struct sef_latency_args args;

		fill_latency(&args, arg, order == DO_RESET ?
			     SEF_LATENCY_RESET : 0);
		return call(fd, SEF_IOC_LATENCY, &args);
	}
	case DO_WATCH_IT:
		return watch(fd, arg, HOUR, HOUR, 0);
	}
	return serve(order, arg);
}

/* Who may signal it sees it and may begin anew; who only watches it sees it. */
TEST_F(latency, other_users) {
	struct servant s, eye;
	__u64 id;

	id = new_serving(_metadata, &s, serve, 0);
	new_servant(_metadata, &eye, obey);
	EXPECT_EQ(0, ask(_metadata, &eye, DO_LATENCY, id));
	EXPECT_EQ(0, ask(_metadata, &eye, DO_RESET, id));
	EXPECT_EQ(0, ask(_metadata, &eye, DO_SETUID, USER));
	EXPECT_EQ(ESRCH, ask(_metadata, &eye, DO_LATENCY, id));
	EXPECT_EQ(ESRCH, ask(_metadata, &eye, DO_RESET, id));
	end_servant(_metadata, &eye);

	new_servant(_metadata, &eye, obey);
	EXPECT_EQ(0, ask(_metadata, &eye, DO_WATCH_IT, id));
	EXPECT_EQ(0, ask(_metadata, &eye, DO_SETUID, OTHER_USER));
	EXPECT_EQ(0, ask(_metadata, &eye, DO_LATENCY, id));
	EXPECT_EQ(EPERM, ask(_metadata, &eye, DO_RESET, id));
	end_servant(_metadata, &eye);
	end_servant(_metadata, &s);
}

/* The watch keeps it for who has one, also of the dead. */
TEST_F(latency, after_death) {
	struct sef_latency_args args;
	struct sef_event ev;
	struct servant s;
	__u64 id = new_serving(_metadata, &s, serve, 0);
	int other = new_file(_metadata);

	ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 0));
	ASSERT_EQ(0, ask(_metadata, &s, DO_PONG, 0));
	ASSERT_EQ(0, kill(s.pid, SIGKILL));
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	end_servant(_metadata, &s);
	get_latency(_metadata, self->sup, id, 0, &args);
	EXPECT_EQ(1, args.count);
	EXPECT_EQ(EPERM, latency_error(self->sup, id, SEF_LATENCY_RESET, 0));
	EXPECT_EQ(ESRCH, latency_error(other, id, 0, 0));
	EXPECT_EQ(0, close(other));
}

TEST_HARNESS_MAIN
