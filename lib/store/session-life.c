/* How a session comes and goes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/names.h"
#include "store/index.h"
#include "store/place.h"
#include "store/quarantine.h"
#include "store/removed.h"
#include "store/session.h"

/* ---- creating ---- */

static int delete_folder(int above, const char *name, const char *shown, struct err *e);

/* The history is locked: nobody can use or remove the session before it is in the index, and be
 * undone there by this. */
static int open_history(struct new_session *n, struct err *e)
{
	const struct lock_wait wait = { .stop_fd = -1 };

	n->fd = openat(n->dir, HISTORY_FILE, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (n->fd < 0)
		return err_sys(e, errno, "cannot create '" HISTORY_FILE "'");
	place_give(n->fd, n->dir);
	return lock_take(n->fd, &wait, e);
}

int session_begin(struct new_session *n, const struct store *s, const char *id, struct err *e)
{
	char unique[ID_SIZE];

	*n = (struct new_session){ .store = s, .dir = -1, .fd = -1 };
	snprintf(n->id, sizeof(n->id), "%s", id);
	if (id_generate(unique, e) < 0)
		return -1;
	leftover_name_new(n->temp, id, unique);
	store_share(s);
	n->dir = place_make_folder(s->fd, n->temp, e);
	if (n->dir >= 0 && open_history(n, e) == 0)
		return 0;
	session_abandon(n);
	return err_prefix(e, "cannot create a session in '%s'", s->dir);
}

static void end(struct new_session *n)
{
	if (n->fd >= 0)
		lock_end(n->fd);
	if (n->dir >= 0)
		close(n->dir);
	n->fd = n->dir = -1;
	store_unshare(n->store);
}

void session_abandon(struct new_session *n)
{
	struct err ignored = ERR_INIT;

	if (n->dir >= 0)
		delete_folder(n->store->fd, n->temp, n->temp, &ignored);
	end(n);
}

/* rename(2) takes the place of an empty folder only, so of no session. */
static int give_name(struct new_session *n, struct err *e)
{
	const struct store *s = n->store;

	if (renameat(s->fd, n->temp, s->fd, n->id) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
		err_set(e, ERR_EXISTS, "session '%s' exists already", n->id);
	else
		err_sys(e, errno, "cannot create session '%s' in '%s'", n->id, s->dir);
	session_abandon(n);
	return -1;
}

/* Its files are on the disk: artifact_put() has seen to those in artifacts/. */
static int sync_all(const struct new_session *n, struct err *e)
{
	if (io_sync(n->fd) < 0 || io_sync_folder(n->dir) < 0)
		return err_sys(e, errno, "cannot be sure that session '%s' is on the disk", n->id);
	return 0;
}

static int read_info(const struct new_session *n, struct conversation *c, struct err *e)
{
	struct jsonl j;
	int r;

	if (jsonl_map(&j, n->fd, e) < 0)
		return err_prefix(e, "session '%s'", n->id);
	c->lean = true;
	r = history_load(c, n->store, n->temp, &j, e);
	jsonl_unmap(&j);
	return r;
}

int session_publish(struct new_session *n, struct err *e)
{
	struct conversation c = CONVERSATION_INIT;
	struct err why = ERR_INIT;
	int r = read_info(n, &c, e);

	if (r == 0)
		r = sync_all(n, e);
	if (r < 0)
		session_abandon(n);
	else
		r = give_name(n, e);
	if (r == 0) {
		if (io_sync_folder(n->store->fd) < 0)
			r = err_sys(e, errno, "cannot be sure that session '%s' is on the disk", n->id);
		if (index_insert(n->store, n->id, &c.info, &why) < 0)
			index_not_updated(n->store, n->id, why.msg);
		end(n);
	}
	conversation_release(&c);
	return r;
}

/* A session without an exchange: its name is synced with the first one. */
static int create_as(const struct store *s, const struct session_head *head, const char *id,
                     struct err *e)
{
	struct session_info info = {
		.created_at = head->created_at, .updated_at = head->created_at,
		.provider = head->provider,     .model = head->model,
		.cwd = head->cwd,               .title = head->title,
		.usage = USAGE_NONE,
	};
	struct buf record = BUF_INIT;
	struct new_session n;
	int r;

	record_add_head(&record, head);
	info.history_bytes = (int64_t)record.n;
	if (buf_check(&record, e) < 0 || session_begin(&n, s, id, e) < 0) {
		buf_release(&record);
		return -1;
	}
	r = jsonl_append(n.fd, buf_span(&record), true, e);
	if (r < 0) {
		session_abandon(&n);
		err_prefix(e, "cannot create a session in '%s'", s->dir);
	} else {
		r = give_name(&n, e);
	}
	if (r == 0) {
		index_update(s, id, &info);
		end(&n);
	}
	buf_release(&record);
	return r;
}

int session_create(const struct store *s, struct session_head *head, char id[ID_SIZE],
                   struct err *e)
{
	if (head->id.n) {
		int64_t before;

		memmove(id, head->id.p, head->id.n); /* the caller may have given it in `id` */
		id[head->id.n] = '\0';
		before = removed_latest(s, id);
		if (head->created_at <= before) /* it is another session than the one that was removed */
			head->created_at = before + 1;
		return create_as(s, head, id, e);
	}
	for (;;) {
		err_clear(e);
		if (id_generate(id, e) < 0)
			return -1;
		head->id = span_str(id);
		if (create_as(s, head, id, e) == 0)
			return 0;
		if (e->kind != ERR_EXISTS)
			return -1;
	}
}

/* ---- removing ---- */

static int empty_folder(int dir, const char *shown, struct err *e);

static int delete_folder(int above, const char *name, const char *shown, struct err *e)
{
	int dir = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r;

	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot delete '%s'", shown);
	r = empty_folder(dir, shown, e);
	close(dir);
	if (r == 0 && unlinkat(above, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = err_sys(e, errno, "cannot delete '%s'", shown);
	return r;
}

static bool is_folder(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int delete_entry(int dir, const char *name, const char *above, struct err *e)
{
	char shown[PATH_MAX];
	int why;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	why = errno; /* EPERM: a folder, as POSIX has it, or an immutable file */
	snprintf(shown, sizeof(shown), "%s/%s", above, name);
	if (why == EISDIR || (why == EPERM && is_folder(dir, name)))
		return delete_folder(dir, name, shown, e);
	return err_sys(e, why, "cannot delete '%s'", shown);
}

/* Deletes what is in the folder. Links are not followed. */
static int empty_folder(int dir, const char *shown, struct err *e)
{
	struct names names;
	int r = 0;

	if (names_read(&names, dir, e) < 0)
		return err_prefix(e, "cannot delete '%s'", shown);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = delete_entry(dir, names.v[i], shown, e);
	names_release(&names);
	return r;
}

/* Some file systems cannot rename a folder (overlayfs one of its lower layer, quotas one into
 * another project), and a full one may have no room for the new name. */
static bool cannot_rename(int why)
{
	return why == EXDEV || why == EINVAL || why == ENOSYS || why == EOPNOTSUPP || why == ENOSPC ||
	       why == EDQUOT;
}

static void put_back(const struct session *x, const char *name, struct err *e)
{
	if (renameat(x->store->fd, name, x->store->fd, x->id) < 0)
		err_prefix(e, "session '%s' is now '%s/%s'", x->id, x->store->dir, name);
}

/* The folder, which is empty, goes after the record: a check that finds the folder knows that
 * somebody is about to take the session off the list. */
static int take_off(const struct session *x, const char *name, struct err *e)
{
	const struct store *s = x->store;
	int r = index_append_tombstone(s, x->id, clock_now_ms(), e);

	if (r < 0) {
		index_note_stale(s, x->id);
		err_prefix(e, "session '%s' is deleted, but the list of sessions still has it", x->id);
	}
	if (unlinkat(s->fd, name, AT_REMOVEDIR) < 0 && r == 0)
		r = err_sys(e, errno, "cannot delete '%s/%s'", s->dir, name);
	return r;
}

/* Its createdAt, as its first session record has it; -1 where none does. */
static int64_t created_at(const struct session *x)
{
	struct err ignored = ERR_INIT;
	struct record r;
	struct span line;
	struct jsonl j;
	size_t at = 0;
	int64_t when = -1;

	if (jsonl_map(&j, x->fd, &ignored) < 0)
		return -1;
	while (when < 0 && jsonl_next(&j, &at, &line)) {
		err_clear(&ignored);
		if (record_parse(line, &r, &ignored) < 0)
			continue;
		if (r.type == RECORD_SESSION)
			when = r.head.created_at;
		record_release(&r);
	}
	jsonl_unmap(&j);
	return when;
}

/* A full disk must not keep a session: then it is noted when there is room. */
static int note_removal(struct session *x, struct removal *noted, int64_t created, struct err *e)
{
	if (removed_note(noted, x->store, x->id, created, e) == 0)
		return 0;
	if (!noted->full)
		return err_prefix(e, "cannot delete session '%s'", x->id);
	err_clear(e);
	return 0;
}

static void note_late(const struct session *x, struct removal *noted, int64_t created)
{
	struct err why = ERR_INIT;

	if (noted->fd < 0 && removed_note(noted, x->store, x->id, created, &why) < 0)
		store_notice(x->store, "session '%s' is deleted, but that could not be noted: %s", x->id, why.msg);
	removed_keep(noted);
}

int session_remove(struct session *x, struct err *e)
{
	const struct store *s = x->store;
	struct removal noted = REMOVAL_NONE;
	int64_t created = created_at(x);
	char name[LEFTOVER_SIZE];
	bool moved = false;
	int r = note_removal(x, &noted, created, e);

	leftover_name_removed(name, x->id, getpid(), clock_now_ms());
	store_share(s);
	if (r == 0)
		moved = renameat(s->fd, x->id, s->fd, name) == 0;
	if (r == 0 && ((!moved && !cannot_rename(errno)) || unlinkat(x->dir, HISTORY_FILE, 0) < 0)) {
		r = err_sys(e, errno, "cannot delete session '%s'", x->id);
		if (moved)
			put_back(x, name, e);
		removed_take_back(&noted);
	} else if (r == 0) {
		r = empty_folder(x->dir, moved ? name : x->id, e);
		note_late(x, &noted, created);
		if (r == 0)
			r = take_off(x, moved ? name : x->id, e);
		/* else it is still listed, so that it can be tried again */
	}
	store_unshare(s);
	session_unlock(x);
	return r;
}

/* ---- what deleted sessions leave ---- */

bool session_is_going(const struct store *s, const char *id)
{
	struct err ignored = ERR_INIT;
	struct names names;
	bool found = false;

	if (names_read(&names, s->fd, &ignored) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++)
		found |= leftover_of(names.v[i], id) == LEFTOVER_REMOVED;
	names_release(&names);
	return found;
}

/* Whether a crash left this folder. A folder that is still being made does not count; a folder
 * without a history is what a deletion in place left. */
static bool was_left(const struct store *s, const char *name, const char *id)
{
	enum leftover kind = leftover_of(name, id);
	bool alone;

	if (kind == LEFTOVER_REMOVED || (strcmp(name, id) == 0 && !history_exists(s, id)))
		return true;
	if (kind != LEFTOVER_NEW)
		return false;
	alone = store_alone(s);
	if (alone)
		store_unshare(s);
	return alone;
}

static int purge_leftovers(const struct store *s, char *const *ids, size_t n, struct err *e)
{
	struct names names;

	if (names_read(&names, s->fd, e) < 0)
		return err_prefix(e, "'%s'", s->dir);
	for (size_t i = 0; i < names.n; i++)
		for (size_t k = 0; k < n; k++)
			if (was_left(s, names.v[i], ids[k])) {
				delete_entry(s->fd, names.v[i], s->dir, e);
				break;
			}
	names_release(&names);
	return e->kind == ERR_NONE ? 0 : -1;
}

/* Whether a repair moved it away from one of the sessions, or it is an old index, as the note
 * beside it says. */
static bool is_of_one(struct span note, char *const *ids, size_t n)
{
	struct span value, session = { "", 0 };
	struct buf from = BUF_INIT;
	bool found;

	json_scan_find(note, "session", &session);
	if (json_scan_find(note, "from", &value))
		json_scan_add_str(&from, value);
	found = strcmp(from.p, INDEX_FILE) == 0 || strcmp(from.p, INDEX_TEMP) == 0;
	for (size_t i = 0; i < n && !found; i++)
		found = json_scan_is(session, span_str(ids[i])) || strcmp(from.p, ids[i]) == 0 ||
		        leftover_of(from.p, ids[i]) != LEFTOVER_NONE;
	buf_release(&from);
	return found;
}

#define NOTE_MAX 65536

static int read_note(int dir, const char *name, struct buf *note, struct err *e)
{
	int fd = place_file(dir, name, O_RDONLY, e), r;

	if (fd < 0)
		return err_prefix(e, "'" QUARANTINE_DIR "/%s'", name);
	r = io_read_all(fd, note, NOTE_MAX);
	if (r < 0)
		err_sys(e, errno, "cannot read '" QUARANTINE_DIR "/%s'", name);
	close(fd);
	return r;
}

/* What was moved goes before the note that says what it is. */
static void purge_quarantined(int dir, const char *note_name, char *const *ids, size_t n, struct err *e)
{
	size_t length = strlen(note_name) - strlen(QUARANTINE_NOTE);
	struct buf note = BUF_INIT;
	struct err why = ERR_INIT;
	char name[NAME_MAX + 1];

	snprintf(name, sizeof(name), "%.*s", (int)length, note_name);
	if (strcmp(name, "") == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return; /* a repair writes no such note, and it would delete the store */
	if (read_note(dir, note_name, &note, &why) == 0 && is_of_one(buf_span(&note), ids, n) &&
	    delete_entry(dir, name, QUARANTINE_DIR, &why) == 0)
		delete_entry(dir, note_name, QUARANTINE_DIR, &why);
	if (why.kind != ERR_NONE && e->kind == ERR_NONE)
		*e = why;
	buf_release(&note);
}

static int purge_quarantine(const struct store *s, char *const *ids, size_t n, struct err *e)
{
	int dir = place_folder(s->fd, QUARANTINE_DIR, e);
	struct names names;

	if (dir < 0)
		return e->kind == ERR_NOT_FOUND ? (err_clear(e), 0) : err_prefix(e, "'" QUARANTINE_DIR "'");
	if (names_read(&names, dir, e) == 0) {
		for (size_t i = 0; i < names.n; i++)
			if (span_ends(span_str(names.v[i]), QUARANTINE_NOTE))
				purge_quarantined(dir, names.v[i], ids, n, e);
		names_release(&names);
	}
	close(dir);
	return e->kind == ERR_NONE ? 0 : -1;
}

int session_purge(const struct store *s, char *const *ids, size_t n, struct err *e)
{
	struct err leftovers = ERR_INIT, quarantine = ERR_INIT;

	if (s->fd < 0 || !n)
		return 0;
	/* Each of them, even where another one fails. */
	purge_leftovers(s, ids, n, &leftovers);
	purge_quarantine(s, ids, n, &quarantine);
	index_purge(s, ids, n, e);
	if (e->kind == ERR_NONE)
		*e = leftovers.kind != ERR_NONE ? leftovers : quarantine;
	return e->kind == ERR_NONE ? 0 : -1;
}
