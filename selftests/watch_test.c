// SPDX-License-Identifier: GPL-2.0
/* A watch: its states, its timing, and who is pinged when. */
#include "sef_test.h"

FIXTURE(watch)
{
	struct service s;
	int sup;
};

FIXTURE_SETUP(watch)
{
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(watch)
{
	EXPECT_EQ(0, close(self->sup));
	close_service(_metadata, &self->s);
}

TEST_F(watch, waiting_then_alive) {
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_WAITING, st.state);
	EXPECT_LT(0, st.ping_seq);
	EXPECT_EQ(0, st.pong_seq);
	EXPECT_FALSE(readable(self->sup));

	EXPECT_EQ(0, pong(self->s.fd, st.ping_seq));
	EXPECT_TRUE(readable(self->sup));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	EXPECT_EQ(1, ev.changes);
	EXPECT_EQ(st.ping_seq, ev.seq);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(0, ev.misses);
	EXPECT_EQ(getpid(), ev.pid);
	EXPECT_EQ(SEF_STATE_ALIVE, state_of(_metadata, self->sup, self->s.id));

	/* what changes nothing is no event */
	EXPECT_EQ(0, pong(self->s.fd, 0));
	EXPECT_FALSE(readable(self->sup));
}

TEST_F(watch, alive_at_once) {
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_TRUE(readable(self->sup));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	EXPECT_EQ(0, ev.seq);
	EXPECT_FALSE(readable(self->s.efd));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(0, st.ping_seq);

	/* silent for a period: its pong of long ago is no sign of life */
	EXPECT_EQ(0, unwatch(self->sup, self->s.id));
	let_deadlines_pass(_metadata, 1);
	ASSERT_EQ(0, watch(self->sup, self->s.id, SEF_TIME_MIN_NS, HOUR, 0));
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->sup, self->s.id));
	EXPECT_FALSE(readable(self->sup));
}

/* Every miss up to the first too many is a change, and no later one. */
TEST_F(watch, late_unresponsive_alive) {
	static const __u32 tolerated[] = { 0, 1, 4 };
	struct sef_status_args st;
	struct sef_event ev;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tolerated); i++) {
		ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, SHORT, tolerated[i]));
		until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);
		EXPECT_EQ(tolerated[i] + 1, ev.changes);
		EXPECT_EQ(tolerated[i] + 1, ev.misses);
		EXPECT_EQ(PASSED(UNRESPONSIVE) | (tolerated[i] ? PASSED(LATE) : 0),
			  ev.passed);
		EXPECT_LT(0, ev.seq);

		let_deadlines_pass(_metadata, 3);
		EXPECT_FALSE(readable(self->sup));
		get_status(_metadata, self->sup, self->s.id, &st);
		EXPECT_EQ(SEF_STATE_UNRESPONSIVE, st.state);
		EXPECT_LT(tolerated[i] + 1, st.misses);

		ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, tolerated[i]));
		EXPECT_EQ(0, pong(self->s.fd, 0));
		until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
		EXPECT_EQ(PASSED(ALIVE), ev.passed);
		EXPECT_EQ(0, ev.misses);
	}
}

TEST_F(watch, late_then_alive) {
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 1));
	until(_metadata, self->sup, self->s.id, SEF_STATE_LATE, &ev);
	EXPECT_EQ(PASSED(LATE), ev.passed);
	EXPECT_EQ(1, ev.misses);
	EXPECT_EQ(1, ev.changes);
	/* the answer that came too late */
	EXPECT_EQ(0, pong(self->s.fd, ev.seq));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, ev.misses);

	/* misses are counted from the last pong on */
	ping(_metadata, self->sup, self->s.id);
	until(_metadata, self->sup, self->s.id, SEF_STATE_LATE, &ev);
	EXPECT_EQ(1, ev.misses);
}

/* A watch has one ping of its own outstanding, however short its period. */
TEST_F(watch, timeout_beyond_period) {
	struct sef_status_args st;

	ASSERT_EQ(0, watch(self->sup, self->s.id, SEF_TIME_MIN_NS, HOUR, 0));
	let_deadlines_pass(_metadata, 3);
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
	EXPECT_FALSE(readable(self->sup));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_WAITING, st.state);
	/* it is answered: the next one comes */
	EXPECT_EQ(0, pong(self->s.fd, 0));
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
}

