#include "markdown/table.h"

#include <stdlib.h>

#include "base/array.h"
#include "tty/term.h"

#define BETWEEN " | "
#define BETWEEN_WIDTH 3
#define NARROW 5 /* columns narrower than this are not worth it */

/* ---- taking it in ---- */

void table_begin_cell(struct table *t, size_t column, enum table_align align, size_t source)
{
	struct err e = ERR_INIT;
	struct table_cell *v = array_room(t->cells, t->ncells, &t->cells_cap, sizeof(*v), &e);

	if (column < TABLE_COLUMNS)
		t->align[column] = align;
	if (!v) {
		t->text.oom = true;
		return;
	}
	t->cells = v;
	v[t->ncells++] = (struct table_cell){ .first_run = t->nruns, .source = source };
}

static void add_run(struct table *t, struct table_run run)
{
	struct err e = ERR_INIT;
	struct table_run *v = array_room(t->runs, t->nruns, &t->runs_cap, sizeof(*v), &e);

	if (!v || !t->ncells) {
		t->text.oom |= !v;
		return;
	}
	t->runs = v;
	v[t->nruns++] = run;
	t->cells[t->ncells - 1].runs++;
}

void table_add(struct table *t, struct span text, unsigned style, size_t source)
{
	if (!text.n)
		return;
	if (t->ncells && !t->cells[t->ncells - 1].runs)
		t->cells[t->ncells - 1].source = source;
	add_run(t, (struct table_run){ t->text.n, text.n, style });
	buf_add(&t->text, text.p, text.n);
}

void table_break(struct table *t)
{
	add_run(t, (struct table_run){ 0 });
}

void table_release(struct table *t)
{
	buf_release(&t->text);
	free(t->runs);
	free(t->cells);
	*t = (struct table)TABLE_INIT;
}

/* ---- cells ---- */

static void flow_cell(const struct table *t, size_t i, struct flow *f, unsigned style, size_t source)
{
	const struct table_cell *cell = &t->cells[i];

	for (size_t k = 0; k < cell->runs; k++) {
		const struct table_run *run = &t->runs[cell->first_run + k];

		if (run->n)
			flow_add(f, (struct span){ t->text.p + run->at, run->n }, run->style | style, source,
			         false);
		else
			flow_break(f);
	}
}

static void cell_rows(const struct table *t, size_t i, size_t columns, unsigned style,
                      struct rows *rows)
{
	struct flow f = { .rows = rows, .columns = columns, .hard = true, .word = BUF_INIT };

	rows_clear(rows);
	flow_cell(t, i, &f, style, 0);
	flow_end(&f);
	flow_release(&f);
}

/* The widest line of a cell that has all the room it wants. */
static size_t natural_width(const struct table *t, size_t i, struct rows *scratch)
{
	size_t width = 0;

	cell_rows(t, i, SIZE_MAX / 4, 0, scratch);
	for (size_t k = 0; k < scratch->n; k++)
		if (scratch->v[k].width > width)
			width = scratch->v[k].width;
	return width;
}

/* ---- the layout ---- */

static size_t sum_capped(const struct table_layout *l, size_t cap)
{
	size_t sum = 0;

	for (size_t i = 0; i < l->n; i++)
		sum += l->widths[i] < cap ? l->widths[i] : cap;
	return sum;
}

/* The widest columns give way, down to a width that is the same for all of them. */
static void shrink(struct table_layout *l, size_t room)
{
	size_t low = 1, high = room, left;

	if (sum_capped(l, SIZE_MAX) <= room)
		return;
	while (low < high) {
		size_t middle = (low + high + 1) / 2;

		if (sum_capped(l, middle) <= room)
			low = middle;
		else
			high = middle - 1;
	}
	left = room - sum_capped(l, low);
	for (size_t i = 0; i < l->n; i++)
		if (l->widths[i] > low) {
			l->widths[i] = low + (left > 0);
			left -= left > 0;
		}
}

static void lay_out(const struct table *t, struct table_layout *l)
{
	struct rows scratch = ROWS_INIT;

	*l = (struct table_layout){ .n = t->columns };
	for (size_t i = 0; i < t->ncells; i++) {
		size_t width = natural_width(t, i, &scratch), c = i % t->columns;

		if (width > l->widths[c])
			l->widths[c] = width;
	}
	for (size_t c = 0; c < l->n; c++)
		if (!l->widths[c])
			l->widths[c] = 1;
	rows_release(&scratch);
}

/* Cells without text do not know where they are. */
static size_t row_source(const struct table *t, size_t row)
{
	size_t source = 0;

	for (size_t c = 0; c < t->columns; c++)
		if (t->cells[row * t->columns + c].source > source)
			source = t->cells[row * t->columns + c].source;
	return source;
}

/* ---- as columns ---- */

static void add_pad(struct rows *rows, size_t n)
{
	for (; n; n--)
		rows_add(rows, span_str(" "), 1);
}

