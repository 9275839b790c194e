/*
 * lib/store/history and conversation. The input is a history, with the short forms of story.h.
 *
 * Properties: the conversation is what a plain reading of mc-session(5) makes it, which looks at
 * all lines for each question. Read in one go, on from each line, or lean, it is the same; the
 * newest exchanges, read backwards, are the end of it, with their steps and the results that stand
 * behind their steps. A damaged line is told once on loading.
 */
#include "store/history.h"

#include <json-c/linkhash.h>

#include "base/json.h"
#include "fuzz.h"
#include "story.h"

#define MAX_LINES 100 /* a longer history is not asked about */
#define MAX_PREFIX 24 /* and about each line of a longer one neither */

/* ---- the plain reading ---- */

#define NOWHERE (-1)
#define SKIP (-2) /* names nothing that is in the file */

struct model {
	size_t n;
	struct model_line {
		size_t start;
		struct span text;
		bool valid;
		struct record r;   /* when it is valid */
		enum err_kind why; /* when it is not */
		bool counts;       /* no later line is of the same record */
		int named;         /* of an exchange or a rewind: the line of the head; NOWHERE; SKIP */
		int parent;        /* of an exchange that counts: a line, or NOWHERE */
		int place;         /* on the path; or NOWHERE */
		bool left;         /* a retry or a rewind reaches it */
	} lines[MAX_LINES];
	int path[MAX_LINES]; /* lines, oldest first */
	size_t npath, damaged;
	int session; /* a line, or NOWHERE */
};

static bool is_type(const struct model *m, size_t i, enum record_type type)
{
	return m->lines[i].valid && m->lines[i].r.type == type;
}

static bool counts(const struct model *m, size_t i, enum record_type type)
{
	return is_type(m, i, type) && m->lines[i].counts;
}

static struct span note_id(const struct record *r)
{
	return r->type == RECORD_CHANGE ? r->change.id : r->summary.id;
}

