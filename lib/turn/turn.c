#include "turn/turn.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "client/client.h"
#include "store/place.h"
#include "store/spool.h"
#include "turn/compact.h"
#include "turn/context.h"
#include "turn/messages.h"

/* A turn that runs. */
struct turn {
	const struct turn_input *in;
	struct turn_result *out;
	struct client *client;
	struct session *session; /* locked; where its fd is -1 nothing is stored */
	struct conversation *conversation; /* so far */
	const char *id;          /* of the session; NULL: nothing is stored */
	struct span system;
	struct window window;
	struct buf window_model; /* whose window that is; empty: not looked up yet */
	bool again;              /* it is to replace the conversation's last exchange, */
	int rank;                /* whose answer was so good */
	struct files *files, none;
	int spool;               /* -1: none */
	bool drafted;            /* the request is made */
	bool made;               /* the session was created for this turn */
	bool homeless;           /* the session was removed before the exchange could be stored */
	struct change change;    /* of the title, that is stored with the exchange */
	char change_id[UUID_SIZE];
	struct usage usage;      /* of the steps so far */
	struct buf trail;        /* their records and results, which go to another session if this one is removed */

	/* the request */
	struct context context;
	struct parcel parcel;
	struct messages messages;
	struct chat_request content;
	struct request request;
};

void turn_result_release(struct turn_result *out)
{
	reply_release(&out->reply);
	json_object_put(out->native);
	json_object_put(out->parameters);
	buf_release(&out->error);
	buf_release(&out->model);
	buf_release(&out->parent);
	*out = (struct turn_result)TURN_RESULT_INIT;
}

/* ---- its events ---- */

/* A spool that fails does not end the reply: that is worth more on the screen than nowhere. The
 * exchange itself may still fit; that failure is reported. */
static void spool_event(struct turn *t, const struct turn_event *ev)
{
	struct err ignored = ERR_INIT;

	if (ev->kind == TURN_TEXT && t->spool >= 0 && spool_add(t->spool, ev->text, &ignored) < 0) {
		close(t->spool);
		t->spool = -1;
	}
}

/* The store takes each event first: what is shown is on the disk. */
static void tell(struct turn *t, const struct turn_event *ev)
{
	spool_event(t, ev);
	t->in->events.take(t->in->events.ctx, ev);
}

static void tell_notice(struct turn *t, const char *sentence)
{
	tell(t, &(struct turn_event){ .kind = TURN_NOTICE, .notice = sentence });
}

static void take_piece(void *ctx, enum client_part part, struct span piece)
{
	tell(ctx, &(struct turn_event){ .kind = part == CLIENT_TEXT ? TURN_TEXT : TURN_REASONING, .text = piece });
}

static void take_wait(void *ctx, const struct client_wait *w)
{
	tell(ctx, &(struct turn_event){ .kind = TURN_WAITING, .wait = w });
}

static void tell_end(struct turn *t, int result, const struct err *e)
{
	const struct turn_result *out = t->out;
	const struct exchange *x = out->begun ? &out->exchange : NULL;
	bool stored = result == 0 || e->kind != ERR_UNSTORED;
	const char *session = out->dropped ? NULL : t->id;

	if (x)
		tell(t, &(struct turn_event){ .kind = TURN_USAGE, .exchange = x });
	if (x && stored)
		tell(t, &(struct turn_event){ .kind = TURN_STORED, .session = session, .exchange = x });
	if (result < 0)
		tell(t, &(struct turn_event){ .kind = TURN_ERROR, .session = session, .exchange = stored ? NULL : x,
		                              .error = e });
}

/* ---- the exchange ---- */

/* How good an answer is. */
static int rank(const struct exchange *x)
{
	return x->status == STATUS_COMPLETE ? 2 : exchange_counts(x);
}

/* Its pointer would not survive reading the conversation again. */
static void replace_last(struct turn *t)
{
	const struct exchange *last = conversation_last(t->conversation);

	t->again = last != NULL;
	t->rank = last ? rank(last) : 0;
}

static bool is_outdone(const struct turn *t)
{
	return t->again && rank(&t->out->exchange) < t->rank;
}

/* It follows the last exchange, or if it replaces that, the one before. */
static struct span parent_of(const struct turn *t)
{
	const struct conversation *c = t->conversation;
	const struct exchange_node *parent = c->n ? c->path[c->n - 1] : NULL;

