#include "store/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json-scan.h"
#include "base/json.h"
#include "store/id.h"
#include "store/place.h"

static int open_failed(const struct store *s, const char *id, bool folder, struct err *e)
{
	if (e->kind != ERR_NOT_FOUND)
		return err_prefix(e, "'%s/%s%s'", s->dir, id, folder ? "" : "/" HISTORY_FILE);
	err_clear(e);
	return err_set(e, ERR_NOT_FOUND, "no session '%s'", id);
}

int history_open(const struct store *s, const char *id, int flags, int *dir, struct err *e)
{
	int fd;

	*dir = s->fd < 0 ? err_set(e, ERR_NOT_FOUND, "no store") : place_folder(s->fd, id, e);
	if (*dir < 0)
		return open_failed(s, id, true, e);
	fd = place_file(*dir, HISTORY_FILE, flags, e);
	if (fd >= 0)
		return fd;
	close(*dir);
	*dir = -1;
	return open_failed(s, id, false, e);
}

int history_map(const struct store *s, const char *id, struct jsonl *j, struct err *e)
{
	int dir, fd = history_open(s, id, O_RDONLY, &dir, e), r;

	if (fd < 0)
		return -1;
	r = jsonl_map(j, fd, e);
	close(fd);
	close(dir);
	return r < 0 ? err_prefix(e, "'%s/%s/" HISTORY_FILE "'", s->dir, id) : 0;
}

static int turns_add(struct turns *t, size_t *cap, size_t offset, struct err *e)
{
	if (t->n == *cap) {
		size_t more = *cap ? *cap * 2 : 64;
		size_t *p = realloc(t->offsets, more * sizeof(*p));

		if (!p)
			return err_oom(e);
		t->offsets = p;
		*cap = more;
	}
	t->offsets[t->n++] = offset;
	return 0;
}

void turns_release(struct turns *t)
{
	free(t->offsets);
	*t = (struct turns){ NULL, 0, 0 };
}

static void notice_damage(const struct store *s, const char *id, const struct jsonl *j,
                          size_t offset, const char *why)
{
	store_notice(s, "%s/%s/" HISTORY_FILE ":%zu: skipped a damaged record: %s", s->dir, id,
	             jsonl_line_number(j, offset), why);
}

bool history_record(const struct store *s, const char *id, const struct jsonl *j, size_t offset,
                    struct record *r)
{
	struct err e = ERR_INIT;
	struct span line;
	size_t at = offset;

	if (!jsonl_next(j, &at, &line)) {
		store_notice(s, "%s/%s/" HISTORY_FILE " has no valid session record", s->dir, id);
		return false;
	}
	if (record_parse(line, r, &e) == 0)
		return true;
	notice_damage(s, id, j, offset, e.msg);
	return false;
}

/* The reader's place on its way back through the file. */
struct walk {
	size_t at;
	bool skipping;
	struct span until;  /* the exchange, as its quoted id, that a rewind goes back to */
	size_t rewind_at;   /* where that rewind is */
	struct known {      /* the exchanges; looked up once a rewind has named none of them */
		uint64_t hash;
		size_t offset;
	} *known;           /* owned; sorted */
	size_t nknown, known_cap;
};

static uint64_t hash_of(struct span id)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (unsigned char)id.p[i]) * UINT64_C(1099511628211);
	return h;
}

static int by_hash(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int know(struct walk *w, struct span id, size_t offset, struct err *e)
{
	if (w->nknown == w->known_cap) {
		size_t cap = w->known_cap ? w->known_cap * 2 : 64;
		struct known *v = realloc(w->known, cap * sizeof(*v));

		if (!v)
			return err_oom(e);
		w->known = v;
		w->known_cap = cap;
	}
	w->known[w->nknown++] = (struct known){ hash_of(id), offset };
	return 0;
}

static int know_all(struct walk *w, const struct jsonl *j, struct err *e)
{
	struct span line, id, type;
	size_t at = 0;

	for (size_t start = 0; jsonl_next(j, &at, &line); start = at)
		if (json_scan_find(line, "type", &type) && span_eq(type, "\"exchange\"") &&
		    json_scan_find(line, "id", &id) && know(w, id, start, e) < 0)
			return -1;
	if (w->nknown)
		qsort(w->known, w->nknown, sizeof(*w->known), by_hash);
	return 0;
}

/* Whether looking for it before `offset` may find it. Without this, thousands of rewinds
 * to nowhere would each read the whole file. */
static bool may_be_before(const struct walk *w, struct span id, size_t offset)
{
	struct known key = { hash_of(id), 0 };
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
	if (!json_scan_find(line, "id", &id) || id.n != w->until.n ||
	    memcmp(id.p, w->until.p, id.n) != 0 || !json_is_whole(line))
		return false;
	w->skipping = false;
	return true;
}

/* Returns false when nothing before this rewind is in the conversation. */
static bool meet_rewind(struct walk *w, struct span line)
{
	if (w->skipping || !is_valid(line) || !json_scan_find(line, "to", &w->until))
		return true;
	if (span_eq(w->until, "null"))
		return false;
	w->skipping = may_be_before(w, w->until, w->at);
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
	if (span_eq(type, "\"rewind\""))
		return meet_rewind(w, line) ? 0 : -1;
	return span_eq(type, "\"exchange\"") && in_conversation(w, line);
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
	struct walk w = { .at = j->n };
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
		again = e->kind == ERR_NONE ? retry_without_rewind(&w, j, e) : -1;
	} while (again > 0);
	free(w.known);
	if (again < 0)
		turns_release(t);
	else
		reverse(t);
	return again;
}

