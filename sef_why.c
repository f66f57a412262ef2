// SPDX-License-Identifier: GPL-2.0
/*
 * Looking at a silent thread, from the interrupt of a deadline: nothing here may
 * sleep, and the thread goes on while it is looked at. Each field is read once;
 * what is told is what held at one moment. data_race() is for fields that their
 * owner writes without a mark: any value that one had is good enough.
 *
 * A thread is looked at twice, at half the timeout and at the deadline. What it
 * did in between tells whether it spun, starved, or slept. Its CPU, if another
 * than this, is probed as well, that is interrupted: the answer tells what it
 * does, and that it does anything. A virtual one that its host does not run gives
 * none.
 */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/math64.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <linux/sched/cputime.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <asm/irq_regs.h>

#include "sef_compat.h"
#include "sef_ping.h"

/* By its cgroup (v2), or by cgroup v1 and suspend. */
static bool sef_task_is_frozen(struct task_struct *task)
{
	return data_race(task->jobctl) & JOBCTL_TRAP_FREEZE ||
	       READ_ONCE(task->__state) & TASK_FROZEN;
}

/* Never in user mode: its registers are none, and it answers nobody. */
static bool sef_task_is_worker(struct task_struct *task)
{
	return data_race(task->flags) & (PF_KTHREAD | PF_IO_WORKER);
}

/* By its own doing, or by a signal that it can't refuse. */
static bool sef_task_is_exiting(struct task_struct *task)
{
	return data_race(task->flags) & PF_EXITING ||
	       READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT;
}

/* Woken, and not running: it may not even have got onto a CPU's queue. */
static bool sef_task_is_runnable(struct task_struct *task)
{
	unsigned int state = READ_ONCE(task->__state);

	return (state == TASK_RUNNING || state == TASK_WAKING) &&
	       !sef_task_on_cpu(task);
}

/*
 * A clock that its owner writes. Where that takes two stores it is read until it is
 * the same twice, which one that is half written hardly ever is.
 */
static u64 sef_read_clock(const u64 *clock)
{
	u64 was, now = data_race(READ_ONCE(*clock));

	if (IS_ENABLED(CONFIG_64BIT))
		return now;
	do {
		was = now;
		now = data_race(READ_ONCE(*clock));
	} while (now != was);
	return now;
}

/*
 * How long the thread has waited for a CPU in its life. The scheduler adds a
 * wait when it ends; one that goes on is counted from when it began.
 * Kernels without CONFIG_SCHED_INFO don't know.
 */
static u64 sef_task_waited(struct task_struct *task)
{
#ifdef CONFIG_SCHED_INFO
	u64 waited = sef_read_clock(&task->sched_info.run_delay);
	u64 queued = sef_read_clock(&task->sched_info.last_queued);
	u64 now = cpu_clock(task_cpu(task));

	if (queued && now > queued && sef_task_is_runnable(task))
		waited += now - queued;
	return waited;
#else
	return 0;
#endif
}

/* It has not run since it was looked at. */
static bool sef_task_still_sleeps(struct task_struct *task,
				  const struct sef_look *look)
{
	smp_rmb();	/* what was read of it was read before this */
	if (sef_task_on_cpu(task))
		return false;
	smp_rmb();	/* who has left its CPU was counted before */
	return data_race(task->nvcsw) == look->voluntary &&
	       data_race(task->nivcsw) == look->involuntary;
}

/*
 * The stack was the task's until now. A dead task's is given to a new one before
 * task->stack is cleared, but the count of its users is 0 by then, and stays so.
 */
static bool sef_task_has_stack(struct task_struct *task)
{
#ifdef CONFIG_THREAD_INFO_IN_TASK
	smp_rmb();	/* what was read of the stack was read before this */
	return refcount_read(&task->stack_refcount);
#else
	return true;
#endif
}

/*
 * The system call that a thread off the CPU is in, or -1: as it entered the kernel
 * is at the top of its stack. Modules can't pin that, so the copy may fault, and is
 * worth nothing if the thread has let go of the stack or has run since.
 */
static int sef_task_syscall(struct task_struct *task,
			    const struct sef_look *look)
{
	struct pt_regs regs;

	if (!READ_ONCE(task->stack) || sef_task_is_worker(task) ||
	    copy_from_kernel_nofault(&regs, task_pt_regs(task), sizeof(regs)) ||
	    !sef_task_has_stack(task) || !sef_task_still_sleeps(task, look))
		return -1;
	return sef_syscall_nr(task, &regs);
}

