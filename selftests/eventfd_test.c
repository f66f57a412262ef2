// SPDX-License-Identifier: GPL-2.0
/* Pings through an eventfd, whatever its owner does with it. */
#include <limits.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "sef_test.h"

FIXTURE(eventfd)
{
	struct service s;
	int sup;
};

FIXTURE_SETUP(eventfd)
{
	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
	ASSERT_EQ(0, pong(self->s.fd, 0));
}

FIXTURE_TEARDOWN(eventfd)
{
	EXPECT_EQ(0, close(self->sup));
	close_service(_metadata, &self->s);
}

/* A service of @efd, which is alive to @sup. */
static int new_service_of(struct __test_metadata *_metadata, int efd, int sup,
			  __u64 *id)
{
	int fd = new_file(_metadata);
	struct sef_event ev;

	*id = register_as(_metadata, fd, "eventfd", efd);
	ASSERT_EQ(0, pong(fd, 0));
	ASSERT_EQ(0, watch(sup, *id, HOUR, SHORT, 0));
	until(_metadata, sup, *id, SEF_STATE_ALIVE, &ev);
	return fd;
}

static void expect_refused(struct __test_metadata *_metadata, int err, int efd)
{
	struct sef_register_args args, was;
	int fd = new_file(_metadata);

	fill_register(&args, "refused", efd);
	was = args;
	EXPECT_EQ(err, call(fd, SEF_IOC_REGISTER, &args))
		TH_LOG("eventfd %d", efd);
	EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
	EXPECT_EQ(EBADFD, pong(fd, 0));
	EXPECT_EQ(0, close(fd));
}

TEST_F(eventfd, not_an_eventfd) {
	int i, ends[2], closed, others[7];

	ASSERT_EQ(0, pipe(ends));
	others[0] = ends[0];
	others[1] = ends[1];
	others[2] = epoll_create1(0);
	others[3] = timerfd_create(CLOCK_MONOTONIC, 0);
	others[4] = open("/dev/null", O_RDWR);
	others[5] = dup(self->s.fd);
	others[6] = dup(self->sup);
	for (i = 0; i < 7; i++) {
		ASSERT_LE(0, others[i]);
		expect_refused(_metadata, EINVAL, others[i]);
		EXPECT_EQ(0, close(others[i]));
	}

	closed = dup2(self->s.efd, 500);	/* a number not taken soon */
	EXPECT_EQ(0, close(closed));
	expect_refused(_metadata, EBADF, closed);
	expect_refused(_metadata, EBADF, 100000);
	expect_refused(_metadata, EBADF, INT32_MAX);
	expect_refused(_metadata, EBADF, -2);
	expect_refused(_metadata, EBADF, INT32_MIN);
}

TEST_F(eventfd, counts_pings) {
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	EXPECT_FALSE(readable(self->s.efd));
	ping(_metadata, self->sup, self->s.id);
	ping(_metadata, self->sup, self->s.id);
	ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(3, get_pings(_metadata, self->s.efd));
	EXPECT_FALSE(readable(self->s.efd));
}

TEST_F(eventfd, semaphore) {
	int fd, efd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK);
	__u64 id;

	ASSERT_LE(0, efd);
	fd = new_service_of(_metadata, efd, self->sup, &id);
	ping(_metadata, self->sup, id);
	ping(_metadata, self->sup, id);
	EXPECT_EQ(1, get_pings(_metadata, efd));
	EXPECT_EQ(1, get_pings(_metadata, efd));
	EXPECT_FALSE(readable(efd));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(efd));
}

