/*
 * One prompt is typed at a terminal: with readline where it is installed, else in plain
 * lines, which the terminal itself edits. Both have the rules of edit-text.h for prompts of
 * several lines.
 *
 *	struct edit ed;
 *	edit_open(&ed, &options);
 *	while ((r = edit_read(&ed, "> ", NULL, &prompt, &e)) > 0) …
 *	edit_close(&ed);
 *
 * While edit_read() runs the terminal is in readline's mode, and SIGTSTP, SIGCONT and
 * SIGWINCH are handled here; afterwards all is as it was. readline has one state for a
 * process: so there is one struct edit at a time.
 */
#ifndef PROMPT_EDIT_H
#define PROMPT_EDIT_H

#include "base/buf.h"
#include "prompt/line.h"

struct edit;

/* What Tab is to complete. */
struct edit_completion {
	struct span line;  /* all of it, as it is typed so far */
	struct span word;  /* the part of it that is completed, up to the cursor */
	bool first;        /* the word is the line's first */
	bool files;        /* set it for names of files, too */
	char **words;      /* what it may become; see edit_offer() */
	size_t n, cap;
	bool oom;
};
/* Adds `word` to what it may become, if it begins like that. */
void edit_offer(struct edit_completion *c, struct span word);

struct edit_options {
	int fd, out; /* the terminal: read, and written to */
	int stop_fd; /* of stop_begin() */
	void *ctx;   /* of the functions below, which may be NULL */

	/* Called before the first key is read: adds what was typed since it was called last, or
	 * ever, the oldest first, with edit_recall(). */
	int (*recall)(void *ctx, struct edit *ed, struct err *e);
	/* Told each text that was typed: sent, or given up by Ctrl-C, or left by a signal. */
	void (*typed)(void *ctx, struct span text);
	/* Names of files behind an @ are completed in any case, and nothing but that without it. */
	void (*complete)(void *ctx, struct edit_completion *c);
	/* An error of recall() or the editor: the cursor is in an empty line, for a sentence that
	 * ends its line. */
	void (*failed)(void *ctx, const struct err *e);
	char *const *envp; /* of the editor; NULL: ours */
};

struct edit {
	struct edit_options o;
	struct err why_plain;  /* why it is without readline; empty with TERM=dumb */
	bool plain;
	bool quoted;           /* the prompt was between """ and """, so it is no command */
	bool dropped;          /* the last edit_read() put a text away at a Ctrl-C */

	struct line_reader lines; /* of plain ones; and keys that were read too early */
	struct buf text;       /* as it was typed */
	struct buf pasted;     /* each pasted text with an @, followed by a NUL */
	bool burst;            /* lines come faster than anybody types: a paste without marks */
	bool bulk;             /* nothing was recalled before */
};

/* Loads readline if it can. Never fails: there is always the plain way. */
void edit_open(struct edit *ed, const struct edit_options *o);
/*
 * 1: *out is a prompt, which may be blank. 0: end of file. -1: an error; ERR_INTERRUPTED
 * when the user stopped it, of which stop_signal() tells more: it is SIGINT only when
 * nothing was typed. ERR_USAGE is about one line: the next may be better.
 *
 * `draft` (or NULL) is there to begin with. Without readline it is shown, and an empty line
 * takes it.
 */
int edit_read(struct edit *ed, const char *prompt, const char *draft, struct buf *out,
              struct err *e);
void edit_close(struct edit *ed);

/*
 * Whether `words`, which have an @ in them, were pasted in this conversation, now or before: they may
 * be somebody else's. Known are pastes that the terminal marks, and lines behind which the next one
 * was there at once.
 */
bool edit_was_pasted(const struct edit *ed, struct span words);
/* For the readers of keys: this was pasted. */
void edit_note_pasted(struct edit *ed, struct span text);
/* Whether keys are there that were typed before they were asked for. */
bool edit_has_input(const struct edit *ed);
/* Asks a question in a line of its own, between two prompts: 1 for y or yes, 0 for another answer,
 * -1 and ERR_INTERRUPTED for Ctrl-C or Ctrl-D. */
int edit_ask(struct edit *ed, const char *question, struct err *e);

/* Keys that were typed before it was time. */
void edit_type_ahead(struct edit *ed, struct span keys);
/* Adds those that are left of them to *keys, for somebody else. */
void edit_take_ahead(struct edit *ed, struct buf *keys);
/* Puts a text last into what Up brings back. A text is there once. */
void edit_recall(struct edit *ed, struct span text);

#endif
