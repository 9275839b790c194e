/*
 * A program that is run and waited for. No shell reads its arguments, and its environment is
 * what the caller says.
 *
 *	struct child c = CHILD_INIT;
 *	c.argv = …; c.envp = …;
 *	child_start(&c)
 *	…                           with what is at the other end of c.in and c.out
 *	child_end(&c, &how, &e)
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <sys/types.h>

#include "base/buf.h"

struct child {
	char *const *argv, *const *envp;
	int in, out;  /* its standard input and output; -1: nothing, and nowhere */
	bool quiet;   /* its standard error goes nowhere, too */
	bool apart;   /* a group of its own: Ctrl-C does not reach it, nor what it leaves running;
	               * it must not want anything of the terminal */
	pid_t pid;
};

#define CHILD_INIT { NULL, NULL, -1, -1, false, false, -1 }

/* Signals are for it as a program expects them. 0, or an errno. */
int child_start(struct child *c);

struct child_wait {
	int stop_fd;   /* becomes readable when the user wants to stop; or -1 */
	bool stop;     /* it is to end at once */
	int64_t limit; /* ms from now on; 0: any time */
};

/*
 * Waits for its end. One that is to end, or that takes longer than the limit, is told so, and
 * killed when it does not heed that. 0: it succeeded. -1: the error says how it failed; it is
 * ERR_INTERRUPTED when the user stopped it. Errors name no program.
 */
int child_end(struct child *c, const struct child_wait *w, struct err *e);

/* Runs one that takes `input`, all of that in `limit` ms at most. The caller ignores SIGPIPE.
 * A program need not read all that it is given. */
int child_feed(struct child *c, struct span input, const struct child_wait *w, struct err *e);

#endif
