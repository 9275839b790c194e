#include "store/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/history-gist.h"
#include "store/id.h"
#include "store/place.h"

static int open_failed(const struct store *s, const char *id, bool folder, struct err *e)
{
	if (e->kind != ERR_NOT_FOUND)
		return err_prefix(e, "'%s/%s%s'", s->dir, id, folder ? "" : "/" HISTORY_FILE);
	err_clear(e);
	return err_set(e, ERR_NOT_FOUND, "no session '%s'", id);
}

int history_open(const struct store *s, const char *id, int flags, int *dir, struct err *e)
{
	int fd;

	*dir = s->fd < 0 ? err_set(e, ERR_NOT_FOUND, "no store") : place_folder(s->fd, id, e);
	if (*dir < 0)
		return open_failed(s, id, true, e);
	fd = place_file(*dir, HISTORY_FILE, flags, e);
	if (fd >= 0)
		return fd;
	close(*dir);
	*dir = -1;
	return open_failed(s, id, false, e);
}

int history_map(const struct store *s, const char *id, struct jsonl *j, struct err *e)
{
	int dir, fd = history_open(s, id, O_RDONLY, &dir, e), r;

	if (fd < 0)
		return -1;
	r = jsonl_map(j, fd, e);
	close(fd);
	close(dir);
	return r < 0 ? err_prefix(e, "'%s/%s/" HISTORY_FILE "'", s->dir, id) : 0;
}

static void notice_damage(const struct store *s, const char *id, const struct jsonl *j,
                          size_t offset, const char *why)
{
	store_notice(s, "%s/%s/" HISTORY_FILE ":%zu: skipped a damaged record: %s", s->dir, id,
	             jsonl_line_number(j, offset), why);
}

bool history_record(const struct store *s, const char *id, const struct jsonl *j, size_t offset,
                    struct record *r)
{
	struct err e = ERR_INIT;
	struct span line;
	size_t at = offset;

	if (!jsonl_next(j, &at, &line)) {
		store_notice(s, "%s/%s/" HISTORY_FILE " has no valid session record", s->dir, id);
		return false;
	}
	if (record_parse(line, r, &e) == 0)
		return true;
	notice_damage(s, id, j, offset, e.msg);
	return false;
}

static bool is_exchange(struct span line, struct span id, struct record *r)
{
	struct err ignored = ERR_INIT;

	if (!memmem(line.p, line.n, id.p, id.n) || record_parse(line, r, &ignored) < 0)
		return false;
	if (r->type == RECORD_EXCHANGE && span_same(r->exchange.id, id))
		return true;
	record_release(r);
	return false;
}

bool history_find(const struct jsonl *j, size_t from, size_t end, struct span id, struct record *r)
{
	struct span line;

	while (end > from && jsonl_prev(j, &end, &line))
		if (is_exchange(line, id, r))
			return true;
	return false;
}

static void copy_change(struct buf *to, struct span value)
{
	if (!value.p)
		return;
	buf_clear(to);
	buf_add(to, value.p, value.n);
}

static void info_of_head(struct conversation *c)
{
	const struct session_head *h = &c->head.head;

	c->info.created_at = c->info.updated_at = h->created_at;
	c->info.provider = h->provider;
	c->info.cwd = h->cwd;
	copy_change(&c->model, h->model);
	copy_change(&c->title, h->title);
	c->titled = h->title.p != NULL;
}

static void count_usage(struct session_info *s, int64_t end, const struct usage *u)
{
	usage_add(&s->usage, u);
	if (end > s->updated_at)
		s->updated_at = end;
}

static void count_exchange(struct session_info *s, const struct exchange *x)
{
	count_usage(s, x->timestamp + (x->duration > 0 ? x->duration : 0), &x->usage);
}

static void count_turn(struct session_info *s, const struct exchange *x)
{
	if (!s->first_query.p)
		s->first_query = x->query;
	s->last_query = x->query;
	s->exchange_count += x->status == STATUS_COMPLETE;
}

