#include "store/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "base/names.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/place.h"
#include "store/quarantine.h"
#include "store/removed.h"
#include "store/spool.h"

/* ---- finding ---- */

static void copy_id(char id[ID_SIZE], struct span line)
{
	struct index_record r;

	id[0] = '\0';
	if (index_record(line, 0, &r))
		snprintf(id, ID_SIZE, "%.*s", (int)r.id.n, r.id.p);
}

/* Takes the session with this id, or the only one whose id begins like this. The list may have a session
 * that no longer exists. */
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
	return found ? 0 : err_set(e, ERR_NOT_FOUND, "no session '%s'", given);
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

/* ---- reading ---- */

/* While this process waited, the session may have been removed, and even created again: the lock counts
 * only if the name still leads to the locked file. */
int session_is_there(const struct session *x, struct err *e)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];
	int leads;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, x->id);
	leads = place_leads(x->store->fd, path, x->fd);
	return leads < 0 ? err_sys(e, errno, "cannot examine session '%s'", x->id) : leads;
}

#define WHOLE_MAX 262144 /* a smaller history is read as a whole */

/* The session's record in the index, if it is of the current history. Only the last j->n bytes of the
 * index are searched: to search more would cost more than to read the history. */
static bool find_index_record(const struct store *s, const char *id, const struct jsonl *j,
                              struct session_info *info, struct json_object **row)
{
	struct err ignored = ERR_INIT;
	struct buf line = BUF_INIT;
	int fd = index_open_file(s, O_RDONLY, &ignored);
	bool found = fd >= 0 && index_find(fd, id, j->n, &line, &ignored) > 0 &&
	             buf_check(&line, &ignored) == 0 &&
	             index_info(buf_span(&line), info, row, &ignored) == 0;

	if (fd >= 0)
		close(fd);
	buf_release(&line);
	if (found && info->history_bytes == (int64_t)j->n)
		return true;
	if (found)
		json_object_put(*row);
	return false;
}

int64_t session_branches(const struct store *s, const char *id, const struct jsonl *j)
{
	struct session_info info;
	struct json_object *row;

	if (!find_index_record(s, id, j, &info, &row))
		return -1;
	json_object_put(row);
	return info.branches;
}

static bool is_step_line(struct span line)
{
	struct span type;

	return json_scan_find(line, "type", &type) &&
	       (json_scan_is(type, span_str("step")) || json_scan_is(type, span_str("result")));
}

/* Reads the exchange of this id if it is near the beginning of the history. Any number of steps and
 * results may come before it. */
static bool find_first(struct conversation *c, const struct jsonl *j, struct span id)
{
	struct err ignored = ERR_INIT;
	struct span line;
	size_t at = 0;

	for (int i = 0; i < 8 && jsonl_next(j, &at, &line); i++) {
		while (is_step_line(line))
			if (!jsonl_next(j, &at, &line))
				return false;
		if (record_parse(line, &c->first_record, &ignored) < 0) {
			err_clear(&ignored);
			continue;
		}
		if (c->first_record.type == RECORD_EXCHANGE && span_same(c->first_record.exchange.id, id))
			return true;
		record_release(&c->first_record);
	}
	return false;
}

static bool find_summary(struct conversation *c, const struct jsonl *j, size_t at)
{
	struct err ignored = ERR_INIT;
	struct span line;

	if (at >= j->n || (at && j->p[at - 1] != '\n') || !jsonl_next(j, &at, &line) ||
	    record_parse(line, &c->summary_record, &ignored) < 0)
		return false;
	if (c->summary_record.type == RECORD_SUMMARY)
		return true;
	record_release(&c->summary_record);
	return false;
}

/* Takes the tags from the index. */
static bool copy_tags(struct conversation *c)
{
	struct json_object *list = json_member(c->row, "tags");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	free(c->tags);
	c->tags = calloc(n + 1, sizeof(*c->tags));
	if (!c->tags)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct json_object *name = json_object_array_get_idx(list, i);

		c->tags[i] = (struct span){ json_object_get_string(name), (size_t)json_object_get_string_len(name) };
	}
	c->info.tags = c->tags;
	c->info.ntags = n;
	return true;
}

/* Only the newest exchanges of the conversation were read: completes it by what the index says of the
 * others. False: the index does not fit. */
static bool complete_newest(struct conversation *c, const struct jsonl *j, const struct session_info *info)
{
	int64_t read = 0;

	for (size_t i = 0; i < c->n; i++)
		read += c->path[i]->status == STATUS_COMPLETE;
	if (!c->n || !info->root.p || info->exchange_count < read || !span_same(info->provider, c->info.provider) ||
	    info->created_at != c->info.created_at)
		return false;
	c->unread = info->exchange_count - read;
	c->unread_summed = 0;
	if (span_same(buf_span(&c->path[0]->id), info->root)) { /* all exchanges were read, only other records were not */
		if (c->unread || (info->summary_at && !c->summary))
			return false;
	} else if (!find_first(c, j, info->root)) {
		return false;
	} else {
		c->first = &c->first_record.exchange;
		if (c->first->status == STATUS_COMPLETE && !c->unread) /* then the index counted another one */
			return false;
	}
	if (c->summary) {
		c->unread_summed = c->unread;
	} else if (info->summary_at) {
		if (!find_summary(c, j, (size_t)info->summary_at))
			return false;
		c->summary = &c->summary_record.summary;
		c->unread_summed = info->summary_of < c->unread ? info->summary_of : c->unread;
	}
	c->info = *info;
	if (!copy_tags(c))
		return false;
	c->titled = true; /* the changes were not read; only young sessions get a title */
	c->partial = true;
	return true;
}

