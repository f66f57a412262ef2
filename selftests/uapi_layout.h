/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The layout of <linux/sef.h> for every caller, checked when it is compiled: as
 * C99, as C++, for 32 bits, and as the tests are.
 */
#ifndef UAPI_LAYOUT_H
#define UAPI_LAYOUT_H

#include <stddef.h>

#include <linux/sef.h>
#include <linux/sef.h>	/* twice does no harm */

#define LAYOUT_SIZE(type, size) \
	extern char size_of_##type[sizeof(struct type) == (size) ? 1 : -1]
#define LAYOUT_AT(type, field, offset) \
	extern char at_##type##_##field[offsetof(struct type, field) == (offset) ? 1 : -1]

LAYOUT_SIZE(sef_register_args, 64);
LAYOUT_AT(sef_register_args, flags, 0);
LAYOUT_AT(sef_register_args, reply, 4);
LAYOUT_AT(sef_register_args, eventfd, 8);
LAYOUT_AT(sef_register_args, pidfd, 12);
LAYOUT_AT(sef_register_args, pid, 16);
LAYOUT_AT(sef_register_args, __reserved, 20);
LAYOUT_AT(sef_register_args, name, 24);
LAYOUT_AT(sef_register_args, id, 56);

LAYOUT_SIZE(sef_pong_args, 8);
LAYOUT_AT(sef_pong_args, seq, 0);

LAYOUT_SIZE(sef_set_reply_args, 8);
LAYOUT_AT(sef_set_reply_args, reply, 0);
LAYOUT_AT(sef_set_reply_args, flags, 4);

LAYOUT_SIZE(sef_extend_args, 8);
LAYOUT_AT(sef_extend_args, extend_ns, 0);

LAYOUT_SIZE(sef_watch_args, 104);
LAYOUT_AT(sef_watch_args, id, 0);
LAYOUT_AT(sef_watch_args, cookie, 8);
LAYOUT_AT(sef_watch_args, period_ns, 16);
LAYOUT_AT(sef_watch_args, timeout_ns, 24);
LAYOUT_AT(sef_watch_args, slack_ns, 32);
LAYOUT_AT(sef_watch_args, grace_ns, 40);
LAYOUT_AT(sef_watch_args, extend_ns, 48);
LAYOUT_AT(sef_watch_args, kill_ns, 56);
LAYOUT_AT(sef_watch_args, last_ns, 64);
LAYOUT_AT(sef_watch_args, tolerate, 72);
LAYOUT_AT(sef_watch_args, flags, 76);
LAYOUT_AT(sef_watch_args, excuse, 80);
LAYOUT_AT(sef_watch_args, signal, 84);
LAYOUT_AT(sef_watch_args, last, 88);
LAYOUT_AT(sef_watch_args, pidfd, 92);
LAYOUT_AT(sef_watch_args, pid, 96);
LAYOUT_AT(sef_watch_args, __reserved, 100);

LAYOUT_SIZE(sef_newcomers_args, 8);
LAYOUT_AT(sef_newcomers_args, on, 0);
LAYOUT_AT(sef_newcomers_args, flags, 4);

LAYOUT_SIZE(sef_unwatch_args, 8);
LAYOUT_AT(sef_unwatch_args, id, 0);

LAYOUT_SIZE(sef_ping_args, 16);
LAYOUT_AT(sef_ping_args, id, 0);
LAYOUT_AT(sef_ping_args, seq, 8);

