/*
 * Preloaded into a tool: a file system that lacks what others have.
 *
 *	FS_SYNC=EINVAL   syncing a folder fails with this error (see error_of())
 *	FS_LOCKS=ENOSYS  flock() fails with this error
 *	FS_UNLINK=NAME   a file of this name cannot be deleted
 *	FS_MODES=ignore  a change of a mode succeeds, and changes nothing
 *	FS_MODES=open    the same, and whatever is created has mode 0777
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The next library's function of this name: libc's, or a sanitizer's. */
static void find(const char *name, void *to)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p)
		abort();
	memcpy(to, &p, sizeof(p));
}

#define NEXT(function)                                                                             \
	static __typeof__(function) *next;                                                         \
	if (!next)                                                                                 \
		find(#function, &next)

/* 0: not asked for. */
static int error_of(const char *variable)
{
	static const struct {
		const char *name;
		int value;
	} errors[] = {
		{ "EINVAL", EINVAL }, { "ENOSYS", ENOSYS }, { "ENOLCK", ENOLCK },
		{ "EOPNOTSUPP", EOPNOTSUPP }, { "EIO", EIO },
	};
	const char *value = getenv(variable);

	if (!value)
		return 0;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(value, errors[i].name) == 0)
			return errors[i].value;
	abort();
}

static bool modes_are(const char *what)
{
	const char *value = getenv("FS_MODES");

	return value && strcmp(value, what) == 0;
}

static bool keeps_modes(void)
{
	return !modes_are("ignore") && !modes_are("open");
}

int fsync(int fd)
{
	int why = error_of("FS_SYNC");
	struct stat st;

	NEXT(fsync);
	if (why && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = why;
		return -1;
	}
	return next(fd);
}

int flock(int fd, int operation)
{
	int why = error_of("FS_LOCKS");

	NEXT(flock);
	if (why) {
		errno = why;
		return -1;
	}
	return next(fd, operation);
}

int unlinkat(int dir, const char *path, int flags)
{
	const char *name = getenv("FS_UNLINK");

	NEXT(unlinkat);
	if (name && strcmp(name, path) == 0) {
		errno = EPERM;
		return -1;
	}
	return next(dir, path, flags);
}

static int next_fchmodat(int dir, const char *path, mode_t mode)
{
	NEXT(fchmodat);
	return next(dir, path, mode, 0);
}

int chmod(const char *path, mode_t mode)
{
	return keeps_modes() ? next_fchmodat(AT_FDCWD, path, mode) : 0;
}

int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	NEXT(fchmodat);
	return keeps_modes() ? next(dir, path, mode, flags) : 0;
}

int fchmod(int fd, mode_t mode)
{
	NEXT(fchmod);
	return keeps_modes() ? next(fd, mode) : 0;
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	int r;

	NEXT(mkdirat);
	r = next(dir, path, mode);
	return r == 0 && modes_are("open") ? next_fchmodat(dir, path, 0777) : r;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	struct stat st;
	va_list ap;
	bool made;
	int fd;

	NEXT(openat);
	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	made = (flags & O_CREAT) && modes_are("open") && fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0;
	fd = next(dir, path, flags, mode);
	if (fd >= 0 && made)
		next_fchmodat(dir, path, 0777);
	return fd;
}
