// SPDX-License-Identifier: GPL-2.0
/*
 * CPUs that stand still: sef_stall.ko, which is to lie in the working folder, makes
 * them. A service that could not answer for half of its time or more is late at
 * most, whether it was running there or waiting, and whether the kernel's timer
 * was there too; a service that hangs is found all the same.
 */
#include <sys/syscall.h>

#include "busy.h"
#include "servant.h"

#define STALLS		"/sys/module/sef_stall/parameters/stall"
#define MIGRATION	"/proc/sys/kernel/timer_migration"

FIXTURE(stall)
{
	struct servant s;
	__u64 id;
	int sup;
	int cpus[2];		/* the test's, the service's */
	bool loaded;
};

/* What the service does when it is not asked, and where the watch's timer is. */
FIXTURE_VARIANT(stall)
{
	bool spins;		/* or sleeps */
	bool timer_there;	/* on the service's CPU */
	bool all;		/* CPUs stall, not only the service's */
};

FIXTURE_VARIANT_ADD(stall, asleep) { };

FIXTURE_VARIANT_ADD(stall, running) {
	.spins = true,
};

FIXTURE_VARIANT_ADD(stall, asleep_with_the_timer) {
	.timer_there = true,
};

FIXTURE_VARIANT_ADD(stall, running_with_the_timer) {
	.spins = true,
	.timer_there = true,
};

FIXTURE_VARIANT_ADD(stall, asleep_all_cpus) {
	.all = true,
};

FIXTURE_VARIANT_ADD(stall, running_all_cpus) {
	.spins = true,
	.all = true,
};

enum {
	/* pings, from now on, arg ms later; no other order */
	DO_SLEEP_AND_ANSWER = DO_MORE,
	DO_SPIN_AND_ANSWER,
	DO_SPIN,		/* for ever */
	DO_EXIT_AT_SIGNAL,	/* arg: signal; with status 7 */
};

static void think(bool spins, int ms)
{
	__u64 end = now_ns() + ms * MSEC;

	if (!spins && ms)
		poll(NULL, 0, ms);
	while (now_ns() < end)
		;
}

static void answer_all(bool spins, int ms)
{
	struct pollfd pfd = { .fd = servant_file, .events = POLLIN };
	struct sef_request req;

	while (true) {
		if (!spins)
			poll(&pfd, 1, -1);
		if (read(servant_file, &req, sizeof(req)) <= 0)
			continue;
		think(spins, ms);
		pong(servant_file, req.seq);
	}
}

static void exit_7(int sig)
{
	_exit(sig ? 7 : 1);
}

static __s64 obey(int order, __s64 arg)
{
	struct sigaction action = { .sa_handler = exit_7 };

	switch (order) {
	case DO_SLEEP_AND_ANSWER:
	case DO_SPIN_AND_ANSWER:
		answer(0);
		answer_all(order == DO_SPIN_AND_ANSWER, arg);
		break;
	case DO_SPIN:
		answer(0);
		while (true)
			;
	case DO_EXIT_AT_SIGNAL:
		return sigaction(arg, &action, NULL);
	}
	return serve(order, arg);
}

/*
 * False where there is no such file, or it is another kernel's. A test that failed
 * may have left it.
 */
static bool load_module(void)
{
	int fd = open("sef_stall.ko", O_RDONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = !syscall(SYS_finit_module, fd, "", 0) || errno == EEXIST;
	close(fd);
	return done;
}

static void read_file(struct __test_metadata *_metadata, const char *path,
		      char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	ASSERT_LE(0, fd);
	len = read(fd, text, size - 1);
	ASSERT_LT(0, len);
	text[len] = '\0';
	EXPECT_EQ(0, close(fd));
}

static void write_file(struct __test_metadata *_metadata, const char *path,
		       const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(strlen(text), write(fd, text, strlen(text)));
	EXPECT_EQ(0, close(fd));
}

static void begin_stall(struct __test_metadata *_metadata,
			FIXTURE_DATA(stall) *self, bool all, int ms)
{
	char text[32];

	if (all)
		snprintf(text, sizeof(text), "all %d", ms);
	else
		snprintf(text, sizeof(text), "%d %d", self->cpus[1], ms);
	write_file(_metadata, STALLS, text);
}

static void end_stall(struct __test_metadata *_metadata)
{
	char text[16];

	do {
		poll(NULL, 0, 1);
		read_file(_metadata, STALLS, text, sizeof(text));
	} while (atoi(text));
}

/*
 * A timer is on the CPU that started it last, if the kernel does not move it to
 * a busy one. To forbid that patches the kernel's code, which not every emulator
 * survives each time: so it is done once for all tests, by the process that starts
 * them. A kernel that moves none has no such file.
 */
static char migration;

static void set_migration(char how)
{
	int fd = open(MIGRATION, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, &migration, 1) != 1 || pwrite(fd, &how, 1, 0) != 1)
		migration = '\0';
	close(fd);
}

