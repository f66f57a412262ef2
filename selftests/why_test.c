// SPDX-License-Identifier: GPL-2.0
/*
 * Why a service fell silent: each cause is brought about for real, and told, with
 * what was seen. WHY_ROUNDS says how often, for the trial; each round is a new
 * service and prints a line then.
 */
#include <linux/capability.h>
#include <linux/fuse.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "busy.h"
#include "servant.h"

#define ROUNDS		3
/* Two looks, half of it apart, have to be many ticks apart. */
#define TIMEOUT		(200 * MSEC)
#define USER		54321
#define OTHER_USER	54322

#define STALLS		"/sys/module/sef_stall/parameters/stall"
#define LOOKS		"/sys/kernel/tracing/events/sef/sef_look/id"
#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define SLEEPER		"/bin/sleep"
/* Reads nothing of the core, and ends before long. */
#define CORE_READER	SLEEPER

static const char *const names[] = {
	[SEF_WHY_UNKNOWN]	= "unknown",
	[SEF_WHY_NULL_REPLY]	= "null reply policy",
	[SEF_WHY_STOPPED]	= "stopped",
	[SEF_WHY_TRACED]	= "traced",
	[SEF_WHY_FROZEN]	= "frozen",
	[SEF_WHY_STARVED]	= "starved",
	[SEF_WHY_STALLED]	= "machine stalled",
	[SEF_WHY_SPUN_USER]	= "spinning in user mode",
	[SEF_WHY_SPUN_KERNEL]	= "spinning in the kernel",
	[SEF_WHY_BLOCKED]	= "blocked",
	[SEF_WHY_ASLEEP]	= "asleep",
	[SEF_WHY_EXITING]	= "exiting",
};

/* What the service does, from now on: none of these takes another order. */
enum {
	DO_SPIN = DO_MORE,
	DO_SPIN_IN_KERNEL,
	DO_VFORK,
	DO_DEADLOCK,
	DO_READ_PIPE,
	DO_EPOLL,
	DO_OPEN_PLACE,
	DO_DUMP_CORE,
	DO_END_FIRST_THREAD,
	DO_END_FIRST_WITH_RING,
	DO_EXEC_BY_THREAD,	/* arg: after so many ms */
	DO_SET_DUMPABLE,	/* arg: 0 or 1; this one does take others */
};

static char place[32];		/* a folder of the test's own */
static char big[4 << 20];

static int wait_for_ever(void *unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (true)
		pause();
	return 0;
}

static void spin_in_kernel(void)
{
	while (getrandom(big, sizeof(big), 0))
		;
}

/* Its child neither ends nor executes anything. */
static void do_vfork(void)
{
	clone(wait_for_ever, big + sizeof(big), CLONE_VM | CLONE_VFORK | SIGCHLD,
	      NULL);
}

static void deadlock(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	while (true)
		pthread_mutex_lock(&mutex);
}

static void read_pipe(void)
{
	int ends[2];
	char c;

	if (!pipe(ends))
		read(ends[0], &c, 1);
}

static void do_epoll(void)
{
	struct epoll_event event;

	epoll_pwait(epoll_create1(EPOLL_CLOEXEC), &event, 1, -1, NULL);
}

/* Not pause(): it is another system call on each architecture. */
static void *sleep_for_ever(void *unused)
{
	sigset_t none;

	sigemptyset(&none);
	while (true)
		sigsuspend(&none);
	return NULL;
}

/* Its kernel thread is one of the process's, and goes on until the file is closed. */
static int new_ring(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQPOLL,
		.sq_thread_idle = 1,
	};

	return syscall(SYS_io_uring_setup, 1, &params);
}

static void end_first_thread(bool with_ring)
{
	pthread_t thread;

	if (with_ring && new_ring() < 0)
		return;
	if (!pthread_create(&thread, NULL, sleep_for_ever, NULL))
		pthread_exit(NULL);
}

static void *sleep_and_exec(void *after_ms)
{
	poll(NULL, 0, (long)after_ms);
	execl(SLEEPER, SLEEPER, "1000", NULL);
	_exit(1);
}

/* The service goes on: the file stays open. */
static void exec_by_thread(long after_ms)
{
	pthread_t thread;

	fcntl(servant_file, F_SETFD, 0);
	if (!pthread_create(&thread, NULL, sleep_and_exec, (void *)after_ms))
		sleep_for_ever(NULL);
}

static void dump_core(void)
{
	memset(big, POISON, sizeof(big));	/* more than a pipe takes */
	signal(SIGABRT, SIG_DFL);
	abort();
}

