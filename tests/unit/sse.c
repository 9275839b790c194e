#include "net/sse.h"

#include "data.h"
#include "tap.h"

/* The events as one text, "[first][second]"; `stop_at` events end the parsing. */
struct events {
	struct buf text;
	int n, stop_at;
};

static int on_event(void *ctx, struct span data, struct err *e)
{
	struct events *ev = ctx;

	buf_addc(&ev->text, '[');
	buf_add(&ev->text, data.p, data.n);
	buf_addc(&ev->text, ']');
	return ++ev->n == ev->stop_at ? err_set(e, ERR_INTERRUPTED, "enough") : 0;
}

/* Feeds `text` in two chunks, the first of `n` bytes, or byte by byte. */
static int parse(struct events *ev, struct span text, size_t n, bool by_byte, struct err *e)
{
	struct sse s = SSE_INIT(on_event, ev);
	int r = 0;

	buf_clear(&ev->text);
	ev->n = 0;
	for (size_t at = 0; r == 0 && at < text.n;) {
		size_t len = by_byte ? 1 : at == 0 && n ? n : text.n - at;
		struct span chunk = exact((struct span){ text.p + at, len });

		r = sse_feed(&s, chunk, e);
		drop(chunk);
		at += len;
	}
	if (r == 0)
		r = sse_end(&s, e);
	sse_release(&s);
	return r;
}

static const struct {
	const char *text, *want, *what;
} cases[] = {
	{ "", "", "nothing" },
	{ "data: YHOO\ndata: +2\ndata: 10\n\n", "[YHOO\n+2\n10]", "the standard's stock ticker" },
	{ ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
	  "[first event][second event][ third event]", "the standard's four blocks" },
	{ "data\n\ndata\ndata\n\ndata:\n\n", "[][\n][]", "the standard's empty data" },
	{ "data:test\n\ndata: test\n\n", "[test][test]", "the standard's optional space" },
	{ "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n", "[73857293][2153]", "named" },
	{ "data: a\r\n\r\ndata: b\r\n\r\n", "[a][b]", "CRLF" },
	{ "data: a\r\rdata: b\r\r", "[a][b]", "CR" },
	{ "data: a\n\r\ndata: b\r\n\ndata: c\r\r\ndata: d\n\r", "[a][b][c][d]", "all of them" },
	{ "data: a\r\ndata: b\r\n\r\n", "[a\nb]", "two lines with CRLF are one event" },
	{ "\xef\xbb\xbf" "data: a\n\n", "[a]", "a byte order mark" },
	{ "\xef\xbb\xbf" "\xef\xbb\xbf" "data: a\n\ndata: b\n\n", "[b]", "only one" },
	{ "data: a\n\n\xef\xbb\xbf" "data: b\n\ndata: c\n\n", "[a][c]", "only at the beginning" },
	{ "\n\xef\xbb\xbf" "data: b\n\n", "", "not on a later line" },
	{ ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\ndata: a\n\n", "[a]", "comments" },
	{ ":\n\n:data: a\n\n", "", "nothing but comments" },
	{ "data: a\n: in between\ndata: b\n\n", "[a\nb]", "a comment within an event" },
	{ "\n\n\n\ndata: a\n\n\n\n", "[a]", "blank lines" },
	{ "data: a", "[a]", "no newline at the end" },
	{ "data: a\n", "[a]", "no blank line at the end" },
	{ "data: a\r", "[a]", "nor with CR" },
	{ "data: a\n\nda", "[a]", "a line that breaks off" },
	{ "retry: 100\nid: 5\nevent: x\n\n", "", "an event without data" },
	{ "dat: a\n\ndatax: b\n\nDATA: c\n\n data: d\n\ndata : e\n\n", "", "fields of other names" },
	{ "data: a: b\n\n", "[a: b]", "a colon in the data" },
	{ "data: {\"a\":\"\xc3\xa9\"}\n\n", "[{\"a\":\"\xc3\xa9\"}]", "UTF-8" },
	{ "data: {\"a\":1}\ndata: {\"a\":2}\ndata: [DONE]\n", "[{\"a\":1}][{\"a\":2}][[DONE]]",
	  "no blank lines between objects" },
	{ "data: {\"a\":1}\r\nevent: x\r\ndata: {\"b\":[]}\r\n", "[{\"a\":1}][{\"b\":[]}]", "nor with CRLF" },
	{ "data: {\ndata:   \"a\": [1,\ndata: 2]\ndata: }\n\n", "[{\n  \"a\": [1,\n2]\n}]", "an object of several lines" },
	{ "data: {\"a\":\"}\ndata: \\\"}\"}\ndata: {}\n", "[{\"a\":\"}\n\\\"}\"}][{}]", "brackets and quotes in a string" },
	{ "data: {\"a\\\\\":1}\ndata: []\n", "[{\"a\\\\\":1}][[]]", "a backslash that is escaped" },
	{ "data: ping\ndata: {}\ndata: ping\ndata: pong\n", "[ping][{}][ping\npong]", "words between objects" },
	{ "data: \ndata: {}\n", "[][{}]", "nothing before one" },
	{ "data: {\"a\":\n\ndata: {}\n\n", "[{\"a\":][{}]", "an object that breaks off ends with the blank line" },
	{ "data: }\ndata: ]\n\n", "[}\n]]", "what only closes" },
	{ "data: \xff\xfe\n\n", "[\xff\xfe]", "bytes that are not, for others to judge" },
};

static void test_cases(void)
{
	struct events ev = { .text = BUF_INIT };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span text = span_str(cases[i].text), want = span_str(cases[i].want);
		size_t differ = 0;

		is_int(parse(&ev, text, 0, false, &e), 0, "%s", cases[i].what);
		is_same(buf_span(&ev.text), want, "its events");
		parse(&ev, text, 0, true, &e);
		is_same(buf_span(&ev.text), want, "byte by byte");
		for (size_t n = 1; n < text.n; n++) {
			parse(&ev, text, n, false, &e);
			differ += ev.text.n != want.n || memcmp(ev.text.p, want.p, want.n) != 0;
		}
		is_int((int64_t)differ, 0, "split at each byte");
	}
	buf_release(&ev.text);
}

