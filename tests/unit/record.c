#include "store/record.h"

#include "base/json-scan.h"
#include "base/json.h"
#include "data.h"
#include "tap.h"

#define HEAD "{\"type\":\"session\",\"version\":1,\"id\":\"abc\",\"createdAt\":1000,\"cwd\":\"/w\"," \
	"\"provider\":\"echo\",\"model\":\"m\"}"
#define EXCHANGE "{\"type\":\"exchange\",\"id\":\"x1\",\"timestamp\":2000,\"query\":\"q\"," \
	"\"answer\":\"a\",\"summary\":null,\"model\":\"m\",\"status\":\"complete\",\"duration\":5," \
	"\"tokenUsage\":{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":3," \
	"\"reasoningTokens\":4,\"cachedInputTokens\":5},\"finishReason\":\"stop\",\"error\":\"e\"," \
	"\"reasoning\":\"r\",\"leftOut\":6}"
#define EXCHANGE_FULL "{\"type\":\"exchange\",\"id\":\"x2\",\"parent\":\"x1\",\"replaces\":\"x0\",\"timestamp\":2000," \
	"\"query\":\"q\",\"answer\":\"a\",\"summary\":null,\"model\":\"m\",\"status\":\"complete\",\"steps\":2," \
	"\"duration\":5,\"tokenUsage\":{\"totalTokens\":3,\"cacheWriteInputTokens\":7,\"cost\":0.00012}," \
	"\"parameters\":{\"temperature\":0.50},\"leftOut\":6,\"native\":{\"provider\":\"p\",\"items\":[{}]}}"
#define STEP "{\"type\":\"step\",\"exchange\":\"x2\",\"n\":1,\"timestamp\":2100,\"text\":\"t\",\"reasoning\":\"r\"," \
	"\"calls\":[{\"id\":\"c\",\"name\":\"f\",\"arguments\":{\"a\":[1]}},{\"id\":\"d\",\"name\":\"g\"," \
	"\"arguments\":{}}],\"model\":\"m\",\"duration\":null,\"tokenUsage\":null,\"native\":{\"provider\":\"p\"}}"
#define RESULT "{\"type\":\"result\",\"exchange\":\"x2\",\"n\":1,\"call\":\"c\",\"timestamp\":2200," \
	"\"status\":\"timeout\",\"exitStatus\":2,\"duration\":9,\"output\":\"o\",\"artifact\":\"" DIGEST "\"}"
#define DIGEST "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define FILES "[{\"sha256\":\"" DIGEST "\",\"name\":\"a \\\"b\\\".png\",\"type\":\"image/png\"," \
	"\"size\":5},{\"sha256\":\"" DIGEST "\",\"name\":\"\",\"type\":\"text/plain\",\"size\":0}]"
#define ATTACHED "{\"type\":\"exchange\",\"id\":\"x1\",\"timestamp\":2000,\"query\":\"q\"," \
	"\"answer\":\"a\",\"summary\":null,\"model\":\"m\",\"status\":\"complete\",\"duration\":5," \
	"\"tokenUsage\":null,\"attachments\":" FILES "}"
#define CHANGE "{\"type\":\"change\",\"timestamp\":3000,\"title\":\"t\"}"
#define CHANGE_FULL "{\"type\":\"change\",\"id\":\"h1\",\"timestamp\":3000,\"tags\":{\"a\":true,\"b\":false}," \
	"\"metadata\":{\"k\":null,\"l\":[1]}}"
#define REWIND "{\"type\":\"rewind\",\"timestamp\":4000,\"to\":\"x1\"}"
#define SUMMARY "{\"type\":\"summary\",\"timestamp\":5000,\"upTo\":\"x1\",\"text\":\"t\",\"model\":\"m\"," \
	"\"tokenUsage\":{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":3}}"

static bool parse(const char *text, struct record *r, struct err *e)
{
	struct span line = exact(span_str(text));
	bool good;

	err_clear(e);
	good = record_parse(line, r, e) == 0;
	drop(line); /* the record has its own copies */
	if (!good && r->json)
		tap_note("a record that failed still holds something");
	return good;
}

