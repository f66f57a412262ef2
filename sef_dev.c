// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/sef: roles, ioctl dispatch, read, poll, mmap, module init and exit.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pid_namespace.h>
#include <linux/capability.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "sef_ping.h"

/* The layout is the contract, the same for every caller. */
static_assert(sizeof(struct sef_register_args) == 64);
static_assert(sizeof(struct sef_watch_args) == 104);
static_assert(sizeof(struct sef_status_args) == 232);
static_assert(sizeof(struct sef_event) == 96);
static_assert(sizeof(struct sef_why_args) == 1120);
static_assert(sizeof(struct sef_latency_args) == 192);
static_assert(sizeof(struct sef_request) == 24);

/* The role, once it is taken, and all that goes with it. */
static enum sef_role sef_role(struct sef_file *file)
{
	/* Pairs with sef_take_role(). */
	return smp_load_acquire(&file->role);
}

/* The service, or the supervisor, is there. */
static void sef_take_role(struct sef_file *file, enum sef_role role)
{
	/* Pairs with sef_role(). */
	smp_store_release(&file->role, role);
}

/* Only who registered it answers for a service, whoever has its file. */
static struct sef_service *sef_own_service(struct sef_file *file)
{
	struct sef_service *svc;

	if (sef_role(file) != SEF_ROLE_SERVICE)
		return ERR_PTR(-EBADFD);
	svc = file->service;
	if (svc->owner != (svc->type == PIDTYPE_TGID ? task_tgid(current) :
						       task_pid(current)))
		return ERR_PTR(-EPERM);
	return svc;
}

static int sef_register(struct sef_file *file, void *data)
{
	struct sef_register_args *args = data;
	struct sef_service *svc;
	int err;

	switch (args->flags) {
	case 0:
	case SEF_REGISTER_THREAD:
		if (args->pidfd || args->pid)
			return -EINVAL;
		break;
	case SEF_REGISTER_PIDFD:
		break;
	default:
		return -EINVAL;
	}
	if (args->__reserved || args->reply > SEF_REPLY_NULL || !args->name[0] ||
	    strnlen(args->name, SEF_NAME_SIZE) == SEF_NAME_SIZE)
		return -EINVAL;

	svc = sef_service_new(file, args);
	if (IS_ERR(svc))
		return PTR_ERR(svc);

	mutex_lock(&file->lock);
	err = file->role == SEF_ROLE_NONE ? sef_service_publish(svc) : -EBUSY;
	if (!err) {
		file->service = svc;
		sef_take_role(file, SEF_ROLE_SERVICE);
	}
	mutex_unlock(&file->lock);

	if (err) {
		sef_service_put(svc);
		return err;
	}
	args->id = svc->id;
	pr_debug("service %llu registered\n", svc->id);
	return 0;
}

static long sef_pong_seq(struct sef_file *file, u64 seq)
{
	struct sef_service *svc = sef_own_service(file);

	return IS_ERR(svc) ? PTR_ERR(svc) : sef_service_pong(svc, seq);
}

static int sef_pong(struct sef_file *file, void *data)
{
	struct sef_pong_args *args = data;

	return sef_pong_seq(file, args->seq);
}

static int sef_set_reply(struct sef_file *file, void *data)
{
	struct sef_service *svc = sef_own_service(file);
	struct sef_set_reply_args *args = data;

	if (IS_ERR(svc))
		return PTR_ERR(svc);
	if (args->flags || args->reply > SEF_REPLY_NULL)
		return -EINVAL;
	sef_service_set_reply(svc, args->reply);
	return 0;
}

static bool sef_time_ok(u64 ns)
{
	return ns >= SEF_TIME_MIN_NS && ns <= SEF_TIME_MAX_NS;
}

static int sef_extend(struct sef_file *file, void *data)
{
	struct sef_service *svc = sef_own_service(file);
	struct sef_extend_args *args = data;

	if (IS_ERR(svc))
		return PTR_ERR(svc);
	if (!sef_time_ok(args->extend_ns))
		return -EINVAL;
	return sef_service_extend(svc, &args->extend_ns);
}

