/*
 * A reader of JSON (RFC 8259) that builds json-c's objects in one pass over the text.
 *
 * json-c's tokener is not used. Its versions disagree: 0.16 takes the escapes of some
 * characters for halves of pairs and drops members when memory runs out; 0.18 refuses every
 * character outside ASCII in strict mode. Here each allocation is checked where it is made,
 * so "out of memory" is reported for nothing else.
 *
 * A lenient reader takes what servers are known to send: bytes that are not UTF-8, half
 * surrogate pairs, raw control characters, one name twice (the last one counts), and Python's
 * NaN and Infinity (read as null).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json-scan.h"
#include "base/json.h"
#include "base/utf8.h"

struct reader {
	const char *p, *end;
	const char *why;   /* what is wrong, where the position alone does not tell */
	bool build;        /* make objects; otherwise only check the text */
	bool lenient;
	int depth;         /* how deep the text may be nested */
	bool oom;
	bool nul;          /* the last string has a NUL, written as an escape */
	struct buf stack;  /* names and unescaped strings, each in use until its value is built */
};

static bool read_value(struct reader *r, int depth, struct json_object **out);

int json_hex4(const char *p, const char *end, uint32_t *out)
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

bool json_pair(const char *p, const char *end, uint32_t *out)
{
	uint32_t high, low;

	if (json_hex4(p, end, &high) < 0 || high < 0xd800 || high > 0xdbff || end - p < JSON_PAIR ||
	    p[4] != '\\' || p[5] != 'u' || json_hex4(p + 6, end, &low) < 0 || low < 0xdc00 || low > 0xdfff)
		return false;
	*out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

static bool fail(struct reader *r, const char *why)
{
	if (!r->why)
		r->why = why;
	return false;
}

static bool fail_oom(struct reader *r)
{
	r->oom = true;
	return false;
}

static bool accept(struct reader *r, char want)
{
	if (r->p == r->end || *r->p != want)
		return false;
	r->p++;
	return true;
}

static bool accept_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' || *r->p == '\n'))
		r->p++;
}

/* ---- strings ---- */

/* A check needs no memory, and so cannot fail for the lack of it. */
static void push(struct reader *r, struct span s)
{
	if (r->build)
		buf_add(&r->stack, s.p, s.n);
}

/* Takes what was pushed after `mark` off the stack. */
static void pop(struct reader *r, size_t mark)
{
	if (r->stack.n == mark)
		return;
	r->stack.n = mark;
	r->stack.p[mark] = '\0';
}

/* Whether one of eight bytes is a quote, a backslash or a control character. */
static bool has_special(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';

	return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & tops;
}

/* The end of the characters at r->p that stand for themselves. */
static const char *plain_end(const struct reader *r)
{
	const char *p = r->p;
	uint64_t w;

	for (;;) {
		for (; r->end - p >= 8; p += 8) {
			memcpy(&w, p, 8);
			if (has_special(w))
				break;
		}
		while (p < r->end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
			p++;
		if (p == r->end || *p == '"' || *p == '\\' || !r->lenient)
			return p;
		p++; /* a raw control character */
	}
}

static bool read_plain(struct reader *r, struct span *run)
{
	size_t good;

	*run = (struct span){ r->p, (size_t)(plain_end(r) - r->p) };
	if (!r->lenient && (good = utf8_valid(run->p, run->n)) < run->n) {
		r->p += good;
		return fail(r, "not UTF-8");
	}
	r->p += run->n;
	return true;
}

/* The four digits after "\u", or the ten after it of a pair. */
static bool read_unicode(struct reader *r)
{
	uint32_t c;

	if (json_pair(r->p, r->end, &c)) {
		r->p += JSON_PAIR;
	} else {
		if (json_hex4(r->p, r->end, &c) < 0)
			return false;
		/* The grammar allows half a pair, but it stands for no character (section 8.2). */
		if (c >= 0xd800 && c < 0xe000 && !r->lenient)
			return fail(r, "half a surrogate pair");
		r->p += 4;
	}
	r->nul |= c == 0;
	if (r->build)
		utf8_add(&r->stack, c);
	return true;
}

/* What follows a backslash. */
static bool read_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (r->p == r->end)
		return false;
	if (accept(r, 'u'))
		return read_unicode(r);
	at = memchr(from, *r->p, sizeof(from) - 1);
	if (!at)
		return false;
	r->p++;
	push(r, (struct span){ &to[at - from], 1 });
	return true;
}

