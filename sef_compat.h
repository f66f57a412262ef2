/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every difference between the kernels that sef builds on, and no other file
 * asks for a version. Distributions backport, so what can be asked for by name
 * is; LINUX_VERSION_CODE is for signatures, which can't.
 */
#ifndef _SEF_COMPAT_H
#define _SEF_COMPAT_H

#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <linux/version.h>

/* 6.8 took the count away: it was 1 wherever it was used. */
static inline void sef_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* 6.13 brought hrtimer_setup(), 6.15 took hrtimer_init() away. */
static inline void sef_hrtimer_setup(struct hrtimer *timer,
				     enum hrtimer_restart (*fn)(struct hrtimer *),
				     clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, fn, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
#endif
}

/* 6.3 brought vm_flags_mod(). */
static inline void sef_vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				    vm_flags_t clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

/* Kernels for one CPU do not keep it. */
static inline bool sef_task_on_cpu(struct task_struct *task)
{
#ifdef CONFIG_SMP
	return READ_ONCE(task->on_cpu);
#else
	return task == current;
#endif
}

/* 6.7 exported it to modules. */
static inline unsigned int sef_stack_save(struct task_struct *task,
					  unsigned long *at, unsigned int max)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0) && \
	defined(CONFIG_STACKTRACE) && defined(CONFIG_ARCH_STACKWALK)
	return stack_trace_save_tsk(task, at, max, 0);
#else
	return 0;
#endif
}

#endif /* _SEF_COMPAT_H */
