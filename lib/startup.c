// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The System Event Framework by its MINIX names: a service for the process as a
 * whole, and poll(2) that deals with its pings.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "service.h"

/* As many descriptors as sef_receive() has room for without asking for memory. */
#define FEW	16

static _Atomic(struct sef_service *) self;
static _Atomic(sef_cb_ping_reply_t) ping_reply = SEF_CB_PING_REPLY_DEFAULT;
static char service_name[SEF_NAME_SIZE];

static int fail(int err)
{
	errno = err;
	return -1;
}

/* What a child inherited is not its own. */
static bool started(void)
{
	struct sef_service *service = atomic_load(&self);

	return service && service->pid == getpid();
}

int sef_cb_ping_reply_pong(const struct sef_request *request)
{
	struct sef_service *service = atomic_load(&self);
	int ret;

	if (!service)
		return fail(EBADFD);
	ret = sef_service_pong(service, request->seq);
	/* Answered meanwhile. */
	return ret && errno == ESTALE ? 0 : ret;
}

int sef_cb_ping_reply_null(const struct sef_request *request)
{
	(void)request;
	return 0;
}

int sef_setcb_ping_reply(sef_cb_ping_reply_t cb)
{
	if (!cb)
		return fail(EINVAL);
	if (started())
		return fail(EBUSY);
	atomic_store(&ping_reply, cb);
	return 0;
}

int sef_setname(const char *name)
{
	if (!name || !*name || strnlen(name, SEF_NAME_SIZE) == SEF_NAME_SIZE)
		return fail(EINVAL);
	if (started())
		return fail(EBUSY);
	memcpy(service_name, name, strlen(name) + 1);
	return 0;
}

static struct sef_service *open_self(void)
{
	sef_cb_ping_reply_t cb = atomic_load(&ping_reply);
	char name[SEF_NAME_SIZE];

	snprintf(name, sizeof(name), "%s", service_name[0] ? service_name :
		 program_invocation_short_name);
	return sef_service_open(name, cb == SEF_CB_PING_REPLY_NULL ?
				SEF_REPLY_NULL : SEF_REPLY_PONG, 0);
}

int sef_startup(void)
{
	struct sef_service *old = atomic_load(&self), *new;

	if (started())
		return fail(EBUSY);
	new = open_self();
	if (!new)
		return -1;
	if (!atomic_compare_exchange_strong(&self, &old, new)) {
		/* Another thread was faster. */
		sef_service_close(new);
		return fail(EBUSY);
	}
	sef_service_close(old);
	return 0;
}

struct sef_service *sef_self(void)
{
	return atomic_load(&self);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* What is left of @timeout at @end, as poll(2) wants it. */
static int ms_left(int timeout, long long end)
{
	long long left;

	if (timeout <= 0)
		return timeout;
	left = end - now_ms();
	if (left > timeout)
		return timeout;
	return left > 0 ? left : 0;
}

static int deal_with_ping(struct sef_service *service)
{
	struct sef_request request;
	int ret = sef_service_request(service, &request);

	return ret > 0 ? atomic_load(&ping_reply)(&request) : ret;
}

/* @all is room for the caller's @fds and, first, the service's own. */
static int receive(struct sef_service *service, struct pollfd *all,
		   struct pollfd *fds, nfds_t nfds, int timeout)
{
	/* A millisecond more: none is to come back early. */
	long long end = timeout > 0 ? now_ms() + timeout + 1 : 0;
	nfds_t i;
	int n;

	all[0] = (struct pollfd) { .fd = service->fd, .events = POLLIN };
	if (nfds)
		memcpy(all + 1, fds, nfds * sizeof(*fds));
	do {
		n = poll(all, nfds + 1, ms_left(timeout, end));
		if (n < 0)
			return -1;
		if (all[0].revents) {
			n--;
			if (deal_with_ping(service))
				return -1;
		}
	} while (!n && timeout && (timeout < 0 || now_ms() < end));
	for (i = 0; i < nfds; i++)
		fds[i].revents = all[i + 1].revents;
	return n;
}

int sef_receive(struct pollfd *fds, nfds_t nfds, int timeout)
{
	struct sef_service *service = atomic_load(&self);
	struct pollfd few[FEW], *all = few;
	int ret;

	if (!service)
		return fail(EBADFD);
	if (nfds >= FEW) {
		if (nfds >= INT_MAX)
			return fail(EINVAL);
		all = calloc(nfds + 1, sizeof(*all));
		if (!all)
			return -1;
	}
	ret = receive(service, all, fds, nfds, timeout);
	if (all != few)
		free(all);
	return ret;
}
