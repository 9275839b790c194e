#include "markdown/render-parts.h"

#include <stdio.h>

#include "markdown/split-line.h"

/* ---- blocks ---- */

void render_begin_block(struct rendering *s, size_t at)
{
	size_t source = render_source(s, at);

	if (s->any ? render_blank_before(s, at) : s->part->blank && !s->how->first)
		margins_add_blank(&s->margins, s->rows, s->how->columns, source ? source - 1 : 0);
	s->any = true;
	s->told = at;
	s->begun = true;
}

void render_flush_marker(struct rendering *s)
{
	if (!margins_pending(&s->margins))
		return;
	margins_begin_row(&s->margins, s->rows, s->how->columns, render_source_now(s));
	rows_end(s->rows);
}

static void rule(struct rendering *s)
{
	size_t at = render_next_line(s), margin = margins_width(&s->margins, s->how->columns);
	size_t room = s->how->columns - margin;

	render_begin_block(s, at);
	margins_begin_row(&s->margins, s->rows, s->how->columns, render_source(s, at));
	rows_style(s->rows, STYLE_DIM);
	for (size_t i = 0; i < room && i < 40; i++)
		rows_add(s->rows, span_str("─"), 1);
	rows_end(s->rows);
}

static void begin_list(struct rendering *s, bool ordered, unsigned number, char delimiter)
{
	if (s->nlists < RENDER_LISTS)
		s->lists[s->nlists] = (struct list){ ordered, number, delimiter };
	if (ordered && s->nlists == 0 && !s->counted && s->part->goes_on && s->how->ordinal)
		s->lists[0].number = s->how->ordinal;
	s->nlists++;
}

static void end_list(struct rendering *s)
{
	s->nlists--;
	if (s->nlists == 0 && s->lists[0].ordered && !s->counted) {
		s->counted = true;
		s->how->ordinal = s->lists[0].number;
	}
}

static void begin_item(struct rendering *s, const MD_BLOCK_LI_DETAIL *d)
{
	struct list *l = &s->lists[s->nlists <= RENDER_LISTS ? s->nlists - 1 : RENDER_LISTS - 1];
	char marker[24];

	if (d->is_task)
		snprintf(marker, sizeof(marker), "[%c] ", d->task_mark == ' ' ? ' ' : 'x');
	else if (l->ordered)
		snprintf(marker, sizeof(marker), "%u%c ", l->number, l->delimiter);
	else
		snprintf(marker, sizeof(marker), "• ");
	l->number++;
	margins_push(&s->margins, marker, false);
}

/* ---- tables ---- */

/* It is the one whose head was shown with another part. */
static bool table_goes_on(const struct rendering *s)
{
	return s->part->head.n && !s->any;
}

static int begin_table(struct rendering *s, const MD_BLOCK_TABLE_DETAIL *d)
{
	size_t at = render_next_line(s), end = render_end_of_line(s, at) - 1;

	if (d->col_count > TABLE_COLUMNS)
		return 1;
	s->table->columns = d->col_count;
	/* If some of its first line was frozen, as text, that is shown again as a whole. */
	s->head_source = render_source(s, render_at_once(s, at, end));
	s->leaf = s->in_table = true;
	s->begun = table_goes_on(s);
	return 0;
}

static void end_table(struct rendering *s)
{
	bool goes_on = table_goes_on(s);
	struct table_layout layout = { 0 };

	if (goes_on)
		layout = s->how->table;
	for (size_t i = 0; i < s->table->columns && i < s->table->ncells; i++)
		s->table->cells[i].source = s->head_source;
	table_add_rows(s->table, s->rows, &s->margins, s->how->columns, &layout, goes_on);
	s->how->table = layout;
	s->rows->text.oom |= s->table->text.oom;
	table_release(s->table);
	s->any = true;
	s->leaf = s->in_table = false;
}

/* ---- what md4c tells ---- */

void render_begin_text(struct rendering *s)
{
	s->leaf = true;
	s->begun = false;
}

