#include "base/replace.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"

int replace_begin(struct replace *r)
{
	if (!r->keep_leftover)
		unlinkat(r->dir, r->temp, 0);
	r->fd = openat(r->dir, r->temp, r->flags | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, r->mode);
	r->made = r->fd >= 0;
	return r->made ? 0 : -1;
}

/* Linux closes the descriptor also when a signal interrupts the call. */
static int close_file(struct replace *r)
{
	int result = close(r->fd);

	r->fd = -1;
	return result < 0 && errno != EINTR ? -1 : 0;
}

/* A file system without hard links, such as FAT, leaves a moment in which another process can take
 * the name. */
static int take_free_name(const struct replace *r)
{
	if (linkat(r->dir, r->temp, r->dir, r->name, 0) == 0)
		return unlinkat(r->dir, r->temp, 0);
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	if (faccessat(r->dir, r->name, F_OK, 0) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(r->dir, r->temp, r->dir, r->name);
}

int replace_commit(struct replace *r, unsigned how)
{
	int named;

	if ((how & REPLACE_SYNC) && io_sync(r->fd) < 0)
		return -1;
	if (!(how & REPLACE_KEEP_FD) && close_file(r) < 0)
		return -1;
	named = how & REPLACE_NEW ? take_free_name(r) : renameat(r->dir, r->temp, r->dir, r->name);
	if (named < 0)
		return -1;
	r->made = false;
	return how & REPLACE_SYNC_FOLDER ? io_sync_folder(r->dir) : 0;
}

void replace_abandon(struct replace *r)
{
	int why = errno;

	if (r->fd >= 0)
		close(r->fd);
	if (r->made)
		unlinkat(r->dir, r->temp, 0);
	r->fd = -1;
	r->made = false;
	errno = why;
}
