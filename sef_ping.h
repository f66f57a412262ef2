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
 * takes it out of the registry and frees it, without its exit hook, which goes when
 * the file is closed already if by then its end is known.
 * Nothing else holds one: the exit hook needs no reference because the
 * teardown waits for it.
 *
 * A struct sef_watch belongs to its supervisor and dies in UNWATCH or release(),
 * both under the supervisor's file lock: whoever holds that may use a watch it
 * found. Removing one takes it off the service's list, after which nothing but
 * a timer's function that found it before looks at it, and off the event queue. For
 * that function, its memory and its service's stay for an RCU grace period. Nor
 * does it wait for a CPU that was probed and does not answer: such a CPU frees the
 * memory when it answers.
 *
 * A struct sef_supervisor is made for a file that is to take that role, and lives
 * as long as the file. Only its watches point at it, and release() removes them
 * before.
 *
 * A struct sef_user, the counts of one user, is held by the accounts of files and
 * services.
 *
 * All of it is gone when the last file is closed, and files hold the module:
 * nothing is left for module exit to wait for, but CPUs that have not answered.
 *
 * Locks, outermost first
 *
 * sef_file.lock	mutex: the file's role; the set of a supervisor's
 *			watches. Never taken by PONG.
 * sef_registry_lock	mutex: the services by id, the users and their counts,
 *			who is told of newcomers.
 * sef_service.lock	spinlock, _irq: the service's pings and pongs, its
 *			watches and all that they decide.
 * sef_supervisor.lock	spinlock, _irq: the queue of events and the records in
 *			it.
 * sef_queue.lock	spinlock, _irq: one CPU's watches by time. Neither of
 *			these two is taken under the other. Its timer tries
 *			to take sef_service.lock under it, and waits for none.
 *
 * Deadlines expire in the interrupt of their timer, since a softirq may have to
 * wait for a ksoftirqd that gets no CPU. On PREEMPT_RT the same timers expire in
 * softirq, where these locks may sleep.
 *
 * No user copy, allocation or fput happens under the spinlocks, and none but the
 * security modules' own under the registry's. eventfds are
 * signalled and pollers woken under sef_service.lock: what they wake does not
 * come back here.
 *
 * The exit hook runs under tasklist_lock, the pid's wait queue lock and, on some
 * kernels, the sighand's, with interrupts off. It takes none of the above, and leaves
 * the rest to an interrupt, which no busy CPU holds up.
 */
#ifndef _SEF_PING_H
#define _SEF_PING_H

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/sef.h>

struct eventfd_ctx;
struct vm_area_struct;
struct sef_queue;
struct sef_service;
struct sef_supervisor;
struct sef_watch;

enum sef_limit {
	SEF_LIMIT_SERVICES,
	SEF_LIMIT_WATCHES,
	SEF_LIMIT_PINGS,	/* a second, of all watches */
	SEF_NR_LIMITS,
};

/* The counts of one user; under sef_registry_lock, except @uid. */
struct sef_user {
	struct hlist_node	node;
	kuid_t			uid;
	unsigned int		refs;
	unsigned int		count[SEF_NR_LIMITS];
};

/*
 * Who is charged: the user who opened the file, and the one who answers
 * for his user namespace, or NULL if that is nobody else.
 */
struct sef_account {
	struct sef_user		*user;
	struct sef_user		*owner;
};

static inline const struct cred *sef_get_cred(const struct cred *cred)
{
	/* Whoever takes them writes the same 0 to a field of theirs, unmarked. */
	return data_race(get_cred(cred));
}

/* In whose name a signal is sent, from an interrupt. */
struct sef_authority {
	const struct cred	*cred;
	bool			cap_kill;	/* in cred->user_ns */
};

/* Who is told of verdicts: a file, once it watches. */
struct sef_supervisor {
	struct rb_root		watches;	/* by id; sef_file.lock */
	u64			last_nr;	/* of a watch; sef_file.lock */
	wait_queue_head_t	*wait;		/* the file's */

	/* sef_registry_lock; @pid_ns is NULL while no newcomers are told of */
	struct list_head	by_newcomers;
	struct pid_namespace	*pid_ns;
	const struct cred	*cred;		/* who may see them */
	u64			newcomers_after;	/* this id */

	spinlock_t		lock;		/* the events */
	struct list_head	queue;		/* watches with an event to read */
	struct sef_event	newcomers;	/* or .changes is 0 */
	ktime_t			newcomers_time;
	bool			newcomers_read;	/* last, and no watch's event */
};

