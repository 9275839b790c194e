#include "turn/context.h"
#include "turn/relevance.h"

#include <time.h>

#include "data.h"
#include "tap.h"

/* ---- conversations ---- */

static struct exchange *add(struct conversation *c, const char *query, const char *answer)
{
	struct record *more = realloc(c->turns, (c->n + 1) * sizeof(*more));
	struct exchange *x;

	if (!more)
		abort();
	c->turns = more;
	c->turns[c->n] = (struct record){ .type = RECORD_EXCHANGE };
	x = &c->turns[c->n++].exchange;
	*x = (struct exchange){ .query = span_str(query), .answer = span_str(answer),
		                .model = span_str("m"), .duration = -1, .usage = USAGE_NONE };
	return x;
}

static void put_gist(struct conversation *c, const char *text, size_t covered)
{
	c->summary.type = RECORD_SUMMARY;
	c->summary.summary.text = span_str(text);
	c->summary.json = json_object_new_object();
	c->covered = covered;
}

static void forget(struct conversation *c)
{
	record_release(&c->summary);
	free(c->turns);
	*c = (struct conversation)CONVERSATION_INIT;
}

/* A text of `n` bytes in words of four letters, which is n / 4 tokens. */
static struct span words(size_t n)
{
	static char text[1 << 17];

	if (!text[0])
		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = i % 5 == 4 ? ' ' : 'w';
	return (struct span){ text, n };
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
	size_t at = 0;

	buf_clear(b);
	for (size_t i = 0; i < cx->n; i++) {
		if (!cx->of[i]) {
			buf_addc(b, 'S');
			continue;
		}
		while (at < c->n && cx->of[i] != &c->turns[at].exchange)
			at++;
		tell_gap(b, cx->turns[i].query, cx->of[i]->query);
		buf_addf(b, " %zu", at);
		if (!span_same(cx->turns[i].answer, cx->of[i]->answer))
			buf_addc(b, '!');
	}
	tell_gap(b, cx->prompt.query, ask->prompt->query);
	buf_addc(b, '.');
}

#define sends(ask, want, ...)                                                                      \
	do {                                                                                       \
		struct buf told_ = BUF_INIT;                                                       \
		struct err e_ = ERR_INIT;                                                          \
		struct context cx_;                                                                \
		if (context_make(&cx_, (ask), &e_) == 0)                                           \
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

		ok(context_make(&cx, &ask, &e) == 0 && cx.n == 2002, "with an unknown window all of any");
		ok(cx.tokens > 4000000 && cx.tokens < 6000000, "and what it comes to is counted");
		context_release(&cx);
	}
	put_gist(&c, "the gist", 2000);
	sends(&ask, "S 2000 2001.", "but what a summary stands for");
	forget(&c);
}

static void test_counting(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 0, "p");

	add(&c, "one", "1");
	add(&c, "failed", "half")->status = STATUS_ERROR;
	add(&c, "stopped", "ha")->status = STATUS_INTERRUPTED;
	add(&c, "stopped at once", "")->status = STATUS_INTERRUPTED;
	add(&c, "two", "2");
	sends(&ask, " 0 2 4.", "those that count");
	ask.window = 1000;
	sends(&ask, " 0 2 4.", "and also with a window");
	put_gist(&c, "the gist", 4);
	ask.window = 0;
	sends(&ask, "S 4.", "a summary up to one that does not count");
	forget(&c);
	add(&c, "failed", "half")->status = STATUS_ERROR;
	put_gist(&c, "the gist", 1);
	sends(&ask, ".", "a summary of nothing that counts");
	forget(&c);
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
	forget(&c);
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
	add_words(&c, 8000, 8000);
	sends(&ask, " 0/1 2/2.", "a last one that does not fit, but others do");
	forget(&c);
}

