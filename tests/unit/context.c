#include "turn/context.h"
#include "turn/compact.h"

#include <time.h>

#include "data.h"
#include "store/index.h"
#include "store/session.h"
#include "tap.h"
#include "temp.h"

/* ---- conversations ---- */

/* A text of `n` bytes in words of four letters, which is n / 4 tokens. */
static struct span words(size_t n)
{
	static char text[1 << 17];

	if (!text[0])
		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = i % 5 == 4 ? ' ' : 'w';
	return (struct span){ text, n };
}

/* Its texts stay the caller's. It may be changed afterwards; for the status there is set_status(). */
static struct exchange *add(struct conversation *c, const char *query, const char *answer)
{
	const struct exchange *last = conversation_last(c);
	struct record r = { .type = RECORD_EXCHANGE, .json = json_object_new_object() };
	struct exchange_node *node;
	struct err e = ERR_INIT;
	char id[24];

	snprintf(id, sizeof(id), "x%zu", c->n);
	r.exchange = (struct exchange){ .id = span_str(id), .has_parent = true, .query = span_str(query),
		                        .answer = span_str(answer), .model = span_str("m"), .duration = -1,
		                        .usage = USAGE_NONE };
	if (last)
		r.exchange.parent = last->id;
	if (conversation_apply(c, &r, span_str(""), 0, &e) < 0 || conversation_settle(c, &e) < 0)
		abort();
	node = c->path[c->n - 1];
	node->record.exchange.id = buf_span(&node->id);
	return &node->record.exchange;
}

/* To change it: what it was found to come to is forgotten. */
static struct exchange *at(const struct conversation *c, size_t i)
{
	c->path[i]->record.measure.known = false;
	return &c->path[i]->record.exchange;
}

static void set_status(struct conversation *c, enum status status)
{
	at(c, c->n - 1)->status = c->path[c->n - 1]->status = status;
}

static void free_userdata(struct json_object *o, void *p)
{
	(void)o;
	free(p);
}

static struct json_object *parse(const char *text)
{
	struct json_object *o = NULL;
	struct err e = ERR_INIT;

	if (json_parse_object(span_str(text), &o, &e) < 0)
		abort();
	return o;
}

/* A record that owns `calls` and its JSON objects. */
static void apply(struct conversation *c, struct record r, struct json_object *owned)
{
	struct err e = ERR_INIT;

	r.json = json_object_new_object();
	if (owned)
		json_object_object_add(r.json, "owned", owned);
	if (conversation_apply(c, &r, span_str(""), 0, &e) < 0 || conversation_settle(c, &e) < 0)
		abort();
}

/* A step of the last exchange with one call, whose arguments and result have so many bytes of words;
 * output == SIZE_MAX: there is no result. */
static void add_step(struct conversation *c, int64_t n, size_t text, size_t arguments, size_t output)
{
	struct tool_call *call = calloc(1, sizeof(*call));
	struct span id = at(c, c->n - 1)->id;
	struct json_object *o = json_object_new_object();

	*call = (struct tool_call){ span_str("c"), span_str("run"), o };
	json_object_object_add(o, "text", json_object_new_string_len(words(arguments).p, (int)arguments));
	json_object_set_userdata(o, call, free_userdata);
	apply(c, (struct record){ .type = RECORD_STEP, .step = { .exchange = id, .n = n, .text = words(text), .calls = call,
		                  .ncalls = 1, .model = span_str("m"), .usage = USAGE_NONE } }, o);
	if (output != SIZE_MAX)
		apply(c, (struct record){ .type = RECORD_RESULT, .result = { .exchange = id, .n = n, .call = span_str("c"),
			                  .output = words(output) } }, NULL);
	at(c, c->n - 1)->steps = n + 1;
}

/* Takes the place of the one before. */
static void put_summary(struct conversation *c, struct span text, size_t covered)
{
	struct record r = { .type = RECORD_SUMMARY, .json = json_object_new_object(),
		            .summary = { .id = span_str("s"), .up_to = at(c, covered - 1)->id, .text = text,
		                         .model = span_str("m"), .usage = USAGE_NONE } };
	struct err e = ERR_INIT;

	if (conversation_apply(c, &r, span_str(""), 0, &e) < 0 || conversation_settle(c, &e) < 0)
		abort();
}

static struct exchange *add_words(struct conversation *c, size_t query, size_t answer)
{
	struct exchange *x = add(c, "", "");

	x->query = words(query);
	x->answer = words(answer);
	return x;
}

/* What is sent, in short: the numbers of the turns, S for the summary, /N where N are
 * said to be missing, and a full stop for the prompt. */
static void tell_gap(struct buf *b, struct span said, struct span query)
{
	struct buf text = BUF_INIT;
	char *end;

	if (span_same(said, query))
		return;
	buf_add(&text, said.p, said.n);
	if (strncmp(text.p, "[", 1) == 0 && span_ends(said, "") &&
	    memcmp(said.p + said.n - query.n, query.p, query.n) == 0) {
		buf_addf(b, "/%ld", strtol(text.p + 1, &end, 10));
		if (strncmp(end, " exchange", 9) != 0 || !strstr(end, " left out]\n\n"))
			buf_adds(b, "?");
	} else {
		buf_adds(b, "?");
	}
	buf_release(&text);
}

static void tell(struct buf *b, const struct context *cx, const struct context_ask *ask)
{
	const struct conversation *c = ask->conversation;
	size_t place = 0;

	buf_clear(b);
	for (size_t i = 0; i < cx->n; i++) {
		if (!cx->of[i]) {
			buf_addc(b, 'S');
			continue;
		}
		while (place < c->n && cx->of[i] != conversation_exchange(c, place))
			place++;
		tell_gap(b, cx->turns[i].query, cx->of[i]->query);
		buf_addf(b, " %zu", place);
		if (!span_same(cx->turns[i].answer, cx->of[i]->answer))
			buf_addc(b, '!');
	}
	tell_gap(b, cx->prompt.query, ask->prompt->query);
	buf_addc(b, '.');
}

