#include "client/client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/url.h"
#include "base/utf8.h"
#include "net/sse.h"
#include "provider/fit.h"
#include "client/refusal.h"
#include "client/reply-filter.h"

#define REPLY_MAX (128u << 20)            /* bytes of a reply, as a record holds it */
#define STREAM_MAX (INT64_C(4) << 30)     /* bytes of a whole answer, as it came */
#define BROKEN_OFF 502                    /* the status that a reply stands for whose finish reason is a failure */
#define SILENT_TIMEOUTS 6                 /* idle times in which nothing but keep-alives came */

/* One attempt. */
struct flow {
	struct client *client;
	const struct request *request; /* the caller's, or: */
	struct request amended;       /* as the server wants it */
	struct reply *reply;
	struct reply_filter filter;
	size_t passed_on, thought_on; /* bytes of reply->text and ->reasoning that were passed on */
	size_t text_weighed, thought_weighed, weight;
	enum { FORM_UNKNOWN, FORM_EVENTS, FORM_WHOLE } form;
	bool any_event;
	bool refused; /* by the adapter: not a fault of the connection */
	bool changed; /* the request was changed after a refusal */
	int64_t bytes, last_word; /* the latter on the steady clock */
	struct sse sse;
	struct buf whole;
};

void request_release(struct request *l)
{
	buf_release(&l->url);
	buf_release(&l->shown);
	buf_release(&l->body);
	buf_release(&l->notices);
}

int client_open(struct client *client, struct err *e)
{
	const struct config *c = client->endpoint.config;
	const struct http_options o = { c->proxy, c->no_proxy, (long)c->connect_timeout };

	if (client->endpoint.provider->local)
		return 0;
	if (!client->http && !(client->http = http_open(&o, e)))
		return -1;
	return endpoint_open(&client->endpoint, client->http, client->stop_fd, e);
}

void client_close(struct client *client)
{
	http_close(client->http);
	client->http = NULL;
	params_release(&client->params);
	endpoint_release(&client->endpoint);
}

/* The settings are the same for both; so what an endpoint's name stands for is, too. */
void client_inherit(struct client *to, struct client *from)
{
	if (!from->http || to->http || strcmp(to->endpoint.name, from->endpoint.name) != 0)
		return;
	to->endpoint = from->endpoint;
	to->http = from->http;
	from->endpoint.key = (struct key)KEY_INIT;
	from->endpoint.open = false;
	from->http = NULL;
}

/* A system prompt for a model that has no system instruction is the beginning of the first prompt. */
static int write_in_prompt(const struct client *client, struct chat_request *rq, struct request *l, struct err *e)
{
	const struct message *first = &rq->messages[0];
	struct message *messages = malloc(rq->nmessages * sizeof(*messages));
	struct message_part *parts = malloc(first->n * sizeof(*parts));
	struct buf text = BUF_INIT;
	int r = -1;

	if (!messages || !parts) {
		err_oom(e);
	} else {
		memcpy(messages, rq->messages, rq->nmessages * sizeof(*messages));
		memcpy(parts, first->parts, first->n * sizeof(*parts));
		buf_add(&text, rq->system.p, rq->system.n);
		buf_adds(&text, "\n\n");
		buf_add(&text, parts[first->n - 1].text.p, parts[first->n - 1].text.n);
		parts[first->n - 1].text = buf_span(&text);
		messages[0].parts = parts;
		rq->messages = messages;
		rq->system = (struct span){ NULL, 0 };
		r = buf_check(&text, e) < 0 ? -1 : client->endpoint.provider->request(rq, &l->url, &l->body, e);
	}
	buf_release(&text);
	free(messages);
	free(parts);
	return r;
}

/* Whose models they are: a vendor's own server may be asked with another protocol, too. */
static const char *vendor_of(const struct client *client)
{
	const char *base_url = client->endpoint.base_url;

	for (const struct provider *const *p = providers; base_url && *p; p++)
		if ((*p)->base_url && (*p)->families && span_same(url_host(base_url), url_host((*p)->base_url)))
			return (*p)->name;
	return client->endpoint.provider->name;
}