static void test_nul(void)
{
	struct events ev = { .text = BUF_INIT };
	struct err e = ERR_INIT;

	parse(&ev, (struct span){ "data: a\0b\n\n", 11 }, 0, false, &e);
	is_bytes(buf_span(&ev.text), "[a\0b]", 5, "a NUL is a byte like others");
	buf_release(&ev.text);
}

/* An event comes as soon as its blank line does, not with the next chunk. */
static void test_prompt(void)
{
	struct events ev = { .text = BUF_INIT };
	struct sse s = SSE_INIT(on_event, &ev);
	struct err e = ERR_INIT;

	sse_feed(&s, span_str("data: a\n"), &e);
	is_int(ev.n, 0, "not before");
	sse_feed(&s, span_str("\n"), &e);
	is_int(ev.n, 1, "at once");
	sse_feed(&s, span_str("data: b\r\n\r"), &e);
	is_int(ev.n, 2, "also when the LF of the CRLF is still to come");
	sse_feed(&s, span_str("\n"), &e);
	sse_feed(&s, span_str(""), &e);
	sse_feed(&s, span_str("data: c\r\r"), &e);
	is_buf(&ev.text, "[a][b][c]", "and with CR alone");
	sse_release(&s);
	buf_release(&ev.text);
}

static void test_stop(void)
{
	for (int stop = 1; stop <= 3; stop++) {
		struct events ev = { .text = BUF_INIT, .stop_at = stop };
		struct err e = ERR_INIT;

		is_int(parse(&ev, span_str("data: a\n\ndata: b\n\ndata: c"), 0, false, &e), -1,
		       "event %d ends the parsing", stop);
		is_int(ev.n, stop, "none comes after it");
		is_err(&e, ERR_INTERRUPTED, "enough", "with its own words");
		buf_release(&ev.text);
	}
}

/* Feeds `times` chunks of 1 MB made of `piece`. */
static int feed_much(const char *start, const char *piece, int times, struct err *e)
{
	struct events ev = { .text = BUF_INIT };
	struct sse s = SSE_INIT(on_event, &ev);
	struct buf chunk = BUF_INIT;
	int r = sse_feed(&s, span_str(start), e);

	while (chunk.n < 1 << 20)
		buf_adds(&chunk, piece);
	for (int i = 0; r == 0 && i < times; i++)
		r = sse_feed(&s, (struct span){ chunk.p, 1 << 20 }, e);
	sse_release(&s);
	buf_release(&chunk);
	buf_release(&ev.text);
	return r;
}

static void test_limits(void)
{
	static const char line[] = "data: 0123456789abcdef0123456789abcdef0123456789abcdef012345678\n";
	struct err e = ERR_INIT;

	is_int(feed_much("data: ", "x", 15, &e), 0, "a line of 15 MB");
	is_int(feed_much("data: ", "x", 17, &e), -1, "a line of 17 MB");
	is_err(&e, ERR_NETWORK, "a line of more than 16 MB", "says so");
	err_clear(&e);
	is_int(feed_much("", line, 16, &e), 0, "an event of less than 16 MB in many lines");
	is_int(feed_much("", line, 20, &e), -1, "one of more");
	is_err(&e, ERR_NETWORK, "an event of more than 16 MB", "says so");
	err_clear(&e);
	is_int(feed_much("", ": a comment, and another one\n", 40, &e), 0, "40 MB of comments");
	is_int(feed_much("", "data: x\n\n", 20, &e), 0, "20 MB of small events");
}

/* Random streams, made of the parts that matter: chunks do not alter the events. */
static void test_random(void)
{
	static const char *const parts[] = { "\n", "\r", "\r\n", "data", "data:", "data: ", ":", "x", " ",
		                             "\xef\xbb\xbf", "event: y", "data: z\n\n", "{", "}",
		                             "\"", "\\", "[", "]" };
	struct events one = { .text = BUF_INIT }, other = { .text = BUF_INIT };
	uint64_t seed = 16;
	int differ = 0, events = 0;

	for (int i = 0; i < 8000; i++) {
		struct buf text = BUF_INIT;
		struct err e = ERR_INIT;

		for (size_t n = rnd_below(&seed, 20); n; n--)
			buf_adds(&text, parts[rnd_below(&seed, sizeof(parts) / sizeof(parts[0]))]);
		parse(&one, buf_span(&text), 0, false, &e);
		parse(&other, buf_span(&text), text.n ? rnd_below(&seed, text.n) : 0, i % 2, &e);
		events += one.n;
		if ((one.text.n != other.text.n || memcmp(one.text.p, other.text.p, one.text.n) != 0) &&
		    !differ++)
			tap_quote("differs", buf_span(&text));
		buf_release(&text);
	}
	is_int(differ, 0, "8000 random streams, the same in chunks as whole");
	ok(events > 3000, "with %d events", events);
	buf_release(&one.text);
	buf_release(&other.text);
}

int main(void)
{
	test_cases();
	test_nul();
	test_prompt();
	test_stop();
	test_limits();
	test_random();
	return tap_end();
}
