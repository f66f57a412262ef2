// SPDX-License-Identifier: GPL-2.0
/*
 * Memory is charged to the cgroup of whoever asks for it: services, watches and
 * open files, until they are closed; and who asks for more than his cgroup may
 * have does not get it, and harms nobody outside of it.
 *
 * What does the asking is a servant in a cgroup of its own, on one CPU: a CPU is
 * charged in advance, for 64 pages.
 */
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "busy.h"
#include "servant.h"

#define MANY		2000
/* No object here has less; and many are more than what is charged in advance. */
#define LEAST		(MANY * 128LL)
#define MEMORY_MAX	"6291456"	/* the servant itself has less than 1 MB */

FIXTURE(memcg)
{
	struct servant s;
	bool mounted;
	char root[32];		/* where it is mounted */
	char cgroup[64];	/* "" until it is there */
	bool enabled;		/* the controller, by us */
	unsigned long process;	/* services that one process may be */
};

/* Services and supervisors of the servant, and how many of each. */
static int services[MANY], supervisors[MANY];
static __u64 ids[MANY];
static int nr_services, nr_supervisors;

enum {
	DO_OPEN_MANY = DO_MORE,	/* files for services */
	DO_OPEN_SUPERVISORS,	/* arg: how many */
	DO_REGISTER_MANY,	/* with all files */
	DO_WATCH_MANY,		/* each supervisor all services; arg: 0 to end it */
	DO_CLOSE_MANY,		/* all */
};

static int open_many(int *fds, int *nr, int n)
{
	for (; *nr < n; (*nr)++) {
		fds[*nr] = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fds[*nr] < 0)
			return errno;
	}
	return 0;
}

static int register_many(void)
{
	struct sef_register_args args;
	int i, err;

	for (i = 0; i < nr_services; i++) {
		fill_register(&args, "memcg", -1);
		err = call(services[i], SEF_IOC_REGISTER, &args);
		if (err)
			return err;
		ids[i] = args.id;
	}
	return 0;
}

static int watch_many(bool on)
{
	int i, j, err;

	for (i = 0; i < nr_supervisors; i++) {
		for (j = 0; j < nr_services; j++) {
			err = on ? watch(supervisors[i], ids[j], HOUR, HOUR, 0) :
				   unwatch(supervisors[i], ids[j]);
			if (err)
				return err;
		}
	}
	return 0;
}

static void close_many(int *fds, int *nr)
{
	while (*nr)
		close(fds[--*nr]);
}

static __s64 obey(int order, __s64 arg)
{
	switch (order) {
	case DO_OPEN_MANY:
		return open_many(services, &nr_services, MANY);
	case DO_OPEN_SUPERVISORS:
		return open_many(supervisors, &nr_supervisors, arg);
	case DO_REGISTER_MANY:
		return register_many();
	case DO_WATCH_MANY:
		return watch_many(arg);
	case DO_CLOSE_MANY:
		close_many(supervisors, &nr_supervisors);
		close_many(services, &nr_services);
		return 0;
	}
	return serve(order, arg);
}

/* Thousands of calls may take longer under KASAN than anything else is waited for. */
static __s64 ask_for_many(struct __test_metadata *_metadata, struct servant *s,
			  int order, __s64 arg)
{
	struct pollfd pfd = { .fd = s->sock, .events = POLLIN };
	int waits = 5;

	send_order(_metadata, s, order, arg);
	while (poll(&pfd, 1, PATIENCE) != 1 && waits--)
		;
	return get_answer(_metadata, s);
}

static int read_cgroup(const char *dir, const char *file, char *text, size_t size)
{
	char path[128];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	len = read(fd, text, size - 1);
	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	return len < 0;
}

static int write_cgroup(const char *dir, const char *file, const char *text)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = errno;
	close(fd);
	return err;
}

static __s64 charged(struct __test_metadata *_metadata,
		     FIXTURE_DATA(memcg) *self)
{
	char text[32];

	ASSERT_EQ(0, read_cgroup(self->cgroup, "memory.current", text,
				 sizeof(text)));
	return atoll(text);
}

/* What is freed may be given back a little later. */
static bool wait_charged_below(struct __test_metadata *_metadata,
			       FIXTURE_DATA(memcg) *self, __s64 bytes)
{
	int looks = PATIENCE;

	while (charged(_metadata, self) > bytes && looks--)
		poll(NULL, 0, 1);
	return looks >= 0;
}

/* The controller has to be on for the children of the root. */
static bool use_memory_controller(FIXTURE_DATA(memcg) *self)
{
	char text[256];

	if (read_cgroup(self->root, "cgroup.controllers", text, sizeof(text)) ||
	    !strstr(text, "memory"))
		return false;
	if (read_cgroup(self->root, "cgroup.subtree_control", text, sizeof(text)))
		return false;
	if (strstr(text, "memory"))
		return true;
	self->enabled = !write_cgroup(self->root, "cgroup.subtree_control",
				      "+memory");
	return self->enabled;
}

