/*
 * Selecting sessions by their records in the index: the filters of a command line, and a walk through the
 * sessions that pass them.
 *
 *	static const struct opt opts[] = { …, SELECT_OPTIONS, { 0 } };
 *
 *	struct select want = SELECT_INIT;
 *	select_option(&want, id, value, e)        for each option; ignores the tool's own
 *	struct select_walk w = { .want = &want, .store = &store };
 *	if (select_open(&w, all, e) < 0) …
 *	while (select_next(&w, &line, &r)) …
 *	select_close(&w, e)
 *	select_release(&want)
 *
 * The wanted strings are kept as JSON, so that a record is compared without decoding and without an
 * allocation.
 */
#ifndef STORE_SELECT_H
#define STORE_SELECT_H

#include <stdint.h>

#include "base/cli.h"
#include "store/index.h"

/* ---- what is wanted ---- */

struct select {
	struct buf cwd, provider, model; /* as JSON strings; empty: any */
	int64_t since, before;           /* ms; a session was last active since <= time < before */
	int64_t now;                     /* ages are counted from here; 0: the first age sets it */
};
#define SELECT_INIT                                                                                \
	{ .cwd = BUF_INIT, .provider = BUF_INIT, .model = BUF_INIT, .since = INT64_MIN, .before = INT64_MAX }

enum select_opt {
	SELECT_CWD = OPT_LONG + 64, /* a tool's own long options have lower numbers */
	SELECT_PROVIDER,
	SELECT_MODEL,
	SELECT_SINCE,
	SELECT_BEFORE,
};

#define SELECT_OPTIONS                                                                             \
	{ SELECT_CWD, "cwd", "DIR", ARG_DIR, "only sessions that belong to this directory" },          \
	{ SELECT_PROVIDER, "provider", "NAME", ARG_PROVIDER, "only sessions with this provider" },     \
	{ SELECT_MODEL, "model", "NAME", ARG_MODEL, "only sessions with this model" },                 \
	{ SELECT_SINCE, "since", "WHEN", ARG_TEXT, "only sessions active since: 7d, 12h, 2026-11-21" }, \
	{ SELECT_BEFORE, "before", "WHEN", ARG_TEXT, "only sessions not active since then" }

/* Takes the value of one of these options; ignores other options. If an option is given twice, the last
 * value counts. ERR_USAGE: the value cannot be read. */
int select_option(struct select *s, int id, const char *value, struct err *e);
void select_release(struct select *s);

/* ---- the sessions that pass ---- */

struct select_walk {
	const struct select *want;
	const struct store *store;
	unsigned fields; /* the fields of each record that the caller reads (enum index_field) */
	/* Another filter, or NULL. */
	bool (*also)(void *ctx, const struct index_record *r);
	/* Called for a session that may pass, but whose history cannot be read to find out. NULL: it is left
	 * out silently. */
	void (*left_out)(void *ctx, const char *id, struct err *e);
	void *ctx;

	struct index_reader index; /* the rest is private */
	struct buf *fresh;         /* owned; records made from histories, in place of stale ones */
	size_t nfresh, fresh_cap;
};

/* `all` says that most of the index will be read. */
int select_open(struct select_walk *w, bool all, struct err *e);
/*
 * The next session that passes, the most recently active first: its record with its newline, and the
 * fields of it (*r is not set if neither the caller nor a filter reads any). Both stay until
 * select_close().
 *
 * People delete what --before lists, so the index alone is not enough there: if a history has another
 * size than its record says, or was written after that time, the history itself is read. A session in
 * which a turn has begun after that time counts as active.
 */
bool select_next(struct select_walk *w, struct span *line, struct index_record *r);
/* -1: memory ran out, and sessions may be missing. */
int select_close(struct select_walk *w, struct err *e);

#endif
