#include "turn/messages.h"

#include <stdlib.h>

#include "base/utf8.h"

static void add_part(struct messages *m, struct message_part part)
{
	m->parts[m->nparts++] = part;
	m->list[m->n - 1].n++;
}

static void begin_message(struct messages *m, enum role role)
{
	m->list[m->n++] = (struct message){ role, m->parts + m->nparts, 0 };
}

static void add_query(struct messages *m, const struct context_turn *t)
{
	begin_message(m, ROLE_USER);
	for (size_t i = 0; i < t->nfiles; i++)
		add_part(m, (struct message_part){ MESSAGE_FILE, .file = t->files[i] });
	add_part(m, (struct message_part){ MESSAGE_TEXT, .text = t->query });
}

/* What it takes to decide whether native items are sent. */
struct asked {
	const char *provider;
	struct span model;
	bool same; /* the request has all that the items followed when they were made */
};

/* NULL: none, or not for this request. */
static struct json_object *native_of(const struct asked *a, struct json_object *native)
{
	return a->same ? native_items(native, a->provider, a->model) : NULL;
}

static void begin_answer(struct messages *m, struct json_object *native, struct span text)
{
	begin_message(m, ROLE_ASSISTANT);
	if (native)
		add_part(m, (struct message_part){ MESSAGE_NATIVE, .native = native });
	add_part(m, (struct message_part){ MESSAGE_TEXT, .text = text });
}

/* A call may have no result, as after a crash. Every provider demands one. */
static struct tool_result result_of(const struct step_node *s, size_t call, const struct attachment **files)
{
	const struct result *stored = conversation_result(s, call);
	const struct tool_call *c = &s->record.step.calls[call];
	struct tool_result t = { .call = c->id, .name = c->name, .failed = true,
		                 .output = span_str("It is not known whether this ran, and with what result.") };

	if (!stored)
		return t;
	t.failed = stored->status != RESULT_OK;
	t.output = stored->output;
	t.files = *files;
	t.nfiles = stored->nattachments;
	*files += stored->nattachments;
	return t;
}

static void add_step(struct messages *m, const struct asked *a, const struct step_node *s,
                     const struct attachment **files)
{
	const struct step *step = &s->record.step;

	if (!s->record.json) /* only results of it are there */
		return;
	begin_answer(m, native_of(a, step->native), step->text);
	for (size_t i = 0; i < step->ncalls; i++)
		add_part(m, (struct message_part){ MESSAGE_CALL, .call = step->calls[i] });
	if (!step->ncalls)
		return;
	begin_message(m, ROLE_TOOL);
	for (size_t i = 0; i < step->ncalls; i++)
		add_part(m, (struct message_part){ MESSAGE_RESULT, .result = result_of(s, i, files) });
}

static void add_steps(struct messages *m, const struct asked *a, const struct exchange_node *x,
                      const struct context_turn *t)
{
	const struct attachment *files = t->files ? t->files + t->nfiles : NULL;

	for (size_t k = 0; x && k < x->nsteps; k++)
		add_step(m, a, &x->steps[k], &files);
}

static void add_exchange(struct messages *m, struct asked a, const struct context *cx, size_t i)
{
	const struct exchange *x = cx->of ? cx->of[i] : NULL;
	struct json_object *native = NULL;

	add_query(m, &cx->turns[i]);
	a.same = a.same && x && !x->left_out;
	if (x && cx->nodes)
		add_steps(m, &a, cx->nodes[i], &cx->turns[i]);
	if (x && x->steps && utf8_is_blank(x->answer)) /* it ended before it had one */
		return;
	if (x && !utf8_is_blank(x->answer)) /* without the answer they are refused */
		native = native_of(&a, x->native);
	begin_answer(m, native, cx->turns[i].answer);
}

/* Its items follow what this request has, too. */
static void add_prompt(struct messages *m, struct asked a, const struct context *cx)
{
	add_query(m, &cx->prompt);
	a.same = true;
	add_steps(m, &a, cx->running, &cx->prompt);
}

static void count_steps(const struct exchange_node *x, size_t *n, size_t *nparts)
{
	for (size_t k = 0; x && k < x->nsteps; k++) {
		*n += 2;
		*nparts += 2 + 2 * conversation_calls(&x->steps[k]);
	}
}

static int make_room(struct messages *m, const struct context *cx, struct err *e)
{
	size_t n = 1, nparts = 1 + cx->prompt.nfiles;

	for (size_t i = 0; i < cx->n; i++) {
		n += 2;
		nparts += 3 + cx->turns[i].nfiles;
		count_steps(cx->nodes ? cx->nodes[i] : NULL, &n, &nparts);
	}
	count_steps(cx->running, &n, &nparts);
	*m = (struct messages)MESSAGES_INIT;
	m->list = calloc(n, sizeof(*m->list));
	m->parts = calloc(nparts, sizeof(*m->parts));
	if (m->list && m->parts)
		return 0;
	messages_release(m);
	return err_oom(e);
}

int messages_make(struct messages *m, const struct context *cx, const char *provider, struct span model,
                  struct err *e)
{
	const struct asked a = { provider, model, cx->native };

	if (make_room(m, cx, e) < 0)
		return -1;
	for (size_t i = 0; i < cx->n; i++)
		add_exchange(m, a, cx, i);
	add_prompt(m, a, cx);
	return 0;
}

void messages_release(struct messages *m)
{
	free(m->list);
	free(m->parts);
	*m = (struct messages)MESSAGES_INIT;
}
