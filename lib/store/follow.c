#include "store/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "store/lock.h"
#include "store/place.h"
#include "store/spool.h"

#define PART 65536    /* bytes read at once */
#define DOUBT_MS 1000 /* after such a silence, find out whether the turn still runs */
#define HASH_BEGIN UINT64_C(14695981039346656037) /* FNV-1a, as in span_hash() */
#define HASH_STEP UINT64_C(1099511628211)

static void tell_event(struct follow *f, const struct follow_event *ev)
{
	f->found = true;
	f->tell(f->ctx, ev);
}

/* ---- the running turn ---- */

static void begin_text(struct follow_turn *t)
{
	t->told = 0;
	t->hash = HASH_BEGIN;
	buf_clear(&t->held);
}

static void note_told(struct follow_turn *t, struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		t->hash = (t->hash ^ (unsigned char)text.p[i]) * HASH_STEP;
	t->told += text.n;
}

/* Reports the held bytes, or only the whole characters of them, as UTF-8 like the record. */
static int tell_text(struct follow *f, bool all, struct err *e)
{
	struct follow_turn *t = &f->turn;
	size_t n = all ? t->held.n : utf8_whole(buf_span(&t->held));
	struct buf clean = BUF_INIT;

	utf8_add_clean(&clean, (struct span){ t->held.p, n });
	if (buf_check(&t->held, e) < 0 || buf_check(&clean, e) < 0) {
		buf_release(&clean); /* not reached: no memory while following */
		return -1; /* not reached: no memory while following */
	}
	note_told(t, buf_span(&clean));
	if (clean.n)
		tell_event(f, &(struct follow_event){ .kind = FOLLOW_TEXT, .text = buf_span(&clean) });
	buf_drop(&t->held, n);
	buf_release(&clean);
	return 0;
}

static int read_reply(struct follow *f, struct err *e)
{
	struct follow_turn *t = &f->turn;
	ssize_t n = 1;

	while (t->running && !t->past && n > 0) {
		char *to = buf_room(&t->held, PART);

		if (!to)
			return err_oom(e); /* not reached: no memory while following */
		n = pread(t->fd, to, PART, (off_t)t->read);
		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot read '%s/%s/" SPOOL_FILE "'", f->store->dir, f->id);
		if (n <= 0)
			continue;
		t->held.n += (size_t)n;
		t->read += (size_t)n;
		t->moved = clock_steady_ms();
		if (tell_text(f, false, e) < 0)
			return -1; /* not reached: no memory while following */
	}
	return 0;
}

static int end_turn(struct follow *f, enum follow_kind how, struct err *e)
{
	if (tell_text(f, true, e) < 0)
		return -1; /* not reached: no memory while following */
	f->turn.running = false;
	f->turn.cut = true;
	tell_event(f, &(struct follow_event){ .kind = how });
	return 0;
}

/* The turn's file has lost its name, and not to the turn's next step. */
static int lose_turn(struct follow *f, struct err *e)
{
	return f->turn.running ? end_turn(f, FOLLOW_LOST, e) : 0;
}

/* 1 if the turn's file still has its name, else 0: another file of that name belongs to another turn. */
static int has_name(const struct follow *f, struct err *e)
{
	int leads = f->turn.fd < 0 ? 0 : place_leads(f->dir, SPOOL_FILE, f->turn.fd);

	/* Any other failure must not count as a turn that ended. */
	return leads < 0 ? err_sys(e, errno, "cannot examine '%s/%s/" SPOOL_FILE "'", f->store->dir, f->id)
	                 : leads;
}

/* ---- the history ---- */

/* Finds what was not reported yet of a text that is now stored. */
static void describe_text(const struct follow_turn *t, struct span stored, struct follow_event *ev)
{
	struct span told = { stored.p, t->told };

	ev->rest = stored;
	if (!ev->begun)
		return;
	ev->differs = t->told > stored.n || (t->told && span_hash(told) != t->hash);
	if (!ev->differs && t->told)
		ev->rest = (struct span){ stored.p + t->told, stored.n - t->told };
}

