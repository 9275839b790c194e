/* lib/markdown and what it is made of: from a reply's source to the rows of a screen. */
#include "markdown/markdown.h"

#include <fcntl.h>
#include <unistd.h>

#include "data.h"
#include "screen.h"
#include "tap.h"

static int terminal; /* one whose size is in COLUMNS and LINES */

static void set_size(size_t columns, size_t height)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", columns);
	setenv("COLUMNS", text, 1);
	snprintf(text, sizeof(text), "%zu", height);
	setenv("LINES", text, 1);
}

/* The lines of a whole text; their styles as {1f} and {}. */
static void whole(struct span text, size_t columns, bool styles, struct buf *seen)
{
	struct screen s = { .columns = columns };
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	buf_clear(seen);
	if (markdown_text(&out, text, columns, NULL, &e) < 0)
		buf_adds(seen, e.msg);
	screen_feed(&s, buf_span(&out));
	screen_text(&s, seen, styles);
	if (s.fault)
		buf_adds(seen, s.fault);
	buf_release(&out);
	screen_release(&s);
}

/* ---- what Markdown looks like ---- */

struct example {
	const char *what;
	size_t columns;
	const char *in, *want;
};

static void check(const struct example *x, size_t n, bool styles)
{
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		whole(span_str(x[i].in), x[i].columns, styles, &got);
		is_buf(&got, x[i].want, "%s, %zu columns", x[i].what, x[i].columns);
	}
	buf_release(&got);
}

#define CHECK(list, styles) check(list, sizeof(list) / sizeof((list)[0]), styles)

static void test_blocks(void)
{
	static const struct example list[] = {
		{ "nothing", 80, "", "" },
		{ "blank lines", 80, "\n \n\t\n", "" },
		{ "a line", 80, "hello\n", "hello" },
		{ "one without an end", 80, "hello", "hello" },
		{ "paragraphs, with the blank lines between them as one", 80, "a\n\n\n\nb\nc\n", "a\n\nb\nc" },
		{ "headings", 80, "# A\nb\n## C ##\n\nd\n=\n", "# A\nb\n## C\n\n# d" },
		{ "a rule", 30, "a\n\n---\nb", "a\n\n──────────────────────────────\nb" },
		{ "a list, tight", 80, "- a\n* b\n+ c\n", "• a\n• b\n• c" },
		{ "one with blank lines", 80, "- a\n\n- b\n\n  c\n", "• a\n\n• b\n\n  c" },
		{ "lists in lists", 80, "- a\n  - b\n    1. c\n    2. d\n- e", "• a\n  • b\n    1. c\n    2. d\n• e" },
		{ "numbers go on", 80, "3. a\n3. b\n\n   x\n3. c\n\ny\n\n7) d", "3. a\n4. b\n\n   x\n5. c\n\ny\n\n7) d" },
		{ "an item wraps under its text", 16, "10. one two three four\n- five six seven",
		  "10. one two\n    three four\n• five six seven" },
		{ "tasks", 80, "- [x] a\n- [ ] b\n", "[x] a\n[ ] b" },
		{ "an empty item", 80, "- a\n-\n- c", "• a\n•\n• c" },
		{ "a quote", 80, "> a\n> b\n>\n> c\n\nd", "│ a\n│ b\n│\n│ c\n\nd" },
		{ "quotes in quotes, with lists", 20, "> a\n>> b c d e f g h i j\n> - x y\n",
		  "│ a\n│ │ b c d e f g h i\n│ │ j\n│ • x y" },
		{ "code", 80, "a\n```c\nint\tx;\n\n  y\n```\nb", "a\n```c\nint     x;\n\n  y\n```\nb" },
		{ "code that is not closed", 80, "~~~\nx\n```\n", "~~~\nx\n```" },
		{ "long code is not wrapped", 20, "```\none two three four five six seven\n```",
		  "```\none two three four five six seven\n```" },
		{ "code in an item, in the first column", 80, "1. a\n   ```sh\n   ls\n     x\n   ```\n   b\n2. c",
		  "1. a\n```sh\nls\n  x\n```\n   b\n2. c" },
		{ "code in a quote", 80, "> ```\n> x\n> ```\n> a", "```\nx\n```\n│ a" },
		{ "an indented block", 80, "a\n\n    x\n      y\n\nb", "a\n\n    x\n      y\n\nb" },
		{ "HTML", 80, "<div>\n<b>x</b>\n</div>\n\n<!-- c -->", "<div>\n<b>x</b>\n</div>\n\n<!-- c -->" },
		{ "a definition is in sight", 80, "[a][1] b\n\n[1]: http://x.y\n", "[a][1] b\n\n[1]: http://x.y" },
		{ "a setext heading", 80, "a\n---\nb", "## a\nb" },
		{ "no heading", 80, "#a\n####### b\n\\# c", "#a\n####### b\n# c" },
	};

	CHECK(list, false);
}

