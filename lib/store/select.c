#include "store/select.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/history.h"
#include "store/spool.h"

/* ---- what is wanted ---- */

static int want_str(struct buf *to, const char *value, struct err *e)
{
	buf_clear(to);
	json_add_str(to, span_str(value));
	return buf_check(to, e);
}

/* In the form that is stored. The directory need not exist any more. */
static int want_dir(struct buf *to, const char *dir, struct err *e)
{
	char path[PATH_MAX];
	struct buf clean = BUF_INIT;
	int r;

	utf8_add_clean(&clean, span_str(realpath(dir, path) ? path : dir));
	r = buf_check(&clean, e) < 0 ? -1 : want_str(to, clean.p, e);
	buf_release(&clean);
	return r;
}

static int want_time(struct select *s, int64_t *to, const char *value, struct err *e)
{
	if (!s->now)
		s->now = clock_now_ms();
	return clock_parse(value, s->now, to, e);
}

int select_option(struct select *s, int id, const char *value, struct err *e)
{
	switch (id) {
	case SELECT_CWD: return want_dir(&s->cwd, value, e);
	case SELECT_PROVIDER: return want_str(&s->provider, value, e);
	case SELECT_MODEL: return want_str(&s->model, value, e);
	case SELECT_SINCE: return want_time(s, &s->since, value, e);
	case SELECT_BEFORE: return want_time(s, &s->before, value, e);
	default: return 0;
	}
}

void select_release(struct select *s)
{
	buf_release(&s->cwd);
	buf_release(&s->provider);
	buf_release(&s->model);
}

/* ---- one record ---- */

static bool has_before(const struct select *s)
{
	return s->before != INT64_MAX;
}

static unsigned filtered_fields(const struct select *s)
{
	return (s->since != INT64_MIN ? INDEX_UPDATED : 0u) |
	       (has_before(s) ? INDEX_UPDATED | INDEX_BYTES : 0u) |
	       (s->provider.n ? INDEX_PROVIDER : 0u) | (s->model.n ? INDEX_MODEL : 0u) |
	       (s->cwd.n ? INDEX_CWD : 0u);
}

static bool is_wanted(const struct buf *wanted, struct span value)
{
	return !wanted->n || span_same(buf_span(wanted), value);
}

static bool passes(const struct select_walk *w, const struct index_record *r)
{
	const struct select *s = w->want;

	return r->updated_at >= s->since && r->updated_at < s->before && is_wanted(&s->provider, r->provider) &&
	       is_wanted(&s->model, r->model) && is_wanted(&s->cwd, r->cwd) && (!w->also || w->also(w->ctx, r));
}

/* ---- --before, and an index that is not up to date ---- */

/* Replaces the record by one that is made from the history. */
static int remake_record(struct select_walk *w, const char *id, struct span *line, struct err *e)
{
	struct buf *v = array_room(w->fresh, w->nfresh, &w->fresh_cap, sizeof(*v), e), b = BUF_INIT;
	struct conversation c = CONVERSATION_INIT;
	int r;

	if (!v)
		return -1;
	w->fresh = v;
	c.lean = true;
	r = history_read(&c, w->store, id, e);
	if (r == 0) {
		index_add_record(&b, id, &c.info);
		r = buf_check(&b, e);
	}
	conversation_release(&c);
	v[w->nfresh++] = b;
	*line = buf_span(&b);
	return r;
}

/* The end of the second in which the file was last written, in ms. -1: it does not exist. INT64_MAX: that
 * cannot be seen. */
static int64_t written_at(const struct store *s, const char *id, const char *name, int64_t *size)
{
	char path[ID_SIZE + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", id, name);
	if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR ? -1 : INT64_MAX;
	*size = (int64_t)st.st_size;
	return (int64_t)st.st_mtime * 1000 + 999;
}

static bool is_still_old(struct select_walk *w, struct span *line, struct index_record *r)
{
	int64_t size = 0, ignored, written;
	struct err e = ERR_INIT;
	char id[ID_SIZE];

	snprintf(id, sizeof(id), "%.*s", (int)r->id.n, r->id.p);
	written = written_at(w->store, id, HISTORY_FILE, &size);
	if (written < 0) /* there is nothing to read */
		return true;
	if (written_at(w->store, id, SPOOL_FILE, &ignored) >= w->want->before)
		return false;
	if (size == r->history_bytes && written < w->want->before)
		return true;
	if (remake_record(w, id, line, &e) == 0)
		return index_record(*line, w->fields, r) && passes(w, r);
	if (e.kind != ERR_NOT_FOUND && w->left_out)
		w->left_out(w->ctx, id, &e);
	return false;
}

/* ---- the walk ---- */

int select_open(struct select_walk *w, bool all, struct err *e)
{
	w->fields |= filtered_fields(w->want);
	return index_open(&w->index, w->store, all, e);
}

bool select_next(struct select_walk *w, struct span *line, struct index_record *r)
{
	while (index_next(&w->index, line)) {
		if (!w->fields)
			return true;
		if (!index_record(*line, w->fields, r))
			index_reject(&w->index, *line);
		else if (passes(w, r) && (!has_before(w->want) || is_still_old(w, line, r)))
			return true;
	}
	return false;
}

int select_close(struct select_walk *w, struct err *e)
{
	bool oom = w->index.oom;

	index_close(&w->index);
	for (size_t i = 0; i < w->nfresh; i++)
		buf_release(&w->fresh[i]);
	free(w->fresh);
	w->fresh = NULL;
	w->nfresh = w->fresh_cap = 0;
	return oom ? err_oom(e) : 0;
}
