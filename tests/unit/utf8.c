#include "base/utf8.h"

#include "data.h"
#include "tap.h"

/* The plainest encoder, to compare with. */
static int encode(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	for (int len = 2, bits = 11; len <= 4; len++, bits += 5) {
		if (c >> bits)
			continue;
		for (int i = len - 1; i > 0; i--, c >>= 6)
			out[i] = (char)(0x80 | (c & 0x3f));
		out[0] = (char)(0xff << (8 - len) | (int)c);
		return len;
	}
	return 0;
}

static void test_each_character(void)
{
	struct buf again = BUF_INIT;
	int bad = 0;

	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		bool surrogate = c >= 0xd800 && c <= 0xdfff;
		char bytes[4];
		int len = encode(bytes, c);
		uint32_t got = 0;
		int r = utf8_decode(bytes, (size_t)len, &got);

		if (surrogate ? r != -1 : r != len || got != c)
			if (!bad++)
				tap_note("U+%04X: %d, U+%04X", (unsigned)c, r, (unsigned)got);
		for (int n = 0; n < len && !surrogate; n++)
			bad += utf8_decode(bytes, (size_t)n, &got) != 0;
		buf_clear(&again);
		utf8_add(&again, c);
		bad += !surrogate && !span_same(buf_span(&again), (struct span){ bytes, (size_t)len });
	}
	is_int(bad, 0, "each character is encoded and decoded, its beginnings are told as such");
	buf_release(&again);
}

/* Any four bytes: what is decoded must be what the encoder makes of it. */
static void test_random_bytes(void)
{
	uint64_t seed = 3;
	int bad = 0, good = 0;

	for (int i = 0; i < 1000000; i++) {
		uint64_t r = rnd(&seed) | 0xc0; /* no ASCII at the front */
		char bytes[4], again[4];
		uint32_t c;
		int len;

		memcpy(bytes, &r, 4);
		for (int k = 1; k < 4 && i % 2; k++)
			bytes[k] = (char)(0x80 | (bytes[k] & 0x3f));
		len = utf8_decode(bytes, 4, &c);
		good += len > 0;
		bad += len == 0; /* four bytes are enough for any */
		bad += len > 0 && (c > 0x10ffff || encode(again, c) != len ||
		                   memcmp(again, bytes, (size_t)len) != 0);
	}
	is_int(bad, 0, "no other form of a character is taken");
	ok(good > 100000, "of which there were many (%d)", good);
}

static void test_refuse(void)
{
	static const struct {
		const char *bytes;
		int want;
		const char *what;
	} cases[] = {
		{ "\x80", -1, "a continuation byte alone" },
		{ "\xc0\x80", -1, "an overlong NUL" },
		{ "\xc1\xbf", -1, "an overlong DEL" },
		{ "\xe0\x80", -1, "an overlong form, as soon as it shows" },
		{ "\xe0\x9f\xbf", -1, "an overlong form of three bytes" },
		{ "\xf0\x8f", -1, "an overlong form of four bytes" },
		{ "\xed\xa0", -1, "a surrogate, as soon as it shows" },
		{ "\xed\xbf\xbf", -1, "the last surrogate" },
		{ "\xf4\x90", -1, "above U+10FFFF" },
		{ "\xf5", -1, "far above it" },
		{ "\xff", -1, "a byte that is in no character" },
		{ "\xe2\x82", 0, "two of three bytes" },
		{ "\xf0\x9f\x98", 0, "three of four bytes" },
		{ "\xe2\x82" "A", -1, "a character broken off by a letter" },
		{ "\xe2" "A", -1, "one broken off early" },
	};
	uint32_t c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span s = exact(span_str(cases[i].bytes));

		is_int(utf8_decode(s.p, s.n, &c), cases[i].want, "%s", cases[i].what);
		drop(s);
	}
}

/* A bad byte at each place of texts of each length, as words of eight are skipped. */
static void test_valid(void)
{
	int bad = 0;

	for (size_t n = 0; n <= 40; n++) {
		char *text = malloc(n + 1);

		if (!text)
			abort();
		memset(text, 'a', n + 1);
		bad += utf8_valid(text, n) != n;
		for (size_t i = 0; i < n; i++) {
			struct span s;

			text[i] = (char)0xff;
			s = exact((struct span){ text, n });
			bad += utf8_valid(s.p, s.n) != i;
			drop(s);
			text[i] = 'a';
		}
		free(text);
	}
	is_int(bad, 0, "the first bad byte is found, wherever it is");
	is_int((int64_t)utf8_valid("aé漢😀", 10), 10, "characters of each length");
	is_int((int64_t)utf8_valid("aé漢😀", 9), 6, "the last one broken off");
}

static void test_clean(void)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "aé漢😀", "aé漢😀" },
		{ "a\xff" "b", "a\xef\xbf\xbd" "b" },
		{ "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xff\xff", "\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span s = exact(span_str(cases[i].in));
		struct buf b = BUF_INIT;

		utf8_add_clean(&b, s);
		is_buf(&b, cases[i].want, "cleaned, case %zu", i);
		buf_clear(&b);
		buf_add(&b, s.p, s.n);
		utf8_clean(&b);
		is_buf(&b, cases[i].want, "cleaned in its place, case %zu", i);
		buf_release(&b);
		drop(s);
	}
}

