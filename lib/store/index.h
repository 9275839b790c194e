/*
 * index.jsonl: a cache of what the histories say, for listing sessions.
 *
 * The last line of a session counts, and the order of these last lines is the order of activity.
 * Reading needs no lock: lines are only added, and a compaction renames a new file into place. Writers
 * hold index.lock while they write. If the file is missing, it is rebuilt from the histories.
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
#define INDEX_TEMP ".index.tmp" /* not a session: ids do not begin with a dot */
#define INDEX_STALE ".index.stale"

/* ---- reading ---- */

/*
 * Reads the live records, newest first. Lines are taken in batches, so that the cache misses of the hash
 * table overlap.
 *
 * A record that another program has spelled differently (white space, the order of the members, no line
 * feed at the end) is given out as the tools write it. If a line cannot be read (another version, say),
 * index_next() rebuilds the index from the histories, says so, and continues with the sessions that it
 * has not given out yet.
 */
#define INDEX_BATCH 128
struct index_reader {
	struct jsonl file;
	size_t at;          /* everything before this offset is still to be read */
	size_t least;       /* and what is before this offset is not read */
	struct span prefix; /* only ids with this prefix; set it before the first record */
	uint64_t *seen;     /* open hash table of the ids met so far */
	size_t cap, used;
	struct index_line {
		struct span line, id; /* the id as it is in the file */
		uint64_t hash;
	} batch[INDEX_BATCH];
	size_t filled, next;
	bool oom;

	const struct store *store; /* NULL: the index is not rebuilt */
	size_t unreadable;         /* lines so far that cannot be read */
	struct buf *respelled;     /* owned, as are these lines */
	size_t nrespelled, respelled_cap;
	uint64_t *rejected;        /* owned; the hashes of the ids of records that lack something */
	size_t nrejected, rejected_cap;
	struct index_reader *before; /* owned; the reader of the old index, if the index was rebuilt */
};

/* Opens the index. If it is missing, it is rebuilt first; if a tool could not update it, it is brought up
 * to date. `all` says that most of it will be read. */
int index_open(struct index_reader *r, const struct store *s, bool all, struct err *e);
/* The same for an open file, which is read as it is. */
int index_open_fd(struct index_reader *r, int fd, bool all, struct err *e);
/* The next live record, with its newline; its id is valid. False at the end, or if r->oom. The line stays
 * until index_close(). */
bool index_next(struct index_reader *r, struct span *line);
/* Tells the reader that index_record() could not read this line: it counts as unreadable. */
void index_reject(struct index_reader *r, struct span line);
void index_close(struct index_reader *r);

/* The values of a record, as they are in the JSON text. */
struct index_record {
	struct span id; /* without its quotes */
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
	INDEX_ALL = (1 << 9) - 1, /* except INDEX_BYTES */
};

/* Reads the `wanted` fields of `line`, which comes from index_next(), and no further. False if one of
 * them is missing, or if the record is damaged as far as it was read. */
bool index_record(struct span line, unsigned wanted, struct index_record *r);

/* Opens the file. ERR_NOT_FOUND also if it is empty, or has only blanks or the header of records that
 * are gone: it must be rebuilt then, as if somebody had deleted it. */
int index_open_file(const struct store *s, int flags, struct err *e);

/* Says what a whole line, with its newline, is. Sets the id of a record or a tombstone. */
enum index_kind { INDEX_BAD, INDEX_HEADER, INDEX_TOMBSTONE, INDEX_RECORD };
enum index_kind index_judge(struct span line, struct span *id);

/* Adds the live record of `id`, with its newline. 1: found. 0: not in the last `within` bytes of the open
 * index. */
int index_find(int fd, const char *id, size_t within, struct buf *line, struct err *e);

/* The values of a record, without its tags. The strings belong to *json, which the caller puts. */
int index_info(struct span line, struct session_info *info, struct json_object **json, struct err *e);

/* ---- writing ---- */

/* The writers' lock: a descriptor whose closing releases it. */
int index_lock(const struct store *s, struct err *e);

/* Rebuilds the index from the histories, however long that takes. The old file is moved to `place` (see
 * quarantine.h), which is empty if there was no file. Sessions that cannot be read now keep their old
 * records. */
int index_remake(const struct store *s, char *place, struct err *e);

/* Adds a record, with its newline; or without its braces, for a line that has more members. */
void index_add_record(struct buf *b, const char *id, const struct session_info *s);
void index_add_record_members(struct buf *b, const char *id, const struct session_info *s);

int index_append(const struct store *s, const char *id, const struct session_info *sum, struct err *e);
/* The same for a session that was made elsewhere: its updatedAt decides its place in the list. Unless
 * that is the end, the file is written anew. */
int index_insert(const struct store *s, const char *id, const struct session_info *info, struct err *e);
/* As index_append() for a session whose history is stored: a failure is only reported, and the next tool
 * updates the index. */
void index_update(const struct store *s, const char *id, const struct session_info *sum);
/* Reports such a failure, for a caller that could not even make the record. */
void index_not_updated(const struct store *s, const char *id, const char *why);
/* Notes that the next tool must update the session's record. False if that fails, too. */
bool index_note_stale(const struct store *s, const char *id);

/* Takes a session off the list, unless it was created again. Its older records stay in the file until
 * index_purge(). */
int index_append_tombstone(const struct store *s, const char *id, int64_t now, struct err *e);
/* Removes every record of deleted sessions, at least of `ids`, from the file, which is written anew. */
int index_purge(const struct store *s, char *const *ids, size_t n, struct err *e);

#endif
