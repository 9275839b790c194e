/*
 * Asks the last prompt of a session again, in the place of its last exchange, as mc-chat's
 * /retry does, which takes a terminal. The session's provider is echo.
 *
 *	again ID	in $MC_SESSIONS_DIR
 *
 * Prints the reply. 0: it is stored. 74: it came, and is not stored. 1: it failed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "turn/turn.h"

static int unwritten;

static void notice(const char *sentence)
{
	fprintf(stderr, "again: %s\n", sentence);
}

static int fail(const struct err *e)
{
	notice(e->msg);
	return e->kind == ERR_UNSTORED ? 74 : 1;
}

static void show(void *ctx, enum talk_part part, struct span piece)
{
	(void)ctx;
	if (part == TALK_TEXT && !unwritten && io_write(STDOUT_FILENO, piece.p, piece.n) < 0)
		unwritten = errno;
}

static int load(const struct store *s, const char *id, struct conversation *c, struct err *e)
{
	struct jsonl j;
	int r;

	if (session_recover(s, id, e) < 0 || history_map(s, id, &j, e) < 0)
		return -1;
	r = conversation_load(c, s, id, &j, e);
	jsonl_unmap(&j);
	if (r == 0 && !c->n)
		r = err_set(e, ERR_FAILED, "nothing was asked");
	return r;
}

static int ask(const struct store *s, const char *id, const struct conversation *c,
               const struct config *config, struct err *e)
{
	const struct exchange *last = &c->turns[c->n - 1].exchange;
	struct talk how = TALK_INIT;
	struct turn t = {
		.prompt = last->query, .instead_of = last->id, .wait = { .stop_fd = -1 },
		.reply = REPLY_INIT, .error = BUF_INIT, .model_used = BUF_INIT,
	};
	int r;

	how.show = show;
	r = endpoint_find(&how.endpoint, config, "echo", e);
	if (r == 0)
		r = turn_run(&t, &how, s, id, e);
	show(NULL, TALK_TEXT, t.begun ? span_str("\n") : span_str(""));
	if (r == 0 && unwritten)
		r = err_sys(e, unwritten, "cannot write the output");
	turn_release(&t);
	talk_close(&how);
	return r;
}

int main(int argc, char **argv)
{
	struct store s = { .fd = -1, .stop_fd = -1, .notice = notice };
	const char *dir = getenv("MC_SESSIONS_DIR");
	struct conversation c = CONVERSATION_INIT;
	struct config config = CONFIG_INIT;
	struct err e = ERR_INIT;
	int status = 0;

	umask(077); /* from here on the tracer counts */
	signal(SIGPIPE, SIG_IGN);
	if (argc != 2 || !dir)
		return 2;
	if (store_open(&s, dir, false, &e) < 0 || load(&s, argv[1], &c, &e) < 0 ||
	    ask(&s, argv[1], &c, &config, &e) < 0)
		status = fail(&e);
	conversation_release(&c);
	store_close(&s);
	return status;
}
