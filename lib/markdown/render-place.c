#include "markdown/render-parts.h"

bool render_is_ours(const struct rendering *s, const char *p)
{
	return p >= s->text.p && p < s->text.p + s->text.n;
}

size_t render_source(const struct rendering *s, size_t at)
{
	if (at >= s->head)
		return at - s->added;
	return s->part->head.n ? 0 : at;
}

size_t render_source_now(const struct rendering *s)
{
	return s->told == RENDER_NONE ? 0 : render_source(s, s->told);
}

size_t render_at_once(const struct rendering *s, size_t start, size_t end)
{
	size_t from = s->how->from + (start - render_source(s, start));

	return s->how->from && from > start && from <= end ? from : start;
}

size_t render_line_now(const struct rendering *s)
{
	size_t at = s->told == RENDER_NONE ? 0 : s->told;

	while (at && s->text.p[at - 1] != '\n')
		at--;
	return render_source(s, render_at_once(s, at, render_end_of_line(s, at) - 1));
}

size_t render_end_of_line(const struct rendering *s, size_t at)
{
	const char *end = at < s->text.n ? memchr(s->text.p + at, '\n', s->text.n - at) : NULL;

	return end ? (size_t)(end + 1 - s->text.p) : s->text.n;
}

static bool is_blank(const struct rendering *s, size_t at)
{
	for (; at < s->text.n && s->text.p[at] != '\n'; at++)
		if (!strchr(" \t>", s->text.p[at]))
			return false;
	return true;
}

size_t render_next_line(const struct rendering *s)
{
	size_t at = s->told == RENDER_NONE ? 0 : render_end_of_line(s, s->told);

	while (at < s->text.n && is_blank(s, at))
		at = render_end_of_line(s, at);
	return at;
}

bool render_blank_before(const struct rendering *s, size_t at)
{
	size_t line = s->told == RENDER_NONE ? 0 : render_end_of_line(s, s->told), next;

	for (; line < at && (next = render_end_of_line(s, line)) <= at; line = next)
		if (is_blank(s, line))
			return true;
	return false;
}
