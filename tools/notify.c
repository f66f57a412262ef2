// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of sd_notify(3), taken apart: functions of their arguments alone, for
 * bytes that anybody may have sent.
 */
#include <string.h>

#include "notify.h"

/* With a '=' at its end a value follows. */
static const struct key {
	const char *text;
	unsigned int says;
} keys[] = {
	{ "READY=1",			NOTIFY_READY },
	{ "RELOADING=1",		NOTIFY_RELOADING },
	{ "STOPPING=1",			NOTIFY_STOPPING },
	{ "WATCHDOG=1",			NOTIFY_ALIVE },
	{ "WATCHDOG=trigger",		NOTIFY_TRIGGER },
	{ "STATUS=",			NOTIFY_STATUS },
	{ "EXTEND_TIMEOUT_USEC=",	NOTIFY_EXTEND },
	{ "WATCHDOG_USEC=",		NOTIFY_TIMEOUT },
	{ "BARRIER=1",			NOTIFY_BARRIER },
	{ "MONOTONIC_USEC=",		NOTIFY_OTHER },
	{ "ERRNO=",			NOTIFY_OTHER },
	{ "BUSERROR=",			NOTIFY_OTHER },
};

/* What a line says, 0 if nothing that is known; its value, if it has one. */
static unsigned int look_up(struct notify_text line, struct notify_text *value)
{
	size_t i, len;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		len = strlen(keys[i].text);
		if (line.len < len || memcmp(line.at, keys[i].text, len))
			continue;
		if (keys[i].text[len - 1] != '=' && line.len != len)
			continue;
		value->at = line.at + len;
		value->len = line.len - len;
		return keys[i].says;
	}
	return 0;
}

/* The next line of what is left; false if there is none. */
static bool next_line(struct notify_text *rest, struct notify_text *line)
{
	const char *end;

	if (!rest->len)
		return false;
	end = memchr(rest->at, '\n', rest->len);
	line->at = rest->at;
	line->len = end ? (size_t)(end - rest->at) : rest->len;
	rest->at += line->len + (end ? 1 : 0);
	rest->len -= line->len + (end ? 1 : 0);
	return true;
}

static bool to_number(struct notify_text digits, uint64_t *number)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < digits.len; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return false;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, digits.at[i] - '0', &n))
			return false;
	}
	*number = n;
	return digits.len > 0;
}

static void take(struct notify *notify, unsigned int says, struct notify_text line,
		 struct notify_text value)
{
	if (notify->says & says)
		return;
	if (says == NOTIFY_STATUS)
		notify->status = value;
	if ((says == NOTIFY_EXTEND && !to_number(value, &notify->extend_us)) ||
	    (says == NOTIFY_TIMEOUT && !to_number(value, &notify->timeout_us))) {
		if (!notify->bad.at)
			notify->bad = line;
		return;
	}
	notify->says |= says;
}

/* Some send the NUL of their string too. */
static struct notify_text without_nul(const char *message, size_t len)
{
	struct notify_text text = { message, len };

	if (len && !message[len - 1])
		text.len--;
	return text;
}

bool notify_parse(const char *message, size_t len, struct notify *notify)
{
	struct notify_text rest = without_nul(message, len), line, value;

	*notify = (struct notify) { 0 };
	if (!rest.len || rest.len > NOTIFY_SIZE || memchr(rest.at, '\0', rest.len))
		return false;
	while (next_line(&rest, &line))
		take(notify, look_up(line, &value), line, value);
	return true;
}

size_t notify_pick(const char *message, size_t len, unsigned int which, char *out)
{
	struct notify_text rest = without_nul(message, len), line, value;
	size_t n = 0;

	while (next_line(&rest, &line)) {
		if (!(look_up(line, &value) & which))
			continue;
		if (n)
			out[n++] = '\n';
		memcpy(out + n, line.at, line.len);
		n += line.len;
	}
	return n;
}