static bool sef_time_ok_or_none(u64 ns)
{
	return !ns || sef_time_ok(ns);
}

static int sef_check_watch(const struct sef_watch_args *args)
{
	bool pidfd = args->flags & SEF_WATCH_PIDFD;

	if (args->flags & ~(SEF_WATCH_STRICT | SEF_WATCH_PIDFD) ||
	    args->excuse & ~SEF_EXCUSE_ALL || args->last > SEF_LAST_RESTART ||
	    args->__reserved || !valid_signal(args->signal))
		return -EINVAL;
	if (!sef_time_ok(args->period_ns) || !sef_time_ok(args->timeout_ns) ||
	    args->slack_ns > args->period_ns ||
	    !sef_time_ok_or_none(args->grace_ns) ||
	    !sef_time_ok_or_none(args->extend_ns) ||
	    !sef_time_ok_or_none(args->kill_ns) ||
	    !sef_time_ok_or_none(args->last_ns) ||
	    !args->last != !args->last_ns)
		return -EINVAL;
	if (!pidfd && (args->pidfd || args->pid))
		return -EINVAL;
	if (args->last && !capable(CAP_SYS_BOOT))
		return -EPERM;
	return 0;
}

/* Of a file that is no service's: it may take the role, or has it. */
static struct sef_supervisor *sef_file_supervisor(struct sef_file *file)
{
	struct sef_supervisor *sup = file->supervisor;

	lockdep_assert_held(&file->lock);

	if (file->role == SEF_ROLE_SERVICE)
		return ERR_PTR(-EBADFD);
	if (sup)
		return sup;
	sup = kzalloc(sizeof(*sup), GFP_KERNEL_ACCOUNT);
	if (!sup)
		return ERR_PTR(-ENOMEM);
	sup->watches = RB_ROOT;
	sup->wait = &file->wait;
	INIT_LIST_HEAD(&sup->by_newcomers);
	spin_lock_init(&sup->lock);
	INIT_LIST_HEAD(&sup->queue);
	file->supervisor = sup;
	return sup;
}

/* The file's part of it, once nothing is left to be found wrong before. */
static int sef_file_watch(struct sef_file *file, struct sef_watch_args *args,
			  struct pid *process)
{
	struct sef_watch *spare = NULL;
	struct sef_supervisor *sup;
	int err;

	mutex_lock(&file->lock);
	sup = sef_file_supervisor(file);
	err = PTR_ERR_OR_ZERO(sup);
	if (!err) {
		spare = sef_watch_alloc(sup);
		err = spare ? sef_watch_apply(sup, &file->account, args, process,
					      &spare) : -ENOMEM;
	}
	if (!err)
		sef_take_role(file, SEF_ROLE_SUPERVISOR);
	mutex_unlock(&file->lock);

	sef_watch_free(spare);
	return err;
}

static int sef_set_watch(struct sef_file *file, void *data)
{
	struct sef_watch_args *args = data;
	struct pid *process = NULL;
	int err = sef_check_watch(args);

	if (err)
		return err;
	if (args->flags & SEF_WATCH_PIDFD) {
		process = sef_pid_of_pidfd(args->pidfd, args->pid);
		if (IS_ERR(process))
			return PTR_ERR(process);
	}
	err = sef_file_watch(file, args, process);
	put_pid(process);
	if (!err)
		pr_debug("service %llu watched, period %llu ns, timeout %llu ns\n",
			 args->id, args->period_ns, args->timeout_ns);
	return err;
}

