/* The terminal: is there one, how wide is it, how wide is a text on it. */
#ifndef TTY_TERM_H
#define TTY_TERM_H

#include "base/buf.h"

/* Columns of the window that `fd` shows: what the terminal says, else COLUMNS, else 80. */
size_t term_columns(int fd);

/* Adds `text` (UTF-8, one line), cut to `columns` with "…" where it is longer, and
 * filled up with spaces when `pad`. Wide characters count as two columns. */
void term_add_fit(struct buf *b, struct span text, size_t columns, bool pad);

/* How many columns `text` takes. */
size_t term_width(struct span text);
/* … and one character does: 0, 1 or 2. */
size_t term_char_width(uint32_t c);
/* How many bytes of it fit into so many columns; *used is how many they take. */
size_t term_fit(struct span text, size_t columns, size_t *used);

/* Puts newlines in the place of blanks, so that a text of one line takes lines of so many columns;
 * a word that is longer stays whole. */
void term_wrap(struct buf *b, size_t columns);

/* Rows and columns of the window that `fd` shows, at least 1: what the terminal says, else
 * LINES and COLUMNS, else 24 and 80. */
void term_size(int fd, size_t *rows, size_t *columns);

#endif
