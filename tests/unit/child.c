/* Programs that are run, and how they end. */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "tap.h"
#include "temp.h"

extern char **environ;

static char *shell(const char *script, char **argv)
{
	argv[0] = (char *)(uintptr_t)"sh";
	argv[1] = (char *)(uintptr_t)"-c";
	argv[2] = (char *)(uintptr_t)script;
	argv[3] = NULL;
	return argv[0];
}

static int run(const char *script, struct span input, const struct child_wait *w, int out,
               struct err *e)
{
	struct child c = CHILD_INIT;
	char *argv[4];

	shell(script, argv);
	c.argv = argv;
	c.envp = environ;
	c.out = out;
	c.quiet = c.apart = true;
	err_clear(e);
	return child_feed(&c, input, w, e);
}

static void test_ends(void)
{
	const struct child_wait w = { .stop_fd = -1, .limit = 30000 };
	struct err e = ERR_INIT;
	struct child none = CHILD_INIT;
	char *argv[] = { (char *)(uintptr_t)"/nowhere/none", NULL };

	is_int(run("exit 0", span_str(""), &w, -1, &e), 0, "success");
	is_int(run("exit 7", span_str(""), &w, -1, &e), -1, "a failure");
	is_err(&e, ERR_FAILED, "it failed with status 7", "with its status");
	is_int(run("kill -USR1 $$", span_str(""), &w, -1, &e), -1, "a signal");
	is_err(&e, ERR_FAILED, "signal 10 ended it", "with its number");
	is_int(run("kill -PIPE $$; exit 0", span_str(""), &w, -1, &e), -1, "SIGPIPE is not ignored there");
	none.argv = argv;
	none.envp = environ;
	is_int(child_start(&none), ENOENT, "no such program");
	err_clear(&e);
	is_int(child_feed(&none, span_str("x"), &w, &e), -1, "nor to feed");
	is_err(&e, ERR_FAILED, "cannot run it: No such file", "it is said");
}

/* More than a pipe holds, in both directions. */
static void test_input(void)
{
	const struct child_wait w = { .stop_fd = -1, .limit = 30000 };
	struct buf in = BUF_INIT, back = BUF_INIT;
	struct err e = ERR_INIT;
	FILE *f = tmpfile();

	for (int i = 0; i < 100000; i++)
		buf_addf(&in, "%d ", i);
	is_int(run("cat", buf_span(&in), &w, fileno(f), &e), 0, "it takes all: %s", e.msg);
	lseek(fileno(f), 0, SEEK_SET);
	io_read_all(fileno(f), &back, 1 << 20);
	is_same(buf_span(&back), buf_span(&in), "and all of it arrived");
	is_int(run("exec <&-; exit 0", buf_span(&in), &w, -1, &e), 0, "it need not read it: %s", e.msg);
	is_int(run("exec <&-; exit 1", buf_span(&in), &w, -1, &e), -1, "its failure is one all the same");
	fclose(f);
	buf_release(&in);
	buf_release(&back);
}

static void test_limit(void)
{
	struct child_wait w = { .stop_fd = -1, .limit = 100 };
	struct buf in = BUF_INIT;
	struct err e = ERR_INIT;
	int64_t started = clock_steady_ms();
	int stop[2];

	memset(buf_room(&in, 1 << 20), 'x', 1 << 20);
	in.n = 1 << 20;
	is_int(run("exec sleep 60", span_str(""), &w, -1, &e), -1, "one that does not end");
	is_err(&e, ERR_FAILED, "it took too long", "is ended");
	is_int(run("exec sleep 60", buf_span(&in), &w, -1, &e), -1, "one that does not read");
	is_err(&e, ERR_FAILED, "it took too long", "too");
	is_int(run("trap '' TERM; while :; do sleep 0.1; done", span_str(""), &w, -1, &e), -1,
	       "one that does not want to");
	is_err(&e, ERR_FAILED, "it took too long", "is killed");
	w.limit = 0;
	if (pipe(stop) < 0)
		return;
	io_write(stop[1], "", 1);
	w.stop_fd = stop[0];
	is_int(run("exec sleep 60", span_str(""), &w, -1, &e), -1, "the user stops it");
	is_err(&e, ERR_INTERRUPTED, "interrupted", "that is no failure of its own");
	is_int(run("exec sleep 60", buf_span(&in), &w, -1, &e), -1, "while it is fed, too");
	is_err(&e, ERR_INTERRUPTED, "interrupted", "as well");
	ok(clock_steady_ms() - started < 30000, "and none was waited for");
	buf_release(&in);
}

