/* The folders of a path. */
#include "base/folders.h"

#include <limits.h>
#include <string.h>

#include "temp.h"
#include "tap.h"

static int64_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : (int64_t)(st.st_mode & 07777);
}

static char seen[256];

static int note(char *path, struct err *e)
{
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s;", path);
	return strcmp(path, "x/stop") == 0 ? err_set(e, ERR_FAILED, "stopped") : 0;
}

static void test_make(void)
{
	struct err e = ERR_INIT;
	size_t made = 99;

	umask(0);
	mkdir("x", 0755);
	is_int(folders_make("x/b/c", note, &made, &e), 0, "two are missing: %s", e.msg);
	is_int((int64_t)made, 3, "the first created one is 'x/b'");
	is_int(mode_of("x"), 0755, "an existing folder keeps its mode");
	is_int(mode_of("x/b"), 0700, "a new one is the user's own");
	is_int(mode_of("x/b/c"), 0700, "and so is the last");
	is_str(seen, "x;x/b;x/b/c;", "each is passed on, from the top");
	is_int(folders_make("x/b/c", NULL, &made, &e), 0, "all exist: %s", e.msg);
	is_int((int64_t)made, 0, "none was created");
	is_int(folders_make("x//d/", NULL, NULL, &e), 0, "more slashes than needed: %s", e.msg);
	is_int(mode_of("x/d"), 0700, "that folder exists");
	is_int(folders_make("/", NULL, &made, &e), 0, "the root: %s", e.msg);
}

static void test_failures(void)
{
	struct err e = ERR_INIT;
	char path[PATH_MAX + 2];
	size_t made = 99;

	temp_write("file", span_str("x"));
	is_int(folders_make("file/a/b", NULL, &made, &e), -1, "a file is in the way");
	is_err(&e, ERR_FAILED, "cannot create 'file/a': Not a directory", "the error names the folder");
	is_int((int64_t)made, 0, "nothing was created");
	err_clear(&e);
	is_int(folders_make("x/stop/more", note, &made, &e), -1, "the caller's failure ends it");
	is_err(&e, ERR_FAILED, "stopped", "with its error");
	is_int((int64_t)made, 6, "what was created is told");
	is_int(mode_of("x/stop/more"), -1, "nothing is created below");
	err_clear(&e);
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	is_int(folders_make(path, NULL, NULL, &e), -1, "too long a path");
	is_err(&e, ERR_FAILED, "cannot create 'aaa", "is refused");
	err_clear(&e);
}

int main(void)
{
	temp_enter();
	test_make();
	test_failures();
	return tap_end();
}
