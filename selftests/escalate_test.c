// SPDX-License-Identifier: GPL-2.0
/*
 * The steps after the verdict: a signal, SIGKILL; whoever is hung meanwhile, and
 * not against one that answers, is excused, or may not be signalled any more.
 * (The last step would end the tests: last_step takes it.)
 *
 * That a step does not come is seen from the decoy: a service whose own ladder
 * of the same lengths began later, and has come to its end.
 */
#include <linux/capability.h>
#include <sys/ptrace.h>

#include "busy.h"
#include "servant.h"

#define USER		54321
#define OTHER_USER	54322

/* Time enough for the test to do something before a step. */
#define SOON		(2000 * MSEC)

FIXTURE(escalate)
{
	struct servant s;
	__u64 id;
	int sup;
};

/* The servant does not inherit the file: its end is to be the last close. */
FIXTURE_SETUP(escalate)
{
	self->id = new_serving(_metadata, &self->s, serve, 0);
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(escalate)
{
	if (self->sup >= 0)
		EXPECT_EQ(0, close(self->sup));
	end_servant(_metadata, &self->s);
}

static void fill_ladder(struct sef_watch_args *args, __u64 id, __u32 signal,
			__u64 kill_ns)
{
	fill_watch(args, id, HOUR, SHORT, 0);
	args->signal = signal;
	args->kill_ns = kill_ns;
}

static int set_ladder(int fd, __u64 id, __u32 signal, __u64 kill_ns)
{
	struct sef_watch_args args;

	fill_ladder(&args, id, signal, kill_ns);
	return set_watch(fd, &args);
}

/* Returns when a ladder with a SIGKILL after @kill_ns that begins now has ended. */
static void let_ladder_end(struct __test_metadata *_metadata, __u64 kill_ns)
{
	int sup = new_file(_metadata);
	struct servant decoy;
	struct sef_event ev;
	__u64 id = new_serving(_metadata, &decoy, serve, 0);

	ASSERT_EQ(0, set_ladder(sup, id, 0, kill_ns));
	until(_metadata, sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
	EXPECT_EQ(SIGKILL, ev.wait_status);
	EXPECT_EQ(0, close(sup));
	end_servant(_metadata, &decoy);
}

/* Of all watches, those that are gone too. */
static void expect_counts(struct __test_metadata *_metadata, int sup, __u64 id,
			  __u32 verdicts, __u32 steps, __u32 denied)
{
	struct sef_status_args st;

	get_status(_metadata, sup, id, &st);
	EXPECT_LE(verdicts, st.missed);
	EXPECT_EQ(verdicts, st.verdicts);
	EXPECT_EQ(steps, st.steps);
	EXPECT_EQ(denied, st.denied);
}

static void until_unresponsive(struct __test_metadata *_metadata, int sup,
			       __u64 id)
{
	struct sef_event ev;

	until(_metadata, sup, id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(0, ev.flags & SEF_EVENT_KILL);
}

TEST_F(escalate, signal) {
	struct sef_event ev;

	ASSERT_EQ(0, set_ladder(self->sup, self->id, SIGTERM, 0));
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_SIGNAL, ev.flags);
	EXPECT_EQ(PASSED(UNRESPONSIVE) | PASSED(DEAD), ev.passed);
	EXPECT_EQ(3, ev.changes);
	EXPECT_EQ(SIGTERM, ev.wait_status);
}

/* Once for a verdict: not for every miss; and for each verdict anew. */
TEST_F(escalate, signal_at_each_verdict) {
	struct sef_watch_args args;
	struct sef_event ev;
	int i;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_CATCH, SIGUSR1));
	for (i = 1; i <= 3; i++) {
		fill_watch(&args, self->id, SHORT, SHORT, 2);
		args.signal = SIGUSR1;
		ASSERT_EQ(0, set_watch(self->sup, &args));
		until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
		while (!(ev.flags & SEF_EVENT_SIGNAL))
			get_event(_metadata, self->sup, &ev);
		let_deadlines_pass(_metadata, 4);
		EXPECT_FALSE(readable(self->sup));
		EXPECT_EQ(i, ask(_metadata, &self->s, DO_COUNT, SIGUSR1));
		args.period_ns = HOUR;
		args.timeout_ns = HOUR;
		ASSERT_EQ(0, set_watch(self->sup, &args));
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
		until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
		EXPECT_EQ(0, ev.flags);
	}
	expect_counts(_metadata, self->sup, self->id, 3, 3, 0);
}

