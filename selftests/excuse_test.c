// SPDX-License-Identifier: GPL-2.0
/*
 * Why a ping was missed, and what is excused: late, for as long as it lasts, but no
 * miss. A service that is traced, frozen, stopped or starved, and never
 * answers unless it is told to. (That the machine stalls is stall_test's.)
 */
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>

#include "busy.h"
#include "servant.h"

FIXTURE(excuse)
{
	struct servant s;
	__u64 id;
	int sup;
	char cgroup[128];	/* "" until it is there */
	char mounted[32];	/* what it is below */
};

/* A way to hold a service, and to let it go; both may be called again. */
FIXTURE_VARIANT(excuse)
{
	__u32 why;
	const char *cgroup_type;
	void (*hold)(struct __test_metadata *_metadata,
		     FIXTURE_DATA(excuse) *self);
	void (*let_go)(struct __test_metadata *_metadata,
		       FIXTURE_DATA(excuse) *self);
};

static void hold_by_trace(struct __test_metadata *_metadata,
			  FIXTURE_DATA(excuse) *self)
{
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->s.pid, NULL, NULL));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, self->s.pid, NULL, NULL));
	ASSERT_EQ(self->s.pid, waitpid(self->s.pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
}

static void end_trace(struct __test_metadata *_metadata,
		      FIXTURE_DATA(excuse) *self)
{
	ptrace(PTRACE_DETACH, self->s.pid, NULL, NULL);
}

static void hold_by_signal(struct __test_metadata *_metadata,
			   FIXTURE_DATA(excuse) *self)
{
	ASSERT_EQ(0, kill(self->s.pid, SIGSTOP));
	ASSERT_TRUE(wait_task_state(self->s.pid, self->s.pid, 'T'));
}

static void continue_it(struct __test_metadata *_metadata,
			FIXTURE_DATA(excuse) *self)
{
	EXPECT_EQ(0, kill(self->s.pid, SIGCONT));
}

static void write_cgroup(struct __test_metadata *_metadata,
			 FIXTURE_DATA(excuse) *self,
			 const char *file, const char *text)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", self->cgroup, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd)
		TH_LOG("%s: %s", path, strerror(errno));
	ASSERT_EQ(strlen(text), write(fd, text, strlen(text)));
	EXPECT_EQ(0, close(fd));
}

/* Until a file of the cgroup says it. */
static void wait_cgroup(struct __test_metadata *_metadata,
			FIXTURE_DATA(excuse) *self,
			const char *file, const char *text)
{
	char path[160], buf[256];
	int fd, looks = PATIENCE;
	ssize_t got;

	snprintf(path, sizeof(path), "%s/%s", self->cgroup, file);
	do {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		got = read(fd, buf, sizeof(buf) - 1);
		ASSERT_LE(0, got);
		EXPECT_EQ(0, close(fd));
		buf[got] = '\0';
		if (strstr(buf, text))
			return;
		poll(NULL, 0, 1);
	} while (looks--);
	ASSERT_STREQ(text, buf);
}

static void freeze_v2(struct __test_metadata *_metadata,
		      FIXTURE_DATA(excuse) *self)
{
	write_cgroup(_metadata, self, "cgroup.freeze", "1");
	wait_cgroup(_metadata, self, "cgroup.events", "frozen 1");
}

static void thaw_v2(struct __test_metadata *_metadata,
		    FIXTURE_DATA(excuse) *self)
{
	write_cgroup(_metadata, self, "cgroup.freeze", "0");
	wait_cgroup(_metadata, self, "cgroup.events", "frozen 0");
}

static void freeze_v1(struct __test_metadata *_metadata,
		      FIXTURE_DATA(excuse) *self)
{
	write_cgroup(_metadata, self, "freezer.state", "FROZEN");
	wait_cgroup(_metadata, self, "freezer.state", "FROZEN");
}

static void thaw_v1(struct __test_metadata *_metadata,
		    FIXTURE_DATA(excuse) *self)
{
	write_cgroup(_metadata, self, "freezer.state", "THAWED");
	wait_cgroup(_metadata, self, "freezer.state", "THAWED");
}

FIXTURE_VARIANT_ADD(excuse, traced) {
	.why = SEF_WHY_TRACED,
	.hold = hold_by_trace,
	.let_go = end_trace,
};

