/*
 * google: the Gemini API, models/MODEL:streamGenerateContent and :generateContent.
 *
 * References: ai.google.dev/api/generate-content (request, response, finish and block
 * reasons, usage) and …/api/models; ai.google.dev/gemini-api/docs/generate-content/thinking,
 * …/structured-output, …/image-understanding, …/document-processing, …/tokens,
 * …/openai (what a reasoning effort is in tokens), …/rate-limits and
 * …/generate-content/api-errors; github.com/googleapis/python-genai, google/genai/types.py.
 *
 * A stream has no end mark: it ends with the connection. The finish reason says that the
 * reply is complete, but chunks with usage may follow it, so nothing here sets `done` before
 * the end of a stream.
 */
#include <string.h>

#include "base/base64.h"
#include "provider/fit.h"
#include "base/utf8.h"
#include "provider/wire.h"

#define DEFAULT_URL "https://generativelanguage.googleapis.com/v1beta"
#define DEFAULT_MODEL "gemini-flash-latest" /* an alias that moves with the stable models */
#define VERSION "/v1beta"

/* ---- the URL ---- */

/* Whether a segment of a path is a version: v1, v1beta, v1alpha, v2beta1. */
static bool is_version(struct span s)
{
	size_t i = 1;

	if (s.n < 2 || s.p[0] != 'v' || s.p[1] < '0' || s.p[1] > '9')
		return false;
	while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'z')))
		i++;
	return i == s.n;
}

/* Google's libraries expect a base URL without a version, other programs expect it with one. A version
 * may be anywhere in the path, as in …/v1/publishers/google. */
static bool has_version(const char *base_url)
{
	const char *scheme = strstr(base_url, "://"), *p = scheme ? scheme + 3 : base_url;

	for (p += strcspn(p, "/?"); *p == '/'; p += strcspn(p, "/?")) {
		p++;
		if (is_version((struct span){ p, strcspn(p, "/?") }))
			return true;
	}
	return false;
}

static void add_base(struct buf *url, const char *base_url, const char *path)
{
	wire_url(url, base_url, has_version(base_url) ? "" : VERSION);
	buf_adds(url, path);
}

/* The lists write models/NAME; mcbox uses NAME. */
static struct span bare_name(struct span model)
{
	size_t n = wire_begins(model, "models/") ? strlen("models/") : 0;

	return (struct span){ model.p + n, model.n - n };
}

static void add_model(struct buf *url, const char *base_url, const char *name)
{
	struct span model = bare_name(span_str(name));
	bool tuned = wire_begins(model, "tunedModels/");

	add_base(url, base_url, tuned ? "/tunedModels/" : "/models/");
	if (tuned)
		model = span_str(model.p + strlen("tunedModels/"));
	wire_add_encoded(url, model);
}

/* ---- the conversation ---- */

static const char role_user[] = "user", role_model[] = "model";

static void end_turn(struct buf *b, const char *role)
{
	if (!role)
		return;
	json_close(b, ']');
	json_close(b, '}');
}

/* Begins a part of a message of `whose` role. Roles must alternate: a prompt without an answer becomes
 * one message with the next prompt. */
static void open_part(struct buf *b, const char **role, const char *whose)
{
	if (*role == whose)
		return;
	end_turn(b, *role);
	json_open(b, '{');
	json_put_word(b, "role", whose);
	json_put_open(b, "parts", '[');
	*role = whose;
}

static void google_add_text(struct buf *b, struct span text)
{
	json_open(b, '{');
	json_put_text(b, "text", text);
	json_close(b, '}');
}

static int google_add_file(struct buf *b, const struct attachment *a, struct err *e)
{
	if (wire_is_text(a)) {
		json_open(b, '{');
		json_key(b, "text");
		wire_text_file(b, a);
		json_close(b, '}');
		return 0;
	}
	if (span_eq(a->type, "image/gif"))
		return err_set(e, ERR_USAGE, "google does not accept GIF images; convert '%.*s' to PNG",
		               (int)a->name.n, a->name.p);
	if (!wire_is_image(a) && !wire_is_pdf(a))
		return wire_refuse_file(a, "google", e);
	json_open(b, '{');
	json_put_open(b, "inlineData", '{');
	json_put_text(b, "mimeType", a->type);
	json_put_open(b, "data", '"');
	base64_add(b, a->bytes);
	json_close(b, '"');
	json_close(b, '}');
	json_close(b, '}');
	return 0;
}

