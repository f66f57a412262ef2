// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/sef: roles, ioctl dispatch, read, poll, module init and exit.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "sef_ping.h"

/* The role, once it is taken, and all that goes with it. */
static enum sef_role sef_role(struct sef_file *file)
{
	/* Pairs with the stores in sef_register() and sef_set_watch(). */
	return smp_load_acquire(&file->role);
}

/* Only the process that registered is the service, whoever has its file. */
static struct sef_service *sef_own_service(struct sef_file *file)
{
	if (sef_role(file) != SEF_ROLE_SERVICE)
		return ERR_PTR(-EBADFD);
	if (file->service->pid != task_tgid(current))
		return ERR_PTR(-EPERM);
	return file->service;
}

static int sef_register(struct sef_file *file, void *data)
{
	struct sef_register_args *args = data;
	struct sef_service *svc;
	int err;

	if (args->flags || args->__reserved || args->reply > SEF_REPLY_NULL ||
	    !args->name[0] ||
	    strnlen(args->name, SEF_NAME_SIZE) == SEF_NAME_SIZE)
		return -EINVAL;

	svc = sef_service_new(file->user, args);
	if (IS_ERR(svc))
		return PTR_ERR(svc);

	mutex_lock(&file->lock);
	err = file->role == SEF_ROLE_NONE ? sef_service_publish(svc) : -EBUSY;
	if (!err) {
		file->service = svc;
		/* Pairs with sef_role(): the service comes with the role. */
		smp_store_release(&file->role, SEF_ROLE_SERVICE);
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

static int sef_pong(struct sef_file *file, void *data)
{
	struct sef_service *svc = sef_own_service(file);
	struct sef_pong_args *args = data;

	return IS_ERR(svc) ? PTR_ERR(svc) : sef_service_pong(svc, args->seq);
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

static int sef_set_watch(struct sef_file *file, void *data)
{
	struct sef_watch_args *args = data;
	struct sef_watch *spare;
	int err = -EBADFD;

	if (args->flags || !sef_time_ok(args->period_ns) ||
	    !sef_time_ok(args->timeout_ns))
		return -EINVAL;

	spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!spare)
		return -ENOMEM;

	mutex_lock(&file->lock);
	if (file->role != SEF_ROLE_SERVICE)
		err = sef_watch(&file->supervisor, file->user, args, &spare);
	if (!err)
		/* Pairs with sef_role(). */
		smp_store_release(&file->role, SEF_ROLE_SUPERVISOR);
	mutex_unlock(&file->lock);

	kfree(spare);
	if (!err)
		pr_debug("service %llu watched, period %llu ns, timeout %llu ns\n",
			 args->id, args->period_ns, args->timeout_ns);
	return err;
}

static int sef_unwatch(struct sef_file *file, void *data)
{
	struct sef_unwatch_args *args = data;
	struct sef_watch *watch;

	if (sef_role(file) != SEF_ROLE_SUPERVISOR)
		return -EBADFD;

	mutex_lock(&file->lock);
	watch = sef_watch_get(&file->supervisor, args->id);
	if (watch)
		sef_watch_remove(watch, file->user);
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
	watch = sef_watch_get(&file->supervisor, args->id);
	if (watch)
		err = sef_watch_ask(watch, &args->seq);
	mutex_unlock(&file->lock);
	return err;
}

static int sef_get_status(struct sef_file *file, void *data)
{
	struct sef_status_args *args = data;

	if (args->flags & ~SEF_STATUS_NEXT)
		return -EINVAL;
	return sef_status(&file->supervisor, args);
}

union sef_args {
	struct sef_register_args	reg;
	struct sef_pong_args		pong;
	struct sef_set_reply_args	set_reply;
	struct sef_watch_args		watch;
	struct sef_unwatch_args		unwatch;
	struct sef_ping_args		ping;
	struct sef_status_args		status;
};

static const struct sef_call {
	unsigned int	request;
	int		(*fn)(struct sef_file *file, void *data);
} sef_calls[] = {
	[_IOC_NR(SEF_IOC_REGISTER)] = { SEF_IOC_REGISTER, sef_register },
	[_IOC_NR(SEF_IOC_PONG)] = { SEF_IOC_PONG, sef_pong },
	[_IOC_NR(SEF_IOC_SET_REPLY)] = { SEF_IOC_SET_REPLY, sef_set_reply },
	[_IOC_NR(SEF_IOC_WATCH)] = { SEF_IOC_WATCH, sef_set_watch },
	[_IOC_NR(SEF_IOC_UNWATCH)] = { SEF_IOC_UNWATCH, sef_unwatch },
	[_IOC_NR(SEF_IOC_PING)] = { SEF_IOC_PING, sef_ping },
	[_IOC_NR(SEF_IOC_STATUS)] = { SEF_IOC_STATUS, sef_get_status },
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

static long sef_dev_ioctl(struct file *filp, unsigned int cmd,
			  unsigned long arg)
{
	const struct sef_call *call = sef_find_call(cmd);
	void __user *uarg = (void __user *)arg;
	size_t ksize, usize = _IOC_SIZE(cmd);
	union sef_args args;
	long ret;

	if (!call)
		return -ENOTTY;
	/* No struct has grown yet: the size first published is the size. */
	ksize = _IOC_SIZE(call->request);
	if (usize < ksize)
		return -ENOTTY;
	ret = copy_struct_from_user(&args, ksize, uarg, usize);
	if (ret)
		return ret;

	/* Learn before anything is done that the answer can be delivered. */
	if ((cmd & IOC_OUT) && copy_to_user(uarg, &args, ksize))
		return -EFAULT;
	ret = call->fn(filp->private_data, &args);
	if (!ret && (cmd & IOC_OUT) && copy_to_user(uarg, &args, ksize))
		ret = -EFAULT;
	return ret;
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

	while (!sef_service_take_request(svc, &req)) {
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(svc->wait,
					       sef_service_has_request(svc));
		if (err)
			return err;
	}
	if (!copy_to_user(buf, &req, sizeof(req)))
		return sizeof(req);
	sef_service_untake_request(svc, req.seq);
	return -EFAULT;
}

/* Move the oldest event out of its slot; false if there is none. */
static bool sef_event_take(struct sef_supervisor *sup, struct sef_event *event,
			   ktime_t *time)
{
	struct sef_watch *watch;

	spin_lock_bh(&sup->lock);
	watch = list_first_entry_or_null(&sup->queue, struct sef_watch, queued);
	if (watch) {
		list_del_init(&watch->queued);
		*event = watch->event;
		*time = watch->event_time;
		memset(&watch->event, 0, sizeof(watch->event));
		event->pid = pid_nr_ns(watch->service->pid,
				       task_active_pid_ns(current));
	}
	spin_unlock_bh(&sup->lock);
	if (watch)
		event->age_ns = ktime_to_ns(ktime_sub(ktime_get(), *time));
	return watch;
}

/* It could not be delivered: back into its slot, beside what came since. */
static void sef_event_untake(struct sef_file *file,
			     const struct sef_event *event, ktime_t time)
{
	struct sef_supervisor *sup = &file->supervisor;
	struct sef_watch *watch;

	mutex_lock(&file->lock);
	watch = sef_watch_get(sup, event->id);
	if (watch) {
		spin_lock_bh(&sup->lock);
		if (list_empty(&watch->queued)) {
			watch->event = *event;
			watch->event_time = time;
			list_add(&watch->queued, &sup->queue);
		} else {
			watch->event.changes = min_t(u64, U32_MAX,
						     (u64)event->changes +
						     watch->event.changes);
			watch->event.passed |= event->passed;
			if (!(watch->event.flags & SEF_EVENT_PONG))
				watch->event.rtt_ns = event->rtt_ns;
			watch->event.flags |= event->flags;
		}
		spin_unlock_bh(&sup->lock);
	}
	mutex_unlock(&file->lock);
}

static bool sef_has_event(struct sef_supervisor *sup)
{
	bool has;

	spin_lock_bh(&sup->lock);
	has = !list_empty(&sup->queue);
	spin_unlock_bh(&sup->lock);
	return has;
}

static ssize_t sef_read_events(struct sef_file *file, char __user *buf,
			       size_t count, bool nonblock)
{
	struct sef_supervisor *sup = &file->supervisor;
	struct sef_event event;
	size_t done = 0;
	ktime_t time;
	int err;

	if (count < sizeof(event))
		return -EINVAL;

	while (count - done >= sizeof(event)) {
		if (!sef_event_take(sup, &event, &time)) {
			if (done)
				break;
			if (nonblock)
				return -EAGAIN;
			err = wait_event_interruptible(sup->wait,
						       sef_has_event(sup));
			if (err)
				return err;
			continue;
		}
		if (copy_to_user(buf + done, &event, sizeof(event))) {
			sef_event_untake(file, &event, time);
			return done ?: -EFAULT;
		}
		done += sizeof(event);
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
	bool readable;

	switch (sef_role(file)) {
	case SEF_ROLE_SERVICE:
		poll_wait(filp, &file->service->wait, wait);
		readable = sef_service_has_request(file->service);
		break;
	case SEF_ROLE_SUPERVISOR:
		poll_wait(filp, &file->supervisor.wait, wait);
		readable = sef_has_event(&file->supervisor);
		break;
	default:
		return EPOLLERR;
	}
	return readable ? EPOLLIN | EPOLLRDNORM : 0;
}

static int sef_dev_open(struct inode *inode, struct file *filp)
{
	struct sef_file *file;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	file->user = sef_user_get(current_uid());
	if (!file->user) {
		kfree(file);
		return -ENOMEM;
	}
	mutex_init(&file->lock);
	INIT_LIST_HEAD(&file->supervisor.watches);
	init_waitqueue_head(&file->supervisor.wait);
	spin_lock_init(&file->supervisor.lock);
	INIT_LIST_HEAD(&file->supervisor.queue);
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int sef_dev_release(struct inode *inode, struct file *filp)
{
	struct sef_file *file = filp->private_data;
	struct sef_watch *watch, *next;

	if (file->role == SEF_ROLE_SERVICE)
		sef_service_close(file->service);

	mutex_lock(&file->lock);
	list_for_each_entry_safe(watch, next, &file->supervisor.watches,
				 by_supervisor)
		sef_watch_remove(watch, file->user);
	mutex_unlock(&file->lock);

	sef_user_put(file->user);
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
