#include "base/filetype.h"

#include "data.h"
#include "tap.h"

#define BYTES(s) ((struct span){ (s), sizeof(s) - 1 })

static void is_type(struct span bytes, const char *want, const char *what)
{
	struct err e = ERR_INIT;
	struct span s = exact(bytes);
	const char *type = filetype_of(s, &e);

	is_str(type ? type : "", want, "%s", what);
	ok(e.kind == ERR_NONE, "no error");
	drop(s);
}

static void refused(struct span bytes, const char *why)
{
	struct err e = ERR_INIT;
	struct span s = exact(bytes);

	ok(!filetype_of(s, &e), "refused: %s", why);
	is_err(&e, ERR_USAGE, why, "says why");
	drop(s);
}

static void test_signatures(void)
{
	is_type(BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "image/png", "PNG");
	is_type(BYTES("\x89PNG\r\n\x1a\n"), "image/png", "the signature of PNG alone");
	is_type(BYTES("\xff\xd8\xff\xe0\0\x10JFIF\0"), "image/jpeg", "JPEG of JFIF");
	is_type(BYTES("\xff\xd8\xff\xe1\0\x10" "Exif\0"), "image/jpeg", "JPEG of Exif");
	is_type(BYTES("GIF87a\1\0\1\0"), "image/gif", "GIF of 1987");
	is_type(BYTES("GIF89a\1\0\1\0"), "image/gif", "GIF of 1989");
	is_type(BYTES("RIFF\x24\0\0\0WEBPVP8 "), "image/webp", "WebP");
	is_type(BYTES("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), "application/pdf", "PDF");
	is_type(BYTES("%PDF-1.4\n1 0 obj\n"), "application/pdf", "PDF that would be text, too");
}

static void test_text(void)
{
	is_type(BYTES("x"), "text/plain", "a letter");
	is_type(BYTES("\n"), "text/plain", "an empty line");
	is_type(BYTES("a\tb\r\n\f\v\a\b\n"), "text/plain", "the controls of text");
	is_type(BYTES("\x1b[1mbold\x1b[m\n"), "text/plain", "colours");
	is_type(BYTES("Gr\xc3\xbc\xc3\x9f" "e \xf0\x9f\x90\xb1"), "text/plain", "UTF-8");
	is_type(BYTES("\xef\xbb\xbfname,value\n"), "text/plain", "a byte order mark");
	is_type(BYTES("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), "text/plain", "SVG is text");
	is_type(BYTES("GIF"), "text/plain", "the beginning of a signature");
	is_type(BYTES("RIFF and WEBP"), "text/plain", "words");
	is_type(BYTES(" %PDF-1.7"), "text/plain", "a signature at another place");
}

static void test_refused(void)
{
	refused(BYTES(""), "it is empty");
	refused(BYTES("a\0b"), "a control character at byte 2");
	refused(BYTES("\0"), "a control character at byte 1");
	refused(BYTES("abc\x01"), "a control character at byte 4");
	refused(BYTES("\x0e"), "a control character at byte 1");
	refused(BYTES("ab\x7f"), "a control character at byte 3");
	refused(BYTES("caf\xe9\n"), "nor a PDF, and as text it is not valid UTF-8 (at byte 4); 'iconv");
	refused(BYTES("Gr\xc3"), "as text it is not valid UTF-8 (at byte 3)");
	refused(BYTES("\xff\xfe" "a\0"), "as text it is UTF-16, and must be UTF-8; 'iconv -f UTF-16 -t UTF-8' converts it");
	refused(BYTES("\xff\xd8"), "as text it is not valid UTF-8 (at byte 1)");
	refused(BYTES("\x7f" "ELF\2\1\1\0"), "a control character at byte 1");
	refused(BYTES("PK\3\4\x14\0"), "it is neither an image (PNG, JPEG, GIF, WebP) nor a PDF nor text (a control");
	refused(BYTES("RIFF\x24\0\0\0WAVEfmt "), "a control character at byte 6");
	refused(BYTES("\x89PNG\r\n\x1a"), "as text it is not valid UTF-8 (at byte 1)");
}

int main(void)
{
	test_signatures();
	test_text();
	test_refused();
	return tap_end();
}
