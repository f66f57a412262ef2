/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the benchmark share. bench.c tells how they go together. */
#ifndef _BENCH_H
#define _BENCH_H

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <linux/sef.h>

#define MSEC		1000000ULL
#define SEC		(1000 * MSEC)
#define HOUR		(3600 * SEC)
#define REPEATS		9
#define MAX_N		10000
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* bench.c */
unsigned long long now_ns(void);
void sleep_ns(unsigned long long ns);
void write_to(const char *path, const char *text);
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report(const char *subject, const char *name, int n, const char *unit,
	    double *results, int count);

int open_sef(int flags);
__u64 register_service(int fd, int eventfd);
void watch(int fd, __u64 id, __u64 period, __u64 timeout, __u64 slack);
struct sef_page *map_page(int fd);
void pong(int fd);

pid_t start(void (*run)(int n), int n);
void say_up(void);
void end(pid_t pid);
void start_hogs(int n, pid_t *hogs);
void set_policy(int policy);

/* methods.c: ways to supervise n services, each once a period */
struct method {
	const char *name;
	void (*run)(int n);	/* in a process of its own; never returns */
	void (*stop)(void);	/* what the end of that process does not */
	int max_n;
	int dense_n;		/* the most that fit into one CPU at 10 a second */
};

extern const struct method methods[];
extern const unsigned int nr_methods;

bool method_works(const struct method *method);
pid_t method_start(const struct method *method, int n);
void method_end(const struct method *method, pid_t pid);
unsigned long long method_period(const struct method *method, int n);
void systemd_service(void);

/* libsam.c: corosync's */
void libsam_begin(void);
void libsam_beat(void);
void libsam_hold(void);
void libsam_drain(void);

/* the parts */
void bench_getppid(void);
void bench_calls(void);
void bench_heartbeats(void);
void bench_trips(void);
void bench_deadlines(void);
void bench_at_once(void);
void bench_memory(void);
void bench_periods(void);
void bench_interrupts(void);

#endif /* _BENCH_H */
