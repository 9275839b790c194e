/* mc-models: lists the models that a provider offers, or the providers. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/url.h"
#include "client/models.h"
#include "client/provider-choice.h"
#include "tool.h"
#include "tty/columns.h"
#include "tty/neutral.h"
#include "tty/term.h"

enum { O_JSON = OPT_LONG, O_REFRESH, O_CACHED, O_PROVIDERS };

static const struct opt opts[] = {
	{ 'p', "provider", "NAME", ARG_PROVIDER, "the provider (default: as mc-chat would choose)" },
	{ 'q', "quiet", NULL, ARG_NONE, "print the names only" },
	{ O_JSON, "json", NULL, ARG_NONE, "print one JSON object a line" },
	{ O_REFRESH, "refresh", NULL, ARG_NONE, "ask the server, even if its list is not a day old" },
	{ O_CACHED, "cached", NULL, ARG_NONE, "print what is known without a network" },
	{ O_PROVIDERS, "providers", NULL, ARG_NONE, "list the providers, and where their keys are" },
	{ 0 },
};

/* What is listed: an alias, or a model. */
struct line {
	const char *id;
	const char *name;     /* of a model, or NULL */
	const char *alias_of; /* or NULL */
	const char *provider;
	int64_t window;
};

struct request {
	const char *provider, *pattern; /* NULL: not given */
	bool quiet, json, refresh, cached, providers;

	struct config config;
	struct endpoint endpoint;
	struct model_list list;
	struct line *lines; /* what is to be printed; they own nothing */
	size_t n;
};

static int read_options(const struct cli *c, struct request *rq, struct err *e)
{
	for (size_t i = 0; i < c->nopts; i++) {
		switch (c->opts[i].id) {
		case 'p': rq->provider = c->opts[i].val; break;
		case 'q': rq->quiet = true; break;
		case O_JSON: rq->json = true; break;
		case O_REFRESH: rq->refresh = true; break;
		case O_CACHED: rq->cached = true; break;
		case O_PROVIDERS: rq->providers = true; break;
		}
	}
	if (c->noperands > 1)
		return err_set(e, ERR_USAGE, "unexpected operand '%s'", c->operands[1]);
	rq->pattern = c->noperands ? c->operands[0] : NULL;
	if (rq->quiet && rq->json)
		return err_set(e, ERR_USAGE, "--quiet and --json exclude each other");
	if (rq->refresh && rq->cached)
		return err_set(e, ERR_USAGE, "--refresh and --cached exclude each other");
	if (rq->providers && (rq->provider || rq->refresh))
		return err_set(e, ERR_USAGE, "--providers and --%s exclude each other",
		               rq->provider ? "provider" : "refresh");
	return 0;
}

/* ---- the list ---- */

/* A server that leaves is an error with words; a reader of the output that does is none. */
static int ask(struct request *rq, struct err *e)
{
	const struct config *c = &rq->config;
	const struct http_options o = { c->proxy, c->no_proxy, (long)c->connect_timeout };
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	struct http *h = http_open(&o, e);
	int r = h ? endpoint_open(&rq->endpoint, h, -1, e) : -1;

	if (r == 0)
		r = models_ask(&rq->list, &rq->endpoint, h, -1, e);
	http_close(h);
	signal(SIGPIPE, before);
	return r;
}

/* An old list is better than none. */
static int use_old(const struct request *rq, struct err *e)
{
	char when[CLOCK_TEXT];
	struct buf b = BUF_INIT;

	if (e->kind != ERR_NETWORK || rq->refresh || !rq->list.n)
		return -1;
	clock_local(when, rq->list.asked_at);
	buf_addf(&b, "%s; this is the list of %s", e->msg, when);
	say(b.p);
	buf_release(&b);
	err_clear(e);
	return 0;
}

static int get_list(struct request *rq, struct err *e)
{
	bool known = models_cached(&rq->list, &rq->endpoint);

	if (rq->cached || rq->endpoint.provider->local)
		return 0;
	if (known && !rq->refresh && models_are_fresh(&rq->list, &rq->endpoint))
		return 0;
	return ask(rq, e) == 0 ? 0 : use_old(rq, e);
}

/* ---- what of it is printed ---- */

static bool matches(const struct request *rq, const struct line *l)
{
	return !rq->pattern || strcasestr(l->id, rq->pattern) || (l->name && strcasestr(l->name, rq->pattern)) ||
	       (l->alias_of && strcasestr(l->alias_of, rq->pattern));
}

