#include "base/json-scan.h"
#include "base/json.h"

#include <json-c/json_object_iterator.h>

#include "base/utf8.h"
#include "data.h"
#include "tap.h"

static bool parses(struct span text, struct err *e)
{
	struct json_object *o;
	struct span copy = exact(text);
	bool good = json_parse_object(copy, &o, e) == 0;

	drop(copy);
	if (good)
		json_object_put(o);
	return good;
}

static void test_accept(void)
{
	static const char *const good[] = {
		"{}", " {\t\"a\" :\r\n1 } \n", "{\"a\":[1,-2.5e3,\"x\",null,true,false,{}]}",
		"{\"\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}", "{\"a\":\"é漢😀\"}",
		"{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]},\"b\":1}", "{\"a\":9223372036854775807,\"b\":-9223372036854775808}",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err e = ERR_INIT;

		ok(parses(span_str(good[i]), &e), "accepted, case %zu", i);
		if (e.kind)
			tap_note("%s", e.msg);
	}
}

/* All characters that are written as pairs. */
static void test_pairs(void)
{
	struct buf want = BUF_INIT, text = BUF_INIT;
	int bad = 0;

	for (uint32_t c = 0x10000; c <= 0x10ffff; c += 0x200) {
		struct json_object *strict, *lenient;
		struct err e = ERR_INIT;

		buf_clear(&text);
		buf_clear(&want);
		utf8_add(&want, c);
		buf_addf(&text, "{\"a\":\"\\\\\\u%04x\\u%04X\\\"\",\"\\uD%03x\\ud%03x\":1}",
		         0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff),
		         0x800 + ((c - 0x10000) >> 10), 0xc00 + (c & 0x3ff));
		if (json_parse_object(buf_span(&text), &strict, &e) < 0 ||
		    json_parse_lenient(buf_span(&text), &lenient, &e) < 0) {
			bad++;
			continue;
		}
		bad += !json_object_equal(strict, lenient) || !json_member(strict, want.p);
		buf_adds(&want, "\"");
		bad += strcmp(json_member_str(strict, "a").p + 1, want.p) != 0;
		json_object_put(strict);
		json_object_put(lenient);
	}
	is_int(bad, 0, "each pair is its character");
	buf_release(&want);
	buf_release(&text);
}

static void test_refuse(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "" }, { " ", "" }, { "{", "breaks off" }, { "{\"a\":\"x", "breaks off" },
		{ "[]", "no JSON object" }, { "1 ", "no JSON object" }, { "null", "" },
		{ "\"x\"", "no JSON object" }, { "{}{}", "" }, { "{} x", "" }, { "{},", "" }, { "}", "" },
		{ "{\"a\":1,}", "" }, { "{,}", "" }, { "{\"a\":[1,]}", "" }, { "{\"a\":[1 2]}", "" },
		{ "{\"a\" 1}", "" }, { "{\"a\":}", "" }, { "{a:1}", "" }, { "{'a':1}", "" },
		{ "{\"a\":'x'}", "" }, { "{\"a\":tru}", "" }, { "{\"a\":True}", "" },
		{ "{/**/}", "" }, { "{} // x", "" }, { "{\"a\":0x1}", "" }, { "{\"a\":1.}", "" },
		{ "{\"a\":.5}", "" }, { "{\"a\":+1}", "" }, { "{\"a\":-}", "" }, { "{\"a\":1e}", "" },
		{ "{\"a\":\"\\x\"}", "" }, { "{\"a\":\"\\u12g4\"}", "" }, { "{\"a\":\"\xff\"}", "" },
		{ "{\"a\":\"\xed\xa0\x80\"}", "" }, { "{\"a\":\"\xc0\x80\"}", "" }, { "{\"\xff\":1}", "" },
		/* RFC 8259 has none of these either */
		{ "{\"a\":NaN}", "" }, { "{\"a\":Infinity}", "" }, { "{\"a\":-Infinity}", "" },
		{ "{\"a\":01}", "" }, { "{\"a\":\"x\ny\"}", "" }, { "{\"a\":\"x\ty\"}", "" },
		{ "\xef\xbb\xbf{}", "" },
		/* it has these, and warns of them */
		{ "{\"a\":1,\"a\":2}", "two members of one name" },
		{ "{\"type\":1,\"t\\u0079pe\":2}", "two members of one name" },
		{ "{\"x\":[1,{\"y\":{\"a\":1,\"b\":2,\"a\":3}}]}", "two members of one name" },
		{ "{\"a\":\"\\ud800\"}", "half a surrogate pair (at byte 9)" },
		{ "{\"a\":\"\\udc00\\ud800\"}", "half a surrogate pair" },
		{ "{\"a\":\"\\ud800\\ud800\"}", "half a surrogate pair" },
		{ "{\"a\":\"\\ud83dx\"}", "half a surrogate pair" },
		{ "{\"\\udfff\":1}", "half a surrogate pair" },
		{ "{\"a\\u0000\":1}", "a NUL in a name" },
		{ "{\"a\\u0000b\":1,\"a\\u0000c\":2}", "a NUL in a name" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		if (ok(!parses(span_str(bad[i].text), &e), "refused, case %zu", i))
			is_err(&e, ERR_DAMAGED, bad[i].why, "with a reason");
		else
			tap_quote("text", span_str(bad[i].text));
	}
}