static __s64 obey(int order, __s64 arg)
{
	if (order < DO_MORE)
		return serve(order, arg);
	if (order == DO_SET_DUMPABLE)
		return prctl(PR_SET_DUMPABLE, (unsigned long)arg) ? errno : 0;
	answer(0);
	switch (order) {
	case DO_SPIN:
		while (true)
			;
	case DO_SPIN_IN_KERNEL:
		spin_in_kernel();
		break;
	case DO_VFORK:
		do_vfork();
		break;
	case DO_DEADLOCK:
		deadlock();
		break;
	case DO_READ_PIPE:
		read_pipe();
		break;
	case DO_EPOLL:
		do_epoll();
		break;
	case DO_OPEN_PLACE:
		open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		break;
	case DO_END_FIRST_THREAD:
	case DO_END_FIRST_WITH_RING:
		end_first_thread(order == DO_END_FIRST_WITH_RING);
		break;
	case DO_EXEC_BY_THREAD:
		exec_by_thread(arg);
		break;
	case DO_DUMP_CORE:
		dump_core();
		break;
	}
	_exit(1);	/* it was not to come back */
}

FIXTURE(why)
{
	struct servant s;
	__u64 id;
	int sup;
	int cpus[2];		/* the test's, the service's */
	struct busy busy;
	int fuse;		/* -1 for none */
	char core_pattern[256];	/* as it was, "" before it is changed */
};

/*
 * A cause: what others do to the service, and the order that makes it fall silent
 * by itself. Others may say that they can't, here.
 */
FIXTURE_VARIANT(why)
{
	__u32 why;
	char state;		/* it is in, from then on; 0 for any */
	const char *status;	/* what /proc/PID/status has then; or NULL */
	int syscall;		/* which it is in; 0 for any */
	const char *stack;	/* some function of it */
	int order;		/* 0 for none */
	bool other_thread;	/* is the one looked at */
	bool passes;		/* by itself: a round that outlasts it proves nothing */
	const char *(*hold)(struct __test_metadata *_metadata,
			    FIXTURE_DATA(why) *self);
	void (*let_go)(struct __test_metadata *_metadata,
		       FIXTURE_DATA(why) *self);
};

static void read_text(struct __test_metadata *_metadata, const char *path,
		      char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	ASSERT_LE(0, fd) {
		TH_LOG("%s: %s", path, strerror(errno));
	}
	len = read(fd, text, size - 1);
	ASSERT_LE(0, len);
	text[len] = '\0';
	EXPECT_EQ(0, close(fd));
}

static void write_text(struct __test_metadata *_metadata, const char *path,
		       const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, fd) {
		TH_LOG("%s: %s", path, strerror(errno));
	}
	ASSERT_EQ(strlen(text), write(fd, text, strlen(text)));
	EXPECT_EQ(0, close(fd));
}

/* A thread that sleeps is where it last ran: so it runs there once. */
static const char *part_cpus(struct __test_metadata *_metadata,
			     FIXTURE_DATA(why) *self)
{
	if (get_cpus(self->cpus, 2) < 2)
		return "needs two CPUs";
	ASSERT_TRUE(pin(0, self->cpus[0]));
	ASSERT_TRUE(pin(self->s.pid, self->cpus[1]));
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	return NULL;
}

static void join_cpus(FIXTURE_DATA(why) *self)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(self->cpus[0], &set);
	CPU_SET(self->cpus[1], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static const char *starve(struct __test_metadata *_metadata,
			  FIXTURE_DATA(why) *self)
{
	const char *cannot = part_cpus(_metadata, self);

	if (cannot)
		return cannot;
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SPIN, 0));
	start_busy(_metadata, &self->busy, &self->cpus[1], 1);
	return NULL;
}

static void feed(struct __test_metadata *_metadata, FIXTURE_DATA(why) *self)
{
	end_busy(_metadata, &self->busy);
	join_cpus(self);
}

/* Its CPU, for many timeouts. */
static const char *stall(struct __test_metadata *_metadata,
			 FIXTURE_DATA(why) *self)
{
	const char *cannot = part_cpus(_metadata, self);
	char text[32];
	int fd;

	if (cannot)
		return cannot;
	fd = open("sef_stall.ko", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return "no sef_stall.ko for this kernel";
	if (syscall(SYS_finit_module, fd, "", 0))
		ASSERT_EQ(EEXIST, errno);
	EXPECT_EQ(0, close(fd));
	snprintf(text, sizeof(text), "%d 1500", self->cpus[1]);
	write_text(_metadata, STALLS, text);
	return NULL;
}

static bool stalls(struct __test_metadata *_metadata)
{
	char text[16];

	read_text(_metadata, STALLS, text, sizeof(text));
	return atoi(text);
}

static void unstall(struct __test_metadata *_metadata, FIXTURE_DATA(why) *self)
{
	do
		poll(NULL, 0, 1);
	while (stalls(_metadata));
	EXPECT_EQ(0, syscall(SYS_delete_module, "sef_stall", 0));
	join_cpus(self);
}

static const char *stop(struct __test_metadata *_metadata,
			FIXTURE_DATA(why) *self)
{
	ASSERT_EQ(0, kill(self->s.pid, SIGSTOP));
	return NULL;
}

static const char *trace(struct __test_metadata *_metadata,
			 FIXTURE_DATA(why) *self)
{
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->s.pid, NULL, NULL));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, self->s.pid, NULL, NULL));
	ASSERT_EQ(self->s.pid, waitpid(self->s.pid, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	return NULL;
}

static void untrace(struct __test_metadata *_metadata, FIXTURE_DATA(why) *self)
{
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, self->s.pid, NULL, NULL));
}

