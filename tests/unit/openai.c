/* OpenAI's Responses API, on streams as it and those who follow it send them. */
#include "adapter.h"

/* Events as the API frames them. */
#define EV(type, rest) "event: response." type "\ndata: {\"type\":\"response." type "\"," rest "}\n\n"
#define AT "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0"
#define DELTA(text) EV("output_text.delta", AT ",\"delta\":\"" text "\",\"logprobs\":[],\"obfuscation\":\"q7\"")
#define PART(type) EV("content_part.added", AT ",\"part\":{\"type\":\"" type "\",\"text\":\"\"}")
#define RESPONSE(status, rest)                                                                     \
	"\"sequence_number\":9,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"" \
	status "\"," rest "}"
#define USAGE(in, cached, out, reasoning, total)                                                   \
	"\"usage\":{\"input_tokens\":" #in ",\"input_tokens_details\":{\"cached_tokens\":" #cached     \
	",\"cache_write_tokens\":2},\"output_tokens\":" #out                                           \
	",\"output_tokens_details\":{\"reasoning_tokens\":" #reasoning "},\"total_tokens\":" #total "}"
#define MESSAGE(text)                                                                              \
	"{\"id\":\"msg_1\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\","      \
	"\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":\"" text "\"}]}"
#define COMPLETED(output)                                                                          \
	EV("completed", RESPONSE("completed", "\"error\":null,\"incomplete_details\":null,"            \
	                         "\"output\":[" output "]," USAGE(30, 12, 9, 4, 39)))
#define COUNTS { 30, 9, 39, 4, 12, 2, -1 }

