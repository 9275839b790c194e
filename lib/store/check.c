/* The check of the whole store: its parts in order, and the files of the directory itself. */
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/check-parts.h"
#include "store/index.h"
#include "store/leftover.h"
#include "store/removed.h"

/* The index and its lock: kind, owner and mode. */
static void check_top_file(struct check *c, const char *name)
{
	struct spot at = { .name = name };
	struct stat st;

	if (check_place(c, c->store->fd, &at, false, &st) && st.st_nlink > 1)
		check_move(c, FINDING_LINK, c->store->fd, &at, "it has a second hard link");
}

static const char *describe_leftover(const char *name)
{
	switch (leftover_kind(name)) {
	case LEFTOVER_NEW: return "a session whose creation was interrupted";
	case LEFTOVER_REMOVED: return "a session whose deletion was interrupted";
	case LEFTOVER_NONE: break;
	}
	return strcmp(name, REMOVED_TEMP) == 0 ? "an interrupted repair"
	                                       : "an interrupted rebuild of the index";
}

static void check_leftover(struct check *c, const char *name)
{
	struct spot at = { .name = name };
	struct stat st;

	if (fstatat(c->store->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		check_move(c, FINDING_LEFTOVER, c->store->fd, &at, describe_leftover(name));
}

/* Moves the leftovers, or only finds out whether there are any: 1, 0 or -1. */
static int each_leftover(struct check *c, const struct names *names, bool move, struct err *e)
{
	int own = 0, any = 0;

	for (size_t i = 0; own >= 0 && i < names->n; i++) {
		own = names->v[i][0] == '.' ? check_own_leftover(c, names->v[i], e) : 0;
		any |= own > 0;
		if (own > 0 && move)
			check_leftover(c, names->v[i]);
	}
	return own < 0 ? -1 : any;
}

/* While no other process uses the directory or the index, so that no leftover is still in use. */
static int check_leftovers(struct check *c, const struct names *names, struct err *e)
{
	int r = each_leftover(c, names, false, e), lock;

	if (r <= 0 || !store_alone(c->store))
		return r < 0 ? -1 : 0;
	lock = names_has(names, INDEX_LOCK) ? index_lock(c->store, e) : 0;
	if (lock >= 0)
		r = each_leftover(c, names, true, e);
	if (lock > 0)
		lock_end(lock);
	store_unshare(c->store);
	return lock < 0 || r < 0 ? -1 : 0;
}

static int check_sessions(struct check *c, const struct names *names, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < names->n; i++) {
		if (c->progress)
			c->progress(c->ctx, i, names->n);
		if (id_valid(names->v[i], strlen(names->v[i])))
			r = check_folder(c, names->v[i], true, e);
	}
	return r;
}

static void check_top_files(struct check *c, const struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (check_own_top_file(names->v[i]) && strcmp(names->v[i], REMOVED_FILE) != 0)
			check_top_file(c, names->v[i]);
}

/* The mode of the directory itself. It is not repaired if other programs' files are there, too. */
static int check_top_mode(struct check *c, const struct names *names, struct err *e)
{
	struct spot at = { .name = "." };
	struct err refused = ERR_INIT;
	const char *stranger;
	struct stat st;
	int shared;

	if (fstat(c->store->fd, &st) < 0)
		return err_sys(e, errno, "cannot examine '%s'", c->store->dir);
	if ((st.st_mode & 07777) == 0700)
		return 0;
	shared = c->repair ? check_stranger(c, names, &stranger, e) : 0;
	if (shared > 0)
		err_set(&refused, ERR_FAILED, "'%.60s' in it is not mcbox's: use chmod", stranger);
	if (shared >= 0)
		check_mode(c, c->store->fd, &at, &st, 0700, shared > 0 ? &refused : NULL);
	return shared < 0 ? -1 : 0;
}

/* A repair needs locks, which keep others from writing at the same time. */
static int need_locks(struct check *c, struct err *e)
{
	const struct lock_wait at_once = { .no_wait = true, .shared = true, .stop_fd = -1 };
	struct err why = ERR_INIT;

	if (!c->repair)
		return 0;
	if (lock_take(c->store->fd, &at_once, &why) == 0)
		lock_drop(c->store->fd);
	return why.kind == ERR_NO_LOCKS ? err_set(e, why.kind, "'%s': %s", c->store->dir, why.msg) : 0;
}

int check_store(struct check *c, struct err *e)
{
	struct names names;
	int r;

	if (c->store->fd < 0)
		return 0;
	if (need_locks(c, e) < 0)
		return -1;
	if (names_read(&names, c->store->fd, e) < 0)
		return err_prefix(e, "'%s'", c->store->dir);
	check_top_files(c, &names);
	r = check_index_begin(c, e);
	if (r == 0 && names.n)
		r = check_top_mode(c, &names, e);
	if (r == 0)
		r = check_leftovers(c, &names, e);
	if (r == 0)
		r = check_removed(c, e);
	if (r == 0)
		r = check_sessions(c, &names, e);
	if (r == 0)
		r = check_index_end(c, e);
	if (c->progress)
		c->progress(c->ctx, names.n, names.n);
	names_release(&names);
	return r;
}

int check_session(struct check *c, const char *id, struct err *e)
{
	if (need_locks(c, e) < 0)
		return -1;
	return check_folder(c, id, false, e) < 0 ? -1 : check_index_orphan(c, id, e);
}
