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

/* ---- reading ---- */

/* The live records, newest first. Lines are taken in batches, so that the hash
 * table's cache misses overlap. */
#define INDEX_BATCH 128
struct index_reader {
	struct jsonl file;
	size_t at;          /* everything before this offset is still to be read */
	struct span prefix; /* only ids that begin so; set it before the first record */
	uint64_t *seen;     /* open hash table of the ids met so far */
	size_t cap, used;
	struct index_line {
		struct span line, id;
		uint64_t hash;
	} batch[INDEX_BATCH];
	size_t filled, next;
	bool oom;
};

/* Opens the index, and first makes it when it is missing. `all` says that most of
 * it will be read. */
int index_open(struct index_reader *r, const struct store *s, bool all, struct err *e);
/* The same for a file that is open already. */
int index_open_fd(struct index_reader *r, int fd, bool all, struct err *e);
/* The next live record, with its newline; its id is valid. False at the end, or when
 * r->oom. */
bool index_next(struct index_reader *r, struct span *line);
void index_close(struct index_reader *r);

/* A record's values as they stand in the JSON text. */
struct index_record {
	struct span id; /* this one without its quotes */
	int64_t created_at, updated_at, exchange_count;
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
	INDEX_ALL = (1 << 9) - 1,
};

/* Reads `line`, and of it no more than the `wanted` fields take. False when the
 * record is damaged as far as it was read, or one of them is missing. `line` comes from
 * index_next(). */
bool index_record(struct span line, unsigned wanted, struct index_record *r);

/* Opens the file. ERR_NOT_FOUND also when it is empty: it is to be made then, as when
 * a person deleted it, or in a new store. */
int index_open_file(const struct store *s, int flags, struct err *e);

/* What a whole line, with its newline, is. Sets the id of a record or a tombstone. */
enum index_kind { INDEX_BAD, INDEX_HEADER, INDEX_TOMBSTONE, INDEX_RECORD };
enum index_kind index_judge(struct span line, struct span *id);

/* Adds the live record of `id` in an open index, with its newline: 1; 0 when it has none. */
int index_find(int fd, const char *id, struct buf *line, struct err *e);

/* ---- writing ---- */

/* The writers' lock: a descriptor whose closing releases it. */
int index_lock(const struct store *s, struct err *e);

/* Makes the index from the histories, unless another process just did. Where that would
 * take long it fails, and the error says what to do. */
int index_make(const struct store *s, struct err *e);
/* Makes it in any case, however long that takes. The old one is moved to `place` (see
 * quarantine.h), which stays empty where there was none; its records of sessions that
 * cannot be read now are kept. */
int index_remake(const struct store *s, char *place, struct err *e);

/* A record, with its newline; or without its braces, for a line that has more. */
void index_add_record(struct buf *b, const char *id, const struct summary *s);
void index_add_record_members(struct buf *b, const char *id, const struct summary *s);

int index_append(const struct store *s, const char *id, const struct summary *sum, struct err *e);
/* The same for a session whose history is stored: the index is a cache, so that it
 * could not be brought up to date is told and is no failure. */
void index_update(const struct store *s, const char *id, const struct summary *sum);
int index_append_tombstone(const struct store *s, const char *id, int64_t now, struct err *e);

#endif
