// SPDX-License-Identifier: GPL-2.0
/* sefctl top: the table of sefctl status, live. */
#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "view.h"

static uint64_t delay_ns = NS_PER_SEC;

/* What is worse comes first. */
static int state_rank(const struct view *view)
{
	static const int ranks[] = {
		[SEF_STATE_UNRESPONSIVE] = 0,
		[SEF_STATE_DEAD] = 1,
		[SEF_STATE_LATE] = 2,
		[SEF_STATE_GONE] = 3,
		[SEF_STATE_WAITING] = 4,
		[SEF_STATE_ALIVE] = 5,
		[SEF_STATE_UNWATCHED] = 6,
	};

	return view->status.state < ARRAY_SIZE(ranks) ? ranks[view->status.state] : 7;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_state(const void *a, const void *b)
{
	return state_rank(a) - state_rank(b);
}

static int by_name(const void *a, const void *b)
{
	const struct view *left = a, *right = b;

	return strcmp(left->status.name, right->status.name);
}

static int by_silence(const void *a, const void *b)
{
	const struct view *left = a, *right = b;

	return compare_u64(right->status.silent_ns, left->status.silent_ns);
}

static int by_p99(const void *a, const void *b)
{
	const struct view *left = a, *right = b;

	return compare_u64(percentile(&right->latency, 99), percentile(&left->latency, 99));
}

static int by_worst(const void *a, const void *b)
{
	const struct view *left = a, *right = b;

	return compare_u64(right->latency.max_ns, left->latency.max_ns);
}

static int by_headroom(const void *a, const void *b)
{
	const struct view *left = a, *right = b;

	return compare_u64(left->latency.headroom_ns, right->latency.headroom_ns);
}

static const struct {
	const char *name;
	int (*compare)(const void *a, const void *b);
} orders[] = {
	{ "state", by_state }, { "name", by_name }, { "silence", by_silence },
	{ "p99", by_p99 }, { "worst", by_worst }, { "headroom", by_headroom },
};

static size_t order;

/* What is alike stays in the order of registration. */
static int compare(const void *a, const void *b)
{
	const struct view *left = a, *right = b;

	return orders[order].compare(a, b) ?: compare_u64(left->status.id, right->status.id);
}

static const struct argp_option options[] = {
	{ "delay", 'd', "TIME", 0, "from look to look (1s)", 0 },
	{ "sort", 's', "ORDER", 0, "state, name, silence, p99, worst or headroom", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)state;
	switch (key) {
	case 'd':
		delay_ns = parse_time("--delay", arg);
		break;
	case 's':
		for (order = 0; order < ARRAY_SIZE(orders); order++)
			if (!strcmp(orders[order].name, arg))
				return 0;
		fail("--sort: '%s' is no order: state, name, silence, p99, worst or headroom", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "The table of sefctl status, live: q quits, s sorts by something else.",
};

static void leave_screen(void)
{
	endwin();
}

static void enter_screen(void)
{
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		fail("this needs a terminal: sefctl status prints the table once");
	if (!newterm(NULL, stdout, stdin) || !tigetstr("cup"))
		fail("TERM is '%s', no terminal known to be drawn on: set it, or use sefctl status",
		     term ?: "");
	before_fail = leave_screen;
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	if (!has_colors() || getenv("NO_COLOR"))
		return;
	start_color();
	use_default_colors();
	init_pair(SEF_STATE_ALIVE, COLOR_GREEN, -1);
	init_pair(SEF_STATE_LATE, COLOR_YELLOW, -1);
	init_pair(SEF_STATE_UNRESPONSIVE, COLOR_RED, -1);
	init_pair(SEF_STATE_DEAD, COLOR_RED, -1);
	init_pair(SEF_STATE_GONE, COLOR_RED, -1);
}

static void draw_line(int y, const struct table *table, size_t row, attr_t attributes)
{
	char *line = table_line(table, row);

	clip(line, COLS);
	attrset(attributes);
	mvaddstr(y, 0, line);
	attrset(A_NORMAL);
	free(line);
}

static void draw_summary(const struct view *views, size_t n)
{
	size_t count[SEF_STATE_GONE + 1] = { 0 }, i, size;
	FILE *out;
	char *line;

	out = open_memstream(&line, &size);
	if (!out)
		fail_errno("cannot draw");
	for (i = 0; i < n; i++)
		if (views[i].status.state < ARRAY_SIZE(count))
			count[views[i].status.state]++;
	fprintf(out, "%zu %s", n, n == 1 ? "service" : "services");
	for (i = 0; i < ARRAY_SIZE(count); i++)
		if (count[i])
			fprintf(out, ", %zu %s", count[i], sef_state_name(i));
	fprintf(out, "; sorted by %s (s), q quits", orders[order].name);
	fclose(out);
	clip(line, COLS);
	mvaddstr(0, 0, line);
	free(line);
}

/* @first is the row at the top. How many rows there are. */
static size_t draw(int fd, size_t first)
{
	struct sef_status_args *services;
	struct table table;
	struct view *views;
	size_t n, row;
	int y;

	n = all_services(fd, &services);
	n = get_views(fd, services, n, &views);
	qsort(views, n, sizeof(*views), compare);
	make_table(&table, views, n);
	erase();
	draw_summary(views, n);
	draw_line(1, &table, 0, A_REVERSE);
	for (y = 2, row = first; y < LINES && row < n; y++, row++)
		draw_line(y, &table, row + 1, COLOR_PAIR(views[row].status.state));
	refresh();
	free_table(&table);
	free(views);
	return n;
}

static size_t scroll_to(size_t first, int by, size_t rows)
{
	size_t last = rows ? rows - 1 : 0;

	if (by < 0)
		return first > (size_t)-by ? first + by : 0;
	return first + by < last ? first + by : last;
}

int top_main(int argc, char **argv)
{
	size_t first = 0, rows;
	int fd, key;

	parse_options(&argp, argc, argv, 0, NULL);
	fd = open_sef(0);
	enter_screen();
	timeout(delay_ns / NS_PER_MS);
	do {
		rows = draw(fd, first);
		key = getch();
		if (key == 's')
			order = (order + 1) % ARRAY_SIZE(orders);
		else if (key == KEY_UP || key == KEY_DOWN)
			first = scroll_to(first, key == KEY_UP ? -1 : 1, rows);
		else if (key == KEY_PPAGE || key == KEY_NPAGE)
			first = scroll_to(first, key == KEY_PPAGE ? 2 - LINES : LINES - 2, rows);
	} while (key != 'q');
	leave_screen();
	return 0;
}
