/*
 * openai-compatible: the Chat Completions protocol, as OpenAI defined it and as
 * Ollama, llama.cpp, vLLM, LM Studio and OpenRouter implement it.
 *
 * References: developers.openai.com/api, reference "Chat Completions" and guides "Error
 * codes", "File inputs"; github.com/ollama/ollama docs/openai.md and openai/openai.go;
 * github.com/ggml-org/llama.cpp tools/server/README.md; docs.vllm.ai "Reasoning Outputs";
 * github.com/vllm-project/vllm vllm/renderers/params.py; openrouter.ai/docs "Streaming",
 * "Errors and Debugging", "Usage Accounting".
 */
#include <json-c/linkhash.h>
#include <string.h>

#include "base/utf8.h"
#include "provider/wire.h"

#define DEFAULT_URL "http://localhost:11434/v1" /* Ollama's */

/* ---- writing the request ---- */

/* Adds a part of a message's content. Images and PDF files are data URLs. */
static int chat_add_file(struct buf *b, const struct attachment *a, struct err *e)
{
	json_open(b, '{');
	if (wire_is_text(a)) {
		json_put_word(b, "type", "text");
		json_key(b, "text");
		wire_text_file(b, a);
	} else if (wire_is_image(a)) {
		json_put_word(b, "type", "image_url");
		json_put_open(b, "image_url", '{');
		wire_data_url(b, "url", a);
		json_close(b, '}');
	} else if (wire_is_pdf(a)) {
		json_put_word(b, "type", "file");
		json_put_open(b, "file", '{');
		json_put_text(b, "filename", a->name);
		wire_data_url(b, "file_data", a);
		json_close(b, '}');
	} else {
		return wire_refuse_file(a, "openai-compatible", e);
	}
	json_close(b, '}');
	return 0;
}

static void add_text_part(struct buf *b, struct span text)
{
	json_open(b, '{');
	json_put_word(b, "type", "text");
	json_put_text(b, "text", text);
	json_close(b, '}');
}

static bool has_files(const struct message *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->parts[i].kind == MESSAGE_FILE)
			return true;
	return false;
}

/* Whether an answer has neither text nor calls. It is omitted, because strict servers refuse it. */
static bool says_nothing(const struct message *m)
{
	if (m->role != ROLE_ASSISTANT)
		return false;
	for (size_t i = 0; i < m->n; i++)
		if (m->parts[i].kind == MESSAGE_CALL ||
		    (m->parts[i].kind == MESSAGE_TEXT && !utf8_is_blank(m->parts[i].text)))
			return false;
	return true;
}

/* Only text becomes a string, which every server accepts. */
static void add_texts(struct buf *b, const struct message *m, size_t n)
{
	size_t had;

	json_open(b, '"');
	had = b->n;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; m[i].role == ROLE_USER && k < m[i].n; k++) {
			struct span text = m[i].parts[k].text;

			if (text.n && b->n > had)
				buf_adds(b, "\\n\\n");
			json_add_escaped(b, text);
		}
	json_close(b, '"');
}

static int add_parts(struct buf *b, const struct message *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->parts[i].kind == MESSAGE_TEXT)
			add_text_part(b, m->parts[i].text);
		else if (m->parts[i].kind == MESSAGE_FILE && chat_add_file(b, &m->parts[i].file, e) < 0)
			return -1;
	return 0;
}

/* Joins the user's messages among these `n`: many servers require alternating roles. */
static int add_prompts(struct buf *b, const struct message *m, size_t n, struct err *e)
{
	bool files = false;

	for (size_t i = 0; i < n; i++)
		files |= has_files(&m[i]);
	json_open(b, '{');
	json_put_word(b, "role", "user");
	json_key(b, "content");
	if (!files) {
		add_texts(b, m, n);
	} else {
		json_open(b, '[');
		for (size_t i = 0; i < n; i++)
			if (m[i].role == ROLE_USER && add_parts(b, &m[i], e) < 0)
				return -1;
		json_close(b, ']');
	}
	json_close(b, '}');
	return 0;
}