enum sef_role {
	SEF_ROLE_NONE,
	SEF_ROLE_SERVICE,
	SEF_ROLE_SUPERVISOR,
};

struct sef_file {
	struct mutex		lock;		/* role and watches */
	wait_queue_head_t	wait;		/* read and poll, in any role */
	struct sef_account	account;
	struct sef_service	*service;	/* with SEF_ROLE_SERVICE */
	struct sef_supervisor	*supervisor;	/* with SEF_ROLE_SUPERVISOR */
	enum sef_role		role;
};

/* How an answer comes. */
enum sef_pong {
	SEF_PONG_NOW,		/* a call: all that was asked */
	SEF_PONG_NAMED,		/* a call, which names the last ping answered */
	SEF_PONG_STORED,	/* in the page, and found there */
};

/*
 * What a service does when it is to answer the pings up to @seq: its half of the
 * callback table. @now is when the pong came, or was found.
 */
typedef void (*sef_cb_ping_reply_t)(struct sef_service *svc, u64 seq,
				    enum sef_pong how, ktime_t now);

enum sef_mode {
	SEF_MODE_UNKNOWN,
	SEF_MODE_USER,
	SEF_MODE_KERNEL,
};

/* What is known of a thread at one moment. */
struct sef_look {
	ktime_t			time;
	const struct task_struct *task;		/* only to compare with */
	pid_t			tid;		/* 0: there is none any more */
	int			syscall;	/* that it is in, or -1 */
	unsigned int		cpu;
	enum sef_why		why : 8;	/* what holds it now, or UNKNOWN */
	enum sef_mode		mode : 8;	/* of one that runs */
	char			state;		/* as in /proc/PID/stat */
	bool			running : 1;	/* on a CPU */
	bool			runnable : 1;	/* and not on one */
	/* ever */
	u64			waited_ns;	/* for a CPU */
	u64			ran_ns;		/* on one */
	u64			user_ns;
	u64			kernel_ns;
	u64			voluntary;	/* switches */
	u64			involuntary;
};

enum sef_probe_state {
	SEF_PROBE_ANSWERED,	/* also: nothing is asked */
	SEF_PROBE_ASKED,
	SEF_PROBE_LEFT,		/* asked, and nobody waits any more */
};

/*
 * A question to a CPU: what do you do, and do you run at all? Asked under
 * sef_service.lock; answered in an interrupt of that CPU, which writes the
 * answer and then the state.
 */
struct sef_probe {
	struct __call_single_data csd;		/* not aligned: it is seldom used */
	ktime_t			asked;		/* 0: not since the ping */
	atomic_t		state;
	unsigned int		cpu;		/* which */
	/* the answer */
	ktime_t			time;
	const struct pid	*thread;	/* only to compare with */
	enum sef_mode		mode;
	int			syscall;
};

/* Of the last ping missed: what the looks at the thread told, and at which. */
struct sef_evidence {
	u64			seq;		/* 0: none was missed yet */
	ktime_t			time;
	const struct cred	*cred;		/* the thread's, held */
	int			syscall;
	pid_t			tid;		/* in the first pid namespace */
	pid_t			own_tid;	/* in its own */
	enum sef_why		why : 8;
	char			state;
	bool			dumpable;	/* to those who have the same */
	/* in so much time between the looks; 0: there was only one */
	u64			window_ns;
	u64			waited_ns;
	u64			user_ns;
	u64			kernel_ns;
	u64			voluntary;
	u64			involuntary;
};

#define SEF_STACK_DEPTH		13

/* A sleeping thread's kernel stack: the same as long as it has not run. 128 bytes. */
struct sef_stack {
	const struct task_struct *task;		/* only to compare with */
	pid_t			tid;
	u32			nr;		/* of @at; 0: it is not known */
	u64			switches;	/* that it had by then */
	unsigned long		at[SEF_STACK_DEPTH];
};

/* Ping to pong, in powers of two: see struct sef_latency_args. */
struct sef_latency {
	ktime_t			since;
	u64			count;
	u64			sum_ns;
	u64			min_ns;
	u64			max_ns;
	u64			headroom_ns;
	u32			buckets[SEF_LATENCY_BUCKETS];
};

/* What all watches made of a service since it registered. */
struct sef_counts {
	u32			missed;		/* and not excused */
	u32			verdicts;
	u32			steps;		/* signals sent */
	u32			denied;		/* and not sent */
};

