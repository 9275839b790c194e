/* The Chat Completions protocol, on streams as servers send them. */
#include "base/json.h"
#include "data.h"
#include "net/sse.h"
#include "provider/provider.h"
#include "tap.h"

static const struct provider *openai;

struct heard {
	struct reply reply;
	struct err err;
	int result; /* of the stream, or of end() */
};

static int on_event(void *ctx, struct span data, struct err *e)
{
	struct heard *h = ctx;
	struct span copy = exact(data);
	int r = openai->event(&h->reply, copy, e);

	drop(copy);
	return r;
}

static void hear(struct heard *h, const char *stream)
{
	struct sse s = SSE_INIT(on_event, h);

	*h = (struct heard){ .reply = REPLY_INIT, .err = ERR_INIT };
	h->result = sse_feed(&s, span_str(stream), &h->err);
	if (h->result == 0)
		h->result = sse_end(&s, &h->err);
	if (h->result == 0)
		h->result = openai->end(&h->reply, &h->err);
	sse_release(&s);
}

static const struct {
	const char *who, *stream, *text, *reasoning, *finish;
	struct usage usage;
} streams[] = {
	{ "OpenAI",
	  "data: {\"id\":\"chatcmpl-B\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,"
	  "\"model\":\"gpt-4.1-2025-04-14\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_1\","
	  "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},"
	  "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"xY\"}\n\n"
	  "data: {\"id\":\"chatcmpl-B\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},"
	  "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"
	  "data: {\"id\":\"chatcmpl-B\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" \\ud83d\\ude00\\n\"},"
	  "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"
	  "data: {\"id\":\"chatcmpl-B\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,"
	  "\"finish_reason\":\"stop\"}],\"usage\":null}\n\n"
	  "data: {\"id\":\"chatcmpl-B\",\"choices\":[],\"usage\":{\"prompt_tokens\":19,"
	  "\"completion_tokens\":10,\"total_tokens\":29,\"prompt_tokens_details\":{\"cached_tokens\":3,"
	  "\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":4,\"audio_tokens\":0,"
	  "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}}\n\n"
	  "data: [DONE]\n\n",
	  "Hello 😀\n", "", "stop", { 19, 10, 29, 4, 3 } },
	{ "Ollama",
	  "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"qwen3\","
	  "\"system_fingerprint\":\"fp_ollama\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
	  "\"content\":\"\",\"reasoning\":\"Okay\"},\"finish_reason\":null}]}\n\n"
	  "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
	  "\"reasoning\":\", so\"},\"finish_reason\":null}]}\n\n"
	  "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},"
	  "\"finish_reason\":null}]}\n\n"
	  "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
	  "\"finish_reason\":\"stop\"}]}\n\n"
	  "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":5,"
	  "\"total_tokens\":16}}\n\ndata: [DONE]\n\n",
	  "Hi", "Okay, so", "stop", { 11, 5, 16, -1, -1 } },
	{ "llama.cpp",
	  "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"role\":\"assistant\","
	  "\"content\":null}}],\"created\":1,\"id\":\"c\",\"model\":\"m\",\"object\":"
	  "\"chat.completion.chunk\"}\n\n"
	  "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"reasoning_content\":"
	  "\"Hmm\"}}]}\n\n"
	  "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\"Yes\"}}]}\n\n"
	  "data: {\"choices\":[{\"finish_reason\":\"length\",\"index\":0,\"delta\":{}}],"
	  "\"timings\":{\"prompt_n\":1,\"predicted_per_second\":53.2}}\n\n"
	  "data: {\"choices\":[],\"usage\":{\"completion_tokens\":8,\"prompt_tokens\":4,"
	  "\"total_tokens\":12},\"timings\":{\"cache_n\":0}}\n\ndata: [DONE]\n\n",
	  "Yes", "Hmm", "length", { 4, 8, 12, -1, -1 } },
	{ "vLLM, with choices null beside the usage",
	  "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
	  "\"reasoning_content\":null},\"logprobs\":null,\"finish_reason\":null}],"
	  "\"prompt_token_ids\":null}\n\n"
	  "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"R\",\"reasoning_content\":"
	  "\"R\"},\"finish_reason\":null}]}\n\n"
	  "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"4\"},\"finish_reason\":"
	  "\"stop\",\"stop_reason\":null,\"token_ids\":null}]}\n\n"
	  "data: {\"id\":\"c\",\"choices\":null,\"usage\":{\"prompt_tokens\":2,\"total_tokens\":5,"
	  "\"completion_tokens\":3,\"prompt_tokens_details\":null}}\n\ndata: [DONE]\n\n",
	  "4", "R", "stop", { 2, 3, 5, -1, -1 } },
	{ "OpenRouter",
	  ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n"
	  "data: {\"id\":\"gen-1\",\"provider\":\"X\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
	  "\"assistant\",\"content\":\"\",\"reasoning\":\"I think\",\"reasoning_details\":[{\"type\":"
	  "\"reasoning.text\",\"text\":\"I think\"}]},\"finish_reason\":null,"
	  "\"native_finish_reason\":null}]}\n\n: OPENROUTER PROCESSING\n\n"
	  "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Ja\",\"reasoning\":null},"
	  "\"finish_reason\":null}]}\n\n"
	  "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":"
	  "\"stop\",\"native_finish_reason\":\"end_turn\"}]}\n\n"
	  "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
	  "\"content\":\"\"},\"finish_reason\":null}],\"usage\":{\"prompt_tokens\":7,"
	  "\"completion_tokens\":9,\"total_tokens\":16,\"cost\":0.001,\"prompt_tokens_details\":"
	  "{\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":6}}}\n\n"
	  "data: [DONE]\n\n",
	  "Ja", "I think", "stop", { 7, 9, 16, 6, 0 } },
	{ "LM Studio",
	  "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"A\"},"
	  "\"logprobs\":null,\"finish_reason\":null}]}\r\n\r\n"
	  "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":"
	  "\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\r\n\r\n"
	  "data: [DONE]\r\n\r\n",
	  "A", "", "stop", { 1, 1, 2, -1, -1 } },
	{ "a character split between two events",
	  "data: {\"choices\":[{\"delta\":{\"content\":\"\xf0\x9f\"}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{\"content\":\"\x98\x80\"},\"finish_reason\":\"stop\"}]}\n\n",
	  "😀", "", "stop", USAGE_NONE },
	{ "no end mark, but a finish reason",
	  "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n",
	  "x", "", "stop", USAGE_NONE },
	{ "an end mark, but no finish reason",
	  "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n",
	  "x", "", "", USAGE_NONE },
	{ "strange values where others are expected",
	  "data: {\"choices\":[{\"delta\":{\"content\":5,\"reasoning\":[]},\"finish_reason\":7}],"
	  "\"usage\":[]}\n\ndata: {\"choices\":[null]}\n\ndata: {\"choices\":{}}\n\ndata: {}\n\n"
	  "data: {\"choices\":[{\"delta\":null}],\"usage\":{\"prompt_tokens\":-4,\"completion_tokens\":"
	  "\"x\"},\"error\":null}\n\ndata: [DONE]\n\n",
	  "", "", "", USAGE_NONE },
};