static void test_relevant(void)
{
	static char texts[40][64];
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 2020, "And what of the Heron, in the end?");

	for (int i = 0; i < 40; i++) {
		snprintf(texts[i], sizeof(texts[i]), "And what of the item in place %d?", i);
		add(&c, texts[i], "")->answer = words(400);
	}
	sends(&ask, " 0/29 30 31 32 33 34 35 36 37 38 39.", "nothing relevant: the first and the newest");
	c.turns[12].exchange.query = span_str("A heron stands in the reeds");
	sends(&ask, " 0/11 12/18 31 32 33 34 35 36 37 38 39.", "what shares a rare word goes along");
	c.turns[20].exchange.query = span_str("It's the HERON, in all of this.");
	c.turns[25].exchange.query = span_str("Herons, and heronry in place 25");
	ask.window = 2420;
	sends(&ask, " 0/11 12/7 20/9 30 31 32 33 34 35 36 37 38 39.", "a capital is the same, another word is not");
	ask.window = 2020;
	for (int i = 2; i < 30; i++)
		c.turns[i].exchange.query = span_str("The heron");
	sends(&ask, " 0/29 30 31 32 33 34 35 36 37 38 39.", "of those that are equally so, the newest");
	asked.query = span_str("鷺について");
	c.turns[7].exchange.query = span_str("青鷺の話");
	sends(&ask, " 0/6 7/23 31 32 33 34 35 36 37 38 39.", "a word is found where there are no spaces");
	forget(&c);
}

/* The scores of some exchanges, as text. */
static void score(struct buf *b, const char *const *texts, size_t n, const char *prompt)
{
	struct conversation c = CONVERSATION_INIT;
	struct err e = ERR_INIT;
	uint32_t scores[16];
	size_t turn[16];

	buf_clear(b);
	for (size_t i = 0; i < n; i++) {
		add(&c, texts[i], "")->answer = span_str(i % 2 ? "" : texts[i]);
		turn[i] = i;
	}
	ok(relevance_score(scores, &c, turn, n, span_str(prompt), &e) == 0, "scores for '%s'", prompt);
	for (size_t i = 0; i < n; i++)
		buf_addf(b, " %u", scores[i]);
	forget(&c);
}

static void test_scores(void)
{
	static const char *const texts[] = {
		"alpha alpha alpha", "the Alpha of beta", "the beta", "the gamma42", "the größe", "the 漢字",
		"the \xe6", "the [alphabet]",
	};
	struct buf b = BUF_INIT;

	score(&b, texts, 8, "alpha");
	is_buf(&b, " 2 2 0 0 0 0 0 0", "one of four exchanges, however often it has the word");
	score(&b, texts, 8, "Beta, alpha; beta");
	is_buf(&b, " 2 4 2 0 0 0 0 0", "the sum, however often the prompt has it");
	score(&b, texts, 8, "the");
	is_buf(&b, " 0 0 0 0 0 0 0 0", "what nearly all have is nothing");
	score(&b, texts, 8, "gamma42 gamma");
	is_buf(&b, " 0 0 0 3 0 0 0 0", "digits belong to a word");
	score(&b, texts, 8, "GRößE?");
	is_buf(&b, " 0 0 0 0 3 0 0 0", "so do other letters");
	score(&b, texts, 8, "字");
	is_buf(&b, " 0 0 0 0 0 3 0 0", "a character of a script without spaces is a word");
	score(&b, texts, 8, "");
	is_buf(&b, " 0 0 0 0 0 0 0 0", "no words");
	score(&b, texts, 8, "\xe6");
	is_buf(&b, " 0 0 0 0 0 0 3 0", "half a character breaks nothing");
	buf_release(&b);
}

