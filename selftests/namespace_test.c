// SPDX-License-Identifier: GPL-2.0
/*
 * Who sees whom: users, capabilities, user and pid namespaces. All that tells of a
 * service follows one rule, that of kill(2); so all of it is tried each time.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>

#include "servant.h"

#define USER		54321
#define OTHER_USER	54322
#define MAPPED		300000	/* what a user namespace has as its 0 and up */
#define NR_MAPPED	10

#define PARAMETERS	"/sys/module/sef/parameters/"

/* In which ways a service was seen. */
enum {
	BY_STATUS	= 1 << 0,
	BY_NEXT		= 1 << 1,
	BY_WATCH	= 1 << 2,
	BY_STEPS	= 1 << 3,
	BY_PIDFD	= 1 << 4,
	BY_NEWCOMERS	= 1 << 5,

	IN_NO_WAY	= 0,
	IN_EVERY_WAY	= (1 << 6) - 1,
};

enum {
	DO_SEE = DO_MORE,	/* arg: id; in which ways */
	DO_ASK,			/* for newcomers, from now on */
	DO_PID,			/* arg: id; as STATUS has it, -1 for none */
	DO_UID,			/* arg: id; likewise */
	DO_OPEN_NEW,		/* the device, beside what is open */
	DO_UNSHARE,		/* arg: namespaces */
	DO_JOIN,		/* arg: pid, whose user namespace */
	DO_BECOME_REAL,		/* arg: real uid; the others stay */
	DO_KEEP_CAP_KILL,	/* arg: uid; with this one capability */
	DO_DROP_CAP_KILL,
	DO_LADDER,		/* arg: id; SIGUSR1 when it next is silent */
	DO_FLAGS,		/* of the events of the ladder, once there are any */
};

/* In the servant: the files of its own. */
static int looker = -1, asker = -1, boss = -1;
static __u64 newcomer;	/* the first that was told of, 0 for none */

static int open_as_is(int *fd)
{
	if (*fd < 0)
		*fd = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return *fd < 0 ? errno : 0;
}

static int try_watch(__u64 id, __u32 signal)
{
	int err, fd = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct sef_watch_args args;

	fill_watch(&args, id, HOUR, HOUR, 0);
	args.signal = signal;
	err = set_watch(fd, &args);
	close(fd);
	return err;
}

static int try_pidfd(__u64 id, pid_t pid)
{
	int err, pidfd = pidfd_open(pid, 0);
	int fd = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct sef_watch_args args;

	fill_watch(&args, id - 1, HOUR, HOUR, 0);
	args.flags = SEF_WATCH_PIDFD;
	args.pidfd = pidfd;
	args.pid = pid;
	err = pidfd < 0 ? ESRCH : call(fd, SEF_IOC_WATCH, &args);
	close(fd);
	if (pidfd >= 0)
		close(pidfd);
	return err ?: args.id == id ? 0 : -1;
}

/* What the test knows as the pid of what is to be seen. */
static pid_t *shared_pid;

static __s64 see(__u64 id)
{
	struct sef_status_args st;
	struct sef_event ev;
	__s64 ways = 0;
	int err;

	err = try_status(looker, id, 0, &st);
	if (err && err != ESRCH)
		return -err;
	ways |= err ? 0 : BY_STATUS;
	err = try_status(looker, id - 1, SEF_STATUS_NEXT, &st);
	if (err && err != ESRCH)
		return -err;
	ways |= !err && st.id == id ? BY_NEXT : 0;
	err = try_watch(id, 0);
	if (err && err != ESRCH)
		return -err;
	ways |= err ? 0 : BY_WATCH;
	err = try_watch(id, SIGUSR1);
	if (err && err != ESRCH)
		return -err;
	ways |= err ? 0 : BY_STEPS;
	err = try_pidfd(id, *shared_pid);
	if (err && err != ESRCH)
		return -err;
	ways |= err ? 0 : BY_PIDFD;
	if (read(asker, &ev, sizeof(ev)) == sizeof(ev))
		newcomer = ev.id;
	ways |= newcomer == id ? BY_NEWCOMERS : 0;
	return ways;
}

