/* Finds the name that a person probably meant. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include "base/buf.h"

#define SUGGEST_WORD_MAX 64 /* bytes; longer words match nothing */

/* How many edits (insert, delete, replace, swap neighbours) change `a` into `b`; SIZE_MAX if one of
 * them is too long. */
size_t suggest_edits(struct span a, struct span b);
/* The same to change `a` into the part of `b` that is most like it. */
size_t suggest_edits_in(struct span a, struct span b);

/* The candidate that `word` is most likely a misspelling of, or NULL. A NULL ends the list. */
const char *suggest_name(const char *word, const char *const *candidates);

#endif
