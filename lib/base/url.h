/* Base URLs: what may be sent to. RFC 3986 for the form. */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * ERR_USAGE for a URL that is not http:// or https:// and a host, or holds a user, a
 * password, a query, a fragment, blanks or control characters. The error does not show
 * what may be a password.
 */
int url_check(const char *url, struct err *e);

/* ERR_USAGE for http:// to another machine, unless that is `allowed`. */
int url_check_way(const char *url, bool allowed, struct err *e);

/* The scheme is http. */
bool url_is_plain(const char *url);
/* The host is this machine: localhost, 127.0.0.0/8 or ::1. */
bool url_is_local(const char *url);
/* The host, without a port and the brackets of an IPv6 address. */
struct span url_host(const char *url);

#endif
