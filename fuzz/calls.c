// SPDX-License-Identifier: GPL-2.0
/* The calls of a program: a table of their fields each, and how they are made. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/sef.h>

#include "fuzz.h"

#define F(type, field, ...) \
	{ #field, offsetof(struct type, field), sizeof(((struct type *)0)->field), __VA_ARGS__ }

const struct field common_fields[COMMON] = {
	F(common, by, NUMBER, ACTORS - 1),
	F(common, fail, NUMBER, 12),
	F(common, memory, NUMBER, MEMORIES - 1),
	F(common, size, NUMBER, 0),
};

/* What <linux/sef.h> calls in. */

static const struct field register_fields[] = {
	F(sef_register_args, flags, MASK, SEF_REGISTER_THREAD | SEF_REGISTER_PIDFD),
	F(sef_register_args, reply, NUMBER, SEF_REPLY_NULL),
	F(sef_register_args, eventfd, FD),
	F(sef_register_args, pidfd, FD),
	F(sef_register_args, pid, PID),
	F(sef_register_args, __reserved, ZERO),
	F(sef_register_args, name, NAME),
	F(sef_register_args, id, ZERO),
};

static const struct field pong_fields[] = {
	F(sef_pong_args, seq, SEQ),
};

static const struct field set_reply_fields[] = {
	F(sef_set_reply_args, reply, NUMBER, SEF_REPLY_NULL),
	F(sef_set_reply_args, flags, ZERO),
};

static const struct field extend_fields[] = {
	F(sef_extend_args, extend_ns, TIME),
};

static const struct field watch_fields[] = {
	F(sef_watch_args, id, ID),
	F(sef_watch_args, cookie, NUMBER, 9),
	F(sef_watch_args, period_ns, TIME),
	F(sef_watch_args, timeout_ns, TIME),
	F(sef_watch_args, slack_ns, TIME),
	F(sef_watch_args, grace_ns, TIME),
	F(sef_watch_args, extend_ns, TIME),
	F(sef_watch_args, kill_ns, TIME),
	F(sef_watch_args, last_ns, TIME),
	F(sef_watch_args, tolerate, NUMBER, 3),
	F(sef_watch_args, flags, MASK, SEF_WATCH_STRICT | SEF_WATCH_PIDFD),
	F(sef_watch_args, excuse, MASK, SEF_EXCUSE_ALL),
	F(sef_watch_args, signal, NUMBER, 64),
	F(sef_watch_args, last, NUMBER, SEF_LAST_RESTART),
	F(sef_watch_args, pidfd, FD),
	F(sef_watch_args, pid, PID),
	F(sef_watch_args, __reserved, ZERO),
};

static const struct field unwatch_fields[] = {
	F(sef_unwatch_args, id, ID),
};

static const struct field ping_fields[] = {
	F(sef_ping_args, id, ID),
	F(sef_ping_args, seq, ZERO),
};

static const struct field status_fields[] = {
	F(sef_status_args, id, ID),
	F(sef_status_args, flags, MASK, SEF_STATUS_NEXT | SEF_STATUS_WORST),
};

static const struct field newcomers_fields[] = {
	F(sef_newcomers_args, on, NUMBER, 1),
	F(sef_newcomers_args, flags, ZERO),
};

static const struct field why_fields[] = {
	F(sef_why_args, id, ID),
	F(sef_why_args, flags, ZERO),
};

static const struct field latency_fields[] = {
	F(sef_latency_args, id, ID),
	F(sef_latency_args, flags, MASK, SEF_LATENCY_RESET),
	F(sef_latency_args, __reserved, ZERO),
};

/* The rest of what a process does. */

struct open_args { uint64_t flags; };
static const struct field open_fields[] = {
	F(open_args, flags, MASK, O_NONBLOCK | O_CLOEXEC | O_WRONLY),
};

struct any_args { uint32_t request; uint32_t bytes[4]; };
static const struct field any_fields[] = {
	F(any_args, request, NUMBER, 0x1f),
	F(any_args, bytes, NAME),
};

struct count_args { uint64_t count; };
static const struct field read_fields[] = {
	F(count_args, count, NUMBER, 4 * sizeof(struct sef_event)),
};

struct map_args { uint64_t length, prot, flags, offset; };
static const struct field map_fields[] = {
	F(map_args, length, NUMBER, 3 * 4096),
	F(map_args, prot, MASK, PROT_READ | PROT_WRITE | PROT_EXEC),
	F(map_args, flags, MASK, MAP_SHARED | MAP_PRIVATE),
	F(map_args, offset, NUMBER, 4096),
};

struct store_args { uint64_t seq; };
static const struct field store_fields[] = {
	F(store_args, seq, SEQ),
};

