#include "reading.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/key.h"
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

/* The exchange with its answer elsewhere. */
static void print_without_answer(FILE *f, const struct exchange *x, size_t lines)
{
	struct exchange head = *x;

	head.answer = (struct span){ NULL, 0 };
	head.status = STATUS_COMPLETE;
	print_exchange(f, &head, lines, true);
}

void reading_print(struct reading *r, FILE *f, const struct exchange *x)
{
	struct err missing = ERR_INIT;
	struct buf answer = BUF_INIT;

	r->on = r->on && markdown_text(&answer, x->answer, term_columns(STDOUT_FILENO), r->code,
	                               &missing) == 0;
	if (!r->on) {
		print_exchange(f, x, 0, at_terminal());
		return;
	}
	print_without_answer(f, x, 0);
	print_buf(f, &answer);
	print_mark(f, x, true);
}

static struct span first_lines(struct span text, size_t lines)
{
	size_t at = 0;

	for (; lines && at < text.n; lines--) {
		const char *newline = memchr(text.p + at, '\n', text.n - at);

		at = newline ? (size_t)(newline + 1 - text.p) : text.n;
	}
	return (struct span){ text.p, at };
}

void reading_print_first(const struct exchange *x, size_t lines, bool plain)
{
	struct span source = first_lines(x->answer, lines), shown;
	struct buf answer = BUF_INIT;
	struct err missing = ERR_INIT;
	bool more;

	if (plain || !style_allowed(STDERR_FILENO) ||
	    markdown_text(&answer, source, term_columns(STDERR_FILENO), NULL, &missing) < 0) {
		print_exchange(stderr, x, lines, true);
		return;
	}
	shown = first_lines(buf_span(&answer), lines); /* each of them ends without a style */
	more = source.n < x->answer.n || shown.n < answer.n;
	answer.n = shown.n;
	if (more)
		buf_adds(&answer, "…\n");
	print_without_answer(stderr, x, lines);
	print_buf(stderr, &answer);
	print_mark(stderr, x, true);
}