static struct span trimmed(struct span s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static bool same_record(const struct model_line *x, const struct model_line *y)
{
	const struct record *a = &x->r, *b = &y->r;

	if (!x->valid || !y->valid || a->type != b->type)
		return false;
	switch (a->type) {
	case RECORD_EXCHANGE: return same(a->exchange.id, b->exchange.id);
	case RECORD_STEP: return same(a->step.exchange, b->step.exchange) && a->step.n == b->step.n;
	case RECORD_RESULT:
		return same(a->result.exchange, b->result.exchange) && a->result.n == b->result.n &&
		       same(a->result.call, b->result.call);
	case RECORD_CHANGE:
	case RECORD_SUMMARY:
		if (note_id(a).p || note_id(b).p)
			return same_optional(note_id(a), note_id(b));
		return same(trimmed(x->text), trimmed(y->text));
	default: return same(trimmed(x->text), trimmed(y->text));
	}
}

/* The line of the exchange of this id, the last one; or NOWHERE. */
static int find(const struct model *m, struct span id)
{
	for (size_t i = m->n; id.p && i--;)
		if (is_type(m, i, RECORD_EXCHANGE) && same(m->lines[i].r.exchange.id, id))
			return (int)i;
	return NOWHERE;
}

static int named_by(const struct model *m, size_t i)
{
	int to;

	if (is_type(m, i, RECORD_EXCHANGE))
		return find(m, m->lines[i].r.exchange.id);
	if (!is_type(m, i, RECORD_REWIND))
		return SKIP;
	to = find(m, m->lines[i].r.rewind.to);
	return to == NOWHERE && m->lines[i].r.rewind.to.p ? SKIP : to;
}

/* The head as of the lines before this one. */
static int head_before(const struct model *m, size_t i)
{
	while (i--)
		if (m->lines[i].named != SKIP)
			return m->lines[i].named;
	return NOWHERE;
}

static void find_path(struct model *m)
{
	int on[MAX_LINES];
	size_t n = 0;

	for (int i = head_before(m, m->n); i != NOWHERE && m->lines[i].place == NOWHERE;
	     i = m->lines[i].parent) {
		m->lines[i].place = 0;
		on[n++] = i;
	}
	m->npath = n;
	for (size_t i = 0; i < n; i++) {
		m->path[i] = on[n - 1 - i];
		m->lines[m->path[i]].place = (int)i;
	}
}

/* What a retry replaces, or a rewind leaves, and all that it follows. */
static void leave(struct model *m, struct span id)
{
	size_t most = m->n;

	for (int i = find(m, id); i != NOWHERE && most--; i = m->lines[i].parent)
		m->lines[i].left = true;
}

/* Takes the first `n` lines for the history. */
static void resolve(struct model *m, size_t n)
{
	m->n = n;
	m->damaged = 0;
	m->session = NOWHERE;
	for (size_t i = 0; i < n; i++) {
		struct model_line *l = &m->lines[i];

		l->place = NOWHERE;
		l->left = false;
		l->counts = l->valid;
		for (size_t j = i + 1; j < n && l->counts; j++)
			l->counts = !same_record(l, &m->lines[j]);
		l->named = named_by(m, i);
		m->damaged += !l->valid;
		if (m->session == NOWHERE && is_type(m, i, RECORD_SESSION))
			m->session = (int)i;
	}
	for (size_t i = 0; i < n; i++)
		if (counts(m, i, RECORD_EXCHANGE)) {
			const struct exchange *x = &m->lines[i].r.exchange;

			m->lines[i].parent = x->has_parent ? find(m, x->parent) : head_before(m, i);
		}
	find_path(m);
	for (size_t i = 0; i < n; i++)
		if (counts(m, i, RECORD_EXCHANGE))
			leave(m, m->lines[i].r.exchange.replaces);
		else if (is_type(m, i, RECORD_REWIND) && m->lines[i].named != SKIP)
			leave(m, m->lines[i].r.rewind.from);
}

/* False for a history of more lines than there is room for. */
static bool model_read(struct model *m, const struct jsonl *j, size_t *n)
{
	struct span rest = { j->p, j->n }, line;

	for (*n = 0; *n < MAX_LINES && cut_line(&rest, &line); ++*n) {
		struct model_line *l = &m->lines[*n];
		struct err e = ERR_INIT;

		*l = (struct model_line){ .start = (size_t)(line.p - j->p), .text = line };
		l->valid = record_parse(line, &l->r, &e) == 0;
		l->why = e.kind;
	}
	return !rest.n;
}

static void model_release(struct model *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (m->lines[i].valid)
			record_release(&m->lines[i].r);
}

/* ---- changes and summaries ---- */

static int order(struct span a, struct span b)
{
	int c = memcmp(a.p ? a.p : "", b.p ? b.p : "", a.n < b.n ? a.n : b.n);

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Whether the note on line `i` counts more than the one on line `j`, which is before it. */
static bool is_newer(const struct model *m, size_t i, int j)
{
	const struct record *a = &m->lines[i].r, *b = j < 0 ? NULL : &m->lines[j].r;
	int64_t x, y;

	if (!b)
		return true;
	x = a->type == RECORD_CHANGE ? a->change.timestamp : a->summary.timestamp;
	y = b->type == RECORD_CHANGE ? b->change.timestamp : b->summary.timestamp;
	return x != y ? x > y : order(note_id(a), note_id(b)) >= 0;
}

/* The change that decides about a tag, or about a metadata key, or the title; or NOWHERE. */
static int deciding(const struct model *m, bool tag, const char *name)
{
	int best = NOWHERE;

	for (size_t i = 0; i < m->n; i++) {
		const struct change *c = &m->lines[i].r.change;
		struct json_object *o;

		if (!counts(m, i, RECORD_CHANGE))
			continue;
		o = tag ? c->tags : c->metadata;
		if (name ? o && json_object_object_get_ex(o, name, NULL) : c->title.p != NULL)
			best = is_newer(m, i, best) ? (int)i : best;
	}
	return best;
}

static bool model_tagged(const struct model *m, const char *name)
{
	struct json_object *own = m->session < 0 ? NULL : m->lines[m->session].r.head.tags;
	int by = deciding(m, true, name);

	if (by >= 0)
		return json_object_get_boolean(json_object_object_get(m->lines[by].r.change.tags, name));
	for (size_t i = 0; own && i < json_object_array_length(own); i++)
		if (span_eq((struct span){ json_object_get_string(json_object_array_get_idx(own, i)),
		                           strlen(name) }, name) &&
		    strlen(json_object_get_string(json_object_array_get_idx(own, i))) == strlen(name))
			return true;
	return false;
}

/* Every name that a record has for a tag. */
static struct json_object *all_tags(const struct model *m)
{
	struct json_object *all = json_object_new_object();
	struct json_object *own = m->session < 0 ? NULL : m->lines[m->session].r.head.tags;

	for (size_t i = 0; own && i < json_object_array_length(own); i++)
		json_object_object_add(all, json_object_get_string(json_object_array_get_idx(own, i)), NULL);
	for (size_t i = 0; i < m->n; i++)
		if (counts(m, i, RECORD_CHANGE) && m->lines[i].r.change.tags) {
			json_object_object_foreach(m->lines[i].r.change.tags, name, value) {
				(void)value;
				json_object_object_add(all, name, NULL);
			}
		}
	return all;
}

static void check_tags(const struct model *m, const struct session_info *s)
{
	struct json_object *all = all_tags(m);
	size_t n = 0;

	for (size_t i = 0; i < s->ntags; i++) {
		char name[5000];

		snprintf(name, sizeof(name), "%.*s", (int)s->tags[i].n, s->tags[i].p);
		must(model_tagged(m, name), "the tag '%s'", name);
		must(!i || order(s->tags[i - 1], s->tags[i]) < 0, "the order of '%s'", name);
	}
	json_object_object_foreach(all, name, value) {
		(void)value;
		n += model_tagged(m, name);
	}
	must(n == s->ntags, "%zu tags instead of %zu", s->ntags, n);
	json_object_put(all);
}

static void take_metadata(const struct model *m, struct json_object *from, struct json_object *to)
{
	if (!from)
		return;
	json_object_object_foreach(from, name, value) {
		int by = deciding(m, false, name);
		struct json_object *v = by < 0 ? value
		                               : json_object_object_get(m->lines[by].r.change.metadata, name);

		if (v)
			json_object_object_add(to, name, json_object_get(v));
	}
}

static void check_metadata(const struct model *m, const struct conversation *c)
{
	struct json_object *all = json_object_new_object();

	if (m->session >= 0)
		take_metadata(m, m->lines[m->session].r.head.metadata, all);
	for (size_t i = 0; i < m->n; i++)
		if (counts(m, i, RECORD_CHANGE))
			take_metadata(m, m->lines[i].r.change.metadata, all);
	must(c->metadata ? json_object_equal(all, c->metadata) : !json_object_object_length(all),
	     "metadata %s instead of %s", json_object_to_json_string(c->metadata),
	     json_object_to_json_string(all));
	json_object_put(all);
}

static void check_title(const struct model *m, const struct conversation *c)
{
	int by = deciding(m, false, NULL);
	struct span title = { NULL, 0 };

	if (m->session >= 0)
		title = m->lines[m->session].r.head.title;
	if (by >= 0)
		title = m->lines[by].r.change.title;
	must_be_same(c->info.title, title, "title");
	must(!c->info.title.p == !title.n, "an empty title is none");
	must(c->titled == (title.p != NULL), "titled");
}

/* The summary in use for the first `n` exchanges of the path, a line; or NOWHERE. */
static int model_summary(const struct model *m, size_t n, size_t *covered)
{
	int best = NOWHERE;

	*covered = 0;
	for (size_t i = 0; i < m->n; i++) {
		int x, place;

		if (!counts(m, i, RECORD_SUMMARY))
			continue;
		x = find(m, m->lines[i].r.summary.up_to);
		place = x < 0 ? NOWHERE : m->lines[x].place;
		if (place < 0 || (size_t)place >= n || (size_t)place + 1 < *covered ||
		    ((size_t)place + 1 == *covered && !is_newer(m, i, best)))
			continue;
		best = (int)i;
		*covered = (size_t)place + 1;
	}
	return best;
}

static void check_summary(const struct model *m, const struct conversation *c)
{
	for (size_t n = 0; n <= m->npath; n++) {
		size_t covered, got;
		int by = model_summary(m, n, &covered);
		const struct summary *s = conversation_summary(c, n, &got);

		must(got == covered && !s == (by < 0), "%zu exchanges are covered instead of %zu", got, covered);
		if (s)
			must_be_same(s->text, m->lines[by].r.summary.text, "the summary");
		if (n == m->npath) {
			int64_t of = 0;

			for (size_t i = 0; i < covered; i++)
				of += m->lines[m->path[i]].r.exchange.status == STATUS_COMPLETE;
			must(c->covered == covered && c->summary == s, "the summary in use");
			must(c->info.summary_at == (by < 0 ? 0 : (int64_t)m->lines[by].start), "summaryAt");
			must(c->info.summary_of == of, "summaryOf");
		}
	}
}

/* ---- the tree ---- */

static int64_t end_of(const struct record *r)
{
	int64_t t = 0, d = 0;

	switch (r->type) {
	case RECORD_SESSION: t = r->head.created_at; break;
	case RECORD_EXCHANGE: t = r->exchange.timestamp; d = r->exchange.duration; break;
	case RECORD_STEP: t = r->step.timestamp; d = r->step.duration; break;
	case RECORD_RESULT: t = r->result.timestamp; d = r->result.duration; break;
	case RECORD_CHANGE: t = r->change.timestamp; break;
	case RECORD_SUMMARY: t = r->summary.timestamp; break;
	case RECORD_REWIND: t = r->rewind.timestamp; break;
	case RECORD_OTHER: break;
	}
	return t + (d > 0 ? d : 0);
}

static bool is_loose(const struct model *m, size_t i)
{
	return counts(m, i, RECORD_EXCHANGE) && m->lines[i].place == NOWHERE && !m->lines[i].left;
}

static int64_t model_branches(const struct model *m)
{
	int64_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		bool end = is_loose(m, i);

		for (size_t k = 0; k < m->n && end; k++)
			end = k == i || !is_loose(m, k) || m->lines[k].parent != (int)i;
		n += end;
	}
	return n;
}

/* Whether line `i` is a step of the exchange on line `x`, or a result of one of its steps. */
static bool is_part(const struct model *m, size_t i, int x)
{
	struct span id = m->lines[x].r.exchange.id;

	return (counts(m, i, RECORD_STEP) && same(m->lines[i].r.step.exchange, id)) ||
	       (counts(m, i, RECORD_RESULT) && same(m->lines[i].r.result.exchange, id));
}

static void check_info(const struct model *m, const struct conversation *c)
{
	const struct session_info *s = &c->info;
	int64_t updated = 0, complete = 0, calls = 0;
	struct span none = { NULL, 0 }, model = none;
	struct usage usage = USAGE_NONE;

	if (m->session >= 0) {
		const struct session_head *h = &m->lines[m->session].r.head;

		must_be_same(c->head.head.id, h->id, "id");
		must_be_same(s->provider, h->provider, "provider");
		must_be_same(s->cwd, h->cwd, "cwd");
		must(s->created_at == h->created_at, "createdAt");
		model = h->model;
	}
	for (size_t i = 0; i < m->n; i++) {
		const struct record *r = &m->lines[i].r;

		if (m->lines[i].valid && end_of(r) > updated)
			updated = end_of(r);
		if (counts(m, i, RECORD_EXCHANGE))
			usage_add(&usage, &r->exchange.usage);
		if (counts(m, i, RECORD_CHANGE))
			usage_add(&usage, &r->change.usage);
		if (counts(m, i, RECORD_SUMMARY))
			usage_add(&usage, &r->summary.usage);
	}
	for (size_t k = 0; k < m->npath; k++) {
		const struct exchange *x = &m->lines[m->path[k]].r.exchange;

		complete += x->status == STATUS_COMPLETE;
		if (x->status != STATUS_ERROR)
			model = x->model;
		for (size_t i = 0; i < m->n; i++)
			if (is_part(m, i, m->path[k]) && m->lines[i].r.type == RECORD_STEP)
				calls += (int64_t)m->lines[i].r.step.ncalls;
	}
	must(s->updated_at == updated, "%" PRId64 " instead of %" PRId64, s->updated_at, updated);
	must(conversation_now(c) > updated || updated >= TIME_MAX, "a time for a new record");
	must(s->exchange_count == complete, "%" PRId64 " instead of %" PRId64, s->exchange_count, complete);
	must(s->tool_calls == calls, "%" PRId64 " instead of %" PRId64, s->tool_calls, calls);
	must(s->branches == model_branches(m), "%" PRId64 " instead of %" PRId64, s->branches, model_branches(m));
	must(memcmp(&s->usage, &usage, sizeof(usage)) == 0, "usage");
	must_be_same(s->model, model, "model");
	must(!s->root.p == !m->npath && !s->first_query.p == !m->npath && !s->last_query.p == !m->npath,
	     "a first exchange, or none");
	if (m->npath) {
		const struct exchange *first = &m->lines[m->path[0]].r.exchange;

		must_be_same(s->root, first->id, "root");
		must_be_same(s->first_query, first->query, "firstQuery");
		must_be_same(s->last_query, m->lines[m->path[m->npath - 1]].r.exchange.query, "lastQuery");
	}
}

/* The steps and results that are there are those that count. Returns how many there are. */
static size_t check_parts(const struct model *m, const struct exchange_node *x, int line, bool lean)
{
	size_t n = 0;

	for (size_t k = 0; k < x->nsteps; k++) {
		const struct step_node *s = &x->steps[k];

		must(!k || s[-1].n < s->n, "steps in their order");
		must((s->at == NOT_STORED) == !s->record.json, "a step that is stored");
		must(s->at != NOT_STORED || s->nresults, "a step of something");
		must(conversation_find_step(x, s->n) == s, "a step by its number");
		n += s->at != NOT_STORED;
		for (size_t i = 0; i < m->n; i++)
			if (m->lines[i].start == s->at)
				must(is_part(m, i, line) && m->lines[i].r.type == RECORD_STEP &&
				     m->lines[i].r.step.n == s->n && same(m->lines[i].r.step.text, s->record.step.text),
				     "step %" PRId64, s->n);
		for (size_t q = 0; q < s->nresults; q++) {
			const struct result_node *r = &s->results[q];
			bool found = false;

			for (size_t i = 0; i < m->n; i++)
				if (m->lines[i].start == r->at)
					found = is_part(m, i, line) && m->lines[i].r.type == RECORD_RESULT &&
					        m->lines[i].r.result.n == s->n &&
					        same(m->lines[i].r.result.call, buf_span(&r->call)) &&
					        (lean || same(m->lines[i].r.result.output, r->record.result.output));
			must(found, "result '%s' of step %" PRId64, r->call.p, s->n);
			n++;
		}
	}
	return n;
}

/* The exchange is the one on this line. */
static void check_exchange(const struct model *m, const struct exchange_node *x, int line, bool lean)
{
	const struct model_line *l = &m->lines[line];

	must_be_same(buf_span(&x->id), l->r.exchange.id, "id");
	must(x->at == l->start && x->status == l->r.exchange.status, "the line of '%s'", x->id.p);
	must(x->nsteps_said == l->r.exchange.steps, "its steps");
	must(lean || x->record.json, "its record");
	if (x->record.json) {
		must_be_same(x->record.exchange.id, l->r.exchange.id, "id");
		must_be_same(x->record.exchange.query, l->r.exchange.query, "query");
		must_be_same(x->record.exchange.answer, l->r.exchange.answer, "answer");
	}
}

static void check_path(const struct model *m, const struct conversation *c, bool lean)
{
	must(c->n == m->npath, "%zu exchanges instead of %zu", c->n, m->npath);
	for (size_t k = 0; k < c->n; k++) {
		size_t want = 0;

		must(c->path[k]->place == k, "place %zu", k);
		check_exchange(m, c->path[k], m->path[k], lean);
		for (size_t i = 0; i < m->n; i++)
			want += is_part(m, i, m->path[k]);
		must(check_parts(m, c->path[k], m->path[k], lean) == want, "%zu steps and results of '%s'", want,
		     c->path[k]->id.p);
	}
	must(!conversation_last(c) == !c->n, "a last one");
	for (size_t i = 0; i < m->n; i++)
		if (counts(m, i, RECORD_EXCHANGE)) {
			const struct exchange_node *x = conversation_find(c, m->lines[i].r.exchange.id);
			int up = m->lines[i].parent;

			must(x && (x->place == NO_PLACE) == (m->lines[i].place == NOWHERE), "an exchange by its id");
			check_exchange(m, x, (int)i, true);
			must(up < 0 ? !x->parent || x->parent->at == NOT_STORED
			            : x->parent && x->parent->at == m->lines[up].start, "the parent of '%s'", x->id.p);
		}
}

static void check_offsets(const struct model *m, const struct conversation *c, size_t from, bool rest)
{
	struct err e = ERR_INIT;
	size_t *at, n, used = 0;

	must(conversation_offsets(c, from, rest, &at, &n, &e) == 0, "%s", e.msg);
	for (size_t i = 0; i < m->n; i++) {
		bool belongs = rest && ((int)i == m->session || counts(m, i, RECORD_CHANGE));

		if (rest && counts(m, i, RECORD_SUMMARY)) {
			int x = find(m, m->lines[i].r.summary.up_to);

			belongs = x >= 0 && m->lines[x].place >= 0;
		}
		for (size_t k = from; k < m->npath && !belongs; k++)
			belongs = m->path[k] == (int)i || is_part(m, i, m->path[k]);
		if (!belongs)
			continue;
		must(used < n && at[used] == m->lines[i].start, "line %zu is missing among the offsets", i + 1);
		used++;
	}
	must(used == n, "%zu offsets instead of %zu", n, used);
	free(at);
}

static void check_whole(const struct model *m, const struct conversation *c, bool lean)
{
	check_path(m, c, lean);
	check_info(m, c);
	check_title(m, c);
	check_tags(m, &c->info);
	check_metadata(m, c);
	check_summary(m, c);
	for (size_t from = 0; from <= c->n; from += 1 + c->n / 4)
		check_offsets(m, c, from, from % 2 == 0);
	must(c->damaged == m->damaged, "%zu damaged lines instead of %zu", c->damaged, m->damaged);
	must(!c->partial, "all of it was read");
}

static void check_circles(const struct model *m, struct conversation *c)
{
	conversation_find_circles(c);
	for (size_t i = 0; i < m->n; i++) {
		size_t most = m->n;
		int up;

		if (!counts(m, i, RECORD_EXCHANGE))
			continue;
		for (up = m->lines[i].parent; up != NOWHERE && up != (int)i && most; most--)
			up = m->lines[up].parent;
		must(conversation_find(c, m->lines[i].r.exchange.id)->circular == (up == (int)i),
		     "line %zu is %sin a circle", i + 1, up == (int)i ? "" : "not ");
	}
}

/* ---- reading ---- */

static size_t notices;

static void notice(const char *sentence)
{
	must(sentence[0], "a notice");
	notices++;
}

static const struct store store = { .dir = "D", .fd = -1, .stop_fd = -1, .notice = notice };

/* A session of another version is not gone on with. */
static enum err_kind model_load(const struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (is_type(m, i, RECORD_SESSION))
			return ERR_NONE;
		if (!m->lines[i].valid && m->lines[i].why == ERR_VERSION)
			return ERR_VERSION;
	}
	return ERR_DAMAGED;
}

