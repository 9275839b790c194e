/*
 * lib/client/reply-filter. The input is the key on a line, and then a reply; a byte 0 is where one
 * piece ends and another begins.
 *
 * Properties: text and reasoning are the same as when the reply comes in one piece; what was shown
 * does not change; no whole key is left, and no half of a surrogate pair; there is no reasoning
 * where tags are not looked for.
 */
#include "client/reply-filter.h"

#include "fuzz.h"

struct filtered {
	struct reply reply;
	struct reply_filter f;
};

static void must_stay(const struct buf *b, size_t ready, struct buf *shown)
{
	must(ready >= shown->n && ready <= b->n, "%zu of %zu", ready, b->n);
	must(memcmp(b->p, shown->p, shown->n) == 0, "what was shown has changed");
	buf_add(shown, b->p + shown->n, ready - shown->n);
}

static void filter(struct filtered *x, const struct key *key, bool tags, struct span text, bool pieces)
{
	struct buf shown = BUF_INIT, thought = BUF_INIT;

	*x = (struct filtered){ .reply = REPLY_INIT, .f = { .key = key, .think_tags = tags } };
	while (text.n) {
		const char *end = memchr(text.p, '\0', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;

		buf_add(&x->reply.text, text.p, n);
		text = (struct span){ text.p + n, text.n - n };
		if (end)
			text = (struct span){ text.p + 1, text.n - 1 };
		if (pieces)
			reply_filter_run(&x->f, &x->reply, false);
		must_stay(&x->reply.text, x->f.text, &shown);
		must_stay(&x->reply.reasoning, x->f.reasoning, &thought);
	}
	reply_filter_run(&x->f, &x->reply, true);
	must_stay(&x->reply.text, x->f.text, &shown);
	must_stay(&x->reply.reasoning, x->f.reasoning, &thought);
	must(x->f.text == x->reply.text.n && x->f.reasoning == x->reply.reasoning.n, "all is shown");
	buf_release(&shown);
	buf_release(&thought);
}

static void must_be_harmless(const struct buf *b, const struct key *key)
{
	must(!key_is_in(key, buf_span(b)), "a key");
	for (size_t i = 0; i + 3 <= b->n; i++)
		must((unsigned char)b->p[i] != 0xed || (unsigned char)b->p[i + 1] < 0xa0 ||
		     (unsigned char)b->p[i + 1] > 0xbf || ((unsigned char)b->p[i + 2] & 0xc0) != 0x80, "a half");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size }, line;
	struct key key = KEY_INIT;

	if (!cut_line(&text, &line) || memchr(line.p, '\0', line.n) || memchr(line.p, '*', line.n))
		return 0;
	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.p[i] > 0x7e || (unsigned char)line.p[i] < ' ')
			return 0;
	buf_add(&key.value, line.p, line.n);
	for (int tags = 0; tags < 2; tags++) {
		struct filtered whole, pieces;

		filter(&whole, &key, tags, text, false);
		filter(&pieces, &key, tags, text, true);
		must_be_same(buf_span(&pieces.reply.text), buf_span(&whole.reply.text), "the text");
		must_be_same(buf_span(&pieces.reply.reasoning), buf_span(&whole.reply.reasoning), "the reasoning");
		must_be_harmless(&whole.reply.text, &key);
		must_be_harmless(&whole.reply.reasoning, &key);
		must(tags || !whole.reply.reasoning.n, "reasoning of nothing");
		reply_release(&whole.reply);
		reply_release(&pieces.reply);
	}
	key_release(&key);
	return 0;
}
