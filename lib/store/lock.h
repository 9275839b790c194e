/*
 * Advisory locks: flock(2), because such a lock belongs to the open file and not
 * to the process, and so is not lost when some other descriptor is closed. A lock
 * ends with its descriptor, so also with a process that is killed.
 *
 * While this process holds a lock, its output does not wait (io_hold()): nobody who wants the
 * lock depends on who reads the output.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/idle.h"

struct lock_wait {
	bool no_wait; /* fail with ERR_BUSY when somebody holds it */
	bool shared;  /* only to keep writers away: others may share it */
	int stop_fd;  /* becomes readable when the user wants to stop waiting; or -1 */
	struct idle *idle; /* or NULL */
	/* The variable that moves the file to another file system, for the message where this one
	 * has no locks; NULL: MC_SESSIONS_DIR. */
	const char *setting;
	/* Called once when the wait has become noticeable. `holder` is not positive when unknown. */
	void (*waiting)(void *ctx, pid_t holder);
	void *ctx;
};

/* Takes the lock on `fd`, which excludes all others, if not `shared`. ERR_BUSY, ERR_INTERRUPTED,
 * ERR_NO_LOCKS or ERR_FAILED. */
int lock_take(int fd, const struct lock_wait *w, struct err *e);

/*
 * Opens file `name` of folder `dir`, as place_file() does, and takes its lock. While this process
 * waited, another one may have replaced or deleted the file: then the one that has the name now is
 * opened. The errors are those of place_file() and lock_take().
 */
int lock_open(int dir, const char *name, int flags, const struct lock_wait *w, struct err *e);

/* Ends the lock. */
void lock_drop(int fd);
/* Closes a descriptor, and so ends the lock that it may hold. */
void lock_end(int fd);

/* The process that holds a lock on this file; 0 when nobody does; -1 when that cannot
 * be told, as on systems without /proc/locks. */
pid_t lock_holder(int fd);

#endif
