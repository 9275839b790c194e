/*
 * Checking the store, and repairing it. See mc-session-fsck(1) for what is looked at and
 * what a repair does.
 *
 *	struct check c = { .store = &store, .repair = …, .report = …, .ctx = … };
 *	r = check_recognise(&c, &e);
 *	r = check_store(&c, &e);		— or check_session(&c, id, &e) for some
 *	check_release(&c);
 *
 * Nothing that is found is an error: it is reported, and counted in `findings`. A
 * session that another process uses is judged as far as that is possible; with `repair`
 * its turn's end is waited for. Repairing never deletes: what is in the way is moved
 * (see quarantine.h). What is not the tools' own is neither moved nor changed.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include <stddef.h>

#include "store/session.h"
#include "store/store.h"

enum finding_kind {
	FINDING_TORN,       /* the last line lacks its line feed */
	FINDING_NUL,        /* a line has NUL bytes */
	FINDING_RECORD,     /* a line is no valid record */
	FINDING_HEAD,       /* no valid session record */
	FINDING_VERSION,    /* a format that this mcbox does not know */
	FINDING_DUPLICATE,  /* another copy, or another version, of a record */
	FINDING_PARENT,     /* an exchange whose parent is missing */
	FINDING_STEPS,      /* a wrong count of steps, or steps of no exchange */
	FINDING_RESULT,     /* a result without a call */
	FINDING_HISTORY,    /* a folder without a history */
	FINDING_SPOOL,      /* a turn that was cut short */
	FINDING_ARTIFACT,   /* an attachment that is missing, or is not what its name says */
	FINDING_LEFTOVER,   /* something temporary */
	FINDING_MODE,
	FINDING_OWNER,
	FINDING_LINK,
	FINDING_SPECIAL,    /* a FIFO, a device, a folder in a file's place */
	FINDING_UNREADABLE,
	FINDING_INDEX,      /* missing, or a line that is no record */
	FINDING_STALE,      /* not what the history says */
	FINDING_UNLISTED,   /* not in the index */
	FINDING_ORPHAN,     /* in the index, without a history */
};
const char *finding_name(enum finding_kind kind);

enum repair { REPAIR_NONE, REPAIR_DONE, REPAIR_IMPOSSIBLE };

/* The strings are good until the report returns. */
struct finding {
	enum finding_kind kind;
	const char *session; /* its id, or NULL */
	const char *file;    /* from the sessions directory on */
	size_t line;         /* from 1; 0: of none in particular */
	const char *message;
	enum repair repair;
	const char *quarantine; /* where that which was in the way is now, or NULL */
};

struct check {
	const struct store *store;
	bool repair;
	struct lock_wait wait; /* for sessions in use, with `repair`; its ctx becomes the id */
	void (*report)(void *ctx, const struct finding *f);
	/* Called now and then, and at the end with both the same; NULL for nobody. */
	void (*progress)(void *ctx, size_t done, size_t of);
	void *ctx;

	size_t findings;
	struct check_index *index; /* private */
};

/* Fails where the directory has something in it, but neither an index nor a session: it is some
 * other one. An empty one may become a store. */
int check_recognise(struct check *c, struct err *e);
/* Everything. */
int check_store(struct check *c, struct err *e);
/* One session, and its record in the index. */
int check_session(struct check *c, const char *id, struct err *e);
void check_release(struct check *c);

#endif
