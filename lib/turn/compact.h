/*
 * A summary of the older part of a conversation, asked of the model.
 *
 *	struct compaction k = COMPACTION_INIT;
 *	if (compact(&k, &client, &ask, &e) > 0)
 *		session_append_summary(&x, &k.summary, &e)
 *	compaction_release(&k);
 *
 * The summary that is of use already goes into the new one. What one request cannot hold
 * is told in pieces, each with the summary of those before it.
 */
#ifndef TURN_COMPACT_H
#define TURN_COMPACT_H

#include "store/session.h"
#include "client/client.h"
#include "turn/context.h"

struct compact_ask {
	const struct conversation *conversation;
	size_t n;       /* exchanges of its path that are looked at */
	const char *model;
	struct window window;
	size_t keep;    /* how many of the newest complete exchanges stay out of it */
	/* The model is about to be asked to sum up `n` exchanges, some of them incomplete. May be
	 * NULL. */
	void (*begin)(void *ctx, size_t n, size_t incomplete);
	void *ctx;
};

struct compaction {
	struct summary summary; /* its spans point into `text`, the conversation and ask->model */
	size_t n;         /* exchanges that it stands for, those of the earlier summary too */
	size_t incomplete; /* how many of these were interrupted */
	struct buf text;
	char id[UUID_SIZE]; /* of the summary */
};
#define COMPACTION_INIT { .text = BUF_INIT }
void compaction_release(struct compaction *k);

/* 1: here it is. 0: there is nothing more to sum up. -1: as client_run(); a summary that the
 * model broke off or refused is none. `client` is open. Nothing is shown. */
int compact(struct compaction *k, const struct client *client, const struct compact_ask *ask,
            struct err *e);

/* A session that is to be summed up. */
struct compact_job {
	const struct store *store;
	const char *id;
	struct lock_wait wait;
	struct client *client;
	/* The session is locked and `c` is what it holds: finds the way to its model, opens it, and
	 * fills in the rest of `ask`. */
	int (*prepare)(void *ctx, const struct conversation *c, struct compact_ask *ask, struct err *e);
	/* There is a summary, and `stored` says whether it is on the disk; or, with NULL, there is
	 * nothing more to sum up. */
	void (*done)(void *ctx, const struct conversation *c, const struct compaction *k, bool stored);
	void *ctx;
};
/* Sums it up and stores that, the session being locked throughout, as by a turn: so no turn is
 * taken for summed up that the model was not told. ERR_UNSTORED: it could not be stored. */
int compact_session(const struct compact_job *job, struct err *e);

/* How many of the newest complete exchanges to keep, so that a conversation that outgrew its window
 * has half of the room again. */
int compact_keep(const struct context_ask *ask, size_t *keep, struct err *e);

#endif
