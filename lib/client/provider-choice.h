/* Chooses the provider when neither the command line nor the session names one. */
#ifndef CLIENT_PROVIDER_CHOICE_H
#define CLIENT_PROVIDER_CHOICE_H

#include "config/config.h"

/* The provider that needs no name: the user's own server, or a local one that is looked for. */
#define PROVIDER_DEFAULT "openai-compatible"

/*
 * The name of the provider: the settings' provider; else openai-compatible if they have a base URL
 * or only a model; else the vendor whose models have names like `model` (NULL: the settings' model);
 * else, without a model, the first vendor with a key; else openai-compatible.
 */
const char *provider_choose(const struct config *c, const char *model);

/* The vendor whose models have names like this one, or NULL. */
const char *provider_of_model(const char *model);
/* The first vendor with a key, or NULL. */
const char *provider_with_key(const struct config *c);

#endif
