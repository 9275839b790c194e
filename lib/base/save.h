/* A text into a file of the user's, all of it or nothing. */
#ifndef BASE_SAVE_H
#define BASE_SAVE_H

#include "base/buf.h"

/*
 * Writes it under another name beside it, forces that to the disk and gives it the name. A file
 * that is there is ERR_EXISTS and stays; with `replace` it is replaced, a link to it still leads
 * there, and it keeps its mode.
 */
int save_file(const char *path, struct span bytes, bool replace, struct err *e);

#endif
