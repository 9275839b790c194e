/*
 * Code in colour, by a program that is made for it: the first that is there of bat
 * (batcat), highlight, source-highlight and pygmentize, or what the user names.
 *
 * It runs without a shell and gets the code on its standard input. It is trusted with
 * nothing: what it says is taken only if it is the code itself with SGR sequences (colour
 * and weight) in between. One that fails twice is not asked again.
 *
 * The program is started when the block begins, and does its starting while the code
 * arrives; so its end is hardly waited for.
 *
 *	struct highlight h = HIGHLIGHT_INIT;
 *	highlight_begin(&h, language);
 *	if (highlight_end(&h, code, &colored)) … the same lines, in colour
 *	highlight_release(&h);
 */
#ifndef MARKDOWN_HIGHLIGHT_H
#define MARKDOWN_HIGHLIGHT_H

#include "base/child.h"

struct highlight {
	const char *const *command; /* ends with NULL; "{}" is the language. NULL: look for one */
	char **environment;   /* NULL: ours. One without secrets is the caller's to make */
	int patience;         /* ms to wait for its end; 0: 250 */

	const char *const *found;
	bool looked;
	int failures;         /* one after the other */
	struct child child;
};

#define HIGHLIGHT_INIT { .child = CHILD_INIT }

/* Starts it for code in `language`, if there is a program, and that is a name that it may be
 * given. Whether it was. */
bool highlight_begin(struct highlight *h, struct span language);
/* Hands over the code, which ends with a newline, and adds it to `out` in colour, each line with
 * its sequences complete. False, and nothing added: it stays as it is. */
bool highlight_end(struct highlight *h, struct span code, struct buf *out);
/* The program that runs is not needed any more. */
void highlight_cancel(struct highlight *h);
void highlight_release(struct highlight *h);

#endif
