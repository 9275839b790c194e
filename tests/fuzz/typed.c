/*
 * lib/store/typed. The input is a file of what was typed.
 *
 * Properties: the texts that are read are not empty, hold no NUL, and none comes twice; a
 * limit leaves the newest of them. A line that is a record by the letter is among them, and
 * where several have its text, the last one says where it stands.
 */
#include "store/typed.h"

#include "fuzz.h"

#define MANY 100000

struct list {
	struct span v[256];
	size_t n;
};

static int take(void *ctx, struct span text, struct err *e)
{
	struct list *l = ctx;

	(void)e;
	must(text.n > 0 && !memchr(text.p, '\0', text.n), "a text of %zu bytes", text.n);
	for (size_t i = 0; i < l->n; i++)
		must(!same(l->v[i], text), "'%.*s' comes twice", (int)text.n, text.p);
	if (l->n < 256)
		l->v[l->n++] = exact(text);
	return 0;
}

static struct list read_texts(const struct jsonl *j, size_t max)
{
	struct list l = { .n = 0 };
	struct err e = ERR_INIT;

	must(typed_texts(j, 0, max, take, &l, &e) == 0, "%s", e.msg);
	return l;
}

static void release(struct list *l)
{
	while (l->n)
		drop(l->v[--l->n]);
}

/* What json-c makes of the line; false where the letter of the format is not kept. */
static bool strictly(struct span line, struct json_object **o, struct span *text)
{
	struct err e = ERR_INIT;
	int64_t version = 0;
	struct span type;

	if (json_parse_object(line, o, &e) < 0)
		return false;
	if (json_get_str(*o, "type", &type, &e) > 0 && span_eq(type, "typed") &&
	    json_get_int(*o, "version", &version, &e) > 0 && version == 1 &&
	    json_get_str(*o, "text", text, &e) > 0 && text->n && !memchr(text->p, '\0', text->n))
		return true;
	json_object_put(*o);
	return false;
}

static size_t place_of(const struct list *l, struct span text)
{
	for (size_t i = 0; i < l->n; i++)
		if (same(l->v[i], text))
			return i;
	return l->n;
}

/* From the end: a text that is met for the first time stands before those that were. */
static void check_order(const struct jsonl *j, const struct list *l)
{
	size_t at = j->n, before = l->n;
	struct json_object *o;
	struct span line, text;
	bool seen[256] = { false };

	if (l->n == 256)
		return;
	while (jsonl_prev(j, &at, &line)) {
		size_t place;

		if (!strictly(line, &o, &text)) {
			if (line.n && line.p[0] == '{' && json_is_whole(line))
				return; /* a name twice: which one counts, we do not say */
			continue;
		}
		place = place_of(l, text);
		must(place < l->n, "'%.*s' is there", (int)text.n, text.p);
		must(seen[place] || place < before, "the place of '%.*s'", (int)text.n, text.p);
		if (!seen[place])
			before = place;
		seen[place] = true;
		json_object_put(o);
	}
}

static void check_limit(const struct jsonl *j, const struct list *all, size_t max)
{
	struct list few = read_texts(j, max);
	size_t want = all->n < max ? all->n : max;

	must(few.n == want, "%zu of %zu", few.n, all->n);
	for (size_t i = 0; i < want; i++)
		must(same(few.v[i], all->v[all->n - want + i]), "number %zu of the newest %zu", i, max);
	release(&few);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = exact((struct span){ (const char *)data, size });
	struct jsonl j = { text.p, size, size };
	struct list all;

	while (j.n && text.p[j.n - 1] != '\n')
		j.n--;
	all = read_texts(&j, MANY);
	check_order(&j, &all);
	if (all.n < 256)
		for (size_t max = 1; max < 4; max++)
			check_limit(&j, &all, max);
	release(&all);
	drop(text);
	return 0;
}