static void test_nul_bytes(void)
{
	struct err e = ERR_INIT;

	ok(!parses((struct span){ "{}\0", 3 }, &e), "a NUL behind the object");
	err_clear(&e);
	ok(!parses((struct span){ "{}\0{}", 5 }, &e), "a NUL and an object behind it");
	err_clear(&e);
	ok(!parses((struct span){ "\0{}", 3 }, &e), "a NUL before it");
	err_clear(&e);
	ok(!parses((struct span){ "{\"a\":\"x\0y\"}", 11 }, &e), "a NUL in a string");
	err_clear(&e);
	ok(!parses((struct span){ "{\"a\":\0 1}", 9 }, &e), "a NUL between");
}

static void test_depth(void)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	for (int depth = JSON_DEPTH - 1; depth <= JSON_DEPTH + 1; depth++) {
		buf_clear(&b);
		err_clear(&e);
		for (int i = 1; i < depth; i++)
			buf_adds(&b, "{\"a\":");
		buf_adds(&b, "{}");
		for (int i = 1; i < depth; i++)
			buf_adds(&b, "}");
		is_int(parses(buf_span(&b), &e), depth < JSON_DEPTH + 1, "nested %d deep", depth);
	}
	buf_release(&b);
}

static void test_lenient(void)
{
	struct err e = ERR_INIT;
	struct json_object *o;

	is_int(json_parse_lenient(span_str("{\"a\":\"x\xf0\x9f\"}"), &o, &e), 0,
	       "half a character is taken from a server");
	is_span(json_member_str(o, "a"), "x\xf0\x9f", "as it came");
	json_object_put(o);
	is_int(json_parse_lenient(span_str("{\"a\":1,}"), &o, &e), -1, "other strictness stays");
	ok(!o, "and there is no object then");
	err_clear(&e);
	is_int(json_parse_lenient((struct span){ "", 0 }, &o, &e), -1, "nothing is no object");
}

