#include "store/lock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "store/place.h"

#define QUIET_MS 300 /* most locks end before a person would notice */

/* The holder in a line of /proc/locks that is about file `want`, else 0:
 * "12: FLOCK  ADVISORY  WRITE 4711 fe:00:131073 0 EOF"; "->" marks a waiter. */
static pid_t holder_in(const char *line, const char *want)
{
	const char *at = strstr(line, "WRITE ");
	char *end;
	long pid;

	if (!at || !strstr(line, "FLOCK") || strstr(line, "->"))
		return 0;
	pid = strtol(at + 6, &end, 10);
	return *end == ' ' && strncmp(end + 1, want, strlen(want)) == 0 ? (pid_t)pid : 0;
}

pid_t lock_holder(int fd)
{
	char line[256], want[64];
	struct stat st;
	FILE *f;
	pid_t found = 0;

	if (fstat(fd, &st) < 0 || !(f = fopen("/proc/locks", "re")))
		return -1; /* only Linux has that file */
	snprintf(want, sizeof(want), "%02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev),
	         (unsigned long long)st.st_ino);
	while (!found && fgets(line, sizeof(line), f))
		found = holder_in(line, want);
	fclose(f);
	return found;
}

/* Sleeps `ms`. True if the user wants to stop. */
static bool pause_or_stop(const struct lock_wait *w, int ms)
{
	struct pollfd p = { .fd = w->stop_fd, .events = POLLIN };

	return idle_poll(w->idle, &p, 1, ms) > 0;
}

/* ENOLCK: NFS without a running lock service. */
static int lock_failed(const struct lock_wait *w, int why, struct err *e)
{
	if (why != ENOSYS && why != ENOLCK && why != ENOTSUP)
		return err_sys(e, why, "cannot lock it");
	return err_set(e, ERR_NO_LOCKS,
	               "the file system does not support locks (%s); set %s to a directory on another file "
	               "system", strerror(why), w->setting ? w->setting : "MC_SESSIONS_DIR");
}

/* The descriptors that hold a lock. */
static int held[16];
static size_t nheld;

static void note_held(int fd)
{
	if (nheld == sizeof(held) / sizeof(held[0]))
		return;
	held[nheld++] = fd;
	io_hold();
}

static void forget_held(int fd)
{
	size_t i = 0;

	while (i < nheld && held[i] != fd)
		i++;
	if (i == nheld)
		return;
	held[i] = held[--nheld];
	io_let_go();
}

void lock_drop(int fd)
{
	flock(fd, LOCK_UN);
	forget_held(fd);
}

void lock_end(int fd)
{
	close(fd);
	forget_held(fd);
}

int lock_take(int fd, const struct lock_wait *w, struct err *e)
{
	int64_t start = clock_steady_ms();
	bool told = false;

	for (int step = 1;; step = step < 8 ? step + 1 : step) {
		/* Once the user knows, the kernel can wait, unless something may interrupt the wait. */
		int how = (w->shared ? LOCK_SH : LOCK_EX) | (told && w->stop_fd < 0 ? 0 : LOCK_NB);

		if (flock(fd, how) == 0) {
			note_held(fd);
			return 0;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return lock_failed(w, errno, e);
		if (w->no_wait && errno == EWOULDBLOCK)
			return err_set(e, ERR_BUSY, "busy");
		if (!told && clock_steady_ms() - start >= QUIET_MS) {
			told = true;
			if (w->waiting)
				w->waiting(w->ctx, lock_holder(fd));
		}
		if (pause_or_stop(w, step))
			return err_set(e, ERR_INTERRUPTED, "interrupted");
	}
}

int lock_open(int dir, const char *name, int flags, const struct lock_wait *w, struct err *e)
{
	for (;;) {
		int fd = place_file(dir, name, flags, e), leads;

		if (fd < 0)
			return -1;
		leads = lock_take(fd, w, e) < 0 ? -1 : place_leads(dir, name, fd);
		if (leads > 0)
			return fd;
		if (leads < 0)
			err_sys(e, errno, "cannot examine it"); /* unless the lock failed */
		lock_end(fd);
		if (leads < 0)
			return -1;
	}
}
