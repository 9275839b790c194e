#include "session-follow.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/utf8.h"
#include "tool.h"
#include "markdown/markdown.h"
#include "tty/mode.h"
#include "tty/neutral.h"
#include "tty/stop.h"

#define CHEAP_NS 5000000
#define PREVIEW 60 /* characters of a prompt, where it only says which one is meant */

struct view {
	const struct follow *f;
	bool json, terminal;
	int stop_fd;
	struct buf out;      /* on its way to stdout */
	bool any;            /* something was printed */
	bool in_reply;       /* of a turn that runs */
	bool mid_line;
	struct reading *reading;
	struct markdown markdown; /* of the reply, where it is dressed; */
	struct neutral reply;     /* and where it is not */
	struct buf model;    /* as the last record left it */
	struct buf notes;    /* what came with the record of that turn, and belongs behind it */
};

/* ---- what is made of the events ---- */

/* What one of these two prints. */
static void print_all(const struct view *v, FILE *f, const struct exchange *x)
{
	reading_print(v->reading, f, x);
}

static void print_end(const struct view *v, FILE *f, const struct exchange *x)
{
	print_mark(f, x, v->terminal);
}

static void add_printed(struct view *v, const struct exchange *x,
                        void (*print)(const struct view *v, FILE *f, const struct exchange *x))
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (f)
		print(v, f, x);
	if (!f || fclose(f) != 0)
		v->out.oom = true;
	else
		buf_add(&v->out, text, n);
	free(text);
}

static void separate(struct view *v)
{
	if (v->any)
		buf_addc(&v->out, '\n');
	v->any = true;
}

/* A line in brackets, with an empty one before it. */
static void add_note(struct view *v, const char *what, struct span value)
{
	bool cut;
	struct span shown = utf8_head(value, PREVIEW, &cut);
	struct buf b = BUF_INIT;

	buf_addf(&b, "[%s", what);
	if (value.n)
		buf_adds(&b, ": ");
	if (v->terminal)
		neutral_add_line(&b, shown);
	else
		for (size_t i = 0; i < shown.n; i++)
			buf_addc(&b, strchr("\r\n", shown.p[i]) && shown.p[i] ? ' ' : shown.p[i]);
	buf_adds(&b, cut ? "…]\n" : "]\n");
	if (v->in_reply) {
		buf_addc(&v->notes, '\n');
		buf_add(&v->notes, b.p, b.n);
	} else {
		separate(v);
		buf_add(&v->out, b.p, b.n);
	}
	v->out.oom |= b.oom;
	buf_release(&b);
}

static bool is_news(struct buf *known, struct span value)
{
	if (!value.p || span_same(buf_span(known), value))
		return false;
	buf_clear(known);
	buf_add(known, value.p, value.n);
	return true;
}

static void note_model(struct view *v, struct span model)
{
	if (is_news(&v->model, model))
		add_note(v, "model", model);
}

/* The prompt of an exchange says which one is meant. An id that names none is ignored. */
static void note_place(struct view *v, const char *what, struct span id)
{
	struct record r;

	if (!id.p || !history_find(&v->f->history, 0, v->f->history.n, id, &r))
		return;
	add_note(v, what, r.exchange.query);
	record_release(&r);
}

/* What is to be known before a turn. */
static void note_turn(struct view *v, const struct exchange *x)
{
	note_model(v, x->model);
	note_place(v, "in the place of", x->replaces);
}

static void begin_reply(struct view *v, const struct exchange *x)
{
	struct exchange head = *x;

	head.status = STATUS_COMPLETE; /* for there is nothing to say of it yet */
	note_turn(v, x);
	separate(v);
	add_printed(v, &head, print_all);
	v->in_reply = true;
	v->mid_line = false;
}

static bool is_dressed(struct view *v)
{
	struct err missing = ERR_INIT;

	if (v->reading->on && !v->markdown.md4c.parse)
		v->reading->on = markdown_open(&v->markdown, STDOUT_FILENO, &missing) == 0;
	v->markdown.highlight = v->reading->code;
	return v->reading->on;
}

