/*
 * lib/provider/google. The input is the events of a stream, one a line; and, all of it, the
 * body of an answer that did not stream, of a failed request and of a list of models, a
 * prompt, a model's name, and parameters, one a line.
 *
 * Properties: the reply and the reasoning are the texts of the first candidate in a row, as
 * json-c finds them, up to the first chunk that is refused; the reason is the last one, unless
 * text comes behind a stop; the same events come to the same when they
 * arrive as server-sent events, in chunks; counts are counts, and the total is a sum; an answer
 * as a whole is read as its one event would be. A request is JSON that says the conversation,
 * and each parameter once; its URL is the model's name in the letters of a URL. A refusal
 * blames the network, or the usage for a parameter, and has a reason.
 */
#include "adapter.h"
#include "base/utf8.h"

/* The total is a sum, and what was thought was made. */
static void check_usage(const struct usage *u)
{
	if (u->input >= 0 && u->output >= 0)
		must(u->total == u->input + u->output || u->total == COUNT_MAX, "%" PRId64, u->total);
	must(u->output >= u->reasoning, "more thought than made");
}

/* ---- what the events say ---- */

struct said_so {
	struct buf text, reasoning;
	struct ending ending;
	bool refused;
};

static struct json_object *first_candidate(struct json_object *list)
{
	for (size_t i = 0; i < length(list); i++) {
		struct json_object *index = json_member(element(list, i), "index");

		if (!json_object_is_type(index, json_type_int) || json_object_get_int64(index) <= 0 ||
		    json_object_get_int64(index) > COUNT_MAX)
			return element(list, i);
	}
	return NULL;
}

/* Whether there are words. */
static bool model_parts(struct said_so *s, struct json_object *parts)
{
	size_t had = s->text.n + s->reasoning.n;

	for (size_t i = 0; i < length(parts); i++) {
		struct json_object *text = json_member(element(parts, i), "text");
		struct json_object *thought = json_member(element(parts, i), "thought");
		bool is_thought = json_object_is_type(thought, json_type_boolean) && json_object_get_boolean(thought);

		add_str(is_thought ? &s->reasoning : &s->text, text);
		s->ending.called |= json_member(element(parts, i), "functionCall") != NULL;
	}
	return s->text.n + s->reasoning.n > had;
}

static void model_chunk(struct said_so *s, struct json_object *o)
{
	struct json_object *candidate = first_candidate(json_member(o, "candidates"));
	struct span reason = json_member_str(candidate, "finishReason");
	struct span block = json_member_str(json_member(o, "promptFeedback"), "blockReason");

	s->refused = !json_object_is_type(o, json_type_object) || wire_error(o);
	if (s->refused)
		return;
	s->refused = wire_error(candidate) != NULL;
	if (!candidate)
		reason = span_str(block.n && !span_ends(block, "_UNSPECIFIED") ? FINISH_REFUSED : "");
	ending_add(&s->ending, reason, model_parts(s, json_member(json_member(candidate, "content"), "parts")));
}

static void model_event(struct said_so *s, struct span event)
{
	struct json_object *o;
	struct err e = ERR_INIT;
	int what = wire_event(event, &o, &e);

	s->refused = what < 0;
	if (what != WIRE_VALUE)
		return;
	if (!json_object_is_type(o, json_type_array))
		model_chunk(s, o);
	for (size_t i = 0; i < length(o) && !s->refused; i++)
		model_chunk(s, element(o, i));
	json_object_put(o);
}

static void must_say(const struct reply *r, struct said_so *s)
{
	must_be_same(buf_span(&r->text), buf_span(&s->text), "the reply");
	must_be_same(buf_span(&r->reasoning), buf_span(&s->reasoning), "the reasoning");
	must_be_same(buf_span(&r->finish_reason), buf_span(&s->ending.reason), "the finish reason");
	buf_release(&s->ending.reason);
	buf_release(&s->text);
	buf_release(&s->reasoning);
}

static void check_events(struct span text, struct reply *r, struct err *e)
{
	struct said_so want = { BUF_INIT, BUF_INIT, { BUF_INIT, false }, false };
	struct span rest = text, event;

	while (e->kind == ERR_NONE && cut_line(&rest, &event)) {
		struct span copy = exact(event);
		int got = adapter->event(r, copy, e);

		model_event(&want, event);
		must((got < 0) == want.refused, "%s", e->msg);
		drop(copy);
	}
	check_error(e);
	must_say(r, &want);
	must(!r->done || r->finish_reason.n, "an end mark alone ends nothing");
	check_reply(r, text.n);
	check_usage(&r->usage);
}

/* ---- bodies ---- */

static void check_whole(struct span body)
{
	struct said_so want = { BUF_INIT, BUF_INIT, { BUF_INIT, false }, false };
	struct reply r = REPLY_INIT;

	hear_whole(body, &r);
	model_event(&want, body);
	must_say(&r, &want);
	check_usage(&r.usage);
	reply_release(&r);
}

/* ---- a request ---- */

static void check_turn(struct json_object *contents, size_t i, const char *role, size_t part, struct span text)
{
	struct json_object *turn = element(contents, i);
	struct json_object *said = element(json_member(turn, "parts"), part);

	must(span_eq(json_member_str(turn, "role"), role), "turn %zu", i);
	must_be_same(json_member_str(said, "text"), text, "a part");
}

