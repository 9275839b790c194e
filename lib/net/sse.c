#include "net/sse.h"

#include <string.h>

static int dispatch(struct sse *s, struct err *e)
{
	int r = 0;

	if (s->have_data)
		r = buf_check(&s->data, e) < 0 ? -1 : s->event(s->ctx, buf_span(&s->data), e);
	buf_clear(&s->data);
	s->have_data = s->json = s->in_string = s->escaped = false;
	s->depth = 0;
	return r;
}

/* ---- JSON as data ---- */

static bool begins_json(struct span s)
{
	s = span_trim_start(s, " \t");
	return s.n && (s.p[0] == '{' || s.p[0] == '[');
}

/* Takes note of which brackets are open behind what is added to the data. */
static void count_brackets(struct sse *s, struct span added)
{
	for (size_t i = 0; i < added.n; i++) {
		char c = added.p[i];

		if (s->escaped)
			s->escaped = false;
		else if (s->in_string && c == '\\')
			s->escaped = true;
		else if (c == '"')
			s->in_string = !s->in_string;
		else if (!s->in_string && (c == '{' || c == '['))
			s->depth++;
		else if (!s->in_string && (c == '}' || c == ']') && s->depth)
			s->depth--;
	}
}

static bool json_ends(const struct sse *s)
{
	return s->json && !s->in_string && s->depth == 0;
}

/* ---- lines ---- */

/* Cuts "name:" and a space off the line, if it begins so. */
static bool take_field(struct span *line, const char *name)
{
	size_t n = strlen(name);

	if (line->n < n || memcmp(line->p, name, n) != 0 || (line->n > n && line->p[n] != ':'))
		return false;
	n += line->n > n;
	n += line->n > n && line->p[n] == ' ';
	*line = (struct span){ line->p + n, line->n - n };
	return true;
}

static int take_line(struct sse *s, struct span line, struct err *e)
{
	if (!s->begun && line.n >= 3 && memcmp(line.p, "\xef\xbb\xbf", 3) == 0)
		line = (struct span){ line.p + 3, line.n - 3 };
	s->begun = true;
	if (line.n == 0)
		return dispatch(s, e);
	if (!take_field(&line, "data") && !take_field(&line, "error"))
		return 0;
	if (s->have_data && !s->json && begins_json(line) && dispatch(s, e) < 0)
		return -1;
	s->json |= !s->have_data && begins_json(line);
	if (s->have_data)
		buf_addc(&s->data, '\n');
	s->have_data = true;
	s->escaped = false; /* by a backslash at the line's end */
	buf_add(&s->data, line.p, line.n);
	if (s->json)
		count_brackets(s, line);
	if (s->data.n > SSE_EVENT_MAX)
		return err_set(e, ERR_NETWORK, "the server sent an event of more than %u MB",
		               SSE_EVENT_MAX >> 20);
	return json_ends(s) ? dispatch(s, e) : 0;
}

static size_t to_line_end(struct span chunk)
{
	size_t i = 0;

	while (i < chunk.n && chunk.p[i] != '\n' && chunk.p[i] != '\r')
		i++;
	return i;
}

/* The line's end is at chunk.p[n]. */
static int end_line(struct sse *s, struct span chunk, size_t n, struct err *e)
{
	struct span line = { chunk.p, n };
	int r;

	if (s->line.n) {
		buf_add(&s->line, chunk.p, n);
		line = buf_span(&s->line);
	}
	r = buf_check(&s->line, e) < 0 ? -1 : take_line(s, line, e);
	buf_clear(&s->line);
	s->skip_lf = chunk.p[n] == '\r';
	return r;
}

int sse_feed(struct sse *s, struct span chunk, struct err *e)
{
	while (chunk.n) {
		size_t n;

		if (s->skip_lf && chunk.p[0] == '\n') {
			s->skip_lf = false;
			chunk = (struct span){ chunk.p + 1, chunk.n - 1 };
			continue;
		}
		s->skip_lf = false;
		n = to_line_end(chunk);
		if (s->line.n + n > SSE_EVENT_MAX)
			return err_set(e, ERR_NETWORK, "the server sent a line of more than %u MB",
			               SSE_EVENT_MAX >> 20);
		if (n == chunk.n) {
			buf_add(&s->line, chunk.p, n);
			return buf_check(&s->line, e);
		}
		if (end_line(s, chunk, n, e) < 0)
			return -1;
		chunk = (struct span){ chunk.p + n + 1, chunk.n - n - 1 };
	}
	return 0;
}

int sse_end(struct sse *s, struct err *e)
{
	if (s->line.n && take_line(s, buf_span(&s->line), e) < 0)
		return -1;
	buf_clear(&s->line);
	return dispatch(s, e);
}

void sse_release(struct sse *s)
{
	buf_release(&s->line);
	buf_release(&s->data);
}
