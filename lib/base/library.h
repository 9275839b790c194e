/*
 * A shared library that is loaded when it is first needed, and stays loaded.
 *
 *	LIBRARY_NOTE("http", "Talking to model servers", SONAME);   in the file that loads it
 *	lib = library_open(SONAME, "libcurl", "libcurl4", &e);
 *	library_find(lib, "curl_easy_init", &easy_init)
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Tells packaging tools of the dependency that the dynamic section does not show.
 * Format: https://systemd.io/ELF_DLOPEN_METADATA
 */
#if defined(__ELF__)
#define LIBRARY_NOTE(feature, description, soname)                                                 \
	LIBRARY_NOTE_JSON("[{\"feature\":\"" feature "\",\"description\":\"" description           \
	                  "\",\"priority\":\"recommended\",\"soname\":[\"" soname "\"]}]")
#define LIBRARY_NOTE_JSON(text)                                                                    \
	__attribute__((used, section(".note.dlopen"), aligned(4)))                                 \
	static const struct {                                                                      \
		uint32_t name_size, json_size, type;                                               \
		char name[4];                                                                      \
		_Alignas(4) char json[sizeof(text)];                                               \
	} library_note = { 4, sizeof(text), 0x407c0c0a, "FDO", text }
#else
#define LIBRARY_NOTE(feature, description, soname) struct library_note
#endif

/* NULL: it is not there; the error says which package of Debian's has it. */
void *library_open(const char *soname, const char *name, const char *package, struct err *e);
/* The same error, where what it holds is of no use. Returns -1. */
int library_refuse(const char *name, const char *package, struct err *e);
/* Puts a function's or a variable's address into *to; false when it has none of that name. */
bool library_find(void *lib, const char *symbol, void *to);

#endif
