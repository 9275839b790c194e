/*
 * Advisory locks with flock(2): such a lock belongs to the open file and not to the process, so it is not
 * lost when another descriptor is closed. A lock ends with its descriptor, so also when the process is
 * killed.
 *
 * While this process holds a lock, its output does not wait (io_hold()), so that a slow reader of the output
 * does not delay whoever wants the lock.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/idle.h"

struct lock_wait {
	bool no_wait; /* fail with ERR_BUSY if another process holds it */
	bool shared;  /* others may share it; only keeps writers away */
	int stop_fd;  /* becomes readable when the user wants to stop waiting; or -1 */
	struct idle *idle; /* or NULL */
	/* The variable that moves the file to another file system, for the message if this one has no
	 * locks; NULL: MC_SESSIONS_DIR. */
	const char *setting;
	/* Called once, when the wait has become noticeable. `holder` is not positive if unknown. */
	void (*waiting)(void *ctx, pid_t holder);
	void *ctx;
};

/* Takes the lock on `fd`, which excludes all others unless it is `shared`. ERR_BUSY, ERR_INTERRUPTED,
 * ERR_NO_LOCKS or ERR_FAILED. */
int lock_take(int fd, const struct lock_wait *w, struct err *e);

/* Opens file `name` of folder `dir`, as place_file() does, and takes its lock. If another process replaced
 * or deleted the file during the wait, the file that has the name now is opened. The errors are those of
 * place_file() and lock_take(). */
int lock_open(int dir, const char *name, int flags, const struct lock_wait *w, struct err *e);

/* Ends the lock. */
void lock_drop(int fd);
/* Closes a descriptor, and so ends the lock that it may hold. */
void lock_end(int fd);

/* The process that holds a lock on this file; 0: none; -1: unknown, as on systems without /proc/locks. */
pid_t lock_holder(int fd);

#endif
