/* A conversation at a terminal. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "chat.h"
#include "tty/line.h"
#include "tty/stop.h"

#define TERMINAL_LINE 4095 /* what a terminal's own line editing can hold, on Linux */
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

static int converse(struct chat *chat)
{
	struct line_reader in = LINE_READER(STDIN_FILENO, chat->stop_fd);
	struct buf line = BUF_INIT;
	int status = EXIT_DONE, interrupts = 0, got;

	for (;;) {
		struct err e = ERR_INIT;

		stop_clear();
		fputs("> ", stderr);
		got = line_read(&in, &line, &e);
		if (got > 0) {
			interrupts = 0;
			if (!answer(chat, buf_span(&line)))
				break;
		} else if (got < 0 && e.kind == ERR_INTERRUPTED && stop_signal() == SIGINT && !interrupts++) {
			fputs("\n(Ctrl-C again leaves; so does Ctrl-D)\n", stderr);
		} else {
			fputc('\n', stderr);
			status = got == 0 ? EXIT_DONE : e.kind == ERR_INTERRUPTED ? EXIT_INTERRUPTED : fail(&e);
			break;
		}
	}
	buf_release(&line);
	line_release(&in);
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
	struct err e = ERR_INIT;

	if (chat_guard(chat, &e) < 0)
		return fail(&e);
	chat->conversing = true;
	print_session(chat);
	return converse(chat);
}
