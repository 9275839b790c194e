#include "turn/messages.h"

#include <stdlib.h>

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

int messages_make(struct messages *m, const struct context *cx, struct err *e)
{
	size_t nparts = 1 + cx->prompt.nfiles;

	for (size_t i = 0; i < cx->n; i++)
		nparts += 2 + cx->turns[i].nfiles;
	*m = (struct messages)MESSAGES_INIT;
	m->list = calloc(2 * cx->n + 1, sizeof(*m->list));
	m->parts = calloc(nparts, sizeof(*m->parts));
	if (!m->list || !m->parts) {
		messages_release(m);
		return err_oom(e);
	}
	for (size_t i = 0; i < cx->n; i++) {
		add_query(m, &cx->turns[i]);
		begin_message(m, ROLE_ASSISTANT);
		add_part(m, (struct message_part){ MESSAGE_TEXT, .text = cx->turns[i].answer });
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
