// SPDX-License-Identifier: GPL-2.0
/*
 * Services and watches: ids, lookup, limits, permission, exit.
 *
 * Services stay in the registry as long as anything refers to them, so that
 * a supervisor finds what it watches by id even after the service's file is
 * closed; for everybody else a closed service does not exist.
 */
#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "sef_ping.h"

static unsigned int max_services = 16384;
module_param(max_services, uint, 0644);
MODULE_PARM_DESC(max_services, "Services that one user may have at a time");

static unsigned int max_watches = 16384;
module_param(max_watches, uint, 0644);
MODULE_PARM_DESC(max_watches, "Watches that one user may have at a time");

static DEFINE_MUTEX(sef_registry_lock);
static DEFINE_HASHTABLE(sef_users, 6);		/* by uid */
static struct rb_root sef_services = RB_ROOT;	/* by id */
static u64 sef_last_id;

/* Unbound: a busy CPU must not hold up the news of a death. */
static struct workqueue_struct *sef_exit_wq;

/* Users */

static struct sef_user *sef_user_find(kuid_t uid)
{
	struct sef_user *user;

	lockdep_assert_held(&sef_registry_lock);

	hash_for_each_possible(sef_users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

struct sef_user *sef_user_get(kuid_t uid)
{
	struct sef_user *user, *spare;

	spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!spare)
		return NULL;
	spare->uid = uid;

	mutex_lock(&sef_registry_lock);
	user = sef_user_find(uid);
	if (!user) {
		user = spare;
		spare = NULL;
		hash_add(sef_users, &user->node, __kuid_val(uid));
	}
	user->refs++;
	mutex_unlock(&sef_registry_lock);

	kfree(spare);
	return user;
}

void sef_user_put(struct sef_user *user)
{
	bool last;

	mutex_lock(&sef_registry_lock);
	last = !--user->refs;
	if (last)
		hash_del(&user->node);
	mutex_unlock(&sef_registry_lock);

	if (last)
		kfree(user);
}

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
static struct sef_service *sef_service_from(u64 id)
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

static struct sef_service *sef_service_find(u64 id)
{
	struct sef_service *svc = sef_service_from(id);

	return svc && svc->id == id ? svc : NULL;
}

/*
 * The kernel's own rule for kill(2): a number for it in one's pid namespace,
 * and the permission, security modules included.
 */
static bool sef_service_may_signal(struct sef_service *svc)
{
	return pid_nr_ns(svc->pid, task_active_pid_ns(current)) &&
	       !kill_pid(svc->pid, 0, 0);
}

/* Exit */

/*
 * Called with tasklist_lock and the wait queue's lock held and interrupts off,
 * for the end of any thread of the service. The process is dead when its
 * leader is and no thread is left. The status must be taken here: when the
 * work runs, the parent may have reaped it.
 */
static int sef_exit_hook(wait_queue_entry_t *hook, unsigned int mode, int sync,
			 void *key)
{
	struct sef_service *svc = container_of(hook, struct sef_service,
					       exit_hook);
	struct task_struct *leader;
	bool dead;

	rcu_read_lock();
	leader = pid_task(svc->pid, PIDTYPE_TGID);
	dead = !leader || (leader->exit_state && !delay_group_leader(leader));
	if (dead && leader && !svc->exited) {
		svc->exit_code = leader->signal->flags & SIGNAL_GROUP_EXIT ?
				 leader->signal->group_exit_code :
				 leader->exit_code;
		svc->exited = true;
	}
	rcu_read_unlock();

	if (dead)
		queue_work(sef_exit_wq, &svc->exit_work);
	return 0;
}

static void sef_exit_work(struct work_struct *work)
{
	struct sef_service *svc = container_of(work, struct sef_service,
					       exit_work);

	spin_lock_bh(&svc->lock);
	sef_service_end(svc, SEF_STATE_DEAD);
	spin_unlock_bh(&svc->lock);
}

/* Is the process on its way out, so that the exit hook is to be called yet? */
static bool sef_service_is_exiting(struct sef_service *svc)
{
	struct task_struct *leader;
	bool exiting;

	rcu_read_lock();
	leader = pid_task(svc->pid, PIDTYPE_TGID);
	exiting = !leader ||
		  READ_ONCE(leader->signal->flags) & SIGNAL_GROUP_EXIT ||
		  !atomic_read(&leader->signal->live);
	rcu_read_unlock();
	return exiting;
}

/* Services */

struct sef_service *sef_service_new(struct sef_user *user,
				    const struct sef_register_args *args)
{
	struct sef_service *svc;
	struct eventfd_ctx *eventfd = NULL;

	if (args->eventfd != -1) {
		eventfd = eventfd_ctx_fdget(args->eventfd);
		if (IS_ERR(eventfd))
			return ERR_CAST(eventfd);
	}
	svc = kzalloc(sizeof(*svc), GFP_KERNEL_ACCOUNT);
	if (!svc) {
		if (eventfd)
			eventfd_ctx_put(eventfd);
		return ERR_PTR(-ENOMEM);
	}

	svc->user = user;
	svc->eventfd = eventfd;
	svc->born = ktime_get();
	svc->pong_time = svc->born;
	strscpy_pad(svc->name, args->name, sizeof(svc->name));
	refcount_set(&svc->refs, 1);
	init_waitqueue_head(&svc->wait);
	init_waitqueue_func_entry(&svc->exit_hook, sef_exit_hook);
	INIT_WORK(&svc->exit_work, sef_exit_work);
	spin_lock_init(&svc->lock);
	INIT_LIST_HEAD(&svc->watches);
	sef_setcb_ping_reply(svc, SEF_CB_PING_REPLY_DEFAULT);
	sef_service_set_reply(svc, args->reply);
	svc->pid = get_task_pid(current, PIDTYPE_TGID);
	add_wait_queue(&svc->pid->wait_pidfd, &svc->exit_hook);
	return svc;
}

static void sef_service_free(struct sef_service *svc)
{
	/* The hook queues the work, so the hook goes first. */
	remove_wait_queue(&svc->pid->wait_pidfd, &svc->exit_hook);
	cancel_work_sync(&svc->exit_work);
	put_pid(svc->pid);
	if (svc->eventfd)
		eventfd_ctx_put(svc->eventfd);
	kfree(svc);
}

/* Give it an id, under which others find it. */
int sef_service_publish(struct sef_service *svc)
{
	struct sef_user *user = svc->user;
	int err = -ENOSPC;

	mutex_lock(&sef_registry_lock);
	if (user->services < READ_ONCE(max_services)) {
		user->services++;
		user->refs++;
		svc->id = ++sef_last_id;
		rb_add(&svc->node, &sef_services, sef_node_less);
		err = 0;
	}
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
		svc->user->services--;
	}
	mutex_unlock(&sef_registry_lock);

