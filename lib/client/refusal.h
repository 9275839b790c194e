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

/* Whether the server does not know, or does not want, this field of the request. */
bool refusal_is_about(const struct http_response *rs, const char *field);
/* The most tokens that it says an answer of the model may have; 0: it does not say. */
int64_t refusal_limit(const struct http_response *rs);
/* Whether it says that the model has no system instruction. */
bool refusal_is_about_system(const struct http_response *rs);

/* Whether it is about the native items of earlier replies: they are from another model or account, or
 * what is before them has changed. */
bool refusal_is_about_native(const struct http_response *rs);
/* Whether it takes no `include`, or has not what it asks for. */
bool refusal_is_about_include(const struct http_response *rs);

/* How long until another attempt makes sense, in ms; -1: it makes none. `attempt` counts
 * from 0. */
int64_t refusal_delay(const struct problem *p, long status, int64_t retry_after, int attempt);

#endif
