/*
 * Lists of models: in memory, on the disk, and from the server.
 *
 * The disk has CACHE/models/HASH.jsonl, a file for each endpoint, base URL and origin of the key. The
 * first line names the endpoint, the time when its server was asked, and the number of lines that
 * follow, so that a truncated file is detected. Each of these lines is a model:
 * {"id":…,"name":…,"contextWindow":…}.
 *
 * The file is written under another name and renamed, without a sync. What fails is ignored, since
 * the server can be asked again.
 */
#include "client/models.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/folders.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "base/replace.h"
#include "base/suggest.h"
#include "base/url.h"
#include "base/utf8.h"
#include "store/place.h"

#define VALID_MS (INT64_C(24) * 60 * 60 * 1000)
#define VERSION 1
#define FILE_MAX (32u << 20)
#define FOLDER "models"
#define NAME_MAX_BYTES 64 /* of a file */
#define SUGGESTED_MAX 80  /* bytes of a name that fits into a message */

/* ---- a list ---- */

void models_release(struct model_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].id);
		free(l->v[i].name);
	}
	free(l->v);
	*l = (struct model_list)MODEL_LIST_INIT;
}

/* Fits into an argument and into a line of a table. */
static bool is_model_text(struct span s)
{
	return s.n && s.n <= MODEL_TEXT_MAX && !memchr(s.p, '\0', s.n) && utf8_valid(s.p, s.n) == s.n;
}

int models_add(struct model_list *l, const struct model *m, struct err *e)
{
	bool named = is_model_text(m->name) && !span_same(m->name, m->id);
	struct listed_model *v;

	if (!is_model_text(m->id) || l->n >= MODELS_MAX)
		return 0;
	v = array_room(l->v, l->n, &l->cap, sizeof(*v), e);
	if (!v)
		return -1;
	l->v = v;
	v += l->n;
	v->id = strndup(m->id.p, m->id.n);
	v->name = named ? strndup(m->name.p, m->name.n) : NULL;
	v->window = m->window > 0 ? m->window : 0;
	l->n++;
	return v->id && (v->name || !named) ? 0 : err_oom(e);
}

static int compare_ids(const void *a, const void *b)
{
	const struct listed_model *x = a, *y = b;

	return strcmp(x->id, y->id);
}

void models_sort(struct model_list *l)
{
	size_t kept = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), compare_ids);
	for (size_t i = 0; i < l->n; i++) {
		if (kept && compare_ids(&l->v[kept - 1], &l->v[i]) == 0) {
			free(l->v[i].id);
			free(l->v[i].name);
		} else {
			l->v[kept++] = l->v[i];
		}
	}
	l->n = kept;
}

const struct listed_model *models_find(const struct model_list *l, const char *id)
{
	const struct listed_model want = { .id = (char *)(uintptr_t)id };

	return l->n ? bsearch(&want, l->v, l->n, sizeof(*l->v), compare_ids) : NULL;
}

/* ---- the text of its file ---- */

/* Adds the base URL without the secrets in its query; nothing for a local server that was found, because
 * it may be another one the next time. */
static void add_base_url(struct buf *b, const struct endpoint *ep)
{
	if (ep->base_url && !ep->found)
		url_add_shown(b, ep->base_url);
}

