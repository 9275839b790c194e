#include "prompt/readline.h"

#ifndef READLINE_LINKED

#include "base/library.h"

#if defined(__APPLE__)
#define READLINE_SONAME "libreadline.8.dylib"
#else
#define READLINE_SONAME "libreadline.so.8"
#endif

LIBRARY_NOTE("editing", "Editing prompts at a terminal", READLINE_SONAME);

int readline_load(struct readline *rl, struct err *e)
{
	void *lib = library_open(READLINE_SONAME, "readline", "libreadline8", e);

	if (!lib)
		return -1;
#define READLINE_FIND(name)                                                                        \
	if (!library_find(lib, #name, &rl->name))                                                  \
		return err_set(e, ERR_FAILED, READLINE_SONAME " is too old: it has no " #name);
	READLINE_FUNCTIONS(READLINE_FIND)
	READLINE_VARIABLES(READLINE_FIND)
#undef READLINE_FIND
	return 0;
}

#else

int readline_load(struct readline *rl, struct err *e)
{
	(void)e;
#define READLINE_TAKE(name) rl->name = &name;
	READLINE_FUNCTIONS(READLINE_TAKE)
	READLINE_VARIABLES(READLINE_TAKE)
#undef READLINE_TAKE
	return 0;
}

#endif
