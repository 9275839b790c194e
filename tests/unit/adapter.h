/*
 * What the unit tests of the adapters do alike: each has its vendor's words in tables of
 * these kinds, names the provider, and goes through them.
 *
 *	adapter = provider_find("google");
 *	for (…)
 *		is_good_stream(&streams[i], done);
 *
 * Whatever goes to the adapter is in memory of its own, just as large (see data.h).
 */
#ifndef UNIT_ADAPTER_H
#define UNIT_ADAPTER_H

#include <json-c/json_tokener.h>

#include "base/json.h"
#include "conversation.h"
#include "data.h"
#include "net/sse.h"
#include "provider/provider.h"
#include "tap.h"

static const struct provider *adapter;

/* ---- a stream, in pieces ---- */

struct heard {
	struct reply reply;
	struct err err;
	int result; /* of the stream, or of end() */
};

static inline int on_event(void *ctx, struct span data, struct err *e)
{
	struct heard *h = ctx;
	struct span copy = exact(data);
	int r = adapter->event(&h->reply, copy, e);

	drop(copy);
	return r;
}

static inline int feed(struct sse *s, struct span piece, struct err *e)
{
	struct span copy = exact(piece);
	int r = sse_feed(s, copy, e);

	drop(copy);
	return r;
}

/* In pieces: the first of `first` bytes, the others of `step`. */
static inline void hear_pieces(struct heard *h, struct span stream, size_t first, size_t step)
{
	struct sse s = SSE_INIT(on_event, h);

	*h = (struct heard){ .reply = REPLY_INIT, .err = ERR_INIT };
	for (size_t at = 0, n = first; h->result == 0 && at < stream.n; at += n, n = step) {
		n = n < stream.n - at ? n : stream.n - at;
		h->result = feed(&s, (struct span){ stream.p + at, n }, &h->err);
	}
	if (h->result == 0)
		h->result = sse_end(&s, &h->err);
	if (h->result == 0)
		h->result = adapter->end(&h->reply, &h->err);
	sse_release(&s);
}

static inline void hear(struct heard *h, struct span stream)
{
	hear_pieces(h, stream, stream.n, 1);
}

static inline bool same_buf(const struct buf *a, const struct buf *b)
{
	return span_same(buf_span(a), buf_span(b));
}

static inline bool same_usage(const struct usage *a, const struct usage *b)
{
	return a->input == b->input && a->output == b->output && a->total == b->total &&
	       a->reasoning == b->reasoning && a->cached == b->cached && a->cache_write == b->cache_write &&
	       a->cost == b->cost;
}

static inline bool same_problem(const struct problem *a, const struct problem *b)
{
	return a->kind == b->kind && same_buf(&a->message, &b->message) && a->tokens == b->tokens &&
	       a->window == b->window && a->status == b->status;
}

static inline bool same_calls(const struct reply *a, const struct reply *b)
{
	bool same = a->ncalls == b->ncalls;

	for (size_t i = 0; same && i < a->ncalls; i++)
		same = same_buf(&a->calls[i].id, &b->calls[i].id) && same_buf(&a->calls[i].name, &b->calls[i].name) &&
		       same_buf(&a->calls[i].arguments, &b->calls[i].arguments);
	return same;
}

static inline bool same_heard(const struct heard *a, const struct heard *b)
{
	const struct reply *r = &a->reply, *s = &b->reply;

	return a->result == b->result && a->err.kind == b->err.kind &&
	       strcmp(a->err.msg, b->err.msg) == 0 && same_buf(&r->text, &s->text) &&
	       same_buf(&r->reasoning, &s->reasoning) &&
	       same_buf(&r->finish_reason, &s->finish_reason) && same_usage(&r->usage, &s->usage) &&
	       same_calls(r, s) && same_buf(&r->native, &s->native) && r->native_for_calls == s->native_for_calls &&
	       r->done == s->done && same_problem(&r->problem, &s->problem);
}

/* Whole it came to `want`: so it does in two pieces, cut at each byte, and byte by byte. */
static inline void is_same_in_pieces(struct span stream, const struct heard *want, const char *who)
{
	int differ = 0;

	for (size_t cut = 0; cut < stream.n; cut++) {
		struct heard h;

		hear_pieces(&h, stream, cut ? cut : 1, cut ? stream.n : 1);
		if (!same_heard(&h, want) && differ++ == 0)
			tap_note("first cut that differs: %zu ('%s', error '%s')", cut, h.reply.text.p,
			         h.err.msg);
		reply_release(&h.reply);
	}
	is_int(differ, 0, "%s: the same at all %zu cuts", who, stream.n);
}

