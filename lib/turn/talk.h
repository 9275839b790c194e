/* The way of one request to the provider and of its reply back. */
#ifndef TURN_TALK_H
#define TURN_TALK_H

#include "turn/turn.h"

/*
 * Asks, and takes the reply: each piece goes to the spool (unless spool_fd is -1),
 * then to how->show. 0: the reply is complete. -1: ERR_NETWORK, ERR_INTERRUPTED …;
 * what came until then is in `r`. A spool that fails does not end the reply: it is
 * worth more on the screen than nowhere.
 */
int talk_run(struct talk *how, const struct chat_request *rq, struct reply *r, int spool_fd,
             struct err *e);

#endif