/* 1: read. 0: the whole history must be read. */
static int load_newest(struct session *x, const struct jsonl *j, const struct history_want *want,
                       struct err *e)
{
	struct conversation *c = &x->conversation;
	struct session_info info = { .usage = USAGE_NONE };
	struct json_object *row;
	bool whole;
	int r;

	if (!want || j->n < WHOLE_MAX || !find_index_record(x->store, x->id, j, &info, &row))
		return 0;
	c->row = row;
	r = history_load_newest(c, x->store, x->id, j, want, &whole, e);
	if (r < 0 && e->kind == ERR_FAILED)
		return -1;
	err_clear(e); /* the session record need not be the first line, which reading the whole history finds out */
	if (r == 0 && (whole || complete_newest(c, j, &info)))
		return 1;
	conversation_release(c);
	return 0;
}

/* Reads the history anew. After an error the conversation has not changed. */
static int load_anew(struct session *x, const struct jsonl *j, const struct history_want *want,
                struct err *e)
{
	struct conversation old = x->conversation;
	int r;

	x->conversation = (struct conversation)CONVERSATION_INIT;
	x->conversation.lean = old.lean;
	r = load_newest(x, j, want, e);
	x->conversation.lean = old.lean;
	if (r == 0)
		r = history_load(&x->conversation, x->store, x->id, j, e);
	if (r < 0) {
		conversation_release(&x->conversation);
		x->conversation = old; /* in its own place: it may point into itself */
		return -1;
	}
	conversation_release(&old);
	return 0;
}

/* Reads what was appended. After an error, which may leave a record half applied, all is read anew. */
static int load_more(struct session *x, const struct jsonl *j, const struct history_want *want,
                     struct err *e)
{
	bool lean = x->conversation.lean;

	if (history_load_more(&x->conversation, x->store, x->id, j, e) == 0)
		return 0;
	err_clear(e);
	x->read = false;
	conversation_release(&x->conversation);
	x->conversation.lean = lean;
	return load_anew(x, j, want, e);
}

/* Reads what the conversation lacks of the history, open as `fd`: what was appended to the file that it
 * was read from, or all of another file. A partial conversation is read anew, since more may be wanted
 * now, unless only its end is wanted (`newest`). After an error the conversation has not changed, or is
 * empty. */
static int refresh_from(struct session *x, int fd, const struct history_want *want, bool newest,
                   struct err *e)
{
	struct conversation *c = &x->conversation;
	struct jsonl j;
	struct stat st;
	bool on;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot examine session '%s'", x->id);
	on = x->read && x->dev == st.st_dev && x->ino == st.st_ino && (size_t)st.st_size >= c->bytes &&
	     (newest || !c->partial);
	if (on && (size_t)st.st_size == c->bytes)
		return 0;
	if (jsonl_map(&j, fd, e) < 0)
		return err_prefix(e, "session '%s'", x->id);
	r = on ? load_more(x, &j, want, e) : load_anew(x, &j, want, e);
	jsonl_unmap(&j); /* the records are copies */
	if (r < 0)
		return -1;
	x->read = true;
	x->behind = false;
	x->dev = st.st_dev;
	x->ino = st.st_ino;
	return 0;
}

static void set_session(struct session *x, const struct store *s, const char *id)
{
	if (x->read && strcmp(x->id, id) != 0) {
		conversation_release(&x->conversation);
		x->read = false;
	}
	x->store = s;
	if (id != x->id)
		snprintf(x->id, sizeof(x->id), "%s", id);
}

int session_read(struct session *x, const struct store *s, const char *id,
                 const struct history_want *want, struct err *e)
{
	int dir, fd, r;

	set_session(x, s, id);
	fd = history_open(s, id, O_RDONLY, &dir, e);
	if (fd < 0)
		return -1;
	r = refresh_from(x, fd, want, false, e);
	close(fd);
	close(dir);
	return r;
}

int session_refresh(struct session *x, const struct history_want *want, struct err *e)
{
	return refresh_from(x, x->fd, want, false, e);
}

int session_check_last(const struct session *x, struct span last, struct err *e)
{
	const struct exchange *now = conversation_last(&x->conversation);

	if (now && span_same(now->id, last))
		return 0;
	return err_set(e, ERR_FAILED, "another process has continued session '%s'", x->id);
}

