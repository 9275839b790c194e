#include "client/refusal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/url.h"
#include "base/utf8.h"
#include "client/models.h"
#include "client/retry.h"

#define MESSAGE_MAX 300      /* characters of a server's own words */
#define SUGGESTIONS_MAX 5        /* names of models */
#define SUGGESTIONS_PATIENCE_S 5 /* for a list that only improves a message */

/* ---- the server's words ---- */

/* The text between a page's title tags. */
static struct span page_title(struct span page)
{
	static const char tag[] = "<title>";
	const char *start = strcasestr(page.p, tag), *end;

	start = start ? start + strlen(tag) : NULL;
	end = start ? strchr(start, '<') : NULL;
	return end ? (struct span){ start, (size_t)(end - start) } : (struct span){ "", 0 };
}

/* A body that is not JSON: the title of a proxy's page, or plain text. */
static void add_plain_body(struct buf *message, struct span body)
{
	struct span text = span_trim_start(body, SPAN_WHITE);

	if (text.n && text.p[0] == '<')
		text = page_title(text);
	else if (text.n && (text.p[0] == '{' || text.p[0] == '[' || json_is_whole(text)))
		text.n = 0; /* the adapter found no message in the JSON */
	utf8_add_clean(message, span_trim_end(text, SPAN_WHITE));
}

/* ---- what it is about ---- */

bool refusal_has_any(const char *text, const char *const *words)
{
	while (*words && !strcasestr(text, *words))
		words++;
	return *words != NULL;
}

/* llama.cpp ("image input is not supported", a 500), Ollama ("this model is missing data required
 * for image input", "does not support images"), OpenRouter ("No endpoints found that support image
 * input", a 404), vLLM ("is not a multimodal model"). */
static bool is_about_input(const char *message)
{
	static const char *const kinds[] = { "image", "vision", "audio", "video", "pdf", "document", "file",
		"multimodal", "modalit", NULL };
	static const char *const refused[] = { "not supported", "unsupported", "not support", "support image",
		"support audio", "support file", "is not a multimodal", "missing data required", "cannot process",
		"no vision", "mmproj", NULL };

	return refusal_has_any(message, kinds) && refusal_has_any(message, refused);
}

static bool has_files(const struct chat_request *rq)
{
	for (size_t i = 0; i < rq->nmessages; i++)
		for (size_t k = 0; k < rq->messages[i].n; k++) {
			const struct message_part *p = &rq->messages[i].parts[k];

			if (p->kind == MESSAGE_FILE || (p->kind == MESSAGE_RESULT && p->result.nfiles))
				return true;
		}
	return false;
}

/* The name of a model may contain one of these words. */
static void judge_input(struct problem *p, const struct request *rq)
{
	const char *message = p->message.p;

	if (p->kind == PROBLEM_OTHER && is_about_input(message) &&
	    (has_files(rq->content) || strcasestr(message, "input")))
		p->kind = PROBLEM_INPUT;
}

/* ---- what to do ---- */

static void advise_context(const struct problem *p, struct buf *b)
{
	if (p->tokens > p->window && p->window > 0)
		buf_addf(b, "; it has %lld tokens, which is %lld more than the model's window of %lld",
		         (long long)p->tokens, (long long)(p->tokens - p->window), (long long)p->window);
	if (p->window > 0)
		buf_addf(b, "; --context %lld keeps a conversation within it", (long long)p->window);
	else
		buf_adds(b, "; --context TOKENS keeps a conversation within a window");
	buf_adds(b, ", and mc-session-compact summarizes older exchanges");
}

static void advise_wait(int64_t retry_after, bool last, struct buf *b)
{
	if (retry_after > 2 * RETRY_AFTER_MAX_MS)
		buf_addf(b, "; it asks to wait for %lld minutes", (long long)(retry_after + 59999) / 60000);
	else if (retry_after > RETRY_AFTER_MAX_MS)
		buf_addf(b, "; it asks to wait for %lld seconds", (long long)(retry_after + 999) / 1000);
	else if (last)
		buf_adds(b, "; try again later");
}

