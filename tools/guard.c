// SPDX-License-Identifier: GPL-2.0
/*
 * sefctl guard: feeds a hardware watchdog only as long as all that is required is
 * alive. What is alive is the kernel's verdict; when there is none, because the kernel
 * or we stand still, nobody feeds it either.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ask.h"

/* How often it is fed within its timeout. */
#define FEEDS	4

/* A service that is watched; a watch's cookie is its address. */
struct guarded {
	struct guarded *next;
	struct required *required;
	uint64_t id;
	uint32_t state;
};

/* A name that is required, and its services: those that are neither dead nor gone. */
struct required {
	const char *name;
	struct guarded *services;
};

static struct {
	struct sef_watch_args watch;
	struct required *required;
	size_t n;
	uint64_t patience_ns;
	uint64_t timeout_ns;	/* of the device; 0: as it is */
	int64_t uid;		/* -1: anybody's */
	bool no_disarm;
} opt;

static struct {
	const char *path;
	int fd;
	uint64_t timeout_ns;
	bool can_disarm;
} device;

enum { KEY_REQUIRE = 0x200, KEY_PATIENCE, KEY_TIMEOUT, KEY_UID, KEY_NO_DISARM };

static const struct argp_option options[] = {
	{ "require", KEY_REQUIRE, "NAME", 0,
	  "services of that name are to be alive; again for more", 0 },
	{ "patience", KEY_PATIENCE, "TIME", 0, "feed on for TIME after one is not (10s)", 0 },
	{ "device-timeout", KEY_TIMEOUT, "TIME", 0, "reset the machine when not fed for TIME", 0 },
	{ "uid", KEY_UID, "UID", 0, "only services of that user count", 0 },
	{ "no-disarm", KEY_NO_DISARM, NULL, 0, "leave it armed when told to end", 0 },
	{ 0 }
};

static void require_name(const char *name)
{
	if (!*name || strlen(name) >= SEF_NAME_SIZE)
		fail("--require: '%s' is not 1 to %d bytes", name, SEF_NAME_SIZE - 1);
	opt.required = reallocarray(opt.required, opt.n + 1, sizeof(*opt.required));
	if (!opt.required)
		fail_errno("no memory");
	opt.required[opt.n++] = (struct required) { .name = name };
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &opt.watch;
		break;
	case KEY_REQUIRE:
		require_name(arg);
		break;
	case KEY_PATIENCE:
		opt.patience_ns = parse_duration("--patience", arg);
		break;
	case KEY_TIMEOUT:
		opt.timeout_ns = parse_time("--device-timeout", arg);
		break;
	case KEY_UID:
		opt.uid = parse_number("--uid", arg, UINT32_MAX);
		break;
	case KEY_NO_DISARM:
		opt.no_disarm = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_child children[] = {
	{ &watch_argp, 0, "How to watch:", 1 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.args_doc = "DEVICE",
	.doc = "Feed the hardware watchdog DEVICE only while all required services are alive.",
};

static void say(const char *format, ...) __printf(1, 2);

static void say(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) >= 0) {
		fprintf(stderr, "sefctl guard: %s\n", text);
		free(text);
	}
	va_end(args);
}

static struct required *find_required(const struct sef_status_args *status)
{
	size_t i;

	if (opt.uid >= 0 && status->uid != opt.uid)
		return NULL;
	for (i = 0; i < opt.n; i++)
		if (!strcmp(opt.required[i].name, status->name))
			return &opt.required[i];
	return NULL;
}

static void begin_watch(int fd, struct required *required, const struct sef_status_args *status)
{
	struct guarded *service = calloc(1, sizeof(*service));
	struct sef_watch_args watch = opt.watch;
	char shown[SHOWN_SIZE];

	if (!service)
		fail_errno("no memory");
	service->required = required;
	service->id = status->id;
	service->state = SEF_STATE_WAITING;
	watch.cookie = (uintptr_t)service;
	if (!watch_service(fd, &watch, status)) {
		free(service);
		return;
	}
	service->next = required->services;
	required->services = service;
	say("%s (id:%llu, pid %d): guarded", escape(shown, status->name),
	    (unsigned long long)status->id, status->pid);
}

