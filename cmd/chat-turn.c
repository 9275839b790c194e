/* One turn of a chat. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "chat-command.h"
#include "chat.h"
#include "tty/stop.h"

static int create(struct chat *chat, struct err *e)
{
	struct chat_session *at = &chat->at;
	struct store *s = &chat->tool.store;

	if (s->fd < 0 && store_open(s, chat->tool.config.sessions_dir, true, e) < 0)
		return -1;
	at->head.id = span_str(at->id);
	if (session_create(s, &at->head, at->id, e) < 0) {
		/* Another process was faster: for -n that is as good. */
		if (e->kind != ERR_EXISTS || !at->create)
			return -1;
		err_clear(e);
	} else {
		at->made = true;
	}
	at->exists = true;
	return 0;
}

/* A session that was made for a model that does not exist would be of no use, and -c would go on
 * with it. The prompt can be asked again. */
static bool drop_useless(struct chat *chat, struct turn *t)
{
	const struct lock_wait wait = { .no_wait = true, .stop_fd = -1 };
	struct chat_session *at = &chat->at;
	struct session *x = &at->session;
	struct err ignored = ERR_INIT;

	if (!at->made || !t->begun || !at->how.no_model || t->exchange.status != STATUS_ERROR ||
	    t->reply.text.n || session_lock(x, &chat->tool.store, at->id, &wait, NULL, &ignored) < 0)
		return false;
	if (x->conversation.n != 1 || !span_eq(conversation_last(&x->conversation)->id, t->id)) {
		chat_unlock(chat);
		return false;
	}
	if (session_remove(x, &ignored) < 0)
		return false;
	at->exists = false;
	at->head.created_at = clock_now_ms(); /* of another one with this id */
	return true;
}

/* The session was removed by another process. What is said is not lost. */
static int create_again(struct chat *chat, struct err *e)
{
	struct chat_session *at = &chat->at;
	char old[ID_SIZE];

	memcpy(old, at->id, sizeof(old));
	at->head.created_at = clock_now_ms();
	if (id_generate(at->id, e) < 0 || create(chat, e) < 0)
		return -1;
	store_notice(&chat->tool.store, "session '%s' was removed; this goes on as session '%s'", old,
	             at->id);
	return 0;
}

static int run_saved(struct chat *chat, struct turn *t, struct err *e)
{
	const struct store *s = &chat->tool.store;
	struct chat_session *at = &chat->at;
	struct err lost = ERR_INIT;
	int r;

	/* Nothing is made for a prompt that cannot be sent. */
	if (!at->exists && (turn_check(t, &at->how, s, &at->head, e) < 0 || create(chat, e) < 0))
		return -1;
	r = turn_run(t, &at->how, &at->session, s, at->id, e);
	if (r < 0 && e->kind == ERR_NOT_FOUND && !t->begun) {
		err_clear(e);
		t->instead_of = (struct span){ NULL, 0 };
		r = create_again(chat, e) < 0 ? -1 : turn_run(t, &at->how, &at->session, s, at->id, e);
	}
	if (t->homeless && (create_again(chat, &lost) < 0 || turn_store(t, &at->session, s, at->id, &lost) < 0)) {
		lost.kind = ERR_UNSTORED;
		*e = lost;
		r = -1;
	}
	return r;
}

static void tell_started(void *ctx, const struct turn *t)
{
	struct chat *chat = ctx;

	show_started(&chat->show, t, chat->at.how.endpoint.name);
}

static void tell_compacting(void *ctx, size_t n, size_t incomplete, const struct err *why)
{
	(void)ctx;
	show_compacting(n, incomplete, why);
}

/* ---- while it runs ---- */

static int run_unsaved(struct chat *chat, struct turn *t, struct err *e)
{
	struct chat_session *at = &chat->at;
	struct buf model = BUF_INIT;
	int r;

	buf_add(&model, chat_model(chat).p, chat_model(chat).n);
	t->model = model.p;
	t->system = at->head.system;
	r = turn_run_unsaved(t, &at->how, &chat->tool.store, at->exists ? at->id : NULL, &at->session.conversation, e);
	buf_release(&model);
	return r;
}

