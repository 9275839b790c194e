/*
 * openai: OpenAI's Responses API, which Ollama, llama.cpp, vLLM, LM Studio and OpenRouter support,
 * too.
 *
 * References, at developers.openai.com/api: reference "Create a response", "Streaming
 * events", "List models"; guides "Reasoning models", "Structured model outputs", "Images and
 * vision", "File inputs", "Prompt caching", "Conversation state", "Error codes", "Using
 * GPT-6.2"; "All models" and "Deprecations". The types of github.com/openai/openai-python,
 * src/openai/types/responses.
 *
 * OpenAI caches the unchanged beginning of a conversation by default: the instructions come first, and
 * each turn adds to the end.
 */
#include <string.h>

#include "base/utf8.h"
#include "provider/fit.h"
#include "provider/wire.h"

/* ---- models that are known ---- */

static bool is_digit(struct span s, size_t i)
{
	return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

/* 602 for gpt-6.2-sol, 400 for gpt-4o; 0 for other names, such as Azure's gpt-35-turbo. */
static int version(struct span name)
{
	int v = 0;

	if (!wire_begins(name, "gpt-") || !is_digit(name, 4))
		return 0;
	v = (name.p[4] - '0') * 100;
	if (name.n > 5 && name.p[5] == '.' && is_digit(name, 6))
		v += name.p[6] - '0';
	return is_digit(name, 5) ? 0 : v;
}

/* Other models answer 400 to a request with the member `reasoning`. Reasoning models are gpt-5 and later,
 * except its chat variant; the o series; and the open models. */
static bool reasons(struct span name)
{
	if (version(name) >= 500)
		return !wire_begins(name, "gpt-5-chat");
	return (wire_begins(name, "o") && is_digit(name, 1)) || wire_begins(name, "gpt-oss");
}

/* Whether to ask for encrypted reasoning, which OpenAI does not store and the next request sends back. Other
 * models refuse to be asked; the open models' reasoning is not secret. */
static bool encrypts(struct span name)
{
	return reasons(name) && !wire_begins(name, "gpt-oss");
}

/* Since gpt-5.3-codex, an answer that is sent back should have a phase. */
static bool has_phases(struct span name)
{
	return version(name) >= 503;
}

/*
 * The most tokens of a request. Since gpt-5 that is the documented window minus the longest reply
 * (1,050,000 or 400,000 minus 128,000): a larger request is refused even if its max_output_tokens is
 * small.
 */
static int64_t openai_window(struct span model)
{
	static const struct {
		const char *name;
		int64_t tokens;
	} known[] = {
		{ "gpt-6.2", 922000 },      { "gpt-6.1", 922000 },      { "gpt-6", 922000 },
		{ "gpt-5.6", 922000 },      { "gpt-5.5", 922000 },      { "gpt-5.4-mini", 272000 },
		{ "gpt-5.4-nano", 272000 }, { "gpt-5.4", 922000 },      { "gpt-5.3", 272000 },
		{ "gpt-5.2", 272000 },      { "gpt-5.1", 272000 },      { "gpt-5", 272000 },
		{ "gpt-5.3-chat", 128000 }, { "gpt-5.2-chat", 128000 }, { "gpt-5.1-chat", 128000 },
		{ "gpt-5-chat", 128000 },   { "gpt-4.1", 1047576 },     { "gpt-4o", 128000 },
		{ "o4-mini", 200000 },      { "o3", 200000 },           { "o1", 200000 },
		{ "gpt-oss", 131072 },
	};
	struct span name = fit_plain_name(model);
	size_t longest = 0;
	int64_t tokens = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = strlen(known[i].name);

		if (n <= longest || !wire_begins(name, known[i].name))
			continue;
		if (n < name.n && name.p[n] != '-' && name.p[n] != ':') /* gpt-6.3 is not gpt-6 */
			continue;
		longest = n;
		tokens = known[i].tokens;
	}
	return tokens;
}

/* ---- writing the request ---- */

static void add_text_part(struct buf *b, const char *type, struct span text)
{
	json_open(b, '{');
	json_put_word(b, "type", type);
	json_put_text(b, "text", text);
	json_close(b, '}');
}

