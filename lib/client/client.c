#include "client/client.h"

#include <poll.h>
#include <string.h>

#include "client/retry.h"

int client_use_provider(struct client *client, const struct config *c, struct span provider, struct err *e)
{
	struct buf name = BUF_INIT;
	int r;

	buf_add(&name, provider.p, provider.n);
	r = buf_check(&name, e) < 0 || endpoint_find(&client->endpoint, c, name.p, e) < 0 ||
	    endpoint_params(&client->endpoint, &client->params, e) < 0 ? -1 : 0;
	if (!client->idle_timeout)
		client->idle_timeout = (long)c->timeout;
	buf_release(&name);
	return r;
}

int client_open(struct client *client, struct err *e)
{
	const struct config *c = client->endpoint.config;
	const struct http_options o = { c->proxy, c->no_proxy, (long)c->connect_timeout };

	if (client->endpoint.provider->local)
		return 0;
	if (!client->http && !(client->http = http_open(&o, e)))
		return -1;
	return endpoint_open(&client->endpoint, client->http, client->stop_fd, e);
}

void client_close(struct client *client)
{
	http_close(client->http);
	client->http = NULL;
	params_release(&client->params);
	endpoint_release(&client->endpoint);
}

/* Both have the same settings, so one endpoint name means the same endpoint. */
void client_inherit(struct client *to, struct client *from)
{
	if (!from->http || to->http || strcmp(to->endpoint.name, from->endpoint.name) != 0)
		return;
	to->endpoint = from->endpoint;
	to->http = from->http;
	from->endpoint.key = (struct key)KEY_INIT;
	from->endpoint.open = false;
	from->http = NULL;
}

static int run_local(struct client *client, const struct chat_request *content, struct reply *r, struct err *e)
{
	const struct client_listener *to = &client->listener;
	struct pollfd stop = { .fd = client->stop_fd, .events = POLLIN };
	int more;

	do {
		size_t had = r->text.n;

		if (idle_poll(client->idle, &stop, client->stop_fd >= 0, 0) > 0)
			return err_set(e, ERR_INTERRUPTED, "interrupted");
		more = client->endpoint.provider->local(content, r, e);
		if (r->text.n > had && to->piece)
			to->piece(to->ctx, CLIENT_TEXT, (struct span){ r->text.p + had, r->text.n - had });
	} while (more > 0);
	return more;
}

int client_run(struct client *client, const struct request *rq, struct reply *r, struct err *e)
{
	return client->endpoint.provider->local ? run_local(client, rq->content, r, e)
	                                        : retry_request(client, rq, r, e);
}