static void describe_exchange(struct follow *f, const struct exchange *x, struct follow_event *ev)
{
	struct follow_turn *t = &f->turn;

	ev->begun = t->id.n && span_same(x->id, buf_span(&t->id));
	ev->cut = ev->begun && t->cut;
	describe_text(t, x->answer, ev);
	t->running = t->running && !ev->begun;
	buf_clear(&f->last);
	buf_add(&f->last, x->id.p, x->id.n);
}

/* Reports the rest of the text now: the file may be deleted before it is read again. */
static void describe_step(struct follow_turn *t, const struct step *s, struct follow_event *ev)
{
	ev->begun = t->running && span_same(s->exchange, buf_span(&t->id)) && s->n == t->step;
	describe_text(t, s->text, ev);
	if (!ev->begun)
		return;
	t->past = true;
	t->step++;
	begin_text(t);
}

static int tell_record(struct follow *f, size_t at, struct span line, const struct record *r,
                       struct err *e)
{
	struct follow_event ev = { .kind = FOLLOW_RECORD, .record = r, .line = line, .at = at };

	if (r->type == RECORD_EXCHANGE)
		describe_exchange(f, &r->exchange, &ev);
	else if (r->type == RECORD_STEP)
		describe_step(&f->turn, &r->step, &ev);
	tell_event(f, &ev);
	return buf_check(&f->last, e);
}

static int tell_records(struct follow *f, struct err *e)
{
	const struct jsonl *j = &f->history;
	struct span line;

	for (size_t start = f->at; jsonl_next(j, &f->at, &line); start = f->at) {
		struct record r;
		int told;

		if (!history_record(f->store, f->id, j, start, &r))
			continue;
		told = tell_record(f, start, (struct span){ line.p, line.n + 1 }, &r, e);
		record_release(&r);
		if (told < 0)
			return -1; /* not reached: no memory while following */
	}
	return 0;
}

static int tell_history(struct follow *f, struct err *e)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return err_sys(e, errno, "cannot examine session '%s'", f->id);
	if ((size_t)st.st_size < f->history.mapped)
		return err_set(e, ERR_FAILED, "the history of session '%s' was cut short", f->id);
	if ((size_t)st.st_size > f->history.mapped) {
		jsonl_unmap(&f->history);
		if (jsonl_map(&f->history, f->fd, e) < 0)
			return err_prefix(e, /* not reached: it was mapped before */
			                  "session '%s'", f->id);
	}
	return tell_records(f, e);
}

/* ---- a turn begins ---- */

/* Reads the first line. 0: it has no newline yet. */
static int read_first_line(int fd, struct buf *b, struct err *e)
{
	for (;;) {
		char *to = buf_room(b, PART);
		ssize_t n;
		char *end;

		if (!to)
			return err_oom(e); /* not reached: no memory while following */
		n = pread(fd, to, PART, (off_t)b->n);
		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot read it");
		if (n <= 0)
			return 0;
		end = memchr(to, '\n', (size_t)n);
		b->n = end ? (size_t)(end - b->p) : b->n + (size_t)n;
		if (end)
			return 1;
	}
}

/* The turn takes `fd`. */
static void take_turn(struct follow *f, int fd, size_t head, const struct exchange *x, int64_t step, bool running)
{
	struct follow_turn *t = &f->turn;

	if (t->fd >= 0)
		close(t->fd);
	t->fd = fd;
	t->running = running;
	t->cut = false;
	t->step = step;
	t->past = false;
	t->read = head;
	t->moved = clock_steady_ms();
	begin_text(t);
	buf_clear(&t->id);
	if (x)
		buf_add(&t->id, x->id.p, x->id.n);
}

