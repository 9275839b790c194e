/*
 * A whole session that was made elsewhere: it appears at once, in its place in the list, or leaves
 * nothing.
 */
#include "store/session.h"

#include <dirent.h>

#include "data.h"
#include "store/artifact.h"
#include "store/index.h"
#include "tap.h"
#include "temp.h"

static struct store store = { .dir = ".", .fd = -1, .stop_fd = -1 };

static void add(struct new_session *n, const char *line)
{
	struct err e = ERR_INIT;

	if (jsonl_append(n->fd, span_str(line), false, &e) < 0)
		tap_note("%s", e.msg);
}

/* A session whose only exchange is of this time. */
static void make(struct new_session *n, const char *id, int64_t time)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	if (session_begin(n, &store, id, &e) < 0) {
		ok(false, "%s", e.msg);
		return;
	}
	buf_addf(&b, "{\"type\":\"session\",\"version\":1,\"id\":\"%s\",\"createdAt\":5,\"provider\":\"echo\","
	         "\"model\":\"m\",\"cwd\":\"\"}\n", id);
	add(n, b.p);
	buf_clear(&b);
	buf_addf(&b, "{\"type\":\"exchange\",\"id\":\"x\",\"parent\":null,\"timestamp\":%lld,\"query\":\"q\","
	         "\"answer\":\"a\",\"model\":\"m\",\"status\":\"complete\"}\n", (long long)time);
	add(n, b.p);
	buf_release(&b);
}

/* The list, newest first. */
static void list(struct buf *out)
{
	struct index_reader r;
	struct err e = ERR_INIT;
	struct span line;

	buf_clear(out);
	if (index_open(&r, &store, true, &e) < 0) {
		buf_adds(out, e.msg);
		return;
	}
	while (index_next(&r, &line)) {
		struct index_record record;

		if (index_record(line, INDEX_UPDATED, &record))
			buf_addf(out, "%.*s:%lld ", (int)record.id.n, record.id.p, (long long)record.updated_at);
	}
	index_close(&r);
}

/* Hidden folders: what is still being made, or was left. */
static int hidden(void)
{
	DIR *d = opendir(".");
	struct dirent *f;
	int n = 0;

	while ((f = readdir(d)) != NULL)
		n += strncmp(f->d_name, ".new-", 5) == 0;
	closedir(d);
	return n;
}

static void is_listed(const char *want, const char *what)
{
	struct buf got = BUF_INIT;

	list(&got);
	is_buf(&got, want, "%s", what);
	buf_release(&got);
}

static void test_publish(void)
{
	struct new_session n;
	struct err e = ERR_INIT;
	struct session x = SESSION_INIT;

	make(&n, "b", 2000);
	is_listed("", "what is being made is not listed");
	ok(!history_exists(&store, "b"), "and is not there");
	is_int(session_publish(&n, &e), 0, "published: %s", e.msg);
	is_listed("b:2000 ", "it is listed");
	is_int(hidden(), 0, "and its folder has its name");
	make(&n, "d", 4000);
	is_int(session_publish(&n, &e), 0, "a newer one");
	make(&n, "a", 1000);
	is_int(session_publish(&n, &e), 0, "an older one");
	make(&n, "c", 3000);
	is_int(session_publish(&n, &e), 0, "one in between");
	make(&n, "c2", 3000);
	is_int(session_publish(&n, &e), 0, "one of the same time");
	is_listed("d:4000 c2:3000 c:3000 b:2000 a:1000 ", "each in the place of its time");
	is_int(session_read(&x, &store, "c", NULL, &e), 0, "it can be read");
	is_int((int64_t)x.conversation.n, 1, "with its exchange");
	session_release(&x);
}

static void test_refused(void)
{
	struct new_session n;
	struct err e = ERR_INIT;
	struct stat st;

	make(&n, "b", 9000);
	is_int(session_publish(&n, &e), -1, "an id that is there");
	is_err(&e, ERR_EXISTS, "session 'b' exists already", "is refused");
	is_int(hidden(), 0, "and nothing is left");
	make(&n, "e", 9000);
	if (artifact_put(n.dir, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
	                 span_str("hello"), &e) < 0)
		tap_note("%s", e.msg);
	session_abandon(&n);
	is_int(hidden(), 0, "one that is given up leaves nothing, with its files");
	err_clear(&e);
	if (session_begin(&n, &store, "e", &e) == 0)
		add(&n, "{\"type\":\"exchange\",\"id\":\"x\",\"timestamp\":1,\"query\":\"\",\"answer\":\"\",\"model\":\"\","
		        "\"status\":\"complete\"}\n");
	is_int(session_publish(&n, &e), -1, "one without a session record");
	is_int(e.kind, ERR_DAMAGED, "is refused");
	is_int(hidden(), 0, "and nothing is left");
	ok(stat("e", &st) < 0, "nor is it there");
	is_listed("d:4000 c2:3000 c:3000 b:2000 a:1000 ", "the list is as it was");
}

int main(void)
{
	temp_enter();
	store.fd = open(".", O_RDONLY | O_DIRECTORY);
	test_publish();
	test_refused();
	close(store.fd);
	return tap_end();
}
