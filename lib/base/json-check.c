/* The grammar of RFC 8259, by the letter: json-c reads it more freely. */
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

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

struct check {
	const char *p, *end;
	const char *why; /* set where the place alone does not tell */
	size_t weight;   /* see json_check() */
	bool nul;        /* the last string has one, as an escape */
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

/* The grammar allows half a surrogate pair, but it stands for no character (RFC 8259,
 * section 8.2). */
static bool check_unicode(struct check *c)
{
	uint32_t first, pair;

	if (json_hex4(c->p, c->end, &first) < 0)
		return false;
	c->nul |= first == 0;
	if (json_pair(c->p, c->end, &pair)) {
		c->p += JSON_PAIR;
		c->weight += 4;
		return true;
	}
	if (first >= 0xd800 && first < 0xe000) {
		c->why = "half a surrogate pair";
		return false;
	}
	c->p += 4;
	c->weight += first < 0x80 ? 1 : first < 0x800 ? 2 : 3; /* bytes of UTF-8 */
	return true;
}

static bool check_escape(struct check *c)
{
	if (c->p == c->end || !memchr("\"\\/bfnrtu", *c->p, 9))
		return false;
	if (*c->p++ == 'u')
		return check_unicode(c);
	c->weight++;
	return true;
}

static bool check_string(struct check *c)
{
	c->nul = false;
	if (!check_char(c, '"'))
		return false;
	while (c->p < c->end && *c->p != '"') {
		if ((unsigned char)*c->p < 0x20)
			return false;
		if (*c->p++ != '\\')
			c->weight++;
		else if (!check_escape(c))
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

/* json-c ends a name at a NUL, and so would take two names for one. */
static bool check_name(struct check *c)
{
	if (!check_string(c))
		return false;
	if (c->nul)
		c->why = "a NUL in a name";
	check_space(c);
	return !c->nul && check_char(c, ':');
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
		if (object && !check_name(c))
			return false;
		c->weight++;
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
	if (c->p == c->end)
		return false;
	if (depth == 0) {
		c->why = "nested too deep";
		return false;
	}
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

int json_check(struct span text, size_t *weight, struct err *e)
{
	size_t good = utf8_valid(text.p, text.n);

	if (good < text.n)
		return err_at(text, good, "not UTF-8", e);
	return json_check_form(text, weight, e);
}

int json_check_form(struct span text, size_t *weight, struct err *e)
{
	struct check c = { .p = text.p, .end = text.p + text.n };

	if (check_value(&c, JSON_DEPTH) && c.p == c.end) {
		*weight = c.weight;
		return 0;
	}
	if (c.p == c.end && !c.why)
		return err_set(e, ERR_DAMAGED, "JSON that breaks off");
	return err_at(text, (size_t)(c.p - text.p), c.why ? c.why : "no valid JSON", e);
}

bool json_is_whole(struct span text)
{
	struct err ignored = ERR_INIT;
	size_t weight;

	return json_check(text, &weight, &ignored) == 0;
}
