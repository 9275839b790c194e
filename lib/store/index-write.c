/* The index's writers: one record more, a compaction, all of it made anew. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "base/names.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/place.h"
#include "store/quarantine.h"

#define QUERY_MAX 100           /* characters of a query that the index keeps */

/* ---- one record ---- */

static void add_text(struct buf *b, const char *key, struct span s)
{
	bool cut;
	struct buf text = BUF_INIT;

	buf_addf(b, ",\"%s\":", key);
	if (!s.p) {
		buf_adds(b, "null");
		return;
	}
	s = utf8_head(s, QUERY_MAX, &cut);
	buf_add(&text, s.p, s.n);
	if (cut)
		buf_adds(&text, "...");
	json_add_str(b, buf_span(&text));
	b->oom |= text.oom;
	buf_release(&text);
}

static void add_str(struct buf *b, const char *key, struct span s)
{
	buf_addf(b, ",\"%s\":", key);
	json_add_str(b, s);
}

void index_add_record_members(struct buf *b, const char *id, const struct summary *s)
{
	struct usage totals = s->usage;

	totals.input = totals.input < 0 ? 0 : totals.input;
	totals.output = totals.output < 0 ? 0 : totals.output;
	totals.total = totals.total < 0 ? 0 : totals.total;
	buf_addf(b, "\"id\":\"%s\",\"createdAt\":%" PRId64 ",\"updatedAt\":%" PRId64
	         ",\"exchangeCount\":%" PRId64, id, s->created_at, s->updated_at, s->exchange_count);
	add_str(b, "provider", s->provider);
	add_str(b, "model", s->model);
	add_str(b, "cwd", s->cwd);
	add_text(b, "title", s->title);
	add_text(b, "firstQuery", s->first_query);
	add_text(b, "lastQuery", s->last_query);
	buf_adds(b, ",\"usageTotals\":");
	record_add_usage(b, &totals);
	buf_addf(b, ",\"historyBytes\":%" PRId64 ",\"version\":1", s->history_bytes);
}

void index_add_record(struct buf *b, const char *id, const struct summary *s)
{
	buf_addc(b, '{');
	index_add_record_members(b, id, s);
	buf_adds(b, "}\n");
}

/* ---- a new file: compaction and rebuilding ---- */

/* The first line of a file says how large it was when it was made, which tells when
 * the next compaction is worth it. */
