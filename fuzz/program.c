// SPDX-License-Identifier: GPL-2.0
/*
 * Programs: as text that people can read, write and replay, and by chance.
 *
 *	register 1 eventfd=@0 name=0x61
 *
 * is a call of a name, on the slot 1, with what is not 0 of its struct; @0 is what the
 * slot 0 has, that such a field wants. "by=2" is made by the child, "fail=1" has the
 * first of its chances to fail taken: see struct common. "user" is a program of an
 * ordinary user. An empty line ends a program; "#" begins a comment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

unsigned int call_values(const struct call *call)
{
	return COMMON + table[call->what].nr_fields;
}

const struct field *call_field(const struct call *call, unsigned int i)
{
	return i < COMMON ? &common_fields[i] : &table[call->what].fields[i - COMMON];
}

static size_t print_value(char *to, const struct field *field, const struct value *value)
{
	const char *form = value->of_slot ? " %s=@%llu" :
			   value->n < 10 || field->kind == TIME ? " %s=%llu" : " %s=0x%llx";

	if (!value->n && !value->of_slot)
		return 0;
	return sprintf(to, form, field->name, (unsigned long long)value->n);
}

size_t program_print(const struct program *program, char text[TEXT])
{
	char line[64 * VALUES];
	const struct call *call;
	size_t len = 0, n;
	unsigned int i;

	if (program->user)
		len = sprintf(text, "user\n");
	for (call = program->calls; call < program->calls + program->len; call++) {
		n = sprintf(line, "%s %u", table[call->what].name, call->slot);
		for (i = 0; i < call_values(call); i++)
			n += print_value(line + n, call_field(call, i), &call->values[i]);
		n += sprintf(line + n, "\n");
		if (len + n >= TEXT)
			return TEXT;
		memcpy(text + len, line, n + 1);
		len += n;
	}
	return len;
}

/* An older corpus may have it. */
static bool nonsense(const char *word)
{
	fprintf(stderr, "fuzz: left out: no program has '%s'\n", word);
	return false;
}

static bool parse_value(struct call *call, char *word)
{
	char *number = strchr(word, '='), *end;
	unsigned int i;

	if (!number)
		return nonsense(word);
	*number++ = '\0';
	for (i = 0; i < call_values(call); i++)
		if (!strcmp(call_field(call, i)->name, word))
			break;
	if (i == call_values(call))
		return nonsense(word);
	call->values[i].of_slot = *number == '@';
	number += *number == '@';
	call->values[i].n = strtoull(number, &end, 0);
	return (end != number && !*end) || nonsense(number);
}

static bool parse_call(struct call *call, char *line)
{
	char *rest, *word = strtok_r(line, " ", &rest);

	if (!word)
		return nonsense("");
	for (call->what = 0; strcmp(table[call->what].name, word); call->what++)
		if (call->what + 1 == table_size)
			return nonsense(word);
	word = strtok_r(NULL, " ", &rest);
	if (!word || *word < '0' || *word >= '0' + SLOTS || word[1])
		return nonsense(word ?: line);
	call->slot = *word - '0';
	while ((word = strtok_r(NULL, " ", &rest)))
		if (!parse_value(call, word))
			return false;
	return true;
}

static bool parse_line(struct program *program, char *line)
{
	if (!strcmp(line, "user")) {
		program->user = true;
		return true;
	}
	if (program->len == CALLS)
		return nonsense(line);
	return parse_call(&program->calls[program->len++], line);
}

bool program_parse(struct program *program, const char **text)
{
	char line[64 * VALUES];
	bool good = true;
	size_t len;

	*program = (struct program) { 0 };
	while (**text) {
		len = strcspn(*text, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, *text);
		*text += len + ((*text)[len] == '\n');
		if (len && *line != '#') {
			good = good && parse_line(program, line);
		} else if (!len && program->len && good) {
			break;
		} else if (!len) {
			*program = (struct program) { 0 };
			good = true;
		}
	}
	return program->len && good;
}

static uint64_t state;

void chance_init(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ULL | 1;
}

uint64_t chance(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dULL >> 16;
}

static bool one_in(unsigned int n)
{
	return chance() % n == 0;
}

