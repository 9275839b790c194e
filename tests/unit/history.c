#include "store/history.h"

#include "base/json-scan.h"
#include "base/json.h"
#include "data.h"
#include "tap.h"
#include "temp.h"

/*
 * A history as a text of one letter a record: "abc" are exchanges; "<a" is a rewind
 * to a, "<-" one to the beginning; "!a" is a damaged exchange a, "~" a line of
 * garbage, "*" a record of an unknown type; "+" a change of model and title; "^" a
 * rewind that is itself damaged (to a); "=a" a summary of all up to a, whose text is its
 * number from 1 on. A head comes first.
 */
static void add_exchange(struct buf *b, char name, bool damaged)
{
	buf_addf(b, "{\"type\":\"exchange\",\"id\":\"%c\",\"timestamp\":%d,\"query\":\"q%c\","
	         "\"answer\":\"a%c\",\"model\":\"m\",\"status\":\"%s\",\"tokenUsage\":{\"inputTokens\":1}%s}\n",
	         name, 1000 + name, name, name, name >= 'x' ? "interrupted" : "complete",
	         damaged ? ",\"error\":7" : "");
}

static void add_records(struct buf *b, const char *story)
{
	int summaries = 0;

	for (const char *p = story; *p; p++) {
		if (*p == '<' && p[1] == '-')
			buf_adds(b, "{\"type\":\"rewind\",\"timestamp\":1,\"to\":null}\n");
		else if (*p == '<')
			buf_addf(b, "{\"type\":\"rewind\",\"timestamp\":1,\"to\":\"%c\"}\n", p[1]);
		else if (*p == '^')
			buf_adds(b, "{\"type\":\"rewind\",\"timestamp\":\"x\",\"to\":\"a\"}\n");
		else if (*p == '!')
			add_exchange(b, p[1], true);
		else if (*p == '~')
			buf_adds(b, "{\"type\":\"exchange\",\"id\":\"a\",\"que\n");
		else if (*p == '*')
			buf_adds(b, "{\"type\":\"new\",\"id\":\"a\"}\n");
		else if (*p == '=')
			buf_addf(b, "{\"type\":\"summary\",\"timestamp\":1500,\"upTo\":\"%c\",\"text\":\"%d\","
			         "\"model\":\"m\",\"tokenUsage\":{\"inputTokens\":100}}\n", p[1], ++summaries);
		else if (*p == '+')
			buf_adds(b, "{\"type\":\"change\",\"timestamp\":1,\"model\":\"m2\",\"title\":\"T2\"}\n");
		else
			add_exchange(b, *p, false);
		p += *p == '<' || *p == '!' || *p == '=';
	}
}

static struct jsonl map_story(const char *story, const char *tail)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct jsonl j;
	int fd;

	buf_adds(&b, "{\"type\":\"session\",\"version\":1,\"id\":\"s\",\"createdAt\":5,\"cwd\":\"/w\","
	         "\"provider\":\"echo\",\"model\":\"m\",\"title\":\"T\"}\n");
	add_records(&b, story);
	buf_adds(&b, tail);
	temp_write("f", buf_span(&b));
	buf_release(&b);
	fd = open("f", O_RDONLY);
	jsonl_map(&j, fd, &e);
	close(fd);
	return j;
}

/* The names of the exchanges of the conversation, by their ids. */
static void names_of(const struct jsonl *j, size_t limit, struct buf *out)
{
	const struct store silent = { .dir = ".", .fd = -1 };
	struct err e = ERR_INIT;
	struct turns t;

	buf_clear(out);
	if (history_turns(&silent, "s", j, limit, &t, &e) < 0)
		buf_adds(out, e.msg);
	for (size_t i = 0; i < t.n; i++) {
		struct span line, id;
		size_t at = t.offsets[i];

		jsonl_next(j, &at, &line);
		if (json_scan_find(line, "id", &id) && id.n == 3)
			buf_addc(out, id.p[1]);
	}
	turns_release(&t);
}