	if (svc->id)
		sef_user_put(svc->user);
	sef_service_free(svc);
}

/*
 * The service's file is released. A process that is about to die is dead, not
 * gone: that verdict is the exit hook's.
 */
void sef_service_close(struct sef_service *svc)
{
	bool exiting = sef_service_is_exiting(svc);

	spin_lock_bh(&svc->lock);
	svc->closed = true;
	if (!exiting)
		sef_service_end(svc, SEF_STATE_GONE);
	spin_unlock_bh(&svc->lock);
	sef_service_put(svc);
}

/* Watches */

static struct sef_watch *sef_watch_find(struct sef_service *svc,
					struct sef_supervisor *sup)
{
	struct sef_watch *watch;

	lockdep_assert_held(&svc->lock);

	list_for_each_entry(watch, &svc->watches, by_service)
		if (watch->supervisor == sup)
			return watch;
	return NULL;
}

static struct sef_watch *sef_watch_get_locked(struct sef_supervisor *sup,
					      u64 id)
{
	struct sef_service *svc = sef_service_find(id);
	struct sef_watch *watch = NULL;

	if (svc) {
		spin_lock_bh(&svc->lock);
		watch = sef_watch_find(svc, sup);
		spin_unlock_bh(&svc->lock);
	}
	return watch;
}

/* Under the supervisor's file lock, which keeps what is found. */
struct sef_watch *sef_watch_get(struct sef_supervisor *sup, u64 id)
{
	struct sef_watch *watch;

	mutex_lock(&sef_registry_lock);
	watch = sef_watch_get_locked(sup, id);
	mutex_unlock(&sef_registry_lock);
	return watch;
}

static int sef_watch_add(struct sef_watch *watch, struct sef_user *user, u64 id)
{
	struct sef_service *svc = sef_service_find(id);
	int err = -ESRCH;

	lockdep_assert_held(&sef_registry_lock);

	if (!svc || !sef_service_may_signal(svc))
		return -ESRCH;
	if (user->watches >= READ_ONCE(max_watches))
		return -ENOSPC;

	spin_lock_bh(&svc->lock);
	if (!svc->closed) {
		refcount_inc(&svc->refs);
		sef_watch_begin(watch, svc);
		err = 0;
	}
	spin_unlock_bh(&svc->lock);
	if (!err) {
		user->watches++;
		list_add(&watch->by_supervisor, &watch->supervisor->watches);
	}
	return err;
}

