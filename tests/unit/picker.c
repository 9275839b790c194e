/*
 * The picker without a terminal: what it shows goes through lib/tty/screen to a model of
 * one, which takes the sequences that it uses and fails at any other.
 */
#include "prompt/picker.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/utf8.h"
#include "data.h"
#include "tap.h"
#include "prompt/picker-parts.h"
#include "prompt/screen.h"
#include "tty/term.h"

/* ---- a model of a terminal ---- */

#define MAX_ROWS 120
#define MAX_COLUMNS 320

struct model {
	size_t rows, columns, row, column;
	char cells[MAX_ROWS][MAX_COLUMNS][24]; /* "": what a wide character covers */
	bool second, hidden, no_wrap, paste;
	int odd; /* what it does not know, or is written past the last column */
};

static void model_init(struct model *m, size_t rows, size_t columns)
{
	memset(m, 0, sizeof(*m));
	m->rows = rows;
	m->columns = columns;
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < columns; c++)
			memcpy(m->cells[r][c], " ", 2);
}

static void erase(struct model *m, size_t row, size_t from)
{
	for (size_t c = from; c < m->columns; c++)
		memcpy(m->cells[row][c], " ", 2);
}

static void put(struct model *m, struct span c)
{
	size_t width = term_width(c), at = m->column;

	if (width == 0 && at)
		for (at--; at && !*m->cells[m->row][at];)
			at--;
	if (strlen(m->cells[m->row][at]) + c.n >= sizeof(m->cells[0][0]) ||
	    at + width >= m->columns + (width == 0)) {
		m->odd++;
		return;
	}
	snprintf(m->cells[m->row][at] + (width ? 0 : strlen(m->cells[m->row][at])), 5, "%.*s", (int)c.n,
	         c.p);
	for (size_t i = 1; i < width; i++)
		m->cells[m->row][at + i][0] = '\0';
	m->column += width;
}

static void set_mode(struct model *m, size_t mode, bool on)
{
	switch (mode) {
	case 25: m->hidden = !on; break;
	case 7: m->no_wrap = !on; break;
	case 1049: m->second = on; break;
	case 2004: m->paste = on; break;
	default: m->odd++;
	}
}

static void sequence(struct model *m, bool question, size_t n, char final)
{
	size_t times = n ? n : 1;

	if (question)
		set_mode(m, n, final == 'h');
	else if (final == 'A')
		m->row -= times < m->row ? times : m->row;
	else if (final == 'B')
		m->row = m->row + times < m->rows ? m->row + times : m->rows - 1;
	else if (final == 'C')
		m->column = m->column + times < m->columns ? m->column + times : m->columns - 1;
	else if (final == 'G')
		m->column = times <= m->columns ? times - 1 : m->columns - 1;
	else if (final == 'H' && !n)
		m->row = m->column = 0;
	else if (final == 'K' && !n)
		erase(m, m->row, m->column);
	else if (final == 'J' && !n)
		for (erase(m, m->row, m->column), n = m->row + 1; n < m->rows; n++)
			erase(m, n, 0);
	else if (final != 'm')
		m->odd++;
}

static size_t take_sequence(struct model *m, struct span s)
{
	size_t i = 2, n = 0;
	bool question = i < s.n && s.p[i] == '?';

	for (i += question; i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == ';'); i++)
		n = s.p[i] == ';' ? 0 : n * 10 + (size_t)(s.p[i] - '0');
	if (i < s.n && s.p[1] == '[')
		sequence(m, question, n, s.p[i]);
	else
		m->odd++;
	return i + 1;
}

static void line_feed(struct model *m)
{
	if (m->row + 1 < m->rows) {
		m->row++;
		return;
	}
	memmove(m->cells[0], m->cells[1], sizeof(m->cells[0]) * (m->rows - 1));
	erase(m, m->row, 0);
}

static void model_take(struct model *m, struct span s)
{
	while (s.n) {
		size_t n = 1;
		uint32_t c = 0;

		if (*s.p == '\033') {
			n = take_sequence(m, s);
		} else if (*s.p == '\r') {
			m->column = 0;
		} else if (*s.p == '\n') {
			line_feed(m);
		} else {
			int len = utf8_decode(s.p, s.n, &c);

			m->odd += len <= 0 || c < 0x20 || (c >= 0x7f && c < 0xa0);
			n = len > 0 ? (size_t)len : 1;
			put(m, (struct span){ s.p, n });
		}
		s = (struct span){ s.p + n, s.n - n };
	}
}