static bool is_between(const struct jsonl *j, size_t from, size_t end, struct span id)
{
	struct record r;

	if (!history_find(j, from, end, id, &r))
		return false;
	record_release(&r);
	return true;
}

/* The step in the file may be stored already, and may have been reported as part of an unknown turn, or before
 * following began: its file stays while its tools run. Only steps and results can follow it. */
static int tell_stored_step(struct follow *f, struct err *e)
{
	size_t at = f->at;
	struct span line;
	bool found = false, more = true;
	int told = 0;

	while (!found && more && jsonl_prev(&f->history, &at, &line)) {
		struct err ignored = ERR_INIT;
		struct record r;

		if (record_parse(line, &r, &ignored) < 0)
			continue;
		more = r.type == RECORD_STEP || r.type == RECORD_RESULT;
		found = r.type == RECORD_STEP && r.step.n == f->turn.step &&
		        span_same(r.step.exchange, buf_span(&f->turn.id));
		if (found)
			told = tell_record(f, at, (struct span){ line.p, line.n + 1 }, &r, e);
		record_release(&r);
	}
	return told;
}

/*
 * What was stored before the turn is reported first. That may include this turn: it was the last one when its
 * file was opened, or has been stored since, and other turns may have followed. Only a file that existed before
 * the first look can be older: a crash of another writer left it.
 */
static int begin_turn(struct follow *f, int fd, size_t head, const struct exchange *x, int64_t step, struct err *e)
{
	bool stored = span_same(buf_span(&f->last), x->id);
	bool next = f->turn.running && span_same(buf_span(&f->turn.id), x->id); /* step of this turn */
	size_t from = f->looked ? f->at : 0;
	int64_t wanted;

	if ((!next && lose_turn(f, e) < 0) || tell_history(f, e) < 0) {
		close(fd);
		return -1;
	}
	stored = stored || is_between(&f->history, from, f->at, x->id);
	wanted = next ? f->turn.step : step;
	take_turn(f, fd, head, x, wanted, !stored);
	f->turn.past = step < wanted;
	if (stored)
		return 0;
	if (!next)
		tell_event(f, &(struct follow_event){ .kind = FOLLOW_BEGUN, .exchange = x });
	if (buf_check(&f->turn.id, e) < 0 || read_reply(f, e) < 0 || (!next && tell_stored_step(f, e) < 0))
		return -1;
	if (!f->looked)
		f->turn.moved -= DOUBT_MS; /* a file that existed before is doubted at once */
	return 0;
}

/* A file that cannot be read as a turn is reported once; the next writer renames it. */
static int refuse_turn(struct follow *f, int fd, const struct err *why, struct err *e)
{
	if (lose_turn(f, e) < 0) {
		close(fd); /* not reached: no memory while following */
		return -1; /* not reached: no memory while following */
	}
	store_notice(f->store, "%s/%s/" SPOOL_FILE " is damaged (%s)", f->store->dir, f->id, why->msg);
	take_turn(f, fd, 0, NULL, 0, false);
	return 0;
}

static int look_for_turn(struct follow *f, struct err *e)
{
	struct err why = ERR_INIT;
	struct buf head = BUF_INIT;
	struct exchange x;
	struct spool sp;
	int fd = place_file(f->dir, SPOOL_FILE, O_RDONLY, &why), r;

	if (fd < 0)
		return lose_turn(f, e); /* usually it does not exist; the next writer refuses a link */
	r = read_first_line(fd, &head, e);
	if (r > 0 && buf_check(&head, e) < 0)
		r = -1; /* not reached: no memory while following */
	if (r <= 0) {
		close(fd);
		if (r == 0) /* the file of a next step would be complete */
			r = lose_turn(f, e);
	} else {
		r = spool_head(&sp, buf_span(&head), &x, &why);
		r = r < 0 ? refuse_turn(f, fd, &why, e) : begin_turn(f, fd, head.n + 1, &x, sp.step, e);
		spool_release(&sp);
	}
	buf_release(&head);
	return r < 0 ? -1 : 0;
}

