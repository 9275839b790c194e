/*
 * anthropic: the Messages API, as Anthropic serves it and as gateways copy it.
 *
 * References, as of November 2026: platform.claude.com/docs/en: api/messages,
 * api/models-list and api/errors; build-with-claude/streaming, …/thinking, …/effort,
 * …/structured-outputs, …/prompt-caching, …/handling-stop-reasons, …/context-windows,
 * …/preserved-thinking, …/vision and …/pdf-support; models/overview.
 * github.com/anthropics/anthropic-sdk-typescript has the types of events and blocks in
 * src/resources/messages/messages.ts, and of the list of models in src/resources/models.ts.
 */
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "provider/fit.h"
#include "provider/wire.h"

#define DEFAULT_URL "https://api.anthropic.com"
#define DEFAULT_MODEL "claude-opus-5-5" /* models/overview recommends it */

/* ---- models that are known ---- */

/* Models before the 4.6 generation think only with a budget of tokens, or not at all, and refuse what
 * newer models require ("adaptive", with an effort). */
enum thinking { ADAPTIVE, BUDGET, NO_THINKING };

static const struct known {
	const char *id; /* or the part before "-" and a version or a date */
	int64_t window;
	int64_t output; /* the largest max_tokens, if less than 64000; or 0 */
	enum thinking thinking;
} known[] = {
	{ "claude-fable-5", 1000000, 0, ADAPTIVE },
	{ "claude-mythos-5", 1000000, 0, ADAPTIVE },
	{ "claude-opus-5", 1000000, 0, ADAPTIVE },
	{ "claude-sonnet-5", 1000000, 0, ADAPTIVE },
	{ "claude-haiku-5-5", 1000000, 0, ADAPTIVE },
	{ "claude-opus-4-8", 1000000, 0, ADAPTIVE },
	{ "claude-opus-4-7", 1000000, 0, ADAPTIVE },
	{ "claude-opus-4-6", 1000000, 0, ADAPTIVE },
	{ "claude-sonnet-4-6", 1000000, 0, ADAPTIVE },
	{ "claude-opus-4-5", 200000, 32000, BUDGET },
	{ "claude-sonnet-4-5", 200000, 32000, BUDGET },
	{ "claude-haiku-4-5", 200000, 32000, BUDGET },
	{ "claude-opus-4-1", 200000, 32000, BUDGET },
	{ "claude-opus-4-0", 200000, 32000, BUDGET },
	{ "claude-opus-4-20250514", 200000, 32000, BUDGET },
	{ "claude-sonnet-4-0", 200000, 32000, BUDGET },
	{ "claude-sonnet-4-20250514", 200000, 32000, BUDGET },
	{ "claude-3-7-sonnet", 200000, 32000, BUDGET },
	{ "claude-3-5-sonnet", 200000, 8192, NO_THINKING },
	{ "claude-3-5-haiku", 200000, 8192, NO_THINKING },
	{ "claude-3", 200000, 4096, NO_THINKING },
	{ "claude-2", 100000, 4096, NO_THINKING },
	{ "claude-instant", 100000, 4096, NO_THINKING },
	{ NULL, 0, 0, ADAPTIVE },
};

/* An unknown model gets the last row. */
static const struct known *know(struct span model)
{
	char room[FIT_NAME];
	struct span name = fit_claude_name(model, room);
	const struct known *k = known;

	while (k->id && !(wire_begins(name, k->id) &&
	                  (name.n == strlen(k->id) || name.p[strlen(k->id)] == '-')))
		k++;
	return k;
}

static int64_t anthropic_window(struct span model)
{
	return know(model)->window;
}

/*
 * The API requires a limit. Unused tokens cost nothing, and thinking counts towards it. It must not exceed
 * what the model can do: 128,000 since 4.6, 64,000 or 32,000 before, 8192 and 4096 for the oldest, unknown
 * for other models of a gateway. Without a stream, the connection might be cut before a longer answer is
 * complete (api/errors). Older models refuse a limit above what the request leaves of the window.
 */
