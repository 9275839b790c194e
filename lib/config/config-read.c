/* The configuration file: what may be in it, and where it goes in struct config. */
#include <json-c/linkhash.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/config.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/url.h"
#include "base/utf8.h"

enum kind {
	TEXT,
	URL,
	PATH, /* absolute, or beginning with ~/ */
	NAME, /* of an environment variable */
	WHOLE,
	FLAG,
	OBJECT,
	WORDS, /* a list of strings, the first one not empty if there is one */
};

/* A key of an object, and where in a structure its value goes. */
struct field {
	const char *key;
	enum kind kind;
	size_t offset;
	int64_t min, max; /* of WHOLE; min of WORDS: how many there must be */
};

#define AT(type, member) offsetof(struct type, member)

static const struct field of_file[] = {
	{ "sessionsDir", PATH, AT(config, sessions_dir), 0, 0 },
	{ "provider", TEXT, AT(config, provider), 0, 0 },
	{ "model", TEXT, AT(config, model), 0, 0 },
	{ "baseUrl", URL, AT(config, base_url), 0, 0 },
	{ "system", TEXT, AT(config, system), 0, 0 },
	{ "timeout", WHOLE, AT(config, timeout), 1, CONFIG_TIMEOUT_MAX },
	{ "connectTimeout", WHOLE, AT(config, connect_timeout), 1, CONFIG_TIMEOUT_MAX },
	{ "retries", WHOLE, AT(config, retries), 0, 100 },
	{ "proxy", TEXT, AT(config, proxy), 0, 0 },
	{ "noProxy", TEXT, AT(config, no_proxy), 0, 0 },
	{ "allowHttp", FLAG, AT(config, allow_http), 0, 0 },
	{ "context", WHOLE, AT(config, context), CONFIG_CONTEXT_MIN, CONFIG_CONTEXT_MAX },
	{ "autoCompact", FLAG, AT(config, auto_compact), 0, 0 },
	{ "autoTitle", FLAG, AT(config, auto_title), 0, 0 },
	{ "thinkTags", FLAG, AT(config, think_tags), 0, 0 },
	{ "clipboard", WORDS, AT(config, clipboard), 1, 0 },
	{ "plain", FLAG, AT(config, plain), 0, 0 },
	{ "highlighter", WORDS, AT(config, highlighter), 0, 0 },
	{ "typedMax", WHOLE, AT(config, typed_max), 0, CONFIG_TYPED_MAX },
	{ "options", OBJECT, AT(config, options), 0, 0 },
	{ "providers", OBJECT, 0, 0, 0 }, /* these two have readers of their own */
	{ "aliases", OBJECT, 0, 0, 0 },
	{ NULL, TEXT, 0, 0, 0 },
};

static const struct field of_provider[] = {
	{ "type", TEXT, AT(config_provider, type), 0, 0 },
	{ "baseUrl", URL, AT(config_provider, base_url), 0, 0 },
	{ "model", TEXT, AT(config_provider, model), 0, 0 },
	{ "apiKeyEnv", NAME, AT(config_provider, api_key_env), 0, 0 },
	{ "apiKeyFile", PATH, AT(config_provider, api_key_file), 0, 0 },
	{ "apiKeyCommand", WORDS, AT(config_provider, api_key_command), 1, 0 },
	{ "allowHttp", FLAG, AT(config_provider, allow_http), 0, 0 },
	{ "context", WHOLE, AT(config_provider, context), CONFIG_CONTEXT_MIN, CONFIG_CONTEXT_MAX },
	{ "headers", OBJECT, AT(config_provider, headers_json), 0, 0 },
	{ "options", OBJECT, AT(config_provider, options), 0, 0 },
	{ NULL, TEXT, 0, 0, 0 },
};

static const struct field of_alias[] = {
	{ "provider", TEXT, AT(config_alias, provider), 0, 0 },
	{ "model", TEXT, AT(config_alias, model), 0, 0 },
	{ NULL, TEXT, 0, 0, 0 },
};

static int unknown_key(const struct field *fields, const char *key, struct err *e)
{
	const char *names[32] = { NULL }, *suggestion;
	struct buf list = BUF_INIT;
	size_t n = 0;

	for (; fields->key && n < 31; fields++) {
		names[n++] = fields->key;
		buf_addf(&list, "%s%s", list.n ? ", " : "", fields->key);
	}
	suggestion = suggest_name(key, names);
	if (suggestion)
		err_set(e, ERR_FAILED, "unknown key '%s'; did you mean '%s'?", key, suggestion);
	else
		err_set(e, ERR_FAILED, "unknown key '%s'; expected one of %s", key, list.p);
	buf_release(&list);
	return -1;
}

/* ---- values ---- */

static int wrong_type(const char *key, const char *expected, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "'%s' must be %s", key, expected);
}

