// SPDX-License-Identifier: GPL-2.0
/*
 * The escalation: signal, SIGKILL, last step; and in whose name.
 *
 * It runs in the interrupt of the watch's own timer, so it waits for nobody: not
 * for the supervisor's process, nor for a worker. There, current is whoever was
 * interrupted, so what kill(2) would ask of the supervisor is asked of the
 * credentials that he had when he asked for the escalation. A security
 * module is asked at that time only.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/panic.h>
#include <linux/reboot.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "sef_ping.h"
#include "sef_trace.h"

/* The caller's. */
void sef_authority_take(struct sef_authority *authority)
{
	authority->cred = sef_get_cred(current_cred());
	authority->cap_kill = ns_capable_noaudit(current_user_ns(), CAP_KILL);
}

void sef_authority_drop(struct sef_authority *authority)
{
	if (authority->cred)
		put_cred(authority->cred);
	authority->cred = NULL;
}

/*
 * A capability holds in its user namespace and in all below; and who made a
 * namespace has all of them in it.
 */
static bool sef_authority_has_cap_kill(const struct sef_authority *authority,
				       const struct user_namespace *ns)
{
	const struct cred *cred = authority->cred;

	for (; ns; ns = ns->parent) {
		if (ns == cred->user_ns)
			return authority->cap_kill;
		if (ns->parent == cred->user_ns &&
		    uid_eq(ns->owner, cred->euid))
			return true;
	}
	return false;
}

/* kill(2)'s rule for any signal but SIGCONT, to a task under RCU. */
static bool sef_authority_may_signal(const struct sef_authority *authority,
				     struct task_struct *task)
{
	const struct cred *cred = authority->cred, *to = __task_cred(task);

	return uid_eq(cred->euid, to->suid) || uid_eq(cred->euid, to->uid) ||
	       uid_eq(cred->uid, to->suid) || uid_eq(cred->uid, to->uid) ||
	       sef_authority_has_cap_kill(authority, to->user_ns);
}

/*
 * May the supervisor signal it, and whoever registered it? He has the step taken by
 * not answering, as when he gave his file to a program that runs as another user.
 */
static bool sef_escalate_may_signal(const struct sef_watch *watch)
{
	const struct sef_service *svc = watch->service;
	struct task_struct *task;
	bool may = true;

	rcu_read_lock();
	/* One that has ended is no matter of permission. */
	task = pid_task(svc->process, PIDTYPE_PID);
	if (task)
		may = sef_authority_may_signal(&watch->authority, task) &&
		      sef_authority_may_signal(&svc->authority, task);
	rcu_read_unlock();
	return may;
}

bool sef_escalates(const struct sef_watch_args *args)
{
	return args->signal || args->kill_ns || args->last;
}

/* Returns what to tell of it. A struct pid is never another process's. */
static u32 sef_escalate_signal(struct sef_watch *watch, int sig, u32 sent)
{
	struct sef_service *svc = watch->service;

	if (!sef_escalate_may_signal(watch)) {
		svc->counts.denied++;
		return SEF_EVENT_DENIED;
	}
	svc->counts.steps++;
	/* An error is a process that has just ended: the exit hook tells. */
	kill_pid(svc->process, sig, 1);
	return sent;
}

/* The step that is still to come, and how long after the one before; 0 for none. */
static enum sef_step sef_escalate_next(const struct sef_watch *watch,
				       const struct sef_watch_args *set,
				       u64 *delay_ns)
{
	bool kill = set->kill_ns && !watch->killed;

	*delay_ns = kill ? set->kill_ns : set->last_ns;
	return kill ? SEF_STEP_KILL : SEF_STEP_LAST;
}

/* How long the service has until the next step; 0 if there is none. */
u64 sef_escalate_delay_ns(const struct sef_watch *watch)
{
	u64 delay_ns;

	sef_escalate_next(watch, &watch->set, &delay_ns);
	return delay_ns;
}

/*
 * Each step is timed from when the one before was due, so that the lateness of several
 * timers does not add up. But if that was so late, excused or not, that half of the time
 * has gone by, it is from now: the service is to answer to one step, or die of it well,
 * before there is another.
 */
