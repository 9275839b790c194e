#include "show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/utf8.h"
#include "markdown/markdown.h"
#include "tool.h"
#include "tty/mode.h"
#include "tty/style.h"

#define CHEAP_NS 5000000 /* a drawing that takes no longer is done although more text is there */
#define DIM "\033[2m"
#define PLAIN "\033[0m"

static void put(struct show *s, struct span bytes)
{
	if (!bytes.n || s->write_error)
		return;
	show_came(s);
	if (s->out)
		buf_add(s->out, bytes.p, bytes.n);
	else if (io_write(STDOUT_FILENO, bytes.p, bytes.n) < 0)
		s->write_error = errno;
	s->mid_line = bytes.p[bytes.n - 1] != '\n';
}

static void note_oom(struct show *s, const struct buf *b)
{
	if (b->oom && !s->write_error)
		s->write_error = ENOMEM;
}

/* A line of JSON: exact, or escaped where a terminal would obey it. One write. */
static void put_json(struct show *s, struct buf *line)
{
	struct buf harmless = BUF_INIT;

	json_close(line, '}');
	buf_addc(line, '\n');
	if (s->terminal)
		neutral_add_json(&harmless, buf_span(line));
	note_oom(s, line);
	note_oom(s, &harmless);
	put(s, s->terminal ? buf_span(&harmless) : buf_span(line));
	buf_release(line);
	buf_release(&harmless);
}

/* ---- events ---- */

static void begin_event(struct buf *line, const char *type)
{
	json_open(line, '{');
	json_put_word(line, "type", type);
	json_put_int(line, "timestamp", clock_now_ms());
}

static void put_text_event(struct show *s, enum turn_event_kind part, struct span text)
{
	struct buf line = BUF_INIT, clean = BUF_INIT;

	if (!text.n)
		return;
	utf8_add_clean(&clean, text);
	begin_event(&line, part == TURN_TEXT ? "text" : "reasoning");
	json_put_text(&line, "text", buf_span(&clean));
	note_oom(s, &clean);
	buf_release(&clean);
	put_json(s, &line);
}

static void flush_held(struct show *s)
{
	put_text_event(s, s->held_part, buf_span(&s->held));
	buf_clear(&s->held);
}

static void put_piece_event(struct show *s, enum turn_event_kind part, struct span piece)
{
	size_t n;

	if (part != s->held_part)
		flush_held(s);
	s->held_part = part;
	buf_add(&s->held, piece.p, piece.n);
	note_oom(s, &s->held);
	n = utf8_whole(buf_span(&s->held));
	put_text_event(s, part, (struct span){ s->held.p, n });
	buf_drop(&s->held, n);
}

static void add_session(struct buf *line, const char *id)
{
	if (id)
		json_put_word(line, "session", id);
}

/* ---- what of the conversation goes along ---- */

static void say_left_out(const struct turn_event *ev)
{
	const struct context *cx = ev->started.context;
	struct buf line = BUF_INIT;

	add_some_exchanges(&line, cx->left_out, cx->incomplete.left_out, cx->counting, cx->incomplete.counting);
	buf_addf(&line, " %s left out to fit the window of %" PRId64 " tokens",
	         cx->left_out == 1 ? "is" : "are", ev->started.window);
	if (cx->summed) {
		buf_adds(&line, ", and a summary stands for the first ");
		add_number(&line, cx->summed, cx->incomplete.summed);
	}
	if (ev->session)
		buf_addf(&line, "; mc-session-compact %s would keep a summary of them", ev->session);
	say(line.p);
	buf_release(&line);
}

/* A summary stays for many turns: once is enough. */
static void say_context(struct show *s, const struct turn_event *ev)
{
	const struct context *cx = ev->started.context;
	struct buf line = BUF_INIT;

	if (cx->left_out) {
		say_left_out(ev);
	} else if (cx->shortened) {
		buf_addf(&line, "the tool calls of the first exchange are left out to fit the window of %" PRId64 " tokens",
		         ev->started.window);
		say(line.p);
		buf_release(&line);
	} else if (cx->summed && !s->told_summary) {
		buf_adds(&line, "a summary stands for ");
		if (cx->summed < cx->counting) {
			buf_adds(&line, "the first ");
			add_some_exchanges(&line, cx->summed, cx->incomplete.summed, cx->counting,
			                   cx->incomplete.counting);
		} else {
			buf_adds(&line, "all earlier exchanges");
		}
		say(line.p);
		buf_release(&line);
	}
	s->told_summary = cx->summed > 0;
}