/* Uses the cached list unless it is old, or has the model that the server does not have. */
static void get_models(struct client *client, const char *model, struct model_list *list)
{
	struct endpoint *ep = &client->endpoint;
	struct err ignored = ERR_INIT;

	models_cached(list, ep);
	if (models_are_fresh(list, ep) && !models_find(list, model))
		return;
	ep->patience = SUGGESTIONS_PATIENCE_S;
	models_ask(list, ep, client->http, client->stop_fd, &ignored);
	ep->patience = 0;
}

static void add_suggestions(const struct model_list *list, const char *model, const char *endpoint,
                            struct buf *b)
{
	const char *names[SUGGESTIONS_MAX];
	size_t n = models_suggest(list, model, names, SUGGESTIONS_MAX);

	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s%s", i ? ", " : "; similar: ", names[i]);
	if (!n)
		buf_addf(b, "; mc-models -p %s lists the models", endpoint);
}

/* The server says that there is no such model, or just 404, which may be a wrong base URL. */
static bool is_about_model(const struct problem *p, long status)
{
	return p->kind == PROBLEM_MODEL || (status == 404 && p->kind == PROBLEM_OTHER);
}

static void advise_model(struct client *client, const struct request *rq, const struct problem *p,
                         struct buf *b)
{
	struct model_list list = MODEL_LIST_INIT;
	const char *model = rq->content->model, *endpoint = client->endpoint.name;

	get_models(client, model, &list);
	client->no_model = p->kind == PROBLEM_MODEL || (list.n && !models_find(&list, model));
	if (list.n && !models_find(&list, model)) {
		if (p->kind != PROBLEM_MODEL)
			buf_addf(b, "; the server lists no model '%.100s'", model);
		else if (!strstr(p->message.p, model))
			buf_addf(b, "; the model '%.100s' does not exist", model);
		add_suggestions(&list, model, endpoint, b);
	} else if (p->kind == PROBLEM_MODEL) {
		buf_addf(b, "; is the model's name right? mc-models -p %s lists them", endpoint);
	} else {
		buf_adds(b, "; are the base URL and the model's name right?");
	}
	models_release(&list);
}

/* A server of somebody else does not know the path of the vendor's protocol and answers 404. LM Studio
 * answers 200 with an error message. */
static bool lacks_protocol(const struct client *client, const struct problem *p, long status)
{
	const struct endpoint *ep = &client->endpoint;

	return (status == 404 || status == 405 || status == 501 || strcasestr(p->message.p, "unexpected endpoint")) &&
	       p->kind != PROBLEM_INPUT && ep->base_url && ep->provider->url_env &&
	       ep->provider->base_url && strcmp(ep->provider->name, "openai-compatible") != 0 &&
	       !span_same(url_host(ep->base_url), url_host(ep->provider->base_url)) &&
	       (p->kind == PROBLEM_OTHER || !strcasestr(p->message.p, "model"));
}

static void advise_protocol(const struct client *client, const struct request *rq, struct buf *b)
{
	const struct endpoint *ep = &client->endpoint;
	bool own = strcmp(ep->name, ep->provider->name) == 0;
	const char *summary = ep->provider->summary;

	buf_addf(b, "; '%s' is a part of %.*s, which this server does not seem to support: if it supports Chat "
	         "Completions, ", rq->shown.p, (int)strcspn(summary, ":"), summary);
	if (own)
		buf_addf(b, "name it in MC_BASE_URL instead of %s, and its key in OPENAI_COMPATIBLE_API_KEY",
		         ep->provider->url_env);
	else
		buf_addf(b, "its 'type' in the config file is openai-compatible");
}

