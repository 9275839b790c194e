#include "store/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/index.h"
#include "store/spool.h"

/* ---- finding ---- */

bool session_exists(const struct store *s, const char *id)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];
	struct stat st;

	if (s->fd < 0)
		return false;
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, id);
	return fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void copy_id(char id[ID_SIZE], struct span line)
{
	struct index_record r;

	id[0] = '\0';
	if (index_record(line, 0, &r))
		snprintf(id, ID_SIZE, "%.*s", (int)r.id.n, r.id.p);
}

static int not_found(const char *id, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "no session '%s'", id);
}

/* Takes the only one that `given` begins, or the one that it is in full: the list may
 * name a session that is no longer there. */
static int resolve_prefix(const char *given, struct index_reader *r, char id[ID_SIZE],
                          struct err *e)
{
	char one[ID_SIZE], names[512] = "";
	struct span line;
	size_t found = 0, n = 0;

	r->prefix = span_str(given);
	while (index_next(r, &line)) {
		copy_id(one, line);
		if (strcmp(one, given) == 0) {
			memcpy(id, one, ID_SIZE);
			return 0;
		}
		if (found++ == 0)
			memcpy(id, one, ID_SIZE);
		if (found <= 6)
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
			                      found == 6 ? "…" : one);
	}
	if (r->oom)
		return err_oom(e);
	if (found > 1)
		return err_set(e, ERR_USAGE, "session id '%s' is ambiguous: %s", given, names);
	return found ? 0 : not_found(given, e);
}

int session_resolve(const struct store *s, const char *given, char id[ID_SIZE], struct err *e)
{
	struct index_reader r;
	int result;

	if (id_check(given, e) < 0)
		return -1;
	if (session_exists(s, given)) {
		snprintf(id, ID_SIZE, "%s", given);
		return 0;
	}
	if (index_open(&r, s, false, e) < 0)
		return -1;
	result = resolve_prefix(given, &r, id, e);
	index_close(&r);
	return result;
}

int session_latest(const struct store *s, char id[ID_SIZE], struct err *e)
{
	struct index_reader r;
	struct span line;
	bool found = false;

	if (index_open(&r, s, false, e) < 0)
		return -1;
	while (!found && index_next(&r, &line)) {
		copy_id(id, line);
		found = session_exists(s, id);
	}
	if (!found)
		err_set(e, r.oom ? ERR_FAILED : ERR_NOT_FOUND,
		        r.oom ? "out of memory" : "there is no session to continue yet");
	index_close(&r);
	return found ? 0 : -1;
}

/* The index is a cache: the history is safe without it, so this is no failure. */
static void update_index(const struct store *s, const char *id, const struct summary *sum)
{
	struct err why = ERR_INIT;

	if (index_append(s, id, sum, &why) < 0)
		store_notice(s, "session '%s' is stored, but the list of sessions is not up to date: %s",
		             id, why.msg);
}

/* ---- creating ---- */

/* Returns the file's descriptor, which holds its lock: nobody can use or remove the
 * session before it is in the index, and be undone there by this. */