static void test_text(void)
{
	static const struct example list[] = {
		{ "words wrap", 10, "one two three four five", "one two\nthree four\nfive" },
		{ "to the last column", 10, "1234567890 x 12345678", "1234567890\nx 12345678" },
		{ "a long word is the terminal's to break", 10, "see https://example.org/x/y ok",
		  "see\nhttps://example.org/x/y ok" },
		{ "wide characters wrap", 10, "日本語日本語 abc", "日本語日本\n語 abc" },
		{ "and not before a full stop", 10, "日本語日本。x", "日本語日\n本。x" },
		{ "combining characters take no room", 4, "e\u0301e\u0301e\u0301e\u0301 x", "e\u0301e\u0301e\u0301e\u0301\nx" },
		{ "lines stay", 80, "Roses are red\nviolets are blue", "Roses are red\nviolets are blue" },
		{ "a link", 80, "[text](http://x.y/z \"title\")", "text (http://x.y/z)" },
		{ "one that says where it leads", 80, "<http://x.y> http://x.y/z. a@b.cd",
		  "http://x.y http://x.y/z. a@b.cd" },
		{ "an image", 80, "![a *b*](c.png)", "[image: a b] (c.png)" },
		{ "references", 80, "&amp;&lt;&#65;&#x42;&nosuch;&mdash;", "&<AB&nosuch;—" },
		{ "escapes", 80, "\\*a\\* 1\\. x", "*a* 1. x" },
		{ "what is no Markdown", 80, "2 * 3 * 4 snake_case_name a*b", "2 * 3 * 4 snake_case_name a*b" },
		{ "controls are shown", 80, "a\x1b[31mb\x07 \xc2\x9b \xe2\x80\xae", "a^[[31mb^G <U+009B> <U+202E>" },
		{ "references to them too", 80, "&#27;[2J &#x9b; &#0; &#x202e; &#13;", "^[[2J <U+009B> \ufffd <U+202E> ^M" },
		{ "in code", 80, "```\n\x1b]0;x\x07\n```\n`\x1b[m`", "```\n^[]0;x^G\n```\n`^[[m`" },
		{ "in a link's address", 80, "[a](b&#27;\x1b)", "a (b^[^[)" },
		{ "in what a fence says", 80, "```a&#27;\x1b\n```", "```a&#27;^[\n```" },
		{ "references to line ends, which end none", 80, "a&#10;b [c](d&#xa;e)\n\n- ```f&#10;g\n  h\n  ```",
		  "a b c (d e)\n\n•\n```f g\nh\n```" },
		{ "in a table", 80, "|a&#10;b|c|\n|-|-|\n|[d](e&#10;f)|g|", "a b     | c\n--------|--\nd (e f) | g" },
		{ "no UTF-8", 80, "a\xff**b\xc3**", "a\ufffdb\ufffd" },
	};

	CHECK(list, false);
}

static void test_styles(void)
{
	/* 1 bold, 2 dim, 4 italic, 8 underlined, 10 struck, 24xx code's colour */
	static const struct example list[] = {
		{ "emphasis", 80, "a *b* **c** ***d***", "a {4}b{0} {1}c{0} {5}d" },
		{ "code keeps its ticks", 80, "a `b c`", "a {2400}`b c`" },
		{ "struck text keeps its tildes", 80, "~~a~~", "{10}~~a~~" },
		{ "a link", 80, "[a b](c)", "{8}a b{2} (c)" },
		{ "a heading", 80, "# a", "{1}# a" },
		{ "over the end of a row", 5, "**ab cd ef**", "{1}ab cd\n{1}ef" },
		{ "a fence", 80, "```c\nx\n```", "{2}```c\n{2400}x\n{2}```" },
		{ "a quote", 80, "> *a*", "{2}│ {4}a" },
	};

	CHECK(list, true);
}