static char *in_cgroup(const char *file)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/sef_why/%s", place, file);
	return path;
}

static const char *freeze(struct __test_metadata *_metadata,
			  FIXTURE_DATA(why) *self)
{
	char text[256];

	if (mount("cgroup2", place, "cgroup2", 0, NULL))
		return "no cgroup2";
	ASSERT_EQ(0, mkdir(in_cgroup(""), 0700));
	snprintf(text, sizeof(text), "%d", self->s.pid);
	write_text(_metadata, in_cgroup("cgroup.procs"), text);
	write_text(_metadata, in_cgroup("cgroup.freeze"), "1");
	do
		read_text(_metadata, in_cgroup("cgroup.events"), text,
			  sizeof(text));
	while (!strstr(text, "frozen 1"));
	return NULL;
}

static void thaw(struct __test_metadata *_metadata, FIXTURE_DATA(why) *self)
{
	int tries = PATIENCE;

	write_text(_metadata, in_cgroup("cgroup.freeze"), "0");
	EXPECT_EQ(0, kill(self->s.pid, SIGKILL));
	while (rmdir(in_cgroup("")) && errno == EBUSY && tries--)
		poll(NULL, 0, 1);
	EXPECT_LE(0, tries);
	EXPECT_EQ(0, umount(place));
}

/* A file system whose server has not even begun. */
static const char *mount_fuse(struct __test_metadata *_metadata,
			      FIXTURE_DATA(why) *self)
{
	char options[64];

	self->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (self->fuse < 0)
		return "no /dev/fuse";
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", self->fuse);
	ASSERT_EQ(0, mount("sef_why", place, "fuse", 0, options));
	return NULL;
}

/* One whose server has begun, and falls silent itself. */
static const char *serve_fuse(struct __test_metadata *_metadata,
			      FIXTURE_DATA(why) *self)
{
	const char *cannot = mount_fuse(_metadata, self);
	struct fuse_in_header *in = (void *)big;
	struct {
		struct fuse_out_header head;
		struct fuse_init_out init;
	} out = {
		.head.len = sizeof(out),
		.init.major = FUSE_KERNEL_VERSION,
		.init.minor = FUSE_KERNEL_MINOR_VERSION,
		.init.max_write = 4096,
	};

	if (cannot)
		return cannot;
	ASSERT_LT(sizeof(*in), read(self->fuse, big, sizeof(big)));
	ASSERT_EQ(FUSE_INIT, in->opcode);
	out.head.unique = in->unique;
	ASSERT_EQ(sizeof(out), write(self->fuse, &out, sizeof(out)));
	return NULL;
}

static void umount_fuse(struct __test_metadata *_metadata,
			FIXTURE_DATA(why) *self)
{
	EXPECT_EQ(0, close(self->fuse));
	EXPECT_EQ(0, umount2(place, MNT_DETACH));
}

/* Cores go to a program that does not read them. */
static const char *keep_cores(struct __test_metadata *_metadata,
			      FIXTURE_DATA(why) *self)
{
	if (access(CORE_READER, X_OK))
		return "no " CORE_READER;
	read_text(_metadata, CORE_PATTERN, self->core_pattern,
		  sizeof(self->core_pattern));
	write_text(_metadata, CORE_PATTERN, "|" CORE_READER " 10");
	return NULL;
}

static void release_cores(struct __test_metadata *_metadata,
			  FIXTURE_DATA(why) *self)
{
	write_text(_metadata, CORE_PATTERN, self->core_pattern);
}

static const char *have_rings(struct __test_metadata *_metadata,
			      FIXTURE_DATA(why) *self)
{
	int fd = new_ring();

	if (fd < 0)
		return "no io_uring";
	EXPECT_EQ(0, close(fd));
	return NULL;
}

static const char *have_null_reply(struct __test_metadata *_metadata,
				   FIXTURE_DATA(why) *self)
{
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_SET_REPLY, SEF_REPLY_NULL));
	return NULL;
}

FIXTURE_VARIANT_ADD(why, loop) {
	.why = SEF_WHY_SPUN_USER,
	.state = 'R',
	.order = DO_SPIN,
};

FIXTURE_VARIANT_ADD(why, getrandom) {
	.why = SEF_WHY_SPUN_KERNEL,
	.state = 'R',
	.order = DO_SPIN_IN_KERNEL,
};

FIXTURE_VARIANT_ADD(why, real_time_hog) {
	.why = SEF_WHY_STARVED,
	.state = 'R',
	.hold = starve,
	.let_go = feed,
};

FIXTURE_VARIANT_ADD(why, stalled_cpu) {
	.why = SEF_WHY_STALLED,
	.passes = true,
	.hold = stall,
	.let_go = unstall,
};

FIXTURE_VARIANT_ADD(why, vfork) {
	.why = SEF_WHY_BLOCKED,
	.state = 'D',
	.syscall = SYS_clone,
	.stack = "kernel_clone",
	.order = DO_VFORK,
};

