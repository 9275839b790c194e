#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/io.h"

#define LOOK_MS 5        /* between looks at whether it has ended */
#define PATIENCE_MS 2000 /* with one that was told to */

static mode_t usual_umask;
static bool has_umask;

void child_set_umask(mode_t mask)
{
	usual_umask = mask;
	has_umask = true;
}

void child_keep_status(void)
{
	signal(SIGCHLD, SIG_DFL);
}

/* ---- where it is ---- */

/* Takes the next folder off a value of PATH. */
static struct span next_folder(const char **rest)
{
	struct span folder = { *rest, strcspn(*rest, ":") };

	*rest += folder.n + ((*rest)[folder.n] == ':');
	return folder;
}

static bool is_absolute(struct span folder)
{
	return folder.n && folder.p[0] == '/';
}

/* The absolute folders of PATH; the system's own where there are none. */
static void add_path(struct buf *b)
{
	const char *rest = env("PATH");
	size_t had = b->n;
	char usual[256] = "/bin:/usr/bin";

	while (rest && *rest) {
		struct span folder = next_folder(&rest);

		if (is_absolute(folder))
			buf_addf(b, "%s%.*s", b->n > had ? ":" : "", (int)folder.n, folder.p);
	}
	if (b->n > had)
		return;
	confstr(_CS_PATH, usual, sizeof(usual));
	buf_adds(b, usual);
}

static int check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : EACCES;
}

int child_find(struct buf *path, const char *name)
{
	struct buf folders = BUF_INIT;
	const char *rest;
	int r = ENOENT;

	buf_clear(path);
	if (strchr(name, '/')) {
		buf_adds(path, name);
		return path->oom ? ENOMEM : 0;
	}
	add_path(&folders);
	rest = folders.oom || !*name ? "" : folders.p;
	while (*rest && r != 0) {
		struct span folder = next_folder(&rest);
		int found;

		buf_clear(path);
		buf_addf(path, "%.*s/%s", (int)folder.n, folder.p, name);
		found = path->oom ? ENOMEM : check_program(path->p);
		if (found == 0 || found == EACCES || found == ENOMEM)
			r = found;
	}
	r = folders.oom ? ENOMEM : r;
	buf_release(&folders);
	return r;
}

bool child_exists(const char *name)
{
	struct buf path = BUF_INIT;
	bool found = child_find(&path, name) == 0;

	buf_release(&path);
	return found;
}

/* ---- its beginning ---- */

/* The same with only the absolute folders in PATH: what the program runs in its turn, as a shell
 * does, is found by the same rule. NULL without memory; the list is the caller's to free. */
static char **environment(char *const *envp, struct buf *path)
{
	char **list;
	size_t n = 0;

	while (envp[n])
		n++;
	buf_adds(path, "PATH=");
	add_path(path);
	list = path->oom ? NULL : malloc((n + 1) * sizeof(*list));
	for (size_t i = 0; list && i < n; i++)
		list[i] = strncmp(envp[i], "PATH=", strlen("PATH=")) == 0 ? path->p : envp[i];
	if (list)
		list[n] = NULL;
	return list;
}

static void direct(posix_spawn_file_actions_t *files, int fd, int to, int flags)
{
	if (fd >= 0)
		posix_spawn_file_actions_adddup2(files, fd, to);
	else
		posix_spawn_file_actions_addopen(files, to, "/dev/null", flags, 0);
}

/* Editors and pagers give up at a terminal that another process has made O_NONBLOCK: they get a
 * descriptor of their own. Returns `fd` where that is not so. */
static int blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL), own;

	if (flags < 0 || !(flags & O_NONBLOCK) || !isatty(fd))
		return fd;
	own = io_open_again(fd, flags & O_ACCMODE);
	return own < 0 ? fd : own;
}

/* Handlers are not inherited, but what is ignored or blocked would be. nohup(1) and a shell's
 * background jobs have some signals ignored on purpose. */
