/*
 * A session's history.jsonl, read into a conversation.
 *
 * It is read forwards, as a whole or from where it was read before, or backwards from its end for
 * the newest exchanges, at a cost that does not depend on the size of the file. Reading backwards
 * only finds where to begin: the records are applied forwards all the same.
 *
 * A line that is not a valid record is passed over with a notice.
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
/* Opens a session's history, and its folder as *dir. ERR_NOT_FOUND when there is no such
 * session. */
int history_open(const struct store *s, const char *id, int flags, int *dir, struct err *e);
/* Maps it for reading. */
int history_map(const struct store *s, const char *id, struct jsonl *j, struct err *e);

/* Reads the record at `offset`; says so and returns false when it is damaged. */
bool history_record(const struct store *s, const char *id, const struct jsonl *j, size_t offset,
                    struct record *r);

/* Reads the last exchange of this id from offset `from` to `end`, in the conversation or not. All
 * that is behind it is read. */
bool history_find(const struct jsonl *j, size_t from, size_t end, struct span id, struct record *r);

/*
 * Reads all of it into *c, which is initialised (CONVERSATION_INIT, perhaps lean) and for
 * conversation_release() in any case. Without a session record, which says what the session is, it
 * fails with ERR_DAMAGED, and *c has the rest. A lean conversation has the texts of its first and last exchange all the same.
 */
int history_load(struct conversation *c, const struct store *s, const char *id,
                 const struct jsonl *j, struct err *e);
/* Opens the history and reads all of it like this. */
int history_read(struct conversation *c, const struct store *s, const char *id, struct err *e);
/* Reads on from c->bytes. The file has only grown since. */
int history_load_more(struct conversation *c, const struct store *s, const char *id,
                      const struct jsonl *j, struct err *e);

/* Which of the newest exchanges are wanted: so many, or (last == 0) as many as weigh `limit` together
 * with their steps and results. */
struct history_want {
	size_t last;
	/* What an exchange, a step or a result weighs by itself. -1: an exchange that weighs nothing, nor do
	 * its steps. Is called for each record that is met on the way, of other branches too. */
	int64_t (*weigh)(struct record *r);
	int64_t limit;
	int64_t most; /* that one exchange counts for */
};

/*
 * Reads the newest exchanges of the conversation with their steps and results, and the session
 * record. *whole tells whether that was all of the file; otherwise c->info has only the session
 * record's values and the branches among the exchanges that were read, and c->path may hold more
 * exchanges than are wanted.
 */
int history_load_newest(struct conversation *c, const struct store *s, const char *id,
                        const struct jsonl *j, const struct history_want *want, bool *whole,
                        struct err *e);

#endif