/* With all of the conversation. */
static int make(struct context *cx, const struct context_ask *ask, struct err *e)
{
	struct context_ask all = *ask;

	all.n = ask->conversation->n;
	return context_make(cx, &all, e);
}

#define sends(ask, want, ...)                                                                      \
	do {                                                                                       \
		struct buf told_ = BUF_INIT;                                                       \
		struct err e_ = ERR_INIT;                                                          \
		struct context cx_;                                                                \
		if (make(&cx_, (ask), &e_) == 0)                                            \
			tell(&told_, &cx_, (ask));                                                 \
		else                                                                               \
			buf_adds(&told_, e_.msg);                                                  \
		is_buf(&told_, want, __VA_ARGS__);                                                 \
		context_release(&cx_);                                                             \
		buf_release(&told_);                                                               \
	} while (0)

static struct exchange asked; /* the prompt */

static struct context_ask ask_of(const struct conversation *c, int64_t window, const char *prompt)
{
	asked = (struct exchange){ .query = span_str(prompt) };
	return (struct context_ask){ .conversation = c, .model = span_str("m"), .prompt = &asked,
		                     .window = window };
}

/* ---- texts ---- */

static void test_estimate(void)
{
	is_int(tokens_estimate(span_str("")), 0, "nothing");
	is_int(tokens_estimate(span_str("four")), 1, "four letters are a token");
	is_int(tokens_estimate(span_str("fives")), 2, "and a part of one is one");
	is_int(tokens_estimate(words(4000)), 1000, "English words");
	is_int(tokens_estimate(span_str("{}[]")), 2, "signs are more");
	is_int(tokens_estimate(span_str("12345678")), 8, "digits are read one by one");
	is_int(tokens_estimate(span_str("два")), 2, "two letters of another alphabet");
	is_int(tokens_estimate(span_str("東京都庁")), 5, "no Chinese character is less than one");
	is_int(tokens_estimate(span_str("😀😀")), 5, "an emoji is more");
}

/* ---- what goes along ---- */

static void test_all(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 1000, "p");

	sends(&ask, ".", "an empty conversation");
	add(&c, "one", "1");
	add(&c, "two", "2");
	sends(&ask, " 0 1.", "all of one that fits");
	ask.window = 0;
	sends(&ask, " 0 1.", "and with an unknown window");
	for (int i = 0; i < 2000; i++)
		add_words(&c, 4000, 4000);
	{
		struct err e = ERR_INIT;
		struct context cx;

		ok(make(&cx, &ask, &e) == 0 && cx.n == 2002, "with an unknown window all of any");
		ok(cx.tokens > 4000000 && cx.tokens < 6000000, "and what it comes to is counted");
		context_release(&cx);
	}
	put_summary(&c, span_str("the gist"), 2000);
	sends(&ask, "S 2000 2001.", "but what a summary stands for");
	conversation_release(&c);
}

static void test_counting(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 0, "p");

	add(&c, "one", "1");
	add(&c, "failed", "half");
	set_status(&c, STATUS_ERROR);
	add(&c, "stopped", "ha");
	set_status(&c, STATUS_INTERRUPTED);
	add(&c, "stopped at once", "");
	set_status(&c, STATUS_INTERRUPTED);
	add(&c, "two", "2");
	sends(&ask, " 0 2 4.", "those that count");
	ask.window = 1000;
	sends(&ask, " 0 2 4.", "and also with a window");
	put_summary(&c, span_str("the gist"), 4);
	ask.window = 0;
	sends(&ask, "S 4.", "a summary up to one that does not count");
	conversation_release(&c);
	add(&c, "failed", "half");
	set_status(&c, STATUS_ERROR);
	put_summary(&c, span_str("the gist"), 1);
	sends(&ask, ".", "a summary of nothing that counts");
	conversation_release(&c);
}

/* A window of 1600 leaves 1200. Exchanges of 800 bytes are 200 tokens, and 240 as they
 * are counted here. */
static void test_newest(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 1600, "p");

	for (int i = 0; i < 10; i++)
		add_words(&c, 400, 400);
	sends(&ask, " 0/6 7 8 9.", "the newest, and the first");
	ask.reply = 900;
	sends(&ask, "/8 8 9.", "more room for the reply");
	ask.reply = 1590;
	sends(&ask, "the prompt is too long by about 11 tokens: with the system prompt it has about 21, and of "
	      "the window of 1600 tokens, 1590 are kept for the reply; shorten it, or say with --context what "
	      "the window is", "none for the prompt");
	ask.reply = 1600;
	sends(&ask, "the reply may take 1600 tokens, and the window has 1600 in all: lower max_tokens, or say "
	      "with --context what the window is", "none at all");
	ask.reply = 0;
	ask.system = words(2000);
	sends(&ask, " 0/8 9.", "a system prompt takes room");
	ask.system = (struct span){ NULL, 0 };
	asked.query = words(3200);
	sends(&ask, "/9 9.", "a long prompt leaves room for the last only");
	asked.query = words(3800);
	sends(&ask, "/10.", "or for none");
	asked.query = words(4300);
	sends(&ask, "the prompt is too long by about 29 tokens: with the system prompt it has about 1229, and of "
	      "the window of 1600 tokens, 400 are kept for the reply; shorten it, or say with --context what "
	      "the window is", "or is too long itself");
	conversation_release(&c);
}

static void test_large_ones(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 1600, "p");

	add_words(&c, 400, 400);
	add_words(&c, 8000, 8000);
	add_words(&c, 400, 400);
	sends(&ask, " 0/1 2.", "one that no window holds");
	add_words(&c, 1000, 2800);
	sends(&ask, "/3 3.", "the last one may take nearly all");
	add_words(&c, 4000, 4000);
	sends(&ask, " 0/1 2/2.", "a last one that does not fit, but others do");
	add_words(&c, 10000, 10000);
	sends(&ask, " 0/1 2/3.", "one that is longer than all that is looked at does not hide what came before");
	conversation_release(&c);
}

