/* A request as it is sent: the provider's URL and body, written from a struct chat_request. */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include "provider/provider.h"

struct client;

struct request {
	const struct chat_request *content; /* the caller's */
	struct buf url, shown, body; /* `shown` is the URL without secrets, for messages */
	struct buf notices; /* one line for each change that the model made necessary */
};
#define REQUEST_INIT { NULL, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT }

/* Fills an empty request. `content` must exist until the request has been sent; the parameters are
 * the client's. ERR_USAGE for what the provider does not support. */
int request_prepare(struct request *rq, const struct client *client, const struct chat_request *content,
                    struct err *e);
void request_release(struct request *rq);

#endif
