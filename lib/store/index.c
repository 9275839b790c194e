#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

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
	return true;
}

static bool is_tombstone(const struct index_line *l)
{
	static const char mark[] = "\",\"deletedAt\":";
	const char *after = l->id.p + l->id.n;

	return (size_t)(l->line.p + l->line.n - after) > sizeof(mark) &&
	       memcmp(after, mark, sizeof(mark) - 1) == 0;
}

/* A slot holds 16 bits of the hash and the 48-bit offset, plus one, of the line. */
static uint64_t slot_of(uint64_t hash, size_t offset)
{
	return (hash & ~(UINT64_MAX >> 16)) | (offset + 1);
}

static size_t slot_offset(uint64_t slot)
{
	return (size_t)(slot & (UINT64_MAX >> 16)) - 1;
}

static bool same_id(const struct index_reader *r, uint64_t slot, const struct index_line *l)
{
	const char *other = r->file.p + slot_offset(slot) + sizeof(line_start) - 1;

	/* The other line holds its id and more, so this does not run past its end. */
	return slot >> 48 == l->hash >> 48 && memcmp(other, l->id.p, l->id.n + 1) == 0;
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
		struct span line, id = { "", 0 };
		size_t at, k;

		if (!r->seen[i])
			continue;
		at = slot_offset(r->seen[i]);
		jsonl_next(&r->file, &at, &line);
		line.n++;
		split(line, &id);
		for (k = hash_id(id) & mask; table[k]; k = (k + 1) & mask)
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
	size_t mask, k;

	if (r->used * 2 > r->cap && !table_grow(r)) {
		r->oom = true;
		return false;
	}
	mask = r->cap - 1;
	for (k = l->hash & mask; r->seen[k]; k = (k + 1) & mask)
		if (same_id(r, r->seen[k], l))
			return false;
	r->seen[k] = slot_of(l->hash, (size_t)(l->line.p - r->file.p));
	r->used++;
	return true;
}

static void fill(struct index_reader *r)
{
	struct index_line *l = r->batch;
	struct span line;

	while (l < r->batch + INDEX_BATCH && jsonl_prev(&r->file, &r->at, &line)) {
		line.n++;
		l->line = line;
		if (!split(line, &l->id) || l->id.n < r->prefix.n ||
		    memcmp(l->id.p, r->prefix.p, r->prefix.n) != 0)
			continue;
		l->hash = hash_id(l->id);
#if defined(__GNUC__)
		__builtin_prefetch(&r->seen[l->hash & (r->cap - 1)], 1);
#endif
		l++;
	}
	r->filled = (size_t)(l - r->batch);
	r->next = 0;
}

bool index_next(struct index_reader *r, struct span *line)
{
	for (;;) {
		const struct index_line *l;

		if (r->next == r->filled) {
			fill(r);
			if (!r->filled)
				return false;
		}
		l = &r->batch[r->next++];
		if (first_of_id(r, l) && !is_tombstone(l)) {
			*line = l->line;
			return true;
		}
		if (r->oom)
			return false;
	}
}

int index_open_fd(struct index_reader *r, int fd, bool all, struct err *e)
{
	const size_t typical = 300; /* bytes of a record; a wrong guess only costs time */

	memset(r, 0, sizeof(*r));
	r->prefix.p = "";
	if (jsonl_map(&r->file, fd, e) < 0)
		return -1;
	r->at = r->file.n;
	for (r->cap = 1024; all && r->cap < r->file.n / typical * 2; r->cap *= 2)
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
	memset(r, 0, sizeof(*r));
}

bool index_record(struct span line, struct index_record *r)
{
	struct json_scan s = json_scan(line);
	struct span key, value;
	int got;

	memset(r, 0, sizeof(*r));
	while ((got = json_scan_next(&s, &key, &value)) > 0) {
		if (span_eq(key, "id"))
			r->id = (struct span){ value.p + 1, value.n - 2 };
		else if (span_eq(key, "createdAt"))
			json_scan_int(value, &r->created_at);
		else if (span_eq(key, "updatedAt"))
			json_scan_int(value, &r->updated_at);
		else if (span_eq(key, "exchangeCount"))
			json_scan_int(value, &r->exchange_count);
		else if (span_eq(key, "provider"))
			r->provider = value;
		else if (span_eq(key, "model"))
			r->model = value;
		else if (span_eq(key, "cwd"))
			r->cwd = value;
		else if (span_eq(key, "title"))
			r->title = value;
		else if (span_eq(key, "firstQuery"))
			r->first_query = value;
		else if (span_eq(key, "lastQuery"))
			r->last_query = value;
	}
	return got == 0 && id_valid(r->id.p, r->id.n);
}

/* Opens the index, which is missing or empty when a person deleted it, or when
 * this is a new store. */
int index_open_file(const struct store *s, int flags)
{
	int fd = openat(s->fd, INDEX_FILE, flags | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 0) {
		close(fd);
		errno = ENOENT;
		return -1;
	}
	return fd;
}

int index_open(struct index_reader *r, const struct store *s, bool all, struct err *e)
{
	int fd, result;

	memset(r, 0, sizeof(*r));
	if (s->fd < 0)
		return 0;
	fd = index_open_file(s, O_RDONLY);
	if (fd < 0 && errno == ENOENT) {
		if (index_make(s, e) < 0)
			return -1;
		fd = index_open_file(s, O_RDONLY);
	}
	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s/" INDEX_FILE "'", s->dir);
	result = index_open_fd(r, fd, all, e);
	close(fd);
	return result < 0 ? err_prefix(e, "'%s/" INDEX_FILE "'", s->dir) : 0;
}
