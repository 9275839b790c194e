/*
 * Whether a text may be dressed up where it is shown: the one place where that is decided.
 */
#ifndef TTY_STYLE_H
#define TTY_STYLE_H

#include <stdbool.h>

/* `fd` is a terminal that understands more than text (TERM is set, and not "dumb"), and
 * nobody asked for text alone by NO_COLOR (https://no-color.org). */
bool style_allowed(int fd);

#endif