static void test_gist(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 1600, "p");
	struct err e = ERR_INIT;
	struct context cx;

	for (int i = 0; i < 12; i++)
		add_words(&c, 400, 400);
	put_gist(&c, "They spoke of w.", 9);
	sends(&ask, "S 9 10 11.", "a summary and what it does not stand for");
	ok(context_make(&cx, &ask, &e) == 0, "once more");
	is_span(cx.turns[0].query, "What we have said so far is left out here. This is a summary of it, of 9 "
	        "exchanges:\n\nThey spoke of w.", "is told as a prompt");
	is_span(cx.turns[0].answer, "I have read it, and go on from there.", "that is answered");
	is_int((int64_t)cx.summed, 9, "for so many");
	is_int((int64_t)cx.left_out, 0, "and none is left out");
	is_int((int64_t)cx.counting, 12, "of so many");
	context_release(&cx);
	c.covered = 4;
	sends(&ask, "S/4 8 9 10 11.", "a gap behind it");
	c.turns[6].exchange.query = span_str("heron");
	asked.query = span_str("The heron?");
	sends(&ask, "S/2 6/1 8 9 10 11.", "with one that is relevant");
	ok(context_make(&cx, &ask, &e) == 0 && cx.left_out == 3 && cx.summed == 4, "counted");
	context_release(&cx);
	asked.query = span_str("p");
	c.turns[6].exchange.query = words(400);
	c.summary.summary.text = words(3600);
	sends(&ask, " 0/8 9 10 11.", "a summary that leaves no room for the last exchange is of no use");
	c.summary.summary.text = words(2800);
	sends(&ask, "S/7 11.", "one that does is");
	ask.window = 100000;
	sends(&ask, " 0 1 2 3 4 5 6 7 8 9 10 11.", "where all fits, there is no need of one");
	forget(&c);
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
	figures(&c.turns[4].exchange, 1855, 1100);
	sends(&ask, " 0 1 2 3 4.", "2955 do");
	figures(&c.turns[4].exchange, 1855, 1180);
	sends(&ask, " 0/1 2 3 4.", "3035 do not");
	c.turns[4].exchange.usage.reasoning = 100;
	sends(&ask, " 0 1 2 3 4.", "reasoning is not sent again");
	c.turns[4].exchange.usage.reasoning = -1;
	c.turns[4].exchange.reasoning = span_str("thinking");
	sends(&ask, " 0 1 2 3 4.", "nor where nobody says how much it was");
	c.turns[4].exchange.reasoning = (struct span){ NULL, 0 };
	ask.model = span_str("other");
	sends(&ask, " 0 1 2 3 4.", "another model's figures are not taken");
	forget(&c);
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
		figures(&c.turns[i].exchange, INT64_MAX / 2, INT64_MAX / 2);
	sends(&ask, " 0/7 8 9 10 11.", "and so are those that nothing could be");
	for (size_t i = 0; i < c.n; i++)
		figures(&c.turns[i].exchange, -1, -1);
	figures(&c.turns[11].exchange, 2600, 250);
	sends(&ask, " 0 1 2 3 4 5 6 7 8 9 10 11.", "the last figure is enough");
	c.turns[11].exchange.left_out = 6;
	sends(&ask, " 0/7 8 9 10 11.", "but that of a part is not that of the whole");
	forget(&c);
}

static void test_hidden_base(void)
{
	struct conversation c = CONVERSATION_INIT;
	struct context_ask ask = ask_of(&c, 4000, "p");
	struct err e = ERR_INIT;
	struct context cx;

	figures(add(&c, "a", "b"), 2000, 5);
	figures(add(&c, "a", "b"), 2015, 5);
	ok(context_make(&cx, &ask, &e) == 0 && cx.n == 2 && cx.tokens > 2020 && cx.tokens < 2040,
	   "what the provider adds counts");
	context_release(&cx);
	add_words(&c, 2000, 2000);
	sends(&ask, " 0 1/1.", "and takes its room");
	figures(&c.turns[0].exchange, 3500, 5);
	figures(&c.turns[1].exchange, 3515, 5);
	sends(&ask, "/3.", "but is no reason to refuse a prompt");
	forget(&c);
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
	c.turns[1].exchange.attachments = &image;
	c.turns[1].exchange.nattachments = 1;
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
	c.turns[1].exchange.attachments = &pdf;
	sends(&ask, " 0/1 2.", "too large ones are left out");
	text.size = 30; /* and was more: that is no part of each request */
	c.turns[1].exchange.nattachments = 0;
	c.turns[0].exchange.attachments = &text;
	c.turns[0].exchange.nattachments = 1;
	figures(&c.turns[0].exchange, 2900, 100);
	sends(&ask, "/1 1 2.", "of the first exchange's files, the figure tells");
	forget(&c);
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

	for (size_t i = 0; i < cx->n; i++)
		sum += count(k, cx->turns[i].query) + count(k, cx->turns[i].answer);
	return sum;
}