/* Gives `input` to a script and adds what it prints to `out`. */
static int talk(const char *script, struct span input, struct buf *out, size_t max,
                const struct child_wait *w, struct err *e)
{
	struct child c = CHILD_INIT;
	struct child_wait end = *w;
	char *argv[4];
	int r;

	shell(script, argv);
	c.argv = argv;
	c.envp = environ;
	c.in = c.out = CHILD_PIPE;
	c.quiet = true;
	err_clear(e);
	is_int(child_start(&c), 0, "'%s' runs", script);
	ok(c.to >= 0 && c.from >= 0, "with two pipes");
	r = child_communicate(&c, input, out, max, w, e);
	end.stop = r != 0;
	if (child_end(&c, &end, e) < 0 && r == 0)
		r = -1;
	ok(c.to < 0 && c.from < 0, "and they are closed at its end");
	return r;
}

static void test_output(void)
{
	const struct child_wait w = { .stop_fd = -1, .limit = 30000 };
	struct buf in = BUF_INIT, out = BUF_INIT, secret = BUF_INIT;
	struct err e = ERR_INIT;
	const char *at;
	size_t cap;

	for (int i = 0; i < 100000; i++)
		buf_addf(&in, "%d ", i);
	is_int(talk("cat", buf_span(&in), &out, SIZE_MAX, &w, &e), 0, "more than pipes hold: %s", e.msg);
	is_same(buf_span(&out), buf_span(&in), "goes there and back");
	buf_clear(&out);
	buf_adds(&out, "x=");
	is_int(talk("cat", span_str("12345"), &out, 5, &w, &e), 0, "as much as it may say: %s", e.msg);
	is_buf(&out, "x=12345", "is added");
	is_int(talk("cat", span_str("123456"), &out, 5, &w, &e), 1, "one byte more is too much");
	is_int((int64_t)out.n, 7 + 6, "and that one is read");
	is_int(talk("yes", span_str(""), &out, 100000, &w, &e), 1, "so is an output without an end");
	buf_clear(&out);
	is_int(talk("echo no; exec >&-; exit 0", buf_span(&in), &out, 9, &w, &e), 0,
	       "one that has said all: %s", e.msg);
	is_buf(&out, "no\n", "need not read all");
	is_int(talk("exec <&-; echo yes", buf_span(&in), &out, 9, &w, &e), 0, "nor one that goes on: %s", e.msg);
	is_buf(&out, "no\nyes\n", "to speak");
	is_int(talk("echo; exit 3", span_str(""), &out, 9, &w, &e), -1, "a failure");
	is_err(&e, ERR_FAILED, "it failed with status 3", "is one");
	at = buf_room(&secret, 65535); /* and no byte more, with the NUL */
	cap = secret.cap;
	is_int(talk("yes 123456789 | head -n 6553", span_str(""), &secret, 65534, &w, &e), 0, "a secret: %s",
	       e.msg);
	is_int((int64_t)secret.n, 65530, "all of it");
	ok(secret.p == at && secret.cap == cap, "in the room that was made for it");
	buf_release(&in);
	buf_release(&out);
	buf_release(&secret);
}

static void test_output_limit(void)
{
	struct child_wait w = { .stop_fd = -1, .limit = 100 };
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	int64_t started = clock_steady_ms();
	int stop[2];

	is_int(talk("echo some; exec sleep 60", span_str(""), &out, 99, &w, &e), -1, "one that does not end");
	is_err(&e, ERR_FAILED, "it took too long", "is ended");
	is_buf(&out, "some\n", "what it said is there");
	w.limit = 0;
	if (pipe(stop) < 0)
		return;
	io_write(stop[1], "", 1);
	w.stop_fd = stop[0];
	is_int(talk("exec sleep 60", span_str(""), &out, 99, &w, &e), -1, "the user stops it");
	is_err(&e, ERR_INTERRUPTED, "interrupted", "that is no failure of its own");
	ok(clock_steady_ms() - started < 30000, "and none was waited for");
	close(stop[0]);
	close(stop[1]);
	buf_release(&out);
}

static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void test_not_started(void)
{
	char *argv[] = { (char *)(uintptr_t)"/nowhere/none", NULL };
	struct child c = CHILD_INIT;
	int before = next_fd();

	c.argv = argv;
	c.envp = environ;
	c.in = c.out = CHILD_PIPE;
	is_int(child_start(&c), ENOENT, "no such program");
	is_int(c.pid, -1, "does not run");
	ok(c.to < 0 && c.from < 0, "and has no pipes");
	is_int(next_fd(), before, "which are closed");
}

/* Ctrl-C goes to the group of the terminal. */
static void test_apart(void)
{
	struct child c = CHILD_INIT;
	const struct child_wait w = { .stop_fd = -1, .stop = true };
	struct err e = ERR_INIT;
	char *argv[4];

	shell("exec sleep 60", argv);
	c.argv = argv;
	c.envp = environ;
	is_int(child_start(&c), 0, "it runs");
	is_int(getpgid(c.pid), getpgrp(), "in this group");
	child_end(&c, &w, &e);
	c.apart = true;
	is_int(child_start(&c), 0, "another");
	is_int(getpgid(c.pid), c.pid, "in one of its own");
	is_int(child_end(&c, &w, &e), -1, "it is told to end");
}

