#include "store/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/place.h"
#include "store/spool.h"

static int open_session(struct session *x, struct err *e)
{
	x->named = false;
	x->fd = history_open(x->store, x->id, O_RDWR | O_APPEND, &x->dir, e);
	return x->fd < 0 ? -1 : 0;
}

/* While this process waited, the session may have been removed, and even made anew:
 * the lock counts only if the name still leads to the file it is on. That this cannot be
 * seen does not make it so. */
int session_is_there(const struct session *x, struct err *e)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];
	int leads;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, x->id);
	leads = place_leads(x->store->fd, path, x->fd);
	return leads < 0 ? err_sys(e, errno, "cannot examine session '%s'", x->id) : leads;
}

/* ---- reading ---- */

#define WHOLE_MAX 262144 /* a smaller history is read as a whole */

/* What the index says of the session, when that is of this history as it is now. It is looked for
 * only in so much of the index as the history has bytes: reading that would cost as much. */
static bool find_row(const struct store *s, const char *id, const struct jsonl *j,
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

	if (!find_row(s, id, j, &info, &row))
		return -1;
	json_object_put(row);
	return info.branches;
}

static bool is_part(struct span line)
{
	struct span type;

	return json_scan_find(line, "type", &type) &&
	       (json_scan_is(type, span_str("step")) || json_scan_is(type, span_str("result")));
}

/* Where the exchange of this id stands near the beginning of the history. Its steps and their results may
 * be before it, however many. */
static bool find_first(struct conversation *c, const struct jsonl *j, struct span id)
{
	struct err ignored = ERR_INIT;
	struct span line;
	size_t at = 0;

	for (int i = 0; i < 8 && jsonl_next(j, &at, &line); i++) {
		while (is_part(line))
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

/* The tags in the index's record. */
static bool take_tags(struct conversation *c)
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

/* Completes a conversation whose newest exchanges were read by what the index says of the rest.
 * False: it does not fit. */
static bool complete(struct conversation *c, const struct jsonl *j, const struct session_info *info)
{
	int64_t read = 0;

	for (size_t i = 0; i < c->n; i++)
		read += c->path[i]->status == STATUS_COMPLETE;
	if (!c->n || !info->root.p || info->exchange_count < read || !span_same(info->provider, c->info.provider) ||
	    info->created_at != c->info.created_at)
		return false;
	c->unread = info->exchange_count - read;
	c->unread_summed = 0;
	if (span_same(buf_span(&c->path[0]->id), info->root)) { /* only other records were not read */
		if (c->unread || (info->summary_at && !c->summary))
			return false;
	} else if (!find_first(c, j, info->root)) {
		return false;
	} else {
		c->first = &c->first_record.exchange;
		if (c->first->status == STATUS_COMPLETE && !c->unread) /* then it is not the one that was counted */
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
	if (!take_tags(c))
		return false;
	c->titled = true; /* the changes were not read; a title is made for young sessions only */
	c->partial = true;
	return true;
}

/* 1: read. 0: it is to be read as a whole. */
static int load_newest(struct session *x, const struct jsonl *j, const struct history_want *want,
                       struct err *e)
{
	struct conversation *c = &x->conversation;
	struct session_info info = { .usage = USAGE_NONE };
	struct json_object *row;
	bool whole;
	int r;

	if (!want || j->n < WHOLE_MAX || !find_row(x->store, x->id, j, &info, &row))
		return 0;
	c->row = row;
	r = history_load_newest(c, x->store, x->id, j, want, &whole, e);
	if (r < 0 && e->kind == ERR_FAILED)
		return -1;
	err_clear(e); /* the session record need not be the first line: reading all of it tells */
	if (r == 0 && (whole || complete(c, j, &info)))
		return 1;
	conversation_release(c);
	return 0;
}

/* Reads anew. On an error the conversation is what it was. */
static int load(struct session *x, const struct jsonl *j, const struct history_want *want,
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
		x->conversation = old; /* in its own place, where it may point into itself */
		return -1;
	}
	conversation_release(&old);
	return 0;
}

/* Reads on. What an error leaves half applied is of no use: then all is read anew. */
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
	return load(x, j, want, e);
}

/* Reads what the conversation lacks of the history, open as `fd`: what was appended to the file
 * that it was read from, or all of another one. A partial one is read anew, since more may be
 * wanted now, unless only its end is (`newest`). After an error the conversation is what it was, or
 * empty. */
static int refresh(struct session *x, int fd, const struct history_want *want, bool newest,
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
	r = on ? load_more(x, &j, want, e) : load(x, &j, want, e);
	jsonl_unmap(&j); /* the records are copies */
	if (r < 0)
		return -1;
	x->read = true;
	x->behind = false;
	x->dev = st.st_dev;
	x->ino = st.st_ino;
	return 0;
}

static void begin(struct session *x, const struct store *s, const char *id)
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

	begin(x, s, id);
	fd = history_open(s, id, O_RDONLY, &dir, e);
	if (fd < 0)
		return -1;
	r = refresh(x, fd, want, false, e);
	close(fd);
	close(dir);
	return r;
}

int session_refresh(struct session *x, const struct history_want *want, struct err *e)
{
	return refresh(x, x->fd, want, false, e);
}

int session_check_last(const struct session *x, struct span last, struct err *e)
{
	const struct exchange *now = conversation_last(&x->conversation);

	if (now && span_same(now->id, last))
		return 0;
	return err_set(e, ERR_FAILED, "another process has continued session '%s'", x->id);
}

/* ---- a turn that was cut short ---- */

