/*
 * One file from the bottom up: lines and records, the reader, the file and its lock, writing it anew,
 * keeping it up to date, and at the end reading that repairs the index first.
 *
 * A session whose record could not be appended is named in a file of its own, INDEX_STALE, which has a
 * lock of its own. The next tool that opens the index reads the histories of those sessions, appends
 * their records and deletes the file. If the file is not a list of ids, as on a full disk, the whole
 * index is rebuilt.
 */
#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
#include "store/lock.h"
#include "store/place.h"
#include "store/quarantine.h"

/* ---- a line ---- */

static const char line_start[] = "{\"id\":\"";
static const char line_end[] = "\"version\":1}\n";

/* A line that begins and ends like a record is a whole record: a quote inside a string is escaped, so
 * no fragment can look like one. `line` has its newline. */
static bool split_line(struct span line, struct span *id)
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

/* ---- reading a record ---- */

/* The members in the order in which records have them, so that the next one is nearly always the
 * expected one. Members without a bit are skipped. */
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

/* Reads the next member. *i is the number of the expected field, and becomes the number of the field
 * that was read; FIELDS if the table does not have it. */
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

static bool set_field(struct index_record *r, const struct field *f, struct span value)
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
		if (!set_field(r, &fields[i], value))
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
	if (!split_line(line, id))
		return line.n > sizeof(header) && memcmp(line.p, header, sizeof(header) - 1) == 0 &&
		               span_ends(line, line_end)
		           ? INDEX_HEADER : INDEX_BAD;
	if (is_tombstone(&(struct index_line){ .line = line, .id = *id }))
		return INDEX_TOMBSTONE;
	return index_record(line, INDEX_ALL, &r) ? INDEX_RECORD : INDEX_BAD;
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

/* ---- making a record ---- */

#define QUERY_MAX 100 /* characters of a query that the index keeps */

static void put_short_query(struct buf *b, const char *key, struct span s)
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
	put_short_query(b, "title", s->title);
	json_put_open(b, "tags", '[');
	for (size_t i = 0; i < s->ntags; i++)
		json_item_str(b, s->tags[i]);
	json_close(b, ']');
	put_short_query(b, "firstQuery", s->first_query);
	put_short_query(b, "lastQuery", s->last_query);
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

/* ---- the reader: the newest line of each session ---- */

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

/*
 * A slot of the hash table stands for an id. An id of eight characters, as the tools choose them, is in
 * the slot itself and is compared without reading the file again; its top bit is clear, since it is
 * ASCII. For any other id the slot has the top bit, 15 bits of the hash, and the offset of the id in the
 * file, plus one.
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

static struct span trim_line(struct span s)
{
	static const char bom[] = "\xef\xbb\xbf";

	if (s.n >= 3 && memcmp(s.p, bom, 3) == 0)
		s = (struct span){ s.p + 3, s.n - 3 };
	return span_trim(s, SPAN_WHITE);
}

enum line_kind { LINE_RECORD, LINE_OTHER, LINE_UNREADABLE };

/* Judges a line that the tools would write otherwise. A line without an id, such as the header, or
 * with an id that no session can have, does not stand for a session. */
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

/* Adds the record as the tools write it, with its newline. False if it is not of version 1. */
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

/* Replaces the line by this text, which the reader owns from now on. */
static bool keep_text(struct index_reader *r, struct index_line *l, struct buf *text)
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

/* Replaces another spelling by the tools' own. False if the line is not a record. */
static bool respell(struct index_reader *r, struct index_line *l)
{
	struct span text = trim_line(l->line);
	enum line_kind kind = judge_foreign(text, &l->id, &r->oom);
	struct buf b = BUF_INIT;
	struct index_record ignored;
	bool good = false;

	if (kind == LINE_RECORD && add_respelled(&b, text, l->id)) {
		struct index_line own = { .line = buf_span(&b), .id = l->id };

		good = (is_tombstone(&own) || index_record(own.line, INDEX_ALL, &ignored)) && keep_text(r, l, &b);
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

/* ---- the reader: batches of lines ---- */

/* A line that cannot be read may belong to a session that is newer than the ones read next. */
static bool is_in_doubt(const struct index_reader *r)
{
	return r->store && r->unreadable;
}

/* In doubt, once the lines that were read before the unreadable one are given out. */
static bool must_rebuild(const struct index_reader *r)
{
	return is_in_doubt(r) && (r->next == r->filled || r->nrejected);
}

static void fill_batch(struct index_reader *r)
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
		if ((!split_line(line, &l->id) && !respell(r, l)) || !has_prefix(r, l->id))
			continue;
		l->hash = hash_id(l->id);
		PREFETCH(&r->seen[l->hash & (r->cap - 1)]);
		l++;
	}
	r->filled = (size_t)(l - r->batch);
	r->next = 0;
}

