#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/env.h"
#include "base/io.h"
#include "base/json.h"
#include "base/url.h"
#include "base/utf8.h"

#define MAX_FILE (1 << 20)

/* The buffer's bytes become the string. */
static int keep(char **to, struct buf *b, struct err *e)
{
	if (buf_check(b, e) < 0) {
		buf_release(b);
		return -1;
	}
	free(*to);
	*to = b->p;
	return 0;
}

/* $NAME/tail when that variable holds a path that is absolute or begins with ~/, otherwise
 * $HOME/fallback/tail. Without HOME *out does not change. */
static int xdg_path(char **out, const char *name, const char *fallback, const char *tail,
                    struct err *e)
{
	const char *base = env(name), *home = env_home();
	struct buf b = BUF_INIT;

	if (base && (base[0] == '/' || (home && strncmp(base, "~/", 2) == 0))) {
		env_expand(&b, base);
		buf_addf(&b, "/%s", tail);
	} else if (home)
		buf_addf(&b, "%s/%s/%s", home, fallback, tail);
	else
		return 0;
	return keep(out, &b, e);
}

/* The path in a variable. systemd, docker and quotes keep a shell from expanding it: what only a
 * shell can expand is refused, so that no folder '~bob' or '$HOME' appears in the working directory. */
static int env_path(struct buf *b, const char *name, const char *path, struct err *e)
{
	if (strchr("~$\"'", *path) && strncmp(path, "~/", 2) != 0)
		return err_set(e, ERR_FAILED, "%s is '%s', which no shell expanded; write the path in full, or "
		               "'./%s' for this very name", name, path, path);
	env_expand(b, path);
	if (b->n && b->p[0] == '~')
		return err_set(e, ERR_FAILED, "%s starts with ~/, but HOME is not set", name);
	return buf_check(b, e);
}

char **config_command(struct json_object *words)
{
	size_t n = json_object_array_length(words);
	char **argv = calloc(n + 1, sizeof(*argv));

	for (size_t i = 0; argv && i < n; i++)
		argv[i] = (char *)(uintptr_t)json_object_get_string(json_object_array_get_idx(words, i));
	return argv;
}

/* It names programs to run, and servers that get keys. */
static int judge(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot look at it");
	if (S_ISREG(st.st_mode) && (st.st_mode & 002))
		return err_set(e, ERR_FAILED, "everybody may write it (mode %04o): chmod o-w", st.st_mode & 07777);
	return 0;
}

