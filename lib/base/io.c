#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

int io_write(int fd, const void *p, size_t n)
{
	struct iovec v = { .iov_base = (void *)p, .iov_len = n };

	return io_writev(fd, &v, 1);
}

int io_writev(int fd, struct iovec *v, int n)
{
	while (n > 0) {
		ssize_t done = writev(fd, v, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		while (n > 0 && (size_t)done >= v->iov_len) {
			done -= (ssize_t)v->iov_len;
			v++;
			n--;
		}
		if (n > 0) {
			v->iov_base = (char *)v->iov_base + done;
			v->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int io_read_all(int fd, struct buf *b, size_t max)
{
	size_t had = b->n;

	for (;;) {
		char *to = buf_room(b, 65536);
		ssize_t got;

		if (!to) {
			errno = ENOMEM;
			return -1;
		}
		got = read(fd, to, 65536);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		b->n += (size_t)got;
		b->p[b->n] = '\0';
		if (b->n - had > max) {
			errno = EFBIG;
			return -1;
		}
	}
}

/* 1: there is something to read, or the end. */
static int wait_for_input(int fd, const struct io_wait *w, int ms)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = w->stop_fd, .events = POLLIN } };
	int n;

	do
		n = poll(p, w->stop_fd >= 0 ? 2 : 1, ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	if (n > 0 && w->stop_fd >= 0 && p[1].revents) {
		errno = ECANCELED;
		return -1;
	}
	return n > 0;
}

int io_read_slow(int fd, struct buf *b, size_t max, const struct io_wait *w)
{
	size_t had = b->n;
	bool said = !w->waiting;

	for (;;) {
		char *to = buf_room(b, 65536);
		int ready = wait_for_input(fd, w, said ? -1 : IO_PATIENCE_MS);
		ssize_t got;

		if (!to)
			errno = ENOMEM;
		if (!to || ready < 0)
			return -1;
		if (!ready) {
			if (!said)
				w->waiting(w->ctx);
			said = true;
			continue;
		}
		got = read(fd, to, 65536);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return (int)got;
		b->n += (size_t)got;
		b->p[b->n] = '\0';
		if (b->n - had > max) {
			errno = EFBIG;
			return -1;
		}
	}
}

int io_sync(int fd)
{
	int r;

	do
		r = fsync(fd);
	while (r < 0 && errno == EINTR);
	return r;
}

int io_sync_folder(int fd)
{
	int r = io_sync(fd);

	return r < 0 && (errno == EINVAL || errno == ENOTSUP || errno == ENOSYS) ? 0 : r;
}

int io_datasync(int fd)
{
	int r;

	do
		r = fdatasync(fd);
	while (r < 0 && errno == EINTR);
	return r;
}
