#include "tty/readline.h"

#ifndef READLINE_LINKED

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#if defined(__APPLE__)
#define READLINE_SONAME "libreadline.8.dylib"
#else
#define READLINE_SONAME "libreadline.so.8"
#endif

/*
 * Tells packaging tools of the dependency that the dynamic section does not show.
 * Format: https://systemd.io/ELF_DLOPEN_METADATA
 */
#if defined(__ELF__)
#define NOTE_JSON                                                                                  \
	"[{\"feature\":\"editing\",\"description\":\"Editing prompts at a terminal\","             \
	"\"priority\":\"recommended\",\"soname\":[\"" READLINE_SONAME "\"]}]"

struct dlopen_note {
	uint32_t name_size, json_size, type;
	char name[4];
	_Alignas(4) char json[sizeof(NOTE_JSON)];
};

__attribute__((used, section(".note.dlopen"), aligned(4)))
static const struct dlopen_note note = { 4, sizeof(NOTE_JSON), 0x407c0c0a, "FDO", NOTE_JSON };
#endif

/* A variable's or a function's address; for the latter ISO C has no cast, POSIX makes it
 * work. */
static int find(void *lib, const char *name, void *to, struct err *e)
{
	void *p = dlsym(lib, name);

	if (!p)
		return err_set(e, ERR_FAILED, READLINE_SONAME " is too old: it has no %s", name);
	memcpy(to, &p, sizeof(p));
	return 0;
}

int readline_load(struct readline *rl, struct err *e)
{
	void *lib = dlopen(READLINE_SONAME, RTLD_LAZY | RTLD_LOCAL);

	if (!lib)
		return err_set(e, ERR_FAILED,
		               "cannot load readline (%s); install it (on Debian: apt-get install "
		               "libreadline8)", dlerror());
#define READLINE_FIND(name)                                                                        \
	if (find(lib, #name, &rl->name, e) < 0)                                                    \
		return -1;
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
