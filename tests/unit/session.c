/*
 * A session's life as its users see it: after each record that is appended, the conversation and
 * the index are what reading the history anew makes of it; what others append is read on; and of
 * a long one only the end is read.
 */
#include "store/session.h"

#include "base/clock.h"
#include "data.h"
#include "store/index.h"
#include "store/spool.h"
#include "tap.h"
#include "temp.h"

static char notices[16][256];
static size_t nnotices;

static void notice(const char *sentence)
{
	if (nnotices < 16)
		snprintf(notices[nnotices], sizeof(notices[0]), "%s", sentence);
	nnotices++;
}

static struct store store = { .dir = ".", .fd = -1, .stop_fd = -1, .notice = notice };
static struct store silent = { .dir = ".", .fd = -1, .stop_fd = -1 };
static const struct lock_wait wait = { .no_wait = true, .stop_fd = -1 };
static int64_t now = 1000;

/* The one that `parent` names is followed; NULL: none. */
static struct exchange exchange(const char *id, const char *parent, enum status status)
{
	return (struct exchange){
		.id = span_str(id), .has_parent = true,
		.parent = parent ? span_str(parent) : (struct span){ NULL, 0 }, .timestamp = now += 10,
		.query = span_str(id), .answer = span_str("a"), .model = span_str("m"), .status = status,
		.duration = 1, .usage = { 1, 1, 2, -1, -1, -1, -1 },
	};
}

static void create(const char *id)
{
	struct session_head head = { .created_at = 5, .id = span_str(id), .provider = span_str("echo"),
		                     .model = span_str("m0"), .cwd = span_str("/w") };
	struct err e = ERR_INIT;
	char name[ID_SIZE];

	if (session_create(&store, &head, name, &e) < 0)
		ok(false, "%s", e.msg);
}

static void add_path(struct buf *b, const struct conversation *c)
{
	for (size_t i = 0; i < c->n; i++)
		buf_addf(b, "%s ", c->path[i]->id.p);
}

static void add_row(struct buf *b, const struct session *x)
{
	index_add_record(b, x->id, &x->conversation.info);
}

/* The index's own. */
static void find_row(struct buf *b, const char *id)
{
	struct err e = ERR_INIT;
	int fd = index_open_file(&store, O_RDONLY, &e);

	if (fd < 0 || index_find(fd, id, 1 << 30, b, &e) < 1)
		buf_adds(b, "not listed");
	if (fd >= 0)
		close(fd);
}

/* The path's ids, the title and the model; and what is not as it is when read anew. */
static void look(const struct session *x, struct buf *out)
{
	struct buf listed = BUF_INIT, own = BUF_INIT, made = BUF_INIT, anew = BUF_INIT;
	struct session r = SESSION_INIT;
	struct err e = ERR_INIT;

	buf_clear(out);
	if (session_read(&r, &silent, x->id, NULL, &e) < 0)
		buf_adds(out, e.msg);
	add_path(out, &x->conversation);
	add_path(&anew, &r.conversation);
	if (!span_ends(buf_span(&anew), out->p))
		buf_addf(out, "and not %s", anew.p);
	buf_addf(out, "'%.*s' %.*s", (int)x->conversation.info.title.n,
	         x->conversation.info.title.p ? x->conversation.info.title.p : "",
	         (int)x->conversation.info.model.n, x->conversation.info.model.p);
	find_row(&listed, x->id);
	add_row(&own, x);
	add_row(&made, &r);
	if (!span_same(buf_span(&made), buf_span(&listed)))
		buf_addf(out, "; listed as %s and not as %s", listed.p, made.p);
	if (!span_same(buf_span(&made), buf_span(&own)))
		buf_addf(out, "; thought to be %s and not %s", own.p, made.p);
	session_release(&r);
	buf_release(&listed);
	buf_release(&own);
	buf_release(&made);
	buf_release(&anew);
}

static void is_now(const struct session *x, const char *want, const char *what)
{
	struct buf got = BUF_INIT;

	look(x, &got);
	is_buf(&got, want, "%s", what);
	buf_release(&got);
}

/* ---- appending ---- */

static int say(struct session *x, const char *id, const char *parent, enum status status,
               const struct change *change)
{
	struct exchange q = exchange(id, parent, status);
	struct err e = ERR_INIT;

	return session_append_exchange(x, &q, change, NULL, &e);
}

/* A retry; with `back` the old one stays the head. */
static int say_again(struct session *x, const char *id, const char *parent, const char *old, bool back,
                     struct err *e)
{
	struct exchange q = exchange(id, parent, STATUS_COMPLETE);
	const struct rewind to_old = { .timestamp = now += 10, .has_from = true, .from = q.id, .to = span_str(old) };

	q.replaces = span_str(old);
	return session_append_exchange(x, &q, NULL, back ? &to_old : NULL, e);
}

static int rewind_to(struct session *x, const char *id)
{
	struct err e = ERR_INIT;

	return session_append_rewind(x, id ? span_str(id) : (struct span){ NULL, 0 }, &e);
}

static int change_to(struct session *x, struct change change)
{
	struct err e = ERR_INIT;

	return session_append_change(x, change, &e);
}

static int sum_up(struct session *x, const char *id, const char *up_to)
{
	const struct summary s = { .id = span_str(id), .timestamp = now += 10, .up_to = span_str(up_to),
		                   .text = span_str("t"), .model = span_str("m"), .usage = { 7, 1, 8, -1, -1, -1, -1 } };
	struct err e = ERR_INIT;

	return session_append_summary(x, &s, &e);
}