/* Begins a call or a result; their first members are the same. */
static void add_function(struct buf *b, const char *part, struct span id, struct span name)
{
	json_open(b, '{');
	json_put_open(b, part, '{');
	if (id.n)
		json_put_text(b, "id", id);
	json_put_text(b, "name", name);
}

/* The native part of the call with this number; NULL: it has none. */
static struct json_object *native_call(struct json_object *native, size_t place)
{
	for (size_t i = 0; i < wire_length(native); i++)
		if (json_member(wire_element(native, i), "functionCall") && place-- == 0)
			return json_member(wire_element(native, i), "functionCall");
	return NULL;
}

/* The id that the model sent. Older models send none, and then the result must not have one either. */
static struct span id_of(struct span call, const struct message *asked, struct json_object *native)
{
	struct json_object *own;
	size_t place = 0;

	for (size_t i = 0; i < asked->n; i++) {
		if (asked->parts[i].kind != MESSAGE_CALL)
			continue;
		if (span_same(asked->parts[i].call.id, call)) {
			own = native_call(native, place);
			return own ? json_member_str(own, "id") : call;
		}
		place++;
	}
	return call;
}

static void google_add_result(struct buf *b, const struct tool_result *t, struct span id)
{
	add_function(b, "functionResponse", id, t->name);
	json_put_open(b, "response", '{');
	json_put_text(b, t->failed ? "error" : "output", t->output);
	json_close(b, '}');
	json_close(b, '}');
	json_close(b, '}');
}

static int add_query(struct buf *b, const char **role, const struct message *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct message_part *p = &m->parts[i];

		if (p->kind == MESSAGE_TEXT && !p->text.n && m->n > 1)
			continue; /* the server refuses empty parts */
		open_part(b, role, role_user);
		if (p->kind == MESSAGE_TEXT)
			google_add_text(b, p->text);
		else if (p->kind == MESSAGE_FILE && google_add_file(b, &p->file, e) < 0)
			return -1;
	}
	return 0;
}

/* Text is part of the reply or of a summary of the thoughts. Other parts are for tools, code and images. */
static bool is_thought(struct json_object *part)
{
	struct json_object *thought = json_member(part, "thought");

	return json_object_is_type(thought, json_type_boolean) && json_object_get_boolean(thought);
}

/* The text without the text of the signed parts, which follow it. A signature of a text may be omitted. */
static bool take_signed(struct json_object *native, struct span *text)
{
	struct span all = *text;

	for (size_t i = wire_length(native); i-- > 0;) {
		struct span piece = json_member_str(wire_element(native, i), "text");

		if (is_thought(wire_element(native, i)))
			continue;
		if (all.n < piece.n || memcmp(all.p + all.n - piece.n, piece.p, piece.n) != 0)
			return false;
		all.n -= piece.n;
	}
	*text = all;
	return true;
}

static void add_native(struct buf *b, const char **role, struct json_object *native, bool thoughts, bool texts)
{
	for (size_t i = 0; i < wire_length(native); i++) {
		struct json_object *part = wire_element(native, i);

		if (is_thought(part) != thoughts || (!texts && json_member(part, "text")))
			continue;
		open_part(b, role, role_model);
		json_item_value(b, part);
	}
}

/*
 * Signed parts are native and are sent back unchanged: the server requires a call's signature until the
 * next prompt; if there are several calls, the first has the signature for all of them
 * (ai.google.dev/gemini-api/docs/thought-signatures). An empty answer is omitted, because the server
 * refuses messages without parts.
 */
