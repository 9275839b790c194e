/*
 * The picker without a screen: numbered lines, and a question. For terminals that can do
 * no more, and for people who have them read out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "prompt/line.h"
#include "tty/neutral.h"
#include "prompt/picker-parts.h"
#include "tty/term.h"

#define SHOWN 20

static int say(const struct picker_terminal *t, struct buf *b, struct err *e)
{
	int r = buf_check(b, e);

	if (r == 0 && io_write(t->out, b->p, b->n) < 0)
		r = err_sys(e, errno, "cannot write to the terminal");
	buf_release(b);
	return r;
}

static void add_item(struct picker *p, struct buf *b, size_t number, size_t columns)
{
	struct buf cells = BUF_INIT, clean = BUF_INIT;

	buf_addf(&clean, "%2zu. ", number);
	p->source->row(p->source->ctx, p->fits[number - 1], &cells);
	for (size_t i = 0; i < cells.n; i++) { /* what is empty separates nothing */
		size_t n = strcspn(cells.p + i, "\t"), start = clean.n;

		neutral_add_line(&clean, (struct span){ cells.p + i, n });
		if (clean.n > start)
			buf_adds(&clean, "  ");
		i += n;
	}
	buf_trim_end(&clean, " ");
	term_add_fit(b, buf_span(&clean), columns, false);
	buf_addc(b, '\n');
	b->oom |= cells.oom || clean.oom;
	buf_release(&cells);
	buf_release(&clean);
}

static size_t shown(const struct picker *p)
{
	return p->kept < SHOWN ? p->kept : SHOWN;
}

static int list(struct picker *p, const struct picker_terminal *t, struct err *e)
{
	struct buf b = BUF_INIT;
	size_t columns = term_columns(t->out);

	for (size_t i = 1; i <= shown(p); i++)
		add_item(p, &b, i, columns > 1 ? columns - 1 : 1);
	if (p->kept > SHOWN)
		buf_addf(&b, "and %zu more\n", p->kept - SHOWN);
	return say(t, &b, e);
}

/* 1: a line; 0: the input ends. */
static int ask(const struct picker *p, const struct picker_terminal *t, struct line_reader *in,
               struct buf *line, struct err *e)
{
	struct buf b = BUF_INIT;
	int got;

	buf_addf(&b, "%s: a number, words to look for, or nothing to leave: ", p->source->what);
	if (say(t, &b, e) < 0)
		return -1;
	got = line_read(in, line, e);
	if (got <= 0) { /* the line that was asked for is not there */
		struct err ignored = ERR_INIT;

		b = (struct buf)BUF_INIT;
		buf_addc(&b, '\n');
		say(t, &b, &ignored);
	}
	return got;
}

static int refuse(const struct picker_terminal *t, const char *why, struct err *e)
{
	struct buf b = BUF_INIT;

	neutral_add_line(&b, span_str(why));
	buf_addc(&b, '\n');
	return say(t, &b, e);
}

/* 1: the line is the number of one that is shown and can be picked. */
static int by_number(struct picker *p, const struct picker_terminal *t, const char *line,
                     size_t *item, struct err *e)
{
	struct err why = ERR_INIT;
	char *end;
	unsigned long n;

	if (*line < '0' || *line > '9')
		return 0;
	n = strtoul(line, &end, 10);
	if (*end || n < 1 || n > shown(p))
		return 0; /* a word, if it is one */
	*item = p->fits[n - 1];
	if (!p->source->check || p->source->check(p->source->ctx, *item, &why) == 0)
		return 1;
	return refuse(t, why.msg, e) < 0 ? -1 : 2;
}

static int look_for(struct picker *p, const struct picker_terminal *t, struct span words,
                    struct err *e)
{
	picker_filter(p, words);
	if (picker_work(p, SIZE_MAX, e) < 0)
		return -1;
	if (p->kept)
		return list(p, t, e);
	picker_filter(p, span_str(""));
	if (refuse(t, "nothing fits; these are there:", e) < 0)
		return -1;
	return picker_work(p, SIZE_MAX, e) < 0 ? -1 : list(p, t, e);
}

static bool is_blank(const struct buf *line)
{
	return line->n == strspn(line->p, " \t\r");
}

int picker_plain(struct picker *p, const struct picker_terminal *t, size_t *item, struct err *e)
{
	struct line_reader in = LINE_READER(t->in, t->stop_fd);
	struct buf line = BUF_INIT;
	int r = picker_work(p, SIZE_MAX, e) < 0 ? -1 : list(p, t, e);

	if (t->ahead) {
		line_ahead(&in, buf_span(t->ahead));
		buf_clear(t->ahead);
	}
	while (r == 0) {
		int got = ask(p, t, &in, &line, e);

		if (got <= 0 || is_blank(&line)) {
			r = got < 0 ? -1 : 0;
			break;
		}
		r = by_number(p, t, line.p, item, e);
		if (r == 0)
			r = look_for(p, t, buf_span(&line), e);
		else if (r == 2)
			r = 0;
	}
	if (t->ahead)
		buf_add(t->ahead, in.pending.p, in.pending.n);
	buf_release(&line);
	line_release(&in);
	return r;
}
