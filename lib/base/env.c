#include "base/env.h"

#include <stdlib.h>
#include <string.h>

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

/* A relative one would be another directory in each working directory. */
const char *env_home(void)
{
	const char *home = env("HOME");

	return home && home[0] == '/' ? home : NULL;
}

void env_expand(struct buf *b, const char *path)
{
	const char *home = env_home();

	if (strncmp(path, "~/", 2) == 0 && home)
		buf_addf(b, "%s%s", home, path + 1);
	else
		buf_adds(b, path);
}