static void end_text(struct rendering *s)
{
	flow_end(&s->flow);
	s->style = 0;
	s->leaf = false;
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
	struct rendering *s = ctx;

	if (s->leaf && !s->in_table) /* an item's text, which is in no paragraph of its own */
		end_text(s);
	switch (type) {
	case MD_BLOCK_QUOTE: margins_push(&s->margins, "│ ", true); break;
	case MD_BLOCK_UL: begin_list(s, false, 1, 0); break;
	case MD_BLOCK_OL: {
		const MD_BLOCK_OL_DETAIL *d = detail;

		begin_list(s, true, d->start, d->mark_delimiter);
		break;
	}
	case MD_BLOCK_LI: begin_item(s, detail); break;
	case MD_BLOCK_HR: rule(s); break;
	case MD_BLOCK_CODE: render_begin_code(s, detail); break;
	case MD_BLOCK_TABLE: return begin_table(s, detail);
	case MD_BLOCK_TR: s->column = 0; break;
	case MD_BLOCK_TH:
	case MD_BLOCK_TD: {
		MD_ALIGN a = ((const MD_BLOCK_TD_DETAIL *)detail)->align;

		table_begin_cell(s->table, s->column++, a == MD_ALIGN_RIGHT ? ALIGN_RIGHT
		                 : a == MD_ALIGN_CENTER ? ALIGN_CENTER : ALIGN_LEFT, render_source_now(s));
		break;
	}
	case MD_BLOCK_H:
		s->level = ((const MD_BLOCK_H_DETAIL *)detail)->level;
		s->style = STYLE_BOLD;
		render_begin_text(s);
		break;
	case MD_BLOCK_P: render_begin_text(s); break;
	default: break;
	}
	return 0;
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
	struct rendering *s = ctx;

	(void)detail;
	switch (type) {
	case MD_BLOCK_QUOTE: margins_pop(&s->margins); break;
	case MD_BLOCK_UL:
	case MD_BLOCK_OL: end_list(s); break;
	case MD_BLOCK_LI:
		if (s->leaf)
			end_text(s);
		render_flush_marker(s);
		margins_pop(&s->margins);
		break;
	case MD_BLOCK_CODE: render_end_code(s); break;
	case MD_BLOCK_TABLE: end_table(s); break;
	case MD_BLOCK_H:
		if (s->level)
			render_begin_leaf(s, render_next_line(s));
		end_text(s);
		break;
	case MD_BLOCK_P: end_text(s); break;
	default: break;
	}
	return 0;
}

/* ---- a part ---- */

/* By words, one row or more for each line. */
static void render_plain(struct render *r, const struct part *p, struct rows *rows)
{
	struct flow f = { .rows = rows, .columns = r->columns, .from = r->from, .word = BUF_INIT };
	size_t at = 0;

	if (p->blank && !r->first && !p->goes_on)
		rows_add_row(rows, 0, 0, span_str(""));
	while (at < p->text.n) {
		const char *line = p->text.p + at, *end = memchr(line, '\n', p->text.n - at);
		size_t n = end ? (size_t)(end - line) : p->text.n - at;

		flow_add(&f, (struct span){ line, n }, 0, at, true);
		flow_break(&f);
		at += n + 1;
	}
	flow_end(&f);
	rows->text.oom |= f.word.oom;
	flow_release(&f);
}

/* md4c wants three characters in each cell below a table's head; GitHub, one. */
static void add_underline(struct buf *b, struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		buf_addc(b, line.p[i]);
		if (line.p[i] == '-' && (i == 0 || line.p[i - 1] != '-'))
			buf_adds(b, "--");
	}
}

/* The bar that ends a row, or where it would be. */
static size_t last_bar(struct span row)
{
	size_t n = span_trim_end(row, " \t").n;

	return n && row.p[n - 1] == '|' ? n - 1 : row.n;
}

/* md4c passes over a cell between two bars with nothing in between, and as on GitHub cells that are
 * too many are out of sight: they become text of the last one. */
static void add_row(struct buf *b, struct span row, size_t columns)
{
	size_t last = last_bar(row), bars = 0;
	bool begun = false;

	for (size_t i = 0; i < row.n; i++) {
		char c = row.p[i];

		if (c == '|' && begun && i < last && ++bars >= columns)
			buf_addc(b, '\\');
		else if (c == '|' && i && row.p[i - 1] == '|')
			buf_addc(b, ' ');
		begun = begun || (c != ' ' && c != '\t');
		buf_addc(b, c);
		if (c == '\\' && i + 1 < row.n)
			buf_addc(b, row.p[++i]);
	}
}

