#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/linkhash.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/io.h"
#include "base/json.h"
#include "base/utf8.h"

#define MAX_FILE (1 << 20)

/* An empty variable counts as unset, as in the XDG specification. */
static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

static int set(char **to, const char *value, struct err *e)
{
	char *copy;

	if (!value)
		return 0;
	copy = strdup(value);
	if (!copy)
		return err_oom(e);
	free(*to);
	*to = copy;
	return 0;
}

/* $NAME/tail when that variable holds an absolute path, else $HOME/fallback/tail. */
static int xdg_path(char **out, const char *name, const char *fallback, const char *tail,
                    struct err *e)
{
	const char *base = env(name), *home = env("HOME");
	struct buf b = BUF_INIT;

	if (base && base[0] == '/')
		buf_addf(&b, "%s/%s", base, tail);
	else if (home)
		buf_addf(&b, "%s/%s/%s", home, fallback, tail);
	else
		return 0;
	if (buf_check(&b, e) < 0) {
		buf_release(&b);
		return -1;
	}
	*out = b.p;
	return 0;
}

/* "~/x" means the home directory; any other path must be absolute. */
static int set_dir(char **to, struct span path, struct err *e)
{
	const char *home = env("HOME");
	struct buf b = BUF_INIT;

	if (path.n >= 2 && memcmp(path.p, "~/", 2) == 0 && home)
		buf_addf(&b, "%s%s", home, path.p + 1);
	else if (path.n && path.p[0] == '/')
		buf_add(&b, path.p, path.n);
	else
		return err_set(e, ERR_FAILED, "'sessionsDir' must be an absolute path or start with ~/");
	if (buf_check(&b, e) < 0) {
		buf_release(&b);
		return -1;
	}
	free(*to);
	*to = b.p;
	return 0;
}

static int set_timeout(struct config *c, struct json_object *o, struct err *e)
{
	int64_t seconds = 0;
	int got = json_get_int(o, "timeout", &seconds, e);

	if (got <= 0)
		return got;
	if (seconds < 1 || seconds > CONFIG_TIMEOUT_MAX)
		return err_set(e, ERR_FAILED, "'timeout' must be from 1 to %d seconds", CONFIG_TIMEOUT_MAX);
	c->timeout = (long)seconds;
	return 0;
}

static const char *const known[] = { "sessionsDir", "provider", "model", "baseUrl",
	                             "system",      "timeout",  NULL };

static int check_keys(struct json_object *o, struct err *e)
{
	json_object_object_foreach(o, key, value) {
		const char *const *k = known;
		const char *near;

		(void)value;
		while (*k && strcmp(*k, key) != 0)
			k++;
		if (*k)
			continue;
		near = cli_nearest(key, known);
		if (near)
			return err_set(e, ERR_FAILED, "unknown key '%s'; did you mean '%s'?", key, near);
		return err_set(e, ERR_FAILED,
		               "unknown key '%s'; expected one of sessionsDir, provider, model, "
		               "baseUrl, system, timeout", key);
	}
	return 0;
}

static int take_string(struct json_object *o, const char *key, char **to, struct err *e)
{
	struct span s;
	int got = json_get_str(o, key, &s, e);

	if (got <= 0)
		return got;
	if (memchr(s.p, '\0', s.n))
		return err_set(e, ERR_FAILED, "'%s' must not hold a NUL character", key);
	return strcmp(key, "sessionsDir") == 0 ? set_dir(to, s, e) : set(to, s.p, e);
}

static int apply_object(struct config *c, struct json_object *o, struct err *e)
{
	if (check_keys(o, e) < 0 || take_string(o, "sessionsDir", &c->sessions_dir, e) < 0 ||
	    take_string(o, "provider", &c->provider, e) < 0 ||
	    take_string(o, "model", &c->model, e) < 0 ||
	    take_string(o, "baseUrl", &c->base_url, e) < 0 ||
	    take_string(o, "system", &c->system, e) < 0)
		return -1;
	return set_timeout(c, o, e);
}

static int apply_text(struct config *c, struct span text, struct err *e)
{
	struct json_object *o;
	int r;

	if (json_parse_object(text, &o, e) < 0)
		return -1;
	r = apply_object(c, o, e);
	json_object_put(o);
	return r;
}

