/* Which sessions the filters of a command line select. */
#include "store/select.h"

#include "data.h"
#include "store/session.h"
#include "tap.h"
#include "temp.h"

static struct store store = { .dir = ".", .fd = -1, .stop_fd = -1 };

static int set(struct select *s, int id, const char *value)
{
	struct err e = ERR_INIT;
	int r = select_option(s, id, value, &e);

	if (r < 0)
		tap_note("%s", e.msg);
	return r;
}

static void make(const char *id, const char *provider, const char *model)
{
	struct session_head head = { .created_at = 1000, .id = span_str(id), .cwd = span_str("/"),
	                             .provider = span_str(provider), .model = span_str(model) };
	char given[ID_SIZE];
	struct err e = ERR_INIT;

	if (session_create(&store, &head, given, &e) < 0)
		tap_note("%s", e.msg);
}

/* ---- the filters ---- */

static bool any_passes(const struct select *want)
{
	struct select_walk w = { .want = want, .store = &store };
	struct index_record r;
	struct err e = ERR_INIT;
	struct span line;
	bool found;

	if (select_open(&w, false, &e) < 0)
		tap_note("%s", e.msg);
	found = select_next(&w, &line, &r);
	is_int(select_close(&w, &e), 0, "the walk ends");
	return found;
}

static void test_filters(void)
{
	static const struct {
		int id;
		const char *value;
		bool want;
	} cases[] = {
		{ SELECT_PROVIDER, "vendor", true },
		{ SELECT_PROVIDER, "vendo", false },
		{ SELECT_PROVIDER, "vendors", false },
		{ SELECT_PROVIDER, "", false },
		{ SELECT_MODEL, "m\"1", true },
		{ SELECT_MODEL, "m", false },
		{ SELECT_CWD, "/", true },
		{ SELECT_CWD, "/./..", true },
		{ SELECT_CWD, "/no/such/directory", false },
		{ SELECT_SINCE, "1970-01-01T00:00:01Z", true }, /* its own moment */
		{ SELECT_SINCE, "1970-01-01T00:00:02Z", false },
		{ SELECT_BEFORE, "1970-01-01T00:00:01Z", false },
		{ SELECT_BEFORE, "1970-01-01T00:00:02Z", true },
		{ 'n', "not one of its options", true },
	};

	make("one", "vendor", "m\"1");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct select s = SELECT_INIT;

		set(&s, cases[i].id, cases[i].value);
		is_int(any_passes(&s), cases[i].want, "option %d with '%s'", cases[i].id, cases[i].value);
		select_release(&s);
	}
}

static void test_values(void)
{
	struct select s = SELECT_INIT;
	struct err e = ERR_INIT;
	int64_t now;

	set(&s, SELECT_SINCE, "7d");
	now = s.now;
	set(&s, SELECT_BEFORE, "1d");
	is_int(s.before - s.since, 6 * INT64_C(86400000), "ages are counted from one moment");
	is_int(s.now, now, "which stays");
	set(&s, SELECT_PROVIDER, "one");
	set(&s, SELECT_PROVIDER, "two");
	is_buf(&s.provider, "\"two\"", "the last value counts");
	is_int(select_option(&s, SELECT_BEFORE, "yesterday", &e), -1, "a time that cannot be read");
	is_err(&e, ERR_USAGE, "'yesterday'", "is a usage error that shows it");
	select_release(&s);
}

/* ---- the walk ---- */

/* As a tool does that could not update the index. */
static void append(const char *id, const char *line)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, id);
	fd = open(path, O_WRONLY | O_APPEND);
	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		tap_note("cannot write %s", path);
	close(fd);
}

static bool is_not_b(void *ctx, const struct index_record *r)
{
	++*(int *)ctx;
	return !span_eq(r->id, "b");
}

static void add_id(void *ctx, const char *id, struct err *e)
{
	buf_addf(ctx, "%s:%s ", id, e->kind == ERR_NONE ? "?" : "left out");
}

static void walk(struct select_walk *w, struct buf *out)
{
	struct index_record r;
	struct err e = ERR_INIT;
	struct span line;

	buf_clear(out);
	w->store = &store;
	if (select_open(w, false, &e) < 0) {
		buf_adds(out, e.msg);
		return;
	}
	while (select_next(w, &line, &r))
		buf_addf(out, "%.*s ", (int)r.id.n, r.id.p);
	is_int(select_close(w, &e), 0, "the walk ends");
}

static void test_walk(void)
{
	struct select s = SELECT_INIT;
	struct select_walk w = { .want = &s };
	struct buf got = BUF_INIT, left_out = BUF_INIT;
	int asked = 0;

	make("a", "echo", "m");
	make("b", "echo", "m");
	make("c", "other", "m");
	set(&s, SELECT_PROVIDER, "echo");
	walk(&w, &got);
	is_buf(&got, "b a ", "what passes, the newest first");
	w = (struct select_walk){ .want = &s, .also = is_not_b, .ctx = &asked };
	walk(&w, &got);
	is_buf(&got, "a ", "what the caller asks, too");
	is_int(asked, 2, "of what passes else");
	set(&s, SELECT_BEFORE, "1d");
	walk(&w, &got);
	is_buf(&got, "a ", "a history that was written since, and says that it is old");
	append("a", "{\"type\":\"exchange\",\"id\":\"x\",\"parent\":null,\"timestamp\":4000000000000,"
	       "\"query\":\"q\",\"answer\":\"a\",\"model\":\"m\",\"status\":\"complete\"}\n");
	walk(&w, &got);
	is_buf(&got, "", "and one that says that it is not");
	if (truncate("a/history.jsonl", 0) < 0)
		tap_note("cannot write");
	w = (struct select_walk){ .want = &s, .left_out = add_id, .ctx = &left_out };
	set(&s, SELECT_BEFORE, "2100-01-01");
	walk(&w, &got);
	is_buf(&got, "b ", "a session that cannot be read is left out");
	is_buf(&left_out, "a:left out ", "which the caller is told");
	w = (struct select_walk){ .want = &s };
	walk(&w, &got);
	is_buf(&got, "b ", "or not");
	select_release(&s);
	buf_release(&got);
	buf_release(&left_out);
}

int main(void)
{
	temp_enter();
	store.fd = open(".", O_RDONLY | O_DIRECTORY);
	test_filters();
	test_values();
	test_walk();
	close(store.fd);
	return tap_end();
}