static void say_compacting(const struct turn_event *ev)
{
	struct buf line = BUF_INIT;

	buf_adds(&line, "the conversation has outgrown the window: summing up its first ");
	add_exchanges(&line, ev->compacting.n, ev->compacting.incomplete);
	say(line.p);
	buf_release(&line);
}

static void put_started(struct show *s, const struct turn_event *ev)
{
	struct buf line = BUF_INIT;

	begin_event(&line, "started");
	add_session(&line, ev->session);
	json_put_str(&line, "exchange", ev->exchange->id);
	json_put_word(&line, "provider", ev->started.provider);
	json_put_str(&line, "model", ev->exchange->model);
	put_json(s, &line);
}

/* The arguments are what the server sent, if that is not a JSON object. */
static void put_call(struct show *s, const struct reply_call *c)
{
	struct json_object *arguments = NULL;
	struct err ignored = ERR_INIT;
	struct buf line = BUF_INIT;

	begin_event(&line, "call");
	json_put_str(&line, "id", buf_span(&c->id));
	json_put_str(&line, "name", buf_span(&c->name));
	if (json_parse_object(buf_span(&c->arguments), &arguments, &ignored) == 0)
		json_put_value(&line, "arguments", arguments);
	else
		json_put_str(&line, "arguments", buf_span(&c->arguments));
	json_object_put(arguments);
	put_json(s, &line);
}

static void put_usage(struct show *s, const struct exchange *x)
{
	struct buf line = BUF_INIT;

	if (!usage_known(&x->usage))
		return;
	begin_event(&line, "usage");
	json_key(&line, "tokenUsage");
	record_add_usage(&line, &x->usage);
	put_json(s, &line);
}

static void put_stored(struct show *s, const struct turn_event *ev)
{
	struct buf line = BUF_INIT;

	begin_event(&line, ev->session ? "stored" : "unsaved");
	add_session(&line, ev->session);
	json_put_open(&line, "exchange", '{');
	record_add_exchange_members(&line, ev->exchange);
	json_close(&line, '}');
	put_json(s, &line);
}

static void add_error(struct buf *line, const char *message)
{
	struct buf clean = BUF_INIT;

	utf8_add_clean(&clean, span_str(message));
	json_put_text(line, "error", buf_span(&clean));
	line->oom |= clean.oom;
	buf_release(&clean);
}

void show_error(struct show *s, const struct err *e, int status)
{
	struct buf line = BUF_INIT;

	if (s->form != SHOW_EVENTS)
		return;
	begin_event(&line, "error");
	add_error(&line, e->msg);
	json_put_int(&line, "exitStatus", status);
	put_json(s, &line);
}

/* ---- text ---- */

/* What shows the text as Markdown. */
struct dress {
	struct markdown markdown;
	struct reading reading; /* whose program for code it has */
};

/* Without memory for it, it is not done. */
static bool begin_dress(struct show *s)
{
	s->dress = malloc(sizeof(*s->dress));
	if (s->dress)
		*s->dress = (struct dress){ .markdown = MARKDOWN_INIT, .reading = READING_INIT };
	return s->dress != NULL;
}

void show_dress(struct show *s, const struct config *c)
{
	s->plain = s->plain || c->plain;
	if (s->plain || !s->terminal || s->form != SHOW_TEXT || !style_allowed(STDOUT_FILENO) || !begin_dress(s))
		return;
	reading_choose_code(&s->dress->reading, c);
	s->dress->markdown.highlight = s->dress->reading.code;
}

void show_dress_as(struct show *s, struct reading *r)
{
	s->stored = r;
	if (r->on && begin_dress(s))
		s->dress->markdown.highlight = r->code;
}

static void undress(struct show *s)
{
	if (!s->dress)
		return;
	markdown_release(&s->dress->markdown);
	reading_release(&s->dress->reading);
	free(s->dress);
	s->dress = NULL;
}

/* md4c is loaded for the first text. */
static struct markdown *markdown_of(struct show *s)
{
	struct err missing = ERR_INIT;