/* Rows without the blanks at their ends; empty rows at the end are left out. */
static void model_text(const struct model *m, struct buf *out)
{
	buf_clear(out);
	for (size_t r = 0; r < m->rows; r++) {
		for (size_t c = 0; c < m->columns; c++)
			buf_adds(out, m->cells[r][c]);
		while (out->n && out->p[out->n - 1] == ' ')
			out->n--;
		buf_addc(out, '\n');
	}
	while (out->n && out->p[out->n - 1] == '\n')
		out->n--;
	buf_addc(out, '\n');
}

/* ---- something to list ---- */

static const char *const fruit[] = {
	"apple\tred\tKeeps the doctor away", "banana\tyellow\tGrows in bunches",
	"cherry\tred\tTwo on one stalk, with a name that is rather long for a list of fruit",
	"dragon fruit\tpink\t漢字 and \xf0\x9f\x98\x80 in its name", "elderberry\tblack\tÉlan",
	"fig\tpurple\t\033[31mred\033]0;x\a\xff",
	"grape\tgreen\tIn vino veritas",
};
#define NFRUIT (sizeof(fruit) / sizeof(fruit[0]))

struct basket {
	size_t given, n; /* of n items, which repeat */
	int previews;
};

static bool next(void *ctx, struct buf *text)
{
	struct basket *b = ctx;

	if (b->given == b->n)
		return false;
	buf_adds(text, fruit[b->given % NFRUIT]);
	buf_addf(text, "\nhidden%zu", b->given++);
	return true;
}

static void row(void *ctx, size_t item, struct buf *cells)
{
	(void)ctx;
	buf_adds(cells, fruit[item % NFRUIT]);
}

static void preview(void *ctx, size_t item, struct picker_preview *v)
{
	struct basket *b = ctx;
	struct buf text = BUF_INIT;

	b->previews++;
	buf_addf(&text, "About %.*s\n\n\tIt is told of it that words are broken where a blank is.",
	         (int)strcspn(fruit[item % NFRUIT], "\t"), fruit[item % NFRUIT]);
	picker_show(v, buf_span(&text), SIZE_MAX);
	buf_release(&text);
}

static int check(void *ctx, size_t item, struct err *e)
{
	(void)ctx;
	return item % NFRUIT == 1 ? err_set(e, ERR_NOT_FOUND, "it was \033eaten") : 0;
}

static const struct column columns[] = {
	{ .name = "NAME", .most = 10, .least = 1 },
	{ .name = "COLOUR", .most = 8, .least = 1, .from = 38 },
	{ .name = "WHAT IT IS", .from = 18 },
};

/* A picker, a screen and a terminal. */
struct scene {
	struct basket basket;
	struct picker_source source;
	struct picker p;
	struct keys keys;
	struct screen screen;
	struct model *m;
	int fd;
	struct buf text;
};

static void set_size(size_t rows, size_t width)
{
	char n[24];

	snprintf(n, sizeof(n), "%zu", rows);
	setenv("LINES", n, 1);
	snprintf(n, sizeof(n), "%zu", width);
	setenv("COLUMNS", n, 1);
}

static void scene_begin(struct scene *s, size_t items, size_t rows, size_t width)
{
	*s = (struct scene){ .basket = { .n = items }, .keys = KEYS_INIT, .text = BUF_INIT };
	s->source = (struct picker_source){ &s->basket, "Fruit", { "", 0 }, columns, 3, next, row, preview,
	                                     check };
	s->m = malloc(sizeof(*s->m));
	s->fd = memfd_create("terminal", MFD_CLOEXEC);
	if (!s->m || s->fd < 0)
		abort();
	set_size(rows, width);
	model_init(s->m, rows, width);
	picker_init(&s->p, &s->source);
	screen_open(&s->screen, s->fd);
}

static void take_written(struct scene *s)
{
	struct buf b = BUF_INIT;

	lseek(s->fd, 0, SEEK_SET);
	if (io_read_all(s->fd, &b, SIZE_MAX / 8) < 0 || ftruncate(s->fd, 0) < 0)
		abort();
	lseek(s->fd, 0, SEEK_SET);
	model_take(s->m, buf_span(&b));
	buf_release(&b);
}

static void scene_end(struct scene *s)
{
	screen_hide(&s->screen);
	close(s->fd);
	free(s->m);
	picker_release(&s->p);
	buf_release(&s->text);
}

