// SPDX-License-Identifier: GPL-2.0
/*
 * The rules that hold for every request: its number, its size, reserved bits,
 * bad pointers; and that a call that fails has changed nothing. Built for 32 bits
 * too, as uapi32_test.
 */
#include "sef_test.h"
#include "uapi_layout.h"

#ifdef NO_M32
TEST(m32) {
	SKIP(return, "the compiler could not build for 32 bits");
}
#else

#define WR	(_IOC_READ | _IOC_WRITE)
#define W	_IOC_WRITE
#define FIELD(type, field)	offsetof(struct sef_##type##_args, field)

enum {
	REGISTER, PONG, SET_REPLY, EXTEND, WATCH, UNWATCH, PING, STATUS, NEWCOMERS,
	WHY, LATENCY,
};

static const struct {
	unsigned long request;
	unsigned int dir, nr, size;
} calls[] = {
	[REGISTER]	= { SEF_IOC_REGISTER, WR, 0x01, 64 },
	[PONG]		= { SEF_IOC_PONG, W, 0x02, 8 },
	[SET_REPLY]	= { SEF_IOC_SET_REPLY, W, 0x03, 8 },
	[EXTEND]	= { SEF_IOC_EXTEND, WR, 0x04, 8 },
	[WATCH]		= { SEF_IOC_WATCH, WR, 0x10, 104 },
	[UNWATCH]	= { SEF_IOC_UNWATCH, W, 0x11, 8 },
	[PING]		= { SEF_IOC_PING, WR, 0x12, 16 },
	[STATUS]	= { SEF_IOC_STATUS, WR, 0x13, 232 },
	[NEWCOMERS]	= { SEF_IOC_NEWCOMERS, W, 0x14, 8 },
	[WHY]		= { SEF_IOC_WHY, WR, 0x15, 1120 },
	[LATENCY]	= { SEF_IOC_LATENCY, WR, 0x16, 192 },
};

#define NR_CALLS	ARRAY_SIZE(calls)

/* Bits of the arguments that mean nothing yet. */
static const struct {
	unsigned int call, offset;
	__u32 unknown;
} reserved[] = {
	{ REGISTER, FIELD(register, flags),
	  ~(SEF_REGISTER_THREAD | SEF_REGISTER_PIDFD) },
	{ REGISTER, FIELD(register, pidfd), ~0U },	/* without SEF_REGISTER_PIDFD */
	{ REGISTER, FIELD(register, pid), ~0U },
	{ REGISTER, FIELD(register, __reserved), ~0U },
	{ SET_REPLY, FIELD(set_reply, flags), ~0U },
	{ WATCH, FIELD(watch, flags), ~(SEF_WATCH_STRICT | SEF_WATCH_PIDFD) },
	{ WATCH, FIELD(watch, excuse), ~SEF_EXCUSE_ALL },
	{ WATCH, FIELD(watch, pidfd), ~0U },	/* without SEF_WATCH_PIDFD */
	{ WATCH, FIELD(watch, pid), ~0U },
	{ WATCH, FIELD(watch, __reserved), ~0U },
	{ STATUS, FIELD(status, flags), ~(SEF_STATUS_NEXT | SEF_STATUS_WORST) },
	{ NEWCOMERS, FIELD(newcomers, on), ~1U },
	{ NEWCOMERS, FIELD(newcomers, flags), ~0U },
	{ WHY, FIELD(why, flags), ~0U },
	{ LATENCY, FIELD(latency, flags), ~SEF_LATENCY_RESET },
	{ LATENCY, FIELD(latency, __reserved), ~0U },
};

union args {
	struct sef_register_args reg;
	struct sef_pong_args pong;
	struct sef_set_reply_args set_reply;
	struct sef_extend_args extend;
	struct sef_watch_args watch;
	struct sef_unwatch_args unwatch;
	struct sef_ping_args ping;
	struct sef_status_args status;
	struct sef_newcomers_args newcomers;
	struct sef_why_args why;
	struct sef_latency_args latency;
	__u32 words[280];
};