/* ---- storing an interrupted turn ---- */

/* Adds the steps that are stored to the interrupted exchange. They have their own usage and text: if the
 * last one is stored, the text in the spool is that step's and not the exchange's answer. */
static void add_steps(const struct conversation *c, const struct spool *sp, struct exchange *cut)
{
	const struct exchange_node *node = conversation_find_any(c, cut->id);

	for (size_t i = 0; node && i < node->nsteps; i++)
		if (node->steps[i].record.json) {
			cut->steps++;
			usage_add(&cut->usage, &node->steps[i].record.step.usage);
			if (node->steps[i].n == sp->step)
				cut->answer = span_str("");
		}
}

static int store_interrupted(struct session *x, const struct spool *sp, struct exchange *cut,
                             struct err *e)
{
	if (session_refresh(x, NULL, e) < 0)
		return -1;
	/* A crash between storing an exchange and deleting its spool leaves both, and the exchange must
	 * not be stored twice. A loss of power may bring the spool back even after later turns, so the
	 * exchange need not be the last one. */
	if (conversation_find(&x->conversation, cut->id)) {
		/* It is written, but perhaps not on the disk yet. */
		if (io_datasync(x->fd) < 0)
			return err_sys(e, errno, /* not reached: a second fault after a crash */
			               "session '%s'", x->id);
		spool_remove(x->dir);
		return 0;
	}
	add_steps(&x->conversation, sp, cut);
	if (sp->step || cut->steps)
		unlinkat(x->dir, SPOOL_TEMP, 0); /* killed when the next step began */
	return session_append_exchange(x, cut, NULL, NULL, e);
}

/* A spool that cannot be read is kept under another name, so that the next turn can begin. */
static int keep_damaged(struct session *x, const char *why, struct err *e)
{
	char name[64];

	snprintf(name, sizeof(name), SPOOL_DAMAGED "%lld", (long long)clock_now_ms());
	if (renameat(x->dir, SPOOL_FILE, x->dir, name) < 0)
		return err_sys(e, errno, /* not reached: a second fault after damage */
		               "cannot move '%s/%s/" SPOOL_FILE "' aside", x->store->dir, x->id);
	store_notice(x->store, "%s/%s/" SPOOL_FILE " is damaged (%s); it is kept as %s", x->store->dir,
	             x->id, why, name);
	return 0;
}

/* Every reader would refuse such a record. */
static bool too_large(const struct exchange *x)
{
	struct buf b = BUF_INIT;
	bool large;

	record_add_exchange(&b, x);
	large = b.n > JSON_MAX;
	buf_release(&b);
	return large;
}

int session_seal(struct session *x, struct err *e)
{
	struct err why = ERR_INIT;
	struct exchange cut;
	struct spool sp;
	int found = spool_read(&sp, x->dir, &cut, &why);
	int r = 0;

	if (found > 0 && too_large(&cut))
		found = err_set(&why, ERR_DAMAGED, "larger than %u MiB", JSON_MAX >> 20);
	if (found > 0)
		r = store_interrupted(x, &sp, &cut, e);
	else if (found < 0 && why.kind == ERR_DAMAGED)
		r = keep_damaged(x, why.msg, e);
	else if (found < 0)
		r = err_set(e, why.kind, "'%s/%s/" SPOOL_FILE "': %s", x->store->dir, x->id, why.msg);
	spool_release(&sp);
	return r;
}

/* ---- locking ---- */

static int lock_failed(struct session *x, struct err *e)
{
	pid_t holder = lock_holder(x->fd);

	if (e->kind == ERR_BUSY) {
		err_clear(e);
		if (holder > 0)
			err_set(e, ERR_BUSY, "session '%s' is in use by process %ld", x->id, (long)holder);
		else
			err_set(e, ERR_BUSY, "session '%s' is in use by another process", x->id);
	} else {
		err_prefix(e, "session '%s'", x->id);
	}
	session_unlock(x);
	return -1;
}

int session_hold(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, struct err *e)
{
	int there;

	set_session(x, s, id);
	for (;;) {
		x->named = false;
		x->fd = history_open(s, x->id, O_RDWR | O_APPEND, &x->dir, e);
		if (x->fd < 0)
			return -1;
		if (lock_take(x->fd, wait, e) < 0)
			return lock_failed(x, e);
		there = session_is_there(x, e);
		if (there > 0)
			return 0;
		session_unlock(x);
		if (there < 0)
			return -1;
	}
}

/* Locks, and stores an interrupted turn. */
static int lock_and_seal(struct session *x, const struct store *s, const char *id,
                         const struct lock_wait *wait, struct err *e)
{
	int r;

	if (session_hold(x, s, id, wait, e) < 0)
		return -1;
	r = jsonl_heal(x->fd, e) < 0 ? err_prefix(e, "session '%s'", x->id) : session_seal(x, e);
	if (r < 0)
		session_unlock(x);
	return r;
}

