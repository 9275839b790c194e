/* A conversation at a terminal. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "chat.h"
#include "tty/line.h"
#include "tty/mode.h"
#include "tty/stop.h"

#define TERMINAL_LINE 4095 /* what a terminal's own line editing can hold, on Linux */
#define HASTY_MS 1000
#define RECENT 3       /* exchanges shown on resume */
#define RECENT_LINES 6 /* lines of each of their texts */

static void print_recent(const struct conversation *c)
{
	for (size_t i = c->n > RECENT ? c->n - RECENT : 0; i < c->n; i++) {
		fputc('\n', stderr);
		print_exchange(stderr, &c->turns[i].exchange, RECENT_LINES, true);
	}
	if (c->n)
		fputc('\n', stderr);
}

/* One line and what it asks for. False when the user leaves. */
static bool answer(struct chat *chat, struct span line)
{
	struct err e = ERR_INIT;
	bool blank = true;

	for (size_t i = 0; i < line.n; i++)
		blank = blank && strchr(" \t\r", line.p[i]);
	if (blank)
		return true;
	if (chat_is_command(line))
		return chat_command(chat, line);
	if (line.n >= TERMINAL_LINE)
		err_set(&e, ERR_USAGE, "a terminal cuts lines at %d bytes, so this one may lack its end; "
		        "pipe longer text in", TERMINAL_LINE);
	if (e.kind != ERR_NONE)
		fail(&e);
	else
		chat_say(chat, line);
	/* Only Ctrl-C means "back to the prompt". */
	return !stop_signal() || stop_signal() == SIGINT;
}

/* What was typed in the last reply and never became a prompt: the shell is not to take it for
 * commands, but it is not lost. */
static void tell_unsent(struct span text)
{
	struct buf line = BUF_INIT;

	while (text.n && strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	if (!text.n)
		return;
	buf_addf(&line, "typed, but not sent: %.*s", (int)text.n, text.p);
	if (!line.oom)
		say(line.p);
	buf_release(&line);
}

static void take_ahead(struct line_reader *in)
{
	struct buf keys = BUF_INIT;

	mode_give(&keys);
	line_ahead(in, buf_span(&keys));
	buf_release(&keys);
}

/* A Ctrl-C at the prompt that comes right behind one that stopped a reply was meant for that. */
static bool leaves(int64_t stopped_at, int *interrupts)
{
	return clock_steady_ms() - stopped_at >= HASTY_MS && (*interrupts)++;
}

static int converse(struct chat *chat, struct line_reader *in)
{
	struct buf line = BUF_INIT;
	int64_t stopped_at = -HASTY_MS;
	int status = EXIT_DONE, interrupts = 0, got;

	for (;;) {
		struct err e = ERR_INIT;

		stop_clear();
		take_ahead(in);
		line_prompt(in, STDERR_FILENO, "> ");
		got = line_read(in, &line, &e);
		if (got > 0) {
			interrupts = 0;
			if (!answer(chat, buf_span(&line)))
				break;
			stopped_at = stop_signal() ? clock_steady_ms() : -HASTY_MS;
		} else if (got < 0 && e.kind == ERR_INTERRUPTED && stop_signal() == SIGINT &&
		           !leaves(stopped_at, &interrupts)) {
			fputs(interrupts ? "\n(Ctrl-C again leaves; so does Ctrl-D)\n" : "\n", stderr);
		} else {
			fputc('\n', stderr);
			status = got == 0 ? EXIT_DONE : e.kind == ERR_INTERRUPTED ? EXIT_INTERRUPTED : fail(&e);
			break;
		}
	}
	buf_release(&line);
	return stop_signal() && stop_signal() != SIGINT ? 128 + stop_signal() : status;
}

void print_session(const struct chat *chat)
{
	print_session_line(chat);
	print_recent(&chat->at.so_far);
	print_attachments(stderr, chat->files.refs, chat->files.nrefs, 0, true);
}

int chat_converse(struct chat *chat)
{
	struct line_reader in = LINE_READER(STDIN_FILENO, -1);
	const char *term = env("TERM");
	int status, out = term && strcmp(term, "dumb") != 0 ? STDOUT_FILENO : -1;
	struct err e = ERR_INIT;

	if (chat_guard(chat, &e) < 0 || mode_begin(STDIN_FILENO, out, false, &e) < 0)
		return fail(&e);
	in.stop_fd = chat->stop_fd;
	chat->conversing = true;
	print_session(chat);
	status = converse(chat, &in);
	take_ahead(&in);
	mode_end();
	tell_unsent(buf_span(&in.pending));
	line_release(&in);
	return status;
}