FIXTURE_VARIANT_ADD(why, fuse_not_begun) {
	.why = SEF_WHY_BLOCKED,
	.state = 'D',
	.syscall = SYS_openat,
	.stack = "fuse",
	.order = DO_OPEN_PLACE,
	.hold = mount_fuse,
	.let_go = umount_fuse,
};

FIXTURE_VARIANT_ADD(why, fuse) {
	.why = SEF_WHY_ASLEEP,
	.state = 'S',
	.syscall = SYS_openat,
	.stack = "fuse",
	.order = DO_OPEN_PLACE,
	.hold = serve_fuse,
	.let_go = umount_fuse,
};

FIXTURE_VARIANT_ADD(why, mutex) {
	.why = SEF_WHY_ASLEEP,
	.state = 'S',
	.syscall = SYS_futex,
	.stack = "futex",
	.order = DO_DEADLOCK,
};

FIXTURE_VARIANT_ADD(why, pipe) {
	.why = SEF_WHY_ASLEEP,
	.state = 'S',
	.syscall = SYS_read,
	.stack = "pipe_read",
	.order = DO_READ_PIPE,
};

FIXTURE_VARIANT_ADD(why, epoll) {
	.why = SEF_WHY_ASLEEP,
	.state = 'S',
	.syscall = SYS_epoll_pwait,
	.stack = "epoll",
	.order = DO_EPOLL,
};

FIXTURE_VARIANT_ADD(why, sigstop) {
	.why = SEF_WHY_STOPPED,
	.state = 'T',
	.hold = stop,
};

FIXTURE_VARIANT_ADD(why, ptrace) {
	.why = SEF_WHY_TRACED,
	.state = 't',
	.hold = trace,
	.let_go = untrace,
};

FIXTURE_VARIANT_ADD(why, cgroup) {
	.why = SEF_WHY_FROZEN,
	.hold = freeze,
	.let_go = thaw,
};

FIXTURE_VARIANT_ADD(why, core_dump) {
	.why = SEF_WHY_EXITING,
	.status = "CoreDumping:\t1",
	.order = DO_DUMP_CORE,
	.hold = keep_cores,
	.let_go = release_cores,
};

FIXTURE_VARIANT_ADD(why, first_thread_ended) {
	.why = SEF_WHY_ASLEEP,
	.status = "State:\tZ",
	.syscall = SYS_rt_sigsuspend,
	.order = DO_END_FIRST_THREAD,
	.other_thread = true,
};

FIXTURE_VARIANT_ADD(why, first_thread_ended_with_ring) {
	.why = SEF_WHY_ASLEEP,
	.status = "State:\tZ",
	.syscall = SYS_rt_sigsuspend,
	.order = DO_END_FIRST_WITH_RING,
	.other_thread = true,
	.hold = have_rings,
};

FIXTURE_VARIANT_ADD(why, null_reply) {
	.why = SEF_WHY_NULL_REPLY,
	.state = 'S',
	.syscall = SYS_read,	/* of the next order */
	.hold = have_null_reply,
};

