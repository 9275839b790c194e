#include "store/conversation.h"

#include <json-c/json_object_iterator.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/json.h"

#define DIRTY_PATH 1u     /* the head moved, but not to a new child */
#define DIRTY_BRANCHES 2u /* an exchange was left or replaced */
#define DIRTY_NOTES 4u    /* a change or a summary */
#define DIRTY_USAGE 8u    /* a record that was counted was replaced */
#define DIRTY_STEPS 16u   /* the steps of an exchange are not in the order of their numbers */

/* A change or a summary. Without an id, its line identifies it. */
struct note {
	struct record record;
	size_t at;
	uint64_t hash;
	size_t length; /* of the line */
};

/* ---- exchanges by their ids ---- */

static struct exchange_node *find_node(const struct conversation *c, struct span id, uint64_t hash)
{
	struct lookup_at at = lookup_begin(&c->by_id, hash);
	size_t i;

	while (lookup_next(&c->by_id, &at, &i))
		if (span_same(buf_span(&c->nodes[i]->id), id))
			return c->nodes[i];
	return NULL;
}

/* The exchange of this id, which is added if it is new; NULL without memory. */
static struct exchange_node *get_node(struct conversation *c, struct span id, struct err *e)
{
	uint64_t hash = span_hash(id);
	struct exchange_node *x = find_node(c, id, hash), **v;

	if (x)
		return x;
	v = array_room(c->nodes, c->nnodes, &c->nodes_cap, sizeof(struct exchange_node *), e);
	if (!v)
		return NULL;
	c->nodes = v;
	x = calloc(1, sizeof(*x));
	if (!x) {
		err_oom(e);
		return NULL;
	}
	*x = (struct exchange_node){ .id = BUF_INIT, .at = NOT_STORED, .place = NO_PLACE,
		                     .usage = USAGE_NONE };
	buf_add(&x->id, id.p, id.n);
	if (buf_check(&x->id, e) < 0 || lookup_add(&c->by_id, hash, c->nnodes, e) < 0) {
		buf_release(&x->id);
		free(x);
		return NULL;
	}
	c->nodes[c->nnodes++] = x;
	return x;
}

struct exchange_node *conversation_find_any(const struct conversation *c, struct span id)
{
	return find_node(c, id, span_hash(id));
}

struct exchange_node *conversation_find(const struct conversation *c, struct span id)
{
	struct exchange_node *x = conversation_find_any(c, id);

	return x && x->at != NOT_STORED ? x : NULL;
}

const struct exchange *conversation_last(const struct conversation *c)
{
	return c->n ? conversation_exchange(c, c->n - 1) : NULL;
}

/* ---- applying ---- */

static void note_time(struct conversation *c, int64_t begin, int64_t duration)
{
	int64_t end = begin + (duration > 0 ? duration : 0);

	end = end < TIME_MAX ? end : TIME_MAX; /* a damaged digit makes a long duration */
	if (end > c->info.updated_at)
		c->info.updated_at = end;
}

static int apply_session(struct conversation *c, struct record *r, size_t at)
{
	const struct session_head *h = &r->head;

	note_time(c, h->created_at, 0);
	if (c->head.json)
		return 0;
	c->head = *r;
	c->head_at = at;
	r->json = NULL;
	c->info.created_at = h->created_at;
	c->info.provider = h->provider;
	c->info.cwd = h->cwd;
	c->dirty |= DIRTY_NOTES;
	return 0;
}

/* The last exchange or rewind names `x` as the head, or nothing (NULL). If that is stored, or nothing, what
 * the records before named does not matter any more. */
static int name_head(struct conversation *c, struct exchange_node *x, struct err *e)
{
	struct exchange_node **v;

	if (!x || x->at != NOT_STORED)
		c->nheads = 0;
	v = array_room(c->heads, c->nheads, &c->heads_cap, sizeof(struct exchange_node *), e);
	if (!v)
		return -1;
	c->heads = v;
	v[c->nheads++] = x;
	return 0;
}

static int path_push(struct conversation *c, struct exchange_node *x, struct err *e)
{
	struct exchange_node **v = array_room(c->path, c->n, &c->path_cap, sizeof(*v), e);

	if (!v)
		return -1;
	c->path = v;
	x->place = c->n;
	v[c->n++] = x;
	return 0;
}

