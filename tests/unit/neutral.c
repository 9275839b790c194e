#include "tty/neutral.h"

#include "base/utf8.h"
#include "data.h"
#include "tap.h"

#define BAD UTF8_REPLACEMENT

static void whole(struct span in, struct buf *out)
{
	struct span copy = exact(in);

	buf_clear(out);
	neutral_add(out, copy);
	drop(copy);
}

static void test_examples(void)
{
	static const struct {
		const char *in, *want, *what;
	} cases[] = {
		{ "", "", "nothing" },
		{ "plain text\n\twith a tab\n", "plain text\n\twith a tab\n", "line feeds and tabs" },
		{ "é漢😀 \u00a0", "é漢😀 \u00a0", "printable characters" },
		{ "\x1b[31mred\x1b[0m", "^[[31mred^[[0m", "an escape sequence" },
		{ "\x1b]0;title\x07", "^[]0;title^G", "one that sets the title" },
		{ "\x9b" "31m", BAD "31m", "a raw C1 byte" },
		{ "\xc2\x9b" "31m", "<U+009B>31m", "C1 as UTF-8" },
		{ "\xc2\x80\xc2\x85\xc2\x9f", "<U+0080><U+0085><U+009F>", "the ends of C1" },
		{ "\xc2\xa0", "\xc2\xa0", "what follows C1" },
		{ "\x7f", "^?", "DEL" },
		{ "a\r\nb\r\n", "a\nb\n", "CRLF" },
		{ "a\rb", "a^Mb", "a bare CR" },
		{ "a\r", "a^M", "one at the end" },
		{ "\r\r\n", "^M\n", "one before CRLF" },
		{ "\n\r", "\n^M", "one after LF" },
		{ "\r\x1b", "^M^[", "one before another control" },
		{ "\r\xff", "^M" BAD, "one before a bad byte" },
		{ "\u202ex\u202c", "<U+202E>x<U+202C>", "a bidirectional override" },
		{ "\u2066\u2069\u200e\u200f\u061c", "<U+2066><U+2069><U+200E><U+200F><U+061C>", "the others" },
		{ "\u202a\u202b\u202d\u2067\u2068", "<U+202A><U+202B><U+202D><U+2067><U+2068>", "and these" },
		{ "\u200c\u200d\u2065\u202f\ufe0f\u00ad", "\u200c\u200d\u2065\u202f\ufe0f\u00ad",
		  "their neighbours" },
		{ "\u200b\u2028\u2029\u2060\u206f\ufeff", "<U+200B><U+2028><U+2029><U+2060><U+206F><U+FEFF>",
		  "what no screen shows" },
		{ "\U000e0001\U000e0041\U000e007f\U000e0100", "<U+E0001><U+E0041><U+E007F>\U000e0100", "tags" },
		{ "a\xff" "b", "a" BAD "b", "a bad byte" },
		{ "\xe2\x82", BAD, "a character that breaks off" },
		{ "\xe2\x82" "A", BAD BAD "A", "one broken off by a letter" },
		{ "\xf0\x9f\x98\xff", BAD BAD BAD BAD, "one broken off by a bad byte" },
		{ "\xed\xa0\x80", BAD BAD BAD, "a surrogate" },
		{ "\xc0\x9b", BAD BAD, "an overlong escape" },
		{ "\xe0\x80\x9b", BAD BAD BAD, "a longer one" },
	};
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		whole(span_str(cases[i].in), &got);
		is_buf(&got, cases[i].want, "%s", cases[i].what);
	}
	buf_release(&got);
}

static void test_each_control(void)
{
	struct buf got = BUF_INIT;

	for (int c = 0; c < 0x20; c++) {
		char in[] = { 'a', (char)c, 'b' }, want[] = { 'a', '^', (char)(c + '@'), 'b' };

		if (c == '\n' || c == '\t')
			continue;
		whole((struct span){ in, 3 }, &got);
		is_bytes(buf_span(&got), want, 4, "control 0x%02x", (unsigned)c);
	}
	for (int c = 0x80; c < 0xa0; c++) {
		char in[] = { (char)0xc2, (char)c }, want[16];

		snprintf(want, sizeof(want), "<U+00%02X>", (unsigned)c);
		whole((struct span){ in, 2 }, &got);
		is_buf(&got, want, "control U+00%02X", (unsigned)c);
	}
	buf_release(&got);
}

