#include "base/words.h"

#include <stdlib.h>

#include "tap.h"

/* The words of `line` in brackets, or the error. */
static void splits(const char *line, const char *want)
{
	struct words w = WORDS_INIT;
	struct buf got = BUF_INIT;
	struct err e = ERR_INIT;

	if (words_split(&w, span_str(line), &e) < 0)
		buf_addf(&got, "%d %s", e.kind == ERR_USAGE, e.msg);
	else
		for (size_t i = 0; i < w.n; i++)
			buf_addf(&got, "[%s]", w.v[i]);
	is_buf(&got, want, "words of '%s'", line);
	words_release(&w);
	buf_release(&got);
}

static void comes_back(const char *word)
{
	struct buf quoted = BUF_INIT, again = BUF_INIT;

	words_quote(&quoted, span_str(word));
	is_int((int64_t)words_first(buf_span(&quoted), &again), (int64_t)quoted.n, "'%s' is one word", quoted.p);
	is_buf(&again, word, "and itself");
	buf_release(&quoted);
	buf_release(&again);
}

int main(void)
{
	struct buf word = BUF_INIT;

	setenv("HOME", "/home/user", 1);
	splits("", "");
	splits("  \t\n ", "");
	splits("one", "[one]");
	splits(" one  two\tthree\n", "[one][two][three]");
	splits("'a b' \"c d\" e\\ f", "[a b][c d][e f]");
	splits("a'b c'd\"e f\"g", "[ab cde fg]");
	splits("'' \"\"", "[][]");
	splits("'\\' \"\\\"\\\\\\n\" \\'", "[\\][\"\\\\n][']");
	splits("end\\", "[end\\]");
	splits("$HOME `x` *", "[$HOME][`x`][*]");
	splits("~/a ~/'b c' ~ ~x/y a~/b", "[/home/user/a][/home/user/b c][~][~x/y][a~/b]");
	splits("'~/a' \\~/a \"~/a\"", "[~/a][~/a][~/a]");
	splits("it's", "1 a quote is not closed: it's");
	splits("a \"b c", "1 a quote is not closed: \"b c");
	splits("größe 語", "[größe][語]");
	unsetenv("HOME");
	splits("~/a", "[~/a]");
	is_int((int64_t)words_first(span_str("a\\ b c"), &word), 4, "the first word");
	is_buf(&word, "a b", "and what it is");
	buf_clear(&word);
	is_int((int64_t)words_first(span_str("'a b"), &word), 0, "none, of a quote that is not closed");
	buf_release(&word);
	comes_back("plain");
	comes_back("with blank");
	comes_back("it's \"quoted\" \\ and\ttabs\nlines");
	return tap_end();
}