static int openai_add_file(struct buf *b, const struct attachment *a, struct err *e)
{
	json_open(b, '{');
	if (wire_is_text(a)) {
		json_put_word(b, "type", "input_text");
		json_key(b, "text");
		wire_text_file(b, a);
	} else if (wire_is_image(a)) {
		json_put_word(b, "type", "input_image");
		json_put_word(b, "detail", "auto");
		wire_data_url(b, "image_url", a);
	} else if (wire_is_pdf(a)) {
		json_put_word(b, "type", "input_file");
		json_put_text(b, "filename", a->name);
		wire_data_url(b, "file_data", a);
	} else {
		return wire_refuse_file(a, "openai", e);
	}
	json_close(b, '}');
	return 0;
}

static int add_prompt(struct buf *b, const struct message *m, struct err *e)
{
	json_open(b, '{');
	json_put_word(b, "type", "message");
	json_put_word(b, "role", "user");
	json_put_open(b, "content", '[');
	for (size_t i = 0; i < m->n; i++) {
		const struct message_part *p = &m->parts[i];

		if (p->kind == MESSAGE_FILE && openai_add_file(b, &p->file, e) < 0)
			return -1;
		if (p->kind == MESSAGE_TEXT && (p->text.n || m->n == 1))
			add_text_part(b, "input_text", p->text);
	}
	json_close(b, ']');
	json_close(b, '}');
	return 0;
}

/* Text before a call is not the final answer. */
static const char *phase_of(const struct message *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->parts[i].kind == MESSAGE_CALL)
			return "commentary";
	return "final_answer";
}

/* The model's text is output_text, also when it is sent back. The item must have an id (only its form is
 * checked if nothing is stored), a status and, for each text, annotations. A blank answer is omitted:
 * strict servers refuse it, and two prompts in a row are allowed. */
static void openai_add_answer(struct buf *b, struct span answer, size_t n, const char *phase)
{
	char id[32];

	if (utf8_is_blank(answer))
		return;
	snprintf(id, sizeof(id), "msg_%zu", n);
	json_open(b, '{');
	json_put_word(b, "type", "message");
	json_put_word(b, "id", id);
	json_put_word(b, "role", "assistant");
	json_put_word(b, "status", "completed");
	if (phase)
		json_put_word(b, "phase", phase);
	json_put_open(b, "content", '[');
	json_open(b, '{');
	json_put_word(b, "type", "output_text");
	json_put_raw(b, "annotations", span_str("[]"));
	json_put_raw(b, "logprobs", span_str("[]"));
	json_put_text(b, "text", answer);
	json_close(b, '}');
	json_close(b, ']');
	json_close(b, '}');
}

static void openai_add_call(struct buf *b, const struct tool_call *c)
{
	json_open(b, '{');
	json_put_word(b, "type", "function_call");
	json_put_text(b, "call_id", c->id);
	json_put_text(b, "name", c->name);
	json_key(b, "arguments");
	wire_arguments(b, c);
	json_close(b, '}');
}

/* The output is a text, or a list of parts. */
static int openai_add_result(struct buf *b, const struct tool_result *t, struct err *e)
{
	json_open(b, '{');
	json_put_word(b, "type", "function_call_output");
	json_put_text(b, "call_id", t->call);
	json_key(b, "output");
	if (!t->nfiles) {
		wire_result_text(b, t);
	} else {
		json_open(b, '[');
		json_open(b, '{');
		json_put_word(b, "type", "input_text");
		json_key(b, "text");
		wire_result_text(b, t);
		json_close(b, '}');
		for (size_t i = 0; i < t->nfiles; i++)
			if (openai_add_file(b, &t->files[i], e) < 0)
				return -1;
		json_close(b, ']');
	}
	json_close(b, '}');
	return 0;
}

static bool take_item_text(struct json_object *item, struct span *rest)
{
	struct json_object *content = json_member(item, "content");

	for (size_t i = 0; i < wire_length(content); i++)
		if (!wire_take_prefix(rest, json_member_str(wire_element(content, i), "text")))
			return false;
	while (rest->n && rest->p[0] == '\n') /* between messages, see paragraph() */
		*rest = (struct span){ rest->p + 1, rest->n - 1 };
	return true;
}

