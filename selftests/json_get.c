// SPDX-License-Identifier: GPL-2.0
/*
 * usage: json_get POINTER ... <JSON
 * The values that the JSON pointers (RFC 6901) lead to, in one line; "null" where one
 * leads nowhere. Exits with 1 if it is not JSON, or not in UTF-8.
 */
#include <err.h>
#include <json-c/json.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	int flags = JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8;
	struct json_tokener *parser = json_tokener_new();
	struct json_object *all, *value;
	static char text[1 << 20];
	size_t len;
	int i;

	len = fread(text, 1, sizeof(text) - 1, stdin);
	json_tokener_set_flags(parser, flags);
	all = json_tokener_parse_ex(parser, text, len + 1);
	if (json_tokener_get_error(parser) != json_tokener_success)
		errx(1, "%s", json_tokener_error_desc(json_tokener_get_error(parser)));
	for (i = 1; i < argc; i++) {
		if (json_pointer_get(all, argv[i], &value))
			value = NULL;
		printf("%s%s", i > 1 ? " " : "", json_object_get_string(value) ?: "null");
	}
	putchar('\n');
	return 0;
}
