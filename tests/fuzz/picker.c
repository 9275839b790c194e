/*
 * lib/prompt/picker. The input is the text of a preview and, once more, what is typed.
 *
 * Properties of a preview: it has no more rows than there are, each no wider than it may be, and
 * nothing in it that a terminal obeys; what fits whole has all of its words, in order. Of the
 * list: after any keys, what fits is just what has the filter's words, and what is selected is
 * one of these.
 */
#include "base/utf8.h"
#include "fuzz.h"
#include "tty/neutral.h"
#include "prompt/picker-parts.h"
#include "tty/term.h"

static void check_rows(const struct picker_preview *v, size_t max)
{
	struct span rest = buf_span(&v->text), row;
	struct buf again = BUF_INIT;
	size_t n = 0;

	while (cut_line(&rest, &row)) {
		must(term_width(row) <= v->columns, "%zu columns: '%.*s'", v->columns, (int)row.n, row.p);
		n++;
	}
	must(n == v->n && n <= max && n <= v->rows, "%zu rows, counted %zu", n, v->n);
	neutral_add(&again, buf_span(&v->text));
	must_be_same(buf_span(&again), buf_span(&v->text), "harmless");
	must(!memchr(v->text.p, '\t', v->text.n), "a tab");
	buf_release(&again);
}

/* Without its white space. */
static void squeeze(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!strchr(" \t\n", text.p[i]))
			buf_addc(out, text.p[i]);
}

static void check_preview(struct span text, size_t rows, size_t columns)
{
	struct picker_preview v = { rows, columns, BUF_INIT, 0 };
	struct buf clean = BUF_INIT, want = BUF_INIT, got = BUF_INIT;

	picker_show(&v, text, rows);
	check_rows(&v, rows);
	neutral_add(&clean, text);
	squeeze(&want, buf_span(&clean));
	squeeze(&got, buf_span(&v.text));
	if (v.n < rows)
		must_be_same(buf_span(&got), buf_span(&want), "all of it");
	buf_release(&v.text);
	buf_release(&clean);
	buf_release(&want);
	buf_release(&got);
}

struct source {
	struct span rest;
	size_t n;
	struct buf texts[64];
};

static bool next(void *ctx, struct buf *text)
{
	struct source *s = ctx;
	struct span line;

	if (s->n == 64 || !cut_line(&s->rest, &line))
		return false;
	buf_add(text, line.p, line.n);
	filter_fold(&s->texts[s->n++], line);
	return true;
}

static void check_fits(const struct picker *p, const struct source *s)
{
	struct filter f = FILTER_INIT;
	size_t n = 0;

	filter_set(&f, buf_span(&p->typed));
	for (size_t i = 0; i < s->n; i++)
		if (filter_fit(&f, buf_span(&s->texts[i])))
			must(n < p->kept && p->fits[n++] == i, "item %zu", i);
	must(n == p->kept, "%zu fit, not %zu", n, p->kept);
	must(p->selected < p->kept || (!p->kept && !p->selected), "selected %zu of %zu", p->selected, p->kept);
	must(utf8_valid(p->typed.p, p->typed.n) == p->typed.n && p->typed.n <= PICKER_TYPED_MAX, "'%s'",
	     p->typed.p);
	filter_release(&f);
}

static void check_keys(struct span text)
{
	struct source s = { .rest = text };
	struct picker_source source = { .ctx = &s, .what = "", .next = next };
	struct keys keys = KEYS_INIT;
	uint64_t seed = hash_of(text);
	struct err e = ERR_INIT;
	struct picker p;
	struct key key;

	for (size_t i = 0; i < 64; i++)
		s.texts[i] = (struct buf)BUF_INIT;
	picker_init(&p, &source);
	for (size_t i = 0; i < text.n && i < 512; i++) {
		if (keys_feed(&keys, (unsigned char)text.p[i], &key))
			picker_key(&p, &key);
		must(picker_work(&p, rnd_below(&seed, 3), &e) == 0, "%s", e.msg);
	}
	must(picker_work(&p, SIZE_MAX, &e) == 0, "%s", e.msg);
	check_fits(&p, &s);
	picker_release(&p);
	for (size_t i = 0; i < 64; i++)
		buf_release(&s.texts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t columns[] = { 2, 3, 7, 40, 200 };
	struct span text = exact((struct span){ (const char *)data, size });

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		check_preview(text, 6, columns[i]);
		check_preview(text, 5000, columns[i]);
	}
	check_keys(text);
	drop(text);
	return 0;
}