/*
 * What current does, upon which an interrupt has come. Not every one leaves its
 * registers where we can find them, and on PREEMPT_RT a timer is none at all: then
 * that current is in a system call tells where it is.
 */
static enum sef_mode sef_look_at_current(int *syscall)
{
	struct pt_regs *regs = get_irq_regs();

	if (sef_task_is_worker(current))
		return SEF_MODE_UNKNOWN;
	if (regs && user_mode(regs))
		return SEF_MODE_USER;
	*syscall = sef_syscall_nr(current, task_pt_regs(current));
	return regs || *syscall >= 0 ? SEF_MODE_KERNEL : SEF_MODE_UNKNOWN;
}

/* What keeps it from answering at this very moment, whatever it did before? */
static enum sef_why sef_task_is_held(struct task_struct *task)
{
	if (task_is_traced(task))
		return SEF_WHY_TRACED;
	if (sef_task_is_frozen(task))
		return SEF_WHY_FROZEN;
	if (task_is_stopped(task))
		return SEF_WHY_STOPPED;
	if (sef_task_is_exiting(task))
		return SEF_WHY_EXITING;
	return SEF_WHY_UNKNOWN;
}

/* It slept then, and has not run since. */
static bool sef_task_sleeps_since(struct task_struct *task,
				  const struct sef_look *first)
{
	return first->task == task && first->tid == task_pid_nr(task) &&
	       !first->running && !first->runnable &&
	       !sef_task_is_runnable(task) && sef_task_still_sleeps(task, first);
}

/* @first is an earlier look, or NULL: for a thread that has slept since it tells all. */
static void sef_look_at(struct task_struct *task, const struct sef_look *first,
			struct sef_look *look)
{
	if (task && first && sef_task_sleeps_since(task, first)) {
		*look = *first;
		look->time = ktime_get();
		look->cpu = task_cpu(task);	/* that may go off */
		look->state = task_state_to_char(task);	/* a freezer lets it sleep on */
		look->why = sef_task_is_held(task);
		return;
	}
	*look = (struct sef_look) { .time = ktime_get(), .syscall = -1 };
	if (!task)
		return;
	look->waited_ns = sef_task_waited(task);
	look->ran_ns = sef_read_clock(&task->se.sum_exec_runtime);
	task_cputime_adjusted(task, &look->user_ns, &look->kernel_ns);
	look->voluntary = data_race(task->nvcsw);
	look->involuntary = data_race(task->nivcsw);
	look->task = task;
	look->tid = task_pid_nr(task);
	look->cpu = task_cpu(task);
	look->running = sef_task_on_cpu(task);
	look->runnable = sef_task_is_runnable(task);
	look->state = task_state_to_char(task);
	look->why = sef_task_is_held(task);
	if (task == current && look->running)
		look->mode = sef_look_at_current(&look->syscall);
	else if (!look->running)
		look->syscall = sef_task_syscall(task, look);
}

/* One that goes on where @task has ended alone, among the first few; or @task. */
static struct task_struct *sef_task_survivor(struct task_struct *task)
{
	struct task_struct *other;
	int tries = 64;

	if (!(data_race(task->flags) & PF_EXITING) ||
	    !atomic_read(&task->signal->live))
		return task;
	/* Not for_each_thread(): with lockdep it asks for a lock that we can't name. */
	list_for_each_entry_rcu(other, &task->signal->thread_head, thread_node) {
		if (!(data_race(other->flags) & PF_EXITING) &&
		    !sef_task_is_worker(other))
			return other;
		if (!--tries)
			break;
	}
	return task;
}

/*
 * The thread that ponged last; if it has ended, and the process has not, another
 * one. Under RCU.
 */
static struct task_struct *sef_service_thread(struct sef_service *svc)
{
	struct task_struct *task = pid_task(svc->speaker, PIDTYPE_PID) ?:
				   pid_task(svc->pid, svc->type);

	if (!task || svc->type == PIDTYPE_PID)
		return task;
	return sef_task_survivor(task);
}

void sef_look(struct sef_service *svc, struct sef_look *look)
{
	struct task_struct *task;

	lockdep_assert_held(&svc->lock);

	rcu_read_lock();
	task = sef_service_thread(svc);
	sef_look_at(task, NULL, look);
	rcu_read_unlock();
}

/*
 * The number alone does not tell: a thread that calls exec takes over that of its
 * process, and its clocks are its own.
 */
static bool sef_look_is_of_same(const struct sef_look *first,
				const struct sef_look *look)
{
	return look->tid && first->tid == look->tid && first->task == look->task;
}

