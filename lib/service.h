/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a service the library alone knows. */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "sef.h"

/*
 * All is set when it is opened and never changes, but for @page, which is set
 * once: so threads need no lock.
 */
struct sef_service {
	int fd;		/* of /dev/sef, or an eventfd that nobody writes to */
	pid_t pid;	/* who opened it */
	uint64_t id;	/* 0: not supervised */
	_Atomic(struct sef_page *) page;	/* NULL until asked for */
};

#endif /* SERVICE_H */
