#include "prompt/filter.h"

#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "base/utf8.h"

/* Adds one character, folded; returns how long it was. */
static size_t fold_one(struct buf *out, struct span text)
{
	uint32_t c = 0;
	int len;

	if ((unsigned char)*text.p < 0x80) {
		buf_addc(out, *text.p >= 'A' && *text.p <= 'Z' ? (char)(*text.p | 0x20) : *text.p);
		return 1;
	}
	len = utf8_decode(text.p, text.n, &c);
	if (len > 0)
		utf8_add(out, (uint32_t)towlower((wint_t)c));
	else
		buf_adds(out, UTF8_REPLACEMENT);
	return len > 0 ? (size_t)len : 1;
}

void filter_fold(struct buf *folded, struct span text)
{
	while (text.n) {
		char *room = (unsigned char)*text.p < 0x80 ? buf_room(folded, text.n) : NULL;
		size_t n = 0;

		for (; room && n < text.n && (unsigned char)text.p[n] < 0x80; n++)
			room[n] = text.p[n] >= 'A' && text.p[n] <= 'Z' ? (char)(text.p[n] | 0x20) : text.p[n];
		folded->n += n;
		if (!n)
			n = fold_one(folded, text);
		text = (struct span){ text.p + n, text.n - n };
	}
	if (folded->cap)
		folded->p[folded->n] = '\0';
}

void filter_set(struct filter *f, struct span typed)
{
	buf_clear(&f->text);
	filter_fold(&f->text, typed);
	f->n = 0;
	for (size_t i = 0; i < f->text.n && f->n < FILTER_MAX; i++) {
		size_t start = i;

		while (i < f->text.n && f->text.p[i] != ' ')
			i++;
		if (i > start)
			f->v[f->n++] = (struct filter_word){ start, i - start };
	}
}

void filter_release(struct filter *f)
{
	buf_release(&f->text);
	f->n = 0;
}

bool filter_fit(const struct filter *f, struct span folded)
{
	for (size_t i = 0; i < f->n; i++)
		if (!memmem(folded.p, folded.n, f->text.p + f->v[i].at, f->v[i].n))
			return false;
	return true;
}

/* The folded text may be shorter or longer; origin[i] is where its byte i comes from. */
static int fold_with_origin(struct buf *folded, struct span text, size_t **origin)
{
	size_t *from = malloc((text.n * 4 + 1) * sizeof(*from)), to = 0;

	*origin = from;
	for (size_t at = 0; from && at < text.n;) {
		size_t len = fold_one(folded, (struct span){ text.p + at, text.n - at });

		for (; to < folded->n; to++)
			from[to] = at;
		at += len;
	}
	if (from)
		from[to] = text.n;
	return !from || folded->oom ? -1 : 0;
}

static void mark_word(const char *word, size_t n, struct span folded, const size_t *origin,
                      bool *marks)
{
	const char *at = folded.p, *end = folded.p + folded.n;

	while ((at = memmem(at, (size_t)(end - at), word, n)) != NULL) {
		size_t from = origin[at - folded.p], to = origin[at - folded.p + (ptrdiff_t)n];

		memset(marks + from, true, to - from);
		at += n;
	}
}

int filter_mark(const struct filter *f, struct span text, bool *marks)
{
	struct buf folded = BUF_INIT;
	size_t *origin = NULL;
	int r = 0;

	if (f->n && text.n)
		r = fold_with_origin(&folded, text, &origin);
	for (size_t i = 0; i < f->n && text.n && r == 0; i++)
		mark_word(f->text.p + f->v[i].at, f->v[i].n, buf_span(&folded), origin, marks);
	free(origin);
	buf_release(&folded);
	return r;
}