static void put(struct request *rq, struct line l)
{
	if (matches(rq, &l))
		rq->lines[rq->n++] = l;
}

/* As mc-chat takes it: an alias brings its provider along, and goes with no other. */
static void put_alias(struct request *rq, const struct config_alias *a)
{
	const char *provider = a->provider ? a->provider : rq->provider;
	bool here;

	if (a->provider && rq->provider && strcmp(a->provider, rq->provider) != 0)
		return;
	provider = provider ? provider : provider_choose(&rq->config, a->model);
	here = strcmp(provider, rq->endpoint.name) == 0;
	put(rq, (struct line){ .id = a->name, .alias_of = a->model, .provider = provider,
	                       .window = here ? models_window_in(&rq->list, &rq->endpoint, a->model) : 0 });
}

static int choose_lines(struct request *rq, struct err *e)
{
	const struct config *c = &rq->config;

	rq->lines = calloc(c->naliases + rq->list.n + 1, sizeof(*rq->lines));
	if (!rq->lines)
		return err_oom(e);
	for (size_t i = 0; i < c->naliases; i++)
		put_alias(rq, &c->aliases[i]);
	for (size_t i = 0; i < rq->list.n; i++) {
		const struct listed_model *m = &rq->list.v[i];

		if (!config_alias(c, m->id))
			put(rq, (struct line){ .id = m->id, .name = m->name, .provider = rq->endpoint.name,
			                       .window = models_window_in(&rq->list, &rq->endpoint, m->id) });
	}
	return 0;
}

/* ---- the output ---- */

static void add_column(struct buf *b, const char *text)
{
	if (at_terminal())
		neutral_add_line(b, span_str(text));
	else
		neutral_add_column(b, span_str(text));
}

static void print_quiet(const struct line *l)
{
	struct buf b = BUF_INIT;

	add_column(&b, l->id);
	buf_addc(&b, '\n');
	print_buf(stdout, &b);
}

static void add_member(struct buf *b, const char *key, const char *value)
{
	if (value)
		json_put_word(b, key, value);
}

static void print_object(const struct line *l)
{
	struct buf b = BUF_INIT;

	json_open(&b, '{');
	add_member(&b, "id", l->id);
	add_member(&b, "name", l->name);
	add_member(&b, "aliasOf", l->alias_of);
	if (l->window)
		json_put_int(&b, "contextWindow", l->window);
	add_member(&b, "provider", l->provider);
	json_close(&b, '}');
	buf_addc(&b, '\n');
	print_record(&b);
}

/* A cell of a table, as columns_add_table() takes it. */
static void add_cell(struct buf *cells, const char *text)
{
	buf_add(cells, text, strlen(text) + 1);
}

static void print_table(struct columns *t, struct buf *cells)
{
	struct buf b = BUF_INIT;

	columns_add_table(t, &b, buf_span(cells), at_terminal() ? term_columns(STDOUT_FILENO) : 0);
	b.oom |= cells->oom;
	buf_release(cells);
	print_buf(stdout, &b);
}

/* What -m takes is what a person came for: it has all the room that it needs, as long as the
 * headings fit. */
static void print_models(const struct request *rq)
{
	size_t window = term_columns(STDOUT_FILENO), others = strlen("     WINDOW  NAME");
	struct column columns[] = {
		{ .name = "MODEL", .most = window > others + 20 ? window - others : 20 },
		{ .name = "WINDOW", .width = 9, .right = true },
		{ .name = "NAME", .least = strlen("NAME") },
	};
	struct buf cells = BUF_INIT;

	for (size_t i = 0; i < rq->n; i++) {
		const struct line *l = &rq->lines[i];

		add_cell(&cells, l->id);
		if (l->window)
			buf_addf(&cells, "%" PRId64, l->window);
		add_cell(&cells, "");
		if (l->alias_of)
			buf_adds(&cells, "alias of ");
		add_cell(&cells, l->alias_of ? l->alias_of : l->name ? l->name : "");
	}
	print_table(&(struct columns){ .v = columns, .n = 3 }, &cells);
}

static void print_lines(const struct request *rq)
{
	if (!rq->quiet && !rq->json)
		print_models(rq);
	for (size_t i = 0; i < rq->n && (rq->quiet || rq->json); i++)
		if (rq->json)
			print_object(&rq->lines[i]);
		else
			print_quiet(&rq->lines[i]);
}

