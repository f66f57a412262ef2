// SPDX-License-Identifier: GPL-2.0
/*
 * More time: grace until the first pong, and EXTEND within what the watches
 * allow. What time is left is read from the pending request, so nothing here
 * waits for it but to see that it does end.
 */
#include "sef_test.h"

FIXTURE(extend)
{
	struct service s;
	int sup;
};

FIXTURE_SETUP(extend)
{
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(extend)
{
	EXPECT_EQ(0, close(self->sup));
	close_service(_metadata, &self->s);
}

/* Watch with a @grace and a limit of what may be extended. */
static int watch_for(int fd, __u64 id, __u64 period, __u64 timeout,
		     __u64 grace, __u64 limit)
{
	struct sef_watch_args args;

	fill_watch(&args, id, period, timeout, 0);
	args.grace_ns = grace;
	args.extend_ns = limit;
	return set_watch(fd, &args);
}

/* Of the ping that is pending, or is made so. */
static __u64 time_left(struct __test_metadata *_metadata,
		       FIXTURE_DATA(extend) *self)
{
	struct sef_request req;

	if (!readable(self->s.fd))
		ping(_metadata, self->sup, self->s.id);
	ASSERT_EQ(sizeof(req), read(self->s.fd, &req, sizeof(req)));
	return req.left_ns;
}

#define EXPECT_TIME_LEFT(ns) do {					\
		__u64 left = time_left(_metadata, self);		\
		EXPECT_GE((__u64)(ns), left);				\
		EXPECT_LT((__u64)(ns) - HOUR / 2, left);		\
	} while (0)

TEST_F(extend, grace) {
	int other = new_file(_metadata);
	struct sef_event ev;

	ASSERT_EQ(0, watch(other, self->s.id, HOUR, SHORT, 0));
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, HOUR, 0));
	until(_metadata, other, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(0, close(other));
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->sup, self->s.id));
	EXPECT_TIME_LEFT(HOUR);
}

TEST_F(extend, grace_ends) {
	__u64 before = now_ns();
	struct sef_event ev;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, 5 * SHORT, 0));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_UNRESPONSIVE, ev.state);
	EXPECT_EQ(1, ev.misses);
	EXPECT_LE(5 * SHORT, now_ns() - ev.age_ns - before);
}

/* A timeout that is longer than the grace is not cut short by it. */
TEST_F(extend, grace_within_the_timeout) {
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, 2 * HOUR, HOUR, 0));
	EXPECT_TIME_LEFT(2 * HOUR);
}

TEST_F(extend, grace_ends_with_a_pong) {
	struct sef_event ev;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, HOUR, 0));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	ping(_metadata, self->sup, self->s.id);
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(1, ev.misses);
}

/* Who has ponged lately has started up. */
TEST_F(extend, no_grace_for_one_alive_at_once) {
	struct sef_event ev;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, HOUR, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	ping(_metadata, self->sup, self->s.id);
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
}

TEST_F(extend, grace_is_a_setting) {
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, 2 * HOUR, 0, 0));
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, HOUR, 0));
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->sup));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(HOUR, st.grace_ns);
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, 0, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
}

TEST_F(extend, puts_off_a_deadline) {
	__u64 granted;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, HOUR, 0, 9 * HOUR));
	ASSERT_EQ(0, extend(self->s.fd, 3 * HOUR, &granted));
	EXPECT_EQ(3 * HOUR, granted);
	EXPECT_TIME_LEFT(3 * HOUR);

	/* not to an earlier one */
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(HOUR, granted);
	EXPECT_TIME_LEFT(3 * HOUR);
	ASSERT_EQ(0, extend(self->s.fd, 5 * HOUR, &granted));
	EXPECT_EQ(5 * HOUR, granted);
	EXPECT_TIME_LEFT(5 * HOUR);
}

/* A deadline that is near, in fact: nothing is missed. */
TEST_F(extend, holds_until_the_next_pong) {
	struct sef_event ev;
	__u64 granted;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, 0, HOUR));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(HOUR, granted);
	ping(_metadata, self->sup, self->s.id);
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->sup));
	EXPECT_TIME_LEFT(HOUR);

	ASSERT_EQ(0, pong(self->s.fd, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	ping(_metadata, self->sup, self->s.id);
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(1, ev.misses);
}

TEST_F(extend, ends) {
	__u64 granted, before;
	struct sef_event ev;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, 0, HOUR));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	before = now_ns();
	ASSERT_EQ(0, extend(self->s.fd, 5 * SHORT, &granted));
	ping(_metadata, self->sup, self->s.id);
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_LE(5 * SHORT, now_ns() - ev.age_ns - before);
	EXPECT_EQ(1, ev.misses);
}

