/*
 * One session: finding, creating, reading, locking, appending, removing.
 *
 * A writer holds the lock on history.jsonl from reading to appending. A struct session owns the
 * conversation that was read; each append brings it up to date:
 *
 *	struct session x = SESSION_INIT;
 *	session_lock(&x, &store, id, &wait, NULL, &e)   stores an interrupted turn first
 *	x.conversation …
 *	session_spool(…), spool_add(…)                  the prompt and the reply are on the disk
 *	session_append_exchange(&x, &exchange, NULL, NULL, &e)   and then the exchange
 *	session_unlock(&x)
 *	session_release(&x)
 *
 * session_unlock() keeps the conversation: the next session_lock() or session_read() reads only what
 * others have appended since.
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
	bool named; /* the folder's name and the names in it are synced */
	bool read;  /* the conversation is from this file: */
	bool behind; /* what was appended could not be read back */
	dev_t dev;
	ino_t ino;
};
#define SESSION_INIT { .dir = -1, .fd = -1, .conversation = CONVERSATION_INIT }

/* Creates the session that `head` describes; a reader finds all of it or nothing. If head->id is empty,
 * an id is chosen. Sets `id`. ERR_EXISTS if the session exists. */
int session_create(const struct store *s, struct session_head *head, char id[ID_SIZE],
                   struct err *e);

/*
 * Creates a whole session that was made elsewhere (forked, imported), all at once or not at all:
 *
 *	session_begin(&n, &store, id, &e)        a hidden folder
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
/* When this returns 0, the session is on the disk, and in the list where its time of activity belongs.
 * ERR_EXISTS if there is a session of that id. After a failure nothing is left. */
int session_publish(struct new_session *n, struct err *e);
void session_abandon(struct new_session *n);

/* Completes what a user typed: an id, or the beginning of exactly one. ERR_NOT_FOUND, or ERR_USAGE if it
 * is ambiguous (the error names the candidates). */
int session_resolve(const struct store *s, const char *given, char id[ID_SIZE], struct err *e);

/* The session that was active last. ERR_NOT_FOUND if there are no sessions. */
int session_latest(const struct store *s, char id[ID_SIZE], struct err *e);

/* Opens and locks the session, stores a turn that a crash interrupted as an interrupted exchange, and
 * reads the conversation: all of it, or with `want` perhaps only its newest exchanges
 * (conversation.partial). ERR_NOT_FOUND if the session does not exist, or no longer. */
int session_lock(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, const struct history_want *want, struct err *e);
/* Reads the conversation without a lock, and writes nothing. */
int session_read(struct session *x, const struct store *s, const char *id,
                 const struct history_want *want, struct err *e);
/* How many branches session `id` has according to the index. -1 if the index does not have the current
 * state of the history `j`, or would cost more to read than `j`. */
int64_t session_branches(const struct store *s, const char *id, const struct jsonl *j);
/* Only opens and locks: to remove the session, say. */
int session_hold(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, struct err *e);
/* Brings the conversation of a locked session up to date. After an error, here and in the other calls that
 * read, the conversation has not changed or is empty, and the next call reads what is missing. */
int session_refresh(struct session *x, const struct history_want *want, struct err *e);
void session_unlock(struct session *x);
/* Unlocks the session, too. */
void session_release(struct session *x);

/* Fails unless the conversation still ends with the exchange `last`: another process may have continued
 * it. */
int session_check_last(const struct session *x, struct span last, struct err *e);

/* Whether the session's name still leads to the open file: 1 or 0; -1 if that cannot be seen. */
int session_is_there(const struct session *x, struct err *e);
/* Stores an interrupted turn, as session_lock() does. The session is locked. */
int session_seal(struct session *x, struct err *e);

/* As spool_begin(), in a locked session. Before the first exchange the names above the file are synced,
 * too, so that the prompt survives a loss of power. */
int session_spool(struct session *x, const struct exchange *exchange, int64_t step, struct err *e);

/* These append to a locked session. When they return 0, the record is on the disk, in the conversation and
 * in the index. ERR_GONE if somebody deleted the session in spite of the lock; nothing is written then.
 * `change` and `after` may be NULL; they are appended together with the exchange, before and after it. */
int session_append_exchange(struct session *x, const struct exchange *exchange,
                            const struct change *change, const struct rewind *after, struct err *e);
/* Fails if what was appended could not be read back (no memory): the conversation lacks it or is empty, and
 * pointers into it are invalid. Call this before the conversation is used again. */
int session_check_read(const struct session *x, struct err *e);
/* Append a step, or the result of one of its calls, before the exchange that they belong to. The index is
 * updated with the exchange. After a failure the record may be in the history though not on the disk; then
 * the conversation has it, too. */
int session_append_step(struct session *x, const struct step *s, struct err *e);
int session_append_result(struct session *x, const struct result *r, struct err *e);
/* Gives the change an id and a time. */
int session_append_change(struct session *x, struct change change, struct err *e);
int session_append_summary(struct session *x, const struct summary *summary, struct err *e);
/* Makes `to` the head. p == NULL: the conversation becomes empty. */
int session_append_rewind(struct session *x, struct span to, struct err *e);

/* Stores a turn that a crash interrupted. 1: a turn is running, so nothing was stored. */
int session_recover(const struct store *s, const char *id, struct err *e);

/* Removes a locked session, and unlocks it. After a failure the session is still listed. */
int session_remove(struct session *x, struct err *e);
/* To be called after all were removed: deletes what crashes, repairs and the index have kept of them. */
int session_purge(const struct store *s, char *const *ids, size_t n, struct err *e);
/* Whether a process is removing the session, or was killed while it did so. */
bool session_is_going(const struct store *s, const char *id);

#endif