static void google_add_answer(struct buf *b, const char **role, const struct message *m, struct json_object *native)
{
	struct span text = wire_text_of(m);
	bool texts = take_signed(native, &text);
	size_t place = 0;

	add_native(b, role, native, true, true);
	if (texts && native ? text.n > 0 : !utf8_is_blank(text)) {
		open_part(b, role, role_model);
		google_add_text(b, text);
	}
	add_native(b, role, native, false, texts);
	for (size_t i = 0; i < m->n; i++) {
		const struct tool_call *c = &m->parts[i].call;

		if (m->parts[i].kind != MESSAGE_CALL || native_call(native, place++))
			continue;
		open_part(b, role, role_model);
		add_function(b, "functionCall", c->id, c->name);
		json_key(b, "args");
		json_add_value(b, c->arguments);
		json_close(b, '}');
		json_close(b, '}');
	}
}

/* The files follow all results: there must be as many results as calls. */
static int add_results(struct buf *b, const char **role, const struct message *m, const struct message *asked,
                       struct json_object *native, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct tool_result *t = &m->parts[i].result;

		open_part(b, role, role_user);
		google_add_result(b, t, id_of(t->call, asked, native));
	}
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < m->parts[i].result.nfiles; k++) {
			open_part(b, role, role_user);
			if (google_add_file(b, &m->parts[i].result.files[k], e) < 0)
				return -1;
		}
	return 0;
}

static int add_contents(struct buf *b, const struct chat_request *rq, struct err *e)
{
	const char *role = NULL;

	json_put_open(b, "contents", '[');
	for (size_t i = 0; i < rq->nmessages; i++) {
		const struct message *m = &rq->messages[i];
		int r = 0;

		if (m->role == ROLE_USER)
			r = add_query(b, &role, m, e);
		else if (m->role == ROLE_ASSISTANT)
			google_add_answer(b, &role, m, wire_native_of(rq, m));
		else
			r = add_results(b, &role, m, m - 1, wire_native_of(rq, m - 1), e);
		if (r < 0)
			return -1;
	}
	end_turn(b, role);
	json_close(b, ']');
	if (rq->system.n) {
		json_put_open(b, "systemInstruction", '{');
		json_put_open(b, "parts", '[');
		google_add_text(b, rq->system);
		json_close(b, ']');
		json_close(b, '}');
	}
	return 0;
}

/* ---- parameters ---- */

/* Common parameters that have another name in this API. */
static const struct {
	const char *key, *member;
} names[] = {
	{ "temperature", "temperature" },
	{ "top_p", "topP" },
	{ "max_tokens", "maxOutputTokens" },
	{ "seed", "seed" },
	{ "stop", "stopSequences" },
	{ "reasoning_effort", "thinkingConfig" },
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* Members of the request itself; other parameters are members of generationConfig. */
static bool is_top_level(struct span key)
{
	static const char *const top[] = { "safetySettings", "tools", "toolConfig", "cachedContent",
		                           "labels", "serviceTier", "store", NULL };
	const char *const *t = top;

	while (*t && !span_eq(key, *t))
		t++;
	return *t != NULL;
}

/* ERR_USAGE for a member that mcbox sets itself. */
static int check_free(const struct chat_request *rq, struct span key, struct err *e)
{
	static const char *const own[] = { "contents", "systemInstruction", "generationConfig",
		                           "model", NULL };
	static const char *const of_schema[] = { "responseMimeType", "responseJsonSchema",
		                                 "responseSchema", "responseFormat", NULL };

	for (const char *const *o = own; *o; o++)
		if (span_eq(key, *o))
			return err_set(e, ERR_USAGE, "'%s' cannot be set with -o", *o);
	for (const char *const *o = of_schema; rq->schema.p && *o; o++)
		if (span_eq(key, *o))
			return err_set(e, ERR_USAGE, "'%s' cannot be combined with a schema", *o);
	for (size_t i = 0; i < NAMES; i++)
		if (span_eq(key, names[i].member) && params_get(rq->params, names[i].key).p)
			return err_set(e, ERR_USAGE, "'%s' and '%s' set the same parameter; omit one",
			               names[i].key, names[i].member);
	return 0;
}

static int add_others(const struct chat_request *rq, struct buf *body, struct buf *config,
                      struct err *e)
{
	for (size_t i = 0; rq->params && i < rq->params->n; i++) {
		const struct param *p = &rq->params->list[i];
		struct span key = buf_span(&p->key);
		struct buf *b = is_top_level(key) ? body : config;

		if (param_is_common(key))
			continue;
		if (check_free(rq, key, e) < 0)
			return -1;
		json_put_raw(b, key.p, buf_span(&p->value));
	}
	return 0;
}

/* Models of the generation 2.5 take a number of tokens; Google's Chat Completions translate an effort to
 * these numbers. */
static int add_budget(struct buf *b, const struct chat_request *rq, struct span effort,
                      struct err *e)
{
	static const struct {
		const char *effort;
		int tokens;
	} budgets[] = {
		{ "none", 0 }, { "minimal", 1024 }, { "low", 1024 }, { "medium", 8192 }, { "high", 24576 },
	};

	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++)
		if (span_eq(effort, budgets[i].effort)) {
			json_put_int(b, "thinkingBudget", budgets[i].tokens);
			return 0;
		}
	return err_set(e, ERR_USAGE, "'reasoning_effort' must be none, minimal, low, medium or high for "
	               "'%s'", rq->model);
}

