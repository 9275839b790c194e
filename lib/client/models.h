/*
 * The models that an endpoint offers. What its server says is kept on the disk for a day,
 * mainly so that -m can be completed.
 *
 *	struct model_list l = MODEL_LIST_INIT;
 *	models_cached(&l, &ep);                       what is known without a network
 *	if (!models_are_fresh(&l, &ep))
 *		models_ask(&l, &ep, http, stop_fd, &e);   once endpoint_open() found the way
 *	models_release(&l);
 *
 * A list owns its strings until models_release(). The cache is a hint: a file that is not
 * quite right counts as none, one that cannot be written is no error, and what is in it is
 * printed at most, as text that strangers wrote.
 */
#ifndef CLIENT_MODELS_H
#define CLIENT_MODELS_H

#include "client/endpoint.h"

#define MODELS_MAX 20000    /* of a list; what is beyond is left out */
#define MODEL_TEXT_MAX 512  /* bytes of an id or a name; a longer one is none */

struct listed_model {
	char *id;       /* UTF-8, not empty */
	char *name;     /* for people; NULL: it has none */
	int64_t window; /* tokens; 0: not told */
};

/* In the order of their ids' bytes, each id once. */
struct model_list {
	struct listed_model *v;
	size_t n, cap;
	int64_t asked_at; /* when the server said so, ms; 0: it was not asked */
};

#define MODEL_LIST_INIT { NULL, 0, 0, 0 }
void models_release(struct model_list *l);

/* Adds one, in any order; models_sort() comes last. What cannot be a name for -m is
 * passed over. */
int models_add(struct model_list *l, const struct model *m, struct err *e);
void models_sort(struct model_list *l);

/* NULL when it is not there. */
const struct listed_model *models_find(const struct model_list *l, const char *id);

/* Fills an empty list with what was kept, however old it is. False: there is nothing, and
 * the list is empty. Of a provider without a network, that is all there is. */
bool models_cached(struct model_list *l, const struct endpoint *ep);

/* It was asked for less than a day ago, and of a server that the settings name. */
bool models_are_fresh(const struct model_list *l, const struct endpoint *ep);

/* Asks the server of an open endpoint, and keeps what it says. On an error the list is as
 * it was. */
int models_ask(struct model_list *l, const struct endpoint *ep, struct http *h, int stop_fd,
               struct err *e);

/* The window of a model in tokens: what the list says, else what the provider knows; 0:
 * neither. */
int64_t models_window_in(const struct model_list *l, const struct endpoint *ep, const char *model);
/* The window of a model in tokens: what the server last said, however long ago, else what
 * the provider knows; 0: nobody does. Uses no network. */
int64_t models_window(const struct endpoint *ep, const char *model);

/* The ids that are most like `word`, nearest first; returns how many, at most `max`. They
 * belong to the list. */
size_t models_suggest(const struct model_list *l, const char *word, const char **near, size_t max);

/* ---- the file, for models_cached() and models_ask() ---- */

void models_write(const struct model_list *l, const struct endpoint *ep, struct buf *b);
/* False, and an empty list, when the text is anything else than models_write() makes for
 * this endpoint. */
bool models_read(struct model_list *l, const struct endpoint *ep, struct span text);

#endif
