/*
 * The lists of models on the disk: CACHE/models/HASH.jsonl, a file for each endpoint, base
 * URL and origin of the key. The first line says whose list it is, when it was asked for
 * and how many lines follow, so that a file that was cut short is seen. Each of those is a
 * model: {"id":…,"name":…,"contextWindow":…}.
 *
 * It is written under another name and renamed; nothing is synced. Whatever cannot be
 * done is left undone without a word, since the server can be asked again.
 */
#include "client/models-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/folders.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "base/replace.h"
#include "base/url.h"
#include "store/place.h"

#define VERSION 1
#define FILE_MAX (32u << 20)
#define FOLDER "models"
#define NAME_MAX_BYTES 64 /* of a file */

/* ---- the text ---- */

/* Adds the base URL without a secret of its query; nothing for a server that is looked for on this
 * machine: which one it is may change. */
static void add_named_url(struct buf *b, const struct endpoint *ep)
{
	if (ep->base_url && !ep->found)
		url_add_shown(b, ep->base_url);
}

void models_write(const struct model_list *l, const struct endpoint *ep, struct buf *b)
{
	struct buf url = BUF_INIT;

	add_named_url(&url, ep);
	json_open(b, '{');
	json_put_word(b, "type", "models");
	json_put_word(b, "endpoint", ep->name);
	json_put_word(b, "provider", ep->provider->name);
	json_put_text(b, "baseUrl", buf_span(&url));
	json_put_int(b, "askedAt", l->asked_at);
	json_put_int(b, "count", (int64_t)l->n);
	json_put_int(b, "version", VERSION);
	json_close(b, '}');
	buf_addc(b, '\n');
	for (size_t i = 0; i < l->n; i++) {
		json_open(b, '{');
		json_put_word(b, "id", l->v[i].id);
		if (l->v[i].name)
			json_put_word(b, "name", l->v[i].name);
		if (l->v[i].window)
			json_put_int(b, "contextWindow", l->v[i].window);
		json_close(b, '}');
		buf_addc(b, '\n');
	}
	b->oom |= url.oom;
	buf_release(&url);
}

static bool next_line(struct span *rest, struct span *line)
{
	const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;

	if (!end)
		return false;
	*line = (struct span){ rest->p, (size_t)(end - rest->p) };
	*rest = (struct span){ end + 1, rest->n - line->n - 1 };
	return json_is_whole(*line) && line->p[0] == '{';
}

static bool says(struct span object, const char *key, const char *want)
{
	struct span value;

	return json_scan_find(object, key, &value) && json_scan_is(value, span_str(want));
}

static bool number(struct span object, const char *key, int64_t *out)
{
	struct span value;

	return json_scan_find(object, key, &value) && json_scan_int(value, out);
}

static bool read_head(struct span line, const struct endpoint *ep, int64_t *asked_at, int64_t *count)
{
	struct buf url = BUF_INIT;
	int64_t version;
	bool good;

	add_named_url(&url, ep);
	good = says(line, "type", "models") && number(line, "version", &version) && version == VERSION &&
	       says(line, "endpoint", ep->name) && says(line, "provider", ep->provider->name) && !url.oom &&
	       says(line, "baseUrl", url.p) && number(line, "askedAt", asked_at) && *asked_at > 0 &&
	       number(line, "count", count);
	buf_release(&url);
	return good;
}

static bool read_model(struct model_list *l, struct span line)
{
	struct buf id = BUF_INIT, name = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct model m = { .window = 0 };
	struct span value;
	size_t had = l->n;
	int r = 0;

	if (json_scan_find(line, "id", &value))
		json_scan_add_str(&id, value);
	if (json_scan_find(line, "name", &value))
		json_scan_add_str(&name, value);
	number(line, "contextWindow", &m.window);
	m.id = buf_span(&id);
	m.name = buf_span(&name);
	if (id.oom || name.oom)
		r = -1;
	if (r == 0)
		r = models_add(l, &m, &ignored);
	buf_release(&id);
	buf_release(&name);
	return r == 0 && l->n == had + 1;
}

bool models_read(struct model_list *l, const struct endpoint *ep, struct span text)
{
	int64_t asked_at, count, n = 0;
	struct span line;
	bool good = next_line(&text, &line) && read_head(line, ep, &asked_at, &count);

	for (; good && text.n; n++)
		good = next_line(&text, &line) && read_model(l, line);
	if (!good || n != count) {
		models_release(l);
		return false;
	}
	models_sort(l);
	l->asked_at = asked_at;
	return true;
}

/* ---- its place ---- */

/* The origin of the key is part of it, since another key may see other models. */
static int file_name(const struct endpoint *ep, char name[NAME_MAX_BYTES])
{
	struct buf b = BUF_INIT;
	bool oom;

	buf_addf(&b, "%s\n%s\n", ep->name, ep->provider->name);
	add_named_url(&b, ep);
	buf_addc(&b, '\n');
	if (ep->base_url && !ep->found)
		key_origin(&b, ep->provider, ep->section);
	oom = b.oom;
	snprintf(name, NAME_MAX_BYTES, "%016" PRIx64 ".jsonl", span_hash(buf_span(&b)));
	buf_release(&b);
	return oom ? -1 : 0;
}

static int open_folder(const struct endpoint *ep, bool make)
{
	const char *dir = ep->config->cache_dir;
	struct err ignored = ERR_INIT;
	int above, fd;

	if (!dir || dir[0] != '/')
		return -1;
	if (make && folders_make(dir, NULL, NULL, &ignored) < 0)
		err_clear(&ignored);
	above = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above < 0)
		return -1;
	fd = make ? place_make_folder(above, FOLDER, &ignored) : place_folder(above, FOLDER, &ignored);
	close(above);
	return fd;
}

bool models_load(struct model_list *l, const struct endpoint *ep)
{
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT;
	char name[NAME_MAX_BYTES];
	int dir = open_folder(ep, false), fd = -1;
	bool good = false;

	if (dir >= 0 && file_name(ep, name) == 0)
		fd = place_file(dir, name, O_RDONLY, &ignored);
	if (fd >= 0) {
		good = io_read_all(fd, &text, FILE_MAX) == 0 && models_read(l, ep, buf_span(&text));
		close(fd);
	}
	if (dir >= 0)
		close(dir);
	buf_release(&text);
	return good;
}

/* There is no lock: each process has a temporary name of its own. */
static void store(int dir, const char *name, const struct buf *text)
{
	char temp[NAME_MAX_BYTES];
	struct replace r = REPLACE_INIT(dir, name, temp);
	struct err ignored = ERR_INIT;

	snprintf(temp, sizeof(temp), "%.40s.%ld", name, (long)getpid());
	if (replace_begin(&r) < 0 || place_check_new(dir, r.fd, &ignored) < 0 ||
	    io_write(r.fd, text->p, text->n) < 0 || replace_commit(&r, 0) < 0)
		replace_abandon(&r);
}

/* An empty list is the state of an hour: a server whose first model is being fetched. */
void models_keep(const struct model_list *l, const struct endpoint *ep)
{
	struct buf text = BUF_INIT;
	char name[NAME_MAX_BYTES];
	int dir;

	models_write(l, ep, &text);
	if (l->n && !text.oom && file_name(ep, name) == 0 && (dir = open_folder(ep, true)) >= 0) {
		store(dir, name, &text);
		close(dir);
	}
	buf_release(&text);
}
