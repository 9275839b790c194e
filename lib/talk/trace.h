/*
 * A trace of the requests of a turn and what came back, as JSON Lines, to debug with.
 * mc-chat(1) documents the records. Keys are not in it: where a header holds one, and
 * where a server says it back, there are asterisks.
 *
 * A trace that cannot be written says so once and ends nothing.
 */
#ifndef TALK_TRACE_H
#define TALK_TRACE_H

#include "net/http.h"
#include "talk/key.h"

struct trace {
	int fd;                /* -1: none */
	int64_t started;       /* of the request, steady clock, ms */
	const struct key *key; /* to redact */
	int failed;            /* errno of the first write that failed; 0: none */
};

#define TRACE_INIT { .fd = -1 }

/* Appends to the file; a new one has mode 0600. */
int trace_open(struct trace *t, const char *path, struct err *e);
void trace_close(struct trace *t);

/* `t` may be NULL in all of these. */
void trace_request(struct trace *t, const struct http_request *rq, const struct key *key,
                   int attempt);
/* An event, or the whole body of an answer that did not stream. */
void trace_data(struct trace *t, struct span data);
/* What came of it; `why` is the error's message, or NULL. */
void trace_response(struct trace *t, const struct http_response *rs, const char *why);

#endif
