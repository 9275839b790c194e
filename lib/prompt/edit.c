#include "prompt/edit.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/env.h"
#include "base/io.h"
#include "prompt/edit-line.h"
#include "prompt/edit-text.h"
#include "tty/neutral.h"

#define TERMINAL_LINE 4095 /* bytes that a terminal's own line editing can hold, on Linux */

void edit_open(struct edit *ed, const struct edit_options *o)
{
	const char *term = env("TERM");

	*ed = (struct edit){
		.o = *o, .why_plain = ERR_INIT, .lines = LINE_READER(o->fd, o->stop_fd), .text = BUF_INIT,
		.pasted = BUF_INIT,
	};
	ed->plain = !term || strcmp(term, "dumb") == 0 ||
	            edit_line_start(ed, &ed->why_plain) < 0;
}

void edit_close(struct edit *ed)
{
	if (!ed->plain)
		edit_line_end();
	line_release(&ed->lines);
	buf_release(&ed->text);
	buf_release(&ed->pasted);
}

void edit_type_ahead(struct edit *ed, struct span keys)
{
	if (ed->plain)
		line_ahead(&ed->lines, keys);
	else
		buf_add(&ed->lines.pending, keys.p, keys.n);
}

void edit_take_ahead(struct edit *ed, struct buf *keys)
{
	struct line_reader *r = &ed->lines;

	buf_add(keys, r->pending.p, r->pending.n);
	buf_clear(&r->pending);
	r->unseen = 0;
}

/* ---- what was pasted ---- */

void edit_note_pasted(struct edit *ed, struct span text)
{
	if (!memchr(text.p, '@', text.n))
		return;
	buf_add(&ed->pasted, text.p, text.n);
	buf_addc(&ed->pasted, '\0');
}

bool edit_was_pasted(const struct edit *ed, struct span words)
{
	return ed->pasted.oom || memmem(ed->pasted.p, ed->pasted.n, words.p, words.n);
}

static bool is_readable(const struct edit *ed)
{
	struct pollfd p = { .fd = ed->o.fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

bool edit_has_input(const struct edit *ed)
{
	return ed->lines.pending.n || is_readable(ed);
}

/* Without marks, a paste of several lines looks like a line that is sent while the next has arrived.
 * What waits in `pending` and was seen came by a read for this line; the rest was typed ahead. */
static void note_burst(struct edit *ed)
{
	ed->burst |= is_readable(ed) || (ed->plain && ed->lines.pending.n > ed->lines.unseen);
	if (ed->burst)
		edit_note_pasted(ed, buf_span(&ed->text));
}

int edit_ask(struct edit *ed, const char *question, struct err *e)
{
	struct line_reader in = LINE_READER(ed->o.fd, ed->o.stop_fd); /* its end is not that of the prompts */
	struct buf line = BUF_INIT;
	int r;

	line_prompt(&in, ed->o.out, question);
	r = line_read(&in, &line, e);
	if (r == 0)
		r = err_set(e, ERR_INTERRUPTED, "interrupted");
	else if (r > 0)
		r = span_eq(buf_span(&line), "y") || span_eq(buf_span(&line), "Y") ||
		    span_eq(buf_span(&line), "yes") || span_eq(buf_span(&line), "Yes");
	line_release(&in);
	buf_release(&line);
	return r;
}

void edit_recall(struct edit *ed, struct span text)
{
	if (!ed->plain)
		edit_line_recall(ed, text);
}

void edit_offer(struct edit_completion *c, struct span word)
{
	struct err e = ERR_INIT;
	char **words;

	if (word.n < c->word.n || memcmp(word.p, c->word.p, c->word.n) != 0)
		return;
	words = array_room(c->words, c->n, &c->cap, sizeof(*words), &e);
	if (words) {
		c->words = words;
		c->words[c->n] = strndup(word.p, word.n);
	}
	if (!words || !c->words[c->n])
		c->oom = true;
	else
		c->n++;
}

/* ---- plain lines ---- */

static int put(const struct edit *ed, const char *s, struct err *e)
{
	return io_write(ed->o.out, s, strlen(s)) < 0 ? err_set(e, ERR_FAILED, "the terminal is gone") : 0;
}

static int show_draft(const struct edit *ed, const char *draft, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	neutral_add(&b, span_str(draft));
	buf_adds(&b, "\n(Enter sends this, another text replaces it)\n");
	r = buf_check(&b, e) < 0 ? -1 : put(ed, b.p, e);
	buf_release(&b);
	return r;
}

/* 1: the text goes on in another line. */
static int add_line(struct edit *ed, struct span line, struct err *e)
{
	enum edit_enter enter;

	buf_add(&ed->text, line.p, line.n);
	if (buf_check(&ed->text, e) < 0)
		return -1;
	if (line.n >= TERMINAL_LINE)
		return err_set(e, ERR_USAGE, "a terminal cuts lines at %d bytes, so this one may lack its "
		               "end; pipe longer text in", TERMINAL_LINE);
	enter = edit_text_enter(buf_span(&ed->text));
	if (enter == EDIT_BACKSLASH)
		ed->text.n--;
	if (enter != EDIT_ENDS)
		buf_addc(&ed->text, '\n');
	return enter != EDIT_ENDS;
}

static int read_plain(struct edit *ed, const char *prompt, const char *draft, struct err *e)
{
	struct buf line = BUF_INIT;
	int r = draft && *draft ? show_draft(ed, draft, e) : 0, more = 1;

	while (r >= 0 && more > 0) {
		line_prompt(&ed->lines, ed->o.out, ed->text.n ? "… " : prompt);
		r = line_read(&ed->lines, &line, e);
		if (r <= 0)
			break;
		if (draft && !ed->text.n && !line.n)
			buf_adds(&line, draft);
		more = add_line(ed, buf_span(&line), e);
		r = more < 0 ? -1 : r;
	}
	buf_release(&line);
	return r;
}

/* ---- both ---- */

int edit_read(struct edit *ed, const char *prompt, const char *draft, struct buf *out,
              struct err *e)
{
	struct span text;
	int r;

	ed->dropped = ed->quoted = false;
	ed->burst = ed->burst && edit_has_input(ed);
	buf_clear(&ed->text);
	buf_clear(out);
	r = ed->plain ? read_plain(ed, prompt, draft, e) : edit_line_read(ed, prompt, draft, e);
	if (ed->o.typed && !span_is_blank(buf_span(&ed->text)))
		ed->o.typed(ed->o.ctx, buf_span(&ed->text));
	if (r <= 0)
		return r;
	note_burst(ed);
	text = edit_text_prompt(buf_span(&ed->text), &ed->quoted);
	buf_add(out, text.p, text.n);
	return buf_check(out, e) < 0 ? -1 : 1;
}
