#include "store/leftover.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define NEW ".new-"
#define REMOVED ".removed-"
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyz" /* id_generate() takes these and digits */

void leftover_name_new(char name[LEFTOVER_SIZE], const char *id, const char *random)
{
	snprintf(name, LEFTOVER_SIZE, NEW "%s-%s", id, random);
}

void leftover_name_removed(char name[LEFTOVER_SIZE], const char *id, pid_t pid, int64_t time)
{
	snprintf(name, LEFTOVER_SIZE, REMOVED "%s-%ld-%lld", id, (long)pid, (long long)time);
}

/* Cuts "-" and characters of `set` off the end of `name`. Returns how many characters these were, or 0. */
static size_t cut_end(struct span *name, const char *set)
{
	size_t n = name->n - span_trim_end(*name, set).n;

	if (!n || n == name->n || name->p[name->n - n - 1] != '-')
		return 0;
	name->n -= n + 1;
	return n;
}

static enum leftover parse_leftover(const char *name, struct span *id)
{
	*id = span_str(name);
	if (strncmp(name, NEW, strlen(NEW)) == 0) {
		*id = span_str(name + strlen(NEW));
		if (cut_end(id, LETTERS DIGITS) != 8)
			*id = (struct span){ "", 0 };
		return LEFTOVER_NEW;
	}
	if (strncmp(name, REMOVED, strlen(REMOVED)) != 0)
		return LEFTOVER_NONE;
	*id = span_str(name + strlen(REMOVED));
	return cut_end(id, DIGITS) && cut_end(id, DIGITS) ? LEFTOVER_REMOVED : LEFTOVER_NONE;
}

enum leftover leftover_kind(const char *name)
{
	struct span ignored;

	return parse_leftover(name, &ignored);
}

enum leftover leftover_of(const char *name, const char *id)
{
	struct span own;
	enum leftover kind = parse_leftover(name, &own);

	return span_eq(own, id) ? kind : LEFTOVER_NONE;
}
