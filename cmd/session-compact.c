/* mc-session-compact: has the model sum up the older part of conversations. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "base/io.h"
#include "show.h"
#include "tool.h"
#include "tty/neutral.h"
#include "tty/stop.h"
#include "turn/compact.h"

enum { O_JSON = OPT_LONG, O_CONTEXT, O_TIMEOUT };

static const struct opt opts[] = {
	{ 'k', "keep", "N", ARG_TEXT, "leave the last N exchanges out (default: 4)" },
	{ 'm', "model", "NAME", ARG_MODEL, "the model that is asked, instead of the session's" },
	{ O_CONTEXT, "context", "TOKENS", ARG_TEXT, "its window, for a request and its reply" },
	{ O_TIMEOUT, "timeout", "SEC", ARG_TEXT, "give up after so long without a word" },
	{ O_JSON, "json", NULL, ARG_NONE, "print the stored record instead of the summary" },
	{ 0 },
};

#define KEEP 4

struct job {
	struct tool tool;
	struct session_choice choice; /* the model */
	long keep, context, timeout;
	bool json, any;
	int stop_fd;
	struct show show; /* for the wait between attempts */
	int status;       /* the first failure's, while the rest goes on */
};

static int read_options(const struct cli *c, struct job *j, struct err *e)
{
	for (size_t i = 0; i < c->nopts; i++) {
		const char *val = c->opts[i].val;
		int r = 0;

		switch (c->opts[i].id) {
		case 'k': r = cli_number(val, "--keep", 0, LONG_MAX, &j->keep, e); break;
		case 'm': j->choice.model = val; break;
		case O_CONTEXT:
			r = cli_number(val, "--context", CONFIG_CONTEXT_MIN, CONFIG_CONTEXT_MAX, &j->context, e);
			break;
		case O_TIMEOUT: r = cli_number(val, "--timeout", 1, CONFIG_TIMEOUT_MAX, &j->timeout, e); break;
		case O_JSON: j->json = true; break;
		}
		if (r < 0)
			return -1;
	}
	if (!c->noperands)
		return err_set(e, ERR_USAGE, "which session? Give one or more ids");
	if (j->choice.model && !*j->choice.model)
		return err_set(e, ERR_USAGE, "the model's name is empty");
	return check_choice(&j->choice, e);
}

/* ---- one session ---- */

struct one {
	struct job *job;
	char id[ID_SIZE];
	struct client client;
	struct idle idle;
	struct buf model;
};

static void say_waiting(void *ctx, pid_t holder)
{
	const struct one *s = ctx;

	say_in_use(s->id, holder);
}

static int choose_model(struct one *s, struct span stored, struct err *e)
{
	const struct job *j = s->job;
	const char *name = j->choice.model;

	if (!name && !stored.n)
		name = endpoint_model(&s->client.endpoint);
	if (!name && !stored.n)
		return err_set(e, ERR_USAGE, "session '%s' has no model: name one with -m", s->id);
	buf_add(&s->model, name ? name : stored.p, name ? strlen(name) : stored.n);
	return buf_check(&s->model, e);
}

/* The way to the provider that the session has. */
static int find_way(struct one *s, struct span own, struct err *e)
{
	const struct job *j = s->job;

	s->client.idle_timeout = j->timeout;
	if (client_use_provider(&s->client, &j->tool.config, own, e) < 0)
		return -1;
	if (j->choice.provider && strcmp(j->choice.provider, s->client.endpoint.name) != 0)
		return err_set(e, ERR_USAGE, "'%s' stands for a model of %s, and session '%s' keeps its provider, "
		               "%s", j->choice.model, j->choice.provider, s->id, s->client.endpoint.name);
	if (j->choice.model)
		say_other_vendor(&s->client.endpoint, j->choice.model, true);
	s->client.stop_fd = j->stop_fd;
	s->client.idle = &s->idle;
	s->client.listener = (struct client_listener){ .wait = show_wait, .ctx = &s->job->show };
	return 0;
}

/* Before the session is locked: the command that has the key may ask its user for a password, and
 * nobody else is to wait for that. */
static int open_way(struct one *s, struct err *e)
{
	const struct store *store = &s->job->tool.store;
	struct jsonl j;
	struct record r;
	int result = 0;

	if (history_map(store, s->id, &j, e) < 0)
		return -1;
	if (history_record(store, s->id, &j, 0, &r)) {
		if (r.type == RECORD_SESSION)
			result = find_way(s, r.head.provider, e) < 0 ? -1 : client_open(&s->client, e);
		record_release(&r);
	}
	jsonl_unmap(&j);
	return result;
}