FIXTURE_SETUP(why)
{
	snprintf(place, sizeof(place), "/tmp/sef_why.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(place));
	self->sup = new_file(_metadata);
}

FIXTURE_TEARDOWN(why)
{
	EXPECT_EQ(0, close(self->sup));
	EXPECT_EQ(0, rmdir(place));
}

static void poison_why(struct sef_why_args *args, __u64 id)
{
	memset(args, POISON, sizeof(*args));
	args->id = id;
	args->flags = 0;
}

static int why_error(int fd, __u64 id, __u32 flags)
{
	struct sef_why_args args, was;
	int err;

	poison_why(&args, id);
	args.flags = flags;
	was = args;
	err = call(fd, SEF_IOC_WHY, &args);
	return memcmp(&was, &args, sizeof(args)) ? -1 : err;
}

/* Where it slept: "function+0x1/0x2" and a newline each, then nothing. */
static void check_stack(struct __test_metadata *_metadata,
			const struct sef_why_args *args)
{
	const char *line, *end = args->stack;
	char function[64];
	unsigned int at, size, i;
	int used = 0;

	if (!(args->known & SEF_KNOWN_STACK))
		EXPECT_EQ('\0', args->stack[0]);
	for (line = args->stack; *line; line = end + 1) {
		end = strchr(line, '\n');
		ASSERT_NE(NULL, end);
		EXPECT_EQ(3, sscanf(line, "%63[^+\n]+%x/%x%n", function, &at,
				    &size, &used)) {
			TH_LOG("%s", args->stack);
		}
		EXPECT_NE('0', function[0]);
	}
	for (i = line - args->stack; i < sizeof(args->stack); i++)
		ASSERT_EQ('\0', args->stack[i]);
}

/* What holds of all that is told. */
static void get_why(struct __test_metadata *_metadata, int fd, __u64 id,
		    struct sef_why_args *args)
{
	poison_why(args, id);
	ASSERT_EQ(0, call(fd, SEF_IOC_WHY, args));
	EXPECT_EQ(id, args->id);
	EXPECT_EQ(0, args->flags);
	EXPECT_GT(HOUR, args->age_ns);
	EXPECT_EQ(0, args->known & ~(SEF_KNOWN_WINDOW | SEF_KNOWN_WAITED |
				     SEF_KNOWN_SYSCALL | SEF_KNOWN_STACK));
	EXPECT_EQ(!!(args->known & SEF_KNOWN_SYSCALL), args->syscall >= 0);
	EXPECT_LE(-1, args->syscall);
	EXPECT_EQ(!!(args->known & SEF_KNOWN_WINDOW), !!args->window_ns);
	if (!(args->known & SEF_KNOWN_WINDOW)) {
		EXPECT_EQ(0, args->user_ns);
		EXPECT_EQ(0, args->kernel_ns);
		EXPECT_EQ(0, args->voluntary);
		EXPECT_EQ(0, args->involuntary);
	}
	if (!(args->known & SEF_KNOWN_WAITED))
		EXPECT_EQ(0, args->waited_ns);
	check_stack(_metadata, args);
}

/* With several CPUs 32-bit Arm tells none of another thread, either. */
static bool linux_tells_stacks(void)
{
#ifdef __arm__
	return false;
#else
	struct utsname uts;
	int major = 0, minor = 0;

	uname(&uts);
	sscanf(uts.release, "%d.%d", &major, &minor);
	return major > 6 || (major == 6 && minor >= 7);
#endif
}

static int rounds(void)
{
	const char *text = getenv("WHY_ROUNDS");

	return text ? atoi(text) : 0;
}

/*
 * A miss. Where a machine that stalls would be an excuse, that may come before, and
 * is said by the way; else a host with other work could decide the test. False where
 * the cause was over by then: the kernel waits for each CPU now and then, and whoever
 * wants the first one waits for as long as the other stands still.
 */
static bool miss_one(struct __test_metadata *_metadata,
		     FIXTURE_DATA(why) *self,
		     const FIXTURE_VARIANT(why) *variant, struct sef_event *ev)
{
	struct sef_watch_args args;

	fill_watch(&args, self->id, SHORT, TIMEOUT, 0);
	if (variant->why != SEF_WHY_STALLED)
		args.excuse = SEF_EXCUSE(SEF_WHY_STALLED);
	ASSERT_EQ(0, set_watch(self->sup, &args));
	do {
		get_event(_metadata, self->sup, ev);
		ASSERT_EQ(self->id, ev->id);
		if (variant->passes && !stalls(_metadata))
			return false;
		if (rounds() && ev->state != SEF_STATE_ALIVE)
			TH_LOG("why: %s: %s", names[variant->why],
			       names[ev->why]);
	} while (ev->state != SEF_STATE_UNRESPONSIVE);
	return true;
}

/* Of the times only what no load of the machine changes. */
static void check_times(struct __test_metadata *_metadata,
			const FIXTURE_VARIANT(why) *variant,
			const struct sef_why_args *args)
{
	EXPECT_TRUE(args->known & SEF_KNOWN_WINDOW);
	/* a first look that is late is what a stall is told by */
	if (variant->why != SEF_WHY_STALLED)
		EXPECT_LT(TIMEOUT / 4, args->window_ns);
	EXPECT_GT(PATIENCE * MSEC, args->window_ns);
	switch (variant->why) {
	case SEF_WHY_SPUN_USER:
		EXPECT_LT(args->kernel_ns, args->user_ns);
		break;
	case SEF_WHY_SPUN_KERNEL:
		EXPECT_LT(args->user_ns, args->kernel_ns);
		break;
	case SEF_WHY_STARVED:
		EXPECT_TRUE(args->known & SEF_KNOWN_WAITED);
		EXPECT_LE(args->window_ns / 2, args->waited_ns);
		break;
	}
	if (!variant->state || variant->state == 'R')
		return;
	EXPECT_EQ(0, args->user_ns);
	EXPECT_EQ(0, args->kernel_ns);
	EXPECT_EQ(0, args->waited_ns);
	EXPECT_EQ(0, args->voluntary);
	EXPECT_EQ(0, args->involuntary);
}

static void check_place(struct __test_metadata *_metadata,
			const FIXTURE_VARIANT(why) *variant,
			const struct sef_why_args *args)
{
	if (variant->state)
		EXPECT_EQ(variant->state, args->state);
	if (variant->syscall)
		EXPECT_EQ(variant->syscall, args->syscall);
	if (variant->state)
		EXPECT_EQ(linux_tells_stacks() && variant->state != 'R',
			  !!(args->known & SEF_KNOWN_STACK));
	if (variant->stack && args->known & SEF_KNOWN_STACK)
		EXPECT_NE(NULL, strstr(args->stack, variant->stack)) {
			TH_LOG("%s", args->stack);
		}
}

/* In a trial what is said wrong is counted, and nothing else. */
static void check_miss(struct __test_metadata *_metadata,
		       FIXTURE_DATA(why) *self,
		       const FIXTURE_VARIANT(why) *variant,
		       const struct sef_event *ev)
{
	struct sef_why_args args;

	get_why(_metadata, self->sup, self->id, &args);
	if (rounds() && ev->why != variant->why)
		return;
	EXPECT_EQ(variant->why, ev->why);
	EXPECT_EQ(ev->why, args.why);
	EXPECT_EQ(variant->other_thread, self->s.pid != ev->tid);
	EXPECT_EQ(ev->tid, args.tid);
	EXPECT_LE(ev->seq, args.seq);
	check_times(_metadata, variant, &args);
	check_place(_metadata, variant, &args);
}

static void wait_status(struct __test_metadata *_metadata, pid_t pid,
			const char *status)
{
	int tries = PATIENCE;
	char path[32], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	while (true) {
		read_text(_metadata, path, text, sizeof(text));
		if (strstr(text, status))
			return;
		ASSERT_LT(0, tries--);
		poll(NULL, 0, 1);
	}
}

/* Returns why it can't be brought about, or NULL; takes one from @rounds_left if it was. */
static const char *one_round(struct __test_metadata *_metadata,
			     FIXTURE_DATA(why) *self,
			     const FIXTURE_VARIANT(why) *variant,
			     int *rounds_left)
{
	const char *cannot = NULL;
	struct sef_event ev;

	self->id = new_serving(_metadata, &self->s, obey, 0);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	if (variant->hold)
		cannot = variant->hold(_metadata, self);
	if (!cannot) {
		if (variant->order)
			ASSERT_EQ(0, ask(_metadata, &self->s, variant->order, 0));
		if (variant->state)
			ASSERT_TRUE(wait_task_state(self->s.pid, self->s.pid,
						    variant->state));
		if (variant->status)
			wait_status(_metadata, self->s.pid, variant->status);
		if (miss_one(_metadata, self, variant, &ev)) {
			check_miss(_metadata, self, variant, &ev);
			--*rounds_left;
		}
		ASSERT_EQ(0, unwatch(self->sup, self->id));
		EXPECT_EQ(ENOENT, why_error(self->sup, self->id, 0));
		if (variant->let_go)
			variant->let_go(_metadata, self);
	}
	end_servant(_metadata, &self->s);
	return cannot;
}

TEST_F_TIMEOUT(why, is_told, 150) {
	int rounds_left = rounds() ?: ROUNDS;
	const char *cannot;

	while (rounds_left) {
		cannot = one_round(_metadata, self, variant, &rounds_left);
		if (cannot)
			SKIP(return, "%s", cannot);
	}
}

/* Asleep in a read, and silent. */
FIXTURE(evidence)
{
	struct servant s;
	__u64 id;
	int sup;
};

FIXTURE_SETUP(evidence)
{
	self->sup = new_file(_metadata);
	self->id = new_serving(_metadata, &self->s, obey, 0);
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
}

FIXTURE_TEARDOWN(evidence)
{
	EXPECT_EQ(0, close(self->sup));
	end_servant(_metadata, &self->s);
}

TEST_F(evidence, errors) {
	struct sef_event ev;
	struct service s;
	int fd = new_file(_metadata);

	EXPECT_EQ(EBADFD, why_error(fd, self->id, 0));
	new_service(_metadata, &s);
	EXPECT_EQ(EBADFD, why_error(s.fd, self->id, 0));
	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, SHORT, 0));
	EXPECT_EQ(ENODATA, why_error(self->sup, self->id, 0));
	EXPECT_EQ(ENOENT, why_error(self->sup, s.id, 0));
	EXPECT_EQ(ENOENT, why_error(self->sup, 0, 0));
	EXPECT_EQ(EINVAL, why_error(self->sup, self->id, 1));
	EXPECT_EQ(EINVAL, why_error(self->sup, self->id, 1U << 31));

	/* What this watch missed is not another's. */
	ASSERT_EQ(0, watch(fd, self->id, HOUR, HOUR, 0));
	ping(_metadata, self->sup, self->id);
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(-1, why_error(self->sup, self->id, 0));	/* told */
	EXPECT_EQ(ENODATA, why_error(fd, self->id, 0));
	EXPECT_EQ(EINVAL, why_error(self->sup, self->id, 1));
	ASSERT_EQ(0, unwatch(self->sup, self->id));
	EXPECT_EQ(ENOENT, why_error(self->sup, self->id, 0));
	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, HOUR, 0));
	EXPECT_EQ(ENODATA, why_error(self->sup, self->id, 0));
	EXPECT_EQ(0, close(fd));
	close_service(_metadata, &s);
}