/* The way is found first: the command that has the key may want to ask for a password. */
static int run_turn(struct chat *chat, struct turn *t, struct err *e)
{
	struct chat_session *at = &chat->at;
	int r;

	at->how.refused = at->how.no_model = false;
	if (talk_open(&at->how, e) < 0)
		return -1;
	chat_busy(chat);
	r = chat->no_save ? run_unsaved(chat, t, e) : run_saved(chat, t, e);
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
static void keep_unsent(struct chat_session *at, const struct turn *t)
{
	struct buf prompt = BUF_INIT, instead_of = BUF_INIT; /* it may be the one that is kept */

	buf_add(&prompt, t->prompt.p, t->prompt.n);
	buf_add(&instead_of, t->instead_of.p, t->instead_of.n);
	buf_release(&at->unsent.prompt);
	buf_release(&at->unsent.instead_of);
	at->unsent.prompt = prompt;
	at->unsent.instead_of = instead_of;
	if (prompt.oom || instead_of.oom)
		forget_unsent(at);
}

/* What became of the prompt. */
static void settle(struct chat *chat, const struct turn *t, bool dropped, const struct err *e)
{
	bool counts = t->begun && exchange_counts(&t->exchange);

	/* They are remembered now; if somebody changes them again, that counts. A model that failed is
	 * not, and is asked again. */
	if (t->begun && !chat->no_save && !dropped)
		chat->at.title = NULL;
	if (t->begun && !chat->no_save && t->exchange.status != STATUS_ERROR)
		chat->at.model = NULL;
	if (chat->no_save ? counts : t->begun && !dropped && e->kind != ERR_UNSTORED)
		forget_unsent(&chat->at);
	else
		keep_unsent(&chat->at, t);
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

static int tell_failure(const struct chat *chat, const struct turn *t, bool dropped, const struct err *e)
{
	struct buf way_out = BUF_INIT;
	int status;

	if (dropped)
		buf_addf(&way_out, "; session '%s' is not kept%s", chat->at.id,
		         chat->conversing ? ": choose another with /model, and /retry asks again" : "");
	else if (chat->conversing && e->kind == ERR_NETWORK && !chat->at.how.refused)
		buf_addf(&way_out, "; %s/retry asks again", t->exchange.answer.n ? "what came is kept, and " : "");
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
	struct turn t = {
		.model = at->model,
		.title = at->title,
		.prompt = prompt,
		.instead_of = instead_of,
		.files = &chat->files,
		.wait = chat_wait(chat),
		.context = chat->context,
		.started = tell_started, .compacting = tell_compacting, .ctx = chat,
		.reply = REPLY_INIT, .error = BUF_INIT, .model_used = BUF_INIT,
	};
	bool dropped;
	int r, status;

	chat_title_end(chat);
	at->made = false;
	chat->show.session = chat->no_save ? NULL : at->id;
	r = run_turn(chat, &t, &e);
	status = r < 0 ? exit_status(&e) : EXIT_DONE;
	dropped = r < 0 && drop_useless(chat, &t);
	if (dropped)
		chat->show.session = NULL;
	show_ended(&chat->show, &t, r, &e, status);
	settle(chat, &t, dropped, &e);
	if (r < 0)
		status = tell_failure(chat, &t, dropped, &e);
	else if (chat->show.write_error && chat->show.write_error != EPIPE)
		status = output_failed(chat->show.write_error);
	if (r == 0 && chat->conversing && chat->tool.config.auto_title && !chat->no_save && !t.titled)
		chat_title_begin(chat);
	if (t.outdone)
		command_tell("The earlier answer stays in its place%s",
		             chat->no_save ? "" : "; what came of this one is in the session's file");
	turn_release(&t);
	return status;
}

int chat_guard(struct chat *chat, struct err *e)
{
	if (chat->stop_fd >= 0)
		return 0; /* since a session was picked */
	signal(SIGPIPE, SIG_IGN);
	chat->stop_fd = chat->at.how.stop_fd = stop_begin(e);
	chat->tool.store.stop_fd = chat->files.stop_fd = chat->stop_fd;
	return chat->stop_fd < 0 ? -1 : 0;
}
