#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* Second bytes that a first byte allows (RFC 3629, section 4). */
static bool second_ok(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0: return second >= 0xa0 && second <= 0xbf;
	case 0xed: return second >= 0x80 && second <= 0x9f;
	case 0xf0: return second >= 0x90 && second <= 0xbf;
	case 0xf4: return second >= 0x80 && second <= 0x8f;
	default:   return (second & 0xc0) == 0x80;
	}
}

int utf8_decode(const char *p, size_t n, uint32_t *cp)
{
	const unsigned char *s = (const unsigned char *)p;
	int len;

	if (n == 0)
		return 0;
	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return -1;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	*cp = s[0] & (0xffu >> (len + 1));
	for (int i = 1; i < len; i++) {
		if ((size_t)i >= n)
			return 0;
		if (i == 1 ? !second_ok(s[0], s[1]) : (s[i] & 0xc0) != 0x80)
			return -1;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	return len;
}

/* Most text is ASCII: eight bytes at a time. */
static size_t skip_ascii(const char *p, size_t i, size_t n)
{
	uint64_t w;

	for (; n - i >= 8; i += 8) {
		memcpy(&w, p + i, 8);
		if (w & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < n && (unsigned char)p[i] < 0x80)
		i++;
	return i;
}

void utf8_add(struct buf *b, uint32_t c)
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

size_t utf8_valid(const char *p, size_t n)
{
	size_t i = 0;

	while ((i = skip_ascii(p, i, n)) < n) {
		uint32_t cp;
		int len = utf8_decode(p + i, n - i, &cp);

		if (len <= 0)
			return i;
		i += (size_t)len;
	}
	return n;
}

bool utf8_is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
}

bool utf8_has_control(struct span s)
{
	for (size_t i = 0; i < s.n;) {
		uint32_t c = ' ';
		int len = utf8_decode(s.p + i, s.n - i, &c);

		if (len > 0 && utf8_is_control(c))
			return true;
		i += len > 0 ? (size_t)len : 1;
	}
	return false;
}

/* ---- what other programs wrote ---- */

#define MARK "\xef\xbb\xbf"

struct span utf8_unmarked(struct span s)
{
	if (s.n >= 3 && memcmp(s.p, MARK, 3) == 0)
		s = (struct span){ s.p + 3, s.n - 3 };
	return s;
}

void utf8_drop_mark(struct buf *b)
{
	buf_drop(b, b->n - utf8_unmarked(buf_span(b)).n);
}

/* The marks of The Unicode Standard, 23.8: that of UTF-32 in little endian begins with that of UTF-16. */
const char *utf8_other_encoding(struct span s)
{
	if (s.n >= 4 && (memcmp(s.p, "\xff\xfe\0", 4) == 0 || memcmp(s.p, "\0\0\xfe\xff", 4) == 0))
		return "UTF-32";
	if (s.n >= 2 && (memcmp(s.p, "\xff\xfe", 2) == 0 || memcmp(s.p, "\xfe\xff", 2) == 0))
		return "UTF-16";
	return NULL;
}

int utf8_check(struct span s, const char *what, struct err *e)
{
	size_t bad = utf8_valid(s.p, s.n), lines = 1, start = 0;
	const char *other = utf8_other_encoding(s);
	char line[40] = "";

	if (bad == s.n)
		return 0;
	if (other)
		return err_set(e, ERR_USAGE, "%s is %s, and must be UTF-8; 'iconv -f %s -t UTF-8' converts it",
		               what, other, other);
	for (size_t i = 0; i < bad; i++)
		if (s.p[i] == '\n') {
			lines++;
			start = i + 1;
		}
	if (lines > 1)
		snprintf(line, sizeof(line), "line %zu, ", lines);
	return err_set(e, ERR_USAGE, "%s is not valid UTF-8 (at %sbyte %zu); 'iconv -f LATIN1 -t UTF-8' converts "
	               "Latin-1", what, line, bad - start + 1);
}

void utf8_add_clean(struct buf *b, struct span s)
{
	while (s.n) {
		size_t good = utf8_valid(s.p, s.n);

		buf_add(b, s.p, good);
		if (good < s.n) {
			buf_adds(b, UTF8_REPLACEMENT);
			good++;
		}
		s.p += good;
		s.n -= good;
	}
}

size_t utf8_bad(struct span s)
{
	size_t n = 0, good;

	while ((good = utf8_valid(s.p, s.n)) < s.n) {
		n++;
		s.p += good + 1;
		s.n -= good + 1;
	}
	return n;
}

/* The text moves to the end of the room that it will need, and from there back to the
 * beginning, which it reaches when the last byte is replaced. */
void utf8_clean(struct buf *b)
{
	size_t grow = utf8_bad(buf_span(b)) * (strlen(UTF8_REPLACEMENT) - 1), had = b->n;
	struct span from;

	if (!grow || !buf_room(b, grow))
		return;
	memmove(b->p + grow, b->p, had);
	from = (struct span){ b->p + grow, had };
	b->n = 0;
	while (from.n) {
		size_t good = utf8_valid(from.p, from.n);

		memmove(b->p + b->n, from.p, good);
		b->n += good;
		if (good < from.n) {
			memcpy(b->p + b->n, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
			b->n += strlen(UTF8_REPLACEMENT);
			good++;
		}
		from = (struct span){ from.p + good, from.n - good };
	}
	b->p[b->n] = '\0';
}

struct span utf8_head(struct span s, size_t max, bool *cut)
{
	size_t i = 0;

	*cut = false;
	while (i < s.n) {
		uint32_t cp;
		int len = utf8_decode(s.p + i, s.n - i, &cp);

		if (max-- == 0) {
			*cut = true;
			break;
		}
		i += len > 0 ? (size_t)len : 1;
	}
	return (struct span){ s.p, i };
}

/* The property White_Space (Unicode, PropList.txt), and the separators that other languages strip
 * as well: U+001C to U+001F, and the zero-width blanks. */
static bool is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200b) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
	       c == 0x3000 || c == 0xfeff;
}

bool utf8_is_blank(struct span s)
{
	size_t i = 0;

	while (i < s.n) {
		uint32_t c;
		int len = utf8_decode(s.p + i, s.n - i, &c);

		if (len <= 0 || !is_space(c))
			return false;
		i += (size_t)len;
	}
	return true;
}

size_t utf8_whole(struct span text)
{
	uint32_t c;

	for (size_t back = 1; back <= 3 && back <= text.n; back++) {
		size_t at = text.n - back;

		if (((unsigned char)text.p[at] & 0xc0) != 0x80)
			return utf8_decode(text.p + at, back, &c) == 0 ? at : text.n;
	}
	return text.n;
}
