/*
 * Parameters of a model: KEY=VALUE, from -o and from the settings.
 *
 * The common ones have one name for all providers, which each adapter translates: temperature and top_p
 * (numbers), max_tokens and seed (whole numbers), stop (a string or a list of strings),
 * reasoning_effort (a string). Others are sent under their own name: as JSON if the value is JSON, else
 * as a string.
 *
 * A struct params owns its copies until params_release().
 */
#ifndef PROVIDER_PARAM_H
#define PROVIDER_PARAM_H

#include <json-c/json_object.h>

#include "base/buf.h"

struct param {
	struct buf key, value; /* the value is JSON */
};

struct params {
	struct param *list; /* no key twice */
	size_t n;
	struct param *without; /* fields that the request must not have; the value is not empty if the key
	                        * was set before */
	size_t nwithout;
};

#define PARAMS_INIT { NULL, 0, NULL, 0 }

/* Sets "KEY=VALUE"; "KEY=" removes the parameter, and the field of that name that mcbox itself would
 * send. ERR_USAGE. */
int params_add(struct params *p, const char *text, struct err *e);
/* The same with a JSON value; null removes. */
int params_set(struct params *p, struct span key, struct span json, struct err *e);
/* Removes only the parameter. */
void params_drop(struct params *p, const char *key);
/* Adds all of `from`. */
int params_copy(struct params *to, const struct params *from, struct err *e);
void params_release(struct params *p);

/* The value, as JSON; p == NULL when it is not set. `p` may be NULL. */
struct span params_get(const struct params *p, const char *key);
/* All parameters as a new JSON object for json_object_put(); NULL if there are none. */
int params_object(const struct params *p, struct json_object **out, struct err *e);
/* Whether it is a common parameter. */
bool param_is_common(struct span key);

/*
 * Adds a member for each parameter that is not common. ERR_USAGE if it is in `own`, the members that
 * the adapter writes itself (ends with NULL). `p` may be NULL.
 */
int params_add_others(const struct params *p, const char *const *own, struct buf *body,
                      struct err *e);
/*
 * Removes from a request's body the fields that it must not have. KEY is a path, as in
 * stream_options.include_usage, or the name of a member of the body, or else of an object anywhere in
 * it. An object that becomes empty is removed, too. ERR_USAGE for a field that holds the prompt. Adds
 * a line to `notices` for a KEY that changed nothing.
 */
int params_leave_out(const struct params *p, struct buf *body, struct buf *notices, struct err *e);
/* ERR_USAGE: "PROVIDER has no KEY" for a common one that is set. */
int params_refuse(const struct params *p, const char *key, const char *provider, struct err *e);

#endif
