/* What to say when a server refuses: in its own words where it has some, and the way out. */
#ifndef CLIENT_REFUSAL_H
#define CLIENT_REFUSAL_H

#include "client/client.h"

/* An answer of another status than 2xx. Returns -1; fills in *p. To wait and try again is
 * advised only after the last attempt. */
int refusal_tell(struct client *client, const struct request *rq, const struct http_response *rs,
                 bool last, struct problem *p, struct err *e);
/* The error that `e` tells already, of an event in the stream: adds the way out. */
void refusal_advise(struct client *client, const struct request *rq, struct problem *p, bool last,
                    struct err *e);

#endif
