#include "store/history.h"

#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/json-scan.h"
#include "store/id.h"
#include "store/place.h"

bool history_exists(const struct store *s, const char *id)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];
	struct stat st;

	if (s->fd < 0)
		return false;
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, id);
	return fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

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

static void notice_damage(const struct store *s, const char *id, const struct jsonl *j,
                          struct jsonl_count *lines, size_t offset, const char *why)
{
	if (s->notice)
		store_notice(s, "%s/%s/" HISTORY_FILE ":%zu: skipped a damaged record: %s", s->dir, id,
		             jsonl_count(j, lines, offset), why);
}

bool history_record(const struct store *s, const char *id, const struct jsonl *j, size_t offset,
                    struct record *r)
{
	struct jsonl_count lines = JSONL_COUNT_INIT;
	struct err e = ERR_INIT;
	struct span line;
	size_t at = offset;

	if (!jsonl_next(j, &at, &line)) {
		store_notice(s, "%s/%s/" HISTORY_FILE " has no valid session record", s->dir, id);
		return false;
	}
	if (record_parse(line, r, &e) == 0)
		return true;
	notice_damage(s, id, j, &lines, offset, e.msg);
	return false;
}

static bool is_exchange(struct span line, struct span id, struct record *r)
{
	struct err ignored = ERR_INIT;
	struct span own;

	/* The bytes of the id need not be in the line: a program may write any character as an escape. */
	if (!json_scan_find(line, "id", &own) || !json_scan_is(own, id) || record_parse(line, r, &ignored) < 0)
		return false;
	if (r->type == RECORD_EXCHANGE && span_same(r->exchange.id, id))
		return true;
	record_release(r);
	return false;
}

bool history_find(const struct jsonl *j, size_t from, size_t end, struct span id, struct record *r)
{
	struct span line;

	while (end > from && jsonl_prev(j, &end, &line))
		if (is_exchange(line, id, r))
			return true;
	return false;
}

/* ---- forwards ---- */

/* Applies the record on a line. A damaged line is skipped; a lack of memory is an error. */
static int apply_line(struct conversation *c, const struct store *s, const char *id,
                      const struct jsonl *j, struct jsonl_count *lines, size_t at, struct span line,
                      struct err *e)
{
	struct err why = ERR_INIT;
	struct record r;
	int applied;

	if (record_parse(line, &r, &why) == 0) {
		applied = conversation_apply(c, &r, line, at, e);
		record_release(&r);
		return applied;
	}
	if (why.kind != ERR_DAMAGED && !(why.kind == ERR_VERSION && c->head.json))
		return err_set(e, why.kind, "%s/%s/" HISTORY_FILE ":%zu: %s", s->dir, id,
		               jsonl_count(j, lines, at), why.msg);
	c->damaged++;
	notice_damage(s, id, j, lines, at, why.msg);
	return 0;
}

static int no_head(const struct store *s, const char *id, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "%s/%s/" HISTORY_FILE " has no valid session record", s->dir, id);
}

/* Reads an exchange's text again, which a lean conversation did not keep. */
static int read_again(struct conversation *c, size_t i, const struct jsonl *j, struct err *e)
{
	struct exchange_node *x = c->path[i];
	struct span line;
	size_t at = x->at;

	if (x->record.json || !jsonl_next(j, &at, &line))
		return 0;
	return record_parse(line, &x->record, e);
}

/* Reads the texts that the index has, and the exchange whose model is current. */
static int read_ends(struct conversation *c, const struct jsonl *j, struct err *e)
{
	bool known = false;

	if (c->n && (read_again(c, 0, j, e) < 0 || read_again(c, c->n - 1, j, e) < 0))
		return -1;
	for (size_t i = c->n; !known && i--;) {
		known = c->path[i]->status != STATUS_ERROR;
		if (known && read_again(c, i, j, e) < 0)
			return -1;
	}
	return conversation_settle(c, e);
}

#define MANY 1048576 /* bytes of records */

/* The records of a long history are many small pieces of memory. glibc collects freed ones in lists
 * that it merges with their neighbours again and again when all are freed: a third of the time that
 * reading takes. Without these lists each is merged once. */
static void expect_many(size_t bytes)
{
#ifdef M_MXFAST
	if (bytes > MANY)
		mallopt(M_MXFAST, 0);
#else
	(void)bytes;
#endif
}

