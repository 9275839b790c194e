#include "store/typed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/folders.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/replace.h"
#include "base/utf8.h"
#include "store/lock.h"
#include "store/place.h"

#define NEW_FILE TYPED_FILE ".new"
#define PATIENCE 100 /* looks at a lock, of 10 ms each: nobody waits long to type */

/* ---- a line ---- */

static void add_line(struct buf *b, struct span text)
{
	json_open(b, '{');
	json_put_word(b, "type", "typed");
	json_put_int(b, "version", 1);
	json_put_int(b, "timestamp", clock_now_ms());
	json_put_text(b, "text", text);
	json_close(b, '}');
	buf_addc(b, '\n');
}

/* Adds the line's text; false when it is no record, or none that we know of. */
static bool line_text(struct buf *b, struct span line)
{
	struct span key, value, text = { NULL, 0 };
	struct json_scan s = json_scan(line);
	bool typed = false, version = false;
	int64_t n;
	int r;

	while ((r = json_scan_next(&s, &key, &value)) > 0)
		if (span_eq(key, "type"))
			typed = json_scan_is(value, span_str("typed"));
		else if (span_eq(key, "version"))
			version = json_scan_int(value, &n) && n == 1;
		else if (span_eq(key, "text"))
			text = value;
	if (r < 0 || !typed || !version || !text.p || text.p[0] != '"' || !json_is_whole(line))
		return false;
	json_scan_add_str(b, text);
	return true;
}

/* ---- the texts of a file, each once ---- */

struct texts {
	struct buf all; /* one behind the other */
	struct text {
		size_t at, n;
		struct span line; /* of the file, with its newline */
	} *v;
	size_t n, cap;
	size_t *slots; /* of a hash table: 1 + where in v; 0: free */
	size_t nslots; /* a power of two */
};

static void texts_release(struct texts *t)
{
	buf_release(&t->all);
	free(t->v);
	free(t->slots);
}

static struct span text_of(const struct texts *t, size_t i)
{
	return (struct span){ t->all.p + t->v[i].at, t->v[i].n };
}

/* Where `text` is in the table, or would go. */
static size_t *slot_of(const struct texts *t, struct span text)
{
	size_t i = (size_t)span_hash(text) & (t->nslots - 1);

	while (t->slots[i] && !span_same(text_of(t, t->slots[i] - 1), text))
		i = (i + 1) & (t->nslots - 1);
	return &t->slots[i];
}

/* Twice as many slots as texts, at least. */
static int grow_slots(struct texts *t, struct err *e)
{
	size_t *old = t->slots;

	if (t->n * 2 < t->nslots)
		return 0;
	t->nslots = t->nslots ? t->nslots * 4 : 1024;
	t->slots = calloc(t->nslots, sizeof(*t->slots));
	free(old);
	if (!t->slots)
		return err_oom(e);
	for (size_t i = 0; i < t->n; i++)
		*slot_of(t, text_of(t, i)) = i + 1;
	return 0;
}

/* Takes what was just added to `all` from `at` on, if it is not there yet. */
static int take(struct texts *t, size_t at, struct span line, struct err *e)
{
	struct span text;
	struct text *v;
	size_t *slot;

	if (buf_check(&t->all, e) < 0 || grow_slots(t, e) < 0)
		return -1;
	text = (struct span){ t->all.p + at, t->all.n - at };
	slot = slot_of(t, text);
	/* A NUL has no place in a line that is edited. */
	if (!text.n || *slot || memchr(text.p, '\0', text.n)) {
		t->all.n = at;
		return 0;
	}
	v = array_room(t->v, t->n, &t->cap, sizeof(*v), e);
	if (!v)
		return -1;
	t->v = v;
	v[t->n] = (struct text){ at, text.n, line };
	*slot = ++t->n;
	return 0;
}

/* The newest `max`, newest first, from what is behind `from`. */
static int collect(struct texts *t, const struct jsonl *j, size_t from, size_t max, struct err *e)
{
	size_t at = j->n, start = at;
	struct span line;

	while (t->n < max && at > from && jsonl_prev(j, &at, &line)) {
		size_t had = t->all.n;

		if (start - at > TYPED_READ_MAX)
			break;
		if (line.n <= 6 * (size_t)TYPED_TEXT_MAX && line_text(&t->all, line) &&
		    take(t, had, (struct span){ line.p, line.n + 1 }, e) < 0)
			return -1;
	}
	return 0;
}