static void test_summary(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 1600, "p");
	struct err e = ERR_INIT;
	struct context cx;

	for (int i = 0; i < 12; i++)
		add_words(&c, 400, 400);
	put_summary(&c, span_str("They spoke of w."), 9);
	sends(&ask, "S 9 10 11.", "a summary and what it does not stand for");
	ok(make(&cx, &ask, &e) == 0, "once more");
	is_span(cx.turns[0].query, "What we have said so far is left out here. This is a summary of it, of 9 "
	        "exchanges:\n\nThey spoke of w.", "is told as a prompt");
	is_span(cx.turns[0].answer, "I have read it, and go on from there.", "that is answered");
	is_int((int64_t)cx.summed, 9, "for so many");
	is_int((int64_t)cx.left_out, 0, "and none is left out");
	is_int((int64_t)cx.counting, 12, "of so many");
	context_release(&cx);
	put_summary(&c, span_str("They spoke of w."), 4);
	sends(&ask, "S/4 8 9 10 11.", "a gap behind it");
	ok(make(&cx, &ask, &e) == 0 && cx.left_out == 4 && cx.summed == 4, "counted");
	context_release(&cx);
	put_summary(&c, words(3600), 4);
	sends(&ask, " 0/8 9 10 11.", "a summary that leaves no room for the last exchange is of no use");
	put_summary(&c, words(2800), 4);
	sends(&ask, "S/7 11.", "one that does is");
	ask.window = 100000;
	sends(&ask, " 0 1 2 3 4 5 6 7 8 9 10 11.", "where all fits, there is no need of one");
	conversation_release(&c);
}

/* ---- what the figures say ---- */

static void figures(struct exchange *x, int64_t input, int64_t output)
{
	x->usage.input = input;
	x->usage.output = output;
}

static void test_figures(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 4000, "p"); /* which leaves 3000 */

	figures(add(&c, "a", "b"), 10, 5);
	figures(add(&c, "a", "b"), 20, 900);
	figures(add(&c, "a", "b"), 930, 900);
	figures(add(&c, "a", "b"), 1840, 5);
	sends(&ask, " 0 1 2 3.", "1845 and the prompt fit");
	figures(add(&c, "a", "b"), 1855, 2000);
	sends(&ask, " 0/1 2 3 4.", "3855 do not, and an exchange that costs 910 goes");
	figures(at(&c, 4), 1855, 1100);
	sends(&ask, " 0 1 2 3 4.", "2955 do");
	figures(at(&c, 4), 1855, 1180);
	sends(&ask, " 0/1 2 3 4.", "3035 do not");
	at(&c, 4)->usage.reasoning = 100;
	sends(&ask, " 0 1 2 3 4.", "reasoning is not sent again");
	at(&c, 4)->usage.reasoning = -1;
	at(&c, 4)->reasoning = span_str("thinking");
	sends(&ask, " 0 1 2 3 4.", "nor where nobody says how much it was");
	at(&c, 4)->reasoning = (struct span){ NULL, 0 };
	ask.model = span_str("other");
	sends(&ask, " 0 1 2 3 4.", "another model's figures are not taken");
	conversation_release(&c);
}

/* What was left out is not in the input; what cannot be is not believed. */
static void test_doubtful_figures(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 4000, "p");

	for (int i = 0; i < 12; i++)
		figures(add_words(&c, 1000, 1000), 9, 4);
	sends(&ask, " 0/7 8 9 10 11.", "figures that are too small for the texts are of no use");
	for (size_t i = 0; i < c.n; i++)
		figures(at(&c, i), INT64_MAX / 2, INT64_MAX / 2);
	sends(&ask, " 0/7 8 9 10 11.", "and so are those that nothing could be");
	for (size_t i = 0; i < c.n; i++)
		figures(at(&c, i), -1, -1);
	figures(at(&c, 11), 2600, 250);
	sends(&ask, " 0 1 2 3 4 5 6 7 8 9 10 11.", "the last figure is enough");
	at(&c, 11)->left_out = 6;
	sends(&ask, " 0/7 8 9 10 11.", "but that of a part is not that of the whole");
	conversation_release(&c);
}

static void test_hidden_base(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 4000, "p");
	struct err e = ERR_INIT;
	struct context cx;

	figures(add(&c, "a", "b"), 2000, 5);
	figures(add(&c, "a", "b"), 2015, 5);
	ok(make(&cx, &ask, &e) == 0 && cx.n == 2 && cx.tokens > 2020 && cx.tokens < 2040,
	   "what the provider adds counts");
	context_release(&cx);
	add_words(&c, 2000, 2000);
	sends(&ask, " 0 1/1.", "and takes its room");
	figures(at(&c, 0), 3500, 5);
	figures(at(&c, 1), 3515, 5);
	sends(&ask, "/3.", "but is no reason to refuse a prompt");
	conversation_release(&c);
}

static void test_files(void)
{
	struct attachment_ref image = { .type = span_str("image/png"), .size = 5000000 },
	                      text = { .type = span_str("text/plain"), .size = 3000 },
	                      pdf = { .type = span_str("application/pdf"), .size = 1000000 };
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 4000, "p");

	is_int(tokens_of_file(&image), 1600, "an image, whatever its size");
	is_int(tokens_of_file(&text), 1000, "a text by its size");
	is_int(tokens_of_file(&pdf), 52500, "a PDF also");
	pdf.size = INT64_MAX;
	ok(tokens_of_file(&pdf) < 100000000, "and that not without end");
	for (int i = 0; i < 3; i++)
		add_words(&c, 400, 400);
	at(&c, 1)->attachments = &image;
	at(&c, 1)->nattachments = 1;
	sends(&ask, " 0 1 2.", "files count");
	text.size = 3600;
	asked.attachments = &text;
	asked.nattachments = 1;
	sends(&ask, " 0/1 2.", "those of the prompt take room");
	text.size = 9000;
	sends(&ask, "the prompt is too long by about 21 tokens: with the system prompt it has about 3021, and of "
	      "the window of 4000 tokens, 1000 are kept for the reply; shorten it, or say with --context what "
	      "the window is", "or do not fit");
	asked.attachments = &pdf;
	sends(&ask, "/3.", "but what a PDF comes to is a guess, and no reason to refuse");
	asked.nattachments = 0;
	at(&c, 1)->attachments = &pdf;
	sends(&ask, " 0/1 2.", "too large ones are left out");
	text.size = 30; /* and was more: that is no part of each request */
	at(&c, 1)->nattachments = 0;
	at(&c, 0)->attachments = &text;
	at(&c, 0)->nattachments = 1;
	figures(at(&c, 0), 2900, 100);
	sends(&ask, "/1 1 2.", "of the first exchange's files, the figure tells");
	conversation_release(&c);
}

