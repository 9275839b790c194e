/*
 * Opening what is in the sessions directory, as if strangers could write there.
 *
 * These functions refuse symbolic links, files with a second name, FIFOs, devices and sockets, and whatever
 * belongs to another user or can be written by others. They check the open descriptor, not the name, so that
 * nothing can be exchanged in between.
 *
 * An error does not name the path: the caller adds it. ERR_NOT_FOUND: the name does not exist.
 */
#ifndef STORE_PLACE_H
#define STORE_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

/* Opens file `name` of folder `dir`, close-on-exec. With O_CREAT a missing file is created with mode 0600; this
 * fails, and creates nothing, if the file system does not keep modes. After a failed open(2), errno is set,
 * too. */
int place_file(int dir, const char *name, int flags, struct err *e);
/* Does for a file that the caller has just created in `dir` what place_file() does for its own: gives it to the
 * owner of `dir`, and fails if the file system does not keep modes. */
int place_check_new(int dir, int fd, struct err *e);
/* Opens folder `name` of folder `dir`. ERR_NOT_FOUND also if it is a plain file. */
int place_folder(int dir, const char *name, struct err *e);

/* Opens folder `name` of folder `dir`, and creates a missing one with mode 0700, as place_file() creates a
 * file. */
int place_make_folder(int dir, const char *name, struct err *e);

/* Whether `name` in `dir` still leads to the open file `fd`: 1 or 0. With 0, errno is 0 if another file has the
 * name, and not 0 if the name does not exist. -1: this cannot be seen; errno says why. */
int place_leads(int dir, const char *name, int fd);

/* What root creates for another user must belong to that user: gives `fd` the owner of `like`, which is its
 * folder, or the file that it is a copy of. Only an empty file or folder with one name is given away, so
 * never something that another user put in its place. */
void place_give(int fd, int like);

/* Gives `name` in `dir` the mode `want`, if it is still the file that `seen` describes. Does not follow links, and
 * does not change a file with a second name. When this returns 0, the new mode has been read back. */
int place_set_mode(int dir, const char *name, const struct stat *seen, mode_t want, struct err *e);
/* Fails if others can write the open file, which was created with a private mode. */
int place_keeps_modes(int fd, struct err *e);

enum place_fault {
	PLACE_FINE,
	PLACE_LINK,
	PLACE_HARD_LINK,
	PLACE_SPECIAL,
	PLACE_OWNER,
	PLACE_WRITABLE,
};
/* What is wrong with a file or folder, whose folder belongs to `owner`. */
enum place_fault place_judge(const struct stat *st, bool folder, uid_t owner);
/* Sets the error to the end of a sentence that says so. Returns -1, or 0 if it is fine. */
int place_refuse(enum place_fault fault, const struct stat *st, struct err *e);

#endif