static void chat_add_message(struct buf *b, const char *role, struct span content)
{
	json_open(b, '{');
	json_put_word(b, "role", role);
	json_put_text(b, "content", content);
	json_close(b, '}');
}

/* The member extra_content of the call with this number, which Google's endpoint sends and requires back
 * (ai.google.dev/gemini-api/docs/thought-signatures); or NULL. */
static struct json_object *extra_of(struct json_object *items, size_t place)
{
	for (size_t i = 0; i < wire_length(items); i++)
		if (wire_count(wire_element(items, i), "index") == (int64_t)place)
			return json_member(wire_element(items, i), "extra_content");
	return NULL;
}

static void chat_add_call(struct buf *b, const struct tool_call *c, struct json_object *extra)
{
	json_open(b, '{');
	json_put_text(b, "id", c->id);
	json_put_word(b, "type", "function");
	json_put_open(b, "function", '{');
	json_put_text(b, "name", c->name);
	json_key(b, "arguments");
	wire_arguments(b, c);
	json_close(b, '}');
	json_put_value(b, "extra_content", extra);
	json_close(b, '}');
}

/* Native items are members of the message: OpenRouter's reasoning_details, which may always be sent back
 * (openrouter.ai/docs "Reasoning Tokens"), and reasoning_content, which DeepSeek requires for turns with
 * calls, then and later, and does not use for others (api-docs.deepseek.com "Thinking Mode"). */
static void add_native(struct buf *b, struct json_object *items, bool calls)
{
	for (size_t i = 0; i < wire_length(items); i++) {
		struct json_object *details = json_member(wire_element(items, i), "reasoning_details");
		struct json_object *content = json_member(wire_element(items, i), "reasoning_content");

		if (details)
			json_put_value(b, "reasoning_details", details);
		else if (calls)
			json_put_value(b, "reasoning_content", content);
	}
}

/* With calls, the content may be null; strict servers refuse "". */
static void chat_add_answer(struct buf *b, const struct message *m, struct json_object *native, bool in_calls)
{
	struct span text = { NULL, 0 };
	size_t calls = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->parts[i].kind == MESSAGE_TEXT && !utf8_is_blank(m->parts[i].text))
			text = m->parts[i].text;
	json_open(b, '{');
	json_put_word(b, "role", "assistant");
	json_put_str(b, "content", text);
	add_native(b, native, in_calls);
	for (size_t i = 0; i < m->n; i++) {
		if (m->parts[i].kind != MESSAGE_CALL)
			continue;
		if (!calls)
			json_put_open(b, "tool_calls", '[');
		chat_add_call(b, &m->parts[i].call, extra_of(native, calls++));
	}
	if (calls)
		json_close(b, ']');
	json_close(b, '}');
}

/* A result is text: its images and PDF files follow in a user's message, after all results. */
static int add_results(struct buf *b, const struct message *m, struct err *e)
{
	size_t files = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct tool_result *t = &m->parts[i].result;

		json_open(b, '{');
		json_put_word(b, "role", "tool");
		json_put_text(b, "tool_call_id", t->call);
		json_key(b, "content");
		wire_result_text(b, t);
		json_close(b, '}');
		files += t->nfiles;
	}
	if (!files)
		return 0;
	json_open(b, '{');
	json_put_word(b, "role", "user");
	json_put_open(b, "content", '[');
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < m->parts[i].result.nfiles; k++)
			if (chat_add_file(b, &m->parts[i].result.files[k], e) < 0)
				return -1;
	json_close(b, ']');
	json_close(b, '}');
	return 0;
}

/* Whether the model called tools in the turn of this message, between two messages of the user. */
static bool has_calls(const struct chat_request *rq, size_t i)
{
	while (i > 0 && rq->messages[i - 1].role != ROLE_USER)
		i--;
	while (i < rq->nmessages && rq->messages[i].role == ROLE_ASSISTANT)
		i++;
	return i < rq->nmessages && rq->messages[i].role == ROLE_TOOL;
}

