/*
 * Waiting for changes in a folder.
 *
 * With inotify a wait ends when something changes, else from time to time, so that the caller can look. A
 * network file system does not report what other machines do: a look that finds news without an event
 * shows this, and then waits end from time to time, too.
 *
 *	watch_begin(&w, dir)
 *	for (;;) { found = look…; how = watch_wait(&w, found, …); }
 *	watch_end(&w)
 */
#ifndef STORE_WATCH_H
#define STORE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
	int fd;         /* of inotify; -1: none */
	bool deaf;      /* it does not report everything */
	bool told;      /* the last wait ended with an event */
	int64_t looked; /* when the last wait ended, in ms */
};

/* Cannot fail: without inotify, waits end from time to time. */
void watch_begin(struct watch *w, int dir);
void watch_end(struct watch *w);

enum watch_result {
	WATCH_LOOK, /* something may have happened */
	WATCH_STOP, /* stop_fd is readable */
	WATCH_LOST, /* nobody reads out_fd any more */
};

/* `found`: the look after the last wait found news. `soon`: more news are expected, so without events the
 * caller looks more often. Looks are 10 ms to one second apart. */
enum watch_result watch_wait(struct watch *w, bool found, bool soon, int stop_fd, int out_fd);

#endif