FIXTURE(uapi)
{
	struct service s;
	struct service silent;	/* it missed a ping */
	int sup;
	int other;	/* the supervisor of the silent one */
	int fresh;
	char *page;	/* readable and writable, and nothing after it */
	long page_size;
	struct sef_status_args before;
};

/* An alive service with nothing going on. */
FIXTURE_SETUP(uapi)
{
	struct sef_event ev;

	new_service(_metadata, &self->s);
	self->sup = new_file(_metadata);
	self->fresh = new_file(_metadata);
	ASSERT_EQ(0, pong(self->s.fd, 0));
	ASSERT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 3));
	until(_metadata, self->sup, self->s.id, SEF_STATE_ALIVE, &ev);

	self->page_size = sysconf(_SC_PAGESIZE);
	self->page = mmap(NULL, 2 * self->page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->page != MAP_FAILED);
	ASSERT_EQ(0, mprotect(self->page + self->page_size, self->page_size,
			      PROT_NONE));
	get_status(_metadata, self->sup, self->s.id, &self->before);

	new_service(_metadata, &self->silent);
	self->other = new_file(_metadata);
	ASSERT_EQ(0, watch(self->other, self->silent.id, HOUR, SHORT, 0));
	ping(_metadata, self->other, self->silent.id);
	until(_metadata, self->other, self->silent.id, SEF_STATE_UNRESPONSIVE,
	      &ev);
}

FIXTURE_TEARDOWN(uapi)
{
	EXPECT_EQ(0, munmap(self->page, 2 * self->page_size));
	EXPECT_EQ(0, close(self->sup));
	EXPECT_EQ(0, close(self->fresh));
	EXPECT_EQ(0, close(self->other));
	close_service(_metadata, &self->s);
	close_service(_metadata, &self->silent);
}

/* Arguments with which call @i succeeds, and the file for it. */
static int good(struct __test_metadata *_metadata, FIXTURE_DATA(uapi) *self,
		unsigned int i, union args *args)
{
	memset(args, POISON, sizeof(*args));
	args->watch.id = self->s.id;	/* where all calls on a watch have it */

	switch (i) {
	case REGISTER:
		EXPECT_EQ(0, close(self->fresh));
		self->fresh = new_file(_metadata);
		fill_register(&args->reg, "fresh", -1);
		return self->fresh;
	case PONG:
		args->pong.seq = 0;
		return self->s.fd;
	case SET_REPLY:
		args->set_reply.reply = SEF_REPLY_PONG;
		args->set_reply.flags = 0;
		return self->s.fd;
	case EXTEND:
		args->extend.extend_ns = HOUR;
		return self->s.fd;
	case WATCH:
		fill_watch(&args->watch, self->s.id, HOUR, HOUR, 3);
		return self->sup;
	case NEWCOMERS:
		args->newcomers.on = 0;
		args->newcomers.flags = 0;
		return self->sup;
	case WHY:
		args->why.id = self->silent.id;
		args->why.flags = 0;
		return self->other;
	case LATENCY:
		args->latency.flags = 0;
		args->latency.__reserved = 0;
		return self->sup;
	case STATUS:
		args->status.flags = 0;
		return self->sup;
	case UNWATCH:
	case PING:
		/* again, if it was ended */
		EXPECT_EQ(0, watch(self->sup, self->s.id, HOUR, HOUR, 3));
	}
	return self->sup;
}

