/* Parameters of a model, and what the adapters do alike with JSON. */
#include "base/base64.h"
#include "provider/param.h"

#include "base/json.h"
#include "data.h"
#include "provider/wire.h"
#include "tap.h"

/* ---- parameters ---- */

static int add(struct params *p, const char *text, struct err *e)
{
	struct span copy = exact((struct span){ text, strlen(text) + 1 });
	int r;

	err_clear(e);
	r = params_add(p, copy.p, e);
	drop(copy);
	return r;
}

static void test_values(void)
{
	static const struct {
		const char *text, *key, *value; /* NULL: it is not set */
	} cases[] = {
		{ "temperature=0.2", "temperature", "0.2" }, { "temperature=1", "temperature", "1" },
		{ "temperature=-1e-3", "temperature", "-1e-3" }, { "top_p=1", "top_p", "1" },
		{ "max_tokens=50", "max_tokens", "50" }, { "max_tokens=1e3", "max_tokens", "1000" },
		{ "seed=-3.0", "seed", "-3" }, { "seed=0", "seed", "0" }, { "seed=-7", "seed", "-7" },
		{ "stop=END", "stop", "\"END\"" }, { "stop=\"END\"", "stop", "\"END\"" },
		{ "stop=[\"a\",\"b\"]", "stop", "[\"a\",\"b\"]" }, { "stop=5", "stop", "\"5\"" },
		{ "stop=[a", "stop", "\"[a\"" }, { "stop=a=b", "stop", "\"a=b\"" }, { "stop=\n", "stop", "\"\\n\"" },
		{ "reasoning_effort=low", "reasoning_effort", "\"low\"" },
		{ "reasoning_effort=\"high\"", "reasoning_effort", "\"high\"" },
		{ "reasoning_effort=none", "reasoning_effort", "\"none\"" },
		{ "x=5", "x", "5" }, { "x=true", "x", "true" }, { "x=five", "x", "\"five\"" },
		{ "x={\"a\":[1]}", "x", "{\"a\":[1]}" }, { "x={\"a\"", "x", "\"{\\\"a\\\"\"" },
		{ "x=1 2", "x", "\"1 2\"" }, { "x=é", "x", "\"é\"" }, { "x=", "x", NULL }, { "x=null", "x", NULL },
		{ "é\"=1", "é\"", "1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params p = PARAMS_INIT;
		struct err e = ERR_INIT;
		struct span got;

		if (!is_int(add(&p, cases[i].text, &e), 0, "%s", cases[i].text))
			tap_note("%s", e.msg);
		got = params_get(&p, cases[i].key);
		if (cases[i].value)
			is_span(got, cases[i].value, "its value");
		else
			ok(!got.p && p.n == 0, "is not set");
		params_release(&p);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "temperature", "'temperature' is not KEY=VALUE" }, { "=5", "'=5' is not KEY=VALUE" },
		{ "", "'' is not KEY=VALUE" }, { "x=\xff", "the parameter is not valid UTF-8" }, { "\xc3=1", "the parameter is not valid UTF-8" },
		{ "temperature=warm", "'temperature' must be a number" },
		{ "temperature=true", "'temperature' must be a number" },
		{ "temperature=[1]", "'temperature' must be a number" },
		{ "max_tokens=0", "'max_tokens' must be a whole number above 0" },
		{ "max_tokens=-5", "'max_tokens' must be" }, { "max_tokens=1.5", "'max_tokens' must be" },
		{ "seed=1.5", "'seed' must be a whole number" },
		{ "seed=x", "'seed' must be" }, { "stop=[]", "'stop' must be a string or a list of strings" },
		{ "stop=[1]", "'stop' must be" }, { "stop=[\"a\",null]", "'stop' must be" },
		{ "reasoning_effort=[\"low\"]", "'reasoning_effort' must be a word" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params p = PARAMS_INIT;
		struct err e = ERR_INIT;

		is_int(add(&p, cases[i].text, &e), -1, "refused: case %zu", i);
		is_err(&e, ERR_USAGE, cases[i].why, "with a sentence");
		is_int((int64_t)p.n, 0, "and not set");
		params_release(&p);
	}
}

static void test_set(void)
{
	static const char *const own[] = { "model", "stream", NULL };
	struct params p = PARAMS_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	add(&p, "seed=1", &e);
	add(&p, "top_k= 40\n", &e);
	add(&p, "q\"=\"x\"", &e);
	add(&p, "seed=2", &e);
	is_int((int64_t)p.n, 3, "the last of a key wins");
	is_span(params_get(&p, "seed"), "2", "its value");
	ok(!params_get(&p, "see").p && !params_get(NULL, "seed").p, "none of another name");
	is_int(params_set(&p, span_str("stop"), span_str("[\"a\"]"), &e), 0, "one that is JSON already");
	is_int(params_set(&p, span_str("temperature"), span_str("\"x\""), &e), -1, "one of the wrong type");
	is_err(&e, ERR_USAGE, "'temperature' must be a number", "is refused");
	err_clear(&e);
	json_open(&b, '{');
	is_int(params_add_others(&p, own, &b, &e), 0, "those that are not common");
	json_close(&b, '}');
	ok(span_eq(buf_span(&b), "{\"top_k\":40,\"q\\\"\":\"x\"}") ||
	   span_eq(buf_span(&b), "{\"q\\\"\":\"x\",\"top_k\":40}"),
	   "in any order, without white space around them: %s", b.p);
	is_int(params_refuse(&p, "top_p", "nobody", &e), 0, "one that is not set is not refused");
	is_int(params_refuse(&p, "seed", "nobody", &e), -1, "one that is set is");
	is_err(&e, ERR_USAGE, "nobody has no 'seed'", "by name");
	err_clear(&e);
	add(&p, "stream=true", &e);
	is_int(params_add_others(&p, own, &b, &e), -1, "one of the adapter's own");
	is_err(&e, ERR_USAGE, "'stream' cannot be set with -o", "is refused");
	add(&p, "seed=", &e);
	ok(!params_get(&p, "seed").p, "one that is taken away");
	is_int(params_add_others(NULL, own, &b, &e), 0, "no parameters at all");
	is_int(param_is_common(span_str("seed")), 1, "a common one");
	is_int(param_is_common(span_str("top_k")), 0, "one that is not");
	buf_release(&b);
	params_release(&p);
	is_int((int64_t)p.n, 0, "nothing is left");
}

/* What a request must not have. */
static void test_leave_out(void)
{
	static const char body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
		"\"text\":\"q\",\"cache_control\":{\"type\":\"x\"}}]}],\"stream_options\":{\"include_usage\":true},"
		"\"a.b\":1,\"f\":{\"strict\":true,\"schema\":{\"strict\":1,\"x\":\"f\"}},\"n\":1.50}";
	static const struct {
		const char *add[3], *gone, *notice; /* NULL: refused */
	} cases[] = {
		{ { "stream_options=" }, ",\"stream_options\":{\"include_usage\":true}", "" },
		{ { "stream_options=null" }, ",\"stream_options\":{\"include_usage\":true}", "" },
		{ { "stream_options.include_usage=" }, ",\"stream_options\":{\"include_usage\":true}", "" },
		{ { "include_usage=" }, ",\"stream_options\":{\"include_usage\":true}", "" },
		{ { "cache_control=" }, ",\"cache_control\":{\"type\":\"x\"}", "" },
		{ { "messages.content.cache_control=" }, ",\"cache_control\":{\"type\":\"x\"}", "" },
		{ { "a.b=" }, ",\"a.b\":1", "" }, { { "f.strict=" }, "\"strict\":true,", "" },
		{ { "strict=" }, "\"strict\":true,", "" }, { { "n=" }, ",\"n\":1.50", "" },
		{ { "top_k=5", "top_k=" }, "", "" }, { { "n=1", "n=" }, ",\"n\":1.50", "" },
		{ { "nothing=" }, "", "'nothing=' changes nothing: the request has no 'nothing'\n" },
		{ { "x=" }, "", "'x=' changes nothing: the request has no 'x'\n" },
		{ { "f.none=" }, "", "'f.none=' changes nothing: the request has no 'f.none'\n" },
		{ { "model=" }, NULL, "" }, { { "messages=" }, NULL, "" }, { { "content=" }, NULL, "" },
		{ { "messages.content.text=" }, NULL, "" }, { { "text=" }, NULL, "" }, { { "contents=" }, NULL, "" },
		{ { "n=", "n=2" }, "", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT, want = BUF_INIT, notices = BUF_INIT;
		const char *gone = cases[i].gone ? strstr(body, cases[i].gone) : NULL;
		struct params p = PARAMS_INIT, copy = PARAMS_INIT;
		struct err e = ERR_INIT;

		for (const char *const *add = cases[i].add; *add; add++)
			is_int(params_add(&p, *add, &e), 0, "%s", *add);
		is_int(params_copy(&copy, &p, &e), 0, "a copy");
		buf_adds(&b, body);
		is_int(params_leave_out(&copy, &b, &notices, &e), cases[i].gone ? 0 : -1, "%s", cases[i].add[0]);
		if (gone) {
			buf_add(&want, body, (size_t)(gone - body));
			buf_adds(&want, gone + strlen(cases[i].gone));
			is_buf(&b, want.p, "the rest stays");
			is_buf(&notices, cases[i].notice, "what changes nothing is told");
		} else {
			is_err(&e, ERR_USAGE, "cannot be omitted", "with a sentence");
		}
		buf_release(&b);
		buf_release(&want);
		buf_release(&notices);
		params_release(&p);
		params_release(&copy);
	}
}

/* ---- to the server ---- */

static void test_base64(void)
{
	static const struct {
		const char *bytes, *want;
	} vectors[] = { /* RFC 4648, section 10 */
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd\xfb\xef\xbe", "//79++++" }, { "\x80", "gA==" },
	};
	unsigned char all[256];
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct span copy = exact(span_str(vectors[i].bytes));

		buf_clear(&b);
		base64_add(&b, copy);
		is_buf(&b, vectors[i].want, "base64, case %zu", i);
		is_int(b.p[b.n], 0, "with its NUL");
		drop(copy);
	}
	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)(i * 73 + 5);
	buf_clear(&b);
	buf_adds(&b, "x");
	base64_add(&b, (struct span){ (const char *)all, 256 });
	is_int((int64_t)b.n, 1 + 344, "behind what was there");
	is_bytes(((struct span){ b.p, 9 }), "xBU6X4Clyu", 9, "from its beginning");
	buf_release(&b);
}

