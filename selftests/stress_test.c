// SPDX-License-Identifier: GPL-2.0
/*
 * Services that come and go, in every way they can, under supervisors that
 * come and go: for some seconds, after which nothing is left.
 */
#include "sef_test.h"

#define SECONDS		5	/* or STRESS_SECONDS of the environment */
#define PROCESSES	4
#define NAME		"stress"

static unsigned int seconds(void)
{
	const char *text = getenv("STRESS_SECONDS");
	int n = text ? atoi(text) : 0;

	return n > 0 ? n : SECONDS;
}

static unsigned int seed;

static unsigned int pick(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* Answer for a process that comes and goes, as long as it takes it to go. */
static void be_proxy(struct __test_metadata *_metadata, pid_t pid)
{
	int err, fd = new_file(_metadata), pidfd = pidfd_open(pid, 0);
	struct sef_register_args args;

	ASSERT_LE(0, pidfd);
	fill_proxy(&args, NAME, -1, pidfd, pid);
	err = call(fd, SEF_IOC_REGISTER, &args);
	EXPECT_TRUE(!err || err == ESRCH);
	while (!err && pick(4)) {
		err = pong(fd, 0);
		EXPECT_TRUE(!err || err == ESRCH);
		poll(NULL, 0, pick(3));
	}
	EXPECT_EQ(0, close(pidfd));
	EXPECT_EQ(0, close(fd));
}

/* By store; the page is let go at once, or with the process. */
static void pong_by_store(struct __test_metadata *_metadata, int fd)
{
	size_t size = sysconf(_SC_PAGESIZE);
	struct sef_page *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_SHARED, fd, 0);

	ASSERT_NE(MAP_FAILED, page);
	sef_page_pong(page, 0);
	if (pick(2))
		EXPECT_EQ(0, munmap(page, size));
}

/*
 * Register, answer for a while, end: by close, by exit, held by a child, killed.
 * Some are stopped for a moment.
 */
static void be_services(struct __test_metadata *_metadata, __u64 end)
{
	struct sef_request req;
	__u64 granted;
	unsigned int i;
	pid_t pid;
	int fd, efd;

	while (now_ns() < end) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (pid) {
			if (!pick(4)) {
				kill(pid, SIGSTOP);
				poll(NULL, 0, pick(5));
				kill(pid, SIGCONT);
			}
			if (!pick(4))
				be_proxy(_metadata, pid);
			waitpid(pid, NULL, 0);
			continue;
		}
		seed += getpid();
		efd = new_eventfd(_metadata);
		for (i = pick(20); i; i--) {
			fd = new_file(_metadata);
			register_with(_metadata, fd, NAME, pick(2) ? efd : -1,
				      pick(3) ? 0 : SEF_REGISTER_THREAD);
			EXPECT_EQ(0, pong(fd, 0));
			if (pick(2))
				EXPECT_EQ(0, extend(fd, SHORT, &granted));
			if (!pick(4))
				pong_by_store(_metadata, fd);
			if (pick(2) && read(fd, &req, sizeof(req)) > 0)
				pong(fd, req.seq);
			if (!pick(4))
				EXPECT_EQ(0, set_reply(fd, pick(2)));
			if (!pick(8) && !fork())
				_exit(!!poll(NULL, 0, pick(10)));
			if (pick(2))
				close(fd);
		}
		if (pick(2))
			raise(SIGKILL);
		_exit(0);
	}
}

static void check_events(struct __test_metadata *_metadata, int fd)
{
	struct sef_event ev[16];
	ssize_t got = read(fd, ev, sizeof(ev));
	unsigned int i;

	if (got < 0) {
		/* no event, or no watch was made yet */
		EXPECT_TRUE(errno == EAGAIN || errno == EBADFD);
		return;
	}
	EXPECT_EQ(0, got % sizeof(ev[0]));
	for (i = 0; i < got / sizeof(ev[0]); i++)
		if (ev[i].flags != SEF_EVENT_NEWCOMER)
			check_event(_metadata, &ev[i]);
}

