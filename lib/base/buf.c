#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char buf_nothing[1] = "";

char *buf_room(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 128;
	char *p;

	if (b->oom || n > SIZE_MAX / 4 - b->n) {
		b->oom = true;
		return NULL;
	}
	if (b->n + n < b->cap)
		return b->p + b->n;
	while (cap <= b->n + n)
		cap *= 2;
	p = realloc(b->cap ? b->p : NULL, cap);
	if (!p) {
		b->oom = true;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	b->p[b->n] = '\0';
	return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (!to || !n)
		return;
	memcpy(to, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !(to = buf_room(b, (size_t)n))) {
		b->oom = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void buf_drop(struct buf *b, size_t n)
{
	if (!n)
		return;
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
	b->p[b->n] = '\0';
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->oom = false;
	if (b->cap)
		b->p[0] = '\0';
}

void buf_release(struct buf *b)
{
	if (b->cap)
		free(b->p);
	*b = (struct buf)BUF_INIT;
}

int buf_check(const struct buf *b, struct err *e)
{
	return b->oom ? err_oom(e) : 0;
}

uint64_t span_hash(struct span s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
	return h;
}

struct span span_trim_start(struct span s, const char *set)
{
	size_t n = strlen(set), i = 0;

	while (i < s.n && memchr(set, s.p[i], n))
		i++;
	return i ? (struct span){ s.p + i, s.n - i } : s;
}

struct span span_trim_end(struct span s, const char *set)
{
	size_t n = strlen(set);

	while (s.n && memchr(set, s.p[s.n - 1], n))
		s.n--;
	return s;
}

struct span span_trim(struct span s, const char *set)
{
	return span_trim_end(span_trim_start(s, set), set);
}

void buf_trim_end(struct buf *b, const char *set)
{
	size_t n = span_trim_end(buf_span(b), set).n;

	if (n < b->n)
		b->p[b->n = n] = '\0';
}