/* All but it, or it alone. */
static int set_cap_kill(bool keep_all_others)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return errno;
	if (keep_all_others) {
		data[0].effective &= ~(1U << CAP_KILL);
	} else {
		memset(data, 0, sizeof(data));
		data[0].permitted = 1U << CAP_KILL;
		data[0].effective = 1U << CAP_KILL;
	}
	return syscall(SYS_capset, &head, data) ? errno : 0;
}

static int join_user_namespace(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || setns(fd, CLONE_NEWUSER) ? errno : 0;
}

static __s64 obey(int order, __s64 arg)
{
	struct sef_watch_args args;
	struct sef_status_args st;
	struct sef_event ev;
	__s64 flags = 0;

	switch (order) {
	case DO_SEE:
		return see(arg);
	case DO_ASK:
		return open_as_is(&looker) ?: open_as_is(&asker) ?:
		       newcomers(asker, 1);
	case DO_PID:
		return try_status(looker, arg, 0, &st) ? -1 : st.pid;
	case DO_UID:
		return try_status(looker, arg, 0, &st) ? -1 : st.uid;
	case DO_OPEN_NEW:
		servant_file = -1;
		return servant_open();
	case DO_UNSHARE:
		return unshare(arg) ? errno : 0;
	case DO_JOIN:
		return join_user_namespace(arg);
	case DO_BECOME_REAL:
		return setresuid(arg, -1, -1) ? errno : 0;
	case DO_KEEP_CAP_KILL:
		if (prctl(PR_SET_KEEPCAPS, 1) || setresuid(arg, arg, arg))
			return errno;
		return set_cap_kill(false);
	case DO_DROP_CAP_KILL:
		return set_cap_kill(true);
	case DO_LADDER:
		fill_watch(&args, arg, HOUR, SHORT, 0);
		args.signal = SIGUSR1;
		return open_as_is(&boss) ?: set_watch(boss, &args);
	case DO_FLAGS:
		while (!flags)
			if (read(boss, &ev, sizeof(ev)) == sizeof(ev))
				flags |= ev.flags;
		return flags;
	}
	return serve(order, arg);
}

/* The device is for everybody here, so that each user opens it for himself. */
FIXTURE(namespace)
{
	struct servant eye;	/* who looks */
	struct servant s;	/* at whom */
	mode_t mode;
	char max_services[24];
};

static void set_limit(struct __test_metadata *_metadata, const char *text)
{
	int fd = open(PARAMETERS "max_services", O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(strlen(text), write(fd, text, strlen(text)));
	EXPECT_EQ(0, close(fd));
}

FIXTURE_SETUP(namespace)
{
	int fd = open(PARAMETERS "max_services", O_RDONLY | O_CLOEXEC);
	struct stat st;

	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, self->max_services, sizeof(self->max_services) - 1));
	EXPECT_EQ(0, close(fd));
	shared_pid = mmap(NULL, sizeof(*shared_pid), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(shared_pid != MAP_FAILED);
	new_servant(_metadata, &self->eye, obey);
	new_servant(_metadata, &self->s, obey);
	ASSERT_EQ(0, stat("/dev/sef", &st));
	self->mode = st.st_mode & 07777;
	ASSERT_EQ(0, chmod("/dev/sef", 0666));
}

FIXTURE_TEARDOWN(namespace)
{
	EXPECT_EQ(0, chmod("/dev/sef", self->mode));
	set_limit(_metadata, self->max_services);
	end_servant(_metadata, &self->eye);
	end_servant(_metadata, &self->s);
}

/*
 * In which ways @eye, as it is by now, sees the service that @s will be; whose pid
 * there is @pid.
 */
static void expect_seen_as(struct __test_metadata *_metadata,
			   struct servant *eye, struct servant *s, pid_t pid,
			   __s64 ways)
{
	int observer = new_file(_metadata);
	__s64 id;

	/* who asked first is told last */
	ASSERT_EQ(0, newcomers(observer, 1));
	EXPECT_EQ(0, ask(_metadata, eye, DO_ASK, 0));
	id = ask(_metadata, s, DO_REGISTER, 0);
	ASSERT_LT(0, id);
	wait_readable(_metadata, observer);
	EXPECT_EQ(0, close(observer));
	*shared_pid = pid;
	EXPECT_EQ(ways, ask(_metadata, eye, DO_SEE, id));
	EXPECT_EQ(ways ? pid : -1, ask(_metadata, eye, DO_PID, id));
	EXPECT_EQ(0, ask(_metadata, s, DO_CLOSE, 0));
}

