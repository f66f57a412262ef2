// SPDX-License-Identifier: GPL-2.0
/*
 * What one user may have at a time: max_services, max_watches, max_pings; and one
 * process: max_process_services.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include "sef_test.h"

#define LIMIT		5

/* Users that own nothing here. The file is charged to who opens it. */
#define ONE_USER	54321
#define OTHER_USER	54322

FIXTURE(limits)
{
	unsigned long services, watches, pings, process;	/* as they were */
};

FIXTURE_SETUP(limits)
{
	self->services = get_parameter(_metadata, PARAMETERS "max_services");
	self->watches = get_parameter(_metadata, PARAMETERS "max_watches");
	EXPECT_LT(0, self->services);
	self->pings = get_parameter(_metadata, PARAMETERS "max_pings");
	self->process = get_parameter(_metadata, PARAMETERS "max_process_services");
	EXPECT_LT(0, self->watches);
	EXPECT_LT(0, self->pings);
}

FIXTURE_TEARDOWN(limits)
{
	set_parameter(_metadata, PARAMETERS "max_services", self->services);
	set_parameter(_metadata, PARAMETERS "max_watches", self->watches);
	set_parameter(_metadata, PARAMETERS "max_pings", self->pings);
	set_parameter(_metadata, PARAMETERS "max_process_services", self->process);
}

/* Root still, so that the device opens; the user is the real one. */
static int file_of(struct __test_metadata *_metadata, uid_t uid)
{
	int fd;

	ASSERT_EQ(0, setresuid(uid, 0, 0));
	fd = new_file(_metadata);
	ASSERT_EQ(0, setresuid(0, 0, 0));
	return fd;
}

static int try_register(int fd)
{
	struct sef_register_args args;
	int err;

	fill_register(&args, "limited", -1);
	err = call(fd, SEF_IOC_REGISTER, &args);
	return err && args.id != POISON64 ? -1 : err;
}

TEST_F(limits, services) {
	int i, fd[LIMIT], over, other;

	set_parameter(_metadata, PARAMETERS "max_services", LIMIT);
	for (i = 0; i < LIMIT; i++) {
		fd[i] = file_of(_metadata, ONE_USER);
		EXPECT_EQ(0, try_register(fd[i]));
	}
	over = file_of(_metadata, ONE_USER);
	EXPECT_EQ(ENOSPC, try_register(over));
	EXPECT_EQ(EBADFD, pong(over, 0));

	/* each user for himself */
	other = file_of(_metadata, OTHER_USER);
	EXPECT_EQ(0, try_register(other));

	/* one less, one more; a file refused before may be used */
	EXPECT_EQ(0, close(fd[0]));
	EXPECT_EQ(0, try_register(over));
	fd[0] = file_of(_metadata, ONE_USER);
	EXPECT_EQ(ENOSPC, try_register(fd[0]));

	/* a higher limit holds at once, a lower one ends nothing */
	set_parameter(_metadata, PARAMETERS "max_services", LIMIT + 1);
	EXPECT_EQ(0, try_register(fd[0]));
	set_parameter(_metadata, PARAMETERS "max_services", 1);
	EXPECT_EQ(0, pong(fd[1], 0));
	for (i = 0; i < LIMIT - 1; i++) {
		EXPECT_EQ(0, close(fd[i]));
		fd[i] = file_of(_metadata, ONE_USER);
		EXPECT_EQ(ENOSPC, try_register(fd[i]));
	}
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(0, close(over));
	for (i = 0; i < LIMIT; i++)
		EXPECT_EQ(0, close(fd[i]));
}

static void *register_thread(void *fd)
{
	struct sef_register_args args;

	fill_register(&args, "limited", -1);
	args.flags = SEF_REGISTER_THREAD;
	return (void *)(long)call(*(int *)fd, SEF_IOC_REGISTER, &args);
}