/* All from @id on that are required and not watched yet; a watch's period is not 0. */
static void look_for_services(int fd, uint64_t id)
{
	struct sef_status_args status = { .id = id - 1 };
	struct required *required;
	int more;

	while ((more = sef_next_status(fd, &status)) > 0) {
		required = find_required(&status);
		if (required && !status.period_ns && status.state != SEF_STATE_DEAD &&
		    status.state != SEF_STATE_GONE)
			begin_watch(fd, required, &status);
	}
	if (more < 0)
		fail_sef("cannot list the services");
}

static void end_watch(int fd, struct guarded *service)
{
	struct guarded **link = &service->required->services;

	while (*link != service)
		link = &(*link)->next;
	*link = service->next;
	sef_unwatch(fd, service->id);
	free(service);
}

static void take_event(int fd, const struct sef_event *event)
{
	struct guarded *service = (struct guarded *)(uintptr_t)event->cookie;
	char shown[SHOWN_SIZE], time[DURATION_SIZE], why[CAUSE_SIZE];

	if (event->flags & SEF_EVENT_NEWCOMER) {
		look_for_services(fd, event->id);
		return;
	}
	if (event->state != service->state)
		say("%s (id:%llu, pid %d): %s, silent for %s%s%s",
		    escape(shown, service->required->name), (unsigned long long)event->id,
		    event->pid, sef_state_name(event->state), duration(time, event->silent_ns),
		    event->why ? ": " : "", event->why ? cause(why, event) : "");
	service->state = event->state;
	if (event->state == SEF_STATE_DEAD || event->state == SEF_STATE_GONE)
		end_watch(fd, service);
}

static void take_events(int fd)
{
	struct sef_event event;
	int n;

	/* One at a time: what one does away with is no longer among the next. */
	while ((n = sef_read_events(fd, &event, 1)) > 0)
		take_event(fd, &event);
	if (n < 0)
		fail_sef("cannot read events");
}

/* The first name that is not as it should be, or NULL. */
static const struct required *find_unwell(void)
{
	const struct guarded *service;
	size_t i;

	for (i = 0; i < opt.n; i++) {
		if (!opt.required[i].services)
			return &opt.required[i];
		for (service = opt.required[i].services; service; service = service->next)
			if (service->state == SEF_STATE_UNRESPONSIVE)
				return &opt.required[i];
	}
	return NULL;
}

/* With its magic letter a close disarms it, where the driver lets one. */
static void disarm(void)
{
	if (write(device.fd, "V", 1) != 1)
		fail_errno("%s: cannot disarm it", device.path);
	close(device.fd);
}

static void set_timeout(uint32_t can)
{
	int seconds = (opt.timeout_ns + NS_PER_SEC - 1) / NS_PER_SEC;

	if (opt.timeout_ns && !(can & WDIOF_SETTIMEOUT)) {
		disarm();
		fail("--device-timeout: %s has a timeout that cannot be set", device.path);
	}
	if (opt.timeout_ns && ioctl(device.fd, WDIOC_SETTIMEOUT, &seconds)) {
		disarm();
		fail("--device-timeout: %s does not take %d s", device.path, seconds);
	}
	/* It may have taken another one than asked for. */
	if (ioctl(device.fd, WDIOC_GETTIMEOUT, &seconds) || seconds <= 0) {
		disarm();
		fail("%s does not tell its timeout", device.path);
	}
	device.timeout_ns = seconds * NS_PER_SEC;
}

