/*
 * Work to do while waiting: reading typed keys, updating the clock on the screen.
 *
 * A function that waits takes a pointer to a struct idle, or NULL, and calls idle_poll() instead of
 * poll(). call() sets `due` to when it wants to be called next.
 */
#ifndef BASE_IDLE_H
#define BASE_IDLE_H

#include <poll.h>
#include <stdint.h>

struct idle {
	int64_t due; /* when to call, in ms of clock_steady_ms(); 0: never */
	void (*call)(struct idle *idle);
	void *ctx;
};

/* Calls call() if it is due. Returns the ms until it is due again, at most `ms`. */
int idle_left(struct idle *idle, int ms);

/* Like poll(). `ms` may be -1. */
int idle_poll(struct idle *idle, struct pollfd *p, nfds_t n, int ms);

#endif
