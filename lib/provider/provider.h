/*
 * Providers: pure translation between our records and what a vendor speaks. No
 * sockets, no files, no printing; so they are tested on recorded streams.
 *
 * For a turn: request() makes the URL and body from the conversation; each event
 * of the stream goes to event(), or the whole body of an answer that did not
 * stream to whole(); end() judges whether the reply is complete. A provider
 * without a network has local() instead, called until it has no more to say.
 * All of them add what they learn to a struct reply.
 */
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H

#include "store/record.h"

struct chat_request {
	const char *base_url; /* NULL: the provider's default */
	const char *model;
	struct span system; /* p == NULL: none */
	const struct record *turns; /* exchanges so far, oldest first */
	size_t nturns;
	struct span prompt;
	bool stream;
};

struct reply {
	struct buf text;
	struct buf reasoning;
	struct buf finish_reason; /* empty: the provider gave none */
	struct usage usage;
	bool done; /* the stream's end mark came */
};

#define REPLY_INIT { BUF_INIT, BUF_INIT, BUF_INIT, USAGE_NONE, false }
void reply_release(struct reply *r);

struct provider {
	const char *name;
	const char *summary;
	const char *base_url; /* the default; NULL when no network is used */
	const char *model;    /* the default, or NULL */

	/* Adds the next piece; 1 while there is more, 0 when that was all. */
	int (*local)(const struct chat_request *rq, struct reply *r, struct err *e);

	int (*request)(const struct chat_request *rq, struct buf *url, struct buf *body,
	               struct err *e);
	int (*event)(struct reply *r, struct span data, struct err *e);
	int (*whole)(struct reply *r, struct span body, struct err *e);
	int (*end)(const struct reply *r, struct err *e);
	/* The server's own words in the body of a failed request; nothing when it has none. */
	void (*problem)(struct span body, struct buf *message);
};

/* NULL ends the list. */
extern const struct provider *const providers[];

/* ERR_USAGE names the known ones. */
const struct provider *provider_find(const char *name, struct err *e);

/*
 * Exchanges that a model should see again: complete ones, and interrupted ones
 * with the part of their answer that came.
 */
bool exchange_counts(const struct exchange *x);

#endif
