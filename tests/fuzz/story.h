/*
 * Histories in short: a line of a few letters stands for a record, so that
 * conversations are found by more than luck, and read at a glance.
 *
 *	s	the session record		eX	a complete exchange of id X
 *	iX	an interrupted one		xX	a failed one
 *	pX	a step of the exchange X	oX	the result of a call of one of its steps
 *	rX	a rewind to X			r	a rewind to before the first
 *	cX	a change of id X		gX	a summary of all up to X
 *	tX	a change of the title to X, without an id
 *	mX	a change of a model, which no reader heeds
 *	dX	a damaged exchange: JSON, but no record
 *
 * More about the record follows, each part behind a character:
 *
 *	exchange	<X its parent, or none without X; ^X replaces X; :N steps
 *	step		:N its number; =abc its calls, a letter each
 *	result		:N the step; =X the call
 *	change		=X the title; >X the tag X is set, <X taken away; ^X the metadata key X, ^ and
 *			nothing behind it removes the key "k"
 *	summary		=X its id
 *	rewind		^X the head before, or none without X; ; by a merge
 *	any		@N its time, in seconds
 *
 * Any other line stands as it is. A last line without a newline is torn. On a line with NUL
 * bytes this holds for each part between them.
 */
#ifndef FUZZ_STORY_H
#define FUZZ_STORY_H

#include "fuzz.h"
#include "store/record.h"

/* ---- the parts of a short line ---- */

#define STORY_MARKS "<>^:=@;"

/* What is behind the last `mark`, which may be empty; p == NULL: there is none. */
static inline struct span story_part(struct span line, char mark)
{
	struct span part = { NULL, 0 };

	for (size_t i = 1; i < line.n; i++)
		if (line.p[i] == mark)
			part = (struct span){ line.p + i + 1, 0 };
	while (part.p && part.p + part.n < line.p + line.n && !strchr(STORY_MARKS, part.p[part.n]))
		part.n++;
	return part;
}

/* What is before all marks. */
static inline struct span story_main(struct span line)
{
	struct span part = { line.p + 1, 0 };

	while (part.n + 1 < line.n && !strchr(STORY_MARKS, part.p[part.n]))
		part.n++;
	return part;
}

static inline int64_t story_number(struct span line, char mark, int64_t otherwise)
{
	struct span part = story_part(line, mark);
	int64_t n = 0;

	if (!part.n)
		return otherwise;
	for (size_t i = 0; i < part.n && i < 4; i++)
		n = 10 * n + (part.p[i] & 15);
	return n;
}

static inline int64_t story_time(struct span line, int64_t otherwise)
{
	return story_part(line, '@').n ? 1000 * story_number(line, '@', 0) : otherwise;
}

/* Nothing instead of an empty one. */
static inline struct span story_id(struct span line, char mark)
{
	struct span part = story_part(line, mark);

	return part.n ? part : (struct span){ NULL, 0 };
}

/* ---- the records ---- */

static inline void story_exchange(struct buf *b, struct span line, enum status status)
{
	struct span id = story_main(line);
	const struct exchange x = { .id = id, .query = id, .model = id,
		                    .timestamp = story_time(line, (int64_t)id.n * 1000),
		                    .has_parent = story_part(line, '<').p, .parent = story_id(line, '<'),
		                    .replaces = story_id(line, '^'), .steps = story_number(line, ':', 0),
		                    .status = status, .duration = 5, .usage = { 1, -1, 3, -1, -1, -1, -1 } };

	record_add_exchange(b, &x);
}

static inline void story_step(struct buf *b, struct span line)
{
	struct span calls = story_part(line, '=');
	struct json_object *arguments = json_object_new_object();
	struct tool_call list[16];
	struct step s = { .exchange = story_main(line), .n = story_number(line, ':', 0), .text = calls,
		          .timestamp = story_time(line, 1), .model = span_str("m"), .calls = list,
		          .duration = 7, .usage = { 10, -1, 30, -1, -1, -1, -1 } };

	for (; s.ncalls < calls.n && s.ncalls < 16; s.ncalls++)
		list[s.ncalls] = (struct tool_call){ { calls.p + s.ncalls, 1 }, span_str("tool"), arguments };
	record_add_step(b, &s);
	json_object_put(arguments);
}