static int frame(struct scene *s)
{
	struct buf rows[MAX_ROWS];
	struct err e = ERR_INIT;
	size_t column;
	int r;

	screen_measure(&s->screen);
	for (size_t i = 0; i < s->screen.rows; i++)
		rows[i] = (struct buf)BUF_INIT;
	r = picker_draw(&s->p, rows, s->screen.rows, s->screen.columns, &column, &e);
	if (r == 0)
		r = screen_draw(&s->screen, rows, column, &e);
	for (size_t i = 0; i < s->screen.rows; i++)
		buf_release(&rows[i]);
	take_written(s);
	return r;
}

static void work(struct scene *s)
{
	struct err e = ERR_INIT;

	if (picker_work(&s->p, SIZE_MAX, &e) < 0)
		abort();
}

static enum picker_end type(struct scene *s, const char *text)
{
	enum picker_end end = PICKER_GOES_ON;
	struct key key;

	for (; *text; text++)
		if (keys_feed(&s->keys, (unsigned char)*text, &key))
			end = picker_key(&s->p, &key);
	return end;
}

/* What is on the screen after these keys, all items looked at. */
static void shows(struct scene *s, const char *keys, const char *want, const char *what)
{
	work(s);
	type(s, keys);
	work(s);
	is_int(frame(s), 0, "a frame: %s", what);
	model_text(s->m, &s->text);
	is_buf(&s->text, want, "%s", what);
	is_int(s->m->odd, 0, "nothing odd is written");
	s->m->odd = 0;
}

#define UP "\033[A"
#define DOWN "\033[B"
#define PAGE_UP "\033[5~"
#define PAGE_DOWN "\033[6~"
#define HOME "\033[H"
#define END "\033[F"

/* ---- what is shown ---- */

static void test_narrow(void)
{
	struct scene s;

	scene_begin(&s, NFRUIT, 16, 50);
	shows(&s, "",
	      "Fruit:                                        7/7\n"
	      "  NAME        COLOUR  WHAT IT IS\n"
	      "> apple       red     Keeps the doctor away\n"
	      "  banana      yellow  Grows in bunches\n"
	      "  cherry      red     Two on one stalk, with a n…\n"
	      "  dragon fr…  pink    漢字 and 😀 in its name\n"
	      "  elderberry  black   Élan\n"
	      "  fig         purple  ^[[31mred^[]0;x^G\xef\xbf\xbd\n"
	      "-------------------------------------------------\n"
	      "About apple\n"
	      "\n"
	      "        It is told of it that words are broken\n"
	      "where a blank is.\n"
	      "\n"
	      "\n"
	      "Enter picks, Esc leaves, Up and Down move, Ctrl-…\n",
	      "the preview is below in a narrow window");
	is_int((int64_t)s.m->row, 0, "the cursor is in the filter's row");
	is_int((int64_t)s.m->column, 7, "behind the filter");
	shows(&s, "re" END,
	      "Fruit: re                                     4/7\n"
	      "  NAME        COLOUR  WHAT IT IS\n"
	      "  apple       red     Keeps the doctor away\n"
	      "  cherry      red     Two on one stalk, with a n…\n"
	      "  fig         purple  ^[[31mred^[]0;x^G\xef\xbf\xbd\n"
	      "> grape       green   In vino veritas\n"
	      "\n\n"
	      "-------------------------------------------------\n"
	      "About grape\n"
	      "\n"
	      "        It is told of it that words are broken\n"
	      "where a blank is.\n"
	      "\n"
	      "\n"
	      "Enter picks, Esc leaves, Up and Down move, Ctrl-…\n",
	      "what fits the filter, and the last of it");
	scene_end(&s);
}

static void test_wide(void)
{
	struct scene s;

	scene_begin(&s, NFRUIT, 10, 100);
	shows(&s, "RED o" DOWN,
	      "Fruit: RED o                                                                                    2/7\n"
	      "  NAME    COLOUR  WHAT IT IS                         | About cherry\n"
	      "  apple   red     Keeps the doctor away              |\n"
	      "> cherry  red     Two on one stalk, with a name tha… |         It is told of it that words are\n"
	      "                                                     | broken where a blank is.\n"
	      "                                                     |\n"
	      "                                                     |\n"
	      "                                                     |\n"
	      "                                                     |\n"
	      "Enter picks, Esc leaves, Up and Down move, Ctrl-U clears the filter\n",
	      "the preview is beside in a wide window");
	shows(&s, "\025nothing like it",
	      "Fruit: nothing like it                                                                          0/7\n"
	      "  NAME    COLOUR  WHAT IT IS                         |\n"
	      "  nothing fits                                       |\n"
	      "                                                     |\n"
	      "                                                     |\n"
	      "                                                     |\n"
	      "                                                     |\n"
	      "                                                     |\n"
	      "                                                     |\n"
	      "Enter picks, Esc leaves, Up and Down move, Ctrl-U clears the filter\n",
	      "when nothing fits");
	scene_end(&s);
}

