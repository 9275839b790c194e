/*
 * The index's writers: one record more, a compaction, all of it made anew.
 *
 * A session whose record could not be appended is named in a file of its own, INDEX_STALE,
 * which has a lock of its own. The next tool that opens the index reads those sessions'
 * histories, appends their records and deletes the file. Where it is not a list of ids, as
 * on a full disk, the whole index is made again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "base/names.h"
#include "base/replace.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/place.h"
#include "store/quarantine.h"

#define QUERY_MAX 100           /* characters of a query that the index keeps */

/* ---- one record ---- */

static void put_query(struct buf *b, const char *key, struct span s)
{
	bool cut = false;
	struct buf text = BUF_INIT;

	if (s.p)
		s = utf8_head(s, QUERY_MAX, &cut);
	if (cut) {
		buf_add(&text, s.p, s.n);
		buf_adds(&text, "...");
		s = buf_span(&text);
	}
	json_put_str(b, key, s);
	b->oom |= text.oom;
	buf_release(&text);
}

void index_add_record_members(struct buf *b, const char *id, const struct session_info *s)
{
	struct usage totals = s->usage;

	totals.input = totals.input < 0 ? 0 : totals.input;
	totals.output = totals.output < 0 ? 0 : totals.output;
	totals.total = totals.total < 0 ? 0 : totals.total;
	json_put_word(b, "id", id);
	json_put_int(b, "createdAt", s->created_at);
	json_put_int(b, "updatedAt", s->updated_at);
	json_put_int(b, "exchangeCount", s->exchange_count);
	json_put_int(b, "toolCalls", s->tool_calls);
	json_put_int(b, "branches", s->branches);
	json_put_text(b, "provider", s->provider);
	json_put_text(b, "model", s->model);
	json_put_text(b, "cwd", s->cwd);
	put_query(b, "title", s->title);
	json_put_open(b, "tags", '[');
	for (size_t i = 0; i < s->ntags; i++)
		json_item_str(b, s->tags[i]);
	json_close(b, ']');
	put_query(b, "firstQuery", s->first_query);
	put_query(b, "lastQuery", s->last_query);
	json_put_str(b, "root", s->root);
	if (s->summary_at) {
		json_put_int(b, "summaryAt", s->summary_at);
		json_put_int(b, "summaryOf", s->summary_of);
	}
	json_key(b, "usageTotals");
	record_add_usage(b, &totals);
	json_put_int(b, "historyBytes", s->history_bytes);
	json_put_int(b, "version", 1);
}

void index_add_record(struct buf *b, const char *id, const struct session_info *s)
{
	json_open(b, '{');
	index_add_record_members(b, id, s);
	json_close(b, '}');
	buf_addc(b, '\n');
}

static void add_tombstone(struct buf *b, const char *id, int64_t now)
{
	json_open(b, '{');
	json_put_word(b, "id", id);
	json_put_int(b, "deletedAt", now);
	json_put_int(b, "version", 1);
	json_close(b, '}');
	buf_addc(b, '\n');
}

/* ---- a new file ---- */

/* The first line of a file says how large it was when it was made, which tells when
 * the next compaction is worth it. */
static void add_header(struct buf *b, size_t live, size_t bytes)
{
	json_open(b, '{');
	json_put_int(b, "live", (int64_t)live);
	json_put_int(b, "bytes", (int64_t)bytes);
	json_put_int(b, "version", 1);
	json_close(b, '}');
	buf_addc(b, '\n');
}

static int write_lines(int fd, const struct span *lines, size_t n)
{
	struct iovec v[256];
	int k = 0;

	while (n--) { /* read newest first; the file has the newest last */
		v[k++] = (struct iovec){ (void *)lines[n].p, lines[n].n };
		if (k == 256 || n == 0) {
			if (io_writev(fd, v, k) < 0)
				return -1;
			k = 0;
		}
	}
	return 0;
}

/* Puts a file with these lines, newest first, in the index's place. With `place` the old
 * one goes to quarantine, at the moment when it can be replaced. The lock is held. */
