/*
 * libcurl, loaded when it is first needed. Linking it would cost every start about
 * 3 ms and 30 libraries, which no session tool uses. `make CURL=link` links it.
 *
 * Only net includes <curl/curl.h>.
 */
#ifndef NET_CURL_H
#define NET_CURL_H

/* The functions are called through pointers, which the type-checking macros do not know. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "base/err.h"

#define CURL_FUNCTIONS(X)                                                                          \
	X(global_init) X(easy_init) X(easy_setopt) X(easy_getinfo) X(easy_cleanup)                 \
	X(easy_strerror) X(slist_append) X(slist_free_all) X(multi_init) X(multi_cleanup)          \
	X(multi_add_handle) X(multi_remove_handle) X(multi_perform) X(multi_poll)                  \
	X(multi_info_read) X(multi_strerror) X(version_info)

struct curl {
#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
	CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* Fills in the table and initialises the library; it stays loaded. */
int curl_load(struct curl *c, struct err *e);

#endif
