#include "client/provider-choice.h"

#include <string.h>

#include "client/key.h"

static bool is_vendor(const struct provider *p)
{
	return p->base_url && strcmp(p->name, PROVIDER_DEFAULT) != 0;
}

const char *provider_of_model(const char *model)
{
	for (const struct provider *const *p = providers; *p; p++)
		for (const char *const *family = (*p)->families; family && *family; family++)
			if (is_vendor(*p) && strncmp(model, *family, strlen(*family)) == 0)
				return (*p)->name;
	return NULL;
}

const char *provider_with_key(const struct config *c)
{
	for (const struct provider *const *p = providers; *p; p++)
		if (is_vendor(*p) && key_place(*p, config_provider(c, (*p)->name)))
			return (*p)->name;
	return NULL;
}

const char *provider_choose(const struct config *c, const char *model)
{
	const char *vendor;

	if (c->provider)
		return c->provider;
	if (c->base_url || c->model_of_file)
		return PROVIDER_DEFAULT;
	model = model ? model : c->model;
	vendor = model ? provider_of_model(model) : provider_with_key(c);
	return vendor ? vendor : PROVIDER_DEFAULT;
}
