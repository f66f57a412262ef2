// SPDX-License-Identifier: GPL-2.0
/*
 * Looking at a silent thread, from the softirq of a deadline: nothing here may
 * sleep, and the thread goes on while it is looked at. Each field is read once;
 * what is told is what held at one moment. data_race() is for fields that their
 * owner writes without a mark: any value that one had is good enough.
 */
#include <linux/sched/clock.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "sef_ping.h"

/* By its cgroup (v2), or by cgroup v1 and suspend. */
static bool sef_task_is_frozen(struct task_struct *task)
{
	return data_race(task->jobctl) & JOBCTL_TRAP_FREEZE ||
	       READ_ONCE(task->__state) & TASK_FROZEN;
}

/* Woken, and not running: it may not even have got onto a CPU's queue. */
static bool sef_task_is_runnable(struct task_struct *task)
{
	unsigned int state = READ_ONCE(task->__state);

	return (state == TASK_RUNNING || state == TASK_WAKING) &&
	       !READ_ONCE(task->on_cpu);
}

/*
 * How long the thread has waited for a CPU in its life. The scheduler adds a
 * wait when it ends; one that goes on is counted from when it began.
 * Kernels without CONFIG_SCHED_INFO don't know.
 */
static u64 sef_task_waited(struct task_struct *task)
{
#ifdef CONFIG_SCHED_INFO
	u64 waited = data_race(task->sched_info.run_delay);
	u64 queued = data_race(task->sched_info.last_queued);
	u64 now = sched_clock_cpu(task_cpu(task));

	if (queued && now > queued && sef_task_is_runnable(task))
		waited += now - queued;
	return waited;
#else
	return 0;
#endif
}

static bool sef_has_starved(const struct sef_look *first,
			    const struct sef_look *look)
{
	u64 ns = ktime_to_ns(ktime_sub(look->time, first->time));

	if (first->runnable && look->runnable && first->ran_ns == look->ran_ns)
		return true;
	return ns && look->waited_ns > first->waited_ns &&
	       look->waited_ns - first->waited_ns >= ns / 2;
}

/*
 * What keeps the service from answering? @first is an earlier look since it was
 * asked, or NULL: it takes two to see that a thread starves.
 */
enum sef_why sef_look(struct sef_service *svc, const struct sef_look *first,
		      struct sef_look *look)
{
	struct task_struct *task;

	lockdep_assert_held(&svc->lock);

	*look = (struct sef_look) { .time = ktime_get() };
	rcu_read_lock();
	task = pid_task(svc->speaker, PIDTYPE_PID);
	if (!task)	/* the thread has ended, the process lives */
		task = pid_task(svc->pid, svc->type);
	if (task) {
		look->waited_ns = sef_task_waited(task);
		look->ran_ns = data_race(task->se.sum_exec_runtime);
		look->runnable = sef_task_is_runnable(task);
		if (task_is_traced(task))
			look->why = SEF_WHY_TRACED;
		else if (sef_task_is_frozen(task))
			look->why = SEF_WHY_FROZEN;
		else if (task_is_stopped(task))
			look->why = SEF_WHY_STOPPED;
		else if (first && sef_has_starved(first, look))
			look->why = SEF_WHY_STARVED;
	}
	rcu_read_unlock();
	return look->why;
}