/* Late is not unresponsive. */
TEST_F(escalate, tolerated) {
	struct sef_watch_args args;
	struct sef_event ev;

	fill_ladder(&args, self->id, SIGTERM, SEF_TIME_MIN_NS);
	args.period_ns = SHORT;
	args.tolerate = ~0U;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	do {
		get_event(_metadata, self->sup, &ev);
		EXPECT_EQ(SEF_STATE_LATE, ev.state);
		EXPECT_EQ(0, ev.flags);
	} while (ev.misses < 5);
	EXPECT_TRUE(lives(&self->s));

	/* less tolerated, the verdict is there at once, and its steps */
	args.tolerate = 1;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_SIGNAL, ev.flags & ~SEF_EVENT_KILL);
}

TEST_F(escalate, no_steps) {
	struct sef_event ev;

	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, 0));
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	let_ladder_end(_metadata, SHORT);
	EXPECT_FALSE(readable(self->sup));
	EXPECT_TRUE(lives(&self->s));
}

TEST_F(escalate, kill) {
	__u64 before = now_ns();
	struct sef_event ev;

	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, 5 * SHORT));
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_LE(6 * SHORT, now_ns() - before);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
	EXPECT_EQ(PASSED(UNRESPONSIVE) | PASSED(DEAD), ev.passed);
	EXPECT_EQ(3, ev.changes);
	EXPECT_EQ(SIGKILL, ev.wait_status);
}

TEST_F(escalate, signal_then_kill) {
	struct sef_event ev;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_CATCH, SIGABRT));
	ASSERT_EQ(0, set_ladder(self->sup, self->id, SIGABRT, SHORT));
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_SIGNAL | SEF_EVENT_KILL, ev.flags);
	EXPECT_EQ(4, ev.changes);
	EXPECT_EQ(SIGKILL, ev.wait_status);
	expect_counts(_metadata, self->sup, self->id, 1, 2, 0);
}

/* Threads included: it is the process that a step is against. */
TEST_F(escalate, thread_service) {
	struct servant s;
	struct sef_event ev;
	__u64 id = new_serving(_metadata, &s, serve, SEF_REGISTER_THREAD);

	ASSERT_EQ(0, set_ladder(self->sup, id, 0, SHORT));
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
	EXPECT_EQ(SIGKILL, end_servant(_metadata, &s));
}

/* Each supervisor takes its own steps. */
TEST_F(escalate, two_ladders) {
	int other = new_file(_metadata);
	struct sef_event ev;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_CATCH, SIGUSR1));
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_CATCH, SIGUSR2));
	ASSERT_EQ(0, set_ladder(self->sup, self->id, SIGUSR1, 0));
	ASSERT_EQ(0, set_ladder(other, self->id, SIGUSR2, SOON));
	until_unresponsive(_metadata, self->sup, self->id);
	until(_metadata, other, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_SIGNAL | SEF_EVENT_KILL, ev.flags);
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(0, ev.flags & SEF_EVENT_KILL);
	EXPECT_EQ(0, close(other));
	expect_counts(_metadata, self->sup, self->id, 2, 3, 0);
}

TEST_F(escalate, pong_ends_it) {
	struct sef_event ev;

	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, SOON));
	until_unresponsive(_metadata, self->sup, self->id);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	let_ladder_end(_metadata, SOON);
	EXPECT_TRUE(lives(&self->s));
	EXPECT_FALSE(readable(self->sup));
}

