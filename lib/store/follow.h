/*
 * Following a session while others write it: each record when it is stored, and a turn while it runs.
 *
 *	follow_open(&f, &store, id, &e)
 *	…                                        print f.history up to f.at
 *	f.tell = …
 *	while (follow_look(&f, &e) >= 0 && follow_wait(&f, …) == WATCH_LOOK) …
 *	follow_close(&f)
 *
 * Nothing is written. Readers need no lock. Only to find out whether a turn still runs, on a system that does
 * not name the holder of a lock, a shared lock is tried for a moment.
 *
 * Why nothing is reported twice, and nothing is missed: turn.partial exists from before the reply until after
 * its record is stored. So whoever sees that file, and then the history up to its end, has seen all that was
 * before this turn; and whoever misses the file finds the record. The same holds for the steps of a turn:
 * each has a file of its own, which the next one replaces.
 */
#ifndef STORE_FOLLOW_H
#define STORE_FOLLOW_H

#include "store/history.h"
#include "store/id.h"
#include "store/watch.h"

enum follow_kind {
	FOLLOW_BEGUN,  /* a turn runs: its prompt is stored */
	FOLLOW_TEXT,   /* more of the reply */
	FOLLOW_CUT,    /* its process died: no more will come */
	FOLLOW_LOST,   /* it has ended, and no record was stored */
	FOLLOW_RECORD, /* a record was stored, of any type */
};

/* The spans are valid until `tell` returns. */
struct follow_event {
	enum follow_kind kind;
	const struct exchange *exchange; /* BEGUN: without an answer */
	struct span text;                /* TEXT: whole characters, as in the record later */
	const struct record *record;     /* RECORD */
	struct span line;                /* its bytes, with the newline */
	size_t at;                       /* its offset in the history */
	bool begun, cut;                 /* BEGUN, and CUT or LOST, reported this exchange before; or a
	                                  * step of it, which CUT or LOST may still follow */
	struct span rest;                /* of its answer or of the step, what TEXT did not report; or */
	bool differs;                    /* all of it, since the text that was reported is not in it */
};

/* The turn that runs, or ran last. */
struct follow_turn {
	int fd;         /* turn.partial, or -1. Open while the file has this name, so that no
	                 * other file gets its inode number */
	bool running, cut;
	int64_t step;   /* the number of the reply that is reported next */
	bool past;      /* the record of this turn was reported: nothing in the file is new */
	struct buf id;
	size_t read;    /* bytes of the file */
	struct buf held; /* of these, the beginning of an incomplete character */
	size_t told;    /* bytes of the answer that were reported */
	uint64_t hash;  /* of these bytes */
	int64_t moved;  /* when the file grew last, in ms */
};

struct follow {
	const struct store *store;
	char id[ID_SIZE];
	int dir, fd;          /* the session's folder; its history */
	struct jsonl history; /* as of the last look */
	size_t at;            /* everything before was reported */
	bool turns;           /* report BEGUN, TEXT, CUT and LOST */
	void (*tell)(void *ctx, const struct follow_event *ev);
	void *ctx;

	struct follow_turn turn;
	struct buf last;      /* the id of the last exchange that was reported */
	bool looked;          /* at least once */
	bool found;           /* news, in the last look */
	struct watch watch;
};

/* ERR_NOT_FOUND if there is no such session. */
int follow_open(struct follow *f, const struct store *s, const char *id, struct err *e);
void follow_close(struct follow *f);

/* Reports what is new. -1: it cannot continue. ERR_GONE: the session was removed, or its history replaced;
 * everything before was reported. */
int follow_look(struct follow *f, struct err *e);

/* Waits until the next look is useful; see watch_wait(). */
enum watch_result follow_wait(struct follow *f, int stop_fd, int out_fd);

#endif
