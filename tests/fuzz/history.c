/*
 * lib/store/history. The input is a history, with the short forms of story.h.
 *
 * Properties: the conversation is what a plain reading forwards of mc-session(5)
 * makes it, which remembers the conversation at each exchange; the last few exchanges
 * are the end of all of them; offsets ascend and lead to valid exchanges; a damaged
 * line is told, on loading just once, and a session's summary is what its records say. The
 * summary record that is of use is the last one with an exchange to stand for.
 */
#include "store/history.h"

#include "base/json.h"
#include "fuzz.h"
#include "story.h"

/* ---- the plain reading ---- */

#define MAX_LINES 100 /* a longer history is not asked about */

struct model {
	size_t n;
	struct model_line {
		size_t start;
		bool valid;
		struct record r;     /* when it is valid */
		enum err_kind why;   /* when it is not */
		struct buf id;       /* of an exchange, damaged or not, that has one */
		bool has_id;
		int before;          /* the exchange before it in the conversation, a line; or -1 */
	} lines[MAX_LINES];
	int last; /* the conversation's last exchange, or damaged one; -1 */
	size_t turns[MAX_LINES], nturns;
	size_t damaged;
};

static int find_back(const struct model *m, struct span id)
{
	for (size_t i = m->n; i--;)
		if (m->lines[i].has_id && same(buf_span(&m->lines[i].id), id))
			return (int)i;
	return -1;
}

static void model_take(struct model *m, struct span line, size_t start)
{
	struct model_line *l = &m->lines[m->n];
	struct json_object *o = NULL;
	struct err e = ERR_INIT;
	int to;

	*l = (struct model_line){ .start = start, .before = m->last, .id = BUF_INIT };
	l->valid = record_parse(line, &l->r, &e) == 0;
	l->why = e.kind;
	m->damaged += !l->valid;
	err_clear(&e);
	if (json_parse_object(line, &o, &e) == 0 && span_eq(json_member_str(o, "type"), "exchange") &&
	    json_object_is_type(json_member(o, "id"), json_type_string)) {
		struct span id = json_member_str(o, "id");

		buf_add(&l->id, id.p, id.n);
		l->has_id = true;
		m->last = (int)m->n;
	}
	json_object_put(o);
	if (l->valid && l->r.type == RECORD_REWIND) {
		to = l->r.rewind.to.p ? find_back(m, l->r.rewind.to) : -1;
		if (to >= 0 || !l->r.rewind.to.p)
			m->last = to;
	}
	m->n++;
}

static void model_turns(struct model *m)
{
	for (int i = m->last; i >= 0; i = m->lines[i].before)
		if (m->lines[i].valid)
			m->turns[m->nturns++] = m->lines[i].start;
	for (size_t i = 0; i < m->nturns / 2; i++) {
		size_t swap = m->turns[i];

		m->turns[i] = m->turns[m->nturns - 1 - i];
		m->turns[m->nturns - 1 - i] = swap;
	}
}

/* False for a history of more lines than there is room for. */
static bool model_read(struct model *m, const struct jsonl *j)
{
	struct span rest = { j->p, j->n }, line;

	m->n = m->nturns = m->damaged = 0;
	m->last = -1;
	while (m->n < MAX_LINES && cut_line(&rest, &line))
		model_take(m, line, (size_t)(line.p - j->p));
	model_turns(m);
	return !rest.n;
}

static void model_release(struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		buf_release(&m->lines[i].id);
		if (m->lines[i].valid)
			record_release(&m->lines[i].r);
	}
}

/* ---- the properties ---- */

static size_t notices;

static void notice(const char *sentence)
{
	must(sentence[0], "a notice");
	notices++;
}

static const struct store store = { .dir = "D", .fd = -1, .stop_fd = -1, .notice = notice };

static void check_limit(const struct model *m, const struct jsonl *j, size_t limit)
{
	size_t n = limit && limit < m->nturns ? limit : m->nturns;
	struct err e = ERR_INIT;
	struct turns t;

	notices = 0;
	must(history_turns(&store, "s", j, limit, &t, &e) == 0, "%s", e.msg);
	must(t.n == n, "%zu exchanges instead of %zu, of the last %zu", t.n, n, limit);
	for (size_t i = 0; i < n; i++)
		must(t.offsets[i] == m->turns[m->nturns - n + i], "exchange %zu of the last %zu at %zu",
		     i, limit, t.offsets[i]);
	must(notices == t.damaged, "%zu notices of %zu damaged lines", notices, t.damaged);
	/* One may be met twice, where a rewind to nothing was gone back to. */
	must(!t.damaged || m->damaged, "%zu damaged lines", t.damaged);
	turns_release(&t);
}

/* Without checking, those that are damaged may be among the turns. */
static void check_unchecked(const struct model *m, const struct jsonl *j)
{
	struct err e = ERR_INIT;
	struct turns t;
	size_t k = 0;

	notices = 0;
	must(history_turns(NULL, "s", j, 0, &t, &e) == 0, "%s", e.msg);
	for (size_t i = 0; i < t.n; i++) {
		must(i == 0 || t.offsets[i] > t.offsets[i - 1], "offsets ascend");
		k += k < m->nturns && t.offsets[i] == m->turns[k];
	}
	must(k == m->nturns && notices == 0, "%zu exchanges of %zu", k, m->nturns);
	turns_release(&t);
}

