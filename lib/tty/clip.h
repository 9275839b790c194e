/*
 * The clipboard, by what leads to it from here: the user's own program; tmux, inside of it;
 * wl-copy, xclip, xsel or pbcopy; or else, and over ssh, the terminal itself, which is asked to
 * by OSC 52 (xterm's control sequences) and does not say whether it did.
 */
#ifndef TTY_CLIP_H
#define TTY_CLIP_H

#include "base/buf.h"

#define CLIP_TERMINAL_MAX 74994 /* bytes: terminals take 100000 of a sequence, in base64 */

struct clip {
	char *const *program; /* the user's own, which comes first; NULL: none */
	char *const *envp;    /* the programs' environment */
	int terminal;         /* a descriptor of it */
	int stop_fd;          /* becomes readable when the user wants to stop; or -1 */
	/* A program failed, and another way is tried. */
	void (*failed)(void *ctx, const char *program, const struct err *why);
	void *ctx;
	size_t left_out; /* set: control characters that are not on the clipboard */
};

/*
 * Returns how it was done, as in "copied by …", or NULL and the error. The caller ignores SIGPIPE.
 *
 * What a model wrote may be pasted into a shell. So control characters are left out, except tabs and
 * line ends: ESC [ 201 ~ would end a bracketed paste, and what follows it would be typed. A lone
 * carriage return becomes a line feed, and line ends at the end of the text are left out, so that
 * the last line does not run at once.
 */
const char *clip_put(struct clip *c, struct span text, struct err *e);

#endif