__attribute__((constructor)) static void keep_timers(void)
{
	set_migration('0');
}

__attribute__((destructor)) static void let_timers(void)
{
	if (migration)
		set_migration(migration);
}

FIXTURE_SETUP(stall)
{
	self->sup = -1;
	if (get_cpus(self->cpus, 2) < 2)
		SKIP(return, "needs two CPUs");
	self->loaded = load_module();
	if (!self->loaded)
		SKIP(return, "sef_stall.ko: %s: build stall/ for this kernel",
		     strerror(errno));
	ASSERT_TRUE(pin(0, self->cpus[0]));
	self->id = new_serving(_metadata, &self->s, obey, 0);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	ASSERT_TRUE(pin(self->s.pid, self->cpus[1]));
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(stall)
{
	if (self->sup >= 0) {
		EXPECT_EQ(0, close(self->sup));
		end_servant(_metadata, &self->s);
	}
	if (self->loaded)
		EXPECT_EQ(0, syscall(SYS_delete_module, "sef_stall", 0));
}

static void begin_watch(struct __test_metadata *_metadata,
			FIXTURE_DATA(stall) *self,
			const FIXTURE_VARIANT(stall) *variant,
			const struct sef_watch_args *args)
{
	ASSERT_TRUE(pin(0, self->cpus[variant->timer_there]));
	ASSERT_EQ(0, set_watch(self->sup, args));
	ASSERT_TRUE(pin(0, self->cpus[0]));
}

/* It starts the timer anew. */
static void begin_ping(struct __test_metadata *_metadata,
		       FIXTURE_DATA(stall) *self,
		       const FIXTURE_VARIANT(stall) *variant)
{
	ASSERT_TRUE(pin(0, self->cpus[variant->timer_there]));
	ping(_metadata, self->sup, self->id);
	ASSERT_TRUE(pin(0, self->cpus[0]));
}

/* What it comes to until that ping is answered; how long that took. */
static __u64 end_ping(struct __test_metadata *_metadata,
		      FIXTURE_DATA(stall) *self, bool *late)
{
	__u32 passed = 0, why = SEF_WHY_UNKNOWN;
	struct sef_event ev;

	do {
		get_event(_metadata, self->sup, &ev);
		passed |= ev.passed;
		why = ev.why ?: why;
		ASSERT_FALSE(passed & PASSED(UNRESPONSIVE))
			TH_LOG("blamed after %llu ms, why %u",
			       ev.silent_ns / MSEC, ev.why);
	} while (!(ev.flags & SEF_EVENT_PONG));
	/* It may be late once more when this is read. */
	EXPECT_TRUE(ev.state == SEF_STATE_ALIVE || ev.passed & PASSED(ALIVE));
	*late = passed & PASSED(LATE);
	if (*late)
		EXPECT_TRUE(why == SEF_WHY_STALLED || why == SEF_WHY_STARVED)
			TH_LOG("why %u", why);
	return ev.rtt_ns;
}

static void start_answering(struct __test_metadata *_metadata,
			    FIXTURE_DATA(stall) *self,
			    const FIXTURE_VARIANT(stall) *variant, int ms)
{
	int order = variant->spins ? DO_SPIN_AND_ANSWER : DO_SLEEP_AND_ANSWER;

	ASSERT_EQ(0, ask(_metadata, &self->s, order, ms));
}

/*
 * It answers at once, and is asked all the time. Stalls of many lengths, from
 * half a timeout on, each from another moment in the life of a ping.
 */
TEST_F(stall, quick_service) {
	const int timeout = 200;
	struct sef_watch_args args;
	bool late;
	int ms;

	start_answering(_metadata, self, variant, 0);
	fill_watch(&args, self->id, SHORT, timeout * MSEC, 0);
	args.excuse = SEF_EXCUSE_DEFAULT;
	args.kill_ns = SHORT;
	begin_watch(_metadata, self, variant, &args);
	for (ms = timeout / 2; ms < 3 * timeout; ms += 31) {
		begin_ping(_metadata, self, variant);
		end_ping(_metadata, self, &late);
		begin_stall(_metadata, self, variant->all, ms);
		end_stall(_metadata);
	}
	begin_ping(_metadata, self, variant);
	end_ping(_metadata, self, &late);
	EXPECT_TRUE(lives(&self->s));
}

/*
 * It has been asked when its CPU stops, and is to answer before its time is over:
 * late, or its time was given back. Only a ping that the stall came across counts.
 */
TEST_F(stall, slow_service) {
	const int timeout = 600, takes = 250, ms = 900, rounds = 4;
	struct sef_watch_args args;
	struct sef_status_args st;
	int hits = 0, i = 0;
	__u64 credit_ns = 0;
	bool late;

	start_answering(_metadata, self, variant, takes);
	fill_watch(&args, self->id, HOUR, timeout * MSEC, 0);
	args.excuse = SEF_EXCUSE_DEFAULT;
	args.kill_ns = SHORT;
	begin_watch(_metadata, self, variant, &args);
	while (hits < rounds) {
		begin_ping(_metadata, self, variant);
		poll(NULL, 0, i++ % rounds * takes / rounds);
		begin_stall(_metadata, self, variant->all, ms);
		end_stall(_metadata);
		if (end_ping(_metadata, self, &late) < ms * MSEC)
			continue;
		hits++;
		get_status(_metadata, self->sup, self->id, &st);
		/* Elsewhere the answer may come before the kernel looks. */
		if (!variant->timer_there && !variant->all)
			EXPECT_TRUE(late || st.credit_ns > credit_ns);
		credit_ns = st.credit_ns;
	}
	EXPECT_TRUE(lives(&self->s));
}

/* A stall is no excuse for who does not answer after it either. */
TEST_F(stall, hung_service) {
	struct sef_watch_args args;
	struct sef_event ev;

	if (variant->spins)
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_SPIN, 0));
	fill_watch(&args, self->id, SHORT, 200 * MSEC, 0);
	args.excuse = SEF_EXCUSE_DEFAULT;
	args.kill_ns = SHORT;
	begin_watch(_metadata, self, variant, &args);
	begin_stall(_metadata, self, variant->all, 500);
	end_stall(_metadata);
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_TRUE(ev.passed & PASSED(UNRESPONSIVE));
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
	EXPECT_EQ(SIGKILL, ev.wait_status);
}

