/*
 * Chooses what of a conversation is sent with a prompt, so that it fits into the model's window.
 *
 * All of it, where that fits. Otherwise, of what the window leaves beside the system
 * prompt, the new prompt and the room for the reply:
 *
 *   1. the newest exchanges get three quarters, and the last one more if it needs it;
 *   2. a summary, where there is one, stands for those that it covers;
 *   3. without one the first exchange is sent, without its steps, if it has an answer;
 *   4. what room is left is for the newest of the rest that fit.
 *
 * They keep their order, and where some are missing, the next prompt says so. With a
 * window that is not known, only a summary makes it less than all.
 *
 * Of a conversation that is longer than two windows only the newest two and the first exchange
 * are looked at, and read (context_want()): so a turn costs what its request costs.
 *
 * All of it is the same each time: nothing here has a memory, or a clock.
 */
#ifndef TURN_CONTEXT_H
#define TURN_CONTEXT_H

#include "provider/provider.h"
#include "store/history.h"
#include "client/endpoint.h"
#include "turn/tokens.h"

struct context_ask {
	const struct conversation *conversation;
	size_t n;       /* exchanges of its path that the prompt follows */
	const char *provider; /* the endpoint's name; NULL: native items are not sent */
	struct span model, system;
	const struct exchange *prompt; /* the new one: its query and attachments, */
	const struct exchange_node *running; /* and its steps so far; NULL: none */
	int64_t window; /* tokens; 0: not known */
	int64_t reply;  /* tokens that the reply may have; 0: a quarter of the window, up to CONTEXT_REPLY */
};

#define CONTEXT_REPLY 16384

/* An exchange as the request has it. */
struct context_turn {
	struct span query, answer; /* the answer of the new prompt is empty */
	const struct attachment *files; /* of the query, and then of its steps' results, one after the other */
	size_t nfiles;                  /* of the query */
};

/* A struct context owns its arrays until context_release(). Its spans point to the
 * conversation and the prompt, or into `text`. */
struct context {
	struct context_turn *turns; /* for the request, oldest first; without files */
	const struct exchange **of; /* what each of them comes from; NULL: the summary */
	const struct exchange_node **nodes; /* the same with its steps; NULL: these are not sent */
	size_t n;
	struct context_turn prompt;
	const struct exchange_node *running; /* the steps that follow it; NULL: none */
	size_t counting; /* exchanges that could be sent */
	size_t left_out; /* of these, those that do not */
	size_t summed;   /* and those that the summary stands for */
	bool shortened;  /* the first exchange is sent without its steps */
	size_t reduced;  /* how many exchanges are not sent in full, whatever is missing: for the record */
	bool native;     /* native items are sent: all of the conversation is, and there is room for them */
	struct context_incomplete {
		size_t counting, left_out, summed;
	} incomplete;    /* how many of each were interrupted: a session's exchangeCount is without them */
	int64_t tokens;  /* of all that, about */
	struct buf text;
};

/* ERR_USAGE, with what to do, when even the prompt alone does not fit. */
int context_make(struct context *cx, const struct context_ask *ask, struct err *e);
void context_release(struct context *cx);

/* Windows in tokens; 0: not known. */
struct window {
	int64_t limit; /* that counts for requests */
	int64_t own;   /* the model's, as far as it is known */
};
/* What counts is the one that is `given`, else that of the settings, else the model's own,
 * which is looked up in a file: once for a turn is enough. */
struct window context_window(const struct endpoint *ep, const char *model, int64_t given);
/* What a reply may have of a window, when nobody says so. */
int64_t context_reply(int64_t window);
/* What max_tokens says of that; 0 when it is not set. */
int64_t context_reply_of(const struct params *p);
/* What a request of so many tokens leaves to the reply, with the model's own window: that of
 * the settings is about requests. For struct chat_request. */
int64_t context_room(const struct window *w, int64_t tokens);
/* How much of a history to read for such a request: w; NULL: all of it, since the window is not known. */
const struct history_want *context_want(struct history_want *w, int64_t window, int64_t reply);
/* What a request may have; INT64_MAX where the window is not known. */
int64_t context_limit(const struct context_ask *ask);

#endif
