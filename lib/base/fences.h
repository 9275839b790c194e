/*
 * The fenced code blocks of a Markdown text, by CommonMark 0.31: of backticks or tildes, in
 * lists and quotes too, closed or not. What stands before the code of a line because it is in
 * a list or quote, or because its fence is indented, is not part of it.
 *
 * HTML blocks are not looked for: a fence within one counts.
 */
#ifndef BASE_FENCES_H
#define BASE_FENCES_H

#include "base/buf.h"

struct fence {
	struct span language; /* the first word behind the fence; points into the text */
	struct buf code;      /* with the ends of its lines */
};

struct fences {
	struct fence *v;
	size_t n, cap;
};

#define FENCES_INIT { NULL, 0, 0 }

int fences_find(struct fences *f, struct span markdown, struct err *e);
void fences_release(struct fences *f);

#endif