static int write_request(const struct client *client, const struct params *params, struct request *l, struct err *e)
{
	const struct provider *p = client->endpoint.provider;
	struct chat_request rq = *l->content;

	rq.params = params;
	rq.no_native = client->no_native;
	if (rq.system.n && (client->no_system || !fit_has_system(vendor_of(client), rq.model)))
		return write_in_prompt(client, &rq, l, e);
	return p->request(&rq, &l->url, &l->body, e);
}

int client_prepare(const struct client *client, const struct chat_request *rq, struct request *l,
                 struct err *e)
{
	struct params fitted = PARAMS_INIT;
	int r;

	l->content = rq;
	if (client->endpoint.provider->local)
		return 0;
	r = params_copy(&fitted, &client->params, e);
	if (r == 0)
		r = fit_params(&fitted, vendor_of(client), rq->model, rq->reasoning, &l->notices, e);
	if (r == 0)
		r = write_request(client, &fitted, l, e);
	if (r == 0)
		r = params_leave_out(&fitted, &l->body, &l->notices, e);
	params_release(&fitted);
	if (r < 0)
		return -1;
	url_add_shown(&l->shown, l->url.p);
	return buf_check(&l->shown, e);
}

/* ---- the reply, piece by piece ---- */

/* What was added since is one piece. */
static void pass_on_part(const struct flow *f, enum client_part part, const struct buf *all, size_t *passed, size_t n)
{
	const struct client_listener *to = &f->client->listener;

	if (n > *passed && to->piece)
		to->piece(to->ctx, part, (struct span){ all->p + *passed, n - *passed });
	*passed = n;
}

static void pass_on(struct flow *f)
{
	pass_on_part(f, CLIENT_REASONING, &f->reply->reasoning, &f->thought_on, f->filter.reasoning);
	pass_on_part(f, CLIENT_TEXT, &f->reply->text, &f->passed_on, f->filter.text);
}

static size_t words(const struct flow *f)
{
	return f->reply->text.n + f->reply->reasoning.n;
}

/* A key that came in pieces, or escaped, is in the trace's lines where nobody finds it. */
static void run_filter(struct flow *f, bool key_seen, bool last)
{
	bool open = f->filter.key_open;

	reply_filter_run(&f->filter, f->reply, last);
	if (f->filter.hidden && (open || !key_seen))
		trace_withhold(f->client->trace);
	else if (!f->filter.key_open)
		trace_release(f->client->trace);
}

static int on_event(void *ctx, struct span data, struct err *e)
{
	struct flow *f = ctx;
	size_t had = words(f);
	int r;

	f->any_event = true;
	trace_data(f->client->trace, data);
	r = f->client->endpoint.provider->event(f->reply, data, e);
	if (words(f) > had)
		f->last_word = clock_steady_ms();
	run_filter(f, f->client->trace && key_is_in(&f->client->endpoint.key, data), false);
	f->refused |= r < 0;
	return r;
}

/* A server that does not stream sends one JSON text, whatever it calls it: an object, or a list
 * of what it would stream. No line of an event stream begins with a brace or a bracket. White
 * space and a byte order mark before the text, which may arrive in pieces, are not kept. */
static void tell_form(struct flow *f, struct span *piece)
{
	struct span text = span_trim_start(*piece, SPAN_WHITE "\xef\xbb\xbf");

	if (!text.n)
		return;
	f->form = memchr("{[", text.p[0], 2) ? FORM_WHOLE : FORM_EVENTS;
	if (f->form == FORM_WHOLE)
		*piece = text;
}

static int take_whole(struct flow *f, struct span piece, struct err *e)
{
	buf_add(&f->whole, piece.p, piece.n);
	if (f->whole.n > SSE_EVENT_MAX)
		return err_set(e, ERR_NETWORK, "the server's answer is larger than %u MB", SSE_EVENT_MAX >> 20);
	return buf_check(&f->whole, e);
}