static void test_appends(struct session *x)
{
	struct json_object *tags = json_object_new_object(), *no_tag = json_object_new_object();
	const struct change title = { .title = span_str("T"), .usage = { 5, 5, 10, 1, 1, -1, -1 } };
	const struct change none = { .title = span_str(""), .usage = USAGE_NONE };
	const struct change with = { .id = span_str("0"), .timestamp = now, .title = span_str("W"), .usage = USAGE_NONE };
	const struct conversation *c = &x->conversation;
	struct err e = ERR_INIT;

	is_int(rewind_to(x, NULL), 0, "nothing is taken out of nothing");
	is_now(x, "'' m0", "which stays nothing");
	is_int(say(x, "a", NULL, STATUS_COMPLETE, NULL), 0, "an exchange");
	is_now(x, "a '' m", "is there");
	is_int(say(x, "b", "a", STATUS_ERROR, &with), 0, "one with a change");
	is_now(x, "a b 'W' m", "both are there");
	is_int(change_to(x, title), 0, "a title");
	is_now(x, "a b 'T' m", "and what finding it cost");
	is_int(say_again(x, "c", "a", "b", false, &e), 0, "a retry of the last one");
	is_now(x, "a c 'T' m", "takes its place");
	is_int(c->info.branches, 0, "and leaves no branch");
	is_int(say_again(x, "d", "a", "c", true, &e), 0, "one that is outdone");
	is_now(x, "a c 'T' m", "does not take it");
	is_int(c->info.branches, 0, "and is no branch either");
	is_int(change_to(x, none), 0, "the title is taken away");
	is_now(x, "a c '' m", "and is no empty one");
	is_int(say(x, "f", "c", STATUS_INTERRUPTED, NULL), 0, "an interrupted one");
	is_int(say(x, "g", "f", STATUS_COMPLETE, NULL), 0, "and one more");
	is_now(x, "a c f g '' m", "all are there");
	is_int(c->info.exchange_count, 3, "complete ones count");
	json_object_object_add(tags, "x", json_object_new_boolean(true));
	json_object_object_add(tags, "é", json_object_new_boolean(true));
	json_object_object_add(no_tag, "x", json_object_new_boolean(false));
	is_int(change_to(x, (struct change){ .tags = tags, .usage = USAGE_NONE }), 0, "tags");
	is_now(x, "a c f g '' m", "are listed");
	is_int((int64_t)c->info.ntags, 2, "both");
	is_int(change_to(x, (struct change){ .tags = no_tag, .usage = USAGE_NONE }), 0, "less of them");
	is_now(x, "a c f g '' m", "are listed");
	is_int((int64_t)c->info.ntags, 1, "one is left");
	is_int(sum_up(x, "s1", "c"), 0, "a summary");
	is_now(x, "a c f g '' m", "is listed");
	is_int((int64_t)c->covered, 2, "for two");
	is_int(sum_up(x, "s2", "g"), 0, "another");
	is_now(x, "a c f g '' m", "is listed");
	is_int((int64_t)c->covered, 4, "for all");
	is_int(rewind_to(x, "c"), 0, "two are taken out");
	is_now(x, "a c '' m", "and are out");
	is_int((int64_t)c->covered, 2, "the first summary is in use again");
	is_int(rewind_to(x, NULL), 0, "the rest");
	is_now(x, "'' m0", "is out, too");
	is_int(say(x, "h", NULL, STATUS_COMPLETE, NULL), 0, "another one");
	is_now(x, "h '' m", "is the first");
	is_int(say_again(x, "i", NULL, "h", false, &e), 0, "the only one gives way");
	is_now(x, "i '' m", "to another");
	is_int(say(x, "k", "i", STATUS_COMPLETE, NULL), 0, "one more");
	is_int(say(x, "l", "i", STATUS_COMPLETE, NULL), 0, "and another that follows the same");
	is_now(x, "i l '' m", "is the head");
	is_int(c->info.branches, 1, "beside a branch");
	is_int(rewind_to(x, "k"), 0, "back to that");
	is_now(x, "i k '' m", "it is the head");
	is_int(c->info.branches, 0, "what a rewind leaves is no branch");
	is_int(rewind_to(x, "i"), 0, "and out of it");
	is_now(x, "i '' m", "as before");
	json_object_put(tags);
	json_object_put(no_tag);
}

/* What the session gives a record: later than all that is there. */
static void test_times(struct session *x)
{
	const int64_t future = INT64_C(4102444800000);
	struct exchange q = exchange("future", "i", STATUS_COMPLETE);
	struct err e = ERR_INIT;

	q.timestamp = future;
	is_int(session_append_exchange(x, &q, NULL, NULL, &e), 0, "an exchange of another century");
	is_int(x->conversation.info.updated_at, future + 1, "with its duration");
	is_int(rewind_to(x, "i"), 0, "is left");
	is_int(x->conversation.info.updated_at, future + 2, "a moment later");
	is_int(change_to(x, (struct change){ .title = span_str("X"), .usage = USAGE_NONE }), 0, "a change");
	is_int(x->conversation.info.updated_at, future + 3, "a moment later");
	is_now(x, "i 'X' m", "decides");
	is_int(change_to(x, (struct change){ .title = span_str(""), .usage = USAGE_NONE }), 0, "and another");
	is_now(x, "i '' m", "decides instead");
}

