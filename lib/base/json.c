#include "base/json.h"

#include <json-c/json_object_iterator.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

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

/* Only the reader makes a double of digits alone, where no integer holds them. */
static bool is_too_large(struct json_object *v)
{
	const char *text = json_object_is_type(v, json_type_double) ? json_object_get_userdata(v) : NULL;

	return text && !strpbrk(text, ".eE");
}

int json_get_int(struct json_object *o, const char *key, int64_t *out, struct err *e)
{
	struct json_object *v = json_member(o, key);
	int got;

	if (is_too_large(v))
		return err_set(e, ERR_DAMAGED, "'%s' is too large", key);
	got = typed(o, key, json_type_int, "a whole number", &v, e);
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

static void add_double(struct buf *b, struct json_object *v)
{
	double d = json_object_get_double(v);
	const char *text = json_object_get_userdata(v); /* as the reader found it */

	if (text)
		buf_adds(b, text);
	else if (isfinite(d))
		buf_addf(b, "%.17g", d);
	else
		buf_adds(b, "null");
}

static void add_object(struct buf *b, struct json_object *o)
{
	struct json_object_iterator at = json_object_iter_begin(o), end = json_object_iter_end(o);
	const char *comma = "";

	buf_addc(b, '{');
	for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at), comma = ",") {
		buf_adds(b, comma);
		json_add_str(b, span_str(json_object_iter_peek_name(&at)));
		buf_addc(b, ':');
		json_add_value(b, json_object_iter_peek_value(&at));
	}
	buf_addc(b, '}');
}

static void add_array(struct buf *b, struct json_object *a)
{
	buf_addc(b, '[');
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		if (i)
			buf_addc(b, ',');
		json_add_value(b, json_object_array_get_idx(a, i));
	}
	buf_addc(b, ']');
}

void json_add_value(struct buf *b, struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_null: buf_adds(b, "null"); break;
	case json_type_boolean: buf_adds(b, json_object_get_boolean(v) ? "true" : "false"); break;
	case json_type_double: add_double(b, v); break;
	case json_type_int:
		if (json_object_get_int64(v) == INT64_MAX) /* or more, which only this one holds */
			buf_addf(b, "%" PRIu64, json_object_get_uint64(v));
		else
			buf_addf(b, "%" PRId64, json_object_get_int64(v));
		break;
	case json_type_object: add_object(b, v); break;
	case json_type_array: add_array(b, v); break;
	case json_type_string:
		json_add_str(b, (struct span){ json_object_get_string(v),
		                               (size_t)json_object_get_string_len(v) });
		break;
	}
}

/* A value never ends in one of these, and only it needs a comma before the next. */
static void add_comma(struct buf *b)
{
	if (b->n && !strchr("{[:,\n", b->p[b->n - 1]))
		buf_addc(b, ',');
}

void json_open(struct buf *b, char bracket)
{
	add_comma(b);
	buf_addc(b, bracket);
}

void json_close(struct buf *b, char bracket)
{
	buf_addc(b, bracket);
}

void json_key(struct buf *b, const char *key)
{
	add_comma(b);
	json_add_str(b, span_str(key));
	buf_addc(b, ':');
}

void json_put_open(struct buf *b, const char *key, char bracket)
{
	json_key(b, key);
	json_open(b, bracket);
}

void json_put_str(struct buf *b, const char *key, struct span s)
{
	json_key(b, key);
	if (s.p)
		json_add_str(b, s);
	else
		buf_adds(b, "null");
}

void json_put_text(struct buf *b, const char *key, struct span s)
{
	json_key(b, key);
	json_add_str(b, s);
}

void json_put_optional(struct buf *b, const char *key, struct span s)
{
	if (s.p)
		json_put_str(b, key, s);
}

void json_put_word(struct buf *b, const char *key, const char *s)
{
	json_put_str(b, key, (struct span){ s, s ? strlen(s) : 0 });
}

void json_put_null(struct buf *b, const char *key)
{
	json_put_word(b, key, NULL);
}

void json_put_int(struct buf *b, const char *key, int64_t n)
{
	json_key(b, key);
	buf_addf(b, "%" PRId64, n);
}

void json_put_bool(struct buf *b, const char *key, bool value)
{
	json_key(b, key);
	buf_adds(b, value ? "true" : "false");
}

void json_put_value(struct buf *b, const char *key, struct json_object *v)
{
	if (!v)
		return;
	json_key(b, key);
	json_add_value(b, v);
}

void json_put_raw(struct buf *b, const char *key, struct span json)
{
	if (!json.p)
		return;
	json_key(b, key);
	json_item_raw(b, json);
}

void json_item_str(struct buf *b, struct span s)
{
	add_comma(b);
	json_add_str(b, s);
}

void json_item_value(struct buf *b, struct json_object *v)
{
	add_comma(b);
	json_add_value(b, v);
}

void json_item_raw(struct buf *b, struct span json)
{
	json = span_trim(json, SPAN_WHITE); /* add_comma() looks at the last byte */
	add_comma(b);
	buf_add(b, json.p, json.n);
}
