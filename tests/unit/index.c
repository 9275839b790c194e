#include "store/index.h"

#include "base/json-scan.h"
#include "base/json.h"
#include "data.h"
#include "tap.h"
#include "temp.h"

static struct store store;

/* The ids that the reader gives, newest first. */
static void ids_of(struct index_reader *r, struct buf *out)
{
	struct index_record rec;
	struct span line;

	buf_clear(out);
	while (index_next(r, &line)) {
		if (line.p[line.n - 1] != '\n')
			buf_adds(out, "(no newline)");
		if (!index_record(line, 0, &rec))
			buf_adds(out, "(damaged)");
		else
			buf_addf(out, "%s%.*s", out->n ? " " : "", (int)rec.id.n, rec.id.p);
	}
	if (r->oom)
		buf_adds(out, "(out of memory)");
}

/* Opens the index as it is on the disk. */
static void list(const char *prefix, struct buf *out)
{
	struct index_reader r;
	struct err e = ERR_INIT;

	buf_clear(out);
	if (index_open(&r, &store, false, &e) < 0) {
		buf_addf(out, "(%s)", e.msg);
		return;
	}
	r.prefix = span_str(prefix);
	r.store = NULL; /* the test has no histories to rebuild it from */
	ids_of(&r, out);
	index_close(&r);
}

static void is_list(const char *text, const char *prefix, const char *want, const char *what)
{
	struct buf got = BUF_INIT;

	if (text)
		temp_write(INDEX_FILE, span_str(text));
	list(prefix, &got);
	is_buf(&got, want, "%s", what);
	buf_release(&got);
}

#define LINE(id) "{\"id\":\"" id "\",\"createdAt\":1,\"updatedAt\":2,\"exchangeCount\":3," \
	"\"provider\":\"echo\",\"model\":\"m\",\"cwd\":\"/\",\"title\":null,\"firstQuery\":\"q\"," \
	"\"lastQuery\":\"q\",\"version\":1}\n"
#define GONE(id) "{\"id\":\"" id "\",\"deletedAt\":9,\"version\":1}\n"
#define HEADER "{\"live\":0,\"bytes\":0,\"version\":1}\n"

static void test_reading(void)
{
	is_list(HEADER, "", "", "no sessions");
	is_list(LINE("a"), "", "a", "one, without a header");
	is_list(HEADER LINE("a") LINE("b") LINE("c"), "", "c b a", "newest first");
	is_list(HEADER LINE("a") LINE("b") LINE("a"), "", "a b", "the last line of each wins");
	is_list(HEADER LINE("a") LINE("b") GONE("a"), "", "b", "a tombstone");
	is_list(HEADER LINE("a") GONE("a") LINE("b") LINE("a"), "", "a b", "made anew after it");
	is_list(HEADER GONE("x") LINE("a"), "", "a", "a tombstone of nothing");
	is_list(HEADER LINE("ab") LINE("a") LINE("abc"), "", "abc a ab", "ids that begin alike");
	is_list(HEADER LINE("ab") GONE("a") GONE("abc"), "", "ab", "and their tombstones");
}

static void test_prefix(void)
{
	const char *text = HEADER LINE("abc") LINE("abd") LINE("b") LINE("abc") LINE("ab") GONE("abd");

	is_list(text, "ab", "ab abc", "a prefix");
	is_list(text, "abc", "abc", "a whole id");
	is_list(text, "abd", "", "a removed one");
	is_list(text, "abcd", "", "a longer one");
	is_list(text, "", "ab abc b", "none");
}

