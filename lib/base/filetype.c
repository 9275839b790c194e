#include "base/filetype.h"

#include "base/utf8.h"

#define NEITHER "it is neither an image (PNG, JPEG, GIF, WebP) nor a PDF"

static bool has(struct span bytes, size_t at, const char *sign, size_t n)
{
	return bytes.n >= at + n && memcmp(bytes.p + at, sign, n) == 0;
}

/* The offset of the first control character that is none of text; `n` when there is none.
 * ESC is one of text: the output of programs has colours. */
static size_t find_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && (c < '\a' || c > '\r') && c != '\033') || c == 0x7f)
			return i;
	}
	return s.n;
}

static int check_text(struct span s, struct err *e)
{
	size_t odd = find_control(s), bad = utf8_valid(s.p, s.n);

	if (odd == s.n && bad == s.n)
		return 0;
	if (odd < bad)
		return err_set(e, ERR_USAGE, NEITHER " nor text (a control character at byte %zu)", odd + 1);
	return utf8_check(s, NEITHER ", and as text it", e);
}

const char *filetype_of(struct span bytes, struct err *e)
{
	if (!bytes.n)
		return err_set(e, ERR_USAGE, "it is empty"), NULL;
	if (has(bytes, 0, "\x89PNG\r\n\x1a\n", 8))
		return "image/png";
	if (has(bytes, 0, "\xff\xd8\xff", 3))
		return "image/jpeg";
	if (has(bytes, 0, "GIF87a", 6) || has(bytes, 0, "GIF89a", 6))
		return "image/gif";
	if (has(bytes, 0, "RIFF", 4) && has(bytes, 8, "WEBP", 4))
		return "image/webp";
	if (has(bytes, 0, "%PDF-", 5))
		return "application/pdf";
	return check_text(bytes, e) == 0 ? "text/plain" : NULL;
}

bool filetype_is_broken_text(struct span bytes)
{
	return find_control(bytes) == bytes.n && utf8_valid(bytes.p, bytes.n) < bytes.n &&
	       !utf8_other_encoding(bytes);
}