/* Line `line` of a cell, aligned; what pads the last column is left out. */
static void add_cell_line(struct rows *rows, const struct rows *cell, size_t line, size_t width,
                          enum table_align align, bool last)
{
	size_t has = line < cell->n ? cell->v[line].width : 0;
	size_t free = width > has ? width - has : 0;
	size_t left = align == ALIGN_RIGHT ? free : align == ALIGN_CENTER ? free / 2 : 0;

	if (has) {
		add_pad(rows, left);
		rows_add(rows, row_text(cell, line), has);
		free -= left;
	}
	if (!last)
		add_pad(rows, free);
}

static void add_between(struct rows *rows, const char *text)
{
	rows_style(rows, STYLE_DIM);
	rows_add(rows, span_str(text), BETWEEN_WIDTH);
	rows_style(rows, 0);
}

static void add_columns(const struct table *t, size_t row, struct rows *rows, struct margins *m,
                        size_t columns, const struct table_layout *l, struct rows *cells)
{
	size_t first = row * t->columns, height = 1;

	for (size_t c = 0; c < l->n; c++) {
		cell_rows(t, first + c, l->widths[c], row ? 0 : STYLE_BOLD, &cells[c]);
		rows->text.oom |= cells[c].text.oom;
		if (cells[c].n > height)
			height = cells[c].n;
	}
	for (size_t line = 0; line < height; line++) {
		margins_begin_row(m, rows, columns, row_source(t, row));
		for (size_t c = 0; c < l->n; c++) {
			add_cell_line(rows, &cells[c], line, l->widths[c], t->align[c], c + 1 == l->n);
			if (c + 1 < l->n)
				add_between(rows, BETWEEN);
		}
		rows_end(rows);
		if (rows->n)
			rows->v[rows->n - 1].whole = true;
	}
}

static void add_rule(const struct table *t, struct rows *rows, struct margins *m, size_t columns,
                     const struct table_layout *l)
{
	margins_begin_row(m, rows, columns, t->cells[0].source);
	rows_style(rows, STYLE_DIM);
	for (size_t c = 0; c < l->n; c++) {
		for (size_t i = 0; i < l->widths[c]; i++)
			rows_add(rows, span_str("-"), 1);
		if (c + 1 < l->n)
			rows_add(rows, span_str("-|-"), BETWEEN_WIDTH);
	}
	rows_end(rows);
}

static void add_table(const struct table *t, struct rows *rows, struct margins *m, size_t columns,
                      const struct table_layout *l, bool goes_on)
{
	struct rows cells[TABLE_COLUMNS] = { 0 };
	size_t n = t->ncells / t->columns;

	for (size_t c = 0; c < l->n; c++)
		cells[c] = (struct rows)ROWS_INIT;
	for (size_t row = goes_on; row < n; row++) {
		add_columns(t, row, rows, m, columns, l, cells);
		if (row == 0)
			add_rule(t, rows, m, columns, l);
	}
	for (size_t c = 0; c < l->n; c++)
		rows_release(&cells[c]);
}

/* ---- as lists ---- */

static void add_list(const struct table *t, size_t row, struct flow *f)
{
	size_t first = row * t->columns, source = row_source(t, row);

	for (size_t c = 0; c < t->columns; c++) {
		flow_cell(t, c, f, STYLE_BOLD, source);
		if (row) {
			flow_add(f, span_str(": "), STYLE_BOLD, source, false);
			flow_cell(t, first + c, f, 0, source);
		}
		flow_break(f);
	}
}

/* Each row by itself, each cell behind its column's name. */
static void add_lists(const struct table *t, struct rows *rows, struct margins *m, size_t columns,
                      bool goes_on)
{
	struct flow f = { .rows = rows, .margins = m, .columns = columns, .word = BUF_INIT };
	size_t n = t->ncells / t->columns, first = rows->n;

	for (size_t row = n > 1; row < n; row++) {
		if (row > 1 || goes_on)
			margins_add_blank(m, rows, columns, row_source(t, row));
		add_list(t, row, &f);
	}
	flow_end(&f);
	flow_release(&f);
	for (size_t i = first; i < rows->n; i++)
		rows->v[i].whole = true;
}

/* ---- either ---- */

void table_add_rows(const struct table *t, struct rows *rows, struct margins *m, size_t columns,
                    struct table_layout *layout, bool goes_on)
{
	size_t margin = margins_width(m, columns), between = (t->columns - 1) * BETWEEN_WIDTH;

	if (!t->columns || t->ncells < t->columns)
		return;
	if (columns < margin + between + t->columns * NARROW) {
		add_lists(t, rows, m, columns, goes_on);
		return;
	}
	if (layout->n != t->columns)
		lay_out(t, layout);
	shrink(layout, columns - margin - between);
	add_table(t, rows, m, columns, layout, goes_on);
}