struct nr_args { uint64_t nr; };
static const struct field dup_fields[] = { F(nr_args, nr, NUMBER, SLOTS - 1) };
static const struct field madvise_fields[] = { F(nr_args, nr, NUMBER, 25) };
static const struct field mprotect_fields[] = { F(nr_args, nr, MASK, 7) };
static const struct field mremap_fields[] = { F(nr_args, nr, NUMBER, 3 * 4096) };
static const struct field poll_fields[] = { F(nr_args, nr, NUMBER, 20) };
static const struct field eventfd_fields[] = { F(nr_args, nr, MASK, EFD_NONBLOCK | EFD_SEMAPHORE) };
static const struct field unshare_fields[] = {
	F(nr_args, nr, MASK, CLONE_NEWUSER | CLONE_NEWPID | CLONE_FILES),
};
static const struct field sleep_fields[] = { F(nr_args, nr, TIME) };
static const struct field pidfd_fields[] = { F(nr_args, nr, PID) };
static const struct field setuid_fields[] = { F(nr_args, nr, NUMBER, 1000) };

struct kill_args { uint64_t pid, signal; };
static const struct field kill_fields[] = {
	F(kill_args, pid, PID),
	F(kill_args, signal, NUMBER, 31),
};

/*
 * Memory that ends where another page begins that nobody may touch. Writing to what is
 * read only, or beyond what is cut off, is the kernel's EFAULT.
 */
#define ROOM	(16 << 10)
static __thread void *memory;
static __thread int fail_nth;	/* the thread's own file of that name */

