/*
 * A terminal, as far as lib/tty draws on one: characters of one and two columns, tabs, line
 * feeds (which begin a line, as the driver makes them), carriage returns, cursor up, clearing to
 * the end of the line and of the screen, and SGR sequences. Anything else is a fault, and so is a cursor
 * that would leave the window. What scrolls out is kept.
 *
 *	struct screen s = { .columns = 80, .height = 24 };
 *	screen_feed(&s, bytes);
 *	if (s.fault) …
 *	screen_text(&s, &text, true);
 *	screen_release(&s);
 */
#ifndef UNIT_SCREEN_H
#define UNIT_SCREEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "tty/term.h"

struct cell {
	char text[28]; /* a character and what is combined with it; "": the right half of a wide one */
	unsigned style;
};

struct screen_line {
	struct cell *cells;
	size_t n;
	bool wrapped; /* it goes on in the next */
};

struct screen {
	size_t columns, height; /* height 0: endless */
	struct screen_line *lines;
	size_t n, top;          /* lines there are; the first in the window */
	size_t row, column;
	bool wraps;             /* the next character goes to the next line */
	unsigned style;
	const char *fault;
};

static inline void screen_fault(struct screen *s, const char *what)
{
	s->fault = s->fault ? s->fault : what;
}

static inline struct screen_line *screen_line(struct screen *s, size_t row)
{
	while (s->n <= row) {
		s->lines = realloc(s->lines, (s->n + 1) * sizeof(*s->lines));
		if (!s->lines)
			abort();
		s->lines[s->n++] = (struct screen_line){ 0 };
	}
	return &s->lines[row];
}

static inline void screen_down(struct screen *s)
{
	s->row++;
	screen_line(s, s->row);
	if (s->height && s->row >= s->top + s->height)
		s->top = s->row - s->height + 1;
}

static inline void screen_put_cell(struct screen *s, const char *p, size_t n)
{
	struct screen_line *l = screen_line(s, s->row);

	while (l->n <= s->column) {
		l->cells = realloc(l->cells, (l->n + 1) * sizeof(*l->cells));
		if (!l->cells)
			abort();
		l->cells[l->n++] = (struct cell){ " ", 0 };
	}
	snprintf(l->cells[s->column].text, sizeof(l->cells[0].text), "%.*s", (int)n, p);
	l->cells[s->column].style = s->style;
}

static inline void screen_combine(struct screen *s, const char *p, size_t n)
{
	struct screen_line *l = screen_line(s, s->row);
	size_t at = s->wraps ? s->column : s->column - 1;
	char *text;

	if (!s->wraps && !s->column) /* nothing to combine with: terminals differ; it takes no room */
		return;
	while (at && at < l->n && !l->cells[at].text[0])
		at--;
	if (at >= l->n)
		return;
	text = l->cells[at].text;
	if (strlen(text) + n < sizeof(l->cells[0].text))
		snprintf(text + strlen(text), sizeof(l->cells[0].text) - strlen(text), "%.*s", (int)n, p);
}

static inline void screen_put(struct screen *s, const char *p, size_t n, size_t width)
{
	if (!width) {
		char one[8] = { 0 };

		memcpy(one, p, n);
		screen_combine(s, one, n);
		return;
	}
	if (s->wraps || s->column + width > s->columns) {
		screen_line(s, s->row)->wrapped = true;
		screen_down(s);
		s->column = 0;
		s->wraps = false;
	}
	screen_put_cell(s, p, n);
	if (width == 2 && s->columns > 1) {
		s->column++;
		screen_put_cell(s, "", 0);
	}
	if (s->column + 1 >= s->columns)
		s->wraps = true;
	else
		s->column++;
}

static inline void screen_tab(struct screen *s)
{
	size_t to = s->column / 8 * 8 + 8;

	if (to >= s->columns)
		screen_fault(s, "a tab at the margin");
	while (s->column < to && s->column + 1 < s->columns)
		screen_put(s, " ", 1, 1);
}

static inline void screen_clear_right(struct screen *s)
{
	struct screen_line *l = screen_line(s, s->row);

	if (s->wraps)
		screen_fault(s, "a clear at the margin");
	if (l->n > s->column)
		l->n = s->column;
	l->wrapped = false;
}

