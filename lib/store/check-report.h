/* Reporting a finding, and repairing what concerns one file or folder as a whole. */
#ifndef STORE_CHECK_REPORT_H
#define STORE_CHECK_REPORT_H

#include <sys/stat.h>

#include "store/check.h"
#include "store/quarantine.h"

/* Where a finding is. */
struct spot {
	const char *session; /* or NULL */
	const char *folder;  /* relative to the sessions directory; NULL for that directory itself */
	const char *name;
	size_t line;
};

/* The result of a repair. */
struct outcome {
	enum repair repair;
	char place[QUARANTINE_PATH]; /* "": nothing was moved */
	struct err why;              /* why a repair was impossible */
};
#define OUTCOME_NONE { .repair = REPAIR_NONE, .why = ERR_INIT }

/* Sets the outcome of a repair that returned `result`: 0, or -1. */
void outcome_set(struct outcome *o, int result);

void check_tell(struct check *c, enum finding_kind kind, const struct spot *at,
                const struct outcome *o, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Reports that it cannot be read, which no repair can help. */
void check_unreadable(struct check *c, const struct spot *at, const char *why);
/* Reports it, and with `repair` moves it to quarantine. */
void check_move(struct check *c, enum finding_kind kind, int dir, const struct spot *at,
                const char *message);

/* Checks the mode of `at` in `dir`. `refused` says why a repair must not change it, or is NULL. */
void check_mode(struct check *c, int dir, const struct spot *at, const struct stat *st, mode_t want,
                const struct err *refused);
/* Checks the kind, owner and mode of the file or folder `at` in `dir`. True if it exists and is what it
 * should be, so that it can be read. */
bool check_place(struct check *c, int dir, const struct spot *at, bool folder, struct stat *st);

#endif