TEST_F(escalate, unwatch_ends_it) {
	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, SOON));
	until_unresponsive(_metadata, self->sup, self->id);
	ASSERT_EQ(0, unwatch(self->sup, self->id));
	let_ladder_end(_metadata, SOON);
	EXPECT_TRUE(lives(&self->s));
}

TEST_F(escalate, close_ends_it) {
	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, SOON));
	until_unresponsive(_metadata, self->sup, self->id);
	ASSERT_EQ(0, close(self->sup));
	self->sup = -1;
	let_ladder_end(_metadata, SOON);
	EXPECT_TRUE(lives(&self->s));
}

TEST_F(escalate, closed_service_ends_it) {
	struct sef_event ev;

	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, SOON));
	until_unresponsive(_metadata, self->sup, self->id);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_CLOSE, 0));
	until(_metadata, self->sup, self->id, SEF_STATE_GONE, &ev);
	let_ladder_end(_metadata, SOON);
	EXPECT_TRUE(lives(&self->s));
	EXPECT_FALSE(readable(self->sup));
}

/* What is dead is not killed, nor told to have been. */
TEST_F(escalate, death_ends_it) {
	struct sef_event ev;

	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, SOON));
	until_unresponsive(_metadata, self->sup, self->id);
	send_order(_metadata, &self->s, DO_EXIT, 3);
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(3 << 8, ev.wait_status);
	let_ladder_end(_metadata, SOON);
	EXPECT_FALSE(readable(self->sup));
}

TEST_F(escalate, earlier_step) {
	struct sef_event ev;

	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, HOUR));
	until_unresponsive(_metadata, self->sup, self->id);
	let_ladder_end(_metadata, SHORT);
	EXPECT_TRUE(lives(&self->s));
	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, SHORT));
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
}

TEST_F(escalate, later_step) {
	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, SOON));
	until_unresponsive(_metadata, self->sup, self->id);
	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, HOUR));
	let_ladder_end(_metadata, SOON);
	EXPECT_TRUE(lives(&self->s));
	EXPECT_FALSE(readable(self->sup));
}

TEST_F(escalate, step_taken_away) {
	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, SOON));
	until_unresponsive(_metadata, self->sup, self->id);
	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, 0));
	let_ladder_end(_metadata, SOON);
	EXPECT_TRUE(lives(&self->s));
}

/* Settings given again let the clock run on. */
TEST_F(escalate, same_settings) {
	struct sef_event ev;

	ASSERT_EQ(0, set_ladder(self->sup, self->id, 0, 5 * SHORT));
	until_unresponsive(_metadata, self->sup, self->id);
	while (lives(&self->s)) {
		int err = set_ladder(self->sup, self->id, 0, 5 * SHORT);

		EXPECT_TRUE(!err || err == ESRCH);
	}
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
}

/* A step that is to come later, given another time, does not touch the next one. */
TEST_F(escalate, other_step) {
	struct sef_watch_args args;
	struct sef_event ev;
	int err;

	fill_ladder(&args, self->id, 0, 5 * SHORT);
	args.last = SEF_LAST_RESTART;
	args.last_ns = HOUR;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until_unresponsive(_metadata, self->sup, self->id);
	while (lives(&self->s)) {
		args.last_ns++;
		args.last = SEF_LAST_PANIC + SEF_LAST_RESTART - args.last;
		err = set_watch(self->sup, &args);
		EXPECT_TRUE(!err || err == ESRCH);
	}
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
}

