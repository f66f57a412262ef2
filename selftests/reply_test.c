// SPDX-License-Identifier: GPL-2.0
/* The reply policies: what a pong does. */
#include "sef_test.h"

FIXTURE(reply)
{
	struct service s;
	int sup;
};

FIXTURE_SETUP(reply)
{
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(reply)
{
	EXPECT_EQ(0, close(self->sup));
	close_service(_metadata, &self->s);
}

TEST_F(reply, null_counts_as_missed) {
	struct sef_event ev = { .state = SEF_STATE_WAITING };
	struct sef_status_args st;

	ASSERT_EQ(0, set_reply(self->s.fd, SEF_REPLY_NULL));
	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, SHORT, 2));
	while (ev.state != SEF_STATE_UNRESPONSIVE) {
		EXPECT_LE(1, get_pings(_metadata, self->s.efd));
		EXPECT_EQ(0, pong(self->s.fd, 0));
		if (!readable(self->sup))
			continue;
		get_event(_metadata, self->sup, &ev);
		EXPECT_EQ(0, ev.passed & ~(PASSED(LATE) | PASSED(UNRESPONSIVE)));
		EXPECT_EQ(SEF_WHY_NULL_REPLY, ev.why);
	}

	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_REPLY_NULL, st.reply);
	EXPECT_EQ(SEF_WHY_NULL_REPLY, st.why);
	EXPECT_LT(2, st.misses);
	EXPECT_LT(0, st.ping_seq);
	EXPECT_EQ(0, st.pong_seq);
	EXPECT_EQ(st.age_ns, st.silent_ns);
}

/* Answered while null is not answered; the same ping can still be. */
TEST_F(reply, null_then_pong) {
	struct sef_status_args st;
	struct sef_event ev;
	__u64 seq;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 9));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	ASSERT_EQ(0, set_reply(self->s.fd, SEF_REPLY_NULL));
	seq = ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, seq));
	EXPECT_EQ(0, pong(self->s.fd, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_LATE, &ev);
	EXPECT_EQ(PASSED(LATE), ev.passed);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(seq, ev.seq);
	EXPECT_EQ(1, ev.misses);
	EXPECT_EQ(SEF_WHY_NULL_REPLY, ev.why);

	ASSERT_EQ(0, set_reply(self->s.fd, SEF_REPLY_PONG));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_LATE, st.state);
	EXPECT_EQ(SEF_WHY_NULL_REPLY, st.why);
	EXPECT_EQ(0, pong(self->s.fd, seq));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, ev.misses);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_WHY_UNKNOWN, st.why);
	EXPECT_EQ(seq, st.pong_seq);
}

TEST_F(reply, silence_is_not_null) {
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, SHORT, 1));
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_NE(SEF_WHY_NULL_REPLY, ev.why);
}

TEST_F(reply, null_still_checks) {
	ASSERT_EQ(0, set_reply(self->s.fd, SEF_REPLY_NULL));
	EXPECT_EQ(EINVAL, pong(self->s.fd, 1));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 1));
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
}

TEST_F(reply, unknown_policies) {
	static const __u32 replies[] = { 2, 3, 0x80000000, ~0U };
	struct sef_status_args st;
	unsigned int i;

	ASSERT_EQ(0, set_reply(self->s.fd, SEF_REPLY_NULL));
	for (i = 0; i < ARRAY_SIZE(replies); i++)
		EXPECT_EQ(EINVAL, set_reply(self->s.fd, replies[i]));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_REPLY_NULL, st.reply);
	EXPECT_EQ(0, set_reply(self->s.fd, SEF_REPLY_NULL));
}

TEST_HARNESS_MAIN
