/*
 * A growable byte buffer, and a span of bytes that somebody else owns.
 *
 * A buf owns its memory until buf_release(). The add functions do not fail one
 * by one: when memory runs out the buffer remembers it, ignores what follows,
 * and buf_check() reports it once, where the bytes are used. `p` is always
 * followed by a NUL, so that it can be printed, but may hold NULs itself.
 *
 *	struct buf b = BUF_INIT;
 *	buf_adds(&b, "x=");
 *	buf_addf(&b, "%d", x);
 *	if (buf_check(&b, e) < 0) …
 *	buf_release(&b);
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct buf {
	char *p;
	size_t n;   /* bytes in use */
	size_t cap; /* bytes owned */
	bool oom;
};

struct span {
	const char *p;
	size_t n;
};

extern char buf_nothing[1];
#define BUF_INIT { buf_nothing, 0, 0, false }

void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Makes room for `n` more bytes; returns where they go, or NULL. */
char *buf_room(struct buf *b, size_t n);
/* Takes the first `n` bytes out. */
void buf_drop(struct buf *b, size_t n);
void buf_clear(struct buf *b);
void buf_release(struct buf *b);
/* 0, or -1 with "out of memory" in `e`. */
int buf_check(const struct buf *b, struct err *e);

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->p, b->n };
}

static inline struct span span_str(const char *s)
{
	return (struct span){ s, strlen(s) };
}

/* Inline, because `s` is nearly always a literal, and records are read by the million. */
static inline bool span_eq(struct span a, const char *s)
{
	return a.n == strlen(s) && memcmp(a.p, s, a.n) == 0;
}

static inline bool span_same(struct span a, struct span b)
{
	return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

/* FNV-1a. */
uint64_t span_hash(struct span s);

static inline bool span_ends(struct span a, const char *s)
{
	return a.n >= strlen(s) && memcmp(a.p + a.n - strlen(s), s, strlen(s)) == 0;
}

#define SPAN_WHITE " \t\r\n" /* white space as in JSON */

/* Without the bytes of `set` at the start, at the end, or at both. A NUL byte is never in the set. */
struct span span_trim_start(struct span s, const char *set);
struct span span_trim_end(struct span s, const char *set);
struct span span_trim(struct span s, const char *set);
/* The same for the end of a buffer, which stays terminated. */
void buf_trim_end(struct buf *b, const char *set);

/* Whether there is nothing but SPAN_WHITE; utf8_is_blank() also knows the white space of Unicode. */
static inline bool span_is_blank(struct span s)
{
	return span_trim_start(s, SPAN_WHITE).n == 0;
}

#endif
