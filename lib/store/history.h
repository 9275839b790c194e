/*
 * A session's history.jsonl, read into a conversation.
 *
 * It is read forwards, as a whole or from where it was read before; or backwards from its end for the newest
 * exchanges, at a cost that does not depend on the size of the file. Reading backwards only finds where to
 * begin: the records are applied forwards.
 *
 * A line that is not a valid record is skipped with a notice.
 */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "store/conversation.h"
#include "store/jsonl.h"
#include "store/record.h"
#include "store/store.h"

#define HISTORY_FILE "history.jsonl"

/* Whether session `id` has a history: without one it does not exist. True also when that cannot be
 * seen: opening it tells why. */
bool history_exists(const struct store *s, const char *id);
/* Opens a session's history, and its folder as *dir. ERR_NOT_FOUND if there is no such session. */
int history_open(const struct store *s, const char *id, int flags, int *dir, struct err *e);
/* Maps it for reading. */
int history_map(const struct store *s, const char *id, struct jsonl *j, struct err *e);

/* Reads the record at `offset`. If it is damaged, says so and returns false. */
bool history_record(const struct store *s, const char *id, const struct jsonl *j, size_t offset,
                    struct record *r);

/* Reads the last exchange of this id between the offsets `from` and `end`, on the path or not. Reads backwards
 * from `end`. */
bool history_find(const struct jsonl *j, size_t from, size_t end, struct span id, struct record *r);

/* Reads all of the history into *c, which is initialised (CONVERSATION_INIT, perhaps lean) and which the caller
 * releases in any case. Without a session record it fails with ERR_DAMAGED, and *c has the rest. A lean
 * conversation has the texts of its first and last exchange. */
int history_load(struct conversation *c, const struct store *s, const char *id,
                 const struct jsonl *j, struct err *e);
/* Opens the history and reads all of it like this. */
int history_read(struct conversation *c, const struct store *s, const char *id, struct err *e);
/* Continues from c->bytes. The file has only grown since. */
int history_load_more(struct conversation *c, const struct store *s, const char *id,
                      const struct jsonl *j, struct err *e);

/* Which of the newest exchanges are wanted: the `last` ones, or (last == 0) as many as weigh `limit` together with
 * their steps and results. */
struct history_want {
	size_t last;
	/* The weight of an exchange, a step or a result alone. -1: an exchange that weighs nothing, and its steps
	 * neither. It is called for each record that is read, of other branches, too. */
	int64_t (*weigh)(struct record *r);
	int64_t limit;
	int64_t most; /* the most that one exchange counts */
};

/* Reads the newest exchanges of the conversation with their steps and results, and the session record. *whole:
 * that was all of the file. Otherwise c->info has only the values of the session record and the branches
 * among the exchanges that were read, and c->path may have more exchanges than are wanted. */
int history_load_newest(struct conversation *c, const struct store *s, const char *id,
                        const struct jsonl *j, const struct history_want *want, bool *whole,
                        struct err *e);

#endif
