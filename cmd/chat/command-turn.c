/* Commands about the last exchange: it is taken out, or asked once more. */
#include <limits.h>
#include <string.h>

#include "base/cli.h"
#include "chat/command.h"
#include "prompt/editor.h"

#define SHOWN_LINES 20 /* of a prompt that was edited */

/* ---- /undo ---- */

static int nothing_there(struct err *e)
{
	return err_set(e, ERR_USAGE, "there is no exchange in the conversation");
}

static int check_count(size_t n, const struct conversation *c, struct err *e)
{
	struct buf there = BUF_INIT;

	if (!c->n)
		return nothing_there(e);
	if (n <= c->n)
		return 0;
	add_exchanges(&there, c->n, count_incomplete(c));
	err_set(e, ERR_USAGE, "there %s only %s in the conversation", c->n == 1 ? "is" : "are", there.p);
	buf_release(&there);
	return -1;
}

static void add_excerpts(struct buf *b, const struct conversation *c, size_t n)
{
	for (size_t i = c->n - n; i < c->n; i++) {
		buf_adds(b, i > c->n - n ? "; " : "");
		command_add_excerpt(b, conversation_exchange(c, i)->query);
	}
}

/* The head once the last `n` exchanges are taken out. */
static struct span head_before(const struct conversation *c, size_t n)
{
	return c->n > n ? conversation_exchange(c, c->n - n - 1)->id : (struct span){ NULL, 0 };
}

/* What another process added while this waited is not what the user meant. */
static int rewind_session(struct chat *chat, size_t n, struct buf *undone, struct err *e)
{
	struct session *x = &chat->at.session;
	struct conversation *c = &x->conversation;
	struct buf seen = BUF_INIT, to = BUF_INIT;
	int r;

	buf_add(&seen, conversation_last(c)->id.p, conversation_last(c)->id.n);
	if (buf_check(&seen, e) < 0 || chat_lock(chat, e) < 0) {
		buf_release(&seen);
		return -1;
	}
	r = session_check_last(x, buf_span(&seen), e) < 0 ? -1 : check_count(n, c, e);
	if (r == 0) {
		struct span id = head_before(c, n);

		add_excerpts(undone, c, n);
		buf_add(&to, id.p, id.n); /* the conversation is read on while it is written */
		r = buf_check(&to, e) < 0 ? -1
		    : session_append_rewind(x, id.p ? buf_span(&to) : id, e);
	}
	chat_unlock(chat);
	buf_release(&seen);
	buf_release(&to);
	return r;
}

static int undo(struct chat *chat, size_t n, struct err *e)
{
	struct conversation *c = &chat->at.session.conversation;
	struct buf undone = BUF_INIT;
	int r = check_count(n, c, e);

	if (r == 0 && !chat->no_save) {
		r = rewind_session(chat, n, &undone, e);
	} else if (r == 0) {
		add_excerpts(&undone, c, n);
		r = conversation_rewind(c, head_before(c, n), e);
	}
	if (r == 0)
		command_tell("Taken out of the conversation%s: %s", chat->no_save ? "" : ", but not of its file",
		             undone.p);
	buf_release(&undone);
	return r;
}

bool command_undo(struct chat *chat, struct span args)
{
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	long n = 1;

	buf_add(&text, args.p, args.n);
	if (chat_reload(chat, &e) < 0 || buf_check(&text, &e) < 0 ||
	    (args.n && cli_number(text.p, "the number of exchanges", 1, LONG_MAX, &n, &e) < 0) ||
	    undo(chat, (size_t)n, &e) < 0)
		command_fail(&e);
	else
		buf_clear(&chat->at.unsent.prompt); /* another prompt is the last one now */
	buf_release(&text);
	return true;
}

/* ---- /retry and /edit ---- */

/* The last prompt, and in whose place it is to be asked. */
struct again {
	struct buf prompt;
	struct buf instead_of; /* the id; empty: it follows what there is */
	const struct exchange *last; /* what has its attachments, or NULL */
};
#define AGAIN_INIT { BUF_INIT, BUF_INIT, NULL }

static void again_release(struct again *a)
{
	buf_release(&a->prompt);
	buf_release(&a->instead_of);
}

/* One that did not get into the conversation goes before those that did, unless a crash of the
 * disk left what now is one: an interrupted exchange. */
