/* SPDX-License-Identifier: GPL-2.0 */
/* To ask one service, now: what ping and check do. */
#ifndef SEFCTL_ASK_H
#define SEFCTL_ASK_H

#include "sefctl.h"

enum answer {
	ANSWER_NONE,	/* nothing yet */
	ANSWER_PONG,
	ANSWER_MISSED,
	ANSWER_ENDED,	/* dead or gone */
};

/*
 * A watch that does not ping by itself, and that a miss only makes late. Each is told,
 * but with an @excuse no more than the first one that it excuses. False if the service
 * has just ended.
 */
bool ask_begin(int fd, const struct sef_status_args *status, uint64_t timeout_ns,
	       uint32_t excuse);
/* The ping's seq; 0 if the service has ended, of which there is an event. */
uint64_t ask(int fd, const struct sef_status_args *status);
/* What an event of that watch says of the ping @seq. */
enum answer ask_answer(const struct sef_event *event, uint64_t seq);

/* "asleep in system call 230". */
#define CAUSE_SIZE	64
const char *cause(char shown[CAUSE_SIZE], const struct sef_event *event);

#endif /* SEFCTL_ASK_H */