static int sef_set_newcomers(struct sef_file *file, void *data)
{
	struct sef_newcomers_args *args = data;
	struct sef_supervisor *sup;
	int err;

	if (args->flags || args->on > 1)
		return -EINVAL;

	mutex_lock(&file->lock);
	sup = sef_file_supervisor(file);
	err = PTR_ERR_OR_ZERO(sup);
	if (!err)
		err = sef_newcomers(sup, &file->account, args->on);
	if (!err)
		sef_take_role(file, SEF_ROLE_SUPERVISOR);
	mutex_unlock(&file->lock);
	return err;
}

static int sef_unwatch(struct sef_file *file, void *data)
{
	struct sef_unwatch_args *args = data;
	struct sef_watch *watch;

	if (sef_role(file) != SEF_ROLE_SUPERVISOR)
		return -EBADFD;

	mutex_lock(&file->lock);
	watch = sef_watch_find(file->supervisor, args->id);
	if (watch)
		sef_watch_remove(watch, &file->account);
	mutex_unlock(&file->lock);
	return watch ? 0 : -ENOENT;
}

static int sef_ping(struct sef_file *file, void *data)
{
	struct sef_ping_args *args = data;
	struct sef_watch *watch;
	int err = -ENOENT;

	if (sef_role(file) != SEF_ROLE_SUPERVISOR)
		return -EBADFD;

	mutex_lock(&file->lock);
	watch = sef_watch_find(file->supervisor, args->id);
	if (watch)
		err = sef_watch_ask(watch, &args->seq);
	mutex_unlock(&file->lock);
	return err;
}

static int sef_get_status(struct sef_file *file, void *data)
{
	struct sef_status_args *args = data;
	int err;

	if (args->flags & ~(SEF_STATUS_NEXT | SEF_STATUS_WORST))
		return -EINVAL;

	mutex_lock(&file->lock);
	err = sef_status(file->supervisor, args);
	mutex_unlock(&file->lock);
	return err;
}

static int sef_get_why(struct sef_file *file, void *data)
{
	struct sef_why_args *args = data;
	struct sef_watch *watch;
	int err = -ENOENT;

	if (args->flags)
		return -EINVAL;
	if (sef_role(file) != SEF_ROLE_SUPERVISOR)
		return -EBADFD;

	mutex_lock(&file->lock);
	watch = sef_watch_find(file->supervisor, args->id);
	if (watch)
		err = sef_why_of_watch(watch, args);
	mutex_unlock(&file->lock);
	return err;
}

static int sef_get_latency(struct sef_file *file, void *data)
{
	struct sef_latency_args *args = data;
	int err;

	if (args->flags & ~SEF_LATENCY_RESET || args->__reserved)
		return -EINVAL;

	mutex_lock(&file->lock);
	err = sef_latency(file->supervisor, args);
	mutex_unlock(&file->lock);
	return err;
}

static const struct sef_call {
	unsigned int	request;
	int		(*fn)(struct sef_file *file, void *data);
} sef_calls[] = {
	[_IOC_NR(SEF_IOC_REGISTER)] = { SEF_IOC_REGISTER, sef_register },
	[_IOC_NR(SEF_IOC_PONG)] = { SEF_IOC_PONG, sef_pong },
	[_IOC_NR(SEF_IOC_SET_REPLY)] = { SEF_IOC_SET_REPLY, sef_set_reply },
	[_IOC_NR(SEF_IOC_EXTEND)] = { SEF_IOC_EXTEND, sef_extend },
	[_IOC_NR(SEF_IOC_WATCH)] = { SEF_IOC_WATCH, sef_set_watch },
	[_IOC_NR(SEF_IOC_UNWATCH)] = { SEF_IOC_UNWATCH, sef_unwatch },
	[_IOC_NR(SEF_IOC_PING)] = { SEF_IOC_PING, sef_ping },
	[_IOC_NR(SEF_IOC_STATUS)] = { SEF_IOC_STATUS, sef_get_status },
	[_IOC_NR(SEF_IOC_NEWCOMERS)] = { SEF_IOC_NEWCOMERS, sef_set_newcomers },
	[_IOC_NR(SEF_IOC_WHY)] = { SEF_IOC_WHY, sef_get_why },
	[_IOC_NR(SEF_IOC_LATENCY)] = { SEF_IOC_LATENCY, sef_get_latency },
};

