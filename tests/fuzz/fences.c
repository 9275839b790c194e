/*
 * A Markdown text. What is between longer fences than it has is one block, and the same to the
 * byte; as it stands, its blocks hold nothing that it does not, but for blanks, their languages are
 * within it, and what follows a text cannot change the blocks that were closed before.
 */
#include "base/fences.h"

#include "fuzz.h"

static void find(struct fences *f, struct span text)
{
	struct err e = ERR_INIT;

	must(fences_find(f, text, &e) == 0, "%s", e.msg);
}

static void check_whole(struct span text, char mark)
{
	struct fences f = FENCES_INIT;
	struct buf b = BUF_INIT;
	size_t longest = 2, run = 0;

	for (size_t i = 0; i < text.n; i++) {
		run = text.p[i] == mark ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	for (size_t i = 0; i <= longest; i++)
		buf_addc(&b, mark);
	buf_adds(&b, " c\n");
	buf_add(&b, text.p, text.n);
	find(&f, buf_span(&b));
	must(f.n == 1, "%zu blocks", f.n);
	must_be_same(buf_span(&f.v[0].code), text, "the code");
	must_be_same(f.v[0].language, span_str("c"), "the language");
	fences_release(&f);
	buf_release(&b);
}

static size_t letters(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] != ' ' && s.p[i] != '\t';
	return n;
}

static void check_parts(struct span text)
{
	struct fences f = FENCES_INIT, more = FENCES_INIT;
	struct buf b = BUF_INIT;
	size_t sum = 0;

	find(&f, text);
	for (size_t i = 0; i < f.n; i++) {
		struct span l = f.v[i].language;

		sum += letters(buf_span(&f.v[i].code));
		must(l.p >= text.p && l.p + l.n <= text.p + text.n, "the language of block %zu", i);
	}
	must(sum <= letters(text), "%zu letters", sum);
	buf_add(&b, text.p, text.n);
	buf_adds(&b, "\n\nend\n");
	find(&more, buf_span(&b));
	must(more.n == f.n, "%zu blocks, and %zu", f.n, more.n);
	for (size_t i = 0; i + 1 < f.n; i++)
		must_be_same(buf_span(&more.v[i].code), buf_span(&f.v[i].code), "a block");
	fences_release(&f);
	fences_release(&more);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { size ? (const char *)data : "", size };

	check_whole(text, '`');
	check_whole(text, '~');
	check_parts(text);
	return 0;
}
