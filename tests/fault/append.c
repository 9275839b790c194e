/*
 * Stores exchanges in a session as mc-chat does, one after the other in one process: the
 * lock, the spool, the history, the index.
 *
 *	append SESSIONS_DIR ID NAME COUNT
 *
 * The queries are "NAME 1" to "NAME COUNT". As in an interactive mc-chat the conversation stays
 * between the turns, and only what others appended since is read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/session.h"
#include "store/spool.h"

static int fail(const struct err *e)
{
	fprintf(stderr, "append: %s\n", e->msg);
	return 1;
}

static void notice(const char *sentence)
{
	fprintf(stderr, "append: %s\n", sentence);
}

static int turn(struct session *x, const struct store *s, const char *id, const char *query,
                struct err *e)
{
	const struct lock_wait wait = { .stop_fd = -1 };
	struct exchange exchange = { .has_parent = true, .query = span_str(query), .answer = span_str(query),
		                     .model = { "echo", 4 }, .status = STATUS_COMPLETE, .duration = 1,
		                     .usage = { 2, 3, 5, -1, -1, -1, -1 } };
	const struct exchange *last;
	char uuid[UUID_SIZE];
	int spool, r;

	if (session_lock(x, s, id, &wait, NULL, e) < 0)
		return -1;
	last = conversation_last(&x->conversation);
	exchange.parent = last ? last->id : exchange.parent;
	exchange.timestamp = conversation_now(&x->conversation);
	r = uuid7_generate(uuid, exchange.timestamp, e);
	exchange.id = span_str(uuid);
	spool = r < 0 ? -1 : session_spool(x, &exchange, 0, e);
	if (spool < 0 || spool_add(spool, exchange.answer, e) < 0)
		r = -1;
	if (spool >= 0)
		close(spool);
	if (r == 0)
		r = session_append_exchange(x, &exchange, NULL, NULL, e);
	session_unlock(x);
	return r;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct store s = { .fd = -1, .stop_fd = -1, .notice = notice };
	struct session x = SESSION_INIT;
	char query[128];

	if (argc != 5)
		return 2;
	if (store_open(&s, argv[1], false, &e) < 0)
		return fail(&e);
	for (long i = 1, n = strtol(argv[4], NULL, 10); i <= n; i++) {
		snprintf(query, sizeof(query), "%s %ld", argv[3], i);
		if (turn(&x, &s, argv[2], query, &e) < 0)
			return fail(&e);
	}
	session_release(&x);
	store_close(&s);
	return 0;
}
