/*
 * lib/store/index. The input is an index, in which short lines stand for others:
 *
 *	+ID	a record of this session	-ID	its tombstone
 *	*	800 records, each of an id of its own (the reader's table grows)
 *
 * Any other line stands as it is. The reader judges a line by its beginning and end; what
 * lies between, only index_record() looks at. A line that does not begin and end so is parsed,
 * and so is what is behind the last line feed.
 *
 * Properties: each live id is given once, the most recently written first, as a plain
 * reading forwards of mc-session(5) finds them; with a prefix, those among them that
 * begin so. A record that is spelled otherwise is given as the same JSON, spelled as ours are. A record that is JSON has the fields, of the same values, that json-c finds;
 * any other is read within its bounds.
 */
#include "store/index.h"

#include "base/json-scan.h"
#include "base/json.h"
#include "fuzz.h"

static void add_live(struct buf *b, struct span id)
{
	const struct session_info s = { .created_at = 1, .updated_at = 2, .provider = span_str("p"),
		                   .model = span_str("m"), .usage = USAGE_NONE };
	char name[ID_SIZE];

	snprintf(name, sizeof(name), "%.*s", (int)id.n, id.p);
	buf_addc(b, '{');
	index_add_record_members(b, name, &s);
	buf_addc(b, '}');
}

static void add_many(struct buf *b)
{
	for (int i = 0; i < 800; i++) {
		char id[16];

		snprintf(id, sizeof(id), "many-%d", i * 7);
		add_live(b, (struct span){ id, strlen(id) });
		buf_addc(b, '\n');
	}
}

static void expand(struct buf *b, struct span line, int *many)
{
	struct span id = { line.p + 1, line.n - 1 };

	if (line.n && line.p[0] == '+' && id_valid(id.p, id.n))
		add_live(b, id);
	else if (line.n && line.p[0] == '-' && id_valid(id.p, id.n))
		buf_addf(b, "{\"id\":\"%.*s\",\"deletedAt\":9,\"version\":1}", (int)id.n, id.p);
	else if (line.n == 1 && line.p[0] == '*' && (*many)++ < 2)
		add_many(b);
	else
		buf_add(b, line.p, line.n);
}

/* ---- one record ---- */

static bool begins(struct span s, const char *with)
{
	return s.n >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0;
}

static const struct {
	const char *name;
	unsigned flag;
	bool number;
	size_t offset;
} fields[] = {
	{ "createdAt", INDEX_CREATED, true, offsetof(struct index_record, created_at) },
	{ "updatedAt", INDEX_UPDATED, true, offsetof(struct index_record, updated_at) },
	{ "exchangeCount", INDEX_COUNT, true, offsetof(struct index_record, exchange_count) },
	{ "provider", INDEX_PROVIDER, false, offsetof(struct index_record, provider) },
	{ "model", INDEX_MODEL, false, offsetof(struct index_record, model) },
	{ "cwd", INDEX_CWD, false, offsetof(struct index_record, cwd) },
	{ "title", INDEX_TITLE, false, offsetof(struct index_record, title) },
	{ "firstQuery", INDEX_FIRST_QUERY, false, offsetof(struct index_record, first_query) },
	{ "lastQuery", INDEX_LAST_QUERY, false, offsetof(struct index_record, last_query) },
};

/* Whether json-c finds this field, of its type; `r` has the same value then. */
static bool check_field(size_t i, struct json_object *o, const struct index_record *r, bool good)
{
	const char *at = (const char *)r + fields[i].offset;
	struct json_object *v = json_member(o, fields[i].name);
	struct buf text = BUF_INIT;
	struct span value;
	int64_t n;

	if (!json_object_object_get_ex(o, fields[i].name, NULL))
		return false;
	if (fields[i].number) {
		memcpy(&n, at, sizeof(n));
		must(!good || n == json_object_get_int64(v), "%s is %" PRId64, fields[i].name, n);
		return json_object_is_type(v, json_type_int) && json_object_get_int64(v) <= COUNT_MAX &&
		       json_object_get_int64(v) >= -COUNT_MAX;
	}
	memcpy(&value, at, sizeof(value));
	if (good && v) {
		json_scan_add_str(&text, value);
		must_be_same(buf_span(&text), json_member_str(o, fields[i].name), fields[i].name);
		buf_release(&text);
	}
	must(!good || v || span_eq(value, "null"), "%s is null", fields[i].name);
	return !v || json_object_is_type(v, json_type_string);
}