/* A byte may become three or six in the record, and what cannot be stored is not to be shown.
 * A character whose end is not there yet is weighed with it. */
static void weigh(struct flow *f, const struct buf *b, size_t n, size_t *weighed)
{
	while (*weighed < n) {
		struct span s = { b->p + *weighed, n - *weighed };
		size_t good = utf8_valid(s.p, s.n);
		uint32_t c;

		f->weight += json_escaped_length((struct span){ s.p, good });
		*weighed += good;
		if (good == s.n || utf8_decode(s.p + good, s.n - good, &c) == 0)
			return;
		f->weight += strlen(UTF8_REPLACEMENT);
		++*weighed;
	}
}

static size_t other_weight(const struct reply *r)
{
	size_t n = r->native.n;

	for (size_t i = 0; i < r->ncalls; i++)
		n += r->calls[i].id.n + r->calls[i].name.n + r->calls[i].arguments.n;
	return n;
}

/* A server may go on for ever, or say nothing for ever. */
static int check_limits(struct flow *f, struct err *e)
{
	int64_t now = clock_steady_ms(), silent = now - f->last_word;

	weigh(f, &f->reply->text, f->filter.text, &f->text_weighed);
	weigh(f, &f->reply->reasoning, f->filter.reasoning, &f->thought_weighed);
	if (f->weight + other_weight(f->reply) > REPLY_MAX)
		return err_set(e, ERR_NETWORK, "the reply is larger than %u MB; the rest of it is not read",
		               REPLY_MAX >> 20);
	if (f->bytes > STREAM_MAX)
		return err_set(e, ERR_NETWORK, "the answer is larger than %d GB; the rest of it is not read",
		               (int)(STREAM_MAX >> 30));
	if (silent > f->client->idle_timeout * 1000 * SILENT_TIMEOUTS)
		return err_set(e, ERR_NETWORK, "for %lld seconds the server sent nothing of a reply",
		               (long long)(silent / 1000));
	return 0;
}

static int on_piece(void *ctx, struct span piece, struct err *e)
{
	struct flow *f = ctx;
	int r;

	f->bytes += (int64_t)piece.n;
	if (f->form == FORM_UNKNOWN)
		tell_form(f, &piece);
	if (f->form == FORM_WHOLE)
		return take_whole(f, piece, e) < 0 ? -1 : check_limits(f, e);
	r = sse_feed(&f->sse, piece, e);
	pass_on(f);
	return r < 0 || check_limits(f, e) < 0 ? -1 : f->reply->done;
}

/* ---- its end ---- */

static int finish(struct flow *f, struct err *e)
{
	const struct provider *p = f->client->endpoint.provider;
	int r;

	if (f->form == FORM_WHOLE) {
		trace_data(f->client->trace, buf_span(&f->whole));
		r = p->whole(f->reply, buf_span(&f->whole), e);
		f->refused = r < 0;
	} else {
		r = sse_end(&f->sse, e);
	}
	if (r < 0)
		return -1;
	if (f->form != FORM_WHOLE && !f->any_event)
		return err_set(e, ERR_NETWORK, "the answer from '%s' is no reply of a model; is the base URL "
		               "right?", f->request->shown.p);
	r = p->end(f->reply, e);
	if (r < 0 && finish_kind(buf_span(&f->reply->finish_reason)) == FINISH_FAILURE) {
		f->refused = true;
		f->reply->problem.status = BROKEN_OFF;
	}
	return r;
}

/* A connection that breaks or falls silent when the reply has said that it is finished
 * takes nothing away from it. */
static bool was_over(struct flow *f, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (e->kind != ERR_NETWORK || f->refused || f->form != FORM_EVENTS ||
	    f->client->endpoint.provider->end(f->reply, &ignored) < 0)
		return false;
	err_clear(e);
	return true;
}

/* What OpenAI's newer models call max_tokens in Chat Completions. */
#define NEWER_LIMIT "max_completion_tokens"

