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
#include "show.h"
#include "tool.h"
#include "tty/neutral.h"
#include "tty/stop.h"

#define PREVIEW 60 /* characters of a prompt, where it only says which one is meant */

struct view {
	const struct follow *f;
	bool json, terminal;
	int stop_fd;
	struct buf out;      /* on its way to stdout */
	bool in_reply;       /* of a turn that runs */
	struct show show;    /* of the turns, into `out` */
	struct buf model;    /* as the last record left it */
	struct buf notes;    /* what came with the record of that turn, and belongs behind it */
};

/* ---- what is made of the events ---- */

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
		show_separate(&v->show);
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

static void flush_notes(struct view *v)
{
	buf_add(&v->out, v->notes.p, v->notes.n);
	buf_clear(&v->notes);
}

/* ---- a turn of another process, as the events of a turn ---- */

static void tell(struct view *v, struct turn_event ev)
{
	ev.session = v->f->id;
	show_event(&v->show, &ev);
}

static void tell_started(struct view *v, const struct exchange *x)
{
	note_turn(v, x);
	tell(v, (struct turn_event){ .kind = TURN_STARTED, .exchange = x });
	v->in_reply = true;
}

/* Its process died, or has left no record. */
static void tell_error(struct view *v, enum err_kind kind, const char *what)
{
	struct err e = ERR_INIT;

	err_set(&e, kind, "%s", what);
	tell(v, (struct turn_event){ .kind = TURN_ERROR, .error = &e });
	v->in_reply = false;
	flush_notes(v);
}

static void tell_rest(struct view *v, const struct follow_event *ev)
{
	if (ev->differs)
		tell(v, (struct turn_event){ .kind = TURN_NOTICE, .notice = "stored as" });
	if (ev->rest.n)
		tell(v, (struct turn_event){ .kind = TURN_TEXT, .text = ev->rest });
}

/* The text of the next reply begins a line. */
static void tell_step(struct view *v, const struct follow_event *ev)
{
	tell_rest(v, ev);
	show_break(&v->show);
}

static void tell_stored(struct view *v, const struct follow_event *ev)
{
	const struct exchange *x = &ev->record->exchange;

	tell_rest(v, ev);
	tell(v, (struct turn_event){ .kind = TURN_USAGE, .exchange = x });
	tell(v, (struct turn_event){ .kind = TURN_STORED, .exchange = x });
	v->in_reply = false;
}

static void add_exchange(struct view *v, const struct follow_event *ev)
{
	if (ev->cut && !ev->rest.n) /* all of it is there, and what became of it */
		return;
	if (ev->begun && !ev->cut) {
		tell_stored(v, ev);
	} else {
		note_turn(v, &ev->record->exchange);
		show_stored_exchange(&v->show, &ev->record->exchange);
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
	case RECORD_STEP:
		if (ev->begun)
			tell_step(v, ev);
		break;
	case RECORD_SESSION:
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
	case FOLLOW_BEGUN: tell_started(v, ev->exchange); break;
	case FOLLOW_TEXT: tell(v, (struct turn_event){ .kind = TURN_TEXT, .text = ev->text }); break;
	case FOLLOW_CUT: tell_error(v, ERR_INTERRUPTED, "interrupted"); break;
	case FOLLOW_LOST: tell_error(v, ERR_UNSTORED, "not stored"); break;
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
	int why = v->out.oom ? ENOMEM : v->show.write_error;

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
		show_break(&v->show);
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

		looked = follow_look(f, &e);
		show_pause(&v->show, f->found);
		why = put(v);
		if (why == EINTR)
			return stopped(v);
		if (why)
			return output_failed(why);
		if (looked < 0) {
			show_break(&v->show);
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
	struct view v = { .f = f, .json = json, .terminal = at_terminal(), .out = BUF_INIT,
		          .show = SHOW_INIT, .model = BUF_INIT, .notes = BUF_INIT };
	struct err e = ERR_INIT;
	int status;

	v.show.form = SHOW_TRANSCRIPT;
	v.show.terminal = v.terminal;
	v.show.out = &v.out;
	v.show.any = any;
	show_dress_as(&v.show, d);
	v.stop_fd = stop_begin(&e);
	f->turns = !json;
	f->tell = add_event;
	f->ctx = &v;
	if (!json)
		find_model(&v);
	status = v.stop_fd < 0 ? fail(&e) : follow_on(&v, f);
	f->ctx = NULL;
	show_release(&v.show);
	buf_release(&v.out);
	buf_release(&v.model);
	buf_release(&v.notes);
	return status;
}