static size_t end_of_lines(const struct model *m, const struct jsonl *j, size_t n)
{
	return n < m->n ? m->lines[n].start : j->n;
}

/* Reads on to the first `n` lines. False: it cannot be read. */
static bool load(struct conversation *c, const struct model *m, const struct jsonl *j)
{
	enum err_kind want = model_load(m);
	struct err e = ERR_INIT;

	must((history_load_more(c, &store, "s", j, &e) == 0) == (want == ERR_NONE), "%s", e.msg);
	must(e.kind == want && !e.msg[0] == !want, "%s", e.msg);
	must(want == ERR_VERSION || c->info.history_bytes == (int64_t)j->n, "its size");
	return want != ERR_VERSION;
}

static void check_load(const struct model *m, const struct jsonl *j, bool lean)
{
	struct conversation c = CONVERSATION_INIT;

	c.lean = lean;
	notices = 0;
	if (load(&c, m, j)) {
		must(notices == m->damaged, "%zu notices of %zu damaged lines", notices, m->damaged);
		check_whole(m, &c, lean);
		check_circles(m, &c);
	}
	conversation_release(&c);
}

/* The first `k` lines, and then the rest. */
static void check_load_more(struct model *m, const struct jsonl *j, size_t n, size_t k, bool lean)
{
	struct jsonl part = { j->p, m->lines[k].start, m->lines[k].start };
	struct conversation c = CONVERSATION_INIT;
	bool good;

	c.lean = lean;
	resolve(m, k);
	good = load(&c, m, &part);
	if (good)
		check_whole(m, &c, lean);
	resolve(m, n);
	if (good && load(&c, m, j))
		check_whole(m, &c, lean);
	conversation_release(&c);
}

