/*
 * An endpoint is what -p names: a provider with the user's settings, or a server of the user's own that
 * uses a provider's protocol.
 *
 *	name = provider_choose(&config, NULL, model);
 *	endpoint_find(&ep, &config, name, &e)
 *	model = endpoint_model(&ep)
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
	const struct config_provider *section; /* NULL: the settings do not mention it */
	const struct provider *provider;
	char name[65];
	const char *base_url; /* NULL: endpoint_open() looks for a local server */
	bool plain;           /* the user allows http:// to another machine */
	int64_t context;      /* the window in tokens, from the settings; 0: not set */
	struct key key;       /* loaded by endpoint_open() */
	bool open;
	bool found;           /* a local server, found by endpoint_open() */
	long patience;        /* s to wait for a list of models; 0: a minute */
};

#define ENDPOINT_INIT { .key = KEY_INIT }

/* The name of endpoint `i`, from 0 on: first the providers, then the settings' own; NULL after the last.
 * endpoint_find() may still reject it. */
const char *endpoint_name(const struct config *c, size_t i);

/* ERR_USAGE lists the known names; ERR_FAILED says what is wrong with the settings. */
int endpoint_find(struct endpoint *ep, const struct config *c, const char *name, struct err *e);
void endpoint_release(struct endpoint *ep);

/* The vendor whose models have names like `model`, if the endpoint is another vendor's; else NULL. */
const char *endpoint_other_vendor(const struct endpoint *ep, const char *model);

/* The model if neither the command line nor the session names one; or NULL. */
const char *endpoint_model(const struct endpoint *ep);

/* Adds the parameters that the settings have for it. */
int endpoint_params(const struct endpoint *ep, struct params *p, struct err *e);

/* Loads the key, and finds the local server if there is no base URL. An open endpoint stays as it is. */
int endpoint_open(struct endpoint *ep, struct http *h, int stop_fd, struct err *e);

/* The parts that all requests share. `shown` is the URL as url_add_shown() writes it. */
struct http_request endpoint_request(const struct endpoint *ep, const char *url, const char *shown,
                                     int stop_fd);

/* Asks the server for its models, and calls take() for each. */
int endpoint_models(const struct endpoint *ep, struct http *h, int stop_fd,
                    int (*take)(void *ctx, const struct model *m, struct err *e), void *ctx,
                    struct err *e);

#endif
