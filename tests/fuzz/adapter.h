/*
 * What the fuzz targets of the adapters check alike. Each names the provider, and has a
 * model of what its events say, by json-c alone:
 *
 *	adapter = provider_find("google");
 *	check_stream(text, &r, &e); // that the events, one a line, came to
 *	check_problem(text);
 *	…
 */
#ifndef FUZZ_ADAPTER_H
#define FUZZ_ADAPTER_H

#include "base/json.h"
#include "base/utf8.h"
#include "../unit/conversation.h"
#include "fuzz.h"
#include "net/sse.h"
#include "provider/provider.h"
#include "provider/wire.h"

static const struct provider *adapter;

/* ---- why a reply ended ---- */

/* As it is after each event: a reason changes what was there, unless that is a failure, or a
 * refusal and the new one a stop; a stop is taken back when more comes, and is the calls' where
 * there were any. */
struct ending {
	struct buf reason;
	bool called;
};

static inline void ending_add(struct ending *end, struct span word, bool more)
{
	struct span had = buf_span(&end->reason);

	word = finish_word(word);
	if (more && span_eq(had, FINISH_STOP))
		buf_clear(&end->reason);
	if (word.n && finish_kind(had) != FINISH_FAILURE &&
	    !(span_eq(had, FINISH_REFUSED) && span_eq(word, FINISH_STOP))) {
		buf_clear(&end->reason);
		buf_add(&end->reason, word.p, word.n);
	}
	if (end->called && span_eq(buf_span(&end->reason), FINISH_STOP)) {
		buf_clear(&end->reason);
		buf_adds(&end->reason, FINISH_CALLS);
	}
}

static inline bool fails(const struct reply *r)
{
	return finish_kind(buf_span(&r->finish_reason)) == FINISH_FAILURE;
}

/* ---- json-c's view ---- */

static inline size_t length(struct json_object *o)
{
	return json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
}

static inline struct json_object *element(struct json_object *o, size_t i)
{
	return i < length(o) ? json_object_array_get_idx(o, i) : NULL;
}

