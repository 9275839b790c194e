/*
 * System calls with their short counts and EINTR dealt with. They return 0 (or a count), or -1
 * with errno set.
 *
 * A descriptor may be O_NONBLOCK because another process that shares it wants it so (node, ssh).
 * The flag is that process's too, so it stays; these functions wait with poll(2) instead.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"

/* As read(2), but it waits for input. */
ssize_t io_read(int fd, void *p, size_t n);
int io_write(int fd, const void *p, size_t n);
/* Writes all of `n` buffers; alters the array. */
int io_writev(int fd, struct iovec *v, int n);
/* As io_write(), also while output is held; safe in a signal handler. */
int io_write_now(int fd, const void *p, size_t n);
/* Opens what a descriptor leads to anew, so that its flags are nobody else's. Not every system or
 * descriptor allows that. */
int io_open_again(int fd, int flags);
/* fsync(2) and fdatasync(2). Only a call that a signal broke off is made again: what another
 * failure dropped stays dropped. */
int io_sync(int fd);
int io_datasync(int fd);
/* fsync(2) of a folder, so that the names in it survive a power cut. Some file systems (CIFS,
 * some FUSE ones) cannot sync a folder, and say so with EINVAL or the like: on these it returns
 * 0, since nobody can do more there. */
int io_sync_folder(int fd);
/* Reads to the end of file, at most `max` bytes more; errno is EFBIG when there
 * were more, ENOMEM when memory ran out. */
int io_read_all(int fd, struct buf *b, size_t max);

#define IO_PATIENCE_MS 2000

/* How io_read_slow() waits. */
struct io_wait {
	int stop_fd;                /* when it becomes readable the read ends with ECANCELED; or -1 */
	void (*waiting)(void *ctx); /* called once, when the end has not come for IO_PATIENCE_MS; or NULL */
	void *ctx;
};
/* io_read_all() from a pipe, a FIFO or a terminal, where somebody may be slow at the other end. `fd`
 * may be non-blocking. */
int io_read_slow(int fd, struct buf *b, size_t max, const struct io_wait *w);

/* Replaces stdin, stdout and stderr by streams that use these functions. Without memory
 * for them the usual ones stay. */
void io_streams(void);

/*
 * Output that must not wait: whoever holds a lock that others may want must not depend on who
 * reads standard output or standard error (a pager, a stopped terminal).
 *
 *	io_hold()
 *	io_write(STDOUT_FILENO, …)   writes what is taken at once and keeps the rest in memory
 *	io_push() …                  while something else is waited for
 *	io_let_go()                  waits until all of it is written
 *
 * Holds may be nested. This is about the process's standard streams, so the module has state.
 */
void io_hold(void);
void io_let_go(void);
/* The same for one descriptor more; -1: none. It is not closed while output is held. */
void io_hold_too(int fd);
/* Writes what is taken now. Whether there is a rest. */
bool io_push(void);
/* At the end of the process: waits until all of it is written, whoever still holds. */
void io_finish(void);
/* The process is to end: nobody's reading is waited for any more. For signal handlers. */
void io_leave(void);
/* Why something kept for `fd` could not be written, once: an errno, or 0. */
int io_failed(int fd);

#endif
