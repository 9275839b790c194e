/* Which session is meant. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/index.h"
#include "store/session.h"

static void copy_id(char id[ID_SIZE], struct span line)
{
	struct index_record r;

	id[0] = '\0';
	if (index_record(line, 0, &r))
		snprintf(id, ID_SIZE, "%.*s", (int)r.id.n, r.id.p);
}

static int not_found(const char *id, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "no session '%s'", id);
}

/* Takes the only one that `given` begins, or the one that it is in full: the list may
 * name a session that is no longer there. */
static int resolve_prefix(const char *given, struct index_reader *r, char id[ID_SIZE],
                          struct err *e)
{
	char one[ID_SIZE], names[512] = "";
	struct span line;
	size_t found = 0, n = 0;

	r->prefix = span_str(given);
	while (index_next(r, &line)) {
		copy_id(one, line);
		if (strcmp(one, given) == 0) {
			memcpy(id, one, ID_SIZE);
			return 0;
		}
		if (found++ == 0)
			memcpy(id, one, ID_SIZE);
		if (found <= 6)
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
			                      found == 6 ? "…" : one);
	}
	if (r->oom)
		return err_oom(e);
	if (found > 1)
		return err_set(e, ERR_USAGE, "session id '%s' is ambiguous: %s", given, names);
	return found ? 0 : not_found(given, e);
}

int session_resolve(const struct store *s, const char *given, char id[ID_SIZE], struct err *e)
{
	struct index_reader r;
	int result;

	if (id_check(given, e) < 0)
		return -1;
	if (history_exists(s, given)) {
		snprintf(id, ID_SIZE, "%s", given);
		return 0;
	}
	if (index_open(&r, s, false, e) < 0)
		return -1;
	result = resolve_prefix(given, &r, id, e);
	index_close(&r);
	return result;
}

int session_latest(const struct store *s, char id[ID_SIZE], struct err *e)
{
	struct index_reader r;
	struct span line;
	bool found = false;

	if (index_open(&r, s, false, e) < 0)
		return -1;
	while (!found && index_next(&r, &line)) {
		copy_id(id, line);
		found = history_exists(s, id);
	}
	if (!found && r.oom)
		err_oom(e);
	else if (!found && r.unreadable && !r.before)
		err_set(e, ERR_FAILED, "the list of sessions is damaged, so that the latest one is not known; "
		        "run 'mc-session-fsck --repair'");
	else if (!found)
		err_set(e, ERR_NOT_FOUND, "there is no session to continue yet");
	index_close(&r);
	return found ? 0 : -1;
}
