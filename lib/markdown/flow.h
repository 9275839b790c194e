/*
 * Text that flows into rows, by words.
 *
 * Where a row ends depends on what is before it only, so that text may be added at the end
 * without a change in the rows above. Between wide characters a row may end without a
 * blank. A word that is longer than a row is broken by the terminal, so that an address
 * can be copied, or by us where there are columns (`hard`).
 *
 *	struct flow f = { .rows = &rows, .margins = &margins, .columns = 80, .word = BUF_INIT };
 *	flow_add(&f, text, style, source, true); …
 *	flow_end(&f);
 *	flow_release(&f);
 */
#ifndef MARKDOWN_FLOW_H
#define MARKDOWN_FLOW_H

#include "markdown/rows.h"

/* What stands in front of a block's rows: the marker of a list's item, once, and a quote's
 * bar, always. */
struct margin {
	char text[24];
	size_t width;
	bool bar;     /* for all rows, and not only the first */
	bool pending; /* not shown yet */
};

#define MARGINS_MAX 32

struct margins {
	struct margin v[MARGINS_MAX];
	size_t n; /* that are open; the deepest of very many have no room of their own */
};

void margins_push(struct margins *m, const char *text, bool bar);
void margins_pop(struct margins *m);
/* Begins a row with them; the same. */
size_t margins_begin_row(struct margins *m, struct rows *r, size_t columns, size_t source);
/* A row between two blocks, with the bars that go on. */
void margins_add_blank(const struct margins *m, struct rows *r, size_t columns, size_t source);
/* The columns that they take. */
size_t margins_width(const struct margins *m, size_t columns);
/* Whether a marker waits for its row. */
bool margins_pending(const struct margins *m);

struct flow {
	struct rows *rows;
	struct margins *margins; /* NULL: none */
	size_t columns;
	bool hard;        /* break words that are longer than a row; there are no margins then */
	size_t from;      /* in the source: what begins here begins a row */

	/* the word that is being made, with sequences where its style changes */
	struct buf word;
	size_t word_width, word_source;
	unsigned word_style, word_last; /* at its beginning; at its end */
	bool wide, joined;              /* what it ends with */
	size_t blanks;                  /* before it */
	unsigned blanks_style;
	/* the row */
	bool in_row, empty;
	size_t width;
	/* of `from` */
	bool passed, glued, alone;
};

/* `source` is where the text is from, `exact` that all its bytes are. */
void flow_add(struct flow *f, struct span text, unsigned style, size_t source, bool exact);
/* What follows begins a row. */
void flow_break(struct flow *f);
/* The block is over. */
void flow_end(struct flow *f);
void flow_release(struct flow *f);

#endif