/* What servers are known to send though it is not JSON, or not good JSON. */
static void test_lenient_strings(void)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{ "{\"a\":\"\\ud83d\"}", "\xed\xa0\xbd" }, { "{\"a\":\"\\ude00x\"}", "\xed\xb8\x80x" },
		{ "{\"a\":\"\\ud83d\\ud83d\\ude00\"}", "\xed\xa0\xbd😀" }, { "{\"a\":\"x\ny\tz\x01\"}", "x\ny\tz\x01" },
		{ "{\"a\":\"x\x02\\ny\"}", "x\x02\ny" }, { "{\"a\":\"1\",\"b\":3,\"a\":\"2\"}", "2" },
		{ "{\"b\":\"\xff\",\"a\":\"\xc3\"}", "\xc3" }, { "{\"b\\u0000c\":1,\"a\":\"x\"}", "x" },
		{ "{\"n\":NaN,\"m\":[-Infinity,Infinity],\"a\":\"x\"}", "x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span copy = exact(span_str(cases[i].text));
		struct err e = ERR_INIT;
		struct json_object *o;

		ok(!json_is_whole(copy) || i == 5, "not JSON by the letter, case %zu", i);
		is_int(json_parse_lenient(copy, &o, &e), 0, "but taken from a server");
		is_span(json_member_str(o, "a"), cases[i].want, "with its string");
		ok(!json_member(o, "n"), "NaN and Infinity are null");
		json_object_put(o);
		ok(json_parse_object(copy, &o, &e) < 0 && e.kind == ERR_DAMAGED, "strictly it is refused: %s", e.msg);
		drop(copy);
	}
}

/* Numbers of any length are JSON, and keep their digits when they are written again. */
static void test_numbers(void)
{
	static const char *const same[] = {
		"9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
		"-9223372036854775808", "-9223372036854775809", "123456789012345678901234567890", "1e400",
		"-1.50", "0.1000", "1E+2", "2.5e-3", "0", "-12",
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct json_object *o = NULL;
		struct err e = ERR_INIT;
		struct buf text = BUF_INIT, out = BUF_INIT;

		buf_addf(&text, "{\"n\":[%s]}", same[i]);
		is_int(json_parse_object(buf_span(&text), &o, &e), 0, "a number: %s%s", same[i], e.msg);
		json_add_value(&out, o);
		is_buf(&out, text.p, "written as it was");
		json_object_put(o);
		buf_release(&text);
		buf_release(&out);
	}
}

/* A number has no end of its own, nor a word. */
static void test_bare_values(void)
{
	static const struct {
		const char *text;
		double want;
	} good[] = { { "7", 7 }, { "-0.25", -0.25 }, { "1e3", 1000 }, { " 12 ", 12 }, { "0", 0 }, { "true", 1 } };
	static const char *const bad[] = { "1e", "-", "1.", "1 2", "nul", "[1", "{\"a\":1", "\"1" };
	struct json_object *o;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct span copy = exact(span_str(good[i].text));

		is_int(json_parse_lenient(copy, &o, &e), 0, "a bare value: %s", good[i].text);
		ok(json_object_get_double(o) == good[i].want, "its value");
		json_object_put(o);
		drop(copy);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_int(json_parse_lenient(span_str(bad[i]), &o, &e), -1, "no whole value: %s", bad[i]);
		is_int(e.kind, ERR_DAMAGED, "is an error");
		err_clear(&e);
	}
}

