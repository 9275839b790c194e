#include "store/watch.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/inotify.h>
#endif

#include "base/clock.h"

#define PACE_MS 10   /* faster news are seen together */
#define BEAT_MS 1000 /* in case an event is missing */
#define SOON_MS 50   /* without events, when news are expected */
#define IDLE_MS 200  /* without events, otherwise */

#if defined(__linux__)
void watch_begin(struct watch *w, int dir)
{
	char path[64];

	*w = (struct watch){ .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (w->fd >= 0 && inotify_add_watch(w->fd, path, IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVE |
	                                    IN_MOVE_SELF | IN_DELETE_SELF) < 0)
		watch_end(w);
}
#else
void watch_begin(struct watch *w, int dir)
{
	(void)dir;
	*w = (struct watch){ .fd = -1 };
}
#endif

void watch_end(struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void forget_news(struct watch *w)
{
	char events[4096];

	while (read(w->fd, events, sizeof(events)) > 0)
		;
}

static int patience(const struct watch *w, bool soon)
{
	if (w->fd >= 0 && !w->deaf)
		return BEAT_MS;
	return soon ? SOON_MS : IDLE_MS;
}

/* Waits for the watch (`all`), stop_fd or out_fd. */
static enum watch_result wait_ms(struct watch *w, bool all, int64_t ms, int stop_fd, int out_fd)
{
	struct pollfd p[] = {
		{ .fd = stop_fd, .events = POLLIN },
		{ .fd = out_fd, .events = 0 }, /* POLLERR, POLLHUP */
		{ .fd = all ? w->fd : -1, .events = POLLIN },
	};

	w->told = poll(p, 3, ms > 0 ? (int)ms : 0) > 0 && p[2].revents;
	if (p[0].revents)
		return WATCH_STOP;
	return p[1].revents ? WATCH_LOST : WATCH_LOOK;
}

enum watch_result watch_wait(struct watch *w, bool found, bool soon, int stop_fd, int out_fd)
{
	enum watch_result r;

	if (found && !w->told && w->looked)
		w->deaf = true;
	r = wait_ms(w, true, patience(w, soon), stop_fd, out_fd);
	if (r == WATCH_LOOK && w->told) {
		w->deaf = false;
		r = wait_ms(w, false, w->looked + PACE_MS - clock_steady_ms(), stop_fd, out_fd);
		w->told = true;
		forget_news(w);
	}
	w->looked = clock_steady_ms();
	return r;
}
