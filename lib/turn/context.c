#include "turn/context.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/json-scan.h"
#include "base/utf8.h"
#include "client/models.h"

#define GAP 12      /* tokens of the words that say that some are left out */
#define SUMMARY 48  /* of those around a summary */

/* While it is decided. The exchanges that count are numbered as in the tally. */
struct choice {
	const struct context_ask *ask;
	struct tally tally;
	bool *taken;
	const struct summary *available; /* a summary; NULL: none */
	size_t covered; /* exchanges of the path that it stands for */
	bool summary;  /* it is sent */
	bool native;   /* so are native items */
	bool shortened; /* the first exchange is sent without its steps, if it is */
	bool no_first; /* it is nothing without them */
	size_t first;  /* that it does not stand for */
	int64_t limit; /* tokens of the request */
	int64_t used;
};

struct window context_window(const struct endpoint *ep, const char *model, int64_t given)
{
	int64_t own = models_window(ep, model);

	return (struct window){ given ? given : ep->context ? ep->context : own, own };
}

int64_t context_reply(int64_t window)
{
	return window / 4 < CONTEXT_REPLY ? window / 4 : CONTEXT_REPLY;
}

int64_t context_reply_of(const struct params *p)
{
	struct span value = params_get(p, "max_tokens");
	int64_t n = 0;

	return value.p && json_scan_int(value, &n) && n > 0 ? n : 0;
}

int64_t context_room(const struct window *w, int64_t tokens)
{
	int64_t own = w->own;

	if (own && w->limit > own)
		own = w->limit; /* the user knows better */
	return own > tokens ? own - tokens : 0;
}

static int64_t limit_of(int64_t window, int64_t reply)
{
	return window ? window - (reply ? reply : context_reply(window)) : INT64_MAX;
}

int64_t context_limit(const struct context_ask *ask)
{
	return limit_of(ask->window, ask->reply);
}

/* Windows' worth of tokens of the newest exchanges to look at: estimates may be twice the truth. */
#define LOOK_BACK 2

static int64_t look_back(int64_t window, int64_t reply)
{
	int64_t limit = limit_of(window, reply);

	return limit < INT64_MAX / LOOK_BACK ? LOOK_BACK * limit : INT64_MAX;
}

const struct history_want *context_want(struct history_want *w, int64_t window, int64_t reply)
{
	int64_t limit = look_back(window, reply);

	if (!window)
		return NULL;
	*w = (struct history_want){ .weigh = tokens_of_record, .limit = limit, .most = tokens_most(limit) };
	return w;
}

/* ---- what does not fit ---- */

static int no_room(const struct choice *ch, struct err *e)
{
	const struct context_ask *ask = ch->ask;

	return err_set(e, ERR_USAGE, "the reply may take %" PRId64 " tokens, and the window has %" PRId64
	               " in all: lower max_tokens, or say with --context what the window is",
	               ask->window - ch->limit, ask->window);
}

static int too_long(const struct choice *ch, int64_t tokens, struct err *e)
{
	const struct context_ask *ask = ch->ask;

	if (ask->running && ask->running->nsteps)
		return err_set(e, ERR_FAILED, "the tool calls of this turn do not fit into the window: with the prompt "
		               "they have about %" PRId64 " tokens, and of the window of %" PRId64 " tokens, %" PRId64
		               " are kept for the reply; --context says what the window is", tokens, ask->window,
		               ask->window - ch->limit);
	return err_set(e, ERR_USAGE, "the prompt is too long by about %" PRId64 " tokens: with the system "
	               "prompt it has about %" PRId64 ", and of the window of %" PRId64 " tokens, %" PRId64
	               " are kept for the reply; shorten it, or say with --context what the window is",
	               tokens - ch->limit, tokens, ask->window, ask->window - ch->limit);
}

/* ---- the choice ---- */

static bool take(struct choice *ch, size_t i, int64_t limit, int64_t more)
{
	if (ch->taken[i])
		return true;
	if ((i == 0 && ch->no_first) || ch->used + ch->tally.cost[i] + more > limit)
		return false;
	ch->taken[i] = true;
	ch->used += ch->tally.cost[i] + more;
	return true;
}

static void take_newest(struct choice *ch)
{
	int64_t most = ch->limit - (ch->limit - ch->used) / 4;
	size_t i = ch->tally.n;

	if (i > ch->first && take(ch, i - 1, ch->limit, 0))
		for (i--; i > ch->first && take(ch, i - 1, most, 0); i--)
			;
}

/* Of the rest, the newest that fit. */
static void take_rest(struct choice *ch)
{
	for (size_t i = ch->tally.n; i-- > ch->first;)
		take(ch, i, ch->limit, i + 1 < ch->tally.n && ch->taken[i + 1] ? 0 : GAP);
}

/* Whether there is a summary that stands for the exchange. */
static bool is_covered(const struct choice *ch, size_t i)
{
	size_t place = ch->tally.place[i];

	return ch->available && (place == NO_PLACE || place < ch->covered);
}