/* It fails because of the same Ctrl-C, and is gone before anybody looks. */
static void test_faster(void)
{
	struct child c = CHILD_INIT;
	struct child_wait w = { .limit = 30000 };
	struct err e = ERR_INIT;
	char *argv[4];
	siginfo_t info;
	int ends[2];

	shell("exit 130", argv);
	c.argv = argv;
	c.envp = environ;
	if (pipe(ends) < 0 || write(ends[1], "", 1) < 0)
		tap_note("cannot make a pipe");
	w.stop_fd = ends[0];
	is_int(child_start(&c), 0, "one that ends at once");
	while (waitid(P_PID, (id_t)c.pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	is_int(child_end(&c, &w, &e), -1, "has failed");
	is_err(&e, ERR_INTERRUPTED, "interrupted", "because the user stopped it");
	close(ends[0]);
	close(ends[1]);
}

static char *const *one(char **argv, const char *program)
{
	argv[0] = (char *)(uintptr_t)program;
	argv[1] = NULL;
	return argv;
}

static void make_program(const char *path, mode_t mode)
{
	temp_write(path, span_str("#!/bin/sh\nexit 0\n"));
	chmod(path, mode);
}

static void test_find(void)
{
	char *argv[2], *old = strdup(getenv("PATH")), here[PATH_MAX];
	struct buf path = BUF_INIT, value = BUF_INIT, want = BUF_INIT;
	const char *const relative[] = { ".", "", ":", ".:", "bin", "./bin:..:../x" };
	struct child c = CHILD_INIT;

	if (!getcwd(here, sizeof(here)) || mkdir("bin", 0700) < 0 || mkdir("plain", 0700) < 0)
		return;
	make_program("own-program", 0700);
	make_program("bin/own-program", 0700);
	make_program("plain/own-program", 0600);
	for (size_t i = 0; i < sizeof(relative) / sizeof(relative[0]); i++) {
		setenv("PATH", relative[i], 1);
		is_int(child_find(&path, "own-program"), ENOENT, "not in '%s'", relative[i]);
		is_int(child_find(&path, "sh"), 0, "but the system's own are found");
		ok(path.p[0] == '/', "in an absolute folder: %s", path.p);
	}
	buf_addf(&value, ".:/nowhere:%s/plain", here);
	setenv("PATH", value.p, 1);
	is_int(child_find(&path, "own-program"), EACCES, "one that may not be run");
	buf_addf(&value, ":%s/bin:", here);
	setenv("PATH", value.p, 1);
	buf_addf(&want, "%s/bin/own-program", here);
	is_int(child_find(&path, "own-program"), 0, "one that may");
	is_same(buf_span(&path), buf_span(&want), "is it");
	ok(child_exists("own-program") && !child_exists("no-program"), "it exists, and another does not");
	is_int(child_find(&path, "./own-program"), 0, "one with a slash");
	is_same(buf_span(&path), span_str("./own-program"), "is taken as it is");
	is_int(child_find(&path, ""), ENOENT, "no name");
	c.envp = environ;
	setenv("PATH", ".", 1);
	c.argv = one(argv, "own-program");
	is_int(child_start(&c), ENOENT, "nor is it run");
	setenv("PATH", old, 1);
	free(old);
	buf_release(&path);
	buf_release(&value);
	buf_release(&want);
}

/* Whatever this process has. */
static void test_inherited(void)
{
	const struct child_wait w = { .stop_fd = -1, .limit = 30000 };
	struct err e = ERR_INIT;
	sigset_t all, old;
	mode_t own = umask(077);

	signal(SIGUSR1, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGRTMIN, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	is_int(run("kill -USR1 $$; exit 0", span_str(""), &w, -1, &e), -1, "an ignored signal");
	is_err(&e, ERR_FAILED, "signal 10 ended it", "is not ignored there");
	is_int(run("kill -USR2 $$; exit 0", span_str(""), &w, -1, &e), -1, "a blocked one");
	is_err(&e, ERR_FAILED, "signal 12 ended it", "is not blocked there");
	is_int(run("kill -34 $$; exit 0", span_str(""), &w, -1, &e), -1, "nor a real-time one");
	is_int(run("kill -HUP $$; exit 9", span_str(""), &w, -1, &e), -1, "but nohup(1)'s");
	is_err(&e, ERR_FAILED, "it failed with status 9", "stays ignored");
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGHUP, SIG_DFL);
	child_set_umask(027);
	is_int(run("test $(umask) = 0027", span_str(""), &w, -1, &e), 0, "it has the user's umask");
	is_int(umask(own), 077, "and this process its own");
}

int main(void)
{
	temp_enter();
	test_faster();
	signal(SIGPIPE, SIG_IGN);
	test_ends();
	test_input();
	test_limit();
	test_output();
	test_output_limit();
	test_not_started();
	test_apart();
	test_find();
	test_inherited();
	return tap_end();
}