/* Line by line. */
static void check_lines(struct model *m, const struct jsonl *j, size_t n, bool lean)
{
	struct conversation c = CONVERSATION_INIT;

	c.lean = lean;
	for (size_t k = 1; k <= n; k++) {
		size_t end;
		struct jsonl part;

		m->n = n;
		end = end_of_lines(m, j, k);
		part = (struct jsonl){ j->p, end, end };
		resolve(m, k);
		if (!load(&c, m, &part))
			break;
		check_whole(m, &c, lean);
	}
	conversation_release(&c);
	resolve(m, n);
}

/* In memory: the head goes back, and something new begins. */
static void check_changes(const struct model *m, const struct jsonl *j)
{
	const struct exchange x = { .id = span_str("a new one"), .has_parent = true, .duration = -1,
		                    .status = STATUS_COMPLETE, .usage = USAGE_NONE };
	struct conversation c = CONVERSATION_INIT;
	struct err e = ERR_INIT;

	if (load(&c, m, j) && c.head.json) {
		bool circle = m->npath && m->lines[m->path[0]].parent != NOWHERE;

		for (size_t i = m->npath; i-- && !circle;) {
			must(conversation_rewind(&c, m->lines[m->path[i]].r.exchange.id, &e) == 0, "%s", e.msg);
			must(c.n == i + 1, "%zu exchanges instead of %zu", c.n, i + 1);
			check_exchange(m, c.path[i], m->path[i], false);
		}
		must(conversation_rewind(&c, (struct span){ NULL, 0 }, &e) == 0 && c.n == 0, "%s", e.msg);
		must(c.info.branches == model_branches(m), "what a rewind leaves is not a branch");
		must(conversation_add(&c, &x, &e) == 0 && c.n == 1, "%s", e.msg);
		must_be_same(conversation_last(&c)->id, x.id, "id");
	}
	conversation_release(&c);
}