static void add_header(struct buf *b, size_t live, size_t bytes)
{
	buf_addf(b, "{\"live\":%zu,\"bytes\":%zu,\"version\":1}\n", live, bytes);
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
 * one goes to quarantine, at the moment when it can be replaced. */
static int replace(const struct store *s, const struct span *lines, size_t n, char *place,
                   struct err *e)
{
	struct buf header = BUF_INIT;
	size_t bytes = 0;
	struct stat st;
	int fd, bad;

	for (size_t i = 0; i < n; i++)
		bytes += lines[i].n;
	add_header(&header, n, bytes);
	if (buf_check(&header, e) < 0) {
		buf_release(&header);
		return -1;
	}
	unlinkat(s->fd, INDEX_TEMP, 0); /* what a crash left; the lock is ours */
	fd = openat(s->fd, INDEX_TEMP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		place_give(fd, s->fd);
	bad = fd < 0 || io_write(fd, header.p, header.n) < 0 || write_lines(fd, lines, n) < 0 ||
	      (n && io_sync(fd) < 0);
	if (!bad && place && fstatat(s->fd, INDEX_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		bad = quarantine_move(s, s->fd, NULL, INDEX_FILE, place, e) < 0;
	bad = bad || renameat(s->fd, INDEX_TEMP, s->fd, INDEX_FILE) < 0 || (n && io_sync_folder(s->fd) < 0);
	if (bad) {
		err_sys(e, errno, "cannot write '%s/" INDEX_FILE "'", s->dir);
		unlinkat(s->fd, INDEX_TEMP, 0);
	}
	if (fd >= 0)
		close(fd);
	buf_release(&header);
	return bad ? -1 : 0;
}

static int compact(const struct store *s, int fd, struct err *e)
{
	struct index_reader r;
	struct span *lines = NULL, line;
	size_t n = 0, cap = 0;
	int result;

	if (index_open_fd(&r, fd, true, e) < 0)
		return -1;
	while (index_next(&r, &line)) {
		struct span *more = array_room(lines, n, &cap, sizeof(*more), e);

		if (!more)
			break;
		lines = more;
		lines[n++] = line;
	}
	if (r.oom)
		err_oom(e);
	result = e->kind != ERR_NONE ? -1 : replace(s, lines, n, NULL, e);
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
	int found = all->old < 0 ? 0 : index_find(all->old, id, &all->text, e);

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

static int rebuild_one(const struct store *s, const char *id, struct rebuilt *all, struct err *e)
{
	struct err why = ERR_INIT;
	struct conversation c;
	struct jsonl j;
	size_t start = all->text.n;
	int r;

	if (history_map(s, id, &j, &why) < 0)
		return leave_out(s, id, all, &why, e);
	if (conversation_load(&c, s, id, &j, &why) < 0) {
		jsonl_unmap(&j);
		return leave_out(s, id, all, &why, e);
	}
	index_add_record(&all->text, id, &c.summary);
	r = add_entry(all, c.summary.updated_at, start, e);
	conversation_release(&c);
	jsonl_unmap(&j);
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
	r = replace(s, lines, all->n, place, e);
	free(lines);
	return r;
}

/* Some seconds' work at most. */
#define SOON_SESSIONS 10000
#define SOON_BYTES (INT64_C(1) << 30)

static int check_soon(const struct store *s, const struct names *names, struct err *e)
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
	               "the list of sessions, '%s/" INDEX_FILE "', is missing, and there is much to "
	               "make it from: run 'mc-session-fsck --repair'", s->dir);
}

/* Makes the index from the histories, by the way where `place` is NULL. The lock is held. */
static int rebuild(const struct store *s, int old, char *place, struct err *e)
{
	struct rebuilt all = { .text = BUF_INIT, .old = old };
	struct names names;
	int r;

	if (names_read(&names, s->fd, e) < 0)
		return err_prefix(e, "'%s'", s->dir);
	r = place ? 0 : check_soon(s, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (id_valid(names.v[i], strlen(names.v[i])))
			r = rebuild_one(s, names.v[i], &all, e);
	names_release(&names);
	if (r == 0)
		r = replace_with(s, &all, place, e);
	free(all.v);
	buf_release(&all.text);
	return r;
}

/* ---- the lock, and what is done under it ---- */

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
	return err_prefix(e, "'%s/" INDEX_LOCK "'", s->dir);
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

int index_make(const struct store *s, struct err *e)
{
	int lock = index_lock(s, e), fd;

	if (lock < 0)
		return -1;
	fd = open_or_rebuild(s, O_RDONLY, e);
	if (fd >= 0)
		close(fd);
	close(lock);
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
	close(lock);
	return r;
}

static int append(const struct store *s, struct span record, struct err *e)
{
	int lock = index_lock(s, e), fd, r = -1;

	if (lock < 0)
		return -1;
	fd = open_or_rebuild(s, O_RDWR | O_APPEND, e);
	if (fd >= 0) {
		r = jsonl_append(fd, record, false, e);
		if (r < 0)
			err_prefix(e, "'%s/" INDEX_FILE "'", s->dir);
		else
			compact_when_due(s, fd);
		close(fd);
	}
	close(lock);
	return r;
}

int index_append(const struct store *s, const char *id, const struct summary *sum, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	index_add_record(&b, id, sum);
	r = buf_check(&b, e) < 0 ? -1 : append(s, buf_span(&b), e);
	buf_release(&b);
	return r;
}

void index_update(const struct store *s, const char *id, const struct summary *sum)
{
	struct err why = ERR_INIT;

	if (index_append(s, id, sum, &why) < 0)
		store_notice(s, "session '%s' is stored, but the list of sessions is not up to date: %s",
		             id, why.msg);
}

int index_append_tombstone(const struct store *s, const char *id, int64_t now, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	buf_addf(&b, "{\"id\":\"%s\",\"deletedAt\":%" PRId64 ",\"version\":1}\n", id, now);
	r = buf_check(&b, e) < 0 ? -1 : append(s, buf_span(&b), e);
	buf_release(&b);
	return r;
}
