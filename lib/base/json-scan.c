#include "base/json-scan.h"

#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

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

/* `text` stands between quotes. Nearly none has an escape. */
static bool means(struct span text, struct span want)
{
	struct buf b = BUF_INIT;
	bool same;

	if (span_same(text, want))
		return true;
	if (!memchr(text.p, '\\', text.n))
		return false;
	json_scan_add_str(&b, (struct span){ text.p - 1, text.n + 2 });
	same = span_same(buf_span(&b), want);
	buf_release(&b);
	return same;
}

bool json_scan_is(struct span value, struct span want)
{
	return value.n >= 2 && value.p[0] == '"' &&
	       means((struct span){ value.p + 1, value.n - 2 }, want);
}

bool json_scan_find(struct span object, const char *key, struct span *value)
{
	struct json_scan s = json_scan(object);
	struct span k;

	while (json_scan_next(&s, &k, value) > 0)
		if (means(k, span_str(key)))
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

/* `p` is behind "\u"; returns what follows the escape (a pair, where it is one). */
static const char *add_unicode_escape(struct buf *b, const char *p, const char *end)
{
	uint32_t c;

	if (json_hex4(p, end, &c) < 0) {
		buf_adds(b, UTF8_REPLACEMENT);
		return p;
	}
	if (c < 0xd800 || c > 0xdfff) {
		utf8_add(b, c);
	} else if (json_pair(p, end, &c)) {
		utf8_add(b, c);
		return p + JSON_PAIR;
	} else {
		buf_adds(b, UTF8_REPLACEMENT); /* half a pair */
	}
	return p + 4;
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