static void test_members(void)
{
	struct span s = span_str("before");
	struct err e = ERR_INIT;
	struct json_object *o, *inner = NULL;
	int64_t n = 77;

	json_parse_object(span_str("{\"s\":\"x\\u0000y\",\"i\":5,\"f\":1.5,\"o\":{\"k\":1},\"z\":null,"
	                           "\"big\":9223372036854775807,\"b\":true}"), &o, &e);
	is_int(json_get_str(o, "s", &s, &e), 1, "a string");
	is_bytes(s, "x\0y", 3, "with its NUL");
	is_int(json_get_str(o, "z", &s, &e), 0, "null is like missing");
	is_int(json_get_str(o, "none", &s, &e), 0, "missing");
	is_bytes(s, "x\0y", 3, "and leaves the value alone");
	is_int(json_get_int(o, "i", &n, &e), 1, "a number");
	is_int(n, 5, "its value");
	is_int(json_get_int(o, "big", &n, &e), 1, "a large number");
	is_int(n, INT64_MAX, "its value");
	is_int(json_get_int(o, "none", &n, &e), 0, "no number");
	is_int(json_get_obj(o, "o", &inner, &e), 1, "an object");
	ok(json_member(inner, "k") != NULL, "with its member");
	is_int(json_get_str(o, "i", &s, &e), -1, "a number is no string");
	is_err(&e, ERR_DAMAGED, "'i' must be a string", "says so");
	err_clear(&e);
	is_int(json_get_int(o, "f", &n, &e), -1, "a fraction is no whole number");
	is_err(&e, ERR_DAMAGED, "'f' must be a whole number", "says so");
	err_clear(&e);
	is_int(json_get_int(o, "b", &n, &e), -1, "nor is true");
	err_clear(&e);
	is_int(json_get_obj(o, "s", &inner, &e), -1, "a string is no object");
	is_err(&e, ERR_DAMAGED, "'s' must be an object", "says so");
	ok(!json_member(NULL, "x") && !json_member(json_member(o, "i"), "x"),
	   "what is no object has no members");
	is_span(json_member_str(o, "i"), "", "no string: nothing");
	json_object_put(o);
}

/* ---- the writer ---- */

static void test_writer(void)
{
	struct buf b = BUF_INIT;
	int bad = 0;

	for (uint32_t c = 0; c < 0x180; c++) {
		struct err e = ERR_INIT;
		struct json_object *o;
		char text[8] = "<";
		size_t n = 1;

		if (c < 0x80) {
			text[n++] = (char)c;
		} else {
			text[n++] = (char)(0xc0 | c >> 6);
			text[n++] = (char)(0x80 | (c & 0x3f));
		}
		text[n++] = '>';
		buf_clear(&b);
		buf_adds(&b, "{\"k\":");
		json_add_str(&b, (struct span){ text, n });
		bad += b.n - strlen("{\"k\":") != json_escaped_length((struct span){ text, n }) + 2;
		buf_adds(&b, "}");
		for (size_t i = 0; i < b.n; i++)
			bad += (unsigned char)b.p[i] < 0x20;
		if (json_parse_object(buf_span(&b), &o, &e) < 0) {
			bad++;
			tap_note("U+%04X: %s", (unsigned)c, e.msg);
			continue;
		}
		if (json_member_str(o, "k").n != n || memcmp(json_member_str(o, "k").p, text, n) != 0) {
			bad++;
			tap_note("U+%04X came back different", (unsigned)c);
		}
		json_object_put(o);
	}
	is_int(bad, 0, "each character comes back, no control stays raw");
	buf_clear(&b);
	json_add_str(&b, (struct span){ "\"\\/\b\f\n\r\t\v\0\x7fé", 13 });
	is_buf(&b, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u000b\\u0000\x7fé\"", "the short forms");
	buf_clear(&b);
	json_add_str(&b, (struct span){ NULL, 0 });
	is_buf(&b, "\"\"", "nothing");
	buf_release(&b);
}

static void test_value(void)
{
	static const char text[] = "{\"a\":[1,2.5,null],\"b\":\"x/\\n\\u0001\",\"c\":{}}";
	struct err e = ERR_INIT;
	struct json_object *o;
	struct buf b = BUF_INIT;

	json_parse_object(span_str(text), &o, &e);
	json_add_value(&b, o);
	is_buf(&b, text, "a value on one line, slashes as they were");
	json_object_put(o);
	buf_clear(&b);
	json_add_value(&b, NULL);
	is_buf(&b, "null", "json-c's NULL is null");
	buf_release(&b);
}

/* ---- the scanner ---- */

