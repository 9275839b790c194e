/*
 * A line of words. Taken apart it has no more than it has; each of them quoted, and the line made
 * of these, is the same words again; and the first of a line is what words_first() says it is.
 */
#include "base/words.h"

#include "fuzz.h"

static void check_again(const struct words *w)
{
	struct words again = WORDS_INIT;
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;
	size_t n = 0, k = 0;

	for (size_t i = 0; i < w->n; i++)
		if (*w->v[i] && strncmp(w->v[i], "~/", 2) != 0) { /* which would be another word */
			words_quote(&line, span_str(w->v[i]));
			buf_addc(&line, ' ');
			n++;
		}
	must(words_split(&again, buf_span(&line), &e) == 0, "%s", e.msg);
	must(again.n == n, "%zu words, and %zu", n, again.n);
	for (size_t i = 0; i < w->n; i++)
		if (*w->v[i] && strncmp(w->v[i], "~/", 2) != 0)
			must_be_same(span_str(again.v[k++]), span_str(w->v[i]), "a word");
	words_release(&again);
	buf_release(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = input_str(data, size);
	struct words w = WORDS_INIT;
	struct buf first = BUF_INIT;
	struct err e = ERR_INIT;
	size_t blanks = strspn(text, " \t\r\n"), n;

	unsetenv("HOME");
	if (words_split(&w, span_str(text), &e) == 0) {
		n = words_first(span_str(text + blanks), &first);
		must(!w.n == !text[blanks], "words of nothing");
		must(!w.n || (n > 0 && blanks + n <= strlen(text)), "%zu bytes", n);
		if (w.n)
			must_be_same(buf_span(&first), span_str(w.v[0]), "the first");
		must(w.n <= strlen(text) / 2 + 1, "%zu words", w.n);
		check_again(&w);
	} else {
		must(e.kind == ERR_USAGE && strpbrk(text, "'\""), "%s", e.msg);
	}
	words_release(&w);
	buf_release(&first);
	free(text);
	return 0;
}