static void sef_escalate_arm(struct sef_watch *watch, ktime_t since)
{
	u64 delay_ns;
	ktime_t now;

	watch->step = sef_escalate_next(watch, &watch->set, &delay_ns);
	watch->step_time = KTIME_MAX;
	if (!delay_ns)
		return;
	/* The CPU may have been taken away since the timer fired. */
	now = ktime_get();
	if (sef_ns_since(since, now) >= delay_ns / 2)
		since = now;
	watch->step_time = ktime_add_ns(since, delay_ns);
}

/* The verdict is: unresponsive, for what was @due. */
void sef_escalate_begin(struct sef_watch *watch, ktime_t due, ktime_t now)
{
	const struct sef_watch_args *set = &watch->set;
	u32 flags;

	lockdep_assert_held(&watch->service->lock);

	watch->service->counts.verdicts++;
	if (set->signal) {
		flags = sef_escalate_signal(watch, set->signal,
					    SEF_EVENT_SIGNAL);
		trace_sef_step(watch, set->signal, flags == SEF_EVENT_DENIED);
		sef_watch_notify(watch, flags, 0, 0, now);
		/* What it does at the signal takes a CPU, too. */
		if (flags == SEF_EVENT_SIGNAL)
			sef_watch_give_time(watch);
	}
	sef_escalate_arm(watch, due);
}

/*
 * Other settings: steps that were taken stay taken, and the next is timed anew if it
 * is another one, or has another delay.
 */
void sef_escalate_change(struct sef_watch *watch,
			 const struct sef_watch_args *was, ktime_t now)
{
	u64 delay_ns, was_ns;
	enum sef_step step;

	lockdep_assert_held(&watch->service->lock);

	step = sef_escalate_next(watch, &watch->set, &delay_ns);
	if (step != sef_escalate_next(watch, was, &was_ns) || delay_ns != was_ns)
		sef_escalate_arm(watch, now);
}

void sef_escalate_end(struct sef_watch *watch)
{
	lockdep_assert_held(&watch->service->lock);

	watch->step_time = KTIME_MAX;
	watch->killed = false;
}

static void sef_escalate_last(struct sef_watch *watch)
{
	struct sef_service *svc = watch->service;

	if (watch->set.last == SEF_LAST_PANIC)
		panic("sef: service %llu does not answer\n", svc->id);
	pr_emerg("service %llu does not answer: restarting\n", svc->id);
	emergency_restart();
}

/*
 * The look to begin from, of whichever ping: a step may come at any part of a
 * timeout. Two that are close to each other do not tell what was in between.
 */
static const struct sef_look *sef_escalate_first_look(struct sef_watch *watch,
						      ktime_t now)
{
	ktime_t since = ktime_sub_ns(now, watch->set.timeout_ns / 4);

	return ktime_compare(watch->look.time, since) <= 0 ||
	       !watch->last_look.tid ? &watch->look : &watch->last_look;
}

/* Does a cause that is excused hold now? Somebody has it in his debugger, say. */
bool sef_escalate_is_excused(struct sef_watch *watch, ktime_t now)
{
	struct sef_look look;
	enum sef_why why;

	lockdep_assert_held(&watch->service->lock);

	sef_watch_look_again(watch, &look);
	why = sef_why_silent(watch, sef_escalate_first_look(watch, now), &look);
	/* Or its CPU stands still, which says nothing of the service. */
	if (sef_watch_probe_late(watch, now) >= sef_watch_stall_ns(watch))
		why = SEF_WHY_STALLED;
	return watch->set.excuse & SEF_EXCUSE(why);
}

/* The time of a step has come. */
void sef_escalate_step(struct sef_watch *watch, ktime_t now)
{
	u32 flags;

	lockdep_assert_held(&watch->service->lock);

	/* Ask again a timeout later. */
	if (sef_escalate_is_excused(watch, now)) {
		watch->step_time = ktime_add_ns(now, watch->set.timeout_ns);
		return;
	}

	if (watch->step == SEF_STEP_LAST) {
		sef_escalate_last(watch);
		return;
	}
	flags = sef_escalate_signal(watch, SIGKILL, SEF_EVENT_KILL);
	watch->killed = true;
	trace_sef_step(watch, SIGKILL, flags == SEF_EVENT_DENIED);
	sef_escalate_arm(watch, watch->step_time);
	sef_watch_notify(watch, flags, 0, 0, now);
}
