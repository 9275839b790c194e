#include "tty/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/env.h"
#include "base/buf.h"
#include "base/child.h"
#include "base/io.h"
#include "tty/term.h"

/* As git has it: with one of these in it a command is a shell's. */
#define SHELL_CHARACTERS "|&;<>()$`\\\"' \t\n*?[#~=%"

/* The shell must outlive a Ctrl-C that its pager does, and nothing may be lost when there is
 * no such command, so that it has read nothing. */
#define SHELL_BEFORE "trap : INT QUIT\n"
#define SHELL_AFTER "\nstatus=$?\ncase $status in 126|127) exec cat ;; esac\nexit $status"

static const int not_ours[] = { SIGINT, SIGQUIT, SIGPIPE };
static const int ends[] = { SIGTERM, SIGHUP, SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT };
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static struct {
	volatile pid_t pid; /* 0: there is none */
	int err;      /* what stderr was, if `held` */
	int held;     /* the output to stderr while the pager runs; -1: not held */
	int status;   /* as waitpid(2) has it */
	struct sigaction ignored[COUNT(not_ours)], handled[COUNT(ends)]; /* as they were before */
} pager;

const char *pager_command(void)
{
	const char *term = env("TERM"), *command = env_or_empty("MC_PAGER");

	if (!term || strcmp(term, "dumb") == 0)
		return NULL;
	if (!command)
		command = env_or_empty("PAGER");
	if (!command)
		command = "less";
	return *command && strcmp(command, "cat") != 0 ? command : NULL; /* empty says: none */
}

bool pager_takes_styles(const char *command)
{
	const char *options = getenv("LESS"), *less = strstr(command, "less");

	return !less || !options || strpbrk(options, "rR") || strpbrk(less, "rR");
}

bool pager_is_open(void)
{
	return pager.pid > 0;
}

/* ---- its end ---- */

/* What is called from here to close_pager() must be safe in a signal handler. */
static void let_out_errors(void)
{
	char part[4096];
	ssize_t n;

	dup2(pager.err, STDERR_FILENO);
	if (lseek(pager.held, 0, SEEK_SET) == 0)
		while ((n = read(pager.held, part, sizeof(part))) > 0 &&
		       io_write_now(STDERR_FILENO, part, (size_t)n) == 0)
			;
	close(pager.held);
	close(pager.err);
	pager.held = -1;
}

static void close_pager(void)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* The end of the pager's input. */
	if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
		close(STDOUT_FILENO);
	if (nowhere >= 0)
		close(nowhere);
	while (waitpid(pager.pid, &pager.status, 0) < 0 && errno == EINTR)
		;
	if (pager.held >= 0)
		let_out_errors();
	pager.pid = 0;
}

static void restore_signals(void)
{
	for (size_t i = 0; i < COUNT(not_ours); i++)
		sigaction(not_ours[i], &pager.ignored[i], NULL);
	for (size_t i = 0; i < COUNT(ends); i++)
		sigaction(ends[i], &pager.handled[i], NULL);
}

/* The signal is there again when this handler is left, and then does what it would have
 * done without a pager. */
static void on_end(int sig)
{
	if (pager.pid > 0)
		close_pager();
	restore_signals();
	raise(sig);
}

bool pager_end(void)
{
	if (pager.pid <= 0)
		return false;
	close_pager();
	restore_signals();
	return (WIFSIGNALED(pager.status) && WTERMSIG(pager.status) == SIGINT) ||
	       (WIFEXITED(pager.status) && WEXITSTATUS(pager.status) == 128 + SIGINT);
}

/* ---- its beginning ---- */

static void take_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, handle = { .sa_handler = on_end };

	sigemptyset(&handle.sa_mask);
	for (size_t i = 0; i < COUNT(not_ours); i++)
		sigaction(not_ours[i], &ignore, &pager.ignored[i]);
	for (size_t i = 0; i < COUNT(ends); i++)
		if (sigaction(ends[i], &handle, &pager.handled[i]) == 0 &&
		    pager.handled[i].sa_handler == SIG_IGN) /* nohup */
			sigaction(ends[i], &pager.handled[i], NULL);
}

/* Adds `entry` unless the list has one of its name. */
static void add_missing(char **list, size_t *n, char *entry)
{
	size_t name = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < *n; i++)
		if (strncmp(list[i], entry, name) == 0)
			return;
	list[(*n)++] = entry;
}

/* The caller frees the list. */
static char **environment(char *const *envp, char *columns)
{
	static char less[] = "LESS=FRX", lv[] = "LV=-c";
	size_t n = 0;
	char **list;

	while (envp[n])
		n++;
	list = calloc(n + 4, sizeof(*list));
	if (!list)
		return NULL;
	memcpy(list, envp, n * sizeof(*list));
	add_missing(list, &n, less);
	add_missing(list, &n, lv);
	add_missing(list, &n, columns);
	return list;
}

/* Returns an errno, like child_start(). */
static int run(const char *command, char **envp, int from)
{
	char sh[] = "/bin/sh", option[] = "-c", *plain[] = { (char *)(uintptr_t)command, NULL };
	char *shell[] = { sh, option, NULL, NULL };
	struct child c = CHILD_INIT;
	struct buf script = BUF_INIT;
	int r;

	c.argv = plain;
	c.envp = envp;
	c.in = from;
	c.out = STDOUT_FILENO;
	c.terminal = true;
	if (strpbrk(command, SHELL_CHARACTERS)) {
		buf_addf(&script, SHELL_BEFORE "%s" SHELL_AFTER, command);
		shell[2] = script.p;
		c.argv = shell;
	}
	r = script.oom ? ENOMEM : child_start(&c);
	buf_release(&script);
	if (r == 0)
		pager.pid = c.pid;
	return r;
}

/* Where that cannot be done, stderr stays what it is. */
static void hold_errors(void)
{
	pager.held = isatty(STDERR_FILENO) ? memfd_create("held back", MFD_CLOEXEC) : -1;
	if (pager.held < 0)
		return;
	pager.err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (pager.err >= 0 && dup2(pager.held, STDERR_FILENO) >= 0)
		return;
	close(pager.held);
	if (pager.err >= 0)
		close(pager.err);
	pager.held = -1;
}

static int start(const char *command, char **envp, struct err *e)
{
	int ends_of_pipe[2], r;

	if (pipe2(ends_of_pipe, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot create a pipe");
	r = run(command, envp, ends_of_pipe[0]);
	if (r == 0) { /* its signals are as they were before */
		take_signals();
		dup2(ends_of_pipe[1], STDOUT_FILENO);
		hold_errors();
	}
	close(ends_of_pipe[0]);
	close(ends_of_pipe[1]);
	if (r == 0)
		return 0;
	err_sys(e, r, "cannot run the pager '%s'", command);
	if (r == ENOENT)
		e->kind = ERR_NOT_FOUND;
	return -1;
}

int pager_begin(const char *command, char *const *envp, struct err *e)
{
	char columns[40], **list;
	int r;

	snprintf(columns, sizeof(columns), "COLUMNS=%zu", term_columns(STDOUT_FILENO));
	list = environment(envp, columns);
	if (!list)
		return err_oom(e);
	r = start(command, list, e);
	/* A pipe has no width: term_columns() asks the environment for it. */
	if (r == 0)
		setenv("COLUMNS", strchr(columns, '=') + 1, 1);
	free(list);
	return r;
}