int history_load_more(struct conversation *c, const struct store *s, const char *id,
                      const struct jsonl *j, struct err *e)
{
	struct jsonl_count lines = JSONL_COUNT_INIT;
	struct span line;

	expect_many(j->n - c->bytes);
	for (size_t start = c->bytes; jsonl_next(j, &c->bytes, &line); start = c->bytes)
		if (apply_line(c, s, id, j, &lines, start, line, e) < 0)
			return -1;
	c->info.history_bytes = (int64_t)j->n;
	if (conversation_settle(c, e) < 0 || (c->lean && read_ends(c, j, e) < 0))
		return -1;
	return c->head.json ? 0 : no_head(s, id, e);
}

int history_load(struct conversation *c, const struct store *s, const char *id,
                 const struct jsonl *j, struct err *e)
{
	return history_load_more(c, s, id, j, e);
}

int history_read(struct conversation *c, const struct store *s, const char *id, struct err *e)
{
	struct jsonl j;
	int r;

	if (history_map(s, id, &j, e) < 0)
		return -1;
	r = history_load(c, s, id, &j, e);
	jsonl_unmap(&j); /* the records are copies */
	return r;
}

/* ---- backwards ---- */

/* A record that was read on the way back. */
struct met {
	struct record record;
	struct span line;
	size_t at;
	bool on_path;
	/* For an exchange without a parent member: what the exchange or rewind before it names. */
	bool implied;
	struct span parent; /* p == NULL: nothing */
	size_t oldest;      /* of a step: the line of it that was read last */
};

/* The weight of an exchange with its steps and results so far, which may be before it in the file. */
struct load {
	struct span exchange;
	int64_t weight;
	bool ignored, on_path;
};

#define NONE SIZE_MAX
#define STEP_LEAST 64 /* bytes; a step record has more */

struct walk {
	const struct history_want *want;
	struct met *v; /* owned; newest first */
	size_t n, cap;
	struct lookup exchanges, steps, results; /* the last line of each counts, and is read first */
	struct load *loads; /* owned */
	size_t nloads, loads_cap;
	struct lookup by_exchange; /* of the loads */
	int64_t left;    /* weight that is still wanted */
	size_t head;     /* the newest exchange or rewind; or NONE */
	size_t orphan;   /* an exchange whose parent the next exchange or rewind names; or NONE */
	size_t last;     /* the oldest exchange of the conversation so far; or NONE */
	size_t found;    /* its number of exchanges */
	size_t missing;  /* steps of these exchanges that were not read yet */
	bool complete;   /* all wanted exchanges were read */
};

static bool is_head(const struct met *m)
{
	return m->record.type == RECORD_EXCHANGE || m->record.type == RECORD_REWIND;
}

static struct span target_of(const struct met *m)
{
	return m->record.type == RECORD_EXCHANGE ? m->record.exchange.id : m->record.rewind.to;
}

static size_t find_exchange(const struct walk *w, struct span id)
{
	struct lookup_at at = lookup_begin(&w->exchanges, span_hash(id));
	size_t i;

	while (lookup_next(&w->exchanges, &at, &i))
		if (span_same(w->v[i].record.exchange.id, id))
			return i;
	return NONE;
}

static uint64_t step_hash(struct span exchange, int64_t n)
{
	return span_hash(exchange) ^ span_hash((struct span){ (const char *)&n, sizeof(n) });
}

static size_t find_step(const struct walk *w, struct span exchange, int64_t n)
{
	struct lookup_at at = lookup_begin(&w->steps, step_hash(exchange, n));
	size_t i;

	while (lookup_next(&w->steps, &at, &i))
		if (w->v[i].record.step.n == n && span_same(w->v[i].record.step.exchange, exchange))
			return i;
	return NONE;
}

static uint64_t result_hash(const struct result *r)
{
	return step_hash(r->exchange, r->n) * UINT64_C(0x9e3779b97f4a7c15) ^ span_hash(r->call);
}

static bool has_result(const struct walk *w, const struct result *r)
{
	struct lookup_at at = lookup_begin(&w->results, result_hash(r));
	size_t i;

	while (lookup_next(&w->results, &at, &i)) {
		const struct result *known = &w->v[i].record.result;

		if (known->n == r->n && span_same(known->exchange, r->exchange) && span_same(known->call, r->call))
			return true;
	}
	return false;
}

/* ---- what they weigh ---- */

static struct load *find_load(struct walk *w, struct span exchange, struct err *e)
{
	uint64_t hash = span_hash(exchange);
	struct lookup_at at = lookup_begin(&w->by_exchange, hash);
	struct load *v;
	size_t i;

