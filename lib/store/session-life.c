/* How a session comes and goes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/index.h"
#include "store/place.h"
#include "store/session.h"

/* ---- creating ---- */

/* Returns the file's descriptor, which holds its lock: nobody can use or remove the
 * session before it is in the index, and be undone there by this. */
static int write_head(int dir, struct span record, struct err *e)
{
	const struct lock_wait wait = { .stop_fd = -1 };
	int fd = openat(dir, HISTORY_FILE, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, errno, "cannot create '" HISTORY_FILE "'");
	place_give(fd, dir);
	if (lock_take(fd, &wait, e) == 0 && jsonl_append(fd, record, true, e) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A folder that nobody knows yet, and that rename(2) makes a session. */
static void discard(const struct store *s, const char *temp)
{
	char path[2 * ID_SIZE + 32];

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, temp);
	unlinkat(s->fd, path, 0);
	unlinkat(s->fd, temp, AT_REMOVEDIR);
}

static int build(const struct store *s, const char *temp, struct span record, struct err *e)
{
	int dir = place_make_folder(s->fd, temp, e);
	int fd = dir < 0 ? -1 : write_head(dir, record, e);
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
	char temp[2 * ID_SIZE + 8], unique[ID_SIZE];
	struct buf record = BUF_INIT;
	int fd = -1, r = -1;

	record_add_head(&record, head);
	sum.history_bytes = (int64_t)record.n;
	if (buf_check(&record, e) == 0 && id_generate(unique, e) == 0)
		snprintf(temp, sizeof(temp), ".new-%s-%s", id, unique);
	store_share(s);
	if (e->kind == ERR_NONE)
		fd = build(s, temp, buf_span(&record), e);
	if (fd >= 0)
		r = publish(s, temp, id, e);
	store_unshare(s);
	if (fd >= 0) {
		if (r == 0)
			index_update(s, id, &sum);
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

/* ---- removing ---- */

static int remove_files(const struct store *s, const char *name, struct err *e);

static int remove_entry(const struct store *s, int dir, const char *name, struct err *e)
{
	struct store inner = { .dir = name, .fd = dir, .stop_fd = -1 };

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
	store_share(s);
	if (renameat(s->fd, x->id, s->fd, name) < 0)
		r = err_sys(e, errno, "cannot remove session '%s'", x->id);
	session_unlock(x);
	if (r == 0)
		r = remove_files(s, name, e);
	store_unshare(s);
	if (r == 0 && !told)
		r = index_append_tombstone(s, x->id, clock_now_ms(), e);
	return r;
}
