#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LOOK_MS 500 /* between looks at whether the process is to end */

/* Whether a call that failed is to be made again; waits until it may succeed. */
static bool is_again(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return poll(&p, 1, -1) >= 0 || errno == EINTR;
	return errno == EINTR;
}

ssize_t io_read(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && is_again(fd, POLLIN));
	return got;
}

static int write_all(int fd, struct iovec *v, int n)
{
	while (n > 0) {
		ssize_t done = writev(fd, v, n);

		if (done < 0 && is_again(fd, POLLOUT))
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

int io_write_now(int fd, const void *p, size_t n)
{
	struct iovec v = { .iov_base = (void *)p, .iov_len = n };

	return write_all(fd, &v, 1);
}

/* ---- output that must not wait ---- */

enum { OUT, ERR, OTHER, STREAMS };

/* What is kept, one after the other. Two streams may show on one terminal, and so share a queue. */
struct queue {
	struct buf bytes; /* each part is a struct part and its bytes */
	size_t at;        /* before this all is written */
};

struct part {
	int fd;
	size_t n;
};

static struct queue shared = { .bytes = BUF_INIT }, others = { .bytes = BUF_INIT };
static int holds;
static int other = -1; /* the descriptor that is held, too; it has the second queue */
static int failed[STREAMS];
static struct way {
	bool looked;
	int own; /* -1: none is needed */
} ways[STREAMS]; /* as long as output is held */
static volatile sig_atomic_t leaving;

/* -1: output to `fd` is never held. */
static int stream_of(int fd)
{
	if (fd == STDOUT_FILENO)
		return OUT;
	if (fd == STDERR_FILENO)
		return ERR;
	return fd >= 0 && fd == other ? OTHER : -1;
}

static void note_failed(int fd, int why)
{
	int stream = stream_of(fd);

	if (stream >= 0 && !failed[stream])
		failed[stream] = why;
}

int io_failed(int fd)
{
	int stream = stream_of(fd), why = stream < 0 ? 0 : failed[stream];

	if (stream >= 0)
		failed[stream] = 0;
	return why;
}

static bool is_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) > 0;
}

int io_open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	return open(path, flags | O_NOCTTY | O_CLOEXEC);
}

/* The descriptor to write to. A pipe that is ready takes PIPE_BUF bytes without a wait, but a
 * terminal may take fewer: it gets a descriptor of our own that is O_NONBLOCK. */
static int way_to(int fd)
{
	int stream = stream_of(fd);
	struct way *w = &ways[stream < 0 ? OTHER : stream];

	if (!w->looked)
		w->own = isatty(fd) ? io_open_again(fd, O_WRONLY | O_NONBLOCK) : -1;
	w->looked = true;
	return w->own >= 0 ? w->own : fd;
}

static void forget_ways(void)
{
	for (int i = 0; i < STREAMS; i++) {
		if (ways[i].looked && ways[i].own >= 0)
			close(ways[i].own);
		ways[i].looked = false;
	}
}

/* Writes of the part what is taken at once. Whether that was all of it. */
static bool write_part(struct part *part, const char *p)
{
	int fd = way_to(part->fd);

	while (part->n && is_ready(fd)) {
		ssize_t n = write(fd, p, part->n < PIPE_BUF ? part->n : PIPE_BUF);

		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			note_failed(part->fd, errno);
			part->n = 0;
		} else if (n > 0) {
			p += n;
			part->n -= (size_t)n;
		}
	}
	return !part->n;
}

static struct part first_part(const struct queue *q)
{
	struct part part = { .fd = -1 };

	if (q->bytes.n)
		memcpy(&part, q->bytes.p + q->at, sizeof(part));
	return part;
}

static void push(struct queue *q)
{
	struct buf *b = &q->bytes;

	while (q->at < b->n) {
		struct part part = first_part(q);
		size_t before = part.n;
		bool whole = write_part(&part, b->p + q->at + sizeof(part));

		q->at += before - part.n;
		if (!whole) { /* its head goes before what is left of it */
			memcpy(b->p + q->at, &part, sizeof(part));
			break;
		}
		q->at += sizeof(part);
	}
	if (q->at > b->n / 2) {
		buf_drop(b, q->at);
		q->at = 0;
	}
}

bool io_push(void)
{
	push(&shared);
	push(&others);
	return shared.bytes.n || others.bytes.n;
}

