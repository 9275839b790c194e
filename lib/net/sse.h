/*
 * Server-sent events (WHATWG HTML, "Server-sent events", 9.2): fed with bytes as
 * they come, it reports each event's data. Lines end with LF, CRLF or CR; a chunk
 * may end anywhere. Event names, ids and retry times are not used by the streams
 * that we read, and are passed over with the comments.
 *
 * Beyond the specification, a field called `error` counts as data: llama.cpp's server reports
 * so. Some servers leave out the blank lines, so an event whose data is a JSON object or list ends
 * with the line that closes it, and any other event ends where such a line begins.
 */
#ifndef NET_SSE_H
#define NET_SSE_H

#include "base/buf.h"

#define SSE_EVENT_MAX (16u << 20) /* bytes of one line or event */

struct sse {
	struct buf line, data;
	bool have_data, skip_lf, begun;
	bool json;                /* the data begins like an object or a list */
	bool in_string, escaped;  /* at the end of the data, when it is JSON */
	size_t depth;             /* of its brackets that are open */
	int (*event)(void *ctx, struct span data, struct err *e); /* -1 ends the parsing */
	void *ctx;
};

#define SSE_INIT(f, c) { .line = BUF_INIT, .data = BUF_INIT, .event = f, .ctx = c }

int sse_feed(struct sse *s, struct span chunk, struct err *e);
/* The stream is over. An event whose closing blank line is missing still counts:
 * servers leave it out after the last one. */
int sse_end(struct sse *s, struct err *e);
void sse_release(struct sse *s);

#endif
