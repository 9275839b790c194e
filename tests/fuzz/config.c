/*
 * lib/config/config. The input is a configuration file.
 *
 * Properties: it is taken when, and only when, it is a JSON object that has known keys
 * only, with values that mcbox-config(5) allows; then the settings are what json-c says. A
 * refusal has a reason. The environment wins.
 */
#include "config/config.h"

#include <json-c/linkhash.h>
#include <strings.h>

#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

static bool is_one_of(const char *word, const char *list)
{
	const char *p = list;
	size_t n = strlen(word);

	if (!n || strchr(word, ' '))
		return false;
	for (; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

static bool is_text(struct json_object *v)
{
	return json_object_is_type(v, json_type_string) &&
	       strlen(json_object_get_string(v)) == (size_t)json_object_get_string_len(v);
}

static bool is_path(struct json_object *v)
{
	const char *s = json_object_get_string(v);

	return is_text(v) && (s[0] == '/' || (s[0] == '~' && s[1] == '/'));
}

static bool is_from(struct json_object *v, int64_t min, int64_t max)
{
	double d = json_object_get_double(v);

	if (json_object_is_type(v, json_type_double)) /* 3.0 */
		return d >= (double)min && d <= (double)max && d == (double)(int64_t)d;
	return json_object_is_type(v, json_type_int) && json_object_get_int64(v) >= min &&
	       json_object_get_int64(v) <= max;
}

/* http:// or https://, a host with a number for its port, a path and a query. */
static bool is_url(struct json_object *v)
{
	const char *s = json_object_get_string(v), *host, *end, *colon;

	if (!is_text(v) || strpbrk(s, " \\\x7f#"))
		return false;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < ' ')
			return false;
	host = strncasecmp(s, "http://", 7) == 0 ? s + 7 : strncasecmp(s, "https://", 8) == 0 ? s + 8 : NULL;
	if (!host)
		return false;
	end = host + strcspn(host, "/?");
	if (end == host || *host == ':' || memchr(host, '@', (size_t)(end - host)))
		return false;
	if (*host == '[' && !(host = memchr(host, ']', (size_t)(end - host))))
		return false;
	colon = memchr(host, ':', (size_t)(end - host));
	return !colon || strspn(colon + 1, "0123456789") == (size_t)(end - colon - 1);
}

static bool is_variable(struct json_object *v)
{
	const char *s = json_object_get_string(v);

	if (!is_text(v) || !*s || (*s >= '0' && *s <= '9'))
		return false;
	for (; *s; s++)
		if (!((*s | 32) >= 'a' && (*s | 32) <= 'z') && *s != '_' && !(*s >= '0' && *s <= '9'))
			return false;
	return true;
}

static bool is_command(struct json_object *v)
{
	size_t n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;

	for (size_t i = 0; i < n; i++)
		if (!is_text(json_object_array_get_idx(v, i)))
			return false;
	return n && *json_object_get_string(json_object_array_get_idx(v, 0));
}

/* Visible ASCII, blanks and tabs; and what a token is made of, but not the name of what frames. */
static bool are_headers(struct json_object *v)
{
	if (!json_object_is_type(v, json_type_object))
		return false;
	json_object_object_foreach(v, name, value) {
		size_t n = strlen(name);
		char lower[201];

		if (!n || n > 200)
			return false;
		for (size_t i = 0; i < n; i++)
			if (name[i] <= ' ' || name[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", name[i]))
				return false;
		for (size_t i = 0; i <= n; i++)
			lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 32) : name[i];
		if (is_one_of(lower, "accept-encoding connection content-encoding content-length content-type expect "
		              "te trailer transfer-encoding upgrade"))
			return false;
		if (!value)
			continue;
		if (!is_text(value))
			return false;
		for (const char *p = json_object_get_string(value); *p; p++)
			if (*p != '\t' && (*p < ' ' || *p >= 0x7f))
				return false;
	}
	return true;
}

/* A key that several objects have means the same in each. */
static bool is_good(const char *key, struct json_object *v)
{
	if (is_one_of(key, "provider model system proxy noProxy type"))
		return is_text(v);
	if (is_one_of(key, "sessionsDir apiKeyFile"))
		return is_path(v);
	if (is_one_of(key, "allowHttp autoCompact"))
		return json_object_is_type(v, json_type_boolean);
	if (is_one_of(key, "timeout connectTimeout"))
		return is_from(v, 1, CONFIG_TIMEOUT_MAX);
	if (is_one_of(key, "options providers aliases"))
		return json_object_is_type(v, json_type_object);
	return strcmp(key, "baseUrl") == 0         ? is_url(v)
	       : strcmp(key, "headers") == 0       ? are_headers(v)
	       : strcmp(key, "context") == 0       ? is_from(v, CONFIG_CONTEXT_MIN, CONFIG_CONTEXT_MAX)
	       : strcmp(key, "retries") == 0       ? is_from(v, 0, 100)
	       : strcmp(key, "apiKeyEnv") == 0     ? is_variable(v)
	       : strcmp(key, "apiKeyCommand") == 0 ? is_command(v) : false;
}

static bool are_good(struct json_object *o, const char *keys)
{
	json_object_object_foreach(o, key, v) {
		if (!is_one_of(key, keys) || (v && !is_good(key, v)))
			return false;
	}
	return true;
}

static bool is_good_provider(const char *name, struct json_object *v)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!((name[i] | 32) >= 'a' && (name[i] | 32) <= 'z') && !(name[i] >= '0' && name[i] <= '9') &&
		    (i == 0 || !strchr("._-", name[i])))
			return false;
	return n && n <= 64 && json_object_is_type(v, json_type_object) &&
	       are_good(v, "type baseUrl model apiKeyEnv apiKeyFile apiKeyCommand allowHttp context options "
	                "headers") &&
	       !(json_member(v, "apiKeyFile") && json_member(v, "apiKeyCommand"));
}

