// SPDX-License-Identifier: GPL-2.0
/* sefctl run: one life of the command. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

/* From WATCHDOG=trigger to the verdict. */
#define CONDEMNED_NS	(100 * NS_PER_MS)

/* Sockets that systemd passes on are for one pid: that of whoever takes them. */
static void pass_sockets_on(void)
{
	const char *pid = getenv("LISTEN_PID");
	char mine[16];

	if (!pid || strtol(pid, NULL, 10) != getppid())
		return;
	snprintf(mine, sizeof(mine), "%d", getpid());
	setenv("LISTEN_PID", mine, 1);
}

/* In the child: it waits until it is watched, and tells why it cannot go on. */
static void become_command(const struct run *run, const int ends[2])
{
	int parent = ends[1], err;
	bool supervised;

	close(ends[0]);
	if (read(parent, &supervised, sizeof(supervised)) != sizeof(supervised))
		_exit(EXIT_SEFCTL);
	pass_sockets_on();
	listen_environment(run, supervised);
	sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
	execvp(run->command[0], run->command);
	err = errno;
	if (write(parent, &err, sizeof(err)) != sizeof(err))
		_exit(EXIT_SEFCTL);
	_exit(err == ENOENT ? 127 : 126);
}

static void register_command(struct run *run)
{
	run->service = sef_service_open_pidfd(run->name, SEF_REPLY_PONG, 0, run->pidfd,
					      run->child);
	if (!run->service)
		fail_sef("cannot register '%s' with /dev/sef", run->shown);
	if (!sef_service_id(run->service)) {
		if (run->require)
			fail("/dev/sef: sef.ko is not loaded (modprobe sef loads it)");
		return;
	}
	if (run->sup < 0)
		run->sup = open_sef(O_NONBLOCK);
	command_watch(run);
}

/* What it says before it executes; 0 once it has. */
static int exec_error(int child, bool supervised)
{
	int err;

	if (send(child, &supervised, sizeof(supervised), MSG_NOSIGNAL) != sizeof(supervised))
		return 0;
	return recv(child, &err, sizeof(err), 0) == sizeof(err) ? err : 0;
}

bool command_start(struct run *run)
{
	int ends[2], err;

	run->started_ns = now_ns();
	run->watch = run->settings;
	run->voice = run->probe.kind == PROBE_NOTIFY ? VOICE_COMMAND :
		     run->probe.kind > PROBE_NOTIFY ? VOICE_PROBE : VOICE_NONE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		fail_errno("cannot make a socket");
	run->child = fork();
	if (run->child < 0)
		fail_errno("cannot make a process");
	if (!run->child)
		become_command(run, ends);
	close(ends[1]);
	run->pidfd = syscall(SYS_pidfd_open, run->child, 0);
	if (run->pidfd < 0)
		fail_errno("cannot open a pidfd");
	register_command(run);
	err = exec_error(ends[0], sef_service_id(run->service));
	close(ends[0]);
	if (!err)
		return true;
	errno = err;
	fprintf(stderr, "sefctl run: cannot execute '%s': %m\n", run->command[0]);
	return false;
}

void command_ended(struct run *run)
{
	probe_cancel(run);
	command_unwatch(run);
	sef_service_close(run->service);
	run->service = NULL;
	close(run->pidfd);
	run->pidfd = -1;
	run->child = 0;
	run->asked = 0;
	run->ready = false;
	run->stopping = false;
	run->condemned = false;
	run->probe_failing = false;
}

/* And it has not ended yet. /proc may be another pid namespace's: then no number is. */
static bool is_our_child(pid_t pid)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

bool command_left_behind(const struct run *run, int sig)
{
	FILE *children = fopen("/proc/thread-self/children", "re");
	bool any = false;
	int pid;

	while (children && fscanf(children, "%d", &pid) == 1) {
		if (pid == run->child || pid == run->prober || pid == run->cancelled)
			continue;
		/* What we may not signal is left alone. */
		if (is_our_child(pid) && !kill(pid, sig))
			any = true;
	}
	if (children)
		fclose(children);
	return any;
}

static void watch(struct run *run, struct sef_watch_args args)
{
	args.id = sef_service_id(run->service);
	/* One that has just ended is found out by its wait status. */
	if (args.id && sef_watch(run->sup, &args) && errno != ESRCH)
		fail_sef("cannot watch '%s'", run->shown);
}

void command_watch(struct run *run)
{
	struct sef_watch_args args = run->watch;

	if (run->stopping) {
		if (!run->stop_ns)
			return;
		args.period_ns = SEF_TIME_MIN_NS;
		args.timeout_ns = run->stop_ns;
		args.slack_ns = 0;
		args.grace_ns = 0;
		args.tolerate = 0;
		args.kill_ns = 0;
		args.last_ns = 0;
		args.last = SEF_LAST_NONE;
		args.signal = SIGKILL;
	}
	watch(run, args);
}

void command_unwatch(struct run *run)
{
	uint64_t id = sef_service_id(run->service);

	if (id && sef_unwatch(run->sup, id) && errno != ENOENT)
		fail_sef("cannot end the watch of '%s'", run->shown);
}

void command_alive(struct run *run)
{
	int ret;

	if (run->stopping || run->condemned)
		return;
	/* By its seq where there is one: a strict watch wants that. */
	ret = run->asked ? sef_service_pong(run->service, run->asked) :
			   sef_service_alive(run->service);
	if (ret && errno != ESTALE && errno != ESRCH)
		fail_sef("cannot answer for '%s'", run->shown);
	run->asked = 0;
	manager_alive();
}

void command_pinged(struct run *run)
{
	struct sef_request request;
	int ret = sef_service_request(run->service, &request);

	if (ret < 0 && errno != ESRCH)
		fail_sef("cannot read the pings of '%s'", run->shown);
	if (ret <= 0)
		return;
	run->asked = request.seq;
	if (run->voice == VOICE_NONE)
		command_alive(run);
	else if (run->voice == VOICE_PROBE && !run->prober)
		run->probe_at_ns = 0;
}

/*
 * It stops, and need not say any more that it is alive. The kernel keeps this deadline
 * too: one ping that nobody answers.
 */
void command_stopping(struct run *run)
{
	if (run->stopping || run->condemned)
		return;
	run->stopping = true;
	probe_cancel(run);
	command_unwatch(run);
	command_watch(run);
}

/*
 * The verdict is the kernel's: by the reply policy no pong counts any more, and a
 * deadline is near, if not so near that it is pinged all the time from then on. Nothing
 * excuses one that says itself that it is wrong.
 */
void command_condemned(struct run *run)
{
	struct sef_watch_args args = run->watch;

	if (run->condemned)
		return;
	run->condemned = true;
	probe_cancel(run);
	if (sef_service_set_reply(run->service, SEF_REPLY_NULL) && errno != ESRCH)
		fail_sef("cannot set the reply policy of '%s'", run->shown);
	args.period_ns = SEF_TIME_MIN_NS;
	args.timeout_ns = CONDEMNED_NS;
	args.slack_ns = 0;
	args.grace_ns = 0;
	args.extend_ns = 0;
	args.tolerate = 0;
	args.excuse = 0;
	command_unwatch(run);
	watch(run, args);
}

void command_retime(struct run *run, uint64_t silence_ns)
{
	run->watch.period_ns = silence_ns / 2;
	run->watch.timeout_ns = silence_ns / 2;
	if (run->watch.slack_ns > run->watch.period_ns)
		run->watch.slack_ns = run->watch.period_ns;
	if (!run->stopping && !run->condemned)
		watch(run, run->watch);
}
