// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz run SECONDS CORPUS: run programs made of those in the file CORPUS, and keep what
 * comes through code of the module that none before it did.
 * fuzz replay FILE: run its programs, in their order, time and again.
 *
 * KCOV tells where a program has been: which instrumented places of sef.ko it came
 * through, and from which to which. That is of the tasks that make calls only: what the
 * module does in an interrupt, as at a deadline, and in a task that ends, is watched by
 * KASAN as well but leads to nothing. What a program does beside timers, and beside the
 * other fuzzer, is also not the same each time; so what is kept may be there by luck.
 *
 * A new program of the corpus is printed at once, its lines behind "@ ". Each program is
 * in memory as text before it runs, and stays there for some more: fuzz/run looks for it
 * in the memory of a VM that is no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define FUZZERS		2		/* as many as the VM has CPUs: root, and a user */
#define PLACES		(1U << 18)	/* bytes of the module's code, at most */
#define STEPS		(1U << 16)	/* from place to place, as a hash */
#define CORPUS		2000
#define RECENT		16		/* programs of each */
#define TURNS		20		/* of a replay */
#define PROGRESS_S	10

static struct shared {
	char recent[FUZZERS][RECENT][4096];
	unsigned char places[PLACES], steps[STEPS];
	struct program corpus[CORPUS];
	struct news {
		unsigned int n;
		uint32_t steps[4096];	/* that no program had before */
		bool had[STEPS];
	} news[FUZZERS], again[FUZZERS];
	atomic_uint nr_corpus, nr_programs, nr_cut_off;
	atomic_bool over, complained;
	atomic_flag lock;
} *all;

static uint64_t code;	/* where the module's begins */
static int kmsg;

void die(const char *what)
{
	fprintf(stderr, "fuzz: %s: %m\n", what);
	exit(1);
}

static uint64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void lock(void)
{
	while (atomic_flag_test_and_set(&all->lock))
		sched_yield();
}

static void unlock(void)
{
	atomic_flag_clear(&all->lock);
}

/* Each line has the program's number and its own: they may be found one by one. */
static void note(unsigned int fuzzer, unsigned int nr, const struct program *program)
{
	static unsigned int next;
	char text[TEXT], *to = all->recent[fuzzer][next++ % RECENT], *line, *rest;
	unsigned int i = 0;

	memset(to, 0, sizeof(all->recent[0][0]));
	program_print(program, text);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		to += sprintf(to, "@@%08u%02u %s\n", nr, i++, line);
}

/* What a report of the kernel begins with; vm/run knows all of them. */
static const char *const complaints[] = {
	"BUG", "WARNING: ", "INFO: ", "UBSAN", "Oops", "general protection",
};

static void hear(const char *record)
{
	const char *text = strchr(record, ';') ?: record;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(complaints); i++)
		if (strstr(text, complaints[i]) && !atomic_exchange(&all->complained, true))
			fprintf(stderr, "fuzz: the kernel says: %s", text + 1);
}

