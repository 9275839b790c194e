/*
 * The sessions directory. mc-session(5) is the contract for what is in it.
 *
 * A struct store owns its descriptor until store_close(). `notice` gets what the user should know though it is
 * not a failure (a damaged record was skipped, who holds a lock): one sentence without a newline. It may be
 * NULL.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>

#include "base/err.h"

struct store {
	const char *dir; /* owned by the caller */
	int stop_fd;     /* becomes readable when the user wants to stop waiting; or -1 */
	int fd;          /* -1: the directory does not exist, so no sessions do */
	void (*notice)(const char *sentence);
};

/* Opens the directory; with `create` makes it, mode 0700, and its parents. */
int store_open(struct store *s, const char *dir, bool create, struct err *e);
void store_close(struct store *s);
/* Syncs the directory's own name. */
int store_sync_name(const struct store *s, struct err *e);

/* Completes an error about one of the store's own files: puts its path first, and if a repair helps, says so
 * last. Returns -1. */
int store_file_failed(const struct store *s, const char *name, struct err *e);

/*
 * A process shares the directory while it has a temporary folder there (.new-…, .removed-…). If no process
 * shares it, a crash has left such a folder: store_alone() returns true, and keeps others from sharing it
 * until store_unshare(). Sharing never fails; store_alone() does not wait.
 */
void store_share(const struct store *s);
bool store_alone(const struct store *s);
void store_unshare(const struct store *s);
void store_notice(const struct store *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