	while (lookup_next(&w->by_exchange, &at, &i))
		if (span_same(w->loads[i].exchange, exchange))
			return &w->loads[i];
	v = array_room(w->loads, w->nloads, &w->loads_cap, sizeof(*v), e);
	if (!v)
		return NULL;
	w->loads = v;
	if (lookup_add(&w->by_exchange, hash, w->nloads, e) < 0)
		return NULL;
	v += w->nloads++;
	*v = (struct load){ .exchange = exchange };
	return v;
}

static int64_t counted(const struct walk *w, const struct load *l)
{
	return l->ignored ? 0 : l->weight < w->want->most ? l->weight : w->want->most;
}

/* Adds the weight of record `i`, which belongs to that exchange. */
static int add_weight(struct walk *w, size_t i, struct span exchange, struct err *e)
{
	int64_t weight, before;
	struct load *l;

	if (w->want->last)
		return 0;
	l = find_load(w, exchange, e);
	if (!l)
		return -1;
	weight = w->want->weigh(&w->v[i].record);
	before = counted(w, l);
	l->ignored |= weight < 0;
	l->weight += weight > 0 ? weight : 0;
	if (l->on_path)
		w->left -= counted(w, l) - before;
	return 0;
}

/* ---- the way back ---- */

static bool has_enough(const struct walk *w)
{
	return w->want->last ? w->found == w->want->last : w->found && w->left <= 0;
}

/* Whether the step was found before exchange `x` in the file. A step after it may be a better version that a
 * merge appended; the results are with the first version. */
static bool has_step(const struct walk *w, size_t x, int64_t n)
{
	size_t i = find_step(w, w->v[x].record.exchange.id, n);

	return i != NONE && w->v[i].oldest > x;
}

/* Finds the newest exchange or rewind that names nothing, or an exchange that was read. 0: it may name one that
 * was not read yet. */
static int find_head(const struct walk *w, struct span *id)
{
	if (w->head == NONE)
		return 0;
	*id = target_of(&w->v[w->head]);
	return !id->p || find_exchange(w, *id) != NONE;
}

/* The id of the conversation's next exchange, from the newest to the oldest. 0: not known yet. */
static int find_next(const struct walk *w, struct span *id)
{
	const struct met *m = w->last == NONE ? NULL : &w->v[w->last];

	if (!m)
		return find_head(w, id);
	*id = m->record.exchange.has_parent ? m->record.exchange.parent : m->parent;
	return m->record.exchange.has_parent || m->implied;
}

/* Follows the conversation as far as it was read. The history cannot have as many steps as `lines`. */
static int follow_path(struct walk *w, size_t lines, struct err *e)
{
	struct load *load;
	struct span id;

	while (!w->complete && find_next(w, &id)) {
		size_t i = id.p ? find_exchange(w, id) : NONE;
		const struct exchange *x;

		if (id.p && i == NONE)
			return 0;
		w->complete = !id.p || w->v[i].on_path;
		if (w->complete)
			return 0;
		x = &w->v[i].record.exchange;
		w->v[i].on_path = true;
		w->last = i;
		w->found++;
		for (int64_t n = 0; n < x->steps && w->missing <= lines; n++)
			w->missing += !has_step(w, i, n);
		if (!w->want->last) {
			load = find_load(w, x->id, e);
			if (!load)
				return -1;
			load->on_path = true;
			w->left -= counted(w, load);
		}
		w->complete = has_enough(w);
	}
	return 0;
}

static int meet_head(struct walk *w, size_t i, struct err *e)
{
	struct span target = target_of(&w->v[i]);

	w->head = w->head == NONE ? i : w->head;
	if (w->orphan != NONE) {
		w->v[w->orphan].implied = true;
		w->v[w->orphan].parent = target;
		w->orphan = NONE;
	}
	if (w->v[i].record.type != RECORD_EXCHANGE)
		return 0;
	if (!w->v[i].record.exchange.has_parent)
		w->orphan = i;
	if (find_exchange(w, target) != NONE)
		return 0;
	return lookup_add(&w->exchanges, span_hash(target), i, e) < 0 ? -1 : add_weight(w, i, target, e);
}

