#include "client/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/child.h"
#include "base/env.h"
#include "base/io.h"
#include "base/url.h"
#include "base/utf8.h"

extern char **environ;

#define KEY_MAX 16384  /* bytes; some are signed tokens */
#define KEY_SECRET 8   /* shorter values are not secrets, and occur in ordinary words */

/* The provider's variables are not for an endpoint of the user's own. */
static const char *const *key_variables(const struct provider *p, const struct config_provider *s,
                                        const char *own[2])
{
	own[0] = s ? s->api_key_env : NULL;
	own[1] = NULL;
	if (own[0] || (s && strcmp(s->name, p->name) != 0))
		return own;
	return p->key_env ? p->key_env : own;
}

static const char *find_variable(const struct provider *p, const struct config_provider *s)
{
	const char *own[2];

	for (const char *const *name = key_variables(p, s, own); *name; name++)
		if (env(*name))
			return *name;
	return NULL;
}

const char *key_place(const struct provider *p, const struct config_provider *s)
{
	const char *name = find_variable(p, s);

	if (name || !s)
		return name;
	if (s->api_key_file)
		return s->api_key_file;
	return s->api_key_command ? "apiKeyCommand" : NULL; /* its arguments may be secrets */
}

/* Only visible ASCII: a line break would begin another header. White space that an editor left around
 * the key is removed. */
static int check_key(struct key *k, struct err *e)
{
	if (buf_check(&k->value, e) < 0)
		return -1;
	if (utf8_other_encoding(buf_span(&k->value)))
		return err_set(e, ERR_USAGE, "%s is %s; write the key in plain ASCII", k->source,
		               utf8_other_encoding(buf_span(&k->value)));
	utf8_drop_mark(&k->value);
	buf_trim_end(&k->value, SPAN_WHITE);
	buf_drop(&k->value, k->value.n - span_trim_start(buf_span(&k->value), SPAN_WHITE).n);
	if (!k->value.n)
		return err_set(e, ERR_USAGE, "there is no API key in %s", k->source);
	for (size_t i = 0; i < k->value.n; i++)
		if (k->value.p[i] <= 0x20 || k->value.p[i] >= 0x7f)
			return err_set(e, ERR_USAGE, "the API key in %s contains an invalid character (number %zu)",
			               k->source, i + 1);
	return 0;
}

/* Allocates all of it at once: a buffer that grows leaves copies that nobody wipes. */
static int make_room(struct key *k, struct err *e)
{
	return buf_room(&k->value, KEY_MAX + 1) ? 0 : err_oom(e);
}

static int too_large(const struct key *k, struct err *e)
{
	return err_set(e, ERR_USAGE, "%s is too long for an API key", k->source);
}

/* ---- a file ---- */

/* The user cannot change the mode of root's files, nor on a read-only file system, which is how
 * containers get their secrets. */
static bool has_fixed_mode(int fd, const struct stat *st)
{
	struct statvfs fs;

	return (st->st_uid == 0 && geteuid() != 0) || (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY));
}

/* Nobody else may write to the file, nor read it if the user can prevent that. */
static int check_key_file(int fd, const struct key *k, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot look at %s", k->source);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "%s is not a regular file", k->source);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, ERR_USAGE, "%s belongs to another user", k->source);
	if (has_fixed_mode(fd, &st)) {
		if (!(st.st_mode & 022))
			return 0;
		return err_set(e, ERR_USAGE, "other users can write to %s (mode %04o), and you cannot change its "
		               "mode: read it with 'apiKeyCommand', as in [\"cat\", \"%s\"]", k->source,
		               st.st_mode & 07777, path);
	}
	if (st.st_mode & 077)
		return err_set(e, ERR_USAGE, "other users can access %s (mode %04o): chmod 600 '%s'", k->source,
		               st.st_mode & 07777, path);
	return 0;
}

static int read_key_file(int fd, struct key *k, struct err *e)
{
	ssize_t n = 1;

	if (make_room(k, e) < 0)
		return -1;
	while (n > 0 && k->value.n <= KEY_MAX) {
		n = io_read(fd, k->value.p + k->value.n, KEY_MAX + 1 - k->value.n);
		k->value.n += n > 0 ? (size_t)n : 0;
	}
	k->value.p[k->value.n] = '\0';
	if (n < 0)
		return err_sys(e, errno, "cannot read %s", k->source);
	return k->value.n > KEY_MAX ? too_large(k, e) : 0;
}