/* ---- a turn that nobody runs ---- */

/* /proc/locks does not show a holder in another container or on another machine, but its lock excludes
 * ours. */
static bool is_held(const struct follow *f)
{
	if (lock_holder(f->fd) > 0)
		return true;
	if (flock(f->fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK; /* on a file system without locks, no process holds one */
	flock(f->fd, LOCK_UN);
	return false;
}

/* A writer stores the turn and deletes its file before it ends the lock. */
static int doubt_turn(struct follow *f, struct err *e)
{
	int named;

	if (!f->turn.running || clock_steady_ms() - f->turn.moved < DOUBT_MS)
		return 0;
	f->turn.moved = clock_steady_ms();
	if (is_held(f))
		return 0;
	named = has_name(f, e);
	if (named < 0 || read_reply(f, e) < 0 || tell_history(f, e) < 0)
		return -1;
	return f->turn.running ? end_turn(f, named ? FOLLOW_CUT : FOLLOW_LOST, e) : 0;
}

/* ---- a look ---- */

static int look_at_turns(struct follow *f, struct err *e)
{
	int named = has_name(f, e);

	if (named < 0 || read_reply(f, e) < 0 || tell_history(f, e) < 0)
		return -1;
	if (!named && look_for_turn(f, e) < 0)
		return -1;
	return doubt_turn(f, e);
}

/* `leads` and `why` are the result and errno of place_leads() for the history. */
static int judge_name(const struct follow *f, int leads, int why, struct err *e)
{
	if (leads > 0)
		return 0;
	if (leads < 0)
		return err_sys(e, why, "cannot examine session '%s'", f->id);
	if (why)
		return err_set(e, ERR_GONE, "session '%s' was removed", f->id);
	return err_set(e, ERR_GONE, "the history of session '%s' was replaced, by a repair or by "
	               "another session of its name", f->id);
}

int follow_look(struct follow *f, struct err *e)
{
	char path[ID_SIZE + sizeof("/" HISTORY_FILE)];
	int leads, why;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, f->id);
	/* Before the rest is read, so that nothing in the old file is missed. */
	leads = place_leads(f->store->fd, path, f->fd);
	why = errno;
	f->found = false;
	if ((f->turns ? look_at_turns(f, e) : tell_history(f, e)) < 0)
		return -1;
	f->looked = true;
	return judge_name(f, leads, why, e);
}

enum watch_result follow_wait(struct follow *f, int stop_fd, int out_fd)
{
	return watch_wait(&f->watch, f->found, f->turn.running, stop_fd, out_fd);
}

int follow_open(struct follow *f, const struct store *s, const char *id, struct err *e)
{
	*f = (struct follow){ .store = s, .dir = -1, .turn = { .fd = -1, .id = BUF_INIT, .held = BUF_INIT },
		                  .last = BUF_INIT, .watch = { .fd = -1 } };
	snprintf(f->id, sizeof(f->id), "%s", id);
	f->fd = history_open(s, id, O_RDONLY, &f->dir, e);
	if (f->fd < 0)
		return -1;
	watch_begin(&f->watch, f->dir); /* before the first look, so that nothing is missed */
	if (jsonl_map(&f->history, f->fd, e) == 0) {
		f->at = f->history.n;
		return 0;
	}
	follow_close(f);
	return err_prefix(e, "session '%s'", id);
}

void follow_close(struct follow *f)
{
	jsonl_unmap(&f->history);
	watch_end(&f->watch);
	if (f->turn.fd >= 0)
		close(f->turn.fd);
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir >= 0)
		close(f->dir);
	f->turn.fd = f->fd = f->dir = -1;
	buf_release(&f->turn.id);
	buf_release(&f->turn.held);
	buf_release(&f->last);
}
