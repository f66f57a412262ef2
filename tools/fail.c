// SPDX-License-Identifier: GPL-2.0
/* What goes wrong: one line, which says what to do, and an exit status. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sefctl.h"

const struct command *command;

/* What to do about an error, where that does not depend on who had it. */
static const char *remedy(int err)
{
	switch (err) {
	case EACCES:
		return "be root, or of the group that /dev/sef belongs to";
	case EPERM:
		return "be root, or the user whom the service belongs to";
	case ENOSPC:
		return "raise max_services, max_watches or max_pings in /sys/module/sef/parameters";
	case ENOTTY:
		return "sef.ko is older than this sefctl: load the one that came with it";
	}
	return NULL;
}

static void print_failure(const char *format, va_list args, int err)
{
	const char *advice = remedy(err);
	FILE *out = stderr;
	char *text;

	fflush(stdout);
	if (vasprintf(&text, format, args) < 0)
		return;
	if (command && command->verdict) {
		out = stdout;
		fprintf(out, "%s: ", command->verdict);
	} else {
		fprintf(out, "sefctl%s%s: ", command ? " " : "", command ? command->name : "");
	}
	print_safely(out, text, "");
	free(text);
	if (err)
		fprintf(out, ": %s", strerror(err));
	if (advice)
		fprintf(out, " (%s)", advice);
	fputc('\n', out);
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_failure(format, args, 0);
	va_end(args);
	exit(command ? command->failure : EXIT_FAILURE);
}

void fail_errno(const char *format, ...)
{
	int err = errno;
	va_list args;

	va_start(args, format);
	print_failure(format, args, err);
	va_end(args);
	exit(command ? command->failure : EXIT_FAILURE);
}

void flush_or_fail(void)
{
	if (fflush(stdout) || ferror(stdout))
		fail_errno("cannot write to standard output");
}
