/*
 * lib/provider/openai. The input is the events of a stream, one a line; and, all of it, the
 * body of an answer that did not stream, of a failed request, a list of models, a prompt,
 * and an object of parameters.
 *
 * Properties: the reply is what the events say, as json-c finds it: the deltas in a row, and
 * what the last event tells only where there were none; the same events come to the same
 * when they arrive as server-sent events, in chunks; a response as a whole is read as the
 * event that completes a stream; counts are counts. A request is JSON without a member
 * twice that says the conversation, also with a user's own objects, or is refused with a
 * reason. A refusal of the server's words blames the network and has a reason.
 */
#include "provider/provider.h"

#include <json-c/linkhash.h>

#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "net/sse.h"

extern const struct provider provider_openai;
static const struct provider *const p = &provider_openai;

static void check_error(const struct err *e)
{
	must((e->kind == ERR_NETWORK || e->kind == ERR_NONE) && !e->msg[0] == !e->kind, "%s", e->msg);
}

static void check_reply(const struct reply *r)
{
	const int64_t counts[] = { r->usage.input, r->usage.output, r->usage.total,
		                   r->usage.reasoning, r->usage.cached };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		must(counts[i] >= -1 && counts[i] <= COUNT_MAX, "a count of %" PRId64, counts[i]);
	must(!r->done || r->finish_reason.n, "the end of a reply has a reason");
}

static void check_said(const struct problem *said)
{
	must(said->tokens >= 0 && said->tokens <= COUNT_MAX, "tokens");
	must(said->window >= 0 && said->window <= COUNT_MAX, "window");
	must(said->status == 0 || (said->status >= 400 && said->status < 600), "%ld", said->status);
	must(said->kind == PROBLEM_CONTEXT || (!said->tokens && !said->window), "numbers of nothing");
}

static void must_equal(const struct reply *a, const struct reply *b)
{
	must_be_same(buf_span(&a->text), buf_span(&b->text), "text");
	must_be_same(buf_span(&a->reasoning), buf_span(&b->reasoning), "reasoning");
	must_be_same(buf_span(&a->finish_reason), buf_span(&b->finish_reason), "finish reason");
	must(memcmp(&a->usage, &b->usage, sizeof(a->usage)) == 0, "usage");
	must(a->done == b->done, "done");
}

/* ---- what the events say ---- */

struct model_reply {
	struct buf text, reasoning;
};

static struct json_object *element(struct json_object *o, size_t i)
{
	return json_object_is_type(o, json_type_array) ? json_object_array_get_idx(o, i) : NULL;
}

static size_t length(struct json_object *o)
{
	return json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
}