/* The service, if it is there still, or another of its process, which is let go. */
static int watch_by_pidfd(int fd, struct sef_watch_args *args, pid_t pid)
{
	__u64 id = args->id;
	int err = ESRCH;

	args->pidfd = pidfd_open(pid, 0);
	if (args->pidfd < 0)	/* the process has ended, or it is a thread */
		return err;
	args->pid = pid;
	args->flags |= SEF_WATCH_PIDFD;
	args->id--;
	err = call(fd, SEF_IOC_WATCH, args);
	close(args->pidfd);
	if (!err && args->id != id)
		unwatch(fd, args->id);
	return err;
}

/* Anything goes, but steps only against services of this test. */
static int watch_somehow(int fd, const struct sef_status_args *st)
{
	struct sef_watch_args args;

	fill_watch(&args, st->id, SEF_TIME_MIN_NS * (1 + pick(5)),
		   SEF_TIME_MIN_NS, pick(3));
	args.grace_ns = SEF_TIME_MIN_NS * pick(3);
	args.extend_ns = SEF_TIME_MIN_NS * pick(3);
	args.flags = pick(3) ? 0 : SEF_WATCH_STRICT;
	args.excuse = pick(2) ? SEF_EXCUSE_DEFAULT : 0;
	if (!memcmp(st->name, NAME, sizeof(NAME))) {
		args.signal = pick(4) ? 0 : SIGTERM;
		args.kill_ns = SEF_TIME_MIN_NS * pick(3);
	}
	return pick(4) ? set_watch(fd, &args) : watch_by_pidfd(fd, &args, st->pid);
}

/* Walk over all, watch most, ask some, and close the file now and then. */
static void be_supervisor(struct __test_metadata *_metadata, __u64 end)
{
	struct sef_status_args st;
	int err, fd = new_file(_metadata);
	__u64 id = 0, last = 0;

	while (now_ns() < end) {
		if (try_status(fd, id, SEF_STATUS_NEXT, &st)) {
			id = 0;
			check_events(_metadata, fd);
			if (!pick(5))
				EXPECT_EQ(0, newcomers(fd, pick(2)));
			if (!pick(10)) {
				EXPECT_EQ(0, close(fd));
				fd = new_file(_metadata);
				last = 0;
			}
			continue;
		}
		EXPECT_LT(id, st.id);
		id = st.id;
		err = watch_somehow(fd, &st);
		EXPECT_TRUE(!err || err == ESRCH || err == ENOSPC);
		if (last && pick(2)) {
			err = ping_error(fd, last);	/* -1: it was sent */
			EXPECT_TRUE(err == -1 || err == ESRCH || err == ENOENT ||
				    err == EBADFD);
		}
		if (last && pick(3)) {
			err = unwatch(fd, last);
			EXPECT_TRUE(!err || err == ENOENT || err == EBADFD);
		}
		last = id;
	}
}

/* Threads that end while they are looked at */

static void *pong_and_end(void *fd)
{
	pong((long)fd, 0);
	if (pick(2))
		poll(NULL, 0, pick(3));
	return NULL;
}

static void *pong_and_exec(void *fd)
{
	pong((long)fd, 0);
	execl("/bin/true", "true", NULL);
	return NULL;
}

/* Somewhere in the kernel or out of it, if it does not end. */
static void end_somehow(long fd)
{
	pthread_t thread;

	switch (pick(8)) {
	case 0:
		_exit(0);
	case 1:
		raise(SIGKILL);
		break;
	case 2:
		pthread_exit(NULL);
	case 3:
		pong_and_exec((void *)fd);
		break;
	case 4:
		if (!pthread_create(&thread, NULL, pong_and_exec, (void *)fd))
			pause();
		break;
	case 5:
		if (!vfork())
			_exit(!!poll(NULL, 0, pick(5)));
		break;
	case 6:
		poll(NULL, 0, -1);
		break;
	default:
		while (getppid() > 1)
			;
	}
	_exit(1);
}

static void be_mortals(struct __test_metadata *_metadata, __u64 end)
{
	pthread_t thread;
	unsigned int i;
	long fd;
	pid_t pid;

	while (now_ns() < end) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (pid) {
			poll(NULL, 0, pick(8));
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			continue;
		}
		seed += getpid();
		fd = new_file(_metadata);
		register_with(_metadata, fd, NAME, -1,
			      pick(3) ? 0 : SEF_REGISTER_THREAD);
		if (pick(2))	/* to be looked at after exec as well */
			fcntl(fd, F_SETFD, 0);
		for (i = pick(4); i; i--)
			pthread_create(&thread, NULL, pong_and_end, (void *)fd);
		poll(NULL, 0, pick(4));
		end_somehow(fd);
	}
}

