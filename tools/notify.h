/* SPDX-License-Identifier: GPL-2.0 */
/* What a service says of itself by sd_notify(3): its datagrams, taken apart. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest datagram that is looked at; systemd has the same limit. */
#define NOTIFY_SIZE	4096

/* What may be said in one. */
#define NOTIFY_READY		0x001	/* READY=1 */
#define NOTIFY_RELOADING	0x002	/* RELOADING=1 */
#define NOTIFY_STOPPING		0x004	/* STOPPING=1 */
#define NOTIFY_ALIVE		0x008	/* WATCHDOG=1 */
#define NOTIFY_TRIGGER		0x010	/* WATCHDOG=trigger */
#define NOTIFY_STATUS		0x020	/* STATUS=..., in @status */
#define NOTIFY_EXTEND		0x040	/* EXTEND_TIMEOUT_USEC=n, in @extend_us */
#define NOTIFY_TIMEOUT		0x080	/* WATCHDOG_USEC=n, in @timeout_us */
#define NOTIFY_BARRIER		0x100	/* BARRIER=1, with a descriptor to close */
#define NOTIFY_OTHER		0x200	/* of use to a service manager only */

/* Of a datagram, which it does not outlive; not ended by a NUL. */
struct notify_text {
	const char *at;
	size_t len;
};

struct notify {
	unsigned int says;	/* a mask of NOTIFY_* */
	uint64_t extend_us;
	uint64_t timeout_us;
	struct notify_text status;
	struct notify_text bad;	/* the first line whose value is no number */
};

/*
 * Takes any bytes. False: this is no message: empty, too long, or with a NUL before
 * its end. Lines that nobody here knows are passed over. Of two that say the same the
 * first that is sound counts.
 */
bool notify_parse(const char *message, size_t len, struct notify *notify);

/*
 * Those lines of a message that say one of @which, into @out, which has room for the
 * whole message. How many bytes that is.
 */
size_t notify_pick(const char *message, size_t len, unsigned int which, char *out);

#endif /* NOTIFY_H */
