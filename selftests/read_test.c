// SPDX-License-Identifier: GPL-2.0
/* Reading and polling, requests and events: whole, in order, none lost. */
#include <linux/userfaultfd.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "sef_test.h"

FIXTURE(read)
{
	struct service s;
	int sup;
	char *hole;	/* memory that is not there; a page before it is */
	long page_size;
};

FIXTURE_SETUP(read)
{
	struct sef_event ev;

	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 0));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);

	self->page_size = sysconf(_SC_PAGESIZE);
	self->hole = mmap(NULL, 2 * self->page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->hole != MAP_FAILED);
	self->hole += self->page_size;
	ASSERT_EQ(0, munmap(self->hole, self->page_size));
}

FIXTURE_TEARDOWN(read)
{
	EXPECT_EQ(0, munmap(self->hole - self->page_size, self->page_size));
	EXPECT_EQ(0, close(self->sup));
	close_service(_metadata, &self->s);
}

static void expect_read_error(struct __test_metadata *_metadata, int err, int fd,
			      void *buf, size_t count)
{
	EXPECT_EQ(-1, read(fd, buf, count));
	EXPECT_EQ(err, errno);
}

static void expect_request(struct __test_metadata *_metadata, int fd, __u64 seq,
			   struct sef_request *req)
{
	struct sef_request buf[3];

	memset(buf, POISON, sizeof(buf));
	ASSERT_EQ(sizeof(*req), read(fd, buf, sizeof(buf)));
	EXPECT_EQ(SEF_REQUEST_PING, buf[0].type);
	EXPECT_EQ(0, buf[0].__reserved);
	EXPECT_EQ(seq, buf[0].seq);
	EXPECT_EQ(POISON64, buf[1].seq);
	*req = buf[0];
}

TEST_F(read, request) {
	struct sef_request req;
	__u64 seq;

	EXPECT_FALSE(readable(self->s.fd));
	expect_read_error(_metadata, EAGAIN, self->s.fd, &req, sizeof(req));
	ping(_metadata, self->sup, self->s.id);
	seq = ping(_metadata, self->sup, self->s.id);
	EXPECT_TRUE(readable(self->s.fd));
	expect_request(_metadata, self->s.fd, seq, &req);
	EXPECT_LT(0, req.left_ns);
	EXPECT_GE(HOUR, req.left_ns);

	/* read, it is pending no more, and still to be answered */
	EXPECT_FALSE(readable(self->s.fd));
	expect_read_error(_metadata, EAGAIN, self->s.fd, &req, sizeof(req));
	EXPECT_EQ(0, pong(self->s.fd, req.seq));

	/* and answered, it need not be read */
	seq = ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, seq));
	EXPECT_FALSE(readable(self->s.fd));
	expect_read_error(_metadata, EAGAIN, self->s.fd, &req, sizeof(req));
}

TEST_F(read, request_time_left) {
	int other = new_file(_metadata);
	struct sef_request req;
	struct sef_event ev;
	__u64 seq;

	/* the first deadline of all */
	ASSERT_EQ(0, watch(other, self->s.id, HOUR, HOUR / 2, 3));
	until(_metadata, other, self->s.id, SEF_STATE_ALIVE, &ev);
	ping(_metadata, self->sup, self->s.id);
	seq = ping(_metadata, other, self->s.id);
	expect_request(_metadata, self->s.fd, seq, &req);
	EXPECT_LT(0, req.left_ns);
	EXPECT_GE(HOUR / 2, req.left_ns);
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR / 4, 3));
	seq = ping(_metadata, other, self->s.id);
	expect_request(_metadata, self->s.fd, seq, &req);
	EXPECT_LT(0, req.left_ns);
	EXPECT_GE(HOUR / 4, req.left_ns);

	/* no longer waited for */
	seq = ping(_metadata, other, self->s.id);
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(0, unwatch(self->sup, self->s.id));
	EXPECT_TRUE(readable(self->s.fd));
	expect_request(_metadata, self->s.fd, seq, &req);
	EXPECT_EQ(0, req.left_ns);
}

