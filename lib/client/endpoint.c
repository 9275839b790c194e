#include "client/endpoint.h"

#include <json-c/linkhash.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/url.h"
#include "base/utf8.h"
#include "client/provider-choice.h"

#define GET_MAX (16u << 20)
#define MESSAGE_MAX 200       /* characters of a server's error message */
#define GET_TIMEOUT_S 30L  /* without a byte */
#define GET_TOTAL_S 60L    /* in total: some servers send a byte now and then */
#define LOOK_TIMEOUT_S 3L /* for a server on this machine */

/* Ollama, and llama.cpp's server. */
static const char *const local_urls[] = { "http://127.0.0.1:11434/v1", "http://127.0.0.1:8080/v1", NULL };

/* ---- which one ---- */

const char *endpoint_name(const struct config *c, size_t i)
{
	for (const struct provider *const *p = providers; *p; p++)
		if (i-- == 0)
			return (*p)->name;
	for (size_t k = 0; k < c->nproviders; k++)
		if (!provider_find(c->providers[k].name) && i-- == 0)
			return c->providers[k].name;
	return NULL;
}

#define MAX_NAMES 64

static int unknown(const struct config *c, const char *name, struct err *e)
{
	const char *names[MAX_NAMES + 1] = { NULL }, *suggestion;
	struct buf list = BUF_INIT;
	size_t n = 0;

	for (; n < MAX_NAMES && (names[n] = endpoint_name(c, n)); n++)
		buf_addf(&list, "%s%s", n ? ", " : "", names[n]);
	suggestion = suggest_name(name, names);
	if (suggestion)
		err_set(e, ERR_USAGE, "unknown provider '%s'; did you mean '%s'?", name, suggestion);
	else
		err_set(e, ERR_USAGE, "unknown provider '%s'; there are: %s", name, list.p);
	buf_release(&list);
	if (c->provider_of_file && strcmp(c->provider, name) == 0)
		err_prefix(e, "config '%s'", c->file);
	return -1;
}

static int section_fault(const struct config *c, const char *name, const char *fault, struct err *e)
{
	return err_set(e, ERR_FAILED, "config '%s': 'providers': '%s': %s", c->file, name, fault);
}

/* An endpoint of the user's own uses Chat Completions unless its `type` says otherwise. */
static int find_adapter(struct endpoint *ep, const char *name, struct err *e)
{
	const struct config_provider *s = ep->section;
	const struct provider *own = provider_find(name);

	if (own && s && s->type && strcmp(s->type, name) != 0)
		return section_fault(ep->config, name, "'type' cannot differ from the provider's own name", e);
	ep->provider = own ? own : !s ? NULL : provider_find(s->type ? s->type : PROVIDER_DEFAULT);
	if (!own && !s)
		return unknown(ep->config, name, e);
	if (!ep->provider)
		return section_fault(ep->config, name, "'type' must be anthropic, openai, google, "
		                     "openai-compatible or echo", e);
	if (!own && !s->base_url && strcmp(ep->provider->name, PROVIDER_DEFAULT) == 0)
		return section_fault(ep->config, name, "'baseUrl' is missing", e);
	return 0;
}

static int env_url(struct endpoint *ep, struct err *e)
{
	const char *name = ep->provider->url_env, *url = name ? env(name) : NULL;

	if (!url)
		return 0;
	ep->base_url = url;
	return url_check(url, e) == 0 ? 0 : err_prefix(e, "%s", name);
}

/* The environment and the top level of the settings are about the provider itself, not about other
 * servers with its protocol. */
static int find_url(struct endpoint *ep, struct err *e)
{
	const struct provider *p = ep->provider;
	bool own = strcmp(ep->name, p->name) == 0;

	if (own && strcmp(p->name, PROVIDER_DEFAULT) == 0)
		ep->base_url = ep->config->base_url;
	else if (own && env_url(ep, e) < 0)
		return -1;
	if (!ep->base_url && ep->section)
		ep->base_url = ep->section->base_url;
	if (!ep->base_url && strcmp(ep->name, PROVIDER_DEFAULT) != 0)
		ep->base_url = p->base_url;
	return 0;
}

