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

#include <linux/eventfd.h>
#include <linux/printk.h>
#include <linux/timekeeping.h>

#include "sef_compat.h"
#include "sef_ping.h"

#define CREATE_TRACE_POINTS
#include "sef_trace.h"

static u64 sef_ns_since(ktime_t then, ktime_t now)
{
	return max_t(s64, ktime_to_ns(ktime_sub(now, then)), 0);
}

/* Put one change into the watch's event slot and wake its supervisor. */
static void sef_watch_notify(struct sef_watch *watch, u32 flags, u64 seq,
			     u64 rtt_ns, ktime_t now)
{
	struct sef_service *svc = watch->service;
	struct sef_supervisor *sup = watch->supervisor;
	struct sef_event *event = &watch->event;

	lockdep_assert_held(&svc->lock);

	spin_lock(&sup->lock);
	event->id = svc->id;
	event->cookie = watch->cookie;
	event->seq = seq;
	event->silent_ns = sef_ns_since(svc->pong_time, now);
	if (flags & SEF_EVENT_PONG)
		event->rtt_ns = rtt_ns;
	event->flags |= flags;
	event->state = watch->state;
	event->passed |= 1U << watch->state;
	if (event->changes < U32_MAX)
		event->changes++;
	event->misses = watch->misses;
	event->why = watch->why;
	if (watch->state == SEF_STATE_DEAD)
		event->wait_status = svc->exit_code;
	watch->event_time = now;
	if (list_empty(&watch->queued))
		list_add_tail(&watch->queued, &sup->queue);
	spin_unlock(&sup->lock);

	wake_up_interruptible_poll(&sup->wait, EPOLLIN | EPOLLRDNORM);
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

/* Wake at what comes first: see sef_watch_advance(). */
static void sef_watch_arm(struct sef_watch *watch, ktime_t now)
{
	ktime_t next = watch->due;

	lockdep_assert_held(&watch->service->lock);

	/*
	 * A pong from now on makes a ping due a period after it, which may be
	 * before the deadline: be awake by then.
	 */
	if (watch->seq)
		next = min_t(ktime_t, watch->deadline,
			     ktime_add_ns(now, watch->period_ns));
	hrtimer_start(&watch->timer, next, HRTIMER_MODE_ABS_SOFT);
}

static void sef_watch_ping(struct sef_watch *watch, ktime_t now)
{
	struct sef_service *svc = watch->service;

	lockdep_assert_held(&svc->lock);

	do_sef_ping_request(svc, now);
	watch->due = ktime_add_ns(now, watch->period_ns);
	if (watch->seq)
		return;
	watch->seq = svc->ping_seq;
	watch->deadline = ktime_add_ns(now, watch->timeout_ns);
}

static void sef_watch_miss(struct sef_watch *watch, ktime_t now)
{
	struct sef_service *svc = watch->service;
	u64 seq = watch->seq;

	lockdep_assert_held(&svc->lock);

	watch->seq = 0;
	if (watch->misses < U32_MAX)
		watch->misses++;
	watch->why = sef_service_reply(svc) == SEF_REPLY_NULL ?
		     SEF_WHY_NULL_REPLY : SEF_WHY_UNKNOWN;
	trace_sef_miss(watch, seq);

	if (watch->misses <= watch->tolerate)
		sef_watch_enter(watch, SEF_STATE_LATE, seq, now);
	else if (watch->state != SEF_STATE_UNRESPONSIVE)
		sef_watch_enter(watch, SEF_STATE_UNRESPONSIVE, seq, now);
}

/* All that time brings about: the deadline, then the next ping. */
static void sef_watch_advance(struct sef_watch *watch, ktime_t now)
{
	lockdep_assert_held(&watch->service->lock);

	if (watch->seq && ktime_compare(now, watch->deadline) >= 0)
		sef_watch_miss(watch, now);
	if (!watch->seq && ktime_compare(now, watch->due) >= 0)
		sef_watch_ping(watch, now);
	sef_watch_arm(watch, now);
}

static enum hrtimer_restart sef_watch_expire(struct hrtimer *timer)
{
	struct sef_watch *watch = container_of(timer, struct sef_watch, timer);
	struct sef_service *svc = watch->service;

	/*
	 * Softirq, and both are alive: sef_watch_remove() waits for this to
	 * return before it lets go of either. Only what is still on the list
	 * may be armed again, or the removal would wait in vain.
	 */
	spin_lock(&svc->lock);
	if (!list_empty(&watch->by_service) && !svc->end)
		sef_watch_advance(watch, ktime_get());
	spin_unlock(&svc->lock);
	return HRTIMER_NORESTART;
}

/* A sign of life, already recorded in the service. */
static void sef_watch_pong(struct sef_watch *watch, ktime_t now)
{
	struct sef_service *svc = watch->service;

	lockdep_assert_held(&svc->lock);

	if (watch->seq && svc->pong_seq >= watch->seq)
		watch->seq = 0;
	watch->due = ktime_add_ns(now, watch->period_ns);
	watch->misses = 0;
	watch->why = SEF_WHY_UNKNOWN;

	if (watch->state != SEF_STATE_ALIVE)
		sef_watch_enter(watch, SEF_STATE_ALIVE, svc->pong_seq, now);
	if (watch->asked_seq && svc->pong_seq >= watch->asked_seq) {
		sef_watch_notify(watch, SEF_EVENT_PONG, watch->asked_seq,
				 sef_ns_since(watch->asked_time, now), now);
		watch->asked_seq = 0;
	}
}

static void sef_watch_set(struct sef_watch *watch,
			  const struct sef_watch_args *args)
{
	watch->cookie = args->cookie;
	watch->period_ns = args->period_ns;
	watch->timeout_ns = args->timeout_ns;
	watch->tolerate = args->tolerate;
}

/* Nothing else knows of the watch yet. */
void sef_watch_init(struct sef_watch *watch,
		    const struct sef_watch_args *args)
{
	INIT_LIST_HEAD(&watch->by_supervisor);
	INIT_LIST_HEAD(&watch->by_service);
	INIT_LIST_HEAD(&watch->queued);
	sef_hrtimer_setup(&watch->timer, sef_watch_expire, CLOCK_MONOTONIC,
			  HRTIMER_MODE_ABS_SOFT);
	sef_watch_set(watch, args);
}

void sef_watch_begin(struct sef_watch *watch, struct sef_service *svc)
{
	ktime_t now = ktime_get();

	lockdep_assert_held(&svc->lock);

	watch->service = svc;
	list_add_tail(&watch->by_service, &svc->watches);
	svc->nr_watches++;

	watch->state = SEF_STATE_WAITING;
	watch->due = now;
	if (svc->end) {
		sef_watch_enter(watch, svc->end, 0, now);
		return;
	}
	if (svc->ponged &&
	    sef_ns_since(svc->pong_time, now) < watch->period_ns) {
		watch->due = ktime_add_ns(svc->pong_time, watch->period_ns);
		sef_watch_enter(watch, SEF_STATE_ALIVE, svc->pong_seq, now);
	}
	sef_watch_advance(watch, now);
}

/* All settings at once, timed from now. */
void sef_watch_change(struct sef_watch *watch,
		      const struct sef_watch_args *args)
{
	struct sef_service *svc = watch->service;
	ktime_t now;

	spin_lock_bh(&svc->lock);
	now = ktime_get();
	sef_watch_set(watch, args);
	watch->deadline = ktime_add_ns(now, watch->timeout_ns);
	watch->due = ktime_add_ns(now, watch->period_ns);
	if (!svc->end)
		sef_watch_arm(watch, now);
	spin_unlock_bh(&svc->lock);
}

/* Ping once, now; the answer is to be an event. */
int sef_watch_ask(struct sef_watch *watch, u64 *seq)
{
	struct sef_service *svc = watch->service;
	int err = -ESRCH;

	spin_lock_bh(&svc->lock);
	if (!svc->end) {
		watch->asked_time = ktime_get();
		sef_watch_ping(watch, watch->asked_time);
		sef_watch_arm(watch, watch->asked_time);
		watch->asked_seq = svc->ping_seq;
		*seq = svc->ping_seq;
		err = 0;
	}
	spin_unlock_bh(&svc->lock);
	return err;
}

/* Ask the service whether it is alive. */
void do_sef_ping_request(struct sef_service *svc, ktime_t now)
{
	lockdep_assert_held(&svc->lock);

	svc->ping_seq++;
	svc->ping_time = now;
	trace_sef_ping(svc);

	if (svc->eventfd)
		sef_eventfd_signal(svc->eventfd);
	wake_up_interruptible_poll(&svc->wait, EPOLLIN | EPOLLRDNORM);
}

void sef_setcb_ping_reply(struct sef_service *svc, sef_cb_ping_reply_t cb)
{
	svc->cb.ping_reply = cb;
}

/* The default: the pong is recorded, and every watch learns of it. */
void sef_cb_ping_reply_pong(struct sef_service *svc, u64 seq, ktime_t now)
{
	struct sef_watch *watch;

	lockdep_assert_held(&svc->lock);

	if (seq == svc->ping_seq && seq > svc->pong_seq)
		svc->rtt_ns = sef_ns_since(svc->ping_time, now);
	svc->pong_seq = seq;
	svc->pong_time = now;
	svc->ponged = true;
	trace_sef_pong(svc);

	list_for_each_entry(watch, &svc->watches, by_service)
		sef_watch_pong(watch, now);
}

/* The null: whoever asked will go without an answer. */
void sef_cb_ping_reply_null(struct sef_service *svc, u64 seq, ktime_t now)
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
	spin_lock_bh(&svc->lock);
	sef_setcb_ping_reply(svc, sef_reply_policies[reply]);
	spin_unlock_bh(&svc->lock);
}

