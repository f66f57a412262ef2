// SPDX-License-Identifier: GPL-2.0
/*
 * sefctl run: probes: a command that says nothing of itself is asked. Each is a process
 * that ends with status 0 if all is well, so that nothing it waits for can hold us up.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run.h"

/* Asked anew within the time that the kernel waits: so often. */
#define TRIES	4

static char *copy(const char *from, size_t len)
{
	char *text = strndup(from, len);

	if (!text)
		fail_errno("no memory");
	return text;
}

/* "HOST:PORT", "[::1]:PORT", and with a port to assume "HOST". */
static void parse_address(struct probe *probe, const char *arg, size_t len, const char *port)
{
	const char *host = arg, *end = arg + len, *colon;

	if (*arg == '[') {
		host = arg + 1;
		end = memchr(host, ']', len - 1);
		if (!end)
			fail("--probe: '%s': a ']' is missing", arg);
		colon = end + 1;
	} else {
		colon = memrchr(arg, ':', len);
		if (colon)
			end = colon;
		else
			colon = arg + len;
	}
	if (colon < arg + len && *colon == ':')
		probe->port = copy(colon + 1, arg + len - colon - 1);
	else if (colon == arg + len && port)
		probe->port = copy(port, strlen(port));
	if (end == host || !probe->port || !*probe->port)
		fail("--probe: '%s' is no HOST:PORT", arg);
	probe->host = copy(host, end - host);
}

static void parse_http(struct probe *probe, const char *arg)
{
	size_t len = strcspn(arg, "/?#");

	if (arg[strcspn(arg, " \t\r\n")])
		fail("--probe: '%s': a URL has no spaces", arg);
	if (arg[len] && arg[len] != '/')
		fail("--probe: '%s': a path begins with '/'", arg);
	parse_address(probe, arg, len, "80");
	probe->path = arg[len] ? arg + len : "/";
}

void probe_parse(struct probe *probe, const char *arg)
{
	*probe = (struct probe) { .kind = PROBE_AUTO };
	if (!strcmp(arg, "none")) {
		probe->kind = PROBE_NONE;
	} else if (!strcmp(arg, "notify")) {
		probe->kind = PROBE_NOTIFY;
	} else if (!strncmp(arg, "exec:", 5) && arg[5]) {
		probe->kind = PROBE_EXEC;
		probe->command = arg + 5;
	} else if (!strncmp(arg, "tcp:", 4)) {
		probe->kind = PROBE_TCP;
		parse_address(probe, arg + 4, strlen(arg + 4), NULL);
	} else if (!strncmp(arg, "http://", 7)) {
		probe->kind = PROBE_HTTP;
		parse_http(probe, arg + 7);
	} else if (strcmp(arg, "auto")) {
		fail("--probe: '%s' is none of auto, none, notify, exec:, tcp: and http:", arg);
	}
}

/* In the probe's process. Why it fails is told once, not each time. */
static noreturn void lose(const struct run *run, const char *format, ...) __printf(2, 3);

static noreturn void lose(const struct run *run, const char *format, ...)
{
	va_list args;
	char *why;

	va_start(args, format);
	if (vasprintf(&why, format, args) >= 0 && !run->probe_failing)
		say(run, "the probe fails: %s", why);
	va_end(args);
	_exit(1);
}

/* A socket that is connected; each address of the host is tried. */
static int reach(const struct run *run)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const struct probe *probe = &run->probe;
	struct addrinfo *list, *a;
	int fd, err = 0, ret = getaddrinfo(probe->host, probe->port, &hints, &list);

	if (ret)
		lose(run, "%s:%s: %s", probe->host, probe->port, gai_strerror(ret));
	for (a = list; a; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd >= 0 && !connect(fd, a->ai_addr, a->ai_addrlen))
			return fd;
		err = errno;
		if (fd >= 0)
			close(fd);
	}
	lose(run, "cannot connect to %s:%s: %s", probe->host, probe->port, strerror(err));
}