/* Full, and one that blocks its writers: the kernel is none of them. */
TEST_F(eventfd, at_its_maximum) {
	__u64 id, value = ULLONG_MAX - 1;
	int fd, efd = eventfd(0, 0);
	struct sef_event ev;

	ASSERT_LE(0, efd);
	ASSERT_EQ(sizeof(value), write(efd, &value, sizeof(value)));
	fd = new_service_of(_metadata, efd, self->sup, &id);
	ping(_metadata, self->sup, id);
	ping(_metadata, self->sup, id);
	until(_metadata, self->sup, id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(0, pong(fd, 0));
	until(_metadata, self->sup, id, SEF_STATE_ALIVE, &ev);

	/* emptied, it counts again */
	ASSERT_EQ(sizeof(value), read(efd, &value, sizeof(value)));
	EXPECT_LE(ULLONG_MAX - 1, value);
	ping(_metadata, self->sup, id);
	EXPECT_EQ(1, get_pings(_metadata, efd));
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, close(efd));
}

TEST_F(eventfd, closed_by_its_owner) {
	int fd, efd = new_eventfd(_metadata);
	struct sef_event ev;
	__u64 id;

	fd = new_service_of(_metadata, efd, self->sup, &id);
	EXPECT_EQ(0, close(efd));
	ping(_metadata, self->sup, id);
	EXPECT_TRUE(readable(fd));
	until(_metadata, self->sup, id, SEF_STATE_UNRESPONSIVE, &ev);
	EXPECT_EQ(0, pong(fd, 0));
	until(_metadata, self->sup, id, SEF_STATE_ALIVE, &ev);
	EXPECT_EQ(0, close(fd));
}

TEST_F(eventfd, shared_by_services) {
	int efd = new_eventfd(_metadata), fd[2];
	__u64 id[2];

	fd[0] = new_service_of(_metadata, efd, self->sup, &id[0]);
	fd[1] = new_service_of(_metadata, efd, self->sup, &id[1]);
	ping(_metadata, self->sup, id[0]);
	ping(_metadata, self->sup, id[1]);
	EXPECT_EQ(2, get_pings(_metadata, efd));
	EXPECT_EQ(0, close(fd[0]));
	ping(_metadata, self->sup, id[1]);
	EXPECT_EQ(1, get_pings(_metadata, efd));
	EXPECT_EQ(0, close(fd[1]));
	EXPECT_EQ(0, close(efd));
}

static int new_epoll(struct __test_metadata *_metadata, int fd)
{
	struct epoll_event add = { .events = EPOLLIN, .data.fd = fd };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &add));
	return ep;
}

/*
 * All three files that a ping or its answer makes readable, each in an epoll in
 * an epoll in one epoll: a waiter on the outermost is woken.
 */
TEST_F(eventfd, nested_epolls) {
	int outer = epoll_create1(EPOLL_CLOEXEC), ep[3][2], i;
	int fds[3] = { self->s.efd, self->s.fd, self->sup };
	struct epoll_event ready[4];
	struct sef_request req;
	struct sef_event ev;

	ASSERT_LE(0, outer);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	for (i = 0; i < 3; i++) {
		struct epoll_event add = { .events = EPOLLIN, .data.u32 = i };

		ep[i][0] = new_epoll(_metadata, fds[i]);
		ep[i][1] = new_epoll(_metadata, ep[i][0]);
		ASSERT_EQ(0, epoll_ctl(outer, EPOLL_CTL_ADD, ep[i][1], &add));
	}
	EXPECT_EQ(0, epoll_wait(outer, ready, 4, 0));

	ping(_metadata, self->sup, self->s.id);
	ASSERT_EQ(2, epoll_wait(outer, ready, 4, PATIENCE));
	EXPECT_EQ(1, ready[0].data.u32 + ready[1].data.u32);
	EXPECT_EQ(1, get_pings(_metadata, self->s.efd));
	ASSERT_EQ(1, epoll_wait(outer, ready, 4, PATIENCE));
	EXPECT_EQ(1, ready[0].data.u32);
	EXPECT_EQ(sizeof(req), read(self->s.fd, &req, sizeof(req)));
	EXPECT_EQ(0, epoll_wait(outer, ready, 4, 0));

	EXPECT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(1, epoll_wait(outer, ready, 4, PATIENCE));
	EXPECT_EQ(2, ready[0].data.u32);

	/* and from a deadline, with nobody calling anything */
	get_event(_metadata, self->sup, &ev);
	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, HOUR, 0));
	ASSERT_LE(1, epoll_wait(outer, ready, 4, PATIENCE));
	EXPECT_GT(2, ready[0].data.u32);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, close(ep[i][0]));
		EXPECT_EQ(0, close(ep[i][1]));
	}
	EXPECT_EQ(0, close(outer));
}

