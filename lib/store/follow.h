/*
 * A session, followed while others write it: each record when it is stored, and a running
 * turn while it runs.
 *
 *	follow_open(&f, &store, id, &e)
 *	…                                        print what is there, f.history up to f.at
 *	f.tell = …
 *	while (follow_look(&f, &e) >= 0 && follow_wait(&f, …) == WATCH_LOOK) …
 *	follow_close(&f)
 *
 * Nothing is written. Readers need no lock; only to tell a turn that nobody runs any more
 * from one that waits for its model, where the system does not name the holder of the lock,
 * a shared one is tried for a moment.
 *
 * Why nothing is told twice, and nothing is missed: a turn's file is there from before its
 * reply until after its record is. So who sees that file, and then the history up to its end,
 * has seen all that was before this turn; and who misses it finds the record. The steps of a turn
 * are told like that, too: each has a file of its own, which the next one replaces.
 */
#ifndef STORE_FOLLOW_H
#define STORE_FOLLOW_H

#include "store/history.h"
#include "store/id.h"
#include "store/watch.h"

enum follow_kind {
	FOLLOW_BEGUN,  /* a turn runs: its prompt is stored */
	FOLLOW_TEXT,   /* more of its reply */
	FOLLOW_CUT,    /* its process died: that was all of it */
	FOLLOW_LOST,   /* it is over, and no record of it was stored */
	FOLLOW_RECORD, /* a record was stored, of any type */
};

/* The spans are good until `tell` returns. */
struct follow_event {
	enum follow_kind kind;
	const struct exchange *exchange; /* BEGUN: without an answer */
	struct span text;                /* TEXT: in whole characters, as the record will have it */
	const struct record *record;     /* RECORD */
	struct span line;                /* its bytes, with the newline */
	size_t at;                       /* where it is in the history */
	bool begun, cut;                 /* the exchange that was told by BEGUN, and CUT or LOST; or a step
	                                  * of it, which CUT or LOST may still follow */
	struct span rest;                /* what TEXT did not tell of its answer, or of the step; */
	bool differs;                    /* or all of it, since what was told is no part of it */
};

/* What is known of the turn that runs, or ran last. */
struct follow_turn {
	int fd;         /* turn.partial; -1: there was none. Kept open while it has its name, so
	                 * that no other file gets its number */
	bool running, cut;
	int64_t step;   /* the number of the reply that is told next */
	bool past;      /* the file is of an earlier one, whose record was told: there is nothing more in it */
	struct buf id;
	size_t read;    /* bytes of the file */
	struct buf held; /* of these, the beginning of a character that is not all there */
	size_t told;    /* bytes of the answer */
	uint64_t hash;  /* of them */
	int64_t moved;  /* when it grew last, in ms */
};

struct follow {
	const struct store *store;
	char id[ID_SIZE];
	int dir, fd;          /* the session's folder; its history */
	struct jsonl history; /* as far as it was when it was last looked at */
	size_t at;            /* what is before is told */
	bool turns;           /* to be told of: BEGUN, TEXT, CUT and LOST */
	void (*tell)(void *ctx, const struct follow_event *ev);
	void *ctx;

	struct follow_turn turn;
	struct buf last;      /* the id of the last exchange that was told */
	bool looked;          /* once at least */
	bool found;           /* news, in the last look */
	struct watch watch;
};

/* ERR_NOT_FOUND when there is no such session. */
int follow_open(struct follow *f, const struct store *s, const char *id, struct err *e);
void follow_close(struct follow *f);

/* Tells what is new. -1: it cannot go on; ERR_GONE: the session was removed, or its history
 * replaced, and what came before that is told. */
int follow_look(struct follow *f, struct err *e);

/* Until another look is worth its while; see watch_wait(). */
enum watch_result follow_wait(struct follow *f, int stop_fd, int out_fd);

#endif
