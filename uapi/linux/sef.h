/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/sef: liveness pings for services, with the deadlines kept by the kernel.
 *
 * A file of /dev/sef takes one role, by the first call that asks for one:
 * SEF_IOC_REGISTER makes it a service's, SEF_IOC_WATCH a supervisor's. All that
 * a file made ends when its last descriptor is closed.
 *
 * Rules for every call:
 *
 * - All structs have the same layout for 32-bit and 64-bit callers. The size is
 *   part of the request number: a newer header's larger struct is accepted
 *   as long as what this kernel does not know is zero (E2BIG otherwise), a
 *   smaller one than the first published is ENOTTY, as is an unknown request.
 * - Reserved fields and unknown flags must be zero (EINVAL).
 * - EFAULT is an argument that cannot be read, or written where it is to be
 *   written. A call that fails has changed nothing.
 * - Times are lengths in nanoseconds on CLOCK_MONOTONIC, which stands still
 *   while the machine is suspended. There are no absolute times.
 * - Ids name services. One is never used again before the next boot.
 * - Pids are those of the caller's pid namespace.
 */
#ifndef _UAPI_LINUX_SEF_H
#define _UAPI_LINUX_SEF_H

#include <linux/ioctl.h>
#include <linux/types.h>

/** SEF_NAME_SIZE: bytes of a service's name, the closing NUL included. */
#define SEF_NAME_SIZE		32

/** SEF_TIME_MIN_NS, SEF_TIME_MAX_NS: bounds of a period and of a timeout. */
#define SEF_TIME_MIN_NS		1000000ULL
#define SEF_TIME_MAX_NS		86400000000000ULL

/**
 * enum sef_reply - a service's reply policy: what its pong does
 * @SEF_REPLY_PONG: the default: the pong is recorded and every watch of the
 *	service learns of it.
 * @SEF_REPLY_NULL: nothing: pings are still delivered, SEF_IOC_PONG still
 *	succeeds, and every ping counts as missed.
 */
enum sef_reply {
	SEF_REPLY_PONG	= 0,
	SEF_REPLY_NULL	= 1,
};

/**
 * enum sef_state - what a watch holds of its service
 * @SEF_STATE_UNWATCHED: this file does not watch the service.
 * @SEF_STATE_WAITING: watched, and neither ponged nor missed yet.
 * @SEF_STATE_ALIVE: the last ping was answered, or is not due yet.
 * @SEF_STATE_LATE: a ping missed its deadline; not more misses in a row than
 *	the watch tolerates.
 * @SEF_STATE_UNRESPONSIVE: more misses in a row than the watch tolerates.
 * @SEF_STATE_DEAD: the process ended. Final.
 * @SEF_STATE_GONE: the process lives, and closed its file. Final.
 *
 * Any pong brings LATE and UNRESPONSIVE back to ALIVE.
 */
enum sef_state {
	SEF_STATE_UNWATCHED	= 0,
	SEF_STATE_WAITING	= 1,
	SEF_STATE_ALIVE		= 2,
	SEF_STATE_LATE		= 3,
	SEF_STATE_UNRESPONSIVE	= 4,
	SEF_STATE_DEAD		= 5,
	SEF_STATE_GONE		= 6,
};

/**
 * enum sef_why - why a ping was missed
 * @SEF_WHY_UNKNOWN: nothing was missed, or the cause is not known.
 * @SEF_WHY_NULL_REPLY: the service has the null reply policy.
 */
enum sef_why {
	SEF_WHY_UNKNOWN		= 0,
	SEF_WHY_NULL_REPLY	= 1,
};

/**
 * enum sef_request_type - what the kernel asks of a service
 * @SEF_REQUEST_PING: are you alive? Answer with SEF_IOC_PONG.
 */
enum sef_request_type {
	SEF_REQUEST_PING	= 1,
};

/**
 * struct sef_register_args - argument of SEF_IOC_REGISTER
 * @flags: in: 0.
 * @reply: in: an enum sef_reply.
 * @eventfd: in: an eventfd, to which every ping adds 1; or -1, for a service
 *	that polls its file instead. The kernel keeps the eventfd itself:
 *	closing the descriptor later does not matter.
 * @__reserved: in: 0.
 * @name: in: what people call the service: 1 to 31 bytes and a NUL; what
 *	follows the NUL is ignored. It need not be unique, and it is up to
 *	whoever prints it to escape it.
 * @id: out: the service's id.
 */
struct sef_register_args {
	__u32	flags;
	__u32	reply;
	__s32	eventfd;
	__u32	__reserved;
	char	name[SEF_NAME_SIZE];
	__u64	id;
};

/**
 * struct sef_pong_args - argument of SEF_IOC_PONG
 * @seq: in: the ping that is answered, and with it every earlier one; 0 for
 *	"alive now", which answers every ping sent so far and is welcome when
 *	there is none.
 */