static int chat_add_messages(struct buf *b, const struct chat_request *rq, struct err *e)
{
	const struct message *m = rq->messages;
	size_t n = rq->nmessages;

	for (size_t i = 0, end; i < n; i = end) {
		for (end = i; end < n && (m[end].role == ROLE_USER || says_nothing(&m[end])); end++)
			;
		if (end > i) {
			if (add_prompts(b, &m[i], end - i, e) < 0)
				return -1;
		} else {
			end++;
			if (m[i].role == ROLE_ASSISTANT)
				chat_add_answer(b, &m[i], wire_native_of(rq, &m[i]), has_calls(rq, i));
			else if (add_results(b, &m[i], e) < 0)
				return -1;
		}
	}
	return 0;
}

/* With a schema mcbox sets the response format. */
static int chat_add_params(struct buf *b, const struct params *params, bool schema, struct err *e)
{
	const char *const own[] = { "model", "messages", "stream", "stream_options",
		                    schema ? "response_format" : NULL, NULL };
	static const char *const same[] = { "temperature", "top_p", "max_tokens", "seed", "stop",
		                            "reasoning_effort", NULL };

	for (const char *const *key = same; *key; key++)
		json_put_raw(b, *key, params_get(params, *key));
	return params_add_others(params, own, b, e);
}

static int chat_request(const struct chat_request *rq, struct buf *url, struct buf *body,
                        struct err *e)
{
	wire_url(url, rq->base_url, "/chat/completions");
	wire_url_end(url, rq->base_url, "");
	json_open(body, '{');
	json_put_word(body, "model", rq->model);
	json_put_open(body, "messages", '[');
	if (rq->system.p)
		chat_add_message(body, "system", rq->system);
	if (chat_add_messages(body, rq, e) < 0)
		return -1;
	json_close(body, ']');
	json_put_bool(body, "stream", rq->stream);
	if (rq->stream)
		json_put_raw(body, "stream_options", span_str("{\"include_usage\":true}"));
	if (rq->schema.p) {
		json_put_open(body, "response_format", '{');
		json_put_word(body, "type", "json_schema");
		json_put_open(body, "json_schema", '{');
		json_put_word(body, "name", "reply");
		json_put_bool(body, "strict", true);
		json_put_raw(body, "schema", rq->schema);
		json_close(body, '}');
		json_close(body, '}');
	}
	if (chat_add_params(body, rq->params, rq->schema.p, e) < 0)
		return -1;
	json_close(body, '}');
	return buf_check(url, e) < 0 ? -1 : buf_check(body, e);
}

/* ---- reading the answer ---- */

static void chat_take_usage(struct reply *r, struct json_object *o)
{
	struct json_object *u = json_member(o, "usage");

	if (!json_object_is_type(u, json_type_object))
		return;
	r->usage.input = wire_count(u, "prompt_tokens");
	r->usage.output = wire_count(u, "completion_tokens");
	r->usage.total = wire_count(u, "total_tokens");
	r->usage.reasoning = wire_count(json_member(u, "completion_tokens_details"), "reasoning_tokens");
	r->usage.cached = wire_count(json_member(u, "prompt_tokens_details"), "cached_tokens");
	r->usage.cache_write = wire_count(json_member(u, "prompt_tokens_details"), "cache_write_tokens");
	r->usage.cost = wire_cost(u);
}

/* Messages, for want of a code, of Ollama and llama.cpp ("model 'x' not found"), vLLM ("The model `x`
 * does not exist."), OpenRouter ("x is not a valid model ID"), DeepSeek ("Model Not Exist"), Mistral
 * ("Invalid model: x") and gateways. */
