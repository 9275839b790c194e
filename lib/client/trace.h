/*
 * A trace of the requests of a turn and what came back, as JSON Lines, to debug with.
 * mc-chat(1) documents the records. Keys are not in it: where a header holds one, and
 * where a server says it back, there are asterisks. Lines of data are held until it is known
 * whether a key in pieces is in them.
 *
 * A trace that cannot be written says so once and ends nothing.
 */
#ifndef CLIENT_TRACE_H
#define CLIENT_TRACE_H

#include "net/http.h"
#include "client/key.h"

struct trace {
	int fd;                /* -1: none */
	int64_t started;       /* of the request, steady clock, ms */
	const struct key *key; /* to redact */
	int failed;            /* errno of the first write that failed; 0: none */
	struct buf held, bare; /* lines that are not written yet, and what they are without their data */
};

#define TRACE_INIT { .fd = -1, .held = BUF_INIT, .bare = BUF_INIT }

/* Appends to the file; a new one has mode 0600. */
int trace_open(struct trace *t, const char *path, struct err *e);
/* Returns the errno of the first write that failed, or 0. */
int trace_close(struct trace *t);

/* `t` may be NULL in all of these. */
void trace_request(struct trace *t, const struct http_request *rq, const struct key *key,
                   int attempt);
/* An event, or the whole body of an answer that did not stream. It is held until one of the next
 * two, as a part of the key may be in it whose rest is yet to come. */
void trace_data(struct trace *t, struct span data);
/* Writes what is held; or writes it without its data, which would tell the key. */
void trace_release(struct trace *t);
void trace_withhold(struct trace *t);
/* What came of it; `why` is the error's message, or NULL. */
void trace_response(struct trace *t, const struct http_response *rs, const char *why);

#endif
