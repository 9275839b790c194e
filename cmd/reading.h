/*
 * Whether answers are shown as the Markdown that they are, and with which program's colours:
 * where stdout is a terminal (or a pager on one) that can, and the user does not want the plain
 * text.
 */
#ifndef CMD_READING_H
#define CMD_READING_H

#include <stdio.h>

#include "config/config.h"
#include "store/record.h"
#include "markdown/highlight.h"

struct reading {
	bool on;
	struct highlight *code; /* for struct markdown; NULL: no colours */
	struct highlight highlight;
	const char **words;     /* its program, of the settings */
};

#define READING_INIT { .highlight = HIGHLIGHT_INIT }

/* Before a pager is begun, if one is to be. The settings must stay. */
void reading_open(struct reading *r, const struct config *c, bool paged);
/* Only the program for code, of the settings. */
void reading_choose_code(struct reading *r, const struct config *c);
void reading_release(struct reading *r);

/* Prints an exchange as print_exchange() does, all of it, with its answer dressed. */
void reading_print(struct reading *r, FILE *f, const struct exchange *x);

/* Prints on stderr what an exchange begins with, up to so many lines of each text; with its answer
 * dressed, but no colours in its code, unless it is to be plain. */
void reading_print_first(const struct exchange *x, size_t lines, bool plain);

#endif
