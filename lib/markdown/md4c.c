#include "markdown/md4c.h"

#include "base/library.h"

#if defined(__APPLE__)
#define MD4C_SONAME "libmd4c.0.dylib"
#else
#define MD4C_SONAME "libmd4c.so.0"
#endif

LIBRARY_NOTE("markdown", "Markdown at the terminal", MD4C_SONAME);

int md4c_load(struct md4c *m, struct err *e)
{
	void *lib = library_open(MD4C_SONAME, "md4c", "libmd4c0", e);

	if (!lib)
		return -1;
	if (!library_find(lib, "md_parse", &m->parse))
		return library_refuse("md4c", "libmd4c0", e);
	return 0;
}
