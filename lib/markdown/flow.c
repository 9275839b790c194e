#include "markdown/flow.h"

#include <stdio.h>

#include "base/utf8.h"
#include "tty/term.h"

#define JOINER 0x200d
#define NO_BREAK_SPACE 0xa0

/* ---- margins ---- */

void margins_push(struct margins *m, const char *text, bool bar)
{
	if (m->n < MARGINS_MAX) {
		struct margin *x = &m->v[m->n];

		*x = (struct margin){ .bar = bar, .pending = true };
		snprintf(x->text, sizeof(x->text), "%s", text);
		x->width = term_width(span_str(x->text));
	}
	m->n++;
}

void margins_pop(struct margins *m)
{
	m->n--;
}

bool margins_pending(const struct margins *m)
{
	for (size_t i = 0; i < m->n && i < MARGINS_MAX; i++)
		if (m->v[i].pending && !m->v[i].bar)
			return true;
	return false;
}

static void add_margin(struct margin *x, struct rows *r)
{
	if (x->bar)
		rows_style(r, STYLE_DIM);
	if (x->bar || x->pending)
		rows_add(r, span_str(x->text), x->width);
	else
		rows_add(r, (struct span){ "                        ", x->width }, x->width);
	rows_style(r, 0);
	x->pending = false;
}

/* How many have room: the text gets the larger half of the window, however deep it is nested. */
static size_t shown(const struct margins *m, size_t columns, size_t *width)
{
	size_t n = 0;

	for (*width = 0; m && n < m->n && n < MARGINS_MAX; n++) {
		if (*width + m->v[n].width > columns / 2)
			break;
		*width += m->v[n].width;
	}
	return n;
}

size_t margins_width(const struct margins *m, size_t columns)
{
	size_t width;

	shown(m, columns, &width);
	return width;
}

size_t margins_begin_row(struct margins *m, struct rows *r, size_t columns, size_t source)
{
	size_t width, n = shown(m, columns, &width);

	rows_begin(r, source);
	for (size_t i = 0; i < n; i++)
		add_margin(&m->v[i], r);
	for (size_t i = n; m && i < m->n && i < MARGINS_MAX; i++)
		m->v[i].pending = false;
	return width;
}

void margins_add_blank(const struct margins *m, struct rows *r, size_t columns, size_t source)
{
	size_t width, n = shown(m, columns, &width), bars = 0;

	for (size_t i = 0; i < n; i++)
		if (m->v[i].bar && !m->v[i].pending)
			bars = i + 1;
	rows_begin(r, source);
	for (size_t i = 0; i < bars; i++) {
		struct margin x = m->v[i];

		x.pending = false;
		if (i + 1 == bars) /* without its blank */
			x.text[strcspn(x.text, " ")] = '\0', x.width--;
		add_margin(&x, r);
	}
	rows_end(r);
}

/* ---- rows ---- */

static void end_row(struct flow *f)
{
	if (f->in_row)
		rows_end(f->rows);
	f->in_row = false;
}

static void begin_row(struct flow *f)
{
	f->width = margins_begin_row(f->glued ? NULL : f->margins, f->rows, f->columns, f->word_source);
	if (f->glued && f->rows->n)
		f->rows->v[f->rows->n - 1].glued = true;
	f->glued = false;
	f->in_row = f->empty = true;
	f->blanks = 0;
}

/* How wide the row may become: after what the terminal had to break, to the end of the line
 * that that ends in. */
static size_t room(const struct flow *f)
{
	size_t lines = f->width ? (f->width + f->columns - 1) / f->columns : 1;

	return lines * f->columns;
}

static void add_blanks(struct flow *f)
{
	rows_style(f->rows, f->blanks_style);
	for (; f->blanks; f->blanks--, f->width++)
		rows_add(f->rows, span_str(" "), 1);
}

static void put_word(struct flow *f)
{
	rows_style(f->rows, f->word_style);
	rows_add(f->rows, buf_span(&f->word), f->word_width);
	f->rows->style = f->word_last;
	f->width += f->word_width;
	f->empty = false;
}

static void end_word(struct flow *f)
{
	if (!f->word.n)
		return;
	if (f->in_row && !f->empty && f->width + f->blanks + f->word_width > room(f))
		end_row(f);
	if (!f->in_row)
		begin_row(f);
	if (!f->empty)
		add_blanks(f);
	f->blanks = 0;
	put_word(f);
	f->rows->text.oom |= f->word.oom;
	buf_clear(&f->word);
	f->word_width = 0;
	f->wide = f->joined = false;
	if (f->alone)
		end_row(f);
	f->alone = false;
}

/* Here the rows begin anew: something in between was frozen as it was. A word that is cut by that
 * goes on where the cursor is, and has a row of its own. */
static void pass(struct flow *f, bool blank)
{
	bool within = f->word.n > 0 && !blank;

	end_word(f);
	end_row(f);
	f->passed = true;
	f->glued = f->alone = within;
}

/* ---- characters ---- */

static void add_blank(struct flow *f, unsigned style)
{
	end_word(f);
	f->blanks_style = f->blanks ? f->blanks_style & style : style;
	f->blanks++;
}

/* No row begins with these. */
static bool must_follow(uint32_t c)
{
	static const uint32_t list[] = { 0x3001, 0x3002, 0x300b, 0x300d, 0x300f, 0x3011, 0x3015, 0x30fc,
		                         0xff01, 0xff09, 0xff0c, 0xff0e, 0xff1a, 0xff1b, 0xff1f };

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == c)
			return true;
	return c < 0x80 && c != '(' && c != '[' && c != '{' && c != '<' &&
	       !(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* Whether a row may end between the word and this character. */
static bool may_break(const struct flow *f, uint32_t c, size_t width)
{
	if (!f->word.n || f->joined || !width || must_follow(c))
		return false;
	return f->wide || width == 2;
}

static void add_character(struct flow *f, struct span bytes, uint32_t c, unsigned style, size_t source)
{
	size_t width = term_char_width(c);

	if (may_break(f, c, width) || (f->hard && f->word_width + width > f->columns))
		end_word(f);
	if (!f->word.n) {
		f->word_style = f->word_last = style;
		f->word_source = source;
	}
	if (f->word_last != style)
		style_add(&f->word, style);
	f->word_last = style;
	buf_add(&f->word, bytes.p, bytes.n);
	f->word_width += width;
	f->joined = c == JOINER;
	if (width)
		f->wide = width == 2;
}

void flow_add(struct flow *f, struct span text, unsigned style, size_t source, bool exact)
{
	for (size_t i = 0; i < text.n;) {
		uint32_t c = 0;
		int len = utf8_decode(text.p + i, text.n - i, &c);
		struct span bytes = { text.p + i, len > 0 ? (size_t)len : 1 };
		size_t at = exact ? source + i : source;

		bool blank = c == ' ' || c == '\t' || c == '\n';

		i += bytes.n;
		if (c == ROWS_HIDDEN)
			continue;
		if (!f->passed && at >= f->from)
			pass(f, blank);
		if (blank)
			add_blank(f, style);
		else
			add_character(f, bytes, c, style, at);
	}
}

void flow_break(struct flow *f)
{
	end_word(f);
	end_row(f);
	f->blanks = 0;
}

void flow_end(struct flow *f)
{
	flow_break(f);
	f->glued = f->alone = false;
}

void flow_release(struct flow *f)
{
	buf_release(&f->word);
}
