/*
 * Checking the store, and repairing it. mc-session-fsck(1) says what is checked and what a repair does.
 *
 *	struct check c = { .store = &store, .repair = …, .report = …, .ctx = … };
 *	r = check_recognise(&c, &e);
 *	r = check_store(&c, &e);		— or check_session(&c, id, &e) for some
 *	check_release(&c);
 *
 * A finding is not an error: it is reported, and counted in `findings`. A session that another process uses
 * is checked as far as possible; with `repair` the check waits for the end of its turn. A repair never
 * deletes: it moves what is in the way (see quarantine.h). It neither moves nor changes what is not the
 * tools' own.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include <stddef.h>

#include "store/session.h"
#include "store/store.h"

enum finding_kind {
	FINDING_TORN,       /* the last line lacks its line feed */
	FINDING_NUL,        /* a line has NUL bytes */
	FINDING_RECORD,     /* a line is not a valid record */
	FINDING_HEAD,       /* no valid session record */
	FINDING_VERSION,    /* a format that this mcbox does not know */
	FINDING_DUPLICATE,  /* another copy or version of a record */
	FINDING_PARENT,     /* an exchange whose parent is missing */
	FINDING_STEPS,      /* a wrong count of steps, or steps of no exchange */
	FINDING_RESULT,     /* a result without a call */
	FINDING_HISTORY,    /* a folder without a history */
	FINDING_SPOOL,      /* an interrupted turn */
	FINDING_ARTIFACT,   /* an attachment is missing, or its name is not its digest */
	FINDING_LEFTOVER,   /* something temporary */
	FINDING_MODE,
	FINDING_OWNER,
	FINDING_LINK,
	FINDING_SPECIAL,    /* a FIFO, a device, a folder where a file belongs */
	FINDING_UNREADABLE,
	FINDING_INDEX,      /* missing, or a line is not a record */
	FINDING_STALE,      /* a record differs from the history */
	FINDING_UNLISTED,   /* not in the index */
	FINDING_ORPHAN,     /* in the index, without a history */
};
const char *finding_name(enum finding_kind kind);

enum repair { REPAIR_NONE, REPAIR_DONE, REPAIR_IMPOSSIBLE };

/* The strings are valid until report() returns. */
struct finding {
	enum finding_kind kind;
	const char *session; /* its id, or NULL */
	const char *file;    /* relative to the sessions directory */
	size_t line;         /* from 1; 0: no particular line */
	const char *message;
	enum repair repair;
	const char *quarantine; /* where it was moved, or NULL */
};

struct check {
	const struct store *store;
	bool repair;
	struct lock_wait wait; /* for sessions in use, with `repair`; its ctx becomes the id */
	void (*report)(void *ctx, const struct finding *f);
	/* Called now and then, and at the end with done == of; or NULL. */
	void (*progress)(void *ctx, size_t done, size_t of);
	void *ctx;

	size_t findings;
	struct check_index *index; /* private */
};

/* Fails if the directory is not a store: it is not empty, but has neither an index nor a session. */
int check_recognise(struct check *c, struct err *e);
/* Checks everything. */
int check_store(struct check *c, struct err *e);
/* Checks one session, and its record in the index. */
int check_session(struct check *c, const char *id, struct err *e);
void check_release(struct check *c);

#endif
