#include "net/curl.h"

#ifndef CURL_LINKED

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#if defined(__APPLE__)
#define CURL_SONAME "libcurl.4.dylib"
#else
#define CURL_SONAME "libcurl.so.4"
#endif

/*
 * Tells packaging tools of the dependency that the dynamic section does not show.
 * Format: https://systemd.io/ELF_DLOPEN_METADATA
 */
#if defined(__ELF__)
#define NOTE_JSON                                                                                  \
	"[{\"feature\":\"http\",\"description\":\"Talking to model servers\","                     \
	"\"priority\":\"recommended\",\"soname\":[\"" CURL_SONAME "\"]}]"

struct dlopen_note {
	uint32_t name_size, json_size, type;
	char name[4];
	_Alignas(4) char json[sizeof(NOTE_JSON)];
};

__attribute__((used, section(".note.dlopen"), aligned(4)))
static const struct dlopen_note note = { 4, sizeof(NOTE_JSON), 0x407c0c0a, "FDO", NOTE_JSON };
#endif

/* ISO C has no cast from an object pointer to a function's; POSIX makes it work. */
static int find(void *lib, const char *name, void *to, struct err *e)
{
	void *p = dlsym(lib, name);

	if (!p)
		return err_set(e, ERR_FAILED, CURL_SONAME " is too old: it has no %s()", name);
	memcpy(to, &p, sizeof(p));
	return 0;
}

static int load(struct curl *c, struct err *e)
{
	void *lib = dlopen(CURL_SONAME, RTLD_LAZY | RTLD_LOCAL);

	if (!lib)
		return err_set(e, ERR_FAILED,
		               "cannot load libcurl (%s); install it (on Debian: apt-get install "
		               "libcurl4)", dlerror());
#define CURL_FIND(name)                                                                            \
	if (find(lib, "curl_" #name, &c->name, e) < 0)                                             \
		return -1;
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