/* The service calls: let its reply policy answer. */
int sef_service_pong(struct sef_service *svc, u64 seq)
{
	int err = 0;

	spin_lock_bh(&svc->lock);
	if (seq > svc->ping_seq)
		err = -EINVAL;
	else if (seq && seq <= svc->pong_seq)
		err = -ESTALE;
	else
		svc->cb.ping_reply(svc, seq ?: svc->ping_seq, ktime_get());
	spin_unlock_bh(&svc->lock);
	return err;
}

static bool sef_service_is_asked(struct sef_service *svc)
{
	lockdep_assert_held(&svc->lock);

	return svc->ping_seq > max(svc->pong_seq, svc->read_seq);
}

bool sef_service_has_request(struct sef_service *svc)
{
	bool asked;

	spin_lock_bh(&svc->lock);
	asked = sef_service_is_asked(svc);
	spin_unlock_bh(&svc->lock);
	return asked;
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

/* Move the pending request out, if there is one. */
bool sef_service_take_request(struct sef_service *svc, struct sef_request *req)
{
	bool asked;

	spin_lock_bh(&svc->lock);
	asked = sef_service_is_asked(svc);
	if (asked) {
		svc->read_seq = svc->ping_seq;
		*req = (struct sef_request) {
			.type = SEF_REQUEST_PING,
			.seq = svc->ping_seq,
			.left_ns = sef_service_time_left(svc, ktime_get()),
		};
	}
	spin_unlock_bh(&svc->lock);
	return asked;
}

/* It could not be delivered: pending again, unless a newer one was read. */
void sef_service_untake_request(struct sef_service *svc, u64 seq)
{
	spin_lock_bh(&svc->lock);
	if (svc->read_seq == seq)
		svc->read_seq = seq - 1;
	spin_unlock_bh(&svc->lock);
}

/* The service is dead or gone: the last verdict of every watch. */
void sef_service_end(struct sef_service *svc, enum sef_state end)
{
	ktime_t now = ktime_get();
	struct sef_watch *watch;

	lockdep_assert_held(&svc->lock);

	if (svc->end)
		return;
	svc->end = end;
	list_for_each_entry(watch, &svc->watches, by_service) {
		watch->seq = 0;
		watch->asked_seq = 0;
		hrtimer_try_to_cancel(&watch->timer);
		sef_watch_enter(watch, end, 0, now);
	}
}
