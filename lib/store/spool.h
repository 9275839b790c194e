/*
 * turn.partial: the running turn.
 *
 * Its first line is the exchange's head (id, parent, replaces, n, timestamp, query, model, attachments). The
 * bytes of the reply follow as they arrive. `n` is the number of this reply in the turn, from 0. The file
 * belongs to the process that holds the session's lock; if another holder finds one, a crash left it.
 */
#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include "store/record.h"

#define SPOOL_FILE "turn.partial"
#define SPOOL_DAMAGED "turn.damaged-" /* and the time in ms: a spool that could not be read */
#define SPOOL_TEMP ".turn.tmp" /* the next one, until it replaces turn.partial */

/* Creates the file in folder `dir` with the head of `x`, and returns a descriptor, or -1.
 * `step` is the number of the reply in the turn. For reply 0 the file and then its name are synced, so that the
 * prompt survives a loss of power; session_spool() syncs the names above. For a later reply the file
 * replaces the one of the reply before, whose step is stored. */
int spool_begin(int dir, const struct exchange *x, int64_t step, struct err *e);
int spool_add(int fd, struct span piece, struct err *e);
/* Deletes the file, once the exchange is in the history. */
void spool_remove(int dir);

/* Reads what a crash left. 1: *x is an interrupted exchange, whose spans are valid until spool_release().
 * 0: there is no file. -1: it cannot be read; if the kind is ERR_DAMAGED, it never can. */
struct spool {
	struct buf bytes, answer;
	struct json_object *head;
	int64_t step; /* the number of the reply in the file */
};
int spool_read(struct spool *sp, int dir, struct exchange *x, struct err *e);
/* Reads only its first line, of a turn that may still run: *x has no answer. */
int spool_head(struct spool *sp, struct span line, struct exchange *x, struct err *e);
void spool_release(struct spool *sp);

#endif