	if (parent && t->again)
		parent = parent->parent;
	return parent ? buf_span(&parent->id) : (struct span){ NULL, 0 };
}

/* Later than all that is in the conversation. */
static int set_time(struct turn *t, struct err *e)
{
	struct exchange *x = &t->out->exchange;

	x->timestamp = conversation_now(t->conversation);
	if (uuid7_generate(t->out->id, x->timestamp, e) < 0)
		return -1;
	x->id = span_str(t->out->id);
	return 0;
}

static int begin(struct turn *t, struct span model, struct err *e)
{
	struct turn_result *out = t->out;
	struct exchange *x = &out->exchange;
	struct span parent = parent_of(t);

	buf_clear(&out->model);
	buf_clear(&out->parent);
	buf_add(&out->model, model.p, model.n);
	buf_add(&out->parent, parent.p, parent.n);
	if (buf_check(&out->model, e) < 0 || buf_check(&out->parent, e) < 0)
		return -1;
	memset(x, 0, sizeof(*x));
	x->has_parent = true;
	x->parent = parent.p ? buf_span(&out->parent) : parent;
	if (t->again)
		x->replaces = t->in->instead_of;
	x->query = t->in->prompt;
	x->model = buf_span(&out->model);
	x->duration = -1;
	x->usage = (struct usage)USAGE_NONE;
	x->attachments = t->files->refs;
	x->nattachments = t->files->nrefs;
	json_object_put(out->parameters);
	if (params_object(&t->client->params, &out->parameters, e) < 0)
		return -1;
	x->parameters = out->parameters;
	return set_time(t, e);
}

