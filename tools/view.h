/* SPDX-License-Identifier: GPL-2.0 */
/* What is shown of services: status and latency, as a table and as JSON. */
#ifndef SEFCTL_VIEW_H
#define SEFCTL_VIEW_H

#include "sefctl.h"

struct view {
	struct sef_status_args status;	/* of the worst watch there is */
	struct sef_latency_args latency;
};

/* view.c */

/* Those of @services that still exist; @services is freed. */
size_t get_views(int fd, struct sef_status_args *services, size_t n, struct view **views);

/* What no more than @percent of all round trips exceeded: the end of a bucket. */
uint64_t percentile(const struct sef_latency_args *latency, unsigned int percent);

struct json_object *json_view(const struct view *view);

/* table.c */

#define MAX_COLUMNS	16
#define CELL_SIZE	SHOWN_SIZE

struct table {
	size_t rows;		/* the titles not counted */
	int width[MAX_COLUMNS];	/* of each column, in columns of the terminal */
	char (*cells)[MAX_COLUMNS][CELL_SIZE];	/* the titles, then the rows */
};

void make_table(struct table *table, const struct view *views, size_t n);
void free_table(struct table *table);
/* One line; row 0 has the titles. The caller's to free(). */
char *table_line(const struct table *table, size_t row);

#endif /* SEFCTL_VIEW_H */
