#include "base/utf8.h"

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
