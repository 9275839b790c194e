/*
 * lib/provider/openai-compatible. The input is the events of a stream, one a line; and,
 * all of it, the body of an answer that did not stream, of a failed request, and a prompt.
 *
 * Properties: the reply is the texts of the first choice in a row, as json-c finds
 * them; the same events come to the same when they arrive as server-sent events,
 * in chunks; counts are counts; an answer as a whole is read as its one event would be. A
 * request is JSON that says the conversation. A refusal blames the network and has a
 * reason.
 */
#include "provider/provider.h"

#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "net/sse.h"

extern const struct provider provider_openai_compatible;
static const struct provider *const p = &provider_openai_compatible;

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

static struct json_object *element(struct json_object *o, size_t i)
{
	return json_object_is_type(o, json_type_array) ? json_object_array_get_idx(o, i) : NULL;
}

static void add_str(struct buf *b, struct json_object *v)
{
	if (json_object_is_type(v, json_type_string))
		buf_add(b, json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

static void model_event(struct span event, struct buf *text)
{
	struct json_object *o, *delta, *content;
	struct err e = ERR_INIT;

	if (json_parse_lenient(event, &o, &e) < 0)
		return;
	delta = json_member(element(json_member(o, "choices"), 0), "delta");
	content = json_member(delta, "content");
	add_str(text, content);
	if (json_object_is_type(content, json_type_array))
		for (size_t i = 0; i < json_object_array_length(content); i++)
			add_str(text, json_member(element(content, i), "text"));
	add_str(text, json_member(delta, "refusal"));
	json_object_put(o);
}

static void check_events(struct span text, struct reply *r, struct err *e)
{
	struct span rest = text, event;
	struct buf want = BUF_INIT;

	while (e->kind == ERR_NONE && cut_line(&rest, &event)) {
		struct span copy = exact(event);
		size_t had = r->text.n;

		if (p->event(r, copy, e) == 0)
			model_event(event, &want);
		else
			must(r->text.n == had, "a refused event adds nothing");
		drop(copy);
	}
	check_error(e);
	must_be_same(buf_span(&r->text), buf_span(&want), "the reply");
	check_reply(r);
	buf_release(&want);
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
		buf_adds(&stream, "data: ");
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

static void check_whole(struct span body)
{
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT;

	if (p->whole(&r, body, &e) == 0) {
		must(r.done && (r.text.n || r.reasoning.n || r.finish_reason.n), "a reply");
		must(p->end(&r, &e) == 0, "%s", e.msg);
	} else {
		must(e.kind == ERR_NETWORK && e.msg[0], "a reason");
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
	must(said.tokens >= 0 && said.window >= 0, "tokens");
	buf_release(&said.message);
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
	const struct said turns[] = { { .query = prompt, .answer = span_str("a") } };
	struct chat_request rq = { .base_url = "http://h", .model = "m", .system = prompt, .turns = turns,
		                   .nturns = 1, .prompt.query = prompt };
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct json_object *o, *messages;
	struct err e = ERR_INIT;

	must(p->request(&rq, &url, &body, &e) == 0, "%s", e.msg);
	must(json_parse_object(buf_span(&body), &o, &e) == 0, "%s: %s", e.msg, body.p);
	messages = json_member(o, "messages");
	must(json_object_array_length(messages) == 4, "%s", body.p);
	check_message(messages, 0, "system", prompt);
	check_message(messages, 1, "user", prompt);
	check_message(messages, 2, "assistant", span_str("a"));
	check_message(messages, 3, "user", prompt);
	json_object_put(o);
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
	must((p->end(&r, &end) == 0) == (r.done || r.finish_reason.n), "complete");
	check_error(&end);
	check_whole(text);
	check_problem(text);
	if (utf8_valid(text.p, text.n) == text.n)
		check_request(text);
	reply_release(&r);
	drop(text);
	return 0;
}
