#include "store/lock.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/replace.h"
#include "tap.h"
#include "temp.h"

static const struct lock_wait at_once = { .no_wait = true, .stop_fd = -1 };

/* What the callback was told. */
struct told {
	int times;
	pid_t holder;
	int let_go; /* a byte written here makes the holder let go; or -1 */
};

static void waiting(void *ctx, pid_t holder)
{
	struct told *t = ctx;

	t->times++;
	t->holder = holder;
	if (t->let_go >= 0 && write(t->let_go, "x", 1) < 0)
		tap_note("cannot tell the holder to let go");
}

static int open_lock(void)
{
	return open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* A process that holds the lock for `ms`, or until a byte comes. *to gets the byte. */
static pid_t start_holder(int *to, int ms)
{
	int ready[2], stop[2];
	char c;
	pid_t pid;

	if (pipe(ready) < 0 || pipe(stop) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		int fd = open_lock();

		close(ready[0]);
		close(stop[1]);
		if (flock(fd, LOCK_EX) < 0 || write(ready[1], "x", 1) < 0)
			_exit(1);
		if (ms)
			usleep((useconds_t)ms * 1000);
		else if (read(stop[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(ready[1]);
	close(stop[0]);
	if (read(ready[0], &c, 1) != 1)
		tap_note("the holder did not start");
	close(ready[0]);
	*to = stop[1];
	return pid;
}

static void end_holder(pid_t pid, int to)
{
	close(to);
	waitpid(pid, NULL, 0);
}

static void test_free(void)
{
	struct err e = ERR_INIT;
	int fd = open_lock(), other = open_lock();

	is_int(lock_take(fd, &at_once, &e), 0, "a free lock is taken");
	is_int(lock_take(fd, &at_once, &e), 0, "again by the same open file");
	is_int(lock_take(other, &at_once, &e), -1, "but by no other, even of this process");
	is_int(e.kind, ERR_BUSY, "it is busy");
	close(fd);
	err_clear(&e);
	is_int(lock_take(other, &at_once, &e), 0, "closing lets it go");
	close(other);
	err_clear(&e);
	is_int(lock_take(-1, &at_once, &e), -1, "no file");
	is_err(&e, ERR_FAILED, "cannot lock it: Bad file descriptor", "is another error");
}

static void test_busy(void)
{
	struct told t = { .let_go = -1 };
	struct lock_wait w = { .no_wait = true, .stop_fd = -1, .waiting = waiting, .ctx = &t };
	struct err e = ERR_INIT;
	int to, fd = open_lock();
	pid_t pid = start_holder(&to, 0);
	int64_t start = clock_steady_ms();

	is_int(lock_take(fd, &w, &e), -1, "held by another process");
	is_int(e.kind, ERR_BUSY, "it is busy");
	ok(clock_steady_ms() - start < 250, "known at once");
	is_int(t.times, 0, "and without a word of waiting");
	end_holder(pid, to);
	err_clear(&e);
	is_int(lock_take(fd, &w, &e), 0, "free when the holder has ended");
	close(fd);
}

/* /proc/locks names files by the device that the file system has for the kernel, which
 * is not st_dev everywhere (overlayfs, btrfs). */
static bool kernel_tells(int fd)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256], want[32];
	struct stat st;
	bool found = false;

	fstat(fd, &st);
	snprintf(want, sizeof(want), ":%llu 0 EOF", (unsigned long long)st.st_ino);
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, want) != NULL;
	if (f)
		fclose(f);
	return found;
}

static void test_holder(void)
{
	int to, fd = open_lock();
	pid_t pid;

	is_int(lock_holder(fd), 0, "nobody holds it");
	pid = start_holder(&to, 0);
	if (kernel_tells(fd))
		is_int(lock_holder(fd), pid, "the holder is named");
	else
		ok(true, "the holder is named # SKIP /proc/locks does not show this file");
	end_holder(pid, to);
	is_int(lock_holder(fd), 0, "nobody again");
	flock(fd, LOCK_EX);
	if (kernel_tells(fd))
		is_int(lock_holder(fd), getpid(), "this process");
	close(fd);
	is_int(lock_holder(-1), -1, "no file: it cannot be told");
}

static void test_waiting(void)
{
	struct told t = { .let_go = -1 };
	struct lock_wait w = { .stop_fd = -1, .waiting = waiting, .ctx = &t };
	struct err e = ERR_INIT;
	int to, fd = open_lock();
	pid_t pid = start_holder(&to, 0);
	int64_t start = clock_steady_ms();

	t.let_go = to;
	is_int(lock_take(fd, &w, &e), 0, "waited for and taken");
	is_int(t.times, 1, "told once");
	ok(t.holder == pid || (t.holder == 0 && !kernel_tells(fd)), "for whom");
	ok(clock_steady_ms() - start >= 250, "but not at once");
	end_holder(pid, to);
	close(fd);
}

static void test_short_wait(void)
{
	struct told t = { .let_go = -1 };
	struct lock_wait w = { .stop_fd = -1, .waiting = waiting, .ctx = &t };
	struct err e = ERR_INIT;
	int to, fd = open_lock();
	pid_t pid = start_holder(&to, 50);
	int64_t start = clock_steady_ms();

	is_int(lock_take(fd, &w, &e), 0, "a short wait");
	if (clock_steady_ms() - start < 250)
		is_int(t.times, 0, "is not worth a word");
	end_holder(pid, to);
	close(fd);
}

static void test_stop(void)
{
	struct told t = { .let_go = -1 };
	struct err e = ERR_INIT;
	int stop[2], to, fd = open_lock();
	struct lock_wait w = { .waiting = waiting, .ctx = &t };
	pid_t pid = start_holder(&to, 0);
	int64_t start;

	if (pipe(stop) < 0)
		return;
	w.stop_fd = stop[0];
	t.let_go = stop[1]; /* the user stops once told of the wait */
	is_int(lock_take(fd, &w, &e), -1, "stopped while waiting");
	is_int(e.kind, ERR_INTERRUPTED, "that is interrupted");
	err_clear(&e);
	start = clock_steady_ms();
	is_int(lock_take(fd, &w, &e), -1, "stopped before");
	is_int(e.kind, ERR_INTERRUPTED, "that too");
	ok(clock_steady_ms() - start < 250, "at once");
	close(stop[0]);
	close(stop[1]);
	end_holder(pid, to);
	close(fd);
}

/* A holder that is killed holds nothing. */
static void test_killed(void)
{
	struct lock_wait w = { .stop_fd = -1 };
	struct err e = ERR_INIT;
	int to, fd = open_lock();
	pid_t pid = start_holder(&to, 0);

	kill(pid, SIGKILL);
	is_int(lock_take(fd, &w, &e), 0, "taken from one that was killed");
	end_holder(pid, to);
	close(fd);
}

/* Processes that add one to a number under the lock: none is lost. */
static void test_many(void)
{
	enum { PROCESSES = 8, EACH = 50 };
	const struct lock_wait w = { .stop_fd = -1 };
	pid_t pids[PROCESSES];
	struct buf b = BUF_INIT;
	int failed = 0;

	temp_write("count", span_str("000000"));
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		for (int k = 0; k < EACH; k++) {
			struct err e = ERR_INIT;
			char text[32] = "";
			int fd = open_lock(), n = open("count", O_RDWR);

			if (lock_take(fd, &w, &e) < 0 || pread(n, text, 6, 0) != 6)
				_exit(1);
			snprintf(text, sizeof(text), "%06ld", strtol(text, NULL, 10) + 1);
			if (pwrite(n, text, 6, 0) != 6)
				_exit(1);
			close(n);
			close(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		waitpid(pids[i], &status, 0);
		failed += status != 0;
	}
	temp_read("count", &b);
	is_int(failed, 0, "%d processes", PROCESSES);
	is_int(strtol(b.p, NULL, 10), PROCESSES * EACH, "counted together");
	buf_release(&b);
}

/* Adds one to the number in a file by replacing the file, as long as it has the name. */
static int replace_number(int dir)
{
	const struct lock_wait w = { .stop_fd = -1 };
	struct replace r = REPLACE_INIT(dir, "number", "number.new");
	struct err e = ERR_INIT;
	char text[32] = "";
	int fd = lock_open(dir, "number", O_RDONLY, &w, &e), result = -1;

	if (fd >= 0 && pread(fd, text, 6, 0) == 6) {
		snprintf(text, sizeof(text), "%06ld", strtol(text, NULL, 10) + 1);
		if (replace_begin(&r) == 0 && write(r.fd, text, 6) == 6)
			result = replace_commit(&r, 0);
	}
	lock_end(fd);
	return result;
}

/* The lock of a file that has no name any more is nobody's. */
static void test_replaced(void)
{
	enum { PROCESSES = 8, EACH = 20 };
	int dir = open(".", O_RDONLY | O_DIRECTORY), failed = 0, fd, other;
	struct err e = ERR_INIT;
	pid_t pids[PROCESSES];
	struct buf b = BUF_INIT;

	temp_write("number", span_str("000000"));
	chmod("number", 0600);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		for (int k = 0; pids[i] == 0 && k < EACH; k++)
			if (replace_number(dir) < 0)
				_exit(1);
		if (pids[i] == 0)
			_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		waitpid(pids[i], &status, 0);
		failed += status != 0;
	}
	temp_read("number", &b);
	is_int(failed, 0, "%d processes that replace the file", PROCESSES);
	is_int(strtol(b.p, NULL, 10), PROCESSES * EACH, "counted together");
	is_int(lock_open(dir, "none", O_RDWR, &at_once, &e), -1, "no file");
	is_int(e.kind, ERR_NOT_FOUND, "is not found");
	err_clear(&e);
	fd = lock_open(dir, "number", O_RDWR, &at_once, &e);
	ok(fd >= 0, "it is locked: %s", e.msg);
	other = lock_open(dir, "number", O_RDWR, &at_once, &e);
	is_int(other, -1, "once");
	is_int(e.kind, ERR_BUSY, "at a time");
	lock_end(fd);
	close(dir);
	buf_release(&b);
}

int main(void)
{
	temp_enter();
	signal(SIGPIPE, SIG_IGN);
	test_free();
	test_busy();
	test_holder();
	test_waiting();
	test_short_wait();
	test_stop();
	test_killed();
	test_many();
	test_replaced();
	return tap_end();
}
