// SPDX-License-Identifier: GPL-2.0
/*
 * The callback table, and the life of a ping: request, pong or null, deadline,
 * verdict.
 *
 * A watch that has heard nothing for a period sends a ping: the service's next
 * seq, its eventfd signalled, a deadline a timeout away. A pong stores what
 * was answered and when, and tells the watches; it starts no timer. The timer
 * of a watch never fires later than the watch has something to do, and when it
 * fires early, because of a pong in between, it is put off: so a healthy
 * service pays for timers once or twice a period, however often it pongs.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/nospec.h>
#include <linux/printk.h>
#include <linux/timekeeping.h>

#include "sef_compat.h"
#include "sef_ping.h"

#define CREATE_TRACE_POINTS
#include "sef_trace.h"

/* While the machine is about to sleep, or to wake up, look again so much later. */
#define SEF_SUSPEND_NS		(100 * NSEC_PER_MSEC)

/* Put one change into the watch's event slot and wake its supervisor. */
void sef_watch_notify(struct sef_watch *watch, u32 flags, u64 seq, u64 rtt_ns,
		      ktime_t now)
{
	struct sef_service *svc = watch->service;
	struct sef_supervisor *sup = watch->supervisor;
	struct sef_event *event = &watch->event;

	lockdep_assert_held(&svc->lock);

	spin_lock(&sup->lock);
	event->id = svc->id;
	event->cookie = watch->set.cookie;
	if (seq)
		event->seq = seq;
	event->silent_ns = sef_ns_since(svc->pong_time, now);
	if (flags & SEF_EVENT_PONG) {
		event->asked_seq = seq;
		event->rtt_ns = rtt_ns;
	}
	event->flags |= flags;
	event->state = watch->state;
	event->passed |= 1U << watch->state;
	if (event->changes < U32_MAX)
		event->changes++;
	event->misses = watch->misses;
	if (watch->why)
		event->why = watch->why;
	if (watch->state == SEF_STATE_DEAD)
		event->wait_status = svc->exit_code;
	watch->event_time = now;
	if (list_empty(&watch->queued))
		list_add_tail(&watch->queued, &sup->queue);
	spin_unlock(&sup->lock);

	wake_up_interruptible_poll(sup->wait, EPOLLIN | EPOLLRDNORM);
}

static void sef_watch_enter(struct sef_watch *watch, enum sef_state state,
			    u64 seq, ktime_t now)
{
	lockdep_assert_held(&watch->service->lock);

	trace_sef_verdict(watch, state);
	pr_debug("service %llu: state %d after %d, misses %u\n",
		 watch->service->id, state, watch->state, watch->misses);
	watch->state = state;
	sef_watch_notify(watch, 0, seq, 0, now);
}

/* How much later than due a ping may go out, so that many go out together. */
static u64 sef_watch_slack(const struct sef_watch *watch)
{
	return watch->set.slack_ns ?:
	       min_t(u64, watch->set.period_ns / 64, NSEC_PER_MSEC);
}

/* Wake at what comes first: see sef_watch_advance(). */
static void sef_watch_arm(struct sef_watch *watch, ktime_t now)
{
	ktime_t ping = watch->due, exact = watch->step_time;

	lockdep_assert_held(&watch->service->lock);

	/*
	 * A pong from now on makes a ping due a period after it, which may be
	 * before the deadline: be awake by then.
	 */
	if (watch->seq) {
		ping = ktime_add_ns(now, watch->set.period_ns);
		exact = min3(exact, watch->look_time, watch->probe_time);
		exact = min(exact, watch->deadline);
	}
	sef_queue_add(watch, min(ping, exact),
		      min(exact, (ktime_t)ktime_add_ns(ping, sef_watch_slack(watch))));
}

/* A machine that stood still for less than this may pass for a slow one. */
u64 sef_watch_stall_ns(const struct sef_watch *watch)
{
	return max_t(u64, watch->set.timeout_ns / 16, NSEC_PER_MSEC);
}

/*
 * To another deadline. The last probe is so long before it that a CPU which has
 * not answered at the deadline stalls.
 */
static void sef_watch_put_off(struct sef_watch *watch, ktime_t deadline)
{
	u64 half_ns = watch->set.timeout_ns / 2;
	u64 probe_ns = min(sef_watch_stall_ns(watch), half_ns);

	lockdep_assert_held(&watch->service->lock);

	if (watch->look_time != KTIME_MAX)
		watch->look_time = ktime_sub_ns(deadline, watch->look_ns);
	watch->probe_time = ktime_sub_ns(deadline, probe_ns);
	watch->deadline = deadline;
}

