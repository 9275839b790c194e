#include "base/words.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/env.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What is between two quotes; returns where the second one is, or `n`. */
static size_t take_quoted(struct span line, size_t i, struct buf *word)
{
	char quote = line.p[i++];

	for (; i < line.n && line.p[i] != quote; i++) {
		if (quote == '"' && line.p[i] == '\\' && i + 1 < line.n && strchr("\"\\", line.p[i + 1]))
			i++;
		buf_addc(word, line.p[i]);
	}
	return i;
}

/* It is there when its name is: then the rest is added to it. */
static void expand_home(struct buf *word)
{
	struct buf path = BUF_INIT;

	env_expand(&path, word->p);
	word->oom |= path.oom;
	buf_clear(word);
	buf_add(word, path.p, path.n);
	buf_release(&path);
}

size_t words_first(struct span line, struct buf *word)
{
	bool home = line.n > 1 && line.p[0] == '~' && line.p[1] == '/';
	size_t i;

	for (i = 0; i < line.n && !is_blank(line.p[i]); i++) {
		if (line.p[i] == '"' || line.p[i] == '\'') {
			i = take_quoted(line, i, word);
			if (i == line.n)
				return 0;
		} else {
			if (line.p[i] == '\\' && i + 1 < line.n)
				i++;
			buf_addc(word, line.p[i]);
		}
	}
	if (home)
		expand_home(word);
	return i;
}

static int add(struct words *w, struct buf *word, struct err *e)
{
	char **v = buf_check(word, e) < 0 ? NULL : array_room(w->v, w->n, &w->cap, sizeof(*v), e);

	if (!v)
		return -1;
	w->v = v;
	v[w->n] = strdup(word->p);
	return v[w->n] ? (w->n++, 0) : err_oom(e);
}

int words_split(struct words *w, struct span line, struct err *e)
{
	struct buf word = BUF_INIT;
	int r = 0;

	while (r == 0) {
		size_t n;

		line = span_trim_start(line, SPAN_WHITE);
		if (!line.n)
			break;
		buf_clear(&word);
		n = words_first(line, &word);
		r = n ? add(w, &word, e) : err_set(e, ERR_USAGE, "a quote is not closed: %.*s", (int)line.n, line.p);
		line = (struct span){ line.p + n, line.n - n };
	}
	buf_release(&word);
	return r;
}

void words_release(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
	*w = (struct words)WORDS_INIT;
}

void words_quote(struct buf *b, struct span word)
{
	for (size_t i = 0; i < word.n; i++) {
		if (strchr(" \t\n\r\"'\\", word.p[i]) && word.p[i])
			buf_addc(b, '\\');
		buf_addc(b, word.p[i]);
	}
}
