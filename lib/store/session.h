/*
 * One session: creating, locking, appending, removing.
 *
 * Whoever writes a session holds the lock on its history.jsonl from reading to
 * appending:
 *
 *	session_lock(&x, &store, id, &wait, &e)    recovers a turn that was cut short
 *	conversation_load(&c, …, session_map(…))
 *	spool_begin(&x.spool, …)                   the prompt is on the disk
 *	spool_add(…)                               so is each piece, before it is shown
 *	session_append(&x, &c, &exchange, &e)      the exchange is; the spool goes
 *	session_unlock(&x)
 */
#ifndef STORE_SESSION_H
#define STORE_SESSION_H

#include "store/history.h"
#include "store/id.h"
#include "store/lock.h"
#include "store/store.h"

struct session {
	const struct store *store;
	char id[ID_SIZE];
	int dir; /* the session's folder */
	int fd;  /* history.jsonl, locked, O_RDWR|O_APPEND */
};

/*
 * Creates the session that `head` describes, complete at once: a reader finds all
 * of it or nothing. With an empty head->id an id is chosen. The id goes to `id`.
 * ERR_EXISTS when there is one of that name.
 */
int session_create(const struct store *s, struct session_head *head, char id[ID_SIZE],
                   struct err *e);

/* The full id for what a user typed: an id, or the beginning of just one.
 * ERR_NOT_FOUND, or ERR_USAGE when ambiguous (the error names the candidates). */
int session_resolve(const struct store *s, const char *given, char id[ID_SIZE], struct err *e);

/* The most recently active one; ERR_NOT_FOUND when there is none. */
int session_latest(const struct store *s, char id[ID_SIZE], struct err *e);

bool session_exists(const struct store *s, const char *id);

/*
 * Opens and locks, to read and append. A turn that a crash cut short is stored as an
 * interrupted exchange first. ERR_NOT_FOUND when the session is not there (any more).
 */
int session_lock(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, struct err *e);
/* Opens and locks only, to remove the session. */
int session_hold(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, struct err *e);
void session_unlock(struct session *x);

/* Whether its name still leads to the file that is open: 1 or 0; -1 when that cannot be
 * seen. */
int session_is_there(const struct session *x, struct err *e);
/* Stores a turn that a crash cut short, as session_lock() does. The session is locked. */
int session_seal(struct session *x, struct err *e);

/* The locked session's conversation. */
int session_load(struct session *x, struct conversation *c, struct err *e);
/* See conversation_load_before(). */
int session_load_before(struct session *x, struct conversation *c, struct span last,
                        struct record *old, struct err *e);

/* The exchange, and a `change` record when `change` is not NULL, in one append;
 * then its index record. ERR_GONE
 * when somebody deleted the session in spite of the lock: nothing was written. */
int session_append(struct session *x, struct session_info *sum, const struct exchange *exchange,
                   const struct change *change, struct err *e);

/*
 * The same for an exchange that was asked once more in the place of `old`, the last one of the
 * conversation; *c is what there was before that (session_load_before()). With `takes` it is in its
 * place from now on. Without, it is out of the conversation itself, and `old` stays.
 */
int session_append_again(struct session *x, struct conversation *c,
                         const struct exchange *exchange, const struct change *change,
                         struct span old, bool takes, struct err *e);

/* A `change` record alone; *c, which the session holds, has its title and model too. */
int session_append_change(struct session *x, struct conversation *c, const struct change *change,
                          struct err *e);

/* Takes the last `n` exchanges, of which there are so many, out of the conversation: a `rewind`
 * record. *c is not what is in the file any more. */
int session_rewind(struct session *x, const struct conversation *c, size_t n, struct err *e);

/* A summary, and then its index record; *c, which the session holds, has it too. ERR_GONE
 * as above. */
int session_append_summary(struct session *x, struct conversation *c, const struct summary *summary,
                        struct err *e);

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
