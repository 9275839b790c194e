#include "store/history.h"

#include <json-c/linkhash.h>

#include "base/clock.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "data.h"
#include "tap.h"
#include "temp.h"

/*
 * A history as a text of one letter a record: "abc" are exchanges, which do not say what they
 * follow; "b:a" is one with the parent a, "b:-" one without any; "b%a" a retry of a; "b@2" one with
 * two steps. "<a" is a rewind to a, "<-" one to the beginning; "<a,c" one that leaves c; ">a" one
 * that a merge wrote. "Sa0" is step 0 of a, with the calls c and d, and "Ra0c" the result of one of
 * these; their texts are numbers from 1 on. "=a" is a summary of all up to a, whose text is its
 * number from 1 on. "!a" is a damaged exchange a, "~" a line of garbage, "*" a record of an unknown
 * type; "+" a change of the title; "^" a rewind that is itself damaged (to a). A head comes first.
 * Blanks only separate.
 */
#define HEAD "{\"type\":\"session\",\"version\":1,\"id\":\"s\",\"createdAt\":5,\"cwd\":\"/w\"," \
	"\"provider\":\"echo\",\"model\":\"m\",\"title\":\"T\"}\n"

static const char *add_id(struct buf *b, const char *key, const char *p)
{
	if (*p == '-')
		buf_addf(b, ",\"%s\":null", key);
	else
		buf_addf(b, ",\"%s\":\"%c\"", key, *p);
	return p;
}

/* Returns where its last letter is. */
static const char *add_exchange(struct buf *b, const char *p, bool damaged)
{
	char name = *p;

	buf_addf(b, "{\"type\":\"exchange\",\"id\":\"%c\"", name);
	for (; p[1] && strchr(":%@", p[1]); p += 2) {
		if (p[1] == '@')
			buf_addf(b, ",\"steps\":%c", p[2]);
		else
			add_id(b, p[1] == ':' ? "parent" : "replaces", p + 2);
	}
	buf_addf(b, ",\"timestamp\":%d,\"query\":\"q%c\",\"answer\":\"a%c\",\"model\":\"m%c\",\"status\":\"%s\","
	         "\"tokenUsage\":{\"inputTokens\":1}%s}\n", 1000 + name, name, name, name,
	         name >= 'x' ? "interrupted" : "complete", damaged ? ",\"error\":7" : "");
	return p;
}

static const char *add_rewind(struct buf *b, const char *p)
{
	buf_adds(b, "{\"type\":\"rewind\",\"timestamp\":1");
	if (*p == '>')
		buf_adds(b, ",\"merged\":true");
	p = add_id(b, "to", p + 1);
	if (p[1] == ',')
		p = add_id(b, "from", p + 2);
	buf_adds(b, "}\n");
	return p;
}

static void add_records(struct buf *b, const char *story)
{
	int summaries = 0, texts = 0;

	for (const char *p = story; *p; p++) {
		if (*p == '<' || *p == '>') {
			p = add_rewind(b, p);
		} else if (*p == '^') {
			buf_adds(b, "{\"type\":\"rewind\",\"timestamp\":\"x\",\"to\":\"a\"}\n");
		} else if (*p == '!') {
			p = add_exchange(b, p + 1, true);
		} else if (*p == '~') {
			buf_adds(b, "{\"type\":\"exchange\",\"id\":\"a\",\"que\n");
		} else if (*p == '*') {
			buf_adds(b, "{\"type\":\"new\",\"id\":\"a\"}\n");
		} else if (*p == '=') {
			buf_addf(b, "{\"type\":\"summary\",\"timestamp\":1500,\"upTo\":\"%c\",\"text\":\"%d\","
			         "\"model\":\"m\",\"tokenUsage\":{\"inputTokens\":100}}\n", *++p, ++summaries);
		} else if (*p == '+') {
			buf_adds(b, "{\"type\":\"change\",\"timestamp\":1,\"title\":\"T2\"}\n");
		} else if (*p == 'S') {
			buf_addf(b, "{\"type\":\"step\",\"exchange\":\"%c\",\"n\":%c,\"timestamp\":1,\"text\":\"%d\","
			         "\"calls\":[{\"id\":\"c\",\"name\":\"f\",\"arguments\":{}},{\"id\":\"d\",\"name\":\"f\","
			         "\"arguments\":{}}],\"model\":\"m\",\"tokenUsage\":{\"inputTokens\":1000}}\n", p[1], p[2],
			         ++texts);
			p += 2;
		} else if (*p == 'R') {
			buf_addf(b, "{\"type\":\"result\",\"exchange\":\"%c\",\"n\":%c,\"call\":\"%c\",\"timestamp\":1,"
			         "\"status\":\"ok\",\"output\":\"%d\"}\n", p[1], p[2], p[3], ++texts);
			p += 3;
		} else if (*p != ' ') {
			p = add_exchange(b, p, false);
		}
	}
}

