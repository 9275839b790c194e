/*
 * A chat, for the files of mc-chat:
 *
 *	chat.c           the command line; a prompt from there or from a pipe
 *	chat-session.c   which session, and whom it talks to
 *	chat-pick.c      a list of sessions to pick one from
 *	chat-turn.c      one turn
 *	chat-title.c     a title that the model makes
 *	chat-busy.c      while something is waited for
 *	chat-converse.c  the conversation at a terminal
 *	chat-where.c     where one is in it
 *	chat-mention.c   files that a prompt mentions
 *	chat-type.c      its prompts, as they are typed
 *	chat-command*.c  its commands, /help and the others (chat-command.h)
 */
#ifndef CMD_CHAT_H
#define CMD_CHAT_H

#include "base/cli.h"
#include "show.h"
#include "store/session.h"
#include "tool.h"
#include "prompt/edit.h"
#include "turn/turn.h"

/* Which session is asked for, and what of it. The strings are the caller's, and need not stay. */
struct wish {
	const char *session; /* an id, or its beginning; NULL: a new one */
	bool last;           /* the most recently active one */
	bool create;         /* when it is missing */
	struct session_choice choice;
};

/*
 * The session that a chat is in, which may be one that is made with its first turn; and the way
 * to its model. All that is of the session alone is here, so that going to another is to put
 * another in its place.
 */
struct chat_session {
	char id[ID_SIZE];
	bool exists;                /* on the disk */
	bool create;                /* another process may create it first */
	struct session_head head;   /* of one that is to be made, or has to be made again */
	const char *model, *title;  /* that the next turn brings along; NULL: as they are */
	struct session session;     /* with the conversation as it was last read; see chat_reload() */
	struct client client;
	struct {
		struct buf prompt;     /* the last one, if it did not get into the conversation */
		struct buf instead_of; /* in whose place it was asked; empty: in no one's */
	} unsent;
	int titles;                 /* how often one was begun to be made */
	struct {
		struct buf provider, model, system, title, cwd;
		struct record head;
	} own; /* what head, model and title may point to */
};
#define CHAT_SESSION_INIT { .session = SESSION_INIT, .client = CLIENT_INIT, \
	.unsent = { BUF_INIT, BUF_INIT }, .own = { BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, { .json = NULL } } }

struct chat {
	/* what was asked for, for all sessions that it comes to */
	const struct cli *cli;      /* its -o go over the parameters of the settings */
	struct wish wish;           /* the first of them, */
	bool pick;                  /* which is to be picked */
	const char *schema_file, *trace_file;
	bool no_save, no_wait, no_stdin, no_stream;
	long timeout, context;

	/* where it goes on */
	struct tool tool;
	struct chat_session at;
	struct files files;         /* for the next prompt, and those known from earlier ones */
	int stop_fd;
	bool one_prompt;            /* is all there is, and it is stored: no more is read than it needs */
	bool conversing;            /* with a person, who types, and to whom a title is of use */
	struct idle idle; /* while it is busy */
	pid_t title_maker;          /* a process, or 0 */

	/* what is typed, in a conversation */
	struct edit *editor;
	struct buf draft;           /* what the next prompt begins with */

	struct buf schema;
	struct trace trace;
	struct show show;
};

/* Whether this can be sent at all: text, and not blank. */
int check_prompt(struct span p, struct err *e);

/*
 * Goes to the session that is wished for, or to a new one, which is made with its first turn; and
 * finds the way to its model. The settings are loaded. On an error the chat stays where it is.
 * What was attached stays behind, and the connection goes along where it leads to the same
 * server.
 */
int chat_enter(struct chat *chat, const struct wish *w, struct err *e);
/* There may have been no sessions directory when this began. */
int chat_find_store(struct chat *chat, struct err *e);
/* To the session that a user's ID means. */
int chat_use(struct chat *chat, const char *id, struct err *e);
/* Reads again what others may have added. Of a session that nobody has made, and with --no-save,
 * nothing is to be read. ERR_GONE: it was removed; at.session.conversation is as it was. */
