/*
 * ID/artifacts/: what is attached to a session's exchanges, each file named by the SHA-256 of
 * its content, so that the same thing is stored once however often it is attached.
 *
 * A file is put there whole, under the session's lock, and on the disk before anything refers
 * to it; and what is read is compared with its name. `dir` is the session's folder.
 */
#ifndef STORE_ARTIFACT_H
#define STORE_ARTIFACT_H

#include "base/buf.h"
#include "base/sha256.h"

#define ARTIFACTS_DIR "artifacts"
#define ARTIFACT_TEMP ".new" /* the one that is being written */
#define ARTIFACT_MAX (64u << 20) /* bytes */

/*
 * Stores `bytes` as `name`, which is their sha256_hex(). One that is there and is just that
 * is left alone; anything else of that name gives way.
 */
int artifact_put(int dir, const char *name, struct span bytes, struct err *e);

/*
 * Adds its bytes to `b`. The error names nothing, the caller puts that before it:
 * ERR_NOT_FOUND, it is missing; ERR_DAMAGED, it is there and not to be used, for good;
 * another kind, it cannot be read now.
 */
int artifact_get(int dir, const char *name, struct buf *b, struct err *e);

/* The same of the folder `artifacts` itself, and without keeping the bytes. */
int artifact_check(int folder, const char *name, struct err *e);

#endif