static void test_damage(void)
{
	is_list(HEADER LINE("a") "{\"id\":\"b\",\"created", "", "a", "a torn tail");
	is_list(HEADER LINE("a") "{\"id\":\"b\",\"created\n" LINE("c"), "", "c a", "a torn line, healed");
	is_list(HEADER "\n\n" LINE("a") "\n", "", "a", "empty lines");
	is_list("garbage\n" LINE("a") "\x01\xff\n{}\n[]\n" LINE("b"), "", "b a", "garbage");
	is_list(LINE("a") "{\"id\":\"b\",\"title\":\"\\\"version\\\":1}\n" LINE("c"), "", "c a",
	        "a fragment whose text tries to look like the end");
	is_list(LINE("a") "{\"id\":\"b", "", "a", "torn in the id");
	is_list(LINE("a") "{\"id\":\"\"version\":1}\n", "", "a", "an id without its end");
	is_list(LINE("0123456789012345678901234567890123456789012345678901234567890123"), "",
	        "0123456789012345678901234567890123456789012345678901234567890123", "the longest id");
	is_list(LINE("01234567890123456789012345678901234567890123456789012345678901234") LINE("a"), "",
	        "a", "one longer than that");
	is_list(LINE("a") "{\"id\":\"torn\"", "", "a", "no newline at the end");
	is_list(LINE("abcdefg1") LINE("abcdefg\xb1"), "abcdefg1", "abcdefg1",
	        "an id with a flipped bit hides no other");
	is_list(LINE("a") LINE("a\xff"), "", "a", "what is no id is no record");
}

static void test_record(void)
{
	static const char line[] = "{\"id\":\"abc\",\"createdAt\":10,\"updatedAt\":20,\"exchangeCount\":3,"
		"\"provider\":\"echo\",\"model\":\"m\",\"cwd\":\"/w\",\"title\":null,\"firstQuery\":\"a\\\"b\","
		"\"lastQuery\":\"z\",\"usageTotals\":{\"id\":\"no\"},\"historyBytes\":99,\"version\":1}\n";
	struct index_record r;

	ok(index_record(span_str(line), INDEX_ALL, &r), "a record");
	is_span(r.id, "abc", "id");
	is_int(r.created_at, 10, "createdAt");
	is_int(r.updated_at, 20, "updatedAt");
	is_int(r.exchange_count, 3, "exchangeCount");
	is_span(r.provider, "\"echo\"", "provider, as it stands");
	is_span(r.model, "\"m\"", "model");
	is_span(r.cwd, "\"/w\"", "cwd");
	is_span(r.title, "null", "title");
	is_span(r.first_query, "\"a\\\"b\"", "firstQuery");
	is_span(r.last_query, "\"z\"", "lastQuery");
	ok(!index_record(span_str("{\"id\":\"../x\",\"version\":1}\n"), INDEX_ALL, &r), "no id");
	ok(!index_record(span_str("{\"id\":\"\",\"version\":1}\n"), INDEX_ALL, &r), "an empty id");
	ok(!index_record(span_str("{\"id\":5,\"version\":1}\n"), INDEX_ALL, &r), "a number as id");
	ok(!index_record(span_str("{\"createdAt\":5,\"version\":1}\n"), INDEX_ALL, &r), "none at all");
	ok(!index_record(span_str("{\"id\":\"abc\",\"version\":1}\n"), INDEX_TITLE, &r), "a missing field");
	ok(index_record(span_str("{\"id\":\"abc\",\"version\":1}\n"), 0, &r), "which is not asked for");
	ok(!index_record(span_str("{\"id\":\"abc\",\"title\":5}\n"), INDEX_TITLE, &r), "a title of no text");
	ok(!index_record(span_str("{\"id\":\"abc\",\"createdAt\":\"5\"}\n"), INDEX_CREATED, &r),
	   "a time of no number");
	ok(!index_record(span_str("{\"id\":\"abc\",,\"version\":1}\n"), INDEX_ALL, &r), "no JSON");
}

