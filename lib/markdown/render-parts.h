/*
 * A part that is being rendered: what the files of tty/render.h share.
 *
 *	render.c         what md4c tells, and its blocks
 *	render-place.c   where in the source they are
 *	render-code.c    code blocks
 *	render-inline.c  the text in the others
 */
#ifndef MARKDOWN_RENDER_PARTS_H
#define MARKDOWN_RENDER_PARTS_H

#include "markdown/render.h"

#define RENDER_LISTS 32
#define RENDER_NONE SIZE_MAX

/* A list that is open; the deepest of very many count for one. */
struct list {
	bool ordered;
	unsigned number;
	char delimiter;
};

/* What is on its way while md4c tells. */
struct rendering {
	struct render *how;
	const struct part *part;
	struct rows *rows;
	struct flow flow;
	struct margins margins;
	struct span text;    /* that md4c was given: the part's, maybe with another head of a table */
	size_t head, added;  /* bytes of that, and how many more that is than in the part */
	size_t told;         /* up to here; RENDER_NONE: nothing yet */
	bool any;            /* there is a block already */
	bool leaf, begun;    /* in a block that has text; and its first row is due no more */
	unsigned strong, em, del, code, link;
	unsigned style;      /* of the block */
	struct list lists[RENDER_LISTS];
	size_t nlists;
	bool counted;        /* the first ordered list is through */
	bool in_code;
	char fence;
	struct buf line;     /* of code */
	size_t line_source, line_indent; /* where its text is, and bytes of the line before it */
	bool in_table;
	struct table *table; /* it */
	size_t column, head_source;
	unsigned level;      /* of the heading */
	struct buf linked;   /* the text of the link that is open */
	struct buf opening;  /* of spans that begin with the next text */
};

/* ---- render-place.c ---- */

/* Whether `p` points into the text that md4c was given. */
bool render_is_ours(const struct rendering *s, const char *p);
/* Where in the part's text; what the head of a table says is before all of it. */
size_t render_source(const struct rendering *s, size_t at);
size_t render_source_now(const struct rendering *s);
/* Where something begins that is shown as a whole or not at all: there, or where something was
 * frozen within it. */
size_t render_at_once(const struct rendering *s, size_t start, size_t end);
/* Where that line begins: a table's row, however its first cell is understood. */
size_t render_line_now(const struct rendering *s);
size_t render_end_of_line(const struct rendering *s, size_t at);
/* The line that the next block begins with, when md4c does not say it by a text. */
size_t render_next_line(const struct rendering *s);
/* Whether a blank line is between what was told and `at`. */
bool render_blank_before(const struct rendering *s, size_t at);

/* ---- render.c ---- */

/* Between two blocks is a blank row where the source has one. */
void render_begin_block(struct rendering *s, size_t at);
/* Text follows, in a block of its own. */
void render_begin_text(struct rendering *s);
/* A marker that has no text beside it. */
void render_flush_marker(struct rendering *s);

/* ---- render-code.c ---- */

void render_begin_code(struct rendering *s, const MD_BLOCK_CODE_DETAIL *d);
void render_add_code(struct rendering *s, struct span text);
void render_end_code(struct rendering *s);

/* ---- render-inline.c ---- */

void render_add_attribute(struct buf *b, const MD_ATTRIBUTE *a);
/* The block has its first text, which is at `at`. */
void render_begin_leaf(struct rendering *s, size_t at);
/* For md4c. */
int render_enter_span(MD_SPANTYPE type, void *detail, void *ctx);
int render_leave_span(MD_SPANTYPE type, void *detail, void *ctx);
int render_text(MD_TEXTTYPE type, const MD_CHAR *p, MD_SIZE n, void *ctx);

#endif