static void add_str(struct buf *b, struct json_object *v)
{
	if (json_object_is_type(v, json_type_string))
		buf_add(b, json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

static void add_gap(struct buf *b)
{
	if (b->n >= 2 && b->p[b->n - 1] == '\n' && b->p[b->n - 2] == '\n')
		return;
	buf_adds(b, b->n ? "\n\n" : "");
}

/* The parts of a list, each after a gap or only the list as a whole. */
static void add_parts(struct buf *b, struct json_object *list, bool each)
{
	if (!each)
		add_gap(b);
	for (size_t i = 0; i < length(list); i++) {
		if (each)
			add_gap(b);
		add_str(b, json_member(element(list, i), "text"));
		if (!each)
			add_str(b, json_member(element(list, i), "refusal"));
	}
}

static void model_output(struct model_reply *m, struct json_object *output)
{
	struct model_reply all = { BUF_INIT, BUF_INIT };

	for (size_t i = 0; i < length(output); i++) {
		struct json_object *item = element(output, i);
		struct span type = json_member_str(item, "type");

		if (span_eq(type, "message"))
			add_parts(&all.text, json_member(item, "content"), false);
		if (span_eq(type, "reasoning")) {
			add_parts(&all.reasoning, json_member(item, "summary"), true);
			add_parts(&all.reasoning, json_member(item, "content"), true);
		}
	}
	if (!m->text.n)
		buf_add(&m->text, all.text.p, all.text.n);
	if (!m->reasoning.n)
		buf_add(&m->reasoning, all.reasoning.p, all.reasoning.n);
	buf_release(&all.text);
	buf_release(&all.reasoning);
}

static void model_event(struct span event, struct model_reply *m)
{
	struct json_object *o, *delta, *part;
	struct err e = ERR_INIT;
	struct span type;

	if (json_parse_lenient(event, &o, &e) < 0)
		return;
	type = json_member_str(o, "type");
	delta = json_member(o, "delta");
	part = json_member(o, "part");
	if (span_eq(type, "response.output_text.delta") || span_eq(type, "response.refusal.delta"))
		add_str(&m->text, delta);
	if (span_eq(type, "response.reasoning_summary_text.delta") ||
	    span_eq(type, "response.reasoning_text.delta"))
		add_str(&m->reasoning, delta);
	if (span_eq(type, "response.reasoning_summary_part.added"))
		add_gap(&m->reasoning);
	if (span_eq(type, "response.content_part.added")) {
		struct json_object *index = json_member(o, "content_index");

		if (span_eq(json_member_str(part, "type"), "reasoning_text"))
			add_gap(&m->reasoning);
		else if (json_object_is_type(index, json_type_int) && json_object_get_int64(index) == 0)
			add_gap(&m->text);
	}
	if (span_eq(type, "response.completed") || span_eq(type, "response.incomplete"))
		model_output(m, json_member(json_member(o, "response"), "output"));
	json_object_put(o);
}

static void check_events(struct span text, struct reply *r, struct err *e)
{
	struct model_reply want = { BUF_INIT, BUF_INIT };
	struct span rest = text, event;

	while (e->kind == ERR_NONE && cut_line(&rest, &event)) {
		struct span copy = exact(event);
		size_t had = r->text.n, thought = r->reasoning.n;

		if (p->event(r, copy, e) == 0)
			model_event(event, &want);
		else
			must(r->text.n == had && r->reasoning.n == thought, "a refused event adds nothing");
		must(r->text.n >= had && r->reasoning.n >= thought, "nothing is taken back");
		drop(copy);
	}
	check_error(e);
	must_be_same(buf_span(&r->text), buf_span(&want.text), "the reply");
	must_be_same(buf_span(&r->reasoning), buf_span(&want.reasoning), "the reasoning");
	check_reply(r);
	check_said(&r->problem);
	buf_release(&want.text);
	buf_release(&want.reasoning);
}

/* ---- the same through the stream's framing ---- */

struct streaming {
	struct sse sse;
	struct reply r;
	struct err e;
};

static int on_event(void *ctx, struct span data, struct err *e)
{
	struct streaming *s = ctx;

	return p->event(&s->r, data, e);
}

static bool feed(void *ctx, struct span chunk)
{
	struct streaming *s = ctx;

	return sse_feed(&s->sse, chunk, &s->e) == 0;
}

static void check_stream(struct span text, const struct reply *want, const struct err *e)
{
	struct streaming s = { .r = REPLY_INIT, .e = ERR_INIT };
	struct buf stream = BUF_INIT;
	struct span event;

	while (cut_line(&text, &event)) {
		if (memchr(event.p, '\r', event.n)) { /* would be another end of line */
			buf_release(&stream);
			return;
		}
		buf_adds(&stream, "event: x\ndata: ");
		buf_add(&stream, event.p, event.n);
		buf_adds(&stream, "\n\n");
	}
	s.sse = (struct sse)SSE_INIT(on_event, &s);
	feed_in_chunks(buf_span(&stream), 3, feed, &s);
	if (s.e.kind == ERR_NONE)
		sse_end(&s.sse, &s.e);
	must(s.e.kind == e->kind && strcmp(s.e.msg, e->msg) == 0, "'%s' and '%s'", s.e.msg, e->msg);
	must_equal(&s.r, want);
	sse_release(&s.sse);
	reply_release(&s.r);
	buf_release(&stream);
}

/* ---- an answer as a whole ---- */

/* The event that would end a stream with it. */
static void check_as_event(struct span body, const struct reply *whole, struct span status)
{
	struct reply r = REPLY_INIT;
	struct buf event = BUF_INIT;
	struct err e = ERR_INIT;

	buf_addf(&event, "{\"type\":\"response.%.*s\",\"response\":", status.n ? (int)status.n : 9,
	         status.n ? status.p : "completed");
	buf_add(&event, body.p, body.n);
	buf_addc(&event, '}');
	must(p->event(&r, buf_span(&event), &e) == 0, "%s", e.msg);
	must_equal(&r, whole);
	reply_release(&r);
	buf_release(&event);
}

static void check_whole(struct span body)
{
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT, ignored = ERR_INIT;
	struct json_object *o = NULL;

	if (p->whole(&r, body, &e) == 0) {
		must(r.done && p->end(&r, &e) == 0, "%s", e.msg);
		must(json_parse_lenient(body, &o, &ignored) == 0, "%s", ignored.msg);
		check_as_event(body, &r, json_member_str(o, "status"));
		json_object_put(o);
	} else {
		must(e.kind == ERR_NETWORK && e.msg[0] && !r.done && !r.text.n, "a reason: %s", e.msg);
	}
	check_reply(&r);
	reply_release(&r);
}

static void check_problem(struct span body)
{
	struct problem said = PROBLEM_INIT;

	p->problem(body, &said);
	must(said.message.p[said.message.n] == '\0' && said.message.n <= body.n * 3, "%zu bytes",
	     said.message.n);
	check_said(&said);
	buf_release(&said.message);
}

static int take(void *ctx, const struct model *m, struct err *e)
{
	size_t *n = ctx;

	(void)e;
	must(m->id.n && m->window >= 0 && p->window(m->id) >= 0, "a model");
	++*n;
	return 0;
}

static void check_models(struct span body)
{
	struct buf next = BUF_INIT;
	struct err e = ERR_INIT;
	size_t n = 0;

	if (p->models(body, take, &n, &next, &e) < 0)
		must(e.kind == ERR_NETWORK && e.msg[0] && n == 0, "%s", e.msg);
	must(next.n == 0, "one page");
}

/* ---- a request ---- */

static void check_message(struct json_object *input, size_t i, const char *role, const char *type,
                          struct span text)
{
	struct json_object *m = element(input, i), *content = json_member(m, "content");

	must(span_eq(json_member_str(m, "role"), role), "message %zu", i);
	must(length(content) == 1, "one part");
	must(span_eq(json_member_str(element(content, 0), "type"), type), "part %zu", i);
	must_be_same(json_member_str(element(content, 0), "text"), text, "a message");
}

static void check_request(struct span prompt)
{
	const struct said turns[] = { { .query = prompt, .answer = prompt } };
	struct chat_request rq = { .base_url = "http://h", .model = "gpt-6", .system = prompt,
		                   .turns = turns, .nturns = 1, .prompt.query = prompt };
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct json_object *o, *input;
	struct err e = ERR_INIT;
	size_t at = 0;

	must(p->request(&rq, &url, &body, &e) == 0, "%s", e.msg);
	must(json_parse_object(buf_span(&body), &o, &e) == 0, "%s: %s", e.msg, body.p);
	input = json_member(o, "input");
	must(length(input) == (prompt.n ? 3 : 2), "%s", body.p);
	must_be_same(json_member_str(o, "instructions"), prompt, "the system prompt");
	check_message(input, at++, "user", "input_text", prompt);
	if (prompt.n)
		check_message(input, at++, "assistant", "output_text", prompt);
	check_message(input, at, "user", "input_text", prompt);
	must(!json_object_get_boolean(json_member(o, "store")), "nothing is stored");
	json_object_put(o);
	buf_release(&url);
	buf_release(&body);
}

/* A user's own objects are in the body, with ours. */
static void check_own(struct span own)
{
	struct params params = PARAMS_INIT;
	struct chat_request rq = { .base_url = "http://h", .model = "gpt-6", .prompt.query = own,
		                   .params = &params, .reasoning = true, .schema = span_str("{}") };
	struct json_object *o = NULL, *mine = NULL, *value;
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct err e = ERR_INIT, ignored = ERR_INIT;

	params_set(&params, span_str("reasoning"), own, &e);
	params_set(&params, span_str("text"), own, &e);
	params_set(&params, span_str("reasoning_effort"), span_str("\"low\""), &e);
	if (json_parse_object(own, &mine, &ignored) < 0 || json_object_object_get_ex(mine, "effort", NULL) ||
	    json_object_object_get_ex(mine, "format", NULL)) {
		must(p->request(&rq, &url, &body, &e) < 0 && e.kind == ERR_USAGE && e.msg[0], "%s", body.p);
	} else {
		must(p->request(&rq, &url, &body, &e) == 0, "%s", e.msg);
		must(json_parse_object(buf_span(&body), &o, &e) == 0, "%s: %s", e.msg, body.p);
		must(json_object_object_get_ex(json_member(o, "reasoning"), "summary", NULL), "%s", body.p);
		must(span_eq(json_member_str(json_member(o, "reasoning"), "effort"), "low"), "%s", body.p);
		value = json_member(json_member(o, "text"), "format");
		must(span_eq(json_member_str(value, "type"), "json_schema"), "%s", body.p);
		json_object_object_foreach(mine, key, member) {
			must(json_object_equal(member, json_member(json_member(o, "reasoning"), key)), "%s", key);
			must(json_object_equal(member, json_member(json_member(o, "text"), key)), "%s", key);
		}
	}
	json_object_put(mine);
	json_object_put(o);
	params_release(&params);
	buf_release(&url);
	buf_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = exact((struct span){ (const char *)data, size });
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT, end = ERR_INIT;

	check_events(text, &r, &e);
	check_stream(text, &r, &e);
	must((p->end(&r, &end) == 0) == r.done, "complete");
	check_error(&end);
	check_whole(text);
	check_problem(text);
	check_models(text);
	if (utf8_valid(text.p, text.n) == text.n) {
		check_request(text);
		if (!span_eq(text, "null")) /* which takes a parameter away */
			check_own(text);
	}
	reply_release(&r);
	drop(text);
	return 0;
}
