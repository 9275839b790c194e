/*
 * lib/tty/neutral. The input is text that others wrote.
 *
 * Properties of each of its forms: the result is UTF-8 and has no control character
 * but line feeds and tabs (a line has not even those), no bidirectional control and nothing
 * that no screen shows; it is the same in chunks as whole; what is harmless already does
 * not change. JSON means the same after it as before.
 */
#include "tty/neutral.h"

#include <json-c/json_object.h>

#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

static bool is_harmless(uint32_t c, const char *allowed)
{
	static const struct { uint32_t from, to; } harmful[] = {
		{ 0x80, 0x9f },     { 0x61c, 0x61c },   { 0x180e, 0x180e }, { 0x200b, 0x200b },
		{ 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x2064 }, { 0x2066, 0x206f },
		{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0001, 0xe0001 }, { 0xe0020, 0xe007f },
	};

	if (c < 0x80)
		return (c >= 0x20 && c != 0x7f) || (c && strchr(allowed, (int)c));
	for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++)
		if (c >= harmful[i].from && c <= harmful[i].to)
			return false;
	return true;
}

static bool all_harmless(struct span s, const char *allowed)
{
	for (size_t i = 0; i < s.n;) {
		uint32_t c;
		int len = utf8_decode(s.p + i, s.n - i, &c);

		if (len <= 0 || !is_harmless(c, allowed))
			return false;
		i += (size_t)len;
	}
	return true;
}

struct feeding {
	struct neutral n;
	struct buf out;
};

static bool feed(void *ctx, struct span chunk)
{
	struct feeding *f = ctx;

	neutral_feed(&f->n, &f->out, chunk);
	return true;
}

static void check_chunks(struct span text, struct span whole)
{
	for (size_t way = 1;; way++) {
		struct feeding f = { NEUTRAL_INIT, BUF_INIT };
		bool more = feed_in_chunks(text, way, feed, &f);

		neutral_end(&f.n, &f.out);
		if (more)
			must_be_same(buf_span(&f.out), whole, "in chunks");
		buf_release(&f.out);
		if (!more)
			return;
	}
}

/* What is shown, without a state: each character by itself, and CRLF. */
static void model(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n;) {
		uint32_t c = 0;
		int len = utf8_decode(s.p + i, s.n - i, &c);

		if (len == 0) { /* breaks off: one sign for all of it */
			buf_adds(out, UTF8_REPLACEMENT);
			return;
		}
		if (len < 0)
			buf_adds(out, UTF8_REPLACEMENT);
		else if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
			;
		else if (is_harmless(c, "\n\t"))
			buf_add(out, s.p + i, (size_t)len);
		else if (c < 0x80)
			buf_addf(out, "^%c", (int)c ^ 0x40);
		else
			buf_addf(out, "<U+%04X>", (unsigned)c);
		i += len > 0 ? (size_t)len : 1;
	}
}

static void check_text(struct span text)
{
	struct buf out = BUF_INIT, again = BUF_INIT, want = BUF_INIT;

	neutral_add(&out, text);
	must(all_harmless(buf_span(&out), "\n\t"), "'%s'", out.p);
	model(text, &want);
	must_be_same(buf_span(&out), buf_span(&want), "whole");
	check_chunks(text, buf_span(&out));
	neutral_add(&again, buf_span(&out));
	must_be_same(buf_span(&again), buf_span(&out), "a second time");
	buf_release(&out);
	buf_release(&again);
	buf_release(&want);
}

static void check_line(struct span text)
{
	struct buf out = BUF_INIT, again = BUF_INIT;

	buf_adds(&out, "x "); /* what is there is left alone */
	neutral_add_line(&out, text);
	must(out.n >= 2 && memcmp(out.p, "x ", 2) == 0, "'%s'", out.p);
	buf_drop(&out, 2);
	must(all_harmless(buf_span(&out), ""), "'%s'", out.p);
	must(!out.n || (out.p[0] != ' ' && out.p[out.n - 1] != ' '), "'%s'", out.p);
	must(!memmem(out.p, out.n, "  ", 2), "'%s'", out.p);
	must(out.p[out.n] == '\0', "ends with a NUL");
	neutral_add_line(&again, buf_span(&out));
	must_be_same(buf_span(&again), buf_span(&out), "a second time");
	buf_release(&out);
	buf_release(&again);
}

static void check_json(struct span text)
{
	struct json_object *before = NULL, *after = NULL;
	struct err e = ERR_INIT;
	struct buf out = BUF_INIT;

	neutral_add_json(&out, text);
	must(all_harmless(buf_span(&out), "\n"), "'%s'", out.p);
	if (json_parse_object(text, &before, &e) == 0) {
		must(json_parse_object(buf_span(&out), &after, &e) == 0, "%s: '%s'", e.msg, out.p);
		must(json_object_equal(before, after), "'%s'", out.p);
	}
	json_object_put(before);
	json_object_put(after);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = exact((struct span){ (const char *)data, size });

	check_text(text);
	check_line(text);
	check_json(text);
	drop(text);
	return 0;
}
