#include "turn/tokens.h"

#include <inttypes.h>
#include <json-c/json_object_iterator.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "provider/provider.h"

/* ---- one text ---- */

#define FILE_MAX (INT64_C(1) << 30) /* bytes; none is that large that is sent */
#define EIGHTHS 8 /* of a token: what a character counts is given in these */
#define SIGN 4    /* eighths of a sign such as a comma */
#define MESSAGE 4 /* tokens around each message, call and result */

/* The characters of an alphabet come in frequent groups, signs hardly, and the rest one by one; so
 * do digits in most models (in OpenAI's up to three are one token). Counted at the first byte of
 * each. */
static unsigned weight(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c <= ' ')
		return 2;
	if (c >= '0' && c <= '9')
		return 8;
	if (c < 0x80)
		return 4;
	if (c < 0xc0)
		return 0;
	return c < 0xe0 ? 4 : c < 0xf0 ? 10 : 20;
}

static int64_t measure(struct span s)
{
	static unsigned char of[256]; /* filled once: most texts are short */
	int64_t sum = 0;

	if (!of[0])
		for (unsigned c = 0; c < 256; c++)
			of[c] = (unsigned char)weight((unsigned char)c);
	for (size_t i = 0; i < s.n; i++)
		sum += of[(unsigned char)s.p[i]];
	return sum;
}

int64_t tokens_estimate(struct span text)
{
	return (measure(text) + EIGHTHS - 1) / EIGHTHS;
}

/* As JSON without spaces; a number that is not whole counts as a long one. */
static int64_t measure_json(struct json_object *o)
{
	struct json_object_iterator at, end;
	int64_t sum = 2 * SIGN; /* what it stands between */
	char digits[32];

	switch (json_object_get_type(o)) {
	case json_type_string:
		return sum + measure((struct span){ json_object_get_string(o), (size_t)json_object_get_string_len(o) });
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(o); i++)
			sum += measure_json(json_object_array_get_idx(o, i)) + SIGN;
		return sum;
	case json_type_object:
		at = json_object_iter_begin(o);
		end = json_object_iter_end(o);
		for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
			sum += measure(span_str(json_object_iter_peek_name(&at))) +
			       measure_json(json_object_iter_peek_value(&at)) + 4 * SIGN;
		return sum;
	case json_type_int:
		snprintf(digits, sizeof(digits), "%" PRId64, json_object_get_int64(o));
		return measure(span_str(digits));
	case json_type_double:
		return 16 * EIGHTHS;
	default:
		return EIGHTHS;
	}
}

int64_t tokens_of_file(const struct attachment_ref *file)
{
	int64_t size = file->size < FILE_MAX ? file->size : FILE_MAX;

	if (span_eq(file->type, "text/plain"))
		return size / 3;
	if (span_eq(file->type, "application/pdf"))
		return 2500 + size / 20;
	return 1600;
}

int64_t tokens_of_files(const struct attachment_ref *files, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += tokens_of_file(&files[i]);
	return sum;
}

/* ---- one record ---- */

static struct measure measure_exchange(const struct exchange *x)
{
	return (struct measure){ true, measure(x->query), measure(x->answer),
		                 x->native ? measure_json(json_member(x->native, "items")) : 0 };
}

/* A call's id and name are sent again with its result. */
static struct measure measure_step(const struct step *s)
{
	struct measure m = { true, 0, measure(s->text),
		             s->native ? measure_json(json_member(s->native, "items")) : 0 };

	for (size_t i = 0; i < s->ncalls; i++)
		m.reply += 2 * (measure(s->calls[i].id) + measure(s->calls[i].name)) + measure_json(s->calls[i].arguments);
	return m;
}

static const struct measure *measure_record(struct record *r)
{
	if (r->measure.known)
		return &r->measure;
	r->measure = (struct measure){ .known = true };
	if (r->type == RECORD_EXCHANGE)
		r->measure = measure_exchange(&r->exchange);
	else if (r->type == RECORD_STEP)
		r->measure = measure_step(&r->step);
	else if (r->type == RECORD_RESULT)
		r->measure.prompt = measure(r->result.output);
	return &r->measure;
}

