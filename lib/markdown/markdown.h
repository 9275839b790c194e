/*
 * Markdown, shown as it arrives, or as a whole.
 *
 * A reply is shown while it streams:
 *
 *	struct markdown m = MARKDOWN_INIT;
 *	if (markdown_open(&m, STDOUT_FILENO, &e) < 0) … show it as it is
 *	markdown_feed(&m, &out, piece);   … and write `out` in one piece, each time
 *	markdown_draw(&m, &out);          when nothing comes for a moment
 *	markdown_end(&m, &out);           the next text may follow
 *	markdown_release(&m);
 *
 * The bytes are for the terminal that `fd` is, whose cursor is at the beginning of a line
 * and stays where they leave it. They hold the text, neutralised, SGR sequences, and, to
 * change rows that are not final yet, cursor up, carriage return and clearing to the end of the
 * line and of the screen. What scrolled out of the window is never touched again.
 *
 * The source is cut into parts where that changes nothing of what Markdown makes of it: at
 * blank lines, headings, items of lists, code blocks. Only the last part may change and is
 * parsed again. Where it is cut depends on the text alone, so that in the end all is the
 * same, whatever the pieces were.
 *
 * A whole text, e.g. for a pager, is done by markdown_text().
 */
#ifndef MARKDOWN_MARKDOWN_H
#define MARKDOWN_MARKDOWN_H

#include "markdown/highlight.h"
#include "markdown/live.h"
#include "markdown/md4c.h"
#include "tty/neutral.h"
#include "markdown/render.h"

struct markdown {
	struct highlight *highlight; /* NULL: code has no colours. The caller's */

	struct md4c md4c;
	int fd;               /* -1: no terminal, but lines */
	struct neutral neutral;
	struct split split;   /* the source that is not final */
	struct render render; /* what a part needs of the one before */
	struct rows rows;     /* of the part that is being drawn */
	struct live live;     /* what of them is on the screen */
	/* the code block */
	struct buf code;      /* that is to be coloured */
	bool colouring;
	size_t code_at;       /* bytes of it so far, for the sources of its rows */
	size_t code_rows;     /* before its first line */
	/* drawing costs time, and so waits in a fast stream */
	bool due;
	int64_t cost, drawn;  /* ns: of the last drawing, and when it was */
};

#define MARKDOWN_INIT                                                                              \
	{ .fd = -1, .neutral = NEUTRAL_INIT, .split = SPLIT_INIT, .rows = ROWS_INIT,               \
	  .live = LIVE_INIT, .code = BUF_INIT, .render = { .first = true } }

/* -1 when md4c is not there. */
int markdown_open(struct markdown *m, int fd, struct err *e);
/* A piece of the text, which may end anywhere. In a fast stream some is put off, until enough
 * has come to be worth a drawing, or markdown_draw(). */
void markdown_feed(struct markdown *m, struct buf *out, struct span piece);
/* In how many ms what was put off is worth a drawing; -1: nothing was. */
int64_t markdown_due(const struct markdown *m);
void markdown_draw(struct markdown *m, struct buf *out);
/* Something else is to be written to this terminal now: what is shown stays, and the cursor
 * goes to the beginning of a line. The text may go on afterwards. */
void markdown_pause(struct markdown *m, struct buf *out);
/* The process was stopped, and goes on: others may have written to the terminal. What stands there
 * stays, and the row that the cursor was in is drawn again where it is now. */
void markdown_resume(struct markdown *m, struct buf *out);
/* That was all of the text. The cursor goes to the beginning of a line, and another text may
 * follow. */
void markdown_end(struct markdown *m, struct buf *out);
void markdown_release(struct markdown *m);

/*
 * Adds a whole text as lines for a terminal of so many columns. They hold the text,
 * neutralised, and SGR sequences; each line ends without a style. Without md4c: -1, and
 * nothing is added (neutral_add() is the next best). `highlight` may be NULL.
 */
int markdown_text(struct buf *out, struct span text, size_t columns, struct highlight *highlight,
                  struct err *e);

#endif
