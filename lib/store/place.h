/*
 * Opening what is in the sessions directory, as if strangers could write there.
 *
 * Refused are links (symbolic ones, and files with a second name), FIFOs, devices and
 * sockets, what belongs to somebody else, and what others may write. What is judged
 * is the descriptor, not the name, so that nothing can be exchanged in between.
 *
 * An error names no path: the caller puts that before it. One of the kind
 * ERR_NOT_FOUND says that there is nothing of that name.
 */
#ifndef STORE_PLACE_H
#define STORE_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

/*
 * Opens file `name` of folder `dir`, close-on-exec. With O_CREAT a missing one is made with
 * mode 0600, unless the file system keeps no modes: then nothing is made. If it cannot be opened, errno
 * tells why, too.
 */
int place_file(int dir, const char *name, int flags, struct err *e);
/* What place_file() does with a file that it makes, for a file that the caller has just made in `dir` and
 * has open as `fd`: gives it to the owner of `dir`, and fails if the file system keeps no modes. */
int place_check_new(int dir, int fd, struct err *e);
/* Opens folder `name` of folder `dir`. ERR_NOT_FOUND also when it is a plain file. */
int place_folder(int dir, const char *name, struct err *e);

/* Opens folder `name` of folder `dir`; a missing one is made with mode 0700, as place_file()
 * makes a file. */
int place_make_folder(int dir, const char *name, struct err *e);

/* Whether `name` in `dir` still leads to what is open as `fd`: 1 or 0. errno is then 0 if another file
 * has the name, and not 0 if nothing has. -1: that cannot be seen; errno tells why. */
int place_leads(int dir, const char *name, int fd);

/*
 * What root makes for another user belongs to that user: gives `fd` the owner of `like`, the
 * folder that it is in, or the file that it is a copy of. Only an empty file or
 * folder with one name is given away, so never something that was put there in its place.
 */
void place_give(int fd, int like);

/*
 * Gives `name` in `dir` the mode `want`, if it is still what `seen` describes. Links are not
 * followed, and nothing is changed that has a second name. When this returns 0 the mode was
 * seen to be right.
 */
int place_set_mode(int dir, const char *name, const struct stat *seen, mode_t want, struct err *e);
/* Fails where what was made with a private mode, and is open as `fd`, can be written by others. */
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
/* The sentence's end that says so. */
int place_refuse(enum place_fault fault, const struct stat *st, struct err *e);

#endif