static void test_streams(void)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		const struct usage *want = &streams[i].usage, *got;
		struct heard h;

		hear(&h, streams[i].stream);
		got = &h.reply.usage;
		if (!is_int(h.result, 0, "a stream of %s", streams[i].who))
			tap_note("%s", h.err.msg);
		is_buf(&h.reply.text, streams[i].text, "its text");
		is_buf(&h.reply.reasoning, streams[i].reasoning, "its reasoning");
		is_buf(&h.reply.finish_reason, streams[i].finish, "its finish reason");
		ok(got->input == want->input && got->output == want->output && got->total == want->total &&
		   got->reasoning == want->reasoning && got->cached == want->cached, "its usage");
		reply_release(&h.reply);
	}
}

static void test_bad_streams(void)
{
	static const struct {
		const char *stream, *why, *text;
	} bad[] = {
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"Hal\"}}]}\n\n",
		  "the server ended the stream before the reply was complete", "Hal" },
		{ "", "the server ended the stream before the reply was complete", "" },
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"Hal\"}}]}\n\ndata: {\"error\":{\"message\":"
		  "\"overloaded\",\"code\":502},\"choices\":[{\"delta\":{\"content\":\"\"},"
		  "\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n", "the server reports: overloaded", "Hal" },
		{ "data: {\"error\":\"model not loaded\"}\n\n", "the server reports: model not loaded", "" },
		{ "data: {\"error\":{\"code\":5}}\n\n", "the server reports: an error", "" },
		{ "data: {\"error\":true}\n\n", "the server reports: an error", "" },
		{ "data: {\"choices\":[{\"delta\"\n\n", "the server sent a malformed event: ", "" },
		{ "data: hello\n\n", "the server sent a malformed event: ", "" },
		{ "data: []\n\n", "the server sent a malformed event: no JSON object", "" },
		{ "data: {} {}\n\n", "the server sent a malformed event: ", "" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct heard h;

		hear(&h, bad[i].stream);
		is_int(h.result, -1, "a stream that fails, case %zu", i);
		is_err(&h.err, ERR_NETWORK, bad[i].why, "says why");
		is_buf(&h.reply.text, bad[i].text, "what came before is kept");
		reply_release(&h.reply);
	}
}

