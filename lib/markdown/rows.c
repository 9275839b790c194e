#include "markdown/rows.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/utf8.h"
#include "tty/term.h"

#define RESET "\033[0m"

void rows_clear(struct rows *r)
{
	buf_clear(&r->text);
	r->n = 0;
	r->style = 0;
	r->open = false;
}

void rows_release(struct rows *r)
{
	buf_release(&r->text);
	free(r->v);
	*r = (struct rows)ROWS_INIT;
}

void rows_begin(struct rows *r, size_t source)
{
	struct err e = ERR_INIT;
	struct row *v = array_room(r->v, r->n, &r->cap, sizeof(*v), &e);

	if (!v) {
		r->text.oom = true;
		return;
	}
	r->v = v;
	if (r->n && source < v[r->n - 1].source)
		source = v[r->n - 1].source;
	v[r->n++] = (struct row){ .at = r->text.n, .source = source };
	r->style = 0;
	r->open = true;
}

/* The sequence leaves nothing of what was before. */
void style_add(struct buf *b, unsigned style)
{
	static const char *const codes[] = { ";1", ";2", ";3", ";4", ";9", ";36" };

	buf_adds(b, "\033[0");
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (style & 1u << i)
			buf_adds(b, codes[i]);
	buf_addc(b, 'm');
}

void rows_style(struct rows *r, unsigned style)
{
	if (style != r->style)
		style_add(&r->text, style);
	r->style = style;
}

void rows_add(struct rows *r, struct span text, size_t width)
{
	if (!r->open)
		return;
	buf_add(&r->text, text.p, text.n);
	r->v[r->n - 1].width += width;
}

void rows_end(struct rows *r)
{
	if (!r->open)
		return;
	rows_style(r, 0);
	r->v[r->n - 1].n = r->text.n - r->v[r->n - 1].at;
	r->open = false;
}

void rows_add_row(struct rows *r, size_t source, unsigned style, struct span text)
{
	rows_begin(r, source);
	rows_style(r, style);
	rows_add(r, text, term_width(text));
	rows_end(r);
}

void rows_drop(struct rows *r, size_t n)
{
	size_t bytes;

	if (!n)
		return;
	if (n >= r->n) {
		rows_clear(r);
		return;
	}
	bytes = r->v[n].at;
	r->n -= n;
	memmove(r->v, r->v + n, r->n * sizeof(*r->v));
	for (size_t i = 0; i < r->n; i++)
		r->v[i].at -= bytes;
	buf_drop(&r->text, bytes);
}

void rows_cut(struct rows *r, size_t n)
{
	if (n >= r->n)
		return;
	r->text.n = r->v[n].at;
	r->n = n;
}

struct span row_text(const struct rows *r, size_t i)
{
	return (struct span){ r->text.p + r->v[i].at, r->v[i].n };
}

/* A wide character that has not enough room goes to the next line, and leaves a gap. */
static size_t lines_exactly(struct span text, size_t columns)
{
	size_t lines = 1, at = 0;

	for (size_t i = 0; i < text.n;) {
		uint32_t c = 0;
		int len = utf8_decode(text.p + i, text.n - i, &c);
		size_t w;

		if (c == '\033') {
			while (i < text.n && text.p[i] != 'm')
				i++;
			i++;
			continue;
		}
		w = c == '\t' ? 8 - at % 8 : term_char_width(c);
		if (at + w > columns)
			lines++, at = 0;
		at += w;
		i += len > 0 ? (size_t)len : 1;
	}
	return lines;
}

size_t row_lines(const struct rows *r, size_t i, size_t columns)
{
	return r->v[i].width <= columns ? 1 : lines_exactly(row_text(r, i), columns);
}

/* ---- code ---- */

/* The length of what is at the front of `text`, one character or sequence, and its columns. */
static size_t step(struct span text, size_t at, uint32_t *c, size_t *width)
{
	const char *end;
	int len = utf8_decode(text.p, text.n, c);

	if (len <= 0)
		*c = 0xfffd;
	if (*c == '\033') {
		end = memchr(text.p, 'm', text.n);
		*width = 0;
		return end ? (size_t)(end + 1 - text.p) : text.n;
	}
	*width = *c == '\t' ? 8 - at % 8 : *c == ROWS_HIDDEN ? 0 : term_char_width(*c);
	return len > 0 ? (size_t)len : 1;
}

/* Terminals that copy a tab as one need it; but one at the margin has no width that all agree
 * upon. */
static bool fits_with_tabs(struct span line, size_t columns)
{
	size_t at = 0, width;
	uint32_t c;

	for (size_t i = 0; i < line.n; at += width)
		i += step((struct span){ line.p + i, line.n - i }, at, &c, &width);
	return at < columns;
}

size_t rows_add_code(struct rows *r, struct span line, size_t at, size_t columns)
{
	bool tabs = at == 0 && fits_with_tabs(line, columns);
	size_t width;
	uint32_t c;

	for (size_t i = 0, n; i < line.n; i += n, at += width) {
		n = step((struct span){ line.p + i, line.n - i }, at, &c, &width);
		if (c == '\t' && !tabs)
			rows_add(r, (struct span){ "        ", width }, width);
		else if (c != ROWS_HIDDEN)
			rows_add(r, (struct span){ line.p + i, n }, width);
	}
	return at;
}
