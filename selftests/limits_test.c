// SPDX-License-Identifier: GPL-2.0
/* What one user may have at a time: max_services, max_watches. */
#include "sef_test.h"

#define PARAMETERS	"/sys/module/sef/parameters/"
#define LIMIT		5

/* Users that own nothing here. The file is charged to who opens it. */
#define ONE_USER	54321
#define OTHER_USER	54322

FIXTURE(limits)
{
	unsigned long services, watches;	/* as they were */
};

static void set_limit(struct __test_metadata *_metadata, const char *path,
		      unsigned long limit)
{
	char buf[24];
	int fd = open(path, O_WRONLY);

	ASSERT_LE(0, fd)
		TH_LOG("%s: %s", path, strerror(errno));
	snprintf(buf, sizeof(buf), "%lu", limit);
	ASSERT_EQ(strlen(buf), write(fd, buf, strlen(buf)));
	EXPECT_EQ(0, close(fd));
}

static unsigned long get_limit(struct __test_metadata *_metadata, const char *path)
{
	char buf[24] = "";
	int fd = open(path, O_RDONLY);

	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, buf, sizeof(buf) - 1));
	EXPECT_EQ(0, close(fd));
	return strtoul(buf, NULL, 10);
}

FIXTURE_SETUP(limits)
{
	self->services = get_limit(_metadata, PARAMETERS "max_services");
	self->watches = get_limit(_metadata, PARAMETERS "max_watches");
	EXPECT_LT(0, self->services);
	EXPECT_LT(0, self->watches);
}

FIXTURE_TEARDOWN(limits)
{
	set_limit(_metadata, PARAMETERS "max_services", self->services);
	set_limit(_metadata, PARAMETERS "max_watches", self->watches);
}

/* Root still, so that the device opens; the user is the real one. */
static int file_of(struct __test_metadata *_metadata, uid_t uid)
{
	int fd;

	ASSERT_EQ(0, setresuid(uid, 0, 0));
	fd = new_file(_metadata);
	ASSERT_EQ(0, setresuid(0, 0, 0));
	return fd;
}

static int try_register(int fd)
{
	struct sef_register_args args;
	int err;

	fill_register(&args, "limited", -1);
	err = call(fd, SEF_IOC_REGISTER, &args);
	return err && args.id != POISON64 ? -1 : err;
}

TEST_F(limits, services) {
	int i, fd[LIMIT], over, other;

	set_limit(_metadata, PARAMETERS "max_services", LIMIT);
	for (i = 0; i < LIMIT; i++) {
		fd[i] = file_of(_metadata, ONE_USER);
		EXPECT_EQ(0, try_register(fd[i]));
	}
	over = file_of(_metadata, ONE_USER);
	EXPECT_EQ(ENOSPC, try_register(over));
	EXPECT_EQ(EBADFD, pong(over, 0));

	/* each user for himself */
	other = file_of(_metadata, OTHER_USER);
	EXPECT_EQ(0, try_register(other));

	/* one less, one more; a file refused before may be used */
	EXPECT_EQ(0, close(fd[0]));
	EXPECT_EQ(0, try_register(over));
	fd[0] = file_of(_metadata, ONE_USER);
	EXPECT_EQ(ENOSPC, try_register(fd[0]));

	/* a higher limit holds at once, a lower one ends nothing */
	set_limit(_metadata, PARAMETERS "max_services", LIMIT + 1);
	EXPECT_EQ(0, try_register(fd[0]));
	set_limit(_metadata, PARAMETERS "max_services", 1);
	EXPECT_EQ(0, pong(fd[1], 0));
	for (i = 0; i < LIMIT - 1; i++) {
		EXPECT_EQ(0, close(fd[i]));
		fd[i] = file_of(_metadata, ONE_USER);
		EXPECT_EQ(ENOSPC, try_register(fd[i]));
	}
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(0, close(over));
	for (i = 0; i < LIMIT; i++)
		EXPECT_EQ(0, close(fd[i]));
}

/* A service that is closed counts for as long as somebody watches it. */
TEST_F(limits, services_that_are_gone) {
	int sup = new_file(_metadata), fd = file_of(_metadata, ONE_USER);
	__u64 id = register_as(_metadata, fd, "gone", -1);

	set_limit(_metadata, PARAMETERS "max_services", 1);
	ASSERT_EQ(0, watch(sup, id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(SEF_STATE_GONE, state_of(_metadata, sup, id));
	EXPECT_EQ(0, unwatch(sup, id));
	fd = file_of(_metadata, ONE_USER);
	EXPECT_EQ(0, try_register(fd));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(sup));
}

TEST_F(limits, watches) {
	int i, sup = file_of(_metadata, ONE_USER), again, other;
	struct service s[LIMIT + 1];

	set_limit(_metadata, PARAMETERS "max_watches", LIMIT);
	for (i = 0; i <= LIMIT; i++)
		new_service(_metadata, &s[i]);
	for (i = 0; i < LIMIT; i++)
		EXPECT_EQ(0, watch(sup, s[i].id, HOUR, HOUR, 0));
	EXPECT_EQ(ENOSPC, watch(sup, s[LIMIT].id, HOUR, HOUR, 0));
	EXPECT_EQ(SEF_STATE_UNWATCHED, state_of(_metadata, sup, s[LIMIT].id));
	EXPECT_FALSE(readable(s[LIMIT].efd));

	/* no new one */
	EXPECT_EQ(0, watch(sup, s[0].id, HOUR, HOUR, 7));

	/* over all files of the user, and of nobody else */
	again = file_of(_metadata, ONE_USER);
	EXPECT_EQ(ENOSPC, watch(again, s[0].id, HOUR, HOUR, 0));
	EXPECT_EQ(EBADFD, unwatch(again, s[0].id));
	other = file_of(_metadata, OTHER_USER);
	EXPECT_EQ(0, watch(other, s[0].id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(other));

	EXPECT_EQ(0, unwatch(sup, s[0].id));
	EXPECT_EQ(0, watch(again, s[0].id, HOUR, HOUR, 0));
	EXPECT_EQ(ENOSPC, watch(sup, s[0].id, HOUR, HOUR, 0));

	/* and a file that is closed leaves nothing counted */
	EXPECT_EQ(0, close(sup));
	for (i = 1; i < LIMIT; i++)
		EXPECT_EQ(0, watch(again, s[i].id, HOUR, HOUR, 0));
	EXPECT_EQ(ENOSPC, watch(again, s[LIMIT].id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(again));
	for (i = 0; i <= LIMIT; i++)
		close_service(_metadata, &s[i]);
}

TEST_F(limits, none_at_all) {
	int fd = file_of(_metadata, ONE_USER);
	struct service s;

	new_service(_metadata, &s);
	set_limit(_metadata, PARAMETERS "max_services", 0);
	set_limit(_metadata, PARAMETERS "max_watches", 0);
	EXPECT_EQ(ENOSPC, try_register(fd));
	EXPECT_EQ(ENOSPC, watch(fd, s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, pong(s.fd, 0));
	EXPECT_EQ(0, close(fd));
	close_service(_metadata, &s);
}

TEST_HARNESS_MAIN
