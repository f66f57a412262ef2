// SPDX-License-Identifier: GPL-2.0
/* Names that other processes have chosen, and numbers, as sefctl and libsef show them. */
#include <locale.h>
#include <string.h>

#include "parsers.h"

#include "../../tools/text.c"
#include "../../tools/json.c"

void flush_or_fail(void)
{
}

static void show(const char *name, int width)
{
	struct json_object *json = json_name(name), *again;
	char shown[SHOWN_SIZE];

	memset(shown, ' ', sizeof(shown));
	HOLDS(!strpbrk(escape(shown, name), " \n\r\t\x1b"));
	HOLDS(columns(shown) >= (int)(*name != '\0'));
	clip(shown, width);
	HOLDS(columns(shown) <= width);
	again = json_tokener_parse(json_object_to_json_string(json));
	HOLDS(again && json_object_equal(json, again));
	json_object_put(again);
	json_object_put(json);
}

static void show_number(uint64_t n)
{
	char shown[ENDING_SIZE];

	HOLDS(strlen(duration(shown, n)) < DURATION_SIZE);
	HOLDS(strlen(signal_name(shown, n)) < SIGNAL_SIZE);
	HOLDS(strlen(ending(shown, n)) < ENDING_SIZE);
	HOLDS(sef_state_name(n) && sef_why_name(n) && sef_reply_name(n));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char name[SEF_NAME_SIZE] = "";
	uint64_t number;

	setlocale(LC_CTYPE, "C.UTF-8");
	if (len < sizeof(number))
		return 0;
	memcpy(&number, bytes, sizeof(number));
	len -= sizeof(number);
	memcpy(name, bytes + sizeof(number), len < sizeof(name) ? len : sizeof(name) - 1);
	show(name, number % (SHOWN_SIZE + 2));
	show_number(number);
	return 0;
}
