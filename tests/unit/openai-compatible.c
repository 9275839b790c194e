/* The Chat Completions protocol, on streams as servers send them. */
#include "adapter.h"

static const struct good_stream streams[] = {
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
	  "Hello 😀\n", "", "stop", { 19, 10, 29, 4, 3, -1, -1 } },
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
	  "Hi", "Okay, so", "stop", { 11, 5, 16, -1, -1, -1, -1 } },
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
	  "Yes", "Hmm", "length", { 4, 8, 12, -1, -1, -1, -1 } },
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
	  "4", "R", "stop", { 2, 3, 5, -1, -1, -1, -1 } },
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
	  "{\"cached_tokens\":0,\"cache_write_tokens\":2},\"completion_tokens_details\":{\"reasoning_tokens\":6}}}\n\n"
	  "data: [DONE]\n\n",
	  "Ja", "I think", "stop", { 7, 9, 16, 6, 0, 2, 1000000 } },
	{ "LM Studio",
	  "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"A\"},"
	  "\"logprobs\":null,\"finish_reason\":null}]}\r\n\r\n"
	  "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":"
	  "\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\r\n\r\n"
	  "data: [DONE]\r\n\r\n",
	  "A", "", "stop", { 1, 1, 2, -1, -1, -1, -1 } },
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
	{ "words of others, and keep-alives",
	  "data: \n\ndata: \"\"\n\ndata: null\n\ndata: 7\n\ndata: ping\n\ndata: []\n\n"
	  "data: {\"error\":{\"code\":0,\"message\":\"\"},\"choices\":[{\"delta\":{\"content\":\"x\"},"
	  "\"error\":false,\"finish_reason\":\"END_TURN\"}]}\n\ndata:  [DONE] \n\n",
	  "x", "", "stop", USAGE_NONE },
	{ "a message in place of a delta",
	  "data: {\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"ha\"}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{},\"message\":{\"content\":\"ha\",\"reasoning\":\"r\"}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":null,\"message\":{\"content\":\"!\"},\"finish_reason\":\"stop\"}]}\n\n",
	  "haha!", "r", "stop", USAGE_NONE },
	{ "a message that says all of it again",
	  "data: {\"choices\":[{\"delta\":{\"content\":\"ha\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":"
	  "\"ha\"},\"message\":{\"content\":\"haha\"}}]}\n\ndata: {\"choices\":[{\"message\":{\"content\":\"haha\"},"
	  "\"finish_reason\":\"stop\"}]}\n\n", "haha", "", "stop", USAGE_NONE },
	{ "Mistral, with thinking as parts of the content",
	  "data: {\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\","
	  "\"text\":\"let \"}]}]}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":"
	  "\"me \"},{\"type\":\"reasoning\",\"text\":\"see\"},{\"type\":\"text\",\"text\":\"fi\"}]}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{\"content\":\"ne\"},\"finish_reason\":\"stop\"}]}\n\n",
	  "fine", "let me see", "stop", USAGE_NONE },
	{ "reasoning in other forms",
	  "data: {\"choices\":[{\"delta\":{\"reasoning\":[{\"type\":\"text\",\"text\":\"a\"},\"b\"]}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{\"thinking\":\"c\"}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{\"reasoning\":null,\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":"
	  "\"d\"},{\"type\":\"reasoning.summary\",\"summary\":\"e\"},{\"type\":\"reasoning.encrypted\",\"data\":\"x\"}]},"
	  "\"finish_reason\":\"stop\"}]}\n\n", "", "abcde", "stop", USAGE_NONE },
	{ "a tool call, in pieces",
	  "data: {\"choices\":[{\"delta\":{\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":"
	  "\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]}}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]},"
	  "\"finish_reason\":\"stop\"}]}\n\n", "", "", "tool_calls", USAGE_NONE },
	{ "text behind a stop", "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n"
	  "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"length\"}]}\n\n",
	  "ab", "", "length", USAGE_NONE },
	{ "strange values where others are expected",
	  "data: {\"choices\":[{\"delta\":{\"content\":5,\"reasoning\":[]},\"finish_reason\":7}],"
	  "\"usage\":[]}\n\ndata: {\"choices\":[null]}\n\ndata: {\"choices\":{}}\n\ndata: {}\n\n"
	  "data: {\"choices\":[{\"delta\":null}],\"usage\":{\"prompt_tokens\":-4,\"completion_tokens\":"
	  "\"x\"},\"error\":null}\n\ndata: [DONE]\n\n",
	  "", "", "", USAGE_NONE },
};

