#include "store/follow.h"

#include <errno.h>
#include <sys/file.h>

#include "data.h"
#include "store/session.h"
#include "store/spool.h"
#include "tap.h"
#include "temp.h"

/*
 * A writer does one step after the other, and the follower looks after some of them: after
 * which, and when it began, must make no difference to what is told in the end.
 */
enum file { HISTORY, SPOOL, NEXT, GONE };
struct scene {
	enum file file;
	const char *text; /* is appended to it; NEXT: another file takes the place of the spool */
};

#define HEAD(id) "{\"type\":\"exchange\",\"id\":\"" id "\",\"timestamp\":1,\"query\":\"q\",\"model\":\"m\"}\n"
#define RECORD(id, answer) "{\"type\":\"exchange\",\"id\":\"" id "\",\"timestamp\":1,\"query\":\"q\"," \
	"\"answer\":\"" answer "\",\"model\":\"m\",\"status\":\"complete\"}\n"

static const struct scene steps[] = {
	{ HISTORY, RECORD("a", "first") },
	{ SPOOL, "{\"type\":\"exchange\",\"id\":\"b\",\"time" },
	{ SPOOL, "stamp\":1,\"query\":\"q\",\"model\":\"m\"}\n" },
	{ SPOOL, "one\n\xc3" },
	{ SPOOL, "\xa9 two \xff" },
	{ HISTORY, RECORD("b", "one\\n\303\251 two \357\277\275 three") }, /* more than was spooled */
	{ GONE, NULL },
	{ SPOOL, HEAD("c") "half" },
	{ HISTORY, "{\"type\":\"rewind\",\"timestamp\":1,\"to\":null}\n" RECORD("c", "half") },
	{ GONE, NULL },
	{ HISTORY, RECORD("d", "at once") "{\"type\":\"exch" },
	{ HISTORY, "ange\"}\n{\"type\":\"new\"}\n" },
};
#define NSTEPS (sizeof(steps) / sizeof(steps[0]))
static const char all[] = "<a>first.<b>one\n\303\251 two \357\277\275 three.<c>half.<d>at once.";

/* A turn with two steps. */
#define STEP(n, text) "{\"type\":\"step\",\"exchange\":\"x\",\"n\":" n ",\"timestamp\":2,\"text\":\"" text "\"," \
	"\"calls\":[{\"id\":\"c\",\"name\":\"t\",\"arguments\":{}}],\"model\":\"m\"}\n"
#define RESULT(n) "{\"type\":\"result\",\"exchange\":\"x\",\"n\":" n ",\"call\":\"c\",\"timestamp\":3,\"status\":\"ok\"," \
	"\"output\":\"o\"}\n"
#define HEAD_OF(n) "{\"type\":\"exchange\",\"id\":\"x\",\"n\":" n ",\"timestamp\":1,\"query\":\"q\",\"model\":\"m\"}\n"

static const struct scene turn[] = {
	{ SPOOL, HEAD_OF("0") "I lo" }, /* the first look is after this */
	{ SPOOL, "ok \xc3" },
	{ SPOOL, "\xa9" },
	{ HISTORY, STEP("0", "I look \303\251") },
	{ HISTORY, RESULT("0") },
	{ NEXT, HEAD_OF("1") },
	{ SPOOL, "again" },
	{ HISTORY, STEP("1", "again") RESULT("1") },
	{ NEXT, HEAD_OF("2") "the " },
	{ SPOOL, "answer" },
	{ HISTORY, RECORD("x", "the answer") },
	{ GONE, NULL },
};
#define NTURN (sizeof(turn) / sizeof(turn[0]))

static struct store here = { .dir = ".", .fd = -1, .stop_fd = -1 };

static void add_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void do_step(const struct scene *s)
{
	if (s->file == GONE) {
		unlink("s/" SPOOL_FILE);
	} else if (s->file == NEXT) {
		add_to("s/" SPOOL_TEMP, s->text);
		rename("s/" SPOOL_TEMP, "s/" SPOOL_FILE);
	} else
		add_to(s->file == HISTORY ? "s/" HISTORY_FILE : "s/" SPOOL_FILE, s->text);
}

/* Begins the session anew. The lock is held, as a writer has it. */
static int make_session(void)
{
	int fd;

	mkdir("s", 0700);
	unlink("s/" SPOOL_FILE);
	unlink("s/" HISTORY_FILE);
	add_to("s/" HISTORY_FILE, "{\"type\":\"session\",\"version\":1,\"id\":\"s\",\"createdAt\":5,\"cwd\":\"/w\","
	       "\"provider\":\"echo\",\"model\":\"m\"}\n");
	fd = open("s/" HISTORY_FILE, O_RDWR | O_CLOEXEC);
	flock(fd, LOCK_EX);
	return fd;
}