struct good_stream {
	const char *who, *stream, *text, *reasoning, *finish;
	struct usage usage;
};

static inline void is_usage(const struct usage *got, const struct usage *want)
{
	if (!ok(same_usage(got, want), "its usage"))
		tap_note("%" PRId64 " + %" PRId64 " = %" PRId64 ", %" PRId64 " thought, %" PRId64 " cached, %"
		         PRId64 " to the cache, %" PRId64 " nanodollars", got->input, got->output, got->total,
		         got->reasoning, got->cached, got->cache_write, got->cost);
}

/* `done`: it has an end mark. */
static inline void is_good_stream(const struct good_stream *s, bool done)
{
	struct span stream = span_str(s->stream);
	struct heard h;

	hear(&h, stream);
	if (!is_int(h.result, 0, "a stream: %s", s->who))
		tap_note("%s", h.err.msg);
	is_buf(&h.reply.text, s->text, "its text");
	is_buf(&h.reply.reasoning, s->reasoning, "its reasoning");
	is_buf(&h.reply.finish_reason, s->finish, "its finish reason");
	is_usage(&h.reply.usage, &s->usage);
	is_int(h.reply.done, done, "its end mark");
	is_same_in_pieces(stream, &h, s->who);
	reply_release(&h.reply);
}

/* A stream whose reply calls tools: "id name arguments\n" of each. */
struct calling_stream {
	const char *who, *stream, *calls;
};

static inline void add_calls(struct buf *b, const struct reply *r)
{
	for (size_t i = 0; i < r->ncalls; i++)
		buf_addf(b, "%s %s %s\n", r->calls[i].id.p, r->calls[i].name.p, r->calls[i].arguments.p);
}

static inline void is_calling_stream(const struct calling_stream *s)
{
	struct span stream = span_str(s->stream);
	struct buf calls = BUF_INIT;
	struct heard h;

	hear(&h, stream);
	if (!is_int(h.result, 0, "a stream: %s", s->who))
		tap_note("%s", h.err.msg);
	add_calls(&calls, &h.reply);
	is_buf(&calls, s->calls, "its calls");
	is_buf(&h.reply.finish_reason, FINISH_CALLS, "its finish reason");
	is_same_in_pieces(stream, &h, s->who);
	reply_release(&h.reply);
	buf_release(&calls);
}

/* A stream whose reply has native items. */
struct native_stream {
	const char *who, *stream, *native;
};

static inline void is_native_stream(const struct native_stream *s)
{
	struct span stream = span_str(s->stream);
	struct json_object *o = NULL;
	struct err e = ERR_INIT;
	struct buf json = BUF_INIT;
	struct heard h;

	hear(&h, stream);
	if (!is_int(h.result, 0, "a stream: %s", s->who))
		tap_note("%s", h.err.msg);
	is_buf(&h.reply.native, s->native, "its native items");
	buf_addf(&json, "{\"items\":%s}", h.reply.native.n ? h.reply.native.p : "[]");
	if (!ok(json_parse_object(buf_span(&json), &o, &e) == 0, "which are JSON, with no member twice"))
		tap_note("%s", e.msg);
	is_same_in_pieces(stream, &h, s->who);
	json_object_put(o);
	buf_release(&json);
	reply_release(&h.reply);
}

struct bad_stream {
	const char *stream, *why, *text;
	long status;
	enum problem_kind kind;
};

static inline void is_bad_stream(const struct bad_stream *s, size_t i)
{
	struct span stream = span_str(s->stream);
	struct heard h;

	hear(&h, stream);
	is_int(h.result, -1, "a stream that fails, case %zu", i);
	is_err(&h.err, ERR_NETWORK, s->why, "says why");
	is_buf(&h.reply.text, s->text, "what came before is kept");
	is_int(h.reply.problem.status, s->status, "the status that it stands for");
	is_int(h.reply.problem.kind, s->kind, "what is wrong");
	ok(!h.reply.done, "the reply is not done");
	is_same_in_pieces(stream, &h, "a stream that fails");
	reply_release(&h.reply);
}