int session_lock(struct session *x, const struct store *s, const char *id,
                 const struct lock_wait *wait, const struct history_want *want, struct err *e)
{
	if (lock_and_seal(x, s, id, wait, e) < 0)
		return -1;
	if (session_refresh(x, want, e) == 0)
		return 0;
	session_unlock(x);
	return -1;
}

void session_unlock(struct session *x)
{
	if (x->fd >= 0)
		lock_end(x->fd);
	if (x->dir >= 0)
		close(x->dir);
	x->fd = x->dir = -1;
}

void session_release(struct session *x)
{
	session_unlock(x);
	conversation_release(&x->conversation);
	*x = (struct session)SESSION_INIT;
}

int session_recover(const struct store *s, const char *id, struct err *e)
{
	const struct lock_wait now = { .no_wait = true, .stop_fd = -1 };
	char path[ID_SIZE + sizeof("/" SPOOL_FILE)];
	struct session x = SESSION_INIT;
	struct stat st;

	snprintf(path, sizeof(path), "%s/" SPOOL_FILE, id);
	if (s->fd < 0)
		return 0; /* not reached: no tool asks without a store */
	if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR
		           ? 0 : err_sys(e, errno, "cannot examine '%s/%s'", s->dir, path);
	if (lock_and_seal(&x, s, id, &now, e) < 0)
		return e->kind == ERR_BUSY ? (err_clear(e), 1) : -1;
	session_release(&x);
	return 0;
}

/* ---- appending ---- */

/* Before the first exchange is stored, the folder's name and the names in it must be synced, so that they
 * survive a loss of power, too. An empty session is not worth that. */
static bool is_unsynced(const struct session *x)
{
	return !x->conversation.nstored && !x->named;
}

static int sync_session_names(struct session *x, struct err *e)
{
	if (io_sync_folder(x->dir) < 0 || io_sync_folder(x->store->fd) < 0)
		return err_sys(e, errno, "cannot be sure that it is on the disk");
	x->named = true;
	return 0;
}

int session_spool(struct session *x, const struct exchange *exchange, int64_t step, struct err *e)
{
	int fd = spool_begin(x->dir, exchange, step, e);

	if (fd < 0 || !is_unsynced(x))
		return fd;
	if (io_sync_folder(x->store->fd) == 0) { /* spool_begin() has synced the session's folder */
		x->named = true;
		return fd;
	}
	err_sys(e, errno, "cannot store the prompt");
	close(fd);
	spool_remove(x->dir);
	return -1;
}

/* Fails for a record that the reader would refuse. */
static int check_record(const struct buf *b, const struct record_gaps *gaps, struct err *e)
{
	size_t n = b->n, bad = utf8_valid(b->p, b->n) < b->n;

	for (size_t i = 0; i < gaps->n; i++) {
		n += json_escaped_length(gaps->list[i].s);
		bad |= utf8_valid(gaps->list[i].s.p, gaps->list[i].s.n) < gaps->list[i].s.n;
	}
	if (buf_check(b, e) < 0)
		return -1;
	if (bad)
		return err_set(e, ERR_FAILED, "it is not UTF-8");
	return n > JSON_MAX ? err_set(e, ERR_FAILED, "it is larger than %u MiB", JSON_MAX >> 20) : 0;
}

/* Reads what was appended as any reader does, so that the conversation is what they see. */
static int read_back(struct session *x, struct err *why)
{
	const struct store *own = x->store;
	struct store quiet = *own; /* damage is reported when the session is read to be used */
	int r;

	quiet.notice = NULL;
	x->store = &quiet;
	r = refresh_from(x, x->fd, NULL, true, why);
	x->store = own;
	x->behind = r < 0;
	return r;
}

int session_check_read(const struct session *x, struct err *e)
{
	return x->behind ? err_set(e, ERR_FAILED, "what was stored in session '%s' could not be read back; the "
	                           "next prompt reads all of it again", x->id) : 0;
}

/* Updates the conversation and the index after an append. A failure does not undo the append: the next
 * tool updates the index. */
static void list_current(struct session *x)
{
	struct err why = ERR_INIT;

	if (read_back(x, &why) < 0)
		index_not_updated(x->store, x->id, why.msg);
	else
		index_update(x->store, x->id, &x->conversation.info);
}

static int append_lines(struct session *x, const struct buf *b, const struct record_gaps *gaps,
                  const char *what, struct err *e)
{
	int there = session_is_there(x, e), r;

	if (there == 0)
		err_set(e, ERR_GONE, "session '%s' was removed", x->id);
	if (there <= 0)
		return -1;
	r = check_record(b, gaps, e);
	if (r == 0 && is_unsynced(x))
		r = sync_session_names(x, e);
	if (r == 0)
		r = jsonl_append_gaps(x->fd, buf_span(b), gaps->list, gaps->n, true, e);
	return r < 0 ? err_prefix(e, "cannot store the %s in session '%s'", what, x->id) : 0;
}

