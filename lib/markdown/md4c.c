#include "markdown/md4c.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#if defined(__APPLE__)
#define MD4C_SONAME "libmd4c.0.dylib"
#else
#define MD4C_SONAME "libmd4c.so.0"
#endif

/* As in net/curl.c: what the dynamic section does not show. */
#if defined(__ELF__)
#define NOTE_JSON                                                                                  \
	"[{\"feature\":\"markdown\",\"description\":\"Markdown at the terminal\","                 \
	"\"priority\":\"recommended\",\"soname\":[\"" MD4C_SONAME "\"]}]"

struct dlopen_note {
	uint32_t name_size, json_size, type;
	char name[4];
	_Alignas(4) char json[sizeof(NOTE_JSON)];
};

__attribute__((used, section(".note.dlopen"), aligned(4)))
static const struct dlopen_note note = { 4, sizeof(NOTE_JSON), 0x407c0c0a, "FDO", NOTE_JSON };
#endif

int md4c_load(struct md4c *m, struct err *e)
{
	void *lib = dlopen(MD4C_SONAME, RTLD_LAZY | RTLD_LOCAL);
	void *p = lib ? dlsym(lib, "md_parse") : NULL;

	if (!p)
		return err_set(e, ERR_FAILED, "cannot load md4c (%s); install it (on Debian: apt-get install "
		               "libmd4c0)", dlerror());
	memcpy(&m->parse, &p, sizeof(p)); /* see find() in net/curl.c */
	return 0;
}