static int check_name(const char *key, const char *s, struct err *e)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	if (*s && strspn(s, letters) == strlen(s) && (*s < '0' || *s > '9'))
		return 0;
	return err_set(e, ERR_FAILED, "'%s' must be the name of an environment variable", key);
}

static int check_text(const struct field *f, const char *s, struct err *e)
{
	switch (f->kind) {
	case URL:
		if (url_check(s, e) == 0)
			return 0;
		e->kind = ERR_FAILED;
		return err_prefix(e, "'%s'", f->key);
	case PATH:
		if (s[0] == '/' || strncmp(s, "~/", 2) == 0)
			return 0;
		return err_set(e, ERR_FAILED, "'%s' must be an absolute path or start with ~/", f->key);
	case NAME:
		return check_name(f->key, s, e);
	default:
		return 0;
	}
}

static int take_text(const struct field *f, struct json_object *v, void *to, struct err *e)
{
	const char *s = json_object_get_string(v);

	if (!json_object_is_type(v, json_type_string))
		return wrong_type(f->key, "a string", e);
	if (strlen(s) != (size_t)json_object_get_string_len(v))
		return err_set(e, ERR_FAILED, "'%s' must not hold a NUL character", f->key);
	memcpy(to, &s, sizeof(s));
	return check_text(f, s, e);
}

/* 3.0 and 1e3 are whole numbers, too. */
static bool is_whole(struct json_object *v)
{
	double d = json_object_get_double(v);

	if (json_object_is_type(v, json_type_double))
		return d >= -1e15 && d <= 1e15 && d == (double)(int64_t)d;
	return json_object_is_type(v, json_type_int);
}

static int take_whole(const struct field *f, struct json_object *v, void *to, struct err *e)
{
	int64_t n = json_object_get_int64(v);

	if (!is_whole(v))
		return err_set(e, ERR_DAMAGED, "'%s' must be a whole number, and not %s", f->key,
		               json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
	if (n < f->min || n > f->max)
		return err_set(e, ERR_FAILED, "'%s' must be from %lld to %lld", f->key, (long long)f->min,
		               (long long)f->max);
	memcpy(to, &n, sizeof(n));
	return 0;
}

static int take_flag(const struct field *f, struct json_object *v, void *to, struct err *e)
{
	bool b = json_object_get_boolean(v);

	if (!json_object_is_type(v, json_type_boolean))
		return wrong_type(f->key, "true or false", e);
	memcpy(to, &b, sizeof(b));
	return 0;
}

static int check_words(const struct field *f, struct json_object *v, struct err *e)
{
	size_t n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *w = json_object_array_get_idx(v, i);

		if (!json_object_is_type(w, json_type_string) ||
		    strlen(json_object_get_string(w)) != (size_t)json_object_get_string_len(w))
			return wrong_type(f->key, "a list of strings: the program and its arguments", e);
	}
	if (!n && !f->min && json_object_is_type(v, json_type_array))
		return 0; /* none */
	if (!n || !*json_object_get_string(json_object_array_get_idx(v, 0)))
		return wrong_type(f->key, "a list of strings: the program and its arguments", e);
	return 0;
}

static int take_value(const struct field *f, struct json_object *v, void *to, struct err *e)
{
	switch (f->kind) {
	case WHOLE: return take_whole(f, v, to, e);
	case FLAG:  return take_flag(f, v, to, e);
	case OBJECT:
		if (!json_object_is_type(v, json_type_object))
			return wrong_type(f->key, "an object", e);
		break;
	case WORDS:
		if (check_words(f, v, e) < 0)
			return -1;
		break;
	default:    return take_text(f, v, to, e);
	}
	memcpy(to, &v, sizeof(v));
	return 0;
}