static const struct {
	const char *story, *want; /* the valid exchanges of the conversation */
} stories[] = {
	{ "", "" },
	{ "a", "a" },
	{ "abc", "abc" },
	{ "<-", "" },
	{ "ab<-", "" },
	{ "ab<-c", "c" },
	{ "abc<a", "a" },
	{ "abc<ad", "ad" },
	{ "abc<c", "abc" },
	{ "abc<b<a", "a" },
	{ "abc<ad<d", "ad" },
	{ "abcd<cef<b", "ab" },
	{ "abcd<cef<eg", "abceg" },
	/* into a branch that was taken back: the conversation is what it was there */
	{ "abc<ad<c", "abc" },
	{ "abc<ad<ce", "abce" },
	{ "ab<-cd<b", "ab" },
	{ "ab<-cd<be", "abe" },
	{ "abc<ad<c<d", "ad" },
	{ "ab<-<-c", "c" },
	{ "ab<-<ac", "ac" },
	/* to what is nowhere: passed over */
	{ "abc<z", "abc" },
	{ "abc<zd", "abcd" },
	{ "abc<z<ad", "ad" },
	{ "abc<ad<ze", "ade" },
	{ "<za", "a" },
	{ "<a", "" },
	{ "<ab", "b" },
	{ "abc<d<e<f", "abc" },
	{ "a<zb<-c<yd", "cd" },
	/* damage and strangers in between */
	{ "a!bc", "ac" },
	{ "a~b", "ab" },
	{ "ab*c+", "abc" },
	{ "ab^c", "abc" },
	{ "a!bcd<b", "a" },
	{ "a!bcd<be", "ae" },
	{ "~!a~", "" },
	{ "ab~<ac", "ac" },
	{ "a*b<ac", "ac" },
};

static void test_turns(void)
{
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		const char *want = stories[i].want;
		struct jsonl j = map_story(stories[i].story, "");

		for (size_t limit = 1; limit <= strlen(want) + 1; limit++) {
			size_t skip = limit < strlen(want) ? strlen(want) - limit : 0;

			names_of(&j, limit, &got);
			is_buf(&got, want + skip, "'%s', the last %zu", stories[i].story, limit);
		}
		jsonl_unmap(&j);
	}
	buf_release(&got);
}

static char notices[8][256];
static size_t nnotices;

static void notice(const char *sentence)
{
	if (nnotices < 8)
		snprintf(notices[nnotices], sizeof(notices[0]), "%s", sentence);
	nnotices++;
}

static const struct store store = { .dir = "D", .fd = -1, .notice = notice };

static bool load(struct conversation *c, const char *story, const char *tail)
{
	struct jsonl j = map_story(story, tail);
	struct err e = ERR_INIT;
	bool good;

	nnotices = 0;
	good = conversation_load(c, &store, "s", &j, &e) == 0;
	jsonl_unmap(&j); /* the conversation has its own copies */
	if (!good)
		tap_note("%s", e.msg);
	return good;
}

static void test_conversations(void)
{
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct buf got = BUF_INIT;
		struct conversation c;

		ok(load(&c, stories[i].story, ""), "'%s' is loaded", stories[i].story);
		for (size_t k = 0; k < c.n; k++)
			buf_add(&got, c.turns[k].exchange.id.p, c.turns[k].exchange.id.n);
		is_buf(&got, stories[i].want, "the conversation of '%s'", stories[i].story);
		is_int(c.info.exchange_count, (int64_t)c.n, "all complete");
		buf_release(&got);
		conversation_release(&c);
	}
}

static void test_summary(void)
{
	struct conversation c;

	ok(load(&c, "abx<a+zc", "{\"torn"), "a history of all sorts is loaded");
	is_span(c.head.head.id, "s", "its head");
	is_int((int64_t)c.n, 3, "exchanges of the conversation");
	is_int(c.info.created_at, 5, "created");
	is_int(c.info.updated_at, 1000 + 'z', "last active: the newest exchange's time");
	is_int(c.info.exchange_count, 2, "complete ones of the conversation");
	is_span(c.info.provider, "echo", "provider");
	is_span(c.info.model, "m2", "the model as changed");
	is_span(c.info.title, "T2", "the title as changed");
	is_span(c.info.cwd, "/w", "cwd");
	is_span(c.info.first_query, "qa", "first query");
	is_span(c.info.last_query, "qc", "last query");
	is_int(c.info.usage.input, 5, "usage, also of what was taken back");
	is_int(c.info.usage.output, -1, "unknown usage");
	is_int((int64_t)nnotices, 0, "no notices");
	conversation_release(&c);

	ok(load(&c, "", ""), "one without exchanges");
	is_int(c.info.updated_at, 5, "was last active when it was made");
	ok(!c.info.first_query.p && !c.info.last_query.p, "no queries");
	is_span(c.info.title, "T", "the title of the head");
	is_span(c.info.model, "m", "the model of the head");
	conversation_release(&c);
}