/* ---- backwards ---- */

static int64_t weigh(struct record *r)
{
	switch (r->type) {
	case RECORD_EXCHANGE: return r->exchange.status == STATUS_ERROR ? -1 : 2;
	case RECORD_STEP: return 3;
	case RECORD_RESULT: return 5;
	default: must(false, "no other record is weighed"); return 0;
	}
}

/* How many of the newest exchanges weigh so much. */
static size_t model_wanted(struct model *m, const struct history_want *want)
{
	int64_t left = want->limit;
	size_t n = 0;

	while (n < m->npath && (left > 0 || !n)) {
		int line = m->path[m->npath - 1 - n++];
		int64_t sum = weigh(&m->lines[line].r);

		if (sum < 0)
			continue;
		for (size_t i = 0; i < m->n; i++)
			if (is_part(m, i, line))
				sum += weigh(&m->lines[i].r);
		left -= sum < want->most ? sum : want->most;
	}
	return n;
}

/* The steps that are counted, and the results that stand behind them, are there. */
static void check_counted(const struct model *m, const struct exchange_node *x, int line)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct step_node *s;

		if (!is_part(m, i, line) || m->lines[i].r.type != RECORD_STEP ||
		    m->lines[i].r.step.n >= m->lines[line].r.exchange.steps)
			continue;
		s = conversation_find_step(x, m->lines[i].r.step.n);
		must(s && s->at == m->lines[i].start, "step %" PRId64 " of '%s'", m->lines[i].r.step.n, x->id.p);
		for (size_t k = i + 1; k < m->n; k++) {
			bool found = !is_part(m, k, line) || m->lines[k].r.type != RECORD_RESULT ||
			             m->lines[k].r.result.n != s->n;

			for (size_t q = 0; q < s->nresults && !found; q++)
				found = s->results[q].at == m->lines[k].start;
			must(found, "a result of step %" PRId64 " of '%s'", s->n, x->id.p);
		}
	}
}

