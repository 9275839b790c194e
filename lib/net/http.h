/*
 * One HTTP request at a time, its answer handed on as it arrives.
 *
 * A struct http owns its connections until http_close(), and keeps them between
 * requests. Redirects are not followed: the key and the prompt would go along.
 * Certificates are always checked. What is sent to this machine passes no proxy.
 *
 * Every transfer has an end. The idle time bounds the time in which nothing of a body moves, and
 * a head that does not end; the body of a refusal has that time in all, and ten seconds at most;
 * of a request the server must take 4 KB a second, over that time. A 2xx answer goes on as long
 * as something comes: its end is for `piece`, or a deadline.
 *
 * No compression is asked for, as what is counted is to be what came. Servers that compress all
 * the same are understood as far as libcurl does; all limits are on the decoded bytes.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"
#include "config/config.h"
#include "base/idle.h"

struct http;

struct http_options {
	const char *proxy;    /* NULL: what the environment says; "": none */
	const char *no_proxy; /* hosts to reach without it, or NULL */
	long connect_timeout; /* s */
};

struct http_request {
	const char *url;
	const char *shown_url;      /* as messages show it, without a secret of its query */
	struct span body;           /* JSON to POST; p == NULL: a GET */
	const char *const *headers; /* lines to send, or NULL; ends with NULL */
	const struct config_header *more; /* of the user's own: each replaces ours of that name */
	size_t nmore;
	const char *secret_header;  /* the beginning of the line that the key ends, or NULL */
	const char *secret;
	bool plain;                 /* http:// to another machine is allowed */
	long idle_timeout;          /* seconds without a byte of a body in either direction */
	int64_t deadline;           /* steady clock, ms: it is over by then, whatever comes; 0: none */
	int stop_fd;                /* becomes readable when the user wants to stop; or -1 */
	struct idle *idle; /* or NULL */
	/* Takes a piece of the body of a 2xx answer. 1: that was all that is wanted, and
	 * the rest may be missing or late. -1 ends the transfer. */
	int (*piece)(void *ctx, struct span piece, struct err *e);
	void *ctx;
};

/* Whether the user's own headers replace this line of ours, "Name: value". */
bool http_is_replaced(const struct http_request *rq, const char *line);

/* Microseconds since the request began; of what did not happen, 0. */
struct http_times {
	int64_t resolved, connected, secured, sent, first_byte, end;
	long connections; /* that had to be opened */
};

enum http_failure {
	HTTP_FINE,
	HTTP_LOST,  /* no answer: another attempt may succeed */
	HTTP_FINAL, /* another attempt would fail as well */
};

struct http_response {
	enum http_failure failure; /* when http_send() returns -1 */
	long status;         /* 0: no answer came */
	struct buf headers;  /* lines as they came, of the last answer */
	struct buf body;     /* what another answer than 2xx said, up to 64 KB */
	bool proxied;        /* it went through a proxy */
	int64_t retry_after; /* ms that the server asks to wait; -1: it does not */
	struct http_times times;
};

void http_response_release(struct http_response *rs);

/* NULL when libcurl cannot be loaded. The strings of `o` are the caller's, and stay. */
struct http *http_open(const struct http_options *o, struct err *e);
void http_close(struct http *h);

/*
 * 0: an answer of any status came, whole. -1: none did, or it broke off:
 * ERR_NETWORK, ERR_INTERRUPTED, or what `piece` set. The caller releases *rs in any
 * case.
 */
int http_send(struct http *h, const struct http_request *rq, struct http_response *rs,
              struct err *e);

#endif
