// SPDX-License-Identifier: GPL-2.0
/*
 * Services and watches: ids, lookup, permission, exit.
 *
 * Services stay in the registry as long as anything refers to them, so that
 * a supervisor finds what it watches by id even after the service's file is
 * closed; for everybody else a closed service does not exist.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "sef_ping.h"
#include "sef_trace.h"

/*
 * Of one service: each pong tells every watch, with interrupts off. The last of them
 * are kept for whoever may signal anybody, so that nobody makes a service one that
 * he can't watch.
 */
#define SEF_MAX_SERVICE_WATCHES	1024
#define SEF_KEPT_WATCHES	64

/* Of one process: each has a hook of its own, called with interrupts off at its end. */
static unsigned int max_process_services = 1024;
module_param(max_process_services, uint, 0644);
MODULE_PARM_DESC(max_process_services, "Services that one process may be at a time");

DEFINE_MUTEX(sef_registry_lock);
static struct rb_root sef_services = RB_ROOT;	/* by id */
static DEFINE_HASHTABLE(sef_processes, 10);	/* services by process */
static LIST_HEAD(sef_newcomers_list);		/* supervisors who are told */
static u64 sef_last_id;
static u64 sef_told_id;				/* the last newcomer told of */

static struct kmem_cache *sef_service_cache, *sef_watch_cache;

/* Unbound: a busy CPU must not hold up the news of a birth. */
static struct workqueue_struct *sef_work;
static void sef_newcomers_tell(struct work_struct *work);
static DECLARE_WORK(sef_newcomers_work, sef_newcomers_tell);

/* Services by id */

static u64 sef_node_id(const struct rb_node *node)
{
	return rb_entry(node, struct sef_service, node)->id;
}

static bool sef_node_less(struct rb_node *a, const struct rb_node *b)
{
	return sef_node_id(a) < sef_node_id(b);
}

/* The service with the lowest id that is not below @id. */
struct sef_service *sef_service_from(u64 id)
{
	struct rb_node *node = sef_services.rb_node, *found = NULL;

	lockdep_assert_held(&sef_registry_lock);

	while (node) {
		if (sef_node_id(node) < id) {
			node = node->rb_right;
		} else {
			found = node;
			node = node->rb_left;
		}
	}
	return found ? rb_entry(found, struct sef_service, node) : NULL;
}

struct sef_service *sef_service_find(u64 id)
{
	struct sef_service *svc = sef_service_from(id);

	return svc && svc->id == id ? svc : NULL;
}

/*
 * The kernel's own rule for kill(2), security modules included. These have errors of
 * their own, and all mean one thing.
 */
static int sef_check_signal(struct pid *process)
{
	int err = kill_pid(process, 0, 0);

	return err && err != -ESRCH ? -EPERM : err;
}

/* By that rule; and there is a number for it in one's pid namespace. */
bool sef_service_may_signal(struct sef_service *svc)
{
	return pid_nr_ns(svc->process, task_active_pid_ns(current)) &&
	       !sef_check_signal(svc->process);
}

/* Exit */

/* Whether a task, held by RCU or tasklist_lock, is the end of its service. */
static bool sef_task_has_ended(struct sef_service *svc,
			       struct task_struct *task)
{
	if (!task)
		return true;
	/* The status was written before. */
	if (!smp_load_acquire(&task->exit_state))
		return false;
	/* The process ends with its last thread, of whom the leader waits. */
	return svc->type == PIDTYPE_PID || !delay_group_leader(task);
}

/* The status as wait(2) would give it. */
static int sef_task_exit_code(struct task_struct *task)
{
	if (READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT)
		return READ_ONCE(task->signal->group_exit_code);
	return task->exit_code;
}

/* Whether it has, and with what status: 0 where there is no task any more. */
static bool sef_service_has_ended(struct sef_service *svc, int *exit_code)
{
	struct task_struct *task, *next;
	bool ended;

	rcu_read_lock();
	next = pid_task(svc->pid, svc->type);
	do {
		task = next;
		ended = sef_task_has_ended(svc, task);
		/*
		 * An exec takes the pid from a leader that has ended, and only then
		 * makes it look so; if without tasklist_lock and in that order is for
		 * the CPU to say.
		 */
		smp_rmb();
		next = pid_task(svc->pid, svc->type);
	} while (ended && next && next != task);
	*exit_code = ended && task ? sef_task_exit_code(task) : 0;
	rcu_read_unlock();
	return ended;
}