/* What the reply and the error, if any, make of the exchange. */
static void conclude(struct turn *t, int64_t started, int failed, const struct err *e)
{
	struct turn_result *out = t->out;
	struct exchange *x = &out->exchange;

	x->answer = buf_span(&out->reply.text);
	x->duration = clock_steady_ms() - started;
	x->usage = t->usage;
	usage_add(&x->usage, &out->reply.usage);
	if (out->reply.finish_reason.n)
		x->finish_reason = buf_span(&out->reply.finish_reason);
	if (out->reply.reasoning.n)
		x->reasoning = buf_span(&out->reply.reasoning);
	if (!failed)
		x->native = out->native;
	x->status = !failed ? STATUS_COMPLETE
	            : e->kind == ERR_INTERRUPTED ? STATUS_INTERRUPTED : STATUS_ERROR;
	if (x->status == STATUS_ERROR) {
		utf8_add_clean(&out->error, span_str(e->msg));
		x->error = buf_span(&out->error);
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
	json_open(&b, '{');
	json_put_str(&b, "provider", span_str(provider));
	json_put_str(&b, "model", model);
	json_put_raw(&b, "items", buf_span(&r->native));
	json_close(&b, '}');
	if (buf_check(&b, &ignored) == 0)
		json_parse_inner(buf_span(&b), 1, &native, &ignored); /* a member of the record */
	buf_release(&b);
	return native;
}

/* One request, and its reply. */
static int send_request(struct turn *t, struct err *e)
{
	struct reply *reply = &t->out->reply;
	int r = client_run(t->client, &t->request, reply, e);

	/* The server may send any bytes. */
	utf8_clean(&reply->finish_reason);
	for (size_t i = 0; i < reply->ncalls; i++) {
		utf8_clean(&reply->calls[i].id);
		utf8_clean(&reply->calls[i].name);
		utf8_clean(&reply->calls[i].arguments);
	}
	utf8_clean(&reply->reasoning);
	utf8_clean(&reply->text);
	return r;
}

/* Calls that do not run: the reply is the answer, with whatever text it has. */
static void tell_calls(struct turn *t)
{
	const struct reply *reply = &t->out->reply;

	for (size_t i = 0; i < reply->ncalls; i++)
		tell(t, &(struct turn_event){ .kind = TURN_CALL, .call = &reply->calls[i] });
}

/* ---- the request ---- */

static void draft_release(struct turn *t)
{
	context_release(&t->context);
	parcel_release(&t->parcel);
	messages_release(&t->messages);
	request_release(&t->request);
	t->context = (struct context){ .text = BUF_INIT };
	t->parcel = (struct parcel)PARCEL_INIT;
	t->request = (struct request)REQUEST_INIT;
	t->drafted = false;
}

static struct context_ask ask_of(const struct turn *t)
{
	const struct conversation *c = t->conversation;

	return (struct context_ask){
		.conversation = c,
		.n = t->again && c->n ? c->n - 1 : c->n,
		.provider = t->client->no_native ? NULL : t->client->endpoint.name,
		.model = buf_span(&t->out->model),
		.system = t->system,
		.prompt = &t->out->exchange,
		.running = conversation_find_any(c, t->out->exchange.id),
		.window = t->window.limit,
		.reply = context_reply_of(&t->client->params),
	};
}

/* Says what was left out of the request, or changed, because of the model. */
static void tell_notices(struct turn *t)
{
	char *end;

	for (char *p = t->request.notices.p; (end = strchr(p, '\n')); p = end + 1) {
		*end = '\0';
		tell_notice(t, p);
	}
}

/* What is sent of the conversation, all of it in the provider's words. */
static int draft(struct turn *t, struct err *e)
{
	const struct client *client = t->client;
	struct context_ask asked = ask_of(t);
	struct context *cx = &t->context;
	struct store store = *t->session->store;

	draft_release(t);
	if (context_make(cx, &asked, e) < 0)
		return -1;
	t->out->exchange.left_out = (int64_t)cx->reduced;
	t->content = (struct chat_request){
		.base_url = client->endpoint.base_url,
		.model = t->out->model.p,
		.system = t->system,
		.schema = client->schema,
		.stream = client->stream,
		.reasoning = client->reasoning,
		.room = context_room(&t->window, cx->tokens),
	};
	if (t->out->exchange.steps)
		store.notice = NULL; /* the first request of the turn has printed these notices */
	if (parcel_fill(&t->parcel, t->files, &store, t->session->dir, cx, &t->out->exchange, e) < 0 ||
	    messages_make(&t->messages, cx, client->endpoint.name, span_str(t->out->model.p), e) < 0)
		return -1;
	t->content.messages = t->messages.list;
	t->content.nmessages = t->messages.n;
	if (request_prepare(&t->request, client, &t->content, e) < 0)
		return -1;
	if (!t->out->exchange.steps) /* later requests repeat them */
		tell_notices(t);
	t->drafted = true;
	return 0;
}

/* The model is known before the session is read or, for want of a record of it, only after. A lookup
 * reads a file. */
static int find_window(struct turn *t, struct span model, struct err *e)
{
	struct buf *known = &t->window_model;

	if (known->n && span_same(buf_span(known), model))
		return 0;
	buf_clear(known);
	buf_add(known, model.p, model.n);
	if (buf_check(known, e) < 0)
		return -1;
	t->window = context_window(&t->client->endpoint, known->p, t->in->context);
	return 0;
}

/* All that comes before something is stored or sent. */
static int prepare(struct turn *t, struct span model, struct err *e)
{
	if (begin(t, t->in->model ? span_str(t->in->model) : model, e) < 0 ||
	    find_window(t, buf_span(&t->out->model), e) < 0)
		return -1;
	return draft(t, e);
}

/* ---- steps ---- */

/* A reply that called tools. */
struct asked {
	struct reply reply;
	struct tool_call *calls; /* one for each of the reply's; their arguments are owned */
	size_t n;
	struct json_object *none; /* an empty object: the arguments of each call whose own cannot be read */
	struct json_object *native;
	struct step step;
};

static void asked_release(struct asked *a)
{
	for (size_t i = 0; i < a->n; i++)
		json_object_put(a->calls[i].arguments);
	free(a->calls);
	json_object_put(a->none);
	json_object_put(a->native);
	reply_release(&a->reply);
}

/* A call without arguments may come without any text. */
static int parse_arguments(const struct reply_call *c, struct json_object **out, struct err *why)
{
	struct span text = utf8_is_blank(buf_span(&c->arguments)) ? span_str("{}") : buf_span(&c->arguments);

	return json_parse_inner(text, 3, out, why); /* a member of a call, in the list of a record */
}

static bool is_taken(const struct reply *r, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (span_same(buf_span(&r->calls[k].id), buf_span(&r->calls[i].id)))
			return true;
	return false;
}

/* Within a step each call has an id of its own. */
static int name_call(struct reply *r, size_t i, int64_t now, struct err *e)
{
	struct buf *id = &r->calls[i].id;
	char own[UUID_SIZE];

	if (buf_check(id, e) < 0)
		return -1;
	if (id->n && !is_taken(r, i))
		return 0;
	if (uuid7_generate(own, now, e) < 0)
		return -1;
	buf_clear(id);
	buf_adds(id, own);
	return buf_check(id, e);
}

/* Of arguments that cannot be read, the result quotes what came. */
static int take_call(struct asked *a, size_t i, struct err *e)
{
	const struct reply_call *c = &a->reply.calls[i];
	struct err why = ERR_INIT;

	/* Nothing is called with a part of its arguments. */
	if (buf_check(&c->name, e) < 0 || buf_check(&c->arguments, e) < 0)
		return -1;
	a->calls[i].id = buf_span(&c->id);
	a->calls[i].name = buf_span(&c->name);
	if (parse_arguments(c, &a->calls[i].arguments, &why) == 0)
		return 0;
	if (why.kind == ERR_DAMAGED && !a->none)
		a->none = json_object_new_object();
	if (why.kind != ERR_DAMAGED || !a->none)
		return err_oom(e);
	a->calls[i].arguments = json_object_get(a->none);
	return 0;
}

/* When something of the turn began. */
struct start {
	int64_t time;   /* for its record; later than the prompt */
	int64_t steady; /* to measure its duration */
};

static struct start start_now(const struct turn *t)
{
	int64_t now = conversation_now(t->conversation), prompt = t->out->exchange.timestamp;

	return (struct start){ now > prompt ? now : prompt + 1, clock_steady_ms() };
}

/* The reply becomes a step. */
static int make_step(struct turn *t, struct asked *a, const struct start *began, struct err *e)
{
	const struct turn_result *out = t->out;
	struct reply *r = &a->reply;

	a->calls = calloc(r->ncalls, sizeof(*a->calls));
	if (!a->calls)
		return err_oom(e);
	for (a->n = 0; a->n < r->ncalls; a->n++)
		if (name_call(r, a->n, began->time, e) < 0 || take_call(a, a->n, e) < 0)
			return -1;
	a->native = native_of(r, t->client->endpoint.name, buf_span(&out->model), true);
	a->step = (struct step){
		.exchange = out->exchange.id, .n = out->exchange.steps, .timestamp = began->time,
		.text = buf_span(&r->text), .reasoning = r->reasoning.n ? buf_span(&r->reasoning) : (struct span){ NULL, 0 },
		.model = buf_span(&out->model), .calls = a->calls, .ncalls = a->n,
		.duration = clock_steady_ms() - began->steady, .usage = r->usage, .native = a->native,
	};
	return 0;
}

/* Whether the conversation has this step of the turn. */
static bool has_step(const struct turn *t, int64_t n)
{
	const struct exchange_node *x = conversation_find_any(t->conversation, t->out->exchange.id);
	const struct step_node *s = x ? conversation_find_step(x, n) : NULL;

	return s && s->record.json;
}

/* Reading back what was stored may have read all of the conversation anew. */
static void look_again(struct turn *t)
{
	t->system = t->conversation->head.head.system;
}

/* *stored: the step is in the history. It may be there although storing it failed, when it could not be
 * forced to the disk: then nothing is built on it, but the exchange must count it. */
static int keep_step(struct turn *t, const struct step *s, bool *stored, struct err *e)
{
	int r;

	if (!t->id) {
		r = conversation_add_step(t->conversation, s, e);
		*stored = r == 0;
		return r;
	}
	r = session_append_step(t->session, s, e);
	*stored = r == 0 || has_step(t, s->n);
	if (*stored)
		record_add_step(&t->trail, s);
	look_again(t);
	return r;
}

/* If the session was removed, the result goes where the turn is stored instead. */
static int keep_result(struct turn *t, const struct result *result, struct err *e)
{
	int r;

	if (!t->id)
		return conversation_add_result(t->conversation, result, e);
	r = session_append_result(t->session, result, e);
	if (r == 0 || e->kind == ERR_GONE)
		record_add_result(&t->trail, result);
	look_again(t);
	return r;
}

static int run_tool(const struct turn *t, const struct asked *a, size_t i, struct turn_outcome *o, struct err *e)
{
	const struct buf *came = &a->reply.calls[i].arguments;
	struct json_object *arguments = NULL;
	struct err why = ERR_INIT;

	if (a->calls[i].arguments != a->none)
		return t->in->tools->run(t->in->tools->ctx, &a->calls[i], o, e);
	parse_arguments(&a->reply.calls[i], &arguments, &why); /* to say why */
	o->status = RESULT_ERROR;
	buf_addf(&o->output, "The arguments cannot be read as a JSON object (%s): ", why.msg);
	buf_add(&o->output, came->p, came->n);
	return 0;
}

static int run_call(struct turn *t, const struct asked *a, size_t i, struct err *e)
{
	struct turn_outcome o = { .status = RESULT_ERROR, .exit_status = -1, .output = BUF_INIT };
	const struct start began = start_now(t);
	struct result result = { .exchange = a->step.exchange, .n = a->step.n, .call = a->calls[i].id,
		                 .timestamp = began.time };
	struct err why = ERR_INIT;
	int r;

	tell(t, &(struct turn_event){ .kind = TURN_CALL, .call = &a->reply.calls[i] });
	r = run_tool(t, a, i, &o, e);
	utf8_clean(&o.output);
	result.status = o.status;
	result.exit_status = o.exit_status;
	result.duration = clock_steady_ms() - began.steady;
	result.output = buf_span(&o.output);
	if (buf_check(&o.output, &why) == 0 && keep_result(t, &result, &why) == 0)
		tell(t, &(struct turn_event){ .kind = TURN_RESULT, .result = &result });
	else if (r == 0) {
		*e = why;
		r = -1;
	}
	buf_release(&o.output);
	return r;
}

/* The next request has the steps so far. */
static int go_on(struct turn *t, struct err *e)
{
	if (t->spool >= 0)
		close(t->spool);
	t->spool = -1;
	if (session_check_read(t->session, e) < 0)
		return -1;
	if (t->id) {
		t->spool = session_spool(t->session, &t->out->exchange, t->out->exchange.steps, e);
		if (t->spool < 0)
			return -1;
	}
	return draft(t, e);
}

/* Until it is stored as a step, the reply is the turn's answer, whatever fails. */
static int take_step(struct turn *t, const struct start *began, struct err *e)
{
	struct reply *reply = &t->out->reply;
	struct asked a = { .reply = *reply };
	bool stored = false;
	int r = make_step(t, &a, began, e);

	if (r == 0)
		r = keep_step(t, &a.step, &stored, e);
	*reply = stored ? (struct reply)REPLY_INIT : a.reply;
	if (stored) {
		t->out->exchange.steps++;
		usage_add(&t->usage, &a.step.usage);
	} else {
		a.reply = (struct reply)REPLY_INIT;
	}
	for (size_t i = 0; r == 0 && i < a.n; i++) {
		r = session_check_read(t->session, e);
		if (r == 0)
			r = run_call(t, &a, i, e);
	}
	if (r == 0)
		r = go_on(t, e);
	asked_release(&a);
	return r;
}

/* ---- the loop ---- */

static bool is_step(const struct turn *t)
{
	const struct turn_tools *tools = t->in->tools;

	return t->out->reply.ncalls && tools && t->out->exchange.steps < tools->steps_max;
}

/* One request after another, until the model has answered. */
static int converse(struct turn *t, struct err *e)
{
	for (;;) {
		const struct start began = start_now(t);

		if (send_request(t, e) < 0)
			return -1;
		if (!is_step(t))
			return 0;
		if (take_step(t, &began, e) < 0)
			return -1;
	}
}

static int ask(struct turn *t, struct err *e)
{
	struct turn_result *out = t->out;
	int64_t started = clock_steady_ms();
	int r;

	out->begun = true;
	tell(t, &(struct turn_event){
		.kind = TURN_STARTED, .session = t->id, .exchange = &out->exchange,
		.started = { t->client->endpoint.name, &t->context, t->window.limit },
	});
	r = converse(t, e);
	if (r == 0)
		tell_calls(t);
	out->native = native_of(&out->reply, t->client->endpoint.name, buf_span(&out->model), out->exchange.steps > 0);
	conclude(t, started, r < 0, e);
	return r;
}

/* ---- a conversation that outgrew the window ---- */

static void tell_compacting(void *ctx, size_t n, size_t incomplete)
{
	tell(ctx, &(struct turn_event){ .kind = TURN_COMPACTING, .compacting = { n, incomplete } });
}

static void tell_uncompacted(struct turn *t, const struct err *why)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "the conversation could not be summed up: %s", why->msg);
	tell_notice(t, line.oom ? why->msg : line.p);
	buf_release(&line);
}

