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

/* Opens file `name` of folder `dir`, close-on-exec; with O_CREAT its mode is 0600. */
int place_file(int dir, const char *name, int flags, struct err *e);
/* Opens folder `name` of folder `dir`. ERR_NOT_FOUND also when it is a plain file. */
int place_folder(int dir, const char *name, struct err *e);

/* What root makes in a folder of somebody else's is that one's. For files just made. */
void place_give(int fd, int dir);

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
