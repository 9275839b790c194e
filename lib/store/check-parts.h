/* What the parts of the check know of each other. */
#ifndef STORE_CHECK_PARTS_H
#define STORE_CHECK_PARTS_H

#include "base/names.h"
#include "store/check-report.h"

/* ---- what is the tools' own ---- */

#define HISTORY_TEMP ".history.tmp" /* the new history, while a repair writes it */

/* By its name, a file of the sessions directory itself. */
bool check_own_top_file(const char *name);
/* By its name, a file of a session's folder. */
bool check_own_file(const char *name);
/* By its name and what is in it, something that a crash left in the sessions directory.
 * 1, 0 or -1. */
int check_own_leftover(const struct check *c, const char *name, struct err *e);
/* What `id`, which is there, is; or -1. */
enum own {
	OWN_NONE,    /* not ours, as far as it shows */
	OWN_EMPTY,   /* a folder with nothing in it, as a loss of power may leave of a session */
	OWN_SESSION, /* the index knows it, its history has a record, or it holds what is left of one */
};
int check_own_session(struct check *c, const char *id, struct err *e);
/* Whether anything there is not the tools' own; the first such thing is *name. Other programs'
 * hidden files do not count. 1, 0 or -1. */
int check_stranger(struct check *c, const struct names *names, const char **name, struct err *e);

/* ---- sessions ---- */

/* One session's folder with what is in it. `whole`: the whole store is checked, and the
 * index was begun. */
int check_folder(struct check *c, const char *id, bool whole, struct err *e);

struct scan;
struct jsonl;
/* What is in the artifacts folder of `x`, and what of it the exchanges refer to. `locked`:
 * nobody else is writing there. */
int check_artifacts(struct check *c, const struct session *x, const struct scan *scan,
                    const struct jsonl *j, bool locked, struct err *e);

/* ---- removed.jsonl ---- */

/* The file, if it is there: what it is, and its lines. */
int check_removed(struct check *c, struct err *e);

/* ---- the index ---- */

/* Takes the index's picture, and judges its lines. */
int check_index_begin(struct check *c, struct err *e);
/* The live record of `id`, with its newline, as the picture or, if need be, the index has
 * it: 1, 0 or -1. */
int check_index_record(struct check *c, const char *id, struct buf *line, struct err *e);
/* Compares the index with the locked session; `whole` as in check_folder(). */
int check_index_session(struct check *c, struct session *x, bool whole, struct err *e);
/* Whether the index has a record of this session, one that was named, though it is gone. */
int check_index_orphan(struct check *c, const char *id, struct err *e);
/* Records without a session; then, with `repair`, makes the index anew where it must be. */
int check_index_end(struct check *c, struct err *e);

#endif
