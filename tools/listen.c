// SPDX-License-Identifier: GPL-2.0
/*
 * sefctl run: sd_notify(3), in both directions: the command's messages, and what of
 * them our own service manager is told.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"
#include "run.h"

/* What of the command's messages concerns the manager too. */
#define PASSED_ON	(NOTIFY_READY | NOTIFY_RELOADING | NOTIFY_STATUS | NOTIFY_EXTEND | \
			 NOTIFY_OTHER)

static struct {
	int fd;			/* -1: there is none */
	struct sockaddr_un to;
	socklen_t size;
	uint64_t watchdog_ns;
} manager = { .fd = -1 };

static void manager_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET"), *us = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (!path || !strchr("/@", path[0]) || strlen(path) >= sizeof(manager.to.sun_path))
		return;
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager.fd < 0)
		fail_errno("cannot make a socket");
	manager.to.sun_family = AF_UNIX;
	memcpy(manager.to.sun_path, path, strlen(path));
	if (path[0] == '@')
		manager.to.sun_path[0] = '\0';
	manager.size = offsetof(struct sockaddr_un, sun_path) + strlen(path);
	if (us && (!pid || strtol(pid, NULL, 10) == getpid()))
		manager.watchdog_ns = strtoull(us, NULL, 10) * 1000;
	/* Of no concern to a probe. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void manager_send(const char *message, size_t len)
{
	if (manager.fd < 0 || !len)
		return;
	if (sendto(manager.fd, message, len, MSG_NOSIGNAL, (struct sockaddr *)&manager.to,
		   manager.size) < 0)
		fprintf(stderr, "sefctl run: cannot write to NOTIFY_SOCKET: %m\n");
}

void manager_tell(const char *message)
{
	manager_send(message, strlen(message));
}

void manager_alive(void)
{
	if (manager.watchdog_ns)
		manager_tell("WATCHDOG=1");
}

uint64_t manager_watchdog_ns(void)
{
	return manager.watchdog_ns;
}

/* An abstract name that the kernel chooses: no file, and the same in a chroot. */
void listen_open(struct run *run)
{
	struct sockaddr_un any = { .sun_family = AF_UNIX };
	int on = 1;

	manager_open();
	run->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (run->notify < 0 || bind(run->notify, (struct sockaddr *)&any, sizeof(sa_family_t)) ||
	    setsockopt(run->notify, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		fail_errno("cannot make a socket");
}

static void set_number(const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	setenv(name, text, 1);
}

/*
 * How long it may be silent: until the first miss. It is not asked to say WATCHDOG=1
 * where that counts for nothing.
 */
void listen_environment(const struct run *run, bool supervised)
{
	uint64_t silence_ns = run->watch.period_ns + run->watch.timeout_ns;
	struct sockaddr_un name;
	socklen_t size = sizeof(name);
	char path[sizeof(name.sun_path) + 2];

	if (!supervised)
		silence_ns = manager.watchdog_ns;
	else if (manager.watchdog_ns && manager.watchdog_ns < silence_ns)
		silence_ns = manager.watchdog_ns;
	if (getsockname(run->notify, (struct sockaddr *)&name, &size))
		_exit(EXIT_SEFCTL);
	snprintf(path, sizeof(path), "@%.*s",
		 (int)(size - offsetof(struct sockaddr_un, sun_path) - 1), name.sun_path + 1);
	setenv("NOTIFY_SOCKET", path, 1);
	if (run->probe.kind == PROBE_AUTO || run->probe.kind == PROBE_NOTIFY)
		silence_ns /= 1000;
	else
		silence_ns = 0;
	if (silence_ns) {
		set_number("WATCHDOG_USEC", silence_ns);
		set_number("WATCHDOG_PID", getpid());
	}
}

/* Its parent; 0 if it has none that we can see, or is no more. */
static pid_t parent_of(pid_t pid)
{
	char path[32], line[512];
	const char *after;
	pid_t parent = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = fopen(path, "re");
	if (!stat)
		return 0;
	/* The name in parentheses may have any bytes, but no later field a ')'. */
	line[fread(line, 1, sizeof(line) - 1, stat)] = '\0';
	after = strrchr(line, ')');
	if (after)
		sscanf(after, ") %*c %d", &parent);
	fclose(stat);
	return parent;
}

/* As a subreaper we are an ancestor of all that comes of the command. */
static bool may_speak(const struct run *run, pid_t pid)
{
	if (!run->child || !pid)
		return false;
	if (pid == run->child)
		return true;
	if (!run->notify_all)
		return false;
	while (pid > 1 && pid != getpid())
		pid = parent_of(pid);
	return pid == getpid();
}

static void say_status(const struct run *run, struct notify_text text)
{
	char *status = strndup(text.at, text.len), *shown;
	size_t size;
	FILE *out = open_memstream(&shown, &size);

	if (!status || !out)
		fail_errno("no memory");
	print_safely(out, status, "");
	fclose(out);
	say(run, "status: %s", shown);
	free(shown);
	free(status);
}

static void take_timeout(struct run *run, uint64_t us)
{
	if (!us) {
		run->voice = VOICE_NONE;
		command_alive(run);
	} else if (us < 2 * SEF_TIME_MIN_NS / 1000 || us > SEF_TIME_MAX_NS / 1000) {
		say(run, "WATCHDOG_USEC=%llu is not between 2ms and 1d: ignored",
		    (unsigned long long)us);
	} else {
		command_retime(run, us * 1000);
	}
}

static void take_extend(struct run *run, uint64_t us)
{
	if (us < SEF_TIME_MIN_NS / 1000 || us > SEF_TIME_MAX_NS / 1000)
		say(run, "EXTEND_TIMEOUT_USEC=%llu is not between 1ms and 1d: ignored",
		    (unsigned long long)us);
	else if (sef_service_extend(run->service, us * 1000, NULL) && errno != ESRCH)
		fail_sef("cannot extend the time of '%s'", run->shown);
}

static void take_ready(struct run *run)
{
	if (!run->ready)
		say(run, "ready");
	run->ready = true;
	command_alive(run);
}

static void act(struct run *run, const struct notify *notify)
{
	bool speaks = run->probe.kind == PROBE_AUTO || run->probe.kind == PROBE_NOTIFY;

	if (notify->bad.at)
		say(run, "a message with no number where one should be: line ignored");
	if (notify->says & NOTIFY_STATUS)
		say_status(run, notify->status);
	if (notify->says & NOTIFY_TIMEOUT && speaks)
		take_timeout(run, notify->timeout_us);
	if (notify->says & NOTIFY_READY)
		take_ready(run);
	if (notify->says & NOTIFY_ALIVE && speaks) {
		run->voice = VOICE_COMMAND;
		command_alive(run);
	}
	if (notify->says & NOTIFY_RELOADING)
		say(run, "reloading");
	if (notify->says & NOTIFY_STOPPING) {
		say(run, "stopping");
		command_stopping(run);
	}
	if (notify->says & NOTIFY_EXTEND)
		take_extend(run, notify->extend_us);
	if (notify->says & NOTIFY_TRIGGER) {
		say(run, "says that it is wrong");
		command_condemned(run);
	}
}

/* Stopping concerns the manager only if it is the end of us too. */
static unsigned int passed_on(const struct run *run)
{
	unsigned int which = PASSED_ON;

	if (run->told_to_end || run->restart == RESTART_NO)
		which |= NOTIFY_STOPPING;
	if (!sef_service_id(run->service))
		which |= NOTIFY_TRIGGER;
	return which;
}

/* Anybody can send any number of what is refused: it is said once. */
static void take_message(struct run *run, pid_t pid, const char *message, size_t len)
{
	static bool said;
	char out[NOTIFY_SIZE];
	struct notify notify;
	bool sound = notify_parse(message, len, &notify);

	/* That asks for no more than that we come by. */
	if (notify.says == NOTIFY_BARRIER)
		return;
	if (sound && may_speak(run, pid)) {
		act(run, &notify);
		manager_send(out, notify_pick(message, len, passed_on(run), out));
		return;
	}
	if (said)
		return;
	said = true;
	if (!sound)
		say(run, "process %d sent what is no message of sd_notify(3)", pid);
	else if (run->notify_all)
		say(run, "process %d may not speak for it", pid);
	else
		say(run, "process %d may not speak for it (but with --notify-access=all)", pid);
}

/* Descriptors are kept for nobody; that of BARRIER=1 tells by its end that we got here. */
static pid_t take_ancillary(struct msghdr *msg, int *fds, size_t *n)
{
	struct cmsghdr *c;
	struct ucred cred = { .pid = 0 };

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		} else if (c->cmsg_type == SCM_RIGHTS) {
			*n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(c), *n * sizeof(int));
		}
	}
	return cred.pid;
}

/* The most that the kernel lets one message carry. */
#define MAX_FDS	253

void listen_receive(struct run *run)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char message[NOTIFY_SIZE + 2];	/* one that fills it is too long */
	struct iovec iov = { message, sizeof(message) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(run->notify, &msg, MSG_CMSG_CLOEXEC);
	int fds[MAX_FDS];
	size_t n = 0;
	pid_t pid;

	if (len < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		fail_errno("cannot read what '%s' says", run->shown);
	}
	pid = take_ancillary(&msg, fds, &n);
	take_message(run, pid, message, len);
	while (n)
		close(fds[--n]);
}
