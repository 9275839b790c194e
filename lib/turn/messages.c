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

/* NULL: none, or not for this request. Items without the answer to which they belong are refused. */
static struct json_object *native_of(const struct exchange *x, const char *provider, struct span model)
{
	struct json_object *items = x ? json_member(x->native, "items") : NULL;

	if (!json_object_is_type(items, json_type_array) || x->left_out || utf8_is_blank(x->answer) ||
	    !span_eq(json_member_str(x->native, "provider"), provider) ||
	    !span_same(json_member_str(x->native, "model"), model))
		return NULL;
	return items;
}

static void add_answer(struct messages *m, struct span answer, struct json_object *native)
{
	begin_message(m, ROLE_ASSISTANT);
	if (native)
		add_part(m, (struct message_part){ MESSAGE_NATIVE, .native = native });
	add_part(m, (struct message_part){ MESSAGE_TEXT, .text = answer });
}

int messages_make(struct messages *m, const struct context *cx, const char *provider, struct span model,
                  struct err *e)
{
	bool whole = !cx->left_out && !cx->summed;
	size_t nparts = 1 + cx->prompt.nfiles;

	for (size_t i = 0; i < cx->n; i++)
		nparts += 3 + cx->turns[i].nfiles;
	*m = (struct messages)MESSAGES_INIT;
	m->list = calloc(2 * cx->n + 1, sizeof(*m->list));
	m->parts = calloc(nparts, sizeof(*m->parts));
	if (!m->list || !m->parts) {
		messages_release(m);
		return err_oom(e);
	}
	for (size_t i = 0; i < cx->n; i++) {
		add_query(m, &cx->turns[i]);
		add_answer(m, cx->turns[i].answer, whole && cx->of ? native_of(cx->of[i], provider, model) : NULL);
	}
	add_query(m, &cx->prompt);
	return 0;
}

void messages_release(struct messages *m)
{
	free(m->list);
	free(m->parts);
	*m = (struct messages)MESSAGES_INIT;
}
