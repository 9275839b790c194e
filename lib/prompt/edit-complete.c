/*
 * What Tab does: names of files behind an @, and what the caller knows; nothing else. A
 * blank in a name is written with a backslash before it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "prompt/edit-line.h"
#include "tty/neutral.h"

#define BREAKS " \t\n"
#define TO_QUOTE " \t\n\\'\"" /* as lib/base/words.h has it */

static struct edit_completion what;
static bool behind_at;
static size_t next_word;

/* An @ is not part of the name. */
static char *next_file(const char *text, int state)
{
	char *name = edit_rl.rl_filename_completion_function(text + behind_at, state), *whole;
	size_t n;

	if (!name || !behind_at)
		return name;
	n = strlen(name) + 1;
	whole = malloc(n + 1);
	if (whole) {
		whole[0] = '@';
		memcpy(whole + 1, name, n);
	}
	free(name);
	return whole;
}

/* readline writes what it lists as it is. Who made such a name did not mean it to be seen. */
static bool would_be_obeyed(const char *name)
{
	struct span s = span_str(name);
	uint32_t c;

	while (s.n) {
		int len = utf8_decode(s.p, s.n, &c);
		size_t n = len > 0 ? (size_t)len : 1;

		if (len > 1 && neutral_is_shown(c))
			return true;
		s = (struct span){ s.p + n, s.n - n };
	}
	return false;
}

static char *next_candidate(const char *text, int state)
{
	static bool began;

	if (!state) {
		next_word = 0;
		began = false;
	}
	if (next_word < what.n)
		return what.words[next_word++];
	if (!what.files)
		return NULL;
	state = began;
	began = true;
	return next_file(text, state);
}

/* readline frees what it is given. */
static char *next_match(const char *text, int state)
{
	char *match;

	while ((match = next_candidate(text, state)) && would_be_obeyed(match)) {
		free(match);
		state = 1;
	}
	return match;
}

static char **complete(const char *text, int start, int end)
{
	struct edit *ed = edit_now;
	char **matches;

	(void)end;
	*edit_rl.rl_attempted_completion_over = 1;
	what = (struct edit_completion){
		.line = { *edit_rl.rl_line_buffer, (size_t)*edit_rl.rl_end },
		.word = span_str(text), .first = start == 0,
	};
	behind_at = *text == '@';
	what.files = behind_at;
	if (!behind_at && ed->o.complete)
		ed->o.complete(ed->o.ctx, &what);
	if (what.files)
		*edit_rl.rl_filename_completion_desired = *edit_rl.rl_filename_quoting_desired = 1;
	matches = edit_rl.rl_completion_matches(text, next_match);
	while (next_word < what.n)
		free(what.words[next_word++]);
	free(what.words);
	what = (struct edit_completion){ .n = 0 };
	return matches;
}

/* ---- names with blanks ---- */

static bool is_quoted(const char *text, size_t at)
{
	size_t n = 0;

	while (n < at && text[at - 1 - n] == '\\')
		n++;
	return n % 2;
}

static int char_is_quoted(char *text, int at)
{
	return is_quoted(text, (size_t)at);
}

static char *quote(char *name, int type, char *mark)
{
	char *quoted = malloc(2 * strlen(name) + 1), *to = quoted;

	(void)type, (void)mark;
	if (!quoted)
		return NULL;
	for (; *name; name++) {
		if (strchr(TO_QUOTE, *name))
			*to++ = '\\';
		*to++ = *name;
	}
	*to = '\0';
	return quoted;
}

static char *unquote(char *name, int mark)
{
	char *plain = strdup(name), *to = plain;

	(void)mark;
	for (; plain && *name; name++) {
		if (*name == '\\' && name[1])
			name++;
		*to++ = *name;
	}
	if (plain)
		*to = '\0';
	return plain;
}

/* Of the name that readline looks for on the disk. */
static int without_at(char **name)
{
	if (!behind_at || (*name)[0] != '@')
		return 0;
	memmove(*name, *name + 1, strlen(*name));
	return 1;
}

void edit_complete_setup(void)
{
	*edit_rl.rl_attempted_completion_function = complete;
	*edit_rl.rl_completer_word_break_characters = BREAKS;
	/* Quotes of a text are no quotes of a name; but without any, backslashes are not seen. */
	*edit_rl.rl_completer_quote_characters = "\001";
	*edit_rl.rl_filename_quote_characters = TO_QUOTE;
	*edit_rl.rl_char_is_quoted_p = char_is_quoted;
	*edit_rl.rl_filename_quoting_function = quote;
	*edit_rl.rl_filename_dequoting_function = unquote;
	*edit_rl.rl_filename_stat_hook = without_at;
}
