/*
 * openai-compatible: the Chat Completions protocol, as OpenAI defined it and as
 * Ollama, llama.cpp, vLLM, LM Studio and OpenRouter speak it.
 *
 * References: platform.openai.com/docs/api-reference/chat and …/chat-streaming;
 * github.com/ollama/ollama docs/openai.md; docs.vllm.ai "Reasoning Outputs";
 * openrouter.ai/docs "Streaming".
 */
#include <string.h>

#include "base/json.h"
#include "provider/provider.h"

#define DEFAULT_URL "http://localhost:11434/v1" /* Ollama's */

/* ---- our records to a request ---- */

static void add_url(const char *base, struct buf *url)
{
	size_t n = strlen(base);

	while (n && base[n - 1] == '/')
		n--;
	buf_add(url, base, n);
	buf_adds(url, "/chat/completions");
}

static void add_message(struct buf *b, const char *role, struct span content)
{
	buf_addf(b, "%s{\"role\":\"%s\",\"content\":", b->p[b->n - 1] == '[' ? "" : ",", role);
	json_add_str(b, content);
	buf_addc(b, '}');
}

static int make_request(const struct chat_request *rq, struct buf *url, struct buf *body,
                        struct err *e)
{
	add_url(rq->base_url ? rq->base_url : DEFAULT_URL, url);
	buf_adds(body, "{\"model\":");
	json_add_str(body, span_str(rq->model));
	buf_adds(body, ",\"messages\":[");
	if (buf_check(url, e) < 0 || buf_check(body, e) < 0)
		return -1;
	if (rq->system.p)
		add_message(body, "system", rq->system);
	for (size_t i = 0; i < rq->nturns; i++) {
		const struct exchange *x = &rq->turns[i].exchange;

		if (!exchange_counts(x))
			continue;
		add_message(body, "user", x->query);
		add_message(body, "assistant", x->answer);
	}
	add_message(body, "user", rq->prompt);
	if (rq->stream)
		buf_adds(body, "],\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
	else
		buf_adds(body, "],\"stream\":false}");
	return buf_check(body, e);
}

/* ---- its answer to ours ---- */

static void add_member(struct buf *b, struct json_object *o, const char *key)
{
	struct span s = json_member_str(o, key);

	buf_add(b, s.p, s.n);
}

static int64_t count(struct json_object *o, const char *key)
{
	struct json_object *v = json_member(o, key);
	int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : -1;

	return n < 0 || n > COUNT_MAX ? -1 : n;
}

static void take_usage(struct reply *r, struct json_object *o)
{
	struct json_object *u = json_member(o, "usage");

	if (!json_object_is_type(u, json_type_object))
		return;
	r->usage.input = count(u, "prompt_tokens");
	r->usage.output = count(u, "completion_tokens");
	r->usage.total = count(u, "total_tokens");
	r->usage.reasoning = count(json_member(u, "completion_tokens_details"), "reasoning_tokens");
	r->usage.cached = count(json_member(u, "prompt_tokens_details"), "cached_tokens");
}

static struct json_object *first_or_self(struct json_object *o)
{
	return json_object_is_type(o, json_type_array) ? json_object_array_get_idx(o, 0) : o;
}

/* {"error":{"message":…}} by most, in an array by some; "error" is a string at Ollama;
 * FastAPI servers say "detail", which may be a list of {"msg":…}. */
static void add_problem(struct json_object *o, struct buf *message)
{
	struct json_object *error, *detail;

	o = first_or_self(o);
	error = json_member(o, "error");
	detail = first_or_self(json_member(o, "detail"));
	add_member(message, json_object_is_type(error, json_type_object) ? error : o,
	           json_object_is_type(error, json_type_object) ? "message" : "error");
	if (!message->n)
		add_member(message, o, "detail");
	if (!message->n)
		add_member(message, detail, "msg");
	if (!message->n)
		add_member(message, o, "message");
}

static void problem(struct span body, struct buf *message)
{
	struct err ignored = ERR_INIT;
	struct json_object *o;

	if (json_parse_lenient(body, &o, &ignored) < 0)
		return;
	add_problem(o, message);
	json_object_put(o);
}

static int check_problem(struct json_object *o, struct err *e)
{
	struct buf message = BUF_INIT;

	/* llama.cpp's error events are the bare error. */
	if (!json_member(o, "error") && (json_member(o, "choices") || !json_member(o, "message")))
		return 0;
	add_problem(o, &message);
	err_set(e, ERR_NETWORK, "the server reports: %s", message.n ? message.p : "an error");
	buf_release(&message);
	return -1;
}

/* A string, or a list of parts of which some are text. */
static void add_content(struct buf *b, struct json_object *content)
{
	if (json_object_is_type(content, json_type_string))
		buf_add(b, json_object_get_string(content), (size_t)json_object_get_string_len(content));
	if (!json_object_is_type(content, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(content); i++)
		add_member(b, json_object_array_get_idx(content, i), "text");
}

/* A delta or a message. Reasoning is "reasoning_content" at DeepSeek, llama.cpp and
 * older vLLM, "reasoning" at OpenRouter, Ollama and newer vLLM. */
static void take_choice(struct reply *r, struct json_object *o, const char *part)
{
	struct json_object *choices = json_member(o, "choices"), *first, *text;
	struct span finish;

	if (!json_object_is_type(choices, json_type_array) || !json_object_array_length(choices))
		return;
	first = json_object_array_get_idx(choices, 0);
	text = json_member(first, part);
	add_content(&r->text, json_member(text, "content"));
	add_member(&r->text, text, "refusal");
	if (json_member_str(text, "reasoning_content").n)
		add_member(&r->reasoning, text, "reasoning_content");
	else
		add_member(&r->reasoning, text, "reasoning");
	finish = json_member_str(first, "finish_reason");
	if (finish.n) {
		buf_clear(&r->finish_reason);
		buf_add(&r->finish_reason, finish.p, finish.n);
	}
}

static int take(struct reply *r, struct span json, const char *part, struct err *e)
{
	struct json_object *o;
	int bad;

	if (json_parse_lenient(json, &o, e) < 0) {
		e->kind = e->kind == ERR_DAMAGED ? ERR_NETWORK : e->kind;
		return err_prefix(e, "the server sent a malformed event");
	}
	bad = json_object_is_type(o, json_type_object)
	              ? check_problem(o, e)
	              : err_set(e, ERR_NETWORK, "the server sent a malformed event: no JSON object");
	if (!bad) {
		take_choice(r, o, part);
		take_usage(r, o);
	}
	json_object_put(o);
	if (bad || buf_check(&r->text, e) < 0 || buf_check(&r->reasoning, e) < 0 ||
	    buf_check(&r->finish_reason, e) < 0)
		return -1;
	return 0;
}

static int take_event(struct reply *r, struct span data, struct err *e)
{
	if (!data.n) /* a keep-alive of some servers */
		return 0;
	if (span_eq(data, "[DONE]")) {
		r->done = true;
		return 0;
	}
	return take(r, data, "delta", e);
}

static int take_whole(struct reply *r, struct span body, struct err *e)
{
	if (take(r, body, "message", e) < 0)
		return -1;
	if (!r->text.n && !r->reasoning.n && !r->finish_reason.n)
		return err_set(e, ERR_NETWORK, "the server's answer holds no reply; is the base URL right?");
	r->done = true;
	return 0;
}

/* Some servers leave the end mark out; the finish reason says as much. */
static int end(const struct reply *r, struct err *e)
{
	if (r->done || r->finish_reason.n)
		return 0;
	return err_set(e, ERR_NETWORK, "the server ended the stream before the reply was complete");
}

const struct provider provider_openai_compatible = {
	.name = "openai-compatible",
	.summary = "Chat Completions: OpenAI, Ollama, llama.cpp, vLLM, LM Studio, OpenRouter",
	.base_url = DEFAULT_URL,
	.request = make_request,
	.event = take_event,
	.whole = take_whole,
	.end = end,
	.problem = problem,
};