static void expect_seen(struct __test_metadata *_metadata,
			FIXTURE_DATA(namespace) *self, __s64 ways)
{
	expect_seen_as(_metadata, &self->eye, &self->s, self->s.pid, ways);
}

TEST_F(namespace, root_sees_all) {
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, USER));
	expect_seen(_metadata, self, IN_EVERY_WAY);
}

TEST_F(namespace, user_sees_his_own) {
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, USER));
	ASSERT_EQ(0, ask(_metadata, &self->eye, DO_SETUID, USER));
	expect_seen(_metadata, self, IN_EVERY_WAY);
}

TEST_F(namespace, user_does_not_see_another) {
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, USER));
	ASSERT_EQ(0, ask(_metadata, &self->eye, DO_SETUID, OTHER_USER));
	expect_seen(_metadata, self, IN_NO_WAY);
}

TEST_F(namespace, user_does_not_see_root) {
	ASSERT_EQ(0, ask(_metadata, &self->eye, DO_SETUID, USER));
	expect_seen(_metadata, self, IN_NO_WAY);
}

/* It is the process that counts, not who opened its file. */
TEST_F(namespace, file_of_another) {
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_OPEN, 0));
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, USER));
	ASSERT_EQ(0, ask(_metadata, &self->eye, DO_SETUID, USER));
	expect_seen(_metadata, self, IN_EVERY_WAY);
}

/* kill(2) takes the real and the saved uid of the other, not the effective. */
TEST_F(namespace, real_uid) {
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_BECOME, USER));
	ASSERT_EQ(0, ask(_metadata, &self->eye, DO_SETUID, USER));
	expect_seen(_metadata, self, IN_EVERY_WAY);
}

TEST_F(namespace, root_without_cap_kill) {
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, USER));
	ASSERT_EQ(0, ask(_metadata, &self->eye, DO_DROP_CAP_KILL, 0));
	expect_seen(_metadata, self, IN_NO_WAY);
}

TEST_F(namespace, user_with_cap_kill) {
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, OTHER_USER));
	ASSERT_EQ(0, ask(_metadata, &self->eye, DO_KEEP_CAP_KILL, USER));
	expect_seen(_metadata, self, IN_EVERY_WAY);
}

static void write_proc(struct __test_metadata *_metadata, pid_t pid,
		       const char *file, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(strlen(text), write(fd, text, strlen(text)))
		TH_LOG("%s: %s", path, strerror(errno));
	EXPECT_EQ(0, close(fd));
}

/* A user namespace made by @uid, with users of its own; the servant is its root. */
static void enter_user_namespace(struct __test_metadata *_metadata,
				 struct servant *s, uid_t uid)
{
	char map[64];

	ASSERT_EQ(0, ask(_metadata, s, DO_SETUID, uid));
	ASSERT_EQ(0, ask(_metadata, s, DO_UNSHARE, CLONE_NEWUSER));
	snprintf(map, sizeof(map), "0 %d %d", MAPPED, NR_MAPPED);
	write_proc(_metadata, s->pid, "uid_map", map);
	write_proc(_metadata, s->pid, "gid_map", map);
	ASSERT_EQ(0, ask(_metadata, s, DO_SETUID, 0));
}

/* All capabilities, and over nobody but those inside. */
TEST_F(namespace, user_namespace_to_outside) {
	enter_user_namespace(_metadata, &self->eye, USER);
	expect_seen(_metadata, self, IN_NO_WAY);
}

TEST_F(namespace, user_namespace_to_its_maker) {
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_SETUID, USER));
	enter_user_namespace(_metadata, &self->eye, USER);
	expect_seen(_metadata, self, IN_NO_WAY);
}

TEST_F(namespace, root_to_user_namespace) {
	__s64 id;

	enter_user_namespace(_metadata, &self->s, USER);
	expect_seen(_metadata, self, IN_EVERY_WAY);

	/* its user has a number here that he does not have there */
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_ASK, 0));
	id = ask(_metadata, &self->s, DO_REGISTER, 0);
	ASSERT_LT(0, id);
	EXPECT_EQ(MAPPED, ask(_metadata, &self->eye, DO_UID, id));
	EXPECT_EQ(0, ask(_metadata, &self->s, DO_UID, id));
}

