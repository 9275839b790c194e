#include "markdown/entity.h"
#include "markdown/render-parts.h"

/* What tells a heading is in front of it, and not its weight alone. */
static void put_level(struct rendering *s)
{
	static const char signs[] = "###### ";

	flow_add(&s->flow, span_str(signs + 6 - s->level), s->style, render_source_now(s), false);
	s->level = 0;
}

void render_begin_leaf(struct rendering *s, size_t at)
{
	if (s->leaf && !s->begun)
		render_begin_block(s, at);
	if (s->level)
		put_level(s);
}

/* ---- text in blocks ---- */

static unsigned style_now(const struct rendering *s)
{
	return s->style | (s->strong ? STYLE_BOLD : 0) | (s->em ? STYLE_ITALIC : 0) |
	       (s->del ? STYLE_STRIKE : 0) | (s->code ? STYLE_CODE : 0) |
	       (s->link ? STYLE_UNDERLINE : 0);
}

static void put(struct rendering *s, struct span text, unsigned style, bool exact)
{
	if (s->in_table)
		table_add(s->table, text, style, render_line_now(s));
	else
		flow_add(&s->flow, text, style, render_source_now(s), exact);
}

static void put_break(struct rendering *s)
{
	if (s->in_table)
		table_break(s->table);
	else
		flow_break(&s->flow);
}

/* "<br>", "<br/>" and "<br />" in a table's cell are how it gets a second line. */
static size_t is_line_break(struct span text)
{
	size_t i = 3;

	if (text.n < 4 || text.p[0] != '<' || (text.p[1] | 32) != 'b' || (text.p[2] | 32) != 'r')
		return 0;
	while (i < text.n && text.p[i] == ' ')
		i++;
	if (i < text.n && text.p[i] == '/')
		i++;
	return i < text.n && text.p[i] == '>' ? i + 1 : 0;
}

static void put_text(struct rendering *s, struct span text, bool exact)
{
	size_t from = 0, n;

	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '<' && (n = is_line_break((struct span){ text.p + i, text.n - i }))) {
			put(s, (struct span){ text.p + from, i - from }, style_now(s), exact);
			put_break(s);
			if (exact)
				s->told += i + n - from;
			from = i + n;
			i = from - 1;
		}
	put(s, (struct span){ text.p + from, text.n - from }, style_now(s), exact);
}

/* A bar that is no column's end is written so in code, too; md4c leaves it so. */
static void put_table_code(struct rendering *s, struct span text)
{
	const char *bar;

	while ((bar = memmem(text.p, text.n, "\\|", 2))) {
		size_t n = (size_t)(bar - text.p);

		put(s, (struct span){ text.p, n }, style_now(s), false);
		text = (struct span){ bar + 1, text.n - n - 1 };
	}
	put(s, text, style_now(s), false);
}

static void put_entity(struct rendering *s, struct span entity)
{
	struct buf b = BUF_INIT;

	entity_add(&b, entity);
	put(s, buf_span(&b), style_now(s), false);
	buf_release(&b);
}

void render_add_attribute(struct buf *b, const MD_ATTRIBUTE *a)
{
	for (size_t i = 0; a->text && a->substr_offsets[i] < a->size; i++) {
		struct span part = { a->text + a->substr_offsets[i],
			             a->substr_offsets[i + 1] - a->substr_offsets[i] };

		if (a->substr_types[i] == MD_TEXT_ENTITY)
			entity_add(b, part);
		else
			buf_add(b, part.p, part.n);
	}
}

/* md4c has it in the source, or a copy when there are references in it. */
static void pass_address(struct rendering *s, const MD_ATTRIBUTE *a)
{
	size_t start = s->told, end = start;
	const char *close = NULL;

	if (render_is_ours(s, a->text)) {
		start = (size_t)(a->text - s->text.p);
		end = start + a->size;
	} else if (start < s->text.n) {
		close = memchr(s->text.p + start, ')', s->text.n - start);
		end = close ? (size_t)(close - s->text.p) : start;
	}
	s->told = render_at_once(s, start, end);
}