static bool says_no_model(const struct buf *message)
{
	return strstr(message->p, "not a valid model") || strcasestr(message->p, "model not exist") ||
	       strstr(message->p, "Invalid model:") || strcasestr(message->p, "no such model") ||
	       (strcasestr(message->p, "model") &&
	        (strstr(message->p, "not found") || strstr(message->p, "does not exist")));
}

static void chat_judge(struct problem *p, struct json_object *error)
{
	struct span code = json_member_str(error, "code"), type = json_member_str(error, "type");

	if (wire_is_context(error, p) || span_eq(code, "context_length_exceeded"))
		p->kind = PROBLEM_CONTEXT;
	else if (span_eq(code, "model_not_found") || says_no_model(&p->message))
		p->kind = PROBLEM_MODEL;
	else if (p->status == 402 || wire_says_quota(code) || wire_says_quota(type))
		p->kind = PROBLEM_QUOTA;
}

/* OpenAI and Groq send codes; OpenRouter, vLLM and llama.cpp send the HTTP status instead; 402 means that
 * there are no credits left. */
static void chat_take_problem(struct json_object *o, struct problem *p)
{
	struct json_object *error;

	o = wire_first_or_self(o);
	wire_add_message(&p->message, o);
	error = json_object_is_type(json_member(o, "error"), json_type_object) ? json_member(o, "error") : o;
	p->status = wire_status(error, "code");
	chat_judge(p, error);
}

static void chat_problem(struct span body, struct problem *p)
{
	wire_problem(body, chat_take_problem, p);
}

/* The error is a member of the event or, from gateways, of the choice or its message; llama.cpp sends
 * the bare error as an event. */
static int check_problem(struct reply *r, struct json_object *o, struct json_object *choice,
                         struct json_object *message, struct err *e)
{
	struct json_object *at = wire_error(o) ? o : wire_error(choice) ? choice : wire_error(message) ? message
	                                                                                             : NULL;

	if (!at && !json_member(o, "choices") && json_member_str(o, "message").n)
		at = o;
	if (!at)
		return 0;
	chat_take_problem(at, &r->problem);
	return wire_report(&r->problem, e);
}

enum open { NOTHING, CONTENT, DETAIL }; /* the string of the native item that is still growing */

static void take_content(struct reply *r, struct span piece)
{
	if (r->native.n && r->native_open != CONTENT)
		return; /* the details contain the same */
	if (!r->native.n)
		wire_native_begin(r, "{\"reasoning_content\":\"\"}");
	r->native_open = CONTENT;
	r->native_for_calls = true;
	wire_native_piece(&r->native, WIRE_TAIL, NULL, piece);
}

#define DETAILS_TAIL "]}]"

/* `key` is the member with the text, which comes last. */
static void add_detail(struct buf *b, struct json_object *detail, const char *key)
{
	json_open(b, '{');
	json_object_object_foreach(detail, name, value)
		if (strcmp(name, key) != 0)
			json_put_value(b, name, value);
	json_put_text(b, key, json_member_str(detail, key));
	json_close(b, '}');
}

static void begin_detail(struct reply *r, struct json_object *detail, const char *key)
{
	struct buf *list = &r->native;

	if (!list->n)
		wire_native_begin(r, "{\"reasoning_details\":[]}");
	if (list->oom)
		return;
	list->n -= strlen(DETAILS_TAIL);
	add_detail(list, detail, key);
	buf_adds(list, DETAILS_TAIL);
}

