// SPDX-License-Identifier: GPL-2.0
/* To ask one service, now: what ping and check do. */
#include <errno.h>

#include "ask.h"

bool ask_begin(int fd, const struct sef_status_args *status, uint64_t timeout_ns,
	       uint32_t excuse)
{
	struct sef_watch_args watch;

	/* Who gave a sign of life within a day is not pinged for the watch's own sake. */
	sef_watch_init(&watch, SEF_TIME_MAX_NS, timeout_ns);
	watch.tolerate = UINT32_MAX;
	watch.excuse = excuse;
	return watch_service(fd, &watch, status);
}

uint64_t ask(int fd, const struct sef_status_args *status)
{
	char shown[SHOWN_SIZE];
	uint64_t seq;

	if (!sef_ping(fd, status->id, &seq))
		return seq;
	if (errno == ESRCH)
		return 0;
	fail_sef("cannot ping '%s'", escape(shown, status->name));
}

enum answer ask_answer(const struct sef_event *event, uint64_t seq)
{
	if (event->flags & SEF_EVENT_PONG && event->asked_seq == seq)
		return ANSWER_PONG;
	if (event->state == SEF_STATE_DEAD || event->state == SEF_STATE_GONE)
		return ANSWER_ENDED;
	return event->state == SEF_STATE_LATE ? ANSWER_MISSED : ANSWER_NONE;
}

const char *cause(char shown[CAUSE_SIZE], const struct sef_event *event)
{
	if (event->syscall >= 0)
		snprintf(shown, CAUSE_SIZE, "%s, in system call %d", sef_why_name(event->why),
			 event->syscall);
	else
		snprintf(shown, CAUSE_SIZE, "%s", sef_why_name(event->why));
	return shown;
}