static const struct good_stream streams[] = {
	{ "text",
	  EV("created", RESPONSE("in_progress", "\"output\":[],\"usage\":null,\"error\":null"))
	  EV("in_progress", RESPONSE("in_progress", "\"output\":[]"))
	  EV("output_item.added", "\"output_index\":0,\"item\":{\"type\":\"message\",\"content\":[]}")
	  PART("output_text") DELTA("Guten") DELTA(" \\ud83d\\ude00\\n")
	  EV("output_text.done", AT ",\"text\":\"Guten 😀\\n\"")
	  EV("content_part.done", AT ",\"part\":{\"type\":\"output_text\",\"text\":\"Guten 😀\\n\"}")
	  EV("output_item.done", "\"item\":" MESSAGE("Guten 😀\\n")) COMPLETED(MESSAGE("Guten 😀\\n")),
	  "Guten 😀\n", "", "stop", COUNTS },
	{ "reasoning in two parts, then text",
	  EV("output_item.added", "\"item\":{\"type\":\"reasoning\",\"summary\":[]}")
	  EV("reasoning_summary_part.added", "\"summary_index\":0,\"part\":{\"type\":\"summary_text\"}")
	  EV("reasoning_summary_text.delta", "\"summary_index\":0,\"delta\":\"**First**\"")
	  EV("reasoning_summary_text.delta", "\"summary_index\":0,\"delta\":\" so\"")
	  EV("reasoning_summary_text.done", "\"summary_index\":0,\"text\":\"**First** so\"")
	  EV("reasoning_summary_part.done", "\"summary_index\":0,\"part\":{\"text\":\"**First** so\"}")
	  EV("reasoning_summary_part.added", "\"summary_index\":1,\"part\":{\"type\":\"summary_text\"}")
	  EV("reasoning_summary_text.delta", "\"summary_index\":1,\"delta\":\"then\"")
	  PART("output_text") DELTA("4")
	  COMPLETED("{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"**First** so\"},"
	            "{\"type\":\"summary_text\",\"text\":\"then\"}]}," MESSAGE("4")),
	  "4", "**First** so\n\nthen", "stop", COUNTS },
	{ "the reasoning of an open model, in CRLF, with comments and an end mark",
	  ": ping\r\n\r\nevent: response.content_part.added\r\ndata: {\"type\":\"response.content_part.added\","
	  "\"content_index\":0,\"part\":{\"type\":\"reasoning_text\",\"text\":\"\"}}\r\n\r\n"
	  "data: {\"type\":\"response.reasoning_text.delta\",\"delta\":\"Hm\"}\r\n\r\ndata:\r\n\r\n"
	  "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Ja\"}\r\n\r\n"
	  "data: {\"type\":\"response.completed\",\"response\":{\"output\":[]}}\r\n\r\ndata: [DONE]\r\n\r\n",
	  "Ja", "Hm", "stop", USAGE_NONE },
	{ "a refusal", PART("refusal") EV("refusal.delta", AT ",\"delta\":\"I \"")
	  EV("refusal.delta", AT ",\"delta\":\"won't\"") EV("refusal.done", AT ",\"refusal\":\"I won't\"")
	  COMPLETED("{\"type\":\"message\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"I won't\"}]}"),
	  "I won't", "", "content_filter", COUNTS },
	{ "an answer that was cut", DELTA("Once upon")
	  EV("incomplete", RESPONSE("incomplete", "\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
	                            "\"output\":[" MESSAGE("Once upon") "]," USAGE(5, 0, 16, 0, 21))),
	  "Once upon", "", "length", { 5, 16, 21, 0, 0, 2, -1 } },
	{ "an answer that was filtered", DELTA("Take")
	  EV("incomplete", RESPONSE("incomplete", "\"incomplete_details\":{\"reason\":\"content_filter\"}")),
	  "Take", "", "content_filter", USAGE_NONE },
	{ "an answer that ends for a reason of tomorrow", DELTA("a")
	  EV("incomplete", RESPONSE("incomplete", "\"incomplete_details\":{\"reason\":\"moonrise\"}")),
	  "a", "", "moonrise", USAGE_NONE },
	{ "an answer that ends without a reason", DELTA("a")
	  EV("incomplete", RESPONSE("incomplete", "\"incomplete_details\":null")),
	  "a", "", "incomplete", USAGE_NONE },
	{ "two messages", PART("output_text") DELTA("I look.") PART("output_text") DELTA("Found.")
	  COMPLETED(MESSAGE("I look.") "," MESSAGE("Found.")),
	  "I look.\n\nFound.", "", "stop", COUNTS },
	{ "a gateway that tells it all in the end",
	  EV("created", RESPONSE("in_progress", "\"output\":[]"))
	  COMPLETED("{\"type\":\"reasoning\",\"summary\":[{\"text\":\"A\"},{\"text\":\"B\"}],\"content\":null},"
	            MESSAGE("x") "," MESSAGE("y") ",{\"type\":\"web_search_call\",\"text\":\"no\"}"),
	  "x\n\ny", "A\n\nB", "stop", COUNTS },
	{ "a refusal told in the end",
	  COMPLETED("{\"type\":\"message\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"No\"}]}"),
	  "No", "", "content_filter", COUNTS },
	{ "events and items of other kinds",
	  EV("queued", "\"response\":{}") EV("web_search_call.searching", "\"item_id\":\"ws\"")
	  EV("output_item.added", "\"item\":{\"type\":\"function_call\",\"name\":\"f\"}")
	  EV("function_call_arguments.delta", "\"delta\":\"{\\\"a\\\":\"")
	  EV("code_interpreter_call_code.delta", "\"delta\":\"print\"")
	  EV("output_text.annotation.added", "\"annotation\":{\"type\":\"url_citation\"}")
	  EV("audio.delta", "\"delta\":\"QUJD\"") EV("mcp_call.failed", "\"error\":\"not ours\"")
	  "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":3}\n\n"
	  "data: {\"sequence_number\":4}\n\n" DELTA("ok") COMPLETED(MESSAGE("ok")),
	  "ok", "", "tool_calls", COUNTS },
	{ "completed, and yet incomplete", DELTA("half")
	  EV("completed", RESPONSE("incomplete", "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}")),
	  "half", "", "length", USAGE_NONE },
	{ "completed, with a reason for being incomplete", DELTA("half")
	  EV("completed", "\"response\":{\"incomplete_details\":{\"reason\":\"content_filter\"}}"),
	  "half", "", "content_filter", USAGE_NONE },
	{ "completed, with a message that is not", DELTA("half")
	  EV("completed", RESPONSE("completed", "\"output\":[{\"type\":\"message\",\"status\":\"incomplete\"}]")),
	  "half", "", "incomplete", USAGE_NONE },
	{ "keep-alives", "data: \"\"\n\ndata: null\n\ndata: ping\n\n" DELTA("ok") COMPLETED(MESSAGE("ok")) "data: [DONE] \n\n",
	  "ok", "", "stop", COUNTS },
	{ "a part that is reasoning", COMPLETED("{\"type\":\"message\",\"content\":[{\"type\":\"reasoning_text\","
	  "\"text\":\"hm\"},{\"type\":\"output_text\",\"text\":\"ok\"}]}"), "ok", "hm", "stop", COUNTS },
	{ "nothing but a call", COMPLETED("{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"{}\"}"),
	  "", "", "tool_calls", COUNTS },
	{ "strange values where others are expected",
	  EV("output_text.delta", "\"delta\":7") EV("output_text.delta", "\"x\":null")
	  EV("reasoning_text.delta", "\"delta\":[]") EV("content_part.added", "\"part\":4")
	  EV("completed", "\"response\":{\"output\":{\"a\":1},\"usage\":[],\"incomplete_details\":3}")
	  "data: {\"type\":7}\n\n",
	  "", "", "stop", USAGE_NONE },
	{ "counts that are none",
	  EV("completed", "\"response\":{\"output\":[null,5,{\"type\":\"message\",\"content\":[null]}],\"usage\":"
	     "{\"input_tokens\":-4,\"output_tokens\":\"x\",\"total_tokens\":9007199254740992,"
	     "\"input_tokens_details\":null}}"),
	  "", "", "stop", USAGE_NONE },
	{ "an end without a response", DELTA("a") "data: {\"type\":\"response.completed\"}\n\n",
	  "a", "", "stop", USAGE_NONE },
};

static void test_streams(void)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		is_good_stream(&streams[i], true);
}

#define FAILED(error) EV("failed", RESPONSE("failed", "\"output\":[],\"usage\":null,\"error\":" error))
#define EARLY "the server ended the stream before the reply was complete"

