#include "base/env.h"

#include <stdlib.h>
#include <string.h>

const char *env_or_empty(const char *name)
{
	const char *v = getenv(name);
	size_t n = v ? strlen(v) : 0, kept = n;
	char *copy;

	while (kept && v[kept - 1] == '\r')
		kept--;
	if (kept == n)
		return v;
	copy = strndup(v, kept);
	if (!copy)
		return v;
	if (setenv(name, copy, 1) == 0)
		v = getenv(name);
	explicit_bzero(copy, kept); /* it may be a key */
	free(copy);
	return v;
}

const char *env(const char *name)
{
	const char *v = env_or_empty(name);

	return v && *v ? v : NULL;
}