static int64_t default_max_tokens(const struct chat_request *rq)
{
	struct span model = span_str(rq->model);
	int64_t most = know(model)->output, n = rq->stream ? 64000 : 16000;

	if (!memmem(model.p, model.n, "claude", 6))
		n = 8192;
	if (most && most < n)
		n = most;
	return rq->room > 0 && rq->room < n ? rq->room : n;
}

/* ---- writing the request ---- */

/*
 * The API refuses empty blocks of text, and roles must alternate. So each block is added to the open
 * message, and a new message begins when the role changes.
 */
struct draft {
	struct buf *b;
	const char *role; /* of the open message; NULL: none */
};

static void end_message(struct draft *d)
{
	if (!d->role)
		return;
	json_close(d->b, ']');
	json_close(d->b, '}');
}

static void begin_block(struct draft *d, const char *role)
{
	if (!d->role || strcmp(d->role, role) != 0) {
		end_message(d);
		json_open(d->b, '{');
		json_put_word(d->b, "role", role);
		json_put_open(d->b, "content", '[');
		d->role = role;
	}
}

/* Marks the last block: the server caches the prefix that it ends, for the next request. */
static void mark_block(struct buf *b)
{
	b->n -= !b->oom;
	json_put_open(b, "cache_control", '{');
	json_put_word(b, "type", "ephemeral");
	json_close(b, '}');
	json_close(b, '}');
}

static void add_text_block(struct buf *b, struct span text)
{
	json_open(b, '{');
	json_put_word(b, "type", "text");
	json_put_text(b, "text", text);
	json_close(b, '}');
}

static void anthropic_add_text(struct draft *d, const char *role, struct span text)
{
	begin_block(d, role);
	add_text_block(d->b, text);
}

static void add_text_file(struct buf *b, const struct attachment *a)
{
	json_open(b, '{');
	if (utf8_is_blank(a->bytes)) { /* a document must not be empty either */
		json_put_word(b, "type", "text");
		json_key(b, "text");
		wire_text_file(b, a);
	} else {
		json_put_word(b, "type", "document");
		json_put_open(b, "source", '{');
		json_put_word(b, "type", "text");
		json_put_word(b, "media_type", "text/plain");
		json_put_text(b, "data", a->bytes);
		json_close(b, '}');
		json_put_text(b, "title", a->name);
	}
	json_close(b, '}');
}

/* Adds a block to a user's message or to the content of a result. */
static int anthropic_add_file(struct buf *b, const struct attachment *a, struct err *e)
{
	bool image = wire_is_image(a);

	if (wire_is_text(a)) {
		add_text_file(b, a);
		return 0;
	}
	if (!image && !wire_is_pdf(a))
		return wire_refuse_file(a, "anthropic", e);
	json_open(b, '{');
	json_put_word(b, "type", image ? "image" : "document");
	json_put_open(b, "source", '{');
	json_put_word(b, "type", "base64");
	json_put_text(b, "media_type", a->type);
	json_put_open(b, "data", '"');
	base64_add(b, a->bytes);
	json_close(b, '"');
	json_close(b, '}');
	if (!image)
		json_put_text(b, "title", a->name);
	json_close(b, '}');
	return 0;
}

static void anthropic_add_call(struct draft *d, const struct tool_call *c)
{
	begin_block(d, "assistant");
	json_open(d->b, '{');
	json_put_word(d->b, "type", "tool_use");
	json_put_text(d->b, "id", c->id);
	json_put_text(d->b, "name", c->name);
	json_key(d->b, "input");
	json_add_value(d->b, c->arguments);
	json_close(d->b, '}');
}

/* A result may have no content, but no empty block. */
static int anthropic_add_result(struct draft *d, const struct tool_result *t, struct err *e)
{
	bool text = !utf8_is_blank(t->output);

	begin_block(d, "user");
	json_open(d->b, '{');
	json_put_word(d->b, "type", "tool_result");
	json_put_text(d->b, "tool_use_id", t->call);
	if (t->failed)
		json_put_bool(d->b, "is_error", true);
	if (text || t->nfiles) {
		json_put_open(d->b, "content", '[');
		if (text)
			add_text_block(d->b, t->output);
		for (size_t i = 0; i < t->nfiles; i++)
			if (anthropic_add_file(d->b, &t->files[i], e) < 0)
				return -1;
		json_close(d->b, ']');
	}
	json_close(d->b, '}');
	return 0;
}

