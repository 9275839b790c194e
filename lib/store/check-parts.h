/* The parts of the check, for each other. check-report.h is below them. */
#ifndef STORE_CHECK_PARTS_H
#define STORE_CHECK_PARTS_H

#include "base/names.h"
#include "store/check-report.h"

/* ---- what is the tools' own (check-own.c) ---- */

#define HISTORY_TEMP ".history.tmp" /* the new history, while a repair writes it */

/* Whether it is the name of one of the tools' files in the sessions directory. */
bool check_own_top_file(const char *name);
/* Whether it is the name of one of the tools' files in a session's folder. */
bool check_own_file(const char *name);
/* Whether a crash left this in the sessions directory, by its name and content. 1, 0 or -1. */
int check_own_leftover(const struct check *c, const char *name, struct err *e);
/* Says what `id`, which exists, is; or -1. */
enum own {
	OWN_NONE,    /* nothing shows that it is the tools' own */
	OWN_EMPTY,   /* an empty folder, as a loss of power may leave of a session */
	OWN_SESSION, /* the index knows it, its history has a record, or only a session has such files */
};
int check_own_session(struct check *c, const char *id, struct err *e);
/* Whether one of the names is not the tools' own: *name is the first. Hidden files do not count. 1, 0 or
 * -1. */
int check_stranger(struct check *c, const struct names *names, const char **name, struct err *e);

/* ---- sessions (check-session.c, check-artifacts.c) ---- */

/* Checks a session's folder and all that is in it. `whole`: the whole store is checked, and
 * check_index_begin() was called. */
int check_folder(struct check *c, const char *id, bool whole, struct err *e);

struct scan;
struct jsonl;
/* Checks the attachments of `x`, and whether every one that the history refers to exists. `locked`: nobody
 * else writes there. */
int check_artifacts(struct check *c, const struct session *x, const struct scan *scan,
                    const struct jsonl *j, bool locked, struct err *e);

/* ---- removed.jsonl (check-removed.c) ---- */

/* Checks the file, if it exists, and its lines. */
int check_removed(struct check *c, struct err *e);

/* ---- the index (check-index.c) ---- */

/* Takes a picture of the index, and checks its lines. */
int check_index_begin(struct check *c, struct err *e);
/* Adds the live record of `id`, with its newline, from the picture or, without one, from the index. 1, 0 or
 * -1. */
int check_index_record(struct check *c, const char *id, struct buf *line, struct err *e);
/* Compares the index with the locked session; `whole` as in check_folder(). */
int check_index_session(struct check *c, struct session *x, bool whole, struct err *e);
/* Reports a record of session `id`, which the user named, if the session does not exist. */
int check_index_orphan(struct check *c, const char *id, struct err *e);
/* Finds records without a session; then, with `repair`, rebuilds the index if it must be; and reports. */
int check_index_end(struct check *c, struct err *e);

#endif