static void test_scan(void)
{
	static const char text[] = " { \"a\" : 1 ,\"b\":\"x,}\\\"]\", \"c\":[1,{\"d\":\"]}\"}],\"e\":{\"a\":9},"
		"\"f\":null,\"g\":-5}\n";
	static const char *const want[][2] = {
		{ "a", "1" }, { "b", "\"x,}\\\"]\"" }, { "c", "[1,{\"d\":\"]}\"}]" }, { "e", "{\"a\":9}" },
		{ "f", "null" }, { "g", "-5" },
	};
	struct json_scan s = json_scan(span_str(text));
	struct span key, value;

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		is_int(json_scan_next(&s, &key, &value), 1, "a member");
		is_span(key, want[i][0], "its key");
		is_span(value, want[i][1], "its value as it stands");
	}
	is_int(json_scan_next(&s, &key, &value), 0, "the end");
	is_int(json_scan_next(&s, &key, &value), 0, "still the end");
	ok(json_scan_find(span_str(text), "e", &value), "one key is found");
	is_span(value, "{\"a\":9}", "its value");
	ok(!json_scan_find(span_str(text), "d", &value), "a nested one is not");
	ok(!json_scan_find(span_str("[1]"), "a", &value), "nor any in an array");
	ok(json_scan_find(span_str("{\"k\":\"a\\\\\"}"), "k", &value), "an escaped backslash at the end");
	is_span(value, "\"a\\\\\"", "does not escape the quote");
	ok(!json_scan_find(span_str("{\"k\":\"a\\\"}"), "k", &value), "one backslash does");
}

static void test_scan_expect(void)
{
	static const char text[] = "{\"ab\":1,\"c\":\"x\", \"d\":2}";
	const struct span ab = span_str("ab"), a = span_str("a"), c = span_str("c"), d = span_str("d");
	struct json_scan s = json_scan(span_str(text));
	struct span value = { "", 0 }, key;
	int wrong = 0;

	ok(!json_scan_expect(&s, a, &value) && !json_scan_expect(&s, c, &value), "not what comes next");
	ok(json_scan_expect(&s, ab, &value), "what comes next");
	is_span(value, "1", "its value");
	ok(json_scan_expect(&s, c, &value), "the next");
	is_span(value, "\"x\"", "its value");
	ok(!json_scan_expect(&s, d, &value), "not behind a space");
	is_int(json_scan_next(&s, &key, &value), 1, "but the other way");
	is_span(value, "2", "the same place");
	for (size_t n = 0; n < sizeof(text); n++) {
		struct span copy = exact((struct span){ text, n });

		s = json_scan(copy);
		while (json_scan_expect(&s, ab, &value) || json_scan_expect(&s, c, &value))
			wrong += value.p + value.n >= copy.p + copy.n;
		drop(copy);
	}
	is_int(wrong, 0, "cut at each byte, it stays inside");
}

/* White space between tokens may be any of four characters. */
static void test_scan_white_space(void)
{
	static const char *const spaces[] = { " ", "\t", "\r", "\n", " \t\r\n " };

	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		static const char *const tokens[] = { "{", "\"a\"", ":", "12", ",", "\"b\"", ":", "null", "}" };
		struct span a = { "", 0 }, v = { "", 0 };
		struct buf b = BUF_INIT;

		for (size_t k = 0; k < sizeof(tokens) / sizeof(tokens[0]); k++)
			buf_addf(&b, "%s%s", spaces[i], tokens[k]);
		buf_adds(&b, spaces[i]);
		json_scan_find(buf_span(&b), "a", &a);
		is_span(a, "12", "a number before white space %zu", i);
		json_scan_find(buf_span(&b), "b", &v);
		is_span(v, "null", "null before white space %zu", i);
		buf_release(&b);
	}
}