void actor_init(void)
{
	memory = mmap(NULL, ROOM + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (memory == MAP_FAILED || mprotect(memory + ROOM, 4096, PROT_NONE) || fail_nth < 0)
		_exit(1);
}

/* @size bytes, of which the first are @args. */
static void *place(struct setting *s, size_t size)
{
	char *end = memory + ROOM, *at = end - size;

	if (s->common.memory == MEMORY_NULL)
		return NULL;
	memset(at, 0, size);
	memcpy(at, s->args, size < s->what->size ? size : s->what->size);
	if (s->common.memory == MEMORY_CUT) {
		memmove(at + size / 2, at, size - size / 2);
		return at + size / 2;
	}
	if (s->common.memory == MEMORY_READ_ONLY)
		mprotect(memory, ROOM, PROT_READ);
	return at;
}

static void done_with(const struct setting *s)
{
	if (s->common.memory == MEMORY_READ_ONLY)
		mprotect(memory, ROOM, PROT_READ | PROT_WRITE);
}

/* Most calls have one argument. */
static uint64_t first(const struct setting *s)
{
	return *(const uint64_t *)s->args;
}

/* The n-th chance from now on; 0: none more. */
static void arm(const struct setting *s, unsigned int n)
{
	char text[16];
	int len;

	if (!s->common.fail)
		return;
	len = snprintf(text, sizeof(text), "%u", n);
	/* That it copies is a chance to fail too. */
	if (pwrite(fail_nth, text, len, 0) < 0)
		pwrite(fail_nth, text, len, 0);
}

static int faulty_ioctl(struct setting *s, unsigned int request, void *at)
{
	int ret;

	arm(s, s->common.fail);
	ret = ioctl(s->slot->fd, request, at);
	arm(s, 0);
	return ret;
}

static void run_ioctl(struct setting *s)
{
	size_t size = s->common.size & _IOC_SIZEMASK ?: s->what->size;
	void *at = place(s, size);
	unsigned int request = _IOC(_IOC_DIR(s->what->request), SEF_IOC_MAGIC,
				    _IOC_NR(s->what->request), size);
	int ret = faulty_ioctl(s, request, at);

	if (at && size == s->what->size && s->common.memory == MEMORY_GOOD)
		memcpy(s->args, at, size);
	done_with(s);
	if (ret)
		return;
	if (s->what->request == SEF_IOC_REGISTER)
		s->slot->id = ((struct sef_register_args *)s->args)->id;
	else if (s->what->request == SEF_IOC_PING)
		s->slot->seq = ((struct sef_ping_args *)s->args)->seq;
	else if (s->what->request == SEF_IOC_STATUS || s->what->request == SEF_IOC_WATCH)
		s->slot->id = first(s);
}

static void run_any(struct setting *s)
{
	unsigned int request = ((struct any_args *)s->args)->request;
	void *at = place(s, ROOM);

	/* A number of this device's, or all of it. */
	if (request < 0x100)
		request = _IOWR(SEF_IOC_MAGIC, request, uint64_t[2]);
	faulty_ioctl(s, request, at);
	done_with(s);
}

/* What was there is closed: there is never more than what the slots hold. */
static void put_fd(struct slot *slot, int fd)
{
	int old = slot->fd;

	if (fd < 0)
		return;
	slot->fd = fd;
	if (old >= 0)
		close(old);
}

static void run_open(struct setting *s)
{
	int flags = first(s) & (O_NONBLOCK | O_CLOEXEC | O_WRONLY);
	int fd;

	arm(s, s->common.fail);
	fd = open("/dev/sef", (flags & O_WRONLY ? 0 : O_RDWR) | (flags & ~O_WRONLY));
	arm(s, 0);
	put_fd(s->slot, fd);
}

static void run_close(struct setting *s)
{
	if (s->slot->fd >= 0)
		close(s->slot->fd);
	s->slot->fd = -1;
}

static void run_dup(struct setting *s)
{
	uint64_t nr = first(s) % SLOTS;

	put_fd(s->slot, dup(s->slots[nr].fd));
}

static void run_read(struct setting *s)
{
	size_t count = first(s) % ROOM;
	void *at = place(s, count);
	ssize_t got;

	arm(s, s->common.fail);
	got = read(s->slot->fd, at, count);
	arm(s, 0);
	if (got == sizeof(struct sef_request) && at)
		s->slot->seq = ((struct sef_request *)at)->seq;
	else if (got >= (ssize_t)sizeof(struct sef_event) && at)
		s->slot->id = ((struct sef_event *)at)->id;
	done_with(s);
}

static void run_poll(struct setting *s)
{
	struct pollfd fd = { .fd = s->slot->fd, .events = POLLIN | POLLPRI | POLLOUT };

	poll(&fd, 1, first(s) % 32);
}

/* The child has its own memory, where nothing of the main thread's is. */
static void *map_of(const struct setting *s)
{
	return s->common.by == CHILD ? NULL : s->slot->map;
}

static void run_mmap(struct setting *s)
{
	struct map_args *args = s->args;
	void *at;

	arm(s, s->common.fail);
	at = mmap(NULL, args->length % ROOM ?: 4096, args->prot,
		  args->flags % MAP_FIXED ?: MAP_SHARED, s->slot->fd, args->offset);
	arm(s, 0);
	if (at == MAP_FAILED)
		return;
	if (s->common.by == CHILD)
		munmap(at, args->length % ROOM ?: 4096);
	else
		s->slot->map = at;
}

static void run_munmap(struct setting *s)
{
	if (!map_of(s))
		return;
	munmap(s->slot->map, 4096);
	s->slot->map = NULL;
}

static void run_mprotect(struct setting *s)
{
	if (map_of(s))
		mprotect(s->slot->map, 4096, first(s) & 7);
}

static void run_madvise(struct setting *s)
{
	if (map_of(s))
		madvise(s->slot->map, 4096, first(s));
}

static void run_mremap(struct setting *s)
{
	void *at;

	if (!map_of(s))
		return;
	at = mremap(s->slot->map, 4096, first(s) % (16 << 10),
		    MREMAP_MAYMOVE);
	if (at != MAP_FAILED)
		s->slot->map = at;
}

/* By a system call: it is no fault of ours where the page is not to be written to. */
static void run_store(struct setting *s)
{
	struct sef_page *page = map_of(s);
	uint32_t seq = first(s);
	int ends[2];

	if (!page || pipe2(ends, O_CLOEXEC))
		return;
	if (write(ends[1], &seq, sizeof(seq)) == sizeof(seq))
		(void)!read(ends[0], &page->pong_seq, sizeof(seq));
	close(ends[0]);
	close(ends[1]);
}

static void run_eventfd(struct setting *s)
{
	put_fd(s->slot, eventfd(0, EFD_CLOEXEC | (first(s) &
							(EFD_NONBLOCK | EFD_SEMAPHORE))));
}

static void run_pidfd(struct setting *s)
{
	pid_t pid = first(s) ? (pid_t)first(s) : getpid();
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		s->slot->pid = pid;
	put_fd(s->slot, fd);
}

/* Who is where: the pid of whoever makes this call. */
static void run_here(struct setting *s)
{
	s->slot->pid = getpid();
}

static void run_kill(struct setting *s)
{
	struct kill_args *args = s->args;

	if ((pid_t)args->pid > 1)
		kill(args->pid, args->signal);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Not for long: to be here some thousand times is worth more. */
static uint64_t some_ns(struct setting *s)
{
	return first(s) % 20000000;
}

static void run_sleep(struct setting *s)
{
	struct timespec time = { .tv_nsec = some_ns(s) };

	nanosleep(&time, NULL);
}

static void run_spin(struct setting *s)
{
	uint64_t end = now_ns() + some_ns(s);

	while (now_ns() < end)
		;
}

static void run_unshare(struct setting *s)
{
	syscall(SYS_unshare, first(s));
}

/* Of this thread alone. */
static void run_setuid(struct setting *s)
{
	syscall(SYS_setresuid, -1, (uid_t)first(s), -1);
}

static void run_exec(struct setting *s)
{
	(void)s;
	execl("/proc/self/exe", "fuzz", "idle", NULL);
}

static void run_exit(struct setting *s)
{
	syscall(s->common.by == THREAD ? SYS_exit : SYS_exit_group, 3);
}

enum actor call_by(const struct call *call)
{
	return call->values[0].n % ACTORS;
}

static uint64_t value_of(const struct value *value, enum kind kind, const struct slot *slots)
{
	const struct slot *slot = &slots[value->n % SLOTS];

	if (!value->of_slot)
		return value->n;
	switch (kind) {
	case ID:
		return slot->id;
	case SEQ:
		return slot->seq;
	case FD:
		return slot->fd;
	case PID:
		return slot->pid;
	default:
		return value->n;
	}
}

static void put_value(void *to, const struct field *field, uint64_t n)
{
	size_t done, size;

	for (done = 0; done < field->size; done += size) {
		size = field->size - done < sizeof(n) ? field->size - done : sizeof(n);
		memcpy(to + field->offset + done, &n, size);
	}
}

void call_run(const struct call *call, struct slot *slots)
{
	uint64_t args[(sizeof(struct sef_why_args) + 7) / 8] = { 0 };
	struct setting setting = {
		.what = &table[call->what],
		.slots = slots,
		.slot = &slots[call->slot],
		.args = args,
	};
	unsigned int i;

	for (i = 0; i < call_values(call); i++)
		put_value(i < COMMON ? (void *)&setting.common : args, call_field(call, i),
			  value_of(&call->values[i], call_field(call, i)->kind, slots));
	setting.common.by = call_by(call);
	setting.what->run(&setting);
}

void slots_init(struct slot *slots)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		slots[i] = (struct slot) { .fd = -1 };
}

void slots_close(struct slot *slots)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		if (slots[i].map)
			munmap(slots[i].map, 4096);
		if (slots[i].fd >= 0)
			close(slots[i].fd);
	}
}

