/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libsef: liveness pings, for services and for supervisors.
 *
 * A thin layer over /dev/sef. What a call of the device means, and every field
 * of the structs, is in <linux/sef.h>; this says what the library adds to it.
 *
 * Rules for every function, where it says nothing else:
 *
 * - 0 or more is success; -1 is failure, and errno says which. A function that
 *   gives a pointer gives NULL then. ENOMEM may come from any that opens or maps.
 * - Times are lengths in nanoseconds, names end in _ns. sef_receive() alone
 *   counts in milliseconds, as poll(2) does.
 * - Any thread may call it, at the same time as others. None is safe in a
 *   signal handler, but sef_service_alive() and sef_service_answer().
 * - None waits, but sef_receive(), and sef_read_events() on a blocking file.
 *
 * See libsef(3).
 */
#ifndef SEF_H
#define SEF_H

#include <linux/sef.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The service: "I can be asked whether I am alive".
 */

/*
 * struct sef_service: a registered service, or one that nobody can ask.
 *
 * The process that opened it is the service, or its proxy; with SEF_REGISTER_THREAD
 * the thread. A child that inherits it is not, and is told EPERM.
 */
struct sef_service;

/**
 * sef_service_open - register as a service
 * @name: what people call it: 1 to 31 bytes.
 * @reply: an enum sef_reply, as a rule SEF_REPLY_PONG.
 * @flags: 0, or SEF_REGISTER_THREAD for the calling thread alone.
 *
 * Where sef.ko is not loaded, a service goes on unsupervised: this says so, once
 * for each process (see sef_set_log()), and gives a service of id 0. With that one
 * all calls below succeed and do nothing, and its descriptor is never readable. So
 * it is where opening /dev/sef fails with ENOENT, ENXIO or ENODEV, and only then:
 * EACCES, say, is a failure.
 *
 * EINVAL: a name that is NULL, empty or too long; no such reply policy; an unknown
 * flag. ENOSPC: the user's limit of services is reached. Or what open(2) says.
 */
struct sef_service *sef_service_open(const char *name, uint32_t reply,
				     uint32_t flags);

/**
 * sef_service_open_pidfd - register another process, and answer for it
 * @name: what people call it: 1 to 31 bytes.
 * @reply: an enum sef_reply.
 * @flags: 0.
 * @pidfd: the process, which the caller may signal. It may be closed then.
 * @pid: its pid.
 *
 * The caller is its proxy: the calls below are the caller's, who answers as long as
 * it finds the process well. Its end, the cause of its silence, and what is done
 * about it are the process's own; see SEF_IOC_REGISTER. Where sef.ko is not
 * loaded, as by sef_service_open(): nothing is then known of the process.
 *
 * EBADF: @pidfd is not open. EINVAL: it is no pidfd, or not of @pid; a flag; or
 * as by sef_service_open(). EPERM: a process that the caller may not signal. ESRCH:
 * it has ended. ENOSPC: the user's limit of services is reached. Or what open(2)
 * says.
 */
struct sef_service *sef_service_open_pidfd(const char *name, uint32_t reply,
					   uint32_t flags, int pidfd, pid_t pid);

/**
 * sef_service_close - be a service no longer
 * @service: or NULL. No other thread may use it any more, nor its page.
 *
 * Its watches learn that it is gone. Leaves errno alone.
 */
void sef_service_close(struct sef_service *service);

/**
 * sef_service_id - the service's id; 0 if it is not supervised
 * @service: the service.
 */
uint64_t sef_service_id(const struct sef_service *service);

/**
 * sef_service_fd - the descriptor for one's own poll loop
 * @service: keeps it: don't close it, nor read it.
 *
 * Readable (POLLIN) means that a ping waits: call sef_service_answer(). It is
 * non-blocking and close-on-exec.
 */
int sef_service_fd(const struct sef_service *service);

/**
 * sef_service_answer - answer the ping that waits, if one does
 * @service: the service.
 *
 * Also 0 if none waits. Strict watches accept it. EPERM: the caller is not the
 * service.
 */
