// SPDX-License-Identifier: GPL-2.0
/*
 * What is told of a service, and to whom: its status, why it fell silent, how
 * long it takes to answer.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/kernel.h>
#include <linux/pid_namespace.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "sef_ping.h"

static void sef_status_of_watch(const struct sef_watch *watch,
				const struct sef_supervisor *sup,
				struct sef_status_args *args)
{
	const struct sef_watch_args *set = &watch->set;

	args->state = watch->state;
	args->misses = watch->misses;
	args->why = watch->why;
	args->excused = watch->excused;
	args->credit_ns = watch->credit_ns;
	args->cookie = watch->supervisor == sup ? set->cookie : 0;
	args->period_ns = set->period_ns;
	args->timeout_ns = set->timeout_ns;
	args->slack_ns = set->slack_ns;
	args->grace_ns = set->grace_ns;
	args->extend_ns = set->extend_ns;
	args->kill_ns = set->kill_ns;
	args->last_ns = set->last_ns;
	args->tolerate = set->tolerate;
	args->watch_flags = set->flags & SEF_WATCH_STRICT;
	args->excuse = set->excuse;
	args->signal = set->signal;
	args->last = set->last;
}

static void sef_status_of_service(struct sef_service *svc,
				  struct sef_status_args *args)
{
	ktime_t now = ktime_get();

	lockdep_assert_held(&svc->lock);

	*args = (struct sef_status_args) {
		.id = svc->id,
		.flags = args->flags,
		.pid = pid_nr_ns(svc->pid, task_active_pid_ns(current)),
		.uid = from_kuid_munged(current_user_ns(), svc->account.user->uid),
		.reply = sef_service_reply(svc),
		.ping_seq = svc->ping_seq,
		.pong_seq = svc->pong_seq,
		.age_ns = ktime_to_ns(ktime_sub(now, svc->born)),
		.silent_ns = ktime_to_ns(ktime_sub(now, svc->pong_time)),
		.rtt_ns = svc->rtt_ns,
		.watches = svc->nr_watches,
		.missed = svc->counts.missed,
		.verdicts = svc->counts.verdicts,
		.steps = svc->counts.steps,
		.denied = svc->counts.denied,
	};
	if (svc->type == PIDTYPE_PID)
		args->service_flags = SEF_REGISTER_THREAD;
	else if (sef_service_is_proxied(svc))
		args->service_flags = SEF_REGISTER_PIDFD;
	if (svc->end == SEF_STATE_DEAD) {
		args->state = SEF_STATE_DEAD;
		args->wait_status = svc->exit_code;
	}
	memcpy(args->name, svc->name, sizeof(args->name));
}

/* NULL where nobody watches it. */
static struct sef_watch *sef_status_worst(struct sef_service *svc)
{
	struct sef_watch *watch, *worst = NULL;

	lockdep_assert_held(&svc->lock);

	list_for_each_entry(watch, &svc->watches, by_service)
		if (!worst || watch->state > worst->state ||
		    (watch->state == worst->state &&
		     watch->set.timeout_ns < worst->set.timeout_ns))
			worst = watch;
	return worst;
}

/* False, and nothing told, where the caller may not see the service. */
static bool sef_status_tell(struct sef_service *svc, struct sef_supervisor *sup,
			    struct sef_status_args *args)
{
	struct sef_watch *watch = sef_watch_find(sup, svc->id);
	bool visible;

	if (!watch && !sef_service_may_signal(svc))
		return false;
	spin_lock_irq(&svc->lock);
	visible = watch || !svc->closed;
	if (visible) {
		sef_service_collect(svc, ktime_get());
		sef_status_of_service(svc, args);
		if (args->flags & SEF_STATUS_WORST)
			watch = sef_status_worst(svc);
	}
	if (watch)
		sef_status_of_watch(watch, sup, args);
	spin_unlock_irq(&svc->lock);
	return visible;
}

/*
 * A stretch of the walk: found, or -ESRCH at the end, or -EAGAIN to go on from
 * *@from. Others are to have the registry in between.
 */
static int sef_status_walk(struct sef_supervisor *sup, u64 *from,
			   struct sef_status_args *args)
{
	struct sef_service *svc;
	int i;

	for (i = 0; i < 64; i++) {
		svc = sef_service_from(*from);
		if (!svc)
			return -ESRCH;
		if (sef_status_tell(svc, sup, args))
			return 0;
		*from = svc->id + 1;
	}
	return -EAGAIN;
}

/* Under the supervisor's file lock. */
int sef_status(struct sef_supervisor *sup, struct sef_status_args *args)
{
	struct sef_service *svc;
	u64 from = args->id + 1;
	int err = -ESRCH;

	if (!(args->flags & SEF_STATUS_NEXT)) {
		mutex_lock(&sef_registry_lock);
		svc = sef_service_find(args->id);
		if (svc && sef_status_tell(svc, sup, args))
			err = 0;
		mutex_unlock(&sef_registry_lock);
		return err;
	}

	if (args->id == U64_MAX)
		return -ESRCH;
	do {
		mutex_lock(&sef_registry_lock);
		err = sef_status_walk(sup, &from, args);
		mutex_unlock(&sef_registry_lock);
		cond_resched();
	} while (err == -EAGAIN);
	return err;
}

/* Why */

/* A copy, whose credentials are held; under a lock of the original's. */
struct sef_evidence sef_evidence_get(const struct sef_watch *watch)
{
	sef_get_cred(watch->evidence.cred);
	return watch->evidence;
}

void sef_evidence_put(struct sef_evidence *evidence)
{
	put_cred(evidence->cred);
}