static void test_pieces(void)
{
	const struct attachment files[] = {
		{ span_str("a.txt"), span_str("text/plain"), span_str("no newline") },
		{ span_str("b\".txt"), span_str("text/markdown"), span_str("one\n") },
		{ span_str(""), span_str("text/plain"), span_str("") },
		{ span_str("x"), span_str("image/webp"), span_str("") },
		{ span_str("x"), span_str("application/pdf"), span_str("") },
		{ span_str("x"), span_str("application/pdfx"), span_str("") },
		{ span_str("x"), span_str("image/"), span_str("") },
		{ span_str("x"), span_str("text"), span_str("") },
	};
	static const char *const kinds[] = { "t", "t", "t", "i", "p", "", "", "" };
	static const char *const texts[] = {
		"\"<file name=\\\"a.txt\\\">\\nno newline\\n</file>\"",
		"\"<file name=\\\"b_.txt\\\">\\none\\n</file>\"", "\"<file name=\\\"\\\">\\n\\n</file>\"",
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		buf_clear(&b);
		buf_adds(&b, wire_is_text(&files[i]) ? "t" : "");
		buf_adds(&b, wire_is_image(&files[i]) ? "i" : "");
		buf_adds(&b, wire_is_pdf(&files[i]) ? "p" : "");
		is_buf(&b, kinds[i], "what %.*s is", (int)files[i].type.n, files[i].type.p);
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		buf_clear(&b);
		wire_text_file(&b, &files[i]);
		is_buf(&b, texts[i], "a file of text, case %zu", i);
	}
	buf_release(&b);
}

