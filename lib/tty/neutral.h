/*
 * Text that others wrote, made harmless for a terminal.
 *
 * Line feeds, tabs and printable characters pass; CRLF becomes a line feed. Every
 * other control character is shown instead of obeyed, as less(1) shows it: C0 and
 * DEL in caret notation (^[), C1, the bidirectional controls and characters that no
 * screen shows as <U+009B>. With its introducer gone, an escape sequence is plain text. Bytes that are no UTF-8
 * become U+FFFD, so that no byte of theirs can be taken for a control.
 *
 * The state carries over from chunk to chunk: a character may be split anywhere.
 *
 *	struct neutral n = NEUTRAL_INIT;
 *	neutral_feed(&n, &out, chunk); …
 *	neutral_end(&n, &out);
 */
#ifndef TTY_NEUTRAL_H
#define TTY_NEUTRAL_H

#include "base/buf.h"

struct neutral {
	char held[4]; /* the beginning of a character that is not all there */
	size_t n;
	bool cr; /* a carriage return that may belong to a line feed */
};

#define NEUTRAL_INIT { { 0 }, 0, false }

void neutral_feed(struct neutral *n, struct buf *out, struct span in);
void neutral_end(struct neutral *n, struct buf *out);

/* Whether a character beyond ASCII is one that is shown as <U+009B>. */
bool neutral_is_shown(uint32_t c);
/* A whole text at once. */
void neutral_add(struct buf *out, struct span in);
/* JSON text: the same characters become \u escapes, so that it still means the same. */
void neutral_add_json(struct buf *out, struct span in);
/*
 * One column of a line for another program, which may hand it on to a terminal or a shell: control
 * characters and what else ends a line become spaces, and bytes that are not UTF-8 U+FFFD.
 */
void neutral_add_column(struct buf *out, struct span in);
/* neutral_add() for one line of a table or preview: white space becomes single spaces. */
void neutral_add_line(struct buf *out, struct span in);

#endif