static void rename_limit(struct params *p, struct err *e)
{
	if (params_set(p, span_str(NEWER_LIMIT), params_get(p, "max_tokens"), e) == 0)
		params_drop(p, "max_tokens");
}

/* Whether it was refused for a part of the request that can be left out or made smaller: then it is
 * so in the other attempts, and in the next requests. */
static bool amend(struct flow *f, const struct http_response *rs)
{
	struct client *client = f->client;
	struct span body = buf_span(&f->request->body);
	struct request l = REQUEST_INIT;
	struct err ignored = ERR_INIT;
	struct span max_tokens = params_get(&client->params, "max_tokens");
	int64_t limit = max_tokens.p ? 0 : refusal_limit(rs);
	char number[32];

	snprintf(number, sizeof(number), "%lld", (long long)limit);
	if (limit > 0)
		params_set(&client->params, span_str("max_tokens"), span_str(number), &ignored);
	else if (max_tokens.p && refusal_is_about(rs, NEWER_LIMIT) && !params_get(&client->params, NEWER_LIMIT).p)
		rename_limit(&client->params, &ignored);
	else if (f->request->content->system.n && !client->no_system && refusal_is_about_system(rs))
		client->no_system = true;
	else if (!client->no_native && chat_request_has_native(f->request->content) && refusal_is_about_native(rs))
		client->no_native = true;
	else if (refusal_is_about_include(rs) && memmem(body.p, body.n, "\"include\":", 10))
		params_set(&client->params, span_str("include"), span_str("null"), &ignored);
	else if (refusal_is_about(rs, "stream_options") && memmem(body.p, body.n, "\"stream_options\":", 17))
		params_set(&client->params, span_str("stream_options"), span_str("null"), &ignored);
	else
		return false;
	if (ignored.kind != ERR_NONE || client_prepare(client, f->request->content, &l, &ignored) < 0) {
		request_release(&l);
		return false;
	}
	request_release(&f->amended);
	f->amended = l;
	f->request = &f->amended;
	return true;
}

/* Sets *again to the ms to wait before another attempt, or -1. */
static int attempt(struct flow *f, int number, int64_t *again, struct err *e)
{
	struct client *client = f->client;
	struct http_request rq = endpoint_request(&client->endpoint, f->request->url.p,
	                                          f->request->shown.p, client->stop_fd);
	struct problem *p = &f->reply->problem;
	bool last = number >= client->endpoint.config->retries;
	struct http_response rs;
	int r;

	rq.body = buf_span(&f->request->body);
	rq.idle_timeout = client->idle_timeout;
	rq.piece = on_piece;
	rq.ctx = f;
	rq.idle = client->idle;
	f->last_word = clock_steady_ms();
	trace_request(client->trace, &rq, &client->endpoint.key, number);
	r = http_send(client->http, &rq, &rs, e);
	*again = -1;
	if (r < 0 && rs.failure == HTTP_LOST && f->bytes == 0)
		*again = refusal_delay(p, 0, -1, number);
	if (r == 0 && (rs.status < 200 || rs.status > 299)) {
		f->changed = amend(f, &rs);
		r = refusal_tell(client, f->request, &rs, last || f->changed, p, e);
		*again = f->changed ? 0 : refusal_delay(p, rs.status, rs.retry_after, number);
	} else if (r == 0) {
		r = finish(f, e);
	} else if (was_over(f, e)) {
		r = 0;
	}
	run_filter(f, f->form == FORM_WHOLE && key_is_in(&f->client->endpoint.key, buf_span(&f->whole)), true);
	pass_on(f);
	if (r < 0 && f->refused) {
		refusal_advise(client, f->request, p, last, e);
		*again = p->status ? refusal_delay(p, p->status, -1, number) : -1;
	}
	client->refused = r < 0 && (f->refused || rs.status > 299) && *again < 0;
	if (f->reply->text.n || f->reply->reasoning.n)
		*again = -1; /* it would be said twice */
	if (last && !f->changed)
		*again = -1;
	key_redact(&client->endpoint.key, e->msg, strlen(e->msg)); /* a server may say it back anywhere */
	trace_response(client->trace, &rs, r < 0 ? e->msg : NULL);
	http_response_release(&rs);
	return r;
}

