// SPDX-License-Identifier: GPL-2.0
/* What the kernel saw of a service that did not answer: a line for each thing. */
#include <string.h>

#include "sefctl.h"

#define WHY(kind, field) { #field, offsetof(struct sef_why_args, field), kind }

static const struct json_field why_fields[] = {
	WHY(JSON_U64, seq),
	WHY(JSON_U64, age_ns),
	WHY(JSON_U64, window_ns),
	WHY(JSON_U64, user_ns),
	WHY(JSON_U64, kernel_ns),
	WHY(JSON_U64, waited_ns),
	WHY(JSON_U64, voluntary),
	WHY(JSON_U64, involuntary),
	WHY(JSON_WHY, why),
	WHY(JSON_S32, tid),
	WHY(JSON_S32, syscall),
	{ 0 }
};

/* What is not known is left out. */
struct json_object *json_evidence(const struct sef_why_args *why)
{
	static const struct {
		uint32_t known;
		const char *fields[5];
	} unknown[] = {
		{ SEF_KNOWN_WINDOW,
		  { "window_ns", "user_ns", "kernel_ns", "voluntary", "involuntary" } },
		{ SEF_KNOWN_WAITED, { "waited_ns" } },
		{ SEF_KNOWN_SYSCALL, { "syscall" } },
	};
	struct json_object *object = json_object_new_object();
	char state[2] = { why->state };
	size_t i, f;

	json_add_fields(object, why_fields, why);
	for (i = 0; i < ARRAY_SIZE(unknown); i++)
		for (f = 0; f < 5 && unknown[i].fields[f]; f++)
			if (!(why->known & unknown[i].known))
				json_object_object_del(object, unknown[i].fields[f]);
	if (why->state)
		json_object_object_add(object, "state", json_object_new_string(state));
	if (why->known & SEF_KNOWN_STACK)
		json_object_object_add(object, "stack", json_object_new_string(why->stack));
	return object;
}

static void print_clocks(const struct sef_why_args *why)
{
	char window[DURATION_SIZE], user[DURATION_SIZE], kernel[DURATION_SIZE];
	char waited[DURATION_SIZE];

	printf("  in %s: user mode %s, kernel %s, ", duration(window, why->window_ns),
	       duration(user, why->user_ns), duration(kernel, why->kernel_ns));
	if (why->known & SEF_KNOWN_WAITED)
		printf("waited for a CPU %s, ", duration(waited, why->waited_ns));
	printf("went to sleep %llu times, lost the CPU %llu times\n",
	       (unsigned long long)why->voluntary, (unsigned long long)why->involuntary);
}

void print_evidence(const struct sef_why_args *why)
{
	const char *from = why->stack, *end;

	if (why->state)
		printf("  thread %d was in state %c\n", why->tid, (int)why->state);
	else
		printf("  there was no thread any more\n");
	if (why->known & SEF_KNOWN_SYSCALL)
		printf("  in system call %d\n", why->syscall);
	if (why->known & SEF_KNOWN_WINDOW)
		print_clocks(why);
	for (; why->known & SEF_KNOWN_STACK && *from; from = *end ? end + 1 : end) {
		end = from;
		while (*end && *end != '\n')
			end++;
		printf("    %.*s\n", (int)(end - from), from);
	}
}
