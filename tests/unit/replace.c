/* Files that are replaced by new ones. */
#include "base/replace.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "temp.h"
#include "tap.h"

static int here;

static void holds(const char *path, const char *want)
{
	struct buf b = BUF_INIT;
	int fd = open(path, O_RDONLY | O_NOFOLLOW);

	ok(fd >= 0 && io_read_all(fd, &b, 1 << 20) == 0, "'%s' is a file", path);
	is_buf(&b, want, "with this content");
	if (fd >= 0)
		close(fd);
	buf_release(&b);
}

static bool is_there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int64_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : (int64_t)(st.st_mode & 07777);
}

static int put(const char *name, const char *text, unsigned how)
{
	struct replace r = REPLACE_INIT(here, name, "temp");

	if (replace_begin(&r) == 0 && io_write(r.fd, text, strlen(text)) == 0 && replace_commit(&r, how) == 0)
		return 0;
	replace_abandon(&r);
	return -1;
}

static void test_replaces(void)
{
	is_int(put("a", "one", 0), 0, "a new file");
	holds("a", "one");
	is_int(mode_of("a"), 0600, "that is private");
	is_int(put("a", "two", REPLACE_SYNC | REPLACE_SYNC_FOLDER), 0, "another one in its place");
	holds("a", "two");
	ok(!is_there("temp"), "no temporary file is left");
	is_int(symlink("a", "link"), 0, "a link");
	is_int(put("link", "three", 0), 0, "is replaced");
	holds("link", "three");
	holds("a", "two");
}

/* What has the temporary name was left by a crash, or by somebody who means harm. */
static void test_leftover(void)
{
	struct replace r = REPLACE_INIT(here, "a", "temp");

	temp_write("temp", span_str("half of a lar"));
	is_int(put("a", "x", 0), 0, "a crash left a temporary file");
	holds("a", "x");
	is_int(symlink("b", "temp"), 0, "a link of the temporary name");
	temp_write("b", span_str("theirs"));
	is_int(put("a", "y", 0), 0, "is not followed");
	holds("a", "y");
	holds("b", "theirs");
	temp_write("temp", span_str("kept"));
	r.keep_leftover = true;
	is_int(replace_begin(&r), -1, "a leftover that is to be kept");
	is_int(errno, EEXIST, "is the reason");
	replace_abandon(&r);
	holds("temp", "kept");
	unlink("temp");
}

static void test_new(void)
{
	is_int(put("new", "one", REPLACE_NEW), 0, "a name that is free");
	holds("new", "one");
	is_int(put("new", "two", REPLACE_NEW), -1, "is not free any more");
	is_int(errno, EEXIST, "and errno says so");
	holds("new", "one");
	is_int(symlink("nowhere", "dangling"), 0, "a link that leads nowhere");
	is_int(put("dangling", "x", REPLACE_NEW), -1, "has its name");
	is_int(errno, EEXIST, "too");
	ok(!is_there("temp"), "no temporary file is left");
}

/* Until the commit the old file has the name, and afterwards the new one is open. */
static void test_between(void)
{
	struct replace r = REPLACE_INIT(here, "a", "temp");
	char text[8] = "";

	temp_write("a", span_str("old"));
	r.flags = O_RDWR | O_APPEND;
	r.mode = 0640;
	umask(022);
	is_int(replace_begin(&r), 0, "it begins");
	is_int(mode_of("temp"), 0640, "with the mode that was asked for");
	is_int(fcntl(r.fd, F_GETFD), FD_CLOEXEC, "no program inherits it");
	is_int(io_write(r.fd, "new", 3), 0, "it is written");
	holds("a", "old");
	is_int(replace_commit(&r, REPLACE_KEEP_FD), 0, "it is kept open");
	holds("a", "new");
	is_int(io_write(r.fd, "er", 2), 0, "and can be appended to");
	is_int(pread(r.fd, text, sizeof(text), 0), 5, "and read");
	holds("a", "newer");
	close(r.fd);
}

static void test_abandon(void)
{
	struct replace r = REPLACE_INIT(here, "a", "temp"), none = REPLACE_INIT(here, "a", "none/temp");
	struct replace folder = REPLACE_INIT(here, "folder", "temp");
	int fd;

	temp_write("a", span_str("old"));
	is_int(replace_begin(&r), 0, "it begins");
	unlink("temp");
	errno = EPROTO;
	replace_abandon(&r);
	is_int(errno, EPROTO, "errno stays, whatever fails");
	is_int(replace_begin(&r), 0, "once more");
	fd = r.fd;
	replace_abandon(&r);
	is_int(fcntl(fd, F_GETFD), -1, "it is closed");
	ok(!is_there("temp"), "and its file gone");
	holds("a", "old");
	temp_write("temp", span_str("of somebody else"));
	replace_abandon(&r);
	ok(is_there("temp"), "that is done once");
	is_int(replace_begin(&none), -1, "one that cannot begin");
	is_int(errno, ENOENT, "has its reason");
	replace_abandon(&none);
	is_int(mkdir("folder", 0700), 0, "a folder");
	is_int(replace_begin(&folder), 0, "in the place of the file");
	is_int(replace_commit(&folder, 0), -1, "is not replaced");
	is_int(errno, EISDIR, "for that reason");
	replace_abandon(&folder);
	ok(!is_there("temp"), "no temporary file is left");
}

/* A file system that is full, by the limit on a file's size. */
static void test_full(void)
{
	struct rlimit small = { 2, RLIM_INFINITY }, old;
	int result, why;

	temp_write("a", span_str("old"));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	result = put("a", "new", REPLACE_SYNC);
	why = errno;
	setrlimit(RLIMIT_FSIZE, &old); /* before anything is printed: standard output may be a file */
	is_int(result, -1, "no room");
	is_int(why, EFBIG, "is the reason");
	holds("a", "old");
	ok(!is_there("temp"), "no temporary file is left");
}

static void test_paths(void)
{
	struct replace r = REPLACE_INIT(AT_FDCWD, "sub/a", "sub/temp");

	is_int(mkdir("sub", 0700), 0, "a folder");
	is_int(replace_begin(&r), 0, "paths instead of names");
	is_int(replace_commit(&r, 0), 0, "lead there");
	holds("sub/a", "");
}

/* From here on link(2) fails as on FAT. */
static bool without_links(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_linkat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void test_without_links(void)
{
	if (!without_links()) {
		tap_note("system calls cannot be filtered here");
		return;
	}
	is_int(linkat(here, "a", here, "second", 0), -1, "a file system without hard links");
	is_int(put("unlinked", "one", REPLACE_NEW), 0, "a name that is free");
	holds("unlinked", "one");
	is_int(put("unlinked", "two", REPLACE_NEW), -1, "one that is not");
	is_int(errno, EEXIST, "is told");
	holds("unlinked", "one");
	ok(!is_there("temp"), "no temporary file is left");
}

int main(void)
{
	temp_enter();
	here = open(".", O_RDONLY | O_DIRECTORY);
	test_replaces();
	test_leftover();
	test_new();
	test_between();
	test_abandon();
	test_full();
	test_paths();
	test_without_links(); /* the last */
	return tap_end();
}
