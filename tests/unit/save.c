/* Files that are saved whole or not at all. */
#include "base/save.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/io.h"
#include "base/names.h"
#include "temp.h"
#include "tap.h"

static void holds(const char *path, const char *want)
{
	struct buf b = BUF_INIT;
	int fd = open(path, O_RDONLY);

	ok(fd >= 0 && io_read_all(fd, &b, 1 << 20) == 0, "'%s' can be read", path);
	is_buf(&b, want, "and has what it should");
	if (fd >= 0)
		close(fd);
	buf_release(&b);
}

static int64_t files(void)
{
	struct names names;
	struct err e = ERR_INIT;
	int fd = open(".", O_RDONLY);
	int64_t n;

	if (names_read(&names, fd, &e) < 0)
		return -1;
	n = (int64_t)names.n;
	names_release(&names);
	close(fd);
	return n;
}

static int64_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : (int64_t)(st.st_mode & 07777);
}

static void test_new(void)
{
	struct err e = ERR_INIT;

	umask(027);
	is_int(save_file("a", span_str("one\n"), false, &e), 0, "a new file: %s", e.msg);
	holds("a", "one\n");
	is_int(mode_of("a"), 0640, "as the umask has it");
	is_int(save_file("a", span_str("two\n"), false, &e), -1, "not over another");
	is_err(&e, ERR_EXISTS, "cannot save 'a': it is there already", "that is said");
	holds("a", "one\n");
	err_clear(&e);
	is_int(save_file("", span_str("x"), true, &e), -1, "no name");
	err_clear(&e);
	is_int(save_file("none/a", span_str("x"), false, &e), -1, "no folder");
	is_err(&e, ERR_FAILED, "cannot save 'none/a': No such file", "that is said");
	err_clear(&e);
	is_int(save_file(".", span_str("x"), true, &e), -1, "over a folder");
	is_err(&e, ERR_FAILED, "it is a folder", "that is said");
	err_clear(&e);
	is_int(save_file("/dev/null", span_str("x"), true, &e), -1, "over a device");
	is_err(&e, ERR_FAILED, "it is no regular file", "that is said");
	is_int(symlink("nowhere", "dangling"), 0, "a link that leads nowhere");
	err_clear(&e);
	is_int(save_file("dangling", span_str("x"), false, &e), -1, "is a name that is taken");
	is_int(e.kind, ERR_EXISTS, "that is said");
	is_int(unlink("dangling"), 0, "it is still one");
}

static void test_replace(void)
{
	struct err e = ERR_INIT;
	char to[8] = "";

	is_int(save_file("b", span_str("one\n"), true, &e), 0, "a new file with replace");
	chmod("b", 0600);
	is_int(symlink("b", "link"), 0, "a link to it");
	is_int(save_file("link", span_str("two\n"), true, &e), 0, "over the link");
	holds("b", "two\n");
	is_int(mode_of("b"), 0600, "the mode is as it was");
	is_int(readlink("link", to, sizeof(to) - 1), 1, "and the link is one");
}

/* A file system that is full, by the limit on a file's size. */
static void test_full(void)
{
	struct rlimit small = { 4096, RLIM_INFINITY }, old;
	struct buf large = BUF_INIT;
	struct err e = ERR_INIT;
	int64_t before = files();

	memset(buf_room(&large, 10000), 'x', 10000);
	large.n = 10000;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	is_int(save_file("c", buf_span(&large), false, &e), -1, "no room");
	is_err(&e, ERR_FAILED, "cannot save 'c': File too large", "that is said");
	err_clear(&e);
	is_int(save_file("b", buf_span(&large), true, &e), -1, "nor for another");
	setrlimit(RLIMIT_FSIZE, &old);
	holds("b", "two\n");
	is_int(files(), before, "and nothing half is left");
	buf_release(&large);
}

int main(void)
{
	temp_enter();
	test_new();
	test_replace();
	test_full();
	is_int(files(), 3, "no file beside those");
	return tap_end();
}