int sef_service_answer(struct sef_service *service);

/**
 * sef_service_alive - say "alive now", asked or not: a heartbeat
 * @service: the service.
 *
 * It answers every ping there is, but is nothing to a strict watch. EPERM: the
 * caller is not the service.
 */
int sef_service_alive(struct sef_service *service);

/**
 * sef_service_request - take the ping that waits, to answer it later or not at all
 * @service: the service.
 * @request: out: the ping; its time left is request->left_ns.
 *
 * 1, or 0 if none waits. From then on the descriptor is not readable until the next
 * ping. EPERM: the caller is not the service.
 */
int sef_service_request(struct sef_service *service, struct sef_request *request);

/**
 * sef_service_pong - answer a ping that was taken, and every earlier one
 * @service: the service.
 * @seq: request->seq.
 *
 * ESTALE: it was answered before. EINVAL: no ping has that seq. EPERM: the caller
 * is not the service.
 */
int sef_service_pong(struct sef_service *service, uint64_t seq);

/**
 * sef_service_extend - ask for more time, for something that takes long
 * @service: the service.
 * @extend_ns: from now; SEF_TIME_MIN_NS to SEF_TIME_MAX_NS.
 * @granted_ns: out: how much every watch has granted; may be NULL. All of it where
 *	there is no watch.
 *
 * EINVAL: a time out of bounds. EPERM: the caller is not the service.
 */
int sef_service_extend(struct sef_service *service, uint64_t extend_ns,
		       uint64_t *granted_ns);

/**
 * sef_service_set_reply - change the reply policy
 * @service: the service.
 * @reply: an enum sef_reply.
 *
 * EINVAL: no such policy. EPERM: the caller is not the service.
 */
int sef_service_set_reply(struct sef_service *service, uint32_t reply);

/**
 * sef_service_page - map the page for pongs by store
 * @service: keeps it, until it is closed. Every call gives the same address.
 *
 * In a loop that is always busy, with @last at first 0, in each thread its own:
 *
 *	last = sef_page_pong(page, last);
 *
 * costs one load a turn, and one store for each ping. A child after fork does not
 * have the page. EPERM: the caller is not the service. ENODEV: this machine's caches
 * may hold one page twice, so none can be shared. Or what mmap(2) says.
 */
struct sef_page *sef_service_page(struct sef_service *service);

/**
 * sef_set_log - who is told that this process goes on unsupervised
 * @log: gets one line, without a newline, in the thread that opens the service;
 *	NULL: nobody. At first it is written to stderr.
 */
void sef_set_log(void (*log)(const char *line));

/*
 * The supervisor: a plain descriptor of /dev/sef. Poll it for POLLIN; close(2) it,
 * and its watches end. Nothing here goes on without sef.ko.
 */

/**
 * sef_supervisor_open - open /dev/sef, to watch and to look
 * @flags: 0, or O_NONBLOCK for sef_read_events() that does not wait.
 *
 * The descriptor, close-on-exec. Where sef.ko is not loaded: ENOENT, ENXIO or
 * ENODEV. EINVAL: another flag. Or what open(2) says.
 */
int sef_supervisor_open(int flags);

/**
 * sef_watch_init - settings to begin with
 * @watch: out: all else is 0: no grace, no extension, no steps.
 * @period_ns: a service silent for this long is pinged.
 * @timeout_ns: a ping not answered for this long is a miss.
 *
 * One miss is tolerated, and SEF_EXCUSE_DEFAULT is excused.
 */
void sef_watch_init(struct sef_watch_args *watch, uint64_t period_ns,
		    uint64_t timeout_ns);

/**
 * sef_watch - watch the service watch->id, or change how
 * @fd: the supervisor.
 * @watch: the settings.
 *
 * Errors: see SEF_IOC_WATCH.
 */
int sef_watch(int fd, struct sef_watch_args *watch);

