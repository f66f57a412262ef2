// SPDX-License-Identifier: GPL-2.0
/*
 * Where programs run, and what they may not do.
 *
 * A sandbox is a pid namespace. Its second process, the runner, runs programs; when that
 * has ended the first one kills all that is left, and starts another. So whatever signal
 * a program has the kernel send, it is to one of its own. Nobody there has CAP_SYS_BOOT,
 * without which the kernel refuses the last steps of an escalation, panic and restart,
 * however the field @last is mutated. That it refuses is fuzzed with the rest.
 *
 * The thread and the child make their calls beside the main thread, which waits for
 * them a moment only. The child shares the main thread's descriptors. What one program
 * leaves behind is taken away before the next; where that is no more than closing files
 * the same processes go on, as making new ones takes longer than most programs do.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/kcov.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define USER		1000
#define TIME_MS		10000		/* of a program, on a machine that has much to do */
#define MOMENT_NS	5000000		/* for a call of a thread or child */
#define PATIENCE	200		/* such moments, for one to end when told to */
#define PROGRAMS	200		/* of one runner: threads and children leave descriptors */
#define ALARM_US	30000		/* no call of the main thread waits longer */

struct partner {
	enum actor actor;
	bool there, busy;
	pthread_t thread;
	pid_t child;
	const struct call *call;
	sem_t go, done;
};

/* Shared with the child, of one program. */
static struct stage {
	const struct sandbox *box;
	struct slot slots[SLOTS];
	struct partner partners[ACTORS];
} *stage;

static void *shared(size_t size, int fd)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static void actor_begin(enum actor actor)
{
	ioctl(stage->box->kcov[actor], KCOV_ENABLE, KCOV_TRACE_PC);
	actor_init();
}

/*
 * To hand a program over, and wait for it, is what there is most of: on one CPU it takes
 * least. But the thread is to run at the same time.
 */
void stay_on(int cpu)
{
	cpu_set_t cpus;
	int i;

	CPU_ZERO(&cpus);
	for (i = cpu < 0 ? 0 : cpu; i < (cpu < 0 ? CPU_SETSIZE : cpu + 1); i++)
		CPU_SET(i, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void *partner_main(void *arg)
{
	struct partner *p = arg;

	if (p->actor == THREAD)
		stay_on(-1);
	actor_begin(p->actor);
	for (;;) {
		while (sem_wait(&p->go))
			;
		call_run(p->call, stage->slots);
		sem_post(&p->done);
	}
	return NULL;
}

static bool partner_start(struct partner *p)
{
	pid_t child;

	sem_init(&p->go, 1, 0);
	sem_init(&p->done, 1, 0);
	if (p->actor == THREAD)
		return !pthread_create(&p->thread, NULL, partner_main, p);
	child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (!child)
		partner_main(p);
	p->child = child;
	return child > 0;
}

static bool partner_has_ended(struct partner *p)
{
	if (p->actor == THREAD)
		return !pthread_tryjoin_np(p->thread, NULL);
	return waitpid(p->child, NULL, WNOHANG) == p->child;
}

static void partner_init(struct partner *p)
{
	p->there = false;
	p->busy = false;
}

static void partner_wait(struct partner *p)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += MOMENT_NS;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	p->busy = sem_clockwait(&p->done, CLOCK_MONOTONIC, &end);
	if (p->busy && partner_has_ended(p))
		partner_init(p);
}

static void partner_call(struct partner *p, const struct call *call)
{
	if (p->there && partner_has_ended(p))
		partner_init(p);
	if (p->busy && sem_trywait(&p->done))
		return;
	if (!p->there)
		p->there = partner_start(p);
	if (!p->there)
		return;
	p->call = call;
	sem_post(&p->go);
	partner_wait(p);
}

/* Until it waits for calls again, or has ended. */
static void partner_stop(struct partner *p)
{
	unsigned int i;

	for (i = 0; p->busy && i < PATIENCE; i++) {
		if (p->actor == THREAD)
			pthread_kill(p->thread, SIGALRM);
		else
			kill(p->child, SIGKILL);
		partner_wait(p);
	}
	if (p->busy)
		_exit(1);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void begin_alarms(void)
{
	const struct itimerval often = { { 0, ALARM_US }, { 0, ALARM_US } };
	const struct sigaction act = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void become_user(void)
{
	if (setgroups(0, NULL) || setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		_exit(1);
	/* For its files in /proc to be its own. */
	prctl(PR_SET_DUMPABLE, 1);
}

/* False: it has made of its process what no other program is to have. */
static bool run_program(const struct program *program)
{
	const struct call *call;
	bool spoilt = false;

	slots_init(stage->slots);
	for (call = program->calls; call < program->calls + program->len; call++) {
		spoilt = spoilt || table[call->what].spoils;
		if (call_by(call) == MAIN)
			call_run(call, stage->slots);
		else
			partner_call(&stage->partners[call_by(call)], call);
	}
	partner_stop(&stage->partners[THREAD]);
	partner_stop(&stage->partners[CHILD]);
	slots_close(stage->slots);
	return !spoilt;
}

static noreturn void run_programs(const struct sandbox *box, int go, int done)
{
	unsigned int i, left = PROGRAMS;
	bool good = true;
	char c;

	stage = shared(sizeof(*stage), -1);
	stage->box = box;
	for (i = 0; i < ACTORS; i++)
		stage->partners[i].actor = i;
	signal(SIGPIPE, SIG_DFL);
	if (box->user)
		become_user();
	begin_alarms();
	actor_begin(MAIN);
	while (good) {
		while (read(go, &c, 1) != 1)
			;
		good = run_program(&box->desk->program) && --left;
		box->desk->running = !good;
		if (good && write(done, "", 1) != 1)
			break;
	}
	_exit(0);
}

static void drop_restart(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT) || syscall(SYS_capget, &head, caps))
		die("CAP_SYS_BOOT");
	caps[0].permitted &= ~(1U << CAP_SYS_BOOT);
	caps[0].effective &= ~(1U << CAP_SYS_BOOT);
	caps[0].inheritable &= ~(1U << CAP_SYS_BOOT);
	if (syscall(SYS_capset, &head, caps))
		die("CAP_SYS_BOOT");
}

/* One that is stopped goes on after a while. */
static void wait_for_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
		usleep(ALARM_US);
		kill(pid, SIGCONT);
	}
}

