/*
 * A chat, for the files of mc-chat:
 *
 *	chat.c           the command line; a prompt from there or from a pipe
 *	chat-session.c   which session, and whom it talks to
 *	chat-turn.c      one turn
 *	chat-converse.c  the conversation at a terminal
 *	chat-command.c   its commands, /help and the others
 */
#ifndef CMD_CHAT_H
#define CMD_CHAT_H

#include "base/cli.h"
#include "show.h"
#include "store/session.h"
#include "tool.h"
#include "turn/turn.h"

struct chat {
	/* what was asked for */
	const char *session;
	struct session_choice choice;
	const char *alias;          /* which brought the choice's provider along; or NULL */
	const char *schema_file, *trace_file;
	const struct cli *cli;      /* its -o go over the parameters of the settings */
	struct files files;         /* for the next prompt, and those known from earlier ones */
	bool last, create, no_save, no_wait, no_stdin;
	long timeout, context;

	/* where it goes on */
	struct tool tool;
	struct talk how;
	char id[ID_SIZE];
	bool exists;            /* the session is on the disk */
	struct buf cwd;
	struct session_head head;   /* of a new session */
	struct conversation so_far; /* of a turn that is not saved */
	int stop_fd;

	struct buf schema, found_model;
	struct trace trace;
	struct show show;
};

/* Whether this can be sent at all: text, and not blank. */
int check_prompt(struct span p, struct err *e);

/* Finds the session that was asked for, or begins a new one, which is made with its first
 * turn; and the way to its model. The settings are loaded. */
int chat_find(struct chat *chat, struct err *e);

/* From here on a signal ends the turn, which is stored, and not the process; and a reader
 * that leaves the pipe ends nothing. */
int chat_guard(struct chat *chat, struct err *e);
/* The session line, on stderr. */
void print_session_line(const struct chat *chat);
/* Sends a prompt and shows the reply. The exit status. */
int chat_turn(struct chat *chat, struct span prompt);
/* Prompt after prompt. The exit status. */
int chat_converse(struct chat *chat);
/* Whether a line is a command and no prompt; and what it does: false when the user leaves. */
bool chat_is_command(struct span line);
bool chat_command(struct chat *chat, struct span line);

#endif