struct sef_service {
	/* set before the service is published, then only read */
	u64			id;
	struct pid		*pid;		/* the process or thread */
	struct pid		*owner;		/* who answers: that, or its proxy */
	struct pid		*process;	/* its process, as a pid too */
	enum pid_type		type;		/* PIDTYPE_TGID or _PID: which @pid */
	refcount_t		refs;
	struct sef_account	account;
	struct sef_authority	authority;	/* of who registered it */
	struct eventfd_ctx	*eventfd;	/* or NULL */
	ktime_t			born;
	char			name[SEF_NAME_SIZE];

	union {
		struct rb_node	node;		/* sef_registry_lock */
		struct rcu_head	rcu;		/* once out of the registry */
	};
	struct hlist_node	by_process;	/* sef_registry_lock */
	unsigned int		of_process;	/* sef_registry_lock; of the newest */

	/* written by the exit hook once, and by @exited given to who looks */
	wait_queue_entry_t	exit_hook;
	struct irq_work		exit_work;
	int			hook_code;
	bool			exited;

	spinlock_t		lock;		/* all below */
	bool			closed;		/* its file is */
	bool			ponged;		/* pong_time is a pong's */
	unsigned int		nr_watches;
	unsigned int		nr_maps;	/* of the page */
	struct list_head	watches;
	wait_queue_head_t	*wait;		/* the file's, until it is closed */
	enum sef_state		end;		/* DEAD, GONE, or UNWATCHED */
	int			exit_code;	/* of one that is DEAD */
	struct {
		sef_cb_ping_reply_t	ping_reply;
	} cb;
	u64			ping_seq;	/* the last sent */
	u64			pong_seq;	/* the last answered */
	u64			named_seq;	/* the last answered by name */
	u64			read_seq;	/* the last read() took */
	u64			woken_seq;	/* the last it was told of */
	ktime_t			ping_time;	/* of ping_seq */
	ktime_t			asked_time;	/* of the first unanswered */
	ktime_t			pong_time;	/* last sign of life, or born */
	struct pid		*speaker;	/* the thread that ponged last */
	u64			rtt_ns;
	struct sef_latency	latency;
	struct sef_counts	counts;
	struct sef_page		*page;		/* or NULL; set once */
};

enum sef_step {
	SEF_STEP_KILL,
	SEF_STEP_LAST,
};

/* When a watch is to be looked at: not before @soonest, by @latest. */
struct sef_wakeup {
	struct sef_queue	*queue;		/* the last it was in, or NULL */
	struct timerqueue_node	node;		/* at @latest, or after a try */
	ktime_t			soonest;
	ktime_t			latest;
	unsigned int		tries;		/* in vain */
};

struct sef_watch {
	struct sef_service	*service;	/* holds a reference */
	struct sef_supervisor	*supervisor;
	union {
		struct rb_node	by_id;		/* sef_file.lock */
		struct rcu_head	rcu;		/* once it is removed */
	};
	u64			nr;		/* no other of the file has it */

	/* sef_service.lock */
	struct list_head	by_service;	/* empty once it is removed */
	struct sef_wakeup	wakeup;
	struct sef_watch_args	set;		/* the settings */
	struct sef_authority	authority;	/* who set them */
	enum sef_state		state : 8;
	enum sef_why		why : 8;
	enum sef_step		step : 8;	/* the next of the escalation */
	bool			killed : 1;	/* that step was taken */
	bool			stalled : 1;	/* @stalled_ns is long, and was not given back */
	bool			stack_told : 1;	/* @stack belongs to @evidence */
	bool			ran_oddly : 1;	/* since @look: its clock may tell a stall */
	u32			misses;
	u32			excused;
	u64			seq;		/* the ping outstanding, or 0 */
	u64			last_seq;	/* the last that was, or is */
	ktime_t			deadline;	/* its own */
	u64			look_ns;	/* before the deadline */
	ktime_t			look_time;	/* of its first look, or MAX */
	struct sef_look		look;		/* that look, once taken */
	struct sef_look		last_look;	/* the one before it */
	u64			ran_from;	/* its ran_ns to count from, or MAX */
	u64			spared_from;	/* so long it had not waited then */
	ktime_t			probe_time;	/* of its last probe, or MAX */
	struct sef_probe	probe;
	u64			stalled_ns;	/* that the machine stood still */
	ktime_t			due;		/* of the next ping, if none is */
	ktime_t			grace_end;	/* 0 once it has answered */
	ktime_t			extend_end;	/* no deadline is earlier */
	ktime_t			extend_max;	/* nor EXTENDed to later; or 0 */
	u64			credit_ns;
	ktime_t			step_time;	/* of the next step, or KTIME_MAX */
	u64			asked_seq;	/* a SEF_IOC_PING's, or 0 */
	ktime_t			asked_time;