static void test_head(void)
{
	struct err e = ERR_INIT;
	struct record r;

	ok(parse(HEAD, &r, &e), "a session's first record");
	is_int(r.type, RECORD_SESSION, "its type");
	is_span(r.head.id, "abc", "id");
	is_int(r.head.created_at, 1000, "createdAt");
	is_span(r.head.cwd, "/w", "cwd");
	is_span(r.head.provider, "echo", "provider");
	is_span(r.head.model, "m", "model");
	ok(!r.head.title.p && !r.head.system.p && !r.head.metadata, "what is not there is absent");
	record_release(&r);
	ok(parse("{\"model\":\"m\",\"provider\":\"p\",\"createdAt\":0,\"id\":\"a\",\"cwd\":\"\",\"version\":1,"
	         "\"type\":\"session\",\"title\":\"\",\"system\":\"S\",\"metadata\":{\"k\":\"v\"},\"new\":[1]}",
	         &r, &e), "in another order, with all members and one unknown");
	ok(r.head.title.p && !r.head.title.n, "an empty title is there");
	is_span(r.head.system, "S", "system");
	is_span(json_member_str(r.head.metadata, "k"), "v", "metadata");
	record_release(&r);
	ok(!r.json, "released");
}

static void test_exchange(void)
{
	struct err e = ERR_INIT;
	struct record r;

	ok(parse(EXCHANGE, &r, &e), "an exchange");
	is_int(r.type, RECORD_EXCHANGE, "its type");
	is_span(r.exchange.id, "x1", "id");
	is_int(r.exchange.timestamp, 2000, "timestamp");
	is_span(r.exchange.query, "q", "query");
	is_span(r.exchange.answer, "a", "answer");
	is_span(r.exchange.model, "m", "model");
	is_int(r.exchange.status, STATUS_COMPLETE, "status");
	is_int(r.exchange.duration, 5, "duration");
	is_int(r.exchange.usage.input, 1, "inputTokens");
	is_int(r.exchange.usage.output, 2, "outputTokens");
	is_int(r.exchange.usage.total, 3, "totalTokens");
	is_int(r.exchange.usage.reasoning, 4, "reasoningTokens");
	is_int(r.exchange.usage.cached, 5, "cachedInputTokens");
	is_int(r.exchange.left_out, 6, "leftOut");
	is_span(r.exchange.finish_reason, "stop", "finishReason");
	is_span(r.exchange.error, "e", "error");
	is_span(r.exchange.reasoning, "r", "reasoning");
	record_release(&r);
	ok(parse("{\"type\":\"exchange\",\"id\":\"x\",\"timestamp\":1,\"query\":\"\",\"answer\":\"\","
	         "\"model\":\"\",\"status\":\"interrupted\",\"duration\":null,\"tokenUsage\":null}", &r, &e),
	   "one with the least");
	is_int(r.exchange.status, STATUS_INTERRUPTED, "interrupted");
	is_int(r.exchange.duration, -1, "no duration");
	ok(!usage_known(&r.exchange.usage), "no usage");
	ok(!r.exchange.finish_reason.p && !r.exchange.error.p && !r.exchange.reasoning.p, "nor the rest");
	record_release(&r);
}

static void test_attachments(void)
{
	struct err e = ERR_INIT;
	struct record r, copy;
	struct buf b = BUF_INIT;

	ok(parse(ATTACHED, &r, &e), "an exchange with two files");
	copy = r;
	r.json = NULL; /* which gives it to the copy */
	record_release(&r);
	if (is_int((int64_t)copy.exchange.nattachments, 2, "there are two")) {
		const struct attachment_ref *a = copy.exchange.attachments;

		is_span(a[0].sha256, DIGEST, "sha256");
		is_span(a[0].name, "a \"b\".png", "name");
		is_span(a[0].type, "image/png", "type");
		is_int(a[0].size, 5, "size");
		is_span(a[1].name, "", "no name");
		is_int(a[1].size, 0, "no size");
	}
	record_add_attachments(&b, copy.exchange.attachments, copy.exchange.nattachments);
	is_buf(&b, "\"attachments\":" FILES, "written");
	record_release(&copy);
	ok(parse(EXCHANGE, &r, &e), "an exchange without");
	is_int((int64_t)r.exchange.nattachments, 0, "has none");
	buf_clear(&b);
	record_add_attachments(&b, r.exchange.attachments, r.exchange.nattachments);
	is_buf(&b, "", "and none is written");
	record_release(&r);
	buf_release(&b);
}