FIXTURE_SETUP(memcg)
{
	struct rlimit files = { 2 * MANY, 2 * MANY };
	int cpu;
	char pid[16];

	self->process = get_parameter(_metadata, PARAMETERS "max_process_services");
	set_parameter(_metadata, PARAMETERS "max_process_services", MANY);
	snprintf(self->root, sizeof(self->root), "/tmp/sef_memcg.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->root));
	self->mounted = !mount("cgroup2", self->root, "cgroup2", 0, NULL);
	if (!self->mounted || !use_memory_controller(self))
		SKIP(return, "no memory controller of cgroup v2");
	snprintf(self->cgroup, sizeof(self->cgroup), "%s/sef_memcg.%d",
		 self->root, getpid());
	ASSERT_EQ(0, mkdir(self->cgroup, 0700));

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	ASSERT_EQ(1, get_cpus(&cpu, 1));
	new_servant(_metadata, &self->s, obey);
	ASSERT_TRUE(pin(self->s.pid, cpu));
	snprintf(pid, sizeof(pid), "%d", self->s.pid);
	ASSERT_EQ(0, write_cgroup(self->cgroup, "cgroup.procs", pid));
}

/* What was in it takes a moment to leave. */
static void remove_cgroup(struct __test_metadata *_metadata,
			  FIXTURE_DATA(memcg) *self)
{
	int tries = PATIENCE;

	while (rmdir(self->cgroup) && errno == EBUSY && tries--)
		poll(NULL, 0, 1);
	EXPECT_LE(0, tries);
}

FIXTURE_TEARDOWN(memcg)
{
	if (self->cgroup[0]) {
		end_servant(_metadata, &self->s);
		remove_cgroup(_metadata, self);
	}
	if (self->enabled)
		EXPECT_EQ(0, write_cgroup(self->root, "cgroup.subtree_control",
					  "-memory"));
	if (self->mounted)
		EXPECT_EQ(0, umount(self->root));
	EXPECT_EQ(0, rmdir(self->root));
	set_parameter(_metadata, PARAMETERS "max_process_services", self->process);
}

TEST_F_TIMEOUT(memcg, services, 200) {
	__s64 before, with;

	ASSERT_EQ(0, ask_for_many(_metadata, &self->s, DO_OPEN_MANY, 0));
	before = charged(_metadata, self);
	ASSERT_EQ(0, ask_for_many(_metadata, &self->s, DO_REGISTER_MANY, 0));
	with = charged(_metadata, self);
	EXPECT_LE(before + LEAST, with);
	ASSERT_EQ(0, ask_for_many(_metadata, &self->s, DO_CLOSE_MANY, 0));
	EXPECT_TRUE(wait_charged_below(_metadata, self, with - LEAST));
}

TEST_F_TIMEOUT(memcg, watches, 200) {
	__s64 before, with;

	ASSERT_EQ(0, ask_for_many(_metadata, &self->s, DO_OPEN_MANY, 0));
	ASSERT_EQ(0, ask_for_many(_metadata, &self->s, DO_OPEN_SUPERVISORS, 1));
	ASSERT_EQ(0, ask_for_many(_metadata, &self->s, DO_REGISTER_MANY, 0));
	before = charged(_metadata, self);
	ASSERT_EQ(0, ask_for_many(_metadata, &self->s, DO_WATCH_MANY, 1));
	with = charged(_metadata, self);
	EXPECT_LE(before + LEAST, with);
	ASSERT_EQ(0, ask_for_many(_metadata, &self->s, DO_WATCH_MANY, 0));
	EXPECT_TRUE(wait_charged_below(_metadata, self, with - LEAST));
}

/*
 * More than there is: the kernel refuses, or kills what is in the cgroup; the
 * answer of who was killed is no answer.
 */
TEST_F_TIMEOUT(memcg, limit, 200) {
	const __s64 orders[][2] = {
		{ DO_OPEN_MANY, 0 }, { DO_OPEN_SUPERVISORS, 4 },
		{ DO_REGISTER_MANY, 0 }, { DO_WATCH_MANY, 1 },
	};
	__s64 err = 0;
	struct pollfd pfd = { .fd = self->s.sock, .events = POLLIN };
	int sup = new_file(_metadata);
	struct sef_event ev;
	struct service s;
	char text[256];
	unsigned int i;

	ASSERT_EQ(0, write_cgroup(self->cgroup, "memory.max", MEMORY_MAX));
	for (i = 0; i < ARRAY_SIZE(orders) && !err; i++) {
		send_order(_metadata, &self->s, orders[i][0], orders[i][1]);
		ASSERT_EQ(1, poll(&pfd, 1, 9 * PATIENCE));
		if (read(self->s.sock, &err, sizeof(err)) != sizeof(err))
			break;
	}
	ASSERT_TRUE(err || i < ARRAY_SIZE(orders));
	if (err) {
		EXPECT_EQ(ENOMEM, err);
		ASSERT_EQ(0, ask_for_many(_metadata, &self->s, DO_CLOSE_MANY, 0));
	} else {
		ASSERT_EQ(0, read_cgroup(self->cgroup, "memory.events", text,
					 sizeof(text)));
		EXPECT_NE(NULL, strstr(text, "oom_kill 1"));
	}
	/* A CPU that frees, as for RCU, may keep what is charged in advance. */
	EXPECT_TRUE(wait_charged_below(_metadata, self, atoll(MEMORY_MAX) / 4));

	/* nobody else feels it */
	new_service(_metadata, &s);
	ASSERT_EQ(0, watch(sup, s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, pong(s.fd, 0));
	until(_metadata, sup, s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, close(sup));
	close_service(_metadata, &s);
}

TEST_HARNESS_MAIN
