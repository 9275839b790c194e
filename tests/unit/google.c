/* The Gemini API, on streams in the form that its server sends. */
#include "adapter.h"

#define TEXT(t) "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" t "\"}],\"role\":\"model\"},\"index\":0}]}"
#define STOP(t) "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" t "\"}]},\"finishReason\":\"STOP\"}]}"
#define DATA(json) "data: " json "\n\n"
#define FINISH(word) DATA("{\"candidates\":[{\"finishReason\":\"" word "\"}]}")

static const struct good_stream streams[] = {
	{ "a plain reply",
	  "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"Bees\"}],\"role\": \"model\"},"
	  "\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 6,\"candidatesTokenCount\": 1,"
	  "\"totalTokenCount\": 7,\"promptTokensDetails\": [{\"modality\": \"TEXT\",\"tokenCount\": 6}]},"
	  "\"modelVersion\": \"gemini-3.8-flash\",\"responseId\": \"k1\"}\r\n\r\n"
	  "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \" hum \\ud83d\\udc1d\\n\"}],\"role\":"
	  " \"model\"},\"finishReason\": \"STOP\",\"index\": 0,\"safetyRatings\": []}],\"usageMetadata\": {"
	  "\"promptTokenCount\": 6,\"candidatesTokenCount\": 5,\"totalTokenCount\": 11}}\r\n\r\n",
	  "Bees hum 🐝\n", "", "stop", { 6, 5, 11, -1, -1, -1, -1 } },
	{ "thoughts, with a part of the prompt from the cache",
	  DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"**Adding**\\n\",\"thought\":true}],"
	       "\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":4100,"
	       "\"cachedContentTokenCount\":4090,\"totalTokenCount\":4180,\"thoughtsTokenCount\":80}}")
	  DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Carry the one.\",\"thought\":true},"
	       "{\"text\":\"It is \",\"thought\":false}]}}]}")
	  DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"42\",\"thoughtSignature\":\"QUJD\"}]},"
	       "\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":4100,"
	       "\"cachedContentTokenCount\":4090,\"candidatesTokenCount\":7,\"thoughtsTokenCount\":93,"
	       "\"totalTokenCount\":4200,\"serviceTier\":\"standard\"}}"),
	  "It is 42", "**Adding**\nCarry the one.", "stop", { 4100, 100, 4200, 93, 4090, -1, -1 } },
	{ "one cut by the limit, all of it thoughts",
	  DATA("{\"candidates\":[{\"content\":{\"role\":\"model\"},\"finishReason\":\"MAX_TOKENS\",\"index\":0}],"
	       "\"usageMetadata\":{\"promptTokenCount\":3,\"thoughtsTokenCount\":64,\"totalTokenCount\":67}}"),
	  "", "", "length", { 3, 64, 67, 64, -1, -1, -1 } },
	{ "one with the finish reason in front of the usage",
	  DATA(TEXT("a")) FINISH("STOP")
	  DATA("{\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":2,\"totalTokenCount\":3}}"),
	  "a", "", "stop", { 1, 2, 3, -1, -1, -1, -1 } },
	{ "one whose last chunk breaks off without its blank line",
	  DATA(TEXT("a")) "data: " STOP("b"), "ab", "", "stop", USAGE_NONE },
	{ "a gateway that puts STOP on all chunks without text",
	  FINISH("STOP") FINISH("STOP") DATA(TEXT("late")) DATA(TEXT("r")) FINISH("STOP"),
	  "later", "", "stop", USAGE_NONE },
	{ "a prompt that is refused",
	  DATA("{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\",\"safetyRatings\":[]},"
	       "\"usageMetadata\":{\"promptTokenCount\":8,\"totalTokenCount\":8},\"modelVersion\":\"x\"}"),
	  "", "", "content_filter", { 8, 0, 8, -1, -1, -1, -1 } },
	{ "a prompt that is refused, with an empty candidate",
	  DATA("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"candidates\":[{}]}"),
	  "", "", "content_filter", USAGE_NONE },
	{ "a reply that is refused halfway",
	  DATA(TEXT("Once ")) DATA("{\"candidates\":[{\"finishReason\":\"SAFETY\",\"index\":0,\"safetyRatings\":"
	  "[{\"category\":\"HARM_CATEGORY_HARASSMENT\",\"probability\":\"HIGH\",\"blocked\":true}]}]}"),
	  "Once ", "", "content_filter", USAGE_NONE },
	{ "RECITATION", FINISH("RECITATION"), "", "", "content_filter", USAGE_NONE },
	{ "BLOCKLIST", FINISH("BLOCKLIST"), "", "", "content_filter", USAGE_NONE },
	{ "PROHIBITED_CONTENT", FINISH("PROHIBITED_CONTENT"), "", "", "content_filter", USAGE_NONE },
	{ "SPII", FINISH("SPII"), "", "", "content_filter", USAGE_NONE },
	{ "IMAGE_SAFETY", FINISH("IMAGE_SAFETY"), "", "", "content_filter", USAGE_NONE },
	{ "another reason", FINISH("OTHER"), "", "", "OTHER", USAGE_NONE },
	{ "a reason of next year", FINISH("TOO_TIRED"), "", "", "TOO_TIRED", USAGE_NONE },
	{ "parts of other kinds, unknown fields and keep-alives",
	  ": ping\n\nevent: x\ndata:\n\n"
	  DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"text\":"
	       "\"no\"}}},{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}},{\"codeExecutionResult\":"
	       "{\"outcome\":\"OUTCOME_OK\",\"output\":\"1\"}},{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":"
	       "\"AA==\"}},{\"future\":{\"text\":\"no\"}},{\"text\":\"yes\"}]},\"groundingMetadata\":{},"
	       "\"citationMetadata\":{},\"tokenCount\":1,\"avgLogprobs\":-0.1}],\"modelStatus\":{\"x\":1}}")
	  DATA("{}") FINISH("STOP"),
	  "yes", "", "tool_calls", USAGE_NONE },
	{ "keep-alives, and an end mark of a gateway",
	  DATA(" ") DATA("\"\"") DATA("null") DATA("3") DATA("ping") DATA("[]") DATA(TEXT("A"))
	  DATA("{\"error\":{},\"candidates\":[{\"error\":false,\"content\":{\"parts\":[{\"text\":\"B\"}]}}]}")
	  FINISH("Stop") DATA("ping"), "AB", "", "stop", USAGE_NONE },
	{ "nothing but a call", DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":"
	  "\"f\",\"args\":{}}}]},\"finishReason\":\"STOP\"}]}"), "", "", "tool_calls", USAGE_NONE },
	{ "two candidates", DATA("{\"candidates\":[{\"index\":1,\"content\":{\"parts\":[{\"text\":\"B\"}]}},"
	  "{\"index\":0,\"content\":{\"parts\":[{\"text\":\"A\"}]}}]}")
	  DATA("{\"candidates\":[{\"index\":1,\"finishReason\":\"SAFETY\"}]}") FINISH("STOP"),
	  "A", "", "stop", USAGE_NONE },
	{ "tokens that a tool put into the prompt",
	  DATA("{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":5,"
	       "\"toolUsePromptTokenCount\":20,\"candidatesTokenCount\":2,\"totalTokenCount\":27}}"),
	  "", "", "stop", { 25, 2, 27, -1, -1, -1, -1 } },
	{ "a total that leaves the thoughts out",
	  DATA("{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":5,"
	       "\"candidatesTokenCount\":2,\"thoughtsTokenCount\":10,\"totalTokenCount\":7}}"),
	  "", "", "stop", { 5, 12, 17, 10, -1, -1, -1 } },
	{ "a list of chunks in one event", "data: [" TEXT("a") "," STOP("b") "]\n\n", "ab", "", "stop", USAGE_NONE },
	{ "a character split between two events",
	  DATA(TEXT("\xf0\x9f\x90")) DATA(STOP("\x9d")), "🐝", "", "stop", USAGE_NONE },
	{ "strange values where others are expected",
	  DATA("{\"candidates\":{},\"usageMetadata\":[],\"promptFeedback\":7}")
	  DATA("{\"candidates\":[null],\"usageMetadata\":{\"promptTokenCount\":-4,\"candidatesTokenCount\":\"x\"}}")
	  DATA("{\"candidates\":[{\"content\":[],\"finishReason\":3,\"index\":\"1\"}],\"error\":null}")
	  DATA("{\"candidates\":[{\"content\":{\"parts\":{\"text\":\"no\"}},\"finishReason\":null}]}")
	  DATA("{\"candidates\":[{\"content\":{\"parts\":[null,5,[],{\"text\":6},{\"text\":\"t\",\"thought\":\"true\"}]}}],"
	       "\"promptFeedback\":{\"blockReason\":\"BLOCK_REASON_UNSPECIFIED\"}}")
	  DATA("{\"candidates\":[{\"finishReason\":\"FINISH_REASON_UNSPECIFIED\"}]}") FINISH("STOP"),
	  "t", "", "stop", USAGE_NONE },
};