/* Later models take a level; each model has only some of them. */
static void add_level(struct buf *b, struct span effort)
{
	struct buf upper = BUF_INIT;

	for (size_t i = 0; i < effort.n; i++) {
		bool lower = effort.p[i] >= 'a' && effort.p[i] <= 'z';

		buf_addc(&upper, lower ? (char)(effort.p[i] - 'a' + 'A') : effort.p[i]);
	}
	json_put_text(b, "thinkingLevel", buf_span(&upper));
	b->oom |= upper.oom;
	buf_release(&upper);
}

static int add_effort(struct buf *b, const struct chat_request *rq, struct span json, struct err *e)
{
	struct json_object *o;
	struct span effort;
	int r = 0;

	if (json_parse_lenient(json, &o, e) < 0)
		return -1;
	effort = (struct span){ json_object_get_string(o), (size_t)json_object_get_string_len(o) };
	if (wire_begins(bare_name(span_str(rq->model)), "gemini-2.5"))
		r = add_budget(b, rq, effort, e);
	else
		add_level(b, effort);
	json_object_put(o);
	return r;
}

/* The user's own thinkingConfig does not change. */
static int add_thinking(struct buf *b, const struct chat_request *rq, struct err *e)
{
	struct span effort = params_get(rq->params, "reasoning_effort");

	bool thoughts = rq->reasoning && fit_reasons("google", rq->model); /* other models refuse this */

	if (params_get(rq->params, "thinkingConfig").p || (!effort.p && !thoughts))
		return 0;
	json_put_open(b, "thinkingConfig", '{');
	if (effort.p && add_effort(b, rq, effort, e) < 0)
		return -1;
	if (thoughts)
		json_put_bool(b, "includeThoughts", true);
	json_close(b, '}');
	return 0;
}

static void add_common(struct buf *b, const struct params *params)
{
	for (size_t i = 0; i < NAMES; i++) {
		struct span value = params_get(params, names[i].key);

		if (strcmp(names[i].member, "thinkingConfig") == 0)
			continue;
		if (strcmp(names[i].key, "stop") == 0 && value.n && value.p[0] == '"') {
			json_put_open(b, names[i].member, '[');
			json_item_raw(b, value);
			json_close(b, ']');
		} else {
			json_put_raw(b, names[i].member, value);
		}
	}
}

static int add_config(struct buf *body, struct buf *config, const struct chat_request *rq,
                      struct err *e)
{
	json_open(config, '{');
	add_common(config, rq->params);
	if (add_thinking(config, rq, e) < 0)
		return -1;
	if (rq->schema.p) {
		json_put_word(config, "responseMimeType", "application/json");
		json_put_raw(config, "responseJsonSchema", rq->schema);
	}
	if (add_others(rq, body, config, e) < 0 || buf_check(config, e) < 0)
		return -1;
	json_close(config, '}');
	if (!span_eq(buf_span(config), "{}"))
		json_put_raw(body, "generationConfig", buf_span(config));
	return 0;
}