/* GET, and of the answer its first line: "HTTP/1.1 200 OK". */
static void get(const struct run *run, int fd)
{
	const struct probe *probe = &run->probe;
	char line[64], *request;
	size_t n = 0;
	ssize_t got;
	int len, status;

	len = asprintf(&request,
		       "GET %s HTTP/1.0\r\n"
		       "Host: %s%s%s:%s\r\n"
		       "User-Agent: sefctl/" VERSION "\r\n"
		       "Connection: close\r\n\r\n",
		       probe->path, strchr(probe->host, ':') ? "[" : "", probe->host,
		       strchr(probe->host, ':') ? "]" : "", probe->port);
	if (len < 0 || send(fd, request, len, MSG_NOSIGNAL) != len)
		lose(run, "cannot ask %s:%s: %m", probe->host, probe->port);
	do {
		got = recv(fd, line + n, sizeof(line) - 1 - n, 0);
		if (got < 0)
			lose(run, "%s:%s gives no answer: %m", probe->host, probe->port);
		n += got;
		line[n] = '\0';
	} while (got && n < sizeof(line) - 1 && !strchr(line, '\n'));
	if (sscanf(line, "HTTP/%*1[0-9].%*1[0-9] %3d", &status) != 1)
		lose(run, "what %s:%s answers is no HTTP", probe->host, probe->port);
	if (status < 200 || status > 399)
		lose(run, "%s:%s answers with status %d", probe->host, probe->port, status);
}

static void run_probe(const struct run *run)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* A group of its own, to end all that it starts; and with us. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		lose(run, "/dev/null: %m");
	sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
	if (run->probe.kind == PROBE_EXEC) {
		execl("/bin/sh", "sh", "-c", run->probe.command, NULL);
		lose(run, "/bin/sh: %m");
	}
	if (run->probe.kind == PROBE_TCP)
		reach(run);
	else
		get(run, reach(run));
	_exit(0);
}

static pid_t start_probe(const struct run *run)
{
	pid_t pid = fork();

	if (pid < 0)
		fail_errno("cannot make a process");
	if (!pid)
		run_probe(run);
	setpgid(pid, pid);
	return pid;
}

/* It is waited for like any child. */
void probe_cancel(struct run *run)
{
	if (!run->prober)
		return;
	kill(-run->prober, SIGKILL);
	run->cancelled = run->prober;
	run->prober = 0;
}

static void failed(struct run *run)
{
	run->probe_failing = true;
	run->probe_at_ns = now_ns() + run->watch.timeout_ns / TRIES;
}

void probe_ended(struct run *run, int status)
{
	char shown[ENDING_SIZE];

	run->prober = 0;
	if (!status) {
		if (run->probe_failing)
			say(run, "the probe succeeds");
		run->probe_failing = false;
		if (!run->ready)
			manager_tell("READY=1");
		run->ready = true;
		command_alive(run);
		return;
	}
	if (run->probe.kind == PROBE_EXEC && !run->probe_failing)
		say(run, "the probe fails: %s", ending(shown, status));
	failed(run);
}

uint64_t probe_turn(struct run *run)
{
	char shown[DURATION_SIZE];
	uint64_t now = now_ns();

	if (run->prober) {
		if (now < run->probe_at_ns)
			return run->probe_at_ns;
		if (!run->probe_failing)
			say(run, "the probe fails: no answer within %s",
			    duration(shown, run->watch.timeout_ns));
		probe_cancel(run);
		failed(run);
	}
	if (run->voice != VOICE_PROBE || !run->asked || run->stopping || run->condemned)
		return UINT64_MAX;
	if (now < run->probe_at_ns)
		return run->probe_at_ns;
	run->prober = start_probe(run);
	run->probe_at_ns = now + run->watch.timeout_ns;
	return run->probe_at_ns;
}