static size_t calls_of(const struct exchange_node *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->nsteps; i++)
		n += x->steps[i].record.json ? x->steps[i].record.step.ncalls : 0;
	return n;
}

/*
 * The parent that the record names, or that the exchange or rewind before it names. A rewind to an exchange
 * that is not in the file has no effect; while that exchange may still come, every possible parent is noted.
 */
static int find_parent(struct conversation *c, struct exchange_node *node, const struct exchange *x,
                       struct err *e)
{
	free(node->named);
	c->nguessed -= node->nnamed > 0;
	node->named = NULL;
	node->nnamed = 0;
	node->parent = NULL;
	if (x->has_parent && x->parent.p && !(node->parent = get_node(c, x->parent, e)))
		return -1;
	if (!x->has_parent && c->nheads) {
		node->parent = c->heads[c->nheads - 1];
		if (c->nheads > 1 || (node->parent && node->parent->at == NOT_STORED)) {
			node->named = malloc(c->nheads * sizeof(struct exchange_node *));
			if (!node->named)
				return err_oom(e);
			memcpy(node->named, c->heads, c->nheads * sizeof(struct exchange_node *));
			node->nnamed = c->nheads;
			c->nguessed++;
			c->dirty |= DIRTY_PATH;
		}
	}
	if (node->parent)
		node->parent->referred = true;
	return 0;
}

static bool extends_path(const struct conversation *c, const struct exchange_node *x)
{
	return !(c->dirty & DIRTY_PATH) && !x->referred &&
	       x->parent == (c->n ? c->path[c->n - 1] : NULL);
}

static int apply_exchange(struct conversation *c, struct record *r, size_t at, struct err *e)
{
	const struct exchange *x = &r->exchange;
	struct exchange_node *node = get_node(c, x->id, e);
	bool again;

	if (!node || find_parent(c, node, x, e) < 0)
		return -1;
	node->replaces = x->replaces.p ? get_node(c, x->replaces, e) : NULL;
	if (x->replaces.p && !node->replaces)
		return -1;
	c->dirty |= node->replaces ? DIRTY_BRANCHES : 0;
	again = node->at != NOT_STORED;
	c->nstored += !again;
	node->at = at;
	node->status = x->status;
	node->nsteps_said = x->steps;
	node->usage = x->usage;
	note_time(c, x->timestamp, x->duration);
	if (again)
		c->dirty |= DIRTY_PATH | DIRTY_USAGE;
	else
		usage_add(&c->info.usage, &x->usage);
	record_release(&node->record);
	if (!c->lean) {
		node->record = *r;
		r->json = NULL;
		/* It is in the structure, and takes more memory than a short answer. */
		json_object_object_del(node->record.json, "tokenUsage");
	}
	if (name_head(c, node, e) < 0)
		return -1;
	if (!extends_path(c, node)) {
		c->dirty |= DIRTY_PATH;
		return 0;
	}
	c->info.exchange_count += node->status == STATUS_COMPLETE;
	c->info.tool_calls += (int64_t)calls_of(node);
	return path_push(c, node, e);
}

static int add_departure(struct conversation *c, struct span from, struct exchange_node *to,
                         struct err *e)
{
	struct exchange_node *x = get_node(c, from, e);
	struct departure *v = x ? array_room(c->departures, c->ndepartures, &c->departures_cap, sizeof(*v), e)
	                        : NULL;

	if (!v)
		return -1;
	c->departures = v;
	v[c->ndepartures++] = (struct departure){ x, to };
	return 0;
}

static int apply_rewind(struct conversation *c, const struct rewind *r, struct err *e)
{
	struct exchange_node *to = r->to.p ? get_node(c, r->to, e) : NULL;

	if ((r->to.p && !to) || (r->from.p && add_departure(c, r->from, to, e) < 0))
		return -1;
	if (to)
		to->referred = true;
	note_time(c, r->timestamp, 0);
	c->dirty |= DIRTY_PATH;
	return name_head(c, to, e);
}

static uint64_t step_hash(int64_t n)
{
	return span_hash((struct span){ (const char *)&n, sizeof(n) });
}