/* Details arrive in pieces, too: the pieces of one text share a number, and the last has the signature. */
static void take_detail(struct reply *r, struct json_object *detail)
{
	static const char *const keys[] = { "text", "summary", "data" };
	int64_t index = wire_count(detail, "index");
	struct span signature = json_member_str(detail, "signature");
	size_t k = 0;

	while (k < 2 && !json_member(detail, keys[k]))
		k++;
	if (!json_object_is_type(detail, json_type_object))
		return;
	if (r->native_open == DETAIL && index >= 0 && index == r->native_index &&
	    (k < 2 ? k == r->native_key : signature.n > 0)) {
		if (k < 2)
			wire_native_piece(&r->native, "\"}" DETAILS_TAIL, NULL, json_member_str(detail, keys[k]));
		if (signature.n)
			wire_native_piece(&r->native, "\"}" DETAILS_TAIL, "signature", signature);
		r->native_index = signature.n ? -1 : index;
		return;
	}
	if (r->native_open == CONTENT)
		buf_clear(&r->native);
	else if (r->native_open == NOTHING && r->native.n)
		return; /* the last item belongs to a call */
	begin_detail(r, detail, keys[k]);
	r->native_open = DETAIL;
	r->native_index = index;
	r->native_key = k;
	r->native_for_calls = false;
}

/* DeepSeek, llama.cpp and older vLLM send "reasoning_content", OpenRouter, Ollama and newer vLLM
 * "reasoning", some gateways "thinking": a text, or a list of parts. OpenRouter repeats it in
 * "reasoning_details"; other servers may send only those. */
static void take_reasoning(struct reply *r, struct json_object *message)
{
	static const char *const keys[] = { "reasoning_content", "reasoning", "thinking", NULL };
	struct json_object *details = json_member(message, "reasoning_details");
	size_t had = r->reasoning.n;

	for (size_t i = 0; i < wire_length(details); i++)
		take_detail(r, wire_element(details, i));
	if (json_member_str(message, "reasoning_content").n && !wire_length(details))
		take_content(r, json_member_str(message, "reasoning_content"));
	for (const char *const *key = keys; *key && r->reasoning.n == had; key++)
		wire_add_text(&r->reasoning, json_member(message, *key));
	if (r->reasoning.n > had)
		return;
	for (size_t i = 0; i < wire_length(details); i++) {
		wire_add(&r->reasoning, wire_element(details, i), "text");
		wire_add(&r->reasoning, wire_element(details, i), "summary");
	}
}

static void take_extra(struct reply *r, size_t place, struct json_object *extra)
{
	struct buf b = BUF_INIT;

	json_open(&b, '{');
	json_put_int(&b, "index", (int64_t)place);
	json_key(&b, "extra_content");
	json_add_value(&b, extra);
	json_close(&b, '}');
	r->oom |= b.oom;
	r->native_for_calls |= !r->native.n;
	wire_native_begin(r, b.p);
	r->native_open = NOTHING;
	buf_release(&b);
}

/* A call or a piece of a call. It has a number, or its `place` in the list of all calls. */
static void take_call(struct reply *r, struct json_object *o, int64_t place)
{
	struct json_object *function = json_member(o, "function"), *arguments = json_member(function, "arguments");
	int64_t own = wire_count(o, "index");
	struct reply_call *c = wire_call(r, json_member_str(o, "id"), own >= 0 ? own : place);

	wire_call_name(r, c, json_member_str(function, "name"));
	if (c && json_object_is_type(json_member(o, "extra_content"), json_type_object))
		take_extra(r, (size_t)(c - r->calls), json_member(o, "extra_content"));
	if (c && json_object_is_type(arguments, json_type_string) &&
	    span_same(buf_span(&c->arguments), json_member_str(function, "arguments")))
		return; /* some servers repeat all of it at the end of a stream */
	wire_call_piece(r, c, arguments);
}

/* Mistral sends reasoning as parts of the content. */
static void chat_take_message(struct reply *r, struct json_object *message)
{
	struct json_object *content = json_member(message, "content");
	struct json_object *calls = json_member(message, "tool_calls");
	struct json_object *call = json_member(message, "function_call");

	if (json_object_is_type(content, json_type_string))
		wire_add_text(&r->text, content);
	for (size_t i = 0; i < wire_length(content); i++)
		wire_add_part(r, wire_element(content, i));
	wire_add(&r->text, message, "refusal");
	take_reasoning(r, message);
	for (size_t i = 0; i < wire_length(calls); i++)
		take_call(r, wire_element(calls, i), (int64_t)i);
	if (wire_says(call)) { /* the older protocol, with a single call */
		struct reply_call *c = wire_call(r, (struct span){ "", 0 }, 0);

		wire_call_name(r, c, json_member_str(call, "name"));
		wire_call_piece(r, c, json_member(call, "arguments"));
	}
}