/* What was seen so far was seen of another ping, or of work that takes long. */
static void sef_watch_await(struct sef_watch *watch, ktime_t deadline,
			    ktime_t now)
{
	watch->look_ns = watch->set.timeout_ns / 2;
	watch->look_time = now;
	watch->look.why = SEF_WHY_UNKNOWN;
	sef_probe_reset(&watch->probe, now);
	sef_watch_put_off(watch, deadline);
}

/* Of a ping. */
static void sef_watch_set_deadline(struct sef_watch *watch, ktime_t now)
{
	ktime_t deadline = ktime_add_ns(now, watch->set.timeout_ns);

	lockdep_assert_held(&watch->service->lock);

	if (watch->state == SEF_STATE_WAITING)
		deadline = max(deadline, watch->grace_end);
	sef_watch_await(watch, max(deadline, watch->extend_end), now);
	watch->stalled_ns = 0;
	watch->stalled = false;
}

static void sef_service_wake(struct sef_service *svc)
{
	lockdep_assert_held(&svc->lock);

	svc->woken_seq = svc->ping_seq;
	if (svc->eventfd)
		sef_eventfd_signal(svc->eventfd);
	if (!svc->closed)
		wake_up_interruptible_poll(svc->wait, EPOLLIN | EPOLLRDNORM);
}

/*
 * A service that shares a page sees its pings there, and is woken only by a first
 * look that finds no answer; unless somebody waits for one that takes a call.
 */
static bool sef_watch_is_lazy(const struct sef_watch *watch)
{
	return watch->service->nr_maps && !watch->asked_seq &&
	       !(watch->set.flags & SEF_WATCH_STRICT);
}

static void sef_watch_ping(struct sef_watch *watch, ktime_t now)
{
	struct sef_service *svc = watch->service;

	lockdep_assert_held(&svc->lock);

	do_sef_ping_request(svc, now, !sef_watch_is_lazy(watch));
	watch->due = ktime_add_ns(now, watch->set.period_ns);
	if (watch->seq)
		return;
	watch->seq = svc->ping_seq;
	watch->last_seq = watch->seq;
	sef_watch_set_deadline(watch, now);
}

/* Half of the timeout has gone by. An answer in time makes it worth nothing. */
static void sef_watch_look(struct sef_watch *watch)
{
	struct sef_service *svc = watch->service;

	lockdep_assert_held(&svc->lock);

	/* It learns only now: look when it has had some time. */
	if (svc->woken_seq < watch->seq) {
		sef_service_wake(svc);
		watch->look_ns /= 2;
		watch->look_time = ktime_sub_ns(watch->deadline, watch->look_ns);
		return;
	}
	sef_watch_take_first_look(watch);
	watch->look_time = KTIME_MAX;
	sef_probe_ask(&watch->probe, &watch->look);
	trace_sef_look(watch);
}

/* No stall of the machine is what keeps a thread from answering that is held. */
static bool sef_why_is_held(enum sef_why why)
{
	return why == SEF_WHY_STOPPED || why == SEF_WHY_TRACED ||
	       why == SEF_WHY_FROZEN || why == SEF_WHY_EXITING;
}

/*
 * What tells most: what excuses; then what holds the thread at the deadline, the
 * machine, the second look.
 */
static enum sef_why sef_watch_weigh(struct sef_watch *watch,
				    enum sef_why second)
{
	enum sef_why first = watch->look.why;

	if (sef_service_reply(watch->service) == SEF_REPLY_NULL)
		return SEF_WHY_NULL_REPLY;
	if (watch->set.excuse & SEF_EXCUSE(second))
		return second;
	if (watch->set.excuse & SEF_EXCUSE(first))
		return first;
	if (watch->stalled && (watch->set.excuse & SEF_EXCUSE(SEF_WHY_STALLED) ||
			       !sef_why_is_held(second)))
		return SEF_WHY_STALLED;
	return second ?: first;
}

/* Why is there no answer? What tells stays until the next miss. */
static void sef_watch_find_why(struct sef_watch *watch)
{
	struct sef_supervisor *sup = watch->supervisor;
	struct sef_evidence evidence;

	evidence.why = sef_watch_weigh(watch, sef_watch_examine(watch, &evidence));
	watch->why = evidence.why;

	spin_lock(&sup->lock);
	swap(watch->evidence, evidence);
	spin_unlock(&sup->lock);
	put_cred(evidence.cred);
}