/* The steps that were stored have their own usage and text: what the spool holds of the last one is
 * not the exchange's answer when that step is stored. */
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
	/* A crash between storing an exchange and dropping its spool leaves both, and must not make
	 * two of it. That the spool was dropped may be lost with the power even when later turns
	 * are not, so that it need not be the last one. */
	if (conversation_find(&x->conversation, cut->id)) {
		/* Written, but perhaps not yet on the disk. */
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

/* What cannot be read as a spool is not thrown away: it gets a name that is not in
 * the way of the next turn. */
static int set_aside(struct session *x, const char *why, struct err *e)
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

/* Such a record would be refused by each reader, and so by each attempt to store it. */
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
		r = set_aside(x, why.msg, e);
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

	begin(x, s, id);
	for (;;) {
		if (open_session(x, e) < 0)
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

/* Locks, and stores a turn that was cut short. */
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

/* The first prompt makes the session worth keeping: its folder's name and those in it must survive a
 * power cut too. They are synced before anything is stored, since nobody would make up for it
 * afterwards. */
static bool needs_names(const struct session *x)
{
	return !x->conversation.nstored && !x->named;
}

static int sync_names(struct session *x, struct err *e)
{
	if (io_sync_folder(x->dir) < 0 || io_sync_folder(x->store->fd) < 0)
		return err_sys(e, errno, "cannot be sure that it is on the disk");
	x->named = true;
	return 0;
}

int session_spool(struct session *x, const struct exchange *exchange, int64_t step, struct err *e)
{
	int fd = spool_begin(x->dir, exchange, step, e);

	if (fd < 0 || !needs_names(x))
		return fd;
	if (io_sync_folder(x->store->fd) == 0) { /* spool_begin() has synced the folder itself */
		x->named = true;
		return fd;
	}
	err_sys(e, errno, "cannot store the prompt");
	close(fd);
	spool_remove(x->dir);
	return -1;
}

/* What our own reader would refuse must not be acknowledged. */
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

/* What was appended is read as any reader does it, and so counts as it does there. */
static int read_back(struct session *x, struct err *why)
{
	const struct store *own = x->store;
	struct store quiet = *own; /* what else is there is told when it is read to be used */
	int r;

	quiet.notice = NULL;
	x->store = &quiet;
	r = refresh(x, x->fd, NULL, true, why);
	x->store = own;
	x->behind = r < 0;
	return r;
}

int session_check_read(const struct session *x, struct err *e)
{
	return x->behind ? err_set(e, ERR_FAILED, "what was stored in session '%s' could not be read back; the "
	                           "next prompt reads all of it again", x->id) : 0;
}

/* That this fails does not undo it: the index is made up for by the next tool. */
static void catch_up(struct session *x)
{
	struct err why = ERR_INIT;

	if (read_back(x, &why) < 0)
		index_not_updated(x->store, x->id, why.msg);
	else
		index_update(x->store, x->id, &x->conversation.info);
}

/* Appends these lines. */
static int append(struct session *x, const struct buf *b, const struct record_gaps *gaps,
                  const char *what, struct err *e)
{
	int there = session_is_there(x, e), r;

	if (there == 0)
		err_set(e, ERR_GONE, "session '%s' was removed", x->id);
	if (there <= 0)
		return -1;
	r = check_record(b, gaps, e);
	if (r == 0 && needs_names(x))
		r = sync_names(x, e);
	if (r == 0)
		r = jsonl_append_gaps(x->fd, buf_span(b), gaps->list, gaps->n, true, e);
	return r < 0 ? err_prefix(e, "cannot store the %s in session '%s'", what, x->id) : 0;
}

/* One record that is not large. */
static int append_one(struct session *x, struct buf *b, const char *what, struct err *e)
{
	const struct record_gaps none = { .n = 0 };
	int r = append(x, b, &none, what, e);

	buf_release(b);
	if (r == 0)
		catch_up(x);
	return r;
}

#define KEPT 4096 /* bytes: more than the index has of a query */

static struct span head_of(struct span s)
{
	bool cut;

	return s.n > KEPT ? utf8_head((struct span){ s.p, KEPT }, KEPT / 4, &cut) : s;
}

/*
 * What was appended holds a text of a size that matters, and is not read back: the conversation gets
 * the beginning of each text, which is enough for the index, and is read anew before it is used again.
 */
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
	r = append(x, &b, &gaps, "exchange", e);
	buf_release(&b);
	if (r < 0)
		return -1;
	spool_remove(x->dir);
	if (gaps.n)
		list_large(x, exchange, change, after);
	else
		catch_up(x);
	return 0;
}

/* Nothing of it is in the index, which is written for each exchange. What could not be forced to the disk is
 * in the history all the same, and is read back, too. */
static int append_part(struct session *x, struct buf *b, const char *what, struct err *e)
{
	const struct record_gaps none = { .n = 0 };
	struct err ignored = ERR_INIT;
	int r = append(x, b, &none, what, e);

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
	return append_one(x, &b, "change", e);
}

int session_append_summary(struct session *x, const struct summary *summary, struct err *e)
{
	struct buf b = BUF_INIT;

	record_add_summary(&b, summary);
	return append_one(x, &b, "summary", e);
}

int session_append_rewind(struct session *x, struct span to, struct err *e)
{
	const struct exchange *last = conversation_last(&x->conversation);
	const struct rewind r = { .timestamp = conversation_now(&x->conversation), .has_from = true,
		                  .from = last ? last->id : (struct span){ NULL, 0 }, .to = to };
	struct buf b = BUF_INIT;

	record_add_rewind(&b, &r);
	return append_one(x, &b, "rewind", e);
}
