/*
 * One turn: from a prompt to a stored exchange.
 *
 * This room brings store, net and provider together. It reports through struct err
 * and the callbacks below; it prints nothing.
 *
 * The order is what keeps the promise that what reached the screen is on the disk:
 * lock, read the conversation, spool the prompt, send it; each piece of the reply
 * is spooled and then shown; then the exchange is stored, the spool dropped, the
 * lock released. An interrupted or failed turn is stored too, with its status.
 */
#ifndef TURN_TURN_H
#define TURN_TURN_H

#include "net/http.h"
#include "provider/provider.h"
#include "store/session.h"

/* How to reach the model. The strings are the caller's. */
struct talk {
	const struct provider *provider;
	const char *base_url; /* NULL: the provider's default */
	const char *api_key;  /* NULL: none */
	long idle_timeout;    /* s */
	bool stream;
	int stop_fd;          /* becomes readable when the user wants to stop; or -1 */
	struct http *http;    /* opened at the first request, kept for the next ones */
	/* Takes each piece of the reply as it comes. */
	void (*show)(void *ctx, struct span piece);
	void *ctx;
};

/* What a turn is to do, and what became of it. */
struct turn {
	const char *model;   /* NULL: the session's */
	const char *title;   /* NULL: as it is */
	struct span system;  /* of a turn that is not saved; p == NULL: none. Else the session's */
	struct span prompt;
	struct lock_wait wait;

	struct exchange exchange; /* filled in; its spans point into what follows and `prompt` */
	char id[UUID_SIZE];
	struct reply reply;
	struct buf answer, error, model_used;
	struct change change; /* of model and title, that the exchange brings with it */
	bool homeless; /* the session was removed under the turn, which is not stored */
};

/* `exchange.id.n` tells whether the turn began; release it in any case. */
void turn_release(struct turn *t);

/*
 * Runs a turn in session `id` of `s`. 0: a complete reply, stored. -1: the error
 * says what went wrong; when the turn had begun it is stored as interrupted or
 * failed, unless the kind is ERR_UNSTORED. ERR_NOT_FOUND: no such session (it may
 * have been removed while this waited); nothing has been sent.
 */
int turn_run(struct turn *t, struct talk *how, const struct store *s, const char *id,
             struct err *e);

/* Stores a homeless turn's exchange in session `id`, which should be a new one. */
int turn_store(const struct turn *t, const struct store *s, const char *id, struct err *e);

/*
 * The same without storing anything. `c` is the conversation so far, which may be
 * empty and has no lock; a reply that counts is added to it in memory.
 */
int turn_run_unsaved(struct turn *t, struct talk *how, struct conversation *c, struct err *e);

#endif
