#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A file that loses its only name while it is open is none with a second one. */
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
		return err_set(e, ERR_DAMAGED, "refused, because it is no regular %s",
		               S_ISDIR(st->st_mode) ? "file" : "file or folder");
	case PLACE_OWNER:
		return err_set(e, ERR_DAMAGED, "refused, because it belongs to another user (%ld)",
		               (long)st->st_uid);
	case PLACE_WRITABLE:
		break;
	}
	return err_set(e, ERR_DAMAGED,
	               "refused, because others may write to it; 'mc-session-fsck --repair' or "
	               "'chmod go-w' changes that");
}

/* The trusted owner is asked for only where it matters: a folder that is not this
 * user's own may hold the files of its owner. */
static int check(int dir, int fd, bool folder, struct err *e)
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

void place_give(int fd, int dir)
{
	struct stat st;

	if (geteuid() != 0 || fstat(dir, &st) < 0 || st.st_uid == 0)
		return;
	if (fchown(fd, st.st_uid, st.st_gid) < 0)
		return; /* it is root's, then, and its next reader says so */
}

static int open_checked(int dir, const char *name, bool folder, int flags, struct err *e)
{
	/* O_NONBLOCK: not to wait for somebody at the other end of a FIFO. */
	int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0)
		return open_failed(dir, name, folder, errno, e);
	if (flags & O_CREAT)
		place_give(fd, dir);
	if (check(dir, fd, folder, e) == 0)
		return fd;
	close(fd);
	return -1;
}

int place_file(int dir, const char *name, int flags, struct err *e)
{
	return open_checked(dir, name, false, flags, e);
}

int place_folder(int dir, const char *name, struct err *e)
{
	return open_checked(dir, name, true, O_RDONLY | O_DIRECTORY, e);
}