static void test_tables(void)
{
	static const struct example list[] = {
		{ "a table", 80, "|a|b|\n|-|:-:|\n|one|x|\n|2|three|\n", "a   |   b\n----|------\none |   x\n2   | three" },
		{ "without bars around it", 80, "a | b\n--|--:\n1 | 2\n10 | 20", "a  |  b\n---|---\n1  |  2\n10 | 20" },
		{ "behind a line of text", 80, "See:\n|a|b|\n|-|-|\n|1|2|", "See:\na | b\n--|--\n1 | 2" },
		{ "wide characters", 80, "|a|b|\n|-|-|\n|日本|x|\n|y|z|", "a    | b\n-----|--\n日本 | x\ny    | z" },
		{ "cells wrap", 40, "|name|what it is|\n|-|-|\n|alpha|the first letter of the alphabet of the Greeks|\n|b|c|",
		  "name  | what it is\n------|---------------------------------\nalpha | the first letter of the alphabet\n"
		  "      | of the Greeks\nb     | c" },
		{ "long words in them too", 20, "|a|b|\n|-|-|\n|x|abcdefghijklmnopqrstuvwxyz|",
		  "a | b\n--|-----------------\nx | abcdefghijklmnop\n  | qrstuvwxyz" },
		{ "line breaks", 80, "|a|b|\n|-|-|\n|x<br>y|z|", "a | b\n--|--\nx | z\ny | " },
		{ "bars in cells", 80, "|a|b|\n|-|-|\n|`x\\|y`|\\||", "a     | b\n------|--\n`x|y` | |" },
		{ "cells that are too many", 80, "|a|b|\n|-|-|\n|1|`x || y`|z|\n|2|3|4", "a | b\n--|-----------\n1 | `x || y`|z\n2 | 3|4" },
		{ "one that has no room", 20, "|a|b|c|d|\n|-|-|-|-|\n|1|2|3|4|\n|5|6||8|",
		  "a: 1\nb: 2\nc: 3\nd: 4\n\na: 5\nb: 6\nc:\nd: 8" },
		{ "in a list", 80, "- x\n  | a | b |\n  |---|---|\n  | 1 | 2 |", "• x\n  | a | b |\n  |---|---|\n  | 1 | 2 |" },
		{ "in a quote", 80, "> |a|b|\n> |---|---|\n> |1|2|\n\nx", "│ a | b\n│ --|--\n│ 1 | 2\n\nx" },
		{ "no table", 80, "a|b\n--\nc", "## a|b\nc" },
		{ "columns that the head has not", 80, "a\n|-|-|\n||b", "a\n|-|-|\n||b" },
		{ "with more dashes, too", 80, "a|b\n|---|---|---|\n|1|2|3|", "a|b\n|---|---|---|\n|1|2|3|" },
		{ "fewer than the head has", 80, "a|b|c\n|-|-|\n1|2|3", "a|b|c\n|-|-|\n1|2|3" },
		{ "no text below it", 80, "|a|\n|-|", "a\n-" },
	};

	CHECK(list, false);
}

/* ---- as it arrives ---- */

static const char document[] =
	"# Title with `code`\r\n\r\nSome **bold *both* text**, a [link](https://example.org/x?a=1&b=2) and "
	"https://a.b/c. A rather long paragraph that is wrapped by words at the end of the window.\nA line\n"
	"- item one\n- item two which is long enough to be wrapped, I hope, in any window\n  - nested\n"
	"    ```python\n    def f():\n    \treturn 1\n    ```\n\n1. one\n\n   para\n2. two\n1. three\n- [x] done\n\n"
	"> quote **a**\n> - list in it\n>\n> > deeper 日本語日本語日本語\n\n"
	"| a | long header | n |\n|---|:---:|--:|\n| `x|y` | cell<br>two | 12 |\n| 日本 | some text that is rather "
	"long and needs wrapping | 3 |\n\n***\nTable:\n| x | y |\n|---|---|\n| 1 | 2 |\n\n```c\nint main(void)\n{\n"
	"\treturn 0; /* \x1b[31m */\n}\n```\n    indented\n\n[1]: https://example.org\n\nSee [foo][1] ![pic](a.png) "
	"&amp; e\u0301 \xff\n\nSetext\n---\n~~~\nnot closed";

