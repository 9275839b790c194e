#include "store/check-report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/place.h"

const char *finding_name(enum finding_kind kind)
{
	static const char *const names[] = {
		"torn",     "nul",   "record",  "head",  "version", "duplicate",
		"parent",   "steps", "result",
		"history",  "spool", "artifact", "leftover", "mode", "owner", "link",
		"special",  "unreadable", "index", "stale", "unlisted", "orphan",
	};

	return names[kind];
}

/* ---- reporting ---- */

void outcome_set(struct outcome *o, int result)
{
	o->repair = result < 0 ? REPAIR_IMPOSSIBLE : REPAIR_DONE;
}

void check_tell(struct check *c, enum finding_kind kind, const struct spot *at,
                const struct outcome *o, const char *fmt, ...)
{
	/* No buffers: the finding may be that memory ran out. */
	char file[QUARANTINE_PATH + 256], message[2 * sizeof(o->why.msg)];
	struct finding f = { .kind = kind, .session = at->session, .file = file, .line = at->line,
	                     .message = message, .repair = o->repair };
	size_t n;
	va_list ap;

	snprintf(file, sizeof(file), "%s%s%s", at->folder ? at->folder : "", at->folder ? "/" : "",
	         at->name);
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message) / 2, fmt, ap);
	va_end(ap);
	n = strlen(message);
	if (o->repair == REPAIR_IMPOSSIBLE && o->why.msg[0])
		snprintf(message + n, sizeof(message) - n, "; %s", o->why.msg);
	f.quarantine = o->repair == REPAIR_DONE && o->place[0] ? o->place : NULL;
	c->findings++;
	c->report(c->ctx, &f);
}

void check_move(struct check *c, enum finding_kind kind, int dir, const struct spot *at,
                const char *message)
{
	struct outcome o = OUTCOME_NONE;

	if (c->repair)
		outcome_set(&o, quarantine_move(c->store, dir, at->folder, at->name, o.place, &o.why));
	check_tell(c, kind, at, &o, "%s", message);
}

void check_unreadable(struct check *c, const struct spot *at, const char *why)
{
	struct outcome o = { .repair = c->repair ? REPAIR_IMPOSSIBLE : REPAIR_NONE, .why = ERR_INIT };

	check_tell(c, FINDING_UNREADABLE, at, &o, "cannot be read: %s", why);
}

/* ---- one file or folder ---- */

void check_mode(struct check *c, int dir, const struct spot *at, const struct stat *st, mode_t want,
                const struct err *refused)
{
	struct outcome o = OUTCOME_NONE;

	if ((st->st_mode & 07777) == want)
		return;
	if (c->repair && refused)
		o = (struct outcome){ .repair = REPAIR_IMPOSSIBLE, .why = *refused };
	else if (c->repair)
		outcome_set(&o, place_set_mode(dir, at->name, st, want, &o.why));
	check_tell(c, FINDING_MODE, at, &o, "its mode is %04o; it should be %04o",
	           (unsigned)(st->st_mode & 07777), (unsigned)want);
}

bool check_place(struct check *c, int dir, const struct spot *at, bool folder, struct stat *st)
{
	struct outcome o = OUTCOME_NONE;
	struct stat above;

	if (fstatat(dir, at->name, st, AT_SYMLINK_NOFOLLOW) < 0 || fstat(dir, &above) < 0) {
		if (errno != ENOENT)
			check_tell(c, FINDING_UNREADABLE, at, &o, "cannot be examined: %s", strerror(errno));
		return false;
	}
	switch (place_judge(st, folder, above.st_uid)) {
	case PLACE_LINK:
		check_move(c, FINDING_LINK, dir, at, "a symbolic link");
		return false;
	case PLACE_SPECIAL:
		check_move(c, FINDING_SPECIAL, dir, at,
		           S_ISDIR(st->st_mode) ? "a folder, where a file belongs"
		           : folder             ? "not a folder"
		                                : "not a regular file");
		return false;
	case PLACE_OWNER:
		if (c->repair)
			outcome_set(&o, err_set(&o.why, ERR_FAILED, "give it back with chown"));
		check_tell(c, FINDING_OWNER, at, &o, "belongs to user %ld", (long)st->st_uid);
		return false;
	case PLACE_FINE:
	case PLACE_HARD_LINK:
	case PLACE_WRITABLE:
		break;
	}
	/* The owner of a second name decides on the mode; callers remove that name. */
	if (folder || st->st_nlink == 1)
		check_mode(c, dir, at, st, folder ? 0700 : 0600, NULL);
	return true;
}
