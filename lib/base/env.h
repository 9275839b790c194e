/* The environment. An empty variable counts as unset, as in the XDG specification. */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <stddef.h>
#include <stdlib.h>

/* NULL: it is not set. The string is the environment's. */
static inline const char *env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

#endif
