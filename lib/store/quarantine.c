#include "store/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "store/id.h"
#include "store/place.h"

/* Returns a descriptor of the folder, made when it is missing. Its name is synced in any
 * case: whoever made it may have been killed before that. */
static int open_quarantine(const struct store *s, struct err *e)
{
	struct stat st, above;
	int fd;

	/* One that others may write to is closed to them first. */
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

/* A name that nothing there has: with a random end. */
static int choose(const char *folder, const char *name, char place[QUARANTINE_PATH], struct err *e)
{
	char end[ID_SIZE];

	if (id_generate(end, e) < 0)
		return -1;
	snprintf(place, QUARANTINE_PATH, QUARANTINE_DIR "/%s%s%.100s-%s", folder ? folder : "",
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

int quarantine_move(const struct store *s, int dir, const char *folder, const char *name,
                    char place[QUARANTINE_PATH], struct err *e)
{
	int q = open_quarantine(s, e), r = -1;

	if (q < 0)
		return -1;
	if (choose(folder, name, place, e) == 0) {
		if (renameat(dir, name, q, base(place)) < 0)
			err_sys(e, errno, "cannot move it to '%s'", place);
		else if (io_sync_folder(q) < 0 || io_sync_folder(dir) < 0)
			err_sys(e, errno, "it is now '%s', but that may not be on the disk", place);
		else
			r = 0;
	}
	close(q);
	return r;
}

int quarantine_create(const struct store *s, const char *folder, const char *name, int from,
                      char place[QUARANTINE_PATH], struct err *e)
{
	int q = open_quarantine(s, e), fd = -1;

	if (q < 0)
		return -1;
	if (choose(folder, name, place, e) == 0) {
		fd = openat(q, base(place), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			err_sys(e, errno, "cannot create '%s'", place);
		else
			place_give(fd, from);
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