/* Appends a record that is not large. */
static int append_small(struct session *x, struct buf *b, const char *what, struct err *e)
{
	const struct record_gaps none = { .n = 0 };
	int r = append_lines(x, b, &none, what, e);

	buf_release(b);
	if (r == 0)
		list_current(x);
	return r;
}

#define KEPT 4096 /* bytes of a text, more than the index needs */

static struct span head_of(struct span s)
{
	bool cut;

	return s.n > KEPT ? utf8_head((struct span){ s.p, KEPT }, KEPT / 4, &cut) : s;
}

/* After an exchange with a large text was appended: it is not read back. The conversation gets the
 * beginning of each text, which is enough for the index, and is read anew before it is used again. */
static int apply_large(struct session *x, const struct exchange *exchange, const struct change *change,
                       const struct rewind *after, struct err *e)
{
	struct conversation *c = &x->conversation;
	struct exchange cut = *exchange;
	struct buf line = BUF_INIT;
	struct stat st;
	int r = 0;

	cut.query = head_of(cut.query);
	cut.answer = head_of(cut.answer);
	cut.reasoning = head_of(cut.reasoning);
	x->read = false;
	if (change) {
		record_add_change(&line, change);
		r = conversation_apply_text(c, &line, e);
	}
	record_add_exchange(&line, &cut);
	if (r == 0)
		r = conversation_apply_text(c, &line, e);
	if (r == 0 && after) {
		record_add_rewind(&line, after);
		r = conversation_apply_text(c, &line, e);
	}
	buf_release(&line);
	if (r == 0)
		r = conversation_settle(c, e);
	if (r == 0 && fstat(x->fd, &st) < 0)
		r = err_sys(e, errno, "cannot examine its history");
	if (r == 0)
		c->info.history_bytes = (int64_t)st.st_size;
	return r;
}

static void list_large(struct session *x, const struct exchange *exchange, const struct change *change,
                       const struct rewind *after)
{
	struct err why = ERR_INIT;

	if (apply_large(x, exchange, change, after, &why) < 0)
		index_not_updated(x->store, x->id, why.msg);
	else
		index_update(x->store, x->id, &x->conversation.info);
}

int session_append_exchange(struct session *x, const struct exchange *exchange,
                            const struct change *change, const struct rewind *after, struct err *e)
{
	struct record_gaps gaps;
	struct buf b = BUF_INIT;
	int r;

	if (change)
		record_add_change(&b, change);
	record_add_exchange_gaps(&b, exchange, &gaps);
	if (after)
		record_add_rewind(&b, after);
	r = append_lines(x, &b, &gaps, "exchange", e);
	buf_release(&b);
	if (r < 0)
		return -1;
	spool_remove(x->dir);
	if (gaps.n)
		list_large(x, exchange, change, after);
	else
		list_current(x);
	return 0;
}

/* Appends a step or a result. The index is written with its exchange. A record that could not be synced is
 * in the history all the same, so it is read back, too. */
static int append_part(struct session *x, struct buf *b, const char *what, struct err *e)
{
	const struct record_gaps none = { .n = 0 };
	struct err ignored = ERR_INIT;
	int r = append_lines(x, b, &none, what, e);

	buf_release(b);
	read_back(x, &ignored);
	return r;
}

int session_append_step(struct session *x, const struct step *s, struct err *e)
{
	struct buf b = BUF_INIT;

	record_add_step(&b, s);
	return append_part(x, &b, "step", e);
}

int session_append_result(struct session *x, const struct result *r, struct err *e)
{
	struct buf b = BUF_INIT;

	record_add_result(&b, r);
	return append_part(x, &b, "result", e);
}

int session_append_change(struct session *x, struct change change, struct err *e)
{
	struct buf b = BUF_INIT;
	char id[UUID_SIZE];

	change.timestamp = conversation_now(&x->conversation);
	if (uuid7_generate(id, change.timestamp, e) < 0)
		return -1;
	change.id = span_str(id);
	record_add_change(&b, &change);
	return append_small(x, &b, "change", e);
}

int session_append_summary(struct session *x, const struct summary *summary, struct err *e)
{
	struct buf b = BUF_INIT;

	record_add_summary(&b, summary);
	return append_small(x, &b, "summary", e);
}

int session_append_rewind(struct session *x, struct span to, struct err *e)
{
	const struct exchange *last = conversation_last(&x->conversation);
	const struct rewind r = { .timestamp = conversation_now(&x->conversation), .has_from = true,
		                  .from = last ? last->id : (struct span){ NULL, 0 }, .to = to };
	struct buf b = BUF_INIT;

	record_add_rewind(&b, &r);
	return append_small(x, &b, "rewind", e);
}

/* ---- deleting a folder ---- */

static int empty_folder(int dir, const char *shown, struct err *e);

