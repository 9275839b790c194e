/* Names for sessions and exchanges. */
#ifndef STORE_ID_H
#define STORE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ID_MAX 64
#define ID_SIZE (ID_MAX + 1)
#define UUID_SIZE 37

/* [A-Za-z0-9][A-Za-z0-9._-]{0,63}, and not one of the store's own file names. */
bool id_valid(const char *id, size_t n);
/* Fails with ERR_USAGE, which says what an id looks like. */
int id_check(const char *id, struct err *e);

/* Eight characters of a-z0-9 from the system's random source, each equally likely. */
int id_generate(char out[ID_SIZE], struct err *e);

/* A UUIDv7 (RFC 9562) for the time `ms`, in its text form. */
int uuid7_generate(char out[UUID_SIZE], int64_t ms, struct err *e);

#endif
