/*
 * Sends a request to a model and receives its reply.
 *
 *	client_open(&client, &e)                       loads the key, finds the server
 *	client_prepare(&client, &content, &request, &e)  writes the request as the provider wants it
 *	client_run(&client, &request, &reply, &e)      sends it, and retries if that fails
 *	request_release(&request)
 *	client_inherit(&next, &client)                 another client takes over key and connection
 *	client_close(&client)
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/endpoint.h"
#include "client/trace.h"

enum client_part { CLIENT_TEXT, CLIENT_REASONING };

/* A wait for another attempt. */
struct client_wait {
	const char *why;  /* the one before failed */
	int64_t left;     /* ms; 0: it is over */
	int attempt, of;  /* which one follows, counted from 1; how many there may be */
};

/* Who takes what happens on the way; either function may be NULL. */
struct client_listener {
	/* Each piece of the reply, as it comes. */
	void (*piece)(void *ctx, enum client_part part, struct span piece);
	/* Another attempt follows in `left` ms: called each second, and with 0 when it begins or the
	 * user wants none. */
	void (*wait)(void *ctx, const struct client_wait *w);
	void *ctx;
};

/* How to reach the model, and whom to tell. The strings are the caller's. */
struct client {
	struct endpoint endpoint;
	struct params params;
	struct span schema;   /* p == NULL: none */
	long idle_timeout;    /* s */
	bool stream;
	bool reasoning;       /* the user wants to see it */
	int stop_fd;          /* becomes readable when the user wants to stop; or -1 */
	struct idle *idle; /* of client_run(); or NULL */
	struct http *http;    /* opened by client_open(), kept for the next requests */
	struct trace *trace;  /* NULL: none */
	bool refused;         /* by client_run(), which failed: the server would say the same again */
	bool no_model;        /* likewise: the server has no such model */
	bool no_system;       /* the model was found to have no system instruction */
	bool no_native;       /* of native items: not wanted, or the server was found to refuse them */
	struct client_listener listener;
};

#define CLIENT_INIT { .endpoint = ENDPOINT_INIT, .params = PARAMS_INIT, .stream = true, .stop_fd = -1 }

/* A request, ready to be sent. */
struct request {
	const struct chat_request *content; /* the caller's */
	struct buf url, shown, body; /* `shown` is the URL without secrets, for messages */
	struct buf notices; /* one line for each change that the model made necessary */
};
#define REQUEST_INIT { NULL, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT }
void request_release(struct request *rq);

/* Once is enough. */
int client_open(struct client *client, struct err *e);
void client_close(struct client *client);
/* What `from` has opened is for `to`, where both have the same endpoint; else `from` keeps it. */
void client_inherit(struct client *to, struct client *from);

/* `content` must exist until the request has been sent; the parameters are the client's. ERR_USAGE
 * for what the provider does not support. */
int client_prepare(const struct client *client, const struct chat_request *content, struct request *rq,
                   struct err *e);

/*
 * Asks, and takes the reply: each piece goes to client->listener. 0: the reply is complete. -1:
 * ERR_NETWORK, ERR_INTERRUPTED …; what came until then is in `r`.
 *
 * A request that fails in passing, before anything of a reply came, is sent again. So is one
 * that the server refuses for a part that can be left out, without that part.
 */
int client_run(struct client *client, const struct request *rq, struct reply *r, struct err *e);

#endif
