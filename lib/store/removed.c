#include "store/removed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "store/id.h"
#include "store/jsonl.h"
#include "store/lock.h"
#include "store/place.h"
#include "store/record.h"

static void add_removal(struct buf *b, const char *id, int64_t created_at)
{
	json_open(b, '{');
	json_put_word(b, "id", id);
	if (created_at >= 0)
		json_put_int(b, "createdAt", created_at);
	json_put_int(b, "deletedAt", clock_now_ms());
	json_close(b, '}');
	buf_addc(b, '\n');
}

static int append_removal(struct removal *r, const char *id, int64_t created_at, struct err *e)
{
	struct buf line = BUF_INIT;
	struct stat st;
	int result;

	if (fstat(r->fd, &st) < 0)
		return err_sys(e, errno, "cannot examine it");
	r->before = st.st_size; /* from here on removed_take_back() has something to do */
	add_removal(&line, id, created_at);
	result = buf_check(&line, e);
	if (result == 0 && (result = jsonl_append(r->fd, buf_span(&line), true, e)) < 0)
		r->full = errno == ENOSPC || errno == EDQUOT;
	buf_release(&line);
	return result;
}

int removed_note(struct removal *r, const struct store *s, const char *id, int64_t created_at,
                 struct err *e)
{
	const struct lock_wait wait = { .stop_fd = s->stop_fd };

	*r = (struct removal)REMOVAL_NONE;
	r->fd = lock_open(s->fd, REMOVED_FILE, O_RDWR | O_APPEND | O_CREAT, &wait, e);
	r->full = r->fd < 0 && (errno == ENOSPC || errno == EDQUOT);
	if (r->fd >= 0 && append_removal(r, id, created_at, e) == 0)
		return 0;
	if (r->fd >= 0)
		removed_take_back(r);
	return store_file_failed(s, REMOVED_FILE, e);
}

void removed_keep(struct removal *r)
{
	if (r->fd >= 0)
		lock_end(r->fd);
	r->fd = -1;
}

void removed_take_back(struct removal *r)
{
	struct stat st;

	/* The lock is held, so nobody has appended since. */
	if (r->before >= 0 && fstat(r->fd, &st) == 0 && st.st_size > r->before &&
	    ftruncate(r->fd, r->before) == 0)
		io_datasync(r->fd);
	r->before = -1;
	removed_keep(r);
}

struct removed {
	struct json_object *json; /* owned */
	struct span id;
	int64_t created_at; /* -1: not known */
};

static int parse_removal(struct span line, struct removed *r, struct err *e)
{
	int64_t deleted_at;
	int got;

	*r = (struct removed){ .created_at = -1 };
	if (json_parse_object(line, &r->json, e) < 0)
		return -1;
	if (json_get_str(r->json, "id", &r->id, e) == 0)
		err_set(e, ERR_DAMAGED, "'id' is missing");
	else if (e->kind == ERR_NONE && !id_valid(r->id.p, r->id.n))
		err_set(e, ERR_DAMAGED, "'id' is not a session id");
	record_get_time(r->json, "createdAt", &r->created_at, e);
	got = record_get_time(r->json, "deletedAt", &deleted_at, e);
	if (got == 0)
		err_set(e, ERR_DAMAGED, "'deletedAt' is missing");
	if (e->kind == ERR_NONE)
		return 0;
	json_object_put(r->json);
	return -1;
}

int removed_judge(struct span line, struct err *e)
{
	struct removed r;

	if (parse_removal(line, &r, e) < 0)
		return -1;
	json_object_put(r.json);
	return 0;
}

static int64_t removed_created_at(struct span line, const char *id)
{
	struct err ignored = ERR_INIT;
	struct removed r;
	struct span own;

	/* This is cheaper than to parse the lines of other sessions. */
	if (!json_scan_find(line, "id", &own) || !json_scan_is(own, span_str(id)) ||
	    parse_removal(line, &r, &ignored) < 0)
		return -1;
	json_object_put(r.json);
	return r.created_at;
}

int64_t removed_latest(const struct store *s, const char *id)
{
	struct err ignored = ERR_INIT;
	int fd = place_file(s->fd, REMOVED_FILE, O_RDONLY, &ignored);
	int64_t latest = -1;
	struct span line;
	struct jsonl j;
	size_t at = 0;

	if (fd < 0)
		return -1;
	if (jsonl_map(&j, fd, &ignored) == 0) {
		while (jsonl_next(&j, &at, &line)) {
			int64_t this = removed_created_at(line, id);

			latest = this > latest ? this : latest;
		}
		jsonl_unmap(&j);
	}
	close(fd);
	return latest;
}
