/*
 * readline shows a text that is higher than the window line over line. So it is given a
 * part of such a text, around the cursor, with a line that says how much is above or below.
 */
#include <string.h>
#include <wchar.h>

#include "base/utf8.h"
#include "prompt/edit-line.h"
#include "tty/neutral.h"

#define SPARE 3 /* rows: the two that say what is not shown, and one for the cursor */
#define TAB_STOP 8
#define COLUMNS_MIN 4

static size_t top; /* the first row that is shown */

static size_t char_width(struct span s, size_t col, size_t *bytes)
{
	uint32_t c = 0;
	int len = utf8_decode(s.p, s.n, &c), w;

	*bytes = len > 0 ? (size_t)len : 1;
	if (len <= 0)
		return 4; /* as \ooo */
	if (c == '\t')
		return TAB_STOP - col % TAB_STOP;
	if (c < 0x20 || c == 0x7f)
		return 2; /* as ^X */
	w = wcwidth((wchar_t)c);
	return w < 0 ? 1 : (size_t)w;
}

/* Where the row ends that begins at `at`, in column `col`. */
static size_t row_end(struct span text, size_t at, size_t col, size_t columns)
{
	while (at < text.n) {
		size_t bytes, w;

		if (text.p[at] == '\n')
			return at + 1;
		w = char_width((struct span){ text.p + at, text.n - at }, col, &bytes);
		if (col + w > columns)
			return at;
		col += w;
		at += bytes;
	}
	return at;
}

/* The columns that the prompt takes; what is between \1 and \2 takes none. */
static size_t prompt_width(size_t columns)
{
	const char *p = *edit_rl.rl_display_prompt;
	struct span s = span_str(p ? p : "");
	size_t width = 0;
	bool hidden = false;

	for (size_t bytes; s.n; s.p += bytes, s.n -= bytes) {
		size_t w = char_width(s, width, &bytes);

		if (*s.p == '\001' || *s.p == '\002')
			hidden = *s.p == '\001';
		else if (*s.p == '\n')
			width = 0;
		else if (!hidden)
			width += w;
	}
	return width % columns;
}

/* How the text lies in the window. */
struct rows {
	size_t n;         /* rows */
	size_t cursor;    /* the cursor's */
	size_t from, to;  /* bytes: of the rows that are asked for */
};

/* `first` and `count`: the rows whose bytes are wanted. */
static struct rows lay_out(struct span text, size_t point, size_t columns, size_t first,
                           size_t count)
{
	struct rows r = { 0, 0, text.n, text.n };
	size_t at = 0, col = prompt_width(columns);

	do {
		size_t end = row_end(text, at, col, columns);

		if (point >= at)
			r.cursor = r.n;
		if (r.n == first)
			r.from = at;
		if (r.n >= first && r.n < first + count)
			r.to = end;
		col = 0;
		/* A character that is wider than the window would be for ever in the way. */
		at = end == at && at < text.n ? at + 1 : end;
		r.n++;
	} while (at < text.n);
	if (text.n && text.p[text.n - 1] == '\n') {
		r.cursor = point == text.n ? r.n : r.cursor;
		r.n++;
	}
	return r;
}

/* Moves the part that is shown as little as the cursor allows. */
static void scroll(const struct rows *r, size_t height)
{
	if (r->cursor < top)
		top = r->cursor;
	if (r->cursor >= top + height)
		top = r->cursor - height + 1;
	if (top + height > r->n)
		top = r->n > height ? r->n - height : 0;
}

static int within(int at, size_t from, size_t to, size_t lead)
{
	size_t n = at < 0 || (size_t)at < from ? from : (size_t)at > to ? to : (size_t)at;

	return (int)(n - from + lead);
}

/* readline shows C0 as ^X, and writes all else as it is. Characters of as many bytes, in a copy of the
 * text, stand for those that a terminal would obey, so that places in it stay the same. */
