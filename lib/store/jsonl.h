/*
 * JSON Lines files: read by mapping, from either end; written by appending.
 *
 * A reader sees only whole lines: after the last newline there may be a record that is being written, or that
 * a crash tore. These files only grow (a compaction makes a new one), so a mapping stays valid.
 *
 *	struct jsonl j;
 *	size_t at = 0;
 *	if (jsonl_map(&j, fd, e) < 0) …
 *	while (jsonl_next(&j, &at, &line)) …	— or at = j.n; jsonl_prev(…)
 *	jsonl_unmap(&j);
 */
#ifndef STORE_JSONL_H
#define STORE_JSONL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

struct jsonl {
	const char *p;
	size_t n;      /* bytes up to the last newline, and with it */
	size_t mapped; /* bytes of the whole file */
};

int jsonl_map(struct jsonl *j, int fd, struct err *e);
void jsonl_unmap(struct jsonl *j);

/* The line at offset *at, without its newline; moves *at to the next line. */
bool jsonl_next(const struct jsonl *j, size_t *at, struct span *line);
/* The line that ends before offset *at; moves *at to its beginning. */
bool jsonl_prev(const struct jsonl *j, size_t *at, struct span *line);
/* The number, from 1, of the line at `offset`. Reads everything before it. */
size_t jsonl_line_number(const struct jsonl *j, size_t offset);
/* The same for many lines: reads only from the line before to this one. */
struct jsonl_count {
	size_t at, line;
};
#define JSONL_COUNT_INIT { 0, 1 }
size_t jsonl_count(const struct jsonl *j, struct jsonl_count *c, size_t offset);

/*
 * Appends `record` (which ends with a newline) to `fd`, opened O_RDWR|O_APPEND by a caller who holds the file's
 * lock. A torn tail first gets a newline of its own (jsonl_heal() does only that), so that it damages nothing
 * else, and counts if it lacked only the newline. With `sync`, the record is on the disk when this returns 0.
 * After an error the record does not count as stored, and to repeat the call does not help: what a failed
 * fdatasync(2) dropped is lost.
 */
int jsonl_heal(int fd, struct err *e);
int jsonl_append(int fd, struct span record, bool sync, struct err *e);
/* The same for a record with gaps, sorted by their places. It is written in pieces. */
int jsonl_append_gaps(int fd, struct span record, const struct json_gap *gaps, size_t n, bool sync,
                      struct err *e);

#endif