/* Opus 4 and Sonnet 4 think only on request. */
static bool thinks_unasked(struct span model)
{
	static const char *const asked[] = { "claude-opus-4", "claude-sonnet-4", NULL };
	char room[FIT_NAME];
	struct span name = fit_claude_name(model, room);
	const char *const *a = asked;

	while (*a && !wire_begins(name, *a))
		a++;
	return !*a && know(model)->thinking == ADAPTIVE;
}

/* Whether the model thinks in its reply to this request: if not, the API refuses earlier thinking. Other
 * models of a gateway are assumed to think. */
static bool thinks(const struct chat_request *rq)
{
	struct span own = params_get(rq->params, "thinking"), effort = params_get(rq->params, "reasoning_effort");

	if (own.p)
		return !memmem(own.p, own.n, "\"disabled\"", 10);
	if (span_eq(effort, "\"none\""))
		return false;
	return rq->reasoning || effort.p || thinks_unasked(span_str(rq->model));
}

/* Whether the text begins with the text of these blocks; *rest is what follows. */
static bool take_text_blocks(struct json_object *blocks, struct span text, struct span *rest)
{
	*rest = text;
	for (size_t i = 0; i < wire_length(blocks); i++)
		if (!wire_take_prefix(rest, json_member_str(wire_element(blocks, i), "text")))
			return false;
	return true;
}

/*
 * Blocks of thinking are native. They come first, or with text between them, and must be sent back
 * unchanged, even without text: each has a signature. A model reads only its own blocks and those of some
 * other models. Since the 5.1 generation, models also check that what precedes a block is unchanged and
 * that no block is missing; so if the text was changed, all blocks are omitted.
 */
static void anthropic_add_answer(struct draft *d, const struct message *m, struct json_object *blocks)
{
	struct span text = wire_text_of(m), rest;

	if (blocks && take_text_blocks(blocks, text, &rest)) {
		text = rest;
		for (size_t i = 0; i < wire_length(blocks); i++) {
			struct json_object *block = wire_element(blocks, i);

			if (span_eq(json_member_str(block, "type"), "text") && utf8_is_blank(json_member_str(block, "text")))
				continue;
			begin_block(d, "assistant");
			json_item_value(d->b, block);
		}
	} else {
		blocks = NULL;
	}
	if (!utf8_is_blank(text))
		anthropic_add_text(d, "assistant", text);
	for (size_t i = 0; i < m->n; i++)
		if (m->parts[i].kind == MESSAGE_CALL && !wire_has_id(blocks, "id", m->parts[i].call.id))
			anthropic_add_call(d, &m->parts[i].call);
}

static bool is_blank(const struct message *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->parts[i].kind != MESSAGE_TEXT || !utf8_is_blank(m->parts[i].text))
			return false;
	return true;
}

/* An earlier empty prompt gets a text, so that its answer does not follow another answer. */
static int anthropic_add_message(struct draft *d, const struct message *m, struct err *e)
{
	if (is_blank(m))
		anthropic_add_text(d, "user", span_str("(empty)"));
	for (size_t i = 0; i < m->n; i++) {
		const struct message_part *p = &m->parts[i];
		int r = 0;

		if (p->kind == MESSAGE_TEXT && !utf8_is_blank(p->text)) {
			anthropic_add_text(d, "user", p->text);
		} else if (p->kind == MESSAGE_FILE) {
			begin_block(d, "user");
			r = anthropic_add_file(d->b, &p->file, e);
		} else if (p->kind == MESSAGE_RESULT) {
			r = anthropic_add_result(d, &p->result, e);
		}
		if (r < 0)
			return -1;
	}
	return 0;
}

/*
 * Sets three of the four cache marks that the API allows: after the system prompt, which other
 * conversations share; after the last message, with which the next request begins; and after the message
 * of the user or a tool before it, where the previous request set its mark. Without the third, the server
 * finds the cached prefix only if it is at most 20 blocks away, and each file is a block.
 */
