/*
 * A frame of the picker: the filter, the list, the preview of the selected item beside it
 * in a wide window and below in a narrow one, a line of help. What does not fit a small
 * window is left out, the list and the filter last.
 *
 * Nothing is told by colour: the selected row has a mark, and is shown in reverse; what
 * the filter found is bold and underlined.
 */
#include <stdlib.h>
#include <string.h>

#include "tty/neutral.h"
#include "prompt/picker-parts.h"
#include "tty/term.h"

#define WIDE 100       /* columns from which the preview is beside the list */
#define HIGH 15        /* rows from which it is below */
#define MARK 2         /* columns before each row */
#define HELP "Enter picks, Esc leaves, Up and Down move, Ctrl-U clears the filter"

struct layout {
	size_t columns; /* one less than the window has */
	bool headings, help;
	size_t list_row, list_rows, list_columns;
	size_t view_row, view_rows, view_column, view_columns; /* no rows: no preview */
};

static void lay_out(struct layout *l, size_t rows, size_t columns)
{
	size_t end;

	*l = (struct layout){ .columns = columns - 1 };
	l->headings = rows >= 8;
	l->help = rows >= 10;
	l->list_row = rows > 1 ? 1 + l->headings : 1;
	end = rows - l->help;
	l->list_rows = end > l->list_row ? end - l->list_row : 0;
	l->list_columns = l->columns;
	if (columns >= WIDE && l->list_rows >= 4) {
		l->list_columns = columns * 9 / 20 < 52 ? 52 : columns * 9 / 20 > 110 ? 110 : columns * 9 / 20;
		l->view_row = 1;
		l->view_rows = end - 1;
		l->view_column = l->list_columns + 3;
		l->view_columns = l->columns - l->view_column;
	} else if (rows >= HIGH && columns >= 20) {
		l->list_rows /= 2;
		l->view_row = l->list_row + l->list_rows + 1; /* behind a rule */
		l->view_rows = end - l->view_row;
		l->view_columns = l->columns;
	}
}

/* ---- text ---- */

/* Adds text with what the filter found set off. The attributes end with it. */
static void add_marked(struct picker *p, struct buf *out, struct span text)
{
	bool *marks = calloc(text.n + 1, sizeof(*marks)), on = false;

	if (!marks || filter_mark(&p->filter, text, marks) < 0)
		out->oom = true;
	for (size_t i = 0; marks && i <= text.n; i++) {
		if (marks[i] != on)
			buf_adds(out, on ? "\033[22;24m" : "\033[1;4m");
		on = marks[i];
		if (i < text.n)
			buf_addc(out, text.p[i]);
	}
	free(marks);
}

static void add_blanks(struct buf *b, size_t n)
{
	for (; n; n--)
		buf_addc(b, ' ');
}

/* Takes off what is before the next `mark`, which goes too. */
static struct span take(struct span *text, char mark)
{
	const char *end = memchr(text->p, mark, text->n);
	struct span part = { text->p, end ? (size_t)(end - text->p) : text->n };
	size_t n = part.n + (end != NULL);

	*text = (struct span){ text->p + n, text->n - n };
	return part;
}

/* ---- the filter ---- */

/* The end of a long one stays in sight. */
static struct span tail(struct span text, size_t columns)
{
	while (text.n && term_width(text) > columns)
		do
			text = (struct span){ text.p + 1, text.n - 1 };
		while (text.n && (*text.p & 0xc0) == 0x80);
	return text;
}

static void draw_filter(struct picker *p, const struct layout *l, struct buf *row, size_t *cursor)
{
	struct buf count = BUF_INIT, typed = BUF_INIT;
	size_t room, used;

	buf_addf(&count, "  %zu/%zu%s", p->kept, p->nitems, picker_busy(p) ? "+" : "");
	neutral_add(&typed, buf_span(&p->typed));
	if (l->columns >= 24)
		buf_addf(row, "%s: ", p->source->what);
	else if (l->columns >= 8)
		buf_adds(row, "> ");
	used = term_width(buf_span(row));
	room = l->columns - used;
	if (room < count.n + 12)
		buf_clear(&count);
	room -= count.n;
	buf_add(row, tail(buf_span(&typed), room).p, tail(buf_span(&typed), room).n);
	*cursor = term_width(buf_span(row));
	if (count.n) {
		add_blanks(row, l->columns - *cursor - count.n);
		buf_add(row, count.p, count.n);
	}
	row->oom |= count.oom || typed.oom;
	buf_release(&count);
	buf_release(&typed);
}

/* ---- the list ---- */

static struct columns columns_of(struct picker *p)
{
	return (struct columns){ .v = p->columns, .n = p->source->ncolumns };
}

static void split(struct span cells, struct span *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = take(&cells, '\t');
}

/* As wide as the list when `pad`. */
static void pad_row(const struct layout *l, struct buf *row, size_t used, bool pad)
{
	size_t room = l->list_columns - MARK;

	add_blanks(row, pad && used < room ? room - used : 0);
}

static void draw_headings(struct picker *p, const struct layout *l, struct buf *row)
{
	struct columns t = columns_of(p);

	if (l->list_columns <= MARK)
		return;
	add_blanks(row, MARK);
	columns_add_heading(&t, row);
	pad_row(l, row, term_width(buf_span(row)) - MARK, l->view_column > 0);
}

