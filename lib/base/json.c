#include "base/json.h"

#include <json-c/json_tokener.h>
#include <limits.h>
#include <string.h>

#include "base/utf8.h"

static int hex4(const char *p, const char *end, uint32_t *out)
{
	*out = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
		             : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
		             : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
		                                    : 16;
		if (d == 16)
			return -1;
		*out = *out << 4 | d;
	}
	return 0;
}

/* ---- the grammar of RFC 8259, which json-c reads more freely than it is ---- */

struct check {
	const char *p, *end;
};

static bool check_value(struct check *c, int depth);

static bool check_char(struct check *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static void check_space(struct check *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
		c->p++;
}

static bool check_digits(struct check *c)
{
	const char *start = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > start;
}

static bool check_number(struct check *c)
{
	check_char(c, '-');
	if (!check_char(c, '0') && !check_digits(c))
		return false;
	if (check_char(c, '.') && !check_digits(c))
		return false;
	if (!check_char(c, 'e') && !check_char(c, 'E'))
		return true;
	if (!check_char(c, '+'))
		check_char(c, '-');
	return check_digits(c);
}

static bool check_escape(struct check *c)
{
	uint32_t ignored;

	if (c->p == c->end || !memchr("\"\\/bfnrtu", *c->p, 9))
		return false;
	if (*c->p++ != 'u')
		return true;
	if (hex4(c->p, c->end, &ignored) < 0)
		return false;
	c->p += 4;
	return true;
}

static bool check_string(struct check *c)
{
	if (!check_char(c, '"'))
		return false;
	while (c->p < c->end && *c->p != '"') {
		if ((unsigned char)*c->p < 0x20)
			return false;
		if (*c->p++ == '\\' && !check_escape(c))
			return false;
	}
	return check_char(c, '"');
}

static bool check_word(struct check *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return false;
	c->p += n;
	return true;
}

/* The members of an object or the elements of an array, to its closing bracket. */
static bool check_list(struct check *c, bool object, int depth)
{
	char close = object ? '}' : ']';

	c->p++;
	check_space(c);
	if (check_char(c, close))
		return true;
	for (;;) {
		check_space(c);
		if (object && (!check_string(c) || (check_space(c), !check_char(c, ':'))))
			return false;
		if (!check_value(c, depth - 1))
			return false;
		if (!check_char(c, ','))
			return check_char(c, close);
	}
}

static bool check_value(struct check *c, int depth)
{
	bool ok = false;

	check_space(c);
	if (c->p == c->end || depth == 0)
		return false;
	switch (*c->p) {
	case '{': ok = check_list(c, true, depth); break;
	case '[': ok = check_list(c, false, depth); break;
	case '"': ok = check_string(c); break;
	case 't': ok = check_word(c, "true"); break;
	case 'f': ok = check_word(c, "false"); break;
	case 'n': ok = check_word(c, "null"); break;
	default: ok = check_number(c);
	}
	check_space(c);
	return ok;
}

static int json_check(struct span text, struct err *e)
{
	struct check c = { text.p, text.p + text.n };
	size_t good = utf8_valid(text.p, text.n);

	if (good < text.n)
		return err_set(e, ERR_FAILED, "not UTF-8 (at byte %zu)", good + 1);
	if (check_value(&c, JSON_DEPTH) && c.p == c.end)
		return 0;
	if (c.p == c.end)
		return err_set(e, ERR_FAILED, "JSON that breaks off");
	return err_set(e, ERR_FAILED, "no valid JSON (at byte %zu)", (size_t)(c.p - text.p) + 1);
}

bool json_is_whole(struct span text)
{
	struct err ignored = ERR_INIT;

	return json_check(text, &ignored) == 0;
}

static int parse(struct span text, int flags, bool any, struct json_object **out, struct err *e)
{
	struct json_tokener *t;
	struct json_object *o;
	enum json_tokener_error why;
	size_t end;

	*out = NULL;
	if (text.n > INT_MAX)
		return err_set(e, ERR_FAILED, "larger than 2 GB");
	if (!any && json_check(text, e) < 0)
		return -1;
	t = json_tokener_new_ex(JSON_DEPTH);
	if (!t)
		return err_oom(e);
	json_tokener_set_flags(t, flags);
	o = json_tokener_parse_ex(t, text.p, (int)text.n);
	why = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	if (why == json_tokener_continue)
		return err_set(e, ERR_FAILED, "JSON that breaks off");
	if (why != json_tokener_success)
		return err_set(e, ERR_FAILED, "no valid JSON (%s at byte %zu)",
		               json_tokener_error_desc(why), end + 1);
	if (!any && !json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return err_set(e, ERR_FAILED, "no JSON object");
	}
	while (end < text.n && memchr(" \t\r\n", text.p[end], 4))
		end++;
	if (end < text.n) {
		json_object_put(o);
		return err_set(e, ERR_FAILED, "something behind the JSON value (at byte %zu)", end + 1);
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
		return err_set(e, ERR_FAILED, "'%s' must be %s", key, name);
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

/* ---- the scanner ---- */

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

/* `p` is behind the opening quote; returns the closing one, or NULL. */
static const char *string_end(const char *p, const char *end)
{
	for (const char *q = p; q < end && (q = memchr(q, '"', (size_t)(end - q))); q++) {
		const char *back = q;

		while (back > p && back[-1] == '\\')
			back--;
		if ((q - back) % 2 == 0)
			return q;
	}
	return NULL;
}

/* The end of the object or array that starts at `p`, or NULL. */
static const char *nested_end(const char *p, const char *end)
{
	size_t depth = 0;

	for (; p < end; p++) {
		if (*p == '"') {
			p = string_end(p + 1, end);
			if (!p)
				return NULL;
		} else if (*p == '{' || *p == '[') {
			depth++;
		} else if ((*p == '}' || *p == ']') && --depth == 0) {
			return p + 1;
		}
	}
	return NULL;
}

static const char *value_end(const char *p, const char *end)
{
	if (p == end)
		return NULL;
	if (*p == '"') {
		p = string_end(p + 1, end);
		return p ? p + 1 : NULL;
	}
	if (*p == '{' || *p == '[')
		return nested_end(p, end);
	while (p < end && !memchr(",}] \t\r\n", *p, 7))
		p++;
	return p;
}

struct json_scan json_scan(struct span object)
{
	const char *end = object.p + object.n;
	const char *p = skip_space(object.p, end);

	/* An object that does not open is left with nothing to scan: -1 follows. */
	return (struct json_scan){ p < end && *p == '{' ? p + 1 : end, end };
}

/* `p` is where a value begins. Takes it and the comma behind it. */
static int take_value(struct json_scan *s, const char *p, struct span *value)
{
	const char *q = value_end(p, s->end);

	if (!q || q == p)
		return -1;
	*value = (struct span){ p, (size_t)(q - p) };
	p = skip_space(q, s->end);
	if (p < s->end && *p == ',')
		p++;
	else if (p == s->end || *p != '}')
		return -1;
	s->p = p;
	return 1;
}

int json_scan_next(struct json_scan *s, struct span *key, struct span *value)
{
	const char *p = skip_space(s->p, s->end), *q;

	if (p < s->end && *p == '}')
		return 0;
	if (p == s->end || *p != '"' || !(q = string_end(p + 1, s->end)))
		return -1;
	*key = (struct span){ p + 1, (size_t)(q - p - 1) };
	p = skip_space(q + 1, s->end);
	if (p == s->end || *p != ':')
		return -1;
	return take_value(s, skip_space(p + 1, s->end), value);
}

bool json_scan_expect(struct json_scan *s, struct span key, struct span *value)
{
	const char *p = s->p;

	return (size_t)(s->end - p) > key.n + 3 && p[0] == '"' && p[key.n + 1] == '"' &&
	       p[key.n + 2] == ':' && memcmp(p + 1, key.p, key.n) == 0 &&
	       take_value(s, p + key.n + 3, value) > 0;
}

bool json_scan_find(struct span object, const char *key, struct span *value)
{
	struct json_scan s = json_scan(object);
	struct span k;

	while (json_scan_next(&s, &k, value) > 0)
		if (span_eq(k, key))
			return true;
	return false;
}

bool json_scan_int(struct span value, int64_t *out)
{
	bool minus = value.n && value.p[0] == '-';
	int64_t n = 0;

	if (value.n == minus || value.n - minus > 18)
		return false;
	for (size_t i = minus; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
		n = n * 10 + (value.p[i] - '0');
	}
	*out = minus ? -n : n;
	return true;
}

static void add_code_point(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(b, (char)c);
	} else if (c < 0x800) {
		buf_addc(b, (char)(0xc0 | c >> 6));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_addc(b, (char)(0xe0 | c >> 12));
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_addc(b, (char)(0xf0 | c >> 18));
		buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	}
}

/* `p` is behind "\u"; returns what follows the escape (a pair, where it is one). */
static const char *add_unicode_escape(struct buf *b, const char *p, const char *end)
{
	uint32_t c, low;

	if (hex4(p, end, &c) < 0) {
		buf_adds(b, UTF8_REPLACEMENT);
		return p;
	}
	p += 4;
	if (c < 0xd800 || c > 0xdfff) {
		add_code_point(b, c);
	} else if (c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
	           hex4(p + 2, end, &low) == 0 && low >= 0xdc00 && low <= 0xdfff) {
		add_code_point(b, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
		p += 6;
	} else {
		buf_adds(b, UTF8_REPLACEMENT); /* half a pair */
	}
	return p;
}

void json_scan_add_str(struct buf *b, struct span value)
{
	static const char from[] = "btnfr", to[] = "\b\t\n\f\r";
	const char *p, *end, *at;

	if (value.n < 2 || value.p[0] != '"')
		return;
	end = value.p + value.n - 1;
	for (p = value.p + 1; p < end;) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));

		buf_add(b, p, (size_t)((slash ? slash : end) - p));
		if (!slash || slash + 1 >= end)
			break;
		p = slash + 2;
		if (slash[1] == 'u')
			p = add_unicode_escape(b, p, end);
		else if ((at = strchr(from, slash[1])) != NULL)
			buf_addc(b, to[at - from]);
		else
			buf_addc(b, slash[1]);
	}
}
