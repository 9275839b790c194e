/*
 * What else is to be looked after while something is waited for: an input, the time.
 *
 * Whoever waits has a pointer to one, or NULL, and waits with meanwhile_poll() instead of
 * poll(). Its owner sets `due` anew in call(); nothing wakes before that.
 */
#ifndef BASE_MEANWHILE_H
#define BASE_MEANWHILE_H

#include <poll.h>
#include <stdint.h>

struct meanwhile {
	int64_t due; /* when to call, in ms of clock_steady_ms(); 0: not at all */
	void (*call)(struct meanwhile *m);
	void *ctx;
};

/* Calls it if that is due. Returns how long to wait until it is again, `ms` at most. */
int meanwhile_left(struct meanwhile *m, int ms);

/* As poll(): `ms` may be -1. */
int meanwhile_poll(struct meanwhile *m, struct pollfd *p, nfds_t n, int ms);

#endif
