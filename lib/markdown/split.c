#include "markdown/split.h"

#include <string.h>

#include "markdown/split-line.h"

static bool closes_fence(const struct split *s, struct span line)
{
	struct md_line l = line_look(line);
	size_t n;

	if (l.indent > 3 || l.first != s->fence)
		return false;
	n = line_run(line, l.indent, s->fence);
	return n >= s->fence_length && line_is_blank_from(line, l.indent + n);
}

struct span split_language(struct span fence)
{
	size_t n = 0;

	fence = span_trim_start(fence, " `~\t");
	while (n < fence.n && !strchr(" \t,{:", fence.p[n]))
		n++;
	return (struct span){ fence.p, n };
}

/* ---- adding ---- */

static const char *start(const struct split *s)
{
	return s->text.p + s->at;
}

static size_t length(const struct split *s)
{
	return s->text.n - s->at;
}

/* Up to the next ']' that ':' follows, and the next mark. */
static size_t harmless(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((text.p[i] == ':' && i && text.p[i - 1] == ']') ||
		    (text.n - i >= 3 && memcmp(text.p + i, SPLIT_MARK, 3) == 0))
			return i;
	return text.n;
}

void split_add(struct split *s, struct span text)
{
	if (text.n && text.p[0] == ':' && length(s) && s->text.p[s->text.n - 1] == ']')
		buf_adds(&s->text, SPLIT_MARK);
	while (text.n) {
		size_t n = harmless(text);

		buf_add(&s->text, text.p, n);
		text.p += n;
		text.n -= n;
		if (text.n && text.p[0] == ':') {
			buf_adds(&s->text, SPLIT_MARK ":");
			text.p++, text.n--;
		} else if (text.n) {
			buf_adds(&s->text, "\xef\xbf\xbd");
			text.p += 3, text.n -= 3;
		}
	}
}

/* ---- telling ---- */

static void forget_taken(struct split *s)
{
	size_t n = s->taken;

	s->taken = 0;
	s->at += n;
	s->seen -= n < s->seen ? n : s->seen;
	s->searched -= n < s->searched ? n : s->searched;
	if (s->at > SPLIT_LINE && s->at > length(s)) {
		buf_drop(&s->text, s->at);
		s->at = 0;
	}
}

/* The part begins within a table. */
static bool has_head(const struct split *s)
{
	return s->goes_on && (s->seen ? s->headed : s->inside == IN_TABLE);
}

/* The first `n` bytes are a part, and go with the next call. */
static bool tell(struct split *s, struct part *p, enum part_kind kind, size_t n)
{
	*p = (struct part){ .kind = kind, .text = { start(s), n }, .blank = s->blank,
		            .goes_on = s->goes_on };
	if (has_head(s))
		p->head = buf_span(&s->head);
	s->taken = n;
	s->blank = s->was_blank;
	s->goes_on = s->was_blank = s->heading = s->doubtful_fence = false;
	s->last_line = 0;
	return true;
}

static bool tell_line(struct split *s, struct part *p, enum part_kind kind, size_t n)
{
	tell(s, p, kind, n);
	s->taken++;
	return true;
}