static void check_newest(struct model *m, const struct jsonl *j, size_t last, bool ask)
{
	const struct history_want want = { ask ? 0 : last, weigh, 6 * (int64_t)last, 9 };
	size_t wanted = ask ? model_wanted(m, &want) : last < m->npath ? last : m->npath;
	struct conversation c = CONVERSATION_INIT;
	struct err e = ERR_INIT;
	bool whole = false;

	notices = 0;
	if (history_load_newest(&c, &store, "s", j, &want, &whole, &e) < 0) {
		must(!m->n || !is_type(m, 0, RECORD_SESSION), "%s", e.msg);
		must((e.kind == ERR_DAMAGED || e.kind == ERR_VERSION) && e.msg[0], "%s", e.msg);
	} else {
		must(notices == c.damaged, "%zu notices of %zu damaged lines", notices, c.damaged);
		must(c.n >= wanted && c.n <= m->npath, "%zu exchanges of %zu, %zu wanted", c.n, m->npath, wanted);
		for (size_t k = 0; k < c.n; k++) {
			int line = m->path[m->npath - c.n + k];

			check_exchange(m, c.path[k], line, false);
			check_parts(m, c.path[k], line, false);
			if (k >= c.n - wanted)
				check_counted(m, c.path[k], line);
		}
		must(c.info.history_bytes == (int64_t)j->n && c.bytes == j->n, "its size");
		if (whole)
			check_whole(m, &c, false);
	}
	conversation_release(&c);
}

