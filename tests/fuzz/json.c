/*
 * lib/base/json, json-read and json-scan. The input is a text that may be JSON, and
 * any text as a string.
 *
 * Properties: an object by the letter is parsed, strictly if it has no name twice, leniently
 * in any case and to the same, and so is any value leniently; written again it is JSON by the
 * letter and the same. The scanner walks through just the members that json-c finds, in their
 * order, with the same strings and numbers, and finds the first of a name. A string that is
 * written is JSON, on one line, and both readers give it back.
 */
#include "base/json.h"

#include <json-c/json_object_iterator.h>
#include <json-c/linkhash.h>

#include "base/json-scan.h"
#include "base/utf8.h"
#include "fuzz.h"

/* The scanned value means the same as json-c's. */
static void check_value(struct span value, struct json_object *v)
{
	struct buf text = BUF_INIT;
	int64_t n = 0;

	must(json_is_whole(value), "'%.*s'", (int)value.n, value.p);
	json_scan_add_str(&text, value);
	if (json_object_is_type(v, json_type_string))
		must_be_same(buf_span(&text),
		             ((struct span){ json_object_get_string(v),
		                             (size_t)json_object_get_string_len(v) }), "a string");
	else
		must(text.n == 0, "no string: '%s'", text.p);
	if (json_scan_int(value, &n))
		must(json_object_is_type(v, json_type_int) && json_object_get_int64(v) == n,
		     "'%.*s' is %" PRId64, (int)value.n, value.p, n);
	else if (json_object_is_type(v, json_type_int))
		must(value.n > 18, "'%.*s' is a number", (int)value.n, value.p);
	buf_release(&text);
}

/* A scanned key as json-c has it. */
static struct span unescape(struct span key, struct buf *b)
{
	buf_clear(b);
	json_scan_add_str(b, (struct span){ key.p - 1, key.n + 2 });
	return buf_span(b);
}

/* No name is there twice, so json-c has them in the text's order. */
static void check_members(struct span text, struct json_object *o)
{
	struct json_object_iterator at = json_object_iter_begin(o), end = json_object_iter_end(o);
	struct json_scan s = json_scan(text);
	struct span key, value, first;
	struct buf name = BUF_INIT;
	int r;

	while ((r = json_scan_next(&s, &key, &value)) > 0) {
		must(!json_object_iter_equal(&at, &end), "a member more than json-c finds");
		unescape(key, &name);
		/* json-c's names end with their first NUL. */
		must(strcmp(name.p, json_object_iter_peek_name(&at)) == 0, "'%s'", name.p);
		check_value(value, json_object_iter_peek_value(&at));
		json_object_iter_next(&at);
		if (!memchr(key.p, '\\', key.n)) {
			must(json_scan_find(text, name.p, &first), "'%s' is found", name.p);
			must(first.p == value.p && first.n == value.n, "'%s' is found", name.p);
		}
	}
	must(r == 0, "the scanner comes to the end");
	must(json_object_iter_equal(&at, &end), "a member less than json-c finds");
	buf_release(&name);
}

/* The first of a name is found, whatever follows. */
static void check_first(struct span text)
{
	struct json_scan s = json_scan(text);
	struct span key, value, found;
	char name[64];

	if (json_scan_next(&s, &key, &value) <= 0 || key.n >= sizeof(name) || memchr(key.p, 0, key.n))
		return;
	memcpy(name, key.p, key.n);
	name[key.n] = '\0';
	must(json_scan_find(text, name, &found), "'%s'", name);
	must(found.p == value.p && found.n == value.n, "the first '%s'", name);
	s = json_scan(text);
	must(!json_scan_expect(&s, span_str(name), &found) || found.p == value.p, "'%s'", name);
}

static void check_again(struct json_object *o)
{
	struct json_object *again;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	json_add_value(&b, o);
	must(!memchr(b.p, '\n', b.n), "on one line: %s", b.p);
	must(json_parse_object(buf_span(&b), &again, &e) == 0, "%s: %s", e.msg, b.p);
	must(json_object_equal(o, again), "%s", b.p);
	json_object_put(again);
	buf_release(&b);
}

/* A member for each colon that is in no string. */
static size_t count_colons(struct span text)
{
	bool in_string = false;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		in_string ^= text.p[i] == '"';
		n += !in_string && text.p[i] == ':';
		i += in_string && text.p[i] == '\\';
	}
	return n;
}

static size_t count_members(struct json_object *o)
{
	size_t n = 0;

	if (json_object_is_type(o, json_type_array))
		for (size_t i = 0; i < json_object_array_length(o); i++)
			n += count_members(json_object_array_get_idx(o, i));
	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, v)
			n += count_members(v) + (key != NULL);
	}
	return n;
}

static void check_object(struct span text, struct json_object *lenient)
{
	bool twins = count_members(lenient) != count_colons(text);
	struct err e = ERR_INIT;
	struct json_object *o;

	if (json_parse_object(text, &o, &e) == 0) {
		must(!twins, "two members of one name");
		must(json_object_equal(o, lenient), "strictly and leniently");
		check_members(text, o);
		check_again(o);
		json_object_put(o);
	} else {
		must(twins && e.kind == ERR_DAMAGED, "%s", e.msg);
	}
}

static void check_text(struct span text)
{
	struct json_object *o;
	struct err e = ERR_INIT;
	size_t start = 0;

	while (start < text.n && memchr(" \t\r\n", text.p[start], 4))
		start++;
	if (json_is_whole(text)) {
		must(json_parse_lenient(text, &o, &e) == 0, "%s", e.msg);
		if (text.p[start] == '{')
			check_object(text, o);
		json_object_put(o);
	} else {
		must(json_parse_object(text, &o, &e) < 0 && !o, "what is not JSON by the letter");
		must(e.kind == ERR_DAMAGED && e.msg[0], "a reason: %s", e.msg);
		err_clear(&e);
		if (json_parse_lenient(text, &o, &e) == 0)
			json_object_put(o);
	}
	check_first(text);
}

static void check_string(struct span s)
{
	struct json_object *o;
	struct buf b = BUF_INIT, back = BUF_INIT;
	struct span value;
	struct err e = ERR_INIT;

	buf_adds(&b, "{\"s\":");
	json_add_str(&b, s);
	buf_addc(&b, '}');
	for (size_t i = 0; i < b.n; i++)
		must((unsigned char)b.p[i] >= 0x20, "'%s'", b.p);
	must(json_scan_find(buf_span(&b), "s", &value), "'%s'", b.p);
	json_scan_add_str(&back, value);
	must_be_same(buf_span(&back), s, "as the scanner has it");
	if (utf8_valid(s.p, s.n) == s.n) {
		must(json_parse_object(buf_span(&b), &o, &e) == 0, "%s: %s", e.msg, b.p);
		must_be_same(json_member_str(o, "s"), s, "as json-c has it");
		json_object_put(o);
	}
	buf_release(&b);
	buf_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = exact((struct span){ (const char *)data, size });

	check_text(text);
	check_string(text);
	drop(text);
	return 0;
}
