/*
 * The sessions directory. mc-session(5) is the contract for what is in it.
 *
 * A struct store owns its descriptor until store_close(). `notice` is told what a
 * person should know and what is no failure (a damaged record that was skipped,
 * who holds a lock); one sentence, no newline; may be NULL.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>

#include "base/err.h"

struct store {
	const char *dir; /* the caller's */
	int stop_fd;     /* becomes readable when the user wants to stop waiting; or -1 */
	int fd;          /* -1: the directory does not exist, so there are no sessions */
	void (*notice)(const char *sentence);
};

/* Opens the directory; with `create` makes it, mode 0700, and its parents. */
int store_open(struct store *s, const char *dir, bool create, struct err *e);
void store_close(struct store *s);
/* The directory's own name is on the disk afterwards. */
int store_sync_name(const struct store *s, struct err *e);

/* Completes an error about one of the store's own files: its path comes first, and the way out last where
 * a repair is one. Returns -1. */
int store_file_failed(const struct store *s, const char *name, struct err *e);

/*
 * Folders of passing names (.new-…, .removed-…) are in the directory only while their
 * maker shares it. Whoever has it alone may take such a one for what a crash left.
 * Sharing never fails; store_alone() does not wait, and returns false when it is shared.
 */
void store_share(const struct store *s);
bool store_alone(const struct store *s);
void store_unshare(const struct store *s);
void store_notice(const struct store *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
