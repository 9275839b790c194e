#include "base/suggest.h"

#include <stdint.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The Damerau-Levenshtein distance, with three rows of its table. With `anywhere`, bytes of `b` before
 * and after the match cost nothing. */
static size_t edits(struct span a, struct span b, bool anywhere)
{
	size_t row[3][SUGGEST_WORD_MAX + 1], best;

	if (a.n > SUGGEST_WORD_MAX || b.n > SUGGEST_WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		row[0][j] = anywhere ? 0 : j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *cur = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		cur[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			cur[j] = least(up[j - 1] + (a.p[i - 1] != b.p[j - 1]), least(up[j], cur[j - 1]) + 1);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				cur[j] = least(cur[j], up2[j - 2] + 1);
		}
	}
	best = row[a.n % 3][b.n];
	for (size_t j = 0; anywhere && j < b.n; j++)
		best = least(best, row[a.n % 3][j]);
	return best;
}

size_t suggest_edits(struct span a, struct span b)
{
	return edits(a, b, false);
}

size_t suggest_edits_in(struct span a, struct span b)
{
	return edits(a, b, true);
}

const char *suggest_name(const char *word, const char *const *candidates)
{
	struct span w = span_str(word);
	const char *best = NULL;
	size_t nearest = w.n / 3 + 2;

	for (; *candidates; candidates++) {
		size_t d = suggest_edits(w, span_str(*candidates));

		if (d < nearest) {
			nearest = d;
			best = *candidates;
		}
	}
	return best;
}