	if (s->dress && !s->dress->markdown.md4c.parse &&
	    markdown_open(&s->dress->markdown, STDOUT_FILENO, &missing) < 0)
		undress(s);
	return s->dress ? &s->dress->markdown : NULL;
}

/* After Ctrl-Z the shell has written below what there was. */
static void resume(struct show *s)
{
	struct buf out = BUF_INIT;

	if (!s->dress || !s->dress->markdown.md4c.parse || !mode_resumed())
		return;
	markdown_resume(&s->dress->markdown, &out);
	note_oom(s, &out);
	put(s, buf_span(&out));
	buf_release(&out);
}

static void draw(struct show *s)
{
	struct buf out = BUF_INIT;

	markdown_draw(&s->dress->markdown, &out);
	note_oom(s, &out);
	put(s, buf_span(&out));
	buf_release(&out);
}

static int64_t when_due(const struct show *s)
{
	return s->dress ? markdown_due(&s->dress->markdown) : -1;
}

int64_t show_late(struct show *s)
{
	int64_t due;

	resume(s);
	due = when_due(s);
	if (due)
		return due;
	draw(s);
	return -1;
}

void show_pause(struct show *s, bool found)
{
	resume(s);
	if (when_due(s) >= 0 && (!found || s->dress->markdown.cost < CHEAP_NS))
		draw(s);
}

/* So that what came last is seen, also when nothing more comes for a while. */
static void come_back(struct show *s)
{
	int64_t due = s->idle ? show_late(s) : -1;

	if (due < 0)
		return;
	due += clock_steady_ms();
	if (!s->idle->due || s->idle->due > due)
		s->idle->due = due;
}

/* Below the text that is there, for what goes to the same terminal by another way. */
static void make_room(struct show *s)
{
	struct buf out = BUF_INIT;

	if (!s->dress || !s->mid_line)
		return;
	markdown_pause(&s->dress->markdown, &out);
	put(s, buf_span(&out));
	s->mid_line = false;
	buf_release(&out);
}

/* Reasoning is dim where a person reads it, and never on stdout. */
static void show_thought(struct show *s, struct span piece)
{
	struct buf out = BUF_INIT;
	bool terminal = isatty(STDERR_FILENO);

	show_came(s);
	make_room(s);
	if (terminal) {
		buf_adds(&out, DIM);
		neutral_feed(&s->thought, &out, piece);
		buf_adds(&out, PLAIN);
	} else {
		buf_add(&out, piece.p, piece.n);
	}
	if (!out.oom)
		io_write(STDERR_FILENO, out.p, out.n);
	s->mid_thought = piece.p[piece.n - 1] != '\n';
	buf_release(&out);
}

static void end_thought(struct show *s)
{
	struct buf rest = BUF_INIT;

	neutral_end(&s->thought, &rest);
	if (s->mid_thought)
		buf_adds(&rest, isatty(STDERR_FILENO) ? "\n\n" : "\n");
	if (rest.n)
		io_write(STDERR_FILENO, rest.p, rest.n);
	s->mid_thought = false;
	buf_release(&rest);
}

/* One write for each piece, so that it is there when it has arrived. */
static void show_text(struct show *s, struct span piece)
{
	struct buf harmless = BUF_INIT;

	if (s->mid_thought)
		end_thought(s);
	if (markdown_of(s)) {
		resume(s);
		markdown_feed(markdown_of(s), &harmless, piece);
		piece = buf_span(&harmless);
	} else if (s->terminal) {
		neutral_feed(&s->text, &harmless, piece);
		piece = buf_span(&harmless);
	}
	note_oom(s, &harmless);
	put(s, piece);
	come_back(s);
	buf_release(&harmless);
}

static void end_text(struct show *s)
{
	struct buf rest = BUF_INIT;

	end_thought(s);
	resume(s);
	if (s->dress && s->dress->markdown.md4c.parse) {
		markdown_end(&s->dress->markdown, &rest);
		note_oom(s, &rest);
	} else {
		neutral_end(&s->text, &rest);
	}
	put(s, buf_span(&rest));
	if (s->mid_line && !s->dress)
		put(s, span_str("\n"));
	s->mid_line = false;
	buf_release(&rest);
}

void show_break(struct show *s)
{
	end_text(s);
}

/* ---- a transcript ---- */

void show_separate(struct show *s)
{
	if (s->any)
		put(s, span_str("\n"));
	s->any = true;
}