	/* written under both locks, so that either will do to read */
	struct sef_evidence	evidence;

	/* sef_supervisor.lock: the event slot, empty while off the queue */
	struct list_head	queued;
	struct sef_event	event;
	ktime_t			event_time;

	/* sef_service.lock; as it was at the last look of any kind that took it */
	struct sef_stack	*stack;		/* NULL without CAP_SYS_ADMIN */
};

/* The look at half the timeout, or NULL while it is still to be taken. */
static inline const struct sef_look *
sef_watch_first_look(const struct sef_watch *watch)
{
	return watch->look_time == KTIME_MAX ? &watch->look : NULL;
}

/* What it has had of a CPU is counted anew, from the next look on. */
static inline void sef_watch_give_time(struct sef_watch *watch)
{
	watch->ran_from = U64_MAX;
}

static inline u64 sef_ns_since(ktime_t then, ktime_t now)
{
	return max_t(s64, ktime_to_ns(ktime_sub(now, then)), 0);
}

/* sef_ping.c: the callback table and the life of a ping */
#define SEF_CB_PING_REPLY_DEFAULT	sef_cb_ping_reply_pong

void do_sef_ping_request(struct sef_service *svc, ktime_t now, bool wake);
void sef_setcb_ping_reply(struct sef_service *svc, sef_cb_ping_reply_t cb);
void sef_cb_ping_reply_pong(struct sef_service *svc, u64 seq, enum sef_pong how,
			    ktime_t now);
void sef_cb_ping_reply_null(struct sef_service *svc, u64 seq, enum sef_pong how,
			    ktime_t now);

enum sef_reply sef_service_reply(struct sef_service *svc);
void sef_service_set_reply(struct sef_service *svc, enum sef_reply reply);
long sef_service_pong(struct sef_service *svc, u64 named);
u64 sef_watch_stall_ns(const struct sef_watch *watch);
u64 sef_watch_probe_late(struct sef_watch *watch, ktime_t now);
void sef_service_collect(struct sef_service *svc, ktime_t now);
int sef_service_extend(struct sef_service *svc, u64 *extend_ns);
__poll_t sef_service_poll(struct sef_service *svc);
int sef_service_take_request(struct sef_service *svc, struct sef_request *req);
void sef_service_untake_request(struct sef_service *svc, u64 seq);
void sef_latency_reset(struct sef_latency *latency);
void sef_service_end(struct sef_service *svc, enum sef_state end,
		     int exit_code);
void sef_set_suspending(bool suspending);
void sef_service_resume(struct sef_service *svc);

void sef_watch_init(struct sef_watch *watch, struct sef_supervisor *sup);
void sef_watch_expire(struct sef_watch *watch, ktime_t latest, ktime_t now);
void sef_watch_begin(struct sef_watch *watch, struct sef_service *svc,
		     const struct sef_watch_args *args);
void sef_watch_change(struct sef_watch *watch,
		      const struct sef_watch_args *args);
int sef_watch_ask(struct sef_watch *watch, u64 *seq);
void sef_watch_notify(struct sef_watch *watch, u32 flags, u64 seq, u64 rtt_ns,
		      ktime_t now);

/* sef_why.c: looking at a silent thread */
void sef_look(struct sef_service *svc, struct sef_look *look);
void sef_watch_take_first_look(struct sef_watch *watch);
void sef_watch_look_again(struct sef_watch *watch, struct sef_look *look);
void sef_watch_look_closely(struct sef_watch *watch, struct sef_look *look);
enum sef_why sef_why_silent(const struct sef_watch *watch,
			    const struct sef_look *first,
			    const struct sef_look *look);
enum sef_why sef_watch_examine(struct sef_watch *watch,
			       struct sef_evidence *evidence);
void sef_probe_init(struct sef_probe *probe);
bool sef_probe_end(struct sef_probe *probe);
void sef_probe_exit(void);
bool sef_probe_is_answered(struct sef_probe *probe);
void sef_probe_ask(struct sef_probe *probe, const struct sef_look *look);
u64 sef_probe_late(struct sef_probe *probe, ktime_t now);
void sef_probe_tell(struct sef_probe *probe, struct sef_service *svc,
		    struct sef_look *look);

