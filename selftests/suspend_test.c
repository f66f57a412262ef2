// SPDX-License-Identifier: GPL-2.0
/*
 * The machine is suspended, for longer than any timeout here: that time is
 * nobody's. What was asked for before has its time after it, and no service is
 * blamed; one that hangs is found all the same.
 *
 * Suspended means S3, in which CLOCK_MONOTONIC stands still on every machine. The
 * kernel wakes itself by an alarm timer, and refuses to suspend when that is due.
 */
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "servant.h"

#define TIMEOUT		(1000 * MSEC)
#define ASLEEP		4		/* s; the clock of the alarm has seconds */
#define ASLEEP_MAX	32
#define LONG		300		/* s; to go to sleep takes some under KASAN */

#define MEM_SLEEP	"/sys/power/mem_sleep"
#define POWER_STATE	"/sys/power/state"

FIXTURE(suspend)
{
	struct servant s;
	__u64 id;
	int sup;
	int alarm;
	char mem_sleep[16];	/* as it was, "" before it is changed */
};

enum {
	DO_ANSWER_ALL = DO_MORE,	/* pings, from now on; no other order */
	DO_EXTEND,			/* arg: ns */
};

static __s64 obey(int order, __s64 arg)
{
	struct pollfd pfd = { .events = POLLIN };
	struct sef_request req;
	__u64 granted;

	if (order == DO_EXTEND)
		return extend(servant_file, arg, &granted);
	if (order != DO_ANSWER_ALL)
		return serve(order, arg);
	answer(0);
	pfd.fd = servant_file;
	while (true) {
		poll(&pfd, 1, -1);
		if (read(servant_file, &req, sizeof(req)) > 0)
			pong(servant_file, req.seq);
	}
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = errno;
	close(fd);
	return err;
}

/* The one in brackets is what "mem" means; "deep" is S3. */
static bool use_deep(FIXTURE_DATA(suspend) *self)
{
	int fd = open(MEM_SLEEP, O_RDONLY | O_CLOEXEC);
	char text[64] = "", *was;
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	was = strchr(text, '[');
	if (len <= 0 || !strstr(text, "deep") || !was)
		return false;
	snprintf(self->mem_sleep, sizeof(self->mem_sleep), "%.*s",
		 (int)strcspn(was + 1, "]"), was + 1);
	return !write_file(MEM_SLEEP, "deep");
}

/* Time that went by while CLOCK_MONOTONIC stood still. */
static __u64 asleep_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000 * MSEC + ts.tv_nsec - now_ns();
}

/*
 * Returns when it is over. All other processes are frozen for a moment before and
 * after it. The kernel refuses while anything that woke it is being handled.
 */
static void suspend(struct __test_metadata *_metadata,
		    FIXTURE_DATA(suspend) *self)
{
	struct itimerspec when = { .it_value = { .tv_sec = ASLEEP } };
	__u64 was = asleep_ns();
	int err, tries = 10;

	/*
	 * A slow machine is not asleep yet when the alarm is due: twice as late then.
	 * Or its clock does not take the alarm in time: ETIMEDOUT.
	 */
	while (true) {
		ASSERT_EQ(0, timerfd_settime(self->alarm, 0, &when, NULL));
		err = write_file(POWER_STATE, "mem");
		if ((err != EBUSY && err != ETIMEDOUT) || !--tries)
			break;
		if (err == EBUSY && when.it_value.tv_sec < ASLEEP_MAX)
			when.it_value.tv_sec *= 2;
		poll(NULL, 0, 100);
	}
	ASSERT_EQ(0, err)
		TH_LOG(POWER_STATE ": %s", strerror(err));
	ASSERT_LE(2 * TIMEOUT, asleep_ns() - was);
}

/* The tasks are frozen and thawed again, some seconds later, and no more than that. */
static bool freeze_for_a_while(void)
{
	bool frozen;

	if (write_file("/sys/power/pm_test", "freezer"))
		return false;
	frozen = !write_file(POWER_STATE, "mem");
	write_file("/sys/power/pm_test", "none");
	return frozen;
}

