/* What every tool does in the same way: settings, errors, exit statuses, output. */
#ifndef CMD_TOOL_H
#define CMD_TOOL_H

#include <stdio.h>

#include "config/config.h"
#include "store/history.h"
#include "store/store.h"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,       /* no such session, cannot write, … */
	EXIT_USAGE = 2,        /* the command line */
	EXIT_PROVIDER = 3,     /* the provider or the network */
	EXIT_UNSTORED = 74,    /* the reply arrived but could not be stored (sysexits' EX_IOERR) */
	EXIT_BUSY = 75,        /* another process holds the session (EX_TEMPFAIL) */
	EXIT_INTERRUPTED = 130 /* as a shell reports SIGINT */
};

/* The name the tool goes by, for its messages. */
extern const char *tool_name;

/* Says what is wrong, on stderr, and returns the exit status that fits. */
int fail(const struct err *e);
/* Only the status. */
int exit_status(const struct err *e);
/* "mc-x: …" on stderr, made harmless when that is a terminal. */
void say(const char *sentence);
/* Breaks a line by words, as say() does, where stderr is a terminal that a person reads. */
void wrap_for_stderr(struct buf *line);
/* Where stderr can be written over: the same without an end of line, cut to the window. The
 * next sentence takes its place, as unsay() takes it away. */
bool can_say_for_now(void);
void say_for_now(const char *sentence);
/* Likewise, a short word of ours that is no message: dim, without our name. */
void hint_for_now(const char *text);
void unsay(void);
/* That this waits for process `holder` (0 or -1: unknown), which uses session `id`. */
void say_in_use(const char *id, pid_t holder);
/* A write to stdout failed with errno `why`. A closed pipe needs no words. */
int output_failed(int why);

/* The settings and the sessions directory. */
struct tool {
	struct config config;
	struct store store;
};
/* The settings alone: as in tool_open() where there is no directory. */
int tool_load(struct tool *t, struct err *e);
/* With `create` the directory is made where it is missing. */
int tool_open(struct tool *t, bool create, struct err *e);
void tool_close(struct tool *t);

/* fail(); for the first session that does not exist also the ones that a person may mean. */
int fail_session(const struct store *s, const struct err *e);
/* These, on standard error. */
void print_recent_sessions(const struct store *s);

/* What the command line says of a new session; NULL where it says nothing. */
struct session_choice {
	const char *provider, *model, *system, *title, *cwd;
};
/* A model that is an alias becomes what it stands for, which may bring the provider along. */
int resolve_alias(struct session_choice *choice, const struct config *config, struct err *e);
/* Whether these can be stored at all. */
int check_choice(const struct session_choice *choice, struct err *e);
/* Prints a notice when the model's name looks like another vendor's than the provider's. `kept`:
 * the session keeps that provider; otherwise it was chosen now. */
struct endpoint;
void say_other_vendor(const struct endpoint *ep, const char *model, bool kept);
/* Fills in what a new session is, with the settings and defaults where the command
 * line is silent; the id is left alone. The spans point to `choice`, `config`, `cwd`
 * and constants. The model may stay empty: mc-chat asks for one when it needs it. */
int describe_session(struct session_head *head, const struct session_choice *choice,
                     const struct config *config, struct buf *cwd, struct err *e);

/*
 * "11 exchanges and 5 incomplete", of `n` together. The number that stands with the word is
 * everywhere that of the complete ones, the session's exchangeCount.
 */
void add_exchanges(struct buf *b, size_t n, size_t incomplete);
/* "3 of 11 exchanges", of `all` together; what of them is incomplete is mentioned only if it is. */
void add_some_exchanges(struct buf *b, size_t n, size_t incomplete, size_t all, size_t all_incomplete);
/* "11 and 5 incomplete", where the word stands already. */
void add_number(struct buf *b, size_t n, size_t incomplete);
/* How many exchanges of a conversation failed or were interrupted. */
size_t count_incomplete(const struct conversation *c);
/* Says on stderr that there are branches that the conversation does not show, or that its beginning is
 * missing; and how to see them. Nothing where all is there. */
void say_tree(const char *id, const struct conversation *c);
/* Only the former, of `n` branches. */
void say_branches(const char *id, int64_t n);

/* Whether stdout is a terminal, or a pager on one; both stdout and stderr are a terminal. */
bool at_terminal(void);
bool with_person(void);

/* Writes what a buffer holds, and releases it. */
void print_buf(FILE *f, struct buf *b);
/* Writes out what is on its way to stdout: for a tool that goes on to something slow. */
void print_now(void);
/* Why not all that was to go to stdout is written out: an errno; 0: it is. */
int output_error(void);
/* What was lost of it so far is no error: nobody wanted to read it. */
void forget_output_error(void);

/* JSON lines to stdout: exact, or escaped where a terminal would obey them. */
void print_json(struct span lines);
/* The same for one that was made in a buffer, which is released. */
void print_record(struct buf *b);

/*
 * An exchange as text: the query quoted with "> ", a line for each file that went along,
 * the answer, and a mark when it is not complete. At most `max_lines` of each (0: all). With `harmless` it is for
 * a terminal.
 */
void print_exchange(FILE *f, const struct exchange *x, size_t max_lines, bool harmless);
/* The query alone. */
void print_query(FILE *f, struct span query, size_t max_lines, bool harmless);
/* Its last line alone, when it is not complete. */
void print_mark(FILE *f, const struct exchange *x, bool harmless);
/* A line for each, whatever its name holds. */
void print_attachments(FILE *f, const struct attachment_ref *list, size_t n, size_t max_lines,
                       bool harmless);

#endif
