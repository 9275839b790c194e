/*
 * One HTTP POST at a time, its answer handed on as it arrives.
 *
 * A struct http owns its connections until http_close(), and keeps them between
 * requests. Redirects are not followed: the key and the prompt would go along.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"

struct http;

struct http_request {
	const char *url;
	struct span body;   /* JSON */
	const char *bearer; /* the API key, or NULL */
	long idle_timeout;  /* seconds without a byte in either direction */
	int stop_fd;        /* becomes readable when the user wants to stop; or -1 */
	/* Takes a piece of the body of a 2xx answer. 1: that was all that is wanted, and
	 * the rest may be missing or late. -1 ends the transfer. */
	int (*piece)(void *ctx, struct span piece, struct err *e);
	void *ctx;
};

struct http_response {
	long status;     /* 0: no answer came */
	struct buf body; /* what another answer than 2xx said, up to 64 KB; the caller releases it */
};

/* NULL when libcurl cannot be loaded. */
struct http *http_open(struct err *e);
void http_close(struct http *h);

/*
 * 0: an answer of any status came, whole. -1: none did, or it broke off:
 * ERR_NETWORK, ERR_INTERRUPTED, or what `piece` set.
 */
int http_post(struct http *h, const struct http_request *rq, struct http_response *rs,
              struct err *e);

#endif