void models_write(const struct model_list *l, const struct endpoint *ep, struct buf *b)
{
	struct buf url = BUF_INIT;

	add_base_url(&url, ep);
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

static bool has_word(struct span object, const char *key, const char *want)
{
	struct span value;

	return json_scan_find(object, key, &value) && json_scan_is(value, span_str(want));
}

static bool has_number(struct span object, const char *key, int64_t *out)
{
	struct span value;

	return json_scan_find(object, key, &value) && json_scan_int(value, out);
}

static bool read_file_head(struct span line, const struct endpoint *ep, int64_t *asked_at, int64_t *count)
{
	struct buf url = BUF_INIT;
	int64_t version;
	bool good;

	add_base_url(&url, ep);
	good = has_word(line, "type", "models") && has_number(line, "version", &version) && version == VERSION &&
	       has_word(line, "endpoint", ep->name) && has_word(line, "provider", ep->provider->name) && !url.oom &&
	       has_word(line, "baseUrl", url.p) && has_number(line, "askedAt", asked_at) && *asked_at > 0 &&
	       has_number(line, "count", count);
	buf_release(&url);
	return good;
}

static bool read_file_model(struct model_list *l, struct span line)
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
	has_number(line, "contextWindow", &m.window);
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
	bool good = next_line(&text, &line) && read_file_head(line, ep, &asked_at, &count);

	for (; good && text.n; n++)
		good = next_line(&text, &line) && read_file_model(l, line);
	if (!good || n != count) {
		models_release(l);
		return false;
	}
	models_sort(l);
	l->asked_at = asked_at;
	return true;
}

/* ---- the file ---- */

/* The origin of the key is part of the name, because another key may see other models. */
static int cache_file_name(const struct endpoint *ep, char name[NAME_MAX_BYTES])
{
	const char *origin = ep->base_url && !ep->found ? key_place(ep->provider, ep->section) : NULL;
	struct buf b = BUF_INIT;
	bool oom;

	buf_addf(&b, "%s\n%s\n", ep->name, ep->provider->name);
	add_base_url(&b, ep);
	buf_addf(&b, "\n%s", origin ? origin : "");
	oom = b.oom;
	snprintf(name, NAME_MAX_BYTES, "%016" PRIx64 ".jsonl", span_hash(buf_span(&b)));
	buf_release(&b);
	return oom ? -1 : 0;
}

static int open_cache_folder(const struct endpoint *ep, bool make)
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

static bool load_cache(struct model_list *l, const struct endpoint *ep)
{
	struct err ignored = ERR_INIT;
	struct buf text = BUF_INIT;
	char name[NAME_MAX_BYTES];
	int dir = open_cache_folder(ep, false), fd = -1;
	bool good = false;

	if (dir >= 0 && cache_file_name(ep, name) == 0)
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

/* Needs no lock: the temporary name contains the process id. */
static void replace_cache(int dir, const char *name, const struct buf *text)
{
	char temp[NAME_MAX_BYTES];
	struct replace r = REPLACE_INIT(dir, name, temp);
	struct err ignored = ERR_INIT;

	snprintf(temp, sizeof(temp), "%.40s.%ld", name, (long)getpid());
	if (replace_begin(&r) < 0 || place_check_new(dir, r.fd, &ignored) < 0 ||
	    io_write(r.fd, text->p, text->n) < 0 || replace_commit(&r, 0) < 0)
		replace_abandon(&r);
}

/* An empty list is not kept: the server may be fetching its first model. */
void models_keep(const struct model_list *l, const struct endpoint *ep)
{
	struct buf text = BUF_INIT;
	char name[NAME_MAX_BYTES];
	int dir;

	models_write(l, ep, &text);
	if (l->n && !text.oom && cache_file_name(ep, name) == 0 && (dir = open_cache_folder(ep, true)) >= 0) {
		replace_cache(dir, name, &text);
		close(dir);
	}
	buf_release(&text);
}

/* ---- the cache and the server ---- */

/* A provider without a network has one model. */
static bool list_own_model(struct model_list *l, const struct provider *p)
{
	const struct model own = { span_str(p->model ? p->model : ""), { "", 0 }, 0 };
	struct err ignored = ERR_INIT;

	if (models_add(l, &own, &ignored) < 0)
		models_release(l);
	l->asked_at = l->n ? clock_now_ms() : 0;
	return l->n > 0;
}

bool models_cached(struct model_list *l, const struct endpoint *ep)
{
	return ep->provider->local ? list_own_model(l, ep->provider) : load_cache(l, ep);
}

/* A list from the future, after the clock was set back, counts as old. */
bool models_are_fresh(const struct model_list *l, const struct endpoint *ep)
{
	int64_t age = clock_now_ms() - l->asked_at;

	if (!l->asked_at || (!ep->provider->local && (ep->found || !ep->base_url)))
		return false;
	return age >= 0 && age < VALID_MS;
}

struct models_answer {
	struct model_list *list;
	const struct key *key;
};

/* A server that repeats the key must not bring it to the screen or the disk. */
static int add_listed(void *ctx, const struct model *m, struct err *e)
{
	const struct models_answer *a = ctx;

	if (key_is_in(a->key, m->id) || key_is_in(a->key, m->name))
		return 0;
	return models_add(a->list, m, e);
}

int models_ask(struct model_list *l, const struct endpoint *ep, struct http *h, int stop_fd,
               struct err *e)
{
	struct model_list new = MODEL_LIST_INIT;
	struct models_answer a = { &new, &ep->key };

	if (endpoint_models(ep, h, stop_fd, add_listed, &a, e) < 0) {
		models_release(&new);
		return -1;
	}
	models_sort(&new);
	new.asked_at = clock_now_ms();
	models_keep(&new, ep);
	models_release(l);
	*l = new;
	return 0;
}

int64_t models_window_in(const struct model_list *l, const struct endpoint *ep, const char *model)
{
	const struct listed_model *m = models_find(l, model);

	if (m && m->window)
		return m->window;
	return ep->provider->window ? ep->provider->window(span_str(model)) : 0;
}

int64_t models_window(const struct endpoint *ep, const char *model)
{
	struct model_list l = MODEL_LIST_INIT;
	int64_t window;

	models_cached(&l, ep);
	window = models_window_in(&l, ep, model);
	models_release(&l);
	return window;
}

/* ---- suggestions ---- */

/* Only letters and digits are compared, without case: people remember these of a name, and omit or
 * change the punctuation. */
static size_t compared_letters(const char *s, char out[SUGGEST_WORD_MAX])
{
	size_t n = 0;

	for (; *s && n < SUGGEST_WORD_MAX; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 'A' && c <= 'Z')
			out[n++] = (char)(c - 'A' + 'a');
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80)
			out[n++] = (char)c;
	}
	return n;
}