static void sef_watch_miss(struct sef_watch *watch, ktime_t now)
{
	struct sef_service *svc = watch->service;
	u64 seq = watch->seq;

	lockdep_assert_held(&svc->lock);

	sef_watch_find_why(watch);
	watch->seq = 0;
	svc->latency.headroom_ns = 0;
	if (SEF_EXCUSE(watch->why) & watch->set.excuse) {
		watch->excused++;
		trace_sef_miss(watch, seq);
		if (watch->state == SEF_STATE_WAITING ||
		    watch->state == SEF_STATE_ALIVE)
			sef_watch_enter(watch, SEF_STATE_LATE, seq, now);
		return;
	}

	if (watch->misses < U32_MAX)
		watch->misses++;
	svc->counts.missed++;
	trace_sef_miss(watch, seq);
	if (watch->misses <= watch->set.tolerate) {
		sef_watch_give_time(watch);
		sef_watch_enter(watch, SEF_STATE_LATE, seq, now);
	} else if (watch->state != SEF_STATE_UNRESPONSIVE) {
		sef_watch_enter(watch, SEF_STATE_UNRESPONSIVE, seq, now);
		sef_escalate_begin(watch, watch->deadline, now);
	}
}

/* Give @ns once more to whoever had to do something in that time. */
static void sef_watch_credit(struct sef_watch *watch, u64 ns)
{
	lockdep_assert_held(&watch->service->lock);

	if (watch->step_time != KTIME_MAX)
		watch->step_time = ktime_add_ns(watch->step_time, ns);
	if (watch->seq || watch->step_time != KTIME_MAX)
		watch->credit_ns += ns;
	/* What was late now is not to be late for the same time once more. */
	if (watch->probe.asked)
		watch->probe.asked = ktime_add_ns(watch->probe.asked, ns);
	sef_watch_put_off(watch, ktime_add_ns(watch->deadline, ns));
}

/*
 * The machine, or the CPU of the service, stood still for @ns. A step is put off
 * by all of it, a ping by one timeout in all; what goes beyond is excused, so that
 * it is late in the end. Returns whether a ping is put off.
 */
static bool sef_watch_stalled(struct sef_watch *watch, u64 ns)
{
	u64 timeout_ns = watch->set.timeout_ns;
	bool excused = watch->set.excuse & SEF_EXCUSE(SEF_WHY_STALLED);

	lockdep_assert_held(&watch->service->lock);

	if (ns < sef_watch_stall_ns(watch))
		return false;
	watch->stalled_ns += ns;
	/* The clock of a thread that ran then has gone on. */
	if (watch->stalled_ns >= timeout_ns / 4)
		watch->ran_oddly = true;
	if (excused && watch->stalled_ns <= timeout_ns) {
		sef_watch_credit(watch, ns);
		return true;
	}
	if (excused && watch->step_time != KTIME_MAX) {
		watch->credit_ns += ns;
		watch->step_time = ktime_add_ns(watch->step_time, ns);
	}
	watch->stalled = watch->stalled_ns >= timeout_ns / 4;
	return false;
}

/*
 * If this timer is late, so was the machine, and the service may not have had
 * its time. There is a timer at half the timeout at the latest, so a stall that
 * took more than half of it is seen.
 */
static void sef_watch_check_timer(struct sef_watch *watch, ktime_t latest,
				  ktime_t now)
{
	sef_watch_stalled(watch, sef_ns_since(latest, now));
}

/* How long the CPU of the service let wait for its answer; 0 if none was asked. */
u64 sef_watch_probe_late(struct sef_watch *watch, ktime_t now)
{
	struct sef_probe *probe = &watch->probe;
	struct sef_look look;

	lockdep_assert_held(&watch->service->lock);

	if (probe->asked && !sef_probe_is_answered(probe)) {
		sef_look(watch->service, &look);
		/* It went on elsewhere: what is wrong there is not its matter. */
		if (look.cpu != probe->cpu)
			probe->asked = 0;
	}
	return sef_probe_late(probe, now);
}

/*
 * The timer may be on one CPU and the service on another, which stands still: the
 * service is on it, or waits there for a timer of its own. Returns whether the
 * deadline was put off for that.
 */
static bool sef_watch_check_cpu(struct sef_watch *watch, ktime_t now)
{
	struct sef_probe *probe = &watch->probe;
	u64 late = sef_watch_probe_late(watch, now);
	bool off;

	lockdep_assert_held(&watch->service->lock);

	off = sef_watch_stalled(watch, late);
	/* Told once. If it still does not run, that counts from now. */
	if (late >= sef_watch_stall_ns(watch))
		sef_probe_reset(probe, now);
	return off;
}

