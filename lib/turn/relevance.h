/*
 * Which exchanges have to do with a new prompt: those that share words with it, and the
 * more so the rarer these are among them.
 *
 * A word is letters and digits in a row, small or capital; of scripts that put no
 * spaces between words, each character. A word that is in one of `d` of `n` exchanges
 * counts as often as n can be halved until it is d; once for each exchange.
 */
#ifndef TURN_RELEVANCE_H
#define TURN_RELEVANCE_H

#include "store/record.h"

/* Fills in how relevant each of these `n` exchanges is to the prompt: 0 for not at all. */
int relevance_score(uint32_t *score, const struct exchange *const *x, size_t n, struct span prompt,
                    struct err *e);

#endif