/* The call, whatever size the caller's struct is: NULL if there is none. */
static const struct sef_call *sef_find_call(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);
	const struct sef_call *call;

	if (nr >= ARRAY_SIZE(sef_calls))
		return NULL;
	call = &sef_calls[array_index_nospec(nr, ARRAY_SIZE(sef_calls))];
	if (!call->fn || (call->request ^ cmd) & ~IOCSIZE_MASK)
		return NULL;
	return call;
}

static long sef_do_call(struct sef_file *file, const struct sef_call *call,
			void __user *uarg, size_t usize, void *args)
{
	size_t ksize = _IOC_SIZE(call->request);
	bool out = call->request & IOC_OUT;
	long ret = copy_struct_from_user(args, ksize, uarg, usize);

	if (ret)
		return ret;
	/* Learn before anything is done that the answer can be delivered. */
	if (out && copy_to_user(uarg, args, ksize))
		return -EFAULT;
	ret = call->fn(file, args);
	if (!ret && out && copy_to_user(uarg, args, ksize))
		ret = -EFAULT;
	return ret;
}

/* noinline: SEF_IOC_PONG has no part in it, nor in what it saves on the stack. */
static noinline long sef_any_call(struct sef_file *file, unsigned int cmd,
				  void __user *uarg)
{
	const struct sef_call *call = sef_find_call(cmd);
	void *args;
	long ret;

	/* No struct has grown yet: the size first published is the size. */
	if (!call || _IOC_SIZE(cmd) < _IOC_SIZE(call->request))
		return -ENOTTY;
	args = kmalloc(_IOC_SIZE(call->request), GFP_KERNEL);
	if (!args)
		return -ENOMEM;
	ret = sef_do_call(file, call, uarg, _IOC_SIZE(cmd), args);
	kfree(args);
	return ret;
}

static long sef_dev_ioctl(struct file *filp, unsigned int cmd,
			  unsigned long arg)
{
	struct sef_file *file = filp->private_data;
	u64 seq;

	if (cmd != SEF_IOC_PONG)
		return sef_any_call(file, cmd, (void __user *)arg);
	/* The call that every service makes all the time. */
	if (get_user(seq, &((struct sef_pong_args __user *)arg)->seq))
		return -EFAULT;
	return sef_pong_seq(file, seq);
}

static ssize_t sef_read_request(struct sef_file *file, char __user *buf,
				size_t count, bool nonblock)
{
	struct sef_service *svc = sef_own_service(file);
	struct sef_request req;
	int err;

	if (IS_ERR(svc))
		return PTR_ERR(svc);
	if (count < sizeof(req))
		return -EINVAL;

	while ((err = sef_service_take_request(svc, &req))) {
		if (nonblock || err != -EAGAIN)
			return err;
		err = wait_event_interruptible(file->wait,
					       sef_service_poll(svc));
		if (err)
			return err;
	}
	if (!copy_to_user(buf, &req, sizeof(req)))
		return sizeof(req);
	sef_service_untake_request(svc, req.seq);
	return -EFAULT;
}

/* An event on its way to a reader. */
struct sef_news {
	struct sef_event	event;
	ktime_t			time;
	u64			watch_nr;	/* or 0 */
};