static void test_scan_int(void)
{
	static const struct {
		const char *text;
		bool good;
		int64_t want;
	} cases[] = {
		{ "0", true, 0 }, { "-0", true, 0 }, { "42", true, 42 }, { "-42", true, -42 },
		{ "999999999999999999", true, INT64_C(999999999999999999) },
		{ "-999999999999999999", true, INT64_C(-999999999999999999) },
		{ "9999999999999999999", false, 0 }, { "", false, 0 }, { "-", false, 0 }, { "1.5", false, 0 },
		{ "1e3", false, 0 }, { "\"1\"", false, 0 }, { "null", false, 0 }, { " 1", false, 0 },
		{ "--1", false, 0 }, { "+1", false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span s = exact(span_str(cases[i].text));
		int64_t n = 0;

		is_int(json_scan_int(s, &n), cases[i].good, "a number? '%s'", cases[i].text);
		is_int(n, cases[i].want, "its value");
		drop(s);
	}
}

static void test_scan_str(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "\"\"", "" }, { "\"abc\"", "abc" }, { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
		{ "\"\\u0041\\u00e9\\u6f22\"", "Aé漢" }, { "\"\\ud83d\\ude00\"", "😀" },
		{ "\"\\uD83D\\uDE00\"", "😀" }, { "\"\\ud83dx\"", UTF8_REPLACEMENT "x" },
		{ "\"\\ude00\\ud83d\"", UTF8_REPLACEMENT UTF8_REPLACEMENT },
		{ "\"\\ud83d\\u0041\"", UTF8_REPLACEMENT "A" },
		{ "\"\\ud83d\\ud83d\\ude00\"", UTF8_REPLACEMENT "😀" },
		{ "null", "" }, { "12", "" }, { "", "" }, { "\"", "" }, { "[\"a\"]", "" },
		/* no JSON: all that counts is that nothing breaks */
		{ "\"\\u12\"", UTF8_REPLACEMENT "12" }, { "\"a\\\"", "a" }, { "\"\\q\"", "q" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span s = exact(span_str(cases[i].text));
		struct buf b = BUF_INIT;

		json_scan_add_str(&b, s);
		is_buf(&b, cases[i].want, "characters of case %zu", i);
		drop(s);
		buf_release(&b);
	}
}

static void random_string(struct buf *b, uint64_t *seed)
{
	static const char *const parts[] = { "a", "bc", " ", "\\\"", "\\\\", "\\n", "\\u00e9", "\\u0001",
		                             "\\ud83d\\ude00", "é", "😀", "{", "}", "[", "]", ",", ":",
		                             "\\/", "\\t", "version" };

	buf_addc(b, '"');
	for (size_t n = rnd_below(seed, 6); n; n--)
		buf_adds(b, parts[rnd_below(seed, sizeof(parts) / sizeof(parts[0]))]);
	buf_addc(b, '"');
}

static void random_space(struct buf *b, uint64_t *seed)
{
	if (rnd_below(seed, 6) == 0)
		buf_addc(b, ' ');
}

static void random_value(struct buf *b, uint64_t *seed, int depth);

static void random_object(struct buf *b, uint64_t *seed, int depth)
{
	size_t n = rnd_below(seed, 5);

	buf_addc(b, '{');
	for (size_t i = 0; i < n; i++) {
		buf_addf(b, "%s", i ? "," : "");
		random_space(b, seed);
		buf_addf(b, "\"k%zu\"", i);
		random_space(b, seed);
		buf_addc(b, ':');
		random_space(b, seed);
		random_value(b, seed, depth);
		random_space(b, seed);
	}
	buf_addc(b, '}');
}

static void random_value(struct buf *b, uint64_t *seed, int depth)
{
	static const char *const literals[] = { "null", "true", "false", "1.5e3", "-0.25" };
	size_t kind = rnd_below(seed, depth ? 6 : 4);

	if (kind < 2) {
		random_string(b, seed);
	} else if (kind == 2) {
		buf_addf(b, "%" PRId64, (int64_t)rnd(seed) >> (8 + rnd_below(seed, 50)));
	} else if (kind == 3) {
		buf_adds(b, literals[rnd_below(seed, 5)]);
	} else if (kind == 4) {
		random_object(b, seed, depth - 1);
	} else {
		buf_addc(b, '[');
		for (size_t i = 0, n = rnd_below(seed, 4); i < n; i++) {
			buf_adds(b, i ? ", " : "");
			random_value(b, seed, depth - 1);
		}
		buf_addc(b, ']');
	}
}

/* The scanned value against json-c's. */
static bool same_value(struct span value, struct json_object *v)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct json_object *o = NULL;
	int64_t n = 0;
	bool same;

	if (json_object_is_type(v, json_type_string)) {
		json_scan_add_str(&b, value);
		same = b.n == (size_t)json_object_get_string_len(v) &&
		       memcmp(b.p, json_object_get_string(v), b.n) == 0;
	} else if (json_object_is_type(v, json_type_int)) {
		same = json_scan_int(value, &n) && n == json_object_get_int64(v);
	} else {
		buf_adds(&b, "{\"v\":");
		buf_add(&b, value.p, value.n);
		buf_adds(&b, "}");
		same = json_parse_object(buf_span(&b), &o, &e) == 0 &&
		       json_object_equal(json_member(o, "v"), v) && !json_scan_int(value, &n);
		json_object_put(o);
	}
	buf_release(&b);
	return same;
}

