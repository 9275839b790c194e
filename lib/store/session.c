#include "store/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/spool.h"

static int open_session(struct session *x, struct err *e)
{
	x->fd = history_open(x->store, x->id, O_RDWR | O_APPEND, &x->dir, e);
	return x->fd < 0 ? -1 : 0;
}

/* While this process waited, the session may have been removed, and even made anew:
 * the lock counts only if the name still leads to the file it is on. That this cannot be
 * seen does not make it so. */
int session_is_there(const struct session *x, struct err *e)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];
	struct stat named, locked;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, x->id);
	if (fstat(x->fd, &locked) < 0)
		return err_sys(e, errno, "cannot examine session '%s'", x->id);
	if (fstatat(x->store->fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0)
		return named.st_dev == locked.st_dev && named.st_ino == locked.st_ino;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_sys(e, errno, "cannot examine session '%s'", x->id);
}

/* A crash between storing an exchange and dropping its spool leaves both, and must not
 * make two of it. That the spool was dropped may be lost with the power even when later
 * turns are not, so that it need not be the last one. */
static bool stored_already(const struct jsonl *j, struct span id)
{
	struct record r;
	bool found = history_find(j, 0, j->n, id, &r);

	if (found)
		record_release(&r);
	return found;
}

static int store_interrupted(struct session *x, const struct exchange *cut, struct err *e)
{
	struct conversation c;
	struct jsonl j;
	int r;

	if (jsonl_map(&j, x->fd, e) < 0)
		return -1;
	if (stored_already(&j, cut->id)) {
		jsonl_unmap(&j);
		/* Written, but perhaps not yet on the disk. */
		if (io_datasync(x->fd) < 0)
			return err_sys(e, errno, /* not reached: a second fault after a crash */
			               "session '%s'", x->id);
		spool_remove(x->dir);
		return 0;
	}
	jsonl_unmap(&j);
	if (session_load(x, &c, e) < 0)
		return -1;
	r = session_append(x, &c.info, cut, NULL, e);
	conversation_release(&c);
	return r;
}

/* What cannot be read as a spool is not thrown away: it gets a name that is not in
 * the way of the next turn. */
static int set_aside(struct session *x, const char *why, struct err *e)
{
	char name[64];

	snprintf(name, sizeof(name), "turn.damaged-%lld", (long long)clock_now_ms());
	if (renameat(x->dir, SPOOL_FILE, x->dir, name) < 0)
		return err_sys(e, errno, /* not reached: a second fault after damage */
		               "cannot move '%s/%s/" SPOOL_FILE "' aside", x->store->dir, x->id);
	store_notice(x->store, "%s/%s/" SPOOL_FILE " is damaged (%s); it is kept as %s", x->store->dir,
	             x->id, why, name);
	return 0;
}

/* Such a record would be refused by each reader, and so by each attempt to store it. */
static bool too_large(const struct exchange *x)
{
	struct buf b = BUF_INIT;
	bool large;

	record_add_exchange(&b, x);
	large = b.n > JSON_MAX;
	buf_release(&b);
	return large;
}

int session_seal(struct session *x, struct err *e)
{
	struct err why = ERR_INIT;
	struct exchange cut;
	struct spool sp;
	int found = spool_read(&sp, x->dir, &cut, &why);
	int r = 0;

	if (found > 0 && too_large(&cut))
		found = err_set(&why, ERR_DAMAGED, "larger than %u MiB", JSON_MAX >> 20);

	if (found > 0)
		r = store_interrupted(x, &cut, e);
	else if (found < 0 && why.kind == ERR_DAMAGED)
		r = set_aside(x, why.msg, e);
	else if (found < 0)
		r = err_set(e, why.kind, "'%s/%s/" SPOOL_FILE "': %s", x->store->dir, x->id, why.msg);
	spool_release(&sp);
	return r;
}

static int lock_failed(struct session *x, struct err *e)
{
	pid_t holder = lock_holder(x->fd);

	if (e->kind == ERR_BUSY) {
		err_clear(e);
		if (holder > 0)
			err_set(e, ERR_BUSY, "session '%s' is in use by process %ld", x->id, (long)holder);
		else
			err_set(e, ERR_BUSY, "session '%s' is in use by another process", x->id);
	} else {
		err_prefix(e, "session '%s'", x->id);
	}
	session_unlock(x);
	return -1;
}

int session_hold(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, struct err *e)
{
	int there;

	x->store = s;
	snprintf(x->id, sizeof(x->id), "%s", id);
	for (;;) {
		if (open_session(x, e) < 0)
			return -1;
		if (lock_take(x->fd, wait, e) < 0)
			return lock_failed(x, e);
		there = session_is_there(x, e);
		if (there > 0)
			return 0;
		session_unlock(x);
		if (there < 0)
			return -1;
	}
}

int session_lock(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, struct err *e)
{
	if (session_hold(x, s, id, wait, e) < 0)
		return -1;
	if (jsonl_heal(x->fd, e) == 0)
		return session_seal(x, e) == 0 ? 0 : (session_unlock(x), -1);
	err_prefix(e, "session '%s'", x->id);
	session_unlock(x);
	return -1;
}

void session_unlock(struct session *x)
{
	if (x->fd >= 0)
		lock_end(x->fd);
	if (x->dir >= 0)
		close(x->dir);
	x->fd = x->dir = -1;
}

int session_recover(const struct store *s, const char *id, struct err *e)
{
	const struct lock_wait now = { .no_wait = true, .stop_fd = -1 };
	char path[ID_SIZE + sizeof("/" SPOOL_FILE)];
	struct session x;
	struct stat st;

	snprintf(path, sizeof(path), "%s/" SPOOL_FILE, id);
	if (s->fd < 0)
		return 0; /* not reached: no tool asks without a store */
	if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR
		           ? 0 : err_sys(e, errno, "cannot examine '%s/%s'", s->dir, path);
	if (session_lock(&x, s, id, &now, e) < 0)
		return e->kind == ERR_BUSY ? (err_clear(e), 1) : -1;
	session_unlock(&x);
	return 0;
}

/* ---- reading ---- */

int session_load(struct session *x, struct conversation *c, struct err *e)
{
	struct jsonl j;
	int r;

	if (jsonl_map(&j, x->fd, e) < 0)
		return err_prefix(e, "session '%s'", x->id);
	r = conversation_load(c, x->store, x->id, &j, e);
	jsonl_unmap(&j); /* the records are json-c's copies */
	return r;
}

int session_load_before(struct session *x, struct conversation *c, struct span last,
                        struct record *old, struct err *e)
{
	struct jsonl j;
	int r;

	if (jsonl_map(&j, x->fd, e) < 0)
		return err_prefix(e, "session '%s'", x->id);
	r = conversation_load_before(c, x->store, x->id, &j, last, old, e);
	jsonl_unmap(&j);
	return r;
}