static struct step_node *find_unordered(const struct exchange_node *x, int64_t n)
{
	struct lookup_at at = lookup_begin(&x->by_step, step_hash(n));
	size_t i;

	while (lookup_next(&x->by_step, &at, &i))
		if (x->steps[i].n == n)
			return &x->steps[i];
	return NULL;
}

struct step_node *conversation_find_step(const struct exchange_node *x, int64_t n)
{
	size_t low = 0, high = x->nsteps;

	if (x->by_step.used)
		return find_unordered(x, n);
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (x->steps[mid].n < n)
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->nsteps && x->steps[low].n == n ? &x->steps[low] : NULL;
}

/*
 * Steps nearly always come in the order of their numbers, and are found by bisection. If one does not, a table
 * finds all steps of its exchange until order_steps() sorts them: to keep them sorted would take quadratic
 * time.
 */
static int note_step(struct conversation *c, struct exchange_node *x, int64_t n, struct err *e)
{
	if (!x->by_step.used && (!x->nsteps || x->steps[x->nsteps - 1].n < n))
		return 0;
	c->dirty |= DIRTY_STEPS;
	for (size_t i = x->by_step.used; i < x->nsteps; i++)
		if (lookup_add(&x->by_step, step_hash(x->steps[i].n), i, e) < 0)
			return -1;
	return lookup_add(&x->by_step, step_hash(n), x->nsteps, e);
}

static struct step_node *get_step(struct conversation *c, struct exchange_node *x, int64_t n,
                                  struct err *e)
{
	struct step_node *s = conversation_find_step(x, n);

	if (s)
		return s;
	s = array_room(x->steps, x->nsteps, &x->steps_cap, sizeof(*s), e);
	if (!s)
		return NULL;
	x->steps = s;
	if (note_step(c, x, n, e) < 0)
		return NULL;
	s += x->nsteps++;
	*s = (struct step_node){ .n = n, .at = NOT_STORED };
	return s;
}

static int by_number(const void *a, const void *b)
{
	const struct step_node *x = a, *y = b;

	return x->n < y->n ? -1 : x->n > y->n;
}

static void order_steps(struct conversation *c)
{
	for (size_t i = 0; i < c->nnodes; i++) {
		struct exchange_node *x = c->nodes[i];

		if (!x->by_step.used)
			continue;
		qsort(x->steps, x->nsteps, sizeof(*x->steps), by_number);
		lookup_release(&x->by_step);
	}
	c->dirty &= ~DIRTY_STEPS;
}

static int apply_step(struct conversation *c, struct record *r, size_t at, struct err *e)
{
	struct exchange_node *x = get_node(c, r->step.exchange, e);
	struct step_node *s = x ? get_step(c, x, r->step.n, e) : NULL;

	if (!s)
		return -1;
	note_time(c, r->step.timestamp, r->step.duration);
	if (x->place != NO_PLACE)
		c->dirty |= DIRTY_PATH; /* counts its calls */
	s->at = at;
	record_release(&s->record);
	s->record = *r;
	r->json = NULL;
	return 0;
}

struct result_node *conversation_find_result(const struct step_node *s, struct span call)
{
	struct lookup_at at = lookup_begin(&s->by_call, span_hash(call));
	size_t i;

	while (lookup_next(&s->by_call, &at, &i))
		if (span_same(buf_span(&s->results[i].call), call))
			return &s->results[i];
	return NULL;
}

size_t conversation_calls(const struct step_node *s)
{
	return s->record.json ? s->record.step.ncalls : 0;
}

const struct result *conversation_result(const struct step_node *s, size_t call)
{
	const struct result_node *r = conversation_find_result(s, s->record.step.calls[call].id);

	return r && r->record.json ? &r->record.result : NULL;
}

static struct result_node *get_result(struct step_node *s, struct span call, struct err *e)
{
	struct result_node *v = conversation_find_result(s, call);

	if (v)
		return v;
	v = array_room(s->results, s->nresults, &s->results_cap, sizeof(*v), e);
	if (!v)
		return NULL;
	s->results = v;
	if (lookup_add(&s->by_call, span_hash(call), s->nresults, e) < 0)
		return NULL;
	v += s->nresults;
	*v = (struct result_node){ .call = BUF_INIT };
	buf_add(&v->call, call.p, call.n);
	s->nresults++;
	return buf_check(&v->call, e) < 0 ? NULL : v;
}

