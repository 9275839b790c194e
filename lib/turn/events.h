/*
 * What happens in a turn, as one stream of events. lib/turn makes it of a turn that it runs; whoever
 * wants to show, print or store a turn takes it.
 *
 *	started                       the prompt is stored, and about to be sent
 *	waiting                       the request failed, and is sent again
 *	text, reasoning               pieces of a reply
 *	call                          the model called a tool
 *	result                        it ran, or could not; text may follow, and more calls
 *	usage, stored                 the turn is over, and so is its record
 *	error                         it failed, or could not begin
 *
 * Notices may come at any time. An event and all that it points to is good until take() returns.
 */
#ifndef TURN_EVENTS_H
#define TURN_EVENTS_H

#include "store/record.h"
#include "client/client.h"
#include "turn/context.h"

enum turn_event_kind {
	TURN_STARTED,
	TURN_WAITING,
	TURN_TEXT,
	TURN_REASONING,
	TURN_CALL,
	TURN_RESULT,
	TURN_NOTICE,
	TURN_COMPACTING, /* the conversation has outgrown the window, and is summed up first */
	TURN_USAGE,
	TURN_STORED, /* or, without a session, only complete */
	TURN_ERROR,
};

struct turn_event {
	enum turn_event_kind kind;
	const char *session; /* STARTED, STORED, ERROR: its id; NULL: nothing is stored */
	/* STARTED: without an answer. USAGE, STORED: the whole of it. ERROR: one that could not be
	 * stored, or NULL. */
	const struct exchange *exchange;
	union {
		struct {
			const char *provider;
			const struct context *context; /* what is sent of the conversation */
			int64_t window;                /* tokens that a request may have; 0: not known */
		} started;
		const struct client_wait *wait;
		struct span text; /* TEXT, REASONING: any bytes; may end within a character */
		const struct reply_call *call; /* its strings are UTF-8 */
		const struct result *result;   /* of the last call that was told; it is stored */
		const char *notice; /* a sentence */
		struct {
			size_t n, incomplete; /* exchanges: the first ones, and how many of these are incomplete */
		} compacting;
		const struct err *error; /* whoever runs the turn gets it, too */
	};
};

struct turn_listener {
	void (*take)(void *ctx, const struct turn_event *ev);
	void *ctx;
};

#endif
