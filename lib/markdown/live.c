#include "markdown/live.h"

#include "tty/term.h"

#define RESET "\033[0m"

/* Terminals differ in what they make of rows that are wider than the window was or is; those below
 * are where they were. */
static void freeze_unsure(struct live *l, size_t columns)
{
	size_t narrow = columns < l->columns ? columns : l->columns, n = l->shown.n, i = n;

	while (i && !l->shown.v[i - 1].glued && l->shown.v[i - 1].width + (i == n) <= narrow)
		i--;
	if (i == n) {
		live_freeze(l);
		return;
	}
	if (i)
		l->from = l->shown.v[i].source;
	rows_drop(&l->shown, i);
	if (l->reach > n - i)
		l->reach = n - i;
}

bool live_look(struct live *l, int fd)
{
	size_t columns, height;
	bool resized;

	term_size(fd, &height, &columns);
	resized = l->columns && l->columns != columns;
	if (resized)
		freeze_unsure(l, columns);
	if (l->height && l->height != height && l->reach > height)
		l->reach = height;
	l->columns = columns;
	l->height = height;
	return resized;
}

/* A row of which some may be missing is shown again where it has to be whole. */
void live_freeze(struct live *l)
{
	const struct row *last = l->shown.n ? &l->shown.v[l->shown.n - 1] : NULL;

	if (last)
		l->from = last->whole ? last->source : l->end;
	rows_clear(&l->shown);
	l->reach = 0;
}

void live_resume(struct live *l, struct buf *out)
{
	const struct row *last = l->shown.n ? &l->shown.v[l->shown.n - 1] : NULL;
	size_t source = last ? last->source : 0;
	bool one_line = last && l->in_row && !last->glued &&
	                row_lines(&l->shown, l->shown.n - 1, l->columns) == 1;

	live_freeze(l);
	if (!one_line)
		return;
	buf_adds(out, "\r\033[K");
	l->from = source;
	l->in_row = false;
}

void live_final(struct live *l, size_t n)
{
	rows_drop(&l->shown, n);
}

void live_next(struct live *l, size_t end)
{
	rows_clear(&l->shown);
	l->from = l->from > end ? l->from - end : 0;
	l->end = 0;
}

/* ---- what differs ---- */

/* The sequence that `text` ends with, which goes on where it ends; none: empty. */
static struct span last_sequence(struct span text)
{
	const char *end;

	for (size_t i = text.n; i-- > 0;)
		if (text.p[i] == '\033' && (end = memchr(text.p + i, 'm', text.n - i)))
			return (struct span){ text.p + i, (size_t)(end + 1 - text.p) - i };
	return (struct span){ text.p, 0 };
}

static size_t common(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n, i = 0;

	while (i < n && a.p[i] == b.p[i])
		i++;
	return i;
}

/* Whether `new` is `old` with something at its end: *at is where it goes on. What ends a style may
 * come later now. */
static bool goes_on(struct span old, struct span new, size_t *at)
{
	*at = common(old, new);
	if (*at == old.n)
		return true;
	if (!span_ends(old, RESET) || *at < old.n - strlen(RESET))
		return false;
	*at = old.n - strlen(RESET);
	return true;
}

/* ---- writing ---- */

static void count_lines(struct live *l, size_t lines)
{
	l->reach += lines;
	if (l->reach > l->height)
		l->reach = l->height;
}

static void write_row(struct live *l, const struct rows *rows, size_t i, struct buf *out)
{
	struct span text = row_text(rows, i);

	if (l->in_row && !rows->v[i].glued)
		buf_addc(out, '\n');
	buf_add(out, text.p, text.n);
	count_lines(l, row_lines(rows, i, l->columns));
	l->in_row = true;
}

static void write_rest(struct live *l, const struct rows *rows, size_t i, size_t at, struct buf *out)
{
	struct span text = row_text(rows, i), before = { text.p, at }, style = last_sequence(before);
	size_t had = row_lines(&l->shown, i, l->columns), has = row_lines(rows, i, l->columns);

	if (at < text.n && !span_eq(style, RESET))
		buf_add(out, style.p, style.n);
	buf_add(out, text.p + at, text.n - at);
	count_lines(l, has - had);
}

/* Lines from the beginning of row `i` to the cursor. */
static size_t lines_from(const struct live *l, size_t i)
{
	size_t n = 0;

	for (; i < l->shown.n; i++)
		n += row_lines(&l->shown, i, l->columns);
	return n;
}

/* Whether it can be drawn again: in reach, and it begins where a line does. */
static bool is_reachable(const struct live *l, size_t i)
{
	size_t lines = lines_from(l, i);

	for (size_t k = i; k < l->shown.n; k++)
		if (l->shown.v[k].glued)
			return false;
	return lines <= l->reach;
}

/* To the beginning of row `i`, with nothing there and below. tmux takes a screen that is cleared from
 * its first line on for one to keep in its history; so that is cleared by itself. */
static void go_up_to(struct live *l, size_t i, struct buf *out)
{
	size_t lines = lines_from(l, i), up = l->in_row ? lines - 1 : lines;

	if (up)
		buf_addf(out, "\033[%zuA", up);
	buf_adds(out, up ? "\r\033[K\n\033[J\033[A" : "\r\033[K");
	l->reach -= lines;
	l->in_row = false;
}

/* The rows that are shown from now on. */
static void remember(struct live *l, const struct rows *rows)
{
	rows_clear(&l->shown);
	for (size_t i = 0; i < rows->n; i++) {
		rows_begin(&l->shown, rows->v[i].source);
		rows_add(&l->shown, row_text(rows, i), rows->v[i].width);
		rows_end(&l->shown);
		if (l->shown.n) {
			l->shown.v[l->shown.n - 1].whole = rows->v[i].whole;
			l->shown.v[l->shown.n - 1].glued = rows->v[i].glued;
		}
	}
}

/* ---- drawing ---- */

bool live_reaches(const struct live *l)
{
	return is_reachable(l, 0);
}

/* The rows that cannot be reached, and differ, stay; the others begin where they begin. */
static void freeze_above(struct live *l, size_t i)
{
	while (i < l->shown.n && !is_reachable(l, i))
		i++;
	if (i == l->shown.n) {
		live_freeze(l);
		return;
	}
	l->from = l->shown.v[i].source;
	rows_drop(&l->shown, i);
}

bool live_draw(struct live *l, const struct rows *rows, size_t end, struct buf *out)
{
	size_t n = l->shown.n < rows->n ? l->shown.n : rows->n, i = 0, at;

	while (i < n && span_same(row_text(&l->shown, i), row_text(rows, i)))
		i++;
	if (i < n && i + 1 == l->shown.n && l->in_row &&
	    goes_on(row_text(&l->shown, i), row_text(rows, i), &at)) {
		write_rest(l, rows, i++, at, out);
	} else if (i < l->shown.n && !is_reachable(l, i)) {
		freeze_above(l, i);
		return false;
	} else if (i < l->shown.n) {
		go_up_to(l, i, out);
	}
	for (; i < rows->n; i++)
		write_row(l, rows, i, out);
	remember(l, rows);
	l->end = end;
	out->oom |= rows->text.oom || l->shown.text.oom;
	return true;
}

void live_leave(struct live *l, struct buf *out)
{
	if (l->in_row)
		buf_addc(out, '\n');
	l->in_row = false;
	l->reach = 0;
}

void live_release(struct live *l)
{
	rows_release(&l->shown);
}
