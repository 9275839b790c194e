/* mc-session-rm: deletes sessions. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/session.h"
#include "tool.h"
#include "tty/neutral.h"

static const struct opt opts[] = {
	{ 'f', "force", NULL, ARG_NONE, "do not ask" },
	{ 0 },
};

struct job {
	struct tool tool;
	bool force;
	int status; /* the first failure's, while the rest goes on */
};

static void remember(struct job *j, int status)
{
	if (j->status == EXIT_DONE)
		j->status = status;
}

static void say_waiting(void *ctx, pid_t holder)
{
	say_in_use(ctx, holder);
}

static bool yes(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n = getline(&line, &cap, stdin);
	bool answer;

	if (n < 0)
		fputc('\n', stderr); /* the question has no answer that ended its line */
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	answer = n > 0 && (strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 ||
	                   strcmp(line, "yes") == 0 || strcmp(line, "Yes") == 0);
	free(line);
	return answer;
}

/* "Delete session 'x' (3 exchanges: first query)?" */
static bool confirmed(const struct store *s, const char *id)
{
	struct err ignored = ERR_INIT;
	struct buf about = BUF_INIT;
	struct conversation c;
	struct jsonl j;

	if (history_map(s, id, &j, &ignored) == 0) {
		if (conversation_load(&c, s, id, &j, &ignored) == 0) {
			bool cut;
			struct span what = c.summary.title.p ? c.summary.title : c.summary.first_query;

			buf_adds(&about, " (");
			add_exchanges(&about, c.n, count_incomplete(&c));
			if (what.p)
				buf_adds(&about, ": ");
			neutral_add_line(&about, utf8_head(what, 60, &cut));
			buf_adds(&about, cut ? "…)" : ")");
			conversation_release(&c);
		}
		jsonl_unmap(&j);
	}
	fprintf(stderr, "Delete session '%s'%s? [y/N] ", id, about.p);
	fflush(stderr);
	buf_release(&about);
	return yes();
}

/* The list may still name a session whose folder somebody deleted by hand. */
static int forget(const struct store *s, const char *id, struct err *e)
{
	err_clear(e);
	return index_append_tombstone(s, id, clock_now_ms(), e);
}

static int remove_session(const struct store *s, const char *id, struct err *e)
{
	struct lock_wait wait = { .stop_fd = -1, .waiting = say_waiting, .ctx = (void *)id };
	struct session x;

	if (session_hold(&x, s, id, &wait, e) == 0)
		return session_remove(&x, e);
	return e->kind == ERR_NOT_FOUND ? forget(s, id, e) : -1;
}

/* Nobody is asked, and a script that runs twice must not take the next best session. */
static bool in_full(const char *given, const char *id, struct err *e)
{
	if (strcmp(given, id) == 0)
		return true;
	err_set(e, ERR_FAILED, "no session '%s'; with --force an id is given in full (as in '%s')", given,
	        id);
	return false;
}

static void remove_one(struct job *j, const char *given)
{
	struct store *s = &j->tool.store;
	struct err e = ERR_INIT;
	char id[ID_SIZE];

	if (session_resolve(s, given, id, &e) < 0 || (j->force && !in_full(given, id, &e)))
		remember(j, fail_session(s, &e));
	else if (!j->force && !confirmed(s, id))
		remember(j, EXIT_FAILED);
	else if (remove_session(s, id, &e) < 0)
		remember(j, fail(&e));
}

/* The first one may be long in coming. */
static void wait_for_ids(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&p, 1, IO_PATIENCE_MS) == 0)
		say("waiting for session ids on standard input, one a line");
}

static void remove_listed(struct job *j)
{
	struct err e = ERR_INIT;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	wait_for_ids();
	while ((n = getline(&line, &cap, stdin)) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (*line)
			remove_one(j, utf8_unmarked(span_str(line)).p); /* the mark is before the first one */
	}
	free(line);
	if (ferror(stdin)) {
		err_sys(&e, errno, "cannot read standard input");
		remember(j, fail(&e));
	}
}

static bool reads_ids(const struct cli *c)
{
	for (size_t i = 0; i < c->noperands; i++)
		if (strcmp(c->operands[i], "-") == 0)
			return true;
	return false;
}

static int run(const struct cli *c)
{
	struct job j = { .force = false };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < c->nopts; i++)
		j.force |= c->opts[i].id == 'f';
	if (!c->noperands) {
		err_set(&e, ERR_USAGE, "which session? Give one or more ids, or - to read them from "
		        "standard input");
		return fail(&e);
	}
	if (reads_ids(c) && !j.force) {
		err_set(&e, ERR_USAGE, "with ids on standard input there is nobody to ask; add --force");
		return fail(&e);
	}
	if (tool_open(&j.tool, false, &e) < 0) {
		remember(&j, fail(&e));
	} else {
		for (size_t i = 0; i < c->noperands; i++)
			if (strcmp(c->operands[i], "-") == 0)
				remove_listed(&j);
			else
				remove_one(&j, c->operands[i]);
	}
	tool_close(&j.tool);
	return j.status;
}

const struct applet applet_session_rm = {
	.name = "mc-session-rm",
	.summary = "delete sessions",
	.operands = "ID…",
	.operand = ARG_SESSION,
	.opts = opts,
	.run = run,
};