TEST_F(extend, least_of_all_watches) {
	int other = new_file(_metadata), third = new_file(_metadata);
	__u64 granted;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, HOUR, 4 * HOUR));
	ASSERT_EQ(0, watch_for(other, self->s.id, HOUR, SHORT, HOUR, 3 * HOUR));
	ASSERT_EQ(0, extend(self->s.fd, 2 * HOUR, &granted));
	EXPECT_EQ(2 * HOUR, granted);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, extend(self->s.fd, 9 * HOUR, &granted));
	EXPECT_EQ(3 * HOUR, granted);

	/* each by its own limit, also where another one grants nothing */
	ASSERT_EQ(0, watch_for(third, self->s.id, HOUR, HOUR, 0, 0));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, extend(self->s.fd, 9 * HOUR, &granted));
	EXPECT_EQ(0, granted);
	EXPECT_TIME_LEFT(4 * HOUR);
	ping(_metadata, other, self->s.id);
	EXPECT_TIME_LEFT(3 * HOUR);
	ping(_metadata, third, self->s.id);
	EXPECT_TIME_LEFT(HOUR);
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(0, close(third));
}

TEST_F(extend, of_nobody) {
	__u64 granted;

	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(HOUR, granted);
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, HOUR, 0, 0));
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(0, granted);
}

/* The limit is counted from the first one since the last pong. */
TEST_F(extend, limit) {
	__u64 granted, before;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, HOUR, 0, 3 * HOUR));
	before = now_ns();
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	ASSERT_EQ(0, extend(self->s.fd, 3 * HOUR, &granted));
	EXPECT_GT(3 * HOUR, granted);
	EXPECT_LE(3 * HOUR - (now_ns() - before), granted);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, extend(self->s.fd, 3 * HOUR, &granted));
	EXPECT_EQ(3 * HOUR, granted);
}

TEST_F(extend, limit_reached) {
	__u64 granted;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, HOUR, 0, SHORT));
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(SHORT, granted);
	let_deadlines_pass(_metadata, 2);
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(0, granted);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(SHORT, granted);
}

/* Another limit is counted anew; other settings leave it alone. */
TEST_F(extend, limit_is_a_setting) {
	__u64 granted;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, SHORT, 0, 3 * HOUR));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, extend(self->s.fd, 3 * HOUR, &granted));
	EXPECT_EQ(3 * HOUR, granted);
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, 2 * HOUR, SHORT, 0, 3 * HOUR));
	EXPECT_TIME_LEFT(3 * HOUR);
	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, HOUR, 0, 4 * HOUR));
	EXPECT_TIME_LEFT(HOUR);
	ASSERT_EQ(0, extend(self->s.fd, 9 * HOUR, &granted));
	EXPECT_EQ(4 * HOUR, granted);
	EXPECT_TIME_LEFT(4 * HOUR);
}

TEST_F(extend, is_no_sign_of_life) {
	struct sef_status_args st;
	struct sef_event ev;
	__u64 granted;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, SHORT, SHORT, 0, HOUR));
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_FALSE(readable(self->sup));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_UNRESPONSIVE, st.state);
	EXPECT_LE(1, st.misses);
	EXPECT_EQ(st.age_ns, st.silent_ns);
}

TEST_F(extend, bad_calls) {
	static const __u64 bad[] = {
		0, 1, SEF_TIME_MIN_NS - 1, SEF_TIME_MAX_NS + 1, 1ULL << 63, ~0ULL,
	};
	unsigned int i;
	__u64 granted;

	ASSERT_EQ(0, watch_for(self->sup, self->s.id, HOUR, HOUR, 0, SEF_TIME_MAX_NS));
	EXPECT_EQ(EBADFD, extend(self->sup, HOUR, &granted));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(EINVAL, extend(self->s.fd, bad[i], &granted));
	EXPECT_TIME_LEFT(HOUR);

	/* and what was refused did not count as the first one */
	EXPECT_EQ(0, extend(self->s.fd, SEF_TIME_MAX_NS, &granted));
	EXPECT_EQ(SEF_TIME_MAX_NS, granted);
	EXPECT_EQ(0, extend(self->s.fd, SEF_TIME_MIN_NS, &granted));
	EXPECT_EQ(SEF_TIME_MIN_NS, granted);
}

TEST_HARNESS_MAIN
