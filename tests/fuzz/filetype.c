/*
 * lib/base/filetype and lib/base/sha256: what becomes of an attached file. The input is one.
 *
 * Properties: what is taken for text is UTF-8 without a NUL, and goes into a JSON string and
 * back as it is; what is no text begins with its signature; what is refused has a reason, and
 * is no text of printable ASCII. A digest is the same in whatever pieces the bytes come, has
 * the form of one, and changes with any bit.
 */
#include "base/filetype.h"

#include "base/json.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "fuzz.h"

static void check_text(struct span s)
{
	struct buf b = BUF_INIT;
	struct json_object *o;
	struct err e = ERR_INIT;

	must(utf8_valid(s.p, s.n) == s.n && !memchr(s.p, '\0', s.n), "text is UTF-8 without a NUL");
	buf_adds(&b, "{\"text\":");
	json_add_str(&b, s);
	buf_adds(&b, "}");
	must(json_parse_object(buf_span(&b), &o, &e) == 0, "%s", e.msg);
	must_be_same(json_member_str(o, "text"), s, "what JSON makes of it");
	json_object_put(o);
	buf_release(&b);
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\n' && (s.p[i] < ' ' || s.p[i] > '~'))
			return false;
	return s.n > 0;
}

static void check_type(struct span s)
{
	static const struct {
		const char *type, *sign;
	} signs[] = { { "image/png", "\x89PNG" }, { "image/jpeg", "\xff\xd8" }, { "image/gif", "GIF8" },
		      { "image/webp", "RIFF" }, { "application/pdf", "%PDF" } };
	struct err e = ERR_INIT;
	const char *type = filetype_of(s, &e);
	size_t i = 0;

	if (!type) {
		must(e.kind == ERR_USAGE && e.msg[0], "a reason");
		must(!is_printable(s), "text is taken: %s", e.msg);
		return;
	}
	must(e.kind == ERR_NONE, "%s", e.msg);
	if (strcmp(type, "text/plain") == 0) {
		check_text(s);
		return;
	}
	while (i < sizeof(signs) / sizeof(*signs) && strcmp(signs[i].type, type) != 0)
		i++;
	must(i < sizeof(signs) / sizeof(*signs), "'%s'", type);
	must(s.n >= strlen(signs[i].sign) && memcmp(s.p, signs[i].sign, strlen(signs[i].sign)) == 0,
	     "what begins otherwise is %s", type);
}

static bool feed(void *ctx, struct span chunk)
{
	sha256_feed(ctx, chunk);
	return true;
}

static void check_digest(struct span s)
{
	char whole[SHA256_HEX], other[SHA256_HEX];
	struct sha256 pieces = SHA256_INIT;

	sha256_hex(s, whole);
	must(sha256_valid(span_str(whole)), "'%s'", whole);
	for (size_t way = 0; feed_in_chunks(s, way, feed, &pieces); way++) {
		sha256_end(&pieces, other);
		must(strcmp(whole, other) == 0, "'%s' in pieces is '%s'", whole, other);
		pieces = (struct sha256)SHA256_INIT;
	}
	if (!s.n)
		return;
	((char *)s.p)[hash_of(s) % s.n] ^= 1;
	sha256_hex(s, other);
	must(strcmp(whole, other) != 0, "a bit more, and '%s' is the same", whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = exact((struct span){ (const char *)data, size });

	check_type(s);
	check_digest(s);
	drop(s);
	return 0;
}
