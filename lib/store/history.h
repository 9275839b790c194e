/*
 * A session's history.jsonl, read.
 *
 * The conversation is what a person sees: the exchanges without those that a
 * `rewind` took out. Reading backwards makes a rewind simple: what lies between
 * it and the exchange it names is passed over. That also finds the last few
 * exchanges of a history of any size.
 *
 * A line that is no valid record is passed over with a notice.
 */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "store/jsonl.h"
#include "store/record.h"
#include "store/store.h"

#define HISTORY_FILE "history.jsonl"

/* Opens a session's history, and its folder as *dir. ERR_NOT_FOUND when there is no such
 * session. */
int history_open(const struct store *s, const char *id, int flags, int *dir, struct err *e);
/* Maps it for reading. */
int history_map(const struct store *s, const char *id, struct jsonl *j, struct err *e);

/* What the index says of a session. The spans belong to whoever filled it in. */
struct session_info {
	int64_t created_at, updated_at;
	int64_t exchange_count; /* complete ones of the conversation */
	struct span provider, model, cwd, title, first_query, last_query;
	struct usage usage; /* of every exchange, those taken back too */
	int64_t history_bytes;
};

/* Where the conversation's exchanges begin in the file, oldest first. */
struct turns {
	size_t *offsets; /* owned */
	size_t n;
	size_t damaged; /* lines that were met and are no valid records */
};

/*
 * The last `limit` exchanges of the conversation, or all when `limit` is 0. Every
 * line that is met on the way back is checked, and a damaged one told; not with `s`
 * NULL, for a caller who reads them all anyway.
 */
int history_turns(const struct store *s, const char *id, const struct jsonl *j, size_t limit,
                  struct turns *t, struct err *e);
void turns_release(struct turns *t);

/* Reads the record at `offset`; says so and returns false when it is damaged. */
bool history_record(const struct store *s, const char *id, const struct jsonl *j, size_t offset,
                    struct record *r);

/* Reads the last exchange of this id from offset `from` to `end`, in the conversation or not. All
 * that is behind it is read. */
bool history_find(const struct jsonl *j, size_t from, size_t end, struct span id, struct record *r);

/*
 * A whole session in memory. The spans of `summary` point into it, and so stay
 * good until conversation_release().
 */
struct conversation {
	struct record head;
	struct record *turns; /* exchanges, oldest first */
	size_t n;
	struct record summary;  /* a summary record; its json is NULL where none is of use */
	size_t covered;       /* how many turns that stands for, from the first on */
	struct session_info info;
	struct buf model, title; /* as later `change` records left them */
	bool titled;          /* it was given a title once, whatever became of that */
};

/* Fails when the first record, which says what the session is, is missing. */
int conversation_load(struct conversation *c, const struct store *s, const char *id,
                      const struct jsonl *j, struct err *e);
/* The same as it will be when its last exchange, which must be `last`, is taken out by a rewind:
 * that one goes to *old, for record_release(). ERR_FAILED when another one is the last. */
int conversation_load_before(struct conversation *c, const struct store *s, const char *id,
                             const struct jsonl *j, struct span last, struct record *old,
                             struct err *e);
void conversation_release(struct conversation *c);
#define CONVERSATION_INIT { .model = BUF_INIT, .title = BUF_INIT }

/* Adds a copy of `x`, in memory only. */
int conversation_add(struct conversation *c, const struct exchange *x, struct err *e);

/* Puts a summary record, which must name one of the turns, in the place of the one that is
 * there, in memory only; it is the conversation's then. */
void conversation_take_summary(struct conversation *c, struct record *gist);

/*
 * Takes the last turn out, in memory only, and with it a summary that stands for it too. It is in
 * the cut until that is mended, which puts it back where it was, or released.
 */
struct cut {
	struct record turn, summary;
	size_t covered;
};
void conversation_cut(struct conversation *c, struct cut *cut);
void conversation_mend(struct conversation *c, struct cut *cut);
void cut_release(struct cut *cut);

/* Counts an exchange that was just appended, or a summary; `bytes` is the file's new size. */
void info_count(struct session_info *s, const struct exchange *x, int64_t bytes);
void info_count_summary(struct session_info *s, const struct summary *g, int64_t bytes);

#endif
