/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the subcommands of sefctl share.
 *
 * A subcommand is a line of the table in sefctl.c and a function in a file of its
 * name. Whatever goes wrong it hands to fail(): one line on stderr that says what
 * to do, and the exit status that the table has for it.
 */
#ifndef SEFCTL_H
#define SEFCTL_H

#include <argp.h>
#include <json-c/json.h>
#include <sef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdnoreturn.h>

#define __printf(f, args) __attribute__(( \
	__format__(printf, f, args)))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define NS_PER_MS	1000000ULL
#define NS_PER_SEC	1000000000ULL

struct command {
	const char *name;
	const char *help;	/* one line */
	int (*run)(int argc, char **argv);	/* argv[0] is "sefctl NAME" */
	int failure;		/* the exit status of fail() */
	const char *verdict;	/* or NULL; what fail() says first, on stdout then */
};

int check_main(int argc, char **argv);
int guard_main(int argc, char **argv);
int metrics_main(int argc, char **argv);
int ping_main(int argc, char **argv);
int run_main(int argc, char **argv);
int status_main(int argc, char **argv);
int top_main(int argc, char **argv);
int watch_main(int argc, char **argv);

/* fail.c */

/* "sefctl NAME: ..." to stderr, and the end. */
noreturn void fail(const char *format, ...) __printf(1, 2);
/* The same, and what errno says. */
noreturn void fail_errno(const char *format, ...) __printf(1, 2);
/* The same of a call of /dev/sef, and what to do about it. */
noreturn void fail_sef(const char *format, ...) __printf(1, 2);
/* All that was printed has gone out, or fail(). */
void flush_or_fail(void);

/* Who fails, and with which status. */
extern const struct command *command;
/* To put the terminal right; or NULL. */
extern void (*before_fail)(void);

/* options.c */

/*
 * Parses options, by argp. @flags are those of argp_parse(). The index of the first
 * argument that the parser has not taken: argc if there is none, and where @argp has
 * no args_doc there must be none. With ARGP_IN_ORDER it is the first that is no
 * option; without it those that are none have come to the end of @argv.
 */
int parse_options(const struct argp *argp, int argc, char **argv, unsigned int flags,
		  void *input);

/*
 * The options that make up a struct sef_watch_args, for a struct argp_child. Its
 * input is one, which has the defaults; see sef_watch_init().
 */
extern const struct argp watch_argp;

/* "2s", "100ms", "1min30s", "0.5" (seconds). @what is the option, for fail(). */
uint64_t parse_duration(const char *what, const char *arg);
/* One that the kernel takes: SEF_TIME_MIN_NS to SEF_TIME_MAX_NS. */
uint64_t parse_time(const char *what, const char *arg);
/* The same; 0 for "none". */
uint64_t parse_time_or_none(const char *what, const char *arg);
uint64_t parse_number(const char *what, const char *arg, uint64_t max);
/* The causes of a mask as --excuse takes them. */
void print_excuses(FILE *out, uint32_t mask);
/* "TERM", "SIGTERM" or "15"; 0 for "none". */
int parse_signal(const char *what, const char *arg);

/* device.c */

/* /dev/sef, or fail(). @flags: 0 or O_NONBLOCK. */
int open_sef(int flags);

/*
 * The services that @arg names, those of them that have ended left out if one has
 * not. "id:N", "pid:N" and "name:X" are exact. Otherwise a number is a pid if a
 * service has it, and all else a name, as it is or as escape() shows it. None is
 * fail().
 *
 * How many; *found is the caller's to free().
 */
size_t find_services(int fd, const char *arg, struct sef_status_args **found);
/* The one service that @arg names; more than one is fail(). */
void find_service(int fd, const char *arg, struct sef_status_args *status);
/* The same, but false if there is none. */
bool look_for_service(int fd, const char *arg, struct sef_status_args *status);
/* Every service that the caller may see. */
size_t all_services(int fd, struct sef_status_args **found);

/* sef_watch(), or fail(). @status is of the service; false if it has just ended. */
bool watch_service(int fd, struct sef_watch_args *watch, const struct sef_status_args *status);

/* wait.c */

/* From now on SIGINT, SIGTERM and SIGHUP end what waits below, and nothing else. */
void catch_signals(void);

enum woken {
	WOKEN_BY_TIME,
	WOKEN_BY_EVENT,	/* @fd is readable */
	WOKEN_BY_SIGNAL,
};

/* @until is on CLOCK_MONOTONIC, UINT64_MAX for ever; a @fd of -1 is never readable. */
enum woken wait_for(int fd, uint64_t until_ns);
uint64_t now_ns(void);

/* text.c */

/*
 * A name is another process's: whatever does not print as a character of its own, a
 * space and a backslash become "\xNN", byte by byte.
 */
#define SHOWN_SIZE	(4 * SEF_NAME_SIZE)
const char *escape(char shown[SHOWN_SIZE], const char *name);
/* Text of any length; of what prints only @also is escaped. */
void print_safely(FILE *out, const char *text, const char *also);
/* The columns of a terminal that an escaped text takes. */
int columns(const char *shown);
/* Cut off what does not fit into so many. */
void clip(char *shown, int width);

/* "45.2us", "1.23ms", "2s", "1min30s"; 0 is "0s". */
#define DURATION_SIZE	24
const char *duration(char shown[DURATION_SIZE], uint64_t ns);

/* "SIGTERM". */
#define SIGNAL_SIZE	24
const char *signal_name(char shown[SIGNAL_SIZE], int sig);

/* "exited with status 1", "killed by SIGKILL". */
#define ENDING_SIZE	64
const char *ending(char shown[ENDING_SIZE], int wait_status);

/* evidence.c */

/* Lines that are indented, below one that tells of the miss. */
void print_evidence(const struct sef_why_args *why);
struct json_object *json_evidence(const struct sef_why_args *why);

/* json.c */

/* In JSON a name keeps its characters; bytes that are not UTF-8 become U+FFFD. */
struct json_object *json_name(const char *name);

/* A field of a struct: JSON has it by the same name, and what it means in words. */
enum json_kind {
	JSON_U64,	/* UINT64_MAX, for none, is null */
	JSON_U32, JSON_S32, JSON_NAME, JSON_STATE, JSON_WHY, JSON_REPLY,
};

struct json_field {
	const char *name;
	size_t offset;
	enum json_kind kind;
};

/* @fields end with one that has no name. */
void json_add_fields(struct json_object *object, const struct json_field *fields,
		     const void *from);

/* One line, at once; @object is freed. */
void print_json(struct json_object *object);

#endif /* SEFCTL_H */