/* Since @before: no sign of life, no ping, no event, no other setting. */
static void expect_unchanged(struct __test_metadata *_metadata,
			     FIXTURE_DATA(uapi) *self)
{
	struct sef_status_args now, *was = &self->before;

	get_status(_metadata, self->sup, self->s.id, &now);
	EXPECT_LE(was->age_ns, now.age_ns);
	EXPECT_EQ(now.age_ns - was->age_ns, now.silent_ns - was->silent_ns);
	now.age_ns = was->age_ns;
	now.silent_ns = was->silent_ns;
	EXPECT_EQ(0, memcmp(was, &now, sizeof(now)));
	EXPECT_FALSE(readable(self->sup));
	EXPECT_FALSE(readable(self->s.efd));
	EXPECT_EQ(EBADFD, pong(self->fresh, 0));
	EXPECT_EQ(EBADFD, unwatch(self->fresh, self->s.id));
}

TEST_F(uapi, numbers) {
	unsigned int i;

	for (i = 0; i < NR_CALLS; i++)
		EXPECT_EQ(_IOC(calls[i].dir, 0xD9, calls[i].nr, calls[i].size),
			  calls[i].request);
	EXPECT_EQ(1, SEF_REGISTER_THREAD);
	EXPECT_EQ(1, SEF_WATCH_STRICT);
	EXPECT_EQ(2, SEF_WATCH_PIDFD);
	EXPECT_EQ(1, SEF_STATUS_NEXT);
	EXPECT_EQ(2, SEF_STATUS_WORST);
	EXPECT_EQ(1, SEF_EVENT_PONG);
	EXPECT_EQ(2, SEF_EVENT_SIGNAL);
	EXPECT_EQ(4, SEF_EVENT_KILL);
	EXPECT_EQ(8, SEF_EVENT_DENIED);
	EXPECT_EQ(16, SEF_EVENT_NEWCOMER);
	EXPECT_EQ(1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6, SEF_EXCUSE_ALL);
	EXPECT_EQ(1 << 3 | 1 << 4 | 1 << 5 | 1 << 6, SEF_EXCUSE_DEFAULT);
	EXPECT_EQ(1, SEF_LAST_PANIC);
	EXPECT_EQ(2, SEF_LAST_RESTART);
	EXPECT_EQ(32, SEF_NAME_SIZE);
	EXPECT_EQ(1024, SEF_STACK_SIZE);
	EXPECT_EQ(1, SEF_KNOWN_WINDOW);
	EXPECT_EQ(2, SEF_KNOWN_WAITED);
	EXPECT_EQ(4, SEF_KNOWN_SYSCALL);
	EXPECT_EQ(8, SEF_KNOWN_STACK);
	EXPECT_EQ(32, SEF_LATENCY_BUCKETS);
	EXPECT_EQ(1024, SEF_LATENCY_UNIT_NS);
	EXPECT_EQ(1, SEF_LATENCY_RESET);
}

TEST_F(uapi, good_calls_succeed) {
	union args args;
	unsigned int i;
	int fd;

	for (i = 0; i < NR_CALLS; i++) {
		fd = good(_metadata, self, i, &args);
		EXPECT_EQ(0, call(fd, calls[i].request, &args))
			TH_LOG("call %u", i);
	}
}

TEST_F(uapi, both_reads) {
	struct sef_request req;
	struct sef_event ev;
	__u64 seq = ping(_metadata, self->sup, self->s.id);

	memset(&req, POISON, sizeof(req));
	ASSERT_EQ(24, read(self->s.fd, &req, sizeof(req)));
	EXPECT_EQ(SEF_REQUEST_PING, req.type);
	EXPECT_EQ(0, req.__reserved);
	EXPECT_EQ(seq, req.seq);
	EXPECT_LT(0, req.left_ns);
	EXPECT_GE(HOUR, req.left_ns);

	EXPECT_EQ(0, pong(self->s.fd, seq));
	get_event(_metadata, self->sup, &ev);
	EXPECT_EQ(96, sizeof(ev));
	EXPECT_EQ(self->s.id, ev.id);
	EXPECT_EQ(~self->s.id, ev.cookie);
	EXPECT_EQ(seq, ev.seq);
	EXPECT_EQ(seq, ev.asked_seq);
	EXPECT_EQ(SEF_EVENT_PONG, ev.flags);
	EXPECT_EQ(SEF_STATE_ALIVE, ev.state);
	EXPECT_EQ(getpid(), ev.pid);
}

