/*
 * lib/base/cli. The input is a command line, a word a line.
 *
 * Properties: options and operands are those that the C library's getopt_long() finds,
 * in their order, and what it refuses is refused with a reason. A number is taken when
 * it is one and in its range. The nearest of some names is as near as any by a plain
 * count of edits.
 */
#include "base/cli.h"
#include "base/suggest.h"

#include <getopt.h>
#include <limits.h>

#include "fuzz.h"

#define MAX_WORDS 64

static const struct opt opts[] = {
	{ 'a', "all", NULL, ARG_NONE, "" },
	{ 'n', "max", "N", ARG_TEXT, "" },
	{ 's', "session", "ID", ARG_SESSION, "" },
	{ 'S', "system", "TEXT", ARG_TEXT, "" },
	{ OPT_LONG, "no-save", NULL, ARG_NONE, "" },
	{ OPT_LONG + 1, "no-save-at-all", NULL, ARG_NONE, "" },
	{ OPT_LONG + 2, "since", "WHEN", ARG_TEXT, "" },
	{ 0 },
};

static const struct option same_opts[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "max", required_argument, NULL, 'n' },
	{ "session", required_argument, NULL, 's' },
	{ "system", required_argument, NULL, 'S' },
	{ "no-save", no_argument, NULL, OPT_LONG },
	{ "no-save-at-all", no_argument, NULL, OPT_LONG + 1 },
	{ "since", required_argument, NULL, OPT_LONG + 2 },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

/* `argv` is with the command's name, and in another order afterwards. */
static void check_words(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct cli c;
	int r = cli_parse(&c, opts, argc - 1, argv + 1, &e), id;
	size_t n = 0;

	must(r == 0 || (e.kind == ERR_USAGE && e.msg[0]), "a reason");
	opterr = 0;
	optind = 0; /* glibc's way to begin anew */
	while ((id = getopt_long(argc, argv, "an:s:S:hV", same_opts, NULL)) != -1) {
		if (id == '?' || id == ':') {
			must(r < 0, "what getopt_long() refuses is taken");
			cli_release(&c);
			return;
		}
		if (r < 0)
			continue;
		must(n < c.nopts && c.opts[n].id == id, "option %zu", n);
		must(!c.opts[n].val == !optarg, "the value of option %zu", n);
		must(!optarg || strcmp(c.opts[n].val, optarg) == 0, "the value of option %zu", n);
		n++;
	}
	must(r == 0, "%s", e.msg);
	must(n == c.nopts, "%zu options instead of %zu", c.nopts, n);
	must(c.noperands == (size_t)(argc - optind), "%zu operands", c.noperands);
	for (size_t i = 0; i < c.noperands; i++)
		must(strcmp(c.operands[i], argv[optind + (int)i]) == 0, "operand %zu", i);
	cli_release(&c);
}

/* Digits with perhaps a sign before them; false for anything else. */
static bool model_number(const char *s, long *out)
{
	bool minus = *s == '-';

	*out = 0;
	s += minus;
	if (!*s || strlen(s) > 18)
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		*out = *out * 10 + *s - '0';
	*out = minus ? -*out : *out;
	return !*s;
}

static void check_number(const char *text)
{
	static const struct { long min, max; } ranges[] = {
		{ 0, 10 }, { 1, 86400 }, { -5, 5 }, { LONG_MIN, LONG_MAX },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct err e = ERR_INIT;
		long got = 0, want;
		bool good = cli_number(text, "number", ranges[i].min, ranges[i].max, &got, &e) == 0;

		must(good || (e.kind == ERR_USAGE && e.msg[0]), "a reason");
		must(!good || (got >= ranges[i].min && got <= ranges[i].max), "%ld", got);
		if (model_number(text, &want)) {
			must(good == (want >= ranges[i].min && want <= ranges[i].max), "%ld", want);
			must(!good || got == want, "%ld instead of %ld", got, want);
		}
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits from `a` to `b`, with the whole table. */
static size_t model_distance(const char *a, const char *b)
{
	static size_t d[80][80];
	size_t na = strlen(a), nb = strlen(b);

	for (size_t i = 0; i <= na; i++)
		for (size_t j = 0; j <= nb; j++) {
			size_t n = i == 0 ? j : j == 0 ? i : d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (i && j)
				n = least(n, least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				n = least(n, d[i - 2][j - 2] + 1);
			d[i][j] = n;
		}
	return d[na][nb];
}

static void check_nearest(const char *word)
{
	static const char *const names[] = { "session", "system", "since", "max", "no-save", NULL };
	const char *suggestion = suggest_name(word, names);
	size_t best = SIZE_MAX;

	if (strlen(word) > SUGGEST_WORD_MAX) {
		must(!suggestion, "'%s'", suggestion);
		return;
	}
	for (size_t i = 0; names[i]; i++)
		best = least(best, model_distance(word, names[i]));
	must(!suggestion || model_distance(word, suggestion) == best, "'%s'", suggestion);
	must(suggestion || best >= strlen(word) / 3 + 2, "a name is %zu away", best);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = input_str(data, size), name[] = "tool", *argv[MAX_WORDS + 2] = { name };
	struct span rest = span_str(text), word;
	int argc = 1;

	while (argc <= MAX_WORDS && cut_line(&rest, &word)) {
		argv[argc] = strndup(word.p, word.n);
		must(argv[argc++] != NULL, "memory");
	}
	for (int i = 1; i < argc; i++) {
		check_number(argv[i]);
		check_nearest(argv[i]);
	}
	check_words(argc, argv);
	for (int i = 1; i < argc; i++)
		free(argv[i]);
	free(text);
	return 0;
}
