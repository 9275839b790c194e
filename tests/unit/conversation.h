/* Requests for tests: a prompt alone, or a conversation of questions and answers. */
#ifndef UNIT_CONVERSATION_H
#define UNIT_CONVERSATION_H

#include <stdlib.h>

#include "turn/messages.h"

/* Members of a struct chat_request: one message of the user. */
#define ASKING(prompt)                                                                                   \
	.messages = &(const struct message){ ROLE_USER,                                                   \
		&(const struct message_part){ MESSAGE_TEXT, .text = prompt }, 1 },                        \
	.nmessages = 1

/* The messages are good until the next call. */
static inline void converse(struct chat_request *rq, struct context_turn *turns, size_t n,
                            struct context_turn prompt)
{
	static struct messages m;
	const struct context cx = { .turns = turns, .n = n, .prompt = prompt };
	struct err e = ERR_INIT;

	messages_release(&m);
	if (messages_make(&m, &cx, "p", span_str("m"), &e) < 0)
		abort();
	rq->messages = m.list;
	rq->nmessages = m.n;
}

static inline void ask(struct chat_request *rq, struct span prompt)
{
	converse(rq, NULL, 0, (struct context_turn){ .query = prompt });
}

#endif