static bool known(unsigned int dir, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < NR_CALLS; i++)
		if (calls[i].nr == nr && (!dir || calls[i].dir == dir))
			return true;
	return false;
}

TEST_F(uapi, unknown_requests) {
	static const unsigned int sizes[] = { 0, 8, 16, 56, 104, 192, 232, 1120, 4096 };
	unsigned int i, nr, dir;
	union args args, was;
	int fd;

	memset(self->page, 0, self->page_size);
	for (nr = 0; nr < 256; nr++)
		for (i = 0; i < ARRAY_SIZE(sizes) && !known(0, nr); i++)
			EXPECT_EQ(ENOTTY, call(self->sup,
					       _IOC(WR, SEF_IOC_MAGIC, nr, sizes[i]),
					       self->page));
	for (i = 0; i < NR_CALLS; i++) {
		fd = good(_metadata, self, i, &args);
		was = args;
		for (dir = 0; dir < 4; dir++) {
			if (known(dir, calls[i].nr))
				continue;
			EXPECT_EQ(ENOTTY, call(fd, _IOC(dir, SEF_IOC_MAGIC, calls[i].nr,
							calls[i].size), &args));
		}
		EXPECT_EQ(ENOTTY, call(fd, _IOC(calls[i].dir, SEF_IOC_MAGIC - 1,
						calls[i].nr, calls[i].size), &args));
		EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
	}
	expect_unchanged(_metadata, self);
}

TEST_F(uapi, smaller_structs) {
	unsigned int i, size;
	union args args, was;
	int fd;

	for (i = 0; i < NR_CALLS; i++) {
		fd = good(_metadata, self, i, &args);
		was = args;
		for (size = 0; size < calls[i].size; size++)
			EXPECT_EQ(ENOTTY, call(fd, _IOC(calls[i].dir, SEF_IOC_MAGIC,
							calls[i].nr, size), &args))
				TH_LOG("call %u size %u", i, size);
		EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
	}
	expect_unchanged(_metadata, self);
}

/* A newer header's struct, whose new part is not zero. */
TEST_F(uapi, larger_structs_refused) {
	static const unsigned int extra[] = { 1, 8, 64, 1000, 2900 };
	unsigned int i, j, k, size;
	union args args;
	int fd;

	for (i = 0; i < NR_CALLS; i++) {
		fd = good(_metadata, self, i, &args);
		for (j = 0; j < ARRAY_SIZE(extra); j++) {
			size = calls[i].size + extra[j];
			memset(self->page, 0, self->page_size);
			memcpy(self->page, &args, calls[i].size);
			/* some 16 of its bytes, each costs a walk over all before it */
			for (k = calls[i].size; k < size; k += 1 + extra[j] / 16) {
				self->page[k] = 1;
				EXPECT_EQ(E2BIG, call(fd, _IOC(calls[i].dir, SEF_IOC_MAGIC,
							       calls[i].nr, size),
						      self->page))
					TH_LOG("call %u size %u byte %u", i, size, k);
				self->page[k] = 0;
			}
			EXPECT_EQ(0, memcmp(self->page, &args, calls[i].size));
		}
	}
	expect_unchanged(_metadata, self);
}

/* The same, not used yet: up to the largest size that a number can hold. */
TEST_F(uapi, larger_structs_accepted) {
	unsigned int extra[] = { 1, 8, 64, 1000, 0 };
	static char buf[_IOC_SIZEMASK];
	unsigned int i, j, k, size;
	union args args;
	int fd;

	for (i = 0; i < NR_CALLS; i++) {
		for (j = 0; j < ARRAY_SIZE(extra); j++) {
			size = extra[j] ? calls[i].size + extra[j] : sizeof(buf);
			fd = good(_metadata, self, i, &args);
			memset(buf, 0, sizeof(buf));
			memcpy(buf, &args, calls[i].size);
			EXPECT_EQ(0, call(fd, _IOC(calls[i].dir, SEF_IOC_MAGIC,
						   calls[i].nr, size), buf))
				TH_LOG("call %u size %u", i, size);
			for (k = calls[i].size; k < sizeof(buf); k++)
				ASSERT_EQ(0, buf[k]);
		}
	}
}

