#include "base/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

const struct opt cli_common[] = {
	{ OPT_HELP, "help", NULL, ARG_NONE, "show this help" },
	{ OPT_VERSION, "version", NULL, ARG_NONE, "show the version" },
	{ 0 },
};

#define MAX_OPTS 64

/* The tool's options, then the common ones. */
static size_t merge(const struct opt *own, const struct opt **all)
{
	size_t n = 0;

	for (const struct opt *o = own; o && o->name && n < MAX_OPTS; o++)
		all[n++] = o;
	for (const struct opt *o = cli_common; o->name && n < MAX_OPTS; o++)
		all[n++] = o;
	return n;
}

static const struct opt *find_letter(const struct opt **all, size_t n, char letter)
{
	for (size_t i = 0; i < n; i++)
		if (all[i]->id == (unsigned char)letter)
			return all[i];
	return NULL;
}

static int unknown_long(const struct opt **all, size_t n, const char *word, struct err *e)
{
	const char *names[MAX_OPTS + 1], *suggestion;

	for (size_t i = 0; i < n; i++)
		names[i] = all[i]->name;
	names[n] = NULL;
	suggestion = suggest_name(word, names);
	if (suggestion)
		return err_set(e, ERR_USAGE, "unknown option '--%s'; did you mean '--%s'?", word, suggestion);
	return err_set(e, ERR_USAGE, "unknown option '--%s'", word);
}

/* `len` bytes of `word` are the name; an unambiguous beginning will do. */
static const struct opt *find_long(const struct opt **all, size_t n, const char *word, size_t len,
                                   struct err *e)
{
	const struct opt *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (strncmp(all[i]->name, word, len) == 0 && all[i]->name[len] == '\0')
			return all[i];
	for (size_t i = 0; i < n; i++) {
		if (strncmp(all[i]->name, word, len) != 0)
			continue;
		if (found) {
			err_set(e, ERR_USAGE, "option '--%.*s' may be '--%s' or '--%s'", (int)len, word,
			        found->name, all[i]->name);
			return NULL;
		}
		found = all[i];
	}
	if (!found) {
		char name[64];

		len = len < sizeof(name) ? len : sizeof(name) - 1;
		memcpy(name, word, len);
		name[len] = '\0';
		unknown_long(all, n, name, e);
	}
	return found;
}

static bool may_be_missing(const struct opt *o)
{
	return o->arg[0] == '[';
}

struct words {
	char **argv;
	int argc, at;
};

static void put(struct cli *c, int id, const char *val)
{
	c->opts[c->nopts++] = (struct cli_opt){ id, val };
}

static int parse_long(struct cli *c, const struct opt **all, size_t n, struct words *w,
                      struct err *e)
{
	const char *word = w->argv[w->at++] + 2;
	size_t len = strcspn(word, "=");
	const struct opt *o = find_long(all, n, word, len, e);

	if (!o)
		return -1;
	if (!o->arg && word[len] == '=')
		return err_set(e, ERR_USAGE, "option '--%s' takes no value", o->name);
	if (!o->arg)
		put(c, o->id, NULL);
	else if (word[len] == '=')
		put(c, o->id, word + len + 1);
	else if (w->at < w->argc)
		put(c, o->id, w->argv[w->at++]);
	else if (may_be_missing(o))
		put(c, o->id, NULL);
	else
		return err_set(e, ERR_USAGE, "option '--%s' needs a value: %s", o->name, o->arg);
	return 0;
}

static int parse_cluster(struct cli *c, const struct opt **all, size_t n, struct words *w,
                         struct err *e)
{
	const char *p = w->argv[w->at++] + 1;

	for (; *p; p++) {
		const struct opt *o = find_letter(all, n, *p);

		if (!o)
			return err_set(e, ERR_USAGE, "unknown option '-%c'", *p);
		if (!o->arg) {
			put(c, o->id, NULL);
			continue;
		}
		if (p[1] == ' ')
			return err_set(e, ERR_USAGE, "'%s' is one word, with a blank in it: an option '-%c' and its value "
			               "are two", w->argv[w->at - 1], *p);
		if (p[1])
			put(c, o->id, p + 1);
		else if (w->at < w->argc)
			put(c, o->id, w->argv[w->at++]);
		else if (may_be_missing(o))
			put(c, o->id, NULL);
		else
			return err_set(e, ERR_USAGE, "option '-%c' needs a value: %s", *p, o->arg);
		break;
	}
	return 0;
}

int cli_parse(struct cli *c, const struct opt *opts, int argc, char **argv, struct err *e)
{
	const struct opt *all[MAX_OPTS];
	size_t n = merge(opts, all), letters = 0;
	struct words w = { argv, argc, 0 };

	for (int i = 0; i < argc; i++)
		letters += strlen(argv[i]) + 1;
	*c = (struct cli)CLI_INIT;
	c->opts = calloc(letters + 1, sizeof(*c->opts)); /* no word holds more options than letters */
	c->operands = calloc((size_t)argc + 1, sizeof(*c->operands));
	if (!c->opts || !c->operands)
		return err_oom(e);
	while (w.at < argc) {
		const char *word = argv[w.at];
		int r = 0;

		if (word[0] != '-' || !word[1]) {
			c->operands[c->noperands++] = argv[w.at++];
		} else if (strcmp(word, "--") == 0) {
			for (w.at++; w.at < argc; w.at++)
				c->operands[c->noperands++] = argv[w.at];
		} else if (word[1] == '-') {
			r = parse_long(c, all, n, &w, e);
		} else {
			r = parse_cluster(c, all, n, &w, e);
		}
		if (r < 0)
			return -1;
	}
	return 0;
}

void cli_release(struct cli *c)
{
	free(c->opts);
	free(c->operands);
	*c = (struct cli)CLI_INIT;
}

int cli_number(const char *text, const char *what, long min, long max, long *out, struct err *e)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	if (end != text && !*end && !errno && *out >= min && *out <= max)
		return 0;
	if (max == LONG_MAX)
		return err_set(e, ERR_USAGE, "%s '%s' is not a whole number from %ld on", what, text, min);
	return err_set(e, ERR_USAGE, "%s '%s' is not a whole number from %ld to %ld", what, text, min, max);
}