/* Move the oldest event out of its slot; false if there is none. */
static bool sef_event_take(struct sef_supervisor *sup, struct sef_news *news)
{
	struct sef_event *event = &news->event;
	struct sef_evidence evidence = {};
	struct sef_watch *watch;

	spin_lock_irq(&sup->lock);
	watch = list_first_entry_or_null(&sup->queue, struct sef_watch, queued);
	/* By turns, or much news of one kind would hide the other. */
	if (watch && (!sup->newcomers.changes || sup->newcomers_read)) {
		sup->newcomers_read = false;
		list_del_init(&watch->queued);
		*event = watch->event;
		news->time = watch->event_time;
		news->watch_nr = watch->nr;
		memset(&watch->event, 0, sizeof(watch->event));
		event->pid = pid_nr_ns(watch->service->pid,
				       task_active_pid_ns(current));
		if (event->why) {
			evidence = sef_evidence_get(watch);
			event->tid = sef_evidence_tid(&evidence,
						      watch->service);
		}
	} else {
		sup->newcomers_read = true;
		*event = sup->newcomers;
		news->time = sup->newcomers_time;
		news->watch_nr = 0;
		memset(&sup->newcomers, 0, sizeof(sup->newcomers));
	}
	spin_unlock_irq(&sup->lock);

	if (!event->changes)
		return false;
	event->syscall = event->why ? sef_evidence_syscall(&evidence) : -1;
	sef_evidence_put(&evidence);
	event->age_ns = ktime_to_ns(ktime_sub(ktime_get(), news->time));
	return true;
}

/* Add what came first to a slot that was filled again since. */
static void sef_event_merge(struct sef_event *slot,
			    const struct sef_event *first)
{
	slot->changes = min_t(u64, U32_MAX, (u64)slot->changes + first->changes);
	slot->passed |= first->passed;
	if (!(slot->flags & SEF_EVENT_PONG)) {
		slot->asked_seq = first->asked_seq;
		slot->rtt_ns = first->rtt_ns;
	}
	if (!slot->seq)
		slot->seq = first->seq;
	if (!slot->why)
		slot->why = first->why;
	slot->flags |= first->flags;
}

static void sef_watch_untake(struct sef_watch *watch,
			     const struct sef_news *news)
{
	struct sef_supervisor *sup = watch->supervisor;

	lockdep_assert_held(&sup->lock);

	if (list_empty(&watch->queued)) {
		watch->event = news->event;
		watch->event.cookie = watch->set.cookie;
		watch->event_time = news->time;
		list_add(&watch->queued, &sup->queue);
	} else {
		sef_event_merge(&watch->event, &news->event);
	}
}

static void sef_newcomers_untake(struct sef_supervisor *sup,
				 const struct sef_news *news)
{
	lockdep_assert_held(&sup->lock);

	if (!sup->newcomers.changes)
		sup->newcomers_time = news->time;
	sef_event_merge(&sup->newcomers, &news->event);
	sup->newcomers.id = news->event.id;
}

/*
 * It could not be delivered: back into its slot, beside what came since. If its
 * watch was ended meanwhile, it is as if that had been before the read.
 */
static void sef_event_untake(struct sef_file *file, const struct sef_news *news)
{
	struct sef_supervisor *sup = file->supervisor;
	struct sef_watch *watch;

	mutex_lock(&file->lock);
	watch = news->watch_nr ? sef_watch_find(sup, news->event.id) : NULL;
	spin_lock_irq(&sup->lock);
	if (watch && watch->nr == news->watch_nr)
		sef_watch_untake(watch, news);
	else if (!news->watch_nr && sef_is_newcomer(sup, news->event.id))
		sef_newcomers_untake(sup, news);
	spin_unlock_irq(&sup->lock);
	/* Who found nothing meanwhile is asleep. */
	wake_up_interruptible_poll(&file->wait, EPOLLIN | EPOLLRDNORM);
	mutex_unlock(&file->lock);
}

static bool sef_has_event(struct sef_supervisor *sup)
{
	bool has;

	spin_lock_irq(&sup->lock);
	has = !list_empty(&sup->queue) || sup->newcomers.changes;
	spin_unlock_irq(&sup->lock);
	return has;
}

