#include "base/idle.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/io.h"

#define PUSH_MS 20 /* until output that is held is tried again */

int idle_left(struct idle *idle, int ms)
{
	int64_t left;

	if (io_push() && (ms < 0 || ms > PUSH_MS))
		ms = PUSH_MS;
	if (!idle || !idle->due)
		return ms;
	if (idle->due <= clock_steady_ms())
		idle->call(idle);
	if (!idle->due)
		return ms;
	left = idle->due - clock_steady_ms();
	left = left > 0 ? left : 0;
	return ms < 0 || left < ms ? (int)left : ms;
}

int idle_poll(struct idle *idle, struct pollfd *p, nfds_t n, int ms)
{
	int64_t end = clock_steady_ms() + ms, left = ms;

	for (;;) {
		int r = poll(p, n, idle_left(idle, (int)left));

		if (ms >= 0)
			left = end - clock_steady_ms();
		if (r != 0 || (ms >= 0 && left <= 0))
			return r;
	}
}
