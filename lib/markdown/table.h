/*
 * A Markdown table as rows: columns aligned, their cells wrapped where the window is too
 * narrow; or, where it is far too narrow, each row as a list of its cells.
 */
#ifndef MARKDOWN_TABLE_H
#define MARKDOWN_TABLE_H

#include "markdown/flow.h"

#define TABLE_COLUMNS 64 /* more is no table that a person could read */

enum table_align { ALIGN_LEFT, ALIGN_CENTER, ALIGN_RIGHT };

struct table_run {
	size_t at, n; /* in the text; n == 0: an end of line */
	unsigned style;
};

struct table_cell {
	size_t first_run, runs, source;
};

struct table {
	size_t columns;
	enum table_align align[TABLE_COLUMNS];
	struct buf text;
	struct table_run *runs;
	size_t nruns, runs_cap;
	struct table_cell *cells; /* row by row, the head first */
	size_t ncells, cells_cap;
};

#define TABLE_INIT { .text = BUF_INIT }

/* Cell by cell. */
void table_begin_cell(struct table *t, size_t column, enum table_align align, size_t source);
void table_add(struct table *t, struct span text, unsigned style, size_t source);
void table_break(struct table *t);

/* How the columns are laid out. */
struct table_layout {
	size_t n, widths[TABLE_COLUMNS]; /* n == 0: not known yet */
};

/* Adds it to `rows`. A layout that is known is kept; else it is chosen and filled in. With
 * `goes_on` the head is not shown: it was. */
void table_add_rows(const struct table *t, struct rows *rows, struct margins *m, size_t columns,
                    struct table_layout *layout, bool goes_on);
void table_release(struct table *t);

#endif