/* A file that MC_CONFIG names must be there; the usual place may be empty. */
static int read_file(struct config *c, struct err *e)
{
	const char *named = env("MC_CONFIG");
	struct buf b = BUF_INIT;
	int fd, r;

	if (named && env_path(&b, "MC_CONFIG", named, e) < 0) {
		buf_release(&b);
		return -1;
	}
	if (named ? keep(&c->file, &b, e)
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
	b = (struct buf)BUF_INIT;
	r = judge(fd, e);
	if (r < 0)
		err_prefix(e, "config '%s'", c->file);
	else if ((r = io_read_all(fd, &b, MAX_FILE)) < 0)
		err_sys(e, errno, "cannot read config '%s'", c->file);
	else if ((r = utf8_check(buf_span(&b), "it", e)) < 0)
		e->kind = ERR_FAILED, err_prefix(e, "config '%s'", c->file);
	else if ((r = config_read(c, buf_span(&b), e)) < 0)
		err_prefix(e, "config '%s'", c->file);
	close(fd);
	buf_release(&b);
	return r;
}

/* The base URL of the environment, if there is one. */
static int env_url(const char **url, struct err *e)
{
	const char *name = env("MC_BASE_URL") ? "MC_BASE_URL" : "OPENAI_COMPATIBLE_BASE_URL";

	*url = env(name);
	return !*url || url_check(*url, e) == 0 ? 0 : err_prefix(e, "%s", name);
}

static int check_utf8(const char *name, const char *value, struct err *e)
{
	return value ? utf8_check(span_str(value), name, e) : 0;
}

/* A model that the file names is meant for the provider that it names. */
static int apply_env(struct config *c, struct err *e)
{
	const char *provider = env("MC_PROVIDER"), *model = env("MC_MODEL"), *url;
	const char *retries = env("MC_RETRIES");
	long n;

	if (env_url(&url, e) < 0)
		return -1;
	if (check_utf8("the provider in MC_PROVIDER", provider, e) < 0 ||
	    check_utf8("the model in MC_MODEL", model, e) < 0)
		return -1;
	if (retries && cli_number(retries, "MC_RETRIES", 0, 100, &n, e) < 0)
		return -1;
	c->provider_of_file = c->provider && !provider;
	c->model_of_file = c->model && !model;
	c->base_url = url ? url : c->base_url;
	c->retries = retries ? n : c->retries;
	if (c->model_of_file && provider && (!c->provider || strcmp(c->provider, provider) != 0))
		c->model = NULL;
	c->provider = provider ? provider : c->provider;
	c->model = model ? model : c->model;
	return 0;
}

int config_alias_fits(const struct config_alias *a, const char *provider, struct err *e)
{
	if (!a->provider || !provider || strcmp(a->provider, provider) == 0)
		return 0;
	return err_set(e, ERR_USAGE, "the alias '%s' stands for a model of %s, not of %s", a->name,
	               a->provider, provider);
}

/* A model that the settings name may be an alias, and bring its provider along. */
static int resolve_alias(struct config *c, struct err *e)
{
	const struct config_alias *a = c->model ? config_alias(c, c->model) : NULL;

	if (!a)
		return 0;
	if ((c->model_of_file || !c->provider_of_file) && config_alias_fits(a, c->provider, e) < 0)
		return -1;
	c->model = a->model;
	c->model_provider = a->provider;
	if (a->provider) {
		c->provider_of_file = c->model_of_file;
		c->provider = a->provider;
	}
	return 0;
}

/* The file's word for where the sessions are points into it, until here. */
static int find_dirs(struct config *c, const char *of_file, struct err *e)
{
	const char *of_env = env("MC_SESSIONS_DIR");
	struct buf b = BUF_INIT;

	if (xdg_path(&c->cache_dir, "XDG_CACHE_HOME", ".cache", "mcbox", e) < 0 ||
	    xdg_path(&c->state_dir, "XDG_STATE_HOME", ".local/state", "mcbox", e) < 0)
		return -1;
	if ((of_env && env_path(&b, "MC_SESSIONS_DIR", of_env, e) < 0) ||
	    (!of_env && of_file && env_path(&b, "'sessionsDir'", of_file, e) < 0)) {
		buf_release(&b);
		return -1;
	}
	return b.n ? keep(&c->sessions_dir, &b, e)
	           : xdg_path(&c->sessions_dir, "XDG_DATA_HOME", ".local/share", "mcbox/sessions", e);
}

int config_load(struct config *c, struct err *e)
{
	int r = read_file(c, e);
	const char *sessions_dir = c->sessions_dir;

	c->sessions_dir = NULL;
	if (r < 0 || apply_env(c, e) < 0 || resolve_alias(c, e) < 0)
		return -1;
	return find_dirs(c, sessions_dir, e);
}

void config_release(struct config *c)
{
	free(c->file);
	free(c->sessions_dir);
	free(c->cache_dir);
	free(c->state_dir);
	for (size_t i = 0; i < c->nproviders; i++)
		free(c->providers[i].headers);
	free(c->providers);
	free(c->aliases);
	json_object_put(c->json);
	*c = (struct config)CONFIG_INIT;
}

const struct config_provider *config_provider(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nproviders; i++)
		if (strcmp(c->providers[i].name, name) == 0)
			return &c->providers[i];
	return NULL;
}

const struct config_alias *config_alias(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->naliases; i++)
		if (strcmp(c->aliases[i].name, name) == 0)
			return &c->aliases[i];
	return NULL;
}