/*
 * Called with tasklist_lock and the wait queue's lock held (see sef_ping.h) and
 * interrupts off, more than once in an end. The status must be taken here: later
 * the parent may have reaped the process.
 */
static int sef_exit_hook(wait_queue_entry_t *hook, unsigned int mode, int sync,
			 void *key)
{
	struct sef_service *svc = container_of(hook, struct sef_service,
					       exit_hook);

	if (svc->exited || !sef_service_has_ended(svc, &svc->hook_code))
		return 0;
	/* Pairs with sef_service_check_end(). */
	smp_store_release(&svc->exited, true);
	irq_work_queue(&svc->exit_work);
	return 0;
}

/* In an interrupt of the CPU that the hook was called on. */
static void sef_exit_work(struct irq_work *work)
{
	struct sef_service *svc = container_of(work, struct sef_service,
					       exit_work);
	unsigned long flags;

	spin_lock_irqsave(&svc->lock, flags);
	sef_service_check_end(svc);
	spin_unlock_irqrestore(&svc->lock, flags);
}

/*
 * Before 6.9 nothing is woken when a thread ends alone; nor later, from 6.15 on, when
 * that is the main one.
 */
void sef_service_check_thread(struct sef_service *svc)
{
	int code;

	lockdep_assert_held(&svc->lock);

	if (sef_service_has_ended(svc, &code))
		sef_service_end(svc, SEF_STATE_DEAD, code);
}

/* Is it on its way out, or has it ended? */
static bool sef_is_exiting(struct pid *pid, enum pid_type type)
{
	struct task_struct *task;
	bool exiting;

	rcu_read_lock();
	task = pid_task(pid, type);
	exiting = !task ||
		  READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT ||
		  !atomic_read(&task->signal->live) ||
		  (type == PIDTYPE_PID &&
		   READ_ONCE(task->flags) & PF_EXITING);
	rcu_read_unlock();
	return exiting;
}

/* Services */

/* Does another process answer for it? */
bool sef_service_is_proxied(const struct sef_service *svc)
{
	return svc->owner != svc->pid;
}

/* Whom the caller registers, or an error. */
static struct pid *sef_register_process(const struct sef_register_args *args)
{
	struct pid *process;
	int err;

	if (!(args->flags & SEF_REGISTER_PIDFD))
		return get_task_pid(current, PIDTYPE_TGID);
	process = sef_pid_of_pidfd(args->pidfd, args->pid);
	if (IS_ERR(process))
		return process;
	err = sef_check_signal(process);
	if (!err)
		return process;
	put_pid(process);
	return ERR_PTR(err);
}

/* Who it is, and who answers for it. @process is the service's from here on. */
static void sef_service_set_pids(struct sef_service *svc, struct pid *process,
				 u32 flags)
{
	svc->process = process;
	svc->type = flags & SEF_REGISTER_THREAD ? PIDTYPE_PID : PIDTYPE_TGID;
	svc->pid = flags & SEF_REGISTER_THREAD ?
		   get_task_pid(current, PIDTYPE_PID) : get_pid(process);
	svc->owner = flags & SEF_REGISTER_PIDFD ?
		     get_task_pid(current, PIDTYPE_TGID) : get_pid(svc->pid);
	svc->speaker = sef_service_is_proxied(svc) ?
		       get_pid(process) : get_task_pid(current, PIDTYPE_PID);
}

static void sef_service_init(struct sef_service *svc, struct sef_file *file,
			     const struct sef_register_args *args)
{
	svc->account = file->account;
	sef_authority_take(&svc->authority);
	svc->wait = &file->wait;
	svc->born = ktime_get();
	svc->pong_time = svc->born;
	sef_latency_reset(&svc->latency);
	strscpy_pad(svc->name, args->name, sizeof(svc->name));
	refcount_set(&svc->refs, 1);
	init_waitqueue_func_entry(&svc->exit_hook, sef_exit_hook);
	init_irq_work(&svc->exit_work, sef_exit_work);
	spin_lock_init(&svc->lock);
	INIT_LIST_HEAD(&svc->watches);
	sef_setcb_ping_reply(svc, SEF_CB_PING_REPLY_DEFAULT);
	sef_service_set_reply(svc, args->reply);
	add_wait_queue(&svc->pid->wait_pidfd, &svc->exit_hook);
}