/* An event without data says nothing, and ends no reply. */
static void test_empty_event(void)
{
	struct heard h;

	hear(&h, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata:\n\ndata: {\"choices\":[{"
	     "\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
	if (!is_int(h.result, 0, "an empty event between others"))
		tap_note("%s", h.err.msg);
	reply_release(&h.reply);
}

static int whole(struct reply *r, const char *body, struct err *e)
{
	struct span copy = exact(span_str(body));
	int result;

	*r = (struct reply)REPLY_INIT;
	err_clear(e);
	result = openai->whole(r, copy, e);
	if (result == 0)
		result = openai->end(r, e);
	drop(copy);
	return result;
}

static void test_whole(void)
{
	struct err e = ERR_INIT;
	struct reply r;

	is_int(whole(&r, "{\"id\":\"c\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{"
	             "\"role\":\"assistant\",\"content\":\"Hello\",\"reasoning_content\":\"R\",\"refusal\":null},"
	             "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,"
	             "\"completion_tokens\":2,\"total_tokens\":3}}\n", &e), 0, "a whole body");
	is_buf(&r.text, "Hello", "its text");
	is_buf(&r.reasoning, "R", "its reasoning");
	is_buf(&r.finish_reason, "stop", "its finish reason");
	is_int(r.usage.total, 3, "its usage");
	reply_release(&r);
	is_int(whole(&r, "{\"error\":{\"message\":\"no such model\"}}", &e), -1, "one with an error");
	is_err(&e, ERR_NETWORK, "the server reports: no such model", "in its words");
	reply_release(&r);
	is_int(whole(&r, "{\"choices\":[{\"mess", &e), -1, "one that breaks off");
	is_err(&e, ERR_NETWORK, "malformed", "says so");
	reply_release(&r);
	/* What is no chat completion at all is no complete reply. */
	is_int(whole(&r, "{\"status\":\"ok\"}", &e), -1, "one of something else");
	is_int(e.kind, ERR_NETWORK, "is an error");
	reply_release(&r);
}

static void test_problems(void)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
		{ "{\"error\":{\"message\":\"Incorrect API key\",\"type\":\"invalid_request_error\",\"code\":"
		  "\"invalid_api_key\"}}", "Incorrect API key" },
		{ "{\"error\":\"model 'x' not found\"}", "model 'x' not found" },
		{ "{\"error\":{\"code\":404,\"message\":\"File Not Found\",\"type\":\"not_found_error\"}}",
		  "File Not Found" },
		{ "{\"object\":\"error\",\"message\":\"The model `x` does not exist.\",\"code\":404}",
		  "The model `x` does not exist." },
		{ "{\"detail\":\"Not Found\"}", "Not Found" },
		{ "{\"detail\":[{\"msg\":\"x\"}]}", "x" },
		{ "[{\"error\":{\"message\":\"in a list\"}}]", "in a list" },
		{ "{\"error\":{}}", "" }, { "{\"error\":null}", "" }, { "{}", "" }, { "", "" },
		{ "<html>Bad Gateway</html>", "" }, { "{\"error\":{\"message\":\"cut o", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span copy = exact(span_str(cases[i].body));
		struct problem p = PROBLEM_INIT;

		openai->problem(copy, &p);
		is_buf(&p.message, cases[i].want, "the server's words, case %zu", i);
		buf_release(&p.message);
		drop(copy);
	}
}

/* ---- requests ---- */

static void is_request(struct chat_request *rq, const char *want, const char *what)
{
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct err e = ERR_INIT;
	struct json_object *o = NULL;

	is_int(openai->request(rq, &url, &body, &e), 0, "%s", what);
	is_buf(&body, want, "its body");
	ok(json_parse_object(buf_span(&body), &o, &e) == 0, "which is JSON");
	json_object_put(o);
	buf_release(&url);
	buf_release(&body);
}

static void test_request(void)
{
	const struct said turns[] = {
		{ .query = span_str("q1"), .answer = span_str("a1") },
		{ .query = span_str("q2"), .answer = span_str("") },
	};
	struct chat_request rq = { .base_url = "http://h", .model = "m:8b",
		                   .prompt.query = span_str("now\n\"\x01\""), .stream = true };

	is_request(&rq, "{\"model\":\"m:8b\",\"messages\":[{\"role\":\"user\",\"content\":\"now\\n\\\"\\u0001\\\""
	           "\"}],\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "the least request");
	rq.system = span_str("Be short.");
	rq.turns = turns;
	rq.nturns = 2;
	rq.stream = false;
	rq.prompt.query = span_str("now");
	is_request(&rq, "{\"model\":\"m:8b\",\"messages\":[{\"role\":\"system\",\"content\":\"Be short.\"},"
	           "{\"role\":\"user\",\"content\":\"q1\"},{\"role\":\"assistant\",\"content\":\"a1\"},"
	           "{\"role\":\"user\",\"content\":\"q2\"},{\"role\":\"assistant\",\"content\":\"\"},"
	           "{\"role\":\"user\",\"content\":\"now\"}],\"stream\":false}",
	           "a conversation");
}

static void test_urls(void)
{
	static const struct {
		const char *base, *want;
	} cases[] = {
		{ "https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions" },
		{ "http://h:1/v1/", "http://h:1/v1/chat/completions" },
		{ "http://h:1/v1//", "http://h:1/v1/chat/completions" },
		{ "http://h", "http://h/chat/completions" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct chat_request rq = { .base_url = cases[i].base, .model = "m", .prompt.query = span_str("p") };
		struct buf url = BUF_INIT, body = BUF_INIT;
		struct err e = ERR_INIT;
		int r = openai->request(&rq, &url, &body, &e);

		is_int(r, 0, "base URL '%s'", cases[i].base);
		is_buf(&url, cases[i].want, "the URL");
		buf_release(&url);
		buf_release(&body);
	}
}

/* Events with bytes changed: an error or none, nothing breaks. */
static void test_damaged(void)
{
	uint64_t seed = 17;
	int good = 0, silent = 0;

	for (int i = 0; i < 3000; i++) {
		struct buf text = BUF_INIT;
		struct heard h;

		buf_adds(&text, streams[(size_t)i % 6].stream);
		for (size_t k = 1 + rnd_below(&seed, 4); k; k--)
			text.p[rnd_below(&seed, text.n)] = (char)(1 + rnd_below(&seed, 255));
		hear(&h, text.p);
		good += h.result == 0;
		silent += h.result != 0 && h.err.kind != ERR_NETWORK;
		reply_release(&h.reply);
		buf_release(&text);
	}
	is_int(silent, 0, "3000 damaged streams fail as network errors");
	ok(good > 100 && good < 3000, "or not at all (%d)", good);
}

int main(void)
{
	openai = provider_find("openai-compatible");
	test_streams();
	test_bad_streams();
	test_empty_event();
	test_whole();
	test_problems();
	test_request();
	test_urls();
	test_damaged();
	return tap_end();
}
