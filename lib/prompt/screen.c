#include "prompt/screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/io.h"
#include "prompt/keys.h"
#include "tty/term.h"

#define SECOND_ON "\033[?1049h"
#define SECOND_OFF "\033[?1049l"
#define CURSOR_OFF "\033[?25l"
#define CURSOR_ON "\033[?25h"
#define WRAP_OFF "\033[?7l" /* a character that is wider than we know breaks no row */
#define WRAP_ON "\033[?7h"

static bool has_second(void)
{
	static const char *const without[] = {
		"linux", "vt52", "vt100", "vt102", "vt220", "ansi", "cons25",
	};
	const char *term = env("TERM");

	/* screen(1) knows the sequences, and keeps to one screen unless it is told otherwise. */
	if (!term || env("STY"))
		return false;
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		if (strcmp(term, without[i]) == 0)
			return false;
	return true;
}

void screen_open(struct screen *s, int fd)
{
	*s = (struct screen){ .fd = fd, .second = has_second() };
	screen_measure(s);
}

void screen_measure(struct screen *s)
{
	size_t rows, columns;

	term_size(s->fd, &rows, &columns);
	if (!s->second) { /* some of what was there stays in sight */
		size_t part = rows * 2 / 3;

		rows = part >= 10 ? part : rows > 10 ? 10 : rows;
	}
	if (rows != s->rows || columns != s->columns)
		screen_forget(s);
	s->rows = rows;
	s->columns = columns;
}

void screen_forget(struct screen *s)
{
	for (size_t i = 0; i < s->nshown; i++)
		buf_release(&s->shown[i]);
	free(s->shown);
	s->shown = NULL;
	s->nshown = 0;
}

/* The cursor goes to the first column of a row of the part. */
static void add_move(struct screen *s, struct buf *out, size_t row)
{
	if (row > s->at)
		buf_addf(out, "\033[%zuB", row - s->at);
	else if (row < s->at)
		buf_addf(out, "\033[%zuA", s->at - row);
	buf_addc(out, '\r');
	s->at = row;
}

static void add_begin(struct screen *s, struct buf *out)
{
	buf_adds(out, KEYS_PASTE_ON WRAP_OFF);
	if (s->second) {
		buf_adds(out, SECOND_ON);
	} else {
		buf_addc(out, '\r');
		for (size_t i = 1; i < s->rows; i++)
			buf_addc(out, '\n');
		s->at = s->rows - 1;
	}
}

/* An empty part, and what is shown to compare with. */
static int start_whole(struct screen *s, struct buf *out, struct err *e)
{
	if (!s->begun)
		add_begin(s, out);
	if (s->second) {
		buf_adds(out, "\033[H");
		s->at = 0;
	} else {
		add_move(s, out, 0);
	}
	buf_adds(out, "\033[J");
	s->shown = calloc(s->rows, sizeof(*s->shown));
	if (!s->shown)
		return err_oom(e);
	s->nshown = s->rows;
	for (size_t i = 0; i < s->nshown; i++)
		s->shown[i] = (struct buf)BUF_INIT;
	return 0;
}

static void add_row(struct screen *s, struct buf *out, size_t i, const struct buf *row)
{
	if (span_same(buf_span(&s->shown[i]), buf_span(row)))
		return;
	add_move(s, out, i);
	buf_adds(out, "\033[K");
	buf_add(out, row->p, row->n);
	buf_clear(&s->shown[i]);
	buf_add(&s->shown[i], row->p, row->n);
	out->oom |= s->shown[i].oom;
}

int screen_draw(struct screen *s, const struct buf *rows, size_t column, struct err *e)
{
	struct buf out = BUF_INIT;
	int r = 0;

	buf_adds(&out, CURSOR_OFF);
	if (!s->shown)
		r = start_whole(s, &out, e);
	for (size_t i = 0; i < s->rows && r == 0; i++)
		add_row(s, &out, i, &rows[i]);
	if (r == 0) {
		add_move(s, &out, 0);
		if (column)
			buf_addf(&out, "\033[%zuC", column);
		buf_adds(&out, CURSOR_ON);
		r = buf_check(&out, e);
	}
	s->begun |= r == 0;
	if (r == 0 && io_write(s->fd, out.p, out.n) < 0)
		r = err_sys(e, errno, "cannot write to the terminal");
	buf_release(&out);
	return r;
}

const char *screen_rescue(const struct screen *s)
{
	return s->second ? SECOND_OFF CURSOR_ON WRAP_ON KEYS_PASTE_OFF
	                 : "\r\033[J" CURSOR_ON WRAP_ON KEYS_PASTE_OFF;
}

void screen_hide(struct screen *s)
{
	char up[32] = "", all[128];
	int n;

	screen_forget(s);
	if (!s->begun)
		return;
	s->begun = false;
	if (!s->second && s->at)
		snprintf(up, sizeof(up), "\033[%zuA", s->at);
	n = snprintf(all, sizeof(all), "%s%s" CURSOR_ON WRAP_ON KEYS_PASTE_OFF, up,
	             s->second ? SECOND_OFF : "\r\033[J");
	s->at = 0;
	if (io_write(s->fd, all, (size_t)n) < 0)
		return; /* the terminal is gone: there is nothing to give back */
}
