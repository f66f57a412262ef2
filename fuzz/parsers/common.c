// SPDX-License-Identifier: GPL-2.0
/* What is the same for all targets: fail.c of sefctl, but for its end. */
#include <stdarg.h>
#include <string.h>

#include "parsers.h"
#include "sefctl.h"

jmp_buf given_up;

static noreturn void end(const char *format, va_list args)
{
	char *text;

	HOLDS(vasprintf(&text, format, args) > 0);
	free(text);
	longjmp(given_up, 1);
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end(format, args);
}

void fail_errno(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end(format, args);
}

void fail_sef(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end(format, args);
}

const struct command *command;

char *string_of(const uint8_t *bytes, size_t len)
{
	char *string = malloc(len + 1);

	HOLDS(string);
	memcpy(string, bytes, len);
	string[len] = '\0';
	return string;
}

char *next_string(const uint8_t **bytes, size_t *len)
{
	size_t n = strnlen((const char *)*bytes, *len);
	char *string = string_of(*bytes, n);

	n += n < *len;
	*bytes += n;
	*len -= n;
	return string;
}
