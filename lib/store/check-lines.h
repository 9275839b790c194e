/*
 * A JSON Lines file with lines that are not records: what is told of it, and its repair. A repair
 * puts these lines into quarantine, and a new file with all the others, byte for byte, takes the
 * file's place.
 */
#ifndef STORE_CHECK_LINES_H
#define STORE_CHECK_LINES_H

#include "store/check-parts.h"
#include "store/check-scan.h"

struct check_lines {
	struct check *c;
	struct spot at;   /* the file */
	int dir;          /* its folder */
	int *fd;          /* the file, locked; a repair puts the new one there, which is locked, too */
	const char *temp; /* the name of the new file while it is written */
	bool linked;      /* it has a second hard link: a repair makes a copy of its own */
	const struct jsonl *j;
	const struct scan *scan;
};

/* Whether no repair is needed. */
bool check_lines_sound(const struct check_lines *l);
/* `first` is put before the other lines of the new file. -1: o->why tells why it cannot be done. */
int check_lines_repair(const struct check_lines *l, struct span first, struct outcome *o);
/* Tells of each bad line what came of it. */
void check_lines_tell(const struct check_lines *l, const struct outcome *o);

#endif