/* Whether the text begins with the text of the native items; *rest is what follows. */
static bool belong(struct json_object *items, struct span text, struct span *rest)
{
	*rest = text;
	for (size_t i = 0; i < wire_length(items); i++)
		if (span_eq(json_member_str(wire_element(items, i), "type"), "message") &&
		    !take_item_text(wire_element(items, i), rest))
			return false;
	return true;
}

/* Each answer, call and result is an item. Items of reasoning are native; each is sent back in its place,
 * before the message or call that it led to. */
static int add_items(struct buf *b, const struct message *m, struct json_object *native, size_t n, bool phases,
                     struct err *e)
{
	struct span text = wire_text_of(m), rest;

	if (!native || !belong(native, text, &rest)) {
		native = NULL;
		rest = text;
	}
	for (size_t i = 0; i < wire_length(native); i++)
		json_item_value(b, wire_element(native, i));
	if (m->role == ROLE_ASSISTANT)
		openai_add_answer(b, rest, n, phases ? phase_of(m) : NULL);
	for (size_t i = 0; i < m->n; i++) {
		const struct message_part *p = &m->parts[i];

		if (p->kind == MESSAGE_CALL && !wire_has_id(native, "call_id", p->call.id))
			openai_add_call(b, &p->call);
		else if (p->kind == MESSAGE_RESULT && openai_add_result(b, &p->result, e) < 0)
			return -1;
	}
	return 0;
}

static int add_input(struct buf *b, const struct chat_request *rq, struct err *e)
{
	bool phases = has_phases(fit_plain_name(span_str(rq->model)));
	size_t answers = 0;

	json_put_open(b, "input", '[');
	for (size_t i = 0; i < rq->nmessages; i++) {
		const struct message *m = &rq->messages[i];

		if ((m->role == ROLE_USER ? add_prompt(b, m, e)
		                          : add_items(b, m, wire_native_of(rq, m), answers, phases, e)) < 0)
			return -1;
		answers += m->role == ROLE_ASSISTANT;
	}
	json_close(b, ']');
	return 0;
}

/* The object of that name that the user has set with -o, or NULL. */
static int own_object(const struct params *params, const char *key, struct json_object **o,
                      struct err *e)
{
	struct span own = params_get(params, key);
	struct err why = ERR_INIT;

	*o = NULL;
	if (!own.p || json_parse_object(own, o, &why) == 0)
		return 0;
	if (why.kind != ERR_DAMAGED)
		return err_set(e, why.kind, "%s", why.msg);
	return err_set(e, ERR_USAGE, "'%s' must be an object: %s", key, why.msg);
}

/* Begins an object with the user's members, so that ours can be added. */
static void open_object(struct buf *b, const struct params *params, const char *key)
{
	struct span own = span_trim(params_get(params, key), SPAN_WHITE);

	json_put_open(b, key, '{');
	if (own.p)
		own = span_trim((struct span){ own.p + 1, own.n - 2 }, SPAN_WHITE);
	buf_add(b, own.p, own.n);
}

/* Adds the effort, and asks for a summary if the user wants to see the reasoning: OpenAI shows no more than
 * that, and only to verified organizations. */
static int add_reasoning(struct buf *b, const struct chat_request *rq, struct err *e)
{
	struct span effort = params_get(rq->params, "reasoning_effort");
	bool known = reasons(fit_plain_name(span_str(rq->model))), twice, summary;
	struct json_object *own;

	if (own_object(rq->params, "reasoning", &own, e) < 0)
		return -1;
	if (!own && !effort.p && !(rq->reasoning && known))
		return 0;
	twice = effort.p && json_object_object_get_ex(own, "effort", NULL);
	summary = rq->reasoning && !json_object_object_get_ex(own, "summary", NULL);
	json_object_put(own);
	if (twice)
		return err_set(e, ERR_USAGE, "'reasoning' already has an effort; omit "
		                             "'reasoning_effort'");
	open_object(b, rq->params, "reasoning");
	json_put_raw(b, "effort", effort);
	if (summary)
		json_put_word(b, "summary", "auto");
	json_close(b, '}');
	return 0;
}