/* In the caller's pid namespace, if that is one of the two it is known in. */
pid_t sef_evidence_tid(const struct sef_evidence *evidence,
		       const struct sef_service *svc)
{
	struct pid_namespace *ns = task_active_pid_ns(current);

	if (ns == &init_pid_ns)
		return evidence->tid;
	return ns == ns_of_pid(svc->pid) ? evidence->own_tid : 0;
}

/*
 * May the caller know where the thread was? /proc asks the same of whoever reads a
 * task's system call or stack (ptrace), and of whom it was at that time.
 */
static bool sef_evidence_may_know(const struct sef_evidence *evidence)
{
	const struct cred *of = evidence->cred, *mine = current_cred();

	if (!of)
		return false;
	if (evidence->dumpable && mine->user_ns == of->user_ns &&
	    uid_eq(mine->fsuid, of->uid) && uid_eq(mine->fsuid, of->euid) &&
	    uid_eq(mine->fsuid, of->suid) && gid_eq(mine->fsgid, of->gid) &&
	    gid_eq(mine->fsgid, of->egid) && gid_eq(mine->fsgid, of->sgid) &&
	    cap_issubset(of->cap_permitted, mine->cap_effective))
		return true;
	/* What is not dumpable may belong to an outer namespace. */
	return ns_capable_noaudit(evidence->dumpable ? of->user_ns :
						       &init_user_ns,
				  CAP_SYS_PTRACE);
}

int sef_evidence_syscall(const struct sef_evidence *evidence)
{
	if (evidence->syscall < 0 || !sef_evidence_may_know(evidence))
		return -1;
	return evidence->syscall;
}

/* Whole lines, as many as there is room for. */
static void sef_stack_text(char *text, size_t size, const unsigned long *at,
			   unsigned int nr)
{
	size_t used = 0, len;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		len = snprintf(text + used, size - used, "%pB\n",
			       (void *)at[i]);
		if (len >= size - used) {
			text[used] = '\0';
			break;
		}
		used += len;
	}
}

static void sef_why_tell(const struct sef_evidence *evidence,
			 struct sef_why_args *args)
{
	ktime_t now = ktime_get();

	args->seq = evidence->seq;
	args->age_ns = ktime_to_ns(ktime_sub(now, evidence->time));
	args->window_ns = evidence->window_ns;
	args->user_ns = evidence->user_ns;
	args->kernel_ns = evidence->kernel_ns;
	args->waited_ns = evidence->waited_ns;
	args->voluntary = evidence->voluntary;
	args->involuntary = evidence->involuntary;
	args->why = evidence->why;
	args->state = evidence->state;
	args->syscall = sef_evidence_syscall(evidence);
	if (evidence->window_ns)
		args->known |= SEF_KNOWN_WINDOW;
	if (evidence->window_ns && IS_ENABLED(CONFIG_SCHED_INFO))
		args->known |= SEF_KNOWN_WAITED;
	if (args->syscall >= 0)
		args->known |= SEF_KNOWN_SYSCALL;
}

/* Under the supervisor's file lock, which keeps the watch. */
int sef_why_of_watch(struct sef_watch *watch, struct sef_why_args *args)
{
	struct sef_service *svc = watch->service;
	unsigned long stack[SEF_STACK_DEPTH];
	struct sef_evidence evidence;
	unsigned int nr;

	spin_lock_irq(&svc->lock);
	evidence = sef_evidence_get(watch);
	nr = watch->stack_told ? watch->stack->nr : 0;
	if (nr)
		memcpy(stack, watch->stack->at, nr * sizeof(stack[0]));
	spin_unlock_irq(&svc->lock);
	if (!evidence.seq)
		return -ENODATA;

	*args = (struct sef_why_args) { .id = args->id };
	sef_why_tell(&evidence, args);
	args->tid = sef_evidence_tid(&evidence, svc);
	if (nr && capable(CAP_SYS_ADMIN) && sef_evidence_may_know(&evidence)) {
		sef_stack_text(args->stack, sizeof(args->stack), stack, nr);
		args->known |= SEF_KNOWN_STACK;
	}
	sef_evidence_put(&evidence);
	return 0;
}

/* Latency */

static void sef_latency_tell(const struct sef_latency *latency,
			     struct sef_latency_args *args)
{
	args->since_ns = ktime_to_ns(ktime_sub(ktime_get(), latency->since));
	args->count = latency->count;
	args->sum_ns = latency->sum_ns;
	args->min_ns = latency->count ? latency->min_ns : 0;
	args->max_ns = latency->max_ns;
	args->headroom_ns = latency->headroom_ns;
	memcpy(args->buckets, latency->buckets, sizeof(args->buckets));
}

static int sef_latency_of(struct sef_service *svc, struct sef_supervisor *sup,
			  struct sef_latency_args *args)
{
	bool reset = args->flags & SEF_LATENCY_RESET;
	bool watched = sef_watch_find(sup, svc->id);
	bool may_signal = sef_service_may_signal(svc);
	int err = 0;

	lockdep_assert_held(&sef_registry_lock);

	if (!watched && !may_signal)
		return -ESRCH;
	spin_lock_irq(&svc->lock);
	if (!watched && svc->closed) {
		err = -ESRCH;
	} else if (reset && !may_signal) {
		err = -EPERM;
	} else {
		sef_latency_tell(&svc->latency, args);
		if (reset)
			sef_latency_reset(&svc->latency);
	}
	spin_unlock_irq(&svc->lock);
	return err;
}

/* Under the supervisor's file lock. */
int sef_latency(struct sef_supervisor *sup, struct sef_latency_args *args)
{
	struct sef_service *svc;
	int err = -ESRCH;

	mutex_lock(&sef_registry_lock);
	svc = sef_service_find(args->id);
	if (svc)
		err = sef_latency_of(svc, sup, args);
	mutex_unlock(&sef_registry_lock);
	return err;
}
