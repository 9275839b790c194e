#include "provider/provider.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

extern const struct provider provider_anthropic, provider_openai, provider_google,
	provider_openai_compatible, provider_echo;

const struct provider *const providers[] = {
	&provider_anthropic,
	&provider_openai,
	&provider_google,
	&provider_openai_compatible,
	&provider_echo,
	NULL,
};

const struct provider *provider_find(const char *name)
{
	for (const struct provider *const *p = providers; *p; p++)
		if (strcmp((*p)->name, name) == 0)
			return *p;
	return NULL;
}

struct span problem_text(const struct problem *p, size_t max, bool goes_on, bool *cut)
{
	struct span text = utf8_head(buf_span(&p->message), max, cut);

	if (goes_on && text.n > 1 && text.p[text.n - 1] == '.' && text.p[text.n - 2] != '.')
		text.n--;
	return text;
}

bool chat_request_has_native(const struct chat_request *rq)
{
	for (size_t i = 0; i < rq->nmessages; i++)
		for (size_t k = 0; k < rq->messages[i].n; k++)
			if (rq->messages[i].parts[k].kind == MESSAGE_NATIVE)
				return true;
	return false;
}

void reply_release(struct reply *r)
{
	buf_release(&r->text);
	buf_release(&r->reasoning);
	buf_release(&r->finish_reason);
	for (size_t i = 0; i < r->ncalls; i++) {
		buf_release(&r->calls[i].id);
		buf_release(&r->calls[i].name);
		buf_release(&r->calls[i].arguments);
	}
	buf_release(&r->native);
	buf_release(&r->plain);
	free(r->calls);
	r->calls = NULL;
	r->ncalls = r->calls_cap = 0;
	buf_release(&r->problem.message);
}

bool exchange_counts(const struct exchange *x)
{
	return x->status == STATUS_COMPLETE || x->steps || (x->status == STATUS_INTERRUPTED && x->answer.n);
}

struct json_object *native_items(struct json_object *native, const char *provider, struct span model)
{
	struct json_object *items = json_member(native, "items");

	if (!json_object_is_type(items, json_type_array) || !span_eq(json_member_str(native, "provider"), provider) ||
	    !span_same(json_member_str(native, "model"), model))
		return NULL;
	return items;
}