static bool is_unsent(const struct chat_session *at, const struct exchange *last)
{
	struct span prompt = buf_span(&at->unsent.prompt);

	return prompt.n && !(last && last->status == STATUS_INTERRUPTED && span_same(last->query, prompt));
}

/* Copies, since the turn may let go of what is in memory. 1; 0 when there is none. */
static int find_last(struct chat *chat, struct again *a, struct err *e)
{
	const struct chat_session *at = &chat->at;
	const struct conversation *c = &at->session.conversation;
	const struct exchange *last;
	struct span prompt, id;

	if (chat_reload(chat, e) < 0)
		return -1;
	last = c->n ? conversation_exchange(c, c->n - 1) : NULL;
	if (is_unsent(at, last)) {
		prompt = buf_span(&at->unsent.prompt);
		id = buf_span(&at->unsent.instead_of);
		a->last = last && span_same(last->id, id) ? last : NULL;
	} else if (last) {
		prompt = last->query;
		a->last = last;
	} else {
		return 0;
	}
	buf_add(&a->prompt, prompt.p, prompt.n);
	if (a->last)
		buf_add(&a->instead_of, a->last->id.p, a->last->id.n);
	return buf_check(&a->prompt, e) < 0 || buf_check(&a->instead_of, e) < 0 ? -1 : 1;
}

/* Its attachments go along again. If that comes to nothing, they are not those of the next
 * prompt. */
static void ask_again(struct chat *chat, const struct again *a, struct span prompt)
{
	size_t waiting = chat->files.nrefs;
	struct err e = ERR_INIT;

	if (a->last && files_attach_again(&chat->files, a->last, &e) < 0)
		chat_fail(&e);
	else
		chat_turn_instead(chat, prompt, a->instead_of.n ? buf_span(&a->instead_of)
		                                                : (struct span){ NULL, 0 });
	files_detach_from(&chat->files, waiting);
}

bool command_retry(struct chat *chat, struct span args)
{
	struct again a = AGAIN_INIT;
	struct buf excerpt = BUF_INIT;
	struct err e = ERR_INIT;
	int found = find_last(chat, &a, &e);

	(void)args;
	if (found == 0)
		found = err_set(&e, ERR_USAGE, "there is no prompt yet to ask again");
	if (found < 0) {
		command_fail(&e);
	} else {
		command_add_excerpt(&excerpt, buf_span(&a.prompt));
		command_tell("Asking again: %s", excerpt.p);
		ask_again(chat, &a, buf_span(&a.prompt));
	}
	buf_release(&excerpt);
	again_release(&a);
	return true;
}

/* 1: there is something to ask. 0: not, and that is
 * told. */
static int edit_prompt(const struct chat *chat, struct span before, struct buf *after, struct err *e)
{
	const struct edit_options *o = &chat->editor->o;
	struct err blank = ERR_INIT;
	int r;

	before = span_trim_end(before, "\n"); /* editors end lines as they like */
	r = editor_edit(before, o->envp, after, e);
	if (r < 0)
		return -1;
	if (span_same(buf_span(after), before)) {
		command_tell(before.n ? "It is as it was; nothing is asked" : "It is empty; nothing is asked");
		return 0;
	}
	if (check_prompt(buf_span(after), &blank) == 0) {
		o->typed(o->ctx, buf_span(after)); /* as any other prompt, it can be brought back */
		return 1;
	}
	command_tell("Nothing is asked: %s", blank.msg);
	return 0;
}

/* What of files it mentions now goes along; so do those that went along before. */
static int ask_edited(struct chat *chat, const struct again *a, struct span typed, struct err *e)
{
	struct buf sent = BUF_INIT;
	int r = chat_mention(chat, typed, &sent, e);

	if (r == 0)
		ask_again(chat, a, buf_span(&sent));
	buf_release(&sent);
	return r;
}

bool command_edit(struct chat *chat, struct span args)
{
	struct again a = AGAIN_INIT;
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	int r = find_last(chat, &a, &e);

	(void)args;
	if (r >= 0)
		r = edit_prompt(chat, buf_span(&a.prompt), &text, &e);
	if (r > 0) {
		/* The editor's screen is gone, and the old prompt is what stands above. */
		print_query(stderr, buf_span(&text), SHOWN_LINES, true);
		r = ask_edited(chat, &a, buf_span(&text), &e);
	}
	if (r < 0)
		command_fail(&e);
	buf_release(&text);
	again_release(&a);
	return true;
}
