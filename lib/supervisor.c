// SPDX-License-Identifier: LGPL-2.1-or-later
/* The supervisor's side: a descriptor, and the calls of the device by name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sef.h"

/* A struct that grows needs a new version of each function that takes it. */
_Static_assert(sizeof(struct sef_watch_args) == 104, "sef_watch and its kin");
_Static_assert(sizeof(struct sef_status_args) == 232, "sef_get_status and its kin");
_Static_assert(sizeof(struct sef_event) == 96, "sef_read_events");
_Static_assert(sizeof(struct sef_why_args) == 1120, "sef_get_why");
_Static_assert(sizeof(struct sef_latency_args) == 192, "sef_get_latency");

static int fail(int err)
{
	errno = err;
	return -1;
}

int sef_supervisor_open(int flags)
{
	if (flags & ~O_NONBLOCK)
		return fail(EINVAL);
	return open("/dev/sef", O_RDWR | O_CLOEXEC | flags);
}

void sef_watch_init(struct sef_watch_args *watch, uint64_t period_ns,
		    uint64_t timeout_ns)
{
	*watch = (struct sef_watch_args) {
		.period_ns = period_ns,
		.timeout_ns = timeout_ns,
		.tolerate = 1,
		.excuse = SEF_EXCUSE_DEFAULT,
	};
}

int sef_watch(int fd, struct sef_watch_args *watch)
{
	return ioctl(fd, SEF_IOC_WATCH, watch);
}

/* What /proc says of a pidfd: its pid in our namespace; or 0 and errno. */
static int pid_of_pidfd(int pidfd)
{
	char path[64], info[512], *line;
	int fd, pid, err;
	ssize_t n;

	if (fcntl(pidfd, F_GETFD) < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", pidfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, info, sizeof(info) - 1);
	err = errno;
	close(fd);
	if (n < 0) {
		errno = err;
		return 0;
	}
	info[n] = '\0';
	line = strstr(info, "\nPid:");
	if (!line || sscanf(line, "\nPid: %d", &pid) != 1) {
		errno = EINVAL;
		return 0;
	}
	if (pid > 0)
		return pid;
	/* -1: it has ended; 0: not of our pid namespace. */
	errno = ESRCH;
	return 0;
}

int sef_watch_pidfd(int fd, int pidfd, struct sef_watch_args *watch)
{
	struct sef_watch_args args = *watch;

	args.pid = pid_of_pidfd(pidfd);
	if (!args.pid)
		return -1;
	args.pidfd = pidfd;
	args.flags |= SEF_WATCH_PIDFD;
	if (sef_watch(fd, &args))
		return -1;
	/* Ready for sef_watch(), to change the settings. */
	watch->id = args.id;
	return 0;
}

int sef_next_status(int fd, struct sef_status_args *status)
{
	status->flags |= SEF_STATUS_NEXT;
	if (!ioctl(fd, SEF_IOC_STATUS, status))
		return 1;
	return errno == ESRCH ? 0 : -1;
}

int sef_find_status(int fd, const char *name, struct sef_status_args *status)
{
	int ret;

	do {
		ret = sef_next_status(fd, status);
		if (ret <= 0)
			return ret;
	} while (status->state == SEF_STATE_DEAD ||
		 status->state == SEF_STATE_GONE || strcmp(status->name, name));
	return 1;
}

int sef_watch_name(int fd, const char *name, struct sef_watch_args *watch)
{
	struct sef_status_args status = { .id = 0 };
	int ret = sef_find_status(fd, name, &status);
	struct sef_watch_args args = *watch;

	if (ret <= 0)
		return ret ? -1 : fail(ESRCH);
	args.id = status.id;
	ret = sef_find_status(fd, name, &status);
	if (ret)
		return ret < 0 ? -1 : fail(ENOTUNIQ);
	if (sef_watch(fd, &args))
		return -1;
	watch->id = args.id;
	return 0;
}

int sef_unwatch(int fd, uint64_t id)
{
	struct sef_unwatch_args args = { .id = id };

	return ioctl(fd, SEF_IOC_UNWATCH, &args);
}

int sef_ping(int fd, uint64_t id, uint64_t *seq)
{
	struct sef_ping_args args = { .id = id };

	if (ioctl(fd, SEF_IOC_PING, &args))
		return -1;
	if (seq)
		*seq = args.seq;
	return 0;
}

/* More at a time would only make the int too small that tells how many. */
#define MAX_EVENTS	65536

int sef_read_events(int fd, struct sef_event *events, size_t n)
{
	ssize_t size;

	if (n > MAX_EVENTS)
		n = MAX_EVENTS;
	size = read(fd, events, n * sizeof(*events));
	if (size >= 0)
		return size / sizeof(*events);
	return errno == EAGAIN ? 0 : -1;
}

int sef_newcomers(int fd, int on)
{
	struct sef_newcomers_args args = { .on = on };

	return ioctl(fd, SEF_IOC_NEWCOMERS, &args);
}

int sef_get_status(int fd, uint64_t id, struct sef_status_args *status)
{
	struct sef_status_args args = { .id = id };

	if (ioctl(fd, SEF_IOC_STATUS, &args))
		return -1;
	*status = args;
	return 0;
}

int sef_get_why(int fd, uint64_t id, struct sef_why_args *why)
{
	struct sef_why_args args = { .id = id };

	if (ioctl(fd, SEF_IOC_WHY, &args))
		return -1;
	*why = args;
	return 0;
}

int sef_get_latency(int fd, uint64_t id, uint32_t flags,
		    struct sef_latency_args *latency)
{
	struct sef_latency_args args = { .id = id, .flags = flags };

	if (ioctl(fd, SEF_IOC_LATENCY, &args))
		return -1;
	*latency = args;
	return 0;
}