static void test_small(void)
{
	struct scene s;

	scene_begin(&s, NFRUIT, 5, 40);
	shows(&s, DOWN DOWN DOWN DOWN DOWN,
	      "Fruit:                              7/7\n"
	      "  cherry      Two on one stalk, with a…\n"
	      "  dragon fr…  漢字 and 😀 in its name\n"
	      "  elderberry  Élan\n"
	      "> fig         ^[[31mred^[]0;x^G\xef\xbf\xbd\n",
	      "five rows: a list, scrolled");
	set_size(3, 12);
	model_init(s.m, 3, 12);
	shows(&s, "hidden5 fig",
	      "> dden5 fig\n> fig\n", "three rows");
	scene_end(&s);
}

static void test_tiny(void)
{
	static const size_t sizes[][2] = {
		{ 1, 1 }, { 1, 80 }, { 2, 2 }, { 80, 1 }, { 30, 3 }, { 2, 300 }, { 9, 99 },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct scene s;

		scene_begin(&s, 40, sizes[i][0], sizes[i][1]);
		type(&s, DOWN DOWN "漢字 a");
		work(&s);
		is_int(frame(&s), 0, "a window of %zu rows, %zu columns", sizes[i][0], sizes[i][1]);
		is_int(s.m->odd, 0, "stays within it");
		scene_end(&s);
	}
}

static void test_message(void)
{
	struct scene s;
	struct err e = ERR_INIT;

	scene_begin(&s, NFRUIT, 4, 30);
	is_int(picker_work(&s.p, SIZE_MAX, &e), 0, "all are there");
	is_int(type(&s, DOWN "\r"), PICKER_GOES_ON, "what cannot be picked is not");
	shows(&s, "",
	      "Fruit:                    7/7\n"
	      "  apple   Keeps the doctor a…\n"
	      "> banana  Grows in bunches\n"
	      "it was ^[eaten\n",
	      "and why, is said");
	is_int(type(&s, DOWN "\r"), PICKER_PICKED, "the next one is");
	is_int((int64_t)picker_item(&s.p), 2, "it is this");
	scene_end(&s);
}

/* ---- what keys do ---- */

static void test_keys(void)
{
	static const struct {
		const char *keys;
		int64_t item;
		const char *typed;
	} cases[] = {
		{ "", 0, "" },
		{ UP, 0, "" },
		{ DOWN, 1, "" },
		{ "\016\016\020", 1, "" },
		{ END, 49, "" },
		{ END DOWN, 49, "" },
		{ END HOME, 0, "" },
		{ PAGE_DOWN, 8, "" },
		{ PAGE_DOWN PAGE_DOWN PAGE_UP, 8, "" },
		{ END PAGE_UP, 41, "" },
		{ PAGE_UP, 0, "" },
		{ "grape", 6, "grape" },
		{ "grape" DOWN, 13, "grape" },
		{ "grape" DOWN "x\177", 6, "grape" },
		{ "grape\177\177\177\177\177", 0, "" },
		{ "\177", 0, "" },
		{ "élan", 4, "élan" },
		{ "éé\177", 4, "é" },
		{ "red cherry\027", 0, "red " },
		{ "red cherry  \027\027", 0, "" },
		{ "red\033\177", 0, "" },
		{ "  a  b", 1, "a b" },
		{ "fig\025", 0, "" },
		{ "\033[200~fig\rpurple\t5\033[201~", 5, "fig purple 5" },
		{ "\033[200~\003", 0, "" },
		{ "\t\033[3~\033[C\033[D\033a\033[15~\001", 0, "" },
		{ "hidden42", 42, "hidden42" },
		{ "none", -1, "none" },
		{ "none\025", 0, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene s;
		size_t item;

		scene_begin(&s, 50, 11, 60); /* eight rows of list */
		work(&s);
		frame(&s);
		type(&s, cases[i].keys);
		work(&s);
		item = picker_item(&s.p);
		is_int(item == PICKER_NONE ? -1 : (int64_t)item, cases[i].item, "the item, case %zu", i);
		is_buf(&s.p.typed, cases[i].typed, "and the filter");
		scene_end(&s);
	}
}

static void test_ends(void)
{
	static const struct {
		const char *keys;
		enum picker_end want;
	} cases[] = {
		{ "\r", PICKER_PICKED },    { "\n", PICKER_PICKED },     { "\003", PICKER_LEFT },
		{ "\004", PICKER_LEFT },    { "\032", PICKER_SUSPENDED }, { "\014", PICKER_REDRAW },
		{ "none\r", PICKER_GOES_ON }, { "\033\r", PICKER_GOES_ON }, { "x", PICKER_GOES_ON },
	};
	struct key esc = { .kind = KEY_ESC };
	struct scene s;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene_begin(&s, 3, 10, 60);
		work(&s);
		is_int(type(&s, cases[i].keys), cases[i].want, "how it ends, case %zu", i);
		scene_end(&s);
	}
	scene_begin(&s, 0, 10, 60);
	work(&s);
	is_int(type(&s, DOWN UP END "\r"), PICKER_GOES_ON, "of nothing nothing can be picked");
	is_int(picker_key(&s.p, &esc), PICKER_LEFT, "and one can leave");
	scene_end(&s);
}