static void test_refused(struct session *x)
{
	struct exchange q = exchange("bad", "i", STATUS_COMPLETE);
	struct err e = ERR_INIT;

	q.answer = span_str("\xff");
	is_int(session_append_exchange(x, &q, NULL, NULL, &e), -1, "what is not UTF-8 is not stored");
	is_err(&e, ERR_FAILED, "cannot store the exchange in session 's': it is not UTF-8", "says so");
	is_now(x, "i '' m", "nothing changed");
}

/* The session goes in spite of the lock: nothing is written to what has no name. */
static void test_gone(struct session *x)
{
	struct err e = ERR_INIT;
	struct stat before, after;

	fstat(x->fd, &before);
	if (rename("s", "t") < 0)
		tap_note("cannot rename");
	is_int(say_again(x, "j", NULL, "i", true, &e), -1, "asked again in a session that went");
	is_err(&e, ERR_GONE, "session 's' was removed", "it is gone");
	is_int(rewind_to(x, NULL), -1, "nothing is taken out of it");
	is_int(change_to(x, (struct change){ .title = span_str("T"), .usage = USAGE_NONE }), -1, "nor changed");
	is_int(sum_up(x, "s3", "i"), -1, "nor summed up");
	fstat(x->fd, &after);
	is_int(after.st_size, before.st_size, "nothing was written");
	if (rename("t", "s") < 0)
		tap_note("cannot rename");
	is_now(x, "i '' m", "it is as it was");
}

/* ---- between two ---- */

static void append_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "ae");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		ok(false, "cannot append to %s", path);
}

static int lock(struct session *x, const char *id, const struct history_want *want)
{
	struct err e = ERR_INIT;
	int r = session_lock(x, &store, id, &wait, want, &e);

	if (r < 0)
		tap_note("%s", e.msg);
	return r;
}

static void test_two(void)
{
	struct session x = SESSION_INIT, y = SESSION_INIT;
	const struct exchange_node *a;
	struct err e = ERR_INIT;

	create("two");
	is_int(lock(&x, "two", NULL), 0, "one locks it");
	is_int(session_lock(&y, &store, "two", &wait, NULL, &e), -1, "and then not another");
	is_err(&e, ERR_BUSY, "session 'two' is in use by ", "says so");
	ok(y.fd < 0 && y.dir < 0, "which holds nothing");
	err_clear(&e);
	say(&x, "a", NULL, STATUS_COMPLETE, NULL);
	append_text("two/history.jsonl", "damaged\n");
	session_unlock(&x);
	ok(x.fd < 0 && x.conversation.n == 1, "unlocked, the conversation stays");

	nnotices = 0;
	is_int(lock(&y, "two", NULL), 0, "now the other one");
	is_int((int64_t)nnotices, 1, "reads all of it");
	a = y.conversation.path[0];
	say(&y, "b", "a", STATUS_COMPLETE, NULL);
	is_now(&y, "a b '' m", "and goes on");
	session_unlock(&y);

	nnotices = 0;
	is_int(lock(&x, "two", NULL), 0, "the first one again");
	is_now(&x, "a b '' m", "has what the other one stored");
	say(&x, "c", "b", STATUS_COMPLETE, NULL);
	session_unlock(&x);
	is_int((int64_t)nnotices, 1, "and the damage that it had not read");

	nnotices = 0;
	is_int(session_read(&y, &store, "two", NULL, &e), 0, "without a lock");
	is_int((int64_t)y.conversation.n, 3, "also");
	is_int((int64_t)nnotices, 0, "only what is new was read");
	ok(y.conversation.path[0] == a, "and the rest is what it was");
	is_int(session_read(&y, &store, "two", NULL, &e), 0, "once more");
	ok(y.conversation.path[0] == a && y.conversation.n == 3, "nothing is new");
	session_release(&x);
	session_release(&y);
	ok(!y.conversation.n && !y.read && y.fd < 0, "released");
}

/* A line without its end is not read, and is ended by the next writer. */
static void test_torn(void)
{
	static const char whole[] = "{\"type\":\"exchange\",\"id\":\"b\",\"parent\":\"a\",\"timestamp\":1100,\"query\":\"b\","
	                            "\"answer\":\"\",\"model\":\"m\",\"status\":\"complete\"}";
	struct session x = SESSION_INIT, y = SESSION_INIT;
	struct err e = ERR_INIT;

	create("torn");
	lock(&x, "torn", NULL);
	say(&x, "a", NULL, STATUS_COMPLETE, NULL);
	session_unlock(&x);
	append_text("torn/history.jsonl", "{\"type\":\"exch");
	nnotices = 0;
	is_int(session_read(&x, &store, "torn", NULL, &e), 0, "a torn tail");
	is_int((int64_t)x.conversation.n, 1, "is not read");
	is_int((int64_t)nnotices, 0, "nor called damaged");
	is_int(lock(&x, "torn", NULL), 0, "the next writer");
	is_int((int64_t)nnotices, 1, "makes it a damaged line");
	say(&x, "b", "a", STATUS_COMPLETE, NULL);
	is_now(&x, "a b '' m", "of its own");
	session_unlock(&x);
	is_int(session_read(&y, &silent, "torn", NULL, &e), 0, "another reader");
	append_text("torn/history.jsonl", whole);
	is_int(session_read(&y, &silent, "torn", NULL, &e), 0, "a line that lacks its end alone");
	is_int((int64_t)y.conversation.n, 2, "is not read");
	is_int(lock(&y, "torn", NULL), 0, "and is whole");
	is_int((int64_t)y.conversation.damaged, 1, "for the next writer");
	is_int((int64_t)conversation_find(&y.conversation, span_str("b"))->record.exchange.timestamp, 1100,
	       "who takes it for what it says");
	session_release(&x);
	session_release(&y);
}

