/*
 * ID/artifacts/: the files that are attached to a session's exchanges. Each is named by the SHA-256 of its
 * content, so that the same content is stored once.
 *
 * A file is stored whole, under the session's lock, and is on the disk before a record refers to it. What is
 * read is compared with its name. `dir` is the session's folder.
 */
#ifndef STORE_ARTIFACT_H
#define STORE_ARTIFACT_H

#include "base/buf.h"
#include "base/sha256.h"

#define ARTIFACTS_DIR "artifacts"
#define ARTIFACT_TEMP ".new" /* the file that is being written */
#define ARTIFACT_MAX (64u << 20) /* bytes */

/* Stores `bytes` as `name`, which is their sha256_hex(). A file with this name and content is left alone; any
 * other of this name is replaced. */
int artifact_put(int dir, const char *name, struct span bytes, struct err *e);

/* Adds the bytes of the file to `b`. The error does not name the file: the caller adds that. ERR_NOT_FOUND: it
 * is missing. ERR_DAMAGED: it must not be used. Any other kind: it cannot be read now. */
int artifact_get(int dir, const char *name, struct buf *b, struct err *e);

/* The same, but `folder` is artifacts/ itself, and the bytes are only compared. */
int artifact_check(int folder, const char *name, struct err *e);

#endif