void info_count(struct session_info *s, const struct exchange *x, int64_t bytes)
{
	count_exchange(s, x);
	count_turn(s, x);
	s->history_bytes = bytes;
}

void info_count_summary(struct session_info *s, const struct summary *g, int64_t bytes)
{
	count_usage(s, g->timestamp, &g->usage);
	s->history_bytes = bytes;
}

/* A conversation while it is read. */
struct reading {
	struct conversation *c;
	const struct turns *t;
	size_t next; /* of these */
	struct gists gists;
};

/* Takes the record in, and with it its ownership when it is kept. */
static int take(struct reading *rd, struct record *r, size_t offset, struct err *e)
{
	struct conversation *c = rd->c;

	switch (r->type) {
	case RECORD_SESSION:
		if (c->head.json)
			break;
		c->head = *r;
		r->json = NULL;
		info_of_head(c);
		break;
	case RECORD_EXCHANGE:
		count_exchange(&c->info, &r->exchange);
		if (rd->next == rd->t->n || rd->t->offsets[rd->next] != offset)
			break;
		count_turn(&c->info, &r->exchange);
		c->turns[c->n++] = *r;
		r->json = NULL;
		break;
	case RECORD_CHANGE:
		usage_add(&c->info.usage, &r->change.usage);
		copy_change(&c->model, r->change.model);
		copy_change(&c->title, r->change.title);
		c->titled |= r->change.title.p != NULL;
		break;
	case RECORD_SUMMARY:
		count_usage(&c->info, r->summary.timestamp, &r->summary.usage);
		return gists_meet(&rd->gists, &r->summary, offset, c->n, e);
	case RECORD_STEP:
	case RECORD_RESULT:
	case RECORD_REWIND:
	case RECORD_OTHER:
		break;
	}
	return 0;
}

/* A record that is damaged is passed over. What only cannot be read now must not be. */
static int read_records(struct reading *rd, const struct store *s, const char *id,
                        const struct jsonl *j, struct err *e)
{
	struct span line;
	size_t at = 0;

	for (size_t start = 0; jsonl_next(j, &at, &line); start = at) {
		struct err why = ERR_INIT;
		struct record r;
		int taken = 0;

		if (record_parse(line, &r, &why) == 0)
			taken = take(rd, &r, start, e);
		else if (why.kind == ERR_DAMAGED || (why.kind == ERR_VERSION && rd->c->head.json))
			notice_damage(s, id, j, start, why.msg);
		else
			return err_set(e, why.kind, "%s/%s/" HISTORY_FILE ":%zu: %s", s->dir, id,
			               jsonl_line_number(j, start), why.msg);
		if (rd->next < rd->t->n && rd->t->offsets[rd->next] == start)
			rd->next++;
		if (why.kind == ERR_NONE)
			record_release(&r);
		if (taken < 0)
			return -1;
	}
	return 0;
}

static int read_conversation(struct conversation *c, const struct store *s, const char *id,
                             const struct jsonl *j, const struct turns *t, struct err *e)
{
	struct reading rd = { .c = c, .t = t };
	int r = read_records(&rd, s, id, j, e);

	if (r == 0)
		r = gists_choose(&rd.gists, j, c, e);
	gists_release(&rd.gists);
	return r;
}

static int finish(struct conversation *c, const struct store *s, const char *id, struct err *e)
{
	if (c->model.oom || c->title.oom)
		return err_oom(e);
	if (!c->head.json)
		return err_set(e, ERR_DAMAGED, "%s/%s/" HISTORY_FILE " has no valid session record", s->dir,
		               id);
	c->info.model = buf_span(&c->model);
	if (c->title.n)
		c->info.title = buf_span(&c->title);
	return 0;
}