FIXTURE_VARIANT_ADD(excuse, stopped) {
	.why = SEF_WHY_STOPPED,
	.hold = hold_by_signal,
	.let_go = continue_it,
};

FIXTURE_VARIANT_ADD(excuse, frozen) {
	.why = SEF_WHY_FROZEN,
	.cgroup_type = "cgroup2",
	.hold = freeze_v2,
	.let_go = thaw_v2,
};

FIXTURE_VARIANT_ADD(excuse, frozen_v1) {
	.why = SEF_WHY_FROZEN,
	.cgroup_type = "cgroup",
	.hold = freeze_v1,
	.let_go = thaw_v1,
};

/*
 * A cgroup for the service, below a mount of the test's own. False where this
 * kernel has no freezer for it.
 */
static bool new_cgroup(struct __test_metadata *_metadata,
		       FIXTURE_DATA(excuse) *self,
		       const char *type)
{
	bool v1 = !strcmp(type, "cgroup");
	char pid[16];

	snprintf(self->mounted, sizeof(self->mounted), "/tmp/sef_excuse.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->mounted));
	if (mount(type, self->mounted, type, 0, v1 ? "freezer" : NULL)) {
		EXPECT_EQ(0, rmdir(self->mounted));
		return false;
	}
	snprintf(self->cgroup, sizeof(self->cgroup), "%s/sef_excuse.%d",
		 self->mounted, getpid());
	ASSERT_EQ(0, mkdir(self->cgroup, 0700));
	snprintf(pid, sizeof(pid), "%d", self->s.pid);
	write_cgroup(_metadata, self, "cgroup.procs", pid);
	return true;
}

/* What was in it takes a moment to leave. */
static void remove_cgroup(struct __test_metadata *_metadata,
			  FIXTURE_DATA(excuse) *self)
{
	int tries = PATIENCE;

	while (rmdir(self->cgroup) && errno == EBUSY && tries--)
		poll(NULL, 0, 1);
	EXPECT_LE(0, tries);
	EXPECT_EQ(0, umount(self->mounted));
	EXPECT_EQ(0, rmdir(self->mounted));
}

FIXTURE_SETUP(excuse)
{
	self->sup = new_file(_metadata);
	self->id = new_serving(_metadata, &self->s, serve, 0);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	if (variant->cgroup_type &&
	    !new_cgroup(_metadata, self, variant->cgroup_type))
		SKIP(return, "no freezer of type %s", variant->cgroup_type);
}

/* A frozen process of cgroup v1 does not even die. */
FIXTURE_TEARDOWN(excuse)
{
	if (!variant->cgroup_type || self->cgroup[0])
		variant->let_go(_metadata, self);
	EXPECT_EQ(0, close(self->sup));
	end_servant(_metadata, &self->s);
	if (self->cgroup[0])
		remove_cgroup(_metadata, self);
}

static int watch_excusing(int fd, __u64 id, __u64 period, __u64 timeout,
			  __u32 tolerate, __u32 excuse)
{
	struct sef_watch_args args;

	fill_watch(&args, id, period, timeout, tolerate);
	args.excuse = excuse;
	return set_watch(fd, &args);
}

/* Held for ever it is late, and never more than that. Told of once. */
TEST_F(excuse, excused) {
	struct sef_status_args st;
	struct sef_event ev;

	variant->hold(_metadata, self);
	ASSERT_EQ(0, watch_excusing(self->sup, self->id, SHORT, SHORT, 0,
				    SEF_EXCUSE(variant->why)));
	until(_metadata, self->sup, self->id, SEF_STATE_LATE, &ev);
	EXPECT_EQ(variant->why, ev.why);
	EXPECT_EQ(0, ev.misses);
	do
		get_status(_metadata, self->sup, self->id, &st);
	while (st.excused < 5);
	EXPECT_EQ(SEF_STATE_LATE, st.state);
	EXPECT_EQ(0, st.misses);
	EXPECT_EQ(variant->why, st.why);
	EXPECT_EQ(0, st.credit_ns);
	EXPECT_EQ(0, st.missed | st.verdicts);
	EXPECT_FALSE(readable(self->sup));

	variant->let_go(_metadata, self);
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	ASSERT_EQ(0, watch_excusing(self->sup, self->id, HOUR, HOUR, 0,
				    SEF_EXCUSE(variant->why)));
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(0, st.excused);
	EXPECT_EQ(SEF_WHY_UNKNOWN, st.why);
}

/* What is not asked for is counted, and told. */
TEST_F(excuse, not_excused) {
	static const __u32 others[] = {
		SEF_WHY_STOPPED, SEF_WHY_TRACED, SEF_WHY_FROZEN, SEF_WHY_STARVED,
	};
	struct sef_status_args st;
	__u32 excuse = 0;
	struct sef_event ev;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (others[i] != variant->why)
			excuse |= SEF_EXCUSE(others[i]);
	variant->hold(_metadata, self);
	ASSERT_EQ(0, watch_excusing(self->sup, self->id, SHORT, SHORT, 1, excuse));
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(2, ev.misses);
	EXPECT_EQ(variant->why, ev.why);
	EXPECT_LE(2, ev.changes);
	get_status(_metadata, self->sup, self->id, &st);
	EXPECT_EQ(0, st.excused);
}

/* Let go and silent still, it has no excuse any more. */
TEST_F(excuse, silent_afterwards) {
	struct sef_event ev;

	variant->hold(_metadata, self);
	ASSERT_EQ(0, watch_excusing(self->sup, self->id, SHORT, SHORT, 1,
				    SEF_EXCUSE(variant->why)));
	until(_metadata, self->sup, self->id, SEF_STATE_LATE, &ev);
	variant->let_go(_metadata, self);
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(2, ev.misses);
	EXPECT_NE(variant->why, ev.why);
}

/* Misses that were counted before are neither forgotten nor added to. */
TEST_F(excuse, after_a_miss) {
	struct sef_status_args st, was;
	struct sef_event ev;

	ASSERT_EQ(0, watch_excusing(self->sup, self->id, HOUR, SHORT, 1,
				    SEF_EXCUSE(variant->why)));
	ping(_metadata, self->sup, self->id);
	until(_metadata, self->sup, self->id, SEF_STATE_LATE, &ev);
	EXPECT_NE(variant->why, ev.why);
	variant->hold(_metadata, self);
	get_status(_metadata, self->sup, self->id, &was);
	ASSERT_EQ(0, watch_excusing(self->sup, self->id, SHORT, SHORT, 1,
				    SEF_EXCUSE(variant->why)));
	do
		get_status(_metadata, self->sup, self->id, &st);
	while (st.excused < was.excused + 3);
	EXPECT_EQ(SEF_STATE_LATE, st.state);
	EXPECT_EQ(1, st.misses);
	EXPECT_FALSE(readable(self->sup));
}

TEST_F(excuse, default_excuses) {
	struct sef_event ev;

	variant->hold(_metadata, self);
	ASSERT_EQ(0, watch_excusing(self->sup, self->id, SHORT, SHORT, 0,
				    SEF_EXCUSE_DEFAULT));
	get_event(_metadata, self->sup, &ev);
	while (ev.state == SEF_STATE_ALIVE)
		get_event(_metadata, self->sup, &ev);
	if (variant->why != SEF_WHY_STOPPED) {
		EXPECT_EQ(SEF_STATE_LATE, ev.state);
		let_deadlines_pass(_metadata, 5);
		EXPECT_FALSE(readable(self->sup));
		return;
	}
	while (ev.state != SEF_STATE_UNRESPONSIVE)
		get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(1, ev.misses);
	EXPECT_EQ(SEF_WHY_STOPPED, ev.why);
}

/* Not to answer is the service's own will: nothing excuses it. */
TEST_F(excuse, null_reply_is_not) {
	struct sef_event ev;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SET_REPLY, SEF_REPLY_NULL));
	variant->hold(_metadata, self);
	ASSERT_EQ(0, watch_excusing(self->sup, self->id, SHORT, SHORT, 1,
				    SEF_EXCUSE_ALL));
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(2, ev.misses);
	EXPECT_EQ(SEF_WHY_NULL_REPLY, ev.why);
}

