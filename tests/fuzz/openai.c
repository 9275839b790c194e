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
#include <json-c/linkhash.h>

#include "adapter.h"
#include "base/utf8.h"

/* ---- what the events say ---- */

struct model_reply {
	struct buf text, reasoning;
	bool streamed;
};

static void add_gap(struct buf *b)
{
	if (b->n >= 2 && b->p[b->n - 1] == '\n' && b->p[b->n - 2] == '\n')
		return;
	buf_adds(b, b->n ? "\n\n" : "");
}

/* The parts of a list, each after a gap or only the list as a whole. */
static void add_parts(struct buf *b, struct json_object *list)
{
	for (size_t i = 0; i < length(list); i++) {
		add_gap(b);
		add_str(b, json_member(element(list, i), "text"));
	}
}

static void add_message(struct model_reply *m, struct json_object *list)
{
	struct reply parts = REPLY_INIT;

	add_gap(&m->text);
	for (size_t i = 0; i < length(list); i++) {
		wire_add_part(&parts, element(list, i));
		add_str(&parts.text, json_member(element(list, i), "refusal"));
	}
	buf_add(&m->text, parts.text.p, parts.text.n);
	buf_add(&m->reasoning, parts.reasoning.p, parts.reasoning.n);
	reply_release(&parts);
}

static void model_output(struct model_reply *m, struct json_object *output)
{
	bool thought = m->reasoning.n > 0;

	for (size_t i = 0; i < length(output); i++) {
		struct json_object *item = element(output, i);
		struct span type = json_member_str(item, "type");

		if (span_eq(type, "message") && !m->streamed)
			add_message(m, json_member(item, "content"));
		if (span_eq(type, "reasoning") && !thought) {
			add_parts(&m->reasoning, json_member(item, "summary"));
			add_parts(&m->reasoning, json_member(item, "content"));
		}
	}
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
	if (span_eq(type, "response.output_text.delta") || span_eq(type, "response.refusal.delta")) {
		size_t had = m->text.n;

		add_str(&m->text, delta);
		m->streamed |= m->text.n > had;
	}
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
	if (span_eq(type, "response.completed") || span_eq(type, "response.incomplete") ||
	    span_eq(type, "response.cancelled") || span_eq(type, "response.failed"))
		model_output(m, json_member(json_member(o, "response"), "output"));
	json_object_put(o);
}

static void check_events(struct span text, struct reply *r, struct err *e)
{
	struct model_reply want = { BUF_INIT, BUF_INIT, false };
	struct span rest = text, event;

	while (e->kind == ERR_NONE && cut_line(&rest, &event)) {
		struct span copy = exact(event);
		size_t had = r->text.n, thought = r->reasoning.n;

		if (adapter->event(r, copy, e) == 0)
			model_event(event, &want);
		else
			must(r->text.n == had && r->reasoning.n == thought, "a refused event adds nothing");
		must(r->text.n >= had && r->reasoning.n >= thought, "nothing is taken back");
		drop(copy);
	}
	check_error(e);
	must_be_same(buf_span(&r->text), buf_span(&want.text), "the reply");
	must_be_same(buf_span(&r->reasoning), buf_span(&want.reasoning), "the reasoning");
	check_reply(r, text.n);
	must(!r->done || r->finish_reason.n, "the end of a reply has a reason");
	buf_release(&want.text);
	buf_release(&want.reasoning);
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
	must(adapter->event(&r, buf_span(&event), &e) == 0, "%s", e.msg);
	must_equal(&r, whole);
	reply_release(&r);
	buf_release(&event);
}

static void check_whole(struct span body)
{
	struct reply r = REPLY_INIT;
	struct err ignored = ERR_INIT;
	struct json_object *o = NULL;

	if (hear_whole(body, &r)) {
		must(r.finish_reason.n, "the end of a reply has a reason");
		must(json_parse_lenient(body, &o, &ignored) == 0, "%s", ignored.msg);
		check_as_event(body, &r, json_member_str(o, "status"));
		json_object_put(o);
	} else {
		must(!r.text.n, "'%s' of what was refused", r.text.p);
	}
	reply_release(&r);
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
	struct context_turn turns[] = { { .query = prompt, .answer = prompt } };
	struct chat_request rq = { .base_url = "http://h", .model = "gpt-6", .system = prompt };
	struct json_object *o, *input;
	size_t at = 0;

	converse(&rq, turns, 1, (struct context_turn){ .query = prompt });
	o = request_of(&rq);
	input = json_member(o, "input");
	must(length(input) == (utf8_is_blank(prompt) ? 2 : 3), "%zu messages", length(input));
	must_be_same(json_member_str(o, "instructions"), prompt, "the system prompt");
	check_message(input, at++, "user", "input_text", prompt);
	if (!utf8_is_blank(prompt))
		check_message(input, at++, "assistant", "output_text", prompt);
	check_message(input, at, "user", "input_text", prompt);
	must(!json_object_get_boolean(json_member(o, "store")), "nothing is stored");
	json_object_put(o);
}

/* A user's own objects are in the body, with ours. */
static void check_own(struct span own)
{
	struct params params = PARAMS_INIT;
	struct chat_request rq = { .base_url = "http://h", .model = "gpt-6", ASKING(own),
		                   .params = &params, .reasoning = true, .schema = span_str("{}") };
	struct json_object *o = NULL, *mine = NULL, *value;
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct err e = ERR_INIT, ignored = ERR_INIT;

	params_set(&params, span_str("reasoning"), own, &e);
	params_set(&params, span_str("text"), own, &e);
	params_set(&params, span_str("reasoning_effort"), span_str("\"low\""), &e);
	if (json_parse_object(own, &mine, &ignored) < 0 || json_object_object_get_ex(mine, "effort", NULL) ||
	    json_object_object_get_ex(mine, "format", NULL)) {
		must(adapter->request(&rq, &url, &body, &e) < 0 && e.kind == ERR_USAGE && e.msg[0], "%s", body.p);
	} else {
		must(adapter->request(&rq, &url, &body, &e) == 0, "%s", e.msg);
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
	struct err e = ERR_INIT;

	adapter = provider_find("openai");
	check_events(text, &r, &e);
	check_stream(text, &r, &e);
	check_end(&r, r.done && !fails(&r));
	check_whole(text);
	check_problem(text);
	must(!check_models(text), "one page");
	if (utf8_valid(text.p, text.n) == text.n) {
		check_request(text);
		if (!span_eq(text, "null")) /* which takes a parameter away */
			check_own(text);
	}
	reply_release(&r);
	drop(text);
	return 0;
}