/* The screen in the end, when the text comes in pieces that end at `cut[…]`. */
static void in_pieces(struct span text, const size_t *cuts, size_t n, struct screen *s, struct buf *seen)
{
	struct markdown m = MARKDOWN_INIT;
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	size_t at = 0;

	set_size(s->columns, s->height ? s->height : 9999);
	markdown_open(&m, terminal, &e);
	for (size_t i = 0; i <= n; i++) {
		size_t to = i < n ? cuts[i] : text.n;
		struct span piece = exact((struct span){ text.p + at, to - at });

		markdown_feed(&m, &out, piece);
		markdown_draw(&m, &out);
		screen_feed(s, buf_span(&out));
		buf_clear(&out);
		drop(piece);
		at = to;
	}
	markdown_end(&m, &out);
	screen_feed(s, buf_span(&out));
	buf_clear(seen);
	screen_text(s, seen, s->height == 0);
	if (s->fault)
		buf_adds(seen, s->fault);
	buf_release(&out);
	markdown_release(&m);
}

static void test_splits(size_t columns)
{
	const struct span text = { document, sizeof(document) - 1 };
	struct buf want = BUF_INIT, seen = BUF_INIT;
	size_t each[sizeof(document)];
	int differ = 0;

	whole(text, columns, true, &want);
	for (size_t i = 0; i <= text.n; i++) {
		struct screen s = { .columns = columns };

		in_pieces(text, &i, 1, &s, &seen);
		if ((seen.n != want.n || memcmp(seen.p, want.p, want.n) != 0) && !differ++)
			tap_note("split at %zu", i);
		screen_release(&s);
		each[i] = i;
	}
	is_int(differ, 0, "split anywhere, the screen is in the end the same, %zu columns", columns);
	for (size_t size = 1; size < 9; size++) {
		struct screen s = { .columns = columns };

		for (size_t i = 0; i < text.n / size; i++)
			each[i] = i * size;
		in_pieces(text, each, text.n / size, &s, &seen);
		is_same(buf_span(&seen), buf_span(&want), "in pieces of %zu bytes, %zu columns", size, columns);
		screen_release(&s);
	}
	buf_release(&want);
	buf_release(&seen);
}

/* What is there at once. */
static void test_prompt(void)
{
	static const struct {
		const char *piece, *screen;
	} steps[] = {
		{ "Hel", "Hel" }, { "lo **wor", "Hello **wor" }, { "ld** a", "Hello world a" },
		{ "\n\n- x\n- y", "Hello world a\n\n• x\n• y" },
		{ "\n```sh\nls -", "Hello world a\n\n• x\n• y\n```sh\nls -" },
		{ "l\n``", "Hello world a\n\n• x\n• y\n```sh\nls -l" },
		{ "`\n|a|b|\n|-|-|\n|1", "Hello world a\n\n• x\n• y\n```sh\nls -l\n```\na | b\n--|--\n1 | " },
		{ "00|2", "Hello world a\n\n• x\n• y\n```sh\nls -l\n```\na   | b\n----|--\n100 | 2" },
		{ "|\n\n日", "Hello world a\n\n• x\n• y\n```sh\nls -l\n```\na   | b\n----|--\n100 | 2\n\n日" },
	};
	struct markdown m = MARKDOWN_INIT;
	struct screen s = { .columns = 40, .height = 24 };
	struct buf out = BUF_INIT, seen = BUF_INIT;
	struct err e = ERR_INIT;

	set_size(40, 24);
	markdown_open(&m, terminal, &e);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		markdown_feed(&m, &out, span_str(steps[i].piece));
		markdown_draw(&m, &out);
		screen_feed(&s, buf_span(&out));
		buf_clear(&out);
		buf_clear(&seen);
		screen_text(&s, &seen, false);
		is_buf(&seen, steps[i].screen, "after '%s'", steps[i].piece);
	}
	markdown_end(&m, &out);
	buf_release(&out);
	buf_release(&seen);
	screen_release(&s);
	markdown_release(&m);
}

/* Drawn at once, however slow this machine is. */
static void feed(struct markdown *m, struct buf *out, struct span piece)
{
	markdown_feed(m, out, piece);
	markdown_draw(m, out);
}

