#include "store/history-gist.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

int gists_meet(struct gists *all, const struct summary *g, size_t offset, size_t turns,
               struct err *e)
{
	struct met_gist *v = array_room(all->v, all->n, &all->cap, sizeof(*v), e);

	if (!v)
		return -1;
	all->v = v;
	v[all->n++] = (struct met_gist){ span_hash(g->up_to), offset, turns };
	return 0;
}

void gists_release(struct gists *all)
{
	free(all->v);
	*all = (struct gists){ NULL, 0, 0 };
}

/* A turn, by the hash of its id. Looked up, since a history may have as many summaries
 * as exchanges. */
struct known_turn {
	uint64_t hash;
	size_t i;
};

static int by_hash(const void *a, const void *b)
{
	const struct known_turn *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

static struct known_turn *know_turns(const struct conversation *c, struct err *e)
{
	struct known_turn *v = malloc((c->n + 1) * sizeof(*v));

	if (!v) {
		err_oom(e);
		return NULL;
	}
	for (size_t i = 0; i < c->n; i++)
		v[i] = (struct known_turn){ span_hash(c->turns[i].exchange.id), i };
	qsort(v, c->n, sizeof(*v), by_hash);
	return v;
}

/* The last of the known turns, of which there are `n`, with this hash and before turn
 * `end`; NULL when there is none. */
static const struct known_turn *find_turn(const struct known_turn *known, size_t n, uint64_t hash,
                                          size_t end)
{
	const struct known_turn key = { hash, end };
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (by_hash(&known[mid], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && known[low - 1].hash == hash ? &known[low - 1] : NULL;
}

/* 1: it is of use, and taken. */
static int try_gist(const struct met_gist *met, size_t turn, const struct jsonl *j,
                    struct conversation *c, struct err *e)
{
	struct span line;
	struct record r;
	size_t at = met->offset;

	if (!jsonl_next(j, &at, &line) || record_parse(line, &r, e) < 0)
		return -1;
	if (!span_same(r.summary.up_to, c->turns[turn].exchange.id)) {
		record_release(&r);
		return 0;
	}
	c->summary = r;
	c->covered = turn + 1;
	return 1;
}

int gists_choose(const struct gists *all, const struct jsonl *j, struct conversation *c,
                 struct err *e)
{
	struct known_turn *known;
	int r = 0;

	if (!all->n || !c->n)
		return 0;
	known = know_turns(c, e);
	if (!known)
		return -1;
	for (size_t i = all->n; r == 0 && i--;) {
		const struct met_gist *met = &all->v[i];
		const struct known_turn *turn = find_turn(known, c->n, met->up_to, met->turns);

		if (turn)
			r = try_gist(met, turn->i, j, c, e);
	}
	free(known);
	return r < 0 ? -1 : 0;
}
