#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define LOOK_MS 5        /* between looks at whether it has ended */
#define PATIENCE_MS 2000 /* with one that was told to */

static void direct(posix_spawn_file_actions_t *files, int fd, int to, int flags)
{
	if (fd >= 0)
		posix_spawn_file_actions_adddup2(files, fd, to);
	else
		posix_spawn_file_actions_addopen(files, to, "/dev/null", flags, 0);
}

/* The caller's handlers are not inherited, but what is ignored would be. */
int child_start(struct child *c)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t defaults;
	int r;

	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | (c->apart ? POSIX_SPAWN_SETPGROUP : 0));
	posix_spawnattr_setsigdefault(&attr, &defaults);
	direct(&files, c->in, STDIN_FILENO, O_RDONLY);
	direct(&files, c->out, STDOUT_FILENO, O_WRONLY);
	if (c->quiet)
		direct(&files, -1, STDERR_FILENO, O_WRONLY);
	r = posix_spawnp(&c->pid, c->argv[0], &files, &attr, c->argv, c->envp);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
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

/* ---- its input ---- */

/* 1: all of it is written, or nobody wants more. 0: not yet. */
static int write_some(int fd, struct span *input, struct err *e)
{
	ssize_t n = input->n ? write(fd, input->p, input->n) : 0;

	if (n < 0 && errno == EPIPE)
		return 1;
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return err_sys(e, errno, "cannot write to it");
	if (n > 0)
		*input = (struct span){ input->p + n, input->n - (size_t)n };
	return !input->n;
}

static int feed(int fd, struct span input, const struct child_wait *w, struct err *e)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLOUT }, { .fd = w->stop_fd, .events = POLLIN } };
	int64_t until = clock_steady_ms() + w->limit;
	int r = 0;

	while (r == 0) {
		int64_t left = until - clock_steady_ms();

		if (w->limit && left <= 0)
			return err_set(e, ERR_FAILED, "it took too long");
		if (poll(p, w->stop_fd >= 0 ? 2 : 1, w->limit ? (int)left : -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot write to it");
		if (w->stop_fd >= 0 && p[1].revents)
			return err_set(e, ERR_INTERRUPTED, "interrupted");
		if (p[0].revents)
			r = write_some(fd, &input, e);
	}
	return r;
}

int child_feed(struct child *c, struct span input, const struct child_wait *w, struct err *e)
{
	int64_t started = clock_steady_ms();
	struct child_wait rest = *w;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot run it");
	c->in = ends[0];
	r = child_start(c);
	c->in = -1;
	close(ends[0]);
	if (r) {
		close(ends[1]);
		return err_sys(e, r, "cannot run it");
	}
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	rest.stop = feed(ends[1], input, w, e) < 0;
	close(ends[1]);
	if (w->limit) {
		rest.limit = started + w->limit - clock_steady_ms();
		rest.limit = rest.limit > 0 ? rest.limit : 1;
	}
	return child_end(c, &rest, e);
}
