#include "tty/line.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Waits for input; -1 when the user wants to stop. */
static int wait_for_input(const struct line_reader *r, struct err *e)
{
	struct pollfd p[2] = {
		{ .fd = r->stop_fd, .events = POLLIN },
		{ .fd = r->fd, .events = POLLIN },
	};

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "cannot wait for input");
	return p[0].revents ? err_set(e, ERR_INTERRUPTED, "interrupted") : 0;
}

static int read_more(struct line_reader *r, struct err *e)
{
	char *room = buf_room(&r->pending, 4096);
	ssize_t n;

	if (!room)
		return err_oom(e);
	if (wait_for_input(r, e) < 0)
		return -1;
	n = read(r->fd, room, 4096);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	/* A terminal that went away reads as an error: the end of the input. */
	if (n <= 0) {
		r->eof = true;
		return 0;
	}
	r->pending.n += (size_t)n;
	return 0;
}

int line_read(struct line_reader *r, struct buf *line, struct err *e)
{
	const char *end;

	buf_clear(line);
	while (!(end = memchr(r->pending.p, '\n', r->pending.n)) && !r->eof)
		if (read_more(r, e) < 0)
			return -1;
	if (!end && !r->pending.n)
		return 0;
	buf_add(line, r->pending.p, end ? (size_t)(end - r->pending.p) : r->pending.n);
	buf_drop(&r->pending, end ? line->n + 1 : r->pending.n);
	return buf_check(line, e) < 0 ? -1 : 1;
}

void line_release(struct line_reader *r)
{
	buf_release(&r->pending);
}