static int sum_up(struct turn *t, struct err *e)
{
	struct context_ask asked = ask_of(t);
	struct compact_ask ask_for = { .conversation = t->conversation, .n = asked.n, .model = t->out->model.p,
		                       .window = t->window, .begin = tell_compacting, .ctx = t };
	struct compaction k = COMPACTION_INIT;
	int r = compact_keep(&asked, &ask_for.keep, e);

	if (r == 0)
		r = compact(&k, t->client, &ask_for, e);
	if (r > 0 && session_append_summary(t->session, &k.summary, e) < 0)
		r = -1;
	compaction_release(&k);
	return r;
}

/* What is to be summed up is all of it. */
static int read_all(struct turn *t, struct err *e)
{
	int r;

	draft_release(t);
	r = session_refresh(t->session, NULL, e);
	look_again(t);
	return r < 0 ? -1 : draft(t, e);
}

/* Only the user's wish to stop ends the turn: without a summary it goes on with less. */
static int shrink(struct turn *t, struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	if (t->conversation->partial && read_all(t, e) < 0)
		return -1;
	r = sum_up(t, &why);
	if (r > 0) {
		look_again(t);
		return session_check_read(t->session, e) < 0 ? -1 : draft(t, e);
	}
	if (r < 0 && why.kind == ERR_INTERRUPTED) {
		*e = why;
		return -1;
	}
	if (r < 0)
		tell_uncompacted(t, &why);
	return 0;
}