static const uint64_t numbers[] = {
	0, 1, 2, 7, 8, 0x7f, 0xff, 4095, 4096, 0x7fffffff, 0x80000000, 0xffffffff,
	1ULL << 32, 1ULL << 63, UINT64_MAX - 1, UINT64_MAX,
};

/* Most are short, for something to happen; and both sides of each bound. */
static const uint64_t times[] = {
	1000000, 1000000, 1000000, 2000000, 3000000, 5000000, 10000000, 20000000, 1000000000,
	3600000000000, 86400000000000, 86400000000001, 999999, 1,
};

static uint64_t chance_of(const uint64_t *list, size_t n)
{
	return list[chance() % n];
}

static uint64_t any_number(void)
{
	return one_in(2) ? chance_of(numbers, ARRAY_SIZE(numbers)) : chance() >> chance() % 48;
}

static uint64_t one_bit(void)
{
	return 1ULL << chance() % 32;
}

static struct value any_value(const struct field *field)
{
	struct value value = { 0 };

	if (field->kind >= ID) {
		value.of_slot = !one_in(6);
		value.n = value.of_slot ? chance() % SLOTS : any_number();
	} else if (one_in(field->kind == ZERO ? 8 : 24)) {
		value.n = any_number();
	} else if (field->kind == NUMBER) {
		value.n = chance() % (field->max + 1);
	} else if (field->kind == MASK) {
		value.n = one_in(24) ? one_bit() : chance() & field->max;
	} else if (field->kind == TIME) {
		value.n = one_in(4) ? 0 : chance_of(times, ARRAY_SIZE(times));
	} else if (field->kind == NAME) {
		value.n = 'a' + chance() % 26;
	}
	return value;
}

/* Mostly plain: the rest is for one mutation after the other to find out. */
static void any_call(struct call *call)
{
	unsigned int i;

	*call = (struct call) { .what = chance() % table_size, .slot = chance() % SLOTS };
	for (i = 0; i < call_values(call); i++)
		if (i < COMMON ? one_in(12) : one_in(2))
			call->values[i] = any_value(call_field(call, i));
}

static void insert(struct program *program, const struct call *call)
{
	unsigned int at = chance() % (program->len + 1);

	if (program->len == CALLS)
		return;
	memmove(&program->calls[at + 1], &program->calls[at],
		(program->len - at) * sizeof(*call));
	program->calls[at] = *call;
	program->len++;
}

void program_remove(struct program *program, unsigned int at)
{
	program->len--;
	memmove(&program->calls[at], &program->calls[at + 1],
		(program->len - at) * sizeof(program->calls[0]));
}

static struct call *chosen(const struct program *program)
{
	return (struct call *)&program->calls[chance() % program->len];
}

/* What a program begins with, and what another one ends with. */
static void splice(struct program *program, const struct program *other)
{
	unsigned int from = chance() % other->len;

	program->len = chance() % (program->len + 1);
	while (program->len < CALLS && from < other->len)
		program->calls[program->len++] = other->calls[from++];
}

static void mutate_once(struct program *program, const struct program *other)
{
	unsigned int dice = program->len ? chance() % 20 : 0, i;
	struct call call;

	if (dice < 4) {
		any_call(&call);
		insert(program, &call);
	} else if (dice < 6) {
		call = *chosen(one_in(2) ? program : other);
		insert(program, &call);
	} else if (dice < 7) {
		program_remove(program, chance() % program->len);
	} else if (dice < 8) {
		splice(program, other);
	} else if (dice < 9) {
		chosen(program)->slot = chance() % SLOTS;
	} else {
		struct call *one = chosen(program);

		i = call_values(one);
		i = i == COMMON || one_in(5) ? chance() % COMMON : COMMON + chance() % (i - COMMON);
		one->values[i] = any_value(call_field(one, i));
	}
}

void program_mutate(struct program *program, const struct program *other)
{
	char text[TEXT];

	do
		mutate_once(program, other);
	while (!program->len || !one_in(3));
	/* It is to be known of a program what it was. */
	while (program->len > 1 && program_print(program, text) >= TEXT)
		program_remove(program, chance() % program->len);
}
