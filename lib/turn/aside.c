#include "turn/aside.h"

#include <string.h>

int aside_begin(struct aside *a, const struct client *client, struct err *e)
{
	a->client = *client;
	a->client.listener.piece = NULL; /* nothing of it is shown */
	a->client.reasoning = false;
	a->client.no_native = true;
	a->client.params = (struct params)PARAMS_INIT;
	if (params_copy(&a->client.params, &client->params, e) < 0)
		return -1;
	params_drop(&a->client.params, "max_tokens");
	params_drop(&a->client.params, "stop");
	return 0;
}

void aside_end(struct aside *a)
{
	params_release(&a->client.params);
}

int aside_ask(struct aside *a, const struct chat_request *asked, struct span prompt, struct reply *reply,
              struct err *e)
{
	const struct message_part part = { MESSAGE_TEXT, .text = prompt };
	const struct message message = { ROLE_USER, &part, 1 };
	struct request l = REQUEST_INIT;
	struct chat_request rq = *asked;
	int r;

	rq.base_url = a->client.endpoint.base_url;
	rq.stream = a->client.stream;
	rq.messages = &message;
	rq.nmessages = 1;
	r = request_prepare(&l, &a->client, &rq, e);
	if (r == 0)
		r = client_run(&a->client, &l, reply, e);
	request_release(&l);
	return r;
}

struct span aside_text(const struct reply *reply)
{
	return span_trim(buf_span(&reply->text), SPAN_WHITE);
}
