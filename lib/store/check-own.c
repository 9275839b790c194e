/* Finds out what in the sessions directory is the tools' own: only that is repaired. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json-scan.h"
#include "store/artifact.h"
#include "store/check-parts.h"
#include "store/index.h"
#include "store/leftover.h"
#include "store/removed.h"
#include "store/spool.h"

#define LINES 16 /* how many lines of a file are read to see whose it is */

/* ---- by content ---- */

/* It does not exist, cannot be opened or may not be read: nothing shows that it is the tools' own. */
static bool is_none(int why)
{
	return why == ENOENT || why == ENOTDIR || why == ELOOP || why == EACCES || why == ENXIO;
}

/* Maps a file whatever its mode and owner are: only whose it is depends on it. 1, 0 (not a regular file) or
 * -1. */
static int map_file(int dir, const char *path, struct jsonl *j, struct err *e)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), r = 0;
	struct stat st;

	if (fd < 0)
		return is_none(errno) ? 0 : err_sys(e, errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		r = err_sys(e, errno, "cannot examine '%s'", path);
	else if (S_ISREG(st.st_mode))
		r = jsonl_map(j, fd, e) < 0 ? err_prefix(e, "'%s'", path) : 1;
	close(fd);
	return r;
}

/* Whether it is a record of a history, of this version or a later one. */
static int is_record(struct span line, struct err *e)
{
	struct err why = ERR_INIT;
	struct record r;
	int ours;

	if (record_parse(line, &r, &why) < 0)
		return why.kind == ERR_FAILED ? err_set(e, why.kind, "%s", why.msg) : why.kind == ERR_VERSION;
	ours = r.type == RECORD_SESSION || r.type == RECORD_EXCHANGE;
	record_release(&r);
	return ours;
}

/* Whether it is a header, a record or a tombstone, in any spelling. An id and a version are not enough:
 * other programs' files have them, too. */
static int is_index_line(struct span line, struct err *e)
{
	struct span value;

	(void)e;
	return json_is_whole(line) && line.p[0] == '{' && json_scan_find(line, "version", &value) &&
	       (json_scan_find(line, "live", &value) ||
	        (json_scan_find(line, "id", &value) && (json_scan_find(line, "historyBytes", &value) ||
	                                                json_scan_find(line, "deletedAt", &value))));
}

/* Whether one of the first lines is the tools' own. 1, 0 or -1. */
static int any_line(int dir, const char *path, int (*is_ours)(struct span line, struct err *e),
                    struct err *e)
{
	struct span line;
	struct jsonl j;
	size_t at = 0;
	int found = map_file(dir, path, &j, e);

	if (found <= 0)
		return found;
	found = 0;
	for (int i = 0; !found && i < LINES && jsonl_next(&j, &at, &line); i++) {
		line.n = strnlen(line.p, line.n); /* a loss of power may leave NULs after a record */
		found = line.n ? is_ours(line, e) : 0;
	}
	jsonl_unmap(&j);
	return found;
}

static int has_history(const struct check *c, const char *folder, struct err *e)
{
	char path[QUARANTINE_PATH + sizeof(HISTORY_FILE)];
	int n = snprintf(path, sizeof(path), "%s/" HISTORY_FILE, folder);

	return n > 0 && (size_t)n < sizeof(path) ? any_line(c->store->fd, path, is_record, e) : 0;
}

static int has_index(int dir, const char *path, struct err *e)
{
	char index[QUARANTINE_PATH + sizeof(INDEX_FILE)];
	int n = snprintf(index, sizeof(index), "%s/" INDEX_FILE, path);

	return n > 0 && (size_t)n < sizeof(index) ? any_line(dir, index, is_index_line, e) : 0;
}

/* ---- by name ---- */

bool check_own_file(const char *name)
{
	return strcmp(name, HISTORY_FILE) == 0 || strcmp(name, SPOOL_FILE) == 0 ||
	       strcmp(name, HISTORY_TEMP) == 0 || strcmp(name, SPOOL_TEMP) == 0 ||
	       strncmp(name, SPOOL_DAMAGED, strlen(SPOOL_DAMAGED)) == 0;
}

/* What the names in a folder show about its owner. */
enum content {
	CONTENT_NONE,  /* nothing, or only a history: other programs have such files, too */
	CONTENT_OWN,   /* a turn, attachments, a repair: only the tools make these */
	CONTENT_OTHER, /* something else */
};

static int in_artifacts(const char *name)
{
	return sha256_valid(span_str(name)) || strcmp(name, ARTIFACT_TEMP) == 0 ? CONTENT_OWN
	                                                                        : CONTENT_OTHER;
}

static int in_session(const char *name)
{
	if (strcmp(name, ARTIFACTS_DIR) == 0 || strcmp(name, HISTORY_FILE) == 0)
		return CONTENT_NONE;
	return check_own_file(name) ? CONTENT_OWN : CONTENT_OTHER;
}

/* Judges the names in folder `path` in `dir`. -1: they cannot be read. */
static int content_of(int dir, const char *path, int (*kind_of)(const char *name), struct err *e)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int content = CONTENT_NONE, r;
	struct names names;

	if (fd < 0)
		return is_none(errno) ? CONTENT_OTHER : err_sys(e, errno, "cannot open '%s'", path);
	r = names_read(&names, fd, e);
	close(fd);
	if (r < 0)
		return err_prefix(e, "'%s'", path);
	for (size_t i = 0; i < names.n; i++) {
		int kind = kind_of(names.v[i]);

		content = kind > content ? kind : content;
	}
	names_release(&names);
	return content;
}

