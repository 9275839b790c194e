/*
 * Lines from a terminal in its usual mode, which edits and echoes them itself.
 * A read ends when the stop descriptor becomes readable.
 */
#ifndef PROMPT_LINE_H
#define PROMPT_LINE_H

#include "base/buf.h"

struct line_reader {
	int fd, stop_fd;
	struct buf pending; /* read, and not yet handed out */
	bool eof;
	int out;            /* where the prompt is, and what was typed ahead is shown */
	const char *prompt; /* to show again when the process was stopped; NULL: none */
	size_t unseen;      /* of `pending`, at its end: typed ahead, and not on the screen yet */
};

#define LINE_READER(fd, stop_fd) { fd, stop_fd, BUF_INIT, false, -1, NULL, 0 }

/* Shows it; `prompt` is to stay until the next one. */
void line_prompt(struct line_reader *r, int out, const char *prompt);
/* Keys that were typed when the terminal was quiet (see mode.h): what it would have made of them
 * comes before what is read, and is shown then. What has no end yet is the beginning of the
 * line that is typed next. */
void line_ahead(struct line_reader *r, struct span keys);
/* 1: *line holds a line, without its end. 0: end of file. -1: an error, of kind
 * ERR_INTERRUPTED when the user stopped it: then the line that was begun is dropped. */
int line_read(struct line_reader *r, struct buf *line, struct err *e);
void line_release(struct line_reader *r);

#endif