/* Silent for no reason at all, under every excuse there is. */
TEST(silence_is_no_excuse) {
	int sup = new_file(_metadata);
	struct sef_event ev;
	struct service s;

	new_service(_metadata, &s);
	ASSERT_EQ(0, watch_excusing(sup, s.id, SHORT, SHORT, 2, SEF_EXCUSE_ALL));
	until(_metadata, sup, s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(3, ev.misses);
	EXPECT_EQ(0, close(sup));
	close_service(_metadata, &s);
}

/*
 * Starved: the service answers every ping, if only it gets its CPU, which a
 * thread of a higher class keeps. All that watches is on another.
 */
FIXTURE(starved)
{
	struct servant s;
	__u64 id;
	int sup;
	struct busy busy;
	int cpus[2];		/* the watcher's, the service's */
};

enum {
	DO_ANSWER_ALL = DO_MORE,	/* pings, each after arg ns of a CPU; for ever */
	DO_THINK,			/* for arg ns of a CPU */
	DO_SPIN,			/* for ever; no answer */
	DO_EXTEND,			/* by arg ns */
};

static __u64 read_clock(clockid_t clock)
{
	struct timespec ts;

	return clock_gettime(clock, &ts) ? 0 : ts.tv_sec * 1000 * MSEC + ts.tv_nsec;
}

static void think(__u64 ns)
{
	__u64 end = read_clock(CLOCK_PROCESS_CPUTIME_ID) + ns;

	while (ns && read_clock(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

static void answer_all(__u64 think_ns)
{
	struct pollfd pfd = { .fd = servant_file, .events = POLLIN };
	struct sef_request req;

	while (true) {
		poll(&pfd, 1, -1);
		if (read(servant_file, &req, sizeof(req)) <= 0)
			continue;
		think(think_ns);
		pong(servant_file, req.seq);
	}
}

static __s64 obey(int order, __s64 arg)
{
	__u64 granted;

	switch (order) {
	case DO_ANSWER_ALL:
		answer(0);
		answer_all(arg);
		break;
	case DO_THINK:
		think(arg);
		return 0;
	case DO_SPIN:
		while (true)
			;
	case DO_EXTEND:
		return extend(servant_file, arg, &granted);
	}
	return serve(order, arg);
}

FIXTURE_SETUP(starved)
{
	if (get_cpus(self->cpus, 2) < 2)
		SKIP(return, "needs two CPUs");
	ASSERT_TRUE(pin(0, self->cpus[0]));
	self->sup = new_file(_metadata);
	self->id = new_serving(_metadata, &self->s, obey, 0);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_ANSWER_ALL, 0));
	ASSERT_TRUE(pin(self->s.pid, self->cpus[1]));
	start_busy(_metadata, &self->busy, &self->cpus[1], 1);
}

FIXTURE_TEARDOWN(starved)
{
	end_busy(_metadata, &self->busy);
	EXPECT_EQ(0, close(self->sup));
	end_servant(_metadata, &self->s);
}

/*
 * Late, and alive when it has its CPU again. Newer kernels give even a starved
 * thread a little now and then, in which it answers; so late may come again.
 */
TEST_F(starved, excused) {
	struct sef_status_args st;
	struct sef_event ev;
	__u32 passed = 0;
	int late = 0;

	ASSERT_EQ(0, watch_excusing(self->sup, self->id, SHORT, SHORT, 0,
				    SEF_EXCUSE_DEFAULT));
	while (late < 5) {
		get_status(_metadata, self->sup, self->id, &st);
		if (st.state == SEF_STATE_LATE && st.why == SEF_WHY_STARVED &&
		    st.excused >= 3)
			late++;
		EXPECT_EQ(0, st.misses);
		while (readable(self->sup)) {
			get_event(_metadata, self->sup, &ev);
			passed |= ev.passed;
		}
	}
	EXPECT_TRUE(passed & PASSED(LATE));
	EXPECT_FALSE(passed & PASSED(UNRESPONSIVE));

	end_busy(_metadata, &self->busy);
	ASSERT_EQ(0, watch_excusing(self->sup, self->id, SHORT, HOUR, 0,
				    SEF_EXCUSE_DEFAULT));
	do
		get_status(_metadata, self->sup, self->id, &st);
	while (st.state != SEF_STATE_ALIVE);
	EXPECT_EQ(0, st.excused);
}

TEST_F(starved, not_excused) {
	struct sef_status_args st;
	struct sef_event ev;

	ASSERT_EQ(0, watch_excusing(self->sup, self->id, SHORT, SHORT, 1, 0));
	do
		get_status(_metadata, self->sup, self->id, &st);
	while (st.state != SEF_STATE_UNRESPONSIVE || st.why != SEF_WHY_STARVED);
	EXPECT_LE(2, st.misses);
	EXPECT_EQ(0, st.excused);
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	end_busy(_metadata, &self->busy);
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
}

#define LONG		(1000 * MSEC)

/*
 * Asleep it was given up, and starves since: no step is taken, whichever part of a
 * timeout it is due in. The one of this ladder is due in the first quarter of one,
 * again and again. It has its CPU again, and its end.
 */
TEST_F(starved, no_step) {
	struct sef_status_args st;
	struct sef_watch_args args;
	struct servant hung;
	struct sef_event ev;
	__u64 id = new_serving(_metadata, &hung, obey, 0);

	ASSERT_TRUE(wait_task_state(hung.pid, hung.pid, 'S'));
	ASSERT_TRUE(pin(hung.pid, self->cpus[1]));
	fill_watch(&args, id, LONG, LONG, 0);
	args.excuse = SEF_EXCUSE_DEFAULT;
	args.kill_ns = 2 * LONG + LONG / 4;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until(_metadata, self->sup, id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(SEF_WHY_ASLEEP, ev.why);
	send_order(_metadata, &hung, DO_SPIN, 0);
	do {
		get_status(_metadata, self->sup, id, &st);
		ASSERT_EQ(SEF_STATE_UNRESPONSIVE, st.state);
		poll(NULL, 0, 1);
	} while (st.excused < 5);
	EXPECT_EQ(SEF_WHY_STARVED, st.why);
	EXPECT_EQ(1, st.misses);
	EXPECT_FALSE(readable(self->sup));

	end_busy(_metadata, &self->busy);
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
	end_servant(_metadata, &hung);
}

/* What it has had of a CPU in its life. */
static __u64 cpu_ns(struct __test_metadata *_metadata, const struct servant *s)
{
	clockid_t clock;

	ASSERT_EQ(0, clock_getcpuclockid(s->pid, &clock));
	return read_clock(clock);
}

#define SHARED		(300 * MSEC)	/* the timeout */
#define SILENT		(SHARED * 5 / 4) /* and the period */

/* Among others on one CPU, and watched. @args has what is not the same for all. */
static __u64 begin_sharing(struct __test_metadata *_metadata,
			   FIXTURE_DATA(starved) *self, struct servant *s, int sup,
			   struct sef_watch_args args)
{
	args.id = new_serving(_metadata, s, obey, 0);
	args.cookie = ~args.id;
	args.period_ns = SILENT - SHARED;
	args.timeout_ns = SHARED;
	args.excuse = SEF_EXCUSE_DEFAULT;
	ASSERT_TRUE(pin(s->pid, self->cpus[1]));
	if (!args.grace_ns)
		ASSERT_EQ(0, ask(_metadata, s, DO_PONG, 0));
	ASSERT_EQ(0, set_watch(sup, &args));
	if (args.extend_ns)
		ASSERT_EQ(0, ask(_metadata, s, DO_EXTEND, args.extend_ns));
	return args.id;
}

/*
 * Did the last miss come of a wait for the CPU? If not, the machine was not shared as it
 * was to be, and there is nothing to be said of those that share it.
 */
static bool was_shared(struct __test_metadata *_metadata, int sup, __u64 id)
{
	struct sef_why_args args = { .id = id };

	ASSERT_EQ(0, call(sup, SEF_IOC_WHY, &args));
	return args.waited_ns && args.waited_ns >= args.window_ns / 2;
}

/* The loop that has hung: returns whether it has its end. */
static bool check_hung(struct __test_metadata *_metadata, const struct servant *s,
		       const struct sef_status_args *st)
{
	if (st->state != SEF_STATE_UNRESPONSIVE)
		return false;
	EXPECT_LE(1, st->missed);
	EXPECT_TRUE(st->why == SEF_WHY_SPUN_USER || st->why == SEF_WHY_UNKNOWN)
		TH_LOG("why: %u", st->why);
	EXPECT_LE(SILENT, cpu_ns(_metadata, s));
	return true;
}

/* Who answers: has he run for so long that he would have had it? */
static bool check_slow(struct __test_metadata *_metadata, const struct servant *s,
		       const struct sef_status_args *st)
{
	EXPECT_EQ(0, st->missed)
		TH_LOG("service %llu", st->id);
	return st->missed || (st->pong_seq && cpu_ns(_metadata, s) > SILENT * 3);
}

/* Until all have been seen to do what they are to; or false, if it was not shared. */
static bool share(struct __test_metadata *_metadata, FIXTURE_DATA(starved) *self)
{
	static const struct sef_watch_args sets[] = {
		{ .flags = 0 },		/* the one that hangs */
		{ .flags = 0 },
		{ .flags = SEF_WATCH_STRICT },
		{ .grace_ns = 4 * SHARED },
		{ .extend_ns = 4 * SHARED },
	};
	struct servant s[ARRAY_SIZE(sets)];
	bool done[ARRAY_SIZE(sets)] = {}, shared = true;
	__u64 ids[ARRAY_SIZE(sets)];
	int sup = new_file(_metadata);
	struct sef_status_args st;
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		ids[i] = begin_sharing(_metadata, self, &s[i], sup, sets[i]);
		if (sets[i].grace_ns || sets[i].extend_ns) {
			send_order(_metadata, &s[i], DO_THINK, SHARED * 3);
			send_order(_metadata, &s[i], DO_PONG, 0);
		}
		if (i)
			send_order(_metadata, &s[i], DO_ANSWER_ALL, SHARED * 6 / 10);
	}
	send_order(_metadata, &s[0], DO_SPIN, 0);

	while (shared && n < ARRAY_SIZE(sets)) {
		i = (i + 1) % ARRAY_SIZE(sets);
		poll(NULL, 0, 1);
		get_status(_metadata, sup, ids[i], &st);
		if (done[i])
			continue;
		shared = !st.missed || was_shared(_metadata, sup, ids[i]);
		done[i] = shared && (i ? check_slow : check_hung)(_metadata, &s[i], &st);
		n += done[i];
	}

	EXPECT_EQ(0, close(sup));
	for (i = 0; i < ARRAY_SIZE(sets); i++)
		end_servant(_metadata, &s[i]);
	return shared;
}

/*
 * On a CPU that others share, a loop that has hung has an end all the same: once it
 * has had as much of the CPU as it may take to answer. Who needs a good part of that
 * for each answer, all of it with his grace or an extension, and gives the answer, has
 * no miss, however often he is late.
 */
TEST_F_TIMEOUT(starved, until_it_had_its_time, 120) {
	int tries = 5;

	end_busy(_metadata, &self->busy);
	while (!share(_metadata, self))
		ASSERT_LT(0, --tries);
}

/*
 * So has a step: one that hangs in a loop only once it is given up has its time from
 * then on, however long it is until the next ping.
 */
TEST_F(starved, step_after_its_time) {
	struct servant hung, others[3];
	struct sef_watch_args args;
	struct sef_event ev;
	unsigned int i;
	__u64 id;

	end_busy(_metadata, &self->busy);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		new_servant(_metadata, &others[i], obey);
		ASSERT_TRUE(pin(others[i].pid, self->cpus[1]));
		send_order(_metadata, &others[i], DO_SPIN, 0);
	}
	id = new_serving(_metadata, &hung, obey, 0);
	ASSERT_TRUE(pin(hung.pid, self->cpus[1]));
	fill_watch(&args, id, HOUR, SHARED, 0);
	args.excuse = SEF_EXCUSE(SEF_WHY_STARVED);
	args.signal = SIGURG;
	args.kill_ns = 3 * SHARED;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until(_metadata, self->sup, id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(SEF_WHY_ASLEEP, ev.why);
	send_order(_metadata, &hung, DO_SPIN, 0);
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SIGKILL, ev.wait_status);
	EXPECT_LE(3 * SHARED, cpu_ns(_metadata, &hung));
	end_servant(_metadata, &hung);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		end_servant(_metadata, &others[i]);
}

TEST_HARNESS_MAIN
