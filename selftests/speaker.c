// SPDX-License-Identifier: GPL-2.0
/*
 * speaker STEP...: a command for sefctl run that says what the test wants, one step
 * after the other, each told on stdout once it is done. In a step "\n" is a newline,
 * "\0" a NUL.
 *
 *	say:MESSAGE	to NOTIFY_SOCKET
 *	child:MESSAGE	the same, by a child
 *	fd:MESSAGE	with a descriptor; done when that has been closed
 *	long:N		a message of N bytes
 *	beat:FILE	WATCHDOG=1, often, as long as FILE is there
 *	wait:FILE	as long as FILE is there
 *	env:NAME	tells "NAME=VALUE", or "NAME is not set"
 *	orphan:MS	leaves a grandchild, which ends after so long
 *	user:UID	of which it is from then on, in every respect
 *	seize:PID	as a debugger does that does not wait for it
 *	ignore:SIGNAL	by number
 *	hang
 *	exit:STATUS
 *	group COMMAND...	becomes that, in a process group of its own
 */
#include <err.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEAT_US	50000

static struct sockaddr_un to = { .sun_family = AF_UNIX };
static socklen_t to_size;

static void find_socket(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path)
		return;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	to_size = offsetof(struct sockaddr_un, sun_path) + strlen(path);
}

static size_t unescape(char *text)
{
	char *in = text, *out = text;

	for (; *in; in++) {
		if (in[0] == '\\' && (in[1] == 'n' || in[1] == '0'))
			*out++ = *++in == 'n' ? '\n' : '\0';
		else
			*out++ = *in;
	}
	return out - text;
}

static void send_message(char *message, size_t len, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { message, len };
	struct msghdr msg = {
		.msg_name = &to, .msg_namelen = to_size, .msg_iov = &iov, .msg_iovlen = 1,
	};
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!to_size)
		errx(1, "NOTIFY_SOCKET is not set");
	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	if (s < 0 || sendmsg(s, &msg, MSG_NOSIGNAL) != (ssize_t)len)
		err(1, "cannot send");
	close(s);
}

static void say(char *text)
{
	size_t len = unescape(text);

	send_message(text, len, -1);
}

/* It waits until nobody has the other end of the pipe any more. */
static void say_with_fd(char *text)
{
	size_t len = unescape(text);
	int ends[2];
	char c;

	if (pipe(ends))
		err(1, "pipe");
	send_message(text, len, ends[1]);
	close(ends[1]);
	if (read(ends[0], &c, 1))
		err(1, "the pipe has more than an end");
	close(ends[0]);
}

static void say_long(size_t len)
{
	char *text = malloc(len + 1);

	if (!text)
		err(1, "malloc");
	memset(text, 'x', len);
	memcpy(text, "READY=1\n", len < 8 ? len : 8);
	send_message(text, len, -1);
	free(text);
}

static void by_child(char *text)
{
	pid_t pid = fork();

	if (!pid) {
		/* Alive until it has been heard. */
		say(text);
		say_with_fd(strdup("BARRIER=1"));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void leave_orphan(int ms)
{
	pid_t pid = fork();

	if (!pid) {
		pid = fork();
		if (!pid)
			usleep(ms * 1000);
		else
			printf("orphan %d\n", pid);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void beat_while(const char *file)
{
	char alive[] = "WATCHDOG=1";

	while (!access(file, F_OK)) {
		send_message(alive, strlen(alive), -1);
		usleep(BEAT_US);
	}
}

static void become_user(uid_t uid)
{
	if (setuid(uid))
		err(1, "cannot become user %d", uid);
}

static void seize(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		err(1, "cannot seize process %d", pid);
}

static void show_environment(const char *name)
{
	const char *value = getenv(name);

	if (value)
		printf("%s=%s\n", name, value);
	else
		printf("%s is not set\n", name);
}

static void step(char *what, char *arg)
{
	if (!strcmp(what, "say"))
		say(arg);
	else if (!strcmp(what, "child"))
		by_child(arg);
	else if (!strcmp(what, "fd"))
		say_with_fd(arg);
	else if (!strcmp(what, "long"))
		say_long(atoi(arg));
	else if (!strcmp(what, "beat"))
		beat_while(arg);
	else if (!strcmp(what, "wait"))
		while (!access(arg, F_OK))
			usleep(BEAT_US);
	else if (!strcmp(what, "env"))
		show_environment(arg);
	else if (!strcmp(what, "orphan"))
		leave_orphan(atoi(arg));
	else if (!strcmp(what, "user"))
		become_user(atoi(arg));
	else if (!strcmp(what, "seize"))
		seize(atoi(arg));
	else if (!strcmp(what, "ignore"))
		signal(atoi(arg), SIG_IGN);
	else if (!strcmp(what, "hang"))
		for (;;)
			pause();
	else if (!strcmp(what, "exit"))
		exit(atoi(arg));
	else
		errx(1, "no step is named '%s'", what);
}

int main(int argc, char **argv)
{
	char *what, *arg;
	int i;

	setlinebuf(stdout);
	find_socket();
	printf("pid %d\n", getpid());
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "group")) {
			setpgid(0, 0);
			execvp(argv[i + 1], argv + i + 1);
			err(1, "%s", argv[i + 1]);
		}
		what = strdup(argv[i]);
		arg = strchr(what, ':');
		if (arg)
			*arg++ = '\0';
		step(what, arg ? arg : what + strlen(what));
		printf("did %s\n", argv[i]);
	}
	return 0;
}