static void start_trace(struct __test_metadata *_metadata, struct servant *s)
{
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, s->pid, NULL, NULL));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, s->pid, NULL, NULL));
	ASSERT_EQ(s->pid, waitpid(s->pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
}

/* Held by a debugger, it is not made unresponsive by what is tolerated no more. */
TEST_F(escalate, excused_from_a_judgement) {
	struct sef_watch_args args;
	struct sef_event ev;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_CATCH, SIGTERM));
	fill_watch(&args, self->id, HOUR, SHORT, 1);
	args.signal = SIGTERM;
	args.excuse = SEF_EXCUSE(SEF_WHY_TRACED) | SEF_EXCUSE(SEF_WHY_STALLED);
	ASSERT_EQ(0, set_watch(self->sup, &args));
	do
		until(_metadata, self->sup, self->id, SEF_STATE_LATE, &ev);
	while (!ev.misses);
	start_trace(_metadata, &self->s);
	args.tolerate = 0;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	EXPECT_EQ(SEF_STATE_LATE, state_of(_metadata, self->sup, self->id));
	EXPECT_FALSE(readable(self->sup));

	/* and once it is let go */
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->s.pid, 0, 0));
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_COUNT, SIGTERM));
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	while (!ask(_metadata, &self->s, DO_COUNT, SIGTERM))
		;
}

/* The supervisor is another process, as it will be. */
enum {
	DO_WATCH = DO_MORE,	/* arg: id; a ladder with SIGKILL SOON */
	DO_WATCH_IDLY,		/* the same, where nothing is due yet */
	DO_CHANGE,		/* arg: id; the same watch without steps */
	DO_PING,		/* arg: id */
	DO_FLAGS,		/* of the events that are there */
	DO_STATE,		/* arg: id */
	DO_SET_FIFO,		/* arg: priority */
};

static __s64 obey(int order, __s64 arg)
{
	struct sef_ping_args args = { .id = arg };
	struct sef_watch_args watch_args;
	struct sef_status_args st;
	struct sef_event ev;
	__s64 flags = 0;

	switch (order) {
	case DO_WATCH:
		return set_ladder(servant_file, arg, 0, SOON);
	case DO_WATCH_IDLY:
		fill_ladder(&watch_args, arg, SIGTERM, SHORT);
		return set_watch(servant_file, &watch_args);
	case DO_CHANGE:
		return watch(servant_file, arg, HOUR, HOUR, 0);
	case DO_PING:
		return call(servant_file, SEF_IOC_PING, &args);
	case DO_FLAGS:
		while (read(servant_file, &ev, sizeof(ev)) > 0)
			flags |= ev.flags;
		return flags;
	case DO_STATE:
		return try_status(servant_file, arg, 0, &st) ? -1 : (int)st.state;
	case DO_SET_FIFO:
		return !set_fifo(arg);
	}
	return serve(order, arg);
}

static void new_boss(struct __test_metadata *_metadata, struct servant *boss)
{
	new_servant(_metadata, boss, obey);
	ASSERT_EQ(0, ask(_metadata, boss, DO_OPEN, 0));
}

TEST_F(escalate, stopped_supervisor) {
	struct servant boss;
	siginfo_t info;

	new_boss(_metadata, &boss);
	ASSERT_EQ(0, ask(_metadata, &boss, DO_WATCH, self->id));
	ASSERT_EQ(0, kill(boss.pid, SIGSTOP));
	ASSERT_TRUE(wait_task_state(boss.pid, boss.pid, 'T'));
	EXPECT_TRUE(lives(&self->s));
	ASSERT_EQ(0, waitid(P_PID, self->s.pid, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(CLD_KILLED, info.si_code);
	EXPECT_EQ(SIGKILL, info.si_status);
	EXPECT_EQ('T', task_state(boss.pid, boss.pid));

	ASSERT_EQ(0, kill(boss.pid, SIGCONT));
	while (ask(_metadata, &boss, DO_STATE, self->id) != SEF_STATE_DEAD)
		;
	EXPECT_EQ(SEF_EVENT_KILL, ask(_metadata, &boss, DO_FLAGS, 0));
	end_servant(_metadata, &boss);
}

TEST_F(escalate, killed_supervisor_ends_it) {
	struct servant boss;

	new_boss(_metadata, &boss);
	ASSERT_EQ(0, ask(_metadata, &boss, DO_WATCH, self->id));
	end_servant(_metadata, &boss);
	let_ladder_end(_metadata, SOON);
	EXPECT_TRUE(lives(&self->s));
}

/* In somebody's debugger; killed when it is out of it, and silent still. */
TEST_F(escalate, excused_from_a_step) {
	struct sef_watch_args args;
	struct sef_event ev;

	fill_ladder(&args, self->id, 0, HOUR);
	args.excuse = SEF_EXCUSE(SEF_WHY_TRACED);
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until_unresponsive(_metadata, self->sup, self->id);
	start_trace(_metadata, &self->s);
	args.kill_ns = SHORT;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	let_ladder_end(_metadata, 10 * SHORT);
	EXPECT_EQ('t', task_state(self->s.pid, self->s.pid));
	EXPECT_FALSE(readable(self->sup));

	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->s.pid, NULL, NULL));
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
	EXPECT_EQ(SIGKILL, ev.wait_status);
}

