#include "client/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "client/client.h"
#include "provider/fit.h"

void request_release(struct request *rq)
{
	buf_release(&rq->url);
	buf_release(&rq->shown);
	buf_release(&rq->body);
	buf_release(&rq->notices);
}

/* For a model without a system instruction, the system prompt becomes the beginning of the first
 * prompt. */
static int write_without_system(struct request *rq, const struct provider *provider, struct chat_request *content,
                                struct err *e)
{
	const struct message *first = &content->messages[0];
	struct message *messages = malloc(content->nmessages * sizeof(*messages));
	struct message_part *parts = malloc(first->n * sizeof(*parts));
	struct buf text = BUF_INIT;
	int r = -1;

	if (!messages || !parts) {
		err_oom(e);
	} else {
		memcpy(messages, content->messages, content->nmessages * sizeof(*messages));
		memcpy(parts, first->parts, first->n * sizeof(*parts));
		buf_add(&text, content->system.p, content->system.n);
		buf_adds(&text, "\n\n");
		buf_add(&text, parts[first->n - 1].text.p, parts[first->n - 1].text.n);
		parts[first->n - 1].text = buf_span(&text);
		messages[0].parts = parts;
		content->messages = messages;
		content->system = (struct span){ NULL, 0 };
		r = buf_check(&text, e) < 0 ? -1 : provider->request(content, &rq->url, &rq->body, e);
	}
	buf_release(&text);
	free(messages);
	free(parts);
	return r;
}

/* The vendor of the models: its own server may also be used with another vendor's protocol. */
static const char *models_vendor(const struct client *client)
{
	const char *base_url = client->endpoint.base_url;

	for (const struct provider *const *p = providers; base_url && *p; p++)
		if ((*p)->base_url && (*p)->families && span_same(url_host(base_url), url_host((*p)->base_url)))
			return (*p)->name;
	return client->endpoint.provider->name;
}

int request_prepare(struct request *rq, const struct client *client, const struct chat_request *content,
                    struct err *e)
{
	const struct provider *provider = client->endpoint.provider;
	const char *vendor = models_vendor(client);
	struct params fitted = PARAMS_INIT;
	struct chat_request sent = *content;
	int r;

	rq->content = content;
	if (provider->local)
		return 0;
	sent.params = &fitted;
	sent.no_native = client->no_native;
	r = params_copy(&fitted, &client->params, e);
	if (r == 0)
		r = fit_params(&fitted, vendor, sent.model, sent.reasoning, &rq->notices, e);
	if (r == 0 && sent.system.n && (client->no_system || !fit_has_system(vendor, sent.model)))
		r = write_without_system(rq, provider, &sent, e);
	else if (r == 0)
		r = provider->request(&sent, &rq->url, &rq->body, e);
	if (r == 0)
		r = params_leave_out(&fitted, &rq->body, &rq->notices, e);
	params_release(&fitted);
	if (r < 0)
		return -1;
	url_add_shown(&rq->shown, rq->url.p);
	return buf_check(&rq->shown, e);
}
