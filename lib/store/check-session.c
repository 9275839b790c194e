/* The check of one session's folder and history. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "store/artifact.h"
#include "store/check-lines.h"
#include "store/index.h"
#include "store/place.h"
#include "store/spool.h"

struct subject {
	struct check *c;
	struct session x; /* its fd is -1 while the history is not open */
	struct jsonl j;
	struct jsonl_count lines; /* of the history */
	struct scan scan;
	bool whole;    /* the whole store is checked */
	bool locked;   /* this process holds the session's lock */
	bool linked;   /* the history has a second hard link */
	struct buf cut; /* the id of the exchange that turn.partial will become; its steps are stored before it */
	bool mended;   /* the history has changed since it was scanned */
};

static struct spot session_spot(const struct subject *s, const char *name, size_t line)
{
	return (struct spot){ s->x.id, s->x.id, name, line };
}

static void tell_unreadable(const struct subject *s, const char *name, const char *why)
{
	struct spot at = session_spot(s, name, 0);

	check_unreadable(s->c, &at, why);
}

/* ---- what is in the folder ---- */

/* Whether something of this name exists: 1 or 0. -1: that cannot be seen, which is reported. */
static int look_at(const struct subject *s, int dir, const struct spot *at, struct stat *st)
{
	if (fstatat(dir, at->name, st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	check_unreadable(s->c, at, strerror(errno));
	return -1;
}

/* Whether it belongs to the owner of the store, so that it can be repaired. */
static bool is_trusted(const struct subject *s, const char *name, const struct stat *st)
{
	struct stat above;

	if (fstat(s->x.store->fd, &above) == 0)
		return place_judge(st, false, above.st_uid) != PLACE_OWNER;
	tell_unreadable(s, name, strerror(errno));
	return false;
}

static int check_entries(struct subject *s, int dir, const char *folder, struct err *e);

static int check_inner(struct subject *s, int dir, const char *above, const char *name,
                       struct err *e)
{
	char folder[QUARANTINE_PATH];
	int inner = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r;

	if (inner < 0) {
		tell_unreadable(s, name, strerror(errno));
		return 0;
	}
	snprintf(folder, sizeof(folder), "%s/%s", above, name);
	r = check_entries(s, inner, folder, e);
	close(inner);
	return r;
}

/* Names that are not the tools' own are checked, too. */
static int check_entry(struct subject *s, int dir, const char *folder, const char *name,
                       struct err *e)
{
	struct spot at = { s->x.id, folder, name, 0 };
	bool top = dir == s->x.dir, is_folder;
	struct stat st;

	if (look_at(s, dir, &at, &st) <= 0)
		return 0;
	is_folder = S_ISDIR(st.st_mode) && !(top && check_own_file(name));
	if (!check_place(s->c, dir, &at, is_folder, &st))
		return 0;
	if (is_folder && (!top || strcmp(name, ARTIFACTS_DIR) == 0))
		return check_inner(s, dir, folder, name, e);
	if (top && strncmp(name, SPOOL_DAMAGED, strlen(SPOOL_DAMAGED)) == 0)
		check_move(s->c, FINDING_LEFTOVER, dir, &at, "a damaged turn that an earlier tool kept");
	else if (!is_folder && st.st_nlink > 1 &&
	         !(top && (strcmp(name, HISTORY_FILE) == 0 || strcmp(name, SPOOL_FILE) == 0)))
		check_move(s->c, FINDING_LINK, dir, &at, "it has a second hard link");
	return 0;
}

static int check_entries(struct subject *s, int dir, const char *folder, struct err *e)
{
	struct names names;
	int r = 0;

	if (names_read(&names, dir, e) < 0)
		return err_prefix(e, "'%s/%s'", s->x.store->dir, folder);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = check_entry(s, dir, folder, names.v[i], e);
	names_release(&names);
	return r;
}

/* ---- opening ---- */

/* Whether the open folder still has the session's name. */
static bool folder_is_there(const struct subject *s)
{
	return place_leads(s->x.store->fd, s->x.id, s->x.dir) > 0;
}

/* Opens the history whatever its mode is. A repair waits until nobody uses the session, a check does not. */
static int open_history(struct subject *s, struct err *e)
{
	struct lock_wait wait = s->c->repair ? s->c->wait : (struct lock_wait){ .stop_fd = -1 };
	int flags = s->c->repair ? O_RDWR | O_APPEND : O_RDONLY;
	struct stat st;
	int there;

	wait.no_wait = wait.shared = !s->c->repair;
	wait.ctx = s->x.id;
	for (;;) {
		struct err busy = ERR_INIT;

		s->x.fd = openat(s->x.dir, HISTORY_FILE, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (s->x.fd < 0 && errno == ENOENT)
			return err_set(e, ERR_NOT_FOUND, "it is gone");
		if (s->x.fd < 0)
			return err_set(e, ERR_FAILED, "%s", strerror(errno));
		if (fstat(s->x.fd, &st) < 0 || !S_ISREG(st.st_mode))
			return err_set(e, ERR_FAILED, "it is not a regular file");
		if (!is_trusted(s, HISTORY_FILE, &st))
			return err_set(e, ERR_FAILED, "it belongs to user %ld", (long)st.st_uid);
		s->locked = lock_take(s->x.fd, &wait, &busy) == 0;
		if (!s->locked && busy.kind != ERR_BUSY && (s->c->repair || busy.kind != ERR_NO_LOCKS))
			return err_set(e, busy.kind, "%s", busy.msg);
		there = s->locked ? session_is_there(&s->x, e) : 1;
		if (there)
			return there < 0 ? -1 : 0;
		lock_end(s->x.fd); /* it was replaced or removed in between */
		s->x.fd = -1;
		if (!folder_is_there(s))
			return err_set(e, ERR_NOT_FOUND, "it is gone");
	}
}

/* ---- the history ---- */

static struct check_lines lines_of(struct subject *s)
{
	return (struct check_lines){
		.c = s->c, .at = session_spot(s, HISTORY_FILE, 0), .dir = s->x.dir, .fd = &s->x.fd,
		.temp = HISTORY_TEMP, .linked = s->linked, .j = &s->j, .scan = &s->scan,
	};
}

/* Makes a session record from the index. 1, 0 (the index does not know the session) or -1. */
static int make_head(struct subject *s, struct buf *head, struct err *e)
{
	struct err ignored = ERR_INIT;
	struct buf line = BUF_INIT;
	struct json_object *o = NULL;
	struct session_head h = { .id = span_str(s->x.id) };
	int found = check_index_record(s->c, s->x.id, &line, e);

	if (found > 0 && json_parse_object(buf_span(&line), &o, &ignored) == 0 &&
	    json_get_int(o, "createdAt", &h.created_at, &ignored) > 0 && h.created_at >= 0 &&
	    h.created_at <= TIME_MAX && json_member_str(o, "provider").n) {
		h.provider = json_member_str(o, "provider");
		h.model = json_member_str(o, "model");
		h.cwd = json_member_str(o, "cwd");
		json_get_str(o, "title", &h.title, &ignored);
		record_add_head(head, &h);
	} else if (found > 0) {
		found = 0;
	}
	json_object_put(o);
	buf_release(&line);
	return found > 0 && buf_check(head, e) < 0 ? -1 : found;
}

/* -1 only if the check cannot continue. */
static int repair_history(struct subject *s, struct outcome *o, struct err *e)
{
	const struct check_lines lines = lines_of(s);
	struct buf head = BUF_INIT;
	int known = s->scan.head ? 1 : make_head(s, &head, e);

	s->mended = true;
	if (known > 0)
		outcome_set(o, check_lines_repair(&lines, buf_span(&head), o));
	else if (known == 0)
		outcome_set(o, err_set(&o->why, ERR_FAILED, "the index does not know the session"));
	buf_release(&head);
	return known < 0 ? -1 : 0;
}

static int check_records(struct subject *s, struct err *e)
{
	struct outcome o = OUTCOME_NONE;
	struct spot first = session_spot(s, HISTORY_FILE, 1);
	struct check_lines lines;
	struct stat st;

	if (fstat(s->x.fd, &st) == 0)
		s->linked = st.st_nlink > 1;
	if (jsonl_map(&s->j, s->x.fd, e) < 0 || scan_history(&s->scan, &s->j, s->locked, e) < 0)
		return -1;
	if (s->scan.version) {
		check_tell(s->c, FINDING_VERSION, &first, &o, "its format has a version that this mcbox does "
		           "not know");
		return 0;
	}
	lines = lines_of(s);
	if (s->c->repair && (!s->scan.head || !check_lines_sound(&lines)) && repair_history(s, &o, e) < 0)
		return -1; /* not reached: no memory for the session record only */
	if (!s->scan.head)
		check_tell(s->c, FINDING_HEAD, &first, &o, "no valid session record");
	check_lines_tell(&lines, &o);
	return 0;
}

/* ---- the tree ---- */

/* Reports something that cannot be repaired: a missing record cannot be invented. */
static void tell_tree(struct subject *s, enum finding_kind kind, size_t at, const char *message)
{
	struct outcome o = { s->c->repair ? REPAIR_IMPOSSIBLE : REPAIR_NONE, "", ERR_INIT };
	struct spot where = session_spot(s, HISTORY_FILE, jsonl_count(&s->j, &s->lines, at));

	if (s->c->repair)
		err_set(&o.why, ERR_FAILED, "no other record has what is missing");
	check_tell(s->c, kind, &where, &o, "%s", message);
}

static bool has_call(const struct step *step, const struct lookup *calls, struct span id)
{
	struct lookup_at at = lookup_begin(calls, span_hash(id));
	size_t i;

	while (lookup_next(calls, &at, &i))
		if (span_same(step->calls[i].id, id))
			return true;
	return false;
}

static int check_results(struct subject *s, const struct step_node *node, struct err *e)
{
	const struct step *step = &node->record.step;
	struct lookup calls = LOOKUP_INIT;
	int r = 0;

	for (size_t i = 0; node->record.json && node->nresults && r == 0 && i < step->ncalls; i++)
		r = lookup_add(&calls, span_hash(step->calls[i].id), i, e);
	for (size_t i = 0; r == 0 && i < node->nresults; i++)
		if (!has_call(step, &calls, buf_span(&node->results[i].call)))
			tell_tree(s, FINDING_RESULT, node->results[i].at, "a result of a call that is not stored");
	lookup_release(&calls);
	return r;
}

static int check_steps(struct subject *s, const struct exchange_node *x, struct err *e)
{
	int64_t stored = 0;
	size_t first = NOT_STORED;
	char message[96];

	for (size_t i = 0; i < x->nsteps; i++) {
		const struct step_node *step = &x->steps[i];

		if (step->at != NOT_STORED) {
			stored++;
			first = step->at < first ? step->at : first;
		}
		if (check_results(s, step, e) < 0)
			return -1;
	}
	if (x->at == NOT_STORED && stored && !span_same(buf_span(&x->id), buf_span(&s->cut)))
		tell_tree(s, FINDING_STEPS, first, "a step of an exchange that is not stored");
	if (x->at == NOT_STORED || stored == x->nsteps_said)
		return 0;
	snprintf(message, sizeof(message), "the exchange counts %lld steps, and %lld are stored",
	         (long long)x->nsteps_said, (long long)stored);
	tell_tree(s, FINDING_STEPS, x->at, message);
	return 0;
}

/* If an exchange without a parent is stored twice, it follows itself until a repair. */
static bool has_duplicates(const struct scan *scan)
{
	for (size_t i = 0; i < scan->nbad; i++)
		if (scan->bad[i].kind == FINDING_DUPLICATE)
			return true;
	return false;
}

/* Checks what the records say about each other. */
static int check_tree(struct subject *s, struct err *e)
{
	struct store quiet = *s->x.store;
	const struct store *told = s->x.store;
	struct conversation *c = &s->x.conversation;
	struct err why = ERR_INIT;
	int r;

	quiet.notice = NULL; /* damaged lines were reported */
	s->x.store = &quiet;
	s->x.conversation.lean = true;
	r = session_refresh(&s->x, NULL, &why);
	s->x.store = told;
	if (r < 0)
		return why.kind == ERR_DAMAGED ? 0 : err_set(e, why.kind, "%s", why.msg);
	if (!has_duplicates(&s->scan))
		conversation_find_circles(c);
	for (size_t i = 0; i < c->nnodes; i++) {
		const struct exchange_node *x = c->nodes[i];

		if (x->at != NOT_STORED && x->parent && x->parent->at == NOT_STORED)
			tell_tree(s, FINDING_PARENT, x->at, "the exchange that it follows, its parent, is not stored");
		else if (x->circular)
			tell_tree(s, FINDING_PARENT, x->at, "its parents lead back to itself");
		if (check_steps(s, x, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the spool ---- */

/* Stores the interrupted turn. Fails if turn.partial is still there. */
static int seal_and_see(struct subject *s, struct err *e)
{
	struct stat st;

	if (session_seal(&s->x, e) < 0)
		return -1;
	if (fstatat(s->x.dir, SPOOL_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(e, ERR_FAILED, "it is stored, but the file cannot be deleted");
	return errno == ENOENT ? 0 : err_sys(e, errno, "cannot examine it");
}

static void seal(struct subject *s, struct outcome *o, struct err *damage)
{
	struct spot at = session_spot(s, SPOOL_FILE, 0);
	struct exchange cut;
	struct spool sp;

	if (spool_read(&sp, s->x.dir, &cut, damage) < 0 && damage->kind == ERR_DAMAGED)
		outcome_set(o, quarantine_move(s->x.store, s->x.dir, at.folder, at.name, o->place, &o->why));
	else
		outcome_set(o, seal_and_see(s, &o->why));
	s->mended = true;
	spool_release(&sp);
}

/* Finds out which exchange turn.partial will become. */
static int read_spool(struct subject *s, struct err *damage, struct err *e)
{
	struct exchange cut;
	struct spool sp;

	if (spool_read(&sp, s->x.dir, &cut, damage) > 0)
		buf_add(&s->cut, cut.id.p, cut.id.n);
	spool_release(&sp);
	return buf_check(&s->cut, e);
}

static int check_spool(struct subject *s, struct err *e)
{
	struct outcome o = OUTCOME_NONE;
	struct spot at = session_spot(s, SPOOL_FILE, 0);
	struct err damage = ERR_INIT;
	struct stat st;

	if (!s->locked || look_at(s, s->x.dir, &at, &st) <= 0)
		return 0;
	if (!is_trusted(s, SPOOL_FILE, &st))
		return 0; /* reported already */
	if (S_ISREG(st.st_mode) && st.st_nlink > 1) {
		check_move(s->c, FINDING_LINK, s->x.dir, &at, "it has a second hard link");
		return 0;
	}
	if (s->c->repair)
		seal(s, &o, &damage);
	if (o.repair != REPAIR_DONE && read_spool(s, &damage, e) < 0)
		return -1;
	check_tell(s->c, FINDING_SPOOL, &at, &o, "%s%s", "an interrupted turn",
	           damage.kind == ERR_DAMAGED ? " that cannot be read" : "");
	return 0;
}

static void check_temp(struct subject *s, const char *name, const char *what)
{
	struct spot at = session_spot(s, name, 0);
	struct stat st;

	if (s->locked && look_at(s, s->x.dir, &at, &st) > 0)
		check_move(s->c, FINDING_LEFTOVER, s->x.dir, &at, what);
}

/* Files that were to replace others, when their process was killed. */
static void check_temps(struct subject *s)
{
	check_temp(s, HISTORY_TEMP, "an interrupted repair");
	check_temp(s, SPOOL_TEMP, "the beginning of an interrupted step");
}

/* ---- the whole session ---- */

/* After a repair, the references of the new history count. */
static int check_references(struct subject *s, struct err *e)
{
	if (s->mended) {
		jsonl_unmap(&s->j);
		scan_release(&s->scan);
		if (jsonl_map(&s->j, s->x.fd, e) < 0 || scan_history(&s->scan, &s->j, s->locked, e) < 0)
			return -1;
	}
	return check_artifacts(s->c, &s->x, &s->scan, &s->j, s->locked, e);
}

static int check_content(struct subject *s, struct err *e)
{
	check_temps(s);
	if (check_records(s, e) < 0)
		return -1;
	if (s->scan.version)
		return 0;
	if (check_spool(s, e) < 0 || check_references(s, e) < 0 || (s->locked && check_tree(s, e) < 0))
		return -1;
	return s->locked ? check_index_session(s->c, &s->x, s->whole, e) : 0;
}

static void check_missing(struct subject *s)
{
	struct spot at = { s->x.id, NULL, s->x.id, 0 };

	if (folder_is_there(s))
		check_move(s->c, FINDING_HISTORY, s->x.store->fd, &at, "a folder without a history");
}

static int check_history(struct subject *s, struct err *e)
{
	struct spot at = session_spot(s, HISTORY_FILE, 0);
	struct err why = ERR_INIT;
	struct stat st;
	int there = look_at(s, s->x.dir, &at, &st);

	if (there == 0)
		check_missing(s);
	if (there <= 0)
		return 0;
	if (!is_trusted(s, HISTORY_FILE, &st) || S_ISLNK(st.st_mode))
		return 0; /* reported already */
	if (open_history(s, &why) == 0)
		return check_content(s, e);
	if (why.kind == ERR_NOT_FOUND)
		return 0; /* the session was removed just now */
	if (why.kind == ERR_INTERRUPTED || why.kind == ERR_BUSY)
		return err_set(e, why.kind, /* not reached: Ctrl-C ends mc-session-fsck */
		               "%s", why.msg);
	tell_unreadable(s, HISTORY_FILE, why.msg);
	return 0;
}

static void release_subject(struct subject *s)
{
	jsonl_unmap(&s->j);
	scan_release(&s->scan);
	session_release(&s->x);
	buf_release(&s->cut);
}

/* Reports a folder of another program or of the user. It is not touched. */
static void tell_stranger(struct subject *s, const struct stat *st)
{
	struct spot at = { s->x.id, NULL, s->x.id, 0 }, history = session_spot(s, HISTORY_FILE, 1);
	struct outcome o = OUTCOME_NONE;
	struct stat ignored;

	if (s->c->repair)
		outcome_set(&o, err_set(&o.why, ERR_FAILED, "nothing shows that it is a session"));
	if (S_ISLNK(st->st_mode))
		check_tell(s->c, FINDING_LINK, &at, &o, "a symbolic link");
	else if (!S_ISDIR(st->st_mode))
		check_tell(s->c, FINDING_SPECIAL, &at, &o, "not a folder");
	else if (s->x.dir >= 0 && fstatat(s->x.dir, HISTORY_FILE, &ignored, AT_SYMLINK_NOFOLLOW) == 0)
		check_tell(s->c, FINDING_HEAD, &history, &o, "no valid session record");
	else
		check_tell(s->c, FINDING_HISTORY, &at, &o, "a folder without a history");
}

static int open_folder(struct subject *s)
{
	s->x.dir = openat(s->x.store->fd, s->x.id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return s->x.dir;
}

/* Checks a session's folder and all that is in it. Its mode is repaired first, so that it can be read. */
static int check_own(struct subject *s, struct err *e)
{
	struct spot at = { s->x.id, NULL, s->x.id, 0 };
	struct stat st;
	int r;

	/* Before anything in it is changed, so that it is moved unchanged. */
	if (s->x.dir >= 0 && fstatat(s->x.dir, HISTORY_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	    errno == ENOENT) {
		check_missing(s);
		return 0;
	}
	if (!check_place(s->c, s->x.store->fd, &at, true, &st))
		return 0;
	if (s->x.dir < 0 && open_folder(s) < 0) {
		if (errno != ENOENT)
			tell_unreadable(s, ".", strerror(errno));
		return 0;
	}
	r = check_entries(s, s->x.dir, s->x.id, e);
	return r == 0 ? check_history(s, e) : r;
}

int check_folder(struct check *c, const char *id, bool whole, struct err *e)
{
	struct subject s = { .c = c, .x = SESSION_INIT,
	                     .whole = whole, .j = { "", 0, 0 }, .lines = JSONL_COUNT_INIT, .cut = BUF_INIT };
	struct spot at = { id, NULL, id, 0 };
	struct stat st;
	int own;

	s.x.store = c->store;
	snprintf(s.x.id, sizeof(s.x.id), "%s", id);
	/* A plain file is not a session, whatever its name is. */
	if (look_at(&s, c->store->fd, &at, &st) <= 0 || S_ISREG(st.st_mode))
		return 0;
	open_folder(&s);
	own = check_own_session(c, id, e);
	if (own == OWN_SESSION)
		own = check_own(&s, e);
	else if (own == OWN_NONE)
		tell_stranger(&s, &st);
	release_subject(&s);
	return own < 0 ? -1 : 0;
}
