/*
 * Names of temporary folders in the sessions directory, which a crash may leave there:
 *
 *	.new-ID-RANDOM          a session that is being created
 *	.removed-ID-PID-TIME    a session that is being deleted
 *
 * store.h says how a process knows whether they are in use.
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

/* Which kind of folder has this name. For a session that is being created, the beginning is enough. */
enum leftover { LEFTOVER_NONE, LEFTOVER_NEW, LEFTOVER_REMOVED };
enum leftover leftover_kind(const char *name);
/* The same, but LEFTOVER_NONE unless the name is exactly one of session `id`. */
enum leftover leftover_of(const char *name, const char *id);

#endif