static void advise(struct client *client, const struct request *rq, const struct problem *p, long status,
                   int64_t retry_after, bool last, struct buf *b)
{
	if (p->kind == PROBLEM_CONTEXT)
		advise_context(p, b);
	else if (p->kind == PROBLEM_INPUT && has_files(rq->content))
		buf_adds(b, "; ask without that file, or ask a model that reads such files");
	else if (p->kind == PROBLEM_INPUT)
		return;
	else if (lacks_protocol(client, p, status))
		advise_protocol(client, rq, b);
	else if (is_about_model(p, status))
		advise_model(client, rq, p, b);
	else if (p->kind == PROBLEM_QUOTA)
		buf_adds(b, "; the account has no credit left");
	else if (status == 401 || status == 403)
		key_advise(&client->endpoint.key, b);
	else if (status == 407)
		buf_adds(b, "; the proxy wants a password");
	else if (status == 413)
		buf_adds(b, "; the request is too large for the server");
	else if (status == 429 || status == 503 || status == 529 ||
	         retry_after > RETRY_AFTER_MAX_MS)
		advise_wait(retry_after, last, b);
}

static bool is_redirect(const struct http_response *rs, struct span *to)
{
	const char *p = strcasestr(rs->headers.p, "\nlocation:");

	if (rs->status < 300 || rs->status > 399 || !p)
		return false;
	p += strlen("\nlocation:");
	p += strspn(p, " \t");
	*to = (struct span){ p, strcspn(p, "\r\n") };
	return true;
}

static int tell_redirect(const struct client *client, const struct request *rq,
                         const struct http_response *rs, struct span to, struct err *e)
{
	struct buf target = BUF_INIT, clean = BUF_INIT;
	bool cut;

	utf8_add_clean(&target, to);
	url_add_shown(&clean, target.p);
	key_redact(&client->endpoint.key, clean.p, clean.n); /* before it is cut */
	to = utf8_head(buf_span(&clean), MESSAGE_MAX, &cut);
	err_set(e, ERR_NETWORK,
	        "'%s' answered %ld and redirects to '%.*s'; mcbox does not follow it, because the "
	        "other server would get the key and the prompt: is the base URL right?", rq->shown.p, rs->status,
	        (int)to.n, to.p);
	buf_release(&target);
	buf_release(&clean);
	return -1;
}

int refusal_tell(struct client *client, const struct request *rq, const struct http_response *rs,
                 bool last, struct problem *p, struct err *e)
{
	struct buf advice = BUF_INIT;
	struct span text;
	bool cut;

	if (is_redirect(rs, &text))
		return tell_redirect(client, rq, rs, text, e);
	client->endpoint.provider->problem(utf8_unmarked(buf_span(&rs->body)), p);
	if (!p->message.n)
		add_plain_body(&p->message, buf_span(&rs->body));
	judge_input(p, rq);
	/* Before it is cut: a part of a key would not be recognized. */
	key_redact(&client->endpoint.key, p->message.p, p->message.n);
	advise(client, rq, p, p->status == 401 ? 401 : rs->status == 407 && !rs->proxied ? 0 : rs->status, rs->retry_after,
	       last, &advice);
	text = problem_text(p, MESSAGE_MAX, advice.n > 0, &cut);
	if (text.n)
		err_set(e, ERR_NETWORK, "the server answered %ld: %.*s%s%s", rs->status, (int)text.n, text.p,
		        cut ? "…" : "", advice.p);
	else
		err_set(e, ERR_NETWORK, "'%s' answered %ld%s", rq->shown.p, rs->status, advice.p);
	buf_release(&advice);
	return -1;
}

void refusal_advise(struct client *client, const struct request *rq, struct problem *p, bool last,
                    struct err *e)
{
	struct buf advice = BUF_INIT;
	size_t n;

	judge_input(p, rq);
	advise(client, rq, p, p->status, -1, last, &advice);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof(e->msg) - n, "%s", advice.p);
	buf_release(&advice);
}