TEST_F(namespace, another_user_to_user_namespace) {
	ASSERT_EQ(0, ask(_metadata, &self->eye, DO_SETUID, OTHER_USER));
	enter_user_namespace(_metadata, &self->s, USER);
	expect_seen(_metadata, self, IN_NO_WAY);
}

/* Who made it may do all in it, and keeps that when a step is due. */
TEST_F(namespace, owner_of_a_user_namespace) {
	struct servant *s = &self->s, *eye = &self->eye;
	__s64 id;

	ASSERT_EQ(0, ask(_metadata, eye, DO_SETUID, USER));
	enter_user_namespace(_metadata, s, USER);
	expect_seen(_metadata, self, IN_EVERY_WAY);

	ASSERT_EQ(0, ask(_metadata, s, DO_CATCH, SIGUSR1));
	id = ask(_metadata, s, DO_REGISTER, 0);
	ASSERT_LT(0, id);
	ASSERT_EQ(0, ask(_metadata, eye, DO_LADDER, id));
	EXPECT_EQ(SEF_EVENT_SIGNAL, ask(_metadata, eye, DO_FLAGS, 0));
	EXPECT_EQ(1, ask(_metadata, s, DO_COUNT, SIGUSR1));
}

/* A user there, without the capabilities that whoever joins it has at first. */
static void join_as(struct __test_metadata *_metadata, struct servant *s,
		    struct servant *root, uid_t uid)
{
	ASSERT_EQ(0, ask(_metadata, s, DO_JOIN, root->pid));
	ASSERT_EQ(0, ask(_metadata, s, DO_SETUID, 0));
	ASSERT_EQ(0, ask(_metadata, s, DO_SETUID, uid));
}

/* Its root sees its other users; these see neither him nor each other. */
TEST_F(namespace, inside_a_user_namespace) {
	struct servant *s = &self->s, *eye = &self->eye, third;

	enter_user_namespace(_metadata, eye, USER);
	join_as(_metadata, s, eye, 5);
	expect_seen(_metadata, self, IN_EVERY_WAY);
	expect_seen_as(_metadata, s, eye, eye->pid, IN_NO_WAY);
	new_servant(_metadata, &third, obey);
	join_as(_metadata, &third, eye, 6);
	expect_seen_as(_metadata, &third, s, s->pid, IN_NO_WAY);
	end_servant(_metadata, &third);
}

/* Each user in it is charged, and with all of them he who made it. */
TEST_F(namespace, limits_in_a_user_namespace) {
	struct servant *s = &self->s, out, other;
	int uid;

	set_limit(_metadata, "3");
	enter_user_namespace(_metadata, s, USER);
	for (uid = 1; uid <= 3; uid++) {
		ASSERT_EQ(0, ask(_metadata, s, DO_BECOME_REAL, uid));
		ASSERT_EQ(0, ask(_metadata, s, DO_OPEN_NEW, 0));
		EXPECT_LT(0, ask(_metadata, s, DO_REGISTER, 0));
	}
	ASSERT_EQ(0, ask(_metadata, s, DO_BECOME_REAL, 4));
	ASSERT_EQ(0, ask(_metadata, s, DO_OPEN_NEW, 0));
	EXPECT_EQ(-ENOSPC, ask(_metadata, s, DO_REGISTER, 0));

	/* he himself, outside */
	new_servant(_metadata, &out, obey);
	ASSERT_EQ(0, ask(_metadata, &out, DO_SETUID, USER));
	EXPECT_EQ(-ENOSPC, ask(_metadata, &out, DO_REGISTER, 0));

	/* and in one more namespace inside the first */
	ASSERT_EQ(0, ask(_metadata, s, DO_SETUID, 5));
	ASSERT_EQ(0, ask(_metadata, s, DO_UNSHARE, CLONE_NEWUSER));
	ASSERT_EQ(0, ask(_metadata, s, DO_OPEN_NEW, 0));
	EXPECT_EQ(-ENOSPC, ask(_metadata, s, DO_REGISTER, 0));

	/* nobody else's, and not for ever */
	new_servant(_metadata, &other, obey);
	ASSERT_EQ(0, ask(_metadata, &other, DO_SETUID, OTHER_USER));
	EXPECT_LT(0, ask(_metadata, &other, DO_REGISTER, 0));
	end_servant(_metadata, &other);
	end_servant(_metadata, s);
	new_servant(_metadata, s, obey);
	EXPECT_LT(0, ask(_metadata, &out, DO_REGISTER, 0));
	end_servant(_metadata, &out);
}