static int anthropic_add_messages(struct buf *b, const struct chat_request *rq, struct err *e)
{
	bool think = thinks(rq);
	size_t left = 0;
	struct draft d = { b, NULL };

	if (rq->messages[rq->nmessages - 1].role == ROLE_USER && is_blank(&rq->messages[rq->nmessages - 1]))
		return err_set(e, ERR_USAGE, "anthropic does not accept an empty prompt");
	if (rq->system.p && !utf8_is_blank(rq->system)) {
		json_put_open(b, "system", '[');
		add_text_block(b, rq->system);
		mark_block(b);
		json_close(b, ']');
	}
	json_put_open(b, "messages", '[');
	for (size_t i = 0; i < rq->nmessages; i++)
		left += rq->messages[i].role != ROLE_ASSISTANT;
	for (size_t i = 0; i < rq->nmessages; i++) {
		const struct message *m = &rq->messages[i];

		if (m->role == ROLE_ASSISTANT) {
			anthropic_add_answer(&d, m, think ? wire_native_of(rq, m) : NULL);
			continue;
		}
		if (anthropic_add_message(&d, m, e) < 0)
			return -1;
		if (left-- <= 2)
			mark_block(b);
	}
	end_message(&d);
	json_close(b, ']');
	return 0;
}

/* The budget for an effort; 0: an unknown word. */
static int64_t budget_of(struct span effort)
{
	static const struct {
		const char *word;
		int64_t tokens;
	} budgets[] = { { "\"minimal\"", 1024 }, { "\"low\"", 2048 }, { "\"medium\"", 8192 },
		        { "\"high\"", 16384 }, { "\"xhigh\"", 32768 }, { "\"max\"", 65536 } };

	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++)
		if (span_eq(effort, budgets[i].word))
			return budgets[i].tokens;
	return 0;
}

/* The budget is at least 1024 and at most half of the limit, unless half is less than 1024. */
static int add_budget(struct buf *b, const struct chat_request *rq, struct span effort,
                      struct err *e)
{
	struct span set = params_get(rq->params, "max_tokens");
	int64_t limit = set.p ? wire_number_after(set, "") : default_max_tokens(rq);
	int64_t tokens = budget_of(effort.p ? effort : span_str("\"medium\""));

	if (!tokens)
		return err_set(e, ERR_USAGE, "%s has no reasoning_effort %.*s: it is none, low, medium, "
		               "high or max", rq->model, (int)effort.n, effort.p);
	if (limit <= 1024 && !effort.p)
		return 0;
	if (limit <= 1024)
		return err_set(e, ERR_USAGE, "reasoning_effort needs max_tokens above 1024 with %s",
		               rq->model);
	if (tokens > limit / 2)
		tokens = limit / 2 < 1024 ? 1024 : limit / 2;
	json_put_open(b, "thinking", '{');
	json_put_word(b, "type", "enabled");
	json_put_int(b, "budget_tokens", tokens);
	json_close(b, '}');
	return 0;
}

/* Two models that do not think by default refuse a request that turns thinking off. */
static void add_no_thinking(struct buf *b, struct span model)
{
	char room[FIT_NAME];
	struct span name = fit_claude_name(model, room);

	if (wire_begins(name, "claude-opus-4-7") || wire_begins(name, "claude-opus-4-8"))
		return;
	json_put_open(b, "thinking", '{');
	json_put_word(b, "type", "disabled");
	json_close(b, '}');
}

/* Newer models send the text of their thinking only on request, and some think only on request. The API
 * has no effort "none", which is other vendors' word for no thinking. */
static int add_thinking(struct buf *b, const struct chat_request *rq, struct span effort,
                        struct err *e)
{
	enum thinking thinking = know(span_str(rq->model))->thinking;