/*
 * Watch a service, or change the watch that there is. Under the supervisor's
 * file lock. @spare is a zeroed watch for the former, and NULL once used.
 */
int sef_watch(struct sef_supervisor *sup, struct sef_user *user,
	      const struct sef_watch_args *args, struct sef_watch **spare)
{
	struct sef_watch *watch;
	int err = 0;

	mutex_lock(&sef_registry_lock);
	watch = sef_watch_get_locked(sup, args->id);
	if (watch) {
		sef_watch_change(watch, args);
	} else {
		sef_watch_init(*spare, args);
		(*spare)->supervisor = sup;
		err = sef_watch_add(*spare, user, args->id);
		if (!err)
			*spare = NULL;
	}
	mutex_unlock(&sef_registry_lock);
	return err;
}

/* Under the supervisor's file lock. */
void sef_watch_remove(struct sef_watch *watch, struct sef_user *user)
{
	struct sef_supervisor *sup = watch->supervisor;
	struct sef_service *svc = watch->service;

	spin_lock_bh(&svc->lock);
	list_del_init(&watch->by_service);
	svc->nr_watches--;
	spin_unlock_bh(&svc->lock);

	/* Off the list, so nothing starts it again. */
	hrtimer_cancel(&watch->timer);

	spin_lock_bh(&sup->lock);
	list_del_init(&watch->queued);
	spin_unlock_bh(&sup->lock);

	list_del(&watch->by_supervisor);
	mutex_lock(&sef_registry_lock);
	user->watches--;
	mutex_unlock(&sef_registry_lock);
	sef_service_put(svc);
	kfree(watch);
}

/* Status */

static void sef_status_of_watch(const struct sef_watch *watch,
				struct sef_status_args *args)
{
	args->state = watch->state;
	args->misses = watch->misses;
	args->why = watch->why;
	args->tolerate = watch->tolerate;
	args->cookie = watch->cookie;
	args->period_ns = watch->period_ns;
	args->timeout_ns = watch->timeout_ns;
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
		.uid = from_kuid_munged(current_user_ns(), svc->user->uid),
		.reply = sef_service_reply(svc),
		.ping_seq = svc->ping_seq,
		.pong_seq = svc->pong_seq,
		.age_ns = ktime_to_ns(ktime_sub(now, svc->born)),
		.silent_ns = ktime_to_ns(ktime_sub(now, svc->pong_time)),
		.rtt_ns = svc->rtt_ns,
		.watches = svc->nr_watches,
	};
	if (svc->end == SEF_STATE_DEAD) {
		args->state = SEF_STATE_DEAD;
		args->wait_status = svc->exit_code;
	}
	memcpy(args->name, svc->name, sizeof(args->name));
}

/* False, and nothing told, where the caller may not see the service. */
static bool sef_status_tell(struct sef_service *svc, struct sef_supervisor *sup,
			    struct sef_status_args *args)
{
	bool may_signal = sef_service_may_signal(svc);
	struct sef_watch *watch;
	bool visible;

	spin_lock_bh(&svc->lock);
	watch = sef_watch_find(svc, sup);
	visible = watch || (may_signal && !svc->closed);
	if (visible)
		sef_status_of_service(svc, args);
	if (watch)
		sef_status_of_watch(watch, args);
	spin_unlock_bh(&svc->lock);
	return visible;
}

int sef_status(struct sef_supervisor *sup, struct sef_status_args *args)
{
	bool next = args->flags & SEF_STATUS_NEXT;
	struct sef_service *svc;
	struct rb_node *node;
	int err = -ESRCH;

	if (next && args->id == U64_MAX)
		return -ESRCH;

	mutex_lock(&sef_registry_lock);
	svc = next ? sef_service_from(args->id + 1) :
		     sef_service_find(args->id);
	while (svc) {
		if (sef_status_tell(svc, sup, args)) {
			err = 0;
			break;
		}
		node = next ? rb_next(&svc->node) : NULL;
		svc = rb_entry_safe(node, struct sef_service, node);
	}
	mutex_unlock(&sef_registry_lock);
	return err;
}

int sef_registry_init(void)
{
	/*
	 * No id is used twice in a boot, also when the module is loaded again:
	 * start where the last load, having made less than one service in every
	 * microsecond, can't have come.
	 */
	sef_last_id = ktime_to_us(ktime_get_boottime());
	sef_exit_wq = alloc_workqueue("sef_exit", WQ_UNBOUND | WQ_HIGHPRI, 0);
	return sef_exit_wq ? 0 : -ENOMEM;
}

void sef_registry_exit(void)
{
	destroy_workqueue(sef_exit_wq);
}
