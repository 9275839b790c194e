/*
 * lib/provider/openai-compatible. The input is the events of a stream, one a line; and,
 * all of it, the body of an answer that did not stream, of a failed request, a list of
 * models, and a prompt.
 *
 * Properties: the reply is the texts of the first choice in a row, as json-c finds
 * them; the same events come to the same when they arrive as server-sent events,
 * in chunks; counts are counts; an answer as a whole is read as its one event would be. A
 * request is JSON that says the conversation. A refusal blames the network and has a
 * reason.
 */
#include "adapter.h"
#include "base/utf8.h"

/* ---- what the events say ---- */

struct model_reply {
	struct reply words; /* its text and reasoning */
	bool streamed;
};

static void model_message(struct model_reply *m, struct json_object *message)
{
	struct json_object *content = json_member(message, "content");
	struct json_object *details = json_member(message, "reasoning_details");
	size_t thought;

	add_str(&m->words.text, content);
	for (size_t i = 0; i < length(content); i++)
		wire_add_part(&m->words, element(content, i));
	add_str(&m->words.text, json_member(message, "refusal"));
	thought = m->words.reasoning.n;
	for (const char *const *key = (const char *const[]){ "reasoning_content", "reasoning", "thinking", NULL };
	     *key && m->words.reasoning.n == thought; key++)
		wire_add_text(&m->words.reasoning, json_member(message, *key));
	if (m->words.reasoning.n > thought)
		return;
	for (size_t i = 0; i < length(details); i++) {
		add_str(&m->words.reasoning, json_member(element(details, i), "text"));
		add_str(&m->words.reasoning, json_member(element(details, i), "summary"));
	}
}

/* The delta, or a message where none ever said anything. */
static void model_event(struct span event, struct model_reply *m)
{
	struct json_object *o, *choice;
	struct err e = ERR_INIT;
	size_t had = m->words.text.n + m->words.reasoning.n;
	bool own;

	if (wire_object_event(event, &o, &e) != WIRE_VALUE)
		return;
	choice = element(json_member(o, "choices"), 0);
	own = m->streamed || wire_says(json_member(choice, "delta"));
	if (!wire_error(o))
		model_message(m, json_member(choice, own ? "delta" : "message"));
	m->streamed |= own && m->words.text.n + m->words.reasoning.n > had;
	json_object_put(o);
}

static void check_events(struct span text, struct reply *r, struct err *e)
{
	struct model_reply want = { REPLY_INIT, false };
	struct span rest = text, event;

	while (e->kind == ERR_NONE && cut_line(&rest, &event)) {
		struct span copy = exact(event);

		adapter->event(r, copy, e);
		model_event(event, &want);
		drop(copy);
	}
	check_error(e);
	must_be_same(buf_span(&r->text), buf_span(&want.words.text), "the reply");
	must_be_same(buf_span(&r->reasoning), buf_span(&want.words.reasoning), "the reasoning");
	check_reply(r, text.n);
	reply_release(&want.words);
}

/* ---- a request ---- */

static void check_message(struct json_object *messages, size_t i, const char *role,
                          struct span content)
{
	struct json_object *m = element(messages, i);

	must(span_eq(json_member_str(m, "role"), role), "message %zu", i);
	must_be_same(json_member_str(m, "content"), content, "a message");
}

static void check_request(struct span prompt)
{
	struct context_turn turns[] = { { .query = prompt, .answer = span_str("a") } };
	struct chat_request rq = { .base_url = "http://h", .model = "m", .system = prompt };
	struct json_object *o, *messages;

	converse(&rq, turns, 1, (struct context_turn){ .query = prompt });
	o = request_of(&rq);
	messages = json_member(o, "messages");
	must(length(messages) == 4, "%zu messages", length(messages));
	check_message(messages, 0, "system", prompt);
	check_message(messages, 1, "user", prompt);
	check_message(messages, 2, "assistant", span_str("a"));
	check_message(messages, 3, "user", prompt);
	json_object_put(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = exact((struct span){ (const char *)data, size });
	struct reply r = REPLY_INIT, all = REPLY_INIT;
	struct err e = ERR_INIT;

	adapter = provider_find("openai-compatible");
	check_events(text, &r, &e);
	check_stream(text, &r, &e);
	check_end(&r, (r.done || r.finish_reason.n) && !fails(&r));
	hear_whole(text, &all);
	check_problem(text);
	must(!check_models(text), "one page");
	if (utf8_valid(text.p, text.n) == text.n)
		check_request(text);
	reply_release(&r);
	reply_release(&all);
	drop(text);
	return 0;
}
