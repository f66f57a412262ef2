// SPDX-License-Identifier: LGPL-2.1-or-later
/* States, causes and reply policies in words. */
#include "sef.h"

#define NAME(names, n)	name(names, sizeof(names) / sizeof((names)[0]), n)

static const char *const states[] = {
	[SEF_STATE_UNWATCHED]	 = "unwatched",
	[SEF_STATE_WAITING]	 = "waiting",
	[SEF_STATE_ALIVE]	 = "alive",
	[SEF_STATE_LATE]	 = "late",
	[SEF_STATE_UNRESPONSIVE] = "unresponsive",
	[SEF_STATE_DEAD]	 = "dead",
	[SEF_STATE_GONE]	 = "gone",
};

static const char *const causes[] = {
	[SEF_WHY_UNKNOWN]	= "unknown",
	[SEF_WHY_NULL_REPLY]	= "null reply policy",
	[SEF_WHY_STOPPED]	= "stopped",
	[SEF_WHY_TRACED]	= "traced",
	[SEF_WHY_FROZEN]	= "frozen",
	[SEF_WHY_STARVED]	= "starved",
	[SEF_WHY_STALLED]	= "machine stalled",
	[SEF_WHY_SPUN_USER]	= "spinning in user mode",
	[SEF_WHY_SPUN_KERNEL]	= "spinning in the kernel",
	[SEF_WHY_BLOCKED]	= "blocked",
	[SEF_WHY_ASLEEP]	= "asleep",
	[SEF_WHY_EXITING]	= "exiting",
};

static const char *const replies[] = {
	[SEF_REPLY_PONG]	= "pong",
	[SEF_REPLY_NULL]	= "null",
};

static const char *name(const char *const *names, size_t count, uint32_t n)
{
	return n < count ? names[n] : "unknown";
}

const char *sef_state_name(uint32_t state)
{
	return NAME(states, state);
}

const char *sef_why_name(uint32_t why)
{
	return NAME(causes, why);
}

const char *sef_reply_name(uint32_t reply)
{
	return NAME(replies, reply);
}