static u64 sef_look_ns(const struct sef_look *first, const struct sef_look *look)
{
	return ktime_to_ns(ktime_sub(look->time, first->time));
}

/*
 * Of clocks and counts, which only go on. The wait for a CPU alone may seem shorter
 * when it is over than it was while it went on: other clocks told it.
 */
static u64 sef_since(u64 first, u64 look)
{
	return look > first ? look - first : 0;
}

/*
 * How long it has not waited for a CPU, but for a constant. What it ran is no more than
 * that, but its clock may be late, by a tick or more, and make it more.
 */
static u64 sef_look_spared_ns(const struct sef_look *look)
{
	return ktime_to_ns(look->time) - look->waited_ns;
}

static void sef_watch_count_from(struct sef_watch *watch,
				 const struct sef_look *look)
{
	watch->ran_from = look->ran_ns;
	watch->spared_from = sef_look_spared_ns(look);
}

/*
 * What it runs from here on, without an answer, it has had of a CPU: over all the
 * pings that it does not answer, as long as it is the same thread. But not what it
 * ran, or seems to have run, between two looks while the machine stood still.
 */
void sef_watch_take_first_look(struct sef_watch *watch)
{
	const struct sef_look *look = &watch->look, *last = &watch->last_look;

	lockdep_assert_held(&watch->service->lock);

	watch->last_look = watch->look;
	sef_look(watch->service, &watch->look);
	if (watch->ran_from > look->ran_ns || !sef_look_is_of_same(last, look)) {
		sef_watch_count_from(watch, look);
	} else if (watch->ran_oddly) {
		watch->ran_from += sef_since(last->ran_ns, look->ran_ns);
		watch->spared_from += sef_since(sef_look_spared_ns(last),
						sef_look_spared_ns(look));
	}
	watch->ran_oddly = false;
}

/* Of a step, which may be the one to count from: also after the machine stood still. */
void sef_watch_look_again(struct sef_watch *watch, struct sef_look *look)
{
	lockdep_assert_held(&watch->service->lock);

	sef_look(watch->service, look);
	if (!sef_look_is_of_same(&watch->look, look) ||
	    (watch->ran_from <= look->ran_ns && !watch->ran_oddly))
		return;
	sef_watch_count_from(watch, look);
	watch->ran_oddly = false;
}

/* Why */

/* How long it may be silent on a CPU of its own; given up, until the next step. */
static u64 sef_watch_silence_ns(const struct sef_watch *watch)
{
	u64 ns = watch->set.period_ns + watch->set.timeout_ns, left_ns;

	if (watch->state == SEF_STATE_UNRESPONSIVE)
		return sef_escalate_delay_ns(watch) ?: ns;
	if (watch->grace_end)
		ns = max(ns, watch->set.grace_ns);
	if (watch->extend_max) {
		left_ns = sef_ns_since(watch->extend_end, watch->extend_max);
		ns = max(ns, watch->set.extend_ns - left_ns);
	}
	return ns;
}

/*
 * Has it had a CPU for so long? Then others that keep it busy are not why it is silent:
 * a loop that has hung waits for them too.
 */
static bool sef_watch_had_its_time(const struct sef_watch *watch,
				   const struct sef_look *look)
{
	const struct sef_look *counted = watch->ran_oddly ? &watch->look : look;
	u64 ns = sef_watch_silence_ns(watch);

	return sef_look_is_of_same(&watch->look, look) &&
	       sef_since(watch->ran_from, counted->ran_ns) >= ns &&
	       sef_since(watch->spared_from, sef_look_spared_ns(counted)) >= ns;
}

static bool sef_has_starved(const struct sef_watch *watch,
			    const struct sef_look *first,
			    const struct sef_look *look)
{
	u64 waited_ns = sef_since(first->waited_ns, look->waited_ns);

	if (sef_watch_had_its_time(watch, look))
		return false;
	if (first->runnable && look->runnable && first->ran_ns == look->ran_ns)
		return true;
	return waited_ns && waited_ns >= sef_look_ns(first, look) / 2;
}

/* It ran, or wanted to, at both looks; or for most of the time in between. */
static bool sef_has_spun(const struct sef_look *first,
			 const struct sef_look *look)
{
	if ((first->running || first->runnable) &&
	    (look->running || look->runnable))
		return true;
	return sef_since(first->ran_ns, look->ran_ns) >= sef_look_ns(first, look) / 2;
}

