/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer of /dev/sef that is led by coverage: see fuzz/run, which boots a VM for it.
 *
 * A program is a short list of calls. Each call is a struct, and all that there is to
 * know of the struct is a table of its fields: they are what is chosen, mutated, written
 * as text, read back, and put into memory for the call. A field may refer to what an
 * earlier call left in one of a few slots: a file, a service's id, the seq of a ping.
 *
 *	calls.c		the tables, and the calls
 *	program.c	programs: as text, made up, mutated
 *	sandbox.c	where a program runs, and what it may not do
 *	fuzz.c		coverage, the corpus, the loop
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define CALLS	12	/* of a program, at most */
#define SLOTS	6
#define VALUES	24	/* of a call */
#define TEXT	3584	/* of a program */

/* What a value may sensibly be. */
enum kind {
	ZERO,		/* reserved */
	NUMBER,		/* up to @max, and anything */
	MASK,		/* of the bits in @max, and others */
	TIME,		/* in ns */
	NAME,		/* its bytes, over and over */
	/* of a slot, or a number */
	ID, SEQ, FD, PID,
};

struct field {
	const char *name;
	unsigned short offset, size;
	enum kind kind;
	uint64_t max;
};

/* The number itself, or what the slot of that number has. */
struct value {
	uint64_t n;
	bool of_slot;
};

/* Who makes a call. The thread and the child are there once they are asked for. */
enum actor { MAIN, THREAD, CHILD, ACTORS };

/* Where the struct is. */
enum memory { MEMORY_GOOD, MEMORY_READ_ONLY, MEMORY_CUT, MEMORY_NULL, MEMORIES };

/* What every call has, before the fields of its own. */
struct common {
	uint32_t by;		/* an enum actor */
	uint32_t fail;		/* the kernel's n-th chance to fail is taken; 0: none */
	uint32_t memory;	/* an enum memory */
	uint32_t size;		/* that the struct is said to have; 0: the right one */
};
extern const struct field common_fields[];
#define COMMON	4

/* What a call leaves for those that follow. */
struct slot {
	int fd;
	uint64_t id, seq;
	pid_t pid;
	void *map;
};

/* A call, about to be made. */
struct setting {
	const struct what *what;
	struct common common;
	struct slot *slots, *slot;
	void *args;		/* the struct */
};

struct what {
	const char *name;
	unsigned int request;	/* of an ioctl */
	size_t size;		/* of the struct */
	const struct field *fields;
	unsigned int nr_fields;
	void (*run)(struct setting *s);
	bool spoils;		/* the process, for other programs */
};
extern const struct what table[];
extern const unsigned int table_size;

struct call {
	unsigned int what;	/* of table[] */
	unsigned int slot;
	struct value values[VALUES];
};

struct program {
	bool user;		/* an ordinary one runs it, not root */
	unsigned int len;
	struct call calls[CALLS];
};

/* calls.c */

/* By whoever makes calls, first. */
void actor_init(void);
enum actor call_by(const struct call *call);
void call_run(const struct call *call, struct slot *slots);
void slots_init(struct slot *slots);
void slots_close(struct slot *slots);

/* program.c */

uint64_t chance(void);
void chance_init(uint64_t seed);
/* How long the text is; TEXT or more: it has no room. */
size_t program_print(const struct program *program, char text[TEXT]);
/* Reads one program from *text and moves on; false at the end. Leaves out nonsense. */
bool program_parse(struct program *program, const char **text);
void program_remove(struct program *program, unsigned int at);
void program_mutate(struct program *program, const struct program *other);
unsigned int call_values(const struct call *call);
const struct field *call_field(const struct call *call, unsigned int i);

/* sandbox.c */

#define TRACE	(16 << 10)	/* entries of a trace; the first is how many there are */

/* Where programs run: see sandbox.c. */
struct sandbox {
	bool user;			/* an ordinary one's */
	pid_t pid;			/* 0: it is not there */
	int go, done;			/* pipes to it and from it */
	int kcov[ACTORS];
	uint64_t *trace[ACTORS];	/* of the module's code, that each came through */
	struct {
		struct program program;
		volatile bool running;
	} *desk;			/* shared with it */
};

void sandbox_init(struct sandbox *box, bool user);
/* False: it did not end by itself within its time. */
bool sandbox_run(struct sandbox *box, const struct program *program);
/* The caller's thread, on that CPU; -1: on any. */
void stay_on(int cpu);
/* What exec makes of a process. */
int idle_main(void);

noreturn void die(const char *what);

#endif /* FUZZ_H */
