#include "base/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add(struct names *names, size_t *cap, const char *name, struct err *e)
{
	char **v = array_room(names->v, names->n, cap, sizeof(*v), e);

	if (!v)
		return -1;
	names->v = v;
	v[names->n] = strdup(name);
	return v[names->n] ? (names->n++, 0) : err_oom(e);
}

int names_read(struct names *names, int fd, struct err *e)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *f;
	size_t cap = 0;
	int r = 0;

	*names = (struct names){ NULL, 0 };
	if (!d) {
		err_sys(e, errno, "cannot list it");
		if (own >= 0)
			close(own);
		return -1;
	}
	while (r == 0 && (errno = 0, f = readdir(d)) != NULL)
		if (strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0)
			r = add(names, &cap, f->d_name, e);
	if (r == 0 && errno)
		r = err_sys(e, errno, "cannot list it");
	closedir(d);
	if (r < 0)
		names_release(names);
	else if (names->n)
		qsort(names->v, names->n, sizeof(*names->v), by_bytes);
	return r;
}

bool names_has(const struct names *names, const char *name)
{
	return names->n && bsearch(&name, names->v, names->n, sizeof(*names->v), by_bytes);
}

void names_release(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
	*names = (struct names){ NULL, 0 };
}
