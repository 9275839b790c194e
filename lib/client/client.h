/*
 * The way of one request to the model and of its reply back.
 *
 *	talk_open(&talk, &e)                       the key is there, the server is known
 *	talk_prepare(&talk, &rq, &letter, &e)      the provider has words for all of it
 *	talk_run(&talk, &letter, &reply, &e)       it is sent
 *	letter_release(&letter)
 *	talk_inherit(&next, &talk)                 the key and the connection serve another, too
 *	talk_close(&talk)
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/endpoint.h"
#include "client/trace.h"

enum talk_part { TALK_TEXT, TALK_REASONING };

/* A wait for another attempt. */
struct talk_wait {
	const char *why;  /* the one before failed */
	int64_t left;     /* ms; 0: it is over */
	int attempt, of;  /* which one follows, counted from 1; how many there may be */
};

/* Who takes what happens on the way; either function may be NULL. */
struct talk_listener {
	/* Each piece of the reply, as it comes. */
	void (*piece)(void *ctx, enum talk_part part, struct span piece);
	/* Another attempt follows in `left` ms: called each second, and with 0 when it begins or the
	 * user wants none. */
	void (*wait)(void *ctx, const struct talk_wait *w);
	void *ctx;
};

/* How to reach the model, and whom to tell. The strings are the caller's. */
struct talk {
	struct endpoint endpoint;
	struct params params;
	struct span schema;   /* p == NULL: none */
	long idle_timeout;    /* s */
	bool stream;
	bool reasoning;       /* the user wants to see it */
	int stop_fd;          /* becomes readable when the user wants to stop; or -1 */
	struct meanwhile *meanwhile; /* of talk_run(); or NULL */
	struct http *http;    /* opened by talk_open(), kept for the next requests */
	struct trace *trace;  /* NULL: none */
	bool refused;         /* by talk_run(), which failed: the server would say the same again */
	bool no_model;        /* likewise: the server has no such model */
	bool no_system;       /* the model was found to have no system instruction */
	bool no_native;       /* of native items: not wanted, or the server was found to refuse them */
	struct talk_listener listener;
};

#define TALK_INIT { .endpoint = ENDPOINT_INIT, .params = PARAMS_INIT, .stream = true, .stop_fd = -1 }

/* A request, ready to be sent. */
struct letter {
	struct buf url, shown, body; /* the second is the URL as messages show it */
	struct buf notices; /* sentences about what was changed for the model, a line each */
	const struct chat_request *rq;
};
#define LETTER_INIT { BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, NULL }
void letter_release(struct letter *l);

/* Once is enough. */
int talk_open(struct talk *how, struct err *e);
void talk_close(struct talk *how);
/* What `from` has opened is for `to`, where both have the same endpoint; else `from` keeps it. */
void talk_inherit(struct talk *to, struct talk *from);

/* `rq` stays the caller's, and is needed until the letter is sent; the parameters are those of
 * `how`. ERR_USAGE for what the provider has no words for. */
int talk_prepare(const struct talk *how, const struct chat_request *rq, struct letter *l,
                 struct err *e);

/*
 * Asks, and takes the reply: each piece goes to how->listener. 0: the reply is complete. -1:
 * ERR_NETWORK, ERR_INTERRUPTED …; what came until then is in `r`.
 *
 * A request that fails in passing, before anything of a reply came, is sent again. So is one
 * that the server refuses for a part that can be left out, without that part.
 */
int talk_run(struct talk *how, const struct letter *l, struct reply *r, struct err *e);

#endif
