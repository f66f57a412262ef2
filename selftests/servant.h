/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process of its own that does what it is ordered over a socket, and answers
 * each order with a number. What a test wants of it beyond what is here is the
 * test's own function, which hands on to serve() what it does not know.
 */
#ifndef SERVANT_H
#define SERVANT_H

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sef_test.h"

struct servant {
	pid_t pid;
	int sock;
};

enum order {
	DO_OPEN,	/* the device, if it is not open yet */
	DO_REGISTER,	/* arg: flags; answers with the id or an error < 0 */
	DO_PONG,	/* arg: seq */
	DO_SET_REPLY,	/* arg: an enum sef_reply */
	DO_CLOSE,
	DO_CATCH,	/* arg: signal, counted from now on */
	DO_COUNT,	/* arg: signal; answers how many came */
	DO_SETUID,	/* arg: uid, all three; and the gid */
	DO_BECOME,	/* arg: real uid; root stays the effective one */
	DO_LEND,	/* arg: real and effective uid; root stays the saved one */
	DO_EXIT,	/* arg: exit code; no answer */
	DO_MORE,	/* the first of a test's own */
};

typedef __s64 (*obey_fn)(int order, __s64 arg);

/* In the servant; each thread of it has a file of its own. */
static int servant_sock;
static __thread int servant_file = -1;
static volatile sig_atomic_t servant_signals[65];

static inline void servant_catch(int sig)
{
	servant_signals[sig]++;
}

static inline __s64 servant_open(void)
{
	if (servant_file < 0)
		servant_file = open("/dev/sef", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return servant_file < 0 ? errno : 0;
}

static inline __s64 servant_register(__u32 flags)
{
	struct sef_register_args args;
	int err = servant_open();

	if (err)
		return -err;
	fill_register(&args, "servant", -1);
	args.flags = flags;
	err = call(servant_file, SEF_IOC_REGISTER, &args);
	return err ? -err : (__s64)args.id;
}

static inline __s64 serve(int order, __s64 arg)
{
	struct sigaction action = { .sa_handler = servant_catch };
	int fd;

	switch (order) {
	case DO_OPEN:
		return servant_open();
	case DO_REGISTER:
		return servant_register(arg);
	case DO_PONG:
		return pong(servant_file, arg);
	case DO_SET_REPLY:
		return set_reply(servant_file, arg);
	case DO_CLOSE:
		fd = servant_file;
		servant_file = -1;
		return close(fd);
	case DO_CATCH:
		action.sa_flags = SA_RESTART;
		return sigaction(arg, &action, NULL) ? errno : 0;
	case DO_COUNT:
		return servant_signals[arg];
	case DO_SETUID:
		if (setresgid(arg, arg, arg) || setresuid(arg, arg, arg))
			return errno;
		return 0;
	case DO_BECOME:
		return setresuid(arg, 0, 0) ? errno : 0;
	case DO_LEND:
		return setresuid(arg, arg, 0) ? errno : 0;
	case DO_EXIT:
		_exit(arg);
	}
	return -EOPNOTSUPP;
}

/* For an order that does not return to where it was read. */
static inline bool answer(__s64 value)
{
	return write(servant_sock, &value, sizeof(value)) == sizeof(value);
}

static inline void obey_all(obey_fn obey)
{
	__s64 msg[2];

	while (read(servant_sock, msg, sizeof(msg)) == sizeof(msg))
		if (!answer(obey(msg[0], msg[1])))
			break;
	_exit(0);
}

static inline void new_servant(struct __test_metadata *_metadata,
			       struct servant *s, obey_fn obey)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	s->pid = fork();
	ASSERT_LE(0, s->pid);
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		servant_sock = pair[1];
		obey_all(obey);
	}
	EXPECT_EQ(0, close(pair[1]));
	s->sock = pair[0];
}

static inline void send_order(struct __test_metadata *_metadata,
			      struct servant *s, int order, __s64 arg)
{
	__s64 msg[2] = { order, arg };

	ASSERT_EQ(sizeof(msg), write(s->sock, msg, sizeof(msg)));
}

static inline __s64 get_answer(struct __test_metadata *_metadata,
			       struct servant *s)
{
	__s64 answer = -1;

	wait_readable(_metadata, s->sock);
	ASSERT_EQ(sizeof(answer), read(s->sock, &answer, sizeof(answer)));
	return answer;
}

static inline __s64 ask(struct __test_metadata *_metadata, struct servant *s,
			int order, __s64 arg)
{
	send_order(_metadata, s, order, arg);
	return get_answer(_metadata, s);
}

/* A servant that is a service; its id. */
static inline __u64 new_serving(struct __test_metadata *_metadata,
				struct servant *s, obey_fn obey, __u32 flags)
{
	__s64 id;

	new_servant(_metadata, s, obey);
	id = ask(_metadata, s, DO_REGISTER, flags);
	ASSERT_LT(0, id);
	return id;
}

/* Whatever state it is in. Its wait status. */
static inline int end_servant(struct __test_metadata *_metadata,
			      struct servant *s)
{
	int status = -1;

	EXPECT_EQ(0, close(s->sock));
	EXPECT_EQ(0, kill(s->pid, SIGKILL));
	EXPECT_EQ(s->pid, waitpid(s->pid, &status, 0));
	return status;
}

/* It has not ended. */
static inline bool lives(struct servant *s)
{
	siginfo_t info = { .si_pid = 0 };

	return !waitid(P_PID, s->pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
	       !info.si_pid;
}

#endif /* SERVANT_H */