/* Once more before the deadline: what stands still now did not at the first look. */
static void sef_watch_probe(struct sef_watch *watch, ktime_t now)
{
	struct sef_look look;

	watch->probe_time = KTIME_MAX;
	if (sef_watch_check_cpu(watch, now))
		return;
	sef_probe_tell(&watch->probe, watch->service, &watch->look);
	sef_watch_look_closely(watch, &look);
	sef_probe_ask(&watch->probe, &look);
}

/* At the deadline: is it too early to tell a silent service from a silent CPU? */
static bool sef_watch_is_put_off(struct sef_watch *watch, ktime_t now)
{
	struct sef_probe *probe = &watch->probe;
	u64 stall_ns = sef_watch_stall_ns(watch);

	if (watch->service->woken_seq < watch->seq) {
		/* The timer was so late that it has not even been told. */
		sef_service_wake(watch->service);
		sef_watch_put_off(watch, ktime_add_ns(now, watch->look_ns));
		return true;
	}
	if (sef_watch_probe_late(watch, now) >= stall_ns)
		return sef_watch_check_cpu(watch, now);
	if (!probe->asked || sef_probe_is_answered(probe))
		return false;
	watch->deadline = ktime_add_ns(probe->asked, stall_ns);
	return true;
}

/* The machine goes to sleep, sleeps or wakes up. Written by the PM notifier alone. */
static bool sef_suspending;

void sef_set_suspending(bool suspending)
{
	WRITE_ONCE(sef_suspending, suspending);
}

/* All that time brings about: the deadline, a step, then the next ping. */
static void sef_watch_advance(struct sef_watch *watch, ktime_t now)
{
	lockdep_assert_held(&watch->service->lock);

	if (READ_ONCE(sef_suspending)) {
		now = ktime_add_ns(now, SEF_SUSPEND_NS);
		sef_queue_add(watch, now, now);
		return;
	}
	if (watch->seq && ktime_compare(now, watch->deadline) >= 0) {
		if (!sef_watch_is_put_off(watch, now))
			sef_watch_miss(watch, now);
	} else if (watch->seq && ktime_compare(now, watch->look_time) >= 0) {
		sef_watch_look(watch);
	} else if (watch->seq && ktime_compare(now, watch->probe_time) >= 0) {
		sef_watch_probe(watch, now);
	}
	if (ktime_compare(now, watch->step_time) >= 0)
		sef_escalate_step(watch, now);
	if (!watch->seq && ktime_compare(now, watch->due) >= 0)
		sef_watch_ping(watch, now);
	sef_watch_arm(watch, now);
}

/*
 * In a timer's interrupt, and under RCU, which keeps the memory of both. What they
 * refer to is theirs only as long as the watch is on the list.
 */
void sef_watch_expire(struct sef_watch *watch, ktime_t latest, ktime_t now)
{
	struct sef_service *svc = watch->service;

	lockdep_assert_held(&svc->lock);

	if (list_empty(&watch->by_service))
		return;
	sef_service_check_end(svc);
	if (svc->end)
		return;
	sef_service_collect(svc, now);
	sef_watch_check_timer(watch, latest, now);
	sef_watch_advance(watch, now);
}

/* It was silent, and is no longer: misses are forgotten, and the steps end. */
static void sef_watch_revive(struct sef_watch *watch, ktime_t now)
{
	watch->misses = 0;
	watch->excused = 0;
	watch->why = SEF_WHY_UNKNOWN;
	watch->grace_end = 0;
	sef_escalate_end(watch);
	sef_watch_enter(watch, SEF_STATE_ALIVE, watch->service->pong_seq, now);
}

/* The answer to a SEF_IOC_PING. */
static void sef_watch_tell_asked(struct sef_watch *watch, ktime_t now)
{
	sef_watch_notify(watch, SEF_EVENT_PONG, watch->asked_seq,
			 sef_ns_since(watch->asked_time, now), now);
	watch->asked_seq = 0;
}

/* Its ping is answered. */
static void sef_watch_answered(struct sef_watch *watch, enum sef_pong how,
			       ktime_t now)
{
	struct sef_latency *latency = &watch->service->latency;

	if (how != SEF_PONG_STORED)
		latency->headroom_ns = min(latency->headroom_ns,
					   sef_ns_since(now, watch->deadline));
	watch->seq = 0;
}

