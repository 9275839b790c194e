/* mc-session-cat: prints conversations. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "base/clock.h"
#include "reading.h"
#include "page.h"
#include "session-follow.h"
#include "store/index.h"
#include "store/session.h"
#include "tool.h"
#include "tty/neutral.h"

enum { O_BRANCHES = OPT_LONG, O_JSON, O_NO_PAGER, O_PLAIN, O_STATUS };

static const struct opt opts[] = {
	{ 'f', "follow", NULL, ARG_NONE, "go on with what happens there, as it happens" },
	{ 'n', "last", "N", ARG_TEXT, "print the last N exchanges only" },
	{ O_BRANCHES, "branches", NULL, ARG_NONE, "with --json, print every record" },
	{ O_JSON, "json", NULL, ARG_NONE, "print its stored records, one a line" },
	{ O_NO_PAGER, "no-pager", NULL, ARG_NONE, "print to the terminal itself, not in a pager" },
	{ O_PLAIN, "plain", NULL, ARG_NONE, "print the text as it is, at a terminal too" },
	{ O_STATUS, "status", NULL, ARG_NONE, "print what the session is, not what it holds" },
	{ 0 },
};

#define FOLLOW_LAST 10 /* exchanges, as of tail -f lines */

struct request {
	long last; /* 0: all; with `follow`: none */
	bool follow, branches, json, status, no_pager, plain;
	const struct config *config;
	struct reading *reading;
};

static int check_options(const struct cli *c, struct request *rq, bool last, struct err *e)
{
	if (last && rq->status)
		return err_set(e, ERR_USAGE, "--last and --status exclude each other");
	if (rq->branches && (!rq->json || last || rq->follow || rq->status))
		return err_set(e, ERR_USAGE, "--branches goes with --json, and without --last, --follow and --status");
	if (rq->follow && rq->status)
		return err_set(e, ERR_USAGE, "--follow and --status exclude each other");
	if (!c->noperands)
		return err_set(e, ERR_USAGE, "which session? Give one or more ids");
	if (rq->follow && c->noperands > 1)
		return err_set(e, ERR_USAGE, "one session can be followed, not %zu", c->noperands);
	if (rq->follow && !last)
		rq->last = FOLLOW_LAST;
	rq->no_pager |= rq->follow;
	return 0;
}

static int read_options(const struct cli *c, struct request *rq, struct err *e)
{
	const char *last = NULL;

	for (size_t i = 0; i < c->nopts; i++)
		switch (c->opts[i].id) {
		case 'f': rq->follow = true; break;
		case 'n': last = c->opts[i].val; break;
		case O_BRANCHES: rq->branches = true; break;
		case O_JSON: rq->json = true; break;
		case O_NO_PAGER: rq->no_pager = true; break;
		case O_PLAIN: rq->plain = true; break;
		case O_STATUS: rq->status = true; break;
		}
	if (last && cli_number(last, "--last", !rq->follow, LONG_MAX, &rq->last, e) < 0)
		return -1;
	return check_options(c, rq, last != NULL, e);
}

/* ---- the conversation ---- */

/* Something is about to be printed. */
static void begin_output(const struct request *rq)
{
	if (!rq->no_pager)
		page_begin(rq->config);
}

/* The stored bytes of every valid record, of a type that we do not know too. */
static bool print_records(const struct request *rq, const struct store *s, const char *id,
                          const struct jsonl *j)
{
	bool whole = true;
	struct span line;
	size_t at = 0;

	for (size_t start = 0; !ferror(stdout) && jsonl_next(j, &at, &line); start = at) {
		struct record r;

		if (!history_record(s, id, j, start, &r)) {
			whole = false;
			continue;
		}
		record_release(&r);
		begin_output(rq);
		print_json((struct span){ line.p, line.n + 1 });
	}
	return whole;
}

/* The stored bytes of these records. */
static int print_lines(const struct request *rq, const struct jsonl *j, const struct conversation *c,
                       size_t from, struct err *e)
{
	struct span line;
	size_t *at, n;

	if (conversation_offsets(c, from, !rq->last, &at, &n, e) < 0)
		return fail(e);
	for (size_t i = 0; i < n && !ferror(stdout); i++) {
		jsonl_next(j, &at[i], &line);
		begin_output(rq);
		print_json((struct span){ line.p, line.n + 1 });
	}
	free(at);
	return EXIT_DONE;
}