/* Any fields, in any order, with strangers between: each combination is found. */
static void test_fields(void)
{
	static const char *const members[] = {
		"\"createdAt\":1", "\"updatedAt\": 2", " \"exchangeCount\":3", "\"provider\":\"p\"",
		"\"model\":\"m\"", "\"cwd\" : \"c\"", "\"title\":null", "\"firstQuery\":\"f\"",
		"\"lastQuery\":\"l\"", "\"x\":[{}]", "\"createdAtt\":9", "\"mode\":\"no\"",
	};
	enum { MEMBERS = sizeof(members) / sizeof(members[0]) };
	uint64_t seed = 13;
	int bad = 0;

	for (int i = 0; i < 5000; i++) {
		const char *order[MEMBERS];
		struct index_record r;
		struct buf b = BUF_INIT;
		unsigned wanted = (unsigned)rnd_below(&seed, INDEX_ALL + 1), left_out = 0;
		struct span s;
		bool good;

		memcpy(order, members, sizeof(order));
		for (size_t k = i % 2 ? MEMBERS - 1 : 0; k > 0; k--) {
			size_t other = rnd_below(&seed, k + 1);
			const char *m = order[k];

			order[k] = order[other];
			order[other] = m;
		}
		buf_adds(&b, "{\"id\":\"abc\"");
		for (size_t k = 0; k < MEMBERS; k++) {
			if (rnd_below(&seed, 20))
				buf_addf(&b, ",%s", order[k]);
			else
				for (size_t m = 0; m < 9; m++)
					left_out |= order[k] == members[m] ? 1u << m : 0;
		}
		buf_adds(&b, ",\"version\":1}\n");
		s = exact(buf_span(&b));
		good = index_record(s, wanted, &r);
		bad += good != !(wanted & left_out);
		bad += good && (wanted & INDEX_CREATED) && r.created_at != 1;
		bad += good && (wanted & INDEX_UPDATED) && r.updated_at != 2;
		bad += good && (wanted & INDEX_COUNT) && r.exchange_count != 3;
		bad += good && (wanted & INDEX_PROVIDER) && !span_eq(r.provider, "\"p\"");
		bad += good && (wanted & INDEX_MODEL) && !span_eq(r.model, "\"m\"");
		bad += good && (wanted & INDEX_CWD) && !span_eq(r.cwd, "\"c\"");
		bad += good && (wanted & INDEX_TITLE) && !span_eq(r.title, "null");
		bad += good && (wanted & INDEX_FIRST_QUERY) && !span_eq(r.first_query, "\"f\"");
		bad += good && (wanted & INDEX_LAST_QUERY) && !span_eq(r.last_query, "\"l\"");
		drop(s);
		buf_release(&b);
	}
	is_int(bad, 0, "5000 records with their fields in any order, some left out");
}

/* Each way to cut or damage a record: it is read within its bounds. */
static void test_record_bounds(void)
{
	static const char line[] = LINE("abc");
	uint64_t seed = 10;
	/* What follows the last field is not read, save for the comma. */
	const size_t whole = (size_t)(strstr(line, ",\"version") - line) + 1;
	struct index_record r;
	int good = 0;

	for (size_t n = 0; n < sizeof(line) - 1; n++) {
		struct span s = exact((struct span){ line, n });

		good += index_record(s, INDEX_ALL, &r) && n < whole;
		drop(s);
	}
	is_int(good, 0, "no record that is cut passes for one");
	for (int i = 0; i < 20000; i++) {
		struct span s = exact(span_str(line));

		((char *)s.p)[rnd_below(&seed, s.n)] = (char)rnd(&seed);
		good += index_record(s, INDEX_ALL, &r) && id_valid(r.id.p, r.id.n);
		drop(s);
	}
	ok(good > 1000 && good < 20000, "20000 damaged records do no harm (%d pass)", good);
}

/* ---- writing ---- */

static struct session_info info_of(const char *query)
{
	struct span q = span_str(query);

	return (struct session_info){ .created_at = 1, .updated_at = 2, .exchange_count = 3,
		.provider = span_str("echo"), .model = span_str("m"), .cwd = span_str("/w"),
		.first_query = q, .last_query = q, .usage = { 4, 5, 9, -1, -1, -1, -1 }, .history_bytes = 77 };
}