static int list(struct request *rq, struct err *e)
{
	struct config *c = &rq->config;

	if (config_load(c, e) < 0 ||
	    endpoint_find(&rq->endpoint, c, rq->provider ? rq->provider : provider_choose(c, NULL), e) < 0 ||
	    get_list(rq, e) < 0 || choose_lines(rq, e) < 0)
		return -1;
	print_lines(rq);
	return 0;
}

/* ---- the providers ---- */

/* Not their values, which may be secrets. */
static void add_header_names(struct buf *b, const struct config_provider *section)
{
	if (!section || !section->nheaders)
		return;
	json_put_open(b, "headers", '[');
	for (size_t i = 0; i < section->nheaders; i++)
		json_item_str(b, span_str(section->headers[i].name));
	json_close(b, ']');
}

static void add_provider_object(struct buf *b, const struct request *rq, const struct endpoint *ep)
{
	struct buf url = BUF_INIT;

	json_open(b, '{');
	add_member(b, "provider", ep->name);
	add_member(b, "protocol", ep->provider->name);
	add_member(b, "keySource", key_place(ep->provider, ep->section));
	url_add_shown(&url, ep->base_url ? ep->base_url : "");
	add_member(b, "baseUrl", url.n ? url.p : NULL);
	add_header_names(b, ep->section);
	add_member(b, "model", endpoint_model(ep));
	if (strcmp(ep->name, provider_choose(&rq->config, NULL)) == 0)
		json_put_bool(b, "default", true);
	json_close(b, '}');
	buf_addc(b, '\n');
	b->oom |= url.oom;
	buf_release(&url);
}

/* The cells of its row, or its line. */
static void add_provider(struct buf *b, const struct request *rq, const struct endpoint *ep)
{
	const char *key = key_place(ep->provider, ep->section);

	if (rq->json) {
		add_provider_object(b, rq, ep);
	} else if (rq->quiet) {
		add_column(b, ep->name);
		buf_addc(b, '\n');
	} else {
		add_cell(b, ep->name);
		add_cell(b, ep->provider->name);
		add_cell(b, key ? key : "-");
		url_add_shown(b, ep->base_url ? ep->base_url : "-");
		add_cell(b, "");
	}
}

static void print_providers(const struct request *rq, struct buf *b)
{
	struct column columns[] = {
		{ .name = "PROVIDER", .least = 1 },
		{ .name = "PROTOCOL", .least = 1 },
		{ .name = "KEY", .least = 1 },
		{ .name = "BASE URL" },
	};

	if (rq->json)
		print_record(b);
	else if (rq->quiet)
		print_buf(stdout, b);
	else
		print_table(&(struct columns){ .v = columns, .n = 4 }, b);
}

/* One that is faulty is no reason to keep silent about the others. */
static int list_providers(struct request *rq, struct err *e)
{
	struct buf b = BUF_INIT;
	int status = EXIT_DONE;
	const char *name;

	if (config_load(&rq->config, e) < 0)
		return fail(e);
	for (size_t i = 0; (name = endpoint_name(&rq->config, i)); i++) {
		struct err why = ERR_INIT;

		if (rq->pattern && !strcasestr(name, rq->pattern))
			continue;
		if (endpoint_find(&rq->endpoint, &rq->config, name, &why) < 0)
			status = fail(&why);
		else
			add_provider(&b, rq, &rq->endpoint);
	}
	print_providers(rq, &b);
	return status;
}

static int run(const struct cli *c)
{
	struct request rq = { .config = CONFIG_INIT, .endpoint = ENDPOINT_INIT, .list = MODEL_LIST_INIT };
	struct err e = ERR_INIT;
	int status = read_options(c, &rq, &e) < 0 ? fail(&e)
	             : rq.providers               ? list_providers(&rq, &e)
	             : list(&rq, &e) < 0          ? fail(&e)
	                                          : EXIT_DONE;

	free(rq.lines);
	models_release(&rq.list);
	endpoint_release(&rq.endpoint);
	config_release(&rq.config);
	return status;
}

const struct applet applet_models = {
	.name = "mc-models",
	.summary = "list the models that a provider offers",
	.operands = "[PATTERN]",
	.operand = ARG_TEXT,
	.opts = opts,
	.run = run,
};