/* @process and @eventfd are the service's, unless this fails. */
static struct sef_service *
sef_service_make(struct sef_file *file, const struct sef_register_args *args,
		 struct pid *process, struct eventfd_ctx *eventfd)
{
	struct sef_service *svc = kmem_cache_zalloc(sef_service_cache,
						    GFP_KERNEL);

	if (!svc)
		return ERR_PTR(-ENOMEM);
	svc->eventfd = eventfd;
	sef_service_set_pids(svc, process, args->flags);
	sef_service_init(svc, file, args);
	return svc;
}

struct sef_service *sef_service_new(struct sef_file *file,
				    const struct sef_register_args *args)
{
	struct pid *process = sef_register_process(args);
	struct eventfd_ctx *eventfd = NULL;
	struct sef_service *svc;
	int code;

	if (IS_ERR(process))
		return ERR_CAST(process);
	if (args->eventfd != -1)
		eventfd = eventfd_ctx_fdget(args->eventfd);
	svc = IS_ERR(eventfd) ? ERR_CAST(eventfd) :
				sef_service_make(file, args, process, eventfd);
	if (IS_ERR(svc)) {
		put_pid(process);
		if (!IS_ERR_OR_NULL(eventfd))
			eventfd_ctx_put(eventfd);
		return svc;
	}
	/* What ended before the hook was there calls none. */
	if (sef_service_has_ended(svc, &code)) {
		sef_service_put(svc);
		return ERR_PTR(-ESRCH);
	}
	return svc;
}

static void sef_service_free_memory(struct rcu_head *rcu)
{
	kmem_cache_free(sef_service_cache,
			container_of(rcu, struct sef_service, rcu));
}

/* Once more does nothing. */
static void sef_service_unhook(struct sef_service *svc)
{
	remove_wait_queue(&svc->pid->wait_pidfd, &svc->exit_hook);
	INIT_LIST_HEAD(&svc->exit_hook.entry);
}

static void sef_service_free(struct sef_service *svc)
{
	/*
	 * The hook queues the work, so the hook goes first; most are never called. With
	 * PREEMPT_RT the wait takes a grace period, each, also where there is no work.
	 */
	sef_service_unhook(svc);
	if (svc->exited)
		irq_work_sync(&svc->exit_work);
	put_pid(svc->pid);
	put_pid(svc->process);
	put_pid(svc->owner);
	put_pid(svc->speaker);
	sef_authority_drop(&svc->authority);
	sef_page_free(svc);
	if (svc->eventfd)
		eventfd_ctx_put(svc->eventfd);
	call_rcu(&svc->rcu, sef_service_free_memory);
}

/*
 * The newest service that is the same process as @svc, or thread, which has hooks of
 * its own; it has the count of them. The newest come first.
 */
static struct sef_service *sef_process_newest(const struct sef_service *svc)
{
	struct sef_service *other;

	lockdep_assert_held(&sef_registry_lock);

	hash_for_each_possible(sef_processes, other, by_process,
			       (unsigned long)svc->process)
		if (other->pid == svc->pid)
			return other;
	return NULL;
}

static bool sef_process_add(struct sef_service *svc)
{
	const struct sef_service *newest = sef_process_newest(svc);
	unsigned int n = newest ? newest->of_process : 0;

	if (n >= READ_ONCE(max_process_services))
		return false;
	svc->of_process = n + 1;
	hash_add(sef_processes, &svc->by_process, (unsigned long)svc->process);
	return true;
}

static void sef_process_del(struct sef_service *svc)
{
	struct sef_service *newest;
	unsigned int n;

	if (hlist_unhashed(&svc->by_process))
		return;
	/* Of the others the count is an old one. */
	n = sef_process_newest(svc)->of_process - 1;
	hash_del(&svc->by_process);
	newest = sef_process_newest(svc);
	if (newest)
		newest->of_process = n;
}

/* Give it an id, under which others find it. */
int sef_service_publish(struct sef_service *svc)
{
	int err = -ENOSPC;

	mutex_lock(&sef_registry_lock);
	if (!sef_charge(&svc->account, SEF_LIMIT_SERVICES, 1))
		goto out;
	if (!sef_process_add(svc)) {
		sef_uncharge(&svc->account, SEF_LIMIT_SERVICES, 1);
		goto out;
	}
	sef_account_hold(&svc->account);
	svc->id = ++sef_last_id;
	rb_add(&svc->node, &sef_services, sef_node_less);
	trace_sef_register(svc);
	if (!list_empty(&sef_newcomers_list))
		queue_work(sef_work, &sef_newcomers_work);
	else
		sef_told_id = svc->id;
	err = 0;
out:
	mutex_unlock(&sef_registry_lock);
	return err;
}

