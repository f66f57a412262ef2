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
 * - EFAULT: the struct cannot be read; or, where there is something to give
 *   back, not be written. A call that fails has changed nothing (but for one
 *   whose memory another thread takes away meanwhile).
 * - ENOMEM: there is no memory for it; any call but SEF_IOC_PONG.
 * - Times are lengths in nanoseconds on CLOCK_MONOTONIC, which stands still
 *   while the machine is suspended. There are no absolute times.
 * - Ids name services. One is never used again before the next boot. They count up:
 *   two of one's own tell how many services registered in between, not whose.
 * - Pids are those of the caller's pid namespace.
 * - Poll tells of EPOLLIN when a read would not wait, and of EPOLLERR while the
 *   file has no role, when a read is EBADFD. One may poll first and take the
 *   role later.
 * - A sign of life is a pong, asked for or not. Registering is none.
 * - How many services and watches a user may have, how many pings a second all his
 *   watches may ask for, and how many services one process may be, is bounded by the
 *   parameters of the module: max_services, max_watches, max_pings,
 *   max_process_services.
 */
#ifndef _UAPI_LINUX_SEF_H
#define _UAPI_LINUX_SEF_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * SEF_NAME_SIZE - bytes of a service's name, the closing NUL included
 */
#define SEF_NAME_SIZE		32

/**
 * SEF_TIME_MIN_NS - the least that a time given may be: 1 ms
 */
#define SEF_TIME_MIN_NS		1000000ULL
/**
 * SEF_TIME_MAX_NS - the most that a time given may be: 1 day
 */
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
 * enum sef_state - what a watch thinks of its service
 * @SEF_STATE_UNWATCHED: this file does not watch the service.
 * @SEF_STATE_WAITING: watched, and neither ponged nor missed yet.
 * @SEF_STATE_ALIVE: the last ping was answered, or is not due yet.
 * @SEF_STATE_LATE: a ping missed its deadline; not more misses in a row than
 *	the watch tolerates, those that it excuses not counted.
 * @SEF_STATE_UNRESPONSIVE: more misses in a row than the watch tolerates.
 * @SEF_STATE_DEAD: the process, or registered thread, ended. Final. The end of a
 *	thread alone is told when its watch next has something to do: before Linux 6.9,
 *	and of the main thread from 6.15 on.
 * @SEF_STATE_GONE: it closed its file while it lived. Final: a later end is not
 *	told.
 *
 * Any pong brings LATE and UNRESPONSIVE back to ALIVE. One that comes after its
 * deadline, and before the kernel has looked, is in time.
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
 * @SEF_WHY_STOPPED: stopped by a signal, as by SIGSTOP or job control.
 * @SEF_WHY_TRACED: held by a debugger.
 * @SEF_WHY_FROZEN: frozen, by its cgroup or for a suspend of the machine.
 * @SEF_WHY_STARVED: runnable, and without a CPU for half of the time or more. But no
 *	longer once it has run, by the looks since its last pong, for as long as the
 *	period and the timeout (or, if that is longer, the grace before the first pong,
 *	what an EXTEND was granted; for a step, the time until it): then others are not
 *	why a thread that spins is silent. The count begins anew with another thread,
 *	a miss that is tolerated, the first EXTEND after a pong, the signal of the
 *	watch, another @timeout_ns, @grace_ns or @extend_ns, and a suspend. What it
 *	runs between two looks with stalls in between that come to a quarter of the
 *	timeout does not count.
 * @SEF_WHY_STALLED: the machine stood still, or the CPU that the service was on,
 *	for a quarter of the timeout or more: the kernel's own timer was late, or the
 *	CPU did not answer an interrupt.
 * @SEF_WHY_SPUN_USER: it ran, or was about to, at both looks, or ran for half of
 *	the time or more; most of it in user mode.
 * @SEF_WHY_SPUN_KERNEL: the same, most of it in the kernel.
 * @SEF_WHY_BLOCKED: asleep where no signal wakes it but one that kills, if
 *	that: it waits for a disk, a network file system, a vfork.
 * @SEF_WHY_ASLEEP: asleep in a system call, say on a lock or for input.
 * @SEF_WHY_EXITING: it ends, or is being killed, and that takes long.
 *
 * The kernel looks at the thread that ponged last (before the first pong: that
 * registered; once it has ended: another one of the process) when half of the timeout
 * has gone by, and at the deadline. The cause is what holds at the deadline, for
 * a thread that came awake only then what held at the first look.
 */