static int write_index(const struct store *s, const struct span *lines, size_t n, char *place,
                   struct err *e)
{
	struct replace r = REPLACE_INIT(s->fd, INDEX_FILE, INDEX_TEMP);
	struct buf header = BUF_INIT;
	size_t bytes = 0;
	struct stat st;
	bool bad;

	for (size_t i = 0; i < n; i++)
		bytes += lines[i].n;
	add_header(&header, n, bytes);
	if (buf_check(&header, e) < 0) {
		buf_release(&header);
		return -1;
	}
	bad = replace_begin(&r) < 0;
	if (!bad)
		place_give(r.fd, s->fd);
	bad = bad || io_write(r.fd, header.p, header.n) < 0 || write_lines(r.fd, lines, n) < 0 ||
	      (n && io_sync(r.fd) < 0);
	if (!bad && place && fstatat(s->fd, INDEX_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		bad = quarantine_move(s, s->fd, NULL, INDEX_FILE, place, e) < 0;
	bad = bad || replace_commit(&r, n ? REPLACE_SYNC_FOLDER : 0) < 0;
	if (bad) {
		err_sys(e, errno, "cannot write '%s/" INDEX_FILE "'", s->dir);
		replace_abandon(&r);
	}
	buf_release(&header);
	return bad ? -1 : 0;
}

struct rebuilt {
	struct buf text;
	struct entry {
		int64_t updated_at;
		size_t start, n;
	} *v;
	size_t n, cap;
	int old; /* the index that is replaced, or -1 */
};

static int add_entry(struct rebuilt *all, int64_t updated_at, size_t start, struct err *e)
{
	struct entry *v;

	if (buf_check(&all->text, e) < 0)
		return -1;
	v = array_room(all->v, all->n, &all->cap, sizeof(*v), e);
	if (!v)
		return -1;
	all->v = v;
	v[all->n++] = (struct entry){ updated_at, start, all->text.n - start };
	return 0;
}

static int keep_old(const char *id, struct rebuilt *all, struct err *e)
{
	size_t start = all->text.n;
	struct index_record r;
	struct span line, same_id;
	int found = all->old < 0 ? 0 : index_find(all->old, id, SIZE_MAX, &all->text, e);

	if (found <= 0)
		return found;
	line = (struct span){ all->text.p + start, all->text.n - start };
	if (index_judge(line, &same_id) == INDEX_RECORD && index_record(line, INDEX_UPDATED, &r))
		return add_entry(all, r.updated_at, start, e);
	all->text.n = start;
	return 0;
}

static bool is_forbidden(const struct store *s, const char *id)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, id);
	return faccessat(s->fd, path, R_OK, AT_EACCESS) < 0 && errno == EACCES;
}

/* One session that nobody can read, or not this user, is no reason to list none; that
 * this process could not read it, for want of memory or so, is. Where the session was
 * listed, it stays so. */
static int leave_out(const struct store *s, const char *id, struct rebuilt *all,
                     const struct err *why, struct err *e)
{
	if (why->kind == ERR_NOT_FOUND) /* a folder without a history is no session */
		return 0;
	if (why->kind == ERR_FAILED && !is_forbidden(s, id)) {
		*e = *why;
		return -1;
	}
	store_notice(s, "session '%s' is left out of the list: %s", id, why->msg);
	return keep_old(id, all, e);
}

/* Reads what the index says of a session from its history. */
static int read_info(const struct store *s, const char *id, struct conversation *c, struct err *e)
{
	struct jsonl j;
	int r;

	if (history_map(s, id, &j, e) < 0)
		return -1;
	c->lean = true;
	r = history_load(c, s, id, &j, e);
	jsonl_unmap(&j);
	return r;
}

static int rebuild_one(const struct store *s, const char *id, struct rebuilt *all, struct err *e)
{
	struct conversation c = CONVERSATION_INIT;
	struct err why = ERR_INIT;
	size_t start = all->text.n;
	int r;

	if (read_info(s, id, &c, &why) < 0) {
		r = leave_out(s, id, all, &why, e);
	} else {
		index_add_record(&all->text, id, &c.info);
		r = add_entry(all, c.info.updated_at, start, e);
	}
	conversation_release(&c);
	return r;
}

