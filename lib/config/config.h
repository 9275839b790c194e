/*
 * The user's settings: environment over the configuration file over defaults.
 * (Options come on top; the tools lay them there.) mcbox-config(5) is the
 * contract. Nothing is read from the working directory.
 *
 * A struct config owns its strings until config_release().
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CONFIG_TIMEOUT_MAX 86400
#define CONFIG_CONTEXT_MIN 256
#define CONFIG_CONTEXT_MAX 1000000000
#define CONFIG_TYPED_MAX 1000000

/* A header that the file adds to the requests of a provider. */
struct config_header {
	const char *name, *value; /* an empty value: none of that name is sent */
};

/* What the file says of a provider, or of an endpoint of the user's own. NULL, 0 and
 * false where it says nothing. */
struct config_provider {
	const char *name;
	const char *type; /* the protocol it speaks */
	const char *base_url, *model;
	const char *api_key_env;  /* a variable's name */
	const char *api_key_file; /* see env_expand() */
	struct json_object *api_key_command; /* a list of strings, the first one not empty */
	bool allow_http;
	int64_t context; /* tokens */
	struct json_object *options;
	struct json_object *headers_json; /* what `headers` was read from */
	struct config_header *headers;
	size_t nheaders;
};

struct config_alias {
	const char *name, *provider, *model; /* the provider may be NULL */
};

struct config {
	char *file;         /* the file that was read, NULL when there is none */
	char *sessions_dir; /* NULL when nobody knows where */
	char *cache_dir;    /* NULL when nobody knows where */
	char *state_dir;    /* the same */
	struct json_object *json; /* what is in the file; strings below point into it */

	const char *provider; /* these are NULL when nobody set them */
	const char *model;
	const char *model_provider; /* whose alias it was, if that says so */
	const char *base_url; /* of openai-compatible */
	const char *system;
	const char *proxy, *no_proxy;
	bool provider_of_file, model_of_file; /* the file chose it, not the environment */
	bool allow_http, auto_compact, auto_title;
	bool think_tags;         /* a reply's text between them is its reasoning */
	bool plain;              /* text is shown as it is, at a terminal too */
	struct json_object *highlighter; /* a list of strings; empty: none is wanted; NULL: not set */
	int64_t timeout;         /* seconds without a byte from the server */
	int64_t connect_timeout; /* s */
	int64_t retries;
	int64_t context;         /* tokens; 0: not set */
	struct json_object *clipboard; /* a list of strings, as apiKeyCommand; NULL: not set */
	int64_t typed_max;       /* texts that were typed and are remembered */
	struct json_object *options;

	struct config_provider *providers;
	size_t nproviders;
	struct config_alias *aliases;
	size_t naliases;
};

#define CONFIG_INIT { .timeout = 600, .connect_timeout = 30, .retries = 4, .typed_max = 10000, \
                      .think_tags = true }

int config_load(struct config *c, struct err *e);
void config_release(struct config *c);

/* NULL when the file says nothing of that name. */
const struct config_provider *config_provider(const struct config *c, const char *name);
const struct config_alias *config_alias(const struct config *c, const char *name);
/* ERR_USAGE when it stands for a model of another than `provider`; NULL: any will do. */
int config_alias_fits(const struct config_alias *a, const char *provider, struct err *e);

/* Whether a header of that name may hold a secret: all but a few that are known to hold none. */
bool config_header_is_secret(const char *name);

/* The list of strings of such a command, for execvp(); the caller frees it, and not what it points
 * to. NULL: out of memory. */
char **config_command(struct json_object *words);

/* Fills in *c from the file's text, which may be empty. For config_load(). */
int config_read(struct config *c, struct span text, struct err *e);

#endif
