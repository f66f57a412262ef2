// SPDX-License-Identifier: GPL-2.0
/*
 * Out of memory, and memory that cannot be copied, at every place in turn: a
 * call either succeeds or fails with what that fault is called, changes nothing,
 * and succeeds when it is made again. Needs a kernel with fault injection.
 */
#include "sef_test.h"

FIXTURE(fault)
{
	struct service s;
	int sup;
	int empty;	/* a file without a role */
	int fail_nth;
};

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

FIXTURE_SETUP(fault)
{
	self->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (self->fail_nth < 0)
		SKIP(return, "this kernel injects no faults (CONFIG_FAULT_INJECTION)");
	ASSERT_TRUE(write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N"));
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
	self->empty = new_file(_metadata);
}

FIXTURE_TEARDOWN(fault)
{
	close(self->fail_nth);
	close(self->empty);
	close(self->sup);
	close_service(_metadata, &self->s);
}

/* Writing and reading copy memory too, and may have the fault themselves. */
static void arm(struct __test_metadata *_metadata, int fail_nth, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(fail_nth, text, len, 0) != len)
		ASSERT_EQ(len, pwrite(fail_nth, text, len, 0));
}

/* Disarm; whether the fault was had before. */
static bool was_had(struct __test_metadata *_metadata, int fail_nth)
{
	char text[16] = "";
	bool had = pread(fail_nth, text, sizeof(text) - 1, 0) > 0 &&
		   atoi(text) == 0;

	arm(_metadata, fail_nth, 0);
	return had;
}

typedef int (*call_t)(FIXTURE_DATA(fault) *self);

/*
 * Make the call with its first, second, ... chance to fail taken, until there is
 * none left. Returns how many there were. @undo makes a success undone.
 */
static int fail_each(struct __test_metadata *_metadata,
		     FIXTURE_DATA(fault) *self, call_t call_it, call_t undo)
{
	int n, err;

	for (n = 1; n < 1000; n++) {
		arm(_metadata, self->fail_nth, n);
		err = call_it(self);
		if (!was_had(_metadata, self->fail_nth)) {
			EXPECT_EQ(0, err);
			return n - 1;
		}
		EXPECT_TRUE(!err || err == ENOMEM || err == EFAULT) {
			TH_LOG("chance %d: errno %d", n, err);
		}
		if (err)
			EXPECT_EQ(0, call_it(self));
		if (undo)
			EXPECT_EQ(0, undo(self));
	}
	return n;
}

static int do_open(FIXTURE_DATA(fault) *self)
{
	int fd = open("/dev/sef", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int do_register(FIXTURE_DATA(fault) *self)
{
	struct sef_register_args args;
	int err;

	fill_register(&args, "fault", self->s.efd);
	err = call(self->empty, SEF_IOC_REGISTER, &args);
	/* Registered, and the answer could not be delivered after all. */
	return err == EBUSY ? 0 : err;
}

static int do_register_proxy(FIXTURE_DATA(fault) *self)
{
	struct sef_register_args args;
	int err, pidfd = pidfd_open(getppid(), 0);

	if (pidfd < 0)
		return errno;
	fill_proxy(&args, "fault", self->s.efd, pidfd, getppid());
	err = call(self->empty, SEF_IOC_REGISTER, &args);
	close(pidfd);
	return err == EBUSY ? 0 : err;
}

static int undo_register(FIXTURE_DATA(fault) *self)
{
	close(self->empty);
	self->empty = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return self->empty < 0 ? errno : 0;
}

static int do_watch(FIXTURE_DATA(fault) *self)
{
	return watch(self->sup, self->s.id, HOUR, HOUR, 0);
}

static int undo_watch(FIXTURE_DATA(fault) *self)
{
	return unwatch(self->sup, self->s.id);
}

static int do_ping(FIXTURE_DATA(fault) *self)
{
	struct sef_ping_args args = { .id = self->s.id };

	return call(self->sup, SEF_IOC_PING, &args);
}

static int do_status(FIXTURE_DATA(fault) *self)
{
	struct sef_status_args st;

	return try_status(self->sup, self->s.id, 0, &st);
}

static int do_pong(FIXTURE_DATA(fault) *self)
{
	return pong(self->s.fd, 0);
}

static int do_extend(FIXTURE_DATA(fault) *self)
{
	struct sef_extend_args args = { .extend_ns = HOUR };

	return call(self->s.fd, SEF_IOC_EXTEND, &args);
}

static int do_newcomers(FIXTURE_DATA(fault) *self)
{
	struct sef_newcomers_args args = { .on = 1 };

	return call(self->sup, SEF_IOC_NEWCOMERS, &args);
}

static int do_read_event(FIXTURE_DATA(fault) *self)
{
	struct sef_event ev;

	return read(self->sup, &ev, sizeof(ev)) == sizeof(ev) ? 0 : errno;
}

/* Another event to read. */
static int undo_read_event(FIXTURE_DATA(fault) *self)
{
	return do_ping(self) ?: do_pong(self);
}

static int do_read_request(FIXTURE_DATA(fault) *self)
{
	struct sef_request req;

	return read(self->s.fd, &req, sizeof(req)) == sizeof(req) ? 0 : errno;
}

TEST_F(fault, open) {
	EXPECT_LT(0, fail_each(_metadata, self, do_open, NULL));
}

TEST_F(fault, register_service) {
	EXPECT_LT(0, fail_each(_metadata, self, do_register, undo_register));
	EXPECT_LT(0, fail_each(_metadata, self, do_register_proxy, undo_register));
}

TEST_F(fault, watch) {
	struct sef_status_args st;

	EXPECT_LT(0, fail_each(_metadata, self, do_watch, undo_watch));
	get_status(_metadata, self->sup, self->s.id, &st);
	EXPECT_EQ(1, st.watches);
}

TEST_F(fault, change) {
	ASSERT_EQ(0, do_watch(self));
	EXPECT_LT(0, fail_each(_metadata, self, do_watch, NULL));
}

TEST_F(fault, ping_pong) {
	ASSERT_EQ(0, do_watch(self));
	EXPECT_LT(0, fail_each(_metadata, self, do_ping, do_pong));
	/* a pong takes nothing that could be missing */
	EXPECT_EQ(0, fail_each(_metadata, self, do_pong, NULL));
	EXPECT_LT(0, fail_each(_metadata, self, do_extend, NULL));
}

TEST_F(fault, status) {
	EXPECT_LT(0, fail_each(_metadata, self, do_status, NULL));
}

TEST_F(fault, newcomers) {
	EXPECT_LT(0, fail_each(_metadata, self, do_newcomers, NULL));
}

/* A record that could not be copied is still there. */
TEST_F(fault, read) {
	ASSERT_EQ(0, do_watch(self));
	ASSERT_EQ(0, undo_read_event(self));
	EXPECT_LT(0, fail_each(_metadata, self, do_read_event, undo_read_event));
	ASSERT_EQ(0, do_ping(self));
	EXPECT_LT(0, fail_each(_metadata, self, do_read_request, do_ping));
}

TEST_HARNESS_MAIN
