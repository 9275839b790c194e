/* removed.jsonl: what was noted stays, whatever becomes of a removal. */
#include "store/removed.h"

#include <string.h>

#include "base/io.h"
#include "store/lock.h"
#include "tap.h"
#include "temp.h"

static struct store store = { .dir = ".", .fd = -1, .stop_fd = -1 };

#define EARLIER "{\"id\":\"a\",\"createdAt\":1,\"deletedAt\":2}\n"

static void is_file(const char *want, const char *what)
{
	struct buf got = BUF_INIT;
	int fd = open(REMOVED_FILE, O_RDONLY);

	if (fd < 0 || io_read_all(fd, &got, 65536) < 0)
		tap_note("cannot read " REMOVED_FILE);
	is_buf(&got, want, "%s", what);
	buf_release(&got);
	close(fd);
}

static void test_taken_back(void)
{
	struct removal r;
	struct err e = ERR_INIT;

	is_int(removed_note(&r, &store, "b", 5, &e), 0, "a removal is noted");
	removed_take_back(&r);
	is_file(EARLIER, "and taken back: the earlier one stays");
	is_int(removed_note(&r, &store, "b", 5, &e), 0, "it is noted again");
	removed_keep(&r);
	removed_take_back(&r);
	is_int(removed_latest(&store, "b"), 5, "what is kept is not taken back any more");
}

/* By a program that writes characters as escapes. */
static void test_escaped(void)
{
	static const char line[] = "{\"\\u0069d\":\"\\u007aq\",\"createdAt\":7,\"deletedAt\":8}\n";
	int fd = open(REMOVED_FILE, O_WRONLY | O_APPEND);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		tap_note("cannot write " REMOVED_FILE);
	close(fd);
	is_int(removed_latest(&store, "zq"), 7, "an id that is written with escapes is found");
	is_int(removed_latest(&store, "d"), -1, "and no other one");
}

/* The user stops waiting for the lock. */
static void test_stopped(void)
{
	const struct lock_wait now = { .no_wait = true, .stop_fd = -1 };
	int other = open(REMOVED_FILE, O_RDWR), ends[2];
	struct removal r;
	struct err e = ERR_INIT;

	if (pipe(ends) < 0 || write(ends[1], "x", 1) < 0 || lock_take(other, &now, &e) < 0)
		tap_note("cannot lock it");
	store.stop_fd = ends[0];
	is_int(removed_note(&r, &store, "c", 6, &e), -1, "the lock is waited for until the user stops that");
	is_int(e.kind, ERR_INTERRUPTED, "which is said");
	store.stop_fd = -1;
	lock_end(other);
	is_int(removed_latest(&store, "a"), 1, "the earlier ones stay");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	int fd;

	temp_enter();
	store.fd = open(".", O_RDONLY | O_DIRECTORY);
	fd = open(REMOVED_FILE, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, EARLIER, strlen(EARLIER)) < 0)
		tap_note("cannot write " REMOVED_FILE);
	close(fd);
	test_taken_back();
	test_stopped();
	test_escaped();
	close(store.fd);
	return tap_end();
}