static int newest_first(const void *a, const void *b)
{
	int64_t x = ((const struct entry *)a)->updated_at, y = ((const struct entry *)b)->updated_at;

	return (x < y) - (x > y);
}

static int replace_with(const struct store *s, struct rebuilt *all, char *place, struct err *e)
{
	struct span *lines = calloc(all->n + 1, sizeof(*lines));
	int r;

	if (!lines)
		return err_oom(e);
	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), newest_first);
	for (size_t i = 0; i < all->n; i++)
		lines[i] = (struct span){ all->text.p + all->v[i].start, all->v[i].n };
	r = write_index(s, lines, all->n, place, e);
	free(lines);
	return r;
}

/* Some seconds' work at most. */
#define SOON_SESSIONS 10000
#define SOON_BYTES (INT64_C(1) << 30)

static int check_soon(const struct store *s, const struct names *names, const char *state,
                      struct err *e)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];
	size_t sessions = 0;
	int64_t bytes = 0;
	struct stat st;

	for (size_t i = 0; i < names->n && sessions <= SOON_SESSIONS; i++) {
		if (!id_valid(names->v[i], strlen(names->v[i])))
			continue;
		snprintf(path, sizeof(path), "%s/" HISTORY_FILE, names->v[i]);
		if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			sessions++;
			bytes += st.st_size;
		}
	}
	if (sessions <= SOON_SESSIONS && bytes <= SOON_BYTES)
		return 0;
	return err_set(e, ERR_FAILED,
	               "the list of sessions, '%s/" INDEX_FILE "', is %s, and there is much to "
	               "make it from: run 'mc-session-fsck --repair'", s->dir, state);
}

