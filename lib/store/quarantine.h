/*
 * .quarantine: where a repair puts what it must move out of the way. The tools never read it,
 * and delete in it only what belongs to a session that is deleted. A note, which is written first,
 * has what is needed to undo the move: the old place and mode. Its name is that of the moved file
 * and QUARANTINE_NOTE.
 *
 * `folder` is the session's id, or NULL for the sessions directory itself. `place`
 * becomes the path from the sessions directory on.
 */
#ifndef STORE_QUARANTINE_H
#define STORE_QUARANTINE_H

#include "store/store.h"

#define QUARANTINE_DIR ".quarantine"
#define QUARANTINE_PATH 256
#define QUARANTINE_NOTE ".json"

/* Moves `name`, whatever it is, out of `dir`. On the disk when this returns 0. */
int quarantine_move(const struct store *s, int dir, const char *folder, const char *name,
                    char place[QUARANTINE_PATH], struct err *e);

/* Creates a file for bytes of `name`, which is open as `from` and whose owner it gets; returns
 * a descriptor. It is kept by quarantine_sync(), which closes it. */
int quarantine_create(const struct store *s, const char *folder, const char *name, int from,
                      char place[QUARANTINE_PATH], struct err *e);
int quarantine_sync(const struct store *s, int fd, struct err *e);

#endif