/* Another file of that name, or one that was made shorter, is read from its beginning. */
static void test_replaced(void)
{
	struct session x = SESSION_INIT;
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	size_t short_of;

	create("swap");
	lock(&x, "swap", NULL);
	say(&x, "a", NULL, STATUS_COMPLETE, NULL);
	temp_read("swap/history.jsonl", &text);
	short_of = text.n;
	say(&x, "b", "a", STATUS_COMPLETE, NULL);
	buf_clear(&text);
	temp_read("swap/history.jsonl", &text);
	session_unlock(&x);

	for (size_t i = 0; i + 1 < text.n; i++) /* the query of a becomes z */
		if (strncmp(text.p + i, "\"query\":\"a\"", 11) == 0)
			text.p[i + 9] = 'z';
	temp_write("new", buf_span(&text));
	rename("new", "swap/history.jsonl");
	is_int(session_read(&x, &store, "swap", NULL, &e), 0, "another file of the same size");
	is_span(conversation_exchange(&x.conversation, 0)->query, "z", "is read");
	is_int((int64_t)x.conversation.n, 2, "as it is");
	if (truncate("swap/history.jsonl", (off_t)short_of) < 0)
		tap_note("cannot truncate");
	is_int(session_read(&x, &store, "swap", NULL, &e), 0, "one that was cut");
	is_int((int64_t)x.conversation.n, 1, "is read anew");
	is_int(x.conversation.info.history_bytes, (int64_t)short_of, "and is so long");

	create("other");
	is_int(session_read(&x, &store, "other", NULL, &e), 0, "another session");
	is_span(x.conversation.head.head.id, "other", "is another one");
	is_int((int64_t)x.conversation.n, 0, "with nothing of the first");
	is_int(session_read(&x, &store, "none", NULL, &e), -1, "none of that name");
	is_err(&e, ERR_NOT_FOUND, "no session 'none'", "says so");
	session_release(&x);
	buf_release(&text);
}

/* ---- a turn that was cut short ---- */

#define STEP(n, text, tokens) "{\"type\":\"step\",\"exchange\":\"cut\",\"n\":" #n ",\"timestamp\":2,\"text\":\"" text \
	"\",\"calls\":[{\"id\":\"c\",\"name\":\"f\",\"arguments\":{}}],\"model\":\"m\",\"tokenUsage\":{\"inputTokens\":" \
	#tokens ",\"outputTokens\":1,\"totalTokens\":9}}\n"

static const struct cut_case {
	const char *name, *steps, *reply, *want; /* what of the exchange follows its query */
	int64_t step;
} cut_cases[] = {
	{ "an answer alone", "", "Hel", "\"answer\":\"Hel\",\"summary\":null,\"model\":\"m\",\"status\":\"interrupted\","
	  "\"duration\":null,\"tokenUsage\":null}\n", 0 },
	{ "nothing yet", "", "", "\"answer\":\"\",\"summary\":null,\"model\":\"m\",\"status\":\"interrupted\","
	  "\"duration\":null,\"tokenUsage\":null}\n", 0 },
	{ "an answer after a step", STEP(0, "Let me see", 3), "Hel",
	  "\"answer\":\"Hel\",\"summary\":null,\"model\":\"m\",\"status\":\"interrupted\",\"steps\":1,\"duration\":null,"
	  "\"tokenUsage\":{\"inputTokens\":3,\"outputTokens\":1,\"totalTokens\":9}}\n", 1 },
	{ "a step that is stored", STEP(0, "Let me see", 3) STEP(1, "And", 4), "And",
	  "\"answer\":\"\",\"summary\":null,\"model\":\"m\",\"status\":\"interrupted\",\"steps\":2,\"duration\":null,"
	  "\"tokenUsage\":{\"inputTokens\":7,\"outputTokens\":2,\"totalTokens\":18}}\n", 1 },
	{ "a step that is there twice", STEP(0, "Let me see", 3) STEP(0, "Let me see", 3), "Hel",
	  "\"answer\":\"Hel\",\"summary\":null,\"model\":\"m\",\"status\":\"interrupted\",\"steps\":1,\"duration\":null,"
	  "\"tokenUsage\":{\"inputTokens\":3,\"outputTokens\":1,\"totalTokens\":9}}\n", 1 },
};

/* A session whose process was killed in its second turn. */
static void cut_short(const char *id, const struct cut_case *k)
{
	struct exchange q = exchange("cut", "a", STATUS_COMPLETE);
	struct session x = SESSION_INIT;
	struct err e = ERR_INIT;
	int fd;

	create(id);
	lock(&x, id, NULL);
	say(&x, "a", NULL, STATUS_COMPLETE, NULL);
	q.replaces = span_str("b");
	q.timestamp = 4321;
	fd = spool_begin(x.dir, &q, k->step, &e);
	spool_add(fd, span_str(k->reply), &e);
	close(fd);
	{
		char path[64];

		snprintf(path, sizeof(path), "%s/history.jsonl", id);
		append_text(path, k->steps);
	}
	session_release(&x);
}

