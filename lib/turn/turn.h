/*
 * One turn: from a prompt to a stored exchange.
 *
 * This room brings the store and the talk together. It reports through struct err
 * and the events of turn/events.h; it prints nothing.
 *
 *	struct turn_input in = { .prompt = …, .events = { take, ctx } };
 *	struct turn_result out = TURN_RESULT_INIT;
 *	turn_run(&in, &out, &talk, &session, &store, id, &e)
 *	out.exchange …
 *	turn_result_release(&out)
 *
 * The order is what keeps the promise that what reached the screen is on the disk:
 * lock, read the conversation, store the files, spool the prompt, send it; each piece
 * of the reply is spooled and then shown; then the exchange is stored, the spool
 * dropped, the lock released. An interrupted or failed turn is stored too, with its status.
 *
 * A reply that calls tools is a step of the exchange. The step is stored before its first call runs, and
 * the result of each call when it has run; then the next request is sent. The text of the last reply
 * is the exchange's answer. So no call runs twice, whatever kills the process.
 *
 * A turn in the place of the last exchange takes that out of the conversation in the moment
 * in which it is stored itself, and only if its answer is no worse: a complete one gives way to a
 * complete one, and one that was broken off to any but nothing.
 */
#ifndef TURN_TURN_H
#define TURN_TURN_H

#include "store/session.h"
#include "client/client.h"
#include "turn/events.h"
#include "turn/files.h"

/* The outcome of a call. */
struct turn_outcome {
	enum result_status status;
	int64_t exit_status; /* -1: none */
	struct buf output;   /* for the model; UTF-8 */
};

/* What runs the calls of the model. */
struct turn_tools {
	/* Runs a call to its end. -1 ends the turn (after Ctrl-C, for example); the outcome so far is stored
	 * all the same. Any other failure is an outcome, which the model reads. */
	int (*run)(void *ctx, const struct tool_call *call, struct turn_outcome *o, struct err *e);
	void *ctx;
	int64_t steps_max; /* after so many steps the next reply is the answer, and its calls do not run */
};

/* What a turn is to do. All of it is the caller's, and must stay until the result is released. */
struct turn_input {
	const char *model;   /* NULL: the session's */
	const char *title;   /* that the session gets; NULL: it keeps its own */
	struct span prompt;
	/* The id of the conversation's last exchange, in whose place this one is asked: the request
	 * goes without that. p == NULL: it follows that. */
	struct span instead_of;
	struct files *files; /* sent with the prompt; learns those of earlier turns. NULL: none */
	struct lock_wait wait;
	const struct turn_tools *tools; /* NULL: nothing runs; a call is only told */
	int64_t context;     /* tokens that the request may have; 0: what is known of the model */
	/* A session that does not exist yet. It is created when the request is ready, so that none is
	 * created for a prompt that cannot be sent. NULL: it exists. */
	const struct session_head *head;
	/* Creates the session, and returns 1, or 0 when another process was faster. `again`: the session
	 * was removed during the turn, and another one takes its place; that changes the id that
	 * turn_run() was given. NULL: a turn without its session fails. */
	int (*create)(void *ctx, bool again, struct err *e);
	void *ctx;           /* of create() */
	struct turn_listener events;
	bool only;           /* no turn follows it: what is not stored is not kept in memory either */
};

/* What came of it. */
struct turn_result {
	bool begun;      /* the prompt was stored or sent, and there is an exchange: */
	struct exchange exchange; /* its spans point into this structure and the prompt */
	char id[UUID_SIZE];
	struct reply reply;
	struct buf error, model, parent; /* what the exchange points to */
	struct json_object *native, *parameters; /* likewise, or NULL */
	bool outdone;    /* the earlier exchange had the better answer, and stays in its place */
	bool titled;     /* the session was given a title once, or by this turn */
	bool elsewhere;  /* the session was removed; the turn is in another one, which begins with it */
	bool dropped;    /* the session was created for this turn, and is removed: there is no such model */
};
#define TURN_RESULT_INIT { .reply = REPLY_INIT, .error = BUF_INIT, .model = BUF_INIT, .parent = BUF_INIT }
void turn_result_release(struct turn_result *out);

/*
 * Runs a turn in session `id` of `s`, once client_open() has found the way; it does so
 * where the caller did not. 0: a complete reply, stored. -1: the error
 * says what went wrong; when the turn had begun it is stored as interrupted or
 * failed, unless the kind is ERR_UNSTORED. ERR_NOT_FOUND: no such session (it may
 * have been removed while this waited); nothing has been sent. ERR_USAGE: no window holds the
 * prompt, or the provider has no words for a part of the request.
 *
 * `x` may have the conversation as the caller read it last; it has what is there afterwards, and is
 * unlocked.
 */
int turn_run(const struct turn_input *in, struct turn_result *out, struct client *client, struct session *x,
             const struct store *s, const char *id, struct err *e);

/*
 * The same without storing anything, with `system` (p == NULL: none). `c` is the conversation so far,
 * which may be empty and has no lock; a reply that counts is added to it in memory. The files of its
 * turns are those of session `id`, which may be NULL.
 */
int turn_run_unsaved(const struct turn_input *in, struct turn_result *out, struct client *client,
                     const struct store *s, const char *id, struct span system, struct conversation *c,
                     struct err *e);

#endif
