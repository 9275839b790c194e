#include "client/models.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "client/models-cache.h"

#define VALID_MS (INT64_C(24) * 60 * 60 * 1000)

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

/* What an argument or a line of a table can hold. */
static bool is_text(struct span s)
{
	return s.n && s.n <= MODEL_TEXT_MAX && !memchr(s.p, '\0', s.n) && utf8_valid(s.p, s.n) == s.n;
}

int models_add(struct model_list *l, const struct model *m, struct err *e)
{
	bool named = is_text(m->name) && !span_same(m->name, m->id);
	struct listed_model *v;

	if (!is_text(m->id) || l->n >= MODELS_MAX)
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

static int compare(const void *a, const void *b)
{
	const struct listed_model *x = a, *y = b;

	return strcmp(x->id, y->id);
}

void models_sort(struct model_list *l)
{
	size_t kept = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), compare);
	for (size_t i = 0; i < l->n; i++) {
		if (kept && compare(&l->v[kept - 1], &l->v[i]) == 0) {
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

	return l->n ? bsearch(&want, l->v, l->n, sizeof(*l->v), compare) : NULL;
}

/* ---- where it comes from ---- */

/* A provider without a network has its one model, now and always. */
static bool list_own(struct model_list *l, const struct provider *p)
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
	return ep->provider->local ? list_own(l, ep->provider) : models_load(l, ep);
}

/* A clock that was set back makes a list of the future, which is as good as old. */
bool models_are_fresh(const struct model_list *l, const struct endpoint *ep)
{
	int64_t age = clock_now_ms() - l->asked_at;

	if (!l->asked_at || (!ep->provider->local && (ep->found || !ep->base_url)))
		return false;
	return age >= 0 && age < VALID_MS;
}

struct asked {
	struct model_list *list;
	const struct key *key;
};

/* A server that says the key back does not bring it to the screen or the disk. */
static int take(void *ctx, const struct model *m, struct err *e)
{
	const struct asked *a = ctx;

	if (key_is_in(a->key, m->id) || key_is_in(a->key, m->name))
		return 0;
	return models_add(a->list, m, e);
}

int models_ask(struct model_list *l, const struct endpoint *ep, struct http *h, int stop_fd,
               struct err *e)
{
	struct model_list new = MODEL_LIST_INIT;
	struct asked a = { &new, &ep->key };

	if (endpoint_models(ep, h, stop_fd, take, &a, e) < 0) {
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
