/* Text broken to fit beside or below the list. */
#include <string.h>

#include "tty/neutral.h"
#include "prompt/picker-parts.h"
#include "tty/term.h"

/* A tab goes on to the next of the places that are eight columns apart. */
static void expand_tabs(struct buf *out, struct span line)
{
	const char *tab;

	while ((tab = memchr(line.p, '\t', line.n)) != NULL) {
		size_t n = (size_t)(tab - line.p), column;

		buf_add(out, line.p, n);
		column = term_width(buf_span(out));
		buf_add(out, "        ", 8 - column % 8);
		line = (struct span){ line.p + n + 1, line.n - n - 1 };
	}
	buf_add(out, line.p, line.n);
}

/* How much of the line is a row. It ends at a blank where one is in its second half. */
static size_t row_of(struct span line, size_t columns)
{
	size_t used, n = term_fit(line, columns, &used), at = n;

	if (n == line.n)
		return n;
	while (at > n / 2 && line.p[at] != ' ')
		at--;
	return at > n / 2 ? at : n;
}

static void add_row(struct picker_preview *v, struct span row, bool cut)
{
	row = span_trim_end(row, " ");
	if (cut) {
		size_t used, n = term_fit(row, v->columns - 1, &used);

		buf_add(&v->text, row.p, n);
		buf_adds(&v->text, "…");
	} else {
		buf_add(&v->text, row.p, row.n);
	}
	buf_addc(&v->text, '\n');
	v->n++;
}

/* Breaks one line; true when it all found room. */
static bool add_line(struct picker_preview *v, struct span line, size_t *room, bool more)
{
	do {
		size_t n = row_of(line, v->columns);
		bool cut = *room == 1 && (n < line.n || more);

		if (!*room || (!n && line.n)) /* or there is no column for a wide character */
			return false;
		add_row(v, (struct span){ line.p, n }, cut);
		(*room)--;
		line = span_trim_start((struct span){ line.p + n, line.n - n }, " ");
	} while (line.n);
	return true;
}

/* No more of a text is looked at than could be in sight. */
static struct span in_sight(struct span text, size_t cells)
{
	size_t most = cells * 8 + 64; /* a few bytes a character, and what combines with it */

	return text.n > most ? (struct span){ text.p, most } : text;
}

void picker_show(struct picker_preview *v, struct span text, size_t max)
{
	size_t room = v->rows - v->n < max ? v->rows - v->n : max;
	struct span seen = in_sight(text, room * (v->columns + 1)), rest;
	struct buf clean = BUF_INIT;
	bool whole = seen.n == text.n, fits = room && v->columns;

	neutral_add(&clean, seen);
	buf_trim_end(&clean, "\n");
	rest = buf_span(&clean);
	while (fits && rest.n) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;
		struct buf line = BUF_INIT;

		expand_tabs(&line, (struct span){ rest.p, n });
		rest = (struct span){ rest.p + n + (end != NULL), rest.n - n - (end != NULL) };
		fits = add_line(v, buf_span(&line), &room, rest.n || !whole);
		v->text.oom |= line.oom;
		buf_release(&line);
	}
	v->text.oom |= clean.oom;
	buf_release(&clean);
}