int typed_texts(const struct jsonl *j, size_t from, size_t max,
                int (*each)(void *ctx, struct span text, struct err *e), void *ctx, struct err *e)
{
	struct texts t = { .all = BUF_INIT };
	int r = collect(&t, j, from, max, e);

	for (size_t i = t.n; r == 0 && i-- > 0;)
		r = each(ctx, text_of(&t, i), e);
	texts_release(&t);
	return r;
}

/* ---- its place ---- */

static int fail_at(const struct typed *t, const char *name, struct err *e)
{
	return err_prefix(e, "'%s%s%s'", t->dir, *name ? "/" : "", name);
}

/* What helps is not what helps in the sessions directory. */
static int judge_folder(const struct stat *st, struct err *e)
{
	enum place_fault fault = place_judge(st, true, geteuid());

	if (fault == PLACE_WRITABLE)
		return err_set(e, ERR_DAMAGED,
		               "refused, because others may write to it; 'chmod go-w' changes that, or set "
		               "XDG_STATE_HOME to a directory on a file system that stores permissions");
	return place_refuse(fault, st, e);
}

/* -1 without an error when it is not there, and is not to be made. */
static int open_folder(const struct typed *t, bool make, struct err *e)
{
	struct stat st;
	int fd;

	if (!t->dir || t->dir[0] != '/' || !t->max)
		return -1;
	fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && make) {
		if (folders_make(t->dir, NULL, NULL, e) < 0)
			return -1;
		fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0) {
		if (errno != ENOENT || make)
			err_sys(e, errno, "cannot open '%s'", t->dir);
		return -1;
	}
	if (fstat(fd, &st) < 0 || judge_folder(&st, e) < 0) {
		fail_at(t, "", e);
		close(fd);
		return -1;
	}
	return fd;
}

static void read_anew(struct typed *t, const struct stat *st)
{
	t->dev = st->st_dev;
	t->ino = st->st_ino;
	t->offset = t->counted = t->lines = 0;
}

/* Maps the file, and notices when it is another one than before. */
static int map(struct typed *t, int fd, struct jsonl *j, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot examine it");
	if (st.st_dev != t->dev || st.st_ino != t->ino || (size_t)st.st_size < t->offset)
		read_anew(t, &st);
	return jsonl_map(j, fd, e);
}

int typed_read(struct typed *t, int (*each)(void *ctx, struct span text, struct err *e), void *ctx,
               struct err *e)
{
	int dir = open_folder(t, false, e), fd, r;
	struct jsonl j;

	if (dir < 0)
		return e->kind == ERR_NONE ? 0 : -1;
	fd = place_file(dir, TYPED_FILE, O_RDONLY, e);
	close(dir);
	if (fd < 0 && e->kind == ERR_NOT_FOUND) {
		err_clear(e);
		return 0;
	}
	if (fd < 0)
		return fail_at(t, TYPED_FILE, e);
	r = map(t, fd, &j, e);
	close(fd);
	if (r < 0)
		return fail_at(t, TYPED_FILE, e);
	if (j.n > t->offset) {
		size_t from = t->offset;

		t->offset = j.n;
		r = typed_texts(&j, from, t->max, each, ctx, e);
	}
	jsonl_unmap(&j);
	return r;
}

/* ---- adding ---- */

static int open_locked(int dir, int flags, struct err *e)
{
	static const struct lock_wait at_once = {
		.no_wait = true, .stop_fd = -1, .setting = "XDG_STATE_HOME",
	};

	for (int i = 0;; i++) {
		int fd = lock_open(dir, TYPED_FILE, O_RDWR | O_APPEND | flags, &at_once, e);

		if (fd >= 0 || e->kind != ERR_BUSY || i == PATIENCE)
			return fd;
		err_clear(e);
		poll(NULL, 0, 10);
	}
}

/* What is no text of ours, but JSON, was put there by a newer mcbox: it stays. */
static bool is_foreign(struct span line)
{
	struct buf b = BUF_INIT;
	bool ours = line_text(&b, line);

	buf_release(&b);
	return !ours && line.n && line.p[0] == '{' && json_is_whole(line);
}

/* The newest `max`, so that the file does get smaller. */
static void add_foreign(struct buf *b, const struct jsonl *j, size_t max)
{
	struct span line;
	size_t at, n = 0;

	for (at = 0; jsonl_next(j, &at, &line);)
		n += is_foreign(line);
	for (at = 0; jsonl_next(j, &at, &line);)
		if (is_foreign(line) && n-- <= max)
			buf_add(b, line.p, line.n + 1);
}

