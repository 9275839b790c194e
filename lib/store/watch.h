/*
 * Waiting for what others do in a folder.
 *
 * Where the system tells of it (inotify), a wait ends at once; else it ends now and then, for
 * a look. On a file system that others reach over a network nothing is told of what they do:
 * that is noticed, too, by news that come without a word.
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
	int fd;         /* inotify's; -1: there is none */
	bool deaf;      /* it does not tell all */
	bool told;      /* the last wait ended because it told of something */
	int64_t looked; /* when the last wait ended, in ms */
};

/* Where nothing can be told, it is waited for all the same. */
void watch_begin(struct watch *w, int dir);
void watch_end(struct watch *w);

enum watch_result {
	WATCH_LOOK, /* something may have happened */
	WATCH_STOP, /* stop_fd is readable */
	WATCH_LOST, /* nobody reads out_fd any more */
};

/*
 * `found`: the look after the last wait found news. `soon`: more are expected, so that a look
 * is worth its while more often where nothing is told. Looks are at least 10 ms apart, and at
 * most one second.
 */
enum watch_result watch_wait(struct watch *w, bool found, bool soon, int stop_fd, int out_fd);

#endif
