/* Words the error for a request that the server refused: the server's message, and what to do. */
#ifndef CLIENT_REFUSAL_H
#define CLIENT_REFUSAL_H

#include "client/client.h"

/* For an answer whose status is not 2xx. Returns -1, and fills in *p. Only after the `last` attempt
 * does the message advise to try again later. */
int refusal_tell(struct client *client, const struct request *rq, const struct http_response *rs,
                 bool last, struct problem *p, struct err *e);
/* For an error event in the stream, which `e` already tells: adds what to do. */
void refusal_advise(struct client *client, const struct request *rq, struct problem *p, bool last,
                    struct err *e);

/* Whether the text has any of these words, in any case. The last one is NULL. */
bool refusal_has_any(const char *text, const char *const *words);

#endif
