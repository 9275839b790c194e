/*
 * Histories in short: a line of a few letters stands for a record, so that
 * conversations are found by more than luck, and read at a glance.
 *
 *	s	the session record		eX	a complete exchange of id X
 *	iX	an interrupted one		dX	a damaged one: JSON, but no record
 *	rX	a rewind to X			r	a rewind to before the first
 *	mX	a change of the model to X	tX	of the title
 *	gX	a summary of all up to X
 *
 * Any other line stands as it is. A last line without a newline is torn. On a line with NUL
 * bytes this holds for each part between them.
 */
#ifndef FUZZ_STORY_H
#define FUZZ_STORY_H

#include "fuzz.h"
#include "store/record.h"

static inline void story_exchange(struct buf *b, struct span id, enum status status)
{
	const struct exchange x = { .id = id, .query = id, .timestamp = (int64_t)id.n * 1000,
		                    .status = status, .duration = 5, .usage = { 1, -1, 3, -1, -1, -1, -1 } };

	record_add_exchange(b, &x);
	b->n--; /* its newline: the input's own follows */
}

/* The ids of the short forms are clean, or they would not be in a record. */
static inline bool story_is_short(struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] < '0' || line.p[i] > 'z' || line.p[i] == '\\')
			return false;
	return line.n && line.n < 8 && strchr("seidrmtg", line.p[0]);
}

static inline void story_line(struct buf *b, struct span line)
{
	struct span arg = { line.p + 1, line.n - 1 };
	const char *nul = memchr(line.p, '\0', line.n);

	if (nul) {
		size_t n = (size_t)(nul - line.p);

		story_line(b, (struct span){ line.p, n });
		buf_addc(b, '\0');
		story_line(b, (struct span){ nul + 1, line.n - n - 1 });
		return;
	}
	if (!story_is_short(line)) {
		buf_add(b, line.p, line.n);
		return;
	}
	switch (line.p[0]) {
	case 's':
		buf_addf(b, "{\"type\":\"session\",\"version\":1,\"id\":\"s\",\"createdAt\":%zu,"
		         "\"provider\":\"p\",\"model\":\"%.*s\"}", line.n, (int)arg.n, arg.p);
		break;
	case 'e':
	case 'i':
		story_exchange(b, arg, line.p[0] == 'e' ? STATUS_COMPLETE : STATUS_INTERRUPTED);
		break;
	case 'd':
		buf_addf(b, "{\"type\":\"exchange\",\"id\":\"%.*s\"}", (int)arg.n, arg.p);
		break;
	case 'r':
		buf_addf(b, arg.n ? "{\"type\":\"rewind\",\"timestamp\":1,\"to\":\"%.*s\"}"
		                  : "{\"type\":\"rewind\",\"timestamp\":1,\"to\":null%.*s}", (int)arg.n, arg.p);
		break;
	case 'g':
		buf_addf(b, "{\"type\":\"summary\",\"timestamp\":%zu,\"upTo\":\"%.*s\",\"text\":\"t%zu\","
		         "\"model\":\"p\",\"tokenUsage\":{\"totalTokens\":7}}", 1000 * arg.n, (int)arg.n, arg.p,
		         b->n);
		break;
	case 'm':
	case 't':
		buf_addf(b, "{\"type\":\"change\",\"timestamp\":1,\"%s\":\"%.*s\"}",
		         line.p[0] == 'm' ? "model" : "title", (int)arg.n, arg.p);
		break;
	}
}

/* Adds the history that is told. */
static inline void add_story(struct buf *b, struct span story)
{
	const char *end = story.p + story.n;
	struct span line;

	while (cut_line(&story, &line)) {
		story_line(b, line);
		if (line.p + line.n < end)
			buf_addc(b, '\n');
	}
}

#endif
