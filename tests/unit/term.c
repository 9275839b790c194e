#include "tty/term.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/utf8.h"
#include "data.h"
#include "tap.h"

#define COMBINED "e\u0301" /* e with a combining acute: one column */

static void test_width(void)
{
	static const struct {
		const char *text;
		size_t want;
	} cases[] = {
		{ "", 0 },      { "abc", 3 },     { "é", 1 },        { "漢字", 4 },
		{ "😀", 2 },    { COMBINED, 1 },  { "a\u200bb", 2 }, { "\xff\xfe", 2 },
		{ "ｱ", 1 },     { "Ａ", 2 },      { "…", 1 },        { "한", 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span s = exact(span_str(cases[i].text));

		is_int((int64_t)term_width(s), (int64_t)cases[i].want, "the width of case %zu", i);
		drop(s);
	}
}

static void test_fit(void)
{
	static const struct {
		const char *text;
		size_t columns;
		const char *want, *padded;
	} cases[] = {
		{ "abc", 5, "abc", "abc  " },
		{ "abc", 3, "abc", "abc" },
		{ "abcd", 3, "ab…", "ab…" },
		{ "abc", 1, "…", "…" },
		{ "abc", 0, "", "" },
		{ "", 2, "", "  " },
		{ "", 0, "", "" },
		{ "漢字", 4, "漢字", "漢字" },
		{ "漢字", 5, "漢字", "漢字 " },
		{ "漢字", 3, "漢…", "漢…" },
		{ "漢字x", 4, "漢…", "漢… " }, /* a wide one would not fit before the dots */
		{ "漢", 1, "…", "…" },
		{ "a漢", 2, "a…", "a…" },
		{ COMBINED COMBINED, 2, COMBINED COMBINED, COMBINED COMBINED },
		{ COMBINED COMBINED, 3, COMBINED COMBINED, COMBINED COMBINED " " },
		{ COMBINED COMBINED "x", 2, COMBINED "…", COMBINED "…" },
		{ "ab" COMBINED, 3, "ab" COMBINED, "ab" COMBINED },
		{ "\xff\xff\xff", 2, "\xff…", "\xff…" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span s = exact(span_str(cases[i].text));
		struct buf b = BUF_INIT;

		term_add_fit(&b, s, cases[i].columns, false);
		is_buf(&b, cases[i].want, "case %zu in %zu columns", i, cases[i].columns);
		buf_clear(&b);
		term_add_fit(&b, s, cases[i].columns, true);
		is_buf(&b, cases[i].padded, "filled up");
		buf_release(&b);
		drop(s);
	}
}

/* Whatever the text: never wider than asked, just as wide when filled up, and whole
 * when it fits. */
static void test_random(void)
{
	static const char *const parts[] = { "a", "b ", "é", "漢", "😀", "\u0301", "\u200b", "…", "한", "x" };
	uint64_t seed = 15;
	int wide = 0, gap = 0, lost = 0, broken = 0;

	for (int i = 0; i < 20000; i++) {
		struct buf text = BUF_INIT, cut = BUF_INIT, padded = BUF_INIT;
		size_t columns = rnd_below(&seed, 12);

		for (size_t n = rnd_below(&seed, 10); n; n--)
			buf_adds(&text, parts[rnd_below(&seed, sizeof(parts) / sizeof(parts[0]))]);
		term_add_fit(&cut, buf_span(&text), columns, false);
		term_add_fit(&padded, buf_span(&text), columns, true);
		wide += term_width(buf_span(&cut)) > columns;
		gap += term_width(buf_span(&padded)) != columns;
		lost += term_width(buf_span(&text)) <= columns &&
		        (cut.n != text.n || memcmp(cut.p, text.p, cut.n) != 0);
		broken += utf8_valid(cut.p, cut.n) != cut.n;
		buf_release(&text);
		buf_release(&cut);
		buf_release(&padded);
	}
	is_int(wide, 0, "20000 texts, none wider than its columns");
	is_int(gap, 0, "filled up, each is just as wide");
	is_int(lost, 0, "what fits is left whole");
	is_int(broken, 0, "no character is cut");
}

static void test_columns(void)
{
	static const struct {
		const char *env;
		size_t want;
	} cases[] = {
		{ NULL, 80 }, { "", 80 }, { "120", 120 }, { "0", 80 }, { "-5", 80 }, { "x", 80 },
		{ "99999", 80 }, { "1", 1 }, { "99999999999999999999", 80 },
	};
	int fd = open("/dev/null", O_RDONLY);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].env)
			setenv("COLUMNS", cases[i].env, 1);
		else
			unsetenv("COLUMNS");
		is_int((int64_t)term_columns(fd), (int64_t)cases[i].want, "COLUMNS=%s",
		       cases[i].env ? cases[i].env : "(unset)");
	}
	close(fd);
}

static void test_wrap(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" }, { "short", "short" }, { "just ten c", "just ten c" },
		{ "just ten ch", "just ten\nch" }, { "one two three four", "one two\nthree four" },
		{ "a-word-that-is-long and more", "a-word-that-is-long\nand more" },
		{ "and a-word-that-is-long", "and\na-word-that-is-long" },
		{ "漢字漢字漢 字", "漢字漢字漢\n字" }, { "漢字 漢字漢 字", "漢字\n漢字漢 字" },
		{ "ten chars. then", "ten chars.\nthen" }, { "  two blanks", "  two\nblanks" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;

		buf_adds(&b, cases[i].text);
		term_wrap(&b, 10);
		is_buf(&b, cases[i].want, "wrapped to ten columns: %s", cases[i].text);
		buf_release(&b);
	}
}

int main(void)
{
	test_width();
	test_fit();
	test_random();
	test_columns();
	test_wrap();
	return tap_end();
}