static void test_streams(void)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		is_good_stream(&streams[i], strstr(streams[i].stream, "[DONE]") != NULL);
}

static void test_bad_streams(void)
{
	static const struct bad_stream bad[] = {
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"Hal\"}}]}\n\n",
		  "the server ended the stream before the reply was complete", "Hal", 0, 0 },
		{ "", "the server ended the stream before the reply was complete", "", 0, 0 },
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"Hal\"}}]}\n\ndata: {\"error\":{\"message\":"
		  "\"overloaded\",\"code\":502},\"choices\":[{\"delta\":{\"content\":\"\"},"
		  "\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n", "the server reports: overloaded", "Hal", 502, 0 },
		{ "data: {\"error\":\"model not loaded\"}\n\n", "the server reports: model not loaded", "", 0, 0 },
		{ "data: {\"error\":{\"code\":5}}\n\n", "the server reports: an error", "", 0, 0 },
		{ "data: {\"error\":true}\n\n", "the server reports: an error", "", 0, 0 },
		{ "data: {\"choices\":[{\"delta\"\n\n", "the server sent a malformed event: ", "", 0, 0 },
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n"
		  "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n",
		  "the server ended the stream before the reply was complete", "ab", 0, 0 },
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},"
		  "\"finish_reason\":\"insufficient_system_resource\"}]}\n\n", "the server broke off the reply: its "
		  "finish reason is 'insufficient_system_resource'", "half", 0, 0 },
		{ "data: {\"choices\":[{\"delta\":{\"content\":\"half\"},\"error\":{\"code\":502,\"message\":\"gone\"},"
		  "\"finish_reason\":\"error\"}]}\n\n", "the server reports: gone", "half", 502, 0 },
		{ "data: {\"choices\":[{\"message\":{\"content\":\"half\",\"error\":\"gone\"}}]}\n\n",
		  "the server reports: gone", "half", 0, 0 },
		{ "data: hello there\n\n", "the server sent a malformed event: ", "", 0, 0 },
		{ "data: [1]\n\n", "the server sent a malformed event: no JSON object", "", 0, 0 },
		{ "data: {} {}\n\n", "the server sent a malformed event: ", "", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_bad_stream(&bad[i], i);
}

/* An event without data says nothing, and ends no reply. */
static void test_empty_event(void)
{
	struct heard h;

	hear(&h, span_str("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata:\n\ndata: {\"choices\":[{"
	     "\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"));
	if (!is_int(h.result, 0, "an empty event between others"))
		tap_note("%s", h.err.msg);
	reply_release(&h.reply);
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
	is_int(whole(&r, "[]", &e), -1, "one that is no object");
	is_err(&e, ERR_NETWORK, "is the base URL right?", "asks where it came from");
	reply_release(&r);
	/* What is no chat completion at all is no complete reply. */
	is_int(whole(&r, "{\"status\":\"ok\"}", &e), -1, "one of something else");
	is_err(&e, ERR_NETWORK, "contains no reply", "says so");
	reply_release(&r);
}