static void check_find(const struct model *m, const struct jsonl *j)
{
	for (size_t i = 0; i < m->n; i++) {
		struct span id = is_type(m, i, RECORD_EXCHANGE) ? m->lines[i].r.exchange.id : (struct span){ NULL, 0 };
		struct record r;
		size_t from = m->lines[i].start;

		if (!id.p || !id.n)
			continue;
		must(history_find(j, from, j->n, id, &r), "the exchange '%.*s'", (int)id.n, id.p);
		must_be_same(r.exchange.query, m->lines[find(m, id)].r.exchange.query, "the last one of its id");
		record_release(&r);
		if (find(m, id) == (int)i)
			must(!history_find(j, end_of_lines(m, j, i + 1), j->n, id, &r), "one behind the last one");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model m;
	struct span rest = { (const char *)data, size }, text;
	uint64_t state = hash_of(rest);
	struct buf b = BUF_INIT;
	struct jsonl j;
	size_t n;

	add_story(&b, rest);
	while (b.n && b.p[b.n - 1] != '\n') /* torn: jsonl's own target sees to it */
		b.n--;
	text = exact(buf_span(&b));
	buf_release(&b);
	j = (struct jsonl){ text.p, text.n, text.n };
	if (model_read(&m, &j, &n)) {
		resolve(&m, n);
		check_load(&m, &j, false);
		check_load(&m, &j, true);
		check_changes(&m, &j);
		check_find(&m, &j);
		for (size_t last = 1; last <= m.npath + 1 && last < 6; last++) {
			check_newest(&m, &j, last, false);
			check_newest(&m, &j, last, true);
		}
		for (size_t i = 0; n && i < 4; i++)
			check_load_more(&m, &j, n, rnd_below(&state, n), i % 2);
		if (n <= MAX_PREFIX)
			check_lines(&m, &j, n, rnd_below(&state, 2));
	}
	model_release(&m, n);
	drop(text);
	return 0;
}
