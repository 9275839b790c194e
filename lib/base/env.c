#include "base/env.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

const char *env_or_empty(const char *name)
{
	const char *v = getenv(name);
	struct span all = span_str(v ? v : "");
	size_t kept = span_trim_end(all, "\r").n;
	char *copy;

	if (kept == all.n)
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
