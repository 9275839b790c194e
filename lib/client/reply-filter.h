/*
 * Makes what a server sends as a reply fit to be shown and stored, while it arrives:
 *
 * - Halves of a surrogate pair that come in two pieces are joined to one character; a half that
 *   stays alone becomes U+FFFD.
 * - The key and the other secrets of a request become asterisks where the server says them back.
 * - Text between <think> and </think> at the beginning of the reply becomes reasoning.
 *
 *	struct reply_filter f = { .key = &key, .think_tags = true };
 *	… each time the adapter has added something to the reply:
 *	reply_filter_run(&f, &reply, false)
 *	… show reply.text up to f.text, and reply.reasoning up to f.reasoning …
 *	reply_filter_run(&f, &reply, true)      the reply has ended, as it may
 *
 * What comes out does not depend on the pieces in which the reply came.
 */
#ifndef CLIENT_REPLY_FILTER_H
#define CLIENT_REPLY_FILTER_H

#include "provider/provider.h"
#include "client/key.h"

struct reply_filter {
	const struct key *key;
	bool think_tags;        /* are looked for */
	size_t text, reasoning; /* bytes of the reply's buffers that stay as they are */
	bool key_open;          /* behind these there may be the beginning of a secret */
	bool hidden;            /* the last run hid one */
	enum { THINK_BEFORE, THINK_INSIDE, THINK_AFTER, THINK_OVER } think; /* private */
	bool thought;           /* private: a part of the text became reasoning */
};

void reply_filter_run(struct reply_filter *f, struct reply *r, bool last);

#endif