static bool scans_like_json_c(struct span text, struct json_object *o)
{
	struct json_scan s = json_scan(text);
	struct json_object_iterator at = json_object_iter_begin(o), end = json_object_iter_end(o);
	struct span key, value;
	int got;

	while ((got = json_scan_next(&s, &key, &value)) > 0) {
		if (json_object_iter_equal(&at, &end) || !span_eq(key, json_object_iter_peek_name(&at)) ||
		    !same_value(value, json_object_iter_peek_value(&at)))
			return false;
		json_object_iter_next(&at);
	}
	return got == 0 && json_object_iter_equal(&at, &end);
}

/* The object cut at each byte: every read stays inside, and a cut one is no object. */
static int scan_cut(struct span text)
{
	int bad = 0;

	for (size_t n = 0; n < text.n; n++) {
		struct span copy = exact((struct span){ text.p, n }), key, value;
		struct json_scan s = json_scan(copy);
		struct buf b = BUF_INIT;
		int got;

		while ((got = json_scan_next(&s, &key, &value)) > 0)
			json_scan_add_str(&b, value);
		bad += got == 0;
		buf_release(&b);
		drop(copy);
	}
	return bad;
}

static void test_random_objects(void)
{
	uint64_t seed = 5;
	int different = 0, cut_taken = 0;
	size_t members = 0;

	for (int i = 0; i < 2000; i++) {
		struct buf b = BUF_INIT;
		struct err e = ERR_INIT;
		struct json_object *o;
		struct span copy;

		random_object(&b, &seed, 3);
		copy = exact(buf_span(&b));
		if (json_parse_object(copy, &o, &e) < 0 || !scans_like_json_c(copy, o)) {
			if (!different++)
				tap_quote(e.kind ? e.msg : "differs", copy);
		}
		members += o ? (size_t)json_object_object_length(o) : 0;
		if (i % 10 == 0)
			cut_taken += scan_cut(copy);
		json_object_put(o);
		drop(copy);
		buf_release(&b);
	}
	is_int(different, 0, "2000 random objects are scanned as json-c reads them");
	ok(members > 2000, "with members in them (%zu)", members);
	is_int(cut_taken, 0, "none that is cut, at any byte, passes for a whole one");
}