static void test_format(void)
{
	const struct span tags[] = { span_str("a\n"), span_str("b") };
	struct session_info s = info_of("q\n\"x\"");
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	temp_write(INDEX_FILE, span_str(HEADER));
	is_int(index_append(&store, "abc", &s, &e), 0, "a record is appended");
	s.usage = (struct usage)USAGE_NONE;
	s.first_query = s.last_query = (struct span){ NULL, 0 };
	s.title = span_str("T");
	s.tool_calls = 3;
	s.branches = 2;
	s.root = span_str("r\"1");
	s.tags = tags;
	s.ntags = 2;
	s.summary_at = 555;
	s.summary_of = 4;
	is_int(index_append(&store, "new", &s, &e), 0, "another");
	is_int(index_append_tombstone(&store, "abc", 42, &e), 0, "and a tombstone");
	temp_read(INDEX_FILE, &b);
	is_buf(&b, HEADER
	       "{\"id\":\"abc\",\"createdAt\":1,\"updatedAt\":2,\"exchangeCount\":3,\"toolCalls\":0,"
	       "\"branches\":0,\"provider\":\"echo\",\"model\":\"m\",\"cwd\":\"/w\",\"title\":null,\"tags\":[],"
	       "\"firstQuery\":\"q\\n\\\"x\\\"\",\"lastQuery\":\"q\\n\\\"x\\\"\",\"root\":null,\"usageTotals\":{\"inputTokens\":4,\"outputTokens\":5,"
	       "\"totalTokens\":9},\"historyBytes\":77,\"version\":1}\n"
	       "{\"id\":\"new\",\"createdAt\":1,\"updatedAt\":2,\"exchangeCount\":3,\"toolCalls\":3,"
	       "\"branches\":2,\"provider\":\"echo\",\"model\":\"m\",\"cwd\":\"/w\",\"title\":\"T\","
	       "\"tags\":[\"a\\n\",\"b\"],\"firstQuery\":null,\"lastQuery\":null,\"root\":\"r\\\"1\","
	       "\"summaryAt\":555,\"summaryOf\":4,"
	       "\"usageTotals\":{\"inputTokens\":0,\"outputTokens\":0,\"totalTokens\":0},"
	       "\"historyBytes\":77,\"version\":1}\n"
	       "{\"id\":\"abc\",\"deletedAt\":42,\"version\":1}\n", "what stands in the file");
	buf_release(&b);
	is_list(NULL, "", "new", "and what is listed");
}

/* All that index_info() gives back of a record. */
static void test_info(void)
{
	static const char line[] =
		"{\"id\":\"abc\",\"createdAt\":1,\"updatedAt\":2,\"exchangeCount\":3,\"toolCalls\":4,\"branches\":5,"
		"\"provider\":\"echo\",\"model\":\"m\",\"cwd\":\"/w\",\"title\":\"T\",\"tags\":[\"a\"],"
		"\"firstQuery\":\"f\",\"lastQuery\":\"l\",\"root\":\"r\",\"summaryAt\":6,\"summaryOf\":7,"
		"\"usageTotals\":{\"inputTokens\":8,\"outputTokens\":9,\"totalTokens\":17,\"cost\":0.5},"
		"\"historyBytes\":10,\"version\":1}\n";
	struct session_info s;
	struct json_object *json;
	struct err e = ERR_INIT;
	struct buf again = BUF_INIT;

	if (!is_int(index_info(span_str(line), &s, &json, &e), 0, "a record is read"))
		return;
	is_int(s.tool_calls, 4, "tool calls");
	is_int(s.branches, 5, "branches");
	is_span(s.root, "r", "root");
	is_int(s.summary_at, 6, "where the summary is");
	is_int(s.summary_of, 7, "what it stands for");
	is_int(s.usage.cost, 500000000, "the cost");
	s.tags = &(struct span){ "a", 1 };
	s.ntags = 1;
	index_add_record(&again, "abc", &s);
	is_buf(&again, line, "and written as it was, the tags apart");
	json_object_put(json);
	buf_release(&again);
	is_int(index_info(span_str("{\"id\":\"abc\",\"branches\":\"x\",\"version\":1}\n"), &s, &json, &e), -1,
	       "one with a wrong member is not");
}

static void test_long_queries(void)
{
	static const size_t lengths[] = { 0, 99, 100, 101, 5000 };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct buf query = BUF_INIT, want = BUF_INIT, got = BUF_INIT, text = BUF_INIT;
		struct session_info s;
		struct span v = { "", 0 };

		for (size_t k = 0; k < lengths[i]; k++)
			buf_adds(&query, k % 3 ? "漢" : "x");
		for (size_t k = 0; k < lengths[i] && k < 100; k++)
			buf_adds(&want, k % 3 ? "漢" : "x");
		if (lengths[i] > 100)
			buf_adds(&want, "...");
		s = info_of(query.p);
		temp_write(INDEX_FILE, span_str(HEADER));
		index_append(&store, "q", &s, &e);
		temp_read(INDEX_FILE, &text);
		json_scan_find((struct span){ text.p + strlen(HEADER), text.n - strlen(HEADER) },
		               "lastQuery", &v);
		json_scan_add_str(&got, v);
		is_same(buf_span(&got), buf_span(&want), "a query of %zu characters", lengths[i]);
		buf_release(&query);
		buf_release(&want);
		buf_release(&got);
		buf_release(&text);
	}
}

