// SPDX-License-Identifier: GPL-2.0
/* A strict watch: only a pong that names its ping counts. */
#include "sef_test.h"

FIXTURE(strict)
{
	struct service s;
	int sup;
	int lax;	/* a supervisor that is content with any pong */
};

FIXTURE_SETUP(strict)
{
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
	self->lax = new_file(_metadata);
}

FIXTURE_TEARDOWN(strict)
{
	EXPECT_EQ(0, close(self->sup));
	EXPECT_EQ(0, close(self->lax));
	close_service(_metadata, &self->s);
}

static int watch_strictly(int fd, __u64 id, __u64 period, __u64 timeout,
			  __u32 tolerate)
{
	struct sef_watch_args args;

	fill_watch(&args, id, period, timeout, tolerate);
	args.flags = SEF_WATCH_STRICT;
	return set_watch(fd, &args);
}

static __u64 ping_seq(struct __test_metadata *_metadata,
		      FIXTURE_DATA(strict) *self)
{
	struct sef_status_args st;

	get_status(_metadata, self->sup, self->s.id, &st);
	return st.ping_seq;
}

/* However lately it ponged. */
TEST_F(strict, is_pinged_at_once) {
	struct sef_event ev;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->sup, self->s.id));
	EXPECT_FALSE(readable(self->sup));
	ASSERT_EQ(0, pong(self->s.fd, ping_seq(_metadata, self)));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
}

TEST_F(strict, unnamed_is_no_answer) {
	struct sef_event ev;

	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, SHORT, SHORT, 1));
	ASSERT_EQ(0, watch(self->lax, self->s.id, HOUR, HOUR, 0));
	do {
		ASSERT_EQ(0, pong(self->s.fd, 0));
		if (!readable(self->sup))
			continue;
		get_event(_metadata, self->sup, &ev);
		EXPECT_EQ(0, ev.passed & PASSED(ALIVE));
		if (ev.state == SEF_STATE_UNRESPONSIVE)
			break;
	} while (true);
	EXPECT_EQ(2, ev.misses);
	until(_metadata, self->lax, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(SEF_STATE_ALIVE, state_of(_metadata, self->lax, self->s.id));

	/* nor does it mend anything */
	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, HOUR, HOUR, 1));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(SEF_STATE_UNRESPONSIVE,
		  state_of(_metadata, self->sup, self->s.id));
	ASSERT_EQ(0, pong(self->s.fd, ping(_metadata, self->sup, self->s.id)));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
}

/* Ponged for all the time, it is pinged all the same. */
TEST_F(strict, unnamed_is_no_sign_of_life) {
	__u64 seq, end = now_ns() + PATIENCE * MSEC;

	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, SHORT, HOUR, 0));
	seq = ping_seq(_metadata, self);
	ASSERT_EQ(0, pong(self->s.fd, seq));
	do {
		ASSERT_EQ(0, pong(self->s.fd, 0));
	} while (ping_seq(_metadata, self) == seq && now_ns() < end);
	EXPECT_LT(seq, ping_seq(_metadata, self));
}

TEST_F(strict, unnamed_does_not_renew_an_extension) {
	struct sef_watch_args args;
	__u64 granted;

	fill_watch(&args, self->s.id, HOUR, HOUR, 0);
	args.flags = SEF_WATCH_STRICT;
	args.extend_ns = HOUR;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(HOUR, granted);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_GT(HOUR, granted);
	ASSERT_EQ(0, pong(self->s.fd, ping(_metadata, self->sup, self->s.id)));
	ASSERT_EQ(0, extend(self->s.fd, HOUR, &granted));
	EXPECT_EQ(HOUR, granted);
}

/* A service that beats as well: the request is there for it all the same. */
TEST_F(strict, answered_after_a_beat) {
	struct sef_request req;
	struct sef_event ev;
	__u64 seq;

	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, HOUR, HOUR, 0));
	ASSERT_EQ(0, watch(self->lax, self->s.id, HOUR, HOUR, 0));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	until(_metadata, self->lax, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_FALSE(readable(self->sup));
	EXPECT_TRUE(readable(self->s.fd));
	ASSERT_EQ(sizeof(req), read(self->s.fd, &req, sizeof(req)));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	EXPECT_FALSE(readable(self->s.fd));
	EXPECT_EQ(0, pong(self->s.fd, req.seq));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(req.seq, ev.seq);
	EXPECT_EQ(ESTALE, pong(self->s.fd, req.seq));

	/* where no strict watch waits, a beat answers all */
	seq = ping(_metadata, self->lax, self->s.id);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	EXPECT_FALSE(readable(self->s.fd));
	EXPECT_EQ(ESTALE, pong(self->s.fd, seq));
}

/* Not an earlier ping, which was another's; a later one will do. */
TEST_F(strict, which_ping) {
	struct sef_event ev;
	__u64 first;

	ASSERT_EQ(0, watch(self->lax, self->s.id, HOUR, HOUR, 0));
	first = ping_seq(_metadata, self);
	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(first + 1, ping_seq(_metadata, self));
	ASSERT_EQ(0, pong(self->s.fd, first));
	until(_metadata, self->lax, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->sup, self->s.id));

	EXPECT_EQ(first + 2, ping(_metadata, self->lax, self->s.id));
	ASSERT_EQ(0, pong(self->s.fd, first + 2));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(first + 2, ev.seq);
}

/* Also one that is sent while another is outstanding, answered one by one. */
TEST_F(strict, asked_ping) {
	struct sef_event ev;
	__u64 own, asked;

	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, HOUR, HOUR, 0));
	own = ping_seq(_metadata, self);
	asked = ping(_metadata, self->sup, self->s.id);
	ASSERT_EQ(0, pong(self->s.fd, own));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, ev.flags);
	ASSERT_EQ(0, pong(self->s.fd, asked));
	ASSERT_TRUE(readable(self->sup));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(asked, ev.asked_seq);

	/* an unnamed one does not answer it */
	asked = ping(_metadata, self->sup, self->s.id);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	EXPECT_FALSE(readable(self->sup));
}

/* Nor does a pong that comes after that, and names an older one. */
TEST_F(strict, asked_ping_by_name_only) {
	struct sef_event ev;
	__u64 own, asked;

	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, HOUR, HOUR, 0));
	own = ping_seq(_metadata, self);
	asked = ping(_metadata, self->sup, self->s.id);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, pong(self->s.fd, own));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, ev.flags);
	ASSERT_EQ(0, pong(self->s.fd, asked));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(asked, ev.asked_seq);
	EXPECT_EQ(ESTALE, pong(self->s.fd, asked));
}

TEST_F(strict, late_answer) {
	struct sef_event ev;

	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, HOUR, SHORT, 1));
	until(_metadata, self->sup, self->s.id, SEF_STATE_LATE, &ev);
	ASSERT_EQ(0, pong(self->s.fd, ev.seq));
	ASSERT_TRUE(readable(self->sup));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, ev.misses);
}

TEST_F(strict, from_now_on) {
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	ASSERT_EQ(0, watch_strictly(self->sup, self->s.id, HOUR, SHORT, 0));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_WATCH_STRICT, st.watch_flags);
	ping(_metadata, self->sup, self->s.id);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 0));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
}

TEST_HARNESS_MAIN
