/*
 * Names of folders that are in the sessions directory for a moment, and that a crash leaves there:
 *
 *	.new-ID-RANDOM          a session that is being created
 *	.removed-ID-PID-TIME    a session that is being deleted
 *
 * Whose they are, while they are in use, is in store.h.
 */
#ifndef STORE_LEFTOVER_H
#define STORE_LEFTOVER_H

#include <stdint.h>
#include <sys/types.h>

#include "store/id.h"

#define LEFTOVER_SIZE (ID_SIZE + 64)

/* `random` is from id_generate(). */
void leftover_name_new(char name[LEFTOVER_SIZE], const char *id, const char *random);
void leftover_name_removed(char name[LEFTOVER_SIZE], const char *id, pid_t pid, int64_t time);

/* What has such a name. Of a folder that is being created, the beginning is enough. */
enum leftover { LEFTOVER_NONE, LEFTOVER_NEW, LEFTOVER_REMOVED };
enum leftover leftover_kind(const char *name);
/* The same, but LEFTOVER_NONE for a name that is not exactly one of session `id`. */
enum leftover leftover_of(const char *name, const char *id);

#endif