TEST_F(read, request_after_its_deadline) {
	struct sef_request req;
	struct sef_event ev;
	__u64 seq;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 3));
	seq = ping(_metadata, self->sup, self->s.id);
	until(_metadata, self->sup, self->s.id, SEF_STATE_LATE, &ev);
	EXPECT_TRUE(readable(self->s.fd));
	expect_request(_metadata, self->s.fd, seq, &req);
	EXPECT_EQ(0, req.left_ns);
}

TEST_F(read, request_bad_buffers) {
	__u64 seq = ping(_metadata, self->sup, self->s.id);
	struct sef_request req;

	expect_read_error(_metadata, EINVAL, self->s.fd, &req, 0);
	expect_read_error(_metadata, EINVAL, self->s.fd, &req, sizeof(req) - 1);
	expect_read_error(_metadata, EFAULT, self->s.fd, NULL, sizeof(req));
	expect_read_error(_metadata, EFAULT, self->s.fd, self->hole, sizeof(req));
	expect_read_error(_metadata, EFAULT, self->s.fd,
			  self->hole - sizeof(req) / 2, sizeof(req));
	EXPECT_TRUE(readable(self->s.fd));
	expect_request(_metadata, self->s.fd, seq, &req);
}

TEST_F(read, event_bad_buffers) {
	struct sef_event ev;
	__u64 seq;

	expect_read_error(_metadata, EAGAIN, self->sup, &ev, sizeof(ev));
	expect_read_error(_metadata, EINVAL, self->sup, &ev, 0);
	seq = ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	expect_read_error(_metadata, EINVAL, self->sup, &ev, 0);
	expect_read_error(_metadata, EINVAL, self->sup, &ev, sizeof(ev) - 1);
	expect_read_error(_metadata, EFAULT, self->sup, NULL, sizeof(ev));
	expect_read_error(_metadata, EFAULT, self->sup, self->hole, sizeof(ev));
	expect_read_error(_metadata, EFAULT, self->sup,
			  self->hole - sizeof(ev) / 2, sizeof(ev));
	EXPECT_TRUE(readable(self->sup));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(self->s.id, ev.id);
	EXPECT_EQ(seq, ev.seq);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_LT(0, ev.rtt_ns);
	EXPECT_EQ(1, ev.changes);
	EXPECT_FALSE(readable(self->sup));
}

/* What did not fit and what could not be written stays, in its order. */
TEST_F(read, whole_events_only) {
	struct sef_event *ev = (void *)(self->hole - 2 * sizeof(*ev) -
					sizeof(*ev) / 2);
	struct service s[6];
	int i;

	for (i = 0; i < 6; i++) {
		new_service(_metadata, &s[i]);
		ASSERT_EQ(0, watch(self->sup, s[i].id, HOUR, HOUR, 0));
	}
	for (i = 0; i < 6; i++)
		EXPECT_EQ(0, pong(s[i].fd, 0));

	/* two and a half: two; of a third that faults, nothing is lost */
	EXPECT_EQ(2 * sizeof(*ev), read(self->sup, ev, 2 * sizeof(*ev) + 40));
	EXPECT_EQ(s[0].id, ev[0].id);
	EXPECT_EQ(s[1].id, ev[1].id);
	EXPECT_EQ(2 * sizeof(*ev), read(self->sup, ev, 4 * sizeof(*ev)));
	EXPECT_EQ(s[2].id, ev[0].id);
	EXPECT_EQ(s[3].id, ev[1].id);
	ev = (void *)(self->hole - 10 * sizeof(*ev));
	memset(ev, POISON, 10 * sizeof(*ev));
	EXPECT_EQ(2 * sizeof(*ev), read(self->sup, ev, 10 * sizeof(*ev)));
	EXPECT_EQ(s[4].id, ev[0].id);
	EXPECT_EQ(s[5].id, ev[1].id);
	EXPECT_EQ(POISON64, ev[2].id);
	EXPECT_FALSE(readable(self->sup));
	for (i = 0; i < 6; i++)
		close_service(_metadata, &s[i]);
}

