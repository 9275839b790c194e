/*
 * Which of a history's summaries is of use: the newest one that names an exchange which
 * is before it in the file and still in the conversation.
 *
 * The conversation up to an exchange is always the same, whatever was taken back and by
 * which way it came to be again; so what such a summary tells is true.
 */
#ifndef STORE_HISTORY_GIST_H
#define STORE_HISTORY_GIST_H

#include "store/history.h"

/* The summaries that were met, in the order of the file. */
struct gists {
	struct met_gist {
		uint64_t up_to; /* the hash of the id */
		size_t offset;
		size_t turns;   /* of the conversation, before it */
	} *v; /* owned */
	size_t n, cap;
};

int gists_meet(struct gists *all, const struct summary *g, size_t offset, size_t turns,
               struct err *e);
/* Gives the conversation, whose turns are all there, the one that is of use, if any. */
int gists_choose(const struct gists *all, const struct jsonl *j, struct conversation *c,
                 struct err *e);
void gists_release(struct gists *all);

#endif
