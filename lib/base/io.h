/*
 * System calls with their short counts and EINTR dealt with. They return 0 (or
 * a count), or -1 with errno set.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"

int io_write(int fd, const void *p, size_t n);
/* Writes all of `n` buffers; alters the array. */
int io_writev(int fd, struct iovec *v, int n);
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
	void (*waiting)(void *ctx); /* called once, when nothing has come for IO_PATIENCE_MS; or NULL */
	void *ctx;
};
/* io_read_all() from a pipe, a FIFO or a terminal, where somebody may be slow at the other end. `fd`
 * may be non-blocking. */
int io_read_slow(int fd, struct buf *b, size_t max, const struct io_wait *w);

#endif