/*
 * A sign of life, at @alive or later; the service has recorded what it answers.
 * Misses and steps are there to be ended only in a state other than ALIVE.
 */
static inline void sef_watch_pong(struct sef_watch *watch, struct sef_service *svc,
				  u64 seq, enum sef_pong how, ktime_t now,
				  ktime_t alive)
{
	ktime_t due = ktime_add_ns(alive, watch->set.period_ns);

	lockdep_assert_held(&svc->lock);

	/* What was answered otherwise is not answered for a strict watch. */
	if (!(watch->set.flags & SEF_WATCH_STRICT)) {
		seq = svc->pong_seq;
	} else if (how != SEF_PONG_NAMED) {
		return;
	} else if (seq < watch->last_seq) {
		/* Late, but it does answer. */
		sef_watch_give_time(watch);
		return;
	}
	sef_watch_give_time(watch);
	if (likely(ktime_after(due, watch->due)))
		watch->due = due;
	if (watch->seq && seq >= watch->seq)
		sef_watch_answered(watch, how, now);
	watch->extend_end = 0;
	watch->extend_max = 0;
	if (watch->state != SEF_STATE_ALIVE)
		sef_watch_revive(watch, now);
	if (watch->asked_seq && seq >= watch->asked_seq)
		sef_watch_tell_asked(watch, now);
}

/* Nothing else knows of the watch yet. */
void sef_watch_init(struct sef_watch *watch, struct sef_supervisor *sup)
{
	watch->supervisor = sup;
	INIT_LIST_HEAD(&watch->by_service);
	INIT_LIST_HEAD(&watch->queued);
	sef_wakeup_init(&watch->wakeup);
	sef_probe_init(&watch->probe);
	sef_watch_give_time(watch);
	watch->step_time = KTIME_MAX;
	watch->look_time = KTIME_MAX;
	watch->probe_time = KTIME_MAX;
}

void sef_watch_begin(struct sef_watch *watch, struct sef_service *svc,
		     const struct sef_watch_args *args)
{
	ktime_t now = ktime_get();

	lockdep_assert_held(&svc->lock);

	watch->service = svc;
	watch->set = *args;
	sef_service_collect(svc, now);
	list_add_tail(&watch->by_service, &svc->watches);
	svc->nr_watches++;

	watch->state = SEF_STATE_WAITING;
	watch->grace_end = ktime_add_ns(now, args->grace_ns);
	watch->due = now;
	if (svc->end) {
		sef_watch_enter(watch, svc->end, 0, now);
		return;
	}
	if (svc->ponged && !(args->flags & SEF_WATCH_STRICT) &&
	    sef_ns_since(svc->pong_time, now) < args->period_ns) {
		watch->due = ktime_add_ns(svc->pong_time, args->period_ns);
		watch->grace_end = 0;
		sef_watch_enter(watch, SEF_STATE_ALIVE, svc->pong_seq, now);
	}
	sef_watch_advance(watch, now);
}

/* What the settings make of misses that were counted under others. */
static void sef_watch_judge(struct sef_watch *watch, ktime_t now)
{
	bool late = watch->misses <= watch->set.tolerate;

	lockdep_assert_held(&watch->service->lock);

	if (late && watch->misses && watch->state == SEF_STATE_UNRESPONSIVE) {
		sef_escalate_end(watch);
		sef_watch_enter(watch, SEF_STATE_LATE, 0, now);
	} else if (!late && watch->state == SEF_STATE_LATE &&
		   !sef_escalate_is_excused(watch, now)) {
		sef_watch_enter(watch, SEF_STATE_UNRESPONSIVE, 0, now);
		sef_escalate_begin(watch, now, now);
	}
}

static void sef_watch_retime(struct sef_watch *watch,
			     const struct sef_watch_args *was, ktime_t now)
{
	const struct sef_watch_args *set = &watch->set;

	lockdep_assert_held(&watch->service->lock);

	if (set->timeout_ns != was->timeout_ns ||
	    set->extend_ns != was->extend_ns || set->grace_ns != was->grace_ns)
		sef_watch_give_time(watch);
	if (watch->grace_end && set->grace_ns != was->grace_ns)
		watch->grace_end = ktime_add_ns(now, set->grace_ns);
	if (set->extend_ns != was->extend_ns) {
		watch->extend_end = 0;
		watch->extend_max = 0;
	}
	if (watch->seq && (set->timeout_ns != was->timeout_ns ||
			   set->extend_ns != was->extend_ns ||
			   (set->grace_ns != was->grace_ns &&
			    watch->state == SEF_STATE_WAITING)))
		sef_watch_set_deadline(watch, now);
	if (set->period_ns != was->period_ns)
		watch->due = ktime_add_ns(now, set->period_ns);
	if (watch->state == SEF_STATE_UNRESPONSIVE)
		sef_escalate_change(watch, was, now);
}

