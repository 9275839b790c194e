#include "prompt/line.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "tty/mode.h"
#include "tty/neutral.h"

#define END_KEY '\004' /* in `pending`, at the beginning of a line: Ctrl-D */

static void show(const struct line_reader *r, struct span text)
{
	struct buf b = BUF_INIT;

	neutral_add(&b, text);
	if (r->out >= 0 && io_write(r->out, b.p, b.n) < 0) {
		/* What follows meets the same, and tells. */
	}
	buf_release(&b);
}

void line_prompt(struct line_reader *r, int out, const char *prompt)
{
	r->out = out;
	r->prompt = prompt;
	show(r, span_str(prompt));
}

/* ---- what was typed ahead ---- */

static bool is_key(const struct termios *t, int which, char c)
{
	return t->c_cc[which] != _POSIX_VDISABLE && (char)t->c_cc[which] == c;
}

/* Takes characters off the line, as long as they are of the same kind if `word`. */
static void erase(struct line_reader *r, bool all, bool word)
{
	bool any = false;

	while (r->unseen && r->pending.p[r->pending.n - 1] != '\n') {
		char c = r->pending.p[r->pending.n - 1];

		if (word && any && (c == ' ' || c == '\t'))
			return;
		any = any || (c != ' ' && c != '\t');
		r->pending.p[--r->pending.n] = '\0';
		r->unseen--;
		if (!all && !word && ((unsigned char)c & 0xc0) != 0x80)
			return;
	}
}

static bool at_start(const struct line_reader *r)
{
	return !r->pending.n || r->pending.p[r->pending.n - 1] == '\n';
}

static void add_key(struct line_reader *r, const struct termios *t, char c)
{
	if (is_key(t, VERASE, c))
		erase(r, false, false);
	else if (is_key(t, VKILL, c))
		erase(r, true, false);
	else if (is_key(t, VWERASE, c))
		erase(r, false, true);
	else if (!is_key(t, VEOF, c) || at_start(r)) {
		buf_addc(&r->pending, is_key(t, VEOF, c) ? END_KEY : c == '\r' ? '\n' : c);
		r->unseen++;
	}
}

void line_ahead(struct line_reader *r, struct span keys)
{
	struct termios t;

	if (!keys.n)
		return;
	if (tcgetattr(r->fd, &t) < 0)
		memset(&t, _POSIX_VDISABLE, sizeof(t));
	for (size_t i = 0; i < keys.n; i++)
		add_key(r, &t, keys.p[i]);
}

/* The first `n` bytes are about to be used, or are what is typed on. */
static void show_unseen(struct line_reader *r, size_t n)
{
	size_t seen = r->pending.n - r->unseen;

	if (n <= seen)
		return;
	show(r, (struct span){ r->pending.p + seen, n - seen });
	r->unseen = r->pending.n - n;
}

/* ---- what is read ---- */

static void show_again(const struct line_reader *r)
{
	if (r->prompt)
		show(r, span_str(r->prompt));
	show(r, buf_span(&r->pending));
}

/* Waits for input; -1 when the user wants to stop. */
static int wait_for_input(const struct line_reader *r, struct err *e)
{
	struct pollfd p[2] = {
		{ .fd = r->stop_fd, .events = POLLIN },
		{ .fd = r->fd, .events = POLLIN },
	};

	while (poll(p, 2, -1) < 0) {
		if (errno != EINTR)
			return err_sys(e, errno, "cannot wait for input");
		if (mode_resumed())
			show_again(r);
	}
	return p[0].revents ? err_set(e, ERR_INTERRUPTED, "interrupted") : 0;
}

static int read_more(struct line_reader *r, struct err *e)
{
	char *room = buf_room(&r->pending, 4096);
	ssize_t n;

	if (!room)
		return err_oom(e);
	show_unseen(r, r->pending.n);
	if (wait_for_input(r, e) < 0) {
		buf_clear(&r->pending);
		return -1;
	}
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
	size_t n;

	buf_clear(line);
	mode_resumed();
	if (r->pending.n && r->pending.p[0] == END_KEY && r->unseen == r->pending.n) {
		buf_drop(&r->pending, 1);
		r->unseen--;
		return 0;
	}
	while (!(end = memchr(r->pending.p, '\n', r->pending.n)) && !r->eof)
		if (read_more(r, e) < 0)
			return -1;
	if (!end && !r->pending.n)
		return 0;
	n = end ? (size_t)(end - r->pending.p) + 1 : r->pending.n;
	show_unseen(r, n);
	buf_add(line, r->pending.p, end ? n - 1 : n);
	buf_drop(&r->pending, n);
	return buf_check(line, e) < 0 ? -1 : 1;
}

void line_release(struct line_reader *r)
{
	buf_release(&r->pending);
}