TEST_F(watch, unwatched_is_not_pinged) {
	struct sef_status_args st;

	let_deadlines_pass(_metadata, 3);
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(0, st.ping_seq);
	EXPECT_EQ(0, st.watches);

	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, SHORT, ~0U));
	get_pings(_metadata, self->s.efd);
	EXPECT_EQ(0, unwatch(self->sup, self->s.id));
	while (readable(self->s.efd))
		get_pings(_metadata, self->s.efd);
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->s.efd));

	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, SHORT, ~0U));
	get_pings(_metadata, self->s.efd);
	EXPECT_EQ(0, close(self->sup));
	self->sup = new_file(_metadata);
	while (readable(self->s.efd))
		get_pings(_metadata, self->s.efd);
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->s.efd));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(0, st.watches);
}

TEST_F(watch, new_settings) {
	struct sef_watch_args args = {
		.id = self->s.id, .cookie = 77, .period_ns = HOUR + 1,
		.timeout_ns = HOUR - 1, .slack_ns = 6, .grace_ns = HOUR + 2,
		.extend_ns = HOUR + 3, .kill_ns = HOUR + 4,
		.last_ns = HOUR + 5, .tolerate = 12,
		.flags = SEF_WATCH_STRICT, .excuse = SEF_EXCUSE_DEFAULT,
		.signal = SIGUSR1, .last = SEF_LAST_RESTART,
	};
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, SHORT, ~0U));
	until(_metadata, self->sup, self->s.id, SEF_STATE_LATE, &ev);
	ASSERT_EQ(0, set_watch(self->sup, &args));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_LATE, st.state);
	EXPECT_LE(ev.misses, st.misses);
	EXPECT_EQ(1, st.watches);
	EXPECT_EQ(args.cookie, st.cookie);
	EXPECT_EQ(args.period_ns, st.period_ns);
	EXPECT_EQ(args.timeout_ns, st.timeout_ns);
	EXPECT_EQ(args.slack_ns, st.slack_ns);
	EXPECT_EQ(args.grace_ns, st.grace_ns);
	EXPECT_EQ(args.extend_ns, st.extend_ns);
	EXPECT_EQ(args.kill_ns, st.kill_ns);
	EXPECT_EQ(args.last_ns, st.last_ns);
	EXPECT_EQ(args.tolerate, st.tolerate);
	EXPECT_EQ(args.flags, st.watch_flags);
	EXPECT_EQ(args.excuse, st.excuse);
	EXPECT_EQ(args.signal, st.signal);
	EXPECT_EQ(args.last, st.last);

	EXPECT_EQ(0, pong(self->s.fd, ping(_metadata, self->sup, self->s.id)));
	do
		get_event(_metadata, self->sup, &ev);
	while (ev.state != SEF_STATE_ALIVE);
	EXPECT_EQ(77, ev.cookie);
}

/* A supervisor that says the same again and again gives nobody more time. */
TEST_F(watch, same_times_run_on) {
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 0));
	while (!readable(self->sup))
		ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_UNRESPONSIVE, &ev);

	EXPECT_EQ(0, pong(self->s.fd, 0));
	while (readable(self->s.efd))
		get_pings(_metadata, self->s.efd);
	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, HOUR, 0));
	while (!readable(self->s.efd))
		ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, HOUR, 0));
}

/* The same misses under another tolerance. */
TEST_F(watch, new_tolerance) {
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, SHORT, ~0U));
	do
		get_event(_metadata, self->sup, &ev);
	while (ev.misses < 3);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, ~0U));
	while (readable(self->sup))
		get_event(_metadata, self->sup, &ev);
	get_status(_metadata, self->sup, self->s.id, &st);

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, st.misses - 1));
	ASSERT_TRUE(readable(self->sup));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_UNRESPONSIVE, ev.state);
	EXPECT_EQ(PASSED(UNRESPONSIVE), ev.passed);
	EXPECT_EQ(1, ev.changes);
	EXPECT_EQ(st.misses, ev.misses);

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, st.misses - 1));
	EXPECT_FALSE(readable(self->sup));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, st.misses));
	ASSERT_TRUE(readable(self->sup));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_LATE, ev.state);
	EXPECT_EQ(PASSED(LATE), ev.passed);
	EXPECT_EQ(st.misses, ev.misses);

	/* what is alive stays so, however little is tolerated */
	EXPECT_EQ(0, pong(self->s.fd, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_FALSE(readable(self->sup));
}

TEST_F(watch, new_timeout_of_a_ping_outstanding) {
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 1));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 1));
	until(_metadata, self->sup, self->s.id, SEF_STATE_LATE, &ev);
	EXPECT_EQ(1, ev.misses);
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));

	/* and the other way: a deadline that was near is far */
	ping(_metadata, self->sup, self->s.id);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 1));
	let_deadlines_pass(_metadata, 3);
	EXPECT_FALSE(readable(self->sup));
}

