#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/names.h"

/* The advice for a file system that invents permissions. */
#define ELSEWHERE                                                                                  \
	"set MC_SESSIONS_DIR to a directory on another file system, or mount this one so that its "     \
	"files are private (umask=077)"

/* A file that has lost its only name while it is open has no second name. */
enum place_fault place_judge(const struct stat *st, bool folder, uid_t owner)
{
	if (S_ISLNK(st->st_mode))
		return PLACE_LINK;
	if (folder ? !S_ISDIR(st->st_mode) : !S_ISREG(st->st_mode))
		return PLACE_SPECIAL;
	if (st->st_uid != owner && st->st_uid != geteuid())
		return PLACE_OWNER;
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return PLACE_WRITABLE;
	return !folder && st->st_nlink > 1 ? PLACE_HARD_LINK : PLACE_FINE;
}

int place_refuse(enum place_fault fault, const struct stat *st, struct err *e)
{
	switch (fault) {
	case PLACE_FINE:
		return 0;
	case PLACE_LINK:
		return err_set(e, ERR_DAMAGED, "refused, because it is a symbolic link");
	case PLACE_HARD_LINK:
		return err_set(e, ERR_DAMAGED, "refused, because it has a second name (a hard link)");
	case PLACE_SPECIAL:
		return err_set(e, ERR_DAMAGED, "refused, because it is not a regular %s",
		               S_ISDIR(st->st_mode) ? "file" : "file or folder");
	case PLACE_OWNER:
		return err_set(e, ERR_DAMAGED, "refused, because it belongs to another user (%ld)",
		               (long)st->st_uid);
	case PLACE_WRITABLE:
		break;
	}
	/* No user gives a file this mode, but some file systems give it to every file. */
	if ((st->st_mode & 0777) == 0777)
		return err_set(e, ERR_DAMAGED,
		               "refused, because others may write to it: its mode is 0777; if "
		               "'mc-session-fsck --repair' or 'chmod go-w' cannot change that, the file "
		               "system does not store permissions: " ELSEWHERE);
	return err_set(e, ERR_DAMAGED,
	               "refused, because others may write to it; 'mc-session-fsck --repair' or "
	               "'chmod go-w' changes that");
}

/* A folder of another user may have files of that user. Its owner is looked up only if it matters. */
static int check_opened(int dir, int fd, bool folder, struct err *e)
{
	struct stat st, above;
	uid_t owner;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot examine it");
	owner = st.st_uid != geteuid() && fstat(dir, &above) == 0 ? above.st_uid : geteuid();
	return place_refuse(place_judge(&st, folder, owner), &st, e);
}

static int open_failed(int dir, const char *name, bool folder, int why, struct err *e)
{
	struct stat st;
	bool seen = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

	if (seen && S_ISLNK(st.st_mode))
		return place_refuse(PLACE_LINK, &st, e);
	if (why == ENOENT || (folder && why == ENOTDIR))
		return err_set(e, ERR_NOT_FOUND, "it is missing");
	if (seen && !folder && !S_ISREG(st.st_mode))
		return place_refuse(PLACE_SPECIAL, &st, e);
	return err_sys(e, why, "cannot open it");
}

static bool is_empty_folder(int dir)
{
	struct err ignored = ERR_INIT;
	struct names names;
	bool empty = names_read(&names, dir, &ignored) == 0 && names.n == 0;

	names_release(&names);
	return empty;
}

static bool is_fresh(int fd, const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return is_empty_folder(fd);
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && st->st_size == 0;
}

void place_give(int fd, int like)
{
	struct stat st, theirs;

	if (geteuid() != 0 || fstat(like, &theirs) < 0 || theirs.st_uid == 0)
		return;
	if (fstat(fd, &st) < 0 || st.st_uid != 0 || !is_fresh(fd, &st))
		return;
	if (fchown(fd, theirs.st_uid, theirs.st_gid) < 0)
		return; /* not reached: root may give a file away on a local disk */
}

int place_keeps_modes(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot examine it");
	return st.st_mode & (S_IWGRP | S_IWOTH) 
	           ? err_set(e, ERR_FAILED,
	                     "the file system does not store permissions, so others could write there; "
	                     ELSEWHERE)
	           : 0;
}