static void bad_attachments(const char *json, const char *why)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct record r;

	buf_addf(&b, "{\"type\":\"exchange\",\"id\":\"x\",\"timestamp\":1,\"query\":\"\",\"answer\":"
	         "\"\",\"model\":\"\",\"status\":\"complete\",\"attachments\":%s}", json);
	ok(!parse(b.p, &r, &e), "refused: attachments %s", json);
	is_err(&e, ERR_DAMAGED, why, "says why");
	buf_release(&b);
}

#define FILE_OF(sha256)                                                                            \
	"{\"sha256\":\"" sha256 "\",\"name\":\"n\",\"type\":\"t\",\"size\":1,\"later\":[]}"

static void test_bad_attachments(void)
{
	bad_attachments("7", "'attachments' must be an array");
	bad_attachments("{}", "'attachments' must be an array");
	bad_attachments("[7]", "'attachments' 1: not an object");
	bad_attachments("[null]", "'attachments' 1: not an object");
	bad_attachments("[{}]", "'attachments' 1: 'sha256' is missing");
	bad_attachments("[" FILE_OF("../../../history.jsonl") "]", "'attachments' 1: 'sha256' is not a digest");
	bad_attachments("[" FILE_OF(DIGEST) "," FILE_OF("00") "]", "'attachments' 2: 'sha256' is not a digest");
	bad_attachments("[{\"sha256\":\"" DIGEST "\"}]", "'name' is missing");
	bad_attachments("[{\"sha256\":\"" DIGEST "\",\"name\":\"n\"}]", "'type' is missing");
	bad_attachments("[{\"sha256\":\"" DIGEST "\",\"name\":\"n\",\"type\":\"t\"}]",
	                "'size' is missing");
	bad_attachments("[{\"sha256\":\"" DIGEST "\",\"name\":\"n\",\"type\":\"t\",\"size\":-1}]",
	                "'size' is not a count");
	bad_attachments("[{\"sha256\":\"" DIGEST "\",\"name\":[],\"type\":\"t\",\"size\":1}]",
	                "'name' must be a string");
	bad_attachments("[{\"sha256\":null,\"name\":\"n\",\"type\":\"t\",\"size\":1}]",
	                "'sha256' is missing");
}

static void test_change_and_rewind(void)
{
	struct err e = ERR_INIT;
	struct record r;

	ok(parse(CHANGE, &r, &e), "a change");
	is_int(r.type, RECORD_CHANGE, "its type");
	is_int(r.change.timestamp, 3000, "timestamp");
	is_span(r.change.title, "t", "title");
	record_release(&r);
	ok(parse("{\"type\":\"change\",\"timestamp\":1}", &r, &e), "a change of nothing");
	ok(!r.change.title.p, "nothing");
	record_release(&r);
	ok(parse(REWIND, &r, &e), "a rewind");
	is_int(r.type, RECORD_REWIND, "its type");
	is_span(r.rewind.to, "x1", "to");
	record_release(&r);
	ok(parse("{\"type\":\"rewind\",\"timestamp\":1,\"to\":null}", &r, &e), "a rewind to the start");
	ok(!r.rewind.to.p, "to nothing");
	record_release(&r);
}

static void test_summary(void)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct record r;

	ok(parse(SUMMARY, &r, &e), "a summary");
	is_int(r.type, RECORD_SUMMARY, "its type");
	is_int(r.summary.timestamp, 5000, "timestamp");
	is_span(r.summary.up_to, "x1", "upTo");
	is_span(r.summary.text, "t", "text");
	is_span(r.summary.model, "m", "model");
	is_int(r.summary.usage.total, 3, "what it took to make it");
	record_add_summary(&b, &r.summary);
	is_buf(&b, SUMMARY "\n", "written as it was read");
	record_release(&r);
	ok(parse("{\"type\":\"summary\",\"timestamp\":1,\"upTo\":\"\",\"text\":\"\",\"model\":\"\"}", &r, &e),
	   "the least summary");
	ok(!usage_known(&r.summary.usage), "nothing is known of its making");
	buf_clear(&b);
	record_add_summary(&b, &r.summary);
	is_buf(&b, "{\"type\":\"summary\",\"timestamp\":1,\"upTo\":\"\",\"text\":\"\",\"model\":\"\"}\n",
	       "and so nothing is written of that");
	record_release(&r);
	buf_release(&b);
}

