/* What is made of a reply as it arrives, in whatever pieces. */
#include "provider/wire.h"
#include "client/reply-filter.h"

#include "data.h"
#include "tap.h"

#define KEY "sk-live-0123456789"
#define HIDDEN "******************"
#define HIGH "\xed\xa0\xbd" /* of U+1F600 */
#define LOW "\xed\xb8\x80"
#define FACE "\xf0\x9f\x98\x80"
#define BAD "\xef\xbf\xbd"

struct filtered {
	struct reply reply;
	struct reply_filter f;
	struct buf text, reasoning; /* as it was shown */
	bool taken_back;
};

static void look(struct buf *shown, const struct buf *b, size_t ready, bool *taken_back)
{
	*taken_back |= ready < shown->n || ready > b->n || memcmp(b->p, shown->p, shown->n) != 0;
	if (!*taken_back)
		buf_add(shown, b->p + shown->n, ready - shown->n);
}

static void run(struct filtered *x, bool last)
{
	reply_filter_run(&x->f, &x->reply, last);
	look(&x->text, &x->reply.text, x->f.text, &x->taken_back);
	look(&x->reasoning, &x->reply.reasoning, x->f.reasoning, &x->taken_back);
}

/* `text` arrives in pieces that end at the cuts, or byte by byte. */
static void filter(struct filtered *x, const struct key *key, bool tags, struct span text, size_t one, size_t two)
{
	*x = (struct filtered){ .reply = REPLY_INIT, .text = BUF_INIT, .reasoning = BUF_INIT };
	x->f = (struct reply_filter){ .key = key, .think_tags = tags };
	for (size_t at = 0, end; at < text.n; at = end) {
		end = one == 0 ? at + 1 : at < one ? one : at < two ? two : text.n;
		buf_add(&x->reply.text, text.p + at, end - at);
		run(x, false);
	}
	run(x, true);
}

static void filtered_release(struct filtered *x)
{
	reply_release(&x->reply);
	buf_release(&x->text);
	buf_release(&x->reasoning);
}

static const struct {
	const char *text, *want, *reasoning;
} cases[] = {
	{ "", "", "" },
	{ "fine", "fine", "" },
	{ "a" HIGH LOW "b", "a" FACE "b", "" },
	{ "a" HIGH "b", "a" BAD "b", "" },
	{ LOW "a" HIGH, BAD "a" BAD, "" },
	{ HIGH HIGH LOW LOW, BAD FACE BAD, "" },
	{ "\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80", "" },
	{ "it is " KEY ".", "it is " HIDDEN ".", "" },
	{ "sk-live-0123" HIGH LOW, "sk-live-0123" FACE, "" },
	{ KEY KEY, HIDDEN HIDDEN, "" },
	{ "sk-sk-live-" KEY, "sk-sk-live-" HIDDEN, "" },
	{ "sk-live-01234567", "****************", "" },
	{ "it begins with sk-liv", "it begins with sk-liv", "" },
	{ "sk-live-0123 and no more", "sk-live-0123 and no more", "" },
	{ "<think>let me see</think>fine", "fine", "let me see" },
	{ " \n<think>\nlet me\n\nsee\n</think>\n\nfine\n", "fine\n", "let me\n\nsee" },
	{ "<think>\n\n</think>\n\nfine", "fine", "" },
	{ "<think></think>", "", "" },
	{ "<think>no end", "", "no end" },
	{ "<think>a </thin b </think> c", "c", "a </thin b" },
	{ "<think>a <think> b</think>c</think>d", "c</think>d", "a <think> b" },
	{ "<THINK>a</Think>b", "b", "a" },
	{ "<think>a</think>\n\n<think>b</think>c <think>d</think>", "c <think>d</think>", "a\n\nb" },
	{ "<think>a</think> <thin", "<thin", "a" },
	{ "<think></think><think>b", "", "b" },
	{ "<thin", "<thin", "" },
	{ "<thinking>a</thinking>", "<thinking>a</thinking>", "" },
	{ " \n fine", " \n fine", "" },
	{ " \n", " \n", "" },
	{ "so <think>a</think>", "so <think>a</think>", "" },
	{ "</think>a", "</think>a", "" },
	{ "<think>" KEY " " HIGH LOW "</think>" LOW KEY, BAD HIDDEN, HIDDEN " " FACE },
	{ "<think>it is sk-live-0123</think>456789", "456789", "it is ************" },
};

