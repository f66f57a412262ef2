// SPDX-License-Identifier: GPL-2.0
/* Options of a watch: times, numbers, signals, causes. The input: strings for each. */
#include "parsers.h"

#include "../../tools/options.c"

static void check(const struct sef_watch_args *watch)
{
	HOLDS(watch->period_ns >= SEF_TIME_MIN_NS && watch->period_ns <= SEF_TIME_MAX_NS);
	HOLDS(watch->kill_ns <= SEF_TIME_MAX_NS && watch->last_ns <= SEF_TIME_MAX_NS);
	HOLDS(!(watch->excuse & ~SEF_EXCUSE_ALL));
	HOLDS(watch->signal <= 64);
	HOLDS(!watch->last == !watch->last_ns);
	HOLDS(watch->slack_ns <= watch->period_ns);
}

static void parse_all(struct sef_watch_args *watch, char **args, unsigned int n)
{
	struct argp_state state = { .input = watch };
	unsigned int i;

	if (setjmp(given_up))
		return;
	for (i = 0; i < n; i++)
		if (watch_options[i].arg)
			HOLDS(!watch_argp.parser(watch_options[i].key, args[i], &state));
	HOLDS(!watch_argp.parser(ARGP_KEY_SUCCESS, NULL, &state));
	check(watch);
}

static void parse_one(const char *arg)
{
	if (!setjmp(given_up))
		HOLDS(parse_duration("x", arg) <= 1000000000000000000);
	if (!setjmp(given_up))
		HOLDS(parse_number("x", arg, 1000) <= 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct sef_watch_args watch = { .period_ns = NS_PER_SEC, .timeout_ns = NS_PER_SEC };
	char *args[ARRAY_SIZE(watch_options) - 1];
	unsigned int i, n;

	for (n = 0; n < ARRAY_SIZE(args) && len; n++)
		args[n] = next_string(&bytes, &len);
	parse_all(&watch, args, n);
	for (i = 0; i < n; i++) {
		parse_one(args[i]);
		free(args[i]);
	}
	return 0;
}