static void add_harmless(struct buf *b, struct span text)
{
	static const char *const instead[] = { "", "?", "¤", "\ufffd" };

	for (size_t i = 0; i < text.n;) {
		uint32_t c = 0;
		int len = utf8_decode(text.p + i, text.n - i, &c);
		size_t n = len > 0 ? (size_t)len : 1;

		if (len > 1 && len < 4 && neutral_is_shown(c))
			buf_adds(b, instead[len]);
		else
			buf_add(b, text.p + i, n);
		i += n;
	}
}

/* readline's redisplay looks at its variables only. */
static void show_part(struct span text, struct rows r, size_t height)
{
	char *buffer = *edit_rl.rl_line_buffer;
	int point = *edit_rl.rl_point, end = *edit_rl.rl_end, mark = *edit_rl.rl_mark;
	size_t below = r.n - top - height, lead;
	struct buf part = BUF_INIT;

	if (top)
		buf_addf(&part, "… %zu line%s above\n", top, top == 1 ? "" : "s");
	lead = part.n;
	if (below)
		r.to = r.from + span_trim_end((struct span){ text.p + r.from, r.to - r.from }, "\n").n;
	buf_add(&part, text.p + r.from, r.to - r.from);
	if (below)
		buf_addf(&part, "\n… %zu line%s below", below, below == 1 ? "" : "s");
	if (!part.oom) {
		*edit_rl.rl_line_buffer = part.p;
		*edit_rl.rl_end = (int)part.n;
		*edit_rl.rl_point = within(point, r.from, r.to, lead);
		*edit_rl.rl_mark = within(mark, r.from, r.to, lead);
		edit_rl.rl_redisplay();
	}
	*edit_rl.rl_line_buffer = buffer;
	*edit_rl.rl_end = end;
	*edit_rl.rl_point = point;
	*edit_rl.rl_mark = mark;
	buf_release(&part);
}

static void window(size_t *rows, size_t *columns)
{
	int h, w;

	edit_rl.rl_get_screen_size(&h, &w);
	*rows = h > SPARE + 1 ? (size_t)h : SPARE + 2;
	*columns = w > 1 ? (size_t)w : 2;
}

static struct span whole_text(void)
{
	return (struct span){ *edit_rl.rl_line_buffer, (size_t)*edit_rl.rl_end };
}

static void show_text(struct span text)
{
	size_t point = (size_t)*edit_rl.rl_point, height, columns;
	struct rows r;

	window(&height, &columns);
	r = lay_out(text, point, columns, 0, 0);
	if (r.n < height) {
		top = 0;
		edit_rl.rl_redisplay();
		return;
	}
	height -= SPARE;
	scroll(&r, height);
	show_part(text, lay_out(text, point, columns, top, height), height);
}

void edit_show(void)
{
	char *buffer = *edit_rl.rl_line_buffer;
	struct buf harmless = BUF_INIT;

	add_harmless(&harmless, whole_text());
	if (!harmless.oom && harmless.n)
		*edit_rl.rl_line_buffer = harmless.p;
	show_text(whole_text());
	*edit_rl.rl_line_buffer = buffer;
	buf_release(&harmless);
}

void edit_show_anew(void)
{
	top = 0;
}

/* readline divides by what is left beside its prompt. */
void edit_show_measure(void)
{
	int rows, columns;

	edit_rl.rl_reset_screen_size();
	edit_rl.rl_get_screen_size(&rows, &columns);
	if (columns < COLUMNS_MIN)
		edit_rl.rl_set_screen_size(rows, COLUMNS_MIN);
}

/* Most terminals wrap their lines anew when they change their width, and the cursor goes
 * with them. From there it is as far up to our first row as the text is high now. */
void edit_show_resized(void)
{
	struct span text = whole_text();
	size_t height, columns, up;
	char go_up[32];

	edit_show_measure();
	window(&height, &columns);
	up = lay_out(text, (size_t)*edit_rl.rl_point, columns, 0, 0).cursor;
	snprintf(go_up, sizeof(go_up), "\033[%zuA", up < height ? up : height - 1);
	if (up)
		edit_line_put(go_up);
	edit_line_put("\r\033[J");
	edit_rl.rl_on_new_line();
	edit_rl.rl_forced_update_display();
}
