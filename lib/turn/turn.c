#include "turn/turn.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "store/place.h"
#include "store/spool.h"
#include "talk/talk.h"
#include "turn/compact.h"
#include "turn/context.h"
#include "turn/messages.h"

void turn_release(struct turn *t)
{
	reply_release(&t->reply);
	json_object_put(t->native);
	t->native = NULL;
	buf_release(&t->error);
	buf_release(&t->model_used);
	buf_release(&t->parent);
}

/* It follows the head, or what the exchange follows that is asked again. */
static struct span parent_of(const struct turn *t, const struct conversation *c)
{
	const struct exchange_node *old = t->old ? conversation_find(c, t->old->id) : NULL;
	const struct exchange *last = conversation_last(c);

	if (old)
		return old->parent ? buf_span(&old->parent->id) : (struct span){ NULL, 0 };
	return last ? last->id : (struct span){ NULL, 0 };
}

static int begin(struct turn *t, const struct conversation *c, struct span model, struct err *e)
{
	struct exchange *x = &t->exchange;
	struct span parent = parent_of(t, c);

	buf_add(&t->model_used, model.p, model.n);
	buf_add(&t->parent, parent.p, parent.n);
	if (buf_check(&t->model_used, e) < 0 || buf_check(&t->parent, e) < 0)
		return -1;
	memset(x, 0, sizeof(*x));
	x->has_parent = true;
	x->parent = parent.p ? buf_span(&t->parent) : parent;
	if (t->old)
		x->replaces = t->instead_of;
	x->timestamp = conversation_now(c);
	if (uuid7_generate(t->id, x->timestamp, e) < 0)
		return -1;
	x->id = span_str(t->id);
	x->query = t->prompt;
	x->model = buf_span(&t->model_used);
	x->duration = -1;
	x->usage = (struct usage)USAGE_NONE;
	x->attachments = t->files ? t->files->refs : NULL;
	x->nattachments = t->files ? t->files->nrefs : 0;
	return 0;
}

/* What the reply and the error, if any, make of the exchange. */
static void conclude(struct turn *t, int64_t started, int failed, const struct err *e)
{
	struct exchange *x = &t->exchange;

	x->answer = buf_span(&t->reply.text);
	x->duration = clock_steady_ms() - started;
	x->usage = t->reply.usage;
	if (t->reply.finish_reason.n)
		x->finish_reason = buf_span(&t->reply.finish_reason);
	if (t->reply.reasoning.n)
		x->reasoning = buf_span(&t->reply.reasoning);
	if (!failed)
		x->native = t->native;
	x->status = !failed ? STATUS_COMPLETE
	            : e->kind == ERR_INTERRUPTED ? STATUS_INTERRUPTED : STATUS_ERROR;
	if (x->status == STATUS_ERROR) {
		utf8_add_clean(&t->error, span_str(e->msg));
		x->error = buf_span(&t->error);
	}
}

/* The native items of the reply, as a record has them. What is wrong with them does no harm: it is as if
 * there were none. */
static struct json_object *native_of(struct reply *r, const char *provider, struct span model, bool steps)
{
	struct json_object *native = NULL;
	struct err ignored = ERR_INIT;
	struct buf b = BUF_INIT;

	if (!r->native.n || (r->native_for_calls && !steps))
		return NULL;
	utf8_clean(&r->native);
	buf_adds(&b, "{\"provider\":");
	json_add_str(&b, span_str(provider));
	buf_adds(&b, ",\"model\":");
	json_add_str(&b, model);
	buf_adds(&b, ",\"items\":");
	buf_add(&b, r->native.p, r->native.n);
	buf_addc(&b, '}');
	if (buf_check(&b, &ignored) == 0)
		json_parse_object(buf_span(&b), &native, &ignored);
	buf_release(&b);
	return native;
}

static int ask(struct turn *t, struct talk *how, const struct letter *l, int spool_fd,
               struct err *e)
{
	int64_t started = clock_steady_ms();
	int r;

	t->begun = true;
	if (t->started)
		t->started(t->ctx, t);
	r = talk_run(how, l, &t->reply, spool_fd, e);

	/* They come from the server as they like. */
	utf8_clean(&t->reply.finish_reason);
	for (size_t i = 0; i < t->reply.ncalls; i++)
		utf8_clean(&t->reply.calls[i].name);
	utf8_clean(&t->reply.reasoning);
	utf8_clean(&t->reply.text);
	t->native = native_of(&t->reply, how->endpoint.name, buf_span(&t->model_used), t->exchange.steps > 0);
	conclude(t, started, r < 0, e);
	return r;
}

