#include "client/retry.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "client/receive.h"
#include "client/refusal.h"
#include "provider/wire.h"

#define FIRST_DELAY_MS 500
#define LONGEST_DELAY_MS 16000

/* ---- the delay ---- */

/* Doubles with each attempt, and is shortened at random so that many clients do not return at once. */
static int64_t back_off(int attempt)
{
	int64_t most = FIRST_DELAY_MS;
	uint16_t r = 0;

	while (attempt-- > 0 && most < LONGEST_DELAY_MS)
		most *= 2;
	if (getrandom(&r, sizeof(r), 0) < 0)
		r = 0;
	return most - most / 2 * r / UINT16_MAX;
}

/* The delay before another attempt, in ms; -1: there is no other attempt. `attempt` counts from 0. */
static int64_t retry_delay(const struct problem *p, long status, int64_t retry_after, int attempt)
{
	bool passing = !status || status == 408 || status == 409 || status == 429 || (status >= 500 && status != 501);

	if (p->kind != PROBLEM_OTHER || !passing)
		return -1;
	if (retry_after > 0) /* 0 does not say how long */
		return retry_after <= RETRY_AFTER_MAX_MS ? retry_after : -1;
	return back_off(attempt);
}

/* ---- amending a request that was refused ---- */

/* Whether the server does not know, or does not accept, this field of the request. */
static bool refuses_field(const struct http_response *rs, const char *field)
{
	return (rs->status == 400 || rs->status == 422) && strcasestr(rs->body.p, field);
}

/* The most tokens that a reply may have; 0: the server does not say.
 * Anthropic: "max_tokens: 64000 > 4096, which is the maximum allowed number of output tokens for …".
 * Bedrock, and gateways to it: "The maximum tokens you requested exceeds the model limit of 4096." */
static int64_t refused_limit(const struct http_response *rs)
{
	struct span body = buf_span(&rs->body);

	if (refuses_field(rs, "maximum tokens you requested exceeds the model limit of"))
		return wire_number_after(body, "model limit of");
	if (!refuses_field(rs, "max_tokens") || !strcasestr(body.p, "maximum allowed number of output tokens"))
		return 0;
	return wire_number_after(body, " > ");
}

/* The model has no system instruction: Google's Gemma; OpenAI's o1-mini; the templates of Gemma and
 * older Mistral models in llama.cpp and vLLM, some of which answer 500. */
static bool refuses_system(const struct http_response *rs)
{
	static const char *const words[] = { "developer instruction is not enabled",
		"system instruction is not enabled", "system instruction is not supported",
		"system role not supported", "system role is not supported", "system role is not enabled",
		"does not support 'system'", "does not support system", "system messages are not supported",
		"system message is not supported", "system prompts are not supported",
		"system prompt is not supported", "only user and assistant roles", "roles must alternate", NULL };

	return rs->status >= 400 && refusal_has_any(rs->body.p, words);
}

/* The native items of earlier replies are from another model or account, or the messages before them
 * have changed. Anthropic: "Invalid `signature` in `thinking` block", "`thinking` or
 * `redacted_thinking` blocks in the latest assistant message cannot be modified". OpenAI: "The
 * encrypted content … could not be verified", "Item 'rs_…' of type 'reasoning' was provided without
 * its required following item", "Item with id 'rs_…' not found. Items are not persisted …", which some
 * servers answer with 404. Google: "Thought signature is not valid". Others do not know
 * reasoning_content. */
static bool refuses_native(const struct http_response *rs)
{
	static const char *const words[] = { "signature", "thinking", "thought", "reasoning", "encrypted",
		"not persisted", NULL };

	return (rs->status == 400 || rs->status == 404 || rs->status == 422) && refusal_has_any(rs->body.p, words);
}

/* OpenAI: "Encrypted content is not supported with this model". */
static bool refuses_include(const struct http_response *rs)
{
	return refuses_field(rs, "include") || refuses_field(rs, "encrypted content");
}

/* OpenAI's newer models have this name for max_tokens in Chat Completions. */
#define NEWER_LIMIT "max_completion_tokens"

/* Changes the client so that its requests omit or reduce what the server refused. */
static bool amend_client(struct client *client, const struct request *rq, const struct http_response *rs,
                         struct err *e)
{
	struct span body = buf_span(&rq->body), null = span_str("null");
	struct span max_tokens = params_get(&client->params, "max_tokens");
	int64_t limit = max_tokens.p ? 0 : refused_limit(rs);
	char number[32];

	if (limit > 0) {
		snprintf(number, sizeof(number), "%lld", (long long)limit);
		params_set(&client->params, span_str("max_tokens"), span_str(number), e);
	} else if (max_tokens.p && refuses_field(rs, NEWER_LIMIT) && !params_get(&client->params, NEWER_LIMIT).p) {
		if (params_set(&client->params, span_str(NEWER_LIMIT), max_tokens, e) == 0)
			params_drop(&client->params, "max_tokens");
	} else if (rq->content->system.n && !client->no_system && refuses_system(rs)) {
		client->no_system = true;
	} else if (!client->no_native && chat_request_has_native(rq->content) && refuses_native(rs)) {
		client->no_native = true;
	} else if (refuses_include(rs) && memmem(body.p, body.n, "\"include\":", 10)) {
		params_set(&client->params, span_str("include"), null, e);
	} else if (refuses_field(rs, "stream_options") && memmem(body.p, body.n, "\"stream_options\":", 17)) {
		params_set(&client->params, span_str("stream_options"), null, e);
	} else {
		return false;
	}
	return e->kind == ERR_NONE;
}

