/* Finds the tool, runs it, and checks stdout at the end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applet.h"
#include "base/child.h"
#include "base/io.h"
#include "base/suggest.h"
#include "tool.h"

static const char summary[] = "tools for talking to language models from a shell";

/* "mc-session-ls" and "session-ls" are the same tool. */
static const struct applet *find(const char *name)
{
	for (const struct applet *const *a = applets; *a; a++)
		if (strcmp((*a)->name, name) == 0 || strcmp((*a)->name + strlen("mc-"), name) == 0)
			return *a;
	return NULL;
}

static void list(void)
{
	printf("mcbox " MCBOX_VERSION ": %s\n\n"
	       "Usage: mcbox COMMAND [ARGUMENT…], or the command by a link of its name.\n\n"
	       "Commands:\n", summary);
	for (const struct applet *const *a = applets; *a; a++)
		printf("  %-18s %s\n", (*a)->name, (*a)->summary);
	printf("\n'COMMAND --help' tells more of each, and so does its manual page.\n");
}

static void help_opts(const struct opt *o)
{
	char left[64];

	for (; o && o->name; o++) {
		snprintf(left, sizeof(left), "%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		if (OPT_HAS_LETTER(o))
			printf("  -%c, --%-22s %s\n", o->id, left, o->help);
		else
			printf("      --%-22s %s\n", left, o->help);
	}
}

static void help(const struct applet *a)
{
	printf("Usage: %s [OPTION…]%s%s\n\n%c%s.\n\nOptions:\n", a->name, *a->operands ? " " : "",
	       a->operands, a->summary[0] - 'a' + 'A', a->summary + 1);
	help_opts(a->opts);
	help_opts(cli_common);
	printf("\nThe manual page %s(1) tells the rest.\n", a->name);
}

static int usage(const struct applet *a, const struct err *e)
{
	fail(e);
	fprintf(stderr, "Try '%s --help'.%s\n", tool_name,
	        a->operand == ARG_TEXT ? " Put '--' before words that begin with a dash." : "");
	return EXIT_USAGE;
}

static bool has(const struct cli *c, int id)
{
	for (size_t i = 0; i < c->nopts; i++)
		if (c->opts[i].id == id)
			return true;
	return false;
}

static int run_applet(const struct applet *a, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct cli c;
	int status;

	tool_name = a->name;
	if (cli_parse(&c, a->opts, argc, argv, &e) < 0) {
		status = e.kind == ERR_USAGE ? usage(a, &e) : fail(&e);
	} else if (has(&c, OPT_HELP)) {
		help(a);
		status = EXIT_DONE;
	} else if (has(&c, OPT_VERSION)) {
		printf("%s (mcbox) " MCBOX_VERSION "\n", a->name);
		status = EXIT_DONE;
	} else if (!*a->operands && c.noperands) {
		err_set(&e, ERR_USAGE, "unexpected operand '%s'", c.operands[0]);
		status = usage(a, &e);
	} else {
		status = a->run(&c);
	}
	cli_release(&c);
	return status;
}

static int unknown(const char *word)
{
	const char *names[64], *suggestion = NULL;
	struct err e = ERR_INIT;
	size_t n = 0;

	/* A slip is looked for in the short form when it was typed so. */
	for (const struct applet *const *a = applets; *a && n < 63; a++)
		names[n++] = (*a)->name + (strncmp(word, "mc-", 3) == 0 ? 0 : strlen("mc-"));
	names[n] = NULL;
	if (word[0] == '-')
		err_set(&e, ERR_USAGE, "unknown option '%s'", word);
	else if ((suggestion = suggest_name(word, names)) != NULL)
		err_set(&e, ERR_USAGE, "unknown command '%s'; did you mean '%s'?", word, suggestion);
	else
		err_set(&e, ERR_USAGE, "unknown command '%s'; plain 'mcbox' lists them", word);
	return fail(&e);
}

static int run_subcommand(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "--help";
	const struct applet *a = find(word);

	if (a)
		return run_applet(a, argc - 2, argv + 2);
	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		list();
	else if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
		printf("mcbox " MCBOX_VERSION "\n");
	else
		return unknown(word);
	return EXIT_DONE;
}

/* A file must not be opened as a standard stream that the caller closed: a message
 * would be written into it. Opened the wrong way round, its use fails as it should. */
static void guard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(EXIT_FAILED);
}

/* A mapped file that a stranger cuts short, or that a failing disk cannot give, ends
 * the process where it is read: with a word, at least. Nothing is half written. */
static void on_bus_error(int sig)
{
	static const char text[] = ": a stored file cannot be read: it was cut short just now, "
	                           "or the disk fails\n";

	(void)sig;
	if (io_write_now(STDERR_FILENO, tool_name, strlen(tool_name)) == 0)
		io_write_now(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_FAILED);
}

/* The environment may hold an API key, and a core file would, too. A limit of 1 also keeps
 * Linux from giving one to a program that collects them: 0 would not. */
static void leave_no_core(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_CORE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max < 1 ? r.rlim_max : 1;
	setrlimit(RLIMIT_CORE, &r);
}

/* What the parent left ignored, blocked or masked is not ours to live with. A file that reaches the
 * limit of its size is an error of the write, as a full disk is, and no end. */
static void settle_process(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGXFSZ, SIG_IGN);
	sigaction(SIGBUS, &(struct sigaction){ .sa_handler = on_bus_error }, NULL);
	child_set_umask(umask(077)); /* conversations are private, whatever the user's mask is */
}

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "mcbox";
	const struct applet *a = find(name);
	int status, why;

	leave_no_core();
	guard_streams();
	settle_process();
	io_streams();
	status = a ? run_applet(a, argc - 1, argv + 1) : run_subcommand(argc, argv);
	why = output_error();
	if (why) {
		int unwritten = output_failed(why);

		status = status == EXIT_DONE ? unwritten : status;
	}
	return status;
}
