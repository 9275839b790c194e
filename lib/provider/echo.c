/*
 * echo: says the prompt back, word by word. No network, so that everything can be
 * tried, scripted and tested offline. It counts words as tokens.
 */
#include <string.h>

#include "provider/provider.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static size_t count_words(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += !is_space(s.p[i]) && (i == 0 || is_space(s.p[i - 1]));
	return n;
}

/* The next word, with the white space before it. */
static size_t next_piece(struct span s, size_t at)
{
	size_t i = at;

	while (i < s.n && is_space(s.p[i]))
		i++;
	while (i < s.n && !is_space(s.p[i]))
		i++;
	return i - at;
}

/* The text of the last message of the user; empty when it has none. */
static struct span last_prompt(const struct chat_request *rq)
{
	for (size_t i = rq->nmessages; i-- > 0;) {
		const struct message *m = &rq->messages[i];

		for (size_t k = m->n; m->role == ROLE_USER && k-- > 0;)
			if (m->parts[k].kind == MESSAGE_TEXT)
				return m->parts[k].text;
	}
	return (struct span){ "", 0 };
}

static int echo(const struct chat_request *rq, struct reply *r, struct err *e)
{
	struct span prompt = last_prompt(rq);
	size_t at = r->text.n, n = next_piece(prompt, at);
	int64_t words;

	buf_add(&r->text, prompt.p + at, n);
	if (buf_check(&r->text, e) < 0)
		return -1;
	if (r->text.n < prompt.n)
		return 1;
	words = (int64_t)count_words(prompt);
	r->usage = (struct usage){ words, words, 2 * words, -1, -1, -1, -1 };
	buf_adds(&r->finish_reason, FINISH_STOP);
	r->done = true;
	return buf_check(&r->finish_reason, e);
}

const struct provider provider_echo = {
	.name = "echo",
	.summary = "says the prompt back; needs no network",
	.model = "echo",
	.local = echo,
};