/* The clocks of user and kernel mode tell, if they went on; else the looks. */
static enum sef_why sef_spun_where(const struct sef_look *first,
				   const struct sef_look *look)
{
	u64 user_ns = sef_since(first->user_ns, look->user_ns);
	u64 kernel_ns = sef_since(first->kernel_ns, look->kernel_ns);

	if (user_ns == kernel_ns) {
		user_ns = first->mode == SEF_MODE_USER;
		user_ns += look->mode == SEF_MODE_USER;
		kernel_ns = first->mode == SEF_MODE_KERNEL;
		kernel_ns += look->mode == SEF_MODE_KERNEL;
	}
	if (user_ns == kernel_ns)
		return SEF_WHY_UNKNOWN;
	return user_ns > kernel_ns ? SEF_WHY_SPUN_USER : SEF_WHY_SPUN_KERNEL;
}

static enum sef_why sef_slept_how(const struct sef_look *look)
{
	switch (look->state) {
	case 'D':
		return SEF_WHY_BLOCKED;
	case 'S':
		return SEF_WHY_ASLEEP;
	default:
		return SEF_WHY_UNKNOWN;
	}
}

/*
 * Why has there been no answer? @first is an earlier look, or NULL: it takes two,
 * at one thread, to tell one that spins from one that runs.
 */
enum sef_why sef_why_silent(const struct sef_watch *watch,
			    const struct sef_look *first,
			    const struct sef_look *look)
{
	if (look->why)
		return look->why;
	if (!first || !sef_look_is_of_same(first, look))
		return sef_slept_how(look);
	if (sef_has_starved(watch, first, look))
		return SEF_WHY_STARVED;
	if (sef_has_spun(first, look))
		return sef_spun_where(first, look);
	/* It may have come awake just now: then what it did before. */
	return sef_slept_how(look) ?: sef_slept_how(first);
}

/* Probes */

static atomic_t sef_probes_left = ATOMIC_INIT(0);

/* On the CPU that was asked, in its interrupt. */
static void sef_probe_answer(void *data)
{
	struct sef_probe *probe = data;

	probe->time = ktime_get();
	probe->thread = task_pid(current);
	probe->syscall = -1;
	probe->mode = sef_look_at_current(&probe->syscall);
	/* From here on the probe may be gone, if it is not ours to free. */
	if (atomic_xchg(&probe->state, SEF_PROBE_ANSWERED) != SEF_PROBE_LEFT)
		return;
	sef_watch_free_memory(container_of(probe, struct sef_watch, probe));
	atomic_dec(&sef_probes_left);
}

void sef_probe_init(struct sef_probe *probe)
{
	INIT_CSD(&probe->csd, sef_probe_answer, probe);
	atomic_set(&probe->state, SEF_PROBE_ANSWERED);
}

/*
 * Nobody asks any more. Returns whether no CPU knows of it either; else the one
 * that does frees the watch.
 */
bool sef_probe_end(struct sef_probe *probe)
{
	atomic_inc(&sef_probes_left);
	if (atomic_cmpxchg(&probe->state, SEF_PROBE_ASKED, SEF_PROBE_LEFT) ==
	    SEF_PROBE_ASKED)
		return false;
	atomic_dec(&sef_probes_left);
	return true;
}

/* No watch is left: until no CPU is to come back to what is unloaded. */
void sef_probe_exit(void)
{
	while (atomic_read(&sef_probes_left))
		msleep(20);
	/* The last one may be on its way out of its interrupt. */
	synchronize_rcu();
}

bool sef_probe_is_answered(struct sef_probe *probe)
{
	/* Pairs with the exchange: the answer comes with the state. */
	return atomic_read_acquire(&probe->state) == SEF_PROBE_ANSWERED;
}

/* The CPU that the thread is on, or was and waits on; not this one, that runs. */
void sef_probe_ask(struct sef_probe *probe, const struct sef_look *look)
{
	if (!look->tid || look->cpu == raw_smp_processor_id() ||
	    !sef_probe_is_answered(probe))
		return;
	atomic_set(&probe->state, SEF_PROBE_ASKED);
	probe->asked = look->time;
	probe->cpu = look->cpu;
	/* void: it is to be aligned only for speed, and is not, for size. */
	if (!smp_call_function_single_async(look->cpu, (void *)&probe->csd))
		return;
	probe->asked = 0;	/* the CPU went off: so has the thread */
	atomic_set(&probe->state, SEF_PROBE_ANSWERED);
}