static void test_gists(void)
{
	static const struct {
		const char *story;
		int which;       /* of its summaries is of use; 0: none */
		int64_t covered;
	} cases[] = {
		{ "abc", 0, 0 },
		{ "abc=b", 1, 2 },
		{ "abc=bde", 1, 2 },
		{ "abc=bde=d", 2, 4 },
		{ "abc=c=ad", 2, 1 }, /* the newest, though it covers less */
		/* taken back, to before it and not so far */
		{ "abc=c<a", 0, 0 },
		{ "abc=c<ad", 0, 0 },
		{ "abc=a<a", 1, 1 },
		{ "abc=a=b<ad", 1, 1 },
		{ "abc=b<cd", 1, 2 },
		{ "ab=b<-", 0, 0 },
		{ "ab=b<-c", 0, 0 },
		{ "abc<ad=d", 1, 2 },
		/* and back again */
		{ "abc=c<a<c", 1, 3 },
		{ "abc=c<ad=d<ce", 1, 3 },
		{ "abc=c<ad=d<c<d", 2, 2 },
		/* of what is nowhere, is not yet there, or is damaged */
		{ "ab=z", 0, 0 },
		{ "ab=a=z", 1, 1 },
		{ "ab=cc", 0, 0 },
		{ "=aa", 0, 0 },
		{ "a!b=b", 0, 0 },
		{ "a!bc=c", 1, 2 },
		{ "aba=a", 1, 3 }, /* an id that is there twice: the last before it */
		{ "ab=aa", 1, 1 },
		{ "ab<aa=a", 1, 2 },
		{ "=z", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char which[12] = "";
		struct conversation c;

		snprintf(which, sizeof(which), "%d", cases[i].which);
		ok(load(&c, cases[i].story, ""), "'%s' is loaded", cases[i].story);
		ok(!c.summary.json == !cases[i].which, "'%s': whether there is a summary", cases[i].story);
		if (c.summary.json)
			is_span(c.summary.summary.text, which, "'%s': the one that is of use", cases[i].story);
		is_int((int64_t)c.covered, cases[i].covered, "'%s': so many turns", cases[i].story);
		conversation_release(&c);
	}
}

/* As many summaries as exchanges, and none that is of use but the first. */
static void test_many_gists(void)
{
	enum { MANY = 20000 };
	const struct store silent = { .dir = ".", .fd = -1 };
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct conversation c;
	struct jsonl j;

	buf_adds(&b, "{\"type\":\"session\",\"version\":1,\"id\":\"s\",\"createdAt\":5,"
	         "\"provider\":\"echo\",\"model\":\"m\"}\n");
	for (int i = 0; i < MANY; i++)
		buf_addf(&b, "{\"type\":\"exchange\",\"id\":\"x%d\",\"timestamp\":1,\"query\":\"q\",\"answer\":"
		         "\"a\",\"model\":\"m\",\"status\":\"complete\"}\n", i);
	for (int i = 0; i < MANY; i++)
		buf_addf(&b, "{\"type\":\"summary\",\"timestamp\":1,\"upTo\":\"%c%d\",\"text\":\"t\",\"model\":\"m\"}\n",
		         i ? 'y' : 'x', i);
	j = (struct jsonl){ b.p, b.n, b.n };
	ok(conversation_load(&c, &silent, "s", &j, &e) == 0, "%d summaries are loaded", MANY);
	is_int((int64_t)c.n, MANY, "all exchanges");
	is_int((int64_t)c.covered, 1, "the first summary is of use, of the first exchange");
	conversation_release(&c);
	buf_release(&b);
}

static void test_take_gist(void)
{
	struct err e = ERR_INIT;
	struct conversation c;
	struct record r;

	ok(load(&c, "abc=b", ""), "a conversation with a summary");
	is_int(c.info.updated_at, 1500, "making it was an activity");
	is_int(c.info.usage.input, 103, "and used tokens");
	ok(record_parse(span_str("{\"type\":\"summary\",\"timestamp\":1600,\"upTo\":\"c\",\"text\":\"new\","
	                         "\"model\":\"m\",\"tokenUsage\":{\"inputTokens\":7}}"), &r, &e) == 0,
	   "another");
	conversation_take_summary(&c, &r);
	is_span(c.summary.summary.text, "new", "takes its place");
	is_int((int64_t)c.covered, 3, "and stands for more");
	info_count_summary(&c.info, &c.summary.summary, 999);
	is_int(c.info.updated_at, 1600, "counted: the time");
	is_int(c.info.usage.input, 110, "the tokens");
	is_int(c.info.history_bytes, 999, "the size");
	is_int(c.info.exchange_count, 3, "but it is no exchange");
	conversation_release(&c);
}

static void test_notices(void)
{
	struct conversation c;

	ok(load(&c, "a~b!c", ""), "a damaged history is loaded");
	is_int((int64_t)nnotices, 2, "one notice for each damaged line");
	ok(strncmp(notices[0], "D/s/history.jsonl:3: skipped a damaged record: ", 47) == 0,
	   "with file and line: %s", notices[0]);
	is_str(notices[1], "D/s/history.jsonl:5: skipped a damaged record: 'error' must be a string",
	       "and reason");
	conversation_release(&c);
}

static void test_no_head(void)
{
	struct conversation c;
	struct err e = ERR_INIT;
	struct jsonl j;
	struct buf b = BUF_INIT;
	int fd;

	add_records(&b, "ab");
	temp_write("f", buf_span(&b));
	fd = open("f", O_RDONLY);
	jsonl_map(&j, fd, &e);
	is_int(conversation_load(&c, &store, "s", &j, &e), -1, "without a head it is no session");
	is_err(&e, ERR_DAMAGED, "D/s/history.jsonl has no valid session record", "says so");
	conversation_release(&c);
	jsonl_unmap(&j);
	close(fd);
	buf_release(&b);
}

static void test_record(void)
{
	struct jsonl j = map_story("a!b", "");
	struct err e = ERR_INIT;
	struct record r;
	struct turns t;

	history_turns(NULL, "s", &j, 0, &t, &e);
	is_int((int64_t)t.n, 2, "without a limit damaged exchanges are left to the caller");
	nnotices = 0;
	ok(history_record(&store, "s", &j, t.offsets[0], &r), "a record by its place");
	is_span(r.exchange.query, "qa", "its query");
	record_release(&r);
	is_int((int64_t)nnotices, 0, "no notice");
	ok(t.n > 1 && !history_record(&store, "s", &j, t.offsets[1], &r), "a damaged one");
	is_int((int64_t)nnotices, 1, "one notice");
	turns_release(&t);
	jsonl_unmap(&j);
}

static void test_add(void)
{
	struct exchange x = { .id = span_str("n"), .timestamp = 9, .query = span_str("new\n\x01"),
		              .answer = span_str("é"), .model = span_str("m"), .duration = -1,
		              .usage = USAGE_NONE };
	struct conversation c = CONVERSATION_INIT;
	struct err e = ERR_INIT;

	for (int i = 0; i < 100; i++)
		if (conversation_add(&c, &x, &e) < 0)
			tap_note("%s", e.msg);
	is_int((int64_t)c.n, 100, "added to an empty conversation");
	is_span(c.turns[99].exchange.query, "new\n\x01", "a copy");
	ok(c.turns[99].exchange.query.p != x.query.p, "of its own");
	x.query = span_str("\xff");
	is_int(conversation_add(&c, &x, &e), -1, "what is not UTF-8 is refused");
	is_int((int64_t)c.n, 100, "and not added");
	conversation_release(&c);
}

static void test_map(void)
{
	struct store s = { .dir = ".", .fd = open(".", O_RDONLY | O_DIRECTORY), .notice = NULL };
	struct err e = ERR_INIT;
	struct jsonl j;

	is_int(history_map(&s, "none", &j, &e), -1, "no such session");
	is_err(&e, ERR_NOT_FOUND, "no session 'none'", "says so");
	mkdir("s", 0700);
	err_clear(&e);
	is_int(history_map(&s, "s", &j, &e), -1, "a folder without a history");
	is_int(e.kind, ERR_NOT_FOUND, "is no session");
	temp_write("s/history.jsonl", span_str("{}\n"));
	err_clear(&e);
	is_int(history_map(&s, "s", &j, &e), 0, "one with it is");
	is_int((int64_t)j.n, 3, "mapped");
	jsonl_unmap(&j);
	unlink("s/history.jsonl");
	if (symlink("../f", "s/history.jsonl") == 0)
		is_int(history_map(&s, "s", &j, &e), -1, "a link is not followed");
	close(s.fd);
	err_clear(&e);
	is_int(history_map(&store, "s", &j, &e), -1, "no store");
	is_int(e.kind, ERR_NOT_FOUND, "no session");
}

/* The plain way: forwards, remembering the conversation at each exchange. */
static void model_turns(const char *story, char *out)
{
	char at[128][64];
	char now[64] = "";
	bool known[128] = { false };

	for (const char *p = story; *p; p++) {
		size_t n = strlen(now);

		if (*p != '<') {
			now[n] = *p;
			now[n + 1] = '\0';
			memcpy(at[(int)*p], now, sizeof(now));
			known[(int)*p] = true;
		} else if (*++p == '-') {
			now[0] = '\0';
		} else if (known[(int)*p]) {
			memcpy(now, at[(int)*p], sizeof(now));
		}
	}
	memcpy(out, now, sizeof(now));
}

static void test_random_stories(void)
{
	uint64_t seed = 9;
	struct buf got = BUF_INIT;
	int bad = 0;

	for (int i = 0; i < 500; i++) {
		char story[80] = "", want[64];
		size_t n = 0, limit;
		char next = 'a';
		struct jsonl j;

		for (size_t k = 4 + rnd_below(&seed, 20); k; k--) {
			size_t what = rnd_below(&seed, 10);

			if (what < 6) {
				story[n++] = next++;
				continue;
			}
			story[n++] = '<';
			story[n++] = what == 6 ? '-' : what == 7 ? 'z' : (char)('a' + rnd_below(&seed, 24));
		}
		j = map_story(story, "");
		model_turns(story, want);
		limit = rnd_below(&seed, 5);
		names_of(&j, limit, &got);
		if (limit && limit < strlen(want))
			memmove(want, want + strlen(want) - limit, limit + 1);
		if (strcmp(got.p, want) != 0 && !bad++)
			tap_note("'%s', the last %zu: '%s' instead of '%s'", story, limit, got.p, want);
		jsonl_unmap(&j);
	}
	is_int(bad, 0, "500 random stories, read backwards, are as told forwards");
	buf_release(&got);
}

/* ---- what a rewind will make of it ---- */

static void add_conversation(struct buf *b, const struct conversation *c)
{
	const struct session_info *s = &c->info;

	for (size_t i = 0; i < c->n; i++)
		buf_add(b, c->turns[i].exchange.id.p, c->turns[i].exchange.id.n);
	buf_addf(b, " gist %s of %zu; %lld complete, %.*s to %.*s; tokens %lld; active %lld",
	         c->summary.json ? c->summary.summary.text.p : "none", c->covered, (long long)s->exchange_count,
	         (int)s->first_query.n, s->first_query.p ? s->first_query.p : "",
	         (int)s->last_query.n, s->last_query.p ? s->last_query.p : "",
	         (long long)s->usage.input, (long long)s->updated_at);
}

/* Loaded without its last exchange, a story is as with a rewind at its end. */
static bool same_as_rewound(const char *story)
{
	struct buf before = BUF_INIT, after = BUF_INIT, rewound = BUF_INIT;
	struct err e = ERR_INIT;
	struct conversation c;
	struct record old;
	struct jsonl j;
	bool same;

	if (!load(&c, story, "") || !c.n) {
		conversation_release(&c);
		return true;
	}
	buf_addf(&rewound, "%s<%c", story, c.n > 1 ? *c.turns[c.n - 2].exchange.id.p : '-');
	j = map_story(story, "");
	if (conversation_load_before(&(struct conversation){ .n = 0 }, &store, "s", &j, span_str("?"), &old,
	                             &e) == 0)
		tap_note("'%s': its last exchange is not '?'", story);
	err_clear(&e);
	{
		struct conversation b;

		if (conversation_load_before(&b, &store, "s", &j, c.turns[c.n - 1].exchange.id, &old, &e) < 0) {
			tap_note("'%s': %s", story, e.msg);
		} else {
			add_conversation(&before, &b);
			buf_add(&before, old.exchange.id.p, old.exchange.id.n);
			conversation_release(&b);
			record_release(&old);
		}
	}
	buf_add(&after, c.turns[c.n - 1].exchange.id.p, c.turns[c.n - 1].exchange.id.n);
	conversation_release(&c);
	jsonl_unmap(&j);
	if (load(&c, rewound.p, "")) {
		struct buf b = BUF_INIT;

		add_conversation(&b, &c);
		buf_add(&b, after.p, after.n);
		buf_clear(&after);
		buf_add(&after, b.p, b.n);
		buf_release(&b);
		conversation_release(&c);
	}
	same = span_same(buf_span(&before), buf_span(&after));
	if (!same)
		tap_note("'%s': '%s', and with the rewind '%s'", story, before.p, after.p);
	buf_release(&before);
	buf_release(&after);
	buf_release(&rewound);
	return same;
}

static void test_before(void)
{
	static const char *const more[] = {
		"abc=c", "abc=b=c", "abc=c=b", "ab=ac=c<ad=d", "abc=c<ad", "ab=b!c", "a!b!c", "x", "axy=x", "a=a",
	};
	uint64_t seed = 17;
	int wrong = 0;

	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		wrong += !same_as_rewound(stories[i].story);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		wrong += !same_as_rewound(more[i]);
	for (int i = 0; i < 300; i++) {
		char story[80] = "", next = 'a';
		size_t n = 0;

		for (size_t k = 2 + rnd_below(&seed, 16); k; k--) {
			size_t what = rnd_below(&seed, 10);

			if (what >= 6)
				story[n++] = what < 8 ? '<' : '=';
			story[n++] = what < 6 ? next++ : (char)('a' + rnd_below(&seed, 12));
		}
		wrong += !same_as_rewound(story);
	}
	is_int(wrong, 0, "without its last exchange, a conversation is as with a rewind");
}

static void test_cut(void)
{
	struct buf whole = BUF_INIT, again = BUF_INIT;
	struct conversation c;
	struct cut cut;

	ok(load(&c, "abc=c", ""), "a conversation with a summary of all of it");
	add_conversation(&whole, &c);
	conversation_cut(&c, &cut);
	is_int((int64_t)c.n, 2, "cut");
	ok(!c.summary.json && !c.covered, "the summary goes as well");
	is_span(cut.turn.exchange.id, "c", "what was cut off");
	conversation_mend(&c, &cut);
	add_conversation(&again, &c);
	is_buf(&again, whole.p, "mended");
	cut_release(&cut);
	conversation_cut(&c, &cut);
	cut_release(&cut);
	conversation_cut(&c, &cut);
	conversation_mend(&c, &cut);
	is_int((int64_t)c.n, 2, "cut for good");
	conversation_release(&c);
	ok(load(&c, "abc=b", ""), "a summary of a part");
	conversation_cut(&c, &cut);
	ok(c.summary.json && c.covered == 2, "stays");
	cut_release(&cut);
	conversation_release(&c);
	buf_release(&whole);
	buf_release(&again);
}

static void test_titled(void)
{
	static const struct {
		const char *records;
		bool titled;
		const char *title;
	} cases[] = {
		{ "", false, "" },
		{ "{\"type\":\"change\",\"timestamp\":1,\"model\":\"n\"}\n", false, "" },
		{ "{\"type\":\"change\",\"timestamp\":1,\"title\":\"T\"}\n", true, "T" },
		{ "{\"type\":\"change\",\"timestamp\":1,\"title\":\"T\"}\n"
		  "{\"type\":\"change\",\"timestamp\":2,\"title\":\"\"}\n", true, "" },
		{ "{\"type\":\"change\",\"timestamp\":1,\"title\":\"\",\"tokenUsage\":{\"inputTokens\":9}}\n",
		  true, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conversation c;
		struct err e = ERR_INIT;
		struct buf b = BUF_INIT;
		struct jsonl j;

		buf_addf(&b, "{\"type\":\"session\",\"version\":1,\"id\":\"s\",\"createdAt\":5,"
		         "\"provider\":\"echo\",\"model\":\"m\"}\n%s", cases[i].records);
		j = (struct jsonl){ b.p, b.n, b.n };
		is_int(conversation_load(&c, &store, "s", &j, &e), 0, "changes %zu are loaded", i);
		is_int(c.titled, cases[i].titled, "whether it ever had a title");
		is_buf(&c.title, cases[i].title, "its title");
		ok(!c.info.title.p == !*cases[i].title, "an empty one is none");
		is_int(c.info.usage.input, i == 4 ? 9 : -1, "what finding it cost");
		is_int(c.info.updated_at, 5, "a change is no activity");
		conversation_release(&c);
		buf_release(&b);
	}
}

int main(void)
{
	temp_enter();
	test_before();
	test_cut();
	test_titled();
	test_turns();
	test_conversations();
	test_summary();
	test_gists();
	test_many_gists();
	test_take_gist();
	test_notices();
	test_no_head();
	test_record();
	test_add();
	test_map();
	test_random_stories();
	return tap_end();
}
