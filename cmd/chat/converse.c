/* A conversation at a terminal. */
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "chat/chat.h"
#include "reading.h"
#include "tty/mode.h"
#include "tty/stop.h"

#define HASTY_MS 1000
#define RECENT 3       /* exchanges shown on resume */
#define RECENT_LINES 6 /* lines of each of their texts */

static void print_recent(const struct chat *chat)
{
	const struct conversation *c = &chat->at.session.conversation;

	for (size_t i = c->n > RECENT ? c->n - RECENT : 0; i < c->n; i++) {
		fputc('\n', stderr);
		reading_print_first(conversation_exchange(c, i), RECENT_LINES, chat->show.plain);
	}
	if (c->n)
		fputc('\n', stderr);
}

/* ---- a word that leaves other programs ---- */

static bool means_leave(struct span prompt)
{
	static const char *const words[] = { "exit", "quit", "bye", "logout", ":q" };

	prompt = span_trim_end(prompt, SPAN_WHITE);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == prompt.n && strncasecmp(words[i], prompt.p, prompt.n) == 0)
			return true;
	return false;
}

enum intent { INTENT_LEAVE, INTENT_SEND, INTENT_NEITHER };

static bool is_answer(const struct buf *answer, const char *word)
{
	struct span a = span_trim_end(buf_span(answer), SPAN_WHITE);

	return a.n && a.n <= strlen(word) && strncasecmp(a.p, word, a.n) == 0;
}

/* The answer is not remembered as a prompt. What is neither yes nor no may have been typed ahead,
 * and is what the next prompt begins with. */
static enum intent ask_intent(struct chat *chat, struct span word)
{
	struct edit_options *o = &chat->editor->o;
	void (*typed)(void *ctx, struct span text) = o->typed;
	struct buf question = BUF_INIT, answer = BUF_INIT;
	enum intent intent = INTENT_NEITHER;
	struct err e = ERR_INIT;
	int got;

	buf_addf(&question, "Leave? [Y/n] (n sends '%.*s' to the model) ", (int)word.n, word.p);
	o->typed = NULL;
	got = edit_read(chat->editor, question.p, NULL, &answer, &e);
	o->typed = typed;
	if (got <= 0)
		fputc('\n', stderr);
	if (got == 0 || (got > 0 && (span_is_blank(buf_span(&answer)) || is_answer(&answer, "yes"))))
		intent = INTENT_LEAVE;
	else if (got > 0 && is_answer(&answer, "no"))
		intent = INTENT_SEND;
	else if (got > 0)
		buf_add(&chat->draft, answer.p, answer.n);
	else if (e.kind != ERR_INTERRUPTED)
		fail(&e);
	buf_release(&question);
	buf_release(&answer);
	return intent;
}

/* ---- prompts ---- */

/* One prompt and what it asks for. False when the user leaves. */
static bool answer(struct chat *chat, struct span prompt)
{
	enum intent intent = INTENT_SEND;

	if (span_is_blank(prompt))
		return true;
	if (!chat->editor->quoted && chat_is_command(prompt))
		return chat_command(chat, prompt);
	if (!chat->editor->quoted && means_leave(prompt))
		intent = ask_intent(chat, span_trim_end(prompt, SPAN_WHITE));
	if (intent == INTENT_LEAVE)
		return false;
	if (intent == INTENT_SEND)
		chat_say(chat, prompt);
	/* Only Ctrl-C means "back to the prompt". */
	return !stop_signal() || stop_signal() == SIGINT;
}

/* What was typed in the last reply and never became a prompt: the shell is not to take it for
 * commands, but it is not lost. */
static void tell_unsent(struct span text)
{
	struct buf line = BUF_INIT;

	text = span_trim_end(text, SPAN_WHITE);
	if (!text.n)
		return;
	buf_addf(&line, "typed, but not sent: %.*s", (int)text.n, text.p);
	if (!line.oom)
		say(line.p);
	buf_release(&line);
}

static void take_ahead(struct chat *chat)
{
	struct buf keys = BUF_INIT;

	mode_give(&keys);
	edit_type_ahead(chat->editor, buf_span(&keys));
	buf_release(&keys);
}

/* A Ctrl-C at the prompt that comes right behind one that stopped a reply was meant for that. */
static bool leaves(int64_t stopped_at, int *interrupts)
{
	return clock_steady_ms() - stopped_at >= HASTY_MS && (*interrupts)++;
}

static int converse(struct chat *chat)
{
	struct buf prompt = BUF_INIT;
	int64_t stopped_at = -HASTY_MS;
	int status = EXIT_DONE, interrupts = 0, got;

	for (;;) {
		struct err e = ERR_INIT;

		stop_clear();
		take_ahead(chat);
		got = chat_type(chat, &prompt, &e);
		if (got > 0 || chat->editor->dropped)
			interrupts = 0;
		if (got > 0) {
			if (!answer(chat, buf_span(&prompt)))
				break;
			stopped_at = stop_signal() ? clock_steady_ms() : -HASTY_MS;
		} else if (got < 0 && e.kind == ERR_INTERRUPTED && stop_signal() == SIGINT &&
		           !leaves(stopped_at, &interrupts)) {
			fputs(interrupts ? "\n(Ctrl-C again leaves; so does Ctrl-D)\n" : "\n", stderr);
		} else if (got < 0 && e.kind == ERR_USAGE) {
			fail(&e);
		} else {
			fputc('\n', stderr);
			status = got == 0 ? EXIT_DONE : e.kind == ERR_INTERRUPTED ? EXIT_INTERRUPTED : fail(&e);
			break;
		}
	}
	buf_release(&prompt);
	return stop_signal() && stop_signal() != SIGINT ? 128 + stop_signal() : status;
}

void print_session(const struct chat *chat)
{
	print_session_line(chat);
	print_recent(chat);
	print_attachments(stderr, chat->files.refs, chat->files.nrefs, 0, true);
}

int chat_converse(struct chat *chat)
{
	const char *term = env("TERM");
	int status, out = term && strcmp(term, "dumb") != 0 ? STDOUT_FILENO : -1;
	struct err e = ERR_INIT;

	if (chat_guard(chat, &e) < 0 || chat_type_begin(chat, &e) < 0)
		return fail(&e);
	if (mode_begin(STDIN_FILENO, out, !chat->editor->plain, &e) < 0) {
		chat_type_end(chat);
		return fail(&e);
	}
	chat->conversing = true;
	if (with_person())
		fputs("/help lists the commands; Ctrl-D leaves\n", stderr);
	print_session(chat);
	status = converse(chat);
	take_ahead(chat);
	mode_end();
	tell_unsent(buf_span(&chat->editor->lines.pending));
	chat_type_end(chat);
	return status;
}