static void add_whole(struct buf *b, const struct exchange *x)
{
	buf_addf(b, "<%.*s>%.*s.", (int)x->id.n, x->id.p, (int)x->answer.n, x->answer.p);
}

static void note(void *ctx, const struct follow_event *ev)
{
	struct buf *b = ctx;

	switch (ev->kind) {
	case FOLLOW_BEGUN:
		buf_addf(b, "<%.*s>", (int)ev->exchange->id.n, ev->exchange->id.p);
		break;
	case FOLLOW_TEXT: buf_add(b, ev->text.p, ev->text.n); break;
	case FOLLOW_CUT: buf_adds(b, "[cut]"); break;
	case FOLLOW_LOST: buf_adds(b, "[lost]"); break;
	case FOLLOW_RECORD:
		if (ev->record->type == RECORD_STEP && ev->begun)
			buf_addf(b, "%s%.*s|", ev->differs ? "[differs]" : "", (int)ev->rest.n, ev->rest.p);
		if (ev->record->type != RECORD_EXCHANGE)
			break;
		if (ev->begun)
			buf_addf(b, "%s%s%.*s.", ev->cut ? "[again]" : "", ev->differs ? "[differs]" : "",
			         (int)ev->rest.n, ev->rest.p);
		else
			add_whole(b, &ev->record->exchange);
		break;
	}
}

/* What a tool prints of what is there already. */
static void note_history(const struct follow *f, struct buf *b)
{
	struct span line;
	size_t at = 0;

	while (jsonl_next(&f->history, &at, &line)) {
		struct err ignored = ERR_INIT;
		struct record r;

		if (record_parse(line, &r, &ignored) < 0)
			continue;
		if (r.type == RECORD_EXCHANGE)
			add_whole(b, &r.exchange);
		record_release(&r);
	}
}

/* Begins after `start` steps, and looks after those that `looks` says. */
static void follow_steps(size_t start, unsigned looks, struct buf *told)
{
	int lock = make_session();
	struct err e = ERR_INIT;
	struct follow f;

	buf_clear(told);
	for (size_t i = 0; i < start; i++)
		do_step(&steps[i]);
	if (follow_open(&f, &here, "s", &e) < 0) {
		buf_adds(told, e.msg);
		return;
	}
	note_history(&f, told);
	f.turns = true;
	f.tell = note;
	f.ctx = told;
	for (size_t i = start; i < NSTEPS; i++) {
		if ((looks >> i & 1) && follow_look(&f, &e) < 0)
			buf_adds(told, e.msg);
		do_step(&steps[i]);
	}
	if (follow_look(&f, &e) < 0)
		buf_adds(told, e.msg);
	follow_close(&f);
	close(lock);
}

static void test_looks(void)
{
	struct buf told = BUF_INIT;
	int failed = 0;

	for (size_t start = 0; start < NSTEPS; start++)
		/* Closing an inotify descriptor takes its time: of the most a sample. */
		for (unsigned looks = 0; looks < 1u << NSTEPS; looks += (start < 5 ? 37u : 1u) << start) {
			follow_steps(start, looks, &told);
			if (span_eq(buf_span(&told), all))
				continue;
			if (!failed++)
				is_buf(&told, all, "begun after step %zu, with looks %x", start, looks);
		}
	is_int(failed, 0, "all is told once, whatever was looked at");
	buf_release(&told);
}

/* Begins to follow the session's turns, without what is there already. */
static void open_follow(struct follow *f, struct buf *told)
{
	struct err e = ERR_INIT;

	if (follow_open(f, &here, "s", &e) < 0)
		buf_adds(told, e.msg);
	f->turns = true;
	f->tell = note;
	f->ctx = told;
}

/* Begins after `start` steps. */
static void follow_turn(size_t start, unsigned looks, struct buf *told)
{
	int lock = make_session();
	struct err e = ERR_INIT;
	struct follow f;

	buf_clear(told);
	for (size_t i = 0; i < start; i++)
		do_step(&turn[i]);
	open_follow(&f, told);
	if (start)
		follow_look(&f, &e);
	for (size_t i = start; i < NTURN; i++) {
		do_step(&turn[i]);
		if ((i == 0 || i == NTURN - 1 || (looks >> i & 1)) && follow_look(&f, &e) < 0)
			buf_adds(told, e.msg);
	}
	follow_close(&f);
	close(lock);
}