static inline void add_str(struct buf *b, struct json_object *v)
{
	if (json_object_is_type(v, json_type_string))
		buf_add(b, json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

/* ---- replies ---- */

static inline void check_error(const struct err *e)
{
	must((e->kind == ERR_NETWORK || e->kind == ERR_NONE) && !e->msg[0] == !e->kind, "%s", e->msg);
}

/* `bytes`: how long the text is that it was taken from. */
static inline void check_told(const struct problem *told, size_t bytes)
{
	must(told->message.p[told->message.n] == '\0' && told->message.n <= bytes * 3, "%zu bytes",
	     told->message.n);
	must(told->tokens >= 0 && told->tokens <= COUNT_MAX, "%" PRId64 " tokens", told->tokens);
	must(told->window >= 0 && told->window <= COUNT_MAX, "%" PRId64 " tokens", told->window);
	must(told->status == 0 || (told->status >= 400 && told->status <= 599), "%ld", told->status);
	must(told->kind == PROBLEM_CONTEXT || (!told->tokens && !told->window), "sizes of no context");
}

/* They become a member of a record. */
static inline void check_native(const struct buf *native)
{
	struct buf clean = BUF_INIT;

	buf_add(&clean, native->p, native->n);
	utf8_clean(&clean);
	must(!clean.n || (clean.p[0] == '[' && json_is_whole(buf_span(&clean))), "%s", clean.p);
	buf_release(&clean);
}

static inline void check_reply(const struct reply *r, size_t bytes)
{
	const int64_t counts[] = { r->usage.input, r->usage.output, r->usage.total,
		                   r->usage.reasoning, r->usage.cached };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		must(counts[i] >= -1 && counts[i] <= COUNT_MAX, "a count of %" PRId64, counts[i]);
	check_told(&r->problem, bytes);
	check_native(&r->native);
}

static inline void must_equal(const struct reply *a, const struct reply *b)
{
	must_be_same(buf_span(&a->text), buf_span(&b->text), "text");
	must_be_same(buf_span(&a->reasoning), buf_span(&b->reasoning), "reasoning");
	must_be_same(buf_span(&a->finish_reason), buf_span(&b->finish_reason), "finish reason");
	must(memcmp(&a->usage, &b->usage, sizeof(a->usage)) == 0, "usage");
	must(a->done == b->done, "done");
	must(a->ncalls == b->ncalls, "%zu calls instead of %zu", b->ncalls, a->ncalls);
	for (size_t i = 0; i < a->ncalls; i++) {
		must_be_same(buf_span(&a->calls[i].id), buf_span(&b->calls[i].id), "a call's id");
		must_be_same(buf_span(&a->calls[i].name), buf_span(&b->calls[i].name), "its name");
		must_be_same(buf_span(&a->calls[i].arguments), buf_span(&b->calls[i].arguments), "its arguments");
	}
	must_be_same(buf_span(&a->native), buf_span(&b->native), "native items");
	must_be_same(buf_span(&a->problem.message), buf_span(&b->problem.message), "problem");
	must(a->problem.kind == b->problem.kind && a->problem.status == b->problem.status, "problem");
	must(a->problem.tokens == b->problem.tokens && a->problem.window == b->problem.window, "sizes");
}

static inline void check_end(const struct reply *r, bool complete)
{
	struct err e = ERR_INIT;

	must((adapter->end(r, &e) == 0) == complete, "complete");
	check_error(&e);
}

/* ---- the events through a stream's framing ---- */

struct streaming {
	struct sse sse;
	struct reply r;
	struct err e;
};

static inline int on_event(void *ctx, struct span data, struct err *e)
{
	struct streaming *s = ctx;

	return adapter->event(&s->r, data, e);
}

static inline bool feed(void *ctx, struct span chunk)
{
	struct streaming *s = ctx;

	return sse_feed(&s->sse, chunk, &s->e) == 0;
}

/* False when a line holds what would be another end of line. */
static inline bool frame(struct span text, struct buf *stream)
{
	struct span event;

	while (cut_line(&text, &event)) {
		if (memchr(event.p, '\r', event.n))
			return false;
		buf_adds(stream, "event: x\ndata: ");
		buf_add(stream, event.p, event.n);
		buf_adds(stream, "\n\n");
	}
	return true;
}

/* They come to the same as server-sent events, in chunks. */
static inline void check_stream(struct span text, const struct reply *want, const struct err *e)
{
	struct buf stream = BUF_INIT;
	bool framed = frame(text, &stream);

	for (size_t way = 0; framed && way < 4; way++) {
		struct streaming s = { .r = REPLY_INIT, .e = ERR_INIT };

		s.sse = (struct sse)SSE_INIT(on_event, &s);
		feed_in_chunks(buf_span(&stream), way, feed, &s);
		if (s.e.kind == ERR_NONE)
			sse_end(&s.sse, &s.e);
		must(s.e.kind == e->kind && strcmp(s.e.msg, e->msg) == 0, "'%s' and '%s'", s.e.msg, e->msg);
		must_equal(&s.r, want);
		sse_release(&s.sse);
		reply_release(&s.r);
	}
	buf_release(&stream);
}

/* ---- bodies ---- */

/* An answer as a whole is complete and says something, or is refused with a reason. */
static inline bool hear_whole(struct span body, struct reply *r)
{
	struct err e = ERR_INIT;
	bool taken = adapter->whole(r, body, &e) == 0;

	if (taken) {
		must(r->done && (r->text.n || r->reasoning.n || r->finish_reason.n || r->ncalls), "a reply");
		must((adapter->end(r, &e) == 0) == !fails(r), "%s", e.msg);
	} else {
		must(e.kind == ERR_NETWORK && e.msg[0] && !r->done, "a reason: %s", e.msg);
	}
	check_reply(r, body.n);
	return taken;
}

static inline void check_problem(struct span body)
{
	struct problem told = PROBLEM_INIT;

	adapter->problem(body, &told);
	check_told(&told, body.n);
	buf_release(&told.message);
}

static inline int take_model(void *ctx, const struct model *m, struct err *e)
{
	size_t *n = ctx;

	(void)e;
	must(m->id.n && m->window >= 0 && m->window <= COUNT_MAX, "a model");
	must(!adapter->window || adapter->window(m->id) >= 0, "a window");
	++*n;
	return 0;
}

/* The next page's address is one, whatever the server calls it. Whether there is one. */
static inline bool check_models(struct span body)
{
	struct buf next = BUF_INIT, url = BUF_INIT;
	struct err e = ERR_INIT;
	bool more;
	size_t n = 0;

	if (adapter->models(body, take_model, &n, &next, &e) < 0)
		must(n == 0 && !next.n && e.kind == ERR_NETWORK && e.msg[0], "a reason: %s", e.msg);
	must(adapter->models_url("http://h", buf_span(&next), &url, &e) == 0, "%s", e.msg);
	for (size_t i = 0; i < url.n; i++)
		must(url.p[i] > ' ' && url.p[i] < 127 && !strchr("\"#<>", url.p[i]), "%s", url.p);
	more = next.n > 0;
	buf_release(&next);
	buf_release(&url);
	return more;
}

/* ---- requests ---- */

/* The body of one that must be taken; it is JSON without a member twice. The caller owns it. */
static inline struct json_object *request_of(const struct chat_request *rq)
{
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct json_object *o = NULL;
	struct err e = ERR_INIT;

	must(adapter->request(rq, &url, &body, &e) == 0, "%s", e.msg);
	must(json_parse_object(buf_span(&body), &o, &e) == 0, "%s: %s", e.msg, body.p);
	buf_release(&url);
	buf_release(&body);
	return o;
}

#endif
