/*
 * What a line of Markdown is by itself, as far as tty/split.h has to know: by CommonMark 0.31
 * and GitHub's tables. The beginning of a long line decides.
 */
#ifndef MARKDOWN_SPLIT_LINE_H
#define MARKDOWN_SPLIT_LINE_H

#include "base/buf.h"

#define LINE_HEAD 1024 /* bytes that decide */

struct md_line {
	struct span head;
	bool blank;
	size_t indent; /* columns before its first character */
	char first;
};

struct md_line line_look(struct span line);

/* How many times `c` stands at `at`; whether only blanks do. */
size_t line_run(struct span s, size_t at, char c);
bool line_is_blank_from(struct span s, size_t at);

/* The length of the fence that begins here, 0: none does. */
size_t line_fence(const struct md_line *l);
bool line_is_heading(const struct md_line *l);
bool line_is_rule(const struct md_line *l);
/* An item that begins in the first column and is not empty: its delimiter; else 0. *first: it
 * may end a paragraph. */
char line_item(const struct md_line *l, bool *first);
/* A list's marker, or what may be one in some place. */
bool line_is_marker(const struct md_line *l);
/* The columns of a table, by the line that underlines its head; 0: it is none. */
size_t line_table_columns(const struct md_line *l);
/* The cells of a line of a table. */
size_t line_cells(struct span line);
bool line_ends_table(const struct md_line *l);

#endif