/* ---- the request ---- */

/* What is sent. */
struct draft {
	struct files *files; /* the caller's */
	struct context cx;
	struct parcel parcel;
	struct messages messages;
	struct chat_request rq;
	struct letter letter;
};
#define DRAFT_INIT { .cx = { .text = BUF_INIT }, .parcel = PARCEL_INIT, .messages = MESSAGES_INIT, \
	             .letter = LETTER_INIT }

static void draft_release(struct draft *m)
{
	struct files *files = m->files;

	context_release(&m->cx);
	parcel_release(&m->parcel);
	messages_release(&m->messages);
	letter_release(&m->letter);
	*m = (struct draft)DRAFT_INIT;
	m->files = files;
}

static struct context_ask ask_of(const struct turn *t, const struct talk *how,
                                 const struct conversation *c)
{
	return (struct context_ask){
		.conversation = c,
		.n = t->old ? c->n - 1 : c->n,
		.model = buf_span(&t->model_used),
		.system = t->system,
		.prompt = &t->exchange,
		.window = t->window.limit,
		.reply = context_reply_of(&how->params),
	};
}

static void note_context(struct turn *t, const struct context *cx)
{
	t->counting = cx->counting;
	t->left_out = cx->left_out;
	t->summed = cx->summed;
	t->incomplete = cx->incomplete;
	t->exchange.left_out = (int64_t)(cx->left_out + cx->summed);
}

/* What the request has not, or otherwise, because of the model. */
static void tell_notices(const struct store *s, const struct letter *l)
{
	const char *end;

	for (const char *p = l->notices.p; (end = strchr(p, '\n')); p = end + 1)
		store_notice(s, "%.*s", (int)(end - p), p);
}

/* What of the conversation goes along, and all of it in the provider's words. */
static int write_draft(struct turn *t, const struct talk *how, const struct session *x,
                       const struct conversation *c, struct draft *m, struct err *e)
{
	struct context_ask ask = ask_of(t, how, c);

	if (context_make(&m->cx, &ask, e) < 0)
		return -1;
	note_context(t, &m->cx);
	m->rq = (struct chat_request){
		.base_url = how->endpoint.base_url,
		.model = t->model_used.p,
		.system = t->system,
		.schema = how->schema,
		.stream = how->stream,
		.reasoning = how->reasoning,
		.room = context_room(&t->window, m->cx.tokens),
	};
	if (parcel_fill(&m->parcel, m->files, x->store, x->dir, m->cx.turns, m->cx.of, m->cx.n,
	                &m->cx.prompt, &t->exchange, e) < 0 ||
	    messages_make(&m->messages, &m->cx, how->endpoint.name, span_str(t->model_used.p), e) < 0)
		return -1;
	m->rq.messages = m->messages.list;
	m->rq.nmessages = m->messages.n;
	if (talk_prepare(how, &m->rq, &m->letter, e) < 0)
		return -1;
	tell_notices(x->store, &m->letter);
	return 0;
}

/* ---- a conversation that outgrew the window ---- */

static void tell_compacting(void *ctx, size_t n, size_t incomplete)
{
	const struct turn *t = ctx;

	if (t->compacting)
		t->compacting(t->ctx, n, incomplete, NULL);
}

static int sum_up(struct turn *t, const struct talk *how, struct session *x, struct err *e)
{
	const struct conversation *c = &x->conversation;
	struct context_ask asked = ask_of(t, how, c);
	struct compact_ask ask = { .conversation = c, .n = asked.n, .model = t->model_used.p, .window = t->window,
		                   .begin = tell_compacting, .ctx = t };
	struct compaction k = COMPACTION_INIT;
	int r = compact_keep(&asked, &ask.keep, e);

	if (r == 0)
		r = compact(&k, how, &ask, e);
	if (r > 0 && session_append_summary(x, &k.summary, e) < 0)
		r = -1;
	compaction_release(&k);
	return r;
}

/* Only the user's wish to stop ends the turn: without a summary it goes on with less. */
static int shrink(struct turn *t, struct talk *how, struct session *x, struct draft *m,
                  struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	/* What is to be summed up is all of it. */
	if (x->conversation.partial) {
		draft_release(m);
		if (session_refresh(x, NULL, e) < 0)
			return -1;
		t->system = x->conversation.head.head.system;
		if (write_draft(t, how, x, &x->conversation, m, e) < 0)
			return -1;
	}
	r = sum_up(t, how, x, &why);

	if (r < 0 && why.kind == ERR_INTERRUPTED) {
		*e = why;
		return -1;
	}
	if (r < 0 && t->compacting)
		t->compacting(t->ctx, 0, 0, &why);
	if (r <= 0)
		return 0;
	draft_release(m);
	return write_draft(t, how, x, &x->conversation, m, e);
}