FIXTURE_SETUP(suspend)
{
	struct stat st;

	self->s.sock = -1;
	self->sup = -1;
	if (!stat("/sys/kernel/debug/kcsan", &st))
		SKIP(return, "a kernel with KCSAN does not come back from S3");
	self->alarm = timerfd_create(CLOCK_BOOTTIME_ALARM, TFD_CLOEXEC);
	if (self->alarm < 0)
		SKIP(return, "no clock that wakes the machine: %s",
		     strerror(errno));
	if (!use_deep(self))
		SKIP(return, "no S3: " MEM_SLEEP " has no \"deep\"");
	self->id = new_serving(_metadata, &self->s, obey, 0);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(suspend)
{
	if (self->alarm >= 0)
		EXPECT_EQ(0, close(self->alarm));
	if (self->mem_sleep[0])
		EXPECT_EQ(0, write_file(MEM_SLEEP, self->mem_sleep));
	if (self->sup < 0)
		return;
	EXPECT_EQ(0, close(self->sup));
	end_servant(_metadata, &self->s);
}

/* Asked before, answered after; excused for nothing. */
TEST_F_TIMEOUT(suspend, outstanding_ping, LONG) {
	struct sef_status_args st;
	struct sef_event ev;
	__u64 began;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, TIMEOUT, 0));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	began = now_ns();
	ping(_metadata, self->sup, self->id);
	suspend(_metadata, self);
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(SEF_STATE_ALIVE, st.state);
	EXPECT_LT(0, st.credit_ns);
	EXPECT_GT(now_ns() - began, st.credit_ns);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	EXPECT_EQ(1, ev.changes);
	EXPECT_GT(now_ns() - began, ev.rtt_ns);
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(0, st.excused);
}

/* It answers all the time, and is asked all the time. */
TEST_F_TIMEOUT(suspend, healthy_service, LONG) {
	struct sef_watch_args args;
	struct sef_status_args st;
	__u32 passed = 0, flags;
	struct sef_event ev;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_ANSWER_ALL, 0));
	fill_watch(&args, self->id, SHORT, TIMEOUT / 4, 0);
	args.excuse = SEF_EXCUSE_DEFAULT;
	args.kill_ns = SHORT;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	suspend(_metadata, self);
	ping(_metadata, self->sup, self->id);
	do {
		get_event(_metadata, self->sup, &ev);
		passed |= ev.passed;
		flags = ev.flags;
	} while (!(flags & SEF_EVENT_PONG));
	EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
	EXPECT_FALSE(passed & PASSED(UNRESPONSIVE));
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(SEF_STATE_ALIVE, st.state);
	EXPECT_TRUE(lives(&self->s));
}

/*
 * All the time that the machine takes to go to sleep and to wake up is nobody's, also
 * where the clock goes on.
 */
TEST_F_TIMEOUT(suspend, slow_machine, LONG) {
	struct sef_watch_args args;
	struct sef_status_args st;
	__u64 began = now_ns();
	__u32 passed = 0;
	struct sef_event ev;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_ANSWER_ALL, 0));
	fill_watch(&args, self->id, SHORT, TIMEOUT, 0);
	args.kill_ns = SHORT;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	if (!freeze_for_a_while())
		SKIP(return, "no /sys/power/pm_test");
	EXPECT_LT(2 * TIMEOUT, now_ns() - began);
	ping(_metadata, self->sup, self->id);
	do {
		get_event(_metadata, self->sup, &ev);
		passed |= ev.passed;
	} while (!(ev.flags & SEF_EVENT_PONG));
	EXPECT_EQ(PASSED(ALIVE), passed);
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(0, st.excused);
	EXPECT_TRUE(lives(&self->s));
}

/* The verdict was before it, the step is after it: the service may still answer. */
static void suspend_before_step(struct __test_metadata *_metadata,
				FIXTURE_DATA(suspend) *self, bool extended)
{
	struct sef_watch_args args;
	struct sef_status_args st;
	struct sef_event ev;

	fill_watch(&args, self->id, HOUR, 2 * TIMEOUT, 0);
	args.kill_ns = 2 * TIMEOUT;
	args.extend_ns = HOUR;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	if (extended) {
		ping(_metadata, self->sup, self->id);
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_EXTEND, HOUR));
	}
	suspend(_metadata, self);
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(SEF_STATE_UNRESPONSIVE, st.state);
	EXPECT_LT(0, st.credit_ns);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
	EXPECT_EQ(PASSED(ALIVE), ev.passed);
	EXPECT_EQ(extended ? SEF_EVENT_PONG : 0, ev.flags);
}

TEST_F_TIMEOUT(suspend, step, LONG) {
	suspend_before_step(_metadata, self, false);
}

/* Another ping is outstanding, whose deadline is far. */
TEST_F_TIMEOUT(suspend, step_with_extension, LONG) {
	suspend_before_step(_metadata, self, true);
}

/* Asked before, and silent for ever. */
TEST_F_TIMEOUT(suspend, hung_service, LONG) {
	struct sef_watch_args args;
	struct sef_event ev;

	fill_watch(&args, self->id, TIMEOUT, TIMEOUT, 0);
	args.excuse = SEF_EXCUSE_ALL;
	args.kill_ns = SHORT;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	suspend(_metadata, self);
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_TRUE(ev.passed & PASSED(UNRESPONSIVE));
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
	EXPECT_EQ(SIGKILL, ev.wait_status);
	EXPECT_EQ(1, ev.misses);
}

TEST_HARNESS_MAIN
