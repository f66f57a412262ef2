// SPDX-License-Identifier: GPL-2.0
/*
 * For tests only: CPUs that stand still for a while. Interrupts are off on them
 * and nothing else runs there, not even the timers: that is what a virtual CPU
 * looks like from the others, when its host does not run it.
 *
 * "CPU MS" written to the parameter stalls that CPU for so many milliseconds,
 * "all MS" all of them. A read tells how many stand still. The writer's own CPU,
 * where it is one of them, is the last to begin.
 */
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

/* The kernel's own watchdogs are to see nothing of it. */
#define STALL_MAX_MS	2000

struct stall {
	call_single_data_t	csd;
	ktime_t			end;
};

static DEFINE_PER_CPU(struct stall, stalls);
static atomic_t stalled = ATOMIC_INIT(0);

/* An interrupt, from which the CPU comes back when the time is over. */
static void stall_cpu(void *info)
{
	struct stall *stall = info;

	while (ktime_before(ktime_get(), stall->end))
		cpu_relax();
	atomic_dec(&stalled);
}

static int stall_begin(int cpu, ktime_t end)
{
	struct stall *stall = per_cpu_ptr(&stalls, cpu);
	int err;

	stall->end = end;
	atomic_inc(&stalled);
	err = smp_call_function_single_async(cpu, &stall->csd);
	if (err)
		atomic_dec(&stalled);
	return err;
}

static int stall_begin_all(ktime_t end)
{
	int cpu, this = get_cpu(), err = 0;

	for_each_online_cpu(cpu)
		if (cpu != this && !err)
			err = stall_begin(cpu, end);
	if (!err)
		err = stall_begin(this, end);
	put_cpu();
	return err;
}

/* The core lets one writer in at a time. */
static int stall_set(const char *text, const struct kernel_param *kp)
{
	unsigned int cpu, ms;
	bool all = sscanf(text, "all %u", &ms) == 1;
	ktime_t end;
	int err;

	if (!all && sscanf(text, "%u %u", &cpu, &ms) != 2)
		return -EINVAL;
	if (ms > STALL_MAX_MS)
		return -EINVAL;
	if (atomic_read(&stalled))
		return -EBUSY;

	cpus_read_lock();
	end = ktime_add_ms(ktime_get(), ms);
	if (all)
		err = stall_begin_all(end);
	else if (cpu < nr_cpu_ids && cpu_online(cpu))
		err = stall_begin(cpu, end);
	else
		err = -ENXIO;
	cpus_read_unlock();
	return err;
}

static int stall_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%d\n", atomic_read(&stalled));
}

static const struct kernel_param_ops stall_ops = {
	.set = stall_set,
	.get = stall_get,
};
module_param_cb(stall, &stall_ops, NULL, 0600);
MODULE_PARM_DESC(stall, "\"CPU MS\" or \"all MS\": CPUs that stand still");

static int __init stall_init(void)
{
	struct stall *stall;
	int cpu;

	for_each_possible_cpu(cpu) {
		stall = per_cpu_ptr(&stalls, cpu);
		INIT_CSD(&stall->csd, stall_cpu, stall);
	}
	return 0;
}
module_init(stall_init);

static void stall_nothing(void *info)
{
}

/* Once none is counted, one may be on its way out of here still. */
static void __exit stall_exit(void)
{
	while (atomic_read(&stalled))
		msleep(20);
	on_each_cpu(stall_nothing, NULL, 1);
}
module_exit(stall_exit);

MODULE_DESCRIPTION("Tests of sef: CPUs that stand still");
MODULE_LICENSE("GPL");
