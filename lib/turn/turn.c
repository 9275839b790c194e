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
	buf_release(&t->error);
	buf_release(&t->model_used);
}

static int begin(struct turn *t, struct span model, struct err *e)
{
	struct exchange *x = &t->exchange;

	buf_add(&t->model_used, model.p, model.n);
	if (buf_check(&t->model_used, e) < 0)
		return -1;
	memset(x, 0, sizeof(*x));
	x->timestamp = clock_now_ms();
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
	x->status = !failed ? STATUS_COMPLETE
	            : e->kind == ERR_INTERRUPTED ? STATUS_INTERRUPTED : STATUS_ERROR;
	if (x->status == STATUS_ERROR) {
		utf8_add_clean(&t->error, span_str(e->msg));
		x->error = buf_span(&t->error);
	}
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
	                &m->cx.prompt, &t->exchange, e) < 0 || messages_make(&m->messages, &m->cx, e) < 0)
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

static int sum_up(struct turn *t, const struct talk *how, struct session *x,
                  struct conversation *c, struct err *e)
{
	struct context_ask asked = ask_of(t, how, c);
	struct compact_ask ask = { .conversation = c, .model = t->model_used.p, .window = t->window,
		                   .begin = tell_compacting, .ctx = t };
	struct compaction k = COMPACTION_INIT;
	int r = compact_keep(&asked, &ask.keep, e);

	if (r == 0)
		r = compact(&k, how, &ask, e);
	if (r > 0 && session_append_summary(x, c, &k.summary, e) < 0)
		r = -1;
	compaction_release(&k);
	return r;
}

/* Only the user's wish to stop ends the turn: without a summary it goes on with less. */
static int shrink(struct turn *t, struct talk *how, struct session *x, struct conversation *c,
                  struct draft *m, struct err *e)
{
	struct err why = ERR_INIT;
	int r = sum_up(t, how, x, c, &why);

	if (r < 0 && why.kind == ERR_INTERRUPTED) {
		*e = why;
		return -1;
	}
	if (r < 0 && t->compacting)
		t->compacting(t->ctx, 0, 0, &why);
	if (r <= 0)
		return 0;
	draft_release(m);
	return write_draft(t, how, x, c, m, e);
}

/* A model that only failed is not remembered: it may be a slip. */
static void note_changes(struct turn *t, const struct conversation *c)
{
	t->change = (struct change){ .timestamp = t->exchange.timestamp, .usage = USAGE_NONE };
	if (!span_eq(c->info.model, t->model_used.p) && t->exchange.status != STATUS_ERROR)
		t->change.model = buf_span(&t->model_used);
	if (t->title && !span_eq(buf_span(&c->title), t->title))
		t->change.title = span_str(t->title);
}

static const struct change *changes(const struct turn *t)
{
	return t->change.model.p || t->change.title.p ? &t->change : NULL;
}

/* How good an answer is. */
static int rank(const struct exchange *x)
{
	return x->status == STATUS_COMPLETE ? 2 : exchange_counts(x);
}

static int append(struct turn *t, struct session *x, struct conversation *c, struct err *e)
{
	if (!t->old)
		return session_append(x, &c->info, &t->exchange, changes(t), e);
	t->outdone = rank(&t->exchange) < rank(t->old);
	return session_append_again(x, c, &t->exchange, changes(t), t->old->id, !t->outdone, e);
}

/* The first of the two errors is the one to report: the other is told as a notice. */
static int store_exchange(struct turn *t, struct session *x, struct conversation *c, int failed,
                          struct err *e)
{
	struct err why = ERR_INIT;

	if (buf_check(&t->reply.text, &why) == 0 && buf_check(&t->reply.reasoning, &why) == 0 &&
	    buf_check(&t->error, &why) == 0 &&
	    append(t, x, c, &why) == 0)
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
                        struct conversation *c, struct err *e)
{
	int64_t started = clock_steady_ms();
	int spool_fd, failed = 0;

	if (t->files && files_store(t->files, x->dir, &t->exchange, e) < 0)
		return -1;
	spool_fd = spool_begin(x->dir, &t->exchange, e);
	if (spool_fd < 0)
		return -1;
	if (m->cx.left_out && how->endpoint.config->auto_compact)
		failed = shrink(t, how, x, c, m, e);
	if (failed == 0)
		failed = ask(t, how, &m->letter, spool_fd, e);
	else
		conclude(t, started, failed, e);
	t->begun = true;
	close(spool_fd);
	note_changes(t, c);
	return store_exchange(t, x, c, failed, e);
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
	if (begin(t, model, e) < 0)
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
		r = x->fd >= 0 ? send_spooled(t, how, &m, x, c, e) : send_unsaved(t, how, &m, c, e);
	draft_release(&m);
	files_release(&others);
	return r;
}

int turn_check(const struct turn *t, struct talk *how, const struct store *s,
               const struct session_head *head, struct err *e)
{
	struct session x = { .store = s, .dir = -1, .fd = -1 };
	struct conversation none = CONVERSATION_INIT;
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

static int load(struct turn *t, struct session *x, struct conversation *c, struct record *old,
                struct err *e)
{
	if (!t->instead_of.p)
		return session_load(x, c, e);
	if (session_load_before(x, c, t->instead_of, old, e) < 0)
		return -1;
	t->old = &old->exchange;
	return 0;
}

int turn_run(struct turn *t, struct talk *how, const struct store *s, const char *id,
             struct err *e)
{
	struct record old = { .json = NULL };
	struct conversation c;
	struct session x;
	int r;

	t->begun = t->outdone = false;
	if (talk_open(how, e) < 0 || session_lock(&x, s, id, &t->wait, e) < 0)
		return -1;
	r = load(t, &x, &c, &old, e);
	if (r == 0) {
		r = check_provider(how, &x, &c, e);
		t->system = c.head.head.system;
		t->titled = c.titled || t->title;
		if (r == 0)
			r = run(t, how, &x, &c, t->model ? span_str(t->model) : c.info.model, e);
		conversation_release(&c);
	}
	session_unlock(&x);
	record_release(&old);
	t->old = NULL;
	return r;
}

int turn_store(const struct turn *t, const struct store *s, const char *id, struct err *e)
{
	const struct lock_wait wait = { .stop_fd = -1 };
	struct conversation c;
	struct session x;
	int r;

	if (session_lock(&x, s, id, &wait, e) < 0)
		return -1;
	r = session_load(&x, &c, e);
	if (r == 0) {
		if (t->files)
			r = files_store(t->files, x.dir, &t->exchange, e);
		if (r == 0)
			r = session_append(&x, &c.info, &t->exchange, changes(t), e);
		conversation_release(&c);
	}
	session_unlock(&x);
	return r;
}

int turn_run_unsaved(struct turn *t, struct talk *how, const struct store *s, const char *id,
                     struct conversation *c, struct err *e)
{
	struct session x = { .store = s, .dir = -1, .fd = -1 };
	struct err ignored = ERR_INIT; /* without the folder, its files are missing */
	struct cut cut = { .covered = 0 };
	size_t before;
	int r;

	t->begun = t->outdone = false;
	if (talk_open(how, e) < 0)
		return -1;
	if (id && s->fd >= 0)
		x.dir = place_folder(s->fd, id, &ignored);
	if (t->instead_of.p) {
		conversation_cut(c, &cut);
		t->old = &cut.turn.exchange;
	}
	before = c->n;
	r = run(t, how, &x, c, span_str(t->model), e);
	session_unlock(&x);
	if (t->old && c->n == before)
		conversation_mend(c, &cut);
	cut_release(&cut);
	t->old = NULL;
	return r;
}
