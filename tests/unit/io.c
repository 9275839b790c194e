/* Descriptors that do not wait, and output that must not. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define SIZE 300000

static struct buf text = BUF_INIT;

static void make_text(void)
{
	while (text.n < SIZE)
		buf_addf(&text, "%zu ", text.n);
	text.n = SIZE;
}

/* A process that does what is asked once the other side has to wait for it. */
static pid_t other(int fd, bool reads)
{
	pid_t pid = fork();
	struct buf got = BUF_INIT;
	bool good;

	if (pid)
		return pid;
	poll(NULL, 0, 50);
	if (reads)
		good = io_read_all(fd, &got, SIZE) == 0 && span_same(buf_span(&got), buf_span(&text));
	else
		good = io_write(fd, text.p, text.n) == 0;
	_exit(!good);
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static void test_wait(bool sockets, const char *what)
{
	struct buf got = BUF_INIT;
	int ends[2];
	pid_t pid;

	for (int reads = 0; reads < 2; reads++) {
		int own, theirs;

		if ((sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) < 0)
			return;
		own = ends[!!reads];
		theirs = ends[!reads];
		fcntl(own, F_SETFL, fcntl(own, F_GETFL) | O_NONBLOCK);
		pid = fork();
		if (pid == 0) {
			close(own);
			exit(status_of(other(theirs, reads)) != 0);
		}
		close(theirs);
		if (reads)
			is_int(io_write(own, text.p, text.n), 0, "all of it is written to a %s", what);
		else
			is_int(io_read_all(own, &got, SIZE), 0, "all of it is read from a %s", what);
		ok(fcntl(own, F_GETFL) & O_NONBLOCK, "which stays as it was");
		close(own);
		is_int(status_of(pid), 0, "and it arrives");
	}
	is_same(buf_span(&got), buf_span(&text), "as it was");
	buf_release(&got);
}

/* Makes standard error a pipe. Returns its other end. */
static int divert(int *usual)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		exit(2);
	*usual = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return ends[0];
}

static void give_back(int usual)
{
	dup2(usual, STDERR_FILENO);
	close(usual);
}

/* What is there, without a wait. */
static void take(int fd, struct buf *b)
{
	char part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0)
		buf_add(b, part, (size_t)n);
}

static void test_let_go(void)
{
	struct buf got = BUF_INIT;
	int usual, fd = divert(&usual);
	bool more;
	pid_t pid;

	io_hold();
	io_write(STDERR_FILENO, "1", 1);
	for (size_t at = 0; at < text.n; at += 1000)
		io_write(STDERR_FILENO, text.p + at, text.n - at < 1000 ? text.n - at : 1000);
	io_hold();
	io_let_go(); /* within another, which goes on */
	more = io_push();
	pid = fork();
	if (pid == 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		close(STDERR_FILENO);
		poll(NULL, 0, 50);
		while (poll(&p, 1, -1) > 0 && (p.revents & POLLIN))
			take(fd, &got);
		_exit(!(got.n == text.n + 1 && memcmp(got.p + 1, text.p, text.n) == 0));
	}
	io_let_go();
	give_back(usual);
	ok(more, "what a pipe does not hold is kept");
	is_int(status_of(pid), 0, "and comes later, in order");
	ok(!io_push(), "and nothing is left");
	close(fd);
}

static void test_failure(void)
{
	int usual, fd = divert(&usual), first, later;

	io_hold();
	first = io_write(STDERR_FILENO, text.p, text.n);
	close(fd);
	io_let_go();
	later = io_failed(STDERR_FILENO);
	give_back(usual);
	is_int(first, 0, "what is kept has not failed yet");
	is_int(later, EPIPE, "but is known to have when it is written");
	is_int(io_failed(STDERR_FILENO), 0, "once");
	is_int(io_failed(STDOUT_FILENO), 0, "and not for another stream");
}

/* Last: it is not taken back. */
static void test_leave(void)
{
	int usual, fd = divert(&usual), why;

	io_hold();
	io_write(STDERR_FILENO, text.p, text.n);
	io_leave();
	io_let_go();
	why = io_failed(STDERR_FILENO);
	give_back(usual);
	is_int(why, EINTR, "a process that is to end waits for no reader");
	close(fd);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	make_text();
	test_wait(false, "pipe");
	test_wait(true, "socket");
	test_let_go();
	test_failure();
	test_leave();
	return tap_end();
}
