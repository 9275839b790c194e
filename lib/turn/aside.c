#include "turn/aside.h"

#include <string.h>

int aside_begin(struct aside *a, const struct talk *how, struct err *e)
{
	a->how = *how;
	a->how.listener.piece = NULL; /* it is nothing to show */
	a->how.reasoning = false;
	a->how.no_native = true;
	a->how.params = (struct params)PARAMS_INIT;
	if (params_copy(&a->how.params, &how->params, e) < 0)
		return -1;
	params_drop(&a->how.params, "max_tokens");
	params_drop(&a->how.params, "stop");
	return 0;
}

void aside_end(struct aside *a)
{
	params_release(&a->how.params);
}

int aside_ask(struct aside *a, const struct chat_request *asked, struct span prompt, struct reply *reply,
              struct err *e)
{
	const struct message_part part = { MESSAGE_TEXT, .text = prompt };
	const struct message message = { ROLE_USER, &part, 1 };
	struct letter l = LETTER_INIT;
	struct chat_request rq = *asked;
	int r;

	rq.base_url = a->how.endpoint.base_url;
	rq.stream = a->how.stream;
	rq.messages = &message;
	rq.nmessages = 1;
	r = talk_prepare(&a->how, &rq, &l, e);
	if (r == 0)
		r = talk_run(&a->how, &l, reply, e);
	letter_release(&l);
	return r;
}

struct span aside_text(const struct reply *reply)
{
	return span_trim(buf_span(&reply->text), SPAN_WHITE);
}