/* Not under sef_registry_lock or a spinlock. Also for one never published. */
void sef_service_put(struct sef_service *svc)
{
	if (!refcount_dec_and_mutex_lock(&svc->refs, &sef_registry_lock))
		return;
	if (svc->id) {
		rb_erase(&svc->node, &sef_services);
		sef_process_del(svc);
	}
	mutex_unlock(&sef_registry_lock);

	if (svc->id)
		sef_account_close(&svc->account);
	sef_service_free(svc);
}

/*
 * The service's file is released. A process that is about to die is dead, not
 * gone: that verdict is the exit hook's. And what a proxy that dies leaves behind is
 * silent.
 */
void sef_service_close(struct sef_service *svc)
{
	bool exiting = sef_is_exiting(svc->pid, svc->type) ||
		       sef_is_exiting(svc->owner, svc->type);
	bool over;

	spin_lock_irq(&svc->lock);
	WRITE_ONCE(svc->closed, true);	/* sef_service_of() has no lock */
	if (!exiting)
		sef_service_end(svc, SEF_STATE_GONE, 0);
	over = svc->end;
	spin_unlock_irq(&svc->lock);

	/* What supervisors still keep of it is theirs; no end is to come. */
	mutex_lock(&sef_registry_lock);
	sef_uncharge(&svc->account, SEF_LIMIT_SERVICES, 1);
	if (over) {
		sef_service_unhook(svc);
		sef_process_del(svc);
	}
	mutex_unlock(&sef_registry_lock);
	sef_service_put(svc);
}

/* Watches */

struct sef_watch *sef_watch_alloc(struct sef_supervisor *sup)
{
	struct sef_watch *watch = kmem_cache_zalloc(sef_watch_cache, GFP_KERNEL);

	if (!watch)
		return NULL;
	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN)) {
		watch->stack = kzalloc(sizeof(*watch->stack), GFP_KERNEL_ACCOUNT);
		if (!watch->stack) {
			kmem_cache_free(sef_watch_cache, watch);
			return NULL;
		}
	}
	sef_watch_init(watch, sup);
	sef_authority_take(&watch->authority);
	return watch;
}

static void sef_watch_free_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(sef_watch_cache, container_of(rcu, struct sef_watch, rcu));
}

/* The last of it, in any context. */
void sef_watch_free_memory(struct sef_watch *watch)
{
	call_rcu(&watch->rcu, sef_watch_free_rcu);
}

/* One that was never added, or has been removed; or NULL. */
void sef_watch_free(struct sef_watch *watch)
{
	if (!watch)
		return;
	sef_authority_drop(&watch->authority);
	put_cred(watch->evidence.cred);
	kfree(watch->stack);
	if (sef_probe_end(&watch->probe))
		sef_watch_free_memory(watch);
}

static bool sef_watch_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct sef_watch, by_id)->service->id <
	       rb_entry(b, struct sef_watch, by_id)->service->id;
}

static int sef_watch_cmp(const void *id, const struct rb_node *node)
{
	u64 other = rb_entry(node, struct sef_watch, by_id)->service->id;
	u64 sought = *(const u64 *)id;

	return sought < other ? -1 : sought > other;
}

/* Under the supervisor's file lock, which keeps what is found. @sup may be NULL. */
struct sef_watch *sef_watch_find(struct sef_supervisor *sup, u64 id)
{
	struct rb_node *node = sup ? rb_find(&id, &sup->watches, sef_watch_cmp) :
				     NULL;

	return rb_entry_safe(node, struct sef_watch, by_id);
}

/* Pings a second that a watch may ask for. */
static unsigned int sef_watch_rate(const struct sef_watch_args *args)
{
	return div64_u64(NSEC_PER_SEC + args->period_ns - 1, args->period_ns);
}