enum sef_why {
	SEF_WHY_UNKNOWN		= 0,
	SEF_WHY_NULL_REPLY	= 1,
	SEF_WHY_STOPPED		= 2,
	SEF_WHY_TRACED		= 3,
	SEF_WHY_FROZEN		= 4,
	SEF_WHY_STARVED		= 5,
	SEF_WHY_STALLED		= 6,
	SEF_WHY_SPUN_USER	= 7,
	SEF_WHY_SPUN_KERNEL	= 8,
	SEF_WHY_BLOCKED		= 9,
	SEF_WHY_ASLEEP		= 10,
	SEF_WHY_EXITING		= 11,
};

/**
 * SEF_EXCUSE - a cause's bit in the @excuse of struct sef_watch_args
 * @why: an enum sef_why.
 */
#define SEF_EXCUSE(why)		(1U << (why))

/**
 * SEF_EXCUSE_ALL - the causes that can be excused
 */
#define SEF_EXCUSE_ALL		(SEF_EXCUSE(SEF_WHY_STOPPED) |	\
				 SEF_EXCUSE(SEF_WHY_TRACED) |	\
				 SEF_EXCUSE(SEF_WHY_FROZEN) |	\
				 SEF_EXCUSE(SEF_WHY_STARVED) |	\
				 SEF_EXCUSE(SEF_WHY_STALLED))

/**
 * SEF_EXCUSE_DEFAULT - what to excuse where nothing else is asked for: all that
 * is no fault of the service; not SIGSTOP, with which people test a watchdog
 */
#define SEF_EXCUSE_DEFAULT	(SEF_EXCUSE_ALL &		\
				 ~SEF_EXCUSE(SEF_WHY_STOPPED))

/**
 * enum sef_last - the last step of a watch's escalation
 * @SEF_LAST_NONE: none.
 * @SEF_LAST_PANIC: the machine panics.
 * @SEF_LAST_RESTART: the machine restarts at once, without a word to user space.
 */
enum sef_last {
	SEF_LAST_NONE		= 0,
	SEF_LAST_PANIC		= 1,
	SEF_LAST_RESTART	= 2,
};

/**
 * enum sef_request_type - what the kernel asks of a service
 * @SEF_REQUEST_PING: are you alive? Answer with SEF_IOC_PONG.
 */
enum sef_request_type {
	SEF_REQUEST_PING	= 1,
};

/**
 * SEF_REGISTER_THREAD - the calling thread is the service, not its process
 */
#define SEF_REGISTER_THREAD	0x00000001
/**
 * SEF_REGISTER_PIDFD - another process is the service, and the caller its proxy
 */
#define SEF_REGISTER_PIDFD	0x00000002

/**
 * struct sef_register_args - argument of SEF_IOC_REGISTER
 * @flags: in: 0, SEF_REGISTER_THREAD or SEF_REGISTER_PIDFD.
 * @reply: in: an enum sef_reply.
 * @eventfd: in: an eventfd, to which every ping adds 1; or -1, for a service
 *	that polls its file instead. The kernel keeps the eventfd itself:
 *	closing the descriptor later does not matter.
 * @pidfd: in: with SEF_REGISTER_PIDFD a pidfd of the process; otherwise 0.
 * @pid: in: with SEF_REGISTER_PIDFD the pid of the same process; otherwise 0.
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
	__s32	pidfd;
	__s32	pid;
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
 * struct sef_extend_args - argument of SEF_IOC_EXTEND
 * @extend_ns: in: how much time from now the service asks for; out: how much
 *	every watch of it has granted, 0 if there is one that grants none.
 */
struct sef_extend_args {
	__u64	extend_ns;
};

