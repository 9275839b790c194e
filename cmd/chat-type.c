/* Typing in a conversation: what was typed before, and what Tab completes. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json-scan.h"
#include "chat-command.h"
#include "store/index.h"
#include "store/typed.h"
#include "talk/key.h"
#include "talk/models.h"

#define IDS_OFFERED 100 /* of sessions, the newest; more are no choice */

struct typing {
	struct edit edit; /* chat->editor is the same */
	struct typed typed;
	struct chat *chat;
	char **envp;
	bool told; /* that what is typed cannot be remembered */
};

/* ---- what was typed before ---- */

/* The conversation goes on without it, and this is said once. */
static bool is_told(struct typing *t, struct err *e)
{
	bool told = t->told;

	t->told = true;
	err_prefix(e, "what is typed is not remembered");
	return told;
}

static int take_recalled(void *ctx, struct span text, struct err *e)
{
	(void)e;
	edit_recall(ctx, text);
	return 0;
}

static int recall(void *ctx, struct edit *ed, struct err *e)
{
	struct typing *t = ctx;

	if (typed_read(&t->typed, take_recalled, ed, e) == 0)
		return 0;
	if (is_told(t, e))
		err_clear(e);
	return e->kind == ERR_NONE ? 0 : -1;
}

static void keep(void *ctx, struct span text)
{
	struct typing *t = ctx;
	struct err e = ERR_INIT;

	if (!t->chat->no_save && typed_add(&t->typed, text, &e) < 0 && !is_told(t, &e))
		say(e.msg);
}

static void tell_failed(void *ctx, const struct err *e)
{
	(void)ctx;
	say(e->msg);
}

/* ---- what Tab completes ---- */

static void offer_commands(struct edit_completion *c)
{
	char word[64];

	for (const struct command *k = chat_commands; k->name; k++) {
		snprintf(word, sizeof(word), "/%s", k->name);
		edit_offer(c, span_str(word));
	}
}

/* Without a network: those that are known, and the aliases. */
static void offer_models(const struct chat *chat, struct edit_completion *c)
{
	struct model_list l = MODEL_LIST_INIT;

	models_cached(&l, &chat->at.how.endpoint);
	for (size_t i = 0; i < l.n; i++)
		edit_offer(c, span_str(l.v[i].id));
	models_release(&l);
	for (size_t i = 0; i < chat->tool.config.naliases; i++)
		edit_offer(c, span_str(chat->tool.config.aliases[i].name));
}

static void offer_sessions(const struct chat *chat, struct edit_completion *c)
{
	struct index_reader r;
	struct index_record record;
	struct err ignored = ERR_INIT;
	struct span line;

	if (chat->tool.store.fd < 0 || index_open(&r, &chat->tool.store, false, &ignored) < 0)
		return;
	while (c->n < IDS_OFFERED && index_next(&r, &line))
		if (index_record(line, 0, &record))
			edit_offer(c, record.id);
	index_close(&r);
}

static const struct command *command_of(struct span line)
{
	const char *end = memchr(line.p, ' ', line.n);
	struct span name = { line.p + 1, (end ? (size_t)(end - line.p) : line.n) - 1 };
	const struct command *k = chat_commands;

	while (k->name && !span_eq(name, k->name))
		k++;
	return k->name ? k : NULL;
}

static void complete(void *ctx, struct edit_completion *c)
{
	const struct typing *t = ctx;
	const struct command *k;

	if (!c->line.n || c->line.p[0] != '/')
		return;
	if (c->first) {
		offer_commands(c);
		return;
	}
	k = command_of(c->line);
	if (!k)
		return;
	if (k->kind == ARG_MODEL)
		offer_models(t->chat, c);
	else if (k->kind == ARG_SESSION)
		offer_sessions(t->chat, c);
	else
		c->files = k->kind == ARG_FILE || k->kind == ARG_FILES;
}

/* ---- both ends ---- */

int chat_type_begin(struct chat *chat, struct err *e)
{
	struct typing *t = calloc(1, sizeof(*t));
	const struct config *config = &chat->tool.config;
	struct edit_options o = {
		.fd = STDIN_FILENO, .out = STDERR_FILENO, .stop_fd = chat->stop_fd, .ctx = t,
		.recall = recall, .typed = keep, .complete = complete, .failed = tell_failed,
	};

	if (!t || !(t->envp = key_environment(config))) {
		free(t);
		return err_oom(e);
	}
	t->chat = chat;
	t->typed = (struct typed)TYPED_INIT(config->state_dir, (size_t)config->typed_max);
	o.envp = t->envp;
	edit_open(&t->edit, &o);
	chat->editor = &t->edit;
	if (t->edit.why_plain.msg[0]) {
		err_prefix(&t->edit.why_plain, "lines are edited by the terminal alone");
		say(t->edit.why_plain.msg);
	}
	return 0;
}

int chat_type(struct chat *chat, struct buf *prompt, struct err *e)
{
	int r = edit_read(chat->editor, "> ", chat->draft.n ? chat->draft.p : NULL, prompt, e);

	buf_clear(&chat->draft);
	return r;
}

void chat_type_end(struct chat *chat)
{
	struct typing *t = (struct typing *)chat->editor;

	if (!t)
		return;
	edit_close(&t->edit);
	free(t->envp);
	free(t);
	chat->editor = NULL;
}
