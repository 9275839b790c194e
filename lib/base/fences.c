#include "base/fences.h"

#include <stdlib.h>

#include "base/array.h"

#define TAB 4
#define DEPTH_MAX 64 /* lists and quotes in each other; what is deeper is text */

/* A place in a line. A tab that is passed in part leaves blanks. */
struct cursor {
	const char *p, *end; /* without the line's end */
	size_t column;
	size_t blanks;       /* columns that are left of a tab */
};

struct box {
	bool quote;
	size_t indent; /* of a list's item: columns that its lines begin with */
};

struct parser {
	struct fences *found;
	struct box box[DEPTH_MAX];
	size_t depth;
	bool open;     /* in a code block, the last of those found */
	char mark;     /* its fence */
	size_t length, indent;
};

/* ---- blanks ---- */

static size_t width_of_tab(const struct cursor *c)
{
	return TAB - c->column % TAB;
}

/* Columns of blanks from here on. */
static size_t indent_of(const struct cursor *c)
{
	struct cursor at = *c;

	at.column += at.blanks;
	for (; at.p < at.end && (*at.p == ' ' || *at.p == '\t'); at.p++)
		at.column += *at.p == ' ' ? 1 : width_of_tab(&at);
	return at.column - c->column;
}

static void skip_column(struct cursor *c)
{
	if (!c->blanks) {
		c->blanks = *c->p == '\t' ? width_of_tab(c) : 1;
		c->p++;
	}
	c->blanks--;
	c->column++;
}

/* So many columns, which are blank. */
static void skip(struct cursor *c, size_t columns)
{
	while (columns--)
		skip_column(c);
}

static bool is_blank(const struct cursor *c)
{
	const char *p = c->p;

	while (p < c->end && (*p == ' ' || *p == '\t'))
		p++;
	return p == c->end;
}

/* ---- lists and quotes ---- */

static bool enter_quote(struct cursor *c)
{
	size_t indent = indent_of(c);
	struct cursor at = *c;

	if (indent >= TAB)
		return false;
	skip(&at, indent);
	if (at.p == at.end || *at.p != '>')
		return false;
	skip_column(&at);
	if (indent_of(&at))
		skip_column(&at);
	*c = at;
	return true;
}

static bool stays_in(const struct box *b, struct cursor *c)
{
	size_t indent = indent_of(c);

	if (b->quote)
		return enter_quote(c);
	if (indent < b->indent && !is_blank(c))
		return false;
	skip(c, indent < b->indent ? indent : b->indent);
	return true;
}

/* "***", "- - -": a rule across the page. */
static bool is_rule(struct cursor at)
{
	size_t n = 0;
	char mark = *at.p;

	for (; at.p < at.end; at.p++) {
		if (*at.p == mark)
			n++;
		else if (*at.p != ' ' && *at.p != '\t')
			return false;
	}
	return n >= 3 && strchr("*-_", mark);
}

/* Bytes of a list's mark at the cursor: "-", "12."; 0: there is none. */
static size_t mark_of(const struct cursor *c)
{
	size_t left = (size_t)(c->end - c->p), n = 0;

	if (!left || is_rule(*c))
		return 0;
	if (strchr("-+*", *c->p) && *c->p)
		n = 1;
	else {
		while (n < left && n < 9 && c->p[n] >= '0' && c->p[n] <= '9')
			n++;
		n = n && n < left && (c->p[n] == '.' || c->p[n] == ')') ? n + 1 : 0;
	}
	return n && (n == left || c->p[n] == ' ' || c->p[n] == '\t') ? n : 0;
}

static bool enter_item(struct cursor *c, size_t *columns)
{
	size_t indent = indent_of(c), n, gap;
	struct cursor at = *c;

	if (indent >= TAB)
		return false;
	skip(&at, indent);
	n = mark_of(&at);
	if (!n)
		return false;
	skip(&at, n);
	gap = is_blank(&at) ? 0 : indent_of(&at);
	*columns = indent + n + (gap >= 1 && gap <= TAB ? gap : 1);
	if (gap)
		skip(&at, gap <= TAB ? gap : 1);
	*c = at;
	return true;
}

