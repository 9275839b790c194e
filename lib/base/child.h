/*
 * Running other programs. Every program that mcbox runs is started here. No shell reads its
 * arguments, and its environment is what the caller says.
 *
 *	struct child c = CHILD_INIT;
 *	c.argv = …; c.envp = …; c.in = c.out = CHILD_PIPE;
 *	child_start(&c)
 *	child_communicate(&c, input, &output, max, &how, &e)   only with CHILD_PIPE
 *	child_end(&c, &how, &e)
 *
 * Whatever mcbox itself was started with or has changed for itself, the program starts with the
 * default action for every signal, no signal blocked, and the user's umask. Only SIGHUP, SIGINT
 * and SIGQUIT stay ignored where the process that started mcbox had them ignored (nohup, a
 * background job), unless the program has the terminal.
 *
 * A program without a slash in its name is searched for in the absolute folders of PATH, and that
 * file is run: the working directory, as "." or an empty name in PATH, may be anybody's. The PATH
 * that the program gets holds the absolute folders only, so that a shell finds what it is told to
 * run by the same rule.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <sys/types.h>

#include "base/buf.h"

struct child {
	char *const *argv, *const *envp;
	int in, out;  /* its standard input and output; -1: nothing, and nowhere; CHILD_PIPE: a pipe */
	bool quiet;   /* its standard error goes nowhere, too */
	bool apart;   /* a group of its own: Ctrl-C does not reach it, nor what it leaves running;
	               * it must not want anything of the terminal */
	bool terminal; /* it has the terminal for itself: an editor, a pager */
	pid_t pid;     /* -1: it does not run */
	int to, from;  /* our ends of the pipes, owned; -1: none */
};

#define CHILD_INIT { .in = -1, .out = -1, .pid = -1, .to = -1, .from = -1 }
#define CHILD_PIPE (-2)

/* 0, or an errno. */
int child_start(struct child *c);

/* Sets *path to the file that child_start() would run. 0, or an errno: ENOENT where there is no
 * such program, EACCES where it may not be run. */
int child_find(struct buf *path, const char *name);
/* Whether child_find() finds it. */
bool child_exists(const char *name);

/* The umask for programs, where the caller has set another one for itself. */
void child_set_umask(mode_t mask);

/* For a process that forks without child_start(): with SIGCHLD ignored, as some parents leave it,
 * nobody could wait for a child. */
void child_keep_status(void);

struct child_wait {
	int stop_fd;   /* becomes readable when the user wants to stop; or -1 */
	bool stop;     /* it is to end at once */
	int64_t limit; /* ms from now on; 0: any time */
};

/*
 * Writes `input` to its standard input and adds its standard output to `output` (NULL if `out` is no
 * pipe), until the output ends, or without one until all of the input is written. A program need not
 * read all that it is given. The caller ignores SIGPIPE if there is input.
 *
 * 0: all of the output was read. 1: there are more than `max` bytes of output; `max` + 1 of them were
 * added. -1: *e is ERR_INTERRUPTED if the user stopped it, otherwise ERR_FAILED. In all cases the
 * program may still run, and child_end() waits for it. A buffer that has room for `max` + 1 bytes
 * is never moved, so that there is one copy of a secret.
 */
int child_communicate(struct child *c, struct span input, struct buf *output, size_t max,
                      const struct child_wait *w, struct err *e);

/* Closes our ends of the pipes. */
void child_close(struct child *c);

/*
 * Closes the pipes and waits for its end. One that is to end, or that takes longer than the limit, is told so, and
 * killed when it does not heed that. 0: it succeeded. -1: the error says how it failed; it is
 * ERR_INTERRUPTED when the user stopped it. Errors name no program.
 */
int child_end(struct child *c, const struct child_wait *w, struct err *e);

/* Runs a program with `input` as its standard input, for at most `limit` ms. The caller ignores SIGPIPE. */
int child_feed(struct child *c, struct span input, const struct child_wait *w, struct err *e);

#endif
