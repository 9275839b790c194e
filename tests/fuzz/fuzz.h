/*
 * What the fuzz targets share.
 *
 * A target is a file with LLVMFuzzerTestOneInput(), and at its head the property that it
 * checks. libFuzzer calls it with inputs of its own making (make fuzz); replay.c, in any
 * compiler's build, with the committed seeds (make check).
 *
 * What a target varies beside its input (where a text is split, how many exchanges are
 * asked for) it tries in full where that is cheap, and else takes from a hash of the
 * input. So a seed is a plain text that a person can read.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/data.h"
#include "base/buf.h"
#include "base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The property does not hold: libFuzzer keeps the input of an abort. */
#define must(cond, ...)                                                                            \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: not true: %s: ", __FILE__, __LINE__, #cond);       \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static inline bool same(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* As above, and both absent or both there. */
static inline bool same_optional(struct span a, struct span b)
{
	return !a.p == !b.p && same(a, b);
}

#define must_be_same(a, b, what)                                                                   \
	do {                                                                                       \
		struct span got_ = (a), want_ = (b);                                               \
		must(same(got_, want_), "%s: '%.*s' instead of '%.*s'", what, (int)got_.n,         \
		     got_.p, (int)want_.n, want_.p);                                               \
	} while (0)

/* FNV-1a, for a target's own choices; see rnd(). */
static inline uint64_t hash_of(struct span s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* The input as a string of its own. NULs end it, as they would end an argument. */
static inline char *input_str(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1), *exact_size;

	must(s != NULL, "memory");
	if (size)
		memcpy(s, data, size);
	s[size] = '\0';
	exact_size = strdup(s);
	free(s);
	must(exact_size != NULL, "memory");
	return exact_size;
}

/* A file of this text, that no path leads to. */
static inline int file_of(struct span text)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0 && fchmod(fd, 0600) == 0 && io_write(fd, text.p, text.n) == 0, "a file in memory");
	return fd;
}

/* Cuts the first line, without its newline, off `rest`; false at the end. */
static inline bool cut_line(struct span *rest, struct span *line)
{
	const char *end;

	if (!rest->n)
		return false;
	end = memchr(rest->p, '\n', rest->n);
	line->p = rest->p;
	line->n = end ? (size_t)(end - rest->p) : rest->n;
	rest->p += line->n + (end != NULL);
	rest->n -= line->n + (end != NULL);
	return true;
}

/*
 * Calls feed(ctx, chunk) with all of `text`, in one of many ways: 0 whole, 1 byte by
 * byte, 2 and 3 at random, then in two chunks at each place. False when there is no
 * such way any more. Each chunk is in memory of its own.
 */
static inline bool feed_in_chunks(struct span text, size_t way,
                                  bool (*feed)(void *ctx, struct span chunk), void *ctx)
{
	uint64_t state = hash_of(text) + way;
	bool more = true;

	if (way > 3 && (text.n > 80 || way - 3 >= text.n))
		return false;
	for (size_t at = 0; more && at < text.n;) {
		size_t n = way == 0 ? text.n : way == 1 ? 1 : way <= 3 ? 1 + rnd_below(&state, 9)
		           : at == 0 ? way - 3 : text.n;
		struct span chunk;

		if (n > text.n - at)
			n = text.n - at;
		chunk = exact((struct span){ text.p + at, n });
		more = feed(ctx, chunk);
		drop(chunk);
		at += n;
	}
	return true;
}

#endif