/* All settings at once. Under the supervisor's file lock. */
void sef_watch_change(struct sef_watch *watch,
		      const struct sef_watch_args *args)
{
	struct sef_supervisor *sup = watch->supervisor;
	struct sef_service *svc = watch->service;
	struct sef_watch_args was = watch->set;
	ktime_t now = ktime_get();

	lockdep_assert_held(&svc->lock);

	/* What was stored before is no silence, and no miss to be judged. */
	sef_service_collect(svc, now);
	watch->set = *args;
	spin_lock(&sup->lock);
	watch->event.cookie = args->cookie;	/* also of an event not read yet */
	spin_unlock(&sup->lock);
	if (svc->end)
		return;
	sef_watch_retime(watch, &was, now);
	sef_watch_judge(watch, now);
	sef_watch_advance(watch, now);
}

/* Ping once, now; the answer is to be an event. */
int sef_watch_ask(struct sef_watch *watch, u64 *seq)
{
	struct sef_service *svc = watch->service;
	int err = -ESRCH;

	spin_lock_irq(&svc->lock);
	if (!svc->end) {
		watch->asked_time = ktime_get();
		sef_service_collect(svc, watch->asked_time);
		watch->asked_seq = svc->ping_seq + 1;
		sef_watch_ping(watch, watch->asked_time);
		sef_watch_arm(watch, watch->asked_time);
		*seq = svc->ping_seq;
		err = 0;
	}
	spin_unlock_irq(&svc->lock);
	return err;
}

/* Ask the service whether it is alive. */
void do_sef_ping_request(struct sef_service *svc, ktime_t now, bool wake)
{
	lockdep_assert_held(&svc->lock);

	if (svc->pong_seq == svc->ping_seq)
		svc->asked_time = now;
	svc->ping_seq++;
	svc->ping_time = now;
	trace_sef_ping(svc);

	sef_page_ping(svc);
	if (wake)
		sef_service_wake(svc);
}

void sef_setcb_ping_reply(struct sef_service *svc, sef_cb_ping_reply_t cb)
{
	svc->cb.ping_reply = cb;
}

void sef_latency_reset(struct sef_latency *latency)
{
	*latency = (struct sef_latency) {
		.since = ktime_get(),
		.min_ns = U64_MAX,
		.headroom_ns = U64_MAX,
	};
}

static void sef_latency_add(struct sef_service *svc, u64 rtt_ns)
{
	struct sef_latency *latency = &svc->latency;
	unsigned int bucket = min(fls64(rtt_ns / SEF_LATENCY_UNIT_NS),
				  SEF_LATENCY_BUCKETS - 1);

	lockdep_assert_held(&svc->lock);

	svc->rtt_ns = rtt_ns;
	latency->count++;
	latency->sum_ns += rtt_ns;
	latency->min_ns = min(latency->min_ns, rtt_ns);
	latency->max_ns = max(latency->max_ns, rtt_ns);
	if (latency->buckets[bucket] < U32_MAX)
		latency->buckets[bucket]++;
}

static void sef_service_answered(struct sef_service *svc, u64 seq,
				 enum sef_pong how, ktime_t now)
{
	if (how != SEF_PONG_STORED)
		sef_latency_add(svc, sef_ns_since(svc->asked_time, now));
	svc->asked_time = svc->ping_time;
	svc->pong_seq = seq;
}

/* The pong is recorded, and every watch learns of it. */
static __always_inline void sef_service_record(struct sef_service *svc, u64 seq,
					       enum sef_pong how, ktime_t now)
{
	struct sef_watch *watch;
	ktime_t alive = now;

	lockdep_assert_held(&svc->lock);

	trace_sef_pong(svc, seq, how, now);
	/* When it was stored nobody knows, but not before it was asked for. */
	if (how == SEF_PONG_STORED)
		alive = seq == svc->ping_seq ? svc->ping_time : 0;
	if (seq > svc->pong_seq)
		sef_service_answered(svc, seq, how, now);
	if (how == SEF_PONG_NAMED)
		svc->named_seq = max(svc->named_seq, seq);
	svc->ponged = true;

