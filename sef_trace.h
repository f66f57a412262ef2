/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: the life of a service and of its pings. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sef

#if !defined(_SEF_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _SEF_TRACE_H

#include <linux/ctype.h>
#include <linux/tracepoint.h>

#include "sef_ping.h"

#ifndef _SEF_TRACE_NAME
#define _SEF_TRACE_NAME
/* Names come from whoever registers: what does not print becomes '?'. */
static inline void sef_trace_name(char *to, const char *name)
{
	int i;

	for (i = 0; i < SEF_NAME_SIZE; i++)
		to[i] = !name[i] || (isascii(name[i]) && isprint(name[i])) ?
			name[i] : '?';
}
#endif

/* For the formats only, so that trace tools can print names. */
TRACE_DEFINE_ENUM(SEF_STATE_WAITING);
TRACE_DEFINE_ENUM(SEF_STATE_ALIVE);
TRACE_DEFINE_ENUM(SEF_STATE_LATE);
TRACE_DEFINE_ENUM(SEF_STATE_UNRESPONSIVE);
TRACE_DEFINE_ENUM(SEF_STATE_DEAD);
TRACE_DEFINE_ENUM(SEF_STATE_GONE);
TRACE_DEFINE_ENUM(SEF_PONG_NOW);
TRACE_DEFINE_ENUM(SEF_PONG_NAMED);
TRACE_DEFINE_ENUM(SEF_PONG_STORED);
TRACE_DEFINE_ENUM(SEF_WHY_UNKNOWN);
TRACE_DEFINE_ENUM(SEF_WHY_NULL_REPLY);
TRACE_DEFINE_ENUM(SEF_WHY_STOPPED);
TRACE_DEFINE_ENUM(SEF_WHY_TRACED);
TRACE_DEFINE_ENUM(SEF_WHY_FROZEN);
TRACE_DEFINE_ENUM(SEF_WHY_STARVED);
TRACE_DEFINE_ENUM(SEF_WHY_STALLED);
TRACE_DEFINE_ENUM(SEF_WHY_SPUN_USER);
TRACE_DEFINE_ENUM(SEF_WHY_SPUN_KERNEL);
TRACE_DEFINE_ENUM(SEF_WHY_BLOCKED);
TRACE_DEFINE_ENUM(SEF_WHY_ASLEEP);
TRACE_DEFINE_ENUM(SEF_WHY_EXITING);

#define sef_show_state(state)					\
	__print_symbolic(state,					\
			 { SEF_STATE_WAITING, "waiting" },	\
			 { SEF_STATE_ALIVE, "alive" },		\
			 { SEF_STATE_LATE, "late" },		\
			 { SEF_STATE_UNRESPONSIVE, "unresponsive" }, \
			 { SEF_STATE_DEAD, "dead" },		\
			 { SEF_STATE_GONE, "gone" })

#define sef_show_how(how)					\
	__print_symbolic(how,					\
			 { SEF_PONG_NOW, "now" },		\
			 { SEF_PONG_NAMED, "named" },		\
			 { SEF_PONG_STORED, "stored" })

#define sef_show_why(why)					\
	__print_symbolic(why,					\
			 { SEF_WHY_UNKNOWN, "unknown" },	\
			 { SEF_WHY_NULL_REPLY, "null reply policy" }, \
			 { SEF_WHY_STOPPED, "stopped" },	\
			 { SEF_WHY_TRACED, "traced" },		\
			 { SEF_WHY_FROZEN, "frozen" },		\
			 { SEF_WHY_STARVED, "starved" },	\
			 { SEF_WHY_STALLED, "machine stalled" }, \
			 { SEF_WHY_SPUN_USER, "spinning in user mode" }, \
			 { SEF_WHY_SPUN_KERNEL, "spinning in the kernel" }, \
			 { SEF_WHY_BLOCKED, "blocked" },	\
			 { SEF_WHY_ASLEEP, "asleep" },		\
			 { SEF_WHY_EXITING, "exiting" })

/* Who answers is the service, or @proxy for it. */
TRACE_EVENT(sef_register,
	TP_PROTO(const struct sef_service *svc),
	TP_ARGS(svc),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(pid_t, pid)
		__field(pid_t, proxy)
		__field(bool, thread)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = svc->id;
		__entry->pid = pid_nr(svc->pid);
		__entry->proxy = sef_service_is_proxied(svc) ?
				 pid_nr(svc->owner) : 0;
		__entry->thread = svc->type == PIDTYPE_PID;
		sef_trace_name(__entry->name, svc->name);
	),
	TP_printk("id=%llu name=%s pid=%d thread=%d proxy=%d",
		  __entry->id, __entry->name, __entry->pid, __entry->thread,
		  __entry->proxy)
);