/* Some of a line that is too long: up to a blank, or else whole characters. */
static size_t some_of(const char *p, size_t limit, bool at_blank)
{
	size_t n = limit;

	for (; at_blank && n > limit / 2; n--)
		if (p[n - 1] == ' ')
			return n;
	for (n = limit; n > limit - 4 && ((unsigned char)p[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

/* ---- code and plain text, line by line ---- */

/* Up to so many blanks at the beginning of a code line belong to the fence. */
static void take_indent(const struct split *s, struct part *p)
{
	for (size_t i = 0; i < s->fence_indent && p->text.n && p->text.p[0] == ' '; i++)
		p->text.p++, p->text.n--;
}

/* `n`: bytes of the line that are there; `whole`: they are all. */
static bool next_of_line(struct split *s, struct part *p, enum part_kind kind, size_t n, bool whole)
{
	bool more = s->mid_line;

	if (n > SPLIT_LINE)
		tell(s, p, kind, some_of(start(s), SPLIT_LINE, kind == PART_PLAIN));
	else if (whole)
		tell_line(s, p, kind, n);
	else
		return false;
	p->goes_on = more;
	p->unfinished = s->mid_line = n > SPLIT_LINE;
	if (kind == PART_CODE && !more)
		take_indent(s, p);
	return true;
}

static bool next_of_code(struct split *s, struct part *p, size_t n, bool whole)
{
	if (s->mid_line || !whole || !closes_fence(s, (struct span){ start(s), n }))
		return next_of_line(s, p, PART_CODE, n, whole);
	s->fence = 0;
	return tell_line(s, p, PART_FENCE_END, n);
}

static bool begin_fence(struct split *s, struct part *p, const struct md_line *l, size_t n)
{
	s->fence = l->first;
	s->fence_length = line_fence(l);
	s->fence_indent = l->indent;
	s->inside = IN_TEXT;
	s->goes_on = s->plain = false;
	return tell_line(s, p, PART_FENCE, n);
}

/* ---- text ---- */

/* Whether a part ends before this line. */
static bool cuts(const struct split *s, const struct md_line *l, bool after_blank)
{
	bool first = false;
	char item = line_item(l, &first);

	if (s->doubtful_fence || l->blank)
		return false;
	if (line_fence(l) && (!l->indent || s->inside == IN_TEXT || s->inside == IN_TABLE))
		return true;
	if (l->indent)
		return false;
	return after_blank || s->heading || line_is_heading(l) ||
	       (item && (first || s->inside == IN_LIST));
}

/* A table's head must be the first line of its block, unless it is the last of a paragraph:
 * GitHub takes it so, and models rely on it. */
static bool cuts_before_last(const struct split *s, const struct md_line *l)
{
	size_t columns = s->inside == IN_TEXT && s->last_line ? line_table_columns(l) : 0;
	struct span head = { start(s) + s->last_line, s->seen - s->last_line };

	return columns && !s->was_blank && !strchr(" \t>", head.p[0]) &&
	       memchr(head.p, '|', head.n) && line_cells(head) == columns;
}

static bool begins_table(const struct split *s, const struct md_line *l)
{
	struct span head = { start(s), s->seen };
	size_t columns;

	if (s->inside != IN_TEXT || s->last_line || !s->seen || s->was_blank)
		return false;
	columns = line_table_columns(l);
	return columns && !strchr(" \t>", head.p[0]) && line_cells(head) == columns;
}

/* The first line of a part. */
static void begin_text(struct split *s, const struct md_line *l)
{
	bool first;
	char item = line_item(l, &first);

	s->headed = s->inside == IN_TABLE && s->goes_on && !line_ends_table(l);
	if (s->headed)
		return;
	s->goes_on = item && s->inside == IN_LIST && s->delimiter == item;
	s->inside = item ? IN_LIST : IN_TEXT;
	s->delimiter = item;
	s->heading = !l->indent && line_is_heading(l);
	s->plain = false;
}

/* A line is one more of the part. */
static void take_line(struct split *s, const struct md_line *l, size_t n)
{
	if (s->seen == 0) {
		begin_text(s, l);
	} else if (n <= LINE_HEAD && begins_table(s, l)) {
		s->inside = IN_TABLE;
		buf_clear(&s->head);
		buf_add(&s->head, start(s), s->seen + n + 1);
	} else if (s->inside == IN_TABLE && line_ends_table(l)) {
		s->inside = IN_TEXT;
	}
	if (line_is_marker(l) && s->inside == IN_TEXT)
		s->inside = IN_DOUBT;
	if (s->inside == IN_DOUBT && line_fence(l))
		s->doubtful_fence = !s->doubtful_fence;
	s->last_line = s->seen;
	s->was_blank = l->blank;
	s->seen += n + 1;
}

static bool cut(struct split *s, struct part *p, size_t n)
{
	s->seen = n;
	return tell(s, p, PART_TEXT, n);
}

static bool cut_table(struct split *s, struct part *p)
{
	cut(s, p, s->seen);
	p->unfinished = s->goes_on = true;
	return true;
}

/* Too much of one thing. What follows is not parsed, until something else begins. */
static bool cut_anyway(struct split *s, struct part *p)
{
	bool within = s->seen == 0;

	cut(s, p, within ? some_of(start(s), SPLIT_LIMIT, true) : s->seen);
	s->plain = true;
	s->mid_line = p->unfinished = within;
	return true;
}

static bool next_of_plain(struct split *s, struct part *p, const struct md_line *l, size_t n,
                          bool whole)
{
	if (s->mid_line || !cuts(s, l, s->blank))
		return next_of_line(s, p, PART_PLAIN, n, whole);
	s->plain = false;
	return false;
}

/* ---- all of it ---- */

/* Whether something begins a line here, however much is there of it: then *n is how much. */
static bool find_line(struct split *s, size_t *n, bool *whole)
{
	size_t from = s->searched > s->seen ? s->searched : s->seen;
	const char *end = memchr(start(s) + from, '\n', length(s) - from);

	s->searched = end ? (size_t)(end - start(s)) : length(s);
	*whole = end;
	*n = s->searched - s->seen;
	return *whole || *n > LINE_HEAD;
}

/* What there is of a line that nothing is yet known of. 1: *p; 0: one more line is taken;
 * -1: it has to wait. */
static int next_of_text(struct split *s, struct part *p, size_t n, bool whole)
{
	struct md_line l = line_look((struct span){ start(s) + s->seen, n });

	if (s->seen == 0 && l.blank && whole && !s->mid_line) {
		s->blank = true;
		s->goes_on = false;
		s->taken = n + 1;
		forget_taken(s);
		return 0;
	}
	if (s->plain && next_of_plain(s, p, &l, n, whole))
		return 1;
	if (s->plain)
		return -1;
	if (s->seen && cuts(s, &l, s->was_blank))
		return cut(s, p, s->seen);
	if (s->seen == 0 && line_fence(&l) && whole && n <= SPLIT_LIMIT)
		return begin_fence(s, p, &l, n);
	if (whole && n <= LINE_HEAD && cuts_before_last(s, &l))
		return cut(s, p, s->last_line);
	if (s->seen + n > SPLIT_LIMIT && (whole || s->seen + n > SPLIT_LIMIT + LINE_HEAD))
		return cut_anyway(s, p);
	if (!whole)
		return -1;
	take_line(s, &l, n);
	if (s->inside == IN_TABLE && s->seen > SPLIT_TABLE)
		return cut_table(s, p);
	return 0;
}

static bool end_part(struct split *s, struct part *p)
{
	if (!s->ended)
		return false;
	if (s->seen)
		return cut(s, p, s->seen);
	buf_clear(&s->text);
	buf_clear(&s->head);
	*s = (struct split){ .text = s->text, .head = s->head };
	return false;
}

bool split_next(struct split *s, struct part *p)
{
	size_t n;
	bool whole;
	int r;

	forget_taken(s);
	while (find_line(s, &n, &whole)) {
		if (s->fence)
			return next_of_code(s, p, n, whole);
		r = next_of_text(s, p, n, whole);
		if (r)
			return r > 0;
	}
	return end_part(s, p);
}

static bool may_close_fence(const struct split *s, struct span line)
{
	struct md_line l = line_look(line);

	return l.indent <= 3 && l.first == s->fence &&
	       line_is_blank_from(line, l.indent + line_run(line, l.indent, s->fence));
}

void split_rest(const struct split *s, struct part *p)
{
	struct span rest = { start(s) + s->taken, length(s) - s->taken };
	size_t seen = s->seen > s->taken ? s->seen - s->taken : 0;
	struct md_line l = line_look((struct span){ rest.p + seen, rest.n - seen });

	*p = (struct part){ .kind = PART_TEXT, .text = rest, .blank = s->blank, .goes_on = s->goes_on };
	if (s->fence) {
		p->kind = PART_CODE;
		p->goes_on = s->mid_line;
		if (!s->mid_line)
			take_indent(s, p);
		if (!s->mid_line && (l.blank || may_close_fence(s, rest)))
			p->text.n = 0;
	} else if (s->plain) {
		p->kind = PART_PLAIN;
		p->goes_on = s->mid_line;
	} else {
		if (line_fence(&l))
			p->text.n = seen;
		if (has_head(s))
			p->head = buf_span(&s->head);
	}
}

void split_end(struct split *s)
{
	if (length(s) > s->taken && s->text.p[s->text.n - 1] != '\n')
		buf_addc(&s->text, '\n');
	s->ended = true;
}

void split_release(struct split *s)
{
	buf_release(&s->text);
	buf_release(&s->head);
}