static int google_request(const struct chat_request *rq, struct buf *url, struct buf *body,
                          struct err *e)
{
	struct buf config = BUF_INIT;
	int r;

	add_model(url, rq->base_url, rq->model);
	buf_adds(url, rq->stream ? ":streamGenerateContent" : ":generateContent");
	wire_url_end(url, rq->base_url, rq->stream ? "alt=sse" : "");
	json_open(body, '{');
	r = add_contents(body, rq, e);
	if (r == 0)
		r = add_config(body, &config, rq, e);
	buf_release(&config);
	json_close(body, '}');
	return r < 0 || buf_check(url, e) < 0 ? -1 : buf_check(body, e);
}

/* ---- errors ---- */

static bool says(const struct problem *p, const char *words)
{
	return strcasestr(p->message.p, words) != NULL;
}

/* Messages of errors without details. */
static bool is_about_key(const struct problem *p)
{
	return says(p, "API key not valid") || says(p, "API key not found") ||
	       says(p, "API key expired");
}

/* google.rpc.ErrorInfo has a reason; google.rpc.QuotaFailure names the quotas. */
static bool has_reason(struct json_object *details, const char *reason)
{
	for (size_t i = 0; i < wire_length(details); i++)
		if (span_eq(json_member_str(wire_element(details, i), "reason"), reason))
			return true;
	return false;
}

static bool has_day_quota(struct json_object *details)
{
	for (size_t i = 0; i < wire_length(details); i++) {
		struct json_object *list = json_member(wire_element(details, i), "violations");

		for (size_t k = 0; k < wire_length(list); k++) {
			struct span id = json_member_str(wire_element(list, k), "quotaId");

			if (memmem(id.p, id.n, "PerDay", 6))
				return true;
		}
	}
	return false;
}

/* Too many requests in a minute, which passes, have the same status as what does not pass: the quota of a
 * day, a quota of zero (the model is not in this tier), a spending cap, no credits. */
static bool is_used_up(const struct problem *p, struct json_object *details)
{
	return p->status == 402 || has_day_quota(details) || says(p, "per day") ||
	       says(p, "limit: 0") || says(p, "prepay") || says(p, "credits") ||
	       says(p, "spending cap") || says(p, "spend cap");
}

static bool is_context(const struct problem *p)
{
	return says(p, "token count") && says(p, "exceeds the maximum number of tokens");
}

static void take_kind(struct problem *p, struct span status, struct json_object *details)
{
	struct span message = buf_span(&p->message);

	if (is_context(p)) {
		p->kind = PROBLEM_CONTEXT;
		p->tokens = wire_number_after(message, "token count (");
		p->window = wire_number_after(message, "maximum number of tokens");
	} else if ((span_eq(status, "NOT_FOUND") && says(p, "model")) ||
	           says(p, "unexpected model name")) {
		p->kind = PROBLEM_MODEL;
	} else if (span_eq(status, "RESOURCE_EXHAUSTED") && is_used_up(p, details)) {
		p->kind = PROBLEM_QUOTA;
	} else if (has_reason(details, "API_KEY_INVALID") || is_about_key(p)) {
		p->status = 401; /* the answer says 400 */
	}
}

/* {"error":{"code":…,"message":…,"status":…,"details":[…]}}, in an array if the server
 * streams without server-sent events. */
static void google_take_problem(struct json_object *o, struct problem *p)
{
	struct json_object *error;

	o = wire_first_or_self(o);
	error = json_member(o, "error");
	wire_add_message(&p->message, o);
	p->status = wire_status(error, "code");
	take_kind(p, json_member_str(error, "status"), json_member(error, "details"));
}

static void google_problem(struct span body, struct problem *p)
{
	wire_problem(body, google_take_problem, p);
}

/* ---- reading the answer ---- */

/* Each chunk counts from the beginning. Counts of 0 are omitted, so the output may follow from the total
 * alone. */