static void test_clean_random(void)
{
	uint64_t seed = 4;
	int bad = 0;

	for (int i = 0; i < 5000; i++) {
		struct buf once = BUF_INIT, twice = BUF_INIT, place = BUF_INIT;
		char bytes[32];
		struct span s = { bytes, rnd_below(&seed, sizeof(bytes)) };

		for (size_t k = 0; k < s.n; k++)
			bytes[k] = (char)rnd(&seed);
		s = exact(s);
		utf8_add_clean(&once, s);
		utf8_add_clean(&twice, buf_span(&once));
		bad += utf8_valid(once.p, once.n) != once.n;
		bad += once.n != twice.n || memcmp(once.p, twice.p, once.n) != 0;
		buf_add(&place, s.p, s.n);
		utf8_clean(&place);
		bad += once.n != place.n || memcmp(once.p, place.p, once.n) != 0 || place.p[place.n];
		drop(s);
		buf_release(&place);
		buf_release(&once);
		buf_release(&twice);
	}
	is_int(bad, 0, "random bytes become UTF-8, in their place too, which is then left as it is");
}

static void test_head(void)
{
	static const struct {
		const char *in;
		size_t max;
		const char *want;
		bool cut;
	} cases[] = {
		{ "abc", 2, "ab", true },        { "abc", 3, "abc", false },
		{ "abc", 4, "abc", false },      { "", 0, "", false },
		{ "a", 0, "", true },            { "é漢😀x", 3, "é漢😀", true },
		{ "é漢😀", 3, "é漢😀", false }, { "\xff\xfe" "a", 2, "\xff\xfe", true },
		{ "a\xe2\x82", 2, "a\xe2", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span s = exact(span_str(cases[i].in));
		bool cut = !cases[i].cut;

		is_span(utf8_head(s, cases[i].max, &cut), cases[i].want, "the head, case %zu", i);
		is_int(cut, cases[i].cut, "whether it was cut");
		drop(s);
	}
}

static void test_blank(void)
{
	static const char *const blank[] = { "", " ", "\t\r\n\v\f", "\xc2\xa0", "\xe2\x80\x8b", "\xe3\x80\x80 ",
		                             "\xef\xbb\xbf\n" };
	static const char *const text[] = { "x", " . ", "\xc3\xa9", "\x01", " \xff", "\xe2\x80" };
	const struct span nul = { "\0", 1 };

	for (size_t i = 0; i < sizeof(blank) / sizeof(blank[0]); i++)
		ok(utf8_is_blank(span_str(blank[i])), "blank, case %zu", i);
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		ok(!utf8_is_blank(span_str(text[i])), "not blank, case %zu", i);
	ok(!utf8_is_blank(nul), "a NUL is not blank");
}

static void test_marks(void)
{
	static const struct {
		const char *in;
		size_t n;
		const char *other, *error;
	} cases[] = {
		{ "\xff\xfe" "a\0", 4, "UTF-16", "it is UTF-16, and must be UTF-8; 'iconv -f UTF-16 -t UTF-8' converts it" },
		{ "\xfe\xff\0a", 4, "UTF-16", "it is UTF-16" },
		{ "\xff\xfe\0\0", 4, "UTF-32", "it is UTF-32" },
		{ "\0\0\xfe\xff", 4, "UTF-32", "it is UTF-32" },
		{ "caf\xe9", 4, NULL, "it is not valid UTF-8 (at byte 4); 'iconv -f LATIN1 -t UTF-8' converts Latin-1" },
		{ "a\n\nbc\xff", 6, NULL, "it is not valid UTF-8 (at line 3, byte 3)" },
		{ "\xef\xbb\xbf" "a", 4, NULL, NULL },
		{ "é", 2, NULL, NULL },
		{ "", 0, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span s = exact((struct span){ cases[i].in, cases[i].n });
		const char *other = utf8_other_encoding(s);
		struct err e = ERR_INIT;

		is_int(other ? strcmp(other, cases[i].other ? cases[i].other : "") : cases[i].other != NULL, 0,
		       "the encoding, case %zu", i);
		is_int(utf8_check(s, "it", &e), cases[i].error ? -1 : 0, "whether it is UTF-8");
		if (cases[i].error)
			is_err(&e, ERR_USAGE, cases[i].error, "says so");
		drop(s);
	}
	is_span(utf8_unmarked(span_str("\xef\xbb\xbf" "a")), "a", "the mark is passed over");
	is_span(utf8_unmarked(span_str("\xef\xbb")), "\xef\xbb", "a part of a mark is none");
	is_span(utf8_unmarked(span_str("a\xef\xbb\xbf")), "a\xef\xbb\xbf", "nor is one at another place");
}

int main(void)
{
	test_each_character();
	test_random_bytes();
	test_refuse();
	test_valid();
	test_clean();
	test_clean_random();
	test_head();
	test_marks();
	test_blank();
	return tap_end();
}
