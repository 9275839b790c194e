#include "base/cli.h"

#include <limits.h>

#include "tap.h"

enum { OPT_JSON = OPT_LONG, OPT_NO_SAVE, OPT_NO_WAIT };

static const struct opt opts[] = {
	{ 'm', "model", "NAME", ARG_TEXT, "" },
	{ 'q', "quiet", NULL, ARG_NONE, "" },
	{ 'f', "force", NULL, ARG_NONE, "" },
	{ OPT_JSON, "json", NULL, ARG_NONE, "" },
	{ OPT_NO_SAVE, "no-save", NULL, ARG_NONE, "" },
	{ OPT_NO_WAIT, "no-wait", NULL, ARG_NONE, "" },
	{ 'n', "no", "N", ARG_TEXT, "" },
	{ 'o', "or", "[X]", ARG_TEXT, "" },
	{ 0 },
};

#define MAX_WORDS 16

/* Parses the words of `line` ("_" stands for an empty one); what came out, or the
 * error, as one text. */
static void parse(const char *line, struct buf *out)
{
	char copy[256], *argv[MAX_WORDS + 1], *p = copy;
	struct err e = ERR_INIT;
	struct cli c;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	while (*p && argc < MAX_WORDS) {
		char *end = p + strcspn(p, " ");
		bool last = !*end;

		*end = '\0';
		argv[argc++] = strcmp(p, "_") == 0 ? end : p;
		p = last ? end : end + 1;
	}
	argv[argc] = NULL;
	buf_clear(out);
	if (cli_parse(&c, opts, argc, argv, &e) < 0) {
		buf_addf(out, "%d %s", e.kind, e.msg);
	} else {
		for (size_t i = 0; i < c.nopts; i++) {
			if (c.opts[i].id < OPT_LONG)
				buf_addf(out, "%c", c.opts[i].id);
			else
				buf_addf(out, "#%d", c.opts[i].id - OPT_LONG);
			buf_addf(out, "%s%s ", c.opts[i].val ? "=" : "", c.opts[i].val ? c.opts[i].val : "");
		}
		buf_adds(out, "|");
		for (size_t i = 0; i < c.noperands; i++)
			buf_addf(out, " <%s>", c.operands[i]);
	}
	cli_release(&c);
}

static void test_parse(void)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "", "|" },
		{ "a b", "| <a> <b>" },
		{ "-q a -f b", "q f | <a> <b>" },
		{ "-qf", "q f |" },
		{ "-qmx", "q m=x |" },
		{ "-qm x y", "q m=x | <y>" },
		{ "-m -q", "m=-q |" },
		{ "-m _", "m= |" },
		{ "-m -- a", "m=-- | <a>" },
		{ "-mx=y", "m=x=y |" },
		{ "-m=y", "m==y |" },
		{ "--model x", "m=x |" },
		{ "--model=x", "m=x |" },
		{ "--model=", "m= |" },
		{ "--model=a=b", "m=a=b |" },
		{ "--model --json", "m=--json |" },
		{ "--mod x", "m=x |" },
		{ "--mo=x", "m=x |" },
		{ "--no 3", "n=3 |" }, /* whole, though the beginning of others */
		{ "--no-s", "#1 |" },
		{ "--json --no-wait", "#0 #2 |" },
		{ "-q -- -f --json", "q | <-f> <--json>" },
		{ "a -- b -- c", "| <a> <b> <--> <c>" },
		{ "- -q", "q | <->" },
		{ "_ a", "| <> <a>" },
		{ "-h --version", "h V |" },
		/* what may be missing at the end, and nowhere else */
		{ "-o", "o |" },
		{ "--or", "o |" },
		{ "a -qo", "q o | <a>" },
		{ "-o a", "o=a |" },
		{ "-o -q", "o=-q |" },
		{ "-oa", "o=a |" },
		{ "--or=", "o= |" },
		{ "-o --", "o=-- |" },
		{ "-m -o", "m=-o |" },
		{ "-q -q", "q q |" },
		/* what is refused; 2 is ERR_USAGE */
		{ "-x", "2 unknown option '-x'" },
		{ "-qx", "2 unknown option '-x'" },
		{ "-m", "2 option '-m' needs a value: NAME" },
		{ "--model", "2 option '--model' needs a value: NAME" },
		{ "--json=1", "2 option '--json' takes no value" },
		{ "--no-", "2 option '--no-' may be '--no-save' or '--no-wait'" },
		{ "--no-=x", "2 option '--no-' may be '--no-save' or '--no-wait'" },
		{ "--modle x", "2 unknown option '--modle'; did you mean '--model'?" },
		{ "--qiuet", "2 unknown option '--qiuet'; did you mean '--quiet'?" },
		{ "--modelx=y", "2 unknown option '--modelx'; did you mean '--model'?" },
		{ "--frobnicate", "2 unknown option '--frobnicate'" },
		{ "--Quiet-please-and-for-a-name-longer-than-any-option-there-ever-was-or-will-be",
		  "2 unknown option '--Quiet-please-and-for-a-name-longer-than-any-option-there-ever-w'" },
	};
	struct buf got = BUF_INIT;

	is_int(ERR_USAGE, 2, "the kind that the cases name");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(cases[i].line, &got);
		is_buf(&got, cases[i].want, "'%s'", cases[i].line);
	}
	buf_release(&got);
}

static void test_no_options_of_its_own(void)
{
	char word[] = "--help", *argv[] = { word, NULL };
	struct err e = ERR_INIT;
	struct cli c;

	is_int(cli_parse(&c, NULL, 1, argv, &e), 0, "a tool without options of its own");
	ok(c.nopts == 1 && c.opts[0].id == OPT_HELP, "has the common ones");
	cli_release(&c);
	ok(!c.opts && !c.operands && !c.nopts, "released");
}

static void test_number(void)
{
	static const char *const good[] = { "1", "10", "007" };
	static const char *const bad[] = { "", "0", "11", "-1", "1x", "x", "1 ", "1.0", "0x5", "1e1",
		                           "99999999999999999999", "-99999999999999999999" };
	struct err e = ERR_INIT;
	long n;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		is_int(cli_number(good[i], "n", 1, 10, &n, &e), 0, "number '%s'", good[i]);
	is_int(n, 7, "the last one's value");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&e);
		is_int(cli_number(bad[i], "count", 1, 10, &n, &e), -1, "no number '%s'", bad[i]);
		if (i == 2)
			is_err(&e, ERR_USAGE, "count '11' is not a whole number from 1 to 10", "says so");
	}
	err_clear(&e);
	is_int(cli_number("-5", "n", LONG_MIN, LONG_MAX, &n, &e), 0, "negative where allowed");
	is_int(n, -5, "its value");
	is_int(cli_number("9223372036854775807", "n", 0, LONG_MAX, &n, &e), 0, "the largest");
	is_int(n, LONG_MAX, "its value");
	is_int(cli_number("9223372036854775808", "n", 0, LONG_MAX, &n, &e), -1, "one more");
}

int main(void)
{
	test_parse();
	test_no_options_of_its_own();
	test_number();
	return tap_end();
}
