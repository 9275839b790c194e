/* The names in a directory, without "." and "..", sorted by their bytes. */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct names {
	char **v; /* owned, as is each of them */
	size_t n;
};

/* Reads the directory that `fd` is, which stays open. */
int names_read(struct names *names, int fd, struct err *e);
bool names_has(const struct names *names, const char *name);
void names_release(struct names *names);

#endif