/* Which have no end mark. */
static void test_streams(void)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		is_good_stream(&streams[i], false);
}

static void test_bad_streams(void)
{
	static const struct bad_stream bad[] = {
		{ DATA(TEXT("Hal")), "the server ended the stream before the reply was complete", "Hal", 0, 0 },
		{ "", "the server ended the stream before the reply was complete", "", 0, 0 },
		{ FINISH("STOP") DATA(TEXT("Hal")), "the server ended the stream before", "Hal", 0, 0 },
		{ DATA(TEXT("Hal")) DATA("{\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":"
		  "\"UNAVAILABLE\"}}"), "the server reports: The model is overloaded.", "Hal", 503, PROBLEM_OTHER },
		{ DATA(TEXT("Hal")) DATA("[{\"error\":{\"code\":500,\"message\":\"An internal error\",\"status\":"
		  "\"INTERNAL\"}}]"), "the server reports: An internal error", "Hal", 500, PROBLEM_OTHER },
		{ "data: [" TEXT("Hal") ",{\"error\":{\"code\":499,\"message\":\"gone\"}}," TEXT("lo") "]\n\n",
		  "the server reports: gone", "Hal", 499, PROBLEM_OTHER },
		{ "error: {\"error\":{\"code\":429,\"message\":\"slow down\"}}\n\n", "the server reports: slow down",
		  "", 429, PROBLEM_OTHER },
		{ DATA("{\"error\":{\"code\":402,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}"),
		  "the server reports: m", "", 402, PROBLEM_QUOTA },
		{ DATA("{\"error\":\"upstream timed out\"}"), "the server reports: upstream timed out", "", 0, 0 },
		{ DATA("{\"error\":{\"code\":5}}"), "the server reports: an error", "", 0, 0 },
		{ DATA("{\"error\":true}"), "the server reports: an error", "", 0, 0 },
		{ DATA("{\"candidates\":[{\"content\""), "the server sent a malformed event: ", "", 0, 0 },
		{ DATA("hello there"), "the server sent a malformed event: ", "", 0, 0 },
		{ DATA(TEXT("half")) FINISH("MALFORMED_FUNCTION_CALL"),
		  "the server broke off the reply: its finish reason is 'MALFORMED_FUNCTION_CALL'", "half", 0, 0 },
		{ DATA("{\"candidates\":[{\"finishReason\":\"ERROR\",\"finishMessage\":\"it broke\"}]}"),
		  "the server broke off the reply: its finish reason is 'ERROR': it broke", "", 0, 0 },
		{ DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"half\"}]},\"error\":{\"message\":"
		       "\"it broke\",\"code\":503}}]}"), "the server reports: it broke", "half", 503, 0 },
		{ DATA("[7]"), "the server sent a malformed event: no JSON object", "", 0, 0 },
		{ DATA("[" TEXT("a") ",[]]"), "the server sent a malformed event: no JSON object", "a", 0, 0 },
		{ DATA("{} {}"), "the server sent a malformed event: ", "", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_bad_stream(&bad[i], i);
}

static void test_whole(void)
{
	struct err e = ERR_INIT;
	struct reply r;

	is_int(whole(&r, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"R\",\"thought\":true},{\"text\":"
	             "\"Hello\"}],\"role\":\"model\"},\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
	             "\"promptTokenCount\":1,\"candidatesTokenCount\":2,\"totalTokenCount\":3}}\n", &e), 0,
	       "a whole body");
	is_buf(&r.text, "Hello", "its text");
	is_buf(&r.reasoning, "R", "its reasoning");
	is_buf(&r.finish_reason, "stop", "its finish reason");
	is_int(r.usage.total, 3, "its usage");
	ok(r.done, "it is complete");
	reply_release(&r);
	is_int(whole(&r, "[" TEXT("Hel") "\n,\r\n" STOP("lo") "\n]\n", &e), 0, "a stream as one array");
	is_buf(&r.text, "Hello", "its text");
	reply_release(&r);
	is_int(whole(&r, "{\"promptFeedback\":{\"blockReason\":\"OTHER\"}}", &e), 0, "a prompt that is refused");
	is_buf(&r.finish_reason, "content_filter", "its finish reason");
	reply_release(&r);
	is_int(whole(&r, "[" TEXT("Hel") ",{\"error\":{\"code\":503,\"message\":\"busy\"}}]", &e), -1,
	       "an array with an error");
	is_err(&e, ERR_NETWORK, "the server reports: busy", "in its words");
	is_buf(&r.text, "Hel", "what came before is kept");
	reply_release(&r);
	is_int(whole(&r, "[" TEXT("Hel") ",", &e), -1, "an array that breaks off");
	is_err(&e, ERR_NETWORK, "malformed", "says so");
	reply_release(&r);
}

static void test_no_reply(void)
{
	static const char *const bodies[] = { "{}", "[]", "[{}]", "{\"status\":\"ok\"}", "{\"models\":[]}" };

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct err e = ERR_INIT;
		struct reply r;

		is_int(whole(&r, bodies[i], &e), -1, "no reply: %s", bodies[i]);
		is_err(&e, ERR_NETWORK, "contains no reply", "says so");
		reply_release(&r);
	}
}

