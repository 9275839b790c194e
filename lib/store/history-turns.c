/* Which exchanges a conversation has: the walk back through its history. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "store/history.h"

static int turns_add(struct turns *t, size_t *cap, size_t offset, struct err *e)
{
	size_t *v = array_room(t->offsets, t->n, cap, sizeof(*v), e);

	if (!v)
		return -1;
	t->offsets = v;
	v[t->n++] = offset;
	return 0;
}

void turns_release(struct turns *t)
{
	free(t->offsets);
	*t = (struct turns){ NULL, 0, 0 };
}

/* The reader's place on its way back through the file. */
struct walk {
	size_t at;
	bool skipping;
	struct buf until;   /* the id of the exchange that a rewind goes back to */
	size_t rewind_at;   /* where that rewind is */
	struct known {      /* the exchanges; looked up once a rewind has named none of them */
		uint64_t hash;
		size_t offset;
	} *known;           /* owned; sorted */
	size_t nknown, known_cap;
};

static int by_hash(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int know(struct walk *w, struct span id, size_t offset, struct err *e)
{
	struct known *v = array_room(w->known, w->nknown, &w->known_cap, sizeof(*v), e);
	struct buf text = BUF_INIT;
	int r;

	if (!v)
		return -1; /* not reached: no memory for a list of ids only */
	w->known = v;
	json_scan_add_str(&text, id);
	r = buf_check(&text, e);
	v[w->nknown++] = (struct known){ span_hash(buf_span(&text)), offset };
	buf_release(&text);
	return r;
}

static int know_all(struct walk *w, const struct jsonl *j, struct err *e)
{
	struct span line, id, type;
	size_t at = 0;

	for (size_t start = 0; jsonl_next(j, &at, &line); start = at)
		if (json_scan_find(line, "type", &type) && json_scan_is(type, span_str("exchange")) &&
		    json_scan_find(line, "id", &id) && know(w, id, start, e) < 0)
			return -1; /* not reached: know() does not fail */
	if (w->nknown)
		qsort(w->known, w->nknown, sizeof(*w->known), by_hash);
	return 0;
}

/* Whether looking for it before `offset` may find it. Without this, thousands of rewinds
 * to nowhere would each read the whole file. */
static bool may_be_before(const struct walk *w, struct span id, size_t offset)
{
	struct known key = { span_hash(id), 0 };
	size_t low = 0, high = w->nknown;

	if (!w->known_cap)
		return true;
	while (low < high) { /* the first of this hash */
		size_t mid = low + (high - low) / 2;

		if (by_hash(&w->known[mid], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < w->nknown && w->known[low].hash == key.hash && w->known[low].offset < offset;
}

static bool is_valid(struct span line)
{
	struct err ignored = ERR_INIT;
	struct record r;

	if (record_parse(line, &r, &ignored) < 0)
		return false;
	record_release(&r);
	return true;
}

/* True when the exchange in `line` belongs to the conversation. */
static bool in_conversation(struct walk *w, struct span line)
{
	struct span id;

	if (!w->skipping)
		return true;
	if (!json_scan_find(line, "id", &id) || !json_scan_is(id, buf_span(&w->until)) ||
	    !json_is_whole(line))
		return false;
	w->skipping = false;
	return true;
}

/* Returns false when nothing before this rewind is in the conversation. */
static bool meet_rewind(struct walk *w, struct span line)
{
	struct span to;

	if (w->skipping || !is_valid(line) || !json_scan_find(line, "to", &to))
		return true;
	if (span_eq(to, "null"))
		return false;
	buf_clear(&w->until);
	json_scan_add_str(&w->until, to);
	w->skipping = may_be_before(w, buf_span(&w->until), w->at);
	w->rewind_at = w->at;
	return true;
}

/* A rewind to an exchange that is nowhere (a damaged line) must not hide all that
 * came before: it is passed over. */
static int retry_without_rewind(struct walk *w, const struct jsonl *j, struct err *e)
{
	if (!w->skipping)
		return 0;
	w->skipping = false;
	w->at = w->rewind_at;
	return !w->known_cap && know_all(w, j, e) < 0 ? -1 : 1;
}

static void reverse(struct turns *t)
{
	for (size_t i = 0; i < t->n / 2; i++) {
		size_t o = t->offsets[i];

		t->offsets[i] = t->offsets[t->n - 1 - i];
		t->offsets[t->n - 1 - i] = o;
	}
}

/* 1: an exchange of the conversation. 0: something else. -1: nothing before counts. */
static int look(struct walk *w, struct span line)
{
	struct span type;

	if (!json_scan_find(line, "type", &type))
		return 0;
	if (json_scan_is(type, span_str("rewind")))
		return meet_rewind(w, line) ? 0 : -1;
	return json_scan_is(type, span_str("exchange")) && in_conversation(w, line);
}

static bool is_damaged(const struct store *s, const char *id, const struct jsonl *j, size_t offset)
{
	struct record r;

	if (!s)
		return false;
	if (!history_record(s, id, j, offset, &r))
		return true;
	record_release(&r);
	return false;
}

int history_turns(const struct store *s, const char *id, const struct jsonl *j, size_t limit,
                  struct turns *t, struct err *e)
{
	struct walk w = { .at = j->n, .until = BUF_INIT };
	struct span line;
	size_t cap = 0;
	int found = 0, again;

	*t = (struct turns){ NULL, 0, 0 };
	do {
		while (found >= 0 && (!limit || t->n < limit) && jsonl_prev(j, &w.at, &line)) {
			bool damaged = is_damaged(s, id, j, w.at);

			t->damaged += damaged;
			found = look(&w, line); /* a damaged exchange may still be what a rewind names */
			if (found > 0 && !damaged && turns_add(t, &cap, w.at, e) < 0)
				found = -1;
		}
		if (w.until.oom)
			err_oom(e); /* not reached: no memory for the id of a rewind only */
		again = e->kind == ERR_NONE ? retry_without_rewind(&w, j, e) : -1;
	} while (again > 0);
	free(w.known);
	buf_release(&w.until);
	if (again < 0)
		turns_release(t);
	else
		reverse(t);
	return again;
}