LAYOUT_SIZE(sef_status_args, 232);
LAYOUT_AT(sef_status_args, id, 0);
LAYOUT_AT(sef_status_args, flags, 8);
LAYOUT_AT(sef_status_args, state, 12);
LAYOUT_AT(sef_status_args, pid, 16);
LAYOUT_AT(sef_status_args, uid, 20);
LAYOUT_AT(sef_status_args, reply, 24);
LAYOUT_AT(sef_status_args, wait_status, 28);
LAYOUT_AT(sef_status_args, ping_seq, 32);
LAYOUT_AT(sef_status_args, pong_seq, 40);
LAYOUT_AT(sef_status_args, age_ns, 48);
LAYOUT_AT(sef_status_args, silent_ns, 56);
LAYOUT_AT(sef_status_args, rtt_ns, 64);
LAYOUT_AT(sef_status_args, watches, 72);
LAYOUT_AT(sef_status_args, misses, 76);
LAYOUT_AT(sef_status_args, why, 80);
LAYOUT_AT(sef_status_args, excused, 84);
LAYOUT_AT(sef_status_args, credit_ns, 88);
LAYOUT_AT(sef_status_args, cookie, 96);
LAYOUT_AT(sef_status_args, period_ns, 104);
LAYOUT_AT(sef_status_args, timeout_ns, 112);
LAYOUT_AT(sef_status_args, slack_ns, 120);
LAYOUT_AT(sef_status_args, grace_ns, 128);
LAYOUT_AT(sef_status_args, extend_ns, 136);
LAYOUT_AT(sef_status_args, kill_ns, 144);
LAYOUT_AT(sef_status_args, last_ns, 152);
LAYOUT_AT(sef_status_args, tolerate, 160);
LAYOUT_AT(sef_status_args, watch_flags, 164);
LAYOUT_AT(sef_status_args, excuse, 168);
LAYOUT_AT(sef_status_args, signal, 172);
LAYOUT_AT(sef_status_args, last, 176);
LAYOUT_AT(sef_status_args, service_flags, 180);
LAYOUT_AT(sef_status_args, missed, 184);
LAYOUT_AT(sef_status_args, verdicts, 188);
LAYOUT_AT(sef_status_args, steps, 192);
LAYOUT_AT(sef_status_args, denied, 196);
LAYOUT_AT(sef_status_args, name, 200);

LAYOUT_SIZE(sef_request, 24);
LAYOUT_AT(sef_request, type, 0);
LAYOUT_AT(sef_request, __reserved, 4);
LAYOUT_AT(sef_request, seq, 8);
LAYOUT_AT(sef_request, left_ns, 16);

LAYOUT_SIZE(sef_event, 96);
LAYOUT_AT(sef_event, id, 0);
LAYOUT_AT(sef_event, cookie, 8);
LAYOUT_AT(sef_event, seq, 16);
LAYOUT_AT(sef_event, asked_seq, 24);
LAYOUT_AT(sef_event, age_ns, 32);
LAYOUT_AT(sef_event, silent_ns, 40);
LAYOUT_AT(sef_event, rtt_ns, 48);
LAYOUT_AT(sef_event, flags, 56);
LAYOUT_AT(sef_event, state, 60);
LAYOUT_AT(sef_event, passed, 64);
LAYOUT_AT(sef_event, changes, 68);
LAYOUT_AT(sef_event, misses, 72);
LAYOUT_AT(sef_event, why, 76);
LAYOUT_AT(sef_event, pid, 80);
LAYOUT_AT(sef_event, wait_status, 84);
LAYOUT_AT(sef_event, tid, 88);
LAYOUT_AT(sef_event, syscall, 92);

LAYOUT_SIZE(sef_why_args, 1120);
LAYOUT_AT(sef_why_args, id, 0);
LAYOUT_AT(sef_why_args, seq, 8);
LAYOUT_AT(sef_why_args, age_ns, 16);
LAYOUT_AT(sef_why_args, window_ns, 24);
LAYOUT_AT(sef_why_args, user_ns, 32);
LAYOUT_AT(sef_why_args, kernel_ns, 40);
LAYOUT_AT(sef_why_args, waited_ns, 48);
LAYOUT_AT(sef_why_args, voluntary, 56);
LAYOUT_AT(sef_why_args, involuntary, 64);
LAYOUT_AT(sef_why_args, flags, 72);
LAYOUT_AT(sef_why_args, known, 76);
LAYOUT_AT(sef_why_args, why, 80);
LAYOUT_AT(sef_why_args, tid, 84);
LAYOUT_AT(sef_why_args, state, 88);
LAYOUT_AT(sef_why_args, syscall, 92);
LAYOUT_AT(sef_why_args, stack, 96);

LAYOUT_SIZE(sef_latency_args, 192);
LAYOUT_AT(sef_latency_args, id, 0);
LAYOUT_AT(sef_latency_args, flags, 8);
LAYOUT_AT(sef_latency_args, __reserved, 12);
LAYOUT_AT(sef_latency_args, since_ns, 16);
LAYOUT_AT(sef_latency_args, count, 24);
LAYOUT_AT(sef_latency_args, sum_ns, 32);
LAYOUT_AT(sef_latency_args, min_ns, 40);
LAYOUT_AT(sef_latency_args, max_ns, 48);
LAYOUT_AT(sef_latency_args, headroom_ns, 56);
LAYOUT_AT(sef_latency_args, buckets, 64);

LAYOUT_SIZE(sef_page, 256);
LAYOUT_AT(sef_page, ping_seq, 0);
LAYOUT_AT(sef_page, pong_seq, 128);

#endif /* UAPI_LAYOUT_H */
