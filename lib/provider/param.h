/*
 * Parameters of a model: KEY=VALUE, from -o and from the settings.
 *
 * The common ones have one name for all providers, which each adapter turns into its
 * vendor's: temperature and top_p (numbers), max_tokens and seed (whole numbers), stop (a
 * string or a list of them), reasoning_effort (a string). Others are passed on under
 * their own name: a value that is JSON as that, any other as a string.
 *
 * A struct params owns its copies until params_release().
 */
#ifndef PROVIDER_PARAM_H
#define PROVIDER_PARAM_H

#include "base/buf.h"

struct param {
	struct buf key, value; /* the value is JSON */
};

struct params {
	struct param *list; /* no key twice */
	size_t n;
};

#define PARAMS_INIT { NULL, 0 }

/* "KEY=VALUE" in place of an earlier one of that key; "KEY=" takes it away. ERR_USAGE. */
int params_add(struct params *p, const char *text, struct err *e);
/* The same with a value that is JSON. */
int params_set(struct params *p, struct span key, struct span json, struct err *e);
void params_release(struct params *p);

/* The value, as JSON; p == NULL when it is not set. `p` may be NULL. */
struct span params_get(const struct params *p, const char *key);
/* Whether it is one of the common ones. */
bool param_is_common(struct span key);

/*
 * Adds `,"key":value` for each that is not common. ERR_USAGE for one that is in `own`, the
 * members that the adapter writes itself (ends with NULL). `p` may be NULL.
 */
int params_add_others(const struct params *p, const char *const *own, struct buf *body,
                      struct err *e);
/* ERR_USAGE: "PROVIDER has no KEY" for a common one that is set. */
int params_refuse(const struct params *p, const char *key, const char *provider, struct err *e);

#endif
