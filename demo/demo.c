// SPDX-License-Identifier: GPL-2.0
/*
 * The show: five daemons, each of another fate, and a supervisor that prints
 * the kernel's verdicts on them as they fall.
 *
 * It is a test too: each service has to get the verdicts its fate asks for and
 * no others, else the exit status is 1.
 *
 * Nothing here sleeps: what comes next is always started by an event, either a
 * verdict (from /dev/sef) or a line that a daemon prints (from the pipe that is
 * the standard output of them all).
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sef.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * The timeout is long so that a healthy daemon on a slow machine is in time.
 * The second miss in a row comes within PERIOD + 2 * TIMEOUT = 2.4 s of the last
 * pong, so the daemon that hangs for 3 s gets as far as unresponsive.
 */
#define PERIOD_NS	400000000ULL
#define TIMEOUT_NS	1000000000ULL
#define TOLERATE	1
#define SHOW_MAX_NS	30000000000LL	/* a show this long has failed */

#define BIT(state)	(1U << SEF_STATE_##state)

enum { WEB, MAIL, DB, CACHE, BACKUP, NR_SERVICES };

static struct service {
	const char *name;
	const char *fate;
	char *options[4];	/* of the daemon program */
	__u32 must;		/* states it has to enter */
	__u32 may;		/* states it may enter as well */
	enum sef_state last;	/* the state it has to end in */

	pid_t pid;
	__u64 id;
	char shown[4 * SEF_NAME_SIZE];	/* the registered name, escaped */
	__u32 passed;	/* states entered */
	enum sef_state state;
	enum sef_why why;
	int wait_status;
} services[NR_SERVICES] = {
	[WEB] = {
		.name = "web", .fate = "healthy",
		.must = BIT(ALIVE), .last = SEF_STATE_ALIVE,
	},
	[MAIL] = {
		.name = "mail", .fate = "stopped (SIGSTOP)",
		.must = BIT(ALIVE) | BIT(LATE) | BIT(UNRESPONSIVE),
		.last = SEF_STATE_UNRESPONSIVE,
	},
	[DB] = {
		.name = "db", .fate = "killed (SIGKILL)",
		.must = BIT(ALIVE) | BIT(DEAD), .last = SEF_STATE_DEAD,
	},
	[CACHE] = {
		.name = "cache", .fate = "null reply policy",
		.options = { "--null" },
		.must = BIT(LATE) | BIT(UNRESPONSIVE),
		.last = SEF_STATE_UNRESPONSIVE,
	},
	[BACKUP] = {
		.name = "backup", .fate = "hung, recovered",
		.options = { "--hang-after=6", "--hang-for=3" },
		.must = BIT(ALIVE) | BIT(LATE), .may = BIT(UNRESPONSIVE),
		.last = SEF_STATE_ALIVE,
	},
};

static const struct {
	const char *name;
	const char *colour;
} states[] = {
	[SEF_STATE_UNWATCHED]	= { "unwatched", "" },
	[SEF_STATE_WAITING]	= { "waiting", "" },
	[SEF_STATE_ALIVE]	= { "alive", "\033[32m" },
	[SEF_STATE_LATE]	= { "late", "\033[33m" },
	[SEF_STATE_UNRESPONSIVE] = { "unresponsive", "\033[31m" },
	[SEF_STATE_DEAD]	= { "dead", "\033[1;31m" },
	[SEF_STATE_GONE]	= { "gone", "\033[1;31m" },
};

static __s64 started;		/* CLOCK_MONOTONIC, ns */
static bool colours;

static __s64 elapsed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec - started;
}

/* All that comes from another process is escaped, ends where printing allows. */
static void escape(char *to, size_t room, const char *from, size_t len)
{
	const char *end = to + room - sizeof("\\x00");

	for (; len && *from && to <= end; from++, len--) {
		unsigned char c = *from;

		if (c < ' ' || c > '~' || c == '\\')
			to += sprintf(to, "\\x%02x", c);
		else
			*to++ = c;
	}
	*to = '\0';
}