TEST_F(escalate, not_excused_from_a_step) {
	struct sef_watch_args args;
	struct sef_event ev;

	fill_ladder(&args, self->id, 0, HOUR);
	args.excuse = SEF_EXCUSE_ALL & ~SEF_EXCUSE(SEF_WHY_TRACED);
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until_unresponsive(_metadata, self->sup, self->id);
	start_trace(_metadata, &self->s);
	args.kill_ns = SHORT;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
}

/*
 * The service becomes somebody whom its supervisor may not signal. The verdict is
 * asked for after that, by a ping: before it nothing is due.
 */
static void expect_denied(struct __test_metadata *_metadata, struct servant *s,
			  __u64 id, struct servant *boss, bool denied)
{
	__s64 flags = 0;

	ASSERT_EQ(0, ask(_metadata, s, DO_BECOME, USER));
	ASSERT_EQ(0, ask(_metadata, s, DO_CATCH, SIGTERM));
	ASSERT_EQ(0, ask(_metadata, s, DO_PONG, 0));
	ASSERT_EQ(0, ask(_metadata, boss, DO_WATCH_IDLY, id));
	ASSERT_EQ(0, ask(_metadata, s, DO_SETUID, OTHER_USER));
	EXPECT_EQ(denied ? EPERM : 0, ask(_metadata, boss, DO_WATCH_IDLY, id));
	ASSERT_EQ(0, ask(_metadata, boss, DO_PING, id));
	if (!denied) {
		while (ask(_metadata, boss, DO_STATE, id) != SEF_STATE_DEAD)
			;
		EXPECT_EQ(SEF_EVENT_SIGNAL | SEF_EVENT_KILL,
			  ask(_metadata, boss, DO_FLAGS, 0));
		return;
	}
	while (!flags)
		flags = ask(_metadata, boss, DO_FLAGS, 0);
	EXPECT_EQ(SEF_STATE_UNRESPONSIVE, ask(_metadata, boss, DO_STATE, id));
	let_ladder_end(_metadata, 10 * SHORT);
	flags |= ask(_metadata, boss, DO_FLAGS, 0);
	EXPECT_EQ(SEF_EVENT_DENIED, flags);
	EXPECT_TRUE(lives(s));
	EXPECT_EQ(0, ask(_metadata, s, DO_COUNT, SIGTERM));
}

TEST_F(escalate, denied) {
	struct servant boss;

	new_boss(_metadata, &boss);
	ASSERT_EQ(0, ask(_metadata, &boss, DO_SETUID, USER));
	expect_denied(_metadata, &self->s, self->id, &boss, true);

	/* it goes on to watch */
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	EXPECT_EQ(SEF_STATE_ALIVE, ask(_metadata, &boss, DO_STATE, self->id));
	end_servant(_metadata, &boss);
}

/*
 * Root may signal anybody; but who registered may not, and took the service to be
 * another user's: he is not to have root kill it for him.
 */