/* Takes the summary if it leaves room for the last exchange, or half of the room at least. */
static void take_summary(struct choice *ch)
{
	int64_t room = ch->limit - ch->used, cost, last;

	if (!ch->tally.n || !is_covered(ch, 0))
		return;
	cost = tally_text(&ch->tally, ch->available->text) + SUMMARY;
	last = ch->tally.cost[ch->tally.n - 1];
	if (cost > room / 2 && cost + last > room)
		return;
	ch->summary = true;
	ch->used += cost;
	while (ch->first < ch->tally.n && is_covered(ch, ch->first))
		ch->first++;
}

/* Without its steps, a turn that was interrupted before its answer would be a prompt and nothing else. */
static bool needs_steps(const struct tally *t)
{
	return t->n && (t->exchange[0]->steps || t->between[0]) && utf8_is_blank(t->exchange[0]->answer);
}

/* What the user wanted at first is worth its room, but hardly how it was done. */
static void take_first(struct choice *ch)
{
	struct tally *t = &ch->tally;

	if (!t->n || ch->taken[0])
		return;
	ch->no_first = needs_steps(t);
	t->cost[0] -= t->between[0];
	ch->shortened = true;
	take(ch, 0, ch->limit, GAP);
}

static void choose_some(struct choice *ch)
{
	ch->used += GAP;
	take_summary(ch);
	take_newest(ch);
	if (!ch->summary)
		take_first(ch);
	take_rest(ch);
}

static void choose_all(struct choice *ch)
{
	for (size_t i = ch->first; i < ch->tally.n; i++)
		ch->taken[i] = true;
}

/* The tokens of the prompt's files that are text. */
static int64_t text_files(const struct exchange *x)
{
	int64_t sum = 0;

	for (size_t i = 0; i < x->nattachments; i++)
		if (span_eq(x->attachments[i].type, "text/plain"))
			sum += tokens_of_file(&x->attachments[i]);
	return sum;
}

/* Whether all of it fits, at least without the native items. */
static bool fits(struct choice *ch, int64_t prompt)
{
	const struct tally *t = &ch->tally;
	int64_t sum = t->base + prompt;

	if (t->skipped || ch->no_first)
		return false;
	ch->native = t->whole + prompt <= ch->limit;
	ch->used = t->whole + prompt;
	if (ch->native || !t->native)
		return ch->native;
	for (size_t i = 0; i < t->n; i++)
		sum += t->cost[i];
	ch->used = sum;
	return sum <= ch->limit;
}

static int choose(struct choice *ch, struct err *e)
{
	const struct context_ask *ask = ch->ask;
	const struct tally *t = &ch->tally;
	const struct exchange *asked = ask->prompt;
	int64_t text = tally_text(t, asked->query), prompt = text + tokens_of_files(asked->attachments, asked->nattachments);
	int64_t alone = t->system + text + text_files(asked) + (t->n ? GAP : 0), said;

	if (ask->running) {
		prompt += tally_steps(t, ask->running, ask->provider, ask->model, &said);
		alone += said;
	}
	ch->no_first = needs_steps(t) && t->place[0] == NO_PLACE;
	ch->limit = context_limit(ask);
	if (ch->limit <= 0)
		return no_room(ch, e);
	if (ask->window && fits(ch, prompt)) {
		choose_all(ch);
		return 0;
	}
	ch->used = t->base + prompt;
	/* What the provider adds, and what pictures come to, is a guess: only words are a reason to refuse. */
	if (ask->window && alone > ch->limit)
		return too_long(ch, alone, e);
	if (ask->window) {
		choose_some(ch);
		return 0;
	}
	take_summary(ch);
	choose_all(ch);
	ch->native = !ch->summary;
	if (!ch->summary)
		ch->used = t->whole + prompt;
	return 0;
}

/* ---- the request's words ---- */

/* Adds the query behind the words that say what is missing before it. */
static void add_after_gap(struct buf *b, size_t missing, struct span query)
{
	buf_addf(b, "[%zu exchange%s left out]\n\n", missing, missing == 1 ? "" : "s");
	buf_add(b, query.p, query.n);
}

static void add_summary(struct buf *b, size_t summed, struct span text)
{
	buf_addf(b, "What we have said so far is left out here. This is a summary of it, of %zu "
	         "exchange%s:\n\n", summed, summed == 1 ? "" : "s");
	buf_add(b, text.p, text.n);
}

/* Spans into a buffer that grows are made when it has. */
static void point(struct span *s, const struct buf *b, size_t *at)
{
	if (!s->p)
		s->p = b->p + *at;
	else
		return;
	*at += s->n;
}

static struct span put_query(struct context *cx, size_t *missing, struct span query)
{
	size_t before = cx->text.n;

	if (!*missing)
		return query;
	cx->left_out += *missing;
	add_after_gap(&cx->text, *missing, query);
	*missing = 0;
	return (struct span){ NULL, cx->text.n - before };
}

