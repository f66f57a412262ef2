/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: the life of a ping. All are hit under the service's lock. */
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
TRACE_DEFINE_ENUM(SEF_WHY_UNKNOWN);
TRACE_DEFINE_ENUM(SEF_WHY_NULL_REPLY);
TRACE_DEFINE_ENUM(SEF_WHY_STOPPED);
TRACE_DEFINE_ENUM(SEF_WHY_TRACED);
TRACE_DEFINE_ENUM(SEF_WHY_FROZEN);
TRACE_DEFINE_ENUM(SEF_WHY_STARVED);
TRACE_DEFINE_ENUM(SEF_WHY_STALLED);

#define sef_show_state(state)					\
	__print_symbolic(state,					\
			 { SEF_STATE_WAITING, "waiting" },	\
			 { SEF_STATE_ALIVE, "alive" },		\
			 { SEF_STATE_LATE, "late" },		\
			 { SEF_STATE_UNRESPONSIVE, "unresponsive" }, \
			 { SEF_STATE_DEAD, "dead" },		\
			 { SEF_STATE_GONE, "gone" })

#define sef_show_why(why)					\
	__print_symbolic(why,					\
			 { SEF_WHY_UNKNOWN, "unknown" },	\
			 { SEF_WHY_NULL_REPLY, "null reply policy" }, \
			 { SEF_WHY_STOPPED, "stopped" },	\
			 { SEF_WHY_TRACED, "traced" },		\
			 { SEF_WHY_FROZEN, "frozen" },		\
			 { SEF_WHY_STARVED, "starved" },	\
			 { SEF_WHY_STALLED, "machine stalled" })

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

TRACE_EVENT(sef_pong,
	TP_PROTO(const struct sef_service *svc),
	TP_ARGS(svc),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, seq)
		__field(u64, rtt_ns)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = svc->id;
		__entry->seq = svc->pong_seq;
		__entry->rtt_ns = svc->rtt_ns;
		sef_trace_name(__entry->name, svc->name);
	),
	TP_printk("id=%llu name=%s seq=%llu rtt_ns=%llu",
		  __entry->id, __entry->name, __entry->seq, __entry->rtt_ns)
);

TRACE_EVENT(sef_miss,
	TP_PROTO(const struct sef_watch *watch, u64 seq),
	TP_ARGS(watch, seq),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, seq)
		__field(u32, misses)
		__field(u32, why)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = watch->service->id;
		__entry->seq = seq;
		__entry->misses = watch->misses;
		__entry->why = watch->why;
		sef_trace_name(__entry->name, watch->service->name);
	),
	TP_printk("id=%llu name=%s seq=%llu misses=%u why=%s",
		  __entry->id, __entry->name, __entry->seq, __entry->misses,
		  sef_show_why(__entry->why))
);

/* Before the state is changed, so that both are to be had. */
TRACE_EVENT(sef_verdict,
	TP_PROTO(const struct sef_watch *watch, enum sef_state state),
	TP_ARGS(watch, state),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, old_state)
		__field(u32, state)
		__field(u32, misses)
		__field(u32, why)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = watch->service->id;
		__entry->old_state = watch->state;
		__entry->state = state;
		__entry->misses = watch->misses;
		__entry->why = watch->why;
		sef_trace_name(__entry->name, watch->service->name);
	),
	TP_printk("id=%llu name=%s %s -> %s misses=%u why=%s",
		  __entry->id, __entry->name,
		  sef_show_state(__entry->old_state),
		  sef_show_state(__entry->state), __entry->misses,
		  sef_show_why(__entry->why))
);

TRACE_EVENT(sef_step,
	TP_PROTO(const struct sef_watch *watch, int sig, bool denied),
	TP_ARGS(watch, sig, denied),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(int, sig)
		__field(bool, denied)
		__array(char, name, SEF_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->id = watch->service->id;
		__entry->sig = sig;
		__entry->denied = denied;
		sef_trace_name(__entry->name, watch->service->name);
	),
	TP_printk("id=%llu name=%s sig=%d%s",
		  __entry->id, __entry->name, __entry->sig,
		  __entry->denied ? " denied" : "")
);

#endif /* _SEF_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE sef_trace
#include <trace/define_trace.h>
