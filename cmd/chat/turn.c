/* One turn of a chat. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "chat/command.h"
#include "chat/chat.h"
#include "tty/stop.h"

/* 1; 0 when another process was faster. */
static int create(struct chat *chat, struct err *e)
{
	struct chat_session *at = &chat->at;
	struct store *s = &chat->tool.store;
	bool made = false;

	if (s->fd < 0 && store_open(s, chat->tool.config.sessions_dir, true, e) < 0)
		return -1;
	at->head.id = span_str(at->id);
	if (session_create(s, &at->head, at->id, e) < 0) {
		/* Another process was faster: for -n that is as good. */
		if (e->kind != ERR_EXISTS || !at->create)
			return -1;
		err_clear(e);
	} else {
		made = true;
	}
	at->exists = true;
	return made;
}

/* The session was removed by another process. What is said is not lost. */
static int create_again(struct chat *chat, struct err *e)
{
	struct chat_session *at = &chat->at;
	char old[ID_SIZE];
	int r;

	memcpy(old, at->id, sizeof(old));
	at->head.created_at = clock_now_ms();
	if (id_generate(at->id, e) < 0 || (r = create(chat, e)) < 0)
		return -1;
	store_notice(&chat->tool.store, "session '%s' was removed; this goes on as session '%s'", old,
	             at->id);
	return r;
}

static int create_session(void *ctx, bool again, struct err *e)
{
	return again ? create_again(ctx, e) : create(ctx, e);
}

/* ---- while it runs ---- */

static int run_saved(struct chat *chat, struct turn_input *in, struct turn_result *out, struct err *e)
{
	struct chat_session *at = &chat->at;
	int r;

	in->head = at->exists ? NULL : &at->head;
	r = turn_run(in, out, &at->client, &at->session, &chat->tool.store, at->id, e);
	if (out->dropped) {
		at->exists = false;
		at->head.created_at = clock_now_ms(); /* of another one with this id */
	}
	return r;
}

static int run_unsaved(struct chat *chat, struct turn_input *in, struct turn_result *out, struct err *e)
{
	struct chat_session *at = &chat->at;
	struct buf model = BUF_INIT;
	int r;

	buf_add(&model, chat_model(chat).p, chat_model(chat).n);
	in->model = model.p;
	in->only = !chat->conversing;
	r = turn_run_unsaved(in, out, &at->client, &chat->tool.store, at->exists ? at->id : NULL, at->head.system,
	                     &at->session.conversation, e);
	buf_release(&model);
	return r;
}

/* The way is found first: the command that has the key may want to ask for a password. */
static int run_turn(struct chat *chat, struct turn_input *in, struct turn_result *out, struct err *e)
{
	struct chat_session *at = &chat->at;
	int r;

	at->client.refused = at->client.no_model = false;
	if (client_open(&at->client, e) < 0) {
		show_error(&chat->show, e, exit_status(e));
		return -1;
	}
	chat_busy(chat);
	r = chat->no_save ? run_unsaved(chat, in, out, e) : run_saved(chat, in, out, e);
	chat_idle(chat);
	return r;
}

/* ---- and when it is over ---- */

static void forget_unsent(struct chat_session *at)
{
	buf_clear(&at->unsent.prompt);
	buf_clear(&at->unsent.instead_of);
}

/* So that it can be asked again. Without memory for it, it cannot. */
static void keep_unsent(struct chat_session *at, const struct turn_input *in, const struct turn_result *out)
{
	struct buf prompt = BUF_INIT, instead_of = BUF_INIT; /* it may be the one that is kept */

	buf_add(&prompt, in->prompt.p, in->prompt.n);
	if (!out->elsewhere)
		buf_add(&instead_of, in->instead_of.p, in->instead_of.n);
	buf_release(&at->unsent.prompt);
	buf_release(&at->unsent.instead_of);
	at->unsent.prompt = prompt;
	at->unsent.instead_of = instead_of;
	if (prompt.oom || instead_of.oom)
		forget_unsent(at);
}