/* ---- storing ---- */

/* The title that the session is to have, unless it has it. */
static int note_change(struct turn *t, struct err *e)
{
	const char *wanted = t->in->title;
	struct span title = t->conversation->info.title;

	t->change = (struct change){ .timestamp = t->out->exchange.timestamp, .usage = USAGE_NONE };
	if (!wanted || span_eq(title.p ? title : span_str(""), wanted))
		return 0;
	if (uuid7_generate(t->change_id, t->change.timestamp, e) < 0)
		return -1;
	t->change.title = span_str(wanted);
	t->change.id = span_str(t->change_id);
	return 0;
}

/* If the exchange that this was to replace has the better answer, that stays the head. */
static int append(struct turn *t, struct err *e)
{
	const struct exchange *x = &t->out->exchange;
	/* Later than the exchange, so that it decides the head after a merge, too. */
	struct rewind back = { .timestamp = x->timestamp + (x->duration > 0 ? x->duration : 0) + 1,
		               .has_from = true, .from = x->id, .to = t->in->instead_of };

	if (note_change(t, e) < 0)
		return -1;
	t->out->outdone = is_outdone(t);
	return session_append_exchange(t->session, x, t->change.title.p ? &t->change : NULL,
	                               t->out->outdone ? &back : NULL, e);
}

