#include "markdown/markdown.h"

#include <time.h>

#define COLOURED_MAX 65536 /* bytes of code */
#define CHEAP 500000       /* ns: a drawing that takes less is done at once */
#define SHARE 8            /* of the time at most is spent with drawing others: 1/SHARE */

int markdown_open(struct markdown *m, int fd, struct err *e)
{
	if (md4c_load(&m->md4c, e) < 0)
		return -1;
	m->fd = fd;
	return 0;
}

void markdown_release(struct markdown *m)
{
	split_release(&m->split);
	rows_release(&m->rows);
	live_release(&m->live);
	buf_release(&m->code);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- code, line by line ---- */

/* Lines are final when they are complete, unless the block may still get its colours: then its
 * rows are kept. */
static void stop_colouring(struct markdown *m)
{
	if (m->colouring)
		highlight_cancel(m->highlight);
	m->colouring = false;
	buf_clear(&m->code);
}

/* One more row, of the line or of what came of it; what of it is frozen on the screen is left out. */
static void add_code_row(struct markdown *m, const struct part *p)
{
	size_t shown = m->live.from > m->code_at ? m->live.from - m->code_at : 0;
	struct span line = p->text;

	if (shown && shown >= line.n)
		return;
	line.p += shown;
	line.n -= shown;
	rows_begin(&m->rows, m->code_at + shown);
	rows_style(&m->rows, STYLE_CODE);
	rows_add_code(&m->rows, line, shown, m->live.columns);
	rows_end(&m->rows);
	if (m->rows.n)
		m->rows.v[m->rows.n - 1].glued = p->goes_on || shown;
}

/* The rows that are kept, and the new one. How many are kept from now on. */
static size_t draw_code_row(struct markdown *m, const struct part *p, struct buf *out)
{
	size_t kept = m->rows.n;

	add_code_row(m, p);
	while (!live_draw(&m->live, &m->rows, m->code_at + p->text.n, out)) {
		stop_colouring(m);
		rows_clear(&m->rows);
		kept = 0;
		add_code_row(m, p);
	}
	if (!m->colouring || live_reaches(&m->live))
		return kept;
	stop_colouring(m);
	live_final(&m->live, kept);
	rows_drop(&m->rows, kept);
	return 0;
}

static void draw_code_rest(struct markdown *m, const struct part *p, struct buf *out)
{
	if (p->text.n)
		rows_cut(&m->rows, draw_code_row(m, p, out));
}

static void finish_code_row(struct markdown *m)
{
	if (m->colouring)
		return;
	live_final(&m->live, m->live.shown.n);
	rows_clear(&m->rows);
}

/* Without a terminal all of a block is drawn when its colours are known. */
static bool waits(const struct markdown *m)
{
	return m->fd < 0 && m->colouring;
}

/* As it came: what the splitter has put in is not for the program that colours it. */
static void add_code(struct buf *b, struct span line)
{
	const char *mark;

	while ((mark = memmem(line.p, line.n, SPLIT_MARK, strlen(SPLIT_MARK)))) {
		size_t n = (size_t)(mark - line.p);

		buf_add(b, line.p, n);
		line.p += n + strlen(SPLIT_MARK);
		line.n -= n + strlen(SPLIT_MARK);
	}
	buf_add(b, line.p, line.n);
	buf_addc(b, '\n');
}

static void draw_code_line(struct markdown *m, const struct part *p, struct buf *out)
{
	if (waits(m))
		add_code_row(m, p);
	else
		draw_code_row(m, p, out);
	m->code_at += p->text.n + !p->unfinished;
	if (m->colouring)
		add_code(&m->code, p->text);
	if (m->colouring && (m->code.n > COLOURED_MAX || p->unfinished || m->code.oom)) {
		if (waits(m))
			live_draw(&m->live, &m->rows, m->code_at, out);
		stop_colouring(m);
	}
	finish_code_row(m);
}

static void add_fence(struct markdown *m, const struct part *p)
{
	if (p->blank && !m->render.first)
		rows_add_row(&m->rows, m->code_at, 0, span_str(""));
	rows_begin(&m->rows, m->code_at);
	rows_style(&m->rows, STYLE_DIM);
	rows_add_code(&m->rows, p->text, 0, m->live.columns);
	rows_end(&m->rows);
}

static void begin_code(struct markdown *m, const struct part *p, struct buf *out)
{
	rows_clear(&m->rows);
	buf_clear(&m->code);
	m->code_at = 0;
	add_fence(m, p);
	m->colouring = m->highlight && highlight_begin(m->highlight, split_language(p->text));
	m->code_rows = m->rows.n;
	if (!waits(m))
		live_draw(&m->live, &m->rows, 0, out);
	finish_code_row(m);
	m->render.first = false;
	m->code_at = p->text.n;
}

static void add_coloured_rows(struct markdown *m, struct span lines)
{
	while (lines.n) {
		const char *end = memchr(lines.p, '\n', lines.n);
		size_t n = end ? (size_t)(end - lines.p) : lines.n;

		rows_begin(&m->rows, 0);
		rows_add_code(&m->rows, (struct span){ lines.p, n }, 0, m->live.columns);
		rows_end(&m->rows);
		n += end != NULL;
		lines = (struct span){ lines.p + n, lines.n - n };
	}
}

/* The same lines in colour, in place of those that are there. */
static void colour(struct markdown *m)
{
	struct buf coloured = BUF_INIT;

	if (m->colouring && (m->fd < 0 || live_reaches(&m->live)) &&
	    highlight_end(m->highlight, buf_span(&m->code), &coloured)) {
		rows_cut(&m->rows, m->code_rows);
		add_coloured_rows(m, buf_span(&coloured));
	}
	m->rows.text.oom |= coloured.oom;
	buf_release(&coloured);
}

static void end_code(struct markdown *m, const struct part *p, struct buf *out)
{
	if (p) {
		colour(m);
		add_fence(m, p);
	}
	while (!live_draw(&m->live, &m->rows, m->code_at, out))
		;
	m->colouring = m->colouring && !p;
	stop_colouring(m);
	rows_clear(&m->rows);
	live_next(&m->live, SIZE_MAX);
	m->code_at = 0;
}

/* ---- parts ---- */

static void draw_text(struct markdown *m, const struct part *p, bool final, struct buf *out)
{
	struct render r;

	do {
		r = m->render;
		r.md4c = &m->md4c;
		r.columns = m->live.columns;
		r.from = m->live.from;
		render_part(&r, p, &m->rows);
	} while (!live_draw(&m->live, &m->rows, p->text.n, out));
	rows_clear(&m->rows);
	if (!final)
		return;
	m->render = r;
	m->render.first = false;
	live_next(&m->live, p->text.n);
}

static void draw_part(struct markdown *m, const struct part *p, struct buf *out)
{
	switch (p->kind) {
	case PART_TEXT:
	case PART_PLAIN: draw_text(m, p, true, out); break;
	case PART_FENCE: begin_code(m, p, out); break;
	case PART_CODE: draw_code_line(m, p, out); break;
	case PART_FENCE_END: end_code(m, p, out); break;
	}
}

static void draw_parts(struct markdown *m, struct buf *out)
{
	struct part p;

	while (split_next(&m->split, &p))
		draw_part(m, &p, out);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A hyphen below some text makes a heading of it, until the blank and the text behind it make
 * it the first item of a list: nothing of such a line is shown before it tells which. */
static void hold_underline(struct part *p)
{
	const char *newline = p->text.n ? memrchr(p->text.p, '\n', p->text.n) : NULL, *at;
	const char *end = p->text.p + p->text.n;
	char mark;

	if (p->kind != PART_TEXT || !newline)
		return;
	for (at = newline + 1; at < end && (is_blank(*at) || *at == '>');)
		at++;
	if (at == end || (*at != '-' && *at != '='))
		return;
	for (mark = *at; at < end && *at == mark;)
		at++;
	while (at < end && is_blank(*at))
		at++;
	if (at == end)
		p->text.n = (size_t)(newline + 1 - p->text.p);
}

static void draw_rest(struct markdown *m, struct buf *out)
{
	int64_t before = now_ns();
	struct part p;

	split_rest(&m->split, &p);
	hold_underline(&p);
	if (p.kind == PART_CODE)
		draw_code_rest(m, &p, out);
	else
		draw_text(m, &p, false, out);
	m->due = false;
	m->drawn = now_ns();
	m->cost = m->drawn - before;
}

/* ---- the stream ---- */

/* The window may be another one now. What stands there then stays as it is. */
static void look(struct markdown *m)
{
	if (m->fd < 0 || !live_look(&m->live, m->fd))
		return;
	if (m->split.fence)
		live_freeze(&m->live);
	stop_colouring(m);
	rows_clear(&m->rows);
}

/* ns until another drawing would not take more than its share of the time. */
static int64_t can_wait(const struct markdown *m)
{
	int64_t wait = m->cost > CHEAP ? m->drawn + m->cost * (SHARE - 1) - now_ns() : 0;

	return wait > 0 ? wait : 0;
}

int64_t markdown_due(const struct markdown *m)
{
	return m->due ? (can_wait(m) + 999999) / 1000000 : -1;
}

void markdown_feed(struct markdown *m, struct buf *out, struct span piece)
{
	struct buf clean = BUF_INIT;

	look(m);
	neutral_feed(&m->neutral, &clean, piece);
	split_add(&m->split, buf_span(&clean));
	out->oom |= clean.oom || m->split.text.oom;
	buf_release(&clean);
	draw_parts(m, out);
	m->due = true;
	if (m->fd >= 0 && !can_wait(m))
		draw_rest(m, out);
}

void markdown_draw(struct markdown *m, struct buf *out)
{
	if (!m->due || m->fd < 0)
		return;
	look(m);
	draw_rest(m, out);
}

void markdown_resume(struct markdown *m, struct buf *out)
{
	look(m);
	stop_colouring(m);
	rows_clear(&m->rows);
	if (m->split.fence) { /* the row may be of a line that is not drawn again */
		live_freeze(&m->live);
		return;
	}
	live_resume(&m->live, out);
	draw_rest(m, out);
}

void markdown_pause(struct markdown *m, struct buf *out)
{
	markdown_draw(m, out);
	live_freeze(&m->live);
	stop_colouring(m);
	rows_clear(&m->rows);
	live_leave(&m->live, out);
}

void markdown_end(struct markdown *m, struct buf *out)
{
	struct buf clean = BUF_INIT;

	look(m);
	neutral_end(&m->neutral, &clean);
	split_add(&m->split, buf_span(&clean));
	buf_release(&clean);
	split_end(&m->split);
	draw_parts(m, out);
	end_code(m, NULL, out);
	live_leave(&m->live, out);
	m->render = (struct render){ .first = true };
	m->due = false;
}

int markdown_text(struct buf *out, struct span text, size_t columns, struct highlight *highlight,
                  struct err *e)
{
	struct markdown m = MARKDOWN_INIT;

	if (markdown_open(&m, -1, e) < 0)
		return -1;
	m.highlight = highlight;
	m.live.columns = columns ? columns : 1;
	m.live.height = SIZE_MAX / 2;
	markdown_feed(&m, out, text);
	markdown_end(&m, out);
	markdown_release(&m);
	return buf_check(out, e);
}