static void test_cases(void)
{
	struct key key = KEY_INIT;

	buf_adds(&key.value, KEY);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span text = span_str(cases[i].text);
		int differ = 0, shown = 0;

		for (size_t one = 0; one <= text.n; one++)
			for (size_t two = one; two <= text.n; two += one ? 1 : text.n + 1) {
				struct filtered x;

				filter(&x, &key, true, text, one, two);
				if ((!span_eq(buf_span(&x.reply.text), cases[i].want) ||
				     !span_eq(buf_span(&x.reply.reasoning), cases[i].reasoning)) && !differ++)
					tap_note("cut at %zu and %zu: '%s' and '%s'", one, two, x.reply.text.p,
					         x.reply.reasoning.p);
				shown += x.taken_back || !span_same(buf_span(&x.text), buf_span(&x.reply.text)) ||
				         !span_same(buf_span(&x.reasoning), buf_span(&x.reply.reasoning));
				filtered_release(&x);
			}
		is_int(differ, 0, "the same in whatever pieces, case %zu", i);
		is_int(shown, 0, "and nothing of what was shown changes");
	}
	key_release(&key);
}

static void test_without(void)
{
	struct key none = KEY_INIT, small = KEY_INIT;
	struct filtered x;

	filter(&x, &none, false, span_str("<think>a</think>b" HIGH), 4, 9);
	is_buf(&x.reply.text, "<think>a</think>b" BAD, "tags stay where they are not looked for");
	is_buf(&x.reply.reasoning, "", "and there is no reasoning");
	filtered_release(&x);
	buf_adds(&small.value, "short");
	filter(&x, &small, true, span_str("a short one"), 4, 9);
	is_buf(&x.reply.text, "a short one", "a key of a few letters is not a secret");
	filtered_release(&x);
	key_release(&small);
}

static void test_others(void)
{
	struct filtered x = { .reply = REPLY_INIT, .text = BUF_INIT, .reasoning = BUF_INIT };
	struct key key = KEY_INIT;
	struct reply_call *call;

	buf_adds(&key.value, KEY);
	x.f = (struct reply_filter){ .key = &key, .think_tags = true };
	buf_adds(&x.reply.reasoning, "first" HIGH);
	run(&x, false);
	is_buf(&x.reasoning, "first", "half a character of the reasoning waits");
	buf_adds(&x.reply.reasoning, LOW " sk-live-");
	run(&x, false);
	is_buf(&x.reasoning, "first" FACE " ", "so does what may be the key");
	ok(x.f.key_open && !x.f.hidden, "which is said");
	buf_adds(&x.reply.reasoning, "0123456789");
	buf_adds(&x.reply.text, "<think>more</think>fine");
	buf_adds(&x.reply.finish_reason, "x" KEY);
	call = wire_call(&x.reply, span_str(KEY), -1);
	wire_call_name(&x.reply, call, span_str(KEY));
	buf_adds(&call->arguments, "{\"key\":\"" KEY "\"}");
	run(&x, false);
	ok(!x.f.key_open && x.f.hidden, "and that it was");
	run(&x, true);
	is_buf(&x.reply.reasoning, "first" FACE " " HIDDEN "\n\nmore", "reasoning in tags is a paragraph of its own");
	is_buf(&x.reply.finish_reason, "x" HIDDEN, "a finish reason has no key");
	is_buf(&call->id, HIDDEN, "nor has the id of a call");
	is_buf(&call->name, HIDDEN, "nor the tool's name");
	is_buf(&call->arguments, "{\"key\":\"" HIDDEN "\"}", "nor the arguments");
	filtered_release(&x);
	key_release(&key);
}

/* What waits to be shown has an end. */
static void test_blanks(void)
{
	struct filtered x = { .reply = REPLY_INIT, .text = BUF_INIT, .reasoning = BUF_INIT };
	struct key none = KEY_INIT;
	size_t most = 0;

	x.f = (struct reply_filter){ .key = &none, .think_tags = true };
	for (int i = 0; i < 3; i++) {
		buf_adds(&x.reply.text, i == 1 ? "<think>a" : "");
		for (int k = 0; k < 6000; k++) {
			buf_addc(&x.reply.text, ' ');
			run(&x, false);
			most = x.reply.text.n - x.f.text > most ? x.reply.text.n - x.f.text : most;
		}
	}
	ok(most <= 4200, "no more than 4 KB of blanks wait (%zu)", most);
	filtered_release(&x);
}

int main(void)
{
	test_cases();
	test_without();
	test_others();
	test_blanks();
	return tap_end();
}