/* The first of the two errors is the one to report: the other is told as a notice. */
static int report_unstored(struct turn *t, int failed, struct err *why, struct err *e)
{
	why->kind = ERR_UNSTORED;
	if (!failed)
		*e = *why;
	else
		tell_notice(t, why->msg);
	return -1;
}

static int store_exchange(struct turn *t, int failed, struct err *e)
{
	const struct turn_result *out = t->out;
	struct err why = ERR_INIT;

	if (buf_check(&out->reply.text, &why) == 0 && buf_check(&out->reply.reasoning, &why) == 0 &&
	    buf_check(&out->error, &why) == 0 && append(t, &why) == 0)
		return failed;
	t->homeless = why.kind == ERR_GONE && t->in->create;
	return t->homeless ? failed : report_unstored(t, failed, &why, e);
}

/* The prompt is on the disk before it is sent, and not before it can be; and its files are
 * before it refers to them. */
static int send_spooled(struct turn *t, struct err *e)
{
	int64_t started = clock_steady_ms();
	int failed = 0;

	if (files_store(t->files, t->session->dir, &t->out->exchange, e) < 0)
		return -1;
	t->spool = session_spool(t->session, &t->out->exchange, 0, e);
	if (t->spool < 0)
		return -1;
	if (t->context.left_out && t->client->endpoint.config->auto_compact)
		failed = shrink(t, e);
	if (failed == 0)
		failed = ask(t, e);
	else
		conclude(t, started, failed, e);
	t->out->begun = true;
	if (t->spool >= 0)
		close(t->spool);
	t->spool = -1;
	return store_exchange(t, failed, e);
}

