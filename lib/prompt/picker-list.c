/* The picker's items, which of them fit the filter, and what the keys do. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/utf8.h"
#include "prompt/picker-parts.h"
#include "tty/term.h"

#define LOOK_AHEAD 512 /* items at once */

void picker_init(struct picker *p, const struct picker_source *source)
{
	*p = (struct picker){
		.source = source, .text = BUF_INIT, .typed = BUF_INIT, .filter = FILTER_INIT,
		.message = BUF_INIT, .scratch = BUF_INIT, .preview = { .text = BUF_INIT },
		.preview_of = PICKER_NONE, .page = 1,
	};
	for (size_t i = 0; i < source->ncolumns; i++)
		p->columns[i] = source->columns[i];
	term_width(span_str("")); /* which sees to a locale that knows more letters than ASCII's */
}

void picker_release(struct picker *p)
{
	buf_release(&p->text);
	buf_release(&p->typed);
	buf_release(&p->message);
	buf_release(&p->scratch);
	buf_release(&p->preview.text);
	filter_release(&p->filter);
	free(p->ends);
	free(p->fits);
}

size_t picker_item(const struct picker *p)
{
	return p->selected < p->kept ? p->fits[p->selected] : PICKER_NONE;
}

/* ---- looking at items ---- */

bool picker_busy(const struct picker *p)
{
	return !p->loaded || p->at < p->n;
}

static int load(struct picker *p, struct err *e)
{
	size_t *ends, *fits;

	buf_clear(&p->scratch);
	if (!p->source->next(p->source->ctx, &p->scratch)) {
		p->loaded = true;
		return 0;
	}
	filter_fold(&p->text, buf_span(&p->scratch));
	p->text.oom |= p->scratch.oom;
	ends = array_room(p->ends, p->nitems, &p->ends_cap, sizeof(*ends), e);
	p->ends = ends ? ends : p->ends;
	/* It can hold all of them, however few it holds now. */
	fits = ends ? array_room(p->fits, p->nitems, &p->fits_cap, sizeof(*fits), e) : NULL;
	p->fits = fits ? fits : p->fits;
	if (!fits || buf_check(&p->text, e) < 0)
		return -1;
	fits[p->n++] = p->nitems;
	ends[p->nitems++] = p->text.n;
	return 0;
}

static void look(struct picker *p)
{
	size_t item = p->fits[p->at++], from = item ? p->ends[item - 1] : 0;

	if (filter_fit(&p->filter, (struct span){ p->text.p + from, p->ends[item] - from }))
		p->fits[p->kept++] = item;
}

int picker_work(struct picker *p, size_t max, struct err *e)
{
	for (; max && picker_busy(p); max--) {
		if (p->at == p->n && load(p, e) < 0)
			return -1;
		if (p->at < p->n)
			look(p);
	}
	return 0;
}

/* What did not fit does not fit a filter either that only has more at its end. */
static bool only_grew(const struct picker *p, struct span typed)
{
	return typed.n >= p->typed.n && memcmp(typed.p, p->typed.p, p->typed.n) == 0;
}

static void look_again(struct picker *p, bool at_all)
{
	if (at_all) {
		for (size_t i = 0; i < p->nitems; i++)
			p->fits[i] = i;
		p->n = p->nitems;
	} else if (p->n) {
		memmove(p->fits + p->kept, p->fits + p->at, (p->n - p->at) * sizeof(*p->fits));
		p->n -= p->at - p->kept;
	}
	p->kept = p->at = p->filter.n ? 0 : p->n;
	p->selected = p->top = 0;
}

void picker_filter(struct picker *p, struct span typed)
{
	bool grew = only_grew(p, typed);

	if (grew && typed.n == p->typed.n)
		return;
	filter_set(&p->filter, typed);
	buf_clear(&p->typed);
	buf_add(&p->typed, typed.p, typed.n);
	look_again(p, !grew);
}

/* ---- keys ---- */

