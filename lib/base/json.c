#include "base/json.h"

#include <json-c/json_tokener.h>
#include <json-c/linkhash.h>
#include <string.h>

#include "base/utf8.h"

/* As json_check() weighs the text. */
static size_t weigh(struct json_object *o)
{
	size_t n = 0;

	switch (json_object_get_type(o)) {
	case json_type_object: {
		json_object_object_foreach(o, key, member)
			n += 1 + strlen(key) + weigh(member);
		return n;
	}
	case json_type_array:
		n = json_object_array_length(o);
		for (size_t i = 0; i < json_object_array_length(o); i++)
			n += weigh(json_object_array_get_idx(o, i));
		return n;
	case json_type_string:
		return (size_t)json_object_get_string_len(o);
	default:
		return 0;
	}
}

static bool is_object(struct span text)
{
	size_t i = 0;

	while (i < text.n && memchr(" \t\r\n", text.p[i], 4))
		i++;
	return i < text.n && text.p[i] == '{';
}

static bool is_null(struct span text)
{
	return text.n >= 4 && memmem(text.p, text.n, "null", 4);
}

static int check_end(struct span text, size_t end, struct err *e)
{
	while (end < text.n && memchr(" \t\r\n", text.p[end], 4))
		end++;
	if (end == text.n)
		return 0;
	return err_set(e, ERR_DAMAGED, "something behind the JSON value (at byte %zu)", end + 1);
}

/* 0, and *out may be NULL: json-c has no object for null, and none when memory ran out. */
static int parse_once(struct span text, struct json_object **out, struct err *e)
{
	struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH);
	enum json_tokener_error why;
	size_t end;

	*out = NULL;
	if (!t)
		return err_oom(e);
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	*out = json_tokener_parse_ex(t, text.p, (int)text.n);
	why = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	if (why == json_tokener_success && check_end(text, end, e) == 0)
		return 0;
	json_object_put(*out);
	*out = NULL;
	if (why == json_tokener_continue)
		return err_set(e, ERR_DAMAGED, "JSON that breaks off");
	return err_set(e, ERR_DAMAGED, "no valid JSON (%s at byte %zu)", json_tokener_error_desc(why),
	               end + 1);
}

/*
 * json-c 0.16 takes the escapes of some characters for half a pair: those whose last 16
 * bits are a low surrogate's, as U+2D800 (a Chinese character). So it gets the characters
 * that pairs stand for.
 */
static void add_unpaired(struct buf *b, struct span text)
{
	const char *p = text.p, *end = p + text.n, *slash;
	uint32_t c;

	while ((slash = memchr(p, '\\', (size_t)(end - p))) != NULL && end - slash >= 2) {
		buf_add(b, p, (size_t)(slash - p));
		p = slash + 2;
		if (slash[1] == 'u' && json_pair(p, end, &c)) {
			utf8_add(b, c);
			p += JSON_PAIR;
		} else {
			buf_add(b, slash, 2);
		}
	}
	buf_add(b, p, (size_t)(end - p));
}

/* `text`, or what is the same in `room`, which the caller releases. */
static int unpair(struct span *text, struct buf *room, struct err *e)
{
	if (!memmem(text->p, text->n, "\\ud", 3) && !memmem(text->p, text->n, "\\uD", 3))
		return 0;
	add_unpaired(room, *text);
	*text = buf_span(room);
	return buf_check(room, e);
}

/*
 * When memory runs out json-c 0.16 drops members and ends of strings without a word. Of
 * several members of one name it keeps the last. Either way the object weighs less than
 * the text; but only the second way also when it is made again. 1: it is all there. 0:
 * some names are there twice.
 */
static int is_complete(struct span text, size_t weight, struct json_object *o, struct err *e)
{
	struct json_object *again;
	size_t had = weigh(o);
	bool same;

	if (had == weight)
		return 1;
	if (parse_once(text, &again, e) < 0)
		return -1;
	same = weigh(again) == had;
	json_object_put(again);
	return same ? 0 : err_oom(e);
}

/* `text` is an object, by the letter: that json-c fails with it has one reason only. */
static int parse_checked(struct span text, size_t weight, struct json_object **out, struct err *e)
{
	struct err ignored = ERR_INIT;
	int whole;

	if (parse_once(text, out, &ignored) < 0 || !*out)
		return err_oom(e);
	whole = is_complete(text, weight, *out, &ignored);
	if (whole > 0)
		return 0;
	json_object_put(*out);
	*out = NULL;
	return whole < 0 ? err_oom(e)
	                 : err_set(e, ERR_DAMAGED, "an object with two members of one name");
}

/* json-c cannot tell that a bare number or word is over before it has seen what follows. */
static int parse_form(struct span text, struct json_object **out, struct err *e)
{
	struct buf ended = BUF_INIT;
	int r;

	if (text.n && memchr("}]\"", text.p[text.n - 1], 3))
		return parse_once(text, out, e);
	buf_add(&ended, text.p, text.n);
	buf_addc(&ended, '\n');
	r = buf_check(&ended, e) < 0 ? -1 : parse_once(buf_span(&ended), out, e);
	buf_release(&ended);
	return r;
}