/* Unread, all changes of a watch are one record that counts them. */
TEST_F(read, one_record_a_watch) {
	struct sef_event ev[2];
	struct sef_status_args st;
	__u64 seq;

	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 1));
	seq = ping(_metadata, self->sup, self->s.id);
	wait_readable(_metadata, self->sup);			/* late */
	EXPECT_EQ(0, pong(self->s.fd, 0));			/* alive, asked pong */
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 0));
	ping(_metadata, self->sup, self->s.id);
	do
		get_status(_metadata, self->sup, self->s.id, &st);
	while (st.state != SEF_STATE_UNRESPONSIVE);
	EXPECT_EQ(0, close(self->s.fd));			/* gone */

	memset(ev, POISON, sizeof(ev));
	ASSERT_EQ(sizeof(ev[0]), read(self->sup, ev, sizeof(ev)));
	check_event(_metadata, &ev[0]);
	EXPECT_EQ(SEF_STATE_GONE, ev[0].state);
	EXPECT_EQ(PASSED(LATE) | PASSED(ALIVE) | PASSED(UNRESPONSIVE) | PASSED(GONE),
		  ev[0].passed);
	EXPECT_EQ(5, ev[0].changes);
	EXPECT_EQ(SEF_EVENT_PONG, ev[0].flags);
	EXPECT_LE(SHORT, ev[0].rtt_ns);
	EXPECT_LT(0, seq);
	EXPECT_EQ(POISON64, ev[1].id);
	expect_read_error(_metadata, EAGAIN, self->sup, ev, sizeof(ev));
	self->s.fd = dup(self->sup);
}

/* A pong tells of the silence that it ends. */
TEST_F(read, age_and_silence) {
	__u64 before = now_ns();
	struct sef_event ev;

	ASSERT_EQ(0, pong(self->s.fd, 0));
	let_deadlines_pass(_metadata, 1);
	ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	let_deadlines_pass(_metadata, 1);
	get_event(_metadata, self->sup, &ev);
	EXPECT_LE(SHORT, ev.age_ns);
	EXPECT_LE(SHORT, ev.silent_ns);
	EXPECT_GE(now_ns() - before, ev.silent_ns + ev.age_ns);

	before = now_ns();
	EXPECT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 1));
	ping(_metadata, self->sup, self->s.id);
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_LATE, ev.state);
	EXPECT_LE(SHORT, ev.silent_ns);
	EXPECT_GE(now_ns() - before, ev.silent_ns + ev.age_ns);
}

/* What a pong mends does not hide what was wrong, nor which was asked for. */
TEST_F(read, unread_miss_keeps_its_cause) {
	struct sef_event ev;
	__u64 asked, seq;

	ASSERT_EQ(0, set_reply(self->s.fd, SEF_REPLY_NULL));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, SHORT, 3));
	asked = ping(_metadata, self->sup, self->s.id);
	wait_readable(_metadata, self->sup);			/* late */
	ASSERT_EQ(0, set_reply(self->s.fd, SEF_REPLY_PONG));
	EXPECT_EQ(0, pong(self->s.fd, asked));			/* asked pong */
	ASSERT_EQ(0, watch(self->sup, self->s.id, SHORT, HOUR, 3));
	get_pings(_metadata, self->s.efd);
	EXPECT_EQ(0, pong(self->s.fd, 0));

	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
	EXPECT_EQ(PASSED(LATE) | PASSED(ALIVE), ev.passed);
	EXPECT_EQ(SEF_WHY_NULL_REPLY, ev.why);
	EXPECT_EQ(0, ev.misses);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(asked, ev.asked_seq);

	/* read, it is history */
	seq = ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(SEF_WHY_UNKNOWN, ev.why);
	EXPECT_EQ(seq, ev.asked_seq);
}

