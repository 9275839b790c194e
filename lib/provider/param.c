#include "provider/param.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

enum kind { NUMBER, WHOLE, STRING, STRINGS };

static const struct {
	const char *key;
	enum kind kind;
	const char *expected;
} common[] = {
	{ "temperature", NUMBER, "a number" },
	{ "top_p", NUMBER, "a number" },
	{ "max_tokens", WHOLE, "a whole number above 0" },
	{ "seed", WHOLE, "a whole number" },
	{ "stop", STRINGS, "a string or a list of strings" },
	{ "reasoning_effort", STRING, "a word, such as low, medium or high" },
};
#define COMMON (sizeof(common) / sizeof(common[0]))

static size_t find_common(struct span key)
{
	size_t i = 0;

	while (i < COMMON && !span_eq(key, common[i].key))
		i++;
	return i;
}

bool param_is_common(struct span key)
{
	return find_common(key) < COMMON;
}

static bool only_strings(struct json_object *list)
{
	size_t n = json_object_array_length(list);

	for (size_t i = 0; i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
			return false;
	return n > 0;
}

static bool fits(struct json_object *v, enum kind kind, bool positive)
{
	switch (kind) {
	case NUMBER:
		return json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_int);
	case WHOLE:
		return json_object_is_type(v, json_type_int) && (!positive || json_object_get_int64(v) > 0);
	case STRING:
		return json_object_is_type(v, json_type_string);
	default:
		return json_object_is_type(v, json_type_string) ||
		       (json_object_is_type(v, json_type_array) && only_strings(v));
	}
}

static int check(struct span key, struct span json, struct err *e)
{
	size_t i = find_common(key);
	struct json_object *v;
	bool right;

	if (i == COMMON)
		return 0;
	if (json_parse_lenient(json, &v, e) < 0)
		return -1;
	right = fits(v, common[i].kind, strcmp(common[i].key, "max_tokens") == 0);
	json_object_put(v);
	return right ? 0 : err_set(e, ERR_USAGE, "'%s' must be %s", common[i].key, common[i].expected);
}

static struct param *find(const struct params *p, struct span key)
{
	for (size_t i = 0; i < p->n; i++)
		if (span_same(buf_span(&p->list[i].key), key))
			return &p->list[i];
	return NULL;
}

static void drop(struct params *p, struct param *at)
{
	buf_release(&at->key);
	buf_release(&at->value);
	*at = p->list[--p->n];
}

int params_set(struct params *p, struct span key, struct span json, struct err *e)
{
	struct param new = { BUF_INIT, BUF_INIT }, *old = find(p, key), *list;

	if (old)
		drop(p, old);
	if (span_eq(json, "null"))
		return 0;
	if (check(key, json, e) < 0)
		return -1;
	list = realloc(p->list, (p->n + 1) * sizeof(*list));
	if (!list)
		return err_oom(e);
	p->list = list;
	buf_add(&new.key, key.p, key.n);
	buf_add(&new.value, json.p, json.n);
	p->list[p->n++] = new;
	return buf_check(&new.key, e) < 0 || buf_check(&new.value, e) < 0 ? -1 : 0;
}

/* A word that a common parameter wants is a string even where it could be a number. */
static bool is_json(struct span key, struct span value)
{
	size_t i = find_common(key);

	if (i < COMMON && (common[i].kind == STRING || common[i].kind == STRINGS))
		return value.n && (value.p[0] == '"' || value.p[0] == '[') && json_is_whole(value);
	return json_is_whole(value);
}

int params_add(struct params *p, const char *text, struct err *e)
{
	const char *sign = strchr(text, '=');
	struct span key = { text, sign ? (size_t)(sign - text) : 0 }, value;
	struct buf json = BUF_INIT;
	int r;

	if (!key.n || utf8_valid(text, strlen(text)) < strlen(text))
		return err_set(e, ERR_USAGE, "'%s' is no KEY=VALUE, as in temperature=0.2",
		               utf8_valid(text, strlen(text)) < strlen(text) ? "?" : text);
	value = span_str(sign + 1);
	if (!value.n)
		buf_adds(&json, "null");
	else if (is_json(key, value))
		buf_add(&json, value.p, value.n);
	else
		json_add_str(&json, value);
	r = buf_check(&json, e) < 0 ? -1 : params_set(p, key, buf_span(&json), e);
	buf_release(&json);
	return r;
}

void params_release(struct params *p)
{
	while (p->n)
		drop(p, &p->list[p->n - 1]);
	free(p->list);
	p->list = NULL;
}

struct span params_get(const struct params *p, const char *key)
{
	const struct param *found = p ? find(p, span_str(key)) : NULL;

	return found ? buf_span(&found->value) : (struct span){ NULL, 0 };
}

int params_add_others(const struct params *p, const char *const *own, struct buf *body,
                      struct err *e)
{
	for (size_t i = 0; p && i < p->n; i++) {
		struct span key = buf_span(&p->list[i].key);

		if (param_is_common(key))
			continue;
		for (const char *const *o = own; *o; o++)
			if (span_eq(key, *o))
				return err_set(e, ERR_USAGE, "'%s' cannot be set with -o", *o);
		buf_addc(body, ',');
		json_add_str(body, key);
		buf_addc(body, ':');
		buf_add(body, p->list[i].value.p, p->list[i].value.n);
	}
	return buf_check(body, e);
}

int params_refuse(const struct params *p, const char *key, const char *provider, struct err *e)
{
	if (!params_get(p, key).p)
		return 0;
	return err_set(e, ERR_USAGE, "%s has no '%s'", provider, key);
}
