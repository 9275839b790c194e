/*
 * openai-compatible: the Chat Completions protocol, as OpenAI defined it and as
 * Ollama, llama.cpp, vLLM, LM Studio and OpenRouter speak it.
 *
 * References: developers.openai.com/api, reference "Chat Completions" and guides "Error
 * codes", "File inputs"; github.com/ollama/ollama docs/openai.md and openai/openai.go;
 * github.com/ggml-org/llama.cpp tools/server/README.md; docs.vllm.ai "Reasoning Outputs";
 * github.com/vllm-project/vllm vllm/renderers/params.py; openrouter.ai/docs "Streaming",
 * "Errors and Debugging".
 */
#include <string.h>

#include "base/base64.h"
#include "provider/wire.h"

#define DEFAULT_URL "http://localhost:11434/v1" /* Ollama's */

/* ---- our records to a request ---- */

/* One part of a message's content. Images and PDF files go as data URLs. */
static int add_file(struct buf *b, const struct attachment *a, struct err *e)
{
	wire_comma(b);
	if (wire_is_text(a)) {
		buf_adds(b, "{\"type\":\"text\",\"text\":");
		wire_text_file(b, a);
		buf_addc(b, '}');
		return 0;
	}
	if (wire_is_image(a))
		buf_adds(b, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:");
	else if (wire_is_pdf(a))
		buf_adds(b, "{\"type\":\"file\",\"file\":{\"filename\":");
	else
		return wire_refuse_file(a, "openai-compatible", e);
	if (wire_is_pdf(a)) {
		json_add_str(b, a->name);
		buf_adds(b, ",\"file_data\":\"data:");
	}
	buf_add(b, a->type.p, a->type.n);
	buf_adds(b, ";base64,");
	base64_add(b, a->bytes);
	buf_adds(b, "\"}}");
	return 0;
}

/* A prompt alone is a string, which every server takes. */
static int add_prompt(struct buf *b, const struct said *s, struct err *e)
{
	wire_comma(b);
	buf_adds(b, "{\"role\":\"user\",\"content\":");
	if (s->nfiles)
		buf_addc(b, '[');
	for (size_t i = 0; i < s->nfiles; i++)
		if (add_file(b, &s->files[i], e) < 0)
			return -1;
	if (s->nfiles)
		buf_adds(b, ",{\"type\":\"text\",\"text\":");
	json_add_str(b, s->query);
	buf_adds(b, s->nfiles ? "}]}" : "}");
	return 0;
}

static void add_message(struct buf *b, const char *role, struct span content)
{
	wire_comma(b);
	buf_addf(b, "{\"role\":\"%s\",\"content\":", role);
	json_add_str(b, content);
	buf_addc(b, '}');
}

/* With a schema the response format is ours too. */
static int add_params(struct buf *b, const struct params *params, bool schema, struct err *e)
{
	const char *const own[] = { "model", "messages", "stream", "stream_options",
		                    schema ? "response_format" : NULL, NULL };
	static const char *const same[] = { "temperature", "top_p", "max_tokens", "seed", "stop",
		                            "reasoning_effort", NULL };

	for (const char *const *key = same; *key; key++)
		wire_add_param(b, params, *key, *key);
	return params_add_others(params, own, b, e);
}

static int make_request(const struct chat_request *rq, struct buf *url, struct buf *body,
                        struct err *e)
{
	wire_url(url, rq->base_url, "/chat/completions");
	wire_url_end(url, rq->base_url, "");
	buf_adds(body, "{\"model\":");
	json_add_str(body, span_str(rq->model));
	buf_adds(body, ",\"messages\":[");
	if (rq->system.p)
		add_message(body, "system", rq->system);
	for (size_t i = 0; i < rq->nturns; i++) {
		if (add_prompt(body, &rq->turns[i], e) < 0)
			return -1;
		add_message(body, "assistant", rq->turns[i].answer);
	}
	if (add_prompt(body, &rq->prompt, e) < 0)
		return -1;
	buf_adds(body, rq->stream ? "],\"stream\":true,\"stream_options\":{\"include_usage\":true}"
	                          : "],\"stream\":false");
	if (rq->schema.p) {
		buf_adds(body, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":"
		         "\"reply\",\"strict\":true,\"schema\":");
		buf_add(body, rq->schema.p, rq->schema.n);
		buf_adds(body, "}}");
	}
	if (add_params(body, rq->params, rq->schema.p, e) < 0)
		return -1;
	buf_addc(body, '}');
	return buf_check(url, e) < 0 ? -1 : buf_check(body, e);
}

/* ---- its answer to ours ---- */

static void take_usage(struct reply *r, struct json_object *o)
{
	struct json_object *u = json_member(o, "usage");

	if (!json_object_is_type(u, json_type_object))
		return;
	r->usage.input = wire_count(u, "prompt_tokens");
	r->usage.output = wire_count(u, "completion_tokens");
	r->usage.total = wire_count(u, "total_tokens");
	r->usage.reasoning = wire_count(json_member(u, "completion_tokens_details"), "reasoning_tokens");
	r->usage.cached = wire_count(json_member(u, "prompt_tokens_details"), "cached_tokens");
}

/* {"error":{"message":…}} by most, in an array by some; "error" is a string at Ollama;
 * FastAPI servers say "detail", which may be a list of {"msg":…}. */
static void add_message_of(struct json_object *o, struct buf *message)
{
	struct json_object *error = json_member(o, "error");
	struct json_object *detail = wire_first_or_self(json_member(o, "detail"));

	wire_add(message, json_object_is_type(error, json_type_object) ? error : o,
	         json_object_is_type(error, json_type_object) ? "message" : "error");
	if (!message->n)
		wire_add(message, o, "detail");
	if (!message->n)
		wire_add(message, detail, "msg");
	if (!message->n)
		wire_add(message, o, "message");
}

/* Words, and not codes, of Ollama and llama.cpp ("model 'x' not found"), vLLM ("The model `x`
 * does not exist."), and OpenRouter ("x is not a valid model ID"). */
static bool says_no_model(const struct buf *message)
{
	return strstr(message->p, "not a valid model") ||
	       (strcasestr(message->p, "model") &&
	        (strstr(message->p, "not found") || strstr(message->p, "does not exist")));
}

static void judge(struct problem *p, struct span code, struct span type)
{
	bool context = wire_says_context(p); /* which also looks for the numbers */

	if (context || span_eq(code, "context_length_exceeded") ||
	    span_eq(type, "exceed_context_size_error"))
		p->kind = PROBLEM_CONTEXT;
	else if (span_eq(code, "model_not_found") || says_no_model(&p->message))
		p->kind = PROBLEM_MODEL;
	else if (p->status == 402 || wire_says_quota(code) || wire_says_quota(type))
		p->kind = PROBLEM_QUOTA;
}

/* The codes are OpenAI's and Groq's; OpenRouter, vLLM and llama.cpp have the HTTP status
 * instead, 402 meaning that credits are used up. llama.cpp has both numbers beside its
 * message. */
static void take_problem(struct json_object *o, struct problem *p)
{
	struct json_object *error;
	int64_t tokens, window;

	o = wire_first_or_self(o);
	add_message_of(o, &p->message);
	error = json_object_is_type(json_member(o, "error"), json_type_object) ? json_member(o, "error") : o;
	tokens = wire_count(error, "n_prompt_tokens");
	window = wire_count(error, "n_ctx");
	p->status = wire_status(error, "code");
	p->tokens = tokens > 0 ? tokens : 0;
	p->window = window > 0 ? window : 0;
	judge(p, json_member_str(error, "code"), json_member_str(error, "type"));
	if (p->kind != PROBLEM_CONTEXT)
		p->tokens = p->window = 0;
}

static void problem(struct span body, struct problem *p)
{
	wire_problem(body, take_problem, p);
}

static int check_problem(struct reply *r, struct json_object *o, struct err *e)
{
	/* llama.cpp's error events are the bare error. */
	if (!json_member(o, "error") && (json_member(o, "choices") || !json_member(o, "message")))
		return 0;
	take_problem(o, &r->problem);
	return wire_report(&r->problem, e);
}

/* A string, or a list of parts of which some are text. */
static void add_content(struct buf *b, struct json_object *content)
{
	if (json_object_is_type(content, json_type_string))
		buf_add(b, json_object_get_string(content), (size_t)json_object_get_string_len(content));
	for (size_t i = 0; i < wire_length(content); i++)
		wire_add(b, wire_element(content, i), "text");
}

/* A delta or a message. Reasoning is "reasoning_content" at DeepSeek, llama.cpp and
 * older vLLM, "reasoning" at OpenRouter, Ollama and newer vLLM. */
static void take_choice(struct reply *r, struct json_object *o, const char *part)
{
	static const char *const words[] = { "max_tokens", FINISH_LENGTH, "refusal", FINISH_REFUSED, NULL };
	struct json_object *first = wire_element(json_member(o, "choices"), 0);
	struct json_object *text = json_member(first, part);

	add_content(&r->text, json_member(text, "content"));
	wire_add(&r->text, text, "refusal");
	if (json_member_str(text, "reasoning_content").n)
		wire_add(&r->reasoning, text, "reasoning_content");
	else
		wire_add(&r->reasoning, text, "reasoning");
	wire_finish(r, json_member_str(first, "finish_reason"), words);
	if (json_member_str(text, "refusal").n)
		wire_finish(r, span_str(FINISH_REFUSED), words);
}

static int take(struct reply *r, struct json_object *o, const char *part, struct err *e)
{
	int bad = check_problem(r, o, e);

	if (!bad) {
		take_choice(r, o, part);
		take_usage(r, o);
	}
	return wire_done(o, bad, r, e);
}

static int take_event(struct reply *r, struct span data, struct err *e)
{
	struct json_object *o;

	if (!data.n) /* a keep-alive of some servers */
		return 0;
	if (span_eq(data, "[DONE]")) {
		r->done = true;
		return 0;
	}
	return wire_parse(data, &o, e) < 0 ? -1 : take(r, o, "delta", e);
}

static int take_whole(struct reply *r, struct span body, struct err *e)
{
	struct json_object *o;

	if (wire_parse_body(body, &o, e) < 0 || take(r, o, "message", e) < 0)
		return -1;
	return wire_whole_done(r, e);
}

/* ---- models ---- */

/* {"data":[{"id":…}]}, at Together AI the list alone; the window is "context_length" at OpenRouter, "max_model_len" at
 * vLLM, "context_window" at Groq, "max_context_length" at Mistral, and in "meta" at newer
 * llama.cpp, which tells there too for how much the model was trained: that may be more than
 * the server gives it. */
static int64_t window_of(struct json_object *o)
{
	static const char *const keys[] = { "context_length", "max_model_len", "context_window",
		                            "max_context_length", NULL };
	int64_t n = wire_count(json_member(o, "meta"), "n_ctx");

	for (const char *const *key = keys; *key && n <= 0; key++)
		n = wire_count(o, *key);
	return n > 0 ? n : 0;
}

static struct model read_model(struct json_object *o)
{
	return (struct model){ json_member_str(o, "id"), json_member_str(o, "name"), window_of(o) };
}

static int models(struct span body, int (*take_model)(void *ctx, const struct model *m, struct err *e),
                  void *ctx, struct buf *next, struct err *e)
{
	struct json_object *o, *list;
	int r = 0;

	(void)next;
	if (wire_parse_models(body, &o, e) < 0)
		return -1;
	list = wire_models_of(o, "data");
	/* Ollama without a model says null. */
	if (json_object_is_type(list, json_type_array) || !span_eq(json_member_str(o, "object"), "list"))
		r = wire_take_models(list, read_model, take_model, ctx, e);
	json_object_put(o);
	return r;
}

static const char *const key_env[] = { "OPENAI_COMPATIBLE_API_KEY", NULL };

const struct provider provider_openai_compatible = {
	.name = "openai-compatible",
	.summary = "Chat Completions: Ollama, llama.cpp, vLLM, LM Studio, OpenRouter and others",
	.base_url = DEFAULT_URL,
	.key_env = key_env,
	.url_env = "OPENAI_COMPATIBLE_BASE_URL",
	.key_header = "Authorization: Bearer ",
	.request = make_request,
	.event = take_event,
	.whole = take_whole,
	.end = wire_end, /* some servers leave the end mark out; the finish reason says as much */
	.problem = problem,
	.models_url = wire_models_url,
	.models = models,
};
