#include "provider/wire.h"

#include <json-c/linkhash.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/base64.h"

bool wire_begins(struct span s, const char *with)
{
	return s.n >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0;
}

/* ---- to the server ---- */

void wire_url(struct buf *url, const char *base_url, const char *path)
{
	struct span base = { base_url, strcspn(base_url, "?") };

	base = span_trim_end(base, "/");
	buf_add(url, base.p, base.n);
	buf_adds(url, path);
}

void wire_url_end(struct buf *url, const char *base_url, const char *more)
{
	const char *query = strchr(base_url, '?');

	query = query ? query + 1 : "";
	buf_addf(url, "%s%s%s%s", *query || *more ? "?" : "", query, *query && *more ? "&" : "", more);
}

void wire_add_encoded(struct buf *url, struct span s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                            "0123456789-._~";

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] && strchr(plain, s.p[i]))
			buf_addc(url, s.p[i]);
		else
			buf_addf(url, "%%%02X", (unsigned)(unsigned char)s.p[i]);
}

/* A name must not end the tag that contains it. */
static void add_name(struct buf *b, struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		buf_addc(b, (unsigned char)name.p[i] < ' ' || strchr("\"<>&", name.p[i]) ? '_' : name.p[i]);
}

void wire_text_file(struct buf *b, const struct attachment *a)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, "<file name=\"");
	add_name(&text, a->name);
	buf_adds(&text, "\">\n");
	buf_add(&text, a->bytes.p, a->bytes.n);
	buf_adds(&text, a->bytes.n && a->bytes.p[a->bytes.n - 1] == '\n' ? "</file>" : "\n</file>");
	b->oom |= text.oom;
	json_add_str(b, buf_span(&text));
	buf_release(&text);
}

void wire_data_url(struct buf *b, const char *key, const struct attachment *a)
{
	json_put_open(b, key, '"');
	buf_adds(b, "data:");
	buf_add(b, a->type.p, a->type.n);
	buf_adds(b, ";base64,");
	base64_add(b, a->bytes);
	json_close(b, '"');
}

void wire_arguments(struct buf *b, const struct tool_call *c)
{
	struct buf json = BUF_INIT;

	json_add_value(&json, c->arguments);
	b->oom |= json.oom;
	json_add_str(b, buf_span(&json));
	buf_release(&json);
}

void wire_result_text(struct buf *b, const struct tool_result *t)
{
	json_open(b, '"');
	buf_adds(b, t->failed ? "Error: " : "");
	json_add_escaped(b, t->output);
	json_close(b, '"');
}

bool wire_is_image(const struct attachment *a)
{
	return wire_begins(a->type, "image/") && a->type.n > strlen("image/");
}

bool wire_is_pdf(const struct attachment *a)
{
	return span_eq(a->type, "application/pdf");
}

bool wire_is_text(const struct attachment *a)
{
	return wire_begins(a->type, "text/");
}

int wire_refuse_file(const struct attachment *a, const char *provider, struct err *e)
{
	return err_set(e, ERR_USAGE, "%s does not accept files of type %.*s", provider, (int)a->type.n, a->type.p);
}

/* ---- from the server ---- */

/* Neither JSON nor a sentence, which may be an error message. */
static bool is_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (memchr(" \t\r\n{}[]\"", s.p[i], 9))
			return false;
	return true;
}

/* [DONE], in upper or lower case, with or without blanks. */
static bool is_end_mark(struct span s)
{
	s = span_trim(s, SPAN_WHITE);
	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = span_trim((struct span){ s.p + 1, s.n - 2 }, SPAN_WHITE);
	return s.n == 4 && strncasecmp(s.p, "done", 4) == 0;
}

static int one_event(struct span data, struct json_object **o, struct err *e)
{
	enum wire_event what = WIRE_VALUE;

	*o = NULL;
	data = span_trim(data, SPAN_WHITE);
	if (is_end_mark(data))
		return WIRE_DONE;
	if (is_word(data))
		return WIRE_NOTHING;
	if (json_parse_lenient(data, o, e) < 0) {
		if (e->kind != ERR_DAMAGED)
			return -1;
		e->kind = ERR_NETWORK;
		return err_prefix(e, "the server sent a malformed event");
	}
	if (json_object_is_type(*o, json_type_array) ? !json_object_array_length(*o)
	                                             : !json_object_is_type(*o, json_type_object))
		what = WIRE_NOTHING;
	if (json_object_is_type(*o, json_type_string) && is_end_mark(span_str(json_object_get_string(*o))))
		what = WIRE_DONE;
	if (what != WIRE_VALUE) {
		json_object_put(*o);
		*o = NULL;
	}
	return what;
}

