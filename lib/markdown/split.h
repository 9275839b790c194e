/*
 * Markdown cut into parts, each of which means the same alone as in its place, line by line
 * as the text arrives.
 *
 * It is cut before and after headings (#), before the items of lists that are in no other
 * block, at fenced code blocks, and where a line that is not indented follows a blank one.
 * Code comes line by line. What grows beyond all measure is cut in any case, and plain from
 * there on: SPLIT_LIMIT bounds what has to be parsed again and again. Where it is cut depends
 * on the text alone.
 *
 *	split_add(&s, text);               as often as some arrives
 *	while (split_next(&s, &part)) …    the parts that are complete
 *	split_rest(&s, &part);             what there is of the next
 *	split_end(&s);                     then split_next() tells the rest
 *
 * To make this true, definitions of links ("[1]: https://…") are taken for text, by a
 * character in their middle that is not to be shown (SPLIT_MARK); so nothing that a reply
 * says is out of sight. The text must be UTF-8.
 */
#ifndef MARKDOWN_SPLIT_H
#define MARKDOWN_SPLIT_H

#include "base/buf.h"

#define SPLIT_LIMIT 32768 /* bytes of a part */
#define SPLIT_TABLE 4096  /* of a table's: the next has its head again */
#define SPLIT_LINE  4096  /* of a line of code or of plain text */

#define SPLIT_MARK "\xef\xb7\x90" /* ROWS_HIDDEN, U+FDD0: no character, never to be exchanged */

enum part_kind {
	PART_TEXT,      /* Markdown, in whole lines */
	PART_PLAIN,     /* a line, or some of one */
	PART_FENCE,     /* the line that begins a code block */
	PART_CODE,      /* a line of it, or some of one */
	PART_FENCE_END, /* the line that ends it */
};

struct part {
	enum part_kind kind;
	struct span text;  /* without the newline, but for PART_TEXT; until the next call */
	struct span head;  /* of the table that goes on in this part: its first two lines, again */
	bool blank;        /* a blank line is before it */
	bool goes_on;      /* the list, table or line of the part before does */
	bool unfinished;   /* the table or line goes on in the next part */
};

enum split_inside { IN_TEXT, IN_LIST, IN_TABLE, IN_DOUBT };

struct split {
	struct buf text;
	size_t at;         /* the part that is being made begins here */
	size_t seen;       /* lines up to here belong to it */
	size_t searched;   /* for an end of line */
	size_t taken;      /* bytes of the part that was told and is to go */
	bool ended;
	/* of the part */
	enum split_inside inside;
	bool plain;        /* too long to be parsed */
	bool mid_line;     /* some of a line was told */
	bool goes_on, blank;
	bool headed;       /* it begins within a table */
	bool was_blank;    /* the line before was */
	bool heading;      /* it was one, and is complete */
	bool doubtful_fence;
	size_t last_line;  /* where the line before begins */
	char delimiter;    /* of the list's items */
	struct buf head;   /* of the table */
	/* of the code block */
	char fence;        /* 0: none */
	size_t fence_length, fence_indent;
};

#define SPLIT_INIT { .text = BUF_INIT, .head = BUF_INIT }

void split_add(struct split *s, struct span text);
/* The next complete part, if there is one. */
bool split_next(struct split *s, struct part *p);
/* What came of the part that is not complete; its text may be empty. */
void split_rest(const struct split *s, struct part *p);
/* No more will be added, until all parts are told. */
void split_end(struct split *s);
void split_release(struct split *s);

/* The language of a code block, from the line that begins it. */
struct span split_language(struct span fence);

#endif
