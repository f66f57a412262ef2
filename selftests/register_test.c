// SPDX-License-Identifier: GPL-2.0
/* Becoming a service; the role that a file takes, once. */
#include "sef_test.h"

FIXTURE(reg)
{
	int fd;
};

FIXTURE_SETUP(reg)
{
	self->fd = new_file(_metadata);
}

FIXTURE_TEARDOWN(reg)
{
	EXPECT_EQ(0, close(self->fd));
}

static short revents(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

static void expect_no_role(struct __test_metadata *_metadata, int fd)
{
	struct sef_event ev;
	__u64 granted;

	EXPECT_EQ(POLLERR, revents(fd));
	EXPECT_EQ(-1, read(fd, &ev, sizeof(ev)));
	EXPECT_EQ(EBADFD, errno);
	EXPECT_EQ(EBADFD, pong(fd, 0));
	EXPECT_EQ(EBADFD, set_reply(fd, SEF_REPLY_PONG));
	EXPECT_EQ(EBADFD, extend(fd, HOUR, &granted));
	EXPECT_EQ(EBADFD, unwatch(fd, 1));
	EXPECT_EQ(EBADFD, ping_error(fd, 1));
}

TEST_F(reg, no_role) {
	char c = 0;

	expect_no_role(_metadata, self->fd);
	EXPECT_EQ(-1, write(self->fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EBADFD, errno);
	/* asking for a status takes none */
	EXPECT_EQ(ESRCH, status_error(self->fd, ~0ULL, 0));
	expect_no_role(_metadata, self->fd);
}

/* A call that fails takes no role, and keeps none from being taken. */
TEST_F(reg, refused_as_supervisor) {
	struct service s;
	__u64 id;

	EXPECT_EQ(ESRCH, watch(self->fd, ~0ULL, HOUR, HOUR, 0));
	expect_no_role(_metadata, self->fd);
	id = register_as(_metadata, self->fd, "a", -1);
	EXPECT_EQ(0, revents(self->fd));
	EXPECT_EQ(EBADFD, watch(self->fd, id, HOUR, HOUR, 0));
	EXPECT_EQ(EBADFD, unwatch(self->fd, id));
	new_service(_metadata, &s);
	EXPECT_EQ(SEF_STATE_UNWATCHED, state_of(_metadata, self->fd, s.id));
	EXPECT_EQ(0, pong(self->fd, 0));
	close_service(_metadata, &s);
}

TEST_F(reg, service_is_no_supervisor) {
	__u64 id = register_as(_metadata, self->fd, "a", -1);
	struct sef_register_args args;

	EXPECT_EQ(EBADFD, watch(self->fd, id, HOUR, HOUR, 0));
	EXPECT_EQ(EBADFD, newcomers(self->fd, 0));
	EXPECT_EQ(EBADFD, newcomers(self->fd, 1));
	EXPECT_EQ(EBADFD, unwatch(self->fd, id));
	EXPECT_EQ(EBADFD, ping_error(self->fd, id));
	EXPECT_EQ(SEF_STATE_UNWATCHED, state_of(_metadata, self->fd, id));

	fill_register(&args, "b", -1);
	EXPECT_EQ(EBUSY, call(self->fd, SEF_IOC_REGISTER, &args));
	EXPECT_EQ(POISON64, args.id);
	EXPECT_EQ(0, pong(self->fd, 0));
}

TEST_F(reg, supervisor_is_no_service) {
	struct sef_register_args args;
	struct service s;
	__u64 granted;

	new_service(_metadata, &s);
	ASSERT_EQ(0, watch(self->fd, s.id, HOUR, HOUR, 0));
	EXPECT_EQ(EBADFD, pong(self->fd, 0));
	EXPECT_EQ(EBADFD, set_reply(self->fd, SEF_REPLY_PONG));
	EXPECT_EQ(EBADFD, extend(self->fd, HOUR, &granted));
	fill_register(&args, "b", -1);
	EXPECT_EQ(EBUSY, call(self->fd, SEF_IOC_REGISTER, &args));
	EXPECT_EQ(POISON64, args.id);
	EXPECT_EQ(SEF_STATE_WAITING, state_of(_metadata, self->fd, s.id));

	/* it stays one without any watch */
	EXPECT_EQ(0, unwatch(self->fd, s.id));
	EXPECT_EQ(EBUSY, call(self->fd, SEF_IOC_REGISTER, &args));
	close_service(_metadata, &s);
}

/* Whoever asks for newcomers, or no longer for any, is one too. */
TEST_F(reg, newcomers_make_a_supervisor) {
	struct sef_register_args args;
	int other = new_file(_metadata);

	EXPECT_EQ(0, newcomers(self->fd, 1));
	EXPECT_EQ(0, newcomers(other, 0));
	fill_register(&args, "b", -1);
	EXPECT_EQ(EBUSY, call(self->fd, SEF_IOC_REGISTER, &args));
	EXPECT_EQ(EBUSY, call(other, SEF_IOC_REGISTER, &args));
	EXPECT_EQ(POISON64, args.id);
	EXPECT_EQ(0, revents(self->fd));
	EXPECT_EQ(ENOENT, unwatch(other, 1));
	EXPECT_EQ(0, close(other));
}

TEST_F(reg, a_failed_call_takes_no_role) {
	struct sef_register_args args;
	struct service s;

	EXPECT_EQ(ESRCH, watch(self->fd, ~0ULL, HOUR, HOUR, 0));
	EXPECT_EQ(EINVAL, watch(self->fd, ~0ULL, 0, HOUR, 0));
	EXPECT_EQ(EINVAL, newcomers(self->fd, 2));
	fill_register(&args, "", -1);
	EXPECT_EQ(EINVAL, call(self->fd, SEF_IOC_REGISTER, &args));
	expect_no_role(_metadata, self->fd);

	new_service(_metadata, &s);
	EXPECT_EQ(0, watch(self->fd, s.id, HOUR, HOUR, 0));
	close_service(_metadata, &s);
}

TEST_F(reg, bad_arguments) {
	static const __u32 replies[] = { 2, 3, 0x80000000, ~0U };
	struct sef_register_args args, was;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(replies); i++) {
		fill_register(&args, "a", -1);
		args.reply = replies[i];
		was = args;
		EXPECT_EQ(EINVAL, call(self->fd, SEF_IOC_REGISTER, &args));
		EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
	}

	fill_register(&args, "", -1);
	was = args;
	EXPECT_EQ(EINVAL, call(self->fd, SEF_IOC_REGISTER, &args));
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));

	fill_register(&args, "", -1);
	memset(args.name, 'n', sizeof(args.name));
	was = args;
	EXPECT_EQ(EINVAL, call(self->fd, SEF_IOC_REGISTER, &args));
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));

	expect_no_role(_metadata, self->fd);
}