/* Until the next miss, whatever else becomes of the service. */
TEST_F(evidence, stays) {
	struct sef_why_args was, args;
	struct sef_event ev;
	__u64 seq;

	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, SHORT, 0));
	seq = ping(_metadata, self->sup, self->id);
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	get_why(_metadata, self->sup, self->id, &was);
	EXPECT_EQ(seq, was.seq);
	EXPECT_EQ(SYS_read, was.syscall);
	EXPECT_EQ(self->s.pid, was.tid);
	EXPECT_EQ(SYS_read, ev.syscall);
	EXPECT_EQ(self->s.pid, ev.tid);

	EXPECT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	until(_metadata, self->sup, self->id, SEF_STATE_ALIVE, &ev);
	get_why(_metadata, self->sup, self->id, &args);
	EXPECT_LT(was.age_ns, args.age_ns);
	args.age_ns = was.age_ns;
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));

	ASSERT_EQ(0, kill(self->s.pid, SIGKILL));
	until(_metadata, self->sup, self->id, SEF_STATE_DEAD, &ev);
	get_why(_metadata, self->sup, self->id, &args);
	args.age_ns = was.age_ns;
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
}

/* Taken before the deadline, but of nothing that is over by then. */
TEST_F(evidence, stack_of_the_moment) {
	static const struct {
		int order;
		const char *function;
	} places[] = {
		{ DO_PONG, "recvmsg" }, { DO_DEADLOCK, "futex" },
	};
	struct sef_why_args args;
	struct sef_event ev;
	int i;

	if (!linux_tells_stacks())
		SKIP(return, "this Linux tells no stack of another thread");
	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, SHORT, 0));
	for (i = 0; i < (int)ARRAY_SIZE(places); i++) {
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
		ASSERT_EQ(0, ask(_metadata, &self->s, places[i].order, 0));
		ASSERT_TRUE(wait_task_state(self->s.pid, self->s.pid, 'S'));
		ping(_metadata, self->sup, self->id);
		until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
		get_why(_metadata, self->sup, self->id, &args);
		EXPECT_EQ(SEF_KNOWN_STACK, args.known & SEF_KNOWN_STACK);
		EXPECT_NE(NULL, strstr(args.stack, places[i].function)) {
			TH_LOG("%s", args.stack);
		}
	}
}

