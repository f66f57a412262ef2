/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every difference between the kernels that sef builds on, and no other file
 * asks for a version. Distributions backport, so what can be asked for by name
 * is; LINUX_VERSION_CODE is for signatures, which can't.
 */
#ifndef _SEF_COMPAT_H
#define _SEF_COMPAT_H

#include <linux/cacheinfo.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
/* sparse does not know it; the kernel that it is run for has no such header. */
#ifndef __has_include
#define __has_include(header) 0
#endif
#if __has_include(<linux/sched/exec_state.h>)
#include <linux/sched/exec_state.h>
#endif
#include <linux/stacktrace.h>
#include <linux/version.h>
#include <asm/syscall.h>
#ifdef CONFIG_ARM
#include <asm/cachetype.h>
#endif

/* 6.9 brought the question. Before, Arm could be asked, and some need not be. */
static inline bool sef_cache_is_aliasing(void)
{
#if defined(cpu_dcache_is_aliasing)
	return cpu_dcache_is_aliasing();
#elif defined(CONFIG_ARM)
	return cache_is_vivt() || cache_is_vipt_aliasing();
#else
	return !(IS_ENABLED(CONFIG_X86) || IS_ENABLED(CONFIG_ARM64) ||
		 IS_ENABLED(CONFIG_PPC) || IS_ENABLED(CONFIG_RISCV) ||
		 IS_ENABLED(CONFIG_S390) || IS_ENABLED(CONFIG_LOONGARCH));
#endif
}

/*
 * Or -1. The kernel's own tells what a register has on RISC-V, and the last call that
 * was made on 32-bit Arm, whatever it was entered by. There a call whose first
 * argument is -1 looks as if it was none.
 */
static inline int sef_syscall_nr(struct task_struct *task, struct pt_regs *regs)
{
#ifdef CONFIG_RISCV
	if (regs->cause != EXC_SYSCALL)
		return -1;
#endif
#ifdef CONFIG_ARM
	if (regs->ARM_ORIG_r0 == -1UL)
		return -1;
#endif
	return syscall_get_nr(task, regs);
}

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

/*
 * May whoever has the same credentials look into it, by what /proc asks? 7.3 has it in
 * the task, and in no mm any more; no function that tells is there for modules.
 */
static inline bool sef_task_is_dumpable(struct task_struct *task)
{
	bool dumpable = false;

#if __has_include(<linux/sched/exec_state.h>)
	struct task_exec_state *state;

	rcu_read_lock();
	state = rcu_dereference(task->exec_state);
	/* One that has ended has no mm, and is nobody's to look into. */
	if (state && READ_ONCE(task->mm))
		dumpable = READ_ONCE(state->dumpable) == TASK_DUMPABLE_OWNER;
	rcu_read_unlock();
#else
	/* The lock keeps the mm, and is not one for interrupts to wait for. */
	if (!spin_trylock(&task->alloc_lock))
		return false;
	if (task->mm)
		dumpable = get_dumpable(task->mm) == SUID_DUMP_USER;
	spin_unlock(&task->alloc_lock);
#endif
	return dumpable;
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