/* tmux takes one from the first cell on for a screen to keep in its history. */
static inline void screen_clear_below(struct screen *s)
{
	if (s->height && s->row == s->top && s->column == 0)
		screen_fault(s, "all of the screen is cleared");
	screen_clear_right(s);
	for (size_t i = s->row + 1; i < s->n; i++)
		s->lines[i].n = 0, s->lines[i].wrapped = false;
}

static inline void screen_sgr(struct screen *s, const char *p, size_t n)
{
	static const int known[] = { 1, 2, 3, 4, 9 };

	for (size_t i = 0; i < n;) {
		int code = 0;
		bool used = false;

		for (; i < n && p[i] != ';'; i++)
			code = code * 10 + p[i] - '0';
		i++;
		if (code == 0)
			s->style = 0, used = true;
		for (size_t k = 0; k < 5; k++)
			if (known[k] == code)
				s->style |= 1u << k, used = true;
		if (code >= 30 && code <= 37)
			s->style = (s->style & 0xff) | (unsigned)(code << 8), used = true;
		if (!used)
			screen_fault(s, "an unknown SGR code");
	}
}

/* The length of the sequence at `p`. */
static inline size_t screen_sequence(struct screen *s, const char *p, size_t n)
{
	size_t end = 2, count;

	while (end < n && (p[end] == ';' || (p[end] >= '0' && p[end] <= '9')))
		end++;
	if (n < 3 || p[1] != '[' || end >= n) {
		screen_fault(s, "an escape");
		return n;
	}
	count = end == 2 ? 1 : strtoul(p + 2, NULL, 10);
	if (p[end] == 'm') {
		screen_sgr(s, p + 2, end - 2);
	} else if (p[end] == 'A') {
		if (!count || count > s->row - s->top)
			screen_fault(s, "the cursor leaves the window");
		else
			s->row -= count;
		s->wraps = false;
	} else if (p[end] == 'J' && end == 2) {
		screen_clear_below(s);
	} else if (p[end] == 'K' && end == 2) {
		screen_clear_right(s);
	} else {
		screen_fault(s, "an unknown sequence");
	}
	return end + 1;
}

static inline void screen_feed(struct screen *s, struct span in)
{
	screen_line(s, s->row);
	for (size_t i = 0; i < in.n && !s->fault;) {
		uint32_t c = 0;
		int len = utf8_decode(in.p + i, in.n - i, &c);

		if (len <= 0) {
			screen_fault(s, "no UTF-8");
		} else if (c == '\033') {
			i += screen_sequence(s, in.p + i, in.n - i);
			continue;
		} else if (c == '\n') {
			screen_down(s);
			s->column = 0;
			s->wraps = false;
		} else if (c == '\r') {
			s->column = 0;
			s->wraps = false;
		} else if (c == '\t') {
			screen_tab(s);
		} else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
			screen_fault(s, "a control character");
		} else {
			screen_put(s, in.p + i, (size_t)len, term_char_width(c));
		}
		i += len > 0 ? (size_t)len : 1;
	}
}

/* All of it, also what scrolled out, without the blanks that end a line and the empty lines
 * at the end. Lines that the terminal broke are one. */
static inline void screen_text(struct screen *s, struct buf *b, bool styles)
{
	size_t end = b->n;

	for (size_t i = 0; i < s->n; i++) {
		const struct screen_line *l = &s->lines[i];
		size_t n = l->n;
		unsigned style = 0;

		while (n && !l->wrapped && strcmp(l->cells[n - 1].text, " ") == 0 && !l->cells[n - 1].style)
			n--;
		for (size_t k = 0; k < n; k++) {
			if (styles && l->cells[k].style != style)
				buf_addf(b, "{%x}", l->cells[k].style);
			style = l->cells[k].style;
			buf_adds(b, l->cells[k].text);
		}
		if (n)
			end = b->n;
		if (!l->wrapped)
			buf_addc(b, '\n');
	}
	b->n = end;
	if (b->cap)
		b->p[end] = '\0';
}

static inline void screen_release(struct screen *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->lines[i].cells);
	free(s->lines);
	*s = (struct screen){ 0 };
}

#endif