/* ---- opening ---- */

/* O_NONBLOCK: do not wait for the other end of a FIFO. */
static int open_here(int dir, const char *name, int flags)
{
	return openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
}

/* *made: this call created it, so nobody else uses it. */
static int open_or_make(int dir, const char *name, int flags, bool *made)
{
	for (;;) {
		int fd = -1;

		*made = false;
		if (!(flags & O_CREAT) || !(flags & O_EXCL))
			fd = open_here(dir, name, flags & ~O_CREAT);
		if (fd >= 0 || !(flags & O_CREAT) || (!(flags & O_EXCL) && errno != ENOENT))
			return fd;
		fd = open_here(dir, name, flags | O_EXCL);
		*made = fd >= 0;
		if (fd >= 0 || errno != EEXIST || (flags & O_EXCL))
			return fd;
	}
}

/* Returns the descriptor if the file may be used. */
static int judged(int dir, const char *name, int fd, bool folder, bool made, struct err *e)
{
	if (fd < 0) {
		int why = errno;

		open_failed(dir, name, folder, why, e);
		errno = why;
		return -1;
	}
	if (made && place_keeps_modes(fd, e) < 0) {
		unlinkat(dir, name, folder ? AT_REMOVEDIR : 0);
	} else {
		if (made)
			place_give(fd, dir);
		if (check_opened(dir, fd, folder, e) == 0)
			return fd;
	}
	close(fd);
	return -1;
}

int place_file(int dir, const char *name, int flags, struct err *e)
{
	bool made;
	int fd = open_or_make(dir, name, flags, &made);

	return judged(dir, name, fd, false, made, e);
}

int place_check_new(int dir, int fd, struct err *e)
{
	if (place_keeps_modes(fd, e) < 0)
		return -1;
	place_give(fd, dir);
	return check_opened(dir, fd, false, e);
}

int place_folder(int dir, const char *name, struct err *e)
{
	return judged(dir, name, open_here(dir, name, O_RDONLY | O_DIRECTORY), true, false, e);
}

int place_make_folder(int dir, const char *name, struct err *e)
{
	bool made = mkdirat(dir, name, 0700) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return err_sys(e, errno, "cannot create it");
	fd = judged(dir, name, open_here(dir, name, O_RDONLY | O_DIRECTORY), true, made, e);
	if (fd < 0 && e->kind == ERR_NOT_FOUND) {
		err_clear(e);
		err_set(e, ERR_FAILED, "it is not a folder");
	}
	return fd;
}

/* ---- modes ---- */

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_uid == b->st_uid &&
	       (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT);
}

/* Opens a file that its owner may not read. fchmod(2) does not take this descriptor; *by_path leads to the open
 * file even if another one has the name now. */
static int open_closed(int dir, const char *name, char by_path[64])
{
#ifdef O_PATH
	int fd = openat(dir, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);

	snprintf(by_path, 64, "/proc/self/fd/%d", fd);
	return fd;
#else
	(void)dir, (void)name, (void)by_path;
	errno = EACCES;
	return -1;
#endif
}

int place_set_mode(int dir, const char *name, const struct stat *seen, mode_t want, struct err *e)
{
	char by_path[64] = "";
	int fd = open_here(dir, name, O_RDONLY), r;
	struct stat st;

	if (fd < 0 && errno == EACCES)
		fd = open_closed(dir, name, by_path);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(e, errno, "cannot change it");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (!is_same(&st, seen) || (S_ISREG(st.st_mode) && st.st_nlink > 1))
		r = err_set(e, ERR_FAILED, "it was replaced just now");
	else if ((*by_path ? chmod(by_path, want) : fchmod(fd, want)) < 0 || fstat(fd, &st) < 0)
		r = err_sys(e, errno, "cannot change it");
	else
		r = (st.st_mode & 07777) == want
		            ? 0 : err_set(e, ERR_FAILED, "the file system does not store permissions");
	close(fd);
	return r;
}

int place_leads(int dir, const char *name, int fd)
{
	struct stat mine, named;

	if (fstat(fd, &mine) < 0)
		return -1;
	if (fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = 0;
		return named.st_dev == mine.st_dev && named.st_ino == mine.st_ino;
	}
	return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}
