// SPDX-License-Identifier: GPL-2.0
/*
 * Is a healthy service ever blamed?
 *
 * A thousand services that answer every ping live through what befalls machines,
 * one phase a misfortune. The supervisor tolerates no miss and has the kernel kill
 * on the first: any verdict unresponsive, and any death, is false.
 *
 * verdicts [PHASE...]: these phases, in this order; without one, all of them.
 *
 * Lines that begin with "host:" ask whoever runs the VM to let it stand still.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/rtc.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>

#include "trial.h"

#define SERVICES	1000
#define TRACED		20
#define PERIOD		(100 * MSEC)
#define TIMEOUT		(300 * MSEC)
#define KILL		(10 * MSEC)
#define SETTLE		(20 * SEC)
#define HOST_PATIENCE	(60 * SEC)
#define STOOD_STILL	(3 * SEC)	/* of the 5 s asked for */
#define CGROUP		"/sys/fs/cgroup/trial"
#define CPU_STALLED	(200 * MSEC)
#define CPU_STALLS	12		/* as many as asked for */
#define OOMS		3
#define OOM_PATIENCE	(600 * SEC)
#define CHUNK		(4UL << 20)
#define NR_WHY		(SEF_WHY_EXITING + 1)

static const char *const causes[NR_WHY] = {
	"unknown", "null reply policy", "stopped", "traced", "frozen",
	"starved", "machine stalled", "spun in user mode", "spun in the kernel",
	"blocked", "asleep", "exiting",
};

static struct service {
	pid_t pid;
	__u64 id;
	bool dead;
	enum sef_state state;
	__u64 pings, credit_ns;	/* at the end of the last phase */
} services[SERVICES];

struct counts {
	unsigned int unresponsive, deaths, late[NR_WHY];
	__u64 pings, credit_ns;
};

static struct counts count, total;
static const char *phase_name;
static int sef;
static int ready;		/* an eventfd: services that have registered */
static __s64 longest_gap;	/* between two turns of our own loop */
static __s64 last_turn;

/* An ordinary event loop with one more descriptor in it. */
static void healthy_service(__u64 *id)
{
	struct sef_register_args reg = { .name = "healthy" };
	struct epoll_event event = { .events = EPOLLIN };
	struct sef_pong_args alive = { .seq = 0 };
	int file = open_sef(), epoll = epoll_create1(EPOLL_CLOEXEC);
	eventfd_t pings;

	reg.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ioctl(file, SEF_IOC_REGISTER, &reg))
		err(1, "cannot register");
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, reg.eventfd, &event))
		err(1, "cannot epoll");
	*id = reg.id;
	eventfd_write(ready, 1);
	for (;;) {
		/* A debugger or a freezer interrupts it: EINTR. */
		if (epoll_wait(epoll, &event, 1, -1) < 0 && errno != EINTR)
			err(1, "cannot wait");
		if (!eventfd_read(reg.eventfd, &pings) &&
		    ioctl(file, SEF_IOC_PONG, &alive))
			err(1, "cannot pong");
	}
}