static void last_line(const char *id, struct buf *line)
{
	char path[64];
	const char *at;

	snprintf(path, sizeof(path), "%s/history.jsonl", id);
	buf_clear(line);
	temp_read(path, line);
	at = memrchr(line->p, '\n', line->n - 1);
	if (at) {
		struct buf b = BUF_INIT;

		buf_adds(&b, at + 1);
		buf_release(line);
		*line = b;
	}
}

static void test_cut(void)
{
	static const char begins[] = "{\"type\":\"exchange\",\"id\":\"cut\",\"parent\":\"a\",\"replaces\":\"b\","
	                             "\"timestamp\":4321,\"query\":\"cut\",";
	struct buf line = BUF_INIT, again = BUF_INIT;

	for (size_t i = 0; i < sizeof(cut_cases) / sizeof(cut_cases[0]); i++) {
		const struct cut_case *k = &cut_cases[i];
		struct session x = SESSION_INIT;
		struct err e = ERR_INIT;
		char id[2][8];
		const char *at;

		for (int n = 0; n < 2; n++) {
			snprintf(id[n], sizeof(id[n]), "cut%zu%c", i, "ab"[n]);
			cut_short(id[n], k);
		}
		is_int(lock(&x, id[0], NULL), 0, "%s: locked", k->name);
		is_now(&x, "a cut '' m", "what was cut short is stored");
		ok(access("cut0a/turn.partial", F_OK) != 0, "and its file is gone");
		last_line(id[0], &line);
		ok(strncmp(line.p, begins, strlen(begins)) == 0, "with its id, parent and time: %s", line.p);
		at = strstr(line.p, "\"answer\"");
		is_str(at ? at : "", k->want, "and what it came to");
		session_unlock(&x);
		is_int(lock(&x, id[0], NULL), 0, "locked again");
		is_now(&x, "a cut '' m", "it is there once");
		session_release(&x);
		is_int(session_recover(&store, id[1], &e), 0, "in a copy it is stored, too");
		last_line(id[1], &again);
		is_same(buf_span(&again), buf_span(&line), "to the same bytes");
		is_int(session_recover(&store, id[1], &e), 0, "and then nothing is left to do");
	}
	buf_release(&line);
	buf_release(&again);
}

/* Killed between storing the exchange and removing the file; other turns may have followed. */
static void test_cut_after(void)
{
	struct session x = SESSION_INIT, y = SESSION_INIT;
	struct err e = ERR_INIT;

	cut_short("late", &cut_cases[0]);
	rename("late/turn.partial", "kept");
	lock(&x, "late", NULL);
	say(&x, "cut", "a", STATUS_COMPLETE, NULL);
	say(&x, "b", "cut", STATUS_COMPLETE, NULL);
	session_unlock(&x);
	rename("kept", "late/turn.partial");
	is_int(lock(&y, "late", NULL), 0, "a file whose exchange is stored");
	is_now(&y, "a cut b '' m", "makes no other");
	is_int(y.conversation.path[1]->status, STATUS_COMPLETE, "nor a worse one");
	ok(access("late/turn.partial", F_OK) != 0, "and is removed");
	is_int(session_recover(&store, "late", &e), 0, "there is none");
	close(spool_begin(y.dir, &(struct exchange){ .id = span_str("now"), .timestamp = 1 }, 0, &e));
	is_int(session_recover(&store, "late", &e), 1, "one that runs is left alone");
	spool_remove(y.dir);
	session_unlock(&y);
	temp_write("late/turn.partial", span_str("nonsense\n"));
	nnotices = 0;
	is_int(lock(&x, "late", NULL), 0, "one that cannot be read");
	ok(nnotices == 1 && strstr(notices[0], "turn.partial is damaged (") && strstr(notices[0], "it is kept as turn.damaged-"),
	   "is kept: %s", notices[0]);
	is_now(&x, "a cut b '' m", "and nothing of it is stored");
	session_release(&x);
	session_release(&y);
}

/* ---- only the end of it ---- */

enum { LONG = 400 };

/* A session of LONG exchanges of a kilobyte, number 300 of which is interrupted. */
static void create_long(const char *id, const char *more)
{
	static char ids[LONG][8], text[1000];
	struct session x = SESSION_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	char path[64];

	memset(text, 'w', sizeof(text) - 1);
	create(id);
	for (int i = 0; i < LONG; i++) {
		struct exchange q;

		snprintf(ids[i], sizeof(ids[i]), "x%d", i);
		q = exchange(ids[i], i ? ids[i - 1] : NULL, i == 300 ? STATUS_INTERRUPTED : STATUS_COMPLETE);
		q.answer = span_str(text);
		record_add_exchange(&b, &q);
	}
	buf_adds(&b, more);
	snprintf(path, sizeof(path), "%s/history.jsonl", id);
	append_text(path, b.p);
	buf_release(&b);
	if (session_read(&x, &store, id, NULL, &e) < 0)
		ok(false, "%s", e.msg);
	index_update(&store, id, &x.conversation.info);
	session_release(&x);
}

static const struct history_want three = { .last = 3 };