/* The title that the session is to have, unless it has it. */
static int note_change(struct turn *t, const struct conversation *c, struct err *e)
{
	struct span title = c->info.title.p ? c->info.title : span_str("");

	t->change = (struct change){ .timestamp = t->exchange.timestamp, .usage = USAGE_NONE };
	if (!t->title || span_eq(title, t->title))
		return 0;
	if (uuid7_generate(t->change_id, t->change.timestamp, e) < 0)
		return -1;
	t->change.title = span_str(t->title);
	t->change.id = span_str(t->change_id);
	return 0;
}

static const struct change *changes(const struct turn *t)
{
	return t->change.title.p ? &t->change : NULL;
}

/* How good an answer is. */
static int rank(const struct exchange *x)
{
	return x->status == STATUS_COMPLETE ? 2 : exchange_counts(x);
}

/* One that did not turn out better than the one that it was to replace leaves that the head. */
static int append(struct turn *t, struct session *s, struct err *e)
{
	const struct exchange *x = &t->exchange;
	/* Later than the exchange, so that it decides the head after a merge, too. */
	struct rewind back = { .timestamp = x->timestamp + (x->duration > 0 ? x->duration : 0) + 1,
		               .has_from = true, .from = x->id, .to = t->instead_of };

	if (note_change(t, &s->conversation, e) < 0)
		return -1;
	t->outdone = t->old && rank(x) < rank(t->old);
	return session_append_exchange(s, x, changes(t), t->outdone ? &back : NULL, e);
}

/* The first of the two errors is the one to report: the other is told as a notice. */
static int store_exchange(struct turn *t, struct session *x, int failed, struct err *e)
{
	struct err why = ERR_INIT;

	if (buf_check(&t->reply.text, &why) == 0 && buf_check(&t->reply.reasoning, &why) == 0 &&
	    buf_check(&t->error, &why) == 0 &&
	    append(t, x, &why) == 0)
		return failed;
	if (why.kind == ERR_GONE) {
		t->homeless = true;
		return failed;
	}
	why.kind = ERR_UNSTORED;
	if (!failed)
		*e = why;
	else
		store_notice(x->store, "%s", why.msg);
	return -1;
}

/* The prompt is on the disk before it is sent, and not before it can be; and its files are
 * before it refers to them. */
static int send_spooled(struct turn *t, struct talk *how, struct draft *m, struct session *x,
                        struct err *e)
{
	int64_t started = clock_steady_ms();
	int spool_fd, failed = 0;

	if (t->files && files_store(t->files, x->dir, &t->exchange, e) < 0)
		return -1;
	spool_fd = spool_begin(x->dir, &t->exchange, 0, e);
	if (spool_fd < 0)
		return -1;
	if (m->cx.left_out && how->endpoint.config->auto_compact)
		failed = shrink(t, how, x, m, e);
	if (failed == 0)
		failed = ask(t, how, &m->letter, spool_fd, e);
	else
		conclude(t, started, failed, e);
	t->begun = true;
	close(spool_fd);
	return store_exchange(t, x, failed, e);
}

static int send_unsaved(struct turn *t, struct talk *how, const struct draft *m,
                        struct conversation *c, struct err *e)
{
	struct err ignored = ERR_INIT;
	int r = ask(t, how, &m->letter, -1, e);

	t->outdone = t->old && rank(&t->exchange) < rank(t->old);
	if (exchange_counts(&t->exchange) && !t->outdone && conversation_add(c, &t->exchange, r < 0 ? &ignored : e) < 0)
		r = -1;
	return r;
}

/* All that comes before something is stored or sent. */
static int prepare(struct turn *t, const struct talk *how, const struct session *x,
                   const struct conversation *c, struct span model, struct draft *m, struct err *e)
{
	if (begin(t, c, model, e) < 0)
		return -1;
	t->window = context_window(&how->endpoint, t->model_used.p, t->context);
	return write_draft(t, how, x, c, m, e);
}

/* `x` is the locked session; where its fd is -1 nothing is stored. */
static int run(struct turn *t, struct talk *how, struct session *x, struct conversation *c,
               struct span model, struct err *e)
{
	struct files others = FILES_INIT;
	struct draft m = DRAFT_INIT;
	int r;

