/*
 * One session: creating, reading, locking, appending, removing.
 *
 * Whoever writes a session holds the lock on its history.jsonl from reading to appending. A
 * struct session has the conversation that was read, which each append brings up to date:
 *
 *	struct session x = SESSION_INIT;
 *	session_lock(&x, &store, id, &wait, NULL, &e)   stores a turn that a crash cut short
 *	x.conversation …
 *	session_spool(…), spool_add(…)                  the prompt and the reply are on the disk
 *	session_append_exchange(&x, &exchange, NULL, NULL, &e)   and then the exchange
 *	session_unlock(&x)
 *	session_release(&x)
 *
 * Between session_unlock() and the next session_lock() or session_read() the conversation stays,
 * and only what others have appended since is read then.
 */
#ifndef STORE_SESSION_H
#define STORE_SESSION_H

#include <sys/types.h>

#include "store/history.h"
#include "store/id.h"
#include "store/leftover.h"
#include "store/lock.h"
#include "store/store.h"

struct session {
	const struct store *store;
	char id[ID_SIZE];
	int dir; /* the session's folder; -1: not locked */
	int fd;  /* history.jsonl, locked, O_RDWR|O_APPEND */
	struct conversation conversation;
	/* private */
	bool named; /* the folder's name, and those in it, are on the disk */
	bool read;  /* the conversation is that of this history: */
	bool behind; /* but for what was appended and could not be read back */
	dev_t dev;
	ino_t ino;
};
#define SESSION_INIT { .dir = -1, .fd = -1, .conversation = CONVERSATION_INIT }

/*
 * Creates the session that `head` describes, complete at once: a reader finds all
 * of it or nothing. With an empty head->id an id is chosen. The id goes to `id`.
 * ERR_EXISTS when there is one of that name.
 */
int session_create(const struct store *s, struct session_head *head, char id[ID_SIZE],
                   struct err *e);

/*
 * A whole session that was made elsewhere (forked, imported) appears at once, or not at all:
 *
 *	session_begin(&n, &store, id, &e)        a hidden folder, shared with nobody
 *	jsonl_append(n.fd, record, false, &e)    its records, the session record first
 *	artifact_put(n.dir, …)                   and its files
 *	session_publish(&n, &e)                  — or session_abandon(&n)
 */
struct new_session {
	const struct store *store;
	char id[ID_SIZE];
	char temp[LEFTOVER_SIZE]; /* the folder's name until it is published */
	int dir, fd;                 /* the folder, and its history.jsonl, locked */
};
int session_begin(struct new_session *n, const struct store *s, const char *id, struct err *e);
/* All of it is on the disk when this returns 0, and in the index in the place that its time of
 * activity gives it. ERR_EXISTS when there is a session of that id; nothing is left then. */
int session_publish(struct new_session *n, struct err *e);
void session_abandon(struct new_session *n);

/* The full id for what a user typed: an id, or the beginning of just one.
 * ERR_NOT_FOUND, or ERR_USAGE when ambiguous (the error names the candidates). */
int session_resolve(const struct store *s, const char *given, char id[ID_SIZE], struct err *e);

/* The most recently active one; ERR_NOT_FOUND when there is none. */
int session_latest(const struct store *s, char id[ID_SIZE], struct err *e);

/*
 * Opens and locks, and reads the conversation: all of it, or with `want` perhaps only its newest
 * exchanges (conversation.partial). A turn that a crash cut short is stored as an interrupted
 * exchange first. ERR_NOT_FOUND when the session is not there (any more).
 */
int session_lock(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, const struct history_want *want, struct err *e);
/* Reads the same without a lock. Nothing is written. */
int session_read(struct session *x, const struct store *s, const char *id,
                 const struct history_want *want, struct err *e);
/* How many branches session `id` has, as the index knows it; -1 when that does not know this history as it
 * is now, or would cost more to read. */
int64_t session_branches(const struct store *s, const char *id, const struct jsonl *j);
/* Opens and locks only: to remove the session, say. */
int session_hold(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, struct err *e);
/* Brings the conversation of a session that is held up to date. As after the other calls that read, the
 * conversation may be empty after an error, or what it was; the next of them reads what is missing. */
int session_refresh(struct session *x, const struct history_want *want, struct err *e);
void session_unlock(struct session *x);
/* Unlocks it, too. */
void session_release(struct session *x);

/* Fails if another process has changed what the conversation ends with: that is no longer the exchange
 * `last`. */
int session_check_last(const struct session *x, struct span last, struct err *e);

/* Whether its name still leads to the file that is open: 1 or 0; -1 when that cannot be
 * seen. */
int session_is_there(const struct session *x, struct err *e);
/* Stores a turn that a crash cut short, as session_lock() does. The session is held. */
int session_seal(struct session *x, struct err *e);

/* As spool_begin(), in a locked session. Before the first exchange the names above the file are synced,
 * too: the prompt is found again after a loss of power. */
int session_spool(struct session *x, const struct exchange *exchange, int64_t step, struct err *e);

/*
 * Appending to a locked session: the record is on the disk when this returns 0, and is in the
 * conversation and in the index. ERR_GONE when somebody deleted the session in spite of the
 * lock: nothing was written. `change` and `after` may be NULL, and are appended together with the
 * exchange: one before it, the other after it.
 */
int session_append_exchange(struct session *x, const struct exchange *exchange,
                            const struct change *change, const struct rewind *after, struct err *e);
/* Fails where what was appended could not be read back (no memory): the conversation lacks it, or is
 * empty. Whoever goes on with the conversation asks; pointers into it are then no good. */
int session_check_read(const struct session *x, struct err *e);
/* A step, or the result of one of its calls. They come before the exchange that they belong to, and the
 * index learns of them with that. After a failure the record may be in the history, but perhaps not on the
 * disk; then the conversation has it. */
int session_append_step(struct session *x, const struct step *s, struct err *e);
int session_append_result(struct session *x, const struct result *r, struct err *e);
/* The change gets an id and a time here. */
int session_append_change(struct session *x, struct change change, struct err *e);
int session_append_summary(struct session *x, const struct summary *summary, struct err *e);
/* Makes `to` the head; p == NULL: nothing is left of the conversation. */
int session_append_rewind(struct session *x, struct span to, struct err *e);

/* Stores a turn that a crash cut short. 1: nothing of that kind, a turn is running. */
int session_recover(const struct store *s, const char *id, struct err *e);

/* Removes a session that the caller has locked: it unlocks it too. After a failure it is where
 * it was, and in the list. */
int session_remove(struct session *x, struct err *e);
/* After that, for all that were removed: deletes what crashes, repairs and the index keep of
 * them. */
int session_purge(const struct store *s, char *const *ids, size_t n, struct err *e);
/* Whether a process is removing it, or was killed while it did. */
bool session_is_going(const struct store *s, const char *id);

#endif