/* ---- steps ---- */

/* The tokens of a request with all of it, without a window. */
static int64_t tokens(const struct conversation *c, const char *provider)
{
	struct context_ask ask = ask_of(c, 0, "p");
	struct err e = ERR_INIT;
	struct context cx;
	int64_t n = -1;

	ask.provider = provider;
	if (make(&cx, &ask, &e) == 0)
		n = cx.tokens;
	context_release(&cx);
	return n;
}

/* It has grown by so many tokens and their margin, and not by much more. */
#define grew(by, c, before, ...)                                                                   \
	do {                                                                                       \
		int64_t now_ = tokens((c), NULL), least_ = (by) + (by) / 8;                         \
		if (!ok(now_ - (before) >= least_ && now_ - (before) < least_ + 80, __VA_ARGS__))   \
			tap_note("%" PRId64 " tokens more instead of %" PRId64, now_ - (before), least_); \
		(before) = now_;                                                                    \
	} while (0)

static void test_steps(void)
{
	struct attachment_ref image = { .type = span_str("image/png"), .size = 5000 };
	struct conversation c = CONVERSATION_INIT;
	int64_t before;

	add(&c, "one", "1");
	before = tokens(&c, NULL);
	add_step(&c, 0, 4000, 0, 0);
	grew(1000, &c, before, "the text of a step counts");
	add_step(&c, 1, 0, 4000, 0);
	grew(1000, &c, before, "so do the arguments of a call");
	add_step(&c, 2, 0, 0, 4000);
	grew(1000, &c, before, "and its result");
	add_step(&c, 3, 0, 0, SIZE_MAX);
	grew(20, &c, before, "or what is sent in its place");
	apply(&c, (struct record){ .type = RECORD_RESULT, .result = { .exchange = at(&c, 0)->id, .n = 3,
		.call = span_str("other"), .output = words(4000) } }, NULL);
	grew(0, &c, before, "but not the result of a call that nobody made");
	apply(&c, (struct record){ .type = RECORD_RESULT, .result = { .exchange = at(&c, 0)->id, .n = 4,
		.call = span_str("c"), .output = words(4000) } }, NULL);
	grew(0, &c, before, "nor that of a step that is not there");
	apply(&c, (struct record){ .type = RECORD_STEP, .step = { .exchange = span_str("lost"), .text = words(4000),
		.model = span_str("m") } }, NULL);
	grew(0, &c, before, "nor a step of an exchange that is not there");
	apply(&c, (struct record){ .type = RECORD_RESULT, .result = { .exchange = at(&c, 0)->id, .n = 0,
		.call = span_str("c"), .output = words(0), .attachments = &image, .nattachments = 1 } }, NULL);
	grew(1600, &c, before, "a file of a result counts");
	add(&c, "failed", "")->status = STATUS_ERROR;
	set_status(&c, STATUS_ERROR);
	add_step(&c, 0, 4000, 4000, 4000);
	grew(3000, &c, before, "and the steps of what failed, which are sent, too");
	at(&c, 1)->steps = 0;
	ok(tokens(&c, NULL) < before - 3000, "but not if its record has none");
	conversation_release(&c);
}

static int64_t looked_at(const struct conversation *c, int64_t limit)
{
	struct err e = ERR_INIT;
	struct tally t;
	int64_t n;

	if (tally_make(&t, c, c->n, limit, NULL, span_str("m"), span_str(""), &e) < 0)
		return -1;
	n = (int64_t)(c->n - t.from);
	tally_release(&t);
	return n;
}

/* A text is measured when it is first needed, and not again: it never changes. Only here it does. */
static void test_measured_once(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 4000, "p");
	struct err e = ERR_INIT;
	int64_t before;
	size_t keep;

	add_words(&c, 400, 400);
	add_step(&c, 0, 400, 400, 400);
	add_words(&c, 400, 400);
	before = tokens(&c, NULL);
	c.path[1]->record.exchange.answer = words(100000);
	c.path[0]->steps[0].record.step.text = words(100000);
	c.path[0]->steps[0].results[0].record.result.output = words(100000);
	is_int(tokens(&c, NULL), before, "a context measures no text again");
	ask.n = 2;
	ok(compact_keep(&ask, &keep, &e) == 0 && keep == 2, "nor does a compaction");
	is_int(looked_at(&c, 8000), 2, "nor who looks how far to go back");
	conversation_release(&c);
}

static int64_t tokens_running(const struct conversation *before, const struct conversation *running,
                              const char *provider)
{
	struct context_ask ask = ask_of(before, 0, "p");
	struct err e = ERR_INIT;
	struct context cx;
	int64_t n;

	ask.running = running->path[0];
	ask.provider = provider;
	n = make(&cx, &ask, &e) == 0 ? cx.tokens : -1;
	context_release(&cx);
	return n;
}