static bool sef_watch_charge(const struct sef_account *account,
			     const struct sef_watch_args *args)
{
	if (!sef_charge(account, SEF_LIMIT_WATCHES, 1))
		return false;
	if (sef_charge(account, SEF_LIMIT_PINGS, sef_watch_rate(args)))
		return true;
	sef_uncharge(account, SEF_LIMIT_WATCHES, 1);
	return false;
}

static void sef_watch_uncharge(const struct sef_account *account,
			       const struct sef_watch_args *args)
{
	sef_uncharge(account, SEF_LIMIT_PINGS, sef_watch_rate(args));
	sef_uncharge(account, SEF_LIMIT_WATCHES, 1);
}

/* The service of a process with the lowest id above @id. */
static struct sef_service *sef_service_of(struct pid *process, u64 id)
{
	struct sef_service *svc, *found = NULL;

	lockdep_assert_held(&sef_registry_lock);

	hash_for_each_possible(sef_processes, svc, by_process,
			       (unsigned long)process)
		if (svc->process == process && svc->id > id &&
		    !READ_ONCE(svc->closed) &&
		    (!found || svc->id < found->id))
			found = svc;
	return found;
}

/* As kill(2): from inside its pid namespace nobody signals an init. */
static bool sef_is_own_init(struct sef_service *svc)
{
	return pid_nr_ns(svc->process, task_active_pid_ns(current)) == 1;
}

static int sef_watch_add(struct sef_watch *watch,
			 const struct sef_account *account,
			 const struct sef_watch_args *args)
{
	struct sef_service *svc = sef_service_find(args->id);
	unsigned int max = SEF_MAX_SERVICE_WATCHES;
	int err = -ESRCH;

	lockdep_assert_held(&sef_registry_lock);

	if (!svc || !sef_service_may_signal(svc))
		return -ESRCH;
	if (sef_is_own_init(svc) && sef_escalates(args))
		return -EPERM;
	if (!sef_watch_charge(account, args))
		return -ENOSPC;
	if (!ns_capable_noaudit(&init_user_ns, CAP_KILL))
		max -= SEF_KEPT_WATCHES;

	spin_lock_irq(&svc->lock);
	if (svc->nr_watches >= max) {
		err = -ENOSPC;
	} else if (!svc->closed) {
		refcount_inc(&svc->refs);
		watch->nr = ++watch->supervisor->last_nr;
		sef_watch_begin(watch, svc, args);
		err = 0;
	}
	spin_unlock_irq(&svc->lock);
	if (err)
		sef_watch_uncharge(account, args);
	else
		rb_add(&watch->by_id, &watch->supervisor->watches,
		       sef_watch_less);
	return err;
}

/* New settings are in the name of whoever gives them. */
static int sef_watch_reset(struct sef_watch *watch, struct sef_watch *spare,
			   const struct sef_account *account,
			   const struct sef_watch_args *args)
{
	unsigned int was = sef_watch_rate(&watch->set);
	unsigned int rate = sef_watch_rate(args);
	struct sef_service *svc = watch->service;
	int err = sef_check_signal(svc->process);

	lockdep_assert_held(&sef_registry_lock);

	if (err)
		return err;
	/* Not of one that has no number in the caller's pid namespace. */
	if (!sef_service_may_signal(svc))
		return -ESRCH;
	if (sef_is_own_init(svc) && sef_escalates(args))
		return -EPERM;

	spin_lock_irq(&svc->lock);
	if (svc->end == SEF_STATE_DEAD) {
		err = -ESRCH;	/* a zombie can be signalled */
	} else if (rate > was &&
		   !sef_charge(account, SEF_LIMIT_PINGS, rate - was)) {
		err = -ENOSPC;
	} else {
		if (rate < was)
			sef_uncharge(account, SEF_LIMIT_PINGS, was - rate);
		swap(watch->authority, spare->authority);
		sef_watch_change(watch, args);
	}
	spin_unlock_irq(&svc->lock);
	return err;
}

/*
 * Watch a service, or change the watch that there is. Under the supervisor's
 * file lock. @spare is a new watch for the former, and NULL once used. @process
 * names the service where the id does not.
 */
int sef_watch_apply(struct sef_supervisor *sup,
		    const struct sef_account *account,
		    struct sef_watch_args *args, struct pid *process,
		    struct sef_watch **spare)
{
	struct sef_service *svc;
	struct sef_watch *watch;
	int err = -ESRCH;