/* The first `n` of them with bytes changed: an error or none, nothing breaks. */
static inline void is_sound_when_damaged(const struct good_stream *streams, size_t n)
{
	uint64_t seed = 23;
	int good = 0, silent = 0;

	for (size_t i = 0; i < 3000; i++) {
		struct buf text = BUF_INIT;
		struct heard h;

		buf_adds(&text, streams[i % n].stream);
		for (size_t k = 1 + rnd_below(&seed, 4); k; k--)
			text.p[rnd_below(&seed, text.n)] = (char)(1 + rnd_below(&seed, 255));
		hear(&h, buf_span(&text));
		good += h.result == 0;
		silent += h.result != 0 && h.err.kind != ERR_NETWORK;
		reply_release(&h.reply);
		buf_release(&text);
	}
	is_int(silent, 0, "3000 damaged streams fail as network errors");
	ok(good > 100 && good < 3000, "or not at all (%d)", good);
}

/* ---- bodies ---- */

static inline int whole(struct reply *r, const char *body, struct err *e)
{
	struct span copy = exact(span_str(body));
	int result;

	*r = (struct reply)REPLY_INIT;
	err_clear(e);
	result = adapter->whole(r, copy, e);
	if (result == 0)
		result = adapter->end(r, e);
	drop(copy);
	return result;
}

/* What a failed request's body says. */
struct told {
	const char *body, *words;
	enum problem_kind kind;
	int64_t tokens, window;
	long status;
};

static inline void is_told(const struct told *t, size_t i)
{
	struct span copy = exact(span_str(t->body));
	struct problem p = PROBLEM_INIT;

	adapter->problem(copy, &p);
	is_buf(&p.message, t->words, "the server's words, case %zu", i);
	is_int(p.kind, t->kind, "what they mean");
	is_int(p.tokens, t->tokens, "how much was asked");
	is_int(p.window, t->window, "how much it takes");
	is_int(p.status, t->status, "the status");
	buf_release(&p.message);
	drop(copy);
}

/* ---- requests ---- */

static inline void params_of(struct params *p, const char *const *texts)
{
	struct err e = ERR_INIT;

	for (; *texts; texts++)
		if (!is_int(params_add(p, *texts, &e), 0, "parameter %s", *texts))
			tap_note("%s", e.msg);
}

static inline int request(const struct chat_request *rq, struct buf *body, struct err *e)
{
	struct buf url = BUF_INIT;
	int r = adapter->request(rq, &url, body, e);

	buf_release(&url);
	return r;
}

static inline void is_request(const struct chat_request *rq, const char *want, const char *what)
{
	struct json_object *o = NULL;
	struct buf body = BUF_INIT;
	struct err e = ERR_INIT;

	if (!is_int(request(rq, &body, &e), 0, "%s", what))
		tap_note("%s", e.msg);
	is_buf(&body, want, "its body");
	if (!ok(json_parse_object(buf_span(&body), &o, &e) == 0, "which is JSON, with no member twice"))
		tap_note("%s", e.msg);
	json_object_put(o);
	buf_release(&body);
}

/* ---- a conversation with two calls and their results ---- */

/* `native`, where it is not NULL, are the items of the first reply. */
static inline void is_request_with_calls(const char *model, const char *native, const char *want, bool files,
                                         const char *what)
{
	const struct attachment image = { span_str("x.png"), span_str("image/png"), { "\0\1\2\xff", 4 } };
	struct json_object *empty = json_object_new_object(), *with_dir = json_object_new_object();
	const struct message_part prompt[] = { { MESSAGE_TEXT, .text = span_str("q") } };
	struct json_object *items = native ? json_tokener_parse(native) : NULL;
	const struct message_part calls[] = {
		{ MESSAGE_NATIVE, .native = items },
		{ MESSAGE_TEXT, .text = span_str("I look.") },
		{ MESSAGE_CALL, .call = { span_str("c1"), span_str("ls"), with_dir } },
		{ MESSAGE_CALL, .call = { span_str("c2"), span_str("cat"), empty } },
	};
	const struct message_part results[] = {
		{ MESSAGE_RESULT, .result = { span_str("c1"), span_str("ls"), false, span_str("a \"b\"\n"), &image, files } },
		{ MESSAGE_RESULT, .result = { span_str("c2"), span_str("cat"), true, span_str("no file"), NULL, 0 } },
	};
	const struct message_part more[] = {
		{ MESSAGE_TEXT, .text = span_str("") },
		{ MESSAGE_CALL, .call = { span_str("c3"), span_str("ls"), empty } },
	};
	const struct message_part none[] = {
		{ MESSAGE_RESULT, .result = { span_str("c3"), span_str("ls"), false, span_str(""), NULL, 0 } },
	};
	const struct message messages[] = { { ROLE_USER, prompt, 1 }, { ROLE_ASSISTANT, calls + !native, 3 + (native != NULL) },
		                            { ROLE_TOOL, results, 2 }, { ROLE_ASSISTANT, more, 2 },
		                            { ROLE_TOOL, none, 1 } };
	const struct chat_request rq = { .base_url = "http://h", .model = model, .messages = messages,
		                         .nmessages = 5 };

	json_object_object_add(with_dir, "dir", json_object_new_string("."));
	is_request(&rq, want, what);
	json_object_put(items);
	json_object_put(empty);
	json_object_put(with_dir);
}