static void google_take_usage(struct reply *r, struct json_object *o)
{
	struct json_object *u = json_member(o, "usageMetadata");
	struct usage *to = &r->usage;
	int64_t total = wire_count(u, "totalTokenCount");

	if (total < 0 && wire_count(u, "promptTokenCount") < 0)
		return;
	to->input = wire_sum(wire_count(u, "promptTokenCount"),
	                     wire_count(u, "toolUsePromptTokenCount"));
	to->cached = wire_count(u, "cachedContentTokenCount");
	to->reasoning = wire_count(u, "thoughtsTokenCount");
	to->output = wire_sum(wire_count(u, "candidatesTokenCount"), to->reasoning);
	if (to->output < 0 && to->input >= 0 && total >= to->input)
		to->output = total - to->input;
	to->total = to->input >= 0 && to->output >= 0 ? wire_sum(to->input, to->output) : total;
}


/* A call arrives whole and once; older models send no id. */
static void take_call(struct reply *r, struct json_object *call)
{
	struct reply_call *c = wire_call(r, json_member_str(call, "id"), (int64_t)r->ncalls);

	wire_call_name(r, c, json_member_str(call, "name"));
	wire_call_whole(r, c, json_member(call, "args"));
}

/* Keeps signed parts, and all calls if one is signed. */
static void take_native(struct reply *r, struct json_object *part)
{
	if (json_member_str(part, "thoughtSignature").n)
		wire_native(r, part);
	else if (json_member(part, "functionCall") && r->native.n)
		wire_native(r, part);
	else if (json_member(part, "functionCall"))
		wire_plain(r, part);
}

static void add_parts(struct reply *r, struct json_object *parts)
{
	for (size_t i = 0; i < wire_length(parts); i++) {
		struct json_object *part = wire_element(parts, i);

		wire_add(is_thought(part) ? &r->reasoning : &r->text, part, "text");
		if (json_member(part, "functionCall"))
			take_call(r, json_member(part, "functionCall"));
		take_native(r, part);
	}
}

/* The first candidate; candidateCount asks for more, each with its index. */
static struct json_object *candidate_of(struct json_object *o)
{
	struct json_object *list = json_member(o, "candidates");
	size_t i = 0;

	while (i < wire_length(list) && wire_count(wire_element(list, i), "index") > 0)
		i++;
	return wire_element(list, i);
}

static void take_candidate(struct reply *r, struct json_object *candidate)
{
	size_t had = r->text.n + r->reasoning.n;

	add_parts(r, json_member(json_member(candidate, "content"), "parts"));
	if (r->text.n + r->reasoning.n > had)
		wire_go_on(r);
	wire_finish(r, json_member_str(candidate, "finishReason"));
	if (finish_kind(buf_span(&r->finish_reason)) == FINISH_FAILURE && !r->problem.message.n)
		wire_add(&r->problem.message, candidate, "finishMessage");
}

/* A refused prompt has no candidates, or an empty one, and a reason. */
static void take_block(struct reply *r, struct json_object *o)
{
	struct span reason = json_member_str(json_member(o, "promptFeedback"), "blockReason");

	if (reason.n && !span_ends(reason, "_UNSPECIFIED"))
		wire_finish(r, span_str(FINISH_REFUSED));
}

static int take_chunk(struct reply *r, struct json_object *o, struct err *e)
{
	struct json_object *candidate = candidate_of(o);
	struct json_object *at = wire_error(o) ? o : wire_error(candidate) ? candidate : NULL;

	if (!json_object_is_type(o, json_type_object))
		return err_set(e, ERR_NETWORK, "the server sent a malformed event: no JSON object");
	if (at != o && candidate)
		take_candidate(r, candidate);
	if (!at)
		take_block(r, o);
	google_take_usage(r, o);
	if (!at)
		return 0;
	google_take_problem(at, &r->problem);
	return wire_report(&r->problem, e);
}

/* One chunk, or a list of them. Takes over `o`. */
static int google_take(struct reply *r, struct json_object *o, struct err *e)
{
	int bad = 0;

	if (!json_object_is_type(o, json_type_array))
		bad = take_chunk(r, o, e);
	for (size_t i = 0; bad == 0 && i < wire_length(o); i++)
		bad = take_chunk(r, wire_element(o, i), e);
	return wire_done(o, bad, r, e);
}

