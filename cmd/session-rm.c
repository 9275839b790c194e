/* mc-session-rm: deletes sessions. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/session.h"
#include "store/typed.h"
#include "tool.h"
#include "prompt/edit-text.h"
#include "tty/neutral.h"

static const struct opt opts[] = {
	{ 'f', "force", NULL, ARG_NONE, "do not ask" },
	{ 0 },
};

struct job {
	struct tool tool;
	bool force;
	int status; /* the first failure's, while the rest goes on */
	char **removed; /* owned, as are these ids */
	size_t n, cap;
	uint64_t *texts; /* owned; hashes of what was typed in these sessions */
	size_t ntexts, texts_cap;
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
	struct session x = SESSION_INIT;

	x.conversation.lean = true;
	if (session_read(&x, s, id, NULL, &ignored) == 0) {
		const struct conversation *c = &x.conversation;
		struct span what = c->info.title.p ? c->info.title : c->info.first_query;
		bool cut;

		buf_adds(&about, " (");
		add_exchanges(&about, c->n, count_incomplete(c));
		if (what.p)
			buf_adds(&about, ": ");
		neutral_add_line(&about, utf8_head(what, 60, &cut));
		buf_adds(&about, cut ? "…)" : ")");
	}
	session_release(&x);
	fprintf(stderr, "Delete session '%s'%s? [y/N] ", id, about.p);
	fflush(stderr);
	buf_release(&about);
	return yes();
}

/* ---- what was typed in a session ---- */

static int note_text(struct job *j, struct span text, struct err *e)
{
	uint64_t *v = array_room(j->texts, j->ntexts, &j->texts_cap, sizeof(*v), e);

	if (!v)
		return -1;
	j->texts = v;
	v[j->ntexts++] = span_hash(text);
	return 0;
}

/* The prompts (also those that were undone), and the titles and system prompts, which are typed
 * as a command's operand. */
static int note_texts(struct job *j, const struct session *x, struct err *e)
{
	static const char *const members[] = { "query", "title", "system" };
	struct span line, value;
	struct jsonl history;
	size_t at = 0;
	int r = 0;

	if (jsonl_map(&history, x->fd, e) < 0)
		return err_prefix(e, "session '%s'", x->id);
	while (r == 0 && jsonl_next(&history, &at, &line))
		for (size_t i = 0; r == 0 && i < sizeof(members) / sizeof(members[0]); i++)
			if (json_scan_find(line, members[i], &value) && *value.p == '"') {
				struct buf text = BUF_INIT;

				json_scan_add_str(&text, value);
				r = buf_check(&text, e) < 0 ? -1 : note_text(j, buf_span(&text), e);
				buf_release(&text);
			}
	jsonl_unmap(&history);
	return r;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool is_noted(const struct job *j, struct span text)
{
	uint64_t h = span_hash(text);

	return bsearch(&h, j->texts, j->ntexts, sizeof(h), by_value);
}

/* Whether it is a prompt of the session, or a command whose operand is one of its texts. */
static bool is_of_removed(void *ctx, struct span text)
{
	const struct job *j = ctx;
	const char *blank = text.p[0] == '/' ? memchr(text.p, ' ', text.n) : NULL;
	struct span operand = { blank, blank ? (size_t)(text.p + text.n - blank) : 0 };
	bool quoted;

	if (is_noted(j, edit_text_prompt(text, &quoted)))
		return true;
	return blank && is_noted(j, span_trim(operand, SPAN_WHITE));
}

/* ---- one session ---- */

/* The list may still name a session whose folder somebody deleted by hand. */
static int forget(const struct store *s, const char *id, struct err *e)
{
	err_clear(e);
	return index_append_tombstone(s, id, clock_now_ms(), e);
}

static int remove_session(struct job *j, const char *id, struct err *e)
{
	const struct store *s = &j->tool.store;
	struct lock_wait wait = { .stop_fd = -1, .waiting = say_waiting, .ctx = (void *)id };
	size_t noted = j->ntexts;
	struct session x = SESSION_INIT;
	int r;

	if (session_hold(&x, s, id, &wait, e) == 0) {
		r = note_texts(j, &x, e);
		if (r == 0)
			r = session_remove(&x, e);
		else
			session_unlock(&x);
		if (r < 0 && history_exists(s, id)) /* else they cannot be known when it is tried again */
			j->ntexts = noted;
		return r;
	}
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

static void note_removed(struct job *j, const char *id)
{
	struct err e = ERR_INIT;
	char **v = array_room(j->removed, j->n, &j->cap, sizeof(*v), &e);

	if (v) {
		j->removed = v;
		v[j->n] = strdup(id);
	}
	if (v && v[j->n])
		j->n++;
	else
		remember(j, (err_oom(&e), fail(&e)));
}

/* Of a session that is gone all the same, and only still listed, no words are to stay. */
static void remember_failed(struct job *j, const char *id, const struct err *e)
{
	const struct store *s = &j->tool.store;

	remember(j, fail(e));
	if (!history_exists(s, id) && !session_is_going(s, id) &&
	    faccessat(s->fd, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		note_removed(j, id);
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
	else if (remove_session(j, id, &e) < 0)
		remember_failed(j, id, &e);
	else
		note_removed(j, id);
}

/* Once for all of them. */
static void purge(struct job *j)
{
	struct err e = ERR_INIT;

	if (j->n && session_purge(&j->tool.store, j->removed, j->n, &e) < 0) {
		err_prefix(&e, "deleted, but words of it are still stored");
		remember(j, fail(&e));
	}
	err_clear(&e);
	if (j->ntexts)
		qsort(j->texts, j->ntexts, sizeof(*j->texts), by_value);
	if (j->ntexts && typed_forget(j->tool.config.state_dir, is_of_removed, j, &e) < 0) {
		err_prefix(&e, "deleted, but what was typed is still remembered");
		remember(j, fail(&e));
	}
	for (size_t i = 0; i < j->n; i++)
		free(j->removed[i]);
	free(j->removed);
	free(j->texts);
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
		purge(&j);
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
