// SPDX-License-Identifier: GPL-2.0
/* Services as a table, a line each: for status and for top. */
#include <stdlib.h>
#include <string.h>

#include "view.h"

static void print_cell(char *cell, const char *text)
{
	snprintf(cell, CELL_SIZE, "%s", text);
}

static void name_cell(char *cell, const struct view *view)
{
	escape(cell, view->status.name);
}

static void id_cell(char *cell, const struct view *view)
{
	sprintf(cell, "%llu", (unsigned long long)view->status.id);
}

static void pid_cell(char *cell, const struct view *view)
{
	if (view->status.pid)
		sprintf(cell, "%d", view->status.pid);
}

static void state_cell(char *cell, const struct view *view)
{
	print_cell(cell, sef_state_name(view->status.state));
}

static void why_cell(char *cell, const struct view *view)
{
	if (view->status.misses || view->status.excused)
		print_cell(cell, sef_why_name(view->status.why));
}

static void period_cell(char *cell, const struct view *view)
{
	if (view->status.period_ns)
		duration(cell, view->status.period_ns);
}

static void timeout_cell(char *cell, const struct view *view)
{
	if (view->status.timeout_ns)
		duration(cell, view->status.timeout_ns);
}

/* Before the first pong silence is counted from the registration: that is no pong. */
static void pong_cell(char *cell, const struct view *view)
{
	if (view->status.silent_ns < view->status.age_ns)
		duration(cell, view->status.silent_ns);
}

static void p50_cell(char *cell, const struct view *view)
{
	if (view->latency.count)
		duration(cell, percentile(&view->latency, 50));
}

static void p99_cell(char *cell, const struct view *view)
{
	if (view->latency.count)
		duration(cell, percentile(&view->latency, 99));
}

static void worst_cell(char *cell, const struct view *view)
{
	if (view->latency.count)
		duration(cell, view->latency.max_ns);
}

static void headroom_cell(char *cell, const struct view *view)
{
	if (view->latency.headroom_ns != UINT64_MAX)
		duration(cell, view->latency.headroom_ns);
}

static const struct {
	const char *title;
	void (*print)(char *cell, const struct view *view);	/* nothing for nothing known */
} columns_of_table[] = {
	{ "NAME", name_cell }, { "ID", id_cell }, { "PID", pid_cell },
	{ "STATE", state_cell }, { "WHY", why_cell },
	{ "PERIOD", period_cell }, { "TIMEOUT", timeout_cell },
	{ "LAST PONG", pong_cell },
	{ "P50", p50_cell }, { "P99", p99_cell }, { "WORST", worst_cell },
	{ "HEADROOM", headroom_cell },
};

#define COLUMNS ARRAY_SIZE(columns_of_table)

void make_table(struct table *table, const struct view *views, size_t n)
{
	size_t row, c;
	char *cell;
	int width;

	*table = (struct table){ .rows = n };
	table->cells = calloc(n + 1, sizeof(*table->cells));
	if (!table->cells)
		fail_errno("cannot make a table of %zu services", n);
	for (row = 0; row <= n; row++) {
		for (c = 0; c < COLUMNS; c++) {
			cell = table->cells[row][c];
			if (!row)
				print_cell(cell, columns_of_table[c].title);
			else
				columns_of_table[c].print(cell, &views[row - 1]);
			if (!*cell)
				print_cell(cell, "-");
			width = columns(cell);
			if (width > table->width[c])
				table->width[c] = width;
		}
	}
}

void free_table(struct table *table)
{
	free(table->cells);
}

char *table_line(const struct table *table, size_t row)
{
	const char *cell;
	size_t c, size;
	char *line;
	FILE *out;

	out = open_memstream(&line, &size);
	if (!out)
		fail_errno("cannot print the table");
	for (c = 0; c < COLUMNS; c++) {
		cell = table->cells[row][c];
		fprintf(out, "%s%s", c ? "  " : "", cell);
		if (c < COLUMNS - 1)
			fprintf(out, "%*s", table->width[c] - columns(cell), "");
	}
	fclose(out);
	return line;
}
