/* Which of some names a person may have meant. */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include "base/buf.h"

#define NEAR_MAX 64 /* bytes of a word that can be compared; a longer one is like no other */

/* Edits (insert, delete, replace, swap neighbours) that make all of `b` of `a`; SIZE_MAX where
 * one of them is too long. */
size_t near_edits(struct span a, struct span b);
/* The same to make of `a` some part of `b`, the one that is nearest. */
size_t near_part(struct span a, struct span b);

/* The candidate that `word` is most likely a slip of, or NULL. Ends with a NULL. */
const char *near_name(const char *word, const char *const *candidates);

#endif