/* The first process of the namespace. */
static noreturn void serve(const struct sandbox *box, int go, int done)
{
	bool waits;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	drop_restart();
	for (;;) {
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid)
			run_programs(box, go, done);
		wait_for_end(pid);
		kill(-1, SIGKILL);
		while (waitpid(-1, NULL, 0) > 0)
			;
		/* Who is told may begin the next one at once. */
		waits = box->desk->running;
		box->desk->running = false;
		if (waits && write(done, "", 1) != 1)
			die("write");
	}
}

static void sandbox_open(struct sandbox *box)
{
	int go[2], done[2];

	if (pipe2(go, O_CLOEXEC) || pipe2(done, O_CLOEXEC))
		die("pipe");
	box->pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	if (box->pid < 0)
		die("clone");
	if (!box->pid) {
		close(go[1]);
		close(done[0]);
		serve(box, go[0], done[1]);
	}
	close(go[0]);
	close(done[1]);
	box->go = go[1];
	box->done = done[0];
}

static void sandbox_close(struct sandbox *box)
{
	kill(box->pid, SIGKILL);
	close(box->go);
	close(box->done);
	waitpid(box->pid, NULL, 0);
	box->pid = 0;
}

void sandbox_init(struct sandbox *box, bool user)
{
	unsigned int i;

	*box = (struct sandbox) { .user = user, .desk = shared(sizeof(*box->desk), -1) };
	for (i = 0; i < ACTORS; i++) {
		box->kcov[i] = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
		if (box->kcov[i] < 0 || ioctl(box->kcov[i], KCOV_INIT_TRACE, TRACE))
			die("/sys/kernel/debug/kcov (it takes CONFIG_KCOV, and root)");
		box->trace[i] = shared(TRACE * sizeof(uint64_t), box->kcov[i]);
	}
}

/* False: it took too long, or where it ran is no more. */
bool sandbox_run(struct sandbox *box, const struct program *program)
{
	struct pollfd done = { .events = POLLIN };
	unsigned int i;
	char c;

	if (!box->pid)
		sandbox_open(box);
	box->desk->program = *program;
	for (i = 0; i < ACTORS; i++)
		box->trace[i][0] = 0;
	box->desk->running = true;
	done.fd = box->done;
	if (write(box->go, "", 1) == 1 && poll(&done, 1, TIME_MS) == 1 &&
	    read(box->done, &c, 1) == 1)
		return true;
	sandbox_close(box);
	return false;
}

int idle_main(void)
{
	usleep(ALARM_US);
	return 3;
}
