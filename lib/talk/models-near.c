/* The names that a person may have meant. */
#include <stdlib.h>
#include <string.h>

#include "talk/models.h"

#define WORD_MAX 64  /* letters and digits of a name that are compared */
#define SHOWN_MAX 80 /* bytes of a name that goes into a sentence */

/* Only letters and digits count, and no capitals: people know those of a name, and leave out
 * or change what stands between them. */
static size_t essence(const char *s, char out[WORD_MAX])
{
	size_t n = 0;

	for (; *s && n < WORD_MAX; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 'A' && c <= 'Z')
			out[n++] = (char)(c - 'A' + 'a');
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80)
			out[n++] = (char)c;
	}
	return n;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Edits (insert, delete, replace) that make a part of `b` of `a`: *part; and all of it:
 * *whole. So "gpt5" is near "gpt-5-mini", and nearer to "gpt-5".
 */
static void distances(const char *a, size_t na, const char *b, size_t nb, size_t *part, size_t *whole)
{
	size_t anywhere[WORD_MAX + 1] = { 0 }, all[WORD_MAX + 1];

	for (size_t j = 0; j <= nb; j++)
		all[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t corner = anywhere[0], corner_all = all[0];

		anywhere[0] = all[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t other = a[i - 1] != b[j - 1], up = anywhere[j], up_all = all[j];

			anywhere[j] = least(corner + other, least(up, anywhere[j - 1]) + 1);
			all[j] = least(corner_all + other, least(up_all, all[j - 1]) + 1);
			corner = up;
			corner_all = up_all;
		}
	}
	*whole = all[nb];
	*part = anywhere[0];
	for (size_t j = 1; j <= nb; j++)
		*part = least(*part, anywhere[j]);
}

struct near {
	const char *id;
	size_t part, whole;
};

static int compare(const void *a, const void *b)
{
	const struct near *x = a, *y = b;

	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	if (x->whole != y->whole)
		return x->whole < y->whole ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* One in three letters may be wrong. */
static size_t collect(const struct model_list *l, const char *word, struct near *found)
{
	char a[WORD_MAX], b[WORD_MAX];
	size_t na = essence(word, a), n = 0;

	for (size_t i = 0; i < l->n && na; i++) {
		struct near *f = &found[n];
		size_t nb = essence(l->v[i].id, b);

		f->id = l->v[i].id;
		distances(a, na, b, nb, &f->part, &f->whole);
		n += f->part <= na / 3 && strlen(f->id) <= SHOWN_MAX;
	}
	return n;
}

size_t models_near(const struct model_list *l, const char *word, const char **near, size_t max)
{
	struct near *found = calloc(l->n + 1, sizeof(*found));
	const char *slash = strrchr(word, '/');
	size_t n;

	if (!found)
		return 0;
	n = slash ? collect(l, slash + 1, found) : 0; /* "openai/gpt-5", as another server calls it */
	if (!n)
		n = collect(l, word, found);
	qsort(found, n, sizeof(*found), compare);
	n = least(n, max);
	for (size_t i = 0; i < n; i++)
		near[i] = found[i].id;
	free(found);
	return n;
}
