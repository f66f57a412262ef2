// SPDX-License-Identifier: GPL-2.0
/* sefctl run: options, the loop, signals, verdicts, restart. See run.h. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ask.h"
#include "run.h"

/* What a life has left behind, and was killed, may take so long to end. */
#define LEFT_NS	(5 * NS_PER_SEC)

void say(const struct run *run, const char *format, ...)
{
	va_list args;
	char *text;

	if (run->quiet)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) >= 0) {
		fprintf(stderr, "sefctl run: %s: %s\n", run->shown, text);
		free(text);
	}
	va_end(args);
}

enum {
	KEY_NAME = 0x200, KEY_PROBE, KEY_ACCESS, KEY_RESTART, KEY_DELAY, KEY_DELAY_MAX,
	KEY_LIMIT, KEY_STOP, KEY_REQUIRE,
};

static const struct argp_option options[] = {
	{ "name", KEY_NAME, "NAME", 0, "of the service (the command's)", 0 },
	{ "probe", KEY_PROBE, "HOW", 0,
	  "who says that it is alive: none, notify, exec:COMMAND, tcp:HOST:PORT, "
	  "http://HOST:PORT/PATH, auto (none, until it says WATCHDOG=1)", 0 },
	{ "notify-access", KEY_ACCESS, "WHO", 0,
	  "who may speak to NOTIFY_SOCKET: main (the command), all (its children too)", 0 },
	{ "restart", KEY_RESTART, "WHEN", 0, "it has ended: no, on-failure, always (no)", 0 },
	{ "restart-delay", KEY_DELAY, "TIME", 0,
	  "before the second restart in a row, then twice that and so on (1s)", 0 },
	{ "restart-max", KEY_DELAY_MAX, "TIME", 0,
	  "no delay is longer; who has run for longer begins anew (30s)", 0 },
	{ "restart-limit", KEY_LIMIT, "N", 0, "give up after N restarts in a row", 0 },
	{ "stop-timeout", KEY_STOP, "TIME", 0,
	  "SIGKILL so long after SIGTERM, or STOPPING=1; none (90s)", 0 },
	{ "require", KEY_REQUIRE, NULL, 0, "fail where sef.ko is not loaded", 0 },
	{ "quiet", 'q', NULL, 0, "no line for each verdict", 0 },
	{ 0 }
};