static int send_unsaved(struct turn *t, struct err *e)
{
	const struct exchange *x = &t->out->exchange;
	struct err ignored = ERR_INIT;
	int r = ask(t, e);

	t->out->outdone = is_outdone(t);
	if (exchange_counts(x) && !t->out->outdone && !t->in->only &&
	    conversation_add(t->conversation, x, r < 0 ? &ignored : e) < 0)
		r = -1;
	return r;
}

/* ---- in a session ---- */

/* Under the lock, because the session may have been made anew by another process since
 * the caller chose its provider. */
static int check_provider(const struct turn *t, struct err *e)
{
	struct span own = t->conversation->head.head.provider;

	if (span_eq(own, t->client->endpoint.name))
		return 0;
	return err_set(e, ERR_FAILED, "session '%s' keeps its provider, %.*s, and this is %s", t->session->id,
	               (int)own.n, own.p, t->client->endpoint.name);
}

/* The exchange that is asked again must still be the last one. */
static int find_old(struct turn *t, struct err *e)
{
	t->again = false;
	if (!t->in->instead_of.p || t->out->elsewhere)
		return 0;
	if (session_check_last(t->session, t->in->instead_of, e) < 0)
		return -1;
	replace_last(t);
	return 0;
}

/* How much of the history the turn needs: NULL, all of it, if its model or that model's window is not
 * known. */
static int find_want(struct turn *t, struct history_want *want, const struct history_want **found, struct err *e)
{
	struct span model = t->in->model ? span_str(t->in->model) : t->conversation->info.model;

	*found = NULL;
	if (!model.n)
		return 0;
	if (find_window(t, model, e) < 0)
		return -1;
	*found = context_want(want, t->window.limit, context_reply_of(&t->client->params));
	return 0;
}

static int create(struct turn *t, bool again, struct err *e)
{
	int r = t->in->create(t->in->ctx, again, e);

	t->made = r > 0;
	t->out->elsewhere |= again && r >= 0;
	return r < 0 ? -1 : 0;
}

/* The request is made before the session, whose conversation is empty. */
static int begin_session(struct turn *t, const struct store *s, struct err *e)
{
	struct session *session = t->session, none = { .store = s, .dir = -1, .fd = -1 };
	struct conversation *conversation = t->conversation, empty = CONVERSATION_INIT;
	int r;

	t->session = &none;
	t->conversation = &empty;
	t->system = t->in->head->system;
	r = prepare(t, t->in->head->model, e);
	t->session = session;
	t->conversation = conversation;
	return r < 0 ? -1 : create(t, false, e);
}

/* Whether the request that was made before the session is the one to send. Another process may have
 * been faster. */
static bool is_draft_good(const struct turn *t)
{
	const struct conversation *c = t->conversation;

	return t->drafted && c->n == 0 && span_same(t->system, c->head.head.system) &&
	       (t->in->model || span_same(buf_span(&t->out->model), c->info.model));
}

static int take_session(struct turn *t, struct err *e)
{
	struct conversation *c = t->conversation;

	if (check_provider(t, e) < 0 || find_old(t, e) < 0)
		return -1;
	t->out->titled = c->titled || t->in->title;
	if (is_draft_good(t))
		return set_time(t, e);
	t->system = c->head.head.system;
	return prepare(t, c->info.model, e);
}

/* A session that was created for a model that does not exist would be of no use, and -c would go on
 * with it. The prompt can be asked again. */
static bool drop_useless(struct turn *t)
{
	const struct turn_result *out = t->out;
	struct err ignored = ERR_INIT;

	return t->made && !t->homeless && out->begun && t->client->no_model && out->exchange.status == STATUS_ERROR &&
	       !out->exchange.steps && !out->reply.text.n && t->conversation->n == 1 &&
	       span_same(conversation_last(t->conversation)->id, out->exchange.id) &&
	       session_remove(t->session, &ignored) == 0;
}

static int run_locked(struct turn *t, const struct store *s, struct err *e)
{
	const struct history_want *wanted;
	struct history_want want;
	int r;

	if (find_want(t, &want, &wanted, e) < 0 ||
	    session_lock(t->session, s, t->id, &t->in->wait, wanted, e) < 0)
		return -1;
	r = take_session(t, e);
	if (r == 0)
		r = send_spooled(t, e);
	t->out->dropped = drop_useless(t);
	session_unlock(t->session);
	return r;
}

