/* Base URLs: what may be sent to. RFC 3986 for the form. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * ERR_USAGE for a URL that is not http:// or https:// and a host, or holds a user, a
 * password, a fragment, blanks or control characters. It may have a query. The error shows
 * neither a password nor a secret of the query.
 */
int url_check(const char *url, struct err *e);

/* ERR_USAGE for http:// to another machine, unless that is `allowed`. */
int url_check_way(const char *url, bool allowed, struct err *e);

/* The scheme is http. */
bool url_is_plain(const char *url);
/* The host is this machine: localhost, *.localhost (RFC 6761), 127.0.0.0/8, 0.0.0.0, ::1, :: or
 * one of these IPv4 addresses mapped to IPv6. */
bool url_is_local(const char *url);
/* Steps through the values of the query that may be secrets. *at begins as the URL. Returns
 * false at the end. */
bool url_next_secret(const char **at, struct span *value);
/* Adds the URL as it may be shown: with *** in place of those values. */
void url_add_shown(struct buf *b, const char *url);
/* The host, without a port and the brackets of an IPv6 address. */
struct span url_host(const char *url);

#endif