/* *s is in the text itself, or on the stack where the string has escapes. */
static bool read_string(struct reader *r, struct span *s)
{
	size_t mark = r->stack.n;

	r->nul = false;
	if (!accept(r, '"') || !read_plain(r, s))
		return false;
	if (accept(r, '"'))
		return true;
	push(r, *s);
	while (accept(r, '\\')) {
		if (!read_escape(r) || !read_plain(r, s))
			return false;
		push(r, *s);
	}
	if (r->stack.oom)
		return fail_oom(r);
	*s = (struct span){ r->stack.p + mark, r->stack.n - mark };
	return accept(r, '"');
}

static bool read_string_value(struct reader *r, struct json_object **out)
{
	size_t mark = r->stack.n;
	struct span s;

	if (!read_string(r, &s))
		return false;
	if (r->build && !(*out = json_object_new_string_len(s.p, (int)s.n)))
		return fail_oom(r);
	pop(r, mark);
	return true;
}

/* ---- numbers and words ---- */

static bool read_digits(struct reader *r)
{
	const char *start = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p > start;
}

static bool check_number(struct reader *r)
{
	accept(r, '-');
	if (!accept(r, '0') && !read_digits(r))
		return false;
	if (accept(r, '.') && !read_digits(r))
		return false;
	if (!accept(r, 'e') && !accept(r, 'E'))
		return true;
	if (!accept(r, '+'))
		accept(r, '-');
	return read_digits(r);
}

/* A number of any length. A double keeps its text, and stands for integers that are too large. */
static struct json_object *new_number(const char *text)
{
	bool whole = !strpbrk(text, ".eE");

	errno = 0;
	if (whole && text[0] == '-') {
		long long n = strtoll(text, NULL, 10);

		if (errno != ERANGE)
			return json_object_new_int64(n);
	} else if (whole) {
		unsigned long long n = strtoull(text, NULL, 10);

		if (errno != ERANGE)
			return n <= INT64_MAX ? json_object_new_int64((int64_t)n) : json_object_new_uint64(n);
	}
	return json_object_new_double_s(strtod(text, NULL), text);
}

static bool read_number(struct reader *r, struct json_object **out)
{
	const char *start = r->p;
	size_t mark = r->stack.n;
	struct span text;
	int64_t n;

	if (!check_number(r))
		return false;
	if (!r->build)
		return true;
	text = (struct span){ start, (size_t)(r->p - start) };
	if (json_scan_int(text, &n)) {
		*out = json_object_new_int64(n);
	} else {
		buf_add(&r->stack, text.p, text.n);
		if (!r->stack.oom)
			*out = new_number(r->stack.p + mark);
		pop(r, mark);
	}
	return *out ? true : fail_oom(r);
}

static bool read_boolean(struct reader *r, struct json_object **out)
{
	bool yes = *r->p == 't';

	if (!accept_word(r, yes ? "true" : "false"))
		return false;
	if (r->build && !(*out = json_object_new_boolean(yes)))
		return fail_oom(r);
	return true;
}

/* json-c's null is NULL. */
static bool read_null(struct reader *r)
{
	return accept_word(r, "null") ||
	       (r->lenient && (accept_word(r, "NaN") || accept_word(r, "Infinity") || accept_word(r, "-Infinity")));
}

/* ---- objects and arrays ---- */

static bool read_member(struct reader *r, struct json_object *object, int depth)
{
	struct json_object *value = NULL;
	size_t mark = r->stack.n;
	struct span name;
	int had;

	if (!read_string(r, &name))
		return false;
	/* json-c ends a name at a NUL, and so would take two names for one. */
	if (r->nul && !r->lenient)
		return fail(r, "a NUL in a name");
	if (r->stack.n == mark) /* it has no escape */
		push(r, name);
	push(r, (struct span){ "", 1 });
	if (r->stack.oom)
		return fail_oom(r);
	skip_space(r);
	if (!accept(r, ':') || !read_value(r, depth, &value))
		return false;
	if (!r->build)
		return true;
	had = json_object_object_length(object);
	if (json_object_object_add(object, r->stack.p + mark, value) < 0) {
		json_object_put(value);
		return fail_oom(r);
	}
	pop(r, mark);
	return json_object_object_length(object) > had || r->lenient ||
	       fail(r, "an object with two members of one name");
}

static bool read_element(struct reader *r, struct json_object *array, int depth)
{
	struct json_object *value = NULL;

	if (!read_value(r, depth, &value))
		return false;
	if (r->build && json_object_array_add(array, value) < 0) {
		json_object_put(value);
		return fail_oom(r);
	}
	return true;
}