/* A turn that runs: its steps follow the prompt. */
static void test_running(void)
{
	struct conversation c = CONVERSATION_INIT, none = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&none, 4000, "p");
	struct err e = ERR_INIT;
	struct json_object *native;
	struct context cx;
	int64_t before;

	ok(context_make(&cx, &ask, &e) == 0, "without steps");
	before = cx.tokens;
	context_release(&cx);
	add(&c, "p", "");
	add_step(&c, 0, 0, 800, 4000);
	ask.running = c.path[0];
	ok(context_make(&cx, &ask, &e) == 0 && cx.tokens >= before + 1350 && cx.tokens < before + 1430 &&
	   cx.running == c.path[0], "the steps of the turn count");
	context_release(&cx);
	add_words(&none, 1000, 1000);
	add_words(&none, 1000, 1000);
	add_words(&none, 1000, 1000);
	sends(&ask, "/1 1 2.", "and take their room");
	native = parse("{\"provider\":\"o\",\"model\":\"m\",\"items\":[\"12345678\"]}");
	c.path[0]->steps[0].record.step.native = native;
	c.path[0]->steps[0].record.measure.known = false;
	before = tokens_running(&none, &c, NULL);
	is_int(tokens_running(&none, &c, "o"), before + 12, "with their native items");
	c.path[0]->steps[0].record.step.native = NULL;
	json_object_put(native);
	add_step(&c, 1, 0, 8000, 0);
	sends(&ask, "the tool calls of this turn do not fit into the window: with the prompt they have about 3636 "
	      "tokens, and of the window of 4000 tokens, 1000 are kept for the reply; --context says what the window "
	      "is", "or are too large");
	conversation_release(&c);
	conversation_release(&none);
}

/* Exchanges of 200 tokens. */
static void test_look_back(void)
{
	struct conversation c = CONVERSATION_INIT;

	for (int i = 0; i < 30; i++)
		add_words(&c, 400, 368);
	is_int(looked_at(&c, 3200), 16, "so many of the newest are looked at");
	add_step(&c, 0, 0, 0, 480);
	is_int(looked_at(&c, 3200), 16, "a result makes the last of them larger");
	add_step(&c, 1, 200, 0, 0);
	is_int(looked_at(&c, 3200), 15, "so does a step");
	add_step(&c, 2, 40000, 0, 40000);
	is_int(looked_at(&c, 3200), 15, "but none counts for more than an eighth");
	is_int(looked_at(&c, INT64_MAX), 30, "without a limit all are looked at");
	conversation_release(&c);
}

/* A window of 4000 leaves 3000. */
static void test_steps_fit(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 4000, "p");
	struct err e = ERR_INIT;
	struct context cx;

	add_words(&c, 400, 400);
	add_step(&c, 0, 0, 400, 400);
	add_words(&c, 400, 400);
	add_words(&c, 400, 400);
	sends(&ask, " 0 1 2.", "steps that fit");
	ok(make(&cx, &ask, &e) == 0 && cx.nodes[0] && cx.nodes[0]->nsteps == 1 && !cx.shortened, "go along");
	context_release(&cx);
	at(&c, 2)->usage = (struct usage){ 700, 100, -1, -1, -1, -1, -1 };
	ok(make(&cx, &ask, &e) == 0 && cx.tokens > 800 && cx.tokens < 830, "the figure of a later request has them");
	context_release(&cx);
	at(&c, 0)->usage = (struct usage){ 2900, 100, -1, -1, -1, -1, -1 };
	ok(make(&cx, &ask, &e) == 0 && cx.tokens > 800 && cx.tokens < 830, "their own is of several requests");
	context_release(&cx);
	at(&c, 0)->usage = at(&c, 2)->usage = (struct usage)USAGE_NONE;
	add_words(&c, 400, 400);
	add_step(&c, 0, 400, 4000, 4000);
	sends(&ask, " 0/2 3.", "an exchange with large steps takes their room");
	ok(make(&cx, &ask, &e) == 0 && !cx.nodes[0] && cx.shortened && cx.reduced && cx.nodes[1]->nsteps == 1,
	   "it goes with them, and the first one without");
	context_release(&cx);
	at(&c, 0)->answer = span_str("\n");
	sends(&ask, "/2 2 3.", "but not where the steps are all of its reply");
	at(&c, 0)->answer = words(400);
	add_step(&c, 1, 0, 4000, 4000);
	sends(&ask, " 0 1 2/1.", "or not at all");
	conversation_release(&c);
	add_words(&c, 400, 400);
	add_step(&c, 0, 0, 8000, 8000);
	sends(&ask, " 0.", "of the first one the steps are left out");
	ok(make(&cx, &ask, &e) == 0 && !cx.nodes[0] && cx.shortened && cx.reduced && cx.left_out == 0, "which is told");
	context_release(&cx);
	conversation_release(&c);
}

/* ---- native items ---- */

static void set_native(struct conversation *c, size_t i, const char *provider, const char *model, size_t n)
{
	struct buf b = BUF_INIT;
	struct exchange *x = at(c, i);

	buf_addf(&b, "{\"provider\":\"%s\",\"model\":\"%s\",\"items\":[{\"data\":\"%.*s\"}]}", provider, model, (int)n,
	         words(n).p);
	json_object_object_del(c->path[i]->record.json, "native");
	x->native = parse(b.p);
	json_object_object_add(c->path[i]->record.json, "native", x->native);
	buf_release(&b);
}