TEST_F(escalate, denied_for_who_registered) {
	struct servant s;
	struct sef_event ev;
	__s64 id;

	new_servant(_metadata, &s, serve);
	ASSERT_EQ(0, ask(_metadata, &s, DO_OPEN, 0));
	ASSERT_EQ(0, ask(_metadata, &s, DO_LEND, USER));
	id = ask(_metadata, &s, DO_REGISTER, 0);
	ASSERT_LT(0, id);
	ASSERT_EQ(0, ask(_metadata, &s, DO_SETUID, 0));
	ASSERT_EQ(0, set_ladder(self->sup, id, SIGTERM, SHORT));
	until(_metadata, self->sup, id, SEF_STATE_UNRESPONSIVE, &ev);
	let_ladder_end(_metadata, 10 * SHORT);
	EXPECT_TRUE(lives(&s));
	while (readable(self->sup)) {
		get_event(_metadata, self->sup, &ev);
		EXPECT_EQ(SEF_EVENT_DENIED, ev.flags);
	}
	expect_counts(_metadata, self->sup, id, 1, 0, 2);
	end_servant(_metadata, &s);
}

/* Whoever may signal anybody still may. */
TEST_F(escalate, not_denied_to_root) {
	struct servant boss;

	new_boss(_metadata, &boss);
	expect_denied(_metadata, &self->s, self->id, &boss, false);
	end_servant(_metadata, &boss);
}

/* In the name of who asked for it: what becomes of him later does not count. */
TEST_F(escalate, supervisor_that_drops_its_rights) {
	struct servant boss;
	siginfo_t info;

	new_boss(_metadata, &boss);
	ASSERT_EQ(0, ask(_metadata, &boss, DO_WATCH, self->id));
	ASSERT_EQ(0, ask(_metadata, &boss, DO_SETUID, USER));
	EXPECT_EQ(EPERM, ask(_metadata, &boss, DO_CHANGE, self->id));
	ASSERT_EQ(0, waitid(P_PID, self->s.pid, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(SIGKILL, info.si_status);
	while (ask(_metadata, &boss, DO_STATE, self->id) != SEF_STATE_DEAD)
		;
	EXPECT_EQ(SEF_EVENT_KILL, ask(_metadata, &boss, DO_FLAGS, 0));
	end_servant(_metadata, &boss);
}

static int drop_capability(int cap)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return errno;
	data[cap / 32].effective &= ~(1U << cap % 32);
	return syscall(SYS_capset, &head, data) ? errno : 0;
}

TEST_F(escalate, last_step_needs_a_capability) {
	struct sef_watch_args args;

	fill_watch(&args, self->id, HOUR, HOUR, 0);
	args.last_ns = SEF_TIME_MAX_NS;
	for (args.last = SEF_LAST_PANIC; args.last <= SEF_LAST_RESTART; args.last++)
		EXPECT_EQ(0, set_watch(self->sup, &args));
	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, HOUR, 0));

	ASSERT_EQ(0, drop_capability(CAP_SYS_BOOT));
	for (args.last = SEF_LAST_PANIC; args.last <= SEF_LAST_RESTART; args.last++)
		EXPECT_EQ(EPERM, set_watch(self->sup, &args));
	EXPECT_EQ(EINVAL, set_watch(self->sup, &args));	/* no such step */
	args.last = SEF_LAST_PANIC;
	args.last_ns = 0;
	EXPECT_EQ(EINVAL, set_watch(self->sup, &args));
	args.last = SEF_LAST_NONE;
	args.kill_ns = HOUR;
	EXPECT_EQ(0, set_watch(self->sup, &args));
}