static void test_turn_with_steps(void)
{
	struct buf told = BUF_INIT;
	int failed = 0;

	for (size_t start = 0; start < 11; start++) {
		/* Of the steps before that whose file is there, nothing more is told. */
		const char *rest = start < 6 ? "I look \303\251|again|the answer." : start < 9 ? "again|the answer." : "the answer.";

		for (unsigned looks = 0; looks < 1u << (NTURN - 1); looks += start ? 301 : 28) {
			follow_turn(start, looks, &told);
			if ((strncmp(told.p, "<x>", 3) != 0 || strcmp(told.p + 3, rest) != 0) && !failed++)
				is_buf(&told, rest, "begun after step %zu, with looks %x", start, looks);
		}
	}
	is_int(failed, 0, "the text of each step is told once, whatever was looked at");
	buf_release(&told);
}

/* What is read of a file after the record of its step is what the record had. */
static void test_late_text(void)
{
	struct buf told = BUF_INIT;
	struct err e = ERR_INIT;
	struct follow f;
	int lock = make_session();

	open_follow(&f, &told);
	do_step(&turn[0]);
	follow_look(&f, &e);
	do_step(&turn[3]);
	follow_look(&f, &e);
	do_step(&turn[1]);
	is_int(follow_look(&f, &e), 0, "text of a step that is stored");
	is_buf(&told, "<x>I look \303\251|", "is told once");
	follow_close(&f);
	close(lock);
	buf_release(&told);
}

/* It dies in a step, or when the next one begins. */
static void test_crash_in_steps(void)
{
	struct buf told = BUF_INIT;
	struct err e = ERR_INIT;
	struct follow f;
	int lock = make_session();

	open_follow(&f, &told);
	do_step(&turn[0]);
	follow_look(&f, &e);
	for (size_t i = 1; i < 5; i++)
		do_step(&turn[i]);
	is_int(follow_look(&f, &e), 0, "a turn in a step");
	unlink("s/" SPOOL_FILE);
	is_int(follow_look(&f, &e), 0, "which is gone");
	is_buf(&told, "<x>I look \303\251|[lost]", "is lost");
	add_to("s/" SPOOL_FILE, HEAD("y"));
	is_int(follow_look(&f, &e), 0, "another turn");
	is_buf(&told, "<x>I look \303\251|[lost]<y>", "begins");
	unlink("s/" SPOOL_FILE);
	add_to("s/" SPOOL_FILE, HEAD("z"));
	is_int(follow_look(&f, &e), 0, "and another");
	is_buf(&told, "<x>I look \303\251|[lost]<y>[lost]<z>", "in the place of that");
	follow_close(&f);
	close(lock);
	buf_release(&told);
}

/* The writer is dead from the beginning, or dies between two looks. */
static void test_crash(void)
{
	struct buf told = BUF_INIT;
	struct err e = ERR_INIT;
	struct follow f;

	close(make_session());
	do_step(&steps[0]);
	add_to("s/" SPOOL_FILE, HEAD("b") "half \xc3");
	open_follow(&f, &told);
	is_int(follow_look(&f, &e), 0, "a turn that nobody runs");
	is_buf(&told, "<b>half \357\277\275[cut]", "is ended at once");
	is_int(follow_look(&f, &e), 0, "another look");
	is_buf(&told, "<b>half \357\277\275[cut]", "has no news");
	add_to("s/" HISTORY_FILE, RECORD("b", "half \357\277\275"));
	is_int(follow_look(&f, &e), 0, "its record");
	is_buf(&told, "<b>half \357\277\275[cut][again].", "brings nothing more");
	follow_close(&f);
	buf_clear(&told);
	open_follow(&f, &told);
	is_int(follow_look(&f, &e), 0, "a turn that is stored, whose file is there still");
	is_buf(&told, "", "is told by the history alone");
	follow_close(&f);
	buf_release(&told);
}

static void test_ends(void)
{
	struct buf told = BUF_INIT;
	struct err e = ERR_INIT;
	struct follow f;

	close(make_session());
	follow_open(&f, &here, "s", &e);
	f.tell = note;
	f.ctx = &told;
	do_step(&steps[0]);
	unlink("s/" HISTORY_FILE);
	is_int(follow_look(&f, &e), -1, "a session that was removed");
	is_err(&e, ERR_GONE, "session 's' was removed", "is an end");
	is_buf(&told, "<a>first.", "and what was stored before is told");
	follow_close(&f);
	err_clear(&e);
	is_int(follow_open(&f, &here, "s", &e), -1, "a session that is not there");
	is_err(&e, ERR_NOT_FOUND, "no session 's'", "cannot be followed");
	buf_release(&told);
}

int main(void)
{
	struct err e = ERR_INIT;

	temp_enter();
	if (store_open(&here, ".", false, &e) < 0)
		printf("# %s\n", e.msg);
	test_looks();
	test_turn_with_steps();
	test_late_text();
	test_crash_in_steps();
	test_crash();
	test_ends();
	store_close(&here);
	return tap_end();
}