TEST_F(watch, new_period) {
	struct sef_event ev;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 1));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_FALSE(readable(self->s.efd));
	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, HOUR, 1));
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
}

/* Every field by itself; a refused change changes nothing. */
TEST_F(watch, bounds_of_times) {
	static const __u64 good[] = {
		SEF_TIME_MIN_NS, SEF_TIME_MIN_NS + 1, 1ULL << 32,
		3ULL << 32, SEF_TIME_MAX_NS - 1, SEF_TIME_MAX_NS,
	};
	static const __u64 bad[] = {
		1, SEF_TIME_MIN_NS - 1, SEF_TIME_MAX_NS + 1, 1ULL << 63, ~0ULL,
	};
	struct sef_watch_args args;
	__u64 *const times[] = {
		&args.period_ns, &args.timeout_ns, &args.grace_ns,
		&args.extend_ns, &args.kill_ns, &args.last_ns,
	};
	unsigned int i, t;

	EXPECT_EQ(EINVAL, watch(self->sup, self->s.id, 0, HOUR, 0));
	EXPECT_EQ(EINVAL, watch(self->sup, self->s.id, HOUR, 0, 0));
	for (t = 0; t < ARRAY_SIZE(times); t++) {
		fill_watch(&args, self->s.id, HOUR, HOUR, ~0U);
		if (times[t] == &args.last_ns)
			args.last = SEF_LAST_RESTART;
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			*times[t] = bad[i];
			EXPECT_EQ(EINVAL, set_watch(self->sup, &args))
				TH_LOG("time %u: %llu", t, bad[i]);
		}
	}
	EXPECT_EQ(EBADFD, unwatch(self->sup, self->s.id));
	for (t = 0; t < ARRAY_SIZE(times); t++) {
		fill_watch(&args, self->s.id, HOUR, HOUR, ~0U);
		if (times[t] == &args.last_ns)
			args.last = SEF_LAST_RESTART;
		for (i = 0; i < ARRAY_SIZE(good); i++) {
			*times[t] = good[i];
			EXPECT_EQ(0, set_watch(self->sup, &args))
				TH_LOG("time %u: %llu", t, good[i]);
		}
	}
}

TEST_F(watch, bounds_of_slack) {
	static const __u64 good[] = { 0, 1, HOUR - 1, HOUR };
	static const __u64 bad[] = { HOUR + 1, 1ULL << 63, ~0ULL };
	struct sef_watch_args args;
	unsigned int i;

	fill_watch(&args, self->s.id, HOUR, HOUR, ~0U);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		args.slack_ns = bad[i];
		EXPECT_EQ(EINVAL, set_watch(self->sup, &args));
	}
	EXPECT_EQ(EBADFD, unwatch(self->sup, self->s.id));
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		args.slack_ns = good[i];
		EXPECT_EQ(0, set_watch(self->sup, &args));
	}
}