/* The lock is held. */
static int write_new(int dir, const struct buf *text, struct err *e)
{
	struct replace r = REPLACE_INIT(dir, TYPED_FILE, NEW_FILE);

	if (replace_begin(&r) == 0 && place_check_new(dir, r.fd, e) == 0 &&
	    io_write(r.fd, text->p, text->n) == 0 && replace_commit(&r, REPLACE_SYNC) == 0)
		return 0;
	err_sys(e, errno, "cannot write it");
	replace_abandon(&r);
	return -1;
}

/* The newest of the texts, in the order in which they were typed. Those who wait for the
 * lock of the old file find the new one when they get it. */
static int compact(const struct typed *t, int dir, const struct jsonl *j, struct err *e)
{
	struct texts all = { .all = BUF_INIT };
	struct buf new = BUF_INIT;
	int r = collect(&all, j, 0, t->max, e);

	add_foreign(&new, j, t->max / 2);
	for (size_t i = all.n; r == 0 && i-- > 0;)
		buf_add(&new, all.v[i].line.p, all.v[i].line.n);
	if (r == 0 && (r = buf_check(&new, e)) == 0)
		r = write_new(dir, &new, e);
	buf_release(&new);
	texts_release(&all);
	return r;
}

static int compact_when_due(struct typed *t, int dir, int fd, struct err *e)
{
	struct span line;
	struct jsonl j;
	int r = 0;

	if (map(t, fd, &j, e) < 0)
		return -1;
	while (jsonl_next(&j, &t->counted, &line))
		t->lines++;
	if (t->lines > 2 * t->max || j.n > 2 * (size_t)TYPED_READ_MAX)
		r = compact(t, dir, &j, e);
	jsonl_unmap(&j);
	return r;
}

static bool is_kept(struct span text)
{
	return !span_is_blank(text) && text.p[0] != ' ' && text.n <= TYPED_TEXT_MAX &&
	       utf8_valid(text.p, text.n) == text.n;
}

int typed_add(struct typed *t, struct span text, struct err *e)
{
	struct buf line = BUF_INIT;
	int dir, fd, r;

	if (!t->dir || !t->max || !is_kept(text))
		return 0;
	if ((dir = open_folder(t, true, e)) < 0)
		return e->kind == ERR_NONE ? 0 : -1;
	add_line(&line, text);
	fd = buf_check(&line, e) < 0 ? -1 : open_locked(dir, O_CREAT, e);
	r = fd;
	if (fd >= 0) {
		r = jsonl_append(fd, buf_span(&line), false, e);
		if (r == 0)
			r = compact_when_due(t, dir, fd, e);
		lock_end(fd);
	}
	if (r < 0)
		fail_at(t, TYPED_FILE, e);
	close(dir);
	buf_release(&line);
	return r < 0 ? -1 : 0;
}

/* ---- forgetting ---- */

/* Adds the lines that stay; returns how many do not. Nobody knows of what is torn or damaged whose
 * words it holds. */
static size_t add_others(struct buf *b, const struct jsonl *j,
                         bool (*is_of)(void *ctx, struct span text), void *ctx)
{
	struct buf text = BUF_INIT;
	struct span line;
	size_t n = j->mapped > j->n;

	for (size_t at = 0; jsonl_next(j, &at, &line); buf_clear(&text))
		if (line_text(&text, line) ? is_of(ctx, buf_span(&text)) : !is_foreign(line))
			n++;
		else
			buf_add(b, line.p, line.n + 1);
	b->oom |= text.oom;
	buf_release(&text);
	return n;
}

static int forget_in(int dir, int fd, bool (*is_of)(void *ctx, struct span text), void *ctx,
                     struct err *e)
{
	struct buf new = BUF_INIT;
	struct jsonl j;
	int r = jsonl_map(&j, fd, e);

	if (r < 0)
		return -1;
	if (add_others(&new, &j, is_of, ctx) && (r = buf_check(&new, e)) == 0)
		r = write_new(dir, &new, e);
	jsonl_unmap(&j);
	buf_release(&new);
	return r;
}

int typed_forget(const char *state_dir, bool (*is_of)(void *ctx, struct span text), void *ctx,
                 struct err *e)
{
	struct typed t = TYPED_INIT(state_dir, 1);
	int dir = open_folder(&t, false, e), fd, r = -1;

	if (dir < 0)
		return e->kind == ERR_NONE ? 0 : -1;
	fd = open_locked(dir, 0, e);
	if (fd >= 0) {
		r = forget_in(dir, fd, is_of, ctx, e);
		lock_end(fd);
	} else if (e->kind == ERR_NOT_FOUND) {
		err_clear(e);
		r = 0;
	}
	close(dir);
	return r < 0 ? fail_at(&t, TYPED_FILE, e) : 0;
}