static int read_three(struct session *x, const char *id)
{
	struct err e = ERR_INIT;
	int r = session_read(x, &store, id, &three, &e);

	if (r < 0)
		tap_note("%s", e.msg);
	return r;
}

#define SUMMARY(id, up_to) "{\"type\":\"summary\",\"id\":\"" id "\",\"timestamp\":90000,\"upTo\":\"" up_to \
	"\",\"text\":\"of " up_to "\",\"model\":\"m\"}\n"
#define TAGS "{\"type\":\"change\",\"id\":\"t\",\"timestamp\":1,\"title\":\"T\",\"tags\":{\"b\":true,\"a\":true}}\n"

static void test_partial(void)
{
	struct session x = SESSION_INIT, all = SESSION_INIT;
	struct buf row = BUF_INIT, own = BUF_INIT;
	const struct conversation *c = &x.conversation;
	struct err e = ERR_INIT;

	create_long("long", TAGS);
	is_int(read_three(&x, "long"), 0, "the newest of a long one");
	ok(c->partial, "are read alone");
	is_int((int64_t)c->n, 3, "so many");
	is_span(conversation_last(c)->id, "x399", "the last");
	is_span(conversation_exchange(c, 0)->id, "x397", "to the oldest of them");
	is_int(c->unread, 396, "complete ones before them");
	is_int(c->unread_summed, 0, "of which no summary stands for any");
	ok(c->first && span_eq(c->first->id, "x0"), "the first one is known");
	ok(!c->summary, "no summary");
	find_row(&row, "long");
	add_row(&own, &x);
	is_same(buf_span(&own), buf_span(&row), "the rest is as the index has it");
	is_int(session_read(&all, &store, "long", NULL, &e), 0, "all of it");
	ok(!all.conversation.partial && all.conversation.n == LONG, "is read where it is wanted");
	is_int(session_read(&x, &store, "long", NULL, &e), 0, "also after a part");
	ok(!c->partial && c->n == LONG, "all");
	is_int(read_three(&x, "long"), 0, "and where less is wanted");
	ok(!c->partial && c->n == LONG, "it stays");
	session_release(&x);
	session_release(&all);
	buf_release(&row);
	buf_release(&own);
}

#define ROOT(id, parent) "{\"type\":\"exchange\",\"id\":\"" id "\",\"parent\":" parent ",\"timestamp\":1,\"query\":\"\"," \
	"\"answer\":\"\",\"model\":\"m\",\"status\":\"complete\"}\n"

