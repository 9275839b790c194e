/*
 * A table on a terminal: a heading and rows, their columns aligned with two blanks between them, and
 * none wider than the window. In a narrow window columns are cut or left out. Every cell is
 * neutralised (neutral.h). In a pipe the same rows are separated by tabs, without a heading.
 *
 *	struct column v[] = { { .name = "ID" }, { .name = "TITLE" } };
 *	struct columns t = { .v = v, .n = 2 };
 *
 *	columns_measure(&t, cells);      for each row, or for those of the first page
 *	columns_lay_out(&t, term_columns(STDOUT_FILENO));
 *	columns_add_heading(&t, &b);
 *	columns_add_row(&t, &b, cells);  for each row
 *
 * or all of that with columns_add_table(). `cells` has a span for each column. No function adds an
 * end of line, except columns_add_table().
 */
#ifndef TTY_COLUMNS_H
#define TTY_COLUMNS_H

#include <stdbool.h>

#include "base/buf.h"

struct column {
	const char *name;  /* the heading; "" in a table without headings */
	const char *brief; /* the heading when only the first `least` columns of each cell are shown, as
	                    * of a date with a time; NULL: a cell that is cut ends with "…" */
	size_t width;      /* at least; columns_measure() raises it to that of the widest cell */
	size_t most;       /* a wider cell is cut; 0: no limit */
	size_t least;      /* where there is less room, the column is cut to this before it is left out;
	                    * 0: it is not cut. Of the last column: what the others leave for it */
	size_t from;       /* the column is left out of a window that has fewer columns than this */
	unsigned rank;     /* less than the number of columns: the lowest gets its room first, equal ones
	                    * from left to right. The first is always shown, the last gets the rest */
	bool right;        /* aligned to the right, as numbers are */
	size_t shown;      /* set by columns_lay_out(): its width in this window; 0: left out */
};

#define COLUMNS_MAX 8 /* of a table */

struct columns {
	struct column *v; /* the caller's */
	size_t n;
	bool oom; /* a width could not be measured: the rows report it */
};

/* An empty cell takes no room, so cells whose width is known need not be made for this. */
void columns_measure(struct columns *t, const struct span *cells);
/* May be called again, for another window or after more was measured. */
void columns_lay_out(struct columns *t, size_t window);
void columns_add_heading(const struct columns *t, struct buf *b);
void columns_add_row(const struct columns *t, struct buf *b, const struct span *cells);

/* A row for another program: tabs between the cells, whose control characters become spaces. */
void columns_add_tabs(struct buf *b, const struct span *cells, size_t n);

/*
 * A whole table; nothing if it has no rows. `cells` holds the rows, with a NUL after each cell. With
 * `window` 0 the rows are for another program.
 */
void columns_add_table(struct columns *t, struct buf *b, struct span cells, size_t window);

#endif