static void check_summary(const struct model *m, const struct conversation *c)
{
	const struct session_info *s = &c->info;
	const struct model_line *head = m->lines;
	struct span model, title = { NULL, 0 };
	struct usage usage = USAGE_NONE;
	int64_t updated, complete = 0;
	bool head_first = true;

	for (; !head->valid || head->r.type != RECORD_SESSION; head++)
		head_first = head_first && !head->valid;
	must_be_same(c->head.head.id, head->r.head.id, "id");
	must_be_same(s->provider, head->r.head.provider, "provider");
	must_be_same(s->cwd, head->r.head.cwd, "cwd");
	must(s->created_at == head->r.head.created_at, "createdAt");
	if (!head_first) /* or it is no history as the page has it */
		return;
	updated = s->created_at;
	model = head->r.head.model;
	title = head->r.head.title;
	for (size_t i = 0; i < m->n; i++) {
		const struct record *r = &m->lines[i].r;

		if (!m->lines[i].valid)
			continue;
		if (r->type == RECORD_EXCHANGE) {
			int64_t end = r->exchange.timestamp + (r->exchange.duration > 0 ? r->exchange.duration : 0);

			updated = end > updated ? end : updated;
			usage_add(&usage, &r->exchange.usage);
		} else if (r->type == RECORD_SUMMARY) {
			updated = r->summary.timestamp > updated ? r->summary.timestamp : updated;
			usage_add(&usage, &r->summary.usage);
		} else if (r->type == RECORD_CHANGE) {
			model = r->change.model.p ? r->change.model : model;
			title = r->change.title.p ? r->change.title : title;
		}
	}
	for (size_t i = 0; i < c->n; i++)
		complete += c->turns[i].exchange.status == STATUS_COMPLETE;
	must(s->updated_at == updated, "%" PRId64 " instead of %" PRId64, s->updated_at, updated);
	must(s->exchange_count == complete, "%" PRId64, s->exchange_count);
	must(memcmp(&s->usage, &usage, sizeof(usage)) == 0, "usage");
	must_be_same(s->model, model, "model");
	must_be_same(s->title, title, "title");
	must(!s->first_query.p == !c->n, "a first query");
	if (c->n) {
		must_be_same(s->first_query, c->turns[0].exchange.query, "firstQuery");
		must_be_same(s->last_query, c->turns[c->n - 1].exchange.query, "lastQuery");
	}
}

/* How many of the turns the summary in this line stands for; 0 when it is of no use. */
static size_t model_covers(const struct model *m, const struct conversation *c,
                           const struct model_line *l)
{
	size_t covered = 0;

	if (!l->valid || l->r.type != RECORD_SUMMARY)
		return 0;
	for (size_t i = 0; i < c->n && m->turns[i] < l->start; i++)
		if (same(c->turns[i].exchange.id, l->r.summary.up_to))
			covered = i + 1;
	return covered;
}

static void check_gist(const struct model *m, const struct conversation *c)
{
	size_t i = m->n, covered = 0;

	while (i && !covered)
		covered = model_covers(m, c, &m->lines[--i]);
	must(c->covered == covered, "%zu turns are covered instead of %zu", c->covered, covered);
	must(!c->summary.json == !covered, "a summary, or none");
	if (covered)
		must_be_same(c->summary.summary.text, m->lines[i].r.summary.text, "the summary");
}

/* What conversation_load() comes to: a session of another version is not gone on with. */
static enum err_kind model_load(const struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->lines[i].valid && m->lines[i].r.type == RECORD_SESSION)
			return ERR_NONE;
		if (!m->lines[i].valid && m->lines[i].why == ERR_VERSION)
			return ERR_VERSION;
	}
	return ERR_DAMAGED;
}

static void check_conversation(const struct model *m, const struct jsonl *j)
{
	enum err_kind want = model_load(m);
	struct conversation c;
	struct err e = ERR_INIT;

	notices = 0;
	must((conversation_load(&c, &store, "s", j, &e) == 0) == (want == ERR_NONE), "%s", e.msg);
	must(e.kind == want && !e.msg[0] == !want, "%s", e.msg);
	if (want != ERR_NONE)
		return;
	must(notices == m->damaged, "%zu notices of %zu damaged lines", notices, m->damaged);
	must(c.n == m->nturns, "%zu exchanges instead of %zu", c.n, m->nturns);
	for (size_t i = 0; i < c.n; i++) {
		struct record r;

		must(history_record(&store, "s", j, m->turns[i], &r), "exchange %zu", i);
		must_be_same(c.turns[i].exchange.id, r.exchange.id, "id");
		must_be_same(c.turns[i].exchange.answer, r.exchange.answer, "answer");
		record_release(&r);
	}
	must(c.info.history_bytes == (int64_t)j->n, "its size");
	check_summary(m, &c);
	check_gist(m, &c);
	conversation_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model m;
	struct span rest = { (const char *)data, size }, text;
	struct buf b = BUF_INIT;
	struct jsonl j;

	add_story(&b, rest);
	while (b.n && b.p[b.n - 1] != '\n') /* torn: jsonl's own target sees to it */
		b.n--;
	text = exact(buf_span(&b));
	buf_release(&b);
	j = (struct jsonl){ text.p, text.n, text.n };
	if (model_read(&m, &j)) {
		for (size_t limit = 0; limit <= m.nturns + 1 && limit < 6; limit++)
			check_limit(&m, &j, limit);
		check_unchecked(&m, &j);
		check_conversation(&m, &j);
	}
	model_release(&m);
	drop(text);
	return 0;
}