/* Of the messages that it is sent as, and its files. */
static int64_t tokens_beside(const struct record *r)
{
	switch (r->type) {
	case RECORD_EXCHANGE:
		return 2 * MESSAGE + tokens_of_files(r->exchange.attachments, r->exchange.nattachments);
	case RECORD_STEP:
		return MESSAGE * (1 + (int64_t)r->step.ncalls);
	case RECORD_RESULT:
		return MESSAGE + tokens_of_files(r->result.attachments, r->result.nattachments);
	default:
		return 0;
	}
}

int64_t tokens_of_record(struct record *r)
{
	const struct measure *m;

	if (r->type == RECORD_EXCHANGE && !exchange_counts(&r->exchange))
		return -1;
	m = measure_record(r);
	return (m->prompt + m->reply + EIGHTHS - 1) / EIGHTHS + tokens_beside(r);
}

int64_t tokens_most(int64_t limit)
{
	return limit / 8;
}

/* ---- a conversation ---- */

#define UNKNOWN (-1)
#define RATIO_ONE 1024
#define FIGURE_MAX UINT32_MAX /* so that no sum of them overflows */
#define ENOUGH 64        /* tokens that must have been compared */

/* An exchange that counts. */
struct sight {
	int64_t query, answer, steps; /* estimated, in eighths; the last one with the results */
	int64_t native;               /* the same; 0 where none are sent */
	int64_t files, beside;        /* estimated: those of the query, and what is beside the steps */
	int64_t input, output, asked; /* as the figures have it: of the request, the answer, and
	                               * from these the prompt; or UNKNOWN */
};

static int64_t with_margin(int64_t tokens)
{
	return tokens + tokens / 8;
}

static int64_t adjusted(const struct tally *t, int64_t eighths)
{
	return (eighths * t->ratio / RATIO_ONE + EIGHTHS - 1) / EIGHTHS;
}

static int64_t text_tokens(const struct tally *t, int64_t eighths)
{
	return with_margin(adjusted(t, eighths)) + MESSAGE;
}

int64_t tally_text(const struct tally *t, struct span text)
{
	return text_tokens(t, measure(text));
}

/* No tokens are that long: some servers count something else, or nothing. */
static bool is_likely(int64_t tokens, int64_t eighths)
{
	return tokens > 0 && tokens <= FIGURE_MAX && tokens >= eighths / EIGHTHS / 8;
}

/* The answer's own part of the output. */
static int64_t answered(const struct exchange *x)
{
	if (x->status != STATUS_COMPLETE || x->usage.output <= 0)
		return UNKNOWN;
	if (x->usage.reasoning >= 0)
		return x->usage.output - x->usage.reasoning;
	return x->reasoning.n ? UNKNOWN : x->usage.output;
}

/* Who is to be asked. */
struct asked {
	const char *provider; /* NULL: native items are not sent */
	struct span model;
};

static int64_t sent_native(const struct asked *a, struct json_object *native, const struct measure *m)
{
	return m->native && a->provider && native_items(native, a->provider, a->model) ? m->native : 0;
}

#define NO_RESULT 160 /* eighths of the words that a call without a result is answered with */

/* The steps that are there, and the results of their calls. */
static bool see_steps(struct sight *s, const struct asked *a, const struct exchange_node *node)
{
	bool any = false;

	for (size_t i = 0; i < node->nsteps; i++) {
		struct step_node *n = &node->steps[i];
		const struct step *step = &n->record.step;
		const struct measure *m;

		if (!n->record.json)
			continue;
		any = true;
		m = measure_record(&n->record);
		s->steps += m->reply;
		s->beside += tokens_beside(&n->record);
		s->native += sent_native(a, step->native, m);
		for (size_t k = 0; k < step->ncalls; k++) {
			struct result_node *r = conversation_find_result(n, step->calls[k].id);
			bool found = r && r->record.json;

			s->steps += found ? measure_record(&r->record)->prompt : NO_RESULT;
			s->beside += found ? tokens_beside(&r->record) : MESSAGE;
		}
	}
	return any;
}

/* `sent` are the eighths of all that the request had, if nothing was left out. `node` has the exchange's
 * steps; NULL: none are sent. The figures of an exchange with steps are sums of several requests, and
 * tell nothing of one. */