/* An address is shown where it is not what the text says already. */
static void put_address(struct rendering *s, const MD_ATTRIBUTE *a, struct span text)
{
	static const char *const implied[] = { "", "mailto:", "http://", "https://" };
	struct buf b = BUF_INIT;
	bool same = false;

	buf_adds(&b, " (");
	render_add_attribute(&b, a);
	for (size_t i = 0; i < sizeof(implied) / sizeof(implied[0]); i++) {
		size_t n = strlen(implied[i]);

		same |= b.n == 2 + n + text.n && memcmp(b.p + 2, implied[i], n) == 0 &&
		        memcmp(b.p + 2 + n, text.p, text.n) == 0;
	}
	buf_addc(&b, ')');
	if (!same && b.n > 3) {
		pass_address(s, a);
		put(s, buf_span(&b), s->style | STYLE_DIM, false);
	}
	buf_release(&b);
}

/* ---- what md4c tells ---- */

int render_enter_span(MD_SPANTYPE type, void *detail, void *ctx)
{
	struct rendering *s = ctx;

	(void)detail;
	/* A span begins before its first text, which says where that is: see render_text(). */
	switch (type) {
	case MD_SPAN_EM: s->em++; break;
	case MD_SPAN_STRONG: s->strong++; break;
	case MD_SPAN_DEL: s->del++, buf_adds(&s->opening, "~~"); break;
	case MD_SPAN_CODE: s->code++, buf_adds(&s->opening, "`"); break;
	case MD_SPAN_A: s->link++, buf_clear(&s->linked); break;
	case MD_SPAN_IMG: buf_adds(&s->opening, "[image: "); break;
	default: break;
	}
	return 0;
}

/* What opens a span is put with its first text; one without text has none. */
static void put_opening(struct rendering *s)
{
	if (s->opening.n)
		put(s, buf_span(&s->opening), style_now(s), false);
	buf_clear(&s->opening);
}

int render_leave_span(MD_SPANTYPE type, void *detail, void *ctx)
{
	struct rendering *s = ctx;

	put_opening(s);
	switch (type) {
	case MD_SPAN_EM: s->em--; break;
	case MD_SPAN_STRONG: s->strong--; break;
	case MD_SPAN_DEL:
		put(s, span_str("~~"), style_now(s), false);
		s->del--;
		break;
	case MD_SPAN_CODE:
		put(s, span_str("`"), style_now(s), false);
		s->code--;
		break;
	case MD_SPAN_A:
		s->link--;
		put_address(s, &((const MD_SPAN_A_DETAIL *)detail)->href, buf_span(&s->linked));
		break;
	case MD_SPAN_IMG:
		put(s, span_str("]"), style_now(s), false);
		put_address(s, &((const MD_SPAN_IMG_DETAIL *)detail)->src, span_str(""));
		break;
	default: break;
	}
	return 0;
}

int render_text(MD_TEXTTYPE type, const MD_CHAR *p, MD_SIZE n, void *ctx)
{
	struct rendering *s = ctx;
	struct span t = { p, n };
	size_t at = render_is_ours(s, p) ? (size_t)(p - s->text.p) : RENDER_NONE;

	if (!s->leaf && !s->in_code)
		render_begin_text(s);
	render_begin_leaf(s, at != RENDER_NONE ? at : s->told == RENDER_NONE ? 0 : s->told);
	if (at != RENDER_NONE)
		s->told = at;
	put_opening(s);
	if (s->link && type != MD_TEXT_SOFTBR && type != MD_TEXT_BR)
		buf_add(&s->linked, p, n);
	switch (type) {
	case MD_TEXT_BR:
	case MD_TEXT_SOFTBR: put_break(s); break;
	case MD_TEXT_ENTITY:
		s->told = at != RENDER_NONE ? render_at_once(s, at, at + n - 1) : s->told;
		put_entity(s, t);
		break;
	default:
		if (s->in_code)
			render_add_code(s, t);
		else if (s->code && s->in_table)
			put_table_code(s, t);
		else if (s->code)
			put(s, t, style_now(s), at != RENDER_NONE);
		else
			put_text(s, t, at != RENDER_NONE);
		break;
	}
	if (at != RENDER_NONE)
		s->told = at + n;
	return 0;
}