/**
 * SEF_WATCH_STRICT - only a pong that names the ping counts; see SEF_IOC_PONG
 */
#define SEF_WATCH_STRICT	0x00000001
/**
 * SEF_WATCH_PIDFD - the service is named by its process
 */
#define SEF_WATCH_PIDFD		0x00000002

/**
 * struct sef_watch_args - argument of SEF_IOC_WATCH
 * @id: in: the service; with SEF_WATCH_PIDFD the service of that process with
 *	the lowest id above @id; out: the service's id.
 * @cookie: in: handed back with every event of this watch.
 * @period_ns: in: a service that gave no sign of life for this long is
 *	pinged; SEF_TIME_MIN_NS to SEF_TIME_MAX_NS.
 * @timeout_ns: in: a ping not answered for this long is a miss; the same
 *	bounds. It may exceed the period: a watch has one ping of its own
 *	outstanding at most.
 * @grace_ns: in: until the first pong that the watch learns of, no deadline is
 *	earlier than this long after SEF_IOC_WATCH. 0 for none.
 * @slack_ns: in: how much later than due a ping may be sent, so that those of
 *	many watches are sent together; up to @period_ns. 0: a 64th of @period_ns, but
 *	1 ms at most. Deadlines and steps have no slack.
 * @extend_ns: in: how long after its first SEF_IOC_EXTEND since its last pong the
 *	service may have at most. 0: the watch grants nothing.
 * @kill_ns: in: SIGKILL is sent this long after the deadline whose miss made the
 *	service unresponsive. 0 for never.
 * @last_ns: in: @last is done this long after SIGKILL was due, or without
 *	@kill_ns after that deadline, to a service that is still neither alive
 *	nor dead. 0 without @last. Each comes at least half of its
 *	time after the step before, however late that was.
 * @tolerate: in: how many misses in a row are only late. With 0 the first
 *	is unresponsive.
 * @flags: in: a mask of SEF_WATCH_*.
 * @excuse: in: a mask of SEF_EXCUSE(): a ping missed for one of these causes
 *	is late but not counted as a miss, and no step is taken while one
 *	holds. Where the machine stalled the service is given that time once more.
 * @signal: in: a signal sent at the verdict unresponsive; 0 for none.
 * @last: in: an enum sef_last.
 * @pidfd: in: with SEF_WATCH_PIDFD a pidfd of the process; otherwise 0.
 * @pid: in: with SEF_WATCH_PIDFD the pid of the same process; otherwise 0.
 * @__reserved: in: 0.
 *
 * @signal, @kill_ns and @last are the steps of the escalation. The kernel takes
 * them itself, whatever becomes of the supervisor's process; they end with a
 * pong, with the service, and with the watch.
 */
struct sef_watch_args {
	__u64	id;
	__u64	cookie;
	__u64	period_ns;
	__u64	timeout_ns;
	__u64	slack_ns;
	__u64	grace_ns;
	__u64	extend_ns;
	__u64	kill_ns;
	__u64	last_ns;
	__u32	tolerate;
	__u32	flags;
	__u32	excuse;
	__u32	signal;
	__u32	last;
	__s32	pidfd;
	__s32	pid;
	__u32	__reserved;
};

/**
 * struct sef_newcomers_args - argument of SEF_IOC_NEWCOMERS
 * @on: in: 1 to be told, 0 no longer.
 * @flags: in: 0.
 */
