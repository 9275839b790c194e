/*
 * Rows on a terminal, the last of which may still change.
 *
 * What is drawn is compared with what is there, and only what differs is written: mostly a
 * few letters at the end; else the cursor goes up to the first row that differs, all from
 * there on is cleared and written again, in one write(2) with the rest, so that nothing
 * flickers. Rows that cannot be reached any more (they scrolled out, or the window was
 * resized, so that nobody knows where they are) stay as they are: they are frozen, and the
 * rows that follow begin with the text behind them. live.from says where that is.
 *
 * The cursor stays at the end of the last row.
 *
 *	live_look(&l, fd)                   the window, as it is now
 *	make the rows, of what begins at l.from or later, out of `end` bytes of source
 *	if (!live_draw(&l, &rows, end, &out)) make them anew, l.from has changed, and again
 *	live_next(&l, end)                  they are final, and the next are of the text behind
 */
#ifndef MARKDOWN_LIVE_H
#define MARKDOWN_LIVE_H

#include "markdown/rows.h"

struct live {
	size_t columns, height; /* of the window; 0: not known yet */
	struct rows shown;      /* the rows there that may change */
	size_t from;            /* in their source: what begins before is frozen */
	size_t end;             /* they show it up to here */
	size_t reach;           /* lines from the cursor's upwards that are where they were put */
	bool in_row;            /* something stands on the cursor's line */
};

#define LIVE_INIT { .shown = ROWS_INIT }

/* Asks for the window's size. When its width is another, what may not be where it was is frozen,
 * and this is true. */
bool live_look(struct live *l, int fd);
/* Whether all that is shown could be drawn again. */
bool live_reaches(const struct live *l);
/* Adds what makes the screen show `rows`, made of `end` bytes of source. False, and nothing
 * added: rows that differ are out of reach, and l->from is now where the rows are to begin. */
bool live_draw(struct live *l, const struct rows *rows, size_t end, struct buf *out);
/* What is shown stays, whatever comes. */
void live_freeze(struct live *l);
/* Others may have written behind it: all but the row that the cursor is in stays, and that is to be
 * drawn again, where the cursor is now. */
void live_resume(struct live *l, struct buf *out);
/* The first `n` of the rows will not change any more. */
void live_final(struct live *l, size_t n);
/* None of them will, and the rows that follow are of another source, which begins at `end` of
 * this one. */
void live_next(struct live *l, size_t end);
/* To the beginning of a line. */
void live_leave(struct live *l, struct buf *out);
void live_release(struct live *l);

#endif