/* Root's containers are not each other's. */
TEST_F(namespace, limits_in_a_namespace_of_root) {
	struct servant out;
	int uid;

	set_limit(_metadata, "1");
	enter_user_namespace(_metadata, &self->s, 0);
	for (uid = 1; uid <= 3; uid++) {
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_BECOME_REAL, uid));
		ASSERT_EQ(0, ask(_metadata, &self->s, DO_OPEN_NEW, 0));
		EXPECT_LT(0, ask(_metadata, &self->s, DO_REGISTER, 0));
	}
	ASSERT_EQ(0, ask(_metadata, &self->s, DO_OPEN_NEW, 0));
	EXPECT_EQ(-ENOSPC, ask(_metadata, &self->s, DO_REGISTER, 0));
	new_servant(_metadata, &out, obey);
	EXPECT_LT(0, ask(_metadata, &out, DO_REGISTER, 0));
	end_servant(_metadata, &out);
}

/*
 * In a pid namespace of their own, which ends with its first process; in it the
 * pids are these.
 */
#define INIT_PID	1
#define CHILD_PID	2

static void new_pid_namespace(struct __test_metadata *_metadata,
			      struct servant *init, struct servant *child)
{
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	new_servant(_metadata, init, obey);
	new_servant(_metadata, child, obey);
}

static void end_pid_namespace(struct __test_metadata *_metadata,
			      struct servant *init, struct servant *child)
{
	end_servant(_metadata, child);
	end_servant(_metadata, init);
}

TEST_F(namespace, into_a_pid_namespace) {
	struct servant init, child;

	new_pid_namespace(_metadata, &init, &child);
	expect_seen_as(_metadata, &self->eye, &child, child.pid, IN_EVERY_WAY);
	expect_seen_as(_metadata, &self->eye, &init, init.pid, IN_EVERY_WAY);
	end_pid_namespace(_metadata, &init, &child);
}

/* By whatever number one takes there: its own outside, or one that is taken. */
TEST_F(namespace, out_of_a_pid_namespace) {
	struct servant init, child;

	new_pid_namespace(_metadata, &init, &child);
	expect_seen_as(_metadata, &init, &self->s, self->s.pid, IN_NO_WAY);
	expect_seen_as(_metadata, &child, &self->s, INIT_PID, IN_NO_WAY);
	expect_seen_as(_metadata, &child, &self->s, CHILD_PID, IN_NO_WAY);
	end_pid_namespace(_metadata, &init, &child);
}

TEST_F(namespace, within_a_pid_namespace) {
	struct servant init, child;

	new_pid_namespace(_metadata, &init, &child);
	expect_seen_as(_metadata, &init, &child, CHILD_PID, IN_EVERY_WAY);
	end_pid_namespace(_metadata, &init, &child);
}

TEST_F(namespace, beside_a_pid_namespace) {
	struct servant init[2], child[2];
	int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, own);
	new_pid_namespace(_metadata, &init[0], &child[0]);
	ASSERT_EQ(0, setns(own, CLONE_NEWPID));
	new_pid_namespace(_metadata, &init[1], &child[1]);
	expect_seen_as(_metadata, &init[0], &child[1], CHILD_PID, IN_NO_WAY);
	expect_seen_as(_metadata, &child[1], &init[0], INIT_PID, IN_NO_WAY);
	end_pid_namespace(_metadata, &init[0], &child[0]);
	end_pid_namespace(_metadata, &init[1], &child[1]);
	EXPECT_EQ(0, close(own));
}

/* That there is a service is not told by refusing a step against it either. */
TEST_F(namespace, init_does_not_leak) {
	struct servant init, child;

	new_pid_namespace(_metadata, &init, &child);
	ASSERT_EQ(0, ask(_metadata, &child, DO_SETUID, USER));
	expect_seen_as(_metadata, &child, &init, INIT_PID, IN_NO_WAY);
	end_pid_namespace(_metadata, &init, &child);
}

TEST_HARNESS_MAIN
