#include "reading.h"

#include <stdlib.h>
#include <unistd.h>

#include "talk/key.h"
#include "tool.h"
#include "markdown/markdown.h"
#include "tty/pager.h"
#include "tty/style.h"
#include "tty/term.h"

void reading_choose_code(struct reading *r, const struct config *c)
{
	size_t n = c->highlighter ? json_object_array_length(c->highlighter) : 0;

	r->words = n ? calloc(n + 1, sizeof(*r->words)) : NULL;
	for (size_t i = 0; r->words && i < n; i++)
		r->words[i] = json_object_get_string(json_object_array_get_idx(c->highlighter, i));
	r->highlight.command = r->words;
	r->highlight.environment = key_environment(c);
	if (r->highlight.environment && (r->words || !c->highlighter))
		r->code = &r->highlight;
}

void reading_open(struct reading *r, const struct config *c, bool paged)
{
	const char *pager = paged ? pager_command() : NULL;

	r->on = !c->plain && style_allowed(STDOUT_FILENO) && (!pager || pager_takes_styles(pager));
	if (r->on)
		reading_choose_code(r, c);
}

void reading_release(struct reading *r)
{
	highlight_release(&r->highlight);
	free(r->highlight.environment);
	free(r->words);
	*r = (struct reading)READING_INIT;
}

void reading_print(struct reading *r, FILE *f, const struct exchange *x)
{
	struct err missing = ERR_INIT;
	struct exchange head = *x;
	struct buf answer = BUF_INIT;

	r->on = r->on && markdown_text(&answer, x->answer, term_columns(STDOUT_FILENO), r->code,
	                               &missing) == 0;
	if (!r->on) {
		print_exchange(f, x, 0, at_terminal());
		return;
	}
	head.answer = (struct span){ NULL, 0 };
	head.status = STATUS_COMPLETE;
	print_exchange(f, &head, 0, true);
	print_buf(f, &answer);
	print_mark(f, x, true);
}
