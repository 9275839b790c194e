/*
 * A part of a Markdown text (see tty/split.h) as rows.
 */
#ifndef MARKDOWN_RENDER_H
#define MARKDOWN_RENDER_H

#include "markdown/md4c.h"
#include "markdown/split.h"
#include "markdown/table.h"

struct render {
	const struct md4c *md4c;
	size_t columns;
	size_t from;   /* in the part's text: only what begins here or later is wanted */
	bool first;    /* the part is the first of its text, and has no blank row before it */
	/* From part to part: what of a list or table goes on. */
	unsigned ordinal;
	struct table_layout table;
};

/* Makes the rows of `p`, which is text or plain. What md4c cannot do is shown as it is. */
void render_part(struct render *r, const struct part *p, struct rows *rows);

#endif