static bool is_incomplete(const struct choice *ch, size_t i)
{
	return ch->tally.exchange[i]->status != STATUS_COMPLETE;
}

/* Exchanges that were not looked at, and that the summary stands for. */
struct skipped {
	size_t n, incomplete;
};

static struct skipped count_skipped_summed(const struct choice *ch)
{
	const struct conversation *c = ch->ask->conversation;
	const struct tally *t = &ch->tally;
	struct skipped s = { 0, 0 };

	if (!ch->summary || !t->skipped)
		return s;
	if (ch->first > t->gap || (t->gap < t->n && is_covered(ch, t->gap)))
		return (struct skipped){ t->skipped, t->skipped_incomplete };
	if (c->first) {
		s.n = (size_t)c->unread_summed;
		s.n -= s.n && c->first->status == STATUS_COMPLETE;
	}
	for (size_t i = c->first ? 0 : 1; i < ch->covered && i < t->from; i++)
		if (exchange_counts(conversation_exchange(c, i))) {
			s.n++;
			s.incomplete += c->path[i]->status != STATUS_COMPLETE;
		}
	return s;
}

static void put_summary(struct context *cx, const struct choice *ch)
{
	struct skipped s = count_skipped_summed(ch);

	cx->summed = ch->first + s.n;
	cx->incomplete.summed = s.incomplete;
	for (size_t i = 0; i < ch->first; i++)
		cx->incomplete.summed += is_incomplete(ch, i);
	add_summary(&cx->text, cx->summed, ch->available->text);
	cx->turns[0].query = (struct span){ NULL, cx->text.n };
	cx->turns[0].answer = span_str("I have read it, and go on from there.");
	cx->n = 1;
}

static int build(struct context *cx, const struct choice *ch, struct err *e)
{
	const struct tally *t = &ch->tally;
	const struct skipped summed = count_skipped_summed(ch);
	size_t missing = 0, at = 0;

	cx->turns = calloc(ch->tally.n + 1, sizeof(*cx->turns));
	cx->of = calloc(ch->tally.n + 1, sizeof(*cx->of));
	cx->nodes = calloc(ch->tally.n + 1, sizeof(*cx->nodes));
	if (!cx->turns || !cx->of || !cx->nodes)
		return err_oom(e);
	if (ch->summary)
		put_summary(cx, ch);
	for (size_t i = ch->first; i < t->n; i++) {
		const struct exchange *x = t->exchange[i];

		if (i == t->gap)
			missing += t->skipped - summed.n;
		if (!ch->taken[i]) {
			missing++;
			cx->incomplete.left_out += is_incomplete(ch, i);
			continue;
		}
		cx->of[cx->n] = x;
		if (t->place[i] != NO_PLACE && !(i == 0 && ch->shortened))
			cx->nodes[cx->n] = ch->ask->conversation->path[t->place[i]];
		else
			cx->shortened = x->steps > 0 || t->between[i];
		cx->turns[cx->n].query = put_query(cx, &missing, x->query);
		cx->turns[cx->n++].answer = x->answer;
	}
	if (t->gap == t->n)
		missing += t->skipped - summed.n;
	cx->prompt.query = put_query(cx, &missing, ch->ask->prompt->query);
	cx->running = ch->ask->running;
	if (buf_check(&cx->text, e) < 0)
		return -1;
	for (size_t i = 0; i < cx->n; i++)
		point(&cx->turns[i].query, &cx->text, &at);
	point(&cx->prompt.query, &cx->text, &at);
	cx->counting = t->n + t->skipped;
	cx->incomplete.counting = t->skipped_incomplete;
	cx->incomplete.left_out += t->skipped_incomplete - summed.incomplete;
	for (size_t i = 0; i < t->n; i++)
		cx->incomplete.counting += is_incomplete(ch, i);
	cx->tokens = ch->used;
	cx->native = ch->native && ch->ask->provider;
	cx->reduced = cx->left_out + cx->summed + cx->shortened;
	if (!cx->reduced && !ch->native)
		cx->reduced = t->with_native;
	return 0;
}

int context_make(struct context *cx, const struct context_ask *ask, struct err *e)
{
	struct choice ch = { .ask = ask };
	int r;

	*cx = (struct context){ .text = BUF_INIT };
	ch.available = conversation_summary(ask->conversation, ask->n, &ch.covered);
	if (tally_make(&ch.tally, ask->conversation, ask->n, look_back(ask->window, ask->reply), ask->provider, ask->model,
	               ask->system, e) < 0)
		return -1;
	ch.taken = calloc(ch.tally.n + 1, sizeof(*ch.taken));
	r = ch.taken ? choose(&ch, e) : err_oom(e);
	if (r == 0)
		r = build(cx, &ch, e);
	free(ch.taken);
	tally_release(&ch.tally);
	if (r < 0)
		context_release(cx);
	return r;
}

void context_release(struct context *cx)
{
	free(cx->turns);
	free(cx->of);
	free(cx->nodes);
	buf_release(&cx->text);
	*cx = (struct context){ .text = BUF_INIT };
}