	m.files = t->files ? t->files : &others;
	r = prepare(t, how, x, c, model, &m, e);
	if (r == 0)
		r = x->fd >= 0 ? send_spooled(t, how, &m, x, e) : send_unsaved(t, how, &m, c, e);
	draft_release(&m);
	files_release(&others);
	return r;
}

int turn_check(const struct turn *t, struct talk *how, const struct store *s,
               const struct session_head *head, struct err *e)
{
	struct session x = { .store = s, .dir = -1, .fd = -1 };
	const struct conversation none = CONVERSATION_INIT;
	struct files others = FILES_INIT;
	struct draft m = DRAFT_INIT;
	struct turn first = *t;
	int r = talk_open(how, e);

	first.system = head->system;
	m.files = t->files ? t->files : &others;
	if (r == 0)
		r = prepare(&first, how, &x, &none, t->model ? span_str(t->model) : head->model, &m, e);
	draft_release(&m);
	buf_release(&first.model_used);
	buf_release(&first.parent);
	return r;
}

/* Under the lock, because the session may have been made anew by another process since
 * the caller chose its provider. */
static int check_provider(const struct talk *how, const struct session *x,
                          const struct conversation *c, struct err *e)
{
	struct span own = c->head.head.provider;

	if (span_eq(own, how->endpoint.name))
		return 0;
	return err_set(e, ERR_FAILED, "session '%s' keeps its provider, %.*s, and this is %s", x->id,
	               (int)own.n, own.p, how->endpoint.name);
}

/* The exchange that is asked again must still be the last one. */
static int find_old(struct turn *t, const struct session *x, struct err *e)
{
	const struct exchange *last = conversation_last(&x->conversation);

	t->old = NULL;
	if (!t->instead_of.p)
		return 0;
	if (!last || !span_same(last->id, t->instead_of))
		return err_set(e, ERR_FAILED, "session '%s' has gone on in another process meanwhile", x->id);
	t->old = last;
	return 0;
}

/* How much of the history the turn needs, if its model is known. */
static const struct history_want *want_of(const struct turn *t, const struct talk *how,
                                          const struct session *x, struct context_want *want)
{
	struct span stored = x->conversation.info.model;
	const struct history_want *w = NULL;
	struct buf model = BUF_INIT;

	if (t->model)
		buf_adds(&model, t->model);
	else
		buf_add(&model, stored.p, stored.n);
	if (model.n && !model.oom)
		w = context_want(want, context_window(&how->endpoint, model.p, t->context).limit,
		                 context_reply_of(&how->params));
	buf_release(&model);
	return w;
}

int turn_run(struct turn *t, struct talk *how, struct session *x, const struct store *s,
             const char *id, struct err *e)
{
	struct conversation *c = &x->conversation;
	int r;

	struct context_want want;

	t->begun = t->outdone = false;
	if (talk_open(how, e) < 0 || session_lock(x, s, id, &t->wait, want_of(t, how, x, &want), e) < 0)
		return -1;
	r = check_provider(how, x, c, e) < 0 || find_old(t, x, e) < 0 ? -1 : 0;
	t->system = c->head.head.system;
	t->titled = c->titled || t->title;
	if (r == 0)
		r = run(t, how, x, c, t->model ? span_str(t->model) : c->info.model, e);
	session_unlock(x);
	t->old = NULL;
	return r;
}

int turn_store(struct turn *t, struct session *x, const struct store *s, const char *id,
               struct err *e)
{
	const struct lock_wait wait = { .stop_fd = -1 };
	int r = 0;

	if (session_lock(x, s, id, &wait, NULL, e) < 0)
		return -1;
	t->exchange.parent = (struct span){ NULL, 0 };
	t->exchange.replaces = (struct span){ NULL, 0 };
	if (t->files)
		r = files_store(t->files, x->dir, &t->exchange, e);
	if (r == 0)
		r = append(t, x, e);
	session_unlock(x);
	return r;
}

int turn_run_unsaved(struct turn *t, struct talk *how, const struct store *s, const char *id,
                     struct conversation *c, struct err *e)
{
	struct session x = { .store = s, .dir = -1, .fd = -1 };
	struct err ignored = ERR_INIT; /* without the folder, its files are missing */
	int r;

	t->begun = t->outdone = false;
	if (talk_open(how, e) < 0)
		return -1;
	if (id && s->fd >= 0)
		x.dir = place_folder(s->fd, id, &ignored);
	t->old = t->instead_of.p ? conversation_last(c) : NULL;
	r = run(t, how, &x, c, span_str(t->model), e);
	session_unlock(&x);
	t->old = NULL;
	return r;
}