/* Makes the index from the histories, by the way where `place` is NULL. The lock is held. */
static int rebuild(const struct store *s, int old, char *place, struct err *e)
{
	struct rebuilt all = { .text = BUF_INIT, .old = old };
	struct names names;
	int r;

	if (names_read(&names, s->fd, e) < 0)
		return err_prefix(e, "'%s'", s->dir);
	r = place ? 0 : check_soon(s, &names, old < 0 ? "missing" : "damaged", e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (id_valid(names.v[i], strlen(names.v[i])))
			r = rebuild_one(s, names.v[i], &all, e);
	names_release(&names);
	if (r == 0)
		r = replace_with(s, &all, place, e);
	if (r == 0)
		unlinkat(s->fd, INDEX_STALE, 0);
	free(all.v);
	buf_release(&all.text);
	return r;
}

/* ---- compaction ---- */

/* Takes the lines that can be read, newest first. */
static int collect(struct index_reader *r, struct span **lines, size_t *n, struct err *e)
{
	struct span line;
	size_t cap = 0;

	while (index_next(r, &line)) {
		struct span *more = array_room(*lines, *n, &cap, sizeof(*more), e);

		if (!more)
			return -1;
		*lines = more;
		more[(*n)++] = line;
	}
	return r->oom ? err_oom(e) : 0;
}

/* Lines that cannot be read may be of sessions: the histories know. */
static int compact(const struct store *s, int fd, struct err *e)
{
	struct index_reader r;
	struct span *lines = NULL;
	size_t n = 0;
	int result;

	if (index_open_fd(&r, fd, true, e) < 0)
		return -1;
	result = collect(&r, &lines, &n, e);
	if (result == 0)
		result = r.unreadable ? rebuild(s, fd, NULL, e) : write_index(s, lines, n, NULL, e);
	free(lines);
	index_close(&r);
	return result;
}

/* Worth it when the file has grown to twice what it was, so that the cost of each
 * append stays constant on average; small files are left alone. */
static void compact_when_due(const struct store *s, int fd)
{
	struct err why = ERR_INIT;
	char header[128];
	struct span value;
	int64_t bytes = 0;
	struct stat st;
	ssize_t n = pread(fd, header, sizeof(header), 0);

	if (n < 0 || fstat(fd, &st) < 0)
		return;
	if (json_scan_find((struct span){ header, (size_t)n }, "bytes", &value))
		json_scan_int(value, &bytes);
	/* The record is in: that the file stays as large as it is can wait. */
	if (st.st_size > 2 * bytes + 65536 && compact(s, fd, &why) < 0)
		store_notice(s, "the list of sessions could not be made smaller: %s", why.msg);
}

/* ---- the lock ---- */

static void say_waiting(void *ctx, pid_t holder)
{
	const struct store *s = ctx;

	if (holder > 0)
		store_notice(s, "waiting for process %ld, which holds '%s/" INDEX_LOCK "'", (long)holder,
		             s->dir);
	else
		store_notice(s, "waiting for another process, which holds '%s/" INDEX_LOCK "'", s->dir);
}

int index_lock(const struct store *s, struct err *e)
{
	struct lock_wait w = { .stop_fd = s->stop_fd, .waiting = say_waiting, .ctx = (void *)s };
	int fd = place_file(s->fd, INDEX_LOCK, O_RDWR, e);

	if (fd < 0 && e->kind == ERR_NOT_FOUND) {
		/* A store that has the file has a name that survives a power cut: whoever made
		 * the directory may have been killed too early to see to that. */
		err_clear(e);
		if (store_sync_name(s, e) < 0)
			return -1;
		fd = place_file(s->fd, INDEX_LOCK, O_RDWR | O_CREAT, e);
	}
	if (fd >= 0 && lock_take(fd, &w, e) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return store_file_failed(s, INDEX_LOCK, e);
}

/* Opens the index, and makes it first where it is missing. The lock is held. */
static int open_or_rebuild(const struct store *s, int flags, struct err *e)
{
	int fd = index_open_file(s, flags, e);

	if (fd >= 0 || e->kind != ERR_NOT_FOUND)
		return fd;
	err_clear(e);
	return rebuild(s, -1, NULL, e) < 0 ? -1 : index_open_file(s, flags, e);
}

/* ---- writing over lines ---- */

/* Writes a tombstone of the same length over a record, or blanks over anything else. `line`
 * is without its newline; an id that is empty means the latter. */
static int write_over(int fd, const struct jsonl *j, struct span line, struct span id, struct err *e)
{
	static const char end[] = ",\"version\":1}";
	struct buf b = BUF_INIT;
	int r;

	if (id.n)
		buf_addf(&b, "{\"id\":\"%.*s\",\"deletedAt\":%" PRId64, (int)id.n, id.p, clock_now_ms());
	if (b.n + strlen(end) > line.n)
		buf_clear(&b);
	while (b.n < line.n && !b.oom)
		buf_addc(&b, ' ');
	if (id.n && !b.oom && b.p[0] == '{')
		memcpy(b.p + line.n - strlen(end), end, strlen(end));
	r = buf_check(&b, e);
	if (r == 0 && pwrite(fd, b.p, b.n, line.p - j->p) != (ssize_t)b.n)
		r = err_sys(e, errno, "cannot write");
	buf_release(&b);
	return r;
}

/* Blanks what a failed write left at the end, and goes to the end. */
static int blank_torn_end(int fd, struct err *e)
{
	struct span torn;
	struct jsonl j;
	int r = 0;

	if (jsonl_map(&j, fd, e) < 0)
		return -1;
	torn = (struct span){ j.p + j.n, j.mapped - j.n };
	if (torn.n && !json_is_whole(torn))
		r = write_over(fd, &j, torn, (struct span){ "", 0 }, e);
	jsonl_unmap(&j);
	if (r == 0 && lseek(fd, 0, SEEK_END) < 0)
		r = err_sys(e, errno, "cannot find its end");
	return r;
}

/* ---- sessions whose record is not up to date ---- */

#define STALE_MAX 65536 /* bytes of names; of more, all of it is made again */

static int open_stale(const struct store *s, int flags, struct err *e)
{
	const struct lock_wait wait = { .stop_fd = s->stop_fd };

	return lock_open(s->fd, INDEX_STALE, flags, &wait, e);
}

/* An empty file is enough: it makes the next tool rebuild the index. */
bool index_note_stale(const struct store *s, const char *id)
{
	char line[ID_SIZE + 1];
	struct err ignored = ERR_INIT;
	int fd = open_stale(s, O_WRONLY | O_APPEND | O_CREAT, &ignored);

	if (fd < 0)
		return false;
	snprintf(line, sizeof(line), "%s\n", id);
	if (io_write(fd, line, strlen(line)) < 0 && ftruncate(fd, 0) < 0)
		store_notice(s, "'%s/" INDEX_STALE "' is damaged", s->dir);
	lock_end(fd);
	return true;
}

void index_not_updated(const struct store *s, const char *id, const char *why)
{
	store_notice(s, "session '%s' is stored, but the list of sessions is not up to date: %s; %s", id,
	             why, index_note_stale(s, id) ? "the next tool will update it"
	                                    : "run 'mc-session-fsck --repair' to update it");
}

/* Adds the session's record, or nothing if its history is damaged. */
static int add_current(struct buf *b, const struct store *s, const char *id, bool *gone, struct err *e)
{
	struct conversation c = CONVERSATION_INIT;
	struct store quiet = *s;
	struct err why = ERR_INIT;

	quiet.notice = NULL; /* the tools that use the session say it */
	if (read_info(&quiet, id, &c, &why) == 0)
		index_add_record(b, id, &c.info);
	conversation_release(&c);
	if (why.kind == ERR_FAILED)
		return err_set(e, ERR_FAILED, "%s", why.msg);
	if (why.kind == ERR_NOT_FOUND) {
		add_tombstone(b, id, clock_now_ms());
		*gone = true;
	}
	return 0;
}

/* The records of the sessions that are named; 0: these are not names. *gone: one was deleted. */
static int add_named(struct buf *b, const struct store *s, struct span names, bool *gone, struct err *e)
{
	for (const char *p = names.p, *end = p + names.n; p < end;) {
		const char *line_feed = memchr(p, '\n', (size_t)(end - p));
		char id[ID_SIZE];

		if (!line_feed || !id_valid(p, (size_t)(line_feed - p)))
			return 0;
		snprintf(id, sizeof(id), "%.*s", (int)(line_feed - p), p);
		if (add_current(b, s, id, gone, e) < 0)
			return -1;
		p = line_feed + 1;
	}
	return names.n > 0;
}

static int append_named(int index, struct span records, struct err *e)
{
	if (blank_torn_end(index, e) == 0 && jsonl_append(index, records, false, e) == 0)
		return 0;
	return err_prefix(e, "'" INDEX_FILE "'");
}

/* Brings the index up to date. Its lock is held. */
static int mend(const struct store *s, struct err *e)
{
	struct buf names = BUF_INIT, records = BUF_INIT;
	int stale = open_stale(s, O_RDWR, e), index = -1, named = 0, r = -1;
	struct err ignored = ERR_INIT;
	bool gone = false;

	if (stale < 0)
		return e->kind == ERR_NOT_FOUND ? (err_clear(e), 0)
		                                : store_file_failed(s, INDEX_STALE, e);
	if (io_read_all(stale, &names, STALE_MAX) == 0)
		named = add_named(&records, s, buf_span(&names), &gone, e);
	else if (errno != EFBIG)
		err_sys(e, errno, "cannot read '%s/" INDEX_STALE "'", s->dir);
	if (e->kind == ERR_NONE && buf_check(&records, e) == 0)
		index = open_or_rebuild(s, O_RDWR, e);
	if (index >= 0) {
		r = named ? append_named(index, buf_span(&records), e) : rebuild(s, index, NULL, e);
		if (r == 0 && gone) /* so that none of its words stay */
			compact(s, index, &ignored);
		close(index);
	}
	if (r == 0)
		unlinkat(s->fd, INDEX_STALE, 0);
	lock_end(stale);
	buf_release(&names);
	buf_release(&records);
	return r;
}

static bool is_stale(const struct store *s)
{
	return faccessat(s->fd, INDEX_STALE, F_OK, 0) == 0;
}

void index_mend(const struct store *s)
{
	struct err e = ERR_INIT;
	int lock, r;

	if (!is_stale(s))
		return;
	lock = index_lock(s, &e);
	r = lock < 0 ? -1 : mend(s, &e);
	if (lock >= 0)
		lock_end(lock);
	if (r < 0)
		store_notice(s, "the list of sessions is not up to date: %s", e.msg);
}

/* ---- appending, and what else is done under the lock ---- */

int index_make(const struct store *s, struct err *e)
{
	int lock = index_lock(s, e), fd;

	if (lock < 0)
		return -1;
	fd = open_or_rebuild(s, O_RDONLY, e);
	if (fd >= 0)
		close(fd);
	lock_end(lock);
	return fd < 0 ? -1 : 0;
}

int index_remake(const struct store *s, char *place, struct err *e)
{
	struct err ignored = ERR_INIT;
	int lock = index_lock(s, e), old, r;

	place[0] = '\0';
	if (lock < 0)
		return -1;
	old = index_open_file(s, O_RDONLY, &ignored);
	r = rebuild(s, old, place, e);
	if (old >= 0)
		close(old);
	lock_end(lock);
	return r;
}

/* Whether the index, which is open, has nothing but what can be read. */
static bool is_readable(int fd, struct err *e)
{
	struct index_record ignored;
	struct index_reader r;
	struct span line;
	bool good = true;

	if (index_open_fd(&r, fd, true, e) < 0)
		return false;
	while (good && index_next(&r, &line))
		good = index_record(line, INDEX_ALL | INDEX_BYTES, &ignored);
	good = good && !r.unreadable && !r.oom;
	index_close(&r);
	return good;
}

int index_make_again(const struct store *s, bool *made, struct err *e)
{
	int lock = index_lock(s, e), fd;

	*made = false;
	if (lock < 0)
		return -1;
	fd = open_or_rebuild(s, O_RDONLY, e);
	if (fd >= 0 && !is_readable(fd, e)) { /* else another process has made it again */
		int r = e->kind == ERR_NONE ? rebuild(s, fd, NULL, e) : -1;

		close(fd);
		fd = r < 0 ? -1 : index_open_file(s, O_RDONLY, e);
		*made = fd >= 0;
	}
	lock_end(lock);
	return fd;
}

/* With `gone`, only if there is no session with this id. */
static int append(const struct store *s, struct span record, const char *gone, struct err *e)
{
	int lock = index_lock(s, e), fd = -1, r = -1;

	if (lock < 0)
		return -1;
	if (gone && history_exists(s, gone))
		r = 0; /* it was made anew, and whoever did that puts it in the list */
	else if (!is_stale(s) || mend(s, e) == 0)
		fd = open_or_rebuild(s, O_RDWR | O_APPEND, e);
	if (fd >= 0) {
		r = jsonl_append(fd, record, false, e);
		if (r < 0)
			store_file_failed(s, INDEX_FILE, e);
		else if (!gone) /* mc-session-rm compacts it once, at its end */
			compact_when_due(s, fd);
		close(fd);
	}
	lock_end(lock);
	return r;
}

int index_append(const struct store *s, const char *id, const struct session_info *sum, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	index_add_record(&b, id, sum);
	r = buf_check(&b, e) < 0 ? -1 : append(s, buf_span(&b), NULL, e);
	buf_release(&b);
	return r;
}

/* Before the newest of the lines, which are in the order of activity, that are not newer. */
static int insert(const struct store *s, int fd, struct span record, int64_t updated_at, struct err *e)
{
	struct span *lines = NULL;
	struct index_reader reader;
	size_t n = 0, at = 0;
	int r;

	if (index_open_fd(&reader, fd, true, e) < 0)
		return -1;
	r = collect(&reader, &lines, &n, e);
	if (r == 0 && reader.unreadable) {
		r = rebuild(s, fd, NULL, e); /* from the histories, and so with this session's */
	} else if (r == 0) {
		struct span *v = calloc(n + 1, sizeof(*v));
		struct index_record old;

		while (at < n && index_record(lines[at], INDEX_UPDATED, &old) && old.updated_at > updated_at)
			at++;
		if (v) {
			if (at)
				memcpy(v, lines, at * sizeof(*v));
			v[at] = record;
			if (n > at)
				memcpy(v + at + 1, lines + at, (n - at) * sizeof(*v));
		}
		r = !v ? err_oom(e) : at ? write_index(s, v, n + 1, NULL, e) : jsonl_append(fd, record, false, e);
		free(v);
	}
	free(lines);
	index_close(&reader);
	return r;
}

int index_insert(const struct store *s, const char *id, const struct session_info *info, struct err *e)
{
	struct buf b = BUF_INIT;
	int lock, fd, r;

	index_add_record(&b, id, info);
	if (buf_check(&b, e) < 0 || (lock = index_lock(s, e)) < 0) {
		buf_release(&b);
		return -1;
	}
	fd = is_stale(s) && mend(s, e) < 0 ? -1 : open_or_rebuild(s, O_RDWR | O_APPEND, e);
	r = fd < 0 ? -1 : insert(s, fd, buf_span(&b), info->updated_at, e);
	if (fd >= 0)
		close(fd);
	lock_end(lock);
	buf_release(&b);
	return r;
}

void index_update(const struct store *s, const char *id, const struct session_info *sum)
{
	struct err why = ERR_INIT;

	if (index_append(s, id, sum, &why) < 0)
		index_not_updated(s, id, why.msg);
}

int index_append_tombstone(const struct store *s, const char *id, int64_t now, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	add_tombstone(&b, id, now);
	r = buf_check(&b, e) < 0 ? -1 : append(s, buf_span(&b), id, e);
	buf_release(&b);
	return r;
}

/* ---- what deleted sessions leave ---- */

/* Whether an id of these is anywhere in the line. */
static bool may_be_of(struct span line, char *const *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memmem(line.p, line.n, ids[i], strlen(ids[i])))
			return true;
	return false;
}

static bool is_gone(const struct store *s, struct span id, char *const *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(id, ids[i]))
			return !history_exists(s, ids[i]);
	return false;
}