static size_t choose(const char *what, const char *arg, const char *const *from)
{
	size_t i;

	for (i = 0; from[i]; i++)
		if (!strcmp(arg, from[i]))
			return i;
	fail("%s: '%s' is no such thing: see --help", what, arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const when[] = { "no", "on-failure", "always", NULL };
	static const char *const who[] = { "main", "all", NULL };
	struct run *run = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &run->settings;
		break;
	case KEY_NAME:
		if (!*arg || strlen(arg) >= SEF_NAME_SIZE)
			fail("--name: '%s' is not 1 to %d bytes", arg, SEF_NAME_SIZE - 1);
		memcpy(run->name, arg, strlen(arg) + 1);
		break;
	case KEY_PROBE:
		probe_parse(&run->probe, arg);
		break;
	case KEY_ACCESS:
		run->notify_all = choose("--notify-access", arg, who);
		break;
	case KEY_RESTART:
		run->restart = choose("--restart", arg, when);
		break;
	case KEY_DELAY:
		run->delay_ns = parse_time("--restart-delay", arg);
		break;
	case KEY_DELAY_MAX:
		run->delay_max_ns = parse_time("--restart-max", arg);
		break;
	case KEY_LIMIT:
		run->limit = parse_number("--restart-limit", arg, UINT32_MAX);
		break;
	case KEY_STOP:
		run->stop_ns = parse_time_or_none("--stop-timeout", arg);
		break;
	case KEY_REQUIRE:
		run->require = true;
		break;
	case 'q':
		run->quiet = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_child watch_child[] = {
	{ &watch_argp, 0, "Timing and steps:", 1 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[--] COMMAND [ARGUMENT...]",
	.doc = "Run a command under supervision, with its exit status.\v"
	       "Unless it is said otherwise: --grace 30s --extend 1h --signal ABRT --kill 5s.",
	.children = watch_child,
};

/* Where our own manager wants to hear of us, a verdict is to come before its own. */
static void set_defaults(struct run *run)
{
	uint64_t quarter = manager_watchdog_ns() / 4;

	sef_watch_init(&run->settings, NS_PER_SEC, NS_PER_SEC);
	if (quarter >= SEF_TIME_MIN_NS && quarter <= SEF_TIME_MAX_NS)
		run->settings.period_ns = quarter;
	run->settings.timeout_ns = run->settings.period_ns;
	run->settings.grace_ns = 30 * NS_PER_SEC;
	run->settings.extend_ns = 3600 * NS_PER_SEC;
	run->settings.signal = SIGABRT;
	run->settings.kill_ns = 5 * NS_PER_SEC;
	run->delay_ns = NS_PER_SEC;
	run->delay_max_ns = 30 * NS_PER_SEC;
	run->limit = UINT64_MAX;
	run->stop_ns = 90 * NS_PER_SEC;
	run->sup = -1;
	run->pidfd = -1;
}

static void set_name(struct run *run)
{
	const char *base = strrchr(run->command[0], '/');

	if (!*run->name)
		snprintf(run->name, sizeof(run->name), "%s",
			 base && base[1] ? base + 1 : run->command[0]);
	if (!*run->name)
		fail("the command is empty: say what to run");
	escape(run->shown, run->name);
}

/*
 * All that can be sent to us is read from a descriptor; what a fault of our own raises
 * is not among it. So nothing is lost on pid 1 either, where a signal without a handler
 * would be dropped.
 */
static void open_signals(struct run *run)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t all;
	size_t i;

	sigfillset(&all);
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	sigprocmask(SIG_BLOCK, &all, &run->old_mask);
	run->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->signals < 0)
		fail_errno("cannot open a signalfd");
}

static void say_event(const struct run *run, const struct sef_event *event)
{
	const char *state = event->passed & 1U << SEF_STATE_UNRESPONSIVE ?
			    sef_state_name(SEF_STATE_UNRESPONSIVE) : sef_state_name(event->state);
	char sig[SIGNAL_SIZE], silent[DURATION_SIZE], why[CAUSE_SIZE];

	/* Watched anew, it is alive for a moment. */
	if ((run->stopping || run->condemned) &&
	    !(event->passed & 1U << SEF_STATE_UNRESPONSIVE))
		return;
	if (event->state == SEF_STATE_ALIVE) {
		say(run, "alive");
		return;
	}
	signal_name(sig, run->stopping ? SIGKILL : (int)run->watch.signal);
	say(run, "%s, silent for %s, missed %u: %s%s%s%s%s", state,
	    duration(silent, event->silent_ns), event->misses, cause(why, event),
	    event->flags & SEF_EVENT_SIGNAL ? "; sent " : "",
	    event->flags & SEF_EVENT_SIGNAL ? sig : "",
	    event->flags & SEF_EVENT_KILL ? "; sent SIGKILL" : "",
	    event->flags & SEF_EVENT_DENIED ?
		"; a step was denied: it has other credentials now" : "");
}

/* Its end is told by its wait status. */
static void take_events(struct run *run)
{
	const unsigned int told = 1U << SEF_STATE_ALIVE | 1U << SEF_STATE_LATE |
				  1U << SEF_STATE_UNRESPONSIVE;
	struct sef_event event;
	int n;

	while (run->sup >= 0 && (n = sef_read_events(run->sup, &event, 1))) {
		if (n < 0)
			fail_sef("cannot read events of '%s'", run->shown);
		if (event.passed & told || event.flags)
			say_event(run, &event);
	}
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/*
 * The first restart is at once, as that of MINIX's Reincarnation Server; from then on
 * each waits twice as long as the one before, until one life was long enough.
 */
static void plan_restart(struct run *run)
{
	char shown[DURATION_SIZE];
	uint64_t delay = run->delay_ns;
	unsigned int i;

	if (now_ns() - run->started_ns > run->delay_max_ns)
		run->restarts = 0;
	if (run->restarts >= run->limit) {
		say(run, "restarted %u times in a row: gives up", run->restarts);
		run->over = true;
		return;
	}
	for (i = 1; i < run->restarts && delay < run->delay_max_ns; i++)
		delay *= 2;
	if (delay > run->delay_max_ns)
		delay = run->delay_max_ns;
	if (!run->restarts++)
		delay = 0;
	run->restart_at_ns = now_ns() + delay;
	say(run, "restart %u%s%s", run->restarts, delay ? " in " : " at once",
	    delay ? duration(shown, delay) : "");
}

static void ended(struct run *run, int status)
{
	char shown[ENDING_SIZE];

	take_events(run);
	if (sef_service_id(run->service) || run->restart != RESTART_NO)
		say(run, "dead: %s", ending(shown, status));
	run->status = status;
	command_ended(run);
	if (run->told_to_end || run->restart == RESTART_NO ||
	    (run->restart == RESTART_ON_FAILURE && !status))
		run->over = true;
	else
		plan_restart(run);
}

/* All children: as pid 1, or as a subreaper, those that others have left too. */
static void reap(struct run *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == run->child)
			ended(run, status);
		else if (pid == run->prober)
			probe_ended(run, status);
		else if (pid == run->cancelled)
			run->cancelled = 0;
	}
}

/*
 * The terminal stops all of the job, us too: nobody could answer for it. Whether that
 * may stop us is for the kernel to say, which knows if anybody is there to continue it.
 */