static void check_request(struct span prompt)
{
	struct context_turn turns[] = { { .query = prompt, .answer = span_str("a") },
		                      { .query = span_str("q"), .answer = span_str("") } };
	struct chat_request rq = { .base_url = "http://h", .model = "m", .system = prompt };
	struct json_object *o, *contents;

	converse(&rq, turns, 2, (struct context_turn){ .query = prompt });
	o = request_of(&rq);
	contents = json_member(o, "contents");
	must(length(contents) == 3, "%zu turns", length(contents));
	check_turn(contents, 0, "user", 0, prompt);
	check_turn(contents, 1, "model", 0, span_str("a"));
	check_turn(contents, 2, "user", 0, span_str("q"));
	check_turn(contents, 2, "user", 1, prompt);
	must(!json_member(o, "systemInstruction") == !prompt.n, "a system prompt");
	json_object_put(o);
}

/* The name is found again in the URL, which holds nothing that ends a path. */
static void check_url(const char *model)
{
	struct chat_request rq = { .base_url = "http://h/v1", .model = model, ASKING(span_str("p")) };
	static const char *const before[] = { "http://h/v1/tunedModels/", "http://h/v1/models/" };
	const char *name = strncmp(model, "models/", 7) == 0 ? model + 7 : model;
	bool tuned = strncmp(name, "tunedModels/", 12) == 0;
	struct buf url = BUF_INIT, body = BUF_INIT, back = BUF_INIT;
	struct err e = ERR_INIT;
	const char *at;

	must(adapter->request(&rq, &url, &body, &e) == 0, "%s", e.msg);
	must(strncmp(url.p, before[!tuned], strlen(before[!tuned])) == 0, "%s", url.p);
	for (at = url.p + strlen(before[!tuned]); *at && *at != ':'; at++) {
		unsigned byte = (unsigned char)*at;

		must(byte > ' ' && byte < 127 && !strchr("/?#\\\"", (int)byte), "%s", url.p);
		if (*at == '%') {
			const char pair[] = { at[1], at[1] ? at[2] : '\0', '\0' };
			char *rest;

			byte = (unsigned)strtoul(pair, &rest, 16);
			must(rest == pair + 2, "%s", url.p);
			at += 2;
		}
		buf_addc(&back, (char)byte);
	}
	must(strcmp(at, ":generateContent") == 0, "%s", url.p);
	must_be_same(buf_span(&back), span_str(tuned ? name + 12 : name), "the model's name");
	buf_release(&url);
	buf_release(&body);
	buf_release(&back);
}

/* ---- parameters ---- */

static bool is_top_level(struct span key)
{
	static const char *const top[] = { "safetySettings", "tools", "toolConfig", "cachedContent",
		                           "labels", "serviceTier", "store" };

	for (size_t i = 0; i < sizeof(top) / sizeof(top[0]); i++)
		if (span_eq(key, top[i]))
			return true;
	return false;
}

/* json-c keeps one of two members of a name: so their number says that none was there twice. */
static void check_members(const struct params *params, struct span body)
{
	struct json_object *o, *config;
	struct err e = ERR_INIT;
	int top = 0;

	for (size_t i = 0; i < params->n; i++)
		top += is_top_level(buf_span(&params->list[i].key));
	must(json_is_whole(body), "%.*s", (int)body.n, body.p);
	must(json_parse_lenient(body, &o, &e) == 0, "%s", e.msg);
	config = json_member(o, "generationConfig");
	must(json_object_object_length(o) == 1 + top + (config != NULL), "%.*s", (int)body.n, body.p);
	must((config ? json_object_object_length(config) : 0) == (int)params->n - top, "%.*s", (int)body.n, body.p);
	json_object_put(o);
}

static void check_params(struct span text, const char *model)
{
	struct params params = PARAMS_INIT;
	struct chat_request rq = { .base_url = "http://h/v1", .model = model, ASKING(span_str("p")),
		                   .params = &params };
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct span line;
	size_t deep = 0;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < text.n; i++)
		deep += text.p[i] == '[' || text.p[i] == '{';
	while (deep < 50 && cut_line(&text, &line)) {
		char *each = input_str((const uint8_t *)line.p, line.n);
		struct err ignored = ERR_INIT;

		params_add(&params, each, &ignored);
		free(each);
	}
	if (adapter->request(&rq, &url, &body, &e) == 0)
		check_members(&params, buf_span(&body));
	else
		must(e.kind == ERR_USAGE && e.msg[0], "a reason");
	params_release(&params);
	buf_release(&url);
	buf_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = exact((struct span){ (const char *)data, size });
	char *model = input_str(data, size);
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT;

	adapter = provider_find("google");
	check_events(text, &r, &e);
	check_stream(text, &r, &e);
	check_end(&r, r.finish_reason.n && !fails(&r));
	check_whole(text);
	check_problem(text);
	check_models(text);
	if (utf8_valid(text.p, text.n) == text.n)
		check_request(text);
	check_url(model);
	check_params(text, hash_of(text) % 2 ? "gemini-2.5-pro" : "m");
	reply_release(&r);
	free(model);
	drop(text);
	return 0;
}