static int load_key_file(struct key *k, const char *given, struct err *e)
{
	struct buf path = BUF_INIT;
	int fd, r;

	env_expand(&path, given);
	if (buf_check(&path, e) < 0)
		return -1;
	snprintf(k->source, sizeof(k->source), "the key file '%s'", path.p);
	fd = open(path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		r = err_sys(e, errno, "cannot open %s", k->source);
	else if ((r = check_key_file(fd, k, path.p, e)) == 0)
		r = read_key_file(fd, k, e);
	if (fd >= 0)
		close(fd);
	buf_release(&path);
	return r;
}

/* ---- a command ---- */

#define OUTPUT_OF "the output of "

static const char *command_of(const struct key *k)
{
	return k->source + strlen(OUTPUT_OF);
}

static bool is_key_variable(const char *entry, const struct config *c)
{
	size_t n = strcspn(entry, "=");

	for (const struct provider *const *p = providers; *p; p++)
		for (const char *const *name = (*p)->key_env; name && *name; name++)
			if (strlen(*name) == n && strncmp(entry, *name, n) == 0)
				return true;
	for (size_t i = 0; i < c->nproviders; i++) {
		const char *name = c->providers[i].api_key_env;

		if (name && strlen(name) == n && strncmp(entry, name, n) == 0)
			return true;
	}
	return false;
}

char **key_environment(const struct config *c)
{
	size_t n = 0, k = 0;
	char **list;

	while (environ[n])
		n++;
	list = calloc(n + 1, sizeof(*list));
	for (size_t i = 0; list && i < n; i++)
		if (!is_key_variable(environ[i], c))
			list[k++] = environ[i];
	return list;
}

static int start_key_command(struct child *c, struct json_object *words, const struct config *cfg,
                 const struct key *k, struct err *e)
{
	char **argv = config_command(words), **envp = key_environment(cfg);
	int r = argv && envp ? 0 : err_oom(e);

	c->argv = argv;
	c->envp = envp;
	c->out = CHILD_PIPE;
	if (r == 0 && (r = child_start(c)) != 0)
		r = err_sys(e, r, "cannot run %s", command_of(k));
	free(argv);
	free(envp);
	return r;
}

static int load_command(struct key *k, struct json_object *words, const struct config *c,
                        int stop_fd, struct err *e)
{
	struct child child = CHILD_INIT;
	struct child_wait wait = { .stop_fd = stop_fd };
	int r;

	snprintf(k->source, sizeof(k->source), OUTPUT_OF "apiKeyCommand '%s'",
	         json_object_get_string(json_object_array_get_idx(words, 0)));
	if (make_room(k, e) < 0 || start_key_command(&child, words, c, k, e) < 0)
		return -1;
	r = child_communicate(&child, span_str(""), &k->value, KEY_MAX, &wait, e);
	if (r > 0)
		r = too_large(k, e);
	wait.stop = r < 0;
	if (child_end(&child, &wait, e) < 0) /* an earlier error stays */
		r = -1;
	return r < 0 && e->kind == ERR_FAILED ? err_prefix(e, "%s", command_of(k)) : r;
}

/* ---- all sources ---- */

/* Without a key, `source` says where to put one. */
static void name_expected_source(struct key *k, const struct provider *p, const struct config_provider *s)
{
	const char *own[2];
	const char *const *names = key_variables(p, s, own);

	if (*names)
		snprintf(k->source, sizeof(k->source), "the environment variable %s", *names);
	else
		snprintf(k->source, sizeof(k->source), "'apiKeyFile' of '%s' in the config file",
		         s ? s->name : p->name);
}

int key_load(struct key *k, const struct provider *p, const struct config *c,
             const struct config_provider *s, int stop_fd, struct err *e)
{
	const char *name = find_variable(p, s);
	int r = 0;

	key_release(k);
	if (name) {
		snprintf(k->source, sizeof(k->source), "the environment variable %s", name);
		buf_adds(&k->value, env(name));
	} else if (s && s->api_key_file) {
		r = load_key_file(k, s->api_key_file, e);
	} else if (s && s->api_key_command) {
		r = load_command(k, s->api_key_command, c, stop_fd, e);
	} else {
		name_expected_source(k, p, s);
		return 0;
	}
	if (r == 0)
		r = check_key(k, e);
	if (r < 0)
		explicit_bzero(k->value.p, k->value.n);
	return r;
}

void key_release(struct key *k)
{
	if (k->value.cap)
		explicit_bzero(k->value.p, k->value.cap);
	buf_release(&k->value);
}

void key_advise(const struct key *k, struct buf *b)
{
	if (k->value.n)
		buf_addf(b, "; is the API key right? It came from %s", k->source);
	else if (!*k->source)
		buf_adds(b, "; no API key is sent to a server that was found automatically: name it in MC_BASE_URL "
		         "or the config file");
	else
		buf_addf(b, "; no API key is set: put one into %s", k->source);
}

/* ---- hiding the secrets ---- */

/* Iterates over the secrets of a request: the key; the values of the settings' headers, and their part
 * after a scheme such as Bearer; the values in the base URL's query, encoded and decoded. */
struct secrets {
	const struct key *key;
	enum { OF_KEY, OF_HEADERS, OF_QUERY, OF_NONE } from;
	size_t i;           /* the next header */
	const char *rest;   /* of the current header, or of the base URL */
	bool undecoded;     /* `value` must also be tried decoded */
	struct span value;
	char decoded[1024];
};

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False if decoding changes nothing. */
static bool decode_secret(struct secrets *s)
{
	struct span v = s->value;
	size_t n = 0;

	s->undecoded = false;
	if (v.n > sizeof(s->decoded))
		return false;
	for (size_t i = 0; i < v.n; i++) {
		bool coded = v.p[i] == '%' && i + 2 < v.n && hex(v.p[i + 1]) >= 0 && hex(v.p[i + 2]) >= 0;

		s->decoded[n++] = coded ? (char)(hex(v.p[i + 1]) * 16 + hex(v.p[i + 2])) : v.p[i];
		i += coded ? 2 : 0;
	}
	s->value = (struct span){ s->decoded, n };
	return n < v.n;
}

static bool next_of_headers(struct secrets *s)
{
	const struct config_provider *p = s->key->section;

	if (s->rest && (s->rest = strchr(s->rest, ' '))) {
		s->rest += strspn(s->rest, " ");
		s->value = span_str(s->rest);
		return true;
	}
	while (p && s->i < p->nheaders && !config_header_is_secret(p->headers[s->i].name))
		s->i++;
	if (!p || s->i >= p->nheaders)
		return false;
	s->rest = p->headers[s->i++].value;
	s->value = span_str(s->rest);
	return true;
}

static bool next_secret(struct secrets *s)
{
	if (s->from == OF_KEY) {
		s->from = OF_HEADERS;
		s->value = buf_span(&s->key->value);
		return true;
	}
	if (s->from == OF_HEADERS && next_of_headers(s))
		return true;
	if (s->from == OF_HEADERS) {
		s->from = s->key->base_url ? OF_QUERY : OF_NONE;
		s->rest = s->key->base_url;
	}
	if (s->undecoded && decode_secret(s))
		return true;
	if (s->from == OF_QUERY)
		return s->undecoded = url_next_secret(&s->rest, &s->value);
	return false;
}

bool key_is_in(const struct key *k, struct span text)
{
	struct secrets s = { .key = k };

	while (next_secret(&s))
		if (s.value.n >= KEY_SECRET && memmem(text.p, text.n, s.value.p, s.value.n))
			return true;
	return false;
}

/* The length of the secret at the beginning of `text`, where it may be escaped as in a JSON string; 0: it
 * is not there. */
static size_t match_secret(struct span secret, const char *text, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < secret.n; i++, at++) {
		char c = secret.p[i];

		if (at + 1 < n && text[at] == '\\' && text[at + 1] == c && strchr("/\"\\", c))
			at++;
		else if (at >= n || text[at] != c)
			return 0;
	}
	return at;
}