const char *endpoint_other_vendor(const struct endpoint *ep, const char *model)
{
	const char *vendor = ep->provider->families ? provider_of_model(model) : NULL;

	if (!vendor || strcmp(ep->name, ep->provider->name) != 0 || strcmp(vendor, ep->name) == 0)
		return NULL;
	return vendor;
}

int endpoint_find(struct endpoint *ep, const struct config *c, const char *name, struct err *e)
{
	*ep = (struct endpoint)ENDPOINT_INIT;
	ep->config = c;
	ep->section = config_provider(c, name);
	if (find_adapter(ep, name, e) < 0)
		return -1;
	snprintf(ep->name, sizeof(ep->name), "%s", name);
	ep->plain = c->allow_http || (ep->section && ep->section->allow_http);
	ep->context = ep->section && ep->section->context ? ep->section->context : c->context;
	return find_url(ep, e);
}

void endpoint_release(struct endpoint *ep)
{
	key_release(&ep->key);
}

/* ---- model and parameters ---- */

/* A vendor does not have another vendor's models. Gateways may have all of them. */
static bool is_other_vendors(const struct endpoint *ep, const char *model)
{
	const char *vendor = ep->provider->families ? provider_of_model(model) : NULL;

	return vendor && strcmp(vendor, ep->provider->name) != 0;
}

/* The config file's model is for the file's provider, and an alias for its own. */
static bool model_is_for(const struct endpoint *ep)
{
	const struct config *c = ep->config;

	if (!c->model || (c->model_provider && strcmp(c->model_provider, ep->name) != 0) ||
	    is_other_vendors(ep, c->model))
		return false;
	return !c->model_of_file || strcmp(c->provider_of_file ? c->provider : PROVIDER_DEFAULT, ep->name) == 0;
}

const char *endpoint_model(const struct endpoint *ep)
{
	const struct config *c = ep->config;
	bool meant = model_is_for(ep);

	if (meant && !c->model_of_file)
		return c->model;
	if (ep->section && ep->section->model)
		return ep->section->model;
	if (meant)
		return c->model;
	return strcmp(ep->name, ep->provider->name) == 0 ? ep->provider->model : NULL;
}

static int add_options(struct json_object *o, struct params *p, struct err *e)
{
	if (!o)
		return 0;
	json_object_object_foreach(o, key, value) {
		struct buf json = BUF_INIT;
		int r;

		json_add_value(&json, value);
		r = buf_check(&json, e) < 0 ? -1 : params_set(p, span_str(key), buf_span(&json), e);
		buf_release(&json);
		if (r < 0)
			return -1;
	}
	return 0;
}

int endpoint_params(const struct endpoint *ep, struct params *p, struct err *e)
{
	if (add_options(ep->config->options, p, e) == 0 &&
	    (!ep->section || add_options(ep->section->options, p, e) == 0))
		return 0;
	return err_prefix(e, "config '%s': 'options'", ep->config->file);
}

/* ---- requests ---- */

/* The settings' headers, like the key, are only for a server that the user names. */
struct http_request endpoint_request(const struct endpoint *ep, const char *url, const char *shown,
                                     int stop_fd)
{
	bool has_key = ep->key.value.n > 0, named = ep->base_url && !ep->found && ep->section;

	return (struct http_request){
		.url = url,
		.shown_url = shown,
		.more = named ? ep->section->headers : NULL,
		.nmore = named ? ep->section->nheaders : 0,
		.headers = ep->provider->headers,
		.secret_header = has_key ? ep->provider->key_header : NULL,
		.secret = has_key ? ep->key.value.p : NULL,
		.plain = ep->plain,
		.idle_timeout = (long)ep->config->timeout,
		.stop_fd = stop_fd,
	};
}

