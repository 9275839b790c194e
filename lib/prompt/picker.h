/*
 * A list at the terminal, to pick one item of: type to filter, see what the selected one
 * is about, press Enter.
 *
 * The picker knows nothing of what it lists. It asks a source: for the next item until
 * there is none, and for what to show of those that are in sight. So it is on the screen
 * at once, however many there are. What a source gives is shown through neutral.h.
 *
 * On a terminal that cannot do this (TERM=dumb), and when asked to, it prints numbered
 * lines and takes a number or words to look for, a line each.
 */
#ifndef PROMPT_PICKER_H
#define PROMPT_PICKER_H

#include "base/buf.h"
#include "tty/columns.h"

/* What is beside or below the list: rows that fit. */
struct picker_preview {
	size_t rows, columns; /* the room there is */
	struct buf text;      /* harmless, a line for each row */
	size_t n;             /* rows of it */
};

/* Adds `text`, broken between words to fit, at most `max` rows of it and no more than there
 * is room for. Where that is not all, the last one ends with "…". */
void picker_show(struct picker_preview *v, struct span text, size_t max);

struct picker_source {
	void *ctx;
	const char *what;  /* is picked: stands before the filter, "Session" */
	struct span typed; /* what the filter begins with */
	/* At most COLUMNS_MAX, whose windows are the list without its mark. They grow with what was in
	 * sight, so `from` decides which are shown: none comes or goes while the list scrolls. */
	const struct column *columns;
	size_t ncolumns;
	/* Adds all text that the next item is found by; false when there is none. Items are
	 * counted from 0 in this order. */
	bool (*next)(void *ctx, struct buf *text);
	/* Adds what the columns show, separated by tabs. */
	void (*row)(void *ctx, size_t item, struct buf *cells);
	void (*preview)(void *ctx, size_t item, struct picker_preview *v);
	/* Whether it can be picked still; the error's message is shown. */
	int (*check)(void *ctx, size_t item, struct err *e);
};

struct picker_terminal {
	int in, out; /* both are the terminal */
	int stop_fd; /* becomes readable when it is to end; or -1 */
	bool plain;  /* lines only, as for a screen reader */
	struct buf *ahead; /* keys that were read from `in` already; what is not needed stays. Or NULL */
};

/* 1: *item is picked. 0: the user left without a choice. -1: an error; ERR_INTERRUPTED when
 * it was stopped. The terminal is as it was in any case. */
int picker_run(const struct picker_source *source, const struct picker_terminal *t, size_t *item,
               struct err *e);

#endif
