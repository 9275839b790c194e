/*
 * A pager between stdout and the terminal, as git(1) has it.
 *
 *	command = pager_command();
 *	if (isatty(STDOUT_FILENO) && command && pager_begin(command, envp, &e) == 0) …
 *	…                       what goes to stdout is read in the pager
 *	fflush(stdout);
 *	pager_end();
 *
 * While it is open, what goes to stderr is held back if that is a terminal, too: it would
 * be written across the pager's screen. SIGINT, SIGQUIT and SIGPIPE are ignored: they are
 * the pager's, and its user may leave without having read all. Any other end of the process
 * waits for the pager, which has the terminal in a mode of its own. (Signals are
 * process-wide, so there is one pager, and this module has state.)
 */
#ifndef TTY_PAGER_H
#define TTY_PAGER_H

#include <stdbool.h>

#include "base/err.h"

/* What MC_PAGER says, else PAGER, else less; NULL: no pager is wanted, or the terminal is
 * too simple for one. */
const char *pager_command(void);

/* Whether it shows colours and weight: less does only with -R, and prints their sequences without. */
bool pager_takes_styles(const char *command);

/*
 * Starts it, with `envp` and what it needs of LESS, LV and COLUMNS as its environment.
 * A command with characters that mean something to a shell goes through sh, which copies
 * its input to the terminal when there is no such command. After an error nothing has
 * changed; ERR_NOT_FOUND says that there is no such program.
 */
int pager_begin(const char *command, char *const *envp, struct err *e);

bool pager_is_open(void);

/* Waits until its user has left it, and lets out what stderr held back. What is written to
 * stdout from here on goes nowhere: it may be the rest of what nobody wanted to read. Returns
 * whether it was ended by Ctrl-C. */
bool pager_end(void);

#endif