/* A file that MC_CONFIG names must be there; the usual place may be empty. */
static int read_file(struct config *c, struct err *e)
{
	const char *named = env("MC_CONFIG");
	struct buf b = BUF_INIT;
	int fd, r;

	if (named ? set(&c->file, named, e)
	          : xdg_path(&c->file, "XDG_CONFIG_HOME", ".config", "mcbox/config.json", e))
		return -1;
	if (!c->file)
		return 0;
	fd = open(c->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && !named && (errno == ENOENT || errno == ENOTDIR)) {
		free(c->file);
		c->file = NULL;
		return 0;
	}
	if (fd < 0)
		return err_sys(e, errno, "cannot read config '%s'", c->file);
	r = io_read_all(fd, &b, MAX_FILE);
	if (r < 0)
		err_sys(e, errno, "cannot read config '%s'", c->file);
	else if ((r = apply_text(c, buf_span(&b), e)) < 0)
		err_prefix(e, "config '%s'", c->file);
	close(fd);
	buf_release(&b);
	return r;
}

static int apply_env(struct config *c, struct err *e)
{
	const char *url = env("MC_BASE_URL");

	const char *provider = env("MC_PROVIDER"), *of_file = c->provider ? c->provider : CONFIG_PROVIDER;

	c->model_of_file = c->model && !env("MC_MODEL");
	if (c->model_of_file && provider && strcmp(provider, of_file) != 0) {
		free(c->model); /* it was meant for the file's provider */
		c->model = NULL;
	}
	if (set(&c->sessions_dir, env("MC_SESSIONS_DIR"), e) < 0 ||
	    set(&c->provider, env("MC_PROVIDER"), e) < 0 || set(&c->model, env("MC_MODEL"), e) < 0 ||
	    set(&c->base_url, url ? url : env("OPENAI_COMPATIBLE_BASE_URL"), e) < 0 ||
	    set(&c->api_key, env("OPENAI_COMPATIBLE_API_KEY"), e) < 0)
		return -1;
	return 0;
}

/* Anything but visible ASCII in a header could be taken for another header. What an
 * editor or a copy left at the end is not meant. */
static int check_key(char *key, struct err *e)
{
	size_t n = key ? strlen(key) : 0;

	while (n && strchr(" \t\r\n", key[n - 1]))
		key[--n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (key[i] <= 0x20 || key[i] >= 0x7f)
			return err_set(e, ERR_USAGE,
			               "the API key in OPENAI_COMPATIBLE_API_KEY has a character that no key "
			               "has (its %zuth)", i + 1);
	return 0;
}

static int check_utf8(const char *name, const char *value, struct err *e)
{
	if (value && utf8_valid(value, strlen(value)) < strlen(value))
		return err_set(e, ERR_USAGE, "%s is not valid UTF-8", name);
	return 0;
}

static int check_url(const char *url, struct err *e)
{
	const char *host = !url ? NULL
	                   : strncmp(url, "http://", 7) == 0 ? url + 7
	                   : strncmp(url, "https://", 8) == 0 ? url + 8 : "";

	if (host && (!*host || *host == '/'))
		return err_set(e, ERR_USAGE,
		               "base URL '%s' must be http:// or https:// and a host, as in "
		               "http://localhost:11434/v1", url);
	/* The address goes into messages and so into histories: no password may be in it. */
	if (host && memchr(host, '@', strcspn(host, "/?#")))
		return err_set(e, ERR_USAGE, "the base URL must not hold a user name or password");
	return 0;
}

int config_load(struct config *c, struct err *e)
{
	if (read_file(c, e) < 0 || apply_env(c, e) < 0 || check_key(c->api_key, e) < 0 ||
	    check_url(c->base_url, e) < 0 || check_utf8("the provider in MC_PROVIDER", c->provider, e) < 0 ||
	    check_utf8("the model in MC_MODEL", c->model, e) < 0)
		return -1;
	if (!c->sessions_dir &&
	    xdg_path(&c->sessions_dir, "XDG_DATA_HOME", ".local/share", "mcbox/sessions", e) < 0)
		return -1;
	if (!c->sessions_dir)
		return err_set(e, ERR_FAILED,
		               "cannot tell where sessions are kept: set HOME or MC_SESSIONS_DIR");
	return 0;
}

void config_release(struct config *c)
{
	free(c->file);
	free(c->sessions_dir);
	free(c->provider);
	free(c->model);
	free(c->base_url);
	free(c->system);
	free(c->api_key);
	*c = (struct config)CONFIG_INIT;
}
