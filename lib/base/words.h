/*
 * A line taken apart into words, as a shell does it: blanks separate them; in '…' all is
 * itself; in "…" a backslash keeps " and \ from meaning anything, and elsewhere the character
 * that follows it. Nothing is looked up or run; only a ~/ that begins a word, and is not
 * quoted, is the home directory.
 */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include "base/buf.h"

struct words {
	char **v; /* owned, as is each of them */
	size_t n, cap;
};

#define WORDS_INIT { NULL, 0, 0 }

/* ERR_USAGE when a quote is not closed. */
int words_split(struct words *w, struct span line, struct err *e);
void words_release(struct words *w);

/* The one word at the beginning of `line`, which does not begin with a blank, goes to *word;
 * returns how many bytes of the line it is, or 0 when a quote is not closed. */
size_t words_first(struct span line, struct buf *word);

/* Adds `word` so that it is read as one word again, and as itself; a ~/ at its beginning stays
 * one. */
void words_quote(struct buf *b, struct span word);

#endif
