/*
 * Lines from a terminal in its usual mode, which edits and echoes them itself.
 * A read ends when the stop descriptor becomes readable.
 */
#ifndef TTY_LINE_H
#define TTY_LINE_H

#include "base/buf.h"

struct line_reader {
	int fd, stop_fd;
	struct buf pending; /* read, and not yet handed out */
	bool eof;
};

#define LINE_READER(fd, stop_fd) { fd, stop_fd, BUF_INIT, false }

/* 1: *line holds a line, without its end. 0: end of file. -1: an error, of kind
 * ERR_INTERRUPTED when the user stopped it. */
int line_read(struct line_reader *r, struct buf *line, struct err *e);
void line_release(struct line_reader *r);

#endif
