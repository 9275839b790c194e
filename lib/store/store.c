#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folders.h"
#include "base/io.h"
#include "store/place.h"

/* Syncs the names in it. A folder that this process may not read was not made by it. */
static int sync_folder(int dir, const char *path, struct err *e)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return errno == EACCES ? 0 : err_sys(e, errno, "cannot open '%s'", path);
	r = io_sync_folder(fd);
	if (r < 0)
		err_sys(e, errno, "cannot be sure that '%s' is on the disk", path);
	close(fd);
	return r;
}

int store_sync_name(const struct store *s, struct err *e)
{
	return sync_folder(s->fd, "..", e);
}

/* An existing folder, too: the process that made it may have been killed before this. */
static int sync_above(char *path, struct err *e)
{
	char *slash = strrchr(path, '/');
	int r;

	if (!slash || slash == path)
		return sync_folder(AT_FDCWD, slash ? "/" : ".", e);
	*slash = '\0';
	r = sync_folder(AT_FDCWD, path, e);
	*slash = '/';
	return r;
}

/* Removes what folders_make() made, from the end of the path on. */
static void remove_dirs(const char *dir, size_t made)
{
	char path[PATH_MAX];
	size_t n = strlen(dir);

	memcpy(path, dir, n);
	while (made && n >= made) {
		while (n > 1 && path[n - 1] == '/')
			n--;
		path[n] = '\0';
		if (rmdir(path) < 0)
			return;
		while (n && path[n - 1] != '/')
			n--;
	}
}

static int open_error(const char *dir, struct err *e)
{
	int why = errno;
	struct stat st;

	if (why == ENOENT && lstat(dir, &st) == 0 && S_ISLNK(st.st_mode))
		return err_set(e, ERR_FAILED, "sessions directory '%s' is a link to nothing", dir);
	if (why == ENOTDIR)
		return err_set(e, ERR_FAILED,
		               "sessions directory '%s' is not a directory; choose another with "
		               "MC_SESSIONS_DIR", dir);
	return err_sys(e, why, "cannot open sessions directory '%s'", dir);
}

static int open_dir(const char *dir)
{
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void store_close(struct store *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

int store_open(struct store *s, const char *dir, bool create, struct err *e)
{
	struct stat st;
	size_t made;

	s->dir = dir;
	s->fd = open_dir(dir);
	if (s->fd < 0 && errno == ENOENT && (lstat(dir, &st) < 0 && errno == ENOENT)) {
		if (!create)
			return 0;
		if (folders_make(dir, sync_above, &made, e) < 0)
			return -1;
		s->fd = open_dir(dir);
		if (s->fd >= 0 && made && place_keeps_modes(s->fd, e) < 0) {
			store_close(s);
			remove_dirs(dir, made);
			return err_prefix(e, "cannot keep sessions in '%s'", dir);
		}
	} else if (s->fd < 0 && errno == ENOENT) { /* another process has just made it; or a link */
		s->fd = open_dir(dir);
	}
	return s->fd < 0 ? open_error(dir, e) : 0;
}

int store_file_failed(const struct store *s, const char *name, struct err *e)
{
	struct stat st;

	if (e->kind == ERR_DAMAGED && fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (!S_ISREG(st.st_mode) || st.st_nlink > 1))
		err_suffix(e, "; run 'mc-session-fsck --repair'");
	return err_prefix(e, "'%s/%s'", s->dir, name);
}

void store_share(const struct store *s)
{
	while (flock(s->fd, LOCK_SH) < 0 && errno == EINTR)
		;
	io_hold();
}

bool store_alone(const struct store *s)
{
	int r;

	do
		r = flock(s->fd, LOCK_EX | LOCK_NB);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		io_hold();
	return r == 0;
}

void store_unshare(const struct store *s)
{
	flock(s->fd, LOCK_UN);
	io_let_go();
}

void store_notice(const struct store *s, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!s->notice)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->notice(text);
}