static int apply_result(struct conversation *c, struct record *r, size_t at, struct err *e)
{
	struct exchange_node *x = get_node(c, r->result.exchange, e);
	struct step_node *s = x ? get_step(c, x, r->result.n, e) : NULL;
	struct result_node *result = s ? get_result(s, r->result.call, e) : NULL;

	if (!result)
		return -1;
	note_time(c, r->result.timestamp, r->result.duration);
	result->at = at;
	record_release(&result->record);
	if (c->lean)
		return 0;
	result->record = *r;
	r->json = NULL;
	return 0;
}

static struct span note_id(const struct record *r)
{
	return r->type == RECORD_CHANGE ? r->change.id : r->summary.id;
}

static int64_t note_timestamp(const struct record *r)
{
	return r->type == RECORD_CHANGE ? r->change.timestamp : r->summary.timestamp;
}

static const struct usage *note_usage(const struct record *r)
{
	return r->type == RECORD_CHANGE ? &r->change.usage : &r->summary.usage;
}

static bool is_note(const struct note *n, const struct record *r, uint64_t hash, size_t length)
{
	struct span id = note_id(r), own = note_id(&n->record);

	if (n->record.type != r->type || !id.p != !own.p)
		return false;
	return id.p ? span_same(id, own) : n->hash == hash && n->length == length;
}

static int apply_note(struct conversation *c, struct record *r, struct span line, size_t at,
                      struct err *e)
{
	struct span id = note_id(r);
	struct lookup_at slot;
	struct note *v;
	uint64_t hash;
	size_t i;

	line = span_trim_end(line, SPAN_WHITE);
	hash = span_hash(id.p ? id : line);
	note_time(c, note_timestamp(r), 0);
	c->dirty |= DIRTY_NOTES;
	for (slot = lookup_begin(&c->by_note, hash); lookup_next(&c->by_note, &slot, &i);)
		if (is_note(&c->notes[i], r, hash, line.n)) {
			record_release(&c->notes[i].record);
			c->notes[i] = (struct note){ *r, at, hash, line.n };
			r->json = NULL;
			c->dirty |= DIRTY_USAGE;
			return 0;
		}
	v = array_room(c->notes, c->nnotes, &c->notes_cap, sizeof(*v), e);
	if (!v)
		return -1;
	c->notes = v;
	if (lookup_add(&c->by_note, hash, c->nnotes, e) < 0)
		return -1;
	usage_add(&c->info.usage, note_usage(r));
	v[c->nnotes++] = (struct note){ *r, at, hash, line.n };
	r->json = NULL;
	return 0;
}

int conversation_apply(struct conversation *c, struct record *r, struct span line, size_t at,
                       struct err *e)
{
	switch (r->type) {
	case RECORD_SESSION: return apply_session(c, r, at);
	case RECORD_EXCHANGE: return apply_exchange(c, r, at, e);
	case RECORD_STEP: return apply_step(c, r, at, e);
	case RECORD_RESULT: return apply_result(c, r, at, e);
	case RECORD_CHANGE:
	case RECORD_SUMMARY: return apply_note(c, r, line, at, e);
	case RECORD_REWIND: return apply_rewind(c, &r->rewind, e);
	case RECORD_OTHER: break;
	}
	return 0;
}

/* ---- the path ---- */

/* The last of these that is stored, or NULL. */
static struct exchange_node *last_stored(struct exchange_node *const *v, size_t n)
{
	while (n--)
		if (!v[n] || v[n]->at != NOT_STORED)
			return v[n];
	return NULL;
}

