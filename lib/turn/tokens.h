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
 *
 * An exchange comes to its query and answer, its steps with their calls, the results of these, and the
 * files of all of them. Its native items are counted apart, since a request may go without them.
 */
#ifndef TURN_TOKENS_H
#define TURN_TOKENS_H

#include "store/history.h"

/* By the letters alone: four to a token in English, two of Greek or Cyrillic, and fewer
 * tokens than characters in no Chinese. */
int64_t tokens_estimate(struct span text);
/* Of an exchange, a step or a result by itself, estimated once and then kept in r->measure; 0 for other
 * records. -1: an exchange that is not sent again, nor are its steps. For struct history_want. */
int64_t tokens_of_record(struct record *r);
/* What one exchange with its steps counts for, at most, where `limit` tokens are to be looked at: so that
 * a large one does not hide all that came before it. */
int64_t tokens_most(int64_t limit);
/* By its type and size. Vendors count an image by its pixels, most up to 1600; a page of a
 * PDF takes some 2500, and has some 50 KB. */
int64_t tokens_of_file(const struct attachment_ref *file);
/* Of all of these. */
int64_t tokens_of_files(const struct attachment_ref *files, size_t n);

/* A struct tally owns its arrays until tally_release(). */
struct tally {
	size_t n;      /* exchanges that a model is to see again (exchange_counts()) */
	const struct exchange **exchange; /* each of them */
	size_t *place; /* where they are on the conversation's path; NO_PLACE for its `first` */
	int64_t *cost; /* its tokens without native items */
	int64_t *between; /* how many of these are its steps and results; 0 for a `first` */
	/* Of a conversation that is much longer than the window: so many exchanges before number `gap`,
	 * which is 0 or 1, are not looked at. They end before place `from`. */
	size_t skipped, skipped_incomplete, gap, from;
	int64_t system; /* tokens of the system prompt */
	int64_t base;  /* what every request has beside them: that, and what the provider adds */
	int64_t whole; /* the base and all of them, which is better known than the sum; with native items */
	int64_t native; /* tokens of all native items that may be sent */
	size_t with_native; /* exchanges that have any */
	int64_t ratio; /* private: how many tokens an estimate of 1024 was found to be */
};

/*
 * Of the first `n` exchanges of the path: the newest that have about `limit` tokens, and the first one.
 * INT64_MAX: all of them. `provider` and `model` are to be asked; NULL: without native items.
 */
int tally_make(struct tally *t, const struct conversation *c, size_t n, int64_t limit,
               const char *provider, struct span model, struct span system, struct err *e);
void tally_release(struct tally *t);

/* The tokens of a text that was not sent yet, as part of a message; with the margin. */
int64_t tally_text(const struct tally *t, struct span text);
/* The same of the steps of a turn that runs, with native items; *words of these without files. */
int64_t tally_steps(const struct tally *t, const struct exchange_node *node, const char *provider,
                    struct span model, int64_t *words);

#endif