/* Whether the choice has text or reasoning. */
static bool take_choice(struct reply *r, struct json_object *choice, struct json_object *message)
{
	size_t had = r->text.n + r->reasoning.n;
	bool words;

	chat_take_message(r, message);
	words = r->text.n + r->reasoning.n > had;
	if (words)
		wire_go_on(r);
	wire_finish(r, json_member_str(choice, "finish_reason"));
	if (json_member_str(message, "refusal").n)
		wire_finish(r, span_str(FINISH_REFUSED));
	return words;
}

/* Reads the member `part` of the choice: "delta" in a stream, "message" in a whole answer. Some servers do
 * it the other way round; some repeat the whole message at the end of a stream. Takes over `o`. */
static int chat_take(struct reply *r, struct json_object *o, const char *part, struct err *e)
{
	struct json_object *choice = wire_element(json_member(o, "choices"), 0);
	struct json_object *message = json_member(choice, part);
	bool own = wire_says(message) || r->streamed;

	if (!own)
		message = json_member(choice, strcmp(part, "delta") == 0 ? "message" : "delta");
	if (!wire_error(o) && take_choice(r, choice, message) && own)
		r->streamed = true;
	chat_take_usage(r, o);
	return wire_done(o, check_problem(r, o, choice, message, e), r, e);
}

static int chat_take_event(struct reply *r, struct span data, struct err *e)
{
	struct json_object *o;
	int what = wire_object_event(data, &o, e);

	if (what == WIRE_DONE)
		r->done = true;
	return what == WIRE_VALUE ? chat_take(r, o, "delta", e) : what < 0 ? -1 : 0;
}

static int chat_take_whole(struct reply *r, struct span body, struct err *e)
{
	struct json_object *o;

	if (wire_parse_body(body, &o, e) < 0 || chat_take(r, o, "message", e) < 0)
		return -1;
	return wire_whole_done(r, e);
}

/* ---- models ---- */

/* {"data":[{"id":…}]}, or the bare list from Together AI. The window is "context_length" for OpenRouter,
 * "max_model_len" for vLLM, "context_window" for Groq, "max_context_length" for Mistral. Newer llama.cpp
 * has it in "meta", beside the window that the model was trained for, which may be larger. */
static int64_t window_of(struct json_object *o)
{
	static const char *const keys[] = { "context_length", "max_model_len", "context_window",
		                            "max_context_length", NULL };
	int64_t n = wire_count(json_member(o, "meta"), "n_ctx");

	for (const char *const *key = keys; *key && n <= 0; key++)
		n = wire_count(o, *key);
	return n > 0 ? n : 0;
}

static struct model chat_read_model(struct json_object *o)
{
	return (struct model){ json_member_str(o, "id"), json_member_str(o, "name"), window_of(o) };
}

static int chat_models(struct span body, int (*take_model)(void *ctx, const struct model *m, struct err *e),
                       void *ctx, struct buf *next, struct err *e)
{
	struct json_object *o, *list;
	int r = 0;

	(void)next;
	if (wire_parse_models(body, &o, e) < 0)
		return -1;
	list = wire_models_of(o, "data");
	/* Ollama without a model sends null. */
	if (json_object_is_type(list, json_type_array) || !span_eq(json_member_str(o, "object"), "list"))
		r = wire_take_models(list, chat_read_model, take_model, ctx, e);
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
	.request = chat_request,
	.event = chat_take_event,
	.whole = chat_take_whole,
	.end = wire_end, /* some servers send no end mark, only a finish reason */
	.problem = chat_problem,
	.models_url = wire_models_url,
	.models = chat_models,
};
