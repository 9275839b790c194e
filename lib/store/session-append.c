/* What is appended to a locked session's history, and what the index then says of it. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/session.h"
#include "store/spool.h"

/* The first exchange makes the session worth keeping: its folder's name and the
 * folder's own must survive a power cut too. They are synced before it is stored, since
 * nobody would make up for it afterwards. */
static int sync_names(const struct session *x, struct err *e)
{
	if (io_sync_folder(x->dir) < 0 || io_sync_folder(x->store->fd) < 0)
		return err_sys(e, errno, "cannot be sure that it is on the disk");
	return 0;
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
		return err_set(e, ERR_FAILED, "it is not UTF-8"); /* not reached: the callers clean the text */
	return n > JSON_MAX ? err_set(e, ERR_FAILED, "it is larger than %u MiB", JSON_MAX >> 20) : 0;
}

/* Appends these lines. */
static int append_history(struct session *x, const struct session_info *sum, const struct buf *b,
                          const struct record_gaps *gaps, const char *what, struct err *e)
{
	int there = session_is_there(x, e), r;

	if (there == 0)
		err_set(e, ERR_GONE, "session '%s' was removed", x->id);
	if (there <= 0)
		return -1;
	r = check_record(b, gaps, e);
	if (r == 0 && !sum->first_query.p)
		r = sync_names(x, e);
	if (r == 0)
		r = jsonl_append_gaps(x->fd, buf_span(b), gaps->list, gaps->n, true, e);
	return r < 0 ? err_prefix(e, "cannot store the %s in session '%s'", what, x->id) : 0;
}

/* The file's size; -1 where it cannot be told: the index is a cache, and better none than
 * a false one. */
static int64_t history_size(const struct session *x)
{
	struct stat st;

	if (fstat(x->fd, &st) == 0)
		return (int64_t)st.st_size;
	index_not_updated(x->store, x->id, strerror(errno));
	return -1;
}

static void take_change(struct session_info *sum, const struct change *change)
{
	if (!change)
		return;
	usage_add(&sum->usage, &change->usage);
	if (change->model.p)
		sum->model = change->model;
	if (change->title.p) /* an empty one takes it away */
		sum->title = change->title.n ? change->title : (struct span){ NULL, 0 };
}

/* Counts what was appended, and tells the list of sessions. */
static void list(struct session *x, struct session_info *sum, const struct exchange *exchange,
                 const struct change *change)
{
	int64_t bytes = history_size(x);

	take_change(sum, change);
	if (bytes < 0)
		return;
	if (exchange)
		info_count(sum, exchange, bytes);
	sum->history_bytes = bytes;
	index_update(x->store, x->id, sum);
}

/* The same by reading all of it again. */
static void list_again(struct session *x)
{
	struct err why = ERR_INIT;
	struct conversation c;

	if (session_load(x, &c, &why) < 0) {
		index_not_updated(x->store, x->id, why.msg);
		return;
	}
	index_update(x->store, x->id, &c.info);
	conversation_release(&c);
}

int session_append(struct session *x, struct session_info *sum, const struct exchange *exchange,
                   const struct change *change, struct err *e)
{
	struct record_gaps gaps;
	struct buf b = BUF_INIT;
	int r;

	if (change)
		record_add_change(&b, change);
	record_add_exchange_gaps(&b, exchange, &gaps);
	r = append_history(x, sum, &b, &gaps, "exchange", e);
	buf_release(&b);
	if (r < 0)
		return -1;
	spool_remove(x->dir);
	list(x, sum, exchange, change);
	return 0;
}

static struct span last_id(const struct conversation *c, size_t n)
{
	return n ? c->turns[n - 1].exchange.id : (struct span){ NULL, 0 };
}

static void add_rewind(struct buf *b, int64_t timestamp, struct span to)
{
	const struct rewind r = { .timestamp = timestamp, .to = to };

	record_add_rewind(b, &r);
}

int session_append_again(struct session *x, struct conversation *c,
                         const struct exchange *exchange, const struct change *change,
                         struct span old, bool takes, struct err *e)
{
	struct record_gaps gaps;
	struct buf b = BUF_INIT;
	int r;

	if (takes)
		add_rewind(&b, exchange->timestamp, last_id(c, c->n));
	if (change)
		record_add_change(&b, change);
	record_add_exchange_gaps(&b, exchange, &gaps);
	if (!takes)
		add_rewind(&b, exchange->timestamp, old);
	r = append_history(x, &c->info, &b, &gaps, "exchange", e);
	buf_release(&b);
	if (r < 0)
		return -1;
	spool_remove(x->dir);
	if (takes)
		list(x, &c->info, exchange, change);
	else
		list_again(x);
	return 0;
}

int session_append_change(struct session *x, struct conversation *c, const struct change *change,
                          struct err *e)
{
	const struct record_gaps none = { .n = 0 };
	struct buf b = BUF_INIT;
	int r;

	record_add_change(&b, change);
	r = append_history(x, &c->info, &b, &none, "change", e);
	buf_release(&b);
	if (r < 0)
		return -1;
	list(x, &c->info, NULL, change);
	return 0;
}

int session_rewind(struct session *x, const struct conversation *c, size_t n, struct err *e)
{
	const struct record_gaps none = { .n = 0 };
	struct buf b = BUF_INIT;
	int r;

	add_rewind(&b, clock_now_ms(), last_id(c, c->n - n));
	r = append_history(x, &c->info, &b, &none, "rewind", e);
	buf_release(&b);
	if (r == 0)
		list_again(x);
	return r;
}

int session_append_summary(struct session *x, struct conversation *c, const struct summary *summary,
                        struct err *e)
{
	const struct record_gaps none = { .n = 0 };
	struct buf b = BUF_INIT;
	struct record copy;
	int64_t bytes;
	int r;

	record_add_summary(&b, summary);
	r = buf_check(&b, e) < 0 ? -1 : record_parse(buf_span(&b), &copy, e);
	if (r == 0 && append_history(x, &c->info, &b, &none, "summary", e) < 0) {
		record_release(&copy);
		r = -1;
	}
	buf_release(&b);
	if (r < 0)
		return -1;
	conversation_take_summary(c, &copy);
	bytes = history_size(x);
	if (bytes < 0)
		return 0;
	info_count_summary(&c->info, summary, bytes);
	index_update(x->store, x->id, &c->info);
	return 0;
}
