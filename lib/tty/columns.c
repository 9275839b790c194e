#include "tty/columns.h"

#include "tty/neutral.h"
#include "tty/term.h"

#define GAP 2 /* blanks between columns */

static void add_blanks(struct buf *b, size_t n)
{
	for (; n; n--)
		buf_addc(b, ' ');
}

void columns_measure(struct columns *t, const struct span *cells)
{
	for (size_t i = 0; i < t->n; i++) {
		struct buf clean = BUF_INIT;
		size_t width;

		if (!cells[i].n || (i + 1 == t->n && !t->v[i].right)) /* which gets the rest anyway */
			continue;
		neutral_add_line(&clean, cells[i]);
		width = term_width(buf_span(&clean));
		t->oom |= clean.oom;
		t->v[i].width = width > t->v[i].width ? width : t->v[i].width;
		buf_release(&clean);
	}
}

/* ---- the layout ---- */

static size_t wanted(const struct column *c)
{
	size_t heading = term_width(span_str(c->name)), width = c->width > heading ? c->width : heading;

	return c->most && c->most < width ? c->most : width;
}

/* What the column gets of so much room. */
static size_t grant(const struct column *c, size_t room)
{
	size_t width = wanted(c);

	if (width <= room)
		return width;
	if (!c->least || c->least > room)
		return 0;
	return c->brief ? c->least : room;
}

static size_t room_after(size_t used, size_t window)
{
	size_t taken = used ? used + GAP : 0;

	return window > taken ? window - taken : 0;
}

void columns_lay_out(struct columns *t, size_t window)
{
	struct column *last = &t->v[t->n - 1];
	size_t used = 0, kept = last->least ? GAP + last->least : 0;

	for (size_t i = 0; i < t->n; i++)
		t->v[i].shown = 0;
	for (unsigned rank = 0; rank < t->n; rank++)
		for (struct column *c = t->v; c < last; c++) {
			size_t room = room_after(used, window), width = wanted(c);

			if (c->rank != rank || window < c->from)
				continue;
			if (!used)
				c->shown = width < room ? width : room;
			else
				c->shown = grant(c, room > kept ? room - kept : 0);
			if (c->shown)
				used += c->shown + (used ? GAP : 0);
		}
	if (window >= last->from) {
		size_t most = last->right ? wanted(last) : last->most;

		last->shown = room_after(used, window);
		if (most && most < last->shown)
			last->shown = most;
	}
}

/* ---- the rows ---- */

static bool is_brief(const struct column *c)
{
	return c->brief && c->shown == c->least && c->shown < wanted(c);
}

static void add_cell(struct buf *b, const struct column *c, struct span cell, bool pad)
{
	struct buf clean = BUF_INIT;
	struct span text;
	size_t width;

	neutral_add_line(&clean, cell);
	text = buf_span(&clean);
	if (is_brief(c))
		text.n = term_fit(text, c->shown, &width);
	width = term_width(text);
	if (c->right && width < c->shown)
		add_blanks(b, c->shown - width);
	term_add_fit(b, text, c->shown, pad && !c->right);
	b->oom |= clean.oom;
	buf_release(&clean);
}

void columns_add_row(const struct columns *t, struct buf *b, const struct span *cells)
{
	size_t start = b->n;

	for (size_t i = 0; i < t->n; i++) {
		if (!t->v[i].shown)
			continue;
		if (b->n > start)
			add_blanks(b, GAP);
		add_cell(b, &t->v[i], cells[i], i + 1 < t->n);
	}
	b->oom |= t->oom;
	b->n = start + span_trim_end((struct span){ b->p + start, b->n - start }, " ").n;
	b->p[b->n] = '\0';
}

void columns_add_heading(const struct columns *t, struct buf *b)
{
	struct span cells[COLUMNS_MAX];

	for (size_t i = 0; i < t->n; i++)
		cells[i] = span_str(is_brief(&t->v[i]) ? t->v[i].brief : t->v[i].name);
	columns_add_row(t, b, cells);
}

void columns_add_tabs(struct buf *b, const struct span *cells, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(b, '\t');
		neutral_add_column(b, cells[i]);
	}
}

static void take_row(struct span *cells, struct span *row, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *end = cells->n ? memchr(cells->p, '\0', cells->n) : NULL;
		size_t taken;

		row[i] = (struct span){ cells->p, end ? (size_t)(end - cells->p) : cells->n };
		taken = row[i].n + (end != NULL);
		*cells = (struct span){ cells->p + taken, cells->n - taken };
	}
}

void columns_add_table(struct columns *t, struct buf *b, struct span cells, size_t window)
{
	struct span row[COLUMNS_MAX];

	if (window && cells.n) {
		for (struct span rest = cells; rest.n;) {
			take_row(&rest, row, t->n);
			columns_measure(t, row);
		}
		columns_lay_out(t, window);
		columns_add_heading(t, b);
		buf_addc(b, '\n');
	}
	while (cells.n) {
		take_row(&cells, row, t->n);
		if (window)
			columns_add_row(t, b, row);
		else
			columns_add_tabs(b, row, t->n);
		buf_addc(b, '\n');
	}
}
