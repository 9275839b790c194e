#include "base/lookup.h"

#include <stdlib.h>

static void place(struct lookup_slot *slots, size_t nslots, struct lookup_slot what)
{
	size_t i = (size_t)what.hash & (nslots - 1);

	while (slots[i].index)
		i = (i + 1) & (nslots - 1);
	slots[i] = what;
}

/* At most half of the slots are in use. The old ones are taken from behind a free slot on: so those
 * of one hash, which follow each other from its place on, keep their order. */
static int grow(struct lookup *l, struct err *e)
{
	size_t n = l->nslots ? 2 * l->nslots : 64, from = 0;
	struct lookup_slot *slots;

	if (2 * (l->used + 1) <= l->nslots)
		return 0;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return err_oom(e);
	while (from < l->nslots && l->slots[from].index)
		from++;
	for (size_t i = 0; i < l->nslots; i++) {
		const struct lookup_slot *old = &l->slots[(from + i) & (l->nslots - 1)];

		if (old->index)
			place(slots, n, *old);
	}
	free(l->slots);
	l->slots = slots;
	l->nslots = n;
	return 0;
}

int lookup_add(struct lookup *l, uint64_t hash, size_t index, struct err *e)
{
	if (grow(l, e) < 0)
		return -1;
	place(l->slots, l->nslots, (struct lookup_slot){ hash, index + 1 });
	l->used++;
	return 0;
}

struct lookup_at lookup_begin(const struct lookup *l, uint64_t hash)
{
	return (struct lookup_at){ hash, l->nslots ? (size_t)hash & (l->nslots - 1) : 0 };
}

bool lookup_next(const struct lookup *l, struct lookup_at *at, size_t *index)
{
	while (l->nslots && l->slots[at->slot].index) {
		const struct lookup_slot *s = &l->slots[at->slot];

		at->slot = (at->slot + 1) & (l->nslots - 1);
		if (s->hash != at->hash)
			continue;
		*index = s->index - 1;
		return true;
	}
	return false;
}

void lookup_release(struct lookup *l)
{
	free(l->slots);
	*l = (struct lookup)LOOKUP_INIT;
}
