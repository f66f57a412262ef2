// SPDX-License-Identifier: GPL-2.0
/* What a pong answers, whose it may be, and what a wrong one leaves alone. */
#include "sef_test.h"

FIXTURE(pong)
{
	struct service s;
	int sup;
};

FIXTURE_SETUP(pong)
{
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(pong)
{
	EXPECT_EQ(0, close(self->sup));
	close_service(_metadata, &self->s);
}

TEST_F(pong, unasked) {
	struct sef_status_args st;
	__u64 before;

	EXPECT_EQ(EINVAL, pong(self->s.fd, 1));
	EXPECT_EQ(EINVAL, pong(self->s.fd, ~0ULL));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(st.age_ns, st.silent_ns);

	before = now_ns();
	EXPECT_EQ(0, pong(self->s.fd, 0));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_GE(now_ns() - before, st.silent_ns);
	EXPECT_LT(st.silent_ns, st.age_ns);
	EXPECT_EQ(0, st.ping_seq);
	EXPECT_EQ(0, st.pong_seq);
	EXPECT_EQ(0, st.rtt_ns);
	EXPECT_EQ(0, pong(self->s.fd, 0));
}

TEST_F(pong, seqs) {
	struct sef_status_args st, was;
	__u64 seq[3];
	int i;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	for (i = 0; i < 3; i++) {
		seq[i] = ping(_metadata, self->sup, self->s.id);
		if (i)
			EXPECT_LT(seq[i - 1], seq[i]);
	}

	EXPECT_EQ(0, pong(self->s.fd, seq[1]));
	get_status(_metadata, self->sup, self->s.id, &was);
	EXPECT_EQ(seq[2], was.ping_seq);
	EXPECT_EQ(seq[1], was.pong_seq);

	/* answered before, or never sent: no sign of life */
	EXPECT_EQ(ESTALE, pong(self->s.fd, seq[0]));
	EXPECT_EQ(ESTALE, pong(self->s.fd, seq[1]));
	EXPECT_EQ(EINVAL, pong(self->s.fd, seq[2] + 1));
	EXPECT_EQ(EINVAL, pong(self->s.fd, ~0ULL));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(seq[1], st.pong_seq);
	EXPECT_EQ(st.age_ns - was.age_ns, st.silent_ns - was.silent_ns);

	EXPECT_EQ(0, pong(self->s.fd, seq[2]));
	EXPECT_EQ(ESTALE, pong(self->s.fd, seq[2]));
	EXPECT_EQ(0, pong(self->s.fd, 0));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(seq[2], st.pong_seq);
	EXPECT_EQ(seq[2], st.ping_seq);
}

TEST_F(pong, zero_answers_all) {
	struct sef_status_args st;
	__u64 seq;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	ping(_metadata, self->sup, self->s.id);
	seq = ping(_metadata, self->sup, self->s.id);
	EXPECT_TRUE(readable(self->s.fd));
	EXPECT_EQ(0, pong(self->s.fd, 0));
	EXPECT_FALSE(readable(self->s.fd));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(seq, st.pong_seq);
	EXPECT_EQ(ESTALE, pong(self->s.fd, seq));
}

TEST_F(pong, rtt) {
	__u64 first, newest, before, between, after;
	struct sef_status_args st;
	struct sef_event ev;

	before = now_ns();
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	first = ping(_metadata, self->sup, self->s.id);
	let_deadlines_pass(_metadata, 1);
	between = now_ns();
	newest = ping(_metadata, self->sup, self->s.id);

	/* from the first that waited, whichever was answered */
	EXPECT_EQ(0, pong(self->s.fd, first));
	after = now_ns();
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_LT(SHORT, st.rtt_ns);
	EXPECT_GE(after - before, st.rtt_ns);
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, ev.flags);

	EXPECT_EQ(0, pong(self->s.fd, newest));
	after = now_ns();
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_LT(0, st.rtt_ns);
	EXPECT_GE(after - between, st.rtt_ns);
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(st.rtt_ns, ev.rtt_ns);

	/* an unasked one tells of none either */
	EXPECT_EQ(0, pong(self->s.fd, 0));
	first = st.rtt_ns;
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(first, st.rtt_ns);
}

static void *pong_from_thread(void *arg)
{
	struct service *s = arg;

	return (void *)(long)pong(s->fd, 0);
}

TEST_F(pong, any_thread) {
	pthread_t thread;
	void *err = (void *)-1L;
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, pong_from_thread, &self->s));
	ASSERT_EQ(0, pthread_join(thread, &err));
	EXPECT_EQ(NULL, err);
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
}

/* What a fork leaves in the child is not the service. */
TEST_F(pong, no_child) {
	struct sef_status_args st, was;
	struct sef_request req;
	__u64 granted;
	pid_t pid;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	get_status(_metadata, self->sup, self->s.id, &was);
	pid = fork();
	if (!pid) {
		EXPECT_EQ(EPERM, pong(self->s.fd, 0));
		EXPECT_EQ(EPERM, pong(self->s.fd, was.ping_seq));
		EXPECT_EQ(EPERM, pong(self->s.fd, ~0ULL));
		EXPECT_EQ(EPERM, set_reply(self->s.fd, SEF_REPLY_NULL));
		EXPECT_EQ(EPERM, extend(self->s.fd, HOUR, &granted));
		EXPECT_EQ(EPERM, extend(self->s.fd, 0, &granted));
		EXPECT_EQ(-1, read(self->s.fd, &req, sizeof(req)));
		EXPECT_EQ(EPERM, errno);
		_exit(0);
	}
	join_child(_metadata, pid);
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(SEF_STATE_WAITING, st.state);
	EXPECT_EQ(0, st.pong_seq);
	EXPECT_EQ(st.age_ns, st.silent_ns);
	EXPECT_EQ(SEF_REPLY_PONG, st.reply);
	EXPECT_TRUE(readable(self->s.fd));
	EXPECT_EQ(0, pong(self->s.fd, 0));
}

/* A role is taken by whoever calls, not by whoever opened the file. */
TEST_F(pong, child_with_a_fresh_file) {
	int fd = new_file(_metadata);
	pid_t pid = fork();

	if (!pid) {
		struct sef_status_args st;

		get_status(_metadata, fd, register_as(_metadata, fd, "c", -1), &st);
		EXPECT_EQ(getpid(), st.pid);
		EXPECT_EQ(0, pong(fd, 0));
		_exit(0);
	}
	join_child(_metadata, pid);
	EXPECT_EQ(EPERM, pong(fd, 0));
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
