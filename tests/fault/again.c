/*
 * Asks the last prompt of a session again, in the place of its last exchange, as mc-chat's
 * /retry does, which takes a terminal. The session's provider is echo.
 *
 *	again ID	in $MC_SESSIONS_DIR
 *
 * Prints the reply. 0: it is stored. 74: it came, and is not stored. 1: it failed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shown.h"
#include "turn/turn.h"

static int ask(struct session *x, const struct store *s, const char *id, const struct config *config,
               struct err *e)
{
	const struct exchange *last = conversation_last(&x->conversation);
	struct client client = CLIENT_INIT;
	struct buf query = BUF_INIT, old = BUF_INIT; /* the turn may read the conversation again */
	struct turn_input in = { .wait = { .stop_fd = -1 }, .events = { show, NULL } };
	struct turn_result out = TURN_RESULT_INIT;
	int r;

	if (!last)
		return err_set(e, ERR_FAILED, "nothing was asked");
	buf_add(&query, last->query.p, last->query.n);
	buf_add(&old, last->id.p, last->id.n);
	in.prompt = buf_span(&query);
	in.instead_of = buf_span(&old);
	r = buf_check(&query, e) < 0 || buf_check(&old, e) < 0 ? -1 : endpoint_find(&client.endpoint, config, "echo", e);
	if (r == 0)
		r = turn_run(&in, &out, &client, x, s, id, e);
	if (out.begun)
		put(span_str("\n"));
	if (r == 0 && unwritten)
		r = err_sys(e, unwritten, "cannot write the output");
	turn_result_release(&out);
	client_close(&client);
	buf_release(&query);
	buf_release(&old);
	return r;
}

int main(int argc, char **argv)
{
	struct store s = { .fd = -1, .stop_fd = -1, .notice = notice };
	const char *dir = getenv("MC_SESSIONS_DIR");
	struct session x = SESSION_INIT;
	struct config config = CONFIG_INIT;
	struct err e = ERR_INIT;
	int status = 0;

	umask(077); /* from here on the tracer counts */
	signal(SIGPIPE, SIG_IGN);
	if (argc != 2 || !dir)
		return 2;
	if (store_open(&s, dir, false, &e) < 0 || session_recover(&s, argv[1], &e) < 0 ||
	    session_read(&x, &s, argv[1], NULL, &e) < 0 || ask(&x, &s, argv[1], &config, &e) < 0)
		status = fail(&e);
	session_release(&x);
	store_close(&s);
	return status;
}
