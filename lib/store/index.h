/*
 * index.jsonl: a cache of what the histories say, for listing.
 *
 * A session's last line wins; the order of those last lines is the order of
 * activity. Reading needs no lock: lines are only added, and a compaction renames
 * a new file into place. Writers hold index.lock for the moment that it takes.
 * When the file is missing, it is made again from the histories.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <stdint.h>

#include "store/history.h"
#include "store/id.h"
#include "store/jsonl.h"
#include "store/store.h"

#define INDEX_FILE "index.jsonl"
#define INDEX_LOCK "index.lock"
#define INDEX_TEMP ".index.tmp" /* no session's name: ids do not begin with a dot */
#define INDEX_STALE ".index.stale"

/* ---- reading ---- */

/*
 * The live records, newest first. Lines are taken in batches, so that the hash
 * table's cache misses overlap.
 *
 * A record that another program has spelled differently (white space, the order of the
 * members, no line feed at the end) is read, and given out as the tools write it. Where
 * a line cannot be read (another version, say), index_next() makes the index again from
 * the histories, says so, and goes on with the sessions that it has not given out yet.
 */
#define INDEX_BATCH 128
struct index_reader {
	struct jsonl file;
	size_t at;          /* everything before this offset is still to be read */
	size_t least;       /* and nothing before this one */
	struct span prefix; /* only ids that begin so; set it before the first record */
	uint64_t *seen;     /* open hash table of the ids met so far */
	size_t cap, used;
	struct index_line {
		struct span line, id; /* the id as it is in the file */
		uint64_t hash;
	} batch[INDEX_BATCH];
	size_t filled, next;
	bool oom;

	const struct store *store; /* NULL: the index is not made again */
	size_t unreadable;         /* lines that were met */
	struct buf *respelled;     /* owned, as are these lines */
	size_t nrespelled, respelled_cap;
	uint64_t *rejected;        /* owned; the hashes of the ids of records that lack something */
	size_t nrejected, rejected_cap;
	struct index_reader *before; /* owned; what was read before the index was made again */
};

/* Opens the index, and first makes it when it is missing, or brings it up to date when a
 * tool could not. `all` says that most of it will be read. */
int index_open(struct index_reader *r, const struct store *s, bool all, struct err *e);
/* The same for a file that is open already. It is read as it is. */
int index_open_fd(struct index_reader *r, int fd, bool all, struct err *e);
/* The next live record, with its newline; its id is valid. False at the end, or when
 * r->oom. The line stays until index_close(). */
bool index_next(struct index_reader *r, struct span *line);
/* Tells the reader that index_record() could not read this line: it counts as unreadable. */
void index_reject(struct index_reader *r, struct span line);
void index_close(struct index_reader *r);

/* A record's values as they stand in the JSON text. */
struct index_record {
	struct span id; /* this one without its quotes */
	int64_t created_at, updated_at, exchange_count, history_bytes;
	struct span provider, model, cwd, title, first_query, last_query;
};

enum index_field {
	INDEX_CREATED = 1 << 0,
	INDEX_UPDATED = 1 << 1,
	INDEX_COUNT = 1 << 2,
	INDEX_PROVIDER = 1 << 3,
	INDEX_MODEL = 1 << 4,
	INDEX_CWD = 1 << 5,
	INDEX_TITLE = 1 << 6,
	INDEX_FIRST_QUERY = 1 << 7,
	INDEX_LAST_QUERY = 1 << 8,
	INDEX_BYTES = 1 << 9,
	INDEX_ALL = (1 << 9) - 1, /* but the last one */
};

/* Reads `line`, and of it no more than the `wanted` fields take. False when the
 * record is damaged as far as it was read, or one of them is missing. `line` comes from
 * index_next(). */
bool index_record(struct span line, unsigned wanted, struct index_record *r);

/* Opens the file. ERR_NOT_FOUND also when it is empty, or has nothing but blanks or the header
 * of records that are gone: it is to be made then, as when a person deleted it, or in a new
 * store. */
int index_open_file(const struct store *s, int flags, struct err *e);

/* What a whole line, with its newline, is. Sets the id of a record or a tombstone. */
enum index_kind { INDEX_BAD, INDEX_HEADER, INDEX_TOMBSTONE, INDEX_RECORD };
enum index_kind index_judge(struct span line, struct span *id);

/* Adds the live record of `id` in an open index, with its newline: 1; 0 when it has none. It is
 * looked for in so many bytes before the end. */
int index_find(int fd, const char *id, size_t within, struct buf *line, struct err *e);

/* A record's values. The strings belong to *json, which the caller puts; tags are not among them. */
int index_info(struct span line, struct session_info *info, struct json_object **json, struct err *e);

/* ---- writing ---- */

/* The writers' lock: a descriptor whose closing releases it. */
int index_lock(const struct store *s, struct err *e);

/* Makes the index from the histories, unless another process just did. Where that would
 * take long it fails, and the error says what to do. */
int index_make(const struct store *s, struct err *e);
/* The same for an index with lines that cannot be read. *made: it was rebuilt, and not already
 * rebuilt by another process. Returns a descriptor to read the index from. */
int index_make_again(const struct store *s, bool *made, struct err *e);
/* Makes it in any case, however long that takes. The old one is moved to `place` (see
 * quarantine.h), which stays empty where there was none; its records of sessions that
 * cannot be read now are kept. */
int index_remake(const struct store *s, char *place, struct err *e);

/* A record, with its newline; or without its braces, for a line that has more. */
void index_add_record(struct buf *b, const char *id, const struct session_info *s);
void index_add_record_members(struct buf *b, const char *id, const struct session_info *s);

int index_append(const struct store *s, const char *id, const struct session_info *sum, struct err *e);
/* The same for a session that comes from elsewhere: its record takes the place that its updatedAt
 * gives it. Where that is not the end, the file is written anew. */
int index_insert(const struct store *s, const char *id, const struct session_info *info, struct err *e);
/* As index_append() for a session whose history is stored: the index is a cache, so a failure is only
 * reported, and the next tool makes up for it. */
void index_update(const struct store *s, const char *id, const struct session_info *sum);
/* Reports this, where even the record could not be made. */
void index_not_updated(const struct store *s, const char *id, const char *why);
/* Has the next tool make up for it; false when even that could not be noted. */
bool index_note_stale(const struct store *s, const char *id);
/* Makes up for it. Does nothing where no session is waiting for that; a failure is reported. */
void index_mend(const struct store *s);

/* Takes a session off the list, unless it was made anew by now. Its older records stay in the
 * file until index_purge(). */
int index_append_tombstone(const struct store *s, const char *id, int64_t now, struct err *e);
/* Removes every record of deleted sessions, at least of `ids`, from the file. The file is rewritten,
 * which costs as much as reading it. */
int index_purge(const struct store *s, char *const *ids, size_t n, struct err *e);

#endif