static void see_exchange(struct sight *s, const struct asked *a, const struct exchange *x,
                         struct exchange_node *node, int64_t *sent)
{
	const struct measure m = node ? *measure_record(&node->record) : measure_exchange(x);
	bool steps = x->steps > 0;

	*s = (struct sight){ .query = m.prompt, .answer = m.reply, .input = UNKNOWN, .output = UNKNOWN, .asked = UNKNOWN,
		             .files = tokens_of_files(x->attachments, x->nattachments) };
	if (!utf8_is_blank(x->answer)) /* without the answer they are refused */
		s->native = sent_native(a, x->native, &m);
	if (node)
		steps |= see_steps(s, a, node);
	if (x->left_out) /* native items are sent only after all that they followed */
		s->native = 0;
	*sent += s->query;
	if (span_same(x->model, a->model) && !steps) {
		s->output = answered(x);
		if (!x->left_out && is_likely(x->usage.input, *sent))
			s->input = x->usage.input;
	}
	if (!is_likely(s->output, s->answer))
		s->output = UNKNOWN;
	*sent += s->steps + s->answer;
}

static void follow(struct sight *s, const struct sight *before)
{
	if (s->input == UNKNOWN || before->input == UNKNOWN || before->output == UNKNOWN)
		return;
	s->asked = s->input - before->input - before->output - before->native / EIGHTHS;
	if (!is_likely(s->asked, s->query))
		s->asked = UNKNOWN;
}

/* Files make more of a prompt than its text is: that says nothing of texts. */
static void compare(int64_t tokens, int64_t eighths, int64_t *seen, int64_t *estimated)
{
	if (tokens == UNKNOWN || tokens > 4 * (eighths / EIGHTHS + MESSAGE))
		return;
	*seen += tokens;
	*estimated += eighths;
}

static int64_t find_ratio(const struct sight *sights, size_t n)
{
	int64_t seen = 0, estimated = 0, ratio;

	for (size_t i = 0; i < n; i++) {
		compare(sights[i].output, sights[i].answer, &seen, &estimated);
		compare(sights[i].asked, sights[i].query, &seen, &estimated);
	}
	if (estimated / EIGHTHS < ENOUGH)
		return RATIO_ONE;
	ratio = seen * EIGHTHS * RATIO_ONE / estimated;
	return ratio < RATIO_ONE / 2 ? RATIO_ONE / 2 : ratio > RATIO_ONE * 4 ? RATIO_ONE * 4 : ratio;
}

/* A part, by its figure or else estimated. The sum without margins goes to *plain. */
static int64_t part(const struct tally *t, int64_t figure, int64_t eighths, int64_t more,
                    int64_t *plain)
{
	int64_t tokens = figure != UNKNOWN ? figure : adjusted(t, eighths) + MESSAGE + more;

	*plain += tokens;
	return figure != UNKNOWN ? figure : with_margin(tokens);
}

/* What the first request had more than it was thought to is what its files are, if it has
 * any; or else every request has it. */
static void see_first(struct sight *first, int64_t system)
{
	if (first->files && first->input != UNKNOWN && first->input - system > 0)
		first->asked = first->input - system;
}

/* Steps and results, of which no figure tells. */
static int64_t between(const struct tally *t, const struct sight *s, int64_t *plain)
{
	int64_t tokens = adjusted(t, s->steps) + s->beside;

	*plain += tokens;
	return with_margin(tokens);
}

int64_t tally_steps(const struct tally *t, const struct exchange_node *node, const char *provider,
                    struct span model, int64_t *words)
{
	const struct asked asked = { provider, model };
	struct sight s = { .steps = 0 };
	int64_t plain = 0;

	see_steps(&s, &asked, node);
	*words = with_margin(adjusted(t, s.steps));
	return between(t, &s, &plain) + with_margin(adjusted(t, s.native));
}