static void push_all(void)
{
	while (io_push()) {
		int fds[2] = { first_part(&shared).fd, first_part(&others).fd };
		struct pollfd p[2] = { { .fd = fds[0], .events = POLLOUT },
			                   { .fd = fds[1], .events = POLLOUT } };

		if (leaving) {
			note_failed(fds[0], EINTR);
			note_failed(fds[1], EINTR);
			break;
		}
		poll(p, 2, LOOK_MS);
	}
	buf_release(&shared.bytes);
	buf_release(&others.bytes);
	shared.at = others.at = 0;
	forget_ways();
}

static int keep(int fd, struct iovec *v, int n)
{
	struct queue *q = stream_of(fd) == OTHER ? &others : &shared;
	struct part part = { .fd = fd };
	size_t had = q->bytes.n;

	for (int i = 0; i < n; i++)
		part.n += v[i].iov_len;
	if (!part.n)
		return 0;
	buf_add(&q->bytes, &part, sizeof(part));
	for (int i = 0; i < n; i++)
		buf_add(&q->bytes, v[i].iov_base, v[i].iov_len);
	if (q->bytes.oom) { /* late, rather than lost */
		q->bytes.oom = false;
		q->bytes.n = had;
		push_all();
		return write_all(fd, v, n);
	}
	push(q);
	errno = io_failed(fd);
	return errno ? -1 : 0;
}

void io_hold(void)
{
	holds++;
}

void io_hold_too(int fd)
{
	other = fd;
}

void io_let_go(void)
{
	if (holds && --holds == 0)
		push_all();
}

void io_finish(void)
{
	holds = 0;
	push_all();
}

void io_leave(void)
{
	leaving = 1;
}

int io_writev(int fd, struct iovec *v, int n)
{
	if (holds && stream_of(fd) >= 0)
		return keep(fd, v, n);
	if (leaving && stream_of(fd) >= 0 && !is_ready(fd)) {
		errno = EINTR;
		return -1;
	}
	return write_all(fd, v, n);
}

int io_write(int fd, const void *p, size_t n)
{
	struct iovec v = { .iov_base = (void *)p, .iov_len = n };

	return io_writev(fd, &v, 1);
}

/* ---- streams ---- */

static ssize_t stream_read(void *fd, char *p, size_t n)
{
	return io_read(*(int *)fd, p, n);
}

static ssize_t stream_write(void *fd, const char *p, size_t n)
{
	return io_write(*(int *)fd, p, n) < 0 ? 0 : (ssize_t)n;
}

void io_streams(void)
{
	static int fds[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	const cookie_io_functions_t functions = { .read = stream_read, .write = stream_write };
	FILE *in = fopencookie(&fds[0], "r", functions), *out = fopencookie(&fds[1], "w", functions),
	     *err = fopencookie(&fds[2], "w", functions);

	if (!in || !out || !err)
		return;
	setvbuf(out, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
	setvbuf(err, NULL, _IONBF, 0);
	stdin = in;
	stdout = out;
	stderr = err;
}

/* ---- files ---- */

/* `got` bytes were read to the room at the end of `b`, which had `had` before all of it. */
static int keep_read(struct buf *b, size_t got, size_t had, size_t max)
{
	b->n += got;
	b->p[b->n] = '\0';
	if (b->n - had <= max)
		return 0;
	errno = EFBIG;
	return -1;
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
		got = io_read(fd, to, 65536);
		if (got <= 0)
			return (int)got;
		if (keep_read(b, (size_t)got, had, max) < 0)
			return -1;
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
	int64_t until = clock_steady_ms() + IO_PATIENCE_MS;
	size_t had = b->n;
	bool said = !w->waiting;

	for (;;) {
		int64_t left = said ? -1 : until - clock_steady_ms();
		char *to = buf_room(b, 65536);
		ssize_t got;
		int ready;

		if (!said && left <= 0) {
			w->waiting(w->ctx);
			said = true;
		}
		ready = wait_for_input(fd, w, said ? -1 : (int)left);
		if (!to)
			errno = ENOMEM;
		if (!to || ready < 0)
			return -1;
		if (!ready)
			continue;
		got = read(fd, to, 65536);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return (int)got;
		if (keep_read(b, (size_t)got, had, max) < 0)
			return -1;
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
