/*
 * removed.jsonl: which sessions were removed, and when. It is not a cache: a session that it names does not
 * return with a copy of the store from another machine. See mc-session(5).
 *
 *	removed_note(&r, store, id, created_at, &e)   before anything is deleted
 *	removed_keep(&r)                              the session is deleted; or
 *	removed_take_back(&r)                         it could not be deleted
 */
#ifndef STORE_REMOVED_H
#define STORE_REMOVED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "store/store.h"

#define REMOVED_FILE "removed.jsonl"
#define REMOVED_TEMP ".removed.tmp" /* the new file, while a repair writes it */

struct removal {
	int fd;       /* of the file, locked; -1: nothing was noted */
	off_t before; /* the file's old size; -1: nothing was written */
	bool full;    /* it failed because the disk is full */
};
#define REMOVAL_NONE { -1, -1, false }

/* `created_at` of the session is in ms, or -1 if unknown. When this returns 0, the note is on the disk. */
int removed_note(struct removal *r, const struct store *s, const char *id, int64_t created_at,
                 struct err *e);
void removed_keep(struct removal *r);
void removed_take_back(struct removal *r);

/* 0 if a line is valid. ERR_DAMAGED says what is wrong with it. */
int removed_judge(struct span line, struct err *e);
/* The latest createdAt of the removed sessions with this id; -1 if none was removed, or the file cannot be
 * read. */
int64_t removed_latest(const struct store *s, const char *id);

#endif