/* Objects with a byte changed, put in or left out: no read outside, and an end. */
static void test_damaged_objects(void)
{
	static const char bytes[] = "{}[]\",:\\u0 \n1n\xff";
	uint64_t seed = 6;
	int whole = 0;

	for (int i = 0; i < 20000; i++) {
		struct span key, value, copy;
		struct buf b = BUF_INIT, out = BUF_INIT;
		struct json_scan s;
		int64_t n;
		int got, rounds = 0;

		random_object(&b, &seed, 2);
		for (size_t k = rnd_below(&seed, 3) + 1; k; k--)
			b.p[rnd_below(&seed, b.n)] = bytes[rnd_below(&seed, sizeof(bytes) - 1)];
		copy = exact(buf_span(&b));
		s = json_scan(copy);
		while ((got = json_scan_next(&s, &key, &value)) > 0 && rounds++ < 1000) {
			json_scan_add_str(&out, value);
			json_scan_int(value, &n);
		}
		whole += got == 0;
		if (rounds > 1000)
			tap_quote("no end", copy);
		drop(copy);
		buf_release(&b);
		buf_release(&out);
	}
	ok(whole > 100 && whole < 20000, "20000 damaged objects do no harm (%d pass)", whole);
}

static void writer(void)
{
	struct buf b = BUF_INIT;

	json_open(&b, '{');
	json_put_str(&b, "a", span_str("x\"{"));
	json_put_str(&b, "none", (struct span){ NULL, 0 });
	json_put_optional(&b, "left out", (struct span){ NULL, 0 });
	json_put_optional(&b, "b", span_str("[:,"));
	json_key(&b, "list");
	json_open(&b, '[');
	json_item_str(&b, span_str(""));
	json_open(&b, '{');
	json_close(&b, '}');
	json_open(&b, '[');
	json_close(&b, ']');
	json_item_str(&b, span_str("{"));
	json_close(&b, ']');
	json_put_int(&b, "n", -5);
	json_put_value(&b, "left out", NULL);
	json_put_bool(&b, "t", true);
	json_close(&b, '}');
	is_buf(&b, "{\"a\":\"x\\\"{\",\"none\":null,\"b\":\"[:,\",\"list\":[\"\",{},[],\"{\"],\"n\":-5,"
	       "\"t\":true}", "an object, its commas placed");
	buf_addc(&b, '\n');
	json_open(&b, '{');
	json_close(&b, '}');
	ok(b.p[b.n - 3] == '\n', "no comma before an object on a line of its own");
	buf_release(&b);
}

static void writer_of_values(void)
{
	struct json_object *v = json_object_new_int(3);
	struct buf b = BUF_INIT;

	json_open(&b, '{');
	json_put_open(&b, "list", '[');
	json_item_value(&b, NULL);
	json_item_value(&b, v);
	json_item_raw(&b, span_str("\t[]\n"));
	json_item_raw(&b, span_str("0"));
	json_open(&b, '"');
	json_add_escaped(&b, span_str("in pieces: {[,"));
	json_add_escaped(&b, span_str("\"\n"));
	json_close(&b, '"');
	json_close(&b, ']');
	json_put_open(&b, "data", '"');
	json_close(&b, '"');
	json_put_raw(&b, "left out", (struct span){ NULL, 0 });
	json_put_raw(&b, "raw", span_str(" {\"a\": [1, 2]}\n"));
	json_put_raw(&b, "number", span_str("1e3\t"));
	json_put_word(&b, "none", NULL);
	json_put_null(&b, "nor");
	json_put_word(&b, "type", "text");
	json_close(&b, '}');
	is_buf(&b, "{\"list\":[null,3,[],0,\"in pieces: {[,\\\"\\n\"],\"data\":\"\",\"raw\":{\"a\": [1, 2]},"
	       "\"number\":1e3,\"none\":null,\"nor\":null,\"type\":\"text\"}", "values in an array, and as JSON");
	ok(json_is_whole(buf_span(&b)), "which is JSON");
	json_object_put(v);
	buf_release(&b);
}

int main(void)
{
	test_accept();
	test_pairs();
	test_refuse();
	test_nul_bytes();
	test_depth();
	test_lenient();
	test_lenient_strings();
	test_numbers();
	test_bare_values();
	test_members();
	test_writer();
	test_value();
	test_scan();
	test_scan_expect();
	test_scan_white_space();
	test_scan_int();
	test_scan_str();
	test_random_objects();
	test_damaged_objects();
	writer();
	writer_of_values();
	return tap_end();
}