/* The session may have been made anew since, or its first record be a damaged one. */
static int find_way_again(struct one *s, struct span own, struct err *e)
{
	if (span_eq(own, s->client.endpoint.name))
		return 0;
	client_close(&s->client);
	s->client = (struct client)CLIENT_INIT;
	return find_way(s, own, e) < 0 ? -1 : client_open(&s->client, e);
}

static int prepare(void *ctx, const struct conversation *c, struct compact_ask *ask, struct err *e)
{
	struct one *s = ctx;

	if (find_way_again(s, c->head.head.provider, e) < 0 || choose_model(s, c->info.model, e) < 0)
		return -1;
	show_begin(&s->job->show);
	show_look(&s->idle);
	ask->model = s->model.p;
	ask->window = context_window(&s->client.endpoint, s->model.p, s->job->context);
	ask->keep = (size_t)s->job->keep;
	return 0;
}

static void print_summary(struct job *j, const struct summary *summary)
{
	struct buf b = BUF_INIT;

	if (j->json) {
		record_add_summary(&b, summary);
		print_record(&b);
	} else {
		if (j->any)
			buf_addc(&b, '\n');
		if (at_terminal())
			neutral_add(&b, summary->text);
		else
			buf_add(&b, summary->text.p, summary->text.n);
		buf_addc(&b, '\n');
		print_buf(stdout, &b);
	}
	print_now(); /* the next one may take a while */
	j->any = true;
}

static void say_nothing_to_do(const struct one *s, bool summed)
{
	struct buf line = BUF_INIT;
	long keep = s->job->keep;

	buf_addf(&line, "session '%s' has nothing%s to sum up", s->id, summed ? " more" : "");
	if (keep)
		buf_addf(&line, " before its last %ld exchange%s", keep, keep == 1 ? "" : "s");
	say(line.p);
	buf_release(&line);
}

/* A summary that cannot be stored is worth more on the screen than nowhere. */
static void done(void *ctx, const struct conversation *c, const struct compaction *k, bool stored)
{
	struct one *s = ctx;

	(void)stored;
	show_came(&s->job->show);
	if (k)
		print_summary(s->job, &k->summary);
	else
		say_nothing_to_do(s, c->summary != NULL);
}

static int compact_given(struct one *s, struct err *e)
{
	const struct compact_job job = {
		.store = &s->job->tool.store, .id = s->id, .client = &s->client,
		.wait = { .stop_fd = s->job->stop_fd, .waiting = say_waiting, .ctx = s },
		.prepare = prepare, .done = done, .ctx = s,
	};

	return open_way(s, e) < 0 ? -1 : compact_session(&job, e);
}

static void compact_one(struct job *j, const char *given)
{
	struct one s = { .job = j, .client = CLIENT_INIT, .model = BUF_INIT,
		         .idle = { .call = show_look, .ctx = &j->show } };
	struct err e = ERR_INIT;
	int status = EXIT_DONE;

	if (session_resolve(&j->tool.store, given, s.id, &e) < 0)
		status = fail_session(&j->tool.store, &e);
	else if (compact_given(&s, &e) < 0)
		status = fail(&e);
	if (j->status == EXIT_DONE)
		j->status = status;
	client_close(&s.client);
	buf_release(&s.model);
}

/* ---- all of them ---- */

/* A signal ends what is being asked, and the process in an orderly way; a reader of the output
 * that leaves, or a server, ends nothing. */
static int guard(struct job *j, struct err *e)
{
	signal(SIGPIPE, SIG_IGN);
	j->stop_fd = stop_begin(e);
	j->tool.store.stop_fd = j->stop_fd;
	return j->stop_fd < 0 ? -1 : 0;
}

static int run(const struct cli *c)
{
	struct job j = { .keep = KEEP, .stop_fd = -1, .show = SHOW_INIT,
		         .tool = { .config = CONFIG_INIT, .store = { .fd = -1, .stop_fd = -1 } } };
	struct err e = ERR_INIT;

	j.show.terminal = at_terminal();
	if (read_options(c, &j, &e) < 0)
		return fail(&e);
	if (tool_open(&j.tool, false, &e) < 0 || resolve_alias(&j.choice, &j.tool.config, &e) < 0 ||
	    guard(&j, &e) < 0)
		j.status = fail(&e);
	for (size_t i = 0; i < c->noperands && e.kind == ERR_NONE && !stop_signal(); i++)
		compact_one(&j, c->operands[i]);
	show_release(&j.show);
	tool_close(&j.tool);
	if (stop_signal() && stop_signal() != SIGINT && j.status == EXIT_INTERRUPTED) {
		signal(stop_signal(), SIG_DFL); /* as its parent expects */
		raise(stop_signal());
	}
	return j.status;
}

const struct applet applet_session_compact = {
	.name = "mc-session-compact",
	.summary = "sum up the older part of a conversation",
	.operands = "ID…",
	.operand = ARG_SESSION,
	.opts = opts,
	.run = run,
};
