/*
 * An endpoint: a provider as the settings have it. It is what -p names: a provider
 * itself, or a server of the user's own that speaks a provider's protocol.
 *
 *	name = provider_choose(&config, NULL, model);
 *	endpoint_find(&ep, &config, name, &e)
 *	model = endpoint_model(&ep)
 *	…                                  at the first request:
 *	endpoint_open(&ep, http, stop_fd, &e)
 *	endpoint_release(&ep)
 */
#ifndef CLIENT_ENDPOINT_H
#define CLIENT_ENDPOINT_H

#include "config/config.h"
#include "net/http.h"
#include "provider/provider.h"
#include "client/key.h"

struct endpoint {
	const struct config *config;
	const struct config_provider *section; /* NULL: the settings say nothing of it */
	const struct provider *provider;
	char name[65];
	const char *base_url; /* NULL: a local server is to be looked for */
	bool plain;           /* http:// to another machine is what the user wants */
	int64_t context;      /* tokens, from the settings; 0: they do not say */
	struct key key;       /* loaded by endpoint_open() */
	bool open;
	bool found;           /* on this machine by endpoint_open(): nobody named it */
	long patience;        /* s that a list of models may take; 0: a minute */
};

#define ENDPOINT_INIT { .key = KEY_INIT }

/* The names of all there are, one for each `i` from 0 on: of the providers, then of the settings'
 * own, as these have them; NULL behind the last. endpoint_find() may still find fault with it. */
const char *endpoint_name(const struct config *c, size_t i);

/* ERR_USAGE names the known ones, or says what is wrong with the settings. */
int endpoint_find(struct endpoint *ep, const struct config *c, const char *name, struct err *e);
void endpoint_release(struct endpoint *ep);

/* The vendor by whose names `model` is called, where the endpoint is another vendor's; else NULL. */
const char *endpoint_other_vendor(const struct endpoint *ep, const char *model);

/* The model to use when neither the command line nor the session names one; or NULL. */
const char *endpoint_model(const struct endpoint *ep);

/* The parameters that the settings have for it go to `p`. */
int endpoint_params(const struct endpoint *ep, struct params *p, struct err *e);

/* Loads the key, and finds the local server when there is no base URL. Once is enough. */
int endpoint_open(struct endpoint *ep, struct http *h, int stop_fd, struct err *e);

/* The parts of a request that are the same each time. `shown` is the URL as url_add_shown() has it. */
struct http_request endpoint_request(const struct endpoint *ep, const char *url, const char *shown,
                                     int stop_fd);

/* Calls take() for each model that it offers. */
int endpoint_models(const struct endpoint *ep, struct http *h, int stop_fd,
                    int (*take)(void *ctx, const struct model *m, struct err *e), void *ctx,
                    struct err *e);

#endif