/* Each struct cut off by the end of the page at its half, and by one byte. */
TEST_F(uapi, unreadable_arguments) {
	char *end = self->page + self->page_size;
	unsigned int i, half;
	union args args;
	int fd;

	for (i = 0; i < NR_CALLS; i++) {
		fd = good(_metadata, self, i, &args);
		half = calls[i].size / 2;
		EXPECT_EQ(EFAULT, call(fd, calls[i].request, NULL));
		EXPECT_EQ(EFAULT, call(fd, calls[i].request, end));
		EXPECT_EQ(EFAULT, call(fd, calls[i].request, (void *)-4096L));
		memcpy(end - half, &args, half);
		EXPECT_EQ(EFAULT, call(fd, calls[i].request, end - half));
		memcpy(end - calls[i].size + 1, &args, calls[i].size - 1);
		EXPECT_EQ(EFAULT, call(fd, calls[i].request,
				       end - calls[i].size + 1));
		/* the known part can be read, what came later cannot */
		memcpy(end - calls[i].size, &args, calls[i].size);
		EXPECT_EQ(EFAULT, call(fd, _IOC(calls[i].dir, SEF_IOC_MAGIC,
						calls[i].nr, calls[i].size + 8),
				       end - calls[i].size));
		EXPECT_EQ(0, memcmp(end - calls[i].size, &args, calls[i].size));
	}
	expect_unchanged(_metadata, self);
}

TEST_F(uapi, unwritable_outputs) {
	struct sef_status_args st;
	unsigned int i;
	union args args;
	int fd, err;

	for (i = 0; i < NR_CALLS; i++) {
		if (!(calls[i].dir & _IOC_READ))
			continue;
		fd = good(_metadata, self, i, &args);
		memcpy(self->page, &args, sizeof(args));
		ASSERT_EQ(0, mprotect(self->page, self->page_size, PROT_READ));
		err = call(fd, calls[i].request, self->page);
		ASSERT_EQ(0, mprotect(self->page, self->page_size,
				      PROT_READ | PROT_WRITE));
		EXPECT_EQ(EFAULT, err)
			TH_LOG("call %u", i);
		EXPECT_EQ(0, memcmp(self->page, &args, sizeof(args)));
	}
	expect_unchanged(_metadata, self);
	/* no service that nobody knows the id of */
	EXPECT_EQ(0, try_status(self->sup, self->s.id, SEF_STATUS_NEXT, &st));
	EXPECT_EQ(self->silent.id, st.id);
	EXPECT_EQ(ESRCH, try_status(self->sup, st.id, SEF_STATUS_NEXT, &st));
}

TEST_F(uapi, reserved_bits) {
	union args args, was;
	unsigned int i, bit;
	__u32 *field;
	int fd;

	for (i = 0; i < ARRAY_SIZE(reserved); i++) {
		fd = good(_metadata, self, reserved[i].call, &args);
		field = &args.words[reserved[i].offset / sizeof(*field)];
		for (bit = 0; bit < 32; bit++) {
			if (!(reserved[i].unknown & (1U << bit)))
				continue;
			*field ^= 1U << bit;
			was = args;
			EXPECT_EQ(EINVAL, call(fd, calls[reserved[i].call].request, &args))
				TH_LOG("call %u bit %u", reserved[i].call, bit);
			EXPECT_EQ(0, memcmp(&was, &args, sizeof(args)));
			*field ^= 1U << bit;
		}
	}
	expect_unchanged(_metadata, self);
}
#endif /* NO_M32 */

TEST_HARNESS_MAIN
