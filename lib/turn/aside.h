/*
 * Requests that are no part of a conversation: their replies are not shown, and what becomes of
 * them is for who asked.
 *
 *	struct aside a = ASIDE_INIT;
 *	aside_begin(&a, &client, &e)
 *	aside_ask(&a, &rq, &reply, &e) …
 *	aside_end(&a);
 */
#ifndef TURN_ASIDE_H
#define TURN_ASIDE_H

#include "client/client.h"

struct aside {
	struct client client; /* the way itself is the caller's, and opens with it; the parameters are not */
};
#define ASIDE_INIT { .client = CLIENT_INIT }

/* With what the user wants of replies in general, but not where they end, nor their form. */
int aside_begin(struct aside *a, const struct client *client, struct err *e);
void aside_end(struct aside *a);

/* Asks for the prompt, with rq->model, system and room; the rest follows. A reply that was cut or
 * refused is one. */
int aside_ask(struct aside *a, const struct chat_request *rq, struct span prompt, struct reply *reply,
              struct err *e);

/* What is in it but for white space around it. */
struct span aside_text(const struct reply *reply);

#endif
