#include "base/json.h"

#include <json-c/json_tokener.h>
#include <json-c/linkhash.h>
#include <string.h>

/* json-c keeps the last of several members of one name, and so has fewer than the text. */
static size_t count_members(struct json_object *o)
{
	size_t n = 0;

	if (json_object_is_type(o, json_type_object)) {
		n = (size_t)json_object_object_length(o);
		json_object_object_foreach(o, key, member) {
			(void)key;
			n += count_members(member);
		}
	} else if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			n += count_members(json_object_array_get_idx(o, i));
	}
	return n;
}

static bool is_object(struct span text)
{
	size_t i = 0;

	while (i < text.n && memchr(" \t\r\n", text.p[i], 4))
		i++;
	return i < text.n && text.p[i] == '{';
}

static int parse(struct span text, int flags, bool any, struct json_object **out, struct err *e)
{
	struct json_tokener *t;
	struct json_object *o;
	enum json_tokener_error why;
	size_t end, members = 0;

	*out = NULL;
	if (text.n > JSON_MAX)
		return err_set(e, ERR_DAMAGED, "larger than %u MiB", JSON_MAX >> 20);
	if (!any && json_check(text, &members, e) < 0)
		return -1;
	if (!any && !is_object(text))
		return err_set(e, ERR_DAMAGED, "no JSON object");
	t = json_tokener_new_ex(JSON_DEPTH);
	if (!t)
		return err_oom(e);
	json_tokener_set_flags(t, flags);
	o = json_tokener_parse_ex(t, text.p, (int)text.n);
	why = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	if (why != json_tokener_success && !any)
		return err_oom(e); /* nothing else is left: the text is right */
	if (why == json_tokener_continue)
		return err_set(e, ERR_DAMAGED, "JSON that breaks off");
	if (why != json_tokener_success)
		return err_set(e, ERR_DAMAGED, "no valid JSON (%s at byte %zu)",
		               json_tokener_error_desc(why), end + 1);
	if (!any && count_members(o) != members) {
		json_object_put(o);
		return err_set(e, ERR_DAMAGED, "an object with two members of one name");
	}
	while (end < text.n && memchr(" \t\r\n", text.p[end], 4))
		end++;
	if (end < text.n) {
		json_object_put(o);
		return err_set(e, ERR_DAMAGED, "something behind the JSON value (at byte %zu)", end + 1);
	}
	*out = o;
	return 0;
}

int json_parse_object(struct span text, struct json_object **out, struct err *e)
{
	return parse(text, JSON_TOKENER_STRICT, false, out, e);
}

int json_parse_lenient(struct span text, struct json_object **out, struct err *e)
{
	return parse(text, JSON_TOKENER_STRICT, true, out, e);
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

void json_add_str(struct buf *b, struct span s)
{
	static const char short_form[] = "btn\0fr"; /* U+0008 … U+000D */

	buf_addc(b, '"');
	while (s.n) {
		size_t plain = 0;
		unsigned char c;

		while (plain < s.n && (unsigned char)s.p[plain] >= 0x20 && s.p[plain] != '"' &&
		       s.p[plain] != '\\')
			plain++;
		buf_add(b, s.p, plain);
		if (plain == s.n)
			break;
		c = (unsigned char)s.p[plain];
		if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c >= 8 && c <= 13 && short_form[c - 8])
			buf_addf(b, "\\%c", short_form[c - 8]);
		else
			buf_addf(b, "\\u%04x", c);
		s.p += plain + 1;
		s.n -= plain + 1;
	}
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