static void set_signals(posix_spawnattr_t *attr, const struct child *c)
{
	sigset_t defaults, none;

	sigfillset(&defaults);
	sigdelset(&defaults, SIGKILL);
	sigdelset(&defaults, SIGSTOP);
	if (!c->terminal) {
		sigdelset(&defaults, SIGHUP);
		sigdelset(&defaults, SIGINT);
		sigdelset(&defaults, SIGQUIT);
	}
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(attr, &defaults);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
	                               (c->apart ? POSIX_SPAWN_SETPGROUP : 0));
}

/* `in` and `out` are its ends. */
static int spawn(struct child *c, const char *program, char **envp, int in, int out)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	const int given[] = { in, out, c->quiet ? -1 : STDERR_FILENO };
	int fds[3], r;
	mode_t own = 0;

	for (int i = 0; i < 3; i++)
		fds[i] = c->terminal ? blocking(given[i]) : given[i];
	child_keep_status();
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	set_signals(&attr, c);
	direct(&files, fds[0], STDIN_FILENO, O_RDONLY);
	direct(&files, fds[1], STDOUT_FILENO, O_WRONLY);
	if (fds[2] != STDERR_FILENO)
		direct(&files, fds[2], STDERR_FILENO, O_WRONLY);
	if (has_umask)
		own = umask(usual_umask);
	r = posix_spawn(&c->pid, program, &files, &attr, c->argv, envp);
	if (has_umask)
		umask(own);
	for (int i = 0; i < 3; i++)
		if (fds[i] != given[i])
			close(fds[i]);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void child_close(struct child *c)
{
	close_end(&c->to);
	close_end(&c->from);
}

/* 0, or an errno. `fd`: what the caller wants for this end of the program; *theirs: what it gets. */
static int open_pipe(int fd, bool input, int *theirs, int *ours)
{
	int ends[2];

	*theirs = fd;
	*ours = -1;
	if (fd != CHILD_PIPE)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	*theirs = ends[!input];
	*ours = ends[input];
	if (input)
		fcntl(*ours, F_SETFL, O_NONBLOCK);
	return 0;
}

static int start_with_pipes(struct child *c, const char *program, char **envp)
{
	int in, out = -1, r = open_pipe(c->in, true, &in, &c->to);

	if (r == 0)
		r = open_pipe(c->out, false, &out, &c->from);
	if (r == 0)
		r = spawn(c, program, envp, in, out);
	if (c->in == CHILD_PIPE)
		close_end(&in);
	if (c->out == CHILD_PIPE)
		close_end(&out);
	if (r)
		child_close(c);
	return r;
}

int child_start(struct child *c)
{
	struct buf program = BUF_INIT, path = BUF_INIT;
	char **envp = environment(c->envp, &path);
	int r = envp ? child_find(&program, c->argv[0]) : ENOMEM;

	if (r == 0)
		r = start_with_pipes(c, program.p, envp);
	if (r)
		c->pid = -1;
	free(envp);
	buf_release(&path);
	buf_release(&program);
	return r;
}

/* ---- its end ---- */

/* The terminal's Ctrl-C is for both of us, and it may be faster. */
static int judge(int status, const struct child_wait *w, struct err *e)
{
	struct pollfd p = { .fd = w->stop_fd, .events = POLLIN };

	if (status && poll(&p, w->stop_fd >= 0, 0) > 0)
		return err_set(e, ERR_INTERRUPTED, "interrupted");
	if (WIFSIGNALED(status))
		return err_set(e, ERR_FAILED, "signal %d ended it", WTERMSIG(status));
	if (WEXITSTATUS(status))
		return err_set(e, ERR_FAILED, "it failed with status %d", WEXITSTATUS(status));
	return 0;
}

