// SPDX-License-Identifier: GPL-2.0
/* JSON for programs: the fields have the names that <linux/sef.h> gives them. */
#include <string.h>

#include "sefctl.h"

/* How many bytes at @s are one character of UTF-8, in its shortest form; 0 for none. */
static size_t utf8(const unsigned char *s)
{
	static const struct {
		unsigned char first, last;	/* of the first byte */
		unsigned char low, high;	/* of the second */
		unsigned char len;
	} forms[] = {
		{ 0x01, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (forms[i].len > 1 && (s[1] < forms[i].low || s[1] > forms[i].high))
			return 0;
		for (n = 2; n < forms[i].len; n++)
			if ((s[n] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

struct json_object *json_name(const char *name)
{
	static const char replacement[] = "\xef\xbf\xbd";	/* U+FFFD */
	char text[sizeof(replacement) * SEF_NAME_SIZE], *to = text;
	size_t n;

	for (; *name; name += n ?: 1) {
		n = utf8((const unsigned char *)name);
		to = mempcpy(to, n ? name : replacement, n ?: strlen(replacement));
	}
	return json_object_new_string_len(text, to - text);
}

static struct json_object *json_field(enum json_kind kind, const void *field)
{
	const uint64_t *u64 = field;
	const uint32_t *u32 = field;

	switch (kind) {
	case JSON_U64:
		return *u64 == UINT64_MAX ? NULL : json_object_new_uint64(*u64);
	case JSON_U32:
		return json_object_new_uint64(*u32);
	case JSON_S32:
		return json_object_new_int(*(const int32_t *)field);
	case JSON_NAME:
		return json_name(field);
	case JSON_STATE:
		return json_object_new_string(sef_state_name(*u32));
	case JSON_WHY:
		return json_object_new_string(sef_why_name(*u32));
	case JSON_REPLY:
		return json_object_new_string(sef_reply_name(*u32));
	}
	return NULL;
}

void json_add_fields(struct json_object *object, const struct json_field *fields,
		     const void *from)
{
	struct json_object *value;

	for (; fields->name; fields++) {
		value = json_field(fields->kind, (const char *)from + fields->offset);
		json_object_object_add(object, fields->name, value);
	}
}

void print_json(struct json_object *object)
{
	int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;

	puts(json_object_to_json_string_ext(object, flags));
	json_object_put(object);
	flush_or_fail();
}