static const struct bad_stream bad[] = {
	{ DELTA("Hal"), EARLY, "Hal", 0, PROBLEM_OTHER },
	{ DELTA("Hal") "data: [DONE]\n\n", EARLY, "Hal", 0, PROBLEM_OTHER },
	{ EV("refusal.delta", "\"delta\":\"No\""), EARLY, "No", 0, PROBLEM_OTHER },
	{ "", EARLY, "", 0, PROBLEM_OTHER },
	{ DELTA("Hal") FAILED("{\"code\":\"server_error\",\"message\":\"it broke\"}"),
	  "the server reports: it broke", "Hal", 500, PROBLEM_OTHER },
	{ FAILED("{\"code\":\"rate_limit_exceeded\",\"message\":\"Wait 2s.\"}"),
	  "the server reports: Wait 2s.", "", 429, PROBLEM_OTHER },
	{ FAILED("{\"code\":\"server_is_overloaded\",\"message\":\"busy\"}"),
	  "the server reports: busy", "", 503, PROBLEM_OTHER },
	{ FAILED("{\"code\":\"invalid_prompt\"}"), "the server reports: invalid_prompt", "", 400, PROBLEM_OTHER },
	{ FAILED("null"), "the server reports: an error", "", 0, PROBLEM_OTHER },
	{ "data: {\"type\":\"response.failed\"}\n\n", "the server reports: an error", "", 0, PROBLEM_OTHER },
	{ "event: error\ndata: {\"type\":\"error\",\"code\":\"context_length_exceeded\",\"message\":\"Your input "
	  "exceeds the context window of this model.\",\"param\":\"input\",\"sequence_number\":2}\n\n",
	  "the server reports: Your input exceeds", "", 400, PROBLEM_CONTEXT },
	{ "data: {\"type\":\"error\",\"error\":{\"type\":\"insufficient_quota\",\"code\":\"credit_balance_exhausted\","
	  "\"message\":\"Add credits.\"},\"sequence_number\":2}\n\n",
	  "the server reports: Add credits.", "", 429, PROBLEM_QUOTA },
	{ "data: {\"type\":\"error\",\"code\":null,\"message\":\"?\",\"param\":null}\n\n",
	  "the server reports: ?", "", 0, PROBLEM_OTHER },
	{ DELTA("a") "data: {\"error\":{\"message\":\"upstream\",\"code\":502}}\n\n",
	  "the server reports: upstream", "a", 502, PROBLEM_OTHER },
	{ "data: {\"error\":\"overloaded\"}\n\n", "the server reports: overloaded", "", 0, PROBLEM_OTHER },
	{ "data: {\"error\":{\"message\":\"m\",\"code\":7}}\n\n", "the server reports: m", "", 0, PROBLEM_OTHER },
	{ DELTA("Hal") EV("completed", RESPONSE("failed", "\"error\":{\"code\":\"server_error\",\"message\":\"it broke\"}")),
	  "the server reports: it broke", "Hal", 500, PROBLEM_OTHER },
	{ DELTA("Hal") EV("completed", RESPONSE("completed", "\"error\":{\"message\":\"it broke\"}")),
	  "the server reports: it broke", "Hal", 0, PROBLEM_OTHER },
	{ DELTA("Hal") EV("completed", "\"error\":{\"message\":\"it broke\"}"), "the server reports: it broke", "Hal", 0,
	  PROBLEM_OTHER },
	{ "data: {\"type\":\"response.comp\n\n", "the server sent a malformed event: ", "", 0, PROBLEM_OTHER },
	{ "data: hello there\n\n", "the server sent a malformed event: ", "", 0, PROBLEM_OTHER },
	{ "data: [1]\n\n", "the server sent a malformed event: no JSON object", "", 0, PROBLEM_OTHER },
	{ DELTA("a") "data: {} {}\n\n", "the server sent a malformed event: ", "a", 0, PROBLEM_OTHER },
};

static void test_bad_streams(void)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_bad_stream(&bad[i], i);
}

/* ---- whole bodies ---- */

static void test_whole(void)
{
	static const struct {
		const char *body, *text, *reasoning, *finish;
	} good[] = {
		{ "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"error\":null,"
		  "\"incomplete_details\":null,\"output\":[{\"type\":\"reasoning\",\"summary\":[{\"text\":\"R\"},"
		  "{\"text\":\"S\"}]}," MESSAGE("Hello") "]," USAGE(30, 12, 9, 4, 39) "}\n", "Hello", "R\n\nS", "stop" },
		{ "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
		  "\"output\":[" MESSAGE("He") "]}", "He", "", "length" },
		{ "{\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"refusal\","
		  "\"refusal\":\"No.\"}]}]}", "No.", "", "content_filter" },
		{ "{\"output\":[" MESSAGE("a gateway's") "]}", "a gateway's", "", "stop" },
		{ "{\"status\":\"completed\",\"output\":[{\"type\":\"reasoning\",\"summary\":[],\"content\":[{\"type\":"
		  "\"reasoning_text\",\"text\":\"open\"}]}," MESSAGE("x") "]}", "x", "open", "stop" },
	};
	struct err e = ERR_INIT;
	struct reply r;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!is_int(whole(&r, good[i].body, &e), 0, "a whole body, case %zu", i))
			tap_note("%s", e.msg);
		is_buf(&r.text, good[i].text, "its text");
		is_buf(&r.reasoning, good[i].reasoning, "its reasoning");
		is_buf(&r.finish_reason, good[i].finish, "its finish reason");
		is_int(r.usage.total, i ? -1 : 39, "its usage");
		reply_release(&r);
	}
}

static void test_bad_whole(void)
{
	static const struct {
		const char *body, *why;
	} cases[] = {
		{ "{\"status\":\"failed\",\"output\":[],\"error\":{\"code\":\"server_error\",\"message\":\"oh\"}}",
		  "the server reports: oh" },
		{ "{\"error\":{\"message\":\"no such model\",\"code\":\"model_not_found\"}}",
		  "the server reports: no such model" },
		{ "{\"status\":\"queued\",\"output\":[]}", "contains no reply: its status is 'queued'" },
		{ "{\"status\":\"cancelled\",\"output\":[]}", "contains no reply: its status is 'cancelled'" },
		{ "{\"status\":\"ok\"}", "contains no reply" },
		{ "{\"choices\":[{\"message\":{\"content\":\"hi\"}}]}", "is the base URL right?" },
		{ "{\"output\":\"text\"}", "is the base URL right?" },
		{ "{\"output\":[", "malformed" },
		{ "[]", "is the base URL right?" },
		{ "\"Welcome\"", "is the base URL right?" },
		{ "[", "malformed" },
		{ "", "malformed" },
	};
	struct err e = ERR_INIT;
	struct reply r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		is_int(whole(&r, cases[i].body, &e), -1, "a body that is no reply, case %zu", i);
		is_err(&e, ERR_NETWORK, cases[i].why, "says why");
		ok(!r.done && !r.text.n, "nothing is taken from it");
		reply_release(&r);
	}
}