	if (params_get(rq->params, "thinking").p || (!rq->reasoning && !effort.p) || thinking == NO_THINKING)
		return 0;
	if (span_eq(effort, "\"none\"")) {
		add_no_thinking(b, span_str(rq->model));
		return 0;
	}
	if (thinking == BUDGET)
		return add_budget(b, rq, effort, e);
	json_put_open(b, "thinking", '{');
	json_put_word(b, "type", "adaptive");
	if (rq->reasoning)
		json_put_word(b, "display", "summarized");
	json_close(b, '}');
	return 0;
}

/* False: the request needs no output_config. */
static bool add_output_config(struct buf *b, const struct chat_request *rq, struct span effort)
{
	if (span_eq(effort, "\"none\"") || know(span_str(rq->model))->thinking != ADAPTIVE)
		effort.p = NULL;
	if (!effort.p && !rq->schema.p)
		return false;
	json_put_open(b, "output_config", '{');
	json_put_raw(b, "effort", effort);
	if (rq->schema.p) {
		json_put_open(b, "format", '{');
		json_put_word(b, "type", "json_schema");
		json_put_raw(b, "schema", rq->schema);
		json_close(b, '}');
	}
	json_close(b, '}');
	return true;
}

static void add_max_tokens(struct buf *b, const struct chat_request *rq)
{
	struct span set = params_get(rq->params, "max_tokens");

	if (set.p)
		json_put_raw(b, "max_tokens", set);
	else
		json_put_int(b, "max_tokens", default_max_tokens(rq));
}

static void add_stop(struct buf *b, struct span stop)
{
	if (!stop.p || *stop.p == '[') {
		json_put_raw(b, "stop_sequences", stop);
	} else {
		json_put_open(b, "stop_sequences", '[');
		json_item_raw(b, stop);
		json_close(b, ']');
	}
}

/* "thinking" and "output_config" have more members than mcbox sets: with -o the user sets the whole
 * object. output_config cannot be combined with an effort or a schema, which are its members. */
static int anthropic_add_params(struct buf *b, const struct chat_request *rq, struct err *e)
{
	const char *own[] = { "model", "system", "messages", "stream", "stop_sequences",
		              NULL, NULL };
	struct span effort = params_get(rq->params, "reasoning_effort");

	add_max_tokens(b, rq);
	if (params_refuse(rq->params, "seed", "anthropic", e) < 0 || add_thinking(b, rq, effort, e) < 0)
		return -1;
	if (add_output_config(b, rq, effort))
		own[5] = "output_config";
	json_put_raw(b, "temperature", params_get(rq->params, "temperature"));
	json_put_raw(b, "top_p", params_get(rq->params, "top_p"));
	add_stop(b, params_get(rq->params, "stop"));
	return params_add_others(rq->params, own, b, e);
}

/* The vendor's base URL has no version; the base URLs of many gateways have one. */
static void add_url(struct buf *url, const char *base_url, const char *path)
{
	wire_url(url, base_url, "");
	if (!span_ends(buf_span(url), "/v1"))
		buf_adds(url, "/v1");
	buf_adds(url, path);
}

static int anthropic_request(const struct chat_request *rq, struct buf *url, struct buf *body,
                             struct err *e)
{
	add_url(url, rq->base_url, "/messages");
	wire_url_end(url, rq->base_url, "");
	json_open(body, '{');
	json_put_word(body, "model", rq->model);
	if (anthropic_add_messages(body, rq, e) < 0)
		return -1;
	json_put_bool(body, "stream", rq->stream);
	if (anthropic_add_params(body, rq, e) < 0)
		return -1;
	json_close(body, '}');
	return buf_check(url, e) < 0 ? -1 : buf_check(body, e);
}

/* ---- reading the answer ---- */

static void take_count(int64_t *to, int64_t n)
{
	if (n > *to)
		*to = n;
}

/* "input_tokens" does not include tokens read from or written to the cache. The counts at the end of a
 * stream include the counts at its beginning, but not all servers repeat all of them; counts only grow,
 * so the larger one is right. */
