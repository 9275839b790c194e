/* One request on its way, for http.c and what it is set up with. Not for others. */
#ifndef NET_TRANSFER_H
#define NET_TRANSFER_H

#include "net/curl.h"
#include "net/http.h"

struct http {
	struct curl curl;
	CURLM *multi;
	struct http_options options;
};

struct transfer {
	struct http *h;
	const struct http_request *rq;
	struct http_response *rs;
	struct err *e;
	CURL *easy;
	struct curl_slist *headers;
	int64_t last_activity; /* steady clock, ms, like the next ones */
	int64_t refused_at;    /* a status other than 2xx came; 0: not yet */
	curl_off_t received;   /* bytes of a body, at the last activity */
	curl_off_t taken;      /* bytes of the request's body, likewise */
	bool begun_to_send;    /* that body */
	int64_t enough_since;  /* when `piece` had all that it wanted; 0: not yet */
	size_t header_bytes;   /* of all answers, the proxy's too */
	bool sent;             /* all of it */
	bool noise;            /* the body is compressed, and cannot be decoded */
	bool begun;            /* something of a body came */
	const char *authorities; /* where certificates of authorities are taken from; NULL: libcurl's */
	char why[CURL_ERROR_SIZE];
};

/* Everything but where the answer goes: the URL, the headers, the way there. */
int transfer_set_up(struct transfer *t);
/* Whether the request goes through a proxy. */
bool transfer_has_proxy(const struct transfer *t);
/* Words on that proxy, without its password; empty when there is none. */
void transfer_tell_proxy(const struct transfer *t, char out[512]);
/* What libcurl says may be the proxy's address as it was given. */
void transfer_redact_proxy(struct transfer *t);

#endif
