#include "markdown/split-line.h"

#include <string.h>

struct md_line line_look(struct span line)
{
	struct md_line l = { .head = { line.p, line.n < LINE_HEAD ? line.n : LINE_HEAD } };
	size_t i = 0;

	for (; i < l.head.n && (l.head.p[i] == ' ' || l.head.p[i] == '\t'); i++)
		l.indent += l.head.p[i] == '\t' ? 4 - l.indent % 4 : 1;
	l.blank = i == line.n;
	l.first = i < l.head.n ? l.head.p[i] : '\0';
	return l;
}

size_t line_run(struct span s, size_t at, char c)
{
	size_t n = 0;

	while (at + n < s.n && s.p[at + n] == c)
		n++;
	return n;
}

bool line_is_blank_from(struct span s, size_t at)
{
	return at >= s.n || span_trim_start((struct span){ s.p + at, s.n - at }, " \t").n == 0;
}

size_t line_fence(const struct md_line *l)
{
	struct span h = l->head;
	size_t n, end;

	if (l->indent > 3 || (l->first != '`' && l->first != '~'))
		return 0;
	n = line_run(h, l->indent, l->first);
	end = l->indent + n;
	if (n < 3 || (l->first == '`' && memchr(h.p + end, '`', h.n - end)))
		return 0;
	return n;
}

bool line_is_heading(const struct md_line *l)
{
	size_t n = line_run(l->head, 0, '#');

	return n >= 1 && n <= 6 && (n == l->head.n || l->head.p[n] == ' ' || l->head.p[n] == '\t');
}

bool line_is_rule(const struct md_line *l)
{
	size_t n = 0;

	if (!l->first || !strchr("-*_", l->first))
		return false;
	for (size_t i = 0; i < l->head.n; i++)
		if (l->head.p[i] == l->first)
			n++;
		else if (l->head.p[i] != ' ' && l->head.p[i] != '\t')
			return false;
	return n >= 3;
}

char line_item(const struct md_line *l, bool *first)
{
	struct span h = l->head;
	size_t n = 0;

	if (l->indent || line_is_rule(l))
		return 0;
	*first = true;
	if (l->first >= '0' && l->first <= '9') {
		while (n < h.n && n < 9 && h.p[n] >= '0' && h.p[n] <= '9')
			n++;
		*first = n == 1 && l->first == '1';
		if (n == h.n || (h.p[n] != '.' && h.p[n] != ')'))
			return 0;
	} else if (!l->first || !strchr("-*+", l->first)) {
		return 0;
	}
	if (n + 1 >= h.n || (h.p[n + 1] != ' ' && h.p[n + 1] != '\t') || line_is_blank_from(h, n + 1))
		return 0;
	return h.p[n];
}

size_t line_table_columns(const struct md_line *l)
{
	size_t columns = 0, bars = 0;
	bool dash = false;

	if (l->indent > 3)
		return 0;
	for (size_t i = 0; i < l->head.n; i++) {
		char c = l->head.p[i];

		if (c == '|')
			columns += dash, dash = false, bars++;
		else if (c == '-')
			dash = true;
		else if (c != ':' && c != ' ' && c != '\t')
			return 0;
	}
	return bars ? columns + dash : 0;
}

size_t line_cells(struct span line)
{
	size_t n = 0;
	bool text = false;

	for (size_t i = 0; i < line.n && line.p[i] != '\n'; i++) {
		if (line.p[i] == '\\' && i + 1 < line.n)
			text = true, i++;
		else if (line.p[i] == '|')
			n += text || n, text = false;
		else
			text |= line.p[i] != ' ' && line.p[i] != '\t';
	}
	return n + text;
}

bool line_is_marker(const struct md_line *l)
{
	struct span h = l->head;
	size_t i = l->indent, from = i;

	if (l->indent > 3 || i >= h.n || line_is_rule(l))
		return false;
	while (i < h.n && h.p[i] >= '0' && h.p[i] <= '9')
		i++;
	if (i == from ? !strchr("-*+", h.p[i]) : i == h.n || (h.p[i] != '.' && h.p[i] != ')'))
		return false;
	return i + 1 == h.n || h.p[i + 1] == ' ' || h.p[i + 1] == '\t';
}

bool line_ends_table(const struct md_line *l)
{
	return l->blank || l->first == '>' || l->indent > 3 || line_is_rule(l) || line_is_marker(l);
}