static void start_services(void)
{
	__u64 *ids = mmap(NULL, SERVICES * sizeof(*ids), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	eventfd_t one;
	int i;

	ready = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	if (ids == MAP_FAILED || ready < 0)
		err(1, "cannot start the services");
	for (i = 0; i < SERVICES; i++) {
		services[i].pid = new_child();
		if (!services[i].pid)
			healthy_service(&ids[i]);
	}
	for (i = 0; i < SERVICES; i++)
		if (eventfd_read(ready, &one))
			err(1, "cannot wait for the services");
	for (i = 0; i < SERVICES; i++)
		services[i].id = ids[i];
	munmap(ids, SERVICES * sizeof(*ids));
}

/*
 * And see them dead: else their deaths, a thousand, are told to the VM's first
 * process while it writes down how we ended.
 */
static void stop_services(void)
{
	int i;

	for (i = 0; i < SERVICES; i++)
		kill(services[i].pid, SIGKILL);
	for (i = 0; i < SERVICES; i++)
		kill_and_reap(services[i].pid);
}

static void watch_services(void)
{
	struct sef_watch_args watch = {
		.period_ns = PERIOD,
		.timeout_ns = TIMEOUT,
		.kill_ns = KILL,
		.excuse = SEF_EXCUSE_DEFAULT,
	};
	int i;

	sef = open_sef();
	for (i = 0; i < SERVICES; i++) {
		watch.id = services[i].id;
		watch.cookie = i;
		if (ioctl(sef, SEF_IOC_WATCH, &watch))
			err(1, "cannot watch service %d of %d", i + 1, SERVICES);
		usleep(PERIOD / SERVICES / 1000);	/* not all in step */
	}
}

static const char *cause(unsigned int why)
{
	return why < NR_WHY ? causes[why] : "?";
}

/* One line of a file of the service's in /proc, while there is one. */
static void tell_proc(const struct service *service, const char *file)
{
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", service->pid, file);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(line, sizeof(line), f))
		printf("    %s: %s", path, line);
	fclose(f);
}

/* What the kernel saw of the service at the last miss. */
static void tell_why(const struct service *service)
{
	struct sef_why_args why = { .id = service->id };
	char *line;

	if (ioctl(sef, SEF_IOC_WHY, &why))
		err(1, "cannot get why pid %d did not answer", service->pid);
	printf("    why: %s, ping %llu, looked at %.1f ms ago, known 0x%x\n",
	       cause(why.why), (unsigned long long)why.seq, why.age_ns / 1e6,
	       why.known);
	printf("    in %.1f ms: %.3f ms in user mode, %.3f in the kernel, %.3f runnable\n",
	       why.window_ns / 1e6, why.user_ns / 1e6, why.kernel_ns / 1e6,
	       why.waited_ns / 1e6);
	printf("    in that time: %llu switches of its own will, %llu others\n",
	       (unsigned long long)why.voluntary,
	       (unsigned long long)why.involuntary);
	printf("    at its end: tid %d, state %c, system call %d\n", why.tid,
	       why.state ? (int)why.state : '-', why.syscall);
	for (line = strtok(why.stack, "\n"); line; line = strtok(NULL, "\n"))
		printf("      %s\n", line);
}

/* What there is to explain a false verdict with. */
static void tell_false(const struct service *service,
		       const struct sef_event *event)
{
	struct sef_status_args status = { .id = service->id };

	printf("    event: %.1f ms ago, seq %llu, misses %u, passed 0x%x, silent for %.1f ms\n",
	       event->age_ns / 1e6, (unsigned long long)event->seq,
	       event->misses, event->passed, event->silent_ns / 1e6);
	if (ioctl(sef, SEF_IOC_STATUS, &status))
		err(1, "cannot get the status of pid %d", service->pid);
	printf("    status: state %u, ping %llu, pong %llu, misses %u, excused %u, why: %s\n",
	       status.state, (unsigned long long)status.ping_seq,
	       (unsigned long long)status.pong_seq, status.misses,
	       status.excused, cause(status.why));
	printf("    status: silent %.1f ms, credit %.1f ms (%.1f before this phase), rtt %.3f ms\n",
	       status.silent_ns / 1e6, status.credit_ns / 1e6,
	       service->credit_ns / 1e6, status.rtt_ns / 1e6);
	tell_why(service);
	tell_proc(service, "stat");
	tell_proc(service, "schedstat");
	tell_proc(service, "syscall");
	printf("    our own loop: last turn %.1f ms ago, %.1f ms at most in this phase\n",
	       (now_ns() - last_turn) / 1e6, longest_gap / 1e6);
}

static void take_event(const struct sef_event *event)
{
	struct service *service = &services[event->cookie];
	enum sef_state was = service->state;

	service->state = event->state;
	if (event->passed & 1U << SEF_STATE_LATE && event->why < NR_WHY)
		count.late[event->why]++;
	/* A step of the escalation is an event too, and no new verdict. */
	if (event->passed & 1U << SEF_STATE_UNRESPONSIVE &&
	    (was != SEF_STATE_UNRESPONSIVE ||
	     event->passed & 1U << SEF_STATE_ALIVE)) {
		count.unresponsive++;
		printf("  FALSE: pid %d unresponsive, why: %s (%s)\n",
		       service->pid, cause(event->why), phase_name);
		tell_false(service, event);
	}
	if (event->state >= SEF_STATE_DEAD && !service->dead) {
		service->dead = true;
		count.deaths++;
		printf("  FALSE: pid %d dead, wait status 0x%x (%s)\n",
		       service->pid, event->wait_status, phase_name);
	}
}

/* Read what there is, waiting for it for a moment. */
static void turn(void)
{
	struct pollfd pollfd = { .fd = sef, .events = POLLIN };
	struct sef_event events[64];
	ssize_t n, i;
	__s64 now;

	poll(&pollfd, 1, 20);
	n = read(sef, events, sizeof(events));
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		err(1, "cannot read events");
	for (i = 0; i < n / (ssize_t)sizeof(events[0]); i++)
		take_event(&events[i]);
	now = now_ns();
	if (last_turn && now - last_turn > longest_gap)
		longest_gap = now - last_turn;
	last_turn = now;
}

static void supervise(__s64 ns)
{
	__s64 end = now_ns() + ns;

	while (now_ns() < end)
		turn();
}

static bool all_alive(void)
{
	int i;

	for (i = 0; i < SERVICES; i++)
		if (!services[i].dead && services[i].state != SEF_STATE_ALIVE)
			return false;
	return true;
}

/* Every service that lives has to come back to alive by itself. */
static void settle(void)
{
	__s64 end = now_ns() + SETTLE;

	do {
		supervise(SEC);
		if (now_ns() > end)
			errx(1, "services are still late %lld s after '%s'",
			     SETTLE / SEC, phase_name);
	} while (!all_alive());
}

static void take_statuses(void)
{
	struct service *service;
	int i;

	for (i = 0; i < SERVICES; i++) {
		struct sef_status_args status = { .id = services[i].id };

		service = &services[i];
		if (ioctl(sef, SEF_IOC_STATUS, &status))
			err(1, "cannot get the status of a service");
		count.pings += status.ping_seq - service->pings;
		count.credit_ns += status.credit_ns - service->credit_ns;
		service->pings = status.ping_seq;
		service->credit_ns = status.credit_ns;
	}
}

static void report(void)
{
	unsigned int why, late = 0;

	for (why = 0; why < NR_WHY; why++)
		late += count.late[why];
	printf("%-14s %8llu %13u %7u %7u %10.1f ", phase_name,
	       (unsigned long long)count.pings, count.unresponsive,
	       count.deaths, late, count.credit_ns / 1e9);
	for (why = 0; why < NR_WHY; why++)
		if (count.late[why])
			printf(" %s %u", causes[why], count.late[why]);
	printf("\njson {\"phase\":\"%s\",\"pings\":%llu,\"unresponsive\":%u,"
	       "\"deaths\":%u,\"late\":{", phase_name,
	       (unsigned long long)count.pings, count.unresponsive, count.deaths);
	for (why = 0; why < NR_WHY; why++)
		printf("%s\"%s\":%u", why ? "," : "", causes[why],
		       count.late[why]);
	printf("},\"credit_ms\":%.1f}\n", count.credit_ns / 1e6);
	fflush(stdout);
}

static void quiet(void)
{
	supervise(6 * SEC);
}

static void cpu_overload(void)
{
	start_hogs();
	supervise(10 * SEC);
	stop_hogs();
}

/* All the memory there is, until the kernel kills us for it. */
static void memory_hog(void)
{
	char *chunk;

	write_to("/proc/self/oom_score_adj", "1000");
	for (;;) {
		chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (chunk == MAP_FAILED)
			err(1, "cannot map memory");
		memset(chunk, 1, CHUNK);
	}
}

static void memory_pressure(void)
{
	__s64 end = now_ns() + OOM_PATIENCE;
	int ooms = 0;
	pid_t hog = 0;
	int status;

	write_to("/proc/sys/vm/oom_dump_tasks", "0");
	while (ooms < OOMS) {
		if (now_ns() > end)
			errx(1, "the VM does not run out of memory (give it less: VM_MEM=1024)");
		if (!hog) {
			hog = new_child();
			if (!hog)
				memory_hog();
		}
		turn();
		if (waitpid(hog, &status, WNOHANG) != hog)
			continue;
		if (!WIFSIGNALED(status))
			errx(1, "the memory hog failed");
		hog = 0;
		printf("  out of memory, %d of %d times\n", ++ooms, OOMS);
		fflush(stdout);
	}
}

static bool is_frozen(void)
{
	char events[64] = "";
	int fd = open(CGROUP "/cgroup.events", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, events, sizeof(events) - 1) < 0)
		err(1, "cannot read " CGROUP "/cgroup.events");
	close(fd);
	return strstr(events, "frozen 1");
}

