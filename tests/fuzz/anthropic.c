/*
 * lib/provider/anthropic. The input is the events of a stream, one a line; and, all of it,
 * the body of an answer that did not stream, of a failed request and of a list of models;
 * and, line by line, a conversation.
 *
 * Properties: the reply is the text of the events in a row, and the counts are the largest
 * told, as json-c finds them; the same events come to the same when they arrive as
 * server-sent events, in chunks; a refused event adds nothing. An answer as a whole is the
 * text of its blocks. A request is JSON that says the conversation, in messages that take
 * turns, begin and end with the user's, and have no empty text; two prefixes are marked in
 * the messages, of which one is all of them, and one all of those of the request before.
 */
#include "adapter.h"
#include "base/utf8.h"

/* ---- what the events say ---- */

struct story {
	struct buf text, reasoning;
	struct ending ending;
	int64_t input, output, cached;
	bool done;
};

static bool is(struct json_object *o, const char *key, const char *value)
{
	struct json_object *v = json_member(o, key);

	return json_object_is_type(v, json_type_string) &&
	       (size_t)json_object_get_string_len(v) == strlen(value) &&
	       memcmp(json_object_get_string(v), value, strlen(value)) == 0;
}

static void grow(int64_t *to, struct json_object *v)
{
	int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : -1;

	if (n > *to && n <= COUNT_MAX)
		*to = n;
}

static void story_usage(struct story *s, struct json_object *o)
{
	struct json_object *u = json_member(o, "usage");
	int64_t input = -1, read = 0, written = 0;

	grow(&s->output, json_member(u, "output_tokens"));
	grow(&s->cached, json_member(u, "cache_read_input_tokens"));
	grow(&input, json_member(u, "input_tokens"));
	grow(&read, json_member(u, "cache_read_input_tokens"));
	grow(&written, json_member(u, "cache_creation_input_tokens"));
	if (input >= 0 && input + read + written > s->input)
		s->input = input + read + written < COUNT_MAX ? input + read + written : COUNT_MAX;
}

/* A block, or a piece of one. */
static void story_block(struct story *s, struct json_object *o)
{
	if (is(o, "type", "text") || is(o, "type", "text_delta"))
		add_str(&s->text, json_member(o, "text"));
	if (is(o, "type", "thinking") || is(o, "type", "thinking_delta"))
		add_str(&s->reasoning, json_member(o, "thinking"));
	if (is(o, "type", "tool_use"))
		s->ending.called = true;
	ending_add(&s->ending, span_str(""), false);
}

static void story_stop(struct story *s, struct json_object *o)
{
	ending_add(&s->ending, json_member_str(o, "stop_reason"), false);
}

static void story_event(struct story *s, struct span event)
{
	struct json_object *o;
	struct err e = ERR_INIT;

	int what = wire_event(event, &o, &e);

	if (what == WIRE_DONE)
		s->done |= s->ending.reason.n > 0;
	if (what != WIRE_VALUE)
		return;
	if (is(o, "type", "message_start"))
		story_usage(s, json_member(o, "message"));
	if (is(o, "type", "content_block_start"))
		story_block(s, json_member(o, "content_block"));
	if (is(o, "type", "content_block_delta"))
		story_block(s, json_member(o, "delta"));
	if (is(o, "type", "message_delta")) {
		story_usage(s, o);
		story_stop(s, json_member(o, "delta"));
	}
	s->done |= is(o, "type", "message_stop");
	json_object_put(o);
}

static void check_story(struct story *s, const struct reply *r)
{
	const struct usage *u = &r->usage;

	must_be_same(buf_span(&r->text), buf_span(&s->text), "the reply");
	must_be_same(buf_span(&r->reasoning), buf_span(&s->reasoning), "the reasoning");
	must_be_same(buf_span(&r->finish_reason), buf_span(&s->ending.reason), "the finish reason");
	buf_release(&s->ending.reason);
	must(u->input == s->input && u->output == s->output && u->cached == s->cached,
	     "%" PRId64 " in, %" PRId64 " out, %" PRId64 " cached", u->input, u->output, u->cached);
	must(u->input < 0 || u->output < 0 ? u->total == -1
	     : u->total == (u->input + u->output < COUNT_MAX ? u->input + u->output : COUNT_MAX), "a total");
	must(r->done == s->done, "done");
	buf_release(&s->text);
	buf_release(&s->reasoning);
}

#define STORY_INIT { BUF_INIT, BUF_INIT, { BUF_INIT, false }, -1, -1, -1, false }

static void check_events(struct span text, struct reply *r, struct err *e)
{
	struct story s = STORY_INIT;
	struct span rest = text, event;

	while (e->kind == ERR_NONE && cut_line(&rest, &event)) {
		struct span copy = exact(event);

		if (adapter->event(r, copy, e) == 0)
			story_event(&s, event);
		drop(copy);
	}
	check_error(e);
	check_story(&s, r);
	check_reply(r, text.n);
}