/* ---- and again ---- */

static bool stopped(const struct client *client, int timeout)
{
	struct pollfd p = { .fd = client->stop_fd, .events = POLLIN };

	return idle_poll(client->idle, &p, client->stop_fd >= 0, timeout) > 0;
}

static void tell_wait(const struct client *client, struct client_wait *w, int64_t left)
{
	w->left = left;
	if (client->listener.wait)
		client->listener.wait(client->listener.ctx, w);
}

static int wait_for(const struct client *client, struct client_wait *w, int64_t ms, struct err *e)
{
	int64_t end = clock_steady_ms() + ms, left;

	while ((left = end - clock_steady_ms()) > 0) {
		tell_wait(client, w, left);
		if (stopped(client, (int)(left % 1000 ? left % 1000 : 1000))) {
			err_set(e, ERR_INTERRUPTED, "interrupted");
			break;
		}
	}
	tell_wait(client, w, 0);
	return e->kind == ERR_NONE ? 0 : -1;
}

static void flow_begin(struct flow *f)
{
	f->sse = (struct sse)SSE_INIT(on_event, f);
	f->whole = (struct buf)BUF_INIT;
	f->form = FORM_UNKNOWN;
	f->any_event = f->refused = f->changed = false;
	f->bytes = 0;
	f->filter = (struct reply_filter){ .key = &f->client->endpoint.key,
		                           .think_tags = f->client->endpoint.config->think_tags };
	f->passed_on = f->thought_on = 0;
}

static void flow_end(struct flow *f)
{
	sse_release(&f->sse);
	buf_release(&f->whole);
}

/* The error of the last attempt. A user who stops the attempts still wants to know why there were
 * several; `why` is what the one before failed with. */
static int give_up(const struct flow *f, int failed, const struct err *why, struct err *e)
{
	if (e->kind == ERR_NETWORK && failed)
		return err_prefix(e, "after %d attempts", failed + 1);
	if (e->kind == ERR_INTERRUPTED && failed && !f->reply->text.n && !f->reply->reasoning.n) {
		err_clear(e);
		err_set(e, ERR_INTERRUPTED, "interrupted after %d failed attempt%s: %s", failed,
		        failed == 1 ? "" : "s", why->msg);
	}
	return -1;
}

static int ask_server(struct flow *f, struct err *e)
{
	struct err why = ERR_INIT;
	int64_t again;

	for (int failed = 0;;) {
		struct client_wait w = { .attempt = failed + 2, .of = f->client->endpoint.config->retries + 1,
			               .why = why.msg };
		int r;

		flow_begin(f);
		r = attempt(f, failed, &again, e);
		flow_end(f);
		if (r == 0)
			return 0;
		if (again < 0)
			return give_up(f, failed, &why, e);
		if (f->changed) { /* not another attempt at the same */
			err_clear(e);
		} else {
			failed++;
			why = *e;
			err_clear(e);
			if (wait_for(f->client, &w, again, e) < 0)
				return give_up(f, failed, &why, e);
		}
		reply_release(f->reply);
		*f->reply = (struct reply)REPLY_INIT;
	}
}

static int ask_local(struct flow *f, struct err *e)
{
	int more;

	do {
		if (stopped(f->client, 0))
			return err_set(e, ERR_INTERRUPTED, "interrupted");
		more = f->client->endpoint.provider->local(f->request->content, f->reply, e);
		f->filter.text = f->reply->text.n; /* it is the prompt, to the letter */
		pass_on(f);
	} while (more > 0);
	return more;
}

int client_run(struct client *client, const struct request *l, struct reply *r, struct err *e)
{
	struct flow f = { .client = client, .request = l, .reply = r, .amended = REQUEST_INIT };
	int result = client->endpoint.provider->local ? ask_local(&f, e) : ask_server(&f, e);

	request_release(&f.amended);
	return result;
}