/* Keep-alives separated by a single newline arrive as one event of several lines. */
int wire_event(struct span data, struct json_object **o, struct err *e)
{
	const char *end;
	int what = WIRE_NOTHING;

	data = span_trim(data, SPAN_WHITE);
	while (what == WIRE_NOTHING && data.n && !memchr("{[", data.p[0], 2) &&
	       (end = memchr(data.p, '\n', data.n))) {
		what = one_event((struct span){ data.p, (size_t)(end - data.p) }, o, e);
		data = (struct span){ end + 1, data.n - (size_t)(end + 1 - data.p) };
	}
	return what == WIRE_NOTHING ? one_event(data, o, e) : what;
}

int wire_object_event(struct span data, struct json_object **o, struct err *e)
{
	int what = wire_event(data, o, e);

	if (what != WIRE_VALUE || json_object_is_type(*o, json_type_object))
		return what;
	json_object_put(*o);
	return err_set(e, ERR_NETWORK, "the server sent a malformed event: no JSON object");
}

int wire_parse_body(struct span json, struct json_object **o, struct err *e)
{
	struct err why = ERR_INIT;

	if (json_parse_lenient(json, o, &why) < 0) {
		*o = NULL;
		if (why.kind != ERR_DAMAGED)
			return err_set(e, why.kind, "%s", why.msg);
		return json_is_whole(json) ? wire_no_reply(e)
		                           : err_set(e, ERR_NETWORK, "the server sent a malformed event: %s", why.msg);
	}
	if (json_object_is_type(*o, json_type_object))
		return 0;
	json_object_put(*o);
	*o = NULL;
	return wire_no_reply(e);
}

int wire_no_reply(struct err *e)
{
	return err_set(e, ERR_NETWORK, "the server's answer contains no reply; is the base URL right?");
}

int wire_done(struct json_object *o, int result, const struct reply *r, struct err *e)
{
	json_object_put(o);
	if (result < 0 || buf_check(&r->text, e) < 0 || buf_check(&r->reasoning, e) < 0 ||
	    buf_check(&r->finish_reason, e) < 0)
		return -1;
	if (r->oom || r->native.oom || r->plain.oom)
		return err_oom(e);
	if (r->ncalls > REPLY_CALLS_MAX)
		return err_set(e, ERR_NETWORK, "the reply calls more than %d tools", REPLY_CALLS_MAX);
	return result;
}

int wire_whole_done(struct reply *r, struct err *e)
{
	if (!r->text.n && !r->reasoning.n && !r->finish_reason.n && !r->ncalls)
		return wire_no_reply(e);
	r->done = true;
	return 0;
}

int wire_end(const struct reply *r, struct err *e)
{
	if (finish_kind(buf_span(&r->finish_reason)) == FINISH_FAILURE)
		return err_set(e, ERR_NETWORK, "the server broke off the reply: its finish reason is '%.*s'%s%s",
		               (int)r->finish_reason.n, r->finish_reason.p, r->problem.message.n ? ": " : "",
		               r->problem.message.p);
	return r->done || r->finish_reason.n ? 0 : wire_cut_short(e);
}

int wire_cut_short(struct err *e)
{
	return err_set(e, ERR_NETWORK, "the server ended the stream before the reply was complete");
}

void wire_add(struct buf *b, struct json_object *o, const char *key)
{
	struct span s = json_member_str(o, key);

	buf_add(b, s.p, s.n);
}

void wire_add_text(struct buf *b, struct json_object *o)
{
	if (json_object_is_type(o, json_type_string))
		buf_add(b, json_object_get_string(o), (size_t)json_object_get_string_len(o));
	else
		wire_add(b, o, "text");
	for (size_t i = 0; i < wire_length(o); i++)
		wire_add_text(b, wire_element(o, i));
}

void wire_add_part(struct reply *r, struct json_object *part)
{
	struct span type = json_member_str(part, "type");
	bool thought = span_eq(type, "thinking") || wire_begins(type, "reasoning");

	if (thought && json_member(part, "thinking"))
		wire_add_text(&r->reasoning, json_member(part, "thinking"));
	else
		wire_add(thought ? &r->reasoning : &r->text, part, "text");
}

int64_t wire_count(struct json_object *o, const char *key)
{
	struct json_object *v = json_member(o, key);
	int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : -1;

	return n < 0 || n > COUNT_MAX ? -1 : n;
}