	mutex_lock(&sef_registry_lock);
	if (process) {
		svc = sef_service_of(process, args->id);
		if (!svc || !sef_service_may_signal(svc))
			goto out;
		args->id = svc->id;
	}
	watch = sef_watch_find(sup, args->id);
	if (watch) {
		err = sef_watch_reset(watch, *spare, account, args);
	} else {
		err = sef_watch_add(*spare, account, args);
		if (!err)
			*spare = NULL;
	}
out:
	mutex_unlock(&sef_registry_lock);
	return err;
}

/* Under the supervisor's file lock. */
void sef_watch_remove(struct sef_watch *watch,
		      const struct sef_account *account)
{
	struct sef_supervisor *sup = watch->supervisor;
	struct sef_service *svc = watch->service;

	spin_lock_irq(&svc->lock);
	list_del_init(&watch->by_service);
	svc->nr_watches--;
	sef_queue_del(watch);
	spin_unlock_irq(&svc->lock);

	/* Off the list, so nothing queues it again, nor asks a CPU. */
	spin_lock_irq(&sup->lock);
	list_del_init(&watch->queued);
	spin_unlock_irq(&sup->lock);

	rb_erase(&watch->by_id, &sup->watches);
	mutex_lock(&sef_registry_lock);
	sef_watch_uncharge(account, &watch->set);
	mutex_unlock(&sef_registry_lock);
	sef_service_put(svc);
	sef_watch_free(watch);
}

/* Newcomers */

/* Would kill(2) let him? */
static bool sef_supervisor_may_signal(const struct sef_supervisor *sup,
				      struct pid *process)
{
	const struct cred *mine = override_creds(sup->cred);
	bool may = !kill_pid(process, 0, 0);

	revert_creds(mine);
	return may;
}

static void sef_newcomer_tell(struct sef_supervisor *sup,
			      const struct sef_service *svc)
{
	spin_lock_irq(&sup->lock);
	if (!sup->newcomers.changes)
		sup->newcomers.id = svc->id;
	if (sup->newcomers.changes < U32_MAX)
		sup->newcomers.changes++;
	sup->newcomers.flags = SEF_EVENT_NEWCOMER;
	sup->newcomers_time = ktime_get();
	spin_unlock_irq(&sup->lock);
	wake_up_interruptible_poll(sup->wait, EPOLLIN | EPOLLRDNORM);
}

/*
 * Tell who wants to know, and may. Not by whoever registers: the rules of kill(2),
 * those of security modules included, have exceptions for one's own process.
 */
static void sef_newcomers_tell(struct work_struct *work)
{
	struct sef_supervisor *sup;
	struct sef_service *svc;

	do {
		mutex_lock(&sef_registry_lock);
		svc = sef_service_from(sef_told_id + 1);
		if (svc)
			sef_told_id = svc->id;
		list_for_each_entry(sup, &sef_newcomers_list, by_newcomers)
			if (svc && !READ_ONCE(svc->closed) &&
			    svc->id > sup->newcomers_after &&
			    pid_nr_ns(svc->process, sup->pid_ns) &&
			    sef_supervisor_may_signal(sup, svc->process))
				sef_newcomer_tell(sup, svc);
		mutex_unlock(&sef_registry_lock);
		cond_resched();
	} while (svc);
}

/* Was he to be told, and is still? Under the supervisor's file lock. */
bool sef_is_newcomer(const struct sef_supervisor *sup, u64 id)
{
	return sup->pid_ns && id > sup->newcomers_after;
}

/* Who is told costs what a watch costs. Under the supervisor's file lock. */
int sef_newcomers(struct sef_supervisor *sup, const struct sef_account *account,
		  bool on)
{
	const struct cred *was;
	struct pid_namespace *was_ns;

	mutex_lock(&sef_registry_lock);
	was = sup->cred;
	was_ns = sup->pid_ns;
	if (on && !was_ns && !sef_charge(account, SEF_LIMIT_WATCHES, 1)) {
		mutex_unlock(&sef_registry_lock);
		return -ENOSPC;
	}
	if (!on && was_ns)
		sef_uncharge(account, SEF_LIMIT_WATCHES, 1);
	list_del_init(&sup->by_newcomers);
	sup->cred = NULL;
	sup->pid_ns = NULL;
	if (on) {
		sup->cred = sef_get_cred(current_cred());
		sup->pid_ns = get_pid_ns(task_active_pid_ns(current));
		if (!was_ns)
			sup->newcomers_after = sef_last_id;
		list_add(&sup->by_newcomers, &sef_newcomers_list);
	}
	mutex_unlock(&sef_registry_lock);

	put_cred(was);
	if (was_ns)
		put_pid_ns(was_ns);
	if (!on) {
		spin_lock_irq(&sup->lock);
		memset(&sup->newcomers, 0, sizeof(sup->newcomers));
		spin_unlock_irq(&sup->lock);
	}
	return 0;
}