static void anthropic_take_usage(struct reply *r, struct json_object *o)
{
	struct json_object *u = json_member(o, "usage");
	struct json_object *details = json_member(u, "output_tokens_details");
	int64_t input, cached, written;

	if (!json_object_is_type(u, json_type_object))
		return;
	input = wire_count(u, "input_tokens");
	cached = wire_count(u, "cache_read_input_tokens");
	written = wire_count(u, "cache_creation_input_tokens");
	if (input >= 0)
		input = wire_sum(wire_sum(input, cached), written);
	take_count(&r->usage.input, input);
	take_count(&r->usage.cached, cached);
	take_count(&r->usage.cache_write, written);
	take_count(&r->usage.cost, wire_cost(u));
	take_count(&r->usage.output, wire_count(u, "output_tokens"));
	take_count(&r->usage.reasoning, wire_count(details, "thinking_tokens"));
	if (r->usage.input >= 0 && r->usage.output >= 0)
		r->usage.total = wire_sum(r->usage.input, r->usage.output);
}

enum open { NOTHING, THINKING, SIGNATURE, TEXT }; /* the string of an item that is still growing */

/* The calls so far, before more thinking. */
static void add_plain_calls(struct reply *r)
{
	for (; r->plain_calls < r->ncalls; r->plain_calls++) {
		const struct reply_call *c = &r->calls[r->plain_calls];
		struct buf b = BUF_INIT;

		json_open(&b, '{');
		json_put_word(&b, "type", "tool_use");
		json_put_text(&b, "id", buf_span(&c->id));
		json_put_text(&b, "name", buf_span(&c->name));
		json_put_raw(&b, "input", json_is_whole(buf_span(&c->arguments)) ? buf_span(&c->arguments)
		                                                                 : span_str("{}"));
		json_close(&b, '}');
		wire_plain_begin(r, b.p);
		r->oom |= b.oom;
		buf_release(&b);
	}
}

static void begin_thinking(struct reply *r, struct json_object *o)
{
	wire_add(&r->reasoning, o, "thinking");
	add_plain_calls(r);
	if (json_member_str(o, "signature").n) {
		wire_native(r, o);
		return;
	}
	wire_native_begin(r, "{\"type\":\"thinking\",\"thinking\":\"\"}");
	wire_native_piece(&r->native, WIRE_TAIL, NULL, json_member_str(o, "thinking"));
	r->native_open = THINKING;
}

static void begin_text(struct reply *r, struct json_object *o)
{
	wire_add(&r->text, o, "text");
	wire_plain_begin(r, "{\"type\":\"text\",\"text\":\"\"}");
	wire_native_piece(&r->plain, WIRE_TAIL, NULL, json_member_str(o, "text"));
	r->native_open = TEXT;
}

/* A block, or its beginning, with its number. Other kinds are tools that the server runs. */
static void take_block(struct reply *r, struct json_object *o, int64_t index)
{
	struct span type = json_member_str(o, "type");
	struct json_object *input = json_member(o, "input");

	if (span_eq(type, "text")) {
		begin_text(r, o);
	} else if (span_eq(type, "thinking")) {
		begin_thinking(r, o);
	} else if (span_eq(type, "redacted_thinking")) {
		add_plain_calls(r);
		wire_native(r, o);
	} else if (span_eq(type, "tool_use")) {
		struct reply_call *c = wire_call(r, json_member_str(o, "id"), index);

		wire_call_name(r, c, json_member_str(o, "name"));
		if (json_object_is_type(input, json_type_object) && json_object_object_length(input))
			wire_call_whole(r, c, input); /* empty in a stream, where it arrives in pieces */
	}
}

static void take_signature(struct reply *r, struct span piece)
{
	if (r->native_open != THINKING && r->native_open != SIGNATURE)
		return;
	wire_native_piece(&r->native, WIRE_TAIL, r->native_open == THINKING ? "signature" : NULL, piece);
	r->native_open = SIGNATURE;
}

