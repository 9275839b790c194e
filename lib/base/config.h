/*
 * The user's settings: environment over the configuration file over defaults.
 * (Options come on top; the tools lay them there.) mcbox-config(5) is the
 * contract. Nothing is read from the working directory.
 *
 * A struct config owns its strings until config_release().
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>

#include "base/err.h"

struct config {
	char *file;         /* the file that was read, NULL when there is none */
	char *sessions_dir; /* never NULL after config_load() */
	char *provider;     /* these are NULL when nobody set them */
	char *model;
	char *base_url;
	char *system;
	char *api_key;
	bool model_of_file; /* the file chose the model, not the environment */
	long timeout; /* seconds without a byte from the server */
};

#define CONFIG_INIT { NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 600 }
#define CONFIG_PROVIDER "openai-compatible" /* when nobody names one */
#define CONFIG_TIMEOUT_MAX 86400

int config_load(struct config *c, struct err *e);
void config_release(struct config *c);

#endif