/* The steps and their results, in another session. */
static int store_trail(struct turn *t, struct err *e)
{
	struct span rest = buf_span(&t->trail);
	int r = buf_check(&t->trail, e);

	while (r == 0 && rest.n) {
		size_t n = (size_t)((const char *)memchr(rest.p, '\n', rest.n) - rest.p);
		struct record record;

		if (record_parse((struct span){ rest.p, n }, &record, e) < 0)
			return -1;
		r = record.type == RECORD_STEP ? session_append_step(t->session, &record.step, e)
		                               : session_append_result(t->session, &record.result, e);
		record_release(&record);
		rest = (struct span){ rest.p + n + 1, rest.n - n - 1 };
	}
	return r;
}

/* The session was removed under the turn: the exchange begins another one. */
static int store_elsewhere(struct turn *t, const struct store *s, struct err *e)
{
	const struct lock_wait wait = { .stop_fd = -1 };
	int r;

	t->again = false;
	if (create(t, true, e) < 0 || session_lock(t->session, s, t->id, &wait, NULL, e) < 0)
		return -1;
	t->out->exchange.parent = (struct span){ NULL, 0 };
	t->out->exchange.replaces = (struct span){ NULL, 0 };
	r = files_store(t->files, t->session->dir, &t->out->exchange, e);
	if (r == 0)
		r = store_trail(t, e);
	if (r == 0)
		r = append(t, e);
	session_unlock(t->session);
	return r;
}

static int run_saved(struct turn *t, const struct store *s, struct err *e)
{
	struct err lost = ERR_INIT;
	int r;

	if (t->in->head && begin_session(t, s, e) < 0)
		return -1;
	r = run_locked(t, s, e);
	if (r < 0 && e->kind == ERR_NOT_FOUND && !t->out->begun && t->in->create) {
		err_clear(e);
		draft_release(t);
		r = create(t, true, e) < 0 ? -1 : run_locked(t, s, e);
	}
	if (t->homeless && store_elsewhere(t, s, &lost) < 0) {
		lost.kind = ERR_UNSTORED;
		*e = lost;
		r = -1;
	}
	return r;
}

/* ---- a turn ---- */

static void turn_begin(struct turn *t)
{
	*t = (struct turn){ .in = t->in, .out = t->out, .client = t->client, .session = t->session,
		            .conversation = t->conversation, .id = t->id, .files = t->in->files,
		            .none = FILES_INIT, .spool = -1, .window_model = BUF_INIT, .usage = USAGE_NONE,
		            .trail = BUF_INIT, .context = { .text = BUF_INIT },
		            .parcel = PARCEL_INIT, .messages = MESSAGES_INIT, .request = REQUEST_INIT };
	if (!t->files)
		t->files = &t->none;
	t->client->listener = (struct client_listener){ take_piece, take_wait, t };
}

static int turn_end(struct turn *t, const struct client_listener *before, int result, const struct err *e)
{
	tell_end(t, result, e);
	t->client->listener = *before;
	draft_release(t);
	buf_release(&t->window_model);
	files_release(&t->none);
	buf_release(&t->trail);
	return result;
}

int turn_run(const struct turn_input *in, struct turn_result *out, struct client *client, struct session *x,
             const struct store *s, const char *id, struct err *e)
{
	struct turn t = { .in = in, .out = out, .client = client, .session = x, .conversation = &x->conversation,
		          .id = id };
	const struct client_listener before = client->listener;

	turn_begin(&t);
	return turn_end(&t, &before, client_open(client, e) < 0 ? -1 : run_saved(&t, s, e), e);
}

int turn_run_unsaved(const struct turn_input *in, struct turn_result *out, struct client *client,
                     const struct store *s, const char *id, struct span system, struct conversation *c,
                     struct err *e)
{
	struct session x = { .store = s, .dir = -1, .fd = -1 };
	struct turn t = { .in = in, .out = out, .client = client, .session = &x, .conversation = c };
	const struct client_listener before = client->listener;
	struct err ignored = ERR_INIT; /* without the folder, its files are missing */
	int r;

	turn_begin(&t);
	r = client_open(client, e);
	if (r == 0 && id && s->fd >= 0)
		x.dir = place_folder(s->fd, id, &ignored);
	t.system = system;
	if (in->instead_of.p)
		replace_last(&t);
	if (r == 0)
		r = prepare(&t, (struct span){ NULL, 0 }, e) < 0 ? -1 : send_unsaved(&t, e);
	session_unlock(&x);
	return turn_end(&t, &before, r, e);
}