static void test_other(void)
{
	static const char *const others[] = {
		"{\"type\":\"Summary\",\"timestamp\":1}",
		"{\"type\":\"from the future\"}", "{\"type\":\"\",\"id\":5}",
	};
	struct err e = ERR_INIT;
	struct record r;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ok(parse(others[i], &r, &e), "another type, case %zu", i);
		is_int(r.type, RECORD_OTHER, "is told as such");
		record_release(&r);
	}
}

/* Alters one member of a good record: `json` in its place, or left out when NULL. */
static void alter(struct buf *out, const char *record, const char *key, const char *json)
{
	struct json_scan s = json_scan(span_str(record));
	struct span k, v;

	buf_clear(out);
	buf_addc(out, '{');
	while (json_scan_next(&s, &k, &v) > 0) {
		if (span_eq(k, key) && !json)
			continue;
		buf_addf(out, "%s\"%.*s\":", out->n > 1 ? "," : "", (int)k.n, k.p);
		if (span_eq(k, key))
			buf_adds(out, json);
		else
			buf_add(out, v.p, v.n);
	}
	buf_addc(out, '}');
}

static void refused(const char *record, const char *key, const char *json)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct record r;
	char quoted[64];

	alter(&b, record, key, json);
	snprintf(quoted, sizeof(quoted), "'%s'", key);
	ok(!parse(b.p, &r, &e), "refused: '%s' %s", key, json ? json : "missing");
	is_err(&e, ERR_DAMAGED, quoted, "names the key");
	buf_release(&b);
}

static void test_missing_and_wrong(void)
{
	static const struct {
		const char *record, *key;
		bool required, string;
	} members[] = {
		{ HEAD, "type", true, true },          { HEAD, "version", true, false },
		{ HEAD, "id", true, true },            { HEAD, "createdAt", true, false },
		{ HEAD, "provider", true, true },      { HEAD, "model", true, true },
		{ HEAD, "cwd", false, true },          { EXCHANGE, "id", true, true },
		{ EXCHANGE, "timestamp", true, false }, { EXCHANGE, "query", true, true },
		{ EXCHANGE, "answer", true, true },    { EXCHANGE, "model", true, true },
		{ EXCHANGE, "status", true, true },    { EXCHANGE, "duration", false, false },
		{ EXCHANGE, "leftOut", false, false },
		{ EXCHANGE, "finishReason", false, true }, { EXCHANGE, "error", false, true },
		{ EXCHANGE, "reasoning", false, true }, { CHANGE, "timestamp", true, false },
		{ CHANGE, "title", false, true },      { REWIND, "timestamp", true, false },
		{ SUMMARY, "timestamp", true, false }, { CHANGE_FULL, "metadata", false, true },
		{ SUMMARY, "upTo", true, true },       { SUMMARY, "text", true, true },
		{ SUMMARY, "model", true, true },      { STEP, "native", false, true },
		{ EXCHANGE_FULL, "parent", false, true }, { EXCHANGE_FULL, "replaces", false, true },
		{ EXCHANGE_FULL, "steps", false, false }, { STEP, "exchange", true, true },
		{ STEP, "n", true, false },            { STEP, "timestamp", true, false },
		{ STEP, "text", true, true },          { STEP, "reasoning", false, true },
		{ STEP, "model", true, true },         { STEP, "duration", false, false },
		{ RESULT, "exchange", true, true },    { RESULT, "n", true, false },
		{ RESULT, "call", true, true },        { RESULT, "timestamp", true, false },
		{ RESULT, "status", true, true },      { RESULT, "exitStatus", false, false },
		{ RESULT, "duration", false, false },  { RESULT, "output", true, true },
		{ RESULT, "artifact", false, true },   { CHANGE_FULL, "id", false, true },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		refused(members[i].record, members[i].key, members[i].string ? "7" : "\"7\"");
		refused(members[i].record, members[i].key, "[]");
		if (!members[i].required)
			continue;
		refused(members[i].record, members[i].key, NULL);
		refused(members[i].record, members[i].key, "null");
	}
	refused(EXCHANGE, "tokenUsage", "7");
	refused(SUMMARY, "tokenUsage", "7");
	refused("{\"type\":\"change\",\"timestamp\":1,\"tokenUsage\":null}", "tokenUsage", "7");
	refused(EXCHANGE, "timestamp", "1.5");
	refused(REWIND, "to", "7");
	refused(REWIND, "to", NULL);
	refused("{\"type\":\"rewind\",\"timestamp\":1,\"from\":null,\"to\":null}", "from", "7");
	refused("{\"type\":\"rewind\",\"timestamp\":1,\"merged\":true,\"to\":null}", "merged", "1");
	refused("{\"type\":\"rewind\",\"timestamp\":1,\"merged\":true,\"to\":null}", "merged", "\"true\"");
	refused("{\"type\":\"summary\",\"id\":\"i\",\"timestamp\":1,\"upTo\":\"\",\"text\":\"\",\"model\":\"\"}", "id", "7");
	refused(STEP, "calls", NULL);
	refused(STEP, "calls", "{}");
	refused(STEP, "calls", "[7]");
	refused(STEP, "calls", "[{\"id\":\"c\",\"name\":\"f\"}]");
	refused(STEP, "calls", "[{\"id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"}]");
	refused(STEP, "calls", "[{\"name\":\"f\",\"arguments\":{}}]");
	refused(STEP, "native", "[]");
	refused(EXCHANGE_FULL, "native", "[]");
	refused(EXCHANGE_FULL, "parameters", "[]");
	refused(RESULT, "artifact", "\"../x\"");
	refused(RESULT, "status", "\"complete\"");
	refused(CHANGE_FULL, "tags", "[\"a\"]");
	refused(CHANGE_FULL, "tags", "{\"a\":1}");
	refused(CHANGE_FULL, "tags", "{\"a\":null}");
	refused(CHANGE_FULL, "metadata", "[]");
}