/* From the head to the root, or until a parent is missing or comes a second time. */
static int find_path(struct conversation *c, struct err *e)
{
	for (size_t i = 0; i < c->n; i++)
		c->path[i]->place = NO_PLACE;
	c->n = 0;
	for (size_t i = 0; c->nguessed && i < c->nnodes; i++)
		if (c->nodes[i]->nnamed)
			c->nodes[i]->parent = last_stored(c->nodes[i]->named, c->nodes[i]->nnamed);
	for (struct exchange_node *x = last_stored(c->heads, c->nheads); x && x->at != NOT_STORED && x->place == NO_PLACE;
	     x = x->parent)
		if (path_push(c, x, e) < 0)
			return -1;
	for (size_t i = 0; i < c->n / 2; i++) {
		struct exchange_node *x = c->path[i];

		c->path[i] = c->path[c->n - 1 - i];
		c->path[c->n - 1 - i] = x;
	}
	c->info.exchange_count = c->info.tool_calls = 0;
	for (size_t i = 0; i < c->n; i++) {
		c->path[i]->place = i;
		c->info.exchange_count += c->path[i]->status == STATUS_COMPLETE;
		c->info.tool_calls += (int64_t)calls_of(c->path[i]);
	}
	return 0;
}

static bool is_off_path(const struct exchange_node *x)
{
	return x->at != NOT_STORED && x->place == NO_PLACE;
}

static void reach(struct exchange_node *x)
{
	for (; x && is_off_path(x) && !x->reached; x = x->parent)
		x->reached = true;
}

/* A branch ends in an exchange off the path. Neither a retry nor a rewind has left it or an exchange after it,
 * and no other such exchange follows it. */
static void count_branches(struct conversation *c)
{
	c->info.branches = 0;
	if (c->nstored == c->n)
		return;
	for (size_t i = 0; i < c->nnodes; i++)
		c->nodes[i]->reached = c->nodes[i]->followed = false;
	for (size_t i = 0; i < c->nnodes; i++)
		reach(c->nodes[i]->replaces);
	for (size_t i = 0; i < c->ndepartures; i++)
		if (!c->departures[i].to || c->departures[i].to->at != NOT_STORED)
			reach(c->departures[i].from);
	for (size_t i = 0; i < c->nnodes; i++) {
		const struct exchange_node *x = c->nodes[i];

		if (is_off_path(x) && !x->reached && x->parent && x->parent != x)
			x->parent->followed = true;
	}
	for (size_t i = 0; i < c->nnodes; i++) {
		const struct exchange_node *x = c->nodes[i];

		c->info.branches += is_off_path(x) && !x->reached && !x->followed;
	}
}

void conversation_find_circles(struct conversation *c)
{
	for (size_t i = 0; i < c->nnodes; i++) {
		struct exchange_node *x = c->nodes[i], *last = NULL;

		for (; x && x->at != NOT_STORED && !x->visit; last = x, x = x->parent)
			x->visit = i + 1;
		if (!last || !x || x->visit != i + 1)
			continue; /* the end, or an exchange that was visited before */
		for (struct exchange_node *y = x; !y->circular; y = y->parent)
			y->circular = true;
	}
}

static void count_usage(struct conversation *c)
{
	c->info.usage = (struct usage)USAGE_NONE;
	for (size_t i = 0; i < c->nnodes; i++)
		usage_add(&c->info.usage, &c->nodes[i]->usage);
	for (size_t i = 0; i < c->nnotes; i++)
		usage_add(&c->info.usage, note_usage(&c->notes[i].record));
}

/* ---- what was changed about the session ---- */