struct tried {
	int over, early, out_of_order, without_newest, wasteful, miscounted, turns, cut;
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
		t->out_of_order += !cx->of[i] || cx->of[i] <= cx->of[i - 1];
	for (size_t i = 0; i < cx->n; i++)
		full += cx->of[i] != NULL;
	t->miscounted += full + cx->left_out + cx->summed != cx->counting;
	while (last && !exchange_counts(&c->turns[last - 1].exchange))
		last--;
	if (!last--)
		return;
	newest = count(k, c->turns[last].exchange.query) + count(k, c->turns[last].exchange.answer);
	least = k->base + count(k, ask->system) + count(k, ask->prompt->query) + newest;
	if (least + least / 4 + 100 < limit)
		t->without_newest += !cx->n || (cx->of[cx->n - 1] && cx->of[cx->n - 1] != &c->turns[last].exchange);
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
		asked.query = words(1 + rnd_below(seed, most));
		if (context_make(&cx, &ask, &e) < 0) {
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
		x->left_out = (int64_t)(cx.left_out + cx.summed);
		if (tells)
			figures(x, input, count(k, x->answer) - k->message);
		if (rnd_below(seed, 12) == 0)
			x->status = rnd_below(seed, 2) ? STATUS_ERROR : STATUS_INTERRUPTED;
		if (rnd_below(seed, 30) == 0) {
			record_release(&c.summary);
			put_gist(&c, "a b c", 1 + rnd_below(seed, c.n));
		}
		context_release(&cx);
	}
	forget(&c);
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

/* The same twice; and ten times as many exchanges take no hundred times as long. */
static void test_many(void)
{
	struct buf told[2] = { BUF_INIT, BUF_INIT };
	static char texts[100000][24];
	int64_t took[2];

	for (size_t k = 0; k < 2; k++) {
		struct conversation c = CONVERSATION_INIT;
		struct context_ask ask = ask_of(&c, 50000, "word 77777 or 99 or 1234");
		struct err e = ERR_INIT;
		struct context cx;
		size_t n = k ? 100000 : 10000;

		c.turns = calloc(n, sizeof(*c.turns));
		for (size_t i = 0; i < n; i++) {
			snprintf(texts[i], sizeof(texts[i]), "word %zu", i);
			c.turns[i].exchange = (struct exchange){ .query = span_str(texts[i]), .answer = words(100),
				                                 .model = span_str("m"), .usage = USAGE_NONE };
		}
		c.n = n;
		took[k] = now_ms();
		ok(context_make(&cx, &ask, &e) == 0, "%zu exchanges", n);
		took[k] = now_ms() - took[k];
		ok(cx.n > 500 && cx.left_out == n - cx.n, "some of them");
		tell(&told[0], &cx, &ask);
		context_release(&cx);
		ok(context_make(&cx, &ask, &e) == 0, "again");
		tell(&told[1], &cx, &ask);
		is_same(buf_span(&told[0]), buf_span(&told[1]), "the same again");
		ok(strstr(told[0].p, " 99/") && strstr(told[0].p, " 1234/"), "with the relevant ones");
		context_release(&cx);
		forget(&c);
	}
	ok(took[1] < 40 * (took[0] + 5), "%" PRId64 " ms and then %" PRId64, took[0], took[1]);
	buf_release(&told[0]);
	buf_release(&told[1]);
}

int main(void)
{
	test_estimate();
	test_all();
	test_counting();
	test_newest();
	test_large_ones();
	test_relevant();
	test_scores();
	test_gist();
	test_figures();
	test_doubtful_figures();
	test_hidden_base();
	test_files();
	test_random();
	test_many();
	return tap_end();
}
