#include "base/meanwhile.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/io.h"

#define PUSH_MS 20 /* until output that is held is tried again */

int meanwhile_left(struct meanwhile *m, int ms)
{
	int64_t left;

	if (io_push() && (ms < 0 || ms > PUSH_MS))
		ms = PUSH_MS;
	if (!m || !m->due)
		return ms;
	if (m->due <= clock_steady_ms())
		m->call(m);
	if (!m->due)
		return ms;
	left = m->due - clock_steady_ms();
	left = left > 0 ? left : 0;
	return ms < 0 || left < ms ? (int)left : ms;
}

int meanwhile_poll(struct meanwhile *m, struct pollfd *p, nfds_t n, int ms)
{
	int64_t end = clock_steady_ms() + ms, left = ms;

	for (;;) {
		int r = poll(p, n, meanwhile_left(m, (int)left));

		if (ms >= 0)
			left = end - clock_steady_ms();
		if (r != 0 || (ms >= 0 && left <= 0))
			return r;
	}
}
