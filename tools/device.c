// SPDX-License-Identifier: GPL-2.0
/* /dev/sef, and finding a service there by what people call it. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sefctl.h"

int open_sef(int flags)
{
	int fd = sef_supervisor_open(flags);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		fail_sef("/dev/sef: sef.ko is not loaded (modprobe sef loads it)");
	fail_sef("cannot open /dev/sef");
}

static bool is_number(const char *arg)
{
	return *arg && !arg[strspn(arg, "0123456789")];
}

/* One kind of what an argument may mean; all that is not asked for is NULL or 0. */
struct wanted {
	const char *name;
	uint64_t id;
	int pid;
};

/* A name may also be given as it is shown. */
static bool wants(const struct wanted *wanted, const struct sef_status_args *status)
{
	char shown[SHOWN_SIZE];

	if (wanted->name)
		return !strcmp(wanted->name, status->name) ||
		       !strcmp(wanted->name, escape(shown, status->name));
	if (wanted->id)
		return wanted->id == status->id;
	if (wanted->pid)
		return wanted->pid == status->pid;
	return true;
}

static bool has_ended(const struct sef_status_args *status)
{
	return status->state == SEF_STATE_DEAD || status->state == SEF_STATE_GONE;
}

static size_t select_services(int fd, const struct wanted *wanted, struct sef_status_args **found)
{
	struct sef_status_args status = { .flags = SEF_STATUS_WORST };
	size_t n = 0;
	int ret;

	*found = NULL;
	while ((ret = sef_next_status(fd, &status)) > 0) {
		if (!wants(wanted, &status))
			continue;
		*found = reallocarray(*found, n + 1, sizeof(status));
		if (!*found)
			fail_errno("cannot list the services");
		(*found)[n++] = status;
	}
	if (ret < 0)
		fail_sef("cannot list the services");
	return n;
}

size_t all_services(int fd, struct sef_status_args **found)
{
	return select_services(fd, &(struct wanted){ 0 }, found);
}

/* Those that have ended left out, where there is one that has not. */
static size_t prefer_living(struct sef_status_args *found, size_t n)
{
	size_t i, living = 0;

	for (i = 0; i < n; i++)
		if (!has_ended(&found[i]))
			found[living++] = found[i];
	return living ?: n;
}

static size_t by_number(int fd, const char *prefix, const char *arg,
			struct sef_status_args **found)
{
	struct wanted wanted = { 0 };

	if (!is_number(arg))
		fail("'%s%s': what follows '%s' has to be a number", prefix, arg, prefix);
	if (*prefix == 'i')
		wanted.id = parse_number(prefix, arg, UINT64_MAX);
	else
		wanted.pid = parse_number(prefix, arg, INT_MAX);
	*found = NULL;
	return wanted.id || wanted.pid ? select_services(fd, &wanted, found) : 0;
}

static size_t look_for_services(int fd, const char *arg, struct sef_status_args **found)
{
	size_t n = 0;

	if (!strncmp(arg, "id:", 3)) {
		n = by_number(fd, "id:", arg + 3, found);
	} else if (!strncmp(arg, "pid:", 4)) {
		n = by_number(fd, "pid:", arg + 4, found);
	} else {
		if (is_number(arg))
			n = by_number(fd, "pid:", arg, found);
		if (!n)
			n = select_services(fd, &(struct wanted){
				.name = strncmp(arg, "name:", 5) ? arg : arg + 5,
			}, found);
	}
	return prefer_living(*found, n);
}

/* Of @n that @arg names, when it has to be one. */
static void take_one(const char *arg, struct sef_status_args *found, size_t n,
		     struct sef_status_args *status)
{
	size_t i, size;
	char *ids;
	FILE *out;

	*status = found[0];
	if (n > 1) {
		out = open_memstream(&ids, &size);
		for (i = 0; out && i < n && i < 8; i++)
			fprintf(out, " id:%llu", (unsigned long long)found[i].id);
		if (!out || fclose(out))
			fail_errno("%zu services are '%s'", n, arg);
		fail("%zu services are '%s', say which:%s%s", n, arg, ids, i < n ? " ..." : "");
	}
	free(found);
}

size_t find_services(int fd, const char *arg, struct sef_status_args **found)
{
	size_t n = look_for_services(fd, arg, found);

	if (!n)
		fail("no service that you may see is '%s': sefctl status lists them", arg);
	return n;
}

void find_service(int fd, const char *arg, struct sef_status_args *status)
{
	struct sef_status_args *found;
	size_t n = find_services(fd, arg, &found);

	take_one(arg, found, n, status);
}

bool look_for_service(int fd, const char *arg, struct sef_status_args *status)
{
	struct sef_status_args *found;
	size_t n = look_for_services(fd, arg, &found);

	if (n)
		take_one(arg, found, n, status);
	return n;
}

bool watch_service(int fd, struct sef_watch_args *watch, const struct sef_status_args *status)
{
	char shown[SHOWN_SIZE];

	watch->id = status->id;
	if (!sef_watch(fd, watch))
		return true;
	if (errno == ESRCH)
		return false;
	escape(shown, status->name);
	if (errno == EPERM && watch->last)
		fail("cannot watch '%s': --panic and --restart-machine take CAP_SYS_BOOT", shown);
	fail_sef("cannot watch '%s'", shown);
}
