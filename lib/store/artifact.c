#include "store/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/replace.h"
#include "store/place.h"

/* ---- reading ---- */

static ssize_t read_part(int fd, char *part, size_t n)
{
	ssize_t got;

	do
		got = read(fd, part, n);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Without keeping it, `keep` being NULL. */
static int read_artifact(int fd, const char *name, struct buf *keep, struct err *e)
{
	struct sha256 s = SHA256_INIT;
	char part[65536], hex[SHA256_HEX];
	ssize_t got;

	while ((got = read_part(fd, part, sizeof(part))) > 0) {
		struct span piece = { part, (size_t)got };

		sha256_feed(&s, piece);
		if (s.n > ARTIFACT_MAX)
			return err_set(e, ERR_DAMAGED, "it is larger than %u MiB", ARTIFACT_MAX >> 20);
		if (keep)
			buf_add(keep, piece.p, piece.n);
	}
	if (got < 0)
		return err_sys(e, errno, "it cannot be read");
	sha256_end(&s, hex);
	if (strcmp(hex, name) != 0)
		return err_set(e, ERR_DAMAGED, "its content is not what its name says");
	return keep ? buf_check(keep, e) : 0;
}

static int check_artifact(int folder, const char *name, struct buf *keep, struct err *e)
{
	int fd = place_file(folder, name, O_RDONLY, e), r;

	if (fd < 0)
		return -1;
	r = read_artifact(fd, name, keep, e);
	close(fd);
	return r;
}

int artifact_check(int folder, const char *name, struct err *e)
{
	return check_artifact(folder, name, NULL, e);
}

int artifact_get(int dir, const char *name, struct buf *b, struct err *e)
{
	int folder = place_folder(dir, ARTIFACTS_DIR, e), r;

	if (folder < 0)
		return -1;
	r = check_artifact(folder, name, b, e);
	close(folder);
	return r;
}

/* ---- writing ---- */

static bool artifact_is_there(int folder, const char *name)
{
	struct err ignored = ERR_INIT;

	return artifact_check(folder, name, &ignored) == 0;
}

/* Stores the file whole: a file of this name counts as whole. A link or a FIFO of this name is replaced, not
 * followed. */
static int write_artifact(int folder, const char *name, struct span bytes, struct err *e)
{
	struct replace r = REPLACE_INIT(folder, name, ARTIFACT_TEMP);

	if (replace_begin(&r) < 0)
		return err_sys(e, errno, "cannot create '" ARTIFACT_TEMP "' there");
	place_give(r.fd, folder);
	if (io_write(r.fd, bytes.p, bytes.n) < 0 || io_sync(r.fd) < 0)
		err_sys(e, errno, "cannot write there");
	else if (replace_commit(&r, 0) < 0)
		err_sys(e, errno, "cannot rename '" ARTIFACT_TEMP "' to '%s' there", name);
	else
		return 0;
	replace_abandon(&r);
	return -1;
}

/* An existing file, too: the process that stored it may have been killed before this. */
static int sync_artifact_names(int dir, int folder, struct err *e)
{
	if (io_sync_folder(folder) < 0 || io_sync_folder(dir) < 0)
		return err_sys(e, errno, "cannot be sure that it is on the disk");
	return 0;
}

int artifact_put(int dir, const char *name, struct span bytes, struct err *e)
{
	int folder = place_make_folder(dir, ARTIFACTS_DIR, e), r;

	if (folder < 0)
		return err_prefix(e, "'" ARTIFACTS_DIR "'");
	r = artifact_is_there(folder, name) ? 0 : write_artifact(folder, name, bytes, e);
	if (r == 0)
		r = sync_artifact_names(dir, folder, e);
	close(folder);
	return r < 0 ? err_prefix(e, "'" ARTIFACTS_DIR "'") : 0;
}