/* ---- attempts ---- */

struct retry {
	struct client *client;
	const struct request *request; /* the caller's, or `amended` */
	struct request amended;
	struct reply *reply;
	int failed;   /* attempts */
	bool changed; /* the last attempt was refused, and the request was amended */
};

static bool amend(struct retry *t, const struct http_response *rs)
{
	struct request rq = REQUEST_INIT;
	struct err ignored = ERR_INIT;

	if (!amend_client(t->client, t->request, rs, &ignored))
		return false;
	if (request_prepare(&rq, t->client, t->request->content, &ignored) < 0) {
		request_release(&rq);
		return false;
	}
	request_release(&t->amended);
	t->amended = rq;
	t->request = &t->amended;
	return true;
}

/* Sets *again to the ms to wait before another attempt, or -1. */
static int attempt(struct retry *t, int64_t *again, struct err *e)
{
	struct client *client = t->client;
	struct http_request rq = endpoint_request(&client->endpoint, t->request->url.p, t->request->shown.p,
	                                          client->stop_fd);
	const char *shown = t->request->shown.p;
	struct problem *p = &t->reply->problem;
	bool last = t->failed >= client->endpoint.config->retries;
	struct http_response rs;
	struct receive in;
	int r;

	receive_begin(&in, client, t->reply);
	rq.body = buf_span(&t->request->body);
	rq.idle_timeout = client->idle_timeout;
	rq.piece = receive_piece;
	rq.ctx = &in;
	rq.idle = client->idle;
	trace_request(client->trace, &rq, &client->endpoint.key, t->failed);
	r = http_send(client->http, &rq, &rs, e);
	*again = -1;
	t->changed = false;
	if (r < 0 && rs.failure == HTTP_LOST && in.bytes == 0)
		*again = retry_delay(p, 0, -1, t->failed);
	if (r < 0) {
		r = receive_cut(&in, e);
	} else if (rs.status >= 200 && rs.status <= 299) {
		r = receive_end(&in, shown, e);
	} else {
		t->changed = amend(t, &rs);
		r = refusal_tell(client, t->request, &rs, last || t->changed, p, e);
		*again = t->changed ? 0 : retry_delay(p, rs.status, rs.retry_after, t->failed);
	}
	receive_rest(&in);
	if (r < 0 && in.refused) {
		refusal_advise(client, t->request, p, last, e);
		*again = p->status ? retry_delay(p, p->status, -1, t->failed) : -1;
	}
	client->refused = r < 0 && (in.refused || rs.status > 299) && *again < 0;
	/* A retry would show the text twice. */
	if (t->reply->text.n || t->reply->reasoning.n || (last && !t->changed))
		*again = -1;
	key_redact(&client->endpoint.key, e->msg, strlen(e->msg)); /* a server may repeat it anywhere */
	trace_response(client->trace, &rs, r < 0 ? e->msg : NULL);
	http_response_release(&rs);
	receive_release(&in);
	return r;
}

static void tell_wait(const struct client *client, struct client_wait *w, int64_t left)
{
	w->left = left;
	if (client->listener.wait)
		client->listener.wait(client->listener.ctx, w);
}

static int wait_to_retry(const struct client *client, struct client_wait *w, int64_t ms, struct err *e)
{
	struct pollfd stop = { .fd = client->stop_fd, .events = POLLIN };
	int64_t end = clock_steady_ms() + ms, left;

	while ((left = end - clock_steady_ms()) > 0) {
		tell_wait(client, w, left);
		if (idle_poll(client->idle, &stop, client->stop_fd >= 0, (int)(left % 1000 ? left % 1000 : 1000)) > 0) {
			err_set(e, ERR_INTERRUPTED, "interrupted");
			break;
		}
	}
	tell_wait(client, w, 0);
	return e->kind == ERR_NONE ? 0 : -1;
}

/* The error of the last attempt. A user who stops the attempts still wants to know why there were
 * several: `why` is the error of the one before. */
static int give_up(const struct retry *t, const struct err *why, struct err *e)
{
	if (e->kind == ERR_NETWORK && t->failed)
		return err_prefix(e, "after %d attempts", t->failed + 1);
	if (e->kind == ERR_INTERRUPTED && t->failed && !t->reply->text.n && !t->reply->reasoning.n) {
		err_clear(e);
		err_set(e, ERR_INTERRUPTED, "interrupted after %d failed attempt%s: %s", t->failed,
		        t->failed == 1 ? "" : "s", why->msg);
	}
	return -1;
}

static int run_attempts(struct retry *t, struct err *e)
{
	struct err why = ERR_INIT;
	int64_t again;

	for (;;) {
		struct client_wait w = { .attempt = t->failed + 2, .of = t->client->endpoint.config->retries + 1,
			                 .why = why.msg };

		if (attempt(t, &again, e) == 0)
			return 0;
		if (again < 0)
			return give_up(t, &why, e);
		if (!t->changed) {
			t->failed++;
			why = *e;
		}
		err_clear(e);
		if (!t->changed && wait_to_retry(t->client, &w, again, e) < 0)
			return give_up(t, &why, e);
		reply_release(t->reply);
		*t->reply = (struct reply)REPLY_INIT;
	}
}

int retry_request(struct client *client, const struct request *rq, struct reply *r, struct err *e)
{
	struct retry t = { .client = client, .request = rq, .amended = REQUEST_INIT, .reply = r };
	int result = run_attempts(&t, e);

	request_release(&t.amended);
	return result;
}
