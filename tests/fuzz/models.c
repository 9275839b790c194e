/*
 * lib/client/models.c. The input is a list of models as it is kept on the disk.
 *
 * Properties: a text is taken, or the list is empty. A list that was taken is sorted, each
 * id once, and all of it is text for a person's eyes and a command line; written and read
 * again it is the same. With its end missing anywhere it is not taken. Suggestions for one of its
 * ids are in the list.
 */
#include "client/models.h"

#include "base/utf8.h"
#include "fuzz.h"

static void check_text(const char *s, const char *what)
{
	size_t n = strlen(s);

	must(n > 0 && n <= MODEL_TEXT_MAX && utf8_valid(s, n) == n, "%s of %zu bytes", what, n);
}

static void check_list(const struct model_list *l)
{
	must(l->asked_at > 0 && l->n <= MODELS_MAX, "%zu models", l->n);
	for (size_t i = 0; i < l->n; i++) {
		const struct listed_model *m = &l->v[i];

		check_text(m->id, "an id");
		if (m->name)
			check_text(m->name, "a name");
		must(m->window >= 0, "a window below 0");
		must(i == 0 || strcmp(l->v[i - 1].id, m->id) < 0, "the order of '%s'", m->id);
		must(models_find(l, m->id) == m, "'%s' is found", m->id);
	}
}

static void check_suggestions(const struct model_list *l)
{
	for (size_t i = 0; i < l->n && i < 4; i++) {
		const char *ids[3];
		size_t n = models_suggest(l, l->v[i].id, ids, 3);

		must(n <= 3, "%zu", n);
		for (size_t k = 0; k < n; k++)
			must(models_find(l, ids[k]), "'%s' is of the list", ids[k]);
	}
}

static void check_again(const struct model_list *l, const struct endpoint *ep)
{
	struct model_list again = MODEL_LIST_INIT;
	struct buf text = BUF_INIT, twice = BUF_INIT;

	models_write(l, ep, &text);
	must(models_read(&again, ep, buf_span(&text)), "what was written is read");
	models_write(&again, ep, &twice);
	must_be_same(buf_span(&twice), buf_span(&text), "what is written");
	models_release(&again);
	for (size_t n = 0; n < text.n; n += 1 + text.n / 50)
		must(!models_read(&again, ep, (struct span){ text.p, n }), "cut at byte %zu", n);
	buf_release(&text);
	buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct endpoint ep = ENDPOINT_INIT;
	struct model_list l = MODEL_LIST_INIT;
	struct span text = exact((struct span){ (const char *)data, size });

	ep.provider = provider_find("openai-compatible");
	ep.base_url = "http://h/v1";
	snprintf(ep.name, sizeof(ep.name), "here");
	if (models_read(&l, &ep, text)) {
		check_list(&l);
		check_suggestions(&l);
		check_again(&l, &ep);
	} else {
		must(!l.v && !l.n && !l.asked_at, "%zu models of a text that was refused", l.n);
	}
	models_release(&l);
	drop(text);
	return 0;
}