/* ---- from the server ---- */

static void test_parse(void)
{
	static const struct {
		const char *text, *why; /* NULL: it is an object */
	} cases[] = {
		{ "{}", NULL }, { " {\"a\":1}\n", NULL }, { "{\"a\":\"\xff\"}", NULL },
		{ "[]", "contains no reply" }, { "null", "contains no reply" },
		{ "5", "contains no reply" }, { "", "malformed event" }, { "{", "malformed event" },
		{ "{} {}", "malformed event" }, { "{\"a\":}", "malformed event" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span copy = exact(span_str(cases[i].text));
		struct json_object *o = NULL;
		struct err e = ERR_INIT;

		if (!is_int(wire_parse_body(copy, &o, &e), cases[i].why ? -1 : 0, "parse, case %zu", i))
			tap_note("%s", e.msg);
		if (cases[i].why)
			is_err(&e, ERR_NETWORK, cases[i].why, "blames the server");
		else
			json_object_put(o);
		drop(copy);
	}
}

static void test_members(void)
{
	struct json_object *o = NULL;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	wire_parse_body(span_str("{\"s\":\"t\\u0000u\",\"n\":5,\"neg\":-1,\"f\":1.5,\"big\":9007199254740991,\"over\":"
	                    "9007199254740992,\"huge\":1e300,\"l\":[1,null,\"x\"],\"o\":{},\"z\":null}"), &o, &e);
	wire_add(&b, o, "s");
	wire_add(&b, o, "n");
	wire_add(&b, o, "none");
	wire_add(&b, NULL, "s");
	is_bytes(buf_span(&b), "t\0u", 3, "a string, and nothing of what is none");
	is_int(wire_count(o, "n"), 5, "a count");
	is_int(wire_count(o, "big"), COUNT_MAX, "the largest");
	is_int(wire_count(o, "over"), -1, "one more");
	is_int(wire_count(o, "neg"), -1, "a negative number");
	is_int(wire_count(o, "f"), -1, "a fraction");
	is_int(wire_count(o, "huge"), -1, "a huge number");
	is_int(wire_count(o, "s"), -1, "a string");
	is_int(wire_count(o, "none"), -1, "nothing");
	is_int(wire_count(NULL, "n"), -1, "of nothing");
	is_int((int64_t)wire_length(json_member(o, "l")), 3, "a list");
	is_int((int64_t)wire_length(json_member(o, "o")), 0, "an object is none");
	is_int((int64_t)wire_length(NULL), 0, "nor is nothing");
	ok(wire_element(json_member(o, "l"), 0) && !wire_element(json_member(o, "l"), 1) &&
	   wire_element(json_member(o, "l"), 2) && !wire_element(json_member(o, "l"), 3) &&
	   !wire_element(NULL, 0), "its elements, and none past its end");
	buf_release(&b);
	json_object_put(o);
}

static void test_numbers(void)
{
	static const struct {
		const char *text, *word;
		int64_t want;
	} cases[] = {
		{ "maximum of 200000 tokens", "maximum", 200000 }, { "a 5, then maximum 7", "maximum", 7 },
		{ "maximum 1,048,576.", "maximum", 1048576 }, { "maximum (8)", "maximum", 8 },
		{ "maximum", "maximum", 0 }, { "maximum of some", "maximum", 0 }, { "least 5", "maximum", 0 },
		{ "", "x", 0 }, { "12", "", 12 }, { "x0", "x", 0 }, { "x -5", "x", 5 },
	};
	struct span much = exact(span_str("x 99999999999999999999999999999999"));
	int64_t n = wire_number_after(much, "x");

	ok(n >= 0 && n <= COUNT_MAX, "a number that is too large: %" PRId64, n);
	drop(much);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span copy = exact(span_str(cases[i].text));

		is_int(wire_number_after(copy, cases[i].word), cases[i].want, "a number behind '%s' in '%s'",
		       cases[i].word, cases[i].text);
		drop(copy);
	}
	is_int(wire_sum(1, 2), 3, "a sum");
	is_int(wire_sum(-1, 2), 2, "of one that is known");
	is_int(wire_sum(2, -1), 2, "of the other");
	is_int(wire_sum(-1, -1), -1, "of none");
	is_int(wire_sum(0, -1), 0, "nothing is known to be nothing");
	is_int(wire_sum(COUNT_MAX, COUNT_MAX), COUNT_MAX, "no more than can be counted");
}