/* Whether it is to be told to end now, and why. */
static bool is_to_end(const struct child_wait *w, int64_t started, struct err *e)
{
	struct pollfd p = { .fd = w->stop_fd, .events = POLLIN };

	if (w->limit && clock_steady_ms() - started > w->limit) {
		err_set(e, ERR_FAILED, "it took too long");
		return true;
	}
	if (w->stop || poll(&p, w->stop_fd >= 0, LOOK_MS) > 0) {
		err_set(e, ERR_INTERRUPTED, "interrupted"); /* if nothing else is the reason */
		return true;
	}
	return false;
}

int child_end(struct child *c, const struct child_wait *w, struct err *e)
{
	int64_t started = clock_steady_ms(), told_at = 0;
	int status;
	pid_t gone;

	child_close(c);
	while ((gone = waitpid(c->pid, &status, WNOHANG)) <= 0) {
		if (gone < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot wait for it");
		if (!told_at && is_to_end(w, started, e)) {
			told_at = clock_steady_ms();
			kill(c->pid, SIGTERM);
		} else if (told_at) {
			poll(NULL, 0, LOOK_MS);
			if (clock_steady_ms() - told_at > PATIENCE_MS)
				kill(c->pid, SIGKILL);
		}
	}
	return told_at ? -1 : judge(status, w, e);
}

/* ---- its input and output ---- */

#define PIECE 16384 /* bytes that are read at once */

static int write_some(struct child *c, struct span *input, struct err *e)
{
	ssize_t n = write(c->to, input->p, input->n);

	if (n < 0 && errno != EPIPE && errno != EINTR && errno != EAGAIN)
		return err_sys(e, errno, "cannot write to it");
	if (n > 0)
		*input = (struct span){ input->p + n, input->n - (size_t)n };
	if (!input->n || (n < 0 && errno == EPIPE)) /* nobody wants more */
		close_end(&c->to);
	return 0;
}

/* At most one byte more than `left`. */
static int read_some(struct child *c, struct buf *output, size_t left, struct err *e)
{
	size_t want = left < PIECE ? left + 1 : PIECE;
	char *to = buf_room(output, want);
	ssize_t n = to ? read(c->from, to, want) : 0;

	if (!to)
		return err_oom(e);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return err_sys(e, errno, "cannot read its output");
	if (n == 0)
		child_close(c);
	if (n > 0) {
		output->n += (size_t)n;
		output->p[output->n] = '\0';
	}
	return 0;
}

int child_communicate(struct child *c, struct span input, struct buf *output, size_t max,
                      const struct child_wait *w, struct err *e)
{
	int64_t until = clock_steady_ms() + w->limit;
	size_t had = output ? output->n : 0;

	while (c->to >= 0 || c->from >= 0) {
		struct pollfd p[] = { { .fd = c->to, .events = POLLOUT }, { .fd = c->from, .events = POLLIN },
		                      { .fd = w->stop_fd, .events = POLLIN } };
		int64_t left = until - clock_steady_ms();

		if (w->limit && left <= 0)
			return err_set(e, ERR_FAILED, "it took too long");
		if (poll(p, 3, w->limit ? (int)left : -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot wait for it");
		if (p[2].revents)
			return err_set(e, ERR_INTERRUPTED, "interrupted");
		if (p[0].revents && write_some(c, &input, e) < 0)
			return -1;
		if (p[1].revents && read_some(c, output, max - (output->n - had), e) < 0)
			return -1;
		if (output && output->n - had > max)
			return 1;
	}
	return 0;
}

int child_feed(struct child *c, struct span input, const struct child_wait *w, struct err *e)
{
	int64_t started = clock_steady_ms();
	struct child_wait rest = *w;
	int r;

	c->in = CHILD_PIPE;
	r = child_start(c);
	if (r)
		return err_sys(e, r, "cannot run it");
	rest.stop = child_communicate(c, input, NULL, 0, w, e) < 0;
	if (w->limit) {
		rest.limit = started + w->limit - clock_steady_ms();
		rest.limit = rest.limit > 0 ? rest.limit : 1;
	}
	return child_end(c, &rest, e);
}
