#include "store/check-scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"
#include "store/conversation.h"
#include "store/record.h"
#include "store/removed.h"

/* A record that has an identity: an exchange, a step, a result, a change or a summary. */
struct seen {
	uint64_t hash; /* of the identity */
	size_t start, n, line;
	bool twins; /* the first one of several of this hash */
};

static int add_bad(struct scan *s, const struct bad_line *bad, struct err *e)
{
	struct bad_line *v = array_room(s->bad, s->nbad, &s->bad_cap, sizeof(*v), e);

	if (!v)
		return -1;
	s->bad = v;
	v[s->nbad++] = *bad;
	return 0;
}

static int add_piece(struct scan *s, const struct bad_line *at, struct err *e)
{
	struct scan_piece *v = array_room(s->pieces, s->npieces, &s->pieces_cap, sizeof(*v), e);

	if (!v)
		return -1;
	s->pieces = v;
	v[s->npieces++] = (struct scan_piece){ at->start, at->n, at->start };
	return 0;
}

/* Adds the members that identify the record (mc-session(5)); nothing if it has none. */
static void add_identity(struct buf *b, const struct record *r)
{
	switch (r->type) {
	case RECORD_EXCHANGE:
		json_put_str(b, "exchange", r->exchange.id);
		break;
	case RECORD_STEP:
		json_put_str(b, "step", r->step.exchange);
		json_put_int(b, "n", r->step.n);
		break;
	case RECORD_RESULT:
		json_put_str(b, "result", r->result.exchange);
		json_put_int(b, "n", r->result.n);
		json_put_str(b, "call", r->result.call);
		break;
	case RECORD_CHANGE:
		json_put_optional(b, "change", r->change.id);
		break;
	case RECORD_SUMMARY:
		json_put_optional(b, "summary", r->summary.id);
		break;
	case RECORD_SESSION:
	case RECORD_REWIND:
	case RECORD_OTHER:
		break;
	}
}

static int add_seen(struct scan *s, const struct record *r, const struct bad_line *at,
                    struct err *e)
{
	struct buf identity = BUF_INIT;
	struct seen x = { .start = at->start, .n = at->n, .line = at->line }, *v;
	struct lookup_at same;
	size_t first;

	add_identity(&identity, r);
	x.hash = span_hash(buf_span(&identity));
	if (!identity.n || buf_check(&identity, e) < 0)
		return identity.n ? -1 : 0;
	buf_release(&identity);
	v = array_room(s->seen, s->nseen, &s->seen_cap, sizeof(*v), e);
	if (!v)
		return -1;
	s->seen = v;
	same = lookup_begin(&s->by_identity, x.hash);
	if (lookup_next(&s->by_identity, &same, &first))
		v[first].twins = true;
	v[s->nseen] = x;
	return lookup_add(&s->by_identity, x.hash, s->nseen++, e);
}

static int add_ref(struct scan *s, struct span sha256, size_t attachment, const struct bad_line *at,
                   struct err *e)
{
	struct scan_ref *v = array_room(s->refs, s->nrefs, &s->refs_cap, sizeof(*v), e);

	if (!v)
		return -1;
	s->refs = v;
	v += s->nrefs++;
	*v = (struct scan_ref){ .start = at->start, .n = at->n, .line = at->line, .attachment = attachment };
	memcpy(v->sha256, sha256.p, SHA256_HEX - 1);
	return 0;
}