static void test_long_filter(void)
{
	struct scene s;
	char big[PICKER_TYPED_MAX + 50];

	scene_begin(&s, 3, 10, 60);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	type(&s, big);
	is_int((int64_t)s.p.typed.n, PICKER_TYPED_MAX, "the filter has an end");
	work(&s);
	frame(&s);
	is_int(s.m->odd, 0, "and its end is shown");
	is_int((int64_t)s.m->column, 59 - 5, "with the cursor behind it");
	scene_end(&s);
}

/* ---- slices ---- */

/* However the items and the filter come, what fits is what fits, in order. */
static void test_slices(void)
{
	static const char *const texts[] = { "r", "e", "re", "hidden", "1", "\177", "\025", " ", "a" };
	uint64_t seed = 3;
	int bad = 0;

	for (int i = 0; i < 300; i++) {
		struct scene s;
		struct filter f = FILTER_INIT;
		struct err e = ERR_INIT;
		size_t want = 0;

		scene_begin(&s, rnd_below(&seed, 200), 10, 60);
		for (int k = 0; k < 12; k++) {
			type(&s, texts[rnd_below(&seed, 9)]);
			picker_work(&s.p, rnd_below(&seed, 60), &e);
		}
		work(&s);
		filter_set(&f, buf_span(&s.p.typed));
		s.basket.given = 0;
		for (size_t item = 0; item < s.basket.n; item++) {
			struct buf text = BUF_INIT, folded = BUF_INIT;

			next(&s.basket, &text);
			filter_fold(&folded, buf_span(&text));
			if (filter_fit(&f, buf_span(&folded)))
				bad += want >= s.p.kept || s.p.fits[want++] != item;
			buf_release(&text);
			buf_release(&folded);
		}
		bad += want != s.p.kept;
		filter_release(&f);
		scene_end(&s);
	}
	is_int(bad, 0, "what fits does not depend on when it was asked for");
}

/* A filter that is put in the place of another one; plain lines do that. */
static void test_replaced(void)
{
	static const struct {
		const char *typed;
		size_t want;
	} filters[] = { { "red", 3 }, { "fig", 1 }, { "yellow", 1 }, { "", 7 }, { "re", 4 }, { "red", 3 } };
	struct scene s;

	scene_begin(&s, NFRUIT, 10, 60);
	work(&s);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		picker_filter(&s.p, span_str(filters[i].typed));
		work(&s);
		is_int((int64_t)s.p.kept, (int64_t)filters[i].want, "what fits '%s'", filters[i].typed);
	}
	scene_end(&s);
}

static void test_busy(void)
{
	struct scene s;
	struct err e = ERR_INIT;

	scene_begin(&s, 100, 6, 40);
	ok(picker_busy(&s.p), "at first there is something to do");
	picker_work(&s.p, 3, &e);
	frame(&s);
	model_text(s.m, &s.text);
	is_buf(&s.text,
	       "Fruit:                             3/3+\n"
	       "> apple   Keeps the doctor away\n"
	       "  banana  Grows in bunches\n"
	       "  cherry  Two on one stalk, with a nam…\n", "what is known is shown already");
	work(&s);
	ok(!picker_busy(&s.p), "then no more");
	type(&s, "r");
	ok(picker_busy(&s.p), "a key brings work");
	scene_end(&s);
}

