/*
 * What a tool prints at a terminal, in a pager. A tool begins it when it has something to
 * print, and not before: what can go wrong until then is told on the terminal itself.
 */
#ifndef CMD_PAGE_H
#define CMD_PAGE_H

#include "config/config.h"

/* From here on, if stdout is a terminal and its user wants a pager. One that cannot be run
 * is told, and does without. The pager gets no key of the settings into its environment. */
void page_begin(const struct config *c);
/* The tool's exit status, once its user has read enough. */
int page_end(int status);

#endif