/* As with kill(2): from inside its pid namespace an init is not killed. */
TEST_F(escalate, init_of_a_pid_namespace) {
	struct sef_event ev;
	struct servant init;
	__u64 id;
	int fds[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = fork();
	if (!pid) {
		new_servant(_metadata, &init, serve);	/* a child of the init */
		id = register_as(_metadata, new_file(_metadata), "init", -1);
		if (!fork()) {
			int fd = new_file(_metadata);

			EXPECT_EQ(EPERM, set_ladder(fd, id, SIGTERM, 0));
			EXPECT_EQ(EPERM, set_ladder(fd, id, 0, SHORT));
			EXPECT_EQ(0, set_ladder(fd, id, 0, 0));
			EXPECT_EQ(EPERM, set_ladder(fd, id, SIGTERM, 0));
			fd = new_file(_metadata);
			id = ask(_metadata, &init, DO_REGISTER, 0);
			EXPECT_EQ(0, set_ladder(fd, id, 0, SHORT));
			until(_metadata, fd, id, SEF_STATE_DEAD, &ev);
			EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
			_exit(0);
		}
		EXPECT_EQ(sizeof(id), write(fds[1], &id, sizeof(id)));
		while (true)
			pause();
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(sizeof(id), read(fds[0], &id, sizeof(id)));

	/* from outside it is */
	ASSERT_EQ(0, set_ladder(self->sup, id, 0, SOON));
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(SEF_EVENT_KILL, ev.flags);
	EXPECT_EQ(SIGKILL, ev.wait_status);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

/*
 * Every CPU is busy at a real-time priority, and the supervisor stopped. Only the
 * test itself, who is to see it, has a higher one. The victim has ended when it
 * gets a CPU; the step was taken before.
 */
FIXTURE(busy)
{
	struct servant s;
	struct servant boss;
	int sup;	/* the boss's; the test has it too, to read it */
	struct busy busy;
};

FIXTURE_SETUP(busy)
{
	self->sup = new_file(_metadata);
	servant_file = self->sup;
	new_servant(_metadata, &self->boss, obey);
	servant_file = -1;
}

FIXTURE_TEARDOWN(busy)
{
	end_busy(_metadata, &self->busy);
	EXPECT_TRUE(set_fifo(0));
	EXPECT_EQ(0, close(self->sup));
	end_servant(_metadata, &self->boss);
	end_servant(_metadata, &self->s);
}

TEST_F(busy, kill) {
	__u64 id = new_serving(_metadata, &self->s, serve, 0);
	int cpus[MAX_BUSY], n = get_cpus(cpus, MAX_BUSY);
	struct sef_event ev;
	__u32 flags = 0;

	ASSERT_EQ(0, ask(_metadata, &self->boss, DO_WATCH, id));
	ASSERT_EQ(0, kill(self->boss.pid, SIGSTOP));
	ASSERT_TRUE(wait_task_state(self->boss.pid, self->boss.pid, 'T'));
	ASSERT_TRUE(set_fifo(BUSY_PRIORITY + 1));
	start_busy(_metadata, &self->busy, cpus, n);
	while (readable(self->sup)) {
		get_event(_metadata, self->sup, &ev);
		EXPECT_EQ(0, ev.flags);
	}
	while (!flags) {
		get_event(_metadata, self->sup, &ev);
		flags |= ev.flags;
	}
	EXPECT_EQ(SEF_EVENT_KILL, flags);
	EXPECT_EQ('T', task_state(self->boss.pid, self->boss.pid));

	end_busy(_metadata, &self->busy);
	while (ev.state != SEF_STATE_DEAD)
		get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SIGKILL, ev.wait_status);
}

/* Its end is told by nobody who waits for a CPU. */
TEST_F(busy, end) {
	__u64 id = new_serving(_metadata, &self->s, obey, 0);
	int cpus[MAX_BUSY], n = get_cpus(cpus, MAX_BUSY);
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 0));
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SET_FIFO, BUSY_PRIORITY + 1));
	ASSERT_TRUE(set_fifo(BUSY_PRIORITY + 1));
	start_busy(_metadata, &self->busy, cpus, n);
	send_order(_metadata, &self->s, DO_EXIT, 3);
	until(_metadata, self->sup, id, SEF_STATE_DEAD, &ev);
	EXPECT_EQ(3 << 8, ev.wait_status);
	/* they are still there */
	end_busy(_metadata, &self->busy);
}

TEST_HARNESS_MAIN