static inline void story_result(struct buf *b, struct span line)
{
	const struct result r = { .exchange = story_main(line), .n = story_number(line, ':', 0),
		                  .call = story_part(line, '='), .timestamp = story_time(line, 1),
		                  .status = RESULT_OK, .exit_status = 0, .duration = 9, .output = line };

	record_add_result(b, &r);
}

static inline void story_set(struct json_object **o, struct span name, struct json_object *value)
{
	char key[32];

	snprintf(key, sizeof(key), "%.*s", (int)name.n, name.p);
	if (!*o)
		*o = json_object_new_object();
	json_object_object_add(*o, key, value);
}

static inline void story_change(struct buf *b, struct span line)
{
	struct change c = { .id = story_main(line), .timestamp = story_time(line, 1),
		            .title = story_part(line, '='), .usage = { 2, -1, -1, -1, -1, -1, 5 } };
	struct span on = story_id(line, '>'), off = story_id(line, '<'), key = story_part(line, '^');

	if (on.p)
		story_set(&c.tags, on, json_object_new_boolean(true));
	if (off.p)
		story_set(&c.tags, off, json_object_new_boolean(false));
	if (key.p)
		story_set(&c.metadata, key.n ? key : span_str("k"),
		          key.n ? json_object_new_string_len(line.p, (int)line.n) : NULL);
	record_add_change(b, &c);
	json_object_put(c.tags);
	json_object_put(c.metadata);
}

static inline void story_rewind(struct buf *b, struct span line)
{
	struct span to = story_main(line);
	const struct rewind r = { .timestamp = story_time(line, 1), .has_from = story_part(line, '^').p,
		                  .from = story_id(line, '^'), .to = to.n ? to : (struct span){ NULL, 0 },
		                  .merged = story_part(line, ';').p };

	record_add_rewind(b, &r);
}

static inline void story_summary(struct buf *b, struct span line)
{
	struct span up_to = story_main(line);
	struct summary s = { .id = story_id(line, '='), .up_to = up_to, .model = span_str("p"),
		             .timestamp = story_time(line, 1000 * (int64_t)up_to.n),
		             .usage = { -1, -1, 7, -1, -1, -1, -1 } };
	char text[32];

	snprintf(text, sizeof(text), "t%zu", b->n);
	s.text = span_str(text);
	record_add_summary(b, &s);
}

/* ---- a history ---- */

/* The ids of the short forms are clean, or they would not be in a record. */
static inline bool story_is_short(struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] < '0' || line.p[i] > 'z' || line.p[i] == '\\')
			return false;
	return line.n && line.n < 20 && strchr("seixpordmtgc", line.p[0]);
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
		         "\"provider\":\"p\",\"model\":\"%.*s\"}\n", line.n, (int)arg.n, arg.p);
		break;
	case 'e': story_exchange(b, line, STATUS_COMPLETE); break;
	case 'i': story_exchange(b, line, STATUS_INTERRUPTED); break;
	case 'x': story_exchange(b, line, STATUS_ERROR); break;
	case 'd':
		buf_addf(b, "{\"type\":\"exchange\",\"id\":\"%.*s\"}\n", (int)arg.n, arg.p);
		break;
	case 'p': story_step(b, line); break;
	case 'o': story_result(b, line); break;
	case 'c': story_change(b, line); break;
	case 'r': story_rewind(b, line); break;
	case 'g': story_summary(b, line); break;
	case 'm':
	case 't':
		buf_addf(b, "{\"type\":\"change\",\"timestamp\":1,\"%s\":\"%.*s\"}\n",
		         line.p[0] == 'm' ? "model" : "title", (int)arg.n, arg.p);
		break;
	}
	b->n--; /* its newline: the input's own follows */
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