/* What the latest request that had everything says of them all. */
static void add_up(struct tally *t, struct sight *sights)
{
	int64_t plain = 0;

	if (t->n)
		see_first(&sights[0], t->system);
	t->whole = t->base = t->system;
	for (size_t i = 0; i < t->n; i++) {
		const struct sight *s = &sights[i];
		int64_t rest, native;

		t->cost[i] = part(t, s->asked, s->query, s->files, &plain);
		if (s->input != UNKNOWN) {
			t->base = s->input - plain > t->system ? s->input - plain : t->system;
			t->whole = s->input;
		} else {
			t->whole += t->cost[i];
		}
		t->between[i] = between(t, s, &plain);
		rest = t->between[i] + part(t, s->output, s->answer, 0, &plain);
		t->cost[i] += rest;
		native = adjusted(t, s->native);
		t->native += native;
		t->with_native += native > 0;
		plain += native;
		t->whole += rest + with_margin(native);
	}
}

static void add_counting(struct tally *t, const struct exchange *x, size_t place)
{
	if (!exchange_counts(x))
		return;
	t->exchange[t->n] = x;
	t->place[t->n++] = place;
}

/* The sum of all its records, as when they are read backwards. */
static int64_t weigh(struct exchange_node *x)
{
	int64_t sum = tokens_of_record(&x->record);

	for (size_t i = 0; i < x->nsteps; i++) {
		sum += x->steps[i].record.json ? tokens_of_record(&x->steps[i].record) : 0;
		for (size_t k = 0; k < x->steps[i].nresults; k++)
			sum += tokens_of_record(&x->steps[i].results[k].record);
	}
	return sum;
}

/* Where the newest exchanges begin that have so many tokens. */
static size_t find_newest(const struct conversation *c, size_t n, int64_t limit)
{
	int64_t left = limit, most = tokens_most(limit);

	while (n && left > 0)
		if (exchange_counts(conversation_exchange(c, --n))) {
			int64_t tokens = weigh(c->path[n]);

			left -= tokens < most ? tokens : most;
		}
	return n;
}

static void skip(struct tally *t, const struct conversation *c, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		t->skipped += exchange_counts(conversation_exchange(c, i));
		t->skipped_incomplete += exchange_counts(conversation_exchange(c, i)) &&
		                         c->path[i]->status != STATUS_COMPLETE;
	}
}

static void find_counting(struct tally *t, const struct conversation *c, size_t n, int64_t limit)
{
	t->from = limit == INT64_MAX ? 0 : find_newest(c, n, limit);
	if (c->first) {
		add_counting(t, c->first, NO_PLACE);
		t->skipped = (size_t)c->unread - (c->first->status == STATUS_COMPLETE);
		skip(t, c, 0, t->from);
	} else if (t->from) {
		add_counting(t, conversation_exchange(c, 0), 0);
		skip(t, c, 1, t->from);
	}
	t->gap = t->n;
	for (size_t i = t->from; i < n; i++)
		add_counting(t, conversation_exchange(c, i), i);
}

int tally_make(struct tally *t, const struct conversation *c, size_t n, int64_t limit,
               const char *provider, struct span model, struct span system, struct err *e)
{
	const struct asked asked = { provider, model };
	struct sight *sights = calloc(n + 2, sizeof(*sights));
	int64_t own = measure(system), sent = own;

	*t = (struct tally){ .ratio = RATIO_ONE };
	t->exchange = calloc(n + 2, sizeof(*t->exchange));
	t->place = calloc(n + 2, sizeof(*t->place));
	t->cost = calloc(n + 2, sizeof(*t->cost));
	t->between = calloc(n + 2, sizeof(*t->between));
	if (!sights || !t->exchange || !t->place || !t->cost || !t->between) {
		free(sights);
		tally_release(t);
		return err_oom(e);
	}
	find_counting(t, c, n, limit);
	for (size_t i = 0; i < t->n; i++) {
		see_exchange(&sights[i], &asked, t->exchange[i], t->place[i] != NO_PLACE ? c->path[t->place[i]] : NULL, &sent);
		if (t->skipped && i >= t->gap) /* what was sent before is not known */
			sights[i].input = UNKNOWN;
		else if (i)
			follow(&sights[i], &sights[i - 1]);
	}
	t->ratio = find_ratio(sights, t->n);
	t->system = text_tokens(t, own);
	add_up(t, sights);
	free(sights);
	return 0;
}

void tally_release(struct tally *t)
{
	free(t->exchange);
	free(t->place);
	free(t->cost);
	free(t->between);
	*t = (struct tally){ .ratio = RATIO_ONE };
}