static void test_bad_values(void)
{
	struct err e = ERR_INIT;
	struct record r;

	refused(HEAD, "id", "\"\"");
	refused(HEAD, "id", "\"../x\"");
	refused(HEAD, "id", "\"a\\u0000b\"");
	refused(HEAD, "createdAt", "-1");
	refused(HEAD, "createdAt", "253402300800000");
	refused(EXCHANGE, "timestamp", "99999999999999999999");
	refused(EXCHANGE, "status", "\"done\"");
	refused(EXCHANGE, "status", "\"Complete\"");
	refused(EXCHANGE, "duration", "-1");
	ok(!parse("{\"type\":\"exchange\",\"id\":\"x\",\"timestamp\":1,\"query\":\"\",\"answer\":\"\",\"model\":"
	          "\"\",\"status\":\"error\",\"tokenUsage\":{\"inputTokens\":-3}}", &r, &e), "negative tokens");
	is_err(&e, ERR_DAMAGED, "'inputTokens' is not a count", "says which");
	for (size_t i = 0; i < 3; i++) {
		static const char *const costs[] = { "-0.1", "\"1\"", "1e300" };
		struct buf b = BUF_INIT;

		buf_addf(&b, "{\"type\":\"change\",\"timestamp\":1,\"tokenUsage\":{\"cost\":%s}}", costs[i]);
		ok(!parse(b.p, &r, &e), "a cost of %s", costs[i]);
		is_err(&e, ERR_DAMAGED, "'cost' is not an amount", "says which");
		buf_release(&b);
	}
	ok(!parse("{\"type\":\"session\",\"version\":2,\"future\":true}", &r, &e), "another version");
	is_err(&e, ERR_VERSION, "version 2; this mcbox knows version 1", "says which");
	ok(!parse("", &r, &e) && !parse("[]", &r, &e) && !parse("{\"type\":", &r, &e) &&
	   !parse("{}", &r, &e) && !parse(HEAD HEAD, &r, &e), "what is no record at all");
	ok(!parse("{\"type\":\"exchange\",\"query\":\"\xff\"}", &r, &e), "bytes that are not UTF-8");
}

/* ---- writing ---- */

static void test_format(void)
{
	struct session_head h = { .created_at = 5, .id = span_str("i"), .provider = span_str("p"),
		                  .model = span_str("m") };
	struct exchange x = { .id = span_str("u"), .timestamp = 6, .query = span_str("a\"\n"),
		              .status = STATUS_ERROR, .duration = -1, .usage = USAGE_NONE };
	struct change c = { .timestamp = 7, .usage = USAGE_NONE };
	struct buf b = BUF_INIT;

	record_add_head(&b, &h);
	is_buf(&b, "{\"type\":\"session\",\"version\":1,\"id\":\"i\",\"createdAt\":5,\"cwd\":\"\","
	       "\"provider\":\"p\",\"model\":\"m\"}\n", "the least head");
	buf_clear(&b);
	record_add_exchange(&b, &x);
	is_buf(&b, "{\"type\":\"exchange\",\"id\":\"u\",\"timestamp\":6,\"query\":\"a\\\"\\n\",\"answer\":\"\","
	       "\"summary\":null,\"model\":\"\",\"status\":\"error\",\"duration\":null,\"tokenUsage\":null}\n",
	       "the least exchange");
	buf_clear(&b);
	record_add_change(&b, &c);
	is_buf(&b, "{\"type\":\"change\",\"timestamp\":7}\n", "the least change");
	buf_clear(&b);
	record_add_usage(&b, &(struct usage){ -1, 2, -1, -1, 5, -1, -1 });
	is_buf(&b, "{\"outputTokens\":2,\"cachedInputTokens\":5}", "what is known of the usage");
	buf_release(&b);
}

