/* /usage and /compact. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/words.h"
#include "chat/command.h"
#include "turn/compact.h"

#define KEEP 4 /* as mc-session-compact(1) */

/* ---- /usage ---- */

static void add_cell(struct buf *b, int64_t n)
{
	struct buf text = BUF_INIT;

	if (n < 0)
		buf_adds(&text, "unknown");
	else
		add_count(&text, n);
	buf_addf(b, "%13s", text.p);
	b->oom |= text.oom;
	buf_release(&text);
}

static void add_row(struct buf *b, const char *what, int64_t all, int64_t last)
{
	buf_addf(b, "%-12s", what);
	add_cell(b, all);
	add_cell(b, last);
	buf_addc(b, '\n');
}

/* It is read in 40 columns, too. */
static void add_tokens(struct buf *b, const struct usage *all, const struct usage *last)
{
	buf_addf(b, "%-12s%13s%13s\n", "Tokens", "session", "last turn");
	add_row(b, "in", all->input, last->input);
	add_row(b, "  cached", all->cached, last->cached);
	add_row(b, "out", all->output, last->output);
	add_row(b, "  reasoning", all->reasoning, last->reasoning);
	add_row(b, "in all", all->total, last->total);
}

static void add_load(struct buf *b, const struct load *l)
{
	buf_adds(b, "Window: ");
	if (l->window)
		add_share(b, l);
	else
		buf_adds(b, "not known; --context can say it");
	buf_adds(b, "\nNext request: about ");
	add_count(b, l->tokens);
	buf_adds(b, " tokens,\n  with ");
	add_exchanges(b, l->counting, l->incomplete.counting);
	if (l->summed) {
		buf_adds(b, ",\n  the first ");
		add_number(b, l->summed, l->incomplete.summed);
		buf_adds(b, " as a summary");
	}
	if (l->left_out) {
		buf_adds(b, l->summed ? ", " : ",\n  ");
		add_number(b, l->left_out, l->incomplete.left_out);
		buf_adds(b, " left out");
	}
	buf_addc(b, '\n');
}

static int add_all(struct buf *b, const struct chat *chat, struct err *e)
{
	const struct conversation *c = &chat->at.session.conversation;
	struct usage all = c->info.usage;
	struct load l;

	if (chat_load(chat, &l, e) < 0)
		return -1;
	if (!c->head.json) { /* nothing of it is on the disk */
		all = (struct usage)USAGE_NONE;
		for (size_t i = 0; i < c->n; i++)
			usage_add(&all, &conversation_exchange(c, i)->usage);
	}
	buf_adds(b, "Exchanges: ");
	add_number(b, c->n, count_incomplete(c));
	buf_addc(b, '\n');
	if (c->n)
		add_tokens(b, &all, &conversation_exchange(c, c->n - 1)->usage);
	add_load(b, &l);
	return buf_check(b, e);
}

bool command_usage(struct chat *chat, struct span args)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	(void)args;
	if (chat_reload(chat, &e) < 0 || add_all(&b, chat, &e) < 0)
		chat_fail(&e);
	else
		fputs(b.p, stderr);
	buf_release(&b);
	return true;
}

/* ---- /compact ---- */

struct compacting {
	struct chat *chat;
	long keep;
	size_t all, incomplete; /* exchanges of the conversation */
	struct buf model;
};

static void tell_begin(void *ctx, size_t n, size_t incomplete)
{
	struct buf line = BUF_INIT;

	(void)ctx;
	buf_adds(&line, "summing up the first ");
	add_exchanges(&line, n, incomplete);
	buf_adds(&line, "; Ctrl-C gives it up");
	say(line.p);
	buf_release(&line);
}

static int prepare(void *ctx, const struct conversation *c, struct compact_ask *ask, struct err *e)
{
	struct compacting *k = ctx;
	struct chat_session *at = &k->chat->at;
	struct span own = c->head.head.provider, model = c->info.model;

	/* The session may have been made anew by another process. */
	if (!span_eq(own, at->client.endpoint.name))
		return err_set(e, ERR_FAILED, "session '%s' keeps its provider, %.*s, and this is %s", at->id,
		               (int)own.n, own.p, at->client.endpoint.name);
	k->all = c->n;
	k->incomplete = count_incomplete(c);
	model = at->model ? span_str(at->model) : model;
	buf_add(&k->model, model.p, model.n);
	if (buf_check(&k->model, e) < 0)
		return -1;
	ask->model = k->model.p;
	ask->window = context_window(&at->client.endpoint, k->model.p, k->chat->context);
	ask->keep = (size_t)k->keep;
	ask->begin = tell_begin;
	return 0;
}

static void done(void *ctx, const struct conversation *c, const struct compaction *k, bool stored)
{
	const struct compacting *job = ctx;
	struct buf line = BUF_INIT;

	if (!k) {
		buf_addf(&line, "there is nothing%s to sum up before the last %ld exchange%s",
		         c->summary ? " more" : "", job->keep, job->keep == 1 ? "" : "s");
	} else if (stored) {
		buf_adds(&line, "a summary stands for the first ");
		add_some_exchanges(&line, k->n, k->incomplete, job->all, job->incomplete);
		buf_adds(&line, " from now on");
	}
	if (line.n)
		say(line.p);
	buf_release(&line);
}

static int run(struct compacting *k, struct err *e)
{
	struct chat *chat = k->chat;
	const struct compact_job job = {
		.store = &chat->tool.store, .id = chat->at.id, .client = &k->chat->at.client,
		.wait = chat_wait(chat),
		.prepare = prepare, .done = done, .ctx = k,
	};

	int r;

	if (chat->no_save)
		return err_set(e, ERR_USAGE, "with --no-save nothing is stored, and so nothing summed up");
	if (!chat->at.exists)
		return err_set(e, ERR_USAGE, "there is nothing to sum up yet");
	if (client_open(&chat->at.client, e) < 0)
		return -1;
	chat_busy(chat);
	r = compact_session(&job, e);
	chat_idle(chat);
	return r;
}

static int read_keep(struct span args, long *keep, struct err *e)
{
	struct words w = WORDS_INIT;
	int r = words_split(&w, args, e);

	if (r == 0 && w.n > 1)
		r = err_set(e, ERR_USAGE, "/compact takes a number: how many of the last exchanges stay as they are");
	if (r == 0 && w.n)
		r = cli_number(w.v[0], "the number of exchanges to keep", 0, LONG_MAX, keep, e);
	words_release(&w);
	return r;
}

bool command_compact(struct chat *chat, struct span args)
{
	struct compacting k = { .chat = chat, .keep = KEEP, .model = BUF_INIT };
	struct err e = ERR_INIT;

	if (read_keep(args, &k.keep, &e) < 0 || run(&k, &e) < 0)
		chat_fail(&e);
	buf_release(&k.model);
	return true;
}