/* Fills in `to` from the members of `o`. What has no place of its own is only checked. */
static int take_fields(const struct field *fields, struct json_object *o, void *to, struct err *e)
{
	json_object_object_foreach(o, key, value) {
		const struct field *f = fields;
		struct json_object *nowhere;

		while (f->key && strcmp(f->key, key) != 0)
			f++;
		if (!f->key)
			return unknown_key(fields, key, e);
		if (value && take_value(f, value, f->kind == OBJECT && !f->offset ? (void *)&nowhere
		                                                                : (char *)to + f->offset, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- providers and aliases ---- */

static bool is_name(const char *s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	return *s && !strchr("._-", *s) && strlen(s) <= 64 && strspn(s, letters) == strlen(s);
}

bool config_header_is_secret(const char *name)
{
	static const char *const known[] = { "accept", "accept-language", "anthropic-beta",
		                             "anthropic-version", "http-referer", "openai-beta", "referer",
		                             "user-agent", "x-title", NULL };
	const char *const *each = known;

	while (*each && strcasecmp(name, *each) != 0)
		each++;
	return !*each;
}

/* A token of RFC 9110, and not a header that controls how the request itself is sent. */
static int check_header_name(const char *name, struct err *e)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	                              "!#$%&'*+-.^_`|~";
	static const char *const framing[] = { "accept-encoding", "connection", "content-encoding",
		"content-length", "content-type", "expect", "te", "trailer", "transfer-encoding", "upgrade",
		NULL };

	if (!*name || strlen(name) > 200 || strspn(name, letters) != strlen(name))
		return err_set(e, ERR_FAILED, "'headers' has a name that is not a header's name");
	for (const char *const *f = framing; *f; f++)
		if (strcasecmp(name, *f) == 0)
			return err_set(e, ERR_FAILED, "'headers': '%s' cannot be set", name);
	return 0;
}

/* The message does not show the value, which may be a secret. */
static int take_header(struct config_header *h, const char *name, struct json_object *v, struct err *e)
{
	const char *s = json_object_get_string(v);
	size_t n = json_object_is_type(v, json_type_string) ? (size_t)json_object_get_string_len(v) : 0;

	if (check_header_name(name, e) < 0)
		return -1;
	if (!json_object_is_type(v, json_type_string))
		return err_set(e, ERR_FAILED, "'headers': '%s' must be a string", name);
	for (size_t i = 0; i < n; i++)
		if (s[i] != '\t' && ((unsigned char)s[i] < ' ' || (unsigned char)s[i] >= 0x7f))
			return err_set(e, ERR_FAILED, "'headers': '%s' has a character that no header may have "
			               "(number %zu)", name, i + 1);
	*h = (struct config_header){ name, s + strspn(s, " \t") };
	return 0;
}

static int take_headers(struct config_provider *p, struct err *e)
{
	if (!p->headers_json)
		return 0;
	p->headers = calloc((size_t)json_object_object_length(p->headers_json) + 1, sizeof(*p->headers));
	if (!p->headers)
		return err_oom(e);
	json_object_object_foreach(p->headers_json, name, v) {
		if (v && take_header(&p->headers[p->nheaders++], name, v, e) < 0)
			return -1;
	}
	return 0;
}

static int take_provider(struct config_provider *p, const char *name, struct json_object *v,
                         struct err *e)
{
	p->name = name;
	if (!is_name(name))
		return err_set(e, ERR_FAILED, "'%s' in 'providers' must be up to 64 letters, digits, dots, "
		               "dashes and underscores, and begin with a letter or digit", name);
	if (!json_object_is_type(v, json_type_object))
		return wrong_type(name, "an object", e);
	if (take_fields(of_provider, v, p, e) < 0 || take_headers(p, e) < 0)
		return err_prefix(e, "'providers': '%s'", name);
	if (p->api_key_file && p->api_key_command)
		return err_set(e, ERR_FAILED,
		               "'providers': '%s': 'apiKeyFile' and 'apiKeyCommand' exclude each other", name);
	return 0;
}

static int take_providers(struct config *c, struct json_object *o, struct err *e)
{
	c->providers = calloc((size_t)json_object_object_length(o) + 1, sizeof(*c->providers));
	if (!c->providers)
		return err_oom(e);
	json_object_object_foreach(o, name, v) {
		if (v && take_provider(&c->providers[c->nproviders++], name, v, e) < 0)
			return -1;
	}
	return 0;
}

/* The model's name, or an object with it and the provider. */
static int take_alias(struct config_alias *a, const char *name, struct json_object *v, struct err *e)
{
	static const struct field just = { "aliases", TEXT, 0, 0, 0 };

	a->name = name;
	if (!json_object_is_type(v, json_type_object)) {
		if (take_text(&just, v, &a->model, e) < 0) {
			err_clear(e);
			return err_set(e, ERR_FAILED, "'aliases': '%s' must be a model's name, or an object with "
			               "'model' and 'provider'", name);
		}
	} else if (take_fields(of_alias, v, a, e) < 0) {
		return err_prefix(e, "'aliases': '%s'", name);
	}
	if (!*name || !a->model || !*a->model)
		return err_set(e, ERR_FAILED, "'aliases': '%s' names no model", name);
	return 0;
}

static int take_aliases(struct config *c, struct json_object *o, struct err *e)
{
	c->aliases = calloc((size_t)json_object_object_length(o) + 1, sizeof(*c->aliases));
	if (!c->aliases)
		return err_oom(e);
	json_object_object_foreach(o, name, v) {
		if (v && take_alias(&c->aliases[c->naliases++], name, v, e) < 0)
			return -1;
	}
	return 0;
}

int config_read(struct config *c, struct span text, struct err *e)
{
	struct json_object *o;

	text = utf8_unmarked(text);
	if (span_is_blank(text)) /* /dev/null, or a file that was only touched */
		return 0;
	if (json_parse_object(text, &c->json, e) < 0 || take_fields(of_file, c->json, c, e) < 0)
		return -1;
	if ((o = json_member(c->json, "providers")) && take_providers(c, o, e) < 0)
		return -1;
	if ((o = json_member(c->json, "aliases")) && take_aliases(c, o, e) < 0)
		return -1;
	return 0;
}
