#include "provider/provider.h"

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

struct span problem_said(const struct problem *p, size_t max, bool goes_on, bool *cut)
{
	struct span said = utf8_head(buf_span(&p->message), max, cut);

	if (goes_on && said.n > 1 && said.p[said.n - 1] == '.' && said.p[said.n - 2] != '.')
		said.n--;
	return said;
}

void reply_release(struct reply *r)
{
	buf_release(&r->text);
	buf_release(&r->reasoning);
	buf_release(&r->finish_reason);
	buf_release(&r->call);
	buf_release(&r->problem.message);
}

bool exchange_counts(const struct exchange *x)
{
	return x->status == STATUS_COMPLETE || (x->status == STATUS_INTERRUPTED && x->answer.n);
}
