/*
 * Receives the reply to one attempt: gives the events of the stream, or the whole body, to the
 * provider's adapter, and each piece of text to the client's listener.
 *
 *	receive_begin(&in, client, &reply)
 *	http_request.piece = receive_piece, .ctx = &in
 *	r = http_send(…) < 0 ? receive_cut(&in, &e) : receive_end(&in, shown_url, &e)
 *	receive_rest(&in)                 always, also for an answer that is an error
 *	receive_release(&in)
 */
#ifndef CLIENT_RECEIVE_H
#define CLIENT_RECEIVE_H

#include "client/client.h"
#include "client/reply-filter.h"
#include "net/sse.h"

struct receive {
	struct client *client;
	struct reply *reply;
	int64_t bytes; /* of the answer's body */
	bool refused;  /* the server reports an error or sent an invalid reply; the connection is not to blame */

	/* private */
	enum { FORM_UNKNOWN, FORM_EVENTS, FORM_WHOLE } form;
	bool any_event;
	int64_t last_text; /* steady clock, ms */
	struct sse sse;
	struct buf whole;
	struct reply_filter filter;
	size_t text_passed, reasoning_passed; /* bytes that the listener has */
	size_t text_weighed, reasoning_weighed, weight;
};

void receive_begin(struct receive *in, struct client *client, struct reply *reply);
void receive_release(struct receive *in);
/* For struct http_request. `ctx` is the struct receive. */
int receive_piece(void *ctx, struct span piece, struct err *e);
/* The answer has ended: is the reply complete? */
int receive_end(struct receive *in, const char *shown_url, struct err *e);
/* The connection failed, as `e` says. 0, and no error: the reply had said before that it was complete. */
int receive_cut(struct receive *in, struct err *e);
/* Gives the listener what was held back. */
void receive_rest(struct receive *in);

#endif
