#include "provider/param.h"

#include <json-c/linkhash.h>
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

int params_object(const struct params *p, struct json_object **out, struct err *e)
{
	struct buf text = BUF_INIT;
	int r = 0;

	*out = NULL;
	if (!p || !p->n)
		return 0;
	json_open(&text, '{');
	for (size_t i = 0; i < p->n; i++)
		json_put_raw(&text, p->list[i].key.p, buf_span(&p->list[i].value));
	json_close(&text, '}');
	r = buf_check(&text, e) < 0 ? -1 : json_parse_object(buf_span(&text), out, e);
	buf_release(&text);
	return r;
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

/* 1000.0 and 1e3 are whole numbers, too. */
static bool is_whole(struct json_object *v)
{
	double d = json_object_get_double(v);

	if (json_object_is_type(v, json_type_double))
		return d >= -1e15 && d <= 1e15 && d == (double)(int64_t)d;
	return json_object_is_type(v, json_type_int);
}

static bool has_kind(struct json_object *v, enum kind kind, bool positive)
{
	switch (kind) {
	case NUMBER:
		return json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_int);
	case WHOLE:
		return is_whole(v) && (!positive || json_object_get_int64(v) > 0);
	case STRING:
		return json_object_is_type(v, json_type_string);
	default:
		return json_object_is_type(v, json_type_string) ||
		       (json_object_is_type(v, json_type_array) && only_strings(v));
	}
}

/* Writes the value as it is sent: servers accept whole numbers only without a fraction. */
static int check_param(struct span key, struct span json, struct buf *value, struct err *e)
{
	size_t i = find_common(key);
	struct json_object *v;
	bool right;

	if (i == COMMON)
		return buf_add(value, json.p, json.n), 0;
	if (json_parse_lenient(json, &v, e) < 0)
		return -1;
	right = has_kind(v, common[i].kind, strcmp(common[i].key, "max_tokens") == 0);
	if (common[i].kind == WHOLE && json_object_is_type(v, json_type_double))
		buf_addf(value, "%lld", (long long)json_object_get_int64(v));
	else
		buf_add(value, json.p, json.n);
	json_object_put(v);
	return right ? 0 : err_set(e, ERR_USAGE, "'%s' must be %s", common[i].key, common[i].expected);
}

static struct param *find_in(struct param *list, size_t n, struct span key)
{
	for (size_t i = 0; i < n; i++)
		if (span_same(buf_span(&list[i].key), key))
			return &list[i];
	return NULL;
}

static struct param *find(const struct params *p, struct span key)
{
	return find_in(p->list, p->n, key);
}

static void drop(struct param *list, size_t *n, struct param *at)
{
	buf_release(&at->key);
	buf_release(&at->value);
	*at = list[--*n];
}

static int append(struct param **list, size_t *n, struct span key, struct span value, struct err *e)
{
	struct param new = { BUF_INIT, BUF_INIT }, *more = realloc(*list, (*n + 1) * sizeof(*more));

	if (!more)
		return err_oom(e);
	*list = more;
	buf_add(&new.key, key.p, key.n);
	buf_add(&new.value, value.p, value.n);
	more[(*n)++] = new;
	return buf_check(&new.key, e) < 0 || buf_check(&new.value, e) < 0 ? -1 : 0;
}

int params_set(struct params *p, struct span key, struct span json, struct err *e)
{
	struct param *old = find(p, key), *not = find_in(p->without, p->nwithout, key);
	struct buf value = BUF_INIT;
	bool was_set = old != NULL;
	int r;

	if (old)
		drop(p->list, &p->n, old);
	if (span_eq(json, "null"))
		return not ? 0 : append(&p->without, &p->nwithout, key, span_str(was_set ? "set" : ""), e);
	if (not)
		drop(p->without, &p->nwithout, not);
	r = check_param(key, json, &value, e) < 0 || buf_check(&value, e) < 0
	            ? -1 : append(&p->list, &p->n, key, buf_span(&value), e);
	buf_release(&value);
	return r;
}

void params_drop(struct params *p, const char *key)
{
	struct param *old = find(p, span_str(key));

	if (old)
		drop(p->list, &p->n, old);
}

int params_copy(struct params *to, const struct params *from, struct err *e)
{
	for (size_t i = 0; from && i < from->nwithout; i++)
		if (append(&to->without, &to->nwithout, buf_span(&from->without[i].key),
		           buf_span(&from->without[i].value), e) < 0)
			return -1;
	for (size_t i = 0; from && i < from->n; i++)
		if (params_set(to, buf_span(&from->list[i].key), buf_span(&from->list[i].value), e) < 0)
			return -1;
	return 0;
}

