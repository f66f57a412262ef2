/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sef: the module's own types.
 *
 * Lifetimes
 *
 * A struct sef_file lives from open() to release(). It takes its role once, under
 * its lock, and keeps it: @role is published with a store-release after what it
 * stands for, and read without the lock.
 *
 * A struct sef_service is held by the file that registered it and by each
 * watch of it, so that a supervisor can still ask about one whose file is
 * closed. All these references are dropped in process context, and the last one
 * takes it out of the registry, tears down its exit hook, and frees it.
 * Nothing else holds one: the exit hook needs no reference because the
 * teardown waits for it.
 *
 * A struct sef_watch belongs to its supervisor and dies in UNWATCH or release(),
 * both under the supervisor's file lock: whoever holds that may use a watch he
 * found. Removing one takes it off the service's list, after which nothing
 * starts its timer; cancels the timer; takes it off the event queue.
 *
 * A struct sef_supervisor is part of its file. Only its watches point at it, and
 * release() removes them before the file is freed.
 *
 * A struct sef_user, the counts of one user, is held by that user's files and
 * services.
 *
 * All of it is gone when the last file is closed, and files hold the module:
 * nothing is left for module exit to wait for.
 *
 * Locks, outermost first
 *
 * sef_file.lock	mutex: the file's role; the set of a supervisor's
 *			watches. Never taken by PONG.
 * sef_registry_lock	mutex: the services by id, the users and their counts.
 * sef_service.lock	spinlock, _bh because deadlines expire in softirq: the
 *			service's pings and pongs, its watches and all that
 *			they decide.
 * sef_supervisor.lock	spinlock, _bh: the queue of events and the records in
 *			it.
 *
 * No user copy, allocation or fput happens under any of them. eventfds are
 * signalled and pollers woken under sef_service.lock: what they wake does not
 * come back here.
 *
 * The exit hook runs under tasklist_lock and the pid's wait queue lock with
 * interrupts off, and takes none of the above.
 */
#ifndef _SEF_PING_H
#define _SEF_PING_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/sef.h>

struct eventfd_ctx;
struct sef_service;
struct sef_supervisor;
struct sef_watch;

/* The counts of one user; under sef_registry_lock, except @uid. */
struct sef_user {
	struct hlist_node	node;
	kuid_t			uid;
	unsigned int		refs;
	unsigned int		services;
	unsigned int		watches;
};

/* Who is told of verdicts: a file, once it watches. */
struct sef_supervisor {
	struct list_head	watches;	/* sef_file.lock */
	wait_queue_head_t	wait;
	spinlock_t		lock;		/* the queue, and its events */
	struct list_head	queue;		/* watches with an event to read */
};

enum sef_role {
	SEF_ROLE_NONE,
	SEF_ROLE_SERVICE,
	SEF_ROLE_SUPERVISOR,
};

struct sef_file {
	struct mutex		lock;		/* role and watches */
	enum sef_role		role;
	struct sef_user		*user;		/* who opened it, and is charged */
	struct sef_service	*service;	/* with SEF_ROLE_SERVICE */
	struct sef_supervisor	supervisor;	/* with SEF_ROLE_SUPERVISOR */
};

/* What a service does when it is to answer: its half of the callback table. */
typedef void (*sef_cb_ping_reply_t)(struct sef_service *svc, u64 seq,
				    ktime_t now);

struct sef_service {
	/* set before the service is published, then only read */
	u64			id;
	struct pid		*pid;		/* of its thread group */
	struct sef_user		*user;
	struct eventfd_ctx	*eventfd;	/* or NULL */
	ktime_t			born;
	char			name[SEF_NAME_SIZE];

	refcount_t		refs;
	struct rb_node		node;		/* sef_registry_lock */
	wait_queue_head_t	wait;		/* read and poll of its file */

	/* written by the exit hook once, read by the work that it queues */
	wait_queue_entry_t	exit_hook;
	struct work_struct	exit_work;
	bool			exited;
	int			exit_code;