static void redact_secret(struct span secret, char *text, size_t n)
{
	size_t len = secret.n, found;
	char *end = text + n;

	if (len < KEY_SECRET)
		return;
	for (char *p = text; (p = memchr(p, secret.p[0], (size_t)(end - p))); p += found ? found : 1)
		if ((found = match_secret(secret, p, (size_t)(end - p))) > 0)
			memset(p, '*', found);
	while (--len >= KEY_SECRET) /* a message that was cut may end inside it */
		if (n >= len && memcmp(text + n - len, secret.p, len) == 0)
			memset(text + n - len, '*', len);
}

void key_redact(const struct key *k, char *text, size_t n)
{
	struct secrets s = { .key = k };

	while (next_secret(&s))
		redact_secret(s.value, text, n);
}

static size_t hide_secret(struct span secret, char *text, size_t n, bool last, bool *hidden)
{
	size_t open = secret.n - 1 < n ? secret.n - 1 : n;
	char *end = text + n;

	if (secret.n < KEY_SECRET)
		return 0;
	for (char *p = text; (p = memmem(p, (size_t)(end - p), secret.p, secret.n)); p += secret.n) {
		memset(p, '*', secret.n);
		*hidden = true;
	}
	while (open && memcmp(end - open, secret.p, open) != 0)
		open--;
	if (!last)
		return open;
	if (open >= KEY_SECRET) {
		memset(end - open, '*', open);
		*hidden = true;
	}
	return 0;
}

size_t key_hide(const struct key *k, char *text, size_t n, bool last, bool *hidden)
{
	struct secrets s = { .key = k };
	size_t open = 0;

	while (next_secret(&s)) {
		size_t of_this = hide_secret(s.value, text, n, last, hidden);

		open = of_this > open ? of_this : open;
	}
	return open;
}