/* A history in memory. */
static struct jsonl history_of(struct buf *b, const char *story, const char *tail)
{
	buf_clear(b);
	buf_adds(b, HEAD);
	add_records(b, story);
	buf_adds(b, tail);
	return (struct jsonl){ b->p, b->n, b->n };
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
static const struct store silent = { .dir = ".", .fd = -1 };

static bool load_text(struct conversation *c, const char *text, size_t n)
{
	struct jsonl j = { text, n, n };
	struct err e = ERR_INIT;

	nnotices = 0;
	*c = (struct conversation)CONVERSATION_INIT;
	if (history_load(c, &store, "s", &j, &e) == 0)
		return true;
	tap_note("%s", e.msg);
	return false;
}

static bool load(struct conversation *c, const char *story)
{
	struct buf b = BUF_INIT;
	bool good;

	history_of(&b, story, "");
	good = load_text(c, b.p, b.n);
	buf_release(&b); /* the conversation has its own copies */
	return good;
}

/* With these records behind the head. */
static bool load_records(struct conversation *c, const char *records)
{
	struct buf b = BUF_INIT;
	bool good;

	buf_addf(&b, HEAD "%s", records);
	good = load_text(c, b.p, b.n);
	buf_release(&b);
	return good;
}

/* ---- the path ---- */

/* The names of the path's exchanges from number `from` on. */
static void add_path(struct buf *b, const struct conversation *c, size_t from)
{
	for (size_t i = from; i < c->n; i++)
		buf_add(b, c->path[i]->id.p, c->path[i]->id.n);
}

static const struct {
	const char *story, *want; /* the exchanges of the conversation */
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
	{ "abc>a", "a" },
	{ "abc>ad>c", "abc" },
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
	{ "ab<-<z", "" },
	{ "ab<-<zc", "c" },
	/* to what comes later: it is in the file */
	{ "ab<d<ac d:b", "abd" },
	{ "ab<dc d:b <c", "abdc" },
	{ "ab<z<dc d:a <c", "adc" },
	{ "ab<d", "ab" },
	/* damage and strangers in between */
	{ "a!bc", "ac" },
	{ "a~b", "ab" },
	{ "ab*c+", "abc" },
	{ "ab^c", "abc" },
	{ "a!bcd<b", "acd" }, /* what is damaged is not in the file */
	{ "a!bcd<be", "acde" },
	{ "a!bc:b", "c" },
	{ "ab!b:-", "ab" },
	{ "~!a~", "" },
	{ "ab~<ac", "ac" },
	{ "a*b<ac", "ac" },
	/* parents */
	{ "a:-b:ac:b", "abc" },
	{ "a:-b:ac:a", "ac" },
	{ "a:-b:ac:a%b", "ac" },
	{ "a:-b:-", "b" },
	{ "a:-b:ac:-d:c<b", "ab" },
	{ "ab:-cd:b", "bd" },     /* and with others that have none */
	{ "a:-b<ac d:b", "abd" },
	{ "abc:ad<-e", "e" },
	{ "abc<-d:c", "abcd" },   /* whatever a rewind says */
	{ "abc<ad:b%c", "abd" },
	{ "ab%a", "ab" },
	/* parents that are nowhere, or come later */
	{ "b:a", "b" },
	{ "b:ac", "bc" },
	{ "a b:z c:b", "bc" },
	{ "c:b b:a a", "ba" },    /* which says nothing itself, and so follows b */
	{ "c:b b:a a:-", "a" },
	{ "c:b b:a a:- <c", "abc" },
	{ "b:a a:- c:b", "abc" },
	{ "c:b a:- b:a <c", "abc" },
	/* in a circle */
	{ "a:a", "a" },
	{ "a:ab", "ab" },
	{ "a:bb:a", "ab" },
	{ "a:cb:ac:b", "abc" },
	{ "a:cb:ac:b<a", "bca" },
	{ "a:bb:ac:a", "bac" },
	{ "aba", "ba" },          /* each follows the other */
	/* the last line of an exchange counts */
	{ "aba:-", "a" },
	{ "abcb:a", "ab" },
	{ "abcb:a>c", "abc" },
	{ "a b:a c:b d:- b:d >c", "dbc" },
	{ "a b:a c:b b:- >c", "bc" },
	{ "a:- b:a a:- >b", "ab" },
	{ "a:- b:a b", "b" },     /* now it follows what stands before it: itself */
};
#define NSTORIES (sizeof(stories) / sizeof(stories[0]))

static void test_paths(void)
{
	for (size_t i = 0; i < NSTORIES; i++) {
		struct buf got = BUF_INIT;
		struct conversation c;
		int wrong = 0;

		ok(load(&c, stories[i].story), "'%s' is loaded", stories[i].story);
		add_path(&got, &c, 0);
		is_buf(&got, stories[i].want, "the conversation of '%s'", stories[i].story);
		is_int(c.info.exchange_count, (int64_t)c.n, "all complete");
		for (size_t k = 0; k < c.n; k++)
			wrong += c.path[k]->place != k || conversation_find(&c, conversation_exchange(&c, k)->id) != c.path[k];
		is_int(wrong, 0, "each is found by its id, and knows its place");
		ok(conversation_last(&c) == (c.n ? conversation_exchange(&c, c.n - 1) : NULL), "the last one");
		is_span(c.info.root, ((char[]){ stories[i].want[0], '\0' }), "the root");
		buf_release(&got);
		conversation_release(&c);
	}
}

static void test_branches(void)
{
	static const struct {
		const char *story;
		int64_t want;
	} cases[] = {
		{ "", 0 },
		{ "abc", 0 },
		{ "a:-b:ac:a", 1 },
		{ "a:-b:ac:a%b", 0 },          /* a retry */
		{ "a:-b:ac:a%bd:a%c", 0 },
		{ "a:-b:ac:a%bd:a", 1 },
		{ "a:-b:ac:bd:a", 1 },         /* one branch of two */
		{ "a:-b:ac:bd:be:a", 2 },      /* two that begin with one */
		{ "a:-b:ac:bd:be:a%d", 1 },
		{ "a:-b:ac:bd:a%b", 1 },       /* what follows the one that was replaced is a branch */
		{ "a:-b:ac:bd:a%c", 0 },       /* what it follows is reached by it */
		{ "abc<a", 1 },                /* a rewind that does not say what it leaves */
		{ "abc<a,c", 0 },
		{ "abc<a,cd", 0 },
		{ "abc<a,b", 1 },
		{ "abc<-,c", 0 },
		{ "abc<-", 1 },
		{ "abc<a,cd<c,d", 0 },
		{ "abc<a,cd>c", 1 },           /* a merge leaves a branch */
		{ "ab<z,bc:a", 1 },            /* to nowhere: it left nothing */
		{ "ab<-,bc:a", 0 },
		{ "ab<z,b", 0 },
		{ "a:-b:-c:-", 2 },
		{ "a:-b:bc:a", 1 },            /* one that follows itself */
		{ "a:- b:a b:a c:a", 1 },      /* a line that is there twice */
		{ "a:- b:a c:a%b c:a", 1 },    /* the last line counts: it is no retry */
		{ "a:- b:a c:z <b", 1 },
		{ "a:- Sb0Rb0c", 0 },          /* steps alone are no exchange */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conversation c;

		if (load(&c, cases[i].story))
			is_int(c.info.branches, cases[i].want, "branches of '%s'", cases[i].story);
		conversation_release(&c);
	}
}

static void test_circles(void)
{
	static const struct {
		const char *story, *want; /* those whose parents lead back to themselves */
	} cases[] = {
		{ "abc", "" }, { "a:a", "a" }, { "a:bb:a", "ab" }, { "a:bb:ac:bd:c", "ab" }, { "a:b b:z", "" },
		{ "a:cb:ac:bd:-e:e", "abce" }, { "aba", "ab" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf got = BUF_INIT;
		struct conversation c;

		load(&c, cases[i].story);
		conversation_find_circles(&c);
		for (char name = 'a'; name <= 'e'; name++) {
			const struct exchange_node *x = conversation_find(&c, (struct span){ &name, 1 });

			if (x && x->circular)
				buf_addc(&got, name);
		}
		is_buf(&got, cases[i].want, "circles in '%s'", cases[i].story);
		buf_release(&got);
		conversation_release(&c);
	}
}

/* ---- steps ---- */

/* "a[0:1(c2 d3)]": step 0 of a has the text 1, and call c the output 2. */
static void add_steps(struct buf *b, const struct conversation *c, size_t from)
{
	for (size_t i = from; i < c->n; i++) {
		const struct exchange_node *x = c->path[i];

		buf_add(b, x->id.p, x->id.n);
		for (size_t k = 0; k < x->nsteps; k++) {
			const struct step_node *s = &x->steps[k];

			buf_addf(b, "%s%lld:%s", k ? " " : "[", (long long)s->n,
			         s->at != NOT_STORED ? s->record.step.text.p : "-");
			for (size_t m = 0; m < s->nresults; m++)
				buf_addf(b, "%s%s%s%s", m ? " " : "(", s->results[m].call.p,
				         s->results[m].record.json ? s->results[m].record.result.output.p : "",
				         m + 1 == s->nresults ? ")" : "");
			buf_adds(b, k + 1 == x->nsteps ? "]" : "");
		}
	}
}

static void test_steps(void)
{
	static const struct {
		const char *story, *want;
		int64_t calls;
	} cases[] = {
		{ "Sa0Ra0cRa0d a@1", "a[0:1(c2 d3)]", 2 },
		{ "Sa0Ra0c a@1 b", "a[0:1(c2)]b", 2 },       /* a call without a result */
		{ "a@1 Sa0Ra0c", "a[0:1(c2)]", 2 },          /* after their exchange */
		{ "a b Sa0 c Ra0c", "a[0:1(c2)]bc", 2 },
		{ "Ra0cSa0 a@1", "a[0:2(c1)]", 2 },          /* before its step */
		{ "Sa1Sa0 a@2", "a[0:2 1:1]", 4 },           /* in another order */
		{ "Sa0Ra0cSa1Ra1c a@2", "a[0:1(c2) 1:3(c4)]", 4 }, /* an id that both steps have */
		{ "Sa0Ra0cSa0Ra0c a@1", "a[0:3(c4)]", 2 },   /* the last line counts */
		{ "Sa0Ra0c a@1 Sa0", "a[0:3(c2)]", 2 },
		{ "Sz0Rz0c a", "a", 0 },                     /* of no exchange */
		{ "a Ra3c", "a[3:-(c1)]", 0 },               /* of no step */
		{ "a Ra0xSa0", "a[0:2(x1)]", 2 },            /* of no call */
		{ "Sa0 a@1 b a:-@1 <b", "a[0:1]b", 2 },      /* of an exchange that is there twice */
		{ "a Sb0 b@1 <a", "a", 0 },                  /* off the path */
		{ "a Sb0 b@1 <a c <b", "ab[0:1]", 2 },
		{ "Sa0 !a b", "b", 0 },                      /* of a damaged one */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf got = BUF_INIT;
		struct conversation c;
		const struct exchange_node *a;

		load(&c, cases[i].story);
		add_steps(&got, &c, 0);
		is_buf(&got, cases[i].want, "steps of '%s'", cases[i].story);
		is_int(c.info.tool_calls, cases[i].calls, "calls on the path");
		a = conversation_find_any(&c, span_str("a"));
		for (size_t k = 0; a && k < a->nsteps; k++)
			ok(conversation_find_step(a, a->steps[k].n) == &a->steps[k], "a step is found by its number");
		ok(!a || !conversation_find_step(a, 7), "but none that is not there");
		buf_release(&got);
		conversation_release(&c);
	}
	{
		struct conversation c;
		const struct exchange_node *z;

		load(&c, "a Sz0");
		z = conversation_find_any(&c, span_str("z"));
		ok(!conversation_find(&c, span_str("z")) && z && z->at == NOT_STORED && z->nsteps == 1,
		   "an exchange that only its steps name is found, and is not stored");
		conversation_release(&c);
	}
}

/* One exchange with `n` steps, the last one first; between their numbers are gaps of `gap`. */
static struct jsonl descending_steps(struct buf *b, int64_t n, int64_t gap)
{
	buf_clear(b);
	buf_adds(b, HEAD);
	for (int64_t i = n; i--;)
		buf_addf(b, "{\"type\":\"step\",\"exchange\":\"x\",\"n\":%lld,\"timestamp\":1,\"text\":\"t%lld\","
		         "\"calls\":[],\"model\":\"m\"}\n", (long long)(i * gap), (long long)i);
	buf_addf(b, "{\"type\":\"exchange\",\"id\":\"x\",\"steps\":%lld,\"timestamp\":1,\"query\":\"q\","
	         "\"answer\":\"a\",\"model\":\"m\",\"status\":\"complete\"}\n", (long long)n);
	return (struct jsonl){ b->p, b->n, b->n };
}

/* Ten times as many steps in descending order take about ten times as long, whatever their numbers. */
static void test_descending_steps(void)
{
	const struct history_want newest = { .last = 1 };
	const int64_t gaps[] = { 1, INT64_C(1) << 32 };

	for (size_t k = 0; k < 4; k++) {
		int64_t took[2] = { 0, 0 }, gap = gaps[k / 2];
		struct buf b = BUF_INIT;

		for (int big = 0; big < 2; big++) {
			struct conversation c = CONVERSATION_INIT;
			int64_t n = big ? 30000 : 3000, right = 0;
			struct jsonl j = descending_steps(&b, n, gap);
			struct err e = ERR_INIT;
			bool whole;
			int r;

			took[big] = clock_steady_ms();
			r = k % 2 ? history_load_newest(&c, &store, "s", &j, &newest, &whole, &e)
			          : history_load(&c, &store, "s", &j, &e);
			took[big] = clock_steady_ms() - took[big];
			ok(r == 0 && c.n == 1 && (int64_t)c.path[0]->nsteps == n, "%lld steps", (long long)n);
			for (int64_t i = 0; i < n; i++) {
				const struct step_node *s = &c.path[0]->steps[i];

				right += s->n == i * gap && conversation_find_step(c.path[0], s->n) == s &&
				         strtoll(s->record.step.text.p + 1, NULL, 10) == i;
			}
			is_int(right, n, "in the order of their numbers");
			conversation_release(&c);
		}
		ok(took[1] < 30 * (took[0] + 5), "%lld ms and then %lld", (long long)took[0], (long long)took[1]);
		buf_release(&b);
	}
}

/* What was sorted may come out of order again. */
static void test_steps_again(void)
{
	struct conversation c;
	struct buf line = BUF_INIT, got = BUF_INIT;
	struct err e = ERR_INIT;

	load(&c, "Sa1Sa0 a@3");
	add_records(&line, "Sa3Ra3c");
	for (char *at = line.p, *end; *at; at = end) {
		struct buf one = BUF_INIT;

		end = strchr(at, '\n') + 1;
		buf_add(&one, at, (size_t)(end - at));
		is_int(conversation_apply_text(&c, &one, &e), 0, "applied");
		buf_release(&one);
	}
	buf_clear(&line);
	add_records(&line, "Sa2");
	is_int(conversation_apply_text(&c, &line, &e), 0, "applied");
	ok(conversation_find_step(c.path[0], 3) && conversation_find_step(c.path[0], 2) &&
	   conversation_find_step(c.path[0], 0) && !conversation_find_step(c.path[0], 4),
	   "each is found before they are sorted again");
	is_int(conversation_settle(&c, &e), 0, "settled");
	add_steps(&got, &c, 0);
	is_buf(&got, "a[0:2 1:1 2:1 3:1(c2)]", "steps");
	conversation_release(&c);
	buf_release(&line);
	buf_release(&got);
}

/* ---- what the records come to ---- */

static void test_info(void)
{
	struct conversation c;
	struct buf b = BUF_INIT;

	history_of(&b, "abx<a+zc", "");
	ok(load_text(&c, b.p, b.n), "a history of all sorts is loaded");
	is_span(c.head.head.id, "s", "its head");
	is_int((int64_t)c.head_at, 0, "where it stands");
	is_int((int64_t)c.n, 3, "exchanges of the conversation");
	is_int(c.info.created_at, 5, "created");
	is_int(c.info.updated_at, 1000 + 'z', "last active: the latest time");
	is_int(c.info.exchange_count, 2, "complete ones of the conversation");
	is_span(c.info.provider, "echo", "provider");
	is_span(c.info.model, "mc", "the model of the last one");
	is_span(c.info.title, "T2", "the title as changed");
	is_span(c.info.cwd, "/w", "cwd");
	is_span(c.info.first_query, "qa", "first query");
	is_span(c.info.last_query, "qc", "last query");
	is_int(c.info.usage.input, 5, "usage, also of what was taken back");
	is_int(c.info.usage.output, -1, "unknown usage");
	is_int(c.info.history_bytes, (int64_t)b.n, "the size");
	is_int((int64_t)c.bytes, (int64_t)b.n, "all of it was applied");
	is_int((int64_t)nnotices, 0, "no notices");
	conversation_release(&c);
	buf_release(&b);

	ok(load(&c, ""), "one without exchanges");
	is_int(c.info.updated_at, 5, "was last active when it was made");
	ok(!c.info.first_query.p && !c.info.last_query.p && !c.info.root.p, "no queries, no root");
	is_span(c.info.title, "T", "the title of the head");
	is_span(c.info.model, "m", "the model of the head");
	ok(!c.info.ntags && !c.metadata && !conversation_last(&c), "no tags, no metadata, no last exchange");
	conversation_release(&c);
}

#define X(id, more) "{\"type\":\"exchange\",\"id\":\"" id "\",\"timestamp\":10,\"query\":\"q\",\"answer\":" \
	"\"a\",\"model\":\"m" id "\"" more "}\n"
#define COMPLETE ",\"status\":\"complete\""

/* The latest time of any record, with what it took; the model of the newest that did not fail. */
static void test_time_and_model(void)
{
	static const struct {
		const char *records;
		int64_t updated;
		const char *model;
	} cases[] = {
		{ X("a", COMPLETE), 10, "ma" },
		{ X("a", COMPLETE ",\"duration\":7"), 17, "ma" },
		{ X("a", ",\"status\":\"interrupted\",\"duration\":null"), 10, "ma" },
		{ X("a", COMPLETE) X("b", ",\"status\":\"error\""), 10, "ma" },
		{ X("a", ",\"status\":\"error\"") X("b", ",\"status\":\"error\""), 10, "m" },
		{ X("a", COMPLETE) X("b", COMPLETE) "{\"type\":\"rewind\",\"timestamp\":90,\"to\":\"a\"}\n", 90, "ma" },
		{ X("a", COMPLETE) "{\"type\":\"rewind\",\"timestamp\":9,\"to\":null}\n", 10, "m" },
		{ "{\"type\":\"rewind\",\"timestamp\":80,\"to\":\"z\"}\n", 80, "m" },
		{ X("a", COMPLETE) "{\"type\":\"change\",\"id\":\"1\",\"timestamp\":70,\"title\":\"t\"}\n", 70, "ma" },
		{ "{\"type\":\"change\",\"id\":\"1\",\"timestamp\":70,\"model\":\"n\"}\n", 70, "m" },
		{ "{\"type\":\"summary\",\"id\":\"1\",\"timestamp\":60,\"upTo\":\"z\",\"text\":\"t\",\"model\":\"m\"}\n", 60, "m" },
		{ "{\"type\":\"step\",\"exchange\":\"z\",\"n\":0,\"timestamp\":50,\"duration\":3,\"text\":\"\",\"calls\":[],"
		  "\"model\":\"n\"}\n", 53, "m" },
		{ "{\"type\":\"result\",\"exchange\":\"z\",\"n\":0,\"call\":\"c\",\"timestamp\":40,\"duration\":2,"
		  "\"status\":\"ok\",\"output\":\"\"}\n", 42, "m" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conversation c;

		ok(load_records(&c, cases[i].records), "records %zu are loaded", i);
		is_int(c.info.updated_at, cases[i].updated, "the latest time");
		is_span(c.info.model, cases[i].model, "the model in force");
		conversation_release(&c);
	}
}

#define U(n) ",\"tokenUsage\":{\"inputTokens\":" #n "}"

/* Each record once, and as its last line has it. */
static void test_usage(void)
{
	static const struct {
		const char *records;
		int64_t want;
	} cases[] = {
		{ X("a", COMPLETE U(1)) X("b", COMPLETE U(2)), 3 },
		{ X("a", COMPLETE U(1)) X("a", COMPLETE U(1)), 1 },
		{ X("a", COMPLETE U(1)) X("b", COMPLETE U(2)) X("a", COMPLETE U(4)), 6 },
		{ X("a", ",\"status\":\"error\"" U(1)) X("b", ",\"status\":\"interrupted\"" U(2)), 3 },
		{ X("a", COMPLETE U(1)) "{\"type\":\"rewind\",\"timestamp\":1,\"to\":null}\n", 1 },
		{ X("a", COMPLETE U(1)) X("a", COMPLETE), -1 },
		{ "{\"type\":\"change\",\"id\":\"1\",\"timestamp\":1,\"title\":\"t\"" U(8) "}\n"
		  "{\"type\":\"change\",\"id\":\"1\",\"timestamp\":1,\"title\":\"t\"" U(8) "}\n", 8 },
		{ "{\"type\":\"change\",\"id\":\"1\",\"timestamp\":1,\"title\":\"t\"" U(8) "}\n"
		  "{\"type\":\"change\",\"id\":\"2\",\"timestamp\":1,\"title\":\"t\"" U(8) "}\n", 16 },
		/* those without an id are the same when their lines are, but for blanks at the end */
		{ "{\"type\":\"change\",\"timestamp\":1,\"title\":\"t\"" U(8) "}\n"
		  "{\"type\":\"change\",\"timestamp\":1,\"title\":\"t\"" U(8) "} \t\r\n", 8 },
		{ "{\"type\":\"change\",\"timestamp\":1,\"title\":\"t\"" U(8) "}\n"
		  "{\"type\":\"change\",\"timestamp\":1,\"title\":\"u\"" U(8) "}\n", 16 },
		{ "{\"type\":\"summary\",\"id\":\"1\",\"timestamp\":1,\"upTo\":\"z\",\"text\":\"t\",\"model\":\"m\"" U(8) "}\n"
		  "{\"type\":\"summary\",\"id\":\"1\",\"timestamp\":2,\"upTo\":\"z\",\"text\":\"t\",\"model\":\"m\"" U(9) "}\n"
		  "{\"type\":\"change\",\"id\":\"1\",\"timestamp\":1,\"title\":\"t\"" U(100) "}\n", 109 },
		/* an exchange's is the sum over its steps already */
		{ "{\"type\":\"step\",\"exchange\":\"a\",\"n\":0,\"timestamp\":1,\"text\":\"\",\"calls\":[],\"model\":\"n\"" U(5) "}\n"
		  X("a", COMPLETE ",\"steps\":1" U(6)), 6 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conversation c;

		ok(load_records(&c, cases[i].records), "records %zu are loaded", i);
		is_int(c.info.usage.input, cases[i].want, "what they cost");
		conversation_release(&c);
	}
}

#define C(id, time, what) "{\"type\":\"change\",\"id\":\"" id "\",\"timestamp\":" #time "," what "}\n"

/* The change with the greatest time and id decides, wherever it stands. */
static void test_changes(void)
{
	static const struct {
		const char *records, *title, *tags, *metadata;
		bool titled;
	} cases[] = {
		{ "", "T", "", "", true },
		{ C("1", 1, "\"title\":\"x\""), "x", "", "", true },
		{ C("1", 1, "\"title\":\"\""), "", "", "", true },
		{ C("1", 2, "\"title\":\"x\"") C("2", 1, "\"title\":\"y\""), "x", "", "", true },
		{ C("2", 1, "\"title\":\"x\"") C("1", 1, "\"title\":\"y\""), "x", "", "", true },
		{ C("1", 1, "\"title\":\"x\"") C("10", 1, "\"title\":\"y\""), "y", "", "", true },
		{ C("1", 1, "\"title\":\"x\"") C("1", 1, "\"title\":\"y\""), "y", "", "", true },
		{ C("1", 9, "\"title\":\"x\"") C("2", 5, "\"title\":\"y\"") C("1", 1, "\"title\":\"z\""), "y", "", "", true },
		{ C("1", 3, "\"title\":\"x\"") C("2", 4, "\"tags\":{\"a\":true}"), "x", "a", "", true },
		/* without an id: the last of the same time */
		{ "{\"type\":\"change\",\"timestamp\":1,\"title\":\"x\"}\n{\"type\":\"change\",\"timestamp\":1,\"title\":\"y\"}\n",
		  "y", "", "", true },
		{ "{\"type\":\"change\",\"timestamp\":1,\"title\":\"x\"}\n{\"type\":\"change\",\"timestamp\":1,\"title\":\"y\"}\n"
		  "{\"type\":\"change\",\"timestamp\":1,\"title\":\"x\"}\n", "x", "", "", true },
		{ C("1", 1, "\"title\":\"x\"") "{\"type\":\"change\",\"timestamp\":1,\"title\":\"y\"}\n", "x", "", "", true },
		/* tags, each for itself, in the order of their bytes */
		{ C("1", 1, "\"tags\":{\"b\":true,\"a\":true,\"é\":true,\"B\":true}"), "T", "B a b é", "", true },
		{ C("1", 1, "\"tags\":{\"a\":true,\"b\":true}") C("2", 2, "\"tags\":{\"a\":false}"), "T", "b", "", true },
		{ C("1", 2, "\"tags\":{\"a\":true}") C("2", 1, "\"tags\":{\"a\":false,\"b\":true}"), "T", "a b", "", true },
		{ C("1", 1, "\"tags\":{\"a\":false}") C("2", 2, "\"tags\":{\"a\":true}"), "T", "a", "", true },
		{ C("1", 1, "\"tags\":{\"a\":false,\"b\":true}") C("1", 1, "\"tags\":{\"a\":true}"), "T", "a", "", true },
		/* metadata */
		{ C("1", 1, "\"metadata\":{\"k\":1,\"l\":{\"x\":[2]}}"), "T", "", "k=1 l={\"x\":[2]}", true },
		{ C("1", 1, "\"metadata\":{\"k\":1}") C("2", 2, "\"metadata\":{\"k\":null}"), "T", "", "", true },
		{ C("1", 2, "\"metadata\":{\"k\":1}") C("2", 1, "\"metadata\":{\"k\":null,\"l\":false}"), "T", "",
		  "k=1 l=false", true },
		{ C("1", 1, "\"metadata\":{\"k\":null}") C("2", 2, "\"metadata\":{\"k\":\"v\"}"), "T", "", "k=\"v\"", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf tags = BUF_INIT, metadata = BUF_INIT;
		struct conversation c;

		ok(load_records(&c, cases[i].records), "changes %zu are loaded", i);
		is_span(c.info.title, cases[i].title, "the title");
		is_int(c.titled, cases[i].titled, "whether it ever had one");
		ok(!c.info.title.p == !*cases[i].title, "an empty one is none");
		for (size_t k = 0; k < c.info.ntags; k++)
			buf_addf(&tags, "%s%.*s", k ? " " : "", (int)c.info.tags[k].n, c.info.tags[k].p);
		is_buf(&tags, cases[i].tags, "the tags");
		if (c.metadata) {
			json_object_object_foreach(c.metadata, key, value)
				buf_addf(&metadata, "%s%s=%s", metadata.n ? " " : "", key,
				         json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
		}
		is_buf(&metadata, cases[i].metadata, "the metadata");
		buf_release(&tags);
		buf_release(&metadata);
		conversation_release(&c);
	}
}

/* What the session record has is older than any change. */
static void test_changed_head(void)
{
	static const char text[] =
		"{\"type\":\"session\",\"version\":1,\"id\":\"s\",\"createdAt\":99,\"provider\":\"echo\",\"model\":\"m\","
		"\"tags\":[\"y\",\"x\",\"y\"],\"metadata\":{\"k\":1,\"l\":2}}\n"
		"{\"type\":\"session\",\"version\":1,\"id\":\"s\",\"createdAt\":98,\"provider\":\"other\",\"model\":\"n\"}\n"
		C("1", 1, "\"tags\":{\"x\":false,\"z\":true},\"metadata\":{\"l\":null}");
	struct conversation c;

	ok(load_text(&c, text, strlen(text)), "a session with tags and metadata");
	ok(c.info.ntags == 2 && span_eq(c.info.tags[0], "y") && span_eq(c.info.tags[1], "z"), "tags");
	is_str(c.metadata ? json_object_to_json_string_ext(c.metadata, JSON_C_TO_STRING_PLAIN) : "", "{\"k\":1}",
	       "metadata");
	ok(!c.titled && !c.info.title.p, "it never had a title");
	is_span(c.info.provider, "echo", "the first session record counts");
	is_int(c.info.created_at, 99, "for its time, too");
	conversation_release(&c);
}

static void test_summaries(void)
{
	static const struct {
		const char *story;
		int which;       /* of its summaries is in use; 0: none */
		int64_t covered;
	} cases[] = {
		{ "abc", 0, 0 },
		{ "abc=b", 1, 2 },
		{ "abc=bde", 1, 2 },
		{ "abc=bde=d", 2, 4 },
		{ "abc=c=ad", 1, 3 }, /* the one that reaches furthest */
		{ "abc=b=b", 2, 2 },  /* and of these the newest */
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
		/* of what is nowhere, comes later, or is damaged */
		{ "ab=z", 0, 0 },
		{ "ab=a=z", 1, 1 },
		{ "ab=cc", 1, 3 },
		{ "=aa", 1, 1 },
		{ "a!b=b", 0, 0 },
		{ "a!bc=c", 1, 2 },
		{ "=z", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char which[12] = "";
		struct conversation c;

		snprintf(which, sizeof(which), "%d", cases[i].which);
		ok(load(&c, cases[i].story), "'%s' is loaded", cases[i].story);
		ok(!c.summary == !cases[i].which, "'%s': whether there is a summary", cases[i].story);
		if (c.summary)
			is_span(c.summary->text, which, "'%s': the one in use", cases[i].story);
		is_int((int64_t)c.covered, cases[i].covered, "'%s': so many exchanges", cases[i].story);
		is_int(c.info.summary_of, cases[i].covered, "as the index has it");
		ok(!c.info.summary_at == !c.summary, "where it stands, too");
		conversation_release(&c);
	}
}

#define G(id, time, up_to, text) "{\"type\":\"summary\",\"id\":\"" id "\",\"timestamp\":" #time ",\"upTo\":\"" up_to \
	"\",\"text\":\"" text "\",\"model\":\"m\"}\n"

static void test_which_summary(void)
{
	static const struct {
		const char *records, *want;
	} cases[] = {
		{ G("1", 5, "a", "x") G("2", 4, "a", "y"), "x" },
		{ G("2", 5, "a", "x") G("1", 5, "a", "y"), "x" },
		{ G("1", 5, "a", "x") G("1", 4, "a", "y"), "y" }, /* the same one, as its last line has it */
		{ G("1", 5, "b", "x") G("2", 9, "a", "y"), "x" },
		{ G("1", 5, "b", "x") G("1", 5, "a", "y"), "y" },
		{ G("1", 5, "b", "x") G("1", 5, "z", "y"), "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;
		struct conversation c;

		buf_addf(&b, X("a", COMPLETE) X("b", ",\"status\":\"interrupted\"") "%s", cases[i].records);
		ok(load_records(&c, b.p), "summaries %zu are loaded", i);
		is_span(c.summary ? c.summary->text : span_str(""), cases[i].want, "the one in use");
		is_int(c.info.summary_of, *cases[i].want ? 1 : 0, "complete exchanges that it stands for");
		conversation_release(&c);
		buf_release(&b);
	}
}

static void test_summary_of_some(void)
{
	static const char *const want[] = { "", "1", "1", "2", "2" };
	struct conversation c;
	size_t covered;

	load(&c, "abcd=a=c=z");
	for (size_t n = 0; n <= 4; n++) {
		const struct summary *s = conversation_summary(&c, n, &covered);

		is_span(s ? s->text : span_str(""), want[n], "the summary for the first %zu exchanges", n);
		is_int((int64_t)covered, n < 1 ? 0 : n < 3 ? 1 : 3, "and what it stands for");
	}
	is_int(c.info.updated_at, 1500, "making it was an activity");
	is_int(c.info.usage.input, 304, "and used tokens");
	conversation_release(&c);
}

/* As many summaries as exchanges, and none that is of use but the first. */
static void test_many_summaries(void)
{
	enum { MANY = 20000 };
	struct buf b = BUF_INIT;
	struct conversation c;

	for (int i = 0; i < MANY; i++)
		buf_addf(&b, "{\"type\":\"exchange\",\"id\":\"x%d\",\"timestamp\":1,\"query\":\"q\",\"answer\":"
		         "\"a\",\"model\":\"m\",\"status\":\"complete\"}\n", i);
	for (int i = 0; i < MANY; i++)
		buf_addf(&b, "{\"type\":\"summary\",\"timestamp\":1,\"upTo\":\"%c%d\",\"text\":\"t\",\"model\":\"m\"}\n",
		         i ? 'y' : 'x', i);
	ok(load_records(&c, b.p), "%d summaries are loaded", MANY);
	is_int((int64_t)c.n, MANY, "all exchanges");
	is_int((int64_t)c.covered, 1, "the first summary is of use, of the first exchange");
	conversation_release(&c);
	buf_release(&b);
}

/* ---- damage ---- */

static void test_notices(void)
{
	struct conversation c;

	ok(load(&c, "a~b!c"), "a damaged history is loaded");
	is_int((int64_t)nnotices, 2, "one notice for each damaged line");
	is_int((int64_t)c.damaged, 2, "and they are counted");
	ok(strncmp(notices[0], "D/s/history.jsonl:3: skipped a damaged record: ", 47) == 0,
	   "with file and line: %s", notices[0]);
	is_str(notices[1], "D/s/history.jsonl:5: skipped a damaged record: 'error' must be a string",
	       "and reason");
	conversation_release(&c);
}

static void test_no_head(void)
{
	struct history_want want = { .last = 1 };
	struct conversation c = CONVERSATION_INIT;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct jsonl j;
	bool whole;

	add_records(&b, "ab");
	j = (struct jsonl){ b.p, b.n, b.n };
	is_int(history_load(&c, &store, "s", &j, &e), -1, "without a head it is no session");
	is_err(&e, ERR_DAMAGED, "D/s/history.jsonl has no valid session record", "says so");
	is_int((int64_t)c.n, 2, "but the rest is there");
	conversation_release(&c);
	err_clear(&e);
	is_int(history_load_newest(&c, &store, "s", &j, &want, &whole, &e), -1, "nor with the newest alone");
	is_err(&e, ERR_DAMAGED, "no valid session record", "says so");
	conversation_release(&c);
	buf_release(&b);
	err_clear(&e);
	j = (struct jsonl){ "", 0, 0 };
	is_int(history_load(&c, &store, "s", &j, &e), -1, "an empty file is none either");
	conversation_release(&c);
}

static void test_record(void)
{
	struct buf b = BUF_INIT;
	struct jsonl j = history_of(&b, "a!b", "");
	struct record r;
	struct span line;
	size_t first = 0, second;

	jsonl_next(&j, &first, &line);
	second = first;
	jsonl_next(&j, &second, &line);
	nnotices = 0;
	ok(history_record(&store, "s", &j, first, &r), "a record by its place");
	is_span(r.exchange.query, "qa", "its query");
	record_release(&r);
	is_int((int64_t)nnotices, 0, "no notice");
	ok(!history_record(&store, "s", &j, second, &r), "a damaged one");
	is_int((int64_t)nnotices, 1, "one notice");
	ok(!history_record(&store, "s", &j, j.n, &r), "nothing at the end");
	is_int((int64_t)nnotices, 2, "another notice");
	buf_release(&b);
}

static void test_find(void)
{
	struct buf b = BUF_INIT;
	struct jsonl j = history_of(&b, "ab<a a:b !c", "");
	struct record r;
	size_t at = 0;
	struct span line;

	ok(history_find(&j, 0, j.n, span_str("a"), &r), "an exchange by its id");
	is_span(r.exchange.parent, "b", "its last line");
	record_release(&r);
	ok(history_find(&j, 0, j.n, span_str("b"), &r), "one that is not in the conversation");
	record_release(&r);
	ok(!history_find(&j, 0, j.n, span_str("c"), &r), "no damaged one");
	ok(!history_find(&j, 0, j.n, span_str("s"), &r), "no other record");
	for (int i = 0; i < 4; i++)
		jsonl_next(&j, &at, &line);
	ok(history_find(&j, 0, at, span_str("a"), &r), "before its last line");
	ok(!r.exchange.has_parent, "the first one");
	record_release(&r);
	ok(!history_find(&j, at, j.n, span_str("b"), &r), "and not before where it begins");
	j = history_of(&b, "a", "{\"\\u0069d\":\"q\\u0061\\n\\/\",\"type\":\"\\u0065xchange\",\"timestamp\":1,\"query\":\"\","
	               "\"answer\":\"\",\"model\":\"m\",\"status\":\"complete\"}\n");
	ok(history_find(&j, 0, j.n, span_str("qa\n/"), &r), "one that is written with escapes");
	is_span(r.exchange.id, "qa\n/", "by its id");
	record_release(&r);
	ok(!history_find(&j, 0, j.n, span_str("q"), &r), "no other one");
	buf_release(&b);
}

/* ---- which lines belong to it ---- */

static void add_lines(struct buf *b, const struct jsonl *j, const size_t *offsets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		static const char *const keys[] = { "upTo", "exchange", "id" };
		struct span line, type, found, id = { "\"\"", 2 };
		size_t at = offsets[i];

		jsonl_next(j, &at, &line);
		json_scan_find(line, "type", &type);
		for (size_t k = 3; k--;)
			if (json_scan_find(line, keys[k], &found))
				id = found;
		buf_addf(b, "%s%.2s%.*s", i ? " " : "", type.p + 1, (int)id.n - 2, id.p + 1);
	}
}

static void test_offsets(void)
{
	static const struct {
		const char *story;
		size_t from;
		bool rest;
		const char *want; /* the beginnings of types, and ids */
	} cases[] = {
		{ "abc", 0, true, "ses exa exb exc" },
		{ "abc", 0, false, "exa exb exc" },
		{ "abc", 2, false, "exc" },
		{ "abc", 3, false, "" },
		{ "abc", 2, true, "ses exc" },
		{ "", 0, true, "ses" },
		{ "ab<ac", 0, true, "ses exa exc" },
		{ "a+b*~^c", 0, true, "ses exa ch exb exc" },
		{ "a=ab=b<a=z", 0, true, "ses exa sua" },
		{ "Sa0Ra0c a@1 Sb0Rb0c b@1 <a", 0, true, "ses sta rea exa" },
		{ "Sa0Ra0c a@1 Sb0Rb0c b@1", 1, false, "stb reb exb" },
		{ "a@1 Sa0Ra0cRa0c", 0, false, "exa sta rea" },   /* the last line of each */
		{ "c:b b:a a:- <c", 0, false, "exc exb exa" },    /* in the order of the file */
		{ "a:- b:a a:- <b", 0, false, "exb exa" },
		{ "++a", 0, true, "ses ch exa" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT, got = BUF_INIT;
		struct err e = ERR_INIT;
		struct conversation c;
		struct jsonl j = history_of(&b, cases[i].story, "");
		size_t *offsets = NULL, n = 0;

		load_text(&c, b.p, b.n);
		ok(conversation_offsets(&c, cases[i].from, cases[i].rest, &offsets, &n, &e) == 0, "lines of '%s'",
		   cases[i].story);
		add_lines(&got, &j, offsets, n);
		is_buf(&got, cases[i].want, "from exchange %zu on", cases[i].from);
		free(offsets);
		conversation_release(&c);
		buf_release(&got);
		buf_release(&b);
	}
}

/* ---- read in parts, or in part ---- */

/* All that is known of it; a lean one is told like another. */
static void tell(struct buf *b, const struct conversation *c)
{
	const struct session_info *s = &c->info;
	struct err e = ERR_INIT;
	size_t *offsets, n, covered;

	add_path(b, c, 0);
	buf_addf(b, "; %lld to %lld; %lld complete, %lld calls, %lld branches; model %.*s; title %.*s (%d); ",
	         (long long)s->created_at, (long long)s->updated_at, (long long)s->exchange_count,
	         (long long)s->tool_calls, (long long)s->branches, (int)s->model.n, s->model.p ? s->model.p : "",
	         (int)s->title.n, s->title.p ? s->title.p : "", c->titled);
	for (size_t i = 0; i < s->ntags; i++)
		buf_addf(b, "%.*s,", (int)s->tags[i].n, s->tags[i].p);
	buf_addf(b, "; %s; %.*s…%.*s from %.*s; tokens %lld; summary %zu at %lld of %lld; ",
	         c->metadata ? json_object_to_json_string(c->metadata) : "",
	         (int)s->first_query.n, s->first_query.p ? s->first_query.p : "",
	         (int)s->last_query.n, s->last_query.p ? s->last_query.p : "",
	         (int)s->root.n, s->root.p ? s->root.p : "", (long long)s->usage.input, c->covered,
	         (long long)s->summary_at, (long long)s->summary_of);
	for (size_t i = 0; i <= c->n; i++) {
		const struct summary *sum = conversation_summary(c, i, &covered);

		buf_addf(b, "%s.%zu ", sum ? sum->text.p : "", covered);
	}
	buf_addf(b, "; %zu bytes, %zu damaged; ", c->bytes, c->damaged);
	if (conversation_offsets(c, 0, true, &offsets, &n, &e) == 0) {
		for (size_t i = 0; i < n; i++)
			buf_addf(b, " %zu", offsets[i]);
		free(offsets);
	}
}

/* Reads it on from each of its lines, to each of the later ones when `each`, and lean. Returns how
 * often that made a difference. */
static int count_split(const struct jsonl *j, const char *story, bool each)
{
	struct buf want = BUF_INIT;
	struct err e = ERR_INIT;
	struct conversation c;
	struct span line;
	size_t split = 0;
	int bad = 0;

	load_text(&c, j->p, j->n);
	tell(&want, &c);
	conversation_release(&c);
	while (jsonl_next(j, &split, &line)) {
		for (int lean = 0; lean < 2; lean++) {
			struct jsonl part = { j->p, split, split };
			struct buf got = BUF_INIT;
			int r;

			c = (struct conversation){ .info = { .usage = USAGE_NONE }, .lean = lean };
			r = history_load(&c, &silent, "s", &part, &e);
			while (each && r == 0 && jsonl_next(j, &part.n, &line)) {
				part.mapped = part.n;
				r = history_load_more(&c, &silent, "s", &part, &e);
			}
			if (r == 0)
				r = history_load_more(&c, &silent, "s", j, &e);
			tell(&got, &c);
			if (r < 0 || !span_same(buf_span(&got), buf_span(&want)))
				if (!bad++)
					tap_note("'%s', read on from %zu%s: %s\n#   %s\n# instead of\n#   %s", story, split,
					         lean ? ", lean" : "", e.msg, got.p, want.p);
			buf_release(&got);
			conversation_release(&c);
			err_clear(&e);
		}
	}
	buf_release(&want);
	return bad;
}

/* The last `n` exchanges with their steps. */
static void tell_newest(struct buf *b, const struct conversation *c, size_t n)
{
	size_t from = c->n > n ? c->n - n : 0;

	buf_clear(b);
	add_steps(b, c, from);
	for (size_t i = from; i < c->n; i++)
		buf_addf(b, " %zu %s", c->path[i]->at, conversation_exchange(c, i)->query.p);
}

/* Reads the newest ones of a story, as many as there may be. Returns how often that made a
 * difference. */
static int count_newest(const struct jsonl *j, const char *story)
{
	struct buf want = BUF_INIT, got = BUF_INIT;
	struct conversation c;
	int bad = 0;

	load_text(&c, j->p, j->n);
	for (size_t n = 1; n <= c.n + 1; n++) {
		struct history_want newest = { .last = n };
		struct conversation part = CONVERSATION_INIT;
		struct err e = ERR_INIT;
		bool whole;
		int r = history_load_newest(&part, &silent, "s", j, &newest, &whole, &e);

		tell_newest(&want, &c, n);
		tell_newest(&got, &part, n);
		bad += whole && part.n != c.n;
		if (r < 0 || !span_same(buf_span(&want), buf_span(&got)) ||
		    part.info.created_at != c.info.created_at || !span_same(part.info.provider, c.info.provider))
			if (!bad++)
				tap_note("'%s', the last %zu: %s '%s' instead of '%s'", story, n, e.msg, got.p, want.p);
		conversation_release(&part);
	}
	conversation_release(&c);
	buf_release(&want);
	buf_release(&got);
	return bad;
}

static void test_parts(void)
{
	static const char *const more[] = {
		"a+b=b*c", "abc=b<ad=d<c", "Sa0Ra0c a@1 Sb0Rb0cRb0dSb1Rb1c b@2 c", "a@1 b Sa0 Ra0c c", "a@3 b Sa1 c",
		"a:- b:a c:a%b d:c <b,d e:b", "a:-Sb0 b:a@1 Sc0Rc0c c:a%b@1 <b,c", "axyz", "Sz0Rz0c a", "a@9 b c d",
		"ab<a=ac=c>b", "++a+", "Sa0 a@1 b a:-@1 c", "a Sb0Rb0c b@1 <a c <b",
		/* a better version of a step, as a merge appends it: the result stands before the first one */
		"Sa0Ra0c a:-@1 b:a Sa0", "Sa0Ra0c a:-@1 Sa0 b:a", "Sa0Ra0cSa1Ra1d a:-@2 Sa1 b:a Sa0 c:b",
		"a:-@1 Sa0Ra0c b:a", "Sa0Ra0c a:-@1 a:-@1 Sa0 b:a",
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < NSTORIES + sizeof(more) / sizeof(more[0]); i++) {
		const char *story = i < NSTORIES ? stories[i].story : more[i - NSTORIES];
		struct jsonl j = history_of(&b, story, "");

		is_int(count_split(&j, story, false) + count_split(&j, story, true), 0, "'%s' read on is as read at once", story);
		is_int(count_newest(&j, story), 0, "'%s' read backwards is the end of it", story);
	}
	buf_release(&b);
}

/* A story of anything. Results follow their steps, and each step is there once, as writers have it. */
static void add_random(struct buf *story, uint64_t *seed)
{
	static const char names[] = "abcdefghijklmnop";
	char next = 'a';
	int steps[128] = { 0 };

	buf_clear(story);
	for (size_t k = 3 + rnd_below(seed, 22); k; k--) {
		char any = names[rnd_below(seed, 8)], name = next;

		switch (rnd_below(seed, 16)) {
		case 0: buf_addf(story, "<%c ", any); break;
		case 1: buf_addf(story, "<%c,%c ", any, names[rnd_below(seed, 8)]); break;
		case 2: buf_adds(story, rnd_below(seed, 2) ? "<- " : "+ "); break;
		case 3: buf_addf(story, "=%c ", any); break;
		case 4: buf_adds(story, rnd_below(seed, 2) ? "~" : "*"); break;
		case 5: /* once more, and perhaps elsewhere */
			buf_addf(story, "%c:%c@%d ", any, names[rnd_below(seed, 8)], steps[(int)any]);
			break;
		case 6:
			buf_addf(story, "!%c ", any);
			break;
		case 7:
		case 8:
			buf_addf(story, "S%c%d R%c%dc ", name, steps[(int)name], name, steps[(int)name]);
			steps[(int)name]++;
			break;
		case 9:
		case 10:
		case 11: buf_addf(story, "%c:%c@%d ", name, any, steps[(int)name]); next++; break;
		case 12: buf_addf(story, "%c:%c%%%c@%d ", name, any, any, steps[(int)name]); next++; break;
		default: buf_addf(story, "%c@%d ", name, steps[(int)name]); next++; break;
		}
		if (next > 'p')
			next = 'a';
	}
}

static void test_random_parts(void)
{
	struct buf b = BUF_INIT, story = BUF_INIT;
	uint64_t seed = 9;
	int split = 0, newest = 0;

	for (int i = 0; i < 400; i++) {
		struct jsonl j;

		add_random(&story, &seed);
		j = history_of(&b, story.p, "");
		split += count_split(&j, story.p, i % 2);
		newest += count_newest(&j, story.p);
	}
	is_int(split, 0, "400 random histories read on are as read at once");
	is_int(newest, 0, "and read backwards are the end of it");
	buf_release(&b);
	buf_release(&story);
}

/* Reading backwards stops where it has what is wanted. */
static void test_stops(void)
{
	static const struct {
		const char *story;
		size_t last;
		bool whole;
		size_t damaged; /* of the lines that it met */
	} cases[] = {
		{ "~ab:ac:b", 1, false, 0 },
		{ "~ab:ac:b", 2, false, 0 },
		{ "~ab:ac:b", 3, false, 0 },
		{ "~ab:ac:b", 4, true, 1 },          /* what a follows stands before it */
		{ "~a:-b:ac:b", 3, false, 0 },
		{ "~a:-b:ac:b", 4, false, 0 },       /* there are no more */
		{ "~abc", 1, false, 0 },
		{ "~Sa0a:-@1b:a", 2, false, 0 },
		{ "~Sa0~a:-@1b:a", 2, false, 1 },    /* back to its step */
		{ "~Sa0~a:-@1b:a", 1, false, 0 },
		{ "~Sa0~a:-@1Sa0b:a", 2, false, 1 }, /* the first line of it */
		{ "~a:-@1b:a", 2, true, 1 },         /* a step that is not there is looked for */
		{ "~a:-b:a~<a", 1, false, 1 },
		{ "~a:-b:a<z", 1, true, 1 },         /* so is what a rewind names */
		{ "~a:-b:a<-", 1, false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct history_want want = { .last = cases[i].last };
		struct conversation c = CONVERSATION_INIT;
		struct buf b = BUF_INIT;
		struct err e = ERR_INIT;
		struct jsonl j = history_of(&b, cases[i].story, "");
		bool whole;

		is_int(history_load_newest(&c, &silent, "s", &j, &want, &whole, &e), 0, "the last %zu of '%s'",
		       cases[i].last, cases[i].story);
		is_int(whole, cases[i].whole, "whether all of it was read");
		is_int((int64_t)c.damaged, (int64_t)cases[i].damaged, "damaged lines on the way");
		is_int((int64_t)c.bytes, (int64_t)b.n, "it is read on from the end");
		is_span(c.info.provider, "echo", "the head is read");
		conversation_release(&c);
		buf_release(&b);
	}
}

/* z failed, as it were. */
static int64_t weigh(struct record *r)
{
	switch (r->type) {
	case RECORD_EXCHANGE: return *r->exchange.id.p == 'z' ? -1 : 10;
	case RECORD_STEP: return 20;
	case RECORD_RESULT: return 30;
	default: return 1000;
	}
}

/* Reading backwards until what was met weighs enough. */
static void test_weigh(void)
{
	static const struct {
		const char *story;
		int64_t limit, most;
		const char *want; /* the conversation, oldest first */
	} cases[] = {
		{ "a:-b:ax:bc:bd:c", 1, 100, "d" },
		{ "a:-b:ax:bc:bd:c", 10, 100, "d" },
		{ "a:-b:ax:bc:bd:c", 11, 100, "cd" },
		{ "a:-b:ax:bc:bd:c", 30, 100, "bcd" },
		{ "a:-b:ax:bc:bd:c", 31, 100, "abcd" },
		{ "a:-b:ax:bc:bd:c", 99, 100, "abcd" },
		{ "a:-b:aSc0Rc0cRc0dc:b@1d:c", 100, 999, "cd" },     /* 10 + 10 + 20 + 2 * 30 */
		{ "a:-b:aSc0Rc0cRc0dc:b@1d:c", 101, 999, "bcd" },
		{ "a:-b:aSc0Rc0cRc0dc:b@1d:c", 30, 20, "cd" },       /* one that is large hides nothing */
		{ "a:-b:aSc0Rc0cRc0dc:b@1d:c", 31, 20, "bcd" },
		{ "a:-b:aSc0Rc0cRc0cRc0cRc0cc:b@1", 60, 999, "c" },  /* a result counts once */
		{ "a:-b:aSc0Rc0cRc0cRc0cRc0cc:b@1", 61, 999, "bc" },
		{ "a:-b:aSc0Sc0Sc0c:b@1c:b@1", 30, 999, "c" },       /* so do a step and an exchange */
		{ "a:-b:aSc0Sc0Sc0c:b@1c:b@1", 31, 999, "bc" },
		{ "a:-b:ac:bSc0Rc0c", 60, 999, "c" },                /* which may follow the exchange */
		{ "a:-b:ac:bSc0Rc0c", 61, 999, "bc" },
		{ "a:-Sx0Rx0cx:a@1b:a", 11, 999, "ab" },             /* and belong to another branch */
		{ "a:-b:aSz0Rz0cz:b@1d:z", 20, 999, "bzd" },         /* those of one that failed are not sent */
		{ "a:-b:aSz0Rz0cz:b@1d:z", 21, 999, "abzd" },
		{ "a:-b:a", 0, 0, "b" },
		{ "a:-b:a", -5, -1, "b" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct history_want want = { .weigh = weigh, .limit = cases[i].limit, .most = cases[i].most };
		struct conversation c = CONVERSATION_INIT;
		struct buf b = BUF_INIT, got = BUF_INIT;
		struct err e = ERR_INIT;
		struct jsonl j = history_of(&b, cases[i].story, "");
		bool whole;

		is_int(history_load_newest(&c, &silent, "s", &j, &want, &whole, &e), 0, "'%s' until %d, of which %d",
		       cases[i].story, (int)cases[i].limit, (int)cases[i].most);
		for (size_t k = 0; k < c.n; k++)
			buf_add(&got, c.path[k]->id.p, c.path[k]->id.n);
		is_buf(&got, cases[i].want, "as much of it as is wanted");
		conversation_release(&c);
		buf_release(&got);
		buf_release(&b);
	}
}

static void test_lean(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct jsonl j = history_of(&b, "Sa0Ra0ca@1bc", "");

	c.lean = true;
	is_int(history_load(&c, &store, "s", &j, &e), 0, "a lean conversation");
	is_int((int64_t)c.n, 3, "has all exchanges");
	is_span(conversation_exchange(&c, 0)->query, "qa", "the text of the first");
	is_span(conversation_exchange(&c, 2)->answer, "ac", "and of the last");
	ok(!c.path[1]->record.json, "but of no other");
	is_int(c.path[1]->status, STATUS_COMPLETE, "whose status is known all the same");
	is_int(c.info.tool_calls, 2, "calls are counted");
	ok(c.path[0]->nsteps == 1 && c.path[0]->steps[0].nresults == 1 && !c.path[0]->steps[0].results[0].record.json,
	   "what results say is not kept");
	conversation_release(&c);
	buf_release(&b);
}

/* ---- in memory ---- */

static void is_path(const struct conversation *c, const char *want, const char *what)
{
	struct buf got = BUF_INIT;

	add_path(&got, c, 0);
	is_buf(&got, want, "%s", what);
	buf_release(&got);
}

static void test_add(void)
{
	struct exchange x = { .timestamp = 9, .query = span_str("new\n\x01"),
		              .answer = span_str("é"), .model = span_str("m"), .duration = -1,
		              .usage = USAGE_NONE };
	struct conversation c = CONVERSATION_INIT;
	struct err e = ERR_INIT;
	char id[8];

	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "n%d", i);
		x.id = span_str(id);
		if (conversation_add(&c, &x, &e) < 0)
			tap_note("%s", e.msg);
	}
	is_int((int64_t)c.n, 100, "added to an empty conversation");
	is_span(conversation_last(&c)->query, "new\n\x01", "a copy");
	ok(conversation_last(&c)->query.p != x.query.p, "of its own");
	x.query = span_str("\xff");
	x.id = span_str("bad");
	is_int(conversation_add(&c, &x, &e), -1, "what is not UTF-8 is refused");
	is_int((int64_t)c.n, 100, "and not added");
	conversation_release(&c);
}

static void test_move(void)
{
	struct exchange x = { .timestamp = 9, .query = span_str("q"), .answer = span_str("a"),
		              .model = span_str("m"), .duration = -1, .usage = USAGE_NONE };
	struct conversation c;
	struct err e = ERR_INIT;

	load(&c, "abcd");
	is_int(conversation_rewind(&c, span_str("b"), &e), 0, "back to b");
	is_path(&c, "ab", "is there");
	is_int(c.info.exchange_count, 2, "and counted");
	is_int(c.info.branches, 0, "what was left is no branch");
	is_span(c.info.last_query, "qb", "the last query");
	x.id = span_str("e");
	is_int(conversation_add(&c, &x, &e), 0, "one more");
	is_path(&c, "abe", "follows it");
	is_int(conversation_rewind(&c, span_str("d"), &e), 0, "to where it was");
	is_path(&c, "abcd", "is there again");
	is_int(conversation_rewind(&c, span_str("nowhere"), &e), 0, "to nowhere");
	is_path(&c, "abcd", "changes nothing");
	is_int(conversation_rewind(&c, (struct span){ NULL, 0 }, &e), 0, "to the beginning");
	is_path(&c, "", "leaves nothing");
	ok(!conversation_last(&c), "no last one");
	x.id = span_str("f");
	x.has_parent = true;
	x.parent = span_str("c");
	is_int(conversation_add(&c, &x, &e), 0, "one with a parent");
	is_path(&c, "abcf", "follows that");
	x.id = span_str("g");
	x.replaces = span_str("f");
	is_int(conversation_add(&c, &x, &e), 0, "a retry");
	is_path(&c, "abcg", "takes its place");
	is_int(c.info.branches, 0, "and leaves no branch");
	conversation_release(&c);
}

static void test_now(void)
{
	static const struct {
		const char *time;
		int64_t want; /* 0: the clock's */
	} cases[] = {
		{ "1000", 0 }, { "4102444800000", INT64_C(4102444800001) }, { "253402300799999", TIME_MAX },
		{ "253402300799998", TIME_MAX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t before = clock_now_ms(), now;
		struct buf b = BUF_INIT;
		struct conversation c;

		buf_addf(&b, "{\"type\":\"rewind\",\"timestamp\":%s,\"to\":null}\n", cases[i].time);
		load_records(&c, b.p);
		now = conversation_now(&c);
		if (cases[i].want)
			is_int(now, cases[i].want, "later than %s", cases[i].time);
		else
			ok(now >= before && now <= clock_now_ms(), "the time of the clock");
		conversation_release(&c);
		buf_release(&b);
	}
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
	temp_write("s/history.jsonl", span_str("{}\n{\"torn"));
	err_clear(&e);
	is_int(history_map(&s, "s", &j, &e), 0, "one with it is");
	is_int((int64_t)j.n, 3, "mapped, as far as its lines are whole");
	jsonl_unmap(&j);
	rename("s/history.jsonl", "f");
	if (symlink("../f", "s/history.jsonl") == 0)
		is_int(history_map(&s, "s", &j, &e), -1, "a link is not followed");
	close(s.fd);
	err_clear(&e);
	is_int(history_map(&store, "s", &j, &e), -1, "no store");
	is_int(e.kind, ERR_NOT_FOUND, "no session");
}

int main(void)
{
	temp_enter();
	test_paths();
	test_branches();
	test_circles();
	test_steps();
	test_descending_steps();
	test_steps_again();
	test_info();
	test_time_and_model();
	test_usage();
	test_changes();
	test_changed_head();
	test_summaries();
	test_which_summary();
	test_summary_of_some();
	test_many_summaries();
	test_notices();
	test_no_head();
	test_record();
	test_find();
	test_offsets();
	test_parts();
	test_random_parts();
	test_stops();
	test_weigh();
	test_lean();
	test_add();
	test_move();
	test_now();
	test_map();
	return tap_end();
}
