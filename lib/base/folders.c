#include "base/folders.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Some file systems refuse to create a folder before they look whether it exists. */
static int make_one(const char *path)
{
	struct stat st;
	int why;

	if (mkdir(path, 0700) == 0)
		return 1;
	why = errno;
	if (why == EEXIST || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return 0;
	errno = why;
	return -1;
}

int folders_make(const char *dir, int (*each)(char *path, struct err *e), size_t *made, struct err *e)
{
	char path[PATH_MAX];
	size_t n = strlen(dir), first = 0;
	int r = 0;

	if (made)
		*made = 0;
	if (n >= sizeof(path))
		return err_sys(e, ENAMETOOLONG, "cannot create '%s'", dir);
	memcpy(path, dir, n + 1);
	for (size_t i = 1; i <= n && r == 0; i++) {
		char c = path[i];
		int one;

		if (c != '/' && c != '\0')
			continue;
		path[i] = '\0';
		one = make_one(path);
		if (one < 0)
			r = err_sys(e, errno, "cannot create '%s'", path);
		else if (one > 0 && !first)
			first = i;
		if (r == 0 && each)
			r = each(path, e);
		path[i] = c;
	}
	if (made)
		*made = first;
	return r;
}