struct suggestion {
	const char *id;
	size_t part, whole; /* edits to a part of the id, and to all of it */
};

static int compare_suggestions(const void *a, const void *b)
{
	const struct suggestion *x = a, *y = b;

	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	if (x->whole != y->whole)
		return x->whole < y->whole ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* One letter in three may be wrong. A part is enough: "gpt5" suggests "gpt-5" first, then
 * "gpt-5-mini". */
static size_t collect_suggestions(const struct model_list *l, const char *word, struct suggestion *found)
{
	char a[SUGGEST_WORD_MAX], b[SUGGEST_WORD_MAX] = "";
	size_t na = compared_letters(word, a), n = 0;

	for (size_t i = 0; i < l->n && na; i++) {
		struct suggestion *f = &found[n];
		struct span asked = { a, na }, id = { b, compared_letters(l->v[i].id, b) };

		f->id = l->v[i].id;
		f->part = suggest_edits_in(asked, id);
		f->whole = suggest_edits(asked, id);
		n += f->part <= na / 3 && strlen(f->id) <= SUGGESTED_MAX;
	}
	return n;
}

size_t models_suggest(const struct model_list *l, const char *word, const char **ids, size_t max)
{
	struct suggestion *found = calloc(l->n + 1, sizeof(*found));
	const char *slash = strrchr(word, '/');
	size_t n;

	if (!found)
		return 0;
	n = slash ? collect_suggestions(l, slash + 1, found) : 0; /* "openai/gpt-5", as gateways write it */
	if (!n)
		n = collect_suggestions(l, word, found);
	qsort(found, n, sizeof(*found), compare_suggestions);
	n = n < max ? n : max;
	for (size_t i = 0; i < n; i++)
		ids[i] = found[i].id;
	free(found);
	return n;
}