/* Whether the old index gave out this session, or had it as deleted, before the index was rebuilt. */
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

/* As index_next(), but stops where the index must be rebuilt first. */
static bool read_next(struct index_reader *r, struct span *line)
{
	while (!r->oom && !must_rebuild(r)) {
		const struct index_line *l;

		if (r->next == r->filled) {
			fill_batch(r);
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
	if (split_line(line, &id))
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

int index_find(int fd, const char *id, size_t within, struct buf *line, struct err *e)
{
	struct index_reader r;
	struct span found;
	int result = 0;

	if (index_open_fd(&r, fd, false, e) < 0)
		return -1;
	r.prefix = span_str(id);
	r.least = r.file.mapped > within ? r.file.mapped - within : 0;
	while (result == 0 && read_next(&r, &found))
		if (found.p[sizeof(line_start) - 1 + r.prefix.n] == '"') {
			buf_add(line, found.p, found.n);
			result = 1;
		}
	if (r.oom || line->oom)
		result = err_oom(e); /* not reached: no memory for more than 716 sessions */
	index_close(&r);
	return result;
}

/* ---- the file and its lock ---- */

#define EMPTY_MAX 4096 /* bytes; a file that somebody emptied is not larger */

/* Nothing but blanks, or the header of records that are not there. */
static bool is_empty(struct span all)
{
	struct span header = trim_line(all), value;
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
		/* The process that made the directory may have been killed before it synced the
		 * directory's name. Where the lock file exists, the name is synced. */
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

/* ---- a new file ---- */

/* The first line of a file gives its size when it was made: compact_when_due() compares. */
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

/* Replaces the index by a file with these lines, newest first. With `place` the old file is moved to
 * quarantine just before. The lock is held. */
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

/* The records of a rebuilt index. */
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

/* A session that is damaged, or that this user may not read, is left out, and keeps the record that it
 * had. A failure of this process (no memory, say) ends the rebuild: the list would lack sound sessions. */
static int leave_out(const struct store *s, const char *id, struct rebuilt *all,
                     const struct err *why, struct err *e)
{
	if (why->kind == ERR_NOT_FOUND) /* a folder without a history is not a session */
		return 0;
	if (why->kind == ERR_FAILED && !is_forbidden(s, id)) {
		*e = *why;
		return -1;
	}
	store_notice(s, "session '%s' is left out of the list: %s", id, why->msg);
	return keep_old(id, all, e);
}

static int rebuild_session(const struct store *s, const char *id, struct rebuilt *all, struct err *e)
{
	struct conversation c = CONVERSATION_INIT;
	struct err why = ERR_INIT;
	size_t start = all->text.n;
	int r;

	c.lean = true;
	if (history_read(&c, s, id, &why) < 0) {
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

/* More would take longer than some seconds: then a tool does not rebuild the index on its own. */
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

/* Makes the index from the histories. `old` is the current index, or -1. `place` is NULL where a tool does
 * this on its own, so that it must not take long. The lock is held. */
static int rebuild_index(const struct store *s, int old, char *place, struct err *e)
{
	struct rebuilt all = { .text = BUF_INIT, .old = old };
	struct names names;
	int r;

	if (names_read(&names, s->fd, e) < 0)
		return err_prefix(e, "'%s'", s->dir);
	r = place ? 0 : check_soon(s, &names, old < 0 ? "missing" : "damaged", e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (id_valid(names.v[i], strlen(names.v[i])))
			r = rebuild_session(s, names.v[i], &all, e);
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

/* Lists the live records, newest first. */
static int collect_lines(struct index_reader *r, struct span **lines, size_t *n, struct err *e)
{
	struct span line;
	size_t cap = 0;

	while (read_next(r, &line)) {
		struct span *more = array_room(*lines, *n, &cap, sizeof(*more), e);

		if (!more)
			return -1;
		*lines = more;
		more[(*n)++] = line;
	}
	return r->oom ? err_oom(e) : 0;
}

/* Lines that cannot be read may belong to sessions, so the index is rebuilt from the histories then. */
static int compact_index(const struct store *s, int fd, struct err *e)
{
	struct index_reader r;
	struct span *lines = NULL;
	size_t n = 0;
	int result;

	if (index_open_fd(&r, fd, true, e) < 0)
		return -1;
	result = collect_lines(&r, &lines, &n, e);
	if (result == 0)
		result = r.unreadable ? rebuild_index(s, fd, NULL, e) : write_index(s, lines, n, NULL, e);
	free(lines);
	index_close(&r);
	return result;
}

/* A compaction is due when the file has grown to twice its size, so that an append costs the same on
 * average. Small files are left alone. */
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
	/* A failure is only reported: the record is stored. */
	if (st.st_size > 2 * bytes + 65536 && compact_index(s, fd, &why) < 0)
		store_notice(s, "the list of sessions could not be made smaller: %s", why.msg);
}

/* Opens the index, and makes it first if it is missing. The lock is held. */
static int open_or_rebuild(const struct store *s, int flags, struct err *e)
{
	int fd = index_open_file(s, flags, e);

	if (fd >= 0 || e->kind != ERR_NOT_FOUND)
		return fd;
	err_clear(e);
	return rebuild_index(s, -1, NULL, e) < 0 ? -1 : index_open_file(s, flags, e);
}

/* ---- writing over lines ---- */

/* Overwrites `line`, which is without its newline, by a tombstone for `id` of the same length, or by
 * blanks if `id` is empty. */
static int overwrite_line(int fd, const struct jsonl *j, struct span line, struct span id, struct err *e)
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

/* Blanks a fragment that a failed write left at the end, and seeks to the end. */
static int blank_torn_end(int fd, struct err *e)
{
	struct span torn;
	struct jsonl j;
	int r = 0;

	if (jsonl_map(&j, fd, e) < 0)
		return -1;
	torn = (struct span){ j.p + j.n, j.mapped - j.n };
	if (torn.n && !json_is_whole(torn))
		r = overwrite_line(fd, &j, torn, (struct span){ "", 0 }, e);
	jsonl_unmap(&j);
	if (r == 0 && lseek(fd, 0, SEEK_END) < 0)
		r = err_sys(e, errno, "cannot find its end");
	return r;
}

/* ---- sessions whose record is not up to date ---- */

#define STALE_MAX 65536 /* bytes of names; if there are more, the index is rebuilt */

static int open_stale(const struct store *s, int flags, struct err *e)
{
	const struct lock_wait wait = { .stop_fd = s->stop_fd };

	return lock_open(s->fd, INDEX_STALE, flags, &wait, e);
}

/* If the name cannot be written, an empty file is enough: the next tool rebuilds the index. */
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

	quiet.notice = NULL; /* the tools that use the session report its damage */
	c.lean = true;
	if (history_read(&c, &quiet, id, &why) == 0)
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

/* Adds the records of the named sessions. 0: these are not names. *gone: a session was deleted. */
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
static int mend_stale(const struct store *s, struct err *e)
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
		r = named ? append_named(index, buf_span(&records), e) : rebuild_index(s, index, NULL, e);
		if (r == 0 && gone) /* so that none of its text stays */
			compact_index(s, index, &ignored);
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

/* ---- appending ---- */

/* Opens the index for writing, and brings it up to date first. The lock is held. */
static int open_current(const struct store *s, int flags, struct err *e)
{
	return is_stale(s) && mend_stale(s, e) < 0 ? -1 : open_or_rebuild(s, flags, e);
}

/* With `gone`, only if there is no session with this id. */
static int append_index_line(const struct store *s, struct span record, const char *gone, struct err *e)
{
	int lock = index_lock(s, e), fd = -1, r = -1;

	if (lock < 0)
		return -1;
	if (gone && history_exists(s, gone))
		r = 0; /* the session was created again, and its creator lists it */
	else
		fd = open_current(s, O_RDWR | O_APPEND, e);
	if (fd >= 0) {
		r = jsonl_append(fd, record, false, e);
		if (r < 0)
			store_file_failed(s, INDEX_FILE, e);
		else if (!gone) /* mc-session-rm compacts the index once, at its end */
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
	r = buf_check(&b, e) < 0 ? -1 : append_index_line(s, buf_span(&b), NULL, e);
	buf_release(&b);
	return r;
}

/* Writes the record where its time belongs: the lines are in the order of activity. */
static int insert_record(const struct store *s, int fd, struct span record, int64_t updated_at, struct err *e)
{
	struct span *lines = NULL;
	struct index_reader reader;
	size_t n = 0, at = 0;
	int r;

	if (index_open_fd(&reader, fd, true, e) < 0)
		return -1;
	r = collect_lines(&reader, &lines, &n, e);
	if (r == 0 && reader.unreadable) {
		r = rebuild_index(s, fd, NULL, e); /* from all histories, so with the new record */
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
	fd = open_current(s, O_RDWR | O_APPEND, e);
	r = fd < 0 ? -1 : insert_record(s, fd, buf_span(&b), info->updated_at, e);
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
	r = buf_check(&b, e) < 0 ? -1 : append_index_line(s, buf_span(&b), id, e);
	buf_release(&b);
	return r;
}

/* ---- removing every record of deleted sessions ---- */

/* Whether the text of the line has one of these ids anywhere. */
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
static int overwrite_lines(const struct store *s, int fd, char *const *ids, size_t n, struct err *e)
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
			r = overwrite_line(fd, &j, line, id, e);
		else if (kind == INDEX_BAD)
			r = overwrite_line(fd, &j, line, (struct span){ "", 0 }, e);
	}
	line = (struct span){ j.p + j.n, j.mapped - j.n };
	if (r == 0 && may_be_of(line, ids, n))
		r = overwrite_line(fd, &j, line, (struct span){ "", 0 }, e);
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
	fd = open_current(s, O_RDWR, e);
	if (fd >= 0) {
		r = compact_index(s, fd, &why);
		if (r < 0 && (r = overwrite_lines(s, fd, ids, n, e)) < 0)
			store_file_failed(s, INDEX_FILE, e);
		close(fd);
	}
	lock_end(lock);
	return r;
}

/* ---- rebuilding, and reading on ---- */

int index_remake(const struct store *s, char *place, struct err *e)
{
	struct err ignored = ERR_INIT;
	int lock = index_lock(s, e), old, r;

	place[0] = '\0';
	if (lock < 0)
		return -1;
	old = index_open_file(s, O_RDONLY, &ignored);
	r = rebuild_index(s, old, place, e);
	if (old >= 0)
		close(old);
	lock_end(lock);
	return r;
}

/* Whether every line of the open index can be read. */
static bool is_readable(int fd, struct err *e)
{
	struct index_record ignored;
	struct index_reader r;
	struct span line;
	bool good = true;

	if (index_open_fd(&r, fd, true, e) < 0)
		return false;
	while (good && read_next(&r, &line))
		good = index_record(line, INDEX_ALL | INDEX_BYTES, &ignored);
	good = good && !r.unreadable && !r.oom;
	index_close(&r);
	return good;
}

static int make_if_missing(const struct store *s, struct err *e)
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

static void mend_if_stale(const struct store *s)
{
	struct err e = ERR_INIT;
	int lock, r;

	if (!is_stale(s))
		return;
	lock = index_lock(s, &e);
	r = lock < 0 ? -1 : mend_stale(s, &e);
	if (lock >= 0)
		lock_end(lock);
	if (r < 0)
		store_notice(s, "the list of sessions is not up to date: %s", e.msg);
}

/* ERR_NOT_FOUND also if it is empty, as index_open_file(). */
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
	mend_if_stale(s);
	if (open_now(r, s, all, e) == 0)
		return 0;
	if (e->kind != ERR_NOT_FOUND)
		return -1;
	err_clear(e);
	return make_if_missing(s, e) < 0 ? -1 : open_now(r, s, all, e);
}

/* Returns a descriptor to read the index from. *made: this process rebuilt it. */
static int rebuild_if_unreadable(const struct store *s, bool *made, struct err *e)
{
	int lock = index_lock(s, e), fd;

	*made = false;
	if (lock < 0)
		return -1;
	fd = open_or_rebuild(s, O_RDONLY, e);
	if (fd >= 0 && !is_readable(fd, e)) { /* else another process has rebuilt it */
		int r = e->kind == ERR_NONE ? rebuild_index(s, fd, NULL, e) : -1;

		close(fd);
		fd = r < 0 ? -1 : index_open_file(s, O_RDONLY, e);
		*made = fd >= 0;
	}
	lock_end(lock);
	return fd;
}

/* Rebuilds the index, and continues with the sessions in the new one that were not given out yet. If that
 * fails, the reader continues with the old one. */
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
	fd = rebuild_if_unreadable(s, &made, &e);
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
	while (!read_next(r, line)) {
		if (r->oom || !must_rebuild(r))
			return false;
		begin_again(r);
	}
	return true;
}
