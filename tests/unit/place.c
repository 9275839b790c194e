#include "store/place.h"

#include <errno.h>

#include "tap.h"
#include "temp.h"

/* Whose the folder is where root works in another user's. */
#define THEIRS 12345

static int dir;

static struct stat seen(const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		memset(&st, 0, sizeof(st));
	return st;
}

static int mode_of(const char *name)
{
	return (int)(seen(name).st_mode & 07777);
}

static long owner_of(const char *name)
{
	return (long)seen(name).st_uid;
}

static void make(const char *name, const char *text, mode_t mode)
{
	temp_write(name, span_str(text));
	if (chmod(name, mode) < 0)
		tap_note("cannot set the mode of %s", name);
}

/* Succeeds, and closes it. */
static void opens(int fd, const struct err *e, const char *what)
{
	if (!ok(fd >= 0, "%s", what))
		tap_note("%s", e->msg);
	if (fd >= 0)
		close(fd);
}

static void set_mode_of(const char *name, const struct stat *st, mode_t want, int result,
                        const char *what)
{
	struct err e = ERR_INIT;

	if (!is_int(place_set_mode(dir, name, st, want, &e), result, "%s", what))
		tap_note("%s", e.msg);
}

static void modes(void)
{
	struct stat st;

	make("plain", "x", 0666);
	st = seen("plain");
	set_mode_of("plain", &st, 0600, 0, "a file's mode is changed");
	is_int(mode_of("plain"), 0600, "to what was asked for");
	mkdir("folder", 0755);
	st = seen("folder");
	set_mode_of("folder", &st, 0700, 0, "a folder's too");
	is_int(mode_of("folder"), 0700, "to what was asked for");

	make("other", "x", 0644);
	st = seen("plain");
	set_mode_of("other", &st, 0600, -1, "another file that took the name is left alone");
	is_int(mode_of("other"), 0644, "and keeps its mode");
	ok(symlink("other", "link") == 0, "a link is made");
	set_mode_of("link", &st, 0600, -1, "a link that took the name is not followed");
	st = seen("link");
	set_mode_of("link", &st, 0600, -1, "and neither is a link that was there before");
	is_int(mode_of("other"), 0644, "its target keeps its mode");
	ok(link("other", "second") == 0, "a second name is made");
	st = seen("other");
	set_mode_of("other", &st, 0600, -1, "a file with a second name is left alone");
	is_int(mode_of("second"), 0644, "and keeps its mode");
	ok(mkfifo("fifo", 0644) == 0, "a FIFO is made");
	st = seen("plain");
	set_mode_of("fifo", &st, 0600, -1, "a FIFO is not waited for");
	set_mode_of("missing", &st, 0600, -1, "nor is anything made");
	ok(seen("missing").st_nlink == 0, "of that name");
}

static void opening(void)
{
	struct err e = ERR_INIT;
	int fd;

	opens(place_file(dir, "new", O_RDWR | O_CREAT, &e), &e, "a new file is made");
	is_int(mode_of("new"), 0600, "for its owner only");
	opens(place_file(dir, "new", O_RDWR | O_CREAT, &e), &e, "and opened where it exists");
	fd = place_file(dir, "new", O_RDWR | O_CREAT | O_EXCL, &e);
	is_int(fd, -1, "but not with O_EXCL");
	err_clear(&e);
	make("shared", "x", 0666);
	fd = place_file(dir, "shared", O_RDWR | O_CREAT, &e);
	is_int(fd, -1, "a file that others may write to is refused");
	is_err(&e, ERR_DAMAGED, "'chmod go-w' changes that", "with what helps");
	err_clear(&e);
	make("open", "x", 0777);
	fd = place_file(dir, "open", O_RDWR, &e);
	is_int(fd, -1, "a file that everybody may write to is refused");
	is_err(&e, ERR_DAMAGED, "MC_SESSIONS_DIR", "with what helps where chmod does not");
	err_clear(&e);
	opens(place_make_folder(dir, "made", &e), &e, "a new folder is made");
	is_int(mode_of("made"), 0700, "for its owner only");
	opens(place_make_folder(dir, "made", &e), &e, "and opened where it exists");
	fd = place_make_folder(dir, "new", &e);
	is_int(fd, -1, "a file in its place is refused");
	is_err(&e, ERR_FAILED, "it is not a folder", "for that reason");
}

static void give(const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	place_give(fd, dir);
	close(fd);
}

/* Root in another user's folder. */
static void owners(void)
{
	struct err e = ERR_INIT;

	opens(place_file(dir, "theirs", O_RDWR | O_CREAT, &e), &e, "root makes a file there");
	is_int(owner_of("theirs"), THEIRS, "it belongs to the folder's owner");
	opens(place_make_folder(dir, "their folder", &e), &e, "root makes a folder there");
	is_int(owner_of("their folder"), THEIRS, "it belongs to the folder's owner");

	make("root's", "secret", 0600);
	ok(link("root's", "lock") == 0, "a file of root's gets a second name there");
	is_int(place_file(dir, "lock", O_RDWR | O_CREAT, &e), -1, "it is refused");
	is_int(owner_of("lock"), 0, "and stays root's");
	give("lock");
	is_int(owner_of("lock"), 0, "it is not given away");
	unlink("lock");
	give("root's");
	is_int(owner_of("root's"), 0, "nor is one with one name that has content");
	mkdir("root's folder", 0700);
	make("root's folder/file", "secret", 0600);
	err_clear(&e);
	opens(place_make_folder(dir, "root's folder", &e), &e, "a folder of root's is opened");
	is_int(owner_of("root's folder"), 0, "and stays root's");
	give("root's folder");
	is_int(owner_of("root's folder"), 0, "it is not given away");
}

static void test_leads(void)
{
	int fd;

	temp_write("named", span_str("x"));
	fd = open("named", O_RDONLY);
	is_int(place_leads(dir, "named", fd), 1, "a name leads to the file that is open");
	is_int(place_leads(dir, "nothing", fd), 0, "a name of nothing does not");
	ok(errno == ENOENT, "which errno tells");
	is_int(place_leads(dir, "named/more", fd), 0, "nor one below a file");
	temp_write("other", span_str("x"));
	if (rename("other", "named") < 0)
		tap_note("cannot rename");
	is_int(place_leads(dir, "named", fd), 0, "nor a name that another file has now");
	is_int(errno, 0, "and errno that one has");
	is_int(place_leads(-1, "named", fd), -1, "a folder that is not open cannot be looked into");
	is_int(place_leads(dir, "named", -1), -1, "nor can a file that is not");
	close(fd);
}

/* A new file that others can write to: its file system keeps no modes. */
static void test_new(void)
{
	struct err e = ERR_INIT;
	int fd;

	make("just made", "", 0600);
	fd = open("just made", O_RDWR);
	is_int(place_check_new(dir, fd, &e), 0, "a new file that is private: %s", e.msg);
	is_int(owner_of("just made"), owner_of("."), "belongs to the folder's owner");
	is_int(fchmod(fd, 0666), 0, "one that others can write to");
	is_int(place_check_new(dir, fd, &e), -1, "is refused");
	is_err(&e, ERR_FAILED, "the file system does not store permissions", "for that reason");
	close(fd);
}

int main(void)
{
	temp_enter();
	umask(022);
	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	modes();
	opening();
	if (geteuid() == 0 && chown(".", THEIRS, THEIRS) == 0)
		owners();
	test_leads();
	test_new();
	return tap_end();
}
