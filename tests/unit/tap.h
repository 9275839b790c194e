/*
 * What a unit test says: TAP, with the plan at its end.
 *
 *	is_int(f(1), 2, "f of %d", 1);
 *	return tap_end();
 *
 * Each check returns whether it passed. A loop of many checks reports once: it
 * counts its failures, says the first with tap_note(), and ends with one is_int().
 */
#ifndef UNIT_TAP_H
#define UNIT_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static int tap_ran, tap_failed;

#define ok(cond, ...)        tap_ok(__FILE__, __LINE__, (cond), __VA_ARGS__)
#define is_int(got, want, ...) tap_int(__FILE__, __LINE__, (got), (want), __VA_ARGS__)
#define is_span(got, want, ...) tap_span(__FILE__, __LINE__, (got), span_str(want), __VA_ARGS__)
#define is_same(got, want, ...) tap_span(__FILE__, __LINE__, (got), (want), __VA_ARGS__)
#define is_bytes(got, p, n, ...) is_same(got, ((struct span){ (p), (n) }), __VA_ARGS__)
#define is_buf(got, want, ...) is_span(buf_span(got), want, __VA_ARGS__)
#define is_str(got, want, ...) is_span(span_str(got), want, __VA_ARGS__)
/* The error has this kind, and its message holds this text. */
#define is_err(e, k, text, ...) tap_err(__FILE__, __LINE__, (e), (k), (text), __VA_ARGS__)

PRINTF_LIKE(1, 2) static inline void tap_note(const char *fmt, ...)
{
	va_list ap;

	fputs("# ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static inline void tap_quote(const char *what, struct span s)
{
	printf("#   %s: '", what);
	for (size_t i = 0; i < s.n && i < 400; i++)
		printf(s.p[i] >= ' ' && s.p[i] < 127 ? "%c" : "\\x%02x", (unsigned char)s.p[i]);
	printf("'%s (%zu bytes)\n", s.n > 400 ? "…" : "", s.n);
}

static inline bool tap_result(const char *file, int line, bool pass, const char *fmt, va_list ap)
{
	printf("%sok %d - ", pass ? "" : "not ", ++tap_ran);
	vprintf(fmt, ap);
	putchar('\n');
	if (!pass)
		tap_note("failed at %s:%d", file, line);
	tap_failed += !pass;
	fflush(stdout); /* so that a crash, or a fork, finds nothing unsaid */
	return pass;
}

#define TAP_RESULT(pass)                                                                           \
	va_list ap;                                                                                \
	bool passed = (pass);                                                                      \
	va_start(ap, fmt);                                                                         \
	tap_result(file, line, passed, fmt, ap);                                                   \
	va_end(ap)

PRINTF_LIKE(4, 5)
static inline bool tap_ok(const char *file, int line, bool pass, const char *fmt, ...)
{
	TAP_RESULT(pass);
	return passed;
}

PRINTF_LIKE(5, 6)
static inline bool tap_int(const char *file, int line, int64_t got, int64_t want, const char *fmt,
                           ...)
{
	TAP_RESULT(got == want);
	if (!passed)
		printf("#   expected: %" PRId64 "\n#   got: %" PRId64 "\n", want, got);
	return passed;
}

PRINTF_LIKE(5, 6)
static inline bool tap_span(const char *file, int line, struct span got, struct span want,
                            const char *fmt, ...)
{
	TAP_RESULT(got.n == want.n && (!got.n || memcmp(got.p, want.p, got.n) == 0));
	if (!passed) {
		tap_quote("expected", want);
		tap_quote("got", got);
	}
	return passed;
}

PRINTF_LIKE(6, 7)
static inline bool tap_err(const char *file, int line, const struct err *e, enum err_kind kind,
                           const char *text, const char *fmt, ...)
{
	TAP_RESULT(e->kind == kind && strstr(e->msg, text) != NULL);
	if (!passed)
		printf("#   expected: kind %d, …%s…\n#   got: kind %d, %s\n", kind, text, e->kind, e->msg);
	return passed;
}

/* Prints the plan; returns the program's exit status. */
static inline int tap_end(void)
{
	printf("1..%d\n", tap_ran);
	return tap_failed != 0;
}

#endif
