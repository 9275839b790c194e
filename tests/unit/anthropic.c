/* Anthropic's Messages API, on streams as it sends them. */
#include "adapter.h"

/* ---- streams ---- */

#define START "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\"," \
	"\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"claude-opus-5-5\"," \
	"\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"
#define BLOCK(i, block) "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":" \
	#i ",\"content_block\":" block "}\n\n"
#define DELTA(i, delta) "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":" \
	#i ",\"delta\":" delta "}\n\n"
#define TEXT(i, text) DELTA(i, "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define THINK(i, text) DELTA(i, "{\"type\":\"thinking_delta\",\"thinking\":\"" text "\"}")
#define END_BLOCK(i) "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":" #i \
	"}\n\n"
#define PING "event: ping\ndata: {\"type\": \"ping\"}\n\n"
#define STOP(reason, usage) "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{" \
	"\"stop_reason\":\"" reason "\",\"stop_sequence\":null},\"usage\":" usage "}\n\n"
#define END "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define EMPTY_TEXT "{\"type\":\"text\",\"text\":\"\"}"

static const struct good_stream streams[] = {
	{ "a short answer",
	  START "{\"input_tokens\":25,\"output_tokens\":1}}}\n\n" BLOCK(0, EMPTY_TEXT) PING
	  TEXT(0, "Guten") TEXT(0, " Tag \\ud83d\\ude00\\n") END_BLOCK(0)
	  STOP("end_turn", "{\"output_tokens\":15}") END,
	  "Guten Tag 😀\n", "", "stop", { 25, 15, 40, -1, -1, -1, -1 } },
	{ "thinking first, and a cache",
	  START "{\"input_tokens\":4,\"cache_creation_input_tokens\":30,\"cache_read_input_tokens\":2000,"
	  "\"cache_creation\":{\"ephemeral_5m_input_tokens\":30,\"ephemeral_1h_input_tokens\":0},"
	  "\"output_tokens\":2,\"service_tier\":\"standard\"},\"stop_details\":null,\"container\":null}}\n\n"
	  BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
	  THINK(0, "Which days") THINK(0, " are meant?\\n")
	  DELTA(0, "{\"type\":\"signature_delta\",\"signature\":\"EqQBCgIYAhIM1gbc\"}") END_BLOCK(0)
	  BLOCK(1, EMPTY_TEXT) TEXT(1, "Monday") END_BLOCK(1)
	  STOP("end_turn", "{\"input_tokens\":4,\"cache_creation_input_tokens\":30,"
	       "\"cache_read_input_tokens\":2000,\"output_tokens\":90,\"output_tokens_details\":"
	       "{\"thinking_tokens\":81},\"server_tool_use\":null}") END,
	  "Monday", "Which days are meant?\n", "stop", { 2034, 90, 2124, 81, 2000, 30, -1 } },
	{ "thinking that is not shown",
	  START "{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
	  BLOCK(0, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
	  DELTA(0, "{\"type\":\"signature_delta\",\"signature\":\"EosnCkYICx\"}") END_BLOCK(0)
	  BLOCK(1, "{\"type\":\"redacted_thinking\",\"data\":\"EmwKAhgB\"}") END_BLOCK(1)
	  BLOCK(2, EMPTY_TEXT) TEXT(2, "4") END_BLOCK(2) STOP("end_turn", "{\"output_tokens\":30}") END,
	  "4", "", "stop", { 9, 30, 39, -1, -1, -1, -1 } },
	{ "an answer cut by the limit, with CRLF",
	  "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"
	  "\"input_tokens\":3,\"output_tokens\":1}}}\r\n\r\n"
	  "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
	  "\"type\":\"text_delta\",\"text\":\"Once upon\"}}\r\n\r\n"
	  "event: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
	  "\"max_tokens\"},\"usage\":{\"output_tokens\":2}}\r\n\r\n"
	  "event: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n",
	  "Once upon", "", "length", { 3, 2, 5, -1, -1, -1, -1 } },
	{ "one that fills the window", START "{}}}\n\n" TEXT(0, "on")
	  STOP("model_context_window_exceeded", "{}") END, "on", "", "length", USAGE_NONE },
	{ "one that a word of ours ends", START "{}}}\n\n" TEXT(0, "on")
	  "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\","
	  "\"stop_sequence\":\"###\"}}\n\n" END, "on", "", "stop", USAGE_NONE },
	{ "one that is broken off and refused", START "{\"input_tokens\":8,\"output_tokens\":1}}}\n\n"
	  BLOCK(0, EMPTY_TEXT) TEXT(0, "First you")
	  "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\",\"stop_details\":{"
	  "\"type\":\"refusal\",\"category\":\"bio\",\"explanation\":null}},\"usage\":"
	  "{\"output_tokens\":3}}\n\n" END, "First you", "", "content_filter", { 8, 3, 11, -1, -1, -1, -1 } },
	{ "a refusal without a word", START "{\"input_tokens\":8,\"output_tokens\":0}}}\n\n"
	  STOP("refusal", "{\"output_tokens\":0}") END, "", "", "content_filter", { 8, 0, 8, -1, -1, -1, -1 } },
	{ "a pause, and tools of the server", START "{}}}\n\n" BLOCK(0, EMPTY_TEXT) TEXT(0, "I look. ")
	  BLOCK(1, "{\"type\":\"server_tool_use\",\"id\":\"srvtoolu_1\",\"name\":\"web_search\",\"input\":{}}")
	  DELTA(1, "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"text\\\":1\"}") END_BLOCK(1)
	  BLOCK(2, "{\"type\":\"web_search_tool_result\",\"content\":[{\"type\":\"web_search_result\","
	        "\"text\":\"no\"}]}")
	  BLOCK(3, "{\"type\":\"text\",\"text\":\"Found\"}")
	  DELTA(3, "{\"type\":\"citations_delta\",\"citation\":{\"text\":\"no\",\"cited_text\":\"no\"}}")
	  TEXT(3, " it") STOP("pause_turn", "{}") END, "I look. Found it", "", "pause_turn", USAGE_NONE },
	{ "events and deltas of the future", START "{\"novel_tokens\":7}}}\n\n"
	  "event: thought\ndata: {\"type\":\"thought\",\"delta\":{\"type\":\"text_delta\",\"text\":\"no\"}}\n\n"
	  "data:\n\n: a comment\n\n" DELTA(0, "{\"type\":\"sung_delta\",\"text\":\"no\",\"thinking\":\"no\"}")
	  TEXT(0, "yes") "data: {}\n\n" STOP("end_turn", "{}") END, "yes", "", "stop", USAGE_NONE },
	{ "strange values where others are expected", START "[]}}\n\n"
	  "data: {\"type\":\"message_start\",\"message\":7,\"error\":null}\n\n"
	  "data: {\"type\":\"content_block_start\",\"content_block\":[]}\n\n"
	  DELTA(0, "{\"type\":\"text_delta\",\"text\":5}") DELTA(0, "{\"type\":\"thinking_delta\"}")
	  DELTA(0, "{\"type\":[],\"text\":\"no\"}") DELTA(0, "null")
	  "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":9},\"usage\":{\"input_tokens\":-4,"
	  "\"output_tokens\":\"x\",\"cache_read_input_tokens\":1.5,\"output_tokens_details\":[]}}\n\n"
	  "data: {\"type\":5}\n\n" END, "", "", "", USAGE_NONE },
	{ "counts that only the end of the stream has", /* as some gateways send them */
	  START "{\"input_tokens\":0,\"output_tokens\":0}}}\n\n" TEXT(0, "x")
	  STOP("end_turn", "{\"input_tokens\":11,\"cache_read_input_tokens\":5,\"output_tokens\":2}") END,
	  "x", "", "stop", { 16, 2, 18, -1, 5, -1, -1 } },
	{ "counts that the end of the stream has a part of",
	  START "{\"input_tokens\":11,\"cache_read_input_tokens\":5,\"output_tokens\":1}}}\n\n" TEXT(0, "x")
	  STOP("end_turn", "{\"input_tokens\":11,\"cache_read_input_tokens\":null,\"output_tokens\":2}") END,
	  "x", "", "stop", { 16, 2, 18, -1, 5, -1, -1 } },
	{ "counts of what came, but not of what went", START "{}}}\n\n" TEXT(0, "x")
	  STOP("end_turn", "{\"output_tokens\":2}") END, "x", "", "stop", { -1, 2, -1, -1, -1, -1, -1 } },
	{ "a character split between two events", START "{}}}\n\n" TEXT(0, "\xf0\x9f") TEXT(0, "\x98\x80")
	  STOP("end_turn", "{}") END, "😀", "", "stop", USAGE_NONE },
	{ "no end mark, but a stop reason", START "{}}}\n\n" TEXT(0, "x") STOP("end_turn", "{}"),
	  "x", "", "stop", USAGE_NONE },
};

