#include "store/jsonl.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

int jsonl_map(struct jsonl *j, int fd, struct err *e)
{
	struct stat st;
	const char *last;
	void *p;

	*j = (struct jsonl){ "", 0, 0 };
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot examine file");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED, "not a regular file");
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, errno, "cannot map file");
	j->p = p;
	j->mapped = (size_t)st.st_size;
	last = memrchr(j->p, '\n', j->mapped);
	j->n = last ? (size_t)(last - j->p) + 1 : 0;
	return 0;
}

void jsonl_unmap(struct jsonl *j)
{
	if (j->mapped)
		munmap((void *)j->p, j->mapped);
	*j = (struct jsonl){ "", 0, 0 };
}

bool jsonl_next(const struct jsonl *j, size_t *at, struct span *line)
{
	const char *start = j->p + *at, *end;

	if (*at >= j->n)
		return false;
	end = memchr(start, '\n', j->n - *at);
	*line = (struct span){ start, (size_t)(end - start) };
	*at += line->n + 1;
	return true;
}

/* Processors read ahead of a forward walk, but hardly of a backward one. So for each line that is found, as many
 * bytes are prefetched some way before it. */
static void read_behind(const struct jsonl *j, size_t start, size_t n)
{
#if defined(__GNUC__)
	const size_t distance = 2048, cache_line = 64;

	if (n > distance)
		n = distance;
	for (size_t i = 0; i < n && start > distance + i; i += cache_line)
		__builtin_prefetch(j->p + start - distance - i);
#else
	(void)j, (void)start, (void)n;
#endif
}

bool jsonl_prev(const struct jsonl *j, size_t *at, struct span *line)
{
	const char *before;
	size_t start;

	if (*at == 0)
		return false;
	before = memrchr(j->p, '\n', *at - 1);
	start = before ? (size_t)(before - j->p) + 1 : 0;
	*line = (struct span){ j->p + start, *at - 1 - start };
	read_behind(j, start, line->n);
	*at = start;
	return true;
}

static size_t count_feeds(const char *p, const char *end)
{
	size_t n = 0;

	for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		n++;
	return n;
}

size_t jsonl_count(const struct jsonl *j, struct jsonl_count *c, size_t offset)
{
	if (offset >= c->at)
		c->line += count_feeds(j->p + c->at, j->p + offset);
	else
		c->line -= count_feeds(j->p + offset, j->p + c->at);
	c->at = offset;
	return c->line;
}

size_t jsonl_line_number(const struct jsonl *j, size_t offset)
{
	struct jsonl_count c = JSONL_COUNT_INIT;

	return jsonl_count(j, &c, offset);
}

static int ends_torn(int fd)
{
	struct stat st;
	ssize_t got;
	char last;

	if (fstat(fd, &st) < 0)
		return -1;
	if (st.st_size == 0)
		return 0;
	do
		got = pread(fd, &last, 1, st.st_size - 1);
	while (got < 0 && errno == EINTR);
	return got == 1 ? last != '\n' : -1;
}

int jsonl_heal(int fd, struct err *e)
{
	int torn = ends_torn(fd);

	if (torn < 0)
		return err_sys(e, errno, "cannot read its end");
	if (torn && io_write(fd, "\n", 1) < 0)
		return err_sys(e, errno, "cannot write");
	return 0;
}

int jsonl_append(int fd, struct span record, bool sync, struct err *e)
{
	int torn = ends_torn(fd);
	struct iovec v[2] = {
		{ .iov_base = (char[]){ '\n' }, .iov_len = 1 },
		{ .iov_base = (void *)record.p, .iov_len = record.n },
	};

	if (torn < 0)
		return err_sys(e, errno, "cannot read its end");
	if (io_writev(fd, torn ? v : v + 1, torn ? 2 : 1) < 0)
		return err_sys(e, errno, "cannot write");
	if (sync && io_datasync(fd) < 0)
		return err_sys(e, errno, "cannot be sure that it is on the disk");
	return 0;
}

#define PIECE 65536

/* `piece` has room for every part of the string, so that memory does not run out between two writes. */
static int write_escaped(int fd, struct span s, struct buf *piece)
{
	while (s.n) {
		size_t n = s.n < PIECE ? s.n : PIECE;

		buf_clear(piece);
		json_add_escaped(piece, (struct span){ s.p, n });
		if (io_write(fd, piece->p, piece->n) < 0)
			return -1;
		s = (struct span){ s.p + n, s.n - n };
	}
	return 0;
}

static int write_gaps(int fd, struct span record, const struct json_gap *gaps, size_t n,
                      struct buf *piece)
{
	size_t at = 0;

	for (size_t i = 0; i < n; at = gaps[i++].at)
		if (io_write(fd, record.p + at, gaps[i].at - at) < 0 ||
		    write_escaped(fd, gaps[i].s, piece) < 0)
			return -1;
	return io_write(fd, record.p + at, record.n - at);
}

int jsonl_append_gaps(int fd, struct span record, const struct json_gap *gaps, size_t n, bool sync,
                      struct err *e)
{
	struct buf piece = BUF_INIT;
	int r = 0;

	if (!n)
		return jsonl_append(fd, record, sync, e);
	if (!buf_room(&piece, 6 * PIECE + 1))
		return err_oom(e);
	if (jsonl_heal(fd, e) < 0)
		r = -1;
	else if (write_gaps(fd, record, gaps, n, &piece) < 0)
		r = err_sys(e, errno, "cannot write");
	else if (sync && io_datasync(fd) < 0)
		r = err_sys(e, errno, "cannot be sure that it is on the disk");
	buf_release(&piece);
	return r;
}
