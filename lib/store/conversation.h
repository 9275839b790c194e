/*
 * A conversation: the result of the records in a session's history.
 *
 * Only this module knows what a record does; reading, appending, following, listing, checking and repairing all
 * apply records here. mc-session(5) has the rules.
 *
 *	struct conversation c = CONVERSATION_INIT;
 *	conversation_apply(&c, &record, line, offset, &e)   for each record, in the order of the file
 *	conversation_settle(&c, &e)                         then c.path and c.info are right
 *	conversation_release(&c)
 *
 * A history is a tree of exchanges. The path from its root to the head is the conversation that the user sees.
 * All exchanges are kept, since a rewind may lead back to any of them. Spans and pointers into this structure
 * are valid until the next call that changes it.
 */
#ifndef STORE_CONVERSATION_H
#define STORE_CONVERSATION_H

#include "base/lookup.h"
#include "store/record.h"

/* What the index says about a session. */
struct session_info {
	int64_t created_at, updated_at; /* the latter is the latest time in the history */
	int64_t exchange_count;         /* complete exchanges of the conversation */
	int64_t tool_calls;             /* of the conversation */
	int64_t branches;               /* see mc-session(5) */
	struct span provider, model, cwd, title;
	const struct span *tags; /* sorted by their bytes */
	size_t ntags;
	struct span first_query, last_query;
	struct span root;        /* the id of the conversation's first exchange */
	struct usage usage;      /* of all records, on the path or not */
	int64_t history_bytes;
	int64_t summary_at;      /* the offset in the history of the summary in use; 0: none */
	int64_t summary_of;      /* how many complete exchanges it stands for */
};

#define NOT_STORED SIZE_MAX /* the offset of a record that is not in the file */
#define NO_PLACE SIZE_MAX   /* not on the path */

struct result_node {
	struct buf call; /* its id */
	size_t at;
	struct record record;
};

struct step_node {
	int64_t n;
	size_t at; /* NOT_STORED: only results of this step are stored */
	struct record record;
	struct result_node *results;
	size_t nresults, results_cap;
	struct lookup by_call;
};

struct exchange_node {
	struct buf id;
	size_t at;            /* the offset of its last line; NOT_STORED: other records only refer to it */
	size_t place;         /* on the path, from 0; or NO_PLACE */
	struct record record; /* its json is NULL if it is not stored, or not kept */
	enum status status;
	int64_t nsteps_said;  /* the record's count of steps */
	struct usage usage;
	struct exchange_node *parent; /* NULL: it begins a conversation */
	struct exchange_node **named; /* owned: for an exchange without a parent member, what the records
	                               * before it name, the last one last; until one of these is stored */
	size_t nnamed;
	struct step_node *steps;      /* in the order of their numbers */
	size_t nsteps, steps_cap;
	struct lookup by_step;        /* private: only until conversation_settle() sorts them */
	struct exchange_node *replaces; /* the exchange that this one retries, or NULL */
	bool referred; /* another record names it as its parent, or the head */
	bool circular; /* see conversation_find_circles() */
	bool reached, followed; /* private */
	size_t visit;
};

struct conversation {
	struct record head; /* the session record; its json is NULL until it was read */
	size_t head_at;
	struct exchange_node **path; /* oldest first */
	size_t n;
	const struct summary *summary; /* the one in use; NULL: none */
	size_t covered;                /* how many exchanges at the beginning of the path it stands for */
	struct session_info info;
	struct json_object *metadata;  /* owned; NULL: none */
	bool titled;  /* it was given a title once, even if that was removed */
	size_t bytes; /* of the history that were applied */
	size_t damaged; /* lines of it that are not valid records */

	/* Only the newest exchanges were read (history_load_newest()): `unread` complete ones come before the path,
	 * of which the summary stands for `unread_summed`. `first` is the first of them; NULL: the path has all
	 * exchanges of the conversation. */
	bool partial;
	int64_t unread, unread_summed;
	const struct exchange *first;

	bool lean; /* set before the first record: texts of exchanges and results are not kept */

	/* private */
	struct exchange_node **nodes;
	size_t nnodes, nodes_cap, nstored;
	struct lookup by_id;
	struct note *notes; /* changes and summaries */
	size_t nnotes, notes_cap;
	struct lookup by_note;
	struct departure {
		struct exchange_node *from, *to; /* to == NULL: before the first exchange */
	} *departures; /* rewinds that name the head before */
	size_t ndepartures, departures_cap;
	struct exchange_node **heads; /* what the last records name as the head; NULL: no exchange */
	size_t nheads, heads_cap, path_cap;
	size_t nguessed;              /* exchanges whose parents are yet to be found among `named` */
	struct span *tags;
	struct json_object *row;      /* of a partial conversation: has the texts of its info */
	struct record first_record, summary_record; /* and these have its first exchange and its summary */
	unsigned dirty;
};
#define CONVERSATION_INIT { .info = { .usage = USAGE_NONE } }

/* Applies the record at offset `at`; `line` is its text, without the line feed. The conversation takes r->json
 * if it keeps it; the caller releases the record in any case. */
int conversation_apply(struct conversation *c, struct record *r, struct span line, size_t at,
                       struct err *e);
/* Applies the record in `line`, a text with its line feed at offset c->bytes, and clears `line`. Keeps copies
 * only. */
int conversation_apply_text(struct conversation *c, struct buf *line, struct err *e);
/* Computes path, info and all else that depends on more than one record. ERR_FAILED if a partial conversation
 * lacks what this needs. */
int conversation_settle(struct conversation *c, struct err *e);
void conversation_release(struct conversation *c);

/* An exchange of the path. */
static inline const struct exchange *conversation_exchange(const struct conversation *c, size_t i)
{
	return &c->path[i]->record.exchange;
}
/* The head, or NULL. */
const struct exchange *conversation_last(const struct conversation *c);
/* The stored exchange of this id, on the path or not; or NULL. */
struct exchange_node *conversation_find(const struct conversation *c, struct span id);
/* The same, or an exchange that is not stored but that other records refer to (its steps, say). */
struct exchange_node *conversation_find_any(const struct conversation *c, struct span id);
/* Marks the exchanges whose parents lead back to themselves. */
void conversation_find_circles(struct conversation *c);
struct step_node *conversation_find_step(const struct exchange_node *x, int64_t n);
/* The stored result of this call, or NULL. */
struct result_node *conversation_find_result(const struct step_node *s, struct span call);
/* How many calls a step has, 0 if only its results are stored; and the result of one of them. */
size_t conversation_calls(const struct step_node *s);
const struct result *conversation_result(const struct step_node *s, size_t call);

/* Lists the offsets of the conversation's records, in the order of the file: the exchanges of the path from number
 * `from` on with their steps and results; with `rest` also the session record, the changes, and the summaries
 * of exchanges on the path. The caller frees *offsets. */
int conversation_offsets(const struct conversation *c, size_t from, bool rest, size_t **offsets,
                         size_t *n, struct err *e);

/* The time for a new record: now, but later than every time in the history. */
int64_t conversation_now(const struct conversation *c);

/* The summary in use for the first `n` exchanges of the path, and how many of them it stands for; or NULL. */
const struct summary *conversation_summary(const struct conversation *c, size_t n, size_t *covered);

/* In memory only: these add a copy of the record, and conversation_rewind() makes another exchange the head. */
int conversation_add(struct conversation *c, const struct exchange *x, struct err *e);
int conversation_add_step(struct conversation *c, const struct step *s, struct err *e);
int conversation_add_result(struct conversation *c, const struct result *r, struct err *e);
int conversation_rewind(struct conversation *c, struct span to, struct err *e);

#endif