	spinlock_t		lock;		/* all below */
	struct list_head	watches;
	unsigned int		nr_watches;
	bool			closed;		/* its file is */
	enum sef_state		end;		/* DEAD, GONE, or UNWATCHED */
	struct {
		sef_cb_ping_reply_t	ping_reply;
	} cb;
	u64			ping_seq;	/* the last sent */
	u64			pong_seq;	/* the last answered */
	u64			read_seq;	/* the last read() took */
	ktime_t			ping_time;	/* of ping_seq */
	ktime_t			pong_time;	/* last sign of life, or born */
	bool			ponged;		/* pong_time is a pong's */
	u64			rtt_ns;
};

struct sef_watch {
	struct sef_service	*service;	/* holds a reference */
	struct sef_supervisor	*supervisor;
	struct list_head	by_supervisor;	/* sef_file.lock */

	/* sef_service.lock */
	struct list_head	by_service;	/* empty once it is removed */
	struct hrtimer		timer;
	u64			cookie;
	u64			period_ns;
	u64			timeout_ns;
	u32			tolerate;
	u32			misses;
	enum sef_state		state;
	enum sef_why		why;
	u64			seq;		/* the ping outstanding, or 0 */
	ktime_t			deadline;	/* its own */
	ktime_t			due;		/* of the next ping, if none is */
	u64			asked_seq;	/* a SEF_IOC_PING's, or 0 */
	ktime_t			asked_time;

	/* sef_supervisor.lock: the event slot, empty while off the queue */
	struct list_head	queued;
	struct sef_event	event;
	ktime_t			event_time;
};

/* sef_ping.c: the callback table and the life of a ping */
#define SEF_CB_PING_REPLY_DEFAULT	sef_cb_ping_reply_pong

void do_sef_ping_request(struct sef_service *svc, ktime_t now);
void sef_setcb_ping_reply(struct sef_service *svc, sef_cb_ping_reply_t cb);
void sef_cb_ping_reply_pong(struct sef_service *svc, u64 seq, ktime_t now);
void sef_cb_ping_reply_null(struct sef_service *svc, u64 seq, ktime_t now);

enum sef_reply sef_service_reply(struct sef_service *svc);
void sef_service_set_reply(struct sef_service *svc, enum sef_reply reply);
int sef_service_pong(struct sef_service *svc, u64 seq);
bool sef_service_has_request(struct sef_service *svc);
bool sef_service_take_request(struct sef_service *svc, struct sef_request *req);
void sef_service_untake_request(struct sef_service *svc, u64 seq);
void sef_service_end(struct sef_service *svc, enum sef_state end);

void sef_watch_init(struct sef_watch *watch,
		    const struct sef_watch_args *args);
void sef_watch_begin(struct sef_watch *watch, struct sef_service *svc);
void sef_watch_change(struct sef_watch *watch,
		      const struct sef_watch_args *args);
int sef_watch_ask(struct sef_watch *watch, u64 *seq);

/* sef_registry.c: who there is, who may see whom, and how it ends */
struct sef_user *sef_user_get(kuid_t uid);
void sef_user_put(struct sef_user *user);

struct sef_service *sef_service_new(struct sef_user *user,
				    const struct sef_register_args *args);
int sef_service_publish(struct sef_service *svc);
void sef_service_close(struct sef_service *svc);
void sef_service_put(struct sef_service *svc);

int sef_watch(struct sef_supervisor *sup, struct sef_user *user,
	      const struct sef_watch_args *args, struct sef_watch **spare);
struct sef_watch *sef_watch_get(struct sef_supervisor *sup, u64 id);
void sef_watch_remove(struct sef_watch *watch, struct sef_user *user);
int sef_status(struct sef_supervisor *sup, struct sef_status_args *args);

int sef_registry_init(void);
void sef_registry_exit(void);

#endif /* _SEF_PING_H */
