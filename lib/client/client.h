/*
 * Sends a request to a model and receives its reply.
 *
 *	client_use_provider(&client, &config, provider, &e)
 *	client_open(&client, &e)                            loads the key, finds the server
 *	request_prepare(&request, &client, &content, &e)    writes the request for the provider
 *	client_run(&client, &request, &reply, &e)           sends it, and retries if that fails
 *	request_release(&request)
 *	client_inherit(&next, &client)                      another client takes over key and connection
 *	client_close(&client)
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/endpoint.h"
#include "client/request.h"
#include "client/trace.h"

enum client_part { CLIENT_TEXT, CLIENT_REASONING };

/* A delay before another attempt. */
struct client_wait {
	const char *why;  /* the error of the attempt before */
	int64_t left;     /* ms; 0: the delay is over */
	int attempt, of;  /* which attempt follows, counted from 1, and how many there may be */
};

/* Receives what happens while a request runs; either function may be NULL. */
struct client_listener {
	/* Each piece of the reply, when it arrives. */
	void (*piece)(void *ctx, enum client_part part, struct span piece);
	/* Another attempt follows in `left` ms: called each second, and with 0 when the delay is over or
	 * the user stops it. */
	void (*wait)(void *ctx, const struct client_wait *w);
	void *ctx;
};

/* How to reach the model. The strings are the caller's. */
struct client {
	struct endpoint endpoint;
	struct params params;
	struct span schema;   /* p == NULL: none */
	long idle_timeout;    /* s */
	bool stream;
	bool reasoning;       /* the user wants to see it */
	int stop_fd;          /* becomes readable when the user wants to stop; or -1 */
	struct idle *idle;    /* what client_run() does while it waits; or NULL */
	struct http *http;    /* opened by client_open(), kept for the next requests */
	struct trace *trace;  /* NULL: none */
	bool refused;         /* client_run() failed, and the server would refuse the request again */
	bool no_model;        /* likewise: the server does not have the model */
	bool no_system;       /* the server said that the model has no system instruction */
	bool no_native;       /* native items are not wanted, or the server refused them */
	struct client_listener listener;
};

#define CLIENT_INIT { .endpoint = ENDPOINT_INIT, .params = PARAMS_INIT, .stream = true, .stop_fd = -1 }

/* Takes endpoint, parameters and, unless one is set, the idle timeout from the settings. `provider` is
 * the name that a session has. */
int client_use_provider(struct client *client, const struct config *c, struct span provider, struct err *e);
/* A client that is open stays as it is. */
int client_open(struct client *client, struct err *e);
void client_close(struct client *client);
/* Moves what `from` has opened to `to` if both have the same endpoint. */
void client_inherit(struct client *to, struct client *from);

/*
 * Sends the request and receives the reply; client->listener gets each piece. 0: the reply is
 * complete. -1: ERR_NETWORK, ERR_INTERRUPTED …; `r` has what arrived. See retry.h for what is sent
 * again.
 */
int client_run(struct client *client, const struct request *rq, struct reply *r, struct err *e);

#endif