static ssize_t sef_read_events(struct sef_file *file, char __user *buf,
			       size_t count, bool nonblock)
{
	struct sef_supervisor *sup = file->supervisor;
	size_t done = 0, size = sizeof(struct sef_event);
	struct sef_news news;
	int err;

	if (count < size)
		return -EINVAL;

	while (count - done >= size) {
		if (!sef_event_take(sup, &news)) {
			if (done)
				break;
			if (nonblock)
				return -EAGAIN;
			err = wait_event_interruptible(file->wait,
						       sef_has_event(sup));
			if (err)
				return err;
			continue;
		}
		if (copy_to_user(buf + done, &news.event, size)) {
			sef_event_untake(file, &news);
			return done ?: -EFAULT;
		}
		done += size;
		if (signal_pending(current))
			break;
	}
	return done;
}

static ssize_t sef_dev_read(struct file *filp, char __user *buf, size_t count,
			    loff_t *pos)
{
	struct sef_file *file = filp->private_data;
	bool nonblock = filp->f_flags & O_NONBLOCK;

	switch (sef_role(file)) {
	case SEF_ROLE_SERVICE:
		return sef_read_request(file, buf, count, nonblock);
	case SEF_ROLE_SUPERVISOR:
		return sef_read_events(file, buf, count, nonblock);
	default:
		return -EBADFD;
	}
}

static __poll_t sef_dev_poll(struct file *filp, poll_table *wait)
{
	struct sef_file *file = filp->private_data;

	poll_wait(filp, &file->wait, wait);
	switch (sef_role(file)) {
	case SEF_ROLE_SERVICE:
		return sef_service_poll(file->service);
	case SEF_ROLE_SUPERVISOR:
		return sef_has_event(file->supervisor) ?
		       EPOLLIN | EPOLLRDNORM : 0;
	default:
		return EPOLLERR;
	}
}

static int sef_dev_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct sef_service *svc = sef_own_service(filp->private_data);

	return IS_ERR(svc) ? PTR_ERR(svc) : sef_page_map(svc, vma);
}

static int sef_dev_open(struct inode *inode, struct file *filp)
{
	struct sef_file *file;
	int err;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	err = sef_account_open(&file->account);
	if (err) {
		kfree(file);
		return err;
	}
	mutex_init(&file->lock);
	init_waitqueue_head(&file->wait);
	filp->private_data = file;
	return stream_open(inode, filp);
}

static void sef_supervisor_end(struct sef_file *file)
{
	struct sef_supervisor *sup = file->supervisor;
	struct rb_node *node;

	if (!sup)
		return;
	mutex_lock(&file->lock);
	while ((node = rb_first(&sup->watches)))
		sef_watch_remove(rb_entry(node, struct sef_watch, by_id),
				 &file->account);
	sef_newcomers(sup, &file->account, false);
	mutex_unlock(&file->lock);
	kfree(sup);
}

static int sef_dev_release(struct inode *inode, struct file *filp)
{
	struct sef_file *file = filp->private_data;

	if (file->role == SEF_ROLE_SERVICE)
		sef_service_close(file->service);
	sef_supervisor_end(file);
	sef_account_close(&file->account);
	mutex_destroy(&file->lock);
	kfree(file);
	return 0;
}

static const struct file_operations sef_fops = {
	.owner		= THIS_MODULE,
	.open		= sef_dev_open,
	.release	= sef_dev_release,
	.read		= sef_dev_read,
	.poll		= sef_dev_poll,
	.mmap		= sef_dev_mmap,
	.unlocked_ioctl	= sef_dev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice sef_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "sef",
	.fops	= &sef_fops,
	.mode	= 0660,
};

static int __init sef_init(void)
{
	int err;

	err = sef_registry_init();
	if (err)
		return err;
	err = misc_register(&sef_device);
	if (err)
		sef_registry_exit();
	return err;
}

static void __exit sef_exit(void)
{
	misc_deregister(&sef_device);
	sef_registry_exit();
}

module_init(sef_init);
module_exit(sef_exit);

MODULE_DESCRIPTION("Service liveness pings with deadlines kept by the kernel");
MODULE_AUTHOR("The sef authors");
MODULE_LICENSE("GPL");