static void test_says(void)
{
	static const struct {
		const char *json;
		bool says;
	} cases[] = {
		{ "null", false },    { "false", false },   { "0", false },     { "0.0", false },
		{ "-0", false },      { "\"\"", false },    { "{}", false },    { "[]", false },
		{ "[[],{}]", false }, { "{\"code\":0,\"message\":\"\",\"type\":null}", false },
		{ "true", true },     { "5", true },        { "0.5", true },    { "\"x\"", true },
		{ "[0,1]", true },    { "{\"a\":{\"b\":[true]}}", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = BUF_INIT;
		struct json_object *o;
		struct err e = ERR_INIT;

		buf_addf(&text, "{\"error\":%s}", cases[i].json);
		if (ok(json_parse_lenient(buf_span(&text), &o, &e) == 0, "an error of %s", cases[i].json))
			is_int(wire_error(o) != NULL, cases[i].says, "is %s", cases[i].says ? "one" : "none");
		json_object_put(o);
		buf_release(&text);
	}
}

static void test_event(void)
{
	static const struct {
		const char *data;
		int what;
	} cases[] = {
		{ "", WIRE_NOTHING },       { "  \t", WIRE_NOTHING },    { "\"\"", WIRE_NOTHING },
		{ "null", WIRE_NOTHING },   { " null ", WIRE_NOTHING },  { "true", WIRE_NOTHING },
		{ "17", WIRE_NOTHING },     { "-1.5e3", WIRE_NOTHING },  { "ping", WIRE_NOTHING },
		{ "keep-alive", WIRE_NOTHING }, { "\"ping pong\"", WIRE_NOTHING }, { "[]", WIRE_NOTHING },
		{ ": ping", -1 },           { "[DONE]", WIRE_DONE },     { " [DONE]", WIRE_DONE },
		{ "[DONE] \t", WIRE_DONE }, { "\"[DONE]\"", WIRE_DONE }, { "{}", WIRE_VALUE },
		{ " {\"a\":1} ", WIRE_VALUE }, { "[1]", WIRE_VALUE },    { "{\"a\":", -1 },
		{ "Internal Server Error", -1 }, { "{} {}", -1 },        { "[DONE", -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span copy = exact(span_str(cases[i].data));
		struct json_object *o;
		struct err e = ERR_INIT;

		is_int(wire_event(copy, &o, &e), cases[i].what, "an event '%s'", cases[i].data);
		ok((o != NULL) == (cases[i].what == WIRE_VALUE), "has a value or none");
		json_object_put(o);
		drop(copy);
	}
}

static void test_finish(void)
{
	struct reply r = REPLY_INIT;
	struct err e = ERR_INIT;

	wire_finish(&r, span_str("MAX_TOKENS"));
	is_buf(&r.finish_reason, "length", "our word for theirs");
	wire_finish(&r, span_str(""));
	is_buf(&r.finish_reason, "length", "none changes nothing");
	wire_finish(&r, span_str("FINISH_REASON_UNSPECIFIED"));
	is_buf(&r.finish_reason, "length", "nor does a word that says nothing");
	wire_finish(&r, span_str("moon"));
	is_buf(&r.finish_reason, "moon", "theirs where we have none");
	wire_finish(&r, span_str("stop"));
	wire_go_on(&r);
	is_buf(&r.finish_reason, "", "more of the reply takes back that it ended");
	wire_finish(&r, span_str("SAFETY"));
	wire_finish(&r, span_str("stop"));
	wire_go_on(&r);
	is_buf(&r.finish_reason, "content_filter", "a refusal is not taken back");
	wire_finish(&r, span_str("Error"));
	wire_finish(&r, span_str("stop"));
	is_buf(&r.finish_reason, "Error", "nor is a failure");
	is_int(wire_end(&r, &e), -1, "and the reply has not ended");
	is_err(&e, ERR_NETWORK, "the server broke off the reply: its finish reason is 'Error'", "says so");
	err_clear(&e);
	buf_clear(&r.finish_reason);
	wire_finish(&r, span_str("stop"));
	wire_call_name(&r, wire_call(&r, span_str("1"), 0), span_str(""));
	is_int((int64_t)r.ncalls, 1, "a call that has no name yet");
	wire_call_name(&r, wire_call(&r, span_str(""), 0), span_str("look"));
	wire_call_name(&r, wire_call(&r, span_str("1"), -1), span_str("see"));
	is_buf(&r.finish_reason, "tool_calls", "a call is a reason of its own");
	is_int((int64_t)r.ncalls, 1, "its number and its id lead to it again");
	is_buf(&r.calls[0].name, "look", "the first name counts");
	buf_clear(&r.finish_reason);
	wire_finish(&r, span_str("STOP"));
	is_buf(&r.finish_reason, "tool_calls", "also when the reason comes after it");
	is_int(wire_report(&r.problem, &e), -1, "an error without words");
	is_err(&e, ERR_NETWORK, "the server reports: an error", "says at least that");
	err_clear(&e);
	buf_adds(&r.problem.message, "too hot");
	wire_report(&r.problem, &e);
	is_err(&e, ERR_NETWORK, "the server reports: too hot", "one with words");
	reply_release(&r);
}

/* What servers say of a request that is too large. */
static void test_context(void)
{
	static const struct {
		const char *message;
		bool says;
		int64_t tokens, window;
	} cases[] = {
		{ "This model's maximum context length is 4097 tokens. However, your messages resulted in 4294 tokens.",
		  true, 4294, 4097 },
		{ "This model's maximum context length is 131072 tokens. However, you requested 156632 tokens (152536 in "
		  "the messages, 4096 in the completion).", true, 156632, 131072 },
		{ "This endpoint's maximum context length is 32768 tokens. However, you requested about 42832 tokens "
		  "(42832 of text input).", true, 42832, 32768 },
		{ "'max_tokens' is too large: 10. This model's maximum context length is 4096 tokens and your request has "
		  "4090 input tokens.", true, 4090, 4096 },
		{ "You passed 11193 input tokens and requested 100 output tokens. However, the model's context length is "
		  "only 8192 tokens, resulting in a maximum input length of 8092 tokens.", true, 11193, 8192 },
		{ "You passed 900000 input characters and requested 0 output tokens. However, the model's context length "
		  "is only 8192 tokens, resulting in a maximum input length of 8192 tokens.", true, 0, 8192 },
		{ "request (7900 tokens) exceeds the available context size (4096 tokens), try increasing it", true,
		  7900, 4096 },
		{ "the request exceeds the available context size. try increasing the context size", true, 0, 0 },
		{ "Trying to keep the first 5094 tokens when context the overflows. However, the model is loaded with "
		  "context length of only 4096 tokens", true, 5094, 4096 },
		{ "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300,001 tokens.",
		  true, 300001, 272000 },
		{ "Rate limit reached for requests. Limit 200, you requested 201.", false, 0, 0 },
		{ "", false, 0, 0 },
	};

	struct json_object *numbers = NULL;
	struct err e = ERR_INIT;

	wire_parse_body(span_str("{\"n_prompt_tokens\":1,\"n_ctx\":2}"), &numbers, &e);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problem p = PROBLEM_INIT;

		buf_adds(&p.message, cases[i].message);
		is_int(wire_is_context(NULL, &p), cases[i].says, "a message, case %zu", i);
		is_int(p.tokens, cases[i].tokens, "the tokens");
		is_int(p.window, cases[i].window, "the window");
		is_int(wire_is_context(numbers, &p), cases[i].says, "the same beside its numbers");
		ok(!cases[i].says || (p.tokens == 1 && p.window == 2), "which are better than those of the words");
		buf_release(&p.message);
	}
	json_object_put(numbers);
	ok(wire_says_quota(span_str("insufficient_quota")) && wire_says_quota(span_str("billing_not_active")),
	   "no money");
	ok(!wire_says_quota(span_str("rate_limit_exceeded")) && !wire_says_quota(span_str("")), "too fast");
}

int main(void)
{
	test_values();
	test_refused();
	test_set();
	test_leave_out();
	test_base64();
	test_pieces();
	test_parse();
	test_members();
	test_numbers();
	test_says();
	test_event();
	test_finish();
	test_context();
	return tap_end();
}