static int print_text(const struct request *rq, const struct store *s, const char *id,
                      const struct jsonl *j, const struct conversation *c, size_t from, bool *any)
{
	for (size_t i = from; i < c->n && !ferror(stdout); i++) {
		struct record r;

		if (!history_record(s, id, j, c->path[i]->at, &r))
			return EXIT_FAILED;
		begin_output(rq);
		if (*any)
			fputc('\n', stdout);
		reading_print(rq->reading, stdout, &r.exchange);
		*any = true;
		record_release(&r);
	}
	return EXIT_DONE;
}

/* The conversation, or its last exchanges. Without a valid session record the rest is printed all
 * the same. */
static int print_conversation(const struct request *rq, const struct store *s, const char *id,
                              const struct jsonl *j, bool *any, struct err *e)
{
	const struct history_want want = { .last = (size_t)rq->last };
	struct conversation c = CONVERSATION_INIT;
	int status = EXIT_DONE, r;
	bool whole = false;
	size_t from = 0;

	c.lean = true; /* their texts are read again as they are printed */
	r = rq->last ? history_load_newest(&c, s, id, j, &want, &whole, e)
	             : history_load(&c, s, id, j, e);
	if (r < 0)
		status = fail(e);
	if (r == 0 || e->kind == ERR_DAMAGED) {
		int printed;

		err_clear(e);
		if (rq->last && c.n > want.last)
			from = c.n - want.last;
		printed = rq->json ? print_lines(rq, j, &c, from, e)
		                   : print_text(rq, s, id, j, &c, from, any);
		status = status == EXIT_DONE ? printed : status;
		if (!rq->last || whole)
			say_tree(id, &c);
		else if (c.info.branches) /* it seems so; only then is the index opened, which knows all of them */
			say_branches(id, session_branches(s, id, j));
	}
	if (c.damaged && status == EXIT_DONE)
		status = EXIT_FAILED;
	conversation_release(&c);
	return status;
}

/* ---- the status ---- */

/* The process that runs a turn; 0 or -1 when it cannot be told. */
static pid_t find_holder(const struct store *s, const char *id)
{
	struct err ignored = ERR_INIT;
	int dir, fd = history_open(s, id, O_RDONLY, &dir, &ignored);
	pid_t holder = lock_holder(fd);

	if (fd >= 0) {
		close(fd);
		close(dir);
	}
	return holder;
}

static void field(const char *name, struct span value)
{
	struct buf b = BUF_INIT;

	if (!value.p)
		return;
	if (at_terminal())
		neutral_add_line(&b, value);
	else
		neutral_add_column(&b, value);
	printf("%-10s ", name);
	print_buf(stdout, &b);
	putchar('\n');
}

static void print_status_text(const char *id, const struct conversation *c, bool busy, pid_t holder)
{
	const struct session_info *m = &c->info;
	char when[CLOCK_TEXT];

	field("id", span_str(id));
	if (holder > 0)
		printf("%-10s running (process %ld)\n", "state", (long)holder);
	else
		field("state", span_str(busy ? "running" : "idle"));
	field("title", m->title);
	field("provider", m->provider);
	field("model", m->model);
	field("cwd", m->cwd);
	clock_utc(when, m->created_at);
	field("created", span_str(when));
	clock_utc(when, m->updated_at);
	field("active", span_str(when));
	printf("%-10s %" PRId64 " complete, %zu in all\n", "exchanges", m->exchange_count, c->n);
	if (c->n)
		field("last", span_str(status_name(c->path[c->n - 1]->status)));
	if (usage_known(&m->usage))
		printf("%-10s %" PRId64 " in, %" PRId64 " out\n", "tokens",
		       m->usage.input > 0 ? m->usage.input : 0, m->usage.output > 0 ? m->usage.output : 0);
	printf("%-10s %" PRId64 "\n", "bytes", m->history_bytes);
}