static void type(struct picker *p, uint32_t c)
{
	struct buf typed = BUF_INIT;

	buf_add(&typed, p->typed.p, p->typed.n);
	if (c == '\n' || c == '\t')
		c = ' ';
	/* A blank at the beginning, or after another one, separates nothing. */
	if (c != ' ' || (typed.n && typed.p[typed.n - 1] != ' '))
		utf8_add(&typed, c);
	if (!typed.oom && typed.n <= PICKER_TYPED_MAX)
		picker_filter(p, buf_span(&typed));
	buf_release(&typed);
}

/* The last character, or word, with what combines with it left to itself. */
static void erase(struct picker *p, bool word)
{
	struct buf typed = BUF_INIT;
	size_t n = p->typed.n;

	buf_add(&typed, p->typed.p, n);
	if (word) {
		n = span_trim_end(buf_span(&typed), " ").n;
		while (n && typed.p[n - 1] != ' ')
			n--;
	} else {
		while (n && (typed.p[--n] & 0xc0) == 0x80)
			;
	}
	if (!typed.oom)
		picker_filter(p, (struct span){ typed.p, n });
	buf_release(&typed);
}

/* A key means what a person sees, or would see in a moment: who types fast, or a script,
 * presses it before all that fits is found. Looks until there are `n` more. */
static void look_ahead(struct picker *p, size_t n)
{
	struct err ignored = ERR_INIT;

	while (picker_busy(p) && p->kept - p->selected <= n)
		if (picker_work(p, LOOK_AHEAD, &ignored) < 0)
			return; /* what comes next fails, too, and tells */
}

static void move_by(struct picker *p, size_t n, bool down)
{
	size_t last;

	if (down)
		look_ahead(p, n);
	last = p->kept ? p->kept - 1 : 0;
	if (down)
		p->selected = n < last - p->selected ? p->selected + n : last;
	else
		p->selected -= n < p->selected ? n : p->selected;
}

static enum picker_end pick(struct picker *p)
{
	struct err e = ERR_INIT;
	size_t item;

	look_ahead(p, 0);
	item = picker_item(p);
	if (item == PICKER_NONE)
		return PICKER_GOES_ON;
	if (!p->source->check || p->source->check(p->source->ctx, item, &e) == 0)
		return PICKER_PICKED;
	buf_adds(&p->message, e.msg);
	return PICKER_GOES_ON;
}

static enum picker_end control_key(struct picker *p, uint32_t c)
{
	switch (c) {
	case 'c':
	case 'd': return PICKER_LEFT;
	case 'z': return PICKER_SUSPENDED;
	case 'l': return PICKER_REDRAW;
	case 'n': move_by(p, 1, true); break;
	case 'p': move_by(p, 1, false); break;
	case 'u': picker_filter(p, span_str("")); break;
	case 'w': erase(p, true); break;
	}
	return PICKER_GOES_ON;
}

enum picker_end picker_key(struct picker *p, const struct key *key)
{
	buf_clear(&p->message);
	if (key->alt && key->kind != KEY_BACKSPACE) /* another program's commands */
		return PICKER_GOES_ON;
	switch (key->kind) {
	case KEY_CHAR: type(p, key->c); break;
	case KEY_CTRL: return control_key(p, key->c);
	case KEY_ENTER: return pick(p);
	case KEY_ESC: return PICKER_LEFT;
	case KEY_BACKSPACE: erase(p, key->alt); break;
	case KEY_UP: move_by(p, 1, false); break;
	case KEY_DOWN: move_by(p, 1, true); break;
	case KEY_PAGE_UP: move_by(p, p->page, false); break;
	case KEY_PAGE_DOWN: move_by(p, p->page, true); break;
	case KEY_HOME: move_by(p, SIZE_MAX, false); break;
	case KEY_END: move_by(p, SIZE_MAX, true); break;
	case KEY_TAB:
	case KEY_DELETE:
	case KEY_LEFT:
	case KEY_RIGHT: break;
	}
	return PICKER_GOES_ON;
}