/* A new ping: what was asked before does not matter, but that it still is. */
static inline void sef_probe_reset(struct sef_probe *probe, ktime_t now)
{
	if (probe->asked)
		probe->asked = sef_probe_is_answered(probe) ? 0 : now;
}

/* sef_page.c: pongs by store */
int sef_page_map(struct sef_service *svc, struct vm_area_struct *vma);
void sef_page_ping(struct sef_service *svc);
u64 sef_page_answer(struct sef_service *svc);
void sef_page_free(struct sef_service *svc);

/* sef_queue.c: when */
void sef_wakeup_init(struct sef_wakeup *wakeup);
void sef_queue_add(struct sef_watch *watch, ktime_t soonest, ktime_t latest);
void sef_queue_del(struct sef_watch *watch);
int sef_queue_init(void);
void sef_queue_exit(void);

/* sef_escalate.c: the steps after a verdict, and in whose name */
void sef_authority_take(struct sef_authority *authority);
void sef_authority_drop(struct sef_authority *authority);
bool sef_escalates(const struct sef_watch_args *args);
u64 sef_escalate_delay_ns(const struct sef_watch *watch);
void sef_escalate_begin(struct sef_watch *watch, ktime_t due, ktime_t now);
void sef_escalate_change(struct sef_watch *watch,
			 const struct sef_watch_args *was, ktime_t now);
void sef_escalate_end(struct sef_watch *watch);
bool sef_escalate_is_excused(struct sef_watch *watch, ktime_t now);
void sef_escalate_step(struct sef_watch *watch, ktime_t now);

/* sef_account.c: what each user has, and may have */
int sef_account_open(struct sef_account *account);
void sef_account_close(struct sef_account *account);
void sef_account_hold(struct sef_account *account);
bool sef_charge(const struct sef_account *account, enum sef_limit limit,
		unsigned int n);
void sef_uncharge(const struct sef_account *account, enum sef_limit limit,
		  unsigned int n);

/* sef_registry.c: who there is, who may see whom, and how it ends */
extern struct mutex sef_registry_lock;

struct sef_service *sef_service_new(struct sef_file *file,
				    const struct sef_register_args *args);
int sef_service_publish(struct sef_service *svc);
struct sef_service *sef_service_from(u64 id);
struct sef_service *sef_service_find(u64 id);
bool sef_service_may_signal(struct sef_service *svc);
void sef_service_check_thread(struct sef_service *svc);
void sef_service_close(struct sef_service *svc);
void sef_service_put(struct sef_service *svc);

int sef_watch_apply(struct sef_supervisor *sup,
		    const struct sef_account *account,
		    struct sef_watch_args *args, struct pid *process,
		    struct sef_watch **spare);
struct sef_watch *sef_watch_alloc(struct sef_supervisor *sup);
void sef_watch_free(struct sef_watch *watch);
void sef_watch_free_memory(struct sef_watch *watch);
struct sef_watch *sef_watch_find(struct sef_supervisor *sup, u64 id);
void sef_watch_remove(struct sef_watch *watch,
		      const struct sef_account *account);
bool sef_is_newcomer(const struct sef_supervisor *sup, u64 id);
int sef_newcomers(struct sef_supervisor *sup,
		  const struct sef_account *account, bool on);
bool sef_service_is_proxied(const struct sef_service *svc);
struct pid *sef_pid_of_pidfd(int pidfd, pid_t nr);

int sef_registry_init(void);
void sef_registry_exit(void);

/* Whoever is to judge the service looks first whether it is dead. */
static inline void sef_service_check_end(struct sef_service *svc)
{
	lockdep_assert_held(&svc->lock);

	/* Pairs with sef_exit_hook(): the status comes with it. */
	if (smp_load_acquire(&svc->exited))
		sef_service_end(svc, SEF_STATE_DEAD, svc->hook_code);
	else if (svc->type == PIDTYPE_PID)
		sef_service_check_thread(svc);
}

/* sef_status.c: what is told of a service, and to whom */
int sef_status(struct sef_supervisor *sup, struct sef_status_args *args);
struct sef_evidence sef_evidence_get(const struct sef_watch *watch);
void sef_evidence_put(struct sef_evidence *evidence);
pid_t sef_evidence_tid(const struct sef_evidence *evidence,
		       const struct sef_service *svc);
int sef_evidence_syscall(const struct sef_evidence *evidence);
int sef_why_of_watch(struct sef_watch *watch, struct sef_why_args *args);
int sef_latency(struct sef_supervisor *sup, struct sef_latency_args *args);

#endif /* _SEF_PING_H */