static int delete_folder(int above, const char *name, const char *shown, struct err *e)
{
	int dir = openat(above, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r;

	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot delete '%s'", shown);
	r = empty_folder(dir, shown, e);
	close(dir);
	if (r == 0 && unlinkat(above, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = err_sys(e, errno, "cannot delete '%s'", shown);
	return r;
}

static bool is_folder(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int delete_entry(int dir, const char *name, const char *above, struct err *e)
{
	char shown[PATH_MAX];
	int why;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	why = errno; /* EPERM: a folder (POSIX), or an immutable file */
	snprintf(shown, sizeof(shown), "%s/%s", above, name);
	if (why == EISDIR || (why == EPERM && is_folder(dir, name)))
		return delete_folder(dir, name, shown, e);
	return err_sys(e, why, "cannot delete '%s'", shown);
}

/* Deletes what is in the folder. Links are not followed. */
static int empty_folder(int dir, const char *shown, struct err *e)
{
	struct names names;
	int r = 0;

	if (names_read(&names, dir, e) < 0)
		return err_prefix(e, "cannot delete '%s'", shown);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = delete_entry(dir, names.v[i], shown, e);
	names_release(&names);
	return r;
}

/* ---- creating ---- */

/* The history is locked until the session is in the index: nobody can use or remove the session before,
 * so this process cannot overwrite a newer record. */
static int create_history(struct new_session *n, struct err *e)
{
	const struct lock_wait wait = { .stop_fd = -1 };

	n->fd = openat(n->dir, HISTORY_FILE, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (n->fd < 0)
		return err_sys(e, errno, "cannot create '" HISTORY_FILE "'");
	place_give(n->fd, n->dir);
	return lock_take(n->fd, &wait, e);
}

int session_begin(struct new_session *n, const struct store *s, const char *id, struct err *e)
{
	char unique[ID_SIZE];

	*n = (struct new_session){ .store = s, .dir = -1, .fd = -1 };
	snprintf(n->id, sizeof(n->id), "%s", id);
	if (id_generate(unique, e) < 0)
		return -1;
	leftover_name_new(n->temp, id, unique);
	store_share(s);
	n->dir = place_make_folder(s->fd, n->temp, e);
	if (n->dir >= 0 && create_history(n, e) == 0)
		return 0;
	session_abandon(n);
	return err_prefix(e, "cannot create a session in '%s'", s->dir);
}

static void end_new(struct new_session *n)
{
	if (n->fd >= 0)
		lock_end(n->fd);
	if (n->dir >= 0)
		close(n->dir);
	n->fd = n->dir = -1;
	store_unshare(n->store);
}

void session_abandon(struct new_session *n)
{
	struct err ignored = ERR_INIT;

	if (n->dir >= 0)
		delete_folder(n->store->fd, n->temp, n->temp, &ignored);
	end_new(n);
}

/* Gives the folder the session's name. rename(2) replaces only an empty folder, never a session. */
static int name_new(struct new_session *n, struct err *e)
{
	const struct store *s = n->store;

	if (renameat(s->fd, n->temp, s->fd, n->id) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
		err_set(e, ERR_EXISTS, "session '%s' exists already", n->id);
	else
		err_sys(e, errno, "cannot create session '%s' in '%s'", n->id, s->dir);
	session_abandon(n);
	return -1;
}

static int read_new(const struct new_session *n, struct conversation *c, struct err *e)
{
	struct jsonl j;
	int r;

	if (jsonl_map(&j, n->fd, e) < 0)
		return err_prefix(e, "session '%s'", n->id);
	c->lean = true;
	r = history_load(c, n->store, n->temp, &j, e);
	jsonl_unmap(&j);
	return r;
}

int session_publish(struct new_session *n, struct err *e)
{
	struct conversation c = CONVERSATION_INIT;
	struct err why = ERR_INIT;
	int r = read_new(n, &c, e);

	/* artifact_put() has synced the files in artifacts/. */
	if (r == 0 && (io_sync(n->fd) < 0 || io_sync_folder(n->dir) < 0))
		r = err_sys(e, errno, "cannot be sure that session '%s' is on the disk", n->id);
	if (r < 0)
		session_abandon(n);
	else
		r = name_new(n, e);
	if (r == 0) {
		if (io_sync_folder(n->store->fd) < 0)
			r = err_sys(e, errno, "cannot be sure that session '%s' is on the disk", n->id);
		if (index_insert(n->store, n->id, &c.info, &why) < 0)
			index_not_updated(n->store, n->id, why.msg);
		end_new(n);
	}
	conversation_release(&c);
	return r;
}

/* Creates a session without an exchange. The first exchange syncs its name. */
static int create_as(const struct store *s, const struct session_head *head, const char *id,
                     struct err *e)
{
	struct session_info info = {
		.created_at = head->created_at, .updated_at = head->created_at,
		.provider = head->provider,     .model = head->model,
		.cwd = head->cwd,               .title = head->title,
		.usage = USAGE_NONE,
	};
	struct buf record = BUF_INIT;
	struct new_session n;
	int r;

	record_add_head(&record, head);
	info.history_bytes = (int64_t)record.n;
	if (buf_check(&record, e) < 0 || session_begin(&n, s, id, e) < 0) {
		buf_release(&record);
		return -1;
	}
	r = jsonl_append(n.fd, buf_span(&record), true, e);
	if (r < 0) {
		session_abandon(&n);
		err_prefix(e, "cannot create a session in '%s'", s->dir);
	} else {
		r = name_new(&n, e);
	}
	if (r == 0) {
		index_update(s, id, &info);
		end_new(&n);
	}
	buf_release(&record);
	return r;
}

int session_create(const struct store *s, struct session_head *head, char id[ID_SIZE],
                   struct err *e)
{
	if (head->id.n) {
		int64_t before;

		memmove(id, head->id.p, head->id.n); /* the caller may have given it in `id` */
		id[head->id.n] = '\0';
		before = removed_latest(s, id);
		if (head->created_at <= before) /* it is not the session that was removed */
			head->created_at = before + 1;
		return create_as(s, head, id, e);
	}
	for (;;) {
		err_clear(e);
		if (id_generate(id, e) < 0)
			return -1;
		head->id = span_str(id);
		if (create_as(s, head, id, e) == 0)
			return 0;
		if (e->kind != ERR_EXISTS)
			return -1;
	}
}

/* ---- removing ---- */

/* Some file systems cannot rename a folder (overlayfs one of its lower layer, project quotas one into
 * another project), and a full file system may have no room for the new name. */
static bool cannot_rename(int why)
{
	return why == EXDEV || why == EINVAL || why == ENOSYS || why == EOPNOTSUPP || why == ENOSPC ||
	       why == EDQUOT;
}

static void put_back(const struct session *x, const char *name, struct err *e)
{
	if (renameat(x->store->fd, name, x->store->fd, x->id) < 0)
		err_prefix(e, "session '%s' is now '%s/%s'", x->id, x->store->dir, name);
}

/* Takes the session off the list, and then deletes its empty folder: a check that finds the folder knows
 * that a process is about to do the former. */
static int unlist(const struct session *x, const char *name, struct err *e)
{
	const struct store *s = x->store;
	int r = index_append_tombstone(s, x->id, clock_now_ms(), e);

	if (r < 0) {
		index_note_stale(s, x->id);
		err_prefix(e, "session '%s' is deleted, but the list of sessions still has it", x->id);
	}
	if (unlinkat(s->fd, name, AT_REMOVEDIR) < 0 && r == 0)
		r = err_sys(e, errno, "cannot delete '%s/%s'", s->dir, name);
	return r;
}

/* createdAt of the first session record; -1 if the history has none. */
static int64_t head_created_at(const struct session *x)
{
	struct err ignored = ERR_INIT;
	struct record r;
	struct span line;
	struct jsonl j;
	size_t at = 0;
	int64_t when = -1;

	if (jsonl_map(&j, x->fd, &ignored) < 0)
		return -1;
	while (when < 0 && jsonl_next(&j, &at, &line)) {
		err_clear(&ignored);
		if (record_parse(line, &r, &ignored) < 0)
			continue;
		if (r.type == RECORD_SESSION)
			when = r.head.created_at;
		record_release(&r);
	}
	jsonl_unmap(&j);
	return when;
}

/* A full disk must not prevent the removal: note_late() notes it when there is room. */
static int note_removal(struct session *x, struct removal *noted, int64_t created, struct err *e)
{
	if (removed_note(noted, x->store, x->id, created, e) == 0)
		return 0;
	if (!noted->full)
		return err_prefix(e, "cannot delete session '%s'", x->id);
	err_clear(e);
	return 0;
}

static void note_late(const struct session *x, struct removal *noted, int64_t created)
{
	struct err why = ERR_INIT;

	if (noted->fd < 0 && removed_note(noted, x->store, x->id, created, &why) < 0)
		store_notice(x->store, "session '%s' is deleted, but that could not be noted: %s", x->id, why.msg);
	removed_keep(noted);
}

int session_remove(struct session *x, struct err *e)
{
	const struct store *s = x->store;
	struct removal noted = REMOVAL_NONE;
	int64_t created = head_created_at(x);
	char name[LEFTOVER_SIZE];
	bool moved = false;
	int r = note_removal(x, &noted, created, e);

	leftover_name_removed(name, x->id, getpid(), clock_now_ms());
	store_share(s);
	if (r == 0)
		moved = renameat(s->fd, x->id, s->fd, name) == 0;
	if (r == 0 && ((!moved && !cannot_rename(errno)) || unlinkat(x->dir, HISTORY_FILE, 0) < 0)) {
		r = err_sys(e, errno, "cannot delete session '%s'", x->id);
		if (moved)
			put_back(x, name, e);
		removed_take_back(&noted);
	} else if (r == 0) {
		r = empty_folder(x->dir, moved ? name : x->id, e);
		note_late(x, &noted, created);
		if (r == 0)
			r = unlist(x, moved ? name : x->id, e);
		/* else the session stays listed, so that the user can try again */
	}
	store_unshare(s);
	session_unlock(x);
	return r;
}

/* ---- deleting what removed sessions left ---- */

bool session_is_going(const struct store *s, const char *id)
{
	struct err ignored = ERR_INIT;
	struct names names;
	bool found = false;

	if (names_read(&names, s->fd, &ignored) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++)
		found |= leftover_of(names.v[i], id) == LEFTOVER_REMOVED;
	names_release(&names);
	return found;
}

/* Whether a crash left this folder: of a session that was being removed, also in place, where only the
 * history is gone; or of a session that was being created, unless some process may still be doing it. */
static bool was_left(const struct store *s, const char *name, const char *id)
{
	enum leftover kind = leftover_of(name, id);
	bool alone;

	if (kind == LEFTOVER_REMOVED || (strcmp(name, id) == 0 && !history_exists(s, id)))
		return true;
	if (kind != LEFTOVER_NEW)
		return false;
	alone = store_alone(s);
	if (alone)
		store_unshare(s);
	return alone;
}

static int purge_leftovers(const struct store *s, char *const *ids, size_t n, struct err *e)
{
	struct names names;

	if (names_read(&names, s->fd, e) < 0)
		return err_prefix(e, "'%s'", s->dir);
	for (size_t i = 0; i < names.n; i++)
		for (size_t k = 0; k < n; k++)
			if (was_left(s, names.v[i], ids[k])) {
				delete_entry(s->fd, names.v[i], s->dir, e);
				break;
			}
	names_release(&names);
	return e->kind == ERR_NONE ? 0 : -1;
}

/* Whether a file in quarantine belongs to one of the sessions, or is an old index, as its note says. */
static bool is_of_one(struct span note, char *const *ids, size_t n)
{
	struct span value, session = { "", 0 };
	struct buf from = BUF_INIT;
	bool found;

	json_scan_find(note, "session", &session);
	if (json_scan_find(note, "from", &value))
		json_scan_add_str(&from, value);
	found = strcmp(from.p, INDEX_FILE) == 0 || strcmp(from.p, INDEX_TEMP) == 0;
	for (size_t i = 0; i < n && !found; i++)
		found = json_scan_is(session, span_str(ids[i])) || strcmp(from.p, ids[i]) == 0 ||
		        leftover_of(from.p, ids[i]) != LEFTOVER_NONE;
	buf_release(&from);
	return found;
}

#define NOTE_MAX 65536

static int read_note(int dir, const char *name, struct buf *note, struct err *e)
{
	int fd = place_file(dir, name, O_RDONLY, e), r;

	if (fd < 0)
		return err_prefix(e, "'" QUARANTINE_DIR "/%s'", name);
	r = io_read_all(fd, note, NOTE_MAX);
	if (r < 0)
		err_sys(e, errno, "cannot read '" QUARANTINE_DIR "/%s'", name);
	close(fd);
	return r;
}

/* Deletes the file before the note that says what it is. */
static void purge_quarantined(int dir, const char *note_name, char *const *ids, size_t n, struct err *e)
{
	size_t length = strlen(note_name) - strlen(QUARANTINE_NOTE);
	struct buf note = BUF_INIT;
	struct err why = ERR_INIT;
	char name[NAME_MAX + 1];

	snprintf(name, sizeof(name), "%.*s", (int)length, note_name);
	if (strcmp(name, "") == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return; /* no repair writes such a note, and it would delete the store */
	if (read_note(dir, note_name, &note, &why) == 0 && is_of_one(buf_span(&note), ids, n) &&
	    delete_entry(dir, name, QUARANTINE_DIR, &why) == 0)
		delete_entry(dir, note_name, QUARANTINE_DIR, &why);
	if (why.kind != ERR_NONE && e->kind == ERR_NONE)
		*e = why;
	buf_release(&note);
}

static int purge_quarantine(const struct store *s, char *const *ids, size_t n, struct err *e)
{
	int dir = place_folder(s->fd, QUARANTINE_DIR, e);
	struct names names;

	if (dir < 0)
		return e->kind == ERR_NOT_FOUND ? (err_clear(e), 0) : err_prefix(e, "'" QUARANTINE_DIR "'");
	if (names_read(&names, dir, e) == 0) {
		for (size_t i = 0; i < names.n; i++)
			if (span_ends(span_str(names.v[i]), QUARANTINE_NOTE))
				purge_quarantined(dir, names.v[i], ids, n, e);
		names_release(&names);
	}
	close(dir);
	return e->kind == ERR_NONE ? 0 : -1;
}

int session_purge(const struct store *s, char *const *ids, size_t n, struct err *e)
{
	struct err leftovers = ERR_INIT, quarantine = ERR_INIT;

	if (s->fd < 0 || !n)
		return 0;
	/* Go on after a failure. */
	purge_leftovers(s, ids, n, &leftovers);
	purge_quarantine(s, ids, n, &quarantine);
	index_purge(s, ids, n, e);
	if (e->kind == ERR_NONE)
		*e = leftovers.kind != ERR_NONE ? leftovers : quarantine;
	return e->kind == ERR_NONE ? 0 : -1;
}