/* A name in escapes is none that the scanner knows. */
static bool has_plain_names(struct span line)
{
	struct json_scan s = json_scan(line);
	struct span key, ignored;

	while (json_scan_next(&s, &key, &ignored) > 0)
		if (memchr(key.p, '\\', key.n))
			return false;
	return true;
}

static void check_record(struct span line, unsigned wanted)
{
	struct json_object *o = NULL;
	struct index_record r;
	struct err e = ERR_INIT;
	bool good = index_record(line, wanted, &r), want = true, id_first;

	if (json_parse_object(line, &o, &e) < 0 || !has_plain_names(line)) {
		json_object_put(o);
		return;
	}
	id_first = begins(line, "{\"id\":\"");
	if (good && id_first)
		must(same(r.id, json_member_str(o, "id")) || memchr(r.id.p, '\\', r.id.n), "id");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (wanted & fields[i].flag)
			want = check_field(i, o, &r, good) && want;
	must(!id_first || good == want, "a record that %s: '%.*s'", good ? "passes" : "fails",
	     (int)line.n, line.p);
	json_object_put(o);
}

/* ---- the plain reading ---- */

struct model {
	size_t n, cap;
	struct entry {
		struct span id, line; /* the line with its newline */
		bool live, ours;      /* the latter: spelled as the tools do */
	} *v; /* the records; then one for each id, in the order of their last lines */
};

/* A record "begins with {"id":" and ends with "version":1}". */
static bool model_split(struct span line, struct span *id)
{
	const char *begin = "{\"id\":\"", *end = "\"version\":1}", *quote;

	if (!begins(line, begin) || !span_ends(line, end) || line.n < strlen(begin) + strlen(end))
		return false;
	id->p = line.p + strlen(begin);
	quote = memchr(id->p, '"', (size_t)(line.p + line.n - id->p));
	id->n = quote ? (size_t)(quote - id->p) : 0;
	return quote && id_valid(id->p, id->n);
}

static struct span trimmed(struct span s)
{
	if (begins(s, "\xef\xbb\xbf"))
		s = (struct span){ s.p + 3, s.n - 3 };
	for (; s.n && strchr(" \t\r\n", s.p[0]) && s.p[0]; s.n--)
		s.p++;
	while (s.n && strchr(" \t\r\n", s.p[s.n - 1]) && s.p[s.n - 1])
		s.n--;
	return s;
}

/* Any spelling of a record or a tombstone. */
static bool model_parse(struct span line, struct span *id, bool *live)
{
	const struct index_record none = { 0 };
	struct json_object *o = NULL;
	struct err e = ERR_INIT;
	bool good;

	line = trimmed(line);
	if (!line.n || json_parse_object(line, &o, &e) < 0)
		return false;
	*live = !json_object_object_get_ex(o, "deletedAt", NULL);
	good = has_plain_names(line) && json_scan_find(line, "id", id) && id->n > 2 &&
	       json_object_is_type(json_member(o, "version"), json_type_int) &&
	       json_object_get_int64(json_member(o, "version")) == 1;
	if (good) {
		*id = (struct span){ id->p + 1, id->n - 2 };
		good = id_valid(id->p, id->n);
	}
	for (size_t i = 0; *live && i < sizeof(fields) / sizeof(fields[0]); i++)
		good = check_field(i, o, &none, false) && good;
	json_object_put(o);
	return good;
}

static void model_take(struct model *m, struct span line)
{
	struct span id, after;
	bool live = true, ours = model_split(line, &id);

	if (!ours && !model_parse(line, &id, &live))
		return;
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 256;
		m->v = realloc(m->v, m->cap * sizeof(*m->v));
		must(m->v != NULL, "memory");
	}
	after = (struct span){ id.p + id.n, line.n - (size_t)(id.p + id.n - line.p) };
	if (ours)
		live = !begins(after, "\",\"deletedAt\":");
	line.n++;
	m->v[m->n++] = (struct entry){ id, line, live, ours };
}

/* What is behind the last line feed. A whole record there only lacks that; but it is not read
 * as ours, which have one. */
