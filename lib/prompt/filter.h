/*
 * Words to look for: a text fits when each of them occurs in it, anywhere, in upper or
 * lower case. Case is what towlower(3) knows of it in the locale that is set, one character for
 * one.
 *
 *	struct filter f = FILTER_INIT;
 *	filter_set(&f, typed);
 *	filter_fold(&b, text); …once for each text
 *	if (filter_fit(&f, folded)) …
 *	filter_release(&f);
 */
#ifndef PROMPT_FILTER_H
#define PROMPT_FILTER_H

#include "base/buf.h"

#define FILTER_MAX 32 /* those that follow are passed over */

struct filter {
	struct buf text; /* folded */
	struct filter_word {
		size_t at, n; /* in `text` */
	} v[FILTER_MAX];
	size_t n;
};

#define FILTER_INIT { .text = BUF_INIT }

void filter_set(struct filter *f, struct span typed);
void filter_release(struct filter *f);

/* Adds `text` in the form that words are looked for in. */
void filter_fold(struct buf *folded, struct span text);
bool filter_fit(const struct filter *f, struct span folded);

/* Sets marks[i] for each byte of `text`, which is not folded, that belongs to one of the
 * words; the others are left alone. -1 without memory. */
int filter_mark(const struct filter *f, struct span text, bool *marks);

#endif
