/* The check of the index, against itself and against the histories. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "store/check-parts.h"
#include "store/index.h"
#include "store/place.h"

/* A finding that is reported at the end: the index is repaired once for all of them. */
struct pending {
	enum finding_kind kind;
	size_t line;
	char id[ID_SIZE]; /* "": no particular session */
};

/*
 * A picture of the index when the check began. Other processes continue to write, so if a session
 * differs from the picture, it is compared with the current index, under the session's lock, before the
 * difference is reported.
 */
struct check_index {
	struct index_reader picture;
	bool missing;
	bool refused;  /* it must not be read, which was reported */
	bool sessions; /* there are sessions, so the index should not be missing */
	int fd;        /* the file of the picture, or -1 */
	struct live {
		struct span id, line;
	} *live; /* owned; sorted by id */
	size_t nlive, live_cap;
	struct pending *pending; /* owned */
	size_t npending, pending_cap;
};

static int by_id(const void *a, const void *b)
{
	struct span x = ((const struct live *)a)->id, y = ((const struct live *)b)->id;
	int r = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	return r ? r : (x.n > y.n) - (x.n < y.n);
}

static struct pending pending(enum finding_kind kind, const char *id, size_t line)
{
	struct pending p = { .kind = kind, .line = line };

	memcpy(p.id, id, strlen(id) + 1);
	return p;
}

static int add_pending(struct check_index *ix, enum finding_kind kind, const char *id, size_t line,
                       struct err *e)
{
	struct pending *v = array_room(ix->pending, ix->npending, &ix->pending_cap, sizeof(*v), e);

	if (!v)
		return -1; /* not reached: no memory for a first finding */
	ix->pending = v;
	v[ix->npending++] = pending(kind, id, line);
	return 0;
}

static void tell_pending(struct check *c, const struct pending *p, const struct outcome *o)
{
	static const char *const messages[] = {
		[FINDING_INDEX] = "a line that is not a record",
		[FINDING_TORN] = "the last line has no line feed",
		[FINDING_STALE] = "its record is not what the history says",
		[FINDING_UNLISTED] = "it has no record of the session",
		[FINDING_ORPHAN] = "it has a record of a session that does not exist",
	};
	struct spot at = { p->id[0] ? p->id : NULL, NULL, INDEX_FILE, p->line };

	check_tell(c, p->kind, &at, o, "%s", messages[p->kind]);
}

/* ---- the picture ---- */

static int judge_lines(struct check_index *ix, struct err *e)
{
	const struct jsonl *j = &ix->picture.file;
	size_t at = 0, number = 0;
	struct span line, id;

	while (jsonl_next(j, &at, &line)) {
		enum index_kind kind;

		number++;
		line.n++;
		kind = index_judge(line, &id);
		if ((kind == INDEX_BAD || (kind == INDEX_HEADER && number > 1)) &&
		    add_pending(ix, FINDING_INDEX, "", number, e) < 0)
			return -1; /* not reached: add_pending() fails only there */
	}
	return j->mapped > j->n ? add_pending(ix, FINDING_TORN, "", number + 1, e) : 0;
}

static int collect_live(struct check_index *ix, struct err *e)
{
	struct index_record r;
	struct span line;
	struct live *v;

	while (index_next(&ix->picture, &line)) {
		if (!index_record(line, 0, &r))
			continue; /* not reached: the reader has checked the id */
		v = array_room(ix->live, ix->nlive, &ix->live_cap, sizeof(*v), e);
		if (!v)
			return -1;
		ix->live = v;
		v[ix->nlive++] = (struct live){ r.id, line };
	}
	if (ix->picture.oom)
		return err_oom(e);
	if (ix->nlive)
		qsort(ix->live, ix->nlive, sizeof(*ix->live), by_id);
	return 0;
}

static int open_picture(struct check *c, struct err *e)
{
	struct check_index *ix = c->index;
	int fd = index_open_file(c->store, O_RDONLY, e);

	if (fd < 0) {
		ix->missing = e->kind == ERR_NOT_FOUND;
		ix->refused = !ix->missing;
		if (e->kind == ERR_FAILED)
			check_unreadable(c, &(struct spot){ .name = INDEX_FILE }, e->msg);
		err_clear(e);
		return 0;
	}
	ix->fd = fd;
	return index_open_fd(&ix->picture, fd, true, e);
}