static int meet_step(struct walk *w, size_t i, struct err *e)
{
	const struct step *s = &w->v[i].record.step;
	size_t x = find_exchange(w, s->exchange), known = find_step(w, s->exchange, s->n);

	if (x != NONE && w->v[x].on_path && s->n < w->v[x].record.exchange.steps && w->missing &&
	    !has_step(w, x, s->n))
		w->missing--;
	w->v[i].oldest = i;
	if (known != NONE) {
		w->v[known].oldest = i;
		return 0;
	}
	return lookup_add(&w->steps, step_hash(s->exchange, s->n), i, e) < 0 ? -1 : add_weight(w, i, s->exchange, e);
}

static int meet_result(struct walk *w, size_t i, struct err *e)
{
	const struct result *r = &w->v[i].record.result;

	if (w->want->last || has_result(w, r))
		return 0;
	return lookup_add(&w->results, result_hash(r), i, e) < 0 ? -1 : add_weight(w, i, r->exchange, e);
}

/* Takes ownership of the record. */
static int meet(struct walk *w, struct record *r, struct span line, size_t at, size_t lines,
                struct err *e)
{
	struct met *v = array_room(w->v, w->n, &w->cap, sizeof(*v), e);
	size_t i = w->n;
	int result = 0;

	if (!v)
		return -1;
	w->v = v;
	v[w->n++] = (struct met){ .record = *r, .line = line, .at = at };
	r->json = NULL;
	if (is_head(&v[i]))
		result = meet_head(w, i, e);
	else if (v[i].record.type == RECORD_STEP)
		result = meet_step(w, i, e);
	else if (v[i].record.type == RECORD_RESULT)
		result = meet_result(w, i, e);
	if (result < 0)
		return -1;
	w->complete = w->complete || has_enough(w);
	return follow_path(w, lines, e);
}

/* Reads backwards until all that is wanted was read; *at becomes the offset of the oldest record. */
static int walk_back(struct walk *w, struct conversation *c, const struct store *s, const char *id,
                     const struct jsonl *j, size_t *at, struct err *e)
{
	struct jsonl_count lines = JSONL_COUNT_INIT;
	struct span line;

	while (!(w->complete && !w->missing) && jsonl_prev(j, at, &line)) {
		struct err why = ERR_INIT;
		struct record r;
		int result;

		if (record_parse(line, &r, &why) < 0) {
			if (why.kind == ERR_FAILED)
				return err_set(e, why.kind, "%s", why.msg);
			c->damaged++;
			notice_damage(s, id, j, &lines, *at, why.msg);
			continue;
		}
		result = meet(w, &r, line, *at, j->n / STEP_LEAST + 1, e);
		record_release(&r);
		if (result < 0)
			return -1;
	}
	return 0;
}

/* Reads only the session record before offset `end`. *whole: nothing else is there. */
static int read_session_head(struct conversation *c, const struct store *s, const char *id,
                             const struct jsonl *j, size_t end, bool *whole, struct err *e)
{
	struct jsonl_count lines = JSONL_COUNT_INIT;
	struct err ignored = ERR_INIT;
	struct record r;
	struct span line;
	size_t at = 0;
	int applied = 0;

	if (!jsonl_next(j, &at, &line))
		return 0;
	if (record_parse(line, &r, &ignored) < 0)
		return apply_line(c, s, id, j, &lines, 0, line, e); /* it reports what is wrong */
	/* An exchange there would seem to be what the ones that were read follow. */
	if (r.type == RECORD_SESSION) {
		applied = conversation_apply(c, &r, line, 0, e);
		*whole = at == end;
	}
	record_release(&r);
	return applied;
}

int history_load_newest(struct conversation *c, const struct store *s, const char *id,
                        const struct jsonl *j, const struct history_want *want, bool *whole,
                        struct err *e)
{
	struct walk w = { .want = want, .head = NONE, .orphan = NONE, .last = NONE, .left = want->limit };
	size_t at = j->n;
	int r = walk_back(&w, c, s, id, j, &at, e);

	*whole = at == 0;
	if (r == 0 && !*whole)
		r = read_session_head(c, s, id, j, at, whole, e);
	for (size_t i = w.n; i--;) {
		if (r == 0)
			r = conversation_apply(c, &w.v[i].record, w.v[i].line, w.v[i].at, e);
		record_release(&w.v[i].record);
	}
	c->bytes = j->n;
	c->info.history_bytes = (int64_t)j->n;
	if (r == 0)
		r = conversation_settle(c, e);
	if (r == 0 && !c->head.json)
		r = no_head(s, id, e);
	free(w.v);
	lookup_release(&w.exchanges);
	lookup_release(&w.steps);
	lookup_release(&w.results);
	lookup_release(&w.by_exchange);
	free(w.loads);
	return r;
}
