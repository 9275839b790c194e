/*
 * One turn: from a prompt to a stored exchange.
 *
 * This room brings the store and the talk together. It reports through struct err
 * and the callbacks below; it prints nothing.
 *
 * The order is what keeps the promise that what reached the screen is on the disk:
 * lock, read the conversation, store the files, spool the prompt, send it; each piece
 * of the reply is spooled and then shown; then the exchange is stored, the spool
 * dropped, the lock released. An interrupted or failed turn is stored too, with its status.
 *
 * A turn in the place of the last exchange takes that out of the conversation in the moment
 * in which it is stored itself, and only if its answer is no worse: a complete one gives way to a
 * complete one, and one that was broken off to any but nothing.
 */
#ifndef TURN_TURN_H
#define TURN_TURN_H

#include "store/session.h"
#include "talk/talk.h"
#include "turn/context.h"
#include "turn/files.h"

/* What a turn is to do, and what became of it. */
struct turn {
	const char *model;   /* NULL: the session's */
	const char *title;   /* NULL: as it is */
	struct span system;  /* of a turn that is not saved; p == NULL: none. Else the session's */
	struct span prompt;
	/* The id of the conversation's last exchange, in whose place this one is asked: the request
	 * goes without that. p == NULL: it follows that. */
	struct span instead_of;
	struct files *files; /* what goes along with it; learns those of earlier turns. NULL: none */
	struct lock_wait wait;
	int64_t context;     /* tokens that the request may have; 0: what is known of the model */
	/* The conversation has outgrown the window, and the settings' auto_compact is set: its
	 * first `n` exchanges are being summed up, of which so many are incomplete; or, n being 0,
	 * that came to nothing, and why. Of a turn that is saved. May be NULL. */
	void (*compacting)(void *ctx, size_t n, size_t incomplete, const struct err *why);
	/* It is about to be sent: the exchange has its id, time and model. May be NULL. */
	void (*started)(void *ctx, const struct turn *t);
	void *ctx;

	struct window window;
	size_t counting, left_out, summed; /* exchanges: see context.h */
	struct context_incomplete incomplete;

	struct exchange exchange; /* filled in; its spans point into what follows and `prompt` */
	char id[UUID_SIZE];
	struct reply reply;
	struct buf error, model_used;
	struct json_object *native; /* the member of the exchange, or NULL */
	struct change change; /* of the title, that is stored with the exchange */
	char change_id[UUID_SIZE];
	struct buf parent;    /* the id of the exchange that this one follows */
	const struct exchange *old; /* private: the one with `instead_of`, while the turn runs */
	bool outdone;  /* it could not take that place: the earlier one had the better answer, and stays */
	bool titled;   /* the session was given a title once, or by this turn */
	bool begun;    /* the prompt was stored or sent, and there is an exchange */
	bool homeless; /* the session was removed under the turn, which is not stored */
};

/* In any case. */
void turn_release(struct turn *t);

/*
 * Whether `t` can be the first turn of a session that is yet to be made, so that none is made
 * for a prompt that turn_run() would refuse: one that no window holds, or that the provider
 * has no words for. `t` stays as it is. The errors are those of turn_run().
 */
int turn_check(const struct turn *t, struct talk *how, const struct store *s,
               const struct session_head *head, struct err *e);

/*
 * Runs a turn in session `id` of `s`, once talk_open() has found the way; it does so
 * where the caller did not. 0: a complete reply, stored. -1: the error
 * says what went wrong; when the turn had begun it is stored as interrupted or
 * failed, unless the kind is ERR_UNSTORED. ERR_NOT_FOUND: no such session (it may
 * have been removed while this waited); nothing has been sent.
 *
 * `x` may have the conversation as the caller read it last; it has what is there afterwards, and is
 * unlocked.
 */
int turn_run(struct turn *t, struct talk *how, struct session *x, const struct store *s,
             const char *id, struct err *e);

/* Stores a homeless turn's exchange in session `id`, which should be a new one. */
int turn_store(struct turn *t, struct session *x, const struct store *s, const char *id,
               struct err *e);

/*
 * The same without storing anything. `c` is the conversation so far, which may be
 * empty and has no lock; a reply that counts is added to it in memory. The files of its
 * turns are those of session `id`, which may be NULL.
 */
int turn_run_unsaved(struct turn *t, struct talk *how, const struct store *s, const char *id,
                     struct conversation *c, struct err *e);

#endif
