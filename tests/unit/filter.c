#include "prompt/filter.h"

#include "data.h"
#include "tap.h"
#include "tty/term.h"

static void fold(struct buf *out, struct span text)
{
	buf_clear(out);
	filter_fold(out, text);
}

static void test_fold(void)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "", "" },
		{ "Hello, [World] @Z`{", "hello, [world] @z`{" },
		{ "ÀÉÎ ÄÖÜß", "àéî äöüß" },
		{ "ΑΩ ЖЯ Ǆ", "αω жя ǆ" },
		{ "漢字 😀", "漢字 😀" },
		{ "\xe2\x84\xaa", "k" }, /* the sign of the kelvin is one byte then */
		{ "A\xff" "B\xe2\x82", "a\xef\xbf\xbd" "b\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span in = exact(span_str(cases[i].in));
		struct buf out = BUF_INIT;

		fold(&out, in);
		is_buf(&out, cases[i].want, "folded, case %zu", i);
		is_int(out.p[out.n], 0, "with a NUL at the end");
		buf_release(&out);
		drop(in);
	}
}

static void test_fit(void)
{
	static const struct {
		const char *typed, *text;
		bool want;
	} cases[] = {
		{ "", "", true },
		{ "", "a", true },
		{ "a", "", false },
		{ "  ", "a", true },
		{ "lo wor", "Hello, World", true },
		{ "WORLD hello", "Hello, World", true },
		{ "hello moon", "Hello, World", false },
		{ "ll ll", "Hello", true },
		{ "élan", "ÉLAN", true },
		{ "ÉLAN", "élan", true },
		{ "elan", "Élan", false },
		{ "字", "漢字", true },
		{ "kelvin", "\xe2\x84\xaa" "elvin", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct filter f = FILTER_INIT;
		struct buf folded = BUF_INIT;
		struct span text;

		filter_set(&f, span_str(cases[i].typed));
		filter_fold(&folded, span_str(cases[i].text));
		text = exact(buf_span(&folded));
		is_int(filter_fit(&f, text), cases[i].want, "'%s' in '%s'", cases[i].typed, cases[i].text);
		drop(text);
		buf_release(&folded);
		filter_release(&f);
	}
}

/* The marked bytes in brackets. */
static void test_mark(void)
{
	static const struct {
		const char *typed, *text, *want;
	} cases[] = {
		{ "", "abc", "abc" },
		{ "b", "", "" },
		{ "b", "abcB", "a[b]c[B]" },
		{ "ab bc", "xabcx", "x[abc]x" },
		{ "aa", "aaaa aaa", "[aaaa] [aa]a" },
		{ "é", "ÉaÉ", "[É]a[É]" },
		{ "kel", "a\xe2\x84\xaa" "EL漢", "a[\xe2\x84\xaa" "EL]漢" },
		{ "\xef\xbf\xbd", "a\xff" "b", "a[\xff]b" },
		{ "none", "abc", "abc" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span text = exact(span_str(cases[i].text));
		struct filter f = FILTER_INIT;
		struct buf got = BUF_INIT;
		bool marks[64] = { false };

		filter_set(&f, span_str(cases[i].typed));
		is_int(filter_mark(&f, text, marks), 0, "marks");
		for (size_t at = 0; at < text.n; at++) {
			if (marks[at] && !(at && marks[at - 1]))
				buf_addc(&got, '[');
			buf_addc(&got, text.p[at]);
			if (marks[at] && !marks[at + 1])
				buf_addc(&got, ']');
		}
		is_buf(&got, cases[i].want, "'%s' in '%s'", cases[i].typed, cases[i].text);
		buf_release(&got);
		filter_release(&f);
		drop(text);
	}
}

/* What fits is what is marked: each word of it, somewhere. */
static void test_together(void)
{
	static const char *const parts[] = { "a", "B", "ab", "É", "é", "\xe2\x84\xaa", "\xff", " ", "漢" };
	uint64_t seed = 7;
	int bad = 0;

	for (int i = 0; i < 20000; i++) {
		struct buf typed = BUF_INIT, text = BUF_INIT, folded = BUF_INIT;
		struct filter f = FILTER_INIT;
		bool marks[64] = { false };
		size_t marked = 0;

		for (size_t n = rnd_below(&seed, 4); n; n--)
			buf_adds(&typed, parts[rnd_below(&seed, 9)]);
		for (size_t n = rnd_below(&seed, 12); n; n--)
			buf_adds(&text, parts[rnd_below(&seed, 9)]);
		filter_set(&f, buf_span(&typed));
		filter_fold(&folded, buf_span(&text));
		filter_mark(&f, buf_span(&text), marks);
		for (size_t at = 0; at < text.n; at++)
			marked += marks[at];
		if (f.n <= 1 && (f.n && filter_fit(&f, buf_span(&folded))) != (marked > 0) && !bad++)
			tap_quote(typed.p, buf_span(&text));
		buf_release(&typed);
		buf_release(&text);
		buf_release(&folded);
		filter_release(&f);
	}
	is_int(bad, 0, "20000 random texts are marked when they fit");
}

static void test_many(void)
{
	struct filter f = FILTER_INIT;
	struct buf typed = BUF_INIT;

	for (int i = 0; i < 100; i++)
		buf_adds(&typed, "a ");
	filter_set(&f, buf_span(&typed));
	is_int((int64_t)f.n, FILTER_MAX, "no more words than there is room for");
	buf_release(&typed);
	filter_release(&f);
}

int main(void)
{
	term_width(span_str("")); /* which sees to the locale */
	test_fold();
	test_fit();
	test_mark();
	test_together();
	test_many();
	return tap_end();
}