static void listen_to_kernel(void)
{
	char record[8192];
	ssize_t len;

	while ((len = read(kmsg, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		record[len > 0 ? len : 0] = '\0';
		hear(record);
	}
}

static bool over(void)
{
	return all->over || all->complained;
}

typedef void (*step_fn)(uint32_t place, uint32_t step, void *arg);

/* Calls @fn of each step of a trace. */
static void each_step(const struct sandbox *box, step_fn fn, void *arg)
{
	const uint64_t *trace;
	uint64_t at, last, i;
	unsigned int actor;

	for (actor = 0; actor < ACTORS; actor++) {
		trace = box->trace[actor];
		for (i = 1, last = 0; i <= trace[0] && i < TRACE; i++, last = at) {
			at = trace[i] - code;
			if (at < PLACES)
				fn(at, (at ^ last * 0x9e3779b1) % STEPS, arg);
		}
	}
}

static void look(uint32_t place, uint32_t step, void *arg)
{
	struct news *news = arg;

	all->places[place] = 1;
	if (news->had[step])
		return;
	news->had[step] = true;
	if (!all->steps[step] && news->n < ARRAY_SIZE(news->steps))
		news->steps[news->n++] = step;
}

static void run(unsigned int fuzzer, struct sandbox *box, const struct program *program,
		struct news *found)
{
	note(fuzzer, atomic_fetch_add(&all->nr_programs, 1), program);
	if (!sandbox_run(box, program))
		atomic_fetch_add(&all->nr_cut_off, 1);
	memset(found, 0, sizeof(*found));
	each_step(box, look, found);
	listen_to_kernel();
}

static bool has_all(const struct news *wanted, const struct news *found)
{
	unsigned int i;

	for (i = 0; i < wanted->n; i++)
		if (!found->had[wanted->steps[i]])
			return false;
	return true;
}

/* Without each call that it is as new without. */
static void minimise(unsigned int fuzzer, struct sandbox *box, struct program *program)
{
	struct program less;
	unsigned int i;

	for (i = program->len; i-- && program->len > 1 && !over();) {
		less = *program;
		program_remove(&less, i);
		run(fuzzer, box, &less, &all->again[fuzzer]);
		if (has_all(&all->news[fuzzer], &all->again[fuzzer]))
			*program = less;
	}
}

static void print_kept(const struct program *program)
{
	char text[TEXT], out[2 * TEXT], *line, *rest;
	size_t len = 0;

	program_print(program, text);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		len += sprintf(out + len, "@ %s\n", line);
	len += sprintf(out + len, "@\n");
	/* At once: two may print. */
	if (write(STDOUT_FILENO, out, len) < 0)
		die("standard output");
}

static void keep(const struct program *program, const struct news *news)
{
	unsigned int i, added = 0;

	lock();
	for (i = 0; i < news->n; i++) {
		added += !all->steps[news->steps[i]];
		all->steps[news->steps[i]] = 1;
	}
	if (added && all->nr_corpus < CORPUS) {
		/* Whoever takes one asks for no lock: it is whole before it is counted. */
		all->corpus[all->nr_corpus] = *program;
		all->nr_corpus++;
	} else {
		added = 0;
	}
	unlock();
	if (added)
		print_kept(program);
}

static void try_program(unsigned int fuzzer, struct sandbox *box, struct program *program)
{
	struct news *news = &all->news[fuzzer];

	run(fuzzer, box, program, news);
	if (!news->n)
		return;
	minimise(fuzzer, box, program);
	keep(program, news);
}

static const struct program *any_kept(void)
{
	static const struct program none = { .len = 1 };

	return all->nr_corpus ? &all->corpus[chance() % all->nr_corpus] : &none;
}

static void fuzz(unsigned int fuzzer, const char *text)
{
	struct program program;
	struct sandbox box;

	sandbox_init(&box, fuzzer);
	while (program_parse(&program, &text) && !over())
		if (program.user == box.user)
			try_program(fuzzer, &box, &program);
	if (!over())
		dprintf(STDOUT_FILENO, "# the corpus is known\n");
	while (!over()) {
		program = *any_kept();
		program_mutate(&program, any_kept());
		program.user = box.user;
		try_program(fuzzer, &box, &program);
	}
}

static void replay(unsigned int fuzzer, const char *text)
{
	struct program program;
	struct sandbox box;
	const char *at;
	int turn;

	sandbox_init(&box, fuzzer);
	for (turn = 0; turn < TURNS; turn++)
		for (at = text; program_parse(&program, &at) && !over();)
			if (program.user == box.user)
				run(fuzzer, &box, &program, &all->news[fuzzer]);
}

static void print_progress(unsigned int s)
{
	unsigned int i, places = 0;

	for (i = 0; i < PLACES; i++)
		places += all->places[i];
	printf("%4u s: %u programs, %u a second, %u places of sef.ko, %u kept, %u cut off\n",
	       s, all->nr_programs, all->nr_programs / (s ?: 1), places, all->nr_corpus,
	       all->nr_cut_off);
	fflush(stdout);
}

/* What the VM is to be for this. */
static const struct { const char *path, *text; } settings[] = {
	{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/fail_page_alloc/min-order", "0" },
	{ "/sys/kernel/debug/failslab/verbose", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
	{ "/sys/kernel/debug/fail_usercopy/verbose", "0" },
	/* Tracepoints are code too. */
	{ "/sys/kernel/tracing/events/sef/enable", "1" },
};

static void set_up(void)
{
	unsigned int i;
	FILE *file;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		file = fopen(settings[i].path, "we");
		if (!file || fputs(settings[i].text, file) < 0 || fclose(file))
			die(settings[i].path);
	}
	file = fopen("/sys/module/sef/sections/.text", "re");
	if (!file || fscanf(file, "%llx", (unsigned long long *)&code) != 1 || fclose(file))
		die("/sys/module/sef/sections/.text");
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		die("/dev/kmsg");
	if (chmod("/dev/sef", 0666))
		die("/dev/sef");
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		die("mmap");
}

static char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	text = calloc(1, st.st_size + 1);
	if (!text || read(fd, text, st.st_size) != st.st_size)
		die(path);
	close(fd);
	return text;
}

/* False: one of them failed. */
static bool wait_for_all(uint64_t seconds)
{
	uint64_t begin = now_s(), told = begin;
	bool good = true;
	int left = FUZZERS, status;

	while (left) {
		if (now_s() - begin >= seconds)
			all->over = true;
		if (now_s() - told >= PROGRESS_S) {
			print_progress(now_s() - begin);
			told = now_s();
		}
		if (waitpid(-1, &status, WNOHANG) > 0) {
			good = good && !status;
			all->over = all->over || !good;
			left--;
		}
		usleep(200000);
	}
	print_progress(now_s() - begin);
	return good && !all->complained;
}

int main(int argc, char **argv)
{
	bool replaying = argc == 3 && !strcmp(argv[1], "replay");
	unsigned int i;
	char *text;

	if (argc == 2 && !strcmp(argv[1], "idle"))
		return idle_main();
	if (!replaying && (argc != 4 || strcmp(argv[1], "run"))) {
		fprintf(stderr, "usage: fuzz run SECONDS CORPUS | fuzz replay FILE\n");
		return 2;
	}
	text = read_file(argv[argc - 1]);
	set_up();
	/* A sandbox that is no more is made anew. */
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < FUZZERS; i++) {
		if (fork())
			continue;
		chance_init(time(NULL) * FUZZERS + i);
		stay_on(i);
		(replaying ? replay : fuzz)(i, text);
		return 0;
	}
	if (!wait_for_all(replaying ? UINT64_MAX : strtoull(argv[2], NULL, 10)))
		return 1;
	if (!all->nr_programs)
		fprintf(stderr, "fuzz: there is no program in '%s'\n", argv[argc - 1]);
	return !all->nr_programs;
}