/* Dead, with its wait status, or gone. */
TRACE_EVENT(sef_exit,
	TP_PROTO(const struct sef_service *svc),
	TP_ARGS(svc),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, state)
		__field(int, wait_status)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = svc->id;
		__entry->state = svc->end;
		__entry->wait_status = svc->exit_code;
		sef_trace_name(__entry->name, svc->name);
	),
	TP_printk("id=%llu name=%s state=%s wait_status=%#x",
		  __entry->id, __entry->name, sef_show_state(__entry->state),
		  __entry->wait_status)
);

TRACE_EVENT(sef_ping,
	TP_PROTO(const struct sef_service *svc),
	TP_ARGS(svc),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, seq)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = svc->id;
		__entry->seq = svc->ping_seq;
		sef_trace_name(__entry->name, svc->name);
	),
	TP_printk("id=%llu name=%s seq=%llu",
		  __entry->id, __entry->name, __entry->seq)
);

/* Before it is recorded: what it answers, and how late, is still to be had. */
TRACE_EVENT(sef_pong,
	TP_PROTO(const struct sef_service *svc, u64 seq, enum sef_pong how,
		 ktime_t now),
	TP_ARGS(svc, seq, how, now),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, seq)
		__field(u64, rtt_ns)
		__field(u32, how)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = svc->id;
		__entry->seq = seq;
		__entry->rtt_ns = seq > svc->pong_seq && how != SEF_PONG_STORED ?
				  ktime_to_ns(ktime_sub(now, svc->asked_time)) : 0;
		__entry->how = how;
		sef_trace_name(__entry->name, svc->name);
	),
	TP_printk("id=%llu name=%s seq=%llu rtt_ns=%llu how=%s",
		  __entry->id, __entry->name, __entry->seq, __entry->rtt_ns,
		  sef_show_how(__entry->how))
);

/* The first, at half the timeout. */
TRACE_EVENT(sef_look,
	TP_PROTO(const struct sef_watch *watch),
	TP_ARGS(watch),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, cookie)
		__field(u64, seq)
		__field(pid_t, tid)
		__array(char, task_state, 2)	/* perf's reader knows no %c */
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = watch->service->id;
		__entry->cookie = watch->set.cookie;
		__entry->seq = watch->seq;
		__entry->tid = watch->look.tid;
		__entry->task_state[0] = watch->look.state ?: '-';
		__entry->task_state[1] = '\0';
		sef_trace_name(__entry->name, watch->service->name);
	),
	TP_printk("id=%llu name=%s cookie=%llu seq=%llu tid=%d task_state=%s",
		  __entry->id, __entry->name, __entry->cookie, __entry->seq,
		  __entry->tid, __entry->task_state)
);

TRACE_EVENT(sef_miss,
	TP_PROTO(const struct sef_watch *watch, u64 seq),
	TP_ARGS(watch, seq),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, cookie)
		__field(u64, seq)
		__field(u32, misses)
		__field(u32, excused)
		__field(u32, why)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = watch->service->id;
		__entry->cookie = watch->set.cookie;
		__entry->seq = seq;
		__entry->misses = watch->misses;
		__entry->excused = watch->excused;
		__entry->why = watch->why;
		sef_trace_name(__entry->name, watch->service->name);
	),
	TP_printk("id=%llu name=%s cookie=%llu seq=%llu misses=%u excused=%u why=%s",
		  __entry->id, __entry->name, __entry->cookie, __entry->seq,
		  __entry->misses, __entry->excused, sef_show_why(__entry->why))
);

/* Before the state is changed, so that both are to be had. */
TRACE_EVENT(sef_verdict,
	TP_PROTO(const struct sef_watch *watch, enum sef_state state),
	TP_ARGS(watch, state),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, cookie)
		__field(u32, old_state)
		__field(u32, state)
		__field(u32, misses)
		__field(u32, why)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = watch->service->id;
		__entry->cookie = watch->set.cookie;
		__entry->old_state = watch->state;
		__entry->state = state;
		__entry->misses = watch->misses;
		__entry->why = watch->why;
		sef_trace_name(__entry->name, watch->service->name);
	),
	TP_printk("id=%llu name=%s cookie=%llu old_state=%s state=%s misses=%u why=%s",
		  __entry->id, __entry->name, __entry->cookie,
		  sef_show_state(__entry->old_state),
		  sef_show_state(__entry->state), __entry->misses,
		  sef_show_why(__entry->why))
);

TRACE_EVENT(sef_step,
	TP_PROTO(const struct sef_watch *watch, int sig, bool denied),
	TP_ARGS(watch, sig, denied),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, cookie)
		__field(int, sig)
		__field(bool, denied)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = watch->service->id;
		__entry->cookie = watch->set.cookie;
		__entry->sig = sig;
		__entry->denied = denied;
		sef_trace_name(__entry->name, watch->service->name);
	),
	TP_printk("id=%llu name=%s cookie=%llu sig=%d denied=%d",
		  __entry->id, __entry->name, __entry->cookie, __entry->sig,
		  __entry->denied)
);

#endif /* _SEF_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE sef_trace
#include <trace/define_trace.h>
