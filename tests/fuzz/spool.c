/*
 * lib/store/spool. The input is a turn.partial, as a crash may have left it; and then a
 * prompt and a reply, divided by the first blank line.
 *
 * Properties: what is read is an interrupted exchange, its answer the bytes behind the
 * first line, cleaned; appended to a history it is a record that reads as the same, and is
 * written the same by whoever reads it. What cannot be read has a reason. A turn that is spooled
 * in pieces is read back, with what it follows or replaces and the number of its step.
 */
#include "store/spool.h"

#include <fcntl.h>

#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"

/* Adds it to `again`, which may have the record of another who read the same. */
static void must_be_record(const struct exchange *x, struct buf *again)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct record r;

	record_add_exchange(&b, x);
	must(record_parse(buf_span(&b), &r, &e) == 0, "%s: %s", e.msg, b.p);
	must(r.type == RECORD_EXCHANGE && r.exchange.status == STATUS_INTERRUPTED, "%s", b.p);
	must(r.exchange.timestamp == x->timestamp, "%s", b.p);
	must_be_same(r.exchange.id, x->id, "id");
	must_be_same(r.exchange.query, x->query, "query");
	must_be_same(r.exchange.answer, x->answer, "answer");
	must_be_same(r.exchange.model, x->model, "model");
	must(r.exchange.has_parent == x->has_parent && same_optional(r.exchange.parent, x->parent), "parent");
	must(same_optional(r.exchange.replaces, x->replaces), "replaces");
	must(!r.exchange.steps && !usage_known(&r.exchange.usage), "steps are not the spool's");
	record_release(&r);
	record_add_exchange(again, x);
	if (again->n > b.n)
		must_be_same(((struct span){ again->p + b.n, again->n - b.n }), buf_span(&b), "the record");
	buf_release(&b);
}

static char folder[4096];

static void remove_folder(void)
{
	rmdir(folder);
}

/* One for all inputs; libFuzzer wants to stay in the working directory. */
static int make_folder(void)
{
	const char *tmp = getenv("TMPDIR");
	int dir;

	snprintf(folder, sizeof(folder), "%s/mcbox-fuzz-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	dir = mkdtemp(folder) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	must(dir >= 0 && atexit(remove_folder) == 0, "a folder");
	return dir;
}

static void write_spool(struct span text, int dir)
{
	int fd = openat(dir, SPOOL_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	must(fd >= 0 && io_write(fd, text.p, text.n) == 0, "a file");
	close(fd);
}

static void check_left(struct span text, int dir)
{
	const char *newline = memchr(text.p, '\n', text.n);
	struct buf answer = BUF_INIT, records = BUF_INIT;
	struct err e = ERR_INIT;
	struct exchange x;
	struct spool sp;
	int got;

	write_spool(text, dir);
	got = spool_read(&sp, dir, &x, &e);
	must(got == 1 || got == -1, "%d", got);
	if (got == 1) {
		must(newline != NULL, "no line, and still an exchange");
		utf8_add_clean(&answer, (struct span){ newline + 1, text.n - (size_t)(newline + 1 - text.p) });
		must_be_same(x.answer, buf_span(&answer), "answer");
		must(json_is_whole((struct span){ text.p, (size_t)(newline - text.p) }), "its first line");
		must_be_record(&x, &records);
		spool_release(&sp);
		must(spool_read(&sp, dir, &x, &e) == 1, "%s", e.msg);
		must_be_record(&x, &records);
		buf_release(&records);
		buf_release(&answer);
	} else {
		must(e.kind == ERR_DAMAGED && e.msg[0], "%s", e.msg);
	}
	spool_release(&sp);
	spool_remove(dir);
	err_clear(&e);
	must(spool_read(&sp, dir, &x, &e) == 0, "removed");
	spool_release(&sp);
}

struct turn {
	int fd;
	struct err e;
};

static bool add(void *ctx, struct span piece)
{
	struct turn *t = ctx;

	return spool_add(t->fd, piece, &t->e) == 0;
}

static void check_turn(struct span prompt, struct span reply, int dir)
{
	uint64_t state = hash_of(prompt) ^ hash_of(reply);
	const struct span none = { NULL, 0 }, other = span_str("01a1fd42-dc79-7f13-a3f3-6494baf1dda4");
	const struct exchange x = { .id = span_str("01a1fd42-dc79-7f13-a3f3-6494baf1dda3"),
		                    .has_parent = rnd_below(&state, 4), .replaces = rnd_below(&state, 2) ? other : none,
		                    .timestamp = 1795250379897, .query = prompt, .model = span_str("m"),
		                    .parent = rnd_below(&state, 2) ? span_str("p") : none };
	int64_t step = (int64_t)rnd_below(&state, 3);
	struct turn t = { -1, ERR_INIT };
	struct buf answer = BUF_INIT;
	struct exchange back;
	struct spool sp;

	t.fd = spool_begin(dir, &x, step, &t.e);
	must(t.fd >= 0, "%s", t.e.msg);
	feed_in_chunks(reply, 2, add, &t);
	close(t.fd);
	must(t.e.kind == ERR_NONE, "%s", t.e.msg);
	must(spool_read(&sp, dir, &back, &t.e) == 1, "%s", t.e.msg);
	utf8_add_clean(&answer, reply);
	must_be_same(back.id, x.id, "id");
	must_be_same(back.query, prompt, "query");
	must_be_same(back.model, x.model, "model");
	must_be_same(back.answer, buf_span(&answer), "answer");
	must(back.timestamp == x.timestamp && sp.step == step, "timestamp and step");
	must(back.has_parent == x.has_parent, "a parent");
	must(same_optional(back.parent, x.has_parent ? x.parent : none), "parent");
	must(same_optional(back.replaces, x.replaces), "replaces");
	buf_release(&answer);
	spool_release(&sp);
	spool_remove(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size }, prompt = text, reply = { "", 0 };
	const char *blank = memmem(data, size, "\n\n", 2);
	static int dir = -1;

	if (dir < 0)
		dir = make_folder();
	check_left(text, dir);
	if (blank) {
		prompt.n = (size_t)(blank - text.p);
		reply = (struct span){ blank + 2, size - prompt.n - 2 };
	}
	if (utf8_valid(prompt.p, prompt.n) == prompt.n)
		check_turn(prompt, reply, dir);
	return 0;
}