int64_t wire_cost(struct json_object *usage)
{
	struct json_object *cost = json_member(usage, "cost");

	if (!json_object_is_type(cost, json_type_double) && !json_object_is_type(cost, json_type_int))
		return -1; /* some servers have an object there */
	return usage_cost(json_object_get_double(cost));
}

long wire_status(struct json_object *o, const char *key)
{
	int64_t n = wire_count(o, key);

	return n >= 400 && n <= 599 ? (long)n : 0;
}

int64_t wire_sum(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a + b > COUNT_MAX ? COUNT_MAX : a + b;
}

size_t wire_length(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

struct json_object *wire_element(struct json_object *list, size_t i)
{
	return i < wire_length(list) ? json_object_array_get_idx(list, i) : NULL;
}

struct json_object *wire_first_or_self(struct json_object *o)
{
	return json_object_is_type(o, json_type_array) ? wire_element(o, 0) : o;
}

void wire_finish(struct reply *r, struct span word)
{
	struct span had = buf_span(&r->finish_reason);

	word = finish_word(word);
	if (!word.n || finish_kind(had) == FINISH_FAILURE ||
	    (span_eq(had, FINISH_REFUSED) && span_eq(word, FINISH_STOP)))
		return;
	if (r->ncalls && span_eq(word, FINISH_STOP))
		word = span_str(FINISH_CALLS);
	buf_clear(&r->finish_reason);
	buf_add(&r->finish_reason, word.p, word.n);
}

void wire_go_on(struct reply *r)
{
	if (span_eq(buf_span(&r->finish_reason), FINISH_STOP))
		buf_clear(&r->finish_reason);
}

static struct reply_call *find_call(const struct reply *r, struct span id, int64_t index)
{
	for (size_t i = r->ncalls; id.n && i-- > 0;)
		if (span_same(buf_span(&r->calls[i].id), id))
			return &r->calls[i];
	/* Some servers number all calls 0, each with its own id. */
	for (size_t i = r->ncalls; index >= 0 && i-- > 0;)
		if (r->calls[i].index == index && (!id.n || !r->calls[i].id.n))
			return &r->calls[i];
	return !id.n && index < 0 && r->ncalls ? &r->calls[r->ncalls - 1] : NULL;
}

struct reply_call *wire_call(struct reply *r, struct span id, int64_t index)
{
	struct reply_call *c = find_call(r, id, index), *grown;
	struct err ignored = ERR_INIT;

	if (!c && r->ncalls > REPLY_CALLS_MAX)
		return NULL;
	if (!c) {
		grown = array_room(r->calls, r->ncalls, &r->calls_cap, sizeof(*r->calls), &ignored);
		if (!grown) {
			r->oom = true;
			return NULL;
		}
		r->calls = grown;
		c = &r->calls[r->ncalls++];
		*c = (struct reply_call){ index, BUF_INIT, BUF_INIT, BUF_INIT };
	}
	if (!c->id.n)
		buf_add(&c->id, id.p, id.n);
	r->oom |= c->id.oom;
	if (span_eq(buf_span(&r->finish_reason), FINISH_STOP))
		wire_finish(r, span_str(FINISH_CALLS));
	return c;
}

void wire_call_name(struct reply *r, struct reply_call *c, struct span name)
{
	if (!c || c->name.n)
		return;
	buf_add(&c->name, name.p, name.n);
	r->oom |= c->name.oom;
}

void wire_call_piece(struct reply *r, struct reply_call *c, struct json_object *piece)
{
	if (!c || !piece)
		return;
	if (json_object_is_type(piece, json_type_string))
		wire_add_text(&c->arguments, piece);
	else if (json_object_is_type(piece, json_type_object))
		json_add_value(&c->arguments, piece);
	r->oom |= c->arguments.oom;
}

void wire_call_whole(struct reply *r, struct reply_call *c, struct json_object *arguments)
{
	if (!c || !(json_object_is_type(arguments, json_type_object) ||
	            (json_object_is_type(arguments, json_type_string) && json_object_get_string_len(arguments))))
		return;
	buf_clear(&c->arguments);
	wire_call_piece(r, c, arguments);
}

static void list_add(struct buf *list, struct span json)
{
	if (list->oom)
		return;
	if (list->n)
		list->n--; /* its bracket */
	else
		json_open(list, '[');
	json_item_raw(list, json);
	json_close(list, ']');
}

static void add_plain_items(struct reply *r)
{
	if (r->plain.n)
		list_add(&r->native, (struct span){ r->plain.p + 1, r->plain.n - 2 });
	buf_clear(&r->plain);
}

static void list_add_item(struct reply *r, struct buf *list, struct json_object *item)
{
	struct buf json = BUF_INIT;

	json_add_value(&json, item);
	list->oom |= json.oom;
	list_add(list, buf_span(&json));
	buf_release(&json);
	r->native_open = 0;
	r->oom |= list->oom;
}

void wire_native(struct reply *r, struct json_object *item)
{
	add_plain_items(r);
	list_add_item(r, &r->native, item);
}

void wire_native_begin(struct reply *r, const char *json)
{
	add_plain_items(r);
	list_add(&r->native, span_str(json));
	r->oom |= r->native.oom;
}

void wire_plain(struct reply *r, struct json_object *item)
{
	list_add_item(r, &r->plain, item);
}

void wire_plain_begin(struct reply *r, const char *json)
{
	list_add(&r->plain, span_str(json));
	r->oom |= r->plain.oom;
}

void wire_native_piece(struct buf *list, const char *tail, const char *member, struct span piece)
{
	if (list->oom || list->n < strlen(tail))
		return;
	list->n -= strlen(tail);
	if (member) {
		json_close(list, '"');
		json_put_open(list, member, '"');
	}
	json_add_escaped(list, piece);
	buf_adds(list, tail);
}

struct json_object *wire_native_of(const struct chat_request *rq, const struct message *m)
{
	for (size_t i = 0; !rq->no_native && i < m->n; i++)
		if (m->parts[i].kind == MESSAGE_NATIVE)
			return m->parts[i].native;
	return NULL;
}

struct span wire_text_of(const struct message *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->parts[i].kind == MESSAGE_TEXT)
			return m->parts[i].text;
	return (struct span){ "", 0 };
}

