/*
 * Replacing a file by a new one. The new file is written under a temporary name in the same folder
 * and then renamed: whoever opens the name gets all of the old file or all of the new one, and a
 * crash at any moment leaves one of them.
 *
 *	struct replace r = REPLACE_INIT(dir, "list", ".list.new");
 *
 *	if (replace_begin(&r) == 0 && io_write(r.fd, p, n) == 0 && replace_commit(&r, REPLACE_SYNC) == 0)
 *		return 0;
 *	err_sys(e, errno, "cannot write 'list'");
 *	replace_abandon(&r);
 *	return -1;
 *
 * Between begin and commit the caller may do more with r.fd: give it another owner or mode, lock it,
 * or call io_sync() if the file must be on the disk before something else happens.
 *
 * One process at a time may use a temporary name. Callers hold a lock, or put the process id into
 * the name. The names belong to the caller and must outlive the struct, which owns only `fd`.
 *
 * The functions return 0, or -1 with errno set.
 */
#ifndef BASE_REPLACE_H
#define BASE_REPLACE_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/types.h>

struct replace {
	int dir;             /* the folder of both names; AT_FDCWD: they are paths */
	const char *name;
	const char *temp;
	int flags;           /* O_RDWR or O_WRONLY, and O_APPEND */
	mode_t mode;         /* of the new file, before the umask */
	bool keep_leftover;  /* a file that has the temporary name already stays, and begin fails */
	int fd;              /* of the new file; -1: not open */
	bool made;           /* private: there is a temporary file */
};

#define REPLACE_INIT(dir, name, temp) { dir, name, temp, O_WRONLY, 0600, false, -1, false }

/* Creates the temporary file. One that a crash left is removed first, unless `keep_leftover` is
 * set: errno is then EEXIST. A link is never followed. */
int replace_begin(struct replace *r);

enum {
	REPLACE_SYNC = 1,        /* force the file to the disk before it gets the name */
	REPLACE_SYNC_FOLDER = 2, /* and the folder afterwards: the new file also survives a power cut */
	REPLACE_NEW = 4,         /* the name must be free: errno is EEXIST if it is not */
	REPLACE_KEEP_FD = 8,     /* `fd` stays open and becomes the caller's */
};

/* Closes the file and gives it the name. If the folder cannot be synced, this fails although the
 * new file has the name. A link of that name is replaced, not followed. */
int replace_commit(struct replace *r, unsigned how);

/* Closes what is open and removes the temporary file, if there is one. May be called after any
 * failure, also that of begin or commit. errno stays. */
void replace_abandon(struct replace *r);

#endif
