#include "store/typed.h"

#include <sys/file.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "tap.h"
#include "temp.h"

static char dir[4200];

/* The texts as they come, each with a bar behind it. */
static int take(void *ctx, struct span text, struct err *e)
{
	buf_add(ctx, text.p, text.n);
	buf_addc(ctx, '|');
	return buf_check(ctx, e);
}

static void is_read(struct typed *t, const char *want, const char *what)
{
	struct buf got = BUF_INIT;
	struct err e = ERR_INIT;

	is_int(typed_read(t, take, &got, &e), 0, "%s: %s", what, e.msg);
	is_buf(&got, want, "%s", what);
	buf_release(&got);
}

static struct typed fresh(size_t max)
{
	return (struct typed)TYPED_INIT(dir, max);
}

static void add(struct typed *t, const char *text)
{
	struct err e = ERR_INIT;

	if (typed_add(t, span_str(text), &e) < 0)
		ok(false, "'%s' is added: %s", text, e.msg);
}

static const char *path_of(const char *name)
{
	static char path[4300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *text)
{
	mkdir(dir, 0700);
	temp_write(path_of(TYPED_FILE), span_str(text));
	chmod(path_of(TYPED_FILE), 0600);
}

static struct buf file_text(void)
{
	struct buf b = BUF_INIT;

	temp_read(path_of(TYPED_FILE), &b);
	return b;
}

static size_t count_lines(void)
{
	struct buf b = file_text();
	size_t n = 0;

	for (size_t i = 0; i < b.n; i++)
		n += b.p[i] == '\n';
	buf_release(&b);
	return n;
}

static void clear(void)
{
	unlink(path_of(TYPED_FILE));
	rmdir(path_of(TYPED_FILE));
}

/* ---- one process ---- */

static void test_none(void)
{
	struct typed t = fresh(10);
	struct stat st;

	is_read(&t, "", "nothing is there");
	ok(stat(dir, &st) < 0, "reading makes no folder");
}

static void test_add(void)
{
	struct typed t = fresh(10), later = fresh(10);
	struct stat st;
	mode_t mask = umask(0);

	add(&t, "one");
	umask(mask);
	ok(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700, "the folder is private");
	ok(stat(path_of(TYPED_FILE), &st) == 0 && (st.st_mode & 07777) == 0600, "the file is private");
	add(&t, "two \"lines\"\nof \xe4\xb8\x96\\");
	is_read(&later, "one|two \"lines\"\nof \xe4\xb8\x96\\|", "what was added");
	is_read(&later, "", "it is read once");
	add(&t, "three");
	is_read(&later, "three|", "what came since");
	is_read(&t, "one|two \"lines\"\nof \xe4\xb8\x96\\|three|", "what oneself added, too");
}

static void test_left_out(void)
{
	struct typed t = fresh(10), none = fresh(0);
	struct buf large = BUF_INIT;
	struct err e = ERR_INIT;

	clear();
	add(&t, "");
	add(&t, " begins with a space");
	add(&t, "\t\n ");
	add(&t, "no \xff UTF-8");
	add(&none, "none are kept");
	while (large.n <= TYPED_TEXT_MAX)
		buf_addc(&large, 'x');
	is_int(typed_add(&t, buf_span(&large), &e), 0, "a text that is too large");
	ok(access(path_of(TYPED_FILE), F_OK) < 0, "nothing of this is kept");
	add(&t, "one");
	is_read(&none, "", "none are read");
	buf_release(&large);
}

static void test_repeats(void)
{
	struct typed t = fresh(10), few = fresh(2);
	static const char *const texts[] = { "a", "b", "a", "c", "b", "b" };

	clear();
	for (size_t i = 0; i < 6; i++)
		add(&t, texts[i]);
	is_read(&t, "a|c|b|", "a text counts where it was typed last");
	is_read(&few, "c|b|", "the newest");
}

static void test_damage(void)
{
	struct typed t = fresh(10);

	write_file("{\"type\":\"typed\",\"version\":1,\"timestamp\":1,\"text\":\"one\"}\n"
	           "garbage\n"
	           "\n"
	           "{\"type\":\"typed\",\"version\":2,\"text\":\"of the future\"}\n"
	           "{\"type\":\"other\",\"version\":1,\"text\":\"other\"}\n"
	           "{\"type\":\"typed\",\"version\":1,\"text\":7}\n"
	           "{\"type\":\"typed\",\"version\":1,\"text\":\"\"}\n"
	           "{\"type\":\"typed\",\"version\":1,\"text\":\"nul \\u0000\"}\n"
	           "{\"text\":\"tw\\u006f\",\"more\":[1],\"version\":1,\"type\":\"typed\"}\n"
	           "{\"type\":\"typed\",\"version\":1,\"timestamp\":1,\"text\":\"torn");
	is_read(&t, "one|two|", "what can be read of a damaged file");
	add(&t, "three");
	is_read(&t, "three|", "a torn tail takes nothing along");
}

static void test_hostile(void)
{
	struct typed t = fresh(10);
	struct err e = ERR_INIT;
	struct buf got = BUF_INIT;

	clear();
	temp_write("elsewhere", span_str(""));
	is_int(symlink("../../elsewhere", path_of(TYPED_FILE)), 0, "a link");
	is_int(typed_add(&t, span_str("x"), &e), -1, "is not written to");
	is_err(&e, ERR_DAMAGED, "symbolic link", "and the error says why");
	err_clear(&e);
	is_int(typed_read(&t, take, &got, &e), -1, "nor read");
	clear();
	err_clear(&e);
	is_int(mkfifo(path_of(TYPED_FILE), 0600), 0, "a FIFO");
	is_int(typed_add(&t, span_str("x"), &e), -1, "is not waited for");
	is_err(&e, ERR_DAMAGED, "not a regular file", "and the error says why");
	clear();
	err_clear(&e);
	write_file("");
	chmod(path_of(TYPED_FILE), 0622);
	is_int(typed_add(&t, span_str("x"), &e), -1, "nor what others may write");
	chmod(path_of(TYPED_FILE), 0600);
	err_clear(&e);
	chmod(dir, 0777);
	is_int(typed_add(&t, span_str("x"), &e), -1, "nor into a folder that others may write to");
	is_err(&e, ERR_DAMAGED, dir, "and the error names it");
	chmod(dir, 0700);
	temp_read("elsewhere", &got);
	is_buf(&got, "", "nothing was written to where the link led");
	buf_release(&got);
}

/* Where nobody can make a folder, root neither. */
static void test_nowhere(void)
{
	struct typed t = TYPED_INIT("/sys/mcbox/state", 10);
	struct err e = ERR_INIT;

	if (access("/sys/kernel", F_OK) < 0) {
		tap_note("no /sys: what is said of a folder that cannot be made is not looked at");
		return;
	}
	is_int(typed_add(&t, span_str("x"), &e), -1, "a folder that cannot be made");
	is_err(&e, ERR_FAILED, "cannot create '/sys/mcbox'", "the error names the first missing folder");
	ok(!strstr(e.msg, "No such file"), "and what is said is why it cannot: %s", e.msg);
}

static void test_busy(void)
{
	struct typed t = fresh(10);
	struct err e = ERR_INIT;
	int64_t start;
	int fd;

	clear();
	write_file("");
	fd = open(path_of(TYPED_FILE), O_RDWR | O_CLOEXEC);
	flock(fd, LOCK_EX);
	start = clock_steady_ms();
	is_int(typed_add(&t, span_str("x"), &e), -1, "a lock that is not let go");
	is_int(e.kind, ERR_BUSY, "is busy");
	ok(clock_steady_ms() - start < 10000, "soon");
	close(fd);
	add(&t, "y");
	is_read(&t, "y|", "it is free again");
}

static void test_compact(void)
{
	struct typed t = fresh(3), reader = fresh(3);
	char text[32];

	clear();
	write_file("{\"type\":\"note\",\"version\":9}\n");
	for (int i = 1; i <= 5; i++) {
		snprintf(text, sizeof(text), "text %d", i);
		add(&t, text);
	}
	is_int((int64_t)count_lines(), 6, "up to twice as many are left alone");
	is_read(&reader, "text 3|text 4|text 5|", "before");
	add(&t, "text 4");
	is_int((int64_t)count_lines(), 4, "the newest stay, each once, and what is not ours");
	is_read(&reader, "text 3|text 5|text 4|", "a reader begins anew with a new file");
	add(&t, "text 6");
	is_read(&reader, "text 6|", "and goes on in it");
	is_int((int64_t)count_lines(), 5, "the next compaction is far");
	ok(access(path_of(TYPED_FILE ".new"), F_OK) < 0, "nothing is left behind");
}

/* ---- several processes ---- */

#define WRITERS 4
#define TEXTS 100

static void write_many(int number)
{
	struct typed t = fresh(WRITERS * TEXTS + 1);
	struct err e = ERR_INIT;
	char text[64];

	for (int i = 0; i < TEXTS; i++) {
		snprintf(text, sizeof(text), "writer %d text %d", number, i);
		if (typed_add(&t, span_str(text), &e) < 0)
			_exit(1);
		/* Repeats make the file grow, so that it is compacted while others write. */
		for (int k = 0; k < 5; k++)
			if (typed_add(&t, span_str("again"), &e) < 0)
				_exit(1);
	}
	_exit(0);
}

static int count_text(void *ctx, struct span text, struct err *e)
{
	(void)e;
	*(int *)ctx += text.n > 6 && memcmp(text.p, "writer", 6) == 0;
	return 0;
}

static void test_crowd(void)
{
	struct typed t = fresh(WRITERS * TEXTS + 1);
	struct err e = ERR_INIT;
	int n = 0, status, failed = 0;

	clear();
	for (int i = 0; i < WRITERS; i++)
		if (fork() == 0)
			write_many(i);
	while (wait(&status) > 0)
		failed += status != 0;
	is_int(failed, 0, "several processes add");
	is_int(typed_read(&t, count_text, &n, &e), 0, "reading what they added");
	is_int(n, WRITERS * TEXTS, "nothing of it is lost");
	ok(count_lines() <= 2 * (WRITERS * TEXTS + 1), "the file was made smaller (%zu lines)", count_lines());
}

int main(void)
{
	temp_enter();
	snprintf(dir, sizeof(dir), "%s/state/mcbox", temp_path);
	test_none();
	test_add();
	test_left_out();
	test_repeats();
	test_damage();
	test_hostile();
	test_nowhere();
	test_busy();
	test_compact();
	test_crowd();
	return tap_end();
}