/* Shows what is printed of an exchange. */
static void put_printed(struct show *s, const struct exchange *x,
                        void (*print)(const struct show *s, FILE *f, const struct exchange *x))
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (f)
		print(s, f, x);
	if (!f || fclose(f) != 0)
		s->write_error = s->write_error ? s->write_error : ENOMEM;
	else
		put(s, (struct span){ text, n });
	free(text);
}

static void print_all(const struct show *s, FILE *f, const struct exchange *x)
{
	reading_print(s->stored, f, x);
}

/* Of the rest there is nothing to say yet. */
static void print_prompt(const struct show *s, FILE *f, const struct exchange *x)
{
	struct exchange head = *x;

	head.status = STATUS_COMPLETE;
	print_exchange(f, &head, 0, s->terminal);
}

static void print_end(const struct show *s, FILE *f, const struct exchange *x)
{
	print_mark(f, x, s->terminal);
}

void show_stored_exchange(struct show *s, const struct exchange *x)
{
	show_separate(s);
	put_printed(s, x, print_all);
}

/* On a line of its own. */
static void put_bracketed(struct show *s, const char *words)
{
	struct buf line = BUF_INIT;

	end_text(s);
	buf_addf(&line, "[%s]\n", words);
	note_oom(s, &line);
	put(s, buf_span(&line));
	buf_release(&line);
}

static void put_transcript(struct show *s, const struct turn_event *ev)
{
	switch (ev->kind) {
	case TURN_STARTED:
		show_separate(s);
		put_printed(s, ev->exchange, print_prompt);
		break;
	case TURN_TEXT: show_text(s, ev->text); break;
	case TURN_STORED: put_printed(s, ev->exchange, print_end); break;
	case TURN_NOTICE: put_bracketed(s, ev->notice); break;
	case TURN_ERROR: put_bracketed(s, ev->error->msg); break;
	case TURN_WAITING: /* not in the files of a turn */
	case TURN_REASONING:
	case TURN_CALL:
	case TURN_RESULT:
	case TURN_COMPACTING:
	case TURN_USAGE:
		break;
	}
}

/* ---- a record ---- */

static void put_record(struct show *s, const struct turn_event *ev)
{
	struct buf line = BUF_INIT;

	json_open(&line, '{');
	add_session(&line, ev->session);
	record_add_exchange_members(&line, ev->exchange);
	put_json(s, &line);
}

/* ---- waiting for another attempt ---- */

static void put_retry(struct show *s, const char *why, int64_t wait)
{
	struct buf line = BUF_INIT;

	begin_event(&line, "retry");
	add_error(&line, why);
	json_put_int(&line, "wait", wait);
	put_json(s, &line);
}

/* A terminal sees the seconds go by; anything else one line. */
void show_wait(void *ctx, const struct client_wait *w)
{
	struct show *s = ctx;
	struct buf line = BUF_INIT;
	bool terminal = can_say_for_now() && !s->plain;

	if (s->form == SHOW_EVENTS && w->left > 0 && !s->waited)
		put_retry(s, w->why, w->left);
	if (w->left > 0 && (terminal || !s->waited)) { /* the seconds first: a terminal may cut the rest */
		buf_addf(&line, "trying again in %" PRId64 " s (attempt %d of %d): %s",
		         (w->left + 999) / 1000, w->attempt, w->of, w->why);
		if (terminal)
			say_for_now(line.p);
		else
			say(line.p);
	}
	if (w->left <= 0)
		unsay();
	s->waited = w->left > 0;
	buf_release(&line);
}

/* ---- the end ---- */

/* What the reply holds in place of an answer; NULL: an answer. */
static const char *no_answer(const struct exchange *x)
{
	if (!utf8_is_blank(x->answer))
		return NULL;
	if (!utf8_is_blank(x->reasoning))
		return "the reply holds only reasoning and no answer";
	return x->answer.n ? "the reply is blank: it holds only white space" : "the reply is empty";
}

static void say_call(const struct show *s, bool answered)
{
	struct buf line = BUF_INIT;

	buf_adds(&line, "the model called a tool");
	if (s->called.n)
		buf_addf(&line, " ('%.100s')", s->called.p);
	buf_addf(&line, "%s; mc-chat has no tools, and nothing was run", answered ? "" : " and gave no answer");
	say(line.p);
	buf_release(&line);
}