static void test_native(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 4000, "p");
	struct err e = ERR_INIT;
	struct context cx;
	int64_t before, with;

	for (int i = 0; i < 3; i++)
		add_words(&c, 400, 400);
	before = tokens(&c, "o");
	set_native(&c, 1, "o", "m", 4000);
	with = tokens(&c, "o");
	ok(with >= before + 1000 && with < before + 1200, "native items that are sent count");
	is_int(tokens(&c, "other"), before, "not for another provider");
	is_int(tokens(&c, NULL), before, "nor where none are wanted");
	at(&c, 1)->left_out = 1;
	is_int(tokens(&c, "o"), before, "nor those of an exchange that saw less");
	at(&c, 1)->left_out = 0;
	at(&c, 1)->answer = span_str(" ");
	ok(tokens(&c, "o") < before, "nor those of an empty answer");
	at(&c, 1)->answer = words(400);
	set_native(&c, 1, "o", "other", 4000);
	is_int(tokens(&c, "o"), before, "nor those of another model");
	set_native(&c, 1, "o", "m", 4000);
	ask.provider = "o";
	ok(make(&cx, &ask, &e) == 0 && cx.n == 3 && cx.native && cx.tokens == with, "they are sent where they fit");
	context_release(&cx);
	set_native(&c, 1, "o", "m", 12000);
	ok(make(&cx, &ask, &e) == 0 && cx.n == 3 && !cx.native && cx.tokens == before && !cx.left_out &&
	   cx.reduced == 1, "or else everything but them");
	context_release(&cx);
	put_summary(&c, span_str("They spoke."), 2);
	sends(&ask, " 0 1 2.", "before a summary takes the place of anything");
	set_native(&c, 1, "o", "m", 4000);
	figures(at(&c, 2), 2500, 100);
	ok(make(&cx, &ask, &e) == 0 && cx.native && cx.tokens > 2600 && cx.tokens < 2630, "a figure has them already");
	context_release(&cx);
	conversation_release(&c);
}

/* ---- anything ---- */

/* A provider that counts as it likes. */
struct counter {
	size_t bytes; /* a token for so many */
	int64_t message, base;
};

static int64_t count(const struct counter *k, struct span s)
{
	return (int64_t)(s.n / k->bytes) + k->message;
}

static int64_t count_request(const struct counter *k, const struct context *cx, struct span system)
{
	int64_t sum = k->base + count(k, system) + count(k, cx->prompt.query);

	for (size_t i = 0; i < cx->n; i++) {
		const struct exchange_node *node = cx->nodes[i];

		sum += count(k, cx->turns[i].query) + count(k, cx->turns[i].answer);
		for (size_t s = 0; node && s < node->nsteps; s++) {
			const struct step_node *step = &node->steps[s];

			sum += count(k, step->record.step.text) + count(k, step->results[0].record.result.output) +
			       count(k, span_str(json_object_get_string(step->record.step.calls[0].arguments)));
		}
		if (cx->native && node && node->record.exchange.native)
			sum += count(k, span_str(json_object_get_string(node->record.exchange.native)));
	}
	return sum;
}

struct tried {
	int over, early, out_of_order, without_newest, wasteful, miscounted, turns, cut, steps, native;
};

static void judge(struct tried *t, const struct counter *k, const struct context *cx,
                  const struct context_ask *ask)
{
	int64_t limit = ask->window - context_reply(ask->window), least, newest;
	const struct conversation *c = ask->conversation;
	size_t last = c->n, full = 0;

	t->turns++;
	t->cut += cx->left_out > 0;
	t->early += cx->left_out && cx->tokens > limit && cx->n;
	for (size_t i = 1; i < cx->n; i++)
		t->out_of_order += !cx->nodes[i] || (cx->nodes[i - 1] && cx->nodes[i]->place <= cx->nodes[i - 1]->place);
	for (size_t i = 0; i < cx->n; i++)
		full += cx->of[i] != NULL;
	t->miscounted += full + cx->left_out + cx->summed != cx->counting;
	while (last && !exchange_counts(conversation_exchange(c, last - 1)))
		last--;
	if (!last--)
		return;
	if (c->path[last]->nsteps) { /* and so of any size */
		t->steps += cx->n && cx->nodes[cx->n - 1] == c->path[last];
		return;
	}
	t->native += cx->native && conversation_exchange(c, last)->native;
	newest = count(k, conversation_exchange(c, last)->query) + count(k, conversation_exchange(c, last)->answer);
	least = k->base + count(k, ask->system) + count(k, ask->prompt->query) + newest;
	if (least + least / 4 + 100 < limit)
		t->without_newest += !cx->n || (cx->of[cx->n - 1] && cx->of[cx->n - 1] != conversation_exchange(c, last));
	t->wasteful += cx->left_out > 4 && least < limit / 3 && count_request(k, cx, ask->system) < limit / 3;
}

/* A conversation with such a provider, which tells what it counted. */
static void hold(struct tried *t, const struct counter *k, uint64_t *seed, bool tells)
{
	struct conversation c = CONVERSATION_INIT;
	int64_t window = 2000 + (int64_t)rnd_below(seed, 20000);
	size_t most = 40 + rnd_below(seed, (size_t)window / 4);

	for (int i = 0; i < 60; i++) {
		struct context_ask ask = ask_of(&c, window, "");
		struct err e = ERR_INIT;
		struct exchange *x;
		struct context cx;
		int64_t input;

		ask.system = words(200);
		ask.provider = "o";
		asked.query = words(1 + rnd_below(seed, most));
		if (make(&cx, &ask, &e) < 0) {
			t->over++;
			tap_note("%s", e.msg);
			break;
		}
		judge(t, k, &cx, &ask);
		input = count_request(k, &cx, ask.system);
		if (input > window && !t->over++)
			tap_note("%" PRId64 " tokens of %" PRId64 ", thought to be %" PRId64, input, window, cx.tokens);
		x = add_words(&c, 0, 1 + rnd_below(seed, 2 * most));
		x->query = asked.query;
		x->left_out = (int64_t)cx.reduced;
		if (tells)
			figures(x, input, count(k, x->answer) - k->message);
		for (int64_t s = i < 4 ? 0 : (int64_t)rnd_below(seed, 12) - 8; s > 0; s--)
			add_step(&c, x->steps, rnd_below(seed, most), rnd_below(seed, most), rnd_below(seed, 2 * most));
		if (rnd_below(seed, 4) == 0)
			set_native(&c, c.n - 1, "o", "m", rnd_below(seed, most));
		if (rnd_below(seed, 12) == 0)
			set_status(&c, rnd_below(seed, 2) ? STATUS_ERROR : STATUS_INTERRUPTED);
		if (rnd_below(seed, 30) == 0)
			put_summary(&c, span_str("a b c"), 1 + rnd_below(seed, c.n));
		context_release(&cx);
	}
	conversation_release(&c);
}