static void test_problems(void)
{
	static const struct told cases[] = {
		{ "{\"error\":{\"message\":\"Incorrect API key\",\"type\":\"invalid_request_error\",\"code\":"
		  "\"invalid_api_key\"}}", "Incorrect API key", 0, 0, 0, 0 },
		{ "{\"error\":\"model 'x' not found\"}", "model 'x' not found", PROBLEM_MODEL, 0, 0, 0 },
		{ "{\"error\":{\"code\":404,\"message\":\"File Not Found\",\"type\":\"not_found_error\"}}",
		  "File Not Found", 0, 0, 0, 404 },
		{ "{\"object\":\"error\",\"message\":\"The model `x` does not exist.\",\"code\":404}",
		  "The model `x` does not exist.", PROBLEM_MODEL, 0, 0, 404 },
		{ "{\"detail\":\"Not Found\"}", "Not Found", 0, 0, 0, 0 },
		{ "{\"detail\":[{\"msg\":\"x\"}]}", "x", 0, 0, 0, 0 },
		{ "[{\"error\":{\"message\":\"in a list\"}}]", "in a list", 0, 0, 0, 0 },
		{ "{\"error\":{}}", "", 0, 0, 0, 0 }, { "{\"error\":null}", "", 0, 0, 0, 0 }, { "{}", "", 0, 0, 0, 0 },
		{ "", "", 0, 0, 0, 0 },
		{ "<html>Bad Gateway</html>", "", 0, 0, 0, 0 }, { "{\"error\":{\"message\":\"cut o", "", 0, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_told(&cases[i], i);
}

/* What is wrong, where the words or codes of a server tell. */
static void test_problem_kinds(void)
{
	static const struct {
		const char *who, *body;
		enum problem_kind kind;
		int64_t tokens, window;
		long status;
	} cases[] = {
		{ "OpenAI", "{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens. However, your "
		  "messages resulted in 9001 tokens.\",\"type\":\"invalid_request_error\",\"code\":"
		  "\"context_length_exceeded\"}}", PROBLEM_CONTEXT, 9001, 8192, 0 },
		{ "Groq", "{\"error\":{\"message\":\"Please reduce the length of the messages or completion.\",\"type\":"
		  "\"invalid_request_error\",\"code\":\"context_length_exceeded\"}}", PROBLEM_CONTEXT, 0, 0, 0 },
		{ "llama.cpp", "{\"error\":{\"code\":400,\"message\":\"request (1407 tokens) exceeds the available context "
		  "size (256 tokens), try increasing it\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":"
		  "1407,\"n_ctx\":256}}", PROBLEM_CONTEXT, 1407, 256, 400 },
		{ "llama.cpp, with numbers of no use", "{\"error\":{\"code\":500,\"message\":\"too long\",\"type\":"
		  "\"exceed_context_size_error\",\"n_prompt_tokens\":-1,\"n_ctx\":\"x\"}}", PROBLEM_CONTEXT, 0, 0, 500 },
		{ "Ollama", "{\"error\":{\"message\":\"request (7900 tokens) exceeds the available context size (4096 "
		  "tokens), try increasing it\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}",
		  PROBLEM_CONTEXT, 7900, 4096, 0 },
		{ "vLLM", "{\"error\":{\"message\":\"You passed 5000 input tokens and requested 16 output tokens. However, "
		  "the model's context length is only 4096 tokens, resulting in a maximum input length of 4080 tokens.\","
		  "\"type\":\"BadRequestError\",\"param\":\"input_tokens\",\"code\":400}}", PROBLEM_CONTEXT, 5000, 4096, 400 },
		{ "older vLLM", "{\"object\":\"error\",\"message\":\"This model's maximum context length is 131072 tokens. "
		  "However, you requested 156632 tokens (152536 in the messages, 4096 in the completion).\",\"type\":"
		  "\"BadRequestError\",\"param\":null,\"code\":400}", PROBLEM_CONTEXT, 156632, 131072, 400 },
		{ "OpenRouter", "{\"error\":{\"message\":\"This endpoint's maximum context length is 32768 tokens. However, "
		  "you requested about 42832 tokens\",\"code\":400}}", PROBLEM_CONTEXT, 42832, 32768, 400 },
		{ "OpenAI, no model", "{\"error\":{\"message\":\"The model `x` does not exist\",\"code\":"
		  "\"model_not_found\"}}", PROBLEM_MODEL, 0, 0, 0 },
		{ "Ollama, no model", "{\"error\":{\"message\":\"model 'x' not found\",\"type\":\"not_found_error\","
		  "\"param\":null,\"code\":null}}", PROBLEM_MODEL, 0, 0, 0 },
		{ "older Ollama, no model", "{\"error\":\"model \\\"x\\\" not found, try pulling it first\"}",
		  PROBLEM_MODEL, 0, 0, 0 },
		{ "vLLM, no model", "{\"error\":{\"message\":\"The model `x` does not exist.\",\"type\":"
		  "\"NotFoundError\",\"param\":\"model\",\"code\":404}}", PROBLEM_MODEL, 0, 0, 404 },
		{ "OpenRouter, no model", "{\"error\":{\"message\":\"x is not a valid model ID\",\"code\":400}}",
		  PROBLEM_MODEL, 0, 0, 400 },
		{ "llama.cpp, no such path", "{\"error\":{\"code\":404,\"message\":\"File Not Found\",\"type\":"
		  "\"not_found_error\"}}", PROBLEM_OTHER, 0, 0, 404 },
		{ "OpenAI, no money", "{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":"
		  "\"insufficient_quota\"}}", PROBLEM_QUOTA, 0, 0, 0 },
		{ "OpenAI, no credits", "{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":"
		  "\"credit_balance_exhausted\"}}", PROBLEM_QUOTA, 0, 0, 0 },
		{ "OpenRouter, no credits", "{\"error\":{\"message\":\"Insufficient credits\",\"code\":402}}",
		  PROBLEM_QUOTA, 0, 0, 402 },
		{ "OpenRouter, too fast", "{\"error\":{\"message\":\"Rate limit exceeded\",\"code\":429}}",
		  PROBLEM_OTHER, 0, 0, 429 },
		{ "sizes of something else", "{\"error\":{\"code\":500,\"message\":\"m\",\"n_prompt_tokens\":5,"
		  "\"n_ctx\":256}}", PROBLEM_OTHER, 0, 0, 500 },
		{ "a code that is no status", "{\"error\":{\"message\":\"m\",\"code\":1004}}", PROBLEM_OTHER, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span copy = exact(span_str(cases[i].body));
		struct problem p = PROBLEM_INIT;

		adapter->problem(copy, &p);
		is_int(p.kind, cases[i].kind, "%s: what is wrong", cases[i].who);
		is_int(p.tokens, cases[i].tokens, "how much was asked");
		is_int(p.window, cases[i].window, "how much it takes");
		is_int(p.status, cases[i].status, "the status");
		buf_release(&p.message);
		drop(copy);
	}
}

/* The same of an error event. */
static void test_problem_in_stream(void)
{
	struct heard h;

	hear(&h, span_str("data: {\"choices\":[{\"delta\":{\"content\":\"Hal\"}}]}\n\n"
	     "error: {\"code\":400,\"message\":\"request (9 tokens) exceeds the available context size (8 tokens)\","
	     "\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":9,\"n_ctx\":8}\n\n"));
	is_int(h.result, -1, "llama.cpp's error event");
	is_int(h.reply.problem.kind, PROBLEM_CONTEXT, "what is wrong");
	is_int(h.reply.problem.tokens, 9, "how much was asked");
	is_int(h.reply.problem.window, 8, "how much it takes");
	is_int(h.reply.problem.status, 400, "the status");
	reply_release(&h.reply);
}

/* ---- requests ---- */

static void test_request(void)
{
	struct context_turn turns[] = {
		{ .query = span_str("q1"), .answer = span_str("a1") },
		{ .query = span_str("q2"), .answer = span_str("") },
		{ .query = span_str("q3"), .answer = span_str(" \n\xc2\xa0") },
	};
	struct chat_request rq = { .base_url = "http://h", .model = "m:8b",
		                   ASKING(span_str("now\n\"\x01\"")), .stream = true };

	is_request(&rq, "{\"model\":\"m:8b\",\"messages\":[{\"role\":\"user\",\"content\":\"now\\n\\\"\\u0001\\\""
	           "\"}],\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "the least request");
	rq.system = span_str("Be short.");
	converse(&rq, turns, 3, (struct context_turn){ .query = span_str("now") });
	rq.stream = false;
	is_request(&rq, "{\"model\":\"m:8b\",\"messages\":[{\"role\":\"system\",\"content\":\"Be short.\"},"
	           "{\"role\":\"user\",\"content\":\"q1\"},{\"role\":\"assistant\",\"content\":\"a1\"},"
	           "{\"role\":\"user\",\"content\":\"q2\\n\\nq3\\n\\nnow\"}],\"stream\":false}",
	           "a conversation, in which blank answers are left out");
}

#define CALL(id, name, args) "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\"," \
	"\"arguments\":\"" args "\"}}"
#define PIECE(call) "data: {\"choices\":[{\"delta\":{\"tool_calls\":[" call "]}}]}\n\n"
#define CALLED "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n"
#define RESULT(id, output) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" output "\"}"

static void test_calls(void)
{
	static const struct calling_stream cases[] = {
		{ "two calls in pieces, with their numbers",
		  PIECE("{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"ls\",\"arguments\":\"\"}}")
		  PIECE("{\"index\":0,\"function\":{\"arguments\":\"{\\\"dir\\\":\"}}")
		  PIECE("{\"index\":1,\"id\":\"c2\",\"function\":{\"name\":\"cat\",\"arguments\":\"{}\"}}")
		  PIECE("{\"index\":0,\"function\":{\"arguments\":\"\\\".\\\"}\"}}") CALLED,
		  "c1 ls {\"dir\":\".\"}\nc2 cat {}\n" },
		{ "all with the number 0, and with the id in each piece",
		  PIECE("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"ls\",\"arguments\":\"{\"}}")
		  PIECE("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"ls\",\"arguments\":\"}\"}}")
		  PIECE("{\"index\":0,\"id\":\"c2\",\"function\":{\"name\":\"cat\",\"arguments\":\"{}\"}}") CALLED,
		  "c1 ls {}\nc2 cat {}\n" },
		{ "without numbers or ids, in a list, with arguments that are objects",
		  PIECE("{\"function\":{\"name\":\"ls\",\"arguments\":{\"dir\":\".\"}}},{\"function\":{\"name\":\"ls\"}}") CALLED,
		  " ls {\"dir\":\".\"}\n ls \n" },
		{ "all of it again at the end", PIECE("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"ls\",\"arguments\":\"{}\"}}")
		  "data: {\"choices\":[{\"message\":{\"tool_calls\":[" CALL("c1", "ls", "{}") "]},\"finish_reason\":\"stop\"}]}\n\n",
		  "c1 ls {}\n" },
		{ "the old form", "data: {\"choices\":[{\"delta\":{\"function_call\":{\"name\":\"ls\",\"arguments\":\"{\"}}}]}\n\n"
		  "data: {\"choices\":[{\"delta\":{\"function_call\":{\"arguments\":\"}\"}},\"finish_reason\":\"function_call\"}]}\n\n",
		  " ls {}\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_calling_stream(&cases[i]);
	is_request_with_calls("m", NULL, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":"
	                      "\"assistant\",\"content\":\"I look.\",\"tool_calls\":[" CALL("c1", "ls", "{\\\"dir\\\":"
	                      "\\\".\\\"}") "," CALL("c2", "cat", "{}") "]}," RESULT("c1", "a \\\"b\\\"\\n") ","
	                      RESULT("c2", "Error: no file") ",{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
	                      "\"image_url\":{\"url\":\"data:image/png;base64,AAEC/w==\"}}]},{\"role\":\"assistant\","
	                      "\"content\":null,\"tool_calls\":[" CALL("c3", "ls", "{}") "]}," RESULT("c3", "")
	                      "],\"stream\":false}", true, "calls and results");
}

#define DELTA_OF(members) "data: {\"choices\":[{\"delta\":{" members "}}]}\n\n"
#define DETAILS(list) DELTA_OF("\"reasoning_details\":[" list "]")
#define ENDED "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n"
#define DETAIL(i, more, text) "{\"type\":\"reasoning.text\",\"index\":" #i more ",\"text\":\"" text "\"}"
#define ENCRYPTED "{\"type\":\"reasoning.encrypted\",\"index\":1,\"data\":\"abc=\"}"
#define WITH(answer, more) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\"," \
	"\"content\":\"" answer "\"" more "},{\"role\":\"user\",\"content\":\"now\"}],\"stream\":false}"

#define EXTRA "\"extra_content\":{\"google\":{\"thought_signature\":\"s=\"}}"

static void test_native(void)
{
	static const struct native_stream replies[] = {
		{ "OpenRouter's details, in pieces", DETAILS(DETAIL(0, ",\"signature\":null,\"format\":\"f\"", "I "))
		  DETAILS(DETAIL(0, "", "\\\"see\\\"")) DETAILS("{\"type\":\"reasoning.text\",\"index\":0,\"signature\":\"s=\"}")
		  DETAILS(ENCRYPTED) ENDED, "[{\"reasoning_details\":[{\"type\":\"reasoning.text\",\"index\":0,\"format\":\"f\","
		  "\"text\":\"I \\\"see\\\"\",\"signature\":\"s=\"}," ENCRYPTED "]}]" },
		{ "a summary", DETAILS("{\"type\":\"reasoning.summary\",\"summary\":\"a\",\"index\":0}")
		  DETAILS("{\"type\":\"reasoning.summary\",\"summary\":\"b\",\"index\":0}") DETAILS(DETAIL(1, "", "c")) ENDED,
		  "[{\"reasoning_details\":[{\"type\":\"reasoning.summary\",\"index\":0,\"summary\":\"ab\"}," DETAIL(1, "", "c") "]}]" },
		{ "details without numbers", DETAILS("{\"type\":\"reasoning.text\",\"text\":\"a\"},{\"type\":\"reasoning.text\","
		  "\"text\":\"b\"}") ENDED, "[{\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"a\"},"
		  "{\"type\":\"reasoning.text\",\"text\":\"b\"}]}]" },
		{ "DeepSeek's content", DELTA_OF("\"reasoning_content\":\"I \"") DELTA_OF("\"reasoning_content\":\"\\\"see\\\"\"") ENDED,
		  "[{\"reasoning_content\":\"I \\\"see\\\"\"}]" },
		{ "both", DELTA_OF("\"reasoning_content\":\"a\"") DELTA_OF("\"reasoning_content\":\"b\",\"reasoning_details\":["
		  DETAIL(0, "", "b") "]") DELTA_OF("\"reasoning_content\":\"c\"") ENDED,
		  "[{\"reasoning_details\":[" DETAIL(0, "", "b") "]}]" },
		{ "Google's signature of a call", DELTA_OF("\"reasoning_content\":\"a\"")
		  PIECE("{\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"ls\",\"arguments\":\"{}\"}},{\"index\":1,\"id\":\"c1\","
		  "\"function\":{\"name\":\"ls\",\"arguments\":\"{}\"}," EXTRA "}") DELTA_OF("\"reasoning_content\":\"b\"")
		  DETAILS(DETAIL(0, "", "b")) CALLED, "[{\"reasoning_content\":\"a\"},{\"index\":1," EXTRA "}]" },
		{ "other reasoning", DELTA_OF("\"reasoning\":\"I see\"") ENDED, "" },
	};
	static const struct native_request cases[] = {
		{ "details go with their answer", "[{\"reasoning_details\":[" ENCRYPTED "]}]", "Hi", { .model = "m" },
		  WITH("Hi", ",\"reasoning_details\":[" ENCRYPTED "]") },
		{ "but not to a server that refused them", "[{\"reasoning_details\":[" ENCRYPTED "]}]", "Hi",
		  { .model = "m", .no_native = true }, WITH("Hi", "") },
		{ "nor does content without a call", "[{\"reasoning_content\":\"I see\"}]", "Hi", { .model = "m" }, WITH("Hi", "") },
	};

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		is_native_stream(&replies[i]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_native_request(&cases[i]);
	is_request_with_calls("m", "[{\"reasoning_content\":\"I see\"}]", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
	                      "\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"I look.\",\"reasoning_content\":\"I see\","
	                      "\"tool_calls\":[" CALL("c1", "ls", "{\\\"dir\\\":\\\".\\\"}") "," CALL("c2", "cat", "{}") "]},"
	                      RESULT("c1", "a \\\"b\\\"\\n") "," RESULT("c2", "Error: no file") ",{\"role\":\"assistant\","
	                      "\"content\":null,\"tool_calls\":[" CALL("c3", "ls", "{}") "]}," RESULT("c3", "")
	                      "],\"stream\":false}", false, "content goes with calls");
	is_request_with_calls("m", "[{\"index\":0," EXTRA "}]", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
	                      "\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"I look.\",\"tool_calls\":["
	                      "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"ls\",\"arguments\":"
	                      "\"{\\\"dir\\\":\\\".\\\"}\"}," EXTRA "}," CALL("c2", "cat", "{}") "]},"
	                      RESULT("c1", "a \\\"b\\\"\\n") "," RESULT("c2", "Error: no file") ",{\"role\":\"assistant\","
	                      "\"content\":null,\"tool_calls\":[" CALL("c3", "ls", "{}") "]}," RESULT("c3", "")
	                      "],\"stream\":false}", false, "a signature goes with its call");
}

static void test_files(void)
{
	const struct attachment files[] = {
		{ span_str("b.png"), span_str("image/png"), { "\x89PN", 3 } },
		{ span_str("p\"q\".pdf"), span_str("application/pdf"), span_str("%PDF") },
		{ span_str("t.txt"), span_str("text/plain"), span_str("one") },
	};
	const struct attachment other = { span_str("s.wav"), span_str("audio/wav"), span_str("RIFF") };
	struct context_turn turn = { span_str("old"), span_str("a"), files, 1 };
	struct context_turn blank = { span_str("old"), span_str(" "), files, 1 };
	struct chat_request rq = { .base_url = "http://h", .model = "m" };
	const char *image = "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBO\"}}";
	struct buf want = BUF_INIT;

	converse(&rq, &turn, 1, (struct context_turn){ span_str("what?"), span_str(""), files, 3 });
	buf_addf(&want, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[%s,{\"type\":\"text\",\"text\":"
	         "\"old\"}]},{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":[%s,{\"type\":"
	         "\"file\",\"file\":{\"filename\":\"p\\\"q\\\".pdf\",\"file_data\":\"data:application/pdf;base64,JVBERg==\"}},"
	         "{\"type\":\"text\",\"text\":\"<file name=\\\"t.txt\\\">\\none\\n</file>\"},{\"type\":\"text\",\"text\":"
	         "\"what?\"}]}],\"stream\":false}", image, image);
	is_request(&rq, want.p, "files go before the text, of each turn");
	buf_clear(&want);
	converse(&rq, &blank, 1, (struct context_turn){ .query = span_str("what?") });
	buf_addf(&want, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[%s,{\"type\":\"text\",\"text\":"
	         "\"old\"},{\"type\":\"text\",\"text\":\"what?\"}]}],\"stream\":false}", image);
	is_request(&rq, want.p, "and of one without an answer, which is one message with the next");
	buf_release(&want);
	converse(&rq, NULL, 0, (struct context_turn){ span_str("what?"), span_str(""), &other, 1 });
	is_refused(&rq, "openai-compatible does not accept files of type audio/wav", "a sound");
}

static void test_params(void)
{
	static const struct {
		const char *params[7], *schema, *want; /* behind the least request, or the error */
	} cases[] = {
		{ { "temperature=0.2", "top_p=1", "max_tokens=5", "seed=-7", "stop=[\"a\",\"b\"]", "reasoning_effort=low" },
		  NULL, ",\"temperature\":0.2,\"top_p\":1,\"max_tokens\":5,\"seed\":-7,\"stop\":[\"a\",\"b\"],"
		  "\"reasoning_effort\":\"low\"}" },
		{ { "top_k=40", "cache_prompt=true", "grammar=root" }, NULL,
		  ",\"top_k\":40,\"cache_prompt\":true,\"grammar\":\"root\"}" },
		{ { NULL }, "{\"type\":\"object\"}", ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
		  "\"name\":\"reply\",\"strict\":true,\"schema\":{\"type\":\"object\"}}}}" },
		{ { "response_format={\"type\":\"json_object\"}" }, NULL, ",\"response_format\":{\"type\":\"json_object\"}}" },
		{ { "response_format={}" }, "{}", "'response_format' cannot be set with -o" },
		{ { "model=x" }, NULL, "'model' cannot be set with -o" },
		{ { "messages=[]" }, NULL, "'messages' cannot be set with -o" },
		{ { "stream=true" }, NULL, "'stream' cannot be set with -o" },
		{ { "stream_options={}" }, NULL, "'stream_options' cannot be set with -o" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params params = PARAMS_INIT;
		struct chat_request rq = { .base_url = "http://h", .model = "m", ASKING(span_str("q")),
			                   .params = &params };
		struct buf want = BUF_INIT;

		if (cases[i].schema)
			rq.schema = span_str(cases[i].schema);
		params_of(&params, cases[i].params);
		buf_addf(&want, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"stream\":false%s",
		         cases[i].want);
		if (cases[i].want[0] == ',')
			is_request(&rq, want.p, "a request with parameters");
		else
			is_refused(&rq, cases[i].want, cases[i].params[0]);
		buf_release(&want);
		params_release(&params);
	}
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
		{ "http://h/v1/?a=b&c", "http://h/v1/chat/completions?a=b&c" },
		{ "http://h?", "http://h/chat/completions" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct chat_request rq = { .base_url = cases[i].base, .model = "m", ASKING(span_str("p")) };

		is_url(&rq, cases[i].want);
	}
	is_models_url("http://h/v1/", "", "http://h/v1/models");
	is_models_url("http://h/v1/?a=b", "", "http://h/v1/models?a=b");
}

/* ---- models ---- */

static void test_models(void)
{
	static const struct page pages[] = {
		{ "Ollama", "{\"object\":\"list\",\"data\":[{\"id\":\"qwen3:4b\",\"object\":\"model\",\"created\":1,"
		  "\"owned_by\":\"library\"}]}", "qwen3:4b||0\n", "", NULL },
		{ "Ollama without a model", "{\"object\":\"list\",\"data\":null}", "", "", NULL },
		{ "llama.cpp", "{\"models\":[{\"name\":\"m.gguf\"}],\"object\":\"list\",\"data\":[{\"id\":\"m.gguf\","
		  "\"meta\":{\"n_vocab\":128256,\"n_ctx_train\":131072,\"n_ctx\":8192}},{\"id\":\"old.gguf\",\"meta\":"
		  "{\"n_ctx_train\":131072}},{\"id\":\"loading\",\"meta\":null}]}",
		  "m.gguf||8192\nold.gguf||0\nloading||0\n", "", NULL },
		{ "vLLM", "{\"object\":\"list\",\"data\":[{\"id\":\"meta/l\",\"max_model_len\":4096,\"permission\":[]}]}",
		  "meta/l||4096\n", "", NULL },
		{ "OpenRouter", "{\"data\":[{\"id\":\"a/b\",\"name\":\"A: B\",\"context_length\":1000000,\"top_provider\":"
		  "{\"context_length\":200000}}]}", "a/b|A: B|1000000\n", "", NULL },
		{ "Groq", "{\"object\":\"list\",\"data\":[{\"id\":\"g\",\"active\":true,\"context_window\":131072}]}",
		  "g||131072\n", "", NULL },
		{ "Mistral", "{\"object\":\"list\",\"data\":[{\"id\":\"m\",\"name\":\"M\",\"max_context_length\":32768}]}",
		  "m|M|32768\n", "", NULL },
		{ "strange elements", "{\"data\":[null,5,{},{\"id\":7},{\"id\":\"\"},{\"id\":\"a\",\"context_length\":-1,"
		  "\"max_model_len\":\"x\",\"name\":[]}]}", "a||0\n", "", NULL },
		{ "one that is enough", "{\"data\":[{\"id\":\"last\"},{\"id\":\"b\"}]}", "last||0\n", "", "enough" },
		{ "no list", "{\"data\":{}}", "", "", "not a list of models" }, { "nothing", "{}", "", "", "not a list of models" },
		{ "an array", "[{\"id\":\"a\",\"context_length\":9}]", "a||9\n", "", NULL }, { "a torn one", "{\"data\":[", "", "", "not a list of models" },
		{ "an empty one", "", "", "", "not a list of models" },
	};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		is_page(&pages[i]);
}

int main(void)
{
	adapter = provider_find("openai-compatible");
	test_streams();
	test_bad_streams();
	test_empty_event();
	test_whole();
	test_problems();
	test_problem_kinds();
	test_problem_in_stream();
	test_request();
	test_files();
	test_calls();
	test_native();
	test_params();
	test_urls();
	test_models();
	is_sound_when_damaged(streams, 6);
	return tap_end();
}