/* If the folder itself shows nothing, its attachments may. */
static int content_of_folder(int dir, const char *name, struct err *e)
{
	char path[QUARANTINE_PATH + sizeof(ARTIFACTS_DIR)];
	int content = content_of(dir, name, in_session, e);
	struct stat st;

	snprintf(path, sizeof(path), "%s/" ARTIFACTS_DIR, name);
	if (content != CONTENT_NONE || fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return content;
	return content_of(dir, path, in_artifacts, e);
}

int check_own_leftover(const struct check *c, const char *name, struct err *e)
{
	enum leftover kind = leftover_kind(name);
	int content;

	if (kind != LEFTOVER_NEW)
		return kind == LEFTOVER_REMOVED || strcmp(name, INDEX_TEMP) == 0 ||
		       strcmp(name, REMOVED_TEMP) == 0;
	content = content_of_folder(c->store->fd, name, e);
	return content < 0 ? -1 : content != CONTENT_OTHER;
}

bool check_own_top_file(const char *name)
{
	return strcmp(name, INDEX_FILE) == 0 || strcmp(name, INDEX_LOCK) == 0 ||
	       strcmp(name, INDEX_STALE) == 0 || strcmp(name, REMOVED_FILE) == 0;
}

static bool is_top_name(const char *name)
{
	return check_own_top_file(name) || strcmp(name, QUARANTINE_DIR) == 0;
}

/* ---- sessions ---- */

static int is_indexed(struct check *c, const char *id, struct err *e)
{
	struct buf line = BUF_INIT;
	int found = check_index_record(c, id, &line, e);

	buf_release(&line);
	return found;
}

/* Judges a folder that the index does not know. A history without a valid record may belong to any program,
 * unless something else shows whose it is. */
static int judge_rest(struct check *c, const char *id, struct err *e)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];
	int content = content_of_folder(c->store->fd, id, e);
	struct stat st;

	if (content != CONTENT_NONE)
		return content < 0 ? -1 : content == CONTENT_OWN ? OWN_SESSION : OWN_NONE;
	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, id);
	if (fstatat(c->store->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return OWN_EMPTY;
	return S_ISREG(st.st_mode) ? OWN_NONE : OWN_SESSION;
}

int check_own_session(struct check *c, const char *id, struct err *e)
{
	struct err why = ERR_INIT;
	int own = c->index ? is_indexed(c, id, e) : 0;

	if (own == 0)
		own = has_history(c, id, &why);
	if (own < 0 && why.kind != ERR_NONE)
		return OWN_SESSION; /* the check of the session reports that it cannot be read */
	if (own == 0 && !c->index)
		own = is_indexed(c, id, e);
	if (own < 0)
		return -1;
	return own ? OWN_SESSION : judge_rest(c, id, e);
}

int check_stranger(struct check *c, const struct names *names, const char **name, struct err *e)
{
	for (size_t i = 0; i < names->n; i++) {
		int own;

		*name = names->v[i];
		if (**name == '.' || is_top_name(*name))
			continue;
		own = id_valid(*name, strlen(*name)) ? check_own_session(c, *name, e) : OWN_NONE;
		if (own < 0 || own == OWN_NONE)
			return own < 0 ? -1 : 1;
	}
	return 0;
}

/* ---- the store ---- */

/* The error names some of what is there instead, and the store that may be meant. */
static int refuse_store(const struct check *c, const struct names *names, struct err *e)
{
	struct buf list = BUF_INIT, near = BUF_INIT;
	struct err ignored = ERR_INIT;
	size_t shown = names->n > 5 ? 4 : names->n;
	int dir = c->store->fd;

	for (size_t i = 0; i < shown; i++)
		buf_addf(&list, "%s'%.60s'", i == 0 ? "" : i + 1 == names->n ? " and " : ", ", names->v[i]);
	if (shown < names->n)
		buf_addf(&list, " and %zu more", names->n - shown);
	if (has_index(dir, "..", &ignored) > 0)
		buf_adds(&near, ": the folder above it is one");
	for (size_t i = 0; !near.n && i < names->n; i++)
		if (has_index(dir, names->v[i], &ignored) > 0)
			buf_addf(&near, ": '%.100s' in it is one", names->v[i]);
	if (list.oom || near.oom)
		err_oom(e);
	else
		err_set(e, ERR_FAILED,
		        "'%s' is not a sessions directory, and is left alone: it holds no index and no "
		        "session, but %s; set MC_SESSIONS_DIR to the right one%s", c->store->dir, list.p,
		        near.n ? near.p : "");
	buf_release(&list);
	buf_release(&near);
	return -1;
}

/* 1: an index or a session is there. 0: neither. *strange: something else is. */
static int find_store(struct check *c, const struct names *names, bool *strange, struct err *e)
{
	int known = has_index(c->store->fd, ".", e);

	*strange = false;
	for (size_t i = 0; known == 0 && i < names->n; i++) {
		const char *name = names->v[i];
		int leftover = is_top_name(name) ? 1 : check_own_leftover(c, name, e);

		if (leftover < 0)
			return -1;
		if (!leftover && id_valid(name, strlen(name)))
			known = has_history(c, name, e);
		*strange |= !leftover;
	}
	return known;
}

int check_recognise(struct check *c, struct err *e)
{
	struct names names;
	bool strange;
	int r;

	if (c->store->fd < 0)
		return 0;
	if (names_read(&names, c->store->fd, e) < 0)
		return err_prefix(e, "'%s'", c->store->dir);
	r = find_store(c, &names, &strange, e);
	if (r == 0 && strange)
		r = refuse_store(c, &names, e);
	names_release(&names);
	return r < 0 ? -1 : 0;
}
