/* What Tab completes in a command. */
#include <string.h>

#include "base/words.h"
#include "chat/command.h"
#include "store/index.h"
#include "client/models.h"

#define IDS_OFFERED 100 /* of sessions, the newest; more are no choice */

static void offer_commands(struct edit_completion *c)
{
	char word[64];

	for (const struct command *k = chat_commands; k->name; k++) {
		snprintf(word, sizeof(word), "/%s", k->name);
		edit_offer(c, span_str(word));
	}
}

/* ---- what there is ---- */

static void offer_sessions(const struct chat *chat, struct edit_completion *c)
{
	struct err ignored = ERR_INIT;
	struct index_record record;
	struct index_reader r;
	struct span line;

	if (chat->tool.store.fd < 0 || index_open(&r, &chat->tool.store, false, &ignored) < 0)
		return;
	while (c->n < IDS_OFFERED && index_next(&r, &line))
		if (index_record(line, 0, &record))
			edit_offer(c, record.id);
	index_close(&r);
}

static void offer_providers(const struct chat *chat, struct edit_completion *c)
{
	const char *name;

	for (size_t i = 0; (name = endpoint_name(&chat->tool.config, i)); i++)
		edit_offer(c, span_str(name));
}

static void offer_listed(const struct endpoint *ep, struct edit_completion *c)
{
	struct model_list l = MODEL_LIST_INIT;

	models_cached(&l, ep);
	for (size_t i = 0; i < l.n; i++)
		edit_offer(c, span_str(l.v[i].id));
	models_release(&l);
}

/* Without a network: those that are known of the provider, and the aliases. */
static void offer_models(const struct chat *chat, const char *provider, struct edit_completion *c)
{
	const struct config *config = &chat->tool.config;
	struct endpoint ep = ENDPOINT_INIT;
	struct err ignored = ERR_INIT;

	if (!provider)
		offer_listed(&chat->at.client.endpoint, c);
	else if (endpoint_find(&ep, config, provider, &ignored) == 0)
		offer_listed(&ep, c);
	endpoint_release(&ep);
	for (size_t i = 0; i < config->naliases; i++)
		if (!provider || config_alias_fits(&config->aliases[i], provider, &ignored) == 0)
			edit_offer(c, span_str(config->aliases[i].name));
}

static void offer_attached(const struct chat *chat, struct edit_completion *c)
{
	for (size_t i = 0; i < chat->files.nrefs; i++) {
		struct buf word = BUF_INIT;

		words_quote(&word, chat->files.refs[i].name);
		edit_offer(c, buf_span(&word));
		buf_release(&word);
	}
}

/* ---- what of it a command takes ---- */

/* The words before the one that is completed; with it the line ends, as far as that counts. */
static struct span before(const struct edit_completion *c)
{
	struct span s = c->line;

	if (s.n >= c->word.n && memcmp(s.p + s.n - c->word.n, c->word.p, c->word.n) == 0)
		s.n -= c->word.n;
	return s;
}

static void offer_new(const struct chat *chat, const struct words *w, struct edit_completion *c)
{
	const char *last = w->n > 1 ? w->v[w->n - 1] : "", *provider = NULL;

	for (size_t i = 1; i + 1 < w->n; i++)
		if (strcmp(w->v[i], "-p") == 0 || strcmp(w->v[i], "--provider") == 0)
			provider = w->v[i + 1];
	if (strcmp(last, "-p") == 0 || strcmp(last, "--provider") == 0) {
		offer_providers(chat, c);
	} else if (strcmp(last, "-m") == 0 || strcmp(last, "--model") == 0) {
		offer_models(chat, provider, c);
	} else {
		edit_offer(c, span_str("-p"));
		edit_offer(c, span_str("-m"));
	}
}

static void offer_arguments(const struct chat *chat, const struct words *w, struct edit_completion *c)
{
	const struct command *k = chat_commands;

	while (k->name && strcmp(k->name, w->v[0] + 1) != 0)
		k++;
	if (!k->name)
		return;
	if (k->run == command_new)
		offer_new(chat, w, c);
	else if (k->run == command_detach)
		offer_attached(chat, c);
	else if (k->kind == ARG_SESSION && w->n == 1)
		offer_sessions(chat, c);
	else if (k->kind == ARG_MODEL && w->n == 1)
		offer_models(chat, NULL, c);
	else
		c->files = k->kind == ARG_FILE || k->kind == ARG_FILES;
}

void chat_complete(const struct chat *chat, struct edit_completion *c)
{
	struct words w = WORDS_INIT;
	struct err ignored = ERR_INIT;

	if (!c->line.n || !chat_is_command(c->line))
		return;
	if (c->first)
		offer_commands(c);
	else if (words_split(&w, before(c), &ignored) == 0 && w.n)
		offer_arguments(chat, &w, c);
	words_release(&w);
}
