/*
 * A part of the terminal that is drawn on for a while and then is gone without a trace.
 *
 * Where the terminal has a second screen, that is it, and the first comes back as it was.
 * Where it has none (the Linux console, screen(1) as it is set up), it is the lower rows:
 * what was there moves up first, and they are empty afterwards.
 *
 * A frame is rows of text. Only those that differ from what is shown are written, and all
 * of them at once. A row may hold attributes, which end with it, and steps to a column; it
 * is narrower than the window, so that no terminal breaks it.
 *
 *	struct screen s;
 *	screen_open(&s, fd);
 *	screen_measure(&s); … screen_draw(&s, rows, column, e) … again
 *	screen_hide(&s);
 */
#ifndef PROMPT_SCREEN_H
#define PROMPT_SCREEN_H

#include "base/buf.h"

struct screen {
	int fd;
	bool second;        /* it has a second screen, which is used */
	bool begun;         /* something is shown */
	size_t rows, columns;
	struct buf *shown;  /* a row each */
	size_t nshown, at;  /* the cursor is in that row */
};

void screen_open(struct screen *s, int fd);
/* Takes the window's size anew: sets rows and columns. */
void screen_measure(struct screen *s);
/* What is shown can no longer be relied on: the next frame is drawn whole. */
void screen_forget(struct screen *s);
/* Draws `rows`, s->rows of them. The cursor goes to that column of the first. */
int screen_draw(struct screen *s, const struct buf *rows, size_t column, struct err *e);
/* What gives the terminal back, as far as that can be said beforehand: for a crash. */
const char *screen_rescue(const struct screen *s);
/* Gives the terminal back, and what is held. It may be drawn on again. */
void screen_hide(struct screen *s);

#endif
