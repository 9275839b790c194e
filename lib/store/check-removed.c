/* The check of removed.jsonl. It is not a cache, so a repair keeps every valid line. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/check-lines.h"
#include "store/place.h"
#include "store/removed.h"

/* Locks the open file. A repair waits for the lock; a check does not, and sets *locked. 1; 0 if the name
 * now leads to another file; or -1. */
static int lock_removed(struct check *c, int fd, bool repair, bool *locked, struct err *e)
{
	const struct lock_wait wait = { .no_wait = !repair, .shared = !repair, .stop_fd = c->wait.stop_fd };
	struct err why = ERR_INIT;
	int leads;

	*locked = lock_take(fd, &wait, &why) == 0;
	if (!*locked && (repair || (why.kind != ERR_BUSY && why.kind != ERR_NO_LOCKS)))
		return err_set(e, why.kind, "'" REMOVED_FILE "': %s", why.msg);
	leads = *locked ? place_leads(c->store->fd, REMOVED_FILE, fd) : 1;
	return leads < 0 ? err_sys(e, errno, "cannot examine '" REMOVED_FILE "'") : leads;
}

/* A descriptor. -1: it is gone, or cannot be opened, which is reported. -2: the check cannot continue. */
static int open_removed(struct check *c, const struct spot *at, bool repair, bool *locked, struct err *e)
{
	const int flags = (repair ? O_RDWR | O_APPEND : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

	for (;;) {
		int fd = openat(c->store->fd, REMOVED_FILE, flags), there;

		if (fd < 0) {
			if (errno != ENOENT)
				check_unreadable(c, at, strerror(errno));
			return -1;
		}
		there = lock_removed(c, fd, repair, locked, e);
		if (there > 0)
			return fd;
		lock_end(fd);
		if (there < 0)
			return -2;
	}
}

static bool is_linked(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink > 1;
}

/* Checks the open file; a repair may replace *fd. 1: it needs a repair, and `repair` is false. */
static int check_open(struct check *c, int *fd, bool repair, bool locked, struct err *e)
{
	struct outcome o = OUTCOME_NONE;
	struct scan scan = { .bad = NULL };
	struct jsonl j;
	const struct check_lines l = { .c = c, .at = { .name = REMOVED_FILE }, .dir = c->store->fd, .fd = fd,
	                               .temp = REMOVED_TEMP, .linked = is_linked(*fd), .j = &j, .scan = &scan };
	int r;

	if (jsonl_map(&j, *fd, e) < 0)
		return err_prefix(e, "'" REMOVED_FILE "'");
	r = scan_removed(&scan, &j, locked, e);
	if (r == 0 && c->repair && !repair && !check_lines_sound(&l)) {
		r = 1;
	} else if (r == 0) {
		if (repair && !check_lines_sound(&l)) {
			store_share(c->store); /* for the temporary name */
			outcome_set(&o, check_lines_repair(&l, (struct span){ "", 0 }, &o));
			store_unshare(c->store);
		}
		check_lines_tell(&l, &o);
	}
	scan_release(&scan);
	jsonl_unmap(&j);
	return r;
}

static int check_removed_file(struct check *c, const struct spot *at, bool repair, struct err *e)
{
	bool locked;
	int fd = open_removed(c, at, repair, &locked, e), r;

	if (fd < 0)
		return fd == -1 ? 0 : -1;
	r = check_open(c, &fd, repair, locked, e);
	lock_end(fd);
	return r;
}

/* Waits for the lock only if the file needs a repair. */
int check_removed(struct check *c, struct err *e)
{
	const struct spot at = { .name = REMOVED_FILE };
	struct stat st;
	int r;

	if (!check_place(c, c->store->fd, &at, false, &st))
		return 0;
	r = check_removed_file(c, &at, false, e);
	return r > 0 ? check_removed_file(c, &at, true, e) : r;
}
