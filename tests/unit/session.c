/*
 * What is appended to a session: after each record the index says of it what it would if it
 * were made anew from the history.
 */
#include "store/session.h"

#include "data.h"
#include "store/index.h"
#include "tap.h"
#include "temp.h"

static struct store store = { .dir = ".", .fd = -1, .stop_fd = -1 };
static int64_t now = 1000;

static struct exchange exchange(const char *id, enum status status)
{
	return (struct exchange){
		.id = span_str(id), .timestamp = now += 10, .query = span_str(id), .answer = span_str("a"),
		.model = span_str("m"), .status = status, .duration = 1,
		.usage = { 1, 1, 2, -1, -1, -1, -1 },
	};
}

/* The conversation's ids, its title, and what is wrong with the index. */
static void look(struct session *x, struct buf *out)
{
	struct buf listed = BUF_INIT, made = BUF_INIT;
	struct err e = ERR_INIT;
	struct conversation c;
	int fd = index_open_file(&store, O_RDONLY, &e);

	buf_clear(out);
	if (session_load(x, &c, &e) < 0) {
		buf_adds(out, e.msg);
		return;
	}
	for (size_t i = 0; i < c.n; i++)
		buf_addf(out, "%.*s ", (int)c.turns[i].exchange.id.n, c.turns[i].exchange.id.p);
	buf_addf(out, "'%s' %s", c.title.p, c.model.p);
	index_add_record(&made, "s", &c.info);
	if (fd < 0 || index_find(fd, "s", &listed, &e) < 1)
		buf_adds(out, "; it is not listed");
	else if (!span_same(buf_span(&made), buf_span(&listed)))
		buf_addf(out, "; listed as %s and not as %s", listed.p, made.p);
	if (fd >= 0)
		close(fd);
	conversation_release(&c);
	buf_release(&listed);
	buf_release(&made);
}

static void is_now(struct session *x, const char *want, const char *what)
{
	struct buf got = BUF_INIT;

	look(x, &got);
	is_buf(&got, want, "%s", what);
	buf_release(&got);
}

static int say(struct session *x, const char *id, enum status status, const struct change *change)
{
	struct exchange q = exchange(id, status);
	struct err e = ERR_INIT;
	struct conversation c;
	int r = session_load(x, &c, &e);

	if (r == 0) {
		r = session_append(x, &c.info, &q, change, &e);
		conversation_release(&c);
	}
	return r;
}

static int say_again(struct session *x, const char *old, const char *id, bool takes,
                     const struct change *change, struct err *e)
{
	struct exchange q = exchange(id, STATUS_COMPLETE);
	struct conversation c;
	struct record was;
	int r = session_load_before(x, &c, span_str(old), &was, e);

	if (r == 0) {
		r = session_append_again(x, &c, &q, change, was.exchange.id, takes, e);
		conversation_release(&c);
	}
	record_release(&was);
	return r;
}

static int rewind_by(struct session *x, size_t n)
{
	struct err e = ERR_INIT;
	struct conversation c;
	int r = session_load(x, &c, &e);

	if (r == 0) {
		r = session_rewind(x, &c, n, &e);
		conversation_release(&c);
	}
	return r;
}

static int change_to(struct session *x, const struct change *change)
{
	struct err e = ERR_INIT;
	struct conversation c;
	int r = session_load(x, &c, &e);

	if (r == 0) {
		r = session_append_change(x, &c, change, &e);
		conversation_release(&c);
	}
	return r;
}

static void test_appends(struct session *x)
{
	const struct change title = { .timestamp = 1, .title = span_str("T"), .usage = { 5, 5, 10, 1, 1, -1, -1 } };
	const struct change none = { .timestamp = 1, .title = span_str(""), .usage = USAGE_NONE };
	const struct change model = { .timestamp = 1, .model = span_str("n"), .usage = USAGE_NONE };
	struct err e = ERR_INIT;

	is_int(rewind_by(x, 0), 0, "nothing is taken out of nothing");
	is_now(x, "'' m", "which stays nothing");
	is_int(say(x, "a", STATUS_COMPLETE, NULL), 0, "an exchange");
	is_int(say(x, "b", STATUS_ERROR, &model), 0, "one with a change");
	is_now(x, "a b '' n", "both are there");
	is_int(change_to(x, &title), 0, "a title");
	is_now(x, "a b 'T' n", "and what finding it cost");
	is_int(say_again(x, "b", "c", true, NULL, &e), 0, "one in the place of the last");
	is_now(x, "a c 'T' n", "takes it");
	is_int(say_again(x, "c", "d", false, &model, &e), 0, "one that may not take it");
	is_now(x, "a c 'T' n", "leaves it as it is");
	is_int(say_again(x, "a", "e", true, NULL, &e), -1, "one in the place of another than the last");
	is_err(&e, ERR_FAILED, "session 's' has gone on in another process meanwhile", "is refused");
	is_now(x, "a c 'T' n", "and nothing is appended");
	is_int(change_to(x, &none), 0, "the title is taken away");
	is_now(x, "a c '' n", "and is no empty one");
	is_int(say(x, "f", STATUS_INTERRUPTED, &title), 0, "an exchange may bring one");
	is_now(x, "a c f 'T' n", "and does");
	is_int(say(x, "g", STATUS_COMPLETE, &none), 0, "or take it away");
	is_now(x, "a c f g '' n", "and does");
	is_int(rewind_by(x, 2), 0, "two are taken out");
	is_now(x, "a c '' n", "and are out");
	is_int(rewind_by(x, 2), 0, "the rest");
	is_now(x, "'' n", "is out, too");
	is_int(say(x, "h", STATUS_COMPLETE, NULL), 0, "another one");
	is_now(x, "h '' n", "is the first");
	err_clear(&e);
	is_int(say_again(x, "h", "i", true, NULL, &e), 0, "the only one gives way");
	is_now(x, "i '' n", "to another");
}

/* The session goes in spite of the lock: nothing is written to what has no name. */
static void test_gone(struct session *x)
{
	const struct change title = { .timestamp = 1, .title = span_str("T"), .usage = USAGE_NONE };
	struct err e = ERR_INIT;

	if (rename("s", "t") < 0)
		tap_note("cannot rename");
	is_int(say_again(x, "i", "j", true, NULL, &e), -1, "asked again in a session that went");
	is_int(e.kind, ERR_GONE, "it is gone");
	is_int(rewind_by(x, 1), -1, "nothing is taken out of it");
	is_int(change_to(x, &title), -1, "nor changed");
	if (rename("t", "s") < 0)
		tap_note("cannot rename");
	is_now(x, "i '' n", "it is as it was");
}

int main(void)
{
	const struct lock_wait wait = { .no_wait = true, .stop_fd = -1 };
	struct session_head head = { .created_at = 5, .id = span_str("s"), .provider = span_str("echo"),
		                     .model = span_str("m"), .cwd = span_str("/w") };
	struct err e = ERR_INIT;
	char id[ID_SIZE];
	struct session x;

	temp_enter();
	store.fd = open(".", O_RDONLY | O_DIRECTORY);
	if (session_create(&store, &head, id, &e) < 0 || session_lock(&x, &store, id, &wait, &e) < 0) {
		ok(false, "%s", e.msg);
		return tap_end();
	}
	test_appends(&x);
	test_gone(&x);
	session_unlock(&x);
	close(store.fd);
	return tap_end();
}
