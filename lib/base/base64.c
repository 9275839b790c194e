#include "base/base64.h"

void base64_add(struct buf *b, struct span s)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *to = buf_room(b, (s.n + 2) / 3 * 4);

	if (!to)
		return;
	for (size_t i = 0; i < s.n; i += 3) {
		size_t left = s.n - i;
		uint32_t v = (uint32_t)(unsigned char)s.p[i] << 16;

		v |= left > 1 ? (uint32_t)(unsigned char)s.p[i + 1] << 8 : 0;
		v |= left > 2 ? (unsigned char)s.p[i + 2] : 0;
		*to++ = digit[v >> 18];
		*to++ = digit[v >> 12 & 63];
		*to++ = left > 1 ? digit[v >> 6 & 63] : '=';
		*to++ = left > 2 ? digit[v & 63] : '=';
	}
	b->n += (s.n + 2) / 3 * 4;
	b->p[b->n] = '\0';
}