/* The hyphen of a list's first item makes no heading of what is above, not for a moment. */
static void test_underline(void)
{
	static const struct {
		const char *piece, *screen;
	} steps[] = {
		{ "To do:", "To do:" }, { "\n", "To do:" }, { "-", "To do:" },
		{ " ", "To do:" }, { "one", "To do:\n• one" }, { "\n  -", "To do:\n• one" },
		{ " in", "To do:\n• one\n  • in" }, { "\n\n> sum\n> =", "To do:\n• one\n  • in\n\n│ sum" },
		{ "=", "To do:\n• one\n  • in\n\n│ sum" },
		{ " 3", "To do:\n• one\n  • in\n\n│ sum\n│ == 3" },
	};
	struct markdown m = MARKDOWN_INIT;
	struct screen s = { .columns = 40, .height = 24 };
	struct buf out = BUF_INIT, seen = BUF_INIT;
	struct err e = ERR_INIT;

	set_size(40, 24);
	markdown_open(&m, terminal, &e);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		feed(&m, &out, span_str(steps[i].piece));
		screen_feed(&s, buf_span(&out));
		buf_clear(&out);
		buf_clear(&seen);
		screen_text(&s, &seen, false);
		is_buf(&seen, steps[i].screen, "after '%s', number %zu", steps[i].piece, i);
	}
	feed(&m, &out, span_str("\n\nReally\n---"));
	markdown_end(&m, &out);
	ok(memmem(out.p, out.n, "## Really", 9), "a heading is one in the end");
	buf_release(&out);
	buf_release(&seen);
	screen_release(&s);
	markdown_release(&m);
}

/* Letters at the end of a row cost these letters, styled or not. */
static void test_cheap(void)
{
	struct markdown m = MARKDOWN_INIT;
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	set_size(40, 24);
	markdown_open(&m, terminal, &e);
	feed(&m, &out, span_str("one two"));
	buf_clear(&out);
	feed(&m, &out, span_str(" three"));
	is_buf(&out, " three", "text at the end of a row");
	feed(&m, &out, span_str("\n\n```\nabc"));
	buf_clear(&out);
	feed(&m, &out, span_str("def"));
	is_buf(&out, "\033[0;36mdef\033[0m", "code at the end of a row");
	buf_clear(&out);
	feed(&m, &out, span_str("\n"));
	is_buf(&out, "", "nothing");
	markdown_end(&m, &out);
	buf_release(&out);
	markdown_release(&m);
}

/* In a window that is too small for the text it is all there, and the end of it as it should be. */
static void test_scrolling(int rows)
{
	struct buf text = BUF_INIT, want = BUF_INIT, seen = BUF_INIT;
	size_t each[4096];
	struct screen s = { .columns = 40, .height = 6 };

	buf_adds(&text, "| n | m |\n|---|---|\n");
	for (int i = 0; i < rows; i++)
		buf_addf(&text, "| row %d | word |\n", i);
	buf_adds(&text, "| a much longer row at the end | x |\n\nThe **end**.\n");
	whole(buf_span(&text), 40, false, &want);
	for (size_t i = 0; i < text.n / 3; i++)
		each[i] = i * 3;
	in_pieces(buf_span(&text), each, text.n / 3, &s, &seen);
	for (int i = 0; i < rows; i++) {
		char row[24];

		snprintf(row, sizeof(row), "row %d ", i);
		if (!memmem(seen.p, seen.n, row, strlen(row)))
			ok(false, "row %d of a table that scrolls", i);
	}
	ok(memmem(seen.p, seen.n, "much", 4) != NULL, "a table of %d rows that scrolls", rows);
	if (rows < 100)
		is_span(((struct span){ seen.p + seen.n - 28, 28 }), "row at the end | x\n\nThe end.",
		        "the end of a table that scrolled");
	screen_release(&s);
	buf_release(&text);
	buf_release(&want);
	buf_release(&seen);
}