static int load(struct conversation *c, const struct store *s, const char *id,
                const struct jsonl *j, const struct turns *t, struct err *e)
{
	*c = (struct conversation)CONVERSATION_INIT;
	c->info.usage = (struct usage)USAGE_NONE;
	c->info.history_bytes = (int64_t)j->n;
	c->turns = calloc(t->n + 1, sizeof(*c->turns));
	if (!c->turns)
		return err_oom(e);
	if (read_conversation(c, s, id, j, t, e) == 0 && finish(c, s, id, e) == 0)
		return 0;
	conversation_release(c);
	return -1;
}

int conversation_load(struct conversation *c, const struct store *s, const char *id,
                      const struct jsonl *j, struct err *e)
{
	struct turns t;
	int r = history_turns(NULL, id, j, 0, &t, e);

	if (r == 0)
		r = load(c, s, id, j, &t, e);
	turns_release(&t);
	return r;
}

static int parse_at(const struct jsonl *j, size_t at, struct record *r)
{
	struct err ignored = ERR_INIT;
	struct span line;

	return jsonl_next(j, &at, &line) ? record_parse(line, r, &ignored) : -1;
}

/* Takes the last one off; damaged ones behind it are none. */
static int drop_last(struct turns *t, const char *id, const struct jsonl *j, struct span last,
                     struct record *old, struct err *e)
{
	while (t->n && parse_at(j, t->offsets[--t->n], old) < 0)
		;
	if (old->json && old->type == RECORD_EXCHANGE && span_same(old->exchange.id, last))
		return 0;
	record_release(old);
	return err_set(e, ERR_FAILED, "session '%s' has gone on in another process meanwhile", id);
}

int conversation_load_before(struct conversation *c, const struct store *s, const char *id,
                             const struct jsonl *j, struct span last, struct record *old,
                             struct err *e)
{
	struct turns t;
	int r = history_turns(NULL, id, j, 0, &t, e);

	memset(old, 0, sizeof(*old));
	if (r == 0)
		r = drop_last(&t, id, j, last, old, e);
	if (r == 0)
		r = load(c, s, id, j, &t, e);
	if (r < 0)
		record_release(old);
	turns_release(&t);
	return r;
}

int conversation_add(struct conversation *c, const struct exchange *x, struct err *e)
{
	struct record *more = realloc(c->turns, (c->n + 1) * sizeof(*more));
	struct buf line = BUF_INIT;
	int r;

	if (!more)
		return err_oom(e); /* not reached: no memory for an exchange that is not stored */
	c->turns = more;
	record_add_exchange(&line, x); /* the record that is read back owns its strings */
	r = buf_check(&line, e) < 0 ? -1 : record_parse(buf_span(&line), &c->turns[c->n], e);
	buf_release(&line);
	c->n += r == 0;
	return r;
}

void conversation_take_summary(struct conversation *c, struct record *gist)
{
	size_t covered = c->n;

	while (covered && !span_same(c->turns[covered - 1].exchange.id, gist->summary.up_to))
		covered--;
	record_release(&c->summary);
	c->summary = *gist;
	c->covered = covered;
}

void conversation_cut(struct conversation *c, struct cut *cut)
{
	*cut = (struct cut){ .turn = c->turns[--c->n] };
	if (c->covered <= c->n)
		return;
	cut->summary = c->summary;
	cut->covered = c->covered;
	memset(&c->summary, 0, sizeof(c->summary));
	c->covered = 0;
}

void conversation_mend(struct conversation *c, struct cut *cut)
{
	c->turns[c->n++] = cut->turn;
	if (cut->summary.json) {
		record_release(&c->summary);
		c->summary = cut->summary;
		c->covered = cut->covered;
	}
	*cut = (struct cut){ .covered = 0 };
}

void cut_release(struct cut *cut)
{
	record_release(&cut->turn);
	record_release(&cut->summary);
}

void conversation_release(struct conversation *c)
{
	if (c->head.json)
		record_release(&c->head);
	record_release(&c->summary);
	for (size_t i = 0; i < c->n; i++)
		record_release(&c->turns[i]);
	free(c->turns);
	buf_release(&c->model);
	buf_release(&c->title);
	*c = (struct conversation)CONVERSATION_INIT;
}
