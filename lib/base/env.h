/* The environment. An empty variable counts as unset, as in the XDG specification. */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "base/buf.h"

/*
 * NULL: it is not set, or empty. The string is the environment's, until the variable is set again.
 *
 * A carriage return at the end of a value comes from an .env file with Windows line ends. It is
 * removed, in the environment too, so that programs that are run get the same value.
 */
const char *env(const char *name);
/* The same, but an empty variable is "". */
const char *env_or_empty(const char *name);
/* The home directory; NULL if HOME is not set, or not absolute. */
const char *env_home(void);
/* Adds a path of the user's: "~/x" is in the home directory. */
void env_expand(struct buf *b, const char *path);

#endif
