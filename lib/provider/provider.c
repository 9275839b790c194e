#include "provider/provider.h"

#include <string.h>

#include "base/cli.h"

extern const struct provider provider_openai_compatible, provider_echo;

const struct provider *const providers[] = {
	&provider_openai_compatible,
	&provider_echo,
	NULL,
};

#define MAX_PROVIDERS 16

const struct provider *provider_find(const char *name, struct err *e)
{
	const char *names[MAX_PROVIDERS + 1] = { NULL }, *near;
	struct buf list = BUF_INIT;
	size_t n = 0;

	for (const struct provider *const *p = providers; *p; p++)
		if (strcmp((*p)->name, name) == 0)
			return *p;
	for (const struct provider *const *p = providers; *p && n < MAX_PROVIDERS; p++) {
		names[n++] = (*p)->name;
		buf_addf(&list, "%s%s", list.n ? ", " : "", (*p)->name);
	}
	near = cli_nearest(name, names);
	if (near)
		err_set(e, ERR_USAGE, "unknown provider '%s'; did you mean '%s'?", name, near);
	else
		err_set(e, ERR_USAGE, "unknown provider '%s'; there are: %s", name, list.p);
	buf_release(&list);
	return NULL;
}

void reply_release(struct reply *r)
{
	buf_release(&r->text);
	buf_release(&r->reasoning);
	buf_release(&r->finish_reason);
}

bool exchange_counts(const struct exchange *x)
{
	return x->status == STATUS_COMPLETE || (x->status == STATUS_INTERRUPTED && x->answer.n);
}