/**
 * sef_watch_pidfd - watch the service of a process
 * @fd: the supervisor.
 * @pidfd: the process.
 * @watch: the settings; of its services that with the lowest id above watch->id,
 *	at first 0. Out: watch->id.
 *
 * Needs /proc, for the pid. EBADF: @pidfd is not open. EINVAL: it is no pidfd.
 * ESRCH: the process has ended, or is no service. Else as sef_watch().
 */
int sef_watch_pidfd(int fd, int pidfd, struct sef_watch_args *watch);

/**
 * sef_watch_name - watch the one service of that name
 * @fd: the supervisor.
 * @name: anyone who may open /dev/sef may register under any name: a supervisor
 *	that many users' services are open to had better look at the uid too, see
 *	sef_find_status().
 * @watch: the settings. Out: watch->id.
 *
 * ESRCH: none has the name. ENOTUNIQ: more than one has; none is watched. Else as
 * sef_watch().
 */
int sef_watch_name(int fd, const char *name, struct sef_watch_args *watch);

/**
 * sef_unwatch - end a watch, unread events of it included
 * @fd: the supervisor.
 * @id: the service.
 *
 * ENOENT: not watched by @fd.
 */
int sef_unwatch(int fd, uint64_t id);

/**
 * sef_ping - ping a watched service once, now
 * @fd: the supervisor.
 * @id: the service.
 * @seq: out: the ping's seq, which is the event's asked_seq; may be NULL.
 *
 * ENOENT: not watched by @fd. ESRCH: it is dead or gone.
 */
int sef_ping(int fd, uint64_t id, uint64_t *seq);

/**
 * sef_read_events - read events
 * @fd: the supervisor.
 * @events: out: room for @n.
 * @n: 1 or more.
 *
 * How many; on a non-blocking file 0 if there is none. EINTR: a signal came while it
 * waited. EBADFD: @fd watches nothing yet.
 */
int sef_read_events(int fd, struct sef_event *events, size_t n);

/**
 * sef_newcomers - be told of every service that registers, as an event
 * @fd: the supervisor.
 * @on: 1, or 0 for no longer.
 *
 * Errors: see SEF_IOC_NEWCOMERS.
 */
int sef_newcomers(int fd, int on);

/**
 * sef_get_status - look at a service
 * @fd: any descriptor of /dev/sef.
 * @id: the service.
 * @status: out.
 *
 * ESRCH: no such service, or none that the caller may see.
 */
int sef_get_status(int fd, uint64_t id, struct sef_status_args *status);

/**
 * sef_next_status - walk the services
 * @fd: any descriptor of /dev/sef.
 * @status: in: status->id, at first 0; status->flags, at first 0 or
 *	SEF_STATUS_WORST; out: the service with the next id.
 *
 * 1, or 0 if there is no further one:
 *
 *	struct sef_status_args status = {0};
 *
 *	while (sef_next_status(fd, &status) > 0)
 *		puts(status.name);
 */
int sef_next_status(int fd, struct sef_status_args *status);

/**
 * sef_find_status - walk the services of one name, those dead or gone left out
 * @fd: any descriptor of /dev/sef.
 * @name: the name.
 * @status: as for sef_next_status().
 *
 * 1, or 0 if there is no further one.
 */
int sef_find_status(int fd, const char *name, struct sef_status_args *status);

/**
 * sef_get_why - what was seen of a service when it missed its last ping
 * @fd: the supervisor.
 * @id: the service.
 * @why: out.
 *
 * ENODATA: it missed none since the watch began. ENOENT: not watched by @fd.
 */
int sef_get_why(int fd, uint64_t id, struct sef_why_args *why);

/**
 * sef_get_latency - how long a service takes to answer
 * @fd: any descriptor of /dev/sef.
 * @id: the service.
 * @flags: 0, or SEF_LATENCY_RESET to begin anew.
 * @latency: out.
 *
 * EINVAL: an unknown flag. EPERM: to begin anew, of a service that the caller may
 * not signal. ESRCH: no such service, or none that the caller may see.
 */
int sef_get_latency(int fd, uint64_t id, uint32_t flags,
		    struct sef_latency_args *latency);

