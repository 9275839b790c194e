#include "turn/relevance.h"

#include <stdlib.h>

#include "base/array.h"

#define WORDS_MAX 4096        /* of a prompt: its first ones */
#define SLOTS (2 * WORDS_MAX) /* a power of two */

struct words {
	struct word {
		uint64_t hash; /* 0: a free slot */
		size_t found;  /* in so many exchanges */
		size_t seen;   /* in this one, counted from 1 */
	} *slots;
	size_t n;
};

/* ---- words ---- */

static bool is_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

/* From U+2E80 on: Chinese, Japanese, Korean; signs and emoji too. */
static bool stands_alone(const unsigned char *p)
{
	return p[0] > 0xe2 || (p[0] == 0xe2 && p[1] >= 0xba);
}

static uint64_t add_byte(uint64_t h, unsigned char c)
{
	return (h ^ (c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c)) * UINT64_C(0x100000001b3);
}

/* The hash of the next word, which is never 0; 0 at the end. */
static uint64_t next_word(struct span *s)
{
	const unsigned char *p = (const unsigned char *)s->p, *end = p + s->n;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	while (p < end && !is_letter(*p))
		p++;
	if (end - p >= 3 && stands_alone(p)) {
		do
			h = add_byte(h, *p++);
		while (p < end && (*p & 0xc0) == 0x80);
	} else if (p < end) {
		do
			h = add_byte(h, *p++);
		while (p < end && is_letter(*p) && !(end - p >= 3 && stands_alone(p)));
	} else {
		h = 0;
	}
	*s = (struct span){ (const char *)p, (size_t)(end - p) };
	return h || p == end ? h : 1;
}

/* The word's slot, or the free one that is for it. */
static struct word *find_word(const struct words *w, uint64_t hash)
{
	size_t i = (size_t)hash & (SLOTS - 1);

	while (w->slots[i].hash && w->slots[i].hash != hash)
		i = (i + 1) & (SLOTS - 1);
	return &w->slots[i];
}

static void learn(struct words *w, struct span prompt)
{
	uint64_t hash;

	while (w->n < WORDS_MAX && (hash = next_word(&prompt))) {
		struct word *word = find_word(w, hash);

		w->n += !word->hash;
		word->hash = hash;
	}
}

/* ---- exchanges ---- */

/* The next of the prompt's words in the text that was not yet met in exchange `number`. */
static struct word *next_shared(const struct words *w, struct span *text, size_t number)
{
	uint64_t hash;

	while ((hash = next_word(text))) {
		struct word *word = find_word(w, hash);

		if (word->hash && word->seen != number) {
			word->seen = number;
			return word;
		}
	}
	return NULL;
}

static uint32_t weight(size_t n, size_t found)
{
	uint32_t halves = 0;

	while (n / 2 >= found) {
		n /= 2;
		halves++;
	}
	return halves;
}

/* The prompt's words that the exchanges have, each once an exchange. */
struct hits {
	struct hit {
		size_t exchange;
		const struct word *word;
	} *v;
	size_t n, cap;
};

static int find_hits(struct hits *h, const struct words *w, const struct exchange *const *x, size_t n,
                     struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct span texts[] = { x[i]->query, x[i]->answer };
		struct word *word;

		for (size_t k = 0; k < 2; k++)
			while ((word = next_shared(w, &texts[k], i + 1))) {
				struct hit *v = array_room(h->v, h->n, &h->cap, sizeof(*v), e);

				if (!v)
					return -1;
				h->v = v;
				v[h->n++] = (struct hit){ i, word };
				word->found++;
			}
	}
	return 0;
}

int relevance_score(uint32_t *score, const struct exchange *const *x, size_t n, struct span prompt,
                    struct err *e)
{
	struct words w = { calloc(SLOTS, sizeof(*w.slots)), 0 };
	struct hits h = { .v = NULL };
	int r;

	if (!w.slots)
		return err_oom(e);
	learn(&w, prompt);
	for (size_t i = 0; i < n; i++)
		score[i] = 0;
	r = find_hits(&h, &w, x, n, e);
	for (size_t i = 0; r == 0 && i < h.n; i++)
		score[h.v[i].exchange] += weight(n, h.v[i].word->found);
	free(h.v);
	free(w.slots);
	return r;
}