static void test_random(void)
{
	static const struct counter counters[] = {
		{ 4, 4, 0 }, { 2, 4, 0 }, { 3, 10, 100 }, { 6, 0, 0 }, { 5, 3, 800 }, { 1, 1, 0 },
	};
	struct tried t = { 0 };
	uint64_t seed = 11;

	for (size_t k = 0; k < sizeof(counters) / sizeof(counters[0]); k++)
		for (int i = 0; i < 30; i++)
			hold(&t, &counters[k], &seed, true);
	for (int i = 0; i < 30; i++)
		hold(&t, &counters[0], &seed, false);
	ok(t.turns > 10000 && t.cut > t.turns / 4, "%d turns, %d of them cut", t.turns, t.cut);
	ok(t.steps > 100 && t.native > 50, "%d with steps of the newest, %d with native items of it", t.steps, t.native);
	is_int(t.over, 0, "no request is more than the window, as the provider counts");
	is_int(t.early, 0, "or more than is left by the reply, as we do");
	is_int(t.out_of_order, 0, "all in their order");
	is_int(t.miscounted, 0, "each goes along, or is in the summary, or is counted as left out");
	is_int(t.without_newest, 0, "the newest goes along when it is of a moderate size");
	is_int(t.wasteful, 0, "the room is used");
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The same twice; and ten times as many exchanges take no ten times as long. */
static void test_many(void)
{
	struct buf told[2] = { BUF_INIT, BUF_INIT };
	static char texts[100000][24];
	int64_t took[2];

	for (size_t k = 0; k < 2; k++) {
		struct conversation c = CONVERSATION_INIT;
		size_t n = k ? 100000 : 10000;
		struct context_ask ask;
		struct err e = ERR_INIT;
		struct context cx;

		ask = ask_of(&c, 50000, "p");
		for (size_t i = 0; i < n; i++) {
			snprintf(texts[i], sizeof(texts[i]), "word %zu", i);
			add(&c, texts[i], "")->answer = words(100);
		}
		took[k] = now_ms();
		ok(make(&cx, &ask, &e) == 0, "%zu exchanges", n);
		took[k] = now_ms() - took[k];
		ok(cx.n > 500 && cx.left_out == n - cx.n && cx.counting == n, "some of them");
		tell(&told[0], &cx, &ask);
		context_release(&cx);
		ok(make(&cx, &ask, &e) == 0, "again");
		tell(&told[1], &cx, &ask);
		is_same(buf_span(&told[0]), buf_span(&told[1]), "the same again");
		ok(strncmp(told[0].p, " 0/", 3) == 0, "with the first");
		context_release(&cx);
		conversation_release(&c);
	}
	ok(took[1] < 10 * (took[0] + 5), "%" PRId64 " ms and then %" PRId64, took[0], took[1]);
	buf_release(&told[0]);
	buf_release(&told[1]);
}

/* ---- a long history, of which only as much is read as the request can hold ---- */

static struct store store = { .dir = ".", .fd = -1, .stop_fd = -1 };

/* A request, with the ids of its exchanges; its numbers without interrupted exchanges, of which the
 * index does not know. With `exact` all of it. */
static void tell_request(struct buf *b, const struct context *cx, bool exact)
{
	const struct context_incomplete *in = &cx->incomplete;

	buf_clear(b);
	for (size_t i = 0; i < cx->n; i++) {
		struct span text = cx->of[i] ? cx->of[i]->id : span_str("S"), query = cx->turns[i].query;

		buf_addf(b, "%.*s ", (int)text.n, text.p);
		if (cx->nodes[i])
			buf_addf(b, "%zu steps ", cx->nodes[i]->nsteps);
		if (exact)
			buf_addf(b, "'%.*s' %zu ", (int)(query.n < 60 ? query.n : 60), query.p, cx->turns[i].answer.n);
	}
	buf_addf(b, "; of %zu, %zu are left out and %zu are in the summary", cx->counting - in->counting,
	         cx->left_out - in->left_out, cx->summed - in->summed);
	if (exact)
		buf_addf(b, ", %zu of them summed up; %" PRId64 " tokens; %.*s", cx->summed, cx->tokens,
		         (int)cx->prompt.query.n, cx->prompt.query.p);
}

/* Its steps, each with a result. */
static void write_steps(struct buf *b, const struct exchange *x, uint64_t *seed)
{
	struct json_object *none = json_object_new_object();
	const struct tool_call call = { span_str("c"), span_str("run"), none };

	for (int64_t n = 0; n < x->steps; n++) {
		record_add_step(b, &(struct step){ .exchange = x->id, .n = n, .timestamp = 9,
		                                   .text = words(rnd_below(seed, 3000)), .calls = &call, .ncalls = 1, .model = span_str("m"), .duration = -1, .usage = USAGE_NONE });
		record_add_result(b, &(struct result){ .exchange = x->id, .n = n, .call = span_str("c"), .timestamp = 9,
		                                       .exit_status = 0, .duration = -1,
		                                       .output = words(rnd_below(seed, 4000)) });
	}
	json_object_put(none);
}

/* A session of some hundreds of kilobytes. */
static void write_long(const char *id, uint64_t *seed, bool interrupted, bool summary, size_t steps)
{
	struct session_head head = { .created_at = 5, .id = span_str(id), .provider = span_str("echo"),
		                     .model = span_str("m"), .cwd = span_str("/w") };
	struct session x = SESSION_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	char name[ID_SIZE], path[64], own[16], last[16];
	FILE *f;

	session_create(&store, &head, name, &e);
	for (int i = 0; i < 300; i++) {
		struct exchange q = { .has_parent = true, .timestamp = 10 + i, .query = words(1 + rnd_below(seed, 600)),
			              .answer = words(600 + rnd_below(seed, 2000)), .model = span_str("m"),
			              .duration = -1, .usage = USAGE_NONE };

		snprintf(own, sizeof(own), "x%d", i);
		q.id = span_str(own);
		if (i)
			q.parent = span_str(last);
		if (rnd_below(seed, 40) == 0)
			q.query = span_str("the heron");
		if (rnd_below(seed, 8) == 0)
			q.status = interrupted && rnd_below(seed, 2) ? STATUS_INTERRUPTED : STATUS_ERROR;
		else if (rnd_below(seed, 2))
			q.usage = (struct usage){ 700 * (i + 1), 300, -1, -1, -1, -1, -1 };
		if (rnd_below(seed, 5) == 0 || (steps && i == 0))
			q.steps = q.status == STATUS_ERROR && !interrupted ? 0 : (int64_t)rnd_below(seed, steps + 1);
		if (q.steps && rnd_below(seed, 4) == 0)
			q.answer = span_str("");
		write_steps(&b, &q, seed);
		record_add_exchange(&b, &q);
		memcpy(last, own, sizeof(last));
	}
	snprintf(last, sizeof(last), "x%zu", rnd_below(seed, 300));
	if (summary)
		record_add_summary(&b, &(struct summary){ .id = span_str("s"), .timestamp = 9, .up_to = span_str(last),
			                                  .text = span_str("They spoke."), .model = span_str("m"),
			                                  .usage = USAGE_NONE });
	snprintf(path, sizeof(path), "%s/history.jsonl", id);
	f = fopen(path, "ae");
	if (!f || fwrite(b.p, 1, b.n, f) != b.n || fclose(f) != 0 || session_read(&x, &store, id, NULL, &e) < 0)
		ok(false, "cannot write '%s': %s", path, e.msg);
	index_update(&store, id, &x.conversation.info);
	session_release(&x);
	buf_release(&b);
}

static void test_read_enough(void)
{
	uint64_t seed = 21;
	int other = 0, partial = 0, failed = 0, with_summary = 0;
	size_t most = 0;

	for (int i = 0; i < 24; i++) {
		bool interrupted = i % 2, summary = i % 4 > 1;
		int64_t window = 3000 + (int64_t)rnd_below(&seed, 6000);
		struct session part = SESSION_INIT, all = SESSION_INIT;
		struct buf a = BUF_INIT, b = BUF_INIT;
		struct history_want w;
		struct err e = ERR_INIT;
		char id[8];

		snprintf(id, sizeof(id), "l%d", i);
		write_long(id, &seed, interrupted, summary, i < 8 ? 0 : (size_t)i);
		if (session_read(&part, &store, id, context_want(&w, window, 0), &e) < 0 ||
		    session_read(&all, &store, id, NULL, &e) < 0)
			tap_note("%s", e.msg);
		for (int k = 0; k < 4; k++) {
			struct context_ask ask = ask_of(&part.conversation, window, k % 2 ? "The heron?" : "p");
			struct context cx;

			ask.reply = k > 1 ? window / 2 : 0;
			failed += make(&cx, &ask, &e) < 0;
			tell_request(&a, &cx, !interrupted);
			with_summary += cx.summed > 0;
			context_release(&cx);
			ask.conversation = &all.conversation;
			failed += make(&cx, &ask, &e) < 0;
			tell_request(&b, &cx, !interrupted);
			context_release(&cx);
			if (!span_same(buf_span(&a), buf_span(&b)) && !other++)
				tap_note("'%s', window %" PRId64 ", prompt %d: %s\n# instead of %s", id, window, k, a.p, b.p);
		}
		partial += part.conversation.partial;
		most = part.conversation.n > most ? part.conversation.n : most;
		session_release(&part);
		session_release(&all);
		buf_release(&a);
		buf_release(&b);
	}
	is_int(failed, 0, "requests of long sessions");
	is_int(partial, 24, "of each of which only a part was read");
	ok(most < 200, "and no large one (%zu)", most);
	ok(with_summary > 10, "some with a summary (%d)", with_summary);
	is_int(other, 0, "each is what it would be had all been read");
}

/* How many exchanges like this are wanted for such a request, up to 100. */
static int wanted(int64_t window, int64_t reply, struct record *r)
{
	struct history_want w;
	int64_t sum = 0, weight;
	int n = 0;

	if (!context_want(&w, window, reply))
		return -1;
	for (; n < 100 && sum < w.limit; n++) {
		weight = w.weigh(r);
		weight = weight < 0 ? 0 : weight;
		sum += weight < w.most ? weight : w.most;
	}
	return n;
}

static void test_want(void)
{
	struct record r = { .type = RECORD_EXCHANGE, .exchange = { .query = words(400), .answer = words(368) } };
	struct attachment_ref image = { .type = span_str("image/png"), .size = 5000 };

	is_int(wanted(0, 0, &r), -1, "without a window all of a history is wanted");
	is_int(wanted(4000, 0, &r), 30, "with one, twice what it leaves"); /* 3000; 200 tokens each */
	is_int(wanted(4000, 3000, &r), 10, "which is less with a longer reply");
	r.exchange.query = words(40000);
	is_int(wanted(4000, 3000, &r), 10, "it was measured once");
	r.measure.known = false;
	is_int(wanted(4000, 3000, &r), 8, "a large exchange counts as an eighth of that");
	r.exchange.status = STATUS_ERROR;
	is_int(wanted(4000, 3000, &r), 100, "those that failed are not counted");
	r = (struct record){ .type = RECORD_EXCHANGE, .exchange = { .attachments = &image, .nattachments = 1 } };
	is_int(wanted(80000, 0, &r), 80, "files count"); /* 2 * 63616 tokens; 1608 each */
}

int main(void)
{
	test_estimate();
	test_all();
	test_counting();
	test_newest();
	test_large_ones();
	test_summary();
	test_figures();
	test_doubtful_figures();
	test_hidden_base();
	test_files();
	test_steps();
	test_look_back();
	test_measured_once();
	test_running();
	test_steps_fit();
	test_native();
	test_random();
	test_many();
	test_want();
	temp_enter();
	store.fd = open(".", O_RDONLY | O_DIRECTORY);
	test_read_enough();
	close(store.fd);
	return tap_end();
}
