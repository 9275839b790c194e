#include "prompt/edit-text.h"

#define QUOTES "\"\"\""
#define NQUOTES 3

static bool begins_quoted(struct span text)
{
	return text.n >= NQUOTES && memcmp(text.p, QUOTES, NQUOTES) == 0;
}

static size_t count_quotes(struct span text)
{
	const char *p = text.p, *end = text.p + text.n;
	size_t n = 0;

	while ((p = memmem(p, (size_t)(end - p), QUOTES, NQUOTES)) != NULL) {
		p += NQUOTES;
		n++;
	}
	return n;
}

enum edit_enter edit_text_enter(struct span text)
{
	size_t slashes = 0;

	if (begins_quoted(text))
		return count_quotes(text) % 2 ? EDIT_QUOTED : EDIT_ENDS;
	while (slashes < text.n && text.p[text.n - 1 - slashes] == '\\')
		slashes++;
	return slashes % 2 ? EDIT_BACKSLASH : EDIT_ENDS;
}

/* The lines that the delimiters stand on alone are theirs. */
static struct span between_quotes(struct span text)
{
	text = (struct span){ text.p + NQUOTES, text.n - 2 * (size_t)NQUOTES };
	if (text.n && *text.p == '\n')
		text = (struct span){ text.p + 1, text.n - 1 };
	return text;
}

struct span edit_text_prompt(struct span text, bool *quoted)
{
	struct span s = span_trim_end(text, SPAN_WHITE);

	*quoted = begins_quoted(text) && s.n >= 2 * (size_t)NQUOTES && count_quotes(s) % 2 == 0 &&
	          memcmp(s.p + s.n - NQUOTES, QUOTES, NQUOTES) == 0;
	if (*quoted)
		text = between_quotes(s);
	return span_trim_end(text, "\n");
}