/* Any bytes, up to 31; what followed the NUL is never shown. */
TEST_F(reg, names) {
	static const char *const names[] = {
		"x", "1234567890123456789012345678901", " ", "/../%s%n",
		"\x01\x1b[31m\x7f\x80\xff\n", "\xa5\xa5",
	};
	char want[SEF_NAME_SIZE];
	struct sef_status_args st;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		fd = new_file(_metadata);
		get_status(_metadata, fd,
			   register_as(_metadata, fd, names[i], -1), &st);
		memset(want, 0, sizeof(want));
		memcpy(want, names[i], strlen(names[i]));
		EXPECT_EQ(0, memcmp(want, st.name, sizeof(want)));
		EXPECT_EQ(0, close(fd));
	}
}

TEST_F(reg, ids_are_new) {
	__u64 id, last = register_as(_metadata, self->fd, "same", -1);
	int i, fd;

	for (i = 0; i < 300; i++) {
		fd = new_file(_metadata);
		id = register_as(_metadata, fd, "same", -1);
		EXPECT_LT(last, id);
		EXPECT_EQ(0, close(fd));
		EXPECT_EQ(ESRCH, status_error(self->fd, id, 0));
		last = id;
	}
}

TEST_F(reg, both_reply_policies) {
	struct sef_register_args args;
	struct sef_status_args st;

	fill_register(&args, "null", -1);
	args.reply = SEF_REPLY_NULL;
	ASSERT_EQ(0, call(self->fd, SEF_IOC_REGISTER, &args));
	get_status(_metadata, self->fd, args.id, &st);
	EXPECT_EQ(SEF_REPLY_NULL, st.reply);
	EXPECT_EQ(0, set_reply(self->fd, SEF_REPLY_PONG));
	get_status(_metadata, self->fd, args.id, &st);
	EXPECT_EQ(SEF_REPLY_PONG, st.reply);
}

struct racer {
	pthread_barrier_t *start;
	int fd;
	__u64 watch_id;		/* or 0, to register */
	int err;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct sef_register_args args;

	fill_register(&args, "racer", -1);
	pthread_barrier_wait(r->start);
	r->err = r->watch_id ? watch(r->fd, r->watch_id, HOUR, HOUR, 0) :
			       call(r->fd, SEF_IOC_REGISTER, &args);
	return NULL;
}

/* However many try at once, the file takes one role. */
TEST_F(reg, racing_for_a_role) {
	pthread_barrier_t start;
	struct racer racers[4];
	int round, i, services, watches, fd;
	pthread_t threads[4];
	struct service s;

	new_service(_metadata, &s);
	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 4));
	for (round = 0; round < 50; round++) {
		fd = new_file(_metadata);
		for (i = 0; i < 4; i++) {
			racers[i] = (struct racer) { &start, fd, i % 2 ? s.id : 0 };
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, race, &racers[i]));
		}
		services = 0;
		watches = 0;
		for (i = 0; i < 4; i++) {
			ASSERT_EQ(0, pthread_join(threads[i], NULL));
			if (i % 2)
				watches += !racers[i].err;
			else
				services += !racers[i].err;
			if (racers[i].err)
				EXPECT_EQ(i % 2 ? EBADFD : EBUSY, racers[i].err);
		}
		EXPECT_TRUE((services == 1 && !watches) || (!services && watches == 2));
		EXPECT_EQ(0, close(fd));
	}
	EXPECT_EQ(0, pthread_barrier_destroy(&start));
	close_service(_metadata, &s);
}

TEST_HARNESS_MAIN
