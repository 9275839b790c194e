/*
 * API keys: from the environment, a file or a command.
 *
 * A key goes into one header of a request and nowhere else: key_release() wipes it.
 * Errors name where it comes from, never the key.
 */
#ifndef CLIENT_KEY_H
#define CLIENT_KEY_H

#include "config/config.h"
#include "provider/provider.h"

struct key {
	struct buf value;  /* empty: there is none, and none is configured */
	char source[256];  /* as in "the environment variable X"; what to set when there is none;
	                    * empty: nobody looked for one */
	/* Where the request's other secrets are, in the settings: */
	const struct config_provider *section; /* its headers; or NULL */
	const char *base_url;                  /* its query; or NULL */
};

#define KEY_INIT { BUF_INIT, "", NULL, NULL }

/*
 * The key of a provider, or of the endpoint that `section` describes (NULL: none does).
 * A command runs without a shell, without any key in its environment and with nothing on
 * its standard input; it is ended when stop_fd becomes readable.
 */
int key_load(struct key *k, const struct provider *p, const struct config *c,
             const struct config_provider *section, int stop_fd, struct err *e);
void key_release(struct key *k);

/* Whether one is configured, without looking at it. */
bool key_is_set(const struct provider *p, const struct config_provider *section);

/* Where it would come from, as the user set it: a variable's name, the file as the settings name
 * it, "apiKeyCommand"; NULL: none is configured. Nothing of it is looked at. */
const char *key_place(const struct provider *p, const struct config_provider *section);

/* Adds where it would come from, without looking at it: "env NAME", "file PATH", "command",
 * or nothing. */
void key_origin(struct buf *b, const struct provider *p, const struct config_provider *section);

/* Adds what to do about a server that refuses the key, as the end of a sentence. */
void key_advise(const struct key *k, struct buf *b);

/* Puts asterisks in place of the key, and of the other secrets of a request, wherever they are in
 * `text`, which may be JSON. */
void key_redact(const struct key *k, char *text, size_t n);
/* The same for a text that arrives in pieces, by the letter. Returns how many bytes at the end of
 * `text` may be the beginning of one: those are to be given again with what follows. 0 when this is
 * the `last` piece. *hidden is set to true when one was there. */
size_t key_hide(const struct key *k, char *text, size_t n, bool last, bool *hidden);
/* Whether one of them is in there. */
bool key_is_in(const struct key *k, struct span text);

/* The environment without any key, for a program that is run; the caller frees the list, and
 * not what it points to. NULL: out of memory. */
char **key_environment(const struct config *c);

#endif