/* Lists the record's references to artifacts/. */
static int add_refs(struct scan *s, const struct record *r, const struct bad_line *at, struct err *e)
{
	const struct attachment_ref *a = r->type == RECORD_EXCHANGE ? r->exchange.attachments : NULL;
	size_t n = r->type == RECORD_EXCHANGE ? r->exchange.nattachments : 0;

	if (r->type == RECORD_RESULT) {
		a = r->result.attachments;
		n = r->result.nattachments;
		if (r->result.artifact.p && add_ref(s, r->result.artifact, REF_OUTPUT, at, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (add_ref(s, a[i].sha256, i, at, e) < 0)
			return -1;
	return 0;
}

/* Whether a line is a valid record of its file. */
static int judge_line(const struct scan *s, struct span line, struct err *why)
{
	struct record r;

	if (s->removals)
		return removed_judge(line, why);
	if (record_parse(line, &r, why) < 0)
		return -1;
	record_release(&r);
	return 0;
}

/* 1: a record. 0: not a record. -1: this could not be found out. */
static int take_record(struct scan *s, struct span line, const struct bad_line *at, struct err *e)
{
	struct err why = ERR_INIT;
	struct record r;
	int result = 0;

	if ((s->removals ? judge_line(s, line, &why) : record_parse(line, &r, &why)) < 0) {
		s->version |= why.kind == ERR_VERSION && !s->head;
		return why.kind == ERR_FAILED ? err_set(e, why.kind, "%s", why.msg) : 0;
	}
	if (s->removals)
		return 1;
	s->head |= r.type == RECORD_SESSION;
	s->orphans |= r.type == RECORD_EXCHANGE && !r.exchange.has_parent;
	result = add_seen(s, &r, at, e) < 0 ? -1 : add_refs(s, &r, at, e);
	record_release(&r);
	return result < 0 ? -1 : 1;
}

/* A loss of power may leave NUL bytes in place of the end or the beginning of a line. No record has a NUL
 * byte, so the whole records between them were stored. */
static int take_pieces(struct scan *s, struct span line, struct bad_line *at, struct err *e)
{
	int good = 0;

	for (size_t i = 0, n; good >= 0 && i < line.n; i += n + 1) {
		struct bad_line piece = { .start = at->start + i, .line = at->line };

		piece.n = n = strnlen(line.p + i, line.n - i);
		good = n ? take_record(s, (struct span){ line.p + i, n }, &piece, e) : 0;
		if (good > 0 && add_piece(s, &piece, e) < 0)
			return -1;
		at->whole += good > 0;
	}
	return good < 0 ? -1 : 0;
}

/* As take_record(). Sets at->kind, for a line that is not a record. */
static int take_line(struct scan *s, struct span line, struct bad_line *at, struct err *e)
{
	at->kind = memchr(line.p, '\0', line.n) ? FINDING_NUL : FINDING_RECORD;
	return at->kind == FINDING_NUL ? take_pieces(s, line, at, e) : take_record(s, line, at, e);
}

static int scan_lines(struct scan *s, const struct jsonl *j, struct err *e)
{
	struct span line;
	size_t at = 0;

	for (size_t start = 0; !s->version && jsonl_next(j, &at, &line); start = at) {
		struct bad_line bad = { .start = start, .n = at - start, .line = ++s->lines };
		int good = take_line(s, line, &bad, e);

		if (good < 0 || (good == 0 && !s->version && add_bad(s, &bad, e) < 0))
			return -1;
	}
	return 0;
}

static int scan_tail(struct scan *s, const struct jsonl *j, struct err *e)
{
	struct bad_line bad = { .start = j->n, .n = j->mapped - j->n, .line = s->lines + 1 };
	int good = take_line(s, (struct span){ j->p + bad.start, bad.n }, &bad, e);

	if (good < 0)
		return -1; /* not reached: no memory for the last line only */
	s->lines++;
	s->torn = good > 0;
	if (bad.kind == FINDING_RECORD)
		bad.kind = FINDING_TORN;
	bad.stays = s->torn;
	return add_bad(s, &bad, e);
}

/* ---- duplicates ---- */

static int by_start(const void *a, const void *b)
{
	const struct bad_line *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_digest(const void *a, const void *b)
{
	const struct scan_ref *x = a, *y = b;
	int order = strcmp(x->sha256, y->sha256);

	if (order || x->start != y->start)
		return order ? order : x->start < y->start ? -1 : 1;
	return x->attachment < y->attachment ? -1 : x->attachment > y->attachment;
}

static struct span seen_text(const struct seen *x, const struct jsonl *j)
{
	size_t n = x->n - (j->p[x->start + x->n - 1] == '\n');

	return (struct span){ j->p + x->start, n };
}

static int by_place(const void *a, const void *b)
{
	const struct scan_piece *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The piece for this record, if it is on a line with NUL bytes; or NULL. */
static struct scan_piece *find_piece(struct scan *s, const struct seen *x)
{
	struct scan_piece key = { .start = x->start };

	return s->npieces ? bsearch(&key, s->pieces, s->npieces, sizeof(key), by_place) : NULL;
}

/* Whether version `a` of a record counts rather than `b`, which is the last one or better than the last. For
 * exchanges the better status counts; then, and for steps and results, the longer line, then the greater
 * bytes; for changes and summaries the last one. A merge uses the same order. */
static bool is_better(const struct record *a, struct span x, const struct record *b, struct span y)
{
	if (a->type == RECORD_CHANGE || a->type == RECORD_SUMMARY)
		return false;
	if (a->type == RECORD_EXCHANGE && a->exchange.status != b->exchange.status)
		return a->exchange.status < b->exchange.status; /* complete, error, interrupted */
	return x.n != y.n ? x.n > y.n : memcmp(x.p, y.p, x.n) > 0;
}

static bool same_identity(const struct record *a, const struct record *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	bool same;

	add_identity(&x, a);
	add_identity(&y, b);
	same = !x.oom && !y.oom && span_same(buf_span(&x), buf_span(&y));
	buf_release(&x);
	buf_release(&y);
	return same;
}

/* Whether two versions of an exchange have the same parent. The last version decides on the conversation, so
 * only a version with the same parent may take its place. */
static bool may_replace(const struct record *a, const struct record *b)
{
	const struct exchange *x = &a->exchange, *y = &b->exchange;

	return a->type != RECORD_EXCHANGE || (x->has_parent == y->has_parent && !x->parent.p == !y->parent.p &&
	                                      span_same(x->parent, y->parent));
}

/* Finds the last line of the record seen[first], which becomes *r. A record beside NUL bytes did not count
 * until now, so it is the last one only if there is no other. */
static int find_last(struct scan *s, const struct jsonl *j, size_t first, size_t *last, struct record *r,
                     struct err *e)
{
	struct lookup_at at = lookup_begin(&s->by_identity, s->seen[first].hash);
	size_t i;

	*last = first;
	if (record_parse(seen_text(&s->seen[first], j), r, e) < 0)
		return -1;
	while (lookup_next(&s->by_identity, &at, &i)) {
		struct record other;

		if (i == first)
			continue;
		if (record_parse(seen_text(&s->seen[i], j), &other, e) < 0) {
			record_release(r);
			return -1;
		}
		if (same_identity(&other, r) && (!find_piece(s, &s->seen[i]) || find_piece(s, &s->seen[*last]))) {
			struct record before = *r;

			*r = other;
			other = before;
			*last = i;
		}
		record_release(&other);
	}
	return 0;
}

/* Finds the version of the record seen[first] that counts, among those of the same hash, and its last
 * line. */
static int find_best(struct scan *s, const struct jsonl *j, size_t first, size_t *best, size_t *last,
                     struct record *kept, struct err *e)
{
	struct lookup_at at = lookup_begin(&s->by_identity, s->seen[first].hash);
	size_t i;

	if (find_last(s, j, first, last, kept, e) < 0)
		return -1;
	*best = *last;
	while (lookup_next(&s->by_identity, &at, &i)) {
		struct span text = seen_text(&s->seen[i], j);
		struct record r;

		if (i == *best)
			continue;
		if (record_parse(text, &r, e) < 0) {
			record_release(kept);
			return -1;
		}
		if (same_identity(&r, kept) && may_replace(&r, kept) &&
		    is_better(&r, text, kept, seen_text(&s->seen[*best], j))) {
			struct record other = *kept;

			*kept = r;
			r = other;
			*best = i;
		}
		record_release(&r);
	}
	return 0;
}

/* Notes a duplicate: another version is kept, elsewhere or (`instead`) in its place. */
static int add_twin(struct scan *s, const struct jsonl *j, const struct seen *x, const struct seen *best,
                    bool instead, const struct record *kept, struct err *e)
{
	struct bad_line bad = { .start = x->start, .n = x->n, .line = x->line, .kind = FINDING_DUPLICATE,
	                        .differs = !span_same(seen_text(x, j), seen_text(best, j)),
	                        .exchange = kept->type == RECORD_EXCHANGE };
	struct scan_piece *piece = find_piece(s, x);
	struct record r;
	int result = 0;

	if (record_parse(seen_text(x, j), &r, e) < 0)
		return -1;
	if (instead)
		bad.instead = seen_text(best, j);
	if (!same_identity(&r, kept))
		; /* another record with the same hash */
	else if (piece)
		*piece = (struct scan_piece){ x->start, bad.instead.n, instead ? best->start : x->start };
	else
		result = add_bad(s, &bad, e);
	record_release(&r);
	return result;
}

/* Notes that the version that counts leaves its place for the last one's. */
static int leave_place(struct scan *s, const struct seen *best, struct err *e)
{
	const struct bad_line bad = { .start = best->start, .n = best->n, .line = best->line,
	                              .kind = FINDING_DUPLICATE, .exchange = true, .leaves = true };
	struct scan_piece *piece = find_piece(s, best);

	if (!piece)
		return add_bad(s, &bad, e);
	piece->n = 0;
	return 0;
}

/* Notes every record with the identity of seen[first] except the version that counts. */
static int judge_twins(struct scan *s, const struct jsonl *j, size_t first, struct err *e)
{
	struct lookup_at at = lookup_begin(&s->by_identity, s->seen[first].hash);
	struct record kept;
	size_t best, last, i;
	bool moves;
	int r;

	if (find_best(s, j, first, &best, &last, &kept, e) < 0)
		return -1;
	moves = kept.type == RECORD_EXCHANGE && best != last;
	r = moves ? leave_place(s, &s->seen[best], e) : 0;
	while (r == 0 && lookup_next(&s->by_identity, &at, &i))
		if (i != best)
			r = add_twin(s, j, &s->seen[i], &s->seen[best], moves && i == last, &kept, e);
	record_release(&kept);
	return r;
}

static int find_duplicates(struct scan *s, const struct jsonl *j, struct err *e)
{
	for (size_t i = 0; i < s->nseen; i++)
		if (s->seen[i].twins && judge_twins(s, j, i, e) < 0)
			return -1; /* not reached: judge_twins() does not fail */
	if (s->nbad)
		qsort(s->bad, s->nbad, sizeof(*s->bad), by_start);
	return 0;
}

/* ---- the conversation before and after a repair ---- */

enum reading {
	AS_IT_IS,  /* with the duplicates */
	AT_ONCE,   /* with them, but only the last of consecutive lines of one exchange */
	REPAIRED,
};

struct trial {
	const struct scan *s;
	const struct jsonl *j;
	enum reading how;
	struct conversation c;
	struct record held; /* an exchange that another copy may follow; its json is NULL: none */
	struct span line;   /* of `held` */
};

static int apply_held(struct trial *t, struct err *e)
{
	int r = t->held.json ? conversation_apply(&t->c, &t->held, t->line, (size_t)(t->line.p - t->j->p), e) : 0;

	record_release(&t->held);
	return r;
}

static int try_record(struct trial *t, struct span line, struct err *e)
{
	struct err why = ERR_INIT;
	struct record r;
	int result = 0;

	if (record_parse(line, &r, &why) < 0)
		return why.kind == ERR_FAILED ? err_set(e, why.kind, "%s", why.msg) : 0;
	if (r.type == RECORD_EXCHANGE || r.type == RECORD_REWIND) {
		if (t->how == AT_ONCE && t->held.json && r.type == RECORD_EXCHANGE &&
		    span_same(r.exchange.id, t->held.exchange.id))
			record_release(&t->held);
		result = apply_held(t, e);
	}
	if (result == 0 && r.type == RECORD_EXCHANGE) {
		t->held = r;
		t->line = line;
		return 0;
	}
	if (result == 0)
		result = conversation_apply(&t->c, &r, line, (size_t)(line.p - t->j->p), e);
	record_release(&r);
	return result;
}

static int try_pieces(struct trial *t, const struct bad_line *b, struct err *e)
{
	for (size_t i = 0; i < t->s->npieces; i++) {
		const struct scan_piece *p = &t->s->pieces[i];

		if (p->start >= b->start && p->start < b->start + b->n && p->n &&
		    try_record(t, (struct span){ t->j->p + p->from, p->n }, e) < 0)
			return -1;
	}
	return 0;
}

/* *k counts the bad lines. */
static int try_line(struct trial *t, size_t *k, struct span line, struct err *e)
{
	size_t at = (size_t)(line.p - t->j->p);
	const struct bad_line *b = NULL;

	for (; *k < t->s->nbad && t->s->bad[*k].start <= at; ++*k)
		if (t->s->bad[*k].start == at && !(b && b->kind == FINDING_DUPLICATE))
			b = &t->s->bad[*k];
	if (!b || b->kind == FINDING_TORN || (b->kind == FINDING_DUPLICATE && t->how != REPAIRED))
		return try_record(t, line, e);
	if (b->kind == FINDING_NUL)
		return try_pieces(t, b, e);
	return b->instead.p ? try_record(t, b->instead, e) : 0;
}

static int try_reading(struct trial *t, struct err *e)
{
	struct span line;
	size_t at = 0, k = 0;

	t->c.lean = true;
	while (jsonl_next(t->j, &at, &line))
		if (try_line(t, &k, line, e) < 0)
			return -1;
	line = (struct span){ t->j->p + t->j->n, t->j->mapped - t->j->n };
	if (t->s->torn && try_line(t, &k, line, e) < 0)
		return -1;
	return apply_held(t, e) < 0 ? -1 : conversation_settle(&t->c, e);
}

static bool same_path(const struct conversation *a, const struct conversation *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = span_same(buf_span(&a->path[i]->id), buf_span(&b->path[i]->id));
	return same;
}

static void mark_exchanges(struct scan *s, bool needed)
{
	for (size_t i = 0; i < s->nbad; i++)
		if (s->bad[i].exchange) {
			s->bad[i].needed = s->bad[i].stays = needed;
			s->bad[i].itself = !needed;
		}
}

/*
 * An exchange without a parent member follows the one before it in the file. If that is a duplicate whose
 * removal would change the conversation, the duplicates of exchanges stay; unless an exchange follows a
 * copy of itself, which is never meant.
 */
static int keep_needed(struct scan *s, const struct jsonl *j, struct err *e)
{
	struct trial t[] = { [AS_IT_IS] = { .s = s, .j = j }, [AT_ONCE] = { .s = s, .j = j },
		             [REPAIRED] = { .s = s, .j = j } };
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < s->nbad; i++)
		any |= s->bad[i].exchange;
	if (!any || !s->orphans)
		return 0;
	for (int how = AS_IT_IS; how <= REPAIRED; how++) {
		t[how].how = (enum reading)how;
		t[how].c = (struct conversation)CONVERSATION_INIT;
		r = r < 0 ? r : try_reading(&t[how], e);
	}
	if (r == 0 && !same_path(&t[AS_IT_IS].c, &t[REPAIRED].c))
		mark_exchanges(s, !same_path(&t[AT_ONCE].c, &t[REPAIRED].c));
	for (int how = AS_IT_IS; how <= REPAIRED; how++) {
		record_release(&t[how].held);
		conversation_release(&t[how].c);
	}
	return r;
}

static int scan_all(struct scan *s, const struct jsonl *j, bool tail, struct err *e)
{
	if (scan_lines(s, j, e) < 0)
		return -1;
	if (s->version)
		return 0;
	if (tail && j->mapped > j->n && scan_tail(s, j, e) < 0)
		return -1; /* not reached: scan_tail() does not fail */
	if (s->nrefs)
		qsort(s->refs, s->nrefs, sizeof(*s->refs), by_digest);
	return find_duplicates(s, j, e) < 0 ? -1 : keep_needed(s, j, e);
}

int scan_history(struct scan *s, const struct jsonl *j, bool tail, struct err *e)
{
	*s = (struct scan){ .removals = false };
	return scan_all(s, j, tail, e);
}

int scan_removed(struct scan *s, const struct jsonl *j, bool tail, struct err *e)
{
	*s = (struct scan){ .removals = true };
	return scan_all(s, j, tail, e);
}

void scan_release(struct scan *s)
{
	free(s->bad);
	free(s->pieces);
	free(s->seen);
	lookup_release(&s->by_identity);
	free(s->refs);
	*s = (struct scan){ .bad = NULL };
}

void scan_explain(const struct scan *s, const struct bad_line *bad, const struct jsonl *j,
                  struct err *why)
{
	struct span line = { j->p + bad->start, bad->n };

	line.n -= line.p[line.n - 1] == '\n';
	switch (bad->kind) {
	case FINDING_DUPLICATE:
		err_set(why, ERR_DAMAGED, "%s%s", bad->differs ? "another version of this record counts"
		                                               : "a second copy of this record",
		        bad->itself ? "; with it, an exchange without a parent follows itself" : "");
		break;
	case FINDING_NUL:
		err_set(why, ERR_DAMAGED, bad->whole == 0   ? "NUL bytes"
		                          : bad->whole == 1 ? "NUL bytes beside a whole record"
		                                            : "NUL bytes beside whole records");
		break;
	default:
		if (bad->stays)
			err_set(why, ERR_DAMAGED, "it lacks its line feed");
		else if (judge_line(s, line, why) < 0 && why->kind == ERR_FAILED)
			/* there is no memory to find out more */
			*why = (struct err){ ERR_DAMAGED, "not a valid record" };
		if (bad->kind == FINDING_TORN && !bad->stays)
			err_prefix(why, "the last line is not a whole record");
	}
}