struct sef_newcomers_args {
	__u32	on;
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

/**
 * SEF_STATUS_NEXT - the service with the lowest id above @id, not @id itself
 */
#define SEF_STATUS_NEXT		0x00000001
/**
 * SEF_STATUS_WORST - in place of this file's watch the one that thinks worst of the
 * service, whichever file has it: that with the highest state, and of those the one
 * with the shortest timeout. Its cookie is told to its own file only
 */
#define SEF_STATUS_WORST	0x00000002

/**
 * struct sef_status_args - argument of SEF_IOC_STATUS
 * @id: in: a service, or where to go on; out: the service told of.
 * @flags: in: a mask of SEF_STATUS_*; out: the same.
 * @state: out: an enum sef_state: of this file's watch; without one
 *	SEF_STATE_UNWATCHED, or SEF_STATE_DEAD for a process that has ended and
 *	that its parent has not waited for.
 * @pid: out: the process, or the registered thread; also after it ended, when
 *	the number may be another's. 0 where the caller's pid namespace has
 *	none for it.
 * @uid: out: the user who opened the service's file, as the caller's user
 *	namespace has it.
 * @reply: out: an enum sef_reply.
 * @wait_status: out: in SEF_STATE_DEAD the status, as wait(2) gives it; of a
 *	thread 0 where the kernel no longer knows.
 * @ping_seq: out: the seq of the last ping sent; 0 before the first.
 * @pong_seq: out: the last seq answered; 0 before the first.
 * @age_ns: out: time since the service registered.
 * @silent_ns: out: time since its last pong, or since it registered.
 * @rtt_ns: out: from ping to pong, of the last pong that answered one: from
 *	the first ping that had no answer yet, or, where a pong before it named an
 *	older ping, from the last. 0 before the first.
 * @watches: out: how many watches the service has, over all files.
 * @misses: out: misses in a row of this file's watch, 0 without one.
 * @why: out: an enum sef_why: of the last ping missed since the last pong.
 * @excused: out: misses that this file's watch excused since the last pong.
 * @credit_ns: out: time that this file's watch has given back, since it began,
 *	because the machine stalled or was suspended.
 * @cookie: out: the setting of this file's watch, see struct sef_watch_args,
 *	as are the next twelve.
 * @period_ns: out: setting.
 * @timeout_ns: out: setting.
 * @slack_ns: out: setting.
 * @grace_ns: out: setting.
 * @extend_ns: out: setting.
 * @kill_ns: out: setting.
 * @last_ns: out: setting.
 * @tolerate: out: setting.
 * @watch_flags: out: setting: SEF_WATCH_STRICT or 0.
 * @excuse: out: setting.
 * @signal: out: setting.
 * @last: out: setting.
 * @service_flags: out: SEF_REGISTER_THREAD for a thread, SEF_REGISTER_PIDFD for a
 *	process that another one answers for, or 0.
 * @missed: out: pings missed and not excused, by all watches since the service
 *	registered; as the next three it goes on from 0 after 4294967295.
 * @verdicts: out: how often a watch has found it unresponsive since then.
 * @steps: out: signals sent to it by a watch since then, SIGKILL included.
 * @denied: out: steps due since then and not taken, see SEF_EVENT_DENIED.
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
	__u32	excused;
	__u64	credit_ns;
	__u64	cookie;
	__u64	period_ns;
	__u64	timeout_ns;
	__u64	slack_ns;
	__u64	grace_ns;
	__u64	extend_ns;
	__u64	kill_ns;
	__u64	last_ns;
	__u32	tolerate;
	__u32	watch_flags;
	__u32	excuse;
	__u32	signal;
	__u32	last;
	__u32	service_flags;
	__u32	missed;
	__u32	verdicts;
	__u32	steps;
	__u32	denied;
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
 * smaller than the record. EPERM: the caller is not the service. ESRCH: the process
 * that the caller answers for has ended, of which poll tells by EPOLLHUP.
 */
struct sef_request {
	__u32	type;
	__u32	__reserved;
	__u64	seq;
	__u64	left_ns;
};

/**
 * SEF_EVENT_PONG - a ping asked for with SEF_IOC_PING was answered
 */
#define SEF_EVENT_PONG		0x00000001
/**
 * SEF_EVENT_SIGNAL - the watch's signal was sent
 */
#define SEF_EVENT_SIGNAL	0x00000002
/**
 * SEF_EVENT_KILL - SIGKILL was sent
 */
#define SEF_EVENT_KILL		0x00000004
/**
 * SEF_EVENT_DENIED - a step was due, and not taken: the service has other
 * credentials than when the watch began, or than when it registered, and under these
 * the supervisor, or who registered it, may not signal it
 */
#define SEF_EVENT_DENIED	0x00000008
/**
 * SEF_EVENT_NEWCOMER - no watch's event: services have registered, the first
 * of them @id; SEF_IOC_STATUS with SEF_STATUS_NEXT from @id - 1 tells which. Of
 * the other fields only @age_ns and @changes (how many) are set.
 */
#define SEF_EVENT_NEWCOMER	0x00000010

/**
 * struct sef_event - what read() on a supervisor's file gives
 * @id: the service.
 * @cookie: as given to SEF_IOC_WATCH.
 * @seq: the last ping answered or missed, 0 for none.
 * @asked_seq: with SEF_EVENT_PONG the ping of SEF_IOC_PING that was answered;
 *	otherwise 0.
 * @age_ns: how long ago the last of the changes was, when read.
 * @silent_ns: how long the service had been silent at that change, at a pong
 *	before it.
 * @rtt_ns: with SEF_EVENT_PONG: from that ping to its pong; otherwise 0.
 * @flags: a mask of SEF_EVENT_*: what happened since the last read.
 * @state: an enum sef_state: the state now.
 * @passed: a mask of (1 << state): the state after each of the changes.
 * @changes: how many changes this record stands for, 1 or more.
 * @misses: misses in a row at the last change.
 * @why: an enum sef_why: of the last ping missed that the record tells of.
 * @pid: the process, or the registered thread; 0 where the reader's pid namespace
 *	has no number for it.
 * @wait_status: in SEF_STATE_DEAD the status, as wait(2) gives it; of a thread 0
 *	where the kernel no longer knows.
 * @tid: with @why the thread looked at, as in struct sef_why_args; otherwise 0.
 * @syscall: with @why the system call it was in, as there; otherwise -1.
 *
 * A change is a state entered (WAITING apart), one more miss while late, a step of
 * the escalation, or a ping that was asked for answered. A watch has one record:
 * further changes before it is read go into the same one, so none is ever lost
 * and nothing overflows.
 *
 * A read gives as many whole records as fit. It waits for the first, or fails
 * with EAGAIN on a non-blocking file. EINVAL: the buffer is smaller than one
 * record.
 */
struct sef_event {
	__u64	id;
	__u64	cookie;
	__u64	seq;
	__u64	asked_seq;
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
	__s32	tid;
	__s32	syscall;
};

/**
 * SEF_STACK_SIZE - bytes of a kernel stack as text, the closing NUL included
 */
#define SEF_STACK_SIZE		1024

/**
 * SEF_KNOWN_WINDOW - there were two looks, @window_ns apart: the clocks and counts
 * of struct sef_why_args tell what happened in between
 */
#define SEF_KNOWN_WINDOW	0x00000001
/**
 * SEF_KNOWN_WAITED - the kernel counts how long threads wait for a CPU
 */
#define SEF_KNOWN_WAITED	0x00000002
/**
 * SEF_KNOWN_SYSCALL - the thread was in @syscall
 */
#define SEF_KNOWN_SYSCALL	0x00000004
/**
 * SEF_KNOWN_STACK - @stack is the thread's
 */
#define SEF_KNOWN_STACK		0x00000008

/**
 * struct sef_why_args - argument of SEF_IOC_WHY
 * @id: in: a service that this file watches.
 * @seq: out: the ping that was missed: the last one of this watch.
 * @age_ns: out: how long ago its deadline was looked at.
 * @window_ns: out: from the first look to the second, at the deadline; 0 if there
 *	was one only.
 * @user_ns: out: CPU time in user mode, between the looks.
 * @kernel_ns: out: CPU time in the kernel, between the looks. Where the kernel
 *	counts in ticks, both are a tick or two off.
 * @waited_ns: out: time runnable without a CPU, between the looks.
 * @voluntary: out: how often it went to sleep, between the looks.
 * @involuntary: out: how often it lost the CPU to others, between the looks.
 * @flags: in: 0; out: the same.
 * @known: out: a mask of SEF_KNOWN_*; what it lacks is 0, -1 or empty below.
 * @why: out: an enum sef_why.
 * @tid: out: the thread looked at. 0 where it has no number in the caller's pid
 *	namespace, which must be the first one, or its own.
 * @state: out: the letter that /proc/PID/stat had for it at the deadline; 0 if there
 *	was no thread any more.
 * @syscall: out: the number of the system call that it was in, of its own ABI; or
 *	-1: it was in none, or that is not known, or not for the caller.
 * @stack: out: where it slept in the kernel, innermost first, one function a line
 *	as in /proc/PID/stack, the first 13. Kept until it has run and then lets
 *	another ping come close to its deadline.
 *
 * Who may know the system call: of a thread that was dumpable (see prctl(2)), with
 * CAP_SYS_PTRACE in its user namespace, or with its user and group ids and all its
 * capabilities; of any other with CAP_SYS_PTRACE in the first user namespace. The
 * stack takes the same and CAP_SYS_ADMIN, of whoever made the watch and of the
 * caller; is of a thread that slept; and is known from Linux 6.7 on, but not on 32-bit
 * Arm.
 */
struct sef_why_args {
	__u64	id;
	__u64	seq;
	__u64	age_ns;
	__u64	window_ns;
	__u64	user_ns;
	__u64	kernel_ns;
	__u64	waited_ns;
	__u64	voluntary;
	__u64	involuntary;
	__u32	flags;
	__u32	known;
	__u32	why;
	__s32	tid;
	__u32	state;
	__s32	syscall;
	char	stack[SEF_STACK_SIZE];
};

/**
 * SEF_LATENCY_BUCKETS - of the histogram in struct sef_latency_args
 */
#define SEF_LATENCY_BUCKETS	32
/**
 * SEF_LATENCY_UNIT_NS - what its first bucket is below
 */
#define SEF_LATENCY_UNIT_NS	1024ULL

/**
 * SEF_LATENCY_RESET - begin anew, and tell what there was until now
 */
#define SEF_LATENCY_RESET	0x00000001

/**
 * struct sef_latency_args - argument of SEF_IOC_LATENCY
 * @id: in: the service.
 * @flags: in: 0 or SEF_LATENCY_RESET; out: the same.
 * @__reserved: in: 0; out: 0.
 * @since_ns: out: how long has been counted: since the service registered, or
 *	since the last reset.
 * @count: out: how many pongs answered a ping.
 * @sum_ns: out: from ping to pong, of all of them: the mean is @sum_ns / @count. As
 *	in struct sef_status_args, from the first ping that had no answer.
 * @min_ns: out: the shortest; 0 if there was none.
 * @max_ns: out: the longest.
 * @headroom_ns: out: the least time that was left at a pong before the deadline of
 *	a watch that waited for it; 0 if a deadline was ever missed, U64_MAX
 *	if none was ever met.
 * @buckets: out: how many took less than SEF_LATENCY_UNIT_NS << n and not less
 *	than half of that, for the n-th of them; the first has all below
 *	SEF_LATENCY_UNIT_NS, the last all that is left. One is full at
 *	4294967295, and counts no further.
 */
struct sef_latency_args {
	__u64	id;
	__u32	flags;
	__u32	__reserved;
	__u64	since_ns;
	__u64	count;
	__u64	sum_ns;
	__u64	min_ns;
	__u64	max_ns;
	__u64	headroom_ns;
	__u32	buckets[SEF_LATENCY_BUCKETS];
};

/**
 * struct sef_page - what a service shares with the kernel: pongs by store
 * @ping_seq: the seq of the last ping, its low 32 bits. The kernel stores it, with
 *	release.
 * @pong_seq: the seq of the ping that is answered, and with it every earlier
 *	one. The service stores it, with release. Anything that is not the seq of
 *	a ping sent and not answered yet is ignored.
 * @__reserved1: keeps what the kernel writes and what the service writes apart.
 * @__reserved2: not used.
 *
 * mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) of a
 * service's file. While it is mapped, a ping is published there at once, and the
 * eventfd, poll and read tell of it only when half the timeout has gone by
 * without an answer. So a service that is busy, and looks at the page each time it
 * comes round, is never woken; and one that waits for work is woken as before,
 * and may answer by either way.
 *
 * The kernel finds a pong at its own next look, which is in time for the deadline.
 * When it was stored is not known: silence is counted from the ping that it
 * answers, and SEF_IOC_LATENCY knows nothing of it. Not lazy are the pings of
 * a strict watch, which takes SEF_IOC_PONG only; nor is a SEF_IOC_PING, whose answer
 * is found sooner if it is a SEF_IOC_PONG.
 *
 * A mapping is not inherited by fork, nor dumped; it can't be executed. It keeps the
 * file open as a descriptor does. Whoever can write there can pong: all threads
 * of the process.
 *
 * What is stored counts by the reply policy that there is when the kernel looks.
 *
 * mmap fails with EBADFD: not a service's file. EPERM: the caller is not the
 * service; PROT_EXEC. EACCES: PROT_WRITE, of a file not open for writing. EINVAL: not
 * one page from offset 0 on; not MAP_SHARED; of a file not open for writing. ENODEV: a
 * machine whose caches may hold one page twice, as some old Arm ones. ENOMEM.
 */
struct sef_page {
	__u32	ping_seq;
	__u32	__reserved1[31];
	__u32	pong_seq;
	__u32	__reserved2[31];
};

#ifndef __KERNEL__
/**
 * sef_page_pong - answer the last ping, if it has no answer yet
 * @page: of the calling process's service.
 * @last: what this returned last, at first 0. Where several threads call it, what
 *	@page->pong_seq is: the store of one may come after another's, of a later
 *	ping, and undo it, and then only a call that sees that mends it.
 *
 * One load; and one store if there was a ping since.
 */
static __inline__ __u32 sef_page_pong(struct sef_page *page, __u32 last)
{
	__u32 seq = __atomic_load_n(&page->ping_seq, __ATOMIC_ACQUIRE);

	if (seq != last)
		__atomic_store_n(&page->pong_seq, seq, __ATOMIC_RELEASE);
	return seq;
}
#endif

#define SEF_IOC_MAGIC		0xD9

/**
 * SEF_IOC_REGISTER - the calling process becomes a service
 *
 * The service is the process, whichever of its threads calls. It stays one
 * through exec, if the file is not close-on-exec. What a fork leaves in the
 * child is not the service. With SEF_REGISTER_THREAD it is the calling thread:
 * only its own calls count, and it is dead when the thread ends.
 *
 * With SEF_REGISTER_PIDFD the service is a process that the caller may signal, and
 * the caller is its proxy: pings, read, mmap and the calls of a service are the
 * proxy's, and wherever "the caller is not the service" stands below, the proxy is
 * who it may be. All else is the process's own: who may see it, the cause of its
 * silence, its end, and the steps taken against it. It makes no difference to those
 * who watch whether it or its proxy falls silent. A proxy that closes the file lets
 * the service be gone; when one has ended, the service is silent to who watches
 * it, until it ends too, and for others it does not exist.
 *
 * EBUSY: the file has a role. EBADF: @eventfd or @pidfd is not an open descriptor.
 * EINVAL: @eventfd is not an eventfd; no such reply policy; a name that is
 * empty or has no NUL; @pidfd is not a pidfd, or not of @pid. EPERM: a process that
 * the caller may not signal. ESRCH: no process @pid, or one that has ended. ENOSPC:
 * the user's limit of services, or the process's, is reached. ENOMEM.
 */
#define SEF_IOC_REGISTER	_IOWR(SEF_IOC_MAGIC, 0x01, struct sef_register_args)

/**
 * SEF_IOC_PONG - the service answers
 *
 * A strict watch takes a pong only if its seq is that of its last ping, or a later
 * one's: 0 is no answer to it, and no sign of life. While one waits, a ping that
 * was answered with 0 only can still be read, and answered by its seq.
 *
 * EBADFD: not a service's file. EPERM: the caller is not the service.
 * EINVAL: no ping has that seq. ESTALE: that ping was answered before. ESRCH: the
 * process that the caller answers for has ended.
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
 * SEF_IOC_EXTEND - the service asks for more time
 *
 * While it starts or does something long. A deadline that is earlier is put
 * off to @extend_ns from now, by each watch within its own limit, until the next
 * pong. It is no sign of life.
 *
 * EBADFD: not a service's file. EPERM: the caller is not the service.
 * EINVAL: a time out of bounds. ESRCH: the process that the caller answers for has
 * ended.
 */
#define SEF_IOC_EXTEND		_IOWR(SEF_IOC_MAGIC, 0x04, struct sef_extend_args)

/**
 * SEF_IOC_WATCH - watch a service, or change how
 *
 * A service that gave a sign of life less than a period ago is alive at once;
 * any other is pinged at once. On a service that this file watches already
 * the settings change together. Times that change count from now: @timeout_ns for
 * a ping outstanding, @period_ns for the next ping, @kill_ns or @last_ns for the
 * next step if it is theirs; those given as they were run on. With another @extend_ns,
 * or another @grace_ns while the state is WAITING, a ping outstanding has its timeout
 * once more. Misses stay counted, and the state is what the new @tolerate makes of
 * them; but a service that an excuse holds for is not made unresponsive by that.
 *
 * Permission is that of signal 0, asked when the watch is made or changed; it
 * goes on when the service's credentials change. A step asks once more for what
 * kill(2) would ask of the caller's credentials as they are now, security modules
 * apart. @last needs CAP_SYS_BOOT.
 *
 * EBADFD: a service's file. EBADF: @pidfd is not an open descriptor. EINVAL: a
 * time out of bounds; no such flag, cause, signal or last step; @last without
 * its time, or the other way round; @pidfd is not a pidfd, or not of @pid.
 * EPERM: @last without CAP_SYS_BOOT; a step against the init of the caller's own
 * pid namespace; to change a watch: a service that the caller may not signal.
 * ESRCH: no process @pid; no such service, or none that the caller may see; to
 * change a watch: the process has ended. ENOSPC: the user's limit of watches or
 * of pings is reached; or 1024 watches of one service, without CAP_KILL 960. ENOMEM.
 */
#define SEF_IOC_WATCH		_IOWR(SEF_IOC_MAGIC, 0x10, struct sef_watch_args)

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
 * unanswered, the newest one's. Silence is a miss, as of any ping. Where the
 * watch has one outstanding already, that one's deadline holds, and this one
 * has none of its own.
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

/**
 * SEF_IOC_NEWCOMERS - be told of every service that registers
 *
 * Those that the caller may see, from now on, as an event with
 * SEF_EVENT_NEWCOMER. One that is gone again within a moment may be left out.
 * Makes the file a supervisor's, as SEF_IOC_WATCH does.
 *
 * EBADFD: a service's file. EINVAL: @on is neither 0 nor 1. ENOSPC: the user's
 * limit of watches is reached, of which this is one.
 */
#define SEF_IOC_NEWCOMERS	_IOW(SEF_IOC_MAGIC, 0x14, struct sef_newcomers_args)

/**
 * SEF_IOC_WHY - what was seen of a service when it missed its last ping
 *
 * Also after a pong, and after its death, until this file's watch ends. Pings that
 * other watches sent are theirs.
 *
 * EBADFD: not a supervisor's file. ENOENT: this file does not watch it.
 * ENODATA: no ping was missed since the watch began. EINVAL: an unknown flag.
 * ENOMEM.
 */
#define SEF_IOC_WHY		_IOWR(SEF_IOC_MAGIC, 0x15, struct sef_why_args)

/**
 * SEF_IOC_LATENCY - how long a service takes to answer; takes no role
 *
 * Who sees a service by SEF_IOC_STATUS sees this too. To begin anew takes the
 * permission to signal it.
 *
 * EINVAL: an unknown flag. EPERM: to begin anew, of a service that this file
 * watches and that the caller may not signal, or no more. ESRCH: no such service.
 */
#define SEF_IOC_LATENCY		_IOWR(SEF_IOC_MAGIC, 0x16, struct sef_latency_args)

#endif /* _UAPI_LINUX_SEF_H */
