#include "net/curl.h"

#ifndef CURL_LINKED

#include "base/library.h"

#if defined(__APPLE__)
#define CURL_SONAME "libcurl.4.dylib"
#else
#define CURL_SONAME "libcurl.so.4"
#endif

LIBRARY_NOTE("http", "Talking to model servers", CURL_SONAME);

static int load(struct curl *c, struct err *e)
{
	void *lib = library_open(CURL_SONAME, "libcurl", "libcurl4", e);

	if (!lib)
		return -1;
#define CURL_FIND(name)                                                                            \
	if (!library_find(lib, "curl_" #name, &c->name))                                           \
		return err_set(e, ERR_FAILED, CURL_SONAME " is too old: it has no curl_" #name "()");
	CURL_FUNCTIONS(CURL_FIND)
#undef CURL_FIND
	return 0;
}

#else

static int load(struct curl *c, struct err *e)
{
	(void)e;
#define CURL_TAKE(name) c->name = curl_##name;
	CURL_FUNCTIONS(CURL_TAKE)
#undef CURL_TAKE
	return 0;
}

#endif

int curl_load(struct curl *c, struct err *e)
{
	CURLcode r;

	if (load(c, e) < 0)
		return -1;
	r = c->global_init(CURL_GLOBAL_DEFAULT);
	if (r != CURLE_OK)
		return err_set(e, ERR_FAILED, "cannot start libcurl: %s", c->easy_strerror(r));
	return 0;
}
