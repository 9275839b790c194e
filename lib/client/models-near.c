/* The names that a person may have meant. */
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "client/models.h"

#define SHOWN_MAX 80 /* bytes of a name that goes into a sentence */

/* Only letters and digits count, and no capitals: people know those of a name, and leave out
 * or change what stands between them. */
static size_t essence(const char *s, char out[SUGGEST_WORD_MAX])
{
	size_t n = 0;

	for (; *s && n < SUGGEST_WORD_MAX; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 'A' && c <= 'Z')
			out[n++] = (char)(c - 'A' + 'a');
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80)
			out[n++] = (char)c;
	}
	return n;
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

/* One in three letters may be wrong. A part will do: "gpt5" is near "gpt-5-mini", and nearer to
 * "gpt-5". */
static size_t collect(const struct model_list *l, const char *word, struct near *found)
{
	char a[SUGGEST_WORD_MAX], b[SUGGEST_WORD_MAX] = "";
	size_t na = essence(word, a), n = 0;

	for (size_t i = 0; i < l->n && na; i++) {
		struct near *f = &found[n];
		struct span asked = { a, na }, id = { b, essence(l->v[i].id, b) };

		f->id = l->v[i].id;
		f->part = suggest_edits_in(asked, id);
		f->whole = suggest_edits(asked, id);
		n += f->part <= na / 3 && strlen(f->id) <= SHOWN_MAX;
	}
	return n;
}

size_t models_suggest(const struct model_list *l, const char *word, const char **near, size_t max)
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
	n = n < max ? n : max;
	for (size_t i = 0; i < n; i++)
		near[i] = found[i].id;
	free(found);
	return n;
}
