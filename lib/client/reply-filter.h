/*
 * Prepares a reply for the screen and the store while it arrives:
 *
 * - Joins the halves of a surrogate pair that arrive in two pieces; a single half becomes U+FFFD.
 * - Replaces the key and the other secrets of the request, if the server repeats them, by asterisks.
 * - Moves text between <think> and </think> at the beginning of the reply to the reasoning.
 *
 *	struct reply_filter f = { .key = &key, .think_tags = true };
 *	… each time after the adapter has added to the reply:
 *	reply_filter_run(&f, &reply, false)
 *	… show reply.text up to f.text, and reply.reasoning up to f.reasoning …
 *	reply_filter_run(&f, &reply, true)      the reply has ended
 *
 * The result does not depend on how the reply was cut into pieces.
 */
#ifndef CLIENT_REPLY_FILTER_H
#define CLIENT_REPLY_FILTER_H

#include "provider/provider.h"
#include "client/key.h"

struct reply_filter {
	const struct key *key;
	bool think_tags;        /* look for them */
	size_t text, reasoning; /* bytes of the reply's buffers that are final */
	bool key_open;          /* a secret may begin after these */
	bool hidden;            /* the last run found a secret */
	enum { THINK_BEFORE, THINK_INSIDE, THINK_AFTER, THINK_OVER } think; /* private */
	bool thought;           /* private: text became reasoning */
};

void reply_filter_run(struct reply_filter *f, struct reply *r, bool last);

#endif