	/* They tell how long it was silent: the pong is its end. */
	list_for_each_entry(watch, &svc->watches, by_service)
		sef_watch_pong(watch, svc, seq, how, now, alive);
	if (likely(ktime_after(alive, svc->pong_time)))
		svc->pong_time = alive;
}

/* The default. */
void sef_cb_ping_reply_pong(struct sef_service *svc, u64 seq, enum sef_pong how,
			    ktime_t now)
{
	sef_service_record(svc, seq, how, now);
}

/* The null: whoever asked will go without an answer. */
void sef_cb_ping_reply_null(struct sef_service *svc, u64 seq, enum sef_pong how,
			    ktime_t now)
{
}

static const sef_cb_ping_reply_t sef_reply_policies[] = {
	[SEF_REPLY_PONG] = sef_cb_ping_reply_pong,
	[SEF_REPLY_NULL] = sef_cb_ping_reply_null,
};

enum sef_reply sef_service_reply(struct sef_service *svc)
{
	return svc->cb.ping_reply == sef_cb_ping_reply_null ? SEF_REPLY_NULL :
							      SEF_REPLY_PONG;
}

void sef_service_set_reply(struct sef_service *svc, enum sef_reply reply)
{
	spin_lock_irq(&svc->lock);
	reply = array_index_nospec(reply, ARRAY_SIZE(sef_reply_policies));
	sef_setcb_ping_reply(svc, sef_reply_policies[reply]);
	spin_unlock_irq(&svc->lock);
}

/*
 * The last ping that needs no answer any more. While a strict watch waits,
 * only a pong that names a ping answers it.
 */
static u64 sef_service_last_answered(struct sef_service *svc)
{
	struct sef_watch *watch;

	lockdep_assert_held(&svc->lock);

	list_for_each_entry(watch, &svc->watches, by_service)
		if ((watch->seq || watch->asked_seq) &&
		    watch->set.flags & SEF_WATCH_STRICT)
			return svc->named_seq;
	return svc->pong_seq;
}

/* Through the callback table, and the default without what a call of it costs. */
static __always_inline void sef_service_answer(struct sef_service *svc, u64 seq,
					       enum sef_pong how, ktime_t now)
{
	if (svc->cb.ping_reply == sef_cb_ping_reply_pong)
		sef_service_record(svc, seq, how, now);
	else
		svc->cb.ping_reply(svc, seq, how, now);
}

/* May it be answered by its number? */
static long sef_service_check_named(struct sef_service *svc, u64 named)
{
	if (named > svc->ping_seq)
		return -EINVAL;
	return named > sef_service_last_answered(svc) ? 0 : -ESTALE;
}

/*
 * The service calls: let its reply policy answer. 0 names no ping. What it returns is
 * the ioctl's, as it is.
 */
long sef_service_pong(struct sef_service *svc, u64 named)
{
	struct pid *was = NULL;
	long err = 0;

	spin_lock_irq(&svc->lock);
	if (unlikely(svc->end))
		err = -ESRCH;	/* it is a proxy that calls */
	else if (named)
		err = sef_service_check_named(svc, named);
	if (!err) {
		if (svc->speaker != task_pid(current) &&
		    !sef_service_is_proxied(svc)) {
			was = svc->speaker;
			svc->speaker = get_pid(task_pid(current));
		}
		sef_service_answer(svc, named ?: svc->ping_seq,
				   named ? SEF_PONG_NAMED : SEF_PONG_NOW,
				   ktime_get());
	}
	spin_unlock_irq(&svc->lock);
	if (was)
		put_pid(was);
	return err;
}

/* Whoever looks at the service takes note of what it has stored by then. */
void sef_service_collect(struct sef_service *svc, ktime_t now)
{
	u64 seq = sef_page_answer(svc);

	lockdep_assert_held(&svc->lock);

	if (seq && !svc->end)
		sef_service_answer(svc, seq, SEF_PONG_STORED, now);
}

static u64 sef_watch_extend(struct sef_watch *watch, u64 extend_ns, ktime_t now)
{
	ktime_t end = ktime_add_ns(now, extend_ns);

	if (!watch->set.extend_ns)
		return 0;
	if (!watch->extend_max) {
		watch->extend_max = ktime_add_ns(now, watch->set.extend_ns);
		sef_watch_give_time(watch);
	}
	end = min(end, watch->extend_max);
	watch->extend_end = max(watch->extend_end, end);
	/* The timer fires early, and is put off then. */
	if (watch->seq && watch->deadline < watch->extend_end)
		sef_watch_await(watch, watch->extend_end, now);
	return sef_ns_since(now, end);
}