static bool terminal_has_colours(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") &&
	       !getenv("NO_COLOR");
}

static void print_state(enum sef_state state)
{
	if (state < 0 || state >= ARRAY_SIZE(states))
		printf("state %-6u", state);
	else
		printf("%s%-12s%s", colours ? states[state].colour : "",
		       states[state].name, colours ? "\033[0m" : "");
}

#define say(format, ...) \
	printf("t=%4.1fs  " format "\n", elapsed() / 1e9, ##__VA_ARGS__)

/* Start */

static pid_t start_daemon(const struct service *svc, const char *program,
			  int output)
{
	char *argv[3 + ARRAY_SIZE(svc->options)] = { "daemon" };
	pid_t parent = getpid();
	pid_t pid;
	size_t i;

	argv[1] = (char *)svc->name;
	for (i = 0; i < ARRAY_SIZE(svc->options); i++)
		argv[2 + i] = svc->options[i];

	pid = fork();
	if (pid < 0)
		err(1, "cannot fork");
	if (pid)
		return pid;

	/* A daemon of the show does not outlive it, however it ends. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	if (dup2(output, STDOUT_FILENO) < 0)
		err(1, "cannot give %s its output", svc->name);
	execv(program, argv);
	err(1, "cannot run %s (build both: make -C demo)", program);
}

/* Each read of the pipe gives one whole line: O_DIRECT keeps writes apart. */
static int start_daemons(void)
{
	char program[PATH_MAX];
	int output[2];
	ssize_t len;
	char *dir;
	int i;

	len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (len < 0)
		err(1, "cannot read /proc/self/exe (is /proc mounted?)");
	program[len] = '\0';
	dir = strrchr(program, '/') + 1;
	if (snprintf(dir, program + sizeof(program) - dir, "daemon") >=
	    program + sizeof(program) - dir)
		errx(1, "the path of this program is too long");

	if (pipe2(output, O_CLOEXEC | O_DIRECT))
		err(1, "cannot make a pipe");
	for (i = 0; i < NR_SERVICES; i++)
		services[i].pid = start_daemon(&services[i], program, output[1]);
	close(output[1]);
	return output[0];
}

/* Fills in the ids: the registry is walked, and a service known by its pid. */
static void find_services(int sef)
{
	struct sef_status_args args = { .flags = SEF_STATUS_NEXT };
	int i, found = 0;

	while (!ioctl(sef, SEF_IOC_STATUS, &args)) {
		for (i = 0; i < NR_SERVICES; i++) {
			if (services[i].pid != args.pid)
				continue;
			services[i].id = args.id;
			escape(services[i].shown, sizeof(services[i].shown),
			       args.name, sizeof(args.name));
			found++;
		}
	}
	if (errno != ESRCH)
		err(1, "cannot walk the registry");
	if (found != NR_SERVICES)
		errx(1, "only %d of %d daemons are in the registry", found,
		     NR_SERVICES);
}

static void watch_services(int sef)
{
	struct sef_watch_args args = {
		.period_ns = PERIOD_NS,
		.timeout_ns = TIMEOUT_NS,
		.tolerate = TOLERATE,
	};
	int i;

	say("I watch all five. '%s' has the null reply policy: its pongs do not count.",
	    services[CACHE].shown);
	for (i = 0; i < NR_SERVICES; i++) {
		args.id = services[i].id;
		args.cookie = i;
		if (ioctl(sef, SEF_IOC_WATCH, &args))
			err(1, "cannot watch %s", services[i].shown);
	}
}

/* Verdicts */

static const char *const causes[] = {
	[SEF_WHY_NULL_REPLY]	= "null reply policy",
	[SEF_WHY_STOPPED]	= "stopped by a signal",
	[SEF_WHY_TRACED]	= "held by a debugger",
	[SEF_WHY_FROZEN]	= "frozen",
	[SEF_WHY_STARVED]	= "starved of the CPU",
	[SEF_WHY_STALLED]	= "the machine stood still",
	[SEF_WHY_SPUN_USER]	= "spinning",
	[SEF_WHY_SPUN_KERNEL]	= "spinning in the kernel",
	[SEF_WHY_BLOCKED]	= "blocked in the kernel",
	[SEF_WHY_ASLEEP]	= "asleep in a system call",
	[SEF_WHY_EXITING]	= "exiting",
};

#define NR_CAUSES	(sizeof(causes) / sizeof(causes[0]))

static void print_details(const struct sef_event *event)
{
	int status = event->wait_status;

	switch (event->state) {
	case SEF_STATE_ALIVE:
		if (event->passed & (BIT(LATE) | BIT(UNRESPONSIVE)))
			printf("was late, answers again");
		else
			printf("answers");
		break;
	case SEF_STATE_LATE:
	case SEF_STATE_UNRESPONSIVE:
		printf("silent for %.1f s, missed %u", event->silent_ns / 1e9,
		       event->misses);
		if (event->why < NR_CAUSES && causes[event->why])
			printf(", %s", causes[event->why]);
		break;
	case SEF_STATE_DEAD:
		if (WIFSIGNALED(status))
			printf("killed by signal %d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
		else
			printf("exited with status %d", WEXITSTATUS(status));
		break;
	case SEF_STATE_GONE:
		printf("closed its file");
		break;
	}
}

static void take_verdict(const struct sef_event *event)
{
	struct service *svc;

	if (event->cookie >= NR_SERVICES)
		errx(1, "an event of no watch of ours, cookie %llu",
		     (unsigned long long)event->cookie);
	svc = &services[event->cookie];
	svc->passed |= event->passed;
	svc->state = event->state;
	svc->why = event->why;
	svc->wait_status = event->wait_status;
	if (event->state == SEF_STATE_WAITING)
		return;

	printf("t=%4.1fs    %-7s pid %-6d ", elapsed() / 1e9, svc->shown,
	       svc->pid);
	print_state(event->state);
	printf(" ");
	print_details(event);
	printf("\n");
}

static void take_verdicts(int sef)
{
	struct sef_event events[NR_SERVICES];
	ssize_t len = read(sef, events, sizeof(events));
	size_t i;

	if (len < 0)
		err(1, "cannot read events");
	for (i = 0; i < len / sizeof(events[0]); i++)
		take_verdict(&events[i]);
}

/* What is wrong with a service's verdicts so far, or NULL. */
static const char *mistake(int i)
{
	const struct service *svc = &services[i];

	if (svc->passed & ~(BIT(WAITING) | svc->must | svc->may))
		return "got a verdict that it should not get";
	if (i == CACHE && svc->state == SEF_STATE_UNRESPONSIVE &&
	    svc->why != SEF_WHY_NULL_REPLY)
		return "was missed for another reason than its reply policy";
	if (i == DB && svc->state == SEF_STATE_DEAD &&
	    (!WIFSIGNALED(svc->wait_status) ||
	     WTERMSIG(svc->wait_status) != SIGKILL))
		return "is said to have died of something else than SIGKILL";
	return NULL;
}

static bool finished(int i)
{
	const struct service *svc = &services[i];

	return (svc->passed & svc->must) == svc->must &&
	       svc->state == svc->last;
}

/* Nothing more is to come, for good or bad. */
static bool settled(int i)
{
	return finished(i) || mistake(i);
}

static bool all_settled(void)
{
	int i = 0;

	while (i < NR_SERVICES && settled(i))
		i++;
	return i == NR_SERVICES;
}

/* The show */

static void send_signal(const struct service *svc, int sig)
{
	if (kill(svc->pid, sig))
		err(1, "cannot signal %s", svc->shown);
}

/* Starts the next act once the verdict has come that ends the one before. */
static void direct(void)
{
	static enum { BEGIN, STOPPED, KILLED } act;

	if (act == BEGIN && settled(CACHE) &&
	    services[MAIL].state == SEF_STATE_ALIVE) {
		say("I stop '%s' with SIGSTOP: it keeps its process and does nothing.",
		    services[MAIL].shown);
		send_signal(&services[MAIL], SIGSTOP);
		act = STOPPED;
	} else if (act == STOPPED && settled(MAIL) &&
		   services[DB].state == SEF_STATE_ALIVE) {
		say("I kill '%s' with SIGKILL.", services[DB].shown);
		send_signal(&services[DB], SIGKILL);
		act = KILLED;
	}
}

/* A daemon printed a line: it is up and registered, or about to hang. */
static void relay(int output)
{
	char line[PIPE_BUF], shown[4 * 80];
	ssize_t len = read(output, line, sizeof(line));

	if (len < 0)
		err(1, "cannot read what the daemons print");
	if (!len)
		errx(1, "every daemon has ended (they said why above)");
	escape(shown, sizeof(shown), line, len - (line[len - 1] == '\n'));
	say("%s", shown);
}

static bool wait_for_any(struct pollfd *fds, int nr)
{
	__s64 left = SHOW_MAX_NS - elapsed();
	int ready = poll(fds, nr, left < 0 ? 0 : left / 1000000 + 1);

	if (ready < 0)
		err(1, "cannot poll");
	return ready;
}

static void show(int sef, int output)
{
	struct pollfd fds[] = {
		{ .fd = output, .events = POLLIN },
		{ .fd = sef, .events = POLLIN },
	};
	int i;

	/* A daemon prints its first line when it has registered. */
	for (i = 0; i < NR_SERVICES; i++) {
		if (!wait_for_any(fds, 1))
			errx(1, "some daemon has not registered (it says why above)");
		relay(output);
	}
	find_services(sef);
	watch_services(sef);

	while (!all_settled() && wait_for_any(fds, 2)) {
		if (fds[0].revents)
			relay(output);
		if (fds[1].revents)
			take_verdicts(sef);
		direct();
	}
}

/* Prints the table; returns how many services did not get what they should. */
static int close_show(int sef)
{
	struct sef_status_args args;
	const char *wrong;
	int i, bad = 0;

	printf("\n%-8s %-18s %-12s %10s %6s  %s\n", "service", "fate", "state",
	       "silent for", "misses", "as it should be?");
	for (i = 0; i < NR_SERVICES; i++) {
		args = (struct sef_status_args){ .id = services[i].id };
		if (ioctl(sef, SEF_IOC_STATUS, &args))
			err(1, "cannot ask for the status of %s", services[i].shown);
		wrong = mistake(i);
		if (!wrong && !finished(i))
			wrong = "a verdict that had to come did not come";
		printf("%-8s %-18s ", services[i].shown, services[i].fate);
		print_state(args.state);
		printf(" %8.1f s %6u  %s%s\n", args.silent_ns / 1e9, args.misses,
		       wrong ? "NO: " : "yes", wrong ?: "");
		bad += !!wrong;
	}
	return bad;
}

int main(void)
{
	int sef, bad;

	started = elapsed();
	setlinebuf(stdout);
	colours = terminal_has_colours();
	sef = open("/dev/sef", O_RDWR | O_CLOEXEC);
	if (sef < 0)
		err(1, "cannot open /dev/sef (is the module loaded? root may open it)");

	printf("Five daemons run here as services. Whenever one has given no sign of life for\n"
	       "%.1f s, the kernel asks it \"are you alive?\": a ping. It has %.1f s to answer: a pong.\n"
	       "One ping without a pong makes it \"late\", two in a row \"unresponsive\"; when its\n"
	       "process has ended it is \"dead\". The kernel keeps the deadlines and gives these\n"
	       "verdicts. This program is a supervisor: it prints them as they fall, and makes\n"
	       "the trouble. In the end it checks that each daemon got the verdicts it earned.\n\n",
	       PERIOD_NS / 1e9, TIMEOUT_NS / 1e9);

	show(sef, start_daemons());
	bad = close_show(sef);
	if (bad)
		printf("FAILED: %d of %d services did not get the verdicts they should.\n",
		       bad, NR_SERVICES);
	else
		printf("All %d services got the verdicts they should, in %.1f s.\n",
		       NR_SERVICES, elapsed() / 1e9);
	if (ferror(stdout))
		errx(1, "not all of this could be printed");
	return !!bad;
}