static void test_preview_once(void)
{
	struct scene s;

	scene_begin(&s, 20, 20, 60);
	work(&s);
	for (int i = 0; i < 5; i++)
		frame(&s);
	is_int(s.basket.previews, 1, "the preview is asked for once");
	type(&s, "r");
	work(&s);
	frame(&s);
	is_int(s.basket.previews, 1, "also when the filter leaves the item where it is");
	type(&s, DOWN);
	frame(&s);
	is_int(s.basket.previews, 2, "and again for another item");
	scene_end(&s);
}

/* Frames that write only what changed show what a whole frame shows. */
static void test_differences(void)
{
	static const char *const keys[] = {
		"r", "e", "\177", "\025", DOWN, UP, PAGE_DOWN, END, HOME, "漢", " ", "\r",
	};
	uint64_t seed = 11;
	int bad = 0, odd = 0;
	struct buf parts = BUF_INIT;

	for (int i = 0; i < 60; i++) {
		struct scene s;

		scene_begin(&s, rnd_below(&seed, 60), 1 + rnd_below(&seed, 40), 1 + rnd_below(&seed, 200));
		for (int k = 0; k < 30; k++) {
			if (rnd_below(&seed, 10) == 0) {
				set_size(1 + rnd_below(&seed, 40), 1 + rnd_below(&seed, 200));
				screen_measure(&s.screen);
				s.m->rows = s.screen.rows;
				s.m->columns = s.screen.columns;
				s.m->row = s.m->column = 0;
			}
			type(&s, keys[rnd_below(&seed, 12)]);
			work(&s);
			frame(&s);
			model_text(s.m, &parts);
			screen_forget(&s.screen);
			frame(&s);
			model_text(s.m, &s.text);
			bad += !span_same(buf_span(&parts), buf_span(&s.text));
		}
		odd += s.m->odd;
		scene_end(&s);
	}
	is_int(bad, 0, "a frame of differences shows the same as a whole one");
	is_int(odd, 0, "and nothing odd is written");
	buf_release(&parts);
}

/* ---- giving the terminal back ---- */

static void fill(struct scene *s)
{
	for (size_t r = 0; r + 1 < s->m->rows; r++)
		snprintf(s->m->cells[r][0], sizeof(s->m->cells[r][0]), "%zu", r);
	s->m->row = s->m->rows - 1;
}

static void test_second_screen(void)
{
	struct scene s;

	scene_begin(&s, 3, 12, 60);
	work(&s);
	frame(&s);
	ok(s.m->second && s.m->paste && s.m->no_wrap && !s.m->hidden, "what it takes is on");
	screen_hide(&s.screen);
	take_written(&s);
	ok(!s.m->second && !s.m->paste && !s.m->no_wrap && !s.m->hidden, "and off again");
	screen_hide(&s.screen);
	is_int(lseek(s.fd, 0, SEEK_END), 0, "once");
	frame(&s);
	ok(s.m->second, "it can be shown again");
	scene_end(&s);
}

static void test_one_screen(void)
{
	struct scene s;

	setenv("TERM", "linux", 1);
	scene_begin(&s, 3, 30, 60);
	fill(&s);
	work(&s);
	frame(&s);
	is_int((int64_t)s.screen.rows, 20, "two thirds of the rows");
	ok(!s.m->second, "there is one screen");
	model_text(s.m, &s.text);
	ok(strncmp(s.text.p, "19\n20\n", 6) == 0, "what was there moved up");
	ok(strstr(s.text.p, "28\nFruit:") != NULL, "and the list is below it");
	type(&s, DOWN);
	frame(&s);
	screen_hide(&s.screen);
	take_written(&s);
	model_text(s.m, &s.text);
	is_buf(&s.text, "19\n20\n21\n22\n23\n24\n25\n26\n27\n28\n", "then it is gone");
	is_int((int64_t)s.m->row, 10, "and the cursor where it was");
	scene_end(&s);
	setenv("TERM", "xterm", 1);
}

int main(void)
{
	setenv("TERM", "xterm", 1);
	unsetenv("STY");
	test_narrow();
	test_wide();
	test_small();
	test_tiny();
	test_message();
	test_keys();
	test_ends();
	test_long_filter();
	test_slices();
	test_replaced();
	test_busy();
	test_preview_once();
	test_differences();
	test_second_screen();
	test_one_screen();
	return tap_end();
}