/* The index record, made from the history just now, with the state in front. */
static void print_status_json(const char *id, const struct conversation *c, bool busy, pid_t holder)
{
	struct buf b = BUF_INIT;

	json_open(&b, '{');
	json_put_word(&b, "state", busy ? "running" : "idle");
	if (holder > 0)
		json_put_int(&b, "pid", holder);
	else
		json_put_null(&b, "pid");
	index_add_record_members(&b, id, &c->info);
	json_close(&b, '}');
	buf_addc(&b, '\n');
	print_record(&b);
}

static int print_status(const struct request *rq, const struct store *s, const char *id,
                        const struct jsonl *j, bool busy, struct err *e)
{
	struct conversation c = CONVERSATION_INIT;
	pid_t holder;

	c.lean = true;
	if (history_load(&c, s, id, j, e) < 0) {
		conversation_release(&c);
		return fail(e);
	}
	holder = busy ? find_holder(s, id) : 0;
	if (rq->json)
		print_status_json(id, &c, busy, holder);
	else
		print_status_text(id, &c, busy, holder);
	conversation_release(&c);
	return EXIT_DONE;
}

/* ---- one session after the other ---- */

static int print_session(const struct request *rq, const struct store *s, const char *given,
                         bool *any)
{
	struct err e = ERR_INIT, why = ERR_INIT;
	char id[ID_SIZE];
	struct jsonl j;
	int status, unread = EXIT_DONE, busy;

	if (session_resolve(s, given, id, &e) < 0)
		return fail_session(s, &e);
	/* What a crash left is shown too. Where that cannot be stored, the rest is. */
	busy = session_recover(s, id, &why);
	if (history_map(s, id, &j, &e) < 0)
		return fail_session(s, &e);
	if (busy < 0)
		unread = fail(&why);
	if (rq->status)
		status = print_status(rq, s, id, &j, busy > 0, &e);
	else if (rq->branches)
		status = print_records(rq, s, id, &j) ? EXIT_DONE : EXIT_FAILED;
	else
		status = print_conversation(rq, s, id, &j, any, &e);
	jsonl_unmap(&j);
	return status == EXIT_DONE ? unread : status;
}

/* What a crash left is shown too, but nothing is stored: others may be at work. */
static int follow_session(const struct request *rq, const struct store *s, const char *given)
{
	struct err e = ERR_INIT;
	char id[ID_SIZE];
	struct follow f;
	bool any = false;
	int status = EXIT_DONE;

	if (session_resolve(s, given, id, &e) < 0 || follow_open(&f, s, id, &e) < 0)
		return fail_session(s, &e);
	if (rq->last)
		status = print_conversation(rq, s, id, &f.history, &any, &e);
	print_now();
	if (e.kind == ERR_NONE && !ferror(stdout))
		status = follow_print(&f, rq->reading, rq->json, any);
	follow_close(&f);
	return status;
}

static int run(const struct cli *c)
{
	struct tool t = { .config = CONFIG_INIT, .store = { .fd = -1, .stop_fd = -1 } };
	struct reading reading = READING_INIT;
	struct request rq = { .config = &t.config, .reading = &reading };
	struct err e = ERR_INIT;
	int status = EXIT_DONE;
	bool any = false;

	if (read_options(c, &rq, &e) < 0)
		return fail(&e);
	if (tool_open(&t, false, &e) < 0)
		status = fail(&e);
	else if (!rq.plain && !rq.json && !rq.status)
		reading_open(&reading, &t.config, !rq.no_pager);
	if (rq.follow && e.kind == ERR_NONE)
		status = follow_session(&rq, &t.store, c->operands[0]);
	for (size_t i = 0; !rq.follow && i < c->noperands && e.kind == ERR_NONE; i++) {
		int one = print_session(&rq, &t.store, c->operands[i], &any);

		if (status == EXIT_DONE)
			status = one;
	}
	status = page_end(status);
	reading_release(&reading);
	tool_close(&t);
	return status;
}

const struct applet applet_session_cat = {
	.name = "mc-session-cat",
	.summary = "print a conversation",
	.operands = "ID…",
	.operand = ARG_SESSION,
	.opts = opts,
	.run = run,
};
