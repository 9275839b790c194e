/*
 * What was typed at a terminal: STATE/typed.jsonl, JSON Lines that several processes append
 * to under its lock, and that are read newest first. mc-session(5) is the contract.
 *
 * A text counts once, where it was typed last. Of the newest `max` the file holds all, and
 * never more than twice as many; it is then made smaller by a new file in its place.
 * It is refused as files of the sessions directory are (see place.h). Nothing is synced:
 * the prompts themselves are in the sessions.
 *
 *	struct typed t = TYPED_INIT(dir, max);
 *	typed_read(&t, each, ctx, &e);    what is there; later, what came since
 *	typed_add(&t, text, &e);
 *	typed_close(&t);
 */
#ifndef STORE_TYPED_H
#define STORE_TYPED_H

#include <sys/types.h>

#include "base/buf.h"
#include "store/jsonl.h"

#define TYPED_FILE "typed.jsonl"
#define TYPED_TEXT_MAX (1u << 20)  /* bytes; a longer text is not kept */
#define TYPED_READ_MAX (16u << 20) /* bytes of the file that are read, from its end */

struct typed {
	const char *dir; /* the caller's; NULL: nobody knows where */
	size_t max;      /* texts; 0: nothing is read or kept */

	/* the file as it was last read */
	dev_t dev;
	ino_t ino;
	size_t offset;
	size_t lines; /* in it, as far as they are counted */
	size_t counted;
};

#define TYPED_INIT(dir, max) { dir, max, 0, 0, 0, 0, 0 }

/*
 * Calls `each` with the texts that were not read yet, the oldest first; the first time at
 * most `max`, none of them twice. Lines that cannot be read are passed over. When the file
 * was exchanged meanwhile it is read as if for the first time. -1 when `each` says so.
 */
int typed_read(struct typed *t, int (*each)(void *ctx, struct span text, struct err *e), void *ctx,
               struct err *e);

/* The same from lines in memory. For typed_read(). */
int typed_texts(const struct jsonl *j, size_t from, size_t max,
                int (*each)(void *ctx, struct span text, struct err *e), void *ctx, struct err *e);

/* Appends one. What is blank, begins with a space, is no UTF-8 or too long is left out. */
int typed_add(struct typed *t, struct span text, struct err *e);

/* Deletes the texts for which `is_of` is true: a new file replaces the one in `state_dir`. Does
 * nothing if there is no such file. */
int typed_forget(const char *state_dir, bool (*is_of)(void *ctx, struct span text), void *ctx,
                 struct err *e);

#endif