/* If there is no room for a new file, or it cannot be renamed, the sessions' lines are overwritten
 * in place. A process that has the file mapped sees tombstones. */
static int write_over_all(const struct store *s, int fd, char *const *ids, size_t n, struct err *e)
{
	struct jsonl j;
	struct span line, id;
	size_t at = 0;
	int r = 0;

	if (jsonl_map(&j, fd, e) < 0)
		return -1;
	while (r == 0 && jsonl_next(&j, &at, &line)) {
		enum index_kind kind;

		if (!may_be_of(line, ids, n))
			continue;
		kind = index_judge((struct span){ line.p, line.n + 1 }, &id);
		if (kind == INDEX_RECORD && is_gone(s, id, ids, n))
			r = write_over(fd, &j, line, id, e);
		else if (kind == INDEX_BAD)
			r = write_over(fd, &j, line, (struct span){ "", 0 }, e);
	}
	line = (struct span){ j.p + j.n, j.mapped - j.n };
	if (r == 0 && may_be_of(line, ids, n))
		r = write_over(fd, &j, line, (struct span){ "", 0 }, e);
	jsonl_unmap(&j);
	return r;
}

int index_purge(const struct store *s, char *const *ids, size_t n, struct err *e)
{
	struct err why = ERR_INIT;
	int lock, fd, r = -1;

	if (s->fd < 0)
		return 0;
	if ((lock = index_lock(s, e)) < 0)
		return -1;
	fd = is_stale(s) && mend(s, e) < 0 ? -1 : open_or_rebuild(s, O_RDWR, e);
	if (fd >= 0) {
		r = compact(s, fd, &why);
		if (r < 0 && (r = write_over_all(s, fd, ids, n, e)) < 0)
			store_file_failed(s, INDEX_FILE, e);
		close(fd);
	}
	lock_end(lock);
	return r;
}
