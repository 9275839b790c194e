#include "prompt/editor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/child.h"
#include "base/env.h"
#include "base/io.h"
#include "base/utf8.h"
#include "tty/stop.h"

#define TEXT_MAX (32 << 20)
#define SUFFIX ".md"

/* With one of these in it, a command is more than a program and its arguments; ":" alone is the
 * shell's. */
#define SHELL_CHARACTERS "|&;<>()$`\\\"'\n*?[#~=%:"

static const char *editor_name(void)
{
	const char *name = env("VISUAL");

	if (!name)
		name = env("EDITOR");
	return name ? name : "vi";
}

/* ---- the file ---- */

static int make_file(char path[PATH_MAX], struct span text, struct err *e)
{
	const char *dir = env("TMPDIR");
	int fd, bad;

	if (snprintf(path, PATH_MAX, "%s/mc-chat-XXXXXX" SUFFIX,
	             dir && dir[0] == '/' ? dir : "/tmp") >= PATH_MAX)
		return err_sys(e, ENAMETOOLONG, "cannot make a file in TMPDIR");
	fd = mkostemps(path, (int)strlen(SUFFIX), O_CLOEXEC); /* its mode is 0600 */
	if (fd < 0)
		return err_sys(e, errno, "cannot make a file '%s' for the editor", path);
	bad = io_write(fd, text.p, text.n) < 0;
	/* Editors like lines that end. */
	if (!bad && text.n && text.p[text.n - 1] != '\n')
		bad = io_write(fd, "\n", 1) < 0;
	bad |= close(fd) < 0;
	if (!bad)
		return 0;
	err_sys(e, errno, "cannot write '%s'", path);
	unlink(path);
	return -1;
}

/* By its name: editors put a new file in the place of the old one. */
static int read_file(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), r;

	buf_clear(out);
	if (fd < 0)
		return err_sys(e, errno, "cannot read '%s'", path);
	r = io_read_all(fd, out, TEXT_MAX);
	if (r < 0)
		err_sys(e, errno, "cannot read '%s'", path);
	close(fd);
	utf8_drop_mark(out);
	buf_trim_end(out, "\n");
	return r < 0 ? -1 : buf_check(out, e);
}

/* ---- the program ---- */

static int start(pid_t *pid, const char *path, char *const *envp)
{
	struct buf command = BUF_INIT;
	char *argv[] = { (char *)(uintptr_t)"/bin/sh", (char *)(uintptr_t)"-c", NULL,
	                 (char *)(uintptr_t)editor_name(), /* the shell names it in what it says */
	                 (char *)(uintptr_t)path, NULL };
	struct child c = CHILD_INIT;
	int r;

	/* A shell that stays outlives a Ctrl-C that its child takes for something else; but what ends
	 * it does not end its child. */
	buf_addf(&command, strpbrk(editor_name(), SHELL_CHARACTERS) ? "trap : INT QUIT; %s \"$@\""
	                                                             : "exec %s \"$@\"", editor_name());
	argv[2] = command.p;
	c.argv = argv;
	c.envp = envp;
	c.in = STDIN_FILENO;
	c.out = STDOUT_FILENO;
	c.terminal = true;
	r = command.oom ? ENOMEM : child_start(&c);
	buf_release(&command);
	*pid = c.pid;
	return r;
}

static int wait_for(pid_t pid, int *status, struct err *e)
{
	while (waitpid(pid, status, 0) < 0) {
		int sig = stop_signal();

		if (errno != EINTR)
			return err_sys(e, errno, "cannot wait for the editor");
		if (sig && sig != SIGINT) /* we are to end, so it is, too */
			kill(pid, sig);
	}
	return 0;
}

static int run(const char *path, char *const *envp, struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, interrupt, quit;
	const char *name = editor_name();
	struct termios mode;
	bool terminal = tcgetattr(STDIN_FILENO, &mode) == 0;
	int status = 0, r;
	pid_t pid;

	sigemptyset(&ignore.sa_mask);
	sigaction(SIGINT, &ignore, &interrupt);
	sigaction(SIGQUIT, &ignore, &quit);
	r = start(&pid, path, envp);
	r = r ? err_sys(e, r, "cannot run the editor '%s'", name) : wait_for(pid, &status, e);
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGQUIT, &quit, NULL);
	if (terminal)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
	if (r < 0)
		return -1;
	if (WIFSIGNALED(status))
		return err_set(e, ERR_FAILED, "signal %d ended the editor '%s'", WTERMSIG(status), name);
	if (WEXITSTATUS(status) == 127)
		return err_set(e, ERR_FAILED, "there is no editor '%s'; set VISUAL or EDITOR to one", name);
	if (WEXITSTATUS(status))
		return err_set(e, ERR_FAILED, "the editor '%s' failed with status %d", name,
		               WEXITSTATUS(status));
	return 0;
}

/* ---- both ---- */

static int check_text(const struct buf *b, struct err *e)
{
	if (memchr(b->p, '\0', b->n))
		return err_set(e, ERR_FAILED, "what the editor saved is no text: it holds a NUL character");
	return utf8_check(buf_span(b), "what the editor saved", e);
}

/* Nothing that was typed is lost: a file that is not just what we put there stays. */
static void keep_or_remove(const char *path, struct span text, struct err *e)
{
	struct buf now = BUF_INIT;
	struct err ignored = ERR_INIT;

	text = span_trim_end(text, "\n");
	if (read_file(path, &now, &ignored) < 0 || !now.n || span_same(buf_span(&now), text)) {
		unlink(path);
	} else {
		size_t n = strlen(e->msg);

		snprintf(e->msg + n, sizeof(e->msg) - n, "; what was saved is in '%s'", path);
	}
	buf_release(&now);
}

int editor_edit(struct span text, char *const *envp, struct buf *out, struct err *e)
{
	char path[PATH_MAX];
	int r;

	if (make_file(path, text, e) < 0)
		return -1;
	r = run(path, envp, e);
	if (r == 0)
		r = read_file(path, out, e);
	if (r == 0)
		r = check_text(out, e);
	if (r == 0)
		unlink(path);
	else
		keep_or_remove(path, text, e);
	return r;
}
