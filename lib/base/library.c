#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

int library_refuse(const char *name, const char *package, struct err *e)
{
	return err_set(e, ERR_FAILED, "cannot load %s (%s); install it (on Debian: apt-get install %s)",
	               name, dlerror(), package);
}

void *library_open(const char *soname, const char *name, const char *package, struct err *e)
{
	void *lib = dlopen(soname, RTLD_LAZY | RTLD_LOCAL);

	if (!lib)
		library_refuse(name, package, e);
	return lib;
}

/* ISO C has no cast from an object pointer to a function's; POSIX makes it work. */
bool library_find(void *lib, const char *symbol, void *to)
{
	void *p = dlsym(lib, symbol);

	if (p)
		memcpy(to, &p, sizeof(p));
	return p != NULL;
}