static void say_unknown(struct span reason)
{
	struct buf line = BUF_INIT;
	bool cut;

	reason = utf8_head(reason, 100, &cut);
	buf_addf(&line, "the server ended the reply for a reason that mc-chat does not know: '%.*s%s'; it may be "
	         "incomplete", (int)reason.n, reason.p, cut ? "…" : "");
	say(line.p);
	buf_release(&line);
}

/* A reply that is complete may still not be all that was wanted. */
static void warn(const struct show *s, const struct exchange *x)
{
	const char *none = no_answer(x);

	if (span_eq(x->finish_reason, FINISH_LENGTH))
		say(none ? "the limit of tokens was reached before the answer began; raise the limit with "
		           "-o max_tokens=N"
		         : "the reply was cut by the limit of tokens; ask it to go on, or raise the limit with "
		           "-o max_tokens=N");
	else if (span_eq(x->finish_reason, FINISH_REFUSED))
		say("the model, or a filter before it, refused to answer");
	else if (s->calls)
		say_call(s, !none);
	else if (none)
		say(none);
	if (finish_kind(x->finish_reason) == FINISH_UNKNOWN)
		say_unknown(x->finish_reason);
}

static void note_call(struct show *s, const struct reply_call *c)
{
	if (!s->calls++)
		buf_add(&s->called, c->name.p, c->name.n);
}

/* What all forms have in common: sentences on stderr. */
static void say_event(struct show *s, const struct turn_event *ev)
{
	switch (ev->kind) {
	case TURN_STARTED:
		s->calls = 0;
		buf_clear(&s->called);
		say_context(s, ev);
		break;
	case TURN_WAITING: show_wait(s, ev->wait); break;
	case TURN_CALL: note_call(s, ev->call); break;
	case TURN_RESULT: s->calls--; break; /* it was run */
	case TURN_NOTICE: say(ev->notice); break;
	case TURN_COMPACTING: say_compacting(ev); break;
	case TURN_STORED:
		if (ev->exchange->status == STATUS_COMPLETE)
			warn(s, ev->exchange);
		break;
	case TURN_TEXT:
	case TURN_REASONING:
	case TURN_USAGE:
	case TURN_ERROR:
		break;
	}
}

static void put_event(struct show *s, const struct turn_event *ev)
{
	switch (ev->kind) {
	case TURN_STARTED: put_started(s, ev); break;
	case TURN_TEXT:
	case TURN_REASONING: put_piece_event(s, ev->kind, ev->text); break;
	case TURN_CALL: put_call(s, ev->call); break;
	case TURN_USAGE: put_usage(s, ev->exchange); break;
	case TURN_STORED: put_stored(s, ev); break;
	case TURN_ERROR: show_error(s, ev->error, exit_status(ev->error)); break;
	case TURN_WAITING: /* see show_wait() */
	case TURN_RESULT: /* mc-chat offers no tools, and runs none */
	case TURN_NOTICE:
	case TURN_COMPACTING:
		break;
	}
}

/* The reply is over. */
static void end_reply(struct show *s)
{
	show_came(s);
	if (s->form == SHOW_EVENTS)
		flush_held(s);
	else
		end_text(s);
	s->text = s->thought = (struct neutral)NEUTRAL_INIT;
}

void show_event(void *ctx, const struct turn_event *ev)
{
	struct show *s = ctx;
	bool over = ev->kind == TURN_STORED || ev->kind == TURN_ERROR;

	if (ev->kind == TURN_USAGE)
		end_reply(s);
	else if (over)
		show_came(s);
	if (s->form == SHOW_EVENTS)
		put_event(s, ev);
	else if (s->form == SHOW_TRANSCRIPT)
		put_transcript(s, ev);
	else if (ev->kind == TURN_REASONING && s->reasoning)
		show_thought(s, ev->text);
	else if (ev->kind == TURN_TEXT && s->form == SHOW_TEXT)
		show_text(s, ev->text);
	else if (over && ev->exchange && s->form == SHOW_RECORD)
		put_record(s, ev);
	if (s->form != SHOW_TRANSCRIPT)
		say_event(s, ev);
}

void show_release(struct show *s)
{
	undress(s);
	buf_release(&s->held);
	buf_release(&s->called);
}