/*
 * A supervisor that leaves does not wait for the CPU, which has been probed. Where
 * his timer stands still as well, none has been.
 */
TEST_F(stall, unwatch) {
	struct sef_watch_args args;
	__u64 end, begun;
	int i;

	if (variant->timer_there || variant->all)
		SKIP(return, "no CPU is probed");
	fill_watch(&args, self->id, SHORT, 100 * MSEC, 0);
	args.excuse = SEF_EXCUSE_DEFAULT;
	for (i = 0; i < 2; i++) {
		begin_watch(_metadata, self, variant, &args);
		end = now_ns() + 2000 * MSEC;
		begin_stall(_metadata, self, false, 2000);
		let_deadlines_pass(_metadata, 20);
		begun = now_ns();
		if (!i) {
			EXPECT_EQ(0, unwatch(self->sup, self->id));
		} else {
			EXPECT_EQ(0, close(self->sup));
			self->sup = new_file(_metadata);
		}
		/* It was quick, or the stall had ended before. */
		if (begun + 500 * MSEC < end)
			EXPECT_LT(now_ns(), end);
		end_stall(_metadata);
	}
}

/*
 * Who excuses nothing blames even who answers, if the timer goes on, and gives
 * nothing back. Where the timer stands still as well the answer may come before the
 * kernel looks, and is in time; so it may if that CPU, too, is a virtual one that
 * waits: the next stall then.
 */
TEST_F(stall, not_excused) {
	bool blamed = !variant->timer_there && !variant->all;
	struct sef_watch_args args;
	struct sef_status_args st;
	struct sef_event ev = {};
	int tries = 10;
	__u32 passed = 0;

	if (blamed)
		start_answering(_metadata, self, variant, 0);
	else if (variant->spins)
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_SPIN, 0));
	fill_watch(&args, self->id, SHORT, 200 * MSEC, 0);
	begin_watch(_metadata, self, variant, &args);
	do {
		begin_stall(_metadata, self, variant->all, 700);
		if (!blamed)
			wait_readable(_metadata, self->sup);
		end_stall(_metadata);
		while (readable(self->sup)) {
			get_event(_metadata, self->sup, &ev);
			passed |= ev.passed;
		}
	} while (!(passed & PASSED(UNRESPONSIVE)) && --tries);
	EXPECT_TRUE(passed & PASSED(UNRESPONSIVE));
	EXPECT_FALSE(passed & PASSED(LATE));
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(0, st.excused);
	EXPECT_EQ(0, st.credit_ns);
	if (blamed && ev.state != SEF_STATE_ALIVE)
		until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
}

/* Nor are two steps taken at once, however late: it may die of the first. */
TEST_F(stall, steps) {
	struct sef_watch_args args;
	struct sef_event ev;

	if (!variant->all)
		SKIP(return, "its supervisor's CPU goes on, and so do the steps");
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_EXIT_AT_SIGNAL, SIGUSR1));
	if (variant->spins)
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_SPIN, 0));
	/* The stall holds what each step is due at, with much room on both sides. */
	fill_watch(&args, self->id, SHORT, 800 * MSEC, 0);
	args.signal = SIGUSR1;
	args.kill_ns = 1000 * MSEC;
	begin_watch(_metadata, self, variant, &args);
	begin_ping(_metadata, self, variant);
	begin_stall(_metadata, self, true, 2000);
	end_stall(_metadata);
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(7 << 8, ev.wait_status);
}

TEST_HARNESS_MAIN