/**
 * sef_state_name - an enum sef_state in words, such as "unresponsive"
 * @state: one that this library does not know: "unknown".
 */
const char *sef_state_name(uint32_t state);

/**
 * sef_why_name - an enum sef_why in words, such as "spinning in user mode"
 * @why: SEF_WHY_UNKNOWN, and one that this library does not know: "unknown".
 */
const char *sef_why_name(uint32_t why);

/**
 * sef_reply_name - an enum sef_reply in words: "pong" or "null"
 * @reply: one that this library does not know: "unknown".
 */
const char *sef_reply_name(uint32_t reply);

/*
 * The System Event Framework by the names it has in MINIX 3: one service a
 * process. What to do upon a ping is said before sef_startup(); from then on
 * sef_receive() does it, wherever the program waits for its messages.
 */

/**
 * typedef sef_cb_ping_reply_t - what to do upon a ping
 * @request: the ping.
 *
 * MINIX hands it the endpoint to reply to. Here that is always the kernel, and what
 * an answer has to name is the ping: request->seq. request->left_ns is how long
 * there is until the first deadline. 0, or -1 and errno, which sef_receive()
 * then gives to its caller.
 */
typedef int (*sef_cb_ping_reply_t)(const struct sef_request *request);

/**
 * sef_cb_ping_reply_pong - answer, in the name of this process's service
 * @request: the ping. One that was answered meanwhile is no failure.
 *
 * EBADFD: before sef_startup(). Else as sef_service_pong().
 */
int sef_cb_ping_reply_pong(const struct sef_request *request);

/**
 * sef_cb_ping_reply_null - do nothing
 * @request: the ping.
 *
 * Set as the callback it makes the reply policy SEF_REPLY_NULL, which is then the
 * cause that supervisors are told.
 */
int sef_cb_ping_reply_null(const struct sef_request *request);

/**
 * SEF_CB_PING_REPLY_DEFAULT - the callback where none is set
 */
#define SEF_CB_PING_REPLY_DEFAULT	sef_cb_ping_reply_pong
/**
 * SEF_CB_PING_REPLY_NULL - the callback that does nothing
 */
#define SEF_CB_PING_REPLY_NULL		sef_cb_ping_reply_null

/**
 * sef_setcb_ping_reply - say what to do upon a ping
 * @cb: one of the two above; or one's own, which calls sef_cb_ping_reply_pong()
 *	if all is well.
 *
 * EBUSY: after sef_startup(). EINVAL: NULL.
 */
int sef_setcb_ping_reply(sef_cb_ping_reply_t cb);

/**
 * sef_setname - the service's name; without it the program's, its first 31 bytes
 * @name: 1 to 31 bytes; it is copied.
 *
 * EBUSY: after sef_startup(). EINVAL: NULL, empty or too long. Not while another
 * thread is in here, or in sef_startup().
 */
int sef_setname(const char *name);

/**
 * sef_startup - this process becomes a service
 *
 * Without sef.ko it goes on unsupervised, as by sef_service_open(), whose errors it
 * has. EBUSY: it is one already. A child after fork may call it for itself.
 */
int sef_startup(void);

/**
 * sef_self - the service of sef_startup(), NULL before
 *
 * For sef_service_extend() and the like. Don't close it.
 */
struct sef_service *sef_self(void);

/**
 * sef_receive - poll(2), and pings are dealt with meanwhile
 * @fds: what the caller waits for; NULL with @nfds 0.
 * @nfds: how many.
 * @timeout: in milliseconds, for all of it, however many pings come; -1: no limit.
 *
 * As poll(2): how many of @fds have something to tell, 0 at the timeout. A ping that
 * waits is dealt with first. EBADFD: before sef_startup(). EINTR: a signal came.
 * EPERM: the caller is a child of the service. Or what the callback says, or
 * poll(2). Not to be called by the callback.
 */
int sef_receive(struct pollfd *fds, nfds_t nfds, int timeout);

#ifdef __cplusplus
}
#endif

#endif /* SEF_H */