struct answer {
	struct buf *body;
	int64_t deadline; /* steady clock, ms */
};

static int add_body_piece(void *ctx, struct span piece, struct err *e)
{
	struct answer *a = ctx;

	buf_add(a->body, piece.p, piece.n);
	if (a->body->n > GET_MAX)
		return err_set(e, ERR_NETWORK, "the server's answer is larger than %u MB", GET_MAX >> 20);
	return buf_check(a->body, e);
}

static int tell_status(const struct endpoint *ep, const char *url, const struct http_response *rs,
                       struct err *e)
{
	struct problem p = PROBLEM_INIT;
	struct buf advice = BUF_INIT;
	struct span text;
	bool cut;

	ep->provider->problem(buf_span(&rs->body), &p);
	key_redact(&ep->key, p.message.p, p.message.n);
	if (rs->status == 401 || rs->status == 403 || p.status == 401)
		key_advise(&ep->key, &advice);
	else if (rs->status >= 300 && rs->status < 400)
		buf_adds(&advice, "; redirects are not followed: is the base URL right?");
	text = problem_text(&p, MESSAGE_MAX, advice.n > 0, &cut);
	err_set(e, ERR_NETWORK, "'%s' answered %ld%s%.*s%s%s", url, rs->status, text.n ? ": " : "",
	        (int)text.n, text.p, cut ? "…" : "", advice.p);
	buf_release(&p.message);
	buf_release(&advice);
	return -1;
}

/* A GET request; ERR_NETWORK also if the status, which goes to *status, is not 2xx. */
static int get_until(const struct endpoint *ep, struct http *h, const char *url, int stop_fd,
                     struct answer *a, long *status, struct err *e)
{
	struct buf shown = BUF_INIT;
	struct http_request rq;
	int64_t left = a->deadline - clock_steady_ms();
	long most = ep->base_url ? GET_TIMEOUT_S : LOOK_TIMEOUT_S;
	struct http_response rs;
	int r;

	*status = 0;
	if (left <= 0)
		return err_set(e, ERR_NETWORK, "the server takes too long to answer");
	url_add_shown(&shown, url);
	rq = endpoint_request(ep, url, shown.p, stop_fd);
	if (most > left / 1000)
		most = (long)(left / 1000) + 1;
	if (rq.idle_timeout > most)
		rq.idle_timeout = most;
	rq.deadline = a->deadline;
	rq.piece = add_body_piece;
	rq.ctx = a;
	if (buf_check(&shown, e) < 0)
		return -1;
	r = http_send(h, &rq, &rs, e);
	*status = rs.status;
	if (r == 0 && (rs.status < 200 || rs.status > 299))
		r = tell_status(ep, shown.p, &rs, e);
	http_response_release(&rs);
	buf_release(&shown);
	return r;
}

#define MAX_PAGES 100

int endpoint_models(const struct endpoint *ep, struct http *h, int stop_fd,
                    int (*take)(void *ctx, const struct model *m, struct err *e), void *ctx,
                    struct err *e)
{
	struct buf url = BUF_INIT, body = BUF_INIT, next = BUF_INIT, page = BUF_INIT;
	struct answer a = { &body, clock_steady_ms() + (ep->patience ? ep->patience : GET_TOTAL_S) * 1000 };
	long status;
	int r = 0;

	for (int i = 0; r == 0 && (i == 0 || next.n) && i < MAX_PAGES; i++) {
		buf_clear(&url);
		buf_clear(&body);
		buf_clear(&page);
		buf_add(&page, next.p, next.n);
		buf_clear(&next);
		r = ep->provider->models_url(ep->base_url, buf_span(&page), &url, e);
		if (r == 0)
			r = get_until(ep, h, url.p, stop_fd, &a, &status, e);
		if (r == 0)
			r = ep->provider->models(utf8_unmarked(buf_span(&body)), take, ctx, &next, e);
	}
	if (r < 0)
		key_redact(&ep->key, e->msg, strlen(e->msg)); /* the server may repeat it anywhere */
	buf_release(&url);
	buf_release(&body);
	buf_release(&page);
	buf_release(&next);
	return r;
}