static bool is_good_alias(const char *name, struct json_object *v)
{
	struct json_object *model = json_object_is_type(v, json_type_object) ? json_member(v, "model") : v;

	if (json_object_is_type(v, json_type_object) && !are_good(v, "provider model"))
		return false;
	return *name && model && is_text(model) && *json_object_get_string(model);
}

static bool are_each(struct json_object *o, bool (*good)(const char *, struct json_object *))
{
	if (!o)
		return true;
	json_object_object_foreach(o, name, v) {
		if (v && !good(name, v))
			return false;
	}
	return true;
}

static bool model(struct json_object *o)
{
	return are_good(o, "sessionsDir provider model baseUrl system timeout connectTimeout retries proxy "
	                "noProxy allowHttp context autoCompact options providers aliases") &&
	       are_each(json_member(o, "providers"), is_good_provider) &&
	       are_each(json_member(o, "aliases"), is_good_alias);
}

/* Whether the model is an alias: it is then another one, or its provider another than the
 * file's. */
static struct json_object *alias_of(struct json_object *o)
{
	struct json_object *m = json_member(o, "model");

	return m ? json_member(json_member(o, "aliases"), json_object_get_string(m)) : NULL;
}

static bool is_odd_alias(struct json_object *o)
{
	struct json_object *a = alias_of(o);
	struct span own = json_member_str(o, "provider"), its = json_member_str(a, "provider");

	return json_member(a, "provider") && json_member(o, "provider") && !span_same(own, its);
}

static void must_be_set(const char *got, struct json_object *o, const char *key)
{
	struct json_object *v = json_member(o, key);

	must(!got == !v, "%s", key);
	if (v)
		must_be_same(span_str(got), json_member_str(o, key), key);
}

static void check_settings(const struct config *c, struct json_object *o)
{
	struct span dir = json_member_str(o, "sessionsDir");
	struct json_object *timeout = json_member(o, "timeout");

	if (!alias_of(o)) {
		must_be_set(c->provider, o, "provider");
		must_be_set(c->model, o, "model");
	}
	must_be_set(c->base_url, o, "baseUrl");
	must_be_set(c->system, o, "system");
	must(c->timeout == (timeout ? json_object_get_int64(timeout) : 600), "%" PRId64, c->timeout);
	must(c->sessions_dir && c->sessions_dir[0] == '/', "'%s'", c->sessions_dir);
	if (dir.n && dir.p[0] == '/')
		must_be_same(span_str(c->sessions_dir), dir, "sessionsDir");
	else if (dir.n)
		must(strncmp(c->sessions_dir, "/home/user/", 11) == 0, "'%s'", c->sessions_dir);
}

/* As /dev/null is, or a file that was only touched: no settings. */
static bool is_blank(struct span text)
{
	size_t i = 0;

	while (i < text.n && text.p[i] && strchr(" \t\r\n", text.p[i]))
		i++;
	return i == text.n;
}

static void check(struct span text, bool environment)
{
	struct config c = CONFIG_INIT;
	struct err e = ERR_INIT, ignored = ERR_INIT;
	struct json_object *o = NULL;
	bool good = config_load(&c, &e) == 0, want;

	text = utf8_unmarked(text);
	want = json_parse_object(is_blank(text) ? span_str("{}") : text, &o, &ignored) == 0 && model(o) &&
	       !is_odd_alias(o);

	if (!environment) {
		must(good == want, "%s", good ? "it is taken" : e.msg);
		if (good)
			check_settings(&c, o);
	} else if (good) {
		must(!c.model_of_file && (config_alias(&c, "of-environment") || strcmp(c.model, "of-environment") == 0),
		     "'%s'", c.model);
		must(strcmp(c.base_url, "http://of-environment") == 0, "'%s'", c.base_url);
		must(strcmp(c.sessions_dir, "/of-environment") == 0, "'%s'", c.sessions_dir);
	}
	must(good || ((e.kind == ERR_FAILED || e.kind == ERR_DAMAGED || e.kind == ERR_USAGE) && e.msg[0]), "a reason");
	json_object_put(o);
	config_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const all[] = { "MC_SESSIONS_DIR", "MC_PROVIDER", "MC_MODEL", "MC_BASE_URL",
		                           "OPENAI_COMPATIBLE_BASE_URL", "OPENAI_COMPATIBLE_API_KEY",
		                           "XDG_DATA_HOME", "XDG_CACHE_HOME", "MC_RETRIES" };
	struct span text = { (const char *)data, size };
	int fd = file_of(text);
	char path[64];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		unsetenv(all[i]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	setenv("MC_CONFIG", path, 1);
	setenv("HOME", "/home/user", 1);
	check(text, false);
	setenv("MC_SESSIONS_DIR", "/of-environment", 1);
	setenv("MC_MODEL", "of-environment", 1);
	setenv("MC_BASE_URL", "http://of-environment", 1);
	check(text, true);
	close(fd);
	return 0;
}