static int openai_add_text(struct buf *b, const struct chat_request *rq, struct err *e)
{
	struct json_object *own;
	bool format;

	if (own_object(rq->params, "text", &own, e) < 0)
		return -1;
	if (!own && !rq->schema.p)
		return 0;
	format = json_object_object_get_ex(own, "format", NULL);
	json_object_put(own);
	if (rq->schema.p && format)
		return err_set(e, ERR_USAGE, "'text' already has a format; omit it or the schema");
	open_object(b, rq->params, "text");
	if (rq->schema.p) {
		json_put_open(b, "format", '{');
		json_put_word(b, "type", "json_schema");
		json_put_word(b, "name", "reply");
		json_put_bool(b, "strict", true);
		json_put_raw(b, "schema", rq->schema);
		json_close(b, '}');
	}
	json_close(b, '}');
	return 0;
}

/* Members that the user may set as a whole. "reasoning" and "text" are merged with ours. */
static int add_others(struct buf *b, const struct params *params, struct err *e)
{
	static const char *const own[] = { "model", "instructions", "input", "store", "stream", NULL };

	for (size_t i = 0; params && i < params->n; i++) {
		struct params one = { .list = &params->list[i], .n = 1 };
		struct span key = buf_span(&params->list[i].key);

		if (span_eq(key, "reasoning") || span_eq(key, "text"))
			continue;
		if (params_add_others(&one, own, b, e) < 0)
			return -1;
	}
	return 0;
}

/* The API has no seed and no stop sequences. */
static int openai_add_params(struct buf *b, const struct params *params, struct err *e)
{
	if (params_refuse(params, "seed", "openai", e) < 0 ||
	    params_refuse(params, "stop", "openai", e) < 0)
		return -1;
	if (params_get(params, "max_tokens").p && params_get(params, "max_output_tokens").p)
		return err_set(e, ERR_USAGE, "'max_tokens' and 'max_output_tokens' are the same; give one");
	json_put_raw(b, "temperature", params_get(params, "temperature"));
	json_put_raw(b, "top_p", params_get(params, "top_p"));
	json_put_raw(b, "max_output_tokens", params_get(params, "max_tokens"));
	return add_others(b, params, e);
}

/* OpenAI stores nothing ("store"): mcbox keeps the conversation and sends it each time. */
static int openai_request(const struct chat_request *rq, struct buf *url, struct buf *body,
                          struct err *e)
{
	wire_url(url, rq->base_url, "/responses");
	wire_url_end(url, rq->base_url, "");
	json_open(body, '{');
	json_put_word(body, "model", rq->model);
	json_put_optional(body, "instructions", rq->system);
	if (add_input(body, rq, e) < 0)
		return -1;
	json_put_bool(body, "store", false);
	json_put_bool(body, "stream", rq->stream);
	if (!rq->no_native && encrypts(fit_plain_name(span_str(rq->model))) && !params_get(rq->params, "include").p)
		json_put_raw(body, "include", span_str("[\"reasoning.encrypted_content\"]"));
	if (add_reasoning(body, rq, e) < 0 || openai_add_text(body, rq, e) < 0 ||
	    openai_add_params(body, rq->params, e) < 0)
		return -1;
	json_close(body, '}');
	return buf_check(url, e) < 0 ? -1 : buf_check(body, e);
}

/* ---- errors ---- */

/* The status for an error in a stream, which has none. invalid_request_error may mean several, including a
 * wrong key. */