/* A process by its pidfd */

struct sef_pidfd_poll {
	poll_table		table;
	wait_queue_head_t	*head;
};

static void sef_pidfd_queue(struct file *file, wait_queue_head_t *head,
			    poll_table *table)
{
	container_of(table, struct sef_pidfd_poll, table)->head = head;
}

/*
 * The process that both stand for, or an error. No helper for modules turns a
 * pidfd into its struct pid, but to poll one means to wait on that very struct
 * pid, whose address the number must lead to as well.
 */
struct pid *sef_pid_of_pidfd(int pidfd, pid_t nr)
{
	struct sef_pidfd_poll poll = { .head = NULL };
	struct file *file = fget(pidfd);
	struct pid *pid;

	if (!file)
		return ERR_PTR(-EBADF);
	init_poll_funcptr(&poll.table, sef_pidfd_queue);
	vfs_poll(file, &poll.table);

	pid = find_get_pid(nr);
	if (!pid) {
		pid = ERR_PTR(-ESRCH);
	} else if (poll.head != &pid->wait_pidfd) {
		put_pid(pid);
		pid = ERR_PTR(-EINVAL);
	}
	/* The file kept what was compared with from being another by now. */
	fput(file);
	return pid;
}

/* Suspend */

/*
 * CLOCK_MONOTONIC stands still while the machine sleeps, but goes on while its tasks
 * and devices go to sleep and wake up, which may take seconds. From before they do
 * until after nobody is judged.
 */
static int sef_pm_notify(struct notifier_block *block, unsigned long event,
			 void *data)
{
	struct rb_node *node;

	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		sef_set_suspending(true);
		return NOTIFY_OK;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		break;
	default:
		return NOTIFY_DONE;
	}

	mutex_lock(&sef_registry_lock);
	for (node = rb_first(&sef_services); node; node = rb_next(node))
		sef_service_resume(rb_entry(node, struct sef_service, node));
	mutex_unlock(&sef_registry_lock);
	sef_set_suspending(false);
	return NOTIFY_OK;
}

static struct notifier_block sef_pm_block = {
	.notifier_call = sef_pm_notify,
};

/* Their objects are freed by RCU. */
static void sef_caches_exit(void)
{
	rcu_barrier();
	kmem_cache_destroy(sef_watch_cache);
	kmem_cache_destroy(sef_service_cache);
}

/* Of their own, since the sizes that kmalloc() has are up to twice as large. */
static int sef_caches_init(void)
{
	sef_service_cache = KMEM_CACHE(sef_service, SLAB_ACCOUNT);
	if (!sef_service_cache)
		return -ENOMEM;
	sef_watch_cache = KMEM_CACHE(sef_watch, SLAB_ACCOUNT);
	if (sef_watch_cache)
		return 0;
	kmem_cache_destroy(sef_service_cache);
	return -ENOMEM;
}

int sef_registry_init(void)
{
	int err;

	/*
	 * No id is used twice in a boot, also when the module is loaded again:
	 * start where the last load, having made less than one service in every
	 * microsecond, can't have come.
	 */
	sef_last_id = ktime_to_us(ktime_get_boottime());
	sef_told_id = sef_last_id;
	err = sef_caches_init();
	if (err)
		return err;
	err = -ENOMEM;
	sef_work = alloc_workqueue("sef", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!sef_work)
		goto out_caches;
	err = sef_queue_init();
	if (err)
		goto out_work;
	err = register_pm_notifier(&sef_pm_block);
	if (err)
		goto out_queue;
	return 0;

out_queue:
	sef_queue_exit();
out_work:
	destroy_workqueue(sef_work);
out_caches:
	sef_caches_exit();
	return err;
}

void sef_registry_exit(void)
{
	unregister_pm_notifier(&sef_pm_block);
	sef_queue_exit();
	sef_probe_exit();
	destroy_workqueue(sef_work);
	sef_caches_exit();
}