static void stop_with_job(struct run *run)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	command_unwatch(run);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	if (run->child && !run->condemned)
		command_watch(run);
}

/* What a terminal sends it has sent to the command as well. */
static void pass_on(struct run *run, const struct signalfd_siginfo *info)
{
	int sig = info->ssi_signo;
	bool terminal = info->ssi_code == SI_KERNEL;

	if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT || (sig == SIGHUP && terminal))
		run->told_to_end = true;
	if (!run->child) {
		run->over = run->over || run->told_to_end;
		return;
	}
	if (!terminal && syscall(SYS_pidfd_send_signal, run->pidfd, sig, NULL, 0) &&
	    errno != ESRCH)
		say(run, "cannot pass signal %d on: %s", sig, strerror(errno));
	if (sig == SIGTERM)
		command_stopping(run);
	if (sig == SIGTSTP)
		stop_with_job(run);
}

static void take_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(run);
			break;
		case SIGPIPE:	/* our own: who reads what we say has gone */
		case SIGTTIN:
		case SIGTTOU:
			break;
		default:
			pass_on(run, &info);
		}
	}
}

static void start(struct run *run)
{
	if (!command_start(run)) {
		/* What could never be executed is a mistake; later it may be an upgrade. */
		if (!run->restarts)
			run->told_to_end = true;
	} else if (run->probe.kind == PROBE_NONE && !run->ready) {
		run->ready = true;
		manager_tell("READY=1");
	}
}

/*
 * Unsupervised, nothing asks us: until the command speaks for itself we do, or our
 * manager would end it for that.
 */
static uint64_t beat(struct run *run)
{
	static uint64_t next_ns;
	uint64_t every_ns = manager_watchdog_ns() / 2, now = now_ns();

	if (!every_ns || run->sup >= 0 || run->voice == VOICE_COMMAND)
		return UINT64_MAX;
	if (now >= next_ns) {
		manager_alive();
		next_ns = now + every_ns;
	}
	return next_ns;
}

/* What the last life has left may hold what the next one needs: a port, a lock. */
static bool has_left_something(struct run *run)
{
	bool again = run->left_until_ns;

	if (!run->restarts || run->had_children || !command_left_behind(run, SIGKILL)) {
		run->left_until_ns = 0;
		return false;
	}
	if (!again) {
		say(run, "killed what it has left behind");
		run->left_until_ns = now_ns() + LEFT_NS;
	} else if (now_ns() >= run->left_until_ns) {
		say(run, "what it has left behind does not end: starts all the same");
		run->left_until_ns = 0;
		return false;
	}
	return true;
}

/* Does what is due by the clock. When there is more. */
static uint64_t turn(struct run *run)
{
	uint64_t next_ns, beat_ns;

	if (!run->child && now_ns() >= run->restart_at_ns && !has_left_something(run))
		start(run);
	if (run->child)
		next_ns = probe_turn(run);
	else
		next_ns = run->left_until_ns ?: run->restart_at_ns;
	beat_ns = beat(run);
	return next_ns < beat_ns ? next_ns : beat_ns;
}

static void wait_for_more(struct run *run, uint64_t until_ns)
{
	struct pollfd fds[] = {
		{ .fd = run->signals, .events = POLLIN },
		{ .fd = run->sup, .events = POLLIN },
		{ .fd = run->child ? sef_service_fd(run->service) : -1, .events = POLLIN },
		{ .fd = run->notify, .events = POLLIN },
	};
	uint64_t now = now_ns(), left = until_ns > now ? until_ns - now : 0;
	struct timespec time = { left / NS_PER_SEC, left % NS_PER_SEC };

	if (ppoll(fds, ARRAY_SIZE(fds), until_ns == UINT64_MAX ? NULL : &time, NULL) < 0)
		fail_errno("cannot poll");
	if (fds[2].revents)
		command_pinged(run);
	if (fds[3].revents)
		listen_receive(run);
	if (fds[1].revents)
		take_events(run);
	if (fds[0].revents)
		take_signals(run);
}

int run_main(int argc, char **argv)
{
	struct run run = { .probe.kind = PROBE_AUTO };
	int first;

	listen_open(&run);
	set_defaults(&run);
	first = parse_options(&argp, argc, argv, ARGP_IN_ORDER, &run);
	if (first == argc)
		fail("say which command to run: sefctl run [OPTION...] -- COMMAND [ARGUMENT...]");
	run.command = argv + first;
	set_name(&run);
	if (run.require)
		sef_set_log(NULL);
	open_signals(&run);
	run.had_children = command_left_behind(&run, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (!run.over) {
		uint64_t until_ns = turn(&run);

		if (!run.over)
			wait_for_more(&run, until_ns);
	}
	return exit_status(run.status);
}
