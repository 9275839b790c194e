/*
 * removed.jsonl: which sessions were removed, and when. It is not a cache: a session that it names
 * does not come back with a copy of the store from elsewhere. See mc-session(5).
 *
 *	removed_note(&r, store, id, created_at, &e)   before anything is deleted
 *	removed_keep(&r)                              it is; or
 *	removed_take_back(&r)                         it could not be
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
	off_t before; /* its size before that; -1: nothing was written */
	bool full;    /* it failed because there was no room */
};
#define REMOVAL_NONE { -1, -1, false }

/* `created_at` of the session in ms; -1 when that cannot be told. On the disk when this returns 0. */
int removed_note(struct removal *r, const struct store *s, const char *id, int64_t created_at,
                 struct err *e);
void removed_keep(struct removal *r);
void removed_take_back(struct removal *r);

/* 0 if a line is valid. ERR_DAMAGED tells what is wrong with it. */
int removed_judge(struct span line, struct err *e);
/* The latest createdAt of the sessions of this id that were removed; -1 when there is none, or the
 * file cannot be read. */
int64_t removed_latest(const struct store *s, const char *id);

#endif