/* From here on it is armed. */
static void open_device(const char *path)
{
	struct watchdog_info info = { 0 };
	char identity[sizeof(info.identity) + 1] = "", shown[DURATION_SIZE];

	device.path = path;
	device.fd = open(path, O_WRONLY | O_CLOEXEC);
	if (device.fd < 0 && errno == EBUSY)
		fail("%s: somebody else feeds it already", path);
	if (device.fd < 0)
		fail_errno("cannot open %s", path);
	if (ioctl(device.fd, WDIOC_GETSUPPORT, &info)) {
		close(device.fd);
		fail("%s is no watchdog", path);
	}
	if (!(info.options & WDIOF_KEEPALIVEPING)) {
		disarm();
		fail("%s cannot be fed", path);
	}
	set_timeout(info.options);
	device.can_disarm = info.options & WDIOF_MAGICCLOSE;
	memcpy(identity, info.identity, sizeof(info.identity));
	say("%s (%s) is armed: the machine is reset when it is not fed for %s", path, identity,
	    duration(shown, device.timeout_ns));
}

static void feed(void)
{
	if (ioctl(device.fd, WDIOC_KEEPALIVE, 0))
		fail_errno("cannot feed %s: the machine is about to be reset", device.path);
}

/* Whether to feed it on; @since_ns is since when not all is well, 0 if all is. */
static bool may_feed(uint64_t now, uint64_t *since_ns)
{
	static bool fed = true;
	const struct required *unwell = find_unwell();
	char shown[SHOWN_SIZE], time[DURATION_SIZE];
	bool may;

	if (!unwell)
		*since_ns = 0;
	else if (!*since_ns)
		*since_ns = now;
	may = !unwell || now - *since_ns < opt.patience_ns;
	if (fed && !may)
		say("%s is %s: %s is fed no more: the machine is reset within %s",
		    escape(shown, unwell->name), unwell->services ? "unresponsive" : "not there",
		    device.path, duration(time, device.timeout_ns));
	else if (!fed && may)
		say("all is well again: %s is fed", device.path);
	fed = may;
	return may;
}

static void guard(int fd)
{
	uint64_t now, since_ns = 0, fed_ns = 0, until_ns, every_ns = device.timeout_ns / FEEDS;

	do {
		/* What there is to know first: no feed is on old news. */
		take_events(fd);
		now = now_ns();
		until_ns = UINT64_MAX;
		if (may_feed(now, &since_ns)) {
			if (now - fed_ns >= every_ns) {
				feed();
				fed_ns = now;
			}
			until_ns = fed_ns + every_ns;
			if (since_ns && since_ns + opt.patience_ns < until_ns)
				until_ns = since_ns + opt.patience_ns;
		}
	} while (wait_for(fd, until_ns) != WOKEN_BY_SIGNAL);
}

static void end_guard(void)
{
	char shown[DURATION_SIZE];

	if (opt.no_disarm) {
		say("%s stays armed: whoever feeds it next has %s", device.path,
		    duration(shown, device.timeout_ns));
		return;
	}
	disarm();
	if (device.can_disarm)
		say("%s is disarmed, if its driver was loaded without nowayout", device.path);
	else
		say("%s cannot be disarmed", device.path);
}

int guard_main(int argc, char **argv)
{
	int first, fd;
	size_t i;

	sef_watch_init(&opt.watch, NS_PER_SEC, NS_PER_SEC);
	opt.patience_ns = 10 * NS_PER_SEC;
	opt.uid = -1;
	first = parse_options(&argp, argc, argv, 0, NULL);
	if (argc - first != 1)
		fail("say which watchdog to feed: sefctl guard --require NAME /dev/watchdog0");
	if (!opt.n)
		fail("say what is required: sefctl guard --require NAME %s", argv[first]);
	fd = open_sef(O_NONBLOCK);
	if (sef_newcomers(fd, 1))
		fail_sef("cannot be told of newcomers");
	look_for_services(fd, 1);
	for (i = 0; i < opt.n; i++)
		if (!opt.required[i].services)
			fail("no service that counts is named '%s': start it first",
			     opt.required[i].name);
	catch_signals();
	/* Not to wait for memory that is on a disk. Without the right to, it goes on. */
	mlockall(MCL_CURRENT | MCL_FUTURE);
	open_device(argv[first]);
	guard(fd);
	end_guard();
	return 0;
}
