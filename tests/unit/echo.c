#include "conversation.h"
#include "data.h"
#include "provider/provider.h"
#include "tap.h"

static const struct provider *echo;

/* The pieces of the reply, with "|" between them. */
static void speak(const char *prompt, struct reply *r, struct buf *pieces)
{
	struct span copy = exact(span_str(prompt));
	struct chat_request rq = { .model = "echo", ASKING(copy) };
	struct err e = ERR_INIT;
	int more;

	*r = (struct reply)REPLY_INIT;
	buf_clear(pieces);
	do {
		size_t before = r->text.n;

		more = echo->local(&rq, r, &e);
		buf_addf(pieces, "%s%s", before ? "|" : "", r->text.p + before);
	} while (more > 0);
	is_int(more, 0, "'%s' is said to its end", prompt);
	drop(copy);
}

static void test_speak(void)
{
	static const struct {
		const char *prompt, *pieces;
		int words;
	} cases[] = {
		{ "", "", 0 },
		{ "one", "one", 1 },
		{ "one two  three", "one| two|  three", 3 },
		{ " lead", " lead", 1 },
		{ "trail \n", "trail| \n", 1 },
		{ "a\nb\tc\r\n", "a|\nb|\tc|\r\n", 3 },
		{ "  \n ", "  \n ", 0 },
		{ "é 漢字 😀", "é| 漢字| 😀", 3 },
	};
	struct buf pieces = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reply r;

		speak(cases[i].prompt, &r, &pieces);
		is_buf(&pieces, cases[i].pieces, "word by word");
		is_buf(&r.text, cases[i].prompt, "the whole");
		is_int(r.usage.input, cases[i].words, "words as tokens, in");
		is_int(r.usage.output, cases[i].words, "and out");
		is_int(r.usage.total, 2 * cases[i].words, "and together");
		is_buf(&r.finish_reason, "stop", "it stops");
		ok(r.done, "and is done");
		reply_release(&r);
	}
	buf_release(&pieces);
}

int main(void)
{
	echo = provider_find("echo");
	ok(echo && echo->local && !echo->base_url, "needs no network");
	test_speak();
	return tap_end();
}