/* ---- problems ---- */

#define ERROR(code, status, message) "{\"error\":{\"code\":" #code ",\"message\":\"" message "\",\"status\":\"" status "\"}}"
#define DETAILED(code, status, message, details) \
	"{\"error\":{\"code\":" #code ",\"message\":\"" message "\",\"status\":\"" status "\",\"details\":[" details "]}}"
#define QUOTA(id) "{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[{\"quotaMetric\":\"m\"," \
	"\"quotaId\":\"GenerateContentInputTokensPerModelPerMinute-FreeTier\"},{\"quotaId\":\"" id "\"}]}," \
	"{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"26s\"}"
#define REASON(r) "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"" r "\"," \
	"\"domain\":\"googleapis.com\"}"
#define UNKNOWN "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent."

static const struct told problems[] = {
	{ ERROR(400, "INVALID_ARGUMENT", "The input token count (1200293) exceeds the maximum number of tokens "
	        "allowed (1048576)."), "The input token count (1200293) exceeds the maximum number of tokens "
	  "allowed (1048576).", PROBLEM_CONTEXT, 1200293, 1048576, 400 },
	{ ERROR(400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens allowed 131072."),
	  "The input token count exceeds the maximum number of tokens allowed 131072.", PROBLEM_CONTEXT, 0, 131072, 400 },
	{ ERROR(404, "NOT_FOUND", UNKNOWN), UNKNOWN, PROBLEM_MODEL, 0, 0, 404 },
	{ ERROR(404, "NOT_FOUND", "This model models/gemini-1 is no longer available."),
	  "This model models/gemini-1 is no longer available.", PROBLEM_MODEL, 0, 0, 404 },
	{ ERROR(400, "INVALID_ARGUMENT", "* GenerateContentRequest.model: unexpected model name format\\n"),
	  "* GenerateContentRequest.model: unexpected model name format\n", PROBLEM_MODEL, 0, 0, 400 },
	{ ERROR(404, "NOT_FOUND", "The file x was not found"), "The file x was not found", PROBLEM_OTHER, 0, 0, 404 },
	{ ERROR(403, "PERMISSION_DENIED", "You may not use this model."), "You may not use this model.",
	  PROBLEM_OTHER, 0, 0, 403 },
	{ DETAILED(400, "INVALID_ARGUMENT", "API key not valid. Please pass one.", REASON("API_KEY_INVALID")),
	  "API key not valid. Please pass one.", PROBLEM_OTHER, 0, 0, 401 },
	{ DETAILED(400, "INVALID_ARGUMENT", "Renew it.", "{\"@type\":\"x\"}," REASON("API_KEY_INVALID")), "Renew it.",
	  PROBLEM_OTHER, 0, 0, 401 },
	{ ERROR(400, "INVALID_ARGUMENT", "API key expired."), "API key expired.", PROBLEM_OTHER, 0, 0, 401 },
	{ ERROR(400, "INVALID_ARGUMENT", "API Key not found."), "API Key not found.", PROBLEM_OTHER, 0, 0, 401 },
	{ DETAILED(400, "INVALID_ARGUMENT", "bad", REASON("OTHER_REASON")), "bad", PROBLEM_OTHER, 0, 0, 400 },
	{ DETAILED(429, "RESOURCE_EXHAUSTED", "You exceeded your quota. Please retry in 26s.",
	           QUOTA("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")),
	  "You exceeded your quota. Please retry in 26s.", PROBLEM_OTHER, 0, 0, 429 },
	{ DETAILED(429, "RESOURCE_EXHAUSTED", "You exceeded your quota. Please retry in 26s.",
	           QUOTA("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
	  "You exceeded your quota. Please retry in 26s.", PROBLEM_QUOTA, 0, 0, 429 },
	{ ERROR(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
	  "Resource has been exhausted (e.g. check quota).", PROBLEM_OTHER, 0, 0, 429 },
	{ ERROR(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: x, limit: 0, model: y"),
	  "Quota exceeded for metric: x, limit: 0, model: y", PROBLEM_QUOTA, 0, 0, 429 },
	{ ERROR(429, "RESOURCE_EXHAUSTED", "limit 'Requests per day' of service"),
	  "limit 'Requests per day' of service", PROBLEM_QUOTA, 0, 0, 429 },
	{ ERROR(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap."),
	  "Your project has exceeded its monthly spending cap.", PROBLEM_QUOTA, 0, 0, 429 },
	{ ERROR(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
	  "Your prepayment credits are depleted.", PROBLEM_QUOTA, 0, 0, 429 },
	{ ERROR(402, "RESOURCE_EXHAUSTED", "Empty."), "Empty.", PROBLEM_QUOTA, 0, 0, 402 },
	{ ERROR(503, "UNAVAILABLE", "5 requests per day"), "5 requests per day", PROBLEM_OTHER, 0, 0, 503 },
	{ "[" ERROR(503, "UNAVAILABLE", "in a list") "]", "in a list", PROBLEM_OTHER, 0, 0, 503 },
	{ "{\"error\":\"bad gateway\"}", "bad gateway", PROBLEM_OTHER, 0, 0, 0 },
	{ ERROR(99, "X", "m"), "m", PROBLEM_OTHER, 0, 0, 0 },
	{ ERROR(200, "X", "m"), "m", PROBLEM_OTHER, 0, 0, 0 },
	{ "{\"error\":{\"code\":\"503\",\"message\":\"m\"}}", "m", PROBLEM_OTHER, 0, 0, 0 },
	{ "{\"error\":{\"code\":4294967696,\"message\":\"m\",\"status\":[],\"details\":{}}}", "m", PROBLEM_OTHER, 0, 0, 0 },
	{ "{\"error\":{\"details\":[null,{\"violations\":[5,{\"quotaId\":6}]}],\"status\":\"RESOURCE_EXHAUSTED\"}}", "",
	  PROBLEM_OTHER, 0, 0, 0 },
	{ "{\"error\":{}}", "", 0, 0, 0, 0 }, { "{\"error\":null}", "", 0, 0, 0, 0 }, { "{}", "", 0, 0, 0, 0 },
	{ "[]", "", 0, 0, 0, 0 }, { "", "", 0, 0, 0, 0 }, { "<html>Bad Gateway</html>", "", 0, 0, 0, 0 },
	{ "{\"error\":{\"message\":\"cut o", "", 0, 0, 0, 0 },
};

static void test_problems(void)
{
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		is_told(&problems[i], i);
}

/* ---- requests ---- */

static struct chat_request least(void)
{
	struct chat_request rq = { .base_url = "http://h/v1beta", .model = "m" };

	ask(&rq, span_str("p"));
	return rq;
}

#define SAID(role, text) "{\"role\":\"" role "\",\"parts\":[{\"text\":\"" text "\"}]}"

static void test_request(void)
{
	struct context_turn turns[] = {
		{ .query = span_str("q1"), .answer = span_str("a1") },
		{ .query = span_str("q2"), .answer = span_str("a2") },
	};
	struct context_turn gaps[] = {
		{ .query = span_str("q1"), .answer = span_str("") },
		{ .query = span_str("q2"), .answer = span_str("") },
		{ .query = span_str("q3"), .answer = span_str("a3") },
		{ .query = span_str("q4"), .answer = span_str("") },
	};
	struct chat_request rq = least();

	ask(&rq, span_str("now\n\"\x01\""));
	rq.stream = true;
	is_request(&rq, "{\"contents\":[" SAID("user", "now\\n\\\"\\u0001\\\"") "]}", "the least request");
	rq.system = span_str("Be \"short\".");
	converse(&rq, turns, 2, (struct context_turn){ .query = span_str("now") });
	is_request(&rq, "{\"contents\":[" SAID("user", "q1") "," SAID("model", "a1") "," SAID("user", "q2") ","
	           SAID("model", "a2") "," SAID("user", "now") "],\"systemInstruction\":{\"parts\":[{\"text\":"
	           "\"Be \\\"short\\\".\"}]}}", "a conversation");
	rq.system = span_str("");
	converse(&rq, gaps, 4, (struct context_turn){ .query = span_str("now") });
	is_request(&rq, "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"q1\"},{\"text\":\"q2\"},{\"text\":"
	           "\"q3\"}]}," SAID("model", "a3") ",{\"role\":\"user\",\"parts\":[{\"text\":\"q4\"},{\"text\":"
	           "\"now\"}]}]}", "one with empty answers and an empty system prompt");
}

#define IMAGE(type, data) "{\"inlineData\":{\"mimeType\":\"" type "\",\"data\":\"" data "\"}}"
#define NOTE "{\"text\":\"<file name=\\\"n.txt\\\">\\nhi \\\"you\\\"\\n</file>\"}"

static struct attachment file_of(const char *name, const char *type, const char *bytes)
{
	return (struct attachment){ span_str(name), span_str(type), span_str(bytes) };
}

static void test_files(void)
{
	const struct attachment old[] = { file_of("a.png", "image/png", "\x89PNG") };
	const struct attachment new[] = { file_of("n.txt", "text/plain", "hi \"you\"\n"),
		                          file_of("d.pdf", "application/pdf", "%PDF-"),
		                          file_of("w.webp", "image/webp", "") };
	const struct attachment gif[] = { file_of("g.gif", "image/gif", "GIF89a") };
	const struct attachment tar[] = { file_of("t.tar", "application/x-tar", "x") };
	struct context_turn turns[] = { { span_str("q1"), span_str("a1"), old, 1 } };
	struct chat_request rq = least();

	converse(&rq, turns, 1, (struct context_turn){ span_str("p"), span_str(""), new, 3 });
	is_request(&rq, "{\"contents\":[{\"role\":\"user\",\"parts\":[" IMAGE("image/png", "iVBORw==") ",{\"text\":"
	           "\"q1\"}]}," SAID("model", "a1") ",{\"role\":\"user\",\"parts\":[" NOTE ","
	           IMAGE("application/pdf", "JVBERi0=") "," IMAGE("image/webp", "") ",{\"text\":\"p\"}]}]}",
	           "files before the text of each turn");
	converse(&rq, NULL, 0, (struct context_turn){ span_str(""), span_str(""), old, 1 });
	is_request(&rq, "{\"contents\":[{\"role\":\"user\",\"parts\":[" IMAGE("image/png", "iVBORw==") "]}]}",
	           "a file alone");
	converse(&rq, NULL, 0, (struct context_turn){ span_str(""), span_str(""), gif, 1 });
	is_refused(&rq, "google does not accept GIF images; convert 'g.gif' to PNG", "a GIF");
	converse(&rq, NULL, 0, (struct context_turn){ span_str(""), span_str(""), tar, 1 });
	is_refused(&rq, "google does not accept files of type application/x-tar", "an archive");
}

#define CALL(id, name, args) "{\"functionCall\":{\"id\":\"" id "\",\"name\":\"" name "\",\"args\":" args "}}"
#define RESULT(id, name, response) "{\"functionResponse\":{\"id\":\"" id "\",\"name\":\"" name "\"," \
	"\"response\":{" response "}}}"

static void test_calls(void)
{
	static const struct calling_stream cases[] = {
		{ "two calls in two chunks, and one without an id or arguments", DATA("{\"candidates\":[{\"content\":{"
		  "\"parts\":[" CALL("c1", "ls", "{\"dir\":\".\"}") "," CALL("c2", "ls", "{}") "]}}]}")
		  DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"now\"}}]},"
		  "\"finishReason\":\"STOP\"}]}"), "c1 ls {\"dir\":\".\"}\nc2 ls {}\n now \n" },
	};

	is_calling_stream(&cases[0]);
	is_request_with_calls("m", NULL, "{\"contents\":[" SAID("user", "q") ",{\"role\":\"model\",\"parts\":[{\"text\":"
	                      "\"I look.\"}," CALL("c1", "ls", "{\"dir\":\".\"}") "," CALL("c2", "cat", "{}") "]},"
	                      "{\"role\":\"user\",\"parts\":[" RESULT("c1", "ls", "\"output\":\"a \\\"b\\\"\\n\"") ","
	                      RESULT("c2", "cat", "\"error\":\"no file\"") "," IMAGE("image/png", "AAEC/w==") "]},"
	                      "{\"role\":\"model\",\"parts\":[" CALL("c3", "ls", "{}") "]},{\"role\":\"user\",\"parts\":["
	                      RESULT("c3", "ls", "\"output\":\"\"") "]}]}", true, "calls and results");
}

#define CHUNK(parts, more) DATA("{\"candidates\":[{\"content\":{\"parts\":[" parts "]}" more "}]}")
#define SIGNED(text, s) "{\"text\":\"" text "\",\"thoughtSignature\":\"" s "\"}"
#define SIGNED_CALL(id, name, args, s) "{\"functionCall\":{" id "\"name\":\"" name "\",\"args\":" args "}," \
	"\"thoughtSignature\":\"" s "\"}"
#define WITH(parts) "{\"contents\":[" SAID("user", "q") ",{\"role\":\"model\",\"parts\":[" parts "]}," SAID("user", "now") "]}"

static void test_native(void)
{
	static const struct native_stream replies[] = {
		{ "a signature in an empty part at the end", CHUNK("{\"text\":\"A\"}", "") CHUNK("{\"text\":\"B\"}", "")
		  CHUNK(SIGNED("", "s="), ",\"finishReason\":\"STOP\""), "[" SIGNED("", "s=") "]" },
		{ "one in the last part of the text", CHUNK("{\"text\":\"A\"}", "")
		  CHUNK(SIGNED("B", "s="), ",\"finishReason\":\"STOP\""), "[" SIGNED("B", "s=") "]" },
		{ "one of the first of two calls", CHUNK("{\"text\":\"A\"}," SIGNED_CALL("", "ls", "{}", "s=") ","
		  CALL("c2", "cat", "{}"), "") CHUNK(CALL("c3", "cat", "{}"), ",\"finishReason\":\"STOP\""),
		  "[" SIGNED_CALL("", "ls", "{}", "s=") "," CALL("c2", "cat", "{}") "," CALL("c3", "cat", "{}") "]" },
		{ "one of the second", CHUNK(CALL("c1", "ls", "{}") "," SIGNED_CALL("", "cat", "{}", "s="),
		  ",\"finishReason\":\"STOP\""), "[" CALL("c1", "ls", "{}") "," SIGNED_CALL("", "cat", "{}", "s=") "]" },
		{ "none", CHUNK("{\"text\":\"A\"}," CALL("c1", "ls", "{}"), ",\"finishReason\":\"STOP\""), "" },
	};
	static const struct native_request cases[] = {
		{ "a signature goes behind the text", "[" SIGNED("", "s=") "]", "AB", { .model = "m" },
		  WITH("{\"text\":\"AB\"}," SIGNED("", "s=")) },
		{ "with its part of the text", "[{\"text\":\"T\",\"thought\":true,\"thoughtSignature\":\"t\"}," SIGNED("B", "s=") "]",
		  "AB", { .model = "m" }, WITH("{\"text\":\"T\",\"thought\":true,\"thoughtSignature\":\"t\"},{\"text\":\"A\"},"
		  SIGNED("B", "s=")) },
		{ "and none that is of another text", "[" SIGNED("B", "s=") "]", "A", { .model = "m" }, WITH("{\"text\":\"A\"}") },
		{ "nor to a server that refused it", "[" SIGNED("", "s=") "]", "AB", { .model = "m", .no_native = true },
		  WITH("{\"text\":\"AB\"}") },
	};

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		is_native_stream(&replies[i]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_native_request(&cases[i]);
	is_request_with_calls("m", "[" SIGNED_CALL("", "ls", "{\"dir\":\".\"}", "s=") "]",
	                      "{\"contents\":[" SAID("user", "q") ",{\"role\":\"model\",\"parts\":[{\"text\":\"I look.\"},"
	                      SIGNED_CALL("", "ls", "{\"dir\":\".\"}", "s=") "," CALL("c2", "cat", "{}") "]},"
	                      "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"ls\",\"response\":{\"output\":"
	                      "\"a \\\"b\\\"\\n\"}}}," RESULT("c2", "cat", "\"error\":\"no file\"") "]},"
	                      "{\"role\":\"model\",\"parts\":[" CALL("c3", "ls", "{}") "]},{\"role\":\"user\",\"parts\":["
	                      RESULT("c3", "ls", "\"output\":\"\"") "]}]}", false, "a signed call without an id, and its result");
}

/* ---- parameters ---- */

#define MAX_PARAMS 9
#define PROMPT "{\"contents\":[" SAID("user", "p") "]"
#define CONFIG(c) PROMPT ",\"generationConfig\":{" c "}}"

static const struct {
	const char *what, *model;
	bool reasoning;
	const char *schema, *params[MAX_PARAMS], *body;
} configs[] = {
	{ "no parameters", "m", false, NULL, { NULL }, PROMPT "}" },
	{ "all common ones", "m", false, NULL,
	  { "stop=END", "seed=7", "max_tokens=100", "top_p=0.9", "temperature=0.2", "reasoning_effort=low", NULL },
	  CONFIG("\"temperature\":0.2,\"topP\":0.9,\"maxOutputTokens\":100,\"seed\":7,\"stopSequences\":[\"END\"],"
	         "\"thinkingConfig\":{\"thinkingLevel\":\"LOW\"}") },
	{ "a list of stops", "m", false, NULL, { "stop=[\"a\",\"b\"]", NULL }, CONFIG("\"stopSequences\":[\"a\",\"b\"]") },
	{ "others", "m", false, NULL,
	  { "topK=40", "safetySettings=[{\"category\":\"C\",\"threshold\":\"OFF\"}]", "mediaResolution=LOW",
	    "tools=[{\"google_search\":{}}]", "toolConfig={}", "cachedContent=cachedContents/x", "labels={\"a\":\"b\"}",
	    "serviceTier=flex", NULL },
	  PROMPT ",\"safetySettings\":[{\"category\":\"C\",\"threshold\":\"OFF\"}],\"tools\":[{\"google_search\":{}}],"
	  "\"toolConfig\":{},\"cachedContent\":\"cachedContents/x\",\"labels\":{\"a\":\"b\"},\"serviceTier\":\"flex\","
	  "\"generationConfig\":{\"topK\":40,\"mediaResolution\":\"LOW\"}}" },
	{ "only others of the request", "m", false, NULL, { "store=false", NULL }, PROMPT ",\"store\":false}" },
	{ "Google's own names", "m", false, NULL, { "topP=0.5", "maxOutputTokens=5", "stopSequences=[\"x\"]", NULL },
	  CONFIG("\"topP\":0.5,\"maxOutputTokens\":5,\"stopSequences\":[\"x\"]") },
	{ "thoughts", "m", true, NULL, { NULL }, CONFIG("\"thinkingConfig\":{\"includeThoughts\":true}") },
	{ "thoughts and an effort", "gemini-4-argon", true, NULL, { "reasoning_effort=high", NULL },
	  CONFIG("\"thinkingConfig\":{\"thinkingLevel\":\"HIGH\",\"includeThoughts\":true}") },
	{ "an effort with quotes and letters of its own", "m", false, NULL, { "reasoning_effort=\"\\u006caut \\\"é\\\"\"", NULL },
	  CONFIG("\"thinkingConfig\":{\"thinkingLevel\":\"LAUT \\\"é\\\"\"}") },
	{ "no effort, 2.5", "gemini-2.5-flash", false, NULL, { "reasoning_effort=none", NULL },
	  CONFIG("\"thinkingConfig\":{\"thinkingBudget\":0}") },
	{ "a low effort, 2.5", "models/gemini-2.5-pro", true, NULL, { "reasoning_effort=low", NULL },
	  CONFIG("\"thinkingConfig\":{\"thinkingBudget\":1024,\"includeThoughts\":true}") },
	{ "a medium effort, 2.5", "gemini-2.5-flash-lite", false, NULL, { "reasoning_effort=medium", NULL },
	  CONFIG("\"thinkingConfig\":{\"thinkingBudget\":8192}") },
	{ "a high effort, 2.5", "gemini-2.5-flash", false, NULL, { "reasoning_effort=high", NULL },
	  CONFIG("\"thinkingConfig\":{\"thinkingBudget\":24576}") },
	{ "a thinkingConfig of the user's", "m", true, NULL, { "thinkingConfig={\"thinkingBudget\":5}", NULL },
	  CONFIG("\"thinkingConfig\":{\"thinkingBudget\":5}") },
	{ "a schema", "m", false, "{\"type\":\"object\",\"$defs\":{}}", { "temperature=0", NULL },
	  CONFIG("\"temperature\":0,\"responseMimeType\":\"application/json\",\"responseJsonSchema\":"
	         "{\"type\":\"object\",\"$defs\":{}}") },
	{ "another type than a schema's", "m", false, NULL, { "responseMimeType=text/x.enum", NULL },
	  CONFIG("\"responseMimeType\":\"text/x.enum\"") },
};

static void test_params(void)
{
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		struct params p = PARAMS_INIT;
		struct chat_request rq = least();

		params_of(&p, configs[i].params);
		rq.model = configs[i].model;
		rq.reasoning = configs[i].reasoning;
		rq.params = &p;
		if (configs[i].schema)
			rq.schema = span_str(configs[i].schema);
		is_request(&rq, configs[i].body, configs[i].what);
		params_release(&p);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *params[3], *why;
		bool schema;
	} cases[] = {
		{ { "contents=[]", NULL }, "'contents' cannot be set with -o", false },
		{ { "systemInstruction=x", NULL }, "'systemInstruction' cannot be set with -o", false },
		{ { "generationConfig={}", NULL }, "'generationConfig' cannot be set with -o", false },
		{ { "model=x", NULL }, "'model' cannot be set with -o", false },
		{ { "top_p=1", "topP=1", NULL }, "'top_p' and 'topP' set the same parameter; omit one", false },
		{ { "maxOutputTokens=1", "max_tokens=1", NULL }, "'max_tokens' and 'maxOutputTokens' set the same", false },
		{ { "stop=a", "stopSequences=[]", NULL }, "'stop' and 'stopSequences' set the same", false },
		{ { "thinkingConfig={}", "reasoning_effort=low", NULL }, "'reasoning_effort' and 'thinkingConfig'", false },
		{ { "reasoning_effort=xhigh", NULL }, "must be none, minimal, low, medium or high for 'gemini-2.5-pro'", false },
		{ { "responseMimeType=a", NULL }, "'responseMimeType' cannot be combined with a schema", true },
		{ { "responseSchema={}", NULL }, "'responseSchema' cannot be combined with a schema", true },
		{ { "responseJsonSchema={}", NULL }, "'responseJsonSchema' cannot be combined", true },
		{ { "responseFormat={}", NULL }, "'responseFormat' cannot be combined with a schema", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params p = PARAMS_INIT;
		struct chat_request rq = least();

		params_of(&p, cases[i].params);
		rq.model = "gemini-2.5-pro";
		rq.params = &p;
		if (cases[i].schema)
			rq.schema = span_str("{}");
		is_refused(&rq, cases[i].why, cases[i].params[0]);
		params_release(&p);
	}
}

/* ---- URLs and models ---- */

static void test_urls(void)
{
	static const struct {
		const char *base, *model, *want;
	} cases[] = {
		{ "https://h/v1beta", "gemini-x", "https://h/v1beta/models/gemini-x:" },
		{ "https://h", "gemini-x", "https://h/v1beta/models/gemini-x:" },
		{ "https://h/", "gemini-x", "https://h/v1beta/models/gemini-x:" },
		{ "https://h/v1//", "gemini-x", "https://h/v1/models/gemini-x:" },
		{ "https://h/v1alpha", "gemini-x", "https://h/v1alpha/models/gemini-x:" },
		{ "https://h:8443/gemini", "gemini-x", "https://h:8443/gemini/v1beta/models/gemini-x:" },
		{ "https://h/v1/publishers/google", "m", "https://h/v1/publishers/google/models/m:" },
		{ "http://v1", "m", "http://v1/v1beta/models/m:" },
		{ "http://h/version", "m", "http://h/version/v1beta/models/m:" },
		{ "http://h/v", "m", "http://h/v/v1beta/models/m:" },
		{ "http://h/v1-x", "m", "http://h/v1-x/v1beta/models/m:" },
		{ "https://h", "models/gemini-x", "https://h/v1beta/models/gemini-x:" },
		{ "https://h", "tunedModels/mine", "https://h/v1beta/tunedModels/mine:" },
		{ "https://h", "a b/../c?d#e:f%\xc3\xa9", "https://h/v1beta/models/a%20b%2F..%2Fc%3Fd%23e%3Af%25%C3%A9:" },
	};

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct chat_request rq = least();
		struct buf want = BUF_INIT;

		rq.base_url = cases[i / 2].base;
		rq.model = cases[i / 2].model;
		rq.stream = i % 2;
		buf_adds(&want, cases[i / 2].want);
		buf_adds(&want, rq.stream ? "streamGenerateContent?alt=sse" : "generateContent");
		is_url(&rq, want.p);
		buf_release(&want);
	}
	is_models_url("https://h", "", "https://h/v1beta/models?pageSize=1000");
	for (size_t i = 0; i < 2; i++) {
		struct chat_request rq = least();

		rq.base_url = i ? "https://h/v1/?key=/v2/x" : "https://h?key=/v1/x";
		rq.stream = true;
		is_url(&rq, i ? "https://h/v1/models/m:streamGenerateContent?key=/v2/x&alt=sse"
		              : "https://h/v1beta/models/m:streamGenerateContent?key=/v1/x&alt=sse");
		is_models_url(rq.base_url, "a", i ? "https://h/v1/models?key=/v2/x&pageSize=1000&pageToken=a"
		                                  : "https://h/v1beta/models?key=/v1/x&pageSize=1000&pageToken=a");
	}
	is_models_url("https://h/v1/", "Ch=&+/ x", "https://h/v1/models?pageSize=1000&pageToken=Ch%3D%26%2B%2F%20x");
}

#define METHODS(list) "\"supportedGenerationMethods\":[" list "]"

static void test_models(void)
{
	static const struct page pages[] = {
		{ "those that generate content", "{\"models\":[{\"name\":\"models/gemini-3.8-flash\",\"version\":\"001\","
		  "\"displayName\":\"Gemini 3.8 Flash\",\"inputTokenLimit\":1048576,\"outputTokenLimit\":65536,"
		  "\"supportedGenerationMethods\":[\"countTokens\",\"generateContent\"],\"thinking\":true},{\"name\":"
		  "\"models/gemini-embedding-2\",\"inputTokenLimit\":8192,\"supportedGenerationMethods\":"
		  "[\"embedContent\"]},{\"name\":\"models/old\"},null,{\"name\":\"plain\"," METHODS("5,\"generateContent\"")
		  ",\"inputTokenLimit\":\"9\"},{\"name\":\"models/\"," METHODS("\"generateContent\"") "}],"
		  "\"nextPageToken\":\"Ch=\"}", "gemini-3.8-flash|Gemini 3.8 Flash|1048576\nplain||0\n", "Ch=", NULL },
		{ "a page of nothing", "{}", "", "", NULL },
		{ "who has enough ends the list", "{\"models\":[{\"name\":\"models/last\"," METHODS("\"generateContent\"")
		  "},{\"name\":\"models/x\"," METHODS("\"generateContent\"") "}],\"nextPageToken\":\"Ch=\"}",
		  "last||0\n", "", "enough" },
		{ "another kind of list", "{\"data\":[]}", "", "", "not a list of models" },
		{ "one that breaks off", "{\"models\":[{\"na", "", "", "not a list of models" },
	};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		is_page(&pages[i]);
}

static void test_windows(void)
{
	static const struct {
		const char *model;
		int64_t want;
	} cases[] = {
		{ "gemini-flash-latest", 1048576 }, { "gemini-2.5-flash", 1048576 }, { "gemini-2.5-flash-lite", 1048576 },
		{ "gemini-2.5-pro", 1048576 }, { "models/gemini-3.8-flash", 1048576 }, { "gemini-3.1-pro-preview", 1048576 },
		{ "gemini-3.6-flash", 1048576 }, { "gemini-4-argon", 1048576 }, { "gemini-2.5-flash-image", 0 },
		{ "gemini-2.5-flash-preview-tts", 0 }, { "gemini-9", 0 }, { "gemma-4-31b-it", 0 }, { "gemini", 0 }, { "", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_window(cases[i].model, cases[i].want);
	is_int(adapter->window(span_str(adapter->model)), 1048576, "that of the default model is known");
}

static void test_descriptor(void)
{
	is_str(adapter->base_url, "https://generativelanguage.googleapis.com/v1beta", "the base URL");
	is_str(adapter->key_header, "x-goog-api-key: ", "the key has a header of its own");
	is_str(adapter->key_env[0], "GEMINI_API_KEY", "the first variable");
	is_str(adapter->key_env[1], "GOOGLE_API_KEY", "the second");
	ok(!adapter->key_env[2], "and no more");
	is_str(adapter->url_env, "GOOGLE_GEMINI_BASE_URL", "that of the base URL");
}

int main(void)
{
	adapter = provider_find("google");
	test_streams();
	test_bad_streams();
	test_whole();
	test_no_reply();
	test_problems();
	test_request();
	test_files();
	test_calls();
	test_native();
	test_params();
	test_refused();
	test_urls();
	test_models();
	test_windows();
	test_descriptor();
	is_sound_when_damaged(streams, 8);
	return tap_end();
}
