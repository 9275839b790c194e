/*
 * md4c, which parses Markdown (CommonMark, with GitHub's tables, task lists and struck
 * text), loaded when it is first needed. Without it a text is shown as it is.
 *
 * Only markdown includes <md4c.h>.
 */
#ifndef MARKDOWN_MD4C_H
#define MARKDOWN_MD4C_H

#include <md4c.h>

#include "base/err.h"

struct md4c {
	__typeof__(md_parse) *parse;
};

/* It stays loaded; asking again costs next to nothing. */
int md4c_load(struct md4c *m, struct err *e);

#endif