/* ---- an earlier answer with native items ---- */

struct native_request {
	const char *who, *native, *answer;
	struct chat_request rq; /* without messages */
	const char *want;
};

static inline void is_native_request(const struct native_request *t)
{
	struct json_object *items = json_tokener_parse(t->native);
	const struct message_part prompt[] = { { MESSAGE_TEXT, .text = span_str("q") } };
	const struct message_part now[] = { { MESSAGE_TEXT, .text = span_str("now") } };
	const struct message_part answer[] = { { MESSAGE_NATIVE, .native = items },
		                               { MESSAGE_TEXT, .text = span_str(t->answer) } };
	const struct message messages[] = { { ROLE_USER, prompt, 1 }, { ROLE_ASSISTANT, answer, 2 },
		                            { ROLE_USER, now, 1 } };
	struct chat_request rq = t->rq;

	rq.base_url = "http://h";
	rq.messages = messages;
	rq.nmessages = 3;
	is_request(&rq, t->want, t->who);
	json_object_put(items);
}

static inline void is_refused(const struct chat_request *rq, const char *why, const char *what)
{
	struct buf body = BUF_INIT;
	struct err e = ERR_INIT;

	is_int(request(rq, &body, &e), -1, "%s is refused", what);
	is_err(&e, ERR_USAGE, why, "with a sentence");
	buf_release(&body);
}

static inline void is_url(const struct chat_request *rq, const char *want)
{
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct err e = ERR_INIT;

	is_int(adapter->request(rq, &url, &body, &e), 0, "base URL '%s'", rq->base_url);
	is_buf(&url, want, "the URL");
	buf_release(&url);
	buf_release(&body);
}

/* ---- models ---- */

static inline void is_models_url(const char *base_url, const char *page, const char *want)
{
	struct span copy = exact(span_str(page));
	struct buf url = BUF_INIT;
	struct err e = ERR_INIT;

	is_int(adapter->models_url(base_url, copy, &url, &e), 0, "the models at '%s'", base_url);
	is_buf(&url, want, "the URL of their list");
	buf_release(&url);
	drop(copy);
}

/* A model of this name is the last that is wanted. */
#define LAST_MODEL "last"

static inline int list_model(void *ctx, const struct model *m, struct err *e)
{
	struct buf *list = ctx;

	buf_addf(list, "%.*s|%.*s|%" PRId64 "\n", (int)m->id.n, m->id.p, (int)m->name.n, m->name.p,
	         m->window);
	return span_eq(m->id, LAST_MODEL) ? err_set(e, ERR_FAILED, "enough") : 0;
}

/* A page of a list of models, what it comes to ("id|name|window\n" each) and the next page. */
struct page {
	const char *who, *body, *models, *next;
	const char *why; /* of an error; NULL: none */
};

static inline void is_page(const struct page *page)
{
	struct span copy = exact(span_str(page->body));
	struct buf list = BUF_INIT, next = BUF_INIT;
	struct err e = ERR_INIT;
	enum err_kind kind = !page->why ? ERR_NONE : strstr(page->models, LAST_MODEL "|") ? ERR_FAILED
	                     : ERR_NETWORK;

	is_int(adapter->models(copy, list_model, &list, &next, &e), page->why ? -1 : 0, "models: %s",
	       page->who);
	is_buf(&list, page->models, "each with its window, as far as it is known");
	is_err(&e, kind, page->why ? page->why : "", "the error, if any");
	is_buf(&next, page->next, "the next page");
	buf_release(&list);
	buf_release(&next);
	drop(copy);
}

static inline void is_window(const char *model, int64_t want)
{
	struct span copy = exact(span_str(model));

	is_int(adapter->window(copy), want, "the window of '%s'", model);
	drop(copy);
}

#endif