static void become(struct __test_metadata *_metadata, __u32 id)
{
	ASSERT_EQ(0, setresuid(0, 0, 0));
	ASSERT_EQ(0, setresgid(id, id, 0));
	ASSERT_EQ(0, setresuid(id, id, 0));
}

/* The system call, and never the stack but to root. */
static void check_known(struct __test_metadata *_metadata,
			FIXTURE_DATA(evidence) *self, __u32 user, int nr)
{
	struct sef_why_args args;

	become(_metadata, user);
	get_why(_metadata, self->sup, self->id, &args);
	become(_metadata, 0);
	EXPECT_EQ(nr, args.syscall);
	EXPECT_EQ(self->s.pid, args.tid);
	EXPECT_EQ(!user && linux_tells_stacks(),
		  !!(args.known & SEF_KNOWN_STACK));
}

/* A thread that took over the number of another, by exec, has clocks of its own. */
TEST_F(evidence, exec_in_between) {
	const __u64 timeout = 4000 * MSEC;	/* exec may take a while */
	struct sef_why_args args;
	struct sef_event ev;
	int i;

	if (access(SLEEPER, X_OK))
		SKIP(return, "no " SLEEPER);
	/* a history for the second not to have */
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_PONG, 0));
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_EXEC_BY_THREAD,
			 timeout * 3 / 4 / MSEC));
	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, timeout, 0));
	ping(_metadata, self->sup, self->id);
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	get_why(_metadata, self->sup, self->id, &args);
	EXPECT_EQ(self->s.pid, args.tid);
	EXPECT_GT(1U << 20, args.voluntary);
	EXPECT_GT(1U << 20, args.involuntary);
	EXPECT_GT(PATIENCE * MSEC, args.user_ns);
	EXPECT_GT(PATIENCE * MSEC, args.kernel_ns);
	EXPECT_GT(PATIENCE * MSEC, args.waited_ns);
}

/* Of a thread that runs on another CPU than the timer, the CPU is asked. */
TEST_F_TIMEOUT(evidence, of_one_that_runs_elsewhere, 60) {
	struct sef_why_args args;
	struct sef_event ev;
	int cpus[2], i;

	if (get_cpus(cpus, 2) < 2)
		SKIP(return, "needs two CPUs");
	ASSERT_TRUE(pin(0, cpus[0]));
	ASSERT_TRUE(pin(self->s.pid, cpus[1]));
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SPIN_IN_KERNEL, 0));
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, watch(self->sup, self->id, HOUR, TIMEOUT, 0));
		ping(_metadata, self->sup, self->id);
		until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE,
		      &ev);
		get_why(_metadata, self->sup, self->id, &args);
		ASSERT_EQ(0, unwatch(self->sup, self->id));
		if (args.syscall == SYS_getrandom)
			break;
		/* not while it was between two calls, or had lost the CPU */
		ASSERT_EQ(-1, args.syscall);
	}
	EXPECT_NE(50, i);
}

/* How often a service is looked at: a count for each CPU. */
struct looks {
	int fds[MAX_BUSY];
	int n;
};

static void count_looks(struct __test_metadata *_metadata, struct looks *looks,
			__u64 id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	int i, cpus[MAX_BUSY];
	char text[32];

	read_text(_metadata, LOOKS, text, sizeof(text));
	attr.config = atoi(text);
	snprintf(text, sizeof(text), "id == %llu", id);
	looks->n = get_cpus(cpus, MAX_BUSY);
	for (i = 0; i < looks->n; i++) {
		looks->fds[i] = syscall(SYS_perf_event_open, &attr, -1, cpus[i],
					-1, PERF_FLAG_FD_CLOEXEC);
		ASSERT_LE(0, looks->fds[i]);
		ASSERT_EQ(0, ioctl(looks->fds[i], PERF_EVENT_IOC_SET_FILTER,
				   text));
	}
}