/* In: what it asks for; out: what every watch grants. */
int sef_service_extend(struct sef_service *svc, u64 *extend_ns)
{
	u64 asked = *extend_ns, granted = asked;
	struct sef_watch *watch;
	ktime_t now;

	spin_lock_irq(&svc->lock);
	if (svc->end) {
		spin_unlock_irq(&svc->lock);
		return -ESRCH;
	}
	now = ktime_get();
	/* A pong ends an extension: one stored before is not to end this one. */
	sef_service_collect(svc, now);
	list_for_each_entry(watch, &svc->watches, by_service)
		granted = min(granted, sef_watch_extend(watch, asked, now));
	*extend_ns = granted;
	spin_unlock_irq(&svc->lock);
	return 0;
}

/* The machine was suspended: who was asked before has his time from now on. */
void sef_service_resume(struct sef_service *svc)
{
	struct sef_watch *watch;
	ktime_t now, deadline, next;

	spin_lock_irq(&svc->lock);
	now = ktime_get();
	list_for_each_entry(watch, &svc->watches, by_service) {
		deadline = ktime_add_ns(now, watch->set.timeout_ns);
		next = min(watch->seq ? watch->deadline : KTIME_MAX,
			   watch->step_time);
		sef_watch_credit(watch, sef_ns_since(next, deadline));
		sef_watch_give_time(watch);
	}
	spin_unlock_irq(&svc->lock);
}

static bool sef_service_is_asked(struct sef_service *svc)
{
	lockdep_assert_held(&svc->lock);

	if (svc->page)
		sef_service_collect(svc, ktime_get());
	/* Of a later ping the page tells, for now. */
	return svc->woken_seq > max(sef_service_last_answered(svc), svc->read_seq);
}

/* What a poll of its file tells. The end is told to a proxy: else nobody is left. */
__poll_t sef_service_poll(struct sef_service *svc)
{
	__poll_t events;

	spin_lock_irq(&svc->lock);
	if (svc->end)
		events = EPOLLHUP;
	else
		events = sef_service_is_asked(svc) ? EPOLLIN | EPOLLRDNORM : 0;
	spin_unlock_irq(&svc->lock);
	return events;
}

static u64 sef_service_time_left(struct sef_service *svc, ktime_t now)
{
	struct sef_watch *watch;
	u64 left = U64_MAX;

	lockdep_assert_held(&svc->lock);

	list_for_each_entry(watch, &svc->watches, by_service)
		if (watch->seq)
			left = min(left, sef_ns_since(now, watch->deadline));
	return left == U64_MAX ? 0 : left;
}

/* Move the pending request out: -EAGAIN if there is none, -ESRCH after the end. */
int sef_service_take_request(struct sef_service *svc, struct sef_request *req)
{
	int err = -EAGAIN;

	spin_lock_irq(&svc->lock);
	if (svc->end) {
		err = -ESRCH;
	} else if (sef_service_is_asked(svc)) {
		svc->read_seq = svc->ping_seq;
		svc->woken_seq = svc->ping_seq;
		*req = (struct sef_request) {
			.type = SEF_REQUEST_PING,
			.seq = svc->ping_seq,
			.left_ns = sef_service_time_left(svc, ktime_get()),
		};
		err = 0;
	}
	spin_unlock_irq(&svc->lock);
	return err;
}

/* It could not be delivered: pending again, unless a newer one was read. */
void sef_service_untake_request(struct sef_service *svc, u64 seq)
{
	spin_lock_irq(&svc->lock);
	if (svc->read_seq == seq)
		svc->read_seq = seq - 1;
	wake_up_interruptible_poll(svc->wait, EPOLLIN | EPOLLRDNORM);
	spin_unlock_irq(&svc->lock);
}

/* The service is dead or gone: the last verdict of every watch. */
void sef_service_end(struct sef_service *svc, enum sef_state end, int exit_code)
{
	ktime_t now = ktime_get();
	struct sef_watch *watch;

	lockdep_assert_held(&svc->lock);

	if (svc->end)
		return;
	svc->end = end;
	svc->exit_code = exit_code;
	trace_sef_exit(svc);
	/* Whoever answers for it may wait to be asked. */
	if (!svc->closed)
		wake_up_interruptible_poll(svc->wait, EPOLLIN | EPOLLHUP);
	list_for_each_entry(watch, &svc->watches, by_service) {
		watch->seq = 0;
		watch->asked_seq = 0;
		sef_escalate_end(watch);
		sef_queue_del(watch);
		sef_watch_enter(watch, end, 0, now);
	}
}
