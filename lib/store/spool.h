/*
 * turn.partial: the turn that is running, on the disk while it runs.
 *
 * Its first line is the exchange's head (id, parent, replaces, n, timestamp, query, model,
 * attachments). The bytes of the reply follow as they came. `n` is the number of this reply in the
 * turn, from 0. The file belongs to whoever holds the session's lock; if another holder finds one, a crash
 * left it.
 */
#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include "store/record.h"

#define SPOOL_FILE "turn.partial"
#define SPOOL_DAMAGED "turn.damaged-" /* and the time in ms: one that cannot be read, set aside */
#define SPOOL_TEMP ".turn.tmp" /* the one that replaces it, until it does */

/* Creates the file in folder `dir` with what `x` says of the prompt, and returns a descriptor, or -1.
 * `step` is the number of the reply in the turn. For reply 0 the file and then its name are synced, so that the
 * prompt survives a power cut; the names above it are session_spool()'s affair. For a later reply the file
 * replaces that of the reply before, whose step is stored. */
int spool_begin(int dir, const struct exchange *x, int64_t step, struct err *e);
int spool_add(int fd, struct span piece, struct err *e);
/* The exchange is in the history: the spool is no longer needed. */
void spool_remove(int dir);

/*
 * Reads what a crash left. 1: *x is an interrupted exchange, whose spans stay good
 * until spool_release(). 0: there is nothing. -1: it cannot be read, and if the kind is
 * ERR_DAMAGED never can.
 */
struct spool {
	struct buf bytes, answer;
	struct json_object *head;
	int64_t step; /* the number of the reply whose text it holds */
};
int spool_read(struct spool *sp, int dir, struct exchange *x, struct err *e);
/* Its first line alone, as that of a turn which may still be running: *x has no answer. */
int spool_head(struct spool *sp, struct span line, struct exchange *x, struct err *e);
void spool_release(struct spool *sp);

#endif
