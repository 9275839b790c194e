/*
 * Traces the requests of a turn and the answers as JSON Lines, for debugging. mc-chat(1) documents the
 * records. Asterisks replace the key in headers and in what a server repeats. Lines of data are held
 * until it is known whether they contain a part of the key.
 *
 * A trace that cannot be written is reported once and ends nothing.
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
	struct buf held, bare; /* lines that are not written yet, with and without their data */
};

#define TRACE_INIT { .fd = -1, .held = BUF_INIT, .bare = BUF_INIT }

/* Appends to the file; a new one has mode 0600. */
int trace_open(struct trace *t, const char *path, struct err *e);
/* Returns the errno of the first write that failed, or 0. */
int trace_close(struct trace *t);

/* `t` may be NULL in all of these. */
void trace_request(struct trace *t, const struct http_request *rq, const struct key *key,
                   int attempt);
/* An event, or the whole body of an answer that does not stream. It is held until one of the next two
 * calls, because it may end with the first half of the key. */
void trace_data(struct trace *t, struct span data);
/* Writes the held lines; or writes them without their data, which contain the key. */
void trace_release(struct trace *t);
void trace_withhold(struct trace *t);
/* The answer; `why` is the message of the error, or NULL. */
void trace_response(struct trace *t, const struct http_response *rs, const char *why);

#endif
