#include "base/save.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

#define NAMES 100 /* that are tried for the file beside it */

/* Beside `path`, so that a rename can do. */
static int open_new(const char *path, struct buf *name, mode_t mode)
{
	const char *slash = strrchr(path, '/');
	int fd = -1;

	for (int i = 0; i < NAMES && fd < 0; i++) {
		buf_clear(name);
		buf_addf(name, "%.*s.mcbox-%ld-%d", slash ? (int)(slash - path) + 1 : 0, path, (long)getpid(), i);
		if (name->oom) {
			errno = ENOMEM;
			return -1;
		}
		fd = open(name->p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd < 0 && errno != EEXIST)
			return -1;
	}
	return fd;
}

static int write_all(int fd, struct span bytes)
{
	int r = io_write(fd, bytes.p, bytes.n), why;

	if (r == 0)
		r = io_sync(fd);
	why = errno;
	if (close(fd) < 0 && r == 0) {
		why = errno;
		r = -1;
	}
	errno = why;
	return r;
}

/* Where there are no second names, as on FAT, there is a moment in which another could come. */
static int give_name(const char *from, const char *to, bool replace)
{
	if (!replace && link(from, to) == 0)
		return unlink(from);
	if (!replace && errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	if (!replace && access(to, F_OK) == 0) {
		errno = EEXIST;
		return -1;
	}
	return rename(from, to);
}

static int save(const char *path, struct span bytes, bool replace, const mode_t *mode, struct err *e)
{
	struct buf name = BUF_INIT;
	int fd = open_new(path, &name, mode ? 0600 : 0666), r = -1;

	if (fd >= 0 && (!mode || fchmod(fd, *mode & 0777) == 0))
		r = write_all(fd, bytes);
	else if (fd >= 0)
		close(fd);
	if (r == 0)
		r = give_name(name.p, path, replace);
	if (r < 0) {
		int why = errno;

		if (fd >= 0)
			unlink(name.p);
		err_sys(e, why, "cannot save '%s'", path);
		e->kind = why == EEXIST ? ERR_EXISTS : ERR_FAILED;
	}
	buf_release(&name);
	return r;
}

/* A file that is there is replaced where it is, and not the link that leads to it. */
static int replace_file(const char *path, struct span bytes, const struct stat *st, struct err *e)
{
	char *real = realpath(path, NULL);
	int r;

	if (!real)
		return err_sys(e, errno, "cannot save '%s'", path);
	r = save(real, bytes, true, &st->st_mode, e);
	free(real);
	return r;
}

int save_file(const char *path, struct span bytes, bool replace, struct err *e)
{
	struct stat st;

	if (!*path)
		return err_set(e, ERR_USAGE, "the file's name is empty");
	if (stat(path, &st) < 0)
		return save(path, bytes, false, NULL, e);
	if (S_ISDIR(st.st_mode))
		return err_set(e, ERR_FAILED, "cannot save '%s': it is a folder", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED, "cannot save '%s': it is no regular file", path);
	if (!replace)
		return err_set(e, ERR_EXISTS, "cannot save '%s': it is there already", path);
	return replace_file(path, bytes, &st, e);
}