static void copy_change(struct buf *to, struct span value)
{
	if (!value.p)
		return;
	buf_clear(to);
	buf_add(to, value.p, value.n);
}

static void summarize_head(struct conversation *c)
{
	const struct session_head *h = &c->head.head;

	c->summary.created_at = c->summary.updated_at = h->created_at;
	c->summary.provider = h->provider;
	c->summary.cwd = h->cwd;
	copy_change(&c->model, h->model);
	copy_change(&c->title, h->title);
}

static void count_usage(struct summary *s, const struct exchange *x)
{
	int64_t end = x->timestamp + (x->duration > 0 ? x->duration : 0);

	usage_add(&s->usage, &x->usage);
	if (end > s->updated_at)
		s->updated_at = end;
}

static void count_turn(struct summary *s, const struct exchange *x)
{
	if (!s->first_query.p)
		s->first_query = x->query;
	s->last_query = x->query;
	s->exchange_count += x->status == STATUS_COMPLETE;
}

void summary_count(struct summary *s, const struct exchange *x, int64_t bytes)
{
	count_usage(s, x);
	count_turn(s, x);
	s->history_bytes = bytes;
}

/* Takes the record in, and with it its ownership when it is kept. */
static void take(struct conversation *c, struct record *r, size_t offset, const struct turns *t,
                 size_t *next)
{
	switch (r->type) {
	case RECORD_SESSION:
		if (c->head.json)
			break;
		c->head = *r;
		r->json = NULL;
		summarize_head(c);
		break;
	case RECORD_EXCHANGE:
		count_usage(&c->summary, &r->exchange);
		if (*next == t->n || t->offsets[*next] != offset)
			break;
		count_turn(&c->summary, &r->exchange);
		c->turns[c->n++] = *r;
		r->json = NULL;
		break;
	case RECORD_CHANGE:
		copy_change(&c->model, r->change.model);
		copy_change(&c->title, r->change.title);
		break;
	case RECORD_REWIND:
	case RECORD_OTHER:
		break;
	}
}

/* A record that is damaged is passed over. What only cannot be read now must not be. */
static int read_records(struct conversation *c, const struct store *s, const char *id,
                        const struct jsonl *j, const struct turns *t, struct err *e)
{
	struct span line;
	size_t at = 0, next = 0;

	for (size_t start = 0; jsonl_next(j, &at, &line); start = at) {
		struct err why = ERR_INIT;
		struct record r;

		if (record_parse(line, &r, &why) == 0)
			take(c, &r, start, t, &next);
		else if (why.kind == ERR_DAMAGED || (why.kind == ERR_VERSION && c->head.json))
			notice_damage(s, id, j, start, why.msg);
		else
			return err_set(e, why.kind, "%s/%s/" HISTORY_FILE ":%zu: %s", s->dir, id,
			               jsonl_line_number(j, start), why.msg);
		if (next < t->n && t->offsets[next] == start)
			next++;
		if (why.kind == ERR_NONE)
			record_release(&r);
	}
	return 0;
}

int conversation_load(struct conversation *c, const struct store *s, const char *id,
                      const struct jsonl *j, struct err *e)
{
	struct turns t;

	*c = (struct conversation)CONVERSATION_INIT;
	c->summary.usage = (struct usage)USAGE_NONE;
	c->summary.history_bytes = (int64_t)j->n;
	if (history_turns(NULL, id, j, 0, &t, e) < 0)
		return -1;
	c->turns = calloc(t.n + 1, sizeof(*c->turns));
	if (!c->turns || read_records(c, s, id, j, &t, e) < 0 || c->model.oom || c->title.oom) {
		turns_release(&t);
		conversation_release(c);
		return e->kind == ERR_NONE ? err_oom(e) : -1;
	}
	turns_release(&t);
	if (!c->head.json) {
		conversation_release(c);
		return err_set(e, ERR_DAMAGED, "%s/%s/" HISTORY_FILE " has no valid session record", s->dir,
		               id);
	}
	c->summary.model = buf_span(&c->model);
	if (c->title.n)
		c->summary.title = buf_span(&c->title);
	return 0;
}

int conversation_add(struct conversation *c, const struct exchange *x, struct err *e)
{
	struct record *more = realloc(c->turns, (c->n + 1) * sizeof(*more));
	struct buf line = BUF_INIT;
	int r;

	if (!more)
		return err_oom(e);
	c->turns = more;
	record_add_exchange(&line, x); /* the record that is read back owns its strings */
	r = buf_check(&line, e) < 0 ? -1 : record_parse(buf_span(&line), &c->turns[c->n], e);
	buf_release(&line);
	c->n += r == 0;
	return r;
}

void conversation_release(struct conversation *c)
{
	if (c->head.json)
		record_release(&c->head);
	for (size_t i = 0; i < c->n; i++)
		record_release(&c->turns[i]);
	free(c->turns);
	buf_release(&c->model);
	buf_release(&c->title);
	*c = (struct conversation)CONVERSATION_INIT;
}