static int google_take_event(struct reply *r, struct span data, struct err *e)
{
	struct json_object *o;
	int what = wire_event(data, &o, e);

	if (what == WIRE_DONE) /* only gateways send an end mark */
		r->done |= r->finish_reason.n > 0;
	return what == WIRE_VALUE ? google_take(r, o, e) : what < 0 ? -1 : 0;
}

/* A server that does not know alt=sse streams an array of the chunks. */
static int google_take_whole(struct reply *r, struct span body, struct err *e)
{
	if (google_take_event(r, body, e) < 0)
		return -1;
	return wire_whole_done(r, e);
}

/* ---- models ---- */

static int models_url(const char *base_url, struct span page, struct buf *url, struct err *e)
{
	add_base(url, base_url, "/models");
	wire_url_end(url, base_url, "pageSize=1000"); /* the maximum */
	if (page.n) {
		buf_adds(url, "&pageToken=");
		wire_add_encoded(url, page);
	}
	return buf_check(url, e);
}

static bool generates(struct json_object *model)
{
	struct json_object *methods = json_member(model, "supportedGenerationMethods");
	size_t i = 0;

	for (; i < wire_length(methods); i++) {
		struct json_object *m = wire_element(methods, i);

		if (json_object_is_type(m, json_type_string) &&
		    strcmp(json_object_get_string(m), "generateContent") == 0)
			return true;
	}
	return false;
}

static struct model google_read_model(struct json_object *o)
{
	struct span none = { "", 0 };
	int64_t tokens = wire_count(o, "inputTokenLimit");

	return (struct model){ generates(o) ? bare_name(json_member_str(o, "name")) : none,
		               json_member_str(o, "displayName"), tokens > 0 ? tokens : 0 };
}

static int google_models(struct span body,
                         int (*take_model)(void *ctx, const struct model *m, struct err *e), void *ctx,
                         struct buf *next, struct err *e)
{
	struct json_object *o;
	int r = 0;

	if (wire_parse_models(body, &o, e) < 0)
		return -1;
	if (!json_object_is_type(o, json_type_object) || json_object_object_length(o)) /* {}: an empty page */
		r = wire_take_models(wire_models_of(o, "models"), google_read_model, take_model, ctx, e);
	if (r == 0)
		wire_add(next, o, "nextPageToken");
	json_object_put(o);
	return r < 0 ? -1 : buf_check(next, e);
}

/* From the models' pages (ai.google.dev/gemini-api/docs/models). Variants for images, speech and the like
 * have smaller windows, which only the list of models has. */
static int64_t google_window(struct span model)
{
	static const char *const million[] = { "gemini-flash-latest", "gemini-flash-lite-latest",
		"gemini-pro-latest", "gemini-2.0-flash", "gemini-2.5-flash", "gemini-2.5-pro",
		"gemini-3-flash", "gemini-3-pro", "gemini-3.1-flash-lite", "gemini-3.1-pro",
		"gemini-3.5-flash", "gemini-3.6-flash", "gemini-3.8-flash", "gemini-4-argon", NULL };
	static const char *const others[] = { "-image", "-tts", "-live", "-audio", "-computer-use",
		                              NULL };

	model = bare_name(model);
	for (const char *const *o = others; *o; o++)
		if (memmem(model.p, model.n, *o, strlen(*o)))
			return 0;
	for (const char *const *m = million; *m; m++)
		if (wire_begins(model, *m))
			return 1048576;
	return 0;
}

static const char *const families[] = { "gemini-", "models/gemini-", NULL };
static const char *const key_env[] = { "GEMINI_API_KEY", "GOOGLE_API_KEY", NULL };

const struct provider provider_google = {
	.name = "google",
	.summary = "Google's Gemini API",
	.base_url = DEFAULT_URL,
	.model = DEFAULT_MODEL,
	.families = families,
	.key_env = key_env,
	.url_env = "GOOGLE_GEMINI_BASE_URL",
	.key_header = "x-goog-api-key: ",
	.request = google_request,
	.event = google_take_event,
	.whole = google_take_whole,
	.end = wire_end,
	.problem = google_problem,
	.models_url = models_url,
	.models = google_models,
	.window = google_window,
};