TEST_F(watch, bounds_of_steps) {
	static const __u32 bad_signals[] = { 65, 128, 0x80000000, ~0U };
	static const __u32 bad_lasts[] = { 3, 4, 0x80000000, ~0U };
	struct sef_status_args st;
	struct sef_watch_args args;
	unsigned int i;

	fill_watch(&args, self->s.id, HOUR, HOUR, 0);
	for (i = 0; i < ARRAY_SIZE(bad_signals); i++) {
		args.signal = bad_signals[i];
		EXPECT_EQ(EINVAL, set_watch(self->sup, &args));
	}
	fill_watch(&args, self->s.id, HOUR, HOUR, 0);
	args.last_ns = HOUR;
	EXPECT_EQ(EINVAL, set_watch(self->sup, &args));
	for (i = 0; i < ARRAY_SIZE(bad_lasts); i++) {
		args.last = bad_lasts[i];
		EXPECT_EQ(EINVAL, set_watch(self->sup, &args));
	}
	args.last_ns = 0;
	for (args.last = SEF_LAST_PANIC; args.last <= SEF_LAST_RESTART; args.last++)
		EXPECT_EQ(EINVAL, set_watch(self->sup, &args));
	EXPECT_EQ(EBADFD, unwatch(self->sup, self->s.id));

	fill_watch(&args, self->s.id, HOUR, HOUR, 0);
	for (args.signal = 1; args.signal <= 64; args.signal++)
		EXPECT_EQ(0, set_watch(self->sup, &args));
	args.signal = 65;
	EXPECT_EQ(EINVAL, set_watch(self->sup, &args));
	args.signal = 0;
	args.last_ns = HOUR;
	for (args.last = SEF_LAST_PANIC; args.last <= SEF_LAST_RESTART; args.last++)
		EXPECT_EQ(0, set_watch(self->sup, &args));
	EXPECT_EQ(EINVAL, set_watch(self->sup, &args));

	/* what was refused changed nothing */
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_LAST_RESTART, st.last);
	EXPECT_EQ(HOUR, st.last_ns);
	EXPECT_EQ(0, st.signal);
}

TEST_F(watch, unwatch_ends_all) {
	struct sef_event ev;

	EXPECT_EQ(EBADFD, unwatch(self->sup, self->s.id));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 0));
	wait_readable(_metadata, self->sup);
	EXPECT_EQ(0, unwatch(self->sup, self->s.id));
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(-1, read(self->sup, &ev, sizeof(ev)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(ENOENT, unwatch(self->sup, self->s.id));
	EXPECT_EQ(ENOENT, unwatch(self->sup, ~0ULL));
	EXPECT_EQ(ENOENT, ping_error(self->sup, self->s.id));
	EXPECT_EQ(SEF_STATE_UNWATCHED, state_of(_metadata, self->sup, self->s.id));

	/* a watch made anew knows nothing of the old one's misses */
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->sup, self->s.id));
}

/* Each has its own view of the one service, and each learns of its pong. */
TEST_F(watch, many_supervisors) {
	struct sef_status_args st;
	int i, sup[40];
	struct sef_event ev;

	for (i = 0; i < 40; i++) {
		sup[i] = new_file(_metadata);
		ASSERT_EQ(0, watch(sup[i], self->s.id, HOUR, i % 2 ? SHORT : HOUR,
				   i % 4 == 1));
	}
	get_status(_metadata, sup[0], self->s.id, &st);
	EXPECT_EQ(40, st.watches);
	for (i = 1; i < 40; i += 2)
		until(_metadata, sup[i], self->s.id, i % 4 == 1 ?
		      SEF_STATE_LATE : SEF_STATE_UNRESPONSIVE, &ev);
	for (i = 0; i < 40; i += 2) {
		EXPECT_FALSE(readable(sup[i]));
		EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, sup[i], self->s.id));
	}

	EXPECT_EQ(0, pong(self->s.fd, 0));
	for (i = 0; i < 40; i++) {
		until(_metadata, sup[i], self->s.id, SEF_STATE_ALIVE, &ev);
		EXPECT_EQ(PASSED(ALIVE), ev.passed);
		EXPECT_EQ(0, close(sup[i]));
	}
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(0, st.watches);
}

TEST_F(watch, asked_ping) {
	struct sef_event ev;
	__u64 seq, before;

	EXPECT_EQ(EBADFD, ping_error(self->sup, self->s.id));
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(ENOENT, ping_error(self->sup, ~0ULL));

	before = now_ns();
	seq = ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(0, pong(self->s.fd, seq));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
	EXPECT_EQ(seq, ev.seq);
	EXPECT_EQ(1, ev.changes);
	EXPECT_LT(0, ev.rtt_ns);
	EXPECT_GE(now_ns() - before, ev.rtt_ns);

	/* only what is asked for is told of */
	EXPECT_EQ(0, pong(self->s.fd, 0));
	EXPECT_FALSE(readable(self->sup));
}