#define IOCTL(name, NAME, type) \
	{ #name, SEF_IOC_##NAME, sizeof(struct type), name##_fields, \
	  ARRAY_SIZE(name##_fields), run_ioctl }
#define CALL(name, type, fields) \
	{ #name, 0, sizeof(struct type), fields, ARRAY_SIZE(fields), run_##name }
#define SPOILER(name, type, fields) \
	{ #name, 0, sizeof(struct type), fields, ARRAY_SIZE(fields), run_##name, true }
#define BARE(name) { #name, 0, 0, NULL, 0, run_##name }

const struct what table[] = {
	IOCTL(register, REGISTER, sef_register_args),
	IOCTL(pong, PONG, sef_pong_args),
	IOCTL(set_reply, SET_REPLY, sef_set_reply_args),
	IOCTL(extend, EXTEND, sef_extend_args),
	IOCTL(watch, WATCH, sef_watch_args),
	IOCTL(unwatch, UNWATCH, sef_unwatch_args),
	IOCTL(ping, PING, sef_ping_args),
	IOCTL(status, STATUS, sef_status_args),
	IOCTL(newcomers, NEWCOMERS, sef_newcomers_args),
	IOCTL(why, WHY, sef_why_args),
	IOCTL(latency, LATENCY, sef_latency_args),
	CALL(any, any_args, any_fields),
	CALL(open, open_args, open_fields),
	BARE(close),
	CALL(dup, nr_args, dup_fields),
	CALL(read, count_args, read_fields),
	CALL(poll, nr_args, poll_fields),
	CALL(mmap, map_args, map_fields),
	BARE(munmap),
	CALL(mprotect, nr_args, mprotect_fields),
	CALL(madvise, nr_args, madvise_fields),
	CALL(mremap, nr_args, mremap_fields),
	CALL(store, store_args, store_fields),
	CALL(eventfd, nr_args, eventfd_fields),
	CALL(pidfd, nr_args, pidfd_fields),
	BARE(here),
	CALL(kill, kill_args, kill_fields),
	CALL(sleep, nr_args, sleep_fields),
	CALL(spin, nr_args, sleep_fields),
	SPOILER(unshare, nr_args, unshare_fields),
	SPOILER(setuid, nr_args, setuid_fields),
	BARE(exec),
	BARE(exit),
};
const unsigned int table_size = ARRAY_SIZE(table);
