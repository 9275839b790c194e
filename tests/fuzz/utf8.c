/*
 * lib/base/utf8. The input is bytes.
 *
 * Properties: characters are decoded as RFC 3629's grammar has them, which is written
 * down here a second time; all else is told from what may still be completed. Cleaned
 * text is UTF-8 and keeps what was. A text's head has as many characters as asked for.
 */
#include "base/utf8.h"

#include "fuzz.h"

/* Section 4: UTF8-1 … UTF8-4, as ranges of bytes. */
static const struct {
	int length;
	unsigned char from[4], to[4];
} grammar[] = {
	{ 1, { 0x00 }, { 0x7f } },
	{ 2, { 0xc2, 0x80 }, { 0xdf, 0xbf } },
	{ 3, { 0xe0, 0xa0, 0x80 }, { 0xe0, 0xbf, 0xbf } },
	{ 3, { 0xe1, 0x80, 0x80 }, { 0xec, 0xbf, 0xbf } },
	{ 3, { 0xed, 0x80, 0x80 }, { 0xed, 0x9f, 0xbf } },
	{ 3, { 0xee, 0x80, 0x80 }, { 0xef, 0xbf, 0xbf } },
	{ 4, { 0xf0, 0x90, 0x80, 0x80 }, { 0xf0, 0xbf, 0xbf, 0xbf } },
	{ 4, { 0xf1, 0x80, 0x80, 0x80 }, { 0xf3, 0xbf, 0xbf, 0xbf } },
	{ 4, { 0xf4, 0x80, 0x80, 0x80 }, { 0xf4, 0x8f, 0xbf, 0xbf } },
};

/* As utf8_decode(): the length, 0 for a beginning, -1. */
static int model_decode(const char *p, size_t n, uint32_t *cp)
{
	static const unsigned char bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	const unsigned char *s = (const unsigned char *)p;

	for (size_t g = 0; g < sizeof(grammar) / sizeof(grammar[0]); g++) {
		int i = 0;

		while (i < grammar[g].length && (size_t)i < n && s[i] >= grammar[g].from[i] &&
		       s[i] <= grammar[g].to[i])
			i++;
		if (i < grammar[g].length && (size_t)i < n)
			continue;
		if (i < grammar[g].length)
			return 0;
		*cp = s[0] & bits[i];
		for (int k = 1; k < i; k++)
			*cp = *cp * 64 + s[k] % 64;
		return i;
	}
	return n == 0 ? 0 : -1;
}

static size_t check_decode(struct span text)
{
	size_t valid = text.n;

	for (size_t i = 0; i <= text.n; i++) {
		struct span rest = exact((struct span){ text.p + i, text.n - i });
		uint32_t got = 0, want = 0;
		int len = utf8_decode(rest.p, rest.n, &got);

		must(len == model_decode(rest.p, rest.n, &want), "%d at %zu", len, i);
		must(len <= 0 || got == want, "U+%04X at %zu instead of U+%04X", got, i, want);
		drop(rest);
	}
	for (size_t i = 0; i < text.n;) {
		uint32_t c;
		int len = model_decode(text.p + i, text.n - i, &c);

		if (len <= 0) {
			valid = i;
			break;
		}
		i += (size_t)len;
	}
	must(utf8_valid(text.p, text.n) == valid, "%zu", valid);
	return valid;
}

static void check_clean(struct span text, size_t valid)
{
	struct buf once = BUF_INIT, twice = BUF_INIT, want = BUF_INIT;

	utf8_add_clean(&once, text);
	must(utf8_valid(once.p, once.n) == once.n, "'%s'", once.p);
	must(once.n >= valid && (!valid || memcmp(once.p, text.p, valid) == 0), "its beginning");
	for (size_t i = 0; i < text.n;) { /* each byte that is of no character */
		uint32_t c;
		int len = model_decode(text.p + i, text.n - i, &c);

		if (len > 0)
			buf_add(&want, text.p + i, (size_t)len);
		else
			buf_adds(&want, UTF8_REPLACEMENT);
		i += len > 0 ? (size_t)len : 1;
	}
	must_be_same(buf_span(&once), buf_span(&want), "cleaned");
	utf8_add_clean(&twice, buf_span(&once));
	must_be_same(buf_span(&twice), buf_span(&once), "a second time");
	buf_release(&once);
	buf_release(&twice);
	buf_release(&want);
}

static size_t count(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; n++) {
		uint32_t c;
		int len = model_decode(s.p + i, s.n - i, &c);

		i += len > 0 ? (size_t)len : 1;
	}
	return n;
}

static void check_head(struct span text)
{
	size_t all = count(text);

	for (size_t max = 0; max <= all + 1 && max < 40; max++) {
		bool cut;
		struct span head = utf8_head(text, max, &cut);

		must(head.p == text.p && head.n <= text.n, "a head of %zu", max);
		must(cut == (all > max), "%zu of %zu", max, all);
		must(cut || head.n == text.n, "%zu of %zu", max, all);
		must(count(head) == (cut ? max : all), "%zu of %zu", max, all);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };

	check_clean(text, check_decode(text));
	check_head(text);
	return 0;
}