/* ---- a server on this machine ---- */

/* 1: a server is there, whatever it answers. */
static int probe_server(struct endpoint *ep, struct http *h, const char *base_url, int stop_fd,
                        struct err *e)
{
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct answer a = { &body, clock_steady_ms() + GET_TOTAL_S * 1000 };
	struct err why = ERR_INIT;
	long status = 0;
	int r = ep->provider->models_url(base_url, (struct span){ "", 0 }, &url, &why);

	if (r == 0)
		r = get_until(ep, h, url.p, stop_fd, &a, &status, &why);
	if (r < 0 && why.kind != ERR_NETWORK)
		*e = why;
	buf_release(&url);
	buf_release(&body);
	return e->kind != ERR_NONE ? -1 : status > 0;
}

/* A user with a vendor's key named a model that no vendor is known for, or the session or -p named this
 * provider: advising another key would not help. */
static int no_local_server(const struct endpoint *ep, struct err *e)
{
	const char *vendor = provider_with_key(ep->config);

	if (vendor)
		return err_set(e, ERR_NETWORK,
		               "no server answers on this machine (Ollama on port 11434, llama.cpp on 8080): start "
		               "one, or name one in MC_BASE_URL or the config file (mcbox-config(5)); for a "
		               "vendor's model, name the vendor as well, as in '-p %s'", vendor);
	return err_set(e, ERR_NETWORK,
	               "no model to talk to: set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY; or "
	               "start a local server (Ollama on port 11434, llama.cpp on 8080); or name a server in "
	               "MC_BASE_URL or the config file (mcbox-config(5)). '-p echo' needs none of them");
}

static int find_local_server(struct endpoint *ep, struct http *h, int stop_fd, struct err *e)
{
	for (const char *const *url = local_urls; *url; url++) {
		int r = probe_server(ep, h, *url, stop_fd, e);

		if (r > 0) {
			ep->base_url = *url;
			ep->found = true;
		}
		if (r != 0)
			return r < 0 ? -1 : 0;
	}
	return no_local_server(ep, e);
}

/* Without a key a vendor refuses, but would have got the prompt. A header of the user's own may hold the
 * key instead. */
static bool needs_key(const struct endpoint *ep)
{
	struct http_request rq = endpoint_request(ep, NULL, NULL, -1);
	struct span own;

	if (!ep->base_url || strcmp(ep->provider->name, PROVIDER_DEFAULT) == 0 ||
	    http_is_replaced(&rq, ep->provider->key_header))
		return false;
	own = url_host(ep->provider->base_url);
	return span_same(url_host(ep->base_url), own) && !strchr(ep->base_url, '?');
}

int endpoint_open(struct endpoint *ep, struct http *h, int stop_fd, struct err *e)
{
	if (ep->open || ep->provider->local)
		return 0;
	if (ep->base_url && url_check_way(ep->base_url, ep->plain, e) < 0)
		return -1;
	/* The key is only for a server that the user names, not for one that is found on a port. */
	if (ep->base_url && key_load(&ep->key, ep->provider, ep->config, ep->section, stop_fd, e) < 0)
		return -1;
	ep->key.section = ep->section;
	ep->key.base_url = ep->base_url;
	if (needs_key(ep) && !ep->key.value.n)
		return err_set(e, ERR_USAGE, "no API key for %s: put one into %s, or see \"API keys\" in "
		               "mcbox-config(5)", ep->name, ep->key.source);
	if (!ep->base_url && find_local_server(ep, h, stop_fd, e) < 0)
		return -1;
	ep->open = true;
	return 0;
}
