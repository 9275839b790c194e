#include "tty/columns.h"

#include <stdlib.h>

#include "data.h"
#include "tap.h"
#include "tty/term.h"

#define ROW(...) ((struct span[]){ __VA_ARGS__ })

/* Rows with '|' between the cells as columns_add_table() takes them. */
static void add_cells(struct buf *cells, const char *const *rows)
{
	for (; *rows; rows++)
		for (const char *p = *rows;; p++) {
			buf_addc(cells, *p == '|' ? '\0' : *p);
			if (!*p)
				break;
		}
}

static void is_table(const struct column *columns, size_t n, const char *const *rows, size_t window,
                     const char *want, const char *what)
{
	struct column v[COLUMNS_MAX];
	struct buf cells = BUF_INIT, b = BUF_INIT;
	struct span s;

	memcpy(v, columns, n * sizeof(*v));
	add_cells(&cells, rows);
	s = exact(buf_span(&cells));
	columns_add_table(&(struct columns){ .v = v, .n = n }, &b, s, window);
	is_buf(&b, want, "%s, in %zu columns", what, window);
	drop(s);
	buf_release(&cells);
	buf_release(&b);
}

static void test_aligned(void)
{
	static const struct column two[] = { { .name = "A" }, { .name = "B" } };
	static const struct column wide[] = { { .name = "漢字" }, { .name = "N", .width = 4, .right = true },
		                              { .name = "REST" } };
	static const struct column number[] = { { .name = "A", .most = 3 }, { .name = "N", .right = true } };

	is_table(two, 2, (const char *const[]){ NULL }, 80, "", "no rows");
	is_table(two, 2, (const char *const[]){ "x|y", "longer|last", "|", "|b", NULL }, 80,
	         "A       B\nx       y\nlonger  last\n\n        b\n", "empty cells");
	is_table(wide, 3, (const char *const[]){ "é|1|x", "😀😀😀|12345|", "a|-|y", NULL }, 80,
	         "漢字        N  REST\né           1  x\n😀😀😀  12345\na           -  y\n",
	         "wide characters, and numbers to the right");
	is_table(number, 2, (const char *const[]){ "abcdef|1", "b|100", NULL }, 80,
	         "A      N\nab…    1\nb    100\n", "a long cell, and numbers at the end");
	is_table(two, 2, (const char *const[]){ "\033[2J\xff|a\tb\n c\xe2\x80\xae", NULL }, 80,
	         "A       B\n^[[2J\xef\xbf\xbd  a b c<U+202E>\n", "what would be obeyed");
	is_table(two, 2, (const char *const[]){ "\033[2J\xff|a\tb\nc", "x|", NULL }, 0,
	         " [2J\xef\xbf\xbd\ta b c\nx\t\n", "for another program");
}

/* The columns of mc-session-ls. */
static void test_narrow(void)
{
	struct column v[] = {
		{ .name = "ID", .width = 8, .most = 20 },
		{ .name = "CREATED", .width = 16, .rank = 4 },
		{ .name = "LAST ACTIVE", .brief = "ACTIVE", .width = 16, .least = 10, .rank = 1 },
		{ .name = "EXCHANGES", .right = true, .rank = 3 },
		{ .name = "MODEL", .most = 20, .least = 8, .rank = 2 },
		{ .name = "TITLE" },
	};
	static const struct {
		size_t window;
		const char *want;
	} cases[] = {
		{ 120, "ID        CREATED           LAST ACTIVE       EXCHANGES  MODEL         TITLE\n"
		       "abcdefgh  2026-11-20 08:00  2026-11-21 09:55         12  a-model-name  the title of it\n" },
		{ 80, "ID        LAST ACTIVE       MODEL         TITLE\n"
		      "abcdefgh  2026-11-21 09:55  a-model-name  the title of it\n" },
		{ 66, "ID        LAST ACTIVE       MODEL       TITLE\n"
		      "abcdefgh  2026-11-21 09:55  a-model-n…  the title of it\n" },
		{ 60, "ID        LAST ACTIVE       TITLE\nabcdefgh  2026-11-21 09:55  the title of it\n" },
		{ 40, "ID        ACTIVE      TITLE\nabcdefgh  2026-11-21  the title of it\n" },
		{ 30, "ID        TITLE\nabcdefgh  the title of it\n" },
		{ 20, "ID        TITLE\nabcdefgh  the title…\n" },
		{ 8, "ID\nabcdefgh\n" },
		{ 4, "ID\nabc…\n" },
		{ 1, "…\n…\n" },
	};
	const struct span row[] = { span_str("abcdefgh"), span_str("2026-11-20 08:00"), span_str("2026-11-21 09:55"),
		                    span_str("12"), span_str("a-model-name"), span_str("the title of it") };
	struct columns t = { .v = v, .n = 6 };

	columns_measure(&t, row);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;

		v[5].least = cases[i].window * 2 / 5;
		columns_lay_out(&t, cases[i].window);
		columns_add_heading(&t, &b);
		buf_addc(&b, '\n');
		columns_add_row(&t, &b, row);
		buf_addc(&b, '\n');
		is_buf(&b, cases[i].want, "in %zu columns", cases[i].window);
		buf_release(&b);
	}
}

