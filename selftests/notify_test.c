// SPDX-License-Identifier: GPL-2.0
/*
 * The messages of sd_notify(3) that sefctl run takes apart: what is sound, what is
 * not, and bytes of any kind. With NOTIFY_FUZZ it is a target for libFuzzer instead:
 * clang -DNOTIFY_FUZZ -g -O1 -fsanitize=fuzzer,address,undefined -I../tools \
 *	notify_test.c ../tools/notify.c
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "notify.h"

/*
 * A page of which nothing may be read before or behind, and its twin to write to: a
 * message ends where the page does.
 */
struct pages {
	char *in, *out;
	size_t size;
};

static char *page_between_walls(size_t size)
{
	char *all = mmap(NULL, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED || mprotect(all + size, size, PROT_READ | PROT_WRITE))
		abort();
	return all + size;
}

static void pages_init(struct pages *pages)
{
	size_t page = sysconf(_SC_PAGESIZE);

	pages->size = (NOTIFY_SIZE / page + 1) * page;
	pages->in = page_between_walls(pages->size);
	pages->out = page_between_walls(pages->size);
}

static char *place(struct pages *pages, const void *bytes, size_t len)
{
	char *message = pages->in + pages->size - len;

	memcpy(message, bytes, len);
	return message;
}

/* It is within the message. */
static int inside(struct notify_text text, const char *message, size_t len)
{
	return text.at >= message && text.at <= message + len &&
	       text.len <= (size_t)(message + len - text.at);
}

/* What holds of any message; NULL, or what does not. */
static const char *check(struct pages *pages, const void *bytes, size_t len)
{
	char *message = place(pages, bytes, len), *out;
	struct notify notify, again;
	size_t n;

	memset(&notify, 0xa5, sizeof(notify));
	if (!notify_parse(message, len, &notify))
		return notify.says || notify.status.at || notify.bad.at ?
		       "no message, and yet it says something" : NULL;
	if (notify.says & NOTIFY_STATUS && !inside(notify.status, message, len))
		return "the status is not of the message";
	if (notify.bad.at && !inside(notify.bad, message, len))
		return "the bad line is not of the message";
	out = pages->out + pages->size - len;
	n = notify_pick(message, len, ~0U, out);
	if (n > len)
		return "longer than it was";
	if (!notify_parse(out, n, &again) ? notify.says : again.says != notify.says)
		return "what is picked says something else";
	return NULL;
}

#ifdef NOTIFY_FUZZ

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct pages pages;

	if (!pages.in)
		pages_init(&pages);
	if (len <= pages.size && check(&pages, bytes, len))
		abort();
	return 0;
}

#else

#include "kselftest_harness.h"

FIXTURE(parser)
{
	struct pages pages;
};

FIXTURE_SETUP(parser)
{
	pages_init(&self->pages);
}

FIXTURE_TEARDOWN(parser)
{
}

static const struct sound {
	const char *text;
	unsigned int says;
	uint64_t extend_us, timeout_us;
	const char *status, *bad;
} messages[] = {
	{ "READY=1", NOTIFY_READY },
	{ "READY=1\n", NOTIFY_READY },
	{ "\n\nREADY=1\n\n", NOTIFY_READY },
	{ "READY=1\nSTATUS=up\nWATCHDOG=1", NOTIFY_READY | NOTIFY_STATUS | NOTIFY_ALIVE,
	  .status = "up" },
	{ "WATCHDOG=trigger", NOTIFY_TRIGGER },
	{ "WATCHDOG=1\nWATCHDOG=trigger", NOTIFY_ALIVE | NOTIFY_TRIGGER },
	{ "RELOADING=1\nMONOTONIC_USEC=17", NOTIFY_RELOADING | NOTIFY_OTHER },
	{ "STOPPING=1", NOTIFY_STOPPING },
	{ "BARRIER=1", NOTIFY_BARRIER },
	{ "STATUS=", NOTIFY_STATUS, .status = "" },
	{ "STATUS=a=b\r", NOTIFY_STATUS, .status = "a=b\r" },
	{ "STATUS=one\nSTATUS=two", NOTIFY_STATUS, .status = "one" },
	{ "EXTEND_TIMEOUT_USEC=0", NOTIFY_EXTEND },
	{ "EXTEND_TIMEOUT_USEC=5000000", NOTIFY_EXTEND, .extend_us = 5000000 },
	{ "WATCHDOG_USEC=18446744073709551615", NOTIFY_TIMEOUT, .timeout_us = UINT64_MAX },
	{ "WATCHDOG_USEC=1\nWATCHDOG_USEC=2", NOTIFY_TIMEOUT, .timeout_us = 1 },
	/* Nothing that is known. */
	{ "READY=0" }, { "READY=11" }, { "READY=1 " }, { " READY=1" }, { "READY" },
	{ "ready=1" }, { "WATCHDOG=" }, { "WATCHDOG=triggers" }, { "XREADY=1" },
	{ "STATUS" }, { "BARRIER=2" }, { "FDSTORE=1\nFDNAME=x" }, { "MAINPID=1" },
	{ "=" }, { "\n" }, { "X_OWN=1\xff\xfe" },
	/* No number: said, and the rest of the message counts. */
	{ "WATCHDOG_USEC=18446744073709551616", .bad = "WATCHDOG_USEC=18446744073709551616" },
	{ "WATCHDOG_USEC=99999999999999999999999999",
	  .bad = "WATCHDOG_USEC=99999999999999999999999999" },
	{ "WATCHDOG_USEC=", .bad = "WATCHDOG_USEC=" },
	{ "WATCHDOG_USEC=-1\nREADY=1", NOTIFY_READY, .bad = "WATCHDOG_USEC=-1" },
	{ "WATCHDOG_USEC=+1", .bad = "WATCHDOG_USEC=+1" },
	{ "WATCHDOG_USEC= 1", .bad = "WATCHDOG_USEC= 1" },
	{ "WATCHDOG_USEC=1s", .bad = "WATCHDOG_USEC=1s" },
	{ "WATCHDOG_USEC=0x10", .bad = "WATCHDOG_USEC=0x10" },
	{ "WATCHDOG_USEC=infinity", .bad = "WATCHDOG_USEC=infinity" },
	{ "EXTEND_TIMEOUT_USEC=x\nWATCHDOG_USEC=y", .bad = "EXTEND_TIMEOUT_USEC=x" },
	{ "WATCHDOG_USEC=x\nWATCHDOG_USEC=3", NOTIFY_TIMEOUT, .timeout_us = 3,
	  .bad = "WATCHDOG_USEC=x" },
};