static int write_head(int dir, struct span record, struct err *e)
{
	const struct lock_wait wait = { .stop_fd = -1 };
	int fd = openat(dir, HISTORY_FILE, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, errno, "cannot create '" HISTORY_FILE "'");
	if (lock_take(fd, &wait, e) == 0 && jsonl_append(fd, record, true, e) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A folder that nobody knows yet, and that rename(2) makes a session. */
static void discard(const struct store *s, const char *temp)
{
	char path[ID_SIZE + 64];

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, temp);
	unlinkat(s->fd, path, 0);
	unlinkat(s->fd, temp, AT_REMOVEDIR);
}

static int build(const struct store *s, const char *temp, struct span record, struct err *e)
{
	int dir, fd;

	if (mkdirat(s->fd, temp, 0700) < 0)
		return err_sys(e, errno, "cannot create a session in '%s'", s->dir);
	dir = openat(s->fd, temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	fd = dir < 0 ? err_sys(e, errno, "cannot open the new session") : write_head(dir, record, e);
	if (dir >= 0)
		close(dir);
	if (fd < 0) {
		discard(s, temp);
		err_prefix(e, "cannot create a session in '%s'", s->dir);
	}
	return fd;
}

/* rename(2) takes the place of an empty folder only, so of no session. */
static int publish(const struct store *s, const char *temp, const char *id, struct err *e)
{
	if (renameat(s->fd, temp, s->fd, id) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
		err_set(e, ERR_EXISTS, "session '%s' exists already", id);
	else
		err_sys(e, errno, "cannot create session '%s' in '%s'", id, s->dir);
	discard(s, temp);
	return -1;
}

static int create_as(const struct store *s, const struct session_head *head, const char *id,
                     struct err *e)
{
	struct summary sum = {
		.created_at = head->created_at, .updated_at = head->created_at,
		.provider = head->provider,     .model = head->model,
		.cwd = head->cwd,               .title = head->title,
		.usage = USAGE_NONE,
	};
	char temp[ID_SIZE + 32];
	struct buf record = BUF_INIT;
	int fd = -1, r = -1;

	record_add_head(&record, head);
	sum.history_bytes = (int64_t)record.n;
	snprintf(temp, sizeof(temp), ".new-%s-%ld", id, (long)getpid());
	if (buf_check(&record, e) == 0)
		fd = build(s, temp, buf_span(&record), e);
	if (fd >= 0) {
		r = publish(s, temp, id, e);
		if (r == 0)
			update_index(s, id, &sum);
		close(fd);
	}
	buf_release(&record);
	return r;
}

int session_create(const struct store *s, struct session_head *head, char id[ID_SIZE],
                   struct err *e)
{
	if (head->id.n) {
		memmove(id, head->id.p, head->id.n); /* the caller may have given it in `id` */
		id[head->id.n] = '\0';
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

/* ---- locking ---- */

static int open_session(struct session *x, struct err *e)
{
	x->fd = -1;
	x->dir = x->store->fd < 0 ? -1 : openat(x->store->fd, x->id, O_RDONLY | O_DIRECTORY |
	                                        O_CLOEXEC | O_NOFOLLOW);
	if (x->dir >= 0)
		x->fd = openat(x->dir, HISTORY_FILE, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (x->fd >= 0)
		return 0;
	if (x->store->fd < 0 || errno == ENOENT || errno == ENOTDIR)
		not_found(x->id, e);
	else
		err_sys(e, errno, "cannot open session '%s'", x->id);
	session_unlock(x);
	return -1;
}

/* While this process waited, the session may have been removed, and even made anew:
 * the lock counts only if the name still leads to the file it is on. */
static bool still_there(const struct session *x)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];
	struct stat named, locked;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, x->id);
	return fstat(x->fd, &locked) == 0 &&
	       fstatat(x->store->fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == locked.st_dev && named.st_ino == locked.st_ino;
}

/* The last exchange's id: a crash between storing it and dropping the spool leaves
 * both, and must not make two of it. */
static bool stored_already(const struct jsonl *j, struct span id)
{
	struct err ignored = ERR_INIT;
	struct span line;
	size_t at = j->n;

	while (jsonl_prev(j, &at, &line)) {
		struct record r;
		bool same;

		if (record_parse(line, &r, &ignored) < 0) {
			err_clear(&ignored);
			continue;
		}
		same = r.type == RECORD_EXCHANGE && r.exchange.id.n == id.n &&
		       memcmp(r.exchange.id.p, id.p, id.n) == 0;
		if (r.type == RECORD_EXCHANGE || r.type == RECORD_SESSION) {
			record_release(&r);
			return same;
		}
		record_release(&r);
	}
	return false;
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
		spool_remove(x->dir);
		return 0;
	}
	jsonl_unmap(&j);
	if (session_load(x, &c, e) < 0)
		return -1;
	r = session_append(x, &c.summary, cut, NULL, e);
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
		return err_sys(e, errno, "cannot move '%s/%s/" SPOOL_FILE "' aside", x->store->dir, x->id);
	store_notice(x->store, "%s/%s/" SPOOL_FILE " is damaged (%s); it is kept as %s", x->store->dir,
	             x->id, why, name);
	return 0;
}

static int recover(struct session *x, struct err *e)
{
	struct err why = ERR_INIT;
	struct exchange cut;
	struct spool sp;
	int found = spool_read(&sp, x->dir, &cut, &why);
	int r = 0;

	if (found > 0)
		r = store_interrupted(x, &cut, e);
	else if (found < 0)
		r = set_aside(x, why.msg, e);
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
	x->store = s;
	snprintf(x->id, sizeof(x->id), "%s", id);
	for (;;) {
		if (open_session(x, e) < 0)
			return -1;
		if (lock_take(x->fd, wait, e) < 0)
			return lock_failed(x, e);
		if (still_there(x))
			return 0;
		session_unlock(x);
	}
}

int session_lock(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, struct err *e)
{
	if (session_hold(x, s, id, wait, e) < 0)
		return -1;
	if (jsonl_heal(x->fd, e) == 0)
		return recover(x, e) == 0 ? 0 : (session_unlock(x), -1);
	err_prefix(e, "session '%s'", x->id);
	session_unlock(x);
	return -1;
}

void session_unlock(struct session *x)
{
	if (x->fd >= 0)
		close(x->fd);
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
	if (s->fd < 0 || fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (session_lock(&x, s, id, &now, e) < 0)
		return e->kind == ERR_BUSY ? (err_clear(e), 1) : -1;
	session_unlock(&x);
	return 0;
}

/* ---- a turn's ends ---- */

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

/* The first exchange makes the session worth keeping: its folder's name and the
 * folder's own must survive a power cut too. */
static int sync_names(const struct session *x, struct err *e)
{
	if (fsync(x->dir) < 0 || fsync(x->store->fd) < 0)
		return err_sys(e, errno, "cannot be sure that it is on the disk");
	return 0;
}

static int append_history(struct session *x, const struct summary *sum,
                          const struct exchange *exchange, const struct change *change,
                          struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	if (change)
		record_add_change(&b, change);
	record_add_exchange(&b, exchange);
	r = buf_check(&b, e) < 0 ? -1 : jsonl_append(x->fd, buf_span(&b), true, e);
	if (r == 0 && !sum->first_query.p)
		r = sync_names(x, e);
	buf_release(&b);
	if (r < 0) {
		e->kind = ERR_UNSTORED;
		err_prefix(e, "cannot store the exchange in session '%s'", x->id);
	}
	return r;
}

int session_append(struct session *x, struct summary *sum, const struct exchange *exchange,
                   const struct change *change, struct err *e)
{
	struct stat st = { 0 };

	if (!still_there(x))
		return err_set(e, ERR_GONE, "session '%s' was removed", x->id);
	if (append_history(x, sum, exchange, change, e) < 0)
		return -1;
	spool_remove(x->dir);
	fstat(x->fd, &st);
	if (change && change->model.p)
		sum->model = change->model;
	if (change && change->title.p)
		sum->title = change->title;
	summary_count(sum, exchange, (int64_t)st.st_size);
	update_index(x->store, x->id, sum);
	return 0;
}

/* ---- removing ---- */

static int remove_files(const struct store *s, const char *name, struct err *e);

static int remove_entry(const struct store *s, int dir, const char *name, struct err *e)
{
	struct store inner = { .dir = name, .fd = dir };

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, errno, "cannot delete '%s' in '%s'", name, s->dir);
	return remove_files(&inner, name, e);
}

/* Deletes folder `name` in the store and what is in it. Links are not followed. */
static int remove_files(const struct store *s, const char *name, struct err *e)
{
	int dir = openat(s->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = dir < 0 ? NULL : fdopendir(dir);
	struct dirent *f;
	int r = 0;

	if (!d) {
		err_sys(e, errno, "cannot delete '%s'", name);
		if (dir >= 0)
			close(dir);
		return -1;
	}
	while (r == 0 && (f = readdir(d)) != NULL)
		if (strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0)
			r = remove_entry(s, dir, f->d_name, e);
	closedir(d);
	if (r == 0 && unlinkat(s->fd, name, AT_REMOVEDIR) < 0)
		r = err_sys(e, errno, "cannot delete '%s'", name);
	return r;
}

int session_remove(struct session *x, struct err *e)
{
	const struct store *s = x->store;
	struct err full = ERR_INIT;
	char name[ID_SIZE + 64];
	bool told;
	int r = 0;

	snprintf(name, sizeof(name), ".removed-%s-%ld-%lld", x->id, (long)getpid(),
	         (long long)clock_now_ms());
	/* On a full disk there is no room to say that something goes, until it is gone. */
	told = index_append_tombstone(s, x->id, clock_now_ms(), &full) == 0;
	if (renameat(s->fd, x->id, s->fd, name) < 0)
		r = err_sys(e, errno, "cannot remove session '%s'", x->id);
	session_unlock(x);
	if (r == 0)
		r = remove_files(s, name, e);
	if (r == 0 && !told)
		r = index_append_tombstone(s, x->id, clock_now_ms(), e);
	return r;
}
