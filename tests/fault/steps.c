/*
 * A turn in which the model calls tools. The model is played here, and its tools run here, too. Each
 * leaves its mark in a file, so that a call that runs twice is seen.
 *
 *	steps ID RAN	in $MC_SESSIONS_DIR; a tool adds the id of its call, a letter, to file RAN
 *
 * Prints the text of the replies. 0: the turn is stored. 74: it came, and is not stored. 1: it failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "provider/wire.h"
#include "shown.h"
#include "turn/turn.h"

/* ---- the model ---- */

static void call(struct reply *r, const char *id, int64_t index)
{
	struct reply_call *c = wire_call(r, span_str(id), index);

	if (!c)
		return;
	wire_call_name(r, c, span_str("note"));
	buf_adds(&c->arguments, "{\"dir\":\".\"}");
}

/* How many steps the turn has so far. */
static size_t count_steps(const struct chat_request *rq)
{
	size_t n = 0;

	for (size_t i = 0; i < rq->nmessages; i++)
		n = rq->messages[i].role == ROLE_USER ? 0 : n + (rq->messages[i].role == ROLE_TOOL);
	return n;
}

/* Two calls with a text, then one without, then the answer; each text in two pieces. */
static int speak(const struct chat_request *rq, struct reply *r, struct err *e)
{
	static const char *const texts[][2] = { { "I lo", "ok.\n" }, { "", "" }, { "The ", "answer" } };
	size_t step = count_steps(rq);

	if (step > 2)
		return err_set(e, ERR_NETWORK, "the model has already answered");
	if (!r->text.n && texts[step][0][0]) {
		buf_adds(&r->text, texts[step][0]);
		return buf_check(&r->text, e) < 0 ? -1 : 1;
	}
	buf_adds(&r->text, texts[step][1]);
	if (step == 0) {
		call(r, "a", 0);
		call(r, "b", 1);
	} else if (step == 1) {
		call(r, "c", 0);
	}
	buf_adds(&r->finish_reason, step < 2 ? FINISH_CALLS : FINISH_STOP);
	r->usage = (struct usage){ 10, 1, 11, -1, -1, -1, -1 };
	r->done = true;
	return wire_done(NULL, 0, r, e);
}

static const struct provider model = { .name = "echo", .local = speak };

/* ---- the tools ---- */

static int run(void *ctx, const struct tool_call *c, struct turn_outcome *o, struct err *e)
{
	int fd = open(ctx, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	(void)e;
	if (fd < 0 || io_write(fd, c->id.p, c->id.n) < 0) {
		buf_addf(&o->output, "cannot write: %s", strerror(errno));
	} else {
		o->status = RESULT_OK;
		o->exit_status = 0;
		buf_adds(&o->output, "noted");
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

static int ask(struct session *x, const struct store *s, const char *id, char *ran, struct err *e)
{
	const struct config config = CONFIG_INIT;
	const struct turn_tools tools = { run, ran, 20 };
	const struct turn_input in = { .model = "m", .prompt = span_str("call tools"), .wait = { .stop_fd = -1 },
		                       .tools = &tools, .events = { show, NULL } };
	struct turn_result out = TURN_RESULT_INIT;
	struct client client = CLIENT_INIT;
	int r;

	client.endpoint.config = &config;
	client.endpoint.provider = &model;
	snprintf(client.endpoint.name, sizeof(client.endpoint.name), "echo");
	r = turn_run(&in, &out, &client, x, s, id, e);
	if (out.begun)
		put(span_str("\n"));
	if (r == 0 && unwritten)
		r = err_sys(e, unwritten, "cannot write the output");
	turn_result_release(&out);
	client_close(&client);
	return r;
}

int main(int argc, char **argv)
{
	struct store s = { .fd = -1, .stop_fd = -1, .notice = notice };
	const char *dir = getenv("MC_SESSIONS_DIR");
	struct session x = SESSION_INIT;
	struct err e = ERR_INIT;
	int status = 0;

	umask(077); /* from here on the tracer counts */
	signal(SIGPIPE, SIG_IGN);
	if (argc != 3 || !dir)
		return 2;
	if (store_open(&s, dir, false, &e) < 0 || ask(&x, &s, argv[1], argv[2], &e) < 0)
		status = fail(&e);
	session_release(&x);
	store_close(&s);
	return status;
}