/* What follows the rows in the part stays as it is. */
static void add_rows(struct buf *b, struct span text, size_t columns)
{
	const char *first = text.p; /* may be what ends the line before */
	bool table = true;

	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		struct span row = { text.p, end ? (size_t)(end - text.p) : text.n };
		struct md_line l = line_look(row);
		size_t n = row.n + (end != NULL);

		table = table && (text.p == first || !line_ends_table(&l));
		if (table)
			add_row(b, row, columns);
		else
			buf_add(b, row.p, row.n);
		buf_add(b, "\n", end != NULL);
		text = (struct span){ text.p + n, text.n - n };
	}
}

/* The first two lines, when they are the head of a table; else nothing. */
static size_t table_head(struct span text, size_t *underline)
{
	const char *first = memchr(text.p, '\n', text.n), *second = NULL;
	struct md_line l;
	size_t columns;

	if (first)
		second = memchr(first + 1, '\n', text.n - (size_t)(first + 1 - text.p));
	if (!second)
		return 0;
	*underline = (size_t)(first + 1 - text.p);
	l = line_look((struct span){ first + 1, (size_t)(second - first - 1) });
	columns = line_table_columns(&l);
	return columns && columns == line_cells(text) ? (size_t)(second - text.p) : 0;
}

/*
 * Whether md4c may find tables in it. The second line may look like what is below a table's head, and
 * not fit the first line: no table on GitHub, but one for md4c, from version 0.5 on even where a
 * column has one dash only.
 */
static bool may_hold_table(struct span text)
{
	const char *first = memchr(text.p, '\n', text.n), *second;
	struct md_line l;
	size_t columns, n;

	if (!first)
		return true;
	n = text.n - (size_t)(first + 1 - text.p);
	second = memchr(first + 1, '\n', n);
	l = line_look((struct span){ first + 1, second ? (size_t)(second - first - 1) : n });
	columns = line_table_columns(&l);
	return !columns || columns == line_cells(text);
}

/* What md4c is given, in `b` if it is not the part's text. */
static void make_text(struct rendering *s, struct buf *b)
{
	const struct part *p = s->part;
	struct span from = p->head.n ? p->head : p->text;
	size_t underline, n = table_head(from, &underline);

	s->text = p->text;
	if (!n)
		return;
	buf_add(b, from.p, underline);
	add_underline(b, (struct span){ from.p + underline, n - underline });
	if (p->head.n) { /* it was shown with another part */
		buf_addc(b, '\n');
		s->head = s->added = b->n;
		add_rows(b, p->text, line_cells(from));
	} else {
		s->head = b->n;
		s->added = b->n - n;
		add_rows(b, (struct span){ from.p + n, from.n - n }, line_cells(from));
	}
	s->text = buf_span(b);
}

static bool render_markdown(struct render *r, const struct part *p, struct rows *rows)
{
	MD_PARSER parser = {
		.flags = MD_DIALECT_GITHUB | MD_FLAG_NOHTML,
		.enter_block = enter_block, .leave_block = leave_block,
		.enter_span = render_enter_span, .leave_span = render_leave_span, .text = render_text,
	};
	struct table table = TABLE_INIT;
	struct buf whole = BUF_INIT;
	struct rendering s = {
		.how = r, .part = p, .rows = rows, .told = RENDER_NONE, .table = &table,
		.flow = { .rows = rows, .columns = r->columns, .from = r->from, .word = BUF_INIT },
		.line = BUF_INIT, .linked = BUF_INIT, .opening = BUF_INIT,
	};
	int bad;

	s.flow.margins = &s.margins;
	make_text(&s, &whole);
	if (!may_hold_table(s.text))
		parser.flags &= ~(unsigned)MD_FLAG_TABLES;
	bad = r->md4c->parse(s.text.p, (MD_SIZE)s.text.n, &parser, &s);
	rows->text.oom |= whole.oom || s.flow.word.oom || s.line.oom || s.linked.oom;
	buf_release(&whole);
	flow_release(&s.flow);
	buf_release(&s.line);
	buf_release(&s.linked);
	buf_release(&s.opening);
	table_release(&table);
	return !bad;
}

/* What stands there, frozen. */
static void drop_before(struct rows *rows, size_t from)
{
	size_t n = 0;

	while (n < rows->n && rows->v[n].source < from)
		n++;
	rows_drop(rows, n);
}

void render_part(struct render *r, const struct part *p, struct rows *rows)
{
	struct render before = *r;

	rows_clear(rows);
	if (p->kind == PART_PLAIN || !render_markdown(r, p, rows)) {
		*r = before;
		rows_clear(rows);
		render_plain(r, p, rows);
	}
	drop_before(rows, r->from);
}