int chat_reload(struct chat *chat, struct err *e);
/* How a session in use is waited for: it is told for whom, and Ctrl-C gives it up. */
struct lock_wait chat_wait(struct chat *chat);
/* Locks the session, as a turn does it: the message names the process that it waits for. ERR_GONE as
 * above. */
int chat_lock(struct chat *chat, struct err *e);
/* Unlocks it. What head, model and title are in the conversation now is what a new one would have. */
void chat_unlock(struct chat *chat);
/* The model that the next turn asks. */
struct span chat_model(const struct chat *chat);
void chat_leave(struct chat *chat);

/* Lets a person pick a session, at first of those that have these words: 1, its id in `id`;
 * 0 when there was no choice made. */
int pick_session(const struct chat *chat, struct span words, char id[ID_SIZE], struct err *e);
/* Whether there is a terminal for that. */
bool can_pick_session(void);

/* From here on a signal ends the turn, which is stored, and not the process; and a reader
 * that leaves the pipe ends nothing. */
int chat_guard(struct chat *chat, struct err *e);
/* "Session: ID", on stderr, how many exchanges a resumed one has, and the model that answers. */
void print_session_id(const struct chat *chat);
/* That, with the title and how much of the model's window is in use: where one is. */
void print_session_line(const struct chat *chat);
/* That, and what was said last, and what is attached. */
void print_session(const struct chat *chat);

/* What the next request would hold of the conversation, about. */
struct load {
	int64_t window, tokens; /* 0: not known */
	size_t counting, left_out, summed; /* exchanges: see turn/context.h */
	struct context_incomplete incomplete;
};
int chat_load(const struct chat *chat, struct load *l, struct err *e);
/* Adds "12,345"; and how much that is of `window` tokens, as "12 % of 200,000 tokens". */
void add_count(struct buf *b, int64_t n);
void add_share(struct buf *b, const struct load *l);

/* Something is to be waited for: what is typed is kept for the next prompt, and the person sees
 * how long it takes. The way is found, for which a command may have to ask for a password. */
void chat_busy(struct chat *chat);
void chat_idle(struct chat *chat);
/* Sends a prompt and shows the reply. The exit status. */
int chat_turn(struct chat *chat, struct span prompt);
/* The same in the place of the last exchange, which has this id; see turn.h. */
int chat_turn_instead(struct chat *chat, struct span prompt, struct span instead_of);
/* Begins to make a title for the session, which has a complete exchange and never had one; and gives
 * that up, if it is not done. */
void chat_title_begin(struct chat *chat);
void chat_title_end(struct chat *chat);
/* fail(), where a Ctrl-C may have been the reason. */
int chat_fail(const struct err *e);
/* Reads a file that goes along with the next prompt, once however often it is named. On an error
 * all is as it was. */
int chat_attach(struct chat *chat, const char *path, struct err *e);
/* Attaches the files that a prompt mentions as @FILE; *sent is the prompt as it is to be sent. On
 * an error none of them is. */
int chat_mention(struct chat *chat, struct span prompt, struct buf *sent, struct err *e);
/* A prompt as it was typed: chat_mention() and chat_turn(). The exit status. */
int chat_say(struct chat *chat, struct span typed);
/* Prompt after prompt. The exit status. */
int chat_converse(struct chat *chat);
/* Whether a line is a command and no prompt; and what it does: false when the user leaves. */
bool chat_is_command(struct span line);
bool chat_command(struct chat *chat, struct span line);

/* What is typed goes through chat->editor from here on. */
int chat_type_begin(struct chat *chat, struct err *e);
/* The next prompt, as edit_read() has it; it begins with the draft, which is used up. */
int chat_type(struct chat *chat, struct buf *prompt, struct err *e);
void chat_type_end(struct chat *chat);

#endif