/* ---- answers as a whole ---- */

static void story_whole(struct story *s, struct span body)
{
	struct json_object *o, *content;
	struct err e = ERR_INIT;

	if (json_parse_lenient(body, &o, &e) < 0)
		return;
	content = json_member(o, "content");
	for (size_t i = 0; i < length(content); i++)
		story_block(s, element(content, i));
	story_stop(s, o);
	story_usage(s, o);
	s->done = true;
	json_object_put(o);
}

static void check_whole(struct span body)
{
	struct story s = STORY_INIT;
	struct reply r = REPLY_INIT;

	if (hear_whole(body, &r)) {
		story_whole(&s, body);
		check_story(&s, &r);
	}
	reply_release(&r);
}

/* ---- a request ---- */

/* The text of the messages and how far it goes up to each mark. */
struct sent {
	struct buf said;
	size_t marks, end[8];
};

static void read_block(struct sent *s, struct json_object *block)
{
	struct span text = json_member_str(block, "text");

	must(is(block, "type", "text") && !utf8_is_blank(text), "a block with text");
	buf_add(&s->said, text.p, text.n);
	buf_addc(&s->said, '\n');
	if (json_member(block, "cache_control") && s->marks < 8)
		s->end[s->marks++] = s->said.n;
}

static void read_messages(struct sent *s, struct json_object *messages)
{
	size_t n = json_object_array_length(messages);

	must(n % 2 == 1, "%zu messages", n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *m = json_object_array_get_idx(messages, i), *content;

		must(is(m, "role", i % 2 ? "assistant" : "user"), "message %zu", i);
		content = json_member(m, "content");
		must(json_object_array_length(content) > 0, "an empty message");
		for (size_t k = 0; k < json_object_array_length(content); k++)
			read_block(s, json_object_array_get_idx(content, k));
	}
}

static void add_said(struct buf *b, struct span said, const char *if_blank)
{
	if (utf8_is_blank(said))
		buf_adds(b, if_blank);
	else
		buf_add(b, said.p, said.n);
	buf_adds(b, utf8_is_blank(said) && !*if_blank ? "" : "\n");
}

#define TURNS 6

/* Returns how much of it the request of the prompt before had. */
static size_t expect(const struct chat_request *rq, struct buf *want)
{
	size_t before = 0;

	for (size_t i = 0; i < rq->nmessages; i++) {
		const struct message *m = &rq->messages[i];

		add_said(want, m->parts[0].text, m->role == ROLE_USER ? "(empty)" : "");
		if (m->role == ROLE_USER && i + 1 < rq->nmessages)
			before = want->n;
	}
	return before;
}

static void check_conversation(const struct chat_request *rq)
{
	struct buf want = BUF_INIT;
	struct sent sent = { .said = BUF_INIT };
	struct json_object *o = request_of(rq), *system = json_member(o, "system");
	size_t before = expect(rq, &want);

	must(!system == utf8_is_blank(rq->system), "a system prompt");
	if (system)
		must_be_same(json_member_str(json_object_array_get_idx(system, 0), "text"), rq->system, "it");
	read_messages(&sent, json_member(o, "messages"));
	must_be_same(buf_span(&sent.said), buf_span(&want), "the conversation");
	must(sent.marks == (rq->nmessages > 1 ? 2 : 1) && sent.end[sent.marks - 1] == want.n, "%zu marks", sent.marks);
	must(rq->nmessages == 1 || sent.end[0] == before, "the mark of the request before");
	json_object_put(o);
	buf_release(&want);
	buf_release(&sent.said);
}

/* The first line is the system prompt, then questions and answers in turn. */
static void check_request(struct span text)
{
	struct context_turn turns[TURNS];
	size_t n = 0;
	struct span prompt = text, line = { "", 0 };
	struct chat_request rq = { .base_url = "http://h", .model = "m" };

	cut_line(&text, &line);
	rq.system = line;
	while (n < TURNS && cut_line(&text, &line)) {
		struct context_turn *turn = &turns[n++];

		*turn = (struct context_turn){ .query = line, .answer = { "", 0 } };
		cut_line(&text, &turn->answer);
	}
	converse(&rq, turns, n, (struct context_turn){ .query = prompt });
	if (!utf8_is_blank(prompt))
		check_conversation(&rq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = exact((struct span){ (const char *)data, size });
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT;

	adapter = provider_find("anthropic");
	check_events(text, &r, &e);
	check_stream(text, &r, &e);
	check_end(&r, (r.done || r.finish_reason.n) && !fails(&r));
	check_whole(text);
	check_problem(text);
	check_models(text);
	must(adapter->window(text) >= 0, "a window");
	if (utf8_valid(text.p, text.n) == text.n)
		check_request(text);
	reply_release(&r);
	drop(text);
	return 0;
}