static void test_append_heals(void)
{
	struct session_info s = info_of("q");
	struct err e = ERR_INIT;

	temp_write(INDEX_FILE, span_str(HEADER LINE("a") "{\"id\":\"b\",\"crea"));
	is_int(index_append(&store, "c", &s, &e), 0, "appended behind a torn tail");
	is_list(NULL, "", "c a", "which damages nothing else");
}

/* ---- against a model: many updates, compactions, rebuilding ---- */

#define NAMES 300

struct model {
	char names[NAMES][16];
	int64_t stamp[NAMES]; /* of the last update; 0 when removed or never there */
};

/* The live ones, latest update first. */
static void model_list(const struct model *m, struct buf *out)
{
	bool done[NAMES] = { false };

	buf_clear(out);
	for (;;) {
		int best = -1;

		for (int i = 0; i < NAMES; i++)
			if (m->stamp[i] && !done[i] && (best < 0 || m->stamp[i] > m->stamp[best]))
				best = i;
		if (best < 0)
			return;
		done[best] = true;
		buf_addf(out, "%s%s", out->n ? " " : "", m->names[best]);
	}
}

static void write_history(const char *id, int64_t stamp)
{
	struct session_head h = { .id = span_str(id), .created_at = 1, .provider = span_str("echo"),
		                  .model = span_str("m") };
	struct exchange x = { .id = span_str("u"), .timestamp = stamp, .query = span_str("q"),
		              .answer = span_str("a"), .duration = -1, .usage = USAGE_NONE };
	struct buf b = BUF_INIT;
	char path[64];

	mkdir(id, 0700);
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, id);
	record_add_head(&b, &h);
	record_add_exchange(&b, &x);
	temp_write(path, buf_span(&b));
	buf_release(&b);
}

static void test_against_model(void)
{
	static struct model m;
	uint64_t seed = 11;
	struct buf got = BUF_INIT, want = BUF_INIT;
	struct err e = ERR_INIT;
	int wrong = 0, failed = 0, smaller = 0;
	off_t before = 0, largest = 0;
	struct stat st;

	for (int i = 0; i < NAMES; i++)
		snprintf(m.names[i], sizeof(m.names[i]), "%s%d", i % 2 ? "s" : "a-longer-", i);
	temp_write(INDEX_FILE, span_str(HEADER));
	for (int i = 1; i <= 5000; i++) {
		size_t k = rnd_below(&seed, NAMES);
		struct session_info s = info_of("a query of a usual length, more or less, for a session");

		s.updated_at = i;
		if (rnd_below(&seed, 4)) {
			failed += index_append(&store, m.names[k], &s, &e) < 0;
			m.stamp[k] = i;
		} else {
			failed += index_append_tombstone(&store, m.names[k], i, &e) < 0;
			m.stamp[k] = 0;
		}
		stat(INDEX_FILE, &st);
		smaller += st.st_size < before;
		before = st.st_size;
		largest = st.st_size > largest ? st.st_size : largest;
		if (i % 250 && i < 4990)
			continue;
		list("", &got);
		model_list(&m, &want);
		if ((got.n != want.n || memcmp(got.p, want.p, got.n) != 0) && !wrong++)
			tap_note("after %d updates: '%s' instead of '%s'", i, got.p, want.p);
	}
	is_int(failed, 0, "5000 updates");
	is_int(wrong, 0, "agree with the model");
	ok(smaller > 1, "the file was compacted (%d times)", smaller);
	ok(largest < 400000, "so it stayed small (%ld bytes)", (long)largest);

	for (int i = 0; i < NAMES; i++)
		if (m.stamp[i])
			write_history(m.names[i], m.stamp[i]);
	unlink(INDEX_FILE);
	list("", &got);
	is_same(buf_span(&got), buf_span(&want), "made from the histories, the set and the order stay");
	temp_write(INDEX_FILE, span_str(""));
	list("", &got);
	is_same(buf_span(&got), buf_span(&want), "an empty file is made anew as well");
	unlink(INDEX_FILE);
	mkdir("empty", 0700);
	mkdir("damaged", 0700);
	temp_write("damaged/" HISTORY_FILE, span_str("{}\n"));
	temp_write("a-file", span_str("x"));
	list("", &got);
	is_same(buf_span(&got), buf_span(&want), "what is no session is left out");
	buf_release(&got);
	buf_release(&want);
}