/* Parsing what was written, and writing that again, gives the same line. */
static void round_trip(const char *text, const char *what)
{
	struct err e = ERR_INIT;
	struct buf once = BUF_INIT, again = BUF_INIT;
	struct record r;

	if (!ok(parse(text, &r, &e), "%s can be read", what)) {
		tap_note("%s", e.msg);
		return;
	}
	for (struct buf *b = &once;; b = &again) {
		if (r.type == RECORD_SESSION)
			record_add_head(b, &r.head);
		else if (r.type == RECORD_EXCHANGE)
			record_add_exchange(b, &r.exchange);
		else if (r.type == RECORD_REWIND)
			record_add_rewind(b, &r.rewind);
		else if (r.type == RECORD_STEP)
			record_add_step(b, &r.step);
		else if (r.type == RECORD_RESULT)
			record_add_result(b, &r.result);
		else if (r.type == RECORD_SUMMARY)
			record_add_summary(b, &r.summary);
		else
			record_add_change(b, &r.change);
		record_release(&r);
		if (b == &again)
			break;
		if (record_parse(buf_span(b), &r, &e) < 0)
			break;
	}
	is_str(once.p, again.p, "%s is written the same again", what);
	ok(once.n == strlen(text) + 1 && memcmp(once.p, text, once.n - 1) == 0, "and as it was");
	buf_release(&once);
	buf_release(&again);
}

static void test_round_trip(void)
{
	round_trip(HEAD, "a head");
	round_trip("{\"type\":\"session\",\"version\":1,\"id\":\"abc\",\"createdAt\":1000,\"cwd\":\"/w é\","
	           "\"provider\":\"echo\",\"model\":\"m/n:8b\",\"title\":\"\",\"system\":\"a\\\\b\\n\\u0001\","
	           "\"metadata\":{\"a\":\"1\",\"b\":{\"c\":[1,null]}}}", "a head with all members");
	round_trip(EXCHANGE, "an exchange");
	round_trip("{\"type\":\"exchange\",\"id\":\"x1\",\"timestamp\":253402300799999,\"query\":\"\\u0000\","
	           "\"answer\":\"😀\\r\\n\\t\\u001b[0m\",\"summary\":null,\"model\":\"m\","
	           "\"status\":\"interrupted\",\"duration\":0,\"tokenUsage\":{\"inputTokens\":0}}",
	           "an exchange with control characters");
	round_trip(ATTACHED, "an exchange with files");
	round_trip(EXCHANGE_FULL, "an exchange with a parent, steps and the rest");
	round_trip("{\"type\":\"exchange\",\"id\":\"x\",\"parent\":null,\"timestamp\":1,\"query\":\"\",\"answer\":\"\","
	           "\"summary\":null,\"model\":\"\",\"status\":\"error\",\"duration\":null,\"tokenUsage\":null}",
	           "one that begins a conversation");
	round_trip(STEP, "a step");
	round_trip(RESULT, "a result");
	round_trip("{\"type\":\"result\",\"exchange\":\"x\",\"n\":0,\"call\":\"\",\"timestamp\":1,\"status\":\"ok\","
	           "\"duration\":null,\"output\":\"\",\"attachments\":" FILES "}", "a result with files");
	round_trip(CHANGE_FULL, "a change of tags and metadata");
	round_trip("{\"type\":\"rewind\",\"timestamp\":4000,\"from\":\"x2\",\"to\":\"x1\",\"merged\":true}",
	           "a rewind of a merge");
	round_trip("{\"type\":\"rewind\",\"timestamp\":4000,\"from\":null,\"to\":\"x1\"}", "one from nothing");
	round_trip("{\"type\":\"session\",\"version\":1,\"id\":\"abc\",\"createdAt\":1000,\"cwd\":\"\",\"provider\":\"p\","
	           "\"model\":\"m\",\"tags\":[\"a\"],\"metadata\":{},\"forkedFrom\":{\"session\":\"s\"},"
	           "\"importedFrom\":{\"kind\":\"k\"}}", "a head that was forked and imported");
	round_trip(CHANGE, "a change");
	round_trip("{\"type\":\"change\",\"timestamp\":3000,\"title\":\"\",\"tokenUsage\":{\"inputTokens\":1,"
	           "\"outputTokens\":2}}", "a change that a model was asked for");
	round_trip(REWIND, "a rewind");
	round_trip("{\"type\":\"rewind\",\"timestamp\":4000,\"to\":null}", "a rewind to the beginning");
	round_trip(SUMMARY, "a summary");
}