/* How long it took the CPU to answer, or has so far. */
u64 sef_probe_late(struct sef_probe *probe, ktime_t now)
{
	if (!probe->asked)
		return 0;
	if (sef_probe_is_answered(probe))
		now = probe->time;
	return sef_ns_since(probe->asked, now);
}

/* Add the answer, if it came upon the thread, to the look that it was for. */
void sef_probe_tell(struct sef_probe *probe, struct sef_service *svc,
		    struct sef_look *look)
{
	if (!look->running || look->mode || !probe->asked ||
	    !sef_probe_is_answered(probe) || probe->thread != svc->speaker)
		return;
	look->mode = probe->mode;
	look->syscall = probe->syscall;
}

/* Evidence */

/*
 * Where it sleeps, for whoever made the watch with CAP_SYS_ADMIN. Only of a thread
 * that is off the CPU all the time: another's frames change while they are read.
 * Nothing to do for one that has not run since the last time: so it costs before the
 * deadline, by sef_watch_look_closely(), and not at it.
 */
static void sef_watch_take_stack(struct sef_watch *watch,
				 struct task_struct *task,
				 const struct sef_look *look)
{
	u64 switches = look->voluntary + look->involuntary;
	bool sleeps = !look->running && !look->runnable;
	struct sef_stack *stack = watch->stack;

	if (!stack || (sleeps && stack->nr && stack->task == task &&
		       stack->tid == look->tid && stack->switches == switches &&
		       sef_task_still_sleeps(task, look)))
		return;
	watch->stack_told = false;
	stack->nr = 0;
	if (!sleeps)
		return;
	stack->task = task;
	stack->tid = look->tid;
	stack->switches = switches;
	stack->nr = sef_stack_save(task, stack->at, SEF_STACK_DEPTH);
	if (!sef_task_still_sleeps(task, look))
		stack->nr = 0;
}

/* The last look before the deadline. */
void sef_watch_look_closely(struct sef_watch *watch, struct sef_look *look)
{
	struct task_struct *task;

	lockdep_assert_held(&watch->service->lock);

	rcu_read_lock();
	task = sef_service_thread(watch->service);
	sef_look_at(task, sef_watch_first_look(watch), look);
	if (task)
		sef_watch_take_stack(watch, task, look);
	rcu_read_unlock();
}

static void sef_evidence_begin(struct sef_evidence *evidence,
			       struct task_struct *task)
{
	struct pid *pid = READ_ONCE(task->thread_pid);	/* NULL once reaped */

	evidence->tid = pid_nr(pid);
	evidence->own_tid = pid_nr_ns(pid, ns_of_pid(pid));
	evidence->cred = data_race(get_task_cred(task));
	evidence->dumpable = sef_task_is_dumpable(task);
}

static void sef_evidence_add(struct sef_evidence *evidence,
			     const struct sef_look *first,
			     const struct sef_look *look)
{
	evidence->time = look->time;
	evidence->state = look->state;
	evidence->syscall = look->syscall;
	if (!first)
		return;
	evidence->window_ns = sef_look_ns(first, look);
	evidence->waited_ns = sef_since(first->waited_ns, look->waited_ns);
	evidence->user_ns = sef_since(first->user_ns, look->user_ns);
	evidence->kernel_ns = sef_since(first->kernel_ns, look->kernel_ns);
	evidence->voluntary = look->voluntary - first->voluntary;
	evidence->involuntary = look->involuntary - first->involuntary;
}

/*
 * The look at the deadline. Returns why there was no answer, and fills in
 * what tells so; the reference to the credentials is the caller's.
 */
enum sef_why sef_watch_examine(struct sef_watch *watch,
			       struct sef_evidence *evidence)
{
	const struct sef_look *first = sef_watch_first_look(watch);
	struct sef_service *svc = watch->service;
	struct task_struct *task;
	struct sef_look look;

	lockdep_assert_held(&svc->lock);

	*evidence = (struct sef_evidence) { .seq = watch->seq };
	watch->stack_told = false;
	rcu_read_lock();
	task = sef_service_thread(svc);
	sef_look_at(task, first, &look);
	if (task) {
		sef_evidence_begin(evidence, task);
		sef_watch_take_stack(watch, task, &look);
		watch->stack_told = !!watch->stack;
	}
	rcu_read_unlock();

	sef_probe_tell(&watch->probe, svc, &look);
	if (first && !sef_look_is_of_same(first, &look))
		first = NULL;
	sef_evidence_add(evidence, first, &look);
	return sef_why_silent(watch, first, &look);
}
