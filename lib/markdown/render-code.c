#include "markdown/render-parts.h"

/* Code stands in the first column, wherever it is, so that it can be copied. */
/* The line with the fence: between what was told and it may be items that hold nothing. */
static size_t fence_line(const struct rendering *s, char c)
{
	size_t first = render_next_line(s);
	const char fence[] = { c, c, c, '\0' };

	for (size_t at = first, end; c && at < s->text.n; at = end) {
		end = render_end_of_line(s, at);
		if (memmem(s->text.p + at, end - at, fence, 3))
			return at;
	}
	return first;
}

void render_begin_code(struct rendering *s, const MD_BLOCK_CODE_DETAIL *d)
{
	size_t at = fence_line(s, d->fence_char);
	struct buf line = BUF_INIT;

	render_begin_block(s, at);
	render_flush_marker(s);
	s->in_code = true;
	s->fence = d->fence_char;
	s->line_source = render_source(s, at);
	if (!s->fence)
		return;
	buf_addf(&line, "%c%c%c", s->fence, s->fence, s->fence);
	render_add_attribute(&line, &d->info);
	/* If some of it was frozen, as what it then seemed to be, it is shown as a whole. */
	rows_begin(s->rows, render_source(s, render_at_once(s, at, render_end_of_line(s, at) - 1)));
	rows_style(s->rows, STYLE_DIM);
	rows_add_code(s->rows, buf_span(&line), 0, s->how->columns);
	rows_end(s->rows);
	buf_release(&line);
}

static void end_code_line(struct rendering *s)
{
	size_t from = s->how->from;
	size_t shown = from > s->line_source ? from - s->line_source + s->line_indent : 0;
	struct span line = buf_span(&s->line);
	bool glued = shown && shown < line.n; /* its beginning stands there, frozen */

	if (glued)
		line.p += shown, line.n -= shown;
	rows_begin(s->rows, glued ? from : s->line_source);
	rows_style(s->rows, STYLE_CODE);
	if (!s->fence && !glued) /* without one, it is its indentation that tells it from text */
		rows_add(s->rows, span_str("    "), 4);
	rows_add_code(s->rows, line, s->fence ? 0 : 4, s->how->columns);
	rows_end(s->rows);
	if (s->rows->n)
		s->rows->v[s->rows->n - 1].glued = glued;
	buf_clear(&s->line);
}

void render_add_code(struct rendering *s, struct span text)
{
	/* Before the line's text may be blanks of an indentation that are not in the source. */
	if (render_is_ours(s, text.p)) {
		s->line_source = render_source_now(s);
		s->line_indent = s->line.n;
	}
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\n')
			end_code_line(s);
		else
			buf_addc(&s->line, text.p[i]);
}

static bool is_fence_line(const struct rendering *s, size_t at)
{
	size_t n = 0;

	for (; at < s->text.n && s->text.p[at] != '\n'; at++) {
		n += s->text.p[at] == s->fence;
		if (s->text.p[at] != s->fence && !strchr(" \t>", s->text.p[at]))
			return false;
	}
	return n >= 3;
}

/* The end of a block is shown when it has come. */
void render_end_code(struct rendering *s)
{
	size_t at = render_next_line(s);
	const char fence[] = { s->fence, s->fence, s->fence, '\0' };

	if (s->line.n)
		end_code_line(s);
	s->in_code = false;
	if (!s->fence || at >= s->text.n || !is_fence_line(s, at))
		return;
	rows_add_row(s->rows, render_source(s, at), STYLE_DIM, span_str(fence));
	s->told = at;
}