static int same(struct notify_text text, const char *wanted)
{
	if (!wanted)
		return !text.at;
	return text.at && text.len == strlen(wanted) && !memcmp(text.at, wanted, text.len);
}

TEST_F(parser, messages) {
	const struct sound *m;
	struct notify notify;
	size_t len;

	for (m = messages; m < messages + ARRAY_SIZE(messages); m++) {
		/* Without its NUL, and with it. */
		for (len = strlen(m->text); len <= strlen(m->text) + 1; len++) {
			EXPECT_EQ(NULL, check(&self->pages, m->text, len));
			EXPECT_TRUE(notify_parse(place(&self->pages, m->text, len), len, &notify));
			EXPECT_EQ(m->says, notify.says) {
				TH_LOG("of '%s'", m->text);
			}
			EXPECT_EQ(m->extend_us, notify.extend_us);
			EXPECT_EQ(m->timeout_us, notify.timeout_us);
			EXPECT_TRUE(same(notify.status, m->status));
			EXPECT_TRUE(same(notify.bad, m->bad)) {
				TH_LOG("of '%s'", m->text);
			}
		}
	}
}

TEST_F(parser, no_message) {
	static char text[NOTIFY_SIZE + 2];
	struct notify notify;

	EXPECT_FALSE(notify_parse("", 0, &notify));
	EXPECT_FALSE(notify_parse("", 1, &notify));
	EXPECT_FALSE(notify_parse("\0", 2, &notify));
	EXPECT_FALSE(notify_parse("\0READY=1", 8, &notify));
	EXPECT_FALSE(notify_parse("READY=1\0WATCHDOG=1", 18, &notify));
	EXPECT_FALSE(notify_parse("READY=1\0", 9, &notify));

	memset(text, 'x', sizeof(text));
	memcpy(text, "READY=1\n", 8);
	EXPECT_EQ(NULL, check(&self->pages, text, NOTIFY_SIZE));
	EXPECT_TRUE(notify_parse(text, NOTIFY_SIZE, &notify));
	EXPECT_EQ(NOTIFY_READY, notify.says);
	EXPECT_EQ(NULL, check(&self->pages, text, NOTIFY_SIZE + 1));
	EXPECT_FALSE(notify_parse(text, NOTIFY_SIZE + 1, &notify));
}

TEST_F(parser, pick) {
	static const char text[] =
		"READY=1\nFDSTORE=1\nSTATUS=a b\n\nWATCHDOG=1\nMAINPID=7\nERRNO=2";
	char out[sizeof(text)];

	EXPECT_EQ(0, notify_pick(text, sizeof(text), 0, out));
	EXPECT_EQ(7, notify_pick(text, sizeof(text), NOTIFY_READY, out));
	EXPECT_EQ(0, memcmp(out, "READY=1", 7));
	EXPECT_EQ(26, notify_pick(text, sizeof(text), ~NOTIFY_ALIVE, out));
	EXPECT_EQ(0, memcmp(out, "READY=1\nSTATUS=a b\nERRNO=2", 26));
	EXPECT_EQ(10, notify_pick(text, sizeof(text), NOTIFY_ALIVE, out));
	EXPECT_EQ(0, memcmp(out, "WATCHDOG=1", 10));
}

/* Pieces of messages and bytes of any kind, put together at random. */
static size_t concoct(char *bytes, size_t size, unsigned int *seed)
{
	static const char *const pieces[] = {
		"READY=1", "WATCHDOG=", "1", "trigger", "\n", "\n\n", "=", "STATUS=",
		"WATCHDOG_USEC=", "EXTEND_TIMEOUT_USEC=", "18446744073709551615", "0", "-",
		"STOPPING=1", "BARRIER=1", "\xff", "\x1b[31m", " ", "\r", "MONOTONIC_USEC=",
	};
	size_t n = 0, i, len, few = rand_r(seed) % 12;

	for (i = 0; i < few; i++) {
		const char *piece = pieces[rand_r(seed) % ARRAY_SIZE(pieces)];

		len = strlen(piece);
		if (rand_r(seed) % 4 == 0)
			len = rand_r(seed) % (len + 1);
		if (n + len + 1 > size)
			break;
		memcpy(bytes + n, piece, len);
		n += len;
		if (rand_r(seed) % 16 == 0)
			bytes[n++] = rand_r(seed);
	}
	return n;
}

TEST_F(parser, any_bytes) {
	unsigned int seed = 20, turn, first;
	const char *wrong = NULL;
	char bytes[512];
	size_t len;

	for (turn = 0; turn < 200000 && !wrong; turn++) {
		first = seed;
		len = concoct(bytes, sizeof(bytes), &seed);
		wrong = check(&self->pages, bytes, len);
		EXPECT_EQ(NULL, wrong) {
			TH_LOG("%s: seed %u, %zu bytes", wrong, first, len);
		}
	}
}

TEST_HARNESS_MAIN

#endif