bool wire_has_id(struct json_object *items, const char *key, struct span id)
{
	size_t i = 0;

	while (i < wire_length(items) && !span_same(json_member_str(wire_element(items, i), key), id))
		i++;
	return i < wire_length(items);
}

bool wire_take_prefix(struct span *text, struct span piece)
{
	if (text->n < piece.n || memcmp(text->p, piece.p, piece.n) != 0)
		return false;
	*text = (struct span){ text->p + piece.n, text->n - piece.n };
	return true;
}

bool wire_says(struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_boolean:
		return json_object_get_boolean(v);
	case json_type_int:
	case json_type_double:
		return json_object_get_double(v) != 0;
	case json_type_string:
		return json_object_get_string_len(v) > 0;
	case json_type_array:
		for (size_t i = 0; i < wire_length(v); i++)
			if (wire_says(wire_element(v, i)))
				return true;
		return false;
	case json_type_object: {
		json_object_object_foreach(v, key, member) {
			(void)key;
			if (wire_says(member))
				return true;
		}
		return false;
	}
	default:
		return false;
	}
}

struct json_object *wire_error(struct json_object *o)
{
	struct json_object *error = json_member(o, "error");

	return wire_says(error) ? error : NULL;
}

/* Most servers send {"error":{"message":…}}, some in an array. For Ollama "error" is a string, for others
 * it is true beside a message; FastAPI servers send "detail", which may be a list of {"msg":…}. */
void wire_add_message(struct buf *message, struct json_object *error)
{
	static const char *const keys[] = { "error", "message", "detail", "msg", "text", "errors", NULL };
	size_t had = message->n;

	if (json_object_is_type(error, json_type_string))
		buf_add(message, json_object_get_string(error), (size_t)json_object_get_string_len(error));
	for (size_t i = 0; message->n == had && i < wire_length(error); i++)
		wire_add_message(message, wire_element(error, i));
	for (const char *const *key = keys; message->n == had && *key; key++)
		if (json_member(error, *key))
			wire_add_message(message, json_member(error, *key));
}

void wire_problem(struct span body, void (*take)(struct json_object *o, struct problem *p),
                  struct problem *p)
{
	struct err ignored = ERR_INIT;
	struct json_object *o;

	if (json_parse_lenient(body, &o, &ignored) < 0)
		return;
	take(o, p);
	json_object_put(o);
}

int wire_report(const struct problem *p, struct err *e)
{
	return err_set(e, ERR_NETWORK, "the server reports: %s", p->message.n ? p->message.p : "an error");
}

