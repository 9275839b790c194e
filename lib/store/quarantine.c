#include "store/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/id.h"
#include "store/place.h"

/* Opens the folder, and creates it if it is missing. Its name is synced in any case: the process that created it
 * may have been killed before that. */
static int open_quarantine(const struct store *s, struct err *e)
{
	struct stat st, above;
	int fd;

	/* If others may write to it, they are excluded first. */
	if (fstatat(s->fd, QUARANTINE_DIR, &st, AT_SYMLINK_NOFOLLOW) == 0 && fstat(s->fd, &above) == 0 &&
	    place_judge(&st, true, above.st_uid) == PLACE_WRITABLE &&
	    place_set_mode(s->fd, QUARANTINE_DIR, &st, 0700, e) < 0)
		return err_prefix(e, "'" QUARANTINE_DIR "'");
	fd = place_make_folder(s->fd, QUARANTINE_DIR, e);
	if (fd < 0)
		return err_prefix(e, "'" QUARANTINE_DIR "'");
	if (io_sync_folder(s->fd) < 0) {
		close(fd);
		return err_sys(e, errno, "cannot keep '" QUARANTINE_DIR "'");
	}
	return fd;
}

/* Makes a new name with a random end. */
static int choose_name(const char *folder, const char *name, char place[QUARANTINE_PATH], struct err *e)
{
	char end[ID_SIZE];

	if (id_generate(end, e) < 0)
		return -1;
	snprintf(place, QUARANTINE_PATH, QUARANTINE_DIR "/%.100s%s%.100s-%s", folder ? folder : "",
	         folder ? "." : "", name, end);
	for (char *p = place + sizeof(QUARANTINE_DIR); *p; p++)
		if (*p == '/') /* of a folder in the session's */
			*p = '.';
	return 0;
}

static const char *base(const char *place)
{
	return place + sizeof(QUARANTINE_DIR);
}

static void note_name(const char *place, char name[QUARANTINE_PATH])
{
	snprintf(name, QUARANTINE_PATH, "%s" QUARANTINE_NOTE, base(place));
}

static void add_note(struct buf *b, const char *folder, const char *name, const struct stat *st)
{
	struct buf from = BUF_INIT, clean = BUF_INIT;
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", (unsigned)(st->st_mode & 07777));
	buf_addf(&from, "%s%s%s", folder ? folder : "", folder ? "/" : "", name);
	utf8_add_clean(&clean, buf_span(&from));
	json_open(b, '{');
	json_put_text(b, "from", buf_span(&clean));
	if (folder)
		json_put_text(b, "session", (struct span){ folder, strcspn(folder, "/") });
	json_put_word(b, "mode", mode);
	json_put_int(b, "uid", (int64_t)st->st_uid);
	json_put_int(b, "gid", (int64_t)st->st_gid);
	json_put_int(b, "timestamp", clock_now_ms());
	json_put_int(b, "version", 1);
	json_close(b, '}');
	buf_addc(b, '\n');
	b->oom |= from.oom || clean.oom;
	buf_release(&from);
	buf_release(&clean);
}

/* Writes the note: how to undo the move of what `st` describes. */
static int write_note(int q, const char *place, const char *folder, const char *name,
                      const struct stat *st, struct err *e)
{
	char file[QUARANTINE_PATH];
	struct buf b = BUF_INIT;
	int fd = -1, r = -1;

	note_name(place, file);
	add_note(&b, folder, name, st);
	if (buf_check(&b, e) == 0)
		fd = place_file(q, file, O_WRONLY | O_CREAT | O_EXCL, e);
	if (fd >= 0) {
		r = io_write(fd, b.p, b.n) < 0 || io_sync(fd) < 0 ? err_sys(e, errno, "cannot write it") : 0;
		if (r < 0)
			unlinkat(q, file, 0);
		close(fd);
	}
	buf_release(&b);
	return r < 0 ? err_prefix(e, "'%s" QUARANTINE_NOTE "'", place) : 0;
}

static void remove_note(int q, const char *place)
{
	char file[QUARANTINE_PATH];

	note_name(place, file);
	unlinkat(q, file, 0);
}

static int move_and_sync(int q, int dir, const char *name, const char *place, struct err *e)
{
	if (renameat(dir, name, q, base(place)) < 0) {
		err_sys(e, errno, "cannot move it to '%s'", place);
		remove_note(q, place);
		return -1;
	}
	if (io_sync_folder(q) < 0 || io_sync_folder(dir) < 0)
		return err_sys(e, errno, "it is now '%s', but that may not be on the disk", place);
	return 0;
}

int quarantine_move(const struct store *s, int dir, const char *folder, const char *name,
                    char place[QUARANTINE_PATH], struct err *e)
{
	int q = open_quarantine(s, e), r = -1;
	struct stat st;

	if (q < 0)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		err_sys(e, errno, "cannot examine it");
	else if (choose_name(folder, name, place, e) == 0 && write_note(q, place, folder, name, &st, e) == 0)
		r = move_and_sync(q, dir, name, place, e);
	close(q);
	return r;
}

int quarantine_create(const struct store *s, const char *folder, const char *name, int from,
                      char place[QUARANTINE_PATH], struct err *e)
{
	int q = open_quarantine(s, e), fd = -1;
	struct stat st;

	if (q < 0)
		return -1;
	if (fstat(from, &st) < 0)
		err_sys(e, errno, "cannot examine it");
	else if (choose_name(folder, name, place, e) == 0 && write_note(q, place, folder, name, &st, e) == 0) {
		fd = openat(q, base(place), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0) {
			err_sys(e, errno, "cannot create '%s'", place);
			remove_note(q, place);
		} else {
			place_give(fd, from);
		}
	}
	close(q);
	return fd;
}

int quarantine_sync(const struct store *s, int fd, struct err *e)
{
	int q = open_quarantine(s, e), r = -1;

	if (q >= 0 && io_sync(fd) == 0 && io_sync_folder(q) == 0)
		r = 0;
	else if (q >= 0)
		err_sys(e, errno, "cannot keep what goes to '" QUARANTINE_DIR "'");
	if (q >= 0)
		close(q);
	close(fd);
	return r;
}