/* The window becomes another in the middle of a word. */
static void test_resize(void)
{
	struct markdown m = MARKDOWN_INIT;
	struct screen s = { .columns = 40, .height = 24 };
	struct buf out = BUF_INIT, seen = BUF_INIT;
	struct err e = ERR_INIT;

	set_size(40, 24);
	markdown_open(&m, terminal, &e);
	feed(&m, &out, span_str("one two three four five six seven eight ni"));
	set_size(20, 24);
	feed(&m, &out, span_str("ne ten eleven twelve thirteen fourteen"));
	screen_feed(&s, buf_span(&out));
	screen_text(&s, &seen, false);
	is_buf(&seen, "one two three four five six seven eight\nnine ten eleven\ntwelve thirteen\nfourteen",
	       "what is wider stays, and the rest fits the new window");
	buf_clear(&out);
	markdown_pause(&m, &out);
	buf_adds(&out, "(note)\n");
	feed(&m, &out, span_str(" fifteen"));
	markdown_end(&m, &out);
	screen_feed(&s, buf_span(&out));
	buf_clear(&seen);
	screen_text(&s, &seen, false);
	is_buf(&seen, "one two three four five six seven eight\nnine ten eleven\ntwelve thirteen\nfourteen\n(note)\n"
	       "fifteen", "and a note has lines of its own");
	buf_release(&out);
	buf_release(&seen);
	screen_release(&s);
	markdown_release(&m);
}

/* Rows that are wider than the new window: nobody knows how many lines they take now. */
static void test_resize_in_block(void)
{
	static const char line[] = "one two three four five six seven eight\n";
	struct markdown m = MARKDOWN_INIT;
	struct screen s = { .columns = 40, .height = 24 };
	struct buf out = BUF_INIT, seen = BUF_INIT, want = BUF_INIT;
	struct err e = ERR_INIT;

	set_size(40, 24);
	markdown_open(&m, terminal, &e);
	for (int i = 0; i < 4; i++) {
		feed(&m, &out, span_str(line));
		buf_adds(&want, line);
	}
	feed(&m, &out, span_str("a **b"));
	set_size(20, 24);
	feed(&m, &out, span_str(" c** d"));
	screen_feed(&s, buf_span(&out));
	screen_text(&s, &seen, false);
	buf_adds(&want, "a b c d");
	is_same(buf_span(&seen), buf_span(&want), "those stay, and those below are drawn anew");
	buf_release(&out);
	buf_release(&seen);
	buf_release(&want);
	screen_release(&s);
	markdown_release(&m);
}

/* ---- without measure ---- */

/* Each part of it is a table of the same columns. */
static void test_long_table(void)
{
	struct buf text = BUF_INIT, seen = BUF_INIT, want = BUF_INIT;

	buf_adds(&text, "| n | m |\n|---|---|\n");
	buf_adds(&want, "n       | m\n--------|-----");
	for (int i = 100; i < 900; i++) {
		buf_addf(&text, "| *row* %d | word |\n", i);
		buf_addf(&want, "\nrow %d | word", i);
	}
	buf_adds(&text, "\nend");
	buf_adds(&want, "\n\nend");
	whole(buf_span(&text), 40, false, &seen);
	is_same(buf_span(&seen), buf_span(&want), "800 rows");
	buf_release(&text);
	buf_release(&seen);
	buf_release(&want);
}

static void test_large(void)
{
	static const char *const units[] = { "word ", "x", "- a\n", "> a\n", "> ", "* ", "| a ", "a\n", "](", "<a@b",
		                             "- a\n  - b\n", "```\n", "\n    x", "日", "**a ", "[", "1. ", "`" };
	struct buf text = BUF_INIT, want = BUF_INIT, seen = BUF_INIT;
	int differ = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t cuts[64];
		struct screen s = { .columns = 80 };

		buf_clear(&text);
		while (text.n < 3 * SPLIT_LIMIT + 100)
			buf_adds(&text, units[i]);
		whole(buf_span(&text), 80, true, &want);
		for (size_t k = 0; k < 64; k++)
			cuts[k] = k * text.n / 64;
		in_pieces(buf_span(&text), cuts, 64, &s, &seen);
		if ((seen.n != want.n || memcmp(seen.p, want.p, want.n) != 0) && !differ++)
			tap_note("100 KB of '%s'", units[i]);
		screen_release(&s);
	}
	is_int(differ, 0, "what is too large to be parsed as one is cut in the same places");
	buf_release(&text);
	buf_release(&want);
	buf_release(&seen);
}

int main(void)
{
	terminal = open("/dev/null", O_WRONLY | O_CLOEXEC);
	test_blocks();
	test_text();
	test_styles();
	test_tables();
	test_splits(80);
	test_splits(40);
	test_splits(300);
	test_prompt();
	test_underline();
	test_cheap();
	test_scrolling(60);
	test_scrolling(300);
	test_resize();
	test_resize_in_block();
	test_long_table();
	test_large();
	close(terminal);
	return tap_end();
}