int64_t wire_number_after(struct span text, const char *word)
{
	const char *p = memmem(text.p, text.n, word, strlen(word)), *end = text.p + text.n;
	int64_t n = 0;

	while (p && p < end && (*p < '0' || *p > '9'))
		p++;
	for (; p && p < end && ((*p >= '0' && *p <= '9') || *p == ','); p++)
		if (*p != ',' && n < COUNT_MAX / 10)
			n = n * 10 + (*p - '0');
	return n;
}

static int no_list(struct err *e)
{
	return err_set(e, ERR_NETWORK, "the server's answer is not a list of models; is the base URL right?");
}

int wire_parse_models(struct span json, struct json_object **o, struct err *e)
{
	struct err why = ERR_INIT;

	if (json_parse_lenient(json, o, &why) < 0)
		return why.kind == ERR_DAMAGED ? no_list(e) : err_set(e, why.kind, "%s", why.msg);
	if (json_object_is_type(*o, json_type_object) || json_object_is_type(*o, json_type_array))
		return 0;
	json_object_put(*o);
	return no_list(e);
}

struct json_object *wire_models_of(struct json_object *o, const char *key)
{
	return json_object_is_type(o, json_type_array) ? o : json_member(o, key);
}

int wire_take_models(struct json_object *list, struct model (*read)(struct json_object *o),
                     int (*take)(void *ctx, const struct model *m, struct err *e), void *ctx,
                     struct err *e)
{
	int r = json_object_is_type(list, json_type_array) ? 0 : no_list(e);

	for (size_t i = 0; r == 0 && i < wire_length(list); i++) {
		struct model m = read(wire_element(list, i));

		if (m.id.n)
			r = take(ctx, &m, e);
	}
	return r;
}

/* ---- errors of OpenAI and of servers that follow it ---- */

/* The number after the first of these words that the text contains. */
static int64_t number_after_any(struct span text, const char *const *words)
{
	int64_t n = 0;

	for (; *words && n == 0; words++)
		n = wire_number_after(text, *words);
	return n;
}

/*
 * "maximum context length is 4096 tokens. However, your messages resulted in 5000" (or "you
 * requested", or "your request has"): OpenAI, OpenRouter, vLLM. "exceed the configured limit
 * of 272000 tokens. Your messages resulted in 300000": OpenAI. "You passed 5000 input tokens
 * … context length is only 4096": vLLM of 2026, which counts characters if it did not count
 * tokens. "request (5000 tokens) exceeds the available context size (4096 tokens)":
 * llama.cpp, and Ollama through it. "keep the first 5000 tokens … context length of only
 * 4096": LM Studio.
 */
static bool says_context(struct problem *p)
{
	static const char *const window[] = { "maximum context length", "configured limit of",
		                              "context length is only", "context length of only",
		                              "available context size", NULL };
	static const char *const tokens[] = { "resulted in", "you requested", "your request has",
		                              "You passed", "request (", "keep the first", NULL };
	struct span text = buf_span(&p->message);
	const char *const *word = window;

	while (*word && !memmem(text.p, text.n, *word, strlen(*word)))
		word++;
	if (*word && p->window <= 0)
		p->window = number_after_any(text, window);
	if (*word && p->tokens <= 0 && !memmem(text.p, text.n, "input characters", 16))
		p->tokens = number_after_any(text, tokens);
	return *word != NULL;
}

bool wire_is_context(struct json_object *error, struct problem *p)
{
	int64_t tokens = wire_count(error, "n_prompt_tokens"), window = wire_count(error, "n_ctx");

	p->tokens = tokens > 0 ? tokens : 0;
	p->window = window > 0 ? window : 0;
	if (says_context(p) || span_eq(json_member_str(error, "type"), "exceed_context_size_error"))
		return true;
	p->tokens = p->window = 0;
	return false;
}

/* Since 2026 OpenAI's type is insufficient_quota, and the code is more precise (guide "Error codes"). */
bool wire_says_quota(struct span word)
{
	static const char *const words[] = { "insufficient_quota", "credit_balance_exhausted",
		                             "organization_spend_limit_exceeded",
		                             "project_spend_limit_exceeded",
		                             "organization_usage_limit_exceeded",
		                             "billing_not_active", NULL };
	const char *const *each = words;

	while (*each && !span_eq(word, *each))
		each++;
	return *each != NULL;
}

int wire_models_url(const char *base_url, struct span page, struct buf *url, struct err *e)
{
	(void)page; /* there is only one */
	wire_url(url, base_url, "/models");
	wire_url_end(url, base_url, "");
	return buf_check(url, e);
}