TEST_F(watch, newest_of_several_asked_pings) {
	struct sef_event ev;
	__u64 first, newest;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	first = ping(_metadata, self->sup, self->s.id);
	newest = ping(_metadata, self->sup, self->s.id);
	EXPECT_LT(first, newest);
	EXPECT_EQ(2, get_pings(_metadata, self->s.efd));
	EXPECT_EQ(0, pong(self->s.fd, first));
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(0, pong(self->s.fd, newest));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(newest, ev.seq);
	EXPECT_EQ(1, ev.changes);
}

/* Who did not ask is not told. */
TEST_F(watch, asked_by_another) {
	int other = new_file(_metadata);
	struct sef_event ev;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	ASSERT_EQ(0, watch(other, self->s.id, HOUR, HOUR, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	until(_metadata, other, self->s.id, SEF_STATE_ALIVE, &ev);
	ping(_metadata, other, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	EXPECT_TRUE(readable(other));
	EXPECT_FALSE(readable(self->sup));
	EXPECT_EQ(0, close(other));
}

TEST_F(watch, asked_ping_missed) {
	struct sef_event ev;
	__u64 seq;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 1));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	seq = ping(_metadata, self->sup, self->s.id);
	until(_metadata, self->sup, self->s.id, SEF_STATE_LATE, &ev);
	EXPECT_EQ(seq, ev.seq);
	EXPECT_EQ(1, ev.misses);
	EXPECT_EQ(0, ev.flags);

	/* answered late, it is answered all the same */
	EXPECT_EQ(0, pong(self->s.fd, seq));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_LE(SHORT, ev.rtt_ns);
}

/* However often it is asked: the oldest unanswered ping's deadline holds. */
TEST_F(watch, asking_moves_no_deadline) {
	struct pollfd pfd = { .fd = self->sup, .events = POLLIN };
	__u64 first, give_up = now_ns() + PATIENCE * MSEC;
	struct sef_event ev;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, 10 * SHORT, 1));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	first = ping(_metadata, self->sup, self->s.id);
	while (!poll(&pfd, 1, 5) && now_ns() < give_up)
		ping(_metadata, self->sup, self->s.id);
	ASSERT_TRUE(readable(self->sup));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_LATE, ev.state);
	EXPECT_EQ(first, ev.seq);
}

/*
 * Proof of life defers the next ping. Two supervisors, and a service that
 * beats in between: never is there a ping sooner than the shorter period after
 * the last sign of life, whoever it was meant for.
 */
TEST_F(watch, proof_of_life_defers) {
	int round, pings = 0, other = new_file(_metadata);
	struct pollfd pfd = { .fd = self->s.efd, .events = POLLIN };
	__u64 alive;

	ASSERT_EQ(0, watch(self->sup, self->s.id, 100 * MSEC, HOUR, 0));
	ASSERT_EQ(0, watch(other, self->s.id, 130 * MSEC, HOUR, 0));
	get_pings(_metadata, self->s.efd);
	for (round = 0; round < 20; round++) {
		/* On a busy host 40 ms went by, and it was sent before this pong. */
		alive = readable(self->s.efd) ? 0 : now_ns();
		EXPECT_EQ(0, pong(self->s.fd, 0));
		if (poll(&pfd, 1, round % 2 ? 60 : PATIENCE)) {
			EXPECT_LE(100 * MSEC, now_ns() - alive);
			get_pings(_metadata, self->s.efd);
			pings++;
		}
	}
	EXPECT_LE(10, pings);
	EXPECT_EQ(0, close(other));
}

TEST_F(watch, one_supervisor_many_services) {
	struct service s[50];
	struct sef_event ev;
	bool seen[50] = { 0 };
	int i, j;

	for (i = 0; i < 50; i++) {
		new_service(_metadata, &s[i]);
		ASSERT_EQ(0, watch(self->sup, s[i].id, HOUR, HOUR, 0));
	}
	for (i = 49; i >= 0; i--)
		EXPECT_EQ(0, pong(s[i].fd, 0));
	for (i = 0; i < 50; i++) {
		get_event(_metadata, self->sup, &ev);
		for (j = 0; j < 50 && s[j].id != ev.id; j++)
			;
		ASSERT_GT(50, j);
		EXPECT_FALSE(seen[j]);
		EXPECT_EQ(~s[j].id, ev.cookie);
		EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
		seen[j] = true;
	}
	EXPECT_FALSE(readable(self->sup));
	for (i = 0; i < 50; i++)
		close_service(_metadata, &s[i]);
}

TEST_HARNESS_MAIN