/* An event that nobody has read yet has the new cookie. */
TEST_F(read, new_cookie_of_an_unread_event) {
	struct sef_watch_args args;
	struct sef_event ev;

	ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	fill_watch(&args, self->s.id, HOUR, HOUR, 0);
	args.cookie = 4711;
	ASSERT_EQ(0, set_watch(self->sup, &args));
	expect_read_error(_metadata, EFAULT, self->sup, self->hole, sizeof(ev));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(4711, ev.cookie);
	EXPECT_FALSE(readable(self->sup));
}

struct reader {
	int fd;
	ssize_t got;
	int err;
	pid_t tid;
	struct sef_event ev;	/* the larger of the two records */
};

static void *blocking_read(void *arg)
{
	struct reader *r = arg;

	__atomic_store_n(&r->tid, gettid(), __ATOMIC_RELEASE);
	r->got = read(r->fd, &r->ev, sizeof(r->ev));
	r->err = errno;
	return NULL;
}

/* Returns once the thread sleeps in its read(). */
static void start_reader(struct __test_metadata *_metadata, pthread_t *thread,
			 struct reader *r, int fd)
{
	memset(r, 0, sizeof(*r));
	r->fd = fd;
	ASSERT_EQ(0, fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK));
	ASSERT_EQ(0, pthread_create(thread, NULL, blocking_read, r));
	while (!__atomic_load_n(&r->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	ASSERT_TRUE(wait_task_state(getpid(), r->tid, 'S'));
}

TEST_F(read, blocking_for_a_request) {
	struct sef_request *req;
	pthread_t thread;
	struct reader r;
	__u64 seq;

	start_reader(_metadata, &thread, &r, self->s.fd);
	req = (void *)&r.ev;
	seq = ping(_metadata, self->sup, self->s.id);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(sizeof(*req), r.got);
	EXPECT_EQ(seq, req->seq);
}

TEST_F(read, blocking_for_an_event) {
	pthread_t thread;
	struct reader r;

	start_reader(_metadata, &thread, &r, self->sup);
	ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(sizeof(r.ev), r.got);
	EXPECT_EQ(self->s.id, r.ev.id);
}

static void on_signal(int sig)
{
}

TEST_F(read, interrupted) {
	struct sigaction action = { .sa_handler = on_signal };
	int i, fds[] = { self->s.fd, self->sup };
	pthread_t thread;
	struct reader r;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	for (i = 0; i < 2; i++) {
		start_reader(_metadata, &thread, &r, fds[i]);
		ASSERT_EQ(0, pthread_kill(thread, SIGUSR1));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(-1, r.got);
		EXPECT_EQ(EINTR, r.err);
	}
}

/* Put back, it is news again to whoever waits for the file. */
TEST_F(read, put_back_wakes) {
	struct epoll_event add = { .events = EPOLLIN | EPOLLET }, ready;
	int i, ep[2], fds[] = { self->s.fd, self->sup };
	struct sef_event ev;

	for (i = 0; i < 2; i++) {
		ep[i] = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, ep[i]);
		ASSERT_EQ(0, epoll_ctl(ep[i], EPOLL_CTL_ADD, fds[i], &add));
		EXPECT_EQ(0, epoll_wait(ep[i], &ready, 1, 0));
		ping(_metadata, self->sup, self->s.id);
		if (fds[i] == self->sup)
			EXPECT_EQ(0, pong(self->s.fd, 0));
		ASSERT_EQ(1, epoll_wait(ep[i], &ready, 1, PATIENCE));
		ASSERT_EQ(0, epoll_wait(ep[i], &ready, 1, 0));
		expect_read_error(_metadata, EFAULT, fds[i], self->hole, sizeof(ev));
		EXPECT_EQ(1, epoll_wait(ep[i], &ready, 1, PATIENCE));
		EXPECT_EQ(EPOLLIN, ready.events);
		EXPECT_EQ(0, close(ep[i]));
	}
}

/* A read that is held up in its copy of an event, by a fault that the test has. */
struct held_read {
	struct reader r;
	pthread_t thread;
	struct uffdio_range page;
	int fault_fd;
};