/* True when a terminal gets nothing to obey from it. */
static bool harmless(struct span s)
{
	for (size_t i = 0; i < s.n;) {
		uint32_t c;
		int len = utf8_decode(s.p + i, s.n - i, &c);

		if (len <= 0 || (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) ||
		    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
			return false;
		i += (size_t)len;
	}
	return true;
}

/* Bytes as they come, with those that matter more often. */
static void random_bytes(struct buf *b, uint64_t *seed)
{
	static const char *const parts[] = { "\r", "\n", "\r\n", "\x1b[", "\xc2", "\x9b", "\xe2\x80", "\xae",
		                             "\xf0\x9f", "\x98", "é", "😀", "\u202e", "\xed\xa0\x80",
		                             "\xff", "a", "text", "\x7f", "\t" };

	buf_clear(b);
	for (size_t n = rnd_below(seed, 24); n; n--) {
		if (rnd_below(seed, 3) == 0)
			buf_addc(b, (char)rnd(seed));
		else
			buf_adds(b, parts[rnd_below(seed, sizeof(parts) / sizeof(parts[0]))]);
	}
}

/* What comes out when each chunk ends at random, or after each byte. */
static void in_chunks(struct span in, uint64_t *seed, struct buf *out)
{
	struct neutral n = NEUTRAL_INIT;

	buf_clear(out);
	while (in.n) {
		size_t len = seed ? rnd_below(seed, in.n + 1) : 1;
		struct span chunk = exact((struct span){ in.p, len });

		neutral_feed(&n, out, chunk);
		drop(chunk);
		in.p += len;
		in.n -= len;
	}
	neutral_end(&n, out);
}

static void test_random(void)
{
	struct buf in = BUF_INIT, one = BUF_INIT, other = BUF_INIT;
	uint64_t seed = 14;
	int harm = 0, differ = 0;

	for (int i = 0; i < 20000; i++) {
		random_bytes(&in, &seed);
		whole(buf_span(&in), &one);
		if (!harmless(buf_span(&one)) && !harm++)
			tap_quote("harm", buf_span(&in));
		in_chunks(buf_span(&in), i % 2 ? &seed : NULL, &other);
		if ((one.n != other.n || memcmp(one.p, other.p, one.n) != 0) && !differ++)
			tap_quote("differs", buf_span(&in));
	}
	is_int(harm, 0, "20000 random texts give nothing that a terminal obeys");
	is_int(differ, 0, "and the same in chunks as whole");
	buf_release(&in);
	buf_release(&one);
	buf_release(&other);
}

static void test_split_everywhere(void)
{
	static const char text[] = "a\r\n\r\x1b[m\u202e😀é\xe2\x82x\xf0\x9f\x98\r\xff\xc2\x9b\xc2\n\xed\xa0\x80\r";
	const size_t n = sizeof(text) - 1;
	struct buf want = BUF_INIT, got = BUF_INIT;
	int differ = 0;

	whole((struct span){ text, n }, &want);
	for (size_t i = 0; i <= n; i++)
		for (size_t k = i; k <= n; k++) {
			struct neutral state = NEUTRAL_INIT;

			buf_clear(&got);
			neutral_feed(&state, &got, (struct span){ text, i });
			neutral_feed(&state, &got, (struct span){ text + i, k - i });
			neutral_feed(&state, &got, (struct span){ text + k, n - k });
			neutral_end(&state, &got);
			differ += want.n != got.n || memcmp(want.p, got.p, got.n) != 0;
		}
	is_int(differ, 0, "split at any two bytes it is the same");
	buf_release(&want);
	buf_release(&got);
}

/* Nothing waits that need not. */
static void test_prompt(void)
{
	struct neutral n = NEUTRAL_INIT;
	struct buf out = BUF_INIT;

	neutral_feed(&n, &out, span_str("Hello é"));
	is_buf(&out, "Hello é", "whole characters come out at once");
	neutral_end(&n, &out);
	neutral_feed(&n, &out, span_str("\r\n"));
	neutral_end(&n, &out);
	is_buf(&out, "Hello é\n", "the end leaves it ready for more");
	neutral_feed(&n, &out, span_str("\xe2\x82"));
	is_buf(&out, "Hello é\n", "half a character waits");
	neutral_end(&n, &out);
	neutral_end(&n, &out);
	is_buf(&out, "Hello é\n" BAD, "until the end, once");
	buf_release(&out);
}

static void test_line(void)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "", "" }, { "a b", "a b" }, { "  a \n\t b  ", "a b" }, { "\n", "" }, { " ", "" },
		{ "a\r\nb", "a b" }, { "\x1b[31m\n", "^[[31m" }, { "é\t漢", "é 漢" }, { "a\rb", "a^Mb" },
		{ "\xff\n", BAD },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;

		neutral_add_line(&b, span_str(cases[i].in));
		is_buf(&b, cases[i].want, "one line, case %zu", i);
		buf_clear(&b);
		buf_adds(&b, "x ");
		neutral_add_line(&b, span_str(cases[i].in));
		is_bytes(((struct span){ b.p + 2, b.n - 2 }), cases[i].want, strlen(cases[i].want),
		         "behind other text");
		is_int(b.p[b.n], 0, "with a NUL at the end");
		buf_release(&b);
	}
}

static void test_column(void)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "", "" }, { "a  b", "a  b" }, { "a\tb\r\nc", "a b  c" }, { "\x1b[31m\x7f\x01", " [31m  " },
		{ "a\xc2\x9b" "1\xc2\x85é\u2028漢\u2029\U0001f389", "a 1 é 漢 \U0001f389" }, { "\xff\xc3", BAD BAD },
		{ "\u202e\u200b", "\u202e\u200b" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;

		neutral_add_column(&b, span_str(cases[i].in));
		is_buf(&b, cases[i].want, "one column, case %zu", i);
		buf_release(&b);
	}
}

int main(void)
{
	test_examples();
	test_each_control();
	test_random();
	test_split_everywhere();
	test_prompt();
	test_line();
	test_column();
	return tap_end();
}
