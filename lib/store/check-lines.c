#include "store/check-lines.h"

#include <errno.h>
#include <unistd.h>

#include "base/io.h"
#include "base/replace.h"
#include "store/place.h"

static size_t to_move(const struct scan *scan)
{
	size_t n = 0;

	for (size_t i = 0; i < scan->nbad; i++)
		n += !scan->bad[i].stays;
	return n;
}

bool check_lines_sound(const struct check_lines *l)
{
	return !l->linked && !l->scan->torn && !to_move(l->scan);
}

void check_lines_tell(const struct check_lines *l, const struct outcome *o)
{
	struct outcome stays = *o, needed = *o;
	struct spot at = l->at;

	stays.place[0] = needed.place[0] = '\0';
	if (l->c->repair && needed.repair != REPAIR_IMPOSSIBLE) {
		needed.repair = REPAIR_IMPOSSIBLE;
		err_set(&needed.why, ERR_FAILED, "an exchange without 'parent' follows it");
	}
	for (size_t i = 0; i < l->scan->nbad; i++) {
		const struct bad_line *b = &l->scan->bad[i];
		struct err why = ERR_INIT;

		if (b->leaves)
			continue;
		scan_explain(l->scan, b, l->j, &why);
		at.line = b->line;
		check_tell(l->c, b->kind, &at, b->needed ? &needed : b->stays ? &stays : o, "%s", why.msg);
	}
	at.line = 0;
	if (l->linked)
		check_tell(l->c, FINDING_LINK, &at, &stays, "it has a second hard link");
}

/* ---- the repair ---- */

static int copy_out(const struct check_lines *l, struct outcome *o)
{
	int fd = quarantine_create(l->c->store, l->at.folder, l->at.name, *l->fd, o->place, &o->why);
	int bad = fd < 0;

	for (size_t i = 0; !bad && i < l->scan->nbad; i++) {
		const struct bad_line *b = &l->scan->bad[i];
		const char *p = l->j->p + b->start;

		if (!b->stays && !b->leaves)
			bad = io_write(fd, p, b->n) < 0 || (p[b->n - 1] != '\n' && io_write(fd, "\n", 1) < 0);
	}
	if (bad && fd >= 0) {
		err_sys(&o->why, errno, "cannot write '%s'", o->place);
		close(fd);
		return -1;
	}
	return fd < 0 ? -1 : quarantine_sync(l->c->store, fd, &o->why);
}

/* Writes the records of a line that is removed, each on a line of its own. *k counts the pieces. */
static int copy_pieces(const struct check_lines *l, const struct bad_line *b, size_t *k, int fd)
{
	for (; *k < l->scan->npieces && l->scan->pieces[*k].start < b->start + b->n; ++*k) {
		const struct scan_piece *piece = &l->scan->pieces[*k];

		if (piece->n && (io_write(fd, l->j->p + piece->from, piece->n) < 0 || io_write(fd, "\n", 1) < 0))
			return -1;
	}
	return 0;
}

static int copy_instead(const struct bad_line *b, int fd)
{
	return b->instead.p && (io_write(fd, b->instead.p, b->instead.n) < 0 || io_write(fd, "\n", 1) < 0) ? -1 : 0;
}

/* Writes what is not removed, byte for byte. */
static int copy_rest(const struct check_lines *l, int fd)
{
	size_t at = 0, piece = 0;

	for (size_t i = 0; i < l->scan->nbad; i++) {
		const struct bad_line *b = &l->scan->bad[i];

		if (b->stays || b->start < at) /* a torn line may also be a duplicate, and is listed twice then */
			continue;
		if (io_write(fd, l->j->p + at, b->start - at) < 0 || copy_pieces(l, b, &piece, fd) < 0 ||
		    copy_instead(b, fd) < 0)
			return -1;
		at = b->start + b->n;
	}
	if (io_write(fd, l->j->p + at, l->j->mapped - at) < 0)
		return -1;
	return l->scan->torn && at < l->j->mapped ? io_write(fd, "\n", 1) : 0; /* unless the torn line was removed */
}

/* Replaces the file. The new one is locked before it gets the name, so that no other process can take the
 * lock in between. */
static int write_anew(const struct check_lines *l, struct span first, struct err *e)
{
	const struct lock_wait now = { .no_wait = true, .stop_fd = -1 };
	struct replace r = REPLACE_INIT(l->dir, l->at.name, l->temp);

	r.flags = O_RDWR | O_APPEND;
	r.keep_leftover = true; /* the check moves it to quarantine */
	if (replace_begin(&r) < 0)
		return err_sys(e, errno, "cannot create '%s'", l->temp);
	place_give(r.fd, *l->fd);
	if (lock_take(r.fd, &now, e) < 0 || io_write(r.fd, first.p, first.n) < 0 || copy_rest(l, r.fd) < 0 ||
	    replace_commit(&r, REPLACE_SYNC | REPLACE_KEEP_FD) < 0) {
		err_sys(e, errno, "cannot write a new '%s'", l->at.name);
		lock_end(r.fd);
		r.fd = -1;
		replace_abandon(&r);
		return -1;
	}
	lock_end(*l->fd);
	*l->fd = r.fd;
	return io_sync_folder(l->dir) < 0 ? err_sys(e, errno, "cannot be sure that it is on the disk") : 0;
}

int check_lines_repair(const struct check_lines *l, struct span first, struct outcome *o)
{
	if (!to_move(l->scan) && !first.n && !l->linked) /* it only lacks a line feed */
		return jsonl_heal(*l->fd, &o->why) < 0 || io_datasync(*l->fd) < 0
		           ? err_sys(&o->why, errno, "cannot write it") : 0;
	if (to_move(l->scan) && copy_out(l, o) < 0)
		return -1;
	return write_anew(l, first, &o->why);
}