/* For a common parameter that is a word, the value is a string even if it looks like a number. */
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

	if (utf8_check(span_str(text), "the parameter", e) < 0)
		return -1;
	if (!key.n)
		return err_set(e, ERR_USAGE, "'%s' is not KEY=VALUE, as in temperature=0.2", text);
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
		drop(p->list, &p->n, &p->list[p->n - 1]);
	while (p->nwithout)
		drop(p->without, &p->nwithout, &p->without[p->nwithout - 1]);
	free(p->list);
	free(p->without);
	*p = (struct params)PARAMS_INIT;
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
		json_put_raw(body, key.p, buf_span(&p->list[i].value));
	}
	return buf_check(body, e);
}

int params_refuse(const struct params *p, const char *key, const char *provider, struct err *e)
{
	if (!params_get(p, key).p)
		return 0;
	return err_set(e, ERR_USAGE, "%s has no '%s'", provider, key);
}

/* ---- fields that the request must not have ---- */

/* The members that hold the conversation, in all protocols. */
static bool holds_prompt(struct span name)
{
	static const char *const names[] = { "model", "messages", "input", "contents", "role", "content",
		"parts", "type", "text", "source", "data", "media_type", "mimeType", "inlineData", "image_url",
		"url", "file", "file_data", "filename", NULL };
	const char *const *each = names;

	while (*each && !span_eq(name, *each))
		each++;
	return *each != NULL;
}

/* In the user's own schema a name may mean anything. */
static bool is_schema(const char *name)
{
	return strcmp(name, "schema") == 0 || strcmp(name, "responseJsonSchema") == 0;
}

static bool is_empty(struct json_object *o)
{
	return json_object_is_type(o, json_type_object) && json_object_object_length(o) == 0;
}

/* Removes `path` from an object, or from each of a list of them. */
static bool remove_path(struct json_object *o, const char *path)
{
	size_t n = strcspn(path, ".");
	struct json_object *v;
	bool removed = false;
	char name[256];

	if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			removed |= remove_path(json_object_array_get_idx(o, i), path);
		return removed;
	}
	if (!json_object_is_type(o, json_type_object))
		return false;
	if (json_object_object_get_ex(o, path, NULL)) { /* a name may contain dots */
		json_object_object_del(o, path);
		return true;
	}
	if (!path[n] || n >= sizeof(name))
		return false;
	memcpy(name, path, n);
	name[n] = '\0';
	if (!json_object_object_get_ex(o, name, &v) || !remove_path(v, path + n + 1))
		return false;
	if (is_empty(v))
		json_object_object_del(o, name);
	return true;
}

/* Removes the members of that name at any depth. */
static bool remove_name(struct json_object *o, const char *name)
{
	bool removed = false;

	if (json_object_is_type(o, json_type_array))
		for (size_t i = 0; i < json_object_array_length(o); i++)
			removed |= remove_name(json_object_array_get_idx(o, i), name);
	if (!json_object_is_type(o, json_type_object))
		return removed;
	if (json_object_object_get_ex(o, name, NULL)) {
		json_object_object_del(o, name);
		removed = true;
	}
	json_object_object_foreach(o, key, value) {
		if (!is_schema(key) && remove_name(value, name)) {
			removed = true;
			if (is_empty(value))
				json_object_object_del(o, key); /* the loop allows that */
		}
	}
	return removed;
}

static struct span last_name(struct span path)
{
	const char *dot = memrchr(path.p, '.', path.n);

	return dot ? (struct span){ dot + 1, (size_t)(path.p + path.n - dot - 1) } : path;
}

/* For OpenAI the member "text" of the request is the format of the reply. */
static bool is_needed(struct json_object *o, const char *key)
{
	if (strcmp(key, "text") == 0 && json_object_object_get_ex(o, key, NULL))
		return false;
	return holds_prompt(last_name(span_str(key)));
}

int params_leave_out(const struct params *p, struct buf *body, struct buf *notices, struct err *e)
{
	struct json_object *o;

	if (!p || !p->nwithout)
		return 0;
	if (json_parse_lenient(buf_span(body), &o, e) < 0)
		return -1;
	for (size_t i = 0; i < p->nwithout; i++) {
		const char *key = p->without[i].key.p;

		if (is_needed(o, key)) {
			json_object_put(o);
			return err_set(e, ERR_USAGE, "'%s' cannot be omitted from a request: it contains the prompt, or "
			               "the prompt needs it", key);
		}
		if (!remove_path(o, key) && !remove_name(o, key) && !p->without[i].value.n)
			buf_addf(notices, "'%s=' changes nothing: the request has no '%s'\n", key, key);
	}
	buf_clear(body);
	json_add_value(body, o);
	json_object_put(o);
	return buf_check(body, e);
}