/* Edge-triggered: each ping is an edge, also unread. */
TEST_F(eventfd, edges) {
	struct epoll_event add = { .events = EPOLLIN | EPOLLET }, ready;
	int i, ep = epoll_create1(EPOLL_CLOEXEC);
	struct sef_event ev;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->s.fd, &add));
	for (i = 0; i < 3; i++) {
		ping(_metadata, self->sup, self->s.id);
		EXPECT_EQ(1, epoll_wait(ep, &ready, 1, PATIENCE));
		EXPECT_EQ(0, epoll_wait(ep, &ready, 1, 0));
	}
	EXPECT_EQ(0, close(ep));
}

/* In an epoll before it has a role: an error first, then as any other. */
TEST_F(eventfd, polled_before_its_role) {
	struct epoll_event ready;
	int fd = new_file(_metadata), sup = new_file(_metadata), ep[2];
	struct sef_event ev;
	__u64 id;

	ep[0] = new_epoll(_metadata, fd);
	ep[1] = new_epoll(_metadata, sup);
	ASSERT_EQ(1, epoll_wait(ep[0], &ready, 1, 0));
	EXPECT_EQ(EPOLLERR, ready.events);
	ASSERT_EQ(1, epoll_wait(ep[1], &ready, 1, 0));
	EXPECT_EQ(EPOLLERR, ready.events);

	id = register_as(_metadata, fd, "polled", -1);
	EXPECT_EQ(0, epoll_wait(ep[0], &ready, 1, 0));
	ASSERT_EQ(0, pong(fd, 0));
	ASSERT_EQ(0, watch(sup, id, HOUR, HOUR, 0));
	ASSERT_EQ(1, epoll_wait(ep[1], &ready, 1, PATIENCE));
	EXPECT_EQ(EPOLLIN, ready.events);
	get_event(_metadata, sup, &ev);
	EXPECT_EQ(0, epoll_wait(ep[1], &ready, 1, 0));

	ping(_metadata, sup, id);
	ASSERT_EQ(1, epoll_wait(ep[0], &ready, 1, PATIENCE));
	EXPECT_EQ(EPOLLIN, ready.events);
	EXPECT_EQ(0, pong(fd, 0));
	ASSERT_EQ(1, epoll_wait(ep[1], &ready, 1, PATIENCE));
	EXPECT_EQ(EPOLLIN, ready.events);

	EXPECT_EQ(0, close(ep[0]));
	EXPECT_EQ(0, close(ep[1]));
	EXPECT_EQ(0, close(sup));
	EXPECT_EQ(0, close(fd));
}

/*
 * An edge-triggered wait that has begun before the role was taken sleeps until
 * there is something to read.
 */
TEST_F(eventfd, edges_from_before_its_role) {
	struct epoll_event add = { .events = EPOLLIN | EPOLLET }, ready;
	int fd = new_file(_metadata), ep = epoll_create1(EPOLL_CLOEXEC);
	__u64 id;

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &add));
	ASSERT_EQ(1, epoll_wait(ep, &ready, 1, 0));
	EXPECT_EQ(EPOLLERR, ready.events);
	EXPECT_EQ(0, epoll_wait(ep, &ready, 1, 0));
	id = register_as(_metadata, fd, "polled", -1);
	ASSERT_EQ(0, watch(self->sup, id, HOUR, HOUR, 0));
	ASSERT_EQ(1, epoll_wait(ep, &ready, 1, PATIENCE));
	EXPECT_EQ(EPOLLIN, ready.events);
	EXPECT_EQ(0, close(ep));
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
