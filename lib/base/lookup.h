/*
 * Finds the elements of a growing array by a hash: an open hash table of their indexes.
 *
 * The table does not know the keys. The caller compares them, since two keys may have one
 * hash:
 *
 *	for (struct lookup_at at = lookup_begin(&l, hash); lookup_next(&l, &at, &i);)
 *		if (span_same(v[i].id, id))
 *			…
 *	lookup_add(&l, hash, n, e)          after v[n] was added
 *	lookup_release(&l)
 */
#ifndef BASE_LOOKUP_H
#define BASE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lookup {
	struct lookup_slot {
		uint64_t hash;
		size_t index; /* plus one; 0: a free slot */
	} *slots;     /* owned */
	size_t nslots, used;
};
#define LOOKUP_INIT { NULL, 0, 0 }

int lookup_add(struct lookup *l, uint64_t hash, size_t index, struct err *e);

/* Elements of one hash come in the order in which they were added. */
struct lookup_at {
	uint64_t hash;
	size_t slot;
};
struct lookup_at lookup_begin(const struct lookup *l, uint64_t hash);
bool lookup_next(const struct lookup *l, struct lookup_at *at, size_t *index);

void lookup_release(struct lookup *l);

#endif
