/*
 * The models that an endpoint offers. The server's list is kept on the disk for a day, mainly so
 * that -m can be completed.
 *
 *	struct model_list l = MODEL_LIST_INIT;
 *	models_cached(&l, &ep);                       what is known without a network
 *	if (!models_are_fresh(&l, &ep))
 *		models_ask(&l, &ep, http, stop_fd, &e);   after endpoint_open()
 *	models_release(&l);
 *
 * A list owns its strings until models_release(). The cache is only a hint: a damaged file is
 * ignored, a failure to write one is not reported, and its content is printed like any untrusted text.
 */
#ifndef CLIENT_MODELS_H
#define CLIENT_MODELS_H

#include "client/endpoint.h"

#define MODELS_MAX 20000    /* of a list; further ones are left out */
#define MODEL_TEXT_MAX 512  /* bytes of an id or a name; longer ones are ignored */

struct listed_model {
	char *id;       /* UTF-8, not empty */
	char *name;     /* for people; or NULL */
	int64_t window; /* tokens; 0: unknown */
};

/* Sorted by the bytes of the ids, without duplicates. */
struct model_list {
	struct listed_model *v;
	size_t n, cap;
	int64_t asked_at; /* when the server was asked, ms; 0: never */
};

#define MODEL_LIST_INIT { NULL, 0, 0, 0 }
void models_release(struct model_list *l);

/* Adds a model, in any order; call models_sort() last. An id that -m could not take is ignored. */
int models_add(struct model_list *l, const struct model *m, struct err *e);
void models_sort(struct model_list *l);

/* NULL: not in the list. */
const struct listed_model *models_find(const struct model_list *l, const char *id);

/* Fills an empty list from the cache, however old that is. False: nothing is cached, and the list is
 * empty. A provider without a network always has its list. */
bool models_cached(struct model_list *l, const struct endpoint *ep);

/* The list is less than a day old, and the settings name the server. */
bool models_are_fresh(const struct model_list *l, const struct endpoint *ep);

/* Asks the server of an open endpoint, and caches the answer. An error leaves the list unchanged. */
int models_ask(struct model_list *l, const struct endpoint *ep, struct http *h, int stop_fd,
               struct err *e);

/* The context window of a model in tokens: from the list, else from the provider; 0: unknown. */
int64_t models_window_in(const struct model_list *l, const struct endpoint *ep, const char *model);
/* The same with the cached list, however old. Uses no network. */
int64_t models_window(const struct endpoint *ep, const char *model);

/* Fills `ids` with the ids that are most like `word`, the most similar first; returns how many, at
 * most `max`. They belong to the list. */
size_t models_suggest(const struct model_list *l, const char *word, const char **ids, size_t max);

/* ---- the cache: models_cached() and models_ask() call these ---- */

void models_keep(const struct model_list *l, const struct endpoint *ep);
void models_write(const struct model_list *l, const struct endpoint *ep, struct buf *b);
/* False, and an empty list, unless models_write() wrote the text for this endpoint. */
bool models_read(struct model_list *l, const struct endpoint *ep, struct span text);

#endif