struct sef_pong_args {
	__u64	seq;
};

/**
 * struct sef_set_reply_args - argument of SEF_IOC_SET_REPLY
 * @reply: in: an enum sef_reply.
 * @flags: in: 0.
 */
struct sef_set_reply_args {
	__u32	reply;
	__u32	flags;
};

/**
 * struct sef_watch_args - argument of SEF_IOC_WATCH
 * @id: in: the service.
 * @cookie: in: handed back with every event of this watch.
 * @period_ns: in: a service that gave no sign of life for this long is
 *	pinged; SEF_TIME_MIN_NS to SEF_TIME_MAX_NS.
 * @timeout_ns: in: a ping not answered for this long is a miss; the same
 *	bounds. It may exceed the period: a watch has one ping of its own
 *	outstanding at most.
 * @tolerate: in: how many misses in a row are only late. With 0 the first
 *	is unresponsive.
 * @flags: in: 0.
 */
struct sef_watch_args {
	__u64	id;
	__u64	cookie;
	__u64	period_ns;
	__u64	timeout_ns;
	__u32	tolerate;
	__u32	flags;
};

/**
 * struct sef_unwatch_args - argument of SEF_IOC_UNWATCH
 * @id: in: the service.
 */
struct sef_unwatch_args {
	__u64	id;
};

/**
 * struct sef_ping_args - argument of SEF_IOC_PING
 * @id: in: the service.
 * @seq: out: the seq of the ping that was sent.
 */
struct sef_ping_args {
	__u64	id;
	__u64	seq;
};

/** SEF_STATUS_NEXT: the service with the lowest id above @id, not @id itself */
#define SEF_STATUS_NEXT		0x00000001

/**
 * struct sef_status_args - argument of SEF_IOC_STATUS
 * @id: in: a service, or where to go on; out: the service told of.
 * @flags: in: 0 or SEF_STATUS_NEXT; out: the same.
 * @state: out: an enum sef_state: of this file's watch; without one
 *	SEF_STATE_DEAD for a process that ended, else SEF_STATE_UNWATCHED.
 * @pid: out: the process; also after it ended, when the number may be another's.
 *	0 where the caller's pid namespace has none for it.
 * @uid: out: the user who opened the service's file, as the caller's user
 *	namespace has it.
 * @reply: out: an enum sef_reply.
 * @wait_status: out: in SEF_STATE_DEAD the status, as wait(2) gives it.
 * @ping_seq: out: the seq of the last ping sent; 0 before the first.
 * @pong_seq: out: the last seq answered; 0 before the first.
 * @age_ns: out: time since the service registered.
 * @silent_ns: out: time since its last pong, or since it registered.
 * @rtt_ns: out: from ping to pong, the last time that the newest ping was
 *	answered; 0 before the first.
 * @watches: out: how many watches the service has, over all files.
 * @misses: out: misses in a row of this file's watch, 0 without one.
 * @why: out: an enum sef_why: of the last of them.
 * @tolerate: out: the setting of this file's watch; so are the next three.
 * @cookie: out: see struct sef_watch_args.
 * @period_ns: out: see struct sef_watch_args.
 * @timeout_ns: out: see struct sef_watch_args.
 * @name: out: the service's name.
 */
struct sef_status_args {
	__u64	id;
	__u32	flags;
	__u32	state;
	__s32	pid;
	__u32	uid;
	__u32	reply;
	__s32	wait_status;
	__u64	ping_seq;
	__u64	pong_seq;
	__u64	age_ns;
	__u64	silent_ns;
	__u64	rtt_ns;
	__u32	watches;
	__u32	misses;
	__u32	why;
	__u32	tolerate;
	__u64	cookie;
	__u64	period_ns;
	__u64	timeout_ns;
	char	name[SEF_NAME_SIZE];
};

/**
 * struct sef_request - what read() on a service's file gives
 * @type: an enum sef_request_type.
 * @__reserved: 0.
 * @seq: the seq to answer.
 * @left_ns: time left until the first deadline of a watch that waits for the
 *	answer; 0 when it has passed, or when no watch waits any more.
 *
 * A read takes the newest ping that was neither answered nor read. It waits
 * for one, or fails with EAGAIN on a non-blocking file. EINVAL: the buffer is
 * smaller than the record. EPERM: the caller is not the service.
 */
struct sef_request {
	__u32	type;
	__u32	__reserved;
	__u64	seq;
	__u64	left_ns;
};

/** SEF_EVENT_PONG: a ping asked for with SEF_IOC_PING was answered */
#define SEF_EVENT_PONG		0x00000001

