// SPDX-License-Identifier: GPL-2.0
/*
 * When: watches wait for their next time in queues, one for each CPU, with one
 * timer each. So the timers of many watches are one interrupt, and however many
 * are due at one instant, no CPU is held for long: after SEF_BATCH_NS the rest
 * wait for as long as that took.
 *
 * A service may have many threads that call, and each pong tells every watch. So
 * a watch whose service's lock is held steps back, and others have their turn; but
 * a few times only, or a service could call for ever to escape its deadline.
 *
 * A watch is in one queue at most, and its service's lock is what it takes to put
 * it into one. It may be taken out at any time, by the holder of that lock or by the
 * timer's function, which then may still be about to look at it.
 * Watches and services are freed after an RCU grace period for that, and one that
 * is off its service's list is left alone. See sef_watch_expire().
 */
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/timekeeping.h>
#include <linux/timerqueue.h>

#include "sef_compat.h"
#include "sef_ping.h"

#define SEF_BATCH_NS		(250 * NSEC_PER_USEC)

/* All of them are less than what a stall of the machine is told from. */
#define SEF_TRIES		4
#define SEF_TRY_NS		(50 * NSEC_PER_USEC)

struct sef_queue {
	spinlock_t		lock;
	struct timerqueue_head	head;	/* of sef_wakeup.node */
	bool			busy;	/* the timer is to be set at the end */
	ktime_t			pause;	/* nothing before */
	struct hrtimer		timer;
};

static struct sef_queue __percpu *sef_queues;

static struct sef_watch *sef_queue_first(struct sef_queue *queue)
{
	struct timerqueue_node *node = timerqueue_getnext(&queue->head);

	lockdep_assert_held(&queue->lock);

	return node ? container_of(node, struct sef_watch, wakeup.node) : NULL;
}

/* When to wake for the first, or KTIME_MAX. */
static ktime_t sef_queue_next(struct sef_queue *queue)
{
	struct sef_watch *watch = sef_queue_first(queue);

	return watch ? max(watch->wakeup.node.expires, queue->pause) : KTIME_MAX;
}

static void sef_queue_program(struct sef_queue *queue)
{
	ktime_t next = sef_queue_next(queue);

	if (next != KTIME_MAX && !queue->busy)
		hrtimer_start(&queue->timer, next, HRTIMER_MODE_ABS);
}

/*
 * The same from its own function, for less. On another CPU, or on PREEMPT_RT, it may
 * have been started since that began: then it is not ours to set.
 */
static enum hrtimer_restart sef_queue_restart(struct sef_queue *queue)
{
	ktime_t next = sef_queue_next(queue);

	lockdep_assert_held(&queue->lock);

	if (next == KTIME_MAX)
		return HRTIMER_NORESTART;
	if (hrtimer_is_queued(&queue->timer)) {
		sef_queue_program(queue);
		return HRTIMER_NORESTART;
	}
	hrtimer_set_expires(&queue->timer, next);
	return HRTIMER_RESTART;
}

/*
 * Look at the first, which is due; or again soon, if its service is busy. That stays
 * while a watch of it is in the queue, and then under RCU.
 */
static void sef_queue_run(struct sef_queue *queue, struct sef_watch *watch,
			  ktime_t now)
{
	struct sef_wakeup *wakeup = &watch->wakeup;
	struct sef_service *svc = watch->service;
	ktime_t latest = wakeup->latest;

	lockdep_assert_held(&queue->lock);

	timerqueue_del(&queue->head, &wakeup->node);
	if (spin_trylock(&svc->lock)) {
		spin_unlock(&queue->lock);
	} else if (wakeup->tries < SEF_TRIES) {
		wakeup->tries++;
		wakeup->soonest = ktime_add_ns(now, SEF_TRY_NS);
		wakeup->node.expires = wakeup->soonest;
		timerqueue_add(&queue->head, &wakeup->node);
		return;
	} else {
		spin_unlock(&queue->lock);
		spin_lock(&svc->lock);
	}
	sef_watch_expire(watch, latest, now);
	spin_unlock(&svc->lock);
	spin_lock(&queue->lock);
}

static enum hrtimer_restart sef_queue_expire(struct hrtimer *timer)
{
	struct sef_queue *queue = container_of(timer, struct sef_queue, timer);
	ktime_t begin = ktime_get(), end = ktime_add_ns(begin, SEF_BATCH_NS);
	enum hrtimer_restart restart;
	ktime_t now = begin;
	struct sef_watch *watch;

	rcu_read_lock();
	spin_lock(&queue->lock);
	queue->busy = true;
	while ((watch = sef_queue_first(queue)) &&
	       watch->wakeup.soonest <= now && now < end) {
		sef_queue_run(queue, watch, now);
		now = ktime_get();
	}
	queue->busy = false;
	if (now >= end)
		queue->pause = ktime_add(now, ktime_sub(now, begin));
	restart = sef_queue_restart(queue);
	spin_unlock(&queue->lock);
	rcu_read_unlock();
	return restart;
}

/* The timer stays as it is, and finds nothing to do. */
static void sef_queue_take_out(struct sef_queue *queue, struct sef_wakeup *wakeup)
{
	lockdep_assert_held(&queue->lock);

	if (!RB_EMPTY_NODE(&wakeup->node.node))
		timerqueue_del(&queue->head, &wakeup->node);
}

void sef_queue_del(struct sef_watch *watch)
{
	struct sef_queue *queue = watch->wakeup.queue;

	lockdep_assert_held(&watch->service->lock);

	if (!queue)
		return;
	spin_lock(&queue->lock);
	sef_queue_take_out(queue, &watch->wakeup);
	spin_unlock(&queue->lock);
}

/* Call sef_watch_expire() between the two times; only once, and no earlier one. */
void sef_queue_add(struct sef_watch *watch, ktime_t soonest, ktime_t latest)
{
	struct sef_wakeup *wakeup = &watch->wakeup;
	struct sef_queue *queue = raw_cpu_ptr(sef_queues);

	lockdep_assert_held(&watch->service->lock);

	if (wakeup->queue != queue)
		sef_queue_del(watch);
	wakeup->queue = queue;
	spin_lock(&queue->lock);
	sef_queue_take_out(queue, wakeup);
	wakeup->soonest = soonest;
	wakeup->latest = latest;
	wakeup->node.expires = latest;
	wakeup->tries = 0;
	if (timerqueue_add(&queue->head, &wakeup->node))
		sef_queue_program(queue);
	spin_unlock(&queue->lock);
}

void sef_wakeup_init(struct sef_wakeup *wakeup)
{
	timerqueue_init(&wakeup->node);
}

int sef_queue_init(void)
{
	struct sef_queue *queue;
	int cpu;

	sef_queues = alloc_percpu(struct sef_queue);
	if (!sef_queues)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		queue = per_cpu_ptr(sef_queues, cpu);
		spin_lock_init(&queue->lock);
		timerqueue_init_head(&queue->head);
		sef_hrtimer_setup(&queue->timer, sef_queue_expire,
				  CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	}
	return 0;
}

/* No watch is left. A timer may be, of one that was taken out. */
void sef_queue_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		hrtimer_cancel(&per_cpu_ptr(sef_queues, cpu)->timer);
	free_percpu(sef_queues);
}