static void *read_into_page(void *arg)
{
	struct held_read *h = arg;

	h->r.got = read(h->r.fd, (void *)(uintptr_t)h->page.start,
			sizeof(struct sef_event));
	h->r.err = errno;
	return NULL;
}

static bool hold_read(struct __test_metadata *_metadata, struct held_read *h,
		      int fd, long page_size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffd_msg msg;
	void *page;

	h->fault_fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (h->fault_fd < 0)
		return false;
	ASSERT_EQ(0, ioctl(h->fault_fd, UFFDIO_API, &api));
	page = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(page != MAP_FAILED);
	h->page.start = (uintptr_t)page;
	h->page.len = page_size;
	reg.range = h->page;
	ASSERT_EQ(0, ioctl(h->fault_fd, UFFDIO_REGISTER, &reg));
	h->r.fd = fd;
	ASSERT_EQ(0, pthread_create(&h->thread, NULL, read_into_page, h));
	ASSERT_EQ(sizeof(msg), read(h->fault_fd, &msg, sizeof(msg)));
	EXPECT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
	return true;
}

/* Its memory is gone when it goes on. */
static void fail_read(struct __test_metadata *_metadata, struct held_read *h)
{
	ASSERT_EQ(0, munmap((void *)(uintptr_t)h->page.start, h->page.len));
	ASSERT_EQ(0, ioctl(h->fault_fd, UFFDIO_WAKE, &h->page));
	ASSERT_EQ(0, pthread_join(h->thread, NULL));
	EXPECT_EQ(-1, h->r.got);
	EXPECT_EQ(EFAULT, h->r.err);
	EXPECT_EQ(0, close(h->fault_fd));
}

/* What is put back is not the event of a watch that came since. */
TEST_F(read, put_back_too_late) {
	struct sef_watch_args args;
	struct held_read h;

	ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	if (!hold_read(_metadata, &h, self->sup, self->page_size))
		SKIP(return, "no userfaultfd");
	fail_read(_metadata, &h);
	EXPECT_TRUE(readable(self->sup));

	hold_read(_metadata, &h, self->sup, self->page_size);
	EXPECT_EQ(0, unwatch(self->sup, self->s.id));
	fill_watch(&args, self->s.id, HOUR, HOUR, 0);
	args.flags = SEF_WATCH_STRICT;	/* it has nothing to tell yet */
	ASSERT_EQ(0, set_watch(self->sup, &args));
	fail_read(_metadata, &h);
	EXPECT_FALSE(readable(self->sup));
}

/* Nor one of newcomers that nobody wants to be told of any more. */
TEST_F(read, newcomers_put_back_too_late) {
	struct held_read h;
	struct service s;
	int on;

	for (on = 0; on < 2; on++) {
		ASSERT_EQ(0, newcomers(self->sup, 1));
		new_service(_metadata, &s);
		wait_readable(_metadata, self->sup);
		if (!hold_read(_metadata, &h, self->sup, self->page_size))
			SKIP(return, "no userfaultfd");
		ASSERT_EQ(0, newcomers(self->sup, 0));
		if (on)
			ASSERT_EQ(0, newcomers(self->sup, 1));
		fail_read(_metadata, &h);
		EXPECT_FALSE(readable(self->sup));
		close_service(_metadata, &s);
	}
}

/* Several readers of one file: each event goes to one of them. */
TEST_F(read, two_readers) {
	struct service s;
	struct reader r[2];
	pthread_t thread[2];
	int i;

	new_service(_metadata, &s);
	ASSERT_EQ(0, watch(self->sup, s.id, HOUR, HOUR, 0));
	for (i = 0; i < 2; i++)
		start_reader(_metadata, &thread[i], &r[i], self->sup);
	EXPECT_EQ(0, pong(s.fd, 0));
	ping(_metadata, self->sup, self->s.id);
	EXPECT_EQ(0, pong(self->s.fd, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_EQ(sizeof(r[i].ev), r[i].got);
	}
	EXPECT_EQ(s.id + self->s.id, r[0].ev.id + r[1].ev.id);
	close_service(_metadata, &s);
}

TEST_HARNESS_MAIN
