/*
 * Stores exchanges in a session as mc-chat does, one after the other in one process: the
 * lock, the spool, the history, the index.
 *
 *	append SESSIONS_DIR ID NAME COUNT
 *
 * The queries are "NAME 1" to "NAME COUNT". Where mc-chat reads the whole conversation
 * for its turn, this reads what was appended since its last one, so that many processes
 * can fill one session in a time that a test has.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/session.h"
#include "store/spool.h"

static struct record head;
static struct record known[2]; /* the records that `sum` has its strings from */
static size_t nknown;
static struct session_info sum = { .usage = USAGE_NONE };
static size_t told; /* bytes of the history that `sum` tells of */

static int fail(const struct err *e)
{
	fprintf(stderr, "append: %s\n", e->msg);
	return 1;
}

static void notice(const char *sentence)
{
	fprintf(stderr, "append: %s\n", sentence);
}

static int take(struct record *r, struct err *e)
{
	if (r->type == RECORD_SESSION) {
		head = *r;
		sum.created_at = sum.updated_at = head.head.created_at;
		sum.provider = head.head.provider;
		sum.model = head.head.model;
		sum.cwd = head.head.cwd;
		sum.title = head.head.title;
		return 0;
	}
	if (r->type != RECORD_EXCHANGE)
		return err_set(e, ERR_FAILED, "a record that no one wrote");
	info_count(&sum, &r->exchange, 0);
	/* The first and the last exchange are quoted in the index; the rest can go. */
	if (nknown == 2)
		record_release(&known[--nknown]);
	known[nknown++] = *r;
	return 0;
}

/* Reads what others have appended; the lock is held, so there is no torn line. */
static int catch_up(struct session *x, struct err *e)
{
	struct jsonl j;
	struct span line;
	int r = 0;

	if (jsonl_map(&j, x->fd, e) < 0)
		return -1;
	while (r == 0 && jsonl_next(&j, &told, &line)) {
		struct record record;

		r = record_parse(line, &record, e);
		if (r == 0)
			r = take(&record, e);
	}
	jsonl_unmap(&j);
	return r;
}

static int turn(const struct store *s, const char *id, const char *query, struct err *e)
{
	const struct lock_wait wait = { .stop_fd = -1 };
	struct exchange exchange = { .query = span_str(query), .answer = span_str(query),
		                     .model = { "echo", 4 }, .timestamp = clock_now_ms(),
		                     .status = STATUS_COMPLETE, .duration = 1,
		                     .usage = { 2, 3, 5, -1, -1, -1, -1 } };
	struct session_info before;
	struct session x;
	char uuid[UUID_SIZE];
	int spool, r;

	if (session_lock(&x, s, id, &wait, e) < 0)
		return -1;
	r = catch_up(&x, e);
	before = sum; /* our own exchange is counted when it is read */
	if (r == 0)
		r = uuid7_generate(uuid, exchange.timestamp, e);
	exchange.id = span_str(uuid);
	spool = r < 0 ? -1 : spool_begin(x.dir, &exchange, e);
	if (spool < 0 || spool_add(spool, exchange.answer, e) < 0)
		r = -1;
	if (spool >= 0)
		close(spool);
	if (r == 0)
		r = session_append(&x, &sum, &exchange, NULL, e);
	sum = before;
	session_unlock(&x);
	return r;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct store s = { .fd = -1, .stop_fd = -1, .notice = notice };
	char query[128];

	if (argc != 5)
		return 2;
	if (store_open(&s, argv[1], false, &e) < 0)
		return fail(&e);
	for (long i = 1, n = strtol(argv[4], NULL, 10); i <= n; i++) {
		snprintf(query, sizeof(query), "%s %ld", argv[3], i);
		if (turn(&s, argv[2], query, &e) < 0)
			return fail(&e);
	}
	store_close(&s);
	return 0;
}