/* What is told may be of any moment, but of one thread, and not made up. */
static void check_why(struct __test_metadata *_metadata, int fd, __u64 id)
{
	struct sef_why_args args;
	int err;

	memset(&args, POISON, sizeof(args));
	args.id = id;
	args.flags = 0;
	err = call(fd, SEF_IOC_WHY, &args);
	if (err) {
		EXPECT_TRUE(err == ENODATA || err == ENOENT || err == EBADFD);
		return;
	}
	EXPECT_GT(HOUR, args.window_ns);
	EXPECT_GT(HOUR, args.user_ns);
	EXPECT_GT(HOUR, args.kernel_ns);
	EXPECT_GT(HOUR, args.waited_ns);
	EXPECT_GT(1U << 30, args.voluntary);
	EXPECT_GT(1U << 30, args.involuntary);
	EXPECT_LE(-1, args.syscall);
	EXPECT_GT(4096, args.syscall);
	EXPECT_EQ(!!(args.known & SEF_KNOWN_STACK), !!args.stack[0]);
	EXPECT_EQ(NULL, strstr(args.stack, "0xffff"));
}

static void be_onlooker(struct __test_metadata *_metadata, __u64 end)
{
	struct sef_status_args st;
	int err, fd = new_file(_metadata);
	__u64 id = 0;

	while (now_ns() < end) {
		if (try_status(fd, id, SEF_STATUS_NEXT, &st)) {
			id = 0;
			check_events(_metadata, fd);
			if (!pick(100)) {
				EXPECT_EQ(0, close(fd));
				fd = new_file(_metadata);
			}
			continue;
		}
		id = st.id;
		err = watch(fd, id, SEF_TIME_MIN_NS, SEF_TIME_MIN_NS, 0);
		EXPECT_TRUE(!err || err == ESRCH || err == ENOSPC);
		check_why(_metadata, fd, id);
		if (st.state == SEF_STATE_DEAD || st.state == SEF_STATE_GONE)
			unwatch(fd, id);
	}
}

FIXTURE(stress)
{
	int fd;
};

FIXTURE_SETUP(stress)
{
	self->fd = new_file(_metadata);
}

FIXTURE_TEARDOWN(stress)
{
	EXPECT_EQ(0, close(self->fd));
}

typedef void (*part_fn)(struct __test_metadata *_metadata, __u64 end);

/* Each part by half of the processes, until nothing of it is left. */
static void run_parts(struct __test_metadata *_metadata, int fd, part_fn one,
		      part_fn other)
{
	__u64 end = now_ns() + seconds() * 1000 * MSEC, id = 0;
	struct sef_status_args st;
	pid_t pid[2 * PROCESSES];
	int i;

	for (i = 0; i < 2 * PROCESSES; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (pid[i])
			continue;
		seed = i + 1;
		(i % 2 ? one : other)(_metadata, end);
		_exit(_metadata->exit_code);
	}
	for (i = 0; i < 2 * PROCESSES; i++)
		join_child(_metadata, pid[i]);

	/* the last of those who held a file in their children may still end */
	for (i = 0; i < PATIENCE; i++) {
		while (!try_status(fd, id, SEF_STATUS_NEXT, &st) &&
		       memcmp(st.name, NAME, sizeof(NAME)))
			id = st.id;
		if (try_status(fd, id, SEF_STATUS_NEXT, &st))
			break;
		poll(NULL, 0, 1);
	}
	EXPECT_NE(PATIENCE, i);
}

/* The harness's own limit, 30 s, is for shorter ones. */
TEST_F_TIMEOUT(stress, all_at_once, 150) {
	run_parts(_metadata, self->fd, be_supervisor, be_services);
}

TEST_F_TIMEOUT(stress, looks_at_the_dying, 150) {
	run_parts(_metadata, self->fd, be_onlooker, be_mortals);
}

TEST_HARNESS_MAIN