static void add_reply(struct view *v, struct span text)
{
	size_t before = v->out.n;

	if (is_dressed(v))
		markdown_feed(&v->markdown, &v->out, text);
	else if (v->terminal)
		neutral_feed(&v->reply, &v->out, text);
	else
		buf_add(&v->out, text.p, text.n);
	if (v->out.n > before)
		v->mid_line = v->out.p[v->out.n - 1] != '\n';
}

/* The cursor is at the beginning of a line. */
static void end_line(struct view *v)
{
	size_t before = v->out.n;

	if (v->markdown.md4c.parse) {
		markdown_end(&v->markdown, &v->out);
		v->mid_line = false;
		return;
	}
	neutral_end(&v->reply, &v->out);
	if (v->mid_line || v->out.n > before)
		buf_addc(&v->out, '\n');
	v->mid_line = false;
}

static void end_reply(struct view *v)
{
	end_line(v);
	v->in_reply = false;
}

static void flush_notes(struct view *v)
{
	buf_add(&v->out, v->notes.p, v->notes.n);
	buf_clear(&v->notes);
}

static void end_turn(struct view *v, const struct follow_event *ev)
{
	end_line(v);
	if (ev->differs)
		buf_adds(&v->out, "[stored as]\n");
	add_reply(v, ev->rest);
	end_reply(v);
	add_printed(v, &ev->record->exchange, print_end);
}

static void add_exchange(struct view *v, const struct follow_event *ev)
{
	const struct exchange *x = &ev->record->exchange;

	if (ev->cut && !ev->rest.n) /* all of it is there, and what became of it */
		return;
	if (ev->begun && !ev->cut && ev->differs) {
		end_turn(v, ev);
	} else if (ev->begun && !ev->cut) {
		add_reply(v, ev->rest);
		end_reply(v);
		add_printed(v, x, print_end);
	} else {
		note_turn(v, x);
		separate(v);
		add_printed(v, x, print_all);
	}
	flush_notes(v);
}

static void add_record(struct view *v, const struct follow_event *ev)
{
	const struct record *r = ev->record;

	switch (r->type) {
	case RECORD_EXCHANGE:
		add_exchange(v, ev);
		break;
	case RECORD_CHANGE:
		if (r->change.title.p)
			add_note(v, r->change.title.n ? "title" : "no title", r->change.title);
		break;
	case RECORD_REWIND:
		if (r->rewind.to.p)
			note_place(v, "rewound to", r->rewind.to);
		else
			add_note(v, "rewound to the beginning", r->rewind.to);
		break;
	case RECORD_SUMMARY:
		note_place(v, "summed up to", r->summary.up_to);
		break;
	case RECORD_SESSION:
	case RECORD_STEP:
	case RECORD_RESULT:
	case RECORD_OTHER:
		break;
	}
}

static void add_json(struct view *v, struct span line)
{
	if (v->terminal)
		neutral_add_json(&v->out, line);
	else
		buf_add(&v->out, line.p, line.n);
}

static void add_event(void *ctx, const struct follow_event *ev)
{
	struct view *v = ctx;

	switch (ev->kind) {
	case FOLLOW_BEGUN: begin_reply(v, ev->exchange); break;
	case FOLLOW_TEXT: add_reply(v, ev->text); break;
	case FOLLOW_CUT:
	case FOLLOW_LOST:
		end_reply(v);
		buf_adds(&v->out, ev->kind == FOLLOW_CUT ? "[interrupted]\n" : "[not stored]\n");
		flush_notes(v);
		break;
	case FOLLOW_RECORD:
		if (v->json)
			add_json(v, ev->line);
		else
			add_record(v, ev);
		break;
	}
}

/* ---- what is there already ---- */