static void test_problems(void)
{
	static const struct told cases[] = {
		{ "{\"error\":{\"message\":\"Incorrect API key\",\"type\":\"invalid_request_error\",\"param\":null,"
		  "\"code\":\"invalid_api_key\"}}", "Incorrect API key", PROBLEM_OTHER, 0, 0, 401 },
		{ "{\"error\":{\"message\":\"The model `gpt-9` does not exist\",\"type\":\"invalid_request_error\","
		  "\"code\":\"model_not_found\"}}", "The model `gpt-9` does not exist", PROBLEM_MODEL, 0, 0, 404 },
		{ "{\"error\":{\"message\":\"Your input exceeds the context window of this model.\","
		  "\"type\":\"invalid_request_error\",\"param\":\"input\",\"code\":\"context_length_exceeded\"}}",
		  "Your input exceeds the context window of this model.", PROBLEM_CONTEXT, 0, 0, 400 },
		{ "{\"error\":{\"message\":\"This model's maximum context length is 128000 tokens. However, your "
		  "messages resulted in 130,512 tokens.\",\"code\":\"context_length_exceeded\"}}",
		  "This model's maximum context length is 128000 tokens. However, your messages resulted in "
		  "130,512 tokens.", PROBLEM_CONTEXT, 130512, 128000, 400 },
		{ "{\"error\":{\"message\":\"Input tokens exceed the configured limit of 272000 tokens. Your messages "
		  "resulted in 300001 tokens.\",\"code\":\"context_length_exceeded\"}}",
		  "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300001 "
		  "tokens.", PROBLEM_CONTEXT, 300001, 272000, 400 },
		{ "{\"error\":{\"message\":\"quota\",\"type\":\"insufficient_quota\",\"code\":"
		  "\"insufficient_quota\"}}", "quota", PROBLEM_QUOTA, 0, 0, 429 },
		{ "{\"error\":{\"message\":\"spent\",\"type\":\"insufficient_quota\",\"code\":"
		  "\"project_spend_limit_exceeded\"}}", "spent", PROBLEM_QUOTA, 0, 0, 429 },
		{ "{\"error\":{\"message\":\"spent\",\"code\":\"organization_spend_limit_exceeded\"}}", "spent",
		  PROBLEM_QUOTA, 0, 0, 429 },
		{ "{\"error\":{\"message\":\"slower\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}",
		  "slower", PROBLEM_OTHER, 0, 0, 429 },
		{ "{\"error\":{\"message\":\"bad\",\"type\":\"invalid_request_error\",\"code\":null}}", "bad",
		  PROBLEM_OTHER, 0, 0, 0 },
		{ "{\"detail\":\"Not Found\"}", "Not Found", PROBLEM_OTHER, 0, 0, 0 },
		{ "{\"error\":\"in a string\"}", "in a string", PROBLEM_OTHER, 0, 0, 0 },
		{ "{\"error\":{}}", "", PROBLEM_OTHER, 0, 0, 0 }, { "{}", "", PROBLEM_OTHER, 0, 0, 0 },
		{ "[1]", "", PROBLEM_OTHER, 0, 0, 0 }, { "", "", PROBLEM_OTHER, 0, 0, 0 },
		{ "null", "", PROBLEM_OTHER, 0, 0, 0 },
		{ "<html>Bad Gateway</html>", "", PROBLEM_OTHER, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_told(&cases[i], i);
}

/* ---- requests ---- */

#define USER(text) "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"" text "\"}]}"
#define INCLUDE ",\"include\":[\"reasoning.encrypted_content\"]"
#define LEAST(model) "{\"model\":\"" model "\",\"input\":[" USER("q") "],\"store\":false,\"stream\":true"

static void test_request(void)
{
	struct context_turn turns[] = {
		{ .query = span_str("q1"), .answer = span_str("a1") },
		{ .query = span_str("q2"), .answer = span_str("") },
	};
	struct chat_request rq = { .base_url = "http://h", .model = "gpt-4.1",
		                   ASKING(span_str("now\n\"\x01\"")), .stream = true };

	is_request(&rq, "{\"model\":\"gpt-4.1\",\"input\":[" USER("now\\n\\\"\\u0001\\\"")
	           "],\"store\":false,\"stream\":true}", "the least request");
	rq.system = span_str("Be short.");
	converse(&rq, turns, 2, (struct context_turn){ .query = span_str("now") });
	rq.stream = false;
	is_request(&rq, "{\"model\":\"gpt-4.1\",\"instructions\":\"Be short.\",\"input\":[" USER("q1")
	           ",{\"type\":\"message\",\"id\":\"msg_0\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":["
	           "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"a1\"}]}," USER("q2") "," USER("now") "],\"store\":false,\"stream\":false}",
	           "a conversation, with an empty answer");
	converse(&rq, turns, 1, (struct context_turn){ .query = span_str("now") });
	rq.model = "gpt-6.2-sol";
	is_request(&rq, "{\"model\":\"gpt-6.2-sol\",\"instructions\":\"Be short.\",\"input\":[" USER("q1")
	           ",{\"type\":\"message\",\"id\":\"msg_0\",\"role\":\"assistant\",\"status\":\"completed\",\"phase\":"
	           "\"final_answer\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"a1\"}]}," USER("now") "],\"store\":false,\"stream\":false" INCLUDE "}",
	           "answers have a phase where the model knows it");
}

#define CALL(id, name, args) "{\"type\":\"function_call\",\"call_id\":\"" id "\",\"name\":\"" name "\"," \
	"\"arguments\":\"" args "\"}"
#define OUTPUT(id, output) "{\"type\":\"function_call_output\",\"call_id\":\"" id "\",\"output\":" output "}"

static void test_calls(void)
{
	static const struct calling_stream cases[] = {
		{ "two calls in pieces, and all of it again",
		  EV("output_item.added", "\"output_index\":1,\"item\":" CALL("c1", "ls", ""))
		  EV("function_call_arguments.delta", "\"output_index\":1,\"item_id\":\"fc_1\",\"delta\":\"{\\\"dir\\\":\"")
		  EV("output_item.added", "\"output_index\":2,\"item\":" CALL("c2", "cat", ""))
		  EV("function_call_arguments.delta", "\"output_index\":2,\"delta\":\"{}\"")
		  EV("function_call_arguments.delta", "\"output_index\":1,\"delta\":\"\\\".\\\"}\"")
		  EV("function_call_arguments.done", "\"output_index\":1,\"arguments\":\"{\\\"dir\\\":\\\".\\\"}\"")
		  EV("output_item.done", "\"output_index\":1,\"item\":" CALL("c1", "ls", "{\\\"dir\\\":\\\".\\\"}"))
		  COMPLETED("{\"type\":\"reasoning\"}," CALL("c1", "ls", "{\\\"dir\\\":\\\".\\\"}") "," CALL("c2", "cat", "{}")),
		  "c1 ls {\"dir\":\".\"}\nc2 cat {}\n" },
		{ "a gateway without numbers", EV("output_item.added", "\"item\":" CALL("c1", "ls", ""))
		  EV("function_call_arguments.delta", "\"delta\":\"{}\"") EV("output_item.added", "\"item\":" CALL("c2", "cat", ""))
		  EV("function_call_arguments.delta", "\"delta\":\"{\\\"a\\\":1}\"") COMPLETED(""),
		  "c1 ls {}\nc2 cat {\"a\":1}\n" },
		{ "calls at the end only, one of them not of a function", COMPLETED(CALL("c1", "ls", "{}")
		  ",{\"type\":\"custom_tool_call\",\"call_id\":\"c2\",\"name\":\"sh\",\"input\":\"ls -l\"}"),
		  "c1 ls {}\nc2 sh ls -l\n" },
	};
	const char *answer = "{\"type\":\"message\",\"id\":\"msg_0\",\"role\":\"assistant\",\"status\":\"completed\","
		"%s\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"I look.\"}]}";
	const char *rest = CALL("c1", "ls", "{\\\"dir\\\":\\\".\\\"}") "," CALL("c2", "cat", "{}") ",%s,"
		OUTPUT("c2", "\"Error: no file\"") "," CALL("c3", "ls", "{}") "," OUTPUT("c3", "\"\"")
		"],\"store\":false,\"stream\":false%s}";
	struct buf want = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_calling_stream(&cases[i]);
	buf_adds(&want, "{\"model\":\"m\",\"input\":[" USER("q") ",");
	buf_addf(&want, answer, "");
	buf_addc(&want, ',');
	buf_addf(&want, rest, OUTPUT("c1", "[{\"type\":\"input_text\",\"text\":\"a \\\"b\\\"\\n\"},{\"type\":"
	         "\"input_image\",\"detail\":\"auto\",\"image_url\":\"data:image/png;base64,AAEC/w==\"}]"), "");
	is_request_with_calls("m", NULL, want.p, true, "calls, and a result with a file");
	buf_clear(&want);
	buf_adds(&want, "{\"model\":\"gpt-6.2\",\"input\":[" USER("q") ",");
	buf_addf(&want, answer, "\"phase\":\"commentary\",");
	buf_addc(&want, ',');
	buf_addf(&want, rest, OUTPUT("c1", "\"a \\\"b\\\"\\n\""), INCLUDE);
	is_request_with_calls("gpt-6.2", NULL, want.p, false, "what is said before a call is a commentary");
	buf_release(&want);
}

#define THOUGHT(id, more) "{\"id\":\"" id "\",\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"E" id "\"" more "}"
#define SAID(id, text) "{\"id\":\"" id "\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\"," \
	"\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":\"" text "\"}]}"
#define DONE(i, item) EV("output_item.done", "\"output_index\":" #i ",\"item\":" item)
#define OWN(text) "{\"type\":\"message\",\"id\":\"msg_0\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{" \
	"\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"" text "\"}]}"
#define BODY(model, items, rest) "{\"model\":\"" model "\",\"input\":[" USER("q") "," items "," USER("now") "]," \
	"\"store\":false,\"stream\":false" rest "}"

static void test_native(void)
{
	static const struct native_stream replies[] = {
		{ "reasoning before the answer, as it comes and at the end",
		  DONE(0, THOUGHT("r1", ",\"status\":null,\"content\":[]")) DONE(1, SAID("m1", "Hi"))
		  COMPLETED(THOUGHT("r1", ",\"content\":null") "," SAID("m1", "Hi")), "[" THOUGHT("r1", "") "]" },
		{ "at the end only, with a message between", COMPLETED(THOUGHT("r1", "") "," SAID("m1", "A") "," THOUGHT("r2", "")
		  "," SAID("m2", "B")), "[" THOUGHT("r1", "") "," SAID("m1", "A") "," THOUGHT("r2", "") "]" },
		{ "as it comes only", DONE(0, THOUGHT("r1", "")) DELTA("Hi") DONE(1, SAID("m1", "Hi")) COMPLETED(""),
		  "[" THOUGHT("r1", "") "]" },
		{ "not without encrypted content", COMPLETED("{\"id\":\"r\",\"type\":\"reasoning\",\"summary\":[],"
		  "\"encrypted_content\":null}," SAID("m1", "A")), "" },
	};
	static const struct native_request cases[] = {
		{ "reasoning goes before its answer", "[" THOUGHT("r1", "") "]", "Hi", { .model = "m" },
		  BODY("m", THOUGHT("r1", "") "," OWN("Hi"), "") },
		{ "a message among it is not said twice", "[" THOUGHT("r1", "") "," SAID("m1", "A") "," THOUGHT("r2", "") "]",
		  "A\n\nB", { .model = "m" }, BODY("m", THOUGHT("r1", "") "," SAID("m1", "A") "," THOUGHT("r2", "") ","
		  OWN("B"), "") },
		{ "none goes with an answer that somebody changed", "[" THOUGHT("r1", "") "," SAID("m1", "A") "," THOUGHT("r2", "") "]",
		  "B", { .model = "m" }, BODY("m", OWN("B"), "") },
		{ "nor to a server that refused it, and none is asked for", "[" THOUGHT("r1", "") "]", "Hi",
		  { .model = "o3", .no_native = true }, BODY("o3", OWN("Hi"), "") },
	};

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		is_native_stream(&replies[i]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_native_request(&cases[i]);
	is_request_with_calls("m", "[" THOUGHT("r1", "") "," SAID("m1", "I look.") "," CALL("c1", "ls", "{\\\"dir\\\":\\\".\\\"}")
	                      "," THOUGHT("r2", "") "]", "{\"model\":\"m\",\"input\":[" USER("q") "," THOUGHT("r1", "") ","
	                      SAID("m1", "I look.") "," CALL("c1", "ls", "{\\\"dir\\\":\\\".\\\"}") "," THOUGHT("r2", "") ","
	                      CALL("c2", "cat", "{}") "," OUTPUT("c1", "\"a \\\"b\\\"\\n\"") "," OUTPUT("c2", "\"Error: no file\"") ","
	                      CALL("c3", "ls", "{}") "," OUTPUT("c3", "\"\"") "],\"store\":false,\"stream\":false}", false,
	                      "a call among it is not made twice");
}

static void test_files(void)
{
	const struct attachment files[] = {
		{ span_str("a \"b\".png"), span_str("image/png"), { "\x89PN", 3 } },
		{ span_str("p.pdf"), span_str("application/pdf"), span_str("%PDF") },
		{ span_str("t.txt"), span_str("text/plain"), span_str("one\ntwo") },
	};
	const struct attachment other = { span_str("s.wav"), span_str("audio/wav"), span_str("RIFF") };
	struct context_turn turn = { span_str("old"), span_str("a"), files, 1 };
	struct chat_request rq = { .base_url = "http://h", .model = "gpt-4.1" };
	const char *image = "{\"type\":\"input_image\",\"detail\":\"auto\",\"image_url\":"
	                    "\"data:image/png;base64,iVBO\"}";
	struct buf want = BUF_INIT;

	converse(&rq, &turn, 1, (struct context_turn){ span_str("what?"), span_str(""), files, 3 });
	buf_addf(&want, "{\"model\":\"gpt-4.1\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[%s,"
	         "{\"type\":\"input_text\",\"text\":\"old\"}]},{\"type\":\"message\",\"id\":\"msg_0\",\"role\":\"assistant\","
	         "\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"a\"}]},{\"type\":\"message\",\"role\":\"user\","
	         "\"content\":[%s,{\"type\":\"input_file\",\"filename\":\"p.pdf\",\"file_data\":"
	         "\"data:application/pdf;base64,JVBERg==\"},{\"type\":\"input_text\",\"text\":\"<file name=\\\"t.txt"
	         "\\\">\\none\\ntwo\\n</file>\"},{\"type\":\"input_text\",\"text\":\"what?\"}]}],\"store\":false,"
	         "\"stream\":false}", image, image);
	is_request(&rq, want.p, "files go before the text, of each turn");
	buf_release(&want);
	converse(&rq, NULL, 0, (struct context_turn){ span_str(""), span_str(""), files, 1 });
	buf_addf(&want, "{\"model\":\"gpt-4.1\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[%s]}],"
	         "\"store\":false,\"stream\":false}", image);
	is_request(&rq, want.p, "a file without a word");
	buf_release(&want);
	turn.files = &other;
	converse(&rq, NULL, 0, turn);
	is_refused(&rq, "openai does not accept files of type audio/wav", "a sound");
	converse(&rq, &turn, 1, (struct context_turn){ .query = span_str("p") });
	is_refused(&rq, "audio/wav", "a sound in an earlier turn");
}

static void test_params(void)
{
	static const struct {
		const char *model, *params[4], *schema;
		bool reasoning;
		const char *want; /* behind the least request, or the error */
	} cases[] = {
		{ "gpt-4.1", { "temperature=0.2", "top_p=0.9", "max_tokens=50" }, NULL, false,
		  ",\"temperature\":0.2,\"top_p\":0.9,\"max_output_tokens\":50}" },
		{ "gpt-4.1", { "truncation=auto", "metadata={\"a\":\"b\"}", "prompt_cache_key=k" }, NULL, false,
		  ",\"truncation\":\"auto\",\"metadata\":{\"a\":\"b\"},\"prompt_cache_key\":\"k\"}" },
		{ "gpt-4.1", { "max_output_tokens=50" }, NULL, false, ",\"max_output_tokens\":50}" },
		{ "gpt-6.2-sol", { "reasoning_effort=high" }, NULL, false, ",\"reasoning\":{\"effort\":\"high\"}}" },
		{ "gpt-6.2-sol", { "reasoning_effort=high" }, NULL, true,
		  ",\"reasoning\":{\"effort\":\"high\",\"summary\":\"auto\"}}" },
		{ "gpt-6.2-sol", { NULL }, NULL, false, "}" },
		{ "gpt-6.2-sol", { NULL }, NULL, true, ",\"reasoning\":{\"summary\":\"auto\"}}" },
		{ "gpt-4.1", { NULL }, NULL, true, "}" },
		{ "gpt-6.2-sol", { "reasoning= {\"mode\":\"pro\"} " }, NULL, true,
		  ",\"reasoning\":{\"mode\":\"pro\",\"summary\":\"auto\"}}" },
		{ "gpt-6.2-sol", { "reasoning={\"summary\":\"detailed\"}", "reasoning_effort=low" }, NULL, true,
		  ",\"reasoning\":{\"summary\":\"detailed\",\"effort\":\"low\"}}" },
		{ "gpt-6.2-sol", { "reasoning={}" }, NULL, false, ",\"reasoning\":{}}" },
		{ "gpt-6.2-sol", { "reasoning={ }" }, NULL, true, ",\"reasoning\":{\"summary\":\"auto\"}}" },
		{ "gpt-4.1", { NULL }, "{\"type\":\"object\"}", false,
		  ",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"reply\",\"strict\":true,\"schema\":"
		  "{\"type\":\"object\"}}}}" },
		{ "gpt-4.1", { "text={\"verbosity\":\"low\"}" }, "{}", false,
		  ",\"text\":{\"verbosity\":\"low\",\"format\":{\"type\":\"json_schema\",\"name\":\"reply\",\"strict\":true,"
		  "\"schema\":{}}}}" },
		{ "gpt-4.1", { "text={\"format\":{\"type\":\"json_object\"}}" }, NULL, false,
		  ",\"text\":{\"format\":{\"type\":\"json_object\"}}}" },
		{ "gpt-4.1", { "seed=7" }, NULL, false, "openai has no 'seed'" },
		{ "gpt-4.1", { "stop=END" }, NULL, false, "openai has no 'stop'" },
		{ "gpt-4.1", { "max_tokens=5", "max_output_tokens=6" }, NULL, false, "are the same" },
		{ "gpt-4.1", { "reasoning={\"effort\":\"low\"}", "reasoning_effort=high" }, NULL, false,
		  "'reasoning' already has an effort" },
		{ "gpt-4.1", { "reasoning={\"\\u0065ffort\":\"low\"}", "reasoning_effort=high" }, NULL, false,
		  "'reasoning' already has an effort" },
		{ "gpt-6.2-sol", { "reasoning={\"summary\":null}" }, NULL, true, ",\"reasoning\":{\"summary\":null}}" },
		{ "gpt-4.1", { "text={\"a\":1,\"a\":2}" }, NULL, false, "'text' must be an object: " },
		{ "gpt-4.1", { "reasoning=much" }, NULL, false, "'reasoning' must be an object" },
		{ "gpt-4.1", { "reasoning=[{}]" }, NULL, false, "'reasoning' must be an object" },
		{ "gpt-4.1", { "text=5" }, NULL, false, "'text' must be an object" },
		{ "gpt-4.1", { "text={\"format\":{}}" }, "{}", false, "'text' already has a format" },
		{ "gpt-4.1", { "store=true" }, NULL, false, "'store' cannot be set with -o" },
		{ "gpt-4.1", { "instructions=x" }, NULL, false, "'instructions' cannot be set" },
		{ "gpt-4.1", { "input=x" }, NULL, false, "'input' cannot be set" },
		{ "gpt-4.1", { "stream=false" }, NULL, false, "'stream' cannot be set" },
		{ "gpt-4.1", { "model=x" }, NULL, false, "'model' cannot be set" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params params = PARAMS_INIT;
		struct chat_request rq = { .base_url = "http://h", .model = cases[i].model,
			                   ASKING(span_str("q")), .stream = true,
			                   .params = &params, .reasoning = cases[i].reasoning };
		struct buf want = BUF_INIT;

		if (cases[i].schema)
			rq.schema = span_str(cases[i].schema);
		params_of(&params, cases[i].params);
		buf_addf(&want, "{\"model\":\"%s\",\"input\":[" USER("q") "],\"store\":false,\"stream\":true%s%s",
		         cases[i].model, strncmp(cases[i].model, "gpt-6", 5) == 0 ? INCLUDE : "", cases[i].want);
		if (cases[i].want[0] == ',' || cases[i].want[0] == '}')
			is_request(&rq, want.p, "a request with parameters");
		else
			is_refused(&rq, cases[i].want, cases[i].params[0]);
		buf_release(&want);
		params_release(&params);
	}
}

/* Whether `reasoning` is asked for, and whether answers have a phase. */
static void test_families(void)
{
	static const struct {
		const char *model;
		bool reasons, phase;
	} cases[] = {
		{ "gpt-6.2-astra", true, true }, { "gpt-6-luna", true, true }, { "gpt-7", true, true },
		{ "gpt-5.3-codex", true, true }, { "gpt-5.2", true, false }, { "gpt-5-mini", true, false },
		{ "gpt-5-chat-latest", false, false }, { "openai/gpt-5.6-terra", true, true },
		{ "ft:gpt-4.1-mini:org::x", false, false }, { "gpt-4o", false, false }, { "gpt-4.1", false, false },
		{ "o3", true, false }, { "o4-mini", true, false }, { "openai/gpt-oss-120b", true, false },
		{ "gpt-35-turbo", false, false }, { "gpt-55", false, false }, { "gpt-", false, false }, { "gpt", false, false },
		{ "opus", false, false }, { "o", false, false }, { "", false, false }, { "a/", false, false },
		{ "llama3.2", false, false },
	};
	struct context_turn turn = { .query = span_str("q"), .answer = span_str("a") };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct chat_request rq = { .base_url = "http://h", .model = cases[i].model, .reasoning = true };
		struct buf body = BUF_INIT;
		struct err e = ERR_INIT;

		converse(&rq, &turn, 1, (struct context_turn){ .query = span_str("p") });
		is_int(request(&rq, &body, &e), 0, "a request of '%s'", cases[i].model);
		is_int(strstr(body.p, "\"summary\":\"auto\"") != NULL, cases[i].reasons, "asks for reasoning?");
		is_int(strstr(body.p, "\"phase\":") != NULL, cases[i].phase, "says the phase?");
		buf_release(&body);
	}
}

static void test_urls(void)
{
	static const char *const base[] = { "http://h:1/v1", "http://h:1/v1/", "http://h:1/v1//" };

	for (size_t i = 0; i < sizeof(base) / sizeof(base[0]); i++) {
		struct chat_request rq = { .base_url = base[i], .model = "m", ASKING(span_str("p")) };

		is_url(&rq, "http://h:1/v1/responses");
		is_models_url(base[i], "", "http://h:1/v1/models");
	}
	is_str(adapter->base_url, "https://api.openai.com/v1", "the default");
	is_str(adapter->key_header, "Authorization: Bearer ", "the key's header");
	is_str(adapter->key_env[0], "OPENAI_API_KEY", "the key's variable");
	is_str(adapter->url_env, "OPENAI_BASE_URL", "the URL's variable");
}

/* ---- models ---- */

static void test_models(void)
{
	static const struct page pages[] = {
		{ "OpenAI", "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-6-luna\",\"object\":\"model\",\"created\":1,"
		  "\"owned_by\":\"openai\",\"shutdown_date\":null},{\"id\":\"o3\",\"object\":\"model\"}]}",
		  "gpt-6-luna||0\no3||0\n", "", NULL },
		{ "none", "{\"data\":[]}", "", "", NULL },
		{ "strange elements", "{\"data\":[null,5,{},{\"id\":7},{\"id\":\"\"},{\"id\":\"a\"}]}", "a||0\n", "", NULL },
		{ "one that is enough", "{\"data\":[{\"id\":\"a\"},{\"id\":\"last\"},{\"id\":\"b\"}]}", "a||0\nlast||0\n", "",
		  "enough" },
		{ "no list", "{\"data\":{}}", "", "", "not a list of models" },
		{ "nothing", "{}", "", "", "not a list of models" },
		{ "an array", "[{\"id\":\"a\"}]", "a||0\n", "", NULL },
		{ "a torn one", "{\"data\":[", "", "", "not a list of models" },
		{ "an empty one", "", "", "", "not a list of models" },
	};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		is_page(&pages[i]);
}

static void test_windows(void)
{
	static const struct {
		const char *model;
		int64_t window;
	} cases[] = {
		{ "gpt-6.2-sol", 922000 }, { "gpt-6.1-terra", 922000 }, { "gpt-6-astra", 922000 },
		{ "gpt-5.4", 922000 }, { "gpt-5.4-2026-03-05", 922000 }, { "gpt-5.4-mini", 272000 },
		{ "gpt-5.4-mini-2026-03-17", 272000 }, { "gpt-5.2-chat-latest", 128000 }, { "gpt-5", 272000 },
		{ "gpt-5-chat-latest", 128000 }, { "gpt-4.1-nano", 1047576 }, { "gpt-4o-mini", 128000 },
		{ "ft:gpt-4o-mini-2024-07-18:org::abc", 128000 }, { "ft:gpt-4.1:org", 1047576 },
		{ "openai/gpt-oss-20b", 131072 }, { "o3-deep-research", 200000 },
		{ "gpt-6.3-sol", 0 }, { "gpt-5.45", 0 }, { "gpt-61", 0 }, { "gpt", 0 }, { "", 0 }, { "x", 0 },
		{ "o30", 0 }, { "my-gpt-5", 0 }, { "GPT-5", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_window(cases[i].model, cases[i].window);
	ok(adapter->window(span_str(adapter->model)) > 0, "that of the default model is known");
}

int main(void)
{
	adapter = provider_find("openai");
	test_streams();
	test_bad_streams();
	test_whole();
	test_bad_whole();
	test_problems();
	test_request();
	test_files();
	test_calls();
	test_native();
	test_params();
	test_families();
	test_urls();
	test_models();
	test_windows();
	is_sound_when_damaged(streams, 10);
	return tap_end();
}
