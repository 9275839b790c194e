/*
 * The command line, GNU style: short options in clusters, long ones with unique
 * abbreviations, options and operands in any order, "--" ends the options.
 *
 * getopt_long() is not used: it permutes only on some systems, and cannot say
 * which word of a cluster or abbreviation it refused.
 *
 * A struct cli owns its two arrays until cli_release(); the strings are argv's.
 */
#ifndef BASE_CLI_H
#define BASE_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What an option's value or an operand is: how a shell completes it. */
enum arg_kind {
	ARG_NONE, /* takes no value */
	ARG_TEXT, /* nothing to complete */
	ARG_DIR,
	ARG_FILE,
	ARG_FILES, /* the option may be given again, for another one */
	ARG_MODEL,
	ARG_SESSION,
	ARG_PROVIDER,
};

struct opt {
	int id;           /* the short letter, or OPT_LONG and up when there is none */
	const char *name; /* the long name; NULL ends a list of options */
	const char *arg;  /* the value's name in the help, NULL when it takes none; "[NAME]" when it
	                   * may be missing at the end of the command line: `val` is NULL then */
	enum arg_kind kind;
	const char *help;
};

#define OPT_LONG 256
#define OPT_HAS_LETTER(o) ((o)->id < OPT_LONG)

/* Every tool has these two; `run` never sees them. */
enum { OPT_HELP = 'h', OPT_VERSION = 'V' };
extern const struct opt cli_common[];

struct cli_opt {
	int id;
	const char *val;
};

struct cli {
	struct cli_opt *opts;
	size_t nopts;
	char **operands;
	size_t noperands;
};

#define CLI_INIT { NULL, 0, NULL, 0 }

/* `argv` is without the command's name. Errors are of kind ERR_USAGE. */
int cli_parse(struct cli *c, const struct opt *opts, int argc, char **argv, struct err *e);
void cli_release(struct cli *c);

/* A whole number from `min` to `max`. */
int cli_number(const char *text, const char *what, long min, long max, long *out, struct err *e);

#endif