/* The model that the record at `line` leaves; false where it says nothing of it. */
static bool leaves_model(struct span line, struct buf *model)
{
	struct err ignored = ERR_INIT;
	struct span said = { NULL, 0 };
	struct record r;

	if (record_parse(line, &r, &ignored) < 0)
		return false;
	if (r.type == RECORD_EXCHANGE)
		said = r.exchange.model;
	else if (r.type == RECORD_SESSION)
		said = r.head.model;
	if (said.p)
		buf_add(model, said.p, said.n);
	record_release(&r);
	return said.p != NULL;
}

static void find_model(struct view *v)
{
	size_t at = v->f->at;
	struct span line;

	while (jsonl_prev(&v->f->history, &at, &line))
		if (leaves_model(line, &v->model))
			break;
}

/* ---- the loop ---- */

/* Writes what there is. A reader that takes its time must not keep Ctrl-C waiting: so no write
 * may block, and a pipe that can be written to takes PIPE_BUF bytes. 0, or an errno; EINTR: it
 * is to stop. */
static int put(struct view *v)
{
	struct pollfd p[] = { { .fd = STDOUT_FILENO, .events = POLLOUT },
		                  { .fd = v->stop_fd, .events = POLLIN } };
	size_t at = 0;
	int why = v->out.oom ? ENOMEM : 0;

	while (!why && at < v->out.n) {
		size_t n = v->out.n - at < PIPE_BUF ? v->out.n - at : PIPE_BUF;
		ssize_t wrote = 0;

		if (poll(p, 2, -1) > 0 && p[1].revents)
			why = EINTR;
		else if (p[0].revents)
			wrote = write(STDOUT_FILENO, v->out.p + at, n);
		if (wrote < 0 && errno != EINTR && errno != EAGAIN)
			why = errno;
		at += wrote > 0 ? (size_t)wrote : 0;
	}
	buf_drop(&v->out, at);
	return why;
}

/* As if it had been written to: a pipe that nobody reads ends a process. */
static int lost(void)
{
	raise(SIGPIPE);
	return EXIT_FAILED;
}

static int stopped(struct view *v)
{
	if (v->terminal && v->in_reply) { /* the shell's prompt begins a line */
		end_line(v);
		if (io_write(STDOUT_FILENO, v->out.p, v->out.n) < 0)
			return lost();
	}
	return 128 + stop_signal();
}

static int follow_on(struct view *v, struct follow *f)
{
	struct err e = ERR_INIT;

	for (;;) {
		int looked, why;

		if (v->markdown.md4c.parse && mode_resumed())
			markdown_resume(&v->markdown, &v->out);
		looked = follow_look(f, &e);
		/* What was put off in a fast stream is drawn when that rests, or when it costs little. */
		if (markdown_due(&v->markdown) && (!f->found || v->markdown.cost < CHEAP_NS))
			markdown_draw(&v->markdown, &v->out);
		why = put(v);
		if (why == EINTR)
			return stopped(v);
		if (why)
			return output_failed(why);
		if (looked < 0) {
			end_line(v);
			put(v);
			return fail(&e);
		}
		switch (follow_wait(f, v->stop_fd, STDOUT_FILENO)) {
		case WATCH_LOOK: break;
		case WATCH_STOP: return stopped(v);
		case WATCH_LOST: return lost();
		}
	}
}

int follow_print(struct follow *f, struct reading *d, bool json, bool any)
{
	struct view v = { .f = f, .reading = d, .markdown = MARKDOWN_INIT, .json = json, .terminal = at_terminal(), .out = BUF_INIT, .any = any,
		              .reply = NEUTRAL_INIT, .model = BUF_INIT, .notes = BUF_INIT };
	struct err e = ERR_INIT;
	int status;

	v.stop_fd = stop_begin(&e);
	f->turns = !json;
	f->tell = add_event;
	f->ctx = &v;
	if (!json)
		find_model(&v);
	status = v.stop_fd < 0 ? fail(&e) : follow_on(&v, f);
	f->ctx = NULL;
	markdown_release(&v.markdown);
	buf_release(&v.out);
	buf_release(&v.model);
	buf_release(&v.notes);
	return status;
}