static void freezer(void)
{
	char pid[16];
	int i;

	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		err(1, "cannot make the cgroup " CGROUP);
	for (i = 0; i < SERVICES; i += 2) {
		snprintf(pid, sizeof(pid), "%d", services[i].pid);
		if (!services[i].dead)
			write_to(CGROUP "/cgroup.procs", pid);
	}
	write_to(CGROUP "/cgroup.freeze", "1");
	while (!is_frozen())
		turn();
	supervise(3 * SEC);
	write_to(CGROUP "/cgroup.freeze", "0");
}

static void debugger(void)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < TRACED; i++) {
		pid = services[i].pid;
		if (services[i].dead)
			continue;
		if (ptrace(PTRACE_SEIZE, pid, 0, 0) ||
		    ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
		    waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			err(1, "cannot hold pid %d as a debugger does", pid);
	}
	supervise(3 * SEC);
	for (i = 0; i < TRACED; i++)
		if (!services[i].dead &&
		    ptrace(PTRACE_DETACH, services[i].pid, 0, 0))
			err(1, "cannot let go of pid %d", services[i].pid);
}

static __s64 rtc_ns(void)
{
	int fd = open("/dev/rtc0", O_RDONLY | O_CLOEXEC);
	struct rtc_time rtc;
	struct tm tm = { 0 };

	if (fd < 0 || ioctl(fd, RTC_RD_TIME, &rtc))
		err(1, "cannot read the clock of the machine, /dev/rtc0");
	close(fd);
	tm.tm_year = rtc.tm_year;
	tm.tm_mon = rtc.tm_mon;
	tm.tm_mday = rtc.tm_mday;
	tm.tm_hour = rtc.tm_hour;
	tm.tm_min = rtc.tm_min;
	tm.tm_sec = rtc.tm_sec;
	return timegm(&tm) * SEC;
}

