/*
 * SIGINT, SIGTERM and SIGHUP as something to wait for: a descriptor that becomes
 * readable. What is running then stops by itself and stores what it has. (A signal
 * can only be handled process-wide, so this module has state, as mode.h's, for which it notes
 * SIGCONT.)
 */
#ifndef TTY_STOP_H
#define TTY_STOP_H

#include "base/err.h"

/* Starts handling the signals. The descriptor, or -1. */
int stop_begin(struct err *e);
/* The last signal since stop_clear(), 0 when there was none. */
int stop_signal(void);
/* Forgets a SIGINT. The others mean that the process is to end, and stay. */
void stop_clear(void);

#endif