/* What became of the prompt. */
static void settle(struct chat *chat, const struct turn_input *in, const struct turn_result *out,
                   const struct err *e)
{
	bool counts = out->begun && exchange_counts(&out->exchange);
	bool kept = out->begun && !out->dropped;

	/* They are remembered now; if somebody changes them again, that counts. A model that failed is
	 * not, and is asked again. */
	if (kept && !chat->no_save)
		chat->at.title = NULL;
	if (kept && !chat->no_save && out->exchange.status != STATUS_ERROR)
		chat->at.model = NULL;
	if (chat->no_save ? counts : kept && e->kind != ERR_UNSTORED)
		forget_unsent(&chat->at);
	else
		keep_unsent(&chat->at, in, out);
	/* Files that the model has not answered to go along with the next prompt, too. */
	if (counts)
		files_detach(&chat->files);
}

static int chat_fail_with(const struct err *e, const char *way_out)
{
	struct buf line = BUF_INIT;

	/* The terminal's ^C stands where the sentence is to begin. */
	if (e->kind == ERR_INTERRUPTED && isatty(STDERR_FILENO))
		fputs(can_say_for_now() ? "\r\033[K" : "\r", stderr);
	buf_addf(&line, "%s%s", e->msg, way_out);
	say(line.oom ? e->msg : line.p);
	buf_release(&line);
	return exit_status(e);
}

int chat_fail(const struct err *e)
{
	return chat_fail_with(e, "");
}

static int tell_failure(const struct chat *chat, const struct turn_result *out, const struct err *e)
{
	struct buf way_out = BUF_INIT;
	int status;

	if (out->dropped)
		buf_addf(&way_out, "; session '%s' is not kept%s", chat->at.id,
		         chat->conversing ? ": choose another with /model, and /retry asks again" : "");
	else if (chat->conversing && e->kind == ERR_NETWORK && !chat->at.client.refused)
		buf_addf(&way_out, "; %s/retry asks again", out->exchange.answer.n ? "what came is kept, and " : "");
	status = chat_fail_with(e, way_out.p);
	buf_release(&way_out);
	return status;
}

int chat_turn(struct chat *chat, struct span prompt)
{
	return chat_turn_instead(chat, prompt, (struct span){ NULL, 0 });
}

int chat_turn_instead(struct chat *chat, struct span prompt, struct span instead_of)
{
	struct chat_session *at = &chat->at;
	struct err e = ERR_INIT;
	struct turn_input in = {
		.model = at->model,
		.title = at->title,
		.prompt = prompt,
		.instead_of = instead_of,
		.files = &chat->files,
		.wait = chat_wait(chat),
		.context = chat->context,
		.create = create_session, .ctx = chat,
		.events = { show_event, &chat->show },
	};
	struct turn_result out = TURN_RESULT_INIT;
	int r, status = EXIT_DONE;

	chat_title_end(chat);
	r = run_turn(chat, &in, &out, &e);
	settle(chat, &in, &out, &e);
	if (r < 0)
		status = tell_failure(chat, &out, &e);
	else if (chat->show.write_error && chat->show.write_error != EPIPE)
		status = output_failed(chat->show.write_error);
	if (r == 0 && chat->conversing && chat->tool.config.auto_title && !chat->no_save && !out.titled)
		chat_title_begin(chat);
	if (out.outdone)
		command_tell("The earlier answer stays in its place%s",
		             chat->no_save ? "" : "; what came of this one is in the session's file");
	turn_result_release(&out);
	return status;
}

int chat_guard(struct chat *chat, struct err *e)
{
	if (chat->stop_fd >= 0)
		return 0; /* since a session was picked */
	signal(SIGPIPE, SIG_IGN);
	chat->stop_fd = chat->at.client.stop_fd = stop_begin(e);
	chat->tool.store.stop_fd = chat->files.stop_fd = chat->stop_fd;
	return chat->stop_fd < 0 ? -1 : 0;
}