static void test_partial_summary(void)
{
	static const struct {
		const char *id, *more, *text;
		int64_t unread_summed;
		size_t covered; /* of the exchanges that were read */
	} cases[] = {
		{ "sum1", SUMMARY("1", "x99"), "of x99", 100, 0 },
		{ "sum2", SUMMARY("1", "x310"), "of x310", 310, 0 },      /* one of them is not complete */
		{ "sum3", SUMMARY("1", "x398"), "of x398", 396, 2 },
		{ "sum4", SUMMARY("1", "x99") SUMMARY("2", "x200"), "of x200", 201, 0 },
		{ "sum5", SUMMARY("1", "x200") SUMMARY("2", "x99"), "of x200", 201, 0 },
		{ "sum6", SUMMARY("1", "gone"), "", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session x = SESSION_INIT;
		const struct conversation *c = &x.conversation;
		const struct summary *s;
		size_t covered;

		create_long(cases[i].id, cases[i].more);
		read_three(&x, cases[i].id);
		ok(c->partial, "%s: in part", cases[i].id);
		is_span(c->summary ? c->summary->text : span_str(""), cases[i].text, "the summary in use");
		is_int(c->unread_summed, cases[i].unread_summed, "exchanges before them that it stands for");
		s = conversation_summary(c, c->n, &covered);
		is_span(s ? s->text : span_str(""), cases[i].text, "for a request");
		is_int((int64_t)covered, (int64_t)cases[i].covered, "and what it stands for of these");
		session_release(&x);
	}
}

/* Where the index cannot tell of the rest, all is read. */
static void test_whole(void)
{
	struct session x = SESSION_INIT;
	struct buf saved = BUF_INIT;

	create("short");
	lock(&x, "short", NULL);
	say(&x, "a", NULL, STATUS_COMPLETE, NULL);
	session_release(&x);
	read_three(&x, "short");
	ok(!x.conversation.partial && x.conversation.n == 1, "a short one is read as a whole");
	session_release(&x);

	create_long("stale", "");
	read_three(&x, "stale");
	ok(x.conversation.partial, "a long one is not");
	session_release(&x);
	append_text("stale/history.jsonl", TAGS);
	read_three(&x, "stale");
	ok(!x.conversation.partial && x.conversation.n == LONG, "but is where the index has not heard of its end");
	is_span(x.conversation.info.title, "T", "which is read");
	session_release(&x);

	temp_read(INDEX_FILE, &saved);
	unlink(INDEX_FILE);
	read_three(&x, "long");
	ok(!x.conversation.partial && x.conversation.n == LONG, "or where there is none");
	session_release(&x);
	temp_write(INDEX_FILE, buf_span(&saved));
	read_three(&x, "long");
	ok(x.conversation.partial, "and back with it");
	session_release(&x);
	buf_release(&saved);

	/* the first exchange stands far from the beginning of the file */
	create_long("deep", ROOT("r1", "null") ROOT("r2", "\"r1\"") ROOT("r3", "\"r2\"") ROOT("r4", "\"r3\""));
	read_three(&x, "deep");
	ok(!x.conversation.partial && x.conversation.n == 4, "nor is the first exchange looked for everywhere");
	session_release(&x);
}

/* What is wanted goes back to the first exchange: only what is not in the conversation was not read. */
static void test_partial_root(void)
{
	struct session x = SESSION_INIT;
	const struct conversation *c = &x.conversation;

	create_long("root", TAGS ROOT("r1", "null") ROOT("r2", "\"r1\""));
	is_int(lock(&x, "root", &three), 0, "a conversation that begins anew at the end of a long history");
	ok(c->partial && !c->first && !c->unread, "is read to its first exchange");
	is_now(&x, "r1 r2 'T' m", "is all there");
	is_int(c->info.branches, 1, "beside the one before it");
	is_int(say(&x, "r3", "r2", STATUS_COMPLETE, NULL), 0, "one more");
	ok(c->partial && !c->first && !c->unread, "does not change that");
	is_now(&x, "r1 r2 r3 'T' m", "and counts");
	session_release(&x);
	create_long("root2", SUMMARY("1", "r1") TAGS ROOT("r1", "null") ROOT("r2", "\"r1\"") ROOT("r3", "\"r2\""));
	read_three(&x, "root2");
	ok(!c->partial && c->n == 3 && c->covered == 1, "for a summary that stands before it, all is read");
	session_release(&x);
}

/* What is appended to a conversation of which only the end was read. */
static void test_append_partial(void)
{
	struct session x = SESSION_INIT, y = SESSION_INIT;
	const struct conversation *c = &x.conversation;
	struct err e = ERR_INIT;

	create_long("more", TAGS SUMMARY("1", "x99"));
	is_int(lock(&x, "more", &three), 0, "locked to go on");
	ok(c->partial && c->n == 3, "in part");
	is_int(say(&x, "n1", "x399", STATUS_COMPLETE, NULL), 0, "one more");
	ok(c->partial && c->n == 4, "is one of the part");
	is_now(&x, "x397 x398 x399 n1 'T' m", "and counts");
	is_int(c->unread, 396, "the rest is what it was");
	append_text("more/history.jsonl", "{\"type\":\"step\",\"exchange\":\"n2\",\"n\":0,\"timestamp\":91000,\"text\":\"\","
	            "\"calls\":[{\"id\":\"c\",\"name\":\"f\",\"arguments\":{}}],\"model\":\"m\"}\n");
	{
		struct exchange q = exchange("n2", "n1", STATUS_COMPLETE);

		q.steps = 1;
		is_int(session_append_exchange(&x, &q, NULL, NULL, &e), 0, "one with a step");
	}
	is_now(&x, "x397 x398 x399 n1 n2 'T' m", "counts its calls");
	is_int(c->info.tool_calls, 1, "one");
	is_int(say(&x, "n3", "n2", STATUS_ERROR, NULL), 0, "one that failed");
	is_now(&x, "x397 x398 x399 n1 n2 n3 'T' m", "is not complete");
	ok(c->partial, "still a part");
	session_unlock(&x);

	lock(&y, "more", &three);
	ok(y.conversation.partial, "another process");
	say(&y, "n4", "n3", STATUS_COMPLETE, NULL);
	session_unlock(&y);
	is_int(lock(&x, "more", &three), 0, "locked again");
	is_now(&x, "n2 n3 n4 'T' m", "it has what the other one stored");
	is_int(c->unread, 400, "and knows of the rest");
	session_unlock(&x);
	session_release(&y);
	session_release(&x);
}

/* What needs the rest has all of it read. */
static void test_append_partial_any(void)
{
	static const char *const what[] = {
		"a retry", "one that is outdone", "a rewind", "a rewind to the beginning", "a change", "a summary",
		"an exchange with a change", "one that follows another",
	};
	static const char *const want[] = {
		"x397 x398 r 'T' m", "x397 x398 x399 'T' m", "x397 x398 'T' m", "'T' m0", "x397 x398 x399 'N' m",
		"x397 x398 x399 'T' m", "x397 x398 x399 r 'N' m", "x0 r 'T' m",
	};

	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		const struct change title = { .id = span_str("zz"), .timestamp = clock_now_ms() + 1000, .title = span_str("N"),
			                      .usage = USAGE_NONE };
		struct session x = SESSION_INIT;
		struct err e = ERR_INIT;
		struct buf got = BUF_INIT;
		char id[8];
		int r;

		snprintf(id, sizeof(id), "any%zu", i);
		create_long(id, TAGS SUMMARY("1", "x99"));
		lock(&x, id, &three);
		ok(x.conversation.partial, "in part");
		switch (i) {
		case 0: r = say_again(&x, "r", "x398", "x399", false, &e); break;
		case 1: r = say_again(&x, "r", "x398", "x399", true, &e); break;
		case 2: r = rewind_to(&x, "x398"); break;
		case 3: r = rewind_to(&x, NULL); break;
		case 4: r = change_to(&x, title); break;
		case 5: r = sum_up(&x, "2", "x398"); break;
		case 6: r = say(&x, "r", "x399", STATUS_COMPLETE, &title); break;
		default: r = say(&x, "r", "x0", STATUS_COMPLETE, NULL); break;
		}
		is_int(r, 0, "%s is stored", what[i]);
		look(&x, &got);
		ok(span_ends(buf_span(&got), want[i]), "and counts: %s", span_ends(buf_span(&got), want[i]) ? "" : got.p);
		ok(!x.conversation.partial, "all of it was read");
		is_int((int64_t)x.conversation.damaged, 0, "without damage");
		session_release(&x);
		buf_release(&got);
	}
}

