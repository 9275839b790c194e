#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "store/place.h"

static const char line_start[] = "{\"id\":\"";
static const char line_end[] = "\"version\":1}\n";

static uint64_t hash_id(struct span id)
{
	uint64_t h = id.n, w;

	for (; id.n >= 8; id.p += 8, id.n -= 8) {
		memcpy(&w, id.p, 8);
		h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, id.p, id.n);
	h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* A record is whole when it begins and ends as one: a quote inside a string is
 * escaped, so no fragment can. `line` has its newline. */
static bool split(struct span line, struct span *id)
{
	const size_t start = sizeof(line_start) - 1;
	const char *quote;
	size_t room;

	if (line.n < start + sizeof(line_end) || memcmp(line.p, line_start, start) != 0 ||
	    !span_ends(line, line_end))
		return false;
	room = line.n - start < ID_SIZE ? line.n - start : ID_SIZE;
	quote = memchr(line.p + start, '"', room);
	if (!quote)
		return false;
	*id = (struct span){ line.p + start, (size_t)(quote - line.p) - start };
	return id_valid(id->p, id->n);
}

static bool is_tombstone(const struct index_line *l)
{
	static const char mark[] = "\",\"deletedAt\":";
	const char *after = l->line.p + sizeof(line_start) - 1 + l->id.n;

	return (size_t)(l->line.p + l->line.n - after) > sizeof(mark) &&
	       memcmp(after, mark, sizeof(mark) - 1) == 0;
}

/*
 * A slot of the table stands for an id. One of eight characters, as we choose them,
 * is kept as it is, and compared without another look at the file; its top bit is
 * clear, since it is ASCII. Of any other the slot has the top bit, 15 bits of the
 * hash, and the offset of the id in the file, plus one.
 */
#define SLOT_IS_OFFSET (UINT64_C(1) << 63)
#define SLOT_OFFSET_MASK (UINT64_MAX >> 16)

static uint64_t slot_of(const struct index_reader *r, const struct index_line *l)
{
	uint64_t id;

	if (l->id.n == sizeof(id)) {
		memcpy(&id, l->id.p, sizeof(id));
		return id & ~SLOT_IS_OFFSET;
	}
	return SLOT_IS_OFFSET | (l->hash & ~SLOT_OFFSET_MASK) |
	       (((uint64_t)(l->id.p - r->file.p) + 1) & SLOT_OFFSET_MASK);
}

static const char *slot_id(const struct index_reader *r, uint64_t slot)
{
	return r->file.p + (slot & SLOT_OFFSET_MASK) - 1;
}

static bool same_id(const struct index_reader *r, uint64_t slot, uint64_t own,
                    const struct index_line *l)
{
	const char *other;

	if (!(own & SLOT_IS_OFFSET) || !(slot & SLOT_IS_OFFSET))
		return slot == own;
	other = slot_id(r, slot);
	return ((slot ^ own) & ~SLOT_OFFSET_MASK) == 0 &&
	       (size_t)(r->file.p + r->file.mapped - other) > l->id.n &&
	       memcmp(other, l->id.p, l->id.n + 1) == 0;
}

static uint64_t slot_hash(const struct index_reader *r, uint64_t slot)
{
	struct span id = { (const char *)&slot, sizeof(slot) };

	if (slot & SLOT_IS_OFFSET) {
		id.p = slot_id(r, slot);
		id.n = (size_t)((const char *)memchr(id.p, '"', ID_SIZE) - id.p);
	}
	return hash_id(id);
}

/* Larger tables cost more in pages to clear than they save in probes. */
static bool is_full(size_t used, size_t cap)
{
	return used > cap / 10 * 7;
}

static void *table_alloc(size_t cap)
{
	void *p = mmap(NULL, cap * sizeof(uint64_t), PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
#ifdef MADV_HUGEPAGE
	if (cap >= 1u << 18)
		madvise(p, cap * sizeof(uint64_t), MADV_HUGEPAGE);
#endif
	return p;
}

static void table_free(uint64_t *table, size_t cap)
{
	if (table)
		munmap(table, cap * sizeof(*table));
}

static bool table_grow(struct index_reader *r)
{
	size_t cap = r->cap * 2, mask = cap - 1;
	uint64_t *table = table_alloc(cap);

	if (!table)
		return false;
	for (size_t i = 0; i < r->cap; i++) {
		size_t k;

		if (!r->seen[i])
			continue;
		for (k = slot_hash(r, r->seen[i]) & mask; table[k]; k = (k + 1) & mask)
			;
		table[k] = r->seen[i];
	}
	table_free(r->seen, r->cap);
	r->seen = table;
	r->cap = cap;
	return true;
}

/* True when this is the first, and so the newest, line of its id. */
static bool first_of_id(struct index_reader *r, const struct index_line *l)
{
	uint64_t own = slot_of(r, l);
	size_t mask, k;

	if (is_full(r->used, r->cap) && !table_grow(r)) {
		r->oom = true;
		return false;
	}
	mask = r->cap - 1;
	for (k = l->hash & mask; r->seen[k]; k = (k + 1) & mask)
		if (same_id(r, r->seen[k], own, l))
			return false;
	r->seen[k] = own;
	r->used++;
	return true;
}

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif

static bool has_prefix(const struct index_reader *r, struct span id)
{
	return !r->prefix.n ||
	       (id.n >= r->prefix.n && memcmp(id.p, r->prefix.p, r->prefix.n) == 0);
}

/* ---- records that another program has spelled differently ---- */

static struct span trim(struct span s)
{
	static const char bom[] = "\xef\xbb\xbf";

	if (s.n >= 3 && memcmp(s.p, bom, 3) == 0)
		s = (struct span){ s.p + 3, s.n - 3 };
	return span_trim(s, SPAN_WHITE);
}

enum line_kind { LINE_RECORD, LINE_OTHER, LINE_UNREADABLE };

/* Judges a line that is not spelled as we do. One without an id, as the header, or with an
 * id that no session can have, does not stand for a session. */
static enum line_kind judge_foreign(struct span text, struct span *id, bool *oom)
{
	struct json_object *o = NULL;
	struct err e = ERR_INIT;
	struct span value;

	if (!text.n)
		return LINE_OTHER;
	if (json_parse_object(text, &o, &e) < 0) {
		*oom |= e.kind != ERR_DAMAGED;
		return LINE_UNREADABLE;
	}
	json_object_put(o);
	if (!json_scan_find(text, "id", &value))
		return LINE_OTHER;
	if (value.p[0] != '"' || memchr(value.p, '\\', value.n))
		return LINE_UNREADABLE;
	*id = (struct span){ value.p + 1, value.n - 2 };
	return id_valid(id->p, id->n) ? LINE_RECORD : LINE_OTHER;
}

/* Adds the record as we write it, with its newline; false when it is not of version 1. */
static bool add_respelled(struct buf *b, struct span text, struct span id)
{
	struct json_scan s = json_scan(text);
	struct buf others = BUF_INIT;
	struct span key, value, deleted = { NULL, 0 };
	int64_t version = 0;

	while (json_scan_next(&s, &key, &value) > 0) {
		if (span_eq(key, "version"))
			json_scan_int(value, &version);
		else if (span_eq(key, "deletedAt"))
			deleted = value;
		else if (!span_eq(key, "id"))
			buf_addf(&others, ",\"%.*s\":%.*s", (int)key.n, key.p, (int)value.n, value.p);
	}
	buf_addf(b, "{\"id\":\"%.*s\"", (int)id.n, id.p);
	if (deleted.p)
		buf_addf(b, ",\"deletedAt\":%.*s", (int)deleted.n, deleted.p);
	buf_add(b, others.p, others.n);
	buf_adds(b, ",\"version\":1}\n");
	b->oom |= others.oom;
	buf_release(&others);
	return version == 1;
}

/* Keeps the text of the line until the reader is closed. */
static bool keep(struct index_reader *r, struct index_line *l, struct buf *text)
{
	struct err ignored = ERR_INIT;
	struct buf *v = array_room(r->respelled, r->nrespelled, &r->respelled_cap, sizeof(*v), &ignored);

	r->oom |= text->oom || !v;
	if (r->oom)
		return false;
	r->respelled = v;
	v[r->nrespelled++] = *text;
	l->line = buf_span(text);
	*text = (struct buf)BUF_INIT;
	return true;
}

/* Replaces another spelling by ours. False when the line is not a record. */
static bool respell(struct index_reader *r, struct index_line *l)
{
	struct span text = trim(l->line);
	enum line_kind kind = judge_foreign(text, &l->id, &r->oom);
	struct buf b = BUF_INIT;
	struct index_record ignored;
	bool good = false;

	if (kind == LINE_RECORD && add_respelled(&b, text, l->id)) {
		struct index_line own = { .line = buf_span(&b), .id = l->id };

		good = (is_tombstone(&own) || index_record(own.line, INDEX_ALL, &ignored)) && keep(r, l, &b);
	}
	buf_release(&b);
	r->unreadable += !good && kind != LINE_OTHER;
	return good;
}

/* Bytes after the last line feed may be a whole record that lost its line feed. Otherwise the record
 * is torn, or another process is still writing it, which the lock shows. */
static bool read_tail(struct index_reader *r, struct index_line *l)
{
	l->line = (struct span){ r->file.p + r->file.n, r->file.mapped - r->file.n };
	return respell(r, l);
}

/* ---- reading on ---- */

/* A line that cannot be read may be about a session that is newer than the ones read next. */
static bool is_in_doubt(const struct index_reader *r)
{
	return r->store && r->unreadable;
}

static void fill(struct index_reader *r)
{
	struct index_line *l = r->batch;
	struct span line;

	if (r->at > r->file.n) {
		r->at = r->file.n;
		if (read_tail(r, l) && has_prefix(r, l->id)) {
			l->hash = hash_id(l->id);
			l++;
		}
	}
	while (!r->oom && !is_in_doubt(r) && l < r->batch + INDEX_BATCH &&
	       r->at > r->least && jsonl_prev(&r->file, &r->at, &line)) {
		line.n++;
		l->line = line;
		if ((!split(line, &l->id) && !respell(r, l)) || !has_prefix(r, l->id))
			continue;
		l->hash = hash_id(l->id);
		PREFETCH(&r->seen[l->hash & (r->cap - 1)]);
		l++;
	}
	r->filled = (size_t)(l - r->batch);
	r->next = 0;
}

/* Whether it was given out, or its session deleted, before the index was made again. */
static bool was_met(const struct index_reader *before, const struct index_line *l)
{
	uint64_t own = slot_of(before, l);
	size_t mask = before->cap - 1;

	for (size_t i = 0; i < before->nrejected; i++)
		if (before->rejected[i] == l->hash)
			return false;
	for (size_t k = l->hash & mask; before->seen[k]; k = (k + 1) & mask)
		if (same_id(before, before->seen[k], own, l))
			return true;
	return false;
}

/* Lines that cannot be read may have been sessions, so the index is rebuilt, and the sessions that
 * were not seen yet are read from the new one. If that fails, the reader continues with the old one. */
static void begin_again(struct index_reader *r)
{
	struct index_reader *before = malloc(sizeof(*before));
	const struct store *s = r->store;
	struct err e = ERR_INIT;
	bool good = false, made;
	int fd;

	if (!before) {
		r->oom = true;
		return;
	}
	*before = *r;
	fd = index_make_again(s, &made, &e);
	if (fd >= 0) {
		good = index_open_fd(r, fd, true, &e) == 0;
		close(fd);
	}
	if (!good) {
		*r = *before;
		r->store = NULL;
		free(before);
		store_notice(s, "sessions may be missing, because '%s/" INDEX_FILE "' cannot be read in full: %s",
		             s->dir, e.msg);
		return;
	}
	r->prefix = before->prefix;
	r->before = before;
	if (made)
		store_notice(s, "the list of sessions was made again from the histories, because '%s/" INDEX_FILE
		             "' could not be read in full", s->dir);
}

bool index_next(struct index_reader *r, struct span *line)
{
	while (!r->oom) {
		const struct index_line *l;

		if (is_in_doubt(r) && (r->next == r->filled || r->nrejected)) {
			begin_again(r);
			continue;
		}
		if (r->next == r->filled) {
			fill(r);
			if (!r->filled && !is_in_doubt(r))
				return false;
			continue;
		}
		l = &r->batch[r->next++];
		if (first_of_id(r, l) && !is_tombstone(l) && !(r->before && was_met(r->before, l))) {
			*line = l->line;
			return true;
		}
	}
	return false;
}

void index_reject(struct index_reader *r, struct span line)
{
	struct err ignored = ERR_INIT;
	uint64_t *v = array_room(r->rejected, r->nrejected, &r->rejected_cap, sizeof(*v), &ignored);
	struct span id;

	if (!v) {
		r->oom = true;
		return;
	}
	r->rejected = v;
	if (split(line, &id))
		v[r->nrejected++] = hash_id(id);
	r->unreadable++;
}

int index_open_fd(struct index_reader *r, int fd, bool all, struct err *e)
{
	const size_t typical = 400; /* bytes of a record; a wrong guess only costs time */

	memset(r, 0, sizeof(*r));
	r->prefix.p = "";
	if (jsonl_map(&r->file, fd, e) < 0)
		return -1;
	r->at = r->file.mapped;
	for (r->cap = 1024; all && is_full(r->file.n / typical, r->cap); r->cap *= 2)
		;
	r->seen = table_alloc(r->cap);
	if (!r->seen) {
		jsonl_unmap(&r->file);
		return err_oom(e);
	}
	return 0;
}

void index_close(struct index_reader *r)
{
	table_free(r->seen, r->cap);
	jsonl_unmap(&r->file);
	for (size_t i = 0; i < r->nrespelled; i++)
		buf_release(&r->respelled[i]);
	free(r->respelled);
	free(r->rejected);
	if (r->before) {
		index_close(r->before);
		free(r->before);
	}
	memset(r, 0, sizeof(*r));
}

/* The members in the order in which records have them: the next is nearly always the one that is
 * expected. Those without a bit are only passed over. */
static const struct field {
	struct span name;
	unsigned bit; /* enum index_field, or 0 */
	bool number;
	size_t offset;
} fields[] = {
#define NAME(name) { name, sizeof(name) - 1 }
#define FIELD(name, bit, number, member)                                                           \
	{ NAME(name), bit, number, offsetof(struct index_record, member) }
#define OTHER(name) { NAME(name), 0, false, 0 }
	FIELD("createdAt", INDEX_CREATED, true, created_at),
	FIELD("updatedAt", INDEX_UPDATED, true, updated_at),
	FIELD("exchangeCount", INDEX_COUNT, true, exchange_count),
	OTHER("toolCalls"),
	OTHER("branches"),
	FIELD("provider", INDEX_PROVIDER, false, provider),
	FIELD("model", INDEX_MODEL, false, model),
	FIELD("cwd", INDEX_CWD, false, cwd),
	FIELD("title", INDEX_TITLE, false, title),
	OTHER("tags"),
	FIELD("firstQuery", INDEX_FIRST_QUERY, false, first_query),
	FIELD("lastQuery", INDEX_LAST_QUERY, false, last_query),
	OTHER("root"),
	OTHER("usageTotals"),
	FIELD("historyBytes", INDEX_BYTES, true, history_bytes),
#undef NAME
#undef FIELD
#undef OTHER
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* The next member. *i is the expected field's number, and becomes that of the field
 * it is, FIELDS when it is none of these. */
static bool next_field(struct json_scan *s, size_t *i, struct span *value)
{
	struct span key;

	if (*i < FIELDS && json_scan_expect(s, fields[*i].name, value))
		return true;
	if (json_scan_next(s, &key, value) <= 0)
		return false;
	for (*i = 0; *i < FIELDS; (*i)++)
		if (span_same(key, fields[*i].name))
			break;
	return true;
}

static bool take_field(struct index_record *r, const struct field *f, struct span value)
{
	void *to = (char *)r + f->offset;

	if (f->number)
		return json_scan_int(value, to);
	memcpy(to, &value, sizeof(value));
	return value.p[0] == '"' || span_eq(value, "null");
}

bool index_record(struct span line, unsigned wanted, struct index_record *r)
{
	struct json_scan s = json_scan(line);
	struct span key, value;
	unsigned found = 0;
	size_t expected = 0;

	memset(r, 0, sizeof(*r));
	if (json_scan_next(&s, &key, &value) <= 0 || !span_eq(key, "id") || value.n < 2)
		return false;
	r->id = (struct span){ value.p + 1, value.n - 2 };
	while (found != wanted) {
		size_t i = expected;

		if (!next_field(&s, &i, &value))
			return false;
		expected = i + 1;
		if (i == FIELDS || !(wanted & fields[i].bit))
			continue;
		if (!take_field(r, &fields[i], value))
			return false;
		found |= fields[i].bit;
	}
	return true;
}

enum index_kind index_judge(struct span line, struct span *id)
{
	static const char header[] = "{\"live\":";
	struct index_record r;

	if (!json_is_whole((struct span){ line.p, line.n - 1 }))
		return INDEX_BAD;
	if (!split(line, id))
		return line.n > sizeof(header) && memcmp(line.p, header, sizeof(header) - 1) == 0 &&
		               span_ends(line, line_end)
		           ? INDEX_HEADER : INDEX_BAD;
	if (is_tombstone(&(struct index_line){ .line = line, .id = *id }))
		return INDEX_TOMBSTONE;
	return index_record(line, INDEX_ALL, &r) ? INDEX_RECORD : INDEX_BAD;
}

int index_find(int fd, const char *id, size_t within, struct buf *line, struct err *e)
{
	struct index_reader r;
	struct span found;
	int result = 0;

	if (index_open_fd(&r, fd, false, e) < 0)
		return -1;
	r.prefix = span_str(id);
	r.least = r.file.mapped > within ? r.file.mapped - within : 0;
	while (result == 0 && index_next(&r, &found))
		if (found.p[sizeof(line_start) - 1 + r.prefix.n] == '"') {
			buf_add(line, found.p, found.n);
			result = 1;
		}
	if (r.oom || line->oom)
		result = err_oom(e); /* not reached: no memory for more than 716 sessions */
	index_close(&r);
	return result;
}

int index_info(struct span line, struct session_info *info, struct json_object **json, struct err *e)
{
	struct json_object *o, *totals;

	*info = (struct session_info){ .usage = USAGE_NONE };
	line.n -= line.n && line.p[line.n - 1] == '\n';
	if (json_parse_object(line, &o, e) < 0)
		return -1;
	totals = json_member(o, "usageTotals");
	if (json_get_int(o, "createdAt", &info->created_at, e) < 0 ||
	    json_get_int(o, "updatedAt", &info->updated_at, e) < 0 ||
	    json_get_int(o, "exchangeCount", &info->exchange_count, e) < 0 ||
	    json_get_int(o, "toolCalls", &info->tool_calls, e) < 0 ||
	    json_get_int(o, "branches", &info->branches, e) < 0 ||
	    json_get_str(o, "provider", &info->provider, e) < 0 ||
	    json_get_str(o, "model", &info->model, e) < 0 || json_get_str(o, "cwd", &info->cwd, e) < 0 ||
	    json_get_str(o, "title", &info->title, e) < 0 ||
	    json_get_str(o, "firstQuery", &info->first_query, e) < 0 ||
	    json_get_str(o, "lastQuery", &info->last_query, e) < 0 ||
	    json_get_str(o, "root", &info->root, e) < 0 ||
	    json_get_int(o, "historyBytes", &info->history_bytes, e) < 0 ||
	    json_get_int(o, "summaryAt", &info->summary_at, e) < 0 ||
	    json_get_int(o, "summaryOf", &info->summary_of, e) < 0 ||
	    (totals && record_parse_usage(o, "usageTotals", &info->usage, e) < 0)) {
		json_object_put(o);
		return -1;
	}
	*json = o;
	return 0;
}

#define EMPTY_MAX 4096 /* bytes; somebody who emptied it leaves no more */

/* Nothing but blanks, or the header of records that are not there. */
static bool is_empty(struct span all)
{
	struct span header = trim(all), value;
	int64_t live;

	if (!header.n)
		return true;
	return !memchr(header.p, '\n', header.n) && json_is_whole(header) &&
	       json_scan_find(header, "live", &value) && json_scan_int(value, &live) && live > 0;
}

static ssize_t read_beginning(int fd, char *to, size_t size)
{
	ssize_t n;

	do
		n = pread(fd, to, size, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

int index_open_file(const struct store *s, int flags, struct err *e)
{
	int fd = place_file(s->fd, INDEX_FILE, flags, e);
	char text[EMPTY_MAX];
	struct stat st;
	ssize_t n = 0;

	if (fd >= 0 && fstat(fd, &st) < 0)
		err_sys(e, errno, "cannot examine it");
	else if (fd >= 0 && st.st_size <= EMPTY_MAX && (n = read_beginning(fd, text, (size_t)st.st_size)) < 0)
		err_sys(e, errno, "cannot read it");
	else if (fd >= 0 && n == st.st_size && is_empty((struct span){ text, (size_t)n }))
		err_set(e, ERR_NOT_FOUND, "it is empty");
	if (fd >= 0 && e->kind != ERR_NONE) {
		close(fd);
		fd = -1;
	}
	return fd < 0 ? store_file_failed(s, INDEX_FILE, e) : fd;
}

/* ERR_NOT_FOUND also when it is empty. */
static int open_now(struct index_reader *r, const struct store *s, bool all, struct err *e)
{
	int fd = place_file(s->fd, INDEX_FILE, O_RDONLY, e), result;

	if (fd < 0)
		return store_file_failed(s, INDEX_FILE, e);
	result = index_open_fd(r, fd, all, e);
	close(fd);
	if (result < 0)
		return store_file_failed(s, INDEX_FILE, e);
	r->store = s;
	if (r->file.mapped > EMPTY_MAX || !is_empty((struct span){ r->file.p, r->file.mapped }))
		return 0;
	index_close(r);
	return err_set(e, ERR_NOT_FOUND, "'%s/" INDEX_FILE "' is empty", s->dir);
}

int index_open(struct index_reader *r, const struct store *s, bool all, struct err *e)
{
	memset(r, 0, sizeof(*r));
	if (s->fd < 0)
		return 0;
	index_mend(s);
	if (open_now(r, s, all, e) == 0)
		return 0;
	if (e->kind != ERR_NOT_FOUND)
		return -1;
	err_clear(e);
	return index_make(s, e) < 0 ? -1 : open_now(r, s, all, e);
}