/* Takes the picture under the lock, if the lock file exists, so that no record is half written. If it
 * cannot be locked, as on a read-only medium, nobody writes. */
static int take_picture(struct check *c, struct err *e)
{
	struct err none = ERR_INIT;
	struct stat st;
	int lock = -1, r;

	if (fstatat(c->store->fd, INDEX_LOCK, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (lock = index_lock(c->store, &none)) < 0 && none.kind == ERR_INTERRUPTED)
		return err_set(e, none.kind, /* not reached: Ctrl-C ends mc-session-fsck */
		               "%s", none.msg);
	r = open_picture(c, e);
	if (lock >= 0)
		lock_end(lock);
	return r;
}

int check_index_begin(struct check *c, struct err *e)
{
	c->index = calloc(1, sizeof(*c->index));
	if (!c->index)
		return err_oom(e);
	c->index->fd = -1;
	if (take_picture(c, e) < 0)
		return -1;
	if (c->index->missing || c->index->refused)
		return 0;
	return judge_lines(c->index, e) < 0 ? -1 : collect_live(c->index, e);
}

void check_release(struct check *c)
{
	struct check_index *ix = c->index;

	if (!ix)
		return;
	if (ix->picture.seen)
		index_close(&ix->picture);
	if (ix->fd >= 0)
		close(ix->fd);
	free(ix->live);
	free(ix->pending);
	free(ix);
	c->index = NULL;
}

/* ---- records ---- */

/* Finds the record in the current index. 0 also if the index is missing. */
static int record_now(struct check *c, const char *id, struct buf *line, struct err *e)
{
	int fd = index_open_file(c->store, O_RDONLY, e), r;

	if (fd < 0 && (e->kind == ERR_NOT_FOUND || e->kind == ERR_DAMAGED)) {
		err_clear(e); /* not reached: the index changes between two looks */
		return 0; /* not reached: the index changes between two looks */
	}
	if (fd < 0)
		return -1;
	r = index_find(fd, id, SIZE_MAX, line, e);
	close(fd);
	return r;
}

static const struct live *find_live(const struct check_index *ix, const char *id)
{
	struct live key = { .id = span_str(id) };

	return ix->nlive ? bsearch(&key, ix->live, ix->nlive, sizeof(*ix->live), by_id) : NULL;
}

int check_index_record(struct check *c, const char *id, struct buf *line, struct err *e)
{
	const struct live *found;

	if (!c->index)
		return record_now(c, id, line, e);
	found = find_live(c->index, id);
	if (found)
		buf_add(line, found->line.p, found->line.n);
	return found ? (buf_check(line, e) < 0 ? -1 : 1) : 0;
}

/* Whether the index has changed since the picture was taken. */
static bool has_changed(const struct check *c)
{
	const struct check_index *ix = c->index;
	struct stat st;

	return place_leads(c->store->fd, INDEX_FILE, ix->fd) <= 0 || fstat(ix->fd, &st) < 0 ||
	       (size_t)st.st_size != ix->picture.file.mapped;
}

/* 1: the index has a record of the session. *equal: it is `want`. */
static int compare_record(struct check *c, const char *id, const struct buf *want, bool *equal,
                          struct err *e)
{
	struct buf line = BUF_INIT;
	int found = check_index_record(c, id, &line, e);

	*equal = found > 0 && span_same(buf_span(&line), buf_span(want));
	if (found >= 0 && !*equal && c->index && has_changed(c)) {
		buf_clear(&line);
		found = record_now(c, id, &line, e);
		*equal = found > 0 && span_same(buf_span(&line), buf_span(want));
	}
	buf_release(&line);
	return found;
}

/* Repairs the record of a single session: a new one is appended. */
static void repair_one(struct check *c, const struct session *x, const struct session_info *sum,
                       enum finding_kind kind)
{
	struct pending p = pending(kind, x->id, 0);
	struct outcome o = OUTCOME_NONE;

	if (c->repair)
		outcome_set(&o, index_append(c->store, x->id, sum, &o.why));
	tell_pending(c, &p, &o);
}

static int compare_loaded(struct check *c, const struct session *x, const struct conversation *v,
                          bool whole, struct err *e)
{
	struct buf want = BUF_INIT;
	enum finding_kind kind;
	bool equal;
	int found;

	index_add_record(&want, x->id, &v->info);
	found = buf_check(&want, e) < 0 ? -1 : compare_record(c, x->id, &want, &equal, e);
	buf_release(&want);
	if (found < 0)
		return -1;
	kind = found ? FINDING_STALE : FINDING_UNLISTED;
	if (equal)
		return 0;
	if (whole)
		return add_pending(c->index, kind, x->id, 0, e);
	repair_one(c, x, &v->info, kind);
	return 0;
}

/* A check of the whole store reports why it is not readable. */
static bool index_is_readable(const struct check *c)
{
	struct err ignored = ERR_INIT;
	int fd = index_open_file(c->store, O_RDONLY, &ignored);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int check_index_session(struct check *c, struct session *x, bool whole, struct err *e)
{
	const struct store *told = x->store;
	struct store quiet = *told;
	struct err why = ERR_INIT;
	int r;

	/* A missing index is one finding, and none if only some sessions are checked. */
	if (whole)
		c->index->sessions = true;
	if (whole ? c->index->missing || c->index->refused : !index_is_readable(c))
		return 0;
	quiet.notice = NULL; /* damage was reported */
	x->store = &quiet;
	x->conversation.lean = true;
	r = session_refresh(x, NULL, &why);
	x->store = told;
	if (r < 0)
		return why.kind == ERR_DAMAGED ? 0 : err_set(e, why.kind, "%s", why.msg);
	return compare_loaded(c, x, &x->conversation, whole, e);
}

int check_index_orphan(struct check *c, const char *id, struct err *e)
{
	struct pending p = pending(FINDING_ORPHAN, id, 0);
	struct outcome o = OUTCOME_NONE;
	struct buf line = BUF_INIT;
	bool there = history_exists(c->store, id) || session_is_going(c->store, id);
	int found = there ? 0 : record_now(c, id, &line, e);

	buf_release(&line);
	if (found <= 0)
		return found;
	if (c->repair)
		outcome_set(&o, index_append_tombstone(c->store, id, clock_now_ms(), &o.why));
	tell_pending(c, &p, &o);
	return 0;
}

/* ---- the end ---- */

static int find_orphans(struct check *c, struct err *e)
{
	struct check_index *ix = c->index;

	for (size_t i = 0; i < ix->nlive; i++) {
		struct buf line = BUF_INIT;
		char id[ID_SIZE];
		int found = 1;

		memcpy(id, ix->live[i].id.p, ix->live[i].id.n);
		id[ix->live[i].id.n] = '\0';
		if (history_exists(c->store, id) || session_is_going(c->store, id))
			continue;
		if (has_changed(c))
			found = record_now(c, id, &line, e);
		buf_release(&line);
		if (found < 0 || (found > 0 && add_pending(ix, FINDING_ORPHAN, id, 0, e) < 0))
			return -1; /* not reached: add_pending() fails only there */
	}
	return 0;
}

int check_index_end(struct check *c, struct err *e)
{
	struct check_index *ix = c->index;
	struct outcome o = OUTCOME_NONE;
	struct spot at = { .name = INDEX_FILE };
	struct store quiet = *c->store;
	bool missing = ix->missing && ix->sessions;

	if (find_orphans(c, e) < 0)
		return -1; /* not reached: find_orphans() does not fail */
	quiet.notice = NULL;
	if (c->repair && ((missing && !index_is_readable(c)) || ix->npending))
		outcome_set(&o, index_remake(&quiet, o.place, &o.why));
	else if (c->repair)
		outcome_set(&o, 0); /* storing an interrupted turn has made it */
	if (missing)
		check_tell(c, FINDING_INDEX, &at, &o, "it is missing");
	for (size_t i = 0; i < ix->npending; i++)
		tell_pending(c, &ix->pending[i], &o);
	return 0;
}
