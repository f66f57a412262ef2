// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The service's side.
 *
 * A service that is not supervised has an eventfd in place of the device, and id 0.
 * It still refuses what the kernel would refuse of anyone, so that a program
 * tried out without sef.ko does not first fail with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service.h"

/* A struct that grows needs a new version of each function that takes it. */
_Static_assert(sizeof(struct sef_request) == 24, "sef_service_request");
_Static_assert(sizeof(struct sef_page) == 256, "sef_service_page");

static void log_to_stderr(const char *line)
{
	dprintf(STDERR_FILENO, "%s\n", line);
}

static _Atomic(void (*)(const char *line)) log_line = log_to_stderr;
static atomic_flag said = ATOMIC_FLAG_INIT;

void sef_set_log(void (*log)(const char *line))
{
	atomic_store(&log_line, log);
}

static void say_unsupervised(int err, pid_t pid)
{
	void (*log)(const char *line) = atomic_load(&log_line);
	char line[160];

	if (!log || atomic_flag_test_and_set(&said))
		return;
	errno = err;
	snprintf(line, sizeof(line),
		 "libsef: /dev/sef: %m: process %d goes on unsupervised; to change that, load sef.ko and start it again",
		 (int)pid);
	log(line);
}

static int invalid(void)
{
	errno = EINVAL;
	return -1;
}

static int check_args(const char *name, uint32_t reply)
{
	if (!name || !*name || strnlen(name, SEF_NAME_SIZE) == SEF_NAME_SIZE ||
	    reply > SEF_REPLY_NULL)
		return invalid();
	return 0;
}

/* 0, or -1 and errno; what was opened is in @service either way. */
static int attach(struct sef_service *service, struct sef_register_args *args)
{
	service->fd = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (service->fd >= 0) {
		if (ioctl(service->fd, SEF_IOC_REGISTER, args))
			return -1;
		service->id = args->id;
		return 0;
	}
	if (errno != ENOENT && errno != ENXIO && errno != ENODEV)
		return -1;
	say_unsupervised(errno, args->pid ? args->pid : getpid());
	service->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return service->fd < 0 ? -1 : 0;
}

/* @name and @args are sound. */
static struct sef_service *open_service(const char *name, struct sef_register_args *args)
{
	struct sef_service *service = calloc(1, sizeof(*service));

	if (!service)
		return NULL;
	memcpy(args->name, name, strlen(name));
	service->pid = getpid();
	if (attach(service, args)) {
		sef_service_close(service);
		return NULL;
	}
	return service;
}

struct sef_service *sef_service_open(const char *name, uint32_t reply,
				     uint32_t flags)
{
	struct sef_register_args args = {
		.flags = flags,
		.reply = reply,
		.eventfd = -1,
	};

	if (flags & ~SEF_REGISTER_THREAD)
		invalid();
	else if (!check_args(name, reply))
		return open_service(name, &args);
	return NULL;
}

struct sef_service *sef_service_open_pidfd(const char *name, uint32_t reply,
					   uint32_t flags, int pidfd, pid_t pid)
{
	struct sef_register_args args = {
		.flags = SEF_REGISTER_PIDFD,
		.reply = reply,
		.eventfd = -1,
		.pidfd = pidfd,
		.pid = pid,
	};

	if (flags || pid <= 0)
		invalid();
	else if (!check_args(name, reply))
		return open_service(name, &args);
	return NULL;
}

void sef_service_close(struct sef_service *service)
{
	struct sef_page *page;
	int err = errno;

	if (!service)
		return;
	/* A child that inherited it has no mapping, maybe another one there. */
	page = service->pid == getpid() ? atomic_load(&service->page) : NULL;
	if (page)
		munmap(page, sysconf(_SC_PAGESIZE));
	if (service->fd >= 0)
		close(service->fd);
	free(service);
	errno = err;
}

uint64_t sef_service_id(const struct sef_service *service)
{
	return service->id;
}

int sef_service_fd(const struct sef_service *service)
{
	return service->fd;
}

int sef_service_request(struct sef_service *service, struct sef_request *request)
{
	if (!service->id)
		return 0;
	if (read(service->fd, request, sizeof(*request)) >= 0)
		return 1;
	return errno == EAGAIN ? 0 : -1;
}

int sef_service_pong(struct sef_service *service, uint64_t seq)
{
	struct sef_pong_args args = { .seq = seq };

	return service->id ? ioctl(service->fd, SEF_IOC_PONG, &args) : 0;
}

int sef_service_alive(struct sef_service *service)
{
	return sef_service_pong(service, 0);
}

int sef_service_answer(struct sef_service *service)
{
	struct sef_request request;
	int ret = sef_service_request(service, &request);

	if (ret > 0) {
		ret = sef_service_pong(service, request.seq);
		/* Another thread was faster. */
		if (ret && errno == ESTALE)
			ret = 0;
	}
	return ret;
}

int sef_service_extend(struct sef_service *service, uint64_t extend_ns,
		       uint64_t *granted_ns)
{
	struct sef_extend_args args = { .extend_ns = extend_ns };

	if (extend_ns < SEF_TIME_MIN_NS || extend_ns > SEF_TIME_MAX_NS)
		return invalid();
	if (service->id && ioctl(service->fd, SEF_IOC_EXTEND, &args))
		return -1;
	if (granted_ns)
		*granted_ns = args.extend_ns;
	return 0;
}

int sef_service_set_reply(struct sef_service *service, uint32_t reply)
{
	struct sef_set_reply_args args = { .reply = reply };

	if (reply > SEF_REPLY_NULL)
		return invalid();
	return service->id ? ioctl(service->fd, SEF_IOC_SET_REPLY, &args) : 0;
}

/* Without the device it is memory in which no ping ever appears. */
static struct sef_page *map_page(const struct sef_service *service)
{
	int flags = service->id ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	struct sef_page *page;

	page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, flags,
		    service->id ? service->fd : -1, 0);
	return page == MAP_FAILED ? NULL : page;
}

struct sef_page *sef_service_page(struct sef_service *service)
{
	struct sef_page *page = atomic_load(&service->page), *first = NULL;

	/* In a child it is not there: the kernel is to say so. */
	if (page && (!service->id || service->pid == getpid()))
		return page;
	page = map_page(service);
	if (!page || atomic_compare_exchange_strong(&service->page, &first, page))
		return page;
	/* Another thread was faster. */
	munmap(page, sysconf(_SC_PAGESIZE));
	return first;
}
