/* How a session that is followed appears, while others write it: mc-session-cat -f. */
#ifndef CMD_SESSION_FOLLOW_H
#define CMD_SESSION_FOLLOW_H

#include "reading.h"
#include "store/follow.h"

/*
 * Prints what happens in a session from f->at on, until Ctrl-C, the end of whoever reads
 * stdout, or that of the session. Returns the exit status. `any`: something was printed before,
 * and is written out.
 */
int follow_print(struct follow *f, struct reading *d, bool json, bool any);

#endif
