/* mc-session-fsck: checks the store, and repairs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/check.h"
#include "store/index.h"
#include "tool.h"
#include "tty/neutral.h"

enum { O_JSON = OPT_LONG };

static const struct opt opts[] = {
	{ O_JSON, "json", NULL, ARG_NONE, "print each finding as a JSON object, one a line" },
	{ 'r', "repair", NULL, ARG_NONE, "repair what can be repaired; nothing is deleted" },
	{ 0 },
};

struct job {
	bool json;
	bool person;      /* to be told how far it is */
	bool shown;       /* a line of progress is on the screen */
	size_t told, left; /* findings, and those of them that no repair helped */
	int64_t next;     /* when the next one is due, on the steady clock */
};

/* ---- progress ---- */

#define PATIENCE_MS 700 /* a short check says nothing */
#define PROGRESS_MS 100

static bool can_show_progress(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static void clear_progress(struct job *j)
{
	if (j->shown)
		fputs("\r\033[K", stderr);
	j->shown = false;
}

static void progress(void *ctx, size_t done, size_t of)
{
	struct job *j = ctx;
	int64_t now;

	if (!j->person)
		return;
	if (done == of) {
		clear_progress(j);
		return;
	}
	now = clock_steady_ms();
	if (now < j->next)
		return;
	j->next = now + PROGRESS_MS;
	j->shown = true;
	fprintf(stderr, "\r%s: checked %zu of %zu\033[K", tool_name, done, of);
}

/* ---- findings ---- */

static const char *repair_name(enum repair r)
{
	static const char *const names[] = { "none", "done", "impossible" };

	return names[r];
}

/* The name that a stranger gave a file may not be UTF-8. */
static void add_text(struct buf *b, const char *key, const char *text)
{
	struct buf clean = BUF_INIT;

	if (text)
		utf8_add_clean(&clean, span_str(text));
	json_put_word(b, key, text ? clean.p : NULL);
	b->oom |= clean.oom;
	buf_release(&clean);
}

static void print_object(const struct finding *f)
{
	struct buf b = BUF_INIT;

	json_open(&b, '{');
	json_put_word(&b, "kind", finding_name(f->kind));
	add_text(&b, "session", f->session);
	add_text(&b, "file", f->file);
	if (f->line)
		json_put_int(&b, "line", (int64_t)f->line);
	else
		json_put_null(&b, "line");
	add_text(&b, "message", f->message);
	add_text(&b, "repair", repair_name(f->repair));
	add_text(&b, "quarantine", f->quarantine);
	json_close(&b, '}');
	buf_addc(&b, '\n');
	print_record(&b);
}

/* "demo/history.jsonl:7: not UTF-8 (at byte 3); moved to .quarantine/…" */
static void print_line(const struct finding *f)
{
	struct buf b = BUF_INIT, line = BUF_INIT;

	buf_adds(&b, f->file);
	if (f->line)
		buf_addf(&b, ":%zu", f->line);
	if (f->session && strcmp(f->file, INDEX_FILE) == 0)
		buf_addf(&b, " ('%s')", f->session);
	buf_addf(&b, ": %s", f->message);
	if (f->quarantine)
		buf_addf(&b, "; moved to %s", f->quarantine);
	else if (f->repair == REPAIR_DONE)
		buf_adds(&b, "; repaired");
	else if (f->repair == REPAIR_IMPOSSIBLE)
		buf_adds(&b, "; left as it is");
	neutral_add_line(&line, buf_span(&b));
	buf_addc(&line, '\n');
	line.oom |= b.oom;
	print_buf(stdout, &line);
	buf_release(&b);
}

static void report(void *ctx, const struct finding *f)
{
	struct job *j = ctx;

	clear_progress(j);
	j->told++;
	j->left += f->repair == REPAIR_IMPOSSIBLE;
	if (j->json)
		print_object(f);
	else
		print_line(f);
}

static void say_left(const struct job *j)
{
	char text[120];

	if (!j->left)
		return;
	snprintf(text, sizeof(text), "%zu of %zu findings could not be repaired", j->left, j->told);
	say(text);
}

static void say_waiting(void *ctx, pid_t holder)
{
	say_in_use(ctx, holder);
}

/* ---- which sessions ---- */

static int check_named(struct check *c, char *const *given, size_t n)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < n; i++) {
		struct err e = ERR_INIT;
		char id[ID_SIZE];
		int one = EXIT_DONE;

		if (session_resolve(c->store, given[i], id, &e) < 0)
			one = fail_session(c->store, &e);
		else if (check_session(c, id, &e) < 0)
			one = fail(&e);
		if (status == EXIT_DONE)
			status = one;
	}
	return status;
}

static int run(const struct cli *cli)
{
	struct job j = { .person = can_show_progress(), .next = clock_steady_ms() + PATIENCE_MS };
	struct check c = {
		.wait = { .stop_fd = -1, .waiting = say_waiting },
		.report = report, .progress = progress, .ctx = &j,
	};
	struct err e = ERR_INIT;
	struct tool t;
	int status;

	for (size_t i = 0; i < cli->nopts; i++) {
		j.json |= cli->opts[i].id == O_JSON;
		c.repair |= cli->opts[i].id == 'r';
	}
	if (tool_open(&t, false, &e) < 0) {
		status = fail(&e);
	} else {
		c.store = &t.store;
		if (check_recognise(&c, &e) < 0)
			status = fail(&e);
		else if (cli->noperands)
			status = check_named(&c, cli->operands, cli->noperands);
		else
			status = check_store(&c, &e) < 0 ? fail(&e) : EXIT_DONE;
	}
	check_release(&c);
	tool_close(&t);
	say_left(&j);
	return status == EXIT_DONE && c.findings ? EXIT_FAILED : status;
}

const struct applet applet_session_fsck = {
	.name = "mc-session-fsck",
	.summary = "check the stored sessions, and repair them",
	.operands = "[ID…]",
	.operand = ARG_SESSION,
	.opts = opts,
	.run = run,
};