/* A piece of the block with this number. */
static void take_delta(struct reply *r, struct json_object *o, int64_t index)
{
	struct span type = json_member_str(o, "type");

	if (span_eq(type, "text_delta")) {
		wire_add(&r->text, o, "text");
		if (r->native_open == TEXT)
			wire_native_piece(&r->plain, WIRE_TAIL, NULL, json_member_str(o, "text"));
	} else if (span_eq(type, "thinking_delta")) {
		wire_add(&r->reasoning, o, "thinking");
		if (r->native_open == THINKING)
			wire_native_piece(&r->native, WIRE_TAIL, NULL, json_member_str(o, "thinking"));
	} else if (span_eq(type, "signature_delta")) {
		take_signature(r, json_member_str(o, "signature"));
	} else if (span_eq(type, "input_json_delta")) {
		if (r->ncalls)
			wire_call_piece(r, wire_call(r, (struct span){ "", 0 }, index), json_member(o, "partial_json"));
	} else {
		take_block(r, o, index); /* some gateways send a whole block here */
	}
}

static long status_of(struct span type)
{
	static const struct {
		const char *type;
		long status;
	} errors[] = {
		{ "invalid_request_error", 400 }, { "authentication_error", 401 },
		{ "billing_error", 402 },         { "permission_error", 403 },
		{ "not_found_error", 404 },       { "conflict_error", 409 },
		{ "request_too_large", 413 },     { "rate_limit_error", 429 },
		{ "api_error", 500 },             { "timeout_error", 504 },
		{ "overloaded_error", 529 },
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (span_eq(type, errors[i].type))
			return errors[i].status;
	return 0;
}

static bool says(const struct problem *p, const char *words)
{
	return memmem(p->message.p, p->message.n, words, strlen(words)) != NULL;
}

/* "prompt is too long: 208310 tokens > 200000 maximum"; and of models before 4.5 "input
 * length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease …". */
static void take_sizes(struct problem *p)
{
	struct span text = buf_span(&p->message);

	p->kind = PROBLEM_CONTEXT;
	p->tokens = wire_number_after(text, "too long");
	if (says(p, "context limit"))
		p->tokens = wire_sum(wire_number_after(text, "limit:"), wire_number_after(text, " + "));
	p->window = wire_number_after(text, " > ");
}

/* {"type":"error","error":{"type":…,"message":…}}. A faulty request and an account without credit have the
 * same type: invalid_request_error. */
static void anthropic_take_problem(struct json_object *o, struct problem *p)
{
	struct json_object *error = json_member(o, "error");
	struct span type = json_member_str(error, "type");

	wire_add_message(&p->message, o);
	p->status = status_of(type);
	if (!p->status) /* of gateways */
		p->status = wire_status(error, "code");
	if (says(p, "prompt is too long") || says(p, "exceed context limit"))
		take_sizes(p);
	else if (wire_is_context(error, p))
		p->kind = PROBLEM_CONTEXT; /* llama.cpp and vLLM, which have /v1/messages too */
	else if (span_eq(type, "not_found_error") && says(p, "model"))
		p->kind = PROBLEM_MODEL;
	else if (span_eq(type, "billing_error") || says(p, "credit balance") ||
	         says(p, "API usage limits"))
		p->kind = PROBLEM_QUOTA;
}

static void anthropic_problem(struct span body, struct problem *p)
{
	wire_problem(body, anthropic_take_problem, p);
}

/* An error is an event, or a member of another event. */
static int check_problem(struct reply *r, struct json_object *o, struct err *e)
{
	static const char *const inner[] = { "message", "content_block", "delta", NULL };
	struct json_object *at = span_eq(json_member_str(o, "type"), "error") || wire_error(o) ? o : NULL;

	for (const char *const *key = inner; !at && *key; key++)
		if (wire_error(json_member(o, *key)))
			at = json_member(o, *key);
	if (!at)
		return 0;
	anthropic_take_problem(at, &r->problem);
	return wire_report(&r->problem, e);
}

/* Other types are pings and the ends of blocks. */
static void take_typed(struct reply *r, struct json_object *o)
{
	struct span type = json_member_str(o, "type");

	if (span_eq(type, "message_start")) {
		anthropic_take_usage(r, json_member(o, "message"));
	} else if (span_eq(type, "content_block_start")) {
		take_block(r, json_member(o, "content_block"), wire_count(o, "index"));
	} else if (span_eq(type, "content_block_delta")) {
		take_delta(r, json_member(o, "delta"), wire_count(o, "index"));
	} else if (span_eq(type, "message_delta")) {
		wire_finish(r, json_member_str(json_member(o, "delta"), "stop_reason"));
		anthropic_take_usage(r, o);
	} else if (span_eq(type, "message_stop")) {
		r->done = true;
	}
}

static void anthropic_take_message(struct reply *r, struct json_object *o)
{
	struct json_object *content = json_member(o, "content");

	for (size_t i = 0; i < wire_length(content); i++)
		take_block(r, wire_element(content, i), (int64_t)i);
	wire_finish(r, json_member_str(o, "stop_reason"));
	anthropic_take_usage(r, o);
}

/* Takes over `o`. */
static int anthropic_take(struct reply *r, struct json_object *o,
                          void (*with)(struct reply *r, struct json_object *o), struct err *e)
{
	int bad = check_problem(r, o, e);

	if (!bad)
		with(r, o);
	return wire_done(o, bad, r, e);
}

static int anthropic_take_event(struct reply *r, struct span data, struct err *e)
{
	struct json_object *o;
	int what = wire_object_event(data, &o, e);

	if (what == WIRE_DONE) /* only gateways send it; the vendor's end mark is an event */
		r->done |= r->finish_reason.n > 0;
	return what == WIRE_VALUE ? anthropic_take(r, o, take_typed, e) : what < 0 ? -1 : 0;
}

/* A refusal may leave a message without content. */
static int anthropic_take_whole(struct reply *r, struct span body, struct err *e)
{
	struct json_object *o;

	if (wire_parse_body(body, &o, e) < 0 || anthropic_take(r, o, anthropic_take_message, e) < 0)
		return -1;
	return wire_whole_done(r, e);
}

/* ---- models ---- */

static int models_url(const char *base_url, struct span page, struct buf *url, struct err *e)
{
	add_url(url, base_url, "/models");
	wire_url_end(url, base_url, "limit=1000"); /* the maximum */
	if (page.n) {
		buf_adds(url, "&after_id=");
		wire_add_encoded(url, page);
	}
	return buf_check(url, e);
}

/* {"data":[{"id":…,"display_name":…,"max_input_tokens":…}],"has_more":…,"last_id":…} */
static struct model anthropic_read_model(struct json_object *o)
{
	struct model m = { json_member_str(o, "id"), json_member_str(o, "display_name"),
		           wire_count(o, "max_input_tokens") };

	m.window = m.window > 0 ? m.window : anthropic_window(m.id);
	return m;
}

static int anthropic_models(struct span body, int (*take_model)(void *ctx, const struct model *m, struct err *e),
                            void *ctx, struct buf *next, struct err *e)
{
	struct json_object *o, *list;
	int r;

	if (wire_parse_models(body, &o, e) < 0)
		return -1;
	list = wire_models_of(o, "data");
	r = wire_take_models(list, anthropic_read_model, take_model, ctx, e);
	if (json_object_get_boolean(json_member(o, "has_more")) && wire_length(list))
		wire_add(next, o, "last_id");
	json_object_put(o);
	return r < 0 ? r : buf_check(next, e);
}

static const char *const key_env[] = { "ANTHROPIC_API_KEY", NULL };
static const char *const families[] = { "claude-", NULL };
static const char *const headers[] = { "anthropic-version: 2023-06-01", NULL };

const struct provider provider_anthropic = {
	.name = "anthropic",
	.summary = "Anthropic's Messages API: Claude",
	.base_url = DEFAULT_URL,
	.model = DEFAULT_MODEL,
	.families = families,
	.key_env = key_env,
	.url_env = "ANTHROPIC_BASE_URL",
	.key_header = "x-api-key: ",
	.headers = headers,
	.request = anthropic_request,
	.event = anthropic_take_event,
	.whole = anthropic_take_whole,
	.end = wire_end, /* what follows the stop reason is only the end mark */
	.problem = anthropic_problem,
	.models_url = models_url,
	.models = anthropic_models,
	.window = anthropic_window,
};
