// SPDX-License-Identifier: GPL-2.0
/*
 * What a service takes of the machine's memory, all of it: by how much the number of
 * free pages falls. Whoever makes things here has touched its own memory before.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS	3
#define FEW	100	/* of what takes whole processes */

/* Also those that a CPU keeps for itself are free. */
static double free_bytes(void)
{
	unsigned long pages, sum = 0;
	char line[256];
	FILE *f;

	write_to("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/zoneinfo", "re");
	if (!f)
		err(1, "cannot read /proc/zoneinfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " pages free %lu", &pages) == 1 ||
		    sscanf(line, " count: %lu", &pages) == 1)
			sum += pages;
	fclose(f);
	return sum * (double)sysconf(_SC_PAGESIZE);
}

static struct {
	int fds[4];
	struct sef_page *page;
} things[MAX_N];

static int sup;

static void make_null(int i)
{
	things[i].fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void make_eventfd(int i)
{
	things[i].fds[0] = eventfd(0, EFD_CLOEXEC);
}

static void make_pipe(int i)
{
	if (pipe(things[i].fds) || write(things[i].fds[1], "", 1) != 1)
		err(1, "pipe");
}

static void make_datagrams(int i)
{
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, things[i].fds))
		err(1, "socketpair");
}

static void make_service(int i)
{
	things[i].fds[0] = open_sef(0);
	register_service(things[i].fds[0], -1);
}

static void make_watched(int i)
{
	things[i].fds[0] = open_sef(0);
	watch(sup, register_service(things[i].fds[0], -1), HOUR, HOUR, 0);
}

static void make_with_page(int i)
{
	make_watched(i);
	things[i].page = map_page(things[i].fds[0]);
}

static void drop(int i)
{
	unsigned int k;

	if (things[i].page)
		munmap(things[i].page, sysconf(_SC_PAGESIZE));
	for (k = 0; k < ARRAY_SIZE(things[i].fds); k++)
		if (things[i].fds[k])
			close(things[i].fds[k]);
	memset(&things[i], 0, sizeof(things[i]));
}

static const struct thing {
	const char *name;
	void (*make)(int i);
} kinds[] = {
	{ "open file (/dev/null)", make_null },
	{ "eventfd", make_eventfd },
	{ "pipe, one byte in it", make_pipe },
	{ "datagram socketpair", make_datagrams },
	{ "sef: a service", make_service },
	{ "sef: a service, watched", make_watched },
	{ "sef: a service, watched, page mapped", make_with_page },
};

static void measure(const struct thing *kind)
{
	double results[ROUNDS], before;
	int r, i;

	for (r = 0; r < ROUNDS; r++) {
		sup = open_sef(0);
		before = free_bytes();
		for (i = 0; i < MAX_N; i++)
			kind->make(i);
		results[r] = (before - free_bytes()) / MAX_N;
		for (i = 0; i < MAX_N; i++)
			drop(i);
		close(sup);
		sleep_ns(SEC / 2);	/* until RCU has freed them */
	}
	report("memory", kind->name, MAX_N, "bytes", results, ROUNDS);
}

/* PID 1's own */
static double init_bytes(void)
{
	unsigned long kb = 0;
	char line[256];
	FILE *f = fopen("/proc/1/status", "re");

	if (!f)
		err(1, "cannot read /proc/1/status");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %lu kB", &kb) == 1)
			break;
	fclose(f);
	return kb * 1024.0;
}

static void measure_method(const char *method, const char *name, int n,
			   double (*bytes)(void), int sign, int rounds)
{
	double results[ROUNDS], before;
	unsigned int i = 0;
	pid_t pid;
	int r;

	while (strcmp(methods[i].name, method))
		i++;
	if (!method_works(&methods[i]))
		return;
	for (r = 0; r < rounds; r++) {
		before = bytes();
		pid = method_start(&methods[i], n);
		sleep_ns(SEC);
		results[r] = sign * (bytes() - before) / n;
		method_end(&methods[i], pid);
		sleep_ns(SEC);
	}
	report("memory", name, n, "bytes", results, rounds);
}

void bench_memory(void)
{
	unsigned int i;
	int fd = dup2(0, 55000);	/* the table of descriptors, too */

	memset(things, 1, sizeof(things));
	memset(things, 0, sizeof(things));
	close(fd);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		measure(&kinds[i]);
	measure_method("asleep", "a forked process that sleeps", FEW, free_bytes,
		       -1, ROUNDS);
	measure_method("libsam", "libsam: such a process, and its supervisor", FEW,
		       free_bytes, -1, ROUNDS);
	/* Once: what it has freed, it keeps. */
	measure_method("systemd", "systemd: PID 1's own, a unit", FEW, init_bytes, 1, 1);
}