/* Of one process, whoever registers it; a thread is no process. */
TEST_F(limits, services_of_a_process) {
	struct sef_register_args args;
	int i, fd[LIMIT], over;
	pthread_t thread;
	void *err;
	pid_t pid;

	set_parameter(_metadata, PARAMETERS "max_process_services", LIMIT);
	for (i = 0; i < LIMIT; i++) {
		fd[i] = new_file(_metadata);
		EXPECT_EQ(0, try_register(fd[i]));
	}
	over = file_of(_metadata, ONE_USER);
	EXPECT_EQ(ENOSPC, try_register(over));
	ASSERT_EQ(0, pthread_create(&thread, NULL, register_thread, &over));
	ASSERT_EQ(0, pthread_join(thread, &err));
	EXPECT_EQ(NULL, err);
	EXPECT_EQ(0, close(over));

	pid = fork();
	if (!pid) {
		fill_proxy(&args, "limited", -1, pidfd_open(getppid(), 0), getppid());
		over = new_file(_metadata);
		EXPECT_EQ(ENOSPC, call(over, SEF_IOC_REGISTER, &args));
		EXPECT_EQ(0, try_register(over));
		_exit(_metadata->exit_code);
	}
	join_child(_metadata, pid);

	EXPECT_EQ(0, close(fd[0]));
	fd[0] = new_file(_metadata);
	EXPECT_EQ(0, try_register(fd[0]));
	for (i = 0; i < LIMIT; i++)
		EXPECT_EQ(0, close(fd[i]));
}

/* In whichever order they come and go, the count is of those that there are. */
TEST_F(limits, services_of_a_process_by_chance) {
	int i, round, over, fd[LIMIT] = { 0 };

	set_parameter(_metadata, PARAMETERS "max_process_services", LIMIT);
	srandom(1);
	for (round = 0; round < 500; round++) {
		i = random() % LIMIT;
		if (fd[i]) {
			EXPECT_EQ(0, close(fd[i]));
			fd[i] = 0;
		} else {
			fd[i] = new_file(_metadata);
			ASSERT_EQ(0, try_register(fd[i]))
				TH_LOG("round %d", round);
		}
	}
	for (i = 0; i < LIMIT; i++) {
		if (fd[i])
			continue;
		fd[i] = new_file(_metadata);
		EXPECT_EQ(0, try_register(fd[i]));
	}
	over = new_file(_metadata);
	EXPECT_EQ(ENOSPC, try_register(over));
	EXPECT_EQ(0, close(over));
	for (i = 0; i < LIMIT; i++)
		EXPECT_EQ(0, close(fd[i]));
}

/* One that is gone is no more of its process either, whoever still watches it. */
TEST_F(limits, process_of_services_that_are_gone) {
	int i, fd, sup = new_file(_metadata);
	__u64 id;

	set_parameter(_metadata, PARAMETERS "max_process_services", 1);
	for (i = 0; i < LIMIT; i++) {
		fd = new_file(_metadata);
		id = register_as(_metadata, fd, "gone", -1);
		ASSERT_EQ(0, watch(sup, id, HOUR, HOUR, 0));
		EXPECT_EQ(0, close(fd));
		EXPECT_EQ(SEF_STATE_GONE, state_of(_metadata, sup, id));
	}
	EXPECT_EQ(0, close(sup));
	fd = new_file(_metadata);
	EXPECT_EQ(0, try_register(fd));
	EXPECT_EQ(0, close(fd));
}

