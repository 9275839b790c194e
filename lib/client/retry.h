/*
 * Sends a request, and retries it if that fails.
 *
 * A failure that may pass (a lost connection, a busy server) is retried after a delay, unless part of
 * the reply has arrived. A request that the server refuses because of a part that can be omitted or
 * reduced is sent without it at once; the client remembers that for its next requests.
 */
#ifndef CLIENT_RETRY_H
#define CLIENT_RETRY_H

#include "client/client.h"

#define RETRY_AFTER_MAX_MS 60000 /* the longest delay that a server may ask for */

/* See client_run(). */
int retry_request(struct client *client, const struct request *rq, struct reply *r, struct err *e);

#endif
