/*
 * The messages of a request: what context_make() has chosen of a conversation, with the files that
 * parcel_fill() has found.
 *
 *	context_make(&cx, …)
 *	parcel_fill(&p, …)
 *	messages_make(&m, &cx, &e)
 *	rq.messages = m.list …
 *	messages_release(&m)
 *
 * A struct messages owns its lists until messages_release(). Its spans are those of the context.
 */
#ifndef TURN_MESSAGES_H
#define TURN_MESSAGES_H

#include "turn/context.h"

struct messages {
	struct message *list;
	size_t n;
	struct message_part *parts; /* of all of them */
	size_t nparts;
};
#define MESSAGES_INIT { NULL, 0, NULL, 0 }

/*
 * Each exchange is a message of the user and one of the assistant; between these each step is one of the
 * assistant with its calls, and one with their results. The last messages are the prompt and its steps so far.
 *
 * The native items of an answer are among its parts if this provider and model made them, and the
 * conversation before them is sent as it was then, which Anthropic checks for some models
 * (platform.claude.com/docs/en/build-with-claude/preserved-thinking).
 */
int messages_make(struct messages *m, const struct context *cx, const char *provider, struct span model,
                  struct err *e);
void messages_release(struct messages *m);

#endif
