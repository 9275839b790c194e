/*
 * The picker's parts, for its own files and its tests:
 *
 *	picker.c          the terminal and the loop
 *	picker-list.c     the items, which of them fit, the keys
 *	picker-draw.c     a frame
 *	picker-preview.c  text broken to fit
 *	picker-plain.c    the way without a screen
 */
#ifndef PROMPT_PICKER_PARTS_H
#define PROMPT_PICKER_PARTS_H

#include "prompt/filter.h"
#include "prompt/keys.h"
#include "prompt/picker.h"

/*
 * Items are looked at in slices, so that a key never waits for all of them. `fits` has
 * three parts: items that fit [0, kept), a gap, and those still to be looked at [at, n),
 * each in order. A filter that only grew looks at those again that fitted.
 */
struct picker {
	const struct picker_source *source;
	struct buf text;  /* what the items are found by, folded, one behind the other */
	size_t *ends;     /* where each one's text ends */
	size_t nitems, ends_cap;
	bool loaded;      /* there are no more */
	size_t *fits, kept, at, n, fits_cap;

	struct buf typed; /* the filter */
	struct filter filter;
	size_t selected;  /* of those that fit */
	size_t top, page; /* the first in sight, and how many are */
	struct buf message;
	struct buf scratch;

	struct column columns[COLUMNS_MAX]; /* the source's, as wide as what was in sight */
	struct picker_preview preview;
	size_t preview_of; /* an item, or PICKER_NONE */
};

#define PICKER_NONE SIZE_MAX
#define PICKER_TYPED_MAX 256 /* bytes */

enum picker_end { PICKER_GOES_ON, PICKER_PICKED, PICKER_LEFT, PICKER_SUSPENDED, PICKER_REDRAW };

void picker_init(struct picker *p, const struct picker_source *source);
void picker_release(struct picker *p);
/* Whether there are items to be looked at still; looks at `max` of them. */
bool picker_busy(const struct picker *p);
int picker_work(struct picker *p, size_t max, struct err *e);
enum picker_end picker_key(struct picker *p, const struct key *key);
/* The filter becomes this text. */
void picker_filter(struct picker *p, struct span typed);
/* The selected item, or PICKER_NONE. */
size_t picker_item(const struct picker *p);

/* Makes `rows` rows of a window of that many columns; *cursor is the column in the first. */
int picker_draw(struct picker *p, struct buf *rows, size_t nrows, size_t columns, size_t *cursor,
                struct err *e);

int picker_plain(struct picker *p, const struct picker_terminal *t, size_t *item, struct err *e);

#endif