/* A service that is closed counts no more, though somebody watches it. */
TEST_F(limits, services_that_are_gone) {
	int sup = new_file(_metadata), fd = file_of(_metadata, ONE_USER);
	__u64 id = register_as(_metadata, fd, "gone", -1);

	set_parameter(_metadata, PARAMETERS "max_services", 1);
	ASSERT_EQ(0, watch(sup, id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(SEF_STATE_GONE, state_of(_metadata, sup, id));
	fd = file_of(_metadata, ONE_USER);
	EXPECT_EQ(0, try_register(fd));

	/* and when its last trace goes, it is not counted off again */
	EXPECT_EQ(0, unwatch(sup, id));
	EXPECT_EQ(0, close(sup));
	sup = file_of(_metadata, ONE_USER);
	EXPECT_EQ(ENOSPC, try_register(sup));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, try_register(sup));
	EXPECT_EQ(0, close(sup));
}

TEST_F(limits, watches) {
	int i, sup = file_of(_metadata, ONE_USER), again, other;
	struct service s[LIMIT + 1];

	set_parameter(_metadata, PARAMETERS "max_watches", LIMIT);
	for (i = 0; i <= LIMIT; i++)
		new_service(_metadata, &s[i]);
	for (i = 0; i < LIMIT; i++)
		EXPECT_EQ(0, watch(sup, s[i].id, HOUR, HOUR, 0));
	EXPECT_EQ(ENOSPC, watch(sup, s[LIMIT].id, HOUR, HOUR, 0));
	EXPECT_EQ(SEF_STATE_UNWATCHED, state_of(_metadata, sup, s[LIMIT].id));
	EXPECT_FALSE(readable(s[LIMIT].efd));

	/* no new one */
	EXPECT_EQ(0, watch(sup, s[0].id, HOUR, HOUR, 7));

	/* over all files of the user, and of nobody else */
	again = file_of(_metadata, ONE_USER);
	EXPECT_EQ(ENOSPC, watch(again, s[0].id, HOUR, HOUR, 0));
	EXPECT_EQ(EBADFD, unwatch(again, s[0].id));
	other = file_of(_metadata, OTHER_USER);
	EXPECT_EQ(0, watch(other, s[0].id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(other));

	EXPECT_EQ(0, unwatch(sup, s[0].id));
	EXPECT_EQ(0, watch(again, s[0].id, HOUR, HOUR, 0));
	EXPECT_EQ(ENOSPC, watch(sup, s[0].id, HOUR, HOUR, 0));

	/* and a file that is closed leaves nothing counted */
	EXPECT_EQ(0, close(sup));
	for (i = 1; i < LIMIT; i++)
		EXPECT_EQ(0, watch(again, s[i].id, HOUR, HOUR, 0));
	EXPECT_EQ(ENOSPC, watch(again, s[LIMIT].id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(again));
	for (i = 0; i <= LIMIT; i++)
		close_service(_metadata, &s[i]);
}

/* Pings a second, each watch's rounded up: over all of a user's watches. */
TEST_F(limits, pings) {
	const __u64 second = 1000 * MSEC;
	int sup = file_of(_metadata, ONE_USER), again, other;
	struct sef_status_args st;
	struct service s[3];
	int i;

	for (i = 0; i < 3; i++)
		new_service(_metadata, &s[i]);
	set_parameter(_metadata, PARAMETERS "max_pings", 12);
	EXPECT_EQ(0, watch(sup, s[0].id, second / 10, HOUR, 0));
	EXPECT_EQ(0, watch(sup, s[1].id, second, HOUR, 0));
	EXPECT_EQ(ENOSPC, watch(sup, s[2].id, second - 1, HOUR, 0));
	EXPECT_EQ(0, watch(sup, s[2].id, HOUR, HOUR, 0));

	/* a change that asks for more than there is changes nothing */
	EXPECT_EQ(ENOSPC, watch(sup, s[2].id, second - 1, HOUR, 7));
	get_status(_metadata, sup, s[2].id, &st);
	EXPECT_EQ(HOUR, st.period_ns);
	EXPECT_EQ(0, st.tolerate);

	/* less of one is more for another */
	EXPECT_EQ(0, watch(sup, s[0].id, second / 8, HOUR, 0));
	EXPECT_EQ(0, watch(sup, s[2].id, second - 1, HOUR, 0));
	again = file_of(_metadata, ONE_USER);
	EXPECT_EQ(ENOSPC, watch(again, s[0].id, second / 2, HOUR, 0));
	EXPECT_EQ(0, watch(again, s[0].id, SEF_TIME_MAX_NS, HOUR, 0));
	EXPECT_EQ(ENOSPC, watch(again, s[1].id, SEF_TIME_MAX_NS, HOUR, 0));
	EXPECT_EQ(0, unwatch(sup, s[1].id));
	EXPECT_EQ(0, watch(again, s[1].id, SEF_TIME_MAX_NS, HOUR, 0));
	other = file_of(_metadata, OTHER_USER);
	EXPECT_EQ(ENOSPC, watch(other, s[0].id, second / 13, HOUR, 0));
	EXPECT_EQ(0, watch(other, s[0].id, second / 10, HOUR, 0));

	/* a lower limit ends nothing, and lets nothing grow */
	set_parameter(_metadata, PARAMETERS "max_pings", 1);
	EXPECT_EQ(ENOSPC, watch(sup, s[0].id, second / 10, HOUR, 0));
	EXPECT_EQ(0, watch(sup, s[0].id, second / 8, HOUR, 7));
	EXPECT_EQ(0, watch(sup, s[0].id, second / 5, HOUR, 0));

	/* a watch refused for its pings is not counted as a watch */
	EXPECT_EQ(0, close(sup));
	EXPECT_EQ(0, close(again));
	again = file_of(_metadata, ONE_USER);
	set_parameter(_metadata, PARAMETERS "max_watches", 1);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(ENOSPC, watch(again, s[i].id, second / 2, HOUR, 0));
	EXPECT_EQ(0, watch(again, s[0].id, second, HOUR, 0));
	EXPECT_EQ(0, close(again));
	EXPECT_EQ(0, close(other));
	for (i = 0; i < 3; i++)
		close_service(_metadata, &s[i]);
}

#define SERVICE_WATCHES	1024

/* Of one service, whoever they are of. */
TEST_F_TIMEOUT(limits, watches_of_a_service, 120) {
	struct sef_status_args st;
	struct service s, s2;
	struct rlimit files = { SERVICE_WATCHES + 64, SERVICE_WATCHES + 64 };
	static int sup[SERVICE_WATCHES];
	int i, over;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	new_service(_metadata, &s);
	new_service(_metadata, &s2);
	for (i = 0; i < SERVICE_WATCHES; i++) {
		sup[i] = file_of(_metadata, i % 2 ? ONE_USER : OTHER_USER);
		ASSERT_EQ(0, watch(sup[i], s.id, HOUR, HOUR, 0));
	}
	over = new_file(_metadata);
	EXPECT_EQ(ENOSPC, watch(over, s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, watch(over, s2.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, watch(sup[0], s.id, HOUR, HOUR, 5));
	get_status(_metadata, over, s.id, &st);
	EXPECT_EQ(SERVICE_WATCHES, st.watches);
	EXPECT_EQ(0, pong(s.fd, 0));
	for (i = 0; i < SERVICE_WATCHES; i++) {
		EXPECT_TRUE(readable(sup[i]));
		EXPECT_EQ(0, close(sup[i]));
	}
	EXPECT_EQ(0, watch(over, s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(over));
	close_service(_metadata, &s);
	close_service(_metadata, &s2);
}

#define KEPT_WATCHES	64

/* Nobody fills it up for those who may signal anybody. */
TEST_F_TIMEOUT(limits, kept_watches, 120) {
	struct rlimit files = { SERVICE_WATCHES + 64, SERVICE_WATCHES + 64 };
	static int sup[SERVICE_WATCHES];
	int i, go[2], own = new_file(_metadata);
	__u64 id;
	pid_t pid;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, go));
	for (i = 0; i < SERVICE_WATCHES; i++)
		sup[i] = new_file(_metadata);
	pid = fork();
	if (!pid) {
		ASSERT_EQ(0, setresuid(ONE_USER, ONE_USER, ONE_USER));
		id = register_as(_metadata, own, "full", -1);
		for (i = 0; i < SERVICE_WATCHES - KEPT_WATCHES; i++)
			ASSERT_EQ(0, watch(sup[i], id, HOUR, HOUR, 0));
		EXPECT_EQ(ENOSPC, watch(sup[i], id, HOUR, HOUR, 0));
		EXPECT_EQ(0, watch(sup[0], id, HOUR, HOUR, 5));
		EXPECT_EQ(sizeof(id), write(go[1], &id, sizeof(id)));
		EXPECT_EQ(sizeof(id), read(go[1], &id, sizeof(id)));
		_exit(_metadata->exit_code);
	}
	ASSERT_EQ(sizeof(id), read(go[0], &id, sizeof(id)));
	for (i = SERVICE_WATCHES - KEPT_WATCHES; i < SERVICE_WATCHES; i++)
		ASSERT_EQ(0, watch(sup[i], id, HOUR, HOUR, 0));
	i = new_file(_metadata);
	EXPECT_EQ(ENOSPC, watch(i, id, HOUR, HOUR, 0));
	EXPECT_EQ(0, close(i));
	EXPECT_EQ(sizeof(id), write(go[0], &id, sizeof(id)));
	join_child(_metadata, pid);
	for (i = 0; i < SERVICE_WATCHES; i++)
		EXPECT_EQ(0, close(sup[i]));
	EXPECT_EQ(0, close(own));
	EXPECT_EQ(0, close(go[0]));
	EXPECT_EQ(0, close(go[1]));
}

#define CALLERS		4

struct callers {
	pthread_t thread[CALLERS];
	int fd;
	int running;	/* how many */
	bool end;
};

static void *call_on_and_on(void *arg)
{
	struct callers *c = arg;
	__u64 granted;

	__atomic_fetch_add(&c->running, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&c->end, __ATOMIC_RELAXED))
		extend(c->fd, HOUR, &granted);
	return NULL;
}

/*
 * However many threads of it call, each of which tells many watches: a service
 * that does not answer is found out, and so is another.
 */
TEST_F_TIMEOUT(limits, calls_put_off_no_deadline, 120) {
	struct rlimit files = { SERVICE_WATCHES + 64, SERVICE_WATCHES + 64 };
	struct callers c = { .running = 0 };
	static int sup[SERVICE_WATCHES];
	struct service s, other;
	struct sef_event ev;
	int i, over;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	new_service(_metadata, &s);
	new_service(_metadata, &other);
	for (i = 0; i < SERVICE_WATCHES; i++) {
		sup[i] = new_file(_metadata);
		ASSERT_EQ(0, watch(sup[i], s.id, HOUR, HOUR, 0));
	}
	c.fd = s.fd;
	for (i = 0; i < CALLERS; i++)
		ASSERT_EQ(0, pthread_create(&c.thread[i], NULL, call_on_and_on,
					    &c));
	while (__atomic_load_n(&c.running, __ATOMIC_RELAXED) < CALLERS)
		sched_yield();
	over = new_file(_metadata);
	ASSERT_EQ(0, watch(over, other.id, SHORT, SHORT, 10));
	for (i = 0; i < SERVICE_WATCHES; i++)
		ASSERT_EQ(0, watch(sup[i], s.id, HOUR, SHORT, 0));
	for (i = 0; i < SERVICE_WATCHES; i++)
		until(_metadata, sup[i], s.id, SEF_STATE_UNRESPONSIVE, &ev);
	until(_metadata, over, other.id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(11, ev.misses);

	c.end = true;
	for (i = 0; i < CALLERS; i++)
		ASSERT_EQ(0, pthread_join(c.thread[i], NULL));
	for (i = 0; i < SERVICE_WATCHES; i++)
		EXPECT_EQ(0, close(sup[i]));
	EXPECT_EQ(0, close(over));
	close_service(_metadata, &s);
	close_service(_metadata, &other);
}

TEST_F(limits, none_at_all) {
	int fd = file_of(_metadata, ONE_USER);
	struct service s;

	new_service(_metadata, &s);
	set_parameter(_metadata, PARAMETERS "max_services", 0);
	set_parameter(_metadata, PARAMETERS "max_watches", 0);
	EXPECT_EQ(ENOSPC, try_register(fd));
	EXPECT_EQ(ENOSPC, watch(fd, s.id, HOUR, HOUR, 0));
	EXPECT_EQ(0, pong(s.fd, 0));
	EXPECT_EQ(0, close(fd));
	close_service(_metadata, &s);
}

TEST_HARNESS_MAIN