/* A compaction keeps each live line byte for byte. */
static void test_compaction(void)
{
	struct session_info s = info_of("q");
	struct err e = ERR_INIT;
	struct buf text = BUF_INIT, after = BUF_INIT;
	struct stat st;

	buf_adds(&text, HEADER);
	for (int i = 0; i < 1000; i++)
		buf_addf(&text, "{\"id\":\"%s\",\"n\":%d,\"version\":1}\n", i % 2 ? "odd" : "even", i);
	for (int i = 0; i < 1000; i++)
		buf_addf(&text, "{\"id\":\"gone%d\",\"deletedAt\":1,\"version\":1}\n", i);
	while (text.n < 70000)
		buf_adds(&text, "\n{\"other\":1}\n");
	temp_write(INDEX_FILE, buf_span(&text));
	chmod(INDEX_FILE, 0644);
	is_int(index_append(&store, "new", &s, &e), 0, "an append makes a large file small");
	temp_read(INDEX_FILE, &after);
	is_list(NULL, "", "new odd even", "the live set and its order stay");
	ok(strstr(after.p, "\n{\"id\":\"even\",\"n\":998,\"version\":1}\n{\"id\":\"odd\",\"n\":999,"
	          "\"version\":1}\n{\"id\":\"new\",") != NULL, "each line as it was, the newest last");
	ok(!strstr(after.p, "deletedAt") && !strstr(after.p, "other"), "nothing else");
	ok(strncmp(after.p, "{\"live\":3,\"bytes\":", 18) == 0, "with a header");
	stat(INDEX_FILE, &st);
	is_int(st.st_mode & 0777, 0600, "readable by its owner only");
	ok(access(".index.tmp", F_OK) != 0, "no temporary file is left");
	buf_release(&text);
	buf_release(&after);
}

/* More ids than the hash table begins with, so that it grows while it is read. Ids of
 * eight characters are kept in it otherwise than others. */
static void test_many(const char *before, const char *after)
{
	struct buf text = BUF_INIT, got = BUF_INIT;
	struct index_reader r;
	struct err e = ERR_INIT;
	struct span line;
	int n = 0, wrong = 0;

	for (int i = 0; i < 9000; i++)
		buf_addf(&text, "{\"id\":\"%s%04d%s\",\"version\":1}\n", before, i % 3000, after);
	temp_write(INDEX_FILE, buf_span(&text));
	for (int all = 0; all < 2; all++) {
		int fd = open(INDEX_FILE, O_RDONLY);

		is_int(index_open_fd(&r, fd, all, &e), 0, "opened");
		close(fd);
		for (n = 0; index_next(&r, &line); n++) {
			buf_clear(&got);
			buf_addf(&got, "{\"id\":\"%s%04d%s\",\"version\":1}\n", before, 2999 - n, after);
			wrong += line.n != got.n || memcmp(line.p, got.p, got.n) != 0;
		}
		ok(!index_next(&r, &line), "after the end there is nothing more");
		index_close(&r);
		is_int(n, 3000, "3000 sessions '%s…%s', three lines each", before, after);
		is_int(wrong, 0, "in their order");
	}
	buf_release(&text);
	buf_release(&got);
}

static void test_no_store(void)
{
	struct store none = { .dir = "nowhere", .fd = -1 };
	struct index_reader r;
	struct err e = ERR_INIT;
	struct span line;

	is_int(index_open(&r, &none, true, &e), 0, "no store");
	ok(!index_next(&r, &line), "no sessions");
	index_close(&r);
}

int main(void)
{
	struct err e = ERR_INIT;

	temp_enter();
	if (store_open(&store, ".", false, &e) < 0)
		tap_note("%s", e.msg);
	test_reading();
	test_prefix();
	test_damage();
	test_record();
	test_fields();
	test_record_bounds();
	test_format();
	test_info();
	test_long_queries();
	test_append_heals();
	test_against_model();
	test_compaction();
	test_many("", "");
	test_many("abcd", "");
	test_many("", "abcd");
	test_many("abcde", "");
	test_many("", "012345678901234567890123456789012345678901234567890123456789");
	test_no_store();
	store_close(&store);
	return tap_end();
}