static long status_of(struct span word)
{
	static const struct {
		const char *word;
		long status;
	} known[] = {
		{ "server_error", 500 },          { "server_is_overloaded", 503 },
		{ "rate_limit_exceeded", 429 },   { "rate_limit_error", 429 },
		{ "slow_down", 429 },             { "context_length_exceeded", 400 },
		{ "invalid_prompt", 400 },        { "invalid_api_key", 401 },
		{ "model_not_found", 404 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_eq(word, known[i].word))
			return known[i].status;
	return wire_says_quota(word) ? 429 : 0;
}

static void openai_judge(struct problem *p, struct json_object *error)
{
	struct span code = json_member_str(error, "code"), type = json_member_str(error, "type");

	p->status = p->status ? p->status : status_of(code);
	p->status = p->status ? p->status : status_of(type);
	if (wire_is_context(error, p) || span_eq(code, "context_length_exceeded"))
		p->kind = PROBLEM_CONTEXT;
	else if (span_eq(code, "model_not_found"))
		p->kind = PROBLEM_MODEL;
	else if (wire_says_quota(code) || wire_says_quota(type))
		p->kind = PROBLEM_QUOTA;
}

/* {"error":{…}}, a failed response, or the event `error`, whose members are its own or those of its
 * "error". */
static void openai_take_problem(struct json_object *o, struct problem *p)
{
	struct json_object *inner = json_member(o, "error");
	struct json_object *error = json_object_is_type(inner, json_type_object) ? inner : o;

	wire_add_message(&p->message, o);
	if (!p->message.n)
		wire_add(&p->message, error, "code");
	p->status = wire_status(error, "code");
	openai_judge(p, error);
}

static void openai_problem(struct span body, struct problem *p)
{
	wire_problem(body, openai_take_problem, p);
}

/* ---- reading the answer ---- */

/* Parts of reasoning, and messages, become paragraphs. */
static void paragraph(struct buf *b)
{
	if (b->n && !span_ends(buf_span(b), "\n\n"))
		buf_adds(b, "\n\n");
}

static void openai_take_usage(struct reply *r, struct json_object *response)
{
	struct json_object *u = json_member(response, "usage");

	if (!json_object_is_type(u, json_type_object))
		return;
	r->usage.input = wire_count(u, "input_tokens");
	r->usage.output = wire_count(u, "output_tokens");
	r->usage.total = wire_count(u, "total_tokens");
	r->usage.reasoning = wire_count(json_member(u, "output_tokens_details"), "reasoning_tokens");
	r->usage.cached = wire_count(json_member(u, "input_tokens_details"), "cached_tokens");
	r->usage.cache_write = wire_count(json_member(u, "input_tokens_details"), "cache_write_tokens");
	r->usage.cost = wire_cost(u);
}

static void openai_take_message(struct reply *r, struct json_object *item)
{
	struct json_object *content = json_member(item, "content");

	paragraph(&r->text);
	for (size_t i = 0; i < wire_length(content); i++) {
		struct json_object *part = wire_element(content, i);

		wire_add_part(r, part);
		wire_add(&r->text, part, "refusal");
		if (json_member_str(part, "refusal").n)
			wire_finish(r, span_str(FINISH_REFUSED));
	}
}

static void take_thoughts(struct buf *b, struct json_object *parts)
{
	for (size_t i = 0; i < wire_length(parts); i++) {
		paragraph(b);
		wire_add(b, wire_element(parts, i), "text");
	}
}

/* Calls that the server runs itself have other types. */
static bool is_call(struct span type)
{
	static const char *const calls[] = { "function_call", "custom_tool_call", "computer_call",
		                             "local_shell_call", "shell_call", "apply_patch_call", NULL };
	const char *const *c = calls;

	while (*c && !span_eq(type, *c))
		c++;
	return *c != NULL;
}

/* Calls of tools that are not functions have other members, or none. */
static void take_call(struct reply *r, struct json_object *item, int64_t index)
{
	struct reply_call *c = wire_call(r, json_member_str(item, "call_id"), index);
	struct json_object *arguments = json_member(item, "arguments");

	wire_call_name(r, c, json_member_str(item, "name"));
	wire_call_whole(r, c, arguments ? arguments : json_member(item, "input"));
}

/* An item that can be sent back: without empty members, which the API sends but does not accept. */
static void take_native(struct reply *r, struct json_object *item)
{
	static const char *const keys[] = { "status", "content", "encrypted_content", "phase", NULL };
	struct span type = json_member_str(item, "type");

	for (const char *const *key = keys; *key; key++)
		if (json_object_object_get_ex(item, *key, NULL) && !wire_says(json_member(item, *key)))
			json_object_object_del(item, *key);
	if (span_eq(type, "reasoning") && json_member_str(item, "encrypted_content").n)
		wire_native(r, item);
	else if (span_eq(type, "message") || span_eq(type, "function_call"))
		wire_plain(r, item);
}

/* Some gateways set the status only in the message. */
static void take_item(struct reply *r, struct json_object *item, int64_t index)
{
	struct span type = json_member_str(item, "type"), status = json_member_str(item, "status");

	if (is_call(type))
		take_call(r, item, index);
	if (!span_eq(type, "message"))
		return;
	if (wire_error(item) || span_eq(status, "failed")) {
		wire_finish(r, span_str("failed"));
		if (!r->problem.message.n)
			wire_add_message(&r->problem.message, json_member(item, "error"));
	} else if (span_eq(status, "incomplete") && !r->finish_reason.n) {
		wire_finish(r, status);
	}
}

/* A whole item. In a stream it repeats what has arrived, unless a gateway sends it only here. */
static void take_output(struct reply *r, struct json_object *output)
{
	bool reasoning = !r->reasoning.n;

	if (wire_length(output)) {
		buf_clear(&r->native);
		buf_clear(&r->plain);
	}
	for (size_t i = 0; i < wire_length(output); i++) {
		struct json_object *item = wire_element(output, i);
		struct span type = json_member_str(item, "type");

		if (!r->streamed && span_eq(type, "message"))
			openai_take_message(r, item);
		if (reasoning && span_eq(type, "reasoning")) {
			take_thoughts(&r->reasoning, json_member(item, "summary"));
			take_thoughts(&r->reasoning, json_member(item, "content"));
		}
		take_item(r, item, (int64_t)i);
		take_native(r, item);
	}
}

/* The finish reason for a response's status. The status counts more than the type of the event, because
 * gateways send response.completed for all. */
static struct span status_of_response(struct json_object *response, struct span event)
{
	static const char *const known[] = { "completed", "incomplete", "failed", "cancelled", NULL };
	struct span own = json_member_str(response, "status");

	if (!event.n)
		event = span_str("completed");
	if (wire_error(response))
		return span_str("failed");
	for (const char *const *k = known; *k; k++)
		if (span_eq(own, *k))
			event = own;
	if (span_eq(event, "completed") && json_member_str(json_member(response, "incomplete_details"), "reason").n)
		return span_str("incomplete");
	return event;
}

static int take_response(struct reply *r, struct json_object *response, struct span event,
                         struct err *e)
{
	struct span reason = json_member_str(json_member(response, "incomplete_details"), "reason");
	struct span status = status_of_response(response, event);

	openai_take_usage(r, response);
	if (span_eq(status, "failed")) {
		openai_take_problem(response, &r->problem);
		return wire_report(&r->problem, e);
	}
	take_output(r, json_member(response, "output"));
	if (!span_eq(status, "completed"))
		wire_finish(r, reason.n ? reason : status);
	else if (!r->finish_reason.n)
		wire_finish(r, span_str(FINISH_STOP));
	r->done = true;
	return 0;
}

/* The call that an event is about, or NULL. */
static struct reply_call *call_at(struct reply *r, struct json_object *event)
{
	return r->ncalls ? wire_call(r, (struct span){ "", 0 }, wire_count(event, "output_index")) : NULL;
}

/* The type without "response." before it. */
static int take_typed(struct reply *r, struct json_object *o, struct span type, struct err *e)
{
	struct json_object *part = json_member(o, "part");

	size_t had = r->text.n;

	if (span_eq(type, "output_text.delta")) {
		wire_add(&r->text, o, "delta");
		r->streamed |= r->text.n > had;
	} else if (span_eq(type, "refusal.delta")) {
		wire_add(&r->text, o, "delta");
		r->streamed |= r->text.n > had;
		wire_finish(r, span_str(FINISH_REFUSED));
	} else if (span_eq(type, "reasoning_summary_text.delta") ||
	           span_eq(type, "reasoning_text.delta")) {
		wire_add(&r->reasoning, o, "delta");
	} else if (span_eq(type, "reasoning_summary_part.added")) {
		paragraph(&r->reasoning);
	} else if (span_eq(type, "content_part.added")) {
		if (span_eq(json_member_str(part, "type"), "reasoning_text"))
			paragraph(&r->reasoning);
		else if (wire_count(o, "content_index") == 0)
			paragraph(&r->text);
	} else if (span_eq(type, "output_item.added") || span_eq(type, "output_item.done")) {
		take_item(r, json_member(o, "item"), wire_count(o, "output_index"));
		if (span_eq(type, "output_item.done"))
			take_native(r, json_member(o, "item"));
	} else if (span_eq(type, "function_call_arguments.delta")) {
		wire_call_piece(r, call_at(r, o), json_member(o, "delta"));
	} else if (span_eq(type, "function_call_arguments.done")) {
		wire_call_whole(r, call_at(r, o), json_member(o, "arguments"));
	} else if (span_eq(type, "completed") || span_eq(type, "incomplete") ||
	           span_eq(type, "failed") || span_eq(type, "cancelled")) {
		if (!wire_error(o))
			return take_response(r, json_member(o, "response"), type, e);
		openai_take_problem(o, &r->problem); /* beside the response, at gateways */
		return wire_report(&r->problem, e);
	}
	return 0;
}

/* Gateways may send an error as the bare body of an answer that does not stream. */
static bool is_error(struct json_object *o)
{
	struct span type = json_member_str(o, "type");

	return span_eq(type, "error") || span_eq(type, "response.error") ||
	       (!wire_begins(type, "response.") && wire_error(o));
}

static int take_object(struct reply *r, struct json_object *o, struct err *e)
{
	struct span type = json_member_str(o, "type");

	if (is_error(o)) {
		openai_take_problem(o, &r->problem);
		return wire_report(&r->problem, e);
	}
	if (!wire_begins(type, "response."))
		return 0;
	return take_typed(r, o, (struct span){ type.p + 9, type.n - 9 }, e);
}

/* Gateways add [DONE]; OpenAI's end mark is a typed event. */
static int openai_take_event(struct reply *r, struct span data, struct err *e)
{
	struct json_object *o;
	int what = wire_object_event(data, &o, e);

	return what == WIRE_VALUE ? wire_done(o, take_object(r, o, e), r, e) : what < 0 ? -1 : 0;
}

/* A response that is still running (queued, in_progress) or was cancelled is not a reply. */
static int check_whole(struct json_object *o, struct span status, struct err *e)
{
	if (span_eq(status, "completed") || span_eq(status, "incomplete") || span_eq(status, "failed"))
		return 0;
	if (status.n)
		return err_set(e, ERR_NETWORK, "the server's answer contains no reply: its status is '%.*s'",
		               (int)status.n, status.p);
	if (json_object_is_type(json_member(o, "output"), json_type_array))
		return 0;
	return wire_no_reply(e);
}

static int openai_take_whole(struct reply *r, struct span body, struct err *e)
{
	struct json_object *o;
	struct span status;
	int result;

	if (wire_parse_body(body, &o, e) < 0)
		return -1;
	status = json_member_str(o, "status");
	if (!status.n && wire_error(o)) {
		openai_take_problem(o, &r->problem);
		result = wire_report(&r->problem, e);
	} else {
		result = check_whole(o, status, e);
	}
	if (result == 0)
		result = take_response(r, o, status, e);
	return wire_done(o, result, r, e);
}

static int end(const struct reply *r, struct err *e)
{
	return r->done ? wire_end(r, e) : wire_cut_short(e);
}

/* ---- models ---- */

/* The list has only ids and dates: neither the API nor the window of a model. */
static struct model openai_read_model(struct json_object *o)
{
	return (struct model){ .id = json_member_str(o, "id"), .name = { "", 0 } };
}

static int openai_models(struct span body, int (*take_model)(void *ctx, const struct model *m, struct err *e),
                         void *ctx, struct buf *next, struct err *e)
{
	struct json_object *o;
	int r;

	(void)next;
	if (wire_parse_models(body, &o, e) < 0)
		return -1;
	r = wire_take_models(wire_models_of(o, "data"), openai_read_model, take_model, ctx, e);
	json_object_put(o);
	return r;
}

/* Without gpt-oss, which other servers offer. */
static const char *const families[] = { "gpt-4", "gpt-5", "gpt-6", "gpt-7", "chatgpt-", "o1", "o3",
	                                "o4", "ft:gpt-", NULL };
static const char *const key_env[] = { "OPENAI_API_KEY", NULL };

const struct provider provider_openai = {
	.name = "openai",
	.summary = "OpenAI's Responses API",
	.base_url = "https://api.openai.com/v1",
	.model = "gpt-6.2-sol",
	.families = families,
	.key_env = key_env,
	.url_env = "OPENAI_BASE_URL",
	.key_header = "Authorization: Bearer ",
	.request = openai_request,
	.event = openai_take_event,
	.whole = openai_take_whole,
	.end = end,
	.problem = openai_problem,
	.models_url = wire_models_url,
	.models = openai_models,
	.window = openai_window,
};