static void poke(const char *path, char c)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || pwrite(fd, &c, 1, 0) != 1)
		tap_note("cannot write %s", path);
	close(fd);
}

/* What was appended needs all of the history, which just now cannot be read. */
static void test_not_read_back(void)
{
	struct session x = SESSION_INIT;
	struct err e = ERR_INIT;

	create_long("lost", TAGS);
	is_int(lock(&x, "lost", &three), 0, "locked, and read in part");
	poke("lost/history.jsonl", 'x');
	nnotices = 0;
	is_int(rewind_to(&x, "x398"), 0, "what was stored is stored");
	ok(nnotices == 1 && strstr(notices[0], "lost"), "though the index lacks it: %s", notices[0]);
	is_int((int64_t)x.conversation.n, 0, "what could not be read is empty");
	is_int(session_check_read(&x, &e), -1, "and whoever goes on is told");
	ok(strstr(e.msg, "what was stored in session 'lost' could not be read back"), "%s", e.msg);
	err_clear(&e);
	is_int(session_refresh(&x, &three, &e), -1, "read again, it fails once more");
	err_clear(&e);
	poke("lost/history.jsonl", '{');
	is_int(session_refresh(&x, NULL, &e), 0, "until it can be read");
	is_int(session_check_read(&x, &e), 0, "then nothing is missing");
	is_int((int64_t)x.conversation.n, LONG - 1, "and all is there");
	is_int(say(&x, "next", "x398", STATUS_COMPLETE, NULL), 0, "the next turn is stored");
	is_int((int64_t)x.conversation.n, LONG, "and counts");
	session_release(&x);
}

/* A history in the place of the one that was read, and damaged. */
static void test_kept(void)
{
	struct session x = SESSION_INIT;
	struct buf bytes = BUF_INIT;
	struct err e = ERR_INIT;

	create("kept");
	lock(&x, "kept", NULL);
	say(&x, "a", NULL, STATUS_COMPLETE, NULL);
	session_unlock(&x);
	temp_read("kept/history.jsonl", &bytes);
	temp_write("spare.jsonl", span_str("{\"type\":\"rewind\",\"timestamp\":1,\"to\":null}\n"));
	if (rename("spare.jsonl", "kept/history.jsonl") < 0)
		tap_note("cannot rename");
	is_int(session_read(&x, &store, "kept", NULL, &e), -1, "a history that lost its session record");
	is_int(e.kind, ERR_DAMAGED, "is damaged");
	is_int((int64_t)x.conversation.n, 1, "what was read before it is still there");
	is_span(x.conversation.info.last_query, "a", "all of it");
	err_clear(&e);
	temp_write("spare.jsonl", buf_span(&bytes));
	if (rename("spare.jsonl", "kept/history.jsonl") < 0)
		tap_note("cannot rename");
	is_int(session_read(&x, &store, "kept", NULL, &e), 0, "once it is repaired");
	is_int((int64_t)x.conversation.n, 1, "it is read");
	session_release(&x);
	buf_release(&bytes);
}

/* All that were read failed: the model is that of one that was not read. */
static void test_partial_model(void)
{
	struct session x = SESSION_INIT;

	create_long("model", "{\"type\":\"exchange\",\"id\":\"f1\",\"parent\":\"x399\",\"timestamp\":1,\"query\":\"\",\"answer\":\"\","
	            "\"model\":\"wrong\",\"status\":\"error\"}\n"
	            "{\"type\":\"exchange\",\"id\":\"f2\",\"parent\":\"f1\",\"timestamp\":1,\"query\":\"\",\"answer\":\"\","
	            "\"model\":\"wrong\",\"status\":\"error\"}\n"
	            "{\"type\":\"exchange\",\"id\":\"f3\",\"parent\":\"f2\",\"timestamp\":1,\"query\":\"\",\"answer\":\"\","
	            "\"model\":\"wrong\",\"status\":\"error\"}\n");
	lock(&x, "model", &three);
	is_now(&x, "f1 f2 f3 '' m", "the model of the last one that did not fail");
	is_int(say(&x, "f4", "f3", STATUS_ERROR, NULL), 0, "another failure");
	is_now(&x, "f1 f2 f3 f4 '' m", "does not change it");
	ok(x.conversation.partial, "in part");
	session_release(&x);
}

int main(void)
{
	struct session x = SESSION_INIT;

	temp_enter();
	store.fd = silent.fd = open(".", O_RDONLY | O_DIRECTORY);
	create("s");
	if (lock(&x, "s", NULL) < 0)
		return tap_end();
	test_appends(&x);
	test_times(&x);
	test_refused(&x);
	test_gone(&x);
	session_release(&x);
	test_two();
	test_torn();
	test_replaced();
	test_cut();
	test_cut_after();
	test_partial();
	test_partial_summary();
	test_whole();
	test_partial_root();
	test_append_partial();
	test_append_partial_any();
	test_not_read_back();
	test_kept();
	test_partial_model();
	close(store.fd);
	return tap_end();
}