static int check_size(struct span text, struct err *e)
{
	return text.n <= JSON_MAX ? 0 : err_set(e, ERR_DAMAGED, "larger than %u MiB", JSON_MAX >> 20);
}

int json_parse_object(struct span text, struct json_object **out, struct err *e)
{
	struct buf room = BUF_INIT;
	size_t weight;
	int r;

	*out = NULL;
	if (check_size(text, e) < 0 || json_check(text, &weight, e) < 0)
		return -1;
	if (!is_object(text))
		return err_set(e, ERR_DAMAGED, "no JSON object");
	r = unpair(&text, &room, e);
	if (r == 0)
		r = parse_checked(text, weight, out, e);
	buf_release(&room);
	return r;
}

static int parse_lenient(struct span text, struct json_object **out, struct err *e)
{
	struct err why = ERR_INIT;
	size_t weight;
	int r;

	if (json_check_form(text, &weight, &why) < 0)
		return parse_once(text, out, e); /* which is content with more, in its own way */
	r = parse_form(text, out, &why);
	if (r == 0 && (*out ? is_complete(text, weight, *out, &why) >= 0 : is_null(text)))
		return 0;
	json_object_put(*out);
	*out = NULL;
	return err_oom(e);
}

int json_parse_lenient(struct span text, struct json_object **out, struct err *e)
{
	struct buf room = BUF_INIT;
	int r = check_size(text, e);

	*out = NULL;
	if (r == 0)
		r = unpair(&text, &room, e);
	if (r == 0)
		r = parse_lenient(text, out, e);
	buf_release(&room);
	return r;
}

struct json_object *json_member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (!json_object_is_type(o, json_type_object))
		return NULL;
	json_object_object_get_ex(o, key, &v);
	return v;
}

struct span json_member_str(struct json_object *o, const char *key)
{
	struct json_object *v = json_member(o, key);

	if (!json_object_is_type(v, json_type_string))
		return (struct span){ "", 0 };
	return (struct span){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
}

/* 1 when the member is there and of `type`, 0 when missing or null, else -1. */
static int typed(struct json_object *o, const char *key, enum json_type type, const char *name,
                 struct json_object **v, struct err *e)
{
	*v = json_member(o, key);
	if (!*v)
		return 0;
	if (!json_object_is_type(*v, type))
		return err_set(e, ERR_DAMAGED, "'%s' must be %s", key, name);
	return 1;
}

int json_get_str(struct json_object *o, const char *key, struct span *out, struct err *e)
{
	struct json_object *v;
	int got = typed(o, key, json_type_string, "a string", &v, e);

	if (got > 0)
		*out = (struct span){ json_object_get_string(v),
		                      (size_t)json_object_get_string_len(v) };
	return got;
}

int json_get_int(struct json_object *o, const char *key, int64_t *out, struct err *e)
{
	struct json_object *v;
	int got = typed(o, key, json_type_int, "a whole number", &v, e);

	if (got > 0)
		*out = json_object_get_int64(v);
	return got;
}

int json_get_obj(struct json_object *o, const char *key, struct json_object **out, struct err *e)
{
	struct json_object *v;
	int got = typed(o, key, json_type_object, "an object", &v, e);

	if (got > 0)
		*out = v;
	return got;
}

/* A letter behind a backslash for U+0008 … U+000D; 0 where there is none. */
static const char short_form[] = "btn\0fr";

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

static void add_escape(struct buf *b, unsigned char c)
{
	if (c == '"' || c == '\\')
		buf_addf(b, "\\%c", c);
	else if (c >= 8 && c <= 13 && short_form[c - 8])
		buf_addf(b, "\\%c", short_form[c - 8]);
	else
		buf_addf(b, "\\u%04x", c);
}

void json_add_escaped(struct buf *b, struct span s)
{
	while (s.n) {
		size_t plain = 0;

		while (plain < s.n && is_plain((unsigned char)s.p[plain]))
			plain++;
		buf_add(b, s.p, plain);
		if (plain == s.n)
			break;
		add_escape(b, (unsigned char)s.p[plain]);
		s.p += plain + 1;
		s.n -= plain + 1;
	}
}

size_t json_escaped_length(struct span s)
{
	size_t n = s.n;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!is_plain(c))
			n += c >= 0x20 || (c >= 8 && c <= 13 && short_form[c - 8]) ? 1 : 5;
	}
	return n;
}

void json_add_str(struct buf *b, struct span s)
{
	buf_addc(b, '"');
	json_add_escaped(b, s);
	buf_addc(b, '"');
}

void json_add_value(struct buf *b, struct json_object *v)
{
	const char *text = json_object_to_json_string_ext(
		v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text)
		buf_adds(b, text);
	else
		b->oom = true;
}