static int compare_bytes(struct span a, struct span b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

/* By time, then id, then place in the file. */
static bool is_newer(const struct note *a, const struct note *b)
{
	int64_t x = note_timestamp(&a->record), y = note_timestamp(&b->record);
	struct span empty = { "", 0 }, p = note_id(&a->record), q = note_id(&b->record);
	int order = compare_bytes(p.p ? p : empty, q.p ? q : empty);

	return x != y ? x > y : order ? order > 0 : a->at > b->at;
}

/* Tags or metadata: the newest change of each name counts. */
struct settings {
	struct setting {
		struct span name;
		struct json_object *value;
		const struct note *by; /* NULL: the session record */
	} *v;
	size_t n, cap;
	struct lookup by_name;
};

static int set_value(struct settings *s, struct span name, struct json_object *value,
                     const struct note *by, struct err *e)
{
	uint64_t hash = span_hash(name);
	struct lookup_at at = lookup_begin(&s->by_name, hash);
	struct setting *v;
	size_t i;

	while (lookup_next(&s->by_name, &at, &i)) {
		if (!span_same(s->v[i].name, name))
			continue;
		if (!s->v[i].by || (by && is_newer(by, s->v[i].by)))
			s->v[i] = (struct setting){ name, value, by };
		return 0;
	}
	v = array_room(s->v, s->n, &s->cap, sizeof(*v), e);
	if (!v)
		return -1;
	s->v = v;
	if (lookup_add(&s->by_name, hash, s->n, e) < 0)
		return -1;
	v[s->n++] = (struct setting){ name, value, by };
	return 0;
}

static int set_values(struct settings *s, struct json_object *values, const struct note *by,
                      struct err *e)
{
	struct json_object_iterator at, end;

	if (!values)
		return 0;
	at = json_object_iter_begin(values);
	end = json_object_iter_end(values);
	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
		if (set_value(s, span_str(json_object_iter_peek_name(&at)), json_object_iter_peek_value(&at),
		              by, e) < 0)
			return -1;
	return 0;
}

static void settings_release(struct settings *s)
{
	free(s->v);
	lookup_release(&s->by_name);
}

static int by_bytes(const void *a, const void *b)
{
	return compare_bytes(*(const struct span *)a, *(const struct span *)b);
}

static int take_tags(struct conversation *c, const struct settings *s, struct err *e)
{
	struct span *v = malloc((s->n + 1) * sizeof(*v));

	if (!v)
		return err_oom(e);
	free(c->tags);
	c->info.tags = c->tags = v;
	c->info.ntags = 0;
	for (size_t i = 0; i < s->n; i++)
		if (!s->v[i].by || json_object_get_boolean(s->v[i].value))
			v[c->info.ntags++] = s->v[i].name;
	qsort(v, c->info.ntags, sizeof(*v), by_bytes);
	return 0;
}

static int find_tags(struct conversation *c, struct err *e)
{
	struct json_object *own = c->head.json ? c->head.head.tags : NULL;
	struct settings s = { .v = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && own && i < json_object_array_length(own); i++) {
		struct json_object *name = json_object_array_get_idx(own, i);

		r = set_value(&s, (struct span){ json_object_get_string(name),
		                                 (size_t)json_object_get_string_len(name) }, NULL, NULL, e);
	}
	for (size_t i = 0; r == 0 && i < c->nnotes; i++)
		if (c->notes[i].record.type == RECORD_CHANGE)
			r = set_values(&s, c->notes[i].record.change.tags, &c->notes[i], e);
	if (r == 0)
		r = take_tags(c, &s, e);
	settings_release(&s);
	return r;
}

static int take_metadata(struct conversation *c, const struct settings *s, struct err *e)
{
	json_object_put(c->metadata);
	c->metadata = NULL;
	for (size_t i = 0; i < s->n; i++) {
		if (!s->v[i].value)
			continue;
		if (!c->metadata && !(c->metadata = json_object_new_object()))
			return err_oom(e);
		if (json_object_object_add(c->metadata, s->v[i].name.p, json_object_get(s->v[i].value)) < 0)
			return err_oom(e);
	}
	return 0;
}

static int find_metadata(struct conversation *c, struct err *e)
{
	struct settings s = { .v = NULL };
	int r = set_values(&s, c->head.json ? c->head.head.metadata : NULL, NULL, e);

	for (size_t i = 0; r == 0 && i < c->nnotes; i++)
		if (c->notes[i].record.type == RECORD_CHANGE)
			r = set_values(&s, c->notes[i].record.change.metadata, &c->notes[i], e);
	if (r == 0)
		r = take_metadata(c, &s, e);
	settings_release(&s);
	return r;
}

static void find_title(struct conversation *c)
{
	const struct note *best = NULL;
	struct span title = c->head.json ? c->head.head.title : (struct span){ NULL, 0 };

	for (size_t i = 0; i < c->nnotes; i++) {
		const struct note *n = &c->notes[i];

		if (n->record.type == RECORD_CHANGE && n->record.change.title.p && (!best || is_newer(n, best)))
			best = n;
	}
	if (best)
		title = best->record.change.title;
	c->titled = title.p != NULL;
	c->info.title = title.n ? title : (struct span){ NULL, 0 }; /* an empty title removes it */
}

/* The summary that reaches furthest along the path; of two that reach equally far, the newer one. */
static const struct note *summary_note(const struct conversation *c, size_t n, size_t *covered)
{
	const struct note *best = NULL;

	*covered = 0;
	for (size_t i = 0; i < c->nnotes; i++) {
		const struct note *note = &c->notes[i];
		const struct exchange_node *x;

		if (note->record.type != RECORD_SUMMARY)
			continue;
		x = conversation_find(c, note->record.summary.up_to);
		if (!x || x->place >= n || x->place + 1 < *covered ||
		    (best && x->place + 1 == *covered && !is_newer(note, best)))
			continue;
		best = note;
		*covered = x->place + 1;
	}
	return best;
}

const struct summary *conversation_summary(const struct conversation *c, size_t n, size_t *covered)
{
	const struct note *best = summary_note(c, n, covered);

	if (!best && c->partial)
		return c->summary; /* it stands for exchanges that were not read */
	return best ? &best->record.summary : NULL;
}

static void find_summary(struct conversation *c)
{
	const struct note *best = summary_note(c, c->n, &c->covered);

	c->summary = best ? &best->record.summary : NULL;
	c->info.summary_at = best ? (int64_t)best->at : 0;
	c->info.summary_of = 0;
	for (size_t i = 0; i < c->covered; i++)
		c->info.summary_of += c->path[i]->status == STATUS_COMPLETE;
}

/* ---- all of it ---- */

/* The model of the newest exchange that did not fail: a failed one may name a model that does not exist. */
static struct span model_in_force(const struct conversation *c)
{
	for (size_t i = c->n; i--;)
		if (c->path[i]->record.json && c->path[i]->status != STATUS_ERROR)
			return c->path[i]->record.exchange.model;
	return c->head.json ? c->head.head.model : (struct span){ NULL, 0 };
}

static void find_ends(struct conversation *c)
{
	const struct span none = { NULL, 0 };

	c->info.root = c->n ? buf_span(&c->path[0]->id) : none;
	c->info.first_query = c->n && c->path[0]->record.json ? conversation_exchange(c, 0)->query : none;
	c->info.last_query = c->n && c->path[c->n - 1]->record.json ? conversation_last(c)->query : none;
	c->info.model = model_in_force(c);
}

/* If there are only new exchanges at the end of the path. */
static int settle_partial(struct conversation *c, struct err *e)
{
	struct session_info *info = &c->info;
	struct span model = info->model;

	if (c->dirty)
		return err_set(e, ERR_FAILED, "the conversation was not read from its beginning");
	info->last_query = c->n ? conversation_last(c)->query : info->last_query;
	info->model = model_in_force(c);
	if (c->n && info->model.p == c->head.head.model.p) /* all exchanges that were read have failed */
		info->model = model;
	return 0;
}

int conversation_settle(struct conversation *c, struct err *e)
{
	if (c->dirty & DIRTY_STEPS)
		order_steps(c);
	if (c->partial)
		return settle_partial(c, e);
	if (c->dirty & DIRTY_PATH && find_path(c, e) < 0)
		return -1;
	if (c->dirty & (DIRTY_PATH | DIRTY_BRANCHES))
		count_branches(c);
	if (c->dirty & DIRTY_USAGE)
		count_usage(c);
	if (c->dirty & DIRTY_NOTES) {
		if (find_tags(c, e) < 0 || find_metadata(c, e) < 0)
			return -1;
		find_title(c);
	}
	if (c->nnotes)
		find_summary(c);
	find_ends(c);
	c->dirty = 0;
	return 0;
}

static size_t most_offsets(const struct conversation *c, size_t from)
{
	size_t n = 1 + c->n + c->nnotes;

	for (size_t i = from; i < c->n; i++)
		for (size_t k = 0; k < c->path[i]->nsteps; k++)
			n += 1 + c->path[i]->steps[k].nresults;
	return n;
}

static int ascending(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

static bool belongs(const struct conversation *c, const struct note *note)
{
	const struct exchange_node *x;

	if (note->record.type == RECORD_CHANGE)
		return true;
	x = conversation_find(c, note->record.summary.up_to);
	return x && x->place != NO_PLACE;
}

int conversation_offsets(const struct conversation *c, size_t from, bool rest, size_t **offsets,
                         size_t *n, struct err *e)
{
	size_t *v = malloc(most_offsets(c, from) * sizeof(*v)), used = 0;

	if (!v)
		return err_oom(e);
	if (rest && c->head.json)
		v[used++] = c->head_at;
	for (size_t i = 0; rest && i < c->nnotes; i++)
		if (belongs(c, &c->notes[i]))
			v[used++] = c->notes[i].at;
	for (size_t i = from; i < c->n; i++) {
		const struct exchange_node *x = c->path[i];

		v[used++] = x->at;
		for (size_t k = 0; k < x->nsteps; k++) {
			if (x->steps[k].at != NOT_STORED)
				v[used++] = x->steps[k].at;
			for (size_t m = 0; m < x->steps[k].nresults; m++)
				v[used++] = x->steps[k].results[m].at;
		}
	}
	if (used)
		qsort(v, used, sizeof(*v), ascending);
	*offsets = v;
	*n = used;
	return 0;
}

int64_t conversation_now(const struct conversation *c)
{
	int64_t now = clock_now_ms(), least = c->info.updated_at + 1;

	return now > least ? now : least < TIME_MAX ? least : TIME_MAX;
}

int conversation_apply_text(struct conversation *c, struct buf *line, struct err *e)
{
	struct record r = { .json = NULL };
	int result = buf_check(line, e) < 0 ? -1 : record_parse(buf_span(line), &r, e);

	if (result == 0)
		result = conversation_apply(c, &r, buf_span(line), c->bytes, e);
	record_release(&r);
	buf_clear(line);
	return result;
}

static int apply_and_settle(struct conversation *c, struct buf *line, struct err *e)
{
	int r = conversation_apply_text(c, line, e);

	buf_release(line);
	return r < 0 ? -1 : conversation_settle(c, e);
}

int conversation_add(struct conversation *c, const struct exchange *x, struct err *e)
{
	struct buf line = BUF_INIT;

	record_add_exchange(&line, x);
	return apply_and_settle(c, &line, e);
}

int conversation_add_step(struct conversation *c, const struct step *s, struct err *e)
{
	struct buf line = BUF_INIT;

	record_add_step(&line, s);
	return apply_and_settle(c, &line, e);
}

int conversation_add_result(struct conversation *c, const struct result *r, struct err *e)
{
	struct buf line = BUF_INIT;

	record_add_result(&line, r);
	return apply_and_settle(c, &line, e);
}

int conversation_rewind(struct conversation *c, struct span to, struct err *e)
{
	const struct exchange *last = conversation_last(c);
	const struct rewind r = { .timestamp = conversation_now(c), .has_from = true,
		                  .from = last ? last->id : (struct span){ NULL, 0 }, .to = to };
	struct buf line = BUF_INIT;

	record_add_rewind(&line, &r);
	return apply_and_settle(c, &line, e);
}

static void release_node(struct exchange_node *x)
{
	for (size_t i = 0; i < x->nsteps; i++) {
		for (size_t k = 0; k < x->steps[i].nresults; k++) {
			record_release(&x->steps[i].results[k].record);
			buf_release(&x->steps[i].results[k].call);
		}
		free(x->steps[i].results);
		lookup_release(&x->steps[i].by_call);
		record_release(&x->steps[i].record);
	}
	free(x->steps);
	lookup_release(&x->by_step);
	free(x->named);
	record_release(&x->record);
	buf_release(&x->id);
	free(x);
}

void conversation_release(struct conversation *c)
{
	record_release(&c->head);
	record_release(&c->first_record);
	record_release(&c->summary_record);
	for (size_t i = 0; i < c->nnodes; i++)
		release_node(c->nodes[i]);
	for (size_t i = 0; i < c->nnotes; i++)
		record_release(&c->notes[i].record);
	json_object_put(c->metadata);
	lookup_release(&c->by_id);
	lookup_release(&c->by_note);
	free(c->nodes);
	free(c->notes);
	free(c->departures);
	free(c->heads);
	free(c->path);
	free(c->tags);
	json_object_put(c->row);
	*c = (struct conversation)CONVERSATION_INIT;
}
