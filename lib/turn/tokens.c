#include "turn/tokens.h"

#include <stdlib.h>

#include "provider/provider.h"

/* ---- one text ---- */

#define FILE_MAX (INT64_C(1) << 30) /* bytes; none is that large that is sent */
#define EIGHTHS 8 /* of a token: what a character counts is given in these */

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

int64_t tokens_of_exchange(const struct exchange *x, int64_t limit)
{
	int64_t tokens = tokens_estimate(x->query) + tokens_estimate(x->answer), most = limit / 8;

	return tokens < most ? tokens : most;
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

static int64_t tokens_of_files(const struct exchange *x)
{
	int64_t sum = 0;

	for (size_t i = 0; i < x->nattachments; i++)
		sum += tokens_of_file(&x->attachments[i]);
	return sum;
}

/* ---- a conversation ---- */

#define UNKNOWN (-1)
#define MESSAGE 4        /* tokens around each message */
#define RATIO_ONE 1024
#define FIGURE_MAX UINT32_MAX /* so that no sum of them overflows */
#define ENOUGH 64        /* tokens that must have been compared */

/* An exchange that counts. */
struct sight {
	int64_t query, answer;        /* estimated, in eighths */
	int64_t files;                /* estimated */
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

int64_t tally_text(const struct tally *t, struct span text)
{
	return with_margin(adjusted(t, measure(text))) + MESSAGE;
}

int64_t tally_prompt(const struct tally *t, const struct exchange *x)
{
	return tally_text(t, x->query) + tokens_of_files(x);
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

/* `sent` are the eighths of all that the request had, if nothing was left out. The figures of an exchange
 * with steps are sums of several requests, and tell nothing of one. */
static void see_exchange(struct sight *s, const struct exchange *x, struct span model,
                         int64_t *sent)
{
	*s = (struct sight){ measure(x->query), measure(x->answer), tokens_of_files(x), UNKNOWN, UNKNOWN,
		             UNKNOWN };
	*sent += s->query;
	if (span_same(x->model, model) && !x->steps) {
		s->output = answered(x);
		if (!x->left_out && is_likely(x->usage.input, *sent))
			s->input = x->usage.input;
	}
	if (!is_likely(s->output, s->answer))
		s->output = UNKNOWN;
	*sent += s->answer;
}

static void follow(struct sight *s, const struct sight *before)
{
	if (s->input == UNKNOWN || before->input == UNKNOWN || before->output == UNKNOWN)
		return;
	s->asked = s->input - before->input - before->output;
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

/* What the latest request that had everything says of them all. */
static void add_up(struct tally *t, struct sight *sights)
{
	int64_t plain = 0;

	if (t->n)
		see_first(&sights[0], t->system);
	t->whole = t->base = t->system;
	for (size_t i = 0; i < t->n; i++) {
		const struct sight *s = &sights[i];
		int64_t answer;

		t->cost[i] = part(t, s->asked, s->query, s->files, &plain);
		if (s->input != UNKNOWN) {
			t->base = s->input - plain > t->system ? s->input - plain : t->system;
			t->whole = s->input;
		} else {
			t->whole += t->cost[i];
		}
		answer = part(t, s->output, s->answer, 0, &plain);
		t->cost[i] += answer;
		t->whole += answer;
	}
}

static void add_counting(struct tally *t, const struct exchange *x, size_t place)
{
	if (!exchange_counts(x))
		return;
	t->exchange[t->n] = x;
	t->place[t->n++] = place;
}

/* Where the newest exchanges begin that have so many tokens. */
static size_t find_newest(const struct conversation *c, size_t n, int64_t limit)
{
	int64_t left = limit;

	while (n && left > 0)
		if (exchange_counts(conversation_exchange(c, --n)))
			left -= tokens_of_exchange(conversation_exchange(c, n), limit);
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
               struct span model, struct span system, struct err *e)
{
	struct sight *sights = calloc(n + 2, sizeof(*sights));
	int64_t sent = measure(system);

	*t = (struct tally){ .ratio = RATIO_ONE };
	t->exchange = calloc(n + 2, sizeof(*t->exchange));
	t->place = calloc(n + 2, sizeof(*t->place));
	t->cost = calloc(n + 2, sizeof(*t->cost));
	if (!sights || !t->exchange || !t->place || !t->cost) {
		free(sights);
		tally_release(t);
		return err_oom(e);
	}
	find_counting(t, c, n, limit);
	for (size_t i = 0; i < t->n; i++) {
		see_exchange(&sights[i], t->exchange[i], model, &sent);
		if (t->skipped) /* what was sent before is not known */
			sights[i].input = UNKNOWN;
		else if (i)
			follow(&sights[i], &sights[i - 1]);
	}
	t->ratio = find_ratio(sights, t->n);
	t->system = tally_text(t, system);
	add_up(t, sights);
	free(sights);
	return 0;
}

void tally_release(struct tally *t)
{
	free(t->exchange);
	free(t->place);
	free(t->cost);
	*t = (struct tally){ .ratio = RATIO_ONE };
}
