/*
 * lib/base/config. The input is a configuration file.
 *
 * Properties: it is taken when, and only when, it is a JSON object that has known keys
 * only, strings that mcbox-config(5) allows and a time-out in its range; then
 * the settings are what json-c says. A refusal names the file and has a reason. The
 * environment wins.
 */
#include "base/config.h"

#include <json-c/linkhash.h>

#include "base/json.h"
#include "fuzz.h"

static bool is_known(const char *key)
{
	static const char *const known[] = { "sessionsDir", "provider", "model", "baseUrl", "system",
		                             "timeout" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i], key) == 0)
			return true;
	return false;
}

static bool is_good_string(struct json_object *v)
{
	return !v || (json_object_is_type(v, json_type_string) &&
	              strlen(json_object_get_string(v)) == (size_t)json_object_get_string_len(v));
}

static bool is_good_dir(struct json_object *v)
{
	const char *s = v ? json_object_get_string(v) : "/";

	return s[0] == '/' || (s[0] == '~' && s[1] == '/');
}

static bool is_good_timeout(struct json_object *v)
{
	return !v || (json_object_is_type(v, json_type_int) && json_object_get_int64(v) >= 1 &&
	              json_object_get_int64(v) <= CONFIG_TIMEOUT_MAX);
}

/* http:// or https://, a host, and no user before it. */
static bool is_good_url(struct json_object *v)
{
	const char *s = v ? json_object_get_string(v) : "http://h";
	size_t scheme = strncmp(s, "http://", 7) == 0 ? 7 : strncmp(s, "https://", 8) == 0 ? 8 : 0;
	size_t host;

	if (!scheme)
		return false;
	host = strcspn(s + scheme, "/?#");
	return s[scheme] && s[scheme] != '/' && !memchr(s + scheme, '@', host);
}

static bool model(struct json_object *o)
{
	json_object_object_foreach(o, key, v) {
		if (!is_known(key))
			return false;
		if (strcmp(key, "timeout") == 0 ? !is_good_timeout(v) : !is_good_string(v))
			return false;
	}
	return is_good_dir(json_member(o, "sessionsDir")) && is_good_url(json_member(o, "baseUrl"));
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

	must_be_set(c->provider, o, "provider");
	must_be_set(c->model, o, "model");
	must_be_set(c->base_url, o, "baseUrl");
	must_be_set(c->system, o, "system");
	must(c->timeout == (timeout ? json_object_get_int64(timeout) : 600), "%ld", c->timeout);
	must(c->sessions_dir && c->sessions_dir[0] == '/', "'%s'", c->sessions_dir);
	if (dir.n && dir.p[0] == '/')
		must_be_same(span_str(c->sessions_dir), dir, "sessionsDir");
	else if (dir.n)
		must(strncmp(c->sessions_dir, "/home/user/", 11) == 0, "'%s'", c->sessions_dir);
}

static void check(struct span text, bool environment)
{
	struct config c = CONFIG_INIT;
	struct err e = ERR_INIT, ignored = ERR_INIT;
	struct json_object *o = NULL;
	bool good = config_load(&c, &e) == 0;
	bool want = json_parse_object(text, &o, &ignored) == 0 && model(o);

	if (!environment) {
		must(good == want, "%s", good ? "it is taken" : e.msg);
		if (good)
			check_settings(&c, o);
	} else if (good) {
		must(strcmp(c.model, "of-environment") == 0 && !c.model_of_file, "'%s'", c.model);
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
		                           "XDG_DATA_HOME" };
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