static void enter_boxes(struct parser *s, struct cursor *c)
{
	while (s->depth < DEPTH_MAX) {
		struct box *b = &s->box[s->depth];

		*b = (struct box){ .quote = true };
		if (!enter_quote(c)) {
			b->quote = false;
			if (!enter_item(c, &b->indent))
				return;
		}
		s->depth++;
	}
}

/* ---- fences ---- */

static size_t run_of(const struct cursor *c, char mark)
{
	size_t n = 0;

	while (c->p + n < c->end && c->p[n] == mark)
		n++;
	return n;
}

static int open_fence(struct parser *s, struct cursor c, struct err *e)
{
	size_t indent = indent_of(&c), n;
	struct fence *v;

	if (indent >= TAB)
		return 0;
	skip(&c, indent);
	if (c.p == c.end || (*c.p != '`' && *c.p != '~'))
		return 0;
	n = run_of(&c, *c.p);
	if (n < 3 || (*c.p == '`' && memchr(c.p + n, '`', (size_t)(c.end - c.p) - n)))
		return 0;
	v = array_room(s->found->v, s->found->n, &s->found->cap, sizeof(*v), e);
	if (!v)
		return -1;
	s->found->v = v;
	v += s->found->n++;
	s->open = true;
	s->mark = *c.p;
	s->length = n;
	s->indent = indent;
	for (c.p += n; c.p < c.end && (*c.p == ' ' || *c.p == '\t'); c.p++)
		;
	*v = (struct fence){ { c.p, 0 }, BUF_INIT };
	while (c.p + v->language.n < c.end && !strchr(" \t", c.p[v->language.n]))
		v->language.n++;
	return 0;
}

static bool closes(const struct parser *s, struct cursor c)
{
	size_t indent = indent_of(&c), n;

	if (indent >= TAB)
		return false;
	skip(&c, indent);
	n = run_of(&c, s->mark);
	c.p += n;
	return n >= s->length && is_blank(&c);
}

/* `ending` are the bytes that end the line. */
static void add_code(struct parser *s, struct cursor c, size_t ending)
{
	struct buf *code = &s->found->v[s->found->n - 1].code;
	size_t indent = indent_of(&c);

	skip(&c, indent < s->indent ? indent : s->indent);
	for (; c.blanks; c.blanks--)
		buf_addc(code, ' ');
	buf_add(code, c.p, (size_t)(c.end - c.p) + ending);
}

static int feed_line(struct parser *s, struct span line, size_t ending, struct err *e)
{
	struct cursor c = { line.p, line.p + line.n, 0, 0 };
	size_t kept = 0;

	while (kept < s->depth && stays_in(&s->box[kept], &c))
		kept++;
	if (s->open && kept == s->depth) {
		if (closes(s, c))
			s->open = false;
		else
			add_code(s, c, ending);
		return 0;
	}
	s->open = false; /* a block ends with what it is in */
	s->depth = kept;
	enter_boxes(s, &c);
	return open_fence(s, c, e);
}

int fences_find(struct fences *f, struct span text, struct err *e)
{
	struct parser s = { .found = f };
	int r = 0;

	while (r == 0 && text.n) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t all = nl ? (size_t)(nl - text.p) + 1 : text.n, n = nl ? all - 1 : all;

		n -= n && text.p[n - 1] == '\r';
		r = feed_line(&s, (struct span){ text.p, n }, all - n, e);
		text = (struct span){ text.p + all, text.n - all };
	}
	for (size_t i = 0; r == 0 && i < f->n; i++)
		r = buf_check(&f->v[i].code, e);
	return r;
}

void fences_release(struct fences *f)
{
	for (size_t i = 0; i < f->n; i++)
		buf_release(&f->v[i].code);
	free(f->v);
	*f = (struct fences)FENCES_INIT;
}
