/* Folders of a path. */
#ifndef BASE_FOLDERS_H
#define BASE_FOLDERS_H

#include <stddef.h>

#include "base/err.h"

/*
 * Creates a folder and the missing ones above it, as mkdir -p does, with mode 0700. Existing
 * folders keep their modes. A file or a dangling link in the place of a folder is not noticed at
 * the end of the path: the caller opens the folder and finds out.
 *
 * `each`, unless NULL, is called for every folder on the path, from the top, after it exists; it
 * may change its argument if it restores it. Its failure (-1 and *e) ends the call.
 *
 * *made, unless NULL, is the length in bytes of the topmost path that was created; 0: none was. It
 * is set after a failure, too. The error names the folder that could not be created.
 */
int folders_make(const char *path, int (*each)(char *path, struct err *e), size_t *made, struct err *e);

#endif