static void test_streams(void)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		is_good_stream(&streams[i], strstr(streams[i].stream, "message_stop") != NULL);
}

#define ERROR(type, message) "event: error\ndata: {\"type\":\"error\",\"error\":{\"details\":null," \
	"\"type\":\"" type "\",\"message\":\"" message "\"},\"request_id\":\"req_01\"}\n\n"
#define HALF START "{\"input_tokens\":8,\"output_tokens\":1}}}\n\n" TEXT(0, "Hal")
#define CUT "the server ended the stream before the reply was complete"

static void test_bad_streams(void)
{
	static const struct bad_stream bad[] = {
		{ HALF, CUT, "Hal", 0, 0 }, { "", CUT, "", 0, 0 }, { PING PING, CUT, "", 0, 0 },
		{ HALF "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":null}}\n\n", CUT, "Hal", 0, 0 },
		{ HALF ERROR("overloaded_error", "Overloaded") END, "the server reports: Overloaded", "Hal", 529, 0 },
		{ HALF ERROR("api_error", "Internal server error"), "the server reports: Internal server error",
		  "Hal", 500, 0 },
		{ ERROR("rate_limit_error", "slow down"), "the server reports: slow down", "", 429, 0 },
		{ ERROR("timeout_error", "Request timeout"), "the server reports: Request timeout", "", 504, 0 },
		{ ERROR("odd_error", "odd"), "the server reports: odd", "", 0, 0 },
		{ "data: {\"error\":{\"message\":\"a gateway's\"}}\n\n", "the server reports: a gateway's", "", 0, 0 },
		{ HALF "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"no\"},"
		  "\"error\":{\"message\":\"m\"}}\n\n", "the server reports: m", "Hal", 0, 0 },
		{ "data: {\"error\":\"bare\"}\n\n", "the server reports: bare", "", 0, 0 },
		{ "data: {\"type\":\"error\"}\n\n", "the server reports: an error", "", 0, 0 },
		{ "data: {\"type\":\"error\",\"error\":{\"message\":5,\"type\":[]}}\n\n",
		  "the server reports: an error", "", 0, 0 },
		{ HALF "data: {\"type\":\"content_block_delta\",\"delta\n\n", "the server sent a malformed event: ",
		  "Hal", 0, 0 },
		{ START "{}}}\n\n" "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":"
		  "\"half\"}}\n\n" STOP("Error", "{}"),
		  "the server broke off the reply: its finish reason is 'Error'", "half", 0, 0 },
		{ "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":null,\"error\":{\"message\":\"it broke\"}}}"
		  "\n\n", "the server reports: it broke", "", 0, 0 },
		{ "data: hello there\n\n", "the server sent a malformed event: ", "", 0, 0 },
		{ "data: [1]\n\n", "the server sent a malformed event: no JSON object", "", 0, 0 },
		{ "data: {} {}\n\n", "the server sent a malformed event: ", "", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_bad_stream(&bad[i], i);
}

/* ---- answers as a whole ---- */

static void test_whole(void)
{
	const struct usage want = { 31, 12, 43, 6, 20, 1, -1 };
	struct err e = ERR_INIT;
	struct reply r;

	is_int(whole(&r, "{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\","
	             "\"content\":[{\"type\":\"thinking\",\"thinking\":\"Hm.\",\"signature\":\"Eq\"},"
	             "{\"type\":\"text\",\"text\":\"One \",\"citations\":null},{\"type\":\"tool_use\","
	             "\"text\":\"no\"},null,{\"type\":\"text\",\"text\":\"two\"}],"
	             "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{"
	             "\"input_tokens\":10,\"cache_creation_input_tokens\":1,\"cache_read_input_tokens\":20,"
	             "\"output_tokens\":12,\"output_tokens_details\":{\"thinking_tokens\":6}}}\n", &e),
	       0, "a whole body");
	is_buf(&r.text, "One two", "its text");
	is_buf(&r.reasoning, "Hm.", "its reasoning");
	is_buf(&r.finish_reason, "tool_calls", "its finish reason");
	is_usage(&r.usage, &want);
	reply_release(&r);
	is_int(whole(&r, "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"refusal\"}", &e), 0,
	       "a refusal without a word is an answer");
	is_buf(&r.finish_reason, "content_filter", "which says so");
	reply_release(&r);
	is_int(whole(&r, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":"
	             "\"Overloaded\"}}", &e), -1, "one with an error");
	is_err(&e, ERR_NETWORK, "the server reports: Overloaded", "in its words");
	is_int(r.problem.status, 529, "and with its status");
	reply_release(&r);
	is_int(whole(&r, "{\"content\":[{\"ty", &e), -1, "one that breaks off");
	is_err(&e, ERR_NETWORK, "malformed", "says so");
	reply_release(&r);
	is_int(whole(&r, "{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", &e), -1, "one of another protocol");
	is_err(&e, ERR_NETWORK, "is the base URL right?", "says so");
	reply_release(&r);
	is_int(whole(&r, "[1,2]", &e), -1, "a list");
	is_err(&e, ERR_NETWORK, "is the base URL right?", "says so");
	reply_release(&r);
}

#define PROBLEM(type, message) "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" \
	message "\"}}"

static void test_problems(void)
{
	static const struct told cases[] = {
		{ PROBLEM("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
		  "prompt is too long: 208310 tokens > 200000 maximum", PROBLEM_CONTEXT, 208310, 200000, 400 },
		{ PROBLEM("invalid_request_error", "prompt is too long"), "prompt is too long",
		  PROBLEM_CONTEXT, 0, 0, 400 },
		{ PROBLEM("invalid_request_error", "input length and `max_tokens` exceed context limit: 178959 + "
		          "64000 > 200000, decrease input length or `max_tokens` and try again"),
		  "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input "
		  "length or `max_tokens` and try again", PROBLEM_CONTEXT, 242959, 200000, 400 },
		{ PROBLEM("not_found_error", "model: claude-opus-9"), "model: claude-opus-9", PROBLEM_MODEL, 0, 0, 404 },
		{ PROBLEM("not_found_error", "Not found"), "Not found", PROBLEM_OTHER, 0, 0, 404 },
		{ PROBLEM("invalid_request_error", "model: String should have at least 1 character"),
		  "model: String should have at least 1 character", PROBLEM_OTHER, 0, 0, 400 },
		{ PROBLEM("invalid_request_error", "Your credit balance is too low to access the Anthropic API. "
		          "Please go to Plans & Billing to upgrade or purchase credits."),
		  "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
		  "upgrade or purchase credits.", PROBLEM_QUOTA, 0, 0, 400 },
		{ PROBLEM("billing_error", "Billing error"), "Billing error", PROBLEM_QUOTA, 0, 0, 402 },
		{ PROBLEM("invalid_request_error", "You have reached your specified API usage limits."),
		  "You have reached your specified API usage limits.", PROBLEM_QUOTA, 0, 0, 400 },
		{ PROBLEM("rate_limit_error", "This request would exceed your rate limit"),
		  "This request would exceed your rate limit", PROBLEM_OTHER, 0, 0, 429 },
		{ PROBLEM("authentication_error", "invalid x-api-key"), "invalid x-api-key", PROBLEM_OTHER, 0, 0, 401 },
		{ "{\"error\":\"bare\"}", "bare", PROBLEM_OTHER, 0, 0, 0 },
		{ "{\"error\":{}}", "", PROBLEM_OTHER, 0, 0, 0 }, { "{\"error\":null}", "", PROBLEM_OTHER, 0, 0, 0 },
		{ "[]", "", PROBLEM_OTHER, 0, 0, 0 }, { "{}", "", PROBLEM_OTHER, 0, 0, 0 },
		{ "", "", PROBLEM_OTHER, 0, 0, 0 },
		{ "<html>Bad Gateway</html>", "", PROBLEM_OTHER, 0, 0, 0 },
		{ "{\"error\":{\"message\":\"cut o", "", PROBLEM_OTHER, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_told(&cases[i], i);
}

/* ---- requests ---- */

#define MARK ",\"cache_control\":{\"type\":\"ephemeral\"}"
#define T(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define MARKED(text) "{\"type\":\"text\",\"text\":\"" text "\"" MARK "}"
#define USER(blocks) "{\"role\":\"user\",\"content\":[" blocks "]}"
#define ASSISTANT(blocks) "{\"role\":\"assistant\",\"content\":[" blocks "]}"
#define MESSAGES(messages) "{\"model\":\"claude-opus-5-5\",\"messages\":[" messages "]"
#define REST ",\"stream\":true,\"max_tokens\":64000}"

static void test_conversation(void)
{
	struct context_turn turns[] = {
		{ .query = span_str("q1"), .answer = span_str("a1 ") },
		{ .query = span_str("q2"), .answer = span_str("a2") },
	};
	struct chat_request rq = { .base_url = "http://h", .model = "claude-opus-5-5",
		                   ASKING(span_str("now\n\"\x01\"")), .stream = true };

	is_request(&rq, MESSAGES(USER(MARKED("now\\n\\\"\\u0001\\\""))) REST, "the least request");
	converse(&rq, turns, 2, (struct context_turn){ .query = span_str("now") });
	rq.system = span_str("Be short.");
	rq.stream = false;
	is_request(&rq, "{\"model\":\"claude-opus-5-5\",\"system\":[" MARKED("Be short.") "],\"messages\":["
	           USER(T("q1")) "," ASSISTANT(T("a1 ")) "," USER(MARKED("q2")) "," ASSISTANT(T("a2")) ","
	           USER(MARKED("now")) "],\"stream\":false,\"max_tokens\":16000}",
	           "a conversation, its prefixes marked, and no stream");
}

/* The limit is not above what the window has left, unless the user says so. */
static void test_room(void)
{
	struct chat_request rq = { .base_url = "http://h", .model = "claude-opus-4-5",
		                   ASKING(span_str("q")), .stream = true, .room = 20000 };
	struct params params = PARAMS_INIT;
	struct err e = ERR_INIT;

	is_request(&rq, "{\"model\":\"claude-opus-4-5\",\"messages\":[" USER(MARKED("q")) "],\"stream\":true,"
	           "\"max_tokens\":20000}", "what the window has left");
	rq.room = 150000;
	is_request(&rq, "{\"model\":\"claude-opus-4-5\",\"messages\":[" USER(MARKED("q")) "],\"stream\":true,"
	           "\"max_tokens\":32000}", "which is enough");
	rq.room = 20000;
	ok(params_add(&params, "max_tokens=30000", &e) == 0, "a limit that is set");
	rq.params = &params;
	is_request(&rq, "{\"model\":\"claude-opus-4-5\",\"messages\":[" USER(MARKED("q")) "],\"stream\":true,"
	           "\"max_tokens\":30000}", "goes as it is");
	params_release(&params);
}

#define PNG "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\"," \
	"\"data\":\"AAEC/w==\"}"
#define INPUT(i, json) "data: {\"type\":\"content_block_delta\",\"index\":" #i ",\"delta\":{\"type\":" \
	"\"input_json_delta\",\"partial_json\":\"" json "\"}}\n\n"
#define USE(id, name, input) "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":" input "}"
#define RESULT(id, content) "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\"" content

static void test_calls(void)
{
	static const struct calling_stream cases[] = {
		{ "two calls, with their arguments in pieces", "data: {\"type\":\"content_block_start\",\"index\":1,"
		  "\"content_block\":" USE("toolu_1", "ls", "{}") "}\n\n" INPUT(1, "") INPUT(1, "{\\\"dir\\\": ")
		  INPUT(1, "\\\".\\\"}") "data: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
		  "data: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":" USE("toolu_2", "cat", "{}")
		  "}\n\n" STOP("tool_use", "{}") END, "toolu_1 ls {\"dir\": \".\"}\ntoolu_2 cat \n" },
		{ "arguments that come whole, at gateways", "data: {\"type\":\"content_block_start\",\"index\":0,"
		  "\"content_block\":" USE("a", "ls", "{\"n\":1.0}") "}\n\n" STOP("tool_use", "{}") END, "a ls {\"n\":1.0}\n" },
		{ "a stop that is the calls'", "data: {\"type\":\"content_block_start\",\"index\":0,"
		  "\"content_block\":{\"type\":\"tool_use\"}}\n\n" STOP("end_turn", "{}") END, "  \n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_calling_stream(&cases[i]);
	is_request_with_calls("m", NULL, "{\"model\":\"m\",\"messages\":[" USER(T("q")) ","
	                      ASSISTANT(T("I look.") "," USE("c1", "ls", "{\"dir\":\".\"}") "," USE("c2", "cat", "{}")) ","
	                      USER(RESULT("c1", ",\"content\":[" T("a \\\"b\\\"\\n") "," PNG "}]},")
	                           RESULT("c2", ",\"is_error\":true,\"content\":[" T("no file") "]" MARK "}")) ","
	                      ASSISTANT(USE("c3", "ls", "{}")) "," USER(RESULT("c3", MARK "}"))
	                      "],\"stream\":false,\"max_tokens\":8192}", true, "calls and results");
}

#define BEGIN(i, block) "data: {\"type\":\"content_block_start\",\"index\":" #i ",\"content_block\":" block "}\n\n"
#define PIECE(i, piece) "data: {\"type\":\"content_block_delta\",\"index\":" #i ",\"delta\":{" piece "}}\n\n"
#define EMPTY "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}"
#define THOUGHT(t) PIECE(0, "\"type\":\"thinking_delta\",\"thinking\":\"" t "\"")
#define SIGNED(s) PIECE(0, "\"type\":\"signature_delta\",\"signature\":\"" s "\"")
#define THINKING(t, s) "{\"type\":\"thinking\",\"thinking\":\"" t "\",\"signature\":\"" s "\"}"
#define REDACTED "{\"type\":\"redacted_thinking\",\"data\":\"abc=\"}"
#define WITH(model, blocks, rest) "{\"model\":\"" model "\",\"messages\":[" USER(MARKED("q")) "," ASSISTANT(blocks) "," \
	USER(MARKED("now")) "],\"stream\":false,\"max_tokens\":" rest "}"

static void test_native(void)
{
	static const struct native_stream replies[] = {
		{ "thinking in pieces, with its signature", BEGIN(0, EMPTY) THOUGHT("I \\\"see\\\"") THOUGHT(" it.\\n") SIGNED("ab")
		  SIGNED("c=") BEGIN(1, T("")) TEXT(1, "Hi") STOP("end_turn", "{}") END, "[" THINKING("I \\\"see\\\" it.\\n", "abc=") "]" },
		{ "thinking without its text", BEGIN(0, EMPTY) SIGNED("abc=") BEGIN(1, T("")) TEXT(1, "Hi")
		  STOP("end_turn", "{}") END, "[" THINKING("", "abc=") "]" },
		{ "redacted thinking, and more of it behind a text and a call", BEGIN(0, REDACTED) BEGIN(1, T("")) TEXT(1, "Hm")
		  BEGIN(2, USE("c1", "ls", "{}")) INPUT(2, "{\\\"a\\\":1}") BEGIN(3, USE("c2", "cat", "{}")) BEGIN(4, EMPTY) THOUGHT("t")
		  SIGNED("s") STOP("tool_use", "{}") END, "[" REDACTED "," T("Hm") "," USE("c1", "ls", "{\"a\":1}") ","
		  USE("c2", "cat", "{}") "," THINKING("t", "s") "]" },
		{ "a gateway's whole block", BEGIN(0, THINKING("t", "s")) BEGIN(1, T("Hi")) STOP("end_turn", "{}") END,
		  "[" THINKING("t", "s") "]" },
		{ "none", BEGIN(0, T("")) TEXT(0, "Hi") STOP("end_turn", "{}") END, "" },
	};
	static const struct native_request cases[] = {
		{ "thinking goes before its answer", "[" THINKING("t", "s") "," REDACTED "]", "Hi", { .model = "claude-opus-5-5" },
		  WITH("claude-opus-5-5", THINKING("t", "s") "," REDACTED "," T("Hi"), "16000") },
		{ "a text among it is not said twice", "[" THINKING("t", "s") "," T("Hm.") "," T(" ") "," REDACTED "]", "Hm. Hi",
		  { .model = "qwen3" }, WITH("qwen3", THINKING("t", "s") "," T("Hm.") "," REDACTED "," T("Hi"), "8192") },
		{ "none goes with an answer that somebody changed", "[" THINKING("t", "s") "," T("Hm.") "," REDACTED "]", "Hi",
		  { .model = "qwen3" }, WITH("qwen3", T("Hi"), "8192") },
		{ "nor to a server that refused it", "[" THINKING("t", "s") "]", "Hi", { .model = "qwen3", .no_native = true },
		  WITH("qwen3", T("Hi"), "8192") },
		{ "nor where the model does not think unless told to", "[" THINKING("t", "s") "]", "Hi",
		  { .model = "claude-opus-4-6" }, WITH("claude-opus-4-6", T("Hi"), "16000") },
		{ "but when it is told to", "[" THINKING("t", "s") "]", "Hi", { .model = "claude-opus-4-6", .reasoning = true },
		  WITH("claude-opus-4-6", THINKING("t", "s") "," T("Hi"), "16000,\"thinking\":{\"type\":\"adaptive\","
		       "\"display\":\"summarized\"}") },
	};
	static const struct {
		const char *param;
		bool sent;
	} settings[] = { { "reasoning_effort=none", false }, { "reasoning_effort=low", true },
		         { "thinking={\"type\":\"disabled\"}", false }, { "thinking={\"type\":\"adaptive\"}", true } };

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		is_native_stream(&replies[i]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_native_request(&cases[i]);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct json_object *items = json_tokener_parse("[" THINKING("t", "s") "]");
		const struct message_part parts[] = { { MESSAGE_NATIVE, .native = items },
			                              { MESSAGE_TEXT, .text = span_str("Hi") } };
		const struct message messages[] = { { ROLE_USER, parts + 1, 1 }, { ROLE_ASSISTANT, parts, 2 },
			                            { ROLE_USER, parts + 1, 1 } };
		struct params params = PARAMS_INIT;
		struct chat_request rq = { .base_url = "http://h", .model = "claude-opus-5-5", .messages = messages,
			                   .nmessages = 3, .params = &params };
		struct buf body = BUF_INIT;
		struct err e = ERR_INIT;

		ok(params_add(&params, settings[i].param, &e) == 0 && request(&rq, &body, &e) == 0, "%s", settings[i].param);
		is_int(strstr(body.p, "\"signature\"") != NULL, settings[i].sent, "thinking of before");
		buf_release(&body);
		params_release(&params);
		json_object_put(items);
	}
	is_request_with_calls("m", "[" THINKING("t", "s") "," T("I look.") "," USE("c1", "ls", "{\"dir\":\".\"}") "," REDACTED "]",
	                      "{\"model\":\"m\",\"messages\":[" USER(T("q")) "," ASSISTANT(THINKING("t", "s") "," T("I look.") ","
	                      USE("c1", "ls", "{\"dir\":\".\"}") "," REDACTED "," USE("c2", "cat", "{}")) ","
	                      USER(RESULT("c1", ",\"content\":[" T("a \\\"b\\\"\\n") "]},")
	                           RESULT("c2", ",\"is_error\":true,\"content\":[" T("no file") "]" MARK "}")) ","
	                      ASSISTANT(USE("c3", "ls", "{}")) "," USER(RESULT("c3", MARK "}"))
	                      "],\"stream\":false,\"max_tokens\":8192}", false, "a call among it is not made twice");
}

/* Nothing empty is sent, roles take turns, and the first is the user's. */
static void test_empty_parts(void)
{
	struct context_turn turns[] = {
		{ .query = span_str(""), .answer = span_str("a1") },
		{ .query = span_str("q2"), .answer = span_str(" \n") },
		{ .query = span_str("q3"), .answer = span_str("") },
	};
	struct chat_request rq = { .base_url = "http://h", .model = "claude-opus-5-5", .system = span_str(" "),
		                   .stream = true };
	struct context_turn prompt = { .query = span_str("now") };

	converse(&rq, turns, 3, prompt);
	is_request(&rq, MESSAGES(USER(T("(empty)")) "," ASSISTANT(T("a1")) ","
	           USER(T("q2") "," MARKED("q3") "," MARKED("now"))) REST, "empty questions and answers");
	turns[2].query = span_str("\t");
	converse(&rq, turns, 3, prompt);
	is_request(&rq, MESSAGES(USER(T("(empty)")) "," ASSISTANT(T("a1")) ","
	           USER(T("q2") "," MARKED("(empty)") "," MARKED("now"))) REST, "and an exchange of nothing");
	prompt.query = span_str(" \r\n");
	converse(&rq, turns, 3, prompt);
	is_refused(&rq, "anthropic does not accept an empty prompt", "an empty prompt");
	ask(&rq, (struct span){ "\0", 1 });
	is_request(&rq, MESSAGES(USER(MARKED("\\u0000"))) REST, "one of a NUL is not empty");
}

#define PDF "{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\"," \
	"\"data\":\"JVBE\"},\"title\":\"a \\\"b\\\".pdf\""
#define NOTE "{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":" \
	"\"caf\xc3\xa9\\n\"},\"title\":\"note.txt\""

static void test_files(void)
{
	const struct attachment all[] = {
		{ span_str("x.png"), span_str("image/png"), { "\0\1\2\xff", 4 } },
		{ span_str("a \"b\".pdf"), span_str("application/pdf"), span_str("%PD") },
		{ span_str("note.txt"), span_str("text/plain"), span_str("caf\xc3\xa9\n") },
		{ span_str("void"), span_str("text/plain"), span_str("\n") },
	};
	const struct attachment sound = { span_str("x.wav"), span_str("audio/wav"), span_str("RIFF") };
	struct context_turn turns[] = {
		{ .query = span_str("q1"), .answer = span_str("a1"), .files = all, .nfiles = 1 },
		{ .query = span_str(""), .answer = span_str("a2"), .files = all, .nfiles = 2 },
	};
	struct chat_request rq = { .base_url = "http://h", .model = "claude-opus-5-5", .stream = true };

	converse(&rq, turns, 2, (struct context_turn){ span_str("now"), span_str(""), all, 4 });
	is_request(&rq, MESSAGES(USER(PNG "}," T("q1")) "," ASSISTANT(T("a1")) "," USER(PNG "}," PDF MARK "}") ","
	           ASSISTANT(T("a2")) "," USER(PNG "}," PDF "}," NOTE "},"
	           T("<file name=\\\"void\\\">\\n\\n</file>") "," MARKED("now"))) REST, "files of all types");
	converse(&rq, NULL, 0, (struct context_turn){ .query = span_str(""), .files = all, .nfiles = 3 });
	is_request(&rq, MESSAGES(USER(PNG "}," PDF "}," NOTE MARK "}")) REST, "files without a word");
	converse(&rq, NULL, 0, (struct context_turn){ .query = span_str(""), .files = &sound, .nfiles = 1 });
	is_refused(&rq, "anthropic does not accept files of type audio/wav", "a file of another type");
}

/* The request of one prompt with these parameters, from the stream on. */
static const struct {
	const char *model, *params[4], *schema;
	bool reasoning;
	const char *want;
} settings[] = {
	{ "claude-opus-5-5", { "temperature=0.2", "top_p=1", "max_tokens=300" }, NULL, false,
	  ",\"max_tokens\":300,\"temperature\":0.2,\"top_p\":1" },
	{ "claude-opus-5-5", { "stop=END", "top_k=5", "metadata={\"user_id\":\"u\"}" }, NULL, false,
	  ",\"max_tokens\":64000,\"stop_sequences\":[\"END\"],\"top_k\":5,\"metadata\":{\"user_id\":\"u\"}" },
	{ "claude-opus-5-5", { "stop=[\"a\",\"b\"]" }, NULL, false,
	  ",\"max_tokens\":64000,\"stop_sequences\":[\"a\",\"b\"]" },
	/* thinking, as newer models have it */
	{ "claude-opus-5-5", { NULL }, NULL, true,
	  ",\"max_tokens\":64000,\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"}" },
	{ "claude-sonnet-4-6", { "reasoning_effort=xhigh" }, NULL, false,
	  ",\"max_tokens\":64000,\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"xhigh\"}" },
	{ "claude-haiku-5-5", { "reasoning_effort=none" }, NULL, true,
	  ",\"max_tokens\":64000,\"thinking\":{\"type\":\"disabled\"}" },
	{ "claude-none-yet", { "reasoning_effort=low" }, NULL, true, ",\"max_tokens\":64000,\"thinking\":"
	  "{\"type\":\"adaptive\",\"display\":\"summarized\"},\"output_config\":{\"effort\":\"low\"}" },
	/* and as older ones */
	{ "claude-haiku-4-5", { NULL }, NULL, true,
	  ",\"max_tokens\":32000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":8192}" },
	{ "claude-sonnet-4-5-20250929", { "reasoning_effort=low" }, NULL, false,
	  ",\"max_tokens\":32000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}" },
	{ "claude-opus-4-5", { "reasoning_effort=max" }, NULL, false,
	  ",\"max_tokens\":32000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":16000}" },
	{ "claude-opus-4-1", { "reasoning_effort=high", "max_tokens=1500" }, NULL, false,
	  ",\"max_tokens\":1500,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}" },
	{ "claude-haiku-4-5", { "max_tokens=1024" }, NULL, true, ",\"max_tokens\":1024" },
	{ "claude-haiku-4-5", { "reasoning_effort=none" }, "{}", false, ",\"max_tokens\":32000,\"thinking\":"
	  "{\"type\":\"disabled\"},\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}}" },
	/* a schema */
	{ "claude-opus-5-5", { NULL }, "{\"type\":\"object\"}", false, ",\"max_tokens\":64000,\"output_config\":"
	  "{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}" },
	{ "claude-opus-5-5", { "reasoning_effort=low" }, "{}", false, ",\"max_tokens\":64000,\"thinking\":"
	  "{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":\"json_schema\","
	  "\"schema\":{}}}" },
	/* the vendor's own words */
	{ "claude-sonnet-5-5", { "thinking={\"type\":\"between_tools\"}" }, NULL, true,
	  ",\"max_tokens\":64000,\"thinking\":{\"type\":\"between_tools\"}" },
	{ "claude-sonnet-5-5", { "output_config={\"effort\":\"low\"}" }, NULL, false,
	  ",\"max_tokens\":64000,\"output_config\":{\"effort\":\"low\"}" },
	/* what a gateway has beside Claude */
	{ "qwen3", { NULL }, NULL, false, ",\"max_tokens\":8192" },
};

static void test_settings(void)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct params params = PARAMS_INIT;
		struct chat_request rq = { .base_url = "http://h", .model = settings[i].model,
			                   ASKING(span_str("q")), .stream = true,
			                   .params = &params, .reasoning = settings[i].reasoning };
		struct buf want = BUF_INIT;

		params_of(&params, settings[i].params);
		if (settings[i].schema)
			rq.schema = span_str(settings[i].schema);
		buf_addf(&want, "{\"model\":\"%s\",\"messages\":[" USER(MARKED("q")) "],\"stream\":true%s}",
		         settings[i].model, settings[i].want);
		is_request(&rq, want.p, "settings, and what becomes of them");
		buf_release(&want);
		params_release(&params);
	}
}

static void test_refused_settings(void)
{
	static const struct {
		const char *model, *params[3], *schema, *why;
	} cases[] = {
		{ "claude-opus-5-5", { "seed=7" }, NULL, "anthropic has no 'seed'" },
		{ "claude-opus-5-5", { "messages=[]" }, NULL, "'messages' cannot be set with -o" },
		{ "claude-opus-5-5", { "stop_sequences=[\"x\"]" }, NULL, "'stop_sequences' cannot be set with -o" },
		{ "claude-opus-5-5", { "output_config={}", "reasoning_effort=low" }, NULL, "'output_config' cannot" },
		{ "claude-opus-5-5", { "output_config={}" }, "{}", "'output_config' cannot be set with -o" },
		{ "claude-haiku-4-5", { "reasoning_effort=much" }, NULL,
		  "claude-haiku-4-5 has no reasoning_effort \"much\": it is none, low, medium, high or max" },
		{ "claude-haiku-4-5", { "reasoning_effort=low", "max_tokens=1024" }, NULL,
		  "reasoning_effort needs max_tokens above 1024 with claude-haiku-4-5" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params params = PARAMS_INIT;
		struct chat_request rq = { .base_url = "http://h", .model = cases[i].model,
			                   ASKING(span_str("q")), .params = &params };

		params_of(&params, cases[i].params);
		if (cases[i].schema)
			rq.schema = span_str(cases[i].schema);
		is_refused(&rq, cases[i].why, cases[i].params[0]);
		params_release(&params);
	}
}

static void test_urls(void)
{
	static const struct {
		const char *base, *want;
	} cases[] = {
		{ "https://api.anthropic.com", "https://api.anthropic.com/v1" },
		{ "https://api.anthropic.com/", "https://api.anthropic.com/v1" },
		{ "https://api.anthropic.com/v1", "https://api.anthropic.com/v1" },
		{ "http://h:1/v1//", "http://h:1/v1" },
		{ "http://h/anthropic", "http://h/anthropic/v1" },
		{ "http://h/av1", "http://h/av1/v1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct chat_request rq = { .base_url = cases[i].base, .model = "m", ASKING(span_str("p")) };
		struct buf want = BUF_INIT;

		buf_addf(&want, "%s/messages", cases[i].want);
		is_url(&rq, want.p);
		buf_clear(&want);
		buf_addf(&want, "%s/models?limit=1000", cases[i].want);
		is_models_url(cases[i].base, "", want.p);
		buf_release(&want);
	}
	for (size_t i = 0; i < 2; i++) {
		struct chat_request rq = { .base_url = i ? "http://h/v1?a=b" : "http://h/?a=b", .model = "m",
			                   ASKING(span_str("p")) };

		is_url(&rq, "http://h/v1/messages?a=b");
		is_models_url(rq.base_url, "x", "http://h/v1/models?a=b&limit=1000&after_id=x");
	}
	is_models_url("https://h", "a b/\xc3\xa9&c", "https://h/v1/models?limit=1000&after_id=a%20b%2F%C3%A9%26c");
}

/* What a request needs beside its body. */
static void test_descriptor(void)
{
	is_str(adapter->key_header, "x-api-key: ", "the header of the key");
	is_str(adapter->key_env[0], "ANTHROPIC_API_KEY", "the variable of the key");
	is_str(adapter->headers[0], "anthropic-version: 2023-06-01", "the version of the API");
	ok(!adapter->headers[1] && !adapter->key_env[1], "and no more of them");
	is_int(adapter->window(span_str(adapter->model)), 1000000, "the default model is a known one");
}

/* ---- models ---- */

static void test_models(void)
{
	static const struct page pages[] = {
		{ "a page", "{\"data\":[{\"type\":\"model\",\"id\":\"claude-new\",\"display_name\":\"Claude New\","
		  "\"created_at\":\"2026-09-22T00:00:00Z\",\"max_input_tokens\":500000,\"max_tokens\":128000,"
		  "\"capabilities\":null},{\"type\":\"model\",\"id\":\"claude-haiku-4-5-20251001\","
		  "\"display_name\":\"Claude Haiku 4.5\",\"max_input_tokens\":null},{\"id\":\"x\","
		  "\"display_name\":5,\"max_input_tokens\":-1},{},null],\"first_id\":\"claude-new\","
		  "\"has_more\":true,\"last_id\":\"a b/\xc3\xa9&c\"}",
		  "claude-new|Claude New|500000\nclaude-haiku-4-5-20251001|Claude Haiku 4.5|200000\nx||0\n",
		  "a b/\xc3\xa9&c", NULL },
		{ "an empty page is the last", "{\"data\":[],\"has_more\":true,\"last_id\":\"x\"}", "", "", NULL },
		{ "a last page", "{\"data\":[{\"id\":\"x\"}],\"has_more\":false,\"last_id\":\"x\"}", "x||0\n", "",
		  NULL },
		{ "who has enough ends it", "{\"data\":[{\"id\":\"last\"},{\"id\":\"x\"}]}", "last||0\n", "", "enough" },
		{ "what is no list", "{\"models\":[]}", "", "", "is not a list of models" },
		{ "what breaks off", "{\"data\":[", "", "", "not a list of models" },
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
		{ "claude-opus-5-5", 1000000 },   { "claude-opus-5", 1000000 },
		{ "claude-sonnet-5-5", 1000000 }, { "claude-haiku-5-5", 1000000 },
		{ "claude-fable-5-2", 1000000 },  { "claude-mythos-5-1", 1000000 },
		{ "claude-opus-4-6", 1000000 },   { "claude-sonnet-4-6-20260217", 1000000 },
		{ "claude-opus-4-5", 200000 },    { "claude-opus-4-5-20251101", 200000 },
		{ "claude-haiku-4-5", 200000 },   { "claude-sonnet-4-20250514", 200000 },
		{ "claude-opus-4-55", 0 },        { "claude-opus-50", 0 },
		{ "claude-opus", 0 },             { "claude-haiku-5", 0 },
		{ "claude-opus-9", 0 },           { "qwen3", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_window(cases[i].model, cases[i].window);
}

int main(void)
{
	adapter = provider_find("anthropic");
	test_streams();
	test_bad_streams();
	test_whole();
	test_problems();
	test_conversation();
	test_room();
	test_calls();
	test_native();
	test_empty_parts();
	test_files();
	test_settings();
	test_refused_settings();
	test_urls();
	test_descriptor();
	test_models();
	test_windows();
	is_sound_when_damaged(streams, 4);
	return tap_end();
}