/**
 * struct sef_event - what read() on a supervisor's file gives
 * @id: the service.
 * @cookie: as given to SEF_IOC_WATCH.
 * @seq: the last ping answered or missed, 0 for none.
 * @age_ns: how long ago the last of the changes was, when read.
 * @silent_ns: how long the service had been silent at that change.
 * @rtt_ns: with SEF_EVENT_PONG: from that ping to its pong; otherwise 0.
 * @flags: SEF_EVENT_PONG or 0.
 * @state: an enum sef_state: the state now.
 * @passed: a mask of (1 << state): every state entered since the last read.
 * @changes: how many changes this record stands for, 1 or more.
 * @misses: misses in a row.
 * @why: an enum sef_why: of the last of them.
 * @pid: the process; 0 where the reader's pid namespace has no number for it.
 * @wait_status: in SEF_STATE_DEAD the status, as wait(2) gives it.
 *
 * A change is a state entered, one more miss while late, or a ping that was
 * asked for answered. A watch has one record: further changes before it is
 * read go into the same one, so none is ever lost and nothing overflows.
 *
 * A read gives as many whole records as fit. It waits for the first, or fails
 * with EAGAIN on a non-blocking file. EINVAL: the buffer is smaller than one
 * record.
 */
struct sef_event {
	__u64	id;
	__u64	cookie;
	__u64	seq;
	__u64	age_ns;
	__u64	silent_ns;
	__u64	rtt_ns;
	__u32	flags;
	__u32	state;
	__u32	passed;
	__u32	changes;
	__u32	misses;
	__u32	why;
	__s32	pid;
	__s32	wait_status;
};

#define SEF_IOC_MAGIC		0xD9

/**
 * SEF_IOC_REGISTER - the calling process becomes a service
 *
 * The service is the process, whichever of its threads calls. It stays one
 * through exec. What a fork leaves in the child is not the service.
 *
 * EBUSY: the file has a role. EBADF: @eventfd is not an open descriptor.
 * EINVAL: @eventfd is not an eventfd; no such reply policy; a name that is
 * empty or has no NUL. ENOSPC: the user's limit of services is reached.
 * ENOMEM.
 */
#define SEF_IOC_REGISTER	_IOWR(SEF_IOC_MAGIC, 0x01, struct sef_register_args)

/**
 * SEF_IOC_PONG - the service answers
 *
 * EBADFD: not a service's file. EPERM: the caller is not the service.
 * EINVAL: no ping has that seq. ESTALE: that ping was answered before.
 */
#define SEF_IOC_PONG		_IOW(SEF_IOC_MAGIC, 0x02, struct sef_pong_args)

/**
 * SEF_IOC_SET_REPLY - the service changes its reply policy
 *
 * EBADFD: not a service's file. EPERM: the caller is not the service.
 * EINVAL: no such policy.
 */
#define SEF_IOC_SET_REPLY	_IOW(SEF_IOC_MAGIC, 0x03, struct sef_set_reply_args)

/**
 * SEF_IOC_WATCH - watch a service, or change how
 *
 * A service that gave a sign of life less than a period ago is alive at once;
 * any other is pinged at once. On a service that this file watches already
 * the settings change together: misses stay counted, a ping outstanding has
 * the new timeout from now.
 *
 * EBADFD: a service's file. EINVAL: a time out of bounds. ESRCH: no such
 * service, or none that the caller may see. ENOSPC: the user's limit of
 * watches is reached. ENOMEM.
 */
#define SEF_IOC_WATCH		_IOW(SEF_IOC_MAGIC, 0x10, struct sef_watch_args)

/**
 * SEF_IOC_UNWATCH - end a watch, unread events of it included
 *
 * EBADFD: not a supervisor's file. ENOENT: this file does not watch it.
 */
#define SEF_IOC_UNWATCH		_IOW(SEF_IOC_MAGIC, 0x11, struct sef_unwatch_args)

/**
 * SEF_IOC_PING - ping a watched service once, now
 *
 * The answer is an event with SEF_EVENT_PONG; of several pings asked for and
 * unanswered, the newest one's. Silence is a miss, as of any ping; where the
 * watch has one outstanding already, that one's deadline holds.
 *
 * EBADFD: not a supervisor's file. ENOENT: this file does not watch it.
 * ESRCH: the service is dead or gone.
 */
#define SEF_IOC_PING		_IOWR(SEF_IOC_MAGIC, 0x12, struct sef_ping_args)

/**
 * SEF_IOC_STATUS - look at a service; takes no role, works on every file
 *
 * One sees what this file watches, and each registered service that one may
 * signal and that has a pid in one's own pid namespace.
 *
 * ESRCH: no such service; with SEF_STATUS_NEXT: no further one.
 */
#define SEF_IOC_STATUS		_IOWR(SEF_IOC_MAGIC, 0x13, struct sef_status_args)

#endif /* _UAPI_LINUX_SEF_H */