static void draw_item(struct picker *p, const struct layout *l, struct buf *row, size_t at,
                      struct span cells)
{
	bool selected = at == p->selected;
	struct columns t = columns_of(p);
	struct span v[COLUMNS_MAX];
	struct buf text = BUF_INIT;

	if (l->list_columns <= MARK)
		return;
	split(cells, v, t.n);
	columns_add_row(&t, &text, v);
	buf_adds(row, selected ? "\033[7m> " : "  ");
	add_marked(p, row, buf_span(&text));
	pad_row(l, row, term_width(buf_span(&text)), selected || l->view_column);
	buf_adds(row, selected ? "\033[m" : "");
	row->oom |= text.oom;
	buf_release(&text);
}

static void keep_in_sight(struct picker *p, size_t rows)
{
	p->page = rows ? rows : 1;
	if (p->selected < p->top)
		p->top = p->selected;
	if (p->selected >= p->top + p->page)
		p->top = p->selected - p->page + 1;
	/* After the list became longer or the window higher, no row is left empty. */
	if (p->top + p->page > p->kept)
		p->top = p->kept > p->page ? p->kept - p->page : 0;
}

/* The cells of the rows in sight, a line each. */
static void ask_for_rows(struct picker *p, struct buf *cells, size_t rows)
{
	struct columns t = columns_of(p);

	for (size_t i = 0; i < rows && p->top + i < p->kept; i++) {
		struct span v[COLUMNS_MAX];
		size_t start = cells->n;

		p->source->row(p->source->ctx, p->fits[p->top + i], cells);
		for (size_t at = start; at < cells->n; at++)
			if (cells->p[at] == '\n')
				cells->p[at] = ' ';
		split((struct span){ cells->p + start, cells->n - start }, v, t.n);
		columns_measure(&t, v);
		buf_addc(cells, '\n');
	}
	cells->oom |= t.oom;
}

static void draw_list(struct picker *p, const struct layout *l, struct buf *rows)
{
	struct columns t = columns_of(p);
	struct buf cells = BUF_INIT;
	struct span rest;

	keep_in_sight(p, l->list_rows);
	ask_for_rows(p, &cells, l->list_rows);
	columns_lay_out(&t, l->list_columns > MARK ? l->list_columns - MARK : 0);
	rest = buf_span(&cells);
	if (l->headings)
		draw_headings(p, l, &rows[1]);
	for (size_t i = 0; i < l->list_rows && rest.n; i++)
		draw_item(p, l, &rows[l->list_row + i], p->top + i, take(&rest, '\n'));
	if (!p->kept && l->list_rows)
		term_add_fit(&rows[l->list_row], span_str(picker_busy(p) ? "  …" : "  nothing fits"),
		             l->list_columns, l->view_column > 0);
	rows[0].oom |= cells.oom;
	buf_release(&cells);
}

/* ---- the preview ---- */

/* Asked for once, as long as neither the item nor the room changes. */
static void take_preview(struct picker *p, const struct layout *l)
{
	struct picker_preview *v = &p->preview;
	size_t item = picker_item(p);

	if (item == p->preview_of && v->rows == l->view_rows && v->columns == l->view_columns)
		return;
	buf_clear(&v->text);
	*v = (struct picker_preview){ l->view_rows, l->view_columns, v->text, 0 };
	p->preview_of = item;
	if (item != PICKER_NONE)
		p->source->preview(p->source->ctx, item, v);
}

static void draw_preview(struct picker *p, const struct layout *l, struct buf *rows)
{
	struct span rest;

	take_preview(p, l);
	rest = buf_span(&p->preview.text);
	for (size_t i = 0; i < l->view_rows; i++) {
		struct buf *row = &rows[l->view_row + i];

		if (l->view_column) /* to the column itself: the list may have odd widths */
			buf_addf(row, "\033[%zuG| ", l->view_column - 1);
		add_marked(p, row, take(&rest, '\n'));
	}
	rows[0].oom |= p->preview.text.oom;
}

static void draw_rule(const struct layout *l, struct buf *row)
{
	for (size_t i = 0; i < l->columns; i++)
		buf_addc(row, '-');
}

/* What there is to say, or how it works; in a small window only the former. */
static void draw_help(struct picker *p, const struct layout *l, struct buf *row)
{
	struct buf clean = BUF_INIT;

	if (!l->help && !p->message.n)
		return;
	buf_clear(row);
	neutral_add_line(&clean, p->message.n ? buf_span(&p->message) : span_str(HELP));
	term_add_fit(row, buf_span(&clean), l->columns, false);
	row->oom |= clean.oom;
	buf_release(&clean);
}

int picker_draw(struct picker *p, struct buf *rows, size_t nrows, size_t columns, size_t *cursor,
                struct err *e)
{
	struct layout l;

	lay_out(&l, nrows, columns);
	for (size_t i = 0; i < nrows; i++)
		buf_clear(&rows[i]);
	draw_filter(p, &l, &rows[0], cursor);
	if (nrows > 1)
		draw_list(p, &l, rows);
	if (l.view_rows)
		draw_preview(p, &l, rows);
	if (l.view_rows && !l.view_column)
		draw_rule(&l, &rows[l.view_row - 1]);
	if (nrows > 1)
		draw_help(p, &l, &rows[nrows - 1]);
	for (size_t i = 0; i < nrows; i++)
		if (buf_check(&rows[i], e) < 0)
			return -1;
	return 0;
}
