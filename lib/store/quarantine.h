/*
 * .quarantine: where a repair moves what is in its way. The tools never read these files, and delete
 * only those that belong to a session that is removed. A note, which is written first, has what is needed
 * to undo the move: the old path and mode. Its name is the name of the moved file with QUARANTINE_NOTE.
 *
 * `folder` is the session's id, or NULL for the sessions directory itself. `place` becomes the path
 * relative to the sessions directory.
 */
#ifndef STORE_QUARANTINE_H
#define STORE_QUARANTINE_H

#include "store/store.h"

#define QUARANTINE_DIR ".quarantine"
#define QUARANTINE_PATH 256
#define QUARANTINE_NOTE ".json"

/* Moves `name`, whatever it is, out of `dir`. When this returns 0, the move is on the disk. */
int quarantine_move(const struct store *s, int dir, const char *folder, const char *name,
                    char place[QUARANTINE_PATH], struct err *e);

/* Creates a file for bytes of `name`, which is open as `from` and whose owner it gets. Returns a descriptor,
 * which quarantine_sync() syncs and closes. */
int quarantine_create(const struct store *s, const char *folder, const char *name, int from,
                      char place[QUARANTINE_PATH], struct err *e);
int quarantine_sync(const struct store *s, int fd, struct err *e);

#endif
