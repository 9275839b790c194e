#include "base/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/replace.h"

#define NAMES 100 /* that are tried for the file beside it */

/* Under a name that nothing has. */
static int begin(struct replace *r, struct buf *temp)
{
	const char *slash = strrchr(r->name, '/');

	for (int i = 0; i < NAMES; i++) {
		buf_clear(temp);
		buf_addf(temp, "%.*s.mcbox-%ld-%d", slash ? (int)(slash - r->name) + 1 : 0, r->name,
		         (long)getpid(), i);
		if (temp->oom) {
			errno = ENOMEM;
			return -1;
		}
		r->temp = temp->p;
		if (replace_begin(r) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

static int save(const char *path, struct span bytes, bool replace, const mode_t *mode, struct err *e)
{
	struct replace r = REPLACE_INIT(AT_FDCWD, path, NULL);
	struct buf temp = BUF_INIT;
	int done = -1;

	r.mode = mode ? 0600 : 0666;
	r.keep_leftover = true;
	if (begin(&r, &temp) == 0 && (!mode || fchmod(r.fd, *mode & 0777) == 0) &&
	    io_write(r.fd, bytes.p, bytes.n) == 0)
		done = replace_commit(&r, REPLACE_SYNC | (replace ? 0 : REPLACE_NEW));
	if (done < 0) {
		int why = errno;

		replace_abandon(&r);
		err_sys(e, why, "cannot save '%s'", path);
		e->kind = why == EEXIST ? ERR_EXISTS : ERR_FAILED;
	}
	buf_release(&temp);
	return done;
}

/* A file that is there is replaced where it is, and not the link that leads to it. */
static int replace_file(const char *path, struct span bytes, const struct stat *st, struct err *e)
{
	char *real = realpath(path, NULL);
	int r;

	if (!real)
		return err_sys(e, errno, "cannot save '%s'", path);
	r = save(real, bytes, true, &st->st_mode, e);
	free(real);
	return r;
}

int save_file(const char *path, struct span bytes, bool replace, struct err *e)
{
	struct stat st;

	if (!*path)
		return err_set(e, ERR_USAGE, "the file's name is empty");
	if (stat(path, &st) < 0)
		return save(path, bytes, false, NULL, e);
	if (S_ISDIR(st.st_mode))
		return err_set(e, ERR_FAILED, "cannot save '%s': it is a folder", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED, "cannot save '%s': it is no regular file", path);
	if (!replace)
		return err_set(e, ERR_EXISTS, "cannot save '%s': it is there already", path);
	return replace_file(path, bytes, &st, e);
}