static void test_from(void)
{
	static const struct column v[] = {
		{ .name = "A", .least = 1 }, { .name = "B", .least = 1, .from = 12 }, { .name = "C", .from = 8 },
	};
	static const char *const rows[] = { "aaaa|bbbb|cccc", NULL };

	is_table(v, 3, rows, 20, "A     B     C\naaaa  bbbb  cccc\n", "all of it");
	is_table(v, 3, rows, 12, "A     B\naaaa  bbbb\n", "no room for the last");
	is_table(v, 3, rows, 11, "A     C\naaaa  cccc\n", "one that wants a wider window");
	is_table(v, 3, rows, 7, "A\naaaa\n", "two that do");
}

/* Whatever the columns, the window and the cells. */
static void test_any(void)
{
	static const char *const pieces[] = { "a", "漢", "😀", "e\u0301", " ", "\t", "\033", "\xff", "…" };
	uint64_t state = 7;
	int wide = 0, apart = 0, dirty = 0;

	for (int k = 0; k < 3000; k++) {
		struct column v[COLUMNS_MAX];
		struct span cells[COLUMNS_MAX];
		struct buf text[COLUMNS_MAX], row = BUF_INIT, again = BUF_INIT;
		size_t n = 1 + rnd_below(&state, COLUMNS_MAX), window = 1 + rnd_below(&state, 60);
		struct columns t = { .v = v, .n = n };

		for (size_t i = 0; i < n; i++) {
			v[i] = (struct column){ .name = "NAME", .most = rnd_below(&state, 12),
				.least = rnd_below(&state, 6), .from = rnd_below(&state, 30),
				.rank = (unsigned)rnd_below(&state, n), .right = rnd_below(&state, 2),
				.brief = rnd_below(&state, 3) ? NULL : "B" };
			text[i] = (struct buf)BUF_INIT;
			for (size_t m = rnd_below(&state, 12); m; m--)
				buf_adds(&text[i], pieces[rnd_below(&state, sizeof(pieces) / sizeof(pieces[0]))]);
			cells[i] = buf_span(&text[i]);
		}
		columns_measure(&t, cells);
		columns_lay_out(&t, window);
		columns_add_heading(&t, &row);
		wide += term_width(buf_span(&row)) > window;
		buf_clear(&row);
		columns_add_row(&t, &row, cells);
		wide += term_width(buf_span(&row)) > window;
		dirty += memchr(row.p, '\033', row.n) || memchr(row.p, '\t', row.n);
		columns_lay_out(&t, window);
		columns_add_row(&t, &again, cells);
		apart += !span_same(buf_span(&row), buf_span(&again));
		for (size_t i = 0; i < n; i++)
			buf_release(&text[i]);
		buf_release(&row);
		buf_release(&again);
	}
	is_int(wide, 0, "3000 tables, none wider than its window");
	is_int(dirty, 0, "nor with a control character");
	is_int(apart, 0, "laid out again, each is the same");
}

int main(void)
{
	test_aligned();
	test_narrow();
	test_from();
	test_any();
	return tap_end();
}