static void test_usage(void)
{
	struct usage sum = USAGE_NONE, none = USAGE_NONE, one = { 1, 2, 3, -1, 0, -1, 100000000 };

	usage_add(&sum, &none);
	ok(!usage_known(&sum), "nothing and nothing is unknown");
	usage_add(&sum, &(struct usage){ COUNT_MAX, -1, 1, -1, -1, -1, -1 });
	usage_add(&sum, &(struct usage){ COUNT_MAX, -1, 2, -1, -1, -1, -1 });
	is_int(sum.input, COUNT_MAX, "a sum stays one that every reader can count to");
	is_int(sum.total, 3, "and the others go on");
	sum = (struct usage)USAGE_NONE;
	usage_add(&sum, &one);
	usage_add(&sum, &one);
	usage_add(&sum, &none);
	ok(sum.input == 2 && sum.output == 4 && sum.total == 6, "what is known is added");
	ok(sum.reasoning == -1 && sum.cached == 0, "the unknown stays so, nothing is a number");
	ok(sum.cost == 200000000 && sum.cache_write == -1, "so are costs");
	is_str(status_name(STATUS_COMPLETE), "complete", "names of states");
	is_str(status_name(STATUS_ERROR), "error", "error");
	is_str(status_name(STATUS_INTERRUPTED), "interrupted", "interrupted");
}

static void test_cost(void)
{
	static const struct {
		double dollars;
		const char *text;
	} costs[] = { { 0, "0" }, { 1, "1" }, { 0.1, "0.1" }, { 0.000012345, "0.000012345" },
		{ 12.5, "12.5" }, { 1e-9, "0.000000001" }, { 1e-10, "0" }, { 4503599.625, "4503599.625" } };
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		buf_clear(&b);
		usage_add_cost(&b, usage_cost(costs[i].dollars));
		is_buf(&b, costs[i].text, "a cost of %s", costs[i].text);
	}
	is_int(usage_cost(-1), -1, "less than nothing is not a cost");
	is_int(usage_cost(1e300), -1, "nor is more than there is");
	buf_release(&b);
}

/* Records with bytes changed: refused or read, and nothing leaks or breaks. */
static void test_damaged(void)
{
	static const char *const good[] = { HEAD, EXCHANGE, CHANGE, REWIND, ATTACHED, SUMMARY,
		EXCHANGE_FULL, STEP, RESULT, CHANGE_FULL };
	uint64_t seed = 8;
	int read = 0, silent = 0;

	for (int i = 0; i < 8000; i++) {
		struct err e = ERR_INIT;
		char text[768];
		size_t n = strlen(good[i % 10]);
		struct record r;

		memcpy(text, good[i % 10], n + 1);
		for (size_t k = rnd_below(&seed, 2) + 1; k; k--)
			text[rnd_below(&seed, n)] = (char)(1 + rnd_below(&seed, 255));
		if (parse(text, &r, &e)) {
			read++;
			record_release(&r);
		} else {
			silent += (e.kind != ERR_DAMAGED && e.kind != ERR_VERSION) || !e.msg[0];
		}
	}
	is_int(silent, 0, "8000 damaged records are refused with a reason");
	ok(read > 100 && read < 7000, "or read, where the damage is in a text (%d)", read);
}

int main(void)
{
	test_head();
	test_exchange();
	test_attachments();
	test_bad_attachments();
	test_change_and_rewind();
	test_summary();
	test_other();
	test_missing_and_wrong();
	test_bad_values();
	test_format();
	test_round_trip();
	test_usage();
	test_cost();
	test_damaged();
	return tap_end();
}
