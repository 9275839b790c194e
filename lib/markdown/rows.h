/*
 * Rows of a screen, each a line of text with its styles.
 *
 * A row begins and ends without any style: its SGR sequences are absolute, and the last is a
 * reset. So rows may be compared, and written one without the other. A row may be wider than
 * the window where the terminal is to break it (code, addresses): what is copied is then
 * whole.
 */
#ifndef MARKDOWN_ROWS_H
#define MARKDOWN_ROWS_H

#include "base/buf.h"

enum style {
	STYLE_BOLD = 1,
	STYLE_DIM = 2,
	STYLE_ITALIC = 4,
	STYLE_UNDERLINE = 8,
	STYLE_STRIKE = 16,
	STYLE_CODE = 32, /* a colour; never alone */
};

struct row {
	size_t at, n;   /* its bytes in the text */
	size_t width;   /* columns */
	size_t source;  /* where in the source it begins; never less than in the row before */
	bool whole;     /* can be shown only as a whole, like a table's row */
	bool glued;     /* goes on within a word */
};

struct rows {
	struct buf text;
	struct row *v;
	size_t n, cap;
	unsigned style; /* of the row that is being made */
	bool open;      /* one is */
};

#define ROWS_INIT { .text = BUF_INIT }

void rows_clear(struct rows *r);
void rows_release(struct rows *r);

/* Makes a row: begin, add, end. Out of memory is told by text.oom. */
void rows_begin(struct rows *r, size_t source);
void rows_style(struct rows *r, unsigned style);
void rows_add(struct rows *r, struct span text, size_t width);
void rows_end(struct rows *r);
/* A row at once. */
void rows_add_row(struct rows *r, size_t source, unsigned style, struct span text);
/* Takes the first `n` rows out; keeps only these. */
void rows_drop(struct rows *r, size_t n);
void rows_cut(struct rows *r, size_t n);

struct span row_text(const struct rows *r, size_t i);
/* How many lines of a window of so many columns row `i` takes: 1 or more. */
size_t row_lines(const struct rows *r, size_t i, size_t columns);
/* Adds a line of code to the row that is open, from column `at` on: with its tabs where a window
 * of `columns` keeps them, and else with blanks. The column where it ends. */
size_t rows_add_code(struct rows *r, struct span line, size_t at, size_t columns);

/* The sequence for a style. */
void style_add(struct buf *b, unsigned style);

/* A character that is never shown: see tty/split.h. */
#define ROWS_HIDDEN 0xfdd0

#endif
