#include "base/buf.h"

#include <stdint.h>

#include "data.h"
#include "tap.h"

static void test_adding(void)
{
	struct buf b = BUF_INIT;

	is_str(b.p, "", "a new buffer can be printed");
	buf_add(&b, NULL, 0);
	is_int((int64_t)b.n, 0, "adding nothing adds nothing");
	buf_adds(&b, "abc");
	buf_addc(&b, '\0');
	buf_addf(&b, "%d-%s", 42, "x");
	is_bytes(buf_span(&b), "abc\00042-x", 8, "pieces, one of them a NUL");
	is_int(b.p[b.n], 0, "a NUL follows");
	buf_drop(&b, 4);
	is_str(b.p, "42-x", "the front is dropped");
	buf_drop(&b, 0);
	buf_drop(&b, 4);
	is_str(b.p, "", "all is dropped");
	buf_adds(&b, "again");
	buf_clear(&b);
	is_str(b.p, "", "cleared");
	is_int(buf_check(&b, &(struct err)ERR_INIT), 0, "and sound");
	buf_release(&b);
	ok(b.p == buf_nothing && !b.n && !b.cap, "released, it is as new");
	buf_release(&b);
	buf_clear(&b);
	is_str(b.p, "", "releasing and clearing an empty one is harmless");
}

static void test_room(void)
{
	struct buf b = BUF_INIT;
	char *to;

	for (size_t n = 0; n < 600; n++) {
		to = buf_room(&b, n);
		if (!to || b.cap <= b.n + n) {
			ok(false, "room for %zu bytes and a NUL", n);
			break;
		}
		memset(to, 'x', n); /* ASan watches */
		to[n] = '\0';
		buf_clear(&b);
	}
	ok(to != NULL, "there is as much room as was asked for");
	buf_release(&b);
}

static void test_memory_runs_out(void)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	buf_adds(&b, "kept");
	ok(!buf_room(&b, SIZE_MAX / 2), "no room for half the address space");
	ok(!buf_room(&b, SIZE_MAX), "nor for all of it");
	buf_adds(&b, "ignored");
	buf_addf(&b, "%d", 1);
	buf_addc(&b, 'x');
	is_buf(&b, "kept", "what follows is ignored");
	is_int(buf_check(&b, &e), -1, "the check says so");
	is_err(&e, ERR_FAILED, "out of memory", "in words");
	buf_clear(&b);
	buf_adds(&b, "new");
	is_buf(&b, "new", "cleared, it takes bytes again");
	is_int(buf_check(&b, &e), 0, "and is sound");
	buf_release(&b);
}

/* Adds and drops at random, beside a plain array. */
static void test_against_array(void)
{
	static char model[1 << 16];
	size_t n = 0, bad = 0;
	uint64_t seed = 1;
	struct buf b = BUF_INIT;

	for (int i = 0; i < 20000; i++) {
		char piece[64];
		size_t len = rnd_below(&seed, sizeof(piece));

		if (n + len > sizeof(model) || rnd_below(&seed, 4) == 0) {
			len = n ? rnd_below(&seed, n + 1) : 0;
			memmove(model, model + len, n - len);
			n -= len;
			buf_drop(&b, len);
		} else {
			memset(piece, 'a' + i % 26, len);
			memcpy(model + n, piece, len);
			n += len;
			buf_add(&b, piece, len);
		}
		bad += b.n != n || memcmp(b.p, model, n) != 0 || b.p[n] != '\0';
	}
	is_int((int64_t)bad, 0, "20000 random adds and drops agree with an array");
	buf_release(&b);
}

static void test_spans(void)
{
	struct span s = span_str("version");

	is_int((int64_t)s.n, 7, "a string as a span");
	ok(span_eq(s, "version"), "equal");
	ok(!span_eq(s, "versio") && !span_eq(s, "versions") && !span_eq(s, "Version"), "not equal");
	ok(span_eq((struct span){ "", 0 }, ""), "nothing equals nothing");
	ok(!span_eq((struct span){ "a\0b", 3 }, "a"), "a NUL is a byte like others");
	ok(span_ends(s, "sion") && span_ends(s, "") && span_ends(s, "version"), "ends so");
	ok(!span_ends(s, "xversion") && !span_ends(s, "sio"), "ends not so");
}

static void test_trimming(void)
{
	struct span s = span_str(" \t\r\na b\n\n "), nul = { "\0a\0", 3 }, none = { NULL, 0 };
	struct buf b = BUF_INIT;

	is_span(span_trim_start(s, SPAN_WHITE), "a b\n\n ", "white space at the start");
	is_span(span_trim_end(s, SPAN_WHITE), " \t\r\na b", "at the end");
	is_span(span_trim(s, SPAN_WHITE), "a b", "at both, not within");
	is_span(span_trim_end(span_str("a \n"), "\n"), "a ", "only bytes of the set");
	is_span(span_trim(span_str(" \n "), SPAN_WHITE), "", "nothing else is left empty");
	is_same(span_trim(nul, SPAN_WHITE), nul, "a NUL byte stays");
	ok(span_trim(none, SPAN_WHITE).n == 0, "an empty span without memory");
	ok(span_is_blank(none), "is blank");
	ok(span_is_blank(span_str(" \t\r\n ")), "so is white space");
	ok(!span_is_blank(span_str(" \n.")), "a dot is not");
	ok(!span_is_blank(nul), "nor is a NUL byte");
	buf_trim_end(&b, "\n");
	ok(b.n == 0, "an empty buffer");
	buf_adds(&b, "a\n\n");
	buf_trim_end(&b, "\n");
	is_buf(&b, "a", "a buffer");
	is_str(b.p, "a", "which stays terminated");
	buf_release(&b);
}

int main(void)
{
	test_adding();
	test_room();
	test_memory_runs_out();
	test_against_array();
	test_spans();
	test_trimming();
	return tap_end();
}