static void host(const char *what)
{
	printf("host: %s\n", what);
	fflush(stdout);
}

/*
 * Have the host do @what for 5 s. Our clock stands still meanwhile, and only the
 * machine's own goes on; or it goes on, and we miss a piece of it.
 */
static void stand_still(const char *what)
{
	__s64 rtc = rtc_ns(), start = now_ns();

	longest_gap = 0;
	host(what);
	do {
		supervise(SEC / 2);
		if (now_ns() - start > HOST_PATIENCE)
			errx(1, "the host did not %s (run it with trial/run)",
			     what);
	} while (longest_gap < STOOD_STILL &&
		 rtc_ns() - rtc - (now_ns() - start) < STOOD_STILL);
	printf("  the VM stood still; its own clock jumped by %.1f s\n",
	       longest_gap / 1e9);
}

static void vm_stopped(void)
{
	stand_still("stop the VM");
}

static void vm_stalled(void)
{
	stand_still("stall the VM");
}

/* On CPU 1: count the times when it did not run for long. */
static void watch_cpu(unsigned int *stalls)
{
	__s64 last = now_ns(), now;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(1, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		err(1, "cannot run on CPU 1 (give the VM two: VM_SMP=2)");
	for (;; last = now) {
		usleep(10000);
		now = now_ns();
		if (now - last > CPU_STALLED)
			++*(volatile unsigned int *)stalls;
	}
}

/* The host runs all CPUs but one. */
static void cpu_stalled(void)
{
	unsigned int *stalls = mmap(NULL, sizeof(*stalls), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__s64 end = now_ns() + HOST_PATIENCE;
	pid_t watcher;

	if (stalls == MAP_FAILED)
		err(1, "cannot map memory");
	watcher = new_child();
	if (!watcher)
		watch_cpu(stalls);
	host("stall CPU 1");
	while (*(volatile unsigned int *)stalls < CPU_STALLS) {
		supervise(SEC / 2);
		if (now_ns() > end)
			errx(1, "the host did not stall CPU 1 (run it with trial/run)");
	}
	kill_and_reap(watcher);
	munmap(stalls, sizeof(*stalls));
}

static const struct phase {
	const char *name;
	void (*misfortune)(void);
} phases[] = {
	{ "quiet", quiet },
	{ "overloaded", cpu_overload },
	{ "out-of-memory", memory_pressure },
	{ "half-frozen", freezer },
	{ "debugged", debugger },
	{ "vm-stopped", vm_stopped },
	{ "vm-stalled", vm_stalled },
	{ "cpu-stalled", cpu_stalled },
};

#define NR_PHASES	(sizeof(phases) / sizeof(phases[0]))

static void live_through(const struct phase *phase)
{
	phase_name = phase->name;
	memset(&count, 0, sizeof(count));
	longest_gap = 0;
	phase->misfortune();
	settle();
	take_statuses();
	report();
	total.pings += count.pings;
	total.unresponsive += count.unresponsive;
	total.deaths += count.deaths;
}

static const struct phase *phase_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_PHASES; i++)
		if (!strcmp(phases[i].name, name))
			return &phases[i];
	fprintf(stderr, "no phase '%s'; there are:", name);
	for (i = 0; i < NR_PHASES; i++)
		fprintf(stderr, " %s", phases[i].name);
	fprintf(stderr, "\n");
	exit(1);
}

int main(int argc, char **argv)
{
	unsigned int wrong;
	int i;

	for (i = 1; i < argc; i++)
		phase_of(argv[i]);
	printf("false verdicts: %d healthy services, period %lld ms, timeout %lld ms\n",
	       SERVICES, PERIOD / MSEC, TIMEOUT / MSEC);
	start_services();
	watch_services();
	printf("%-14s %8s %13s %7s %7s %10s  causes\n", "phase", "pings",
	       "unresponsive", "deaths", "late", "credit s");
	for (i = 1; i < argc; i++)
		live_through(phase_of(argv[i]));
	for (i = 0; argc < 2 && i < (int)NR_PHASES; i++)
		live_through(&phases[i]);
	stop_services();

	/* A death is the consequence of a verdict, or false by itself. */
	wrong = total.deaths > total.unresponsive ? total.deaths :
						    total.unresponsive;
	printf("false verdicts: %u of %llu\n", wrong,
	       (unsigned long long)total.pings);
	return wrong ? 1 : 0;
}
