/*
 * API keys: from the environment, a file or a command.
 *
 * A key is sent in one header and goes nowhere else; key_release() wipes it. Errors name its source,
 * never the key.
 */
#ifndef CLIENT_KEY_H
#define CLIENT_KEY_H

#include "config/config.h"
#include "provider/provider.h"

struct key {
	struct buf value;  /* empty: none is configured */
	char source[256];  /* as in "the environment variable X"; without a key, what the user may set;
	                    * empty: key_load() was not called */
	/* The request's other secrets: */
	const struct config_provider *section; /* the settings' headers; or NULL */
	const char *base_url;                  /* with a query; or NULL */
};

#define KEY_INIT { BUF_INIT, "", NULL, NULL }

/*
 * Loads the key of a provider, or of the endpoint that `section` (or NULL) describes. A command
 * runs without a shell, without a key in its environment and with an empty standard input; it is
 * ended when stop_fd becomes readable.
 */
int key_load(struct key *k, const struct provider *p, const struct config *c,
             const struct config_provider *section, int stop_fd, struct err *e);
void key_release(struct key *k);

/* The source of the key, as the user set it: the variable, the file in the settings' spelling, or
 * "apiKeyCommand"; NULL: none is configured. Reads nothing. */
const char *key_place(const struct provider *p, const struct config_provider *section);

/* Adds the end of a sentence: what to do if the server refuses the key. */
void key_advise(const struct key *k, struct buf *b);

/* Replaces the key and the other secrets of a request in `text`, which may be JSON, by asterisks. */
void key_redact(const struct key *k, char *text, size_t n);
/* The same for text that is not JSON and arrives in pieces. Returns how many bytes at the end of `text`
 * may be the beginning of a secret: pass them again with the next piece. 0 for the `last` piece. Sets
 * *hidden to true if a secret was found. */
size_t key_hide(const struct key *k, char *text, size_t n, bool last, bool *hidden);
/* Whether the text contains one of the secrets. */
bool key_is_in(const struct key *k, struct span text);

/* The environment without any key, for another program; the caller frees the list, but not the strings.
 * NULL: out of memory. */
char **key_environment(const struct config *c);

#endif
