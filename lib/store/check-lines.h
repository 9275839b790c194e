/*
 * Reporting and repairing a JSON Lines file in which some lines are not records. A repair copies these
 * lines to quarantine, and replaces the file by one with all other lines, byte for byte.
 */
#ifndef STORE_CHECK_LINES_H
#define STORE_CHECK_LINES_H

#include "store/check-parts.h"
#include "store/check-scan.h"

struct check_lines {
	struct check *c;
	struct spot at;   /* the file */
	int dir;          /* its folder */
	int *fd;          /* the file, locked; a repair replaces it by the new one, locked, too */
	const char *temp; /* the name of the new file while it is written */
	bool linked;      /* it has a second hard link: a repair makes a copy */
	const struct jsonl *j;
	const struct scan *scan;
};

/* Whether no repair is needed. */
bool check_lines_sound(const struct check_lines *l);
/* `first` is written before the other lines of the new file. -1: o->why says why it is impossible. */
int check_lines_repair(const struct check_lines *l, struct span first, struct outcome *o);
/* Reports each bad line with the outcome of its repair. */
void check_lines_tell(const struct check_lines *l, const struct outcome *o);

#endif