static void model_take_tail(struct model *m, struct span tail)
{
	struct span id;
	bool live;

	if (model_parse(tail, &id, &live))
		model_take(m, tail);
	if (m->n && m->v[m->n - 1].line.p == tail.p)
		m->v[m->n - 1].ours = false;
}

static int by_place(const void *a, const void *b)
{
	const char *x = ((const struct entry *)a)->line.p, *y = ((const struct entry *)b)->line.p;

	return (x > y) - (x < y);
}

static int by_id(const void *a, const void *b)
{
	const struct span x = ((const struct entry *)a)->id, y = ((const struct entry *)b)->id;
	int c = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	return c ? c : x.n != y.n ? (x.n > y.n) - (x.n < y.n) : by_place(a, b);
}

/* A session's last line wins. */
static void keep_last(struct model *m)
{
	size_t n = 0;

	if (!m->n)
		return;
	qsort(m->v, m->n, sizeof(*m->v), by_id);
	for (size_t i = 0; i < m->n; i++)
		if (i + 1 == m->n || !same(m->v[i].id, m->v[i + 1].id))
			m->v[n++] = m->v[i];
	m->n = n;
	qsort(m->v, m->n, sizeof(*m->v), by_place);
}

static void must_be_same_json(struct span line, struct span other)
{
	struct json_object *a = NULL, *b = NULL;
	struct err e = ERR_INIT;
	struct span id;

	must(model_split((struct span){ line.p, line.n - 1 }, &id), "'%.*s' is not spelled as ours",
	     (int)line.n, line.p);
	must(json_parse_object(line, &a, &e) == 0 && json_parse_object(trimmed(other), &b, &e) == 0, "%s",
	     e.msg);
	must(json_object_equal(a, b), "'%.*s' is not '%.*s'", (int)line.n, line.p, (int)other.n, other.p);
	json_object_put(a);
	json_object_put(b);
}

static void check_reading(const struct model *m, int fd, bool all, struct span prefix)
{
	struct index_reader r;
	struct err e = ERR_INIT;
	struct span line;

	must(index_open_fd(&r, fd, all, &e) == 0, "%s", e.msg);
	r.prefix = prefix;
	for (size_t i = m->n; i--;) {
		const struct entry *x = &m->v[i];

		if (!x->live || x->id.n < prefix.n || (prefix.n && memcmp(x->id.p, prefix.p, prefix.n) != 0))
			continue;
		must(index_next(&r, &line), "'%.*s' is missing", (int)x->id.n, x->id.p);
		if (x->ours)
			must_be_same(line, x->line, "a record");
		else
			must_be_same_json(line, (struct span){ x->line.p, x->line.n - 1 });
	}
	must(!index_next(&r, &line) && !r.oom, "another record: '%.*s'", (int)line.n, line.p);
	index_close(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size }, line, torn;
	uint64_t state = hash_of(rest);
	struct buf b = BUF_INIT;
	struct model m = { 0 };
	int fd, many = 0;

	while (cut_line(&rest, &line)) {
		expand(&b, line, &many);
		if (line.p + line.n < (const char *)data + size)
			buf_addc(&b, '\n');
	}
	fd = file_of(buf_span(&b));
	rest = torn = buf_span(&b);
	while (rest.n && rest.p[rest.n - 1] != '\n')
		rest.n--;
	torn = (struct span){ rest.p + rest.n, torn.n - rest.n };
	for (size_t n = 0; cut_line(&rest, &line); n++) {
		model_take(&m, line);
		if (n < 20) {
			struct span copy = exact((struct span){ line.p, line.n + 1 });

			check_record(copy, INDEX_ALL);
			check_record(copy, (unsigned)rnd_below(&state, INDEX_ALL + 1));
			drop(copy);
		}
	}
	model_take_tail(&m, torn);
	keep_last(&m);
	check_reading(&m, fd, false, (struct span){ "", 0 });
	check_reading(&m, fd, true, (struct span){ "", 0 });
	if (m.n) {
		struct span id = m.v[rnd_below(&state, m.n)].id;

		check_reading(&m, fd, false, (struct span){ id.p, 1 + rnd_below(&state, id.n) });
	}
	close(fd);
	free(m.v);
	buf_release(&b);
	return 0;
}