/* The members or elements, up to the closing bracket. */
static bool read_list(struct reader *r, struct json_object *list, bool object, int depth)
{
	char close = object ? '}' : ']';

	r->p++;
	skip_space(r);
	if (accept(r, close))
		return true;
	for (;;) {
		skip_space(r);
		if (!(object ? read_member(r, list, depth) : read_element(r, list, depth)))
			return false;
		if (!accept(r, ','))
			return accept(r, close);
	}
}

static bool read_container(struct reader *r, int depth, struct json_object **out)
{
	bool object = *r->p == '{';

	if (r->build && !(*out = object ? json_object_new_object() : json_object_new_array()))
		return fail_oom(r);
	if (read_list(r, *out, object, depth - 1))
		return true;
	json_object_put(*out);
	*out = NULL;
	return false;
}

/* *out must be NULL; it stays so for null, without r->build, and on failure. */
static bool read_value(struct reader *r, int depth, struct json_object **out)
{
	bool ok;

	skip_space(r);
	if (r->p == r->end)
		return false;
	if (depth == 0)
		return fail(r, "nested too deep");
	switch (*r->p) {
	case '{':
	case '[': ok = read_container(r, depth, out); break;
	case '"': ok = read_string_value(r, out); break;
	case 't':
	case 'f': ok = read_boolean(r, out); break;
	default: ok = read_null(r) || read_number(r, out); break;
	}
	skip_space(r);
	return ok;
}

/* ---- whole texts ---- */

/* What a person wrote by hand has lines; records have one. */
static int err_at(struct span text, size_t at, const char *why, struct err *e)
{
	size_t lines = 1, begin = 0;

	for (size_t i = 0; i < at; i++) {
		if (text.p[i] == '\n') {
			lines++;
			begin = i + 1;
		}
	}
	if (lines > 1)
		return err_set(e, ERR_DAMAGED, "%s (at line %zu, byte %zu)", why, lines, at - begin + 1);
	return err_set(e, ERR_DAMAGED, "%s (at byte %zu)", why, at + 1);
}

static int explain(const struct reader *r, struct span text, struct err *e)
{
	const char *why = r->why ? r->why : "no valid JSON";
	uint32_t c;

	if (r->oom)
		return err_oom(e);
	if (r->p == r->end && !r->why)
		return err_set(e, ERR_DAMAGED, "JSON that breaks off");
	if (!r->why && utf8_decode(r->p, (size_t)(r->end - r->p), &c) <= 0)
		why = "not UTF-8";
	return err_at(text, (size_t)(r->p - text.p), why, e);
}

static bool read_whole(struct reader *r, struct span text, struct json_object **out)
{
	r->p = text.p;
	r->end = text.p + text.n;
	return read_value(r, r->depth, out) && r->p == r->end;
}

static int read_text(struct reader *r, struct span text, struct json_object **out, struct err *e)
{
	bool ok;

	*out = NULL;
	if (text.n > JSON_MAX)
		return err_set(e, ERR_DAMAGED, "larger than %u MiB", JSON_MAX >> 20);
	ok = read_whole(r, text, out);
	buf_release(&r->stack);
	if (ok)
		return 0;
	json_object_put(*out);
	*out = NULL;
	if (r->oom) { /* damage is reported as damage, even when memory ran out before it was met */
		r->build = false;
		r->oom = read_whole(r, text, out);
	}
	return explain(r, text, e);
}

int json_parse_object(struct span text, struct json_object **out, struct err *e)
{
	return json_parse_inner(text, 0, out, e);
}

int json_parse_inner(struct span text, int above, struct json_object **out, struct err *e)
{
	struct reader r = { .build = true, .depth = JSON_DEPTH - above, .stack = BUF_INIT };

	if (read_text(&r, text, out, e) < 0)
		return -1;
	if (json_object_is_type(*out, json_type_object))
		return 0;
	json_object_put(*out);
	*out = NULL;
	return err_set(e, ERR_DAMAGED, "no JSON object");
}

int json_parse_lenient(struct span text, struct json_object **out, struct err *e)
{
	struct reader r = { .build = true, .lenient = true, .depth = JSON_DEPTH, .stack = BUF_INIT };

	return read_text(&r, text, out, e);
}

bool json_is_whole(struct span text)
{
	struct reader r = { .depth = JSON_DEPTH, .stack = BUF_INIT };
	struct err ignored = ERR_INIT;
	struct json_object *none;

	return read_text(&r, text, &none, &ignored) == 0;
}