static __u64 end_looks(struct __test_metadata *_metadata, struct looks *looks)
{
	__u64 sum = 0, count;

	for (; looks->n; looks->n--) {
		ASSERT_EQ(sizeof(count), read(looks->fds[looks->n - 1], &count,
					      sizeof(count)));
		EXPECT_EQ(0, close(looks->fds[looks->n - 1]));
		sum += count;
	}
	return sum;
}

/*
 * Who answers in less than half of the timeout is never looked at. That it did so
 * its headroom tells; on a machine that did not let it, it is asked again.
 */
TEST_F_TIMEOUT(evidence, none_of_the_healthy, 150) {
	const __u64 timeout = 1000 * MSEC;
	struct sef_latency_args latency;
	struct looks looks;
	struct sef_event ev;
	struct service s;
	__u64 seen;
	int i;

	if (access(LOOKS, R_OK))
		SKIP(return, "no " LOOKS);
	new_service(_metadata, &s);
	do {
		count_looks(_metadata, &looks, s.id);
		ASSERT_EQ(0, watch(self->sup, s.id, SHORT, timeout, 0));
		for (i = 0; i < 50; i++) {
			get_pings(_metadata, s.efd);
			EXPECT_EQ(0, pong(s.fd, 0));
		}
		seen = end_looks(_metadata, &looks);
		/* One that is still outstanding is to have its headroom too. */
		EXPECT_EQ(0, pong(s.fd, 0));
		ASSERT_EQ(0, unwatch(self->sup, s.id));
		latency = (struct sef_latency_args) {
			.id = s.id,
			.flags = SEF_LATENCY_RESET,
		};
		ASSERT_EQ(0, call(self->sup, SEF_IOC_LATENCY, &latency));
	} while (latency.headroom_ns <= timeout / 2);
	EXPECT_EQ(0, seen);

	/* and who does not is */
	count_looks(_metadata, &looks, s.id);
	ASSERT_EQ(0, watch(self->sup, s.id, SHORT, SHORT, 0));
	until(_metadata, self->sup, s.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_LE(1, end_looks(_metadata, &looks));
	close_service(_metadata, &s);
}

static __u32 set_effective(struct __test_metadata *_metadata, __u32 low)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];
	__u32 was;

	ASSERT_EQ(0, syscall(SYS_capget, &head, data));
	was = data[0].effective;
	data[0].effective = low;
	ASSERT_EQ(0, syscall(SYS_capset, &head, data));
	return was;
}

/* CAP_SYS_ADMIN is not enough for the stack: as with /proc, it takes both. */
TEST_F(evidence, stack_of_another_user) {
	struct sef_why_args args;
	struct sef_event ev;
	__u32 was;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, USER));
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SET_DUMPABLE, 1));
	ASSERT_EQ(0, watch(self->sup, self->id, HOUR, SHORT, 0));
	ping(_metadata, self->sup, self->id);
	until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE, &ev);
	was = set_effective(_metadata, 1U << CAP_SYS_ADMIN);
	get_why(_metadata, self->sup, self->id, &args);
	EXPECT_EQ(-1, args.syscall);
	EXPECT_EQ(0, args.known & SEF_KNOWN_STACK);
	set_effective(_metadata, was);
	get_why(_metadata, self->sup, self->id, &args);
	EXPECT_EQ(SYS_read, args.syscall);
	EXPECT_EQ(linux_tells_stacks(), !!(args.known & SEF_KNOWN_STACK));
}

TEST_F(evidence, who_may_know) {
	struct sef_event ev;
	__u32 dumpable;

	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, USER));
	for (dumpable = 0; dumpable < 2; dumpable++) {
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_SET_DUMPABLE, dumpable));
		ASSERT_EQ(0, watch(self->sup, self->id, HOUR, SHORT, 0));
		ping(_metadata, self->sup, self->id);
		until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE,
		      &ev);
		check_known(_metadata, self, 0, SYS_read);
		check_known(_metadata, self, USER, dumpable ? SYS_read : -1);
		check_known(_metadata, self, OTHER_USER, -1);
		ASSERT_EQ(0, unwatch(self->sup, self->id));

		/* the event of another who reads it */
		ASSERT_EQ(0, watch(self->sup, self->id, HOUR, SHORT, 0));
		ping(_metadata, self->sup, self->id);
		become(_metadata, OTHER_USER);
		until(_metadata, self->sup, self->id, SEF_STATE_UNRESPONSIVE,
		      &ev);
		become(_metadata, 0);
		EXPECT_EQ(-1, ev.syscall);
		EXPECT_EQ(self->s.pid, ev.tid);
		ASSERT_EQ(0, unwatch(self->sup, self->id));
	}
}

TEST_HARNESS_MAIN
