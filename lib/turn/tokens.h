/*
 * What a conversation comes to in tokens.
 *
 * Only the provider knows, and says it with each reply: the input is all that was sent,
 * and the output is the answer. So two exchanges that follow each other, with all of the
 * conversation sent both times, tell what the second prompt was:
 *
 *	input(k) = input(k-1) + answer(k-1) + prompt(k)
 *
 * Where figures are missing, of another model, or contradict each other, a text is
 * estimated by its letters; how far such estimates are off is seen from those that can
 * be compared, and made up for. An estimate has a margin on top.
 */
#ifndef TURN_TOKENS_H
#define TURN_TOKENS_H

#include "store/history.h"

/* By the letters alone: four to a token in English, two of Greek or Cyrillic, and fewer
 * tokens than characters in no Chinese. */
int64_t tokens_estimate(struct span text);
/* Of an exchange's texts, as a part of `limit` tokens that are to be looked at: at most an eighth, so
 * that one large exchange does not hide all that came before it. */
int64_t tokens_of_exchange(const struct exchange *x, int64_t limit);
/* By its type and size. Vendors count an image by its pixels, most up to 1600; a page of a
 * PDF takes some 2500, and has some 50 KB. */
int64_t tokens_of_file(const struct attachment_ref *file);

/* A struct tally owns its arrays until tally_release(). */
struct tally {
	size_t n;      /* exchanges that a model is to see again (exchange_counts()) */
	const struct exchange **exchange; /* each of them */
	size_t *place; /* where they are on the conversation's path; NO_PLACE for its `first` */
	int64_t *cost; /* tokens of its prompt, with files, and its answer */
	/* Of a conversation that is much longer than the window: so many exchanges before number `gap`,
	 * which is 0 or 1, are not looked at. They end before place `from`. */
	size_t skipped, skipped_incomplete, gap, from;
	int64_t system; /* tokens of the system prompt */
	int64_t base;  /* what every request has beside them: that, and what the provider adds */
	int64_t whole; /* the base and all of them, which is better known than the sum */
	int64_t ratio; /* private: how many tokens an estimate of 1024 was found to be */
};

/*
 * Of the first `n` exchanges of the path: the newest whose texts have about `limit` tokens, and the
 * first one. INT64_MAX: all of them. `model` is the one that is to be asked.
 */
int tally_make(struct tally *t, const struct conversation *c, size_t n, int64_t limit,
               struct span model, struct span system, struct err *e);
void tally_release(struct tally *t);

/* The tokens of a text that was not sent yet, as part of a message; with the margin. */
int64_t tally_text(const struct tally *t, struct span text);
/* The same of a prompt with its files. */
int64_t tally_prompt(const struct tally *t, const struct exchange *x);

#endif
